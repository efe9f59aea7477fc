/* Activations, norms and the training of a small network, equal to the package in float64 (test_mathematics.py).
   units[name]: forward(x, p) and backward(x, p, dy) of arrays of a multiple of p.dim channels, of which `group` belong
   together (null: all); value and slope of a number; at a kink the slope is torch's. Options p are in `parameters`,
   {name: [start, low, high]}; outputs(n, p) channels come out of n. */
(function () {
"use strict";
const { abs, cos, exp, expm1, floor, log, log1p, max, min, sign, sin, sqrt, tanh, PI } = Math;
const units = {}, QUARTER = PI / 4;

const array = n => new Float64Array(n);
function each(n, make) {
  const y = array(n);
  for (let i = 0; i < n; i++) y[i] = make(i);
  return y;
}
const sum = (n, term) => each(n, term).reduce((a, b) => a + b, 0);

/* run(x, p) is the value, run(x, p, dy) the transposed Jacobian times dy. */
function unit(kind, group, parameters, run, outputs = n => n) {
  const start = {};
  for (const name in parameters) start[name] = parameters[name][0];
  // Options that were completed once are known by their prototype.
  const full = p => !p ? start : Object.getPrototypeOf(p) === start ? p : Object.assign(Object.create(start), p);
  function backward(x, p, dy) {
    p = full(p);
    if (x.length % (p.dim || 1)) throw new RangeError(`${x.length} channels are no multiple of dim=${p.dim}`);
    return run(x, p, dy);
  }
  return { kind, group, parameters, full, forward: (x, p) => backward(x, p), backward,
    outputs: (n, p) => outputs(n, full(p)) };
}

// ---- one number at a time: functions to [value, slope]

/* f(k x) of x. */
const at = (k, x, f) => { const [y, slope] = f(k * x); return [y, k * slope]; };
const times = (k, [y, slope]) => [k * y, k * slope];
const gate = (x, [g, slope]) => [x * g, g + x * slope];
const sigmoid = x => 1 / (1 + exp(-x));
const rise = x => { const s = sigmoid(x); return [s, s * (1 - s)]; };
const bent = x => { const t = tanh(x); return [t, 1 - t * t]; };
const line = (x, k) => x > 0 ? [x, 1] : [k * x, k];
const ramp = (x, low, high) => x <= low ? [low, 0] : x >= high ? [high, 0] : [x, 1];
const shrink = (x, width, k) => abs(x) > width ? [x - k * sign(x) * width, 1] : [0, 0];
const decay = (x, k) => x > 0 ? [x, 1] : [k * expm1(x), k * exp(x)];
// From 20 on torch takes the line.
const soft = x => x > 20 ? [x, 1] : [log1p(exp(x)), sigmoid(x)];
/* b x + d g(d) for d = (a - b) x. */
function mix(x, a, b, g) {
  const [y, slope] = at(a - b, x, d => gate(d, g(d)));
  return [b * x + y, b + slope];
}
const acon = (x, a, b, beta) => mix(x, a, b, d => at(beta, d, rise));
const hard = x => times(1 / 6, ramp(x + 3, 0, 6));

/* erf by Taylor's series from the knot k / 64, a table that is made by the same steps. */
const table = [0];
function step(k, d) {
  const c = k / 64;
  let y = table[k], before = 0, term = 2 / sqrt(PI) * exp(-c * c) * d;
  for (let n = 1; n < 9; n++) {
    const next = -2 * d * (c * n * term + (n - 1) * d * before) / (n * n + n);
    y += term;
    before = term;
    term = next;
  }
  return y;
}
for (let k = 0; k < 384; k++) table.push(step(k, 1 / 64));
function normal(x) {
  const z = abs(x) / Math.SQRT2, k = Math.round(64 * z);
  return [(1 + sign(x) * (z < 6 ? step(k, z - k / 64) : 1)) / 2, exp(-x * x / 2) / sqrt(2 * PI)];
}

/* P / Q with Q = floor + |R|, or floor + sum |b_k x^k|. */
function horner(c, x) {
  let y = 0, slope = 0;
  for (let k = c.length; k--;) {
    slope = slope * x + y;
    y = y * x + c[k];
  }
  return [y, slope];
}
const rational = (floor, absolute, a, ...b) => x => {
  const [y, slope] = horner(a, x), [r, turn] = horner(b, absolute ? abs(x) : x), Q = floor + abs(r);
  return [y / Q, (slope - y / Q * turn * (absolute ? sign(x) : r < 0 ? -1 : 1)) / Q];
};

const alpha = [1, 0.1, 3], beta = [1, 0, 10], lambd = [0.5, 0, 2];
const swish = [(x, p) => acon(x, 1, 0, p.beta), { beta }];
const POINTWISE = {
  identity: x => [x, 1],
  relu: x => line(x, 0),
  "leaky-relu": [(x, p) => line(x, p.negative_slope), { negative_slope: [0.01, -1, 1] }],
  prelu: [(x, p) => line(x, p.weight), { weight: [0.25, -1, 1] }],
  // In evaluation.
  rrelu: [(x, p) => line(x, (p.lower + p.upper) / 2), { lower: [1 / 8, 0, 1], upper: [1 / 3, 0, 1] }],
  "squared-relu": x => x > 0 ? [x * x, 2 * x] : [0, 0],
  relu6: x => ramp(x, 0, 6),
  hardtanh: [(x, p) => ramp(x, p.min_val, p.max_val), { min_val: [-1, -4, 0], max_val: [1, 0, 4] }],
  hardsigmoid: hard,
  hardswish: x => gate(x, hard(x)),
  "hard-mish": x => gate(x, times(0.5, ramp(x + 2, 0, 2))),
  hardshrink: [(x, p) => shrink(x, p.lambd, 0), { lambd }],
  softshrink: [(x, p) => shrink(x, p.lambd, 1), { lambd }],
  threshold: [(x, p) => [x < 0 ? 0 : p.amplitude, abs(x) < p.window ? p.amplitude / p.window / 2 : 0],
    { amplitude: [1, -2, 2], window: [1, 0, 3] }],
  elu: [(x, p) => decay(x, p.alpha), { alpha }],
  celu: [(x, p) => times(p.alpha, at(1 / p.alpha, x, z => decay(z, 1))), { alpha }],
  selu: x => times(1.0507009873554805, decay(x, 1.6732632423543772)),
  sigmoid: rise,
  logsigmoid: x => [min(x, 0) - log1p(exp(-abs(x))), sigmoid(-x)],
  softplus: [(x, p) => times(1 / p.beta, at(p.beta, x, soft)), { beta: [1, 0.1, 5] }],
  tanh: bent,
  tanhshrink: x => [x - tanh(x), tanh(x) ** 2],
  softsign: x => [x / (1 + abs(x)), (1 + abs(x)) ** -2],
  talu: [(x, p) => x > 0 ? [x, 1] : x > p.threshold ? bent(x) : [tanh(p.threshold), 0],
    { threshold: [-0.5, -3, -0.01] }],
  sine: [(x, p) => [sin(p.omega * x), p.omega * cos(p.omega * x)], { omega: [1, 0.1, 30] }],
  snake: [(x, { alpha: k }) => [k ? x + sin(k * x) ** 2 / k : x, 1 + sin(2 * k * x)], { alpha: [1, 0, 5] }],
  gelu: x => gate(x, normal(x)),
  "gelu-tanh": x => {
    const k = sqrt(2 / PI), [t, slope] = bent(k * (x + 0.044715 * x ** 3));
    return gate(x, [(1 + t) / 2, slope * k * (1 + 0.134145 * x * x) / 2]);
  },
  mish: x => { const [t, slope] = bent(soft(x)[0]); return gate(x, [t, slope * sigmoid(x)]); },
  silu: x => gate(x, rise(x)),
  "quick-gelu": x => acon(x, 1, 0, 1.702),
  swish,
  "acon-a": swish,
  "acon-b": [(x, p) => acon(x, 1, p.p, p.beta), { p: [0.25, -1, 1], beta }],
  "acon-c": [(x, p) => acon(x, p.p1, p.p2, p.beta), { p1: [1, -2, 2], p2: [0.25, -2, 2], beta }],
  sqish: [(x, p) => mix(x, 1, p.alpha, d => {
    const u = log(p.beta) - 2 * p.gamma * d, root = exp(-soft(u)[0] / 2);
    return [root, root * sigmoid(u) * p.gamma];
  }), { alpha: [0.25, 0, 0.9], beta: [1, 0.1, 5], gamma: [1, 0.1, 5] }],
  apalu: [(x, p) => x < 0 ? decay(x, p.b) : times(p.a, mix(x, 2, 1, d => at(1.702, d, rise))),
    { a: [0.55, 0, 2], b: [0.065, 0, 2] }],
  // These as they start; PWLU on a grid from -3 to 3, with the slope after a knot.
  lslu: x => line(x, 0),
  pwlu: x => x + 3 >= 3 ? [max(x, 0), 1] : [0, 0],
  "rational-a": rational(1, true, [0.029797898, 0.61845881, 2.3209267, 3.0445209, 1.4795831, 0.2496497],
    0, 1.1411279, 4.3821903, 0.86815172, 0.3452817),
  "rational-b": rational(1, false, [0.033582615, 0.50500523, 1.6513405, 2.0045517, 0.92795432, 0.15154043],
    0, 5.11136e-5, 3.9693391, 3.7121849e-5, 0.30007389),
  "rational-c": rational(0.1, false, [0.071243987, 1.0713347, 3.5031903, 4.2524921, 1.9685743, 0.32147974],
    2.0214548, 3.9342621e-7, 8.4207759, 2.8657841e-7, 0.63659349),
  "group-rational": rational(1, true, [3.1011483e-7, 0.50000079, 0.2499978, 0.053265216, 0.0058025316, 0.00027512751],
    0, 4.1012572e-6, 0.10652688, 1.2563329e-6, 0.0005500981)
};
for (const name in POINTWISE) {
  const [pair, parameters = {}] = [].concat(POINTWISE[name]);
  const made = units[name] = unit("pointwise", 1, parameters, (x, p, dy) =>
    each(x.length, dy ? i => dy[i] * pair(x[i], p)[1] : i => pair(x[i], p)[0]));
  made.value = (x, p) => pair(x, made.full(p))[0];
  made.slope = (x, p) => pair(x, made.full(p))[1];
}

// ---- channels

function channels(name, group, ...rest) {
  units[name] = unit("channels", group, ...rest);
}

/* Blocks x = a e + v of dim channels (0: all), with n = |v|, to A e + w v. As the axis has 1, all or no channels, e is
   the first channel, the diagonal or 0. plane(a, n, p) is [A, w, dA/da, dA/dn, dB/da, dB/dn] with B = w n. */
function radial(axis, parameters, plane) {
  const made = unit("channels", parameters.dim[0], parameters, (x, p, dy) => {
    const S = p.dim || x.length, on = p.axis === "coordinate" ? 1 : min(axis, S), k = on && 1 / sqrt(on);
    const out = array(x.length), v = array(S);
    for (let o = 0; o < x.length; o += S) {
      let total = 0, top = 0, square = 0, ga = 0, gu = 0;
      for (let i = 0; i < on; i++) total += x[o + i];
      const mean = total / (on || 1);
      for (let i = 0; i < S; i++) {
        v[i] = x[o + i] - (i < on ? mean : 0);
        top = max(top, abs(v[i]));
      }
      // Over the largest, as squares may over- or underflow.
      if (top) for (let i = 0; i < S; i++) square += (v[i] / top) ** 2;
      const n = top * sqrt(square), [A, w, Aa, An, Ba, Bn] = plane(sqrt(on) * mean, n, p, S);
      for (let i = 0; dy && i < S; i++) {
        if (i < on) ga += k * dy[o + i];
        if (n) gu += dy[o + i] * (v[i] / n);
      }
      const along = dy ? Aa * ga + Ba * gu - w * ga : A, across = dy ? n && (An * ga + (Bn - w) * gu) / n : w;
      for (let i = 0; i < S; i++) out[o + i] = (i < on && k * along) + across * v[i] + (dy ? w * dy[o + i] : 0);
    }
    return out;
  });
  made.plane = (a, n, p) => plane(a, n, made.full(p));
  return made;
}

/* Bounds of the ratio, and the weight of the section with its slope. */
const WEIGHTS = {
  hard: [0, 1, r => [r, 1]],
  soft: [-1e3, 1e3, r => rise(r - 0.5)],
  firm: [-1e3, 1e3, r => at(4, r, z => rise(z - 2))],
  sqrt: [0, 1e8, r => [sqrt(r), 0.5 / sqrt(r)]],
  log: [0, 1e8, r => [log1p(r), 1 / (1 + r)]]
};
const cone = dim => ({ dim: [dim, 1, 8], angle: [QUARTER, 0.05, 1.52] });

function conic(name, axis, scaling, rectified) {
  const [low, high, weight] = WEIGHTS[scaling];
  units[name] = radial(axis, cone(4), (a, n, p) => {
    const t = p.angle === QUARTER ? 1 : Math.tan(p.angle), on = rectified && a <= 0 ? 0 : 1;
    const r = on * a ? a * t / n : 0, [held, moves] = ramp(r, low, high), [w, slope] = weight(held);
    return [on * a, w, on, 0, moves && on * slope * t, moves ? w - slope * r : w];
  });
}
for (const scaling in WEIGHTS) conic(scaling === "hard" ? "colu" : `colu-${scaling}`, 1, scaling);
conic("colu-rectified", 1, "hard", true);
conic("rcolu", Infinity, "hard");
conic("rcolu-soft", Infinity, "soft");

/* The nearest point of the cone, and a leak; axis: "coordinate" has the first channel as its axis. */
for (const [name, leak] of [["mpu", 0], ["mpu-leaky", 0.01], ["mpu-learnable", 0]]) {
  units[name] = radial(Infinity, { ...cone(2), leak: [leak, 0, 1] }, (a, n, p) => {
    const half = p.angle === QUARTER, c = half ? Math.SQRT1_2 : cos(p.angle), s = half ? c : sin(p.angle);
    const l = p.leak, m = 1 - l, depth = m * (a * c + n * s), cross = m * c * s;
    return n * c <= a * s ? [a, 1, 1, 0, 0, 1] : a * c <= -n * s ? [l * a, l, l, 0, 0, l]
      : [depth * c + l * a, depth * s / n + l, m * c * c + l, cross, cross, m * s * s + l];
  });
}
const longer = (n, change) => n + change > 0 ? [0, n ? 1 + change / n : change, 0, 0, 0, 1] : [0, 0, 0, 0, 0, 0];
units["norm-relu"] = radial(0, { dim: [4, 1, 8], radius: [1, 0.01, 4] }, (a, n, p) => longer(n, -p.radius));
units.modrelu = radial(0, { dim: [2, 2, 2], bias: [-0.1, -2, 2] }, (a, n, p) => longer(n, p.bias));

/* Norms, of dim channels at a time. */
const normaliser = (axis, eps, dim) => radial(axis, { dim: [dim, 0, 32], eps: [eps, 0, 1] }, (a, n, p, S) => {
  const w = 1 / sqrt(n * n / S + p.eps);
  return [0, w, 0, 0, 0, w ** 3 * p.eps];
});
const normalise = {
  rms: normaliser(0, Number.EPSILON, 0), layer: normaliser(Infinity, 1e-5, 0), group: normaliser(Infinity, 1e-5, 4)
};

channels("group-sort", 2, { dim: [2, 1, 8] }, (x, { dim }, dy) => {
  const out = array(x.length);
  for (let i = 0; i < x.length; i++) {
    let rank = i - i % dim;
    for (let o = rank, j = o; j < o + dim; j++) if (x[j] > x[i] || j < i && x[j] === x[i]) rank++;
    // Torch shares a tie of two out.
    if (dy) out[i] = dim === 2 && x[i] === x[i ^ 1] ? (dy[i] + dy[i ^ 1]) / 2 : dy[rank];
    else out[rank] = x[i];
  }
  return out;
});

const largest = x => x.reduce((a, b) => max(a, b));
channels("softmax", null, {}, (x, p, dy) => {
  const top = largest(x), e = x.map(one => exp(one - top)), total = sum(x.length, i => e[i]);
  const middle = dy && sum(x.length, i => e[i] * dy[i]) / total;
  return e.map((one, i) => one / total * (dy ? dy[i] - middle : 1));
});
channels("sparsemax", null, {}, (x, p, dy) => {
  const top = largest(x), z = x.map(one => one - top);
  let total = -1, threshold = 0, count = 0;
  for (const one of z.slice().sort((a, b) => b - a)) {
    total += one;
    if (++count * one > total) threshold = total / count;
  }
  const on = z.map(one => one > threshold ? 1 : 0);
  const middle = dy && sum(x.length, i => on[i] * dy[i]) / sum(x.length, i => on[i]);
  return z.map((one, i) => on[i] * (dy ? dy[i] - middle : one - threshold));
});

/* Another number of channels: the n outputs are x[a] g(x[b]) with [a, b] = places(i, n, p). */
function opened(name, parameters, outputs, places, pair) {
  channels(name, null, parameters, (x, p, dy) => {
    const n = outputs(x.length, p), out = array(dy ? x.length : n);
    for (let i = 0; i < n; i++) {
      const [a, b] = places(i, n, p), [g, slope] = pair(x[b], p, i < n / 2);
      out[dy ? a : i] += dy ? dy[i] * g : x[a] * g;
      if (dy) out[b] += dy[i] * x[a] * slope;
    }
    return out;
  }, outputs);
}
for (const [name, gate] of [["glu", rise], ["reglu", x => line(x, 0)], ["geglu", POINTWISE.gelu], ["swiglu", POINTWISE.silu]]) {
  opened(name, { dim: [2, 2, 2] }, n => n / 2, (i, n) => [i, n + i], gate);
}
opened("crelu", {}, n => 2 * n, (i, n) => [i % (n / 2), i % (n / 2)], (x, p, first) => [first ? +(x > 0) : -(x < 0), 0]);
/* A gate for every vector of `size`, and all of them first. */
opened("gated", { size: [4, 1, 8], bias: [0, -3, 3] }, (n, { size }) => n * size / (size + 1),
  (i, n, { size }) => [n / size + i, floor(i / size)], (x, p) => rise(x - p.bias));
channels("maxout", null, { dim: [2, 1, 8] }, (x, { dim }, dy) => {
  const top = each(x.length / dim, i => largest(x.slice(i * dim, (i + 1) * dim))), of = i => floor(i / dim);
  const ties = top.map(() => 0);
  x.forEach((one, i) => { ties[of(i)] += one === top[of(i)]; });
  return dy ? x.map((one, i) => one === top[of(i)] ? dy[of(i)] / ties[of(i)] : 0) : top;
}, (n, p) => n / p.dim);

/* Random numbers by mulberry32, normal ones after Box and Muller. */
function random(seed) {
  let state = seed >>> 0;
  function uniform() {
    state = state + 0x6d2b79f5 >>> 0;
    let z = Math.imul(state ^ state >>> 15, state | 1);
    z ^= z + Math.imul(z ^ z >>> 7, z | 61);
    return ((z ^ z >>> 14) >>> 0) / 2 ** 32;
  }
  return { uniform, normal: () => sqrt(-2 * log(1 - uniform())) * cos(2 * PI * uniform()) };
}

// ---- a network: linear maps with a unit between them, the loss the cross-entropy of its logits

const packed = rows => rows instanceof Float64Array ? rows : Float64Array.from(rows.flat());
/* Of a matrix with m rows of n numbers. */
const transposed = (a, m, n) => each(m * n, i => a[i % m * n + floor(i / m)]);

/* The m x k matrix at a[i row + j column] times B, whose rows have n numbers. */
function multiply(m, k, n, a, row, column, B) {
  const out = array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < k; j++) {
      const s = a[i * row + j * column];
      if (s !== 0) for (let c = 0; c < n; c++) out[i * n + c] += s * B[j * n + c];
    }
  }
  return out;
}

