/* cert.h -- the test server's own authority and the certificates of its ports, made anew at every start: nothing to renew, no key in a
 * file. Only the authority's certificate is written, for clients to trust. */
#ifndef TESTS_REMOTE_CERT_H
#define TESTS_REMOTE_CERT_H

#include <stdbool.h>

#include <openssl/ssl.h>

enum { CERT_GOOD, CERT_OTHER_HOST, CERT_EXPIRED, CERT_SELF_SIGNED, CERT_KINDS };

/* Fills contexts[CERT_KINDS] and writes the authority to ca_file, unless that is NULL. */
bool cert_make(SSL_CTX **contexts, const char *ca_file);

#endif
