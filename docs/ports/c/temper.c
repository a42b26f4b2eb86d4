/* Tempering: how far the evidence of the features is trusted (SPEC 1).
 *
 *     z_i(λ) = log n_i + Σ_k λ_k s_ki,      s_ki = Σ_{d in slot k} h_d log(F[d,i]/n_i)
 *
 * The loss is convex in λ.  Newton's method starts from λ = 0, where the prior alone predicts and
 * nothing is saturated, whatever start is given: only slots that say nothing keep that.  Three
 * things make it safe.  Scores are divided by the largest of their slot, so that a unit of λ means
 * the same everywhere.  They are centred on the targets of their sample, so that gradients stay
 * exact where the loss is flat to rounding.  And an optimum at infinity shows: steps towards it
 * take off the same share of an exponential tail each, so that they never become small, until a
 * direction that had curvature where all began has none left.
 */
#include "saffu.h"

#include <float.h>
#include <math.h>

#define STEPS 200

static Reason check(size_t M, size_t D, size_t N, size_t S, const double *H, const double *F) {
    if (S == 0 || D % S != 0) return SAFFU_OPTION;
    TRY(saffu_check_features(M * D, H));
    TRY(saffu_check_features(D * N, F));
    for (size_t c = 0; c < D * N; c++)
        if (F[c] == 0.0) return SAFFU_ZERO_COUNT;
    return SAFFU_OK;
}

/* s[m,k,i] = Σ_{d in slot k} h_d log(F[d,i]/n_i); slot k is features k·D/S … (k+1)·D/S − 1 */
static void slot_scores(size_t M, size_t D, size_t N, size_t S, const double *H, const double *F,
                        const double *n, double *scores) {
    for (size_t m = 0; m < M; m++)
        for (size_t d = 0; d < D; d++) {
            const double h = H[m * D + d];
            double *const s = scores + (m * S + d / (D / S)) * N;
            if (h == 0.0) continue;
            for (size_t i = 0; i < N; i++) s[i] += h * log(F[d * N + i] / n[i]);
        }
}

/* z_i = log n_i + Σ_d λ_slot(d) h_d log(F[d,i]/n_i)   (SPEC 1) */
Reason saffu_tempered_logits(size_t M, size_t D, size_t N, size_t S, const double *H,
                             const double *F, const double *temper, double *z, Arena *arena) {
    const size_t used = arena->used;
    if (M == 0) return SAFFU_NO_SAMPLES;
    TRY(check(M, D, N, S, H, F));
    TRY(saffu_check_finite(S, temper));
    TAKE(double, n, N);
    TAKE(double, scores, M * S * N);
    saffu_column_sums(D, N, F, n);
    slot_scores(M, D, N, S, H, F, n, scores);
    for (size_t m = 0; m < M; m++)
        for (size_t i = 0; i < N; i++) {
            double logit = log(n[i]);
            for (size_t k = 0; k < S; k++) logit += temper[k] * scores[(m * S + k) * N + i];
            z[m * N + i] = logit;
        }
    arena_release(arena, used);
    return SAFFU_OK;
}

/* ---- the fit --------------------------------------------------------------------------------- */

typedef struct {
    size_t M, N, S;
    const double *Y, *prior; /* targets [M N]; log n [N] */
    double *scores; /* [M S N], scaled and centred on the targets */
    double *z; /* [N], scratch */
    double *mean; /* [S], scratch */
    double *unit; /* [S], what scores were divided by; 0 for slots that say nothing */
} Fit;

/* Loss at λ up to what does not depend on λ, its gradient [S], and its Hessian [S S] if wanted:
 *     ℓ = Σ_m ‖y_m‖ (log Σ_i exp z_i) − ⟨y, z⟩,   ∂ℓ/∂λ_k = Σ_m ‖y_m‖ ⟨p, s_k⟩ − 0
 * since ⟨y, s_k⟩ = 0 by centring. */
