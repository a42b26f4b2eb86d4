/* Radial embeddings: a token is the company it keeps (SPEC 2). */
#include "saffu.h"

/* Adds the vectors of all tokens at a distance of nearest … farthest from each occurrence. */
static void add_ring(Document document, size_t nearest, size_t farthest, size_t b,
                     const double *vectors, size_t D, size_t block, double *E) {
    const size_t T = document.length;
    for (size_t t = 0; t < T; t++) {
        double *const row = E + (size_t)document.tokens[t] * D + block * b;
        const size_t first = t > farthest ? t - farthest : 0;
        for (size_t o = first; o < T && o <= t + farthest; o++) {
            const size_t distance = o > t ? o - t : t - o;
            if (distance < nearest || distance == 0) continue;
            const double *const neighbour = vectors + (size_t)document.tokens[o] * b;
            for (size_t i = 0; i < b; i++) row[i] += neighbour[i];
        }
    }
}

/* sum: the normalised sum of the vectors within a radius of a token's occurrences.
 * cat: one block for each ring r_{j−1} < distance ≤ r_j, normalised as a whole.
 * A token without neighbours keeps its own vector, in the first block   (SPEC 2) */
Reason saffu_radial_embedding(size_t documents, const Document *document, size_t V, size_t b,
                              const double *vectors, size_t R, const int64_t *radii,
                              Combination combine, double *E) {
    const size_t D = combine == COMBINE_CAT ? R * b : b;
    if (R == 0 || (combine == COMBINE_SUM && R != 1)) return SAFFU_OPTION;
    for (size_t j = 0; j < R; j++)
        if (radii[j] <= (j == 0 ? 0 : radii[j - 1])) return SAFFU_OPTION;
    if (documents == 0) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_features(V * b, vectors));
    for (size_t l = 0; l < documents; l++) TRY(saffu_check_tokens(document[l], V));
    for (size_t c = 0; c < V * D; c++) E[c] = 0.0;
    for (size_t l = 0; l < documents; l++)
        for (size_t j = 0; j < R; j++)
            add_ring(document[l], j == 0 ? 1 : (size_t)radii[j - 1] + 1, (size_t)radii[j], b,
                     vectors, D, j, E);
    for (size_t v = 0; v < V; v++) {
        const double norm = saffu_sum(D, E + v * D);
        if (norm > 0.0)
            for (size_t i = 0; i < D; i++) E[v * D + i] /= norm;
        else
            for (size_t i = 0; i < b; i++) E[v * D + i] = vectors[v * b + i];
    }
    return SAFFU_OK;
}
