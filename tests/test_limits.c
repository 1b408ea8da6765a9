/* test_limits.c -- every row of core/limits.def at one less, at the limit, at one more. A row without a probe here fails the test.
 *
 * A probe makes something of `v` of what the row counts and gives it to what has the limit. The refusal is known by its words: one more
 * than the limit brings them, the limit does not (it may bring another refusal: a model of 1,024 layers without tensors is none). */
#include "files.h"

#include "core/json.h"
#include "core/limits.h"
#include "engine/engine.h"
#include "harness/made_gguf.h"
#include "harness/tiny.h"
#include "model/requantize.h"
#include "session/constraint.h"
#include "session/constraint_nfa.h"

#include <sys/stat.h>

typedef slm_status probe_fn(uint64_t v, slm_error *err);

static slm_heap heap;
static slm_tokenizer *words;        /* 259 tokens: bytes */
static slm_model *model;            /* tiny, without a tokenizer */

/* `n` bytes of c between head and tail, terminated; for free(). */
static char *text_of(const char *head, char c, size_t n, const char *tail)
{
    const size_t a = strlen(head), b = strlen(tail);
    char *text = malloc(a + n + b + 1);
    assert_non_null(text);
    memcpy(text, head, a);
    memset(text + a, c, n);
    memcpy(text + a + n, tail, b + 1);
    return text;
}

/* `n` times `each` between head and tail. */
static char *repeated(const char *head, const char *each, size_t n, const char *tail)
{
    const size_t e = strlen(each);
    char *text = text_of(head, ' ', e * n, tail);
    for (size_t i = 0; i < n; i++)
        memcpy(text + strlen(head) + i * e, each, e);
    return text;
}

/* ---- GGUF ---- */

static void set_input(slm_input *in, made_gguf *m)
{
    made_end(m, 64);
    assert_int_equal(m->b.failed, SLM_OK);
    *in = (slm_input)SLM_INPUT_INIT;
    in->memory = m->b.data;
    in->bytes = m->b.size;
}

static slm_status open_bytes(const void *bytes, size_t n, slm_error *err)
{
    slm_file *file = NULL;
    slm_input in = SLM_INPUT_INIT;
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    in.memory = bytes;
    in.bytes = n;
    p.input = &in;
    const slm_status status = slm_file_open(&file, "m", &p, err);
    slm_file_free(file);
    return status;
}

static slm_status open_made(made_gguf *m, slm_error *err)
{
    slm_input in;
    set_input(&in, m);
    const slm_status status = open_bytes(in.memory, in.bytes, err);
    slm_buf_free(&m->b);
    return status;
}

static slm_status gguf_keys(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    for (uint64_t i = 0; i < v; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "%" PRIx64, i);
        made_key(&m, name, SLM_KEY_U8);
        slm_buf_u8(&m.b, 1);
    }
    return open_made(&m, err);
}

static slm_status gguf_tensors(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    for (uint64_t i = 0; i < v; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "%" PRIx64, i);
        made_tensor(&m, name, MADE_NO_TYPE, 1, 1, 1, 0);
    }
    return open_made(&m, err);
}

static slm_status key_bytes(uint64_t v, slm_error *err)
{
    made_gguf m;
    char *name = text_of("", 'k', v, "");
    made_begin(&m, &heap);
    made_u32(&m, name, 1);
    free(name);
    return open_made(&m, err);
}

static slm_status tensor_name(uint64_t v, slm_error *err)
{
    made_gguf m;
    char *name = text_of("", 't', v, "");
    made_begin(&m, &heap);
    made_tensor(&m, name, MADE_NO_TYPE, 1, 1, 1, 0);
    free(name);
    return open_made(&m, err);
}

static slm_status dims(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    made_tensor(&m, "t", MADE_NO_TYPE, (uint32_t)v, 1, 1, 0);
    return open_made(&m, err);
}

static slm_status dim(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    made_tensor(&m, "t", MADE_NO_TYPE, 1, v, 1, 0);
    return open_made(&m, err);
}

static slm_status string_bytes(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    made_key(&m, "s", SLM_KEY_STRING);
    slm_buf_u64(&m.b, v);
    uint8_t *text = slm_buf_grow(&m.b, v);
    assert_non_null(text);
    memset(text, 'a', v);
    return open_made(&m, err);
}

