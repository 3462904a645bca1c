#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The benchmark at native speed: what migration offload itself costs, for each
# folio and for each batch. A kernel under User-Mode Linux, in which nothing else
# runs, measures it while it boots, see mm/migrate_offload/tests/bench.c.
#
#	bench-native.sh [quick]		build/bench/native.csv, and a table, native.txt
#
# There is one CPU, no NUMA, no large folios and no TLB to flush; locks are no
# instructions, and a branch that other kernels patch out is a load and a branch.
# For hardware that copies see bench-virtual.sh.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kernel.sh
. "$here/kernel.sh"

boots=3 rounds=4 mb=320
case ${1-} in
'') ;;
quick) boots=1 rounds=2 ;;
*) sed -n '/^#\t[^\t]/s/^#\t//p' "$0" >&2; exit 2 ;;
esac

results=$build/bench
flavour=bench-native
out=$build/bench-native
fragments=("$here/configs/bench-native.config")
kernel_make=(ARCH=um)
kernel_targets=(linux)

# Its memory is a file on a tmpfs, which in containers is often too small.
shm=$(df --output=avail /dev/shm 2> /dev/null | tail -n 1) || shm=0
[ "$shm" -ge $((mb * 1024)) ] || export TMPDIR=$out

boot() {
	timeout -k 5 300 nice "$out/linux" "mem=${mb}M" console=tty con=null con0=fd:0,fd:1 \
		"migrate_offload_bench=$rounds,poweroff" 9>&-
}

run() {
	local log=$results/native-$1.console
	run_logged "measuring, $1 of $boots" "$log" boot || die "it did not run to its end"
	check_console "$log" || die "not measured"
	grep -q '^migrate_offload_bench: end: 0' "$log" || die "not measured, see ${log#"$root"/}"
}

