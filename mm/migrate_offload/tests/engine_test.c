// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/engine.c
 */
#include <kunit/device.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/sizes.h>

#include "fake_engine.h"
#include "fixture.h"

static void engine_registers_and_goes(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_engine *found;
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	KUNIT_EXPECT_STREQ(test, "fake0", fake->engine->name);
	KUNIT_EXPECT_PTR_EQ(test, (void *)fake, fake->engine->priv);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
	mutex_lock(&mo_lock);
	found = mo_engine_find("fake0");
	mutex_unlock(&mo_lock);
	KUNIT_EXPECT_PTR_EQ(test, found, fake->mo);

	fake_unregister(test, fake);
	mutex_lock(&mo_lock);
	found = mo_engine_find("fake0");
	mutex_unlock(&mo_lock);
	KUNIT_EXPECT_NULL(test, found);
	/* Nothing was in flight, so nobody had to be told. */
	KUNIT_EXPECT_EQ(test, 0, fake->quiesces);
}

/* What zero means. */
static void engine_defaults(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_engine *mo;

	info.max_addr = 0;
	info.max_extent_bytes = 0;
	info.align = 0;
	info.nr_channels = 0;
	info.timeout_ms = 0;
	mo = fake_register(test, &info)->mo;
	KUNIT_EXPECT_EQ(test, PHYS_ADDR_MAX, mo->max_addr);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, mo->align);
	KUNIT_EXPECT_GE(test, mo->max_extent_bytes, SZ_2G);
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(mo->max_extent_bytes));
	KUNIT_EXPECT_EQ(test, 1, mo->nr_channels);
	KUNIT_EXPECT_EQ(test, MO_DEFAULT_TIMEOUT_MS, mo->timeout_ms);
	KUNIT_EXPECT_EQ(test, NUMA_NO_NODE, mo->numa_node);
}

/* One thing wrong with, or at the limit of, what is otherwise good. */
enum info_change {
	NO_NAME, EMPTY_NAME, LONG_NAME, LONGEST_NAME, AUTO, SLASH, SPACE, COMMA,
	BRACKET, NEWLINE, DOT, DOT_DOT, LATIN_1, PUNCTUATION, NO_DRIVER, NO_OPS,
	NO_SUBMIT, NO_QUIESCE, NO_EXTENTS, MOST_EXTENTS, MANY_EXTENTS,
	NO_BATCHES, MOST_BATCHES, MANY_BATCHES, MOST_CHANNELS, MANY_CHANNELS,
	LONGEST_TIMEOUT, LONG_TIMEOUT,
	ALIGN_3, ALIGN_1, ALIGN_2M, SHORT_EXTENT, PAGE_EXTENT, UNALIGNED_EXTENT,
	NODE_LOW, NODE_HIGH,
};

struct info_param {
	const char *name;
	enum info_change change;
	int err;
};

#define BAD(what)	{ #what, what, -EINVAL }
#define GOOD(what)	{ #what, what, 0 }

static const struct info_param info_params[] = {
	BAD(NO_NAME), BAD(EMPTY_NAME), BAD(LONG_NAME), GOOD(LONGEST_NAME),
	BAD(AUTO), BAD(SLASH), BAD(SPACE), BAD(COMMA), BAD(BRACKET),
	BAD(NEWLINE), BAD(DOT), BAD(DOT_DOT), BAD(LATIN_1), GOOD(PUNCTUATION),
	BAD(NO_DRIVER), BAD(NO_OPS), BAD(NO_SUBMIT), BAD(NO_QUIESCE),
	BAD(NO_EXTENTS), GOOD(MOST_EXTENTS), BAD(MANY_EXTENTS), BAD(NO_BATCHES),
	GOOD(MOST_BATCHES), BAD(MANY_BATCHES), GOOD(MOST_CHANNELS),
	BAD(MANY_CHANNELS), GOOD(LONGEST_TIMEOUT),
	BAD(LONG_TIMEOUT), BAD(ALIGN_3), GOOD(ALIGN_1), GOOD(ALIGN_2M),
	BAD(SHORT_EXTENT), GOOD(PAGE_EXTENT), BAD(UNALIGNED_EXTENT),
	BAD(NODE_LOW), BAD(NODE_HIGH),
};

