#!/bin/bash
# Streams that are closed, full or read by somebody who has seen enough; outputs that are no files.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
squall report --json "$TMPDIR/region" >/dev/full 2>err
echo "full: status $?, $(grep -c 'No space left' err)"
squall metrics --once >/dev/full 2>err
echo "full: status $?, $(grep -c 'No space left' err)"
squall report "$TMPDIR/region" >&- 2>err
echo "closed: status $?, $(wc -l <err)"
(
    trap '' PIPE
    mkfifo gone
    exec 8<>gone 9>gone 8>&- # there was a reader
    squall report "$TMPDIR/region" 2>err >&9
    echo "reader gone: $?, $(wc -l <err)"
)
squall report "$TMPDIR/region" 2>err | true
echo "reader gone: killed by SIGPIPE or done before: $((PIPESTATUS[0] == 141 || PIPESTATUS[0] == 0)), $(wc -l <err)"
# So is a limit of the size of files, which is a signal by default: nothing half is left beside it, and
# a program that is run still has its own way with it.
(
    ulimit -f 4
    squall export --format jsonl "$TMPDIR/region" -o "$TMPDIR/large" 2>err
    echo "limited: $?, $(grep -c 'too large' err), $(find "$TMPDIR" -name '*large*' | wc -l) files"
    squall run --quiet -o "$TMPDIR/large" -- bash -c 'head -c 9999 /dev/zero >limited; exit $?' 2>/dev/null
    echo "the program: $?"
)
# A closed stderr must not become the dump, into which messages go then.
cp --sparse=always "$TMPDIR/region" "$SQUALL_DIR/squall.1.1.0000000000000001.region"
squall pack -o "$TMPDIR/dump" "$SQUALL_DIR" <&- >&- 2>&-
echo "pack without streams: status $?"
squall report --json "$TMPDIR/dump" | grep -c make_blocks
squall run --quiet -o "$TMPDIR/dump2" -- bash -c '[ ! -e /proc/self/fd/1 ] && exit 7' <&- >&- 2>&-
echo "run without streams: status $?, the program's are closed, too"
squall report --json "$TMPDIR/dump2" | grep -o '"ended_by":"exit 7"'
echo "# not a file"
ln -s /dev/null "$TMPDIR/null"
mkdir "$TMPDIR/folder"
for output in null folder nothing/dump; do
    show squall run -o "$TMPDIR/$output" -- "$TMPDIR/target"
    show squall pack -o "$TMPDIR/$output" "$TMPDIR/region"
done
echo "# no folder yet"
export SQUALL_DIR=$TMPDIR/none
show squall report
show squall pack
show squall clean --older 1d
SQUALL_DIR=$(printf '%5000s' x)
show squall pack
show squall clean --older 1d
echo "# names that would speak to a terminal"
show squall report $'a\033[31m\302\233b\nc\233\342\200\256d'
