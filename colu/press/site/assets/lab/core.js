/* What the interactive figures share: controls from a specification, a state in the address, panels, handles, words.
   A figure is `coluLab.define(name, {state, build})`; its markup is of the directive {interactive}. */
(function () {
"use strict";
const figures = {}, still = matchMedia("(prefers-reduced-motion: reduce)");
const lab = window.coluLab = { data: {}, ready: {}, define: (name, figure) => { figures[name] = figure; } };

const filled = (node, attributes, parts) => {
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...parts);
  return node;
};
const make = lab.make = (tag, attributes, ...parts) => filled(document.createElement(tag), attributes, parts);
const draw = lab.draw = (tag, attributes, ...parts) => filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, parts);

/* A number as the page writes it. */
const short = lab.short = (value, digits = 3) => Number.isFinite(value)
  ? String(Number(value.toPrecision(digits))).replace(/e\+?(-?\d+)/, " × 10^$1").replaceAll("-", "−")
  : Number.isNaN(value) ? "no number" : value > 0 ? "∞" : "−∞";

/* Of some names the one with the longest beginning in common with a text. */
const nearest = lab.nearest = (text, names) => {
  const common = name => { let k = 0; while (k < text.length && text[k] === name[k]) k++; return k; };
  return [...names].sort((a, b) => common(b) - common(a))[0];
};

const optionsOf = spec => Array.isArray(spec.options) ? Object.fromEntries(spec.options.map(one => [one, one])) : spec.options;

/* The nearest valid value of a text from an address, and what is to be said where it is another. */
function valid(key, text, spec) {
  if (spec.options) {
    const names = Object.keys(optionsOf(spec)), name = names.includes(text) ? text : nearest(text, names);
    return [name, name !== text && `There is no ${key} “${text}”; ${name} is shown.`];
  }
  if (spec.flag) return [text === "1", !["0", "1"].includes(text) && `${key} is 0 or 1, and not “${text}”.`];
  let value = text.trim() ? Number(text) : NaN;
  if (Number.isNaN(value)) return [spec.value, `“${text}” is no number for ${key}; ${short(spec.value)} is shown.`];
  const given = value;
  if (Number.isInteger(spec.step)) value = Math.round(value);
  value = Math.min(Math.max(value, spec.min), spec.max);
  return [value, value !== given && `${key} goes from ${short(spec.min)} to ${short(spec.max)}${Number.isInteger(spec.step) ? " in whole numbers" : ""}; ${short(value)} is shown in place of ${short(given)}.`];
}

