/* test_engine.c -- engines: what a request may be, who may have it, what the local engine answers, its probabilities against those
 * of a session driven by hand, cancel, deadline, many threads, memory. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char path[] = "models/tiny-stories/tiny-stories.gguf";
static const char story[] = "Once upon a time there was a little girl who";
static slm_model *model;
static slm_engine *local;
static slm_model_info info = SLM_MODEL_INFO_INIT;

static int open_model(void **state)
{
    (void)state;
    slm_error err = { 0 };
    if (slm_model_open(&model, path, NULL, &err) || slm_model_get_info(model, &info, &err) || slm_engine_local(&local, model, NULL, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    slm_engine_free(local);
    slm_model_free(model);
    return 0;
}

static slm_request ask(uint32_t task, const char *prompt)
{
    slm_request q = SLM_REQUEST_INIT;
    q.task = task;
    q.prompt = prompt;
    q.prompt_len = strlen(prompt);
    return q;
}

static slm_reply answer(const slm_engine *e, const slm_request *q)
{
    slm_error err = { 0 };
    slm_reply reply = SLM_REPLY_INIT;
    check_status(slm_engine_run(e, q, &reply, &err), SLM_OK, &err);
    return reply;
}

static void near_to(double got, double want, double room, const char *what)
{
    if (!(fabs(got - want) <= room))
        fail_msg("%s: got %.17g, want %.17g within %g", what, got, want, room);
}

/* ---- requests ---- */

