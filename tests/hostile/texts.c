/* texts.c -- formats that are text: safetensors and the files of a Hugging Face folder, tokenizers, templates, conversations, schemas,
 * patterns, tool calls. A row says what the text is and who reads it. */
#include "hostile/hostile.h"

#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- making ---- */

static void set_text(specimen *s, const char *text)
{
    slm_buf_add(&s->file, text, strlen(text));
}

static void make_json(specimen *s, const void *with)
{
    set_text(s, with);
    map_json(s, 0, s->file.size, NONE);
}

static void make_tags(specimen *s, const void *with)
{
    set_text(s, with);
    map_text(s, "{", "}");
}

static void make_letters(specimen *s, const void *with)
{
    set_text(s, with);
    map_text(s, NULL, NULL);
}

/* ---- safetensors ---- */

static const struct { const char *name; unsigned rows, cols; } weights[] = {     /* a llama of one layer, 2 heads of 4, 5 tokens */
    { "model.embed_tokens.weight", 5, 8 }, { "model.norm.weight", 0, 8 }, { "lm_head.weight", 5, 8 }, { "model.layers.0.input_layernorm.weight", 0, 8 },
    { "model.layers.0.post_attention_layernorm.weight", 0, 8 }, { "model.layers.0.self_attn.q_proj.weight", 8, 8 },
    { "model.layers.0.self_attn.k_proj.weight", 4, 8 }, { "model.layers.0.self_attn.v_proj.weight", 4, 8 },
    { "model.layers.0.self_attn.o_proj.weight", 8, 8 }, { "model.layers.0.mlp.gate_proj.weight", 6, 8 },
    { "model.layers.0.mlp.up_proj.weight", 6, 8 }, { "model.layers.0.mlp.down_proj.weight", 8, 6 },
};

/* Tensors from .. to - 1 of the list, all values 0.5. */
static void put_safetensors(specimen *s, size_t from, size_t to)
{
    char text[256];
    unsigned at = 0;
    slm_buf_u64(&s->file, 0);
    slm_buf_add(&s->file, "{\"__metadata__\":{\"format\":\"pt\"}", 31);
    for (size_t i = from; i < to; i++) {
        const unsigned rows = weights[i].rows, cols = weights[i].cols, bytes = (rows ? rows : 1) * cols * 4;
        char shape[32];
        (void)snprintf(shape, sizeof shape, rows ? "%u,%u" : "%.0u%u", rows, cols);
        const int n = snprintf(text, sizeof text, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%u,%u]}", weights[i].name, shape, at, at + bytes);
        slm_buf_add(&s->file, text, (size_t)n);
        at += bytes;
    }
    slm_buf_add(&s->file, "}", 1);
    s->head = s->file.size;
    for (size_t i = 0; i < 8; i++)
        s->file.data[i] = (uint8_t)((s->head - 8) >> (8 * i));
    for (unsigned i = 0; i < at; i += 4)
        slm_buf_u32(&s->file, 0x3f000000);
}

static void map_safetensors(specimen *s)
{
    const int length = note_field(s, 0, 8, LE, NONE, "length of the header");
    map_json(s, 8, s->head - 8, length);
}

static void make_safetensors(specimen *s, const void *with)
{
    (void)with;
    put_safetensors(s, 7, 10);
    map_safetensors(s);
}

static slm_status read_safetensors(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.safetensors", NULL, STAGE_FILE, n, err);
}

/* ---- folders ---- */

#define UNIGRAM "{\"version\":\"1.0\",\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"}," \
    "\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true}],\"post_processor\":null,\"decoder\":null," \
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\xe2\x96\x81\",-1.5],[\"a\",-2],[\"b\",-2.5],[\"ab\",-1e0]]}}"

