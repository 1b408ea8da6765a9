/* rows.c -- every public call. A row is steps that are done one after another, the last of which is the call under test: it puts what it
 * wrote into the world, a handle into its place, anything else into bytes. A handle must be untouched when the call fails. The steps before
 * it make what it works on, most of them calls that have rows of their own. */
#include "oom/oom.h"

#include "harness/fail_wrap.h"
#include "harness/tiny.h"
#include "remote/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FED = 70, MADE = 90 };           /* tokens; the second page of the cache begins at 64, the third at 128 */

static const char chat[] = "{% if tools %}<tool_call> {% endif %}{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}";
static const char talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\" hi \\u00e9 \"},{\"role\":\"assistant\",\"content\":\"\"}]}";
static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1},\"b\":{\"enum\":[\"x\",\"yy\"]},"
                             "\"c\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^[a-c]+$\"}}},\"required\":[\"a\",\"b\",\"c\"],"
                             "\"additionalProperties\":false}";
static const char *const labels[] = { "The cat", "The dog", " sat" };

/* What the test itself does is neither counted nor refused. */
static void aside(oom_world *w, bool begin)
{
    fail_wrap_pause(begin);
    fail_call_to(begin ? NULL : &w->calls);
}

/* What the row says beside the call: its way, and the file it is about. */
static bool is(const oom_world *w, const char *how)
{
    return w->row->how && strcmp(w->row->how, how) == 0;
}

static const char *file_of(const oom_world *w)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(w->row->how, ","), w->row->how);
    return test_path(name);
}

/* Where the tokens of a checkpoint without any are; NULL for other files. */
static const char *tokens_of(const char *path)
{
    return strcmp(strrchr(path, '/'), "/parrot.bin") ? NULL : test_path("parrot.tok");
}

