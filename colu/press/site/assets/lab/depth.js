/* Two inputs go up random layers, a gradient comes down; dashed: the theory of infinite width. */
coluLab.define("depth", {
  state: {
    unit: { label: "activation", value: "relu", options: coluLab.data.depth.labels },
    gain: { label: "gain", value: 1.41, min: 0.5, max: 3, step: 0.01 },
    bias: { label: "biases restore the signal", value: false, flag: true },
    depth: { label: "layers", value: 32, min: 1, max: 64, step: 1 },
    width: { label: "width", value: "128", options: ["16", "64", "128"] },
    seed: { label: "seed", value: 1, min: 1, max: 99, step: 1 }
  },
  build(ui) {
    const { abs, log10, max, min, sqrt } = Math, { short, data } = coluLab, x = "layer";
    const moments = ui.panel({ x, y: "powers of ten", caption: "Second moments: signal and gradient" }), angle = ui.panel({ x, caption: "Cosine of two inputs" });
    const buttons = ["own", "critical", "He"].map(mark => [mark, ui.button("", () => ui.set({ gain: unit.marks[mark] }))]);
    const dot = (x, y) => x.reduce((sum, one, i) => sum + one * y[i], 0), size = x => log10(dot(x, x) / x.length || 1e-300);
    /* Of logarithms by that of the variance. */
    const at = (table, q) => {
      const k = max(0, min(table.length - 1, 4 * q + 16)), [a, b = a] = table.slice(k);
      return a + k % 1 * (b - a);
    };
    let unit, key, draw, layers, first, second, top;
    return () => {
      const { gain, depth, seed, width } = ui.state, n = +width;
      unit = data.depth.units[ui.state.unit];
      const f = coluMathematics.units[unit.name], square = 2 * log10(gain), rest = ui.state.bias ? max(0, 1 - (gain / unit.marks.own) ** 2) : 0;
      if (key !== (key = seed + "/" + n)) {
        const { normal } = coluMathematics.random(seed);
        draw = length => Float64Array.from({ length }, normal);
        layers = [];
        [first, second, top] = [n, n, n].map(draw);
        second = first.map((one, i) => 0.9 * one + sqrt(0.19) * second[i]);
      }
      const times = (W, x, row, column) => x.map((sum, i) => {
        sum = 0;
        for (let j = 0; j < n; j++) sum += W[i * row + j * column] * x[j];
        return sum * gain / sqrt(n);
      });
      const up = [[first, second]], down = [], q = [size(first)], g = [];
      for (let l = 0; l < depth; l++) {
        const [W, b] = layers[l] ||= [draw(n * n), draw(n)];
        up.push(up[l].map(x => times(W, f.forward(x, unit), n, 1).map((one, i) => one + sqrt(rest) * b[i])));
        q.push(log10(10 ** (q[l] + square + at(unit.rho, q[l])) + rest));
      }
      down[depth] = top;
      g[depth] = size(top);
      for (let l = depth; l--;) {
        down[l] = f.backward(up[l][0], unit, times(layers[l][0], down[l + 1], 1, n));
        g[l] = g[l + 1] + square + at(unit.chi, q[l]);
      }
      ui.shown = { layers, up, down, rest };

      const s = up.map(([x]) => size(x)), d = down.map(size), c = up.map(([x, y]) => dot(x, y) / sqrt(dot(x, x) * dot(y, y)));
      const far = max(1, ...[s, q, d, g].flat().map(abs));
      moments.axes([0, depth], [-far, far]);
      angle.axes([0, depth], [-1, 1]);
      moments.clear();
      angle.clear();
      for (const [panel, dots, style, r] of [[moments, s, unit.tone], [moments, d, "", 2], [angle, c, unit.tone]]) dots.forEach((one, l) => panel.dot(l, one, style, r));
      for (const line of [q, g]) moments.line([...line.entries()], "thin dashed");
      moments.text(depth, s[depth] + far / 15, "signal", "", "end");
      moments.text(0, d[0] + far / 15, " gradient");
      for (const [mark, button] of buttons) button.textContent = `${mark} gain ${short(unit.marks[mark])}`;
      const told = (real, theory) => `${real < -1 ? "dies" : real > 1 ? "explodes" : "holds"}: ${short(10 ** real, 2)} (theory ${short(10 ** theory, 2)})`;
      ui.say(`The signal ${told(s[depth], q[depth])} at layer ${depth}; the gradient ${told(d[0], g[0])} at the input. The cosine of two inputs becomes ${short(c[depth])}. Biases have variance ${short(rest, 2)}.`);
    };
  }
});
