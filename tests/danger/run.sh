#!/bin/bash
# The table of dangers: small programs, each of which does one thing that a preloaded library may
# trip over. Each is run alone over each allocator, then under squall in both modes: it must print the
# same, end the same, within its deadline, and leave dumps that `squall report` reads and in which
# no number is impossible. Prints a line for each danger, mode and allocator.
#
#   tests/danger/run.sh [-a ALLOCATORS] [-m MODES] [-r TIMES] [-o TABLE.md] [NAME…]
#
#   -a  glibc jemalloc tcmalloc mimalloc (all four by default), in one word
#   -m  default exact (both by default)
#   -r  runs each so many times under squall, to hunt what happens rarely
#   -o  writes the table in Markdown as well, into a page of docs/ where that has a place for it
#
# README.md in this folder tells how a danger is written down.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lib=$(realpath "${SQUALL_LIB:-$root/build/libsquall.so}")
bin=$(realpath "${SQUALL_BIN:-$root/build/squall}")
allocators="glibc jemalloc tcmalloc mimalloc" modes="default exact" times=1 table=""
export LC_ALL=C SQUALL_BIN=$bin
unset SQUALL_CONF SQUALL_DIR SQUALL_RUN_ID LD_PRELOAD
ulimit -c 0

declare -A LIBRARY=(
    [glibc]=""
    [jemalloc]=libjemalloc.so.2
    [tcmalloc]=libtcmalloc_minimal.so.4
    [mimalloc]=libmimalloc.so.2.0
)

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# ---- what a danger says of itself ----

# The values of the lines `KEY: VALUE` in the comment that opens file $1.
told() { sed -nE '1,40{s, +\*/$,,;s,^[/*# ]*'"$2"': +(.*[^ ]) *$,\1,p}' "$1"; }
told_or() {
    local value
    value=$(told "$1" "$2")
    echo "${value:-$3}"
}

