#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Would the tests notice if a rule were not there? Each patch in mutants/ takes
# one away, and says which rows of which test program must fail then:
#
#	Test: PROGRAM, or those that it needs before it, too
#	Notices: NAME OF THE ROW
#	Machine: NAME, and Append: for the kernel's command line, if need be
#
# First all of these programs must pass with nothing changed; then each mutated
# kernel is booted, and its program must run to the end, and fail in these rows.
#
#	mutants.sh [NAME...]	all of them, or those named

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"

nest=$build/mutants/repository # a copy of this repository, with a build/ of its own
number=0 failed=0

header() { sed -n "/^---$/q;s/^$1: //p" "$2"; }

result() { # STATUS TEXT
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		failed=$((failed + 1))
	fi
}

# Brings the copy up to date, and changes as few dates as can be.
copy_repository() {
	local path
	mkdir -p "$nest"
	repo_files . | sort > "$build/mutants/files"
	while read -r path; do
		same "$root/$path" "$nest/$path" || put "$root/$path" "$nest/$path"
	done < "$build/mutants/files"
	(cd "$nest" && find . -path ./build -prune -o -type f -printf '%P\n') | sort |
		comm -23 - "$build/mutants/files" |
		while read -r path; do rm "$nest/$path"; done
}

# boot LOG WHERE PROGRAM...: false if the machine did not come to its end. The
# kernel may complain. WHERE is "MACHINE|APPEND", or each of them empty.
boot() {
	local log=$1 machine=${2%%|*} append=${2#*|}
	shift 2
	# shellcheck disable=SC2048,SC2086 # words
	set -- $*
	VM_MACHINE=${machine:-x86_64} VM_APPEND=$append "$nest/tools/testing/migrate_offload/vm.sh" run fast "tests $*" > "$log" 2> "$log.err" || :
	sed -i 's/\r$//' "$log"
	grep -q "^# end ${!#} " "$log"
}

# The rows that failed, without numbers.
rows() { sed -nE "s/^$1 [0-9]+ //p" "$2"; }

where() { echo "$(header Machine "$1")|$(header Append "$1")"; }

control() {
	local log=$build/mutants/control.log status place places
	copy_repository
	mapfile -t places < <(for patch; do where "$patch"; done | sort -u)
	for place in "${places[@]}"; do
		status=0
		mapfile -t programs < <(for patch; do
			[ "$(where "$patch")" != "$place" ] || header Test "$patch"
		done | sort -u)
		info "nothing changed: ${programs[*]}"
		boot "$log" "$place" "${programs[@]}" && [ -z "$(rows 'not ok' "$log")" ] &&
			[ -n "$(rows ok "$log")" ] || status=1
		rows 'not ok' "$log" | sed 's/^/# fails: /'
		result $status "nothing changed: ${programs[*]} passes"
	done
}

mutant() {
	local patch=$1 name log row program lost
	name=$(basename "$patch" .patch)
	program=$(header Test "$patch")
	log=$build/mutants/$name.log
	info "$name: $program"
	copy_repository
	if ! patch -d "$nest" -p1 --force --fuzz=0 --no-backup-if-mismatch -r - < "$patch" > "$log.patch" 2>&1; then
		result 1 "$name: the patch does not fit"
		return
	fi
	lost=0
	boot "$log" "$(where "$patch")" "$program" || lost=1
	result $lost "$name: $program ran to its end"
	rows 'not ok' "$log" > "$log.failed"
	header Notices "$patch" > "$log.notices"
	while read -r row; do
		lost=0
		grep -qxF -- "$row" "$log.failed" || lost=1
		result $lost "$name: noticed by \"$row\""
	done < "$log.notices"
	[ -s "$log.notices" ] || result 1 "$name: says who notices"
	grep -vxFf "$log.notices" "$log.failed" | sed 's/^/# noticed, too: /' || :
}

patches=("${@/%/.patch}")
patches=("${patches[@]/#/$here/mutants/}")
[ $# != 0 ] || patches=("$here"/mutants/*.patch)
start=$SECONDS
control "${patches[@]}"
for patch in "${patches[@]}"; do
	mutant "$patch"
done
echo "1..$number"
stage_result mutants $((number - failed)) $failed 0
info "${#patches[@]} mutants, $((SECONDS - start)) s"
[ $failed = 0 ]
