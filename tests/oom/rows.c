/* rows.c -- every public call. A row's `before` makes what the call works on, `call` makes the call and puts what it wrote into the world:
 * a handle into its place, anything else into bytes. A handle must be untouched when the call fails. */
#include "oom/oom.h"

#include "harness/fail_wrap.h"
#include "harness/tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FED = 70, MADE = 90 };           /* tokens; the second page of the cache begins at 64, the third at 128 */

static const char chat[] = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}";
static const char talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\" hi \\u00e9 \"},{\"role\":\"assistant\",\"content\":\"\"}]}";
static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1},\"b\":{\"enum\":[\"x\",\"yy\"]},"
                             "\"c\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^[a-c]+$\"}}},\"required\":[\"a\",\"b\",\"c\"],"
                             "\"additionalProperties\":false}";
static const char *const labels[] = { "The cat", "The dog", " sat" };

static void must(slm_status status, const slm_error *err)
{
    if (status)
        fail_msg("%s: %s", slm_status_name(status), err->text);
}

/* Calls `call` with the error `err` and a handle of `type` that has to stay as it is on failure; it goes to `place` otherwise. */
static char nothing;
#define MAKES(type, place, call)                                            \
    type *made = (type *)(void *)&nothing;                                  \
    const slm_status status = (call);                                       \
    if (!status)                                                            \
        (place) = made;                                                     \
    else if ((void *)made != &nothing)                                      \
        fail_msg("%s: the handle was written", w->row->symbol);             \
    return status

/* ---- before ---- */

static void empty(oom_world *w)
{
    (void)w;
}

static slm_model_params quiet(oom_world *w)
{
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    p.threads = 1;
    return p;
}

static void open_model(oom_world *w, const char *name, const char *tokenizer)
{
    slm_error err = { 0 };
    slm_model_params p = quiet(w);
    p.tokenizer_path = tokenizer ? test_path(tokenizer) : NULL;
    must(slm_model_open(&w->model, test_path(name), &p, &err), &err);
}

static void decoder(oom_world *w) { open_model(w, "tiny.gguf", NULL); }
static void parrot(oom_world *w) { open_model(w, "parrot.bin", "parrot.tok"); }

static void with_session(oom_world *w)
{
    decoder(w);
    w->session = tiny_session(w->model, 300);
}

static void with_text(oom_world *w)
{
    with_session(w);
    tiny_feed(w->session, 6, 0, FED);
}

static void with_fork(oom_world *w)
{
    slm_error err = { 0 };
    with_text(w);
    must(slm_session_fork(&w->other, w->session, &err), &err);
}

static void parrot_session(oom_world *w)
{
    slm_error err = { 0 };
    parrot(w);
    w->session = tiny_session(w->model, 200);
    must(slm_session_feed_text(w->session, "\n", 1, 0, &err), &err);
    w->start = slm_session_position(w->session);
}

static void parrot_drafter(oom_world *w)
{
    parrot_session(w);
    w->other = tiny_session(w->model, 200);
}

static void parrot_constraint(oom_world *w)
{
    slm_error err = { 0 };
    parrot_session(w);
    must(slm_constraint_schema(&w->constraint, slm_model_tokenizer(w->model), schema, sizeof schema - 1, &err), &err);
}

static void parrot_guide(oom_world *w)
{
    slm_error err = { 0 };
    parrot_constraint(w);
    must(slm_guide_new(&w->guide, w->constraint, w->session, 0, &err), &err);
}

static void with_batch(oom_world *w)
{
    slm_error err = { 0 };
    with_text(w);
    w->other = tiny_session(w->model, 300);
    must(slm_batch_new(&w->batch, w->model, NULL, &err), &err);
    memset(w->failed, true, sizeof w->failed);
}

static void encoder_model(oom_world *w) { open_model(w, "encoder.gguf", NULL); }

static void with_encoder(oom_world *w)
{
    slm_error err = { 0 };
    encoder_model(w);
    must(slm_encoder_new(&w->encoder, w->model, NULL, &err), &err);
    memset(w->failed, true, sizeof w->failed);
}

static slm_file_params file_params(oom_world *w)
{
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    p.threads = 1;
    if (strcmp(w->row->how, "parrot.bin") == 0)
        p.tokenizer_path = test_path("parrot.tok");
    return p;
}

static void with_file(oom_world *w)
{
    slm_error err = { 0 };
    const slm_file_params p = file_params(w);
    must(slm_file_open(&w->file, test_path(w->row->how), &p, &err), &err);
}

static void with_tokenizer(oom_world *w)
{
    slm_error err = { 0 };
    const slm_file_params p = file_params(w);
    must(slm_tokenizer_open(&w->tokenizer, test_path(w->row->how), &p, &err), &err);
}

static slm_template_params template_params(oom_world *w)
{
    slm_template_params p = SLM_TEMPLATE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    return p;
}

static void with_template(oom_world *w)
{
    slm_error err = { 0 };
    const slm_template_params p = template_params(w);
    must(slm_template_new(&w->tmpl, chat, sizeof chat - 1, &p, &err), &err);
}

static void with_rendered(oom_world *w)
{
    slm_error err = { 0 };
    with_tokenizer(w);
    with_template(w);
    must(slm_template_render(&w->rendered, w->tmpl, talk, sizeof talk - 1, NULL, &err), &err);
}

static slm_engine_local_params engine_params(void)
{
    slm_engine_local_params p = SLM_ENGINE_LOCAL_PARAMS_INIT;
    p.context = 200;
    p.chat_template = chat;
    p.chat_template_len = sizeof chat - 1;
    return p;
}

