// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/batch.c
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "fake_engine.h"
#include "fixture.h"

/* A batch, of which the test is both the engine and the task that migrates. */
struct test_batch {
	struct mo_batch *mo;
	struct migrate_offload_batch *pub;
	bool quiesced;
	bool put;
};

static void test_batch_quiesced(struct test_batch *batch)
{
	batch->quiesced = true;
	migrate_offload_batch_quiesced(batch->pub);
}

static void test_batch_put(struct test_batch *batch)
{
	batch->put = true;
	mo_batch_put(batch->mo);
}

static void test_batch_end(void *data)
{
	struct test_batch *batch = data;

	if (!batch->quiesced)
		test_batch_quiesced(batch);
	if (!batch->put)
		test_batch_put(batch);
}

static struct test_batch *test_batch(struct kunit *test,
				     struct fake_engine *fake)
{
	struct test_batch *batch = kunit_kzalloc(test, sizeof(*batch),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, batch);
	batch->mo = mo_batch_get(fake->mo);
	KUNIT_ASSERT_NOT_NULL(test, batch->mo);
	batch->pub = &batch->mo->pub;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, test_batch_end, batch));
	return batch;
}

/* Folios of one page each, all of them adjacent, on both sides. */
struct test_pages {
	struct fixture_block *src;
	struct fixture_block *dst;
};

static struct test_pages test_pages(struct kunit *test)
{
	unsigned char *orders = kunit_kzalloc(test, FIXTURE_BLOCK_PAGES,
					      GFP_KERNEL);
	struct test_pages pages;

	KUNIT_ASSERT_NOT_NULL(test, orders);
	pages.src = fixture_block(test, orders, FIXTURE_BLOCK_PAGES);
	pages.dst = fixture_block(test, orders, FIXTURE_BLOCK_PAGES);
	return pages;
}

static bool test_batch_add(struct mo_batch *batch, struct test_pages *pages,
			   unsigned int src, unsigned int dst)
{
	struct mo_piece piece = mo_whole(pages->src->folios[src],
					 pages->dst->folios[dst]);

	return mo_batch_add(batch, &piece);
}

/* Which pairs of pages, by number in their blocks, make which extents. */
struct merge_param {
	const char *name;
	size_t max_extent_bytes;
	unsigned int max_extents;
	unsigned int nr;		/* of pairs that fit */
	unsigned char src[6];
	unsigned char dst[6];
	unsigned int nr_extents;
	unsigned char pages[6];		/* of the extents */
};

static const struct merge_param merge_params[] = {
	{ "both sides go on", 0, 8, 4, { 0, 1, 2, 3 }, { 9, 10, 11, 12 },
	  1, { 4 } },
	{ "only the source goes on", 0, 8, 3, { 0, 1, 2 }, { 9, 11, 13 },
	  3, { 1, 1, 1 } },
	{ "only the destination goes on", 0, 8, 3, { 0, 2, 4 }, { 9, 10, 11 },
	  3, { 1, 1, 1 } },
	{ "backwards", 0, 8, 3, { 5, 4, 3 }, { 9, 8, 7 }, 3, { 1, 1, 1 } },
	{ "a gap on both sides", 0, 8, 4, { 0, 1, 3, 4 }, { 9, 10, 12, 13 },
	  2, { 2, 2 } },
	{ "longest extent", 2 * PAGE_SIZE, 8, 5, { 0, 1, 2, 3, 4 },
	  { 9, 10, 11, 12, 13 }, 3, { 2, 2, 1 } },
	{ "longest extent, not whole pages", 2 * PAGE_SIZE + 1, 8, 5,
	  { 0, 1, 2, 3, 4 }, { 9, 10, 11, 12, 13 }, 3, { 2, 2, 1 } },
	{ "one extent, merged", 0, 1, 3, { 0, 1, 2, 9 }, { 3, 4, 5, 9 },
	  1, { 3 } },
	{ "two extents, cut", 2 * PAGE_SIZE, 2, 4, { 0, 1, 2, 3, 4 },
	  { 9, 10, 11, 12, 13 }, 2, { 2, 2 } },
};

