// SPDX-License-Identifier: GPL-2.0
/*
 * System calls that migrate, over all kinds of memory and all kinds of policy:
 * every byte right, every folio where it was sent, and whoever was to copy it
 * did.
 */
#include <string.h>

#include "mo_util.h"

/* What is chosen, and which counters have to tell. */
static struct policy {
	const char *engines;	/* NULL: migration offload is off */
	bool all;		/* of it, by these two */
} policies[] = {
	{ NULL },
	{ "cpu" },
	{ "cpu-mt" },
	{ "auto" },
	{ NULL, true },		/* mo_engine(0) */
	{ NULL, true },		/* mo_both_engines() */
};

static const unsigned int folios[MO_NR_KINDS] = {
	[MO_ANON]	= 256,
	[MO_COW]	= 64,
	[MO_THP]	= 4,
	[MO_MTHP]	= 16,
	[MO_SHMEM]	= 128,
	[MO_MEMFD]	= 128,
	[MO_SHMEM_HUGE]	= 2,
	[MO_HUGETLB]	= 2,
};

/* What both engines have done, and what "auto" has left to the CPU. */
struct stats {
	long long folios, bytes, errors, timeouts, slower;
};

static struct stats stats_now(void)
{
	struct stats sum = { .slower = mo_refused("slower") };
	unsigned int nr;

	for (nr = 0; nr < mo_nr_engines(); nr++) {
		const char *name = mo_engine(nr);

		sum.folios += mo_engine_stat(name, "folios");
		sum.bytes += mo_engine_stat(name, "bytes");
		sum.errors += mo_engine_stat(name, "errors");
		sum.timeouts += mo_engine_stat(name, "timeouts");
	}
	return sum;
}

static bool counted(const struct policy *policy, const struct mo_mem *mem,
		    enum mo_call call, const struct mo_counts *before,
		    const struct stats *stats_before)
{
	struct mo_counts n = mo_counts_since(before);
	struct stats stats = stats_now();
	long long nr = mem->nr, bytes, done;
	bool good = true;

	stats.folios -= stats_before->folios;
	stats.bytes -= stats_before->bytes;
	stats.slower -= stats_before->slower;

	MO_EXPECT(stats.errors == stats_before->errors, "%lld", stats.errors);
	MO_EXPECT(stats.timeouts == stats_before->timeouts, "%lld", stats.timeouts);
	MO_EXPECT(n.failed == 0, "%lld", n.failed);

	if (!policy->engines) {
		MO_EXPECT(n.offered == 0, "%lld", n.offered);
		MO_EXPECT(stats.folios == 0, "%lld", stats.folios);
		return good;
	}

	bytes = nr * mem->folio;
	done = n.engine + n.cpu;
	if (!strcmp(policy->engines, "auto"))
		done += stats.slower;

	/* migrate_pages() takes all that the process has along. */
	if (call == MO_MIGRATE_PAGES) {
		MO_EXPECT(n.offered >= nr, "%lld", n.offered);
		MO_EXPECT(done >= nr, "%lld", done);
	} else {
		MO_EXPECT(n.offered == nr, "%lld", n.offered);
		MO_EXPECT(done == nr, "%lld", done);
	}

	if (policy->all) {
		MO_EXPECT(n.engine >= nr, "%lld", n.engine);
		MO_EXPECT(stats.folios == n.engine, "%lld, not %lld",
			  stats.folios, n.engine);
		MO_EXPECT(stats.bytes >= bytes, "%lld", stats.bytes);
		if (call != MO_MIGRATE_PAGES)
			MO_EXPECT(stats.bytes == bytes, "%lld", stats.bytes);
	} else if (!strncmp(policy->engines, "cpu", 3)) {
		MO_EXPECT(n.cpu >= nr, "%lld", n.cpu);
		MO_EXPECT(stats.folios == 0, "%lld", stats.folios);
	}
	return good;
}

static bool moves(const struct policy *policy, struct mo_mem *mem,
		  enum mo_call call, int from, int to)
{
	bool good = true, have = mo_exists(MO_SYSFS);
	struct mo_counts before = {};
	struct stats stats = {};
	unsigned int on;
	size_t bad;
	int ret;

	if (have) {
		before = mo_counts();
		stats = stats_now();
	}
	ret = mo_migrate(mem, call, from, to);
	MO_EXPECT(ret == 0, "%d", ret);
	bad = mo_bad_bytes(mem);
	MO_EXPECT(bad == 0, "%zu", bad);
	on = mo_folios_on(mem, to);
	MO_EXPECT(on == mem->nr, "%u", on);
	MO_EXPECT(mo_whole(mem), "a large folio was split, or is not mapped");
	if (have) {
		good &= counted(policy, mem, call, &before, &stats);
		good &= mo_adds_up();
	}
	return good;
}

/*
 * With new memory each time: the kernel takes an anonymous large folio that is
 * smaller than 2 MiB for partially mapped once it has migrated, and splits it
 * the next time.
 */
static void test(const struct policy *policy, enum mo_kind kind,
		 enum mo_call call, int from, int to)
{
	struct mo_mem mem;
	bool good = false;
	int err;

	err = mo_alloc(&mem, kind, folios[kind], from);
	if (err)
		ksft_print_msg("cannot have it: %s\n", strerror(-err));
	else
		good = moves(policy, &mem, call, from, to);
	mo_free(&mem);
	ksft_test_result(good, "%s %d to %d, %u of %s, engines %s\n",
			 mo_call_names[call], from, to, folios[kind],
			 mo_kind_names[kind], policy->engines ?: "off");
}

static void test_policy(const struct policy *policy)
{
	enum mo_kind kind;
	enum mo_call call;
	int i = 0;

	if (policy->engines)
		mo_policy(policy->engines);
	if (policy->engines || mo_exists(MO_SYSFS))
		mo_enable(policy->engines);

	/* Around all the nodes, from and to each of them. */
	for (kind = 0; kind < MO_NR_KINDS; kind++)
		for (call = 0; call < MO_NR_CALLS; call++, i++)
			test(policy, kind, call, mo_nodes[i % mo_nr_nodes],
			     mo_nodes[(i + 1) % mo_nr_nodes]);
}

int main(void)
{
	unsigned int i, first = 0, nr = ARRAY_SIZE(policies);

	ksft_print_header();
	mo_find_nodes();
	if (mo_nr_nodes < 2)
		ksft_exit_skip("needs two nodes with memory\n");
	if (mo_exists(MO_SYSFS) && mo_nr_sims() < 2 && !mo_have_hardware())
		ksft_exit_skip("needs migrate_offload_sim.ko with nr_engines=2\n");
	if (!mo_exists(MO_SYSFS))
		nr = 1;
	else
		mo_sim_calm();

	if (nr > 1) {
		policies[nr - 2].engines = mo_engine(0);
		policies[nr - 1].engines = mo_both_engines();
		if (mo_have_hardware())
			first = nr - 2;
		if (mo_nr_engines() == 1)
			nr--;
	}
	ksft_set_plan((nr - first) * MO_NR_KINDS * MO_NR_CALLS);
	for (i = first; i < nr; i++)
		test_policy(&policies[i]);
	if (mo_exists(MO_SYSFS))
		mo_enable(false);
	ksft_finished();
}