static void with_engine(oom_world *w)
{
    slm_error err = { 0 };
    const slm_engine_local_params p = engine_params();
    parrot(w);
    must(slm_engine_local(&w->engine, w->model, &p, &err), &err);
}

/* An engine of the caller's that says what the local one says, so that the same comes out whoever answers. */
static slm_status say_the_same(void *user, const slm_request *request, slm_reply *reply, slm_error *err)
{
    (void)request;
    (void)err;
    (void)user;
    reply->text = "The cat sat";
    reply->text_len = 11;
    reply->model = "";
    return slm_reply_own(reply, NULL, err);
}

static slm_engine same_engine = { sizeof same_engine, NULL, "same", 15, SLM_ENGINE_LOCAL, say_the_same, NULL };

static void with_two(oom_world *w)
{
    slm_error err = { 0 };
    with_engine(w);
    slm_engine_escalate_params p = SLM_ENGINE_ESCALATE_PARAMS_INIT;
    must(slm_engine_escalate(&w->both, w->engine, &same_engine, &p, &err), &err);
}

static const slm_price prices[] = { { "gpt-*", 150000, 600000, 75000, 0 }, { "other", 1000000, 2000000, 0, 0 } };

static slm_budget_params budget_params(void)
{
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    p.total = 1000000000;
    p.prices = prices;
    p.n_prices = COUNT(prices);
    return p;
}

static void with_budget(oom_world *w)
{
    slm_error err = { 0 };
    const slm_budget_params p = budget_params();
    must(slm_budget_new(&w->budget, &p, &err), &err);
}

/* ---- files ---- */

static slm_status file_open(oom_world *w, slm_error *err)
{
    const slm_file_params p = file_params(w);
    MAKES(slm_file, w->file, slm_file_open(&made, test_path(w->row->how), &p, err));
}

static slm_status file_read(oom_world *w, slm_error *err)
{
    slm_tensor_info t = SLM_TENSOR_INFO_INIT;
    const size_t last = slm_file_tensors(w->file) - 1;
    must(slm_file_tensor(w->file, last, &t, err), err);
    const size_t n = (size_t)(t.dims[0] * t.dims[1]);
    static float values[65536];
    memset(values, 0xc3, sizeof values);
    const slm_status status = slm_file_read(w->file, last, values, n, err);
    memcpy(w->bytes, values, sizeof w->bytes);
    return status;
}

static slm_quantize_params making(oom_world *w, const char *type)
{
    slm_quantize_params p = SLM_QUANTIZE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    p.type = type;
    p.threads = 1;
    if (strcmp(w->row->how, "parrot.bin") == 0)
        p.tokenizer_path = test_path("parrot.tok");
    return p;
}

/* The file that was made (read while nothing is refused), as its hash; nothing of it may be there after a failure. */
static slm_status wrote(oom_world *w, slm_status status)
{
    const char *path = test_path("made");
    size_t n;
    fail_wrap_pause(true);
    if (status) {
        if (access(path, F_OK) == 0)
            fail_msg("%s: a file is there after the failure", w->row->symbol);
        fail_wrap_pause(false);
        return status;
    }
    uint8_t *bytes = test_file_read(path, &n);
    slm_sha256((char *)w->bytes, bytes, n);
    free(bytes);
    (void)unlink(path);
    fail_wrap_pause(false);
    return status;
}

static slm_status quantize(oom_world *w, slm_error *err)
{
    const slm_quantize_params p = making(w, "q4_0");
    return wrote(w, slm_quantize_file(test_path(w->row->how), test_path("made"), &p, err));
}

static slm_status convert(oom_world *w, slm_error *err)
{
    const slm_quantize_params p = making(w, NULL);
    return wrote(w, slm_convert_file(test_path(w->row->how), test_path("made"), &p, err));
}

static slm_status pack(oom_world *w, slm_error *err)
{
    const slm_quantize_params p = making(w, "w8a8");
    return wrote(w, slm_pack_file(test_path(w->row->how), test_path("made"), &p, err));
}

static slm_status importance_measure(oom_world *w, slm_error *err)
{
    int32_t tokens[MADE];
    slm_importance_params p = SLM_IMPORTANCE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    for (size_t i = 0; i < MADE; i++)
        tokens[i] = tiny_token(11, i);
    MAKES(slm_importance, w->importance, slm_importance_measure(&made, w->model, tokens, MADE, &p, err));
}

static slm_status check_file(oom_world *w, slm_error *err)
{
    const slm_file_params p = file_params(w);
    slm_check_info info = SLM_CHECK_INFO_INIT;
    const slm_status status = slm_check_file(test_path(w->row->how), &p, &info, err);
    if (!status)
        memcpy(w->bytes, &info.sections, sizeof info.sections);
    else if (info.kind || info.sections)
        fail_msg("%s: the info was written", w->row->symbol);
    return status;
}

static int stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    (void)done;
    (void)total;
    return 1;
}

static slm_status make_model(oom_world *w, slm_error *err)
{
    slm_quantize_params p = making(w, "q4_0");
    p.progress = stop_at_once;
    return wrote(w, slm_make_model_file(w->row->how, test_path("made"), &p, err));
}

static slm_status peaks(oom_world *w, slm_error *err)
{
    slm_peaks p = SLM_PEAKS_INIT;
    const slm_status status = slm_peaks_measure(&p, 1, SLM_ISA_SCALAR, 1e-6, err);
    w->bytes[0] = status ? w->bytes[0] : p.read_gb_s > 0;
    return status;
}

/* ---- text ---- */

static slm_status tokenizer_open(oom_world *w, slm_error *err)
{
    const slm_file_params p = file_params(w);
    MAKES(slm_tokenizer, w->tokenizer, slm_tokenizer_open(&made, test_path(w->row->how), &p, err));
}

