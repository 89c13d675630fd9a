#!/bin/bash
# Codec calls, their sizes and results, and the blocks that serve as their output and input, are
# counted exactly: for each codec, linked dynamically, statically, opened privately, and stripped
# (where nothing can be seen, which must be said). The program's own words, with a hash of all that
# it compressed, are the same under squall and without.
. "$(dirname "$0")/lib.sh"

declare -A LIBRARIES=([zstd]="zstd" [zlib]="z" [lz4]="lz4" [lz4frame]="lz4" [snappy]="snappy"
    [snappyxx]="snappy" [brotli]="brotlienc brotlidec" [lzma]="lzma" [bz2]="bz2" [lzf]="lzf"
    [libdeflate]="deflate" [isal]="isal")
declare -A STATIC=([zstd]="libzstd.a" [zlib]="libz.a" [lz4]="liblz4.a" [lz4frame]="liblz4.a"
    [snappy]="libsnappy.a -lstdc++" [snappyxx]="libsnappy.a" [lzma]="liblzma.a" [bz2]="libbz2.a"
    [brotli]="libbrotlienc.a libbrotlidec.a libbrotlicommon.a" [lzf]="liblzf.a"
    [libdeflate]="libdeflate.a" [isal]="libisal.a")
# What it is called in reports, where that is not its name here.
declare -A CODEC=([lz4frame]=lz4 [snappyxx]=snappy [isal]=isa-l)
libraries=$(dirname "$(gcc -print-file-name=libc.so)")

# compile NAME FLAGS…: the target as $TMPDIR/NAME
compile() {
    local name=$1 compiler=(gcc)
    shift
    [[ $name == snappyxx.* ]] && compiler=(g++ -x c++)
    "${compiler[@]}" -O1 -g -fno-builtin -fno-inline "$here/src/codec_calls.c" -x none \
        -o "$TMPDIR/$name" "$@" -lm -lpthread || { not_ok "$name" "does not build"; return 1; }
}

# look NAME CODEC WAY CONF PROGRAM…: runs it, compares its words, checks the report
look() {
    local name=$1 codec=$2 way=$3 conf=$4
    shift 4
    fresh
    if ! under "$conf" "$@" >"$TMPDIR/said" || ! cmp -s "$TMPDIR/plain" "$TMPDIR/said"; then
        not_ok "$name: unharmed" "$(diff "$TMPDIR/plain" "$TMPDIR/said" | head -n 3)"
        return
    fi
    ok "$name: unharmed"
    report "$TMPDIR/json" || { not_ok "$name" "no report"; return; }
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/codec_calls.py" "$name" "$codec" "$way" \
        "$TMPDIR/said" "$TMPDIR/json" "$(basename "$1")" || failures=$((failures + 1))
}

# run_it NAME CODEC WAY PROGRAM…
run_it() {
    local name=$1 codec=${CODEC[$2]:-$2} way=$3
    shift 3
    "$@" >"$TMPDIR/plain" || { not_ok "$name" "fails by itself: $(tail -n 1 "$TMPDIR/plain")"; return; }
    look "$name" "$codec" "$way" mode:default "$@"
    [ "$way" = dynamic ] || return
    look "$name, exact" "$codec" "$way" mode:exact "$@"
    look "$name, args:off" "$codec" off args:off "$@"
}

for codec in zstd zlib lz4 lz4frame snappy snappyxx brotli lzma bz2 lzf libdeflate isal; do
    read -ra linked <<<"${LIBRARIES[$codec]}"
    if [ ! -e "$libraries/lib${linked[0]}.so" ]; then
        echo "ok $codec # skip no lib${linked[0]}.so"
        continue
    fi
    compile "$codec.dynamic" "-DWITH_$codec" "${linked[@]/#/-l}" || continue
    run_it "$codec, dynamic" "$codec" dynamic "$TMPDIR/$codec.dynamic"
    files=("${linked[@]/#/$libraries/lib}")
    compile "$codec.opened" "-DWITH_$codec" -DOPENED &&
        run_it "$codec, opened" "$codec" opened "$TMPDIR/$codec.opened" "${files[@]/%/.so}"
    read -ra archives <<<"${STATIC[$codec]}"
    if [ ! -e "$libraries/${archives[0]}" ]; then
        echo "ok $codec, static # skip no ${archives[0]}"
        continue
    fi
    (cd "$libraries" && compile "$codec.static" "-DWITH_$codec" "${archives[@]}") || continue
    run_it "$codec, static" "$codec" static "$TMPDIR/$codec.static"
    strip -o "$TMPDIR/$codec.stripped" "$TMPDIR/$codec.static"
    run_it "$codec, stripped" "$codec" stripped "$TMPDIR/$codec.stripped"
done
finish
