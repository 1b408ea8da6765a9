/* test_remote_url.c -- what is no plain base URL is refused; addresses are what they are, however they are written. */
#include "harness/test.h"
#include "remote/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void plain_urls_are_taken(void **state)
{
    (void)state;
    static const struct { const char *url, *host, *path, *base; bool plain; } rows[] = {
        { "https://api.openai.com/v1", "api.openai.com", "/v1", "https://api.openai.com/v1", false },
        { "https://api.openai.com/v1/", "api.openai.com", "/v1", "https://api.openai.com/v1", false },
        { "HTTPS://API.OpenAI.com", "api.openai.com", "", "HTTPS://API.OpenAI.com", false },
        { "https://a-b.example:8443/x/y//", "a-b.example", "/x/y", "https://a-b.example:8443/x/y", false },
        { "http://127.0.0.1:8080/v1", "127.0.0.1", "/v1", "http://127.0.0.1:8080/v1", true },
        { "http://localhost:1/v1", "localhost", "/v1", "http://localhost:1/v1", true },
        { "http://[::1]:9/v1", "::1", "/v1", "http://[::1]:9/v1", true },
        { "http://127.9.9.9/v1", "127.9.9.9", "/v1", "http://127.9.9.9/v1", true },
        { "https://10.0.0.1/v1", "10.0.0.1", "/v1", "https://10.0.0.1/v1", false },
        { "https://1e100.net/v1", "1e100.net", "/v1", "https://1e100.net/v1", false },
    };
    slm_error err = { 0 };
    slm_url u;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_status(slm_url_read(&u, rows[i].url, &err), SLM_OK, &err);
        assert_string_equal(u.host, rows[i].host);
        assert_string_equal(u.path, rows[i].path);
        assert_string_equal(u.base, rows[i].base);
        assert_int_equal(u.plain, rows[i].plain);
    }
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "", "api.openai.com/v1", "//api.openai.com", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example", "https:/a.example",
        "http://api.openai.com/v1", "http://10.0.0.1/v1", "http://169.254.169.254/latest", "http://127.0.0.1.example/",
        "https://user:pw@a.example/v1", "https://user@a.example/v1", "https://a.example@b.example/", "https://a.example/v1?x=1",
        "https://a.example/v1#x", "https://a.example/?", "https://a.example/v 1", "https://a.example/v\r\nX: y", "https://a.example/\x7f",
        "https://a.example\\@b.example/", "https://a.ex\xc3\xa4mple/", "https://a..example/", "https://.a.example/", "https://a.example./",
        "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://0x7f.1/", "https://127.0.0.1.5/",
        "https://1.2.3.4.5.6/", "https://[::1", "https://[fe80::1%25eth0]/", "https://a.example:99999/", "https://a_b.example/",
        "https://a.example:80@b.example/", "https:///v1", "https://a.%65xample/", "https://\xe2\x91\xa0.example/", "http://0/", "http://[::]/",
    };
    char many[2100] = "https://a.example/";
    slm_url u;
    for (size_t i = 0; i < COUNT(urls); i++) {
        slm_error err = { 0 };
        if (slm_url_read(&u, urls[i], &err) != SLM_E_ARG)
            fail_msg("'%s' is taken, for host '%s'", urls[i], u.host);
        assert_true(strlen(err.text) > 10);
    }
    memset(many + strlen(many), 'x', sizeof many - 1 - strlen(many));
    assert_int_equal(slm_url_read(&u, many, NULL), SLM_E_ARG);
    assert_int_equal(slm_url_read(&u, NULL, NULL), SLM_E_ARG);
}

static void the_list_is_exact(void **state)
{
    (void)state;
    const char *const hosts[] = { "api.Example.com", "[::1]", "10.0.0.1", NULL };
    assert_true(slm_url_listed("api.example.com", hosts, 4));
    assert_true(slm_url_listed("::1", hosts, 4));
    assert_true(slm_url_listed("10.0.0.1", hosts, 4));
    assert_false(slm_url_listed("example.com", hosts, 4));
    assert_false(slm_url_listed("x.api.example.com", hosts, 4));
    assert_false(slm_url_listed("api.example.co", hosts, 4));
    assert_false(slm_url_listed("", hosts, 4));
    assert_false(slm_url_listed("api.example.com", NULL, 0));
}

static const struct sockaddr *address(const char *text)
{
    static struct sockaddr_in v4;
    static struct sockaddr_in6 v6;
    v4 = (struct sockaddr_in){ .sin_family = AF_INET };
    v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return (const struct sockaddr *)&v4;
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return (const struct sockaddr *)&v6;
}

