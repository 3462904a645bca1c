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

#include "mo_util.h"
#include "mo_work.h"

#define ENGINE		"dma0"
#define SIM_DMA		"/sys/kernel/debug/migrate_offload_sim_dma/0"
#define TRUST		"/sys/module/migrate_engine_dmaengine/parameters/trust"
#define PROVIDER	"migrate-offload-sim-dma"
#define PROVIDER_DEV	"/sys/bus/platform/devices/" PROVIDER ".0"
#define PROVIDER_DRV	"/sys/bus/platform/drivers/" PROVIDER

#define KIND(kind)	(1U << (kind))

#define TIMEOUT_MS	500
/* For emulated machines on busy hosts: far from "for ever", that is all. */
#define MARGIN_MS	20000

/* A setting of the controller. */
struct setting {
	const char *name;
	unsigned long value;
};

static const struct fault {
	const char *name;
	const char *inject;		/* what of the controller's faults */
	unsigned int percent;
	const char *trust;		/* in the provider, or the driver's own */
	struct setting set[4];
	bool dies;			/* the engine may be taken out of service */
	bool none;			/* it is no fault: nothing goes to the CPU */
	bool removes;
} faults[] = {
	{ "error", "error", 60 },
	{ "silent error", "silent", 60, PROVIDER ":terminate" },
	{ "wrong bytes", "lie", 60, PROVIDER ":terminate" },
	{ "residue", "residue", 60 },
	{ "no descriptor", "prep_null", 50 },
	{ "submit error", "submit_error", 60 },
	{ "lost completion", "lose", 100, .dies = true },
	{ "late, stopped", "late", 100, .set = { { "late_ms", 1500 } },
	  .dies = true },
	{ "late, not stopped", "late", 100, PROVIDER ":errors",
	  { { "late_ms", 1500 }, { "terminate", 1 } }, .dies = true },
	{ "hang", "hang", 100, .dies = true },
	{ "hang, deaf", "hang", 100, PROVIDER ":errors:terminate:release",
	  { { "terminate", 2 } }, .dies = true },
	{ "removal", NULL, 0, .set = { { "latency_us", 20000 } },
	  .dies = true, .removes = true },
	{ "random order", NULL, 0, NULL,
	  { { "order", 2 }, { "latency_us", 100 }, { "no_order", 1 } },
	  .none = true },
	{ "reversed order", NULL, 0, NULL,
	  { { "order", 1 }, { "latency_us", 100 }, { "no_order", 1 } },
	  .none = true },
	{ "short ring", NULL, 0, NULL, { { "depth", 2 } }, .none = true },
};

static const struct setting calm[] = {
	{ "late_ms", 2000 }, { "terminate", 0 }, { "order", 0 },
	{ "latency_us", 0 }, { "no_order", 0 }, { "depth", 64 },
};

static const char * const inject_names[] = {
	"error", "lie", "silent", "residue", "lose", "late", "hang",
	"prep_null", "submit_error",
};

static int from, to, slow;
static bool quick = true;

static void set(const struct setting *setting)
{
	char value[16];
	int err;

	sprintf(value, "%lu", setting->value);
	if (!strncmp(setting->name, "no_", 3))
		sprintf(value, "%c", setting->value ? 'Y' : 'N');
	err = mo_write(value, SIM_DMA "/%s", setting->name);
	if (err)
		ksft_exit_fail_msg("%s: %s\n", setting->name, strerror(-err));
}

static void inject(const char *name, unsigned int percent, int times)
{
	char value[16];

	sprintf(value, "%d", times);
	mo_write(value, SIM_DMA "/%s/times", name);
	sprintf(value, "%u", percent);
	if (mo_write(value, SIM_DMA "/%s/probability", name))
		ksft_exit_fail_msg("the controller has no fault %s\n", name);
}

static long long sim_stat(const char *name)
{
	return mo_number(SIM_DMA "/%s", name);
}

static void stop_injecting(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(inject_names); i++)
		inject(inject_names[i], 0, -1);
}

