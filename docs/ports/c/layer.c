/* The SAFFU layer: self-attention of a pivot over the slots of its context, then a softmax
 * layer (SPEC 4), its adjoint (SPEC 6), and the targets of its attention (SPEC 5).
 *
 *     c = x_p Xᵀ    z = c W    a = φ(z)    w = g a    s = Σ_k w_k x_k or [w_1 x_1 …]    h = φ(s U)
 *
 * Invalid slots are never looked at: their comparisons, attention, weights and gradients are zero.
 */
#include "saffu.h"

#include <math.h>

size_t saffu_layer_features(const Layer *layer) {
    return layer->kind.aggregation == AGGREGATE_CAT ? layer->B * layer->D : layer->D;
}

static bool valid(Contexts contexts, size_t slot) {
    return contexts.mask == NULL || contexts.mask[slot];
}

/* g: one, or the number of valid slots   (SPEC 4) */
static double gain(const Layer *layer, const bool *mask) {
    double slots = 0.0;
    for (size_t k = 0; k < layer->B; k++)
        if (mask[k]) slots += 1.0;
    return layer->kind.gain == GAIN_COUNT ? slots : 1.0;
}

/* c_k = ⟨x_p, x_k⟩, zero where invalid   (SPEC 4); a mask of NULL is all true */
void saffu_compare(size_t n, size_t B, size_t D, Contexts contexts, double *c) {
    for (size_t r = 0; r < n; r++) {
        const double *const x = contexts.X + r * B * D, *const x_p = x + contexts.pivot[r] * D;
        for (size_t k = 0; k < B; k++)
            c[r * B + k] = valid(contexts, r * B + k) ? saffu_dot(D, x_p, x + k * D) : 0.0;
    }
}

/* dx_k += dc_k x_p,  dx_p += Σ_k dc_k x_k   (SPEC 6) */
void saffu_compare_vjp(size_t n, size_t B, size_t D, Contexts contexts, const double *dc,
                       double *dX) {
    for (size_t r = 0; r < n; r++) {
        const size_t first = r * B * D, p = first + contexts.pivot[r] * D;
        for (size_t k = 0; k < B; k++) {
            if (!valid(contexts, r * B + k)) continue;
            const double d = dc[r * B + k];
            for (size_t i = 0; i < D; i++) {
                dX[first + k * D + i] += d * contexts.X[p + i];
                dX[p + i] += d * contexts.X[first + k * D + i];
            }
        }
    }
}

/* Pivots on valid slots; valid inputs finite, and not negative unless that is allowed   (SPEC 8) */
static Reason check_contexts(const Layer *layer, Contexts contexts) {
    const size_t B = layer->B, D = layer->D;
    if (layer->n == 0) return SAFFU_NO_SAMPLES;
    for (size_t r = 0; r < layer->n; r++) {
        bool any = false;
        for (size_t k = 0; k < B; k++) {
            if (!contexts.mask[r * B + k]) continue;
            const double *const x = contexts.X + (r * B + k) * D;
            any = true;
            TRY(layer->kind.negative_inputs ? saffu_check_finite(D, x)
                                            : saffu_check_features(D, x));
        }
        if (!any) return SAFFU_EMPTY_MASK;
        if (contexts.pivot[r] >= B || !contexts.mask[r * B + contexts.pivot[r]])
            return SAFFU_PIVOT;
    }
    return SAFFU_OK;
}

