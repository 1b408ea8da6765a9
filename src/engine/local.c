/* local.c -- the engine that answers with a model of this process; the one file of this floor that sees models and sessions.
 *
 * The engine keeps a few idle sessions, each in a slot that is an atomic pointer: who takes it out owns it, so that there is no lock
 * (and nothing to be left locked in a forked child). A call takes the one whose tokens agree longest with its own and cuts it back to
 * what they share; the cache's bits do not depend on how they came about, so reuse changes time and nothing else.
 *
 * Prompt and answer or label are tokenized as one text, and what is scored begins where that differs from the prompt's own tokens: it
 * does not matter whether the space between them is written at the end of the one or the beginning of the other. */
#include "engine/engine.h"

#include "core/cpu.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "session/session.h"
#include "text/vocab.h"

#include <string.h>

enum { SLOTS = 16, DEFAULT_IDLE = 2, TASKS = 1 << SLM_TASK_GENERATE | 1 << SLM_TASK_CHOOSE | 1 << SLM_TASK_SCORE };

/* What an answer had to be: a constraint and what it was made from. */
typedef struct rule {
    slm_constraint *constraint;
    bool regex;
    size_t n;
    char text[];                            /* [n] */
} rule;

typedef struct local {
    slm_engine engine;
    slm_model *model;                       /* held */
    slm_tokenizer_info vocabulary;
    slm_template *tmpl;                     /* NULL: no chat */
    slm_error no_template;                  /* why the model's own is not one, if it has any */
    const slm_tool_form *form;              /* of its tool calls; NULL: not known */
    _Atomic(rule *) rule;                   /* the last one; who takes it out owns it, as with sessions */
    slm_session_params session;
    size_t idle;                            /* slots in use */
    _Atomic(slm_session *) slots[SLOTS];
    char name[SLM_LIMIT_ENGINE_NAME + 1];
} local;

/* A text as ids. */
typedef struct ids {
    int32_t *at;
    size_t n, room;
} ids;

/* One request. */
typedef struct run {
    local *l;
    slm_heap *heap;
    const slm_model *model;
    const slm_request *q;
    slm_watch watch;
    uint64_t begin;
    slm_session *s;
    ids prompt, joined;
    slm_buf text;                           /* of the answer */
    size_t shown;                           /* bytes of it that were handed out */
    slm_buf scores;                         /* slm_token_score */
    size_t first;                           /* score: the index of the first id whose probability counts */
    slm_status failed;                      /* within a callback of rows */
    slm_error why;
    rule *rule;                             /* NULL: none */
    slm_tool_list calls;
    slm_tree tree;
    uint32_t *path, *pending;               /* choose: nodes fed at once; nodes still to be fed */
    slm_label_score *labels;
    slm_confidence confidence;
    slm_reply reply;                        /* points at the above until it is owned */
} run;

/* ---- sessions ---- */

static void free_rule(local *l, rule *old)
{
    if (old)
        slm_constraint_free(old->constraint);
    slm_heap_free(&l->model->heap, old);
}

static size_t shared(const int32_t *a, size_t n, const int32_t *b, size_t m)
{
    size_t i = 0;
    while (i < n && i < m && a[i] == b[i])
        i++;
    return i;
}

static void put_back(local *l, slm_session *s)
{
    for (size_t i = 0; s && i < l->idle; i++) {
        slm_session *none = NULL;
        if (atomic_compare_exchange_strong(&l->slots[i], &none, s))
            return;
    }
    slm_session_free(s);
}

/* A session for tokens[n] that holds at most n - 1 of them. */
static slm_status take_session(run *r, const int32_t *tokens, size_t n, slm_error *err)
{
    local *l = r->l;
    slm_session *all[SLOTS] = { NULL };
    size_t best = 0, most = 0;
    for (size_t i = 0; i < l->idle; i++) {
        all[i] = atomic_exchange(&l->slots[i], NULL);
        const size_t k = all[i] ? shared(all[i]->tokens, all[i]->position, tokens, n) : 0;
        if (all[i] && (!all[best] || k > most)) {
            best = i;
            most = k;
        }
    }
    r->s = all[best];
    for (size_t i = 0; i < l->idle; i++)
        if (i != best)
            put_back(l, all[i]);
    r->reply.cached_tokens = slm_min(most, n - 1);
    if (r->s)
        return slm_session_truncate(r->s, slm_min(most, n - 1), err);
    return slm_session_new(&r->s, l->model, &l->session, err);
}

