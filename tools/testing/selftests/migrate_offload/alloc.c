// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that fail, one after the other: whatever is done fails cleanly, or
 * does without, and works when it is done once more. And migration itself needs
 * none to give its folios to an engine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mo_util.h"

#define FAIL_NTH	"/proc/self/fail-nth"
#define NODE0		MO_SYSFS "/nodes/node0"
#define MOST		60

static struct mo_mem mem;

static int write_engines(void)
{
	return mo_write("sim0,cpu", NODE0 "/engines");
}

static int write_reasons(void)
{
	return mo_write("damon,demotion", NODE0 "/reasons");
}

static int write_min_bytes(void)
{
	return mo_write("64K", NODE0 "/min_bytes");
}

static int write_timeout(void)
{
	return mo_write("900", MO_SYSFS "/engines/sim0/timeout_ms");
}

static int write_enabled(void)
{
	int err = mo_write("0", MO_SYSFS "/enabled");

	return err ?: mo_write("1", MO_SYSFS "/enabled");
}

#define DRIVER	"/sys/bus/platform/drivers/migrate-offload-sim"

static int bind_anew(void)
{
	int err = 0;

	if (mo_exists(MO_SYSFS "/engines/sim1"))
		err = mo_write("migrate-offload-sim.1", DRIVER "/unbind");
	return err ?: mo_write("migrate-offload-sim.1", DRIVER "/bind");
}

/* Folios may stay where they are, but not be lost. */
static int move(void)
{
	int to = mo_nodes[mo_folios_on(&mem, mo_nodes[0]) ? 1 : 0];
	int ret = mo_move(&mem, to);

	if (mo_bad_bytes(&mem))
		return -EILSEQ;
	return ret < 0 ? ret : 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} tests[] = {
	{ "engines of a node", write_engines },
	{ "reasons of a node", write_reasons },
	{ "min_bytes of a node", write_min_bytes },
	{ "timeout of an engine", write_timeout },
	{ "off, and on again", write_enabled },
	{ "a device is bound anew", bind_anew },
};

/* As after boot, but for the counters. */
static void set_up(void)
{
	mo_sim_calm();
	mo_policy("sim0,sim1");
	mo_enable(true);
}

/*
 * Have the nth allocation of this task fail in run(). Returns false if it did
 * not come to that.
 */
static bool fail_nth(unsigned int nth, int (*run)(void), int *err)
{
	char text[16], left[16] = "";
	int fd = open(FAIL_NTH, O_RDWR);

	if (fd < 0)
		ksft_exit_fail_msg("%s: %m\n", FAIL_NTH);
	sprintf(text, "%u", nth);
	if (write(fd, text, strlen(text)) < 0)
		ksft_exit_fail_msg("%s: %m\n", FAIL_NTH);
	*err = run();
	if (pread(fd, left, sizeof(left) - 1, 0) < 0 ||
	    pwrite(fd, "0", 1, 0) < 0)
		ksft_exit_fail_msg("%s: %m\n", FAIL_NTH);
	close(fd);
	return left[0] == '0';
}

static void test(unsigned int nr)
{
	unsigned int nth, failed = 0, injected = 0;
	bool good = true;
	int err;

	for (nth = 1; good && nth <= MOST; nth++) {
		if (!fail_nth(nth, tests[nr].run, &err))
			break;
		injected++;
		failed += !!err;
		err = tests[nr].run();
		MO_EXPECT(!err, "once more after %u: %s", nth, strerror(-err));
	}
	MO_EXPECT(injected, "no allocation has failed");
	set_up();
	ksft_print_msg("%u injected, %u failed\n", injected, failed);
	ksft_test_result(good, "%s\n", tests[nr].name);
}

static void test_move(enum mo_kind kind, unsigned int nr)
{
	struct mo_counts before, n;
	unsigned int nth;
	bool good = true;
	int err;

	err = mo_alloc(&mem, kind, nr, mo_nodes[0]);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));
	before = mo_counts();
	for (nth = 1; good && nth <= MOST; nth++) {
		if (!fail_nth(nth, move, &err))
			break;
		MO_EXPECT(err != -EILSEQ, "bytes are wrong after %u", nth);
	}
	/* Those of hugetlb come from its pool. */
	MO_EXPECT(nth > 1 || kind == MO_HUGETLB, "no allocation has failed");
	MO_EXPECT(!move(), "once more");
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine > 0, "%lld", n.engine);
	good &= mo_adds_up();
	mo_free(&mem);
	ksft_test_result(good, "moving %s\n", mo_kind_names[kind]);
}

/*
 * Whatever else fails in this task: what is given to an engine is not less for
 * it, since submitting does not allocate.
 */
static void test_many(const char *injector)
{
	static const char dir[] = "/sys/kernel/debug";
	struct mo_counts before, n;
	bool good = true;
	int i;

	if (mo_alloc(&mem, MO_ANON, 64, mo_nodes[0]))
		ksft_exit_fail_msg("no memory\n");
	mo_write("N", "%s/%s/ignore-gfp-wait", dir, injector);
	mo_write("0", "%s/%s/verbose", dir, injector);
	mo_write("Y", "%s/%s/task-filter", dir, injector);
	mo_write("-1", "%s/%s/times", dir, injector);
	before = mo_counts();
	mo_write("1", "/proc/self/make-it-fail");
	mo_write("20", "%s/%s/probability", dir, injector);
	for (i = 0; i < 40; i++)
		if (move() == -EILSEQ)
			good = false;
	/* This may fail, too. */
	while (mo_write("0", "/proc/self/make-it-fail") ||
	       mo_write("0", "%s/%s/probability", dir, injector))
		;
	MO_EXPECT(good, "bytes are wrong");
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine > 0 && n.engine + n.refused == n.offered,
		  "%lld + %lld of %lld", n.engine, n.refused, n.offered);
	good &= mo_adds_up();
	mo_free(&mem);
	ksft_test_result(good, "moving while one in five fails: %s\n", injector);
}

int main(void)
{
	unsigned int i;

	ksft_print_header();
	mo_find_nodes();
	if (!mo_exists(FAIL_NTH) || !mo_exists("/sys/kernel/debug/failslab") ||
	    !mo_exists("/sys/kernel/debug/fail_page_alloc"))
		ksft_exit_skip("needs failslab and fail_page_alloc\n");
	if (mo_nr_nodes < 2 || mo_nr_sims() < 2)
		ksft_exit_skip("needs two nodes, and engines sim0 and sim1\n");
	mo_write("0", "/sys/kernel/debug/failslab/verbose");
	mo_write("0", "/sys/kernel/debug/fail_page_alloc/verbose");
	mo_write("N", "/sys/kernel/debug/failslab/ignore-gfp-wait");
	mo_write("N", "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait");
	mo_write("N", "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem");
	mo_write("0", "/sys/kernel/debug/fail_page_alloc/min-order");
	set_up();

	ksft_set_plan(ARRAY_SIZE(tests) + 5);
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		test(i);
	test_move(MO_ANON, 64);
	test_move(MO_THP, 2);
	test_move(MO_HUGETLB, 2);
	test_many("failslab");
	test_many("fail_page_alloc");
	mo_enable(false);
	ksft_finished();
}
