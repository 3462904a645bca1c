// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/join.c
 */
#include <linux/mm.h>
#include <linux/sizes.h>

#include "fake_engine.h"
#include "fixture.h"

#define SHORT_MS	20

struct join {
	struct fake_engine *a;
	struct fake_engine *b;
	struct fixture_pairs *pairs;
	struct mo_node_stats before;
	struct mo_node_stats node;	/* since then */
};

/* How an engine's part ends. */
enum join_end { GOOD, BAD, STUCK, REFUSED };

static struct fake_engine *join_engine(struct kunit *test, const char *name,
				       enum join_end end)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;

	info.name = name;
	info.max_batches = 2;
	if (end == STUCK)
		info.timeout_ms = SHORT_MS;
	fake = fake_register(test, &info);
	/* Until it is waited for. */
	fake->hold = true;
	fake->poll_ends = end != STUCK;
	fake->deaf = end == STUCK;
	fake->fail = end == BAD;
	fake->submit_error = end == REFUSED ? -EIO : 0;
	return fake;
}

/* @nr folios of @order, for fakeA and fakeB together. */
static struct join join_create(struct kunit *test, const char *policy,
			       enum join_end a, enum join_end b,
			       unsigned int nr, unsigned int order)
{
	struct join join = {
		.a = join_engine(test, "fakeA", a),
		.b = join_engine(test, "fakeB", b),
	};
	struct mo_node *node = fixture_node(test);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, policy));
	mo_set_enabled(true);
	join.pairs = fixture_pairs(test);
	fixture_pairs_fill(test, join.pairs, nr, order);
	fixture_node_stats(&join.before);
	return join;
}

/* What an engine has copied until now. All its counters are much for the stack. */
struct join_copied {
	u64 folios, bytes;
};

static noinline_for_stack struct join_copied
join_copied(struct fake_engine *fake)
{
	struct mo_engine_stats stats;

	fixture_engine_stats(fake->mo, &stats);
	return (struct join_copied){ stats.folios, stats.bytes };
}

static void join_count(struct kunit *test, struct join *join)
{
	fixture_node_stats_since(test, &join->before, &join->node);
}

/* All batches are free: the engine can have as many as ever. */
static void join_expect_idle(struct kunit *test, struct fake_engine *fake)
{
	struct mo_batch *batches[2];
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, fake->nr_held);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	for (i = 0; i < 2; i++) {
		batches[i] = mo_batch_get(fake->mo);
		KUNIT_EXPECT_NOT_NULL(test, batches[i]);
	}
	for (i = 0; i < 2; i++)
		if (batches[i])
			mo_batch_cancel(batches[i]);
	KUNIT_EXPECT_EQ(test, 0,
			atomic_long_read(&fake->mo->channels[0].queued));
}

struct ends_param {
	enum join_end a, b;
	int result;
	bool copied;
	/* Counted: */
	unsigned int engine, failed, quarantined, refused;
};

static const struct ends_param ends_params[] = {
	{ GOOD, GOOD, 0, true, 1, 0, 0, 0 },
	{ GOOD, BAD, 0, false, 0, 1, 0, 0 },
	{ BAD, GOOD, 0, false, 0, 1, 0, 0 },
	{ BAD, BAD, 0, false, 0, 1, 0, 0 },
	{ GOOD, STUCK, -EBUSY, false, 0, 1, 1, 0 },
	{ STUCK, GOOD, -EBUSY, false, 0, 1, 1, 0 },
	{ BAD, STUCK, -EBUSY, false, 0, 1, 1, 0 },
	{ STUCK, BAD, -EBUSY, false, 0, 1, 1, 0 },
	{ STUCK, STUCK, -EBUSY, false, 0, 1, 1, 0 },
	/* A part that is not taken. */
	{ GOOD, REFUSED, 0, false, 0, 0, 0, 1 },
	{ REFUSED, GOOD, 0, false, 0, 0, 0, 1 },
	{ REFUSED, REFUSED, 0, false, 0, 0, 0, 1 },
	{ BAD, REFUSED, 0, false, 0, 1, 0, 0 },
	{ REFUSED, BAD, 0, false, 0, 1, 0, 0 },
	{ STUCK, REFUSED, -EBUSY, false, 0, 1, 1, 0 },
	{ REFUSED, STUCK, -EBUSY, false, 0, 1, 1, 0 },
};

static void ends_desc(const struct ends_param *param, char *desc)
{
	static const char * const names[] = {
		[GOOD] = "good",
		[BAD] = "bad",
		[STUCK] = "stuck",
		[REFUSED] = "refused",
	};

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s and %s", names[param->a],
		 names[param->b]);
}

