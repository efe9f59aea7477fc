/* Merge two networks. Each is rows, a channel's weights in, bias and weights out, and one row of the biases out. */
(function () {
  "use strict";
  const { short, data: { merge: data } } = coluLab, { hypot, max, cos, sin, PI } = Math, N = 15;
  const range = (n, make) => Array.from({ length: n }, (_, i) => make(i)), higher = (a, b) => b[0] > a[0] ? b : a;

  /* By hand one goes on from what was shown; a unit that comes sends the other to where it stood. */
  function changed({ state, note, element }, keys) {
    const G = state.unit === "relu" ? N : 5, free = new Set(range(G, i => i + 1)), stays = i => keys[0] !== "u" + i;
    if (keys == "align" && state.align === "hand") element.forEach(([j, turn, k], i) =>
      Object.assign(state, { ["u" + ++i]: j + 1, ["t" + i]: Math.round(turn * 180 / PI), ["m" + i]: k < 0 }));
    const left = [...free].sort((a, b) => stays(a) - stays(b)).filter(i => !free.delete(state["u" + i]));
    for (const i of left) free.delete(state["u" + i] = [...free][0]);
    if (keys[1] && (left[0] || state.u > G)) note(`There are ${G} places, each for another unit; the nearest is shown.`);
    if (state.u > G) state.u = G;
  }

  /* Of a unit b in place of a: [what it is worth, its turn, -1 if mirrored]. */
  const worth = (a, b, turns) => (turns ? [1, -1] : [1]).map(k => {
    const m = (r, c) => a[r] ? a[r].reduce((sum, v, f) => sum + v * b[c][f], 0) : 0, x = m(1, 1) + k * m(2, 2), y = m(2, 1) - k * m(1, 2);
    return turns ? [m(0, 0) + hypot(x, y), Math.atan2(y, x), k] : [m(0, 0) + x, 0, 1];
  }).reduce(higher);

  /* The best order, exactly; of places from i on it is `known` by the units taken before. */
  const assign = (gain, i = 0, taken = 0, known = []) => known[taken] ||= gain[i] ? gain[i].map(([value, ...how], j) => {
    const [sum, ...rest] = taken >> j & 1 ? [-Infinity] : assign(gain, i + 1, taken | 1 << j, known);
    return [sum + value, [j, ...how], ...rest];
  }).reduce(higher) : [0];

  function build(ui) {
    const map = ui.canvas(data.map), curve = ui.panel(data.curve), cloud = ui.panel(data.cloud), pen = map.getContext("2d");
    const { state } = ui, { test, labels } = data, kept = {}, grid = range(3600, i => [i % 60 / 12 - 2.46, 2.46 - (i / 60 | 0) / 12]);

    return () => {
      const { unit, pair, align, share, repair, u } = state, S = unit === "relu" ? 1 : 3, hand = align === "hand", [A, B] = data[unit][pair - 1];
      const net = coluMathematics.perceptron({ sizes: [2, N, 3], unit, options: { dim: 3 }, random: coluMathematics.random(0) });
      const units = C => range(N / S, i => C.slice(S * i, S * i + S)), b = units(B);
      const element = ui.element = hand ? b.map((_, i) => [state["u" + ++i] - 1, state["t" + i] * PI / 180, state["m" + i] ? -1 : 1])
        : align === "none" ? b.map((_, i) => [i, 0, 1])
          : kept[unit + pair + align] ||= assign(units(A).map(a => b.map(other => worth(a, other, align === "whole")))).slice(1);
      const moved = [...element.flatMap(([j, turn, k]) => {
        const [axis, v, w] = b[j], c = cos(turn), s = sin(turn);
        return v ? [axis, v.map((x, f) => c * x - s * k * w[f]), v.map((x, f) => s * x + c * k * w[f])] : [axis];
      }), B[N]];
      /* The deviation of a channel, as inputs have mean 0 and equal variances; a section has one. */
      const spread = (C, i) => hypot(...(S > 1 && i % 3 ? [i - i % 3 + 1, i - i % 3 + 2] : [i]).flatMap(r => C[r].slice(0, 2)));
      const at = (end, t, mend) => {
        const C = A.map((a, i) => a.map((x, f) => (1 - t) * x + t * end[i][f])), rows = f => C.slice(0, N).map(r => r[f]);
        const scale = i => mend && spread(C, i) ? ((1 - t) * spread(A, i) + t * spread(end, i)) / spread(C, i) : 1;
        [range(2 * N, i => C[i >> 1][i % 2] * scale(i >> 1)), rows(2), [3, 4, 5].flatMap(rows), C[N]].forEach((values, i) => net.parameters[i].set(values));
        return net.loss(test, labels);
      };
      const line = (end, mend) => range(41, i => [i / 40, at(end, i / 40, mend)]), lines = ui.lines = [line(B), line(moved, repair)];
      const before = at(B, share), loss = at(moved, share, repair);
      const answers = X => { const z = net.forward(X); return X.map((_, i) => range(3, y => [z[3 * i + y], y]).reduce(higher)[1]); };

      curve.axes([0, 1], [0, max(...lines.flat(2))]);
      curve.clear();
      curve.line(lines[0], "neutral dashed");
      curve.line(lines[1], unit);
      curve.dot(share, loss, unit, 6);

      const right = answers(test).map((y, i) => y === labels[i]), colours = ["--cone", "--gate", "--mpu", "--ink"].map(ui.colour);
      map.width = 480;
      answers(grid).forEach((y, i) => { pen.fillStyle = colours[y] + "66"; pen.fillRect(i % 60 * 8, (i / 60 | 0) * 8, 8, 8); });
      pen.fillStyle = colours[3];
      test.forEach(([x, y], i) => { pen.font = (right[i] ? 14 : 28) + "px a"; pen.fillText("●■▲"[labels[i]], 231 + 96 * x, 245 - 96 * y); });

      cloud.axes(S > 1 ? [-5, 5] : [0, 5], [-5, 5]);
      cloud.clear();
      range(6, f => {
        const ends = [A, moved].map(C => S > 1 ? [C[3 * u - 2][f], C[3 * u - 1][f]] : [f, C[u - 1][f]]);
        cloud.line(ends, "thin");
        ends.forEach((end, i) => cloud.dot(...end, ["neutral", unit][i], 6 - 2 * i));
      });
      cloud.svg.parentNode.hidden = !hand;
      Object.keys(data.state).forEach((key, i) => {
        const [, own, place = u] = key.match(/^([utm])(\d+)?$/) || [], box = ui.controls.children[i];
        if (own === "u") box.lastChild.max = N / S;
        box.hidden = own && !(hand && place == u && (own === "u" || S > 1));
      });
      ui.say(`The loss is ${short(loss)} nats, and ${right.filter(Boolean).length} of ${test.length} points are answered right. Without alignment and repair the loss is ${short(before)}.`);
    };
  }

  coluLab.define("merge", { state: data.state, build, changed });
})();
