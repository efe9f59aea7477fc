// Turns a list of slides into a deck: keys, buttons, swipes, the address (#12), and text that shrinks until it fits.
document.addEventListener("DOMContentLoaded", function () {
  const root = document.documentElement, deck = document.getElementById("deck");
  const slides = [...deck.querySelectorAll(".slide")], said = document.querySelector(".bar output");
  const narrow = window.matchMedia("(max-width: 700px)");
  let current = 0;

  function show(place) {
    current = Math.max(0, Math.min(slides.length - 1, place));
    slides.forEach((slide, number) => slide.classList.toggle("shown", number === current));
    said.textContent = `${current + 1} / ${slides.length}`;
    history.replaceState(null, "", `#${current + 1}`);
  }

  function scale() {
    root.classList.toggle("live", !narrow.matches);
    const bar = 34, size = Math.min(innerWidth / 1280, (innerHeight - bar) / 720);
    deck.style.transform = narrow.matches ? "" : `translate(${(innerWidth - 1280 * size) / 2}px, 0) scale(${size})`;
  }

  // A picture that is not much wider than high is larger beside the words than below them.
  function place() {
    for (const slide of slides.filter((slide) => slide.matches(".picture:has(.text)"))) {
      const picture = slide.querySelector(".shown img, .shown svg");
      if (!picture) continue;
      const box = picture.viewBox && picture.viewBox.baseVal;
      const ratio = box ? box.width / box.height : picture.naturalWidth / picture.naturalHeight;
      slide.classList.toggle("beside", ratio < 1.7);
    }
  }

  // Formulas and images are in place when this runs.
  function fit() {
    for (const slide of slides) {
      const body = slide.querySelector(".body");
      const over = () => body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1;
      // Words alone may be larger than beside a picture.
      let size = slide.matches(".written:not(.picture)") ? 1.2 : 1;
      slide.style.setProperty("--fit", size.toFixed(2));
      for (; size > 0.5 && over(); size -= 0.05) slide.style.setProperty("--fit", (size - 0.05).toFixed(2));
      slide.classList.toggle("tall", over());
    }
    root.dataset.ready = "true";
  }

  const actions = {
    next: () => show(current + 1),
    previous: () => show(current - 1),
    first: () => show(0),
    last: () => show(slides.length - 1),
    dark: () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; },
    full: () => document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen(),
    notes: () => {
      const open = document.body.classList.toggle("show-notes");
      document.querySelector('[data-go="notes"]').setAttribute("aria-pressed", String(open));
    },
  };
  const keys = {
    ArrowRight: "next", ArrowDown: "next", PageDown: "next", " ": "next",
    ArrowLeft: "previous", ArrowUp: "previous", PageUp: "previous",
    Home: "first", End: "last", n: "notes", d: "dark", f: "full",
  };
  document.addEventListener("keydown", (event) => {
    const action = keys[event.key] || keys[event.key.toLowerCase()];
    const typing = event.key === " " && event.target.closest("button, a");
    if (!action || typing || narrow.matches || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[action]();
  });
  document.querySelectorAll("[data-go]").forEach((button) => button.addEventListener("click", actions[button.dataset.go]));
  let from = null;
  deck.addEventListener("touchstart", (event) => { from = event.touches[0].clientX; }, { passive: true });
  deck.addEventListener("touchend", (event) => {
    const moved = event.changedTouches[0].clientX - from;
    if (!narrow.matches && Math.abs(moved) > 60) show(current + (moved < 0 ? 1 : -1));
  });
  window.addEventListener("hashchange", () => show(parseInt(location.hash.slice(1), 10) - 1 || 0));
  window.addEventListener("resize", scale);

  scale();
  show(parseInt(location.hash.slice(1), 10) - 1 || 0);
  window.addEventListener("load", () => {
    const set = window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve();
    set.then(() => document.fonts.ready).then(place).then(fit);
  });
});
