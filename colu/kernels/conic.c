/* Fused CoLU, RCoLU and MPU (m = 2): forward, and backward from the input alone.

   Built once for every storage type: -DKIND=0 float, 1 double, 2 bfloat16, 3 float16.
   Half types are computed in float. Vectors are GCC/Clang vector extensions of the widest
   size of the target, so one source serves AVX-512, AVX2, NEON and plain C.

   A cone has one axis entry a and m = size - 1 section entries s. Four ways through memory:
     planes   channels have a stride: a run of cones is m + 1 parallel streams
     tile     channels last, size a power of two: whole cones in a vector, sums by butterfly
     rows     channels last, long sections: one cone after the other
     scratch  channels last, other sizes: transpose a few cones, then planes
   Cones with a vanishing, huge or non-finite entry are redone one by one in double by
   one(), which is the reference formula to the letter. */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define IN static inline __attribute__((always_inline))

#if KIND == 1
typedef double W;
typedef int64_t N;
#define TINY DBL_MIN
#define MAXIMUM DBL_MAX
#define HUGE2 1e280
#define SMALL2 1e-280
#define FLOOR2 1e-300
#define TIE 1e-13
#define SATURATED 700
#else
typedef float W;
typedef int32_t N;
#define TINY FLT_MIN
#define MAXIMUM FLT_MAX
#define HUGE2 1e30f
#define SMALL2 1e-30f
#define FLOOR2 1e-36f
#define TIE 1e-5f
#define SATURATED 80
#endif
enum { VL = BYTES / sizeof(W), SCRATCH = 128, STRIP = 1024 };
typedef W V __attribute__((vector_size(BYTES)));
typedef N I __attribute__((vector_size(BYTES)));

#if KIND == 0 || KIND == 1
typedef W T;
IN V load(const T *p) { V v; memcpy(&v, p, BYTES); return v; }
IN void store(T *p, V v) { memcpy(p, &v, BYTES); }
static double wide(T v) { return v; }
static T narrow(double v) { return (T)v; }
#elif KIND == 2
typedef uint16_t T;
typedef uint16_t H __attribute__((vector_size(BYTES / 2)));
typedef uint32_t U __attribute__((vector_size(BYTES)));
IN V load(const T *p) {
    H h;
    memcpy(&h, p, sizeof h);
    return (V)(__builtin_convertvector(h, U) << 16);
}
IN void store(T *p, V v) { /* to nearest even; NaN stays NaN */
    U u = (U)v, bad = (U)(v != v);
    u = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    H h = __builtin_convertvector((u & ~bad) | (0x7fc0 & bad), H);
    memcpy(p, &h, sizeof h);
}
static double wide(T v) { uint32_t u = (uint32_t)v << 16; float f; memcpy(&f, &u, 4); return f; }
static T narrow(double v) {
    float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, 4);
    return f != f ? 0x7fc0 : (T)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
#else
typedef _Float16 T; /* no such type: the build fails and another path is taken */
#if defined(__AVX512F__)
IN V load(const T *p) { return (V)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
IN void store(T *p, V v) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)v, 0)); }
#elif defined(__F16C__)
IN V load(const T *p) { return (V)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
IN void store(T *p, V v) { _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)v, 0)); }
#else
IN V load(const T *p) { V v; for (int i = 0; i < VL; i++) v[i] = p[i]; return v; }
IN void store(T *p, V v) { for (int i = 0; i < VL; i++) p[i] = (T)v[i]; }
#endif
static double wide(T v) { return v; }
static T narrow(double v) { return (T)(float)v; }
#endif

