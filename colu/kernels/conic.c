/* Fused CoLU, RCoLU and MPU (m = 2): forward, and backward from the input alone.

   Built once for every storage type: -DKIND=0 float, 1 double, 2 bfloat16, 3 float16.
   Half types are computed in float. Vectors are the vector extensions of GCC and Clang in the
   widest size of the target, so one source serves AVX-512, AVX2, NEON and plain C.

   A cone has one axis entry a and m = size - 1 section entries s. Five ways through memory:
     planes   channels have a stride: a run of cones is m + 1 parallel streams
     tree     channels last, size 4, 8, 16: as many vectors as a cone has entries at a time
     few      channels last, size 2, 3: the same, by entries instead of sums
     row      channels last, long sections: one cone after the other
     turned   channels last, other sizes: transpose a few cones, then planes
   Cones with a vanishing, huge or non-finite entry are redone one by one in double by
   one(), which is the reference formula to the letter. */

#include "vectors.h"
#include "cones.h"

enum { TURNED = 128, STRIP = 1024, WIDEST = 64, STREAMS = 20 };

/* The body once for every vector of n entries; LD and ST know whether it is a whole one. */
#define EACH(n, ...)                                                                         \
    do {                                                                                     \
        long i = 0;                                                                          \
        for (; i + VL <= (n); i += VL) {                                                     \
            enum { whole = 1 };                                                              \
            const long part = VL;                                                            \
            (void)part;                                                                      \
            __VA_ARGS__                                                                      \
        }                                                                                    \
        if (i < (n)) {                                                                       \
            enum { whole = 0 };                                                              \
            const long part = (n) - i;                                                       \
            (void)part;                                                                      \
            __VA_ARGS__                                                                      \
        }                                                                                    \
    } while (0)
#define LD(p) (whole ? load(p) : loadn(p, part))
#define ST(p, v) (whole ? store(p, v) : storen(p, v, part))

/* VL cones of at most 4 entries in registers: s and h are input and gradient by entry. */
IN int at_once(V *s, V *h, V *out, const Plan *P, Fixed f, int map, int back, int size, I *bad) {
    const W share = (W)1 / size, k1 = (W)sqrt((double)size), k2 = 1 / k1;
    V mean = all(0), gmean = mean, w, c, k, a = s[0], n2 = mean, q = mean;
    if (map == MPU) return project(s[0], s[1], h[0], h[1], P, &out[0], &out[1], bad);
    if (map == RCOLU) {
        UNROLL for (int j = 0; j < size; j++) mean += s[j], gmean += h[j];
        mean *= share, gmean *= share, a = mean * k1;
        UNROLL for (int j = 0; j < size; j++) s[j] -= mean;
        n2 = s[0] * s[0], q = s[0] * h[0];
    }
    UNROLL for (int j = 1; j < size; j++) n2 += s[j] * s[j], q += s[j] * h[j];
    int redo = weights(a, n2, q, f, back, &w, &c, &k, bad);
    V rest = back ? gmean + k * k2 - w * gmean : mean;
    UNROLL for (int j = 0; j < size; j++) {
        out[j] = back ? w * h[j] + c * s[j] : w * s[j];
        if (map == RCOLU) out[j] += rest;
    }
    if (map == COLU) out[0] = back ? h[0] + k : s[0];
    return redo;
}

/* n cones of at most 4 entries side by side, entry j at x + j * step but the axis at xa. */
IN void slim(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, long step, long n,
             const Plan *P, int map, int back, int size) {
    const Fixed f = fixed(P);
    EACH(n, V s[4], h[4], out[4]; I bad;
         UNROLL for (int j = 0; j < size; j++) {
             h[j] = s[j] = LD(j ? xs + (j - 1) * step + i : xa + i);
             if (back) h[j] = LD(j ? gs + (j - 1) * step + i : ga + i);
         }
         int redo = at_once(s, h, out, P, f, map, back, size, &bad);
         UNROLL for (int j = 0; j < size; j++) ST(j ? ys + (j - 1) * step + i : ya + i, out[j]);
         if (__builtin_expect(redo, 0))
             for (long b = 0; b < part; b++)
                 if (bad[b]) {
                     long o = i + b;
                     one(xa + o, xs + o, back ? ga + o : 0, gs + o, ya + o, ys + o, step, P, 0);
                 });
}

