/* The explicit warm start: all parameters of a transformer from sums over its text (SPEC 5).
 *
 * 1  count, rank, cipher: embeddings and labels    4  U again, from the attended features
 * 2  U from uniform attention and labels           5  O from hidden states and true targets
 * 3  hidden targets of that U, then W              6  λ of every U and of O, if it is to be fitted
 */
#include "saffu.h"

/* The weights of a layer from features [M D] and targets [M N]: smoothed counts, the λ that is
 * given or fitted, times a factor.   (SPEC 1) */
static Reason solve(size_t M, size_t D, size_t N, const double *features, const double *Y,
                    Smoothing smoothing, bool fit, double temper, double factor, double *U,
                    Arena *arena) {
    const size_t used = arena->used;
    double norm = 0.0, K = 0.0, loss;
    TAKE(double, F, D *N);
    TAKE(double, smoothed, D *N);
    TRY(saffu_cooccurrence(M, D, N, features, Y, F, &norm));
    TRY(saffu_priming_number(M, D, features, &K));
    TRY(saffu_smooth(smoothing, D, N, F, smoothed, arena));
    if (fit) {
        temper = 1.0;
        TRY(saffu_fit_temper(M, D, N, 1, features, Y, smoothed, &temper, &loss, arena));
    }
    TRY(saffu_tempered_weights(D, N, smoothed, K, factor * temper, U, arena));
    arena_release(arena, used);
    return SAFFU_OK;
}

/* The cipher of the tokens that have these counts, at a width of its own   (SPEC 2) */
static Reason cipher(size_t V, size_t b, const int64_t *counts, double *E, Arena *arena) {
    const size_t used = arena->used;
    TAKE(Token, ranks, V);
    TAKE(double, codes, V *b);
    TRY(saffu_rank_tokens(V, counts, ranks, arena));
    TRY(saffu_bit_codes(V, b, codes));
    saffu_cipher_embedding(V, b, ranks, codes, E);
    arena_release(arena, used);
    return SAFFU_OK;
}

/* Step 1: embeddings from all tokens, labels from targets alone   (SPEC 2, 5) */
static Reason embed(const Configuration *configuration, Text text, const Plan *plan, double *labels,
                    double *embedding, Arena *arena) {
    const size_t used = arena->used, V = configuration->vocabulary, b = configuration->bits;
    TAKE(int64_t, tokens, V);
    TAKE(int64_t, targets, V);
    TAKE(double, vectors, V *b);
    for (size_t l = 0; l < text.documents; l++)
        for (size_t t = 0; t < text.document[l].length; t++) tokens[text.document[l].tokens[t]]++;
    for (size_t m = 0; m < plan->M; m++) targets[plan->target[m]]++;
    TRY(cipher(V, configuration->label_bits, targets, labels, arena));
    TRY(cipher(V, b, tokens, vectors, arena));
    if (configuration->R > 0)
        TRY(saffu_radial_embedding(text.documents, text.document, V, b, vectors, configuration->R,
                                   configuration->radii, configuration->combine, embedding));
    else
        for (size_t c = 0; c < V * b; c++) embedding[c] = vectors[c];
    arena_release(arena, used);
    return SAFFU_OK;
}

/* Step 3: t = a ⊙ (1 + G − ⟨a, G⟩), and W from F = Σ c ⊗ t   (SPEC 5) */
static Reason solve_attention(const Layer *layer, Contexts contexts, const double *U, Stages at,
                              const double *Y, Smoothing smoothing, double *W, Arena *arena) {
    const size_t used = arena->used, slots = layer->n * layer->B;
    TAKE(double, G, slots);
    TAKE(double, t, slots);
    saffu_attention_ascent(layer, contexts, U, at, Y, G);
    TRY(saffu_hidden_targets(layer->n, layer->B, at.attention, G, true, t));
    TRY(solve(layer->n, layer->B, layer->B, at.comparisons, t, smoothing, false, 1.0, 1.0, W,
              arena));
    arena_release(arena, used);
    return SAFFU_OK;
}

/* Steps 2 to 4 for one layer with targets Y [M H].  Uniform attention is W = 0: each valid slot
 * gets g/K, or with surprisal log K.  Hidden targets see U without its factor. */
static Reason solve_layer(const Layer *layer, Contexts contexts, const double *Y,
                          const WarmSettings *settings, double *W, double *U, Stages stages,
                          Arena *arena) {
    const size_t n = layer->n, S = saffu_layer_features(layer), H = layer->H;
    const bool attends = layer->kind.attention != ATTEND_UNIFORM;
    for (size_t k = 0; attends && k < layer->B * layer->B; k++) W[k] = 0.0;
    TRY(saffu_layer_attend(layer, contexts, W, stages));
    for (size_t round = 0; attends && round < settings->rounds; round++) {
        TRY(solve(n, S, H, stages.features, Y, settings->hidden, settings->fit_hidden,
                  settings->hidden_temper, 1.0, U, arena));
        TRY(saffu_layer_hidden(layer, U, stages));
        TRY(solve_attention(layer, contexts, U, stages, Y, settings->attention, W, arena));
        TRY(saffu_layer_attend(layer, contexts, W, stages));
    }
    TRY(solve(n, S, H, stages.features, Y, settings->hidden, settings->fit_hidden,
              settings->hidden_temper, settings->hidden_scale, U, arena));
    return saffu_layer_hidden(layer, U, stages);
}

typedef struct {
    Layer layer;
    Contexts contexts;
    double *X;
    Stages stages;
    double *targets; /* [M H] */
} Level;

