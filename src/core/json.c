/* json.c -- the pull reader: a state machine over bytes with its own stack of open levels.
 *
 * UTF-8 is checked once at init, so that afterwards every byte from 0x80 up inside a string is known to be part of a whole code
 * point and needs no second look. Events carry offsets, not copies: a number is converted and a string unescaped only if asked for.
 *
 * A decimal number becomes a double in integers alone, so that no rounding mode of the caller can change a bit: up to 19 digits and a
 * power of ten up to 19 fit 128 bits exactly (nearly every number of a real file); all else goes through a big integer and one
 * bitwise division. Both end in the one rounding function. */
#include "core/json.h"

#include "core/size.h"
#include "core/utf8.h"

#include <string.h>

enum expect {                       /* what may come next */
    VALUE,                          /* a value: at the start, after ',' in an array */
    FIRST_VALUE,                    /* a value or ']' */
    KEY,                            /* a key: after ',' in an object */
    FIRST_KEY,                      /* a key or '}' */
    COLON,                          /* ':' and a value */
    COMMA,                          /* ',' or the end of the level */
    DONE,                           /* nothing but space */
    FAILED
};

static size_t utf8_put(uint8_t out[4], uint32_t point)
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xc0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (point & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (point & 63));
    return 4;
}

/* ---- events ---------------------------------------------------------------------------------------------------------------- */

