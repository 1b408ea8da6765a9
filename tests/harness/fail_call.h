/* fail_call.h -- system calls that fail, one by one. Link with FAIL_CALL of the Makefile (--wrap): then open, openat, fstat, stat, pread, read,
 * readlink, fcntl, mmap of a file, write, pwrite, fallocate, ftruncate, fchmod, fsync, renameat, close, pthread_create and clock_gettime
 * of everything that is linked statically pass through here. The places that were failed are known to fail_alloc_sites. */
#ifndef TESTS_HARNESS_FAIL_CALL_H
#define TESTS_HARNESS_FAIL_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* What the library owes its caller when a call fails. */
typedef enum fail_promise {
    FAIL_TOLD,           /* SLM_E_IO with the errno and the file */
    FAIL_EITHER,         /* that, or the result it would have had */
    FAIL_HARMLESS        /* the result it would have had */
} fail_promise;

enum { FAIL_LIST = 16 };

typedef struct fail_call {
    atomic_size_t calls;         /* so far */
    size_t fail_at;              /* the call that fails, from 1; 0: none */
    bool lasting;                /* all later ones too */
    bool rough;                  /* none fails, but every other one that may says EINTR first, and few bytes are moved at a time */
    atomic_size_t failed, turns;
    struct failed_call {
        const char *name;
        int code;                /* errno; 0: none to be told */
        fail_promise promise;
        char path[600];          /* the file it was about; "" where there is none */
    } list[FAIL_LIST];           /* the first ones */
} fail_call;

/* From now on calls are counted in f and fail as it says; NULL: left alone. */
void fail_call_to(fail_call *f);

/* One more call, of a function that the test itself gives to the library; true: it has to fail. */
bool fail_call_own(const char *name, fail_promise promise, const char *path);

#endif
