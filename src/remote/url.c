/* url.c -- where a request may go.
 *
 * A base URL may come from somebody's settings, so it is read strictly: what two parsers could read in two ways is refused. The list of hosts
 * is compared with names; what a name leads to is compared with addresses, at the moment of connecting, because a name can lead
 * anywhere and elsewhere the second time. */
#include "url.h"

#include "fault.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const unsigned char MAPPED[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* Any literal address as 16 bytes. */
static bool literal(const char *host, unsigned char bytes[16])
{
    if (inet_pton(AF_INET6, host, bytes) == 1)
        return true;
    memcpy(bytes, MAPPED, sizeof MAPPED);
    return inet_pton(AF_INET, host, bytes + 12) == 1;
}

static bool digits_only(const char *s)
{
    return *s && !s[strspn(s, "0123456789")];
}

/* A name of letters, digits, hyphens and dots whose last label no reader of addresses takes for a number; or a plain address. */
static slm_status check_host(const char *host, slm_error *err)
{
    unsigned char bytes[16];
    if (literal(host, bytes))
        return SLM_OK;
    const size_t n = strlen(host);
    const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
    if (!n || strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != n || strstr(host, "..") || host[0] == '.' || !*last)
        return slm_remote_fail(err, SLM_E_ARG, "base URL: host '%.100s' is no name and no address", host);
    if (digits_only(last) || (last[0] == '0' && last[1] == 'x'))
        return slm_remote_fail(err, SLM_E_ARG, "base URL: host '%.100s' is an odd spelling of an address", host);
    return SLM_OK;
}

/* The host as it stands in the text, in lower case and without brackets. */
static bool raw_host(char *to, size_t room, const char *text)
{
    const char *from = strstr(text, "//");
    size_t n;
    if (!from)
        return false;
    from += 2;
    if (*from == '[')
        n = strcspn(++from, "]");
    else
        n = strcspn(from, ":/?#");
    if (n >= room)
        return false;
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] + 32 : from[i]);
    to[n] = 0;
    return true;
}

/* A part that cannot be looked at for want of memory is neither there nor absent. */
static slm_status has_part(CURLU *u, CURLUPart part, bool *has, slm_error *err)
{
    char *text = NULL;
    const CURLUcode code = curl_url_get(u, part, &text, 0);
    curl_free(text);
    *has = code == CURLUE_OK;
    return code == CURLUE_OUT_OF_MEMORY ? slm_remote_fail(err, SLM_E_MEMORY, "base URL: no memory") : SLM_OK;
}

/* What curl takes for the host must be what stands there. */
static slm_status same_host(CURLU *u, const char *host, slm_error *err)
{
    char *text = NULL, plain[256] = "";
    const CURLUcode code = curl_url_get(u, CURLUPART_HOST, &text, 0);
    if (code == CURLUE_OK)
        (void)snprintf(plain, sizeof plain, "%.*s", text[0] == '[' ? (int)strcspn(text + 1, "]") : 255, text[0] == '[' ? text + 1 : text);
    curl_free(text);
    if (code == CURLUE_OUT_OF_MEMORY)
        return slm_remote_fail(err, SLM_E_MEMORY, "base URL: no memory");
    return strcasecmp(plain, host) == 0 ? SLM_OK : slm_remote_fail(err, SLM_E_ARG, "base URL: host '%.100s' can be read in two ways", host);
}

static slm_status check_parts(CURLU *u, slm_url *url, slm_error *err)
{
    static const struct { CURLUPart part; const char *name; } never[] = {
        { CURLUPART_USER, "user" }, { CURLUPART_PASSWORD, "password" }, { CURLUPART_QUERY, "query" }, { CURLUPART_FRAGMENT, "fragment" },
        { CURLUPART_OPTIONS, "options" }, { CURLUPART_ZONEID, "zone" },
    };
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        bool has;
        const slm_status status = has_part(u, never[i].part, &has, err);
        if (status || has)
            return status ? status : slm_remote_fail(err, SLM_E_ARG, "base URL: it has a %s, which it may not", never[i].name);
    }
    if (strchr(url->base, '@') || strchr(url->base, '?') || strchr(url->base, '#'))
        return slm_remote_fail(err, SLM_E_ARG, "base URL: it has one of @ ? #, which it may not");
    const slm_status status = same_host(u, url->host, err);
    return status ? status : check_host(url->host, err);
}

