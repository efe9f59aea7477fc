/* Learnt shapes, of interactives/shapes.py. */
coluLab.define("shapes", {
  state: {
    unit: { label: "unit", value: "pwlu", options: { pwlu: "PWLU", "acon-c": "ACON-C", "rational-a": "rational A", lslu: "LSLU" } },
    channel: { label: "channel (0: all)", value: 0, min: 0, max: 8, step: 1 },
    step: { label: "step", value: 16, min: 0, max: 16, step: 1, unit: " × 20" }
  },
  build(ui) {
    const { units, rational } = coluMathematics, { min, max, abs } = Math, { short, data } = coluLab, { state } = ui;
    /* Of a channel's numbers its function. */
    ui.shapes = {
      pwlu: ([left, right, below, above, ...knots]) => x => knots.reduce(
        (y, knot, k) => y + knot * max(1 - abs(16 * (max(min(x, right), left) - left) / (right - left) - k), 0),
        below * min(x - left, 0) + above * max(x - right, 0)),
      "acon-c": ([p1, p2, beta]) => x => units["acon-c"].value(x, { p1, p2, beta }),
      "rational-a": c => x => rational(1, true, c.slice(0, 6), [0, ...c.slice(6)])(x)[0],
      lslu: c => x => c.slice(3).reduce((y, w, k) => y + c[k] * max(x + w, 0), 0)
    };
    const X = Array.from({ length: 161 }, (_, k) => k / 10 - 8);
    const panels = ["output", "slope"].map(y => ui.panel({ height: 210, x: "input", y })), fall = ui.panel({ height: 120, x: "step", y: "loss", caption: "Above, thick: the middle 98 % of inputs (dots). Dashed: the start." });
    let next = 0;
    ui.loop(["play", "pause"], () => Date.now() - next < 250 || (next = Date.now(), ui.set({ step: (state.step + 1) % 17 }), state.step < 16));
    return () => {
      const { unit, channel, step } = state, { numbers, inputs, moved, loss } = data.shapes[unit], q = inputs[step][channel];
      const at = k => numbers[k].filter((_, c, all) => !channel || c === (channel - 1) % all.length).map(ui.shapes[unit]);
      const mean = all => x => all.reduce((y, f) => y + f(x) / all.length, 0), now = at(step);
      panels.forEach((panel, i) => {
        const curve = (f, style, all = 1) => panel.line(X.filter(x => all || x >= q[1] && x <= q[7])
          .map(x => [x, i ? 5e3 * (f(x + 1e-4) - f(x - 1e-4)) : f(x)]).filter(([, y]) => abs(y - 2) < 6), style);
        panel.axes([-8, 8], [-4, 8]);
        panel.clear();
        now.forEach(f => curve(f, "cone thin"));
        curve(mean(at(0)), "dashed");
        curve(mean(now), "thin");
        curve(mean(now), "thick", 0);
        q.forEach(x => abs(x) < 8 && panel.dot(x, -3.7, "cone"));
      });
      fall.axes([0, 320], [0, 2.5]);
      fall.clear();
      fall.line(loss.map((y, k) => [20 * k, y]));
      fall.dot(20 * step, loss[step], "", 5);
      ui.say(`Loss ${short(loss[step])}. On the middle 98 % of inputs, ${short(q[1])} to ${short(q[7])}, the ${channel ? "" : "mean "}shape differs from its start by at most ${short(moved[step][channel])}. No input falls below ${short(q[0])} or above ${short(q[8])}.`);
    };
  }
});
