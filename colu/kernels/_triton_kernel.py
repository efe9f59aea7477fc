"""The Triton kernels; imported only where Triton is there and asked for."""

import triton
import triton.language as tl


@triton.jit
def _clip(v, low, high):
    # Comparisons, because tl.minimum and tl.maximum drop NaN.
    v = tl.where(v < low, low, v)
    return tl.where(v > high, high, v)


@triton.jit
def _sum(v, ALONG: tl.constexpr):
    return tl.expand_dims(tl.sum(v, ALONG), ALONG)


@triton.jit
def conic_kernel(
    x_pointer, g_pointer, y_pointer, extra_pointer, cones, groups, inner, tangent, eps, tiny, huge,
    SIZE: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, AXES_FIRST: tl.constexpr, ROTATED: tl.constexpr,
    SOFT: tl.constexpr, BACK: tl.constexpr, DOUBLE: tl.constexpr, LARGE: tl.constexpr, SHARED: tl.constexpr,
    RUN: tl.constexpr, SECOND: tl.constexpr,
):  # fmt: skip
    # The axis of the tile along which a cone lies; the other one is contiguous with channels second.
    ALONG: tl.constexpr = 0 if SECOND else 1
    program = tl.program_id(0).to(tl.int64) if LARGE else tl.program_id(0)
    j = tl.arange(0, WIDTH)
    entry = tl.expand_dims(j, 1 - ALONG)
    axis = entry == 0
    # Cones are numbered with the inner position fastest, so that neighbours are neighbours in memory.
    if SECOND:
        place = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        group, outer = program % groups, program // groups
        cone, valid = program * inner + place, place < inner
        held = entry * 0 + group
    else:
        cone = program * ROWS + tl.arange(0, ROWS)
        valid = cone < cones
        place, rest = cone % inner, cone // inner
        group, outer = rest % groups, rest // groups
        held = tl.expand_dims(group, 1)
    channels = groups * SIZE
    if SHARED:
        channels = 1 + groups * (SIZE - 1)
        channel = tl.where(axis, 0, held * (SIZE - 1) + entry)
    elif AXES_FIRST:
        channel = tl.where(axis, held, groups + held * (SIZE - 1) + entry - 1)
    else:
        channel = held * SIZE + entry
    if RUN and SIZE == WIDTH:
        # Blocks with channels last are one run of memory, which threads load in pieces of 16 bytes.
        offsets = program * ROWS * WIDTH + tl.arange(0, ROWS * WIDTH)
        inside = offsets < cones * SIZE
    elif RUN:
        offsets = tl.expand_dims(cone * SIZE, 1) + entry
    elif SECOND:
        offsets = outer * channels * inner + channel * inner + tl.expand_dims(place, 0)
    else:
        offsets = tl.expand_dims(outer * channels * inner, 1) + channel * inner + tl.expand_dims(place, 1)
    if not (RUN and SIZE == WIDTH):
        inside = tl.expand_dims(valid, ALONG) & (entry < SIZE)
    stored = tl.load(x_pointer + offsets, mask=inside, other=0.0)
    if BACK:
        # Here, so that both loads are under way before the first is used.
        loaded = tl.load(g_pointer + offsets, mask=inside, other=0.0)
        if RUN and SIZE == WIDTH:
            loaded = tl.reshape(loaded, (ROWS, WIDTH))
    if RUN and SIZE == WIDTH:
        stored = tl.reshape(stored, (ROWS, WIDTH))
    x = stored.to(tl.float64) if DOUBLE else stored.to(tl.float32)
    # A shared axis is written by the first cone alone.
    written = inside & ((held == 0) | (entry > 0)) if SHARED else inside
    if ROTATED:
        mean = _sum(x, ALONG) / SIZE
        s = tl.where(entry < SIZE, x - mean, 0.0)
        a = mean * tl.sqrt(SIZE * 1.0)
    else:
        a = _sum(tl.where(axis, x, 0.0), ALONG)
        s = tl.where(axis, 0.0, x)
    # A quarter of the largest number still has a reciprocal.
    scale = _clip(tl.expand_dims(tl.max(tl.abs(s), ALONG), ALONG), tiny, 0.25 * huge)
    unit = s * (1 / scale)
    norm = tl.sqrt(_sum(unit * unit, ALONG))
    # The maximum drops NaN, but the norm has it.
    scale = tl.where(norm != norm, norm, scale)
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
        g = loaded.to(tl.float64) if DOUBLE else loaded.to(tl.float32)
        gmean = _sum(g, ALONG) / SIZE if ROTATED else 0.0
        slope = _sum(g * s, ALONG)
        if SOFT:
            slope = slope * w * (1 - w)
        slope = tl.where((ratio > low) & (ratio < high), slope, 0.0)
        k = tl.where(tl.abs(wanted) < 1e18, slope / distance, 0.0) * tangent / scale
        c = tl.where(whole > 1e-8, -slope * level / (distance * distance), 0.0)
        c = tl.where(norm == 0, 0.0, c / norm / scale)
        if SHARED:
            # What each cone adds to the axis' gradient; the caller sums, in an order that does not change.
            where = tl.expand_dims(cone, ALONG) + tl.zeros_like(k).to(tl.int32)
            tl.store(extra_pointer + where, k, mask=tl.expand_dims(valid, ALONG))
        if ROTATED:
            y = gmean + k / tl.sqrt(SIZE * 1.0) + w * (g - gmean) + c * unit
        else:
            y = tl.where(axis, g + k, w * g + c * unit)
    else:
        y = mean + w * s if ROTATED else tl.where(axis, x, w * s)
    if RUN and SIZE == WIDTH:
        y = tl.reshape(y, (ROWS * WIDTH,))
    tl.store(y_pointer + offsets, y.to(stored.dtype), mask=written)


