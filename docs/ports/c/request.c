/* Arrays and attributes in and out of messages (docs/conformance.md, the protocol). */
#include "request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static Reason trouble(Request *request, const char *message) {
    if (request->trouble == NULL) request->trouble = message;
    return SAFFU_SHAPE;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static Reason read_shape(Request *request, const Json *shape, Array *array) {
    if (shape == NULL || shape->type != JSON_LIST || shape->length > MOST_DIMENSIONS)
        return trouble(request, "an array has no shape");
    array->size = 1;
    for (const Json *side = shape->first; side != NULL; side = side->next) {
        if (!side->is_whole || side->whole < 0) return trouble(request, "a shape is not whole");
        if (side->whole > MOST || array->size > (size_t)MOST)
            return trouble(request, "a shape is too large");
        array->shape[array->rank++] = (size_t)side->whole;
        array->size *= (size_t)side->whole;
    }
    return SAFFU_OK;
}

/* Numbers, true and false, and what JSON has no number for as a string. */
bool number_in(const Json *entry, double *number) {
    switch (entry->type) {
    case JSON_NUMBER: *number = entry->number; return true;
    case JSON_BOOL: *number = entry->truth ? 1.0 : 0.0; return true;
    default: break;
    }
    *number = json_is(entry, "-inf") ? -INFINITY : json_is(entry, "inf") ? INFINITY : NAN;
    return !isnan(*number) || json_is(entry, "nan");
}

static Reason read_array(Request *request, const Json *value, const Array **read) {
    TAKE_FROM(request, Array, array, 1);
    array->name = value->key;
    TRY(read_shape(request, json_at(value, "shape"), array));
    const Json *const data = json_at(value, "data"), *const type = json_at(value, "dtype");
    if (data == NULL || data->type != JSON_LIST || data->length != array->size)
        return trouble(request, "data do not fit their shape");
    array->type = json_is(type, "int64") ? WHOLE : json_is(type, "bool") ? TRUTH : REAL;
    TAKE_FROM(request, double, number, array->size);
    TAKE_FROM(request, int64_t, whole, array->size);
    TAKE_FROM(request, bool, truth, array->size);
    size_t i = 0;
    for (const Json *entry = data->first; entry != NULL; entry = entry->next, i++) {
        if (!number_in(entry, &number[i])) return trouble(request, "an entry is no number");
        if (array->type == WHOLE && !entry->is_whole)
            return trouble(request, "an entry of int64 is not whole");
        whole[i] = entry->whole;
        truth[i] = number[i] != 0.0;
    }
    array->number = number;
    array->whole = array->type == WHOLE ? whole : NULL;
    array->truth = array->type == TRUTH ? truth : NULL;
    *read = array;
    return SAFFU_OK;
}

static Reason find(Request *request, const Json *record, const char *name, size_t rank,
                   const Array **array) {
    const Json *const value = json_at(record, name);
    *array = NULL;
    if (value == NULL) return SAFFU_OK;
    TRY(read_array(request, value, array));
    return rank == 0 || (*array)->rank == rank ? SAFFU_OK : SAFFU_SHAPE;
}

Reason optional_input(Request *request, const char *name, size_t rank, const Array **array) {
    return find(request, request->inputs, name, rank, array);
}

Reason input(Request *request, const char *name, size_t rank, const Array **array) {
    TRY(optional_input(request, name, rank, array));
    return *array == NULL ? trouble(request, "an input is missing") : SAFFU_OK;
}

Reason cotangent(Request *request, const char *name, const Array *like, const Array **array) {
    TRY(find(request, request->cotangents, name, 0, array));
    if (*array == NULL) return SAFFU_OK;
    if (!same_shape(*array, like)) return SAFFU_SHAPE;
    return saffu_check_finite((*array)->size, (*array)->number);
}

bool same_shape(const Array *a, const Array *b) {
    if (a->rank != b->rank) return false;
    for (size_t d = 0; d < a->rank; d++)
        if (a->shape[d] != b->shape[d]) return false;
    return true;
}

