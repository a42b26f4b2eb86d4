/* The operations of the contract as messages ask for them (SPEC 9): check that the arrays belong
 * together, call the mathematics, name the results. */
#include "request.h"

#include <stdio.h>

/* ---- softmax and losses (SPEC 0, 7) ---------------------------------------------------------- */

static Reason logits_and_mask(Request *request, const Array **z, const Array **mask, size_t *M,
                              size_t *N) {
    TRY(input(request, "logits", 0, z));
    TRY(optional_input(request, "mask", 0, mask));
    if ((*z)->rank == 0) return SAFFU_SHAPE;
    if (*mask != NULL && (!same_shape(*mask, *z) || (*mask)->truth == NULL)) return SAFFU_SHAPE;
    *N = (*z)->shape[(*z)->rank - 1];
    *M = *N > 0 ? (*z)->size / *N : 0;
    return SAFFU_OK;
}

static Reason answer_softmax(Request *request) {
    const Array *z, *mask, *dp;
    size_t M, N;
    Array *p, *dz;
    TRY(logits_and_mask(request, &z, &mask, &M, &N));
    TRY(output(request, "probabilities", REAL, z->rank, z->shape, &p));
    TRY(saffu_softmax(M, N, z->number, mask ? mask->truth : NULL, p->number));
    TRY(cotangent(request, "probabilities", z, &dp));
    if (dp == NULL) return SAFFU_OK;
    TRY(output(request, "gradient.logits", REAL, z->rank, z->shape, &dz));
    saffu_softmax_vjp(M, N, p->number, dp->number, dz->number);
    return SAFFU_OK;
}

static Reason answer_log_softmax(Request *request) {
    const Array *z, *mask, *dlogp;
    size_t M, N;
    Array *logp, *dz;
    TRY(logits_and_mask(request, &z, &mask, &M, &N));
    TRY(output(request, "log_probabilities", REAL, z->rank, z->shape, &logp));
    TRY(saffu_log_softmax(M, N, z->number, mask ? mask->truth : NULL, logp->number));
    TRY(cotangent(request, "log_probabilities", z, &dlogp));
    if (dlogp == NULL) return SAFFU_OK;
    TRY(output(request, "gradient.logits", REAL, z->rank, z->shape, &dz));
    saffu_log_softmax_vjp(M, N, logp->number, dlogp->number, dz->number);
    return SAFFU_OK;
}

static Reason answer_cross_entropy(Request *request) {
    const Array *z, *Y;
    Array *gradient;
    double loss;
    TRY(input(request, "logits", 2, &z));
    TRY(input(request, "targets", 2, &Y));
    if (!same_shape(z, Y)) return SAFFU_SHAPE;
    TRY(output(request, "gradient", REAL, 2, z->shape, &gradient));
    TRY(saffu_cross_entropy(z->shape[0], z->shape[1], z->number, Y->number, &loss,
                            gradient->number));
    return output_number(request, "loss", loss);
}

static Reason answer_perplexity(Request *request) {
    const Array *nats;
    double perplexity;
    TRY(input(request, "nats", 1, &nats));
    TRY(saffu_perplexity(nats->size, nats->number, &perplexity));
    return output_number(request, "perplexity", perplexity);
}

/* ---- the explicit solution (SPEC 1) ---------------------------------------------------------- */

static Reason samples(Request *request, const char *features, const char *targets, const Array **H,
                      const Array **Y) {
    TRY(input(request, features, 2, H));
    TRY(input(request, targets, 2, Y));
    if ((*H)->shape[0] != (*Y)->shape[0]) return SAFFU_SHAPE;
    return (*H)->shape[0] == 0 ? SAFFU_NO_SAMPLES : SAFFU_OK;
}

/* One pair of arrays, or shards numbered from 0. */
static Reason answer_cooccurrence(Request *request) {
    const Array *H, *Y;
    Array *F = NULL, *count;
    double norm = 0.0;
    size_t M = 0;
    const bool shards = json_at(request->inputs, "features") == NULL;
    char features[40] = "features", targets[40] = "targets";
    for (size_t shard = 0;; shard++) {
        if (shards) {
            snprintf(features, sizeof features, "features_%zu", shard);
            snprintf(targets, sizeof targets, "targets_%zu", shard);
        }
        if (shard > 0 && (!shards || json_at(request->inputs, features) == NULL)) break;
        TRY(samples(request, features, targets, &H, &Y));
        if (F == NULL)
            TRY(output(request, "counts", REAL, 2, SHAPE(H->shape[1], Y->shape[1]), &F));
        if (F->shape[0] != H->shape[1] || F->shape[1] != Y->shape[1]) return SAFFU_SHAPE;
        TRY(saffu_cooccurrence(H->shape[0], H->shape[1], Y->shape[1], H->number, Y->number,
                               F->number, &norm));
        M += H->shape[0];
    }
    TRY(output_number(request, "norm", norm));
    TRY(output(request, "samples", WHOLE, 0, NULL, &count));
    count->whole[0] = (int64_t)M;
    return SAFFU_OK;
}

