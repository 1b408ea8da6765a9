/* call.c -- one request from beginning to end.
 *
 * The body is built once, shown to the caller's inspection, and these same bytes go to curl for every try. A try is a flight, or two of them
 * where hedging is asked for; its money is reserved before and settled after. Once text was handed out nothing is tried again. Text of an answer
 * that is to be checked as a whole (a choice, a schema) is handed out after the check. */
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct call {
    slm_remote  *r;
    const slm_request *q;
    slm_job      job;
    char        *body;              /* [n] */
    size_t       n;
    slm_line    *line;
    slm_flight   flights[SLM_FLIGHTS];
    uint64_t     reserved[SLM_FLIGHTS];
    slm_flight  *winner;            /* whose text is handed out */
    slm_fault    fault;
    slm_retry    retry;
    uint64_t     ends_ms;
    bool         hold;              /* text waits for the check of the whole */
    size_t       shown;             /* bytes of text handed out */
    bool         stopped;           /* by a stop string, at `cut` bytes, or by the callback */
    uint32_t     stop;              /* SLM_STOP_STRING, SLM_STOP_CALLBACK */
    size_t       cut;
    uint32_t     tries;
    bool         left, costed, estimated;
    uint64_t     cost;
    char         note[200];
} call;

static double chance(const call *c)
{
    struct timespec t = { 0, 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t x = (uint64_t)t.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)c ^ (uint64_t)t.tv_sec;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* All is to be over in `ms`. */
static void start_clock(call *c, uint32_t ms)
{
    const uint64_t now = slm_retry_now_ms();
    if (!now)
        slm_fault_clock(&c->fault);
    c->ends_ms = now + ms;
}

/* ---- the body ---- */

/* {"type":"object","properties":{"label":{"type":"string","enum":[...]}},"required":["label"],"additionalProperties":false} */
static json_t *labels_schema(const slm_request *q, slm_fault *fault)
{
    json_t *list = json_array();
    for (size_t i = 0; i < q->n_labels; i++)
        slm_wire_push(list, slm_wire_string("label", q->labels[i], strlen(q->labels[i]), fault), fault);
    return json_pack("{s:s, s:{s:{s:s, s:o}}, s:[s], s:b}", "type", "object", "properties", "label", "type", "string", "enum", list, "required",
                     "label", "additionalProperties", 0);
}

/* Does the library know all of the schema? Asked before it costs anything. */
static void check_schema(const slm_request *q, slm_fault *fault)
{
    slm_error err = { 0 };
    const slm_status status = slm_schema_check(q->schema, q->schema_len, "null", 4, &err);
    if (status && status != SLM_E_MISMATCH)
        slm_fault_set(fault, status == SLM_E_UNSUPPORTED ? SLM_CLASS_UNSUPPORTED : status == SLM_E_MEMORY ? SLM_CLASS_INTERNAL
                      : SLM_CLASS_BAD_ARGUMENT, 0, "request: %.250s", err.text);
}

static void read_tools(call *c)
{
    json_t *tool, *list = slm_wire_caller_json("request: tools", c->q->tools, c->q->tools_len, &c->fault);
    size_t i;
    if (list && !json_is_array(list))
        slm_fault_set(&c->fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: tools: no array");
    json_array_foreach(list, i, tool)
        if (!*slm_scan_text(json_object_get(tool, "function"), "name"))
            slm_fault_set(&c->fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: tool %zu has no name", i);
    c->job.tools = list;
}

static void build(call *c)
{
    const slm_remote *r = c->r;
    const slm_request *q = c->q;
    const bool choose = q->task == SLM_TASK_CHOOSE;
    c->job = (slm_job){ .server = r->server, .model = r->model, .system = r->system, .request = q, .strict = choose,
                        .stream = !choose && !(r->p.flags & SLM_REMOTE_PLAIN), .sampling = !(r->p.flags & SLM_REMOTE_NO_SAMPLING),
                        .max_tokens = q->max_tokens ? q->max_tokens : r->p.max_tokens,
                        .top_logprobs = r->p.flags & SLM_REMOTE_LOGPROBS ? r->p.top_logprobs : 0 };
    c->hold = choose || q->schema;
    if (choose) {
        c->job.schema = labels_schema(q, &c->fault);
    } else if (q->schema) {
        check_schema(q, &c->fault);
        c->job.schema = slm_wire_caller_json("request: schema", q->schema, q->schema_len, &c->fault);
    }
    if (q->tools)
        read_tools(c);
    if (q->regex)
        slm_fault_set(&c->fault, SLM_CLASS_UNSUPPORTED, 0, "request: regex: no server keeps to one");
    json_t *body = c->fault.class == SLM_CLASS_NONE ? r->server->wire->build(&c->job, &c->fault) : NULL;
    if (body) {
        c->body = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));      /* 0.7, and not 0.69999999999999996 */
        c->n = c->body ? strlen(c->body) : 0;
        if (!c->body)
            slm_fault_set(&c->fault, SLM_CLASS_INTERNAL, 0, "no memory for the request");
    }
    json_decref(body);
    if (c->body && r->p.inspect && r->p.inspect(r->p.inspect_user, c->body, c->n) != 0)
        slm_fault_set(&c->fault, SLM_CLASS_POLICY, 0, "the inspection of its %zu bytes holds the request back", c->n);
}

/* ---- money ---- */

/* No tokenizer makes more tokens than there are bytes; a turn has some of its own. */
static slm_usage at_most(const call *c)
{
    return (slm_usage){ .prompt = c->n + 16 * (c->q->n_messages + 2) + 64, .output = c->job.max_tokens };
}

static void reserve(call *c, size_t i)
{
    const slm_usage most = at_most(c);
    slm_error err = { 0 };
    c->reserved[i] = 0;
    if (!c->r->p.budget)
        return;
    const slm_status status = slm_budget_reserve(c->r->p.budget, c->r->model, &most, &c->reserved[i], &err);
    if (status)
        slm_fault_set(&c->fault, status == SLM_E_BUDGET ? SLM_CLASS_BUDGET : status == SLM_E_STATE ? SLM_CLASS_STATE : SLM_CLASS_INTERNAL, 0,
                      "%.250s", err.text);
    else
        c->costed = true;
}

/* What the server says it used; false if it does not say, or nothing possible. */
static bool known_usage(const slm_answer *a, slm_usage *u)
{
    *u = (slm_usage){ a->prompt > 0 ? (uint64_t)a->prompt : 0, a->cached > 0 ? (uint64_t)a->cached : 0,
                      a->cache_write > 0 ? (uint64_t)a->cache_write : 0, a->output > 0 ? (uint64_t)a->output : 0 };
    return a->prompt >= 0 && a->output >= 0 && !a->odd && u->cached <= u->prompt && u->cache_write <= u->prompt - u->cached;
}

/* Was a flight that did not hold billed? Errors without an answer are not. */
static bool may_be_billed(slm_flight *f)
{
    return slm_flight_left(f) && f->status < 300 && !(slm_fault_about(f->fault.class)->status == SLM_E_REMOTE && !f->answer.text.size);
}

static void settle(call *c, size_t i, bool holds)
{
    slm_flight *f = &c->flights[i];
    slm_usage u = { 0 };
    uint64_t spent = 0;
    const bool known = known_usage(&f->answer, &u);
    if (!known && holds && c->stopped) {            /* ended here: what was read, and what may have been under way */
        u = at_most(c);
        u.output = f->answer.text.size + 64 < u.output ? f->answer.text.size + 64 : u.output;
    }
    if (!known && (f->fault.class == SLM_CLASS_NONE || may_be_billed(f)))
        c->estimated |= holds;
    if (!c->r->p.budget)
        return;
    if ((!known && !holds && !may_be_billed(f)) || (holds && f->fault.class != SLM_CLASS_NONE && !may_be_billed(f)))
        spent = 0;
    else if (!(known && f->answer.finished) && !(holds && c->stopped))
        spent = c->reserved[i];
    else if (slm_budget_cost(c->r->p.budget, f->answer.model, &u, &spent, NULL) && slm_budget_cost(c->r->p.budget, c->r->model, &u, &spent, NULL))
        spent = c->reserved[i];
    (void)slm_budget_settle(c->r->p.budget, c->reserved[i], spent, NULL);
    (void)atomic_fetch_add(&c->r->counts.spent, spent);
    c->reserved[i] = 0;
    c->cost += spent;
}

/* ---- text on its way ---- */

/* The first stop string at or after `from`; *safe: how far the text goes before anything that may yet become one. */
static bool find_stop(const slm_request *q, const char *text, size_t n, size_t from, size_t *safe)
{
    size_t found = n, begins = n;
    for (uint32_t i = 0; i < q->n_stops; i++) {
        const size_t m = strlen(q->stops[i]);
        const char *at = memmem(text + from, n - from, q->stops[i], m);
        if (at && (size_t)(at - text) < found)
            found = (size_t)(at - text);
        for (size_t k = n - from < m - 1 ? n - from : m - 1; k > 0; k--)
            if (memcmp(text + n - k, q->stops[i], k) == 0) {
                begins = n - k < begins ? n - k : begins;
                break;
            }
    }
    *safe = found < n ? found : begins;
    return found < n;
}

/* Hands out what is sure of the winner's text; `all`: nothing more will come. */
static void show(call *c, bool all)
{
    const slm_bytes *text = &c->winner->answer.text;
    size_t safe = text->size;
    if (c->stopped)
        return;
    if (find_stop(c->q, slm_bytes_text(text), text->size, c->shown, &safe)) {
        c->stopped = true;
        c->stop = SLM_STOP_STRING;
        c->cut = safe;
    } else if (all) {
        safe = text->size;
    }
    if (safe <= c->shown || (c->hold && !all))
        return;
    const size_t from = c->shown;
    c->shown = safe;
    if (c->q->text && c->q->text(c->q->user, text->data + from, safe - from) && !c->stopped) {
        c->stopped = true;
        c->stop = SLM_STOP_CALLBACK;
        c->cut = safe;
    }
}

/* ---- tries ---- */

static void get_key(call *c)
{
    const slm_engine_remote_params *p = &c->r->p;
    slm_secret *s = &c->line->secret;
    s->n = 0;
    if (!p->key)
        return;
    const ptrdiff_t n = p->key(p->key_user, s->key, SLM_SECRET_KEY);
    if (n < 0) {
        slm_fault_set(&c->fault, SLM_CLASS_CALLBACK, 0, "the callback of the key says %td", n);
        return;
    }
    bool odd = n > SLM_SECRET_KEY;
    for (ptrdiff_t i = 0; !odd && i < n; i++)
        odd = s->key[i] <= 0x20 || s->key[i] > 0x7e;
    if (odd) {                                      /* nothing of it is said */
        slm_fault_set(&c->fault, SLM_CLASS_BAD_ARGUMENT, 0, "the key has a byte that may not be in a header, or more than %d bytes", SLM_SECRET_KEY);
        return;
    }
    s->n = (size_t)n;
    slm_secret_head(s, c->r->server->wire->key);
}

static void begin(call *c, size_t i)
{
    reserve(c, i);
    if (c->fault.class != SLM_CLASS_NONE)
        return;
    c->tries++;
    slm_flight_begin(&c->flights[i], c->r, c->line, i, c->r->server->wire, c->r->server->wire->path, c->body, c->n, !c->job.stream);
    c->flights[i].ends_ms = c->ends_ms;
    c->flights[i].cancel = c->q->cancel;
}

static bool in_air(const slm_flight *f)
{
    return f->remote && !f->done && f->fault.class == SLM_CLASS_NONE;
}

static void take_results(call *c)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(c->line->multi, &left)) != NULL) {
        slm_flight *f = NULL;
        if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f) == CURLE_OK && f && !f->done)
            slm_flight_done(f, m->data.result);
    }
}

