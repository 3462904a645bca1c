// SPDX-License-Identifier: GPL-2.0
/*
 * What migration offload itself costs
 *
 * A benchmark, not a test: it judges nothing. It moves the folios of a tmpfs
 * file with migrate_pages(), again and again, with and without migration
 * offload, and prints the time of each round. It runs at boot when asked for:
 *
 *	migrate_offload_bench=ROUNDS[,poweroff]
 *
 * It is meant for User-Mode Linux, where nothing else runs. Times are those of
 * the code between unmapping and freeing a folio. Not in them: isolating folios,
 * and allocating their destinations, which are set aside before. No process maps
 * them, so there is no TLB to flush either.
 *
 * The copy takes several times as long as all the rest, and its time varies. So
 * there are two ways to move without it: "nocopy" is migration as it is without
 * migration offload, less the copy, and "instant" an engine that says at once that
 * it has copied. The difference is what migration offload costs. So that memory is
 * right nevertheless, a destination has the content of its source before it is
 * moved to. This measures cost, it does not test copies.
 */
#define pr_fmt(fmt) "migrate_offload_bench: " fmt

#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "../../internal.h"
#include "../internal.h"

/* 64 MiB of 4K pages: more than caches hold, as what is migrated mostly is. */
#define MO_BENCH_FOLIOS		16384

/* As many are timed together: it is over before something else gets between. */
#define MO_BENCH_PART		512
#define MO_BENCH_PARTS		(MO_BENCH_FOLIOS / MO_BENCH_PART)

/* Folios in one call of migrate_pages(); all of them are moved in each case. */
static const unsigned int mo_bench_amounts[] = {
	1, 8, 64, 512, MO_BENCH_FOLIOS
};

/*
 * A destination's place, from the order in which they were allocated: no two
 * neighbours come one after the other, so each folio is an extent of its own.
 */
#define MO_BENCH_STRIDE		6007

struct mo_bench_variant {
	const char *name;
	const char *engines;	/* of the node; NULL: offload is disabled */
	bool instant;		/* the engine of that name is there */
	bool nocopy;		/* migration leaves out the copy */
	bool copy_only;		/* and nothing else */
};

static const struct mo_bench_variant mo_bench_variants[] = {
	{ .name = "copy-only", .copy_only = true },
	{ .name = "off" },
	{ .name = "auto", .engines = "auto" },
	{ .name = "cpu", .engines = "cpu" },
	{ .name = "cpu-mt", .engines = "cpu-mt" },
	{ .name = "nocopy", .nocopy = true },
	{ .name = "instant", .engines = "instant", .instant = true },
};

/* The round that does not count: memory may be new to the host. */
#define MO_BENCH_WARMUP		0

/* What came of moving all folios once. */
struct mo_bench_result {
	u64 began;			/* the part that is being timed */
	unsigned int nr_parts;
	u64 ns[MO_BENCH_PARTS];
	u64 batches;
	u64 extents;			/* of "instant" */
	u64 offloaded;
	unsigned int moved;
	unsigned int bad;
};

struct mo_bench {
	struct address_space *mapping;
	const struct address_space_operations *aops;
	struct list_head *calls;	/* folios for each */
	struct folio **src;		/* by index in the file */
	struct folio **dst;
	struct migrate_offload_engine *instant;
	struct mo_bench_result result;
};

static char *mo_bench_arg;
core_param(migrate_offload_bench, mo_bench_arg, charp, 0);

/* The engine "instant" */

static u64 mo_instant_extents;

static int mo_instant_submit(struct migrate_offload_engine *engine,
			     struct migrate_offload_batch *batch)
{
	mo_instant_extents += batch->nr_extents;
	migrate_offload_extents_done(batch, 0, batch->nr_extents, 0);
	migrate_offload_batch_quiesced(batch);
	return 0;
}

/* Never has anything left to let go of. */
static void mo_instant_quiesce(struct migrate_offload_engine *engine)
{
}

static const struct migrate_offload_ops mo_instant_ops = {
	.submit = mo_instant_submit,
	.quiesce = mo_instant_quiesce,
};

static int mo_instant_register(struct mo_bench *bench)
{
	static const struct migrate_offload_engine_info info = {
		.name = "instant",
		.driver = "bench",
		.ops = &mo_instant_ops,
		.numa_node = NUMA_NO_NODE,
		.max_extents = MO_BATCH_FOLIOS,
		.max_batches = 4,
	};

	bench->instant = migrate_offload_register(&info, NULL);
	return PTR_ERR_OR_ZERO(bench->instant);
}

