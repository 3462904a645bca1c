#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Is migration offload on or off after boot as the command line says, and is it
# off if that says nothing? Is the policy of each node what is documented? Run it
# before anything has changed that.

enabled=/sys/kernel/mm/migrate_offload/enabled

echo "TAP version 13"
if [ ! -e $enabled ]; then
	echo "1..0 # SKIP no migration offload in this kernel"
	exit 4
fi
echo 1..2
want=0
read -r words < /proc/cmdline
for word in $words; do
	case $word in
	migrate_offload=on) want=1 ;;
	migrate_offload=off) want=0 ;;
	esac
done
read -r is < $enabled
fail=0
if [ "$is" = $want ]; then
	echo "ok 1 enabled is $want after boot"
else
	echo "# enabled is $is"
	echo "not ok 1 enabled is $want after boot"
	fail=1
fi

# Documentation/admin-guide/mm/migrate_offload.rst, "Reasons"
want="compaction memory_hotplug syscall_or_cpuset mempolicy_mbind contig_range"
want="$want demotion damon"
result=ok
nodes=0
for file in /sys/kernel/mm/migrate_offload/nodes/node*/reasons; do
	nodes=$((nodes + 1))
	read -r is < "$file"
	if [ "$is" != "$want" ]; then
		echo "# $file: $is"
		result="not ok"
		fail=1
	fi
done
echo "$result 2 reasons of $nodes nodes are as documented"
exit $fail