/* The flight that says something first wins, and the other one ends. */
static void choose_winner(call *c)
{
    const bool two = c->flights[1].remote != NULL;
    for (size_t i = 0; !c->winner && i < SLM_FLIGHTS; i++) {
        slm_flight *f = &c->flights[i];
        if (!f->remote || f->fault.class != SLM_CLASS_NONE)
            continue;
        if (!c->r->p.hedge_ms || f->done || f->answer.events)
            c->winner = f;
    }
    if (!c->winner || !two)
        return;
    slm_flight *other = &c->flights[c->winner == c->flights];
    if (in_air(other))
        slm_fault_set(&other->fault, SLM_CLASS_TIMEOUT_FIRST, 0, "the other of two was faster");
}

/* One round of looking after: results, text, clocks, the caller's wish to stop. True while there is something to wait for. */
static bool look_after(call *c, uint64_t *wait)
{
    const uint64_t now = slm_retry_now_ms();
    take_results(c);
    *wait = now < c->ends_ms ? c->ends_ms - now : 0;
    bool flying = false;
    for (size_t i = 0; i < SLM_FLIGHTS; i++)
        if (in_air(&c->flights[i])) {
            const uint64_t next = slm_flight_clock(&c->flights[i], now);
            *wait = next < *wait ? next : *wait;
        }
    choose_winner(c);
    if (c->winner)
        show(c, c->winner->done && c->winner->fault.class == SLM_CLASS_NONE && !c->hold);
    for (size_t i = 0; i < SLM_FLIGHTS; i++)
        flying |= in_air(&c->flights[i]) && !(c->winner && c->winner != &c->flights[i]);
    if (!flying || c->stopped)
        return false;
    if (slm_cancel_is_set(c->q->cancel))
        slm_fault_set(&c->fault, SLM_CLASS_CANCELLED, 0, "cancelled by the caller");
    else if (!now)
        slm_fault_clock(&c->fault);
    else if (now >= c->ends_ms)
        slm_fault_set(&c->fault, SLM_CLASS_TIMEOUT_TOTAL, 0, "the time is over");
    return c->fault.class == SLM_CLASS_NONE;
}

