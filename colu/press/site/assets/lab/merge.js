/* Merge two networks. Each is a list of rows, one a channel: weights in, bias, weights out; the last has the biases out. */
(function () {
  "use strict";
  const { short, data: { merge: data } } = coluLab, { hypot, max, PI } = Math, N = 15;
  const range = (n, make) => Array.from({ length: n }, (_, i) => make(i)), higher = (a, b) => b[0] > a[0] ? b : a;

  /* A unit that comes to a place sends the one that stood there to the place that it left. */
  function changed(ui, keys) {
    const { state } = ui, G = state.unit === "relu" ? N : 5, free = new Set(range(G, i => i + 1)), first = i => keys[0] === "u" + i;
    const left = [...free].sort((a, b) => first(b) - first(a)).filter(i => !free.delete(state["u" + i]));
    for (const i of left) free.delete(state["u" + i] = [...free][0]);
    if (keys[1] && (left[0] || state.u > G)) ui.note(`There are ${G} places, each for another unit; the nearest state is shown.`);
    state.u = Math.min(state.u, G);
  }

  /* What the unit of rows b is worth in place of a, its turn, and 1 or -1 if it is mirrored. */
  const worth = (a, b, turns) => (turns ? [1, -1] : [1]).map(k => {
    const m = (r, c) => a[r] ? a[r].reduce((sum, v, f) => sum + v * b[c][f], 0) : 0, x = m(1, 1) + k * m(2, 2), y = m(2, 1) - k * m(1, 2);
    return [m(0, 0) + (turns ? hypot(x, y) : x), turns ? Math.atan2(y, x) : 0, k];
  }).reduce(higher);

  /* The best units for place i and those behind it, exactly; `known` by the set of units that are taken. */
  const assign = (gain, i = 0, taken = 0, known = []) => known[taken] ||= gain[i] ? gain[i].map(([value, ...how], j) => {
    const [sum, ...rest] = taken >> j & 1 ? [-Infinity] : assign(gain, i + 1, taken | 1 << j, known);
    return [sum + value, [j, ...how], ...rest];
  }).reduce(higher) : [0];

  function build(ui) {
    const { state } = ui, { test, labels } = data, kept = {}, grid = range(3600, i => [i % 60 / 12 - 2.46, 2.46 - (i / 60 | 0) / 12]);
    const map = ui.canvas(data.map), curve = ui.panel(data.curve), cloud = ui.panel(data.cloud), pen = map.getContext("2d");
    ui.button("go on by hand", () => ui.set(Object.assign({ align: "hand" }, ...ui.element.map(([j, turn, k], i) =>
      ({ ["u" + ++i]: j + 1, ["t" + i]: turn * 180 / PI, ["m" + i]: k < 0 })))));

    return () => {
      const { unit, pair, align, share, repair, u } = state, S = unit === "relu" ? 1 : 3, key = unit + pair + align, [A, B] = data[unit][pair - 1];
      const net = kept[unit] ||= coluMathematics.perceptron({ sizes: [2, N, 3], unit, options: { dim: 3 }, random: coluMathematics.random(0) });
      const units = rows => range(N / S, i => rows.slice(S * i, S * i + S));
      const element = ui.element = align === "hand" ? units(A).map((_, i) => [state["u" + ++i] - 1, state["t" + i] * PI / 180, state["m" + i] ? -1 : 1])
        : align === "none" ? units(A).map((_, i) => [i, 0, 1])
          : kept[key] ||= assign(units(A).map(a => units(B).map(b => worth(a, b, align === "whole")))).slice(1);
      const moved = [...element.flatMap(([j, turn, k]) => {
        const [a, v, w] = units(B)[j], c = Math.cos(turn), s = Math.sin(turn);
        return v ? [a, v.map((x, f) => c * x - s * k * w[f]), v.map((x, f) => s * x + c * k * w[f])] : [a];
      }), B[N]];
      /* Deviations before the unit, up to a factor, as inputs have mean 0 and equal variances; a section has one. */
      const spread = C => units(C).flatMap(([a, v, w]) => [hypot(a[0], a[1]), ...v ? [v, w].map(() => hypot(v[0], v[1], w[0], w[1])) : []]);
      const at = (end, t, mend) => {
        const C = A.map((a, i) => a.map((x, f) => (1 - t) * x + t * end[i][f])), R = C.slice(0, N), [one, other, now] = [A, end, C].map(spread);
        const scale = now.map((d, i) => mend && d ? ((1 - t) * one[i] + t * other[i]) / d : 1);
        [R.flatMap((r, i) => [r[0] * scale[i], r[1] * scale[i]]), R.map(r => r[2]), [3, 4, 5].flatMap(f => R.map(r => r[f])), C[N]]
          .forEach((values, i) => net.parameters[i].set(values));
        return net;
      };
      const line = (end, mend) => range(41, i => [i / 40, at(end, i / 40, mend).loss(test, labels)]), naive = line(B), chosen = line(moved, repair);
      const rise = points => short(max(...points.map(([t, loss]) => loss - (1 - t) * points[0][1] - t * points[40][1])));
      at(moved, share, repair);
      const loss = net.loss(test, labels), answers = X => { const z = net.forward(X); return X.map((_, i) => range(3, y => [z[3 * i + y], y]).reduce(higher)[1]); };
      const got = answers(test), right = got.filter((y, i) => y === labels[i]).length, colours = ["--cone", "--gate", "--mpu"].map(ui.colour);
      Object.assign(ui, { naive, chosen, loss });

      curve.axes([0, 1], [0, max(...naive.concat(chosen).map(one => one[1]))]);
      curve.clear();
      curve.line(naive, "neutral dashed");
      curve.line(chosen, unit);
      curve.dot(share, loss, unit, 6);

      map.width = 480;
      pen.globalAlpha = 0.4;
      answers(grid).forEach((y, i) => { pen.fillStyle = colours[y]; pen.fillRect(i % 60 * 8, (i / 60 | 0) * 8, 8, 8); });
      pen.globalAlpha = 1;
      pen.fillStyle = ui.colour("--ink");
      test.forEach(([x, y], i) => { pen.font = got[i] === labels[i] ? "14px a" : "28px a"; pen.fillText("●■▲"[labels[i]], 231 + 96 * x, 245 - 96 * y); });

      cloud.axes(S > 1 ? [-5, 5] : [0, 5], [-5, 5]);
      cloud.clear();
      range(6, f => {
        const [one, other] = [A, moved].map(C => S > 1 ? [C[3 * u - 2][f], C[3 * u - 1][f]] : [f, C[u - 1][f]]);
        cloud.line([one, other], "thin");
        cloud.dot(...one, "neutral");
        cloud.put("rect", { x: cloud.px(other[0]) - 4, y: cloud.py(other[1]) - 4, width: 8, height: 8, class: "head " + unit });
      });
      Object.keys(data.state).forEach((key, i) => {
        const [, own, at] = key.match(/^([utm])(\d+)$/) || [];
        ui.controls.children[i].style.display = own && (align !== "hand" || at != u || own !== "u" && S < 2) ? "none" : "";
      });
      ui.say(`The loss is ${short(loss)} nats, and ${right} of ${test.length} points are answered right. The line rises ${rise(chosen)} nats above its ends; as trained, ${rise(naive)}.`);
    };
  }

  coluLab.define("merge", { state: data.state, build, changed });
})();
