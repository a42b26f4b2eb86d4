/* A JSON parser by recursive descent (RFC 8259).  All it makes lies in an arena. */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 64

typedef struct {
    const char *at, *end;
    Arena *arena;
    JsonOutcome outcome;
} Parser;

static Json *fail(Parser *parser, JsonOutcome outcome) {
    parser->outcome = outcome;
    return NULL;
}

static void skip_space(Parser *parser) {
    while (parser->at < parser->end && strchr(" \t\n\r", *parser->at) != NULL && *parser->at != 0)
        parser->at++;
}

static bool take(Parser *parser, const char *word) {
    const size_t length = strlen(word);
    if ((size_t)(parser->end - parser->at) < length) return false;
    if (memcmp(parser->at, word, length) != 0) return false;
    parser->at += length;
    return true;
}

static Json *new_value(Parser *parser, JsonType type) {
    Json *const value = arena_take(parser->arena, 1, sizeof *value);
    if (value == NULL) return fail(parser, JSON_MEMORY);
    value->type = type;
    return value;
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool hex4(Parser *parser, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        if (parser->at == parser->end || *parser->at == 0) return false;
        const char *const digit = strchr(digits, *parser->at++);
        if (digit == NULL) return false;
        *code = *code * 16 + (uint32_t)((digit - digits) % 16);
    }
    return true;
}

static char *put_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint32_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    *to++ = (char)(unsigned char)(lead[more] | code >> (6 * more));
    for (int i = more - 1; i >= 0; i--)
        *to++ = (char)(unsigned char)(0x80 | (code >> (6 * i) & 0x3F));
    return to;
}

/* After \u: a code point, or two halves of one; half a pair becomes U+FFFD. */
static bool unicode_escape(Parser *parser, char **to) {
    uint32_t code, low;
    if (!hex4(parser, &code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
        const char *const after = parser->at;
        if (take(parser, "\\u") && hex4(parser, &low) && low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        } else {
            parser->at = after;
            code = 0xFFFD;
        }
    } else if (code >= 0xDC00 && code < 0xE000) {
        code = 0xFFFD;
    }
    *to = put_utf8(*to, code);
    return true;
}

/* A string; no escape is shorter than what it stands for, so the source is room enough. */
static char *parse_text(Parser *parser) {
    const char *close = parser->at;
    while (close < parser->end && *close != '"') close += *close == '\\' ? 2 : 1;
    if (close >= parser->end) {
        fail(parser, JSON_INVALID);
        return NULL;
    }
    char *const text = arena_take(parser->arena, (size_t)(close - parser->at) + 1, 1);
    if (text == NULL) {
        fail(parser, JSON_MEMORY);
        return NULL;
    }
    char *to = text;
    bool good = true;
    while (good && parser->at < close) {
        static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
        const char c = *parser->at++;
        if ((unsigned char)c < 0x20) good = false;
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        const char escape = *parser->at++;
        if (escape == 'u') {
            good = unicode_escape(parser, &to);
            continue;
        }
        size_t e = 0;
        while (escapes[e] != 0 && escapes[e] != escape) e += 2;
        good = escapes[e] != 0;
        if (good) *to++ = escapes[e + 1];
    }
    if (!good || parser->at != close) {
        fail(parser, JSON_INVALID);
        return NULL;
    }
    *to = 0;
    parser->at++;
    return text;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool digits(Parser *parser) {
    const char *const from = parser->at;
    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') parser->at++;
    return parser->at > from;
}

/* What strtod reads beyond JSON (hexadecimals, "inf", a leading plus) is kept from it. */
static Json *parse_number(Parser *parser) {
    const char *const from = parser->at;
    bool whole = true;
    take(parser, "-");
    if (!take(parser, "0") && !digits(parser)) return fail(parser, JSON_INVALID);
    if (take(parser, ".")) {
        whole = false;
        if (!digits(parser)) return fail(parser, JSON_INVALID);
    }
    if (take(parser, "e") || take(parser, "E")) {
        whole = false;
        if (!take(parser, "-")) take(parser, "+");
        if (!digits(parser)) return fail(parser, JSON_INVALID);
    }
    Json *const value = new_value(parser, JSON_NUMBER);
    if (value == NULL) return NULL;
    value->number = strtod(from, NULL);
    if (whole) {
        errno = 0;
        const long long exact = strtoll(from, NULL, 10);
        value->is_whole = errno == 0;
        value->whole = (int64_t)exact;
    }
    return value;
}

/* ---- values ---------------------------------------------------------------------------------- */

static Json *parse_value(Parser *parser, int depth);

static Json *parse_entries(Parser *parser, JsonType type, const char *close, int depth) {
    Json *const value = new_value(parser, type);
    if (value == NULL) return NULL;
    Json **next = &value->first;
    skip_space(parser);
    if (take(parser, close)) return value;
    do {
        const char *key = NULL;
        skip_space(parser);
        if (type == JSON_RECORD) {
            if (!take(parser, "\"")) return fail(parser, JSON_INVALID);
            key = parse_text(parser);
            if (key == NULL) return NULL;
            skip_space(parser);
            if (!take(parser, ":")) return fail(parser, JSON_INVALID);
        }
        *next = parse_value(parser, depth + 1);
        if (*next == NULL) return NULL;
        (*next)->key = key;
        next = &(*next)->next;
        value->length++;
        skip_space(parser);
    } while (take(parser, ","));
    return take(parser, close) ? value : fail(parser, JSON_INVALID);
}

static Json *parse_value(Parser *parser, int depth) {
    if (depth > DEEPEST) return fail(parser, JSON_INVALID);
    skip_space(parser);
    if (take(parser, "[")) return parse_entries(parser, JSON_LIST, "]", depth);
    if (take(parser, "{")) return parse_entries(parser, JSON_RECORD, "}", depth);
    if (take(parser, "null")) return new_value(parser, JSON_NULL);
    if (take(parser, "false")) return new_value(parser, JSON_BOOL);
    if (take(parser, "true")) {
        Json *const value = new_value(parser, JSON_BOOL);
        if (value != NULL) value->truth = true;
        return value;
    }
    if (take(parser, "\"")) {
        const char *const text = parse_text(parser);
        Json *const value = text == NULL ? NULL : new_value(parser, JSON_STRING);
        if (value != NULL) value->text = text;
        return value;
    }
    return parse_number(parser);
}

JsonOutcome json_parse(const char *text, size_t length, Arena *arena, Json **value) {
    Parser parser = {text, text + length, arena, JSON_PARSED};
    *value = parse_value(&parser, 0);
    skip_space(&parser);
    if (*value != NULL && parser.at != parser.end) return JSON_INVALID;
    return parser.outcome;
}

const Json *json_at(const Json *record, const char *key) {
    if (record == NULL || record->type != JSON_RECORD) return NULL;
    for (const Json *entry = record->first; entry != NULL; entry = entry->next)
        if (strcmp(entry->key, key) == 0) return entry;
    return NULL;
}

bool json_is(const Json *value, const char *word) {
    return value != NULL && value->type == JSON_STRING && strcmp(value->text, word) == 0;
}
