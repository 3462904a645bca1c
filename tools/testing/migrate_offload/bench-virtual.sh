#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The benchmark in virtual time: a virtual machine in which each instruction takes
# a nanosecond, so that what it measures does not depend on the machine that it
# runs on, and is nearly the same each time.
#
#	bench-virtual.sh SCOPE		quick, check or full: build/bench/virtual-*.log
#
# One CPU, node 1 has memory only. Two kernels: the stock one, and ours. Copies by
# the CPU are instructions; hardware is simulated by timers in the guest, and by a
# device that then copies in no time, see qemu/migrate-copier.c. There are no
# caches, and memory has no bandwidth of its own.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=overlay.sh
. "$here/overlay.sh"
# shellcheck source=kernel.sh
. "$here/kernel.sh"

results=$build/bench
node_mb=3584

# The CPU copies with 64-bit loads and stores. With "rep movsb", which its features
# would have the kernel use, an instruction would copy one byte.
cpu=max,la57=off,-erms,-fsrm

# Debian's source and a switch that leaves the copy out. Called as ours is, and
# seen from its objects as ours is: the compiler's cache then knows most of it.
stock_tree() {
	local pristine patch why
	pristine=$("$here/source.sh")
	tree=$build/stock/linux
	mkdir -p "$build/stock"
	if [ "$(cat "$tree.stamp" 2> /dev/null)" != "$(stock_stamp)" ]; then
		rm -f "$tree.stamp"
		run_logged "copying the stock source" "$build/bench-copy.log" copy_tree "$pristine" "$tree"
		for patch in "$here"/bench/*.patch; do
			# Not what the hard links lead to.
			patched_paths "$patch" | while read -r path; do put "$pristine/$path" "$tree/$path"; done
			why=$(apply_patch "$tree" "$patch") || die "$why"
		done
		stock_stamp > "$tree.stamp"
	fi
}

stock_stamp() { { echo "$pristine"; cat "$here"/bench/*.patch; } | sha256sum; }

use() {
	fragments=("$here"/configs/x86_64{,-fs}.config)
	if [ "$1" = ours ]; then
		flavour=fast out=$build/vm-fast
		return
	fi
	flavour=stock out=$build/stock/vm-stock
	mkdir -p "$out"
	cat "${fragments[@]}" | grep -v MIGRATE_ > "$out/wanted.new"
	cmp -s "$out/wanted.new" "$out/wanted.config" || mv "$out/wanted.new" "$out/wanted.config"
	fragments=("$out/wanted.config")
}

# kernel stock|ours: build it. Ours is the one that vm.sh calls fast.
kernel() {
	use "$1"
	mkdir -p "$out/selftests"
	exec 9> "$out/lock"
	flock -n 9 || { info "waiting for another ($flavour)"; flock 9; }
	if [ "$1" = stock ]; then
		stock_tree
	else
		tree=$("$here/tree.sh")
	fi
	configure
	build_kernel
	initramfs
}

initramfs() {
	local file
	{
		printf 'dir /%s 755 0 0\n' bin dev lib lib/modules opt opt/migrate_offload proc sbin sys tmp
		echo 'nod /dev/console 600 0 0 c 5 1'
		echo "file /bin/busybox $(command -v busybox) 755 0 0"
		echo "file /init $here/guest/init 755 0 0"
		for file in "$here/guest/bench" "$build/bench-programs/mo-bench"; do
			echo "file /opt/migrate_offload/${file##*/} $file 755 0 0"
		done
		find "$out" -name 'migrate_*.ko' ! -name migrate_offload_sim.ko | sort |
			while read -r file; do echo "file /lib/modules/${file##*/} $file 644 0 0"; done
	} > "$out/bench.list"
	"$out/usr/gen_init_cpio" -t 0 "$out/bench.list" | gzip -n1 > "$out/bench.gz"
}

programs() {
	mkdir -p "$build/bench-programs"
	run_logged "building mo-bench" "$build/bench-programs/log" make -s \
		-C "$tree/tools/testing/selftests/migrate_offload" OUTPUT="$build/bench-programs" \
		USERLDFLAGS=-static "$build/bench-programs/mo-bench" 9>&-
}

virtual_time=(-accel tcg -icount "shift=0,sleep=off" -smp 1 -numa "node,nodeid=0,memdev=m0,cpus=0"
	-numa "node,nodeid=1,memdev=m1")
