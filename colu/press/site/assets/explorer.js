/* The activation explorer: draws the numbers of explorer-data.js, which the package computed. */
(function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 340, HEIGHT = 260, LEFT = 38, RIGHT = 10, TOP = 10, BOTTOM = 34;

  function element(name, attributes, text) {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  /* The nearest of 1, 2, 5 times a power of ten that makes about five steps. */
  function stepOf(span) {
    const raw = span / 5, power = Math.pow(10, Math.floor(Math.log10(raw)));
    return [1, 2, 5, 10].map(f => f * power).find(step => step >= raw);
  }

  function short(value) { return String(Number(value.toPrecision(6))).replace("-", "−"); }

  /* Draw the axes of a panel and return the map from numbers to pixels. */
  function frame(svg, xs, ys, xlabel, ylabel) {
    svg.replaceChildren();
    const x = v => LEFT + (v - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - RIGHT);
    const y = v => HEIGHT - BOTTOM - (v - ys[0]) / (ys[1] - ys[0]) * (HEIGHT - TOP - BOTTOM);
    const stepX = stepOf(xs[1] - xs[0]), stepY = stepOf(ys[1] - ys[0]);
    for (let k = Math.ceil(xs[0] / stepX); k * stepX <= xs[1] + 1e-9; k++) {
      svg.append(element("line", {x1: x(k * stepX), x2: x(k * stepX), y1: TOP, y2: HEIGHT - BOTTOM, class: k ? "grid" : "zero"}));
      svg.append(element("text", {x: x(k * stepX), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle"}, short(k * stepX)));
    }
    for (let k = Math.ceil(ys[0] / stepY); k * stepY <= ys[1] + 1e-9; k++) {
      svg.append(element("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: y(k * stepY), y2: y(k * stepY), class: k ? "grid" : "zero"}));
      svg.append(element("text", {x: LEFT - 4, y: y(k * stepY) + 4, "text-anchor": "end"}, short(k * stepY)));
    }
    svg.append(element("text", {x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle"}, xlabel));
    svg.append(element("text", {
      x: 10, y: (TOP + HEIGHT - BOTTOM) / 2, "text-anchor": "middle",
      transform: `rotate(-90 10 ${(TOP + HEIGHT - BOTTOM) / 2})`}, ylabel));
    return (a, b) => `${x(a).toFixed(3)},${y(b).toFixed(3)}`;
  }

  function range(lists, least) {
    const all = lists.flat();
    let low = Math.min(...all, -least), high = Math.max(...all, least);
    return [low - 0.05 * (high - low), high + 0.05 * (high - low)];
  }

  function start(root, data) {
    const find = part => root.querySelector(`[data-part="${part}"]`);
    const selects = [find("first"), find("second")], level = find("level");

    function curves(name) {
      const facts = data.activations[name];
      return facts.curves[facts.pointwise ? 0 : Number(level.value)];
    }

    function drawCurves(part, kind, ylabel) {
      const names = selects.map(select => select.value);
      const lists = names.map(name => curves(name)[kind]);
      const place = frame(find(part), [data.grid[0], data.grid.at(-1)], range(lists.flat(), 1), "first channel in", ylabel);
      lists.forEach((outputs, which) => outputs.forEach((column, output) => find(part).append(element("polyline", {
        class: `curve which-${which} output-${output}`, "data-name": names[which],
        points: column.map((value, k) => place(data.grid[k], value)).join(" ")}))));
    }

    function drawCloud(which) {
      const svg = find(`cloud-${which}`), name = selects[which].value, image = data.activations[name].cloud;
      const all = selects.flatMap(select => data.activations[select.value].cloud).flat().concat(data.input.flat());
      const reach = Math.max(...all.map(Math.abs)) * 1.05, wide = reach * (WIDTH - LEFT - RIGHT) / (HEIGHT - TOP - BOTTOM);
      const place = frame(svg, [-wide, wide], [-reach, reach], "first channel out", "second channel out");
      const ring = (columns, k) => {
        const points = [];
        for (let ray = 0; ray <= data.rays; ray++) {
          const at = k * data.rays + ray % data.rays;
          points.push(place(columns[0][at], columns[1][at]));
        }
        return points.join(" ");
      };
      for (let k = 0; k * data.rays < data.input[0].length; k++) {
        svg.append(element("polyline", {class: "ring before", points: ring(data.input, k)}));
      }
      for (let k = 0; k * data.rays < data.input[0].length; k++) {
        svg.append(element("polyline", {class: `ring which-${which}`, points: ring(image, k)}));
      }
      image[0].forEach((value, k) => {
        const [x, y] = place(value, image[1][k]).split(",");
        svg.append(element("circle", {class: `which-${which}`, cx: x, cy: y, r: 1.8}));
      });
      find(`name-${which}`).textContent = name;
      svg.setAttribute("aria-label", `Eight rings of points about the origin, grey, and where ${name} sends them. ${spread(image)}`);
    }

    function spread(image) {
      const said = image.map((column, k) => `${k ? "second" : "first"} output from ${short(Math.min(...column))} to ${short(Math.max(...column))}`);
      return `The ${said.join(", the ")}.`;
    }

    function drawTable() {
      const body = find("table");
      body.replaceChildren();
      data.grid.forEach((x, k) => {
        if (k % 10) return;
        const row = document.createElement("tr");
        const cells = selects.flatMap(select => ["value", "slope"].map(kind => short(curves(select.value)[kind][0][k])));
        [short(x), ...cells].forEach((text, column) => {
          const cell = document.createElement(column ? "td" : "th");
          if (!column) cell.scope = "row";
          cell.textContent = text;
          row.append(cell);
        });
        body.append(row);
      });
      selects.forEach((select, which) => root.querySelectorAll(`[data-part="head-${which}"]`).forEach(head => {
        head.textContent = `${select.value}, ${head.dataset.kind}`;
      }));
    }

    function draw() {
      const names = selects.map(select => select.value), facts = names.map(name => data.activations[name]);
      const mixing = facts.some(fact => !fact.pointwise);
      level.disabled = !mixing;
      drawCurves("values", "value", "output");
      drawCurves("slopes", "slope", "derivative");
      drawCloud(0);
      drawCloud(1);
      drawTable();
      const at = mixing ? `, second channel ${data.levels[Number(level.value)]}` : "";
      find("values").setAttribute("aria-label", `Outputs of ${names.join(" and ")} over the first channel from −4 to 4${at}.`);
      find("slopes").setAttribute("aria-label", `Derivatives of ${names.join(" and ")} in the first channel${at}.`);
      find("notes").textContent = names.map((name, k) => `${name}: ` + [
        facts[k].pointwise ? "acts on each channel alone" : "mixes the two channels (solid: first output, faint: second)",
        facts[k].note].filter(Boolean).join("; ")).join(". ") + ".";
    }

    selects.forEach((select, which) => {
      const groups = {};
      for (const name in data.activations) (groups[data.activations[name].family] ||= []).push(name);
      for (const family of Object.keys(groups).sort()) {
        const group = document.createElement("optgroup");
        group.label = family;
        groups[family].forEach(name => group.append(new Option(name, name)));
        select.append(group);
      }
      select.value = root.dataset.start.split(" ")[which];
      select.addEventListener("change", draw);
    });
    data.levels.forEach((value, k) => level.append(new Option(String(value), k)));
    level.value = 2;
    level.addEventListener("change", draw);
    find("swap").addEventListener("click", () => {
      [selects[0].value, selects[1].value] = [selects[1].value, selects[0].value];
      draw();
    });
    root.classList.add("ready");
    draw();
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll(".colu-explorer").forEach(root => start(root, window.coluExplorerData)));
})();
