/* fault.c -- the failure table: from curl's result, an HTTP status or a server's words to a class, and from a class to a status.
 *
 * docs/remote.md has the table for readers; fault.def has it for the code. */
#include "fault.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NEVER = SLM_TRY_NEVER, ONCE = SLM_TRY_ONCE, OFTEN = SLM_TRY_OFTEN };

const slm_fault_row *slm_fault_about(slm_class class)
{
    static const slm_fault_row rows[] = {
#define FAULT(class, status, tries, breaker) { #class, status, (slm_tries)tries, breaker },
#include "fault.def"
    };
    return &rows[class];
}

/* One printable line: what comes from a server must not move a cursor or begin a line of its own. */
static void tidy(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

void slm_fault_set(slm_fault *fault, slm_class class, int32_t code, const char *format, ...)
{
    va_list args;
    if (fault->class != SLM_CLASS_NONE)
        return;
    fault->class = class;
    fault->code = code;
    va_start(args, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    tidy(fault->text);
}

void slm_fault_clock(slm_fault *fault)
{
    slm_fault_set(fault, SLM_CLASS_CLOCK, errno, "clock_gettime: errno %d", errno);
}

static void put_error(slm_error *err, slm_status status, int32_t code)
{
    err->status = status;
    err->code = code;
    err->offset = UINT64_MAX;
}

slm_status slm_fault_give(const slm_fault *fault, const char *host, slm_error *err)
{
    const slm_fault_row *row = slm_fault_about(fault->class);
    if (err) {
        put_error(err, row->status, fault->code);
        (void)snprintf(err->text, sizeof err->text, "%.128s: %s: %s", host, row->name, fault->text);
    }
    return row->status;
}

slm_status slm_remote_fail(slm_error *err, slm_status status, const char *format, ...)
{
    va_list args;
    if (err) {
        put_error(err, status, 0);
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        tidy(err->text);
    }
    return status;
}

void slm_fault_of_curl(slm_fault *fault, int result, long proxy_status, bool connected, bool bytes, const char *text)
{
    static const struct { int result; slm_class class; } rows[] = {
        { CURLE_COULDNT_RESOLVE_HOST, SLM_CLASS_NET_RESOLVE }, { CURLE_COULDNT_RESOLVE_PROXY, SLM_CLASS_NET_PROXY },
        { CURLE_PROXY, SLM_CLASS_NET_PROXY },
        { CURLE_COULDNT_CONNECT, SLM_CLASS_NET_CONNECT },       { CURLE_INTERFACE_FAILED, SLM_CLASS_NET_CONNECT },
        { CURLE_PEER_FAILED_VERIFICATION, SLM_CLASS_TLS_VERIFY }, { CURLE_SSL_CACERT_BADFILE, SLM_CLASS_TLS_VERIFY },
        { CURLE_SSL_ISSUER_ERROR, SLM_CLASS_TLS_VERIFY },       { CURLE_SSL_PINNEDPUBKEYNOTMATCH, SLM_CLASS_TLS_VERIFY },
        { CURLE_SSL_INVALIDCERTSTATUS, SLM_CLASS_TLS_VERIFY },  { CURLE_SSL_CONNECT_ERROR, SLM_CLASS_TLS },
        { CURLE_SSL_CIPHER, SLM_CLASS_TLS },                    { CURLE_SSL_CERTPROBLEM, SLM_CLASS_TLS },
        { CURLE_SSL_ENGINE_INITFAILED, SLM_CLASS_TLS },         { CURLE_USE_SSL_FAILED, SLM_CLASS_TLS },
        { CURLE_OPERATION_TIMEDOUT, SLM_CLASS_TIMEOUT_CONNECT }, { CURLE_PARTIAL_FILE, SLM_CLASS_TRUNCATED },
        { CURLE_GOT_NOTHING, SLM_CLASS_NET_RESET },             { CURLE_SEND_ERROR, SLM_CLASS_NET_RESET },
        { CURLE_RECV_ERROR, SLM_CLASS_NET_RESET },              { CURLE_HTTP2, SLM_CLASS_NET_RESET },
        { CURLE_HTTP2_STREAM, SLM_CLASS_NET_RESET },            { 100 /* CURLE_TOO_LARGE of 8.6 */, SLM_CLASS_TOO_BIG },
        { CURLE_OUT_OF_MEMORY, SLM_CLASS_INTERNAL },
    };
    slm_class class = SLM_CLASS_PROTOCOL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].result == result)
            class = rows[i].class;
    if (class == SLM_CLASS_NET_RESET)
        class = proxy_status && proxy_status != 200 && !connected ? SLM_CLASS_NET_PROXY : bytes ? SLM_CLASS_TRUNCATED
              : connected ? SLM_CLASS_NET_RESET : SLM_CLASS_NET_CONNECT;
    if (class == SLM_CLASS_NET_PROXY && proxy_status)
        slm_fault_set(fault, class, (int32_t)proxy_status, "the proxy answered %ld", proxy_status);
    else
        slm_fault_set(fault, class, result, "%s", text && *text ? text : curl_easy_strerror((CURLcode)result));
}

