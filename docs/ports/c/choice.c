/* Which smoothing, by samples that were not counted (SPEC 1, choosing). */
#include "saffu.h"

#include <math.h>

/* Each row a single one among zeros. */
static bool one_hot(size_t M, size_t N, const double *x) {
    for (size_t m = 0; m < M; m++) {
        size_t ones = 0;
        for (size_t i = 0; i < N; i++) {
            if (x[m * N + i] != 0.0 && x[m * N + i] != 1.0) return false;
            if (x[m * N + i] == 1.0) ones++;
        }
        if (ones != 1) return false;
    }
    return true;
}

/* ℓ = −(1/M) Σ_{d,i} F[d,i] log P(i | d; F less one sample at [d,i])   (SPEC 1)
 * with P a row of smoothed counts over its sum.  A discounted row from which nothing is left has
 * nothing to give back, and q itself predicts. */
static Reason leave_one_out(Smoothing smoothing, size_t M, size_t D, size_t N, const double *F,
                            double *loss, Arena *arena) {
    const size_t used = arena->used;
    if (smoothing.kind != DISCOUNT && smoothing.strength == 0.0)
        for (size_t c = 0; c < D * N; c++) /* empty, or so without its only sample */
            if (F[c] < 2.0) return SAFFU_ZERO_COUNT;
    TAKE(double, n, N);
    TAKE(double, q, N);
    TAKE(double, row, N);
    TAKE(double, smoothed, N);
    saffu_column_sums(D, N, F, n);
    double total = 0.0;
    for (size_t d = 0; d < D; d++)
        for (size_t i = 0; i < N; i++) {
            const double count = F[d * N + i];
            if (count == 0.0) continue;
            for (size_t j = 0; j < N; j++) row[j] = F[d * N + j] - (j == i ? 1.0 : 0.0);
            n[i] -= 1.0;
            saffu_shares(N, n, q);
            n[i] += 1.0;
            TRY(saffu_smooth_row(smoothing, N, row, q, smoothed));
            const bool empty = smoothing.kind == DISCOUNT && !(saffu_sum(N, row) > 0.0);
            const double *const p = empty ? q : smoothed;
            if (!(p[i] > 0.0)) return SAFFU_ZERO_COUNT;
            total -= count * log(p[i] / saffu_sum(N, p));
        }
    *loss = total / (double)M;
    arena_release(arena, used);
    return SAFFU_OK;
}

/* The loss on held-out samples of the explicit solution from counts F, at the K of the training
 * samples; or of the tempered solution at the λ that is best for the held-out samples   (SPEC 1) */
static Reason held_out(Samples held, size_t D, size_t N, const double *F, double K, bool tempered,
                       double *loss, Arena *arena) {
    const size_t used = arena->used;
    if (tempered) {
        double temper = 1.0;
        return saffu_fit_temper(held.M, D, N, 1, held.H, held.Y, F, &temper, loss, arena);
    }
    TAKE(double, U, D *N);
    TAKE(double, z, held.M *N);
    TRY(saffu_explicit_weights(D, N, F, K, U, arena));
    for (size_t m = 0; m < held.M; m++)
        for (size_t d = 0; d < D; d++)
            for (size_t i = 0; i < N; i++) z[m * N + i] += held.H[m * D + d] * U[d * N + i];
    TRY(saffu_cross_entropy(held.M, N, z, held.Y, loss, NULL));
    arena_release(arena, used);
    return SAFFU_OK;
}

/* argmin over candidates of the held-out or leave-one-out loss, the first of ties   (SPEC 1) */
Reason saffu_choose_smoothing(Samples train, Samples held, size_t D, size_t N, size_t C,
                              const Smoothing *candidates, bool tempered, double *losses,
                              size_t *choice, Arena *arena) {
    const size_t used = arena->used;
    if (C == 0) return SAFFU_OPTION;
    TAKE(double, F, D *N);
    TAKE(double, smoothed, D *N);
    double norm = 0.0, K = 0.0;
    TRY(saffu_cooccurrence(train.M, D, N, train.H, train.Y, F, &norm));
    TRY(saffu_priming_number(train.M, D, train.H, &K));
    if (held.H == NULL) {
        if (tempered || train.M < 2) return SAFFU_OPTION;
        if (!one_hot(train.M, D, train.H) || !one_hot(train.M, N, train.Y)) return SAFFU_OPTION;
    } else {
        if (held.M == 0) return SAFFU_NO_SAMPLES;
        TRY(saffu_check_features(held.M * D, held.H));
    }
    *choice = 0;
    for (size_t c = 0; c < C; c++) {
        TRY(saffu_check_smoothing(candidates[c]));
        if (held.H == NULL) {
            TRY(leave_one_out(candidates[c], train.M, D, N, F, &losses[c], arena));
        } else {
            TRY(saffu_smooth(candidates[c], D, N, F, smoothed, arena));
            TRY(held_out(held, D, N, smoothed, K, tempered, &losses[c], arena));
        }
        if (losses[c] < losses[*choice]) *choice = c;
    }
    arena_release(arena, used);
    return SAFFU_OK;
}
