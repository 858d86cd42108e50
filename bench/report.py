# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables and the plot of a run of the bench, from what run.py collected (or from its JSON file: report.py FILE.json)."""
import html
import json
import math
import statistics
import sys

import micro
import summary
from summary import figure, ratio

COUNTERS = ("callouts", "stepped", "hidden_faults", "true_faults", "traced_writes", "mappings_made", "dispatcher_lookups",
            "blocks_translated", "indirect_misses", "cache_entries")
NOTEWORTHY = 0.02  # counts an operation below this are not shown
CLOCK_SHARE, CLOCK_SLACK = 0.03, 0.02  # a guest's clock may disagree by a share, and s for serial line and scheduling
GROUPS = ("boot", "system", "disk", "program", "compute", "short")


def values(results, row, machine):
    return [figure(result) for result in results[row].get(machine, []) if result]


def cpu_ratio(results, row):
    pairs = zip(results[row].get("qemu", []), results[row].get("gnomon", []))
    ratios = [a["cpu"] / b["cpu"] for a, b in pairs if a and b and "cpu" in a and "cpu" in b]
    return statistics.median(ratios) if ratios else None


def scaled(value, boot):
    """With a unit that fits."""
    if value is None:
        return "-"
    ns = value * 1e9 if boot else value
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 100 * size else f"{ns / size:.0f} {unit}"
    return f"{ns:.3g} ns"


def number(value):
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def sorted_rows(everything):
    rows = [row for row in everything["results"] if row in everything["what"]]
    order = list(everything["what"])
    return sorted(rows, key=lambda row: (GROUPS.index(everything["what"][row][0]), order.index(row)))


