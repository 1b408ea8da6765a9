/* importance.c -- runs a model over a text to learn what its products are multiplied with. The text goes in windows, each from an empty
 * cache and with the token that the model's texts begin with. */
#include "session/session.h"

#include "core/params.h"
#include "core/size.h"
#include "model/importance.h"

#include <string.h>

enum { WINDOW = 512 };

static slm_status measure(slm_importance *m, slm_session *session, const slm_importance_params *p, const int32_t *tokens, size_t n,
                          int32_t bos, slm_error *err)
{
    const size_t lead = bos >= 0 && session->context > 1;
    slm_status status = SLM_OK;
    int32_t window[WINDOW];
    window[0] = bos;
    for (size_t at = 0; at < n && !status; ) {
        const size_t now = slm_min(n - at, session->context - lead);
        memcpy(window + lead, tokens + at, now * sizeof *tokens);
        status = slm_session_truncate(session, 0, err);
        if (!status) {
            slm_work_weigh(session->work, m);
            status = slm_session_feed(session, window, now + lead, err);
        }
        at += now;
        if (!status && p->progress && p->progress(p->user, at, n))
            status = slm_fail(err, SLM_E_CALLBACK, "stopped by the progress callback after %zu of %zu tokens", at, n);
    }
    return status;
}

slm_status slm_importance_measure(slm_importance **out, slm_model *model, const int32_t *tokens, size_t n,
                                  const slm_importance_params *params, slm_error *err)
{
    slm_importance_params p;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_session *session = NULL;
    slm_importance *m = NULL;
    if (!out || !model || !tokens || !n)
        return slm_fail(err, SLM_E_ARG, "%s", !n ? "a text of no tokens" : !out ? "out is NULL" : !model ? "model is NULL" : "tokens is NULL");
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (!status && model->tokenizer)
        status = slm_tokenizer_get_info(model->tokenizer, &info, err);
    sp.context = (uint32_t)slm_min(WINDOW, model->config.context);
    if (!status)
        status = slm_session_new(&session, model, &sp, err);
    if (!status)
        status = slm_work_new(&session->work, model, &model->heap, 0, WINDOW, WINDOW, 1, err);
    if (!status)
        status = slm_importance_new(&m, &model->config, p.allocator, p.memory_limit, err);
    if (!status)
        status = measure(m, session, &p, tokens, n, info.add_bos ? info.bos : -1, err);
    slm_session_free(session);
    if (status) {
        slm_importance_free(m);
        return status;
    }
    slm_importance_finish(m);
    *out = m;
    return SLM_OK;
}