static void hedge(call *c, uint64_t now, uint64_t *wait)
{
    const uint32_t after = c->r->p.hedge_ms;
    if (!after || c->flights[1].remote || c->flights[0].got_headers || !in_air(&c->flights[0]))
        return;
    const uint64_t at = c->flights[0].begun_ms + after;
    if (now < at) {
        *wait = at - now < *wait ? at - now : *wait;
        return;
    }
    begin(c, 1);
    if (c->flights[1].remote)
        (void)atomic_fetch_add(&c->r->counts.hedges, 1);
    else if (c->fault.class == SLM_CLASS_BUDGET)
        c->fault.class = SLM_CLASS_NONE;            /* no money for a second one: the first goes on */
    *wait = 0;
}

static void drive(call *c)
{
    int running = 0;
    uint64_t wait;
    for (;;) {
        const CURLMcode code = curl_multi_perform(c->line->multi, &running);
        if (code != CURLM_OK) {
            slm_fault_set(&c->fault, SLM_CLASS_INTERNAL, (int32_t)code, "%s", curl_multi_strerror(code));
            return;
        }
        if (!look_after(c, &wait))
            return;
        hedge(c, slm_retry_now_ms(), &wait);
        const uint64_t most = c->q->cancel && wait > SLM_TICK_MS ? SLM_TICK_MS : wait < 1000 ? wait : 1000;
        (void)curl_multi_poll(c->line->multi, NULL, 0, (int)most, NULL);
    }
}

