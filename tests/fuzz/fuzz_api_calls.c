/* fuzz_api_calls.c -- the input as a sequence of public calls on a few sessions of a small model, each checked against what must hold after it.
 *
 * Two bytes a call: the low 5 bits of the first are the call, the upper 3 the session, the second its amount. The tokens that every session
 * must hold are kept here: after each call, whatever its status, position and tokens must be these; at the end the logits of each session
 * must be, to the bit, those of a fresh one that was fed its tokens at once. The calls `refuse` and `refuse_on` make the n-th allocation from
 * then on fail, once or for good, until the next of their kind; the heap must be empty at the end. */
#include "fuzz.h"

#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include <unistd.h>

enum { SESSIONS = 4, ROOM = 200, STEPS = 200 };

#define CALLS(ROW) ROW(feed) ROW(feed_rows) ROW(feed_text) ROW(step) ROW(generate) ROW(fork) ROW(truncate) ROW(save) ROW(load) ROW(cancel) ROW(batch) \
    ROW(start) ROW(drop) ROW(refuse) ROW(refuse_on) ROW(allow) ROW(bad) ROW(profile) ROW(guide) ROW(guided_step) ROW(constrain) ROW(speculate) ROW(look)

typedef struct slot {
    slm_session *session;
    int32_t tokens[ROOM];
    size_t n;
    bool cancelled;                 /* a cancel that no call has seen yet */
} slot;

static uint8_t *file;
static size_t file_bytes;
static char path[64];

static struct {
    fail_alloc memory;
    slm_model *model;
    slm_batch *batch;
    slm_constraint *constraint;
    slm_guide *guide;
    size_t guided;                  /* the slot whose text the guide follows; its tokens then */
    slot slots[SESSIONS], saved;    /* saved: what the file holds; session NULL */
    bool has_file;
} w;

/* A call that failed says so; what it may fail of is what was provoked. */
static bool went(slot *s, slm_status status, const slm_error *err)
{
    if (!status)
        return true;
    must_say(status, err);
    if (status == SLM_E_CANCELLED) {
        must(s && s->cancelled, err->text);
        s->cancelled = false;
        return false;
    }
    if (status == SLM_E_MEMORY) {
        must(w.memory.fail_at != 0, err->text);
        return false;
    }
    must(status == SLM_E_CONTEXT || status == SLM_E_STATE || status == SLM_E_ARG || status == SLM_E_CALLBACK || status == SLM_E_LIMIT ||
         status == SLM_E_MISMATCH || status == SLM_E_NOT_FOUND || status == SLM_E_IO, err->text);
    must(status != SLM_E_IO || w.memory.fail_at, err->text);
    return false;
}

static void look(const slot *s)
{
    if (!s->session)
        return;
    must(slm_session_position(s->session) == s->n, "another position than the calls make");
    must(slm_session_room(s->session) == ROOM - s->n, "another room");
    must(!s->n || !memcmp(slm_session_tokens(s->session), s->tokens, s->n * sizeof *s->tokens), "other tokens");
}

/* What the session holds now is what it must hold from here on; the first `kept` tokens may not have changed. */
static void learn(slot *s, size_t kept)
{
    const size_t n = slm_session_position(s->session);
    must(n >= kept && n <= ROOM && (!kept || !memcmp(slm_session_tokens(s->session), s->tokens, kept * sizeof *s->tokens)), "tokens that were there changed");
    s->n = n;
    if (n)
        memcpy(s->tokens, slm_session_tokens(s->session), n * sizeof *s->tokens);
}

static void put(slot *s, slm_session *session, const slot *like)
{
    slm_session_free(s->session);
    s->session = session;
    s->cancelled = false;
    s->n = like ? like->n : 0;
    if (like)
        memmove(s->tokens, like->tokens, sizeof s->tokens);
}