static Reason answer_priming_number(Request *request) {
    const Array *H;
    double K;
    TRY(input(request, "features", 2, &H));
    TRY(saffu_priming_number(H->shape[0], H->shape[1], H->number, &K));
    return output_number(request, "priming", K);
}

static Reason answer_explicit_solution(Request *request) {
    const Array *H, *Y;
    Array *F, *smoothed, *U;
    Smoothing smoothing;
    double norm = 0.0, K;
    TRY(samples(request, "features", "targets", &H, &Y));
    TRY(smoothing_of(request, json_at(request->attributes, "smoothing"), &smoothing));
    const size_t M = H->shape[0], D = H->shape[1], N = Y->shape[1];
    TRY(output(request, "counts", REAL, 2, SHAPE(D, N), &F));
    TRY(output(request, "smoothed_counts", REAL, 2, SHAPE(D, N), &smoothed));
    TRY(output(request, "weights", REAL, 2, SHAPE(D, N), &U));
    TRY(saffu_cooccurrence(M, D, N, H->number, Y->number, F->number, &norm));
    const Json *const given = json_at(request->attributes, "priming");
    if (given != NULL && given->type != JSON_NULL)
        TRY(number_of(request, request->attributes, "priming", &K));
    else
        TRY(saffu_priming_number(M, D, H->number, &K));
    TRY(output_number(request, "priming", K));
    TRY(saffu_smooth(smoothing, D, N, F->number, smoothed->number, request->arena));
    return saffu_explicit_weights(D, N, smoothed->number, K, U->number, request->arena);
}

static Reason answer_tempered_logits(Request *request) {
    const Array *H, *F, *temper;
    Array *z;
    TRY(input(request, "features", 2, &H));
    TRY(input(request, "counts", 2, &F));
    TRY(input(request, "temper", 1, &temper));
    const size_t M = H->shape[0], D = H->shape[1], N = F->shape[1];
    if (F->shape[0] != D) return SAFFU_SHAPE;
    TRY(output(request, "logits", REAL, 2, SHAPE(M, N), &z));
    return saffu_tempered_logits(M, D, N, temper->size, H->number, F->number, temper->number,
                                 z->number, request->arena);
}

static Reason answer_fit_temper(Request *request) {
    const Array *H, *Y, *F;
    Array *temper;
    int64_t slots;
    double loss;
    TRY(samples(request, "features", "targets", &H, &Y));
    TRY(input(request, "counts", 2, &F));
    const size_t M = H->shape[0], D = H->shape[1], N = Y->shape[1];
    if (F->shape[0] != D || F->shape[1] != N) return SAFFU_SHAPE;
    TRY(whole_of(request, request->attributes, "slots", 1, &slots));
    const size_t S = (size_t)slots;
    if (D % S != 0) return SAFFU_OPTION;
    TRY(output(request, "temper", REAL, 1, SHAPE(S), &temper));
    const Json *const start = json_at(request->attributes, "start");
    const bool list = start != NULL && start->type == JSON_LIST;
    if (list && start->length != S) return SAFFU_SHAPE;
    const Json *entry = list ? start->first : start;
    for (size_t k = 0; k < S; k++, entry = list ? entry->next : entry) {
        if (entry == NULL || !number_in(entry, &temper->number[k])) return SAFFU_OPTION;
    }
    TRY(saffu_fit_temper(M, D, N, S, H->number, Y->number, F->number, temper->number, &loss,
                         request->arena));
    return output_number(request, "loss", loss);
}

