// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/policy.c
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "fake_engine.h"
#include "fixture.h"

/* A page for show functions. */
static char *policy_page(struct kunit *test)
{
	/* They insist on a whole page, aligned. */
	struct folio *folio = fixture_folio(test, 0);

	memset(folio_address(folio), 0, PAGE_SIZE);
	return folio_address(folio);
}

/* Does the list of engines, less those that are here anyway, read so? */
static void policy_expect_choice(struct kunit *test, struct mo_node *node,
				 const char *choice)
{
	char *page = policy_page(test), *begin, *end;

	mo_policy_show_engines(node, page);
	begin = strchr(page, '[');
	KUNIT_ASSERT_NOT_NULL(test, begin);
	end = strchr(++begin, ']');
	KUNIT_ASSERT_NOT_NULL(test, end);
	*end = '\0';
	KUNIT_EXPECT_STREQ(test, choice, begin);
}

#define LONG_NAME	"1234567890123456789012345678901"

static const struct fixture_text engines_params[] = {
	{ "auto", 0 },
	{ "cpu", 0 },
	{ "no-such-engine", 0 },
	{ "a", 0 },
	{ "a,cpu", 0 },
	{ "A_b-c.9,cpu", 0 },
	{ "automatic", 0 },
	{ LONG_NAME, 0 },
	{ "a,b,c,d,e,f,g,h", 0 },
	{ "a+b", 0 },
	{ "a+b+c,d,e+f", 0 },
	{ "a,b+c,cpu", 0 },
	{ "a+b+c+d+e+f+g+h", 0 },
	{ "+", -EINVAL },
	{ "a+", -EINVAL },
	{ "+a", -EINVAL },
	{ "a++b", -EINVAL },
	{ "a+,b", -EINVAL },
	{ "a+a", -EINVAL },
	{ "a+cpu", -EINVAL },
	{ "cpu-mt+a", -EINVAL },
	{ "a,b+cpu+c", -EINVAL },
	{ "a+auto", -EINVAL },
	{ "a+b+c+d+e+f+g+h+i", -EINVAL },
	{ "", -EINVAL },
	{ ",", -EINVAL },
	{ "a,", -EINVAL },
	{ ",a", -EINVAL },
	{ "a,,b", -EINVAL },
	{ "a b", -EINVAL },
	{ " a", -EINVAL },
	{ "a ", -EINVAL },
	{ "a, b", -EINVAL },
	{ "a\n", -EINVAL },
	{ "[a]", -EINVAL },
	{ "a/b", -EINVAL },
	{ ".", -EINVAL },
	{ "cpu,..", -EINVAL },
	{ "d\xe4", -EINVAL },
	{ "a;b", -EINVAL },
	{ "auto,cpu", -EINVAL },
	{ "cpu,auto", -EINVAL },
	{ "cpu,cpu", -EINVAL },
	{ "a,b,a", -EINVAL },
	{ LONG_NAME "2", -EINVAL },
	{ "cpu," LONG_NAME "2", -EINVAL },
	{ "a,b,c,d,e,f,g,h,i", -EINVAL },
};

KUNIT_ARRAY_PARAM(engines, engines_params, fixture_text_desc);

static void policy_parses_engines(struct kunit *test)
{
	const struct fixture_text *param = test->param_value;
	struct mo_node *node = fixture_node(test);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "x,cpu"));
	KUNIT_EXPECT_EQ(test, param->err,
			mo_policy_set_engines(node, param->text));
	policy_expect_choice(test, node, param->err ? "x,cpu" : param->text);
}

#define ALL_REASONS	GENMASK(MR_TYPES - 1, 0)

struct reasons_param {
	struct fixture_text text;
	unsigned long reasons;
};