@triton.jit
def wide_kernel(
    x_pointer, g_pointer, y_pointer, extra_pointer, cones, groups, inner, tangent, eps, tiny, huge,
    SIZE: tl.constexpr, PLACES: tl.constexpr, AXES_FIRST: tl.constexpr, ROTATED: tl.constexpr, SOFT: tl.constexpr,
    BACK: tl.constexpr, DOUBLE: tl.constexpr, LARGE: tl.constexpr, SHARED: tl.constexpr, RUN: tl.constexpr,
):  # fmt: skip
    """Each thread walks along its cones: no cone has to fit the registers, and no size is padded to a power of two.

    With channels second a program has a run of ``inner`` positions;
    with ``RUN`` the ``cones`` follow each other in memory, and a program has a run of them.
    """
    program = tl.program_id(0).to(tl.int64) if LARGE else tl.program_id(0)
    if RUN:
        place = program * PLACES + tl.arange(0, PLACES)
        inside = place < cones
    else:
        place = tl.program_id(1) * PLACES + tl.arange(0, PLACES)
        inside = place < inner
    group, outer = program % groups, program // groups
    if SHARED:
        channels, axis_channel, section = 1 + groups * (SIZE - 1), group * 0, 1 + group * (SIZE - 1)
    elif AXES_FIRST:
        channels, axis_channel, section = groups * SIZE, group, groups + group * (SIZE - 1)
    else:
        channels, axis_channel, section = groups * SIZE, group * SIZE, group * SIZE + 1
    kind = tl.float64 if DOUBLE else tl.float32
    start = outer * channels * inner
    if RUN:
        axis_at = place * SIZE
        section_at = axis_at + 1
    else:
        axis_at = start + axis_channel * inner + place
        section_at = start + section * inner + place
    stored = tl.load(x_pointer + axis_at, mask=inside, other=0.0)
    axis = stored.to(kind)
    mean = tl.zeros_like(axis)
    gmean = tl.zeros_like(axis)
    if BACK:
        gaxis = tl.load(g_pointer + axis_at, mask=inside, other=0.0).to(kind)
    if ROTATED:
        for j in tl.range(0, SIZE - 1, loop_unroll_factor=4):
            mean += tl.load(x_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind)
            if BACK:
                gmean += tl.load(g_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind)
        mean = (mean + axis) / SIZE
        if BACK:
            gmean = (gmean + gaxis) / SIZE
        a = mean * tl.sqrt(SIZE * 1.0)
        first = axis - mean
    else:
        a = axis
        first = tl.zeros_like(axis)
    scale = tl.abs(first)
    for j in tl.range(0, SIZE - 1, loop_unroll_factor=4):
        s = tl.load(x_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind) - mean
        scale = tl.where(tl.abs(s) > scale, tl.abs(s), scale)
    scale = _clip(scale, tiny, 0.25 * huge)
    inverse = 1 / scale
    total = (first * inverse) * (first * inverse)
    slope = gaxis * first if BACK else total
    for j in tl.range(0, SIZE - 1, loop_unroll_factor=4):
        s = tl.load(x_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind) - mean
        total += (s * inverse) * (s * inverse)
        if BACK:
            slope += s * tl.load(g_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind)
    norm = tl.sqrt(total)
    # The maximum drops NaN, but the norm has it.
    scale = tl.where(norm != norm, norm, scale)
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
        if SOFT:
            slope = slope * w * (1 - w)
        slope = tl.where((ratio > low) & (ratio < high), slope, 0.0)
        k = tl.where(tl.abs(wanted) < 1e18, slope / distance, 0.0) * tangent / scale
        c = tl.where(whole > 1e-8, -slope * level / (distance * distance), 0.0)
        c = tl.where(norm == 0, 0.0, c / norm / scale)
        if SHARED:
            tl.store(extra_pointer + program * inner + place, k, mask=inside)
        if ROTATED:
            along = gmean + k / tl.sqrt(SIZE * 1.0)
            y = along + w * (gaxis - gmean) + c * (first * inverse)
        else:
            along = tl.zeros_like(axis)
            y = gaxis + k
    else:
        y = mean + w * first if ROTATED else axis
    tl.store(y_pointer + axis_at, y.to(stored.dtype), mask=inside & (place * 0 + group == 0) if SHARED else inside)
    for j in tl.range(0, SIZE - 1, loop_unroll_factor=4):
        s = tl.load(x_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind) - mean
        if BACK:
            g = tl.load(g_pointer + section_at + j * inner, mask=inside, other=0.0).to(kind)
            y = along + w * (g - gmean) + c * (s * inverse)
        else:
            y = mean + w * s
        tl.store(y_pointer + section_at + j * inner, y.to(stored.dtype), mask=inside)


