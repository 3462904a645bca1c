#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Are folios unmapped, copied and moved in parts that overlap, and never too many
# at a time?

top=/sys/kernel/mm/migrate_offload
sim=/sys/kernel/debug/migrate_offload_sim/sim0
instance=/sys/kernel/tracing/instances/mo_pipeline
here=$(dirname "$0")

# Of mo-move -k.
anon_4k=0 anon_2m=2

n=0 failed=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		failed=1
	fi
}

# is VALUE OPERATOR NUMBER WHAT
is() {
	test "$1" "$2" "$3"
	result $? "$4: $1"
}

policy() {
	for node in "$top"/nodes/node*; do
		echo "$1" > "$node/engines" &&
		echo syscall_or_cpuset > "$node/reasons" &&
		echo "$2" > "$node/min_bytes" || exit 1
	done
}

# move KIND FOLIOS WHAT: to node 1.
move() {
	: > $instance/trace
	"$here/mo-move" -k "$1" -n "$2" 0 1 > /tmp/mo-move.out || cat /tmp/mo-move.out >&2
	grep -q "^moved $2 left 0 bad 0$" /tmp/mo-move.out
	result $? "$3: $2 folios move, no byte is bad"
}

events() { grep -c " migrate_offload_$1: " $instance/trace; }

# The most folios that were unmapped at a time.
most() {
	awk '/ set_migration_p[tm][ed]: / { if (++now > most) most = now }
		/ remove_migration_p[tm][ed]: / { now-- }
		END { print most + 0 }' $instance/trace
}

# How many were unmapped after the first of them was mapped again.
late() {
	awk '/ remove_migration_p[tm][ed]: / { moved = 1 }
		moved && / set_migration_p[tm][ed]: / { late++ }
		END { print late + 0 }' $instance/trace
}

# How many were unmapped before the first of them was mapped again.
first() {
	awk '/ remove_migration_p[tm][ed]: / { exit }
		/ set_migration_p[tm][ed]: / { nr++ }
		END { print nr + 0 }' $instance/trace
}

# How many were unmapped while a batch was being copied.
meanwhile() {
	awk '/ migrate_offload_submit: / { copying++ }
		/ migrate_offload_complete: / { copying-- }
		copying > 0 && / set_migration_p[tm][ed]: / { nr++ }
		END { print nr + 0 }' $instance/trace
}

# How many were mapped again while a batch was being copied.
mapped_meanwhile() {
	awk '/ migrate_offload_submit: / { copying++ }
		/ migrate_offload_complete: / { copying-- }
		copying > 0 && / remove_migration_p[tm][ed]: / { nr++ }
		END { print nr + 0 }' $instance/trace
}

# Folios in all batches.
submitted() {
	sed -n 's/.* migrate_offload_submit: .*\bfolios=\([0-9]*\).*/\1/p' $instance/trace |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# Folios in the largest and in the smallest batch.
batches() {
	sed -n 's/.* migrate_offload_submit: .*\bfolios=\([0-9]*\).*/\1/p' $instance/trace |
		sort -n | sed -n '1p;$p' | tac | paste -sd ' '
}

echo "TAP version 13"
if [ ! -e $sim ] || [ ! -d /sys/kernel/tracing/events/migrate/set_migration_pte ]; then
	echo "1..0 # SKIP no sim0, or no tracepoints"
	exit 4
fi
echo 1..33

mkdir $instance
for event in migrate/set_migration_pte migrate/remove_migration_pte thp/set_migration_pmd \
	thp/remove_migration_pmd; do
	echo 1 > $instance/events/$event/enable
done
echo 4096 > $instance/buffer_size_kb

# With offload disabled, as ever.
echo 0 > $top/enabled
move $anon_4k 1500 "disabled"
is "$(most)" -eq 512 "unmapped at a time"

for event in submit complete; do
	echo 1 > $instance/events/migrate_offload/migrate_offload_$event/enable
done
echo 1 > $top/enabled

policy sim0 0
move $anon_4k 1500 "base pages"
is "$(events submit)" -eq 24 "batches"
is "$(batches)" = "64 32" "folios in the largest, and the smallest"
is "$(most)" -eq 128 "unmapped at a time"
is "$(late)" -eq 1404 "unmapped when the first was mapped again"

# An engine that takes its time is worked beside.
delay=$(cat $sim/delay_us)
echo 50000 > $sim/delay_us
move $anon_4k 640 "while an engine is slow"
is "$(most)" -eq 128 "unmapped at a time"
is "$(meanwhile)" -ge 256 "unmapped while it copies"
is "$(mapped_meanwhile)" -ge 256 "mapped again while it copies"
# It was fast before, and one slow copy does not make it slow.
move $anon_2m 8 "it is found out that it is slow"
move $anon_2m 4 "huge pages, too"
is "$(events submit)" -eq 4 "batches"
is "$(most)" -eq 2 "unmapped at a time"
is "$(meanwhile)" -eq 0 "unmapped while it copies, since it is slower than the CPU"
is "$(mapped_meanwhile)" -eq 3 "mapped again while it copies"
echo "$delay" > $sim/delay_us

# No part is smaller than what the engine is given.
policy sim0 1M
move $anon_4k 1280 "at least 1 MiB"
is "$(submitted)" -eq 1280 "folios in batches"
is "$(first)" -eq 256 "unmapped before the first is mapped again"
is "$(most)" -eq 256 "unmapped at a time"
move $anon_4k 300 "a remainder"
is "$(submitted)" -eq 256 "folios in batches"
policy sim0 0

# Some parts are not taken, or not copied.
echo 50 > $sim/fail/probability
echo -1 > $sim/fail/times
move $anon_4k 1500 "some extents fail"
is "$(most)" -le 512 "unmapped at a time"
echo 0 > $sim/fail/probability
echo 50 > $sim/refuse/probability
echo -1 > $sim/refuse/times
move $anon_4k 1500 "some batches are refused"
is "$(most)" -le 512 "unmapped at a time"
echo 0 > $sim/refuse/probability

# Nobody takes them: as ever, but for the first.
policy nobody 0
move $anon_4k 1500 "nobody copies"
is "$(events submit)" -eq 0 "batches"
is "$(most)" -eq 512 "unmapped at a time"

# Small parts are of no use when the same CPU copies.
policy cpu 0
move $anon_4k 1500 "the CPU copies"
is "$(batches)" = "512 32" "folios in the largest, and the smallest"
is "$(most)" -eq 512 "unmapped at a time"

echo 0 > $top/enabled
rmdir $instance
exit $failed
