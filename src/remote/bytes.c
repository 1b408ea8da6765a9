/* bytes.c -- a growing run of bytes with a maximum. */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void slm_bytes_init(slm_bytes *b, size_t limit)
{
    *b = (slm_bytes){ .limit = limit };
}

void slm_bytes_free(slm_bytes *b)
{
    free(b->data);
    *b = (slm_bytes){ .limit = b->limit };
}

bool slm_bytes_add(slm_bytes *b, const void *from, size_t n)
{
    if (b->big || b->memory)
        return false;
    if (n > b->limit - b->size) {
        b->big = true;
        return false;
    }
    if (n >= b->room - b->size) {                   /* >=: a NUL follows. limit is far below SIZE_MAX / 2 */
        size_t room = b->room ? b->room : 256;
        while (n >= room - b->size)
            room *= 2;
        char *bigger = realloc(b->data, room);
        if (!bigger) {
            b->memory = true;
            return false;
        }
        b->data = bigger;
        b->room = room;
    }
    if (n)
        memcpy(b->data + b->size, from, n);
    b->size += n;
    b->data[b->size] = 0;
    return true;
}

const char *slm_bytes_text(const slm_bytes *b)
{
    return b->data ? b->data : "";
}
