#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The series as it would be mailed.
#
#	series.sh series		write build/series/*.patch, and prove that they
#					make the same tree as overlay and patches do
#	series.sh series-check		and check the style of each, and that each compiles,
#					and has all that it needs to link
#
# patches/series/NN-NAME.stage describes one mail: "Subject: ...", an empty
# line, the text, then "Files:" with globs of what it adds, and "Patches:" with
# the patches to the kernel's own files that it contains; cover.txt is the
# cover letter. What mails to come will bring is left out of Makefile and
# Kconfig until then.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"

series=$build/series
mapfile -t stages < <(find "$root/patches/series" -name '*.stage' | sort)
[ ${#stages[@]} != 0 ] || die "no patches/series/*.stage"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mapfile -t patches < <(patches)

# As in the log of this repository, or nobody in particular.
name=$(git -C "$root" config user.name) || name="Migration Offload Developers"
email=$(git -C "$root" config user.email) || email=migrate-offload@example.org
export GIT_AUTHOR_NAME=$name GIT_AUTHOR_EMAIL=$email
export GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=$email
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

# section NAME FILE: the lines below "NAME:", without comments.
section() { awk -v head="$1:" '/^#/ { next } /^(Files|Patches):$/ { on = $0 == head; next } on && NF' "$2"; }
header() { sed -n "s/^$1: //p" "$2" | head -n 1; }
body() { awk '/^#/ { next } /^(Files|Patches):$/ { exit } !text { text = /^$/; next } { print }' "$1"; }

# Which stage brings which file? Lines of "stage<TAB>path", checked both ways.
assign() {
	local i glob path found
	overlay_files > "$tmp/overlay"
	cut -f 2 "$tmp/overlay" | sort > "$tmp/all"
	for i in "${!stages[@]}"; do
		while read -r glob; do
			found=
			while read -r path; do
				# shellcheck disable=SC2053 # it is a glob
				if [[ $path == $glob ]]; then
					found=1
					printf '%d\t%s\n' "$i" "$path"
				fi
			done < "$tmp/all"
			[ -n "$found" ] || die "${stages[i]##*/} names $glob, which is not there"
		done < <(section Files "${stages[i]}")
	done > "$tmp/assigned"
	once "$tmp/all" "$(cut -f 2 "$tmp/assigned")"
	printf '%s\n' "${patches[@]##*/}" > "$tmp/patches"
	once "$tmp/patches" "$(for i in "${stages[@]}"; do section Patches "$i"; done)"
}

# once FILE LIST: each line of FILE is to be in LIST, once, and no other.
once() {
	local bad
	bad=$(sort "$1" | comm -13 - <(sort <<< "$2") | head -n 1)
	[ -z "$bad" ] || die "patches/series: $bad is in two stages, or not there"
	bad=$(sort "$1" | comm -23 - <(sort <<< "$2") | head -n 1)
	[ -z "$bad" ] || die "patches/series: $bad is in no stage"
}

with_dirs() { awk '{ print; while (sub("/?[^/]*$", "") && $0) print $0 "/" }' | sort -u; }

# The file PATH, a Makefile or Kconfig, without lines about what is not there
# yet: objects, also of several files, and directories of ours, sourced files,
# options that no file mentions.
without_missing() {
	awk -v dir="$(dirname "$1")" '
		!pass { missing[$0]; next }
		pass == 1 {
			if (!sub(/-y$/, ".c", $1))
				next
			for (i = 2; i <= NF; i++) {
				path = dir "/" $i
				sub(/\.o$/, ".c", path)
				if (path in missing)
					missing[dir "/" $1]
			}
			next
		}
		/^(config|menuconfig) / { drop = system("grep -rqw --exclude=Kconfig CONFIG_" $2 " .") }
		/^[a-z]/ && !/^(menu)?config / { drop = 0 }
		drop { next }
		/^source / { path = $2; gsub(/"/, "", path); if (path in missing) next }
		{
			for (i = 1; i <= NF; i++) {
				path = dir "/" $i
				sub(/\.o$/, ".c", path)
				if (path in missing)
					next
			}
		}
		!NF { blank = 1; next }
		blank { print ""; blank = 0 }
		{ print }' "$tmp/missing" pass=1 "$1" pass=2 "$1"
}

# Into the current directory: all that stages 0 to $1 bring, as it looks then.
install_stage() {
	local ours theirs name
	awk -F '\t' -v last="$1" '$1 <= last { print $2 }' "$tmp/assigned" | sort > "$tmp/here"
	while IFS=$'\t' read -r ours theirs; do
		! grep -qxF "$theirs" "$tmp/here" || put "$root/$ours" "$theirs"
	done < "$tmp/overlay"
	comm -23 <(with_dirs < "$tmp/all") <(with_dirs < "$tmp/here") > "$tmp/missing"
	[ -s "$tmp/missing" ] || return 0
	# Makefiles first: they say which options Kconfig needs.
	for name in Makefile Kconfig; do
		grep "/$name$" "$tmp/here" | while read -r theirs; do
			without_missing "$theirs" > "$tmp/filtered"
			put "$tmp/filtered" "$theirs"
		done
	done
}

commit() {
	git add -A
	git commit -q -F - --date="$date"
}

# With the files that the patches change, as they are in a pristine tree.
new_repo() {
	git init -q -b series "$1"
	patched_paths "${patches[@]}" | copy_paths "$pristine" "$1"
	cd "$1"
	git config core.abbrev 12 # so that the mails do not depend on the repository's size
	commit <<< "Linux $base"
}

make_series() {
	local i patch why version cover=$root/patches/series/cover.txt
	pristine=$("$here/source.sh")
	date=$(git -C "$root" log -1 --format=%cI 2> /dev/null) || date=$(date -I)T00:00:00Z
	export GIT_COMMITTER_DATE=$date
	assign
	new_repo "$tmp/repo"
	for i in "${!stages[@]}"; do
		install_stage "$i"
		while read -r patch; do
			why=$(apply_patch . "$patch_dir/$patch") || die "${stages[i]##*/}: $why"
		done < <(section Patches "${stages[i]}")
		{ header Subject "${stages[i]}"; echo; body "${stages[i]}"; } |
			git stripspace > "$tmp/message"
		printf '\nSigned-off-by: %s <%s>\n' "$name" "$email" >> "$tmp/message"
		commit < "$tmp/message"
	done

	git config branch.series.description "$(header Subject "$cover"; echo; body "$cover")"
	version=$(header Version "$cover")
	rm -rf "$tmp/mails"
	git format-patch -q -N --subject-prefix="PATCH RFC${version:+ v$version}" --numbered \
		--signature="" --cover-letter --cover-from-description=subject \
		-o "$tmp/mails" "$(git rev-list --max-parents=0 HEAD)"
	sed -i "s/PATCH RFC v1 /PATCH RFC /" "$tmp"/mails/*
	(verify) # does not go on after a failure, and leaves the old mails then
	rm -rf "$series"
	mkdir -p "$build"
	mv "$tmp/mails" "$series"
}

# In order, without the cover letter.
mails() { find "$1" -name '*.patch' ! -name '0000-*' | sort; }

# What git am makes of the mails is what overlay and patches make?
verify() {
	local patch why ours theirs
	new_repo "$tmp/applied"
	mails "$tmp/mails" | xargs git am -q --whitespace=error > "$tmp/am.log" 2>&1 ||
		die "git am: $(head -n 1 "$tmp/am.log")"
	rm -rf "$tmp/want"
	mkdir "$tmp/want"
	patched_paths "${patches[@]}" | copy_paths "$pristine" "$tmp/want"
	for patch in "${patches[@]}"; do
		why=$(apply_patch "$tmp/want" "$patch") || die "$why"
	done
	while IFS=$'\t' read -r ours theirs; do
		mkdir -p "$tmp/want/$(dirname "$theirs")"
		cp "$root/$ours" "$tmp/want/$theirs"
	done < "$tmp/overlay"
	diff -r -x .git "$tmp/want" "$tmp/applied" > "$tmp/diff" ||
		die "the series makes another tree: $(head -n 1 "$tmp/diff")"
}

kmake() {
	nice make -s -C "$work/linux" O="$work/obj" CC="${CC:-gcc}" -j"$(nproc)" "$@"
}

# What the symbols of our objects are: of $1 (-u or --defined-only).
symbols() {
	# Not all of it is there from the beginning.
	{
		find "$work/obj"/mm/{migrate_offload,migrate.o,hugetlb.o} \
			"$work"/obj/drivers/dma/{migrate-engines,idxd} -name '*.o' -print0 2> /dev/null || :
	} |
		xargs -0 -r nm "$1" | awk 'NF > 1 { print $NF }' | sort -u
}

# The whole kernel is built elsewhere, of all mails together. Each of them has to
# compile, and to have all that it takes from the others: what is not there yet,
# but would be in the end, would not link.
links() {
	local missing
	missing=$(comm -12 "$work/$1.undefined" "$work/last.defined" |
		comm -23 - "$work/$1.defined" | paste -sd ' ')
	[ -z "$missing" ] || { info "series: $1 lacks $missing"; return 1; }
}

# The tree is a neighbour of obj/ and called linux, and the configuration is
# vm.sh's, so that ccache knows most of it: KUnit changes task_struct, so its
# tests are left to "make check" and "make kunit".
check_series() {
	local mail path name failed=0 passed=0
	work=$build/series-check
	need_packages gcc make flex bison bc libelf-dev perl
	mkdir -p "$work/obj"
	# Objects of the last run would have symbols that are not there yet.
	rm -rf "$work"/obj/mm/migrate_offload "$work"/obj/drivers/dma/migrate-engines
	run_logged "copying the source tree" "$work/copy.log" copy_tree "$pristine" "$work/linux"
	# What the last run built from patched files is to be built anew.
	patched_paths "${patches[@]}" | while read -r path; do
		put "$pristine/$path" "$work/linux/$path"
	done
	kmake tinyconfig > /dev/null
	"$work/linux/scripts/kconfig/merge_config.sh" -m -O "$work/obj" "$work/obj/.config" \
		"$here/configs/x86_64.config" > "$work/config.log"
	cp "$work/obj/.config" "$work/wanted.config"
	for mail in $(mails "$series"); do
		if checkpatch "$work/linux" "$mail" > "$work/checkpatch.log"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			cat "$work/checkpatch.log" >&2
		fi
		apply_patch "$work/linux" "$mail" >&2
		cp "$work/wanted.config" "$work/obj/.config"
		if run_logged "building ${mail##*/}" "$work/build.log" build_step; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
		name=${mail##*/}
		symbols -u > "$work/$name.undefined"
		symbols --defined-only > "$work/$name.defined"
		cp "$work/$name.defined" "$work/last.defined"
	done
	[ -s "$work/last.defined" ] || die "series: no symbols of ours were found"
	for mail in $(mails "$series"); do
		if links "${mail##*/}"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
	done
	stage_result series $passed $failed 0
}

# Warnings count: a series is to be clean at each step.
build_step() {
	local status=0
	{ kmake olddefconfig && kmake mm/ drivers/dma/; } 2> "$work/warnings.log" || status=$?
	cat "$work/warnings.log"
	[ $status = 0 ] && [ ! -s "$work/warnings.log" ]
}

case ${1-} in
series | series-check)
	make_series
	info "${series#"$root"/}: $(find "$series" -name '*.patch' | wc -l) mails, verified"
	[ "$1" = series ] || check_series
	;;
*) sed -n '/^#\t[^\t]/s/^#\t//p' "$0" >&2; exit 2 ;;
esac
