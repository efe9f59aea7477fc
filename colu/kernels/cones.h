/* What is done to cones: one of them by the letter, or VL of them at once. */

typedef struct {
    int64_t outer, groups, size, inner;        /* x is (outer, channels, inner) */
    int64_t axis_step, section, section_step;  /* channels of axis g and of its section */
    int64_t map, soft, shared, homogeneous, threads;
    double tangent, eps, cosine, sine, leak;
} Plan;
enum { COLU, RCOLU, MPU };

static double clip(double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; }
static double sign(double v) { return v / fabs(v); }

/* The 2-D projection of z (the input, or the gradient: the map is linear in each region). */
static void one_mpu(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys,
                    const Plan *P) {
    double x0 = wide(*xa), x1 = wide(*xs), z0 = x0, z1 = x1;
    double scale = clip(fmax(fabs(x0), fabs(x1)), TINY, MAXIMUM);
    int finite = fabs(x0) <= DBL_MAX && fabs(x1) <= DBL_MAX;
    if (x0 != x0 || x1 != x1) scale = NAN;
    if (ga) z0 = wide(*ga), z1 = wide(*gs);
    double t = x0 / scale, v = x1 / scale, u0 = z0, u1 = z1, k = sqrt(0.5);
    if (P->homogeneous) {
        double mean = (t + v) / 2;
        v = (t - mean) / k, t = mean / k;
        u0 = k * (z0 + z1), u1 = k * (z0 - z1);
    }
    double n = fabs(v), y0 = z0, y1 = z1;
    if (!(n * P->cosine <= t * P->sine)) {
        double s = sign(v), depth = u0 * P->cosine + (ga ? u1 * s : fabs(u1)) * P->sine;
        y0 = depth * P->cosine, y1 = depth * P->sine * s;
        if (t * P->cosine <= -n * P->sine) y0 = y1 = 0;
        if (P->homogeneous) t = k * (y0 + y1), y1 = k * (y0 - y1), y0 = t;
    }
    if (P->homogeneous && !finite) y0 = y1 = NAN; /* inf - inf */
    if (ga && !finite) y1 = NAN;
    if (P->leak != 0) {
        y0 = (1 - P->leak) * y0 + P->leak * z0;
        y1 = (1 - P->leak) * y1 + P->leak * z1;
    }
    *ya = narrow(y0);
    *ys = narrow(y1);
}

/* One cone in double, with every clamp of the reference. With `sum`, the axis is shared:
   its own output is the caller's and its extra gradient is added to *sum. */
static __attribute__((noinline)) void one(const T *xa, const T *xs, const T *ga, const T *gs,
                                          T *ya, T *ys, long step, const Plan *P, W *sum) {
    long m = P->size - 1;
    if (P->map == MPU) { one_mpu(xa, xs, ga, gs, ya, ys, P); return; }
    double mean = 0, gmean = 0, k = sqrt((double)P->size);
    if (P->map == RCOLU) {
        mean = wide(*xa), gmean = ga ? wide(*ga) : 0;
        for (long j = 0; j < m; j++) {
            mean += wide(xs[j * step]);
            gmean += ga ? wide(gs[j * step]) : 0;
        }
        mean /= P->size, gmean /= P->size;
    }
    /* For RCoLU the axis entry belongs to the section too, as entry -1. */
    long first = P->map == RCOLU ? -1 : 0;
#define S(j) (wide((j) < 0 ? *xa : xs[(j) * step]) - mean)
#define G(j) (wide((j) < 0 ? *ga : gs[(j) * step]) - gmean)
    double big = 0, square = 0, q = 0, a = P->map == RCOLU ? mean * k : wide(*xa);
    for (long j = first; j < m; j++) big = fabs(S(j)) <= big ? big : fabs(S(j));
    /* A later number would take the place of a NaN. */
    for (long j = first; j < m; j++) if (S(j) != S(j)) big = NAN;
    double scale = clip(big, TINY > P->eps ? TINY : P->eps, MAXIMUM);
    for (long j = first; j < m; j++) {
        square += S(j) / scale * (S(j) / scale);
        q += ga ? G(j) * S(j) : 0;
    }
    double norm = sqrt(square), d0 = norm + P->eps / scale, d = d0 < 1e-8 ? 1e-8 : d0;
    double l0 = a * P->tangent / scale, l = clip(l0, -1e18, 1e18);
    double r0 = (W)((W)l / (W)d); /* in the working type, where a tie is a tie */
    double lo = P->soft ? -1e3 : 0, hi = P->soft ? 1e3 : 1, r = clip(r0, lo, hi);
    double w = P->soft ? 1 / (1 + exp(0.5 - r)) : r;
    if (!ga) {
        if (!sum) *ya = P->map == RCOLU ? narrow(mean + w * S(-1)) : *xa;
        for (long j = 0; j < m; j++) ys[j * step] = narrow(mean + w * S(j));
        return;
    }
    double dr = r0 > lo && r0 < hi ? q * (P->soft ? w * (1 - w) : 1) : 0, dl = dr / d;
    double dn = d0 > 1e-8 ? -dr * l / (d * d) : 0;
    double da = (l0 > -1e18 && l0 < 1e18 ? dl : 0) * P->tangent / scale;
    double c = norm == 0 ? 0 : dn / norm / scale, rest = P->map == RCOLU ? gmean + da / k : 0;
    if (sum) *sum += (W)da;
    else *ya = narrow(P->map == RCOLU ? rest + w * G(-1) + c * (S(-1) / scale) : wide(*ga) + da);
    for (long j = 0; j < m; j++) ys[j * step] = narrow(rest + w * G(j) + c * (S(j) / scale));
#undef S
#undef G
}

