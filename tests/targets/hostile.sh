#!/bin/bash
# A hostile producer cannot harm who watches it: whatever it calls itself, its threads, libraries,
# functions and marks is shown as text, in every format and in the live views.
. "$(dirname "$0")/lib.sh"
fresh
export LC_ALL=C.UTF-8
python3=/usr/bin/python3
build hostile_all -rdynamic -I"$here/../../include" -ldl
"$python3" "$here/hostile_name.py" "$TMPDIR/hostile_all" || { not_ok names "not given"; finish; }
evil=$TMPDIR/$'evil\033[41m\a\r<script>\n\xff"name'
library=$TMPDIR/$'lib\033]0;x\a<b>\n\xfe.so'
mv "$TMPDIR/hostile_all" "$evil"
# A function whose name has 64 KiB.
long=$(printf '%65536s' '' | tr ' ' x)
gcc -O1 -g -fno-builtin -fPIC -shared -x c -o "$library" - <<SOURCE || { not_ok "library" "does not build"; finish; }
#include <stdlib.h>
void *longest(size_t n) __asm__("$long");
void *longest(size_t n) { char *p = malloc(n); if (p) p[0] = 1; return p; }
void *grab(size_t n) { char *p = longest(n); if (p) p[1] = 2; return p; }
SOURCE

# shown KIND FILE [NAME]: as hostile.py has it
shown() {
    local said
    if said=$("$python3" "$here/hostile.py" "$1" "$2" 2>&1); then
        ok "${3:-$1}"
    else
        not_ok "${3:-$1}" "$(tail -n 1 <<<"$said")"
    fi
}

# ---- what was recorded ----
"$SQUALL_BIN" run --mode exact -o "$dumps/hostile.squall" -- "$evil" "$library" >"$TMPDIR/out" 2>"$TMPDIR/summary" ||
    not_ok "run" "status $?: $(cat -v "$TMPDIR/summary")"
shown text "$TMPDIR/summary" "what squall run says"
COLUMNS=100 "$SQUALL_BIN" report --color never "$dumps" >"$TMPDIR/out" 2>"$TMPDIR/err"
shown text "$TMPDIR/out" "report"
grep -q 'alert(1)' "$TMPDIR/out" && ok "names are there" || not_ok "names are there" "$(head -c 500 "$TMPDIR/out")"
"$SQUALL_BIN" report --json "$dumps" >"$TMPDIR/out"
shown json "$TMPDIR/out"
for format in html pprof folded speedscope dhat csv jsonl; do
    "$SQUALL_BIN" export --format $format "$dumps" -o "$TMPDIR/out" 2>"$TMPDIR/err" && { shown $format "$TMPDIR/out"; continue; }
    grep -q 'without the page' "$TMPDIR/err" && echo "ok $format # skip built without the page" ||
        not_ok $format "$(cat -v "$TMPDIR/err")"
done
cp "$dumps/hostile.squall" "$TMPDIR/before.squall"
"$SQUALL_BIN" run --mode exact --quiet -o "$TMPDIR/after.squall" -- "$evil" /nonexistent 2>/dev/null
COLUMNS=100 "$SQUALL_BIN" diff --per run "$TMPDIR/before.squall" "$TMPDIR/after.squall" >"$TMPDIR/out" 2>&1
shown text "$TMPDIR/out" "diff"
"$SQUALL_BIN" diff --per run --json "$TMPDIR/before.squall" "$TMPDIR/after.squall" >"$TMPDIR/out" 2>&1
shown json "$TMPDIR/out" "diff in JSON"
"$SQUALL_BIN" check --max-peak 1 "$dumps" >"$TMPDIR/out" 2>&1
shown check "$TMPDIR/out"
# A finding is told with the name of a mark or a codec function.
"$SQUALL_BIN" check --no-finding any "$dumps" >"$TMPDIR/out" 2>&1
grep -q 'made in mark' "$TMPDIR/out" && shown check "$TMPDIR/out" "check of findings" ||
    not_ok "check of findings" "none has the name: $(head -c 500 "$TMPDIR/out" | cat -v)"
"$SQUALL_BIN" merge -o "$TMPDIR/merged" "$TMPDIR/before.squall" "$TMPDIR/after.squall" >/dev/null 2>&1 &&
    "$SQUALL_BIN" report --json "$TMPDIR/merged" >"$TMPDIR/out"
shown json "$TMPDIR/out" "merged"

# ---- and while it runs ----
fresh
mkfifo "$TMPDIR/in"
SQUALL_DIR=$dumps LD_PRELOAD=$SQUALL_LIB "$evil" "$library" wait <"$TMPDIR/in" >"$TMPDIR/said" 2>&1 &
pid=$!
exec 7>"$TMPDIR/in"
until grep -q ready "$TMPDIR/said" || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
export SQUALL_DIR=$dumps COLUMNS=100
"$SQUALL_BIN" ps >"$TMPDIR/out" 2>&1
shown text "$TMPDIR/out" "ps"
"$SQUALL_BIN" ps --json >"$TMPDIR/out"
shown json "$TMPDIR/out" "ps in JSON"
"$SQUALL_BIN" live --count 2 --every 50ms $pid >"$TMPDIR/out" 2>&1
shown live "$TMPDIR/out"
"$SQUALL_BIN" live --json --count 2 --every 50ms $pid >"$TMPDIR/out"
shown jsonl "$TMPDIR/out" "live in JSON"
"$SQUALL_BIN" metrics --once >"$TMPDIR/out" 2>/dev/null
shown metrics "$TMPDIR/out"
"$SQUALL_BIN" snapshot -o "$TMPDIR/snapshot.squall" $pid >"$TMPDIR/out" 2>&1
shown text "$TMPDIR/out" "what squall snapshot says"

if command -v tmux >/dev/null; then
    unset TMUX
    tm() { tmux -u -f /dev/null -S "$TMPDIR/tmux" "$@" 7>&-; }
    trap 'tm kill-server 2>/dev/null' EXIT
    tm new-session -d -x 120 -y 30 "exec env LC_ALL=C.UTF-8 SQUALL_DIR='$dumps' '$SQUALL_BIN' top $pid --every 100ms"
    until tm capture-pane -p | grep -q 'alert(1)'; do sleep 0.05; done
    for key in s t c f p; do
        tm send-keys $key
        until tm capture-pane -p >"$TMPDIR/out" && [ -s "$TMPDIR/out" ]; do sleep 0.05; done
        tm capture-pane -e -p >>"$TMPDIR/colors"
    done
    # Nothing of ours is on red; the title is tmux's own; and no tag was taken for a line's end.
    if grep -q $'\033\\[[0-9;]*41' "$TMPDIR/colors"; then not_ok "top" "escapes came through"
    elif tm display-message -p '#{pane_title}' | grep -qE '^(title|x)$'; then not_ok "top" "the title was set"
    else ok "top"; fi
    tm send-keys q
fi
exec 7>&-
wait $pid
finish
