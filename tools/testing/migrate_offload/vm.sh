#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The x86_64 virtual machine: two nodes with CPUs, a third of hotplugged memory
# only, engines sim0 and sim1.
#
#	vm.sh build FLAVOUR		kernel, modules, programs, initramfs
#	vm.sh selftest			all kselftests, in several boots, or in BOOTS; SCOPE=first
#					is the first part of them, SCOPE=rest the rest
#	vm.sh demo			the demo, under the fast kernel
#	vm.sh fault-matrix [FAULT]...	all faults of a DMA controller, under the debug kernel
#	vm.sh stress [MINUTES]		everything at once, under the fast kernel
#	vm.sh shell [FLAVOUR]		an interactive shell; Ctrl-A X leaves
#	vm.sh run FLAVOUR COMMAND...	boot, run a shell command, exit with its status
#
# FLAVOUR is fast, debug or kcsan. "run" takes programs and scripts of the host along
# when VM_FILES names them ("VM_FILES='a.out my-test.sh' vm.sh run debug
# ./my-test.sh"): they, and the kselftests, are in the guest's PATH. "run" puts
# VM_APPEND on the kernel's command line, gives up after VM_TIMEOUT seconds,
# and fails when the kernel complained, whatever the command says. "shell" does
# the same with the command in RUN, if there is one. Both give each node two
# CPUs, or VM_CPUS, for programs that want more than our own tests do. Nodes 0
# and 1 have 512 MiB each, or VM_NODE_MB. VM_MACHINE=x86-dsa is the same with two
# Intel DSAs behind an IOMMU, under a QEMU of our own, see qemu.sh; VM_DSA has
# properties of these (",evl=off").

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=kernel.sh
. "$here/kernel.sh"

# What the kselftests are run on: name, flavour, command line, MiB of nodes 0 and
# 1, CPUs of each of them, programs. In this order: boot.sh wants to find what the
# kernel came up with, engines are not the same after what faults does to them,
# and health looks at what all have left behind.
boots=(
	"on|debug|migrate_offload=on|512|1|boot.sh health"
	"memory|debug|health.lost=1024|768|1|memory alloc health"
	"main|debug||512|1|boot.sh migrate cpu-mt sysfs trace.sh pipeline.sh faults health"
	"callers|debug|cma=64M|512|1|callers health"
	"dma|debug||512|1|sim-dma dma-sim fault-matrix health"
	"sdma|debug||512|1|sim-sdma migrate fault-matrix health"
	"fs|debug|health.lost=2048|512|1|window fs health"
	"poison|debug||512|1|refused poison health"
	"kunit|debug|kunit.enable=1|512|1|kunit health"
	"giant|fast|hugepagesz=1G hugepages=0:1,1:1|2560|2|giant auto.sh health"
)
rest_boots=(
	"kcsan|kcsan||512|2|migrate cpu-mt faults races health"
)
# On x86-dsa, where DSAs are. KASAN keeps a good deal of what idxd allocates anew
# with each bind.
dsa_boots=(
	"dsa|debug|health.lost=2048 cma=64M kunit.enable=1 kunit.filter_glob=migrate_engines_dsa|512|1|dsa-queues kunit dsa-dmatest.sh dsa migrate health"
	"dsa-faults|debug|health.lost=2048|512|1|dsa-queues fault-matrix health"
)
dsa_rest_boots=(
	"dsa-callers|debug|health.lost=2048 cma=64M|512|1|dsa-queues callers health"
	"dsa-stress|fast||1024|2|dsa-stress health"
	"dsa-direct|fast|intel_iommu=off|512|1|dsa-queues dsa-model fault-matrix health"
)
# Of the guest, not of the kselftests.
own_programs=(health kunit races sim-dma sim-sdma dsa-queues dsa-stress)

use_flavour() {
	case $1 in
	fast) fragments=(x86_64 x86_64-fs) ;;
	debug) fragments=(x86_64 x86_64-fs x86_64-debug) ;;
	kcsan) fragments=(x86_64 x86_64-kcsan) ;;
	*) die "no such flavour: $1 (fast, debug, kcsan)" ;;
	esac
	fragments=("${fragments[@]/#/$here/configs/}")
	fragments=("${fragments[@]/%/.config}")
	flavour=$1
	out=$build/vm-$flavour
	mkdir -p "$out/selftests"
}

