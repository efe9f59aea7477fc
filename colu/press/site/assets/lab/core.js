/* What the interactive figures share: controls from a specification, a state in the address, panels, handles, words.
   A figure is `coluLab.define(name, {state, build})`; its markup is of the directive {interactive}. */
(function () {
"use strict";
const figures = {}, still = matchMedia("(prefers-reduced-motion: reduce)");
const lab = window.coluLab = { data: {}, ready: {}, define: (name, figure) => { figures[name] = figure; } };

const filled = (node, attributes, parts = []) => {
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...parts);
  return node;
};
const make = lab.make = (tag, attributes, ...parts) => filled(document.createElement(tag), attributes, parts);
const draw = (tag, attributes, ...parts) => filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, parts);

/* A number as the page writes it. */
const short = lab.short = (value, digits = 3) => Number.isFinite(value)
  ? (value = +value.toPrecision(digits), Math.abs(value) < 1e6 ? `${value}` : value.toExponential()).replace(/e\+?(-?\d+)/, " × 10^$1").replaceAll("-", "−")
  : Number.isNaN(value) ? "no number" : value > 0 ? "∞" : "−∞";

const held = (value, { min, max }) => typeof value === "number" && max > min ? Math.min(Math.max(value, min), max) : value;

/* The nearest valid value of a text from an address, and what is to be said where it is another. */
function valid(key, text, spec) {
  const { options, flag, min, max, step } = spec;
  if (options || flag) {
    /* By the longest beginning in common. */
    const common = name => [...text, ""].findIndex((one, k) => one !== name[k]) + (name === text);
    const name = (flag ? ["0", "1"] : Object.keys(options)).reduce((a, b) => common(b) > common(a) ? b : a);
    return [flag ? name > 0 : name, name !== text && `${flag ? `${key} is 0 or 1, not` : `There is no ${key}`} “${text}”; ${name} is shown.`];
  }
  const given = +(text.trim() || NaN), whole = Number.isInteger(step);
  if (Number.isNaN(given)) return [spec.value, `“${text}” is no number for ${key}; ${short(spec.value)} is shown.`];
  const value = held(whole ? Math.round(given) : given, spec);
  return [value, value !== given && `${key} goes from ${short(min)} to ${short(max)}${whole ? " in whole numbers" : ""}; ${short(value)} is shown in place of ${short(given, 6)}.`];
}

const framed = (into, shown, caption) => into.appendChild(make("figure", {}, shown, make("figcaption", {}, caption))).firstChild;

