# shellcheck shell=bash
# Sourced by the rules: where things are, and how a rule says what it found.
set -u
export LC_ALL=C
ROOT=${SQUALL_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck disable=SC2034 # for those that source this
LIB=${SQUALL_LIB:-$ROOT/build/libsquall.so}
RULE=$(basename "$0" .sh)

# Prints the outcome and leaves: `finish` when all is well, `finish WHAT IS WRONG` otherwise.
finish() {
    local why="$*"
    if [ -z "${why//[[:space:]]/}" ]; then
        echo "ok $RULE"
        exit 0
    fi
    echo "not ok $RULE: ${why//$'\n'/ }"
    exit 1
}

need_library() {
    [ -f "$LIB" ] || finish "$LIB is not built"
}

# Prints the lines of a list file without comments and blanks.
entries() {
    sed 's/[[:space:]]*#.*//; /^$/d' "$1"
}