static const char words[] = "The cat sat abab, caf\xc3\xa9 e\xcc\x81 \xef\xbc\xa1 and so on\nuntil <s> the end of 1234567 words. "
                            "The cat sat abab, and so on until the end of it all";

static slm_status encode(oom_world *w, slm_error *err)
{
    size_t n = 0;
    const slm_status status = slm_tokenizer_encode(w->tokenizer, (int32_t *)(void *)w->bytes, 512, &n, words, sizeof words - 1, SLM_TEXT_BOS_EOS, err);
    if (status && n)
        fail_msg("%s: the count was written", w->row->symbol);
    return status;
}

static slm_status encode_ranges(oom_world *w, slm_error *err)
{
    size_t n = 0;
    const slm_status status = slm_tokenizer_encode_ranges(w->tokenizer, (int32_t *)(void *)w->bytes, (slm_text_range *)(void *)(w->bytes + 1024), 256, &n,
                                                          words, sizeof words - 1, SLM_TEXT_SPECIAL, err);
    if (status && n)
        fail_msg("%s: the count was written", w->row->symbol);
    return status;
}

static slm_status decode(oom_world *w, slm_error *err)
{
    const int32_t ids[] = { 0, 1, 2, 3, 4, 2 };
    size_t n;
    return slm_tokenizer_decode(w->tokenizer, (char *)w->bytes, sizeof w->bytes, &n, ids, strcmp(w->row->how, "wordpiece.json") ? 4 : 6, 0, err);
}

static slm_status encode_rendered(oom_world *w, slm_error *err)
{
    size_t n;
    return slm_tokenizer_encode_rendered(w->tokenizer, (int32_t *)(void *)w->bytes, 512, &n, w->rendered, SLM_TEXT_BOS_EOS, err);
}

static slm_status template_new(oom_world *w, slm_error *err)
{
    const slm_template_params p = template_params(w);
    MAKES(slm_template, w->tmpl, slm_template_new(&made, chat, sizeof chat - 1, &p, err));
}

static slm_status template_render(oom_world *w, slm_error *err)
{
    MAKES(slm_rendered, w->rendered, slm_template_render(&made, w->tmpl, talk, sizeof talk - 1, NULL, err));
}

/* ---- models and sessions ---- */

static slm_status model_open(oom_world *w, slm_error *err)
{
    slm_model_params p = quiet(w);
    p.no_map = p.verify = strcmp(w->row->how, "tiny.packed") == 0;
    p.tokenizer_path = strcmp(w->row->how, "parrot.bin") ? NULL : test_path("parrot.tok");
    MAKES(slm_model, w->model, slm_model_open(&made, test_path(w->row->how), &p, err));
}

static slm_status plan(oom_world *w, slm_error *err)
{
    const slm_model_params p = quiet(w);
    slm_plan_info info = SLM_PLAN_INFO_INIT;
    const slm_status status = slm_plan(&info, test_path(w->row->how), &p, NULL, err);
    if (!status)
        memcpy(w->bytes, &info, sizeof info);
    return status;
}

static slm_status session_new(oom_world *w, slm_error *err)
{
    MAKES(slm_session, w->session, slm_session_new(&made, w->model, NULL, err));
}

static slm_status session_fork(oom_world *w, slm_error *err)
{
    MAKES(slm_session, w->other, slm_session_fork(&made, w->session, err));
}

static slm_status session_profile(oom_world *w, slm_error *err)
{
    slm_profile_row rows[64];
    size_t n = 0;
    const slm_status status = slm_session_profile(w->session, rows, COUNT(rows), &n, err);
    w->bytes[0] = status ? w->bytes[0] : n > 3;
    return status;
}

static slm_status session_feed(oom_world *w, slm_error *err)
{
    int32_t tokens[MADE];
    for (size_t i = 0; i < MADE; i++)
        tokens[i] = tiny_token(7, i);
    return slm_session_feed(w->session, tokens, MADE, err);
}

static int see_row(void *user, size_t index, const float *logits, size_t vocab)
{
    oom_world *w = user;
    (void)vocab;
    w->text[index % sizeof w->text] = (char)(logits[1] > logits[2]);
    return 0;
}

static slm_status session_feed_rows(oom_world *w, slm_error *err)
{
    int32_t tokens[MADE];
    for (size_t i = 0; i < MADE; i++)
        tokens[i] = tiny_token(8, i);
    return slm_session_feed_rows(w->session, tokens, MADE, see_row, w, err);
}

static slm_status session_feed_text(oom_world *w, slm_error *err)
{
    return slm_session_feed_text(w->session, words, sizeof words - 1, 0, err);
}

static slm_status session_step(oom_world *w, slm_error *err)
{
    static const slm_bias bias[] = { { 3, 1.5f }, { 5, -2 } };
    slm_sampling s = SLM_SAMPLING_INIT;
    s.temperature = 0.8f;
    s.top_p = 0.9f;
    s.typical_p = 0.9f;
    s.repeat_penalty = 1.1f;
    s.dry_multiplier = 0.8f;
    s.penalty_window = UINT32_MAX;
    s.bias = bias;
    s.n_bias = COUNT(bias);
    s.guide = w->guide;
    return slm_session_step(w->session, &s, (int32_t *)(void *)w->bytes, err);
}

static slm_status session_save(oom_world *w, slm_error *err)
{
    return wrote(w, slm_session_save(w->session, test_path("made"), err));
}

static slm_status session_load(oom_world *w, slm_error *err)
{
    MAKES(slm_session, w->session, slm_session_load(&made, w->model, test_path("saved"), NULL, err));
}