static void info_desc(const struct info_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(info, info_params, info_desc);

static void info_change(struct migrate_offload_engine_info *info,
			struct migrate_offload_ops *ops, enum info_change change)
{
	switch (change) {
	case NO_NAME:
		info->name = NULL;
		break;
	case EMPTY_NAME:
		info->name = "";
		break;
	case LONG_NAME:
		info->name = "12345678901234567890123456789012";
		break;
	case LONGEST_NAME:
		info->name = "1234567890123456789012345678901";
		break;
	case AUTO:
		info->name = "auto";
		break;
	case SLASH:
		info->name = "a/b";
		break;
	case SPACE:
		info->name = "a b";
		break;
	case COMMA:
		info->name = "a,b";
		break;
	case BRACKET:
		info->name = "[a]";
		break;
	case NEWLINE:
		info->name = "a\n";
		break;
	case DOT:
		info->name = ".a";
		break;
	case DOT_DOT:
		info->name = "..";
		break;
	case LATIN_1:
		info->name = "d\xe4";
		break;
	case PUNCTUATION:
		info->name = "A-z_0.9";
		break;
	case NO_DRIVER:
		info->driver = NULL;
		break;
	case NO_OPS:
		info->ops = NULL;
		break;
	case NO_SUBMIT:
		ops->submit = NULL;
		break;
	case NO_QUIESCE:
		ops->quiesce = NULL;
		break;
	case NO_EXTENTS:
		info->max_extents = 0;
		break;
	case MOST_EXTENTS:
		info->max_extents = 1024;
		break;
	case MANY_EXTENTS:
		info->max_extents = 1025;
		break;
	case NO_BATCHES:
		info->max_batches = 0;
		break;
	case MOST_BATCHES:
		info->max_batches = 1024;
		info->max_extents = 1;
		info->priv_size = 0;
		break;
	case MANY_BATCHES:
		info->max_batches = 1025;
		break;
	case MOST_CHANNELS:
		info->nr_channels = 256;
		break;
	case MANY_CHANNELS:
		info->nr_channels = 257;
		break;
	case LONGEST_TIMEOUT:
		info->timeout_ms = MO_MAX_TIMEOUT_MS;
		break;
	case LONG_TIMEOUT:
		info->timeout_ms = MO_MAX_TIMEOUT_MS + 1;
		break;
	case ALIGN_3:
		info->align = 3;
		break;
	case ALIGN_1:
		info->align = 1;
		break;
	case ALIGN_2M:
		info->align = SZ_2M;
		break;
	case SHORT_EXTENT:
		info->max_extent_bytes = PAGE_SIZE - 1;
		break;
	case PAGE_EXTENT:
		info->max_extent_bytes = PAGE_SIZE;
		break;
	case UNALIGNED_EXTENT:
		info->align = 2 * PAGE_SIZE;
		info->max_extent_bytes = PAGE_SIZE;
		break;
	case NODE_LOW:
		info->numa_node = NUMA_NO_NODE - 1;
		break;
	case NODE_HIGH:
		info->numa_node = MAX_NUMNODES;
		break;
	}
}

static void engine_info_is_checked(struct kunit *test)
{
	const struct info_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct migrate_offload_ops ops = *info.ops;
	struct migrate_offload_engine *engine;

	info.ops = &ops;
	info_change(&info, &ops, param->change);
	engine = migrate_offload_register(&info, NULL);
	KUNIT_EXPECT_EQ(test, param->err, PTR_ERR_OR_ZERO(engine));
	if (!IS_ERR(engine))
		migrate_offload_unregister(engine);
}

static void engine_name_is_unique(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	KUNIT_EXPECT_EQ(test, -EEXIST,
			PTR_ERR(migrate_offload_register(&info, NULL)));
	info.name = "cpu";
	KUNIT_EXPECT_EQ(test, -EEXIST,
			PTR_ERR(migrate_offload_register(&info, NULL)));

	/* The name is free again, at once. */
	fake_unregister(test, fake);
	info.name = "fake0";
	fake_register(test, &info);
}

/* The CPU would copy all of it twice. */
static void engine_that_bounces_is_refused(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();

	if (IS_ENABLED(CONFIG_HAS_DMA))
		kunit_skip(test, "depends on the machine");
	/* Without DMA there is no size that is mapped without bouncing. */
	info.dma_dev = kunit_device_register(test, "fake");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, info.dma_dev);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			PTR_ERR(migrate_offload_register(&info, NULL)));
}

