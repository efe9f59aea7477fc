/* The atlas: cards that filter and sort, up to four units compared, one unit live. The address holds the state. */
(function () {
  "use strict";
  let told = "";
  const part = name => document.querySelector(`[data-part=${name}]`);
  const tell = (text = "") => { part("status").textContent = told + text; told = ""; };
  const keep = q => history.replaceState(null, "", `#atlas?${q}`);
  /* Panels have their axes; lines lie inside, in the units of the numbers. */
  const fill = (kind, lines) => { part(kind).querySelector("g").innerHTML = lines; };

  /* The nearest number, or the name that shares most pairs of letters. */
  const near = (wanted, all) => {
    const alike = one => isNaN(wanted)
      ? [...wanted].filter((_, k) => one.includes(wanted.slice(k, k + 2))).length / (wanted.length + one.length)
      : -Math.abs(wanted - one);
    return all.reduce((a, b) => alike(b) > alike(a) ? b : a);
  };
  const valid = (wanted, fits, all) => {
    if (fits) return wanted;
    const found = near(wanted, all);
    told += `There is no ${wanted} here: ${found || "any"} is shown. `;
    return found;
  };

  /* Reads the address now and whenever it changes. */
  const follow = read => {
    const now = () => read(new URLSearchParams(location.hash.split("?")[1]));
    addEventListener("hashchange", now);
    now();
  };

  function front(form, { units, start }) {
    const list = part("cards"), boxes = [...document.getElementsByName("units")], { level, sort } = form.elements;
    const selects = [...form.elements].filter(e => e.options), heads = [...part("facts").rows].map(row => row.cells[0].outerHTML);
    let chosen = [];

    function update() {
      const by = card => card.getAttribute(`data-by-${sort.value}`);
      list.append(...[...list.children].sort((a, b) => by(a).localeCompare(by(b), "en", { numeric: true })));
      const shown = [...list.children].filter(card =>
        !(card.hidden = selects.some(s => s.value && (card.dataset[s.name] ?? s.value) !== s.value)));
      boxes.forEach(box => {
        box.checked = chosen.includes(box.value);
        box.disabled = chosen[3] && !box.checked;
      });
      const q = new URLSearchParams(chosen[0] ? { units: chosen.join(" ") } : {});
      selects.forEach(s => s.selectedOptions[0].defaultSelected || q.set(s.name, s.value));
      keep(q);
      tell(`${shown.length} of ${list.children.length} shown; compared, four at most: ${chosen.join(", ") || "none chosen"}.`);

      const each = make => (chosen[0] ? chosen : start).map((name, k) =>
        make(units[name], `class="slot-${k}" style="${units[name].colours}"`)).join("");
      for (const kind of ["value", "slope"]) fill(kind, each((u, look) => `<g ${look}>${u[kind][level.selectedIndex] || u[kind][0]}</g>`));
      part("key").innerHTML = each((u, look) => `<li ${look}>${u.title}</li>`);
      part("rings").innerHTML = each((u, look) => `<figure ${look}>${u.rings}</figure>`);
      heads.forEach((head, k) => { part("facts").rows[k].innerHTML = head + each(u => u.facts[k]); });
      part("said").hidden = chosen[0];
    }

    boxes.forEach(box => box.addEventListener("change", () => {
      chosen = chosen.filter(name => name !== box.value).concat(box.checked ? box.value : []);
      update();
    }));
    selects.forEach(s => s.addEventListener("change", update));
    part("go").addEventListener("click", () => level.focus());
    follow(q => {
      const pick = (name, all) => valid(name, all.includes(name), all);
      chosen = [...new Set(q.get("units")?.match(/[^ ,]+/g)?.map(name => pick(name, Object.keys(units))))].slice(0, 4);
      form.reset();
      selects.forEach(s => { if (q.has(s.name)) s.value = pick(q.get(s.name), [...s.options].map(o => o.value)); });
      update();
    });
  }

  /* The page of a unit that the laboratory computes: a slider for each parameter, and for the second channel. */
  function live(form, unit, given) {
    const mixes = unit.kind === "channels", ranges = { ...unit.parameters, ...mixes && { second: [1, -3, 3] } };
    delete ranges.dim;
    form.innerHTML = Object.keys(ranges).map(name =>
      `<label>${name} <output></output><input type="range" step="any" name="${name}"></label>`).join("");
    const inputs = [...form].filter(e => e.name), grid = [...Array(161).keys()].map(k => k / 20 - 4);

    function update() {
      const p = mixes ? { dim: 2 } : {}, at = x => mixes ? [x, p.second] : [x];
      inputs.forEach(i => { i.previousSibling.value = +(p[i.name] = +i.value).toPrecision(3); });
      const outs = [...Array(unit.outputs(at(0).length, p)).keys()];
      const act = { value: (x, k) => unit.forward(at(x), p)[k], slope: (x, k) => unit.backward(at(x), p, outs.map(j => +(j === k)))[0] };
      for (const kind in act) fill(kind, outs.slice(0, 2).map(k =>
        `<polyline class="output-${k}" points="${grid.map(x => [x, act[kind](x, k)]).join(" ")}"/>`).join(""));
      tell();
    }
    form.addEventListener("input", () => { update(); keep(new URLSearchParams(new FormData(form))); });
    part("how").textContent = "Drawn live: computed in this page.";
    follow(q => {
      inputs.forEach(i => {
        const [start, min, max] = ranges[i.name], wanted = q.get(i.name) ?? given[i.name] ?? start;
        Object.assign(i, { min, max, value: valid(wanted, wanted >= min && wanted <= max, [min, max]) });
      });
      update();
    });
  }

  addEventListener("DOMContentLoaded", () => {
    const form = document.forms.atlas, { unit, parts } = form.parentNode.dataset, twin = window.coluMathematics?.units[unit];
    document.body.classList.toggle("atlas-live", !unit || twin);
    if (!unit) front(form, window.coluAtlas);
    else if (twin) live(form, twin, JSON.parse(parts));
  });
})();
