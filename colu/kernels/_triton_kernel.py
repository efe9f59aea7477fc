"""The Triton kernels; imported only where Triton is there and asked for."""

import triton
import triton.language as tl


@triton.jit
def _clip(v, low, high):
    # Comparisons, because tl.minimum and tl.maximum drop NaN.
    v = tl.where(v < low, low, v)
    return tl.where(v > high, high, v)


@triton.jit
def conic_kernel(
    x_pointer, g_pointer, y_pointer, extra_pointer, cones, groups, inner, tangent, eps, tiny, huge,
    SIZE: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, AXES_FIRST: tl.constexpr, ROTATED: tl.constexpr,
    SOFT: tl.constexpr, BACK: tl.constexpr, DOUBLE: tl.constexpr, LARGE: tl.constexpr, SHARED: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64) if LARGE else tl.program_id(0)
    cone = program * ROWS + tl.arange(0, ROWS)
    j = tl.arange(0, WIDTH)
    # Cones are numbered with the inner position fastest, so that neighbours are neighbours in memory.
    place, rest = cone % inner, cone // inner
    group, outer = rest % groups, rest // groups
    channels = groups * SIZE
    if SHARED:
        channels = 1 + groups * (SIZE - 1)
        channel = tl.where(j[None, :] == 0, 0, group[:, None] * (SIZE - 1) + j[None, :])
    elif AXES_FIRST:
        section = groups + group * (SIZE - 1)
        channel = tl.where(j[None, :] == 0, group[:, None], section[:, None] + j[None, :] - 1)
    else:
        channel = group[:, None] * SIZE + j[None, :]
    offsets = (outer * channels)[:, None] * inner + channel * inner + place[:, None]
    inside = (cone < cones)[:, None] & (j < SIZE)[None, :]
    stored = tl.load(x_pointer + offsets, mask=inside, other=0.0)
    x = stored.to(tl.float64) if DOUBLE else stored.to(tl.float32)
    axis = (j == 0)[None, :]
    # A shared axis is written by the first cone alone.
    written = inside & ((group == 0)[:, None] | (j > 0)[None, :]) if SHARED else inside
    if ROTATED:
        mean = tl.sum(x, 1)[:, None] / SIZE
        s = tl.where(inside, x - mean, 0.0)
        a = mean * tl.sqrt(SIZE * 1.0)
    else:
        a = tl.sum(tl.where(axis, x, 0.0), 1)[:, None]
        s = tl.where(axis, 0.0, x)
    scale = _clip(tl.max(tl.abs(s), 1)[:, None], tiny, huge)
    # The maximum drops NaN.
    scale = tl.where(tl.sum((s != s).to(tl.int32), 1)[:, None] > 0, float("nan"), scale)
    unit = s / scale
    norm = tl.sqrt(tl.sum(unit * unit, 1)[:, None])
    whole = norm + eps / scale
    distance = tl.where(whole < 1e-8, 1e-8, whole)
    wanted = a * tangent / scale
    level = _clip(wanted, -1e18, 1e18)
    ratio = level / distance
    low = -1e3 if SOFT else 0.0
    high = 1e3 if SOFT else 1.0
    clipped = _clip(ratio, low, high)
    if SOFT:
        w = 1 / (1 + tl.exp(0.5 - clipped))
    else:
        w = clipped
    if BACK:
        g = tl.load(g_pointer + offsets, mask=inside, other=0.0)
        g = g.to(tl.float64) if DOUBLE else g.to(tl.float32)
        gmean = tl.sum(g, 1)[:, None] / SIZE if ROTATED else 0.0
        slope = tl.sum(g * s, 1)[:, None]
        if SOFT:
            slope = slope * w * (1 - w)
        slope = tl.where((ratio > low) & (ratio < high), slope, 0.0)
        k = tl.where(tl.abs(wanted) < 1e18, slope / distance, 0.0) * tangent / scale
        c = tl.where(whole > 1e-8, -slope * level / (distance * distance), 0.0)
        c = tl.where(norm == 0, 0.0, c / norm / scale)
        if SHARED:
            # What each cone adds to the axis' gradient; the caller sums, in an order that does not change.
            tl.store(extra_pointer + cone[:, None] + tl.zeros_like(k).to(tl.int32), k, mask=(cone < cones)[:, None])
        if ROTATED:
            y = gmean + k / tl.sqrt(SIZE * 1.0) + w * (g - gmean) + c * unit
        else:
            y = tl.where(axis, g + k, w * g + c * unit)
    else:
        y = mean + w * s if ROTATED else tl.where(axis, x, w * s)
    tl.store(y_pointer + offsets, y.to(stored.dtype), mask=written)


