#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Who migrates what by which engine, and the test that shows it.
#
#	coverage.sh table		print Documentation/mm/migrate_offload_coverage.rst
#	coverage.sh verify TAP...	was each of these tests run, and did it pass?
#
# coverage.txt is where it is written down: lines of
# "caller | memory | engines | program | name of the test, an extended regular
# expression in which @ stands for each of the engines". A line without
# a program says in its last field why there is none.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

# Lines of coverage.txt, fields without the blanks around them.
lines() { sed -E '/^#/d; /^ *$/d; s/ *\| */|/g; s/ +$//' "$here/coverage.txt"; }

# Columns of the table.
engines='off|cpu|cpu-mt|auto|sim0|sim0,sim1|sdma0,sdma1'

table() {
	cat <<- 'END'
		.. SPDX-License-Identifier: GPL-2.0

		=========================
		Migration offload: tests
		=========================

		Who migrates what by which engine, and the program in
		``tools/testing/selftests/migrate_offload`` that shows it. Contents are compared
		byte by byte in all of them. ``off`` is without migration offload; ``sim0`` and
		``sim1`` are simulated engines, and stand for hardware; ``sdma0`` and ``sdma1``
		are engines on simulated GPUs. A dash: not tested.

		This page is made by ``tools/testing/migrate_offload/coverage.sh``, and ``make
		selftest`` fails when a test that is named here was not run or did not pass.
	END
	lines | awk -F '|' -v columns="$engines" '
		function rule(    i, text) {
			text = sprintf("%-32s", bar(32))
			for (i = 1; i <= n; i++)
				text = text " " bar(12)
			print text
		}
		function bar(width,    text) {
			while (length(text) < width)
				text = text "="
			return text
		}
		function row(first, cells,    i, text) {
			text = sprintf("%-32s", first)
			for (i = 1; i <= n; i++)
				text = text sprintf(" %-12s", cells[i])
			sub(/ +$/, "", text)
			print text
		}
		function flush(    i, m, cells) {
			if (caller == "")
				return
			printf "\n%s\n%s\n\n", caller, underline(caller)
			if (rows) {
				rule()
				row("Memory", names)
				rule()
				for (m = 1; m <= rows; m++) {
					for (i = 1; i <= n; i++)
						cells[i] = ((m, i) in cell) ? cell[m, i] : "\\-"
					row(memory[m], cells)
				}
				rule()
			}
			if (why != "")
				print (rows ? "\n" : "") why
			rows = 0
			why = ""
			delete cell
			delete index_of
		}
		function underline(text) { gsub(/./, "-", text); return text }
		BEGIN { n = split(columns, names, "|") }
		$1 != caller { flush(); caller = $1 }
		$4 == "" { why = why (why == "" ? "" : "\n") ($2 == "" ? "" : $2 ": ") $5; next }
		{
			if (!($2 in index_of)) {
				index_of[$2] = ++rows
				memory[rows] = $2
			}
			split($3, some, " ")
			for (e in some)
				for (i = 1; i <= n; i++)
					if (names[i] == some[e])
						cell[index_of[$2], i] = $4
		}
		END { flush() }'
}

# Each engine of each line is a test to be found: "program|regular expression".
wanted() {
	lines | awk -F '|' '$4 != "" {
		n = split($3, engine, " ")
		for (i = 1; i <= n; i++) {
			name = $5
			gsub(/@/, engine[i], name)
			print $4 "|" name
		}
	}' | sort -u
}

# Results as "program|name of the test": of those that passed, or else failed.
results() {
	local want=$1
	shift
	awk -v want="$want" '
		{ sub(/\r$/, "") }
		/^# begin / { program = $3 }
		program != "" && /^(not )?ok [0-9]+ / {
			result = $1 == "ok" ? "ok" : "not ok"
			name = $0
			sub(/^(not )?ok [0-9]+ (- )?/, "", name)
			if (name ~ /# SKIP/)
				result = "skip"
			if (result == want)
				print program "|" name
		}' "$@"
}

verify() {
	local want program name passed=0 failed=0
	results ok "$@" > "$tmp/passed"
	while read -r want; do
		program=${want%%|*} name=${want#*|}
		if grep -qxE -e "${program}[|]$name" "$tmp/passed"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "    not ok: coverage: $program: no result is \"ok $name\""
		fi
	done < <(wanted)
	echo "  coverage     $passed of $((passed + failed)) cells passed"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
case ${1-} in
table) table ;;
verify) verify "${@:2}" ;;
*) sed -n '/^#\t/s/^#\t//p' "$0" >&2; exit 2 ;;
esac
