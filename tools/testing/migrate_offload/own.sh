#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own tests that migrate memory, or whose memory is migrated while
# they run: in the virtual machine, with migration offload off and under every
# engine. Each result must be the same. The list is own.list.
#
#	own.sh [quick|full]
#
# "quick" is what "make test" runs. ENGINES="cpu sim0" takes only these,
# ONLY=REGEX only some tests, FLAVOUR=debug the kernel with all checkers.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

set=${1:-quick}
case $set in quick | full) ;; *) die "usage: own.sh [quick|full]" ;; esac
flavour=${FLAVOUR:-fast}
engines=${ENGINES:-cpu cpu-mt sim0 sim0,sim1}
# Seconds that each part of mm/migration takes. Its own are 20, or 6 minutes for
# all parts, under each engine.
runtime=${RUNTIME:-20}
[ "$set" = full ] || runtime=1

need_packages gcc libc6-dev libcap-dev libnuma-dev liburing-dev make
tree=$("$here/tree.sh")
selftests=$tree/tools/testing/selftests
out=$build/own

# commands SUITE: its programs and scripts in the list.
commands() { sed -nE "s,^(quick|full)\t.*\t$1/([^ ]*).*,\2,p" "$here/own.list" | sort -u; }

# make_suite SUITE PROGRAM... [VARIABLE=VALUE]: by its own Makefile.
make_suite() {
	mkdir -p "$out/$1"
	make -s -C "$selftests/$1" OUTPUT="$out/$1" CC=gcc USERLDFLAGS="-static -s" \
		KHDR_INCLUDES="-isystem $out/usr/include" "${@:2}"
}

build_tests() {
	local suite name all
	make -s -C "$tree" O="$out" headers || return
	for suite in mm memfd cgroup; do
		all=()
		for name in $(commands $suite); do
			[ "$name" = migration ] || [ "$name" = khugepaged ] || all+=("$out/$suite/$name")
		done
		make_suite $suite "${all[@]}" || return
	done
	# In 6.12 it forgets the header that it takes KSFT_SKIP from.
	make_suite mm "$out/mm/khugepaged" \
		EXTRA_CFLAGS="-D_GNU_SOURCE -include ../kselftest.h" || return
	sed "s/define RUNTIME.*/define RUNTIME ($runtime)/" "$selftests/mm/migration.c" |
		gcc -O2 -static -s -I "$selftests/mm" -isystem "$out/usr/include" \
			-o "$out/mm/migration" -x c - -x none \
			"$selftests/mm/"{vm_util,thp_settings}.c -lnuma -lpthread
}

run_logged "building the kernel's own tests" "$build/own.log" build_tests

files=("$here"/{own.list,guest/own})
for suite in mm memfd cgroup; do
	for name in $(commands $suite); do
		files+=("$out/$suite/$name")
	done
done
for name in $(commands damon); do
	files+=("$selftests/damon/$name")
done

info "the kernel's own tests: $set set, migration offload off and under ${engines// /, }"
[ "$runtime" = 20 ] || info "each part of mm/migration takes $runtime s, not 20"
status=0
{
	# Bigger nodes, for pools of huge pages; two CPUs each, or mm/migration skips.
	VM_FILES="${files[*]}" VM_CPUS=2 VM_NODE_MB=${VM_NODE_MB:-1024} VM_TIMEOUT=${VM_TIMEOUT:-14400} \
		"$here/vm.sh" run "$flavour" \
		"SET=$set ENGINES='$engines' ONLY='${ONLY-}' V='${V-}' LOG_LINES='${LOG_LINES-}' exec tests own" || status=$?
	echo "vm: exit $status"
} | tee "$build/own.tap" | awk -v want=own -v counts="$build/own.counts" -v verbose="${V:-0}" \
	-f "$here/tap.awk" || :

# What fails or is skipped without offload, too, is no secret.
sed -n '/without offload, too: /p; s/^ok [0-9]* \(in all under .*\)/# \1/p' "$build/own.tap"
read -r passed failed skipped < "$build/own.counts"
grep -q '^vm: exit 0' "$build/own.tap" || [ "$failed" != 0 ] || failed=1
stage_result own "$passed" "$failed" "$skipped"
