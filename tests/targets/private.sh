#!/bin/bash
# A watched program's user can neither use root, who watches it, nor hide from it: what lies in a folder
# that this user owns, and the folder itself, may be anything at any moment.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, to be another user"; exit 77; }
# The names /dev/shm/squall-UID and the processes of a machine of its own.
if [ -z "${PRIVATE-}" ]; then
    unshare -m -p -f true 2>/dev/null || { echo "no namespaces here"; exit 77; }
    exec env PRIVATE=1 unshare -m -p -f --mount-proc --propagation private bash "$0"
fi
mount -t tmpfs -o mode=1777 squall-test /dev/shm || { echo "cannot mount"; exit 77; }
public
install -m 755 "$SQUALL_BIN" "$TMPDIR/squall"
export SQUALL_LIB XDG_RUNTIME_DIR=
uid=65534
as_user=(setpriv --reuid=$uid --regid=$uid --clear-groups)
its=/dev/shm/squall-$uid ours=/dev/shm/squall-0
build grower

# ---- a program that root starts and that becomes another user's ----
# What it leaves in that user's folder is found, packed into root's, and removed.
run() { "$TMPDIR/squall" run "$@" 2>"$TMPDIR/err"; }
run -- "${as_user[@]}" "$TMPDIR/grower" >"$TMPDIR/out"
if [ "$(find $its -type f | wc -l)" = 0 ] && [ "$(find $ours -name 'squall.*.squall' | wc -l)" = 1 ] &&
    grep -q "recorded in $ours/squall\..*\.squall" "$TMPDIR/err"; then
    ok "run: another user's region becomes root's dump"
else
    not_ok "run: another user's region" "$(ls -l $its $ours) $(cat "$TMPDIR/err")"
fi
"$TMPDIR/squall" report --json $ours >"$TMPDIR/json"
check "run: it is the program's" "$TMPDIR/json" <<<'from squall import *
same("blocks", [total(sites(p, "step"), "allocs") > 0 for p in load(argument(1)) if "grower" in p["exe"]], [True])'
rm -rf $its $ours

# What bears the run's id but no name that the library gives is not the library's: it stays.
run --quiet -o "$TMPDIR/dump" -- "${as_user[@]}" \
    bash -c "'$TMPDIR/grower'; cd $its && cp \$(ls squall.*.region | head -n 1) shadow" >"$TMPDIR/out"
if [ "$(ls -A $its)" = shadow ] && [ -s "$TMPDIR/dump" ]; then
    ok "run: takes regions by their names only"
else
    not_ok "run: takes regions by their names only" "$(ls -lA $its) $(cat "$TMPDIR/err")"
fi
rm -rf $its $ours "$TMPDIR/dump"

# ---- links, and folders that become links ----
# opened PATH COMMAND…: how many bytes inotify tells of what was opened there meanwhile
opened() {
    /usr/bin/python3 - "$@" <<'P'
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
events = libc.inotify_init1(os.O_NONBLOCK)
assert libc.inotify_add_watch(events, sys.argv[1].encode(), 0x20) >= 0  # IN_OPEN
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    print(len(os.read(events, 65536)))
except BlockingIOError:
    print(0)
P
}
mkdir -m 700 "$TMPDIR/victim"
"${as_user[@]}" mkdir -m 700 $its
"${as_user[@]}" ln -s "$TMPDIR/victim" /dev/shm/squall-4242
"${as_user[@]}" mkdir -m 700 /dev/shm/squall-4243
[ "$(opened $its "$TMPDIR/squall" ps)" != 0 ] && ok "ps: looks into a user's folder" ||
    not_ok "ps: looks into a user's folder" "not opened"
for command in ps "metrics --once"; do
    # shellcheck disable=SC2086 # words
    if [ "$(opened "$TMPDIR/victim" "$TMPDIR/squall" $command)" = 0 ] &&
        [ "$(opened /dev/shm/squall-4243 "$TMPDIR/squall" $command)" = 0 ]; then
        ok "$command: follows no link, and no folder in another's name"
    else
        not_ok "$command: follows no link" "opened what it leads to"
    fi
done
rm -rf /dev/shm/squall-* "${TMPDIR:?}/victim"

# A process has a file mapped that is called like a region, and its folder changes places with a link, on and on.
# In the file system of this test alone: other watchers on this machine are not to be counted.
home=/dev/shm/home led=/dev/shm/led
install -d -o $uid $home
mkdir $led && : >$led/squall.region
"${as_user[@]}" /usr/bin/python3 -c '
import ctypes, mmap, os, sys
os.chdir(sys.argv[1])
os.mkdir("its")
with open("its/squall.region", "w+b") as f:
    f.truncate(8192)
    m = mmap.mmap(f.fileno(), 8192)
os.symlink(sys.argv[2], "link")
swap = ctypes.CDLL(None).syscall
open("ready", "w").close()
while True:
    swap(316, -100, b"its", -100, b"link", 2)  # renameat2, RENAME_EXCHANGE
