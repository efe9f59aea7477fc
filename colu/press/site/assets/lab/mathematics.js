/* Activations, norms and a small network, equal to the package in float64 (test_mathematics.py). A unit maps arrays of
   a multiple of p.dim channels, of which `group` belong together (null: all), forward(x, p) and backward(x, p, dy);
   outputs(n) channels come out of n. Options p: `parameters`, {name: [start, low, high]}. Kinks: torch's slope. */
(function () {
"use strict";
const { abs, cos, exp, expm1, floor, log, log1p, max, min, sign, sin, sqrt, tanh, PI } = Math;
const units = {};

const array = n => new Float64Array(n);
function each(n, make) {
  const y = array(n);
  for (let i = 0; i < n; i++) y[i] = make(i);
  return y;
}
function sum(n, term) {
  let total = 0;
  for (let i = 0; i < n; i++) total += term(i);
  return total;
}

/* run(x, p) is the value, run(x, p, dy) the gradient. */
function unit(kind, group, parameters, run, outputs = n => n) {
  const start = {};
  for (const name in parameters) start[name] = parameters[name][0];
  const full = p => ({ ...start, ...p });
  function backward(x, p, dy) {
    p = full(p);
    if (x.length % (p.dim || 1)) throw new RangeError(`${x.length} channels are no multiple of dim=${p.dim}`);
    return run(x, p, dy);
  }
  return { kind, group, parameters, full, forward: (x, p) => backward(x, p), backward, outputs };
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
  for (let n = 1; n < 7; n++) {
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

/* P / Q with Q = base + |R|, or base + sum |b_k x^k|; coefficients from the constant on. */
function horner(c, x) {
  let y = 0, slope = 0;
  for (let k = c.length; k--;) {
    slope = slope * x + y;
    y = y * x + c[k];
  }
  return [y, slope];
}
const rational = (base, absolute, numerator, denominator) => x => {
  const [y, slope] = horner(numerator, x), [r, turn] = horner(denominator, absolute ? abs(x) : x), Q = base + abs(r);
  return [y / Q, (slope - y / Q * turn * (absolute ? sign(x) : r < 0 ? -1 : 1)) / Q];
};

const beta = [1, 0, 10], lambd = [0.5, 0, 2], alpha = [1, 0.1, 5], swish = [(x, b) => acon(x, 1, 0, b), { beta }];
/* With parameters, their values in that order follow x. */
const POINTWISE = {
  identity: x => [x, 1],
  relu: x => line(x, 0),
  "leaky-relu": [line, { negative_slope: [0.01, -1, 1] }],
  prelu: [line, { weight: [0.25, -1, 1] }],
  // In evaluation.
  rrelu: [(x, a, b) => line(x, (a + b) / 2), { lower: [1 / 8, 0, 1], upper: [1 / 3, 0, 1] }],
  "squared-relu": x => x > 0 ? [x * x, 2 * x] : [0, 0],
  relu6: x => ramp(x, 0, 6),
  hardtanh: [ramp, { min_val: [-1, -4, 0], max_val: [1, 0, 4] }],
  hardsigmoid: hard,
  hardswish: x => gate(x, hard(x)),
  "hard-mish": x => gate(x, times(0.5, ramp(x + 2, 0, 2))),
  hardshrink: [(x, a) => abs(x) > a ? [x, 1] : [0, 0], { lambd }],
  softshrink: [(x, a) => abs(x) > a ? [x - sign(x) * a, 1] : [0, 0], { lambd }],
  threshold: [(x, a, w) => [x < 0 ? 0 : a, abs(x) < w ? a / w / 2 : 0], { amplitude: [1, -2, 2], window: [1, 0, 3] }],
  elu: [decay, { alpha }],
  celu: [(x, a) => times(a, at(1 / a, x, z => decay(z, 1))), { alpha }],
  selu: x => times(1.0507009873554805, decay(x, 1.6732632423543772)),
  sigmoid: rise,
  logsigmoid: x => [min(x, 0) - log1p(exp(-abs(x))), sigmoid(-x)],
  softplus: [(x, b) => times(1 / b, at(b, x, soft)), { beta: alpha }],
  tanh: bent,
  tanhshrink: x => [x - tanh(x), tanh(x) ** 2],
  softsign: x => [x / (1 + abs(x)), (1 + abs(x)) ** -2],
  talu: [(x, a) => x > 0 ? [x, 1] : x > a ? bent(x) : [tanh(a), 0], { threshold: [-0.5, -3, -0.01] }],
  sine: [(x, k) => [sin(k * x), k * cos(k * x)], { omega: [1, 0.1, 30] }],
  snake: [(x, k) => [k ? x + sin(k * x) ** 2 / k : x, 1 + sin(2 * k * x)], { alpha: [1, 0, 5] }],
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
  "acon-b": [(x, a, b) => acon(x, 1, a, b), { p: [0.25, -1, 1], beta }],
  "acon-c": [acon, { p1: [1, -2, 2], p2: [0.25, -2, 2], beta }],
  sqish: [(x, a, b, c) => mix(x, 1, a, d => {
    const u = log(b) - 2 * c * d, root = exp(-soft(u)[0] / 2);
    return [root, root * sigmoid(u) * c];
  }), { alpha: [0.25, 0, 0.9], beta: alpha, gamma: alpha }],
  apalu: [(x, a, b) => x < 0 ? decay(x, b) : times(a, mix(x, 2, 1, d => at(1.702, d, rise))),
    { a: [0.55, 0, 2], b: [0.065, 0, 2] }],
  // As it starts.
  "rational-a": rational(1, true, [0.029797898, 0.61845881, 2.3209267, 3.0445209, 1.4795831, 0.2496497],
    [0, 1.1411279, 4.3821903, 0.86815172, 0.3452817])
};
for (const name in POINTWISE) {
  const [pair, parameters = {}] = [].concat(POINTWISE[name]), values = p => Object.keys(parameters).map(key => p[key]);
  const made = units[name] = unit("pointwise", 1, parameters, (x, p, dy) => {
    const [a, b, c] = values(p);
    return each(x.length, dy ? i => dy[i] * pair(x[i], a, b, c)[1] : i => pair(x[i], a, b, c)[0]);
  });
  made.value = (x, p) => pair(x, ...values(made.full(p)))[0];
  made.slope = (x, p) => pair(x, ...values(made.full(p)))[1];
}

// ---- channels

/* Blocks x = a e + v with n = |v| become A e + w v. If the axis has 1, all or no channels, e is the first, their
   diagonal or 0. plane(a, n, p) is [A, w, dA/da, dA/dn, dB/da, dB/dn] with B = w n. dim 0: one block. */
function radial(axis, parameters, plane) {
  const made = unit("channels", parameters.dim[0], parameters, (x, p, dy) => {
    const S = p.dim || x.length, on = min(axis, S), k = on && 1 / sqrt(on);
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
const cone = dim => ({ dim: [dim, 1, 8], angle: [PI / 4, 0.05, 1.52] });
/* Its cosine and sine, at 45 degrees exactly equal. */
const sides = angle => angle === PI / 4 ? [Math.SQRT1_2, Math.SQRT1_2] : [cos(angle), sin(angle)];

function conic(name, axis, scaling, rectified) {
  const [low, high, weight] = WEIGHTS[scaling];
  units[name] = radial(axis, cone(4), (a, n, p) => {
    const [c, s] = sides(p.angle), t = s / c, on = rectified && a <= 0 ? 0 : 1;
    const r = on * a ? a * t / n : 0, [held, moves] = ramp(r, low, high), [w, slope] = weight(held);
    return [on * a, w, on, 0, moves && on * slope * t, moves ? w - slope * r : w];
  });
}
for (const scaling in WEIGHTS) conic(scaling === "hard" ? "colu" : `colu-${scaling}`, 1, scaling);
conic("colu-rectified", 1, "hard", true);
conic("rcolu", Infinity, "hard");
conic("rcolu-soft", Infinity, "soft");

/* The nearest point of the cone, and a leak. */
const projection = start => radial(Infinity, { ...cone(2), leak: [start, 0, 1] }, (a, n, p) => {
  const [c, s] = sides(p.angle), l = p.leak, m = 1 - l, depth = m * (a * c + n * s), cross = m * c * s;
  return n * c <= a * s ? [a, 1, 1, 0, 0, 1] : a * c <= -n * s ? [l * a, l, l, 0, 0, l]
    : [depth * c + l * a, depth * s / n + l, m * c * c + l, cross, cross, m * s * s + l];
});
units.mpu = units["mpu-learnable"] = projection(0);
units["mpu-leaky"] = projection(0.01);

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

units["group-sort"] = unit("channels", 2, { dim: [2, 1, 8] }, (x, { dim }, dy) => {
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

/* of(z, n) is the value, and the weights of which the centring is the Jacobian. */
function simplex(name, of) {
  units[name] = unit("channels", null, {}, (x, p, dy) => {
    const n = x.length, top = max(...x), [y, s] = of(each(n, i => x[i] - top), n);
    const mean = dy && sum(n, i => s[i] * dy[i]) / sum(n, i => s[i]);
    return dy ? each(n, i => s[i] * (dy[i] - mean)) : y;
  });
}
simplex("softmax", (z, n) => {
  const e = each(n, i => exp(z[i])), total = sum(n, i => e[i]), y = each(n, i => e[i] / total);
  return [y, y];
});
simplex("sparsemax", (z, n) => {
  let total = -1, count = 0, t = 0;
  for (const one of z.slice().sort().reverse()) {
    total += one;
    if (++count * one > total) t = total / count;
  }
  return [each(n, i => max(z[i] - t, 0)), each(n, i => z[i] > t)];
});

/* The first half of the channels by a function of the second. */
for (const [name, opener] of Object.entries({ glu: "sigmoid", reglu: "relu", geglu: "gelu", swiglu: "silu" })) {
  units[name] = unit("channels", null, { dim: [2, 2, 2] }, (x, p, dy) => {
    const n = x.length / 2, open = i => POINTWISE[opener](x[n + i % n]);
    return dy ? each(2 * n, i => i < n ? dy[i] * open(i)[0] : dy[i - n] * x[i - n] * open(i)[1])
      : each(n, i => x[i] * open(i)[0]);
  }, n => n / 2);
}

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

// ---- a network: linear maps, a unit after each but the last, the cross-entropy of the logits

const packed = rows => rows instanceof Float64Array ? rows : Float64Array.from(rows.flat());
/* Of m rows of n numbers. */
const transposed = (a, m, n) => each(m * n, i => a[i % m * n + floor(i / m)]);

/* The m x k matrix a[i row + j column] times B with n columns. */
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
    const y = f(x.subarray(r * n, r * n + n), r);
    out ||= array(y.length * x.length / n);
    out.set(y, r * y.length);
  }
  return out;
}

/* frame: an orthogonal Q of a block or of all channels, with which a unit f is Q' f(Q x). */
function perceptron({ sizes, unit: name, options, gain = 1, random: source, frame }) {
  const made = units[name], p = made.full(options), last = sizes.length - 2;
  const widths = sizes.map((n, l) => l && l <= last ? made.outputs(n) : n);
  const biases = sizes.slice(1).map(array);
  const weights = biases.map((b, l) => each(b.length * widths[l], () => source.normal() * gain / sqrt(widths[l])));
  const Q = frame && packed(frame), d = Q && sqrt(Q.length), back = Q && transposed(Q, d, d);
  const turn = (x, matrix) => multiply(x.length / d, d, d, x, d, 1, matrix);
  /* Between frames the weights are Q W Q', which is less to turn than all that goes through. */
  function turned(W, b, l, matrix) {
    const m = sizes[l + 1], n = widths[l];
    if (Q && l) W = turn(W, matrix);
    return Q && l < last ? [transposed(turn(transposed(W, m, n), matrix), n, m), turn(b, matrix)] : [W, b];
  }

  /* What goes into and comes out of the units, in their frame, and the linear maps there. */
  function trace(X) {
    const before = [], after = [], maps = [];
    for (let l = 0, x = packed(X); ; l++) {
      const n = widths[l], m = sizes[l + 1], [W, b] = maps[l] = turned(weights[l], biases[l], l, back);
      const z = multiply(x.length / n, n, m, x, n, 1, transposed(W, m, n)).map((s, i) => s + b[i % m]);
      if (l === last) return { before, after, maps, logits: z };
      before.push(z);
      after.push(x = byRow(z, m, row => made.forward(row, p)));
    }
  }

  function entropy(logits, y) {
    const n = logits.length / y.length;
    return sum(y.length, r => {
      const row = logits.subarray(r * n, r * n + n), top = max(...row);
      return log(sum(n, j => exp(row[j] - top))) + top - row[y[r]];
    }) / y.length;
  }

  /* As `parameters` are, and the loss. */
  function gradients(X, y) {
    const { before, after, maps, logits } = trace(X), N = y.length, found = [];
    found.loss = entropy(logits, y);
    let dz = byRow(logits, sizes[last + 1], (row, r) =>
      units.softmax.forward(row).map((share, j) => (share - (j === y[r])) / N));
    for (let l = last; ; l--) {
      const m = sizes[l + 1], n = widths[l];
      const dW = multiply(m, N, n, dz, 1, m, l ? after[l - 1] : packed(X)), db = multiply(1, N, m, [1], 0, 0, dz);
      [found[2 * l], found[2 * l + 1]] = turned(dW, db, l, Q);
      if (!l) return found;
      const dx = multiply(N, m, n, dz, m, 1, maps[l][0]);
      dz = byRow(before[l - 1], sizes[l], (x, r) => made.backward(x, p, dx.subarray(r * n, r * n + n)));
    }
  }

  return { weights, biases, parameters: weights.flatMap((W, l) => [W, biases[l]]), trace, gradients,
    forward: X => trace(X).logits, loss: (X, y) => entropy(trace(X).logits, y) };
}

/* "sgd", "momentum" (0.9) or "adam", with torch's constants. */
function optimiser(kind, rate) {
  const kept = [], [keep, take] = { sgd: [0, 1], momentum: [0.9, 1], adam: [0.9, 0.1] }[kind];
  let steps = 0;
  return { step(parameters, gradients) {
    const one = 1 - 0.9 ** ++steps, two = 1 - 0.999 ** steps;
    parameters.forEach((w, k) => {
      const [m, v] = kept[k] ||= [array(w.length), array(w.length)];
      gradients[k].forEach((g, i) => {
        m[i] = keep * m[i] + take * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        w[i] -= rate * m[i] / (kind === "adam" ? one * (sqrt(v[i] / two) + 1e-8) : 1);
      });
    });
  } };
}

window.coluMathematics = { units, normalise, random, perceptron, optimiser, rational };
})();