slm_status slm_json_init(slm_json *json, const void *text, size_t n, const char *name, slm_error *err)
{
    if (n > SLM_LIMIT_JSON_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: JSON of %zu bytes (allowed %d)", name, n, SLM_LIMIT_JSON_BYTES);
    const size_t bad = slm_utf8_valid(text, n);
    if (bad < n)
        return slm_fail_at(err, SLM_E_FORMAT, bad, "%s: JSON: byte 0x%02x is not UTF-8", name, ((const uint8_t *)text)[bad]);
    memset(json, 0, sizeof *json);
    json->base = text;
    json->size = n;
    json->name = name;
    json->expect = VALUE;
    return SLM_OK;
}

/* A failure stays: the text after it means nothing. */
static slm_status bad(slm_json *json, size_t at, const char *wanted, slm_error *err)
{
    char shown[SLM_SHOWN];
    json->expect = FAILED;
    if (at >= json->size)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: JSON: the text ends where %s should be", json->name, wanted);
    return slm_fail_at(err, SLM_E_FORMAT, at, "%s: JSON: '%s' where %s should be", json->name,
                       slm_shown(shown, json->base + at, 1), wanted);
}

static void skip_space(slm_json *json)
{
    while (json->pos < json->size) {
        const uint8_t c = json->base[json->pos];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        json->pos++;
    }
}

static void after_value(slm_json *json)
{
    json->expect = json->depth ? COMMA : DONE;
}

static bool is_digit(const slm_json *json, size_t at)
{
    return at < json->size && json->base[at] >= '0' && json->base[at] <= '9';
}

static bool is_byte(const slm_json *json, size_t at, uint8_t byte)
{
    return at < json->size && json->base[at] == byte;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* number = [-] (0 | 1-9 digits) [. digits] [e [+-] digits] */
static slm_status read_number(slm_json *json, slm_error *err)
{
    size_t at = json->pos;
    at += is_byte(json, at, '-');
    if (!is_digit(json, at))
        return bad(json, at, "a digit", err);
    if (is_byte(json, at, '0'))
        at++;
    else
        while (is_digit(json, at))
            at++;
    if (is_byte(json, at, '.')) {
        if (!is_digit(json, ++at))
            return bad(json, at, "a digit", err);
        while (is_digit(json, at))
            at++;
    }
    if (is_byte(json, at, 'e') || is_byte(json, at, 'E')) {
        at++;
        at += is_byte(json, at, '+') || is_byte(json, at, '-');
        if (!is_digit(json, at))
            return bad(json, at, "a digit", err);
        while (is_digit(json, at))
            at++;
    }
    json->kind = SLM_JSON_NUMBER;
    json->text = json->pos;
    json->text_len = at - json->pos;
    json->pos = at;
    return SLM_OK;
}

/* From the opening quote to behind the closing one. Escapes are checked for their form, surrogates when the string is taken. */
static slm_status read_string(slm_json *json, slm_error *err)
{
    size_t at = json->pos + 1;
    json->escaped = false;
    json->text = at;
    while (at < json->size && json->base[at] != '"') {
        if (json->base[at] < 0x20)
            return bad(json, at, "a character of a string", err);
        if (json->base[at] != '\\') {
            at++;
            continue;
        }
        json->escaped = true;
        if (++at >= json->size || !json->base[at] || !strchr("\"\\/bfnrtu", json->base[at]))
            return bad(json, at, "one of \"\\/bfnrtu", err);
        if (json->base[at++] == 'u')
            for (int i = 0; i < 4; i++, at++)
                if (at >= json->size || hex_digit(json->base[at]) < 0)
                    return bad(json, at, "a hexadecimal digit", err);
    }
    if (at >= json->size)
        return bad(json, at, "the end of a string", err);
    json->text_len = at - json->text;
    json->pos = at + 1;
    return SLM_OK;
}

static slm_status read_word(slm_json *json, const char *word, slm_json_kind kind, slm_error *err)
{
    for (size_t i = 0; word[i]; i++)
        if (!is_byte(json, json->pos + i, (uint8_t)word[i]))
            return bad(json, json->pos + i, word, err);
    json->pos += strlen(word);
    json->kind = kind;
    return SLM_OK;
}

static slm_status open_level(slm_json *json, uint8_t bracket, slm_error *err)
{
    if (json->depth == SLM_LIMIT_JSON_DEPTH) {
        json->expect = FAILED;
        return slm_fail_at(err, SLM_E_LIMIT, json->pos, "%s: JSON: more than %d levels", json->name, SLM_LIMIT_JSON_DEPTH);
    }
    json->stack[json->depth++] = bracket;
    json->pos++;
    json->kind = bracket == '{' ? SLM_JSON_OBJECT : SLM_JSON_ARRAY;
    json->expect = bracket == '{' ? FIRST_KEY : FIRST_VALUE;
    return SLM_OK;
}

static slm_status close_level(slm_json *json)
{
    json->kind = json->stack[--json->depth] == '{' ? SLM_JSON_OBJECT_END : SLM_JSON_ARRAY_END;
    json->pos++;
    after_value(json);
    return SLM_OK;
}

static slm_status read_value(slm_json *json, const char *wanted, slm_error *err)
{
    slm_status status;
    if (json->pos >= json->size)
        return bad(json, json->pos, wanted, err);
    switch (json->base[json->pos]) {
    case '{': case '[':
        return open_level(json, json->base[json->pos], err);
    case '"':
        status = read_string(json, err);
        if (!status)
            json->kind = SLM_JSON_STRING;
        break;
    case 'n': status = read_word(json, "null", SLM_JSON_NULL, err); break;
    case 't': status = read_word(json, "true", SLM_JSON_TRUE, err); break;
    case 'f': status = read_word(json, "false", SLM_JSON_FALSE, err); break;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        status = read_number(json, err);
        break;
    default:
        return bad(json, json->pos, wanted, err);
    }
    if (!status)
        after_value(json);
    return status;
}

static slm_status read_key(slm_json *json, const char *wanted, slm_error *err)
{
    if (!is_byte(json, json->pos, '"'))
        return bad(json, json->pos, wanted, err);
    slm_status status = read_string(json, err);
    if (!status) {
        json->kind = SLM_JSON_KEY;
        json->expect = COLON;
    }
    return status;
}

slm_status slm_json_next(slm_json *json, slm_error *err)
{
    json->text = json->text_len = 0;
    json->escaped = false;
    if (json->expect == FAILED)
        return slm_fail_at(err, SLM_E_FORMAT, json->pos, "%s: JSON: broken before here", json->name);
    skip_space(json);
    if (json->expect == COMMA) {
        const bool object = json->stack[json->depth - 1] == '{';
        if (is_byte(json, json->pos, object ? '}' : ']'))
            return close_level(json);
        if (!is_byte(json, json->pos, ','))
            return bad(json, json->pos, object ? "',' or '}'" : "',' or ']'", err);
        json->pos++;
        json->expect = object ? KEY : VALUE;
        skip_space(json);
    } else if (json->expect == COLON) {
        if (!is_byte(json, json->pos, ':'))
            return bad(json, json->pos, "':'", err);
        json->pos++;
        json->expect = VALUE;
        skip_space(json);
    }
    switch (json->expect) {
    case FIRST_VALUE:
        if (is_byte(json, json->pos, ']'))
            return close_level(json);
        return read_value(json, "a value or ']'", err);
    case FIRST_KEY:
        if (is_byte(json, json->pos, '}'))
            return close_level(json);
        return read_key(json, "a key or '}'", err);
    case KEY:
        return read_key(json, "a key", err);
    case DONE:
        if (json->pos < json->size)
            return bad(json, json->pos, "the end", err);
        json->kind = SLM_JSON_END;
        return SLM_OK;
    default:
        return read_value(json, "a value", err);
    }
}

slm_status slm_json_skip(slm_json *json, slm_error *err)
{
    slm_status status = SLM_OK;
    if (json->kind == SLM_JSON_KEY)
        status = slm_json_next(json, err);
    if (status || (json->kind != SLM_JSON_OBJECT && json->kind != SLM_JSON_ARRAY))
        return status;
    const size_t outside = json->depth - 1;
    while (!status && json->depth > outside)
        status = slm_json_next(json, err);
    return status;
}

slm_status slm_json_fields(slm_json *json, const char *const *names, slm_json *values, size_t n, slm_error *err)
{
    slm_status status = SLM_OK;
    for (size_t i = 0; i < n; i++) {
        values[i] = *json;              /* what is missing is missing here: messages about it have a file and a place */
        values[i].kind = SLM_JSON_END;
    }
    if (json->kind != SLM_JSON_OBJECT)
        return slm_fail_at(err, SLM_E_FORMAT, json->pos, "%s: JSON: no object before byte %zu", json->name, json->pos);
    while (!(status = slm_json_next(json, err)) && json->kind == SLM_JSON_KEY) {
        size_t i = 0;
        while (i < n && !slm_json_is(json, names[i]))
            i++;
        if (i < n && values[i].kind != SLM_JSON_END)
            return slm_fail_at(err, SLM_E_FORMAT, json->pos, "%s: JSON: key '%s' stands twice, before byte %zu", json->name, names[i], json->pos);
        if ((status = slm_json_next(json, err)))
            return status;
        if (i < n)
            values[i] = *json;
        if ((status = slm_json_skip(json, err)))
            return status;
    }
    return status;
}

/* ---- strings --------------------------------------------------------------------------------------------------------------- */

static uint32_t hex4(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)hex_digit(p[i]);     /* the reader has seen that they are digits */
    return v;
}

/* The escape at *at (a backslash) as UTF-8; 0 for a lone surrogate, with *at still on it. */
static size_t unescape(const uint8_t *text, size_t n, size_t *at, uint8_t out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const size_t start = *at;
    if (text[start + 1] != 'u') {
        out[0] = (uint8_t)to[strchr(from, text[start + 1]) - from];
        *at += 2;
        return 1;
    }
    uint32_t point = hex4(text + start + 2);
    size_t used = 6;
    if (point >= 0xd800 && point <= 0xdfff) {
        if (point >= 0xdc00 || n - start < 12 || text[start + 6] != '\\' || text[start + 7] != 'u')
            return 0;
        const uint32_t low = hex4(text + start + 8);
        if (low < 0xdc00 || low > 0xdfff)
            return 0;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        used = 12;
    }
    *at += used;
    return utf8_put(out, point);
}

static bool has_text(const slm_json *json)
{
    return json->kind == SLM_JSON_STRING || json->kind == SLM_JSON_KEY;
}

slm_status slm_json_string(const slm_json *json, slm_buf *buf, slm_error *err)
{
    const uint8_t *text = json->base + json->text;
    const size_t before = buf->size;
    uint8_t bytes[4];
    if (!has_text(json))
        return slm_fail_at(err, SLM_E_FORMAT, json->pos, "%s: JSON: a value that is no string", json->name);
    if (!json->escaped)
        slm_buf_add(buf, text, json->text_len);
    for (size_t at = 0; json->escaped && at < json->text_len;) {
        if (text[at] != '\\') {
            const uint8_t *next = memchr(text + at, '\\', json->text_len - at);
            const size_t plain = next ? (size_t)(next - (text + at)) : json->text_len - at;
            slm_buf_add(buf, text + at, plain);
            at += plain;
            continue;
        }
        const size_t n = unescape(text, json->text_len, &at, bytes);
        if (!n) {
            buf->size = before;
            return slm_fail_at(err, SLM_E_FORMAT, json->text + at, "%s: JSON: lone surrogate \\u%.4s", json->name,
                               (const char *)text + at + 2);
        }
        slm_buf_add(buf, bytes, n);
    }
    if (buf->failed)
        buf->size = before;
    return slm_buf_status(buf, json->name, err);
}

/* Escapes count as what they stand for: "n\u0061me" is the key name. */
bool slm_json_is(const slm_json *json, const char *text)
{
    const uint8_t *own = json->base + json->text;
    const size_t want = strlen(text);
    uint8_t bytes[4];
    if (!has_text(json))
        return false;
    if (!json->escaped)
        return json->text_len == want && memcmp(own, text, want) == 0;
    size_t seen = 0;
    for (size_t at = 0; at < json->text_len;) {
        size_t n = 1;
        bytes[0] = own[at];
        if (own[at] == '\\')
            n = unescape(own, json->text_len, &at, bytes);
        else
            at++;
        if (!n || n > want - seen || memcmp(bytes, text + seen, n) != 0)
            return false;
        seen += n;
    }
    return seen == want;
}

/* ---- numbers --------------------------------------------------------------------------------------------------------------- */

slm_status slm_json_u64(const slm_json *json, uint64_t *value, slm_error *err)
{
    const uint8_t *text = json->base + json->text;
    char shown[SLM_SHOWN];
    uint64_t v = 0;
    if (json->kind != SLM_JSON_NUMBER)
        return slm_fail_at(err, SLM_E_FORMAT, json->pos, "%s: JSON: a value that is no number", json->name);
    for (size_t i = 0; i < json->text_len; i++) {
        if (text[i] < '0' || text[i] > '9' || !slm_u64_mul(v, 10, &v) || !slm_u64_add(v, (uint64_t)(text[i] - '0'), &v))
            return slm_fail_at(err, SLM_E_FORMAT, json->text, "%s: JSON: %s is no integer (allowed 0 .. 18446744073709551615)",
                               json->name, slm_shown(shown, text, json->text_len));
    }
    *value = v;
    return SLM_OK;
}

/* A decimal number: digits[0 .. count-1] x 10^exponent, without leading or trailing zeros; count 0 is zero.
 * 767 digits tell every halfway case of two doubles apart; of the digits after the 800th only whether one is not 0 matters, and a
 * final 1 says so. */
enum { DIGITS = 800 };
typedef struct decimal {
    uint8_t digits[DIGITS + 1];
    size_t count;
    int64_t exponent;
    bool negative;
} decimal;

static void read_decimal(decimal *d, const uint8_t *text, size_t n)
{
    size_t at = 0, zeros = 0;           /* zeros: seen since the last other digit; they count only if another one follows */
    int64_t exponent = 0;
    bool fraction = false, more = false, down = false;
    d->count = 0;
    d->exponent = 0;
    d->negative = text[0] == '-';
    for (at += d->negative; at < n && (text[at] | 0x20) != 'e'; at++) {
        if (text[at] == '.') {
            fraction = true;
            continue;
        }
        d->exponent -= fraction;
        if (text[at] == '0') {
            zeros += d->count != 0;
            continue;
        }
        while (zeros && d->count < DIGITS) {
            d->digits[d->count++] = 0;
            zeros--;
        }
        if (d->count < DIGITS) {
            d->digits[d->count++] = (uint8_t)(text[at] - '0');
        } else {
            d->exponent += (int64_t)zeros + 1;
            zeros = 0;
            more = true;
        }
    }
    d->exponent += (int64_t)zeros;
    if (at < n)
        at++;
    if (at < n && (text[at] == '-' || text[at] == '+'))
        down = text[at++] == '-';
    for (; at < n; at++)
        if (exponent < 1000000000)      /* beyond any that matters, far from overflow: the text has at most 2^27 digits */
            exponent = exponent * 10 + (text[at] - '0');
    d->exponent += down ? -exponent : exponent;
    if (more) {
        d->digits[d->count++] = 1;
        d->exponent--;
    }
}

/* The double nearest to q x 2^e, ties to even; q has its top bit set; `sticky`: the true value is a little more. False: too large. */
static bool round_bits(uint64_t q, int64_t e, bool sticky, uint64_t *bits)
{
    const int64_t top = e + 63;                            /* the exponent of the value's first bit */
    const int64_t drop = top < -1022 ? 11 + (-1022 - top) : 11;
    if (top > 1023)
        return false;
    if (drop > 64) {                                       /* under half of the smallest double */
        *bits = 0;
        return true;
    }
    const uint64_t kept = drop == 64 ? 0 : q >> drop;
    const uint64_t rest = drop == 64 ? q : q & ((UINT64_C(1) << drop) - 1);
    const uint64_t half = UINT64_C(1) << (drop - 1);
    const bool up = rest > half || (rest == half && (sticky || (kept & 1)));
    *bits = (top < -1022 ? kept : ((uint64_t)(top + 1022) << 52) + kept) + up;   /* kept's own first bit adds the last 1 */
    return *bits < UINT64_C(0x7ff) << 52;
}

__extension__ typedef unsigned __int128 u128;

/* v x 2^e, v not 0. */
static bool round_u128(u128 v, int64_t e, bool sticky, uint64_t *bits)
{
    const uint64_t high = (uint64_t)(v >> 64);
    const int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)v);
    v <<= shift;
    return round_bits((uint64_t)(v >> 64), e - shift + 64, sticky || (uint64_t)v != 0, bits);
}