build_programs() {
	local ksft=(make -s -C "$tree/tools/testing/selftests/migrate_offload"
		OUTPUT="$out/selftests" USERLDFLAGS=-static)
	run_logged "building the kselftests" "$out/selftests.log" \
		"${ksft[@]}" install INSTALL_PATH="$out/selftests/install" 9>&-
	# A new one must not be forgotten here.
	diff <("${ksft[@]}" emit_tests | sed 's/.*://' | sort) \
		<(printf '%s\n' "${boots[@]##*|}" "${rest_boots[@]##*|}" \
			"${dsa_boots[@]##*|}" "${dsa_rest_boots[@]##*|}" | tr ' ' '\n' |
			grep -vxF "$(printf '%s\n' "${own_programs[@]}")" | sort -u) >&2 ||
		die "vm.sh and the kselftests' Makefile do not name the same programs"
}

# Programs of the host, and mke2fs.conf, without which mkfs.ext4 makes no ext4.
host_programs=(mkfs.ext4 e2fsck mkfs.xfs xfs_repair mkfs.btrfs btrfs)

# Their libraries go to where the loader looks last, the loader where it must be.
host_programs_list() {
	local name path PATH=$PATH:/usr/sbin:/sbin
	for name in "${host_programs[@]}"; do
		path=$(command -v "$name") || die "no $name"
		echo "file /sbin/$name $path 755 0 0"
		ldd "$path" >&3
	done 3> "$out/ldd"
	awk '$2 == "=>" && $3 ~ "^/" { print "file /lib/" $1, $3, "755 0 0" }
		$1 ~ "^/" { print "file", $1, $1, "755 0 0" }' "$out/ldd" | sort -u
	echo "file /etc/mke2fs.conf /etc/mke2fs.conf 644 0 0"
}

# A list for gen_init_cpio. Fixed dates and owners: same input, same archive.
initramfs_list() {
	local file
	printf 'dir /%s 755 0 0\n' bin dev etc lib lib/modules lib64 opt opt/migrate_offload \
		proc sbin sys tmp
	echo 'nod /dev/console 600 0 0 c 5 1'
	echo "file /bin/busybox $(command -v busybox) 755 0 0"
	echo "file /init $here/guest/init 755 0 0"
	host_programs_list
	for file in "$here"/guest/tests "${own_programs[@]/#/$here/guest/}" \
		"$root/tools/mm/migrate-offload-dsa.sh" "$out"/selftests/install/*; do
		[ ! -x "$file" ] || echo "file /opt/migrate_offload/${file##*/} $file 755 0 0"
	done
	find "$out" -name '*.ko' | sort | while read -r file; do
		echo "file /lib/modules/${file##*/} $file 644 0 0"
	done
}

build_initramfs() {
	initramfs_list > "$out/initramfs.list"
	"$out/usr/gen_init_cpio" -t 0 "$out/initramfs.list" | gzip -n1 > "$out/initramfs.gz"
}

build_all() {
	use_flavour "$1"
	need_packages bc bison btrfs-progs busybox-static cpio e2fsprogs flex gcc libc6-dev \
		libelf-dev make qemu-system-x86 rsync xfsprogs
	# Until we end, or build another: a run has a log, a job and a kernel of its own.
	exec 9> "$out/lock"
	flock -n 9 || { info "waiting for another vm.sh ($flavour)"; flock 9; }
	tree=$("$here/tree.sh")
	configure
	build_kernel
	build_programs
	build_initramfs
	console=$out/console.log
	rm -f "$console"
}

