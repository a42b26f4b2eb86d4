/* SAFFU in C99: the operations, as pure functions over arrays of doubles with explicit sizes.
 *
 * Nothing here reads, prints or allocates.  Arrays are row-major: x[m * D + d].  Where a function
 * needs room to think, it takes it from an Arena over memory that the caller owns.  Every function
 * that can refuse its input returns a Reason, and SAFFU_OK is zero.  (SPEC n) is a section of
 * docs/specification.md.
 *
 * Letters: M samples, D features, N targets, V tokens, B slots, H hidden units, b bits.
 */
#ifndef SAFFU_H
#define SAFFU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- refusals (SPEC 8) ----------------------------------------------------------------------- */

typedef enum {
    SAFFU_OK,
    SAFFU_BITS,          /* too few bits for that many codes */
    SAFFU_EMPTY_MASK,    /* a row without a valid entry */
    SAFFU_FRACTION,      /* a count that is not whole where whole counts are discounted */
    SAFFU_NEGATIVE,      /* below zero where only counts, weights or probabilities make sense */
    SAFFU_NO_SAMPLES,    /* nothing to compute from */
    SAFFU_NON_FINITE,    /* NaN or infinity */
    SAFFU_NOT_CONVERGED, /* an optimum that is at infinity */
    SAFFU_OPTION,        /* a setting outside of what it may be */
    SAFFU_PIVOT,         /* a pivot outside of its context, or on an invalid slot */
    SAFFU_SHAPE,         /* arrays do not belong together */
    SAFFU_SIMPLEX,       /* a row that should add up to one */
    SAFFU_TOKEN_RANGE,   /* a token id that is not in the vocabulary */
    SAFFU_ZERO_COUNT,    /* a count of zero whose logarithm is needed */
    SAFFU_ZERO_NORM,     /* features that are all zero */
    SAFFU_ZERO_TARGET,   /* a row of targets that is all zero */
    SAFFU_MEMORY,        /* not a refusal: the arena is too small */
    SAFFU_REASONS
} Reason;

/* The code of a reason as golden/README.md spells it, and one sentence about it. */
const char *saffu_reason_code(Reason reason);
const char *saffu_reason_sentence(Reason reason);

#define TRY(call)                                                                                  \
    do {                                                                                           \
        const Reason try_reason = (call);                                                          \
        if (try_reason != SAFFU_OK) return try_reason;                                             \
    } while (0)

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct {
    char *base;
    size_t size, used;
} Arena;

/* `count` entries of `size` bytes, all zero; NULL if the arena has no room left. */
void *arena_take(Arena *arena, size_t count, size_t size);
/* Everything taken since `used` was read is given back. */
void arena_release(Arena *arena, size_t used);

#define TAKE(type, name, count)                                                                    \
    type *const name = arena_take(arena, (count), sizeof(type));                                   \
    if (name == NULL) return SAFFU_MEMORY

/* ---- checks and sums (SPEC 0, 8) ------------------------------------------------------------- */

Reason saffu_check_finite(size_t n, const double *x);
Reason saffu_check_features(size_t n, const double *x);
Reason saffu_check_targets(size_t M, size_t N, const double *Y);
double saffu_sum(size_t n, const double *x);
double saffu_dot(size_t n, const double *x, const double *y);
void saffu_column_sums(size_t D, size_t N, const double *F, double *n);

/* ---- softmax and losses (SPEC 0, 6, 7): softmax.c; a mask of NULL is all true ---------------- */

Reason saffu_softmax(size_t M, size_t N, const double *z, const bool *mask, double *p);
void saffu_softmax_vjp(size_t M, size_t N, const double *p, const double *dp, double *dz);
Reason saffu_log_softmax(size_t M, size_t N, const double *z, const bool *mask, double *logp);
void saffu_log_softmax_vjp(size_t M, size_t N, const double *logp, const double *dlogp, double *dz);
/* The gradient in the logits may be NULL. */
Reason saffu_cross_entropy(size_t M, size_t N, const double *z, const double *Y, double *loss,
                           double *gradient);
Reason saffu_perplexity(size_t M, const double *nats, double *perplexity);

/* ---- the explicit solution (SPEC 1): counts.c, choice.c, refine.c, temper.c ------------------ */

typedef enum { ADDITIVE, BACKOFF, DISCOUNT } SmoothingKind;
typedef struct {
    SmoothingKind kind;
    double strength;
} Smoothing;

/* Adds to `F` [D N] and `norm`: zero them first, then call once a shard. */
Reason saffu_cooccurrence(size_t M, size_t D, size_t N, const double *H, const double *Y, double *F,
                          double *norm);
Reason saffu_priming_number(size_t M, size_t D, const double *H, double *K);
Reason saffu_check_smoothing(Smoothing smoothing);
/* Shares q of the targets from their totals, and one row of counts smoothed with them. */
void saffu_shares(size_t N, const double *n, double *q);
Reason saffu_smooth_row(Smoothing smoothing, size_t N, const double *row, const double *q,
                        double *smoothed);