/* c = x_p Xᵀ,  z = c W,  a = φ(z),  w = g a  or  −log a  or  g/K,  and the features s   (SPEC 4) */
Reason saffu_layer_attend(const Layer *layer, Contexts contexts, const double *W, Stages out) {
    const size_t B = layer->B, D = layer->D, S = saffu_layer_features(layer);
    TRY(check_contexts(layer, contexts));
    saffu_compare(layer->n, B, D, contexts, out.comparisons);
    for (size_t r = 0; r < layer->n; r++) {
        const bool *const mask = contexts.mask + r * B;
        const double *const x = contexts.X + r * B * D, *const c = out.comparisons + r * B;
        double *const z = out.logits + r * B, *const w = out.weights + r * B;
        double *const s = out.features + r * S;
        const double g = gain(layer, mask);
        for (size_t k = 0; k < B; k++) {
            z[k] = 0.0;
            if (layer->kind.attention == ATTEND_UNIFORM) continue;
            for (size_t j = 0; j < B; j++)
                if (mask[j]) z[k] += c[j] * W[j * B + k];
        }
        TRY(saffu_softmax(1, B, z, mask, out.attention + r * B));
        if (layer->kind.attention == ATTEND_SURPRISAL) TRY(saffu_log_softmax(1, B, z, mask, w));
        for (size_t i = 0; i < S; i++) s[i] = 0.0;
        for (size_t k = 0; k < B; k++) {
            if (layer->kind.attention == ATTEND_SURPRISAL)
                w[k] = mask[k] ? -w[k] : 0.0;
            else
                w[k] = g * out.attention[r * B + k];
            double *const block = layer->kind.aggregation == AGGREGATE_CAT ? s + k * D : s;
            for (size_t i = 0; mask[k] && i < D; i++) block[i] += w[k] * x[k * D + i];
        }
    }
    return SAFFU_OK;
}

/* h = φ(s U)   (SPEC 4) */
Reason saffu_layer_hidden(const Layer *layer, const double *U, Stages out) {
    const size_t H = layer->H, S = saffu_layer_features(layer);
    for (size_t r = 0; r < layer->n; r++) {
        double *const h = out.hidden + r * H;
        for (size_t i = 0; i < H; i++) h[i] = 0.0;
        for (size_t d = 0; d < S; d++)
            for (size_t i = 0; i < H; i++) h[i] += out.features[r * S + d] * U[d * H + i];
        TRY(saffu_softmax(1, H, h, NULL, h));
    }
    return SAFFU_OK;
}

Reason saffu_layer_forward(const Layer *layer, Contexts contexts, const double *W, const double *U,
                           Stages out) {
    if (W != NULL) TRY(saffu_check_finite(layer->B * layer->B, W));
    TRY(saffu_check_finite(saffu_layer_features(layer) * layer->H, U));
    TRY(saffu_layer_attend(layer, contexts, W, out));
    return saffu_layer_hidden(layer, U, out);
}

/* From ds to the gradient at the attention weights w and, added, at the inputs:
 *     dw_k = ⟨ds_k, x_k⟩,   dx_k += w_k ds_k   (SPEC 6) */
static void pull_features(const Layer *layer, const bool *mask, const double *x, const double *w,
                          const double *ds, double *dw, double *dx) {
    const size_t D = layer->D;
    for (size_t k = 0; k < layer->B; k++) {
        const double *const block = layer->kind.aggregation == AGGREGATE_CAT ? ds + k * D : ds;
        dw[k] = mask[k] ? saffu_dot(D, block, x + k * D) : 0.0;
        for (size_t i = 0; mask[k] && i < D; i++) dx[k * D + i] += w[k] * block[i];
    }
}

/* From dw to the gradient at the attention logits z:
 *     dz = a ⊙ (da − ⟨a, da⟩),  da = g dw;  surprisal: da = −dw/a, so dz = a Σdw − dw   (SPEC 6) */
static void pull_attention(const Layer *layer, const bool *mask, const double *a, const double *dw,
                           double *dz) {
    const size_t B = layer->B;
    const double g = gain(layer, mask), mean = saffu_dot(B, a, dw), sum = saffu_sum(B, dw);
    for (size_t k = 0; k < B; k++) switch (layer->kind.attention) {
        case ATTEND_SOFTMAX: dz[k] = g * a[k] * (dw[k] - mean); break;
        case ATTEND_SURPRISAL: dz[k] = mask[k] ? a[k] * sum - dw[k] : 0.0; break;
        case ATTEND_UNIFORM: dz[k] = 0.0; break;
        }
}

