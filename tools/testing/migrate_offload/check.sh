#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Static checks. Each is a line of TAP; one that fails says why.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"

need_packages bc bison flex gcc libelf-dev make patch perl python3-sphinx shellcheck sparse
tree=$("$here/tree.sh")
out=$build/check-obj
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
number=0 passed=0 failed=0

result() {
	number=$((number + 1))
	case $1 in
	ok) passed=$((passed + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	echo "$1 $number - $2"
}

# t NAME COMMAND...: the command tells what is wrong, and fails if anything is.
t() {
	if "${@:2}" > "$tmp/said" 2>&1; then
		result ok "$1"
	else
		result "not ok" "$1"
		sed 's/^/#  /' "$tmp/said" | head -n 40
	fi
}

silent() {
	local status=0
	"$@" > "$tmp/silent" 2>&1 || status=$?
	cat "$tmp/silent"
	[ $status = 0 ] && [ ! -s "$tmp/silent" ]
}

scripts=$(repo_files . | while read -r path; do
	case $path in
	*.sh) echo "$path" ;;
	*) [[ $(head -c 30 "$root/$path" | head -n 1 | tr -d '\0') != '#!'*sh ]] || echo "$path" ;;
	esac
done)

### Style

check_style() {
	local path patch
	while read -r path; do
		case $path in
		*.[chS] | *.sh | *.rst | */Kconfig | */Makefile) t "checkpatch $path" checkpatch "$tree" -f "$path" ;;
		esac
	done < "$tmp/overlay"
	while read -r patch; do
		t "checkpatch ${patch#"$root"/}" checkpatch "$tree" "$patch"
	done < <(patches)
}

# What checkpatch cannot see in one file alone.
boot_parameters() {
	local name status=0
	while read -r name; do
		grep -q "^	$name" "$tree/Documentation/admin-guide/kernel-parameters.txt" ||
			{ echo "$name is not in kernel-parameters.txt"; status=1; }
	done < <(cd "$root" && cut -f 1 "$tmp/pairs" | xargs -d '\n' sed -nE 's/^(__setup|early_param)\("([^"]*)".*/\2/p')
	return $status
}

documents_exist() {
	local path status=0
	while read -r path; do
		[ -e "$tree/$path" ] || { echo "$path is named, but not there"; status=1; }
	done < <(cd "$root" && { cut -f 1 "$tmp/pairs"; repo_files patches; } |
		xargs -d '\n' grep -hoE '\bDocumentation/[A-Za-z0-9_./-]+\.(rst|txt)\b' | sort -u)
	return $status
}

coverage_page() {
	"$here/coverage.sh" table | diff -u "$root/Documentation/mm/migrate_offload_coverage.rst" -
}

### Warnings

kmake() { nice make -s -C "$tree" O="$out" CC="${CC:-gcc}" -j"$(nproc)" "$@"; }

# All of ours that can be built, KUnit tests included, modules as modules.
configure() {
	mkdir -p "$out"
	cat "$here/configs/x86_64.config" - > "$tmp/config" <<- 'END' || return
		CONFIG_KUNIT=y
		CONFIG_MIGRATE_OFFLOAD_KUNIT_TEST=y
		CONFIG_MIGRATE_OFFLOAD_BENCH=y
		CONFIG_MIGRATE_ENGINES_KUNIT_TEST=y
		CONFIG_PM=y
		CONFIG_DRM=m
		CONFIG_DRM_AMDGPU=m
		# CONFIG_DRM_AMD_DC is not set
		CONFIG_DRM_AMDGPU_SDMA_COPY=y
		CONFIG_DRM_AMDGPU_SDMA_COPY_KUNIT_TEST=y
	END
	cmp -s "$tmp/config" "$out/fragment" && [ -e "$out/.config" ] && return
	kmake tinyconfig &&
		"$tree/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" "$tmp/config" > "$out.merge.log" &&
		cp "$tmp/config" "$out/fragment"
}

# All that we have in amdgpu, which is large
amdgpu=drivers/gpu/drm/amd/amdgpu/amdgpu_sdma_copy.o

# Of our files, anew each time: what is up to date would not warn again.
build_objects() {
	configure && kmake olddefconfig && kmake prepare &&
		rm -rf "$out"/{mm/migrate_offload,drivers/dma/migrate-engines,mm/migrate.o} &&
		rm -f "$out/$amdgpu" &&
		kmake -k W=1 C=2 mm/migrate.o mm/migrate_offload/ drivers/dma/migrate-engines/ \
		"$amdgpu" 2> "$out/warnings"
}

# Sparse does not see that mm/migrate.c unlocks for others, on purpose.
known="context imbalance in '(migration_entry_wait|add_folio_for_migration|do_pages_stat_array)'"

