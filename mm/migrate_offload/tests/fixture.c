// SPDX-License-Identifier: GPL-2.0
/*
 * What the suites share: folios, pairs of them, policy and counters
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/string.h>

#include "../../internal.h"
#include "fixture.h"

void fixture_text_desc(const struct fixture_text *param, char *desc)
{
	/* In quotes, because KTAP cares about white space, and about '#'. */
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "\"%s\"", param->text);
	strreplace(desc, '\n', '|');
	strreplace(desc, '#', '_');
	strreplace(desc, '\xe4', 'a');
}

struct fixture_policy {
	struct mo_node node;
	bool enabled;
};

static void fixture_policy_restore(void *data)
{
	struct fixture_policy *old = data;
	struct mo_node *node = mo_node(0);

	mo_set_enabled(old->enabled);
	mutex_lock(&mo_lock);
	node->automatic = old->node.automatic;
	node->goal = old->node.goal;
	node->reasons = old->node.reasons;
	node->min_bytes = old->node.min_bytes;
	node->nr_names = old->node.nr_names;
	node->joined = old->node.joined;
	memcpy(node->names, old->node.names, sizeof(node->names));
	mo_policy_resolve_all();
	mutex_unlock(&mo_lock);
}

struct mo_node *fixture_node(struct kunit *test)
{
	struct mo_node *node = mo_node(0);
	struct fixture_policy *old;

	KUNIT_ASSERT_NOT_NULL(test, node);
	old = kunit_kzalloc(test, sizeof(*old), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, old);
	old->node = *node;
	old->enabled = mo_enabled();
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fixture_policy_restore,
						  old));
	return node;
}

struct mo_node *fixture_enable(struct kunit *test, struct mo_engine *engine)
{
	struct mo_node *node = fixture_node(test);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, engine->name));
	mo_set_enabled(true);
	return node;
}

static void fixture_sum(u64 *sum, const void __percpu *stats, size_t size)
{
	size_t i;
	int cpu;

	memset(sum, 0, size);
	for_each_possible_cpu(cpu)
		for (i = 0; i < size / sizeof(u64); i++)
			sum[i] += ((u64 *)per_cpu_ptr(stats, cpu))[i];
}

void fixture_node_stats(struct mo_node_stats *stats)
{
	fixture_sum((u64 *)stats, mo_node(0)->stats, sizeof(*stats));
}

void fixture_engine_stats(struct mo_engine *engine,
			  struct mo_engine_stats *stats)
{
	fixture_sum((u64 *)stats, engine->stats, sizeof(*stats));
}

void fixture_node_stats_since(struct kunit *test,
			      const struct mo_node_stats *before,
			      struct mo_node_stats *stats)
{
	u64 *now = (u64 *)stats, sum;
	unsigned int i;

	fixture_node_stats(stats);
	for (i = 0; i < sizeof(*stats) / sizeof(u64); i++)
		now[i] -= ((const u64 *)before)[i];

	sum = stats->copied_engine + stats->copied_cpu + stats->failed;
	for (i = 0; i < MO_NR_REFUSALS; i++)
		sum += stats->refused[i];
	KUNIT_EXPECT_EQ(test, stats->offered, sum);
	KUNIT_EXPECT_LE(test, stats->quarantined, stats->failed);
}

void fixture_fill(struct folio *folio, u32 seed)
{
	u32 *word = folio_address(folio);
	size_t i;

	for (i = 0; i < folio_size(folio) / sizeof(*word); i++)
		word[i] = (seed << 16) ^ (i * 2654435761u);
}

bool fixture_filled(struct folio *folio, u32 seed)
{
	u32 *word = folio_address(folio);
	size_t i;

	for (i = 0; i < folio_size(folio) / sizeof(*word); i++)
		if (word[i] != ((seed << 16) ^ (u32)(i * 2654435761u)))
			return false;
	return true;
}

static void fixture_folio_put(void *data)
{
	folio_put(data);
}

struct folio *fixture_folio(struct kunit *test, unsigned int order)
{
	struct folio *folio = __folio_alloc_node(GFP_KERNEL, order, 0);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fixture_folio_put,
						  folio));
	return folio;
}

static void fixture_block_free(void *data)
{
	struct fixture_block *block = data;
	unsigned int i;

	for (i = 0; i < block->nr; i++)
		folio_put(block->folios[i]);
}

