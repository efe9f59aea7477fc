/* Storage type T, working type W and vectors V of W, of the widest size of the target. */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define BYTES 64
#elif defined(__AVX2__) && defined(__F16C__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define IN static inline __attribute__((always_inline))

#if KIND == 1
typedef double W;
typedef int64_t N;
typedef uint64_t UN;
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
typedef uint32_t UN;
#define TINY FLT_MIN
#define MAXIMUM FLT_MAX
#define HUGE2 1e30f
#define SMALL2 1e-30f
#define FLOOR2 1e-36f
#define TIE 1e-5f
#define SATURATED 80
#endif
enum { VL = BYTES / sizeof(W) };
typedef W V __attribute__((vector_size(BYTES)));
typedef N I __attribute__((vector_size(BYTES)));
typedef UN U __attribute__((vector_size(BYTES)));

#if KIND == 0 || KIND == 1
typedef W T;
IN V load(const T *p) { V v; memcpy(&v, p, BYTES); return v; }
IN void store(T *p, V v) { memcpy(p, &v, BYTES); }
static double wide(T v) { return v; }
static T narrow(double v) { return (T)v; }
#elif KIND == 2
typedef uint16_t T;
typedef uint16_t H __attribute__((vector_size(BYTES / 2)));
IN V load(const T *p) {
    H h;
    memcpy(&h, p, sizeof h);
    return (V)(__builtin_convertvector(h, U) << 16);
}
#if BYTES == 64 && defined(__AVX512BF16__)
/* To nearest even as below, but a result under 1.2e-38 becomes zero. */
IN void store(T *p, V v) {
    __m256bh h = _mm512_cvtneps_pbh((__m512)v);
    memcpy(p, &h, sizeof h);
}
#else
IN void store(T *p, V v) { /* to nearest even; NaN stays NaN */
    U u = (U)v, bad = (U)(v != v);
    u = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    H h = __builtin_convertvector((u & ~bad) | (0x7fc0 & bad), H);
    memcpy(p, &h, sizeof h);
}
#endif
static double wide(T v) {
    uint32_t u = (uint32_t)v << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static T narrow(double v) {
    float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, 4);
    return f != f ? 0x7fc0 : (T)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
#else
typedef _Float16 T; /* a compiler without it fails, and another path is taken */
#if BYTES == 64
IN V load(const T *p) { return (V)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
IN void store(T *p, V v) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)v, 0)); }
#elif BYTES == 32
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
#if BYTES == 64 && KIND == 0
IN V loadn(const T *p, long k) { return (V)_mm512_maskz_loadu_ps((__mmask16)((1u << k) - 1), p); }
IN void storen(T *p, V v, long k) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << k) - 1), (__m512)v);
}
#elif BYTES == 64 && KIND == 1
IN V loadn(const T *p, long k) { return (V)_mm512_maskz_loadu_pd((__mmask8)((1u << k) - 1), p); }
IN void storen(T *p, V v, long k) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << k) - 1), (__m512d)v);
}
#elif BYTES == 64
IN V loadn(const T *p, long k) {
    T t[VL];
    _mm256_storeu_si256((__m256i *)t, _mm256_maskz_loadu_epi16((__mmask16)((1u << k) - 1), p));
    return load(t);
}
IN void storen(T *p, V v, long k) {
    T t[VL];
    store(t, v);
    __m256i h = _mm256_loadu_si256((const __m256i *)t);
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << k) - 1), h);
}
#else
IN V loadn(const T *p, long k) { T t[VL] = {0}; memcpy(t, p, k * sizeof(T)); return load(t); }
IN void storen(T *p, V v, long k) { T t[VL]; store(t, v); memcpy(p, t, k * sizeof(T)); }
#endif

IN V all(W a) { return a - (V){0}; }
IN V sel(I m, V a, V b) { return (V)((m & (I)a) | (~m & (I)b)); }
IN V absolute(V a) { return (V)((I)a & ~(I)all(-(W)0)); }
IN V get(const W *p) { V v; memcpy(&v, p, BYTES); return v; }
IN void put(W *p, V v) { memcpy(p, &v, BYTES); }

#if BYTES == 64 && KIND == 1
IN V vmax(V a, V b) { return (V)_mm512_max_pd((__m512d)a, (__m512d)b); }
IN V vmin(V a, V b) { return (V)_mm512_min_pd((__m512d)a, (__m512d)b); }
IN V root(V a) { return (V)_mm512_sqrt_pd((__m512d)a); }
IN int any(I m) { return _mm512_movepi64_mask((__m512i)m) != 0; }
#elif BYTES == 64
IN V vmax(V a, V b) { return (V)_mm512_max_ps((__m512)a, (__m512)b); }
IN V vmin(V a, V b) { return (V)_mm512_min_ps((__m512)a, (__m512)b); }
IN V root(V a) { return (V)_mm512_sqrt_ps((__m512)a); }
IN int any(I m) { return _mm512_movepi32_mask((__m512i)m) != 0; }
#elif BYTES == 32 && KIND == 1
IN V vmax(V a, V b) { return (V)_mm256_max_pd((__m256d)a, (__m256d)b); }
IN V vmin(V a, V b) { return (V)_mm256_min_pd((__m256d)a, (__m256d)b); }
IN V root(V a) { return (V)_mm256_sqrt_pd((__m256d)a); }
IN int any(I m) { return _mm256_movemask_pd((__m256d)m) != 0; }
#elif BYTES == 32
IN V vmax(V a, V b) { return (V)_mm256_max_ps((__m256)a, (__m256)b); }
IN V vmin(V a, V b) { return (V)_mm256_min_ps((__m256)a, (__m256)b); }
IN V root(V a) { return (V)_mm256_sqrt_ps((__m256)a); }
IN int any(I m) { return _mm256_movemask_ps((__m256)m) != 0; }
#else
IN V vmax(V a, V b) { return sel(a > b, a, b); }
IN V vmin(V a, V b) { return sel(a < b, a, b); }
IN V root(V a) { for (int i = 0; i < VL; i++) a[i] = (W)sqrt(a[i]); return a; }
IN int any(I m) { N r = 0; for (int i = 0; i < VL; i++) r |= m[i]; return r != 0; }
#endif

