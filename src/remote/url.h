/* url.h -- where a request may go: the base URL, the hosts on the list, the addresses they may lead to. */
#ifndef SLM_REMOTE_URL_H
#define SLM_REMOTE_URL_H

#include "slm.h"

#include <stdbool.h>
#include <sys/socket.h>

enum { SLM_URL_MOST = 2048, SLM_RANGES_MOST = 64 };

typedef struct slm_url {
    char base[SLM_URL_MOST + 1];    /* without a slash at its end */
    char host[256];                 /* lower case, an IPv6 address without its brackets */
    const char *path;               /* in base; "" or "/v1" */
    bool plain;                     /* http: only loopback may be connected to */
} slm_url;

/* SLM_E_ARG with the reason: not absolute, not https (http: loopback hosts only), a user, query or fragment, odd bytes or an odd spelling of
 * an address, too long. */
slm_status slm_url_read(slm_url *url, const char *text, slm_error *err);

/* Is the host one of the list, exactly, in any case? */
bool slm_url_listed(const char *host, const char *const *hosts, size_t n_hosts);

/* An address range. IPv4 is kept as mapped IPv6. */
typedef struct slm_range6 {
    unsigned char bytes[16];
    unsigned bits;
} slm_range6;

/* "10.0.0.0/8", "::1"; SLM_E_ARG. */
slm_status slm_range_read(slm_range6 *range, const char *text, slm_error *err);

typedef enum slm_reach { SLM_REACH_PUBLIC, SLM_REACH_LOOPBACK, SLM_REACH_OTHER } slm_reach;
slm_reach slm_address_reach(const struct sockaddr *address);

/* May a connection to `host` end at this address: it is public, in a range, the literal address that host itself is, or loopback and
 * the host is "localhost". plain: only loopback will do. */
bool slm_address_allowed(const struct sockaddr *address, const char *host, bool plain, const slm_range6 *ranges, size_t n_ranges);

#endif