static void call_start(slot *s, unsigned amount)
{
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    slm_session *made = NULL;
    slm_error err = { 0 };
    p.context = ROOM;
    p.chunk = amount % 4 ? amount % 16 : 0;
    if (went(NULL, slm_session_new(&made, w.model, &p, &err), &err))
        put(s, made, NULL);
    must(made || err.status, "no session and no failure");
}

static int on_row(void *user, size_t index, const float *logits, size_t vocab)
{
    must(logits && vocab == TINY_VOCAB, "no row");
    return index == *(size_t *)user;
}

static void call_feed(slot *s, unsigned amount, bool rows)
{
    int32_t tokens[64];
    const size_t n = amount % 64;
    size_t stop_at = amount >= 192 ? n / 2 : SIZE_MAX;
    slm_error err = { 0 };
    for (size_t i = 0; i < n; i++)
        tokens[i] = tiny_token(amount / 64, s->n + i);
    const slm_status status = rows ? slm_session_feed_rows(s->session, tokens, n, on_row, &stop_at, &err) : slm_session_feed(s->session, tokens, n, &err);
    if (went(s, status, &err)) {
        memcpy(s->tokens + s->n, tokens, n * sizeof *tokens);
        s->n += n;
    }
}

static void call_batch(size_t from, unsigned amount)
{
    static int32_t tokens[SESSIONS][8];
    slm_batch_item items[SESSIONS];
    slm_error err = { 0 }, each[SESSIONS];
    size_t at[SESSIONS], n = 0;
    memset(items, 0, sizeof items);
    memset(each, 0, sizeof each);
    if (!w.batch && !went(NULL, slm_batch_new(&w.batch, w.model, NULL, &err), &err))
        return;
    for (size_t k = 0; k < SESSIONS && n < 1 + amount % SESSIONS; k++) {
        slot *s = &w.slots[(from + k) % SESSIONS];
        if (!s->session)
            continue;
        for (size_t i = 0; i < 8; i++)
            tokens[n][i] = tiny_token(k, s->n + i);
        at[n] = (from + k) % SESSIONS;
        items[n] = (slm_batch_item){ s->session, tokens[n], 1 + amount / 4 % 8, &each[n], SLM_E_STATE, 0 };
        n++;
    }
    memset(&err, 0, sizeof err);
    const slm_status status = slm_batch_step(w.batch, items, n, &err);
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        slot *s = &w.slots[at[i]];
        if (items[i].status == SLM_OK) {
            memcpy(s->tokens + s->n, items[i].tokens, items[i].n * sizeof *s->tokens);
            s->n += items[i].n;
        } else {
            all = false;
            if (each[i].status)
                (void)went(s, items[i].status, &each[i]);
        }
    }
    must(status || all, "a step that went well has an item that did not");
    if (status)
        must_say(status, &err);
}

static int on_text(void *user, const char *text, size_t n)
{
    size_t *left = user;
    must(n && text, "no text");
    if (!*left)
        return 1;
    --*left;
    return 0;
}

static void call_generate(slot *s, unsigned amount, bool constrained, bool drafted)
{
    static const char *const stops[] = { "ab", "}" };
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    slm_error err = { 0 };
    size_t left = amount & 64 ? 2 : SIZE_MAX;
    const size_t before = s->n;
    how.temperature = amount & 16 ? 1.0f : 0.0f;
    how.seed = amount;
    how.top_k = amount & 8 ? 5 : 0;
    how.repeat_penalty = amount & 4 ? 1.25f : 0.0f;
    p.max_tokens = 1 + amount % 24;
    p.sampling = &how;
    p.text = on_text;
    p.user = &left;
    p.stops = stops;
    p.n_stops = amount & 128 ? 2 : 0;
    p.constraint = constrained ? w.constraint : NULL;
    p.draft = drafted ? 1 + amount % 8 : 0;
    (void)went(s, slm_session_generate(s->session, &p, &made, &err), &err);
    must(made.tokens <= p.max_tokens, "more tokens than were asked for");
    learn(s, before);
    must(s->n == before + made.tokens, "another count of tokens than the session has more");
}