static void merge_desc(const struct merge_param *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(merge, merge_params, merge_desc);

/* Adjacent pairs become one extent, if both sides are adjacent. */
static void batch_merges_adjacent_pairs(struct kunit *test)
{
	const struct merge_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *batch;
	struct test_pages pages;
	struct fake_engine *fake;
	unsigned int i, page = 0;

	info.max_extent_bytes = param->max_extent_bytes;
	info.max_extents = param->max_extents;
	fake = fake_register(test, &info);
	pages = test_pages(test);
	batch = test_batch(test, fake);

	for (i = 0; i < param->nr; i++)
		KUNIT_ASSERT_TRUE(test, test_batch_add(batch->mo, &pages,
						       param->src[i],
						       param->dst[i]));
	/* The tables of full batches have one pair more. */
	if (i < ARRAY_SIZE(param->src) && param->src[i])
		KUNIT_EXPECT_FALSE(test, test_batch_add(batch->mo, &pages,
							param->src[i],
							param->dst[i]));
	mo_batch_seal(batch->mo);

	KUNIT_EXPECT_EQ(test, param->nr, batch->mo->nr_pairs);
	KUNIT_EXPECT_EQ(test, param->nr * PAGE_SIZE, batch->pub->bytes);
	KUNIT_ASSERT_EQ(test, param->nr_extents, batch->pub->nr_extents);
	for (i = 0; i < param->nr_extents; i++) {
		struct migrate_offload_extent *extent = &batch->pub->extents[i];

		KUNIT_EXPECT_EQ(test, extent->src,
				page_to_phys(pages.src->page + param->src[page]));
		KUNIT_EXPECT_EQ(test, extent->dst,
				page_to_phys(pages.dst->page + param->dst[page]));
		KUNIT_EXPECT_EQ(test, extent->len,
				param->pages[i] * PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, extent->channel, 0);
		page += param->pages[i];
	}
}

/* Poison costs the CPU one folio, not its neighbours. */
static void batch_of_cpu_merges_nothing(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *batch;
	struct test_pages pages;
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	fake->mo->by_cpu = true;
	pages = test_pages(test);
	batch = test_batch(test, fake);
	test_batch_add(batch->mo, &pages, 0, 0);
	test_batch_add(batch->mo, &pages, 1, 1);
	mo_batch_seal(batch->mo);
	KUNIT_EXPECT_EQ(test, 2, batch->pub->nr_extents);
	fake->mo->by_cpu = false;
}

static void batch_takes_512_folios(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *batch;
	struct test_pages pages;
	struct fake_engine *fake;
	unsigned int i;

	fake = fake_register(test, &info);
	pages = test_pages(test);
	batch = test_batch(test, fake);
	for (i = 0; i < MO_BATCH_FOLIOS; i++)
		KUNIT_ASSERT_TRUE(test, test_batch_add(batch->mo, &pages, i, i));
	KUNIT_EXPECT_FALSE(test, test_batch_add(batch->mo, &pages, i, i));
	mo_batch_seal(batch->mo);
	KUNIT_EXPECT_EQ(test, 1, batch->pub->nr_extents);
	KUNIT_EXPECT_EQ(test, SZ_2M, batch->pub->extents[0].len);
	KUNIT_EXPECT_EQ(test, MO_BATCH_FOLIOS, batch->mo->unsettled);
}

/* One large folio, and how it is spread. */
struct spread_param {
	unsigned int order;
	unsigned int nr_channels;
	unsigned int max_extents;
	size_t align;
	size_t max_extent_bytes;
	unsigned int nr_extents;
	unsigned int used_channels;
};

static const struct spread_param spread_params[] = {
	/* 2 MiB */
	{ .order = 9, .nr_channels = 1, .max_extents = 64,
	  .nr_extents = 1, .used_channels = 1 },
	{ .order = 9, .nr_channels = 2, .max_extents = 64,
	  .nr_extents = 2, .used_channels = 2 },
	{ .order = 9, .nr_channels = 3, .max_extents = 64,
	  .nr_extents = 3, .used_channels = 3 },
	{ .order = 9, .nr_channels = 4, .max_extents = 4,
	  .nr_extents = 4, .used_channels = 4 },
	{ .order = 9, .nr_channels = 32, .max_extents = 64,
	  .nr_extents = 32, .used_channels = 32 },
	/* A share is 64 KiB at least. */
	{ .order = 9, .nr_channels = 64, .max_extents = 64,
	  .nr_extents = 32, .used_channels = 32 },
	{ .order = 4, .nr_channels = 4, .max_extents = 64,
	  .nr_extents = 1, .used_channels = 1 },
	{ .order = 5, .nr_channels = 4, .max_extents = 64,
	  .nr_extents = 2, .used_channels = 2 },
	/* Would not fit when spread: left alone. */
	{ .order = 9, .nr_channels = 4, .max_extents = 3,
	  .nr_extents = 1, .used_channels = 1 },
	/* The engine's own limit cuts it as well. */
	{ .order = 9, .nr_channels = 4, .max_extents = 64,
	  .max_extent_bytes = SZ_128K, .nr_extents = 16, .used_channels = 4 },
	/* A third, rounded up to the alignment, and what is left over. */
	{ .order = 9, .nr_channels = 3, .max_extents = 64, .align = SZ_1M,
	  .nr_extents = 2, .used_channels = 2 },
};

static void spread_desc(const struct spread_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE,
		 "order %u, %u channels, %u extents, align %zu, longest %zu",
		 param->order, param->nr_channels, param->max_extents,
		 param->align, param->max_extent_bytes);
}