static Reason answer_choose_smoothing(Request *request) {
    const Array *H, *Y, *held_H = NULL, *held_Y = NULL;
    Array *losses, *choice;
    bool tempered;
    size_t chosen;
    TRY(samples(request, "features", "targets", &H, &Y));
    const size_t D = H->shape[1], N = Y->shape[1];
    Samples held = {0, NULL, NULL};
    if (json_at(request->inputs, "held_features") != NULL) {
        TRY(samples(request, "held_features", "held_targets", &held_H, &held_Y));
        if (held_H->shape[1] != D || held_Y->shape[1] != N) return SAFFU_SHAPE;
        held = (Samples){held_H->shape[0], held_H->number, held_Y->number};
    }
    TRY(truth_of(request, request->attributes, "temper", &tempered));
    const Json *const list = json_at(request->attributes, "candidates");
    if (list == NULL || list->type != JSON_LIST || list->length == 0) return SAFFU_OPTION;
    const size_t C = list->length;
    TAKE_FROM(request, Smoothing, candidates, C);
    size_t c = 0;
    for (const Json *entry = list->first; entry != NULL; entry = entry->next)
        TRY(smoothing_of(request, entry, &candidates[c++]));
    TRY(output(request, "losses", REAL, 1, SHAPE(C), &losses));
    TRY(output(request, "choice", WHOLE, 0, NULL, &choice));
    const Samples train = {H->shape[0], H->number, Y->number};
    TRY(saffu_choose_smoothing(train, held, D, N, C, candidates, tempered, losses->number, &chosen,
                               request->arena));
    choice->whole[0] = (int64_t)chosen;
    return SAFFU_OK;
}

static Reason answer_refine(Request *request) {
    const Array *H, *Y, *start;
    Array *U, *slack, *losses;
    int64_t steps;
    double capacity;
    TRY(samples(request, "features", "targets", &H, &Y));
    TRY(input(request, "weights", 2, &start));
    const size_t M = H->shape[0], D = H->shape[1], N = Y->shape[1];
    if (start->shape[0] != D || start->shape[1] != N) return SAFFU_SHAPE;
    TRY(whole_of(request, request->attributes, "steps", 0, &steps));
    TRY(output_copy(request, "weights", start, start->number, &U));
    TRY(output(request, "slack", REAL, 1, SHAPE(N), &slack));
    TRY(output(request, "losses", REAL, 1, SHAPE((size_t)steps + 1), &losses));
    TRY(saffu_refine(M, D, N, H->number, Y->number, (size_t)steps, U->number, slack->number,
                     &capacity, losses->number, request->arena));
    return output_number(request, "capacity", capacity);
}

/* ---- cipher and embeddings (SPEC 2) ---------------------------------------------------------- */

static Reason answer_bit_cipher(Request *request) {
    Document counts; /* whole numbers, as token ids are */
    Array *ranks, *codes, *E;
    int64_t bits;
    TRY(tokens(request, "counts", &counts));
    TRY(whole_of(request, request->attributes, "bits", 1, &bits));
    const size_t V = counts.length, b = (size_t)bits;
    TRY(output(request, "ranks", WHOLE, 1, SHAPE(V), &ranks));
    TRY(output(request, "codes", WHOLE, 2, SHAPE(V, b), &codes));
    TRY(output(request, "embedding", REAL, 2, SHAPE(V, b), &E));
    TAKE_FROM(request, double, ones, V *b);
    TRY(saffu_rank_tokens(V, counts.tokens, ranks->whole, request->arena));
    TRY(saffu_bit_codes(V, b, ones));
    for (size_t c = 0; c < V * b; c++) codes->whole[c] = (int64_t)ones[c];
    saffu_cipher_embedding(V, b, ranks->whole, ones, E->number);
    return SAFFU_OK;
}

static Reason answer_cipher_decode(Request *request) {
    static const char *const methods[] = {"dot", "likelihood", NULL};
    const Array *vectors, *codes;
    Array *ranks;
    size_t method;
    TRY(input(request, "vectors", 2, &vectors));
    TRY(input(request, "codes", 2, &codes));
    if (vectors->shape[1] != codes->shape[1]) return SAFFU_SHAPE;
    TRY(word_of(request, request->attributes, "method", methods, &method));
    TRY(output(request, "ranks", WHOLE, 1, SHAPE(vectors->shape[0]), &ranks));
    return saffu_cipher_decode(vectors->shape[0], codes->shape[0], codes->shape[1],
                               vectors->number, codes->number, (Decoding)method, ranks->whole);
}

static const char *const COMBINATIONS[] = {"sum", "cat", NULL};

