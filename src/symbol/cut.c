/* Files that are cut while they are read. elfutils maps them, and whoever owns the watched program
 * may shorten what it runs from at any moment (cp over it does): where the end was is then a
 * SIGBUS. In its place stands a page of zeros, as in a file that was broken from the start.
 *
 * The handler stays for good: mappings do, until symbol_close. What is no such fault goes to
 * whoever had the signal before. */
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "internal.h"

#define PAGE 4096ul

static struct sigaction before;

static void fill(int number, siginfo_t *info, void *context) {
    (void)context;
    void *page = (void *)((uintptr_t)info->si_addr & ~(PAGE - 1));
    if (info->si_code == BUS_ADRERR && mmap(page, PAGE, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page)
        return;
    sigaction(number, &before, NULL); /* it faults again */
}

void symbol_survive_cuts(void) {
    struct sigaction action = {.sa_sigaction = fill, .sa_flags = SA_SIGINFO}, now;
    if (sigaction(SIGBUS, NULL, &now) || now.sa_sigaction == fill)
        return;
    before = now;
    sigaction(SIGBUS, &action, NULL);
}