/* Feeds under the request's own limits, not the session's. */
static slm_status feed(run *r, const int32_t *tokens, size_t n, slm_logits_fn *row, slm_error *err)
{
    slm_watch own;
    unsigned saved;
    slm_status status = slm_session_enter(r->s, &own, &saved, err);
    if (status)
        return status;
    r->failed = SLM_OK;
    status = slm_session_eval(r->s, tokens, n, row, r, &r->watch, err);
    slm_session_leave(r->s, saved);
    if (!r->failed)
        return status;
    if (err)
        *err = r->why;                      /* the cause, not that a callback asked to stop */
    return r->failed;
}

/* Takes a session and feeds tokens[n], n >= 1: its logits are those after the last. */
static slm_status feed_prompt(run *r, const int32_t *tokens, size_t n, slm_error *err)
{
    slm_status status = take_session(r, tokens, n, err);
    if (!status)
        status = feed(r, tokens + r->reply.cached_tokens, n - (size_t)r->reply.cached_tokens, NULL, err);
    r->reply.prompt_tokens = n;
    r->reply.prompt_ns = slm_clock_since(r->begin);
    return status;
}

/* ---- text to ids ---- */

/* BOS where the file asks for it, then the text. */
static slm_status encode(run *r, ids *out, const char *text, size_t len, slm_error *err)
{
    const slm_tokenizer_info *v = &r->l->vocabulary;
    const size_t bos = v->add_bos && v->bos >= 0;
    size_t n = len / 2 + 16;
    slm_error own = { 0 };                          /* too little room at first is no failure of the caller's */
    slm_status status;
    do {
        if (out->room < n + bos) {
            slm_heap_free(r->heap, out->at);
            out->room = n + bos;
            out->at = slm_heap_array(r->heap, out->room, sizeof *out->at);
        }
        if (!out->at)
            return slm_fail(err, SLM_E_MEMORY, "request: %zu tokens", out->room);
        status = slm_tokenizer_encode(r->model->tokenizer, out->at + bos, out->room - bos, &n, text, len, r->q->flags, &own);
    } while (status == SLM_E_LIMIT && n > out->room - bos);
    if (status && err)
        *err = own;
    if (bos)
        out->at[0] = v->bos;
    out->n = n + bos;
    return status;
}

/* The conversation as its template says, with the turn of the model begun. Control tokens come from the template's own text only. */
static slm_status encode_chat(run *r, ids *out, slm_error *err)
{
    const slm_tokenizer *tokenizer = r->model->tokenizer;
    const slm_tokenizer_info *v = &r->l->vocabulary;
    slm_render_params params = SLM_RENDER_PARAMS_INIT;
    slm_rendered *rendered = NULL;
    slm_buf json;
    size_t n_bos = 0, n_eos = 0, n = 0;
    const char *bos = slm_tokenizer_text(tokenizer, v->bos, &n_bos), *eos = slm_tokenizer_text(tokenizer, v->eos, &n_eos);
    params.now = r->q->now;
    slm_buf_init(&json, r->heap, SLM_LIMIT_JSON_BYTES);
    if (!r->l->tmpl) {
        slm_buf_free(&json);
        return slm_fail(err, (slm_status)r->l->no_template.status, "engine '%s': the model's chat template: %s", r->l->name, r->l->no_template.text);
    }
    slm_status status = slm_request_conversation(&json, r->q, r->l->form && r->l->form->in_system, bos, n_bos, eos, n_eos, err);
    if (!status)
        status = slm_template_render(&rendered, r->l->tmpl, (const char *)json.data, json.size, &params, err);
    slm_buf_free(&json);
    if (!status) {
        slm_error own = { 0 };
        status = slm_tokenizer_encode_rendered(tokenizer, NULL, 0, &n, rendered, SLM_TEXT_BOS_EOS, &own);
        if (status && !n && err)
            *err = own;
    }
    if (status == SLM_E_LIMIT && n) {
        out->at = slm_heap_array(r->heap, n, sizeof *out->at);
        out->room = out->n = n;
        status = out->at ? slm_tokenizer_encode_rendered(tokenizer, out->at, n, &n, rendered, SLM_TEXT_BOS_EOS, err)
                         : slm_fail(err, SLM_E_MEMORY, "request: %zu tokens", n);
    }
    slm_rendered_free(rendered);
    return status;
}