/* A drawing with axes: numbers in, pixels of its viewBox out. */
function panelOf(ui, options) {
  const o = { width: 340, height: 280, left: 40, right: 10, top: 10, bottom: 36, x: "", y: "", caption: "", ...options };
  const axes = draw("g"), body = draw("g"), handles = draw("g");
  const svg = draw("svg", { viewBox: `0 0 ${o.width} ${o.height}`, role: "group", "aria-label": o.label || o.caption }, axes, body, handles);
  const caption = make("figcaption", {}, o.caption);
  (o.into || ui.panels).append(make("figure", {}, svg, caption));
  const wide = o.width - o.left - o.right, high = o.height - o.top - o.bottom;
  const text = (x, y, anchor, words, more) => draw("text", { x, y, "text-anchor": anchor, ...more }, words);
  /* A line and a number at each step of 1, 2 or 5 times a power of ten, about so many. */
  const ticks = ([low, high], parts, place) => {
    const power = 10 ** Math.floor(Math.log10((high - low) / parts)), step = [1, 2, 5, 10].map(k => k * power).find(one => one >= (high - low) / parts * 0.999);
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) {
      const [d, x, y, anchor] = place(k * step);
      axes.append(draw("path", { d, class: k ? "grid" : "zero" }), text(x, y, anchor, short(k * step)));
    }
  };
  const panel = {
    svg, caption,
    px: x => o.left + (x - panel.xs[0]) / (panel.xs[1] - panel.xs[0]) * wide,
    py: y => o.top + (panel.ys[1] - y) / (panel.ys[1] - panel.ys[0]) * high,

    /* Set the ranges; `equal` widens one of them so that circles are round. */
    axes(xs, ys) {
      if (o.equal) {
        const unit = Math.max((xs[1] - xs[0]) / wide, (ys[1] - ys[0]) / high) / 2;
        const widened = ([low, high], size) => [(low + high) / 2 - unit * size, (low + high) / 2 + unit * size];
        [xs, ys] = [widened(xs, wide), widened(ys, high)];
      }
      if (panel.key === [...xs, ...ys].join()) return;
      Object.assign(panel, { xs, ys, key: [...xs, ...ys].join() });
      axes.replaceChildren();
      const bottom = o.height - o.bottom, middle = o.top + high / 2;
      ticks(xs, wide / 60, v => [`M${panel.px(v)} ${o.top}V${bottom}`, panel.px(v), bottom + 14, "middle"]);
      ticks(ys, high / 45, v => [`M${o.left} ${panel.py(v)}h${wide}`, o.left - 4, panel.py(v) + 4, "end"]);
      axes.append(text(o.left + wide / 2, o.height - 6, "middle", o.x), text(11, middle, "middle", o.y, { transform: `rotate(-90 11 ${middle})` }));
    },
    clear: () => body.replaceChildren(),
    put(tag, attributes, ...parts) {
      const made = draw(tag, attributes, ...parts);
      body.append(made);
      return made;
    },
    /* A line through points; it is parted where one is no finite number. */
    line(points, style, closed) {
      let path = "", pen = "M";
      for (const [x, y] of points) {
        const here = Number.isFinite(x + y);
        if (here) path += pen + panel.px(x).toFixed(2) + " " + panel.py(Math.max(Math.min(y, 1e6), -1e6)).toFixed(2);
        pen = here ? "L" : "M";
      }
      return panel.put("path", { d: path + (closed && path ? "Z" : ""), class: style });
    },
    dot: (x, y, style, r = 3.5) => panel.put("circle", { cx: panel.px(x), cy: panel.py(y), r, class: style }),
    text(x, y, words, style = "", anchor = "start") { body.append(text(panel.px(x), panel.py(y), anchor, words, { class: style })); },
    arrow(x, y, toX, toY, style) {
      const [a, b, c, d] = [panel.px(x), panel.py(y), panel.px(toX), panel.py(toY)], long = Math.hypot(c - a, d - b);
      panel.put("path", { d: `M${a} ${b}L${c} ${d}`, class: style });
      if (long < 4) return;
      const u = (c - a) / long, v = (d - b) / long;
      panel.put("polygon", { points: `${c},${d} ${c - 9 * u - 4 * v},${d - 9 * v + 4 * u} ${c - 9 * u + 4 * v},${d - 9 * v - 4 * u}`, class: `head ${style}` });
    },

    /* Let pointer, touch and arrow keys move what a node stands for: `keys` names two entries of the state, or `get`
       and `set` say where it is and where it goes. */
    drags(node, { keys, get = () => keys.map(key => ui.state[key]), set = (...to) => ui.set({ [keys[0]]: to[0], [keys[1]]: to[1] }), step = 0.1 }) {
      let held = null;
      const on = (event, act) => node.addEventListener(event, act);
      const at = event => {
        const box = svg.getBoundingClientRect(), scale = o.width / box.width;
        return [panel.xs[0] + ((event.clientX - box.left) * scale - o.left) / wide * (panel.xs[1] - panel.xs[0]),
          panel.ys[1] - ((event.clientY - box.top) * scale - o.top) / high * (panel.ys[1] - panel.ys[0])];
      };
      node.setAttribute("tabindex", 0);
      on("pointerdown", event => {
        held = get().map((value, k) => value - at(event)[k]);
        node.setPointerCapture(event.pointerId);
      });
      on("pointermove", event => { if (held) set(...at(event).map((value, k) => value + held[k])); });
      for (const end of ["pointerup", "pointercancel"]) on(end, () => { held = null; });
      on("keydown", event => {
        const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        const size = event.shiftKey ? 5 * step : step, [x, y] = get();
        set(x + by[0] * size, y + by[1] * size);
      });
      return get;
    },
    /* A point that can be dragged; the function that is returned puts it there. */
    handle({ label, style = "", ...what }) {
      const node = draw("g", { role: "slider", class: `handle ${style}`, "aria-label": label }, draw("circle", { r: 18, class: "reach" }), draw("circle", { r: 7 }));
      const get = panel.drags(node, what);
      handles.append(node);
      return () => {
        const [x, y] = get();
        node.setAttribute("transform", `translate(${panel.px(x)} ${panel.py(y)})`);
        node.setAttribute("aria-valuenow", Number(x.toFixed(2)));
        node.setAttribute("aria-valuetext", `${short(x)} and ${short(y)}`);
      };
    },
  };
  return panel;
}