slm_status slm_url_read(slm_url *url, const char *text, slm_error *err)
{
    unsigned char bytes[16];
    slm_url out = { .plain = false };
    size_t n = text ? strnlen(text, SLM_URL_MOST + 1) : 0;
    if (!n || n > SLM_URL_MOST)
        return slm_remote_fail(err, SLM_E_ARG, "base URL: %zu bytes%s (allowed 1 .. %d)", n, n > SLM_URL_MOST ? " or more" : "", SLM_URL_MOST);
    for (size_t i = 0; i < n; i++)
        if (text[i] <= 0x20 || text[i] > 0x7e || text[i] == '\\')
            return slm_remote_fail(err, SLM_E_ARG, "base URL: byte %zu is 0x%02x", i, (unsigned char)text[i]);
    if (strncasecmp(text, "https://", 8) != 0 && strncasecmp(text, "http://", 7) != 0)
        return slm_remote_fail(err, SLM_E_ARG, "base URL: does not begin with https://");
    out.plain = strncasecmp(text, "http://", 7) == 0;
    if (!raw_host(out.host, sizeof out.host, text))
        return slm_remote_fail(err, SLM_E_ARG, "base URL: its host has more than %zu bytes", sizeof out.host - 1);
    while (n && text[n - 1] == '/')
        n--;
    memcpy(out.base, text, n);
    CURLU *u = curl_url();
    if (!u)
        return slm_remote_fail(err, SLM_E_MEMORY, "base URL: no memory");
    const CURLUcode code = curl_url_set(u, CURLUPART_URL, out.base, 0);
    slm_status status = code == CURLUE_OUT_OF_MEMORY ? slm_remote_fail(err, SLM_E_MEMORY, "base URL: no memory")
                      : code ? slm_remote_fail(err, SLM_E_ARG, "base URL: %s", curl_url_strerror(code)) : check_parts(u, &out, err);
    curl_url_cleanup(u);
    if (!status && out.plain && strcmp(out.host, "localhost") != 0) {
        struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
        if (literal(out.host, bytes))
            memcpy(&a.sin6_addr, bytes, sizeof bytes);
        if (!literal(out.host, bytes) || slm_address_reach((const struct sockaddr *)&a) != SLM_REACH_LOOPBACK)
            status = slm_remote_fail(err, SLM_E_ARG, "base URL: http is for loopback only, not for '%.100s': use https", out.host);
    }
    if (status)
        return status;
    *url = out;
    const char *slash = strchr(strstr(url->base, "//") + 2, '/');
    url->path = slash ? slash : url->base + n;
    return SLM_OK;
}

bool slm_url_listed(const char *host, const char *const *hosts, size_t n_hosts)
{
    for (size_t i = 0; i < n_hosts; i++) {
        const char *h = hosts[i];
        const size_t n = h ? strlen(h) : 0;
        const bool brackets = n > 2 && h[0] == '[' && h[n - 1] == ']';
        if (n - 2 * brackets == strlen(host) && n && strncasecmp(h + brackets, host, n - 2 * brackets) == 0)
            return true;
    }
    return false;
}

/* ---- addresses ---- */

