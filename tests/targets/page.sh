#!/bin/bash
# The pages of report and diff: need nothing else, say what the report says, and names that want to break
# out of them stay text. What a person sees of it is tested in a browser by `make check-real`.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
fresh
python3=/usr/bin/python3
"$SQUALL_BIN" run --mode exact -o "$dumps/zlib.squall" -- "$python3" -c '
import threading, zlib
def work(n):
    for i in range(n): zlib.compress(bytes(200000))
threads = [threading.Thread(target=work, args=(n,)) for n in (40, 60)]
for t in threads: t.start()
for t in threads: t.join()' >/dev/null 2>&1 || { not_ok record "squall run failed"; finish; }

page=$TMPDIR/report.html
if ! "$SQUALL_BIN" export --format html "$dumps" -o "$page" 2>"$TMPDIR/err"; then
    if [ "$(wc -l <"$TMPDIR/err")" = 1 ] && grep -q 'without the page' "$TMPDIR/err" && [ ! -e "$page" ]; then
        ok says_so
        if command -v npm >/dev/null && [ -n "${ALL:-}" ]; then
            not_ok built "npm is here, and there is no page: make page says why"
        else
            echo "ok page # skip this squall was built without the page: make page"
        fi
    else
        not_ok export "$(head -n 1 "$TMPDIR/err")"
    fi
    finish
fi

# same NAME: the page in $page is that of what is in $dumps
same() {
    local said
    "$SQUALL_BIN" report --json "$dumps" >"$TMPDIR/report.json"
    if said=$("$python3" "$here/page.py" "$page" "$TMPDIR/report.json" 2>&1); then
        ok "$1"
    else
        not_ok "$1" "$(tail -n 1 <<<"$said")"
    fi
}
same same_as_report

# report --html is the same page.
"$SQUALL_BIN" report --html "$dumps" >"$TMPDIR/by-report.html"
cmp -s "$page" "$TMPDIR/by-report.html" && ok report_html || not_ok report_html "differs from export"

# A full disk leaves no half page.
"$SQUALL_BIN" export --format html "$dumps" -o /dev/full 2>"$TMPDIR/err"
[ $? = 1 ] && grep -q 'No space' "$TMPDIR/err" && ok full || not_ok full "$(cat "$TMPDIR/err")"

# Names.
mv "$dumps/zlib.squall" "$TMPDIR/"
fresh
build hostile_names
evil=$TMPDIR/'<script>alert(1)<!--'
cp "$TMPDIR/hostile_names" "$evil"
"$SQUALL_BIN" run --mode exact --quiet -o "$dumps/hostile.squall" -- "$evil" '</script><script>window.broken=3</script>' $'\xff\xfe\x1b[31m' '<!--<script>' \
    '@@SQUALL-DATA@@' $'\u2028' || not_ok hostile "the program failed"
page=$TMPDIR/hostile.html
"$SQUALL_BIN" export --format html "$dumps" -o "$page"
same hostile_names
if "$python3" "$here/page.py" --data "$page" | grep -q 'window.broken=1'; then
    ok hostile_function
else
    not_ok hostile_function "the function's name is not in the page"
fi

# Two compared: the page has what the JSON has, and the sites that did not change, too.
compared() {
    local said
    "$SQUALL_BIN" diff --per run "$2" "$3" --html "$TMPDIR/diff.html" >"$TMPDIR/diff.txt" &&
        grep -q '^before' "$TMPDIR/diff.txt" &&
        "$SQUALL_BIN" diff --per run "$2" "$3" --json >"$TMPDIR/diff.json" &&
        said=$("$python3" "$here/page.py" "$TMPDIR/diff.html" "$TMPDIR/diff.json" 2>&1) && ok "$1" ||
        not_ok "$1" "$(tail -n 1 <<<"${said:-squall diff failed}")"
}
compared diff "$TMPDIR/zlib.squall" "$dumps/hostile.squall"
grep -q 'window.broken=1' "$TMPDIR/diff.html" && ok diff_hostile || not_ok diff_hostile "the name is not in the page"
compared diff_itself "$TMPDIR/zlib.squall" "$TMPDIR/zlib.squall"
"$SQUALL_BIN" diff --per run --format html "$TMPDIR/zlib.squall" "$TMPDIR/zlib.squall" | cmp -s - "$TMPDIR/diff.html" &&
    ok diff_format || not_ok diff_format "differs from --html"
"$SQUALL_BIN" diff --per run "$TMPDIR/zlib.squall" "$dumps/hostile.squall" --html /dev/full >/dev/null 2>"$TMPDIR/err"
[ $? = 1 ] && [ "$(cat "$TMPDIR/err")" = "squall: diff: /dev/full: No space left on device" ] && ok diff_full ||
    not_ok diff_full "$(cat "$TMPDIR/err")"
[ -z "${PAGE_OUT:-}" ] || cp "$TMPDIR/report.html" "$page" "$PAGE_OUT"
finish
