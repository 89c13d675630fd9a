#!/bin/bash
# An archive of the sources as committed, which builds where neither git nor npm is.
#
#   packaging/dist.sh OUT [FILE=PATH…]   what is not committed but shipped, and where in the archive
set -eu -o pipefail
out=$(realpath -m "$1")
shift
cd "$(dirname "$0")/.."
name=squall-$(<VERSION)
git rev-parse --verify -q HEAD >/dev/null || { echo "dist: this is no git checkout" >&2 && exit 1; }
git diff --quiet HEAD || echo "dist: what is not committed is not in the archive" >&2
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
options=()
for pair; do
    path=${pair#*=}
    install -D -m 644 "${pair%%=*}" "$made/$path"
    options+=("--prefix=$name/$(dirname "$path")/" "--add-file=$made/$path")
done
mkdir -p "$(dirname "$out")"
# gzip without a name and a time: the same commit makes the same archive.
git archive --format=tar "${options[@]}" --prefix="$name/" HEAD | gzip -9n >"$out.new"
mv "$out.new" "$out"
echo "${out#"$PWD"/}"
