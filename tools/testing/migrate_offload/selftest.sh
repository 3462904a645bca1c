#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# kselftests on all machines, or on those in MACHINES; x86_64 and x86-dsa are
# vm.sh's, and with BOOTS the first is the only one, unless MACHINES says. With
# SCOPE=first or SCOPE=rest, the first part of it or the rest.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

mapfile -t others < <("$here/machines.sh" list)
[ -z "${BOOTS-}" ] || MACHINES=${MACHINES:-x86_64}
all=(x86_64 x86-dsa "${others[@]}")
[ "${SCOPE-}" != first ] || all=(x86_64 x86-dsa)
read -ra chosen <<< "${MACHINES:-${all[*]}}"
for name in "${chosen[@]}"; do
	[[ " ${all[*]} " = *" $name "* ]] || die "no such machine: $name (${all[*]})"
done

passed=0 failed=0 skipped=0
# add RESULTS COMMAND...: run it, add up what it counted.
add() {
	local results=$build/results/$1 p=0 f=1 s=0
	shift
	rm -f "$results"
	env -u STAGE "$@" || :
	read -r p f s < "$results" || info "error: $* did not get to its results"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	rm -f "$results"
}

for name in "${chosen[@]}"; do
	if [[ $name = x86* ]]; then
		add selftest env VM_MACHINE="$name" "$here/vm.sh" selftest
	else
		add machines env MACHINES="$name" "$here/machines.sh" selftest
	fi
done
stage_result selftest "$passed" "$failed" "$skipped"
