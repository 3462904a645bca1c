// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/wait.c
 */
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "fake_engine.h"
#include "fixture.h"

#define NR_PAIRS	4

/* Of a deadline that is to be missed. */
#define SHORT_MS	20

/* An engine, chosen, for which each page is an extent. */
static struct fake_engine *wait_engine(struct kunit *test, unsigned int ms)
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

/* NR_PAIRS base pages, submitted, and held. */
static struct fixture_pairs *wait_hold(struct kunit *test,
				       struct fake_engine *fake)
{
	struct fixture_pairs *pairs = fixture_pairs(test);

	fixture_pairs_fill(test, pairs, NR_PAIRS, 0);
	fake->hold = true;
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_ASSERT_GT(test, fake->nr_held, 0);
	return pairs;
}

/* What migration is told of pair @i, and whether it has been copied. */
static void wait_expect(struct kunit *test, struct fixture_pairs *pairs,
			unsigned int i, int result, bool copied)
{
	KUNIT_EXPECT_EQ(test, result, fixture_pairs_wait(pairs, i));
	KUNIT_EXPECT_EQ(test, copied, fixture_pairs_copied(pairs, i));
	/* Only once. */
	KUNIT_EXPECT_FALSE(test, fixture_pairs_copied(pairs, i));
	if (copied)
		KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[i], i));
	KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->src[i], i));
}

static void wait_expect_refs(struct kunit *test, struct fixture_pairs *pairs,
			     unsigned int i, int refs)
{
	KUNIT_EXPECT_EQ(test, refs, folio_ref_count(pairs->src[i]));
	KUNIT_EXPECT_EQ(test, refs, folio_ref_count(pairs->dst[i]));
}

static int wait_quarantined(struct fake_engine *fake)
{
	return atomic_long_read(&fake->mo->quarantined_pages);
}

/* One folio's failure is not another's. */
static void wait_is_per_folio(struct kunit *test)
{
	struct mo_engine_stats stats;
	struct mo_node_stats before, node;
	struct fixture_pairs *pairs;
	struct fake_engine *fake = wait_engine(test, 0);
	unsigned int i;

	fixture_node_stats(&before);
	pairs = wait_hold(test, fake);
	for (i = NR_PAIRS; i--;)
		fake_extent(fake_held(fake), i, i % 2 ? -EIO : 0);
	fake_let_go_all(fake);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, i % 2 == 0);
	fixture_pairs_end(pairs);

	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, 1, stats.batches);
	KUNIT_EXPECT_EQ(test, 1, stats.errors);
	KUNIT_EXPECT_EQ(test, 0, stats.timeouts);
	KUNIT_EXPECT_EQ(test, 2, stats.folios);
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, stats.bytes);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 4, node.offered);
	KUNIT_EXPECT_EQ(test, 2, node.copied_engine);
	KUNIT_EXPECT_EQ(test, 2, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
}

/* In any order, and from another task. */
static void wait_in_any_order(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct fixture_pairs *pairs = fixture_pairs(test);
	unsigned int i;

	fake->async = true;
	fixture_pairs_fill(test, pairs, 32, 0);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	/* 7 and 32 have no common divisor. */
	for (i = 0; i < 32; i++)
		wait_expect(test, pairs, (i * 7 + 3) % 32, 0, true);
	fixture_pairs_end(pairs);
	for (i = 0; i < 32; i++)
		wait_expect_refs(test, pairs, i, 1);
}

/* Migration keeps an anon_vma and two bits there, whatever we do. */
static void wait_gives_private_back(struct kunit *test)
{
	static const unsigned long privates[NR_PAIRS] = {
		0, 3, 0x12345678, 0xfffffffffffffffb,
	};
	struct fake_engine *fake = wait_engine(test, 0);
	struct fixture_pairs *pairs = fixture_pairs(test);
	unsigned int i;

	fixture_pairs_fill(test, pairs, NR_PAIRS, 0);
	for (i = 0; i < NR_PAIRS; i++)
		pairs->dst[i]->private = (void *)privates[i];
	fake->fail_extent = 1;
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < NR_PAIRS; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_EQ(test, (unsigned long)pairs->dst[i]->private,
				privates[i] |
				(i == 1 ? 0 : MIGRATE_OFFLOAD_MARK));
		/* A folio that is not in flight is not waited for. */
		fixture_pairs_copied(pairs, i);
		KUNIT_EXPECT_EQ(test, (unsigned long)pairs->dst[i]->private,
				privates[i]);
		KUNIT_EXPECT_EQ(test, 0, migrate_offload_wait(pairs->dst[i]));
	}
	fixture_pairs_end(pairs);

	/* Nor is there anything left when nobody took it. */
	fake->submit_error = -EIO;
	KUNIT_EXPECT_FALSE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < NR_PAIRS; i++)
		KUNIT_EXPECT_EQ(test, (unsigned long)pairs->dst[i]->private,
				privates[i]);
	for (i = 0; i < NR_PAIRS; i++)
		pairs->dst[i]->private = NULL;
}