static void report(const call *c, const slm_flight *f)
{
    const slm_fault *fault = c->fault.class != SLM_CLASS_NONE ? &c->fault : &f->fault;
    slm_remote_say(c->r, fault->class == SLM_CLASS_NONE ? 2 : 1, "%s %s%s%s: status %ld, %s, %zu bytes sent, %llu received, %llu ms",
                   f->wire ? "POST" : "GET", c->r->url.host, c->r->url.path, f->wire ? f->wire->path : "/models", f->status,
                   fault->class == SLM_CLASS_NONE ? "ok" : slm_fault_about(fault->class)->name,
                   c->n, (unsigned long long)f->received, (unsigned long long)(slm_retry_now_ms() - f->begun_ms));
}

/* One try. The flight that holds, or whose fault counts, is the result; it stays until end_flights. */
static slm_flight *one_try(call *c)
{
    slm_flight *f = &c->flights[0];
    get_key(c);
    if (c->fault.class == SLM_CLASS_NONE)
        begin(c, 0);
    if (c->fault.class == SLM_CLASS_NONE)
        drive(c);
    if (c->winner)
        f = c->winner;
    else if (c->flights[1].remote && f->fault.class == SLM_CLASS_NONE)
        f = &c->flights[1];
    for (size_t i = 0; i < SLM_FLIGHTS; i++)
        if (c->flights[i].remote) {
            c->left |= slm_flight_left(&c->flights[i]);
            settle(c, i, &c->flights[i] == f);
        }
    if (f->remote)
        report(c, f);
    if (f->remote && c->fault.class == SLM_CLASS_NONE && !c->stopped)
        c->fault = f->fault;
    if (c->shown && slm_fault_about(c->fault.class)->status == SLM_E_REMOTE)
        c->fault.class = SLM_CLASS_STREAM_ERROR;    /* a server's error in the midst of a text that is out */
    return f;
}

