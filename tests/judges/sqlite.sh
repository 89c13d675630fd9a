#!/bin/bash
# SQLite's own tests, in part, by its testfixture: queries, its allocators, blobs, threads,
# backups, logs, and recovery of children that end in the middle of writing.
. "$(dirname "$0")/lib.sh"
TESTS=${TESTS:-select1 expr func sort where types blob zeroblob incrblob memsubsys1 memsubsys2
    mallocA malloc5 mallocH softheap1 pcache pcache2 backup thread001 thread002 thread004 thread1
    thread2 shared wal crash3 crash8 savepoint trans fts3aa json101}
source_of sqlite3

make_sqlite() {
    local tcl
    tcl=$(dirname "$(find /usr/lib -name tclConfig.sh | sort | tail -n 1)")
    mkdir -p bld
    cd bld || return
    ../configure --with-tcl="$tcl" CFLAGS="-O0 -w"
    make -s -j2 testfixture
}
built make_sqlite

suite() {
    local name
    for name in $TESTS; do
        mkdir -m 777 "$home/$name"
        cd "$home/$name" || return
        under "$src/bld/testfixture" "$src/test/$name.test" \
            >"$out/$name" 2>&1 </dev/null
        case $? in
        0) result pass "$name.test" ;;
        *) result failed "$name.test" ;;
        esac
        # "NAME... Ok", or the reason on lines of their own; dots before it are for who waits.
        sed -nE -e 's/^\.+//' -e 's/^([A-Za-z0-9_.()-]+)\.\.\. Ok$/pass\t\1/p' -e 's/^([A-Za-z0-9_.()-]+)\.\.\.$/failed\t\1/p' \
            -e 's/^! ([^ ]+) expected:.*/failed\t\1/p' \
            -e 's/^([A-Za-z0-9_.()-]+)\.\.\. (Omitted|skipped).*/skip\t\1/p' "$out/$name" >>"$results"
        cd / && rm -rf "${home:?}/$name"
    done
}
judge "$version"