static void addresses_reach_where_they_reach(void **state)
{
    (void)state;
    static const struct { const char *text; slm_reach reach; } rows[] = {
        { "8.8.8.8", SLM_REACH_PUBLIC },          { "2606:4700::1111", SLM_REACH_PUBLIC }, { "172.15.0.1", SLM_REACH_PUBLIC },
        { "172.32.0.1", SLM_REACH_PUBLIC },       { "100.128.0.1", SLM_REACH_PUBLIC },     { "127.0.0.1", SLM_REACH_LOOPBACK },
        { "127.255.255.255", SLM_REACH_LOOPBACK }, { "::1", SLM_REACH_LOOPBACK },          { "::ffff:127.0.0.1", SLM_REACH_LOOPBACK },
        { "64:ff9b::7f00:1", SLM_REACH_LOOPBACK }, { "2002:7f00:1::", SLM_REACH_LOOPBACK }, { "::ffff:8.8.8.8", SLM_REACH_PUBLIC },
        { "10.1.2.3", SLM_REACH_OTHER },          { "172.16.0.1", SLM_REACH_OTHER },       { "172.31.255.255", SLM_REACH_OTHER },
        { "192.168.1.1", SLM_REACH_OTHER },       { "169.254.169.254", SLM_REACH_OTHER },  { "100.64.0.1", SLM_REACH_OTHER },
        { "0.0.0.0", SLM_REACH_OTHER },           { "255.255.255.255", SLM_REACH_OTHER },  { "224.0.0.1", SLM_REACH_OTHER },
        { "::", SLM_REACH_OTHER },                { "fe80::1", SLM_REACH_OTHER },          { "fd00::1", SLM_REACH_OTHER },
        { "ff02::1", SLM_REACH_OTHER },           { "::ffff:10.0.0.1", SLM_REACH_OTHER },  { "2002:0a00:1::", SLM_REACH_OTHER },
        { "64:ff9b::a9fe:a9fe", SLM_REACH_OTHER }, { "2001:db8::1", SLM_REACH_OTHER },     { "::127.0.0.1", SLM_REACH_OTHER },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (slm_address_reach(address(rows[i].text)) != rows[i].reach)
            fail_msg("%s reaches %d, want %d", rows[i].text, slm_address_reach(address(rows[i].text)), rows[i].reach);
}

static void what_is_not_public_must_be_allowed(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_range6 ranges[2];
    check_status(slm_range_read(&ranges[0], "10.0.0.0/8", &err), SLM_OK, &err);
    check_status(slm_range_read(&ranges[1], "fd00::/8", &err), SLM_OK, &err);
    assert_true(slm_address_allowed(address("8.8.8.8"), "a.example", false, NULL, 0));
    assert_false(slm_address_allowed(address("127.0.0.1"), "a.example", false, ranges, 2));
    assert_false(slm_address_allowed(address("10.0.0.1"), "a.example", false, NULL, 0));
    assert_true(slm_address_allowed(address("10.0.0.1"), "a.example", false, ranges, 2));
    assert_true(slm_address_allowed(address("::ffff:10.0.0.1"), "a.example", false, ranges, 2));
    assert_true(slm_address_allowed(address("fd12::1"), "a.example", false, ranges, 2));
    assert_false(slm_address_allowed(address("fc00::1"), "a.example", false, ranges, 2));
    assert_true(slm_address_allowed(address("127.0.0.1"), "127.0.0.1", false, NULL, 0));
    assert_false(slm_address_allowed(address("127.0.0.2"), "127.0.0.1", false, NULL, 0));
    assert_true(slm_address_allowed(address("::1"), "localhost", true, NULL, 0));
    assert_false(slm_address_allowed(address("10.0.0.1"), "localhost", false, NULL, 0));
    assert_false(slm_address_allowed(address("8.8.8.8"), "localhost", true, ranges, 2));   /* without TLS only loopback */
}

static void odd_ranges_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "a.example/8", "010.0.0.0/8" };
    slm_range6 r;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (slm_range_read(&r, texts[i], NULL) != SLM_E_ARG)
            fail_msg("range '%s' is taken", texts[i]);
    assert_int_equal(slm_range_read(&r, NULL, NULL), SLM_E_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_urls_are_taken),          cmocka_unit_test(others_are_refused),
        cmocka_unit_test(the_list_is_exact),             cmocka_unit_test(addresses_reach_where_they_reach),
        cmocka_unit_test(what_is_not_public_must_be_allowed), cmocka_unit_test(odd_ranges_are_refused),
    };
    return cmocka_run_group_tests_name("remote_url", tests, NULL, NULL) != 0;
}