@triton.jit
def projection_kernel(
    x_pointer, g_pointer, y_pointer, cones, groups, inner, cosine, sine, leak, tiny, huge,
    ROWS: tl.constexpr, AXES_FIRST: tl.constexpr, HOMOGENEOUS: tl.constexpr, BACK: tl.constexpr,
    LEAKY: tl.constexpr, DOUBLE: tl.constexpr, LARGE: tl.constexpr,
):  # fmt: skip
    """The projection onto two-dimensional cones; of the gradient, since the map is linear in each region."""
    program = tl.program_id(0).to(tl.int64) if LARGE else tl.program_id(0)
    cone = program * ROWS + tl.arange(0, ROWS)
    place, rest = cone % inner, cone // inner
    group, outer = rest % groups, rest // groups
    channel = group if AXES_FIRST else 2 * group
    first = (outer * 2 * groups + channel) * inner + place
    second = first + (groups if AXES_FIRST else 1) * inner
    inside_tensor = cone < cones
    stored0 = tl.load(x_pointer + first, mask=inside_tensor, other=0.0)
    stored1 = tl.load(x_pointer + second, mask=inside_tensor, other=0.0)
    x0 = stored0.to(tl.float64) if DOUBLE else stored0.to(tl.float32)
    x1 = stored1.to(tl.float64) if DOUBLE else stored1.to(tl.float32)
    size = tl.where(tl.abs(x0) > tl.abs(x1), tl.abs(x0), tl.abs(x1))
    scale = tl.where((x0 == x0) & (x1 == x1), _clip(size, tiny, huge), float("nan"))
    finite = (tl.abs(x0) <= huge) & (tl.abs(x1) <= huge)
    t, v = x0 / scale, x1 / scale
    if BACK:
        g0 = tl.load(g_pointer + first, mask=inside_tensor, other=0.0)
        g1 = tl.load(g_pointer + second, mask=inside_tensor, other=0.0)
        z0 = g0.to(tl.float64) if DOUBLE else g0.to(tl.float32)
        z1 = g1.to(tl.float64) if DOUBLE else g1.to(tl.float32)
        u0, u1 = z0, z1
    else:
        z0, z1 = x0, x1
        u0, u1 = t, v
    half = 0.7071067811865476
    if HOMOGENEOUS:
        t, v = half * (t + v), half * (t - v)
        u0, u1 = half * (u0 + u1), half * (u0 - u1)
    n = tl.abs(v)
    inside = n * cosine <= t * sine
    polar = t * cosine <= -n * sine
    sign = v / n  # NaN at infinity, as in the reference
    depth = u0 * cosine + (u1 * sign if BACK else tl.abs(u1)) * sine
    y0, y1 = depth * cosine, depth * sine * sign
    if HOMOGENEOUS:
        y0, y1 = half * (y0 + y1), half * (y0 - y1)
    if not BACK:
        y0, y1 = y0 * scale, y1 * scale
    y0 = tl.where(inside, z0, tl.where(polar, 0.0, y0))
    y1 = tl.where(inside, z1, tl.where(polar, 0.0, y1))
    if HOMOGENEOUS:
        y0 = tl.where(finite, y0, float("nan"))  # inf - inf
        y1 = tl.where(finite, y1, float("nan"))
    elif BACK:
        y1 = tl.where(finite, y1, float("nan"))
    if LEAKY:  # without, since zero times infinity is NaN
        y0 = (1 - leak) * y0 + leak * z0
        y1 = (1 - leak) * y1 + leak * z1
    tl.store(y_pointer + first, y0.to(stored0.dtype), mask=inside_tensor)
    tl.store(y_pointer + second, y1.to(stored1.dtype), mask=inside_tensor)
