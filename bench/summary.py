# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of the bench comes to: geometric means over its rows, and the bars that Gnomon is held to."""
import math
import statistics

# A 64-bit host's own INT 80h takes microseconds, which no program uses: a ratio to that says nothing.
NOT_IN_MEANS = ("int80",)
COMPUTE, SYSTEM = ("program", "compute"), ("system",)
MEANS = (("compute", COMPUTE), ("system", SYSTEM), ("short", ("short",)), ("disk", ("disk",)), ("boot", ("boot",)))
PAIRS = (("gnomon", "native"), ("qemu", "native"), ("qemu", "gnomon"))
TC_BYTES = 64 << 20  # the translation cache, by default
GUEST_BYTES = 512 << 20
# Of the guest: compute mean and slowest row by native, system mean by native, TCG by Gnomon from the kernel to userland.
HIT_RATE, PROFILING = "0.999", "1.03"
BARS = {"i386": ("1.15", "1.6", "2.0", "4"), "x86_64": ("1.35", "2.2", "3.0", "3"), "compat": ("1.15", "1.6", "3.0", "3")}


def figure(result):
    """The number of a row in one round: seconds of a boot, nanoseconds of an operation."""
    return result.get("wall", result.get("best"))


def ratio(results, row, over, under):
    """Median over the rounds of one machine's figure by another's in the same round, or None."""
    pairs = zip(results[row].get(over, []), results[row].get(under, []))
    ratios = [figure(a) / figure(b) for a, b in pairs if a and b]
    return statistics.median(ratios) if ratios else None


def ratios(everything, groups, over, under):
    """{row: ratio} of the rows in these groups that have one."""
    rows = [row for row, (group, _) in everything["what"].items() if group in groups and row in everything["results"]]
    found = {row: ratio(everything["results"], row, over, under) for row in rows}
    return {row: value for row, value in found.items() if value is not None}


def mean(everything, groups, over, under):
    """The geometric mean of ratios(), without NOT_IN_MEANS; None without any."""
    logs = [math.log(value) for row, value in ratios(everything, groups, over, under).items() if row not in NOT_IN_MEANS]
    return math.exp(statistics.mean(logs)) if logs else None


def means(everything):
    """{title: {"gnomon/native": ...}} of all groups that have rows on two machines."""
    result = {}
    for title, groups in MEANS:
        found = {f"{over}/{under}": mean(everything, groups, over, under) for over, under in PAIRS}
        if any(value is not None for value in found.values()):
            result[title] = found
    return result


def beyond_ram(everything):
    """Gnomon's memory beyond guest RAM after all rows, in bytes; None: not measured."""
    found = [entry["memory"]["beyond_ram"] for entry in everything["results"].get("idle", {}).get("gnomon", []) if entry and entry.get("memory")]
    return statistics.median(found) if found else None


def hit_rate(entries):
    """Of the translation cache while a row ran, all rounds together (docs/profiling.md), or None: entries were not counted."""
    counters = [entry["counters"] for entry in entries if entry and entry.get("counters", {}).get("block_entries")]
    found = sum(c["block_entries"] for c in counters)
    return 1 - sum(c.get("dispatcher_misses", 0) for c in counters) / found if found else None


def worst(found, sign=1):
    """"row value" of the largest (sign 1) or smallest of {row: ratio}."""
    row = max(found, key=lambda name: sign * found[name])
    return row, found[row]


def bars(everything):
    """[(what, measured, bar, met)], texts and a truth value: of what has been measured."""
    lines = []
    compute_mean, compute_row, system_mean, boot = BARS[everything["about"].get("arch", "i386")]

    def at_most(what, value, bar, text=None):
        if value is not None:
            lines.append((what, text or f"{value:.2f}", f"at most {bar}", value <= float(bar)))

    def at_least(what, value, bar, text=None):
        if value is not None:
            lines.append((what, text or f"{value:.2f}", f"at least {bar}", value >= float(bar)))

    at_most("compute, geometric mean, Gnomon / native", mean(everything, COMPUTE, "gnomon", "native"), compute_mean)
    compute = ratios(everything, COMPUTE, "gnomon", "native")
    if compute:
        row, value = worst(compute)
        at_most("compute, slowest row, Gnomon / native", value, compute_row, f"{value:.2f} ({row})")
    at_most("system, geometric mean, Gnomon / native", mean(everything, SYSTEM, "gnomon", "native"), system_mean)
    ahead = ratios(everything, (*COMPUTE, *SYSTEM, "short", "disk", "boot"), "qemu", "gnomon")
    if ahead:
        row, value = worst(ahead, -1)
        behind = sorted(name for name in ahead if ahead[name] < 1)
        at_least("no row slower than TCG: least TCG / Gnomon", value, "1", f"{value:.2f} ({', '.join(behind) or row})")
    for row, what, bar in (("boot", "kernel to userland, TCG / Gnomon", boot), ("boot_installer", "installer's first screen, TCG / Gnomon", "3")):
        if row in everything["results"]:
            at_least(what, ratio(everything["results"], row, "qemu", "gnomon"), bar)
    rates = {row: hit_rate(by_machine.get("exact", [])) for row, by_machine in everything["results"].items()}
    rates = {row: rate for row, rate in rates.items() if rate is not None and everything["what"].get(row, ("",))[0] in COMPUTE}
    if rates:
        row, rate = worst(rates, -1)
        at_least("compute, least hit rate of the translation cache", rate, HIT_RATE, f"{rate:.4%} ({row})")
    profiling = mean(everything, (*COMPUTE, *SYSTEM), "profiled", "gnomon")
    at_most("--profile, geometric mean of its cost", profiling, PROFILING)
    memory = beyond_ram(everything)
    if memory is not None:
        bar = TC_BYTES + GUEST_BYTES // 10
        at_most("memory beyond guest RAM, MiB", memory / 2**20, f"{bar / 2**20:.0f}", f"{memory / 2**20:.0f}")
    return lines
