// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that a DMA controller or its driver can do wrong, times the sizes
 * of folios, times what makes the kernel migrate. Each cell ends with all bytes
 * right, in bounded time, with counters that add up, nothing held back for
 * longer than the controller may write to it, and the engine back in service.
 *
 *	fault-matrix [-a] [FAULT]...
 *
 * What takes long is left out without -a. Prints a table, and at the end
 * "fault-matrix: N cells, N failed".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "mo_work.h"

#define KIND(kind)	(1U << (kind))

static const struct controller *ctl;
static int from, to, slow;
static bool quick = true;

/* Whatever makes the kernel migrate. False if it did not come to that. */
static bool by_move_pages(struct mo_mem *mem)
{
	return mo_move(mem, to) >= 0;
}

/* What lies well stays, so it may take more than one go. */
static bool by_compaction(struct mo_mem *mem)
{
	long long before = mo_vmstat("\npgmigrate_success ");
	struct mo_holes holes;
	bool moved = false;
	size_t bad;
	int i;

	for (i = 0; i < 8 && !moved; i++) {
		/* Its size has just been enabled. */
		if (!mo_holes_make(&holes, 8192 << (i & 3),
				   mem->folio / MO_BASE, from))
			return false;
		mo_write("1", "/proc/sys/vm/compact_memory");
		moved = mo_vmstat("\npgmigrate_success ") > before;
		bad = mo_holes_free(&holes);
		if (bad) {
			ksft_print_msg("%zu words of compacted memory are wrong\n", bad);
			return false;
		}
	}
	return moved;
}

static bool by_demotion(struct mo_mem *mem)
{
	mo_demote(mem, from, slow);
	return true;
}

/* Memory is short, and is swapped, while it moves to and fro. */
static bool by_pressure(struct mo_mem *mem)
{
	size_t bytes = 700UL << 20, at;
	pid_t child = fork();
	int i, status;
	char *fill;

	if (child < 0)
		return false;
	if (!child) {
		fill = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		for (at = 0; fill != MAP_FAILED; at = (at + MO_BASE) % bytes)
			fill[at]++;
		_exit(1);
	}
	for (i = 0; i < 4; i++) {
		mo_sleep_ms(100);
		mo_move(mem, i & 1 ? from : to);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return true;
}

static const struct {
	const char *name;
	bool (*migrate)(struct mo_mem *mem);
	unsigned int kinds;	/* that the kernel migrates so */
	bool slow;
} callers[] = {
	{ "move_pages", by_move_pages, KIND(MO_ANON) | KIND(MO_MTHP) |
	  KIND(MO_THP) | KIND(MO_HUGETLB) },
	{ "pressure", by_pressure, KIND(MO_ANON) | KIND(MO_MTHP) | KIND(MO_THP) |
	  KIND(MO_HUGETLB), true },
	/* It leaves folios of a pageblock and more alone. */
	{ "compaction", by_compaction, KIND(MO_ANON) | KIND(MO_MTHP), true },
	{ "demotion", by_demotion, KIND(MO_ANON) | KIND(MO_MTHP) | KIND(MO_THP),
	  true },
};

static const struct {
	enum mo_kind kind;
	unsigned int nr;
} kinds[] = {
	{ MO_ANON, 256 }, { MO_MTHP, 16 }, { MO_THP, 2 }, { MO_HUGETLB, 2 },
};

static bool bind_anew(const struct fault *fault)
{
	bool good = ctl->bind(fault);

	mo_write(fault && fault->dies ? "500" : "10000",
		 MO_SYSFS "/engines/%s/timeout_ms", ctl->engine);
	return good;
}

/* In service again, and nothing kept back. */
static bool recovers(const struct fault *fault)
{
	bool good = true;
	int err;

	ctl->stop();
	if (fault->removes) {
		MO_EXPECT(ctl->removed(fault), "it stays");
		return good && bind_anew(fault);
	}
	MO_EXPECT(mo_stat_comes(ctl->engine, "quarantined_pages", 0, MARGIN_MS),
		  "%lld", mo_engine_stat(ctl->engine, "quarantined_pages"));
	MO_EXPECT(mo_stat_comes(ctl->engine, "inflight", 0, MARGIN_MS), "%lld",
		  mo_engine_stat(ctl->engine, "inflight"));
	if (mo_engine_is(ctl->engine, "online"))
		return good;
	MO_EXPECT(fault->dies || fault->errors, "it has failed");
	ctl->before_reset(fault);
	/* That may have been enough. */
	err = mo_engine_is(ctl->engine, "online") ? 0 :
	      mo_write("1", MO_SYSFS "/engines/%s/reset", ctl->engine);
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_is(ctl->engine, "online"), "it is not");
	ctl->after_reset(fault);
	return good;
}