report() {
	/usr/bin/python3 - "$results/native.csv" "$results"/native-*.console <<- 'END'
		import csv, os, re, statistics, sys
		from statistics import median

		# variant, amount: of each boot, of each round, ns for a folio, of each part
		times, batches, clock = {}, {}, []

		def wrong(what, text):
		    sys.exit(f"error: {what}: {text}")

		def read(path):
		    mine = {}
		    for text in open(path, errors="replace"):
		        match = re.match(r"migrate_offload_bench: (\w+) (?:(\d+) (\S+) )?(.*)", text)
		        if not match or match[1] not in ("round", "clock"):
		            continue
		        field = dict(f.split("=") for f in match[4].split())
		        ns = [int(n) for n in field.pop("ns").split(",")]
		        field = {name: int(value) for name, value in field.items()}
		        if match[1] == "clock":
		            clock.append(ns[0] / field["reads"])
		            continue
		        variant, amount, folios = match[3], field["amount"], field["folios"]
		        if field["moved"] != folios or field["bad"]:
		            wrong("memory is not what it should be", text)
		        engine = variant in ("instant", "cpu", "cpu-mt")
		        if field["offloaded"] != (folios if engine else 0):
		            wrong("it was not copied by whom it should be", text)
		        if variant == "instant" and field["extents"] < 0.99 * folios:
		            wrong("folios were neighbours", text)
		        batches[variant, amount] = field["batches"] / folios
		        part = folios / len(ns)
		        mine.setdefault((variant, amount), []).append([n / part for n in ns])
		    for cell, rounds in mine.items():
		        times.setdefault(cell, []).append(rounds)

		# Of each boot, of each round, the lower quartile of all parts: what else the host
		# does makes parts take longer, never shorter.
		def undisturbed(cell):
		    return [[statistics.quantiles(parts)[0] for parts in rounds] for rounds in times[cell]]

		# Rounds go in step: what disturbs one variant for longer disturbs the next, too.
		def extra(variant, without, amount):
		    return [[a - b for a, b in zip(*boot)] for boot in
		            zip(undisturbed((variant, amount)), undisturbed((without, amount)))]

		# Least squares over the amounts: ns for a folio = a + b * batches for a folio.
		def fit(variant, without):
		    x = [batches[variant, amount] for amount in amounts]
		    y = [map(median, extra(variant, without, amount)) for amount in amounts]
		    lines = [statistics.linear_regression(x, boot) for boot in zip(*y)]
		    return [[line.intercept] for line in lines], [[line.slope] for line in lines]

		def row(amount, policy, metric, boots):
		    values = [value for boot in boots for value in boot]
		    middle = median(median(boot) for boot in boots)
		    rows.append(["native", "patched", 4096, amount, policy, metric, "ns",
		                 *(f"{v:.1f}" for v in (middle, min(values), max(values))), len(values)])
		    return middle, min(values), max(values)

		def table(title, lines):
		    print(f"\n{title}")
		    print(f"{'folios in a call':18}" + "".join(f"{a:>16}" for a in amounts))
		    for name, cells in lines:
		        print(f"{name:18}" + "".join(f"{cell:>16}" for cell in cells))

		for path in sys.argv[2:]:
		    read(path)
		rows = []
		amounts = sorted({amount for variant, amount in times})
		without = {"instant": "nocopy", "cpu": "off", "cpu-mt": "off", "auto": "off"}

		print("native: User-Mode Linux on this host, one CPU")
		print("migrate_pages() of 64 MiB of tmpfs in folios of 4 KiB, scattered, their destinations allocated")
		print("before; 512 folios are timed together; "
		      f"boots: {len(times['off', amounts[0]])}, rounds in each: {len(times['off', amounts[0]][0])}, "
		      f"load of the host: {os.getloadavg()[0]:.1f}")
		print("nocopy: as off, but for the copy; instant: an engine that has nothing to do; cpu-mt: no CPU helps")
		lines = []
		for variant in ("off", "auto", "cpu", "cpu-mt", "nocopy", "instant", "copy-only"):
		    cells = []
		    for amount in amounts:
		        if (variant, amount) in times:
		            values = [[v for parts in boot for v in parts] for boot in times[variant, amount]]
		            middle, least, most = row(amount * 4096, variant, "time_per_folio", values)
		            cells.append(f"{middle:.0f} ({least:.0f})")
		        else:
		            cells.append("")
		    lines.append((variant, cells))
		table("ns for each folio: medians (and minima)", lines)

		lines = []
		for variant, other in without.items():
		    cells = []
		    for amount in amounts:
		        middle, least, most = row(amount * 4096, variant, "extra_per_folio",
		                                  extra(variant, other, amount))
		        cells.append(f"{middle:+.0f}")
		    lines.append((f"{variant} - {other}", cells))
		table("ns for each folio that are added, lower quartiles: medians of differences in a round", lines)

		print("\nBy least squares, medians of boots (and from, to):")
		for variant in ("instant", "cpu", "cpu-mt"):
		    for what, boots in zip(("folio", "batch"), fit(variant, without[variant])):
		        middle, least, most = row("all", variant, f"framework_per_{what}", boots)
		        print(f"  {variant:8} {middle:8.0f} ns for each {what} ({least:.0f}, {most:.0f})")
		middle, *_ = row("all", "off", "clock_read", [clock])
		print(f"  of which reading the clock once takes {middle:.0f} ns")

		with open(sys.argv[1], "w", newline="") as out:
		    writer = csv.writer(out, lineterminator="\n")
		    writer.writerow("setting kernel folio amount policy metric unit median min max n".split())
		    writer.writerows(rows)
	END
}

mkdir -p "$out" "$results"
need_packages gcc make flex bison bc python3 libc6-dev
tree=$("$here/tree.sh")
exec 9> "$build/bench-native.lock"
flock 9
configure
build_kernel
rm -f "$results"/native*
for ((i = 1; i <= boots; i++)); do
	run "$i"
done
report | tee "$results/native.txt"
