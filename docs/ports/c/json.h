/* JSON, as far as the protocol of the conformance kit needs it. */
#ifndef JSON_H
#define JSON_H

#include "saffu.h"

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_RECORD } JsonType;

typedef struct Json Json;
struct Json {
    JsonType type;
    bool truth;
    double number;
    int64_t whole; /* of a number, if is_whole: exact beyond 2^53 */
    bool is_whole;
    const char *text; /* UTF-8 */
    size_t length; /* entries of a list or a record */
    const char *key; /* inside of a record */
    Json *first, *next; /* entries in order; one's successor */
};

typedef enum { JSON_PARSED, JSON_INVALID, JSON_MEMORY } JsonOutcome;

/* The value that a text of `length` bytes, followed by a zero byte, is.  It lies in the arena. */
JsonOutcome json_parse(const char *text, size_t length, Arena *arena, Json **value);
/* An entry of a record, or NULL. */
const Json *json_at(const Json *record, const char *key);
/* A string that is this word. */
bool json_is(const Json *value, const char *word);

#endif
