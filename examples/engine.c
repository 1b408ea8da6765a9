/* engine.c MODEL PROMPT -- an engine of one's own: it asks the local one and, where that is not sure, says so instead of answering.
 *
 * An engine is a table of operations. Whoever calls slm_engine_run does not see which one it is: the model here, a server elsewhere,
 * or one like this that is made of another. */
#include <slm.h>
#include <stdio.h>
#include <string.h>

typedef struct careful {
    slm_engine *inner;
    double least;           /* of confidence->value */
} careful;

static slm_status run(void *user, const slm_request *request, slm_reply *reply, slm_error *err)
{
    static const char unsure[] = "(I am not sure.)";
    const careful *c = user;
    slm_request quiet = *request;
    quiet.text = NULL;      /* the text may not be shown before it is known to be good */
    slm_status status = slm_engine_run(c->inner, &quiet, reply, err);   /* reply is empty, and becomes the inner engine's */
    if (status)
        return status;
    if (reply->confidence && reply->confidence->value < c->least) {
        slm_reply inner = *reply;
        reply->engine = "careful";
        reply->text = unsure;
        reply->text_len = sizeof unsure - 1;
        status = slm_reply_own(reply, NULL, err);       /* a copy of everything with the other text; then the first can go */
        if (status)
            return status;
        slm_reply_free(&inner);
    }
    if (request->text)
        (void)request->text(request->user, reply->text, reply->text_len);
    return SLM_OK;
}

static int show(void *user, const char *text, size_t len)
{
    (void)user;
    return fwrite(text, 1, len, stdout) != len;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    careful self = { NULL, 0.6 };
    slm_engine engine = SLM_ENGINE_INIT;
    slm_request request = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    if (argc != 3) {
        fprintf(stderr, "usage: engine MODEL PROMPT\n");
        return 2;
    }
    engine.user = &self;
    engine.name = "careful";
    engine.tasks = 1u << SLM_TASK_GENERATE;
    engine.traits = SLM_ENGINE_LOCAL;       /* it asks nobody outside, so it may have a request that must not leave */
    engine.run = run;
    request.prompt = argv[2];
    request.prompt_len = strlen(argv[2]);
    request.max_tokens = 24;
    request.text = show;
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_engine_local(&self.inner, model, NULL, &err);
    if (!status)
        status = slm_engine_run(&engine, &request, &reply, &err);
    if (status)
        fprintf(stderr, "engine: %s\n", err.text);
    else
        printf("\n%s, confidence %.3f over %u tokens\n", reply.engine, reply.confidence->value, reply.confidence->count);
    slm_reply_free(&reply);
    slm_engine_free(self.inner);
    slm_model_free(model);
    return status != SLM_OK;
}