# Complaints about a header of the kernel are not about us, though sparse names
# the file that includes it.
no_warnings() {
	case $1 in
	*.c)
		# Built by itself, or as a part of a file that includes it.
		[ -e "$out/${1%.c}.o" ] ||
			grep -qF "#include \"tests/${1##*/}\"" "$tree/${1%/tests/*}"/*.c ||
			{ echo "was not built"; return 1; }
		;;
	esac
	{ grep -F "${1#include/}:" "$out/warnings" || :; } > "$tmp/warnings"
	none -vE "$known|: note: in included file" "$tmp/warnings"
}

check_warnings() {
	local path
	run_logged "building with W=1 and sparse" "$out.log" build_objects ||
		result "not ok" "build with W=1 and sparse"
	for path in mm/migrate.c $(grep -E '^(include|mm|drivers)/.*\.[ch]$' "$tmp/overlay"); do
		t "W=1 and sparse $path" no_warnings "$path"
	done
}

### Documentation

kernel_doc() { silent perl "$tree/scripts/kernel-doc" -none -Wall "$tree/$1"; }

abi_file() {
	rm -rf "$tmp/abi"
	mkdir -p "$tmp/abi/testing"
	cp "$tree/$1" "$tmp/abi/testing/"
	silent perl "$tree/scripts/get_abi.pl" validate --dir "$tmp/abi"
}

# Our pages alone, with the kernel's own configuration and extensions.
sphinx() {
	local doc=$tmp/doc
	mkdir -p "$doc"
	sed -n 's,^Documentation/\(.*\.rst\)$,\1,p' "$tmp/overlay" > "$tmp/pages"
	[ -s "$tmp/pages" ] || { echo "there are no pages"; return 1; }
	copy_paths "$tree/Documentation" "$doc" < "$tmp/pages"
	perl "$tree/scripts/get_abi.pl" rest --rst-source --dir "$tmp/abi" > "$doc/abi.rst"
	printf 'Index\n=====\n\n.. toctree::\n\n   abi\n' > "$doc/index.rst"
	sed 's/^/   /' "$tmp/pages" >> "$doc/index.rst"
	cd "$tree/Documentation"
	srctree=$tree BUILDDIR=$tmp/html /usr/bin/python3 -m sphinx -q -b html \
		-c . -d "$tmp/doctrees" -D kerneldoc_srctree="$tree" \
		-D kerneldoc_bin="$tree/scripts/kernel-doc" "$doc" "$tmp/html" \
		> /dev/null 2> "$tmp/sphinx.log" || { cat "$tmp/sphinx.log"; return 1; }
	# Pages without figures do without dot; and the theme is no problem.
	none -vE 'dot\(1\) not found|^Using .* theme$' "$tmp/sphinx.log"
}

check_documentation() {
	local path
	while read -r path; do
		case $path in
		tools/*) ;;
		*.[ch]) t "kernel-doc $path" kernel_doc "$path" ;;
		Documentation/ABI/*) t "get_abi $path" abi_file "$path" ;;
		esac
	done < "$tmp/overlay"
	t "sphinx, warnings are errors" sphinx
	t "boot parameters are documented" boot_parameters
	t "documents that are named exist" documents_exist
	t "the table of tests is up to date" coverage_page
}

### The repository

# Not in: the licence itself, patches (of files with a licence), ABI files and
# prose for which the kernel has no such line.
spdx() {
	local path status=0
	while read -r path; do
		[[ $path =~ ^COPYING$|\.(patch|md)$|^Documentation/ABI/ ]] ||
			grep -q 'SPDX-License-Identifier: GPL-2\.0' "$root/$path" ||
			{ echo "$path"; status=1; }
	done < <(repo_files .)
	return $status
}

# Nothing that is only true on the machine where it was written.
machine() {
	local host dir pattern='' files
	for dir in ~ "$root" "$(dirname "$root")"; do
		case $dir in
		/ | /tmp | /home | /usr/src) ;;
		*) pattern+="|(^|[^A-Za-z0-9_.}/-])$dir(/|\\b)" ;;
		esac
	done
	# shellcheck disable=SC2016 # for apt-get to expand
	for host in $(apt-get indextargets --format '$(SITE)' 2> /dev/null |
		sed 's,^[a-z+]*://,,; s,[/:].*,,' | sort -u); do
		pattern+="|\\b${host//./\\.}\\b"
	done
	mapfile -t files < <(repo_files .)
	cd "$root"
	none -nIE "${pattern#|}" "${files[@]}"
}

# mutants.sh takes long; that they still say what to break is seen here.
mutants_apply() {
	local mutant status=0
	for mutant in "$here"/mutants/*.patch; do
		patch --dry-run -s -f -F0 -p1 -d "$root" < "$mutant" || status=1
	done
	return $status
}

check_repository() {
	local path line
	t "SPDX lines" spdx
	t "nothing of this machine" machine
	t "mutants apply" silent mutants_apply
	for path in $scripts; do
		t "shellcheck $path" silent shellcheck -x -P SCRIPTDIR "$root/$path"
	done
	"$here/apply-test.sh" > "$tmp/apply" 2>&1 || echo "not ok - apply-test.sh ended early" >> "$tmp/apply"
	while read -r line; do
		case $line in
		"ok "*) result ok "apply-test: ${line#* - }" ;;
		"not ok "*) result "not ok" "apply-test: ${line#* - }" ;;
		*) [[ $line =~ ^1\.\. ]] || echo "#  $line" ;;
		esac
	done < "$tmp/apply"
	t "series: git am of it gives the same tree" "$here/series.sh" series
}

overlay_files > "$tmp/pairs"
cut -f 2 "$tmp/pairs" | sort > "$tmp/overlay"
check_style
check_warnings
check_documentation
check_repository
stage_result check $passed $failed 0
