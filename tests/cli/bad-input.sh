#!/bin/bash
# Input that is not a whole region of ours: one line that names file, offset and reason, status 1
# or 2, nothing on stdout.
. "$SQUALL_ROOT/tests/cli/lib.sh"
make_region
try() {
    echo "# $1"
    show squall report --json "$TMPDIR/$2"
    [ -s "$TMPDIR/stdout" ] && echo "BAD: output that looks whole"
    [ "$(wc -l <"$TMPDIR/stderr")" = 1 ] || echo "BAD: not one line"
}
variant() {
    cp --sparse=always region "$1"
}

try "does not exist" nothing
: >empty
try "empty" empty
head -c 10000 /dev/zero | tr '\0' 'x' >not-ours
try "not ours" not-ours
variant truncated-header
truncate -s 100 truncated-header
try "cut within the header" truncated-header
variant truncated
truncate -s 1000000 truncated
try "cut within the tables" truncated
variant version
poke version 8 '\377'
try "of another version" version
variant byte-order
poke byte-order 12 '\001\002\003\004'
try "of another byte order" byte-order
variant offset
poke offset 2056 '\377\377\377\377\377\377\377\177' # of the first table
try "a table outside the file" offset
variant capacity
poke capacity 2064 '\377\377\377\377\377\377\377\177' # rows of the first table
try "a table larger than the file" capacity
squall pack --keep --quiet -o "$TMPDIR/packed" "$TMPDIR/region"
head -c 600 packed >cut-dump
try "a part of a packed dump" cut-dump
head -c 20 packed >short-dump
try "the head of a packed dump" short-dump
mkdir folder
cp packed folder/squall.1.1.1.squall
cp --sparse=always truncated folder/squall.2.2.2.region
try "a folder with a broken one among them" folder
mkfifo pipe
try "a pipe" pipe
