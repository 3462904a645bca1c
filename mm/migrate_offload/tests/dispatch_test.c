// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/dispatch.c: real migrations
 */
#include <kunit/static_stub.h>
#include <linux/buffer_head.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/poison.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

#include "../../internal.h"
#include "fake_engine.h"
#include "fixture.h"

#define MAX_FOLIOS	64

/* Of a deadline that is to be missed. */
#define SHORT_MS	20

/* Folios of a file, or of an address space, that are to be migrated. */
struct migration {
	struct file *file;
	unsigned int nr;
	struct folio *src[MAX_FOLIOS];	/* where they were last */
	struct folio *dst[MAX_FOLIOS];	/* with a reference, where they went */
	unsigned int nr_dst;
	bool keep_dst;
	struct list_head isolated;

	enum migrate_mode mode;
	int reason;
	int failed;			/* what migrate_pages() returned */
	struct work_struct work;
	struct completion done;
};

static void migration_free(void *data)
{
	struct migration *m = data;
	unsigned int i;

	flush_work(&m->work);
	putback_movable_pages(&m->isolated);
	for (i = 0; i < m->nr_dst; i++)
		folio_put(m->dst[i]);
	if (m->file)
		fput(m->file);
}

/* As alloc_migration_target() does, but it is known which one it was. */
static struct folio *migration_target(struct folio *src, unsigned long private)
{
	struct migration *m = (void *)private;
	struct folio *dst = __folio_alloc_node(GFP_HIGHUSER_MOVABLE,
					       folio_order(src), 0);

	if (dst && m->keep_dst && m->nr_dst < MAX_FOLIOS) {
		folio_get(dst);
		m->dst[m->nr_dst++] = dst;
	}
	return dst;
}

static void migration_run(struct migration *m)
{
	m->failed = migrate_pages(&m->isolated, migration_target, NULL,
				  (unsigned long)m, m->mode, m->reason, NULL);
	putback_movable_pages(&m->isolated);
	/* So that folios have no references but those they ought to have. */
	lru_add_drain_all();
	complete_all(&m->done);
}

static void migration_work(struct work_struct *work)
{
	migration_run(container_of(work, struct migration, work));
}

static struct migration *migration_alloc(struct kunit *test)
{
	struct migration *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	INIT_LIST_HEAD(&m->isolated);
	INIT_WORK(&m->work, migration_work);
	init_completion(&m->done);
	m->mode = MIGRATE_ASYNC;
	m->reason = MR_SYSCALL;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, migration_free,
							   m));
	return m;
}

static void migration_isolate(struct kunit *test, struct migration *m,
			      struct folio *folio)
{
	KUNIT_ASSERT_TRUE(test, folio_isolate_lru(folio));
	list_add_tail(&folio->lru, &m->isolated);
	node_stat_mod_folio(folio, NR_ISOLATED_ANON +
			    folio_is_file_lru(folio), folio_nr_pages(folio));
}

/* A tmpfs file of @nr folios, page i of which is filled with i. */
static struct migration *migration_of_file(struct kunit *test, unsigned int nr)
{
	struct migration *m = migration_alloc(test);
	struct folio *folio;
	unsigned int i;

	m->file = shmem_kernel_file_setup("migration", nr * PAGE_SIZE,
					  VM_NORESERVE);
	if (IS_ERR(m->file)) {
		m->file = NULL;
		KUNIT_FAIL_AND_ABORT(test, "no file");
	}
	m->nr = nr;
	for (i = 0; i < nr; i++) {
		folio = shmem_read_folio(m->file->f_mapping, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
		fixture_fill(folio, i);
		folio_mark_dirty(folio);
		folio_put(folio);
	}
	return m;
}

static struct folio *migration_folio(struct migration *m, unsigned int i)
{
	struct folio *folio = filemap_get_folio(m->file->f_mapping, i);

	/* The page cache has a reference. */
	if (!IS_ERR(folio))
		folio_put(folio);
	return folio;
}

/* Take the folios off the LRU lists, ready to be migrated. */
static void migration_prepare(struct kunit *test, struct migration *m)
{
	unsigned int i;

	lru_add_drain_all();
	for (i = 0; i < m->nr; i++) {
		m->src[i] = migration_folio(m, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->src[i]);
		migration_isolate(test, m, m->src[i]);
	}
	reinit_completion(&m->done);
}

static void migrate(struct kunit *test, struct migration *m)
{
	migration_prepare(test, m);
	migration_run(m);
}

static void migrate_async(struct kunit *test, struct migration *m)
{
	migration_prepare(test, m);
	queue_work(system_unbound_wq, &m->work);
}

static void migration_wait(struct kunit *test, struct migration *m)
{
	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&m->done, 20 * HZ));
}

