/* Generalised co-occurrence, and the explicit solution of one softmax layer (SPEC 1).
 *
 *     F = Hᵀ Y        K = Σ‖h‖ / M        U = log F − ((K − 1)/K) · log Σ_d F
 *
 * F, Σ‖h‖ and M of two sets of samples add up to those of their union.
 */
#include "saffu.h"

#include <math.h>

/* F += Hᵀ Y, norm += Σ_m ‖h_m‖   (SPEC 1) */
Reason saffu_cooccurrence(size_t M, size_t D, size_t N, const double *H, const double *Y, double *F,
                          double *norm) {
    if (M == 0) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_features(M * D, H));
    TRY(saffu_check_targets(M, N, Y));
    for (size_t m = 0; m < M; m++)
        for (size_t d = 0; d < D; d++) {
            const double h = H[m * D + d];
            *norm += h;
            for (size_t i = 0; i < N; i++) F[d * N + i] += h * Y[m * N + i];
        }
    return SAFFU_OK;
}

/* K = Σ_m ‖h_m‖ / M   (SPEC 1) */
Reason saffu_priming_number(size_t M, size_t D, const double *H, double *K) {
    if (M == 0) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_features(M * D, H));
    *K = saffu_sum(M * D, H) / (double)M;
    return *K > 0.0 ? SAFFU_OK : SAFFU_ZERO_NORM;
}

/* Additive and backoff strengths are not negative; a discount lies between 0 and 1   (SPEC 1) */
Reason saffu_check_smoothing(Smoothing smoothing) {
    const double x = smoothing.strength;
    if (smoothing.kind == DISCOUNT) return x > 0.0 && x < 1.0 ? SAFFU_OK : SAFFU_OPTION;
    return isfinite(x) && x >= 0.0 ? SAFFU_OK : SAFFU_OPTION;
}

/* q_i = (n_i + 1)/(Σn + N)   (SPEC 1) */
void saffu_shares(size_t N, const double *n, double *q) {
    const double total = saffu_sum(N, n) + (double)N;
    for (size_t i = 0; i < N; i++) q[i] = (n[i] + 1.0) / total;
}

/* F + α,  F + α q,  or  max(F − δ, 0) + δ r⁺ q  with r⁺ non-zero cells in the row   (SPEC 1) */
Reason saffu_smooth_row(Smoothing smoothing, size_t N, const double *row, const double *q,
                        double *smoothed) {
    const double strength = smoothing.strength;
    size_t seen = 0;
    for (size_t i = 0; i < N; i++) {
        if (row[i] > 0.0) seen++;
        if (smoothing.kind == DISCOUNT && row[i] != floor(row[i])) return SAFFU_FRACTION;
    }
    for (size_t i = 0; i < N; i++) switch (smoothing.kind) {
        case ADDITIVE: smoothed[i] = row[i] + strength; break;
        case BACKOFF: smoothed[i] = row[i] + strength * q[i]; break;
        case DISCOUNT:
            smoothed[i] = fmax(row[i] - strength, 0.0) + strength * (double)seen * q[i];
            break;
        }
    return SAFFU_OK;
}

/* Each row of counts smoothed; a zero that is left is refused   (SPEC 1) */
Reason saffu_smooth(Smoothing smoothing, size_t D, size_t N, const double *F, double *smoothed,
                    Arena *arena) {
    const size_t used = arena->used;
    TRY(saffu_check_smoothing(smoothing));
    TAKE(double, n, N);
    TAKE(double, q, N);
    saffu_column_sums(D, N, F, n);
    saffu_shares(N, n, q);
    for (size_t d = 0; d < D; d++)
        TRY(saffu_smooth_row(smoothing, N, F + d * N, q, smoothed + d * N));
    for (size_t c = 0; c < D * N; c++)
        if (!(smoothed[c] > 0.0)) return SAFFU_ZERO_COUNT;
    arena_release(arena, used);
    return SAFFU_OK;
}

/* U[d,i] = log F[d,i] − ((K − 1)/K) · log Σ_d' F[d',i]   (SPEC 1) */
Reason saffu_explicit_weights(size_t D, size_t N, const double *F, double K, double *U,
                              Arena *arena) {
    const size_t used = arena->used;
    if (!isfinite(K) || K <= 0.0) return SAFFU_OPTION;
    TAKE(double, n, N);
    saffu_column_sums(D, N, F, n);
    for (size_t i = 0; i < N; i++) {
        const double total = (K - 1.0) / K * log(n[i]);
        for (size_t d = 0; d < D; d++) U[d * N + i] = log(F[d * N + i]) - total;
    }
    arena_release(arena, used);
    return SAFFU_OK;
}

/* U_λ[d,i] = λ log(F[d,i]/n_i) + (1/K) log n_i   (SPEC 1, tempering) */
Reason saffu_tempered_weights(size_t D, size_t N, const double *F, double K, double temper,
                              double *U, Arena *arena) {
    if (!isfinite(temper) || !isfinite(K) || K <= 0.0) return SAFFU_OPTION;
    const size_t used = arena->used;
    TAKE(double, n, N);
    saffu_column_sums(D, N, F, n);
    for (size_t i = 0; i < N; i++)
        for (size_t d = 0; d < D; d++)
            U[d * N + i] = temper * log(F[d * N + i] / n[i]) + log(n[i]) / K;
    arena_release(arena, used);
    return SAFFU_OK;
}
