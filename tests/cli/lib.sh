# shellcheck shell=bash
# Sourced by the cli tests: a program to record, and a region of it.
# shellcheck disable=SC2153,SC2120,SC2119 # SQUALL_BIN, SQUALL_LIB come from the runner
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SQUALL_DIR=$TMPDIR/out
mkdir -m 700 "$SQUALL_DIR"

# What to run as `squall`: messages then begin with its name, not with a path.
squall() {
    "$SQUALL_BIN" "$@"
}

# Builds $TMPDIR/target.
build_target() {
    ${CC:-cc} -O1 -g -pthread "$here/target.c" -o "$TMPDIR/target" "$@" || exit 99
}

# Leaves a region of the target as $TMPDIR/region.
make_region() {
    build_target
    SQUALL_CONF=mode:exact LD_PRELOAD=$SQUALL_LIB "$TMPDIR/target" >"$TMPDIR/target.out" || exit 99
    mv "$SQUALL_DIR"/squall.*.region "$TMPDIR/region" || exit 99
}

# Runs a command, prints its exit status, and its streams with the scratch folder cut out.
show() {
    local status
    "$@" >"$TMPDIR/stdout" 2>"$TMPDIR/stderr"
    status=$?
    sed "s|$TMPDIR/||g; s|^|out: |" "$TMPDIR/stdout"
    sed "s|$TMPDIR/||g; s|^|err: |" "$TMPDIR/stderr"
    echo "status $status"
}

# Writes bytes (printf escapes) $3 at offset $2 of file $1.
poke() {
    # shellcheck disable=SC2059 # escapes are the point
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