static const unsigned int large_params[] = { 0, 1, 2, 3, 4 };

static void large_desc(const unsigned int *nr, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "extent %u fails", *nr);
}

KUNIT_ARRAY_PARAM(large, large_params, large_desc);

/* A folio is copied if all of its extents are, on all channels. */
static void wait_is_for_all_of_a_folio(struct kunit *test)
{
	const unsigned int *nr = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	info.nr_channels = 4;
	info.max_extent_bytes = SZ_512K;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 1, 9);
	fixture_pairs_fill(test, pairs, 1, 0);
	fake->fail_extent = *nr;
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	wait_expect(test, pairs, 0, 0, *nr > 3);
	/* The fifth extent is all of the second folio. */
	wait_expect(test, pairs, 1, 0, *nr != 4);
}

/* It missed its deadline, but let go when it was told to: the CPU copies. */
static void wait_has_a_deadline(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, SHORT_MS);
	struct mo_node_stats before, node;
	struct mo_engine_stats stats;
	struct fixture_pairs *pairs;
	unsigned int i;

	fixture_node_stats(&before);
	pairs = wait_hold(test, fake);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, false);
	fake_wait(test, fake, fake->quiesces > 0);
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	fixture_pairs_end(pairs);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect_refs(test, pairs, i, 1);

	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, 1, stats.timeouts);
	KUNIT_EXPECT_EQ(test, 1, stats.errors);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 4, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);

	/* Nobody waits for it a second time. */
	KUNIT_EXPECT_FALSE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
}

/* It does not even let go: neither folio may be touched until it does. */
static void wait_quarantines(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, SHORT_MS);
	struct migrate_offload_batch *batch;
	struct mo_node_stats before, node;
	struct fixture_pairs *pairs;
	unsigned int i;

	fake->deaf = true;
	fixture_node_stats(&before);
	pairs = wait_hold(test, fake);
	for (i = 0; i < NR_PAIRS; i++) {
		wait_expect(test, pairs, i, -EBUSY, false);
		KUNIT_EXPECT_NULL(test, pairs->dst[i]->private);
		wait_expect_refs(test, pairs, i, 2);
	}
	KUNIT_EXPECT_EQ(test, 2 * NR_PAIRS, wait_quarantined(fake));
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
	fixture_pairs_end(pairs);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, NR_PAIRS, node.failed);
	KUNIT_EXPECT_EQ(test, NR_PAIRS, node.quarantined);
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_reset(fake));

	/* It comes to its senses, and does what it was told long ago. */
	batch = fake_held(fake);
	for (i = 0; i < NR_PAIRS; i++) {
		wait_expect_refs(test, pairs, i, 2);
		fake_extent(batch, i, 0);
	}
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_EQ(test, 2 * NR_PAIRS, wait_quarantined(fake));
	fake_let_go(fake, batch);
	flush_workqueue(mo_wq);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect_refs(test, pairs, i, 1);
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	/* What was counted stays so. */
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, NR_PAIRS, node.quarantined);

	/* As good as new, after a reset. */
	fake->hold = false;
	KUNIT_EXPECT_FALSE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_ASSERT_EQ(test, 0, fake_reset(fake));
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, true);
}

/* What was copied by the deadline may be used, and need not be held. */
static void wait_keeps_what_was_copied(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, SHORT_MS);
	struct fixture_pairs *pairs;

	fake->deaf = true;
	pairs = wait_hold(test, fake);
	fake_extent(fake_held(fake), 2, 0);
	fake_extent(fake_held(fake), 1, -EIO);
	wait_expect(test, pairs, 0, -EBUSY, false);
	/* An error is no word that it has stopped. */
	wait_expect(test, pairs, 1, -EBUSY, false);
	wait_expect(test, pairs, 2, 0, true);
	wait_expect(test, pairs, 3, -EBUSY, false);
	wait_expect_refs(test, pairs, 1, 2);
	wait_expect_refs(test, pairs, 2, 1);
	KUNIT_EXPECT_EQ(test, 2 * 3, wait_quarantined(fake));
	fake_let_go_all(fake);
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	wait_expect_refs(test, pairs, 1, 1);
}

/* All good: no matter when it lets go. */
static void wait_is_for_the_result(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct fixture_pairs *pairs;
	unsigned int i;

	fake->stubborn = true;
	pairs = wait_hold(test, fake);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, true);
	fixture_pairs_end(pairs);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->quiesces);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
	fake_let_go_all(fake);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
}

