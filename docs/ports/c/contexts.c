/* Contexts: what target t of a document sees of the tokens before it (SPEC 3). */
#include "saffu.h"

/* Radial: slot k holds position t − 1 − k, and the pivot is slot 0.
 * Block: slot s holds position s of the block of t − 1, and the pivot is (t − 1) mod b.
 * Document: one slot for the mean of everything before t   (SPEC 3) */
void saffu_slots(Context context, size_t T, size_t *position, bool *mask, size_t *pivot) {
    const size_t B = context.slots;
    for (size_t t = 1; t < T; t++, position += B, mask += B, pivot++) {
        const size_t last = t - 1;
        switch (context.kind) {
        case RADIAL:
            for (size_t k = 0; k < B; k++) {
                mask[k] = k <= last;
                position[k] = mask[k] ? last - k : 0;
            }
            *pivot = 0;
            break;
        case BLOCK:
            *pivot = last % B;
            for (size_t s = 0; s < B; s++) {
                mask[s] = s <= *pivot;
                position[s] = mask[s] ? last - *pivot + s : 0;
            }
            break;
        case DOCUMENT:
            mask[0] = true;
            position[0] = last;
            *pivot = 0;
            break;
        }
    }
}

/* x_t = (1/t) Σ_{u<t} E[token u]   (SPEC 3) */
void saffu_document_means(Document document, size_t D, const double *E, double *means) {
    for (size_t t = 1; t < document.length; t++)
        for (size_t i = 0; i < D; i++) {
            double sum = 0.0;
            for (size_t u = 0; u < t; u++) sum += E[(size_t)document.tokens[u] * D + i];
            means[(t - 1) * D + i] = sum / (double)t;
        }
}

/* dE[token u] += Σ_{t>u} dx_t / t   (SPEC 6) */
void saffu_document_means_vjp(Document document, size_t D, const double *dmeans, double *dE) {
    for (size_t t = 1; t < document.length; t++)
        for (size_t u = 0; u < t; u++)
            for (size_t i = 0; i < D; i++)
                dE[(size_t)document.tokens[u] * D + i] += dmeans[(t - 1) * D + i] / (double)t;
}