' $home $led &
swapper=$!
until [ -e $home/ready ]; do kill -0 $swapper || break; done
# shellcheck disable=SC2016 # expanded there
if [ "$(opened $led/squall.region bash -c 'for i in {1..50}; do "$0" ps; done' "$TMPDIR/squall")" = 0 ]; then
    ok "ps: follows no link to what a process has mapped"
else
    not_ok "ps: follows no link to what a process has mapped" "opened what it leads to"
fi
kill -9 $swapper
wait $swapper 2>/dev/null
rm -rf $home $led

# ---- who copies what a name tells ----
# In a folder that all share a region's key can be read from its name: another user, whose process stands
# earlier in /proc, has one with the same key mapped, and lays one there that names that process.
shared=$TMPDIR/shared
mkdir -m 1777 "$shared"
install -d -o $uid "$TMPDIR/home"
"${as_user[@]}" env SQUALL_DIR="$TMPDIR/home" LD_PRELOAD="$SQUALL_LIB" "$TMPDIR/grower" >"$TMPDIR/out"
"${as_user[@]}" /usr/bin/python3 -c '
import glob, mmap, os, struct, sys
home, shared = sys.argv[1:]
while not (found := glob.glob(shared + "/squall.*.region")):
    pass
pid, start, key = found[0].split("/")[-1].split(".")[1:4]
region = bytearray(open(glob.glob(home + "/squall.*.region")[0], "rb").read())
def write(path, key, pid, start):
    struct.pack_into("<Q", region, 48, key)
    struct.pack_into("<i", region, 80, pid)
    struct.pack_into("<Q", region, 96, start)
    struct.pack_into("<I", region, 248, 0)  # ended
    with open(path, "w+b") as f:
        f.write(region)
        os.chmod(path, 0o644)
        return mmap.mmap(f.fileno(), 8192)
kept = write(home + "/squall.copy.region", int(key, 16), os.getpid(), 0)
write(shared + "/squall.named.region", 12345, int(pid), int(start))
open(home + "/ready", "w").close()
sys.stdin.read()' "$TMPDIR/home" "$shared" < <(exec sleep 1000) &
copier=$!
SQUALL_DIR=$shared LD_PRELOAD=$SQUALL_LIB sleep 1000 &
victim=$!
until [ -e "$TMPDIR/home/ready" ]; do kill -0 $copier || break; done
"$TMPDIR/squall" ps --json >"$TMPDIR/json"
SQUALL_DIR=$shared "$TMPDIR/squall" metrics --once >"$TMPDIR/metrics" 2>"$TMPDIR/err"
check "ps: who copies a key hides nobody" "$TMPDIR/json" $victim $copier <<<'import json, sys
from squall import *
same("processes", sorted(p["pid"] for p in json.load(open(argument(1)))["processes"]), sorted(map(int, sys.argv[2:])))'
grep -q "^squall_process_info{pid=\"$victim\",program=\"sleep\".*uid=\"0\"" "$TMPDIR/metrics" &&
    ok "metrics: who copies a key hides nobody" || not_ok "metrics" "$(grep process_info "$TMPDIR/metrics")"
setpriv --reuid=4242 --regid=4242 --clear-groups env SQUALL_DIR="$shared" "$TMPDIR/squall" ps --json >"$TMPDIR/json"
check "ps: a region names no process of another user" "$TMPDIR/json" $uid <<<'import json, sys
from squall import *
same("processes", [(p["uid"], p["pid"]) for p in json.load(open(argument(1)))["processes"]], [(int(argument(2)), None)])'
kill -9 $victim $copier
wait $victim $copier 2>/dev/null

# ---- a name that somebody has taken for what root writes ----
region=$(find "$TMPDIR/home" -name 'squall.*.region' | head -n 1)
write() { timeout 20 "$TMPDIR/squall" export --format csv -o "$1" "$region" 2>"$TMPDIR/err"; }
"${as_user[@]}" mkfifo /dev/shm/taken
write /dev/shm/taken
[ $? = 1 ] && grep -q 'Permission denied' "$TMPDIR/err" && ok "export: not into somebody's pipe" ||
    not_ok "export: not into somebody's pipe" "$(cat "$TMPDIR/err")"
mkfifo /dev/shm/own
cat /dev/shm/own >"$TMPDIR/csv" &
write /dev/shm/own
wait $!
[ -s "$TMPDIR/csv" ] && ok "export: into a pipe of one's own" || not_ok "export: into a pipe" "$(cat "$TMPDIR/err")"
ln -s /proc/self/fd/1 "$TMPDIR/stream"
write "$TMPDIR/stream" >"$TMPDIR/streamed"
cmp -s "$TMPDIR/csv" "$TMPDIR/streamed" && [ -L "$TMPDIR/stream" ] && ok "export: into its own stream, a file" ||
    not_ok "export: into its own stream" "$(ls -l "$TMPDIR/stream" "$TMPDIR/streamed")"
write /dev/null && [ -c /dev/null ] && ok "export: into a device" || not_ok "export: into a device" "$(cat "$TMPDIR/err")"
finish
