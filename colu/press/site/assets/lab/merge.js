/* Merge two networks. Each is rows, a channel's weights in, bias and weights out, and one row of the biases out. */
(function () {
  "use strict";
  const { short, data: { merge: data } } = coluLab, { units } = coluMathematics, { hypot, max, cos, sin, PI } = Math, N = 15;
  const range = (n, make) => Array.from({ length: n }, (_, i) => make(i)), higher = (a, b) => b[0] > a[0] ? b : a;
  const dot = (a, b, sum = 0) => { for (let f = 0; f < a.length; f++) sum += a[f] * b[f]; return sum; };
  const unpack = one => one.map ? one.map(unpack) : one.match(/.../g).map(code => parseInt(code, 36) / 1e3 - 20);

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
    const m = (r, c) => a[r] ? dot(a[r], b[c]) : 0, x = m(1, 1) + k * m(2, 2), y = m(2, 1) - k * m(1, 2);
    return turns ? [m(0, 0) + hypot(x, y), Math.atan2(y, x), k] : [m(0, 0) + x, 0, 1];
  }).reduce(higher);

  /* The best order, exactly; of places from i on it is `known` by the units taken before. */
  const assign = (gain, i = 0, taken = 0, known = []) => known[taken] ||= gain[i] ? gain[i].map(([value, ...how], j) => {
    const [sum, ...rest] = taken >> j & 1 ? [-Infinity] : assign(gain, i + 1, taken | 1 << j, known);
    return [sum + value, [j, ...how], ...rest];
  }).reduce(higher) : [0];

  function build(ui) {
    const map = ui.canvas(data.map), curve = ui.panel(data.curve), cloud = ui.panel(data.cloud), pen = map.getContext("2d");
    const { state } = ui, kept = {}, grid = range(3600, i => [i % 60 / 12 - 2.46, 2.46 - (i / 60 | 0) / 12]);

    return () => {
      const { task, unit, pair, align, share, repair, u } = state, S = unit === "relu" ? 1 : 3, hand = align === "hand";
      const [test, [labels], ...pairs] = kept[task] ||= unpack(data[task]), [A, B] = pairs[S >> 1][pair - 1], D = test[0].length, plane = D < 3;
      const parts = C => range(N / S, i => C.slice(S * i, S * i + S)), b = parts(B);
      const element = ui.element = hand ? b.map((_, i) => [state["u" + ++i] - 1, state["t" + i] * PI / 180, state["m" + i] ? -1 : 1])
        : align === "none" ? b.map((_, i) => [i, 0, 1])
          : kept[task + unit + pair + align] ||= assign(parts(A).map(a => b.map(other => worth(a, other, align === "whole")))).slice(1);
      const moved = [...element.flatMap(([j, turn, k]) => {
        const [axis, v, w] = b[j], c = cos(turn), s = sin(turn);
        return v ? [axis, v.map((x, f) => c * x - s * k * w[f]), v.map((x, f) => s * x + c * k * w[f])] : [axis];
      }), B[N]];
      /* The deviation of a channel, or of the section it is in, times a number; an axis counts twice. */
      const centre = test[0].map((_, f) => test.reduce((sum, x) => sum + x[f], 0) / test.length), about = test.map(x => x.map((v, f) => v - centre[f]));
      const spread = (C, i) => hypot(...[i, i + [0, 1, -1][i % S]].flatMap(r => about.map(x => dot(x, C[r]))));
      const at = (end, t, mend) => {
        const mix = (a, b) => (1 - t) * a + t * b;
        return A.map((a, i) => a.map((x, f) => mix(x, end[i][f]))).map((row, i, C) => {
          const scale = mend && i < N ? mix(spread(A, i), spread(end, i)) / (spread(C, i) || 1) : 1;
          return row.map((x, f) => f < D ? scale * x : f > D ? x : x + (1 - scale) * dot(centre, row));
        });
      };
      const logits = (C, X) => X.map(x => {
        const h = units[unit].forward(range(N, i => dot(x, C[i], C[i][D])), { dim: 3 });
        return C[N].map((c, y) => h.reduce((sum, v, i) => sum + v * C[i][D + 1 + y], c));
      });
      const answers = (C, X) => logits(C, X).map(z => z.indexOf(max(...z)));
      const loss = C => logits(C, test).reduce((sum, z, i) => sum - Math.log(units.softmax.forward(z)[labels[i]]), 0) / test.length;
      const line = (key, ...how) => kept[key] ||= range(41, i => [i / 40, loss(at(how[0], i / 40, how[1]))]);
      const lines = ui.lines = [line(task + unit + pair, B), line(JSON.stringify({ ...state, share: 0, u: 0 }), moved, repair)];
      const merged = at(moved, share, repair), reached = loss(merged), called = ui.called = answers(merged, test), right = called.map((y, i) => y === labels[i]);

      curve.axes([0, 1], [0, max(...lines.flat(2))]);
      curve.clear();
      curve.line(lines[0], "neutral dashed");
      curve.line(lines[1], unit);
      curve.dot(share, reached, unit, 6);

      const colours = data.colours.map(ui.colour);
      map.width = 480;
      if (plane) answers(merged, grid).forEach((y, i) => { pen.fillStyle = colours[y] + "66"; pen.fillRect(i % 60 * 8, (i / 60 | 0) * 8, 8, 8); });
      pen.fillStyle = pen.strokeStyle = colours[3];
      /* There is room for a dozen digits. */
      test.forEach((one, i) => {
        const [x, y, words, size] = plane ? [231 + 96 * one[0], 245 - 96 * one[1], "●■▲"[labels[i]], right[i] ? 14 : 28]
          : [i % 4 * 120 + 12, (i >> 2) * 160 + 130, right[i] ? called[i] : `✕ ${called[i]}, not ${labels[i]}`, 22];
        pen.font = size + "px sans-serif";
        pen.fillText(words, x, y);
        plane || right[i] || pen.strokeRect(x - 5, y - 127, 106, 106);
        plane || one.forEach((v, k) => { pen.globalAlpha = (v - data.low) / data.span; pen.fillRect(x + k % 8 * 12, y - 122 + (k >> 3) * 12, 12, 12); });
        pen.globalAlpha = 1;
      });

      const far = plane ? [-5, 5] : [-2, 2];
      cloud.axes(S > 1 ? far : [0, A[0].length], far);
      cloud.clear();
      A[0].forEach((_, f) => {
        const ends = [A, moved].map(C => S > 1 ? [C[3 * u - 2][f], C[3 * u - 1][f]] : [f, C[u - 1][f]]);
        cloud.line(ends, "thin");
        ends.forEach((end, i) => cloud.dot(...end, ["neutral", unit][i], 6 - 2 * i));
      });
      cloud.svg.parentNode.hidden = !hand;
      /* From the place in hand on: three for each place. */
      range(46, i => {
        const box = ui.controls.children[i + 6];
        if (i % 3 < 2) box.lastChild.max = N / S;
        box.hidden = !hand || i && (((i + 2) / 3 | 0) !== u || S < 2 && i % 3 !== 1);
      });
      ui.say(`The loss is ${short(reached)} nats, and ${right.filter(Boolean).length} of ${right.length} ${task} are answered right. Without alignment and repair the loss is ${short(loss(at(B, share)))}.`);
    };
  }

  coluLab.define("merge", { state: data.state, build, changed });
})();