/* migrate_folio(), but for the copy. */
static int mo_nocopy_migrate_folio(struct address_space *mapping,
				   struct folio *dst, struct folio *src,
				   enum migrate_mode mode)
{
	int err = folio_migrate_mapping(mapping, dst, src, 0);

	if (!err)
		folio_migrate_flags(dst, src);
	return err;
}

/* Of the file, while nobody but migration asks for it. */
static const struct address_space_operations mo_nocopy_aops = {
	.dirty_folio = noop_dirty_folio,
	.migrate_folio = mo_nocopy_migrate_folio,
};

/* Content that is different for each page, and for each word of a page. */

static u64 mo_bench_seed(pgoff_t index)
{
	return (index + 1) * 0x9e3779b97f4a7c15;
}

static void mo_bench_fill(struct folio *folio, u64 seed)
{
	u64 *word = folio_address(folio);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = seed + i * 0x0123456789abcdef;
}

static bool mo_bench_filled(struct folio *folio, u64 seed)
{
	const u64 *word = folio_address(folio);
	unsigned int i;
	u64 wrong = 0;

	for (i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		wrong |= word[i] ^ (seed + i * 0x0123456789abcdef);
	return !wrong;
}

/* Before and after what is measured */

static int mo_bench_make_file(struct mo_bench *bench)
{
	struct folio *folio;
	pgoff_t i;

	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		folio = shmem_read_folio(bench->mapping, i);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
		if (folio_test_large(folio)) {
			folio_put(folio);
			return -EOPNOTSUPP;
		}
		mo_bench_fill(folio, mo_bench_seed(i));
		folio_mark_dirty(folio);
		folio_put(folio);
		cond_resched();
	}
	return 0;
}

static void mo_bench_put_dst(struct mo_bench *bench)
{
	pgoff_t i;

	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		if (bench->dst[i])
			folio_put(bench->dst[i]);
		bench->dst[i] = NULL;
	}
}

/*
 * Where nobody will copy, destinations have the right content already, else one
 * that is wrong in each word.
 */
static int mo_bench_get_dst(struct mo_bench *bench,
			    const struct mo_bench_variant *variant)
{
	bool right = variant->nocopy || variant->instant;
	struct folio *folio;
	pgoff_t i, index;
	u64 seed;

	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		folio = __folio_alloc_node(GFP_USER | __GFP_MOVABLE |
					   __GFP_THISNODE, 0, 0);
		if (!folio)
			return -ENOMEM;
		index = i * MO_BENCH_STRIDE % MO_BENCH_FOLIOS;
		bench->dst[index] = folio;
	}
	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		seed = mo_bench_seed(i);
		mo_bench_fill(bench->dst[i], right ? seed : ~seed);
		cond_resched();
	}
	return 0;
}

/* @amount folios for each call, in the order of the file. */
static int mo_bench_isolate(struct mo_bench *bench, unsigned int amount)
{
	struct folio *folio;
	pgoff_t i;

	for (i = 0; i < MO_BENCH_FOLIOS / amount; i++)
		INIT_LIST_HEAD(&bench->calls[i]);
	lru_add_drain_all();
	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		folio = bench->src[i];
		if (!folio_isolate_lru(folio))
			return -EBUSY;
		list_add_tail(&folio->lru, &bench->calls[i / amount]);
		node_stat_add_folio(folio, NR_ISOLATED_ANON +
				    folio_is_file_lru(folio));
	}
	return 0;
}

static void mo_bench_put_back(struct mo_bench *bench, unsigned int amount)
{
	unsigned int i;

	for (i = 0; i < MO_BENCH_FOLIOS / amount; i++)
		putback_movable_pages(&bench->calls[i]);
}

/* Sets where folios are now; the page cache has references to them. */
static int mo_bench_find(struct mo_bench *bench)
{
	struct folio *folio;
	pgoff_t i;

	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		folio = filemap_get_folio(bench->mapping, i);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
		bench->src[i] = folio;
		folio_put(folio);
	}
	return 0;
}

/* How many of @folios have not what they should have? */
static unsigned int mo_bench_verify(struct folio **folios)
{
	unsigned int bad = 0;
	pgoff_t i;

	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		bad += !mo_bench_filled(folios[i], mo_bench_seed(i));
		cond_resched();
	}
	return bad;
}

