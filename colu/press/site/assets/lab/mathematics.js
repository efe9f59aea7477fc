/* The mathematics of the laboratory: activations with their derivatives, norms, a small network and its training.
   Equal to the package in float64, which tests/press/site/assets/lab/test_mathematics.py checks.

   units[name]: forward(x, p) -> y and backward(x, p, dy) -> dx on arrays whose length is a multiple of p.dim;
   pointwise units have value(x, p) and slope(x, p) of a number too. What p lacks is taken from `parameters`,
   {name: [start, low, high]}. A slope at a kink is that of PyTorch. group: channels that belong together,
   null for all. outputs(n, p): how many channels come out of n. */
(function () {
  "use strict";
  const { abs, exp, log1p, max, min, sign, sqrt, tanh, PI } = Math;
  const units = {}, QUARTER = PI / 4;

  /* What all units have; `full` completes p, once for a whole array. */
  function unit(kind, group, parameters, rest) {
    const start = {};
    for (const name in parameters) start[name] = parameters[name][0];
    const full = p => !p ? start : p === start || Object.getPrototypeOf(p) === start ? p
      : Object.assign(Object.create(start), p);
    const { forward, backward } = rest;
    return Object.assign({ kind, group, parameters, full, outputs: n => n }, rest, {
      forward(x, p) { return forward(x, checked(x, full(p))); },
      backward(x, p, dy) { return backward(x, checked(x, full(p)), dy); }
    });
  }

  function checked(x, p) {
    if (x.length % (p.dim || 1)) throw new RangeError(`${x.length} channels are no multiple of dim=${p.dim}`);
    return p;
  }

  function each(x, make) {
    const y = new Float64Array(x.length);
    for (let i = 0; i < x.length; i++) y[i] = make(x[i], i);
    return y;
  }

  // ---- one number at a time

  function pointwise(name, parameters, value, slope) {
    const made = units[name] = unit("pointwise", 1, parameters, {
      forward(x, p) {
        const y = new Float64Array(x.length);
        for (let i = 0; i < x.length; i++) y[i] = value(x[i], p);
        return y;
      },
      backward(x, p, dy) {
        const dx = new Float64Array(x.length);
        for (let i = 0; i < x.length; i++) dx[i] = dy[i] * slope(x[i], p);
        return dx;
      }
    });
    made.value = (x, p) => value(x, made.full(p));
    made.slope = (x, p) => slope(x, made.full(p));
  }

  const sigmoid = x => 1 / (1 + exp(-x));
  const bump = x => { const s = sigmoid(x); return s * (1 - s); };
  // From 20 on torch takes the line.
  const softplus = x => x > 20 ? x : log1p(exp(x));
  const clip = (x, low, high) => min(max(x, low), high);
  const inside = (x, low, high) => x > low && x < high ? 1 : 0;

  /* erf by Taylor's series from the nearest knot k / 16; the table is made by the same steps. */
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
  for (let k = 0; k < 96; k++) table.push(step(k, 1 / 16));
  function erf(x) {
    const z = abs(x), k = Math.round(16 * z);
    return z >= 6 ? sign(x) : sign(x) * step(k, z - k / 16);
  }

  const flat = () => 1, none = {};
  pointwise("identity", none, x => x, flat);
  pointwise("relu", none, x => max(x, 0), x => x > 0 ? 1 : 0);
  pointwise("squared-relu", none, x => max(x, 0) ** 2, x => 2 * max(x, 0));
  const leaky = (name, parameters, of) =>
    pointwise(name, parameters, (x, p) => x > 0 ? x : of(p) * x, (x, p) => x > 0 ? 1 : of(p));
  pointwise("lslu", none, units.relu.value, units.relu.slope);
  leaky("leaky-relu", { negative_slope: [0.01, -1, 1] }, p => p.negative_slope);
  leaky("prelu", { weight: [0.25, -1, 1] }, p => p.weight);
  // In evaluation.
  leaky("rrelu", { lower: [1 / 8, 0, 1], upper: [1 / 3, 0, 1] }, p => (p.lower + p.upper) / 2);
  // It starts as ReLU on a grid from -3 to 3, with the slope to the right of a knot.
  pointwise("pwlu", none, x => max(x, 0), x => x + 3 >= 3 ? 1 : 0);
  pointwise("relu6", none, x => clip(x, 0, 6), x => inside(x, 0, 6));
  pointwise("hardtanh", { min_val: [-1, -4, 0], max_val: [1, 0, 4] },
    (x, p) => clip(x, p.min_val, p.max_val), (x, p) => inside(x, p.min_val, p.max_val));
  pointwise("hardsigmoid", none, x => clip(x + 3, 0, 6) / 6, x => inside(x, -3, 3) / 6);
  pointwise("hardswish", none, x => x * clip(x + 3, 0, 6) / 6, x => x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1);
  pointwise("hard-mish", none, x => x * clip(x + 2, 0, 2) / 2, x => x < -2 ? 0 : x > 0 ? 1 : x + 1);
  const width = { lambd: [0.5, 0, 2] };
  pointwise("hardshrink", width, (x, p) => abs(x) > p.lambd ? x : 0, (x, p) => abs(x) > p.lambd ? 1 : 0);
  pointwise("softshrink", width, (x, p) => x - clip(x, -p.lambd, p.lambd), (x, p) => abs(x) > p.lambd ? 1 : 0);
  pointwise("threshold", { amplitude: [1, -2, 2], window: [1, 0, 3] }, (x, p) => x >= 0 ? p.amplitude : 0,
    (x, p) => p.window && abs(x) <= p.window ? p.amplitude / (2 * p.window) : 0);

  const exponential = (name, parameters, outer, scale, rate) => pointwise(name, parameters,
    (x, p) => outer * (x > 0 ? x : scale(p) * Math.expm1(x * rate(p))),
    (x, p) => outer * (x > 0 ? 1 : scale(p) * rate(p) * exp(x * rate(p))));
  const alpha = { alpha: [1, 0.1, 3] };
  exponential("elu", alpha, 1, p => p.alpha, flat);
  exponential("celu", alpha, 1, p => p.alpha, p => 1 / p.alpha);
  exponential("selu", none, 1.0507009873554804934193349852946, () => 1.6732632423543772848170429916717, flat);

  pointwise("sigmoid", none, sigmoid, bump);
  pointwise("logsigmoid", none, x => min(x, 0) - log1p(exp(-abs(x))), x => sigmoid(-x));
  pointwise("softplus", { beta: [1, 0.1, 5] }, (x, p) => softplus(p.beta * x) / p.beta,
    (x, p) => p.beta * x > 20 ? 1 : sigmoid(p.beta * x));
  pointwise("tanh", none, tanh, x => 1 - tanh(x) ** 2);
  pointwise("tanhshrink", none, x => x - tanh(x), x => tanh(x) ** 2);
  pointwise("softsign", none, x => x / (1 + abs(x)), x => (1 + abs(x)) ** -2);
  pointwise("talu", { threshold: [-0.5, -3, -0.01] }, (x, p) => x > 0 ? x : tanh(max(x, p.threshold)),
    (x, p) => x > 0 ? 1 : x < p.threshold ? 0 : 1 - tanh(x) ** 2);
  pointwise("sine", { omega: [1, 0.1, 30] }, (x, p) => Math.sin(p.omega * x), (x, p) => p.omega * Math.cos(p.omega * x));
  pointwise("snake", { alpha: [1, 0, 5] }, (x, p) => p.alpha ? x + Math.sin(p.alpha * x) ** 2 / p.alpha : x,
    (x, p) => 1 + Math.sin(2 * p.alpha * x));

  /* b x + (1 - b) x g(x), of a gate g with slope dg. */
  const gate = (name, parameters, g, dg, b = () => 0) => pointwise(name, parameters,
    (x, p) => x * (b(p) + (1 - b(p)) * g(x, p)),
    (x, p) => b(p) + (1 - b(p)) * (g(x, p) + x * dg(x, p)));
  gate("gelu", none, x => (1 + erf(x / Math.SQRT2)) / 2, x => exp(-x * x / 2) / sqrt(2 * PI));
  const K = sqrt(2 / PI), inner = x => K * (x + 0.044715 * x ** 3);
  gate("gelu-tanh", none, x => (1 + tanh(inner(x))) / 2,
    x => (1 - tanh(inner(x)) ** 2) * K * (1 + 3 * 0.044715 * x * x) / 2);
  gate("mish", none, x => tanh(softplus(x)), x => (1 - tanh(softplus(x)) ** 2) * sigmoid(x));
  const shift = (x, p) => Math.log(p.beta) - 2 * p.gamma * (1 - p.alpha) * x;
  const root = (x, p) => exp(-softplus(shift(x, p)) / 2);
  gate("sqish", { alpha: [0.25, 0, 0.9], beta: [1, 0.1, 5], gamma: [1, 0.1, 5] }, root,
    (x, p) => root(x, p) * sigmoid(shift(x, p)) * p.gamma * (1 - p.alpha), p => p.alpha);

  /* The smooth maximum of p1 x and p2 x. */
  const acon = (name, parameters, first, second, beta) => pointwise(name, parameters,
    (x, p) => { const b = second(p), d = (first(p) - b) * x; return d * sigmoid(beta(p) * d) + b * x; },
    (x, p) => {
      const b = second(p), k = first(p) - b, z = beta(p) * k * x, s = sigmoid(z);
      return k * s * (1 + z * (1 - s)) + b;
    });
  const beta = [1, 0, 10], own = p => p.beta, zero = () => 0;
  acon("silu", none, flat, zero, flat);
  acon("quick-gelu", none, flat, zero, () => 1.702);
  acon("swish", { beta }, flat, zero, own);
  acon("acon-a", { beta }, flat, zero, own);
  acon("acon-b", { p: [0.25, -1, 1], beta }, flat, p => p.p, own);
  acon("acon-c", { p1: [1, -2, 2], p2: [0.25, -2, 2], beta }, p => p.p1, p => p.p2, own);
  pointwise("apalu", { a: [0.55, 0, 2], b: [0.065, 0, 2] },
    (x, p) => x >= 0 ? p.a * x * (1 + sigmoid(1.702 * x)) : p.b * Math.expm1(x),
    (x, p) => x >= 0 ? p.a * (1 + units["quick-gelu"].slope(x)) : p.b * exp(x));

  // As they start: a mean of five functions, three ReLUs, and ReLU's Fourier series on one period.
  const five = ["relu", "elu", "tanh", "sigmoid", "softplus"].map(name => units[name]);
  const mean = of => x => five.reduce((sum, one) => sum + one[of](x), 0) / 5;
  pointwise("linear-combination", none, mean("value"), mean("slope"));
  const wave = (constant, term) => x => {
    let sum = constant;
    for (let k = 1; k < 6; k++) sum += term(k, k % 2 ? -2 / (PI * k * k) : 0, (k % 2 ? 1 : -1) / k, k * QUARTER * x);
    return sum;
  };
  pointwise("fourier", none, wave(1, (k, a, b, z) => (a * Math.cos(z) + b * Math.sin(z)) / QUARTER),
    wave(0, (k, a, b, z) => k * (b * Math.cos(z) - a * Math.sin(z))));

  /* P / Q; version A: Q = 1 + sum |b_k x^k|, B: 1 + |sum b_k x^k|, C: 0.1 + |sum|, from k = 0. */
  const horner = (c, x) => { let sum = 0; for (let k = c.length; k--;) sum = sum * x + c[k]; return sum; };
  const derived = (c, x) => { let sum = 0; for (let k = c.length; --k;) sum = sum * x + k * c[k]; return sum; };
  function rational(name, version, numerator, denominator) {
    const start = { numerator, denominator };
    const given = p => p.numerator ? p : start;
    const below = b => version === "A" ? [0, ...b.map(abs)] : version === "B" ? [0, ...b] : b;
    const floor = version === "C" ? 0.1 : 1, at = x => version === "A" ? abs(x) : x;
    const value = (x, p) => horner(given(p).numerator, x) / (floor + abs(horner(below(given(p).denominator), at(x))));
    pointwise(name, none, value, (x, p) => {
      const { numerator: a, denominator } = given(p), b = below(denominator), q = horner(b, at(x));
      const turn = version === "A" ? sign(x) : q < 0 ? -1 : 1;
      return (derived(a, x) - value(x, p) * turn * derived(b, at(x))) / (floor + abs(q));
    });
    units[name].coefficients = start;
  }
  rational("rational-a", "A",
    [0.0297978975255, 0.61845880673, 2.32092674079, 3.04452094519, 1.47958305479, 0.249649702108],
    [1.14112786534, 4.38219033062, 0.868151722951, 0.345281698421]);
  rational("rational-b", "B",
    [0.0335826150978, 0.505005234713, 1.65134050532, 2.00455171488, 0.927954321987, 0.151540433612],
    [5.11135999871e-5, 3.96933907531, 3.7121848978e-5, 0.300073893195]);
  rational("rational-c", "C",
    [0.0712439869459, 1.07133474183, 3.50319030768, 4.25249211209, 1.96857428243, 0.321479737196],
    [2.02145484524, 3.93426208966e-7, 8.42077594661, 2.86578412234e-7, 0.636593488911]);
  rational("group-rational", "A",
    [3.10114833192e-7, 0.500000786377, 0.249997803814, 0.0532652162521, 0.00580253157642, 0.000275127507184],
    [4.10125717755e-6, 0.106526882784, 1.25633292805e-6, 0.000550098103827]);

  // ---- blocks of channels: y = A(a, n) e + B(a, n) v / n, of the axis a and the rest v of norm n

  function norm(x) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
    // Squares that over- or underflow.
    return sum > 1e-250 && sum < 1e250 ? sqrt(sum) : Math.hypot(...x);
  }

  /* e is the first channel, or that in which all are equal ("mean"), or there is none; `rule` returns
     [A, B / n, dA/da, dA/dn, dB/da, dB/dn]. */
  function radial(name, axis, parameters, rule) {
    function run(x, p, dy) {
      const S = p.dim, e = p.axis === "coordinate" ? "first" : axis, k = e === "mean" ? 1 / sqrt(S) : 0;
      const out = new Float64Array(x.length), v = new Float64Array(S);
      for (let o = 0; o < x.length; o += S) {
        let a = 0, ga = 0, gu = 0;
        if (e === "mean") {
          for (let i = 0; i < S; i++) a += x[o + i];
          a /= S;
        } else if (e === "first") a = x[o];
        for (let i = 0; i < S; i++) v[i] = k ? x[o + i] - a : x[o + i];
        if (e === "first") v[0] = 0;
        if (k) a *= sqrt(S);
        const n = norm(v), [A, w, Aa, An, Ba, Bn] = rule(a, n, p);
        if (!dy) {
          for (let i = 0; i < S; i++) out[o + i] = A * k + w * v[i];
          if (e === "first") out[o] = A;
          continue;
        }
        for (let i = 0; i < S; i++) {
          ga += k * dy[o + i];
          if (n) gu += dy[o + i] * (v[i] / n);
        }
        if (e === "first") ga = dy[o];
        const da = Aa * ga + Ba * gu, dn = n ? (An * ga + Bn * gu - w * gu) / n : 0;
        for (let i = 0; i < S; i++) out[o + i] = k * da + dn * v[i] + w * (dy[o + i] - k * ga);
        if (e === "first") out[o] = da;
      }
      return out;
    }
    const made = unit("channels", parameters.dim[0], parameters, { forward: run, backward: run });
    // Of the plane of axis and section alone.
    made.plane = (a, n, p) => rule(a, n, made.full(p));
    units[name] = made;
  }

  const odds = (r, steep, middle) => { const s = sigmoid(steep * r - middle); return [s, steep * s * (1 - s)]; };
  /* Low and high bound of the ratio, then the weight of the section and its slope. */
  const WEIGHTS = {
    hard: [0, 1, r => [r, 1]],
    soft: [-1e3, 1e3, r => odds(r, 1, 0.5)],
    firm: [-1e3, 1e3, r => odds(r, 4, 2)],
    sqrt: [0, 1e8, r => r > 0 ? [sqrt(r), 0.5 / sqrt(r)] : [0, 0]],
    log: [0, 1e8, r => r > 0 ? [log1p(r), 1 / (1 + r)] : [0, 0]]
  };
  const angle = [QUARTER, 0.05, 1.52], cone = size => ({ dim: [size, 1, 8], angle });

  function conic(name, axis, scaling, rectified) {
    const [low, high, weight] = WEIGHTS[scaling];
    radial(name, axis, cone(4), (a, n, p) => {
      const t = p.angle === QUARTER ? 1 : Math.tan(p.angle), on = rectified && a <= 0 ? 0 : 1;
      const A = on ? a : 0, r = A ? A * t / n : 0, held = clip(r, low, high), [w, dw] = weight(held);
      const moves = r === held ? dw : 0;
      return [A, w, on, 0, on * moves * t, w - moves * held];
    });
  }
  for (const scaling in WEIGHTS) conic(scaling === "hard" ? "colu" : `colu-${scaling}`, "first", scaling);
  conic("colu-rectified", "first", "hard", true);
  conic("rcolu", "mean", "hard");
  conic("rcolu-soft", "mean", "soft");

  /* The nearest point of the cone, and `leak` of the input. */
  function projection(a, n, p) {
    const c = p.angle === QUARTER ? Math.SQRT1_2 : Math.cos(p.angle);
    const s = p.angle === QUARTER ? c : Math.sin(p.angle), l = p.leak, m = 1 - l, depth = m * (a * c + n * s);
    if (n * c <= a * s) return [a, 1, 1, 0, 0, 1];
    if (a * c <= -n * s) return [l * a, l, l, 0, 0, l];
    return [depth * c + l * a, depth * s / n + l, m * c * c + l, m * c * s, m * c * s, m * s * s + l];
  }
  for (const [name, leak] of [["mpu", 0], ["mpu-leaky", 0.01], ["mpu-learnable", 0]]) {
    radial(name, "mean", { ...cone(2), leak: [leak, 0, 1] }, projection);
  }
  radial("norm-relu", "none", { dim: [4, 1, 8], radius: [1, 0.01, 4] }, (a, n, p) =>
    n > p.radius ? [0, (n - p.radius) / n, 0, 0, 0, 1] : [0, 0, 0, 0, 0, 0]);
  radial("modrelu", "none", { dim: [2, 2, 2], bias: [-0.1, -2, 2] }, (a, n, { bias }) =>
    n + bias > 0 ? [0, n ? (n + bias) / n : bias, 0, 0, 0, 1] : [0, 0, 0, 0, 0, 0]);

  // ---- other maps of channels

  function channels(name, group, parameters, forward, backward, outputs) {
    units[name] = unit("channels", group, parameters, { forward, backward, ...outputs && { outputs } });
  }

  /* Pairs: across a line if they lie on its negative side. */
  function reflect(x, p, dy) {
    const out = Float64Array.from(dy || x), c = Math.cos(p.angle), s = Math.sin(p.angle);
    for (let i = 0; i < x.length; i += 2) {
      if (x[i] * Math.sin(p.angle / 2) - x[i + 1] * Math.cos(p.angle / 2) > 0) continue;
      const one = out[i], two = out[i + 1];
      out[i] = c * one + s * two;
      out[i + 1] = s * one - c * two;
    }
    return out;
  }
  channels("householder", 2, { dim: [2, 2, 2], angle: [PI / 2, 0, 2 * PI] }, reflect, reflect);

  /* The places of every block of `size`, from the largest entry on. */
  function orders(x, size) {
    const places = [];
    for (let o = 0; o < x.length; o += size) {
      places.push(...Array.from({ length: size }, (_, i) => o + i).sort((i, j) => x[j] - x[i]));
    }
    return places;
  }
  channels("group-sort", 2, { dim: [2, 1, 8] }, (x, p) => Float64Array.from(orders(x, p.dim), i => x[i]),
    (x, p, dy) => {
      const dx = new Float64Array(x.length);
      orders(x, p.dim).forEach((from, to) => { dx[from] = dy[to]; });
      // A tie of two is shared out, as in torch.
      if (p.dim === 2) each(x, (_, i) => { if (x[i] === x[i ^ 1]) dx[i] = (dy[i] + dy[i ^ 1]) / 2; });
      return dx;
    });

  const dot = (x, y) => { let sum = 0; for (let i = 0; i < x.length; i++) sum += x[i] * y[i]; return sum; };
  function softmax(x) {
    const top = x.reduce((a, b) => max(a, b), -Infinity), y = each(x, one => exp(one - top));
    const sum = y.reduce((a, b) => a + b);
    return y.map(one => one / sum);
  }
  channels("softmax", null, none, softmax, (x, p, dy) => {
    const y = softmax(x), middle = dot(y, dy);
    return each(y, (one, i) => one * (dy[i] - middle));
  });
  function sparsemax(x) {
    const top = x.reduce((a, b) => max(a, b), -Infinity), ordered = each(x, one => one - top).sort().reverse();
    let sum = -1, threshold = 0;
    ordered.forEach((one, k) => {
      sum += one;
      if ((k + 1) * one > sum) threshold = sum / (k + 1);
    });
    return each(x, one => max(one - top - threshold, 0));
  }
  channels("sparsemax", null, none, sparsemax, (x, p, dy) => {
    const on = sparsemax(x).map(sign), middle = dot(on, dy) / on.reduce((a, b) => a + b);
    return each(on, (one, i) => one * (dy[i] - middle));
  });

  // ---- other numbers of channels out than in

  const join = (x, y) => { const out = new Float64Array(x.length + y.length); out.set(x); out.set(y, x.length); return out; };
  const halves = x => [x.slice(0, x.length / 2), x.slice(x.length / 2)];
  channels("crelu", null, none, x => join(each(x, one => max(one, 0)), each(x, one => max(-one, 0))),
    (x, p, dy) => each(x, (one, i) => one > 0 ? dy[i] : one < 0 ? -dy[x.length + i] : 0), n => 2 * n);
  function glu(name, gate) {
    const { value, slope } = units[gate];
    channels(name, null, { dim: [2, 2, 2] }, x => {
      const [a, b] = halves(x);
      return each(a, (one, i) => one * value(b[i]));
    }, (x, p, dy) => {
      const [a, b] = halves(x);
      return join(each(b, (one, i) => dy[i] * value(one)), each(b, (one, i) => dy[i] * a[i] * slope(one)));
    }, n => n / 2);
  }
  glu("glu", "sigmoid");
  glu("reglu", "relu");
  glu("geglu", "gelu");
  glu("swiglu", "silu");
  channels("maxout", null, { dim: [2, 1, 8] },
    (x, p) => each({ length: x.length / p.dim }, (_, i) => max(...x.slice(i * p.dim, (i + 1) * p.dim))),
    (x, p, dy) => each(x, (one, i) => {
      const o = Math.floor(i / p.dim), all = Array.from(x.slice(o * p.dim, (o + 1) * p.dim)), top = max(...all);
      return one === top ? dy[o] / all.filter(other => other === top).length : 0;
    }), (n, p) => n / (p?.dim ?? 2));

  // ---- norms, of one vector: less its mean (or not), over its root mean square, in `groups` parts

  const normaliser = (centred, eps, groups) => {
    function run(x, p, dy) {
      const size = x.length / p.groups, out = new Float64Array(x.length);
      for (let o = 0; o < x.length; o += size) {
        let mean = 0, square = 0, tilt = 0, along = 0;
        if (centred) for (let i = o; i < o + size; i++) mean += x[i] / size;
        for (let i = o; i < o + size; i++) square += (x[i] - mean) ** 2 / size;
        const s = 1 / sqrt(square + p.eps);
        if (dy) {
          for (let i = o; i < o + size; i++) {
            if (centred) tilt += dy[i] / size;
            along += dy[i] * (x[i] - mean) * s / size;
          }
        }
        for (let i = o; i < o + size; i++) {
          const y = (x[i] - mean) * s;
          out[i] = dy ? s * (dy[i] - tilt - y * along) : y;
        }
      }
      return out;
    }
    return unit("norm", null, { eps: [eps, 0, 1], groups: [groups, 1, 8] }, { forward: run, backward: run });
  };
  const normalise = {
    rms: normaliser(false, Number.EPSILON, 1), layer: normaliser(true, 1e-5, 1), group: normaliser(true, 1e-5, 2)
  };

  // ---- random numbers: mulberry32, and Box and Muller's

  function random(seed) {
    let state = seed >>> 0;
    function uniform() {
      state = state + 0x6d2b79f5 >>> 0;
      let z = Math.imul(state ^ state >>> 15, state | 1);
      z ^= z + Math.imul(z ^ z >>> 7, z | 61);
      return ((z ^ z >>> 14) >>> 0) / 2 ** 32;
    }
    return { uniform, normal: () => sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * PI * uniform()) };
  }

  // ---- a network: linear maps with a unit between them, the loss the cross-entropy of its logits

  /* y = x W' + b, for rows of x; W is (out, in) as in torch. */
  function affine(x, W, b, inner) {
    const m = b.length, rows = x.length / inner, y = new Float64Array(rows * m);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < m; j++) {
        let sum = b[j], i = 0, other = 0;
        const u = r * inner, v = j * inner;
        // Two sums at a time: one would wait for itself.
        for (; i + 1 < inner; i += 2) {
          sum += x[u + i] * W[v + i];
          other += x[u + i + 1] * W[v + i + 1];
        }
        if (i < inner) sum += x[u + i] * W[v + i];
        y[r * m + j] = sum + other;
      }
    }
    return y;
  }

  /* y[o..] += a x[u..], n entries. */
  function add(y, o, a, x, u, n) {
    if (a) for (let i = 0; i < n; i++) y[o + i] += a * x[u + i];
  }

  const packed = rows => rows instanceof Float64Array ? rows : Float64Array.from(rows.flat());

  function perceptron({ sizes, unit: name, options, gain = 1, random: source, frame }) {
    const made = units[name], p = made.full(options), Q = frame && packed(frame);
    const d = Q && sqrt(Q.length), weights = [], biases = [], parameters = [], inner = [];
    for (let l = 1; l < sizes.length; l++) {
      inner.push(l === 1 ? sizes[0] : made.outputs(sizes[l - 1], p));
      weights.push(each({ length: inner[l - 1] * sizes[l] }, () => source.normal() * gain / sqrt(inner[l - 1])));
      biases.push(new Float64Array(sizes[l]));
      parameters.push(weights[l - 1], biases[l - 1]);
    }
    const zeros = new Float64Array(d || 0), turned = Q && each(Q, (_, i) => Q[i % d * d + Math.floor(i / d)]);
    const turn = (x, matrix) => Q ? affine(x, matrix, zeros, d) : x;
    /* A unit of all channels goes row by row. */
    function by(x, width, dy, back) {
      if (made.group) return dy ? made.backward(x, p, dy) : made.forward(x, p);
      const rows = x.length / width, w = dy ? width : back, out = new Float64Array(rows * w), k = dy && dy.length / rows;
      for (let r = 0; r < rows; r++) {
        const one = x.subarray(r * width, (r + 1) * width);
        out.set(dy ? made.backward(one, p, dy.subarray(r * k, (r + 1) * k)) : made.forward(one, p), r * w);
      }
      return out;
    }

    /* What goes into and comes out of every unit (in its frame), and into every linear map. */
    function trace(X) {
      let x = packed(X);
      const before = [], after = [], inputs = [x];
      for (let l = 0; l < weights.length; l++) {
        x = affine(x, weights[l], biases[l], inner[l]);
        if (l === weights.length - 1) break;
        before.push(turn(x, Q));
        after.push(by(before[l], sizes[l + 1], null, inner[l + 1]));
        inputs.push(x = turn(after[l], turned));
      }
      return { before, after, inputs, logits: x };
    }

    /* The loss, and in place of the logits its gradient. */
    function entropy(logits, y) {
      const classes = sizes[sizes.length - 1];
      let loss = 0;
      for (let r = 0; r < y.length; r++) {
        const row = logits.subarray(r * classes, (r + 1) * classes), own = row[y[r]], top = max(...row);
        let sum = 0;
        for (let j = 0; j < classes; j++) sum += row[j] = exp(row[j] - top);
        loss += (Math.log(sum) + top - own) / y.length;
        for (let j = 0; j < classes; j++) row[j] = (row[j] / sum - (j === y[r])) / y.length;
      }
      return loss;
    }

    function gradients(X, y) {
      const { before, inputs, logits } = trace(X), found = parameters.map(one => new Float64Array(one.length));
      found.loss = entropy(logits, y);
      let dz = logits;
      for (let l = weights.length - 1; l >= 0; l--) {
        const m = sizes[l + 1], n = inner[l], x = inputs[l], dx = new Float64Array(l && x.length);
        for (let r = 0; r < y.length; r++) {
          add(found[2 * l + 1], 0, 1, dz, r * m, m);
          for (let j = 0; j < m; j++) {
            add(found[2 * l], j * n, dz[r * m + j], x, r * n, n);
            if (l) add(dx, r * n, dz[r * m + j], weights[l], j * n, n);
          }
        }
        if (l) dz = turn(by(before[l - 1], sizes[l], turn(dx, Q)), turned);
      }
      return found;
    }

    return {
      weights, biases, parameters, trace, gradients,
      forward: X => trace(X).logits, loss: (X, y) => entropy(trace(X).logits, y)
    };
  }

  /* SGD ("sgd"), with a momentum of 0.9 ("momentum"), or Adam ("adam"), with torch's defaults. */
  function optimiser(kind, rate) {
    const kept = [];
    let steps = 0;
    function step(parameters, gradients) {
      const one = 1 - 0.9 ** ++steps, two = 1 - 0.999 ** steps;
      parameters.forEach((w, k) => {
        const g = gradients[k], [m, v] = kept[k] = kept[k] || [new Float64Array(w.length), new Float64Array(w.length)];
        for (let i = 0; i < w.length; i++) {
          if (kind === "adam") {
            m[i] += 0.1 * (g[i] - m[i]);
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            w[i] -= rate / one * m[i] / (sqrt(v[i] / two) + 1e-8);
          } else {
            m[i] = kind === "momentum" ? 0.9 * m[i] + g[i] : g[i];
            w[i] -= rate * m[i];
          }
        }
      });
    }
    return { step };
  }

  window.coluMathematics = { units, normalise, random, perceptron, optimiser };
})();