/* Folio @i has moved, or has not, and is as it was in all else. */
static void migration_expect(struct kunit *test, struct migration *m,
			     unsigned int i, bool moved, int extra_refs)
{
	struct folio *folio = migration_folio(m, i);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
	KUNIT_EXPECT_EQ(test, moved, folio != m->src[i]);
	KUNIT_EXPECT_TRUE(test, fixture_filled(folio, i));
	KUNIT_EXPECT_NULL(test, folio->private);
	KUNIT_EXPECT_EQ(test, 1 + extra_refs, folio_ref_count(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_locked(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_lru(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_dirty(folio));
}

static void migration_expect_all(struct kunit *test, struct migration *m,
				 bool moved)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, moved ? 0 : m->nr, m->failed);
	for (i = 0; i < m->nr; i++)
		migration_expect(test, m, i, moved, 0);
}

/* An engine that is node 0's choice, and for which each page is an extent. */
static struct fake_engine *dispatch_engine(struct kunit *test, unsigned int ms)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;

	info.max_extent_bytes = PAGE_SIZE;
	if (ms)
		info.timeout_ms = ms;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	return fake;
}

struct copy_param {
	const char *name;
	enum migrate_mode mode;
	bool async;
	unsigned int max_extents;	/* 0: by the CPU */
};

static const struct copy_param copy_params[] = {
	{ "cpu", MIGRATE_ASYNC, false, 0 },
	{ "cpu, sync", MIGRATE_SYNC, false, 0 },
	{ "one batch", MIGRATE_ASYNC, false, 1024 },
	{ "one batch, sync", MIGRATE_SYNC, false, 1024 },
	{ "one batch, sync light", MIGRATE_SYNC_LIGHT, false, 1024 },
	{ "one batch, in the background", MIGRATE_ASYNC, true, 1024 },
	{ "batches of ten, in the background", MIGRATE_ASYNC, true, 10 },
};

static void copy_desc(const struct copy_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(copy, copy_params, copy_desc);

/* Everything gets there, byte for byte, time and again. */
static void dispatch_copies(struct kunit *test)
{
	const struct copy_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct fake_engine *fake = NULL;
	struct mo_engine_stats stats;
	unsigned int round;
	struct migration *m;

	info.max_extents = param->max_extents;
	if (info.max_extents) {
		fake = fake_register(test, &info);
		fake->async = param->async;
		fixture_enable(test, fake->mo);
	} else {
		struct mo_node *node0 = fixture_node(test);

		KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node0, "cpu"));
		mo_set_enabled(true);
	}
	m = migration_of_file(test, 50);
	m->mode = param->mode;
	fixture_node_stats(&before);
	for (round = 1; round <= 3; round++) {
		migrate(test, m);
		migration_expect_all(test, m, true);
		fixture_node_stats_since(test, &before, &node);
		KUNIT_EXPECT_EQ(test, 50 * round, node.offered);
		KUNIT_EXPECT_EQ(test, 50 * round,
				fake ? node.copied_engine : node.copied_cpu);
	}
	if (fake) {
		fixture_engine_stats(fake->mo, &stats);
		KUNIT_EXPECT_EQ(test, fake->submits, stats.batches);
		KUNIT_EXPECT_EQ(test, 150, stats.folios);
		KUNIT_EXPECT_EQ(test, 150 * PAGE_SIZE, stats.bytes);
	}
}

/* Off means off. */
static void dispatch_is_off_when_disabled(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct migration *m;

	mo_set_enabled(false);
	m = migration_of_file(test, 5);
	fixture_node_stats(&before);
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 0, node.offered);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);
}

static const unsigned int fail_params[] = { 0, 1, 6, 7, 100 };

static void fail_desc(const unsigned int *nr, char *desc)
{
	if (*nr == 100)
		strscpy(desc, "all extents fail", KUNIT_PARAM_DESC_SIZE);
	else
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "extent %u fails", *nr);
}

KUNIT_ARRAY_PARAM(fail, fail_params, fail_desc);

/* What the engine could not copy, and nothing else, the CPU copies. */
static void dispatch_leaves_failures_to_the_cpu(struct kunit *test)
{
	const unsigned int *nr = test->param_value;
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct migration *m;
	unsigned int failed;

	fake->fail_extent = *nr;
	fake->fail = *nr == 100;
	failed = fake->fail ? 8 : 1;
	m = migration_of_file(test, 8);
	fixture_node_stats(&before);
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.offered);
	KUNIT_EXPECT_EQ(test, 8 - failed, node.copied_engine);
	KUNIT_EXPECT_EQ(test, failed, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);
}

/*
 * The engine came upon poison. It may be wrong, or may not: the CPU's copy, which
 * is safe against machine checks, decides.
 */
