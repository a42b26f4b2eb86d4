/* Optimisers as functions of parameters, gradients and state (SPEC 6). */
#include "saffu.h"

#include <math.h>

/* θ ← θ − η g   (SPEC 6) */
Reason saffu_sgd_step(size_t n, double *parameter, const double *gradient, double rate) {
    if (!isfinite(rate) || rate < 0.0) return SAFFU_OPTION;
    TRY(saffu_check_finite(n, parameter));
    TRY(saffu_check_finite(n, gradient));
    for (size_t i = 0; i < n; i++) parameter[i] -= rate * gradient[i];
    return SAFFU_OK;
}

/* m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  θ ← θ − η m̂ / (√v̂ + ε)
 * with m̂ = m / (1 − β₁^t), v̂ = v / (1 − β₂^t), t = step + 1   (SPEC 6) */
Reason saffu_adam_step(size_t n, double *parameter, const double *gradient, double *mean,
                       double *square, double step, AdamSettings settings) {
    const double beta1 = settings.beta1, beta2 = settings.beta2;
    if (!isfinite(settings.rate) || settings.rate < 0.0) return SAFFU_OPTION;
    if (!(beta1 >= 0.0 && beta1 < 1.0 && beta2 >= 0.0 && beta2 < 1.0)) return SAFFU_OPTION;
    if (!isfinite(settings.epsilon) || settings.epsilon <= 0.0) return SAFFU_OPTION;
    if (!isfinite(step) || step < 0.0) return SAFFU_OPTION;
    TRY(saffu_check_finite(n, parameter));
    TRY(saffu_check_finite(n, gradient));
    TRY(saffu_check_finite(n, mean));
    TRY(saffu_check_features(n, square));
    const double correct1 = 1.0 - pow(beta1, step + 1.0), correct2 = 1.0 - pow(beta2, step + 1.0);
    for (size_t i = 0; i < n; i++) {
        mean[i] = beta1 * mean[i] + (1.0 - beta1) * gradient[i];
        square[i] = beta2 * square[i] + (1.0 - beta2) * gradient[i] * gradient[i];
        parameter[i] -= settings.rate * (mean[i] / correct1) /
                        (sqrt(square[i] / correct2) + settings.epsilon);
    }
    return SAFFU_OK;
}
