// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages of 1 GiB: copied in pieces, each of which has a deadline of its
 * own, so that an engine may well take longer for all of it than for one.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "mo_util.h"

#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB	(30 << 26)
#endif

#define GIANT		(1UL << 30)
#define WORDS		(GIANT / sizeof(__u64))
#define TIMEOUT_MS	2000

static __u64 *mem;
static __u64 seed;

static __u64 word(size_t nr)
{
	return (seed ^ nr) * 0x9e3779b97f4a7c15ULL;
}

/* To the other node, with new contents; or not, if @stays. */
static bool move(bool stays)
{
	int from = -1, to, status = -1;
	void *addr = mem;
	size_t i, bad = 0;
	bool good = true;
	long ret;

	seed += 1ULL << 40;
	for (i = 0; i < WORDS; i++)
		mem[i] = word(i);
	syscall(SYS_move_pages, 0, 1UL, &addr, NULL, &from, 0);
	to = from == mo_nodes[0] ? mo_nodes[1] : mo_nodes[0];
	ret = syscall(SYS_move_pages, 0, 1UL, &addr, &to, &status, 0);
	MO_EXPECT(stays || !ret, "%ld, %d: %s", ret, status, strerror(errno));
	status = -1;
	syscall(SYS_move_pages, 0, 1UL, &addr, NULL, &status, 0);
	MO_EXPECT(status == (stays ? from : to), "%d", status);
	for (i = 0; i < WORDS; i++)
		bad += mem[i] != word(i);
	MO_EXPECT(!bad, "%zu words", bad);
	return good && mo_adds_up();
}

static bool test_engine(const char *engine)
{
	long long bytes = mo_engine_stat(engine, "bytes");
	long long batches = mo_engine_stat(engine, "batches");
	struct mo_counts before = mo_counts(), n;
	bool good;

	mo_policy(engine);
	good = move(false);
	n = mo_counts_since(&before);
	bytes = mo_engine_stat(engine, "bytes") - bytes;
	batches = mo_engine_stat(engine, "batches") - batches;
	MO_EXPECT(n.offered == 1 && n.engine + n.cpu == 1, "%lld, %lld",
		  n.offered, n.engine + n.cpu);
	MO_EXPECT(bytes == (long long)GIANT, "%lld", bytes);
	MO_EXPECT(batches > 1, "%lld", batches);
	return good;
}

static bool test_cpu_mt(void)
{
	return test_engine("cpu-mt");
}

static bool test_sim(void)
{
	return test_engine("sim0");
}

/* For all of it the engine takes longer than its deadline; the deadline holds. */
static bool test_slow(void)
{
	long long timeouts = mo_engine_stat("sim0", "timeouts");
	__u64 start = mo_now_ms();
	bool good;

	mo_sim_set(0, "bandwidth_mb", 200);
	good = test_engine("sim0");
	MO_EXPECT(mo_now_ms() - start > TIMEOUT_MS, "it was not slow");
	MO_EXPECT(mo_engine_stat("sim0", "timeouts") == timeouts, "%lld",
		  mo_engine_stat("sim0", "timeouts"));
	MO_EXPECT(mo_engine_is("sim0", "online"), "it is not");
	return good;
}

/* One piece fails: the CPU copies all. */
static bool test_fail(void)
{
	struct mo_counts before = mo_counts(), n;
	bool good;

	mo_sim_fault(0, "fail", 20, 1);
	good = move(false);
	n = mo_counts_since(&before);
	MO_EXPECT(n.failed == 1 && !n.engine, "%lld, %lld", n.failed, n.engine);
	MO_EXPECT(mo_engine_is("sim0", "online"), "it is not");
	return good;
}

/* The engine hangs over one piece, and keeps all of the folio. */
static bool test_hang(void)
{
	struct mo_counts before = mo_counts(), n;
	bool good;

	mo_sim_set(0, "stuck", 1);
	mo_sim_fault(0, "hang", 20, 1);
	good = move(true);
	n = mo_counts_since(&before);
	MO_EXPECT(n.failed == 1 && n.quarantined == 1, "%lld, %lld", n.failed,
		  n.quarantined);
	MO_EXPECT(mo_engine_stat("sim0", "quarantined_pages") == 2 * GIANT / MO_BASE,
		  "%lld", mo_engine_stat("sim0", "quarantined_pages"));
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");
	mo_sim_calm();
	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, 20000), "%lld",
		  mo_engine_stat("sim0", "quarantined_pages"));
	MO_EXPECT(!mo_write("1", MO_SYSFS "/engines/sim0/reset"), "reset");
	return good && test_engine("sim0");
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "hugetlb 1G, engines cpu-mt", test_cpu_mt },
	{ "hugetlb 1G, engines sim0", test_sim },
	{ "hugetlb 1G, an engine slower than its deadline", test_slow },
	{ "hugetlb 1G, one piece fails", test_fail },
	{ "hugetlb 1G, the engine hangs over one piece", test_hang },
};

int main(void)
{
	char text[16];
	unsigned int i;

	ksft_print_header();
	mo_find_nodes();
	if (!mo_exists(MO_SYSFS) || mo_nr_nodes < 2 || mo_nr_sims() < 1)
		ksft_exit_skip("needs two nodes, and the engine sim0\n");
	mem = mmap(NULL, GIANT, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
	if (mem == MAP_FAILED)
		ksft_exit_skip("no 1 GiB pages: boot with hugepagesz=1G hugepages=0:1,1:1\n");
	mo_sim_calm();
	mo_policy("sim0");
	sprintf(text, "%d", TIMEOUT_MS);
	mo_write(text, MO_SYSFS "/engines/sim0/timeout_ms");
	mo_enable(true);

	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		ksft_test_result(tests[i].run(), "%s\n", tests[i].name);
		mo_sim_calm();
	}
	mo_enable(false);
	munmap(mem, GIANT);
	ksft_finished();
}