static void dispatch_asks_the_cpu_about_poison(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct migration *m;

	fake->fail_extent = 2;
	fake->fail_error = -EHWPOISON;
	m = migration_of_file(test, 8);
	fixture_node_stats(&before);
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 7, node.copied_engine);
	KUNIT_EXPECT_EQ(test, 1, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
}

/* The machine check that copy_mc_highpage() survives, and queues. */
struct poisoned {
	unsigned long pfn;
	unsigned int hits;
};

static int poisoned_copy_page(unsigned long dst, unsigned long src)
{
	struct poisoned *poisoned = kunit_get_current_test()->priv;

	if (src == poisoned->pfn) {
		poisoned->hits++;
		return -EHWPOISON;
	}
	copy_highpage(pfn_to_page(dst), pfn_to_page(src));
	return 0;
}

static const char * const poison_engines[] = { "cpu", "cpu-mt" };

static void poison_engine_desc(const char * const *name, char *desc)
{
	strscpy(desc, *name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(poison_engine, poison_engines, poison_engine_desc);

/*
 * The CPU has come upon poison: that folio stays where it is, and is not read
 * again only to find the same, which would queue its handling once more.
 */
static void dispatch_leaves_poison_alone(struct kunit *test)
{
	const char *name = *(const char * const *)test->param_value;
	struct poisoned poisoned = {};
	struct mo_node_stats before, node;
	struct migration *m;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(fixture_node(test), name));
	mo_set_enabled(true);
	test->priv = &poisoned;
	kunit_activate_static_stub(test, mo_copy_page, poisoned_copy_page);
	m = migration_of_file(test, 8);
	poisoned.pfn = folio_pfn(migration_folio(m, 5));
	fixture_node_stats(&before);
	migrate(test, m);
	KUNIT_EXPECT_EQ(test, 1, m->failed);
	for (i = 0; i < 8; i++)
		migration_expect(test, m, i, i != 5, 0);
	KUNIT_EXPECT_EQ(test, 1, poisoned.hits);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 7, node.copied_cpu);
	KUNIT_EXPECT_EQ(test, 1, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);
}

struct submit_param {
	int err;
	enum mo_refusal why;
};

static const struct submit_param submit_params[] = {
	{ -EBUSY, MO_REFUSED_BUSY },
	{ -ENODEV, MO_REFUSED_NO_ENGINE },
	{ -EOPNOTSUPP, MO_REFUSED_BOUNCE },
	{ -EIO, MO_REFUSED_SUBMIT },
	{ -ENOMEM, MO_REFUSED_SUBMIT },
};

static void submit_desc(const struct submit_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "error %d", param->err);
}

KUNIT_ARRAY_PARAM(submit, submit_params, submit_desc);

static void dispatch_survives_refusal(struct kunit *test)
{
	const struct submit_param *param = test->param_value;
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct mo_engine_stats stats;
	struct migration *m;

	fake->submit_error = param->err;
	m = migration_of_file(test, 8);
	fixture_node_stats(&before);
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.refused[param->why]);
	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, 0, stats.batches);
	KUNIT_EXPECT_EQ(test, 8, stats.refused[param->why]);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
}

/* The engine is dead, but lets go: nobody's migration fails. */
static void dispatch_copies_after_the_deadline(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, SHORT_MS);
	struct mo_node_stats before, node;
	struct migration *m;

	fake->hold = true;
	m = migration_of_file(test, 8);
	fixture_node_stats(&before);
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);

	/* It is not asked again. */
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.refused[MO_REFUSED_NO_ENGINE]);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
}

static const enum migrate_mode mode_params[] = {
	MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC,
};

static void mode_desc(const enum migrate_mode *mode, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "mode %d", *mode);
}

KUNIT_ARRAY_PARAM(mode, mode_params, mode_desc);

/*
 * It does not let go: nothing moves, until it does. What it writes meanwhile
 * it writes to folios that are nobody else's.
 */
