/* Activations with their derivatives, norms, a small network and its training: equal to the package in float64,
   as tests/press/site/assets/lab/test_mathematics.py checks.

   units[name] has forward(x, p) and backward(x, p, dy) of arrays, pointwise ones value(x, p) and slope(x, p) of a
   number. What the options p lack comes from `parameters`, {name: [start, low, high]}. At a kink the slope is torch's.
   The length of x is a multiple of p.dim; `group` channels belong together (null: all); outputs(n, p) come out of n. */
(function () {
  "use strict";
  const { abs, cos, exp, expm1, log1p, max, sign, sin, sqrt, tanh, PI } = Math;
  const units = {}, QUARTER = PI / 4;

  function each(n, make) {
    const y = new Float64Array(n);
    for (let i = 0; i < n; i++) y[i] = make(i);
    return y;
  }

  /* run(x, p) is the value, run(x, p, dy) the transposed Jacobian times dy. */
  function unit(kind, group, parameters, run, outputs = n => n) {
    const start = {};
    for (const name in parameters) start[name] = parameters[name][0];
    // Completed once: such options are known by their prototype.
    const full = p => !p ? start : Object.getPrototypeOf(p) === start ? p : Object.assign(Object.create(start), p);
    function call(x, p, dy) {
      p = full(p);
      if (x.length % (p.dim || 1)) throw new RangeError(`${x.length} channels are no multiple of dim=${p.dim}`);
      return run(x, p, dy);
    }
    return { kind, group, parameters, full, forward: (x, p) => call(x, p), backward: call,
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
  const wave = x => [sin(x), cos(x)];
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

  /* erf by Taylor's series from the nearest knot k / 16, whose table is made by the same steps. */
  const table = [0];
  function step(k, d) {
    const c = k / 16;
    let sum = table[k], before = 0, term = 2 / sqrt(PI) * exp(-c * c) * d;
    for (let n = 1; n < 12; n++) {
      const next = -2 * d * (c * term + (n - 1) * d / n * before) / (n + 1);
      sum += term;
      before = term;
      term = next;
    }
    return sum;
  }
  while (table.length < 97) table.push(step(table.length - 1, 1 / 16));
  function normal(x) {
    const z = abs(x) / Math.SQRT2, k = Math.round(16 * z);
    return [(1 + sign(x) * (z < 6 ? step(k, z - k / 16) : 1)) / 2, exp(-x * x / 2) / sqrt(2 * PI)];
  }

  /* P / Q; A: Q = 1 + sum |b_k x^k|, B: 1 + |sum b_k x^k|, C: 0.1 + |sum|, that from k = 0. */
  function horner(c, x) {
    let y = 0, slope = 0;
    for (let k = c.length; k--;) {
      slope = slope * x + y;
      y = y * x + c[k];
    }
    return [y, slope];
  }
  function rational(version, numerator, denominator) {
    const b = version === "C" ? denominator : [0, ...denominator];
    return x => {
      const [y, slope] = horner(numerator, x), [q, turn] = horner(b, version === "A" ? abs(x) : x);
      const Q = (version === "C" ? 0.1 : 1) + abs(q), dQ = version === "A" ? sign(x) * turn : q < 0 ? -turn : turn;
      return [y / Q, (slope - y / Q * dQ) / Q];
    };
  }

  const alpha = [1, 0.1, 3], beta = [1, 0, 10], lambd = [0.5, 0, 2];
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
    "hard-mish": x => gate(x, times(1 / 2, ramp(x + 2, 0, 2))),
    hardshrink: [(x, p) => shrink(x, p.lambd, 0), { lambd }],
    softshrink: [(x, p) => shrink(x, p.lambd, 1), { lambd }],
    threshold: [(x, { amplitude, window }) => [x >= 0 ? amplitude : 0, abs(x) < window ? amplitude / (2 * window) : 0],
      { amplitude: [1, -2, 2], window: [1, 0, 3] }],
    elu: [(x, p) => decay(x, p.alpha), { alpha }],
    celu: [(x, p) => at(1 / p.alpha, x, z => times(p.alpha, decay(z, 1))), { alpha }],
    selu: x => times(1.0507009873554805, decay(x, 1.6732632423543772)),
    sigmoid: rise,
    logsigmoid: x => [Math.min(x, 0) - log1p(exp(-abs(x))), sigmoid(-x)],
    softplus: [(x, p) => times(1 / p.beta, at(p.beta, x, soft)), { beta: [1, 0.1, 5] }],
    tanh: bent,
    tanhshrink: x => { const t = tanh(x); return [x - t, t * t]; },
    softsign: x => [x / (1 + abs(x)), (1 + abs(x)) ** -2],
    talu: [(x, p) => x > 0 ? [x, 1] : x > p.threshold ? bent(x) : [tanh(p.threshold), 0], { threshold: [-0.5, -3, -0.01] }],
    sine: [(x, p) => at(p.omega, x, wave), { omega: [1, 0.1, 30] }],
    snake: [(x, { alpha: k }) => [k ? x + sin(k * x) ** 2 / k : x, 1 + sin(2 * k * x)], { alpha: [1, 0, 5] }],
    gelu: x => gate(x, normal(x)),
    "gelu-tanh": x => {
      const k = sqrt(2 / PI), [t, slope] = bent(k * (x + 0.044715 * x ** 3));
      return gate(x, [(1 + t) / 2, slope * k * (1 + 0.134145 * x * x) / 2]);
    },
    mish: x => { const [t, slope] = bent(soft(x)[0]); return gate(x, [t, slope * sigmoid(x)]); },
    silu: x => gate(x, rise(x)),
    "quick-gelu": x => acon(x, 1, 0, 1.702),
    swish: [(x, p) => acon(x, 1, 0, p.beta), { beta }],
    "acon-a": [(x, p) => acon(x, 1, 0, p.beta), { beta }],
    "acon-b": [(x, p) => acon(x, 1, p.p, p.beta), { p: [0.25, -1, 1], beta }],
    "acon-c": [(x, p) => acon(x, p.p1, p.p2, p.beta), { p1: [1, -2, 2], p2: [0.25, -2, 2], beta }],
    sqish: [(x, p) => mix(x, 1, p.alpha, d => {
      const u = Math.log(p.beta) - 2 * p.gamma * d, root = exp(-soft(u)[0] / 2);
      return [root, root * sigmoid(u) * p.gamma];
    }), { alpha: [0.25, 0, 0.9], beta: [1, 0.1, 5], gamma: [1, 0.1, 5] }],
    apalu: [(x, p) => x < 0 ? decay(x, p.b) : times(p.a, mix(x, 2, 1, d => at(1.702, d, rise))),
      { a: [0.55, 0, 2], b: [0.065, 0, 2] }],
    // As they start: ReLU on a grid from -3 to 3 (at a knot, the slope after it) and by a Fourier series, and a mean.
    lslu: x => line(x, 0),
    pwlu: x => x + 3 >= 3 ? [max(x, 0), 1] : [0, 0],
    fourier: x => [1, 2, 3, 4, 5].reduce(([y, slope], k) => {
      const [s, ds] = at(k * QUARTER, x, wave), odd = k % 2, a = odd && -2 / (PI * k * k), b = (odd ? 1 : -1) / k;
      return [y + (a * cos(k * QUARTER * x) + b * s) / QUARTER, slope + (b * ds / QUARTER - a * k * s)];
    }, [1, 0]),
    "linear-combination": x => [line(x, 0), decay(x, 1), bent(x), rise(x), soft(x)].reduce(
      ([y, slope], one) => [y + one[0] / 5, slope + one[1] / 5], [0, 0]),
    "rational-a": rational("A",
      [0.0297978975255, 0.61845880673, 2.32092674079, 3.04452094519, 1.47958305479, 0.249649702108],
      [1.14112786534, 4.38219033062, 0.868151722951, 0.345281698421]),
    "rational-b": rational("B",
      [0.0335826150978, 0.505005234713, 1.65134050532, 2.00455171488, 0.927954321987, 0.151540433612],
      [5.11135999871e-5, 3.96933907531, 3.7121848978e-5, 0.300073893195]),
    "rational-c": rational("C",
      [0.0712439869459, 1.07133474183, 3.50319030768, 4.25249211209, 1.96857428243, 0.321479737196],
      [2.02145484524, 3.93426208966e-7, 8.42077594661, 2.86578412234e-7, 0.636593488911]),
    "group-rational": rational("A",
      [3.10114833192e-7, 0.500000786377, 0.249997803814, 0.0532652162521, 0.00580253157642, 0.000275127507184],
      [4.10125717755e-6, 0.106526882784, 1.25633292805e-6, 0.000550098103827])
  };
  for (const name in POINTWISE) {
    const [pair, parameters = {}] = [].concat(POINTWISE[name]);
    const made = units[name] = unit("pointwise", 1, parameters, (x, p, dy) =>
      each(x.length, dy ? i => dy[i] * pair(x[i], p)[1] : i => pair(x[i], p)[0]));
    made.value = (x, p) => pair(x, made.full(p))[0];
    made.slope = (x, p) => pair(x, made.full(p))[1];
  }

  // ---- channels

  function channels(name, group, parameters, run, outputs) {
    units[name] = unit("channels", group, parameters, run, outputs);
  }

  /* Blocks x = a e + v, with n = |v|, to A e + w v: e is the first channel or the diagonal of the block, or 0, as the
     axis has 1, all or no channels; plane(a, n, p) is [A, w, dA/da, dA/dn, dB/da, dB/dn] with B = w n. */
  function radial(name, axis, parameters, plane) {
    channels(name, parameters.dim[0], parameters, (x, p, dy) => {
      const S = p.dim, on = p.axis === "coordinate" ? 1 : Math.min(axis, S), k = on && 1 / sqrt(on);
      const out = new Float64Array(x.length), v = new Float64Array(S);
      for (let o = 0; o < x.length; o += S) {
        let mean = 0, top = 0, square = 0, ga = 0, gu = 0;
        for (let i = 0; i < on; i++) mean += x[o + i] / on;
        for (let i = 0; i < S; i++) {
          v[i] = x[o + i] - (i < on ? mean : 0);
          top = max(top, abs(v[i]));
        }
        // Over the largest, as squares may over- or underflow.
        if (top) for (let i = 0; i < S; i++) square += (v[i] / top) ** 2;
        const n = top * sqrt(square), [A, w, Aa, An, Ba, Bn] = plane(sqrt(on) * mean, n, p);
        if (dy) {
          for (let i = 0; i < S; i++) {
            if (i < on) ga += k * dy[o + i];
            if (n) gu += dy[o + i] * (v[i] / n);
          }
        }
        const along = dy ? Aa * ga + Ba * gu - w * ga : A, out_ = dy && n ? (An * ga + (Bn - w) * gu) / n : 0;
        for (let i = 0; i < S; i++) {
          out[o + i] = (i < on ? k * along : 0) + (dy ? w * dy[o + i] + out_ * v[i] : w * v[i]);
        }
      }
      return out;
    });
    units[name].plane = (a, n, p) => plane(a, n, units[name].full(p));
  }

  const smooth = (r, k, middle) => at(k, r, z => rise(z - middle));
  /* Bounds of the ratio, and the weight of the section with its slope. */
  const WEIGHTS = {
    hard: [0, 1, r => [r, 1]],
    soft: [-1e3, 1e3, r => smooth(r, 1, 0.5)],
    firm: [-1e3, 1e3, r => smooth(r, 4, 2)],
    sqrt: [0, 1e8, r => [sqrt(r), 0.5 / sqrt(r)]],
    log: [0, 1e8, r => [log1p(r), 1 / (1 + r)]]
  };
  const cone = dim => ({ dim: [dim, 1, 8], angle: [QUARTER, 0.05, 1.52] });

  function conic(name, axis, scaling, rectified) {
    const [low, high, weight] = WEIGHTS[scaling];
    radial(name, axis, cone(4), (a, n, p) => {
      const t = p.angle === QUARTER ? 1 : Math.tan(p.angle), on = rectified && a <= 0 ? 0 : 1;
      const r = on * a ? a * t / n : 0, [held, moves] = ramp(r, low, high), [w, slope] = weight(held);
      return [on * a, w, on, 0, moves && on * slope * t, moves ? w - slope * r : w];
    });
  }
  for (const scaling in WEIGHTS) conic(scaling === "hard" ? "colu" : `colu-${scaling}`, 1, scaling);
  conic("colu-rectified", 1, "hard", true);
  conic("rcolu", Infinity, "hard");
  conic("rcolu-soft", Infinity, "soft");

  /* The nearest point of the cone, and a leak. */
  for (const [name, leak] of [["mpu", 0], ["mpu-leaky", 0.01], ["mpu-learnable", 0]]) {
    radial(name, Infinity, { ...cone(2), leak: [leak, 0, 1] }, (a, n, p) => {
      const half = p.angle === QUARTER, c = half ? Math.SQRT1_2 : cos(p.angle), s = half ? c : sin(p.angle);
      const l = p.leak, m = 1 - l, depth = m * (a * c + n * s), cross = m * c * s;
      return n * c <= a * s ? [a, 1, 1, 0, 0, 1] : a * c <= -n * s ? [l * a, l, l, 0, 0, l]
        : [depth * c + l * a, depth * s / n + l, m * c * c + l, cross, cross, m * s * s + l];
    });
  }
  const longer = (n, change) => n + change > 0 ? [0, n ? 1 + change / n : change, 0, 0, 0, 1] : [0, 0, 0, 0, 0, 0];
  radial("norm-relu", 0, { dim: [4, 1, 8], radius: [1, 0.01, 4] }, (a, n, p) => longer(n, -p.radius));
  radial("modrelu", 0, { dim: [2, 2, 2], bias: [-0.1, -2, 2] }, (a, n, p) => longer(n, p.bias));

  /* Pairs, reflected if they lie on the negative side of a line. */
  channels("householder", 2, { dim: [2, 2, 2], angle: [PI / 2, 0, 2 * PI] }, (x, { angle }, dy = x) =>
    each(x.length, i => {
      const j = i & ~1, c = cos(angle), s = sin(angle);
      return x[j] * sin(angle / 2) - x[j + 1] * cos(angle / 2) > 0 ? dy[i]
        : i === j ? c * dy[i] + s * dy[i + 1] : s * dy[j] - c * dy[i];
    }));

  channels("group-sort", 2, { dim: [2, 1, 8] }, (x, { dim }, dy) => {
    const out = new Float64Array(x.length);
    for (let o = 0; o < x.length; o += dim) {
      const places = Array.from({ length: dim }, (_, i) => o + i).sort((i, j) => x[j] - x[i]);
      places.forEach((from, i) => dy ? out[from] = dy[o + i] : out[o + i] = x[from]);
      // Torch shares a tie of two out.
      if (dy && dim === 2 && x[o] === x[o + 1]) out[o] = out[o + 1] = (dy[o] + dy[o + 1]) / 2;
    }
    return out;
  });

  const sum = (n, term) => each(n, term).reduce((a, b) => a + b, 0);
  const largest = x => x.reduce((a, b) => max(a, b), -Infinity);
  channels("softmax", null, {}, (x, p, dy) => {
    const top = largest(x), total = sum(x.length, i => exp(x[i] - top)), y = i => exp(x[i] - top) / total;
    const middle = dy && sum(x.length, i => y(i) * dy[i]);
    return each(x.length, i => dy ? y(i) * (dy[i] - middle) : y(i));
  });
  channels("sparsemax", null, {}, (x, p, dy) => {
    const top = largest(x), z = each(x.length, i => x[i] - top);
    let total = -1, threshold = 0, count = 0;
    for (const one of z.slice().sort().reverse()) {
      total += one;
      if (++count * one > total) threshold = total / count;
    }
    const on = z.map(one => one > threshold ? 1 : 0), middle = dy && sum(x.length, i => on[i] * dy[i]) / sum(x.length, i => on[i]);
    return each(x.length, i => on[i] && (dy ? dy[i] - middle : z[i] - threshold));
  });

  // Other numbers of channels come out than go in.
  channels("crelu", null, {}, (x, p, dy) => {
    const n = x.length;
    return dy ? each(n, i => x[i] > 0 ? dy[i] : x[i] < 0 ? -dy[n + i] : 0)
      : each(2 * n, i => max(i < n ? x[i] : -x[i - n], 0));
  }, n => 2 * n);
  for (const [name, opener] of [["glu", "sigmoid"], ["reglu", "relu"], ["geglu", "gelu"], ["swiglu", "silu"]]) {
    const { value, slope } = units[opener];
    channels(name, null, { dim: [2, 2, 2] }, (x, p, dy) => {
      const n = x.length / 2;
      return dy ? each(2 * n, i => i < n ? dy[i] * value(x[n + i]) : dy[i - n] * x[i - n] * slope(x[i]))
        : each(n, i => x[i] * value(x[n + i]));
    }, n => n / 2);
  }
  /* A gate for every vector of `size`, before them all; dim counts both, as they go in. */
  channels("gated", null, { size: [4, 1, 8], bias: [0, -3, 3] }, (x, { size, bias }, dy) => {
    const n = x.length / (size + 1), open = g => rise(x[g] - bias);
    return dy ? each(x.length, i => i < n ? open(i)[1] * sum(size, j => dy[i * size + j] * x[n + i * size + j])
      : open(Math.floor((i - n) / size))[0] * dy[i - n])
      : each(n * size, i => open(Math.floor(i / size))[0] * x[n + i]);
  }, (n, p) => n * p.size / (p.size + 1));
  channels("maxout", null, { dim: [2, 1, 8] }, (x, { dim }, dy) => {
    const block = i => x.slice(i * dim, (i + 1) * dim);
    return dy ? each(x.length, i => {
      const j = Math.floor(i / dim), top = largest(block(j));
      return x[i] === top ? dy[j] / block(j).filter(one => one === top).length : 0;
    }) : each(x.length / dim, i => largest(block(i)));
  }, (n, p) => n / p.dim);

  /* Norms of one vector in `groups` parts: over the root mean square, if centred less the mean. */
  const normaliser = (centred, eps, groups) =>
    unit("norm", null, { eps: [eps, 0, 1], groups: [groups, 1, 8] }, (x, p, dy) => {
      const size = x.length / p.groups, out = new Float64Array(x.length);
      for (let o = 0; o < x.length; o += size) {
        const mean = centred ? sum(size, i => x[o + i]) / size : 0;
        const scale = 1 / sqrt(sum(size, i => (x[o + i] - mean) ** 2) / size + p.eps), y = i => (x[o + i] - mean) * scale;
        const tilt = dy && centred ? sum(size, i => dy[o + i]) / size : 0;
        const along = dy && sum(size, i => dy[o + i] * y(i)) / size;
        for (let i = 0; i < size; i++) out[o + i] = dy ? scale * (dy[o + i] - tilt - y(i) * along) : y(i);
      }
      return out;
    });
  const normalise = {
    rms: normaliser(false, Number.EPSILON, 1), layer: normaliser(true, 1e-5, 1), group: normaliser(true, 1e-5, 2)
  };

  /* Random numbers by mulberry32, normal ones after Box and Muller. */
  function random(seed) {
    let state = seed >>> 0;
    function uniform() {
      state = state + 0x6d2b79f5 >>> 0;
      let z = Math.imul(state ^ state >>> 15, state | 1);
      z ^= z + Math.imul(z ^ z >>> 7, z | 61);
      return ((z ^ z >>> 14) >>> 0) / 2 ** 32;
    }
    return { uniform, normal: () => sqrt(-2 * Math.log(1 - uniform())) * cos(2 * PI * uniform()) };
  }

  // ---- a network: linear maps with a unit between them, the loss the cross-entropy of its logits

  const packed = rows => rows instanceof Float64Array ? rows : Float64Array.from(rows.flat());

  /* f of every row of n numbers, joined. */
  function byRow(x, n, f) {
    let out;
    for (let r = 0; r * n < x.length; r++) {
      const y = f(x.subarray(r * n, (r + 1) * n), r);
      out = out || new Float64Array(y.length * x.length / n);
      out.set(y, r * y.length);
    }
    return out;
  }

  /* x W' + b by rows of n numbers; W is (out, n), as in torch. */
  function affine(x, W, b, n) {
    const m = b.length, rows = x.length / n, y = new Float64Array(rows * m);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < m; j++) {
        let one = b[j], two = 0;
        // Two sums, as one would wait for itself.
        for (let i = 0; i < n; i += 2) {
          one += x[r * n + i] * W[j * n + i];
          if (i + 1 < n) two += x[r * n + i + 1] * W[j * n + i + 1];
        }
        y[r * m + j] = one + two;
      }
    }
    return y;
  }

  /* y[o...] += a x[u...], n numbers. */
  function add(y, o, a, x, u, n) {
    if (a) for (let i = 0; i < n; i++) y[o + i] += a * x[u + i];
  }

  /* frame: an orthogonal matrix Q of a block, or of all channels: the unit f becomes Q' f(Q x). */
  function perceptron({ sizes, unit: name, options, gain = 1, random: source, frame }) {
    const made = units[name], p = made.full(options), Q = frame && packed(frame), d = Q && sqrt(Q.length);
    const widths = sizes.map((n, l) => l && l < sizes.length - 1 ? made.outputs(n, p) : n);
    const biases = sizes.slice(1).map(n => new Float64Array(n));
    const weights = biases.map((b, l) => each(b.length * widths[l], () => source.normal() * gain / sqrt(widths[l])));
    const parameters = weights.flatMap((W, l) => [W, biases[l]]), last = weights.length - 1, classes = sizes[last + 1];
    const back = Q && each(d * d, i => Q[i % d * d + Math.floor(i / d)]), zeros = new Float64Array(d || 0);
    const turn = (x, matrix) => Q ? affine(x, matrix, zeros, d) : x;

    /* What goes into the linear maps, and into and out of the units, in their frame. */
    function trace(X) {
      const inputs = [packed(X)], before = [], after = [];
      for (let l = 0; ; l++) {
        const z = affine(inputs[l], weights[l], biases[l], widths[l]);
        if (l === last) return { inputs, before, after, logits: z };
        before.push(turn(z, Q));
        after.push(byRow(before[l], sizes[l + 1], row => made.forward(row, p)));
        inputs.push(turn(after[l], back));
      }
    }

    /* The loss, and its gradient in place of the logits. */
    function entropy(logits, y) {
      let loss = 0;
      for (let r = 0; r < y.length; r++) {
        const row = logits.subarray(r * classes, (r + 1) * classes), top = largest(row), own = row[y[r]] - top;
        const total = sum(classes, j => exp(row[j] - top));
        loss += (Math.log(total) - own) / y.length;
        for (let j = 0; j < classes; j++) row[j] = (exp(row[j] - top) / total - (j === y[r])) / y.length;
      }
      return loss;
    }

    /* As `parameters` are, with the loss. */
    function gradients(X, y) {
      const { inputs, before, logits } = trace(X), found = parameters.map(one => new Float64Array(one.length));
      found.loss = entropy(logits, y);
      for (let l = last, dz = logits; l >= 0; l--) {
        const m = sizes[l + 1], n = widths[l], dx = new Float64Array(l && inputs[l].length);
        for (let r = 0; r < y.length; r++) {
          add(found[2 * l + 1], 0, 1, dz, r * m, m);
          for (let j = 0; j < m; j++) {
            add(found[2 * l], j * n, dz[r * m + j], inputs[l], r * n, n);
            if (l) add(dx, r * n, dz[r * m + j], weights[l], j * n, n);
          }
        }
        if (!l) break;
        const dy = turn(dx, Q);
        dz = byRow(before[l - 1], sizes[l], (row, r) => made.backward(row, p, dy.subarray(r * n, (r + 1) * n)));
        dz = turn(dz, back);
      }
      return found;
    }

    return { weights, biases, parameters, trace, gradients,
      forward: X => trace(X).logits, loss: (X, y) => entropy(trace(X).logits, y) };
  }

  /* "sgd", with a momentum of 0.9 "momentum", or "adam", with torch's constants. */
  function optimiser(kind, rate) {
    const kept = [];
    let steps = 0;
    function step(parameters, gradients) {
      const one = 1 - 0.9 ** ++steps, two = 1 - 0.999 ** steps;
      parameters.forEach((w, k) => {
        const g = gradients[k], [m, v] = kept[k] = kept[k] || [w.map(() => 0), w.map(() => 0)];
        for (let i = 0; i < w.length; i++) {
          if (kind === "adam") {
            m[i] += 0.1 * (g[i] - m[i]);
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            w[i] -= rate / one * m[i] / (sqrt(v[i] / two) + 1e-8);
          } else {
            m[i] = g[i] + (kind === "momentum" ? 0.9 * m[i] : 0);
            w[i] -= rate * m[i];
          }
        }
      });
    }
    return { step };
  }

  window.coluMathematics = { units, normalise, random, perceptron, optimiser };
})();
