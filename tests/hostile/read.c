/* read.c -- what a file is put through: everything in the library that reads its kind. */
#include "hostile/hostile.h"

#include <stdio.h>

enum { MOST_VALUES = 1 << 20, CONTEXT = 32 };

static float values[MOST_VALUES];
static const char text[] = "Hello a b ab \xc3\xa9 \xf0\x9f\x98\x80 \xff 12";

static void must_be_null(const void *object, slm_status status)
{
    if (!object != (status != SLM_OK))
        broken("%s, and the object is %s", slm_status_name(status), object ? "there" : "missing");
}

static void set_input(slm_input *in, const uint8_t *bytes, size_t n)
{
    *in = (slm_input)SLM_INPUT_INIT;
    in->memory = bytes;
    in->bytes = n;
}

/* How messages call a file of the run's folder. */
static const char *shown_path(const char *path)
{
    const size_t n = strlen(case_folder());
    static char shown[160];
    if (strncmp(path, case_folder(), n) != 0)
        return path;
    (void)snprintf(shown, sizeof shown, "DIR%s", path + n);
    return shown;
}

/* ---- stages ---- */

/* Every key and tensor described, every small tensor read. */
static void look(const slm_file *file, const char *name, slm_status *first, slm_error *kept)
{
    for (size_t i = 0; i < slm_file_keys(file); i++) {
        slm_key_info info = SLM_KEY_INFO_INIT;
        if (slm_file_key(file, i, &info, NULL) != SLM_OK)
            broken("key %zu cannot be described", i);
    }
    for (size_t i = 0; i < slm_file_tensors(file); i++) {
        slm_tensor_info info = SLM_TENSOR_INFO_INIT;
        slm_error err = { 0 };
        if (slm_file_tensor(file, i, &info, NULL) != SLM_OK)
            broken("tensor %zu cannot be described", i);
        uint64_t n = 1;
        for (size_t d = 0; d < 4 && n <= MOST_VALUES; d++)
            n = info.dims[d] > MOST_VALUES ? MOST_VALUES + 1 : n * info.dims[d];
        if (n <= MOST_VALUES)
            case_answer(first, kept, name, slm_file_read(file, i, values, (size_t)n, &err), &err);
    }
}

static void open_as_file(const char *path, const slm_file_params *params, size_t metadata, slm_status *first, slm_error *kept)
{
    slm_error err = { 0 };
    slm_file *file = NULL;
    (void)case_memory();
    const slm_status status = slm_file_open(&file, path, params, &err);
    case_peak("slm_file_open", metadata);
    must_be_null(file, status);
    case_answer(first, kept, shown_path(path), status, &err);
    if (file)
        look(file, shown_path(path), first, kept);
    slm_file_free(file);
}

static void open_as_tokenizer(const char *path, const slm_file_params *params, size_t metadata, slm_status *first, slm_error *kept)
{
    slm_error err = { 0 };
    slm_tokenizer *t = NULL;
    int32_t ids[256];
    char back[1024];
    size_t n = 0, n_back = 0;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    (void)case_memory();
    slm_status status = slm_tokenizer_open(&t, path, params, &err);
    case_peak("slm_tokenizer_open", metadata);
    must_be_null(t, status);
    case_answer(first, kept, shown_path(path), status, &err);
    if (!t)
        return;
    status = slm_tokenizer_encode(t, ids, COUNT(ids), &n, text, sizeof text - 1, SLM_TEXT_SPECIAL | SLM_TEXT_BOS_EOS, &err);
    if (!status)
        status = slm_tokenizer_decode(t, back, sizeof back, &n_back, ids, n, SLM_TEXT_CONTROL, &err);
    if (status && status != SLM_E_LIMIT)
        broken("a tokenizer that opens: %s: %s", slm_status_name(status), err.text);
    if (slm_tokenizer_get_info(t, &info, &err) != SLM_OK || info.bos >= (int32_t)info.vocab || info.eos >= (int32_t)info.vocab ||
        info.unk >= (int32_t)info.vocab)
        broken("ids %d, %d, %d of %u tokens", info.bos, info.eos, info.unk, info.vocab);
    for (size_t i = 0; !status && i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= info.vocab)
            broken("token %d of %u", ids[i], info.vocab);
    for (int32_t id = 0; id < (int32_t)info.vocab; id += info.vocab > 400 ? 97 : 1)
        (void)slm_tokenizer_decode(t, back, sizeof back, &n_back, &id, 1, 0, NULL);
    slm_tokenizer_free(t);
}

static slm_status compute(slm_model *model, uint32_t vocab, slm_error *err)
{
    const int32_t tokens[3] = { 0, (int32_t)(vocab / 2), (int32_t)(vocab - 1) };
    slm_session *s = NULL;
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    int32_t token;
    p.context = CONTEXT;
    slm_status status = slm_session_new(&s, model, &p, err);
    if (!status)
        status = slm_session_feed(s, tokens, 3, err);
    if (!status)
        status = slm_session_step(s, NULL, &token, err);
    slm_session_free(s);
    return status;
}

static slm_status encode(slm_model *model, uint32_t vocab, slm_error *err)
{
    const int32_t tokens[3] = { 0, (int32_t)(vocab / 2), (int32_t)(vocab - 1) };
    slm_encoder *e = NULL;
    slm_encoder_params p = SLM_ENCODER_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_status status = slm_encoder_new(&e, model, &p, err);
    if (!status && slm_model_get_info(model, &info, NULL) == SLM_OK && (uint64_t)info.embedding * 3 <= MOST_VALUES)
        status = slm_encoder_states(e, values, tokens, 3, err);
    slm_encoder_free(e);
    return status;
}

static void open_as_model(const char *path, const slm_input *in, const char *tokenizer_path, size_t metadata, slm_status *first, slm_error *kept)
{
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    p.allocator = case_memory();
    p.threads = 1;
    p.input = in;
    p.tokenizer_path = tokenizer_path;
    const slm_status status = slm_model_open(&model, path, &p, &err);
    case_peak("slm_model_open", metadata);
    must_be_null(model, status);
    case_answer(first, kept, shown_path(path), status, &err);
    if (!model)
        return;
    if (slm_model_get_info(model, &info, NULL) != SLM_OK)
        broken("a model cannot be described");
    err = (slm_error){ 0 };
    case_answer(first, kept, "", info.encoder ? encode(model, info.vocab, &err) : compute(model, info.vocab, &err), &err);
    slm_model_free(model);
}

slm_status read_model_file(const uint8_t *bytes, size_t n, const char *path, const char *tokenizer_path, unsigned stages, size_t metadata,
                           slm_error *err)
{
    slm_status first = SLM_OK;
    slm_input in;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    if (bytes)
        case_file(bytes, n);
    set_input(&in, bytes, n);
    params.allocator = case_memory();
    params.threads = 1;
    params.input = bytes ? &in : NULL;
    params.tokenizer_path = tokenizer_path;
    if (stages & STAGE_FILE)
        open_as_file(path, &params, metadata, &first, err);
    if (stages & STAGE_TOKENIZER)
        open_as_tokenizer(path, &params, metadata, &first, err);
    if (stages & STAGE_MODEL)
        open_as_model(path, params.input, tokenizer_path, metadata, &first, err);
    return first;
}
