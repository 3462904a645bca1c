#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# kselftests on all machines, or on those in MACHINES; x86_64 is vm.sh's, and
# with BOOTS it is the only one.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

mapfile -t others < <("$here/machines.sh" list)
[ -z "${BOOTS-}" ] || MACHINES=${MACHINES:-x86_64}
read -ra chosen <<< "${MACHINES:-x86_64 ${others[*]}}"
for name in "${chosen[@]}"; do
	[[ " x86_64 ${others[*]} " = *" $name "* ]] ||
		die "no such machine: $name (x86_64 ${others[*]})"
done

passed=0 failed=0 skipped=0
# add RESULTS COMMAND...: run it, add up what it counted.
add() {
	local results=$build/results/$1 p=0 f=1 s=0
	shift
	rm -f "$results"
	"$@" || :
	read -r p f s < "$results" || info "error: $* did not get to its results"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	rm -f "$results"
}

for name in "${chosen[@]}"; do
	if [ "$name" = x86_64 ]; then
		add selftest "$here/vm.sh" selftest
	else
		add machines env MACHINES="$name" "$here/machines.sh" selftest
	fi
done
stage_result selftest "$passed" "$failed" "$skipped"