slm_status slm_range_read(slm_range6 *range, const char *text, slm_error *err)
{
    char host[64];
    const char *slash = text ? strchr(text, '/') : NULL;
    const size_t n = text ? slash ? (size_t)(slash - text) : strlen(text) : 0;
    slm_range6 r = { { 0 }, 128 };
    unsigned bits = 0;
    if (n && n < sizeof host) {
        memcpy(host, text, n);
        host[n] = 0;
    }
    if (!n || n >= sizeof host || !literal(host, r.bytes))
        return slm_remote_fail(err, SLM_E_ARG, "address range '%.64s': no address", text ? text : "");
    const unsigned most = memcmp(r.bytes, MAPPED, sizeof MAPPED) == 0 && !strchr(host, ':') ? 32 : 128;
    if (slash) {
        if (!digits_only(slash + 1) || strlen(slash + 1) > 3)
            return slm_remote_fail(err, SLM_E_ARG, "address range '%.64s': no number behind the slash", text);
        for (const char *d = slash + 1; *d; d++)
            bits = bits * 10 + (unsigned)(*d - '0');
        if (bits > most)
            return slm_remote_fail(err, SLM_E_ARG, "address range '%.64s': %u bits (allowed 0 .. %u)", text, bits, most);
        r.bits = bits + 128 - most;
    }
    *range = r;
    return SLM_OK;
}

static bool within(const unsigned char bytes[16], const slm_range6 *range)
{
    const unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(bytes, range->bytes, whole) != 0)
        return false;
    return !rest || (bytes[whole] ^ range->bytes[whole]) >> (8 - rest) == 0;
}

static bool in_any(const unsigned char bytes[16], const char *const *ranges, size_t n)
{
    slm_range6 r;
    for (size_t i = 0; i < n; i++)
        if (!slm_range_read(&r, ranges[i], NULL) && within(bytes, &r))
            return true;
    return false;
}

static bool address_bytes(const struct sockaddr *address, unsigned char bytes[16])
{
    if (address->sa_family == AF_INET) {
        memcpy(bytes, MAPPED, sizeof MAPPED);
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    return true;
}

/* IPv6 addresses with an IPv4 one inside (NAT64, 6to4) are as public as that is. */
static void unwrap(unsigned char bytes[16])
{
    static const unsigned char nat64[12] = { 0, 0x64, 0xff, 0x9b };
    unsigned char inner[4];
    if (memcmp(bytes, nat64, sizeof nat64) == 0)
        memcpy(inner, bytes + 12, 4);
    else if (bytes[0] == 0x20 && bytes[1] == 0x02)
        memcpy(inner, bytes + 2, 4);
    else
        return;
    memcpy(bytes, MAPPED, sizeof MAPPED);
    memcpy(bytes + 12, inner, 4);
}

slm_reach slm_address_reach(const struct sockaddr *address)
{
    static const char *const loopback[] = { "127.0.0.0/8", "::1" };
    static const char *const v4[] = {               /* IANA's special-purpose registry */
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    };
    static const char *const v6_public[] = { "2000::/3" };
    static const char *const v6_not[] = { "2001::/23", "2001:db8::/32", "3fff::/20" };
    unsigned char bytes[16];
    if (!address_bytes(address, bytes))
        return SLM_REACH_OTHER;
    unwrap(bytes);
    if (in_any(bytes, loopback, 2))
        return SLM_REACH_LOOPBACK;
    if (memcmp(bytes, MAPPED, sizeof MAPPED) == 0)
        return in_any(bytes, v4, sizeof v4 / sizeof *v4) ? SLM_REACH_OTHER : SLM_REACH_PUBLIC;
    return in_any(bytes, v6_public, 1) && !in_any(bytes, v6_not, 3) ? SLM_REACH_PUBLIC : SLM_REACH_OTHER;
}

bool slm_address_allowed(const struct sockaddr *address, const char *host, bool plain, const slm_range6 *ranges, size_t n_ranges)
{
    unsigned char bytes[16], own[16];
    const slm_reach reach = slm_address_reach(address);
    if (!address_bytes(address, bytes) || (plain && reach != SLM_REACH_LOOPBACK))
        return false;
    if (reach == SLM_REACH_PUBLIC || (literal(host, own) && memcmp(own, bytes, sizeof own) == 0))
        return true;
    if (reach == SLM_REACH_LOOPBACK && strcmp(host, "localhost") == 0)
        return true;
    for (size_t i = 0; i < n_ranges; i++)
        if (within(bytes, &ranges[i]))
            return true;
    return false;
}
