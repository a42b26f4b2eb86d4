/* The softmax along the last axis, its logarithm, and what is measured with them (SPEC 0, 6, 7).
 *
 * The largest valid logit of a row is subtracted before anything is exponentiated, so nothing
 * overflows; the logarithm of a probability is never taken, so nothing underflows to −∞.
 */
#include "saffu.h"

#include <math.h>

static bool valid(const bool *mask, size_t i) { return mask == NULL || mask[i]; }

/* log Σ_j exp z_j over valid entries, as the largest logit and the logarithm of the rest. */
static Reason log_sum(size_t N, const double *z, const bool *mask, double *largest, double *rest) {
    double top = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < N; i++) {
        if (!valid(mask, i)) continue;
        if (!isfinite(z[i])) return SAFFU_NON_FINITE;
        if (z[i] > top) top = z[i];
    }
    if (isinf(top)) return SAFFU_EMPTY_MASK;
    for (size_t i = 0; i < N; i++)
        if (valid(mask, i)) sum += exp(z[i] - top);
    *largest = top;
    *rest = log(sum);
    return SAFFU_OK;
}

/* φ(z)_i = exp z_i / Σ_j exp z_j   (SPEC 0) */
Reason saffu_softmax(size_t M, size_t N, const double *z, const bool *mask, double *p) {
    if (N == 0) return SAFFU_SHAPE;
    for (size_t m = 0; m < M; m++, z += N, p += N) {
        const bool *const row_mask = mask == NULL ? NULL : mask + m * N;
        double largest, rest, sum = 0.0;
        TRY(log_sum(N, z, row_mask, &largest, &rest));
        for (size_t i = 0; i < N; i++) {
            p[i] = valid(row_mask, i) ? exp(z[i] - largest) : 0.0;
            sum += p[i];
        }
        for (size_t i = 0; i < N; i++) p[i] /= sum;
    }
    return SAFFU_OK;
}

/* dz = p ⊙ (dp − ⟨p, dp⟩)   (SPEC 6) */
void saffu_softmax_vjp(size_t M, size_t N, const double *p, const double *dp, double *dz) {
    for (size_t m = 0; m < M; m++, p += N, dp += N, dz += N) {
        const double mean = saffu_dot(N, p, dp);
        for (size_t i = 0; i < N; i++) dz[i] = p[i] * (dp[i] - mean);
    }
}

/* log φ(z)_i = z_i − log Σ_j exp z_j; −∞ where masked   (SPEC 0) */
Reason saffu_log_softmax(size_t M, size_t N, const double *z, const bool *mask, double *logp) {
    if (N == 0) return SAFFU_SHAPE;
    for (size_t m = 0; m < M; m++, z += N, logp += N) {
        const bool *const row_mask = mask == NULL ? NULL : mask + m * N;
        double largest, rest;
        TRY(log_sum(N, z, row_mask, &largest, &rest));
        for (size_t i = 0; i < N; i++)
            logp[i] = valid(row_mask, i) ? z[i] - largest - rest : -INFINITY;
    }
    return SAFFU_OK;
}

/* dz = dlogp − p Σ dlogp; zero where masked   (SPEC 6) */
void saffu_log_softmax_vjp(size_t M, size_t N, const double *logp, const double *dlogp,
                           double *dz) {
    for (size_t m = 0; m < M; m++, logp += N, dlogp += N, dz += N) {
        double sum = 0.0;
        for (size_t i = 0; i < N; i++)
            if (!isinf(logp[i])) sum += dlogp[i];
        for (size_t i = 0; i < N; i++)
            dz[i] = isinf(logp[i]) ? 0.0 : dlogp[i] - exp(logp[i]) * sum;
    }
}

/* ℓ = −(1/M) Σ_m ⟨y_m, log φ(z_m)⟩, and its gradient (ŷ Σy − y)/M in the logits   (SPEC 0, 6) */
Reason saffu_cross_entropy(size_t M, size_t N, const double *z, const double *Y, double *loss,
                           double *gradient) {
    if (M == 0) return SAFFU_NO_SAMPLES;
    if (N == 0) return SAFFU_SHAPE;
    TRY(saffu_check_targets(M, N, Y));
    const double samples = (double)M;
    double total = 0.0;
    for (size_t m = 0; m < M; m++, z += N, Y += N) {
        double largest, rest;
        TRY(log_sum(N, z, NULL, &largest, &rest));
        const double mass = saffu_sum(N, Y);
        for (size_t i = 0; i < N; i++) {
            const double log_probability = z[i] - largest - rest;
            total -= Y[i] * log_probability;
            if (gradient != NULL)
                gradient[m * N + i] = (exp(log_probability) * mass - Y[i]) / samples;
        }
    }
    *loss = total / samples;
    return SAFFU_OK;
}

/* exp(Σ_m ℓ_m / M)   (SPEC 7) */
Reason saffu_perplexity(size_t M, const double *nats, double *perplexity) {
    if (M == 0) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_finite(M, nats));
    *perplexity = exp(saffu_sum(M, nats) / (double)M);
    return SAFFU_OK;
}