def main_table(everything):
    results = everything["results"]
    lines = ["| row | native | Gnomon | TCG | Gnomon / native | TCG / native | TCG / Gnomon | an operation is |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    for row in sorted_rows(everything):
        group, text = everything["what"][row]
        found = {name: values(results, row, name) for name in ("native", "gnomon", "qemu")}
        cells = [scaled(statistics.median(v) if v else None, group == "boot") for v in found.values()]
        ratios = [number(ratio(results, row, *pair)) for pair in (("gnomon", "native"), ("qemu", "native"), ("qemu", "gnomon"))]
        if ratio(results, row, "qemu", "gnomon") is not None:
            ratios[2] = f"**{ratios[2]}**"
        lines.append("| " + " | ".join([row, *cells, *ratios, text]) + " |")
    return lines


def boot_table(everything):
    results = everything["results"]
    rows = [row for row in sorted_rows(everything) if everything["what"][row][0] == "boot" and cpu_ratio(results, row)]
    lines = ["| boot | Gnomon, CPU s | TCG, CPU s | ratio |", "| --- | ---: | ---: | ---: |"] if rows else []
    for row in rows:
        cpu = [statistics.median(r["cpu"] for r in results[row][name] if r) for name in ("gnomon", "qemu")]
        lines.append(f"| {row} | {cpu[0]:.2f} | {cpu[1]:.2f} | {cpu_ratio(results, row):.2f} |")
    return lines


def summary_lines(everything):
    """Geometric means, and what is asked of them."""
    means = summary.means(everything)
    lines = ["| geometric mean | Gnomon / native | TCG / native | TCG / Gnomon |", "| --- | ---: | ---: | ---: |"] if means else []
    for title, found in means.items():
        lines.append("| " + " | ".join([title, *(number(value) for value in found.values())]) + " |")
    bars = summary.bars(everything)
    if bars:
        lines += ["", "| bar | measured | wanted | met |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {what} | {value} | {bar} | {'yes' if met else '**no**'} |" for what, value, bar, met in bars]
    return lines


def first_table(everything):
    """The first run of each program in a VM that has just been started, by its best one: what translation costs."""
    results, lines = everything["results"], []
    for row in sorted_rows(everything):
        cells = []
        for name in ("native", "gnomon", "qemu"):
            pairs = [(r["first"], r["best"]) for r in results[row].get(name, []) if r and "first" in r]
            cells += [scaled(statistics.median(first for first, _ in pairs), False), number(statistics.median(first / best for first, best in pairs))] \
                if pairs else ["-", "-"]
        if cells != ["-"] * 6:
            lines.append("| " + " | ".join([row, *cells]) + " |")
    head = ["| first run | native | / best | Gnomon | / best | TCG | / best |", "| --- |" + " ---: |" * 6]
    return [*head, *lines] if lines else []


def bochs_table(everything):
    """Its one round beside the first of the others; means by the host's clock."""
    results = everything["results"]
    rows = [row for row in sorted_rows(everything) if any(results[row].get("bochs", []))]
    lines = ["| row | Bochs | Bochs / native | Bochs / Gnomon |", "| --- | ---: | ---: | ---: |"] if rows else []
    for row in rows:
        cells = [scaled(figure(results[row]["bochs"][0]), everything["what"][row][0] == "boot")]
        cells += [number(ratio(results, row, "bochs", name)) for name in ("native", "gnomon")]
        lines.append("| " + " | ".join([row, *cells]) + " |")
    return lines


def profile_table(everything):
    """What profiling costs, and how often control came to a block that was there, if the machines for it ran."""
    results, lines = everything["results"], []
    for row in sorted_rows(everything):
        rate, cost = summary.hit_rate(results[row].get("exact", [])), ratio(results, row, "profiled", "gnomon")
        if rate is not None or cost is not None:
            lines.append(f"| {row} | {'-' if cost is None else f'{cost:.3f}'} | {'-' if rate is None else f'{rate:.4%}'} |")
    return ["| row | with --profile / without | hit rate |", "| --- | ---: | ---: |", *lines] if lines else []


def idle_lines(everything):
    lines = []
    for name, entries in everything["results"].get("idle", {}).items():
        shares = [entry["share"] for entry in entries if entry]
        if shares:
            lines.append(f"- {name}: {100 * statistics.median(shares):.1f}% of a processor while the guest waits")
    return lines


def memory_table(everything):
    """After all rows, in MiB: what the guest has touched of its RAM, what the process holds beyond that, and for what."""
    found = {name: [entry["memory"] for entry in entries if entry and entry.get("memory")]
             for name, entries in everything["results"].get("idle", {}).items()}
    found = {name: entries for name, entries in found.items() if entries}
    kinds = list(dict.fromkeys(kind for entries in found.values() for kind in entries[0]))
    kinds = sorted(kinds, key=lambda kind: {"guest_ram": 0, "beyond_ram": 1}.get(kind, 2))
    lines = ["| memory after all rows, MiB | " + " | ".join(kind.replace("_", " ") for kind in kinds) + " |", "| --- |" + " ---: |" * len(kinds)]
    for name, entries in found.items():
        cells = [f"{statistics.median(e[kind] for e in entries) / 2**20:.1f}" if kind in entries[0] else "" for kind in kinds]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines if found else []


def per_operation(entries):
    """Counts an operation, medians over the rounds: {counter: count}, instructions of callouts among them as 'callout X'."""
    sums = []
    for result in entries:
        if not result or "counters" not in result or "operations" not in result:
            continue
        flat = {name: result["counters"].get(name, 0) for name in COUNTERS}
        flat.update({"callout " + name: n for name, n in result["counters"].get("callouts_by_insn", {}).items()})
        sums.append({name: n / result["operations"] for name, n in flat.items()})
    names = {name for one in sums for name in one}
    return {name: statistics.median(one.get(name, 0) for one in sums) for name in names}


def counter_table(everything):
    lines = ["| row | " + " | ".join(name.replace("_", " ") for name in COUNTERS) + " | callouts, by instruction |",
             "| --- | " + " ---: |" * len(COUNTERS) + " --- |"]
    for row in sorted_rows(everything):
        counts = per_operation(everything["results"][row].get("gnomon", []))
        if not counts:
            continue
        by_insn = sorted(((n, name[8:]) for name, n in counts.items() if name.startswith("callout ") and n >= NOTEWORTHY), reverse=True)
        lines.append("| " + " | ".join([row, *(f"{counts[c]:.3g}" if counts[c] >= NOTEWORTHY else "" for c in COUNTERS),
                                        ", ".join(f"{name} {n:.3g}" for n, name in by_insn[:8])]) + " |")
    return lines if len(lines) > 2 else []


def preempted(everything):
    """Rows in which a VM's process got clearly less than a processor: the machine was busy with something else."""
    shares = [result["cpu_seconds"] / result["host_seconds"] for row in everything["results"].values()
              for name in ("gnomon", "qemu") for result in row.get(name, []) if result and result.get("host_seconds")]
    return statistics.mean(shares) if shares else None


def clock_lines(everything):
    """Whether guests' clocks agree with the host's: in all rows together, and for each row in the median of its rounds."""
    lines, rows = [], []
    for name in ("gnomon", "qemu"):
        total = [0.0, 0.0]
        for row, by_machine in everything["results"].items():
            pairs = [(r["guest_seconds"], r["host_seconds"]) for r in by_machine.get(name, []) if r and "host_seconds" in r]
            if not pairs:
                continue
            total = [total[i] + sum(pair[i] for pair in pairs) for i in (0, 1)]
            off = statistics.median(guest - host for guest, host in pairs)
            if abs(off) > CLOCK_SLACK + CLOCK_SHARE * statistics.median(host for _, host in pairs):
                rows.append(f"- the clock of {name} was off in row {row}: by {off:+.3f} s, the median of {len(pairs)} rounds")
        if total[1]:
            lines.append(f"- clock of {name}: {total[0]:.2f} s in all rows, the host's {total[1]:.2f} s ({100 * (total[0] / total[1] - 1):+.1f}%)")
    return lines + rows


def notes(everything):
    lines = [f"- {name}: {value}" for name, value in everything["about"].items()]
    share = preempted(everything)
    if share:
        lines.append(f"- the VMs' processes got {100 * share:.0f}% of a processor on average while rows ran")
    lines += clock_lines(everything)
    for title, key in (("Failures", "failures"), ("Rows whose programs wrote different things", "different")):
        if everything[key]:
            lines += ["", title + ":", "", *(f"- {entry}" for entry in everything[key])]
    return lines


def markdown(everything):
    parts = [notes(everything), summary_lines(everything), main_table(everything), first_table(everything), boot_table(everything), profile_table(everything), bochs_table(everything),
             memory_table(everything), idle_lines(everything)]
    if everything.get("micro"):
        parts.append(micro.table(everything["micro"]))
    counters = counter_table(everything)
    if counters:
        parts.append(["Gnomon's counters, for each operation:", "", *counters])
    return "\n\n".join("\n".join(part) for part in parts if part)


# The plot

WIDTH, LEFT, RIGHT, LINE, TOP = 940, 130, 30, 18, 78
COLOURS = {"gnomon": "#1b6ca8", "qemu": "#c8553d"}
STYLE = "font-family: sans-serif; font-size: 12px"


def axis(low, high):
    """Marks of a logarithmic axis."""
    return [m * 10**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for m in (1, 2, 5) if low <= m * 10**e <= high]


def label(x, y, text, **attributes):
    more = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(text)}</text>'


