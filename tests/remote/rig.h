/* rig.h -- what the programs of the remote suite share: the test server as a child, engines that talk to it, its log, and a key that
 * never stands in this process as it is but while curl has it. */
#ifndef TESTS_REMOTE_RIG_H
#define TESTS_REMOTE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slm.h"
#include "slm_remote.h"

/* Starts the server at `path` with log and authority in `folder`; prints why and returns false if that fails. */
bool rig_start(const char *path, const char *folder);
void rig_stop(void);

int rig_port(const char *name);                /* of the server's ports; 0: there is none */
const char *rig_ca(void);
const char *rig_log(void);
size_t rig_log_count(const char *text);        /* lines of the log that contain the text */

/* "http://127.0.0.1:PORT/behaviour/v1" in url; https for ports that speak TLS. */
void rig_url(char *url, size_t room, const char *port, const char *behaviour);

/* Parameters for tests: short times, one retry, this server's authority, the key below. The url is the caller's. */
slm_engine_remote_params rig_params(const char *server, const char *url);

/* ---- the key ---- */

enum { RIG_KEY = 48 };
void rig_key_make(uint64_t seed);
ptrdiff_t rig_key(void *user, char *key, size_t room);        /* an slm_remote_key_fn */

/* Looks for the key, its halves, its base64, hexadecimal and URL form in a file, or in some bytes; prints each hit and returns their
 * number. */
size_t rig_key_search_file(const char *path);
size_t rig_key_search(const char *where, const void *bytes, size_t n);
bool rig_key_search_works(void);               /* finds a key that it was shown, in two forms */
bool rig_file_has(const char *path, const char *text);

/* ---- this process ---- */

size_t rig_descriptors(void);
size_t rig_threads(void);
uint64_t rig_now_ms(void);

#endif
