/* The switch at the top of a chapter: all folded code open, or each part by itself. The browser remembers it. */
(function () {
  "use strict";
  const KEY = "colu-show-code";
  const remembered = () => { try { return localStorage.getItem(KEY) === "all"; } catch (error) { return false; } };
  const remember = all => { try { localStorage.setItem(KEY, all ? "all" : "each"); } catch (error) { /* private */ } };

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("p.layers > button");
    const folds = document.querySelectorAll("article details.fold:not(.fold-hint, .fold-answers)");
    if (!button || !folds.length) return;
    function set(all) {
      button.setAttribute("aria-pressed", String(all));
      folds.forEach(fold => { fold.open = all; });
    }
    button.hidden = false;
    if (remembered()) set(true);
    button.addEventListener("click", () => {
      const all = button.getAttribute("aria-pressed") !== "true";
      set(all);
      remember(all);
    });
  });
})();