static slm_status array_count(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    made_array(&m, "list", SLM_KEY_U8, v);
    uint8_t *values = slm_buf_grow(&m.b, v);
    assert_non_null(values);
    memset(values, 0, v);
    return open_made(&m, err);
}

static slm_status alignment(uint64_t v, slm_error *err)
{
    made_gguf m;
    made_begin(&m, &heap);
    made_u32(&m, "general.alignment", v);
    return open_made(&m, err);
}

/* The neighbours of a power of two are its half and its double. */
static slm_status alignment_least(uint64_t v, slm_error *err)
{
    return alignment(v == SLM_LIMIT_ALIGNMENT_LEAST ? v : v < SLM_LIMIT_ALIGNMENT_LEAST ? v / 2 + 1 : 2 * v - 2, err);
}

static slm_status alignment_most(uint64_t v, slm_error *err)
{
    return alignment(v == SLM_LIMIT_ALIGNMENT_MOST ? v : v < SLM_LIMIT_ALIGNMENT_MOST ? v / 2 + 1 : 2 * v - 2, err);
}

static slm_status open_vocabulary(const char *path, const slm_input *in, slm_error *err)
{
    slm_tokenizer *t = NULL;
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.input = in;
    const slm_status status = slm_tokenizer_open(&t, path, &p, err);
    slm_tokenizer_free(t);
    return status;
}

static slm_status token_bytes(uint64_t v, slm_error *err)
{
    made_gguf m;
    slm_input in;
    char *token = text_of("", 'a', v, "");
    made_begin(&m, &heap);
    made_text(&m, "tokenizer.ggml.model", "llama");
    made_array(&m, "tokenizer.ggml.tokens", SLM_KEY_STRING, 1);
    slm_buf_str(&m.b, token, v);
    set_input(&in, &m);
    const slm_status status = open_vocabulary("m", &in, err);
    slm_buf_free(&m.b);
    free(token);
    return status;
}

/* An id: below the limit. */
static slm_status vocab(uint64_t v, slm_error *err)
{
    char json[256];
    const int n = snprintf(json, sizeof json, "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":%" PRIu64 "},\"merges\":[]}}", v - 1);
    return open_bytes(json, (size_t)n, err);
}

/* A model of one number and else of small ones. */
static slm_status model_with(const char *architecture, const char *name, uint64_t v, slm_error *err)
{
    static const struct { const char *name; uint32_t value; } numbers[] = {
        { "block_count", 1 }, { "context_length", 8 }, { "embedding_length", 8 }, { "feed_forward_length", 8 }, { "attention.head_count", 1 },
        { "attention.key_length", 8 }, { "attention.value_length", 8 },
    };
    char full[80];
    made_gguf m;
    slm_input in;
    slm_model *opened = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    made_begin(&m, &heap);
    made_text(&m, "general.architecture", architecture);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        (void)snprintf(full, sizeof full, "%s.%s", architecture, numbers[i].name);
        made_u32(&m, full, strcmp(name, numbers[i].name) == 0 ? v : numbers[i].value);
    }
    (void)snprintf(full, sizeof full, "%s.attention.layer_norm_%sepsilon", architecture, strcmp(architecture, "llama") ? "" : "rms_");
    made_key(&m, full, SLM_KEY_F32);
    slm_buf_u32(&m.b, 0x3727c5ac);
    if (strncmp(name, "tokenizer", 9) == 0) {
        made_u32(&m, name, v);
        made_array(&m, "tokenizer.ggml.tokens", SLM_KEY_STRING, 1);
        slm_buf_str(&m.b, "a", 1);
    }
    set_input(&in, &m);
    p.input = &in;
    const slm_status status = slm_model_open(&opened, "m", &p, err);
    slm_model_free(opened);
    slm_buf_free(&m.b);
    return status;
}

