/* score.c MODEL PROMPT ANSWER... -- how probable the model finds each answer after the prompt, in nats, and how sure it was of each
 * token. A request of SLM_TASK_SCORE makes no text: it measures one that is given. */
#include <slm.h>
#include <stdio.h>
#include <string.h>

static slm_status score(const slm_engine *engine, const char *prompt, const char *answer, slm_error *err)
{
    slm_request request = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    request.task = SLM_TASK_SCORE;
    request.prompt = prompt;
    request.prompt_len = strlen(prompt);
    request.answer = answer;
    request.answer_len = strlen(answer);
    slm_status status = slm_engine_run(engine, &request, &reply, err);
    if (!status) {
        const slm_confidence *c = reply.confidence;
        printf("%9.4f  %.4f a token, the least %.4f: %s\n", c->sum, c->mean, c->min, answer);
        printf("          ");
        for (size_t i = 0; i < reply.n_scores; i++)
            printf(" %.2f", reply.scores[i].logp);
        printf("\n");
    }
    slm_reply_free(&reply);
    return status;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_engine *engine = NULL;
    slm_error err = { 0 };
    if (argc < 4) {
        fprintf(stderr, "usage: score MODEL PROMPT ANSWER...\n");
        return 2;
    }
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_engine_local(&engine, model, NULL, &err);
    for (int i = 3; i < argc && !status; i++)
        status = score(engine, argv[2], argv[i], &err);     /* the prompt is evaluated for the first one only */
    if (status)
        fprintf(stderr, "score: %s\n", err.text);
    slm_engine_free(engine);
    slm_model_free(model);
    return status != SLM_OK;
}
