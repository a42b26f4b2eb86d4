/* A transformer of SAFFU layers: one tower of layers for each context model (SPEC 3, 4, 6).
 *
 *     logits = [h¹ … h^C] O
 *
 * All targets of a text are samples, numbered through its documents.  The sample of target t is
 * also the one that ends in token t − 1, so it stands for position t − 1 in the slots of the next
 * layer: the input of sample j to that layer is its own hidden state.
 */
#include "saffu.h"

#include <math.h>

/* ---- sizes ----------------------------------------------------------------------------------- */

/* D: the width of an embedding, a block of b bits for each ring   (SPEC 2) */
size_t saffu_width(const Configuration *configuration) {
    const bool rings = configuration->combine == COMBINE_CAT && configuration->R > 0;
    return rings ? configuration->R * configuration->bits : configuration->bits;
}

/* A document tower has one layer, whatever the depth of the others   (SPEC 3) */
size_t saffu_depth(const Configuration *configuration, size_t tower) {
    return configuration->contexts[tower].kind == DOCUMENT ? 1 : configuration->depth;
}

size_t saffu_layer_index(const Configuration *configuration, size_t tower, size_t level) {
    size_t index = level;
    for (size_t t = 0; t < tower; t++) index += saffu_depth(configuration, t);
    return index;
}

/* A mean of vectors is read as it is: one slot of weight one, without attention   (SPEC 3) */
Layer saffu_layer_of(const Configuration *configuration, size_t tower, size_t level, size_t n) {
    const Context context = configuration->contexts[tower];
    const size_t H = configuration->label_bits;
    Layer layer = {n, context.slots, level == 0 ? saffu_width(configuration) : H, H,
                   configuration->layer};
    if (context.kind == DOCUMENT)
        layer.kind = (LayerKind){AGGREGATE_CAT, ATTEND_UNIFORM, GAIN_UNIT, false};
    return layer;
}

static Reason check_bits(size_t bits, size_t vocabulary) {
    if (bits == 0) return SAFFU_OPTION;
    return bits < 63 && ((uint64_t)1 << bits) - 1 < vocabulary ? SAFFU_BITS : SAFFU_OK;
}

Reason saffu_check_configuration(const Configuration *configuration) {
    if (configuration->C == 0 || configuration->depth == 0) return SAFFU_OPTION;
    if (configuration->vocabulary < 2) return SAFFU_OPTION; /* start and end */
    TRY(check_bits(configuration->bits, configuration->vocabulary));
    TRY(check_bits(configuration->label_bits, configuration->vocabulary));
    for (size_t c = 0; c < configuration->C; c++)
        if (configuration->contexts[c].slots == 0) return SAFFU_OPTION;
    for (size_t j = 0; j < configuration->R; j++)
        if (configuration->radii[j] <= (j == 0 ? 0 : configuration->radii[j - 1]))
            return SAFFU_OPTION;
    if (configuration->combine == COMBINE_SUM && configuration->R > 1) return SAFFU_OPTION;
    return SAFFU_OK;
}

/* Parameters of all layers, all zero. */
Reason saffu_parameters(const Configuration *configuration, Parameters *parameters, Arena *arena) {
    const size_t C = configuration->C, V = configuration->vocabulary;
    const size_t layers = saffu_layer_index(configuration, C, 0);
    TAKE(double, embedding, V *saffu_width(configuration));
    TAKE(double *, attention, layers);
    TAKE(double *, features, layers);
    TAKE(double, output, C *configuration->label_bits *V);
    *parameters = (Parameters){embedding, attention, features, output};
    for (size_t tower = 0; tower < C; tower++)
        for (size_t level = 0; level < saffu_depth(configuration, tower); level++) {
            const Layer layer = saffu_layer_of(configuration, tower, level, 0);
            const size_t index = saffu_layer_index(configuration, tower, level);
            TAKE(double, W, layer.B *layer.B);
            TAKE(double, U, saffu_layer_features(&layer) * layer.H);
            attention[index] = configuration->contexts[tower].kind == DOCUMENT ? NULL : W;
            features[index] = U;
        }
    return SAFFU_OK;
}

