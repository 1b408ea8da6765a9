/* fuzz_base_url.c -- a base URL, a NUL, an address range, a NUL, a host of a list, a NUL, an address of 4 or 16 bytes.
 *
 * A URL that is taken must be read by curl as we read it: the same host, https (or http to loopback), no user, and nothing behind the path;
 * and read again it must give the same. An address that is neither public nor asked for is never allowed. */
#include "fuzz.h"

#include "url.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>

static void must_have(CURLU *u, CURLUPart part, const char *want, const char *what)
{
    char *text = NULL;
    const CURLUcode code = curl_url_get(u, part, &text, 0);
    const size_t n = text ? strlen(text) : 0, off = n && text[0] == '[';
    must(want ? code == CURLUE_OK && n - 2 * off == strlen(want) && !strncasecmp(text + off, want, n - 2 * off) : code != CURLUE_OK, what);
    curl_free(text);
}

static void check_url(const slm_url *url)
{
    slm_url again;
    CURLU *u = curl_url();
    must(u && curl_url_set(u, CURLUPART_URL, url->base, 0) == CURLUE_OK, "curl does not take the URL");
    must_have(u, CURLUPART_HOST, url->host, "another host to curl");
    must_have(u, CURLUPART_SCHEME, url->plain ? "http" : "https", "another scheme to curl");
    must_have(u, CURLUPART_USER, NULL, "a user to curl");
    must_have(u, CURLUPART_QUERY, NULL, "a query to curl");
    must_have(u, CURLUPART_FRAGMENT, NULL, "a fragment to curl");
    curl_url_cleanup(u);
    must(url->path >= url->base && url->path <= url->base + strlen(url->base) && (!*url->path || *url->path == '/'), "no path");
    must(slm_url_read(&again, url->base, NULL) == SLM_OK && !strcmp(again.base, url->base) && !strcmp(again.host, url->host), "another URL the second time");
}

static void check_address(const slm_url *url, const slm_range6 *range, bool has_range, fuzz_in *in)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    const struct sockaddr *a = in->left >= 16 ? (const void *)&v6 : (const void *)&v4;
    if (in->left < 4)
        return;
    memcpy(in->left >= 16 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr, in->at, in->left >= 16 ? 16 : 4);
    const bool allowed = slm_address_allowed(a, url->host, url->plain, range, has_range);
    const slm_reach reach = slm_address_reach(a);
    must(!allowed || !url->plain || reach == SLM_REACH_LOOPBACK, "plain to another machine");
    const bool literal = strchr(url->host, ':') || strspn(url->host, "0123456789.") == strlen(url->host);
    must(!allowed || reach == SLM_REACH_PUBLIC || has_range || literal || !strcmp(url->host, "localhost"), "an address that nobody asked for");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in in = { data, size };
    slm_url url = { .plain = false };
    slm_range6 range;
    slm_error err = { 0 };
    char *text = fuzz_string(&in), *around = fuzz_string(&in), *host = fuzz_string(&in);
    const char *const hosts[] = { host };
    const slm_status status = slm_url_read(&url, text, &err), ranged = slm_range_read(&range, around, NULL);
    if (!status)
        check_url(&url);
    else
        must_say(status, &err);
    must(ranged || range.bits <= 128, "a range of more than 128 bits");
    (void)slm_url_listed(url.host, hosts, 1);
    if (!status)
        check_address(&url, &range, !ranged, &in);
    free(text);
    free(around);
    free(host);
    return 0;
}