static slm_status layers(uint64_t v, slm_error *err)       { return model_with("llama", "block_count", v, err); }
static slm_status heads(uint64_t v, slm_error *err)        { return model_with("llama", "attention.head_count", v, err); }
static slm_status head_size(uint64_t v, slm_error *err)    { return model_with("llama", "attention.key_length", v, err); }
static slm_status embedding(uint64_t v, slm_error *err)    { return model_with("llama", "embedding_length", v, err); }
static slm_status feed_forward(uint64_t v, slm_error *err) { return model_with("llama", "feed_forward_length", v, err); }
static slm_status context(uint64_t v, slm_error *err)      { return model_with("llama", "context_length", v, err); }
static slm_status token_types(uint64_t v, slm_error *err)  { return model_with("bert", "tokenizer.ggml.token_type_count", v, err); }

/* ---- other files ---- */

static int read_spaces(void *user, uint64_t offset, void *dst, size_t n)
{
    const uint64_t v = *(const uint64_t *)user;
    char *to = dst;
    for (size_t i = 0; i < n; i++) {
        const uint64_t at = offset + i;
        to[i] = at < 8 ? (char)(v >> (8 * at)) : at == 8 ? '{' : at == 9 ? '}' : ' ';
    }
    return 0;
}

static slm_status safetensors_header(uint64_t v, slm_error *err)
{
    slm_file *file = NULL;
    slm_input in = SLM_INPUT_INIT;
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    in.read_at = read_spaces;
    in.user = &v;
    in.bytes = 8 + v;
    p.input = &in;
    const slm_status status = slm_file_open(&file, "m.safetensors", &p, err);
    slm_file_free(file);
    return status;
}

static slm_status safetensors_name(uint64_t v, slm_error *err)
{
    char *text = text_of("12345678{\"", 'n', v, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}x");
    const size_t n = strlen(text);
    for (size_t i = 0; i < 8; i++)
        text[i] = (char)((n - 9) >> (8 * i));
    const slm_status status = open_bytes(text, n, err);
    free(text);
    return status;
}

static slm_status shards(uint64_t v, slm_error *err)
{
    char name[40];
    made_gguf m;
    slm_input in;
    slm_file *file = NULL;
    made_begin(&m, &heap);
    made_u32(&m, "split.no", 0);
    made_u32(&m, "split.count", v);
    made_u32(&m, "split.tensors.count", 0);
    set_input(&in, &m);
    (void)snprintf(name, sizeof name, "m-00001-of-%05" PRIu64 ".gguf", v);
    spit(in_scratch(name), in.memory, in.bytes);
    slm_buf_free(&m.b);
    const slm_status status = slm_file_open(&file, in_scratch(name), NULL, err);
    slm_file_free(file);
    return status;
}

static slm_status open_config(char *text, slm_error *err)
{
    slm_file *file = NULL;
    (void)mkdir(in_scratch("f"), 0700);
    spit(in_scratch("f/config.json"), text, strlen(text));
    free(text);
    const slm_status status = slm_file_open(&file, in_scratch("f"), NULL, err);
    slm_file_free(file);
    return status;
}

static slm_status config_bytes(uint64_t v, slm_error *err)
{
    return open_config(text_of("{", ' ', v - 2, "}"), err);
}

/* The object, the list, its elements. */
static slm_status config_values(uint64_t v, slm_error *err)
{
    return open_config(repeated("{\"a\":[0", ",0", v - 3, "]}"), err);
}

static slm_status json_depth(uint64_t v, slm_error *err)
{
    slm_json json;
    char *text = text_of("", '[', v, "");
    slm_status status = slm_json_init(&json, text, v, "m.json", err);
    for (uint64_t i = 0; i < v && !status; i++)
        status = slm_json_next(&json, err);
    free(text);
    return status;
}

static slm_status json_bytes(uint64_t v, slm_error *err)
{
    slm_json json;
    char *text = text_of("", ' ', v, "");
    const slm_status status = slm_json_init(&json, text, v, "m.json", err);
    free(text);
    return status;
}

/* ---- calls ---- */

/* Only counted: what lies there is not looked at beyond that. */
static slm_status text_bytes(uint64_t v, slm_error *err)
{
    char *text = text_of("", ' ', v, "");
    const slm_status status = slm_schema_check("{}", 2, text, v, err);
    free(text);
    return status;
}