static const struct reasons_param reasons_params[] = {
	{ { "all", 0 }, ALL_REASONS },
	{ { "none", 0 }, 0 },
	{ { "compaction", 0 }, BIT(MR_COMPACTION) },
	{ { "memory_failure", 0 }, BIT(MR_MEMORY_FAILURE) },
	{ { "memory_hotplug", 0 }, BIT(MR_MEMORY_HOTPLUG) },
	{ { "syscall_or_cpuset", 0 }, BIT(MR_SYSCALL) },
	{ { "mempolicy_mbind", 0 }, BIT(MR_MEMPOLICY_MBIND) },
	{ { "numa_misplaced", 0 }, BIT(MR_NUMA_MISPLACED) },
	{ { "contig_range", 0 }, BIT(MR_CONTIG_RANGE) },
	{ { "longterm_pin", 0 }, BIT(MR_LONGTERM_PIN) },
	{ { "demotion", 0 }, BIT(MR_DEMOTION) },
	{ { "compaction,demotion", 0 }, BIT(MR_COMPACTION) | BIT(MR_DEMOTION) },
	{ { "compaction demotion", 0 }, BIT(MR_COMPACTION) | BIT(MR_DEMOTION) },
	{ { "demotion\ncompaction ", 0 }, BIT(MR_COMPACTION) | BIT(MR_DEMOTION) },
	{ { "demotion, demotion", 0 }, BIT(MR_DEMOTION) },
	{ { "", -EINVAL } },
	{ { " ", -EINVAL } },
	{ { ",", -EINVAL } },
	{ { "compact", -EINVAL } },
	{ { "compactions", -EINVAL } },
	{ { "Compaction", -EINVAL } },
	{ { "compaction,no", -EINVAL } },
	{ { "all,compaction", -EINVAL } },
	{ { "none,compaction", -EINVAL } },
	{ { "compaction,none", -EINVAL } },
	{ { "compaction;demotion", -EINVAL } },
	{ { "1", -EINVAL } },
	{ { "~compaction", -EINVAL } },
};

static void reasons_desc(const struct reasons_param *param, char *desc)
{
	fixture_text_desc(&param->text, desc);
}

KUNIT_ARRAY_PARAM(reasons, reasons_params, reasons_desc);

static void policy_parses_reasons(struct kunit *test)
{
	const struct reasons_param *param = test->param_value;
	struct mo_node *node = fixture_node(test);
	char *page = policy_page(test);

	node->reasons = BIT(MR_DEMOTION);
	KUNIT_EXPECT_EQ(test, param->text.err,
			mo_policy_set_reasons(node, param->text.text));
	KUNIT_EXPECT_EQ(test, node->reasons,
			param->text.err ? BIT(MR_DEMOTION) : param->reasons);

	/* What is shown can be written back. */
	mo_policy_show_reasons(node, page);
	strim(page);
	node->reasons = 0;
	KUNIT_EXPECT_EQ(test, 0, mo_policy_set_reasons(node, page));
	KUNIT_EXPECT_EQ(test, node->reasons,
			param->text.err ? BIT(MR_DEMOTION) : param->reasons);
}

struct min_bytes_param {
	struct fixture_text text;
	long min_bytes;
};

static const struct min_bytes_param min_bytes_params[] = {
	{ { "auto", 0 }, MO_MIN_BYTES_AUTO },
	{ { "0", 0 }, 0 },
	{ { "1", 0 }, 1 },
	{ { "0004", 0 }, 4 },
	{ { "65536", 0 }, 65536 },
	{ { "64K", 0 }, SZ_64K },
	{ { "64k", 0 }, SZ_64K },
	{ { "2M", 0 }, SZ_2M },
	{ { "2m", 0 }, SZ_2M },
	{ { "1G", 0 }, SZ_1G },
	{ { "9223372036854775807", 0 }, LONG_MAX },
	{ { "8589934591G", 0 }, 8589934591L << 30 },
	{ { "", -EINVAL } },
	{ { "K", -EINVAL } },
	{ { "-1", -EINVAL } },
	{ { "+1", -EINVAL } },
	{ { " 1", -EINVAL } },
	{ { "1 ", -EINVAL } },
	{ { "1 K", -EINVAL } },
	{ { "1\n", -EINVAL } },
	{ { "0x10", -EINVAL } },
	{ { "1KB", -EINVAL } },
	{ { "1KK", -EINVAL } },
	{ { "1T", -EINVAL } },
	{ { "1.5M", -EINVAL } },
	{ { "AUTO", -EINVAL } },
	{ { "9223372036854775808", -EINVAL } },
	{ { "18446744073709551615", -EINVAL } },
	{ { "18446744073709551616", -EINVAL } },
	{ { "8589934592G", -EINVAL } },
	{ { "000000000000000000000000000000000001", -EINVAL } },
};

static void min_bytes_desc(const struct min_bytes_param *param, char *desc)
{
	fixture_text_desc(&param->text, desc);
}

