"""The Triton kernel; imported only where Triton is there and asked for."""

import triton
import triton.language as tl


@triton.jit
def _clip(v, low, high):
    # Comparisons, because tl.minimum and tl.maximum drop NaN.
    v = tl.where(v < low, low, v)
    return tl.where(v > high, high, v)


@triton.jit
def conic_kernel(
    x_pointer, g_pointer, y_pointer, cones, groups, inner, tangent, eps, tiny, huge,
    SIZE: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, AXES_FIRST: tl.constexpr, ROTATED: tl.constexpr,
    SOFT: tl.constexpr, BACK: tl.constexpr, DOUBLE: tl.constexpr, LARGE: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64) if LARGE else tl.program_id(0)
    cone = program * ROWS + tl.arange(0, ROWS)
    j = tl.arange(0, WIDTH)
    # Cones are numbered with the inner position fastest, so that neighbours are neighbours in memory.
    place, rest = cone % inner, cone // inner
    group, outer = rest % groups, rest // groups
    if AXES_FIRST:
        section = groups + group * (SIZE - 1)
        channel = tl.where(j[None, :] == 0, group[:, None], section[:, None] + j[None, :] - 1)
    else:
        channel = group[:, None] * SIZE + j[None, :]
    offsets = (outer * groups * SIZE)[:, None] * inner + channel * inner + place[:, None]
    inside = (cone < cones)[:, None] & (j < SIZE)[None, :]
    stored = tl.load(x_pointer + offsets, mask=inside, other=0.0)
    x = stored.to(tl.float64) if DOUBLE else stored.to(tl.float32)
    axis = (j == 0)[None, :]
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
        if ROTATED:
            y = gmean + k / tl.sqrt(SIZE * 1.0) + w * (g - gmean) + c * unit
        else:
            y = tl.where(axis, g + k, w * g + c * unit)
    else:
        y = mean + w * s if ROTATED else tl.where(axis, x, w * s)
    tl.store(y_pointer + offsets, y.to(stored.dtype), mask=inside)