static slm_status threads(uint64_t v, slm_error *err)
{
    slm_file *file = NULL;
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.threads = (uint32_t)v;
    const slm_status status = slm_file_open(&file, "/nowhere", &p, err);
    slm_file_free(file);
    return status;
}

static slm_status top_scores(uint64_t v, slm_error *err)
{
    float logits[TINY_VOCAB] = { 0 };
    slm_scored top[SLM_LIMIT_TOP_SCORES + 1];
    return slm_logits_top(logits, TINY_VOCAB, top, v, err);
}

static slm_status batch_tokens(uint64_t v, slm_error *err)
{
    slm_batch *batch = NULL;
    slm_batch_params p = SLM_BATCH_PARAMS_INIT;
    p.tokens = (uint32_t)v;
    const slm_status status = slm_batch_new(&batch, model, &p, err);
    slm_batch_free(batch);
    return status;
}

static slm_status draft(uint64_t v, slm_error *err)
{
    slm_session *s = tiny_session(model, 16);
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_generation result = SLM_GENERATION_INIT;
    p.draft = (uint32_t)v;
    p.max_tokens = 1;
    tiny_feed(s, 1, 0, 2);
    const slm_status status = slm_session_generate(s, &p, &result, err);
    slm_session_free(s);
    return status;
}

static slm_status stops(uint64_t v, slm_error *err)
{
    const char *list[SLM_LIMIT_STOPS + 1];
    slm_request q = SLM_REQUEST_INIT;
    for (size_t i = 0; i < COUNT(list); i++)
        list[i] = "x";
    q.stops = list;
    q.n_stops = (uint32_t)v;
    return slm_request_check(&q, err);
}

static slm_status stop_bytes(uint64_t v, slm_error *err)
{
    slm_request q = SLM_REQUEST_INIT;
    char *text = text_of("", 's', v, "");
    const char *list[1] = { text };
    q.stops = list;
    q.n_stops = 1;
    const slm_status status = slm_request_check(&q, err);
    free(text);
    return status;
}

static slm_status labels(uint64_t v, slm_error *err)
{
    const char **list = malloc(v * sizeof *list);
    slm_request q = SLM_REQUEST_INIT;
    assert_non_null(list);
    for (size_t i = 0; i < v; i++)
        list[i] = "x";
    q.task = SLM_TASK_CHOOSE;
    q.labels = list;
    q.n_labels = v;
    const slm_status status = slm_request_check(&q, err);
    free(list);
    return status;
}

static slm_status label_bytes(uint64_t v, slm_error *err)
{
    slm_request q = SLM_REQUEST_INIT;
    char *text = text_of("", 'l', v, "");
    const char *list[1] = { text };
    q.task = SLM_TASK_CHOOSE;
    q.labels = list;
    q.n_labels = 1;
    const slm_status status = slm_request_check(&q, err);
    free(text);
    return status;
}

static slm_status messages(uint64_t v, slm_error *err)
{
    slm_request q = SLM_REQUEST_INIT;
    slm_message *list = calloc(v, sizeof *list);
    assert_non_null(list);
    for (size_t i = 0; i < v; i++)
        list[i].role = "user";
    q.task = SLM_TASK_CHAT;
    q.messages = list;
    q.n_messages = v;
    const slm_status status = slm_request_check(&q, err);
    free(list);
    return status;
}

static slm_status tool_calls(uint64_t v, slm_error *err)
{
    slm_request q = SLM_REQUEST_INIT;
    slm_message m = { .role = "assistant" };
    slm_tool_call *calls = calloc(v, sizeof *calls);
    assert_non_null(calls);
    for (size_t i = 0; i < v; i++)
        calls[i] = (slm_tool_call){ .id = "i", .name = "f", .arguments = "{}" };
    m.calls = calls;
    m.n_calls = v;
    q.task = SLM_TASK_CHAT;
    q.messages = &m;
    q.n_messages = 1;
    const slm_status status = slm_request_check(&q, err);
    free(calls);
    return status;
}

static slm_status engine_name(uint64_t v, slm_error *err)
{
    slm_engine *engine = NULL;
    slm_engine_local_params p = SLM_ENGINE_LOCAL_PARAMS_INIT;
    char *text = text_of("", 'n', v, "");
    p.name = text;
    const slm_status status = slm_engine_local(&engine, model, &p, err);
    slm_engine_free(engine);
    free(text);
    return status;
}