static bool cell(const struct fault *fault, unsigned int kind,
		 unsigned int caller)
{
	struct mo_counts before = mo_counts(), n;
	long long copied = ctl->copied();
	struct mo_mem mem;
	bool good = true;
	__u64 start, ms;
	size_t bad;
	int err;

	err = mo_alloc(&mem, kinds[kind].kind, kinds[kind].nr, from);
	if (err)
		ksft_exit_fail_msg("no %s memory: %s\n",
				   mo_kind_names[kinds[kind].kind],
				   strerror(-err));
	ctl->inject(fault);
	start = mo_now_ms();
	MO_EXPECT(callers[caller].migrate(&mem), "nothing was migrated");
	ms = mo_now_ms() - start;
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	/* What it still copies is old now: it shows if it gets where it must not. */
	mo_fill(&mem);
	/* To fill a node takes its time, too. */
	MO_EXPECT(ms < TIMEOUT_MS + MARGIN_MS * (callers[caller].slow ? 9 : 1),
		  "%llu", ms);
	n = mo_counts_since(&before);
	MO_EXPECT(n.offered > 0, "nothing was offered");
	if (fault->none) {
		MO_EXPECT(n.engine > 0 && !n.failed, "%lld by it, %lld not",
			  n.engine, n.failed);
		MO_EXPECT(ctl->copied() > copied, "%lld", copied);
	}
	/* A draw of 30 percent may come to nothing; not so with many folios. */
	if (!caller && kinds[kind].nr > 16)
		MO_EXPECT(ctl->happened(fault), "it did not happen");
	/* What it writes late must not be what is there already. */
	if (fault->writes)
		mo_fill(&mem);
	good &= recovers(fault);
	if (fault->writes)
		MO_EXPECT(ctl->written(fault), "it has not written");
	/* By now whatever was held has been let go, and moves. */
	MO_EXPECT(mo_move(&mem, to) >= 0, "it does not move");
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	MO_EXPECT(ctl->behaved(), "it has written where it must not");
	good &= mo_adds_up();
	mo_free(&mem);
	/* Those who were to do something soon. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return good;
}

static const char *size_name(unsigned int kind)
{
	static const char * const names[] = { "4K", "64K", "2M", "hugetlb" };

	return names[kind];
}

/* The table's line of @fault; returns how many cells failed. */
static unsigned int test(const struct fault *fault, unsigned int *cells)
{
	unsigned int i, j, failed = 0, nr = 0;
	char line[256], *at = line;

	ctl->stop();
	if (!bind_anew(fault))
		failed++;
	at += sprintf(at, "%-18s", fault->name);
	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		for (j = 0; j < ARRAY_SIZE(kinds); j++) {
			bool good;

			if (!(callers[i].kinds & KIND(kinds[j].kind)) ||
			    (quick && callers[i].slow)) {
				at += sprintf(at, "  -");
				continue;
			}
			good = cell(fault, j, i);
			if (!good)
				ksft_print_msg("^ %s, %s, %s\n", fault->name,
					       callers[i].name, size_name(j));
			at += sprintf(at, "%s", good ? " ok" : " NO");
			failed += !good;
			nr++;
		}
		at += sprintf(at, " |");
	}
	ksft_print_msg("%s %u cells, %u failed\n", line, nr, failed);
	ksft_test_result(!failed, "%s\n", fault->name);
	*cells += nr;
	return failed;
}

static void head(void)
{
	unsigned int i, j;

	ksft_print_msg("%-18s", "");
	for (i = 0; i < ARRAY_SIZE(callers); i++)
		printf(" %-12s|", callers[i].name);
	printf("\n");
	ksft_print_msg("%-18s", "");
	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		for (j = 0; j < ARRAY_SIZE(kinds); j++)
			printf(" %2.2s", size_name(j));
		printf(" |");
	}
	printf("\n");
}

static bool chosen(const char *name, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return !argc;
}

int main(int argc, char **argv)
{
	unsigned int i, cells = 0, failed = 0, plan = 0;
	const struct fault *fault;

	setvbuf(stdout, NULL, _IOLBF, 0);
	argc--, argv++;
	if (argc && !strcmp(*argv, "-a")) {
		quick = false;
		argc--, argv++;
	}
	ksft_print_header();
	mo_find_nodes();
	if (fault_dsa_there())
		ctl = &fault_dsa;
	else if (fault_sdma_there())
		ctl = &fault_sdma;
	else if (fault_dma_there())
		ctl = &fault_dma;
	if (mo_nr_nodes < 3 || !ctl)
		ksft_exit_skip("needs three nodes, and dma0, dsa0 or sdma0 that can be broken\n");
	from = mo_nodes[0];
	to = mo_nodes[1];
	slow = mo_nodes[2];
	mo_policy(ctl->engine);
	for (i = 0; i < mo_nr_nodes; i++)
		mo_write("all", MO_SYSFS "/nodes/node%d/reasons", mo_nodes[i]);
	mo_enable(true);

	for (i = 0; (fault = ctl->row(i)); i++)
		plan += chosen(fault->name, argc, argv);
	ksft_set_plan(plan);
	head();
	for (i = 0; (fault = ctl->row(i)); i++)
		if (chosen(fault->name, argc, argv))
			failed += test(fault, &cells);
	ctl->stop();
	bind_anew(NULL);
	mo_enable(false);
	printf("# fault-matrix: %u cells, %u failed\n", cells, failed);
	ksft_finished();
}
