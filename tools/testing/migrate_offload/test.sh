#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Run every stage, also after a failure, and add up what they counted. A stage
# that ends badly without saying how many failed counts as a failure, and so
# does one in which nothing ran.
#
# With DEADLINE, in seconds since the epoch, what does not fit in before that is not
# run, and said to be skipped: when compilers' and sources' caches are empty, most
# of the time goes into building kernels.

set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

least=120 # seconds that are worth beginning a stage

run_stage() {
	case $1 in
	demo) "$here/vm.sh" demo ;;
	stress) "$here/vm.sh" stress "${MINUTES:-1.5}" ;;
	bench) "$here/bench.sh" quick ;;
	series) "$here/series.sh" series-check ;;
	kunit) "$here/kunit.sh" plain debug ;;
	kunit-amdgpu) "$here/kunit.sh" amdgpu ;;
	selftest) SCOPE=first "$here/selftest.sh" ;;
	selftest-rest) SCOPE=rest "$here/selftest.sh" ;;
	*) "$here/$1.sh" ;;
	esac
}

# Ends it, and all that it has begun, when the time is over.
run_in_time() {
	if [ -n "${DEADLINE-}" ]; then
		timeout -k 20 "$(seconds_left)" "${BASH_SOURCE[0]}" "$1" | tee "$build/results/$1.log"
	else
		run_stage "$1"
	fi
}

if [ $# != 0 ]; then
	run_stage "$1"
	exit
fi

passed=0 failed=0 skipped=0 lines=()
rm -rf "$build/results"
mkdir -p "$build/results"
for stage in "${stages[@]}"; do
	info "== $stage"
	start=$SECONDS
	status=0 p=0 f=0 s=0 note=
	if [ "$(seconds_left)" -lt $least ]; then
		s=1 note=" (NOT RUN: no time left)"
	else
		STAGE=$stage run_in_time "$stage" < /dev/null
		status=$?
		if read -r p f s 2> /dev/null < "$build/results/$stage"; then
			[ $((p + f + s)) != 0 ] || f=1 note=" (nothing ran)"
			[ $status = 0 ] || [ "$f" != 0 ] || f=1 note=" (exit status $status)"
		elif [ -n "${DEADLINE-}" ] && [ "$(seconds_left)" -le 0 ]; then
			p=0 f=0 s=1 note=" (CUT OFF: no time left)"
			! grep -q 'not ok' "$build/results/$stage.log" || f=1
		else
			p=0 f=1 s=0 note=" (did not get to its results)"
		fi
	fi
	lines+=("$(printf '%-14s %4d passed, %d failed, %d skipped, %d s%s' \
		"$stage:" "$p" "$f" "$s" $((SECONDS - start)) "$note")")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

echo
printf '%s\n' "${lines[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed != 0 ]