/* MADE tokens of a text that no step before has fed. */
static const int32_t *tokens_to(size_t text)
{
    static int32_t tokens[MADE];
    for (size_t i = 0; i < MADE; i++)
        tokens[i] = tiny_token(text, i);
    return tokens;
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

/* ---- models and sessions, made ---- */

/* The caller's own threads, and a reader of his; both may be made to fail. */
static int run_here(void *user, size_t n, void (*task)(void *arg, size_t index), void *arg)
{
    (void)user;
    if (fail_call_own("executor", FAIL_HARMLESS, ""))
        return -1;
    for (size_t i = n; i-- > 0;)
        task(arg, i);
    return 0;
}

static const slm_executor executor = { NULL, 3, 0, run_here };

typedef struct content { uint8_t *bytes; size_t n; } content;

static int read_content(void *user, uint64_t offset, void *dst, size_t n)
{
    const content *c = user;
    if (fail_call_own("read_at", FAIL_TOLD, ""))
        return -5;
    memcpy(dst, c->bytes + offset, n);
    return 0;
}

static slm_status open_as(slm_model **out, oom_world *w, const char *path, slm_error *err)
{
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    content c = { NULL, 0 };
    const bool read = w->row->how && strstr(w->row->how, "a callback");
    p.allocator = &w->memory.allocator;
    p.threads = is(w, "mapped") ? 2 : 1;
    p.no_map = p.verify = strstr(path, ".packed") != NULL;
    p.tokenizer_path = tokens_of(path);
    if (strstr(path, "caller.bin"))
        p.tokenizer_path = test_path("caller.tok");
    if (is(w, "an executor"))
        p.executor = &executor;
    if (read) {
        aside(w, true);
        c.bytes = test_file_read(path, &c.n);
        aside(w, false);
        in.bytes = c.n;
        in.read_at = read_content;
        in.user = &c;
        p.input = &in;
    }
    const slm_status status = slm_model_open(out, path, &p, err);
    aside(w, true);
    free(c.bytes);
    aside(w, false);
    return status;
}

static slm_status decoder(oom_world *w, slm_error *err) { return open_as(&w->model, w, test_path("tiny.gguf"), err); }
static slm_status parrot(oom_world *w, slm_error *err) { return open_as(&w->model, w, test_path("parrot.bin"), err); }
static slm_status caller(oom_world *w, slm_error *err) { return open_as(&w->model, w, test_path("caller.bin"), err); }
static slm_status encoder(oom_world *w, slm_error *err) { return open_as(&w->model, w, test_path("encoder.gguf"), err); }

static slm_status new_session(slm_session **out, oom_world *w, uint32_t context, slm_error *err)
{
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    p.context = context;
    p.deadline_ms = is(w, "a deadline") ? 3600000 : 0;
    return slm_session_new(out, w->model, &p, err);
}

static slm_status session(oom_world *w, slm_error *err) { return new_session(&w->session, w, 300, err); }
static slm_status second(oom_world *w, slm_error *err) { return new_session(&w->other, w, 300, err); }

static slm_status text(oom_world *w, slm_error *err)
{
    (void)err;
    tiny_feed(w->session, 6, 0, FED);
    return SLM_OK;
}

static slm_status prompt(oom_world *w, slm_error *err)
{
    const slm_status status = slm_session_feed_text(w->session, "\n", 1, 0, err);
    w->start = slm_session_position(w->session);
    return status;
}

/* ---- files ---- */

static slm_file_params file_params(oom_world *w)
{
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    p.threads = 1;
    p.tokenizer_path = tokens_of(file_of(w));
    return p;
}

static slm_status file_open(oom_world *w, slm_error *err)
{
    const slm_file_params p = file_params(w);
    MAKES(slm_file, w->file, slm_file_open(&made, file_of(w), &p, err));
}

static slm_status file_read(oom_world *w, slm_error *err)
{
    slm_tensor_info t = SLM_TENSOR_INFO_INIT;
    const size_t last = slm_file_tensors(w->file) - 1;
    oom_must(slm_file_tensor(w->file, last, &t, err), err);
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
    p.tokenizer_path = tokens_of(file_of(w));
    return p;
}

static const char before_it[] = "what was there before";

/* A file is there already, whose mode the new one takes over. */
static slm_status old_file(oom_world *w, slm_error *err)
{
    (void)w;
    (void)err;
    test_file_write(test_path("made"), before_it, sizeof before_it - 1);
    return chmod(test_path("made"), 0666) ? SLM_E_INTERNAL : SLM_OK;
}

/* The file that was made, as its hash (read while nothing is refused). After a failure what was there before is, or all of the new one
 * if only its folder could not be synced; and nothing beside it, ever. */
static slm_status wrote(oom_world *w, slm_status status)
{
    const char *path = test_path("made");
    static const oom_row *row;
    static char whole[65];
    size_t n;
    aside(w, true);
    const bool there = access(path, F_OK) == 0;
    if (there) {
        char hash[65];
        uint8_t *bytes = test_file_read(path, &n);
        slm_sha256(hash, bytes, n);
        free(bytes);
        const bool is_old = n == sizeof before_it - 1 && test_file_is(path, before_it);
        if (status && !is_old && (row != w->row || !w->calls.list[0].name || strcmp(w->calls.list[0].name, "fsync") || strcmp(hash, whole)))
            fail_msg("%s: a file is there after the failure", w->row->symbol);
        if (!is_old) {
            memcpy(whole, hash, sizeof whole);
            row = w->row;
            (void)unlink(path);
        }
    } else if (status && w->row->how && strstr(w->row->how, "over another")) {
        fail_msg("%s: the old file is gone", w->row->symbol);
    }
    if (!status)
        memcpy(w->bytes, whole, sizeof whole);
    aside(w, false);
    return status;
}

static slm_status quantize(oom_world *w, slm_error *err)
{
    const slm_quantize_params p = making(w, "q4_0");
    return wrote(w, slm_quantize_file(file_of(w), test_path("made"), &p, err));
}

static slm_status convert(oom_world *w, slm_error *err)
{
    const slm_quantize_params p = making(w, NULL);
    return wrote(w, slm_convert_file(file_of(w), test_path("made"), &p, err));
}

static slm_status pack(oom_world *w, slm_error *err)
{
    const slm_quantize_params p = making(w, "w8a8");
    return wrote(w, slm_pack_file(file_of(w), test_path("made"), &p, err));
}

static slm_status importance_measure(oom_world *w, slm_error *err)
{
    slm_importance_params p = SLM_IMPORTANCE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    MAKES(slm_importance, w->importance, slm_importance_measure(&made, w->model, tokens_to(11), MADE, &p, err));
}

static slm_status check_file(oom_world *w, slm_error *err)
{
    const slm_file_params p = file_params(w);
    slm_check_info info = SLM_CHECK_INFO_INIT;
    const slm_status status = slm_check_file(file_of(w), &p, &info, err);
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
    MAKES(slm_tokenizer, w->tokenizer, slm_tokenizer_open(&made, file_of(w), &p, err));
}

static const char words[] = "The cat sat abab, caf\xc3\xa9 e\xcc\x81 \xef\xbc\xa1 and so on\nuntil <s> the end of 1234567 words. "
                            "The cat sat abab, and so on until the end of it all";

/* "FILE, a long text": beyond what is merged without a memory of pieces. */
static slm_status encode(oom_world *w, slm_error *err)
{
    static char much[1600];
    size_t n = 0;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = "ab a "[i % 5];
    const bool is_long = strstr(w->row->how, "long") != NULL;
    const slm_status status = slm_tokenizer_encode(w->tokenizer, (int32_t *)(void *)w->bytes, sizeof w->bytes / 4, &n, is_long ? much : words,
                                                   is_long ? sizeof much : sizeof words - 1, SLM_TEXT_BOS_EOS, err);
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
    return slm_tokenizer_decode(w->tokenizer, (char *)w->bytes, sizeof w->bytes, &n, ids, is(w, "wordpiece.json") ? 6 : 4, 0, err);
}

static slm_status encode_rendered(oom_world *w, slm_error *err)
{
    size_t n;
    return slm_tokenizer_encode_rendered(w->tokenizer, (int32_t *)(void *)w->bytes, 512, &n, w->rendered, SLM_TEXT_BOS_EOS, err);
}

static slm_status template_new(oom_world *w, slm_error *err)
{
    slm_template_params p = SLM_TEMPLATE_PARAMS_INIT;
    p.allocator = &w->memory.allocator;
    MAKES(slm_template, w->tmpl, slm_template_new(&made, chat, sizeof chat - 1, &p, err));
}

static slm_status template_render(oom_world *w, slm_error *err)
{
    MAKES(slm_rendered, w->rendered, slm_template_render(&made, w->tmpl, talk, sizeof talk - 1, NULL, err));
}

/* ---- models and sessions ---- */

static slm_status model_open(oom_world *w, slm_error *err)
{
    MAKES(slm_model, w->model, open_as(&made, w, is(w, "an executor") ? test_path("tiny.gguf") : file_of(w), err));
}

static slm_status plan(oom_world *w, slm_error *err)
{
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_plan_info info = SLM_PLAN_INFO_INIT;
    p.allocator = &w->memory.allocator;
    const slm_status status = slm_plan(&info, file_of(w), &p, NULL, err);
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
    return slm_session_feed(w->session, tokens_to(7), MADE, err);
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
    return slm_session_feed_rows(w->session, tokens_to(8), MADE, see_row, w, err);
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
    if (is(w, "to a device"))
        return slm_session_save(w->session, "/dev/null", err);
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
    oom_must(slm_session_truncate(w->session, w->start - 1, &err), &err);
    oom_must(slm_session_feed(w->session, &last, 1, &err), &err);
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
    const int32_t *tokens = tokens_to(9);
    slm_session *const sessions[2] = { w->session, w->other };
    slm_batch_item items[2];
    size_t n = 0, which[2];
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
    slm_encoder_params p = SLM_ENCODER_PARAMS_INIT;
    p.deadline_ms = is(w, "a deadline") ? 3600000 : 0;
    MAKES(slm_encoder, w->encoder, slm_encoder_new(&made, w->model, &p, err));
}

static slm_status encoder_states(oom_world *w, slm_error *err)
{
    return slm_encoder_states(w->encoder, (float *)(void *)w->bytes, tokens_to(10), 30, err);
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
    slm_engine_local_params p = SLM_ENGINE_LOCAL_PARAMS_INIT;
    p.context = 200;
    p.chat_template = chat;
    p.chat_template_len = sizeof chat - 1;
    MAKES(slm_engine, w->engine, slm_engine_local(&made, w->model, &p, err));
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

static slm_status engine_escalate(oom_world *w, slm_error *err)
{
    const slm_engine_escalate_params p = SLM_ENGINE_ESCALATE_PARAMS_INIT;
    MAKES(slm_engine, w->both, slm_engine_escalate(&made, w->engine, &same_engine, &p, err));
}

static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]";
static const char one_of[] = "{\"enum\":[1,22]}", an_object[] = "{\"type\":\"object\"}";

static slm_request request(const oom_world *w)
{
    static const slm_message hello[] = { SLM_MESSAGE("user", "call the tool", 13) };
    static const struct { const char *how; uint32_t task; } tasks[] = {
        { "choose", SLM_TASK_CHOOSE }, { "score", SLM_TASK_SCORE }, { "chat", SLM_TASK_CHAT }, { "tools", SLM_TASK_CHAT },
    };
    slm_request q = SLM_REQUEST_INIT;
    q.task = SLM_TASK_GENERATE;
    for (size_t i = 0; i < COUNT(tasks); i++)
        if (strstr(w->row->how, tasks[i].how))
            q.task = tasks[i].task;
    q.prompt = "\n";
    q.prompt_len = 1;
    q.max_tokens = 3;
    q.labels = labels;
    q.n_labels = COUNT(labels);
    q.answer = "The cat";
    q.answer_len = 7;
    if (q.task == SLM_TASK_CHAT) {
        q.messages = hello;
        q.n_messages = 1;
    }
    if (strstr(w->row->how, "tools")) {
        q.tools = tools;
        q.tools_len = sizeof tools - 1;
        q.max_tokens = 20;
    }
    if (strstr(w->row->how, "a schema")) {
        q.schema = w->far ? an_object : one_of;
        q.schema_len = strlen(q.schema);
    }
    if (strstr(w->row->how, "a deadline"))
        q.deadline_ms = 3600000;
    return q;
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
        for (size_t i = 0; i < reply.n_calls; i++)
            memcpy(w->bytes + 1024 + 64 * i, reply.calls[i].arguments, reply.calls[i].arguments_len);
    }
    slm_reply_free(&reply);
    return status;
}