KUNIT_ARRAY_PARAM(spread, spread_params, spread_desc);

static void batch_spreads_a_folio_over_channels(struct kunit *test)
{
	const struct spread_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	DECLARE_BITMAP(used, 64) = {};
	struct test_batch *batch;
	struct mo_piece piece;
	struct fake_engine *fake;
	size_t offset = 0;
	unsigned int i;

	info.nr_channels = param->nr_channels;
	info.max_extents = param->max_extents;
	info.align = param->align;
	info.max_extent_bytes = param->max_extent_bytes;
	fake = fake_register(test, &info);
	piece = mo_whole(fixture_folio(test, param->order),
			 fixture_folio(test, param->order));
	batch = test_batch(test, fake);
	KUNIT_ASSERT_TRUE(test, mo_batch_add(batch->mo, &piece));
	mo_batch_seal(batch->mo);

	KUNIT_ASSERT_EQ(test, param->nr_extents, batch->pub->nr_extents);
	for (i = 0; i < param->nr_extents; i++) {
		struct migrate_offload_extent *extent = &batch->pub->extents[i];

		KUNIT_EXPECT_EQ(test, extent->src,
				PFN_PHYS(folio_pfn(piece.src)) + offset);
		KUNIT_EXPECT_EQ(test, extent->dst,
				PFN_PHYS(folio_pfn(piece.dst)) + offset);
		KUNIT_ASSERT_LT(test, extent->channel, param->nr_channels);
		__set_bit(extent->channel, used);
		offset += extent->len;
	}
	KUNIT_EXPECT_EQ(test, offset, piece.bytes);
	KUNIT_EXPECT_EQ(test, bitmap_weight(used, 64), param->used_channels);
	KUNIT_EXPECT_EQ(test, batch->mo->pairs[0].first, 0);
	KUNIT_EXPECT_EQ(test, batch->mo->pairs[0].last, param->nr_extents - 1);
}

/*
 * The same from the beginning, page by page and the slow way: what the pages of
 * a batch are, and how many extents they make.
 */
struct model {
	unsigned int nr_pages;
	unsigned int nr_extents;
	unsigned int in_extent;		/* pages in the last one */
	unsigned long src[2 * FIXTURE_BLOCK_PAGES];
	unsigned long dst[2 * FIXTURE_BLOCK_PAGES];
	unsigned int pair_end[MO_BATCH_FOLIOS];
};

/* Returns false, and changes nothing, when the batch would be full. */
static bool model_add(struct model *model, unsigned int pair,
		      struct folio *src, struct folio *dst,
		      unsigned int max_pages, unsigned int max_extents)
{
	unsigned int nr_extents = model->nr_extents;
	unsigned int in_extent = model->in_extent;
	unsigned int i, nr = model->nr_pages;

	if (pair == MO_BATCH_FOLIOS)
		return false;
	for (i = 0; i < folio_nr_pages(src); i++, nr++) {
		model->src[nr] = folio_pfn(src) + i;
		model->dst[nr] = folio_pfn(dst) + i;
		if (nr && model->src[nr - 1] + 1 == model->src[nr] &&
		    model->dst[nr - 1] + 1 == model->dst[nr] &&
		    in_extent < max_pages) {
			in_extent++;
		} else {
			in_extent = 1;
			nr_extents++;
		}
	}
	if (nr_extents > max_extents)
		return false;
	model->nr_pages = nr;
	model->nr_extents = nr_extents;
	model->in_extent = in_extent;
	model->pair_end[pair] = nr;
	return true;
}

