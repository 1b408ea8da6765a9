/* test_remote_hedge.c -- a second request goes out only where it is asked for, the first of the two to answer holds, and both are paid.
 * A server on loopback answers the request number `slow` (from 0) 400 ms late and all others at once. */
#include "harness/test.h"
#include "slm_remote.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct server { int fd, port; pthread_t thread; atomic_int seen, slow; } server;

static server here;

static void *answer(void *arg)
{
    const int fd = (int)(intptr_t)arg, number = atomic_fetch_add(&here.seen, 1);
    char in[4096], body[200], out[400];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof in - 1 && (got = recv(fd, in + n, sizeof in - 1 - n, 0)) > 0) {
        n += (size_t)got;
        in[n] = 0;
        if (strstr(in, "\r\n\r\n") && in[n - 1] == '}')
            break;
    }
    if (number == atomic_load(&here.slow))
        (void)usleep(400000);
    (void)snprintf(body, sizeof body, "{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"number %d\"},\"finish_reason\":\"stop\"}],"
                   "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1}}", number);
    (void)snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    (void)send(fd, out, strlen(out), MSG_NOSIGNAL);
    (void)close(fd);
    return NULL;
}

static void *serve(void *arg)
{
    int fd;
    (void)arg;
    while ((fd = accept(here.fd, NULL, NULL)) >= 0) {
        pthread_t one;
        if (pthread_create(&one, NULL, answer, (void *)(intptr_t)fd) == 0)
            (void)pthread_detach(one);
    }
    return NULL;
}

static int start(void **state)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof a;
    (void)state;
    here.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(here.fd, (const struct sockaddr *)&a, sizeof a) || listen(here.fd, 16) || getsockname(here.fd, (struct sockaddr *)&a, &n))
        return -1;
    here.port = ntohs(a.sin_port);
    return pthread_create(&here.thread, NULL, serve, NULL);
}

static int stop(void **state)
{
    (void)state;
    (void)shutdown(here.fd, SHUT_RDWR);
    (void)pthread_join(here.thread, NULL);
    return close(here.fd);
}

static void ask(uint32_t hedge_ms, int slow, const char *want, uint32_t tries, uint64_t hedges, uint64_t total, uint64_t spent)
{
    const char *const hosts[] = { "127.0.0.1" };
    const slm_price price = { "m", 1000000, 1000000, 0, 0 };
    char url[64];
    slm_error err = { 0 };
    slm_engine *engine = NULL;
    slm_budget *budget = NULL;
    slm_budget_params bp = SLM_BUDGET_PARAMS_INIT;
    slm_budget_info info = SLM_BUDGET_INFO_INIT;
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    slm_remote_statistics s = SLM_REMOTE_STATISTICS_INIT;
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    atomic_store(&here.seen, 0);
    atomic_store(&here.slow, slow);
    bp.total = total;
    bp.prices = &price;
    bp.n_prices = 1;
    check_status(slm_budget_new(&budget, &bp, &err), SLM_OK, &err);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", here.port);
    p.server = "compatible";
    p.base_url = url;
    p.model = "m";
    p.hosts = hosts;
    p.n_hosts = 1;
    p.hedge_ms = hedge_ms;
    p.budget = budget;
    p.flags = SLM_REMOTE_PLAIN;
    check_status(slm_engine_remote(&engine, &p, &err), SLM_OK, &err);
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    q.prompt = "x";
    q.prompt_len = 1;
    q.max_tokens = 10;
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
    assert_string_equal(reply.text, want);
    assert_int_equal(reply.tries, tries);
    check_status(slm_remote_get_statistics(engine, &s, &err), SLM_OK, &err);
    assert_int_equal(s.hedges, hedges);
    check_status(slm_budget_get_info(budget, &info, &err), SLM_OK, &err);
    assert_int_equal(info.reserved, 0);
    assert_int_equal(info.spent, reply.cost);
    if (spent)
        assert_int_equal(info.spent, spent);
    else
        assert_true(info.spent > 22000);        /* the one that lost costs what was reserved for it */
    slm_reply_free(&reply);
    slm_engine_free(engine);
    slm_budget_free(budget);
}

static void nothing_is_sent_twice_unless_asked(void **state)
{
    (void)state;
    ask(0, 0, "number 0", 1, 0, 1u << 30, 11000);
    ask(300, -1, "number 0", 1, 0, 1u << 30, 11000);
}

static void the_first_to_answer_holds_and_both_are_paid(void **state)
{
    (void)state;
    ask(50, 0, "number 1", 2, 1, 1u << 30, 0);
}

static void without_money_for_two_there_is_one(void **state)
{
    (void)state;
    ask(50, 0, "number 0", 1, 0, 400000, 11000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_twice_unless_asked), cmocka_unit_test(the_first_to_answer_holds_and_both_are_paid),
        cmocka_unit_test(without_money_for_two_there_is_one),
    };
    return cmocka_run_group_tests_name("remote_hedge", tests, start, stop) != 0;
}
