/* The bit-cipher: a distinct code for each token, the most frequent the most distinct (SPEC 2). */
#include "saffu.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    int64_t count;
    size_t id;
} Counted;

static int by_rank(const void *left, const void *right) {
    const Counted *const a = left, *const b = right;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

Reason saffu_check_tokens(Document document, size_t V) {
    for (size_t t = 0; t < document.length; t++)
        if (document.tokens[t] < 0 || (uint64_t)document.tokens[t] >= V) return SAFFU_TOKEN_RANGE;
    return SAFFU_OK;
}

/* Token ids by descending count, ties by ascending id   (SPEC 2) */
Reason saffu_rank_tokens(size_t V, const int64_t *counts, Token *ranks, Arena *arena) {
    const size_t used = arena->used;
    if (V == 0) return SAFFU_NO_SAMPLES;
    TAKE(Counted, token, V);
    for (size_t v = 0; v < V; v++) {
        if (counts[v] < 0) return SAFFU_NEGATIVE;
        token[v] = (Counted){counts[v], v};
    }
    qsort(token, V, sizeof *token, by_rank);
    for (size_t r = 0; r < V; r++) ranks[r] = (Token)token[r].id;
    arena_release(arena, used);
    return SAFFU_OK;
}

/* Level 1 is the basis.  Level k: for each basis vector e from the last to the first, for each code
 * p of level k−1 in reverse, p XOR e, if it has k ones and is not assigned yet   (SPEC 2)
 *
 * A code c of k ones first comes up at its last one, e = max c, since the level below holds
 * c less e.  So p XOR e is new just where all ones of p lie before e. */
Reason saffu_bit_codes(size_t V, size_t b, double *codes) {
    if (b == 0) return SAFFU_OPTION;
    if (b < 63 && ((uint64_t)1 << b) - 1 < V) return SAFFU_BITS;
    for (size_t c = 0; c < V * b; c++) codes[c] = 0.0;
    size_t assigned = 0, level = 0, end = 0; /* the level before is level … end − 1 */
    for (; assigned < b && assigned < V; assigned++) codes[assigned * b + assigned] = 1.0;
    while (assigned < V) {
        level = end;
        end = assigned;
        for (size_t e = b; e-- > 0;)
            for (size_t p = end; p-- > level && assigned < V;) {
                const double *const from = codes + p * b;
                double *const to = codes + assigned * b;
                if (saffu_sum(b - e, from + e) > 0.0) continue;
                for (size_t i = 0; i < e; i++) to[i] = from[i];
                to[e] = 1.0;
                assigned++;
            }
    }
    return SAFFU_OK;
}

/* A token's vector is its code over its number of ones   (SPEC 2) */
void saffu_cipher_embedding(size_t V, size_t b, const Token *ranks, const double *codes,
                            double *E) {
    for (size_t r = 0; r < V; r++) {
        const double ones = saffu_sum(b, codes + r * b);
        for (size_t i = 0; i < b; i++) E[(size_t)ranks[r] * b + i] = codes[r * b + i] / ones;
    }
}

/* ⟨v, code⟩, or the mean of log v at the ones of the code; and its size, no sign counted. */
static double score(size_t b, const double *v, const double *code, Decoding method, double *size) {
    double sum = 0.0, ones = 0.0;
    *size = 0.0;
    for (size_t i = 0; i < b; i++) {
        if (code[i] == 0.0) continue;
        const double term = method == DECODE_DOT ? v[i] * code[i] : log(v[i]);
        sum += term;
        *size += fabs(term);
        ones += 1.0;
    }
    if (method == DECODE_LIKELIHOOD && ones > 0.0) {
        sum /= ones;
        *size /= ones;
    }
    return sum;
}

/* Scores that differ by less than this share of themselves differ by rounding alone. */
#define SAME_SCORE 1e-12

/* argmax over codes; ties, up to rounding, go to the more frequent token   (SPEC 2) */
Reason saffu_cipher_decode(size_t M, size_t V, size_t b, const double *vectors, const double *codes,
                           Decoding method, Token *ranks) {
    if (V == 0) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_features(M * b, vectors));
    for (size_t m = 0; m < M; m++) {
        double best = -INFINITY;
        ranks[m] = 0;
        for (size_t r = 0; r < V; r++) {
            double size;
            const double s = score(b, vectors + m * b, codes + r * b, method, &size);
            if (isinf(s) || !(s > best + SAME_SCORE * size)) continue;
            best = s;
            ranks[m] = (Token)r;
        }
    }
    return SAFFU_OK;
}
