#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Bring build/linux up to date and print its path: a pristine tree with our
# files and patches. Only what differs is written, so that a second make has
# nothing to do. Unchanged files are hard links into the pristine tree: never
# edit here, edit the repository.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"

tree=$build/linux
state=$build/linux.state # .stamp: made of what; .files: ours, or patched
mkdir -p "$build"

exec 8> "$build/linux.lock"
flock 8
pristine=$("$here/source.sh")
[ "$pristine" != "$tree" ] || die "KSRC is to be a pristine tree, not the one made from it"

inputs() {
	echo "$pristine"
	overlay_files
	(cd "$root" && overlay_files | cut -f 1 > "$state.list" &&
		xargs -r -d '\n' -a "$state.list" sha256sum &&
		xargs -r -d '\n' -a "$state.list" stat -c %a)
	patches | xargs -r sha256sum
	# A given tree is not under our control: see whether it changed below our patches.
	[ -z "${KSRC:-}" ] || patches | xargs -r sed -n 's,^+++ b/,,p' |
		(cd "$pristine" && xargs -r -d '\n' sha256sum)
	# And whether somebody edited the result.
	(cd "$tree" && xargs -r -d '\n' -a "$state.files" stat -c '%Y %s' 2> /dev/null) || :
}

stamp() { inputs | sha256sum; }

if [ -d "$tree" ] && [ "$(stamp)" = "$(cat "$state.stamp" 2> /dev/null)" ]; then
	echo "$tree"
	exit
fi
rm -f "$state.stamp"

if [ "$(cat "$state.pristine" 2> /dev/null)" != "$pristine" ] || [ ! -d "$tree" ]; then
	# Objects of another source may be younger than the new source.
	find "$build" -mindepth 2 -maxdepth 2 -name .config -printf '%h\0' | xargs -0 -r rm -rf
	rm -rf "$tree" "$state".*
	run_logged "copying the source tree" "$build/copy.log" copy_tree "$pristine" "$tree"
	echo "$pristine" > "$state.pristine"
fi

tmp=$(mktemp -d "$build/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/new"
mapfile -t patches < <(patches)
patched_paths "${patches[@]}" | copy_paths "$pristine" "$tmp/new" 2> /dev/null ||
	die "a patch of ${patch_dir#"$root"/} changes a file that $pristine does not have"
for patch in "${patches[@]}"; do
	why=$(apply_patch "$tmp/new" "$patch") || die "$why"
done
while IFS=$'\t' read -r ours theirs; do
	[ ! -e "$pristine/$theirs" ] || die "$ours: $pristine has a $theirs already"
	mkdir -p "$(dirname "$tmp/new/$theirs")"
	cp "$root/$ours" "$tmp/new/$theirs"
done < <(overlay_files)
(cd "$tmp/new" && find . -type f -printf '%P\n' | sort) > "$tmp/files"

# What was ours before and is no more. Restored files get a new date, on which
# make depends.
touch "$state.files"
sort -u "$tmp/files" "$state.files" > "$tmp/both"
mv "$tmp/both" "$state.files"
comm -13 "$tmp/files" "$state.files" > "$tmp/gone"
while read -r path; do
	if [ -e "$pristine/$path" ]; then
		same "$pristine/$path" "$tree/$path" || put "$pristine/$path" "$tree/$path"
	else
		take_out "$tree" "$path"
	fi
done < "$tmp/gone"
while read -r path; do
	same "$tmp/new/$path" "$tree/$path" || put "$tmp/new/$path" "$tree/$path"
done < "$tmp/files"
mv "$tmp/files" "$state.files"
stamp > "$state.stamp"
echo "$tree"
