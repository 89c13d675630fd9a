#!/bin/bash
# The binary package for the Debian that this runs on: BUILD/squall_VERSION-1_ARCH.deb
#
#   packaging/deb.sh BUILD
set -eu -o pipefail
build=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
version=$(<"$here/../VERSION")
arch=$(dpkg --print-architecture)
at=$build/deb root=$build/deb/squall
deb=squall_$version-1_$arch.deb
# When the sources changed last, not when this runs: the same sources make the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null ||
    stat -c %Y "$here/../CHANGELOG.md")}
export SOURCE_DATE_EPOCH
umask 022

rm -rf "$at"
mkdir -p "$root/DEBIAN" "$at/debian"
DESTDIR=$root PREFIX=/usr ZSHDIR=share/zsh/vendor-completions "$here/install.sh" install "$build"
strip --strip-unneeded -R .comment -R .note "$root/usr/bin/squall" "$root/usr/lib/squall/libsquall.so"

doc=$root/usr/share/doc/squall
rm "$doc/LICENSE" # it is in copyright
mv "$doc/CHANGELOG.md" "$doc/changelog"
sed "/^@LICENSE@$/{
r /dev/stdin
d
}" "$here/copyright" < <(sed 's/^$/./; s/^/ /' "$here/../LICENSE" | sed 1,4d) >"$doc/copyright"
cat >"$doc/changelog.Debian" <<END
squall ($version-1) unstable; urgency=medium

  * Built from the sources of $version.

 -- $(sed -n 's/^Maintainer: //p' "$here/control.in")  $(date -Ru -d "@$SOURCE_DATE_EPOCH")
END
install -D -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/squall"
find "$root/usr/share/man" "$doc"/changelog* -type f -exec gzip -9n {} +

# dpkg-shlibdeps wants to stand in a folder of sources.
printf 'Source: squall\n\nPackage: squall\nArchitecture: any\n' >"$at/debian/control"
depends=$(cd "$at" && dpkg-shlibdeps -O squall/usr/bin/squall | sed -n 's/^shlibs:Depends=//p')
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@DEPENDS@/$depends/
    s/@SIZE@/$(du -sk --apparent-size "$root/usr" | cut -f1)/" "$here/control.in" >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"

dpkg-deb --root-owner-group --build "$root" "$build/$deb" >"$at/log"
echo "${build#"$PWD"/}/$deb"