static int hear(void *user, const char *text, size_t len)
{
    oom_world *w = user;
    for (size_t i = 0; i < len && w->text_len < sizeof w->text; i++)
        w->text[w->text_len++] = text[i];
    return 0;
}

static int count_token(void *user, const slm_scored *one, const slm_scored *top, size_t n_top)
{
    (void)user;
    return n_top != 2 || top[0].nats < one->nats;
}

/* A constraint begins anew with each call: what came before a failure must begin as the text of the first run, in which nothing is
 * refused, and is then taken back. */
static void take_back(oom_world *w, slm_status status)
{
    static char whole[sizeof w->text];
    slm_error err = { 0 };
    const int32_t last = slm_session_tokens(w->session)[w->start - 1];
    if (!status) {
        memcpy(whole, w->text, sizeof whole);
        return;
    }
    if (memcmp(whole, w->text, w->text_len) != 0)
        fail_msg("%s: another text before the failure", w->row->symbol);
    memset(w->text, 0, w->text_len);
    w->text_len = 0;
    w->memory.fail_at = 0;
    must(slm_session_truncate(w->session, w->start - 1, &err), &err);
    must(slm_session_feed(w->session, &last, 1, &err), &err);
}

/* What was made before a failure is kept; the second call makes the rest. */
static slm_status session_generate(oom_world *w, slm_error *err)
{
    static const char *const stops[] = { "zebra", "down down" };
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    slm_sampling s = SLM_SAMPLING_INIT;
    s.repeat_penalty = 1.001f;
    const size_t before = slm_session_position(w->session);
    p.max_tokens = (uint32_t)(MADE - (before - w->start));
    p.sampling = &s;
    p.text = hear;
    p.user = w;
    p.token = w->constraint || w->other ? NULL : count_token;
    p.n_top = p.token ? 2 : 0;
    p.stops = stops;
    p.n_stops = w->constraint ? 0 : COUNT(stops);
    p.constraint = w->constraint;
    p.drafter = w->other;
    p.draft = w->other ? 4 : 0;
    const slm_status status = slm_session_generate(w->session, &p, &made, err);
    if (slm_session_position(w->session) != before + made.tokens)
        fail_msg("%s: %zu tokens more, the result says %zu", w->row->symbol, slm_session_position(w->session) - before, made.tokens);
    if (w->constraint)
        take_back(w, status);
    return status;
}

static slm_status constraint_choice(oom_world *w, slm_error *err)
{
    MAKES(slm_constraint, w->constraint, slm_constraint_choice(&made, slm_model_tokenizer(w->model), labels, COUNT(labels), err));
}

static slm_status constraint_regex(oom_world *w, slm_error *err)
{
    MAKES(slm_constraint, w->constraint, slm_constraint_regex(&made, slm_model_tokenizer(w->model), "(a|[b-f]{2,5})+\\d*[^x-z\\s]?", err));
}

static slm_status constraint_schema(oom_world *w, slm_error *err)
{
    MAKES(slm_constraint, w->constraint, slm_constraint_schema(&made, slm_model_tokenizer(w->model), schema, sizeof schema - 1, err));
}

static slm_status guide_new(oom_world *w, slm_error *err)
{
    MAKES(slm_guide, w->guide, slm_guide_new(&made, w->constraint, w->session, 0, err));
}

static slm_status guide_push(oom_world *w, slm_error *err)
{
    return slm_guide_push(w->guide, 3 + '{', err);
}

static slm_status sample(oom_world *w, slm_error *err)
{
    static float logits[4096];
    slm_sampling s = SLM_SAMPLING_INIT;
    for (size_t i = 0; i < COUNT(logits); i++)
        logits[i] = (float)(i * 7919 % 101) / 20;
    s.temperature = 1;
    s.top_k = 50;
    s.min_p = 0.01f;
    return slm_sample((int32_t *)(void *)w->bytes, logits, COUNT(logits), &s, 3, err);
}

static slm_status batch_new(oom_world *w, slm_error *err)
{
    MAKES(slm_batch, w->batch, slm_batch_new(&made, w->model, NULL, err));
}

/* An item fails by itself; the second call is for those that did. */
static slm_status batch_step(oom_world *w, slm_error *err)
{
    int32_t tokens[MADE];
    slm_session *const sessions[2] = { w->session, w->other };
    slm_batch_item items[2];
    size_t n = 0, which[2];
    for (size_t i = 0; i < MADE; i++)
        tokens[i] = tiny_token(9, i);
    for (size_t i = 0; i < 2; i++)
        if (w->failed[i]) {
            which[n] = i;
            items[n++] = (slm_batch_item){ sessions[i], tokens, MADE, NULL, SLM_E_INTERNAL, 0 };
        }
    const slm_status status = slm_batch_step(w->batch, items, n, err);
    for (size_t i = 0; i < n; i++)
        w->failed[which[i]] = items[i].status != SLM_OK;
    return status;
}

/* ---- vectors ---- */

static slm_status encoder_new(oom_world *w, slm_error *err)
{
    MAKES(slm_encoder, w->encoder, slm_encoder_new(&made, w->model, NULL, err));
}

static slm_status encoder_states(oom_world *w, slm_error *err)
{
    int32_t tokens[30];
    for (size_t i = 0; i < COUNT(tokens); i++)
        tokens[i] = tiny_token(10, i);
    return slm_encoder_states(w->encoder, (float *)(void *)w->bytes, tokens, COUNT(tokens), err);
}

