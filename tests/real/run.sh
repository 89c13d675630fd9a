#!/bin/bash
# Runs one real program once, on loopback, and prints `RESULT NAME status=N seconds=N`.
#
#   [WRAP="env LD_PRELOAD=…"] [OUT=DIR] tests/real/run.sh NAME        or: run.sh list
#
# WRAP prefixes only the program under test, never its clients. OUT receives what must be the same
# in every run: `said`, the program's streams without what varies, and `made`, hashes of what it
# produced as other programs read it. A program that does not end in LIMIT seconds is killed:
# status 124. The exit status is the program's, or 125 when the run itself could not be set up.
# shellcheck disable=SC2317 # the programs' functions are called by name
set -u
here=$(cd "$(dirname "$0")" && pwd)
drivers=$here/drivers
work=${SQUALL_WORK:-${TMPDIR:-/tmp}/squall-work}
LIMIT=${LIMIT:-120}
WRAP=${WRAP:-}
# Debian's own: it is what the packaged extension modules are built for.
python=/usr/bin/python3
export LC_ALL=C HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1

die() {
    echo "run.sh: $*" >&2
    exit 125
}

# ---- running the program under test ----

status=125

# Runs it to its end.
program() {
    # shellcheck disable=SC2086 # WRAP is words
    timeout -k 5 "$LIMIT" $WRAP "$@" >>"$scratch/stdout" 2>>"$scratch/stderr" </dev/null
    status=$?
}

# Starts it as a server; waits until it listens on $port.
server=""
serve() {
    # shellcheck disable=SC2086
    $WRAP "$@" >>"$scratch/stdout" 2>>"$scratch/stderr" </dev/null &
    server=$!
    wait_until "(exec 3<>/dev/tcp/127.0.0.1/$port)" && return
    kill -9 "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    status=$?
    server=""
    return 1
}

