// SPDX-License-Identifier: GPL-2.0
/*
 * The engine "cpu-mt": idle CPUs help, are held to what the administrator set,
 * and are charged to the cgroup of the task that migrates; and busy CPUs are
 * not waited for.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mo_util.h"

#define ENGINE	MO_SYSFS "/engines/cpu-mt"
#define CGROUP	"/sys/fs/cgroup"

#define FOLIOS	8
#define TRIES	50

static struct mo_mem mem;

static long long ns_helped(void)
{
	return mo_number(ENGINE "/helper_ns");
}

/* There and back, by the engine, and nothing is lost. */
static bool moves(void)
{
	struct mo_counts before = mo_counts(), n;
	bool good = true;
	size_t bad;

	MO_EXPECT(!mo_move(&mem, mo_nodes[1]), "moving there");
	MO_EXPECT(!mo_move(&mem, mo_nodes[0]), "moving back");
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	n = mo_counts_since(&before);
	MO_EXPECT(n.cpu == 2 * FOLIOS, "%lld", n.cpu);
	return good && mo_adds_up();
}

/* Whether a CPU is idle just then is a matter of luck; that one ever is, not. */
static bool test_helpers(void)
{
	long long before = ns_helped();
	bool good = true;
	int i;

	for (i = 0; good && i < TRIES && ns_helped() == before; i++)
		good &= moves();
	MO_EXPECT(ns_helped() > before, "nobody helps");
	return good;
}

static bool test_no_helpers(void)
{
	long long before = ns_helped();
	bool good = true;
	int i;

	MO_EXPECT(!mo_write("0", ENGINE "/helpers"), "cannot set it");
	for (i = 0; good && i < 5; i++)
		good &= moves();
	MO_EXPECT(ns_helped() == before, "%lld", ns_helped() - before);
	MO_EXPECT(!mo_write("4", ENGINE "/helpers"), "cannot set it back");
	return good;
}

static long long cpu_stat(const char *name)
{
	char text[1024], *at;

	if (mo_read(text, sizeof(text), CGROUP "/mo-mt/cpu.stat") < 0)
		return -1;
	at = strstr(text, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/*
 * A task that only sleeps and migrates cannot have used more than the time
 * that passes, unless others' is charged to it; but to rely on that the helpers
 * would have to be faster than the task. So compare with what the task itself
 * has used.
 */
static bool test_charged(void)
{
	long long usage, helped, own, system;
	struct timespec then, now;
	bool good = true;
	int i;

	mkdir(CGROUP "/mo-mt", 0755);
	if (mo_write("0", CGROUP "/mo-mt/cgroup.procs")) {
		ksft_print_msg("no cgroup\n");
		return false;
	}
	helped = ns_helped();
	usage = cpu_stat("usage_usec ");
	system = cpu_stat("system_usec ");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &then);
	for (i = 0; good && i < TRIES && ns_helped() - helped < 2000000; i++)
		good &= moves();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	helped = (ns_helped() - helped) / 1000;
	usage = cpu_stat("usage_usec ") - usage;
	system = cpu_stat("system_usec ") - system;
	own = (now.tv_sec - then.tv_sec) * 1000000LL +
	      (now.tv_nsec - then.tv_nsec) / 1000;
	ksft_print_msg("us: usage %lld, system %lld; helpers %lld, the task %lld\n",
		       usage, system, helped, own);
	MO_EXPECT(helped >= 2000, "%lld", helped);
	/* Some of the helped time may be booked just before or after. */
	MO_EXPECT(usage >= own + helped * 9 / 10, "not charged");
	MO_EXPECT(system >= helped * 9 / 10, "%lld", system);
	mo_write("0", CGROUP "/cgroup.procs");
	rmdir(CGROUP "/mo-mt");
	return good;
}

/* All CPUs are taken: the task goes on, with whatever share it gets. */
static bool test_busy(void)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN), i;
	pid_t hogs[64];
	bool good = true;
	cpu_set_t cpu;

	for (i = 0; i < nr && i < 64; i++) {
		hogs[i] = fork();
		if (!hogs[i]) {
			CPU_ZERO(&cpu);
			CPU_SET(i, &cpu);
			sched_setaffinity(0, sizeof(cpu), &cpu);
			for (;;)
				;
		}
	}
	for (i = 0; good && i < 5; i++)
		good &= moves();
	for (i = 0; i < nr && i < 64; i++) {
		kill(hogs[i], SIGKILL);
		waitpid(hogs[i], NULL, 0);
	}
	return good;
}

static bool test_input(void)
{
	static const char * const wrong[] = {
		"", "\n", "-1", "+1", "17", "1 ", " 1", "a", "0x1",
		"4294967296", "18446744073709551617",
	};
	bool good = true;
	unsigned int i;

	MO_EXPECT(!mo_write("3\n", ENGINE "/helpers"), "refused");
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		/* Nothing is written when there is nothing to write. */
		if (wrong[i][0])
			MO_EXPECT(mo_write(wrong[i], ENGINE "/helpers") == -EINVAL,
				  "\"%s\"", wrong[i]);
		MO_EXPECT(mo_number(ENGINE "/helpers") == 3, "after \"%s\"",
			  wrong[i]);
	}
	MO_EXPECT(!mo_write("16", ENGINE "/helpers"), "refused");
	MO_EXPECT(mo_number(ENGINE "/helpers") == 16, "not set");
	MO_EXPECT(!mo_write("4", ENGINE "/helpers"), "refused");
	return good;
}

int main(void)
{
	int err;

	ksft_print_header();
	mo_find_nodes();
	if (!mo_exists(ENGINE) || mo_nr_nodes < 2 ||
	    sysconf(_SC_NPROCESSORS_ONLN) < 2)
		ksft_exit_skip("needs the engine cpu-mt, two nodes and two CPUs\n");
	mo_policy("cpu-mt");
	mo_enable(true);
	err = mo_alloc(&mem, MO_THP, FOLIOS, mo_nodes[0]);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));

	ksft_set_plan(5);
	ksft_test_result(test_helpers(), "idle CPUs help\n");
	ksft_test_result(test_no_helpers(), "no helpers if none are allowed\n");
	ksft_test_result(test_charged(), "helpers are charged to the cgroup\n");
	ksft_test_result(test_busy(), "a busy machine does not stall\n");
	ksft_test_result(test_input(), "helpers takes 0 to 16, and nothing else\n");
	mo_free(&mem);
	mo_enable(false);
	ksft_finished();
}
