/* h2.h -- the test server's HTTP/2: the same requests and replies, many at once on one connection. */
#ifndef TESTS_REMOTE_H2_H
#define TESTS_REMOTE_H2_H

#include "http.h"

/* Serves a connection that agreed on h2 until it ends. `make` fills a reply for a request; what a reply says about framing and versions
 * does not apply, END_RESET resets the stream, END_HOLD keeps it open. */
void h2_serve(conn *c, void (*make)(reply *r, const request *q));

#endif