#define EVERY for (int u = 0; u < many; u++)
#define AT u * VL

/* `many` vectors of cones side by side; entry j of their sections is j * step further on.
   With `sum` the axis is shared: its extra gradient is added there. */
IN void pillar(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, long step,
               const Plan *P, W *sum, int map, int back, int many, int whole, long part) {
    const long m = P->size - 1;
    const W share = (W)1 / (W)P->size, k1 = (W)sqrt((double)P->size), k2 = 1 / k1;
    const Fixed f = fixed(P);
    V n2[16], q[16], mean[16], gmean[16], w[16], c[16], rest[16];
    EVERY n2[u] = q[u] = mean[u] = gmean[u] = all(0);
    if (map == RCOLU) {
        EVERY mean[u] = LD(xa + AT);
        if (back) EVERY gmean[u] = LD(ga + AT);
        for (long j = 0; j < m; j++) {
            EVERY mean[u] += LD(xs + j * step + AT);
            if (back) EVERY gmean[u] += LD(gs + j * step + AT);
        }
        EVERY {
            V x;
            mean[u] *= share, gmean[u] *= share, x = LD(xa + AT) - mean[u], n2[u] = x * x;
            if (back) q[u] = x * LD(ga + AT);
        }
    }
    for (long j = 0; j < m; j++)
        EVERY {
            V x = LD(xs + j * step + AT);
            if (map == RCOLU) x -= mean[u];
            n2[u] += x * x;
            if (back) q[u] += x * LD(gs + j * step + AT);
        }
    EVERY {
        V x = LD(xa + AT), k, g = back ? LD(ga + AT) : x;
        I bad;
        V a = map == RCOLU ? mean[u] * k1 : x;
        int redo = weights(a, n2[u], q[u], f, back, &w[u], &c[u], &k, &bad);
        rest[u] = back ? gmean[u] + k * k2 - w[u] * gmean[u] : mean[u];
        if (sum && back) put(sum + AT, get(sum + AT) + k);
        if (map == RCOLU) {
            x -= mean[u];
            ST(ya + AT, back ? rest[u] + w[u] * g + c[u] * x : rest[u] + w[u] * x);
        } else if (!sum)
            ST(ya + AT, back ? g + k : x);
        /* From here on, the cones to redo. */
        n2[u] = redo ? (V)bad : all(0);
    }
    for (long j = 0; j < m; j++)
        EVERY {
            V x = LD(xs + j * step + AT);
            if (map == RCOLU) x -= mean[u];
            V y = back ? w[u] * LD(gs + j * step + AT) + c[u] * x : w[u] * x;
            ST(ys + j * step + AT, map == RCOLU ? y + rest[u] : y);
        }
    EVERY if (__builtin_expect(any((I)n2[u]), 0))
        for (long b = 0; b < part; b++)
            if (((I)n2[u])[b]) {
                long o = AT + b;
                one(xa + o, xs + o, back ? ga + o : 0, gs + o, ya + o, ys + o, step, P,
                    sum ? sum + o : 0);
            }
}

/* n <= STRIP cones side by side. */
IN void planes(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, long step, long n,
               const Plan *P, W *sum, int map, int back) {
#define SLIM(entries)                                                                        \
    if (P->size == entries && !sum) {                                                        \
        slim(xa, xs, ga, gs, ya, ys, step, n, P, map, back, entries);                        \
        return;                                                                              \
    }
    SLIM(2)
    if (map == MPU) return; /* has no other size */
    SLIM(3) SLIM(4)
    long i = 0;
#define PILLAR(many, whole, part)                                                            \
    pillar(xa + i, xs + i, ga + i, gs + i, ya + i, ys + i, step, P, sum ? sum + i : 0, map,  \
           back, many, whole, part)
    /* Many streams are read in longer pieces, which the prefetcher of the processor likes. */
    if (P->size > STREAMS)
        for (; i + 16 * VL <= n; i += 16 * VL) PILLAR(16, 1, VL);
    if (P->size > STREAMS)
        for (; i + 4 * VL <= n; i += 4 * VL) PILLAR(4, 1, VL);
    for (; i + VL <= n; i += VL) PILLAR(1, 1, VL);
    if (i < n) PILLAR(1, 0, n - i);
}

