#!/bin/bash
# Installs what make built, or takes it away again: one list for both.
#
#   [DESTDIR=DIR] [PREFIX=DIR] [ZSHDIR=DIR] packaging/install.sh install|uninstall BUILD
set -eu -o pipefail
verb=$1 build=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/usr/local} to=${DESTDIR:-}
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
umask 022

# put MODE FILE WHERE: WHERE is below the prefix
put() {
    if [ "$verb" = install ]; then
        install -D -m "$1" "$2" "$to$prefix/$3"
    else
        rm -f "$to$prefix/$3"
    fi
}

case $verb in
install | uninstall) ;;
*) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
"$here/pages.sh" "$build/squall" "$prefix" "$pages"
cd "$here/.."
put 755 "$build/squall" bin/squall
put 644 "$build/libsquall.so" lib/squall/libsquall.so
put 644 "$pages/squall.pc" share/pkgconfig/squall.pc
put 644 include/squall/squall.h include/squall/squall.h
put 644 include/squall/region.h include/squall/region.h
for page in "$pages"/man/*; do
    put 644 "$page" "share/man/man${page##*.}/${page##*/}"
done
put 644 "$pages/squall.bash" share/bash-completion/completions/squall
put 644 "$pages/squall.fish" share/fish/vendor_completions.d/squall.fish
put 644 "$pages/squall.zsh" "${ZSHDIR:-share/zsh/site-functions}/_squall"
for file in README.md CHANGELOG.md LICENSE docs/*.md docs/examples/* docs/images/*; do
    put 644 "$file" "share/doc/squall/$file"
done
if [ "$verb" = uninstall ]; then
    for folder in lib/squall include/squall share/doc/squall; do
        [ ! -d "$to$prefix/$folder" ] || find "$to$prefix/$folder" -depth -type d -empty -delete
    done
fi