/* At most 19 digits and a power of ten up to 19: all in 128 bits. */
static bool small_to_bits(const decimal *d, uint64_t *bits)
{
    uint64_t w = 0, power = 1;
    for (size_t i = 0; i < d->count; i++)
        w = w * 10 + d->digits[i];
    for (int64_t i = d->exponent < 0 ? -d->exponent : d->exponent; i > 0; i--)
        power *= 10;
    if (d->exponent >= 0)
        return round_u128((u128)w * power, 0, false, bits);
    const int shift = __builtin_clzll(w);                  /* w < 2^64, normalised: the quotient keeps at least 64 bits */
    const u128 scaled = (u128)(w << shift) << 64;
    return round_u128(scaled / power, -64 - shift, scaled % power != 0, bits);
}

/* Big natural numbers, least limb first. The largest that arises: 801 digits are 2,661 bits and 5^1128 is 2,620 bits; either is
 * shifted up to the length of the other, and one bit more while dividing: 64 limbs of 64 bits are plenty. */
enum { LIMBS = 64 };
typedef struct big {
    uint64_t limb[LIMBS];
    size_t n;                           /* limbs in use; the last one is not 0 */
} big;

static void big_mul_add(big *b, uint64_t factor, uint64_t add)
{
    u128 carry = add;
    for (size_t i = 0; i < b->n; i++) {
        carry += (u128)b->limb[i] * factor;
        b->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry)
        b->limb[b->n++] = (uint64_t)carry;
}