# qemu_run ACCEL APPEND SERIAL...: boot; the initramfs and $job are the root.
qemu_run() {
	local accel=$1 append=$2
	shift 2
	[[ $accel != tcg* ]] || append+=" $(tsc_khz)"
	# In this order: the kernel wants cpio headers, but not gzip's, aligned.
	(cd "$job" && find job.d | cpio --quiet -o -H newc) |
		cat - "$out/initramfs.gz" > "$job/initramfs"
	# Node 2 is hotplugged memory, so that all of it is movable and can go. Little
	# below 4 GiB, where kernel and initramfs are: there is no room for a 1 GiB page.
	# With five levels of page tables, an interrupt amid identify_cpu(), which forgets
	# for a moment that there are five, has KASAN take good addresses for wild ones.
	# Software emulation takes as long for each byte of "rep movsb" and "rep stosb" as
	# for a word of others, so the kernel is not to think that they are fast.
	timeout --foreground -k 5 "${VM_TIMEOUT:-900}" "${qemu[@]}" \
		-nodefaults -no-user-config -display none -no-reboot \
		-machine "$board,hmat=on,max-ram-below-4g=1G" -accel "$accel" -cpu max,la57=off,-erms,-fsrm \
		-smp $((2 * cpus)),sockets=2 \
		-m $((2 * node_mb))M,slots=1,maxmem=$((2 * node_mb + 1024))M \
		-object "memory-backend-ram,id=m0,size=${node_mb}M" \
		-object "memory-backend-ram,id=m1,size=${node_mb}M" \
		-object memory-backend-ram,id=m2,size=384M \
		-numa node,nodeid=0,memdev=m0,cpus=0-$((cpus - 1)),initiator=0 \
		-numa node,nodeid=1,memdev=m1,cpus=$((cpus))-$((2 * cpus - 1)),initiator=1 \
		-numa node,nodeid=2,initiator=1 -device pc-dimm,memdev=m2,node=2 \
		-numa dist,src=0,dst=1,val=20 -numa dist,src=1,dst=2,val=20 \
		-numa dist,src=0,dst=2,val=30 \
		"${hmat[@]}" "${devices[@]}" -pidfile "$job/pid" \
		-kernel "$out/arch/x86/boot/bzImage" -initrd "$job/initramfs" \
		-append "$cmdline $append" \
		"$@"
}

# use_machine NAME: x86_64, or x86-dsa: the same with two Intel DSAs, one near
# each of nodes 0 and 1, behind an IOMMU.
use_machine() {
	local node
	case $1 in
	x86_64)
		qemu=(qemu-system-x86_64) board=pc devices=()
		;;
	x86-dsa)
		qemu=("$("$here/qemu.sh")" -L /usr/share/qemu -L /usr/share/seabios)
		board=q35
		# Not alike, so that the driver is seen with either.
		local properties=("" ",int-handles=on,cache-control=off")
		devices=(-device "intel-iommu,intremap=off")
		for node in 1 0; do # found in the other order
			devices+=(-device "pxb-pcie,id=pxb$node,bus_nr=$((64 + 64 * node)),numa_node=$node,bus=pcie.0"
				-device "pcie-root-port,id=port$node,bus=pxb$node,chassis=$((node + 1))"
				-device "intel-dsa,id=dsa$node,bus=port$node${VM_DSA-${properties[node]}}")
		done
		cmdline+=" intel_iommu=on iommu.strict=1"
		;;
	*) die "no such machine: $1 (x86_64, x86-dsa)" ;;
	esac
	machine=$1
}

# What makes node 2 a slower memory tier: CPU, memory, latency and its contrary.
hmat=()
for pair in 0,0,10 0,1,20 0,2,300 1,0,20 1,1,10 1,2,300; do
	IFS=, read -r initiator target latency <<< "$pair"
	entry=hmat-lb,initiator=$initiator,target=$target,hierarchy=memory,data-type=access
	hmat+=(-numa "$entry-latency,latency=$latency"
		-numa "$entry-bandwidth,bandwidth=$((100000 / latency))M")
done

cpus=1 # of each node that has any
node_mb=${VM_NODE_MB:-512} # of nodes 0 and 1
# Stalls are the host's more often than not.
cmdline="console=ttyS0 panic=-1 oops=panic tsc=reliable page_poison=1"
cmdline+=" rcupdate.rcu_cpu_stall_timeout=60 workqueue.watchdog_thresh=60"