/* Prompt and what follows as one text, in r->joined. text is room for both. */
static slm_status encode_joined(run *r, char *text, const char *more, size_t n, slm_error *err)
{
    memcpy(text + r->q->prompt_len, more, n);
    return encode(r, &r->joined, text, r->q->prompt_len + n, err);
}

/* Room for the prompt and `more` bytes, the prompt in it. */
static slm_status copy_prompt(run *r, char **text, size_t more, slm_error *err)
{
    if (r->q->prompt_len + more > SLM_LIMIT_TEXT_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "request: prompt of %zu bytes and %zu after it (allowed %d)", r->q->prompt_len, more,
                        SLM_LIMIT_TEXT_BYTES);
    *text = slm_heap_alloc(r->heap, r->q->prompt_len + more);
    if (!*text)
        return slm_fail(err, SLM_E_MEMORY, "request: prompt of %zu bytes", r->q->prompt_len);
    if (r->q->prompt_len)
        memcpy(*text, r->q->prompt, r->q->prompt_len);
    return SLM_OK;
}

/* ---- probabilities ---- */

static slm_status add_score(run *r, const float *logits, int32_t token, slm_error *err)
{
    slm_row row;
    slm_status status = slm_row_measure(&row, &r->model->kernels, logits, r->model->config.vocab, err);
    const slm_token_score score = { status ? 0 : slm_row_logp(&row, token), row.margin, row.entropy };
    if (!status)
        slm_buf_add(&r->scores, &score, sizeof score);
    return status ? status : slm_buf_status(&r->scores, "request: scores", err);
}

/* The statistics of the scores into r->confidence. */
static slm_status reduce(run *r, slm_error *err)
{
    const size_t n = r->scores.size / sizeof(slm_token_score);
    r->reply.scores = (const slm_token_score *)(const void *)r->scores.data;
    r->reply.n_scores = n;
    if (!n)
        return SLM_OK;
    double *sorted = slm_heap_array(r->heap, n, sizeof *sorted);
    if (!sorted)
        return slm_fail(err, SLM_E_MEMORY, "request: %zu scores", n);
    slm_confidence_reduce(&r->confidence, r->reply.scores, n, sorted);
    slm_heap_free(r->heap, sorted);
    r->reply.confidence = &r->confidence;
    return SLM_OK;
}

/* ---- generate ---- */

/* Hands out the text before `end`. False if the callback asked to stop. */
static bool show(run *r, size_t end)
{
    const size_t n = end - r->shown;
    const char *at = (const char *)r->text.data + r->shown;
    r->shown = end;
    return !n || !r->q->text || r->q->text(r->q->user, at, n) == 0;
}

/* Text as the session makes it. What is, or may become, a tool call is not shown. */
static int receive(void *user, const char *text, size_t n)
{
    run *r = user;
    slm_buf_add(&r->text, text, n);
    if (r->text.failed)
        return 1;
    return !show(r, r->q->tools ? slm_tool_begin(r->l->form, (const char *)r->text.data, r->text.size) : r->text.size);
}

static slm_status measure_token(void *user, const float *logits, int32_t token, slm_error *err)
{
    return add_score(user, logits, token, err);
}

/* Of the answer's end, which was held back: either calls, or text after all. */
static slm_status read_calls(run *r, slm_error *err)
{
    size_t asked = 0;
    for (size_t i = 0; i < r->q->n_messages; i++)
        asked += r->q->messages[i].n_calls;
    slm_status status = slm_tool_read(&r->calls, r->l->form, r->heap, (const char *)r->text.data + r->shown, r->text.size - r->shown, asked, err);
    r->reply.calls = r->calls.calls;
    r->reply.n_calls = r->calls.n;
    if (r->calls.n)
        r->text.size = r->shown;
    else if (!status && !show(r, r->text.size))
        r->reply.reason = SLM_STOP_CALLBACK;
    return status;
}

