#!/bin/bash
# A region that changes under its readers' feet (cut, written over, lengthened, replaced) is an error or
# a report, never the end of the reader by a signal, and never a wait without end. The same for what is
# given as a file and is none.
. "$(dirname "$0")/lib.sh"
build busy
build spoiler -I"$here/../../include"
fresh
export SQUALL_DIR=$dumps
"$TMPDIR/busy" 1 1 </dev/null >/dev/null 2>&1 # warm
echo | under "region:4m" "$TMPDIR/busy" 2 50 >/dev/null 2>&1
template=$TMPDIR/template
mv "$dumps"/squall.*.region "$template" || { not_ok "record" "no region"; finish; }
mkfifo "$TMPDIR/in"
"$TMPDIR/spoiler" "$template" "$dumps" <"$TMPDIR/in" >"$TMPDIR/said" 2>&1 &
pid=$!
exec 7>"$TMPDIR/in"
until grep -q region "$TMPDIR/said" || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
region=$(<"$TMPDIR/said")

# ends NAME COMMAND…: squall, again and again, ends by itself within the deadline
ends() {
    local name=$1 status good=0
    shift
    for _ in $(seq "${ROUNDS:-8}"); do
        timeout 60 "$SQUALL_BIN" "$@" >"$TMPDIR/out" 2>"$TMPDIR/err"
        status=$?
        if [ "$status" -gt 2 ]; then
            not_ok "$name" "status $status: $(tail -n 1 "$TMPDIR/err")"
            return
        fi
        [ "$status" -gt 0 ] && ! grep -q '^squall: ' "$TMPDIR/err" &&
            { not_ok "$name" "status $status without a word"; return; }
        [ "$status" = 0 ] && good=$((good + 1))
    done
    ok "$name ($good of ${ROUNDS:-8} times it could be read)"
}

if command -v tmux >/dev/null; then
    unset TMUX
    tm() { tmux -u -f /dev/null -S "$TMPDIR/tmux" "$@" 7>&-; }
    trap 'tm kill-server 2>/dev/null' EXIT
    tm new-session -d -x 100 -y 30 "env LC_ALL=C.UTF-8 SQUALL_DIR='$dumps' '$SQUALL_BIN' top --every 100ms 2>'$TMPDIR/top.err'; echo \$? >'$TMPDIR/top.status'"
fi
ends report report --json "$region"
ends "report in text" report "$region"
ends "report of the process" report $pid
ends "report of the folder" report --json "$dumps"
ends export export --format pprof -o "$TMPDIR/pprof" "$region"
ends snapshot snapshot -o "$TMPDIR/snapshot.squall" $pid
ends pack pack --keep --quiet -o "$TMPDIR/packed.squall" "$region"
ends merge merge -o "$TMPDIR/merged.squall" "$region" "$template"
ends diff diff --per run "$template" "$region"
ends check check --max-peak 1t "$region"
ROUNDS=4 ends live live --count 5 --every 20ms $pid
ROUNDS=4 ends ps ps
ROUNDS=4 ends metrics metrics --once
ROUNDS=4 ends "clean, of what is younger" clean --older 1d --dry-run "$dumps"
if command -v tmux >/dev/null; then
    tm send-keys q
    until [ -s "$TMPDIR/top.status" ]; do
        tm send-keys q
        sleep 0.05
    done
    [ "$(<"$TMPDIR/top.status")" -le 2 ] && ok top || not_ok top "status $(<"$TMPDIR/top.status"): $(cat "$TMPDIR/top.err")"
fi
kill -0 $pid 2>/dev/null || not_ok spoiler "it ended: $(cat "$TMPDIR/said")"
exec 7>&-
wait $pid

# ---- what is no file, or claims to be more than it is ----
# refuses NAME FILE: each command says why, soon
refuses() {
    local command status
    for command in "report --json" "export --format csv" "check --max-peak 1" "pack --keep -o $TMPDIR/p" "merge -o $TMPDIR/m"; do
        # shellcheck disable=SC2086 # words
        (ulimit -v 4000000 && timeout 60 "$SQUALL_BIN" $command "$2") >"$TMPDIR/out" 2>"$TMPDIR/err"
        status=$?
        if [ "$status" != 1 ] && [ "$status" != 2 ] || ! grep -q '^squall: ' "$TMPDIR/err"; then
            not_ok "$1" "$command: status $status: $(cat "$TMPDIR/err")"
            return
        fi
    done
    ok "$1"
}
mkfifo "$TMPDIR/fifo"
refuses "a FIFO" "$TMPDIR/fifo"
refuses "a device" /dev/zero
truncate -s 1T "$TMPDIR/sparse" && refuses "a terabyte of nothing" "$TMPDIR/sparse"
cp --sparse=always "$template" "$TMPDIR/huge"
truncate -s 1T "$TMPDIR/huge"
/usr/bin/python3 - "$TMPDIR/huge" <<'P'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(32)
    f.write(struct.pack("<Q", 1 << 40))  # bound
    for table in (0, 6, 17):             # threads, cells, ticks: billions of rows
        f.seek(2048 + 48 * table + 8)
        offset = (1 << 38) + (table << 32) & ~4095
        f.write(struct.pack("<QQQQ", offset, 1 << 24, 1 << 24, 1 << 24))
P
refuses "a terabyte of rows that nobody wrote" "$TMPDIR/huge"
printf 'SQUALLDP\1\0\0\0\4\3\2\1' >"$TMPDIR/dump" && truncate -s 1T "$TMPDIR/dump"
refuses "a dump of a terabyte" "$TMPDIR/dump"
rm -f "$TMPDIR/sparse" "$TMPDIR/huge" "$TMPDIR/dump"
finish
