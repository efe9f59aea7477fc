/* Two units trained side by side: regions, dead directions, losses, differences over seeds. What is offered: train.py. */
(function () {
"use strict";
const { units, random, perceptron, optimiser } = coluMathematics, { make, short, data: { train: given } } = coluLab;
const { abs, max, min, exp } = Math, SIDE = 40, AREA = SIDE ** 2, REACH = 2.3, COUNT = 200, SIZE = 320, PIXEL = SIZE / SIDE;
const times = (n, of) => Array.from({ length: n }, (_, i) => of(i)), sum = list => list.reduce((a, b) => a + b, 0);

/* The control: of four channels the first passes. */
const control = way => (x, p, dy) => units.relu[way](x, p, dy).map((v, i) => i % 4 ? v : (dy || x)[i]);
units["relu-linear"] = { ...units.relu, group: 4, forward: control("forward"), backward: control("backward") };

function points([noise, ...places], source) {
  const y = times(COUNT, i => i % places.length);
  return [Float64Array.from(y.flatMap(k => places[k][source.uniform() * places[k].length | 0].map(v => v + noise * source.normal()))), y];
}

/* An arm at its start. In the turned frame, a reflection, its weights are turned along: it is the same function. */
function begin(state, arm, seed) {
  const turned = arm === "turned", name = turned ? state.unit : arm, [label, gain, colour] = given.units[name], unit = units[name];
  const set = given.sets[state.data], source = random(seed), seen = points(set, source), held = points(set, source);
  const K = set.length - 1, width = +state.width, sizes = [2, ...times(state.depth, () => width), K], losses = [];
  const net = perceptron({ sizes, unit: name, gain: gain * state.gain, random: source, frame: turned && given.frame });
  if (turned) net.trace(seen[0]).maps.forEach(([w], l) => net.weights[l].set(w));
  const rule = optimiser(state.optimiser, +state.rate);
  function step() {
    const found = net.gradients(...seen);
    losses.push(found.loss);
    rule.step(net.parameters, found);
  }
  return { net, seen, held, losses, K, width, unit, S: unit.group || width, colour, label: label + (turned ? ", turned" : ""), step };
}

/* The class of row i of logits. */
const best = (z, K, i) => {
  const row = z.subarray(i * K, i * K + K);
  return row.indexOf(max(...row));
};
function accuracy({ net, held: [X, y], K }) {
  const { before, logits: z } = net.trace(X);
  return [...before, z].every(one => one.every(isFinite)) ? 100 * sum(y.map((k, i) => k === best(z, K, i))) / COUNT : NaN;
}

/* Of each unit, the directions of its input that change nothing on any training point, as colu.nn.dead_directions
   counts them: the eigenvalues of the mean of J'J up to 1e-12 are the negative pivots of it less 1e-12.
   NaN in a network that diverged. */
const dead = ({ net, seen, unit, S, width }) => net.trace(seen[0]).before.map(z => times(width / S, u => {
  const basis = times(S, s => times(S, i => +(i === s))), G = basis.map(one => one.map(v => -1e-12 * v));
  for (let o = u * S; o < z.length; o += width) for (const one of basis) {
    unit.backward(z.subarray(o, o + S), undefined, one).forEach((v, i, dx) => dx.forEach((w, j) => { G[i][j] += v * w / COUNT; }));
  }
  return sum(G.map((row, a) => {
    for (let k = a + 1; k < S; k++) for (let j = S; j-- > a;) G[k][j] -= G[k][a] / row[a] * row[j];
    return z.every(isFinite) ? row[a] < 0 : NaN;
  }));
}));

const GRID = Float64Array.from(times(AREA, i => [i % SIDE, SIDE - 1 - (i / SIDE | 0)].map(k => REACH * ((2 * k + 1) / SIDE - 1))).flat());
/* A small picture in one colour, of which each pixel has so much. */
function picture(colour, much) {
  const canvas = make("canvas", { width: SIDE, height: SIDE }), c = canvas.getContext("2d"), image = c.createImageData(SIDE, SIDE);
  for (let i = 0; i < AREA; i++) image.data[4 * i + 3] = 255 * much(i);
  c.putImageData(image, 0, 0);
  c.globalCompositeOperation = "source-in";
  c.fillStyle = colour;
  c.fillRect(0, 0, SIDE, SIDE);
  return canvas;
}

function show(ui, { net, K, S, width, colour, seen: [X, y] }, c, list, counts) {
  const { after, logits: z } = net.trace(GRID), chosen = times(AREA, i => best(z, K, i)), own = ui.colour("--" + colour);
  c.clearRect(0, 0, SIZE, SIZE);
  ["--cone", "--gate", "--mpu"].slice(0, K).forEach((shade, k) => c.drawImage(picture(ui.colour(shade), i =>
    k === chosen[i] ? 0.7 * (K / sum(times(K, j => exp(z[i * K + j] - z[i * K + k]))) - 1) / (K - 1) : 0), 0, 0, SIZE, SIZE));
  c.fillStyle = ui.colour("--ink");
  /* A dot where two classes are equal, between two neighbours. */
  chosen.forEach((a, i) => [1, SIDE].forEach((apart, down) => {
    const j = i + apart, b = chosen[j];
    if (a === (b ?? a) || !down && j % SIDE < 1) return;
    const m = z[i * K + a] - z[i * K + b], t = 0.5 + m / (m + z[j * K + b] - z[j * K + a]);
    c.fillRect((i % SIDE + (down ? 0.5 : t)) * PIXEL - 1.5, ((i / SIDE | 0) + (down ? t : 0.5)) * PIXEL - 1.5, 3, 3);
  }));
  c.font = "bold 11px monospace";
  y.forEach((k, i) => c.fillText("ox+"[k], (1 + X[2 * i] / REACH) * SIZE / 2 - 3, (1 - X[2 * i + 1] / REACH) * SIZE / 2 + 3));
  list.replaceChildren(...counts.flatMap((layer, l) => [make("p", {}, `hidden layer ${l + 1}`), ...layer.map((count, u) =>
    make("div", { style: `--s: ${min(S, 4)}` }, ...times(S, s => {
      const v = times(AREA, i => after[l][i * width + u * S + s]), low = min(...v), span = max(...v) - low || 1;
      return picture(own, i => (v[i] - low) / span);
    }), make(count < 1 ? "small" : "b", {}, count < 1 ? "alive" : count === S ? "dead" : count ? `${count} of ${S} dead` : "diverged")))]));
}

coluLab.define("train", {
  state: given.state,
  changed(ui, keys) {
    if (!keys.includes("pairs")) ui.state.pairs = 0;
  },
  build(ui) {
    const { state, panels } = ui, box = () => panels.appendChild(make("div", {})), columns = times(2, () => {
      const into = box(), canvas = ui.canvas({ width: SIZE, height: SIZE, into, label: "regions of the classes, and the training points" });
      return [canvas, into.appendChild(make("div", { class: "lab-units" }))];
    });
    const size = { into: box(), width: 210, height: 160 };
    const curves = ui.panel({ ...size, x: "step", y: "loss" }), stack = ui.panel({ ...size, x: "points of accuracy", y: "seeds" });
    const both = seed => [state.unit, state.other].map(name => begin(state, name, seed));
    const late = two => two[0].losses.length < state.steps && two.map(arm => arm.step());
    let arms, key, pending, pairs;

    /* One step of what is still to be trained; false where nothing is. */
    function work() {
      const now = JSON.stringify({ ...state, steps: 0, pairs: 0 });
      if (now !== key || arms[0].losses.length > state.steps) [key, pairs, ui.arms] = [now, [], arms = both(state.seed)];
      const first = late(arms);
      if (first || pairs.length > state.pairs || !state.pairs) [pending, pairs] = [null, []];
      ui.pairs = pairs;
      if (first || pairs.length === state.pairs) return first;
      pending ||= both(state.seed + pairs.length);
      if (!late(pending)) {
        pairs.push(accuracy(pending[0]) - accuracy(pending[1]));
        pending = null;
      }
      return true;
    }
    ui.loop(["train", "pause"], () => state.steps < 1000 && (ui.set({ steps: state.steps + 1 }), work()));
    ui.button("one step", () => ui.set({ steps: state.steps + 1 }));
    ui.button("new seed", () => ui.set({ seed: (state.seed + 1) % 1000 }));
    ui.button("reroll", () => ui.set({ pairs: state.pairs + 1, steps: state.steps || 200 }));

    return () => {
      const until = performance.now() + 40;
      while (work()) if (performance.now() > until) { ui.redraw(); break; }
      const names = arms.map(arm => arm.label), [a, b] = names, done = arms[0].losses.length;
      const losses = arms.map(arm => [...arm.losses, arm.net.loss(...arm.seen)]), gap = max(...losses[0].map((v, i) => abs(v - losses[1][i])));
      const said = arms.map((arm, i) => {
        const counts = dead(arm), gone = sum(counts.flat()), [canvas, list] = columns[i], right = accuracy(arm);
        canvas.nextSibling.textContent = names[i];
        show(ui, arm, canvas.getContext("2d"), list, counts);
        const score = `${short(losses[i][done])}, with ${short(right, 4)} % of ${COUNT} new points right and ${gone} of ${arm.width * state.depth}`;
        return right + gone >= 0 ? `the loss of ${names[i]} is ${score} ${arm.S > 1 ? "directions" : "units"} dead` : `${names[i]} diverged`;
      });
      curves.axes([0, max(done, 20)], [0, 1.05 * max(...losses.flat().filter(isFinite))]);
      curves.clear();
      curves.line(losses[0].map((y, x) => [x, y]), arms[0].colour);
      curves.line(losses[1].map((y, x) => [x, y]), "dashed " + (arms[0].colour === arms[1].colour ? "" : arms[1].colour));
      curves.caption.textContent = `loss of ${a} (line) and ${b} (dashes)`;

      const kept = pairs.filter(isFinite), n = kept.length, mean = sum(kept) / n, half = given.factors[n - 2] * (sum(kept.map(d => (d - mean) ** 2)) / (n - 1) / n) ** 0.5;
      const far = 1.1 * max(2, ...kept.map(abs), abs(mean) + half || 0), left = state.pairs - pairs.length, lost = pairs.length - n;
      stack.axes([-far, far], [-1, max(5, n / 2)]);
      stack.clear();
      kept.forEach((d, i) => stack.dot(d, 1 + kept.slice(0, i).filter(e => e === d).length, "neutral"));
      if (n > 1) stack.line([[mean - half, 0], [mean + half, 0]]), stack.dot(mean, 0, "", 5);
      stack.caption.textContent = n ? `${a} minus ${b}, a dot a seed; mean and interval` : "each reroll trains both on one more seed";
      /* The words of colu.lab.results. */
      const verdict = n < given.enough ? `${n} pairs of ${a} and ${b} are too few for a verdict` : abs(mean) <= half ? `${a} and ${b} are not told apart`
        : `${names[+(mean < 0)]} is ahead of ${names[+(mean > 0)]}`;
      ui.say([`After ${done} steps ${said.join("; ")}.`, gap >= 0 && `The two losses differ by at most ${short(gap, 2)}.`,
        left && `Pairs still to train: ${left}.`, lost && `Pairs that diverged and are left out: ${lost}.`, n === 1 && "One pair is too few for a verdict.",
        n > 1 && `Over ${n} seeds ${a} minus ${b} is ${short(mean, 2)} ± ${short(half, 2)} points (mean and half the 95 % interval): ${verdict}.`].filter(Boolean).join(" "));
    };
  }
});
})();