static void big_mul_pow5(big *b, int64_t power)
{
    const uint64_t five_27 = UINT64_C(7450580596923828125);
    for (; power >= 27; power -= 27)
        big_mul_add(b, five_27, 0);
    uint64_t rest = 1;
    for (; power > 0; power--)
        rest *= 5;
    big_mul_add(b, rest, 0);
}

static int64_t big_bits(const big *b)
{
    return (int64_t)b->n * 64 - __builtin_clzll(b->limb[b->n - 1]);
}

static void big_shift(big *b, int64_t by)
{
    const size_t limbs = (size_t)by / 64, bits = (size_t)by % 64;
    for (size_t i = b->n; i-- > 0;)
        b->limb[i + limbs] = b->limb[i];
    memset(b->limb, 0, limbs * sizeof *b->limb);
    b->n += limbs;
    if (bits)
        big_mul_add(b, UINT64_C(1) << bits, 0);
}

static int big_compare(const big *a, const big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void big_subtract(big *a, const big *b)             /* a >= b */
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < a->n; i++) {
        const uint64_t take = i < b->n ? b->limb[i] : 0;
        const uint64_t v = a->limb[i] - take - borrow;
        borrow = a->limb[i] < take || (borrow && a->limb[i] == take);
        a->limb[i] = v;
    }
    while (a->n && !a->limb[a->n - 1])
        a->n--;
}