struct property {
	struct rnd_state rnd;
	struct fixture_block *src;
	struct fixture_block *dst;
	unsigned int nr;		/* folios of a block */
	struct model model;
	unsigned short extent_of[2 * FIXTURE_BLOCK_PAGES];
};

static unsigned int property_random(struct property *p, unsigned int below)
{
	return prandom_u32_state(&p->rnd) % below;
}

static void property_blocks(struct kunit *test, struct property *p)
{
	unsigned char *orders = kunit_kzalloc(test, FIXTURE_BLOCK_PAGES,
					      GFP_KERNEL);
	unsigned int pages, order;

	KUNIT_ASSERT_NOT_NULL(test, orders);
	for (pages = 0; pages < FIXTURE_BLOCK_PAGES; pages += 1 << order) {
		order = property_random(p, 8);
		while (pages & ((1 << order) - 1))
			order--;
		orders[p->nr++] = order;
	}
	p->src = fixture_block(test, orders, p->nr);
	p->dst = fixture_block(test, orders, p->nr);
}

/* Pieces of a folio, as of hugetlb: where they lie, and which is the last. */
static void batch_takes_pieces(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct folio *src = fixture_folio(test, 9);
	struct folio *dst = fixture_folio(test, 9);
	struct fake_engine *fake = fake_register(test, &info);
	struct migrate_offload_extent *extent;
	struct test_batch *batch;
	struct mo_piece piece;
	struct mo_pair *pair;
	size_t offset;

	for (offset = 0; offset < SZ_2M; offset += SZ_512K) {
		batch = test_batch(test, fake);
		piece = mo_whole(src, dst);
		piece.offset = offset;
		piece.bytes = SZ_512K;
		piece.ends = offset == SZ_2M - SZ_512K;
		pair = mo_batch_add(batch->mo, &piece);
		KUNIT_ASSERT_NOT_NULL(test, pair);
		mo_batch_seal(batch->mo);
		KUNIT_EXPECT_EQ(test, offset == SZ_2M - SZ_512K, pair->ends);
		KUNIT_EXPECT_EQ(test, SZ_512K, pair->bytes);
		KUNIT_EXPECT_EQ(test, SZ_512K, batch->pub->bytes);
		KUNIT_ASSERT_EQ(test, 1, batch->pub->nr_extents);
		extent = batch->pub->extents;
		KUNIT_EXPECT_EQ(test, PFN_PHYS(folio_pfn(src)) + offset,
				extent->src);
		KUNIT_EXPECT_EQ(test, PFN_PHYS(folio_pfn(dst)) + offset,
				extent->dst);
		KUNIT_EXPECT_EQ(test, SZ_512K, extent->len);
	}
}

/* Mostly the next one, and mostly the same one on both sides. */
static unsigned int property_fill(struct kunit *test, struct property *p,
				  struct test_batch *batch,
				  unsigned int max_pages,
				  unsigned int max_extents)
{
	unsigned int i = property_random(p, p->nr), j = i, nr;
	unsigned int wanted = 1 + property_random(p, 300);
	size_t bytes, len, last_len;
	unsigned int nr_extents;
	struct mo_piece piece;
	bool fits, added;

	memset(&p->model, 0, sizeof(p->model));
	for (nr = 0; nr < wanted; nr++) {
		if (p->model.nr_pages + 256 > ARRAY_SIZE(p->model.src))
			break;
		i = property_random(p, 4) ? (i + 1) % p->nr :
					    property_random(p, p->nr);
		j = (j + 1) % p->nr;
		if (!property_random(p, 8) || folio_order(p->dst->folios[j]) !=
		    folio_order(p->src->folios[i]))
			j = i;

		fits = model_add(&p->model, nr, p->src->folios[i],
				 p->dst->folios[j], max_pages, max_extents);
		nr_extents = batch->pub->nr_extents;
		bytes = batch->pub->bytes;
		last_len = nr ? batch->pub->extents[nr_extents - 1].len : 0;
		piece = mo_whole(p->src->folios[i], p->dst->folios[j]);
		added = mo_batch_add(batch->mo, &piece);
		KUNIT_ASSERT_EQ(test, fits, added);
		if (fits)
			continue;
		/* Nothing has changed. */
		KUNIT_ASSERT_EQ(test, nr, batch->mo->nr_pairs);
		KUNIT_ASSERT_EQ(test, nr_extents, batch->pub->nr_extents);
		KUNIT_ASSERT_EQ(test, bytes, batch->pub->bytes);
		len = nr ? batch->pub->extents[nr_extents - 1].len : 0;
		KUNIT_ASSERT_EQ(test, last_len, len);
		break;
	}
	KUNIT_ASSERT_EQ(test, p->model.nr_extents, batch->pub->nr_extents);
	return nr;
}

