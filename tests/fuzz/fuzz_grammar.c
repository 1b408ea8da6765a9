/* fuzz_grammar.c -- a pattern, a schema or a list of choices, and a text made to it with logits drawn from a seed: the text must be a whole one
 * of the language, however soon its tokens run out.
 *
 * First byte: 0 pattern, 1 schema, 2 choices (one a line), 3 a schema, a NUL and a text that is judged by it. Second: the seed. Third: most
 * tokens. A text made to a schema is judged by slm_schema_check, one made to choices compared with them. */
#include "fuzz.h"

#include "core/random.h"
#include "text/vocab.h"

enum { MOST = 4096, CHOICES = 64, TOKENS = 64, MEMORY = 256 << 20 };

static slm_model *model;
static slm_session *session;
static const slm_tokenizer *tokenizer;
static uint32_t vocab;

static void begin(void)
{
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_error err = { 0 };
    p.threads = 1;
    p.memory_limit = MEMORY;
    must(slm_model_open(&model, "models/tiny-stories/tiny-stories.gguf", &p, &err) == SLM_OK, err.text);
    must(slm_session_new(&session, model, NULL, &err) == SLM_OK, err.text);
    tokenizer = slm_model_tokenizer(model);
    must(slm_tokenizer_get_info(tokenizer, &info, &err) == SLM_OK, err.text);
    vocab = info.vocab;
    slm_constraint *first = NULL;               /* the tokenizer makes its trie for the first one and keeps it */
    must(slm_constraint_regex(&first, tokenizer, "a", &err) == SLM_OK, err.text);
    slm_constraint_free(first);
}

static slm_status choices(slm_constraint **out, char *text, slm_error *err)
{
    const char *list[CHOICES];
    size_t n = 0;
    for (char *at = text; n < CHOICES; at++) {
        list[n++] = at;
        at += strcspn(at, "\n");
        if (!*at)
            break;
        *at = 0;
    }
    return slm_constraint_choice(out, tokenizer, list, n, err);
}

/* One of the lines, which are terminated now. */
static bool is_choice(const char *lines, size_t n, const char *text, size_t len)
{
    for (size_t i = 0; i <= n; i += strlen(lines + i) + 1)
        if (strlen(lines + i) == len && !memcmp(lines + i, text, len))
            return true;
    return false;
}

/* The text that `seed` makes of at most `most` tokens; its length, or SIZE_MAX if there is no guide. */
static size_t speak(slm_constraint *c, uint64_t seed, size_t most, char *text, size_t room)
{
    static float logits[1 << 16];
    static int32_t ids[TOKENS];
    slm_guide *guide = NULL;
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_error err = { 0 };
    size_t n = 0, len = 0;
    slm_status status = slm_guide_new(&guide, c, session, most, &err);
    if (status) {
        must_say(status, &err);
        must(status == SLM_E_CONTEXT || status == SLM_E_MEMORY || status == SLM_E_LIMIT, err.text);
        return SIZE_MAX;
    }
    how.guide = guide;
    while (!slm_guide_is_done(guide) && n < most) {
        for (uint32_t i = 0; i < vocab; i++)
            logits[i] = (float)slm_random_unit(seed, n * vocab + i);
        status = slm_sample(&ids[n], logits, vocab, &how, n, &err);
        if (!status)
            status = slm_guide_push(guide, ids[n], &err);
        if (status) {
            must_say(status, &err);
            must(status == SLM_E_MEMORY || status == SLM_E_LIMIT, err.text);
            slm_guide_free(guide);
            return SIZE_MAX;
        }
        n++;
    }
    must(slm_guide_is_whole(guide), "the tokens are spent and the text is not whole");
    slm_guide_free(guide);
    must(slm_tokenizer_decode(tokenizer, text, room, &len, ids, n, 0, &err) == SLM_OK, err.text);
    return len;
}

static void judge(fuzz_in *in)
{
    size_t n;
    slm_error err = { 0 };
    const char *schema = fuzz_text(in, &n);
    const slm_status status = slm_schema_check(schema, n, (const char *)in->at, in->left, &err);
    if (status)
        must_say(status, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char said[1 << 18];
    fuzz_in in = { data, size < MOST ? size : MOST };
    const unsigned kind = fuzz_byte(&in) % 4, seed = fuzz_byte(&in), most = 1 + fuzz_byte(&in) % TOKENS;
    slm_constraint *c = NULL;
    slm_error err = { 0 };
    if (!model)
        begin();
    if (kind == 3) {
        judge(&in);
        return 0;
    }
    const uint64_t before = atomic_load(&tokenizer->heap->current);
    const size_t left = in.left;
    const char *source = (const char *)in.at;
    char *text = fuzz_string(&in);
    const size_t n = strlen(text);
    const slm_status status = kind == 0 ? slm_constraint_regex(&c, tokenizer, text, &err) : kind == 1 ? slm_constraint_schema(&c, tokenizer, source, left, &err)
                            : choices(&c, text, &err);
    if (status)
        must_say(status, &err);
    const size_t len = c ? speak(c, seed, most, said, sizeof said) : SIZE_MAX;
    if (len != SIZE_MAX && kind == 1)
        must(slm_schema_check(source, left, said, len, &err) == SLM_OK, err.text);
    if (len != SIZE_MAX && kind == 2)
        must(is_choice(text, n, said, len), "a text that is none of the choices");
    slm_constraint_free(c);
    free(text);
    must(atomic_load(&tokenizer->heap->current) == before, "memory left behind");
    return 0;
}