static slm_status budget_of(const slm_price *list, size_t n, slm_error *err)
{
    slm_budget *budget = NULL;
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    p.prices = list;
    p.n_prices = n;
    const slm_status status = slm_budget_new(&budget, &p, err);
    slm_budget_free(budget);
    return status;
}

static slm_status prices(uint64_t v, slm_error *err)
{
    static slm_price list[SLM_LIMIT_PRICES + 1];
    for (size_t i = 0; i < COUNT(list); i++)
        list[i] = (slm_price){ .model = "m", .input = 1, .output = 1 };
    return budget_of(list, v, err);
}

static slm_status price_model(uint64_t v, slm_error *err)
{
    char *text = text_of("", 'm', v, "");
    const slm_price row = { .model = text, .input = 1, .output = 1 };
    const slm_status status = budget_of(&row, 1, err);
    free(text);
    return status;
}

/* ---- constraints ---- */

static slm_status schema(char *text, slm_error *err)
{
    slm_constraint *c = NULL;
    const slm_status status = slm_constraint_schema(&c, words, text, strlen(text), err);
    slm_constraint_free(c);
    free(text);
    return status;
}

static slm_status pattern(char *text, slm_error *err)
{
    slm_constraint *c = NULL;
    const slm_status status = slm_constraint_regex(&c, words, text, err);
    slm_constraint_free(c);
    free(text);
    return status;
}

static slm_status grammar_bytes(uint64_t v, slm_error *err)
{
    return schema(text_of("{\"type\":\"null\"", ' ', v - 15, "}"), err);
}

/* The pattern itself is a level. */
static slm_status grammar_depth(uint64_t v, slm_error *err)
{
    char *close = text_of("a", ')', v - 1, ""), *text = text_of("", '(', v - 1, close);
    free(close);
    return pattern(text, err);
}

static slm_status grammar_repeat(uint64_t v, slm_error *err)
{
    char text[32];
    (void)snprintf(text, sizeof text, "a{%" PRIu64 "}", v);
    return pattern(text_of(text, ' ', 0, ""), err);
}

/* Two are there from the start; the count is looked at when the automaton is frozen. */
static slm_status grammar_states(uint64_t v, slm_error *err)
{
    slm_nfa nfa;
    bool spelled[256];
    memset(spelled, true, sizeof spelled);
    slm_nfa_init(&nfa, &heap);
    slm_nfa_bytes(&nfa, SLM_NFA_START, 'a', 'a', SLM_NFA_END);
    while (nfa.n < v && !nfa.failed)
        (void)slm_nfa_node(&nfa);
    const slm_status status = slm_nfa_freeze(&nfa, spelled, "test", err);
    slm_nfa_free(&nfa);
    return status;
}

static slm_status grammar_edges(uint64_t v, slm_error *err)
{
    slm_nfa nfa;
    bool spelled[256];
    memset(spelled, true, sizeof spelled);
    slm_nfa_init(&nfa, &heap);
    for (uint64_t i = 0; i < v && !nfa.failed; i++)
        slm_nfa_bytes(&nfa, SLM_NFA_START, 'a', 'a', SLM_NFA_END);
    const slm_status status = slm_nfa_freeze(&nfa, spelled, "test", err);
    slm_nfa_free(&nfa);
    return status;
}

/* A step that takes n of what is bounded, where all but n - (v - limit) of the bound is taken already: v in all. */
static slm_status take_bounded(uint64_t v, bool work, slm_error *err)
{
    slm_constraint *c = NULL;
    slm_place place;
    slm_fit fit;
    uint64_t steps;
    size_t bytes, none;
    check_status(slm_constraint_regex(&c, words, "abc", err), SLM_OK, err);
    check_status(slm_place_init(&place, c, err), SLM_OK, err);
    slm_constraint_taken(c, &steps, &bytes);                    /* bytes: what the next state finds */
    check_status(slm_place_step(&place, (const uint8_t *)"a", 1, SIZE_MAX, &fit, err), SLM_OK, err);
    slm_constraint_taken(c, &steps, &none);
    slm_place_free(&place);
    slm_constraint_free(c);
    check_status(slm_constraint_regex(&c, words, "abc", err), SLM_OK, err);
    check_status(slm_place_init(&place, c, err), SLM_OK, err);
    if (work)
        slm_constraint_bound(c, (int64_t)steps - (int64_t)v, 0);
    else
        slm_constraint_bound(c, 0, (int64_t)bytes - (int64_t)v);
    const slm_status status = slm_place_step(&place, (const uint8_t *)"a", 1, SIZE_MAX, &fit, err);
    slm_place_free(&place);
    slm_constraint_free(c);
    return status;
}

