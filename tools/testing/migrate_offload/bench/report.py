#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the measurements of "make bench" come to.

report.py speed LOG		the CPU's copy speed in the stock kernel, MB/s
report.py table DIR		a table, and DIR/virtual.csv
report.py plots DIR		DIR/*.svg and DIR/*.png, by gnuplot
report.py breakdown DIR		where an offloaded move spends its time
report.py check DIR [RESULT]	the bars, a line each; RESULT gets "passed failed 0"

DIR has virtual-stock.log and virtual-ours.log, and perhaps emulated.log.
"""
import csv
import os
import statistics
import subprocess
import sys

CHANNELS = {"ptdma-1": 1, "ptdma-2": 2, "ptdma-4": 4, "ptdma-8": 8,
            "ptdma-16": 16, "dsa": 4, "sdma": 2}
UNITS = {"ns": "ns", "cpu_ns": "ns", "other_cpu_ns": "ns", "insns": "1",
         "insns_per_folio": "1", "throughput": "MB/s", "utilisation": "1",
         "first_ns": "ns", "median_ns": "ns", "p50_ns": "ns", "p99_ns": "ns",
         "max_ns": "ns"}


def size(text):
    """Bytes of "4K", "2M"."""
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1])
    return int(text[:-1]) * factor if factor else int(text)


def name_of(nbytes):
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if nbytes >= 1 << shift and nbytes % (1 << shift) == 0:
            return f"{nbytes >> shift}{unit}"
    return str(nbytes)


def derive(label, rep):
    """What follows from one repetition alone."""
    rep["throughput"] = rep["bytes"] * 1000 / rep["ns"]
    if rep["insns"]:
        rep["insns_per_folio"] = rep["insns"] / rep["folios"]
        # An instruction is a nanosecond: the rest of the time the CPU was idle.
        rep["other_cpu_ns"] = max(rep["insns"] - rep["cpu_ns"], 0)
    channels = CHANNELS.get(label.split("/")[-1])
    if channels and "busy_ns" in rep:
        rep["utilisation"] = rep["busy_ns"] / channels / rep["ns"]
    return rep


def read_cells(path, cells=None):
    """All repetitions of each cell: {(label, folio, bytes): [{name: number}]}."""
    cells = {} if cells is None else cells
    with open(path) as log:
        for line in log:
            if not line.startswith("cell "):
                continue
            fields = dict(field.split("=", 1) for field in line.split()[1:])
            label = fields.pop("label")
            rep = {name: int(value) for name, value in fields.items()}
            if rep["bad"] or rep["arrived"] != rep["folios"]:
                sys.exit(f"{path}: memory went wrong: {line}")
            cells.setdefault((label, rep["folio"], rep["bytes"]), []).append(
                derive(label, rep))
    return cells


def read_dir(directory):
    cells = read_cells(f"{directory}/virtual-stock.log")
    return read_cells(f"{directory}/virtual-ours.log", cells)


def median(cells, label, folio, amount, metric="ns"):
    reps = cells[label, size(folio), size(amount)]
    return statistics.median(rep[metric] for rep in reps)


def mean(cells, label, folio, amount, metric="ns"):
    """Without the highest two of a hundred: what the kernel does now and then, such
    as waiting for RCU, takes as long as a dozen small moves, offload or not."""
    reps = sorted(rep[metric] for rep in cells[label, folio, amount])
    return statistics.mean(reps[:len(reps) - len(reps) // 50])


def speed(path):
    cells = read_cells(path)
    ns = median(cells, "stock", "2M", "64M") - median(cells, "stubbed", "2M", "64M")
    print(round(size("64M") * 1000 / ns))


def write_csv(directory, setting, cells):
    with open(f"{directory}/{setting}.csv", "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow("setting kernel folio amount policy metric unit "
                      "median min max n".split())
        for (label, folio, amount), reps in cells.items():
            kernel = "stock" if label.split("-")[0] in ("stock", "stubbed") else "ours"
            for metric, unit in UNITS.items():
                values = [rep[metric] for rep in reps if metric in rep]
                if values:
                    rows.writerow([setting, kernel, folio, amount, label, metric, unit,
                                   f"{statistics.median(values):.6g}",
                                   f"{min(values):.6g}", f"{max(values):.6g}",
                                   len(values)])


def table(directory):
    cells = read_dir(directory)
    write_csv(directory, "virtual", cells)
    print("Virtual time: one instruction is 1 ns, one CPU, no caches; engines are simulated.\n"
          "Median (spread), of one call of move_pages(2) from node 0 to node 1; \"cpu\" is the\n"
          "caller's part of the time, \"other\" the rest of what the CPU did.")
    print(f"{'policy':22} {'folio':>5} {'amount':>6} {'MB/s':>7} {'spread':>6} {'stock':>6} "
          f"{'cpu':>5} {'other':>5} {'util':>5} {'insns/folio':>11} {'first':>8} {'median':>8}")
    for (label, folio, amount), reps in cells.items():
        rep = {m: statistics.median(r[m] for r in reps) for m in reps[0]}
        times = [r["ns"] for r in reps]
        stock = cells.get(("stock-traced" if label.endswith("-traced") else "stock",
                           folio, amount))
        ratio = statistics.median(r["ns"] for r in stock) / rep["ns"] if stock else 0
        print(f"{label:22} {name_of(folio):>5} {name_of(amount):>6} "
              f"{rep['throughput']:7.0f} {100 * (max(times) / min(times) - 1):5.1f}% "
              f"{ratio:6.2f} {rep['cpu_ns'] / rep['ns']:5.0%} "
              f"{rep['other_cpu_ns'] / rep['ns']:5.0%} "
              f"{'%.0f%%' % (100 * rep['utilisation']) if 'utilisation' in rep else '':>5} "
              f"{rep['insns_per_folio']:11.0f} "
              f"{'%.0fus' % (rep['first_ns'] / 1000) if 'first_ns' in rep else '':>8} "
              f"{'%.0fus' % (rep['median_ns'] / 1000) if 'median_ns' in rep else '':>8}")
    if os.path.exists(f"{directory}/emulated.log"):
        two_cpus(directory)


def two_cpus(directory):
    cells = read_cells(f"{directory}/emulated.log")
    write_csv(directory, "emulated", cells)
    print("\nEmulated: two CPUs, under software emulation, in the host's time; ratios of pairs\n"
          "that were measured one after the other. \"Busy\": two other tasks use up both CPUs.")
    for busy in ("idle", "busy"):
        for folio, amount in (("4K", "64M"), ("2M", "256M")):
            one = cells["cpu-" + busy, size(folio), size(amount)]
            two = cells["cpu-mt-" + busy, size(folio), size(amount)]
            ratios = sorted(a["ns"] / b["ns"] for a, b in zip(one, two))
            cpu = statistics.median(b["cpu_ns"] / a["cpu_ns"] for a, b in zip(one, two))
            print(f"cpu-mt vs cpu, {busy}, {folio} folios, {amount}: "
                  f"{statistics.median(ratios):.2f} times as fast "
                  f"({ratios[len(ratios) // 4]:.2f} to {ratios[len(ratios) * 3 // 4]:.2f}, half of "
                  f"{len(ratios)} pairs), {cpu:.2f} times the caller's CPU time")


# And how they are called there. More lines could not be told from each other; the table
# has all.
PLOTTED = {"stock": "stock", "stubbed": "no copy", "cpu": "cpu", "ptdma-1": "ptdma-1",
           "ptdma-4": "ptdma-4", "ptdma-16": "ptdma-16", "dsa": "dsa", "sdma": "sdma",
           "auto/ptdma-1": "auto, ptdma-1", "auto/ptdma-16": "auto, ptdma-16"}
PLOTS = (
    # file, title, y axis, metric, amount, relative to the stock kernel
    ("speed", "Throughput, 64 MiB by one call", "MB/s", "throughput", "64M", False),
    ("speed-2M", "Throughput, 2 MiB by one call", "MB/s", "throughput", "2M", False),
    ("ratio", "Speed relative to the stock kernel, 64 MiB", "times", "throughput", "64M", True),
    ("caller", "CPU time of the caller, 64 MiB", "relative to the stock kernel", "cpu_ns", "64M", True),
)


def plots(directory):
    cells = read_dir(directory)
    labels = [label for label in PLOTTED if label in {cell[0] for cell in cells}]
    for name, title, axis, metric, amount, relative in PLOTS:
        data = []
        for label in labels:
            points = []
            for (other, folio, nbytes), reps in sorted(cells.items()):
                stock = cells.get(("stock", folio, nbytes))
                if other != label or nbytes != size(amount) or (relative and not stock):
                    continue
                value = statistics.median(r[metric] for r in reps)
                if relative:
                    value /= statistics.median(r[metric] for r in stock)
                points.append(f"{folio >> 10} {value:.6g}")
            if points:
                data.append((label, points))
        blocks = "".join(f"${i} << END\n" + "\n".join(points) + "\nEND\n"
                         for i, (_, points) in enumerate(data)).replace("$", "$d")
        lines = ", ".join(
            f"$d{i} using 1:2 with linespoints title '{PLOTTED[label]}'"
            for i, (label, _) in enumerate(data))
        for term, suffix in (("svg size 900,600 background 'white'", "svg"),
                             ("pngcairo size 900,600", "png")):
            script = (f"set terminal {term} noenhanced\n"
                      f"set output '{directory}/{name}.{suffix}'\n"
                      f'set title "{title}\\n(virtual time, simulated engines)"\n'
                      f"set xlabel 'folio, KiB'\nset ylabel '{axis}'\nset logscale x 2\n"
                      "set key outside right\nset grid\nset logscale y 2\n"
                      f"{blocks}plot {lines}\n")
            subprocess.run(["gnuplot"], input=script, text=True, check=True)
    print("plots:", " ".join(f"{name}.svg" for name, *_ in PLOTS), "and .png")


def auto_bars(cells):
    """The worst cell of all, against the best of all and against the stock kernel."""
    worst_best, worst_stock = (0, ""), (0, "")
    for (label, folio, amount) in cells:
        if not label.startswith("auto") or label.endswith("-traced"):
            continue
        profile = label.partition("/")[2]
        ns = mean(cells, label, folio, amount)
        rivals = [mean(cells, rival, folio, amount) for rival in ("off", profile)
                  if (rival, folio, amount) in cells]
        stock = mean(cells, "stock", folio, amount)
        what = f"{label} {name_of(folio)} {name_of(amount)}"
        worst_best = max(worst_best, (ns / min(rivals), what))
        worst_stock = max(worst_stock, (ns / stock, what))
    return worst_best, worst_stock


def bars(cells):
    """Name, value, bar, is it met, and how to print values."""
    def ns(label, folio, amount, metric="ns"):
        return median(cells, label, folio, amount, metric)

    for folio in ("4K", "2M"):
        ratio = ns("off", folio, "64M", "insns") / ns("stock", folio, "64M", "insns")
        yield f"off: instructions per {folio} folio, vs stock", ratio - 1, 0.005, "abs", "%"
    for folio, bar in (("4K", 0.03), ("2M", 0.01)):
        cost = ((ns("free", folio, "64M") - ns("stubbed", folio, "64M")) /
                ns("stock", folio, "64M"))
        yield f"framework cost, part of a {folio} move", cost, bar, "most", "%"
    for channels in (1, 2, 4, 8, 16):
        yield (f"utilisation, 1G in 2M folios, {channels} channels",
               ns(f"ptdma-{channels}", "2M", "1G", "utilisation"), 0.9, "least", "%")
    yield ("2M folios, 16 channels, speed vs stock",
           ns("stock", "2M", "1G") / ns("ptdma-16", "2M", "1G"), 4, "least", "x")
    yield ("one 2M folio, 8 channels, speed vs stock",
           ns("stock", "2M", "2M") / ns("ptdma-8", "2M", "2M"), 2, "least", "x")
    yield ("4K folios, 16 channels, speed vs no copy at all",
           ns("stubbed", "4K", "64M") / ns("ptdma-16", "4K", "64M"), 0.85, "least", "%")
    yield ("first of 512 4K folios mapped again, part of the time",
           ns("ptdma-16-traced", "4K", "2M", "first_ns") /
           ns("ptdma-16-traced", "4K", "2M"), 0.25, "most", "%")
    for folio in ("4K", "2M"):
        for label in ("ptdma-16", "dsa", "sdma", "auto/ptdma-1", "auto/ptdma-16"):
            if (f"{label}-traced", size(folio), size("64M")) not in cells:
                continue
            # "No worse": what is left to the CPU is offered before, and may be so
            # much later. More than that would be a folio that waits for an engine.
            yield (f"{folio} folios unmapped, p99, {label}, vs stock",
                   ns(f"{label}-traced", folio, "64M", "p99_ns") /
                   ns("stock-traced", folio, "64M", "p99_ns"), 1.005, "most", "%")
    best, stock = auto_bars(cells)
    yield f"auto vs best, worst cell ({best[1]})", best[0] - 1, 0.03, "most", "%"
    yield f"auto vs stock, worst cell ({stock[1]})", stock[0] - 1, 0.03, "most", "%"
    yield ("CPU time of the caller, 2M folios, 16 channels, vs stock",
           ns("ptdma-16", "2M", "1G", "cpu_ns") / ns("stock", "2M", "1G", "cpu_ns"),
           0.3, "most", "%")


def breakdown(directory):
    cells = read_dir(directory)
    print("Where the time of a move goes, ns for each folio, of 64 MiB by one call\n"
          "(virtual time, simulated engines; one instruction is 1 ns)")
    print(f"{'':52} {'4K':>8} {'2M':>8}")

    def each(label, metric):
        return [median(cells, label, folio, "64M", metric) / (size("64M") / size(folio))
                for folio in ("4K", "2M")]

    def line(name, values):
        print(f"{name:52} " + " ".join(f"{value:8.0f}" for value in values))

    def less(a, b):
        return [x - y for x, y in zip(a, b)]

    stock, stubbed = each("stock", "ns"), each("stubbed", "ns")
    line("stock kernel, all", stock)
    line("  unmap, move, map: what is left without a copy", stubbed)
    line("  the copy", less(stock, stubbed))
    free = each("free", "insns")
    for name in ("ptdma-16", "ptdma-1", "dsa", "sdma"):
        if (name, size("4K"), size("64M")) not in cells:
            continue
        insns, ns = each(name, "insns"), each(name, "ns")
        line(f"with {name}, all", ns)
        line("  unmap, move, map", stubbed)
        line("  migration offload itself", less(free, stubbed))
        line("  DMAengine, its driver, interrupts", less(insns, free))
        line("  waiting for the engine", less(ns, insns))


def check(directory, result=None):
    cells = read_dir(directory)
    met = {"most": lambda v, bar: v <= bar, "least": lambda v, bar: v >= bar,
           "abs": lambda v, bar: abs(v) <= bar}
    counts = [0, 0]
    print(f"{'bar (virtual time, simulated engines)':66} {'value':>8} {'bar':>8}")
    for name, value, bar, kind, unit in bars(cells):
        good = met[kind](value, bar)
        counts[not good] += 1
        form = (lambda x: f"{100 * x:.2f}%") if unit == "%" else (lambda x: f"{x:.2f}x")
        sign = {"most": "<=", "least": ">=", "abs": "+-"}[kind]
        print(f"{name:66} {form(value):>8} {sign + form(bar):>8}  {'ok' if good else 'short'}")
    print(f"bench-check: {counts[0]} ok, {counts[1]} short")
    if result:
        with open(result, "w") as out:
            print(counts[0], counts[1], 0, file=out)


if __name__ == "__main__":
    commands = {"speed": speed, "table": table, "plots": plots,
                "breakdown": breakdown, "check": check}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    try:
        commands[sys.argv[1]](*sys.argv[2:])
    except BrokenPipeError:
        os._exit(1)
