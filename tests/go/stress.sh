#!/bin/bash
# Part of make soak: the producer under everything that disturbs a hook in its allocator. Every result
# is decoded and compared by the producer itself; every entry must have its exit. RUNS=500 by default.
. "$(dirname "$0")/lib.sh"
need_go
RUNS=${RUNS:-500}
SEED=${SEED:-$(date +%s)}
RANDOM=$SEED
echo "seed $SEED"
mapfile -t all < <(versions)
hows=(stripped static pie bare dynamic)
modes=(naive naive made lowmem pooled append limited per-batch)
procs=(1 2 3 4 8 16 32 64)
pick() { local -n list=$1; echo "${list[RANDOM % ${#list[@]}]}"; }

whole() { "$SQUALL_BIN" report --json "$dumps" 2>/dev/null | /usr/bin/python3 -c '
import json, sys
counts = json.load(open(sys.argv[1]))
process = next(p for p in json.load(sys.stdin)["processes"] if p.get("go"))
go, lost = process["go"], process["totals"]["lost"]
calls = sum(c["calls"] for c in process["codec_calls"] if c["function"].endswith("EncodeAll"))
sites = sum(s["allocs"] for s in process["sites"] if s["runtime"] == "go")
if not (go["state"] == "hooked" and go["entries"] == go["exits"] == counts["large_allocs"] == sites and
        calls == counts["calls"] and not lost["go"] and not lost["codec"]):
    sys.exit("%s entries %d exits %d sites %d calls %d lost %s; its own: %s" % (
        go["state"], go["entries"], go["exits"], sites, calls, {k: n for k, n in lost.items() if n},
        counts))' "$dumps/counts"; }

# Each version and build in its turn; how many went well, of how many, is told at the end, and when
# it is interrupted.
cells=()
declare -A went ran
for version in "${all[@]}"; do
    for how in "${hows[@]}"; do
        build "$version" "$how" && cells+=("$version $how") || not_ok "$version-$how" "does not build"
    done
done
table() {
    local version how
    printf '%-8s' Go
    printf ' %9s' "${hows[@]}"
    echo
    for version in "${all[@]}"; do
        printf '%-8s' "$version"
        for how in "${hows[@]}"; do
            printf ' %9s' "${went[$version $how]:-0}/${ran[$version $how]:-0}"
        done
        echo
    done
}
is_over=
trap 'is_over=1' INT TERM

done=0
for ((i = 0; i < RUNS && !${is_over:-0}; i++)); do
    read -r version how <<<"${cells[i % ${#cells[@]}]}"
    build "$version" "$how"
    mode=$(pick modes)
    arguments=(-mode "$mode" -g "$((8 + RANDOM % 200))" -ops "$((20 + RANDOM % 60))" -verify)
    [ $((RANDOM % 8)) != 0 ] || arguments+=(-g "$((1000 + RANDOM % 3000))" -ops 300 -min 33000 -max 70000)
    [ $((RANDOM % 2)) = 0 ] || arguments+=(-deep "$((50 + RANDOM % 400))")
    [ $((RANDOM % 2)) = 0 ] || arguments+=(-panics)
    [ $((RANDOM % 2)) = 0 ] || arguments+=(-profiles)
    [ $((RANDOM % 2)) = 0 ] || arguments+=(-gcpercent)
    [ "$mode" != per-batch ] || arguments+=(-g 8 -ops 12)
    settings=(GOMAXPROCS="$(pick procs)")
    [ $((RANDOM % 2)) = 0 ] || settings+=(GOGC=10)
    fresh
    export "${settings[@]}"
    SQUALL_CONF=large:32k timeout 120 "$SQUALL_BIN" run --quiet --dir "$dumps" -- "$program" \
        -report "$dumps/counts" "${arguments[@]}" >"$dumps/out" 2>&1
    status=$?
    unset GOMAXPROCS GOGC
    [ -z "$is_over" ] || break # it was interrupted, too
    ran[$version $how]=$((${ran[$version $how]:-0} + 1))
    if [ "$status" = 0 ] && [ ! -s "$dumps/out" ] && whole 2>"$dumps/why"; then
        done=$((done + 1))
        went[$version $how]=$((${went[$version $how]:-0} + 1))
    else
        not_ok "$version-$how" "${settings[*]} ${arguments[*]}: status $status $(head -qn 1 "$dumps/out" "$dumps/why" 2>/dev/null)"
    fi
    rm -rf "$dumps"
done
table
echo "ok stress ($done of $i runs)"
[ -z "$is_over" ] || finish
trap - INT TERM

# ---- attach and detach, on one process under load ----

ROUNDS=${ROUNDS:-200}
[ "$ROUNDS" -gt 0 ] || finish
build "${all[0]}" static
fresh
"$program" -g 64 -ops 0 -verify >"$dumps/out" 2>&1 &
pid=$!
until [ "$(find "/proc/$pid/task" -maxdepth 1 2>/dev/null | wc -l)" -gt 4 ]; do
    kill -0 "$pid" || break
done
for ((i = 0; i < ROUNDS; i++)); do
    "$SQUALL_BIN" attach --dir "$dumps" --large 32k "$pid" 2>>"$dumps/said" &&
        "$SQUALL_BIN" detach "$pid" 2>>"$dumps/said" || break
    rm -f "$dumps"/*.region
done
if [ "$i" = "$ROUNDS" ] && kill -0 "$pid" && [ ! -s "$dumps/out" ]; then
    ok "attach ($ROUNDS rounds, median stop $(sed -n 's/.*threads stood still for \([0-9.]*\) ms,.*/\1/p' "$dumps/said" |
        sort -n | sed -n "$((ROUNDS / 2))p") ms, longest $(sed -n 's/.*threads stood still for \([0-9.]*\) ms,.*/\1/p' \
            "$dumps/said" | sort -n | tail -n 1) ms)"
else
    not_ok "attach" "after $i rounds: $(tail -n 2 "$dumps/said" "$dumps/out")"
fi
kill "$pid"
wait "$pid" 2>/dev/null
finish