struct fixture_block *fixture_block(struct kunit *test,
				    const unsigned char *orders,
				    unsigned int nr)
{
	struct fixture_block *block = kunit_kzalloc(test, sizeof(*block),
						    GFP_KERNEL);
	struct page *page;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, block);
	page = alloc_pages_node(0, GFP_KERNEL, FIXTURE_BLOCK_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, page);
	block->page = page;
	for (i = 0; i < nr; i++) {
		if (i)
			set_page_refcounted(page);
		if (orders[i])
			prep_compound_page(page, orders[i]);
		block->folios[block->nr++] = page_folio(page);
		page += 1 << orders[i];
	}
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fixture_block_free,
						  block));
	KUNIT_ASSERT_EQ(test, FIXTURE_BLOCK_PAGES, page - block->page);
	return block;
}

static void fixture_pairs_free(void *data)
{
	struct fixture_pairs *pairs = data;
	unsigned int i;

	fixture_pairs_end(pairs);
	for (i = 0; i < pairs->nr; i++) {
		folio_unlock(pairs->src[i]);
		folio_unlock(pairs->dst[i]);
		if (pairs->owned[i]) {
			folio_put(pairs->src[i]);
			folio_put(pairs->dst[i]);
		}
	}
}

struct fixture_pairs *fixture_pairs(struct kunit *test)
{
	struct fixture_pairs *pairs = kunit_kzalloc(test, sizeof(*pairs),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pairs);
	INIT_LIST_HEAD(&pairs->srcs);
	INIT_LIST_HEAD(&pairs->dsts);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fixture_pairs_free,
						  pairs));
	return pairs;
}

void fixture_pairs_add(struct fixture_pairs *pairs, struct folio *src,
		       struct folio *dst)
{
	unsigned int i = pairs->nr++;

	pairs->src[i] = src;
	pairs->dst[i] = dst;
	folio_lock(src);
	folio_lock(dst);
	fixture_fill(src, i);
	dst->private = NULL;
	list_add_tail(&src->lru, &pairs->srcs);
	list_add_tail(&dst->lru, &pairs->dsts);
}

void fixture_pairs_fill(struct kunit *test, struct fixture_pairs *pairs,
			unsigned int nr, unsigned int order)
{
	struct folio *src, *dst;

	while (nr--) {
		src = __folio_alloc_node(GFP_KERNEL, order, 0);
		dst = __folio_alloc_node(GFP_KERNEL, order, 0);
		if (!src || !dst) {
			if (src)
				folio_put(src);
			if (dst)
				folio_put(dst);
			KUNIT_FAIL_AND_ABORT(test, "no memory");
		}
		pairs->owned[pairs->nr] = true;
		fixture_pairs_add(pairs, src, dst);
	}
}

enum migrate_offload fixture_pairs_begin(struct fixture_pairs *pairs,
					 int reason)
{
	memset(pairs->waited, 0, sizeof(pairs->waited));
	/* All that there is, unless the test has others follow. */
	if (!pairs->run.more)
		memset(&pairs->run, 0, sizeof(pairs->run));
	pairs->begun = migrate_offload_begin(&pairs->srcs, &pairs->dsts, reason,
					     &pairs->run);
	return pairs->begun;
}

struct migrate_offload_batch *fixture_pairs_batch(struct fixture_pairs *pairs,
						  unsigned int i)
{
	unsigned long private = (unsigned long)pairs->dst[i]->private;
	struct mo_pair *pair = (void *)(private & ~MIGRATE_OFFLOAD_MARK);

	return &pair->batch->pub;
}

int fixture_pairs_wait(struct fixture_pairs *pairs, unsigned int i)
{
	pairs->waited[i] = true;
	return migrate_offload_wait(pairs->dst[i]);
}

bool fixture_pairs_copied(struct fixture_pairs *pairs, unsigned int i)
{
	return migrate_offload_test_clear_copied(pairs->dst[i]);
}

void fixture_pairs_end(struct fixture_pairs *pairs)
{
	unsigned int i;

	if (!pairs->begun)
		return;
	for (i = 0; i < pairs->nr; i++) {
		if (!pairs->waited[i])
			fixture_pairs_wait(pairs, i);
		fixture_pairs_copied(pairs, i);
	}
	migrate_offload_end(pairs->begun);
	pairs->begun = MIGRATE_OFFLOAD_NONE;
}
