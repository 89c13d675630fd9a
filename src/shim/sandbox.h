/* sandbox: notices that the program is about to install a seccomp filter.
 *
 * Why: a filter that allows what malloc needs, and kills for anything else, would kill the program for
 * a call of squall's own: a new thread's name, the file of a new module. A filter cannot be asked for
 * without a call. So prctl and syscall of the C library have detours, and from the call on that may
 * install one, squall makes no call but malloc's (base/syscall.h); what it would have learnt
 * is not known then.
 *
 * Written by the program's thread, once; a forked child inherits it, and who shares its parent's memory
 * (vfork) leaves it there. */
#ifndef SQUALL_SHIM_SANDBOX_H
#define SQUALL_SHIM_SANDBOX_H

/* While the process has one thread. */
void sandbox_follow(void);

#endif