/* What the engine of a variant has counted. */
static void mo_bench_count(const char *name, u64 *batches, u64 *folios)
{
	struct mo_engine_stats *stats;
	struct mo_engine *engine;
	int cpu;

	*batches = 0;
	*folios = 0;
	mutex_lock(&mo_lock);
	engine = mo_engine_find(name);
	for_each_possible_cpu(cpu) {
		if (!engine)
			break;
		stats = per_cpu_ptr(engine->stats, cpu);
		*batches += stats->batches;
		*folios += stats->folios;
	}
	mutex_unlock(&mo_lock);
}

/* What is measured */

static void mo_bench_begin(struct mo_bench_result *result)
{
	result->began = ktime_get_ns();
}

static void mo_bench_part(struct mo_bench_result *result)
{
	u64 now = ktime_get_ns();

	result->ns[result->nr_parts++] = now - result->began;
	result->began = now;
}

/*
 * Called when a folio is to be unmapped. However many are unmapped before the
 * first of them is copied, it takes the same time from one part to the next.
 */
static struct folio *mo_bench_new_folio(struct folio *src,
					unsigned long private)
{
	struct mo_bench *bench = (struct mo_bench *)private;
	struct folio *dst = bench->dst[src->index];

	bench->dst[src->index] = NULL;
	if (src->index && !(src->index % MO_BENCH_PART))
		mo_bench_part(&bench->result);
	return dst;
}

static void mo_bench_move(struct mo_bench *bench, unsigned int amount)
{
	struct mo_bench_result *result = &bench->result;
	unsigned int i, moved;

	mo_bench_begin(result);
	for (i = 0; i < MO_BENCH_FOLIOS / amount; i++) {
		migrate_pages(&bench->calls[i], mo_bench_new_folio, NULL,
			      (unsigned long)bench, MIGRATE_ASYNC, MR_SYSCALL,
			      &moved);
		result->moved += moved;
	}
	mo_bench_part(result);
}

static void mo_bench_copy(struct mo_bench *bench)
{
	struct mo_bench_result *result = &bench->result;
	pgoff_t i;

	mo_bench_begin(result);
	for (i = 0; i < MO_BENCH_FOLIOS; i++) {
		cond_resched();
		result->moved += !folio_mc_copy(bench->dst[i], bench->src[i]);
		if (!((i + 1) % MO_BENCH_PART))
			mo_bench_part(result);
	}
	result->bad = mo_bench_verify(bench->dst);
}

/* With the policy of @variant. */
static void mo_bench_offload(struct mo_bench *bench,
			     const struct mo_bench_variant *variant,
			     unsigned int amount)
{
	struct mo_bench_result *result = &bench->result;
	u64 batches, folios, extents = mo_instant_extents;

	mo_policy_set_engines(mo_node(0), variant->engines);
	mo_bench_count(variant->engines, &batches, &folios);
	mo_set_enabled(true);
	mo_bench_move(bench, amount);
	mo_set_enabled(false);
	mo_bench_count(variant->engines, &result->batches, &result->offloaded);
	result->batches -= batches;
	result->offloaded -= folios;
	result->extents = mo_instant_extents - extents;
}

static int mo_bench_migrate(struct mo_bench *bench,
			    const struct mo_bench_variant *variant,
			    unsigned int amount)
{
	int err = mo_bench_isolate(bench, amount);

	if (!err) {
		if (variant->nocopy)
			bench->mapping->a_ops = &mo_nocopy_aops;
		if (variant->engines)
			mo_bench_offload(bench, variant, amount);
		else
			mo_bench_move(bench, amount);
		bench->mapping->a_ops = bench->aops;
	}
	mo_bench_put_back(bench, amount);
	if (!err)
		err = mo_bench_find(bench);
	if (!err)
		bench->result.bad = mo_bench_verify(bench->src);
	return err;
}

/* Move all folios once. */
static int mo_bench_measure(struct mo_bench *bench,
			    const struct mo_bench_variant *variant,
			    unsigned int amount)
{
	int err;

	memset(&bench->result, 0, sizeof(bench->result));
	if (variant->instant) {
		err = mo_instant_register(bench);
		if (err)
			return err;
	}
	err = mo_bench_get_dst(bench, variant);
	if (!err && variant->copy_only)
		mo_bench_copy(bench);
	else if (!err)
		err = mo_bench_migrate(bench, variant, amount);
	mo_bench_put_dst(bench);
	if (variant->instant)
		migrate_offload_unregister(bench->instant);
	return err;
}