/* What the answer must be. The one made last is kept: most callers ask for the same again and again, and its cache fills with use. */
static slm_status take_rule(run *r, slm_error *err)
{
    const slm_request *q = r->q;
    const char *text = q->schema ? q->schema : q->regex;
    const size_t n = q->schema ? q->schema_len : q->regex ? strlen(q->regex) : 0;
    rule *have = text ? atomic_exchange(&r->l->rule, NULL) : NULL;
    if (!text || (have && have->regex == !q->schema && have->n == n && !memcmp(have->text, text, n))) {
        r->rule = have;
        return SLM_OK;
    }
    free_rule(r->l, have);
    size_t bytes;
    rule *new = slm_size_add(sizeof *new, n, &bytes) ? slm_heap_zalloc(r->heap, bytes) : NULL;
    if (!new)
        return slm_fail(err, SLM_E_MEMORY, "request: %zu bytes of %s", n, q->schema ? "schema" : "regex");
    new->regex = !q->schema;
    new->n = n;
    memcpy(new->text, text, n);
    const slm_status status = q->schema ? slm_constraint_schema(&new->constraint, r->model->tokenizer, text, n, err)
                                        : slm_constraint_regex(&new->constraint, r->model->tokenizer, text, err);
    if (status)
        slm_heap_free(r->heap, new);
    else
        r->rule = new;
    return status;
}

/* The session's own generation, under the request's limits. */
static slm_status go_on(run *r, slm_error *err)
{
    const slm_request *q = r->q;
    const slm_tokenizer *t = r->model->tokenizer;
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    slm_onlooker onlooker = { measure_token, r, -1 };
    slm_watch own;
    unsigned saved;
    params.max_tokens = q->max_tokens;
    params.stops = q->stops;
    params.n_stops = q->n_stops;
    params.sampling = q->sampling;
    params.text = receive;
    params.user = r;
    params.constraint = r->rule ? r->rule->constraint : NULL;
    if (q->tools) {
        const uint32_t mark = slm_texts_find(&t->texts, r->l->form->open, strlen(r->l->form->open));
        onlooker.shown = mark == SLM_NO_ID ? -1 : (int32_t)mark;
    }
    slm_status status = slm_session_enter(r->s, &own, &saved, err);
    if (status)
        return status;
    status = slm_session_continue(r->s, &params, &r->watch, &onlooker, &made, err);
    slm_session_leave(r->s, saved);
    r->reply.tokens = made.tokens;
    r->reply.reason = made.reason;
    if (status)
        r->scores.size = slm_min(r->scores.size, made.tokens * sizeof(slm_token_score));    /* none of a token that is in no text */
    return status ? status : slm_buf_status(&r->text, "request: answer", err);
}

static slm_status generate(run *r, slm_error *err)
{
    slm_status status;
    if (r->q->tools && !r->l->form)
        return slm_fail(err, SLM_E_UNSUPPORTED, "engine '%s': tools: how this model's family calls them is not known", r->l->name);
    if (r->q->task == SLM_TASK_CHAT)
        status = encode_chat(r, &r->prompt, err);
    else
        status = encode(r, &r->prompt, r->q->prompt, r->q->prompt_len, err);
    if (!status && !r->prompt.n)
        status = slm_fail(err, SLM_E_ARG, "request: the prompt has 0 tokens, and the model adds no BOS");
    if (!status)
        status = take_rule(r, err);
    if (!status)
        status = feed_prompt(r, r->prompt.at, r->prompt.n, err);
    if (!status)
        status = go_on(r, err);
    return !status && r->q->tools ? read_calls(r, err) : status;
}

/* ---- score ---- */

static int score_row(void *user, size_t index, const float *logits, size_t vocab)
{
    run *r = user;
    (void)vocab;
    r->failed = add_score(r, logits, r->joined.at[r->first + index], &r->why);
    return r->failed != SLM_OK;
}