# What of $1 (the words of a `needs` line) is not here.
lacking() {
    local what
    for what in $1; do
        case $what in
        root) [ "$(id -u)" = 0 ] || echo root ;;
        /*) [ -e "$what" ] || echo "$what" ;;
        *.so*) ldconfig -p 2>/dev/null | grep -q "$what" || echo "$what" ;;
        *) command -v "$what" >/dev/null || echo "$what" ;;
        esac
    done
}

# Compiles one file of src/, or a danger, to $2.
compile() {
    local source=$1 output=$2 compiler=gcc
    shift 2
    [[ $source == *.cc ]] && compiler=g++
    # shellcheck disable=SC2016 # the loader's own
    "$compiler" -O1 -g -Wall -Wextra -D_GNU_SOURCE -fno-builtin -pthread -I"$here/src" \
        "$source" -o "$output" -Wl,-rpath,'$ORIGIN' "$@"
}

# Builds danger $1 and what it wants beside it; the words of the lines are meant to be split.
build() {
    local file=$1 line words
    while read -ra words; do
        [ ${#words[@]} -gt 1 ] || continue
        compile "$here/src/${words[1]}" "$DANGER_BIN/${words[0]}" -shared -fPIC "${words[@]:2}" || return 1
    done < <(told "$file" library)
    while read -ra words; do
        [ ${#words[@]} -gt 1 ] || continue
        compile "$here/src/${words[1]}" "$DANGER_BIN/${words[0]}" "${words[@]:2}" || return 1
    done < <(told "$file" program)
    line=$(told "$file" build)
    # shellcheck disable=SC2016 # as it stands in the file
    line=${line//'$DANGER_BIN'/"$DANGER_BIN"}
    [[ $file == *.sh ]] || compile "$file" "$DANGER_BIN/$(basename "${file%.*}")" ${line:+$line}
}

# ---- one run ----

# Runs danger $1 with the words of $3 in front of its program; leaves $2.{stdout,stderr,status}.
run() {
    local file=$1 out=$2 wrap=$3 deadline=$4 command
    mkdir -p "$out.cwd"
    if [[ $file == *.sh ]]; then
        command=(env "WRAP=$wrap" bash "$file")
    else
        # shellcheck disable=SC2206 # words
        command=($wrap "$DANGER_BIN/$(basename "${file%.*}")")
    fi
    (cd "$out.cwd" && TMPDIR=$out.cwd exec timeout -s KILL "$deadline" "${command[@]}") \
        >"$out.stdout" 2>"$out.stderr.all" </dev/null &
    { wait $!; } 2>/dev/null # without bash's word about a signal
    echo $? >"$out.status"
    # Squall may say one line; addresses are not the same in two runs of one program.
    grep -av '^squall: ' "$out.stderr.all" | sed -E 's/0x[0-9a-fA-F]+/0x/g' >"$out.stderr"
    chmod -R u+rwX "$out.cwd" 2>/dev/null
    rm -rf "$out.cwd"
}

# Says in what run $2 is not as run $1 was.
difference() {
    local was now stream
    was=$(<"$1.status") now=$(<"$2.status")
    if [ "$now" = 137 ] && [ "$was" != 137 ]; then
        echo "killed, perhaps because there was no end (it was $was); "
    elif [ "$was" != "$now" ]; then
        echo "exit status $now, was $was: $(tail -n 2 "$2.stderr.all" | tr '\n' ' '); "
    fi
    for stream in stdout stderr; do
        cmp -s "$1.$stream" "$2.$stream" ||
            echo "other $stream: $(diff "$1.$stream" "$2.$stream" | grep -a '^[<>]' |
                head -n 4 | tr '\n' ' ' | cut -c1-300); "
    done
    [ "$(grep -ac '^squall: ' "$2.stderr.all")" -le "$(told_or "$file" lines 1)" ] ||
        echo "more than one line of squall's: $(grep -a '^squall: ' "$2.stderr.all" | head -n 3); "
}

# The danger in $file over one allocator in one mode, beside its reference in $plain.
check_mode() {
    local mode=$1 preload=$2 out=$3 why dumps="" i conf
    conf=$(told "$file" conf)
    for ((i = 0; i < times; i++)); do
        dumps=$out.dumps.$i
        mkdir -m "$(told_or "$file" folder 700)" "$dumps"
        run "$file" "$out" "env LD_PRELOAD=$lib${preload:+:$preload} SQUALL_DIR=$dumps \
SQUALL_CONF=mode:$mode${conf:+,$conf}" "$deadline"
        why=$(difference "$plain" "$out")
        "$bin" report --json "$dumps" >"$out.json" 2>"$out.json.error" ||
            why+="no report: $(head -n 1 "$out.json.error"); "
        why+=$(/usr/bin/python3 "$here/sane.py" "$out.json" \
            "$(told_or "$file" processes 1)" "$(told "$file" allow)" 2>&1)
        [ -z "$why" ] || break
        rm -rf "$dumps"
    done
    [ -z "$why" ] && return
    [ -z "${KEEP:-}" ] || cp -r "$dumps" "$out".* "$KEEP"/
    tr '\n' ' ' <<<"$why"
}

# One danger over all allocators in all modes; prints the lines.
check() {
    local name=$1 file allocator mode only plain why deadline lack
    file=$(compgen -G "$here/$name.*" | grep -E '\.(c|cc|sh)$' | head -n 1)
    [ -n "$file" ] || { echo "not ok $name: no such danger"; return; }
    [ -n "$(told "$file" danger)" ] || { echo "not ok $name: has no line 'danger:'"; return; }
    export DANGER_BIN=$all/$name
    mkdir -p "$DANGER_BIN"
    deadline=${DEADLINE:-$(told_or "$file" deadline 30)}
    only=$(told_or "$file" allocators "glibc jemalloc tcmalloc mimalloc")
    lack=$(lacking "$(told "$file" needs)" | tr '\n' ' ')
    if [ -z "$lack" ] && ! build "$file" >"$DANGER_BIN/log" 2>&1; then
        echo "not ok $name: does not build: $(grep -m 1 -a error "$DANGER_BIN/log")"
        return
    fi
    for allocator in $allocators; do
        plain=$all/$name/$allocator.plain why=""
        if [ -n "$lack" ]; then
            why="needs $lack"
        elif [[ " ${only%%(*} " != *" $allocator "* ]]; then
            why="not over this allocator"
        else
            # Once more where it did not end in time: the machine may have been slow, and some hang by
            # themselves now and then.
            for _ in 1 2 3; do
                run "$file" "$plain" "env ${LIBRARY[$allocator]:+LD_PRELOAD=${LIBRARY[$allocator]}}" "$deadline"
                [ "$(<"$plain.status")" = 137 ] || break
            done
            [ "$(<"$plain.status")" = "$(told_or "$file" ends 0)" ] ||
                why="ends with $(<"$plain.status") without squall: $(tail -n 1 "$plain.stderr.all")"
            [ "$allocator" != glibc ] || [ -z "$why" ] || { echo "not ok $name: $why"; continue; }
        fi
        for mode in $modes; do
            if [ -n "$why" ] && [ -n "${ALL:-}" ] && [ -n "$lack" ]; then
                echo "not ok $name $mode $allocator: $why"
            elif [ -n "$why" ]; then
                [ "$why" = "not over this allocator" ] || echo "ok $name $mode $allocator # skip $why"
            else
                why=$(check_mode "$mode" "${LIBRARY[$allocator]}" "$all/$name/$allocator.$mode")
                [ -z "$why" ] && echo "ok $name $mode $allocator" ||
                    echo "not ok $name $mode $allocator: $why"
                why=""
            fi
        done
    done
    rm -rf "$DANGER_BIN"
}

# ---- all of them ----

while getopts a:m:r:o: option; do
    case $option in
    a) allocators=$OPTARG ;;
    m) modes=$OPTARG ;;
    r) times=$OPTARG ;;
    o) table=$(realpath "$OPTARG") ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
if [ $# = 0 ]; then
    mapfile -t names < <(find "$here" -maxdepth 1 \( -name '*.c' -o -name '*.cc' -o -name '*.sh' \) \
        ! -name run.sh -printf '%f\n' | sed 's/\.[a-z]*$//' | sort)
    set -- "${names[@]}"
fi
all=$(mktemp -d) || exit 1
chmod 755 "$all"
trap 'chmod -R u+rwX "$all" 2>/dev/null; rm -rf "$all"' EXIT

for name; do
    [ "$(jobs -rp | wc -l)" -lt "${JOBS:-2}" ] || wait -n
    check "$name" >"$all/$name.lines" &
    [ $# -gt 1 ] || wait
done
wait
for name; do
    cat "$all/$name.lines"
done | tee "$all/lines"
[ -z "$table" ] || /usr/bin/python3 "$here/table.py" "$here" "$all/lines" "$allocators" "$modes" "$table"
! grep -aq '^not ok' "$all/lines"
