// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what engines cannot carry: poison, tags, memory that bounces,
 * memory of devices
 */
#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "fake_engine.h"
#include "fixture.h"

/* The machine check that copy_mc_highpage() survives, and queues. */
struct carry_poison {
	unsigned long pfn;
	unsigned int hits;
};

static int carry_copy_page(unsigned long dst, unsigned long src)
{
	struct carry_poison *poison = kunit_get_current_test()->priv;

	if (src == poison->pfn) {
		poison->hits++;
		return -EHWPOISON;
	}
	copy_highpage(pfn_to_page(dst), pfn_to_page(src));
	return 0;
}

static const struct poison_param {
	const char *name;
	unsigned int order;
	unsigned int page;	/* of the folio: this one is poisoned */
} poison_params[] = {
	{ "cpu", 0, 0 }, { "cpu", 4, 0 }, { "cpu", 4, 15 }, { "cpu", 9, 300 },
	/* All in one unit: helpers, which no stub reaches, are not asked for. */
	{ "cpu-mt", 0, 0 }, { "cpu-mt", 1, 0 }, { "cpu-mt", 1, 1 },
};

static void poison_desc(const struct poison_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, order %u, page %u",
		 param->name, param->order, param->page);
}

KUNIT_ARRAY_PARAM(poison, poison_params, poison_desc);

/* One folio has poison: it says so, and all others are copied. */
static void carry_poison(struct kunit *test)
{
	const struct poison_param *param = test->param_value;
	struct mo_engine_stats stats_before, stats;
	struct mo_node_stats before, node;
	struct carry_poison poison = {};
	const unsigned int nr = 5, bad = 2;
	struct fixture_pairs *pairs;
	struct mo_engine *engine;
	unsigned int i;

	mutex_lock(&mo_lock);
	engine = mo_engine_find(param->name);
	mutex_unlock(&mo_lock);
	KUNIT_ASSERT_NOT_NULL(test, engine);
	fixture_enable(test, engine);
	test->priv = &poison;
	kunit_activate_static_stub(test, mo_copy_page, carry_copy_page);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, nr, param->order);
	poison.pfn = folio_pfn(pairs->src[bad]) + param->page;

	fixture_node_stats(&before);
	fixture_engine_stats(engine, &stats_before);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, i == bad ? -EHWPOISON : 0,
				fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_EQ(test, i != bad, fixture_pairs_copied(pairs, i));
		if (i != bad)
			KUNIT_EXPECT_TRUE(test, fixture_filled(pairs->dst[i], i));
	}
	fixture_pairs_end(pairs);
	KUNIT_EXPECT_EQ(test, 1, poison.hits);

	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, nr - 1, node.copied_cpu);
	KUNIT_EXPECT_EQ(test, 1, node.failed);
	KUNIT_EXPECT_EQ(test, 0, node.quarantined);
	fixture_engine_stats(engine, &stats);
	KUNIT_EXPECT_EQ(test, 1, stats.errors - stats_before.errors);
	KUNIT_EXPECT_EQ(test, nr - 1, stats.folios - stats_before.folios);
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&engine->quarantined_pages));
}

/* However much memory is poisoned, it is not the CPU that has failed. */
static void carry_poison_fails_no_cpu(struct kunit *test)
{
	struct carry_poison poison = {};
	struct fixture_pairs *pairs;
	struct mo_engine *engine;
	unsigned int i;

	mutex_lock(&mo_lock);
	engine = mo_engine_find("cpu");
	mutex_unlock(&mo_lock);
	fixture_enable(test, engine);
	test->priv = &poison;
	kunit_activate_static_stub(test, mo_copy_page, carry_copy_page);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 1, 0);
	poison.pfn = folio_pfn(pairs->src[0]);
	for (i = 0; i < 2 * MO_MAX_BAD_BATCHES; i++) {
		KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
		KUNIT_EXPECT_EQ(test, -EHWPOISON, fixture_pairs_wait(pairs, 0));
		fixture_pairs_end(pairs);
	}
	KUNIT_EXPECT_TRUE(test, mo_engine_online(engine));
}

