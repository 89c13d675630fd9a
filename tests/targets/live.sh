#!/bin/bash
# Processes that run are found, wherever they are, and followed through fork, exec and their end; and
# none of it reaches them: no signal, no ptrace stop.
. "$(dirname "$0")/lib.sh"
build become
unset XDG_RUNTIME_DIR
fresh

# begin NAME [COMMAND…]: starts the target (under COMMAND), its number in $pid; it reads descriptor
# 7, and what it says is in $TMPDIR/NAME.said
begin() {
    local name=$1
    shift
    rm -f "$TMPDIR/$name.in" && mkfifo "$TMPDIR/$name.in"
    : >"$TMPDIR/$name.said"
    "$@" env SQUALL_DIR="$dumps" LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/become" \
        <"$TMPDIR/$name.in" >"$TMPDIR/$name.said" &
    started=$!
    exec 7>"$TMPDIR/$name.in"
    wait_for grep -q ready "$TMPDIR/$name.said"
    pid=$(sed -n 's/^ready //p;q' "$TMPDIR/$name.said")
}

# wait_for COMMAND…: until it succeeds; the runner's limit ends a test that waits for ever
wait_for() {
    until "$@" >/dev/null 2>&1; do sleep 0.02; done
}

# said COUNT EVENT FILE: at least COUNT objects with this event
said() {
    [ "$(grep -c "\"event\":$2" "$3")" -ge "$1" ]
}

pids() { "$SQUALL_BIN" ps --no-findings 2>/dev/null | awk '{ print $1 }'; }
ps_has() { SQUALL_DIR=${2-$dumps} pids | grep -qx "$1"; }

# ---- found once, whatever SQUALL_DIR says ----
begin first
ps_has "$pid" && ps_has "$pid" "$TMPDIR" && ok "ps lists it, also from another folder" ||
    not_ok "ps" "does not list $pid"
echo fork >&7
wait_for grep -q child "$TMPDIR/first.said"
child=$(sed -n 's/^child //p' "$TMPDIR/first.said")
wait_for ps_has "$child"
"$SQUALL_BIN" live "$pid" --every 50ms >/dev/null 2>"$TMPDIR/live.err" &
live=$!
told() { grep -qE "started (process [0-9]+|[0-9]+ processes) under squall, too" "$TMPDIR/live.err"; }
until told; do # the first may come before live does
    echo fork >&7
    sleep 0.2
done
ok "live tells of children"
kill "$live"
wait "$live" 2>/dev/null
ps_has "$pid" && ps_has "$child" &&
    ok "a child is a process of its own" || not_ok "ps of a child" "not two lines"

# ---- followed through exec, then without squall, then to its end ----
"$SQUALL_BIN" live "$pid" --json --every 50ms >"$TMPDIR/live" 2>"$TMPDIR/live.err" &
live=$!
wait_for said 3 null "$TMPDIR/live"
echo exec >&7
wait_for said 1 '"followed"' "$TMPDIR/live"
[ "$(pids | grep -cx "$pid")" = 1 ] &&
    ok "listed once after exec" || not_ok "ps after exec" "not one line"
early=$(grep -c '"event":"alone"' "$TMPDIR/live") # where its region was late
echo alone >&7
wait_for said $((early + 1)) '"alone"' "$TMPDIR/live"
kill "$pid"
wait "$live" && ok "live ends with its process" || not_ok "live" "status $?"
check "live tells what happened" "$TMPDIR/live" <<'P'
import json
from squall import *
lines = [json.loads(l) for l in open(argument(1))]
events = [l["event"] for l in lines if l["event"]]
if events[0] == "alone": # exec was seen before the region of what it became
    events[0] = "replaced"
same("events", events, ["replaced", "followed", "alone", "ended"])
parts, part = [], []
for l in lines:
    if l["event"] == "followed":
        parts.append(part)
        part = []
    part.append(l)
parts.append(part)
for part in parts:
    for key in ("allocs", "frees", "bytes", "freed_bytes", "live_bytes"):
        grew = sum(l["difference"][key] for l in part[1:])
        same(f"{key} of differences", grew, part[-1]["totals"][key] - part[0]["totals"][key])
    if any(l["difference"][k] < 0 for l in part for k in ("allocs", "frees", "bytes")):
        raise SystemExit("a sum that shrank")
same("state at the end", lines[-1]["state"], "replaced")
same("sites", bool(parts[0][-1]["sites"][0]["difference"]["bytes"] or parts[0][-2]["sites"]), True)
P
exec 7>&-
wait "$started" 2>/dev/null

# ---- how it ended ----
for how in end die; do
    begin "$how"
    "$SQUALL_BIN" live "$pid" --json --every 50ms >"$TMPDIR/live.$how" 2>&1 &
    live=$!
    wait_for said 2 null "$TMPDIR/live.$how"
    echo $how >&7
    wait "$live" || not_ok "live until $how" "status $?"
    [ $how = end ] && want=ended || want=died
    tail -n 1 "$TMPDIR/live.$how" | grep -q "\"state\":\"$want\",\"event\":\"ended\"" &&
        ok "$want is told" || not_ok "$want" "the last line is $(tail -n 1 "$TMPDIR/live.$how" | cut -c1-200)"
    exec 7>&-
    wait "$started" 2>/dev/null