# The first of $server and its descendants that runs the command $1: WRAP may stand above it.
find_program() {
    local pids=("$server") pid
    while [ ${#pids[@]} -gt 0 ]; do
        pid=${pids[0]}
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] && echo "$pid" && return
        mapfile -t pids < <(printf '%s\n' "${pids[@]:1}" "$(pgrep -P "$pid")" | sed '/^$/d')
    done
}

# Sends signal $2 (none: only waits) to the server, named $1, and waits for its end.
stop() {
    local pid
    pid=$(find_program "$1")
    [ -n "$pid" ] && [ -n "${2:-}" ] && kill "-$2" "$pid"
    if ! wait_until "! kill -0 $server"; then
        echo "no end after its signal" >>"$scratch/stderr"
        kill -9 "$pid" "$server" 2>/dev/null
        status=124
        server=""
        return
    fi
    wait "$server"
    status=$?
    server=""
}

# Waits until a command is true, LIMIT seconds at most.
wait_until() {
    local deadline=$((SECONDS + LIMIT))
    until eval "$1" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        [ -z "$server" ] || [ "$1" != "${1#!}" ] || kill -0 "$server" 2>/dev/null || return 1
        sleep 0.05
    done
}

# ---- what surrounds it ----

free_port() {
    $python - <<'P'
import random, socket
while True: # below those that the kernel gives to who asks for any
    try:
        s = socket.socket()
        s.bind(("127.0.0.1", random.randrange(15000, 30000)))
        print(s.getsockname()[1])
        break
    except OSError:
        pass
P
}

# A mock Kafka cluster in another process: $bootstrap. It ends with the descriptor.
start_brokers() {
    mkfifo "$scratch/brokers.stdin"
    $python "$drivers/brokers.py" "$scratch/brokers" <"$scratch/brokers.stdin" 2>/dev/null &
    exec 9>"$scratch/brokers.stdin"
    wait_until "[ -s $scratch/brokers ]" || die "the mock cluster did not start"
    bootstrap=$(<"$scratch/brokers")
}

stop_brokers() {
    exec 9>&-
}

# Adds standard input to what the program made.
made() {
    cat >>"$scratch/made"
}

# Both streams without what varies: nothing by default, a program may have its own.
tidy() {
    cat
}

# Makes the data once; several runs may come here together.
make_data() {
    if ! mkdir -p "$work" || ! chmod 755 "$work"; then
        die "cannot write $work"
    fi
    exec 8>"$work/lock"
    flock 8
    if [ ! -e "$work/log.txt" ]; then
        mkdir -p "$work/new"
        $python "$drivers/make_data.py" "$work/new" || die "no data"
        mv "$work/new/log.txt" "$work/log.txt" || die "no data"
        rmdir "$work/new"
    fi
    if [ ! -d "$work/repository" ] && [[ $name == git_* ]]; then
        rm -rf "$work/repository.new"
        git init -q --bare "$work/repository.new" || die "no repository"
        $python "$drivers/make_repository.py" "$work/log.txt" |
            git -C "$work/repository.new" fast-import --quiet || die "no repository"
        mv "$work/repository.new" "$work/repository"
    fi
    if [[ $name == java_* ]] && [ ! "$work/java/Compress.class" -nt "$drivers/Compress.java" ]; then
        javac -d "$work/java" -cp "$jars" "$drivers/Compress.java" || die "no javac"
    fi
    flock -u 8
    exec 8>&-
}
jars=/usr/share/java/zstd-jni.jar:/usr/share/java/snappy-java.jar:/usr/share/java/lz4-java.jar

# ---- the programs ----

# librdkafka under Debian's Python: a workspace of 3,658,041 bytes for each batch.
run_rdkx_zstd() {
    start_brokers
    program "$python" "$drivers/kafka_producer.py" "$bootstrap" "$work/log.txt" zstd
    $python "$drivers/count_messages.py" "$bootstrap" topic0 topic1 | made
    stop_brokers
}

# The same in batches of 100 messages: a context for 100 KB.
run_rdkx_zstd_small() {
    start_brokers
    program "$python" "$drivers/kafka_producer.py" "$bootstrap" "$work/log.txt" zstd 100
    $python "$drivers/count_messages.py" "$bootstrap" topic0 topic1 | made
    stop_brokers
}

# The same library in a C program, one line a message.
produce_with_kcat() {
    head -n 150000 "$work/log.txt" >"$scratch/lines"
    start_brokers
    program kcat -q -P -b "$bootstrap" -t lines -X linger.ms=100 \
        -X queue.buffering.max.messages=500000 -z "$1" -l "$scratch/lines"
    $python "$drivers/count_messages.py" "$bootstrap" lines | made
    stop_brokers
}

run_kcat_zstd() {
    produce_with_kcat zstd
}

run_kcat_lz4() {
    produce_with_kcat lz4
}

run_kcat_snappy() {
    produce_with_kcat snappy
}
run_kcat_gzip() {
    produce_with_kcat gzip
}

run_py_zstd() {
    program "$python" "$drivers/compress_zstd.py" "$work/log.txt"
}

# zlib, bz2 and lzma by Python's own modules.
run_py_zlib() {
    program "$python" "$drivers/compress_zlib.py" "$work/log.txt"
}

run_java_jni() {
    program java -Xmx512m -cp "$work/java:$jars" Compress "$work/log.txt"
}

run_node_zlib() {
    program node "$drivers/compress.js" "$work/log.txt"
}

# 14 million small allocations. The threads race for the same keys, so the keys are what is
# compared.
run_db_bench_zstd() {
    program db_bench --benchmarks=fillrandom,compact --num=100000 --value_size=400 --threads=2 \
        --seed=1 --compression_type=zstd --max_background_jobs=2 --db="$scratch/db"
    ldb --db="$scratch/db" --hex scan --no_value | made
    tidy() {
        sed -E 's/.*\r//; s/\.\.\. finished [0-9]+ ops *//g; /^(Date|CPU|CPUCache):/d;
                s/^((fillrandom|compact) *:).*/\1/; s|\[/.*\]|[PATH]|'
    }
}

# LZ4_compress_fast_continue, in blocks that are large.
run_db_bench_lz4() {
    program db_bench --benchmarks=fillrandom,compact --num=40000 --value_size=400 --threads=1 \
        --seed=1 --compression_type=lz4 --block_size=131072 --max_background_jobs=2 \
        --write_buffer_size=4194304 --db="$scratch/db"
    ldb --db="$scratch/db" --hex scan --no_value | made
    tidy() {
        sed -E 's/.*\r//; s/\.\.\. finished [0-9]+ ops *//g; /^(Date|CPU|CPUCache):/d;
                s/^((fillrandom|compact) *:).*/\1/; s|\[/.*\]|[PATH]|'
    }
}

# What the threads deltify against what varies; the objects in the pack do not.
run_git_gc() {
    program git -C "$work/repository" pack-objects --all --no-reuse-object --threads=2 -q \
        --window=10 "$scratch/pack"
    local pack
    pack=$(<"$scratch/stdout")
    git verify-pack "$scratch/pack-$pack.idx" && echo verified | made
    git show-index <"$scratch/pack-$pack.idx" | awk '{ print $2 }' | sort | made
    tidy() {
        sed -E 's/^[0-9a-f]{40}$/PACK/'
    }
}

# Two forked workers of another uid; one large block a request, from nginx's own pool.
run_nginx_mp() {
    port=$(free_port)
    mkdir "$scratch/files"
    head -c 1M "$work/log.txt" >"$scratch/files/log.txt"
    local folders=""
    for module in client_body proxy fastcgi uwsgi scgi; do
        folders+="${module}_temp_path $scratch/$module; "
    done
    cat >"$scratch/nginx.conf" <<CONF
daemon off;
pid $scratch/pid;
worker_processes 2;
events { worker_connections 256; }
http {
    access_log off;
    $folders
    types { text/plain txt; }
    gzip on;
    gzip_types text/plain;
    gzip_comp_level 5;
    server { listen 127.0.0.1:$port; root $scratch/files; }
}
CONF
    if serve nginx -c "$scratch/nginx.conf" -e "$scratch/stderr"; then
        $python "$drivers/fetch.py" "$port" /log.txt 160 | made
        stop nginx QUIT
    fi
    tidy() {
        sed -E 's/^[0-9/]+ [0-9:]+ //; s/[0-9]+#[0-9]+/PID/; s/process [0-9]+/process PID/g'
    }
}

# mod_deflate in forked, threaded children of another uid; modules are unloaded at the end.
run_apache_deflate() {
    local modules=/usr/lib/apache2/modules module
    port=$(free_port)
    mkdir "$scratch/files"
    head -c 1M "$work/log.txt" >"$scratch/files/log.txt"
    {
        for module in mpm_event authz_core filter mime deflate; do
            echo "LoadModule ${module}_module $modules/mod_$module.so"
        done
        cat <<CONF
ServerName localhost
Listen 127.0.0.1:$port
PidFile $scratch/pid
ErrorLog $scratch/errors
DocumentRoot $scratch/files
DefaultRuntimeDir $scratch
Mutex pthread
TypesConfig /dev/null
AddType text/plain .txt
SetOutputFilter DEFLATE
StartServers 2
ThreadsPerChild 8
MaxRequestWorkers 128
CONF
        [ "$(id -u)" != 0 ] || printf 'User www-data\nGroup www-data\n'
    } >"$scratch/apache.conf"
    if serve /usr/sbin/apache2 -DFOREGROUND -f "$scratch/apache.conf"; then
        $python "$drivers/fetch.py" "$port" /log.txt 160 | made
        stop apache2 TERM
    fi
    # Only what went wrong: when children come and go is the load's doing.
    grep -aE ':(warn|error|crit|alert|emerg)\]|exit signal' "$scratch/errors" >>"$scratch/stderr"
    tidy() {
        sed -E 's/^\[[A-Z][^]]*[0-9]\] //; s/\[pid [^]]*\] //; s/pid [0-9]+/pid PID/'
    }
}

# LZF inside the server: an output buffer for each value saved.
run_redis_lzf() {
    port=$(free_port)
    if serve redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$scratch"; then
        $python "$drivers/redis_client.py" "$port" "$work/log.txt" | made
        stop redis-server
    fi
    redis-check-rdb "$scratch/dump.rdb" | grep -aE 'keys read|Checksum|looks OK' |
        sed 's/^\[offset [0-9]*\] //' | made
    tidy() {
        sed -E 's/^[0-9]+:([A-Z]) .{20,24} ([-*#.]) /\1 \2 /; s/(pid|port)[=:] ?[0-9]+/\1/;
                /memory|Memory|^ /d; s/[0-9.]+ (seconds|MB)/N \1/g'
    }
}

run_borg_zstd() {
    export BORG_BASE_DIR=$scratch BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
    borg init -e none "$scratch/archive" || die "borg init"
    program borg create --compression zstd "$scratch/archive::a" "$work/log.txt"
    (cd "$scratch" && borg extract --stdout archive::a | sha256sum) | made
}

# Pools: a few blocks, each serving many calls.
run_pigz() {
    head -c 16M "$work/log.txt" >"$scratch/lines"
    program pigz -p 4 -k "$scratch/lines"
    gzip -dc "$scratch/lines.gz" | sha256sum | made
}

run_pixz() {
    head -c 8M "$work/log.txt" >"$scratch/lines"
    program pixz -1 -p 2 "$scratch/lines" "$scratch/lines.xz"
    pixz -d <"$scratch/lines.xz" | sha256sum | made
}

make_squashfs() {
    head -c "$2" "$work/log.txt" >"$scratch/lines"
    program mksquashfs "$scratch/lines" "$scratch/image" -comp "$1" -processors 2 -no-progress \
        -mem 256M -quiet
    unsquashfs -cat "$scratch/image" lines | sha256sum | made
}

run_mksquashfs_zstd() {
    make_squashfs zstd 16M
}

run_mksquashfs_xz() {
    make_squashfs xz 4M
}

# One stream for the whole run, behind a module that is loaded on demand. The last message goes to
# a file of its own, too: then all others have been written.
run_rsyslog_gzip() {
    port=$(free_port)
    cat >"$scratch/rsyslog.conf" <<CONF
module(load="imtcp")
input(type="imtcp" port="$port" address="127.0.0.1")
global(workDirectory="$scratch" maxMessageSize="8k")
main_queue(queue.size="500000" queue.dequeueBatchSize="2048" queue.workerThreads="1")
template(name="text" type="string" string="%msg%\n")
action(type="omfile" file="$scratch/lines.gz" template="text" zipLevel="6" ioBufferSize="256k"
       asyncWriting="on" flushOnTXEnd="off" veryRobustZip="off")
if \$msg contains "the last message" then action(type="omfile" file="$scratch/last")
CONF
    if serve /usr/sbin/rsyslogd -n -f "$scratch/rsyslog.conf" -i "$scratch/pid"; then
        $python "$drivers/send_syslog.py" "$port" "$work/log.txt" 60000
        wait_until "[ -s $scratch/last ]"
        stop rsyslogd TERM
        gzip -dc "$scratch/lines.gz" | sha256sum | made
    fi
}

# ---- the frame ----

name=${1:-list}
if [ "$name" = list ]; then
    sed -n 's/^run_\([a-z0-9_]*\)() {$/\1/p' "$0"
    exit
fi
declare -F "run_$name" >/dev/null || die "no program $name; see: run.sh list"
make_data
scratch=$(mktemp -d "$work/run.XXXXXX") || die "cannot write $work"
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
touch "$scratch/stdout" "$scratch/stderr" "$scratch/made"
cd "$scratch" || die "no scratch folder"

began=${EPOCHREALTIME/./}
"run_$name"
ended=${EPOCHREALTIME/./}
if [ -n "${OUT:-}" ]; then
    mkdir -p "$OUT"
    {
        tidy <"$scratch/stdout"
        tidy <"$scratch/stderr" | sed 's/^/stderr: /'
    } | sed "s|$scratch|SCRATCH|g" >"$OUT/said"
    cp "$scratch/made" "$OUT/made"
fi
echo "RESULT $name status=$status seconds=$(((ended - began) / 1000000)).$(((ended - began) / 100000 % 10))"
exit "$status"