/* The extents are exactly the model's pages, in order, within all limits. */
static void property_check(struct kunit *test, struct property *p,
			   struct test_batch *batch, unsigned int nr,
			   const struct mo_engine *engine)
{
	unsigned int i, k, page = 0, first = 0, channel = 0;
	struct model *model = &p->model;

	KUNIT_ASSERT_LE(test, batch->pub->nr_extents, engine->max_extents);
	KUNIT_ASSERT_EQ(test, batch->pub->bytes, model->nr_pages * PAGE_SIZE);
	for (i = 0; i < batch->pub->nr_extents; i++) {
		struct migrate_offload_extent *extent = &batch->pub->extents[i];

		KUNIT_ASSERT_NE(test, extent->len, 0);
		KUNIT_ASSERT_LE(test, extent->len, engine->max_extent_bytes);
		KUNIT_ASSERT_TRUE(test, PAGE_ALIGNED(extent->len));
		KUNIT_ASSERT_LT(test, extent->channel, engine->nr_channels);
		KUNIT_ASSERT_GE(test, extent->channel, channel);
		channel = extent->channel;
		for (k = 0; k < extent->len >> PAGE_SHIFT; k++, page++) {
			KUNIT_ASSERT_LT(test, page, model->nr_pages);
			KUNIT_ASSERT_EQ(test, extent->src + k * PAGE_SIZE,
					PFN_PHYS(model->src[page]));
			KUNIT_ASSERT_EQ(test, extent->dst + k * PAGE_SIZE,
					PFN_PHYS(model->dst[page]));
			p->extent_of[page] = i;
		}
	}
	KUNIT_ASSERT_EQ(test, page, model->nr_pages);

	for (i = 0; i < nr; i++) {
		struct mo_pair *pair = &batch->mo->pairs[i];

		KUNIT_ASSERT_EQ(test, pair->first, p->extent_of[first]);
		KUNIT_ASSERT_EQ(test, pair->last,
				p->extent_of[model->pair_end[i] - 1]);
		first = model->pair_end[i];
	}
}

/* A pair is as good as its extents, whatever order they are reported in. */
static void property_results(struct kunit *test, struct property *p,
			     struct test_batch *batch, unsigned int nr)
{
	unsigned int i, k, left = batch->pub->nr_extents;
	struct migrate_offload_batch *pub = batch->pub;
	int first_error = 0, expected, error;
	bool hopeless = !property_random(p, 2);

	while (left) {
		KUNIT_ASSERT_FALSE(test, dma_fence_is_signaled(&pub->result));
		/* The next of those that have not been reported. */
		i = property_random(p, pub->nr_extents);
		while (pub->extents[i].error != -EINPROGRESS)
			i = (i + 1) % pub->nr_extents;
		error = property_random(p, hopeless ? 2 : 16) ? 0 :
			-1 - (int)property_random(p, 9);
		if (!first_error)
			first_error = error;
		migrate_offload_extent_done(pub, i, error);
		left--;
	}
	KUNIT_ASSERT_TRUE(test, dma_fence_is_signaled(&pub->result));
	KUNIT_ASSERT_EQ(test, first_error, pub->result.error);
	KUNIT_ASSERT_FALSE(test, dma_fence_is_signaled(&pub->quiesced));

	for (i = 0; i < nr; i++) {
		struct mo_pair *pair = &batch->mo->pairs[i];

		expected = 0;
		for (k = i ? p->model.pair_end[i - 1] : 0;
		     !expected && k < p->model.pair_end[i]; k++)
			expected = pub->extents[p->extent_of[k]].error;
		spin_lock_irq(&pub->lock);
		error = mo_batch_pair_error(batch->mo, pair);
		spin_unlock_irq(&pub->lock);
		KUNIT_ASSERT_EQ(test, expected, error);
	}
}