struct reach_param {
	const char *name;
	size_t align;
	size_t max_extent_bytes;
	unsigned int max_extents;
	long max_addr;		/* from the end of the folio */
	unsigned int order;
	bool reaches;
};

static const struct reach_param reach_params[] = {
	{ "page, no limits", 0, 0, 1, LONG_MAX, 0, true },
	{ "large, no limits", 0, 0, 1, LONG_MAX, 9, true },
	{ "page is aligned to less", 512, 0, 1, LONG_MAX, 0, true },
	{ "page is not large enough", SZ_64K, 0, 1, LONG_MAX, 0, false },
	{ "large enough", SZ_64K, 0, 1, LONG_MAX, 4, true },
	{ "too many extents", 0, SZ_64K, 31, LONG_MAX, 9, false },
	{ "just as many extents", 0, SZ_64K, 32, LONG_MAX, 9, true },
	{ "last byte is the last", 0, 0, 1, -1, 2, true },
	{ "last byte is beyond", 0, 0, 1, -2, 2, false },
};

static void reach_desc(const struct reach_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(reach, reach_params, reach_desc);

static void engine_reaches(struct kunit *test)
{
	const struct reach_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct folio *low = fixture_folio(test, param->order);
	struct folio *high = fixture_folio(test, param->order);
	struct mo_piece up, down;
	struct mo_engine *mo;

	if (folio_pfn(low) > folio_pfn(high))
		swap(low, high);
	info.align = param->align;
	info.max_extent_bytes = param->max_extent_bytes;
	info.max_extents = param->max_extents;
	if (param->max_addr != LONG_MAX)
		info.max_addr = PFN_PHYS(folio_pfn(high)) + folio_size(high) +
				param->max_addr;
	mo = fake_register(test, &info)->mo;
	up = mo_whole(low, high);
	down = mo_whole(high, low);
	KUNIT_EXPECT_EQ(test, param->reaches,
			mo_engine_reach(mo, &up) == up.bytes);
	KUNIT_EXPECT_EQ(test, param->reaches,
			mo_engine_reach(mo, &down) == down.bytes);
}

/*
 * An engine that got a batch of @nr folios, which are extents of their own,
 * and has it still.
 */
static struct fixture_pairs *engine_in_flight(struct kunit *test,
					      struct fake_engine *fake,
					      unsigned int nr)
{
	struct fixture_pairs *pairs;

	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, nr, 0);
	fake->hold = true;
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_ASSERT_EQ(test, 1, fake->nr_held);
	return pairs;
}

/* Unregistering ends when the batch does, not when its deadline does. */
static void engine_goes_after_its_batches(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;
	unsigned int i;

	info.timeout_ms = 20;
	fake = fake_register(test, &info);
	pairs = engine_in_flight(test, fake, 3);
	WRITE_ONCE(fake->deaf, true);
	fake_unregister_async(fake);
	/* It does not give up, but asks for the batches. */
	fake_wait(test, fake, fake->quiesces > 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&fake->unregistered));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&fake->mo->inflight));
	/* It is as good as gone for everybody else. */
	KUNIT_EXPECT_FALSE(test, mo_engine_online(fake->mo));
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));

	/* The engine alone is not enough: somebody looks at the batch. */
	fake_finish_all(fake);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_FALSE(test, completion_done(&fake->unregistered));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[i], i));
	}
	fixture_pairs_end(pairs);
	fake_wait(test, fake, completion_done(&fake->unregistered));
}

/* Those that obey are told, and then the CPU copies. */
static void engine_is_quiesced_when_it_goes(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	info.timeout_ms = 20;
	fake = fake_register(test, &info);
	pairs = engine_in_flight(test, fake, 1);
	fake_unregister_async(fake);
	fake_wait(test, fake, fake->quiesces > 0);
	KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, 0));
	KUNIT_EXPECT_FALSE(test, fixture_pairs_copied(pairs, 0));
	fixture_pairs_end(pairs);
	fake_wait(test, fake, completion_done(&fake->unregistered));
}

