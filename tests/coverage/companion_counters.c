/* companion_counters: what the companion counted, written where it ends without exit handlers, as
 * squall run does to end as its program did. For `make coverage` only; linked with --wrap. */
#include <gcov.h>
#include <signal.h>
#include <unistd.h>

void __wrap__exit(int status);
void __real__exit(int status) __attribute__((noreturn));
int __wrap_raise(int number);
int __real_raise(int number);

void __wrap__exit(int status) {
    __gcov_dump();
    __real__exit(status);
}

int __wrap_raise(int number) {
    __gcov_dump();
    __gcov_reset();
    return __real_raise(number);
}
