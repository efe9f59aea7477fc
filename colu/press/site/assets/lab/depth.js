/* Two inputs go up random layers, a gradient comes down; dashed: infinite width. */
coluLab.define("depth", {
  state: {
    unit: { label: "activation", value: "relu", options: coluLab.data.depth.labels },
    gain: { label: "gain", value: 1.41, min: 0.5, max: 3, step: 0.01 },
    bias: { label: "random biases", value: false, flag: true },
    depth: { label: "layers", value: 20, min: 1, max: 64, step: 1 },
    width: { label: "width", value: "256", options: ["16", "64", "256"] },
    seed: { label: "seed", value: 1, min: 1, max: 99, step: 1 }
  },
  build(ui) {
    const { abs, log10, max, sqrt } = Math, { short, data } = coluLab, { units } = data.depth, x = "layer";
    const sizes = ui.panel({ x, y: "powers of ten", caption: "Second moments: large the signal, small the gradient, dashed the theory" });
    const cosines = ui.panel({ x, caption: "Cosine of two inputs" });
    for (const mark of ["own", "critical", "He"]) ui.button(mark + " gain", () => ui.set({ gain: units[ui.state.unit][mark] }));
    const dot = (x, y) => x.reduce((sum, one, i) => sum + one * y[i], 0), size = x => log10(dot(x, x) / x.length || 1e-300);
    /* Logarithms by that of the size. */
    const at = (table, q) => {
      const k = max(0, 4 * q + 16), [a = table.at(-1), b = a] = table.slice(k);
      return a + k % 1 * (b - a);
    };
    let key, draw, layers, first, second, top;
    return () => {
      const { gain, depth, seed, bias, width } = ui.state, n = +width, p = units[ui.state.unit], f = coluMathematics.units[p.name];
      const square = 2 * log10(gain), rest = bias * max(0, 1 - (gain / p.own) ** 2);
      if (key !== (key = seed + n / 1e3)) {
        const { normal } = coluMathematics.random(seed);
        draw = length => new Float64Array(length).map(normal);
        [first, second, top] = [n, n, n].map(draw);
        layers = [];
      }
      const times = (W, x, row, column) => x.map((sum, i) => {
        sum = 0;
        for (let j = 0; j < n; j++) sum += W[i * row + j * column] * x[j];
        return sum * gain / sqrt(n);
      });
      const up = [[first, first.map((one, i) => 0.9 * one + 0.436 * second[i])]], down = [top], q = [0], g = [0];
      for (let l = 0; l < depth; l++) {
        const [W, b] = layers[l] ||= [draw(n * n), draw(n)];
        up.push(up[l].map(x => times(W, f.forward(x, p), n, 1).map((one, i) => one + sqrt(rest) * b[i])));
        q.push(log10(10 ** (q[l] + square + at(p.rho, q[l])) + rest));
      }
      for (let l = depth; l--;) {
        down.unshift(f.backward(up[l][0], p, times(layers[l][0], down[0], 1, n)));
        g.unshift(g[0] + square + at(p.chi, q[l]));
      }
      ui.shown = { layers, up, down, rest };
      const s = up.map(([x]) => size(x)), d = down.map(size), c = up.map(([x, y]) => dot(x, y) / sqrt(dot(x, x) * dot(y, y)) || 0);
      const show = (panel, high, ...lines) => {
        panel.axes([0, depth], [-high, high]);
        panel.clear();
        lines.forEach((line, k) => k > 1 ? panel.line([...line.entries()], "thin dashed") : line.forEach((one, l) => panel.dot(l, one, k ? "" : p.tone, 4 - 2 * k)));
      };
      show(sizes, max(1, ...[s, d, q, g].flat().map(abs)), s, d, q, g);
      show(cosines, 1, c);
      const told = (real, theory) => `${real < -1 ? "dies" : real > 1 ? "explodes" : "holds"}: ${short(10 ** real, 2)} (theory ${short(10 ** theory, 2)})`;
      ui.say(`The signal ${told(s[depth], q[depth])} at layer ${depth}; the gradient ${told(d[0], g[0])} at the input. The cosine of two inputs becomes ${short(c[depth])}. Biases have variance ${short(rest, 2)}.`);
    };
  }
});