static Reason radii_of(Request *request, const Json *record, size_t *R, const int64_t **radii) {
    const Json *const list = json_at(record, "radii");
    if (list == NULL || list->type != JSON_LIST) return SAFFU_OPTION;
    TAKE_FROM(request, int64_t, rings, list->length);
    *R = 0;
    for (const Json *entry = list->first; entry != NULL; entry = entry->next) {
        if (!entry->is_whole) return SAFFU_OPTION;
        rings[(*R)++] = entry->whole;
    }
    *radii = rings;
    return SAFFU_OK;
}

static Reason answer_radial_embedding(Request *request) {
    Text documents;
    const Array *vectors;
    const int64_t *radii;
    size_t R, combine;
    Array *E;
    TRY(text(request, &documents));
    TRY(input(request, "vectors", 2, &vectors));
    TRY(radii_of(request, request->attributes, &R, &radii));
    TRY(word_of(request, request->attributes, "combine", COMBINATIONS, &combine));
    const size_t V = vectors->shape[0], b = vectors->shape[1];
    const size_t D = combine == COMBINE_CAT ? R * b : b;
    TRY(output(request, "embedding", REAL, 2, SHAPE(V, D), &E));
    return saffu_radial_embedding(documents.documents, documents.document, V, b, vectors->number, R,
                                  radii, (Combination)combine, E->number);
}

/* ---- contexts (SPEC 3) ----------------------------------------------------------------------- */

static Reason answer_slots(Request *request, ContextKind kind, const char *size) {
    Document document;
    Array *slots, *mask, *pivot;
    int64_t length;
    TRY(tokens(request, "document", &document));
    TRY(whole_of(request, request->attributes, size, 1, &length));
    if (document.length < 2) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_tokens(document, SIZE_MAX));
    const size_t M = document.length - 1, B = (size_t)length;
    TRY(output(request, "slots", WHOLE, 2, SHAPE(M, B), &slots));
    TRY(output(request, "mask", TRUTH, 2, SHAPE(M, B), &mask));
    TRY(output(request, "pivot", WHOLE, 1, SHAPE(M), &pivot));
    TAKE_FROM(request, size_t, position, M *B);
    TAKE_FROM(request, size_t, pivots, M);
    saffu_slots((Context){kind, B}, document.length, position, mask->truth, pivots);
    for (size_t s = 0; s < M * B; s++)
        slots->whole[s] = mask->truth[s] ? document.tokens[position[s]] : 0;
    for (size_t m = 0; m < M; m++) pivot->whole[m] = (int64_t)pivots[m];
    return SAFFU_OK;
}

static Reason answer_radial_context(Request *request) {
    return answer_slots(request, RADIAL, "radius");
}

static Reason answer_block_context(Request *request) {
    return answer_slots(request, BLOCK, "length");
}

static Reason answer_document_context(Request *request) {
    Document document;
    const Array *vectors;
    Array *features;
    TRY(tokens(request, "document", &document));
    TRY(input(request, "vectors", 2, &vectors));
    if (document.length < 2) return SAFFU_NO_SAMPLES;
    TRY(saffu_check_tokens(document, vectors->shape[0]));
    TRY(saffu_check_finite(vectors->size, vectors->number));
    TRY(output(request, "features", REAL, 2, SHAPE(document.length - 1, vectors->shape[1]),
               &features));
    saffu_document_means(document, vectors->shape[1], vectors->number, features->number);
    return SAFFU_OK;
}

/* ---- the SAFFU layer (SPEC 4, 5, 6) ---------------------------------------------------------- */

/* A negative pivot becomes one beyond all slots, which is refused alike. */
static Reason pivots(Request *request, size_t n, const size_t **pivot) {
    Document given;
    TRY(tokens(request, "pivot", &given));
    if (given.length != n) return SAFFU_SHAPE;
    TAKE_FROM(request, size_t, slots, n);
    for (size_t r = 0; r < n; r++)
        slots[r] = given.tokens[r] < 0 ? SIZE_MAX : (size_t)given.tokens[r];
    *pivot = slots;
    return SAFFU_OK;
}

static Reason answer_compare(Request *request) {
    const Array *X, *dc;
    Contexts contexts = {NULL, NULL, NULL};
    Array *c, *dX;
    TRY(input(request, "inputs", 3, &X));
    const size_t n = X->shape[0], B = X->shape[1], D = X->shape[2];
    TRY(pivots(request, n, &contexts.pivot));
    TRY(saffu_check_finite(X->size, X->number));
    for (size_t r = 0; r < n; r++)
        if (contexts.pivot[r] >= B) return SAFFU_PIVOT;
    contexts.X = X->number;
    TRY(output(request, "comparisons", REAL, 2, SHAPE(n, B), &c));
    saffu_compare(n, B, D, contexts, c->number);
    TRY(cotangent(request, "comparisons", c, &dc));
    if (dc == NULL) return SAFFU_OK;
    TRY(output(request, "gradient.inputs", REAL, 3, X->shape, &dX));
    saffu_compare_vjp(n, B, D, contexts, dc->number, dX->number);
    return SAFFU_OK;
}