function start(root) {
  const { figure: name, start: beginning } = root.dataset, { state: specs, build, changed = () => {} } = figures[name];
  const live = root.querySelector(".live"), controls = make("div", { class: "lab-controls" }), panels = make("div", { class: "lab-panels" });
  const note = make("p", { class: "lab-note", role: "status" }), said = make("p", { class: "lab-said", role: "status" });
  const here = make("a", { class: "lab-here" }, "link to this state"), state = {}, inputs = {};
  let waiting = 0, later = 0;

  const redraw = () => { waiting ||= requestAnimationFrame(show); };
  const ui = {
    root, state, panels, controls, redraw,
    panel: options => panelOf(ui, options),
    canvas({ width, height, label, caption = "", into = panels }) {
      const canvas = make("canvas", { width, height, role: "img", "aria-label": label });
      into.append(make("figure", {}, canvas, make("figcaption", {}, caption)));
      return canvas;
    },
    button(label, press) {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", press);
      controls.append(button);
      return button;
    },
    /* Take values, in range, and show them. */
    set(values) {
      for (const key in values) {
        const { min = -Infinity, max = Infinity } = specs[key], value = values[key];
        state[key] = typeof value === "number" ? Math.min(Math.max(value, min), max) : value;
      }
      note.textContent = "";
      changed(ui, Object.keys(values));
      redraw();
      clearTimeout(later);
      later = setTimeout(tell, 250);
    },
    /* What the figure shows, in words. */
    say(words) { if (said.textContent !== words) said.textContent = words; },
    note(words) { note.textContent = words; },
    /* A colour of the style sheet, for a canvas. */
    colour: variable => getComputedStyle(root).getPropertyValue(variable).trim(),
    /* A button that calls `step`, a frame's worth at a time, until it returns false or is pressed again. */
    loop(labels, step) {
      let running = false;
      const toggle = on => {
        running = on;
        button.textContent = labels[Number(running)];
        if (running) requestAnimationFrame(turn);
      };
      const turn = () => {
        const until = performance.now() + (still.matches ? 400 : 10);
        while (running && performance.now() < until) if (step() === false) toggle(false);
        redraw();
        if (running) setTimeout(() => requestAnimationFrame(turn), still.matches ? 300 : 0);
      };
      const button = ui.button(labels[0], () => toggle(!running));
      return { stop: () => toggle(false), start: () => running || toggle(true) };
    },
  };

  function show() {
    waiting = 0;
    const began = performance.now();
    for (const key in inputs) {
      const input = inputs[key], value = state[key], out = input.parentNode.querySelector("output");
      if (specs[key].flag) input.checked = value; else if (input.value !== String(value)) input.value = value;
      if (out) out.textContent = short(value) + (specs[key].unit || "");
      if (out) input.setAttribute("aria-valuetext", out.textContent);
    }
    paint();
    root.dataset.frame = (performance.now() - began).toFixed(2);
  }

  function tell() {
    const query = new URLSearchParams();
    for (const key in specs) if (state[key] !== specs[key].value) query.set(key, typeof state[key] === "string" ? state[key] : Number(Number(state[key]).toFixed(4)));
    here.href = `#${root.id}?${query}`;
    try { history.replaceState(history.state, "", here.getAttribute("href")); } catch { /* a page without an address */ }
  }

  /* Take a state from the text of an address; what it does not name is as at the beginning. */
  function read(text, words) {
    const said = [];
    for (const key in specs) state[key] = specs[key].value;
    for (const [key, value] of new URLSearchParams(text)) {
      const [near, problem] = key in specs ? valid(key, value, specs[key]) : [null, `This figure has no “${key}”.`];
      if (key in specs) state[key] = near;
      if (problem) said.push(problem);
    }
    note.textContent = [...said, words].filter(Boolean).join(" ");
    changed(ui, Object.keys(specs));
    redraw();
  }

  /* Go to the state of an address if it is one of this figure's. */
  function visit(hash, words) {
    const mine = hash.startsWith(`#${root.id}?`);
    if (mine) read(hash.slice(root.id.length + 2), words);
    if (mine) root.scrollIntoView();
    return mine;
  }

  for (const [key, spec] of Object.entries(specs)) {
    state[key] = spec.value;
    if (!spec.label) continue;
    const input = inputs[key] = spec.options ? make("select", {}, ...Object.entries(optionsOf(spec)).map(([value, words]) => new Option(words, value)))
      : spec.flag ? make("input", { type: "checkbox" })
        : make("input", { type: spec.type || "range", min: spec.min, max: spec.max, step: spec.step });
    const words = make("span", {}, spec.label, ...(input.type === "range" ? [" ", make("output", {})] : []));
    controls.append(make("label", spec.flag ? { class: "flag" } : {}, words, input));
    input.addEventListener("input", () => {
      if (input.value !== "") ui.set({ [key]: spec.flag ? input.checked : spec.options ? input.value : Number(input.value) });
    });
    /* Arrow keys on a slider turn no page. */
    input.addEventListener("keydown", event => event.stopPropagation());
  }
  live.append(controls, note, panels, said);
  const paint = build(ui);
  ui.button("reset", () => { read(beginning); tell(); });
  live.append(here);
  addEventListener("hashchange", () => visit(location.hash));
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href]");
    if (!link || link === here || link.pathname !== location.pathname || !visit(link.hash, link.dataset.says)) return;
    event.preventDefault();
    tell();
  });
  here.href = `#${root.id}?${beginning}`;
  if (!visit(location.hash)) read(beginning);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  root.classList.add("ready");
  lab.ready[name] = ui;
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".colu-lab").forEach(root => {
  try {
    start(root);
  } catch (error) {
    /* The static picture stays, and the page says why. */
    root.append(make("p", { class: "lab-note" }, `This figure could not start: ${error.message}`));
    console.error(error);
  }
}));
})();
