/* saffu-port: the operations, asked one JSON line at a time (docs/conformance.md, the protocol).
 *
 * A message is answered within one arena.  Where that is too small it is doubled and the message
 * answered anew: operations are pure, and nothing is printed before all is known.
 */
#include "request.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ARENA ((size_t)1 << 20)
#define LARGEST_ARENA ((size_t)1 << 30)

/* ---- answers --------------------------------------------------------------------------------- */

static void print_entry(const Array *array, size_t i) {
    if (array->type == WHOLE) {
        printf("%" PRId64, array->whole[i]);
    } else if (array->type == TRUTH) {
        fputs(array->truth[i] ? "true" : "false", stdout);
    } else if (isfinite(array->number[i])) {
        printf("%.17g", array->number[i]);
    } else {
        fputs(isnan(array->number[i]) ? "\"nan\"" : array->number[i] > 0 ? "\"inf\"" : "\"-inf\"",
              stdout);
    }
}

static void print_array(const Array *array) {
    static const char *const types[] = {[REAL] = "float64", [WHOLE] = "int64", [TRUTH] = "bool"};
    printf("\"%s\": {\"dtype\": \"%s\", \"shape\": [", array->name, types[array->type]);
    for (size_t d = 0; d < array->rank; d++)
        printf("%s%zu", d > 0 ? ", " : "", array->shape[d]);
    fputs("], \"data\": [", stdout);
    for (size_t i = 0; i < array->size; i++) {
        if (i > 0) fputs(", ", stdout);
        print_entry(array, i);
    }
    fputs("]}", stdout);
}

static void print_outputs(int64_t seq, const Array *outputs) {
    printf("{\"seq\": %" PRId64 ", \"outputs\": {", seq);
    for (const Array *array = outputs; array != NULL; array = array->next) {
        if (array != outputs) fputs(", ", stdout);
        print_array(array);
    }
    puts("}}");
}

static void print_rejected(int64_t seq, Reason reason) {
    printf("{\"seq\": %" PRId64 ", \"rejected\": {\"reason\": \"%s\", \"message\": \"%s\"}}\n", seq,
           saffu_reason_code(reason), saffu_reason_sentence(reason));
}

static void print_errored(int64_t seq, const char *message) {
    printf("{\"seq\": %" PRId64 ", \"errored\": {\"message\": \"%s\"}}\n", seq, message);
}

static void print_names(bool gradients) {
    const char *between = "";
    for (size_t o = 0; o < OPERATIONS_COUNT; o++) {
        if (gradients && !OPERATIONS[o].gradients) continue;
        printf("%s\"%s\"", between, OPERATIONS[o].name);
        between = ", ";
    }
}

static void introduce(void) {
    fputs("{\"protocol\": 1, \"name\": \"saffu-c\", \"version\": \"1.0\", \"language\": \"C99\", "
          "\"precision\": \"float64\", \"device\": \"cpu\", \"operations\": [",
          stdout);
    print_names(false);
    fputs("], \"gradients\": [", stdout);
    print_names(true);
    puts("]}");
}

/* ---- messages -------------------------------------------------------------------------------- */

typedef enum { GO_ON, STOP, GARBAGE, MORE_MEMORY } Next;

/* Good inputs near the end of the range can overflow; no NaN comes out (SPEC 8). */
static bool holds_nan(const Array *array) {
    for (; array != NULL; array = array->next)
        for (size_t i = 0; array->type == REAL && i < array->size; i++)
            if (isnan(array->number[i])) return true;
    return false;
}

static Next run(const Json *message, Arena *arena, bool last) {
    const Json *const number = json_at(message, "seq"), *const op = json_at(message, "op");
    Request request = {.attributes = json_at(message, "attributes"),
                       .inputs = json_at(message, "inputs"),
                       .cotangents = json_at(message, "cotangents"),
                       .arena = arena};
    request.last = &request.outputs;
    if (number == NULL || !number->is_whole) return GARBAGE;
    const int64_t seq = number->whole;
    for (size_t o = 0; o < OPERATIONS_COUNT; o++) {
        if (!json_is(op, OPERATIONS[o].name)) continue;
        Reason reason = OPERATIONS[o].answer(&request);
        if (reason == SAFFU_OK && holds_nan(request.outputs)) reason = SAFFU_NON_FINITE;
        if (reason == SAFFU_MEMORY && !last) return MORE_MEMORY;
        if (reason == SAFFU_MEMORY)
            print_errored(seq, "out of memory");
        else if (request.trouble != NULL)
            print_errored(seq, request.trouble);
        else if (reason != SAFFU_OK)
            print_rejected(seq, reason);
        else
            print_outputs(seq, request.outputs);
        return GO_ON;
    }
    printf("{\"seq\": %" PRId64 ", \"skipped\": {\"reason\": \"no such operation here\"}}\n", seq);
    return GO_ON;
}

/* `last`: there is no larger arena. */
static Next respond(const char *line, size_t length, Arena *arena, bool last) {
    arena_release(arena, 0);
    Json *message;
    switch (json_parse(line, length, arena, &message)) {
    case JSON_INVALID: return GARBAGE;
    case JSON_MEMORY: return MORE_MEMORY;
    case JSON_PARSED: break;
    }
    const Json *const command = json_at(message, "cmd");
    if (json_is(command, "stop")) return STOP;
    if (json_is(command, "run")) return run(message, arena, last);
    if (!json_is(command, "start")) return GARBAGE;
    introduce();
    return GO_ON;
}

/* A line without its end, followed by a zero byte, however long it is; false at the end. */
static bool read_line(char **line, size_t *size, size_t *length) {
    int c;
    *length = 0;
    while ((c = getchar()) != EOF && c != '\n') {
        if (*length + 2 > *size) {
            const size_t larger = *size > 0 ? *size * 2 : 4096;
            char *const moved = realloc(*line, larger);
            if (moved == NULL) return false;
            *line = moved;
            *size = larger;
        }
        (*line)[(*length)++] = (char)c;
    }
    if (*length > 0) (*line)[*length] = 0;
    return c != EOF || *length > 0;
}

/* A fresh arena of twice the size; the old one stays where there is none. */
static bool enlarge(Arena *arena) {
    const size_t size = arena->size > 0 ? arena->size * 2 : FIRST_ARENA;
    char *const base = size <= LARGEST_ARENA ? malloc(size) : NULL;
    if (base == NULL) return false;
    free(arena->base);
    *arena = (Arena){base, size, 0};
    return true;
}

int main(void) {
    Arena arena = {NULL, 0, 0};
    char *line = NULL;
    size_t size = 0, length;
    int status = EXIT_SUCCESS;
    bool more = enlarge(&arena);
    while (more && read_line(&line, &size, &length)) {
        if (length == 0) continue;
        Next next = respond(line, length, &arena, false);
        while (next == MORE_MEMORY) {
            const bool last = !enlarge(&arena);
            next = respond(line, length, &arena, last);
            if (last) break;
        }
        if (next == GARBAGE) fputs("saffu-port: a line that is no message\n", stderr);
        if (next == MORE_MEMORY) fputs("saffu-port: out of memory\n", stderr);
        if (next == GARBAGE || next == MORE_MEMORY) status = EXIT_FAILURE;
        more = next == GO_ON && fflush(stdout) == 0;
    }
    free(line);
    free(arena.base);
    return status;
}