#define PROPERTY_ENGINES	12
#define PROPERTY_ROUNDS		25

static void batch_covers_every_byte_once(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct property *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct test_batch *batch;
	struct fake_engine *fake;
	unsigned int i, nr, max_pages, round;

	KUNIT_ASSERT_NOT_NULL(test, p);
	prandom_seed_state(&p->rnd, 12);
	property_blocks(test, p);

	for (i = 0; i < PROPERTY_ENGINES; i++) {
		max_pages = i % 2 ? 1 + property_random(p, 128) :
				    2 * FIXTURE_BLOCK_PAGES;
		info.max_extent_bytes = max_pages * PAGE_SIZE;
		info.max_extents = 1 + property_random(p, i % 3 ? 100 : 1024);
		info.nr_channels = 1 + property_random(p, i % 4 ? 16 : 1);
		fake = fake_register(test, &info);
		/* Channels that are not alike. */
		for (nr = 0; fake->mo->channels && nr < info.nr_channels; nr++) {
			fake->mo->channels[nr].samples = ULONG_MAX;
			fake->mo->channels[nr].cost = 1 + property_random(p, 100);
		}
		for (round = 0; round < PROPERTY_ROUNDS; round++) {
			batch = test_batch(test, fake);
			nr = property_fill(test, p, batch, max_pages,
					   info.max_extents);
			if (nr) {
				mo_batch_seal(batch->mo);
				property_check(test, p, batch, nr, fake->mo);
				property_results(test, p, batch, nr);
			}
			kunit_release_action(test, test_batch_end, batch);
		}
		fake_unregister(test, fake);
	}
}

/* Four folios, each an extent of its own, and the order to report them in. */
struct order_param {
	unsigned char order[4];
	int errors[4];		/* of the extents, by number */
	int first;
};

static const struct order_param order_params[] = {
	{ { 0, 1, 2, 3 }, { 0, 0, 0, 0 }, 0 },
	{ { 3, 2, 1, 0 }, { 0, 0, 0, 0 }, 0 },
	{ { 2, 0, 3, 1 }, { -EIO, 0, 0, 0 }, -EIO },
	{ { 0, 1, 2, 3 }, { 0, 0, 0, -EFAULT }, -EFAULT },
	{ { 3, 1, 2, 0 }, { -EIO, 0, -ENXIO, -EFAULT }, -EFAULT },
	{ { 1, 3, 0, 2 }, { -EIO, -EIO, -EIO, -EIO }, -EIO },
};

static void order_desc(const struct order_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%4ph, errors %d %d %d %d",
		 param->order, param->errors[0], param->errors[1],
		 param->errors[2], param->errors[3]);
}

KUNIT_ARRAY_PARAM(order, order_params, order_desc);

/* Batches of four folios that are not adjacent. */
static struct test_batch *test_batch_of_four(struct kunit *test,
					     struct fake_engine *fake)
{
	struct test_pages pages = test_pages(test);
	struct test_batch *batch = test_batch(test, fake);
	unsigned int i;

	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_TRUE(test, test_batch_add(batch->mo, &pages, 2 * i,
						       2 * i));
	mo_batch_seal(batch->mo);
	KUNIT_ASSERT_EQ(test, 4, batch->pub->nr_extents);
	return batch;
}

static void batch_result_is_of_all_extents(struct kunit *test)
{
	const struct order_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct migrate_offload_batch *pub;
	struct test_batch *batch;
	unsigned int i, nr;
	int error;

	batch = test_batch_of_four(test, fake_register(test, &info));
	pub = batch->pub;
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&pub->result));
		nr = param->order[i];
		migrate_offload_extent_done(pub, nr, param->errors[nr]);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&pub->result));
	KUNIT_EXPECT_EQ(test, param->first ?: 1,
			dma_fence_get_status(&pub->result));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&pub->quiesced));
	for (i = 0; i < 4; i++) {
		spin_lock_irq(&pub->lock);
		error = mo_batch_pair_error(batch->mo, &batch->mo->pairs[i]);
		spin_unlock_irq(&pub->lock);
		KUNIT_EXPECT_EQ(test, param->errors[i], error);
	}

	/* The errors of the result are not errors of quiescing. */
	test_batch_quiesced(batch);
	KUNIT_EXPECT_EQ(test, 1, dma_fence_get_status(&pub->quiesced));
}