static slm_status grammar_work(uint64_t v, slm_error *err)  { return take_bounded(v, true, err); }
static slm_status grammar_cache(uint64_t v, slm_error *err) { return take_bounded(v, false, err); }

/* Rows are whole blocks, so the neighbours are a block away. What is too long keeps its type. */
static slm_status w8a8_cols(uint64_t v, slm_error *err)
{
    const slm_mix *mix = NULL;
    const uint64_t cols = v == SLM_LIMIT_W8A8_COLS ? v : v < SLM_LIMIT_W8A8_COLS ? v + 1 - 256 : v - 1 + 256;
    check_status(slm_written_type(&mix, "w8a8", true, err), SLM_OK, err);
    const slm_type *type = slm_tensor_type("blk.0.ffn_down.weight", 2, cols, slm_type_by_option("f32"), mix, 4, 1, false);
    return type->head ? SLM_OK : slm_fail(err, SLM_E_UNSUPPORTED, "rows of %" PRIu64 " values stay as they are", cols);
}

/* Does the text fit? */
static slm_status fits(const char *schema_text, const char *text, slm_error *err)
{
    slm_constraint *c = NULL;
    slm_place place;
    slm_fit fit = SLM_FIT_TAKEN;
    slm_status status = slm_constraint_schema(&c, words, schema_text, strlen(schema_text), err);
    if (!status)
        status = slm_place_init(&place, c, err);
    if (status)
        fail_msg("%s", err->text);
    status = slm_place_step(&place, (const uint8_t *)text, strlen(text), SIZE_MAX, &fit, err);
    if (!status && (fit != SLM_FIT_TAKEN || !place.accepts))
        status = slm_fail(err, SLM_E_MISMATCH, "a text of %zu bytes does not fit", strlen(text));
    slm_place_free(&place);
    slm_constraint_free(c);
    return status;
}

/* A larger bound counts as the limit. */
static slm_status schema_length(uint64_t v, slm_error *err)
{
    char *text = text_of("\"", 'a', v, "\"");
    const slm_status status = fits("{\"type\":\"string\",\"maxLength\":9999}", text, err);
    free(text);
    return status;
}

static slm_status schema_items(uint64_t v, slm_error *err)
{
    char *text = repeated("[null", ",null", v - 1, "]");
    const slm_status status = fits("{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"maxItems\":9999}", text, err);
    free(text);
    return status;
}

/* Lists in lists: levels - 1 of them around a null. */
static slm_status fits_nested(const char *schema_text, uint64_t levels, slm_error *err)
{
    char *close = text_of("null", ']', levels - 1, ""), *text = text_of("", '[', levels - 1, close);
    const slm_status status = fits(schema_text, text, err);
    free(close);
    free(text);
    return status;
}

static slm_status schema_recursion(uint64_t v, slm_error *err)
{
    return fits_nested("{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/n\"}}]}}}", v, err);
}

static slm_status schema_any(uint64_t v, slm_error *err)
{
    return fits_nested("true", v + 1, err);         /* lists: what is in the innermost is none */
}

/* ---- templates ---- */

static slm_status render(char *text, slm_error *err)
{
    static const char json[] = "{\"messages\":[]}";
    slm_template *t = NULL;
    slm_rendered *r = NULL;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    how.fuel = UINT64_C(1) << 40;
    slm_status status = slm_template_new(&t, text, strlen(text), NULL, err);
    if (!status)
        status = slm_template_render(&r, t, json, sizeof json - 1, &how, err);
    slm_rendered_free(r);
    slm_template_free(t);
    free(text);
    return status;
}

