#!/bin/bash
# An allocation whose stack passes through a codec function is in that call: for each codec, linked
# dynamically, statically, opened privately, and stripped (which must be said), in both modes; and
# functions that the user names.
. "$(dirname "$0")/lib.sh"

declare -A LIBRARY=([zstd]=zstd [zlib]=z [lz4]=lz4 [snappy]=snappy [brotli]=brotlienc [lzma]=lzma
    [bz2]=bz2)
declare -A STATIC=([zstd]=libzstd.a [zlib]=libz.a [lz4]=liblz4.a [snappy]="libsnappy.a -lstdc++"
    [brotli]="libbrotlienc.a libbrotlicommon.a" [lzma]=liblzma.a [bz2]=libbz2.a)
# What of its large blocks is made in the outermost call, which decompresses (0: none is large).
declare -A FUNCTION=([zstd]=ZSTD_compress [zlib]=compress2 [lz4]=LZ4_compress_HC
    [snappy]=snappy_compress [brotli]=BrotliEncoderCompress [lzma]=lzma_easy_buffer_encode
    [bz2]=BZ2_bzBuffToBuffCompress)
declare -A LARGE_INFLATE=([zstd]=1 [lzma]=1 [bz2]=1)
libraries=$(dirname "$(gcc -print-file-name=libc.so)")

# compile NAME FLAGS…: the target as $TMPDIR/NAME
compile() {
    local name=$1
    shift
    gcc -O1 -g -fno-builtin -fno-inline "$here/src/codec_frames.c" -o "$TMPDIR/$name" "$@" -lm -lpthread ||
        { not_ok "$name" "does not build"; return 1; }
}

# run_it NAME CODEC WAY PROGRAM…: in both modes; the JSON is checked
run_it() {
    local name=$1 codec=$2 way=$3 mode
    shift 3
    for mode in default exact; do
        fresh
        under "mode:$mode" "$@" decompress || { not_ok "$name" "exit status $?"; return; }
        report "$TMPDIR/json" || { not_ok "$name" "no report"; return; }
        check "$name, $mode" "$TMPDIR/json" "$codec" "${FUNCTION[$codec]:-}" "$way" \
            "${LARGE_INFLATE[$codec]:-0}" "$(basename "$1")" <<'P'
from squall import *
p, = load(argument(1))
codec, function, way, inflates, program = (argument(i) for i in range(2, 7))
said = [v["statement"] for v in p["visibility"] if v["subject"] == "codecs"]
large = [s for s in p["sites"] if s["large"]["allocs"]]
outside = [s for s in large if s["size"]["max"] == 500000]
same("outside", [(s["codec"], s["direction"], s["role"]) for s in outside], [(None, None, None)])
if way == "stripped":
    same("codecs", {s["codec"] for s in p["sites"]}, {None})
    if not any("not visible" in s and program in s for s in said):
        raise SystemExit(f"it is not said that {program} hides what is in it: {said}")
    # Snappy leaves nothing by which it could be told.
    if codec != "snappy" and not any(f"{program} contains {codec} (" in s for s in said):
        raise SystemExit(f"it is not said that {program} contains {codec}: {said}")
    raise SystemExit(0)
made = [s for s in large if s["direction"] == "compress"]
same("codec", {s["codec"] for s in made}, {codec})
same("function", {s["codec_function"] for s in made}, {function})
same("role", {s["role"] for s in made}, {"workspace"})
if total(made, "allocs") < 4:
    raise SystemExit(f"{total(made, 'allocs')} workspaces of four calls")
back = [s for s in p["sites"] if s["direction"] == "decompress"]
same("codecs that decompress", {s["codec"] for s in back} - {codec}, set())
same("large when decompressing", any(s["large"]["allocs"] for s in back), inflates == "1")
same("role when decompressing", {s["role"] for s in back if s["large"]["allocs"]} - {"workspace"},
     set())
for key in "allocs", "bytes":
    same("workspace " + key, sum(s["roles"]["workspace"][key] for s in p["sites"]),
         sum(s["large"][key] for s in made + back))
found = f"({codec}) found by name" if way == "debug" else f"{codec} in "
same("said to be unseen", [s for s in said if "inside a" in s and f"{codec}" in s], [])
if not any("found by name" in s and found in s for s in said):
    raise SystemExit(f"it is not said what was found: {said}")
P
    done
}