/* Any number of digits and any power: a / b, where 10^x is 5^x times 2^x and the latter only moves the exponent. */
static bool large_to_bits(const decimal *d, uint64_t *bits)
{
    big a = { { 0 }, 0 }, b = { { 1 }, 1 };
    int64_t e = d->exponent;
    for (size_t i = 0; i < d->count; i++)
        big_mul_add(&a, 10, d->digits[i]);
    big_mul_pow5(d->exponent < 0 ? &b : &a, d->exponent < 0 ? -d->exponent : d->exponent);
    const int64_t gap = big_bits(&a) - big_bits(&b);       /* made 0 by shifting the shorter one; then b/2 < a < 2b */
    big_shift(gap < 0 ? &a : &b, gap < 0 ? -gap : gap);
    e += gap;
    if (big_compare(&a, &b) < 0) {
        big_shift(&a, 1);
        e--;
    }
    uint64_t q = 0;                                        /* the first 64 bits of a / b, the first of them 1 */
    for (int i = 0; i < 64; i++) {
        q <<= 1;
        if (big_compare(&a, &b) >= 0) {
            big_subtract(&a, &b);
            q |= 1;
        }
        big_shift(&a, 1);
    }
    return round_bits(q, e - 63, a.n != 0, bits);
}

slm_status slm_json_double(const slm_json *json, double *value, slm_error *err)
{
    char shown[SLM_SHOWN];
    decimal d;
    uint64_t bits = 0;
    bool fits = true;
    if (json->kind != SLM_JSON_NUMBER)
        return slm_fail_at(err, SLM_E_FORMAT, json->pos, "%s: JSON: a value that is no number", json->name);
    read_decimal(&d, json->base + json->text, json->text_len);
    const int64_t magnitude = (int64_t)d.count + d.exponent;       /* the value is in [10^(m-1), 10^m) */
    if (d.count && magnitude > 309)
        fits = false;
    else if (d.count && magnitude >= -323 && d.count <= 19 && d.exponent >= -19 && d.exponent <= 19)
        fits = small_to_bits(&d, &bits);
    else if (d.count && magnitude >= -323)                         /* below 10^-324 all is nearer to 0 */
        fits = large_to_bits(&d, &bits);
    if (!fits)
        return slm_fail_at(err, SLM_E_FORMAT, json->text, "%s: JSON: %s is beyond a double (allowed up to 1.797e308)", json->name,
                           slm_shown(shown, json->base + json->text, json->text_len));
    bits |= (uint64_t)d.negative << 63;
    memcpy(value, &bits, sizeof *value);
    return SLM_OK;
}