static slm_status engine_run(oom_world *w, slm_error *err)
{
    const slm_request q = request(w);
    return ask(w, w->engine, &q, err);
}

static slm_status run_two(oom_world *w, slm_error *err)
{
    const slm_request q = request(w);
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
    static const slm_price prices[] = { { "gpt-*", 150000, 600000, 75000, 0 }, { "other", 1000000, 2000000, 0, 0 } };
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    p.total = 1000000000;
    p.prices = prices;
    p.n_prices = COUNT(prices);
    MAKES(slm_budget, w->budget, slm_budget_new(&made, &p, err));
}

/* ---- a server ---- */

static ptrdiff_t give_key(void *user, char *key, size_t room)
{
    (void)user;
    memcpy(key, "sk-0123456789abcdef", room < 19 ? room : 19);
    return 19;
}

bool oom_asks(const oom_row *row)
{
    static const char *const servers[] = { "openai", "anthropic", "llama-server" };
    for (size_t i = 0; row->how && i < COUNT(servers); i++)
        if (strncmp(row->how, servers[i], strlen(servers[i])) == 0)
            return true;
    return false;
}

/* "SERVER, what is asked: what it does there", of the server that was started; else nobody listens. */
static slm_status engine_remote(oom_world *w, slm_error *err)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" }, *const ranges[] = { "10.0.0.0/8" };
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    char url[128] = "http://127.0.0.1:1/v1", server[16] = "";
    const char *how = w->row->how ? w->row->how : "", *plays = strstr(how, ": ");
    if (oom_asks(w->row)) {
        (void)snprintf(server, sizeof server, "%.*s", (int)strcspn(how, ","), how);
        rig_url(url, sizeof url, "http", plays ? plays + 2 : "ok");
        p.key = give_key;
    }
    p.server = *server ? server : NULL;
    p.base_url = url;
    p.model = "any";
    p.system = "Be brief.";
    p.hosts = hosts;
    p.n_hosts = COUNT(hosts);
    p.addresses = ranges;
    p.n_addresses = COUNT(ranges);
    p.ca_file = "/etc/ssl/certs/ca-certificates.crt";
    p.proxy = is(w, "a proxy") ? "http://127.0.0.1:1" : NULL;
    p.flags = (strncmp(how, "openai", 6) == 0 && strstr(how, "settings") ? SLM_REMOTE_LOGPROBS : 0) | (strstr(how, "streamed") ? 0 : SLM_REMOTE_PLAIN);
    p.retries = 1;
    p.retry_ms = 1;
    p.allocator = &w->memory.allocator;
    MAKES(slm_engine, w->far, slm_engine_remote(&made, &p, err));
}

