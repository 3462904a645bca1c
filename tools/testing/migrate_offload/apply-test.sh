#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# apply.sh must do all or nothing, and unapply must undo it. Writes TAP.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree
pristine=$("$here/source.sh")
number=0

result() {
	number=$((number + 1))
	echo "$1 $number - ${*:2}"
}

# Names, modes and contents of all files, and directories.
fingerprint() { (cd "$1" && { find . -printf '%m %y %p\n' | sort; find . -type f -print0 | sort -z | xargs -0r sha256sum; } | sha256sum); }

# A little tree: what is looked at, what is patched, and some bystanders.
fresh_tree() {
	rm -rf "$tree"
	mkdir "$tree"
	mapfile -t list < <(patches)
	{
		printf '%s\n' Makefile Kbuild Kconfig mm/Kconfig mm/migrate.c include/linux/migrate.h
		patched_paths "${list[@]}"
	} | sort -u | copy_paths "$pristine" "$tree"
}

# refuses WHAT PATTERN VERB: one line that matches, status 1, nothing changed.
refuses() {
	local before said status=0
	before=$(fingerprint "$tree")
	said=$("$here/apply.sh" "$3" "$tree" 2>&1) && status=ok
	if [ "$status" != ok ] && [[ $said == "error: "* && $said != *$'\n'* && $said =~ $2 ]] &&
		[ "$before" = "$(fingerprint "$tree")" ]; then
		result ok "$3 refuses $1"
	else
		result "not ok" "$3 refuses $1"
		printf '#  %s\n' "$said"
	fi
}

# does WHAT VERB: and says so.
does() {
	local said
	if said=$("$here/apply.sh" "$2" "$tree" 2>&1); then
		result ok "$1"
	else
		result "not ok" "$1"
		printf '#  %s\n' "$said"
	fi
}

is() {
	if [ "$(fingerprint "$tree")" = "$2" ]; then result ok "$1"; else result "not ok" "$1"; fi
}

mkdir "$tree"
refuses "an empty directory" "not a Linux source tree" apply
refuses "an empty directory" "not a Linux source tree" unapply

fresh_tree
before=$(fingerprint "$tree")
refuses "a tree that does not have it" "does not have it" unapply
does "apply" apply
after=$(fingerprint "$tree")
refuses "a tree that has it" "has it already" apply
does "unapply" unapply
is "unapply after apply leaves the tree as it was" "$before"
refuses "a second time" "does not have it" unapply

sed -i 's/^PATCHLEVEL = .*/PATCHLEVEL = 6/' "$tree/Makefile"
refuses "another version" "is Linux 6.6, this needs $base" apply

fresh_tree
sed -i '/migrate_pages_batch\|__migrate_folio/s/$/ /' "$tree/mm/migrate.c"
refuses "a tree that a patch does not fit" "[.]patch does not fit mm/migrate.c" apply

fresh_tree
echo "/* other */" > "$tree/include/linux/migrate_offload.h"
refuses "a tree with another file of that name" "has another include/linux/migrate_offload.h" apply

fresh_tree
rm "$tree/mm/migrate.c"
refuses "a tree without mm/migrate.c" "not a Linux source tree" apply

fresh_tree
"$here/apply.sh" apply "$tree" 2> /dev/null || :
echo "/* mine */" >> "$tree/include/linux/migrate_offload.h"
refuses "when a file of ours was modified" "include/linux/migrate_offload.h was modified" unapply

fresh_tree
"$here/apply.sh" apply "$tree" 2> /dev/null || :
sed -i 's/migrate_offload_wait/migrate_offload_mine/' "$tree/mm/migrate.c"
refuses "when a patched line was modified" "does not fit mm/migrate.c backwards" unapply

# Killed between two renames: some done, some waiting.
fresh_tree
"$here/apply.sh" apply "$tree" 2> /dev/null || :
mkdir -p "$tree/.migrate_offload.tmp/new/mm"
: > "$tree/.migrate_offload.tmp/gone"
mv "$tree/mm/migrate.c" "$tree/.migrate_offload.tmp/new/mm/"
cp "$pristine/mm/migrate.c" "$tree/mm/"
"$here/apply.sh" apply "$tree" 2> /dev/null || :
is "apply finishes what was interrupted" "$after"

echo "1..$number"