/* f of every row of n numbers, joined. */
function byRow(x, n, f) {
  let out;
  for (let r = 0; r * n < x.length; r++) {
    const y = f(x.subarray(r * n, (r + 1) * n), r);
    out = out || array(y.length * x.length / n);
    out.set(y, r * y.length);
  }
  return out;
}

/* frame: an orthogonal matrix Q of a block, or of all channels: the unit f becomes Q' f(Q x). */
function perceptron({ sizes, unit: name, options, gain = 1, random: source, frame }) {
  const made = units[name], p = made.full(options), last = sizes.length - 2, classes = sizes[last + 1];
  const widths = sizes.map((n, l) => l && l <= last ? made.outputs(n, p) : n);
  const biases = sizes.slice(1).map(n => array(n));
  const weights = biases.map((b, l) => each(b.length * widths[l], () => source.normal() * gain / sqrt(widths[l])));
  const Q = frame && packed(frame), d = Q && sqrt(Q.length), back = Q && transposed(Q, d, d);
  const turn = (x, matrix) => Q ? multiply(x.length / d, d, d, x, d, 1, matrix) : x;

  /* What goes into the linear maps, and into and out of the units, in their frame. */
  function trace(X) {
    const inputs = [packed(X)], before = [], after = [], rows = X.length / sizes[0];
    for (let l = 0; ; l++) {
      const n = widths[l], m = sizes[l + 1], b = biases[l];
      const z = multiply(inputs[l].length / n, n, m, inputs[l], n, 1, transposed(weights[l], m, n));
      z.forEach((one, i) => { z[i] = one + b[i % m]; });
      if (l === last) return { inputs, before, after, logits: z };
      before.push(turn(z, back));
      after.push(byRow(before[l], m, row => made.forward(row, p)));
      inputs.push(turn(after[l], Q));
    }
  }

  /* The loss, and its gradient in place of the logits. */
  function entropy(logits, y) {
    let loss = 0;
    for (let r = 0; r < y.length; r++) {
      const row = logits.subarray(r * classes, (r + 1) * classes), shares = units.softmax.forward(row);
      loss += (log(sum(classes, j => exp(row[j] - row[y[r]])))) / y.length;
      shares.forEach((one, j) => { row[j] = (one - (j === y[r])) / y.length; });
    }
    return loss;
  }

  /* As `parameters` are, with the loss. */
  function gradients(X, y) {
    const { inputs, before, logits } = trace(X), N = y.length, found = [];
    found.loss = entropy(logits, y);
    for (let l = last, dz = logits; ; l--) {
      const m = sizes[l + 1], n = widths[l];
      found[2 * l] = multiply(m, N, n, dz, 1, m, inputs[l]);
      found[2 * l + 1] = multiply(1, N, m, [1], 0, 0, dz);
      if (!l) return found;
      const dy = turn(multiply(N, m, n, dz, m, 1, weights[l]), back);
      dz = turn(byRow(before[l - 1], sizes[l], (row, r) =>
        made.backward(row, p, dy.subarray(r * n, (r + 1) * n))), Q);
    }
  }

  return { weights, biases, parameters: weights.flatMap((W, l) => [W, biases[l]]), trace, gradients,
    forward: X => trace(X).logits, loss: (X, y) => entropy(trace(X).logits, y) };
}

/* "sgd", with a momentum of 0.9 "momentum", or "adam", with torch's constants. */
function optimiser(kind, rate) {
  const kept = [], [keep, take] = { sgd: [0, 1], momentum: [0.9, 1], adam: [0.9, 0.1] }[kind];
  let steps = 0;
  function step(parameters, gradients) {
    const one = 1 - 0.9 ** ++steps, two = 1 - 0.999 ** steps;
    parameters.forEach((w, k) => {
      const g = gradients[k], [m, v] = kept[k] = kept[k] || [w.map(() => 0), w.map(() => 0)];
      for (let i = 0; i < w.length; i++) {
        m[i] = keep * m[i] + take * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        w[i] -= rate * (kind === "adam" ? m[i] / one / (sqrt(v[i] / two) + 1e-8) : m[i]);
      }
    });
  }
  return { step };
}

window.coluMathematics = { units, normalise, random, perceptron, optimiser };
})();