/* ---- what a text asks ------------------------------------------------------------------------ */

/* Documents begin with token 0, and every further token is a target   (SPEC 3) */
Reason saffu_plan(const Configuration *configuration, Text text, Plan *plan, Arena *arena) {
    const size_t C = configuration->C;
    size_t M = 0;
    if (text.documents == 0) return SAFFU_NO_SAMPLES;
    for (size_t l = 0; l < text.documents; l++) {
        const Document document = text.document[l];
        if (document.length < 2) return SAFFU_NO_SAMPLES;
        TRY(saffu_check_tokens(document, configuration->vocabulary));
        if (document.tokens[0] != 0) return SAFFU_OPTION;
        M += document.length - 1;
    }
    TAKE(Token, target, M);
    TAKE(Token, token, M);
    TAKE(size_t *, row, C);
    TAKE(bool *, mask, C);
    TAKE(size_t *, pivot, C);
    for (size_t c = 0; c < C; c++) {
        const Context context = configuration->contexts[c];
        const size_t B = context.slots;
        TAKE(size_t, rows, M *B);
        TAKE(bool, masks, M *B);
        TAKE(size_t, pivots, M);
        size_t first = 0;
        for (size_t l = 0; l < text.documents; l++) {
            const size_t T = text.document[l].length;
            saffu_slots(context, T, rows + first * B, masks + first * B, pivots + first);
            for (size_t s = first * B; s < (first + T - 1) * B; s++) rows[s] += first;
            first += T - 1;
        }
        row[c] = rows;
        mask[c] = masks;
        pivot[c] = pivots;
    }
    for (size_t l = 0, m = 0; l < text.documents; l++)
        for (size_t t = 1; t < text.document[l].length; t++, m++) {
            target[m] = text.document[l].tokens[t];
            token[m] = text.document[l].tokens[t - 1];
        }
    *plan = (Plan){M, target, token, row, mask, pivot};
    return SAFFU_OK;
}

static const double *source(const Configuration *configuration, const Plan *plan, size_t tower,
                            size_t level, size_t slot, const double *below) {
    const size_t row = plan->row[tower][slot];
    if (level > 0) return below + row * configuration->label_bits;
    return below + (size_t)plan->token[row] * saffu_width(configuration);
}

Reason saffu_layer_inputs(const Configuration *configuration, const Plan *plan, Text text,
                          size_t tower, size_t level, const double *below, double *X) {
    const Layer layer = saffu_layer_of(configuration, tower, level, plan->M);
    if (configuration->contexts[tower].kind == DOCUMENT) {
        for (size_t l = 0; l < text.documents; l++) {
            saffu_document_means(text.document[l], layer.D, below, X);
            X += (text.document[l].length - 1) * layer.D;
        }
        return SAFFU_OK;
    }
    for (size_t s = 0; s < plan->M * layer.B; s++) {
        if (!plan->mask[tower][s]) continue;
        const double *const x = source(configuration, plan, tower, level, s, below);
        for (size_t i = 0; i < layer.D; i++) X[s * layer.D + i] = x[i];
    }
    return SAFFU_OK;
}

/* Adds the gradient at the inputs of a layer to that of what stands below it   (SPEC 6) */
void saffu_layer_inputs_vjp(const Configuration *configuration, const Plan *plan, Text text,
                            size_t tower, size_t level, const double *dX, double *dbelow) {
    const Layer layer = saffu_layer_of(configuration, tower, level, plan->M);
    if (configuration->contexts[tower].kind == DOCUMENT) {
        for (size_t l = 0; l < text.documents; l++) {
            saffu_document_means_vjp(text.document[l], layer.D, dX, dbelow);
            dX += (text.document[l].length - 1) * layer.D;
        }
        return;
    }
    for (size_t s = 0; s < plan->M * layer.B; s++) {
        if (!plan->mask[tower][s]) continue;
        const size_t row = plan->row[tower][s];
        double *const to = dbelow + (level > 0 ? row : (size_t)plan->token[row]) * layer.D;
        for (size_t i = 0; i < layer.D; i++) to[i] += dX[s * layer.D + i];
    }
}