static void a_request_outside_its_ranges_is_refused_by_name(void **state)
{
    (void)state;
    static char long_label[4200];
    memset(long_label, 'x', sizeof long_label - 1);
    static const char *const none[] = { "" }, *const long_one[] = { "a", long_label }, *const two[] = { "yes", "yes" };
    static const slm_message nobody[] = { SLM_MESSAGE(NULL, "hi", 2) };
    const struct { slm_request q; slm_status status; const char *text; } rows[] = {
        { { .task = 4 }, SLM_E_ARG, "task is 4 (allowed 0 .. 3)" },
        { { .privacy = 3 }, SLM_E_ARG, "privacy is 3 (allowed 0 .. 2)" },
        { { .flags = 2 }, SLM_E_ARG, "flags 0x2" },
        { { .prompt_len = 3 }, SLM_E_ARG, "prompt: 3 bytes at NULL" },
        { { .prompt = "a", .prompt_len = (size_t)1 << 40 }, SLM_E_LIMIT, "prompt: 1099511627776 bytes" },
        { { .n_stops = 65, .stops = none }, SLM_E_ARG, "65 stop strings" },
        { { .n_stops = 1, .stops = none }, SLM_E_ARG, "stop string 0 has 0 bytes" },
        { { .task = SLM_TASK_CHAT }, SLM_E_ARG, "chat: 0 messages" },
        { { .task = SLM_TASK_CHAT, .messages = nobody, .n_messages = 1 }, SLM_E_ARG, "message 0 has no role" },
        { { .task = SLM_TASK_CHOOSE }, SLM_E_ARG, "choose: 0 labels" },
        { { .task = SLM_TASK_CHOOSE, .labels = two, .n_labels = 4097 }, SLM_E_ARG, "4097 labels (allowed 1 .. 4096)" },
        { { .task = SLM_TASK_CHOOSE, .labels = none, .n_labels = 1 }, SLM_E_ARG, "label 0 has 0 bytes" },
        { { .task = SLM_TASK_CHOOSE, .labels = long_one, .n_labels = 2 }, SLM_E_ARG, "label 1 has 4097 bytes or more" },
        { { .task = SLM_TASK_CHOOSE, .labels = two, .n_labels = 2 }, SLM_E_ARG, "labels 0 and 1 are the same" },
        { { .task = SLM_TASK_SCORE, .prompt = "a", .prompt_len = 1 }, SLM_E_ARG, "the answer has 0 bytes" },
        { { .task = SLM_TASK_SCORE, .answer_len = 1 }, SLM_E_ARG, "answer: 1 bytes at NULL" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        slm_reply reply = SLM_REPLY_INIT;
        const slm_reply before = reply;
        slm_request q = rows[i].q;
        q.size = sizeof q;
        check_status(slm_engine_run(local, &q, &reply, &err), rows[i].status, &err);
        check_text(&err, rows[i].text);
        assert_memory_equal(&reply, &before, sizeof reply);
    }
}

typedef struct counted { int runs, releases; slm_status status; } counted;

static slm_status count_run(void *user, const slm_request *q, slm_reply *reply, slm_error *err)
{
    counted *c = user;
    char text[] = "an answer";
    assert_int_equal(q->size, sizeof *q);
    assert_null(reply->text);
    c->runs++;
    if (c->status) {
        (void)snprintf(err->text, sizeof err->text, "no");
        return c->status;
    }
    reply->text = text;
    reply->text_len = strlen(text);
    reply->left = 1;
    return slm_reply_own(reply, NULL, err);
}

static void count_release(void *user)
{
    ((counted *)user)->releases++;
}

static void an_engine_gets_only_what_its_traits_allow(void **state)
{
    (void)state;
    const struct { uint32_t traits, privacy; slm_status status; } rows[] = {
        { 0, SLM_PRIVACY_LOCAL_ONLY, SLM_E_REFUSED },                { 0, SLM_PRIVACY_MASKED, SLM_E_REFUSED },
        { 0, SLM_PRIVACY_MAY_LEAVE, SLM_OK },                        { SLM_ENGINE_LOCAL, SLM_PRIVACY_LOCAL_ONLY, SLM_OK },
        { SLM_ENGINE_LOCAL, SLM_PRIVACY_MASKED, SLM_OK },            { SLM_ENGINE_MASKS, SLM_PRIVACY_LOCAL_ONLY, SLM_E_REFUSED },
        { SLM_ENGINE_MASKS, SLM_PRIVACY_MASKED, SLM_OK },            { SLM_ENGINE_EXACT, SLM_PRIVACY_LOCAL_ONLY, SLM_E_REFUSED },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        counted c = { 0 };
        slm_error err = { 0 };
        slm_engine e = SLM_ENGINE_INIT;
        slm_reply reply = SLM_REPLY_INIT;
        slm_request q = ask(SLM_TASK_GENERATE, "hello");
        e.user = &c;
        e.name = "counting";
        e.tasks = 1 << SLM_TASK_GENERATE;
        e.traits = rows[i].traits;
        e.run = count_run;
        e.release = count_release;
        q.privacy = rows[i].privacy;
        check_status(slm_engine_run(&e, &q, &reply, &err), rows[i].status, &err);
        assert_int_equal(c.runs, rows[i].status == SLM_OK);
        if (!rows[i].status) {
            assert_string_equal(reply.text, "an answer");
            assert_string_equal(reply.engine, "counting");
            assert_string_equal(reply.model, "");
            assert_true(reply.total_ns > 0);
            assert_int_equal(reply.left, 1);
            check_status(slm_engine_run(&e, &q, &reply, &err), SLM_E_STATE, &err);     /* it would leak */
            assert_int_equal(c.runs, 1);
        } else {
            check_text(&err, "engine 'counting'");
        }
        slm_reply_free(&reply);
        assert_null(reply.text);
        slm_reply_free(&reply);
        q.task = SLM_TASK_SCORE;
        q.answer = "x";
        q.answer_len = 1;
        check_status(slm_engine_run(&e, &q, &reply, &err), SLM_E_UNSUPPORTED, &err);
        check_text(&err, "does not do task 'score'");
        slm_engine_free(&e);
        assert_int_equal(c.releases, 1);
    }
    slm_engine_free(NULL);
}

static void a_reply_of_an_older_caller_gets_what_it_has_room_for(void **state)
{
    (void)state;
    struct { slm_reply reply; uint8_t after[64]; } old;
    memset(&old, 0x5a, sizeof old);
    old.reply = (slm_reply)SLM_REPLY_INIT;
    old.reply.size = offsetof(slm_reply, confidence);
    memset((uint8_t *)&old.reply + old.reply.size, 0x5a, sizeof old.reply - old.reply.size);
    slm_request q = ask(SLM_TASK_GENERATE, story);
    slm_error err = { 0 };
    q.max_tokens = 3;
    check_status(slm_engine_run(local, &q, &old.reply, &err), SLM_OK, &err);
    assert_true(old.reply.text_len > 0);
    assert_string_equal(old.reply.engine, "local");
    for (size_t i = old.reply.size; i < sizeof old; i++)
        assert_int_equal(((const uint8_t *)&old)[i], 0x5a);
    slm_reply_free(&old.reply);
    slm_reply tiny = SLM_REPLY_INIT;
    tiny.size = 8;
    check_status(slm_engine_run(local, &q, &tiny, &err), SLM_E_ARG, &err);
    slm_reply_free(&tiny);
}

/* ---- generate ---- */

typedef struct text { char bytes[2048]; size_t n, calls, stop; slm_cancel *cancel; } text;

static int gather(void *user, const char *bytes, size_t n)
{
    text *t = user;
    assert_true(n > 0 && t->n + n < sizeof t->bytes);
    assert_true(((unsigned char)bytes[0] & 0xc0) != 0x80);         /* whole code points */
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    if (t->cancel && t->calls == 4)
        slm_cancel_set(t->cancel);
    return ++t->calls == t->stop;
}

static void the_local_engine_generates_what_a_session_does(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_sampling warm = SLM_SAMPLING_INIT;
    warm.temperature = 0.9f;
    warm.top_p = 0.95f;
    warm.seed = 11;
    for (int i = 0; i < 6; i++) {
        text want = { 0 }, got = { 0 };
        const char *const stops[] = { "zzzz", "ay.", "time" };
        slm_session *s = NULL;
        slm_generation g = SLM_GENERATION_INIT;
        slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
        p.max_tokens = 50;
        p.sampling = i % 2 ? &warm : NULL;
        p.text = gather;
        p.user = &want;
        p.stops = stops;
        p.n_stops = i < 2 ? 0 : 3;
        want.stop = got.stop = i < 4 ? 0 : 3;
        check_status(slm_session_new(&s, model, NULL, &err), SLM_OK, &err);
        check_status(slm_session_feed_text(s, story, strlen(story), 0, &err), SLM_OK, &err);
        check_status(slm_session_generate(s, &p, &g, &err), SLM_OK, &err);
        slm_session_free(s);

        slm_request q = ask(SLM_TASK_GENERATE, story);
        q.max_tokens = 50;
        q.sampling = p.sampling;
        q.text = gather;
        q.user = &got;
        q.stops = stops;
        q.n_stops = p.n_stops;
        slm_reply r = answer(local, &q);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.bytes, want.bytes, want.n);
        assert_int_equal(got.calls, want.calls);
        assert_int_equal(r.reason, g.reason);
        assert_int_equal(r.tokens, g.tokens);
        assert_int_equal(r.text_len, want.n);
        assert_memory_equal(r.text, want.bytes, want.n);
        assert_int_equal(r.text[r.text_len], 0);
        assert_int_equal(r.n_scores, r.tokens + (r.reason == SLM_STOP_EOS));
        assert_int_equal(r.partial, 0);
        assert_int_equal(r.left, 0);
        assert_string_equal(r.engine, "local");
        assert_string_equal(r.model, info.name);
        assert_true(r.prompt_ns > 0 && r.prompt_ns <= r.total_ns);
        assert_int_equal(r.confidence->kind, SLM_CONFIDENCE_TOKENS);
        assert_int_equal(r.confidence->count, r.n_scores);
        assert_true(r.confidence->value > 0 && r.confidence->value <= 1 && r.confidence->min <= r.confidence->p10);
        slm_reply_free(&r);
    }
}

