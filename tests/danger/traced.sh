#!/bin/bash
# danger: ptrace: strace -f from the start and attached; gdb to a breakpoint, a call of malloc, detach, attach
# program: worker worker.c
# needs: gdb strace
# allocators: glibc jemalloc (tracers do not look at the allocator)
# deadline: 60
set -u
worker=$DANGER_BIN/worker

# A call that returns to _start, where the registers are put back. gdb's own `print malloc(10)` writes
# the vector registers back, too, which gdb before 14 cannot on a processor with AMX (EFAULT), and it
# leaves the program on its way into the call; any call clobbers those.
cat >by_hand.py <<'END'
import gdb

def number(what):
    return int(gdb.parse_and_eval(f'(unsigned long) {what}'))

def put(registers):
    for name, value in registers.items():
        gdb.execute(f'set ${name} = {value}')

def by_hand(function, first, second=0):
    kept = {name: number('$' + name) for name in
            'rsp rax rcx rdx rsi rdi r8 r9 r10 r11 rip orig_rax'.split()}
    back, stack = number('&_start'), (kept['rsp'] - 256) // 16 * 16 - 8
    gdb.execute(f'set *(unsigned long *) {stack} = {back}')
    put({'rsp': stack, 'rdi': first, 'rsi': second, 'rip': number('&' + function), 'orig_rax': -1})
    gdb.execute(f'tbreak *{back}')
    gdb.execute('continue')
    gdb.execute(f'print $rax != 0 && (unsigned long) $rip == {back}')
    put(kept)
END

# gdb's own lines differ in addresses and in the names of frames of libraries. Of the calls, $1 must succeed.
gdb_says() {
    gdb_lines >said
    cat said
    [ "$(grep -c '= 1$' said)" = "$1" ] || { echo "not $1 calls by gdb" >&2; exit 1; }
}
gdb_lines() { grep -aoE '^(Breakpoint 1, main|#[0-9]+ .*main|\$[0-9]+ = (1|7|0)|\[Inferior .* exited with code [0-9]+\]|child 3|worked)' |
    sed -E 's/0x[0-9a-f]+ in //; s/process [0-9]+/process/; s/\(argc.*//'; }

strace -f -qq -o trace $WRAP "$worker"
echo "strace -f: $?"

cat >commands <<'END'
set confirm off
set pagination off
set startup-with-shell off
set debuginfod enabled off
break main
run
backtrace 1
delete
python by_hand('malloc', 10)
python by_hand('malloc', 300000)
tbreak danger_churn
continue
python by_hand('calloc', 100, 1000)
finish
continue
END
setting=${WRAP#env}
for word in $setting; do
    echo "set environment ${word%%=*} ${word#*=}"
done >environment
gdb -nx -batch -x by_hand.py -x environment -x commands "$worker" 2>&1 </dev/null | gdb_says 3 || exit

# Attached twice, between two lines that the program waits for.
mkfifo in out
$WRAP "$worker" wait <in >out &
pid=$!
exec 3>in 4<out
read -r line <&4
echo "$line"
gdb -nx -batch -ex 'set debuginfod enabled off' -x by_hand.py -p "$pid" \
    -ex "python by_hand('malloc', 200000)" -ex detach 2>&1 </dev/null | gdb_says 1 || exit
strace -f -qq -o trace.attached -p "$pid" &
tracer=$!
until grep -q '^TracerPid:.[1-9]' /proc/$pid/status 2>/dev/null; do :; done
echo >&3
read -r line <&4
echo "$line"
kill -INT $tracer
wait $tracer
gdb -nx -batch -ex 'set debuginfod enabled off' -p "$pid" -ex 'print 3 + 4' -ex detach 2>&1 </dev/null | gdb_says 0 || exit
echo >&3
cat <&4
wait "$pid"
echo "attached: $?"