static double evaluate(const Fit *fit, const double *temper, double *gradient, double *hessian) {
    const size_t N = fit->N, S = fit->S;
    double loss = 0.0;
    for (size_t k = 0; k < S; k++) gradient[k] = 0.0;
    for (size_t k = 0; hessian != NULL && k < S * S; k++) hessian[k] = 0.0;
    for (size_t m = 0; m < fit->M; m++) {
        const double *const s = fit->scores + m * S * N, *const y = fit->Y + m * N;
        const double mass = saffu_sum(N, y);
        double top = -INFINITY, sum = 0.0, asked = 0.0;
        for (size_t i = 0; i < N; i++) {
            fit->z[i] = fit->prior[i];
            for (size_t k = 0; k < S; k++) fit->z[i] += temper[k] * s[k * N + i];
            top = fmax(top, fit->z[i]);
            asked += y[i] * fit->z[i];
        }
        for (size_t i = 0; i < N; i++) sum += exp(fit->z[i] - top);
        loss += mass * (top + log(sum)) - asked;
        for (size_t i = 0; i < N; i++) fit->z[i] = exp(fit->z[i] - top) / sum;
        for (size_t k = 0; k < S; k++) {
            fit->mean[k] = saffu_dot(N, fit->z, s + k * N);
            gradient[k] += mass * fit->mean[k];
        }
        for (size_t k = 0; hessian != NULL && k < S; k++)
            for (size_t j = 0; j <= k; j++) {
                double square = 0.0;
                for (size_t i = 0; i < N; i++) square += fit->z[i] * s[k * N + i] * s[j * N + i];
                hessian[k * S + j] += mass * (square - fit->mean[k] * fit->mean[j]);
            }
    }
    return loss;
}

/* Solves A x = −g by A = L D Lᵀ, in place in the lower triangle.  Where what is left of a curvature
 * is its rounding, `noise` of the whole, x stays 0.  Returns how many have more. */
static size_t newton_direction(size_t S, double *A, const double *g, double noise, double *x) {
    size_t rank = 0;
    for (size_t k = 0; k < S; k++) {
        const double whole = A[k * S + k];
        for (size_t j = 0; j < k; j++) {
            double rest = A[k * S + j];
            for (size_t l = 0; l < j; l++) rest -= A[k * S + l] * A[l * S + l] * A[j * S + l];
            A[k * S + j] = A[j * S + j] > 0.0 ? rest / A[j * S + j] : 0.0;
        }
        for (size_t l = 0; l < k; l++) A[k * S + k] -= A[k * S + l] * A[k * S + l] * A[l * S + l];
        if (A[k * S + k] > noise * whole)
            rank++;
        else
            A[k * S + k] = 0.0;
    }
    for (size_t k = 0; k < S; k++) {
        x[k] = -g[k];
        for (size_t j = 0; j < k; j++) x[k] -= A[k * S + j] * x[j];
    }
    for (size_t k = S; k-- > 0;) {
        x[k] = A[k * S + k] > 0.0 ? x[k] / A[k * S + k] : 0.0;
        for (size_t j = k + 1; j < S; j++) x[k] -= A[j * S + k] * x[j];
        if (A[k * S + k] == 0.0) x[k] = 0.0;
    }
    return rank;
}

/* Divides the scores of each slot by their largest and centres them on the targets.  The divisor is
 * 0 for a slot that says the same of every target, up to rounding. */
static void scale_and_centre(const Fit *fit) {
    const size_t N = fit->N, S = fit->S;
    double *const unit = fit->unit;
    for (size_t k = 0; k < S; k++) {
        double largest = 0.0, spread = 0.0;
        for (size_t m = 0; m < fit->M; m++) {
            double *const s = fit->scores + (m * S + k) * N;
            const double *const y = fit->Y + m * N;
            double low = s[0], high = s[0];
            for (size_t i = 0; i < N; i++) {
                largest = fmax(largest, fabs(s[i]));
                low = fmin(low, s[i]);
                high = fmax(high, s[i]);
            }
            spread = fmax(spread, high - low);
            size_t asked = 0; /* take off an entry first: exact for one-hot targets */
            for (size_t i = 0; i < N; i++)
                if (y[i] > y[asked]) asked = i;
            const double origin = s[asked];
            for (size_t i = 0; i < N; i++) s[i] -= origin;
            const double centre = saffu_dot(N, y, s) / saffu_sum(N, y);
            for (size_t i = 0; i < N; i++) s[i] -= centre;
        }
        unit[k] = spread > 64.0 * DBL_EPSILON * largest ? spread : 0.0;
        for (size_t m = 0; m < fit->M; m++)
            for (size_t i = 0; i < N; i++) {
                double *const s = fit->scores + (m * S + k) * N + i;
                *s = unit[k] > 0.0 ? *s / unit[k] : 0.0;
            }
    }
}

