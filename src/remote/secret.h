/* secret.h -- where a key lives: one piece of locked memory that core dumps leave out, wiped after use. */
#ifndef SLM_REMOTE_SECRET_H
#define SLM_REMOTE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

enum { SLM_SECRET_KEY = 4096, SLM_SECRET_HEADER = SLM_SECRET_KEY + 128 };

typedef struct slm_secret {
    char  *key;             /* [n], room SLM_SECRET_KEY */
    char  *header;          /* "Authorization: Bearer KEY", terminated; room SLM_SECRET_HEADER */
    size_t n;
    size_t bytes;           /* of the mapping that begins at key */
} slm_secret;

bool slm_secret_new(slm_secret *s);                         /* false: the system gave no memory */
void slm_secret_wipe(slm_secret *s);
void slm_secret_free(slm_secret *s);                        /* a zeroed one is fine */

/* Makes the header of the key, prefix "x-api-key: " for example. */
void slm_secret_head(slm_secret *s, const char *prefix);

/* Masks in text[n] every run of 8 bytes or more that is part of the key or of its base64. */
void slm_secret_hide(const slm_secret *s, char *text, size_t n);

/* curl_global_init with memory that is wiped when curl frees it, for curl copies the headers into buffers of its own. Where the application
 * has begun with curl before, its choice stands. */
bool slm_secret_begin_curl(void);

#endif
