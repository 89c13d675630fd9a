#!/bin/bash
# Exports are opened by the programs that they are made for, and their totals are those of the report.
# A program that is not installed is skipped, unless ALL=1 (`make check-real`); npm, which Debian and
# others package differently, may be missing even then.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
docs=$here/../../docs/export.md
TMPDIR=$(mktemp -d "$TMPDIR/export.XXXXXX")
trap 'cd / && rm -rf "$TMPDIR"' EXIT
fresh

python3=/usr/bin/python3
for mode in exact default; do
    "$SQUALL_BIN" run --mode "$mode" -o "$dumps/$mode.squall" -- "$python3" -c '
import threading, zlib
def work(n):
    for i in range(n): zlib.compress(bytes(200000))
threads = [threading.Thread(target=work, args=(n,)) for n in (40, 60)]
for t in threads: t.start()
for t in threads: t.join()
kept = [bytes(100000) for i in range(20)]' >"$TMPDIR/out" 2>&1 || {
        not_ok "record" "$(tail -n 1 "$TMPDIR/out")"
        finish
    }
done
cd "$dumps" || exit 1
"$SQUALL_BIN" report --json . >"$TMPDIR/report.json"
for format in pprof heap folded speedscope dhat csv jsonl; do
    "$SQUALL_BIN" export --format "$format" . -o "$TMPDIR/$format" ||
        not_ok "$format" "is not written"
done
"$SQUALL_BIN" export --format folded --value allocs . >"$TMPDIR/folded.allocs"

# compare NAME PROGRAM…: the export as PROGRAM reads it, see export.py
compare() {
    local name=$1 said status
    shift
    said=$("$python3" "$here/export.py" "$name" "$TMPDIR" "$@" 2>&1)
    status=$?
    case $status in
    0) ok "$name" ;;
    77) if [ -n "${ALL:-}" ] && [ "$said" != "no npm" ]; then not_ok "$name" "$said"; else echo "ok $name # skip $said"; fi ;;
    *) not_ok "$name" "$(tail -n 8 <<<"$said" | tr '\n' ' ')" ;;
    esac
}
for name in pprof_bytes pprof_uploads go_pprof google_pprof jeprof folded flamegraph speedscope speedscope_schema dhat dh_view csv \
    jsonl sqlite; do
    compare "$name"
done

# The query of the documentation runs as it stands there.
if command -v sqlite3 >/dev/null; then
    sed -n '/^sqlite3 :memory:/,/^```/p' "$docs" | grep -v '^```' >"$TMPDIR/query.sh"
    cp "$TMPDIR/csv" sites.csv
    if bash "$TMPDIR/query.sh" >"$TMPDIR/answer" 2>&1 && grep -q '^zlib *workspace' "$TMPDIR/answer"; then
        ok example_query
    else
        not_ok example_query "$(head -n 3 "$TMPDIR/answer")"
    fi
else
    echo "ok example_query # skip no sqlite3"
fi

# A disk that is full leaves no half file behind, and says so.
"$SQUALL_BIN" export --format csv . -o /dev/full 2>"$TMPDIR/err"
[ $? = 1 ] && grep -q 'No space' "$TMPDIR/err" && ok full || not_ok full "$(cat "$TMPDIR/err")"
"$SQUALL_BIN" export --format csv . -o "$TMPDIR/no/such" 2>"$TMPDIR/err"
[ $? = 1 ] && ok no_folder || not_ok no_folder "$(cat "$TMPDIR/err")"
# What other programs read is stable: twice the same.
"$SQUALL_BIN" export --format pprof . | cmp -s - "$TMPDIR/pprof" && ok same_twice ||
    not_ok same_twice "pprof differs from run to run"
finish