static slm_status score(run *r, slm_error *err)
{
    char *text = NULL;
    slm_status status = encode(r, &r->prompt, r->q->prompt, r->q->prompt_len, err);
    if (!status)
        status = copy_prompt(r, &text, r->q->answer_len, err);
    if (!status)
        status = encode_joined(r, text, r->q->answer, r->q->answer_len, err);
    slm_heap_free(r->heap, text);
    if (status)
        return status;
    const size_t n = r->joined.n;
    r->first = slm_max(1, shared(r->prompt.at, r->prompt.n, r->joined.at, n));  /* nothing says how probable the very first one is */
    if (n <= r->first)
        return slm_fail(err, SLM_E_ARG, "request: score: the answer of %zu bytes has no token after the first", r->q->answer_len);
    status = take_session(r, r->joined.at, r->first, err);
    const size_t cached = (size_t)r->reply.cached_tokens, before = r->first - 1;
    if (!status && cached < before)
        status = feed(r, r->joined.at + cached, before - cached, NULL, err);
    r->reply.prompt_tokens = r->first;
    r->reply.prompt_ns = slm_clock_since(r->begin);
    if (!status)
        status = feed(r, r->joined.at + before, n - r->first, score_row, err);
    r->reply.tokens = n - r->first;
    return status;
}

/* ---- choose ---- */

static int tree_row(void *user, size_t index, const float *logits, size_t vocab)
{
    run *r = user;
    slm_row row;
    r->failed = slm_row_measure(&row, &r->model->kernels, logits, vocab, &r->why);
    if (!r->failed)
        slm_tree_measure(&r->tree, r->path[index], &row, &r->model->kernels);
    return r->failed != SLM_OK;
}

/* The inner children of a node are left to do; one is returned, to be fed in the same call as its parent. */
static uint32_t branch(run *r, uint32_t node, size_t *n_pending)
{
    uint32_t go_on = SLM_NO_NODE;
    for (uint32_t c = r->tree.nodes[node].child; c != SLM_NO_NODE; c = r->tree.nodes[c].next) {
        if (r->tree.nodes[c].child == SLM_NO_NODE)
            continue;                               /* a leaf's probability is in its parent's row */
        if (go_on == SLM_NO_NODE)
            go_on = c;
        else
            r->pending[(*n_pending)++] = c;
    }
    return go_on;
}

/* Feeds every inner node once, along paths as long as they go. A stack, so that the session always holds the parents of the next:
 * what was put on it later hangs deeper. */
static slm_status walk(run *r, size_t base, int32_t *tokens, slm_error *err)
{
    slm_row row;
    size_t pending = 0;
    slm_status status = slm_row_measure(&row, &r->model->kernels, slm_session_logits(r->s), r->model->config.vocab, err);
    if (status)
        return status;
    slm_tree_measure(&r->tree, 0, &row, &r->model->kernels);
    uint32_t node = branch(r, 0, &pending);
    while (!status && node != SLM_NO_NODE) {
        const size_t depth = r->tree.nodes[node].depth;
        size_t n = 0;
        for (; node != SLM_NO_NODE; node = branch(r, node, &pending)) {
            tokens[n] = r->tree.nodes[node].token;
            r->path[n++] = node;
        }
        status = slm_session_truncate(r->s, base + depth - 1, err);
        if (!status)
            status = feed(r, tokens, n, tree_row, err);
        node = pending ? r->pending[--pending] : SLM_NO_NODE;
    }
    return status;
}

/* The ids of the labels that follow the ids all texts begin with: label i's are tails[ends[i - 1] .. ends[i]) after *common ids of
 * the prompt. */
