#!/bin/bash
# squall top, driven as a person does: keys are sent, the screen is read (tmux). On a program of
# several threads and on a librdkafka producer; resized, through exec and the end of its process,
# quit, killed and crashed, which leave the terminal as it was found.
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || { echo "ok top # skip no tmux"; exit 0; }
build busy
build become
fresh
export LC_ALL=C.UTF-8 # tmux asks for it
unset TMUX NO_COLOR COLUMNS LINES

# A server of its own for each session: one that is just ending would take the next one along.
server=0
tm() { tmux -u -f /dev/null -S "$TMPDIR/tmux.$server" "$@" 7>&-; }
trap 'tm kill-server 2>/dev/null' EXIT

# until COMMAND…: waits; the runner's limit ends a test that waits for ever
until_() { until "$@" >/dev/null 2>&1; do sleep 0.05; done; }
screen() { tm capture-pane -p; }
shows() { screen | grep -qE -- "$1"; }
hides() { ! shows "$1"; }
keys() { tm send-keys "$@"; }
asks() { tm display-message -p "$1"; }
asked() { [ "$(asks "$1")" = "$2" ]; }

# under_top [ARGUMENT…]: squall top in a terminal of 80x24, within a shell that notes what the
# terminal was before and after it
under_top() {
    rm -f "$TMPDIR"/stty.* "$TMPDIR/status"
    cat >"$TMPDIR/session" <<SESSION
stty -g >"$TMPDIR/stty.before"
SQUALL_DIR="$dumps" "$SQUALL_BIN" top $* 2>"$TMPDIR/top.err"
echo \$? >"$TMPDIR/status.part"
stty -g >"$TMPDIR/stty.after"
mv "$TMPDIR/status.part" "$TMPDIR/status"
exec sleep 600
SESSION
    tm kill-server 2>/dev/null
    server=$((server + 1))
    tm new-session -d -x 80 -y 24 "exec env ${LOCALE:-LC_ALL=C.UTF-8} bash '$TMPDIR/session'"
}

# left NAME STATUS: top has ended so, and the terminal is as it was
left() {
    until_ test -e "$TMPDIR/status"
    until_ asked '#{alternate_on}' 0
    if [ "$(<"$TMPDIR/status")" != "$2" ]; then
        not_ok "$1" "status $(<"$TMPDIR/status"), expected $2: $(cat "$TMPDIR/top.err")"
    elif ! cmp -s "$TMPDIR/stty.before" "$TMPDIR/stty.after"; then
        not_ok "$1" "stty $(<"$TMPDIR/stty.before") became $(<"$TMPDIR/stty.after")"
    elif [ "$(asks '#{alternate_on}#{cursor_flag}#{keypad_cursor_flag}')" != 010 ]; then
        not_ok "$1" "screen $(asks 'alternate #{alternate_on} cursor #{cursor_flag} keypad #{keypad_cursor_flag}')"
    else
        ok "$1"
    fi
}

# start NAME COMMAND…: under the library, reading descriptor 7, in $pid once it says ready
start() {
    local name=$1
    shift
    rm -f "$TMPDIR/in" && mkfifo "$TMPDIR/in"
    : >"$TMPDIR/said"
    env SQUALL_DIR="$dumps" LD_PRELOAD="$SQUALL_LIB" "$@" <"$TMPDIR/in" >"$TMPDIR/said" 2>&1 &
    pid=$!
    exec 7>"$TMPDIR/in"
    [ "$name" = quiet ] || until_ grep -q ready "$TMPDIR/said"
}

# step NAME KEY… -- PATTERN: after these keys the screen shows that
step() {
    local name=$1
    shift
    while [ "$1" != -- ]; do
        keys "$1"
        shift
    done
    until_ shows "$2"
    ok "$name"
}

top_pid() { pgrep -P "$(asks '#{pane_pid}')"; }

# ---- every view, on a program of several threads ----
start busy "$TMPDIR/busy" 4 2000
under_top "$pid" --every 100ms
step "sites at once" -- 'make_large'
[ "$(asks '#{alternate_on}')" = 1 ] || not_ok "alternate screen" "not used"
step "threads" 3 -- 'busy-3'
step "where a thread allocates" / b u s y - 3 Enter Enter -- 'blocks  make_(small|large)'
keys Escape Escape
step "codec calls" c -- 'no codec call whose arguments'
step "findings" 1 -- 'no findings'
step "sites" s -- 'make_small'
step "filter while typing" / h a n d _ -- 'Filter: hand_'
until_ hides 'realloc|grow_block'
step "filter kept" Enter -- 'Filter: hand_ .*Esc shows'
step "filter dropped" Escape -- 'grow_block'
step "help" '?' -- 'the processes of this machine'
step "help closed" Escape -- 'BYTES/S'
step "sorted by name" '<' '<' Home -- 'BYTES/S'
keys '>' '>'
step "stack of the selected site" / m a k e _ l Enter Enter -- 'busy\.c:[0-9]+'
shows 'make_large' && shows 'work' && shows 'blocks of' || not_ok "stack" "$(screen)"
# What is shown goes on with the process.
blocks() { screen | sed -n 's/.* in \([0-9,]*\) blocks.*/\1/p'; }
before=$(blocks)
until_ eval '[ -n "$(blocks)" ] && [ "$(blocks)" != "$before" ]'
ok "which goes on"
step "back from it" Escape -- 'Filter: make_l'
step "the other rates" Escape r -- 'rates: since start'
step "paused" Space -- 'PAUSED'
step "goes on" Space -- 'default mode .* running *$'
tm resize-window -x 60 -y 20
step "too small a terminal is told" -- 'too small: 60x20, 80x24 is needed'
tm resize-window -x 140 -y 40
step "resized" -- 'rates: since start'
step "the selected site below the table" Home -- '^Site [0-9]+  '
step "names are not torn from their files" Enter -- 'work {1,12}busy\.c:[0-9]+ +busy$'
keys Escape
tm resize-window -x 80 -y 24
step "and back" End -- 'F1Help F3/Filter'
keys q
left "q leaves the terminal as it was" 0