static void call_constrain(unsigned amount)
{
    static const char *const patterns[] = { "[a-z]+", "(ab|c)*d", "\\d{2,5}", "yes|no", "(a|b|ab){3}x?" };
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":-3}},\"required\":[\"a\"],\"additionalProperties\":false}";
    const slm_tokenizer *t = slm_model_tokenizer(w.model);
    slm_constraint *made = NULL;
    slm_error err = { 0 };
    const slm_status status = amount % 6 == 5 ? slm_constraint_schema(&made, t, schema, sizeof schema - 1, &err)
                                              : slm_constraint_regex(&made, t, patterns[amount % 6], &err);
    if (!went(NULL, status, &err))
        return;
    slm_guide_free(w.guide);
    w.guide = NULL;
    slm_constraint_free(w.constraint);
    w.constraint = made;
}

static void call_guide(size_t at, unsigned amount)
{
    slm_guide *made = NULL;
    slm_error err = { 0 };
    if (!w.constraint || !went(NULL, slm_guide_new(&made, w.constraint, w.slots[at].session, amount % 32, &err), &err))
        return;
    slm_guide_free(w.guide);
    w.guide = made;
    w.guided = at;
}

static void call_step(slot *s, unsigned amount, slm_guide *guide)
{
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_error err = { 0 };
    int32_t token = -7;
    const size_t before = s->n;
    how.temperature = (float)(amount % 3) / 2;
    how.seed = amount;
    how.guide = guide;
    if (went(s, slm_session_step(s->session, &how, &token, &err), &err)) {
        must(token >= 0 && token < TINY_VOCAB, "a token outside the vocabulary");
        s->tokens[s->n++] = token;
    } else {
        must(token == -7 && slm_session_position(s->session) == before, "a step that failed left something");
    }
}

static void call_bad(slot *s, unsigned amount)
{
    static const int32_t outside[3] = { 1, TINY_VOCAB, -1 };
    int32_t many[ROOM + 1];
    slm_error err = { 0 };
    for (size_t i = 0; i <= ROOM; i++)
        many[i] = 1;
    const slm_status status = amount % 4 == 0 ? slm_session_feed(s->session, outside, 2 + amount / 4 % 2, &err) : amount % 4 == 1 ? slm_session_feed(s->session, NULL, 0, &err)
                            : amount % 4 == 2 ? slm_session_truncate(s->session, s->n + 1, &err) : slm_session_feed(s->session, many, ROOM - s->n + 1, &err);
    must(status == SLM_E_ARG || status == SLM_E_CONTEXT, "bad arguments were taken");
    must_say(status, &err);
}

