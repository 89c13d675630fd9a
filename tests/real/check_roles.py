#!/usr/bin/python3
"""check_roles.py NAME REPORT.json FOLDER: compares what squall says large blocks of program NAME are
for with what the roles oracle saw in the same run (FOLDER/roles.PID), and the findings with what is
known about the program.

Prints `ok …` and `not ok …: WHY` lines:
  NAME roles     blocks and bytes of each role are equal within 1 % in every process; of a codec
                 inside the program as many as are known
  NAME flags     no flagged site is reused, none is an input, and none is one of a stack of modules
                 where the oracle saw most outputs being filled again
  NAME findings  those that are expected are there, those that would be wrong are not"""
import json
import os
import sys

ROLES = ("workspace", "output", "input")
TOLERANCE = 0.01

# Codecs inside the program, which cannot be interposed: the oracle sees none of it, squall more.
# What it has to see is known from the drivers: blocks by role.
STATIC = {
    # 60 gzip and 20 deflateSync take four blocks, 30 brotli six.
    "node_zlib": {"workspace": 80 * 4 + 30 * 6},
    # 100 values, saved eight times.
    "redis_lzf": {"output": 800, "input": 100},
}
# Sites where kept buffers and fresh ones are made by the same stack: most are fresh.
MIXED = {
    "py_zstd": "a kept compressor and fresh ones by the same stack",
}

# Findings: rules one of which is needed; and whether findings about buffers and contexts, of
# whatever rule, would be wrong.
BINDING = ("context-per-call-binding",)
ABOUT_BUFFERS = ("batch-buffers", "context-per-call", "context-per-call-binding",
                 "stream-without-pool", "output-as-large-as-source", "output-grown",
                 "worst-case-block", "context-reallocates", "mmap-per-call")
EXPECTED = {
    "rdkx_zstd": [("batch-buffers",)],
    "rdkx_zstd_small": [("batch-buffers",)],
    "kcat_zstd": [("batch-buffers",)],
    "kcat_lz4": [("batch-buffers",)],
    "kcat_gzip": [("batch-buffers",)],
    "py_zstd": [BINDING],
    "py_zlib": [BINDING],
    "java_jni": [("stream-without-pool",), BINDING],
    "git_gc": [("context-per-call",)],
    "nginx_mp": [("context-per-call",)],
    "apache_deflate": [("context-per-call",)],
    "node_zlib": [BINDING],
    "mksquashfs_xz": [("context-per-call",)],
    "redis_lzf": [("output-as-large-as-source",)],
}
# Their buffers are used again: a finding about outputs would be a false alarm.
POOLS = {"borg_zstd", "pigz", "pixz", "mksquashfs_zstd", "mksquashfs_xz", "rsyslog_gzip"}
ABOUT_OUTPUTS = ("batch-buffers", "output-as-large-as-source", "output-grown", "worst-case-block",
                 "mmap-per-call")


class Result:
    def __init__(self, name):
        self.name = name
        self.failed = False

    def say(self, what, wrong, good):
        if wrong:
            self.failed = True
            print(f"not ok roles {self.name} {what}: {'; '.join(wrong)[:400]}")
        else:
            print(f"ok roles {self.name} {what} ({good})")


def read_oracle(folder):
    """{pid: (head, places)}"""
    processes = {}
    for file in os.listdir(folder):
        with open(f"{folder}/{file}") as lines:
            head, *places = map(json.loads, lines)
        processes[head["pid"]] = head, places
    return processes


def sums(parts):
    """{role: [allocs, bytes]}"""
    total = {role: [0, 0] for role in ROLES}
    for part in parts:
        for role in ROLES:
            total[role][0] += part[role]["allocs"]
            total[role][1] += part[role]["bytes"]
    return total


def add(to, part):
    for role in ROLES:
        to[role] = [a + b for a, b in zip(to[role], part[role])]


def roles_of(site):
    """What is made while decompressing is a workspace to squall, of its own direction; the oracle
    leaves it out."""
    if site["direction"] != "decompress":
        return site["roles"]
    return dict(site["roles"], workspace={"allocs": 0, "bytes": 0})