static slm_status remote_ping(oom_world *w, slm_error *err)
{
    return slm_remote_ping(w->far, (int32_t *)(void *)w->bytes, err);
}

static int hear_server(void *user, const char *said, size_t len)
{
    (void)user;
    (void)said;
    (void)len;
    return 0;
}

/* A talk in which a tool was called, all settings that a server has, and stop strings. */
static slm_status remote_run(oom_world *w, slm_error *err)
{
    static const slm_tool_call calls[] = { { "call_1", "f", "{\"a\":1}", 7 } };
    static const slm_message turns[] = {
        SLM_MESSAGE("system", "Help.", 5), SLM_MESSAGE("user", "Rain?", 5), { "assistant", "One moment.", 11, calls, 1, NULL, NULL },
        { "tool", "rain", 4, NULL, 0, "call_1", "f" }, SLM_MESSAGE("user", "call the tool", 13),
    };
    static const char *const stops[] = { "zebra" };
    slm_sampling s = SLM_SAMPLING_INIT;
    slm_request q = request(w);
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    q.prompt = "one two";
    q.prompt_len = 7;
    if (q.task == SLM_TASK_CHAT) {
        q.messages = turns;
        q.n_messages = COUNT(turns);
    }
    s.temperature = 0.5f;
    s.top_p = 0.5f;
    if (strstr(w->row->how, "llama-server")) {
        s.top_k = 5;
        s.min_p = 0.125f;
        s.repeat_penalty = 1.5f;
    }
    if (!strstr(w->row->how, "anthropic")) {
        s.seed = 7;
        s.frequency_penalty = 0.5f;
        s.presence_penalty = 0.5f;
    }
    if (strstr(w->row->how, "settings")) {
        q.sampling = &s;
        q.stops = stops;
        q.n_stops = 1;
    }
    if (strstr(w->row->how, "streamed"))
        q.text = hear_server;
    return ask(w, w->far, &q, err);
}