/* VL cones of `size` entries each, one after the other. */
IN void tree(const T *x, const T *g, T *y, const Plan *P, Fixed f, int map, int back, int size) {
    const I axis = (lanes() & (size - 1)) == 0;
    const W share = (W)1 / size, k1 = (W)sqrt((double)size), k2 = 1 / k1;
    V t[16], mean = all(0), gmean = mean, a, n2, q, w, c, k;
    I bad;
#define OWN(i, v) (map == RCOLU ? (v) - spread(mean, i, size) : (V)((I)(v) & ~axis))
    if (map == RCOLU) {
        UNROLL for (int i = 0; i < size; i++) t[i] = load(x + i * VL);
        mean = sums(t, size) * share, a = mean * k1;
        if (back) {
            UNROLL for (int i = 0; i < size; i++) t[i] = load(g + i * VL);
            gmean = sums(t, size) * share;
        }
    } else {
        UNROLL for (int i = 0; i < size; i++) t[i] = load(x + i * VL);
        a = heads(t, size);
    }
    UNROLL for (int i = 0; i < size; i++) { V s = load(x + i * VL); s = OWN(i, s); t[i] = s * s; }
    q = n2 = sums(t, size);
    if (back) {
        UNROLL for (int i = 0; i < size; i++) {
            V s = load(x + i * VL);
            t[i] = OWN(i, s) * load(g + i * VL);
        }
        q = sums(t, size);
    }
    int redo = weights(a, n2, q, f, back, &w, &c, &k, &bad);
    V rest = back ? gmean + k * k2 - w * gmean : mean;
    UNROLL for (int i = 0; i < size; i++) {
        V v = load(x + i * VL), out, wi = spread(w, i, size);
        if (back) {
            V h = load(g + i * VL);
            out = wi * h + spread(c, i, size) * OWN(i, v);
            if (map == RCOLU) out += spread(rest, i, size);
            else out = sel(axis, h + spread(k, i, size), out);
        } else
            out = map == RCOLU ? spread(rest, i, size) + wi * OWN(i, v) : sel(axis, v, wi * v);
        store(y + i * VL, out);
    }
    if (__builtin_expect(redo, 0))
        for (int l = 0; l < VL; l++)
            if (bad[l]) {
                long o = l % size * VL + l / size * size;
                one(x + o, x + o + 1, back ? g + o : 0, g + o + 1, y + o, y + o + 1, 1, P, 0);
            }
}

/* The same for cones of 2 or 3 entries. */
IN void few(const T *x, const T *g, T *y, const Plan *P, Fixed f, int map, int back, int size) {
    V t[3], s[4], h[4], out[4];
    I bad;
    UNROLL for (int i = 0; i < size; i++) t[i] = load(x + i * VL);
    UNROLL for (int j = 0; j < size; j++) h[j] = s[j] = entry(t, j, size);
    if (back) {
        UNROLL for (int i = 0; i < size; i++) t[i] = load(g + i * VL);
        UNROLL for (int j = 0; j < size; j++) h[j] = entry(t, j, size);
    }
    int redo = at_once(s, h, out, P, f, map, back, size, &bad);
    UNROLL for (int i = 0; i < size; i++) store(y + i * VL, mixed(out, i, size));
    if (__builtin_expect(redo, 0))
        for (int l = 0; l < VL; l++)
            if (bad[l]) {
                long o = l * size;
                one(x + o, x + o + 1, back ? g + o : 0, g + o + 1, y + o, y + o + 1, 1, P, 0);
            }
}

/* n entries of whole cones, by `tree` or `few`; the last piece in a padded copy. */
IN void small(const T *x, const T *g, T *y, long n, const Plan *P, int map, int back, int size) {
    const Fixed f = fixed(P);
    const long block = (long)size * VL;
#define BLOCK(x, g, y)                                                                       \
    if (size < 4) few(x, g, y, P, f, map, back, size);                                       \
    else tree(x, g, y, P, f, map, back, size)
    long o = 0;
    for (; o + block <= n; o += block) { BLOCK(x + o, g + o, y + o); }
    if (o < n) {
        T px[16 * VL] = {0}, pg[16 * VL] = {0}, py[16 * VL];
        memcpy(px, x + o, (n - o) * sizeof(T));
        if (back) memcpy(pg, g + o, (n - o) * sizeof(T));
        BLOCK(px, pg, py);
        memcpy(y + o, py, (n - o) * sizeof(T));
    }
}