static slm_status render_with(const char *form, uint64_t v, slm_error *err)
{
    char text[256];
    (void)snprintf(text, sizeof text, form, v);
    return render(text_of(text, ' ', 0, ""), err);
}

static slm_status template_bytes(uint64_t v, slm_error *err)
{
    return render(text_of("", 'x', v, ""), err);
}

static slm_status template_nesting(uint64_t v, slm_error *err)
{
    char *ends = repeated("", "{% endif %}", v, ""), *text = repeated("", "{% if true %}", v, ends);
    free(ends);
    return render(text, err);
}

/* The first call is one of them. */
static slm_status template_calls(uint64_t v, slm_error *err)
{
    return render_with("{%% macro f(n) %%}{%% if n > 1 %%}{{ f(n - 1) }}{%% endif %%}{%% endmacro %%}{{ f(%" PRIu64 ") }}", v, err);
}

static slm_status template_values(uint64_t v, slm_error *err)
{
    return render_with("{%% set a = [1] * %" PRIu64 " %%}", v, err);
}

static slm_status value_depth(uint64_t v, slm_error *err)
{
    return render_with("{%% set ns = namespace(s=[1]) %%}{%% for a in range(%" PRIu64 ") %%}{%% set ns.s = [ns.s] %%}{%% endfor %%}{{ ns.s | tojson }}", v - 1, err);
}

static slm_status template_names(uint64_t v, slm_error *err)
{
    char *text = malloc(v * 24 + 1);
    size_t n = 0;
    assert_non_null(text);
    for (uint64_t i = 0; i < v; i++)
        n += (size_t)sprintf(text + n, "{{ x%" PRIu64 " }}", i);
    return render(text, err);
}

static slm_status rendered_bytes(uint64_t v, slm_error *err)
{
    char text[160];
    (void)snprintf(text, sizeof text, "{%% set a = 'x' * 1048576 %%}{%% for i in range(%" PRIu64 ") %%}{{ a }}{%% endfor %%}{{ 'x' * %" PRIu64 " }}",
                   v / 1048576, v % 1048576);
    return render(text_of(text, ' ', 0, ""), err);
}

/* ---- the table ---- */

