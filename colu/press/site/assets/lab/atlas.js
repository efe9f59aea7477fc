/* The atlas: filters, order, comparison, all in the address; and one unit as a figure of the laboratory. */
(function () {
  "use strict";
  const part = name => document.querySelector(`[data-part=${name}]`);

  /* The nearest number, or name by pairs of letters. */
  const near = (wanted, all) => {
    const alike = one => isNaN(wanted)
      ? [...wanted].filter((_, k) => one.includes(wanted.slice(k, k + 2))).length / (wanted.length + one.length)
      : -Math.abs(wanted - one);
    return all.reduce((a, b) => alike(b) > alike(a) ? b : a);
  };

  function front({ units, start }) {
    const form = document.forms.atlas, { level, sort } = form.elements, selects = [...form.elements].filter(e => e.options);
    const list = part("cards"), boxes = [...document.getElementsByName("units")];
    let chosen = [], told = "";

    function update() {
      const by = card => card.getAttribute(`data-by-${sort.value}`), cards = [...list.children].sort((a, b) => by(a) < by(b) ? -1 : 1);
      const shown = cards.filter(card => !(card.hidden = selects.some(s => s.value && (card.dataset[s.name] ?? s.value) !== s.value)));
      list.append(...cards);
      boxes.forEach(b => { b.checked = chosen.includes(b.value); b.disabled = chosen[3] && !b.checked; });
      const q = new URLSearchParams(chosen[0] ? { units: chosen.join(" ") } : {});
      selects.forEach(s => s.selectedOptions[0].defaultSelected || q.set(s.name, s.value));
      history.replaceState(null, "", `#atlas?${q}`);
      part("status").textContent = `${told}${shown.length} of ${cards.length} shown; compared, four at most: ${chosen.join(", ") || "none"}.`;
      told = "";

      const each = make => (chosen[0] ? chosen : start).map((name, k) =>
        make(units[name], `class="slot-${k}" style="${units[name].colours}"`)).join("");
      /* Lines are in the units of the numbers. */
      for (const kind of ["value", "slope"]) {
        part(kind).querySelector("g").innerHTML = each((u, look) => `<g ${look}>${u[kind][level.selectedIndex] || u[kind][0]}</g>`);
      }
      part("key").innerHTML = each((u, look) => `<li ${look}>${u.title}</li>`);
      part("rings").innerHTML = each((u, look) => `<figure ${look}>${u.rings}</figure>`);
      [...part("facts").rows].forEach((row, k) => { row.innerHTML = row.cells[0].outerHTML + each(u => u.facts[k]); });
      part("said").hidden = chosen[0];
    }

    function read() {
      const q = new URLSearchParams(location.hash.split("?")[1]);
      const pick = (name, all) => {
        const found = all.includes(name) ? name : near(name, all);
        if (found !== name) told += `There is no ${name} to choose: ${found || "any"} is shown. `;
        return found;
      };
      chosen = [...new Set(q.get("units")?.match(/[^ ,]+/g)?.map(name => pick(name, Object.keys(units))))].slice(0, 4);
      form.reset();
      selects.forEach(s => { if (q.has(s.name)) s.value = pick(q.get(s.name), [...s.options].map(o => o.value)); });
      update();
    }

    boxes.forEach(b => b.addEventListener("change", () => {
      chosen = chosen.filter(name => name !== b.value).concat(b.checked ? b.value : []);
      update();
    }));
    selects.forEach(s => s.addEventListener("change", update));
    part("go").addEventListener("click", () => level.focus());
    addEventListener("hashchange", read);
    document.body.classList.add("atlas-live");
    read();
  }

  function live(root, unit) {
    const mixes = unit.kind === "channels", state = {}, given = JSON.parse(root.dataset.parts);
    for (const [name, [value, min, max]] of Object.entries({ ...unit.parameters, ...mixes && { second: [1, -3, 3] } })) {
      if (name !== "dim") state[name] = { label: name.replace("second", "second channel in"), value: given[name] ?? value, min, max, step: "any" };
    }
    const grid = [...Array(161).keys()].map(k => k / 20 - 4), { short } = coluLab;
    coluLab.define("unit", { state, build(ui) {
      const panels = ["output", "derivative"].map(y => ui.panel({ x: "first channel in", y, caption: y }));
      return () => {
        const p = { ...ui.state, ...mixes && { dim: 2 } }, at = x => mixes ? [x, p.second] : [x];
        const outs = [...Array(unit.outputs(at(0).length, p)).keys()];
        const act = [(x, k) => unit.forward(at(x), p)[k], (x, k) => unit.backward(at(x), p, outs.map(j => +(j === k)))[0]];
        ui.say(panels.map((panel, i) => {
          const lines = outs.slice(0, 2).map(k => grid.map(x => [x, act[i](x, k)]));
          const [[low, high], ...more] = lines.map(line => line.map(point => +point[1].toFixed(9))).map(ys => [Math.min(...ys), Math.max(...ys)]);
          panel.axes([-4, 4], [Math.min(-1, low, ...more.flat()) * 1.05, Math.max(1, high, ...more.flat()) * 1.05]);
          panel.clear();
          lines.forEach((points, k) => panel.line(points, `curve output-${k}`));
          return `The ${mixes ? "first " : ""}${panel.caption.textContent} lies between ${short(low)} and ${short(high)}.`;
        }).join(" "));
      };
    } });
    root.classList.add("colu-lab");
  }

  const root = document.querySelector("[data-unit]"), unit = root && coluMathematics.units[root.dataset.unit];
  if (!root) front(coluAtlas);
  else if (unit) live(root, unit);
})();
