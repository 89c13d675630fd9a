#!/bin/bash
# A Go producer of zstd batches, as the incident's: watched preloaded (dynamic), from its exec
# (static) and attached to. Exact counts, the right finding in each mode, and nothing harmed.
. "$(dirname "$0")/lib.sh"
need_go
version=$(versions | head -n 1)

# ---- modes: how it is built × what it does ----

for how in stripped static bare static-pie; do
    build "$version" "$how" || { not_ok "$how" "does not build"; continue; }
    words=$(words_of "$how")
    modes="naive made pooled lowmem limited append per-batch"
    case $how in bare | static-pie) modes="naive made pooled" ;; esac
    for mode in $modes; do
        ops=150
        [ "$mode" != per-batch ] || ops=60
        fresh
        watch large:32k -mode "$mode" -g 16 -ops "$ops" -verify ||
            { not_ok "$how-$mode" "exit status $?"; continue; }
        # shellcheck disable=SC2086 # words
        check "$how-$mode" "$mode" $words
    done
done

# ---- more blocks alive than have room at the begin of the hook's table ----

build "$version" static
fresh
GOGC=off watch large:32k -g 32 -ops 2500 -min 33000 -max 34000 && check "many-alive" naive kept ||
    not_ok "many-alive" "exit status $?"

# ---- attach and detach ----

# While it compresses, again and again, until the last one has found what there is; its results are
# right to the end.
attach_and_detach() {
    local pid i
    build "$version" static && fresh || return 1
    "$program" -g 32 -ops 0 -until "$dumps/enough" -verify -report "$dumps/counts" >"$dumps/out" 2>&1 &
    pid=$!
    until grep -qs . "/proc/$pid/maps" && [ "$(find "/proc/$pid/task" -maxdepth 1 2>/dev/null | wc -l)" -gt 4 ]; do
        kill -0 "$pid" 2>/dev/null || return 1
    done
    for i in $(seq "$1"); do
        "$SQUALL_BIN" attach --dir "$dumps" --large 32k "$pid" 2>>"$dumps/said" || break
        "$SQUALL_BIN" report "$dumps" >/dev/null 2>&1
        "$SQUALL_BIN" detach "$pid" 2>>"$dumps/said" || break
    done
    find "$dumps" -name '*.region' -delete # but for the last one's, which sees it to its end
    "$SQUALL_BIN" attach --dir "$dumps" --large 32k "$pid" 2>>"$dumps/said"
    until_found "$pid" output-as-large-as-source
    touch "$dumps/enough"
    wait "$pid" || return 1
    [ "$i" = "$1" ] && [ ! -s "$dumps/out" ] && [ ! -s "$dumps/error" ]
}
if attach_and_detach 10; then
    ok "attach"
    check "attached-naive" naive attached
else
    not_ok "attach" "$(tail -n 2 "$dumps/said" "$dumps/out" "$dumps/error" 2>/dev/null)"
fi

# ---- its own profile, from outside ----

build "$version" static
fresh
"$program" -g 16 -ops 0 >"$dumps/out" 2>&1 &
pid=$!
until [ "$(find "/proc/$pid/task" -maxdepth 1 2>/dev/null | wc -l)" -gt 4 ]; do
    kill -0 "$pid" 2>/dev/null || break
done
"$SQUALL_BIN" attach --dir "$dumps" "$pid" 2>/dev/null
"$SQUALL_BIN" attach --dir "$dumps" "$pid" 2>&1 | grep -q 'the hook is in it already' &&
    ok "attach-twice" || not_ok "attach-twice" "process $pid"
"$SQUALL_BIN" report --json "$pid" 2>/dev/null | grep -q '"state":"running"' &&
    ok "report-running" || not_ok "report-running" "no report of process $pid"
"$SQUALL_BIN" go-profile --seconds 1 --top 1 "$pid" >"$dumps/profile" 2>&1
kill "$pid"
wait "$pid" 2>/dev/null
grep -q 'EncodeAll  encoder.go:' "$dumps/profile" && grep -q 'encode  main.go:' "$dumps/profile" &&
    ok "go-profile" || not_ok "go-profile" "$(head -n 3 "$dumps/profile" | tr '\n' ' ')"

# ---- left alone ----

state_of() { "$SQUALL_BIN" report --json "$dumps" | /usr/bin/python3 -c '
import json, sys
for p in json.load(sys.stdin)["processes"]:
    if p.get("go"):
        print(p["go"]["state"], p["go"]["reason"], p["go"]["entries"])'; }

build "$version" stripped
fresh
watch go:off -ops 20 -verify
[ "$(state_of)" = "off None 0" ] && ok "go-off" || not_ok "go-off" "$(state_of)"

# One byte of mallocgc's entry is other than a compiler's: a nop in place of what it replaces.
"$here/spoil.py" "$program" "$TMPDIR/spoilt" && program=$TMPDIR/spoilt
fresh
if watch large:32k -ops 20 -verify; then
    [ "$(state_of)" = "declined runtime.mallocgc 0" ] && ok "declined" || not_ok "declined" "$(state_of)"
else
    not_ok "declined" "exit status $?"
fi
finish
