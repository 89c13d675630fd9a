#!/bin/bash
# Every option that a command takes is one that its --help tells of, and the other way round: pages and
# completions are made of --help. --output is the long name that -o has everywhere.
. "$(dirname "$0")/lib.sh"
BIN=${SQUALL_BIN:-$ROOT/build/squall}
[ -x "$BIN" ] || finish "$BIN is not built"
wrong="" seen=0
for command in $("$BIN" help | sed -n 's/^  \([a-z-]*\) .*/\1/p'); do
    file=$(grep -l "\"usage: squall $command " "$ROOT"/tools/squall/*.c | head -n 1)
    [ -n "$file" ] || { wrong+="no file has the usage of $command; " && continue; }
    # Of a file with the usages of several commands, all options are those of all.
    told=$(grep -oE '"usage: squall [a-z-]+' "$file" | sed 's/.* //' | while read -r each; do
        "$BIN" help "$each"
    done | grep -oE '(^|[ [])--[a-z][a-z-]*' | tr -d ' [-' | sort -u)
    taken=$(grep -oE '\{"[a-z-]+", *(no|required|optional)_argument' "$file" | cut -d'"' -f2 | tr -d - |
        grep -vxE 'help|output' | sort -u)
    difference=$(diff <(echo "$told") <(echo "$taken") | grep '^[<>]' | tr '\n' ' ')
    [ -z "$difference" ] || wrong+="$command (< told, > taken): $difference; "
    seen=$((seen + $(wc -w <<<"$taken")))
done
[ "$seen" -gt 30 ] || wrong+="only $seen options seen; "
finish "$wrong"
