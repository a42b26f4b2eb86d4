/* One message of the kit, and the answer to it: arrays by name. */
#ifndef REQUEST_H
#define REQUEST_H

#include "json.h"

#define MOST_DIMENSIONS 8
#define MOST ((int64_t)1 << 24)

typedef enum { REAL, WHOLE, TRUTH } ArrayType;

typedef struct Array Array;
struct Array {
    const char *name;
    ArrayType type;
    size_t rank, shape[MOST_DIMENSIONS], size;
    double *number; /* always filled for inputs */
    int64_t *whole; /* inputs of int64; outputs of WHOLE */
    bool *truth; /* inputs of bool; outputs of TRUTH */
    Array *next;
};

typedef struct {
    const Json *attributes, *inputs, *cotangents;
    Arena *arena;
    Array *outputs, **last;
    const char *trouble; /* the message makes no sense: answered as an error */
} Request;

/* An operation of the contract (SPEC 9), and whether it returns gradients. */
typedef struct {
    const char *name;
    Reason (*answer)(Request *request);
    bool gradients;
} Operation;

extern const Operation OPERATIONS[];
extern const size_t OPERATIONS_COUNT;

/* ---- inputs: an array that is there has to have this rank, or 0 for any ---------------------- */

Reason input(Request *request, const char *name, size_t rank, const Array **array);
Reason optional_input(Request *request, const char *name, size_t rank, const Array **array);
Reason cotangent(Request *request, const char *name, const Array *like, const Array **array);
Reason tokens(Request *request, const char *name, Document *document);
/* document_0, document_1, … */
Reason text(Request *request, Text *text);
bool same_shape(const Array *a, const Array *b);

/* The number that a value is, be it a word for what JSON has no number for. */
bool number_in(const Json *value, double *number);

/* ---- attributes ------------------------------------------------------------------------------ */

Reason number_of(Request *request, const Json *record, const char *name, double *value);
/* Not below `least`; beyond MOST this port gives up, so that no product of sizes overflows. */
Reason whole_of(Request *request, const Json *record, const char *name, int64_t least,
                int64_t *value);
/* Which of these words, ended by NULL; another word is refused. */
Reason word_of(Request *request, const Json *record, const char *name, const char *const *words,
               size_t *which);
Reason truth_of(Request *request, const Json *record, const char *name, bool *value);
Reason smoothing_of(Request *request, const Json *value, Smoothing *smoothing);

/* ---- outputs --------------------------------------------------------------------------------- */

Reason output(Request *request, const char *name, ArrayType type, size_t rank, const size_t *shape,
              Array **array);
Reason output_number(Request *request, const char *name, double value);
Reason output_copy(Request *request, const char *name, const Array *like, const double *values,
                   Array **array);

#define TAKE_FROM(request, type, name, count)                                                      \
    type *const name = arena_take((request)->arena, (count), sizeof(type));                        \
    if (name == NULL) return SAFFU_MEMORY

#define SHAPE(...) ((const size_t[]){__VA_ARGS__})

#endif