KUNIT_ARRAY_PARAM(ends, ends_params, ends_desc);

/*
 * A folio is what its parts are, and counts once. When it has been waited for,
 * no engine has it any more but those that keep it in quarantine.
 */
static void join_check_parts(struct kunit *test, bool settle)
{
	const struct ends_param *param = test->param_value;
	unsigned int stuck = (param->a == STUCK) + (param->b == STUCK);
	struct join join = join_create(test, "fakeA+fakeB", param->a, param->b,
				       1, 9);
	struct folio *src = join.pairs->src[0], *dst = join.pairs->dst[0];
	unsigned long private = BIT(0);

	/* As an anon_vma would be there, with a flag of migration. */
	dst->private = (void *)private;
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(join.pairs, MR_SYSCALL));
	KUNIT_EXPECT_EQ(test, 1, join.a->submits);
	KUNIT_EXPECT_EQ(test, 1, join.b->submits);
	if (settle)
		migrate_offload_settle(&join.pairs->dsts);
	KUNIT_EXPECT_EQ(test, param->result, fixture_pairs_wait(join.pairs, 0));
	KUNIT_EXPECT_EQ(test, param->copied,
			fixture_pairs_copied(join.pairs, 0));
	KUNIT_EXPECT_EQ(test, private, (unsigned long)dst->private);
	dst->private = NULL;
	if (param->copied)
		KUNIT_EXPECT_TRUE(test, fixture_filled(dst, 0));
	KUNIT_EXPECT_TRUE(test, fixture_filled(src, 0));

	KUNIT_EXPECT_EQ(test, 1 + stuck, folio_ref_count(src));
	KUNIT_EXPECT_EQ(test, 1 + stuck, folio_ref_count(dst));
	if (param->a != STUCK)
		join_expect_idle(test, join.a);
	if (param->b != STUCK)
		join_expect_idle(test, join.b);
	fixture_pairs_end(join.pairs);

	join_count(test, &join);
	KUNIT_EXPECT_EQ(test, 1, join.node.offered);
	KUNIT_EXPECT_EQ(test, param->engine, join.node.copied_engine);
	KUNIT_EXPECT_EQ(test, param->failed, join.node.failed);
	KUNIT_EXPECT_EQ(test, param->quarantined, join.node.quarantined);
	KUNIT_EXPECT_EQ(test, param->refused,
			join.node.refused[MO_REFUSED_SUBMIT]);

	/* Who is stuck lets go at last. */
	fake_let_go_all(join.a);
	fake_let_go_all(join.b);
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_EQ(test, 1, folio_ref_count(src));
	KUNIT_EXPECT_EQ(test, 1, folio_ref_count(dst));
	KUNIT_EXPECT_EQ(test, 0,
			atomic_long_read(&join.a->mo->quarantined_pages));
	KUNIT_EXPECT_EQ(test, 0,
			atomic_long_read(&join.b->mo->quarantined_pages));
}

static void join_folio_is_what_its_parts_are(struct kunit *test)
{
	join_check_parts(test, false);
}

/* The same, if it is moved later than it was waited for. */
static void join_settles_parts(struct kunit *test)
{
	join_check_parts(test, true);
}

/* What is known of engines, and how 2 MiB are split between them. */
struct split_param {
	const char *name;
	unsigned int channels;		/* of fakeA */
	unsigned long cost[2];		/* of a channel, 0: not known */
	size_t queued[2];
	size_t align;			/* of fakeB */
	size_t bytes[2];
};

static const struct split_param split_params[] = {
	{ "nothing is known", 1, { 0, 0 }, { 0, 0 }, 0, { SZ_1M, SZ_1M } },
	{ "alike", 1, { 100000, 120000 }, { 0, 0 }, 0, { SZ_1M, SZ_1M } },
	{ "one is not known", 1, { 100000, 0 }, { 0, 0 }, 0, { SZ_1M, SZ_1M } },
	{ "a third of the speed", 1, { 100000, 300000 }, { 0, 0 }, 0,
	  { SZ_1M + SZ_512K + SZ_4K, SZ_512K - SZ_4K } },
	{ "the first is slower", 1, { 400000, 200000 }, { 0, 0 }, 0,
	  { 171 * SZ_4K, 341 * SZ_4K } },
	{ "two channels", 2, { 100000, 100000 }, { 0, 0 }, 0,
	  { 342 * SZ_4K, 170 * SZ_4K } },
	{ "has work", 1, { 100000, 100000 }, { 0, SZ_1M }, 0,
	  { SZ_1M + SZ_512K, SZ_512K } },
	{ "aligned", 1, { 100000, 300000 }, { 0, 0 }, SZ_128K,
	  { SZ_1M + SZ_512K + SZ_128K, SZ_512K - SZ_128K } },
	{ "much too slow", 1, { 100000, 2000000 }, { 0, 0 }, 0, { SZ_2M, 0 } },
	{ "much too busy", 1, { 100000, 100000 }, { SZ_8M, 0 }, 0, { 0, SZ_2M } },
};

