#!/bin/bash
# danger: ptrace: strace -f from the start and attached; gdb to a breakpoint, a call of malloc, detach, attach
# program: worker worker.c
# needs: gdb strace
# allocators: glibc jemalloc
# deadline: 60
set -u
worker=$DANGER_BIN/worker

# gdb's own lines differ in addresses and in the names of frames of libraries
gdb_says() { grep -aoE '^(Breakpoint 1, main|#[0-9]+ .*main|\$[0-9]+ = (1|7|0)|\[Inferior .* exited with code [0-9]+\]|child 3|worked)' |
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
print ((void *(*)(unsigned long))malloc)(10) != 0
print ((void *(*)(unsigned long))malloc)(300000) != 0
tbreak danger_churn
continue
print ((void *(*)(unsigned long, unsigned long))calloc)(100, 1000) != 0
finish
continue
END
setting=${WRAP#env}
for word in $setting; do
    echo "set environment ${word%%=*} ${word#*=}"
done >environment
gdb -nx -batch -x environment -x commands "$worker" 2>&1 </dev/null | gdb_says

# Attached twice, between two lines that the program waits for.
mkfifo in out
$WRAP "$worker" wait <in >out &
pid=$!
exec 3>in 4<out
read -r line <&4
echo "$line"
gdb -nx -batch -ex 'set debuginfod enabled off' -p "$pid" \
    -ex 'print ((void *(*)(unsigned long))malloc)(200000) != 0' -ex detach 2>&1 </dev/null | gdb_says
strace -f -qq -o trace.attached -p "$pid" &
tracer=$!
until grep -q '^TracerPid:.[1-9]' /proc/$pid/status 2>/dev/null; do :; done
echo >&3
read -r line <&4
echo "$line"
kill -INT $tracer
wait $tracer
gdb -nx -batch -ex 'set debuginfod enabled off' -p "$pid" -ex 'print 3 + 4' -ex detach 2>&1 </dev/null | gdb_says
echo >&3
cat <&4
wait "$pid"
echo "attached: $?"
