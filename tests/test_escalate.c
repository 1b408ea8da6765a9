/* test_escalate.c -- two engines made of data: which one answers, why, what it costs, what is shown, and what never leaves. */
#include "harness/test.h"

#include <stdio.h>

/* An engine that gives what it is told to. */
typedef struct fake {
    slm_engine engine;
    slm_status status;
    const char *text;
    double confidence;              /* below 0: none */
    uint64_t prompt, output;
    bool costed, partial;
    int calls;
    uint32_t deadline;
    bool had_text;
} fake;

static slm_status give(void *user, const slm_request *q, slm_reply *reply, slm_error *err)
{
    fake *f = user;
    slm_confidence c = SLM_CONFIDENCE_INIT;
    f->calls++;
    f->deadline = q->deadline_ms;
    f->had_text = q->text != NULL;
    if (err && f->status)
        (void)snprintf(err->text, sizeof err->text, "%s is out of order", f->engine.name);
    if (f->status && !f->partial)
        return f->status;
    c.value = f->confidence;
    reply->text = f->text;
    reply->text_len = strlen(f->text);
    reply->model = "m";
    reply->confidence = f->confidence >= 0 ? &c : NULL;
    reply->prompt_tokens = f->prompt;
    reply->tokens = f->output;
    reply->left = !(f->engine.traits & SLM_ENGINE_LOCAL);
    reply->tries = reply->left;
    if (q->text)
        (void)q->text(q->user, f->text, strlen(f->text));
    const slm_status owned = slm_reply_own(reply, NULL, err);
    return f->status ? f->status : owned;
}

typedef struct setting {
    fake local, remote;
    slm_engine *both;
    slm_engine_escalate_params p;
    slm_request q;
    slm_reply reply;
    slm_error err;
    char shown[100];
} setting;

static int show(void *user, const char *text, size_t n)
{
    strncat(user, text, n);
    return 0;
}

static void init(setting *s)
{
    *s = (setting){ .p = SLM_ENGINE_ESCALATE_PARAMS_INIT, .q = SLM_REQUEST_INIT, .reply = SLM_REPLY_INIT };
    s->local = (fake){ .text = "near", .confidence = 0.9, .prompt = 10, .output = 5 };
    s->remote = (fake){ .text = "far", .confidence = -1, .prompt = 100, .output = 50 };
    s->local.engine = (slm_engine){ sizeof(slm_engine), &s->local, "local", 1, SLM_ENGINE_LOCAL, give, NULL };
    s->remote.engine = (slm_engine){ sizeof(slm_engine), &s->remote, "remote", 3, 0, give, NULL };
    s->p.threshold = 0.5;
    s->q.prompt = "x";
    s->q.prompt_len = 1;
    s->q.privacy = SLM_PRIVACY_MAY_LEAVE;
    s->q.text = show;
    s->q.user = s->shown;
}

static slm_status ask(setting *s)
{
    check_status(slm_engine_escalate(&s->both, &s->local.engine, &s->remote.engine, &s->p, &s->err), SLM_OK, &s->err);
    const slm_status status = slm_engine_run(s->both, &s->q, &s->reply, &s->err);
    slm_engine_free(s->both);
    return status;
}

static void check(setting *s, const char *text, const char *engine, uint32_t route, const char *note)
{
    check_status(ask(s), SLM_OK, &s->err);
    assert_string_equal(s->reply.text, text);
    assert_string_equal(s->shown, text);
    assert_string_equal(s->reply.engine, engine);
    assert_int_equal(s->reply.route, route);
    if (!strstr(s->reply.note, note))
        fail_msg("note '%s' lacks '%s'", s->reply.note, note);
    slm_reply_free(&s->reply);
}

static void a_sure_answer_stays(void **state)
{
    (void)state;
    setting s;
    init(&s);
    check(&s, "near", "local", SLM_ROUTE_LOCAL, "0.9000");
    assert_int_equal(s.remote.calls, 0);
    init(&s);
    s.local.confidence = 0.5;                               /* equal stays */
    check(&s, "near", "local", SLM_ROUTE_LOCAL, "0.5000");
}

