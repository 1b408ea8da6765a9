/* choose_label.c MODEL PROMPT LABEL... -- which label comes next, with the exact probability of each: a classifier without training.
 *
 * A label follows the prompt as it is written: give it the space that parts it from the prompt, as in " dog". */
#include <slm.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_engine *engine = NULL;
    slm_error err = { 0 };
    slm_request request = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    if (argc < 5) {
        fprintf(stderr, "usage: choose_label MODEL PROMPT LABEL LABEL...\n");
        return 2;
    }
    request.task = SLM_TASK_CHOOSE;
    request.prompt = argv[2];
    request.prompt_len = strlen(argv[2]);
    request.labels = (const char *const *)(argv + 3);
    request.n_labels = (size_t)argc - 3;
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_engine_local(&engine, model, NULL, &err);
    if (!status)
        status = slm_engine_run(engine, &request, &reply, &err);
    for (size_t i = 0; i < reply.n_labels; i++)
        printf("%c %.4f  %9.4f nats, %u tokens: %s\n", i == reply.label ? '*' : ' ', reply.labels[i].p, reply.labels[i].logp,
               reply.labels[i].tokens, argv[3 + i]);
    if (status)
        fprintf(stderr, "choose_label: %s\n", err.text);
    else
        printf("margin %.4f, entropy %.4f nats\n", reply.confidence->margin, reply.confidence->entropy);
    slm_reply_free(&reply);
    slm_engine_free(engine);
    slm_model_free(model);
    return status != SLM_OK;
}