KUNIT_ARRAY_PARAM(min_bytes, min_bytes_params, min_bytes_desc);

static void policy_parses_min_bytes(struct kunit *test)
{
	const struct min_bytes_param *param = test->param_value;
	struct mo_node *node = fixture_node(test);

	node->min_bytes = 4711;
	KUNIT_EXPECT_EQ(test, param->text.err,
			mo_policy_set_min_bytes(node, param->text.text));
	KUNIT_EXPECT_EQ(test, node->min_bytes,
			param->text.err ? 4711 : param->min_bytes);
}

/* Whom does the policy pick? NULL if nobody. */
static struct mo_engine *policy_picks(struct kunit *test, struct mo_node *node,
				      unsigned int order, size_t bytes,
				      enum mo_refusal *why)
{
	struct folio *src = fixture_folio(test, order);
	struct folio *dst = fixture_folio(test, order);
	struct mo_piece piece = mo_whole(src, dst);
	struct mo_engine *engine;
	struct mo_batch *batch;

	batch = mo_policy_pick(node, &piece, bytes ?: piece.bytes,
			       MO_CHOICE_ANY, why);
	if (!batch)
		return NULL;
	engine = batch->engine;
	mo_batch_cancel(batch);
	return engine;
}

static void policy_expect_refusal(struct kunit *test, struct mo_node *node,
				  unsigned int order, size_t bytes,
				  enum mo_refusal expected)
{
	enum mo_refusal why = MO_ACCEPTED;

	KUNIT_EXPECT_NULL(test, policy_picks(test, node, order, bytes, &why));
	KUNIT_EXPECT_EQ(test, expected, why);
}

static void policy_expect_pick(struct kunit *test, struct mo_node *node,
			       const struct fake_engine *fake)
{
	enum mo_refusal why;

	KUNIT_EXPECT_PTR_EQ(test, fake->mo,
			    policy_picks(test, node, 0, 0, &why));
}

static struct fake_engine *policy_engine(struct kunit *test, const char *name,
					 int nid)
{
	struct migrate_offload_engine_info info = fake_info();

	info.name = name;
	info.numa_node = nid;
	info.max_batches = 1;
	return fake_register(test, &info);
}

/* A name that is chosen is used whenever it is there. */
static void policy_names_outlive_engines(struct kunit *test)
{
	struct mo_node *node = fixture_node(test);
	struct fake_engine *a, *b;

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fakeA,fakeB"));
	policy_expect_refusal(test, node, 0, 0, MO_REFUSED_NO_ENGINE);
	policy_expect_choice(test, node, "fakeA,fakeB");

	b = policy_engine(test, "fakeB", NUMA_NO_NODE);
	policy_expect_pick(test, node, b);
	a = policy_engine(test, "fakeA", NUMA_NO_NODE);
	policy_expect_pick(test, node, a);
	policy_expect_choice(test, node, "fakeA,fakeB");

	fake_unregister(test, a);
	policy_expect_pick(test, node, b);
	policy_expect_choice(test, node, "fakeA,fakeB");
	a = policy_engine(test, "fakeA", NUMA_NO_NODE);
	policy_expect_pick(test, node, a);

	fake_unregister(test, a);
	fake_unregister(test, b);
	policy_expect_refusal(test, node, 0, 0, MO_REFUSED_NO_ENGINE);
}

/* The list is in order of preference: the next one if the first cannot. */
static void policy_list_is_in_order(struct kunit *test)
{
	struct mo_node *node = fixture_node(test);
	struct fake_engine *a, *b;
	struct mo_batch *batch;

	/* Neither the order of names, nor of registration, nor of places. */
	b = policy_engine(test, "fakeB", 0);
	a = policy_engine(test, "fakeA", NUMA_NO_NODE);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fakeA,fakeB"));
	policy_expect_pick(test, node, a);

	/* Busy: it has one batch. */
	batch = mo_batch_get(a->mo);
	KUNIT_ASSERT_NOT_NULL(test, batch);
	policy_expect_pick(test, node, b);
	mo_batch_cancel(batch);
	policy_expect_pick(test, node, a);

	migrate_offload_engine_failed(a->engine);
	policy_expect_pick(test, node, b);
	KUNIT_ASSERT_EQ(test, 0, fake_reset(a));
	policy_expect_pick(test, node, a);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fakeB,fakeA"));
	policy_expect_pick(test, node, b);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fakeB"));
	policy_expect_pick(test, node, b);
}

