#!/bin/bash
# Gets the Go toolchains of Debian's other suites into the work folder, beside the system's: asks apt
# with a configuration of its own, unpacks, installs nothing. Prints the versions that are there.
. "$(dirname "$0")/lib.sh"
SUITES=${SUITES:-bookworm bookworm-backports trixie trixie-backports sid}
apt=$SQUALL_WORK/go-apt
# shellcheck disable=SC2016 # apt's own placeholder
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    2>/dev/null | grep -v security | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian/}

mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc/preferences.d" "$apt/etc/apt.conf.d" "$apt/debs"
: >"$apt/status"
for suite in $SUITES; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done >"$apt/etc/sources.list"
cat >"$apt/conf" <<END
Dir::Etc "$apt/etc"; Dir::Etc::sourceparts "-"; Dir::State "$apt/state"; Dir::Cache "$apt/cache";
Dir::State::status "$apt/status"; APT::Architecture "amd64"; APT::Sandbox::User "root";
Acquire::Languages "none"; Acquire::Check-Valid-Until "false";
END
export APT_CONFIG=$apt/conf
apt-get -qq update 2>/dev/null || echo "no package lists from $mirror" >&2
for name in $(apt-cache search -n '^golang-1\.[0-9]+-go$' | sed 's/^golang-\(1\.[0-9]*\)-go.*/\1/' | sort -uV); do
    root_of "$name" >/dev/null && continue
    (cd "$apt/debs" && apt-get -qq download "golang-$name-go" "golang-$name-src") || continue
    for deb in "$apt/debs/golang-$name"-*.deb; do
        dpkg -x "$deb" "$SQUALL_WORK/go-$name" && rm -f "$deb"
    done
done
versions