static const struct { const char *name, *text; } folder_files[] = {
    { "config.json", "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"torch_dtype\":\"float32\",\"max_position_embeddings\":64,"
      "\"hidden_size\":8,\"num_hidden_layers\":1,\"intermediate_size\":6,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,"
      "\"rms_norm_eps\":1e-5,\"vocab_size\":5,\"rope_theta\":500000.0,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,"
      "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":32},\"hidden_act\":\"silu\",\"tie_word_embeddings\":false,\"attention_bias\":false,"
      "\"mlp_bias\":false,\"bos_token_id\":1,\"eos_token_id\":[2,3],\"pad_token_id\":null,\"sliding_window\":null}" },
    { "generation_config.json", "{\"eos_token_id\":[2,3],\"bos_token_id\":1,\"temperature\":0.6}" },
    { "tokenizer.json", UNIGRAM },
    { "tokenizer_config.json", "{\"bos_token\":{\"content\":\"a\",\"special\":true},\"eos_token\":\"ab\",\"add_bos_token\":true,\"add_eos_token\":false,"
      "\"unk_token\":\"<unk>\",\"chat_template\":[{\"name\":\"default\",\"template\":\"{{ x }}\"},{\"name\":\"tool_use\",\"template\":\"y\"}]}" },
    { "special_tokens_map.json", "{\"pad_token\":\"b\",\"eos_token\":{\"content\":\"b\"},\"unk_token\":\"<unk>\"}" },
    { "model.safetensors.index.json", "{\"metadata\":{\"total_size\":1408},\"weight_map\":{"
      "\"model.embed_tokens.weight\":\"model-00001-of-00002.safetensors\",\"model.norm.weight\":\"model-00001-of-00002.safetensors\","
      "\"lm_head.weight\":\"model-00001-of-00002.safetensors\",\"model.layers.0.input_layernorm.weight\":\"model-00001-of-00002.safetensors\","
      "\"model.layers.0.post_attention_layernorm.weight\":\"model-00001-of-00002.safetensors\","
      "\"model.layers.0.self_attn.q_proj.weight\":\"model-00002-of-00002.safetensors\",\"model.layers.0.self_attn.k_proj.weight\":\"model-00002-of-00002.safetensors\","
      "\"model.layers.0.self_attn.v_proj.weight\":\"model-00002-of-00002.safetensors\",\"model.layers.0.self_attn.o_proj.weight\":\"model-00002-of-00002.safetensors\","
      "\"model.layers.0.mlp.gate_proj.weight\":\"model-00002-of-00002.safetensors\",\"model.layers.0.mlp.up_proj.weight\":\"model-00002-of-00002.safetensors\","
      "\"model.layers.0.mlp.down_proj.weight\":\"model-00002-of-00002.safetensors\"}}" },
};
enum { TEXTS = COUNT(folder_files), ROUND = 512 };

static char bent_name[80];          /* of the file in the folder that is bent */
static size_t folder_bytes;         /* of the others: keys and tables of them are metadata too */

static void in_folder(char name[80], const char *file)
{
    (void)snprintf(name, 80, "f/%s", file);
}

/* Writes every file but the one of that name, which is the specimen. A sharded folder has an index, another has not. */
static void make_folder(specimen *s, const void *with)
{
    const char *bent = with;
    const bool sharded = strstr(bent, "-of-") || strstr(bent, "index");
    char name[80];
    if (mkdir(case_path("f"), 0700) != 0) {
        (void)remove(case_path("f/model.safetensors.index.json"));
        (void)remove(case_path("f/model.safetensors"));
    }
    in_folder(bent_name, bent);
    folder_bytes = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        if (!strcmp(folder_files[i].name, "model.safetensors.index.json") && !sharded)
            continue;
        in_folder(name, folder_files[i].name);
        case_write(name, folder_files[i].text, strlen(folder_files[i].text));
        folder_bytes += strlen(folder_files[i].text);
        if (!strcmp(folder_files[i].name, bent))
            make_json(s, folder_files[i].text);
    }
    for (size_t i = 0; i < (sharded ? 2 : 1); i++) {
        specimen w = { .head = 0 };
        slm_buf_init(&w.file, s->file.heap, 1 << 20);
        put_safetensors(&w, i ? 5 : 0, sharded && !i ? 5 : COUNT(weights));
        if (sharded)
            (void)snprintf(name, sizeof name, "f/model-%05zu-of-00002.safetensors", i + 1);
        else
            in_folder(name, "model.safetensors");
        case_write(name, w.file.data, w.file.size);
        if (!strcmp(name, bent_name)) {
            slm_buf_add(&s->file, w.file.data, w.file.size);
            s->head = w.head;
            map_safetensors(s);
        }
        folder_bytes += w.head;
        slm_buf_free(&w.file);
    }
}

static slm_status read_folder(const uint8_t *bytes, size_t n, slm_error *err)
{
    case_write(bent_name, bytes, n);
    return read_model_file(NULL, 0, case_path("f"), NULL, STAGE_FILE | STAGE_TOKENIZER | STAGE_MODEL, n + folder_bytes + ROUND, err);
}

/* ---- tokenizers alone ---- */

static slm_status read_tokenizer(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "tokenizer.json", NULL, STAGE_FILE | STAGE_TOKENIZER, n, err);
}

#define BPE "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"added_tokens\":[{\"id\":4,\"content\":\"<|end|>\",\"special\":true," \
    "\"lstrip\":false,\"normalized\":false},{\"id\":5,\"content\":\"<x>\",\"special\":false}],\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" \
    "{\"SpecialToken\":{\"id\":\"<|end|>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"<|end|>\":{\"id\":\"<|end|>\",\"ids\":[4]," \
    "\"tokens\":[\"<|end|>\"]}}},\"model\":{\"type\":\"BPE\",\"ignore_merges\":false,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3},\"merges\":[[\"a\",\"b\"]]}}"