/* "auto": those on the node first, and never the CPU. */
static void policy_auto_is_local_first(struct kunit *test)
{
	struct mo_node *node = fixture_node(test);
	struct fake_engine *far, *near;
	struct mo_batch *batch;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "auto"));
	far = policy_engine(test, "fakeA", NUMA_NO_NODE);
	near = policy_engine(test, "fakeB", 0);
	policy_expect_pick(test, node, near);
	KUNIT_EXPECT_PTR_EQ(test, near->mo,
			    rcu_access_pointer(node->choice[0]));
	for (i = 0; i < MO_MAX_CHOICE; i++) {
		struct mo_engine *engine = rcu_access_pointer(node->choice[i]);

		if (engine)
			KUNIT_EXPECT_FALSE(test, engine->by_cpu);
	}

	/* Let those that are here anyway not get in the way. */
	for (i = 1; i < MO_MAX_CHOICE; i++)
		if (rcu_access_pointer(node->choice[i]) != far->mo)
			RCU_INIT_POINTER(node->choice[i], NULL);
	batch = mo_batch_get(near->mo);
	KUNIT_ASSERT_NOT_NULL(test, batch);
	policy_expect_pick(test, node, far);
	mo_batch_cancel(batch);
	policy_expect_pick(test, node, near);

	fake_unregister(test, near);
	KUNIT_EXPECT_PTR_NE(test, near->mo,
			    rcu_access_pointer(node->choice[0]));
}

/* More engines than are looked at: the nearest are. */
static void policy_auto_keeps_the_nearest(struct kunit *test)
{
	struct mo_node *node = fixture_node(test);
	char name[MIGRATE_OFFLOAD_NAME_LEN];
	struct fake_engine *near;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "auto"));
	for (i = 0; i < MO_MAX_CHOICE + 2; i++) {
		snprintf(name, sizeof(name), "fake%u", i);
		policy_engine(test, name, NUMA_NO_NODE);
	}
	near = policy_engine(test, "near", 0);
	KUNIT_EXPECT_PTR_EQ(test, near->mo,
			    rcu_access_pointer(node->choice[0]));
	for (i = 1; i < MO_MAX_CHOICE; i++)
		KUNIT_EXPECT_NOT_NULL(test,
				      rcu_access_pointer(node->choice[i]));
}

static void policy_refuses_with_a_reason(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node *node = fixture_node(test);
	struct mo_engine_stats stats;
	struct fake_engine *fake;
	struct mo_batch *batch;

	info.max_batches = 1;
	info.min_bytes = SZ_64K;
	info.align = SZ_16K;
	fake = fake_register(test, &info);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fake0"));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "auto"));

	policy_expect_refusal(test, node, 2, SZ_64K - 1, MO_REFUSED_TOO_SMALL);
	policy_expect_refusal(test, node, 0, SZ_64K, MO_REFUSED_LIMITS);
	batch = mo_batch_get(fake->mo);
	KUNIT_ASSERT_NOT_NULL(test, batch);
	policy_expect_refusal(test, node, 2, SZ_64K, MO_REFUSED_BUSY);
	mo_batch_cancel(batch);
	migrate_offload_engine_failed(fake->engine);
	policy_expect_refusal(test, node, 2, SZ_64K, MO_REFUSED_NO_ENGINE);
	KUNIT_ASSERT_EQ(test, 0, fake_reset(fake));

	fixture_engine_stats(fake->mo, &stats);
	KUNIT_EXPECT_EQ(test, 1, stats.refused[MO_REFUSED_TOO_SMALL]);
	KUNIT_EXPECT_EQ(test, 1, stats.refused[MO_REFUSED_LIMITS]);
	KUNIT_EXPECT_EQ(test, 1, stats.refused[MO_REFUSED_BUSY]);
	KUNIT_EXPECT_EQ(test, 1, stats.refused[MO_REFUSED_NO_ENGINE]);
}

