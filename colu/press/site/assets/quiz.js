/* The questions of a chapter: the list becomes a form for each, by pointer or keys, and an answer gets its reason.
   Nothing is kept, and nothing sent. */
(function () {
  "use strict";
  const make = (tag, attributes, ...parts) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...parts);
    return made;
  };

  const line = item => item.querySelector("p") || item;

  function copied(item) {
    const copy = line(item).cloneNode(true);
    copy.querySelectorAll("[id]").forEach(part => part.removeAttribute("id"));
    return copy.childNodes;
  }

  /* Returns a function that says whether the question was answered, and whether rightly at the first try. */
  function build(question, reasons, told) {
    const list = question.querySelector("ol"), right = Number(question.dataset.right), marks = [];
    const legend = make("legend", {}, ...question.querySelector("p").childNodes);
    const fieldset = make("fieldset", {}, legend);
    const said = make("div", { className: "quiz-said" });
    said.setAttribute("role", "status");
    let first = null;

    [...list.children].forEach((item, number) => {
      const input = make("input", { type: "radio", name: question.id, value: number });
      const text = make("span", {}, ...line(item).childNodes);
      const letter = make("span", { className: "quiz-letter" }, "ABCD"[number] + ". ");
      const mark = make("span", { className: "quiz-mark" });
      marks.push(mark);
      fieldset.append(make("label", {}, input, letter, text, mark));
      input.addEventListener("change", () => said.replaceChildren());
    });

    const form = make("form", { autocomplete: "off" }, fieldset, make("button", { type: "submit" }, "Check"), said);
    form.addEventListener("submit", event => {
      event.preventDefault();
      const chosen = form.querySelector("input:checked");
      if (!chosen) {
        said.replaceChildren("Choose an answer first.");
        return;
      }
      const number = Number(chosen.value), hit = number === right;
      first = first ?? hit;
      marks[number].textContent = hit ? " ✓ right" : " ✗ not this one";
      marks[number].className = "quiz-mark " + (hit ? "quiz-right" : "quiz-wrong");
      said.replaceChildren(make("strong", {}, hit ? "Right. " : "Not quite. "), ...copied(reasons[number]));
      told();
    });
    question.replaceChildren(form);
    return () => first;
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("div.quiz").forEach(quiz => {
      const lists = quiz.querySelectorAll(".fold-answers > ol");
      const tally = make("p", { className: "quiz-tally" }, "What you choose is neither kept nor sent.");
      tally.setAttribute("role", "status");
      const firsts = [...quiz.querySelectorAll(".quiz-question")].map((question, number) =>
        build(question, lists[number].children, () => {
          const known = firsts.map(first => first()).filter(first => first !== null);
          if (known.length === firsts.length) {
            tally.textContent = `All answered, ${known.filter(Boolean).length} of ${known.length} at the first try.`;
          }
        }));
      quiz.querySelector(".fold-answers").before(tally);
      // Keys go from one answer to the next, and not through the formulas' menus.
      addEventListener("load", () => window.MathJax?.startup?.promise?.then(() =>
        quiz.querySelectorAll("mjx-container").forEach(formula => formula.removeAttribute("tabindex"))));
    });
  });
})();