IN V rsqrt(V a) { /* an estimate and Newton steps cost a third of a root and a division */
#if KIND != 1 && BYTES == 64
    V y = (V)_mm512_rsqrt14_ps((__m512)a);
    return y * (1.5f - 0.5f * a * y * y);
#elif KIND != 1 && BYTES == 32
    V y = (V)_mm256_rsqrt_ps((__m256)a);
    y = y * (1.5f - 0.5f * a * y * y);
    return y * (1.5f - 0.5f * a * y * y);
#else
    return 1 / root(a);
#endif
}

IN V expo(V x) { /* exp for |x| <= 708 (double) or 87 (float): 2^n times a Taylor sum */
#if KIND == 1
    const W magic = 6755399441055744.0, high = 0.693147180369123816490,
            low = 1.90821492927058770002e-10;
    enum { mantissa = 52, bias = 1023 };
    V t = x * 1.4426950408889634 + magic, n = t - magic, r = x - n * high - n * low;
    V s = r * (1.0 / 6227020800) + 1.0 / 479001600;
    s = s * r + 1.0 / 39916800, s = s * r + 1.0 / 3628800, s = s * r + 1.0 / 362880;
    s = s * r + 1.0 / 40320;
#else
    const W magic = 12582912.0f, high = 0.693359375f, low = -2.12194440e-4f;
    enum { mantissa = 23, bias = 127 };
    V t = x * 1.4426950408889634f + magic, n = t - magic, r = x - n * high - n * low;
    V s = all(0);
#endif
    s = s * r + (W)(1.0 / 5040), s = s * r + (W)(1.0 / 720), s = s * r + (W)(1.0 / 120);
    s = s * r + (W)(1.0 / 24), s = s * r + (W)(1.0 / 6), s = s * r + (W)0.5;
    s = s * r + 1, s = s * r + 1;
    return s * (V)(((I)t - (I)all(magic) + bias) << mantissa);
}

/* Shuffles with masks known when compiling; the loops over lanes fold away. */
#define UNROLL _Pragma("GCC unroll 16")
#if defined(__clang__)
IN V permute2(V u, V v, I m) {
    V r;
    UNROLL for (int i = 0; i < VL; i++) r[i] = m[i] < VL ? u[m[i]] : v[m[i] - VL];
    return r;
}
IN V permute(V u, I m) { return permute2(u, u, m); }
#else
IN V permute2(V u, V v, I m) { return __builtin_shuffle(u, v, m); }
IN V permute(V u, I m) { return __builtin_shuffle(u, m); }
#endif
IN I lanes(void) { I v; UNROLL for (int i = 0; i < VL; i++) v[i] = i; return v; }

/* Lane l takes u[l] + u[l^b] if bit b of l is clear, else v[l] + v[l^b]. */
IN V fold(V u, V v, int b) {
    I l = lanes(), of_v = (l & b) != 0, keep = l + (VL & of_v);
    return permute2(u, v, keep) + permute2(u, v, (l ^ b) + (VL & of_v));
}

/* From vectors t of cones of `size` entries, sums of the cones: that of cone c of vector i in
   lane c * size + i. Overwrites t. */
IN V sums(V *t, int size) {
    UNROLL for (int b = 1; b < size; b <<= 1)
        UNROLL for (int i = 0; i < size; i += 2 * b) t[i] = fold(t[i], t[i + b], b);
    return t[0];
}

/* The first entries of the cones in the same order, and the way back to all entries of vector i. */
IN V heads(const V *x, int size) {
    V a = x[0];
    UNROLL for (int i = 1; i < size; i++) {
        I l = lanes(), here = (l & (size - 1)) == i;
        a = permute2(a, x[i], l + ((VL - i) & here));
    }
    return a;
}
IN V spread(V w, int i, int size) {
    return permute(w, (lanes() & ~(N)(size - 1)) + i);
}

IN W total(V v) {
    UNROLL for (int b = VL / 2; b; b >>= 1) v += permute(v, lanes() ^ b);
    return v[0];
}

/* Entry j of VL cones of 2 or 3 entries that lie one after the other in x[], and back. */
IN V entry(const V *x, int j, int size) {
    I e = lanes() * size + j, far = e >= 2 * VL;
    V t = permute2(x[0], x[1], e & ~far);
    if (size == 2) return t;
    return permute2(t, x[2], (lanes() & ~far) | ((e - VL) & far));
}
IN V mixed(const V *y, int i, int size) {
    I e = lanes() + i * VL, cone = lanes(), j = lanes();
    UNROLL for (int l = 0; l < VL; l++) cone[l] = e[l] / size, j[l] = e[l] % size;
    I third = j == 2;
    V t = permute2(y[0], y[1], (cone + j * VL) & ~third);
    if (size == 2) return t;
    return permute2(t, y[2], (lanes() & ~third) | ((cone + VL) & third));
}
