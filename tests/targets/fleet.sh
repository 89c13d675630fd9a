#!/bin/bash
# The fleet's side, with the real Prometheus: it scrapes three producers by the example's
# configuration, for SECONDS (5; check-real has a minute), and says what the reports say. The
# examples of docs/ are checked as they stand: rules by promtool, pods by doing what they say.
. "$(dirname "$0")/lib.sh"
examples=$here/../../docs/examples
export PYTHONPATH=$here
build producer -lzstd -lz -llz4
mkdir -m 700 "$TMPDIR/dumps"

if out=$(promtool check config "$examples/prometheus.yml" 2>&1 &&
    promtool test rules "$examples/squall-rules-test.yml" 2>&1); then
    ok "the example's rules, by promtool"
else
    not_ok "the example's rules, by promtool" "$(tail -n 1 <<<"$out")"
fi

if out=$(/usr/bin/python3 -B "$here/fleet.py" "$TMPDIR" "$SQUALL_LIB" "$SQUALL_BIN" "$examples" \
    "${SECONDS_WATCHED:-5}" 2>&1); then
    ok "Prometheus says by codec what the reports say"
else
    not_ok "Prometheus says by codec what the reports say" "$(tail -n 1 <<<"$out")"
fi

# ---- Kubernetes: what the pods' files say is done here, with folders for volumes ----

# pod FILE NUMBER NAME KEY: of a container of the NUMBERth document, "command" as words or "env" as
# NAME=VALUE, a line each
pod() {
    /usr/bin/python3 - "$@" <<'P'
import sys, yaml
path, number, name, key = sys.argv[1:]
document = list(yaml.safe_load_all(open(path)))[int(number)]
spec = document["spec"].get("template", document)["spec"]
volumes = {v["name"] for v in spec["volumes"]}
for container in spec["initContainers"] + spec["containers"]:
    for mount in container.get("volumeMounts", []):
        assert mount["name"] in volumes, mount
    if container["name"] == name:
        print(*(container["command"] if key == "command" else
                [f"{e['name']}={e['value']}" for e in container["env"]]), sep="\n")
P
}

# here_is TEXT: with this machine's folders for the pod's
here_is() {
    sed "s|/usr/local/lib/squall/libsquall.so|@LIBRARY@|g; s|/squall/|@VOLUME@/|g; s|/node/|@VOLUME@/|g
        s|/recorded/|@VOLUME@/recorded/|g; s|@VOLUME@|$volume|g; s|@LIBRARY@|$SQUALL_LIB|g"
}

# seen FIGURES PID: the producer's codec calls are in them
seen() {
    grep -qE "^squall_codec_calls_total\{pid=\"$2\",.*codec=\"zstd\".*\} [1-9]" "$1"
}

# follow NAME READER…: starts the producer with $environment as user 1000 in $group, lets READER
# write the figures until they have it
follow() {
    local name=$1 pid figures=$TMPDIR/figures
    shift
    "${enter[@]}" setpriv --reuid=1000 --regid=1000 --groups="$group" \
        env "${environment[@]}" "$TMPDIR/producer" zstd "$TMPDIR/still" "$TMPDIR/end" >/dev/null &
    pid=$!
    until "$@" >"$figures" 2>"$TMPDIR/err" && seen "$figures" "$pid"; do
        kill -0 "$pid" 2>/dev/null || break
        read -rt 0.2 <> <(:)
    done
    if seen "$figures" "$pid"; then ok "$name"; else not_ok "$name" "$(tail -n 1 "$TMPDIR/err")"; fi
    touch "$TMPDIR/still" "$TMPDIR/end"
    wait "$pid"
    rm -f "$TMPDIR/still" "$TMPDIR/end"
}

if [ "$(id -u)" != 0 ]; then
    echo "ok the pods # skip only root becomes other users"
    finish
fi
chmod 755 "$TMPDIR"
install -m 755 "$SQUALL_BIN" "$SQUALL_LIB" "$TMPDIR" # user 1001 may not see the checkout

group=2000 enter=() volume=$TMPDIR/sidecar
file=$examples/kubernetes-sidecar.yml
mkdir "$volume" && chgrp "$group" "$volume" && chmod 2777 "$volume" # as fsGroup makes it
mapfile -t words < <(pod "$file" 0 squall-install command | here_is)
(umask 022 && "${words[@]}") || not_ok "sidecar" "the folder was not made"
mapfile -t environment < <(pod "$file" 0 producer env | here_is)
mapfile -t reader < <(pod "$file" 0 squall command)
mapfile -t reader_environment < <(pod "$file" 0 squall env | here_is)
if [ "${reader[*]}" = "squall metrics --listen :9788" ]; then
    follow "the sidecar of the example" setpriv --reuid=1001 --regid=1001 --groups="$group" \
        env "${reader_environment[@]}" "$TMPDIR/squall" metrics --once
else
    not_ok "the sidecar of the example" "is started by: ${reader[*]}"
fi

# The node's reader: another mount namespace than the producer's, a container's capabilities.
volume=$TMPDIR/node file=$examples/kubernetes-daemonset.yml
mkdir "$volume" "$volume/recorded"
mapfile -t words < <(pod "$file" 0 squall-install command | here_is)
"${words[@]}" || not_ok "daemonset" "the library was not put there"
mapfile -t words < <(pod "$file" 1 squall-folder command | here_is)
mapfile -t environment < <(pod "$file" 1 producer env | here_is)
if ! unshare -m true 2>/dev/null; then
    echo "ok the DaemonSet of the example # skip no mount namespace can be made here"
    finish
fi
# shellcheck disable=SC2016 # expanded in the namespace
enter=(unshare -m bash -c 'mount -t tmpfs none "$0/recorded" && "${@:2:$1}" && exec "${@:2+$1}"'
    "$volume" "${#words[@]}" "${words[@]}")
capabilities=-all
for c in chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap \
    net_bind_service sys_chroot kill audit_write sys_ptrace; do
    capabilities+=,+$c
done
follow "the DaemonSet of the example" setpriv --bounding-set="$capabilities" \
    "$SQUALL_BIN" metrics --once
finish