# For what takes two CPUs. Virtual time has only one: there they would take turns.
two_cpus=(-accel "tcg,thread=multi" -smp "2,sockets=2" -numa "node,nodeid=0,memdev=m0,cpus=0"
	-numa "node,nodeid=1,memdev=m1,cpus=1")

# boot NAME KERNEL OPTION...: the cells on stdin; what they print is in $results/NAME.log.
boot() {
	local name=$1 log=$results/$1.log job cells nr start=$SECONDS
	use "$2"
	shift 2
	job=$(mktemp -d "$build/bench-job.XXXXXX")
	mkdir "$job/job.d"
	cat > "$job/job.d/cells"
	cells=$(grep -c '^run' "$job/job.d/cells")
	echo 'bench < /job.d/cells' > "$job/job.d/.job"
	(cd "$job" && find job.d | cpio --quiet -o -H newc) | cat - "$out/bench.gz" > "$job/initramfs"
	: > "$log"
	(timeout --foreground -k 5 "${BENCH_TIMEOUT:-3600}" "$qemu" -L /usr/share/qemu -L /usr/share/seabios \
		-nodefaults -no-user-config -display none -no-reboot \
		-machine pc,max-ram-below-4g=1G -cpu "$cpu" -m $((2 * node_mb))M \
		-rtc base=2026-01-01,clock=vm \
		-object "memory-backend-ram,id=m0,size=${node_mb}M" \
		-object "memory-backend-ram,id=m1,size=${node_mb}M" \
		"$@" -device migrate-copier \
		-kernel "$out/arch/x86/boot/bzImage" -initrd "$job/initramfs" \
		-append "console=ttyS0 panic=-1 oops=panic tsc=reliable hugepagesz=1G hugepages=0:1,1:1" \
		-serial "file:$results/$name.console" -serial stdio < /dev/null || :) |
		while IFS= read -r line; do
			echo "${line%$'\r'}" >> "$log"
			if [ -t 2 ]; then
				nr=$(grep -c '^cell' "$log") || :
				printf '\r\033[K%s: %d measurements, %d cells in all, %d s' \
					"$name" "$nr" "$cells" $((SECONDS - start)) >&2
			elif [ $((SECONDS - start)) -ge $((${said:-0} + 30)) ]; then
				said=$((SECONDS - start))
				info "  $name: $(grep -c '^cell' "$log") measurements, $said s"
			fi
		done
	[ ! -t 2 ] || printf '\r\033[K' >&2
	rm -rf "$job"
	info "$name: $cells cells, $((SECONDS - start)) s"
	check_console "$results/$name.console" || die "the kernel complained"
	grep '^bench: failed' "$log" >&2 && die "not all of $name could be measured"
	grep -q '^bench: end' "$log" || die "$name did not come to its end, see ${log#"$root"/}"
}

# The cells of a scope: see guest/bench for what the lines mean. Amounts that are
# moved by one call; how often, after how many that do not count.
sizes=(4K 16K 64K 256K 1M 2M)
profiles=(ptdma-1 ptdma-4 ptdma-16 dsa sdma)
case ${1-} in
quick) sizes=(4K 2M) profiles=(ptdma-16) ;;
check) sizes=(4K 64K 2M) ;;
full) profiles=(ptdma-1 ptdma-2 ptdma-4 ptdma-8 ptdma-16 dsa sdma) ;;
*) sed -n '/^#\t/s/^#\t//p' "$0" >&2; exit 2 ;;
esac
scope=$1
times=40 times_small=400 times_auto=8 warmup=150
[ "$scope" != quick ] || times=3 times_small=3 times_auto=2 warmup=2

bytes_of() { numfmt --from=iec "$1"; }

# sweep LABEL [WARMUP_64M [WARMUP [TIMES_64M]]]: all sizes, in amounts of a folio, 128K, 2M,
# and 64M. The small ones often, since what happens seldom is as long as many of them. All
# with the same warmup: that is what scatters the pages, and so decides how many descriptors
# there are.
sweep() {
	local size amount seen
	for size in "${sizes[@]}"; do
		seen=
		for amount in "$size" 128K 2M 64M; do
			[ "$(bytes_of "$amount")" -ge "$(bytes_of "$size")" ] || continue
			[ "$amount" != "$seen" ] || continue
			seen=$amount
			case $amount in
			64M) echo "run $1 $size $amount ${2:-1} ${4:-2}" ;;
			2M) echo "run $1 $size $amount ${3:-$warmup} $times" ;;
			*) echo "run $1 $size $amount ${3:-$warmup} $times_small" ;;
			esac
		done
	done
}

