#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Does "auto" use what it has found to be cheapest?
#
# How long anything takes on this machine is not judged: only whether what is done
# follows from the costs that "auto" shows.

top=/sys/kernel/mm/migrate_offload
node=$top/nodes/node1
sim=/sys/kernel/debug/migrate_offload_sim
here=$(dirname "$0")

# Of mo-move -k; and the columns of auto_costs for batches of 4K, and of up to 4M,
# which only one line for each engine and node has.
anon_4k=0 anon_2m=2
col_4k=4 col_4m=14

n=0 failed=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		sed 's/^/# /' $node/auto_costs
		failed=1
	fi
}

# is VALUE OPERATOR NUMBER WHAT
is() {
	test "$1" "$2" "$3"
	result $? "$4: $1"
}

# move KIND FOLIOS ROUNDS WHAT: from node 0 to node 1 and back.
move() {
	"$here/mo-move" -k "$1" -n "$2" -r "$3" 0 1 > /tmp/mo-move.out || cat /tmp/mo-move.out >&2
	grep -q "^moved $(($2 * $3)) left 0 bad 0$" /tmp/mo-move.out
	result $? "$4: $(($2 * $3)) folios move, no byte is bad"
}

copied() { cat $node/stats/copied_engine; }
declined() { cat $node/stats/refused_slower; }

# cost ENGINE COLUMN: in ns for a page, of what came from node 0.
cost() {
	awk -v engine="$1" -v column="$2" '
		$1 == engine && $2 == 0 && int($column) { cost = int($column) }
		END { print cost + 0 }' $node/auto_costs
}

# cheapest COLUMN: the engines cost at least a fifth less than the CPU, more, or the same.
cheapest() {
	awk -v column="$1" '$2 != 0 || int($column) == 0 { next }
		$1 == "cpu" { cpu = int($column); next }
		!best || int($column) < best { best = int($column) }
		END { print (best * 5 < cpu * 4 ? "engine" :
			best * 4 > cpu * 5 ? "cpu" : "same") }' \
		$node/auto_costs
}

delay() {
	for engine in "$sim"/sim*; do
		echo "$1" > "$engine/delay_us"
	done
}

echo "TAP version 13"
if [ ! -e $sim/sim0 ] || [ ! -e $sim/sim1 ]; then
	echo "1..0 # SKIP no sim0 and sim1"
	exit 4
fi
echo 1..15

for dir in "$top"/nodes/node*; do
	echo auto > "$dir/engines"
	echo 0 > "$dir/min_bytes"
	echo syscall_or_cpuset > "$dir/reasons"
done
old_delay=$(cat $sim/sim0/delay_us)
old_goal=$(sed 's/.*\[\(.*\)\].*/\1/' $node/auto_goal)
is "$(cat $node/auto_goal)" = "[load] time cpu" "the goal, to begin with"
for goal in time cpu load; do
	echo $goal > $node/auto_goal
	is "$(sed 's/.*\[\(.*\)\].*/\1/' $node/auto_goal)" = $goal "the goal that was written"
done
! echo both 2> /dev/null > $node/auto_goal && ! echo "time cpu" 2> /dev/null > $node/auto_goal
result $? "what is no goal is refused"
is "$(cat $node/auto_goal)" = "[load] time cpu" "and changes nothing"
echo time > $node/auto_goal
echo 1 > $top/enabled

# Engines that take much longer than a CPU.
delay 5000
move $anon_4k 1 40 "to learn"
[ "$(cost cpu $col_4k)" -gt 0 ] && [ "$(cost sim0 $col_4k)" -gt 0 ]
result $? "it has learned what a page costs"
is "$(cheapest $col_4k)" = cpu "the cheapest with slow engines"
before=$(copied) declined=$(declined)
move $anon_4k 1 100 "slow engines"
is $(($(copied) - before)) -le 4 "copied by them nevertheless"
is $(($(declined) - declined)) -ge 40 "left to the CPU, of 50"

# What is best for huge pages depends on the machine. Whatever it is, it is done.
delay 0
move $anon_2m 2 40 "to learn"
best=$(cheapest $col_4m) before=$(copied)
move $anon_2m 2 40 "most by the cheapest"
copied=$(($(copied) - before))
case $best in
engine) is $copied -ge 32 "copied by an engine, of 40" ;;
cpu) is $copied -le 8 "copied by an engine, of 40" ;;
same) result 0 "copied by an engine, of 40: $copied # SKIP it costs the same" ;;
esac

echo 0 > $top/enabled
delay "$old_delay"
echo "$old_goal" > $node/auto_goal
exit $failed