static void dispatch_quarantines(struct kunit *test)
{
	const enum migrate_mode *mode = test->param_value;
	struct fake_engine *fake = dispatch_engine(test, SHORT_MS);
	struct migrate_offload_batch *batch;
	struct mo_node_stats before, node;
	struct migration *m;
	unsigned int i;

	fake->hold = true;
	fake->deaf = true;
	m = migration_of_file(test, 8);
	m->mode = *mode;
	m->keep_dst = true;
	fixture_node_stats(&before);
	migrate(test, m);
	KUNIT_EXPECT_EQ(test, 8, m->failed);
	KUNIT_ASSERT_GE(test, m->nr_dst, 8);
	for (i = 0; i < 8; i++) {
		migration_expect(test, m, i, false, 1);
		/* Our reference, and that of the quarantine. */
		KUNIT_EXPECT_EQ(test, 2, folio_ref_count(m->dst[i]));
	}
	KUNIT_EXPECT_EQ(test, 16, atomic_long_read(&fake->mo->quarantined_pages));
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.failed);
	KUNIT_EXPECT_EQ(test, 8, node.quarantined);
	/* Where it is tried again, the engine's references are in the way. */
	KUNIT_EXPECT_EQ(test, *mode == MIGRATE_ASYNC ? 0 : 8,
			node.refused[MO_REFUSED_PINNED]);

	/* They are not moved now either. */
	migrate(test, m);
	KUNIT_EXPECT_EQ(test, 8, m->failed);
	for (i = 0; i < 8; i++)
		migration_expect(test, m, i, false, 1);

	/* The late write. */
	batch = fake_held(fake);
	for (i = 0; i < batch->nr_extents; i++) {
		memset(phys_to_virt(batch->extents[i].dst), 0xff, PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, 2, folio_ref_count(m->dst[i]));
	}
	fake_let_go_all(fake);
	flush_workqueue(mo_wq);
	for (i = 0; i < 8; i++) {
		migration_expect(test, m, i, false, 0);
		KUNIT_EXPECT_EQ(test, 1, folio_ref_count(m->dst[i]));
	}
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&fake->mo->quarantined_pages));

	/* And now they are. */
	fake->hold = false;
	KUNIT_ASSERT_EQ(test, 0, fake_reset(fake));
	fixture_node_stats(&before);
	m->keep_dst = false;
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.copied_engine);
}

static void test_folio_put(void *folio)
{
	folio_put(folio);
}

/* Somebody may be writing to it. */
static void dispatch_refuses_pinned_folios(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct folio *pinned;
	struct migration *m;
	unsigned int i;

	m = migration_of_file(test, 8);
	pinned = migration_folio(m, 3);
	folio_get(pinned);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, test_folio_put,
							   pinned));
	fixture_node_stats(&before);
	migrate(test, m);
	KUNIT_EXPECT_EQ(test, 1, m->failed);
	for (i = 0; i < 8; i++)
		migration_expect(test, m, i, i != 3, i == 3);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 7, node.copied_engine);
	KUNIT_EXPECT_EQ(test, 1, node.refused[MO_REFUSED_PINNED]);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);

	kunit_release_action(test, test_folio_put, pinned);
	migrate(test, m);
	migration_expect_all(test, m, true);
}

/*
 * The first move of a folio fails after it has been copied, because of a
 * reference, whose owner writes to the source before it drops it. The folio is
 * ready to be tried again when its marker has been consumed; the second folio's
 * batch is held until then, so that there is a second try after it.
 */
struct retry {
	struct fake_engine *fake;
	struct folio *src;
	struct folio *dst;
	struct work_struct work;
	bool seen;
};

/*
 * Until the first move, dst->private is the pair, or the marker; during the
 * move, the destination is on no list.
 */
static bool retry_is_due(struct folio *dst)
{
	return !READ_ONCE(dst->private) &&
	       READ_ONCE(dst->lru.next) != LIST_POISON1;
}

static void retry_work(struct work_struct *work)
{
	struct retry *retry = container_of(work, struct retry, work);
	unsigned int i;

	for (i = 0; i < 10000 && !retry_is_due(retry->dst); i++)
		usleep_range(500, 1000);
	retry->seen = retry_is_due(retry->dst);
	fixture_fill(retry->src, 4711);
	folio_put(retry->src);
	fake_finish_all(retry->fake);
}

static void retry_submit(struct fake_engine *fake,
			 struct migrate_offload_batch *batch)
{
	struct mo_pair *pair = &to_mo_batch(batch)->pairs[0];
	struct retry *retry = fake->data;

	if (retry->src)
		return;
	retry->src = pair->src;
	retry->dst = pair->dst;
	fake_finish(fake, batch);
	folio_get(retry->src);
	queue_work(system_unbound_wq, &retry->work);
}

static void dispatch_copies_afresh_when_retried(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct fake_engine *fake;
	struct migration *m;
	struct folio *folio;
	struct retry retry = {};

	info.max_extents = 1;
	info.max_extent_bytes = PAGE_SIZE;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	INIT_WORK_ONSTACK(&retry.work, retry_work);
	retry.fake = fake;
	fake->data = &retry;
	fake->on_submit = retry_submit;

	m = migration_of_file(test, 2);
	fixture_node_stats(&before);
	migration_prepare(test, m);
	migration_run(m);
	flush_work(&retry.work);
	destroy_work_on_stack(&retry.work);

	KUNIT_EXPECT_TRUE(test, retry.seen);
	KUNIT_EXPECT_EQ(test, 0, m->failed);
	migration_expect(test, m, 1, true, 0);
	folio = migration_folio(m, 0);
	KUNIT_EXPECT_PTR_NE(test, folio, m->src[0]);
	KUNIT_EXPECT_TRUE(test, fixture_filled(folio, 4711));
	KUNIT_EXPECT_NULL(test, folio->private);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 2, node.copied_engine);
}

