"""What squall promises about its speed, and whether this run agrees."""
from measure import added, table

STEADY = ["rdkx_zstd", "kcat_zstd", "db_bench_zstd", "node_zlib"]


def at_most(what, value, goal, unit):
    if value is None:
        return None
    return [what, f"{value:,.2f}{unit}", f"≤ {goal}{unit}", "yes" if value <= goal else "**no**"]


def median(spread):
    return spread.median if spread else None


def of_micro(m, is_noisy):
    base = "1 thread, 16 levels"
    times = median(m.times_exact(base, "heaptrack"))
    yield at_most("exact, 20 frames", median(m.added(base, "exact")), 40, " ns")
    if times is not None:
        yield ["heaptrack : exact, 20 frames", f"{times:.1f}×", "≥ 12×",
               "yes" if times >= 12 else "**no**"]
    for what, title, goal in (
            ("exact, 68 frames", "1 thread, 64 levels", 60),
            ("exact, 200 paths", "200 random paths, 13 frames shared", 100),
            ("exact, 10,000 stacks", "10,000 random stacks of 17 frames", 250)):
        yield at_most(what, median(m.added(title, "exact")), goal, " ns")
    one = median(m.added(base, "exact", which=1))
    for title, goal in (("2 threads, 16 levels", 1.15), ("8 threads, 16 levels", 1.3)):
        more = median(m.added(title, "exact", which=1))
        if one and more:
            row = at_most(f"exact, {title.split(',')[0]} : 1 thread, by the clock", more / one,
                          goal, "×")
            yield row[:-1] + ["?"] if is_noisy else row
    yield at_most("default over the bare wrapper", median(m.added(base, "default", "wrapper")), 1,
                  " ns")


def of_real(r):
    for name, goal in (("default", 1.02), ("exact", 1.20)):
        for program in STEADY:
            yield at_most(f"{name}, CPU of {program}", median(r.ratio(program, name)), goal, "×")
    for program in ("kcat_zstd", "db_bench_zstd"):
        yield at_most(f"exact, {program}", r.ns_a_pair(program, "exact"), 100, " ns an allocation")
    yield at_most("default, memory of rdkx_zstd", median(r.added_memory("rdkx_zstd", "default")), 8,
                  " MiB")


def of_start(start):
    for name in ("default", "exact"):
        if name in start:
            yield at_most(f"{name}, start-up", median(added(start[name], start["plain"])), 1.5,
                          " ms")


def markdown(micro, real, start, is_noisy):
    """A table, or None when no part with goals ran. The clock says nothing where it `is_noisy`."""
    rows = list(of_micro(micro, is_noisy)) if micro else []
    rows += of_real(real) if real else []
    rows += of_start(start) if start else []
    rows = [row for row in rows if row]
    return table(["goal", "this run", "", "met"], rows) if rows else None
