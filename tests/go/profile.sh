#!/bin/bash
# squall go-profile: what it shows is what the program's own profile says, the rate is put back, and
# what it cannot read it leaves alone. VERSIONS: of which Go (the oldest there).
. "$(dirname "$0")/lib.sh"
need_go
number() { sed "s/.*\"$1\":\([0-9]*\).*/\1/" counts; }

# The program ends by itself only when the rate is what it was.
compare() { # NAME
    local name=$1 pid look n
    rm -f counts counts.ready
    "$program" -report counts &
    pid=$!
    until [ -e counts.ready ]; do kill -0 "$pid" 2>/dev/null || break; done
    "$SQUALL_BIN" go-profile --seconds 3600 --rate 4k "$pid" >shown 2>&1 &
    look=$!
    until [ -e counts ]; do kill -0 "$pid" 2>/dev/null && kill -0 "$look" 2>/dev/null || break; done
    kill -INT "$look" # it has seen enough
    wait "$look" || { not_ok "$name" "exit status $?: $(tail -n 1 shown)"; kill "$pid"; return; }
    wait "$pid" || { not_ok "$name" "the program: exit status $?"; return; }
    n=$(number blocks)
    [ "$(number rate)" = 4096 ] && [ "$n" -gt 40 ] && [ "$(number bytes)" = $((n << 20)) ] ||
        { not_ok "$name" "its own: $(<counts)"; return; }
    grep -q "^ *[0-9]* ~$n.0 MiB in ~$n blocks · ~$(($(number freed) >> 20)).0 MiB freed" shown &&
        grep -q 'main.allocateLarge  main.go:' shown ||
        { not_ok "$name" "$n blocks, shown: $(sed -n 3p shown)"; return; }
    # An estimate, of 8,000 samples: 300,000 blocks, to some percent.
    /usr/bin/python3 -c 'import re, sys
shown = open("shown").read().split("\n\n")
place = next(p for p in shown if "allocateSmall" in p)
n = int(re.search(r"in ~([\d,]+) blocks", place).group(1).replace(",", ""))
sys.exit(not 270000 < n < 330000)' || { not_ok "$name" "small ones: $(grep -B2 allocateSmall shown)"; return; }
    ok "$name"
}

# Again and again while it compresses; then its results were right to the end.
under_load() { # NAME
    local name=$1 pid look i
    "$program" -g 16 -ops 300 -verify -report "$TMPDIR/load" >out 2>&1 &
    pid=$!
    for i in 1 2 3 4 5 6 7 8 9 10; do
        "$SQUALL_BIN" go-profile --seconds 3600 "$pid" >shown 2>said &
        look=$!
        until grep -qs go-profile "/proc/$look/cmdline"; do kill -0 "$look" 2>/dev/null || break; done
        kill "$look" 2>/dev/null # at whatever moment that is
        wait "$look"
    done
    wait "$pid" && [ ! -s out ] && ok "$name" || not_ok "$name" "$(tail -n 1 out)"
}

# Whatever ends the look, also a key of the terminal or somebody's kill: the rate is put back.
ends() { # NAME SIGNAL
    local name=$1 pid look
    rm -f counts counts.ready
    "$program" -report counts &
    pid=$!
    until [ -e counts.ready ]; do kill -0 "$pid" 2>/dev/null || break; done
    env --default-signal "$SQUALL_BIN" go-profile --seconds 3600 --rate 4k "$pid" >shown 2>&1 &
    look=$!
    until [ -e counts ]; do kill -0 "$pid" 2>/dev/null && kill -0 "$look" 2>/dev/null || break; done
    kill "-$2" "$look"
    wait "$look" || { not_ok "$name" "exit status $?: the rate stays"; kill "$pid"; return; }
    wait "$pid" && ok "$name" || not_ok "$name" "the program: exit status $?"
}

# It dies meanwhile: one line, and no harm to us.
dies() { # NAME
    local name=$1 pid look
    rm -f counts counts.ready
    "$program" -report counts &
    pid=$!
    until [ -e counts.ready ]; do kill -0 "$pid" 2>/dev/null || break; done
    "$SQUALL_BIN" go-profile --seconds 3600 --rate 4k "$pid" >shown 2>&1 &
    look=$!
    until [ -e counts ]; do kill -0 "$pid" 2>/dev/null || break; done
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    kill -INT "$look"
    wait "$look"
    [ $? = 1 ] && [ "$(wc -l <shown)" = 1 ] && ok "$name" || not_ok "$name" "$(head -n 2 shown)"
}

# declined NAME WORDS COMMAND…: a process that is left alone, with one line
declined() {
    local name=$1 words=$2 pid
    shift 2
    "$@" &
    pid=$!
    until [ "$(readlink "/proc/$pid/exe")" = "$(realpath "$1")" ]; do kill -0 "$pid" || break; done
    "$SQUALL_BIN" go-profile --seconds 1 "$pid" >shown 2>&1
    [ $? = 1 ] && [ "$(wc -l <shown)" = 1 ] && grep -q "$words" shown && kill -0 "$pid" && ok "$name" ||
        not_ok "$name" "$(head -n 2 shown)"
    kill "$pid"
    wait "$pid" 2>/dev/null
}

cd "$(mktemp -d "$TMPDIR/profile.XXXXXX")" || exit 1
for version in ${VERSIONS:-$(versions | head -n 1)}; do
    for how in static dynamic; do
        build "$version" "$how" profiled || { not_ok "$version-$how" "does not build"; continue; }
        compare "$version-$how-own"
    done
    dies "$version-dies"
    ends "$version-quit" QUIT
    ends "$version-alarm" ALRM
    full=$("$(root_of "$version")/bin/go" version | sed 's/.*go\(1\.[0-9.]*\) .*/\1/')
    for other in 17 99; do # a version that nobody knows
        sed "s/go${full//./\\.}/go1.$other${full#1.??}/g" "$program" >other && chmod 755 other
        declined "$version-go1.$other" 'was not found\|not understood' ./other -report none
    done
    build "$version" static && under_load "$version-load"
done
declined no-go 'no Go program' /usr/bin/sleep 1000
finish