static void split_desc(const struct split_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(split, split_params, split_desc);

static void join_know(struct fake_engine *fake, unsigned long cost)
{
	unsigned int i;

	for (i = 0; i < fake->mo->nr_channels; i++) {
		fake->mo->channels[i].cost = cost;
		fake->mo->channels[i].samples = cost ? 4 : 0;
	}
}

static void join_expect_part(struct kunit *test, struct fake_engine *fake,
			     struct join *join, size_t offset, size_t bytes)
{
	struct migrate_offload_batch *batch = fake_held(fake);
	phys_addr_t src = PFN_PHYS(folio_pfn(join->pairs->src[0])) + offset;
	phys_addr_t dst = PFN_PHYS(folio_pfn(join->pairs->dst[0])) + offset;

	if (!bytes) {
		KUNIT_EXPECT_NULL(test, batch);
		return;
	}
	KUNIT_ASSERT_NOT_NULL(test, batch);
	KUNIT_EXPECT_EQ(test, bytes, batch->bytes);
	KUNIT_EXPECT_EQ(test, src, batch->extents[0].src);
	KUNIT_EXPECT_EQ(test, dst, batch->extents[0].dst);
}

static void join_splits_by_speed(struct kunit *test)
{
	const struct split_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct join_copied a, b;
	struct join join = {};

	info.name = "fakeA";
	info.nr_channels = param->channels;
	join.a = fake_register(test, &info);
	info.name = "fakeB";
	info.nr_channels = 1;
	info.align = param->align;
	join.b = fake_register(test, &info);
	join.a->hold = true;
	join.b->hold = true;
	join_know(join.a, param->cost[0]);
	join_know(join.b, param->cost[1]);
	atomic_long_set(&join.a->mo->channels[0].queued, param->queued[0]);
	atomic_long_set(&join.b->mo->channels[0].queued, param->queued[1]);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(fixture_node(test),
						       "fakeA+fakeB"));
	mo_set_enabled(true);
	join.pairs = fixture_pairs(test);
	fixture_pairs_fill(test, join.pairs, 1, 9);

	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(join.pairs, MR_SYSCALL));
	join_expect_part(test, join.a, &join, 0, param->bytes[0]);
	join_expect_part(test, join.b, &join, param->bytes[0], param->bytes[1]);
	fake_finish_all(join.a);
	fake_finish_all(join.b);
	KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(join.pairs, 0));
	KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(join.pairs, 0));
	KUNIT_EXPECT_TRUE(test, fixture_filled(join.pairs->dst[0], 0));

	a = join_copied(join.a);
	b = join_copied(join.b);
	KUNIT_EXPECT_EQ(test, param->bytes[0], a.bytes);
	KUNIT_EXPECT_EQ(test, param->bytes[1], b.bytes);
	/* It is one folio for both of them. */
	KUNIT_EXPECT_EQ(test, 1, a.folios + b.folios);
}

/* An engine that is too slow is asked once for so many folios. */
static void join_slow_engine_is_asked_again(struct kunit *test)
{
	struct join join = join_create(test, "fakeA+fakeB", GOOD, GOOD, 1, 9);
	unsigned int i;

	join_know(join.a, 100000);
	join_know(join.b, 2000000);
	for (i = 0; i < 100; i++) {
		/* What was measured meanwhile is not of interest. */
		join_know(join.a, 100000);
		join_know(join.b, 2000000);
		KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(join.pairs,
							    MR_SYSCALL));
		KUNIT_EXPECT_EQ(test, i >= 63, join.b->submits);
		fixture_pairs_end(join.pairs);
	}
	join_count(test, &join);
	KUNIT_EXPECT_EQ(test, 100, join.node.copied_engine);
	KUNIT_EXPECT_EQ(test, 100, join.a->submits);
}