#define SPM "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true," \
    "\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6,\"\xe2\x96\x81\":7},\"merges\":[\"a b\",\"b c\",\"ab c\",\"a bc\"]}}"
#define WORDPIECE "{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true,\"strip_accents\":null},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," \
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\"," \
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"a\":3,\"##b\":4}}}"

/* ---- templates ---- */

static const char conversation[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi <b>\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":"
    "{\"name\":\"f\",\"arguments\":{\"a\":[1,2.5,\"x\"]}}}]}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"add_generation_prompt\":true,"
    "\"bos_token\":\"<s>\",\"eos_token\":null,\"documents\":null,\"extra\":{\"x\":{\"a\":1,\"b\":[true,null]},\"s\":\"h\\u00e9 y\",\"n\":-7}}";
static const char chat[] = "{{ bos_token }}{%- macro show(m, n=3) -%}{{ m.role | upper }}:{{ '%s' }}{{ n * 2 // 3 }}{%- endmacro -%}"
    "{% set ns = namespace(found=false, list=[1, 2.5, 'x']) %}{% for m in messages %}{% if m['role'] == 'user' and not ns.found %}"
    "{{ show(m, 4) }}{{ m.content | trim }}{% set ns.found = true %}{% elif m.tool_calls is defined %}{{ m.tool_calls | tojson(indent=2) }}"
    "{% else %}{{ raise_exception('no role ' ~ loop.index) }}{% endif %}{% endfor %}{# a comment #}"
    "{{ messages[-1:][0].role[::-1] if messages else 'none' }}{% if add_generation_prompt %}{{ '<|im_start|>' ~ tools | length }}{% endif %}"
    "{{ strftime_now('%d %b %Y') }}{{ range(1, 9, 3) | join(', ') }}{{ {'a': 1, 'b': [true, none]} | items | list }}{{ 2 ** 10 }}{{ s.split(' ') }}";

static slm_status render(const char *text, size_t n, const char *json, size_t len, slm_error *err)
{
    slm_template_params params = SLM_TEMPLATE_PARAMS_INIT;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    slm_template *t = NULL;
    slm_rendered *r = NULL;
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    params.allocator = case_memory();
    how.now = "2024-07-26T09:30:00";
    how.fuel = 1 << 20;                 /* each case within a second, on a slow machine too */
    slm_status status = slm_template_new(&t, text, n, &params, &e);
    case_peak("slm_template_new", n);
    if (!status)
        status = slm_template_render(&r, t, json, len, &how, &e);
    if (status == SLM_E_MISMATCH)       /* the template's own words */
        *err = e, first = status;
    else
        case_answer(&first, err, "", status, &e);
    slm_rendered_free(r);
    slm_template_free(t);
    return first;
}

static slm_status read_template(const uint8_t *bytes, size_t n, slm_error *err)
{
    return render((const char *)bytes, n, conversation, sizeof conversation - 1, err);
}

static slm_status read_conversation(const uint8_t *bytes, size_t n, slm_error *err)
{
    static const char simple[] = "{% for m in messages %}{{ m.role }}{{ m.content }}{{ m | tojson }}{% endfor %}{{ tools | tojson }}{{ bos_token }}";
    return render(simple, sizeof simple - 1, (const char *)bytes, n, err);
}

/* ---- constraints ---- */

static slm_tokenizer *tokenizer;

static const slm_tokenizer *words(void)
{
    slm_error err = { 0 };
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    params.allocator = case_memory();
    if (!tokenizer && slm_tokenizer_open(&tokenizer, "tests/fuzz/seeds/gguf/spm", &params, &err) != SLM_OK)
        broken("%s", err.text);
    (void)case_memory();
    return tokenizer;
}

/* A pattern is a C string: it ends at its first NUL. */
static slm_status read_pattern(const uint8_t *bytes, size_t n, slm_error *err)
{
    static char pattern[1 << 16];
    slm_constraint *c = NULL;
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    memcpy(pattern, bytes, n);
    pattern[n] = 0;
    const slm_tokenizer *t = words();
    case_answer(&first, err, "", slm_constraint_regex(&c, t, pattern, &e), &e);
    slm_constraint_free(c);
    return first;
}

static slm_status read_schema(const uint8_t *bytes, size_t n, slm_error *err)
{
    static const char text[] = "{\"name\":\"ab\",\"age\":3,\"list\":[1,2],\"next\":{\"next\":null}}";
    slm_constraint *c = NULL;
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    const slm_tokenizer *t = words();
    case_answer(&first, err, "", slm_constraint_schema(&c, t, (const char *)bytes, n, &e), &e);
    slm_constraint_free(c);
    e = (slm_error){ 0 };
    const slm_status status = slm_schema_check((const char *)bytes, n, text, sizeof text - 1, &e);
    case_answer(&first, err, "", status, &e);
    return first;
}

static void make_pattern(specimen *s, const void *with)
{
    slm_error err = { 0 };
    make_letters(s, with);
    (void)read_pattern(s->file.data, s->file.size, &err);       /* what the tokenizer keeps from then on */
}

static void make_schema(specimen *s, const void *with)
{
    slm_error err = { 0 };
    make_json(s, with);
    (void)read_schema(s->file.data, s->file.size, &err);
}

#define SCHEMA "{\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/node\"},{\"type\":\"null\"}]}},\"required\":[\"next\"]}}," \
    "\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":12},\"code\":{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"},\"age\":{\"type\":\"integer\"," \
    "\"minimum\":0,\"maximum\":130},\"list\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"exclusiveMinimum\":-1},\"minItems\":1,\"maxItems\":3}," \
    "\"kind\":{\"enum\":[\"cat\",1,null]},\"fix\":{\"const\":[true]},\"next\":{\"$ref\":\"#/$defs/node\"},\"either\":{\"oneOf\":[{\"type\":\"boolean\"},{\"type\":\"string\"}]}}," \
    "\"required\":[\"name\",\"age\"],\"additionalProperties\":false}"

