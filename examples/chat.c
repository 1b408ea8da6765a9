/* chat.c MODEL [TEMPLATE] -- a conversation: each line of stdin is a turn, the answer streams to stdout.
 *
 * An engine does the rest: it renders all turns by the chat template (the model's own, or that of a file), finds what of the prompt it has
 * evaluated before, and hands the answer out in whole characters. The turns are the program's: here, an array. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 64 };

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n || fflush(to);
}

static char *read_file(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *from = fopen(path, "rb");
    if (text && from)
        text[fread(text, 1, 65535, from)] = 0;
    if (from)
        fclose(from);
    else
        fprintf(stderr, "chat: cannot read %s\n", path);
    return text;
}

static int add(slm_message *turns, size_t *n, const char *role, const char *text, size_t len)
{
    char *own = malloc(len + 1);
    if (!own || *n == TURNS)
        return 0;
    memcpy(own, text, len);
    turns[(*n)++] = (slm_message){ .role = role, .text = own, .len = len };
    return 1;
}

static slm_status talk(slm_engine *engine, slm_error *err)
{
    slm_message turns[TURNS];
    slm_request q = SLM_REQUEST_INIT;
    slm_status status = SLM_OK;
    char line[1024];
    size_t n = 0;
    q.task = SLM_TASK_CHAT;
    q.messages = turns;
    q.max_tokens = 40;
    q.text = print;
    q.user = stdout;
    while (!status && fgets(line, sizeof line, stdin) && add(turns, &n, "user", line, strcspn(line, "\n"))) {
        slm_reply reply = SLM_REPLY_INIT;
        q.n_messages = n;
        status = slm_engine_run(engine, &q, &reply, err);
        if (!status) {
            printf("\n[%llu tokens, %llu of them known]\n", (unsigned long long)reply.prompt_tokens, (unsigned long long)reply.cached_tokens);
            add(turns, &n, "assistant", reply.text, reply.text_len);
        }
        slm_reply_free(&reply);
    }
    while (n)
        free((char *)turns[--n].text);
    return status;
}

int main(int argc, char **argv)
{
    slm_engine_local_params params = SLM_ENGINE_LOCAL_PARAMS_INIT;
    slm_model *model = NULL;
    slm_engine *engine = NULL;
    slm_error err = { 0 };
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: chat MODEL [TEMPLATE]\n");
        return 2;
    }
    char *text = argc == 3 ? read_file(argv[2]) : NULL;
    params.chat_template = text;
    params.chat_template_len = text ? strlen(text) : 0;
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_engine_local(&engine, model, &params, &err);
    if (!status)
        status = talk(engine, &err);
    if (status)
        fprintf(stderr, "chat: %s\n", err.text);
    slm_engine_free(engine);
    slm_model_free(model);
    free(text);
    return status != SLM_OK;
}