/* Folios in quarantine keep the engine, too. */
static void engine_goes_after_its_quarantine(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	info.timeout_ms = 20;
	fake = fake_register(test, &info);
	pairs = engine_in_flight(test, fake, 1);
	WRITE_ONCE(fake->deaf, true);
	KUNIT_EXPECT_EQ(test, -EBUSY, fixture_pairs_wait(pairs, 0));
	fixture_pairs_end(pairs);
	fake->quiesces = 0;
	fake_unregister_async(fake);
	fake_wait(test, fake, fake->quiesces > 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&fake->unregistered));
	KUNIT_EXPECT_EQ(test, 2, folio_ref_count(pairs->src[0]));
	KUNIT_EXPECT_EQ(test, 2, folio_ref_count(pairs->dst[0]));

	fake_let_go_all(fake);
	fake_wait(test, fake, completion_done(&fake->unregistered));
	KUNIT_EXPECT_EQ(test, 1, folio_ref_count(pairs->src[0]));
	KUNIT_EXPECT_EQ(test, 1, folio_ref_count(pairs->dst[0]));
}

static void engine_fails_once_and_is_reset(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_reset(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->resets);

	migrate_offload_engine_failed(fake->engine);
	migrate_offload_engine_failed(fake->engine);
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
	KUNIT_EXPECT_FALSE(test, mo_engine_online(fake->mo));
	/* It is told, even with nothing in flight. */
	flush_workqueue(mo_wq);
	KUNIT_EXPECT_GT(test, fake->quiesces, 0);

	fake->reset_error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, fake_reset(fake));
	KUNIT_EXPECT_FALSE(test, mo_engine_online(fake->mo));
	fake->reset_error = 0;
	KUNIT_EXPECT_EQ(test, 0, fake_reset(fake));
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
	KUNIT_EXPECT_EQ(test, 2, fake->resets);
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_reset(fake));
}

static void engine_needs_no_reset_function(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct migrate_offload_ops *ops = kunit_kzalloc(test, sizeof(*ops),
							GFP_KERNEL);
	struct fake_engine *fake;

	KUNIT_ASSERT_NOT_NULL(test, ops);
	*ops = *info.ops;
	ops->reset = NULL;
	info.ops = ops;
	fake = fake_register(test, &info);
	migrate_offload_engine_failed(fake->engine);
	KUNIT_EXPECT_EQ(test, 0, fake_reset(fake));
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
}

/* The driver has brought it back by itself. */
static void engine_recovers(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			migrate_offload_engine_recovered(fake->engine));
	pairs = engine_in_flight(test, fake, 1);
	WRITE_ONCE(fake->deaf, true);
	migrate_offload_engine_failed(fake->engine);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			migrate_offload_engine_recovered(fake->engine));
	KUNIT_EXPECT_FALSE(test, mo_engine_online(fake->mo));
	fake_finish_all(fake);
	KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, 0));
	KUNIT_EXPECT_EQ(test, 0,
			migrate_offload_engine_recovered(fake->engine));
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
	KUNIT_EXPECT_EQ(test, 0, fake->resets);
}

static void engine_is_not_reset_in_flight(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	pairs = engine_in_flight(test, fake, 1);
	WRITE_ONCE(fake->deaf, true);
	migrate_offload_engine_failed(fake->engine);
	fake_wait(test, fake, fake->quiesces > 0);
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_reset(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->resets);
	KUNIT_EXPECT_FALSE(test, mo_engine_online(fake->mo));

	fake_finish_all(fake);
	KUNIT_EXPECT_EQ(test, 0, fake_reset(fake));
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
	KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, 0));
	KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(pairs, 0));
}

/* The driver says that it failed: its batches are called back. */
static void engine_failure_calls_batches_back(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	pairs = engine_in_flight(test, fake, 1);
	migrate_offload_engine_failed(fake->engine);
	KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, 0));
	KUNIT_EXPECT_FALSE(test, fixture_pairs_copied(pairs, 0));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_FALSE(test, mo_engine_online(fake->mo));
}

/* Offer pairs that all fail, or with the engine's fail_extent, one of them. */
static void engine_bad_batches(struct kunit *test, struct fixture_pairs *pairs,
			       unsigned int nr)
{
	unsigned int i;

	while (nr--) {
		KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
		for (i = 0; i < pairs->nr; i++)
			KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		fixture_pairs_end(pairs);
	}
}