/* An error, and no word that it has stopped: like a missed deadline. */
static void wait_after_an_error_is_for_quiescence(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct mo_engine_stats stats;
	struct fixture_pairs *pairs;

	fake->stubborn = true;
	fake->deaf = true;
	fake->fail_extent = 2;
	pairs = wait_hold(test, fake);
	wait_expect(test, pairs, 0, 0, true);
	wait_expect(test, pairs, 1, 0, true);
	wait_expect(test, pairs, 2, -EBUSY, false);
	wait_expect(test, pairs, 3, 0, true);
	fake_wait(test, fake, fake->quiesces > 0);
	KUNIT_EXPECT_EQ(test, 2, wait_quarantined(fake));
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
	wait_expect_refs(test, pairs, 2, 2);
	wait_expect_refs(test, pairs, 3, 1);
	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, 0, stats.timeouts);
	KUNIT_EXPECT_EQ(test, 1, stats.errors);
	fake_let_go_all(fake);
	flush_workqueue(mo_wq);
	wait_expect_refs(test, pairs, 2, 1);
}

/* As above, but it listens. */
static void wait_after_an_error_ends_when_quiesced(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct fixture_pairs *pairs;

	fake->stubborn = true;
	fake->fail_extent = 2;
	pairs = wait_hold(test, fake);
	wait_expect(test, pairs, 1, 0, true);
	wait_expect(test, pairs, 2, 0, false);
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
}

/* Each folio a batch: those that were answered are good. */
static void wait_is_for_the_folios_batch(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;
	unsigned int i;

	info.max_extents = 1;
	info.max_extent_bytes = PAGE_SIZE;
	info.timeout_ms = SHORT_MS;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	fake->deaf = true;
	pairs = wait_hold(test, fake);
	KUNIT_ASSERT_EQ(test, NR_PAIRS, fake->nr_held);

	/* The second one only: the first has not been answered. */
	fake_finish(fake, fixture_pairs_batch(pairs, 1));
	wait_expect(test, pairs, 1, 0, true);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));

	wait_expect(test, pairs, 0, -EBUSY, false);
	wait_expect(test, pairs, 2, -EBUSY, false);
	wait_expect(test, pairs, 3, -EBUSY, false);
	KUNIT_EXPECT_EQ(test, 2 * 3, wait_quarantined(fake));
	wait_expect_refs(test, pairs, 1, 1);

	/* Each is let go of on its own. */
	for (i = 3; i--;) {
		fake_let_go(fake, fake_held(fake));
		flush_workqueue(mo_wq);
		KUNIT_EXPECT_EQ(test, 2 * i, wait_quarantined(fake));
	}
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect_refs(test, pairs, i, 1);
}

/* Pages are counted, not folios. */
static void wait_quarantines_large_folios(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	info.timeout_ms = SHORT_MS;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 1, 4);
	fake->deaf = true;
	fake->hold = true;
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	wait_expect(test, pairs, 0, -EBUSY, false);
	KUNIT_EXPECT_EQ(test, 2 * 16, wait_quarantined(fake));
	fake_let_go_all(fake);
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	wait_expect_refs(test, pairs, 0, 1);
}

struct wait_irq {
	struct irq_work work;
	struct fake_engine *fake;
	void (*function)(struct fake_engine *fake);
	bool hard;
};

static void wait_irq_work(struct irq_work *work)
{
	struct wait_irq *irq = container_of(work, struct wait_irq, work);

	irq->hard = in_hardirq();
	irq->function(irq->fake);
}

static void wait_irq_sync(void *data)
{
	struct wait_irq *irq = data;

	irq_work_sync(&irq->work);
}

static void wait_irq_submit(struct fake_engine *fake,
			    struct migrate_offload_batch *batch)
{
	struct wait_irq *irq = fake->data;

	irq_work_queue(&irq->work);
}

/* Have @function called by an interrupt after each submission. */
static struct wait_irq *wait_irq(struct kunit *test, struct fake_engine *fake,
				 void (*function)(struct fake_engine *fake))
{
	struct wait_irq *irq = kunit_kzalloc(test, sizeof(*irq), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, irq);
	irq->work = IRQ_WORK_INIT_HARD(wait_irq_work);
	irq->fake = fake;
	irq->function = function;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, wait_irq_sync,
							   irq));
	fake->data = irq;
	fake->on_submit = wait_irq_submit;
	return irq;
}