# ---- whatever ends top ----
for signal in TERM INT SEGV USR1; do
    under_top "$pid" --every 100ms
    until_ shows 'make_large'
    kill -$signal "$(top_pid)"
    case $signal in SEGV) want=139 ;; USR1) want=138 ;; *) want=0 ;; esac
    left "SIG$signal leaves the terminal as it was" $want
done

# ---- the end of the process ----
under_top "$pid" --every 100ms
until_ shows 'make_large'
kill -KILL "$pid"
step "its end is told" -- 'has ended without its exit handlers'
step "what it was can be read on" 3 -- 'busy-3'
keys q
left "and left" 0
exec 7>&-
wait "$pid" 2>/dev/null

# ---- exec, and the list ----
start become "$TMPDIR/become"
under_top --every 100ms
step "the list" -- "^ *$pid +default .* become"
step "chosen from it" / b e c o m e Enter Home Enter -- 'allocate_some'
echo fork >&7
until_ grep -q child "$TMPDIR/said"
child=$(sed -n 's/^child //p' "$TMPDIR/said")
step "a child is told" -- "started process $child under squall, too"
step "and listed" p -- "^ *$child +default .* become"
# By its number: which of the two allocates more, and is the first in the list, is not settled.
keys / "$pid"
step "found by its number" -- "^ *$pid +default .* become"
until_ hides "^ *$child "
step "and its parent chosen again" Enter Enter -- "become +pid $pid "
echo exec >&7
step "exec is told" -- 'called exec and is become now'
step "and followed" -- 'allocate_some'
echo end >&7
step "its end, too" -- 'has ended: this is its last state'
step "back to the list" p -- 'Enter chooses one'
until_ hides "^ *$pid "
keys F10
left "F10 leaves the terminal as it was" 0
exec 7>&-
wait "$pid"

# ---- names that would do harm ----
evil=$'evil\033[41m\007\rname'
cp "$TMPDIR/become" "$TMPDIR/$evil"
start become "$TMPDIR/$evil"
under_top --every 100ms
step "a name with escapes is shown as text" -- 'evil.\[41m..name'
tm capture-pane -e -p | grep -q $'\033\\[[0-9;]*41' && not_ok "escapes" "came through"
keys q
left "and nothing else" 0
LOCALE="LC_ALL=C" under_top "$pid" --every 100ms
step "without UTF-8" -- 'allocate_some'
screen | LC_ALL=C grep -q $'[\x80-\xff]' && not_ok "without UTF-8" "$(screen)"
screen | sed -n 2,5p | grep -qF '?' && not_ok "characters that stand in" "$(screen)"
keys q
left "and left, too" 0
exec 7>&-
wait "$pid"

# ---- without a terminal ----
"$SQUALL_BIN" top >"$TMPDIR/out" 2>&1 </dev/null
[ $? = 1 ] && grep -q 'needs a terminal; squall live needs none' "$TMPDIR/out" && ok "needs a terminal" ||
    not_ok "needs a terminal" "$(cat "$TMPDIR/out")"

# ---- a real producer ----
# shellcheck disable=SC2046 # options, to be split
if gcc -O2 -g "$here/../../tools/demo/producer.c" -o "$TMPDIR/producer" -pthread \
    $(pkg-config --cflags --libs rdkafka 2>/dev/null) 2>/dev/null; then
    start quiet "$TMPDIR/producer" 100000000
    until_ sh -c 'ls "$0" | grep -q "squall.$1"' "$dumps" "$pid"
    until_ "$SQUALL_BIN" live "$pid" --count 1
    under_top "$pid" --every 100ms
    # Somebody who would see a signal or a stop, and at the end a signal for him to see.
    strace -f -e trace=none -o "$TMPDIR/trace" -p "$pid" 2>"$TMPDIR/strace.err" 7>&- &
    tracer=$!
    until_ sh -c 'grep -q attached "$0" || ! kill -0 "$1"' "$TMPDIR/strace.err" "$tracer"
    step "producer: codecs" -- 'Codecs +zstd +[0-9.]+ .iB/s → '
    step "producer: the finding" f -- 'batch-buffers'
step "producer: what it says below it" -- '^Finding 1  batch-buffers'
    step "producer: the finding in full" Enter -- 'librdkafka allocates anew for every batch'
    step "producer: codec calls" Escape 4 -- 'ZSTD_compressStream'
step "producer: who makes them" / S t r e a m 2 Enter Enter -- 'calls? by [0-9]+ threads?'
keys Escape Escape
    step "producer: threads" t -- 'rdk:broker'
    "$SQUALL_BIN" live "$pid" --json --every 100ms --count 10 >"$TMPDIR/live" 7>&- || not_ok "producer: live" "status $?"
    if kill -0 "$tracer" 2>/dev/null; then
        kill -CONT "$pid"
        until_ grep -q SIGCONT "$TMPDIR/trace"
        kill "$tracer"
        seen=$(grep -E -- '--- SIG|stopped|killed' "$TMPDIR/trace" | grep -v SIGCONT | head -n 1)
        [ -z "$seen" ] && ok "producer: no signal, no stop" || not_ok "producer: no signal, no stop" "$seen"
    else
        echo "ok producer: no signal, no stop # skip strace may not trace here"
    fi
    keys q
    left "producer: left" 0
    kill "$pid"
    exec 7>&-
    wait "$pid" 2>/dev/null
else
    echo "ok producer # skip no librdkafka"
fi
finish
