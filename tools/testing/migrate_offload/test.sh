#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Run every stage, also after a failure, and add up what they counted. A stage
# that ends badly without saying how many failed counts as a failure, and so
# does one in which nothing ran.

set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

passed=0 failed=0 skipped=0 lines=()
rm -rf "$build/results"
for stage in "${stages[@]}"; do
	info "== $stage"
	start=$SECONDS
	case $stage in
	demo) "$here/vm.sh" demo ;;
	stress) "$here/vm.sh" stress "${MINUTES:-1.5}" ;;
	bench) "$here/bench.sh" quick ;;
	*) "$here/$stage.sh" ;;
	esac < /dev/null
	status=$?
	p=0 f=0 s=0 note=
	if ! read -r p f s 2> /dev/null < "$build/results/$stage"; then
		f=1 note=" (did not get to its results)"
	elif [ $((p + f)) = 0 ]; then
		f=1 note=" (nothing ran)"
	elif [ $status != 0 ] && [ "$f" = 0 ]; then
		f=1 note=" (exit status $status)"
	fi
	lines+=("$(printf '%-9s %4d passed, %d failed, %d skipped, %d s%s' \
		"$stage:" "$p" "$f" "$s" $((SECONDS - start)) "$note")")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

echo
printf '%s\n' "${lines[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
