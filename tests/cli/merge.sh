#!/bin/bash
# Many dumps in one: every process with its own figures, each once, and nothing left when it fails.
. "$SQUALL_ROOT/tests/cli/lib.sh"
build_target
for i in 1 2 3 4 5; do
    LD_PRELOAD=$SQUALL_LIB SQUALL_CONF=mode:exact "$TMPDIR/target" >/dev/null
done
# All that is reported, but for what is of the file or the moment.
report() {
    squall report --json "$@" | sed -E 's/"(dump|state)":"[^"]*"//g'
}
sums() {
    squall export --format csv "$@" | /usr/bin/python3 -c '
import csv, sys
rows = list(csv.DictReader(sys.stdin))
print(len({r["pid"] for r in rows}), "processes,", sum(int(r["bytes"]) for r in rows), "bytes")'
}
mkdir parts
squall pack --quiet "$SQUALL_DIR"
mv "$SQUALL_DIR"/*.squall parts/
report parts >before

show squall merge parts -o all.squall
report all.squall | cmp - before && echo "equal to its parts"

echo "# with a region, and with what is in it already"
LD_PRELOAD=$SQUALL_LIB SQUALL_CONF=mode:exact "$TMPDIR/target" >/dev/null
mv "$SQUALL_DIR"/*.region parts/
sums parts >sums
show squall merge all.squall parts -o again.squall
sums again.squall | cmp - sums && echo "the same sums"
echo "$(find parts -type f | wc -l) parts are still there"
echo "# ended_by and names survive"
squall run -o run.squall -- "$TMPDIR/target" >/dev/null 2>&1
squall merge --quiet run.squall -o same.squall
squall report --json same.squall | /usr/bin/python3 -c '
import json, sys
p, = json.load(sys.stdin)["processes"]
print(p["ended_by"], p["state"])'

echo "# what cannot be merged"
first=$(find parts -name '*.squall' | sort | head -n 1)
head -c 500 "$first" >cut.squall
cp all.squall kept.squall
show squall merge all.squall cut.squall -o kept.squall | sed 's/offset [0-9]*/offset N/'
cmp all.squall kept.squall && echo "what was there is as it was"
mkdir folder
cp "$first" folder/
make_region
head -c 3000 region >folder/squall.1.2.00000000000000ff.region
show squall merge folder -o kept.squall
show squall pack folder
cmp all.squall kept.squall && echo "what was there is as it was"
show squall merge parts
show squall merge -o out.squall
show squall merge nowhere -o out.squall
find . -name '*.part' -o -name out.squall