/* dU = sᵀ dq,  ds = dq Uᵀ,  dW = cᵀ dz,  dc = dz Wᵀ, and all that reaches the inputs   (SPEC 6) */
Reason saffu_layer_pull(const Layer *layer, Contexts contexts, const double *W, const double *U,
                        Stages at, const double *dq, double *dW, double *dU, double *dX,
                        Arena *arena) {
    const size_t used = arena->used;
    const size_t B = layer->B, D = layer->D, H = layer->H, S = saffu_layer_features(layer);
    TAKE(double, ds, S);
    TAKE(double, dw, B);
    TAKE(double, dz, B);
    TAKE(double, dc, B);
    for (size_t r = 0; r < layer->n; r++, dq += H) {
        const bool *const mask = contexts.mask + r * B;
        const double *const c = at.comparisons + r * B;
        for (size_t d = 0; d < S; d++) {
            ds[d] = saffu_dot(H, dq, U + d * H);
            for (size_t i = 0; i < H; i++) dU[d * H + i] += at.features[r * S + d] * dq[i];
        }
        pull_features(layer, mask, contexts.X + r * B * D, at.weights + r * B, ds, dw,
                      dX + r * B * D);
        if (layer->kind.attention == ATTEND_UNIFORM) continue;
        pull_attention(layer, mask, at.attention + r * B, dw, dz);
        for (size_t j = 0; j < B; j++) {
            dc[j] = saffu_dot(B, dz, W + j * B);
            for (size_t k = 0; k < B; k++) dW[j * B + k] += c[j] * dz[k];
        }
        const Contexts one = {contexts.X + r * B * D, mask, contexts.pivot + r};
        saffu_compare_vjp(1, B, D, one, dc, dX + r * B * D);
    }
    arena_release(arena, used);
    return SAFFU_OK;
}

/* dq = h ⊙ (dh − ⟨dh, h⟩), and on from there   (SPEC 6) */
Reason saffu_layer_backward(const Layer *layer, Contexts contexts, const double *W, const double *U,
                            Stages at, const double *dhidden, double *dW, double *dU, double *dX,
                            Arena *arena) {
    const size_t used = arena->used;
    TRY(saffu_check_finite(layer->n * layer->H, dhidden));
    TAKE(double, dq, layer->n * layer->H);
    saffu_softmax_vjp(layer->n, layer->H, at.hidden, dhidden, dq);
    TRY(saffu_layer_pull(layer, contexts, W, U, at, dq, dW, dU, dX, arena));
    arena_release(arena, used);
    return SAFFU_OK;
}

/* G_k = g · x_k · (U_k (y − h))ᵀ;  for surprisal −1/a_k takes the place of g   (SPEC 5) */
void saffu_attention_ascent(const Layer *layer, Contexts contexts, const double *U, Stages at,
                            const double *Y, double *G) {
    const size_t B = layer->B, D = layer->D, H = layer->H;
    for (size_t r = 0; r < layer->n; r++) {
        const double g = gain(layer, contexts.mask + r * B);
        const double *const h = at.hidden + r * H, *const y = Y + r * H;
        for (size_t k = 0; k < B; k++) {
            const double *const x = contexts.X + (r * B + k) * D;
            const double *const U_k = layer->kind.aggregation == AGGREGATE_CAT ? U + k * D * H : U;
            double sum = 0.0;
            for (size_t d = 0; contexts.mask[r * B + k] && d < D; d++)
                for (size_t i = 0; i < H; i++) sum += x[d] * U_k[d * H + i] * (y[i] - h[i]);
            if (layer->kind.attention == ATTEND_SURPRISAL)
                G[r * B + k] = sum == 0.0 ? 0.0 : -sum / at.attention[r * B + k];
            else
                G[r * B + k] = g * sum;
        }
    }
}

/* How far from one a row of attention may add up: far enough for single precision. */
#define OFF_THE_SIMPLEX 1e-4

/* t = a ⊙ (1 + G − ⟨a, G⟩); clipped: negative entries to zero, and the row normalised   (SPEC 5) */
Reason saffu_hidden_targets(size_t M, size_t N, const double *a, const double *G, bool clip,
                            double *t) {
    TRY(saffu_check_features(M * N, a));
    TRY(saffu_check_finite(M * N, G));
    for (size_t m = 0; m < M; m++, a += N, G += N, t += N) {
        if (fabs(saffu_sum(N, a) - 1.0) > OFF_THE_SIMPLEX) return SAFFU_SIMPLEX;
        const double mean = saffu_dot(N, a, G);
        double sum = 0.0;
        for (size_t i = 0; i < N; i++) {
            t[i] = a[i] * (1.0 + G[i] - mean);
            if (clip) t[i] = fmax(t[i], 0.0);
            sum += t[i];
        }
        for (size_t i = 0; clip && i < N; i++) t[i] /= sum;
    }
    return SAFFU_OK;
}
