#!/bin/bash
# What squall says that large blocks are for (workspace, output, input), and its findings, on real
# programs: beside an oracle (roles_oracle.c) that sees the same run. Prints lines `ok …`,
# `not ok …: WHY`, `ok … # skip WHY`, and `N passed, N failed`.
#
#   tests/real/check-roles.sh [NAME…]
#   KEEP=DIR keeps reports and what the oracle left; ROLES_CONF is for squall (args:off must fail)
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lib=${SQUALL_LIB:-$root/build/libsquall.so}
bin=${SQUALL_BIN:-$root/build/squall}
build=${SQUALL_BUILD:-$root/build}/tests/real
conf=${ROLES_CONF:-}
export LC_ALL=C
unset SQUALL_CONF SQUALL_DIR
[ $# -gt 0 ] || set -- rdkx_zstd rdkx_zstd_small kcat_zstd kcat_lz4 kcat_gzip py_zstd py_zlib java_jni \
    git_gc redis_lzf nginx_mp apache_deflate node_zlib db_bench_zstd db_bench_lz4 borg_zstd pigz pixz \
    mksquashfs_zstd mksquashfs_xz rsyslog_gzip

# What a program needs, where the name does not say it: any of the group `real` may be missing.
declare -A NEEDS=(
    [kcat]=kcat [java]=javac [git]=git [redis]=redis-server [nginx]=nginx [node]=node
    [apache]=/usr/sbin/apache2 [db]=db_bench [borg]=borg [pigz]=pigz [pixz]=pixz
    [mksquashfs]=mksquashfs [rsyslog]=/usr/sbin/rsyslogd
)

all=$(mktemp -d) || exit 1
chmod 755 "$all"
trap 'rm -rf "$all"' EXIT

mkdir -p "$build"
for source in "$here"/roles_*.[ch]; do
    [ "$build/roles_oracle.so" -nt "$source" ] && continue
    ${CC:-cc} -O2 -g -Wall -Wextra -fPIC -shared -fno-builtin -fvisibility=hidden \
        "$here"/roles_*.c -o "$build/roles_oracle.so" -lgcc_s || exit 1
    break
done

# One program; prints its lines.
check() {
    local program=$1 dir=$all/$1 need=${NEEDS[${1%%_*}]:-} status
    if [ -n "$need" ] && ! command -v "$need" >/dev/null; then
        echo "ok roles $program # skip $need is not installed"
        return
    fi
    mkdir -p "$dir/squall" "$dir/oracle"
    chmod 1777 "$dir/squall" "$dir/oracle"
    WRAP="env LD_PRELOAD=$lib:$build/roles_oracle.so SQUALL_DIR=$dir/squall ${conf:+SQUALL_CONF=$conf} ROLES_DIR=$dir/oracle" \
        "$here/run.sh" "$program" >"$dir/log" 2>&1
    status=$?
    if [ "$status" != 0 ]; then
        echo "not ok roles $program: exit status $status: $(tail -n 1 "$dir/log")"
    elif ! "$bin" report --json "$dir/squall" >"$dir/report.json" 2>"$dir/error"; then
        echo "not ok roles $program: no report: $(head -n 1 "$dir/error")"
    elif ! /usr/bin/python3 "$here/check_roles.py" "$program" "$dir/report.json" "$dir/oracle" \
        >"$dir/lines" 2>"$dir/error" && ! grep -q '^not ok' "$dir/lines"; then
        echo "not ok roles $program: $(tail -n 1 "$dir/error")"
    fi
    cat "$dir/lines" 2>/dev/null
    if [ -n "${KEEP:-}" ]; then
        mkdir -p "$KEEP" && cp -r "$dir" "$KEEP/"
    fi
    rm -rf "$dir"
}

for program; do
    check "$program" | tee -a "$all/lines"
done
failed=$(grep -ac '^not ok' "$all/lines")
skipped=$(grep -acE '^ok .* # skip' "$all/lines")
passed=$(($(grep -ac '^ok' "$all/lines") - skipped))
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
