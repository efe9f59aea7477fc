/* A figure of colu.lab.plot.slider_figure: its sliders choose among the paths that the notebook computed. */
(function () {
  "use strict";
  function start(root) {
    if (root.classList.contains("ready")) return;
    const data = JSON.parse(root.querySelector("script").textContent);
    const paths = root.querySelectorAll("[data-trace]"), inputs = root.querySelectorAll("input");
    function draw() {
      let frame = 0;
      inputs.forEach((input, k) => {
        const values = data.controls[k], said = values[Number(input.value)];
        frame = frame * values.length + Number(input.value);
        input.setAttribute("aria-valuetext", said);
        input.closest("label").querySelector("output").textContent = said;
      });
      data.frames[frame].forEach((path, k) => paths[k].setAttribute("d", data.paths[path]));
    }
    inputs.forEach(input => {
      input.addEventListener("input", draw);
      /* Arrow keys and swipes on a slider turn no slide and leave no cell. */
      for (const kind of ["keydown", "touchstart", "touchend"]) {
        input.addEventListener(kind, event => event.stopPropagation(), {passive: true});
      }
    });
    root.querySelector(".colu-sliders").hidden = false;
    root.classList.add("ready");
    draw();
  }
  const all = () => document.querySelectorAll(".colu-slider").forEach(start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all); else all();
})();