/* One cone whose section of m entries is contiguous. With `lead`, the axis is just before it. */
IN void row(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, const Plan *P,
            W *sum, int map, int back, int lead) {
    const long m = P->size - 1 + lead;
    const I axis = lead && map == COLU ? lanes() == 0 : (I){0};
    V n2 = all(0), q = n2, mean = n2, gmean = n2, w, c, k;
    I bad;
    if (lead) xs = xa, gs = ga, ys = ya;
    const W share = (W)1 / (W)P->size, k1 = (W)sqrt((double)P->size), k2 = 1 / k1;
    if (map == RCOLU) {
        EACH(m, mean += LD(xs + i); if (back) gmean += LD(gs + i););
        W head = lead ? 0 : (W)wide(*xa), ghead = lead || !back ? 0 : (W)wide(*ga);
        mean = all((total(mean) + head) * share);
        gmean = all((total(gmean) + ghead) * share);
        W rest = lead ? 0 : (W)wide(*xa) - mean[0];
        n2[0] = rest * rest;
        if (back) q[0] = rest * ghead;
    }
    EACH(m, V v = LD(xs + i);
         if (map == RCOLU) v = whole ? v - mean : sel(lanes() < (N)part, v - mean, all(0));
         if (lead && map == COLU && i == 0) v = (V)((I)v & ~axis);
         n2 += v * v; if (back) q += v * LD(gs + i););
    W a = map == RCOLU ? mean[0] * k1 : (W)wide(*xa);
    V dot = back ? all(total(q)) : n2;
    if (weights(all(a), all(total(n2)), dot, fixed(P), back, &w, &c, &k, &bad)) {
        if (lead) xs++, gs++, ys++;
        one(xa, xs, back ? ga : 0, back ? gs : 0, ya, ys, 1, P, sum);
        return;
    }
    V rest = back ? gmean + k * k2 - w * gmean : mean;
    if (!lead) {
        W x0 = (W)wide(*xa) - mean[0], g0 = back ? (W)wide(*ga) : 0;
        if (map == RCOLU) *ya = narrow(rest[0] + w[0] * (back ? g0 : x0) + (back ? c[0] * x0 : 0));
        else if (!sum) *ya = back ? narrow(g0 + k[0]) : *xa;
        else if (back) *sum += k[0];
    }
    EACH(m, V v = LD(xs + i), h = v, out; if (map == RCOLU) v -= mean;
         out = w * v;
         if (back) h = LD(gs + i), out = w * h + c * v;
         if (map == RCOLU) out += rest;
         if (lead && map == COLU && i == 0) out = sel(axis, back ? h + k : v, out);
         ST(ys + i, out););
}

/* Transpose n rows of `width` entries into planes of TURNED entries, or back. */
static void turn(const T *x, T *to, long n, long width) {
    for (long j = 0; j < width; j++)
        for (long b = 0; b < n; b++) to[j * TURNED + b] = x[b * width + j];
}
static void unturn(const T *from, T *y, long n, long width) {
    for (long b = 0; b < n; b++)
        for (long j = 0; j < width; j++) y[b * width + j] = from[j * TURNED + b];
}

typedef void planes_fn(const T *, const T *, const T *, const T *, T *, T *, long, long,
                       const Plan *, W *);
typedef void row_fn(const T *, const T *, const T *, const T *, T *, T *, const Plan *, W *, int);
static inline long least(long a, long b) { return a < b ? a : b; }

