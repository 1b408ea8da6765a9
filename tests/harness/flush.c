/* flush.c -- _exit for programs that count the branches they take: the counts are written before. Linked with --wrap=_exit by make coverage
 * alone. */
#include <unistd.h>

void __gcov_dump(void) __attribute__((weak));
void __real__exit(int status) __attribute__((noreturn, weak));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
    if (__gcov_dump)
        __gcov_dump();
    __real__exit(status);
}