static Reason as_tokens(Request *request, const Array *array, Document *document) {
    if (array->whole == NULL) return trouble(request, "token ids are not of int64");
    *document = (Document){array->size, array->whole};
    return SAFFU_OK;
}

Reason tokens(Request *request, const char *name, Document *document) {
    const Array *array;
    TRY(input(request, name, 1, &array));
    return as_tokens(request, array, document);
}

Reason text(Request *request, Text *text) {
    char name[40];
    size_t documents = 0;
    do snprintf(name, sizeof name, "document_%zu", documents);
    while (json_at(request->inputs, name) != NULL && ++documents > 0);
    TAKE_FROM(request, Document, document, documents);
    for (size_t l = 0; l < documents; l++) {
        snprintf(name, sizeof name, "document_%zu", l);
        TRY(tokens(request, name, &document[l]));
    }
    *text = (Text){documents, document};
    return SAFFU_OK;
}

/* ---- attributes ------------------------------------------------------------------------------ */

Reason number_of(Request *request, const Json *record, const char *name, double *value) {
    const Json *const found = json_at(record, name);
    if (found == NULL) return trouble(request, "a number is missing");
    return number_in(found, value) ? SAFFU_OK : SAFFU_OPTION;
}

Reason whole_of(Request *request, const Json *record, const char *name, int64_t least,
                int64_t *value) {
    const Json *const found = json_at(record, name);
    if (found == NULL) return trouble(request, "a whole number is missing");
    *value = found->whole;
    if (found->is_whole && found->whole > MOST) return trouble(request, "too large a number");
    return found->is_whole && found->whole >= least ? SAFFU_OK : SAFFU_OPTION;
}

Reason word_of(Request *request, const Json *record, const char *name, const char *const *words,
               size_t *which) {
    const Json *const found = json_at(record, name);
    if (found == NULL) return trouble(request, "a word is missing");
    for (*which = 0; words[*which] != NULL; ++*which)
        if (json_is(found, words[*which])) return SAFFU_OK;
    return SAFFU_OPTION;
}

Reason truth_of(Request *request, const Json *record, const char *name, bool *value) {
    const Json *const found = json_at(record, name);
    if (found == NULL || found->type != JSON_BOOL)
        return trouble(request, "a truth value is missing");
    *value = found->truth;
    return SAFFU_OK;
}

Reason smoothing_of(Request *request, const Json *value, Smoothing *smoothing) {
    static const char *const kinds[] = {"additive", "backoff", "discount", NULL};
    size_t kind;
    TRY(word_of(request, value, "kind", kinds, &kind));
    TRY(number_of(request, value, "strength", &smoothing->strength));
    smoothing->kind = (SmoothingKind)kind;
    return saffu_check_smoothing(*smoothing);
}

/* ---- outputs --------------------------------------------------------------------------------- */

Reason output(Request *request, const char *name, ArrayType type, size_t rank, const size_t *shape,
              Array **array) {
    TAKE_FROM(request, Array, made, 1);
    TAKE_FROM(request, char, label, strlen(name) + 1);
    strcpy(label, name);
    made->name = label;
    made->type = type;
    made->rank = rank;
    made->size = 1;
    for (size_t d = 0; d < rank; d++) {
        made->shape[d] = shape[d];
        made->size *= shape[d];
    }
    TAKE_FROM(request, double, number, type == REAL ? made->size : 0);
    TAKE_FROM(request, int64_t, whole, type == WHOLE ? made->size : 0);
    TAKE_FROM(request, bool, truth, type == TRUTH ? made->size : 0);
    made->number = number;
    made->whole = whole;
    made->truth = truth;
    *request->last = made;
    request->last = &made->next;
    *array = made;
    return SAFFU_OK;
}

Reason output_number(Request *request, const char *name, double value) {
    Array *array;
    TRY(output(request, name, REAL, 0, NULL, &array));
    array->number[0] = value;
    return SAFFU_OK;
}

Reason output_copy(Request *request, const char *name, const Array *like, const double *values,
                   Array **array) {
    TRY(output(request, name, REAL, like->rank, like->shape, array));
    for (size_t i = 0; i < like->size; i++) (*array)->number[i] = values[i];
    return SAFFU_OK;
}