static Reason layer_kind(Request *request, const Json *record, LayerKind *kind) {
    static const char *const aggregations[] = {"sum", "cat", NULL};
    static const char *const attentions[] = {"softmax", "surprisal", "uniform", NULL};
    static const char *const gains[] = {"unit", "count", NULL};
    size_t aggregation, attention, gain;
    bool negative_inputs = false;
    TRY(word_of(request, record, "aggregation", aggregations, &aggregation));
    TRY(word_of(request, record, "attention", attentions, &attention));
    TRY(word_of(request, record, "gain", gains, &gain));
    if (json_at(record, "signed") != NULL)
        TRY(truth_of(request, record, "signed", &negative_inputs));
    *kind = (LayerKind){(Aggregation)aggregation, (Attention)attention, (Gain)gain,
                        negative_inputs};
    return SAFFU_OK;
}

typedef struct {
    Layer layer;
    Contexts contexts;
    const Array *W, *U, *X;
    Stages stages;
} LayerRequest;

static Reason read_layer(Request *request, LayerRequest *asked) {
    const Array *mask;
    Layer *const layer = &asked->layer;
    TRY(layer_kind(request, request->attributes, &layer->kind));
    TRY(input(request, "inputs", 3, &asked->X));
    TRY(input(request, "mask", 2, &mask));
    TRY(input(request, "attention_weights", 2, &asked->W));
    TRY(input(request, "feature_weights", 2, &asked->U));
    const Array *const X = asked->X, *const W = asked->W, *const U = asked->U;
    layer->n = X->shape[0];
    layer->B = X->shape[1];
    layer->D = X->shape[2];
    layer->H = U->shape[1];
    if (mask->truth == NULL || mask->shape[0] != layer->n || mask->shape[1] != layer->B)
        return SAFFU_SHAPE;
    if (W->shape[0] != layer->B || W->shape[1] != layer->B) return SAFFU_SHAPE;
    if (U->shape[0] != saffu_layer_features(layer)) return SAFFU_SHAPE;
    TRY(pivots(request, layer->n, &asked->contexts.pivot));
    asked->contexts.X = X->number;
    asked->contexts.mask = mask->truth;
    return SAFFU_OK;
}

static Reason answer_saffu_forward(Request *request) {
    LayerRequest asked = {.stages = {NULL}};
    TRY(read_layer(request, &asked));
    const size_t n = asked.layer.n, B = asked.layer.B, S = saffu_layer_features(&asked.layer);
    struct {
        const char *name;
        double **values;
        size_t width;
    } const stages[] = {
        {"comparisons", &asked.stages.comparisons, B},
        {"logits", &asked.stages.logits, B},
        {"attention", &asked.stages.attention, B},
        {"weights", &asked.stages.weights, B},
        {"features", &asked.stages.features, S},
        {"hidden", &asked.stages.hidden, asked.layer.H},
    };
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        Array *array;
        TRY(output(request, stages[s].name, REAL, 2, SHAPE(n, stages[s].width), &array));
        *stages[s].values = array->number;
    }
    return saffu_layer_forward(&asked.layer, asked.contexts, asked.W->number, asked.U->number,
                               asked.stages);
}

static Reason answer_saffu_backward(Request *request) {
    LayerRequest asked = {.stages = {NULL}};
    const Array *dh;
    Array *dW, *dU, *dX;
    TRY(read_layer(request, &asked));
    TRY(input(request, "d_hidden", 2, &dh));
    if (dh->shape[0] != asked.layer.n || dh->shape[1] != asked.layer.H) return SAFFU_SHAPE;
    TRY(output(request, "attention_weights", REAL, 2, asked.W->shape, &dW));
    TRY(output(request, "feature_weights", REAL, 2, asked.U->shape, &dU));
    TRY(output(request, "inputs", REAL, 3, asked.X->shape, &dX));
    TRY(saffu_stages(&asked.layer, &asked.stages, request->arena));
    TRY(saffu_layer_forward(&asked.layer, asked.contexts, asked.W->number, asked.U->number,
                            asked.stages));
    return saffu_layer_backward(&asked.layer, asked.contexts, asked.W->number, asked.U->number,
                                asked.stages, dh->number, dW->number, dU->number, dX->number,
                                request->arena);
}