static void scores_of_a_generation_are_those_of_the_logits(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *s = NULL;
    slm_request q = ask(SLM_TASK_GENERATE, story);
    q.max_tokens = 20;
    slm_reply r = answer(local, &q);
    check_status(slm_session_new(&s, model, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed_text(s, story, strlen(story), 0, &err), SLM_OK, &err);
    double sum = 0;
    for (size_t i = 0; i < r.n_scores; i++) {
        int32_t token;
        double nats, total = 0, entropy = 0, best = 0, second = 0;
        const float *z = slm_session_logits(s);
        check_status(slm_sample(&token, z, info.vocab, NULL, 0, &err), SLM_OK, &err);
        check_status(slm_logits_score(z, info.vocab, token, &nats, &err), SLM_OK, &err);
        assert_memory_equal(&r.scores[i].logp, &nats, sizeof nats);
        for (uint32_t k = 0; k < info.vocab; k++)               /* once more, with libm */
            total += exp((double)z[k] - (double)z[token]);
        for (uint32_t k = 0; k < info.vocab; k++) {
            const double p = exp((double)z[k] - (double)z[token]) / total;
            entropy -= p * log(p);
            if (p > best) {
                second = best;
                best = p;
            } else if (p > second)
                second = p;
        }
        near_to(r.scores[i].logp, -log(total), 1e-6, "log p");
        near_to(r.scores[i].entropy, entropy, 1e-5, "entropy");
        near_to(r.scores[i].margin, best - second, 1e-6, "margin");
        sum += nats;
        check_status(slm_session_feed(s, &token, 1, &err), SLM_OK, &err);
    }
    assert_memory_equal(&r.confidence->sum, &sum, sizeof sum);
    near_to(r.confidence->value, exp(sum / (double)r.n_scores), 1e-12, "value");
    slm_session_free(s);
    slm_reply_free(&r);
}

static void a_prompt_seen_before_changes_time_and_nothing_else(void **state)
{
    (void)state;
    slm_request q = ask(SLM_TASK_GENERATE, story);
    q.max_tokens = 30;
    slm_engine *fresh = NULL;
    slm_error err = { 0 };
    check_status(slm_engine_local(&fresh, model, NULL, &err), SLM_OK, &err);
    slm_reply first = answer(fresh, &q);
    assert_int_equal(first.cached_tokens, 0);
    slm_request other = ask(SLM_TASK_GENERATE, "Once upon a time there was a dog");
    other.max_tokens = 5;
    slm_reply between = answer(fresh, &other);
    assert_true(between.cached_tokens > 3 && between.cached_tokens < between.prompt_tokens);
    slm_reply second = answer(fresh, &q);
    assert_true(second.cached_tokens > 3 && second.cached_tokens < second.prompt_tokens);
    assert_string_equal(first.text, second.text);
    assert_int_equal(first.n_scores, second.n_scores);
    assert_memory_equal(first.scores, second.scores, first.n_scores * sizeof *first.scores);
    assert_memory_equal(first.confidence, second.confidence, sizeof *first.confidence);
    slm_engine_free(fresh);
    assert_string_equal(first.engine, "local");                 /* a reply needs no engine */
    slm_reply_free(&first);
    slm_reply_free(&between);
    slm_reply_free(&second);
}

static void cancel_ends_a_call_and_stays_set(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_cancel cancel = { 0, 0 };
    text t = { .cancel = &cancel };
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = ask(SLM_TASK_GENERATE, story);
    q.max_tokens = 200;
    q.text = gather;
    q.user = &t;
    q.cancel = &cancel;
    check_status(slm_engine_run(local, &q, &reply, &err), SLM_E_CANCELLED, &err);
    assert_int_equal(reply.partial, 1);
    assert_int_equal(reply.text_len, t.n);
    assert_memory_equal(reply.text, t.bytes, t.n);
    assert_int_equal(reply.n_scores, reply.tokens);
    assert_true(reply.tokens >= 5 && reply.tokens < 10);
    slm_reply_free(&reply);
    assert_true(slm_cancel_is_set(&cancel));
    check_status(slm_engine_run(local, &q, &reply, &err), SLM_E_CANCELLED, &err);
    assert_null(reply.text);
    slm_cancel_clear(&cancel);
    t = (text){ 0 };
    q.max_tokens = 3;
    check_status(slm_engine_run(local, &q, &reply, &err), SLM_OK, &err);
    slm_reply_free(&reply);
}

static int slow(void *user, const char *bytes, size_t n)
{
    (void)bytes;
    (void)n;
    struct timespec pause = { 0, 30000000 };
    nanosleep(&pause, NULL);
    return ++*(int *)user == 1000;
}

static void a_deadline_ends_a_call_and_keeps_what_was_made(void **state)
{
    (void)state;
    slm_error err = { 0 };
    int calls = 0;
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = ask(SLM_TASK_GENERATE, story);
    q.deadline_ms = 200;
    q.text = slow;
    q.user = &calls;
    check_status(slm_engine_run(local, &q, &reply, &err), SLM_E_DEADLINE, &err);
    assert_int_equal(reply.partial, 1);
    assert_true(reply.tokens > 0 && reply.text_len > 0);
    slm_reply_free(&reply);
}

/* ---- what an answer must be ---- */

static void an_answer_keeps_to_a_schema_or_pattern(void **state)
{
    (void)state;
    static const char *const patterns[] = { "\\d{3}-\\d{4}", "\\d{2}", "\\d{3}-\\d{4}" };
    slm_request q = ask(SLM_TASK_GENERATE, "Her number is ");
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 1;
    q.sampling = &how;
    for (size_t i = 0; i < COUNT(patterns); i++) {
        q.regex = patterns[i];
        slm_reply reply = answer(local, &q);
        assert_int_equal(reply.text_len, i == 1 ? 2 : 8);
        assert_true(reply.text[0] >= '0' && reply.text[0] <= '9' && (i == 1 || reply.text[3] == '-'));
        assert_int_equal(reply.reason, SLM_STOP_EOS);
        assert_int_equal(reply.n_scores, reply.tokens);
        slm_reply_free(&reply);
    }
    q.regex = NULL;
    q.schema = "{\"enum\":[\"red\",\"green\"]}";
    q.schema_len = strlen(q.schema);
    for (how.seed = 0; how.seed < 4; how.seed++) {
        slm_reply reply = answer(local, &q);
        assert_true(!strcmp(reply.text, "\"red\"") || !strcmp(reply.text, "\"green\""));
        slm_reply_free(&reply);
    }
    slm_reply none = SLM_REPLY_INIT;
    q.max_tokens = 1;
    check_status(slm_engine_run(local, &q, &none, &err), SLM_E_CONTEXT, &err);
    q.schema = "{\"type\":";
    q.schema_len = strlen(q.schema);
    check_status(slm_engine_run(local, &q, &none, &err), SLM_E_FORMAT, &err);
    q.task = SLM_TASK_SCORE;
    check_status(slm_engine_run(local, &q, &none, &err), SLM_E_ARG, &err);
    check_text(&err, "'score' has no schema");
}

/* ---- chat ---- */

static const char chat_template[] = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

static void a_chat_is_the_generation_after_its_rendered_prompt(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_engine *e = NULL;
    slm_reply none = SLM_REPLY_INIT;
    slm_engine_local_params p = SLM_ENGINE_LOCAL_PARAMS_INIT;
    const slm_message turns[] = { SLM_MESSAGE("system", "Tell\ta \"story\" \\.", 17), SLM_MESSAGE("user", "<s>Once</s>", 11) };
    slm_request q = SLM_REQUEST_INIT;
    q.task = SLM_TASK_CHAT;
    q.messages = turns;
    q.n_messages = 2;
    q.max_tokens = 10;
    check_status(slm_engine_run(local, &q, &none, &err), SLM_E_UNSUPPORTED, &err);
    check_text(&err, "does not do task 'chat'");
    p.chat_template = chat_template;
    p.chat_template_len = sizeof chat_template - 1;
    check_status(slm_engine_local(&e, model, &p, &err), SLM_OK, &err);
    slm_reply chat = answer(e, &q);
    slm_request plain = ask(SLM_TASK_GENERATE, "system: Tell\ta \"story\" \\.\nuser: <s>Once</s>\nassistant:");
    plain.max_tokens = 10;
    slm_reply want = answer(local, &plain);
    assert_string_equal(chat.text, want.text);          /* and what looks like control tokens in a message is none */
    assert_int_equal(chat.prompt_tokens, want.prompt_tokens);
    assert_memory_equal(chat.scores, want.scores, want.n_scores * sizeof *want.scores);
    slm_reply_free(&chat);
    slm_reply_free(&want);
    slm_engine_free(e);
    p.chat_template = "{% for";
    p.chat_template_len = 6;
    check_status(slm_engine_local(&e, model, &p, &err), SLM_E_FORMAT, &err);
}

/* ---- score ---- */

/* log p of the tokens of whole[] from `from` on, by hand. */
static double by_hand(const int32_t *ids, size_t n, size_t from)
{
    slm_error err = { 0 };
    slm_session *s = NULL;
    double sum = 0;
    check_status(slm_session_new(&s, model, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed(s, ids, from, &err), SLM_OK, &err);
    for (size_t i = from; i < n; i++) {
        double nats;
        check_status(slm_logits_score(slm_session_logits(s), info.vocab, ids[i], &nats, &err), SLM_OK, &err);
        sum += nats;
        check_status(slm_session_feed(s, ids + i, 1, &err), SLM_OK, &err);
    }
    slm_session_free(s);
    return sum;
}

/* Ids with BOS as the file says, never EOS. */
static size_t encode(int32_t *ids, size_t room, const char *whole)
{
    slm_error err = { 0 };
    slm_tokenizer_info v = SLM_TOKENIZER_INFO_INIT;
    const slm_tokenizer *t = slm_model_tokenizer(model);
    size_t n = 0;
    check_status(slm_tokenizer_get_info(t, &v, &err), SLM_OK, &err);
    const size_t bos = v.add_bos && v.bos >= 0;
    ids[0] = v.bos;
    check_status(slm_tokenizer_encode(t, ids + bos, room - bos, &n, whole, strlen(whole), 0, &err), SLM_OK, &err);
    return n + bos;
}

static double score(const char *prompt, const char *then, slm_reply *keep)
{
    slm_request q = ask(SLM_TASK_SCORE, prompt);
    q.answer = then;
    q.answer_len = strlen(then);
    slm_reply r = answer(local, &q);
    const double sum = r.confidence->sum;
    assert_int_equal(r.n_scores, r.tokens);
    assert_string_equal(r.text, "");
    if (keep)
        *keep = r;
    else
        slm_reply_free(&r);
    return sum;
}

static void a_score_is_that_of_the_joined_text(void **state)
{
    (void)state;
    static const char *const answers[] = { " loved to play.", " was very sad because it rained and rained.", "se", "." };
    for (size_t i = 0; i < COUNT(answers); i++) {
        char joined[256];
        int32_t ids[128], prompt[128];
        (void)snprintf(joined, sizeof joined, "%s%s", story, answers[i]);
        const size_t n = encode(ids, 128, joined), m = encode(prompt, 128, story);
        size_t same = 0;
        while (same < n && same < m && ids[same] == prompt[same])
            same++;
        slm_reply r;
        const double got = score(story, answers[i], &r), want = by_hand(ids, n, same);
        assert_int_equal(r.tokens, n - same);
        near_to(got, want, 1e-9, answers[i]);
        slm_reply_free(&r);
    }
    /* the space may stand on either side */
    const double a = score("There was a", " dog", NULL), b = score("There was a ", "dog", NULL);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(score("Once upon a", " time", NULL) > score("Once upon a", " zebra", NULL));
    (void)score("", "Once upon a time", NULL);
}

/* ---- choose ---- */

static slm_reply choose(const slm_engine *e, const char *prompt, const char *const *labels, size_t n)
{
    slm_request q = ask(SLM_TASK_CHOOSE, prompt);
    q.labels = labels;
    q.n_labels = n;
    return answer(e, &q);
}

static void labels_get_the_probability_of_their_tokens(void **state)
{
    (void)state;
    static const char *const labels[] = { " dog", " cat", " big red dog", " big red ball", " big house", " little boy named Tim", " little girl", " bird" };
    static const char prompt[] = "One day she saw a";
    double sum = 0, most = -1e9;
    slm_reply r = choose(local, prompt, labels, COUNT(labels));
    assert_int_equal(r.n_labels, COUNT(labels));
    for (size_t i = 0; i < COUNT(labels); i++) {
        char joined[128];
        int32_t ids[64], head[64];
        (void)snprintf(joined, sizeof joined, "%s%s", prompt, labels[i]);
        const size_t n = encode(ids, 64, joined), m = encode(head, 64, prompt);
        near_to(r.labels[i].logp, by_hand(ids, n, m), 1e-9, labels[i]);
        assert_int_equal(r.labels[i].tokens, n - m);
        near_to(score(prompt, labels[i], NULL), r.labels[i].logp, 1e-9, labels[i]);
        sum += r.labels[i].p;
        most = r.labels[i].logp > most ? r.labels[i].logp : most;
    }
    near_to(sum, 1, 1e-12, "sum of p");
    assert_true(r.labels[r.label].logp == most);
    assert_string_equal(r.text, labels[r.label]);
    assert_int_equal(r.confidence->kind, SLM_CONFIDENCE_LABELS);
    assert_true(r.confidence->value == r.labels[r.label].p);
    near_to(r.confidence->sum, r.labels[r.label].logp, 1e-9, "sum of the best label's tokens");
    /* in another order the numbers are the same bits */
    const char *back[COUNT(labels)];
    for (size_t i = 0; i < COUNT(labels); i++)
        back[i] = labels[COUNT(labels) - 1 - i];
    slm_reply b = choose(local, prompt, back, COUNT(labels));
    for (size_t i = 0; i < COUNT(labels); i++)
        assert_memory_equal(&b.labels[COUNT(labels) - 1 - i].logp, &r.labels[i].logp, sizeof(double));
    slm_reply_free(&r);
    slm_reply_free(&b);
}

/* " big" and " big red" and " big red dog": an outer one counts only if no inner one follows. */
static void a_label_that_begins_others_ends_where_they_do_not_follow(void **state)
{
    (void)state;
    static const char *const labels[] = { " big", " big red dog", " big red", " small" };
    static const char prompt[] = "One day she saw a";
    slm_reply r = choose(local, prompt, labels, COUNT(labels));
    int32_t ids[64];
    double whole[4];
    size_t n[4], m = encode(ids, 64, prompt);
    for (size_t i = 0; i < 4; i++) {
        char joined[128];
        (void)snprintf(joined, sizeof joined, "%s%s", prompt, labels[i]);
        n[i] = encode(ids, 64, joined);
        whole[i] = by_hand(ids, n[i], m);
    }
    assert_true(n[0] < n[2] && n[2] < n[1]);
    char joined[128];
    (void)snprintf(joined, sizeof joined, "%s%s", prompt, labels[1]);
    assert_int_equal(encode(ids, 64, joined), n[1]);
    near_to(by_hand(ids, n[2], m), whole[2], 1e-9, "' big red' begins ' big red dog'");
    near_to(exp(r.labels[0].logp), exp(whole[0]) - exp(by_hand(ids, n[0] + 1, m)), 1e-7, labels[0]);
    near_to(exp(r.labels[2].logp), exp(whole[2]) - exp(by_hand(ids, n[2] + 1, m)), 1e-7, labels[2]);
    near_to(r.labels[1].logp, whole[1], 1e-9, labels[1]);
    near_to(r.labels[3].logp, whole[3], 1e-9, labels[3]);
    assert_true(r.labels[2].logp < whole[2] && r.labels[0].logp < whole[0]);
    slm_reply_free(&r);
}

static void one_label_is_certain_and_a_thousand_add_up(void **state)
{
    (void)state;
    static char names[1000][24];
    static const char *labels[1000];
    slm_reply one = choose(local, story, (const char *const[]){ " ran" }, 1);
    assert_true(one.labels[0].p == 1 && one.confidence->margin == 1 && one.confidence->entropy == 0);
    slm_reply_free(&one);
    for (size_t i = 0; i < 1000; i++) {
        (void)snprintf(names[i], sizeof names[i], " %s number %zu", i % 2 ? "house" : "tree", i);
        labels[i] = names[i];
    }
    slm_reply r = choose(local, "She went to", labels, 1000);
    double sum = 0;
    for (size_t i = 0; i < 1000; i++) {
        sum += r.labels[i].p;
        if (i % 97 == 0 && i > 99) {        /* three digits: begins no other */
            char joined[64];
            int32_t ids[64];
            (void)snprintf(joined, sizeof joined, "She went to%s", labels[i]);
            const size_t n = encode(ids, 64, joined);
            near_to(r.labels[i].logp, by_hand(ids, n, n - r.labels[i].tokens), 1e-9, labels[i]);
        }
    }
    near_to(sum, 1, 1e-9, "sum of p");
    slm_reply_free(&r);
}

/* ---- threads ---- */

static void *many(void *arg)
{
    const slm_reply *want = arg;
    for (int i = 0; i < 4; i++) {
        static const char *const labels[] = { " dog", " cat", " big dog" };
        slm_request q = ask(SLM_TASK_GENERATE, story);
        slm_reply r = SLM_REPLY_INIT;
        slm_error err = { 0 };
        q.max_tokens = 12;
        if (slm_engine_run(local, &q, &r, &err) || strcmp(r.text, want[0].text) != 0)
            return arg;
        slm_reply_free(&r);
        q.task = SLM_TASK_CHOOSE;
        q.labels = labels;
        q.n_labels = 3;
        if (slm_engine_run(local, &q, &r, &err) || memcmp(r.labels, want[1].labels, 3 * sizeof *r.labels) != 0)
            return arg;
        slm_reply_free(&r);
    }
    return NULL;
}

static void one_engine_serves_many_threads(void **state)
{
    (void)state;
    static const char *const labels[] = { " dog", " cat", " big dog" };
    slm_request q = ask(SLM_TASK_GENERATE, story);
    q.max_tokens = 12;
    slm_reply want[2] = { answer(local, &q), choose(local, story, labels, 3) };
    pthread_t threads[5];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many, want), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    slm_reply_free(&want[0]);
    slm_reply_free(&want[1]);
}

static void *small(void *arg)
{
    static const char *const labels[] = { " dog", " cat", " big dog" };
    slm_request q = ask(SLM_TASK_CHOOSE, story);
    slm_reply r = SLM_REPLY_INIT;
    q.labels = labels;
    q.n_labels = 3;
    q.deadline_ms = 100000;
    return slm_engine_run(local, &q, &r, arg) ? arg : (slm_reply_free(&r), NULL);
}

static void a_small_stack_suffices(void **state)
{
    (void)state;
    slm_error err = { 0 };
    if (test_small_stack(small, &err))
        fail_msg("%s", err.text);
}

/* ---- memory ---- */

/* The model is opened once, with an allocator that can be told to pass on what a run asks for. */
typedef struct relay {
    slm_allocator allocator;
    const slm_allocator *to;        /* NULL: the system */
    slm_model *model;
    uint32_t task;
    const char *schema;
} relay;

static void *relay_alloc(void *user, size_t size)
{
    const relay *r = user;
    return r->to ? r->to->alloc(r->to->user, size) : aligned_alloc(64, (size + 63) / 64 * 64);
}

static void relay_release(void *user, void *memory, size_t size)
{
    const relay *r = user;
    if (r->to)
        r->to->release(r->to->user, memory, size);
    else
        free(memory);
}

static slm_status run_relayed(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    static const char *const labels[] = { " dog", " big dog", " big" };
    static const slm_message hello = SLM_MESSAGE("user", "hello", 5);
    relay *r = ctx;
    slm_engine_local_params p = SLM_ENGINE_LOCAL_PARAMS_INIT;
    slm_engine *e = NULL;
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = ask(r->task, "One day");
    p.context = 64;
    p.chunk = 8;
    q.max_tokens = 4;
    q.labels = labels;
    q.n_labels = 3;
    q.answer = " she was";
    q.answer_len = 8;
    q.messages = &hello;
    q.n_messages = 1;
    p.chat_template = chat_template;
    p.chat_template_len = sizeof chat_template - 1;
    q.schema = r->schema;
    q.schema_len = r->schema ? strlen(r->schema) : 0;
    r->to = allocator;
    slm_status status = slm_engine_local(&e, r->model, &p, err);
    if (!status)
        status = slm_engine_run(e, &q, &reply, err);
    slm_engine_free(e);
    if (status) {
        slm_reply_free(&reply);
        return status;
    }
    slm_reply *kept = malloc(sizeof *kept);
    assert_non_null(kept);
    *kept = reply;
    *out = kept;
    return SLM_OK;
}

static void drop(void *ctx, void *object)
{
    (void)ctx;
    slm_reply_free(object);
    free(object);
}

static void every_refused_allocation_ends_in_a_status(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    relay r = { .allocator = { &r, relay_alloc, relay_release } };
    p.allocator = &r.allocator;
    p.threads = 1;
    check_status(slm_model_open(&r.model, path, &p, &err), SLM_OK, &err);
    for (r.task = SLM_TASK_GENERATE; r.task <= SLM_TASK_SCORE; r.task++) {
        const size_t calls = fail_alloc_every("engine", run_relayed, drop, &r);
        assert_true(calls > 10);
    }
    slm_constraint *warm = NULL;            /* the trie stays with the tokenizer, which is not this call's */
    r.to = NULL;
    check_status(slm_constraint_regex(&warm, slm_model_tokenizer(r.model), "a", &err), SLM_OK, &err);
    slm_constraint_free(warm);
    r.task = SLM_TASK_GENERATE;
    r.schema = "{\"enum\":[1,22]}";
    assert_true(fail_alloc_every("engine with a schema", run_relayed, drop, &r) > 20);
    r.to = NULL;
    slm_model_free(r.model);
}

static void an_engine_is_made_within_its_ranges(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_engine *e = NULL;
    char name[70];
    memset(name, 'n', 69);
    name[69] = 0;
    slm_engine_local_params p = SLM_ENGINE_LOCAL_PARAMS_INIT;
    p.idle = 17;
    check_status(slm_engine_local(&e, model, &p, &err), SLM_E_ARG, &err);
    check_text(&err, "17 idle sessions (allowed 16)");
    p.idle = 0;
    p.name = name;
    check_status(slm_engine_local(&e, model, &p, &err), SLM_E_ARG, &err);
    p.name = "small";
    p.kv = 3;
    check_status(slm_engine_local(&e, model, &p, &err), SLM_E_ARG, &err);
    p.kv = 0;
    p.context = 16;
    check_status(slm_engine_local(&e, NULL, &p, &err), SLM_E_ARG, &err);
    check_status(slm_engine_local(&e, model, &p, &err), SLM_OK, &err);
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = ask(SLM_TASK_GENERATE, "One day");
    check_status(slm_engine_run(e, &q, &reply, &err), SLM_OK, &err);
    assert_int_equal(reply.reason, SLM_STOP_CONTEXT);
    assert_int_equal(reply.prompt_tokens + reply.tokens, 16);
    assert_string_equal(reply.engine, "small");
    slm_reply_free(&reply);
    q = ask(SLM_TASK_GENERATE, "One day a very big and very small house and tree and dog and cat ran away from here to there and back again");
    check_status(slm_engine_run(e, &q, &reply, &err), SLM_E_CONTEXT, &err);
    check_text(&err, "the context has 16");
    slm_engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_outside_its_ranges_is_refused_by_name),
        cmocka_unit_test(an_engine_gets_only_what_its_traits_allow),
        cmocka_unit_test(a_reply_of_an_older_caller_gets_what_it_has_room_for),
        cmocka_unit_test(the_local_engine_generates_what_a_session_does),
        cmocka_unit_test(scores_of_a_generation_are_those_of_the_logits),
        cmocka_unit_test(a_prompt_seen_before_changes_time_and_nothing_else),
        cmocka_unit_test(cancel_ends_a_call_and_stays_set),
        cmocka_unit_test(a_deadline_ends_a_call_and_keeps_what_was_made),
        cmocka_unit_test(an_answer_keeps_to_a_schema_or_pattern),
        cmocka_unit_test(a_chat_is_the_generation_after_its_rendered_prompt),
        cmocka_unit_test(a_score_is_that_of_the_joined_text),
        cmocka_unit_test(labels_get_the_probability_of_their_tokens),
        cmocka_unit_test(a_label_that_begins_others_ends_where_they_do_not_follow),
        cmocka_unit_test(one_label_is_certain_and_a_thousand_add_up),
        cmocka_unit_test(one_engine_serves_many_threads),
        cmocka_unit_test(a_small_stack_suffices),
        cmocka_unit_test(every_refused_allocation_ends_in_a_status),
        cmocka_unit_test(an_engine_is_made_within_its_ranges),
    };
    return cmocka_run_group_tests_name("engine", tests, open_model, close_model) != 0;
}
