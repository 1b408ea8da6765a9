/* fail_alloc.c -- the allocator that fails. */
#include "harness/fail_alloc.h"

#include "harness/test.h"

#include <stdlib.h>

enum { HEADER = 64, MOST_CALLS = 3000, MOST_SITES = 4096, FILLED = 1 << 20 };

typedef struct header {
    uint64_t magic;
    size_t size;
    fail_alloc *owner;
} header;

#define MAGIC UINT64_C(0x6d656d6f7279216c)

/* Where memory was refused, over all runs. */
static const void *sites[MOST_SITES];
static size_t n_sites;
static _Thread_local const void *site;

void fail_alloc_at(const void *address)
{
    site = address;
}

void fail_alloc_note(void)
{
    size_t i = 0;
    while (i < n_sites && sites[i] != site)
        i++;
    if (site && i == n_sites && n_sites < MOST_SITES)
        sites[n_sites++] = site;
}

size_t fail_alloc_sites(const void *const **list)
{
    *list = sites;
    return n_sites;
}

bool fail_alloc_refuses(fail_alloc *f)
{
    const size_t call = atomic_fetch_add(&f->calls, 1) + 1;
    if (!f->fail_at || (call != f->fail_at && !(f->lasting && call > f->fail_at)))
        return false;
    atomic_fetch_add(&f->refused, 1);
    fail_alloc_note();
    return true;
}

static void *take(void *user, size_t size)
{
    fail_alloc *f = user;
    if (fail_alloc_refuses(f))
        return NULL;
    void *block = aligned_alloc(64, (HEADER + size + 63) / 64 * 64);
    if (!block)
        return NULL;
    *(header *)block = (header){ MAGIC, size, f };
    atomic_fetch_add(&f->live_blocks, 1);
    atomic_fetch_add(&f->live_bytes, size);
    (void)memset((char *)block + HEADER, 0xa5, size < FILLED ? size : FILLED);
    return (char *)block + HEADER;
}

static void give_back(void *user, void *memory, size_t size)
{
    header *h = (header *)((char *)memory - HEADER);
    if (h->magic != MAGIC || h->owner != user || h->size != size)
        fail_msg("release of %zu bytes: the block %s", size, h->magic != MAGIC ? "is not from here or freed twice" : "has another size");
    fail_alloc *f = user;
    atomic_fetch_sub(&f->live_blocks, 1);
    atomic_fetch_sub(&f->live_bytes, size);
    memset(memory, 0xa5, size < FILLED ? size : FILLED);
    h->magic = 0;
    free(h);
}

void fail_alloc_init(fail_alloc *f, size_t fail_at, bool lasting)
{
    memset(f, 0, sizeof *f);
    f->allocator = (slm_allocator){ f, take, give_back };
    f->fail_at = fail_at;
    f->lasting = lasting;
}

void fail_alloc_arm(fail_alloc *f, size_t fail_at, bool lasting)
{
    atomic_store(&f->calls, 0);
    atomic_store(&f->refused, 0);
    f->fail_at = fail_at;
    f->lasting = lasting;
}

/* One run; true if nothing was refused, which is the end. */
static bool run(const char *name, size_t fail_at, bool lasting, fail_make *make, fail_drop *drop, void *ctx, size_t *calls)
{
    fail_alloc f;
    slm_error err = { 0 };
    char sentinel;
    void *out = &sentinel;
    fail_alloc_init(&f, fail_at, lasting);
    const slm_status status = make(ctx, &f.allocator, &out, &err);
    const char *how = lasting ? "from then on" : "once";
    if (atomic_load(&f.refused) == 0) {
        if (status)
            fail_msg("%s: nothing refused, but %s: %s", name, slm_status_name(status), err.text);
        if (drop)
            drop(ctx, out);
    } else {
        if (status != SLM_E_MEMORY)
            fail_msg("%s: allocation %zu refused %s: %s, want SLM_E_MEMORY: %s", name, fail_at, how, slm_status_name(status), err.text);
        if (err.status != SLM_E_MEMORY || !err.text[0])
            fail_msg("%s: allocation %zu refused %s: the error says %d, '%s'", name, fail_at, how, err.status, err.text);
        if (out != &sentinel)
            fail_msg("%s: allocation %zu refused %s: the out-parameter was written", name, fail_at, how);
    }
    if (atomic_load(&f.live_bytes))
        fail_msg("%s: allocation %zu refused %s: %zu bytes in %zu blocks are still held", name, fail_at, how,
                 atomic_load(&f.live_bytes), atomic_load(&f.live_blocks));
    *calls = atomic_load(&f.calls);
    return atomic_load(&f.refused) == 0;
}

size_t fail_alloc_every(const char *name, fail_make *make, fail_drop *drop, void *ctx)
{
    size_t calls = 0;
    for (int lasting = 0; lasting < 2; lasting++)
        for (size_t i = 1; !run(name, i, lasting, make, drop, ctx, &calls); i++)
            if (i > MOST_CALLS)
                fail_msg("%s: makes over %d allocations", name, MOST_CALLS);
    return calls;
}