static Reason answer_hidden_targets(Request *request) {
    const Array *a, *G;
    Array *t;
    bool clip;
    TRY(input(request, "attention", 2, &a));
    TRY(input(request, "ascent", 2, &G));
    if (!same_shape(a, G)) return SAFFU_SHAPE;
    TRY(truth_of(request, request->attributes, "clip", &clip));
    TRY(output(request, "targets", REAL, 2, a->shape, &t));
    return saffu_hidden_targets(a->shape[0], a->shape[1], a->number, G->number, clip, t->number);
}

/* ---- models (SPEC 3 – 6) --------------------------------------------------------------------- */

static Reason contexts_of(Request *request, const Json *record, Configuration *configuration) {
    const Json *const list = json_at(record, "contexts");
    if (list == NULL || list->type != JSON_LIST || list->length == 0) return SAFFU_OPTION;
    TAKE_FROM(request, Context, contexts, list->length);
    configuration->C = 0;
    configuration->contexts = contexts;
    for (const Json *entry = list->first; entry != NULL; entry = entry->next) {
        if (entry->type != JSON_LIST || entry->first == NULL) return SAFFU_OPTION;
        const Json *const slots = entry->first->next;
        Context *const context = &contexts[configuration->C++];
        if (json_is(entry->first, "Document")) {
            *context = (Context){DOCUMENT, 1};
            continue;
        }
        if (json_is(entry->first, "Radial"))
            context->kind = RADIAL;
        else if (json_is(entry->first, "Block"))
            context->kind = BLOCK;
        else
            return SAFFU_OPTION;
        if (slots == NULL || !slots->is_whole || slots->whole < 1) return SAFFU_OPTION;
        context->slots = (size_t)slots->whole;
    }
    return SAFFU_OK;
}

static Reason configuration_of(Request *request, Configuration *configuration) {
    static const char *const outputs[] = {"softmax", "direct", NULL};
    const Json *const record = json_at(request->attributes, "configuration");
    int64_t vocabulary, bits, label_bits, depth;
    size_t combine, output_kind;
    TRY(whole_of(request, record, "vocabulary", 1, &vocabulary));
    TRY(whole_of(request, record, "bits", 1, &bits));
    TRY(whole_of(request, record, "label_bits", 1, &label_bits));
    TRY(whole_of(request, record, "depth", 1, &depth));
    TRY(word_of(request, record, "combine", COMBINATIONS, &combine));
    TRY(word_of(request, record, "output", outputs, &output_kind));
    configuration->vocabulary = (size_t)vocabulary;
    configuration->bits = (size_t)bits;
    configuration->label_bits = (size_t)label_bits;
    configuration->depth = (size_t)depth;
    configuration->combine = (Combination)combine;
    TRY(radii_of(request, record, &configuration->R, &configuration->radii));
    TRY(contexts_of(request, record, configuration));
    TRY(layer_kind(request, json_at(record, "layer"), &configuration->layer));
    TRY(saffu_check_configuration(configuration));
    return output_kind == 0 ? SAFFU_OK : SAFFU_OPTION; /* direct output has no hidden layer */
}

/* The name of each parameter, its rows and columns, and where it is kept. */
typedef struct {
    char name[64];
    size_t rows, columns;
    double **values;
} Slot;

static Reason parameter_slots(Request *request, const Configuration *configuration,
                              Parameters *parameters, size_t *count, Slot **slots) {
    const size_t H = configuration->label_bits, V = configuration->vocabulary;
    const size_t layers = saffu_layer_index(configuration, configuration->C, 0);
    TAKE_FROM(request, Slot, slot, 2 + 2 * layers);
    *slots = slot;
    *count = 0;
    slot[(*count)++] = (Slot){"embedding", V, saffu_width(configuration), &parameters->embedding};
    for (size_t tower = 0; tower < configuration->C; tower++)
        for (size_t level = 0; level < saffu_depth(configuration, tower); level++) {
            const Layer layer = saffu_layer_of(configuration, tower, level, 0);
            const size_t index = saffu_layer_index(configuration, tower, level);
            if (configuration->contexts[tower].kind != DOCUMENT) {
                Slot *const W = &slot[(*count)++];
                *W = (Slot){"", layer.B, layer.B, &parameters->attention[index]};
                snprintf(W->name, sizeof W->name, "tower%zu.layer%zu.attention", tower, level);
            }
            Slot *const U = &slot[(*count)++];
            *U = (Slot){"", saffu_layer_features(&layer), H, &parameters->features[index]};
            snprintf(U->name, sizeof U->name, "tower%zu.layer%zu.features", tower, level);
        }
    slot[(*count)++] = (Slot){"output", configuration->C * H, V, &parameters->output};
    return SAFFU_OK;
}