/* A filesystem's own, that knows nothing of markers. */
static int foreign_migrate_folio(struct address_space *mapping,
				 struct folio *dst, struct folio *src,
				 enum migrate_mode mode)
{
	return migrate_folio(mapping, dst, src, mode);
}

struct mapping_param {
	const char *name;
	/* As far as migration uses it. */
	const struct address_space_operations ops;
	bool safe;
};

static const struct mapping_param mapping_params[] = {
	{ "migrate_folio", { .migrate_folio = migrate_folio }, true },
	{ "filemap_migrate_folio", { .migrate_folio = filemap_migrate_folio },
	  true },
#ifdef CONFIG_BUFFER_HEAD
	{ "buffer_migrate_folio", { .migrate_folio = buffer_migrate_folio },
	  true },
	{ "buffer_migrate_folio_norefs",
	  { .migrate_folio = buffer_migrate_folio_norefs }, false },
#endif
	{ "a filesystem's own", { .migrate_folio = foreign_migrate_folio },
	  false },
};

static void mapping_desc(const struct mapping_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mapping, mapping_params, mapping_desc);

/* Whose copy the folio lock does not protect is not copied ahead of time. */
static void dispatch_refuses_mappings(struct kunit *test)
{
	const struct mapping_param *param = test->param_value;
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	const struct address_space_operations *ops;
	struct migration *m;

	m = migration_of_file(test, 4);
	migration_prepare(test, m);
	fixture_node_stats(&before);
	ops = m->file->f_mapping->a_ops;
	m->file->f_mapping->a_ops = &param->ops;
	migration_run(m);
	m->file->f_mapping->a_ops = ops;
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, param->safe ? 4 : 0, node.copied_engine);
	KUNIT_EXPECT_EQ(test, param->safe ? 0 : 4,
			node.refused[MO_REFUSED_MAPPING]);
	KUNIT_EXPECT_EQ(test, param->safe, fake->submits);
}

/* What makes a folio unfit, one thing at a time. */
static void dispatch_refuses_unfit_folios(struct kunit *test)
{
	struct folio *src = fixture_folio(test, 0);
	struct folio *dst = fixture_folio(test, 0);

	KUNIT_EXPECT_EQ(test, MO_ACCEPTED, mo_folio_refusal(src, dst));

	folio_test_set_writeback(src);
	KUNIT_EXPECT_EQ(test, MO_REFUSED_WRITEBACK, mo_folio_refusal(src, dst));
	folio_test_clear_writeback(src);

	folio_get(src);
	KUNIT_EXPECT_EQ(test, MO_REFUSED_PINNED, mo_folio_refusal(src, dst));
	folio_put(src);

	src->mapping = (void *)PAGE_MAPPING_MOVABLE;
	KUNIT_EXPECT_EQ(test, MO_REFUSED_MOVABLE, mo_folio_refusal(src, dst));
	src->mapping = NULL;

	/* References to the destination are harmless. */
	folio_get(dst);
	KUNIT_EXPECT_EQ(test, MO_ACCEPTED, mo_folio_refusal(src, dst));
	folio_put(dst);

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return;
	folio_set_hwpoison(src);
	KUNIT_EXPECT_EQ(test, MO_REFUSED_POISON, mo_folio_refusal(src, dst));
	folio_clear_hwpoison(src);
}

/* The administrator's list of reasons. */
static void dispatch_refuses_reasons(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct migration *m;

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_reasons(mo_node(0), "demotion"));
	m = migration_of_file(test, 4);
	fixture_node_stats(&before);
	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 4, node.refused[MO_REFUSED_REASON]);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);

	m->reason = MR_DEMOTION;
	migrate(test, m);
	migration_expect_all(test, m, true);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
}

/* Direct reclaim waits for nobody. */
static void dispatch_refuses_direct_reclaim(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	unsigned int flags;
	struct migration *m;

	m = migration_of_file(test, 4);
	fixture_node_stats(&before);
	migration_prepare(test, m);
	flags = memalloc_noreclaim_save();
	migration_run(m);
	memalloc_noreclaim_restore(flags);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 4, node.refused[MO_REFUSED_CONTEXT]);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);

	/* DAMON looks like it, and is not. */
	m->reason = MR_DAMON;
	migration_prepare(test, m);
	flags = memalloc_noreclaim_save();
	migration_run(m);
	memalloc_noreclaim_restore(flags);
	migration_expect_all(test, m, true);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
}