/* ---- the rows ---- */

#define ROWF(symbol, how, flags, ends, ...) { symbol, how, { __VA_ARGS__ }, flags, ends }
#define ROW(symbol, how, ...)   ROWF(symbol, how, 0, SLM_OK, __VA_ARGS__)
#define KEEPS(symbol, how, ...) ROWF(symbol, how, OOM_KEEPS, SLM_OK, __VA_ARGS__)
#define NONE(symbol, why)       ROWF(symbol, why, 0, SLM_OK, NULL)
#define READS(symbol)           NONE(symbol, "reads what is there")
#define SETS(symbol)            NONE(symbol, "sets a flag")
#define ENDS(symbol)            NONE(symbol, "ends what another call made, while all memory is refused, in every row")
#define ASKS(how)               ROWF("slm_engine_run", how, OOM_NETWORK, SLM_OK, engine_remote, remote_run)
#define VOCABULARIES(symbol, ...) \
    ROW(symbol, "parrot.bin", __VA_ARGS__), ROW(symbol, "bpe.json", __VA_ARGS__), ROW(symbol, "wordpiece.json", __VA_ARGS__), \
    ROW(symbol, "unigram.model", __VA_ARGS__)

const oom_row oom_rows[] = {
    READS("slm_status_name"),
    READS("slm_status_text"),
    READS("slm_version"),
    READS("slm_cpu_isa"),
    READS("slm_cpu_threads"),
    ROWF("slm_peaks_measure", NULL, OOM_SLOW, SLM_OK, peaks),
    ROW("slm_file_open", "tiny.gguf", file_open),
    ROW("slm_file_open", "parrot.bin", file_open),
    ROW("slm_file_open", "one.safetensors", file_open),
    ROW("slm_file_open", "tiny.packed", file_open),
    ROW("slm_file_open", "bpe.json", file_open),
    ROW("slm_file_open", "folder", file_open),
    ROW("slm_file_open", "shards", file_open),
    ENDS("slm_file_free"),
    READS("slm_file_tensors"),
    READS("slm_file_keys"),
    READS("slm_file_format"),
    READS("slm_file_size"),
    READS("slm_file_tensor"),
    READS("slm_file_key"),
    KEEPS("slm_file_read", "tiny.gguf", file_open, file_read),
    KEEPS("slm_file_read", "tiny.packed", file_open, file_read),
    KEEPS("slm_file_read", "folder", file_open, file_read),
    READS("slm_sha256"),
    ROW("slm_quantize_file", "tiny.gguf", quantize),
    ROW("slm_quantize_file", "tiny.gguf, over another", old_file, quantize),
    ROW("slm_quantize_file", "parrot.bin", quantize),
    ROW("slm_convert_file", "folder", convert),
    ROW("slm_convert_file", "parrot.bin", convert),
    ROWF("slm_make_model_file", "minilm-l6", 0, SLM_E_CALLBACK, make_model),
    ROWF("slm_make_model_file", "smollm2-135m", 0, SLM_E_CALLBACK, make_model),
    ROW("slm_importance_measure", NULL, decoder, importance_measure),
    ENDS("slm_importance_free"),
    ROW("slm_pack_file", "tiny.gguf", pack),
    ROW("slm_pack_file", "parrot.bin", pack),
    ROW("slm_check_file", "tiny.packed", check_file),
    ROW("slm_check_file", "saved", check_file),
    VOCABULARIES("slm_tokenizer_open", tokenizer_open),
    ROW("slm_tokenizer_open", "fallback.json", tokenizer_open),
    ROW("slm_tokenizer_open", "encoder.gguf", tokenizer_open),
    ROW("slm_tokenizer_open", "folder", tokenizer_open),
    ENDS("slm_tokenizer_free"),
    READS("slm_tokenizer_get_info"),
    VOCABULARIES("slm_tokenizer_encode", tokenizer_open, encode),
    ROW("slm_tokenizer_encode", "bpe.json, a long text", tokenizer_open, encode),
    VOCABULARIES("slm_tokenizer_encode_ranges", tokenizer_open, encode_ranges),
    ROW("slm_tokenizer_decode", "parrot.bin", tokenizer_open, decode),
    ROW("slm_tokenizer_decode", "wordpiece.json", tokenizer_open, decode),
    READS("slm_tokenizer_text"),
    ROW("slm_template_new", NULL, template_new),
    ENDS("slm_template_free"),
    ROW("slm_template_render", NULL, template_new, template_render),
    ENDS("slm_rendered_free"),
    READS("slm_rendered_text"),
    READS("slm_rendered_spans"),
    ROW("slm_tokenizer_encode_rendered", "parrot.bin", tokenizer_open, template_new, template_render, encode_rendered),
    ROW("slm_model_open", "tiny.gguf", model_open),
    ROW("slm_model_open", "tiny.gguf, by a callback", model_open),
    ROW("slm_model_open", "an executor", model_open),
    ROW("slm_model_open", "tiny.packed", model_open),
    ROW("slm_model_open", "mapped", model_open),
    ROW("slm_model_open", "parrot.bin", model_open),
    ROW("slm_model_open", "encoder.gguf", model_open),
    ROW("slm_model_open", "relative.gguf", model_open),
    ROW("slm_model_open", "folder", model_open),
    ENDS("slm_model_free"),
    READS("slm_model_get_info"),
    READS("slm_model_tokenizer"),
    READS("slm_model_chat_template"),
    ROW("slm_session_new", NULL, decoder, session_new),
    ENDS("slm_session_free"),
    ROW("slm_session_profile", NULL, decoder, session, text, session_profile),
    ROW("slm_session_fork", NULL, decoder, session, text, session_fork),
    READS("slm_session_position"),
    READS("slm_session_room"),
    READS("slm_session_tokens"),
    ROW("slm_session_feed", "into an empty session", decoder, session, session_feed),
    ROW("slm_session_feed", "after others", decoder, session, text, session_feed),
    ROW("slm_session_feed", "into a fork", decoder, session, text, session_fork, session_feed),
    ROW("slm_session_feed", "a deadline", decoder, session, session_feed),
    ROW("slm_session_feed", "an executor", decoder, session, session_feed),
    ROW("slm_session_feed", "mapped", model_open, session, text, session_feed),
    ROW("slm_session_feed_rows", NULL, decoder, session, text, session_feed_rows),
    ROW("slm_session_feed_text", NULL, parrot, session, prompt, session_feed_text),
    READS("slm_session_logits"),
    ROW("slm_session_step", NULL, decoder, session, text, session_fork, session_step),
    ROW("slm_session_step", "with a guide", parrot, session, prompt, constraint_schema, guide_new, session_step),
    NONE("slm_session_truncate", "forgets"),
    SETS("slm_session_cancel"),
    ROW("slm_session_save", NULL, decoder, session, text, session_save),
    ROW("slm_session_save", "to a device", decoder, session, text, session_save),
    ROW("slm_session_load", NULL, decoder, session_load),
    ROW("slm_batch_new", NULL, decoder, batch_new),
    ENDS("slm_batch_free"),
    KEEPS("slm_batch_step", NULL, decoder, session, text, second, batch_new, batch_step),
    ROW("slm_encoder_new", NULL, encoder, encoder_new),
    ENDS("slm_encoder_free"),
    SETS("slm_encoder_cancel"),
    ROW("slm_encoder_states", NULL, encoder, encoder_new, encoder_states),
    ROW("slm_encoder_states", "a deadline", encoder, encoder_new, encoder_states),
    KEEPS("slm_embed", NULL, encoder, encoder_new, embed),
    ROW("slm_plan", "tiny.gguf", plan),
    ROW("slm_plan", "encoder.gguf", plan),
    READS("slm_logits_score"),
    READS("slm_logits_top"),
    ROW("slm_sample", NULL, sample),
    ROW("slm_constraint_choice", NULL, parrot, constraint_choice),
    ROW("slm_constraint_regex", NULL, parrot, constraint_regex),
    ROW("slm_constraint_schema", NULL, parrot, constraint_schema),
    ENDS("slm_constraint_free"),
    ROW("slm_guide_new", NULL, parrot, session, prompt, constraint_schema, guide_new),
    ENDS("slm_guide_free"),
    ROW("slm_guide_push", NULL, parrot, session, prompt, constraint_schema, guide_new, guide_push),
    READS("slm_guide_is_done"),
    READS("slm_guide_is_whole"),
    KEEPS("slm_session_generate", NULL, parrot, session, prompt, session_generate),
    KEEPS("slm_session_generate", "with a drafter", parrot, session, prompt, second, session_generate),
    KEEPS("slm_session_generate", "with a constraint", parrot, session, prompt, constraint_schema, session_generate),
    SETS("slm_cancel_set"),
    SETS("slm_cancel_clear"),
    READS("slm_cancel_is_set"),
    READS("slm_token_measure"),
    ROW("slm_confidence_of_tokens", NULL, confidence),
    READS("slm_confidence_of_labels"),
    ENDS("slm_reply_free"),
    ROW("slm_reply_own", NULL, reply_own),
    ROW("slm_engine_run", "generate", parrot, engine_local, engine_run),
    ROW("slm_engine_run", "chat", parrot, engine_local, engine_run),
    ROW("slm_engine_run", "tools", caller, engine_local, engine_run),
    ROW("slm_engine_run", "choose", parrot, engine_local, engine_run),
    ROW("slm_engine_run", "score", parrot, engine_local, engine_run),
    ROW("slm_engine_run", "a schema", parrot, engine_local, engine_run),
    ROW("slm_engine_run", "a deadline", parrot, engine_local, engine_run),
    ROWF("slm_engine_run", "escalate", OOM_SURVIVES, SLM_OK, parrot, engine_local, engine_escalate, run_two),
    ROWF("slm_engine_run", "escalate, a deadline", OOM_SURVIVES, SLM_OK, parrot, engine_local, engine_escalate, run_two),
    ASKS("openai, generate"),
    ASKS("openai, generate streamed"),
    ASKS("openai, choose"),
    ASKS("openai, tools"),
    ASKS("openai, tools streamed"),
    ASKS("openai, a schema"),
    ASKS("openai, tools streamed: ollama+tool=again"),
    ASKS("openai, tools: tool=object"),
    ASKS("openai, generate: usage=huge"),
    ASKS("openai, generate with settings"),
    ASKS("llama-server, generate with settings"),
    ASKS("llama-server, a schema"),
    ASKS("anthropic, generate with settings"),
    ASKS("anthropic, choose"),
    ASKS("anthropic, tools streamed"),
    ASKS("anthropic, a schema"),
    ENDS("slm_engine_free"),
    ROW("slm_engine_local", NULL, parrot, engine_local),
    ROW("slm_schema_check", NULL, schema_check),
    ROW("slm_budget_new", NULL, budget_new),
    ENDS("slm_budget_free"),
    READS("slm_budget_cost"),
    NONE("slm_budget_reserve", "changes numbers"),
    NONE("slm_budget_settle", "changes numbers"),
    READS("slm_budget_get_info"),
    ROW("slm_engine_escalate", NULL, parrot, engine_local, engine_escalate),
    ROW("slm_engine_remote", NULL, engine_remote),
    ROW("slm_engine_remote", "a proxy", engine_remote),
    READS("slm_remote_get_statistics"),
    ROWF("slm_remote_ping", "where nobody listens", OOM_SURVIVES | OOM_NETWORK, SLM_E_NETWORK, engine_remote, remote_ping),
    ROWF("slm_remote_ping", "openai", OOM_NETWORK, SLM_OK, engine_remote, remote_ping),
};
const size_t oom_count = COUNT(oom_rows);