/* Large folios are split, the small ones go to the first as ever. */
static void join_is_for_large_folios(struct kunit *test)
{
	struct join join = join_create(test, "fakeA+fakeB", GOOD, GOOD, 1, 8);
	struct join_copied a, b;
	unsigned int i;

	fixture_pairs_fill(test, join.pairs, 1, 9);
	fixture_pairs_fill(test, join.pairs, 4, 0);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(join.pairs, MR_SYSCALL));
	for (i = 0; i < 6; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(join.pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(join.pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_filled(join.pairs->dst[i], i));
	}
	fixture_pairs_end(join.pairs);
	a = join_copied(join.a);
	b = join_copied(join.b);
	KUNIT_EXPECT_EQ(test, SZ_2M + 4 * SZ_4K, a.bytes);
	KUNIT_EXPECT_EQ(test, SZ_1M, b.bytes);
	KUNIT_EXPECT_EQ(test, 6, a.folios + b.folios);
	join_count(test, &join);
	KUNIT_EXPECT_EQ(test, 6, join.node.offered);
	KUNIT_EXPECT_EQ(test, 6, join.node.copied_engine);
}

/* Move one folio of 2 MiB; how many bytes did the engines get? */
static void join_expect_bytes(struct kunit *test, struct join *join,
			      size_t bytes_a, size_t bytes_b)
{
	u64 before_a = join_copied(join->a).bytes;
	u64 before_b = join_copied(join->b).bytes;

	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(join->pairs, MR_SYSCALL));
	KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(join->pairs, 0));
	KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(join->pairs, 0));
	KUNIT_EXPECT_TRUE(test, fixture_filled(join->pairs->dst[0], 0));
	fixture_pairs_end(join->pairs);
	KUNIT_EXPECT_EQ(test, bytes_a, join_copied(join->a).bytes - before_a);
	KUNIT_EXPECT_EQ(test, bytes_b, join_copied(join->b).bytes - before_b);
}

/* When one of them cannot have a part the other one has the folio. */
static void join_needs_two(struct kunit *test)
{
	struct join join = join_create(test, "fakeA+fakeB", GOOD, GOOD, 1, 9);
	struct mo_batch *batches[2];
	unsigned int i;

	join_expect_bytes(test, &join, SZ_1M, SZ_1M);
	/* All its batches are in use. */
	for (i = 0; i < 2; i++)
		batches[i] = mo_batch_get(join.a->mo);
	join_expect_bytes(test, &join, 0, SZ_2M);
	for (i = 0; i < 2; i++)
		mo_batch_cancel(batches[i]);
	/* It does not reach the folio. */
	join.b->mo->max_addr = PAGE_SIZE;
	join.b->mo->limited = true;
	join_expect_bytes(test, &join, SZ_2M, 0);
	join.b->mo->max_addr = PHYS_ADDR_MAX;
	join.b->mo->limited = false;
	/* It is not online. */
	migrate_offload_engine_failed(join.b->engine);
	join_expect_bytes(test, &join, SZ_2M, 0);
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_EQ(test, 0, fake_reset(join.b));
	join_expect_bytes(test, &join, SZ_1M, SZ_1M);
}

/* The order of the list holds: a set is asked when it is its turn. */
static void join_waits_for_its_turn(struct kunit *test)
{
	struct join join = join_create(test, "fakeC,fakeA+fakeB,fakeD", GOOD,
				       GOOD, 1, 9);
	struct fake_engine *c;

	/* There is no fakeC yet. */
	join_expect_bytes(test, &join, SZ_1M, SZ_1M);
	c = join_engine(test, "fakeC", GOOD);
	join_expect_bytes(test, &join, 0, 0);
	KUNIT_EXPECT_EQ(test, 1, c->submits);
	/* As many engines as there are MiB. */
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(fixture_node(test),
						       "fakeC+fakeA+fakeB"));
	join_expect_bytes(test, &join, SZ_1M, 0);
	KUNIT_EXPECT_EQ(test, 2, c->submits);
	/* With a comma they are not joined. */
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(fixture_node(test),
						       "fakeA,fakeB"));
	join_expect_bytes(test, &join, SZ_2M, 0);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(fixture_node(test),
						       "fakeA+fakeB"));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(fixture_node(test),
						       "auto"));
	KUNIT_EXPECT_EQ(test, 0, fixture_node(test)->joined);
}

static struct kunit_case join_test_cases[] = {
	KUNIT_CASE_PARAM(join_folio_is_what_its_parts_are, ends_gen_params),
	KUNIT_CASE_PARAM(join_settles_parts, ends_gen_params),
	KUNIT_CASE_PARAM(join_splits_by_speed, split_gen_params),
	KUNIT_CASE(join_slow_engine_is_asked_again),
	KUNIT_CASE(join_is_for_large_folios),
	KUNIT_CASE(join_needs_two),
	KUNIT_CASE(join_waits_for_its_turn),
	{}
};

static struct kunit_suite join_test_suite = {
	.name = "migrate_offload_join",
	.test_cases = join_test_cases,
};

kunit_test_suite(join_test_suite);
