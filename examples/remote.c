/* remote.c WHERE MODEL PROMPT -- one program for a model here and a model on a server: one line decides which.
 *
 * WHERE is "here", and MODEL a GGUF file; or WHERE is a base URL such as https://api.openai.com/v1, and MODEL a name that the server knows. The
 * key, if there is one, stands in the environment as LLM_KEY. A request says itself whether it may leave this machine. */
#include <slm_remote.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ptrdiff_t key(void *user, char *to, size_t room)
{
    const char *value = getenv("LLM_KEY");
    const size_t n = value ? strlen(value) : 0;
    (void)user;
    if (n > room)
        return -1;
    if (n)
        memcpy(to, value, n);
    return (ptrdiff_t)n;
}

static slm_status here(slm_engine **out, slm_model **model, const char *path, slm_error *err)
{
    slm_status status = slm_model_open(model, path, NULL, err);
    return status ? status : slm_engine_local(out, *model, NULL, err);
}

static slm_status there(slm_engine **out, const char *url, const char *model, slm_error *err)
{
    slm_engine_remote_params params = SLM_ENGINE_REMOTE_PARAMS_INIT;
    char host[256] = "";
    const char *hosts[] = { host };
    if (sscanf(url, "%*[a-z]://%255[^:/]", host) != 1)
        host[0] = 0;
    params.server = "compatible";
    params.base_url = url;
    params.model = model;
    params.key = key;
    params.hosts = hosts;           /* who types the URL allows its host; a program with settings has a list of its own */
    params.n_hosts = 1;
    return slm_engine_remote(out, &params, err);
}

static int show(void *user, const char *text, size_t len)
{
    (void)user;
    return fwrite(text, 1, len, stdout) != len || fflush(stdout);
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_engine *engine = NULL;
    slm_request request = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    if (argc != 4) {
        fprintf(stderr, "usage: remote here|URL MODEL PROMPT\n");
        return 2;
    }
    /* This is the line. */
    slm_status status = strcmp(argv[1], "here") ? there(&engine, argv[1], argv[2], &err) : here(&engine, &model, argv[2], &err);
    request.prompt = argv[3];
    request.prompt_len = strlen(argv[3]);
    request.max_tokens = 40;
    request.privacy = SLM_PRIVACY_MAY_LEAVE;    /* without it a remote engine refuses */
    request.text = show;
    if (!status)
        status = slm_engine_run(engine, &request, &reply, &err);
    if (status)
        fprintf(stderr, "remote: %s: %s\n", slm_status_name(status), err.text);
    else
        printf("\n[%s, %s%s]\n", reply.engine, reply.model, reply.left ? ", left this machine" : "");
    slm_reply_free(&reply);
    slm_engine_free(engine);
    slm_model_free(model);
    return status != SLM_OK;
}