static slm_status read_answer(const uint8_t *bytes, size_t n, slm_error *err)
{
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    case_answer(&first, err, "", slm_schema_check("{}", 2, (const char *)bytes, n, &e), &e);
    return first;
}

/* ---- tool calls out of an answer: what is not well formed is text, so nothing is refused ---- */

static slm_status read_calls(const uint8_t *bytes, size_t n, slm_error *err)
{
    static const char family[] = "<tool_call>";
    const slm_tool_form *form = slm_tool_form_of(family, sizeof family - 1);
    slm_heap heap;
    slm_tool_list calls;
    (void)err;
    slm_heap_init(&heap, case_memory(), 0);
    if (!slm_tool_read(&calls, form, &heap, (const char *)bytes, n, 0, NULL)) {
        for (size_t i = 0; i < calls.n; i++)
            if (slm_tool_call_check(&calls.calls[i], NULL) || !*calls.calls[i].id)
                broken("a call that is none");
        slm_tool_list_free(&calls, &heap);
    }
    case_peak("slm_tool_read", n);
    return SLM_OK;
}

const format text_formats[] = {
    { "safetensors", 0, make_safetensors, NULL, read_safetensors, NULL },
    { "folder/model.safetensors", 1, make_folder, "model.safetensors", read_folder, NULL },
    { "folder/config.json", 0, make_folder, "config.json", read_folder, NULL },
    { "folder/generation_config.json", 1, make_folder, "generation_config.json", read_folder, NULL },
    { "folder/tokenizer.json", 0, make_folder, "tokenizer.json", read_folder, NULL },
    { "folder/tokenizer_config.json", 0, make_folder, "tokenizer_config.json", read_folder, NULL },
    { "folder/special_tokens_map.json", 0, make_folder, "special_tokens_map.json", read_folder, NULL },
    { "shards/index", 0, make_folder, "model.safetensors.index.json", read_folder, NULL },
    { "shards/first", 1, make_folder, "model-00001-of-00002.safetensors", read_folder, NULL },
    { "shards/second", 1, make_folder, "model-00002-of-00002.safetensors", read_folder, NULL },
    { "tokenizer.json/bpe", 1, make_json, BPE, read_tokenizer, NULL },
    { "tokenizer.json/spm", 0, make_json, SPM, read_tokenizer, NULL },
    { "tokenizer.json/wordpiece", 0, make_json, WORDPIECE, read_tokenizer, NULL },
    { "tokenizer.json/unigram", 0, make_json, UNIGRAM, read_tokenizer, NULL },
    { "template", 0, make_tags, chat, read_template, NULL },
    { "conversation", 0, make_json, conversation, read_conversation, NULL },
    { "pattern", 0, make_pattern, "(ab|c[d-f]{2,5}|\\d+\\.\\w*\\s?)[^x-z\\n]|\\u00e9{3}.", read_pattern, NULL },
    { "schema", 0, make_schema, SCHEMA, read_schema, NULL },
    { "json", 0, make_json, conversation, read_answer, NULL },
    { "tool calls", 0, make_tags, "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1}}</tool_call>\n<tool_call>{\"name\":\"g\",\"parameters\":{}}</tool_call>",
      read_calls, NULL },
};
const size_t n_text_formats = COUNT(text_formats);