/* What is known to be poisoned is not offered, wherever in the folio it is. */
static void carry_refuses_known_poison(struct kunit *test)
{
	struct folio *src = fixture_folio(test, 9);
	struct folio *dst = fixture_folio(test, 9);

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE) ||
	    !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "no poison, or no large folios");
	KUNIT_EXPECT_EQ(test, MO_ACCEPTED, mo_folio_refusal(src, dst));
	folio_set_has_hwpoisoned(src);
	KUNIT_EXPECT_EQ(test, MO_REFUSED_POISON, mo_folio_refusal(src, dst));
	folio_clear_has_hwpoisoned(src);
	folio_set_hwpoison(src);
	KUNIT_EXPECT_EQ(test, MO_REFUSED_POISON, mo_folio_refusal(src, dst));
	folio_clear_hwpoison(src);
	KUNIT_EXPECT_EQ(test, MO_ACCEPTED, mo_folio_refusal(src, dst));
}

static bool carry_true(void)
{
	return true;
}

static bool carry_false(void)
{
	return false;
}

struct tags_param {
	const char *engines;
	bool tags;
};

static const struct tags_param tags_params[] = {
	{ "fake0", false },
	{ "fake0", true },
	{ "fake0,cpu", true },
	{ "fake0,cpu-mt", true },
};

static void tags_desc(const struct tags_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: %s",
		 param->tags ? "tags" : "no tags", param->engines);
}

KUNIT_ARRAY_PARAM(tags, tags_params, tags_desc);

/* Tags (MTE) and shadows (KMSAN): the CPU carries them, others are not asked. */
static void carry_tags(struct kunit *test)
{
	const struct tags_param *param = test->param_value;
	bool by_cpu = param->tags && strchr(param->engines, ',');
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct mo_engine_stats stats;
	struct fixture_pairs *pairs;
	struct fake_engine *fake;
	unsigned int i;

	kunit_activate_static_stub(test, mo_arch_needs_cpu,
				   param->tags ? carry_true : carry_false);
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(mo_node(0),
						       param->engines));
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 4, 0);
	fixture_node_stats(&before);
	KUNIT_ASSERT_EQ(test, by_cpu || !param->tags,
			fixture_pairs_begin(pairs, MR_SYSCALL) !=
			MIGRATE_OFFLOAD_NONE);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, 0, fixture_pairs_wait(pairs, i));
		KUNIT_EXPECT_EQ(test, by_cpu || !param->tags,
				fixture_pairs_copied(pairs, i));
	}
	fixture_pairs_end(pairs);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, param->tags ? 0 : 4, node.copied_engine);
	KUNIT_EXPECT_EQ(test, by_cpu ? 4 : 0, node.copied_cpu);
	KUNIT_EXPECT_EQ(test, param->tags && !by_cpu ? 4 : 0,
			node.refused[MO_REFUSED_TAGS]);
	KUNIT_EXPECT_EQ(test, !param->tags, fake->submits);
	fixture_engine_stats(fake->mo, &stats);
	/* Once for each folio that has no batch yet: by the CPU, one has. */
	KUNIT_EXPECT_EQ(test, !param->tags ? 0 : by_cpu ? 1 : 4,
			stats.refused[MO_REFUSED_TAGS]);
}

static int carry_register(const struct migrate_offload_engine_info *info)
{
	struct migrate_offload_engine *engine;

	engine = migrate_offload_register(info, NULL);
	if (!IS_ERR(engine))
		migrate_offload_unregister(engine);
	return PTR_ERR_OR_ZERO(engine);
}

/* An engine whose mappings may bounce, for one reason or another. */
static void carry_refuses_engines_that_bounce(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct device *dev;

	if (!IS_ENABLED(CONFIG_HAS_DMA))
		kunit_skip(test, "no DMA");
	dev = kunit_device_register(test, "carry");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	dev->dma_mask = &dev->coherent_dma_mask;
	KUNIT_ASSERT_EQ(test, 0,
			dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	info.dma_dev = dev;
	kunit_activate_static_stub(test, mo_memory_encrypted, carry_false);
	if (carry_register(&info))
		kunit_skip(test, "all that is mapped on this machine may bounce");

	kunit_activate_static_stub(test, mo_memory_encrypted, carry_true);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, carry_register(&info));
	/* One that uses physical addresses does not bounce. */
	info.dma_dev = NULL;
	KUNIT_EXPECT_EQ(test, 0, carry_register(&info));

	info.dma_dev = dev;
	kunit_activate_static_stub(test, mo_memory_encrypted, carry_false);
	KUNIT_EXPECT_EQ(test, 0, carry_register(&info));
	dev->coherent_dma_mask = DMA_BIT_MASK(24);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, carry_register(&info));
}

/* Which side is a device's memory. */
static const bool device_params[] = { false, true };

