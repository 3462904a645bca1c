#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# KUnit tests under User-Mode Linux, in two flavours: plain, and debug with
# KASAN, lockdep and more; and those of amdgpu's part in a virtual machine. A
# test that passes while the kernel complains is a failure.
#
#	kunit.sh [FLAVOUR...]		plain, debug and amdgpu, unless told
#
# KUNIT_FILTER chooses other suites than ours, KUNIT_CONFIG another base config.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=splats.sh
. "$here/splats.sh"

need_packages gcc make flex bison bc python3 libc6-dev
tree=$("$here/tree.sh")
passed=0 failed=0 skipped=0

fail() {
	info "  not ok: $flavour: $*"
	failed=$((failed + 1))
}

kunit() {
	local verb=$1
	shift
	(cd "$tree" && nice /usr/bin/python3 tools/testing/kunit/kunit.py "$verb" --arch "$arch" \
		--build_dir "$out" --make_options "CC=${CC:-gcc}" "$@")
}

# One line a suite; the counts of this flavour go to $out/counts.
report() {
	/usr/bin/python3 - "$flavour" "$out" <<- 'END'
		import json, sys
		flavour, out = sys.argv[1:]
		total = {"PASS": 0, "FAIL": 0, "SKIP": 0}
		def walk(group, path):
		    for case in group.get("test_cases", []):
		        status = case["status"] if case["status"] in total else "FAIL"
		        total[status] += 1
		        if status != "PASS":
		            print(f"    {status.lower()}: {path}.{case['name']} ({case['status'].lower()})")
		    for sub in group.get("sub_groups", []):
		        walk(sub, f"{path}.{sub['name']}")
		for suite in json.load(open(f"{out}/results.json")).get("sub_groups", []):
		    before = dict(total)
		    walk(suite, suite["name"])
		    p, f, s = (total[k] - before[k] for k in ("PASS", "FAIL", "SKIP"))
		    print(f"  {flavour:6} {suite['name']:32} {p} passed, {f} failed, {s} skipped")
		with open(f"{out}/counts", "w") as counts:
		    print(*total.values(), file=counts)
	END
}

run_flavour() {
	local flavour=$1 out=$build/kunit-$1 arch=um kernel=UML status=0 p f s
	local filter=${KUNIT_FILTER:-migrate_offload*}
	local configs=("--kunitconfig=${KUNIT_CONFIG:-$here/configs/kunit-base.config}")
	[ "$flavour" = plain ] || configs+=("--kunitconfig=$here/configs/kunit-$flavour.config")
	if [ "$flavour" = amdgpu ]; then
		arch=x86_64 kernel=x86_64 filter=${KUNIT_FILTER:-amdgpu_sdma_copy*}
		configs=("--kunitconfig=$here/configs/kunit-amdgpu.config")
		need_packages libelf-dev qemu-system-x86
	fi
	mkdir -p "$out"
	rm -f "$out"/{test.log,results.json,counts}

	run_logged "configuring the $flavour $kernel kernel" "$out/config.log" \
		kunit config "${configs[@]}" || { fail "no such configuration"; return; }
	run_logged "building the $flavour $kernel kernel" "$out/build.log" \
		kunit build "${configs[@]}" --jobs "$(nproc)" ||
		{ fail "does not build"; return; }
	run_logged "running $filter in the $flavour $kernel kernel" "$out/run.log" \
		kunit exec --timeout "${KUNIT_TIMEOUT:-600}" --json="$out/results.json" "$filter" || status=$?

	report || { fail "no results, see ${out#"$root"/}/test.log"; return; }
	read -r p f s < "$out/counts"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ $((p + f)) != 0 ] || fail "no test ran"
	# Such as a crash between tests, or a plan with a hole.
	[ $status = 0 ] || [ "$f" != 0 ] || fail "kunit.py says so, see ${out#"$root"/}/run.log"
	if [ ! -s "$out/test.log" ]; then
		fail "no kernel log"
	elif splats "$out/test.log" > "$out/splats.log"; then
		head -n 20 "$out/splats.log" >&2
		fail "the kernel complained, see ${out#"$root"/}/test.log"
	else
		passed=$((passed + 1))
		printf '  %-6s %-32s %s\n' "$flavour" "kernel log" "nothing to complain of"
	fi
}

if [ $# = 0 ]; then
	set -- plain debug
	[ -n "${KUNIT_FILTER:-}" ] || set -- "$@" amdgpu
fi
for flavour; do
	[[ $flavour = plain || -e $here/configs/kunit-$flavour.config ]] || die "no such flavour: $flavour"
	run_flavour "$flavour"
done
stage_result kunit $passed $failed $skipped
