#!/bin/bash
# ps, live and snapshot of a process that runs: what people see and what scripts depend on.
. "$SQUALL_ROOT/tests/cli/lib.sh"
${CC:-cc} -O1 -g -fno-builtin "$SQUALL_ROOT/tests/targets/src/become.c" -o "$TMPDIR/become" || exit 99
mkfifo in
env LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/become" <in >said &
target=$!
exec 7>in
until grep -q ready said; do sleep 0.02; done
until squall live $target --count 1 >/dev/null 2>&1; do sleep 0.02; done

# busy LINES ARGUMENT…: shows what squall says, of a time in which the program had a processor in each
# interval: so many lines tell of bytes
busy() {
    local lines=$1 i
    shift
    for i in {1..50}; do
        squall "$@" >"$TMPDIR/busy" 2>/dev/null
        [ "$(grep -cE "(^ *$target |^[0-9]).*iB/s" "$TMPDIR/busy")" -lt "$lines" ] || break
    done
    cat "$TMPDIR/busy"
}

echo "# ps"
busy 1 ps | grep -E "PID|^ *$target " | sed "s/^ *$target /   1234 /"
COLUMNS=80 squall ps 2>/dev/null | grep "^ *$target " | awk 'length > 80 { print "BAD: long line: " $0 }'
busy 1 ps --every 50ms --no-findings | grep "^ *$target " | sed "s/^ *$target /   1234 /"
echo "# ps --json"
squall ps --json >ps.json 2>/dev/null || echo "BAD: status"
echo "# live"
busy 3 live $target --every 20ms --count 3
echo "# live --json"
for i in {1..50}; do
    squall live $target --json --every 20ms --count 4 >live.json || echo "BAD: status"
    tail -n 1 live.json | grep -q '"difference":{"allocs":0' || break
done
echo "# snapshot"
squall snapshot $target 2>&1 | sed "s/$target/1234/g; s/[0-9]*T[0-9]*Z/TIME/; s/(.*)/(SIZE)/"
squall snapshot $target --quiet -o a.squall && squall report --json a.squall >a.json || echo "BAD: status"
ls squall.$target.*.squall >/dev/null || echo "BAD: no snapshot"
show squall snapshot $target -o no/such/folder | sed "s/$target/1234/g"
/usr/bin/python3 - $target <<'PYTHON'
import json
import sys
target = int(sys.argv[1])
p, = [p for p in json.load(open("ps.json"))["processes"] if p["pid"] == target]
print("ps:", *p)
print(p["name"], p["mode"], p["state"], p["findings"], p["root"], p["interval"] == p["seconds"])
lines = [json.loads(l) for l in open("live.json")]
o = lines[-1]
print("live:", *o)
for name in "difference", "totals":
    print(name + ":", *o[name])
print("site:", *o["sites"][0])
print("of a site:", *o["sites"][0]["difference"])
print(len(lines), o["format"], o["pid"] == target, o["mode"], o["state"], o["event"], o["sites"][0]["name"])
print("first", lines[0]["interval"], lines[0]["difference"]["allocs"], "then grows",
      o["totals"]["allocs"] > lines[0]["totals"]["allocs"],
      sum(l["difference"]["bytes"] for l in lines) == o["totals"]["bytes"] - lines[0]["totals"]["bytes"])
s, = json.load(open("a.json"))["processes"]
print("snapshot", s["totals"]["allocs"] >= o["totals"]["allocs"], s["sites"][0]["stack"][0]["function"] is not None)
PYTHON
echo end >&7
exec 7>&-
wait $target

echo "# nobody there"
for command in live snapshot; do
    show squall $command $target | sed "s/$target/1234/g"
    show squall $command $$ | sed "s/process $$/process 1/"
    show squall $command
    show squall $command me
done
show squall top me
show squall top 1 2
show squall ps 1
show squall ps --every never
show squall live --every 1ms 1
show squall live --count few 1
