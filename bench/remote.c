/* remote.c -- what many streams of one remote engine cost beyond what curl's own tool needs for the same bytes.
 *
 *   bench/remote SERVER [streams (64)] [words (400)] [ms between words (20)]
 *
 * The test server sends every stream a word at a time, as a model would: 64 streams of 50 words a second are 3,200 events a second. First
 * curl's tool gets them all in parallel and drops them, then one engine does, with a callback that takes the text; then both again with
 * no pause between the words. What counts is the processor time of the process that receives, as a share of one core over the time that
 * it took. */
#include "figure.h"

#include "remote/rig.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 512 };
static char folder[] = "/tmp/slm_bench_XXXXXX";

typedef struct cost { double cpu, wall; uint64_t bytes; } cost;

static double cpu_of(int who)
{
    struct rusage u;
    (void)getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* curl's tool: all streams in parallel, thrown away. Sums what it says it got. */
static cost by_curl(const char *play, int streams)
{
    char command[1200];
    cost c = { cpu_of(RUSAGE_CHILDREN), 0, 0 };
    const uint64_t start = rig_now_ms();
    (void)snprintf(command, sizeof command,
                   "exec curl -s --parallel --parallel-immediate --parallel-max %d -o /dev/null -H 'Content-Type: application/json' "
                   "-w '%%{size_download}\\n' -d '{\"model\":\"test-model\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"max_completion_tokens\":4096,"
                   "\"stream\":true,\"stream_options\":{\"include_usage\":true}}' 'http://127.0.0.1:%d/%s~[1-%d]/v1/chat/completions' 2>/dev/null",
                   streams, rig_port("http"), play, streams);
    FILE *f = popen(command, "r");
    char line[64];
    while (f && fgets(line, sizeof line, f))
        c.bytes += strtoull(line, NULL, 10);
    if (!f || pclose(f) != 0)
        (void)fprintf(stderr, "remote: curl failed\n");
    c.wall = (double)(rig_now_ms() - start) / 1000;
    c.cpu = cpu_of(RUSAGE_CHILDREN) - c.cpu;
    return c;
}

static slm_engine *engine;

static int take(void *user, const char *text, size_t len)
{
    (void)text;
    *(uint64_t *)user += len;
    return 0;
}

static void *one_stream(void *arg)
{
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    q.prompt = "hello";
    q.prompt_len = 5;
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    q.max_tokens = 4096;
    q.text = take;
    q.user = arg;
    if (slm_engine_run(engine, &q, &reply, &err))
        (void)fprintf(stderr, "remote: %s\n", err.text);
    slm_reply_free(&reply);
    return NULL;
}

static cost by_engine(const char *play, int streams)
{
    static uint64_t got[MOST];
    pthread_t threads[MOST];
    char url[300];
    slm_error err = { 0 };
    slm_remote_statistics s = SLM_REMOTE_STATISTICS_INIT;
    cost c = { cpu_of(RUSAGE_SELF), 0, 0 };
    rig_url(url, sizeof url, "http", play);
    const uint64_t start = rig_now_ms();
    slm_engine_remote_params p = rig_params("openai", url);
    p.key = NULL;
    p.first_ms = p.between_ms = p.total_ms = 60000;
    p.parallel = (uint32_t)streams;
    if (slm_engine_remote(&engine, &p, &err)) {
        (void)fprintf(stderr, "remote: %s\n", err.text);
        exit(1);
    }
    for (int i = 0; i < streams; i++)
        if (pthread_create(&threads[i], NULL, one_stream, &got[i]) != 0)
            exit(1);
    for (int i = 0; i < streams; i++)
        (void)pthread_join(threads[i], NULL);
    (void)slm_remote_get_statistics(engine, &s, &err);
    slm_engine_free(engine);
    c.bytes = s.received;
    c.wall = (double)(rig_now_ms() - start) / 1000;
    c.cpu = cpu_of(RUSAGE_SELF) - c.cpu;
    return c;
}

static void compare(const char *what, const char *play, int streams)
{
    const cost tool = by_curl(play, streams), ours = by_engine(play, streams);
    figure_print("remote", ours.cpu, "processor s", tool.cpu, "curl's tool", ours.cpu / tool.cpu, "%s: %d streams, %" PRIu64 " bytes (curl %" PRIu64 ")",
                 what, streams, ours.bytes, tool.bytes);
    figure_print("remote", ours.wall, "s", tool.wall, "curl's tool", ours.wall / tool.wall, "%s: clock", what);
    figure_print("remote", ours.cpu - tool.cpu, "processor s", ours.wall, "one core", (ours.cpu - tool.cpu) / ours.wall, "%s: beyond curl", what);
}

int main(int argc, char **argv)
{
    const int streams = argc > 2 ? atoi(argv[2]) : 64, words = argc > 3 ? atoi(argv[3]) : 400, pause = argc > 4 ? atoi(argv[4]) : 20;
    char play[64];
    if (argc < 2 || streams < 1 || streams > MOST || words < 1 || pause < 0) {
        (void)fprintf(stderr, "usage: remote SERVER [streams 1 .. %d] [words] [ms between words]\n", MOST);
        return 2;
    }
    if (!mkdtemp(folder) || !rig_start(argv[1], folder))
        return 1;
    (void)snprintf(play, sizeof play, "words=%d+slow=%d", words, pause);
    compare("at the pace of a model", play, streams);
    (void)snprintf(play, sizeof play, "words=%d", 10 * words);
    compare("as fast as the server sends", play, streams);
    rig_stop();
    (void)snprintf(play, sizeof play, "rm -rf '%s'", folder);
    return system(play) != 0;
}