static void an_unsure_one_goes_on(void **state)
{
    (void)state;
    setting s;
    init(&s);
    s.local.confidence = 0.4999;
    check(&s, "far", "remote", SLM_ROUTE_UNSURE, "confidence 0.4999 is under 0.5000");
    assert_false(s.local.had_text);
    assert_false(s.remote.had_text);
    init(&s);
    s.local.confidence = -1;
    check(&s, "far", "remote", SLM_ROUTE_UNSURE, "no confidence");
    init(&s);
    s.local.confidence = -1;
    s.p.threshold = 0;
    check(&s, "near", "local", SLM_ROUTE_LOCAL, "");
}

static int verdict;
static int verify(void *user, const slm_request *q, const slm_reply *reply)
{
    assert_string_equal(reply->text, "near");
    assert_string_equal(q->prompt, "x");
    assert_null(user);
    return verdict;
}

static void the_callers_check_decides(void **state)
{
    (void)state;
    setting s;
    init(&s);
    s.p.verify = verify;
    verdict = 0;
    check(&s, "near", "local", SLM_ROUTE_LOCAL, "");
    init(&s);
    s.p.verify = verify;
    verdict = 1;
    check(&s, "far", "remote", SLM_ROUTE_UNVERIFIED, "did not pass");
    init(&s);
    s.p.verify = verify;
    verdict = -7;
    assert_int_equal(ask(&s), SLM_E_CALLBACK);
    check_text(&s.err, "-7");
    assert_int_equal(s.remote.calls, 0);
}

static void what_must_stay_stays(void **state)
{
    (void)state;
    for (uint32_t class = SLM_PRIVACY_LOCAL_ONLY; class <= SLM_PRIVACY_MASKED; class++) {
        setting s;
        init(&s);
        s.local.confidence = 0.1;
        s.q.privacy = class;
        check(&s, "near", "local", SLM_ROUTE_KEPT, "not escalated: SLM_E_REFUSED");
        assert_int_equal(s.remote.calls, 0);
    }
}

static void the_local_answer_outlives_any_failure_of_the_other(void **state)
{
    (void)state;
    for (int i = SLM_E_INTERNAL; i < 0; i++) {
        setting s;
        init(&s);
        s.local.confidence = 0.1;
        s.remote.status = (slm_status)i;
        if (i == SLM_E_CANCELLED) {
            assert_int_equal(ask(&s), SLM_E_CANCELLED);
            continue;
        }
        check_status(ask(&s), SLM_OK, &s.err);
        assert_string_equal(s.reply.text, "near");
        assert_int_equal(s.reply.route, SLM_ROUTE_KEPT);
        assert_int_equal(s.reply.route_status, i);
        assert_non_null(strstr(s.reply.note, "remote is out of order"));
        slm_reply_free(&s.reply);
    }
}

static void a_failed_local_engine_goes_on(void **state)
{
    (void)state;
    setting s;
    init(&s);
    s.local.status = SLM_E_CONTEXT;
    check(&s, "far", "remote", SLM_ROUTE_FAILED, "SLM_E_CONTEXT: local is out of order");
    init(&s);
    s.q.task = SLM_TASK_CHAT;                               /* only the second one chats */
    s.q.messages = &(slm_message)SLM_MESSAGE("user", "x", 1);
    s.q.n_messages = 1;
    check(&s, "far", "remote", SLM_ROUTE_FAILED, "SLM_E_UNSUPPORTED");
    init(&s);
    s.local.status = SLM_E_CONTEXT;
    s.remote.status = SLM_E_REMOTE;
    assert_int_equal(ask(&s), SLM_E_CONTEXT);
    check_text(&s.err, "local is out of order; then SLM_E_REMOTE: remote is out of order");
}

static void streamed_text_cannot_be_taken_back(void **state)
{
    (void)state;
    setting s;
    init(&s);
    s.local.confidence = 0.1;
    s.p.flags = SLM_ESCALATE_STREAM;
    check(&s, "far", "remote", SLM_ROUTE_UNSURE, "");
    assert_true(s.remote.had_text);
    init(&s);
    s.local.confidence = 0.1;
    s.p.flags = SLM_ESCALATE_STREAM;
    s.remote.status = SLM_E_NETWORK;
    s.remote.partial = true;
    assert_int_equal(ask(&s), SLM_E_NETWORK);
    assert_string_equal(s.reply.text, "far");
    assert_int_equal(s.reply.partial, 1);
    slm_reply_free(&s.reply);
}