Reason saffu_smooth(Smoothing smoothing, size_t D, size_t N, const double *F, double *smoothed,
                    Arena *arena);
Reason saffu_explicit_weights(size_t D, size_t N, const double *F, double K, double *U,
                              Arena *arena);
Reason saffu_tempered_weights(size_t D, size_t N, const double *F, double K, double temper,
                              double *U, Arena *arena);
Reason saffu_tempered_logits(size_t M, size_t D, size_t N, size_t S, const double *H,
                             const double *F, const double *temper, double *z, Arena *arena);
/* `temper` [S] holds the start and receives the optimum. */
Reason saffu_fit_temper(size_t M, size_t D, size_t N, size_t S, const double *H, const double *Y,
                        const double *F, double *temper, double *loss, Arena *arena);

typedef struct {
    size_t M;
    const double *H, *Y;
} Samples;

/* One loss a candidate, and the first of the least; held.H = NULL leaves one out. */
Reason saffu_choose_smoothing(Samples train, Samples held, size_t D, size_t N, size_t C,
                              const Smoothing *candidates, bool tempered, double *losses,
                              size_t *choice, Arena *arena);
/* `U` [D N] and `slack` [N] are improved in place; `losses` has steps + 1 entries. */
Reason saffu_refine(size_t M, size_t D, size_t N, const double *H, const double *Y, size_t steps,
                    double *U, double *slack, double *capacity, double *losses, Arena *arena);

/* ---- cipher and embeddings (SPEC 2): cipher.c, embedding.c ----------------------------------- */

typedef int64_t Token;
typedef struct {
    size_t length;
    const Token *tokens;
} Document;
typedef enum { DECODE_DOT, DECODE_LIKELIHOOD } Decoding;
typedef enum { COMBINE_SUM, COMBINE_CAT } Combination;

Reason saffu_check_tokens(Document document, size_t V);
Reason saffu_rank_tokens(size_t V, const int64_t *counts, Token *ranks, Arena *arena);
/* Codes by rank, as zeros and ones. */
Reason saffu_bit_codes(size_t V, size_t b, double *codes);
/* Codes over their numbers of ones, by token id. */
void saffu_cipher_embedding(size_t V, size_t b, const Token *ranks, const double *codes, double *E);
Reason saffu_cipher_decode(size_t M, size_t V, size_t b, const double *vectors,
                           const double *codes, Decoding method, Token *ranks);
/* `E` is [V b] for COMBINE_SUM, [V R·b] for COMBINE_CAT. */
Reason saffu_radial_embedding(size_t documents, const Document *document, size_t V, size_t b,
                              const double *vectors, size_t R, const int64_t *radii,
                              Combination combine, double *E);

/* ---- contexts (SPEC 3): contexts.c ----------------------------------------------------------- */

typedef enum { RADIAL, BLOCK, DOCUMENT } ContextKind;
typedef struct {
    ContextKind kind;
    size_t slots; /* B; 1 for DOCUMENT, whose only slot holds a mean */
} Context;

/* For targets 1 … T−1 of a document: which position each slot holds.  [T−1 B], and pivot [T−1]. */
void saffu_slots(Context context, size_t T, size_t *position, bool *mask, size_t *pivot);
/* Means of the vectors before each target: [T−1 D]. */
void saffu_document_means(Document document, size_t D, const double *E, double *means);
void saffu_document_means_vjp(Document document, size_t D, const double *dmeans, double *dE);

/* ---- the SAFFU layer (SPEC 4, 5, 6): layer.c ------------------------------------------------- */

typedef enum { AGGREGATE_SUM, AGGREGATE_CAT } Aggregation;
typedef enum { ATTEND_SOFTMAX, ATTEND_SURPRISAL, ATTEND_UNIFORM } Attention;
typedef enum { GAIN_UNIT, GAIN_COUNT } Gain;
typedef struct {
    Aggregation aggregation;
    Attention attention;
    Gain gain;
    bool negative_inputs; /* "signed" in the golden files */
} LayerKind;

typedef struct {
    size_t n, B, D, H; /* contexts, slots, width of an input, hidden units */
    LayerKind kind;
} Layer;

typedef struct {
    const double *X; /* [n B D] */
    const bool *mask; /* [n B] */
    const size_t *pivot; /* [n] */
} Contexts;

typedef struct {
    double *comparisons, *logits, *attention, *weights; /* [n B] */
    double *features; /* [n S] */
    double *hidden; /* [n H] */
} Stages;

size_t saffu_layer_features(const Layer *layer); /* S */
void saffu_compare(size_t n, size_t B, size_t D, Contexts contexts, double *c);
void saffu_compare_vjp(size_t n, size_t B, size_t D, Contexts contexts, const double *dc,
                       double *dX);
