#!/bin/bash
# What LD_PRELOAD alone left behind is packed: the report stays the same. Then it is removed.
. "$SQUALL_ROOT/tests/cli/lib.sh"
build_target
for _ in 1 2; do
    LD_PRELOAD=$SQUALL_LIB SQUALL_CONF=mode:exact "$TMPDIR/target" >/dev/null
done
summary() {
    # `dump` is the file itself; seconds and ages are of the moment
    squall report --json "$SQUALL_DIR" | /usr/bin/python3 -c '
import json, sys
for p in json.load(sys.stdin)["processes"]:
    print(p["state"], p["totals"]["allocs"], p["totals"]["bytes"], len(p["sites"]), len(p["modules"]))'
}
count() {
    find "$SQUALL_DIR" -name "$1" | wc -l
}
summary >before
echo "$(wc -l <before) processes, $(count '*.region') regions"
squall pack --quiet "$SQUALL_DIR"
echo "pack: status $?, $(count '*.region') regions"
summary | cmp - before && echo "the same report"
squall clean --older 7d --dumps --quiet "$SQUALL_DIR"
echo "clean 7d: status $?, $(count 'squall.*') files"
squall clean --older 0 --dumps --dry-run --quiet "$SQUALL_DIR"
echo "clean --dry-run: status $?, $(count 'squall.*') files"
# What a killed pack leaves, beside one that is being written, a file of somebody else's, and none of the name.
dump=$(find "$SQUALL_DIR" -name '*.squall' | head -n 1)
for part in .killed.1.part .writing.2.part visible.part; do
    head -c 200 "$dump" >"$SQUALL_DIR/$part"
done
echo notes >"$SQUALL_DIR/.mine.part"
squall clean --older 7d --quiet "$SQUALL_DIR"
echo "clean 7d: $(cd "$SQUALL_DIR" && ls -A | grep -c part) parts"
flock "$SQUALL_DIR/.writing.2.part" "$SQUALL_BIN" clean --older 0 --quiet "$SQUALL_DIR"
(cd "$SQUALL_DIR" && ls -A | grep part)
squall clean --older 0 --quiet "$SQUALL_DIR"
(cd "$SQUALL_DIR" && ls -A | grep part)
rm -f "$SQUALL_DIR"/visible.part "$SQUALL_DIR"/.mine.part
squall clean --older 0 --dumps --quiet "$SQUALL_DIR"
echo "clean 0: status $?, $(count 'squall.*') files"