/* ---- forward and backward -------------------------------------------------------------------- */

Reason saffu_stages(const Layer *layer, Stages *stages, Arena *arena) {
    const size_t slots = layer->n * layer->B;
    TAKE(double, comparisons, slots);
    TAKE(double, logits, slots);
    TAKE(double, attention, slots);
    TAKE(double, weights, slots);
    TAKE(double, features, layer->n * saffu_layer_features(layer));
    TAKE(double, hidden, layer->n * layer->H);
    *stages = (Stages){comparisons, logits, attention, weights, features, hidden};
    return SAFFU_OK;
}

/* What backpropagation has to know of a layer. */
typedef struct {
    double *X;
    Stages stages;
} Run;

/* All layers of all towers; `runs` by saffu_layer_index. */
static Reason run_layers(const Configuration *configuration, const Parameters *parameters,
                         Text text, const Plan *plan, Run *runs, Arena *arena) {
    const size_t V = configuration->vocabulary;
    TRY(saffu_check_features(V * saffu_width(configuration), parameters->embedding));
    for (size_t tower = 0; tower < configuration->C; tower++) {
        const double *below = parameters->embedding;
        for (size_t level = 0; level < saffu_depth(configuration, tower); level++) {
            const Layer layer = saffu_layer_of(configuration, tower, level, plan->M);
            const size_t index = saffu_layer_index(configuration, tower, level);
            TAKE(double, X, layer.n *layer.B *layer.D);
            TRY(saffu_layer_inputs(configuration, plan, text, tower, level, below, X));
            TRY(saffu_stages(&layer, &runs[index].stages, arena));
            const Contexts contexts = {X, plan->mask[tower], plan->pivot[tower]};
            TRY(saffu_layer_forward(&layer, contexts, parameters->attention[index],
                                    parameters->features[index], runs[index].stages));
            runs[index].X = X;
            below = runs[index].stages.hidden;
        }
    }
    return SAFFU_OK;
}

static size_t top(const Configuration *configuration, size_t tower) {
    return saffu_layer_index(configuration, tower, saffu_depth(configuration, tower) - 1);
}

/* logits = [h¹ … h^C] O   (SPEC 4) */
static Reason read_out(const Configuration *configuration, const Parameters *parameters,
                       const Plan *plan, const Run *runs, double *hidden, double *z) {
    const size_t C = configuration->C, H = configuration->label_bits;
    const size_t V = configuration->vocabulary;
    TRY(saffu_check_finite(C * H * V, parameters->output));
    for (size_t m = 0; m < plan->M; m++)
        for (size_t tower = 0; tower < C; tower++)
            for (size_t i = 0; i < H; i++) {
                const size_t unit = tower * H + i;
                const double h = runs[top(configuration, tower)].stages.hidden[m * H + i];
                hidden[m * C * H + unit] = h;
                for (size_t v = 0; v < V; v++) z[m * V + v] += h * parameters->output[unit * V + v];
            }
    return SAFFU_OK;
}

Reason saffu_model_forward(const Configuration *configuration, const Parameters *parameters,
                           Text text, const Plan *plan, double *hidden, double *z, Arena *arena) {
    const size_t used = arena->used;
    TAKE(Run, runs, saffu_layer_index(configuration, configuration->C, 0));
    TRY(run_layers(configuration, parameters, text, plan, runs, arena));
    TRY(read_out(configuration, parameters, plan, runs, hidden, z));
    arena_release(arena, used);
    return SAFFU_OK;
}

static Reason one_hot_targets(const Configuration *configuration, const Plan *plan, double **Y,
                              Arena *arena) {
    TAKE(double, y, plan->M *configuration->vocabulary);
    for (size_t m = 0; m < plan->M; m++)
        y[m * configuration->vocabulary + (size_t)plan->target[m]] = 1.0;
    *Y = y;
    return SAFFU_OK;
}