static slm_status encode_labels(run *r, slm_buf *tails, size_t *ends, size_t *common, slm_error *err)
{
    const slm_request *q = r->q;
    char *text = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < q->n_labels; i++)
        longest = slm_max(longest, strlen(q->labels[i]));
    slm_status status = copy_prompt(r, &text, longest, err);
    *common = r->prompt.n;
    for (size_t i = 0; !status && i < q->n_labels; i++) {
        status = encode_joined(r, text, q->labels[i], strlen(q->labels[i]), err);
        if (status)
            break;
        const size_t same = shared(r->prompt.at, r->prompt.n, r->joined.at, r->joined.n);
        *common = slm_min(*common, same);
        slm_buf_add(tails, &same, sizeof same);
        slm_buf_add(tails, r->joined.at + same, (r->joined.n - same) * sizeof *r->joined.at);
        ends[i] = tails->size;
        status = slm_buf_status(tails, "choose: labels", err);
    }
    slm_heap_free(r->heap, text);
    return status;
}

/* Labels into the tree, each from `common` ids on. */
static slm_status grow(run *r, const slm_buf *tails, const size_t *ends, size_t common, slm_error *err)
{
    const size_t labels = r->q->n_labels, each = sizeof(int32_t);
    slm_status status = slm_tree_init(&r->tree, r->heap, tails->size / each + labels * (r->prompt.n - common), err);
    size_t at = 0;
    for (size_t i = 0; !status && i < labels; i++) {
        size_t same;
        memcpy(&same, tails->data + at, sizeof same);
        const size_t n = (ends[i] - at - sizeof same) / each, extra = same - common;
        if ((status = SLM_CHECK(n + extra <= r->joined.room, err)) != SLM_OK)       /* a part of what was there when all were encoded */
            return status;
        memcpy(r->joined.at, r->prompt.at + common, extra * each);
        memcpy(r->joined.at + extra, tails->data + at + sizeof same, n * each);
        at = ends[i];
        if (n + extra == 0)
            return slm_fail(err, SLM_E_ARG, "request: label %zu has no token of its own", i);
        r->labels[i].tokens = (uint32_t)(n + extra);
        r->reply.tokens += n + extra;
        status = slm_tree_add(&r->tree, r->joined.at, n + extra, i, err);
    }
    return status;
}

/* From the tree to the labels: log p of a path is the sum over it from its root. */
static slm_status read_tree(run *r, slm_error *err)
{
    slm_node *nodes = r->tree.nodes;
    const uint32_t *leaf = r->path;                     /* done with; [labels]: at which node each ends */
    const slm_request *q = r->q;
    slm_confidence tokens = SLM_CONFIDENCE_INIT;
    size_t best;
    for (uint32_t i = 1; i < r->tree.n; i++)
        if (nodes[i].label)
            r->path[nodes[i].label - 1] = i;
    for (size_t i = 0; i < q->n_labels; i++) {
        slm_label_score *score = &r->labels[i];
        score->logp = nodes[leaf[i]].ends;
        for (uint32_t at = leaf[i]; at; at = nodes[at].parent)
            score->logp += nodes[at].logp;
    }
    slm_status status = slm_confidence_of_labels(&r->confidence, &best, r->labels, q->n_labels, err);
    if (status)
        return status;
    for (uint32_t at = leaf[best]; at; at = nodes[at].parent) {
        const slm_token_score score = { nodes[at].logp, -1, -1 };
        slm_buf_add(&r->scores, &score, sizeof score);
    }
    double *sorted = slm_heap_array(r->heap, r->labels[best].tokens, sizeof *sorted);
    if (!sorted || r->scores.failed) {
        slm_heap_free(r->heap, sorted);
        return slm_fail(err, SLM_E_MEMORY, "choose: %u tokens", r->labels[best].tokens);
    }
    slm_confidence_reduce(&tokens, (const slm_token_score *)(const void *)r->scores.data, r->labels[best].tokens, sorted);
    slm_heap_free(r->heap, sorted);
    r->confidence.sum = tokens.sum;
    r->confidence.mean = tokens.mean;
    r->confidence.min = tokens.min;
    r->confidence.p10 = tokens.p10;
    r->confidence.p25 = tokens.p25;
    r->confidence.median = tokens.median;
    r->reply.confidence = &r->confidence;
    r->reply.labels = r->labels;
    r->reply.n_labels = q->n_labels;
    r->reply.label = best;
    slm_buf_add(&r->text, q->labels[best], strlen(q->labels[best]));
    return slm_buf_status(&r->text, "choose: label", err);
}

