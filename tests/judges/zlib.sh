#!/bin/bash
# zlib's own programs, on its own library, static and shared: example (every call once), minigzip
# there and back, and infcover, which makes inflate's allocations fail and looks for leaks.
. "$(dirname "$0")/lib.sh"
source_of zlib

make_zlib() {
    CFLAGS="-O2 -g" ./configure
    make -j2 all infcover
}
built make_zlib

there_and_back() { # PROGRAM LEVEL FILE
    # shellcheck disable=SC2016 # expanded inside
    echo '"$1" "$2" <"$3" >"$TMPDIR/z" && "$1" -d <"$TMPDIR/z" | cmp - "$3" && cksum <"$TMPDIR/z"'
}

suite() {
    local kind level file
    cd "$src" || return
    export LD_LIBRARY_PATH=$src
    for kind in "" sh; do
        each "example$kind" "./example$kind" "$home/foo.gz"
        for level in -1 -6 -9 -h; do
            for file in ChangeLog zlib.3.pdf libz.a; do
                each "minigzip$kind $level $file" \
                    bash -c "$(there_and_back)" - "./minigzip$kind" "$level" "$file"
            done
        done
    done
    each infcover ./infcover
    unset LD_LIBRARY_PATH
}
judge "$version"
