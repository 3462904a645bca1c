#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Is migration offload on or off after boot as the command line says, and is it
# off if that says nothing? Run it before anything has changed that.

enabled=/sys/kernel/mm/migrate_offload/enabled

echo "TAP version 13"
if [ ! -e $enabled ]; then
	echo "1..0 # SKIP no migration offload in this kernel"
	exit 4
fi
echo 1..1
want=0
read -r words < /proc/cmdline
for word in $words; do
	case $word in
	migrate_offload=on) want=1 ;;
	migrate_offload=off) want=0 ;;
	esac
done
read -r is < $enabled
if [ "$is" = $want ]; then
	echo "ok 1 enabled is $want after boot"
else
	echo "# enabled is $is"
	echo "not ok 1 enabled is $want after boot"
	exit 1
fi