/* Items stand for themselves, as in a batch. */
static slm_status embed(oom_world *w, slm_error *err)
{
    static const char *const texts[OOM_ITEMS] = { "a b c", "the cat", "" };
    slm_embed_item items[OOM_ITEMS];
    size_t n = 0, which[OOM_ITEMS];
    for (size_t i = 0; i < OOM_ITEMS; i++)
        if (w->failed[i]) {
            which[n] = i;
            items[n++] = (slm_embed_item){ texts[i], strlen(texts[i]), NULL, 0, (float *)(void *)(w->bytes + 256 * i), NULL, SLM_E_MEMORY, 0 };
        }
    const slm_status status = slm_embed(w->encoder, items, n, NULL, err);
    for (size_t i = 0; i < n; i++) {
        w->failed[which[i]] = items[i].status != SLM_OK;
        if (items[i].status && w->bytes[256 * which[i]] != 0xc3)
            fail_msg("%s: the vector of an item that failed was written", w->row->symbol);
    }
    return status;
}

/* ---- engines ---- */

static slm_status confidence(oom_world *w, slm_error *err)
{
    slm_token_score tokens[40];
    slm_confidence c = SLM_CONFIDENCE_INIT;
    for (size_t i = 0; i < COUNT(tokens); i++)
        tokens[i] = (slm_token_score){ -(double)(i * 31 % 17) / 10, 0.5, 1 };
    const slm_status status = slm_confidence_of_tokens(&c, tokens, COUNT(tokens), err);
    if (!status)
        memcpy(w->bytes, &c, sizeof c);
    else if (c.kind)
        fail_msg("%s: the result was written", w->row->symbol);
    return status;
}

static slm_status reply_own(oom_world *w, slm_error *err)
{
    const slm_token_score scores[2] = { { -1, 0.5, 2 }, { -2, 0.25, 1 } };
    slm_reply reply = SLM_REPLY_INIT;
    reply.text = "a text";
    reply.text_len = 6;
    reply.engine = "one";
    reply.scores = scores;
    reply.n_scores = 2;
    const slm_reply before = reply;
    const slm_status status = slm_reply_own(&reply, &w->memory.allocator, err);
    if (status && memcmp(&before, &reply, sizeof reply) != 0)
        fail_msg("%s: the reply has changed", w->row->symbol);
    if (status)
        return status;
    memcpy(w->bytes, reply.text, 6);
    memcpy(w->bytes + 6, reply.scores, sizeof scores);
    slm_reply_free(&reply);
    return status;
}

static slm_status engine_local(oom_world *w, slm_error *err)
{
    const slm_engine_local_params p = engine_params();
    MAKES(slm_engine, w->engine, slm_engine_local(&made, w->model, &p, err));
}

static slm_status ask(oom_world *w, const slm_engine *engine, const slm_request *q, slm_error *err)
{
    slm_reply reply = SLM_REPLY_INIT;
    const slm_status status = slm_engine_run(engine, q, &reply, err);
    if (status && reply.memory && !reply.partial)
        fail_msg("%s: a whole reply with %s", w->row->symbol, slm_status_name(status));
    if (!status) {
        memcpy(w->bytes, reply.text, reply.text_len);
        w->bytes[reply.text_len] = (uint8_t)reply.label;
        for (size_t i = 0; i < reply.n_labels; i++)
            memcpy(w->bytes + 512 + 8 * i, &reply.labels[i].logp, 8);
    }
    slm_reply_free(&reply);
    return status;
}

static slm_request request(uint32_t task)
{
    slm_request q = SLM_REQUEST_INIT;
    q.task = task;
    q.prompt = "\n";
    q.prompt_len = 1;
    q.max_tokens = 3;
    q.labels = labels;
    q.n_labels = COUNT(labels);
    q.answer = "The cat";
    q.answer_len = 7;
    return q;
}

static slm_status engine_run(oom_world *w, slm_error *err)
{
    static const slm_message hello[] = { SLM_MESSAGE("user", "hello", 5) };
    slm_request q = request(strcmp(w->row->how, "choose") == 0 ? SLM_TASK_CHOOSE : strcmp(w->row->how, "score") == 0 ? SLM_TASK_SCORE
                            : strcmp(w->row->how, "chat") == 0 ? SLM_TASK_CHAT : SLM_TASK_GENERATE);
    q.messages = q.task == SLM_TASK_CHAT ? hello : NULL;
    q.n_messages = q.task == SLM_TASK_CHAT ? 1 : 0;
    if (strcmp(w->row->how, "a schema") == 0) {
        q.schema = "{\"enum\":[1,22]}";
        q.schema_len = strlen(q.schema);
    }
    return ask(w, w->engine, &q, err);
}

static slm_status engine_escalate(oom_world *w, slm_error *err)
{
    slm_engine_escalate_params p = SLM_ENGINE_ESCALATE_PARAMS_INIT;
    MAKES(slm_engine, w->both, slm_engine_escalate(&made, w->engine, &same_engine, &p, err));
}

static slm_status run_two(oom_world *w, slm_error *err)
{
    const slm_request q = request(SLM_TASK_GENERATE);
    return ask(w, w->both, &q, err);
}

static slm_status schema_check(oom_world *w, slm_error *err)
{
    static const char text[] = "{\"a\":12,\"b\":\"yy\",\"c\":[\"ab\",\"c\"]}";
    (void)w;
    return slm_schema_check(schema, sizeof schema - 1, text, sizeof text - 1, err);
}

static slm_status budget_new(oom_world *w, slm_error *err)
{
    const slm_budget_params p = budget_params();
    MAKES(slm_budget, w->budget, slm_budget_new(&made, &p, err));
}