static void end_flights(call *c)
{
    for (size_t i = 0; i < SLM_FLIGHTS; i++)
        slm_flight_end(&c->flights[i]);
    slm_secret_wipe(&c->line->secret);
    c->winner = NULL;
}

/* Sleeps, looking at the flag. */
static void pause_ms(call *c, uint64_t length)
{
    const uint64_t until = slm_retry_now_ms() + length;
    for (uint64_t now; (now = slm_retry_now_ms()) != 0 && now < until && c->fault.class == SLM_CLASS_NONE;) {
        const uint64_t step = c->q->cancel && until - now > SLM_TICK_MS ? SLM_TICK_MS : until - now;
        const struct timespec t = { (time_t)(step / 1000), (long)(step % 1000) * 1000000 };
        (void)nanosleep(&t, NULL);
        if (slm_cancel_is_set(c->q->cancel))
            slm_fault_set(&c->fault, SLM_CLASS_CANCELLED, 0, "cancelled by the caller");
    }
}

/* Tries until one holds. The flight of the last one, or NULL if none began. */
static slm_flight *try_all(call *c)
{
    for (;;) {
        uint64_t pause = 0, blocked = 0;
        slm_flight *f = one_try(c);
        const uint64_t now = slm_retry_now_ms();
        const bool again = !c->shown && c->fault.class != SLM_CLASS_NONE &&
                           slm_retry_next(&c->retry, &c->r->rules, &c->fault, now < c->ends_ms ? c->ends_ms - now : 0, chance(c), &pause, &blocked);
        slm_remote_judge(c->r, &c->fault, blocked);
        if (!again)
            return f->remote ? f : NULL;
        end_flights(c);
        memset(&c->fault, 0, sizeof c->fault);
        (void)atomic_fetch_add(&c->r->counts.retries, 1);
        pause_ms(c, pause);
        if (c->fault.class != SLM_CLASS_NONE)
            return NULL;
    }
}

/* ---- the reply ---- */

static void find_label(call *c, const slm_answer *a, slm_reply *reply)
{
    slm_fault why = { .class = SLM_CLASS_NONE };
    json_t *root = a->reason == SLM_STOP_REFUSED ? NULL : slm_scan_load(slm_bytes_text(&a->text), a->text.size, "the choice", &why);
    const json_t *v = json_object_get(root, "label");
    size_t i = 0;
    if (json_is_string(v) && json_object_size(root) == 1)
        while (i < c->q->n_labels && (strlen(c->q->labels[i]) != json_string_length(v) || strcmp(c->q->labels[i], json_string_value(v)) != 0))
            i++;
    else
        i = c->q->n_labels;
    json_decref(root);
    if (i < c->q->n_labels) {
        reply->label = i;
        reply->text = c->q->labels[i];
        reply->text_len = strlen(reply->text);
        reply->reason = 0;
        return;
    }
    slm_fault_set(&c->fault, SLM_CLASS_ANSWER, 200, "choose: %s", a->reason == SLM_STOP_REFUSED ? "the model declined"
                  : a->reason == SLM_STOP_LENGTH ? "the answer was cut" : *why.text ? why.text : "the answer is not one of the labels");
}

