#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Print the path of a QEMU that has an Intel DSA, the instruction that submits
# to it, and a copier for benchmarks: Debian's source with what is in qemu/,
# built once.
#
#	qemu.sh			build it if need be, print its path
#	qemu.sh key		what the binary in the cache is named after
#
# QEMU=PATH takes a binary that is there already.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

version=7.2
release=bookworm # that has it
parts=$here/qemu
binary=qemu-system-x86_64

# Only what the machine is made of. QEMU does not link PXB without CXL.
devices=(Q35 I440FX VTD PXB PCIE_PORT NVDIMM MEM_DEVICE DIMM TEST_DEVICES
	CXL CXL_MEM_DEVICE ACPI_CXL INTEL_DSA MIGRATE_COPIER)
options=(--target-list=x86_64-softmmu --without-default-features --without-default-devices
	--with-devices-x86_64=migrate-offload --enable-tcg --enable-coroutine-pool
	--with-git-submodules=ignore --disable-install-blobs --disable-docs --disable-tools
	--disable-user --disable-guest-agent --disable-kvm --disable-debug-info)

# An apt of our own: the machine's archive, its keys, and nothing else of it.
apt_get() { apt-get -q -c "$apt/apt.conf" "$@"; }

use_apt() {
	local site
	command -v apt-get > /dev/null || die "not Debian: give a QEMU that has intel-dsa with QEMU="
	for site in "Codename: $release" "Component: main"; do
		# shellcheck disable=SC2016 # apt's, not ours
		site=$(apt-get indextargets --format '$(SITE)' "$site" | head -n 1)
		[ -z "$site" ] || break
	done
	[ -n "$site" ] || die "apt knows no archive: give a QEMU that has intel-dsa with QEMU="
	mkdir -p "$apt"/{lists/partial,archives/partial}
	echo "deb-src $site $release main" > "$apt/sources.list"
	cat > "$apt/apt.conf" <<- END
		Dir::Etc::SourceList "$apt/sources.list";
		Dir::Etc::SourceParts "-";
		Dir::State::Lists "$apt/lists";
		Dir::Cache "$apt";
		Dir::Cache::Archives "$apt/archives";
		APT::Sandbox::User "root";
	END
}

# "&&": in a function that run_logged calls, a failure would not end the script.
download() {
	rm -rf "$sources/qemu.tmp" && mkdir -p "$sources/qemu.tmp" && cd "$sources/qemu.tmp" &&
		apt_get update && apt_get source --download-only "qemu/$release" &&
		dpkg-source --no-check -x qemu_*.dsc tree && mv -T tree "$source"
}

patch_tree() {
	rm -rf "$tree" && cp -a "$source" "$tree" && cd "$tree" &&
		for p in "$parts"/*.patch; do patch -s -p1 --no-backup-if-mismatch < "$p" || return; done &&
		cp "$parts"/*.c "$parts"/*.h hw/misc/ &&
		printf '%s\n' "${devices[@]/%/=y}" | sed 's/^/CONFIG_/' \
			> configs/devices/x86_64-softmmu/migrate-offload.mak
}

# Debian's python first: meson is its, and no other can load it.
compile() {
	rm -rf "$out" && mkdir -p "$out" && cd "$out" &&
		PATH=/usr/sbin:/usr/bin:/sbin:/bin "$tree/configure" --cc="${CC:-gcc}" "${options[@]}" &&
		nice ninja -j"$(nproc)" "$binary" && strip -o "$binary.stripped" "$binary"
}

key() { cat "$parts"/* "$here/qemu.sh" | sha256sum | cut -c 1-16; }

if [ "${1-}" = key ]; then
	key
	exit
fi
if [ -n "${QEMU-}" ]; then
	"$QEMU" -device help 2>&1 | grep -q '"intel-dsa"' || die "$QEMU has no intel-dsa"
	echo "$QEMU"
	exit
fi

result=$cache/qemu/$(key)/$binary
sources=$cache/sources
source=$sources/qemu-$version
apt=$build/qemu-apt
tree=$build/qemu-source
out=$build/qemu
mkdir -p "$cache/qemu" "$sources" "$build"
exec 9> "$cache/qemu/lock"
flock 9
if [ ! -x "$result" ]; then
	need_packages dpkg-dev gcc libc6-dev libfdt-dev libglib2.0-dev libpixman-1-dev meson \
		ninja-build patch pkg-config python3 zlib1g-dev
	if [ ! -e "$source" ]; then
		use_apt
		run_logged "downloading the source of QEMU $version" "$build/qemu-download.log" download
	fi
	run_logged "patching QEMU" "$build/qemu-patch.log" patch_tree
	run_logged "building QEMU" "$build/qemu-build.log" compile 9>&-
	mkdir -p "${result%/*}"
	cp "$out/$binary.stripped" "$result.new"
	mv "$result.new" "$result"
fi
echo "$result"