/* The first k entries; the others are zero, or left alone. */
#if defined(__AVX512BW__) && defined(__AVX512VL__) && KIND == 0
IN V loadn(const T *p, long k) { return (V)_mm512_maskz_loadu_ps((__mmask16)((1u << k) - 1), p); }
IN void storen(T *p, V v, long k) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << k) - 1), (__m512)v); }
#elif defined(__AVX512BW__) && defined(__AVX512VL__) && KIND == 1
IN V loadn(const T *p, long k) { return (V)_mm512_maskz_loadu_pd((__mmask8)((1u << k) - 1), p); }
IN void storen(T *p, V v, long k) { _mm512_mask_storeu_pd(p, (__mmask8)((1u << k) - 1), (__m512d)v); }
#else
#if defined(__AVX512BW__) && defined(__AVX512VL__)
IN V loadn(const T *p, long k) {
    T t[VL];
    _mm256_storeu_si256((__m256i *)t, _mm256_maskz_loadu_epi16((__mmask16)((1u << k) - 1), p));
    return load(t);
}
IN void storen(T *p, V v, long k) {
    T t[VL];
    store(t, v);
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << k) - 1), _mm256_loadu_si256((const __m256i *)t));
}
#else
IN V loadn(const T *p, long k) { T t[VL] = {0}; memcpy(t, p, k * sizeof(T)); return load(t); }
IN void storen(T *p, V v, long k) { T t[VL]; store(t, v); memcpy(p, t, k * sizeof(T)); }
#endif
#endif

IN V all(W a) { return a - (V){0}; }
IN V sel(I m, V a, V b) { return (V)((m & (I)a) | (~m & (I)b)); }
IN V absolute(V a) { return (V)((I)a & ~(I)all(-(W)0)); }
#if defined(__AVX512F__) && KIND == 1
IN V vmax(V a, V b) { return (V)_mm512_max_pd((__m512d)a, (__m512d)b); }
IN V vmin(V a, V b) { return (V)_mm512_min_pd((__m512d)a, (__m512d)b); }
IN V root(V a) { return (V)_mm512_sqrt_pd((__m512d)a); }
IN int any(I m) { return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0; }
#elif defined(__AVX512F__)
IN V vmax(V a, V b) { return (V)_mm512_max_ps((__m512)a, (__m512)b); }
IN V vmin(V a, V b) { return (V)_mm512_min_ps((__m512)a, (__m512)b); }
IN V root(V a) { return (V)_mm512_sqrt_ps((__m512)a); }
IN int any(I m) { return _mm512_test_epi32_mask((__m512i)m, (__m512i)m) != 0; }
#else
IN V vmax(V a, V b) { return sel(a > b, a, b); }
IN V vmin(V a, V b) { return sel(a < b, a, b); }
#if defined(__AVX__) && KIND == 1
IN V root(V a) { return (V)_mm256_sqrt_pd((__m256d)a); }
#elif defined(__AVX__)
IN V root(V a) { return (V)_mm256_sqrt_ps((__m256)a); }
#else
IN V root(V a) { for (int i = 0; i < VL; i++) a[i] = KIND == 1 ? sqrt(a[i]) : sqrtf(a[i]); return a; }
#endif
IN int any(I m) { N r = 0; for (int i = 0; i < VL; i++) r |= m[i]; return r != 0; }
#endif

IN V rsqrt(V a) { /* an estimate and Newton steps cost a third of a root and a division */
#if KIND == 1
    return 1 / root(a);
#elif defined(__AVX512F__)
    V y = (V)_mm512_rsqrt14_ps((__m512)a);
    return y * (1.5f - 0.5f * a * y * y);
#elif defined(__AVX__)
    V y = (V)_mm256_rsqrt_ps((__m256)a);
    y = y * (1.5f - 0.5f * a * y * y);
    return y * (1.5f - 0.5f * a * y * y);
#else
    return 1 / root(a);
#endif
}