/* Several extents, reported by one call, are as many reported one by one. */
static void batch_takes_reports_of_several(struct kunit *test)
{
	static const int errors[] = { -EIO, 0, 0, -EFAULT };
	struct migrate_offload_engine_info info = fake_info();
	struct migrate_offload_batch *pub;
	struct test_batch *batch;
	unsigned int i;
	int error;

	batch = test_batch_of_four(test, fake_register(test, &info));
	pub = batch->pub;
	migrate_offload_extents_done(pub, 1, 2, 0);
	KUNIT_EXPECT_EQ(test, 2, batch->mo->pending);
	migrate_offload_extents_done(pub, 4, 0, 0);
	migrate_offload_extents_done(pub, 3, 1, -EFAULT);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&pub->result));
	migrate_offload_extents_done(pub, 0, 1, -EIO);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&pub->result));
	KUNIT_EXPECT_EQ(test, -EFAULT, dma_fence_get_status(&pub->result));
	for (i = 0; i < 4; i++) {
		spin_lock_irq(&pub->lock);
		error = mo_batch_pair_error(batch->mo, &batch->mo->pairs[i]);
		spin_unlock_irq(&pub->lock);
		KUNIT_EXPECT_EQ(test, errors[i], error);
	}
	test_batch_quiesced(batch);
}

struct order_cb {
	struct dma_fence_cb cb;
	unsigned int *counter;
	unsigned int when;
};

static void order_cb_fn(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct order_cb *order = container_of(cb, struct order_cb, cb);

	order->when = ++*order->counter;
}

/* What was not reported when the engine let go was not copied. */
static void batch_unreported_extents_are_canceled(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	unsigned int counter = 0, i;
	struct order_cb result = { .counter = &counter };
	struct order_cb quiesced = { .counter = &counter };
	struct migrate_offload_batch *pub;
	struct test_batch *batch;
	int error;

	batch = test_batch_of_four(test, fake_register(test, &info));
	pub = batch->pub;
	KUNIT_ASSERT_EQ(test, 0, dma_fence_add_callback(&pub->quiesced,
							&quiesced.cb,
							order_cb_fn));
	KUNIT_ASSERT_EQ(test, 0, dma_fence_add_callback(&pub->result,
							&result.cb,
							order_cb_fn));
	migrate_offload_extent_done(pub, 2, 0);
	KUNIT_EXPECT_EQ(test, 0, counter);
	test_batch_quiesced(batch);

	KUNIT_EXPECT_EQ(test, 1, result.when);
	KUNIT_EXPECT_EQ(test, 2, quiesced.when);
	KUNIT_EXPECT_EQ(test, -ECANCELED, pub->result.error);
	for (i = 0; i < 4; i++) {
		spin_lock_irq(&pub->lock);
		error = mo_batch_pair_error(batch->mo, &batch->mo->pairs[i]);
		spin_unlock_irq(&pub->lock);
		KUNIT_EXPECT_EQ(test, i == 2 ? 0 : -ECANCELED, error);
	}
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&batch->mo->engine->inflight));
}

/* A batch is free when both sides are done with it, in whatever order. */
static void batch_slots_are_recycled(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *a, *b;
	struct fake_engine *fake;

	info.max_batches = 2;
	fake = fake_register(test, &info);
	a = test_batch(test, fake);
	b = test_batch(test, fake);
	KUNIT_EXPECT_PTR_NE(test, a->mo, b->mo);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));

	test_batch_quiesced(a);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&fake->mo->inflight));
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));
	test_batch_put(a);
	a = test_batch(test, fake);
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));

	test_batch_put(b);
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));
	test_batch_quiesced(b);
	b = test_batch(test, fake);
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));
}

static const size_t fence_params[] = {
	offsetof(struct migrate_offload_batch, result),
	offsetof(struct migrate_offload_batch, quiesced),
};