static slm_status engine_remote(oom_world *w, slm_error *err)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" }, *const ranges[] = { "10.0.0.0/8" };
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    p.base_url = "http://127.0.0.1:1/v1";
    p.model = "any";
    p.system = "Be brief.";
    p.hosts = hosts;
    p.n_hosts = COUNT(hosts);
    p.addresses = ranges;
    p.n_addresses = COUNT(ranges);
    p.ca_file = "/etc/ssl/certs/ca-certificates.crt";
    p.allocator = &w->memory.allocator;
    MAKES(slm_engine, w->far, slm_engine_remote(&made, &p, err));
}

static void with_remote(oom_world *w)
{
    slm_error err = { 0 };
    must(engine_remote(w, &err), &err);
}

/* Nobody listens at port 1. */
static slm_status remote_ping(oom_world *w, slm_error *err)
{
    return slm_remote_ping(w->far, (int32_t *)(void *)w->bytes, err);
}

/* ---- the rows ---- */

#define OWNER "ends what another call made, while all memory is refused, in every row"
#define READS "reads what is there"

const oom_row oom_rows[] = {
    { "slm_status_name", READS, NULL, NULL, 0, SLM_OK },
    { "slm_status_text", READS, NULL, NULL, 0, SLM_OK },
    { "slm_version", READS, NULL, NULL, 0, SLM_OK },
    { "slm_cpu_isa", READS, NULL, NULL, 0, SLM_OK },
    { "slm_cpu_threads", READS, NULL, NULL, 0, SLM_OK },
    { "slm_peaks_measure", NULL, empty, peaks, 0, SLM_OK },
    { "slm_file_open", "tiny.gguf", empty, file_open, 0, SLM_OK },
    { "slm_file_open", "parrot.bin", empty, file_open, 0, SLM_OK },
    { "slm_file_open", "one.safetensors", empty, file_open, 0, SLM_OK },
    { "slm_file_open", "tiny.packed", empty, file_open, 0, SLM_OK },
    { "slm_file_open", "bpe.json", empty, file_open, 0, SLM_OK },
    { "slm_file_open", "folder", empty, file_open, 0, SLM_OK },
    { "slm_file_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_file_tensors", READS, NULL, NULL, 0, SLM_OK },
    { "slm_file_keys", READS, NULL, NULL, 0, SLM_OK },
    { "slm_file_format", READS, NULL, NULL, 0, SLM_OK },
    { "slm_file_size", READS, NULL, NULL, 0, SLM_OK },
    { "slm_file_tensor", READS, NULL, NULL, 0, SLM_OK },
    { "slm_file_key", READS, NULL, NULL, 0, SLM_OK },
    { "slm_file_read", "tiny.gguf", with_file, file_read, 0, SLM_OK },
    { "slm_file_read", "folder", with_file, file_read, 0, SLM_OK },
    { "slm_sha256", READS, NULL, NULL, 0, SLM_OK },
    { "slm_quantize_file", "tiny.gguf", empty, quantize, 0, SLM_OK },
    { "slm_quantize_file", "parrot.bin", empty, quantize, 0, SLM_OK },
    { "slm_convert_file", "folder", empty, convert, 0, SLM_OK },
    { "slm_convert_file", "parrot.bin", empty, convert, 0, SLM_OK },
    { "slm_make_model_file", "minilm-l6", empty, make_model, 0, SLM_E_CALLBACK },
    { "slm_make_model_file", "smollm2-135m", empty, make_model, 0, SLM_E_CALLBACK },
    { "slm_importance_measure", NULL, decoder, importance_measure, 0, SLM_OK },
    { "slm_importance_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_pack_file", "tiny.gguf", empty, pack, 0, SLM_OK },
    { "slm_check_file", "tiny.packed", empty, check_file, 0, SLM_OK },
    { "slm_check_file", "saved", empty, check_file, 0, SLM_OK },
    { "slm_tokenizer_open", "parrot.bin", empty, tokenizer_open, 0, SLM_OK },
    { "slm_tokenizer_open", "encoder.gguf", empty, tokenizer_open, 0, SLM_OK },
    { "slm_tokenizer_open", "bpe.json", empty, tokenizer_open, 0, SLM_OK },
    { "slm_tokenizer_open", "wordpiece.json", empty, tokenizer_open, 0, SLM_OK },
    { "slm_tokenizer_open", "unigram.model", empty, tokenizer_open, 0, SLM_OK },
    { "slm_tokenizer_open", "folder", empty, tokenizer_open, 0, SLM_OK },
    { "slm_tokenizer_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_tokenizer_get_info", READS, NULL, NULL, 0, SLM_OK },
    { "slm_tokenizer_encode", "parrot.bin", with_tokenizer, encode, 0, SLM_OK },
    { "slm_tokenizer_encode", "bpe.json", with_tokenizer, encode, 0, SLM_OK },
    { "slm_tokenizer_encode", "wordpiece.json", with_tokenizer, encode, 0, SLM_OK },
    { "slm_tokenizer_encode", "unigram.model", with_tokenizer, encode, 0, SLM_OK },
    { "slm_tokenizer_encode_ranges", "parrot.bin", with_tokenizer, encode_ranges, 0, SLM_OK },
    { "slm_tokenizer_encode_ranges", "bpe.json", with_tokenizer, encode_ranges, 0, SLM_OK },
    { "slm_tokenizer_encode_ranges", "wordpiece.json", with_tokenizer, encode_ranges, 0, SLM_OK },
    { "slm_tokenizer_encode_ranges", "unigram.model", with_tokenizer, encode_ranges, 0, SLM_OK },
    { "slm_tokenizer_decode", "parrot.bin", with_tokenizer, decode, 0, SLM_OK },
    { "slm_tokenizer_decode", "wordpiece.json", with_tokenizer, decode, 0, SLM_OK },
    { "slm_tokenizer_text", READS, NULL, NULL, 0, SLM_OK },
    { "slm_template_new", NULL, empty, template_new, 0, SLM_OK },
    { "slm_template_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_template_render", NULL, with_template, template_render, 0, SLM_OK },
    { "slm_rendered_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_rendered_text", READS, NULL, NULL, 0, SLM_OK },
    { "slm_rendered_spans", READS, NULL, NULL, 0, SLM_OK },
    { "slm_tokenizer_encode_rendered", "parrot.bin", with_rendered, encode_rendered, 0, SLM_OK },
    { "slm_model_open", "tiny.gguf", empty, model_open, 0, SLM_OK },
    { "slm_model_open", "tiny.packed", empty, model_open, 0, SLM_OK },
    { "slm_model_open", "parrot.bin", empty, model_open, 0, SLM_OK },
    { "slm_model_open", "encoder.gguf", empty, model_open, 0, SLM_OK },
    { "slm_model_open", "folder", empty, model_open, 0, SLM_OK },
    { "slm_model_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_model_get_info", READS, NULL, NULL, 0, SLM_OK },
    { "slm_model_tokenizer", READS, NULL, NULL, 0, SLM_OK },
    { "slm_model_chat_template", READS, NULL, NULL, 0, SLM_OK },
    { "slm_session_new", NULL, decoder, session_new, 0, SLM_OK },
    { "slm_session_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_session_profile", NULL, with_text, session_profile, 0, SLM_OK },
    { "slm_session_fork", NULL, with_text, session_fork, 0, SLM_OK },
    { "slm_session_position", READS, NULL, NULL, 0, SLM_OK },
    { "slm_session_room", READS, NULL, NULL, 0, SLM_OK },
    { "slm_session_tokens", READS, NULL, NULL, 0, SLM_OK },
    { "slm_session_feed", "into an empty session", with_session, session_feed, 0, SLM_OK },
    { "slm_session_feed", "after others", with_text, session_feed, 0, SLM_OK },
    { "slm_session_feed", "into a fork", with_fork, session_feed, 0, SLM_OK },
    { "slm_session_feed_rows", NULL, with_text, session_feed_rows, 0, SLM_OK },
    { "slm_session_feed_text", NULL, parrot_session, session_feed_text, 0, SLM_OK },
    { "slm_session_logits", READS, NULL, NULL, 0, SLM_OK },
    { "slm_session_step", NULL, with_fork, session_step, 0, SLM_OK },
    { "slm_session_step", "with a guide", parrot_guide, session_step, 0, SLM_OK },
    { "slm_session_truncate", "forgets", NULL, NULL, 0, SLM_OK },
    { "slm_session_cancel", "sets a flag", NULL, NULL, 0, SLM_OK },
    { "slm_session_save", NULL, with_text, session_save, 0, SLM_OK },
    { "slm_session_load", NULL, decoder, session_load, 0, SLM_OK },
    { "slm_batch_new", NULL, decoder, batch_new, 0, SLM_OK },
    { "slm_batch_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_batch_step", NULL, with_batch, batch_step, OOM_KEEPS, SLM_OK },
    { "slm_encoder_new", NULL, encoder_model, encoder_new, 0, SLM_OK },
    { "slm_encoder_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_encoder_cancel", "sets a flag", NULL, NULL, 0, SLM_OK },
    { "slm_encoder_states", NULL, with_encoder, encoder_states, 0, SLM_OK },
    { "slm_embed", NULL, with_encoder, embed, OOM_KEEPS, SLM_OK },
    { "slm_plan", "tiny.gguf", empty, plan, 0, SLM_OK },
    { "slm_plan", "encoder.gguf", empty, plan, 0, SLM_OK },
    { "slm_logits_score", READS, NULL, NULL, 0, SLM_OK },
    { "slm_logits_top", READS, NULL, NULL, 0, SLM_OK },
    { "slm_sample", NULL, empty, sample, 0, SLM_OK },
    { "slm_constraint_choice", NULL, parrot, constraint_choice, 0, SLM_OK },
    { "slm_constraint_regex", NULL, parrot, constraint_regex, 0, SLM_OK },
    { "slm_constraint_schema", NULL, parrot, constraint_schema, 0, SLM_OK },
    { "slm_constraint_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_guide_new", NULL, parrot_constraint, guide_new, 0, SLM_OK },
    { "slm_guide_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_guide_push", NULL, parrot_guide, guide_push, 0, SLM_OK },
    { "slm_guide_is_done", READS, NULL, NULL, 0, SLM_OK },
    { "slm_guide_is_whole", READS, NULL, NULL, 0, SLM_OK },
    { "slm_session_generate", NULL, parrot_session, session_generate, OOM_KEEPS, SLM_OK },
    { "slm_session_generate", "with a drafter", parrot_drafter, session_generate, OOM_KEEPS, SLM_OK },
    { "slm_session_generate", "with a constraint", parrot_constraint, session_generate, OOM_KEEPS, SLM_OK },
    { "slm_cancel_set", "sets a flag", NULL, NULL, 0, SLM_OK },
    { "slm_cancel_clear", "sets a flag", NULL, NULL, 0, SLM_OK },
    { "slm_cancel_is_set", READS, NULL, NULL, 0, SLM_OK },
    { "slm_token_measure", READS, NULL, NULL, 0, SLM_OK },
    { "slm_confidence_of_tokens", NULL, empty, confidence, 0, SLM_OK },
    { "slm_confidence_of_labels", READS, NULL, NULL, 0, SLM_OK },
    { "slm_reply_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_reply_own", NULL, empty, reply_own, 0, SLM_OK },
    { "slm_engine_run", "generate", with_engine, engine_run, 0, SLM_OK },
    { "slm_engine_run", "chat", with_engine, engine_run, 0, SLM_OK },
    { "slm_engine_run", "choose", with_engine, engine_run, 0, SLM_OK },
    { "slm_engine_run", "score", with_engine, engine_run, 0, SLM_OK },
    { "slm_engine_run", "a schema", with_engine, engine_run, 0, SLM_OK },
    { "slm_engine_run", "escalate", with_two, run_two, OOM_SURVIVES, SLM_OK },
    { "slm_engine_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_engine_local", NULL, parrot, engine_local, 0, SLM_OK },
    { "slm_schema_check", NULL, empty, schema_check, 0, SLM_OK },
    { "slm_budget_new", NULL, empty, budget_new, 0, SLM_OK },
    { "slm_budget_free", OWNER, NULL, NULL, 0, SLM_OK },
    { "slm_budget_cost", READS, NULL, NULL, 0, SLM_OK },
    { "slm_budget_reserve", "changes numbers", NULL, NULL, 0, SLM_OK },
    { "slm_budget_settle", "changes numbers", NULL, NULL, 0, SLM_OK },
    { "slm_budget_get_info", READS, NULL, NULL, 0, SLM_OK },
    { "slm_engine_escalate", NULL, with_engine, engine_escalate, 0, SLM_OK },
    { "slm_engine_remote", NULL, empty, engine_remote, 0, SLM_OK },
    { "slm_remote_get_statistics", READS, NULL, NULL, 0, SLM_OK },
    { "slm_remote_ping", "where nobody listens", with_remote, remote_ping, OOM_SURVIVES, SLM_E_NETWORK },
};
const size_t oom_count = COUNT(oom_rows);