static bool has(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

/* Words that decide before the status does. Servers differ in where they put them, so type, code and message are all looked at where a word
 * is unmistakable, and the message alone where it is the only one to say it. */
static slm_class by_words(long status, const char *type, const char *code, const char *message)
{
    static const struct { const char *word; slm_class class; } words[] = {
        { "insufficient_quota", SLM_CLASS_QUOTA },         { "billing", SLM_CLASS_QUOTA },
        { "spend_limit", SLM_CLASS_QUOTA },                { "context_length_exceeded", SLM_CLASS_TOO_LONG },
        { "exceed_context_size", SLM_CLASS_TOO_LONG },     { "request_too_large", SLM_CLASS_TOO_LONG },
        { "overloaded", SLM_CLASS_OVERLOAD },              { "rate_limit", SLM_CLASS_RATE },
        { "authentication", SLM_CLASS_AUTH },              { "invalid_api_key", SLM_CLASS_AUTH },
        { "permission", SLM_CLASS_FORBIDDEN },             { "not_found", SLM_CLASS_NOT_FOUND },
        { "timeout_error", SLM_CLASS_SERVER },             { "api_error", SLM_CLASS_SERVER },
        { "server_error", SLM_CLASS_SERVER },              { "conflict", SLM_CLASS_CONFLICT },
    };
    if (status == 503 && (has(message, "loading model") || has(type, "unavailable_error")))
        return SLM_CLASS_NOT_READY;
    if (status == 400 && (has(message, "context length") || has(message, "prompt is too long") || has(message, "maximum context")))
        return SLM_CLASS_TOO_LONG;
    if ((status == 400 || status == 429) && (has(message, "spend") || has(message, "usage limit") || has(message, "credit balance")))
        return SLM_CLASS_QUOTA;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has(type, words[i].word) || has(code, words[i].word))
            return words[i].class;
    return SLM_CLASS_NONE;
}

static slm_class by_status(long status)
{
    static const struct { int status; slm_class class; } rows[] = {
        { 401, SLM_CLASS_AUTH },           { 402, SLM_CLASS_QUOTA },      { 403, SLM_CLASS_FORBIDDEN }, { 404, SLM_CLASS_NOT_FOUND },
        { 407, SLM_CLASS_NET_PROXY },      { 408, SLM_CLASS_TIMEOUT_SERVER }, { 409, SLM_CLASS_CONFLICT }, { 413, SLM_CLASS_TOO_LONG },
        { 429, SLM_CLASS_RATE },           { 501, SLM_CLASS_BAD_REQUEST }, { 529, SLM_CLASS_OVERLOAD },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return rows[i].class;
    return status >= 300 && status < 400 ? SLM_CLASS_PROTOCOL_REDIRECT : status >= 400 && status < 500 ? SLM_CLASS_BAD_REQUEST
         : SLM_CLASS_SERVER;
}

/* The number an error stands for when it comes in a body or a stream of status 200. */
static long code_number(const char *code)
{
    long n = 0;
    for (size_t i = 0; code[i]; i++) {
        if (code[i] < '0' || code[i] > '9' || i == 3)
            return 0;
        n = n * 10 + code[i] - '0';
    }
    return n >= 400 ? n : 0;
}

void slm_fault_of_http(slm_fault *fault, long status, const char *type, const char *code, const char *message)
{
    const long said = status == 200 ? code_number(code) : status;
    slm_class class = by_words(said, type, code, message);
    const bool over = class == SLM_CLASS_QUOTA || class == SLM_CLASS_TOO_LONG || class == SLM_CLASS_OVERLOAD || class == SLM_CLASS_NOT_READY;
    if (said && (!over || said == 401 || said == 403 || said == 404))   /* a number outweighs all words but these */
        class = by_status(said);
    if (class == SLM_CLASS_NONE)
        class = has(type, "invalid_request") ? SLM_CLASS_BAD_REQUEST : SLM_CLASS_SERVER;
    slm_fault_set(fault, class, (int32_t)(said ? said : status), "HTTP %ld%s%.64s%s%.40s%s%.160s", status, *type ? ", " : "", type, *code ? ", " : "", code,
                  *message ? ": " : "", message);
}