static void check_answer(call *c, const slm_answer *a, const slm_reply *reply)
{
    slm_error err = { 0 };
    if (!c->q->schema || a->n_calls || reply->reason == SLM_STOP_REFUSED)
        return;
    const slm_status status = slm_schema_check(c->q->schema, c->q->schema_len, reply->text, reply->text_len, &err);
    if (status)
        slm_fault_set(&c->fault, status == SLM_E_MEMORY ? SLM_CLASS_INTERNAL : SLM_CLASS_ANSWER, 200, "%s%.250s",
                      reply->reason == SLM_STOP_LENGTH ? "the answer was cut: " : "", err.text);
}

static void put_usage(call *c, const slm_answer *a, bool billed, slm_reply *reply)
{
    slm_usage u;
    if (!known_usage(a, &u) && !billed) {
        u = (slm_usage){ 0 };
    } else if (!known_usage(a, &u)) {
        u = at_most(c);
        u.output = a->text.size + 64 < u.output ? a->text.size + 64 : u.output;
        reply->flags |= SLM_REPLY_ESTIMATED;
        (void)atomic_fetch_add(&c->r->counts.estimated, 1);
        (void)snprintf(c->note, sizeof c->note, "usage %s: tokens are upper bounds", a->odd ? "of the server is impossible" : "was not said");
    } else if (*a->model && strcmp(a->model, c->r->model) != 0) {
        (void)snprintf(c->note, sizeof c->note, "model '%.80s' answered for '%.80s'", a->model, c->r->model);
    }
    reply->prompt_tokens = u.prompt;
    reply->cached_tokens = u.cached;
    reply->cache_write_tokens = u.cache_write;
    reply->tokens = u.output;
}

/* f NULL: the last try did not begin. */
static slm_status fill(call *c, slm_flight *f, slm_reply *out, slm_error *err)
{
    slm_answer none;
    slm_reply reply = SLM_REPLY_INIT;
    slm_confidence confidence = SLM_CONFIDENCE_INIT;
    slm_answer *a = f ? &f->answer : &none;
    slm_fault trouble = { .class = SLM_CLASS_NONE };
    slm_answer_init(&none);
    slm_tool_call *calls = slm_answer_calls(a, &trouble);
    if (c->fault.class == SLM_CLASS_NONE && !c->stopped)
        c->fault = trouble;
    reply.engine = c->r->name;
    reply.model = *a->model ? a->model : c->r->model;
    reply.text = slm_bytes_text(&a->text);
    reply.text_len = c->stopped ? c->cut : c->fault.class == SLM_CLASS_NONE ? a->text.size : c->shown;
    reply.reason = c->stopped ? c->stop : a->reason;
    reply.flags = a->flags | (c->costed ? SLM_REPLY_COSTED : 0u) | (c->estimated ? SLM_REPLY_ESTIMATED : 0u);
    reply.left = c->left;
    reply.calls = calls;
    reply.n_calls = calls ? a->n_calls : 0;
    reply.cost = c->cost;
    reply.tries = c->tries;
    put_usage(c, a, f && (f->fault.class == SLM_CLASS_NONE || may_be_billed(f)), &reply);
    if (c->fault.class == SLM_CLASS_NONE && c->q->task == SLM_TASK_CHOOSE)
        find_label(c, a, &reply);
    else if (c->fault.class == SLM_CLASS_NONE)
        check_answer(c, a, &reply);
    if (c->fault.class == SLM_CLASS_NONE && c->hold && c->q->text && c->q->task != SLM_TASK_CHOOSE && reply.text_len &&
        c->q->text(c->q->user, reply.text, reply.text_len))
        reply.reason = SLM_STOP_CALLBACK;
    if (c->fault.class != SLM_CLASS_NONE) {
        reply.text_len = c->hold ? 0 : reply.text_len;
        (void)snprintf(c->note, sizeof c->note, "%s: %.150s", slm_fault_about(c->fault.class)->name, c->fault.text);
    }
    reply.note = c->note;
    const size_t n_scores = a->scores.size / sizeof(slm_token_score);
    if (n_scores && c->q->task != SLM_TASK_CHOOSE) {
        reply.scores = (const slm_token_score *)(const void *)a->scores.data;
        reply.n_scores = n_scores;
        if (!slm_confidence_of_tokens(&confidence, reply.scores, n_scores, NULL))
            reply.confidence = &confidence;
    }
    slm_status status = slm_reply_own(&reply, c->r->p.allocator ? &c->r->allocator : NULL, err);
    if (!status)
        *out = reply;
    else
        slm_fault_set(&c->fault, SLM_CLASS_INTERNAL, 0, "no memory for the reply");
    free(calls);
    return status;
}