/* Cones first..last-1 of one row of channels (channels last). */
static void line(const T *x, const T *g, T *y, long first, long last, const Plan *P,
                 planes_fn *planes, row_fn *row, int back) {
    const long m = P->size - 1, lead = P->axis_step == P->size, skip = lead ? 0 : TURNED;
    W extra = 0, *sum = P->shared ? &extra : 0;
    if (m >= VL || m > WIDEST) {
        for (long b = first; b < last; b++) {
            long a = b * P->axis_step, s = P->section + b * P->section_step;
            row(x + a, x + s, g + a, g + s, y + a, y + s, P, sum, (int)lead);
        }
    } else if (m == 1 && !lead && !sum) { /* two runs, nothing to transpose */
        for (long b = first; b < last; b += STRIP) {
            long n = least(STRIP, last - b), s = P->section + b;
            planes(x + b, x + s, g + b, g + s, y + b, y + s, 1, n, P, 0);
        }
    } else {
        T tx[(WIDEST + 1) * TURNED], tg[(WIDEST + 1) * TURNED], ty[(WIDEST + 1) * TURNED];
        W extras[TURNED + VL] = {0};
        for (long b = first; b < last; b += TURNED) {
            long n = least(TURNED, last - b), a = b * P->axis_step;
            long s = lead ? a : P->section + b * P->section_step;
            turn(x + s, tx + skip, n, m + lead);
            if (back) turn(g + s, tg + skip, n, m + lead);
            const T *xa = lead ? tx : x + a, *ga = lead ? tg : g + a;
            if (sum) for (long i = 0; i < n; i++) tx[i] = *x;
            planes(sum ? tx : xa, tx + TURNED, ga, tg + TURNED, lead ? ty : y + a, ty + TURNED,
                   TURNED, n, P, sum ? extras : 0);
            unturn(ty + skip, y + s, n, m + lead);
        }
        for (long i = 0; i < TURNED; i++) extra += extras[i];
    }
    if (sum) *y = back ? narrow(wide(*g) + extra) : *x;
}

/* Units of work lo..hi-1: whole cones (channels last), or strips of cones. */
IN void work(const T *x, const T *g, T *y, const Plan *P, long strip, long lo, long hi,
             planes_fn *planes, row_fn *row, int map, int back) {
    const long G = P->groups, S = P->size, C = P->shared ? 1 + G * (S - 1) : G * S, L = P->inner;
    if (L == 1 && P->axis_step == S) { /* blocks: the cones of all rows are one sequence */
        const long o = lo * S, n = (hi - lo) * S;
#define SMALL(entries)                                                                       \
    if (S == entries && entries <= VL) {                                                     \
        small(x + o, g + o, y + o, n, P, map, back, entries);                                \
        return;                                                                              \
    }
        SMALL(2)
        if (map == MPU) return; /* has no other size */
        SMALL(3) SMALL(4) SMALL(8) SMALL(16)
        line(x, g, y, lo, hi, P, planes, row, back);
        return;
    }
    if (L == 1) {
        for (long b = lo; b < hi;) {
            long r = P->shared ? b : b / G, first = P->shared ? 0 : b - r * G, o = r * C;
            long last = P->shared ? G : least(G, first + hi - b);
            line(x + o, g + o, y + o, first, last, P, planes, row, back);
            b += P->shared ? 1 : last - first;
        }
        return;
    }
    const long strips = (L + strip - 1) / strip;
    for (long u = lo; u < hi; u++) {
        long p = u % strips * strip, n = least(strip, L - p), b = u / strips;
        long o = (P->shared ? b : b / G) * C * L + p;
        if (P->shared) {
            W sums[STRIP + VL] = {0};
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
#define WORKER(name, map, back)                                                              \
    static void name##_planes(const T *xa, const T *xs, const T *ga, const T *gs, T *ya,     \
                              T *ys, long step, long n, const Plan *P, W *sum) {             \
        planes(xa, xs, ga, gs, ya, ys, step, n, P, sum, map, back);                          \
    }                                                                                        \
    static void name##_row(const T *xa, const T *xs, const T *ga, const T *gs, T *ya, T *ys, \
                           const Plan *P, W *sum, int lead) {                                \
        row(xa, xs, ga, gs, ya, ys, P, sum, map, back, lead);                                \
    }                                                                                        \
    static void name(const T *x, const T *g, T *y, const Plan *P, long strip, long lo,       \
                     long hi) {                                                              \
        work(x, g, y, P, strip, lo, hi, name##_planes, name##_row, map, back);               \
    }
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
    for (long t = 0; t < threads; t++)
        f(x, g, y, P, strip, units * t / threads, units * (t + 1) / threads);
}

/* What the loader checks before it believes a library. */
long colu_abi(void) { return 1000 * (long)sizeof(Plan) + 10 * (long)sizeof(T) + KIND; }
