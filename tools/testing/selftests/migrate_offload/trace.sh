#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Do the tracepoints tell the same story as the counters?

top=/sys/kernel/mm/migrate_offload
sim=/sys/kernel/debug/migrate_offload_sim/sim0
instance=/sys/kernel/tracing/instances/mo
here=$(dirname "$0")

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

# equal A B WHAT
equal() {
	[ "$1" = "$2" ] && [ -n "$1" ] || echo "# $1 is not $2"
	[ "$1" = "$2" ] && [ -n "$1" ]
	result $? "$3: $1"
}

# at_least MIN VALUE WHAT
at_least() {
	[ "$2" -ge "$1" ]
	result $? "$3: $2"
}

events() { grep -c " migrate_offload_$1: " $instance/trace; }

# sum EVENT FIELD
sum() {
	sed -n "s/.* migrate_offload_$1: .*\\b$2=\\([0-9]*\\).*/\\1/p" $instance/trace |
		awk '{ sum += $1 } END { print sum + 0 }'
}

total() { cat $top/nodes/node*/stats/"$1" | awk '{ sum += $1 } END { print sum }'; }
engine() { cat $top/engines/sim0/stats/"$1"; }

policy() {
	for node in "$top"/nodes/node*; do
		echo "$1" > "$node/engines" &&
		echo "$2" > "$node/reasons" &&
		echo 0 > "$node/min_bytes" || exit 1
	done
}

# Until FILE reads VALUE, at most SECONDS.
wait_for() {
	tries=$(($3 * 10))
	while [ "$(cat "$1")" != "$2" ] && [ $tries -gt 0 ]; do
		sleep 0.1
		tries=$((tries - 1))
	done
	[ "$(cat "$1")" = "$2" ]
}

move() {
	: > $instance/trace
	"$here/mo-move" "$@" 0 1 > /tmp/mo-move.out || cat /tmp/mo-move.out >&2
}

echo "TAP version 13"
if [ ! -e $sim ] || [ ! -d /sys/kernel/tracing/events/migrate_offload ]; then
	echo "1..0 # SKIP no sim0, or no tracepoints"
	exit 4
fi
echo 1..21

mkdir $instance
echo 1 > $instance/events/migrate_offload/enable
echo 1 > $top/enabled

# All goes well.
policy sim0 syscall_or_cpuset
batches=$(engine batches) folios=$(engine folios) bytes=$(engine bytes)
copied=$(total copied_engine)
move -n 200
grep -q '^moved 200 left 0 bad 0$' /tmp/mo-move.out
result $? "200 folios move to node 1, no byte is bad"
equal "$(events submit)" $(($(engine batches) - batches)) "submit events are batches"
at_least 1 "$(events submit)" "there are some"
equal "$(sum submit folios)" 200 "their folios"
equal "$(sum submit folios)" $(($(engine folios) - folios)) "as the engine counts them"
equal "$(sum submit folios)" $(($(total copied_engine) - copied)) "and the nodes"
equal "$(sum submit bytes)" $(($(engine bytes) - bytes)) "their bytes"
equal "$(events complete)" "$(events submit)" "each has its complete event"
equal "$(grep -c ' migrate_offload_complete: .* error=0 ' $instance/trace)" \
	"$(events submit)" "without an error"
equal "$(events timeout) $(events quarantine) $(events release)" "0 0 0" \
	"no timeout, quarantine, release events"
named='migrate_offload_submit: engine=sim0 .* nid=1 reason=syscall_or_cpuset '
equal "$(grep -c "$named" $instance/trace)" \
	"$(events submit)" "engine, node and reason are named"

# All is refused.
policy sim0 damon
refused=$(total refused_reason)
move -n 100
equal "$(grep -c ' migrate_offload_refuse: nid=1 .* why=reason ' $instance/trace)" 100 \
	"refuse events are folios, and say why"
equal "$(events refuse)" $(($(total refused_reason) - refused)) "as the nodes count them"
equal "$(events submit)" 0 "nothing is submitted"

# The engine dies, and is long in letting go.
policy sim0 syscall_or_cpuset
timeouts=$(engine timeouts)
timeout_ms=$(cat $top/engines/sim0/timeout_ms)
echo 200 > $top/engines/sim0/timeout_ms
echo 1 > $sim/stuck
echo -1 > $sim/hang/times
echo 100 > $sim/hang/probability
move -n 50 2> /dev/null
echo 0 > $sim/hang/probability
equal "$(events timeout)" $(($(engine timeouts) - timeouts)) "timeout events are timeouts"
at_least 1 "$(events timeout)" "there are some"
equal "$(sum quarantine pages)" "$(engine quarantined_pages)" "quarantined pages"
at_least 1 "$(sum quarantine pages)" "there are some"
equal "$(events release)" 0 "none is released"
echo 0 > $sim/stuck
wait_for $top/engines/sim0/stats/quarantined_pages 0 10
equal "$(sum release pages)" "$(sum quarantine pages)" "all are released when it lets go"
echo 1 > $top/engines/sim0/reset
echo "$timeout_ms" > $top/engines/sim0/timeout_ms
move -n 10
equal "$(events submit) $(cat $top/engines/sim0/state)" \
	"$(events complete) online" "after reset it goes on"

echo 0 > $top/enabled
rmdir $instance
exit $failed