/* Engines report from interrupts. */
static void wait_ends_by_interrupt(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct wait_irq *irq = wait_irq(test, fake, fake_finish_all);
	struct fixture_pairs *pairs = fixture_pairs(test);

	fake->fail_extent = 2;
	fixture_pairs_fill(test, pairs, NR_PAIRS, 0);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	wait_expect(test, pairs, 0, 0, true);
	wait_expect(test, pairs, 1, 0, true);
	wait_expect(test, pairs, 2, 0, false);
	wait_expect(test, pairs, 3, 0, true);
	KUNIT_EXPECT_TRUE(test, irq->hard);
}

static void wait_irq_failed(struct fake_engine *fake)
{
	migrate_offload_engine_failed(fake->engine);
}

/* They find out that they are dead in interrupts, too. */
static void wait_ends_by_failure(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct wait_irq *irq = wait_irq(test, fake, wait_irq_failed);
	struct fixture_pairs *pairs = fixture_pairs(test);
	unsigned int i;

	fixture_pairs_fill(test, pairs, NR_PAIRS, 0);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, false);
	KUNIT_EXPECT_TRUE(test, irq->hard);
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
}

/* The last to be done with a batch may be an interrupt. */
static void wait_batch_is_recycled_by_interrupt(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct wait_irq *irq = wait_irq(test, fake, fake_let_go_all);
	struct fixture_pairs *pairs;
	unsigned int i;

	fake->on_submit = NULL;
	fake->stubborn = true;
	pairs = wait_hold(test, fake);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, true);
	fixture_pairs_end(pairs);
	irq_work_queue(&irq->work);
	irq_work_sync(&irq->work);
	KUNIT_EXPECT_TRUE(test, irq->hard);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_EQ(test, fake->mo->max_batches,
			list_count_nodes(&fake->mo->slots));
}

/* And let go in interrupts, where folios cannot be freed. */
static void wait_quarantine_ends_by_interrupt(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, SHORT_MS);
	struct wait_irq *irq = wait_irq(test, fake, fake_let_go_all);
	struct fixture_pairs *pairs;
	unsigned int i;

	fake->on_submit = NULL;
	fake->deaf = true;
	pairs = wait_hold(test, fake);
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, -EBUSY, false);
	fixture_pairs_end(pairs);
	irq_work_queue(&irq->work);
	irq_work_sync(&irq->work);
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_TRUE(test, irq->hard);
	KUNIT_EXPECT_EQ(test, 0, wait_quarantined(fake));
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect_refs(test, pairs, i, 1);
}

/* An engine is asked once whether a batch is done, and not if it is. */
static void wait_polls(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct fixture_pairs *pairs = wait_hold(test, fake);
	unsigned int i;

	fake->poll_ends = true;
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, true);
	fixture_pairs_end(pairs);
	KUNIT_EXPECT_EQ(test, 1, fake->polls);

	fake->hold = false;
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, NR_PAIRS, 0);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, true);
	fixture_pairs_end(pairs);
	KUNIT_EXPECT_EQ(test, 1, fake->polls);
}

/* What is not done when it is polled for is waited for as ever. */
static void wait_polls_in_vain(struct kunit *test)
{
	struct fake_engine *fake = wait_engine(test, 0);
	struct fixture_pairs *pairs = wait_hold(test, fake);
	unsigned int i;

	fake->poll_async = true;
	for (i = 0; i < NR_PAIRS; i++)
		wait_expect(test, pairs, i, 0, true);
	fixture_pairs_end(pairs);
	KUNIT_EXPECT_EQ(test, 1, fake->polls);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
}

static struct kunit_case wait_test_cases[] = {
	KUNIT_CASE(wait_polls),
	KUNIT_CASE(wait_polls_in_vain),
	KUNIT_CASE(wait_is_per_folio),
	KUNIT_CASE(wait_in_any_order),
	KUNIT_CASE(wait_gives_private_back),
	KUNIT_CASE_PARAM(wait_is_for_all_of_a_folio, large_gen_params),
	KUNIT_CASE(wait_has_a_deadline),
	KUNIT_CASE(wait_quarantines),
	KUNIT_CASE(wait_keeps_what_was_copied),
	KUNIT_CASE(wait_is_for_the_result),
	KUNIT_CASE(wait_after_an_error_is_for_quiescence),
	KUNIT_CASE(wait_after_an_error_ends_when_quiesced),
	KUNIT_CASE(wait_is_for_the_folios_batch),
	KUNIT_CASE(wait_quarantines_large_folios),
	KUNIT_CASE(wait_ends_by_interrupt),
	KUNIT_CASE(wait_ends_by_failure),
	KUNIT_CASE(wait_batch_is_recycled_by_interrupt),
	KUNIT_CASE(wait_quarantine_ends_by_interrupt),
	{}
};

static struct kunit_suite wait_test_suite = {
	.name = "migrate_offload_wait",
	.test_cases = wait_test_cases,
};

kunit_test_suite(wait_test_suite);