static void engine_that_only_fails_is_failed(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;

	info.max_extent_bytes = PAGE_SIZE;
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 2, 0);

	fake->fail = true;
	engine_bad_batches(test, pairs, MO_MAX_BAD_BATCHES - 1);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));

	/* A good one in between. */
	fake->fail = false;
	engine_bad_batches(test, pairs, 1);
	fake->fail = true;
	engine_bad_batches(test, pairs, MO_MAX_BAD_BATCHES - 1);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));

	/* One that is good in part. */
	fake->fail = false;
	fake->fail_extent = 0;
	engine_bad_batches(test, pairs, 2 * MO_MAX_BAD_BATCHES);
	fake->fail = true;
	engine_bad_batches(test, pairs, MO_MAX_BAD_BATCHES - 1);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));

	engine_bad_batches(test, pairs, 1);
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
	KUNIT_EXPECT_FALSE(test, fixture_pairs_begin(pairs, MR_SYSCALL));

	/* A reset starts it from zero. */
	KUNIT_ASSERT_EQ(test, 0, fake_reset(fake));
	engine_bad_batches(test, pairs, MO_MAX_BAD_BATCHES - 1);
	KUNIT_EXPECT_TRUE(test, mo_engine_online(fake->mo));
	engine_bad_batches(test, pairs, 1);
	KUNIT_EXPECT_EQ(test, MO_FAILED, fake->mo->state);
}

/* @bytes in @us, submitted at @at us. */
static void engine_copied(struct fake_engine *fake, size_t bytes, u64 at, u64 us)
{
	mo_engine_copied(fake->mo, bytes, ns_to_ktime(at * NSEC_PER_USEC),
			 ns_to_ktime((at + us) * NSEC_PER_USEC));
}

/* How fast it is: of large copies, without the wait for what came before. */
static void engine_speed_is_averaged(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake = fake_register(test, &info);
	struct mo_engine *mo = fake->mo;
	u64 ns;
	int i;

	KUNIT_EXPECT_EQ(test, 0, mo->mib_ns);
	KUNIT_EXPECT_FALSE(test, mo_engine_outruns_cpu(mo));
	engine_copied(fake, SZ_512K, 1000, 900);
	KUNIT_EXPECT_EQ(test, 0, mo->mib_ns);
	engine_copied(fake, SZ_2M, 2000, 200);
	KUNIT_EXPECT_EQ(test, 100 * NSEC_PER_USEC, mo->mib_ns);
	/* Submitted while it copied the last one. */
	engine_copied(fake, SZ_2M, 2100, 300);
	KUNIT_EXPECT_EQ(test, 100 * NSEC_PER_USEC, mo->mib_ns);
	/* Reported late, so that its time is not known. */
	engine_copied(fake, SZ_2M, 2000, 100);
	KUNIT_EXPECT_EQ(test, 100 * NSEC_PER_USEC, mo->mib_ns);

	/* Once is not often. */
	engine_copied(fake, SZ_1M, 10000, 1000000);
	ns = mo->mib_ns;
	KUNIT_EXPECT_GT(test, ns, 100 * NSEC_PER_USEC);
	KUNIT_EXPECT_LT(test, ns, 150 * NSEC_PER_USEC);
	for (i = 1; i < 50; i++)
		engine_copied(fake, SZ_1M, 2000000 * i, 1000);
	KUNIT_EXPECT_GT(test, mo->mib_ns, 900 * NSEC_PER_USEC);
}

static struct kunit_case engine_test_cases[] = {
	KUNIT_CASE(engine_registers_and_goes),
	KUNIT_CASE(engine_defaults),
	KUNIT_CASE_PARAM(engine_info_is_checked, info_gen_params),
	KUNIT_CASE(engine_name_is_unique),
	KUNIT_CASE(engine_that_bounces_is_refused),
	KUNIT_CASE_PARAM(engine_reaches, reach_gen_params),
	KUNIT_CASE(engine_goes_after_its_batches),
	KUNIT_CASE(engine_is_quiesced_when_it_goes),
	KUNIT_CASE(engine_goes_after_its_quarantine),
	KUNIT_CASE(engine_fails_once_and_is_reset),
	KUNIT_CASE(engine_needs_no_reset_function),
	KUNIT_CASE(engine_recovers),
	KUNIT_CASE(engine_is_not_reset_in_flight),
	KUNIT_CASE(engine_failure_calls_batches_back),
	KUNIT_CASE(engine_that_only_fails_is_failed),
	KUNIT_CASE(engine_speed_is_averaged),
	{}
};

static struct kunit_suite engine_test_suite = {
	.name = "migrate_offload_engine",
	.test_cases = engine_test_cases,
};

kunit_test_suite(engine_test_suite);