/* It is what migrate_pages() brings at once that counts. */
static void dispatch_refuses_small_change(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct migration *few, *enough;

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(mo_node(0), "32K"));
	few = migration_of_file(test, SZ_32K / PAGE_SIZE - 1);
	enough = migration_of_file(test, SZ_32K / PAGE_SIZE);
	fixture_node_stats(&before);
	migrate(test, few);
	migration_expect_all(test, few, true);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);
	migrate(test, enough);
	migration_expect_all(test, enough, true);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, few->nr, node.refused[MO_REFUSED_TOO_SMALL]);
	KUNIT_EXPECT_EQ(test, enough->nr, node.copied_engine);
}

/* Some fit, some do not: each finds its way. */
static void dispatch_sorts_by_limits(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct mo_engine_stats stats;
	struct fixture_pairs *pairs;
	struct fake_engine *fake;
	unsigned int i;

	info.align = SZ_16K;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	for (i = 0; i < 9; i++)
		fixture_pairs_fill(test, pairs, 1, i % 3 ? i % 3 + 1 : 0);
	fixture_node_stats(&before);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < 9; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_EQ(test, i % 3 == 1 || i % 3 == 2,
				fixture_pairs_copied(pairs, i));
	}
	fixture_pairs_end(pairs);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 6, node.copied_engine);
	KUNIT_EXPECT_EQ(test, 3, node.refused[MO_REFUSED_LIMITS]);
	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, 3, stats.refused[MO_REFUSED_LIMITS]);
}

/* More than fits into a batch goes into the next. */
static void dispatch_fills_batches(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct fixture_pairs *pairs;
	struct fake_engine *fake;
	unsigned int i;

	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, MO_BATCH_FOLIOS + 1, 0);
	fixture_node_stats(&before);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_EXPECT_EQ(test, 2, fake->submits);
	for (i = 0; i < pairs->nr; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[i], i));
	}
	fixture_pairs_end(pairs);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, MO_BATCH_FOLIOS + 1, node.copied_engine);
}

/* Offer @nr folios of @order: may others be unmapped while they are copied? */
static enum migrate_offload dispatch_outcome(struct kunit *test,
					     unsigned int nr,
					     unsigned int order)
{
	struct fixture_pairs *pairs = fixture_pairs(test);
	enum migrate_offload outcome;

	fixture_pairs_fill(test, pairs, nr, order);
	outcome = fixture_pairs_begin(pairs, MR_SYSCALL);
	fixture_pairs_end(pairs);
	return outcome;
}

/* No folio is to be unmapped for longer than if the CPU copied. */
static void dispatch_tells_what_may_overlap(struct kunit *test)
{
	unsigned int order = get_order(MO_OVERLAP_BYTES);
	struct fake_engine *fake = dispatch_engine(test, 0);

	KUNIT_ASSERT_NE(test, 0, mo_cpu_mib_ns);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_OVERLAP,
			dispatch_outcome(test, MO_OVERLAP_FOLIOS, 0));
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_ALONE,
			dispatch_outcome(test, MO_OVERLAP_FOLIOS + 1, 0));
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_OVERLAP,
			dispatch_outcome(test, 1, order));

	/* It has not copied as much yet; then it is fast, then slow. */
	WRITE_ONCE(fake->mo->mib_ns, 0);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_COPIED,
			dispatch_outcome(test, 1, order + 1));
	WRITE_ONCE(fake->mo->mib_ns, mo_cpu_mib_ns / 2);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_OVERLAP,
			dispatch_outcome(test, 1, order + 1));
	WRITE_ONCE(fake->mo->mib_ns, mo_cpu_mib_ns / 2 + 1);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_COPIED,
			dispatch_outcome(test, 1, order + 1));

	/* Nobody copies, or somebody has. */
	fake->submit_error = -EIO;
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_NONE,
			dispatch_outcome(test, 1, 0));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(mo_node(0), "cpu"));
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_ALONE,
			dispatch_outcome(test, 1, 0));
}

/* Before others are unmapped: all have ended, and are moved later. */
static void dispatch_settles(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct fixture_pairs *pairs = fixture_pairs(test);
	struct mo_node_stats before, stats;
	unsigned int i;

	fake->fail_extent = 1;
	fixture_pairs_fill(test, pairs, 4, 0);
	fixture_node_stats(&before);
	KUNIT_ASSERT_EQ(test, MIGRATE_OFFLOAD_OVERLAP,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	migrate_offload_settle(&pairs->dsts);
	fixture_node_stats_since(test, &before, &stats);
	KUNIT_EXPECT_EQ(test, 3, stats.copied_engine);
	KUNIT_EXPECT_EQ(test, 1, stats.failed);
	/* No second time. */
	migrate_offload_settle(&pairs->dsts);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_EQ(test, i != 1, fixture_pairs_copied(pairs, i));
	}
	fixture_pairs_end(pairs);
	fixture_node_stats_since(test, &before, &stats);
	KUNIT_EXPECT_EQ(test, 3, stats.copied_engine);
	KUNIT_EXPECT_EQ(test, 1, stats.failed);
}

