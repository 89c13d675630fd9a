#!/bin/bash
# Runs the tests and counts them; tests/README.md says what a test is. The last line is
# `N passed, N failed`.
#
#   tests/run.sh [GROUP|FILE]…      groups: unit targets danger cli rules fuzz go real (all by default)
set -u

SQUALL_ROOT=$(cd "$(dirname "$0")/.." && pwd)
SQUALL_BUILD=$(realpath -m "${BUILD:-$SQUALL_ROOT/build}")
export SQUALL_ROOT SQUALL_BUILD SQUALL_LIB=$SQUALL_BUILD/libsquall.so SQUALL_BIN=$SQUALL_BUILD/squall
export SQUALL_WORK=${SQUALL_WORK:-${TMPDIR:-/tmp}/squall-work}
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=TAP
unset SQUALL_CONF SQUALL_DIR NO_COLOR
JOBS=${JOBS:-2}
LIMIT=${LIMIT:-300}

all=$(mktemp -d) || exit 1
chmod 1777 "$all"
trap 'rm -rf "$all"' EXIT

# The files of a group, a line each.
files_of() {
    case $1 in
    unit) find "$SQUALL_BUILD/tests/unit" -type f -perm -1 \( -name '*_test' -o -name '*_test_old' \) | sort ;;
    # lib.sh is no test; debootstrap.sh takes long: check-real calls it by name.
    targets | cli | rules)
        compgen -G "$SQUALL_ROOT/tests/$1/*.sh" | grep -vE '/(lib|debootstrap)\.sh$' | sort
        ;;
    danger) find "$SQUALL_ROOT/tests/danger" -maxdepth 1 -type f -regex '.*\.\(c\|cc\|sh\)' ! -name run.sh | sort ;;
    fuzz) printf '%s\n' "$SQUALL_ROOT/tests/fuzz/replay.sh" ;;
    go) printf '%s\n' "$SQUALL_ROOT"/tests/go/{check,children,codecs,hostile}.sh ;;
    real) printf '%s\n' "$SQUALL_ROOT/tests/real/subset.sh" ;;
    *) realpath -- "$1" ;;
    esac
}

# Runs one cli test and compares; what differs is printed.
run_golden() {
    local base=${1%.sh} out=$2 status wanted=0 bad=0 stream
    bash "$1" >"$out.stdout" 2>"$out.stderr" </dev/null
    status=$?
    [ -e "$base.status" ] && wanted=$(<"$base.status")
    if [ "$status" != "$wanted" ]; then
        echo "exit status $status, expected $wanted"
        bad=1
    fi
    [ "$status" = 77 ] && [ "$wanted" = 0 ] && { tail -n 1 "$out.stdout"; return 77; }
    for stream in stdout stderr; do
        if [ -e "$base.$stream.exact" ]; then
            [ -n "${UPDATE:-}" ] && cp "$out.$stream" "$base.$stream.exact"
            diff -u --label "expected $stream" --label "$stream" \
                "$base.$stream.exact" "$out.$stream" || bad=1
        elif [ -e "$base.$stream.glob" ]; then
            /usr/bin/python3 "$SQUALL_ROOT/tests/cli/glob.py" "$base.$stream.glob" \
                "$out.$stream" || bad=1
        fi
    done
    [ "$bad" = 0 ] || sed 's/^/stderr: /' "$out.stderr" | tail -n 20
    return "$bad"
}
export -f run_golden

# Runs one test file; leaves its output and exit status in $all/NUMBER.{log,status}.
run_one() {
    local file=$1 out=$all/$2 limit=$LIMIT status test
    mkdir -m 1777 "$out.tmp"
    cd "$out.tmp" || exit 1
    test=("$file")
    # shellcheck disable=SC2016 # expanded by the inner shell
    case $file in
    "$SQUALL_ROOT"/tests/real/*) limit=$((LIMIT > 900 ? LIMIT : 900)) ;;
    # In both modes over the C library's own allocator; check-real has the others.
    "$SQUALL_ROOT"/tests/danger/*)
        test=("$SQUALL_ROOT/tests/danger/run.sh" -a glibc "$(basename "${file%.*}")")
        ;;
    "$SQUALL_ROOT"/tests/cli/*) test=(bash -c 'run_golden "$1" "$2"' - "$file" "$out") ;;
    esac
    TMPDIR=$out.tmp timeout -k 5 "$limit" "${test[@]}" >"$out.log" 2>&1 </dev/null &
    { wait $!; } 2>/dev/null # without bash's word about a signal
    status=$?
    # timeout leads a process group: what a test left running ends with it.
    kill -KILL -- "-$!" 2>/dev/null
    case $status in
    124) echo "no end after $limit s" >>"$out.log" ;;
    137) echo "killed, perhaps because there was no end after $limit s" >>"$out.log" ;;
    esac
    echo "$status" >"$out.status"
    chmod -R u+rwX "$out.tmp" 2>/dev/null
    rm -rf "$out.tmp"
}

SKIPPED='^(not )?ok .*# *[Ss][Kk][Ii][Pp]'

# Adds the outcome of one test file to the sums; shows the output of one that failed.
passed=0 failed=0 skipped=0
count_one() {
    local name=${1#"$SQUALL_ROOT"/} log=$all/$2.log status good=0 bad=0 skip=0
    status=$(<"$all/$2.status")
    if [[ $1 != "$SQUALL_ROOT"/tests/cli/* ]]; then
        good=$(grep -acE '^ok( |$)' "$log")
        # cmocka writes "not ok N # SKIP NAME"
        skip=$(grep -acE "$SKIPPED" "$log")
        bad=$(grep -aE '^not ok( |$)' "$log" | grep -acvE "$SKIPPED")
        good=$((good - $(grep -aE "$SKIPPED" "$log" | grep -ac '^ok')))
    fi
    if [ "$status" = 77 ]; then
        skip=$((skip + 1))
    elif [ "$status" != 0 ]; then
        [ "$bad" -gt 0 ] || bad=1
    elif [ $((good + bad + skip)) = 0 ]; then
        good=1
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if [ "$bad" -gt 0 ]; then
        echo "FAILED $name (exit status $status)"
        tail -n 60 "$log" | sed 's/^/    /'
    elif [ "$skip" -gt 0 ]; then
        grep -aE "$SKIPPED" "$log" | sed "s|^|$name: |"
        [ "$status" = 77 ] && echo "skipped $name: $(tail -n 1 "$log")"
    fi
    [ -z "${V:-}" ] || echo "$name: $good passed, $bad failed"
}

[ $# -gt 0 ] || set -- unit targets danger cli rules fuzz go real
files=()
for group; do
    mapfile -t -O ${#files[@]} files < <(files_of "$group")
done
if [ ${#files[@]} = 0 ]; then
    echo "no tests for: $*"
    echo "0 passed, 1 failed"
    exit 1
fi

for i in "${!files[@]}"; do
    if [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; then
        wait -n
    fi
    # A real program and what it is compared with want the machine for themselves.
    [[ ${files[i]} == */tests/real/* ]] && wait
    run_one "${files[i]}" "$i" &
done
wait
for i in "${!files[@]}"; do
    count_one "${files[i]}" "$i"
done
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
