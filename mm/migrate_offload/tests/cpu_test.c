// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/cpu.c and cpu_mt.c
 */
#include <linux/mm.h>

#include "fixture.h"

static struct mo_engine *cpu_engine(struct kunit *test, const char *name)
{
	struct mo_engine *engine;

	mutex_lock(&mo_lock);
	engine = mo_engine_find(name);
	mutex_unlock(&mo_lock);
	KUNIT_ASSERT_NOT_NULL(test, engine);
	return engine;
}

static void cpu_is_always_there(struct kunit *test)
{
	const char *name = *(const char * const *)test->param_value;
	struct mo_engine *engine = cpu_engine(test, name);

	KUNIT_EXPECT_TRUE(test, mo_engine_online(engine));
	KUNIT_EXPECT_TRUE(test, engine->by_cpu);
	KUNIT_EXPECT_EQ(test, NUMA_NO_NODE, engine->numa_node);
	KUNIT_EXPECT_EQ(test, 0, engine->min_bytes);
	/* Whatever migrate_pages() brings fits into one batch. */
	KUNIT_EXPECT_EQ(test, MO_BATCH_FOLIOS, engine->max_extents);
}

static const char * const cpu_names[] = { "cpu", "cpu-mt" };

static void name_desc(const char * const *name, char *desc)
{
	strscpy(desc, *name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(name, cpu_names, name_desc);

static const struct cpu_param {
	const char *name;
	unsigned int order;
} cpu_params[] = {
	{ "cpu", 0 }, { "cpu", 1 }, { "cpu", 4 }, { "cpu", 9 }, { "cpu", 10 },
	/* Many in a unit, some across units, one to a unit, several units. */
	{ "cpu-mt", 0 }, { "cpu-mt", 2 }, { "cpu-mt", 4 }, { "cpu-mt", 6 },
	{ "cpu-mt", 10 },
};

static void cpu_desc(const struct cpu_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, order %u", param->name,
		 param->order);
}

KUNIT_ARRAY_PARAM(cpu, cpu_params, cpu_desc);

/* Exactly, and nothing else: not the neighbours either. */
static void cpu_copies(struct kunit *test)
{
	const struct cpu_param *param = test->param_value;
	struct mo_engine *engine = cpu_engine(test, param->name);
	unsigned int i, order = param->order;
	struct mo_engine_stats before, after;
	struct mo_node_stats node_before, node;
	struct fixture_pairs *pairs;
	const unsigned int nr = 6;

	fixture_enable(test, engine);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, nr, order);
	for (i = 0; i < nr; i++)
		fixture_fill(pairs->dst[i], 100 + i);
	/* Not offered. */
	list_del(&pairs->src[nr - 1]->lru);
	list_del(&pairs->dst[nr - 1]->lru);

	fixture_node_stats(&node_before);
	fixture_engine_stats(engine, &before);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	/* It is done before anybody waits. */
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&engine->inflight));
	for (i = 0; i < nr - 1; i++) {
		KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[i], i));
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(pairs, i));
		KUNIT_EXPECT_NULL(test, pairs->dst[i]->private);
	}
	fixture_pairs_end(pairs);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->src[i], i));
	KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[nr - 1],
					       100 + nr - 1));

	fixture_engine_stats(engine, &after);
	KUNIT_EXPECT_EQ(test, 1, after.batches - before.batches);
	KUNIT_EXPECT_EQ(test, nr - 1, after.folios - before.folios);
	KUNIT_EXPECT_EQ(test, (nr - 1) * (PAGE_SIZE << order),
			after.bytes - before.bytes);
	fixture_node_stats_since(test, &node_before, &node);
	KUNIT_EXPECT_EQ(test, nr - 1, node.offered);
	KUNIT_EXPECT_EQ(test, nr - 1, node.copied_cpu);
	KUNIT_EXPECT_EQ(test, 0, node.copied_engine);
}

/* Folios of several sizes, so that units begin anywhere in them. */
static void cpu_copies_a_mixture(struct kunit *test)
{
	static const unsigned int orders[] = { 0, 5, 0, 3, 7, 0, 1, 4, 2, 0 };
	const char *name = *(const char * const *)test->param_value;
	struct fixture_pairs *pairs;
	unsigned int i;

	fixture_enable(test, cpu_engine(test, name));
	pairs = fixture_pairs(test);
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		fixture_pairs_fill(test, pairs, 1, orders[i]);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < pairs->nr; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_pairs_copied(pairs, i));
		KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[i], i));
	}
	fixture_pairs_end(pairs);
}

static struct kunit_case cpu_test_cases[] = {
	KUNIT_CASE_PARAM(cpu_is_always_there, name_gen_params),
	KUNIT_CASE_PARAM(cpu_copies, cpu_gen_params),
	KUNIT_CASE_PARAM(cpu_copies_a_mixture, name_gen_params),
	{}
};

static struct kunit_suite cpu_test_suite = {
	.name = "migrate_offload_cpu",
	.test_cases = cpu_test_cases,
};

kunit_test_suite(cpu_test_suite);
