#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The benchmark. All that it measures, and what comes of that, is in build/bench/.
#
#	bench.sh full		everything, tables and plots
#	bench.sh check		what the bars are about, and the bars, a line each
#	bench.sh quick		a little of everything: does the benchmark work?
#
# There are two settings, and each figure says from which it is. "virtual": virtual
# time, see bench-virtual.sh. "native": User-Mode Linux, see bench-native.sh.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

scope=${1-}
case $scope in
full | check | quick) ;;
*) sed -n '/^#\t/s/^#\t//p' "$0" >&2; exit 2 ;;
esac

dir=$build/bench
report() { PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/bench/report.py" "$@"; }

need_packages gnuplot-nox python3
rm -rf "$dir"
mkdir -p "$dir"
native=()
[ "$scope" = full ] || native=(quick)
"$here/bench-native.sh" "${native[@]}"
"$here/bench-virtual.sh" "$scope"
report table "$dir" > "$dir/virtual.txt"
[ "$scope" = check ] || cat "$dir/virtual.txt"
report breakdown "$dir" | tee "$dir/breakdown.txt"
# The bars, with all cells that there are; only make bench-check fails for them.
[ "$scope" = quick ] || report check "$dir" | tee "$dir/check.txt"
case $scope in
full) report plots "$dir" ;;
check) ! grep -q ' short$' "$dir/check.txt" ;;
quick)
	report plots "$dir"
	# Each cell's memory has been compared, or we would not be here.
	stage_result bench "$(grep -c '^virtual,' "$dir/virtual.csv")" 0 0
	;;
esac
