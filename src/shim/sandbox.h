/* sandbox: notices that the program is about to install a seccomp filter, or to have system calls
 * handed to itself.
 *
 * Why: a filter that allows what malloc needs, and kills for anything else, would kill the program for
 * a call of squall's own: a new thread's name, the file of a new module. A filter cannot be asked for
 * without a call. So prctl and syscall of the C library have detours, and from the call on that may
 * install one, squall makes no call but malloc's (base/syscall.h); what it would have learnt
 * is not known then. Before, it takes room in the region, and looks ahead on the stack. Where calls from
 * anywhere but chosen code go to a handler of the program's (PR_SET_SYSCALL_USER_DISPATCH), it makes none.
 *
 * Written by the program's thread; a forked child inherits it. Of who shares its parent's memory
 * (vfork) the kernel clears it, when that one ends or becomes another program. */
#ifndef SQUALL_SHIM_SANDBOX_H
#define SQUALL_SHIM_SANDBOX_H

#include <stdint.h>

/* While the process has one thread. */
void sandbox_follow(void);
/* The C library's `syscall` once the program has calls from anywhere else handed to itself, else NULL:
 * an instruction of the C library's that a detour has moved is not in it. */
typedef long sandbox_syscall(long number, ...);
sandbox_syscall *sandbox_own_syscall(void);
/* What the report should say of it: an enum region_note, 0 = nothing. */
uint32_t sandbox_note(void);

#endif