done

# ---- nothing reaches the process ----
if strace -o "$TMPDIR/probe" true 2>/dev/null; then
    begin traced strace -f -o "$TMPDIR/trace" -e trace=none
    "$SQUALL_BIN" live "$pid" --json --every 20ms --count 40 >/dev/null || not_ok "live" "status $?"
    "$SQUALL_BIN" snapshot "$pid" --quiet -o "$TMPDIR/traced.squall" || not_ok "snapshot" "status $?"
    "$SQUALL_BIN" ps >/dev/null 2>&1 || not_ok "ps" "status $?"
    echo end >&7
    exec 7>&-
    wait "$started"
    # strace tells signals and stops; the shim sends none either
    if grep -qE -- '--- SIG|stopped' "$TMPDIR/trace"; then
        not_ok "no signal, no stop" "$(grep -E -- '--- SIG|stopped' "$TMPDIR/trace" | head -n 1)"
    elif ! grep -q 'exited with 0' "$TMPDIR/trace"; then
        not_ok "no signal, no stop" "strace saw nothing"
    else
        ok "no signal, no stop"
    fi
else
    echo "ok no signal, no stop # skip strace may not trace here"
fi

# ---- in another mount namespace, of another user ----
if unshare -m true 2>/dev/null; then
    begin unshared unshare -m sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$dumps"
    compgen -G "$dumps/*.$pid.*" >/dev/null && not_ok "mount namespace" "its folder is visible"
    ps_has "$pid" && "$SQUALL_BIN" live "$pid" --count 1 >"$TMPDIR/out" 2>&1 &&
        ok "found in another mount namespace" || not_ok "mount namespace" "$(cat "$TMPDIR/out")"
    echo end >&7
    exec 7>&-
    wait "$started" 2>/dev/null
    # Its program is a file that only it sees.
    mkdir "$TMPDIR/inside"
    # shellcheck disable=SC2016 # expanded by the inner shell
    begin hidden unshare -m bash -c 'mount -t tmpfs none "$0" && cp "${@: -1}" "$0/become" &&
        exec "${@:1:$#-1}" "$0/become"' "$TMPDIR/inside"
    [ ! -e "$TMPDIR/inside/become" ] && "$SQUALL_BIN" report "$pid" >"$TMPDIR/out" 2>&1 &&
        grep -q 'allocate_some' "$TMPDIR/out" &&
        ok "report names what only the process sees" || not_ok "report below its root" "$(tail -n 1 "$TMPDIR/out")"
    echo end >&7
    exec 7>&-
    wait "$started" 2>/dev/null
    # Nowhere to write: a region that has no name anywhere.
    # shellcheck disable=SC2016 # expanded by the inner shell
    begin nameless unshare -m sh -c 'for d in /tmp /dev/shm "$0"; do
        mount --bind $d $d && mount -o remount,ro,bind $d || exit 99; done; exec "$@"' "$dumps"
    "$SQUALL_BIN" ps --json 2>/dev/null | grep -q "\"pid\":$pid,[^}]*\"region\":\"/memfd:squall" &&
        "$SQUALL_BIN" snapshot "$pid" --quiet -o "$TMPDIR/nameless.squall" &&
        "$SQUALL_BIN" report "$TMPDIR/nameless.squall" | grep -q 'allocate_some' &&
        ok "found without a file, and named" || not_ok "memfd" "$("$SQUALL_BIN" ps --json 2>&1)"
    echo end >&7
    exec 7>&-
    wait "$started" 2>/dev/null
else
    echo "ok found in another mount namespace # skip no namespaces here"
    echo "ok report names what only the process sees # skip no namespaces here"
    echo "ok found without a file # skip no namespaces here"
fi
if unshare -mpf --mount-proc true 2>/dev/null; then
    begin inner unshare -mpf --mount-proc
    "$SQUALL_BIN" ps --json 2>/dev/null | grep -q "\"inner_pid\":1,[^}]*\"exe\":\"$TMPDIR/become\"" && [ "$pid" = 1 ] &&
        ok "found in another process namespace" || not_ok "process namespace" "$("$SQUALL_BIN" ps --json 2>&1)"
    echo end >&7
    exec 7>&-
    wait "$started" 2>/dev/null
else
    echo "ok found in another process namespace # skip no namespaces here"
fi
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
    begin rooted
    public
    install -m 755 "$SQUALL_BIN" "$TMPDIR/squall"
    setpriv --reuid 65534 --clear-groups "$TMPDIR/squall" ps >"$TMPDIR/out" 2>&1
    grep -q 'permission denied (root sees them)' "$TMPDIR/out" && ! grep -qw "$pid" "$TMPDIR/out" &&
        ok "another user is told what is closed" || not_ok "another user" "$(tail -n 1 "$TMPDIR/out")"
    setpriv --reuid 65534 --clear-groups "$TMPDIR/squall" live "$pid" >"$TMPDIR/out" 2>&1
    [ $? = 2 ] && grep -q 'cannot be examined: Permission denied' "$TMPDIR/out" &&
        ok "and live says so" || not_ok "live of another user" "$(cat "$TMPDIR/out")"
    echo end >&7
    exec 7>&-
    wait "$started" 2>/dev/null
else
    echo "ok another user is told what is closed # skip needs root"
fi
finish