/* Options that the weights need, read once. */
typedef struct { V tangent, eps; int soft, near; } Fixed;
IN Fixed fixed(const Plan *P) {
    return (Fixed){all((W)P->tangent), all((W)P->eps), P->soft != 0, P->eps != 0};
}

/* Whether some cone needs a closer look: squares out of range, or a ratio of 1 or NaN. */
IN int odd(V n2, V r) {
    const W small = SMALL2, huge = HUGE2;
    UN least, most;
    memcpy(&least, &small, sizeof least);
    memcpy(&most, &huge, sizeof most);
#if BYTES == 64 && KIND == 1
    return _mm512_cmp_epu64_mask((__m512i)((U)n2 - least), _mm512_set1_epi64(most - least), 6)
         | _mm512_cmp_pd_mask((__m512d)absolute(r - 1), (__m512d)all(TIE), _CMP_NGE_UQ);
#elif BYTES == 64
    return _mm512_cmp_epu32_mask((__m512i)((U)n2 - least), _mm512_set1_epi32(most - least), 6)
         | _mm512_cmp_ps_mask((__m512)absolute(r - 1), (__m512)all(TIE), _CMP_NGE_UQ);
#else
    return any(~(n2 > small) | ~(n2 < huge) | ~(absolute(r - 1) >= TIE));
#endif
}

/* Weights of VL cones from axis a, squared norm n2 and q = <g, s>:
   y_s = w s;  g_s = w g + c s,  g_a += k.
   Returns whether *bad, the cones that one() must redo, is set and not empty. */
IN int weights(V a, V n2, V q, Fixed f, int back, V *w, V *c, V *k, I *bad) {
    V low = vmax(n2, all(FLOOR2)), inv = rsqrt(low), id = inv;
    if (f.near) id = 1 / (low * inv + f.eps);
    V at = a * f.tangent, r = at * id;
    int redo = 0;
    if (__builtin_expect(odd(n2, r), 0)) {
        V a2 = a * a;
        if (!f.soft) r = at / (root(low) + f.eps); /* ties are exact */
        /* A tiny section is harmless where the ratio is 0, or saturated all the same. */
        I tiny = n2 < SMALL2, weak = f.near ? ~(I){0} : (a2 < 1);
        if (!f.soft) weak &= ~(a == 0);
        *bad = ~(a2 + n2 < HUGE2) | (tiny & weak);
        redo = any(*bad);
    }
    if (f.soft) {
        V x = vmin(vmax((W)0.5 - r, all(-SATURATED)), all(SATURATED));
        *w = 1 / (1 + expo(x));
    } else
        *w = vmin(vmax(r, all(0)), all(1));
    if (back) {
        I active = f.soft ? absolute(r) < SATURATED - 1 : (r > 0) & (r < 1);
        V slope = f.tangent * id * q;
        if (f.soft) slope *= *w * (1 - *w);
        *k = sel(active, slope, all(0));
        *c = sel(active, -(slope * inv) * (a * id), all(0));
        if (__builtin_expect(redo, 0)) *k = sel(*bad, all(0), *k);
    }
    return redo;
}

/* VL projections; returns whether *bad is not empty. */
IN int project(V x0, V x1, V z0, V z1, const Plan *P, V *y0, V *y1, I *bad) {
    const W cosine = (W)P->cosine, sine = (W)P->sine, leak = (W)P->leak;
    const W half = (W)0.70710678118654752440;
    V t = x0, v = x1, u0 = z0, u1 = z1;
    if (P->homogeneous) {
        t = half * (x0 + x1), v = half * (x0 - x1);
        u0 = half * (z0 + z1), u1 = half * (z0 - z1);
    }
    V n = absolute(v);
    I inside = n * cosine <= t * sine, polar = t * cosine <= -n * sine, minus = v < 0;
    V us = sel(minus, -u1, u1), depth = u0 * cosine + us * sine;
    V p0 = depth * cosine, p1 = depth * sine;
    p1 = sel(minus, -p1, p1);
    if (P->homogeneous) t = half * (p0 + p1), p1 = half * (p0 - p1), p0 = t;
    *y0 = sel(inside, z0, sel(polar, all(0), p0));
    *y1 = sel(inside, z1, sel(polar, all(0), p1));
    if (P->leak != 0) *y0 = (1 - leak) * *y0 + leak * z0, *y1 = (1 - leak) * *y1 + leak * z1;
    *bad = ~(x0 * x0 + x1 * x1 < HUGE2);
    return any(*bad);
}