/* ---- what asks for no memory ---- */

void oom_getters(void)
{
    static const float logits[3] = { 1, 2, 3 };
    static oom_world w;
    static const oom_row bpe = ROW("getters", "bpe.json", parrot, session, prompt, constraint_schema, guide_new);
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
    static oom_step *const more[] = { tokenizer_open, template_new, template_render, budget_new, file_open, engine_remote };
    for (size_t i = 0; i < OOM_STEPS && bpe.steps[i]; i++)
        oom_must(bpe.steps[i](&w, &err), &err);
    for (size_t i = 0; i < COUNT(more); i++)
        oom_must(more[i](&w, &err), &err);
    fail_alloc_arm(&w.memory, 1, true);
    fail_wrap_to(&w.memory);
    oom_must(slm_file_tensors(w.file) || slm_file_keys(w.file) ? SLM_OK : SLM_E_INTERNAL, &err);
    (void)slm_file_tensor(w.file, 0, &tensor, &err);                     /* a tokenizer has none */
    oom_must(slm_file_key(w.file, 0, &key, &err), &err);
    oom_must(slm_tokenizer_get_info(w.tokenizer, &tokenizer, &err), &err);
    oom_must(slm_model_get_info(w.model, &model, &err), &err);
    oom_must(slm_budget_get_info(w.budget, &budget, &err), &err);
    oom_must(slm_budget_cost(w.budget, "other", &usage, &cost, &err), &err);
    oom_must(slm_budget_reserve(w.budget, "other", &usage, &reserved, &err), &err);
    oom_must(slm_budget_settle(w.budget, reserved, cost, &err), &err);
    oom_must(slm_remote_get_statistics(w.far, &statistics, &err), &err);
    oom_must(slm_logits_score(logits, 3, 1, &nats, &err), &err);
    oom_must(slm_logits_top(logits, 3, top, 2, &err), &err);
    oom_must(slm_token_measure(&score, logits, 3, 1, &err), &err);
    oom_must(slm_confidence_of_labels(&of_labels, &n, two, 2, &err), &err);
    slm_cancel_set(&cancel);
    assert_true(slm_cancel_is_set(&cancel));
    slm_cancel_clear(&cancel);
    oom_must(slm_session_truncate(w.session, slm_session_position(w.session), &err), &err);
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
