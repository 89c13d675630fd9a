/* old_kernel: runs a program on what answers like a Linux of before: old_kernel WHAT COMMAND…
 *
 *   wipeonfork   before 4.14: no pages that are zero in a child
 *   populate     before 5.14: no MADV_POPULATE_WRITE
 *   readv        no process_vm_readv, as in many containers
 *   all          all of these, and no getrandom */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WIPEONFORK 18
#define POPULATE_WRITE 23
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Goes on behind the next `n` if the value is not k. */
#define UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))
#define GIVE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

static int filter(int wipe, int populate, int readv, int random) {
    struct sock_filter code[] = {
        LOAD(arch),
        UNLESS(AUDIT_ARCH_X86_64, 13),
        LOAD(nr),
        UNLESS((unsigned)(readv ? SYS_process_vm_readv : 0xffff), 1),
        GIVE(ENOSYS),
        UNLESS((unsigned)(random ? SYS_getrandom : 0xffff), 1),
        GIVE(ENOSYS),
        UNLESS(SYS_madvise, 7),
        LOAD(args[2]),
        UNLESS((unsigned)(wipe ? WIPEONFORK : 0xffff), 1),
        GIVE(EINVAL),
        UNLESS((unsigned)(populate ? POPULATE_WRITE : 0xffff), 1),
        GIVE(EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv) {
    int all = argc > 2 && !strcmp(argv[1], "all");
    if (argc < 3)
        return 2;
    if (filter(all || !strcmp(argv[1], "wipeonfork"), all || !strcmp(argv[1], "populate"),
               all || !strcmp(argv[1], "readv"), all)) {
        perror("old_kernel");
        return 77;
    }
    execvp(argv[2], argv + 2);
    return 127;
}