@triton.jit
def projection_kernel(
    x_pointer, g_pointer, y_pointer, cones, groups, inner, cosine, sine, leak, tiny, huge,
    ROWS: tl.constexpr, AXES_FIRST: tl.constexpr, HOMOGENEOUS: tl.constexpr, BACK: tl.constexpr,
    LEAKY: tl.constexpr, DOUBLE: tl.constexpr, LARGE: tl.constexpr, SECOND: tl.constexpr, RUN: tl.constexpr,
):  # fmt: skip
    """The projection onto two-dimensional cones; of the gradient, since the map is linear in each region."""
    program = tl.program_id(0).to(tl.int64) if LARGE else tl.program_id(0)
    if SECOND:
        place = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        group, outer = program % groups, program // groups
        valid = place < inner
    else:
        cone = program * ROWS + tl.arange(0, ROWS)
        valid = cone < cones
        place, rest = cone % inner, cone // inner
        group, outer = rest % groups, rest // groups
    channel = group if AXES_FIRST else 2 * group
    first = (outer * 2 * groups + channel) * inner + place
    second = first + (groups if AXES_FIRST else 1) * inner
    if RUN:
        # One run of memory, which threads load in pieces of 16 bytes.
        pair = program * 2 * ROWS + tl.arange(0, 2 * ROWS)
        both = pair < 2 * cones
        stored0, stored1 = tl.split(tl.reshape(tl.load(x_pointer + pair, mask=both, other=0.0), (ROWS, 2)))
    else:
        stored0 = tl.load(x_pointer + first, mask=valid, other=0.0)
        stored1 = tl.load(x_pointer + second, mask=valid, other=0.0)
    x0 = stored0.to(tl.float64) if DOUBLE else stored0.to(tl.float32)
    x1 = stored1.to(tl.float64) if DOUBLE else stored1.to(tl.float32)
    size = tl.where(tl.abs(x0) > tl.abs(x1), tl.abs(x0), tl.abs(x1))
    scale = tl.where((x0 == x0) & (x1 == x1), _clip(size, tiny, 0.25 * huge), float("nan"))
    finite = (tl.abs(x0) <= huge) & (tl.abs(x1) <= huge)
    inverse = 1 / scale
    t, v = x0 * inverse, x1 * inverse
    if BACK:
        if RUN:
            g0, g1 = tl.split(tl.reshape(tl.load(g_pointer + pair, mask=both, other=0.0), (ROWS, 2)))
        else:
            g0 = tl.load(g_pointer + first, mask=valid, other=0.0)
            g1 = tl.load(g_pointer + second, mask=valid, other=0.0)
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
    sign = tl.where(v < 0, -1.0, 1.0) + (v - v)  # NaN at infinity, as in the reference
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
    if RUN:
        tl.store(y_pointer + pair, tl.reshape(tl.join(y0, y1), (2 * ROWS,)).to(stored0.dtype), mask=both)
    else:
        tl.store(y_pointer + first, y0.to(stored0.dtype), mask=valid)
        tl.store(y_pointer + second, y1.to(stored1.dtype), mask=valid)