for codec in zstd zlib lz4 snappy brotli lzma bz2; do
    if ! compile "$codec.dynamic" "-DWITH_$codec" "-l${LIBRARY[$codec]}"; then
        continue
    fi
    run_it "$codec, dynamic" "$codec" dynamic "$TMPDIR/$codec.dynamic"
    file=$(ldd "$TMPDIR/$codec.dynamic" | sed -n "s|.*lib${LIBRARY[$codec]}\.so[^ ]* => \([^ ]*\).*|\1|p")
    compile "$codec.opened" "-DWITH_$codec" -DOPENED &&
        run_it "$codec, opened" "$codec" opened "$TMPDIR/$codec.opened" "$file"
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

# A function of the program's own counts when it is named; one that is called like zlib's does not.
compile user -DWITH_user
for conf in "" ",codec:my_compress*"; do
    fresh
    under "mode:default$conf" "$TMPDIR/user" || not_ok "user's function" "exit status $?"
    report "$TMPDIR/json"
    check "user's function${conf:+, named}" "$TMPDIR/json" "$conf" <<'P'
from squall import *
p, = load(argument(1))
made = {s["size"]["max"]: (s["codec"], s["codec_function"], s["roles"]["workspace"]["allocs"])
        for s in p["sites"] if s["size"]["max"] in (200000, 300000)}
same("another's compress", made[200000], (None, None, 0))
same("my_compress_block", made[300000],
     ("user", "my_compress_block", 4) if argument(2) else (None, None, 0))
P
done

# A forked child has a region of its own, with the functions in it.
fresh
under mode:default "$TMPDIR/zlib.dynamic" fork || not_ok "in a child" "exit status $?"
report "$TMPDIR/json"
check "in a child" "$TMPDIR/json" <<'P'
from squall import *
processes = load(argument(1))
same("processes", len(processes), 2)
for p in processes:
    made = [s for s in p["sites"] if s["direction"] == "compress" and s["large"]["allocs"]]
    same("functions", {(s["codec"], s["codec_function"]) for s in made}, {("zlib", "compress2")})
    # The report could name them by itself: the rows have to be there too.
    same("said", any("found by name: zlib in libz" in v["statement"] for v in p["visibility"]), True)
same("workspaces", [sum(s["roles"]["workspace"]["allocs"] for s in p["sites"]) % 4
                    for p in processes], [0, 0])
P

# Threads of libzstd's own: stripped as it is, no function on their stacks has a name.
fresh
under mode:default "$TMPDIR/zstd.dynamic" threads || not_ok "zstd's threads" "exit status $?"
report "$TMPDIR/json"
check "zstd's threads" "$TMPDIR/json" <<'P'
from squall import *
p, = load(argument(1))
on_threads = [s for s in p["sites"] if s["large"]["allocs"]
              and all(t["tid"] != p["pid"] for t in s["threads"])]
same("some", bool(on_threads), True)
same("theirs", {(s["codec"], s["direction"]) for s in on_threads}, {("zstd", "compress")})
same("all large", {s["role"] for s in p["sites"] if s["large"]["allocs"]}, {"workspace"})
P

# Symbols in a separate debug file alone: the shim cannot see them, the companion can.
if cp "$TMPDIR/zstd.static" "$TMPDIR/split" 2>/dev/null; then
    objcopy --only-keep-debug "$TMPDIR/split" "$TMPDIR/split.debug"
    (cd "$TMPDIR" && strip split && objcopy --add-gnu-debuglink=split.debug split)
    run_it "zstd, separate debug file" zstd debug "$TMPDIR/split"
fi
finish