/* ---- what asks for no memory ---- */

void oom_getters(void)
{
    static const float logits[3] = { 1, 2, 3 };
    static oom_world w;
    static const oom_row bpe = { "getters", "bpe.json", NULL, NULL, 0, SLM_OK };
    slm_error err = { 0 };
    slm_tensor_info tensor = SLM_TENSOR_INFO_INIT;
    slm_key_info key = SLM_KEY_INFO_INIT;
    slm_tokenizer_info tokenizer = SLM_TOKENIZER_INFO_INIT;
    slm_model_info model = SLM_MODEL_INFO_INIT;
    slm_budget_info budget = SLM_BUDGET_INFO_INIT;
    slm_remote_statistics statistics = SLM_REMOTE_STATISTICS_INIT;
    slm_confidence of_labels = SLM_CONFIDENCE_INIT;
    slm_token_score score;
    slm_scored top[2];
    slm_cancel cancel = { 0, 0 };
    slm_label_score two[2] = { { -1, 0, 1, 0 }, { -2, 0, 1, 0 } };
    const slm_usage usage = { 10, 0, 0, 10 };
    uint64_t reserved, cost;
    double nats;
    size_t n;
    char hex[65];
    memset(&w, 0, sizeof w);
    w.row = &bpe;
    fail_alloc_init(&w.memory, 0, false);
    parrot_guide(&w);
    with_rendered(&w);
    with_budget(&w);
    with_file(&w);
    with_remote(&w);
    fail_alloc_arm(&w.memory, 1, true);
    fail_wrap_to(&w.memory);
    must(slm_file_tensors(w.file) || slm_file_keys(w.file) ? SLM_OK : SLM_E_INTERNAL, &err);
    (void)slm_file_tensor(w.file, 0, &tensor, &err);                     /* a tokenizer has none */
    must(slm_file_key(w.file, 0, &key, &err), &err);
    must(slm_tokenizer_get_info(w.tokenizer, &tokenizer, &err), &err);
    must(slm_model_get_info(w.model, &model, &err), &err);
    must(slm_budget_get_info(w.budget, &budget, &err), &err);
    must(slm_budget_cost(w.budget, "other", &usage, &cost, &err), &err);
    must(slm_budget_reserve(w.budget, "other", &usage, &reserved, &err), &err);
    must(slm_budget_settle(w.budget, reserved, cost, &err), &err);
    must(slm_remote_get_statistics(w.far, &statistics, &err), &err);
    must(slm_logits_score(logits, 3, 1, &nats, &err), &err);
    must(slm_logits_top(logits, 3, top, 2, &err), &err);
    must(slm_token_measure(&score, logits, 3, 1, &err), &err);
    must(slm_confidence_of_labels(&of_labels, &n, two, 2, &err), &err);
    slm_cancel_set(&cancel);
    assert_true(slm_cancel_is_set(&cancel));
    slm_cancel_clear(&cancel);
    must(slm_session_truncate(w.session, slm_session_position(w.session), &err), &err);
    slm_session_cancel(w.session);
    slm_sha256(hex, "abc", 3);
    assert_true(slm_status_name(SLM_OK) && slm_status_text(SLM_OK) && slm_version() && slm_cpu_isa() && slm_cpu_threads());
    assert_true(slm_file_format(w.file) && slm_file_size(w.file) && slm_tokenizer_text(w.tokenizer, 0, &n) && slm_model_tokenizer(w.model));
    assert_null(slm_model_chat_template(w.model, &n));
    assert_true(slm_rendered_text(w.rendered, &n) && slm_rendered_spans(w.rendered, &n));
    assert_true(slm_session_position(w.session) && slm_session_room(w.session) && slm_session_tokens(w.session) && slm_session_logits(w.session));
    assert_false(slm_guide_is_done(w.guide) || slm_guide_is_whole(w.guide));
    fail_wrap_to(NULL);
    if (atomic_load(&w.memory.calls))
        fail_msg("%zu allocations by calls that need none", atomic_load(&w.memory.calls));
    oom_end(&w);
    assert_int_equal(atomic_load(&w.memory.live_bytes), 0);
}