static void device_desc(const bool *dst, char *desc)
{
	strscpy(desc, *dst ? "destination" : "source", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(device, device_params, device_desc);

/* A copy of what describes @folio, which says that it is a device's. */
static struct folio *carry_device_folio(struct kunit *test, struct folio *folio)
{
	struct folio *device = kunit_kzalloc(test, sizeof(*device), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, device);
	memcpy(device, folio, sizeof(struct page));
	INIT_LIST_HEAD(&device->lru);
#ifdef CONFIG_ZONE_DEVICE
	set_page_zone(&device->page, ZONE_DEVICE);
#endif
	return device;
}

static void carry_refuses_device_memory(struct kunit *test)
{
	const bool *dst_is_device = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, node;
	struct folio *src, *dst;
	struct fake_engine *fake;
	LIST_HEAD(srcs);
	LIST_HEAD(dsts);

	if (!IS_ENABLED(CONFIG_ZONE_DEVICE))
		kunit_skip(test, "no CONFIG_ZONE_DEVICE");
	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	src = fixture_folio(test, 0);
	dst = fixture_folio(test, 0);
	KUNIT_EXPECT_EQ(test, MO_ACCEPTED, mo_folio_refusal(src, dst));
	if (*dst_is_device)
		dst = carry_device_folio(test, dst);
	else
		src = carry_device_folio(test, src);
	list_add(&src->lru, &srcs);
	list_add(&dst->lru, &dsts);
	dst->private = NULL;

	fixture_node_stats(&before);
	KUNIT_EXPECT_FALSE(test, migrate_offload_begin(&srcs, &dsts, MR_SYSCALL,
						       NULL));
	KUNIT_EXPECT_NULL(test, dst->private);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 1, node.offered);
	KUNIT_EXPECT_EQ(test, 1, node.refused[MO_REFUSED_ZONE_DEVICE]);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);
	list_del(&src->lru);
	list_del(&dst->lru);
}

/* What migrate_pages() does not bring, or not yet: it would be counted, too. */
static const enum mo_refusal unfit_params[] = {
	MO_REFUSED_WRITEBACK, MO_REFUSED_MOVABLE,
};

static void unfit_desc(const enum mo_refusal *why, char *desc)
{
	strscpy(desc, mo_refusal_names[*why], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(unfit, unfit_params, unfit_desc);

static void carry_refuses_unfit_folios(struct kunit *test)
{
	const enum mo_refusal *why = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct folio *src = fixture_folio(test, 0);
	struct folio *dst = fixture_folio(test, 0);
	struct mo_node_stats before, node;
	struct fake_engine *fake;
	LIST_HEAD(srcs);
	LIST_HEAD(dsts);
	unsigned int i;

	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	list_add(&src->lru, &srcs);
	list_add(&dst->lru, &dsts);
	dst->private = NULL;
	if (*why == MO_REFUSED_WRITEBACK)
		folio_test_set_writeback(src);
	else
		src->mapping = (void *)PAGE_MAPPING_MOVABLE;

	fixture_node_stats(&before);
	KUNIT_EXPECT_FALSE(test, migrate_offload_begin(&srcs, &dsts, MR_SYSCALL,
						       NULL));
	if (*why == MO_REFUSED_WRITEBACK)
		folio_test_clear_writeback(src);
	else
		src->mapping = NULL;
	KUNIT_EXPECT_NULL(test, dst->private);
	fixture_node_stats_since(test, &before, &node);
	KUNIT_EXPECT_EQ(test, 1, node.offered);
	for (i = 0; i < MO_NR_REFUSALS; i++)
		KUNIT_EXPECT_EQ(test, i == *why, node.refused[i]);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);
	list_del(&src->lru);
	list_del(&dst->lru);
}

static struct kunit_case carry_test_cases[] = {
	KUNIT_CASE_PARAM(carry_poison, poison_gen_params),
	KUNIT_CASE(carry_poison_fails_no_cpu),
	KUNIT_CASE(carry_refuses_known_poison),
	KUNIT_CASE_PARAM(carry_tags, tags_gen_params),
	KUNIT_CASE(carry_refuses_engines_that_bounce),
	KUNIT_CASE_PARAM(carry_refuses_device_memory, device_gen_params),
	KUNIT_CASE_PARAM(carry_refuses_unfit_folios, unfit_gen_params),
	{}
};

static struct kunit_suite carry_test_suite = {
	.name = "migrate_offload_carry",
	.test_cases = carry_test_cases,
};

kunit_test_suite(carry_test_suite);
