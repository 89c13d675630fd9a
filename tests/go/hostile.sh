#!/bin/bash
# A Go program that means harm to who attaches to it or looks at its profile, or whose user does: squall
# may be root's. What it says of itself is not believed, and what is its user's is not written through.
. "$(dirname "$0")/lib.sh"
need_go
version=$(versions | head -n 1)
build "$version" dynamic hostile || { not_ok build "does not build"; finish; }
chmod 1777 "$TMPDIR"

# started COMMAND…: it runs, as $pid, and is ready
started() {
    rm -f "$TMPDIR/ready"
    "$@" &
    pid=$!
    until [ -e "$TMPDIR/ready" ]; do kill -0 "$pid" 2>/dev/null || return 1; done
}
ended() {
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
}

# ---- the region is its user's as soon as it can be ----

gcc -shared -fPIC -O1 -I"$here/../../include" "$here/src/owner.c" -o "$TMPDIR/owner.so" ||
    { not_ok owner "does not build"; finish; }
for spoil in rows length; do
    fresh
    started "$program" -ready "$TMPDIR/ready"
    OWNED=$dumps SAID=$TMPDIR/met SPOIL=$spoil LD_PRELOAD=$TMPDIR/owner.so \
        "$SQUALL_BIN" attach --dir "$dumps" "$pid" 2>"$TMPDIR/said"
    status=$?
    ended
    [ "$status" -le 1 ] && [ "$(<"$TMPDIR/met")" = "strings: 1" ] && ok "region-$spoil" ||
        not_ok "region-$spoil" "exit status $status; $(head -n 2 "$TMPDIR/met" "$TMPDIR/said" | tr '\n' ' ')"
done

# another_user: root attaches to somebody else's program: it opens its region, which is its own
another_user() {
    local folder=$TMPDIR/others
    mkdir -m 1777 "$folder"
    install -m 755 "$program" "$TMPDIR/theirs"
    started setpriv --reuid=65534 --regid=65534 --clear-groups "$TMPDIR/theirs" -ready "$TMPDIR/ready" || return 1
    "$SQUALL_BIN" attach --dir "$folder" --large 32k "$pid" 2>"$TMPDIR/said" || return 1
    [ "$(stat -c '%u %a' "$folder"/*.region)" = "65534 600" ] || return 1
    until "$SQUALL_BIN" report --json "$folder" 2>"$TMPDIR/said" | tee "$TMPDIR/json" |
        grep -q '"entries":[1-9]'; do kill -0 "$pid" 2>/dev/null || return 1; done
    grep -q '"state":"hooked"' "$TMPDIR/json"
}
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    echo "ok another-user # skip needs root and setpriv"
else
    another_user && ok another-user || not_ok another-user "$(tail -n 2 "$TMPDIR/said")"
    ended
fi

# ---- what it calls itself ----

/usr/bin/python3 "$here/hostile_names.py" "$program" "$TMPDIR/named" || { not_ok names "not given"; finish; }
started "$TMPDIR/named" -ready "$TMPDIR/ready"
LC_ALL=C.UTF-8 "$SQUALL_BIN" go-profile --seconds 1 "$pid" >"$TMPDIR/shown" 2>&1 && grep -q zzz "$TMPDIR/shown" &&
    said=$(/usr/bin/python3 "$here/../targets/hostile.py" check "$TMPDIR/shown" 2>&1) && ok names ||
    not_ok names "$(tail -n 1 <<<"$said") $(head -n 4 "$TMPDIR/shown" | cat -v)"
ended

# ---- how much there is of it ----

# declines NAME WORDS COMMAND…: squall has an address space of 1 GiB for that, and says so instead of using it
declines() {
    local name=$1 words=$2
    shift 2
    (ulimit -v 1048576 && exec "$SQUALL_BIN" "$@") >"$TMPDIR/shown" 2>&1
    status=$?
    [ "$status" = 1 ] && [ "$(wc -l <"$TMPDIR/shown")" = 1 ] && grep -q "$words" "$TMPDIR/shown" && ok "$name" ||
        not_ok "$name" "exit status $status: $(head -n 2 "$TMPDIR/shown" | tr '\n' ' ')"
}
if gcc -static -no-pie -O1 "$here/src/large.c" -o "$TMPDIR/large" 2>"$TMPDIR/said"; then
    started "$TMPDIR/large" 3 "$TMPDIR/ready"
    for command in attach detach go-profile; do
        declines "segments-$command" 'larger than its file' "$command" "$pid"
    done
    ended
else
    echo "ok segments # skip no static C library"
fi
# buckets NAME WORDS ARGUMENT…: a profile that the runtime did not make
at=$(nm "$program" | sed -n 's/ [a-zA-Z] runtime\.mbuckets$//p')
buckets() {
    local name=$1 words=$2
    shift 2
    started "$program" -ready "$TMPDIR/ready" -buckets "0x$at" "$@"
    declines "$name" "$words" go-profile --seconds 1 "$pid"
    ended
}
buckets circle 'goes in a circle' -circle
buckets long-circle 'goes in a circle' -circle -count 1000
buckets deep 'too large' -count 17000
finish
