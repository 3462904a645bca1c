#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Is the model of Intel DSA fit to test with? idxd's own DMAengine channels on
# it, and the kernel's dmatest on these, which is to find errors if there are any
# and none else. Takes the devices from their engines, and gives them back.

bus=/sys/bus/dsa
dmatest=/sys/module/dmatest/parameters

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

# control DEVICE WORD VALUE: of the model's control port, a byte at a time.
control() {
	port=$(dirname "$(readlink -f $bus/devices/"$1")")/resource4
	# shellcheck disable=SC2059 # it is the format
	printf "\\$(printf %o $(($3 & 255)))\\$(printf %o $(($3 >> 8)))\\0\\0" |
		dd of="$port" bs=4 seek="$2" conv=notrunc 2> /dev/null
}

fault() { # KIND TIMES
	for device in dsa0 dsa1; do
		control $device 3 "$1" && control $device 4 "$2"
	done
}

# Lines of dmatest since: "tests", and "failures" of these.
sum() {
	dmesg | sed -n "/dmatest: begin $run/,\$p" |
		sed -n 's/.*summary \([0-9]*\) tests, \([0-9]*\) failures.*/\1 \2/p' |
		awk -v what="$1" '{ sum["tests"] += $1; sum["failures"] += $2 }
			END { print sum[what] + 0 }'
}

# dmatest BYTES ITERATIONS THREADS
run_dmatest() {
	run=$((run + 1))
	echo "dmatest: begin $run" > /dev/kmsg
	echo "$1" > $dmatest/test_buf_size
	echo "$2" > $dmatest/iterations
	echo "$3" > $dmatest/threads_per_chan
	echo 5000 > $dmatest/timeout
	echo "" > $dmatest/channel
	echo 1 > $dmatest/run
	tries=600
	while [ "$(cat $dmatest/run)" = Y ] && [ $tries -gt 0 ]; do
		sleep 0.1
		tries=$((tries - 1))
	done
	echo 0 > $dmatest/run
}

echo "TAP version 13"
if [ ! -e $bus/drivers/migrate_offload ] || [ ! -e $bus/devices/dsa1 ]; then
	echo "1..0 # SKIP needs two Intel DSAs"
	exit 4
fi
[ -e /sys/module/dmatest ] || insmod /lib/modules/dmatest.ko ||
	{ echo "1..0 # SKIP needs dmatest"; exit 4; }
echo "1..6"

migrate-offload-dsa.sh stop
run=0
status=0
for id in 0 1; do
	for engine in 0 1 2 3; do
		echo 0 > $bus/devices/engine$id.$engine/group_id || status=1
	done
	for wq in 0 1; do
		dir=$bus/devices/wq$id.$wq
		for setting in group_id=0 mode=dedicated size=16 type=kernel \
			name=test$wq driver_name=dmaengine; do
			echo "${setting#*=}" > "$dir/${setting%%=*}" || status=1
		done
	done
	echo dsa$id > $bus/drivers/idxd/bind || status=1
	for wq in 0 1; do
		echo wq$id.$wq > $bus/drivers/dmaengine/bind || status=1
	done
done
result $status "four DMAengine channels of idxd"

run_dmatest 65536 100 4
[ "$(sum tests)" = 1600 ] && [ "$(sum failures)" = 0 ]
result $? "dmatest: $(sum tests) copies, $(sum failures) failures"

fault 1 10 # status ARG, 0 for an error of the hardware
run_dmatest 16384 50 2
[ "$(sum failures)" = 20 ]
result $? "dmatest: $(sum failures) failures when 20 copies fail"

fault 5 0 # none hangs, but set
fault 0 0
run_dmatest 16384 50 2
[ "$(sum tests)" = 400 ] && [ "$(sum failures)" = 0 ]
result $? "dmatest: $(sum failures) failures afterwards"

status=0
for id in 0 1; do
	for wq in 0 1; do
		echo wq$id.$wq > $bus/drivers/dmaengine/unbind || status=1
	done
	echo dsa$id > $bus/drivers/idxd/unbind || status=1
done
result $status "they go"

migrate-offload-dsa.sh start && [ -e /sys/kernel/mm/migrate_offload/engines/dsa1 ]
result $? "the engines are back"
exit $failed