static slm_status choose_tree(run *r, size_t common, slm_error *err)
{
    if (!common)
        return slm_fail(err, SLM_E_ARG, "request: choose: no token precedes the labels: the prompt is empty and the model adds no BOS");
    const size_t nodes = slm_max(r->tree.n, r->q->n_labels);
    r->path = slm_heap_array(r->heap, nodes, 2 * sizeof *r->path + sizeof(int32_t));
    if (!r->path)
        return slm_fail(err, SLM_E_MEMORY, "choose: %zu tokens of labels", r->tree.n);
    r->pending = r->path + nodes;
    slm_status status = feed_prompt(r, r->prompt.at, common, err);
    if (!status)
        status = walk(r, common, (int32_t *)(r->pending + nodes), err);
    return status ? status : read_tree(r, err);
}

static slm_status choose(run *r, slm_error *err)
{
    const size_t n = r->q->n_labels;
    slm_buf tails;
    size_t *ends = slm_heap_array(r->heap, n, sizeof *ends), common = 0;
    slm_buf_init(&tails, r->heap, SIZE_MAX / 2);
    r->labels = slm_heap_zarray(r->heap, n, sizeof *r->labels);
    slm_status status = SLM_OK;
    if (!ends || !r->labels)
        status = slm_fail(err, SLM_E_MEMORY, "choose: %zu labels", n);
    if (!status)
        status = encode(r, &r->prompt, r->q->prompt, r->q->prompt_len, err);
    if (!status)
        status = encode_labels(r, &tails, ends, &common, err);
    if (!status)
        status = grow(r, &tails, ends, common, err);
    if (!status)
        status = choose_tree(r, common, err);
    slm_buf_free(&tails);
    slm_heap_free(r->heap, ends);
    return status;
}

/* ---- the engine ---- */

static slm_status answer(run *r, slm_error *err)
{
    slm_status status = slm_watch_look(&r->watch, err);
    if (status)
        return status;
    switch (r->q->task) {
    case SLM_TASK_GENERATE:
    case SLM_TASK_CHAT:
        status = generate(r, err);
        return status ? status : reduce(r, err);
    case SLM_TASK_SCORE:
        status = score(r, err);
        return status ? status : reduce(r, err);
    default:
        return choose(r, err);
    }
}

/* A failure keeps the text that was made before it. */
static slm_status fill(run *r, slm_reply *reply, slm_status status, slm_error *err)
{
    if (status && (r->q->task > SLM_TASK_CHAT || !r->reply.tokens))
        return status;
    if (status) {
        r->text.size = r->shown;
        if (reduce(r, NULL))
            r->reply.n_scores = 0;
    }
    r->reply.text = (const char *)r->text.data;
    r->reply.text_len = r->text.data ? r->text.size : 0;
    r->reply.engine = r->l->name;
    r->reply.model = r->model->name;
    r->reply.total_ns = slm_clock_since(r->begin);
    const slm_status owned = slm_reply_own(&r->reply, &r->heap->allocator, status ? NULL : err);
    if (!owned)
        *reply = r->reply;
    return status ? status : owned;
}

static slm_status run_local(void *user, const slm_request *q, slm_reply *reply, slm_error *err)
{
    local *l = user;
    const uint64_t begin = slm_clock_ns();
    run r = { .l = l, .heap = &l->model->heap, .model = l->model, .q = q, .begin = begin, .confidence = SLM_CONFIDENCE_INIT, .reply = SLM_REPLY_INIT };
    r.watch.cancel = q->cancel ? (atomic_int *)&q->cancel->flag : NULL;
    slm_status status = slm_clock_deadline(&r.watch.deadline_ns, q->deadline_ms, err);
    if (status)
        return status;
    slm_buf_init(&r.text, r.heap, SLM_LIMIT_TEXT_BYTES);
    slm_buf_init(&r.scores, r.heap, SIZE_MAX / 2);
    const unsigned saved = slm_fp_enter();
    status = answer(&r, err);
    if (status == SLM_E_CANCELLED && q->cancel)
        slm_cancel_set(q->cancel);                      /* who saw it cleared it; it is the caller's, and stays set */
    status = fill(&r, reply, status, err);
    slm_fp_leave(saved);
    put_back(l, r.s);
    if (r.rule)
        free_rule(l, atomic_exchange(&l->rule, r.rule));
    slm_tool_list_free(&r.calls, r.heap);
    slm_heap_free(r.heap, r.prompt.at);
    slm_heap_free(r.heap, r.joined.at);
    slm_heap_free(r.heap, r.path);
    slm_heap_free(r.heap, r.labels);
    slm_tree_free(&r.tree);
    slm_buf_free(&r.text);
    slm_buf_free(&r.scores);
    return status;
}