static const struct row {
    const char *name;
    uint64_t limit;
    const char *says;
    probe_fn *probe;
} rows[] = {
#define ROW(name, says, probe) { #name, SLM_LIMIT_##name, says, probe }
    ROW(GGUF_KEYS, "keys (allowed", gguf_keys), ROW(GGUF_TENSORS, "tensors (allowed", gguf_tensors),
    ROW(KEY_BYTES, "(allowed 1 .. 65535", key_bytes), ROW(TENSOR_NAME, "(allowed 1 .. 64", tensor_name), ROW(DIMS, "dimensions (allowed", dims),
    ROW(DIM, "dimension 0 is", dim), ROW(STRING_BYTES, "bytes (allowed 67108864", string_bytes), ROW(ARRAY_COUNT, "elements (allowed", array_count),
    ROW(ALIGNMENT_LEAST, "alignment", alignment_least), ROW(ALIGNMENT_MOST, "alignment", alignment_most),
    ROW(W8A8_COLS, "stay as they are", w8a8_cols),
    ROW(SAFETENSORS_HEADER, "allowed 2 .. 100000000", safetensors_header), ROW(SAFETENSORS_NAME, "allowed 1 .. 512", safetensors_name),
    ROW(SHARDS, "(allowed 1 .. 1024 files", shards), ROW(CONFIG_BYTES, "1048576", config_bytes), ROW(CONFIG_VALUES, "more than 65536 values", config_values),
    ROW(JSON_DEPTH, "64", json_depth), ROW(JSON_BYTES, "134217728", json_bytes), ROW(VOCAB, "allowed below 4194304", vocab),
    ROW(TOKEN_BYTES, "(allowed 65535", token_bytes), ROW(LAYERS, "allowed 1 .. 1024", layers), ROW(HEADS, "allowed 1 .. 1024", heads),
    ROW(HEAD_SIZE, "allowed 1 .. 1024", head_size), ROW(EMBEDDING, "allowed 1 .. 65536", embedding),
    ROW(FEED_FORWARD, "allowed 1 .. 1048576", feed_forward), ROW(CONTEXT, "allowed 1 .. 16777216", context), ROW(TEXT_BYTES, "(allowed 67108864", text_bytes),
    ROW(TOKEN_TYPES, "1 .. 1024", token_types), ROW(THREADS, "256", threads), ROW(STOPS, "stop strings", stops), ROW(STOP_BYTES, "stop string 0", stop_bytes),
    ROW(TOP_SCORES, "64", top_scores), ROW(DRAFT, "draft is", draft), ROW(GRAMMAR_BYTES, "(allowed 1048576", grammar_bytes),
    ROW(GRAMMAR_DEPTH, "64", grammar_depth), ROW(GRAMMAR_STATES, "1000000", grammar_states), ROW(GRAMMAR_EDGES, "4000000", grammar_edges),
    ROW(GRAMMAR_REPEAT, "10000", grammar_repeat), ROW(GRAMMAR_WORK, "steps and", grammar_work),
    ROW(GRAMMAR_CACHE, "bytes of cache", grammar_cache), ROW(SCHEMA_RECURSION, "does not fit", schema_recursion),
    ROW(SCHEMA_ANY, "does not fit", schema_any), ROW(SCHEMA_LENGTH, "does not fit", schema_length), ROW(SCHEMA_ITEMS, "does not fit", schema_items),
    ROW(LABELS, "labels (allowed", labels), ROW(LABEL_BYTES, "label 0 has", label_bytes), ROW(TOOL_CALLS, "tool calls", tool_calls),
    ROW(ENGINE_NAME, "64", engine_name), ROW(PRICES, "prices", prices), ROW(PRICE_MODEL, "256", price_model), ROW(BATCH_TOKENS, "65536", batch_tokens),
    ROW(TEMPLATE_BYTES, "(allowed 1048576", template_bytes), ROW(TEMPLATE_NESTING, "nested more than 100", template_nesting),
    ROW(TEMPLATE_CALLS, "more than 100 deep", template_calls), ROW(TEMPLATE_VALUES, "repeated", template_values),
    ROW(VALUE_DEPTH, "nested more than 100", value_depth), ROW(MESSAGES, "messages (allowed", messages),
    ROW(RENDERED_BYTES, "67108864", rendered_bytes), ROW(TEMPLATE_NAMES, "more than 1024 variables", template_names),
};

static const struct { const char *name; } limits[] = {
#define SLM_LIMIT(name, value, what) { #name },
#include "core/limits.def"
#undef SLM_LIMIT
};

static void every_limit_has_a_row(void **state)
{
    (void)state;
    assert_int_equal(COUNT(limits), COUNT(rows));
    for (size_t i = 0; i < COUNT(limits); i++) {
        size_t found = 0;
        for (size_t k = 0; k < COUNT(rows); k++)
            found += strcmp(limits[i].name, rows[k].name) == 0;
        if (found != 1)
            fail_msg("limit %s of limits.def has %zu rows in test_limits.c", limits[i].name, found);
    }
}

/* A least value is refused below itself, all others above. */
static void limits_hold_to_the_unit(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        const bool least = strstr(r->name, "_LEAST") != NULL;
        for (int step = -1; step <= 1; step++) {
            slm_error err = { 0 };
            const slm_status status = r->probe(r->limit + (uint64_t)(int64_t)step, &err);
            const bool refused = status && strstr(err.text, r->says), want = least ? step < 0 : step > 0;
            if (refused != want) {
                print_error("%s at %" PRIu64 "%+d: %s %s\n", r->name, r->limit, step, slm_status_name(status), err.text);
                wrong++;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static int open_all(void **state)
{
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    slm_heap_init(&heap, NULL, 0);
    model = tiny_open(1, "q8_0", NULL);
    return slm_tokenizer_open(&words, "tests/fuzz/seeds/gguf/spm", &p, NULL) ? -1 : make_scratch(state);
}

static int close_all(void **state)
{
    slm_tokenizer_free(words);
    slm_model_free(model);
    return drop_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_has_a_row),
        cmocka_unit_test(limits_hold_to_the_unit),
    };
    return cmocka_run_group_tests_name("limits", tests, open_all, close_all) != 0;
}
