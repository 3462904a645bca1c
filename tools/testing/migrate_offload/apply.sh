#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Put migration offload into a kernel source tree, or take it out again.
#
#	apply.sh apply TREE
#	apply.sh unapply TREE
#
# Everything is checked and made in a temporary directory first; a problem
# changes nothing in the tree. What was made then waits in the tree, complete,
# to be renamed into place. If that is cut short, the next call finishes it.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"

verb=${1:-} tree=${2:-}
[[ $verb = apply || $verb = unapply ]] || die "usage: apply.sh apply|unapply TREE"
[ -n "$tree" ] || die "which kernel tree? make $verb KSRC=DIR"
check_kernel_tree "$tree"
tree=$(cd "$tree" && pwd -P)
waiting=$tree/.migrate_offload.tmp

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mapfile -t patches < <(patches)
overlay_files > "$tmp/overlay"
patched_paths "${patches[@]}" > "$tmp/patched"

# Rename what waits, remove what has to go.
finish() {
	local path
	(cd "$waiting/new" && find . -type f -printf '%P\n') | while read -r path; do
		mkdir -p "$(dirname "$tree/$path")"
		mv -f "$waiting/new/$path" "$tree/$path"
	done
	while read -r path; do take_out "$tree" "$path"; done < "$waiting/gone"
	rm -rf "$waiting"
}

# change NEW GONE: NEW is a directory of files, GONE a list of paths.
change() {
	local dir
	{ echo .; (cd "$1" && find . -type f -printf '%h\n'); xargs -r -d '\n' dirname < "$2"; } |
		sort -u | while read -r dir; do
		until [ -e "$tree/$dir" ]; do dir=$(dirname "$dir"); done
		[ -w "$tree/$dir" ] || die "$tree/$dir cannot be written"
	done
	mkdir "$waiting"
	cp "$2" "$waiting/gone"
	cp -R "$1" "$waiting/incomplete"
	mv "$waiting/incomplete" "$waiting/new"
	finish
}

if [ -d "$waiting/new" ]; then
	info "$tree: finishing what was interrupted"
	finish
fi
rm -rf "$waiting"

# The patched files as they would be with and without the patches; if that
# cannot be, why.
while read -r path; do
	[ -f "$tree/$path" ] || die "$tree has no $path"
done < "$tmp/patched"
mkdir "$tmp/with" "$tmp/without"
copy_paths "$tree" "$tmp/with" < "$tmp/patched"
copy_paths "$tree" "$tmp/without" < "$tmp/patched"
why_not_with='' why_not_without=''
for patch in "${patches[@]}"; do
	why_not_with=$(apply_patch "$tmp/with" "$patch") || break
done
for ((i = ${#patches[@]} - 1; i >= 0; i--)); do
	why_not_without=$(apply_patch "$tmp/without" "${patches[i]}" -R) || break
done

# How many of our files are there, as they are here, or otherwise?
there=0 differs=
while IFS=$'\t' read -r ours theirs; do
	if same "$root/$ours" "$tree/$theirs"; then
		there=$((there + 1))
	elif [ -e "$tree/$theirs" ] || [ -L "$tree/$theirs" ]; then
		differs=${differs:-$theirs}
	fi
done < "$tmp/overlay"

apply() {
	local ours theirs
	[ -n "$why_not_without" ] || die "$tree has it already"
	[ -z "$differs" ] || die "$tree has another $differs"
	[ -z "$why_not_with" ] || die "$why_not_with in $tree"
	while IFS=$'\t' read -r ours theirs; do
		mkdir -p "$(dirname "$tmp/with/$theirs")"
		cp "$root/$ours" "$tmp/with/$theirs"
	done < "$tmp/overlay"
	change "$tmp/with" /dev/null
	info "$tree: applied; CONFIG_MIGRATE_OFFLOAD turns it on"
}

unapply() {
	[ -z "$why_not_without" ] || [ -n "$why_not_with" ] || die "$tree does not have it"
	[ -z "$why_not_without" ] || die "$why_not_without backwards in $tree"
	[ -z "$differs" ] || die "$tree/$differs was modified, or is of another version"
	cut -f 2 "$tmp/overlay" > "$tmp/gone"
	change "$tmp/without" "$tmp/gone"
	info "$tree: as it was"
}
$verb