def panel(out, x0, x1, top, lines, low, high, title, points):
    """One logarithmic panel; points(ratios) gives [(value, colour)]."""
    place = lambda v: x0 + (x1 - x0) * (math.log(min(max(v, low), high)) - math.log(low)) / (math.log(high) - math.log(low))
    bottom = top + LINE * len(lines)
    out.append(label((x0 + x1) / 2, top - 26, title, text_anchor="middle", font_weight="bold"))
    for mark in axis(low, high):
        x = place(mark)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{"#444" if mark == 1 else "#ddd"}"/>')
        out.append(label(x, top - 8, f"{mark:g}", text_anchor="middle", fill="#555"))
    for i, (row, ratios, _) in enumerate(lines):
        y = top + LINE * (i + 0.5)
        found = points(ratios)
        if len(found) == 2:
            out.append(f'<line x1="{place(found[0][0]):.1f}" x2="{place(found[1][0]):.1f}" y1="{y}" y2="{y}" stroke="#bbb" stroke-width="2"/>')
        for value, colour in found:
            out.append(f'<circle cx="{place(value):.1f}" cy="{y}" r="4.5" fill="{colour}"><title>{row}: {value:.2f}</title></circle>')


def plotted(everything):
    """[(label, {"gnomon/native": ...}, is it a mean)]: the rows, and behind those of each mean that mean."""
    lines, rows = [], sorted_rows(everything)
    means = summary.means(everything)
    last = {groups[-1]: title for title, groups in summary.MEANS}
    for i, row in enumerate(rows):
        group = everything["what"][row][0]
        lines.append((row, {f"{a}/{b}": ratio(everything["results"], row, a, b) for a, b in summary.PAIRS}, False))
        ends = i + 1 == len(rows) or everything["what"][rows[i + 1]][0] != group
        if ends and last.get(group) in means:
            lines.append((f"mean: {last[group]}", means[last[group]], True))
    return lines


def plot(everything):
    """An SVG file: how much longer than natively each takes, and how much longer under TCG than under Gnomon."""
    lines = plotted(everything)
    native = lambda found: [(found[f"{name}/native"], COLOURS[name]) for name in ("gnomon", "qemu") if found[f"{name}/native"]]
    ahead = lambda found: [(found["qemu/gnomon"], COLOURS["gnomon" if found["qemu/gnomon"] >= 1 else "qemu"])] if found["qemu/gnomon"] else []
    bounds = lambda points: (0.9 * min([1, *(v for _, found, _ in lines for v, _ in points(found))]),
                             1.1 * max([2, *(v for _, found, _ in lines for v, _ in points(found))]))
    height = TOP + LINE * len(lines) + 20
    middle = LEFT + (WIDTH - LEFT - RIGHT) * 0.56
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" style="{STYLE}">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           label(LEFT, 22, f"Gnomon and QEMU TCG, {everything['about']['date'][:10]}, medians of {everything['about']['rounds']} rounds", font_size="15")]
    for x, name, text in ((LEFT, "gnomon", "Gnomon"), (LEFT + 90, "qemu", "QEMU TCG")):
        out += [f'<circle cx="{x + 5}" cy="36" r="4.5" fill="{COLOURS[name]}"/>', label(x + 14, 40, text)]
    for i, (name, _, is_mean) in enumerate(lines):
        y = TOP + LINE * i
        if is_mean:
            out.append(f'<rect x="10" y="{y}" width="{WIDTH - RIGHT - 10}" height="{LINE}" fill="#f0f0e4"/>')
        if i and lines[i - 1][2]:
            out.append(f'<line x1="10" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#888"/>')
        out.append(label(LEFT - 10, y + LINE / 2 + 4, name, text_anchor="end", font_weight="bold" if is_mean else "normal"))
    panel(out, LEFT, middle - 20, TOP, lines, *bounds(native), "time, native = 1 (less is better)", native)
    panel(out, middle + 20, WIDTH - RIGHT, TOP, lines, *bounds(ahead), "TCG's time by Gnomon's (more is better)", ahead)
    return "\n".join([*out, "</svg>"]) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        saved = json.load(file)
    print(markdown(saved))
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            file.write(plot(saved))