/* All batches are in flight: the next engine of the list, then the CPU. */
static void dispatch_goes_on_when_busy(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *first, *second;
	struct mo_node_stats before, node;
	struct mo_engine_stats stats;
	struct migration *m;

	info.max_extents = 2;
	info.max_extent_bytes = PAGE_SIZE;
	info.max_batches = 2;
	first = fake_register(test, &info);
	info.name = "fake1";
	info.max_batches = 1;
	second = fake_register(test, &info);
	fixture_enable(test, first->mo);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(mo_node(0),
						       "fake0,fake1"));
	m = migration_of_file(test, 10);
	/* All of it is submitted before any of it is finished. */
	first->hold = true;
	second->hold = true;
	fixture_node_stats(&before);
	migrate_async(test, m);
	fake_wait(test, second, READ_ONCE(second->nr_held) == 1);
	KUNIT_EXPECT_EQ(test, 2, first->nr_held);
	fake_finish_all(first);
	fake_finish_all(second);
	migration_wait(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 6, node.copied_engine);
	KUNIT_EXPECT_EQ(test, 4, node.refused[MO_REFUSED_BUSY]);
	fixture_engine_stats(first->mo, &stats);
	KUNIT_EXPECT_EQ(test, 4, stats.folios);
	fixture_engine_stats(second->mo, &stats);
	KUNIT_EXPECT_EQ(test, 2, stats.folios);
}

struct switching {
	struct work_struct work;
	struct completion done;
	bool on;
};

static void switching_work(struct work_struct *work)
{
	struct switching *s = container_of(work, struct switching, work);

	mo_set_enabled(s->on);
	complete_all(&s->done);
}

static void switching_free(void *data)
{
	struct switching *s = data;

	flush_work(&s->work);
}

/* Is migration offload being disabled, so that nothing new is begun? */
static bool dispatch_is_closed(void)
{
	if (!mo_offer_begin())
		return true;
	mo_offer_end();
	return false;
}

/* Disabling waits for what is under way; what comes meanwhile is not offered. */
static void dispatch_is_disabled_in_flight(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct migration *m, *other;
	struct switching *s;

	s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	INIT_WORK(&s->work, switching_work);
	init_completion(&s->done);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, switching_free,
							   s));
	other = migration_of_file(test, 4);
	m = migration_of_file(test, 8);

	fixture_node_stats(&before);
	fake->hold = true;
	migrate_async(test, m);
	fake_wait(test, fake, READ_ONCE(fake->nr_held) == 1);
	KUNIT_EXPECT_FALSE(test, dispatch_is_closed());
	queue_work(system_unbound_wq, &s->work);
	fake_wait(test, fake, dispatch_is_closed() || (msleep(1), false));
	KUNIT_EXPECT_FALSE(test, completion_done(&s->done));
	KUNIT_EXPECT_FALSE(test, completion_done(&m->done));
	migrate(test, other);
	migration_expect_all(test, other, true);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);

	fake_finish_all(fake);
	migration_wait(test, m);
	migration_expect_all(test, m, true);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&s->done, 20 * HZ));
	KUNIT_EXPECT_FALSE(test, mo_enabled());
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&migrate_offload_key));
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.copied_engine);

	/* And on again. */
	fake->hold = false;
	mo_set_enabled(true);
	migrate(test, other);
	migration_expect_all(test, other, true);
	KUNIT_EXPECT_EQ(test, 2, fake->submits);
}

/* The engine is pulled out while it copies. */
static void dispatch_survives_unregistering(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, SHORT_MS);
	struct mo_node_stats before, node;
	struct migration *m;

	fake->hold = true;
	m = migration_of_file(test, 8);
	fixture_node_stats(&before);
	migrate_async(test, m);
	fake_wait(test, fake, READ_ONCE(fake->nr_held) == 1);
	fake_unregister_async(fake);
	migration_wait(test, m);
	migration_expect_all(test, m, true);
	fake_wait(test, fake, completion_done(&fake->unregistered));
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.failed);

	migrate(test, m);
	migration_expect_all(test, m, true);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 8, node.refused[MO_REFUSED_NO_ENGINE]);
}

#define NR_TASKS	4