# KVM is there on many machines where a guest under it hangs: try, once a boot.
accelerator() {
	local cache=$build/accel boot_id
	boot_id=$(cat /proc/sys/kernel/random/boot_id)
	if [ "$(head -n 1 "$cache" 2> /dev/null)" != "$boot_id" ]; then
		# Two may ask at once.
		{ echo "$boot_id"; kvm_works && echo kvm || echo tcg,thread=multi; } > "$cache.$BASHPID"
		mv "$cache.$BASHPID" "$cache"
	fi
	tail -n 1 "$cache"
}

kvm_works() {
	[ -w /dev/kvm ] || return 1
	info "does KVM work here?"
	new_job true
	VM_TIMEOUT=10 qemu_run kvm "" -serial null -serial stdio < /dev/null \
		2> /dev/null | grep -q '^vm: exit 0'
}

# How fast the guest's time stamp counter is, which is the host's: under load it
# cannot tell. See tsc-khz.c.
tsc_khz() {
	local program=$build/tsc-khz
	[ "$(uname -m)" = x86_64 ] || return 0
	gcc -O2 -o "$program.$BASHPID" "$here/tsc-khz.c"
	mv "$program.$BASHPID" "$program"
	echo "tsc_early_khz=$("$program")"
}

# A fresh directory with the commands that the guest is to run.
new_job() {
	job=$out/job.$BASHPID
	trap 'rm -rf "$job"' EXIT
	rm -rf "$job"
	mkdir -p "$job/job.d"
	printf '%s\n' "$@" > "$job/job.d/.job"
}

# boot APPEND: run the job; its output is ours. The kernel's goes to console.log.
boot() {
	local append=$1
	qemu_run "$(accelerator)" "$append" \
		-serial "file:$console" -serial stdio < /dev/null
}

# Would check_console() notice? One line of each kind, as kernels print them.
check_splats() {
	local line
	while read -r line; do
		splats <(echo "[    1.000000] $line") > /dev/null || die "not seen as a splat: $line"
	done <<- 'END'
		WARNING: CPU: 0 PID: 1 at mm/migrate.c:100 migrate_pages+0x1/0x2
		BUG: KASAN: slab-use-after-free in mo_batch_put+0x1/0x2
		BUG: sleeping function called from invalid context at mm/util.c:1
		BUG: Bad page state in process migrate  pfn:12345
		WARNING: possible circular locking dependency detected
		WARNING: suspicious RCU usage
		Oops: general protection fault, probably for non-canonical address
		INFO: task migrate:100 blocked for more than 60 seconds.
		rcu: INFO: rcu_preempt self-detected stall on CPU
		DMA-API: migrate-offload-sim: device driver frees DMA memory with wrong function
		page dumped because: VM_BUG_ON_FOLIO(!folio_test_locked(folio))
		list_add corruption. next->prev should be prev
		pagealloc: memory corruption
		MCE: Killing migrate:100 due to hardware memory corruption fault at 7ff228000000
	END
	line=$(printf '=%.0s' {1..65})
	[ -n "$(splats <(printf '%s\n' "$line" 'BUG: KCSAN: data-race in a / b' ' mo_submit+0x1/0x2' "$line"))" ] ||
		die "a data race of ours is not seen as a splat"
	[ -z "$(splats <(printf '%s\n' "$line" 'BUG: KCSAN: data-race in a / b' ' folio_lock+0x1/0x2' "$line"))" ] ||
		die "a data race of others is seen as a splat"
	[ -z "$(splats <(echo '[    0.1] DMA-API: preallocated 65536 debug entries'))" ] ||
		die "a harmless line is seen as a splat"
}

# Under software emulation, a machine now and then stands still with all of its
# CPUs idle before its first test; the kernel has nothing to say about it. Such
# a one is ended after VM_BEGIN_TIMEOUT seconds.
end_if_still() {
	local left=${VM_BEGIN_TIMEOUT:-400}
	while [ $((left -= 1)) -ge 0 ]; do
		sleep 1
		! grep -q '^# begin' "$tap" 2> /dev/null || return 0
	done
	touch "$job/still"
	kill "$(cat "$job/pid")"
}