static void money_is_reserved_and_settled(void **state)
{
    (void)state;
    const slm_price price = { "m", 1000000, 2000000, 0, 0 };
    slm_budget_params bp = SLM_BUDGET_PARAMS_INIT;
    slm_budget_info info = SLM_BUDGET_INFO_INIT;
    slm_budget *b = NULL;
    setting s;
    init(&s);
    bp.total = 5000000;
    bp.prices = &price;
    bp.n_prices = 1;
    check_status(slm_budget_new(&b, &bp, &s.err), SLM_OK, &s.err);
    s.local.confidence = 0.1;
    s.p.budget = b;
    s.p.model = "m";
    s.p.tries = 1;
    s.q.max_tokens = 100;
    check_status(ask(&s), SLM_OK, &s.err);
    assert_int_equal(s.reply.cost, 100 * 1000 + 50 * 2000);
    assert_true(s.reply.flags & SLM_REPLY_COSTED);
    slm_reply_free(&s.reply);
    check_status(slm_budget_get_info(b, &info, &s.err), SLM_OK, &s.err);
    assert_true(info.spent == 200000 && info.reserved == 0);
    s.remote.status = SLM_E_NETWORK;                        /* nobody knows what was billed: all that was reserved is */
    s.shown[0] = 0;
    check(&s, "near", "local", SLM_ROUTE_KEPT, "");
    check_status(slm_budget_get_info(b, &info, &s.err), SLM_OK, &s.err);
    assert_int_equal(info.spent, 200000 + 65 * 1000 + 100 * 2000);
    s.remote.status = SLM_OK;
    s.q.max_tokens = 100000;                                /* could cost more than is left */
    const int calls = s.remote.calls;
    s.shown[0] = 0;
    check(&s, "near", "local", SLM_ROUTE_KEPT, "SLM_E_BUDGET");
    assert_int_equal(s.remote.calls, calls);
    slm_budget_free(b);
}

static void the_deadline_is_shared(void **state)
{
    (void)state;
    setting s;
    init(&s);
    s.local.confidence = 0.1;
    s.q.deadline_ms = 60000;
    check(&s, "far", "remote", SLM_ROUTE_UNSURE, "");
    assert_in_range(s.remote.deadline, 1, 60000);
}

static void wrong_params_are_refused(void **state)
{
    (void)state;
    setting s;
    init(&s);
    check_status(slm_engine_escalate(&s.both, &s.remote.engine, &s.local.engine, &s.p, &s.err), SLM_E_ARG, &s.err);     /* not local */
    check_text(&s.err, "'remote' does not say that it is local");
    check_status(slm_engine_escalate(&s.both, NULL, &s.remote.engine, &s.p, &s.err), SLM_E_ARG, &s.err);
    check_status(slm_engine_escalate(&s.both, &s.local.engine, NULL, &s.p, &s.err), SLM_E_ARG, &s.err);
    s.p.threshold = 1.5;
    check_status(slm_engine_escalate(&s.both, &s.local.engine, &s.remote.engine, &s.p, &s.err), SLM_E_ARG, &s.err);
    assert_null(s.both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sure_answer_stays),       cmocka_unit_test(an_unsure_one_goes_on),       cmocka_unit_test(the_callers_check_decides),
        cmocka_unit_test(what_must_stay_stays),      cmocka_unit_test(the_local_answer_outlives_any_failure_of_the_other),
        cmocka_unit_test(a_failed_local_engine_goes_on), cmocka_unit_test(streamed_text_cannot_be_taken_back),
        cmocka_unit_test(money_is_reserved_and_settled), cmocka_unit_test(the_deadline_is_shared), cmocka_unit_test(wrong_params_are_refused),
    };
    return cmocka_run_group_tests_name("escalate", tests, NULL, NULL) != 0;
}
