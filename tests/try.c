/* try.c -- hostile files for whoever embeds the library: opens every file of a folder in all ways there are, with what the public header has
 * and nothing else, on the build that will be shipped. `make install-tests` puts it beside such a folder.
 *
 *     cc try.c $(pkg-config --cflags --libs slm) -o try && ./try files
 *
 * Every call has to come back with a status that bytes can have and a message of one line that names the file. Ends with 0 if all did; a
 * crash is a finding, which SECURITY.md says where to report. */
#include <slm.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static size_t findings;

static slm_status look(const char *path, const char *how, slm_status status, const slm_error *err)
{
    const char *name = strrchr(path, '/') + 1;
    size_t odd = 0;
    for (const char *at = err->text; *at; at++)
        odd += (unsigned char)*at < 0x20 || *at == 0x7f;
    if (status && (odd || !strstr(err->text, name) || status == SLM_E_INTERNAL || status == SLM_E_STATE || status == SLM_E_MEMORY)) {
        printf("%s: %s: %s: %s\n", path, how, slm_status_name(status), err->text);
        findings++;
    }
    return status;
}

static void use(slm_model *model)
{
    static const int32_t tokens[3] = { 0, 1, 0 };
    slm_error err = { 0, 0, 0, "" };
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    slm_session *session = NULL;
    p.context = 16;
    if (!slm_session_new(&session, model, &p, &err))
        (void)slm_session_feed(session, tokens, 3, &err);       /* a model of strange numbers may say that they are none */
    slm_session_free(session);
}

static void try_file(const char *path)
{
    slm_error err = { 0, 0, 0, "" };
    slm_file *file = NULL;
    slm_tokenizer *tokenizer = NULL;
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_check_info info = SLM_CHECK_INFO_INIT;
    p.threads = 1;
    p.no_map = 1;
    (void)look(path, "file", slm_file_open(&file, path, NULL, &err), &err);
    slm_file_free(file);
    (void)look(path, "tokenizer", slm_tokenizer_open(&tokenizer, path, NULL, &err), &err);
    slm_tokenizer_free(tokenizer);
    (void)look(path, "check", slm_check_file(path, NULL, &info, &err), &err);
    if (!look(path, "model", slm_model_open(&model, path, &p, &err), &err))
        use(model);
    slm_model_free(model);
}

int main(int argc, char **argv)
{
    size_t files = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: try FOLDER\n");
        return 2;
    }
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            try_file(path);
            files++;
        }
    }
    closedir(folder);
    printf("try: %zu files, %zu findings, libslm %s\n", files, findings, slm_version());
    return files == 0 || findings > 0;
}