# tap_run WANT APPEND: run the job, judge its TAP and the kernel log; adds to
# passed, failed, skipped.
tap_run() {
	local want=$1 append=$2 p f s watcher
	rm -f "$tap" "$job/still"
	end_if_still &
	watcher=$!
	boot "$append" | tee "$tap" |
		awk -v want="$want" -v counts="$counts" -v verbose="${V:-0}" -f "$here/tap.awk" || :
	kill $watcher 2> /dev/null || :
	wait $watcher || :
	if [ -e "$job/still" ] && [ "$skipped" = 0 ] && ! splats "$console" > /dev/null; then
		echo "    the machine stood still before its first test; booted again # SKIP"
		skipped=1
		tap_run "$want" "$append"
		return
	fi
	read -r p f s < "$counts" || die "no results"
	if check_console "$console"; then p=$((p + 1)); else f=$((f + 1)); fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# boot_one NAME FLAVOUR APPEND NODE_MB CPUS PROGRAMS
boot_one() {
	local name=$1 start=$SECONDS
	passed=0 failed=0 skipped=0
	use_flavour "$2"
	node_mb=$4 cpus=$5
	console=$build/boot-$name.console tap=$build/boot-$name.tap counts=$build/boot-$name.tap.counts
	rm -f "$console" "$counts" "$build/boot-$name.counts"
	new_job "exec tests $6"
	tap_run "$6" "$3"
	echo "  boot $name: $((SECONDS - start)) s"
	echo "$passed $failed $skipped" > "$build/boot-$name.counts"
}

# A boot that takes longer than that, with another beside it, is not begun any more.
boot_seconds=600

# Two at a time: they wait as much as they work.
selftest() {
	local boot name flavour append mb cpu programs all=() chosen=() taps=() p f s
	passed=0 failed=0 skipped=0
	check_splats
	if [ "$machine" = x86-dsa ]; then
		[ "${SCOPE-}" = rest ] || all+=("${dsa_boots[@]}")
		[ "${SCOPE-}" = first ] || all+=("${dsa_rest_boots[@]}")
	else
		[ "${SCOPE-}" = rest ] || all+=("${boots[@]}")
		[ "${SCOPE-}" = first ] || all+=("${rest_boots[@]}")
	fi
	for boot in "${all[@]}"; do
		[[ -z ${BOOTS-} || " $BOOTS " = *" ${boot%%|*} "* ]] || continue
		chosen+=("$boot")
	done
	[ ${#chosen[@]} != 0 ] || die "no such boot: $BOOTS"
	for flavour in $(printf '%s\n' "${chosen[@]}" | cut -d '|' -f 2 | sort -u); do
		build_all "$flavour"
	done
	for boot in "${chosen[@]}"; do
		IFS='|' read -r name flavour append mb cpu programs <<< "$boot"
		[ "$(jobs -pr | wc -l)" -lt 2 ] || wait -n || :
		rm -f "$build/boot-$name.counts"
		if [ "$(seconds_left)" -lt $boot_seconds ]; then
			echo "  boot $name: NOT RUN: no time left # SKIP"
			echo "0 0 1" > "$build/boot-$name.counts"
			continue
		fi
		taps+=("$build/boot-$name.tap")
		info "booting: $name"
		(
			boot_one "$name" "$flavour" "$append" "$mb" "$cpu" "$programs" \
				> "$build/boot-$name.log" 2>&1 || :
			cat "$build/boot-$name.log"
		) &
	done
	wait
	for boot in "${chosen[@]}"; do
		name=${boot%%|*}
		if ! read -r p f s < "$build/boot-$name.counts"; then
			echo "    not ok: $name: no results"
			p=0 f=1 s=0
		fi
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	done
	# All that is said to be covered has to be among the results.
	if [[ -z ${BOOTS-} && ${SCOPE-} != rest && $machine = x86_64 ]]; then
		if [ ${#taps[@]} != ${#chosen[@]} ]; then
			echo "  coverage: NOT LOOKED AT: not all has run # SKIP"
			skipped=$((skipped + 1))
		elif "$here/coverage.sh" verify "${taps[@]}"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
	fi
	stage_result selftest "$passed" "$failed" "$skipped"
}

demo() {
	local ok bad
	build_all fast
	info "booting"
	new_job "exec demo"
	boot "" | tee "$out/demo.log" | grep --line-buffered -v '^vm: exit' || :
	ok=$(grep -c ' ok$' "$out/demo.log") || :
	bad=$(grep -c ' FAILED$' "$out/demo.log") || :
	check_console "$console" || bad=$((bad + 1))
	# Did it come to its end, and does it think that all is well?
	tail -n 2 "$out/demo.log" | paste -sd ' ' |
		grep -qE '^demo: [1-9][0-9]* folios moved, [1-9][0-9]* engines, 0 bytes differ vm: exit 0$' ||
		bad=$((bad + 1))
	stage_result demo "$ok" "$bad" 0 > "$out/demo.result"
}

run() {
	local status file
	cpus=${VM_CPUS:-2}
	build_all "$1"
	shift
	new_job "cd /job.d" "$*"
	for file in ${VM_FILES-}; do
		cp -L "$file" "$job/job.d/"
	done
	boot "${VM_APPEND-}" | sed -u "s/^vm: exit //;t end;b;:end w $out/status
		d" || :
	status=$(cat "$out/status")
	[ -n "$status" ] || info "the command did not come to its end"
	check_console "$console" || [ "$status" != 0 ] || status=1
	return "${status:-1}"
}

shell() {
	local rows columns
	if [ -n "${RUN-}" ]; then
		run "${1:-fast}" "$RUN"
		return
	fi
	cpus=${VM_CPUS:-2}
	build_all "${1:-fast}"
	read -r rows columns < <(stty size 2> /dev/null) || :
	[ "${rows:-0}" != 0 ] || rows=24 columns=80
	new_job "stty rows $rows cols $columns" \
		"echo 'Ctrl-A X or \"exit\" leaves. Programs: /opt/migrate_offload'" \
		"cd $sysfs" "exec sh -l"
	touch "$job/job.d/.interactive"
	VM_TIMEOUT=0 qemu_run "$(accelerator)" "${VM_APPEND-}" \
		-serial "file:$console" -serial mon:stdio
}

# stress MINUTES: SEED and STRESS_FLAVOUR choose; the last line is the verdict.
stress() {
	local minutes=${1:-3}
	[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "MINUTES is a number, not $minutes"
	cpus=${VM_CPUS:-2}
	# With file systems and swap on disks that are memory themselves.
	node_mb=${VM_NODE_MB:-1024}
	[ "${STRESS_FLAVOUR:=fast}" != debug ] || VM_APPEND+=" page_owner=on"
	VM_TIMEOUT=${VM_TIMEOUT:-$(awk "BEGIN { print int($minutes * 60 + 900) }")}
	if run "$STRESS_FLAVOUR" "exec stress $minutes ${SEED:--} ${STRESS_ENGINES-}"; then
		set -- 1 0
	else
		set -- 0 1
	fi
	# Whose last line is the result.
	stage_result stress "$1" "$2" 0 > "$out/stress.result"
}

# fault_matrix [FAULT]...: the last line is the verdict.
fault_matrix() {
	local log=$build/fault-matrix.log status=0 setup=${SIM:-sim-dma}
	[ "$machine" != x86-dsa ] || setup=dsa-queues
	VM_CPUS=1 VM_TIMEOUT=${VM_TIMEOUT:-3600} \
		run debug "$setup > /dev/null && exec fault-matrix -a $*" | tee "$log" || status=1
	grep -o 'fault-matrix: [0-9]* cells, [0-9]* failed' "$log" || die "it did not come to its end"
	return $status
}

sysfs=/sys/kernel/mm/migrate_offload

use_machine "${VM_MACHINE:-x86_64}"
case ${1-} in
build) build_all "${2-}" ;;
selftest | demo) "$1" ;;
shell) shell "${2-}" ;;
stress) stress "${2-}" ;;
fault-matrix) fault_matrix "${@:2}" ;;
run) [ $# -ge 3 ] || die "usage: vm.sh run FLAVOUR COMMAND..."; run "${@:2}" ;;
*) sed -n '/^#\t/s/^#\t//p' "$0" >&2; exit 2 ;;
esac