def differences(ours, theirs):
    for role in ROLES:
        for n, unit in enumerate(("blocks", "bytes")):
            if abs(ours[role][n] - theirs[role][n]) > TOLERANCE * max(ours[role][n], theirs[role][n]):
                yield f"{role} {unit}: squall {ours[role][n]}, oracle {theirs[role][n]}"


def check_roles(result, processes, oracle):
    wrong = []
    squall_all, oracle_all = sums([]), sums([])
    ours = {p["pid"]: sums(map(roles_of, p["sites"])) for p in processes}
    for pid in sorted(ours.keys() | oracle.keys()):
        head, places = oracle.get(pid, ({"lost": 0}, []))
        theirs = sums(places)
        add(squall_all, ours.get(pid, sums([])))
        add(oracle_all, theirs)
        if head["lost"]:
            wrong.append(f"the oracle lost {head['lost']} blocks of {pid}")
        if result.name not in STATIC:
            wrong += (f"{pid} {d}" for d in differences(ours.get(pid, sums([])), theirs))
    for role, blocks in STATIC.get(result.name, {}).items():
        if squall_all[role][0] != blocks:
            wrong.append(f"{role}: squall {squall_all[role][0]}, known to be {blocks}")
    if not any(blocks for blocks, _ in squall_all.values()):
        wrong.append("no block with a role")
    good = ", ".join(f"{role} {squall_all[role][0]}/{oracle_all[role][0]} blocks "
                     f"{squall_all[role][1]}/{oracle_all[role][1]} bytes" for role in ROLES)
    result.say("roles", wrong, good + ("; static codec" if result.name in STATIC else ""))


def modules_of(site):
    """As the oracle names a stack: up to the first frame in no module, without repetition."""
    names = []
    for frame in site["stack"]:
        if not frame["module"]:
            break
        name = os.path.basename(frame["module"])
        if name not in ("libsquall.so", "roles_oracle.so") and names[-1:] != [name]:
            names.append(name)
    return tuple(names)


def is_mixed(name, site):
    role = site["roles"].get(site["role"])
    return name in MIXED and role and site["transient"] * 2 > role["allocs"]


def check_flags(result, processes, oracle):
    wrong, flagged = [], 0
    for p in processes:
        refilled = {tuple(place["modules"]) for place in oracle.get(p["pid"], (0, []))[1]
                    if place["refilled"] * 2 > place["blocks"]}
        for s in p["sites"]:
            if not s["flagged"]:
                continue
            flagged += 1
            at = f"site {s['id']} of {p['pid']}"
            if s["reused"] and not is_mixed(result.name, s):
                wrong.append(f"{at} is flagged and reused")
            if s["role"] not in ("workspace", "output"):
                wrong.append(f"{at} is flagged, its role is {s['role']}")
            if s["role"] == "output" and modules_of(s) in refilled:
                wrong.append(f"{at} is flagged, the oracle saw its outputs filled again")
    result.say("flags", wrong, f"{flagged} flagged")


def check_findings(result, processes):
    found = [(f["rule"], p, f) for p in processes for f in p["findings"]]
    rules = [rule for rule, _, _ in found]
    wrong = [f"none of {' '.join(any_of)}" for any_of in EXPECTED.get(result.name, [])
             if not set(any_of) & set(rules)]
    for rule, p, f in found:
        sites = {s["id"]: s for s in p["sites"]}
        site = sites.get(f["site"])
        if rule in ABOUT_BUFFERS and site and site["reused"] and \
                not is_mixed(result.name, site):
            wrong.append(f"{rule} is about a site that is reused: {f['summary']}")
        if rule in ABOUT_OUTPUTS and result.name in POOLS:
            wrong.append(f"{rule} of a pool: {f['summary']}")
        if not f["fix"]:
            wrong.append(f"{rule} has no advice")
    result.say("findings", wrong, " ".join(sorted(set(rules))) or "none")


def main():
    name, report, folder = sys.argv[1:]
    result = Result(name)
    processes = json.load(open(report))["processes"]
    oracle = read_oracle(folder)
    check_roles(result, processes, oracle)
    check_flags(result, processes, oracle)
    check_findings(result, processes)
    return 1 if result.failed else 0


sys.exit(main())
