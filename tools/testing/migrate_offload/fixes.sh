#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Bugs of mainline, not of ours, that our tests have turned up: for each patch
# of patches/fixes/ its reproducer, which the patch names, has to fail without
# it and to pass with it. These patches are not part of the series.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

passed=0 failed=0
result() {
	echo "$*"
	case $1 in
	ok) passed=$((passed + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
}

# try PROGRAM NAME: what the reproducer says. It must get to say anything. A patch
# may name another machine, parameters of its kernel, and of its program.
try() {
	local log=$build/fixes-$2.log
	if [ -n "$machine" ]; then
		# What an earlier run has left must not pass for this one's.
		rm -f "$build/boot-$machine.tap"
		MACHINES=$machine VM_APPEND=$parameters VM_PROGRAMS=$programs "$here/machines.sh" selftest || :
		cp "$build/boot-$machine.tap" "$log" || die "$machine did not boot"
	else
		"$here/vm.sh" run fast "$1" > "$log" || :
	fi
	grep -qE '^(not )?ok 1 ' "$log" || die "$1 did not run, see ${log#"$root"/}"
	! grep -q '^not ok ' "$log"
}

pristine=$("$here/source.sh")
for patch in "$root/patches/fixes/$base"/*.patch; do
	name=${patch##*/}
	program=$(sed -n 's,^Reproducer: .*/\([^/]*\)\.\(c\|sh\) .*,\1,p' "$patch")
	machine=$(sed -n 's/^Machine: //p' "$patch")
	programs=$(sed -n 's/^Program: //p' "$patch")
	parameters=$(sed -n 's/^Parameters: //p' "$patch")
	[ -n "$program" ] || die "$name names no reproducer"
	if git -C "$pristine" apply --check --unidiff-zero "$patch"; then
		result ok "$name applies to Linux $base"
	else
		result "not ok" "$name does not apply to Linux $base"
	fi
	if try "$program" without; then
		result "not ok" "$program passes without $name"
	else
		result ok "$program fails without $name"
	fi
	if FIXES=yes try "$program" with; then
		result ok "$program passes with it"
	else
		result "not ok" "$program fails with it"
	fi
done
# Back to the kernel that the others use.
"$here/vm.sh" build fast
echo "fixes: $passed passed, $failed failed"
[ "$failed" = 0 ]
