#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Emulated machines with DMA controllers of their own, whose in-tree drivers give
# the channels for engines:
#
#	machines.sh selftest		all, or those in MACHINES; adds to the results
#	machines.sh build MACHINE	kernel and programs
#	machines.sh list
#
# The controllers of these models copy at once, while the CPU waits: they show
# that addresses, caches and interrupts are right, nothing about time.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kernel.sh
. "$here/kernel.sh"

# Name, kernel, command line, programs as guest/init.c takes them. Neither of
# the two providers reports errors, so the CPU compares what they copy.
versal=migrate_engine_dmaengine.trust=xilinx-zynqmp-dma
sifive=migrate_engine_dmaengine.trust=sf-pdma
machines=(
	"arm64-versal|arm64-versal|$versal|dmaengine,zynqmp-dma,engines=8"
	"arm64-versal-swiotlb|arm64-versal|$versal swiotlb=65536,force|dmaengine,zynqmp-dma,engines=8,bounces"
	"riscv64-sifive|riscv64-sifive|$sifive|dmaengine,3000000.dma,engines=1"
)

# use_kernel NAME: what to build it with, and QEMU with the machine for it.
use_kernel() {
	local arch cross
	case $1 in
	arm64-versal)
		arch=arm64 cross=aarch64-linux-gnu- image=arch/arm64/boot/Image
		packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm)
		qemu=(qemu-system-aarch64 -M xlnx-versal-virt -smp 4 -m 2G)
		terminals="ttyAMA0 ttyAMA1"
		;;
	riscv64-sifive)
		arch=riscv cross=riscv64-linux-gnu- image=arch/riscv/boot/Image
		packages=(gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-system-misc)
		qemu=(qemu-system-riscv64 -M sifive_u -smp 5 -m 2G -bios default)
		terminals="ttySIF0 ttySIF1"
		;;
	*) die "no such kernel: $1" ;;
	esac
	flavour=$1
	out=$build/vm-$flavour
	fragments=("$here/configs/machine.config" "$here/configs/$flavour.config")
	compiler=${cross}gcc
	! command -v ccache > /dev/null || compiler="ccache $compiler"
	CC=$compiler
	kernel_make=("ARCH=$arch" "CROSS_COMPILE=$cross")
	kernel_targets=("${image##*/}")
	mkdir -p "$out/root"
}

# Only what runs there: most of the kselftests want a machine of the larger kind.
build_programs() {
	run_logged "building programs for $flavour" "$out/selftests.log" \
		make -s -C "$tree/tools/testing/selftests/migrate_offload" \
		OUTPUT="$out/root" CC="$compiler" USERLDFLAGS=-static "${kernel_make[@]}" \
		"$out/root/dmaengine" 9>&-
	$compiler -Wall -Wextra -Werror -Wno-unused-result -O2 -static -o "$out/root/init" \
		"$here/guest/init.c"
	{
		printf 'dir /%s 755 0 0\n' dev opt proc sys tmp
		echo 'nod /dev/console 600 0 0 c 5 1'
		echo "file /init $out/root/init 755 0 0"
		echo "file /opt/dmaengine $out/root/dmaengine 755 0 0"
	} > "$out/initramfs.list"
	"$out/usr/gen_init_cpio" -t 0 "$out/initramfs.list" | gzip -n1 > "$out/initramfs.gz"
}

build_machine() {
	use_kernel "$1"
	need_packages bc bison cpio flex gcc libc6-dev libelf-dev make rsync "${packages[@]}"
	exec 9> "$out/lock"
	flock 9
	tree=$("$here/tree.sh")
	configure
	build_kernel
	build_programs
}

# boot_machine NAME KERNEL APPEND PROGRAMS
boot_machine() {
	local name=$1 append=$3 programs=${VM_PROGRAMS:-$4} start=$SECONDS p f s
	local console=$build/boot-$name.console tap=$build/boot-$name.tap
	local counts=$build/boot-$name.counts
	use_kernel "$2"
	rm -f "$console" "$counts"
	timeout --foreground -k 5 "${VM_TIMEOUT:-300}" "${qemu[@]}" -nodefaults -display none \
		-monitor none -no-reboot -kernel "$out/$image" -initrd "$out/initramfs.gz" \
		-append "console=${terminals% *} panic=-1 numa=fake=2 $append ${VM_APPEND-} -- ${terminals#* } $programs" \
		-serial "file:$console" -serial stdio < /dev/null 2> "$build/boot-$name.qemu" |
		tee "$tap" |
		awk -v want="${programs%%,*}" -v counts="$counts" -v verbose="${V:-0}" \
			-f "$here/tap.awk" || :
	read -r p f s < "$counts" || die "no results"
	if check_console "$console"; then p=$((p + 1)); else f=$((f + 1)); fi
	echo "  boot $name: $((SECONDS - start)) s"
	echo "$p $f $s" > "$counts"
}

selftest() {
	local machine name kernel append programs passed=0 failed=0 skipped=0 p f s
	for machine in "${machines[@]}"; do
		IFS='|' read -r name kernel append programs <<< "$machine"
		[[ -z ${MACHINES-} || " $MACHINES " = *" $name "* ]] || continue
		rm -f "$build/boot-$name.counts"
		(build_machine "$kernel")
		info "booting: $name"
		(boot_machine "$name" "$kernel" "$append" "$programs") || :
		read -r p f s < "$build/boot-$name.counts" || { p=0 f=1 s=0; }
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	done
	stage_result machines "$passed" "$failed" "$skipped"
}

case ${1-} in
selftest) selftest ;;
build) build_machine "${2-}" ;;
list) printf '%s\n' "${machines[@]%%|*}" ;;
*) sed -n '/^#\t/s/^#\t//p' "$0" >&2; exit 2 ;;
esac
