#!/bin/bash
# Makes the page of `squall report --html` from what is in this folder: one file, with its data
# still to be put in (src/render/html.c).
#
#   tools/page/build.sh OUT [--must]
#
# Libraries come from the npm registry, as package-lock.json fixes them, into a folder beside OUT. A
# release archive has the page as tools/page/built.html. Where there is neither npm nor a network nor
# an archive, OUT is empty: squall then says that it has no page. With --must that is an error.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1") must=${2:-}
work=$(dirname "$out")
mkdir -p "$work" || exit 1

without() {
    : >"$out"
    echo "page: not built ($*); squall will have no HTML report; make page tries again" >&2
    [ -z "$must" ]
    exit
}

if [ -e "$here/built.html" ]; then
    cp "$here/built.html" "$out"
    exit
fi
command -v node >/dev/null && command -v npm >/dev/null || without "no npm"
if ! cmp -s "$here/package-lock.json" "$work/node_modules/.lock"; then
    cp "$here/package.json" "$here/package-lock.json" "$work/" || exit 1
    (cd "$work" && timeout 120 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 \
        --fetch-timeout=20000) >"$work/npm.log" 2>&1 || without "npm ci failed, see $work/npm.log"
    cp "$here/package-lock.json" "$work/node_modules/.lock"
fi
node "$here/build.mjs" "$work" "$out" || exit 1