static void fence_desc(const size_t *param, char *desc)
{
	strscpy(desc, *param == fence_params[0] ? "result" : "quiesced",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fence, fence_params, fence_desc);

static void test_fence_put(void *fence)
{
	dma_fence_put(fence);
}

/* Somebody who holds a fence keeps the batch. */
static void batch_is_kept_by_its_fence(struct kunit *test)
{
	const size_t *offset = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *batch;
	struct dma_fence *fence;
	struct fake_engine *fake;
	u64 seqno;

	info.max_batches = 1;
	fake = fake_register(test, &info);
	batch = test_batch(test, fake);
	fence = dma_fence_get((void *)batch->pub + *offset);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, test_fence_put,
							   fence));
	seqno = fence->seqno;
	test_batch_end(batch);
	KUNIT_EXPECT_NULL(test, mo_batch_get(fake->mo));
	KUNIT_EXPECT_EQ(test, seqno, fence->seqno);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_STREQ(test, "fake", fence->ops->get_driver_name(fence));
	KUNIT_EXPECT_STREQ(test, "fake0", fence->ops->get_timeline_name(fence));

	kunit_release_action(test, test_fence_put, fence);
	batch = test_batch(test, fake);
	KUNIT_EXPECT_GT(test, batch->pub->result.seqno, seqno);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&batch->pub->result));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&batch->pub->quiesced));
}

/* A batch that is used again remembers nothing. */
static void batch_starts_afresh(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *batch;
	struct fake_engine *fake;

	info.max_batches = 1;
	fake = fake_register(test, &info);
	batch = test_batch_of_four(test, fake);
	migrate_offload_extent_done(batch->pub, 0, -EIO);
	test_batch_end(batch);

	batch = test_batch(test, fake);
	KUNIT_EXPECT_EQ(test, 0, batch->pub->nr_extents);
	KUNIT_EXPECT_EQ(test, 0, batch->pub->bytes);
	KUNIT_EXPECT_EQ(test, 0, batch->mo->nr_pairs);
	KUNIT_EXPECT_EQ(test, 0, batch->mo->error);
	KUNIT_EXPECT_EQ(test, 0, batch->pub->result.error);
	KUNIT_EXPECT_FALSE(test, batch->mo->settled);
}

/* Memory for the driver is its own: it finds what it has left there. */
static void batch_priv_is_the_drivers(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct test_batch *batch;
	struct fake_engine *fake;

	info.max_batches = 1;
	fake = fake_register(test, &info);
	batch = test_batch(test, fake);
	KUNIT_EXPECT_NULL(test, memchr_inv(batch->pub->priv, 0,
					   info.priv_size));
	memset(batch->pub->priv, 0x5a, info.priv_size);
	test_batch_end(batch);
	batch = test_batch(test, fake);
	KUNIT_EXPECT_NULL(test, memchr_inv(batch->pub->priv, 0x5a,
					   info.priv_size));
}

/* Sealed or not, a batch that was never submitted is free again. */
static void batch_can_be_canceled(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct test_pages pages;
	struct mo_batch *batch;
	struct fake_engine *fake;
	unsigned int i;

	info.max_batches = 1;
	fake = fake_register(test, &info);
	pages = test_pages(test);
	for (i = 0; i < 3; i++) {
		batch = mo_batch_get(fake->mo);
		KUNIT_ASSERT_NOT_NULL(test, batch);
		if (i > 0)
			test_batch_add(batch, &pages, 0, 0);
		if (i > 1)
			mo_batch_seal(batch);
		mo_batch_cancel(batch);
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&fake->mo->inflight));
	}
}

static struct kunit_case batch_test_cases[] = {
	KUNIT_CASE_PARAM(batch_merges_adjacent_pairs, merge_gen_params),
	KUNIT_CASE(batch_of_cpu_merges_nothing),
	KUNIT_CASE(batch_takes_512_folios),
	KUNIT_CASE_PARAM(batch_spreads_a_folio_over_channels,
			 spread_gen_params),
	KUNIT_CASE(batch_takes_pieces),
	KUNIT_CASE(batch_covers_every_byte_once),
	KUNIT_CASE_PARAM(batch_result_is_of_all_extents, order_gen_params),
	KUNIT_CASE(batch_takes_reports_of_several),
	KUNIT_CASE(batch_unreported_extents_are_canceled),
	KUNIT_CASE(batch_slots_are_recycled),
	KUNIT_CASE_PARAM(batch_is_kept_by_its_fence, fence_gen_params),
	KUNIT_CASE(batch_starts_afresh),
	KUNIT_CASE(batch_priv_is_the_drivers),
	KUNIT_CASE(batch_can_be_canceled),
	{}
};

static struct kunit_suite batch_test_suite = {
	.name = "migrate_offload_batch",
	.test_cases = batch_test_cases,
};

kunit_test_suite(batch_test_suite);