static void mo_bench_print(const struct mo_bench_result *result,
			   unsigned int round, const char *variant,
			   unsigned int amount)
{
	char ns[MO_BENCH_PARTS * sizeof(",123456789")];
	unsigned int i, len = 0;

	for (i = 0; i < result->nr_parts; i++)
		len += scnprintf(ns + len, sizeof(ns) - len, ",%llu",
				 result->ns[i]);
	pr_info("round %u %s amount=%u folios=%u moved=%u bad=%u offloaded=%llu batches=%llu extents=%llu ns=%s\n",
		round, variant, amount, MO_BENCH_FOLIOS, result->moved,
		result->bad, result->offloaded, result->batches,
		result->extents, ns + 1);
}

/*
 * Each variant with @amount, one after the other: what disturbs the machine for
 * longer disturbs all of them.
 */
static int mo_bench_round(struct mo_bench *bench, unsigned int round,
			  unsigned int amount)
{
	const struct mo_bench_variant *variant = mo_bench_variants;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(mo_bench_variants); i++, variant++) {
		/* It has no calls. */
		if (variant->copy_only && amount != MO_BENCH_FOLIOS)
			continue;
		err = mo_bench_measure(bench, variant, amount);
		if (err) {
			pr_err("%s failed: %d\n", variant->name, err);
			return err;
		}
		if (round != MO_BENCH_WARMUP || bench->result.bad)
			mo_bench_print(&bench->result, round, variant->name,
				       amount);
	}
	return 0;
}

static int mo_bench_rounds(struct mo_bench *bench, unsigned int rounds)
{
	unsigned int round, i;
	int err;

	err = mo_bench_make_file(bench);
	if (!err)
		err = mo_bench_find(bench);
	if (!err)
		err = mo_bench_round(bench, MO_BENCH_WARMUP, MO_BENCH_FOLIOS);
	for (round = 1; !err && round <= rounds; round++)
		for (i = 0; !err && i < ARRAY_SIZE(mo_bench_amounts); i++)
			err = mo_bench_round(bench, round, mo_bench_amounts[i]);
	return err;
}

/* Reading the clock is a part of each batch, and slow on some hosts. */
static void mo_bench_clock(void)
{
	const unsigned int nr = 100000;
	unsigned int i;
	u64 start;

	start = ktime_get_ns();
	for (i = 0; i < nr; i++)
		ktime_get();
	pr_info("clock reads=%u ns=%llu\n", nr, ktime_get_ns() - start);
}

static int mo_bench_alloc(struct mo_bench *bench)
{
	bench->calls = kvcalloc(MO_BENCH_FOLIOS, sizeof(*bench->calls),
				GFP_KERNEL);
	bench->src = kvcalloc(MO_BENCH_FOLIOS, sizeof(*bench->src), GFP_KERNEL);
	bench->dst = kvcalloc(MO_BENCH_FOLIOS, sizeof(*bench->dst), GFP_KERNEL);
	return bench->calls && bench->src && bench->dst ? 0 : -ENOMEM;
}

static void mo_bench_free(struct mo_bench *bench)
{
	kvfree(bench->calls);
	kvfree(bench->src);
	kvfree(bench->dst);
}

static int mo_bench_run(unsigned int rounds)
{
	struct mo_bench bench = {};
	struct file *file;
	int err;

	file = shmem_kernel_file_setup("migrate_offload_bench",
				       MO_BENCH_FOLIOS * PAGE_SIZE,
				       VM_NORESERVE);
	if (IS_ERR(file))
		return PTR_ERR(file);
	bench.mapping = file->f_mapping;
	bench.aops = bench.mapping->a_ops;

	mo_bench_clock();
	err = mo_bench_alloc(&bench);
	if (!err)
		err = mo_bench_rounds(&bench, rounds);
	mo_bench_free(&bench);
	fput(file);
	return err;
}

static int __init mo_bench_init(void)
{
	char then[sizeof("poweroff")] = "";
	unsigned int rounds;
	bool on = mo_enabled();
	int err;

	if (!mo_bench_arg)
		return 0;
	if (sscanf(mo_bench_arg, "%u,%8s", &rounds, then) < 1) {
		pr_err("how many rounds?\n");
		return -EINVAL;
	}
	mo_set_enabled(false);
	err = mo_bench_run(rounds);
	mo_policy_set_engines(mo_node(0), "auto");
	mo_set_enabled(on);
	pr_info("end: %d\n", err);
	if (!strcmp(then, "poweroff"))
		kernel_power_off();
	return err;
}
late_initcall(mo_bench_init);