IN V expo(V x) { /* exp for |x| <= 708 (double), 87 (float): 2^n times a Taylor sum */
#if KIND == 1
    static const W inverse[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                                1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
    const W magic = 6755399441055744.0, high = 0.693147180369123816490, low = 1.90821492927058770002e-10;
    enum { mantissa = 52, bias = 1023, terms = 14 };
#else
    static const W inverse[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
    const W magic = 12582912.0f, high = 0.693359375f, low = -2.12194440e-4f;
    enum { mantissa = 23, bias = 127, terms = 8 };
#endif
    V t = x * (W)1.4426950408889634 + magic, n = t - magic;
    V r = x - n * high - n * low, sum = all(inverse[0]);
    for (int i = 1; i < terms; i++) sum = sum * r + inverse[i];
    return sum * (V)(((I)t - (I)all(magic) + bias) << mantissa);
}

typedef struct {
    int64_t outer, groups, size, inner;        /* x is (outer, channels, inner) */
    int64_t axis_step, section, section_step;  /* channel of axis g and of its first section entry */
    int64_t map, soft, shared, homogeneous, threads;
    double tangent, eps, cosine, sine, leak;
} Plan;
enum { COLU, RCOLU, MPU };

static double clip(double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; }
static double sign(double v) { return v / fabs(v); }

/* The 2-D projection of z (the input, or the gradient: the map is linear in each region). */
static void one_mpu(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, const Plan *P) {
    double x0 = wide(*xa), x1 = wide(*xs), z0 = x0, z1 = x1, scale = clip(fmax(fabs(x0), fabs(x1)), TINY, MAXIMUM);
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
    if (P->homogeneous && !(fabs(x0) <= DBL_MAX && fabs(x1) <= DBL_MAX)) y0 = y1 = NAN; /* inf - inf */
    if (ga && !(fabs(x0) <= DBL_MAX && fabs(x1) <= DBL_MAX)) y1 = NAN;
    if (P->leak != 0) y0 = (1 - P->leak) * y0 + P->leak * z0, y1 = (1 - P->leak) * y1 + P->leak * z1;
    *ya = narrow(y0);
    *ys = narrow(y1);
}

/* One cone in double, with every clamp of the reference. With `sum`, the axis is shared:
   its own output is the caller's and its extra gradient is added to *sum. */
static __attribute__((noinline)) void one(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys,
                                          long step, const Plan *P, W *sum) {
    long m = P->size - 1;
    if (P->map == MPU) { one_mpu(xa, xs, ga, gs, ya, ys, P); return; }
    double mean = 0, gmean = 0, k = sqrt((double)P->size);
    if (P->map == RCOLU) {
        mean = wide(*xa), gmean = ga ? wide(*ga) : 0;
        for (long j = 0; j < m; j++) mean += wide(xs[j * step]), gmean += ga ? wide(gs[j * step]) : 0;
        mean /= P->size, gmean /= P->size;
    }
    /* For RCoLU the axis entry belongs to the section too, as entry -1. */
    long first = P->map == RCOLU ? -1 : 0;
#define S(j) (wide((j) < 0 ? *xa : xs[(j) * step]) - mean)
#define G(j) (wide((j) < 0 ? *ga : gs[(j) * step]) - gmean)
    double big = 0, square = 0, q = 0, a = P->map == RCOLU ? mean * k : wide(*xa);
    for (long j = first; j < m; j++) big = fabs(S(j)) <= big ? big : fabs(S(j)); /* keeps NaN: see below */
    for (long j = first; j < m; j++) if (S(j) != S(j)) big = NAN;
    double scale = clip(big, TINY > P->eps ? TINY : P->eps, MAXIMUM);
    for (long j = first; j < m; j++) square += S(j) / scale * (S(j) / scale), q += ga ? G(j) * S(j) : 0;
    double norm = sqrt(square), d0 = norm + P->eps / scale, d = d0 < 1e-8 ? 1e-8 : d0;
    double l0 = a * P->tangent / scale, l = clip(l0, -1e18, 1e18), r0 = l / d;
    double lo = P->soft ? -1e3 : 0, hi = P->soft ? 1e3 : 1, r = clip(r0, lo, hi);
    double w = P->soft ? 1 / (1 + exp(0.5 - r)) : r;
    if (!ga) {
        if (!sum) *ya = P->map == RCOLU ? narrow(mean + w * S(-1)) : *xa;
        for (long j = 0; j < m; j++) ys[j * step] = narrow(mean + w * S(j));
        return;
    }
    double dr = r0 > lo && r0 < hi ? q * (P->soft ? w * (1 - w) : 1) : 0, dl = dr / d;
    double dn = d0 > 1e-8 ? -dr * l / (d * d) : 0, da = (l0 > -1e18 && l0 < 1e18 ? dl : 0) * P->tangent / scale;
    double c = norm == 0 ? 0 : dn / norm / scale, rest = P->map == RCOLU ? gmean + da / k : 0;
    if (sum) *sum += (W)da;
    else *ya = narrow(P->map == RCOLU ? rest + w * G(-1) + c * (S(-1) / scale) : wide(*ga) + da);
    for (long j = 0; j < m; j++) ys[j * step] = narrow(rest + w * G(j) + c * (S(j) / scale));
#undef S
#undef G
}

/* Weights of VL cones from axis a, squared norm n2 and q = <g, s>:
   y_s = w s;  g_s = w g + c s,  g_a += k.  Returns the cones that one() must redo. */
IN I weights(V a, V n2, V q, const Plan *P, int back, V *w, V *c, V *k) {
    const int soft = P->soft != 0;
    const W tangent = (W)P->tangent, eps = (W)P->eps;
    V low = vmax(n2, all(FLOOR2)), inv = rsqrt(low), id = inv, a2 = a * a;
    if (P->eps != 0) id = 1 / (low * inv + eps);
    V at = a * tangent, r = at * id;
    /* A tiny section is harmless where the ratio is saturated all the same. */
    I tiny = n2 < SMALL2, bad = ~(a2 + n2 < HUGE2) | (tiny & (P->eps != 0 ? ~(I){0} : a2 < 1));
    if (!soft) bad &= ~(tiny & (a == 0));
    I odd = soft ? bad : bad | (absolute(r - 1) < TIE);
    if (__builtin_expect(any(odd), 0) && !soft) r = at / (root(low) + eps); /* ties are exact */
    if (soft) {
        V x = vmin(vmax((W)0.5 - r, all(-SATURATED)), all(SATURATED));
        *w = 1 / (1 + expo(x));
    } else
        *w = vmin(vmax(r, all(0)), all(1));
    if (back) {
        I active = soft ? absolute(r) < SATURATED - 1 : (r > 0) & (r < 1);
        V slope = soft ? *w * (1 - *w) * tangent : all(tangent);
        *k = sel(active & ~bad, slope * id * q, all(0));
        *c = -(*k * inv) * (a * id);
    }
    return bad;
}

IN I project(V x0, V x1, V z0, V z1, const Plan *P, V *y0, V *y1) {
    const W cosine = (W)P->cosine, sine = (W)P->sine, half = (W)0.70710678118654752440, leak = (W)P->leak;
    V t = x0, v = x1, u0 = z0, u1 = z1;
    if (P->homogeneous) t = half * (x0 + x1), v = half * (x0 - x1), u0 = half * (z0 + z1), u1 = half * (z0 - z1);
    V n = absolute(v);
    I inside = n * cosine <= t * sine, polar = t * cosine <= -n * sine, minus = v < 0;
    V us = sel(minus, -u1, u1), depth = u0 * cosine + us * sine, p0 = depth * cosine, p1 = depth * sine;
    p1 = sel(minus, -p1, p1);
    if (P->homogeneous) t = half * (p0 + p1), p1 = half * (p0 - p1), p0 = t;
    *y0 = sel(inside, z0, sel(polar, all(0), p0));
    *y1 = sel(inside, z1, sel(polar, all(0), p1));
    if (P->leak != 0) *y0 = (1 - leak) * *y0 + leak * z0, *y1 = (1 - leak) * *y1 + leak * z1;
    return ~(x0 * x0 + x1 * x1 < HUGE2);
}

/* BODY once for every vector of n entries; LD and ST know whether it is a whole one. */
#define EACH(n, ...)                                                                           \
    do {                                                                                       \
        long i = 0;                                                                            \
        for (; i + VL <= (n); i += VL) { enum { whole = 1 }; const long part = VL; (void)part; __VA_ARGS__ } \
        if (i < (n)) { enum { whole = 0 }; const long part = (n) - i; (void)part; __VA_ARGS__ } \
    } while (0)
#define LD(p) (whole ? load(p) : loadn(p, part))
#define ST(p, v) (whole ? store(p, v) : storen(p, v, part))

IN V get(const W *p) { V v; memcpy(&v, p, BYTES); return v; }
IN void put(W *p, V v) { memcpy(p, &v, BYTES); }

/* n <= STRIP cones side by side; entry j of their sections is `step` further on.
   With `sum` the axis is shared: its extra gradient is added there. */
IN void planes(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, long step, long n,
               const Plan *P, W *sum, int map, int back) {
    const long m = P->size - 1;
    W n2[STRIP + VL], q[STRIP + VL], mean[STRIP + VL], gmean[STRIP + VL];
    const W share = (W)1 / (W)P->size, k1 = (W)sqrt((double)P->size), k2 = 1 / k1;
#define REDO(bad, ...)                                                     \
    if (__builtin_expect(any(bad), 0))                                     \
        for (long b = 0; b < part; b++)                                    \
            if (bad[b]) one(__VA_ARGS__, step, P, sum ? sum + i + b : 0)
#define HERE xa + i + b, xs + i + b, back ? ga + i + b : 0, back ? gs + i + b : 0, ya + i + b, ys + i + b
    if (map == MPU) {
        EACH(n, V x0 = LD(xa + i), x1 = LD(xs + i), z0 = x0, z1 = x1, y0, y1;
             if (back) z0 = LD(ga + i), z1 = LD(gs + i);
             I bad = project(x0, x1, z0, z1, P, &y0, &y1);
             ST(ya + i, y0); ST(ys + i, y1); REDO(bad, HERE););
        return;
    }
    if (map == RCOLU) {
        EACH(n, put(mean + i, LD(xa + i)); if (back) put(gmean + i, LD(ga + i)););
        for (long j = 0; j < m; j++)
            EACH(n, put(mean + i, get(mean + i) + LD(xs + j * step + i));
                 if (back) put(gmean + i, get(gmean + i) + LD(gs + j * step + i)););
        EACH(n, V v = get(mean + i) * share, x = LD(xa + i) - v; put(mean + i, v); put(n2 + i, x * x);
             if (back) put(gmean + i, get(gmean + i) * share), put(q + i, LD(ga + i) * x););
    } else
        EACH(n, put(n2 + i, all(0)); if (back) put(q + i, all(0)););
    long j = 0;
    for (; j + 3 < m; j += 4) /* four streams at a time: fewer trips through the sums */
        EACH(n, V square = get(n2 + i), dot = back ? get(q + i) : square, mu = map == RCOLU ? get(mean + i) : dot;
             for (int d = 0; d < 4; d++) {
                 V x = LD(xs + (j + d) * step + i);
                 if (map == RCOLU) x -= mu;
                 square += x * x;
                 if (back) dot += x * LD(gs + (j + d) * step + i);
             } put(n2 + i, square); if (back) put(q + i, dot););
    for (; j < m; j++)
        EACH(n, V x = LD(xs + j * step + i); if (map == RCOLU) x -= get(mean + i);
             put(n2 + i, get(n2 + i) + x * x);
             if (back) put(q + i, get(q + i) + x * LD(gs + j * step + i)););
    /* From here on n2 is w, and q is c; lists the cones to redo, for after the last pass. */
    int nbad = 0;
    short list[STRIP];
    EACH(n, V a = map == RCOLU ? get(mean + i) * k1 : LD(xa + i), w, c, k;
         I bad = weights(a, get(n2 + i), back ? get(q + i) : a, P, back, &w, &c, &k);
         put(n2 + i, w);
         if (__builtin_expect(any(bad), 0)) for (int b = 0; b < part; b++) if (bad[b]) list[nbad++] = (short)(i + b);
         if (back) {
             put(q + i, c);
             if (map == RCOLU) {
                 V x = LD(xa + i) - get(mean + i), gm = get(gmean + i), rest = gm + k * k2;
                 ST(ya + i, rest + w * (LD(ga + i) - gm) + c * x);
                 put(gmean + i, rest - w * gm); /* what every entry gets */
             } else if (sum) put(sum + i, get(sum + i) + k);
             else ST(ya + i, LD(ga + i) + k);
         } else if (map == RCOLU) { V mu = get(mean + i); ST(ya + i, mu + w * (LD(xa + i) - mu)); });
    if (!back && map == COLU && !sum) memcpy(ya, xa, n * sizeof(T));
    for (j = 0; j < m; j++)
        EACH(n, V y, x = LD(xs + j * step + i); if (map == RCOLU) x -= get(mean + i);
             if (back) {
                 y = get(n2 + i) * LD(gs + j * step + i) + get(q + i) * x;
                 if (map == RCOLU) y += get(gmean + i);
             } else y = map == RCOLU ? get(mean + i) + get(n2 + i) * x : get(n2 + i) * x;
             ST(ys + j * step + i, y););
    for (int b = 0; b < nbad; b++) {
        long i = list[b];
        one(xa + i, xs + i, back ? ga + i : 0, back ? gs + i : 0, ya + i, ys + i, step, P, sum ? sum + i : 0);
    }
}
#undef REDO
#undef HERE
#define HERE(b) x + (b), x + (b) + 1, back ? g + (b) : 0, back ? g + (b) + 1 : 0, y + (b), y + (b) + 1, 1, P, 0

IN I lanes(void) { I v; for (int i = 0; i < VL; i++) v[i] = i; return v; }
IN V butterfly(V v, int size) {
    for (int b = 1; b < size; b <<= 1) v += __builtin_shuffle(v, lanes() ^ b);
    return v;
}

/* n entries of whole cones, one after the other; size is a power of two <= VL. */
IN void tile(const T *x, const T *g, T *y, long n, const Plan *P, int map, int back, int size) {
    const I first = lanes() & ~(I)((I){0} + (size - 1)), axis = (lanes() & (size - 1)) == 0;
    const W share = (W)1 / size, k1 = (W)sqrt((double)size), k2 = 1 / k1;
    EACH(n, V v = LD(x + i), h = v, out; if (back) h = LD(g + i); I bad;
         if (map == MPU) {
             V y0, y1;
             bad = project(__builtin_shuffle(v, first), __builtin_shuffle(v, first + 1), __builtin_shuffle(h, first),
                           __builtin_shuffle(h, first + 1), P, &y0, &y1);
             out = sel(axis, y0, y1);
         } else {
             V mean = all(0), s = v, a, q = h, w, c, k;
             if (map == RCOLU) { mean = butterfly(v, size) * share; s = v - mean; a = mean * k1; }
             else { a = __builtin_shuffle(v, first); s = (V)((I)v & ~axis); }
             if (back) q = butterfly(s * h, size);
             bad = weights(a, butterfly(s * s, size), q, P, back, &w, &c, &k);
             if (!back) out = map == RCOLU ? mean + w * s : sel(axis, v, w * s);
             else if (map == RCOLU) { V gm = butterfly(h, size) * share; out = gm + k * k2 + w * (h - gm) + c * s; }
             else out = sel(axis, h + k, w * h + c * s);
         }
         ST(y + i, out);
         if (__builtin_expect(any(bad), 0)) for (long b = 0; b < part; b += size) if (bad[b]) one(HERE(i + b)););
}

IN W total(V v) { W r = 0; for (int b = VL / 2; b; b >>= 1) v += __builtin_shuffle(v, lanes() ^ b); r = v[0]; return r; }

/* One cone whose section of m entries is contiguous. With `lead`, the axis is just before it. */
IN void row(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, const Plan *P, W *sum,
            int map, int back, int lead) {
    const long m = P->size - 1 + lead;
    const I axis = lead && map == COLU ? lanes() == 0 : (I){0};
    V n2 = all(0), q = n2, mean = n2, gmean = n2, w, c, k;
    if (lead) xs = xa, gs = ga, ys = ya;
    const W share = (W)1 / (W)P->size, k1 = (W)sqrt((double)P->size), k2 = 1 / k1;
    if (map == RCOLU) {
        V gsum = n2;
        EACH(m, mean += LD(xs + i); if (back) gsum += LD(gs + i););
        W head = lead ? 0 : (W)wide(*xa), ghead = lead || !back ? 0 : (W)wide(*ga);
        mean = all((total(mean) + head) * share);
        gmean = all((total(gsum) + ghead) * share);
        W rest = lead ? 0 : (W)wide(*xa) - mean[0];
        n2[0] = rest * rest;
        if (back) q[0] = rest * ghead;
    }
    EACH(m, V v = LD(xs + i); if (map == RCOLU) v = whole ? v - mean : sel(lanes() < (N)part, v - mean, all(0));
         if (lead && map == COLU && i == 0) v = (V)((I)v & ~axis);
         n2 += v * v; if (back) q += v * LD(gs + i););
    W a = map == RCOLU ? mean[0] * k1 : (W)wide(*xa);
    I bad = weights(all(a), all(total(n2)), all(back ? total(q) : a), P, back, &w, &c, &k);
    if (__builtin_expect(bad[0] != 0, 0)) {
        if (lead) xs++, gs++, ys++;
        one(xa, xs, back ? ga : 0, back ? gs : 0, ya, ys, 1, P, sum);
        return;
    }
    V rest = back ? gmean + k * k2 - w * gmean : mean;
    if (!lead) {
        W x0 = (W)wide(*xa) - mean[0];
        if (map == RCOLU) *ya = narrow(back ? rest[0] + w[0] * wide(*ga) + c[0] * x0 : mean[0] + w[0] * x0);
        else if (!sum) *ya = back ? narrow(wide(*ga) + k[0]) : *xa;
        else if (back) *sum += k[0];
    }
    EACH(m, V v = LD(xs + i), h, out; if (map == RCOLU) v -= mean;
         if (back) { h = LD(gs + i); out = w * h + c * v; if (map == RCOLU) out += rest; }
         else out = map == RCOLU ? rest + w * v : w * v;
         if (lead && map == COLU && i == 0) out = sel(axis, back ? h + k : v, out);
         ST(ys + i, out););
}

/* Transpose n rows of `width` entries, `pitch` apart, into planes of SCRATCH entries, or back. */
IN void spread(const T *x, T *to, long n, long width, long pitch) {
    for (long j = 0; j < width; j++)
        for (long b = 0; b < n; b++) to[j * SCRATCH + b] = x[b * pitch + j];
}
IN void gather(const T *from, T *y, long n, long width, long pitch) {
    for (long b = 0; b < n; b++)
        for (long j = 0; j < width; j++) y[b * pitch + j] = from[j * SCRATCH + b];
}

enum { WIDEST = 64 };
static inline long least(long a, long b) { return a < b ? a : b; }

typedef void planes_fn(const T *, const T *, const T *, const T *, T *, T *, long, long, const Plan *, W *);
typedef void row_fn(const T *, const T *, const T *, const T *, T *, T *, const Plan *, W *, int);

/* Cones first..last-1 of one row of channels (channels last). */
static void line(const T *x, const T *g, T *y, long first, long last, const Plan *P, planes_fn *planes, row_fn *row,
                 int back) {
    const long m = P->size - 1, lead = P->axis_step == P->size;
    W extra = 0, *sum = P->shared ? &extra : 0;
    if (m >= VL || m > WIDEST) {
        for (long b = first; b < last; b++) {
            long a = b * P->axis_step, s = P->section + b * P->section_step;
            row(x + a, x + s, g + a, g + s, y + a, y + s, P, sum, lead);
        }
    } else {
        T tx[(WIDEST + 1) * SCRATCH], tg[(WIDEST + 1) * SCRATCH], ty[(WIDEST + 1) * SCRATCH];
        W sums[SCRATCH + VL];
        for (long b = first; b < last; b += SCRATCH) {
            long n = least(SCRATCH, last - b), a = b * P->axis_step, s = P->section + b * P->section_step;
            if (lead) spread(x + a, tx, n, m + 1, m + 1);
            else spread(x + s, tx + SCRATCH, n, m, m);
            if (back && lead) spread(g + a, tg, n, m + 1, m + 1);
            else if (back) spread(g + s, tg + SCRATCH, n, m, m);
            const T *xa = lead ? tx : x + a, *ga = lead ? tg : g + a;
            T *ya = lead ? ty : y + a;
            if (sum) {
                for (long i = 0; i < n; i++) tx[i] = *x, sums[i] = 0;
                xa = tx;
            }
            planes(xa, tx + SCRATCH, ga, tg + SCRATCH, ya, ty + SCRATCH, SCRATCH, n, P, sum ? sums : 0);
            if (lead) gather(ty, y + a, n, m + 1, m + 1);
            else gather(ty + SCRATCH, y + s, n, m, m);
            if (sum) for (long i = 0; i < n; i++) extra += sums[i];
        }
    }
    if (sum) *y = back ? narrow(wide(*g) + extra) : *x;
}

/* Units of work lo..hi-1: whole cones (channels last), or strips of cones. */
IN void work(const T *x, const T *g, T *y, const Plan *P, long strip, long lo, long hi, planes_fn *planes,
             row_fn *row, int map, int back) {
    const long G = P->groups, C = P->shared ? 1 + G * (P->size - 1) : G * P->size, L = P->inner;
    if (L == 1) {
        if (P->axis_step == P->size && P->size <= VL && !(P->size & (P->size - 1))) {
            const long o = lo * P->size, n = (hi - lo) * P->size;
#define TILE(size) case size: if (size <= VL) tile(x + o, g + o, y + o, n, P, map, back, size); return;
            if (map == MPU) { tile(x + o, g + o, y + o, n, P, map, back, 2); return; }
            switch (P->size) { TILE(2) TILE(4) TILE(8) TILE(16) }
        }
        if (P->shared) {
            for (long r = lo; r < hi; r++) line(x + r * C, g + r * C, y + r * C, 0, G, P, planes, row, back);
            return;
        }
        if (P->axis_step == P->size) { line(x, g, y, lo, hi, P, planes, row, back); return; }
        for (long b = lo; b < hi;) {
            long r = b / G, first = b - r * G, last = least(G, first + hi - b), o = r * C;
            line(x + o, g + o, y + o, first, last, P, planes, row, back);
            b += last - first;
        }
        return;
    }
    const long strips = (L + strip - 1) / strip;
    for (long u = lo; u < hi; u++) {
        long p = u % strips * strip, n = least(strip, L - p), b = u / strips;
        long o = (P->shared ? b : b / G) * C * L + p;
        W sums[STRIP + VL];
        if (P->shared) {
            if (back) memset(sums, 0, sizeof sums);
            for (long i = 0; i < G; i++) {
                long s = o + (P->section + i * P->section_step) * L;
                planes(x + o, x + s, g + o, g + s, y + o, y + s, L, n, P, sums);
            }
            if (back) EACH(n, ST(y + o + i, LD(g + o + i) + get(sums + i)););
            else memcpy(y + o, x + o, n * sizeof(T));
            continue;
        }
        long a = o + b % G * P->axis_step * L, s = o + (P->section + b % G * P->section_step) * L;
        planes(x + a, x + s, g + a, g + s, y + a, y + s, L, n, P, 0);
    }
}

typedef void worker(const T *, const T *, T *, const Plan *, long, long, long);
#define WORKER(name, map, back)                                                                              \
    static void name##_planes(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, long step,    \
                              long n, const Plan *P, W *sum) {                                                \
        planes(xa, xs, ga, gs, ya, ys, step, n, P, sum, map, back); }                                         \
    static void name##_row(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, const Plan *P,   \
                           W *sum, int lead) { row(xa, xs, ga, gs, ya, ys, P, sum, map, back, lead); }        \
    static void name(const T *x, const T *g, T *y, const Plan *P, long strip, long lo, long hi) {             \
        work(x, g, y, P, strip, lo, hi, name##_planes, name##_row, map, back); }
WORKER(colu, COLU, 0) WORKER(colu_back, COLU, 1)
WORKER(rcolu, RCOLU, 0) WORKER(rcolu_back, RCOLU, 1)
WORKER(mpu, MPU, 0) WORKER(mpu_back, MPU, 1)

/* y = f(x) if g is null, else the gradient of <g, f(x)>. */
void colu_run(const Plan *P, const T *x, const T *g, T *y) {
    static worker *const workers[] = {colu, colu_back, rcolu, rcolu_back, mpu, mpu_back};
    worker *f = workers[P->map * 2 + (g != 0)];
    /* A strip of all streams stays in cache while its planes are read one after the other. */
    long strip = 65536 / (P->size * (long)sizeof(T)) / VL * VL, units = P->outer;
    strip = strip > STRIP ? STRIP : strip < 4 * VL ? 4 * VL : strip;
    if (!P->shared) units *= P->groups;
    if (P->inner > 1) units *= (P->inner + strip - 1) / strip;
    if (!g) g = x; /* never read, but its address is computed */
    long threads = least(P->threads, units);
#pragma omp parallel for num_threads((int)threads) if (threads > 1) schedule(static)
    for (long t = 0; t < threads; t++) f(x, g, y, P, strip, units * t / threads, units * (t + 1) / threads);
}

/* What the loader checks before it believes a library. */
long colu_abi(void) { return 1000 * (long)sizeof(Plan) + 10 * (long)sizeof(T) + KIND; }