typedef struct {
    Configuration configuration;
    Text text;
    Plan plan;
    Parameters parameters;
} ModelRequest;

static Reason read_model(Request *request, ModelRequest *asked) {
    size_t count;
    Slot *slots;
    TRY(configuration_of(request, &asked->configuration));
    TRY(text(request, &asked->text));
    TRY(saffu_plan(&asked->configuration, asked->text, &asked->plan, request->arena));
    TRY(saffu_parameters(&asked->configuration, &asked->parameters, request->arena));
    TRY(parameter_slots(request, &asked->configuration, &asked->parameters, &count, &slots));
    for (size_t p = 0; p < count; p++) {
        const Array *array;
        TRY(input(request, slots[p].name, 2, &array));
        if (array->shape[0] != slots[p].rows || array->shape[1] != slots[p].columns)
            return SAFFU_SHAPE;
        TRY(saffu_check_finite(array->size, array->number));
        *slots[p].values = array->number;
    }
    return SAFFU_OK;
}

static Reason output_parameters(Request *request, const Configuration *configuration,
                                Parameters *parameters) {
    size_t count;
    Slot *slots;
    TRY(parameter_slots(request, configuration, parameters, &count, &slots));
    for (size_t p = 0; p < count; p++) {
        Array *array;
        TRY(output(request, slots[p].name, REAL, 2, SHAPE(slots[p].rows, slots[p].columns),
                   &array));
        for (size_t i = 0; i < array->size; i++) array->number[i] = (*slots[p].values)[i];
    }
    return SAFFU_OK;
}

static Reason answer_model_forward(Request *request) {
    ModelRequest asked;
    Array *hidden, *z;
    TRY(read_model(request, &asked));
    const Configuration *const configuration = &asked.configuration;
    const size_t M = asked.plan.M;
    TRY(output(request, "hidden", REAL, 2, SHAPE(M, configuration->C * configuration->label_bits),
               &hidden));
    TRY(output(request, "logits", REAL, 2, SHAPE(M, configuration->vocabulary), &z));
    return saffu_model_forward(configuration, &asked.parameters, asked.text, &asked.plan,
                               hidden->number, z->number, request->arena);
}

static Reason answer_model_loss(Request *request) {
    ModelRequest asked;
    double loss;
    TRY(read_model(request, &asked));
    TRY(saffu_model_loss(&asked.configuration, &asked.parameters, asked.text, &asked.plan, &loss,
                         request->arena));
    return output_number(request, "loss", loss);
}

static Reason answer_model_gradient(Request *request) {
    ModelRequest asked;
    Parameters gradient;
    TRY(read_model(request, &asked));
    TRY(saffu_parameters(&asked.configuration, &gradient, request->arena));
    TRY(saffu_model_gradient(&asked.configuration, &asked.parameters, asked.text, &asked.plan,
                             &gradient, request->arena));
    return output_parameters(request, &asked.configuration, &gradient);
}

/* A λ of null is fitted. */
static Reason temper_of(Request *request, const Json *record, const char *name, bool *fit,
                        double *temper) {
    const Json *const value = json_at(record, name);
    *fit = value != NULL && value->type == JSON_NULL;
    return *fit ? SAFFU_OK : number_of(request, record, name, temper);
}

static Reason settings_of(Request *request, WarmSettings *settings) {
    const Json *const record = json_at(request->attributes, "settings");
    int64_t rounds, refits;
    TRY(smoothing_of(request, json_at(record, "hidden_smoothing"), &settings->hidden));
    TRY(smoothing_of(request, json_at(record, "attention_smoothing"), &settings->attention));
    TRY(smoothing_of(request, json_at(record, "output_smoothing"), &settings->output));
    TRY(temper_of(request, record, "hidden_temper", &settings->fit_hidden,
                  &settings->hidden_temper));
    TRY(temper_of(request, record, "output_temper", &settings->fit_output,
                  &settings->output_temper));
    TRY(number_of(request, record, "hidden_scale", &settings->hidden_scale));
    TRY(whole_of(request, record, "rounds", 0, &rounds));
    TRY(whole_of(request, record, "refits", 0, &refits));
    settings->rounds = (size_t)rounds;
    settings->refits = (size_t)refits;
    return SAFFU_OK;
}