# What is compared with the stock kernel in detail. LABEL
details() {
	echo "run $1 2M 1G 0 1"
	[ "$scope" = quick ] || echo "run $1 1G 1G 0 1"
	echo "run $1-traced 4K 2M 1 1 -t"
	echo "run $1-traced 4K 64M 0 1 -t"
	echo "run $1-traced 2M 64M 0 1 -t"
}

stock_cells() {
	echo "stub 0"
	sweep stock
	details stock
	echo "stub 1"
	sweep stubbed
	echo "run stubbed 2M 1G 0 1"
}

# profile NAME: its load line, scaled to a CPU that copies $cpu_mbs.
profile() {
	awk -v name="$1" -v cpu="$cpu_mbs" -v real=10670 '$1 == name {
		printf "load %d %d %d %d\n", $2, cpu * $3 / 100, $4 * real / cpu, $5 * real / cpu }' \
		"$here/bench/profiles"
}

# One CPU, and with the help of another: in turns, since the host is not ours
# alone, and each as often the first of the two. On a busy machine somebody else
# runs on both CPUs, and a slice of theirs is as long as a tenth of a move.
two_cpu_cells() {
	local round rounds=32 size busy name
	[ "$scope" != quick ] || rounds=2
	for busy in idle busy; do
		[ $busy = idle ] || echo "spin 2"
		for round in $(seq $rounds); do
			# As long as each other.
			for size in "4K 64M" "2M 256M"; do
				for name in $([ $((round % 2)) = 1 ] && echo cpu cpu-mt || echo cpu-mt cpu); do
					echo "policy $name"
					echo "run $name-$busy $size 0 1"
				done
			done
		done
	done
}

# What more or fewer channels make of it. NAME of the profile
utilisation() {
	profile "$1"
	echo "policy dma"
	echo "run $1 2M 2M 2 3"
	echo "run $1 2M 1G 0 1"
	echo "policy off"
	echo unload
}

# How much is unmapped and given to the engine at a time, from the stock 256K on. LABEL
batch_sizes() {
	local bytes
	for bytes in 512K 1M 2M; do
		echo "parts $bytes"
		echo "run $1/parts-$bytes 4K 64M 1 2"
		echo "run $1/parts-$bytes 64K 64M 1 2"
	done
}

our_cells() {
	local name
	echo "policy off"
	sweep off
	echo "run off 2M 1G 0 1"
	for name in cpu cpu-mt; do
		echo "policy $name"
		sweep $name
	done
	# There is no engine but the CPUs to choose.
	echo "policy auto"
	sweep auto
	echo free
	echo "policy free"
	sweep free
	echo "run free 2M 1G 0 1"
	echo "policy off"
	echo nofree
	for name in ptdma-{1,2,4,8,16}; do
		[ "$scope" = quick ] || [[ " ${profiles[*]} " == *" $name "* ]] || utilisation "$name"
	done
	for name in "${profiles[@]}"; do
		profile "$name"
		echo "policy dma"
		sweep "$name"
		details "$name"
		[ "$scope $name" != "full ptdma-16" ] || batch_sizes "$name"
		echo "policy auto"
		# With all that it tries: that is a part of some moves only.
		sweep "auto/$name" 4 150 "$times_auto"
		echo "run auto/$name-traced 4K 64M 0 5 -t"
		echo "run auto/$name-traced 2M 64M 0 5 -t"
		echo "policy off"
		echo unload
	done
}

mkdir -p "$results"
need_packages bc bison busybox-static cpio flex gcc libc6-dev libelf-dev make rsync seabios qemu-system-data
qemu=$("$here/qemu.sh")
exec 8> "$build/bench.lock"
flock 8
tree=$("$here/tree.sh")
programs
kernel ours
kernel stock
stock_cells | boot virtual-stock stock "${virtual_time[@]}"
cpu_mbs=$(PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/bench/report.py" speed \
	"$results/virtual-stock.log")
info "the CPU copies $cpu_mbs MB/s"
our_cells | boot virtual-ours ours "${virtual_time[@]}"
[ "$scope" = check ] || two_cpu_cells | boot emulated ours "${two_cpus[@]}"