/* Inputs from below, then W and U. */
static Reason solve_level(const Configuration *configuration, const WarmSettings *settings,
                          Text text, const Plan *plan, size_t tower, size_t level,
                          Parameters *parameters, Level *levels, Arena *arena) {
    Level *const here = &levels[level];
    const size_t index = saffu_layer_index(configuration, tower, level);
    const double *const below = level > 0 ? levels[level - 1].stages.hidden : parameters->embedding;
    TRY(saffu_layer_inputs(configuration, plan, text, tower, level, below, here->X));
    return solve_layer(&here->layer, here->contexts, here->targets, settings,
                       parameters->attention[index], parameters->features[index], here->stages,
                       arena);
}

/* The targets of a lower layer: those of its softmax inside of the network, whose loss is that of
 * the top layer.  G [M H] is −∂ℓ/∂h of the layer above, and becomes that of this one; targets are
 * clipped, G is not   (SPEC 5) */
static Reason imply_targets(const Configuration *configuration, Text text, const Plan *plan,
                            size_t tower, size_t level, const Parameters *parameters, Level *levels,
                            double *G, Arena *arena) {
    const size_t used = arena->used, M = plan->M, H = configuration->label_bits;
    const Level *const above = &levels[level + 1];
    const size_t index = saffu_layer_index(configuration, tower, level + 1);
    const size_t B = above->layer.B;
    TAKE(double, dq, M *H);
    TAKE(double, dX, M *B *H);
    TAKE(double, dW, B *B);
    TAKE(double, dU, saffu_layer_features(&above->layer) * H);
    for (size_t m = 0; m < M; m++) {
        const double *const h = above->stages.hidden + m * H, *const y = above->targets + m * H;
        const bool top = level + 2 == saffu_depth(configuration, tower);
        const double mean = saffu_dot(H, h, G + m * H);
        for (size_t i = 0; i < H; i++)
            dq[m * H + i] = top ? y[i] - h[i] : h[i] * (G[m * H + i] - mean);
    }
    for (size_t c = 0; c < M * H; c++) G[c] = 0.0;
    TRY(saffu_layer_pull(&above->layer, above->contexts, parameters->attention[index],
                         parameters->features[index], above->stages, dq, dW, dU, dX, arena));
    saffu_layer_inputs_vjp(configuration, plan, text, tower, level + 1, dX, G);
    TRY(saffu_hidden_targets(M, H, levels[level].stages.hidden, G, true, levels[level].targets));
    arena_release(arena, used);
    return SAFFU_OK;
}

/* Bottom-up for labels; then, for each refit, lower layers anew for what the top one wants. */
static Reason solve_tower(const Configuration *configuration, const WarmSettings *settings,
                          Text text, const Plan *plan, size_t tower, const double *labels,
                          Parameters *parameters, double *hidden, Arena *arena) {
    const size_t M = plan->M, H = configuration->label_bits, C = configuration->C;
    const size_t depth = saffu_depth(configuration, tower);
    TAKE(Level, levels, depth);
    for (size_t level = 0; level < depth; level++) {
        Level *const here = &levels[level];
        here->layer = saffu_layer_of(configuration, tower, level, M);
        TAKE(double, X, M *here->layer.B *here->layer.D);
        TAKE(double, targets, M *H);
        for (size_t c = 0; c < M * H; c++)
            targets[c] = labels[(size_t)plan->target[c / H] * H + c % H];
        TRY(saffu_stages(&here->layer, &here->stages, arena));
        here->X = X;
        here->targets = targets;
        here->contexts = (Contexts){X, plan->mask[tower], plan->pivot[tower]};
        TRY(solve_level(configuration, settings, text, plan, tower, level, parameters, levels,
                        arena));
    }
    TAKE(double, G, M *H);
    for (size_t refit = 0; refit < settings->refits; refit++) {
        for (size_t level = depth - 1; level-- > 0;)
            TRY(imply_targets(configuration, text, plan, tower, level, parameters, levels, G,
                              arena));
        for (size_t level = 0; level < depth; level++)
            TRY(solve_level(configuration, settings, text, plan, tower, level, parameters, levels,
                            arena));
    }
    for (size_t m = 0; m < M; m++)
        for (size_t i = 0; i < H; i++)
            hidden[(m * C + tower) * H + i] = levels[depth - 1].stages.hidden[m * H + i];
    return SAFFU_OK;
}

Reason saffu_warm_start(const Configuration *configuration, const WarmSettings *settings, Text text,
                        const Plan *plan, double *labels, Parameters *parameters, Arena *arena) {
    const size_t used = arena->used, M = plan->M, V = configuration->vocabulary;
    if (!(settings->hidden_scale > 0.0)) return SAFFU_OPTION;
    const size_t width = configuration->C * configuration->label_bits;
    TAKE(double, hidden, M *width);
    TAKE(double, Y, M *V);
    TRY(embed(configuration, text, plan, labels, parameters->embedding, arena));
    for (size_t tower = 0; tower < configuration->C; tower++)
        TRY(solve_tower(configuration, settings, text, plan, tower, labels, parameters, hidden,
                        arena));
    for (size_t m = 0; m < M; m++) Y[m * V + (size_t)plan->target[m]] = 1.0;
    TRY(solve(M, width, V, hidden, Y, settings->output, settings->fit_output,
              settings->output_temper, 1.0, parameters->output, arena));
    arena_release(arena, used);
    return SAFFU_OK;
}