/* A drawing with axes: numbers in, pixels of its viewBox out. */
function panelOf({ state, set }, { width = 340, height = 280, x = "", y = "", caption = "", label = caption, into, equal }) {
  const left = 40, top = 10, wide = width - 50, high = height - 46, bottom = top + high;
  const axes = draw("g"), body = draw("g"), handles = draw("g");
  const svg = framed(into, draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label }, axes, body, handles), caption);
  const text = (x, y, anchor, words, more) => draw("text", { x, y, "text-anchor": anchor, ...more }, words);
  /* A line and a number at each step of 1, 2 or 5 times a power of ten, about so many. */
  const ticks = ([low, high], parts, place) => {
    const least = (high - low) / parts, power = 10 ** Math.floor(Math.log10(least)), step = power * [1, 2, 5, 10].find(k => k * power >= least * 0.999);
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) {
      const [d, x, y, anchor] = place(k * step);
      axes.append(draw("path", { d, class: k ? "grid" : "zero" }), text(x, y, anchor, short(k * step)));
    }
  };
  const px = x => left + (x - panel.xs[0]) / (panel.xs[1] - panel.xs[0]) * wide;
  const py = y => top + (panel.ys[1] - y) / (panel.ys[1] - panel.ys[0]) * high;
  const panel = {
    svg, caption: svg.nextSibling, px, py,
    /* Set the ranges; `equal` widens one of them so that circles are round. */
    axes(xs, ys) {
      if (equal) {
        const unit = Math.max((xs[1] - xs[0]) / wide, (ys[1] - ys[0]) / high) / 2;
        const widened = ([low, high], size) => [-unit, unit].map(by => (low + high) / 2 + by * size);
        [xs, ys] = [widened(xs, wide), widened(ys, high)];
      }
      const key = [...xs, ...ys].join(), middle = top + high / 2;
      if (panel.key === key) return;
      Object.assign(panel, { xs, ys, key });
      axes.replaceChildren();
      ticks(xs, wide / 60, v => [`M${px(v)} ${top}V${bottom}`, px(v), bottom + 14, "middle"]);
      ticks(ys, high / 45, v => [`M${left} ${py(v)}h${wide}`, left - 4, py(v) + 4, "end"]);
      axes.append(text(left + wide / 2, height - 6, "middle", x), text(11, middle, "middle", y, { transform: `rotate(-90 11 ${middle})` }));
    },
    clear: () => body.replaceChildren(),
    put: (tag, attributes, ...parts) => body.appendChild(draw(tag, attributes, ...parts)),
    /* A line through points; it is parted where one is no finite number. */
    line(points, style, closed) {
      let path = "", pen = "M";
      for (const [x, y] of points) {
        const here = Number.isFinite(x + y);
        if (here) path += pen + px(x).toFixed(2) + " " + py(Math.max(Math.min(y, 1e6), -1e6)).toFixed(2);
        pen = here ? "L" : "M";
      }
      return panel.put("path", { d: path + (closed && path ? "Z" : ""), class: style });
    },
    dot: (x, y, style, r = 3.5) => panel.put("circle", { cx: px(x), cy: py(y), r, class: style }),
    text: (x, y, words, style = "", anchor = "start") => body.append(text(px(x), py(y), anchor, words, { class: style })),
    arrow(x, y, toX, toY, style) {
      const x1 = px(toX), y1 = py(toY), right = x1 - px(x), down = y1 - py(y);
      panel.line([[x, y], [toX, toY]], style);
      if (Math.hypot(right, down) > 4) panel.put("path", { d: "M0 0-9 4V-4z", class: `head ${style}`, transform: `translate(${x1} ${y1}) rotate(${Math.atan2(down, right) * 180 / Math.PI})` });
    },

    /* Let pointer, touch and arrow keys move what a node stands for: two entries of the state. */
    drags(node, { keys, step = 0.1 }) {
      let from;
      const get = () => keys.map(key => state[key]), go = ([x, y]) => set({ [keys[0]]: x, [keys[1]]: y });
      const at = event => {
        const scale = width / svg.getBoundingClientRect().width;
        return [event.clientX * scale / (px(1) - px(0)), event.clientY * scale / (py(1) - py(0))];
      };
      node.setAttribute("tabindex", 0);
      node.onpointerdown = event => {
        from = get().map((value, k) => value - at(event)[k]);
        node.setPointerCapture(event.pointerId);
      };
      node.onpointermove = event => { if (from) go(at(event).map((value, k) => value + from[k])); };
      node.onlostpointercapture = () => { from = null; };
      node.onkeydown = event => {
        const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        go(get().map((value, k) => value + by[k] * (event.shiftKey ? 5 : 1)));
      };
      return get;
    },
    /* A point that can be dragged; the function that is returned puts it there. */
    handle({ label, ...what }) {
      const node = draw("g", { role: "slider", class: "handle", "aria-label": label }, draw("circle", { r: 18, class: "reach" }), draw("circle", { r: 7 }));
      const get = panel.drags(node, what);
      handles.append(node);
      return () => {
        const [x, y] = get();
        filled(node, { transform: `translate(${px(x)} ${py(y)})`, "aria-valuenow": x.toFixed(2), "aria-valuetext": `${short(x)} and ${short(y)}` });
      };
    },
  };
  return panel;
}