/* Newton's method with halved steps, from λ = 0 in scaled units. */
static Reason newton(const Fit *fit, double *temper, Arena *arena) {
    const size_t S = fit->S;
    TAKE(double, gradient, S);
    TAKE(double, trial_gradient, S);
    TAKE(double, hessian, S * S);
    TAKE(double, direction, S);
    TAKE(double, trial, S);
    double last = INFINITY;
    size_t rank_at_start = 0;
    for (int step = 0; step < STEPS; step++) {
        const double loss = evaluate(fit, temper, gradient, hessian);
        const double noise = step == 0 ? 1e-9 : 1e-13;
        const size_t rank = newton_direction(S, hessian, gradient, noise, direction);
        if (step == 0) rank_at_start = rank;
        if (rank < rank_at_start) return SAFFU_NOT_CONVERGED;
        const double slope = saffu_dot(S, gradient, direction);
        double size = 0.0; /* of a full step, next to λ itself */
        for (size_t k = 0; k < S; k++)
            size = fmax(size, fabs(direction[k]) / (1.0 + fabs(temper[k])));
        double length = 2.0;
        for (int half = 0; half < 60; half++) {
            length /= 2.0;
            for (size_t k = 0; k < S; k++) trial[k] = temper[k] + length * direction[k];
            const double value = evaluate(fit, trial, trial_gradient, NULL);
            const double slope_there = saffu_dot(S, trial_gradient, direction);
            /* convex: still going down is surely lower; else the loss has to say so, or, where it
             * is flat to rounding, the slope */
            if (slope_there <= 0.0 || value < loss) break;
            if (slope_there <= -slope / 2.0 && value <= loss + 1e-12 * (1.0 + fabs(loss))) break;
        }
        for (size_t k = 0; k < S; k++) temper[k] = trial[k];
        if (step == 0) continue;
        if (size < 1e-11 || (size < 1e-6 && size > last / 2.0)) return SAFFU_OK;
        last = size;
    }
    return SAFFU_NOT_CONVERGED;
}

/* argmin_λ ℓ(z(λ))   (SPEC 1) */
Reason saffu_fit_temper(size_t M, size_t D, size_t N, size_t S, const double *H, const double *Y,
                        const double *F, double *temper, double *loss, Arena *arena) {
    const size_t used = arena->used;
    if (M == 0) return SAFFU_NO_SAMPLES;
    TRY(check(M, D, N, S, H, F));
    TRY(saffu_check_targets(M, N, Y));
    TRY(saffu_check_finite(S, temper));
    TAKE(double, n, N);
    TAKE(double, prior, N);
    TAKE(double, scores, M * S * N);
    TAKE(double, row, N);
    TAKE(double, mean, S);
    TAKE(double, unit, S);
    TAKE(double, scaled, S);
    TAKE(double, z, M * N);
    saffu_column_sums(D, N, F, n);
    for (size_t i = 0; i < N; i++) prior[i] = log(n[i]);
    slot_scores(M, D, N, S, H, F, n, scores);
    const Fit fit = {M, N, S, Y, prior, scores, row, mean, unit};
    scale_and_centre(&fit);
    TRY(newton(&fit, scaled, arena));
    for (size_t k = 0; k < S; k++)
        if (unit[k] > 0.0) temper[k] = scaled[k] / unit[k];
    TRY(saffu_tempered_logits(M, D, N, S, H, F, temper, z, arena));
    TRY(saffu_cross_entropy(M, N, z, Y, loss, NULL));
    arena_release(arena, used);
    return SAFFU_OK;
}