static void one_call(unsigned call, size_t at, unsigned amount)
{
    slot *s = &w.slots[at];
    slm_session *made = NULL;
    slm_error err = { 0 };
    slm_profile_row rows[64];
    size_t n;
#define CALL_ID(name) CALL_##name,
    enum { CALLS(CALL_ID) N_CALLS };
    call %= N_CALLS;
    if (!s->session && call != CALL_start && call != CALL_load && call != CALL_refuse && call != CALL_refuse_on && call != CALL_allow && call != CALL_constrain &&
        call != CALL_batch)
        return;
    switch (call) {
    case CALL_feed:
    case CALL_feed_rows:
        call_feed(s, amount, call == CALL_feed_rows);
        break;
    case CALL_feed_text: {
        static const char text[] = "Once {\"a\": -12} there\nwas a \xc3\xa9 cat.";
        const size_t before = s->n;
        (void)went(s, slm_session_feed_text(s->session, text, amount % sizeof text, 0, &err), &err);
        must(!err.status || slm_session_position(s->session) == before, "a feed that failed left something");
        learn(s, before);
        break;
    }
    case CALL_step:
        call_step(s, amount, NULL);
        break;
    case CALL_guided_step:
        if (w.guide && w.guided == at)
            call_step(s, amount, w.guide);
        break;
    case CALL_generate:
        call_generate(s, amount, false, false);
        break;
    case CALL_speculate:
        call_generate(s, amount, amount & 32, true);
        break;
    case CALL_fork:
        if (amount % SESSIONS != at && went(s, slm_session_fork(&made, s->session, &err), &err))
            put(&w.slots[amount % SESSIONS], made, s);
        break;
    case CALL_truncate:
        n = s->n ? amount % (s->n + 1) : 0;
        if (went(s, slm_session_truncate(s->session, n, &err), &err))
            s->n = n;
        break;
    case CALL_save:
        if (went(s, slm_session_save(s->session, path, &err), &err)) {
            w.saved = *s;
            w.has_file = true;
        }
        break;
    case CALL_load:
        if (w.has_file && went(NULL, slm_session_load(&made, w.model, path, NULL, &err), &err))
            put(s, made, &w.saved);
        break;
    case CALL_cancel:
        slm_session_cancel(s->session);
        s->cancelled = true;
        break;
    case CALL_batch:
        call_batch(at, amount);
        break;
    case CALL_start:
        call_start(s, amount);
        break;
    case CALL_drop:
        put(s, NULL, NULL);
        break;
    case CALL_refuse:
    case CALL_refuse_on:
        fail_alloc_arm(&w.memory, 1 + amount % 64, call == CALL_refuse_on);
        break;
    case CALL_allow:
        fail_alloc_arm(&w.memory, 0, false);
        break;
    case CALL_bad:
        call_bad(s, amount);
        break;
    case CALL_profile:
        (void)went(s, slm_session_profile(s->session, rows, amount % COUNT(rows), &n, &err), &err);
        break;
    case CALL_constrain:
        call_constrain(amount);
        break;
    case CALL_guide:
        call_guide(at, amount);
        break;
    default:
        break;
    }
}

/* Every session's logits against a fresh one's. */
static void compare(void)
{
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    slm_error err = { 0 };
    p.context = ROOM;
    fail_alloc_arm(&w.memory, 0, false);
    for (size_t i = 0; i < SESSIONS; i++) {
        slot *s = &w.slots[i];
        slm_session *fresh = NULL;
        const float *logits = s->session ? slm_session_logits(s->session) : NULL;
        look(s);
        if (!logits)
            continue;
        must(slm_session_new(&fresh, w.model, &p, &err) == SLM_OK && slm_session_feed(fresh, s->tokens, s->n, &err) == SLM_OK, err.text);
        must(!memcmp(logits, slm_session_logits(fresh), TINY_VOCAB * sizeof *logits), "other logits than those of a fresh session");
        slm_session_free(fresh);
    }
}

static void clean(void)
{
    (void)unlink(path);
}

static void begin(void)
{
    file = tiny_speaker_file(1, "q8_0", &file_bytes);
    (void)snprintf(path, sizeof path, "%s/slm_fuzz_calls_%ld", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
    must(atexit(clean) == 0, "atexit");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in in = { data, size };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input input = SLM_INPUT_INIT;
    slm_error err = { 0 };
    if (!file)
        begin();
    memset(&w, 0, sizeof w);
    fail_alloc_init(&w.memory, 0, false);
    input.memory = file;
    input.bytes = file_bytes;
    p.input = &input;
    p.threads = 1;
    p.allocator = &w.memory.allocator;
    must(slm_model_open(&w.model, "tiny", &p, &err) == SLM_OK, err.text);
    for (size_t i = 0; i < STEPS && in.left; i++) {
        const unsigned what = fuzz_byte(&in), amount = fuzz_byte(&in);
        one_call(what & 31, what / 32 % SESSIONS, amount);
        for (size_t k = 0; k < SESSIONS; k++)
            look(&w.slots[k]);
    }
    compare();
    slm_guide_free(w.guide);
    slm_constraint_free(w.constraint);
    slm_batch_free(w.batch);
    for (size_t i = 0; i < SESSIONS; i++)
        slm_session_free(w.slots[i].session);
    slm_model_free(w.model);
    must(!atomic_load(&w.memory.live_blocks), "memory left behind");
    return 0;
}
