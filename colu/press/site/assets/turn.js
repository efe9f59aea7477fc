/* The figure of the first page: turn, then act, against act, then turn. The two maps are those of the package. */
(function () {
  "use strict";
  const SIZE = 240, REACH = 2.3;

  /* Two section channels of one cone whose axis has the value 1. */
  const maps = {
    relu: p => [Math.max(p[0], 0), Math.max(p[1], 0)],
    colu: p => {
      const length = Math.hypot(p[0], p[1]), factor = length > 1 ? 1 / length : 1;
      return [p[0] * factor, p[1] * factor];
    },
  };
  const turned = (p, angle) => [
    Math.cos(angle) * p[0] - Math.sin(angle) * p[1],
    Math.sin(angle) * p[0] + Math.cos(angle) * p[1],
  ];

  /* A rose of five leaves, the same in the package's picture of it. */
  const rose = Array.from({length: 240}, (_, k) => {
    const angle = 2 * Math.PI * k / 240, radius = 1.25 + 0.75 * Math.cos(5 * angle);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });

  window.coluTurn = {maps, turned, rose};

  function outline(points) {
    const at = v => ((v / REACH + 1) * SIZE / 2);
    return points.map(p => `${at(p[0]).toFixed(2)},${(SIZE - at(p[1])).toFixed(2)}`).join(" ");
  }

  function start(root) {
    const slider = root.querySelector("input");
    function draw() {
      const degrees = Number(slider.value), angle = degrees * Math.PI / 180;
      root.querySelector("output").textContent = `${degrees}°`;
      for (const name in maps) {
        const panel = root.querySelector(`[data-map="${name}"]`);
        const first = rose.map(p => maps[name](turned(p, angle)));
        const second = rose.map(p => turned(maps[name](p), angle));
        panel.querySelector(".before").setAttribute("points", outline(rose.map(p => turned(p, angle))));
        panel.querySelector(".first").setAttribute("points", outline(first));
        panel.querySelector(".second").setAttribute("points", outline(second));
        const gap = Math.max(...first.map((p, k) => Math.hypot(p[0] - second[k][0], p[1] - second[k][1])));
        panel.querySelector("[data-part=gap]").textContent = gap < 1e-9 ? "0" : gap.toFixed(2);
      }
    }
    slider.addEventListener("input", draw);
    root.classList.add("ready");
    draw();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".colu-turn").forEach(start));
})();