/* Unbind the controller, and with it the engine, and have both come back. */
static bool bind_anew(const struct fault *fault)
{
	const struct setting *setting;
	unsigned int i;
	bool good = true;
	int err;

	err = mo_exists(PROVIDER_DEV "/driver") ?
	      mo_write(PROVIDER ".0", PROVIDER_DRV "/unbind") : 0;
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(!mo_exists(MO_SYSFS "/engines/" ENGINE), "it is still there");
	for (i = 0; i < ARRAY_SIZE(calm); i++)
		set(&calm[i]);
	for (setting = fault ? fault->set : NULL; setting && setting->name;
	     setting++)
		set(setting);
	err = mo_write(fault && fault->trust ? fault->trust : "\n", TRUST);
	MO_EXPECT(!err, "%s", strerror(-err));
	err = mo_write(PROVIDER ".0", PROVIDER_DRV "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_comes(ENGINE, "online", MARGIN_MS), "it is not");
	mo_write("500", MO_SYSFS "/engines/" ENGINE "/timeout_ms");
	return good;
}

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

/* In service again, and nothing kept back. */
static bool recovers(const struct fault *fault)
{
	bool good = true;
	int err, ms;

	stop_injecting();
	if (fault->removes) {
		/* The driver core does not expect a second one meanwhile. */
		for (ms = 0; ms < MARGIN_MS && mo_exists(PROVIDER_DEV "/driver");
		     ms += 10)
			mo_sleep_ms(10);
		MO_EXPECT(ms < MARGIN_MS, "it stays");
		return good && bind_anew(fault);
	}
	MO_EXPECT(mo_stat_comes(ENGINE, "quarantined_pages", 0, MARGIN_MS),
		  "%lld", mo_engine_stat(ENGINE, "quarantined_pages"));
	MO_EXPECT(mo_stat_comes(ENGINE, "inflight", 0, MARGIN_MS), "%lld",
		  mo_engine_stat(ENGINE, "inflight"));
	if (mo_engine_is(ENGINE, "online"))
		return good;
	/* One error after the other is a reason, too. */
	MO_EXPECT(fault->dies || fault->percent, "it has failed");
	if (fault->trust && strstr(fault->trust, "release"))
		set(&calm[1]);
	err = mo_write("1", MO_SYSFS "/engines/" ENGINE "/reset");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_is(ENGINE, "online"), "it is not");
	if (fault->trust && strstr(fault->trust, "release"))
		set(&fault->set[0]);
	return good;
}

/* While its channels are busy. */
static void remove_soon(void)
{
	pid_t child = fork();

	if (child)
		return;
	mo_sleep_ms(10);
	mo_write("1", SIM_DMA "/remove");
	_exit(0);
}

/* It has been injected, or can be seen to have happened. */
static bool has_happened(const struct fault *fault, int times)
{
	if (fault->inject)
		return mo_number(SIM_DMA "/%s/times", fault->inject) < times;
	return true;
}

static bool cell(const struct fault *fault, unsigned int kind,
		 unsigned int caller)
{
	long long copied = sim_stat("copied_descriptors");
	struct mo_counts before = mo_counts(), n;
	int times = fault->percent == 100 ? 1 : 1000;
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
	if (fault->inject)
		inject(fault->inject, fault->percent, times);
	if (fault->removes)
		remove_soon();
	start = mo_now_ms();
	MO_EXPECT(callers[caller].migrate(&mem), "nothing was migrated");
	ms = mo_now_ms() - start;
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	/* To fill a node takes its time, too. */
	MO_EXPECT(ms < TIMEOUT_MS + MARGIN_MS * (callers[caller].slow ? 9 : 1),
		  "%llu", ms);
	n = mo_counts_since(&before);
	MO_EXPECT(n.offered > 0, "nothing was offered");
	if (fault->none) {
		MO_EXPECT(n.engine > 0 && !n.failed, "%lld by it, %lld not",
			  n.engine, n.failed);
		MO_EXPECT(sim_stat("copied_descriptors") > copied, "%lld", copied);
	}
	/* A draw of 30 percent may come to nothing; not so with many folios. */
	if (!caller && kinds[kind].nr > 16)
		MO_EXPECT(has_happened(fault, times), "it did not happen");
	good &= recovers(fault);
	/* By now whatever was held has been let go, and moves. */
	MO_EXPECT(mo_move(&mem, to) >= 0, "it does not move");
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	MO_EXPECT(!sim_stat("wild_writes"), "%lld", sim_stat("wild_writes"));
	good &= mo_adds_up();
	mo_free(&mem);
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

	stop_injecting();
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

	setvbuf(stdout, NULL, _IOLBF, 0);
	argc--, argv++;
	if (argc && !strcmp(*argv, "-a")) {
		quick = false;
		argc--, argv++;
	}
	ksft_print_header();
	mo_find_nodes();
	if (mo_nr_nodes < 3 || !mo_exists(SIM_DMA) ||
	    !mo_exists(MO_SYSFS "/engines/" ENGINE))
		ksft_exit_skip("needs three nodes, and dma0 on simulated DMA controllers\n");
	from = mo_nodes[0];
	to = mo_nodes[1];
	slow = mo_nodes[2];
	signal(SIGCHLD, SIG_IGN);
	mo_policy(ENGINE);
	for (i = 0; i < mo_nr_nodes; i++)
		mo_write("all", MO_SYSFS "/nodes/node%d/reasons", mo_nodes[i]);
	mo_enable(true);

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		plan += chosen(faults[i].name, argc, argv);
	ksft_set_plan(plan);
	head();
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (chosen(faults[i].name, argc, argv))
			failed += test(&faults[i], &cells);
	stop_injecting();
	bind_anew(NULL);
	mo_enable(false);
	printf("# fault-matrix: %u cells, %u failed\n", cells, failed);
	ksft_finished();
}
