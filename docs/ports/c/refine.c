/* Refinement of weights without a learning rate: generalised iterative scaling (SPEC 1).
 *
 *     U ← U + (1/K) log(F / Hᵀ Ŷ),      ŷ_m = ‖y_m‖ φ(h_m U + r_m u),      r_m = K − ‖h_m‖
 *
 * K is the largest norm; r is the slack feature that completes each norm to it, and u its weights,
 * which begin at zero and are refined like all others.  A cell that was never seen keeps its
 * weight.
 */
#include "saffu.h"

#include <math.h>

/* Norms that differ by less than this share of the largest differ by rounding alone. */
#define SAME_NORM 1e-12

/* weight += (1/K) log(seen / expected), where something was seen, and expected at all: what
 * underflows has no ratio, and waits for a later step */
static void scale(size_t n, const double *seen, const double *expected, double K, double *weight) {
    for (size_t c = 0; c < n; c++)
        if (seen[c] > 0.0 && expected[c] > 0.0) weight[c] += log(seen[c] / expected[c]) / K;
}

Reason saffu_refine(size_t M, size_t D, size_t N, const double *H, const double *Y, size_t steps,
                    double *U, double *slack, double *capacity, double *losses, Arena *arena) {
    const size_t used = arena->used;
    TAKE(double, F, D *N);
    TAKE(double, expected, D *N);
    TAKE(double, slack_seen, N);
    TAKE(double, slack_expected, N);
    TAKE(double, missing, M);
    TAKE(double, z, M *N);
    TAKE(double, p, M *N);
    double norm = 0.0, K = 0.0;
    TRY(saffu_cooccurrence(M, D, N, H, Y, F, &norm));
    TRY(saffu_check_finite(D * N, U));
    for (size_t m = 0; m < M; m++) K = fmax(K, saffu_sum(D, H + m * D));
    if (!(K > 0.0)) return SAFFU_ZERO_NORM;
    for (size_t m = 0; m < M; m++) {
        const double gap = K - saffu_sum(D, H + m * D);
        missing[m] = gap > SAME_NORM * K ? gap : 0.0;
        for (size_t i = 0; i < N; i++) slack_seen[i] += missing[m] * Y[m * N + i];
    }
    for (size_t step = 0;; step++) {
        for (size_t m = 0; m < M; m++)
            for (size_t i = 0; i < N; i++) {
                double logit = missing[m] * slack[i];
                for (size_t d = 0; d < D; d++) logit += H[m * D + d] * U[d * N + i];
                z[m * N + i] = logit;
            }
        TRY(saffu_cross_entropy(M, N, z, Y, &losses[step], NULL));
        if (step == steps) break;
        TRY(saffu_softmax(M, N, z, NULL, p));
        for (size_t c = 0; c < D * N; c++) expected[c] = 0.0;
        for (size_t i = 0; i < N; i++) slack_expected[i] = 0.0;
        for (size_t m = 0; m < M; m++) {
            const double mass = saffu_sum(N, Y + m * N);
            for (size_t i = 0; i < N; i++) {
                const double weight = mass * p[m * N + i];
                for (size_t d = 0; d < D; d++) expected[d * N + i] += H[m * D + d] * weight;
                slack_expected[i] += missing[m] * weight;
            }
        }
        scale(D * N, F, expected, K, U);
        scale(N, slack_seen, slack_expected, K, slack);
    }
    *capacity = K;
    arena_release(arena, used);
    return SAFFU_OK;
}