/* From inputs to features; then from features to hidden states; or both. */
Reason saffu_layer_attend(const Layer *layer, Contexts contexts, const double *W, Stages out);
Reason saffu_layer_hidden(const Layer *layer, const double *U, Stages out);
Reason saffu_layer_forward(const Layer *layer, Contexts contexts, const double *W, const double *U,
                           Stages out);
/* Pulls dq, the gradient at s U, back; dW [B B], dU [S H] and dX [n B D] are added to. */
Reason saffu_layer_pull(const Layer *layer, Contexts contexts, const double *W, const double *U,
                        Stages at, const double *dq, double *dW, double *dU, double *dX,
                        Arena *arena);
Reason saffu_layer_backward(const Layer *layer, Contexts contexts, const double *W, const double *U,
                            Stages at, const double *dhidden, double *dW, double *dU, double *dX,
                            Arena *arena);
/* −∂ℓ/∂a for attention, where ∂ℓ/∂(s U) is h − y.   [n B] */
void saffu_attention_ascent(const Layer *layer, Contexts contexts, const double *U, Stages at,
                            const double *Y, double *G);
Reason saffu_hidden_targets(size_t M, size_t N, const double *a, const double *G, bool clip,
                            double *t);

/* ---- models (SPEC 3 – 6): model.c, warm.c ---------------------------------------------------- */

typedef struct {
    size_t vocabulary, bits, label_bits, depth;
    Combination combine;
    size_t R;
    const int64_t *radii;
    size_t C;
    const Context *contexts;
    LayerKind layer;
} Configuration;

typedef struct {
    double *embedding; /* [V D] */
    double **attention, **features; /* by saffu_layer_index: [B B] (NULL for DOCUMENT), [S H] */
    double *output; /* [C·H V] */
} Parameters;

typedef struct {
    size_t documents;
    const Document *document;
} Text;

Reason saffu_check_configuration(const Configuration *configuration);
size_t saffu_width(const Configuration *configuration); /* D */
size_t saffu_depth(const Configuration *configuration, size_t tower);
size_t saffu_layer_index(const Configuration *configuration, size_t tower, size_t level);
/* A layer of a tower, for n contexts. */
Layer saffu_layer_of(const Configuration *configuration, size_t tower, size_t level, size_t n);
Reason saffu_parameters(const Configuration *configuration, Parameters *parameters, Arena *arena);

/* What a text asks of each context model. */
typedef struct {
    size_t M;
    Token *target; /* [M] */
    Token *token; /* [M], the token before the target */
    size_t **row; /* [C]: [M B], the sample that stands for each slot */
    bool **mask; /* [C]: [M B] */
    size_t **pivot; /* [C]: [M] */
} Plan;

Reason saffu_plan(const Configuration *configuration, Text text, Plan *plan, Arena *arena);
/* The inputs [M B D] of a layer: embeddings below, hidden states of the layer beneath above. */
Reason saffu_layer_inputs(const Configuration *configuration, const Plan *plan, Text text,
                          size_t tower, size_t level, const double *below, double *X);
/* Its adjoint: adds to `dbelow` [V D] or [M H]. */
void saffu_layer_inputs_vjp(const Configuration *configuration, const Plan *plan, Text text,
                            size_t tower, size_t level, const double *dX, double *dbelow);
Reason saffu_stages(const Layer *layer, Stages *stages, Arena *arena);

/* `hidden` [M C·H] and `z` [M V]. */
Reason saffu_model_forward(const Configuration *configuration, const Parameters *parameters,
                           Text text, const Plan *plan, double *hidden, double *z, Arena *arena);
Reason saffu_model_loss(const Configuration *configuration, const Parameters *parameters, Text text,
                        const Plan *plan, double *loss, Arena *arena);
/* `gradient` is zero on entry. */
Reason saffu_model_gradient(const Configuration *configuration, const Parameters *parameters,
                            Text text, const Plan *plan, Parameters *gradient, Arena *arena);

typedef struct {
    Smoothing hidden, attention, output;
    double hidden_temper, output_temper; /* used unless fitted */
    bool fit_hidden, fit_output;
    double hidden_scale;
    size_t rounds, refits;
} WarmSettings;

/* `labels` is [V label_bits]. */
Reason saffu_warm_start(const Configuration *configuration, const WarmSettings *settings, Text text,
                        const Plan *plan, double *labels, Parameters *parameters, Arena *arena);

/* ---- optimisers (SPEC 6): optim.c; arrays are changed in place ------------------------------- */

typedef struct {
    double rate, beta1, beta2, epsilon;
} AdamSettings;

Reason saffu_sgd_step(size_t n, double *parameter, const double *gradient, double rate);
/* `step` counts the steps made before this one. */
Reason saffu_adam_step(size_t n, double *parameter, const double *gradient, double *mean,
                       double *square, double step, AdamSettings settings);

#endif
