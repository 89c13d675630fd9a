#!/bin/bash
# Makes what is installed beside the programs out of what squall itself says of its options: the
# manual pages, the completions of three shells and the pkg-config file.
#
#   packaging/pages.sh SQUALL PREFIX OUT
set -eu -o pipefail
squall=$1 prefix=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
version=$(<"$here/../VERSION")
manual=$here/../docs/man

mkdir -p "$out/man"
"$here/help.sh" "$squall" >"$out/table"

make_page() {
    awk -v name="$1" -v version="$version" -v libdir="$prefix/lib" -f "$here/man.awk" \
        "$out/table" "${@:3}" >"$out/man/$2"
}
for page in "$manual"/*; do
    name=$(basename "$page")
    command=${name#squall-}
    make_page "${command%.?}" "$name" "$page"
done
for command in $(awk '$1 == "command" { print $2 }' "$out/table"); do
    [ -e "$manual/squall-$command.1" ] || make_page "$command" "squall-$command.1"
done

for shell in bash zsh fish; do
    awk -v here="$here" -f "$here/$shell.awk" "$out/table" >"$out/squall.$shell"
done
sed "s|@PREFIX@|$prefix|; s|@VERSION@|$version|" "$here/squall.pc.in" >"$out/squall.pc"