static void release(void *user)
{
    local *l = user;
    slm_model *model = l->model;
    for (size_t i = 0; i < l->idle; i++)
        slm_session_free(atomic_exchange(&l->slots[i], NULL));
    free_rule(l, atomic_load(&l->rule));
    slm_template_free(l->tmpl);
    slm_heap_free(&model->heap, l);
    slm_model_let_go(model);
}

/* A template that the caller gave must be right. What is wrong with the model's own is said when somebody wants to chat. */
static slm_status open_template(local *l, const char *text, size_t n, bool given, slm_error *err)
{
    slm_template_params params = SLM_TEMPLATE_PARAMS_INIT;
    if (!text)
        return SLM_OK;
    params.allocator = &l->model->heap.allocator;
    l->engine.tasks |= 1 << SLM_TASK_CHAT;
    l->form = slm_tool_form_of(text, n);
    const slm_status status = slm_template_new(&l->tmpl, text, n, &params, given ? err : &l->no_template);
    return given ? status : SLM_OK;
}

slm_status slm_engine_local(slm_engine **out, slm_model *model, const slm_engine_local_params *params, slm_error *err)
{
    slm_engine_local_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    const char *name = p.name ? p.name : "local";
    const size_t n = strnlen(name, SLM_LIMIT_ENGINE_NAME + 1);
    if (!out || !model)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "model" : "out");
    if (n > SLM_LIMIT_ENGINE_NAME || p.idle > SLOTS)
        return slm_fail(err, SLM_E_ARG, "engine: name of %zu bytes (allowed %d), %u idle sessions (allowed %d)", n, SLM_LIMIT_ENGINE_NAME,
                        p.idle, SLOTS);
    if (p.context > SLM_LIMIT_CONTEXT)
        return slm_fail(err, SLM_E_ARG, "engine: context %u (allowed %d)", p.context, SLM_LIMIT_CONTEXT);
    if ((status = slm_kv_type_check(p.kv, "engine: ", err)) != SLM_OK)
        return status;
    if (model->config.arch->encoder)
        return slm_fail(err, SLM_E_MISMATCH, "engine: architecture '%s' is an encoder: it makes vectors (slm_encoder_new), no text",
                        model->config.arch->name);
    if (!model->tokenizer)
        return slm_fail(err, SLM_E_STATE, "engine: the model has no tokenizer");
    local *l = slm_heap_zalloc(&model->heap, sizeof *l);
    if (!l)
        return slm_fail(err, SLM_E_MEMORY, "engine: %zu bytes", sizeof *l);
    atomic_fetch_add(&model->holds, 1);
    memcpy(l->name, name, n);
    l->engine = (slm_engine){ sizeof l->engine, l, l->name, TASKS, SLM_ENGINE_LOCAL | SLM_ENGINE_EXACT, run_local, release };
    l->model = model;
    l->vocabulary = (slm_tokenizer_info)SLM_TOKENIZER_INFO_INIT;
    l->session = (slm_session_params){ sizeof l->session, p.context, p.chunk, p.kv, 0 };
    l->idle = p.idle ? p.idle : DEFAULT_IDLE;
    status = slm_tokenizer_get_info(model->tokenizer, &l->vocabulary, err);
    if (!status)
        status = open_template(l, p.chat_template ? p.chat_template : model->chat_template,
                               p.chat_template ? p.chat_template_len : model->chat_template_len, p.chat_template != NULL, err);
    if (status)
        release(l);
    else
        *out = &l->engine;
    return status;
}
