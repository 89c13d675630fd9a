#!/bin/bash
# What each codec of Go programs allocates is known as its. VERSIONS: of which Go (the oldest there).
. "$(dirname "$0")/lib.sh"
need_go
work=$(mktemp -d "$TMPDIR/codecs.XXXXXX")
for package in andybalholm/brotli DataDog/zstd golang/snappy klauspost/pgzip pierrec/lz4 valyala/gozstd; do
    [ -d "$LIBRARIES/src/github.com/$package" ] && continue
    echo "ok codecs # skip no Debian package of github.com/$package: tools/setup.sh check"
    exit 77
done

for version in ${VERSIONS:-$(versions | head -n 1)}; do
    for how in stripped static; do
        build "$version" "$how" codecs 2>"$work/build" ||
            { not_ok "$version-$how" "does not build: $(tail -n 1 "$work/build")"; continue; }
        words=$(words_of "$how")
        fresh
        SQUALL_CONF=large:32k "$SQUALL_BIN" run --quiet --dir "$dumps" -- "$program" -n 8 >"$work/counts" ||
            { not_ok "$version-$how" "exit status $?"; continue; }
        "$SQUALL_BIN" report --json "$dumps" >"$work/json"
        # shellcheck disable=SC2086 # words
        if /usr/bin/python3 "$here/codecs.py" "$work/json" "$work/counts" $words >"$work/said" 2>&1; then
            ok "codecs-$version-$how"
        else
            not_ok "codecs-$version-$how" "$(wc -l <"$work/said") of them, $(tail -n 3 "$work/said")"
        fi
    done
done
finish
