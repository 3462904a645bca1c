// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the frequency of this machine's time stamp counter, in kHz.
 *
 * Software emulation hands the counter on to the guest, which has to find out how
 * fast it is, and on a busy machine gets it wrong, sometimes ten times: then all
 * its deadlines pass ten times too early.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	uint64_t ticks;
	int64_t ns;
};

/* Of both clocks, with as little as possible in between. */
static struct moment now(void)
{
	uint64_t before, after, best = UINT64_MAX;
	struct moment moment = { 0 };
	struct timespec time;
	int i;

	for (i = 0; i < 100; i++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC, &time);
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		moment.ticks = before + best / 2;
		moment.ns = time.tv_sec * 1000000000LL + time.tv_nsec;
	}
	return moment;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	struct moment start = now(), end;

	nanosleep(&pause, NULL);
	end = now();
	printf("%.0f\n", (end.ticks - start.ticks) * 1e6 / (end.ns - start.ns));
	return 0;
}