function start(root) {
  const { figure: name, start: beginning } = root.dataset, { state: specs, build, changed = () => {} } = figures[name];
  const [controls, panels] = ["controls", "panels"].map(part => make("div", { class: "lab-" + part }));
  const [note, said] = ["note", "said"].map(part => make("p", { class: "lab-" + part, role: "status" }));
  const here = make("a", { class: "lab-here" }, "link to this state"), own = `#${root.id}?`, state = {}, inputs = {}, stops = [];
  let waiting, later;

  const redraw = () => { waiting ||= requestAnimationFrame(show); };
  const ui = {
    root, state, panels, controls, redraw,
    panel: options => panelOf(ui, { into: panels, ...options }),
    canvas: ({ label, caption = "", into = panels, ...size }) =>
      framed(into, make("canvas", { ...size, role: "img", "aria-label": label }), caption),
    button: (label, onclick) => controls.appendChild(Object.assign(make("button", { type: "button" }, label), { onclick })),
    /* Take values, in range, and show them. */
    set(values) {
      for (const key in values) state[key] = held(values[key], specs[key]);
      ui.note("");
      changed(ui, Object.keys(values));
      redraw();
      clearTimeout(later);
      later = setTimeout(tell, 250);
    },
    /* What the figure shows, in words. */
    say(words) { if (said.textContent !== words) said.textContent = words; },
    note(words) { note.textContent = words; },
    /* A colour of the style sheet, for a canvas. */
    colour: variable => getComputedStyle(root).getPropertyValue(variable),
    /* A button that calls `step`, a frame's worth at a time, until it returns false or is pressed again. */
    loop(labels, step) {
      let running;
      const toggle = on => {
        running = on;
        button.textContent = labels[+on];
        if (on) requestAnimationFrame(turn);
      };
      const turn = () => {
        const until = performance.now() + (still.matches ? 400 : 10);
        while (running && performance.now() < until) if (step() === false) toggle(false);
        redraw();
        if (running) setTimeout(() => requestAnimationFrame(turn), still.matches ? 300 : 0);
      };
      const button = ui.button(labels[0], () => toggle(!running));
      stops.push(() => toggle(false));
    },
  };

  function show() {
    waiting = 0;
    const began = performance.now();
    for (const key in inputs) {
      const input = inputs[key], value = state[key], out = input.parentNode.querySelector("data");
      if (specs[key].flag) input.checked = value; else if (input.value !== String(value)) input.value = value;
      if (out) input.setAttribute("aria-valuetext", out.textContent = short(value) + (specs[key].unit || ""));
    }
    paint();
    root.dataset.frame = performance.now() - began;
  }

  function tell() {
    const query = new URLSearchParams();
    for (const key in specs) {
      const value = state[key];
      if (value !== specs[key].value) query.set(key, typeof value === "string" ? value : +Number(value).toFixed(4));
    }
    /* Not every page has an address. */
    try { history.replaceState(history.state, "", here.href = own + query); } catch {}
  }

  /* Take a state from the text of an address; what it does not name is as at the beginning. */
  function read(text, words) {
    stops.forEach(stop => stop());
    const said = [];
    here.href = own + text;
    for (const key in specs) state[key] = specs[key].value;
    for (const [key, value] of new URLSearchParams(text)) {
      let problem = `This figure has no “${key}”.`;
      if (key in specs) [state[key], problem] = valid(key, value, specs[key]);
      said.push(problem);
    }
    ui.note([...said, words].filter(Boolean).join(" "));
    changed(ui, Object.keys(specs));
    redraw();
  }

  /* Go to the state of an address if it is one of this figure's. */
  function visit(hash, words) {
    if (!hash.startsWith(own)) return false;
    read(hash.slice(own.length), words);
    root.scrollIntoView();
    return true;
  }

  for (const [key, spec] of Object.entries(specs)) {
    state[key] = spec.value;
    const { label, options, flag, type = "range", min, max, step } = spec;
    if (!label) continue;
    if (Array.isArray(options)) spec.options = Object.fromEntries(options.map(one => [one, one]));
    const input = inputs[key] = options ? make("select", {}, ...Object.entries(spec.options).map(([value, words]) => new Option(words, value)))
      : make("input", flag ? { type: "checkbox" } : { type, min, max, step });
    const words = make("span", {}, label, ...(input.type === "range" ? [" ", make("data")] : []));
    controls.append(make("label", { class: flag ? "flag" : "" }, words, input));
    input.oninput = () => {
      if (input.value !== "") ui.set({ [key]: flag ? input.checked : options ? input.value : +input.value });
    };
    /* Arrow keys on a slider turn no page. */
    input.onkeydown = event => event.stopPropagation();
  }
  root.querySelector(".live").append(controls, note, panels, said, here);
  const paint = build(ui);
  ui.button("reset", () => { read(beginning); tell(); });
  addEventListener("hashchange", () => visit(location.hash));
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href]");
    if (!link || link === here || link.pathname !== location.pathname || !visit(link.hash, link.dataset.says)) return;
    event.preventDefault();
    tell();
  });
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