static Reason answer_warm_start(Request *request) {
    ModelRequest asked;
    WarmSettings settings;
    Array *labels;
    TRY(configuration_of(request, &asked.configuration));
    TRY(settings_of(request, &settings));
    TRY(text(request, &asked.text));
    TRY(saffu_plan(&asked.configuration, asked.text, &asked.plan, request->arena));
    TRY(saffu_parameters(&asked.configuration, &asked.parameters, request->arena));
    TRY(output(request, "labels", REAL, 2,
               SHAPE(asked.configuration.vocabulary, asked.configuration.label_bits), &labels));
    TRY(saffu_warm_start(&asked.configuration, &settings, asked.text, &asked.plan, labels->number,
                         &asked.parameters, request->arena));
    return output_parameters(request, &asked.configuration, &asked.parameters);
}

/* ---- optimisers (SPEC 6) --------------------------------------------------------------------- */

static Reason answer_sgd_step(Request *request) {
    const Array *parameter, *gradient;
    Array *moved;
    double rate;
    TRY(input(request, "parameter", 0, &parameter));
    TRY(input(request, "gradient", 0, &gradient));
    if (!same_shape(parameter, gradient)) return SAFFU_SHAPE;
    TRY(number_of(request, request->attributes, "rate", &rate));
    TRY(output_copy(request, "parameter", parameter, parameter->number, &moved));
    return saffu_sgd_step(moved->size, moved->number, gradient->number, rate);
}

static Reason answer_adam_step(Request *request) {
    const Array *parameter, *gradient, *mean, *square;
    Array *moved, *new_mean, *new_square;
    AdamSettings settings;
    int64_t step;
    TRY(input(request, "parameter", 0, &parameter));
    TRY(input(request, "gradient", 0, &gradient));
    TRY(input(request, "mean", 0, &mean));
    TRY(input(request, "square", 0, &square));
    if (!same_shape(parameter, gradient) || !same_shape(parameter, mean) ||
        !same_shape(parameter, square))
        return SAFFU_SHAPE;
    TRY(whole_of(request, request->attributes, "step", 0, &step));
    TRY(number_of(request, request->attributes, "rate", &settings.rate));
    TRY(number_of(request, request->attributes, "beta1", &settings.beta1));
    TRY(number_of(request, request->attributes, "beta2", &settings.beta2));
    TRY(number_of(request, request->attributes, "epsilon", &settings.epsilon));
    TRY(output_copy(request, "parameter", parameter, parameter->number, &moved));
    TRY(output_copy(request, "mean", mean, mean->number, &new_mean));
    TRY(output_copy(request, "square", square, square->number, &new_square));
    return saffu_adam_step(moved->size, moved->number, gradient->number, new_mean->number,
                           new_square->number, (double)step, settings);
}

const Operation OPERATIONS[] = {
    {"softmax", answer_softmax, true},
    {"log_softmax", answer_log_softmax, true},
    {"cross_entropy", answer_cross_entropy, false},
    {"cooccurrence", answer_cooccurrence, false},
    {"priming_number", answer_priming_number, false},
    {"explicit_solution", answer_explicit_solution, false},
    {"tempered_logits", answer_tempered_logits, false},
    {"fit_temper", answer_fit_temper, false},
    {"choose_smoothing", answer_choose_smoothing, false},
    {"refine", answer_refine, false},
    {"bit_cipher", answer_bit_cipher, false},
    {"cipher_decode", answer_cipher_decode, false},
    {"radial_embedding", answer_radial_embedding, false},
    {"radial_context", answer_radial_context, false},
    {"block_context", answer_block_context, false},
    {"document_context", answer_document_context, false},
    {"compare", answer_compare, true},
    {"saffu_forward", answer_saffu_forward, false},
    {"saffu_backward", answer_saffu_backward, false},
    {"hidden_targets", answer_hidden_targets, false},
    {"warm_start", answer_warm_start, false},
    {"model_forward", answer_model_forward, false},
    {"model_loss", answer_model_loss, false},
    {"model_gradient", answer_model_gradient, false},
    {"sgd_step", answer_sgd_step, false},
    {"adam_step", answer_adam_step, false},
    {"perplexity", answer_perplexity, false},
};
const size_t OPERATIONS_COUNT = sizeof OPERATIONS / sizeof *OPERATIONS;
