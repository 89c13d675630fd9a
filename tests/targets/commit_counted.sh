#!/bin/bash
# Where the kernel counts what is only reserved (vm.overcommit_memory=2) a watched process takes little of it,
# and so does each of its children: else forks and allocations fail for want of what nobody uses. In a mount
# namespace the setting only reads so.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, to mount"; exit 77; }
if [ -z "${IN_NAMESPACE-}" ]; then
    unshare -m true 2>/dev/null || { echo "no namespaces here"; exit 77; }
    exec env IN_NAMESPACE=1 unshare -m --propagation private bash "$0"
fi
cat >"$TMPDIR/sum.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile block;
/* MiB that are private and may be written. */
static long sum(void) {
    char line[5000], flags[8];
    unsigned long low, high, all = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%lx-%lx %7s", &low, &high, flags) == 3 && flags[1] == 'w' && flags[3] == 'p')
            all += high - low;
    if (f)
        fclose(f);
    return (long)(all >> 20);
}
int main(void) {
    for (int i = 0; i < 1000; i++)
        free(block = malloc(100 * (size_t)i));
    printf("%ld\n", sum());
    fflush(stdout);
    pid_t pid = fork();
    for (int i = 0; i < 1000; i++)
        free(block = malloc(100 * (size_t)i));
    if (pid)
        return waitpid(pid, NULL, 0) != pid;
    printf("%ld\n", sum());
    return 0;
}
C
gcc -O1 -fno-builtin "$TMPDIR/sum.c" -o "$TMPDIR/sum" || not_ok sum "does not build"
alone=$("$TMPDIR/sum" | sort -n | tail -n 1)
echo 2 >"$TMPDIR/2"
mount --bind "$TMPDIR/2" /proc/sys/vm/overcommit_memory || { echo "cannot mount"; exit 77; }
for mode in default exact; do
    fresh
    most=$(env SQUALL_DIR="$dumps" SQUALL_CONF=mode:$mode LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/sum" | sort -n | tail -n 1)
    if [ -n "$most" ] && [ $((most - alone)) -le 45 ]; then
        ok "$mode: at most $((most - alone)) MiB more"
    else
        not_ok "$mode" "$most MiB, alone $alone"
    fi
    report "$TMPDIR/json"
    check "$mode: both are recorded" "$TMPDIR/json" <<<'from squall import *
same("allocations", [p["totals"]["allocs"] >= 1000 for p in load(argument(1))], [True, True])'
done
finish
