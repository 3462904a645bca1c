# SPDX-License-Identifier: GPL-2.0-only
# What of this repository goes into a kernel tree, and how; source it after
# lib.sh.
#
# shellcheck shell=bash
# shellcheck disable=SC2154 # root, base: lib.sh

patch_dir=$root/patches/$base
overlay_roots=(include mm drivers Documentation tools/mm
	tools/testing/selftests/migrate_offload Kconfig)

# All files of ours under PATH...; without git (a tarball), all files there.
repo_files() (
	cd "$root" || exit
	if [ -e .git ] && git ls-files > /dev/null 2>&1; then
		git ls-files -co --exclude-standard -- "$@"
	else
		{ find "$@" \( -path ./build -o -name .git \) -prune -o -type f ! -name '*.o' ! -name '*~' -print \
			2> /dev/null || :; } | sed 's,^\./,,'
	fi | while read -r path; do
		[ ! -e "$path" ] || echo "$path" # git has not been told of what is gone
	done
)

# The overlay: lines of "path here<TAB>path in a kernel tree".
overlay_files() {
	local path
	repo_files "${overlay_roots[@]}" | sort | while read -r path; do
		case $path in
		# A kernel tree has a Kconfig of its own at its root.
		Kconfig) printf '%s\t%s\n' "$path" mm/migrate_offload/Kconfig ;;
		*) printf '%s\t%s\n' "$path" "$path" ;;
		esac
	done
}

# The files that PATCH... change. New files belong into the overlay.
patched_paths() { sed -n 's,^+++ b/\([^\t]*\).*,\1,p' "$@" | sort -u; }

patches() {
	[ -d "$patch_dir" ] || die "there are no patches for Linux $base"
	find "$patch_dir" ${FIXES:+"$root/patches/fixes/$base"} -name "*.patch" | sort
}

# copy_paths FROM TO: those on stdin.
copy_paths() { (cd "$1" && xargs -r -d '\n' cp --parents -t "$2"); }

# apply_patch DIR PATCH [OPTION...]: all of it, or a line that says which file
# is to blame. No fuzz: what "git am" would not take is not taken here.
apply_patch() {
	local dir=$1 patch=$2 said
	shift 2
	said=$(patch -d "$dir" -p1 --force --fuzz=0 --no-backup-if-mismatch -r - "$@" < "$patch" 2>&1) ||
		{
			awk -v patch="${patch##*/}" '/^patching file/ { file = $3 }
				/FAILED|No file|can.t find/ { bad = 1; exit }
				END { print patch " does not fit " (file ? file : "a file that is not there") }' <<< "$said"
			return 1
		}
}

# put FROM TO: by a new file and a rename, so that a hard link elsewhere keeps
# its content, and a kill leaves the old file or the new one.
put() {
	mkdir -p "$(dirname "$2")"
	cp "$1" "$2.mo-new"
	mv -f "$2.mo-new" "$2"
}

# Would put() change anything?
same() { cmp -s "$1" "$2" && [ "$(test -x "$1"; echo $?)" = "$(test -x "$2"; echo $?)" ]; }

# take_out TREE PATH: and the directories that this leaves empty.
take_out() {
	rm -f "$1/$2"
	(cd "$1" && rmdir -p --ignore-fail-on-non-empty "$(dirname "$2")" 2> /dev/null) || :
}

# copy_tree FROM TO: by hard links where that can be; complete, or not there.
# Not its .git: what happens in TO is not its business.
copy_tree() {
	local how
	for how in -al -a; do
		rm -rf "$2" "$2.new"
		mkdir "$2.new"
		if (cd "$1" && find . -mindepth 1 -maxdepth 1 ! -name .git -print0 |
			xargs -0 cp "$how" -t "$2.new"); then
			mv -T "$2.new" "$2"
			return
		fi
	done
	return 1
}

# What checkpatch says of a path and does not apply there:
# - tracepoints have a layout of their own
# - user space has neither __printf() nor READ_ONCE(), BIT() nor strscpy(); a
#   macro that names a member cannot have parentheses around it; and functions of
#   tests have short names, which are words
# - hugetlb names its flags twice, once in camel case
not_applicable='^include/trace/[^ ]* CHECK:(OPEN_ENDED_LINE|PARENTHESIS_ALIGNMENT):'
not_applicable+='|^tools/testing/selftests/[^ ]* WARNING:(PREFER_DEFINED_ATTRIBUTE_MACRO|VOLATILE|STRCPY):'
not_applicable+='|^tools/testing/selftests/[^ ]* CHECK:(BIT_MACRO|MACRO_ARG_PRECEDENCE):'
not_applicable+='|^tools/testing/selftests/[^ ]* WARNING:EMBEDDED_FUNCTION_NAME:'
not_applicable+='|^include/linux/hugetlb.h:[^ ]* CHECK:CAMELCASE:'

# grep that succeeds when it has searched and found nothing.
none() {
	local status=0
	grep "$@" || status=$?
	[ $status = 1 ]
}

# checkpatch TREE [OPTION...] FILE: strict; what it says makes it fail. Types
# that cannot be seen from one patch or file alone:
# - FILE_PATH_CHANGES: MAINTAINERS is updated by another one
# - UNDOCUMENTED_SETUP: so is kernel-parameters.txt; check.sh looks for itself
checkpatch() {
	local status=0
	(cd "$1" && perl scripts/checkpatch.pl --strict --terse --no-summary --show-types --showfile \
		--ignore FILE_PATH_CHANGES,UNDOCUMENTED_SETUP "${@:2}") > "$tmp/checkpatch" 2>&1 || status=$?
	# It was about what does not apply, or else it failed to run.
	[ $status = 0 ] || [ -s "$tmp/checkpatch" ] || echo "checkpatch: exit status $status"
	none -vE "$not_applicable" "$tmp/checkpatch"
}
