#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Work queues of Intel DSA for migration offload, through sysfs alone:
#
#	migrate-offload-dsa.sh [OPTION]... start [DEVICE]...
#	migrate-offload-dsa.sh stop [DEVICE]...
#	migrate-offload-dsa.sh status [DEVICE]...
#
#	-q QUEUES	work queues of each device (1)
#	-s ENTRIES	entries of each queue (all that there are, by the queues)
#	-b DESCRIPTORS	longest batch (256, or what the device can do)
#	-x BYTES	longest copy (2097152, or what the device can do)
#
# DEVICE is a name such as dsa0; without any, all of them. "start" wants devices
# that nobody uses. All engines of a device work for its queues.

set -eu

bus=/sys/bus/dsa
queues=1 entries="" batch="" bytes=""

die() {
	echo "migrate-offload-dsa.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '/^#\t/s/^#\t//p' "$0" >&2
	exit 2
}

number() {
	case $2 in
	'' | *[!0-9]*) die "-$1 wants a number, not '$2'" ;;
	esac
}

# The driver says no through the error of a write, and why in cmd_status.
put() {
	echo "$1" > "$2" 2> /dev/null || die "'$1' refused by $2"
}

least() {
	if [ "$1" -le "$2" ]; then echo "$1"; else echo "$2"; fi
}

start() {
	dev=$bus/devices/$1 id=${1#dsa}
	[ ! -e "$dev/driver" ] || die "$1 is in use; stop what uses it first"
	total=$(cat "$dev/max_work_queues_size")
	most=$(cat "$dev/max_work_queues")
	if [ "$queues" -lt 1 ] || [ "$queues" -gt "$most" ]; then
		die "$1 has 1 to $most queues, not $queues"
	fi
	each=${entries:-$((total / queues))}
	if [ "$each" -lt 2 ] || [ $((each * queues)) -gt "$total" ]; then
		die "$1 has $total entries for all queues, and each needs 2 at least"
	fi
	for engine in "$bus/devices/engine$id".*; do
		put 0 "$engine/group_id"
	done
	n=0
	while [ $n -lt "$queues" ]; do
		wq=$bus/devices/wq$id.$n
		put 0 "$wq/group_id"
		put dedicated "$wq/mode"
		put "$each" "$wq/size"
		put kernel "$wq/type"
		put migrate_offload "$wq/name"
		put migrate_offload "$wq/driver_name"
		put "$(least "${bytes:-2097152}" "$(cat "$dev/max_transfer_size")")" \
			"$wq/max_transfer_size"
		put "$(least "${batch:-256}" "$(cat "$dev/max_batch_size")")" \
			"$wq/max_batch_size"
		n=$((n + 1))
	done
	put "$1" $bus/drivers/idxd/bind
	n=0
	while [ $n -lt "$queues" ]; do
		put "wq$id.$n" $bus/drivers/migrate_offload/bind
		n=$((n + 1))
	done
}

# Whoever migrates goes on, with the CPU.
stop() {
	dev=$bus/devices/$1 id=${1#dsa}
	for wq in "$bus/drivers/migrate_offload/wq$id".*; do
		[ ! -e "$wq" ] || put "${wq##*/}" $bus/drivers/migrate_offload/unbind
	done
	# Whatever its state: also one that has halted is bound.
	[ ! -e "$dev/driver" ] || put "$1" $bus/drivers/idxd/unbind
}

status() {
	dev=$bus/devices/$1 id=${1#dsa}
	echo "$1: $(cat "$dev/state"), node $(cat "$dev/numa_node")," \
		"error $(cat "$dev/cmd_status")"
	for wq in "$bus/drivers/migrate_offload/wq$id".*; do
		[ -e "$wq" ] || continue
		echo "  ${wq##*/}: $(cat "$wq/state"), $(cat "$wq/size") entries," \
			"batches of $(cat "$wq/max_batch_size")," \
			"copies of $(cat "$wq/max_transfer_size") bytes"
	done
	state=/sys/kernel/mm/migrate_offload/engines/$1/state
	if [ -e "$state" ]; then
		echo "  engine $1: $(cat "$state")"
	else
		echo "  no engine"
	fi
}

while getopts q:s:b:x: option; do
	case $option in
	q) queues=$OPTARG ;;
	s) entries=$OPTARG ;;
	b) batch=$OPTARG ;;
	x) bytes=$OPTARG ;;
	*) usage ;;
	esac
	number "$option" "$OPTARG"
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
command=$1
shift
case $command in
start | stop | status) ;;
*) usage ;;
esac
[ -d $bus/drivers/migrate_offload ] ||
	die "no driver: is MIGRATE_ENGINE_DSA on, and migrate_engine_dsa loaded?"
if [ $# = 0 ]; then
	for dev in "$bus"/devices/dsa*; do
		[ -e "$dev" ] || die "no Intel DSA here"
		set -- "$@" "${dev##*/}"
	done
fi
for device; do
	case $device in
	dsa[0-9]*) [ -e "$bus/devices/$device" ] || die "no $device here" ;;
	*) die "'$device' is not the name of a DSA" ;;
	esac
done
for device; do
	$command "$device"
done