static void end(call *c)
{
    if (c->line) {
        end_flights(c);
        slm_line_give(c->r, c->line);
    }
    json_decref(c->job.schema);
    json_decref(c->job.tools);
    free(c->body);
}

slm_status slm_call_run(slm_remote *r, const slm_request *q, slm_reply *reply, slm_error *err)
{
    slm_pipe pipe;
    slm_flight *f = NULL;
    call *c = calloc(1, sizeof *c);
    if (!c)
        return slm_remote_fail(err, SLM_E_MEMORY, "%s: INTERNAL: no memory for a call", r->url.host);
    c->r = r;
    c->q = q;
    start_clock(c, q->deadline_ms && q->deadline_ms < r->p.total_ms ? q->deadline_ms : r->p.total_ms);
    if (q->privacy != SLM_PRIVACY_MAY_LEAVE)        /* slm_engine_run has looked; whoever calls the table himself gets here */
        slm_fault_set(&c->fault, SLM_CLASS_POLICY, 0, "the request's privacy class is %u; only %d may leave", q->privacy, SLM_PRIVACY_MAY_LEAVE);
    slm_remote_admit(r, &c->fault);
    if (c->fault.class == SLM_CLASS_NONE)
        build(c);
    if (c->fault.class == SLM_CLASS_NONE)
        c->line = slm_line_take(r, q->cancel, c->ends_ms, &c->fault);
    if (c->line) {
        slm_pipe_begin(&pipe);
        f = try_all(c);
        if (f && c->fault.class == SLM_CLASS_NONE && !c->hold && !c->stopped) {
            c->winner = f;
            show(c, true);
        }
        const slm_status filled = c->fault.class == SLM_CLASS_NONE || c->left ? fill(c, f, reply, err) : SLM_OK;
        (void)filled;                               /* a failure of it is in c->fault */
        end(c);
        slm_pipe_end(&pipe);
    } else {
        end(c);
    }
    const slm_fault fault = c->fault;
    free(c);
    if (fault.class == SLM_CLASS_NONE)
        (void)atomic_fetch_add(&r->counts.answered, 1);
    return fault.class == SLM_CLASS_NONE ? SLM_OK : slm_fault_give(&fault, r->url.host, err);
}

slm_status slm_call_ping(slm_remote *r, int32_t *code, slm_error *err)
{
    slm_pipe pipe;
    slm_request q = SLM_REQUEST_INIT;
    call *c = calloc(1, sizeof *c);
    if (!c)
        return slm_remote_fail(err, SLM_E_MEMORY, "%s: INTERNAL: no memory for a call", r->url.host);
    c->r = r;
    c->q = &q;
    start_clock(c, r->p.total_ms);
    if (c->fault.class == SLM_CLASS_NONE)
        c->line = slm_line_take(r, NULL, c->ends_ms, &c->fault);
    if (c->line) {
        slm_pipe_begin(&pipe);
        get_key(c);
        if (c->fault.class == SLM_CLASS_NONE) {
            slm_flight_begin(&c->flights[0], r, c->line, 0, NULL, "/models", NULL, 0, true);
            drive(c);
            if (c->fault.class == SLM_CLASS_NONE)
                c->fault = c->flights[0].fault;
            report(c, &c->flights[0]);
        }
        const long status = c->flights[0].status;
        end(c);
        slm_pipe_end(&pipe);
        if (code && c->fault.class == SLM_CLASS_NONE)
            *code = (int32_t)status;
    }
    const slm_fault fault = c->fault;
    free(c);
    return fault.class == SLM_CLASS_NONE ? SLM_OK : slm_fault_give(&fault, r->url.host, err);
}
