/* Reasons, memory, checks and sums: what every chapter uses. */
#include "saffu.h"

#include <math.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define GAP 32 /* poisoned bytes between arrays, so that the sanitizer sees who leaves his own */
#define POISON(at, bytes) __asan_poison_memory_region((at), (bytes))
#define UNPOISON(at, bytes) __asan_unpoison_memory_region((at), (bytes))
#else
#define GAP 0
#define POISON(at, bytes) ((void)(at), (void)(bytes))
#define UNPOISON(at, bytes) ((void)(at), (void)(bytes))
#endif

static const struct {
    const char *code, *sentence;
} REASONS[SAFFU_REASONS] = {
    [SAFFU_OK] = {"ok", "nothing is wrong"},
    [SAFFU_BITS] = {"bits", "too few bits for that many codes (SPEC 2)"},
    [SAFFU_EMPTY_MASK] = {"empty-mask", "a row has no valid entry (SPEC 0)"},
    [SAFFU_FRACTION] = {"fraction", "a discounted count is not whole (SPEC 1)"},
    [SAFFU_NEGATIVE] = {"negative", "an entry is below zero (SPEC 0)"},
    [SAFFU_NO_SAMPLES] = {"no-samples", "there is nothing to compute from (SPEC 0)"},
    [SAFFU_NON_FINITE] = {"non-finite", "an entry is NaN or infinite (SPEC 8)"},
    [SAFFU_NOT_CONVERGED] = {"not-converged", "the best temper is at infinity (SPEC 1)"},
    [SAFFU_OPTION] = {"option", "a setting is outside of what it may be (SPEC 8)"},
    [SAFFU_PIVOT] = {"pivot", "a pivot is not on a valid slot (SPEC 4)"},
    [SAFFU_SHAPE] = {"shape", "arrays do not belong together (SPEC 8)"},
    [SAFFU_SIMPLEX] = {"simplex", "a row does not add up to one (SPEC 5)"},
    [SAFFU_TOKEN_RANGE] = {"token-range", "a token id is not in the vocabulary (SPEC 2)"},
    [SAFFU_ZERO_COUNT] = {"zero-count", "the logarithm of a zero count is needed (SPEC 1)"},
    [SAFFU_ZERO_NORM] = {"zero-norm", "all features are zero (SPEC 1)"},
    [SAFFU_ZERO_TARGET] = {"zero-target", "a row of targets is all zero (SPEC 1)"},
    [SAFFU_MEMORY] = {"memory", "the arena is too small"},
};

const char *saffu_reason_code(Reason reason) { return REASONS[reason].code; }
const char *saffu_reason_sentence(Reason reason) { return REASONS[reason].sentence; }

void *arena_take(Arena *arena, size_t count, size_t size) {
    const size_t align = 16;
    if (size != 0 && count > (SIZE_MAX - GAP - align) / size) return NULL;
    const size_t bytes = (count * size + align - 1) / align * align;
    if (bytes + GAP > arena->size - arena->used) return NULL;
    char *const taken = arena->base + arena->used;
    arena->used += bytes + GAP;
    UNPOISON(taken, bytes);
    memset(taken, 0, bytes);
    POISON(taken + count * size, bytes + GAP - count * size);
    return taken;
}

void arena_release(Arena *arena, size_t used) {
    POISON(arena->base + used, arena->used - used);
    arena->used = used;
}

Reason saffu_check_finite(size_t n, const double *x) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return SAFFU_NON_FINITE;
    return SAFFU_OK;
}

/* Features, targets and counts are finite and not negative (SPEC 0). */
Reason saffu_check_features(size_t n, const double *x) {
    TRY(saffu_check_finite(n, x));
    for (size_t i = 0; i < n; i++)
        if (x[i] < 0.0) return SAFFU_NEGATIVE;
    return SAFFU_OK;
}

/* Every row of targets asks for something (SPEC 1). */
Reason saffu_check_targets(size_t M, size_t N, const double *Y) {
    TRY(saffu_check_features(M * N, Y));
    for (size_t m = 0; m < M; m++)
        if (!(saffu_sum(N, Y + m * N) > 0.0)) return SAFFU_ZERO_TARGET;
    return SAFFU_OK;
}

double saffu_sum(size_t n, const double *x) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

double saffu_dot(size_t n, const double *x, const double *y) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* n_i = Σ_d F[d,i]   (SPEC 1) */
void saffu_column_sums(size_t D, size_t N, const double *F, double *n) {
    for (size_t i = 0; i < N; i++) n[i] = 0.0;
    for (size_t d = 0; d < D; d++)
        for (size_t i = 0; i < N; i++) n[i] += F[d * N + i];
}
