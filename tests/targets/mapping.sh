#!/bin/bash
# Anonymous mappings that the program makes by itself are counted by the stack that made them, to the
# byte: pools, arenas, parts unmapped, moved and replaced; by threads, in signal handlers, in forked
# children. What malloc maps, reservations and stacks are not. Calls fail as without the library.
. "$(dirname "$0")/lib.sh"
build mapping

# counts NAME PYTHON: what is in the regions of $dumps, oldest process first
counts() {
    check "$1" "$dumps" "$TMPDIR/mapping" <<<"from squall import *
from region import regions
K = 1024
rs = regions(argument(1))
program = argument(2)
of = [r.anons(program) for r in rs]
$2"
}

# case_of NAME CONF PYTHON
case_of() {
    fresh
    under "$2" "$TMPDIR/mapping" "$1" || { not_ok "$1, $2" "exit status $?"; return; }
    counts "$1, $2" "$3
same('lost', [r.lost() for r in rs], [{} for r in rs])"
}

for conf in mode:default mode:exact; do
    case_of pools $conf 'same("mapped", of, [{
    "take_buffer pools main": [40, 30, 40 * 1004 * K, 30 * 1004 * K],
    "own_malloc pools main": [10, 0, 10 * 256 * K, 0]}])'
    case_of nothing $conf 'same("mapped", of, [{}])'
    case_of parts $conf 'same("mapped", of, [{
    "map cut_up parts main": [1, 1, 1024 * K, 1024 * K],
    "map replaced parts main": [1, 1, 512 * K, 512 * K],
    "committed parts main": [1, 0, 256 * K, 0],
    "map moved parts main": [1, 1, 128 * K, 128 * K],
    "moved parts main": [2, 1, (4096 + 192) * K, 4096 * K]}])'
    case_of failures $conf 'same("mapped", of, [{
    "map kept failures main": [2, 1, 256 * K, 128 * K]}])'
    case_of threads $conf 'same("mapped", of, [{
    "work": [20000, 20000, 20000 * 128 * K, 20000 * 128 * K]}])'
    case_of forks $conf 'same("mapped", of, [
    {"map kept forks main": [1, 0, 128 * K, 0]},
    {"map of_child forks main": [2, 1, 640 * K, 320 * K]}])'
done
case_of pools large:1m 'same("mapped", of, [{}])'
case_of pools large:512k 'same("mapped", list(of[0]), ["take_buffer pools main"])'

# In a handler that interrupted squall nothing can be recorded: that is counted.
fresh
if under mode:default "$TMPDIR/mapping" signals; then
    counts signals 'r, = rs
same("lost", set(r.lost()) - {"mappings"}, set())
for name, (maps, unmaps, size, unmapped) in of[0].items():
    same(name, (unmaps, size, unmapped), (maps, maps * 128 * K, maps * 128 * K))
same("kept", sum(1 for name in of[0] if name.startswith("map kept")), 1)
same("in handlers", sum(1 for name in of[0] if name.startswith("handler")) > 0, True)'
else
    not_ok signals "exit status $?"
fi

# An allocator that uses the exported mmap: its blocks are counted as blocks.
if gcc -O1 -shared -fPIC -fno-builtin "$here/src/mapping_malloc.c" -o "$TMPDIR/behind.so"; then
    fresh
    if BEHIND=$TMPDIR/behind.so under mode:default "$TMPDIR/mapping" pools; then
        counts "an allocator that maps" 'same("mapped", sorted(of[0]),
    ["own_malloc pools main", "take_buffer pools main"])'
    else
        not_ok "an allocator that maps" "exit status $?"
    fi
else
    not_ok "an allocator that maps" "does not build"
fi

# Without the library the program passes its own checks too: they say nothing about us otherwise.
for name in parts failures forks; do
    if "$TMPDIR/mapping" $name; then ok "$name alone"; else not_ok "$name alone" "exit status $?"; fi
done
finish