/* ℓ = the mean nats of all targets of all documents   (SPEC 0) */
Reason saffu_model_loss(const Configuration *configuration, const Parameters *parameters, Text text,
                        const Plan *plan, double *loss, Arena *arena) {
    const size_t used = arena->used, M = plan->M, V = configuration->vocabulary;
    double *Y = NULL;
    TAKE(double, hidden, M *configuration->C *configuration->label_bits);
    TAKE(double, z, M *V);
    TRY(saffu_model_forward(configuration, parameters, text, plan, hidden, z, arena));
    TRY(one_hot_targets(configuration, plan, &Y, arena));
    TRY(saffu_cross_entropy(M, V, z, Y, loss, NULL));
    arena_release(arena, used);
    return SAFFU_OK;
}

/* One layer after the other, from the top of a tower to the embedding   (SPEC 6) */
static Reason pull_tower(const Configuration *configuration, const Parameters *parameters,
                         Text text, const Plan *plan, const Run *runs, size_t tower,
                         const double *dtop, Parameters *gradient, Arena *arena) {
    const size_t used = arena->used;
    const double *dhidden = dtop;
    for (size_t level = saffu_depth(configuration, tower); level-- > 0;) {
        const Layer layer = saffu_layer_of(configuration, tower, level, plan->M);
        const size_t index = saffu_layer_index(configuration, tower, level);
        const Contexts contexts = {runs[index].X, plan->mask[tower], plan->pivot[tower]};
        TAKE(double, dX, layer.n *layer.B *layer.D);
        TAKE(double, dbelow, plan->M *layer.D);
        TRY(saffu_layer_backward(&layer, contexts, parameters->attention[index],
                                 parameters->features[index], runs[index].stages, dhidden,
                                 gradient->attention[index], gradient->features[index], dX,
                                 arena));
        saffu_layer_inputs_vjp(configuration, plan, text, tower, level, dX,
                               level > 0 ? dbelow : gradient->embedding);
        dhidden = dbelow;
    }
    arena_release(arena, used);
    return SAFFU_OK;
}

/* d logits = (ŷ − y)/M,   dO = hᵀ d logits,   dh = d logits Oᵀ, then each tower   (SPEC 6) */
Reason saffu_model_gradient(const Configuration *configuration, const Parameters *parameters,
                            Text text, const Plan *plan, Parameters *gradient, Arena *arena) {
    const size_t used = arena->used, M = plan->M, V = configuration->vocabulary;
    const size_t C = configuration->C, H = configuration->label_bits;
    double *Y = NULL, loss;
    TAKE(Run, runs, saffu_layer_index(configuration, C, 0));
    TAKE(double, hidden, M *C *H);
    TAKE(double, z, M *V);
    TAKE(double, dz, M *V);
    TAKE(double, dhidden, M *H);
    TRY(run_layers(configuration, parameters, text, plan, runs, arena));
    TRY(read_out(configuration, parameters, plan, runs, hidden, z));
    TRY(one_hot_targets(configuration, plan, &Y, arena));
    TRY(saffu_cross_entropy(M, V, z, Y, &loss, dz));
    for (size_t m = 0; m < M; m++)
        for (size_t unit = 0; unit < C * H; unit++)
            for (size_t v = 0; v < V; v++)
                gradient->output[unit * V + v] += hidden[m * C * H + unit] * dz[m * V + v];
    for (size_t tower = 0; tower < C; tower++) {
        for (size_t m = 0; m < M; m++)
            for (size_t i = 0; i < H; i++)
                dhidden[m * H + i] =
                    saffu_dot(V, dz + m * V, parameters->output + (tower * H + i) * V);
        TRY(pull_tower(configuration, parameters, text, plan, runs, tower, dhidden, gradient,
                       arena));
    }
    arena_release(arena, used);
    return SAFFU_OK;
}