/* The administrator's number goes before the engine's advice. */
static void policy_min_bytes(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node *node = fixture_node(test);
	struct fake_engine *fake;

	info.min_bytes = SZ_64K;
	fake = fake_register(test, &info);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fake0"));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "0"));
	policy_expect_pick(test, node, fake);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "4096"));
	policy_expect_pick(test, node, fake);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "4097"));
	policy_expect_refusal(test, node, 0, SZ_4K, MO_REFUSED_TOO_SMALL);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "1M"));
	policy_expect_refusal(test, node, 0, SZ_64K, MO_REFUSED_TOO_SMALL);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "auto"));
	policy_expect_refusal(test, node, 0, SZ_64K - 1, MO_REFUSED_TOO_SMALL);
	policy_expect_refusal(test, node, 0, 1, MO_REFUSED_TOO_SMALL);
}

/* What is there is shown, what was chosen is in brackets. */
static void policy_shows_what_is_there(struct kunit *test)
{
	struct mo_node *node = fixture_node(test);
	char *page = policy_page(test);

	policy_engine(test, "fakeA", NUMA_NO_NODE);
	policy_engine(test, "fakeB", NUMA_NO_NODE);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "auto"));
	KUNIT_EXPECT_EQ(test, mo_policy_show_engines(node, page), strlen(page));
	KUNIT_EXPECT_TRUE(test, strstarts(page, "[auto] cpu "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(page, " fakeA fakeB\n"));

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "cpu"));
	mo_policy_show_engines(node, page);
	KUNIT_EXPECT_TRUE(test, strstarts(page, "auto [cpu] "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(page, " fakeA fakeB\n"));

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "fakeB,none"));
	mo_policy_show_engines(node, page);
	KUNIT_EXPECT_TRUE(test, strstarts(page, "auto cpu "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(page, " fakeA [fakeB,none]\n"));

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "none"));
	mo_policy_show_engines(node, page);
	KUNIT_EXPECT_NOT_NULL(test, strstr(page, " fakeA fakeB [none]\n"));
}

/* Parts are for all nodes, and the machine may have others. */
static void policy_expect_parts(struct kunit *test, int first, int pages)
{
	size_t others = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (nid && mo_node(nid))
			others = max(others, mo_node(nid)->least_bytes);
	others = DIV_ROUND_UP(others, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, max_t(int, first, others),
			__migrate_offload_first_pages);
	KUNIT_EXPECT_EQ(test, max_t(int, pages, others), mo_part_pages);
}

/* While unmapping, no less is offered than those chosen would take. */
static void policy_parts_are_large_enough(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node *node = fixture_node(test);
	struct fake_engine *fake;

	info.min_bytes = 0;
	info.name = "small";
	fake_register(test, &info);
	info.min_bytes = 100 * PAGE_SIZE - 1;
	info.name = "large";
	fake = fake_register(test, &info);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "small"));
	policy_expect_parts(test, MO_FIRST_PAGES, MO_PART_PAGES);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, "small,large"));
	policy_expect_parts(test, 100, 100);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "4K"));
	policy_expect_parts(test, MO_FIRST_PAGES, MO_PART_PAGES);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "1M"));
	policy_expect_parts(test, SZ_1M / PAGE_SIZE, SZ_1M / PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "1G"));
	policy_expect_parts(test, MO_BATCH_FOLIOS, MO_BATCH_FOLIOS);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "auto"));
	policy_expect_parts(test, 100, 100);
	fake_unregister(test, fake);
	policy_expect_parts(test, MO_FIRST_PAGES, MO_PART_PAGES);
}

static struct kunit_case policy_test_cases[] = {
	KUNIT_CASE_PARAM(policy_parses_engines, engines_gen_params),
	KUNIT_CASE_PARAM(policy_parses_reasons, reasons_gen_params),
	KUNIT_CASE_PARAM(policy_parses_min_bytes, min_bytes_gen_params),
	KUNIT_CASE(policy_names_outlive_engines),
	KUNIT_CASE(policy_list_is_in_order),
	KUNIT_CASE(policy_auto_is_local_first),
	KUNIT_CASE(policy_auto_keeps_the_nearest),
	KUNIT_CASE(policy_refuses_with_a_reason),
	KUNIT_CASE(policy_min_bytes),
	KUNIT_CASE(policy_shows_what_is_there),
	KUNIT_CASE(policy_parts_are_large_enough),
	{}
};

static struct kunit_suite policy_test_suite = {
	.name = "migrate_offload_policy",
	.test_cases = policy_test_cases,
};

kunit_test_suite(policy_test_suite);