/* Several tasks, fewer batches than they would like: it all adds up. */
static void dispatch_serves_several_tasks(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct migration *m[NR_TASKS];
	unsigned int i, round, nr = 0;
	struct mo_engine_stats stats;
	struct fake_engine *fake;

	info.max_extents = 8;
	info.max_extent_bytes = PAGE_SIZE;
	info.max_batches = 3;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	fake->async = true;
	fake->fail_extent = 5;
	for (i = 0; i < NR_TASKS; i++)
		m[i] = migration_of_file(test, 20 + i);
	fixture_node_stats(&before);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < NR_TASKS; i++) {
			migrate_async(test, m[i]);
			nr += m[i]->nr;
		}
		for (i = 0; i < NR_TASKS; i++)
			migration_wait(test, m[i]);
		for (i = 0; i < NR_TASKS; i++)
			migration_expect_all(test, m[i], true);
	}
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, nr, node.offered);
	KUNIT_EXPECT_EQ(test, nr, node.copied_engine + node.failed +
			node.refused[MO_REFUSED_BUSY]);
	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, stats.folios, node.copied_engine);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
}

#define NR_ANON		16

/* Mapped anonymous memory: dst->private has an anon_vma to be given back. */
static void dispatch_copies_anonymous_memory(struct kunit *test)
{
	struct fake_engine *fake = dispatch_engine(test, 0);
	struct mo_node_stats before, node;
	struct folio *folio;
	struct migration *m;
	unsigned long addr;
	struct page *page;
	unsigned int i;
	long pinned;
	u32 word;

	addr = kunit_vm_mmap(test, NULL, 0, NR_ANON * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, 0, addr);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	for (i = 0; i < NR_ANON; i++) {
		word = 0x1234 + i;
		KUNIT_ASSERT_EQ(test, 0,
				copy_to_user((void __user *)addr + i * PAGE_SIZE,
					     &word, sizeof(word)));
	}

	/* One of them fails, so that both ways are taken. */
	fake->fail_extent = 3;
	m = migration_alloc(test);
	lru_add_drain_all();
	for (i = 0; i < NR_ANON; i++) {
		mmap_read_lock(current->mm);
		pinned = get_user_pages_remote(current->mm, addr + i * PAGE_SIZE,
					       1, 0, &page, NULL);
		mmap_read_unlock(current->mm);
		KUNIT_ASSERT_EQ(test, 1, pinned);
		folio = page_folio(page);
		KUNIT_ASSERT_TRUE(test, folio_test_anon(folio));
		/* Looking at it may have put it aside, with a reference. */
		lru_add_drain_all();
		migration_isolate(test, m, folio);
		folio_put(folio);
	}
	fixture_node_stats(&before);
	migration_run(m);
	KUNIT_EXPECT_EQ(test, 0, m->failed);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, NR_ANON, node.offered);
	KUNIT_EXPECT_EQ(test, NR_ANON - 1, node.copied_engine);
	KUNIT_EXPECT_EQ(test, 1, node.failed);
	for (i = 0; i < NR_ANON; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				copy_from_user(&word,
					       (void __user *)addr + i * PAGE_SIZE,
					       sizeof(word)));
		KUNIT_EXPECT_EQ(test, 0x1234 + i, word);
	}
}

static struct kunit_case dispatch_test_cases[] = {
	KUNIT_CASE_PARAM(dispatch_copies, copy_gen_params),
	KUNIT_CASE(dispatch_copies_anonymous_memory),
	KUNIT_CASE(dispatch_is_off_when_disabled),
	KUNIT_CASE_PARAM(dispatch_leaves_failures_to_the_cpu, fail_gen_params),
	KUNIT_CASE(dispatch_asks_the_cpu_about_poison),
	KUNIT_CASE_PARAM(dispatch_leaves_poison_alone, poison_engine_gen_params),
	KUNIT_CASE_PARAM(dispatch_survives_refusal, submit_gen_params),
	KUNIT_CASE(dispatch_copies_after_the_deadline),
	KUNIT_CASE_PARAM(dispatch_quarantines, mode_gen_params),
	KUNIT_CASE(dispatch_refuses_pinned_folios),
	KUNIT_CASE(dispatch_copies_afresh_when_retried),
	KUNIT_CASE_PARAM(dispatch_refuses_mappings, mapping_gen_params),
	KUNIT_CASE(dispatch_refuses_unfit_folios),
	KUNIT_CASE(dispatch_refuses_reasons),
	KUNIT_CASE(dispatch_refuses_direct_reclaim),
	KUNIT_CASE(dispatch_refuses_small_change),
	KUNIT_CASE(dispatch_sorts_by_limits),
	KUNIT_CASE(dispatch_fills_batches),
	KUNIT_CASE(dispatch_tells_what_may_overlap),
	KUNIT_CASE(dispatch_settles),
	KUNIT_CASE(dispatch_goes_on_when_busy),
	KUNIT_CASE(dispatch_is_disabled_in_flight),
	KUNIT_CASE(dispatch_survives_unregistering),
	KUNIT_CASE(dispatch_serves_several_tasks),
	{}
};

static struct kunit_suite dispatch_test_suite = {
	.name = "migrate_offload_dispatch",
	.test_cases = dispatch_test_cases,
};

kunit_test_suite(dispatch_test_suite);
