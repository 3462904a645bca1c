// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DMA mappings: what becomes of extents
 *
 * Included by dma-map.c. Tables are filled in as the DMA API would.
 */
#include <kunit/test.h>
#include <linux/sizes.h>

#define MAP_TEST_EXTENTS	8

struct map_test {
	struct migrate_map map;
	struct migrate_offload_extent extents[MAP_TEST_EXTENTS];
	struct migrate_copy copies[MAP_TEST_EXTENTS];
};

static void map_test_extent(struct map_test *t, phys_addr_t src,
			    phys_addr_t dst, size_t len, unsigned int channel)
{
	unsigned int i = t->map.nr++;

	t->extents[i] = (struct migrate_offload_extent) {
		.src = src,
		.dst = dst,
		.len = len,
		.channel = channel,
	};
}

/* Without an IOMMU: each entry is a segment of its own. */
static void map_test_direct(struct map_test *t)
{
	unsigned int i;

	for (i = 0; i < t->map.nr; i++) {
		sg_dma_address(&t->map.src[i]) = t->extents[i].src;
		sg_dma_len(&t->map.src[i]) = t->extents[i].len;
		sg_dma_address(&t->map.dst[i]) = t->extents[i].dst;
		sg_dma_len(&t->map.dst[i]) = t->extents[i].len;
	}
}

static void map_test_one_segment(struct map_test *t, struct scatterlist *sg,
				 dma_addr_t addr)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < t->map.nr; i++)
		len += t->extents[i].len;
	sg_dma_address(sg) = addr;
	sg_dma_len(sg) = len;
}

static unsigned int map_test_copies(struct map_test *t, size_t max_len)
{
	return migrate_map_copies(&t->map, t->extents, max_len, t->copies);
}

static void expect_copy(struct kunit *test, unsigned int nr, dma_addr_t src,
			dma_addr_t dst, size_t len, unsigned int first,
			unsigned int extents)
{
	struct map_test *t = test->priv;
	const struct migrate_copy *copy = &t->copies[nr];

	KUNIT_EXPECT_EQ(test, copy->src, src);
	KUNIT_EXPECT_EQ(test, copy->dst, dst);
	KUNIT_EXPECT_EQ(test, copy->len, len);
	KUNIT_EXPECT_EQ(test, copy->first, first);
	KUNIT_EXPECT_EQ(test, copy->nr, extents);
}

/* Pages from all over memory, in one range of the IOMMU's on either side. */
static void map_joins_what_the_iommu_joins(struct kunit *test)
{
	struct map_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < MAP_TEST_EXTENTS; i++)
		map_test_extent(t, i * SZ_1M, SZ_1G - i * SZ_1M, SZ_4K, 0);
	map_test_one_segment(t, t->map.src, 0x10000);
	map_test_one_segment(t, t->map.dst, 0x80000);

	KUNIT_ASSERT_EQ(test, map_test_copies(t, SZ_2M), 1);
	expect_copy(test, 0, 0x10000, 0x80000, 8 * SZ_4K, 0, 8);
}

static void map_joins_on_both_sides_only(struct kunit *test)
{
	struct map_test *t = test->priv;

	map_test_extent(t, 0x1000, 0x100000, SZ_4K, 0);
	map_test_extent(t, 0x2000, 0x900000, SZ_4K, 0);	/* only src */
	map_test_extent(t, 0x7000, 0x901000, SZ_4K, 0);	/* only dst */
	map_test_extent(t, 0x8000, 0x902000, SZ_8K, 0);	/* both */
	map_test_direct(t);

	KUNIT_ASSERT_EQ(test, map_test_copies(t, SZ_2M), 3);
	expect_copy(test, 0, 0x1000, 0x100000, SZ_4K, 0, 1);
	expect_copy(test, 1, 0x2000, 0x900000, SZ_4K, 1, 1);
	expect_copy(test, 2, 0x7000, 0x901000, SZ_4K + SZ_8K, 2, 2);
}

/* Segments that end in different places: the lengths of one are not the other's. */
static void map_segments_may_differ(struct kunit *test)
{
	struct map_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < 4; i++)
		map_test_extent(t, i * SZ_1M, SZ_1G - i * SZ_1M, SZ_4K, 0);
	map_test_direct(t);
	/* src: one and three; dst: two and two */
	sg_dma_address(&t->map.src[0]) = 0x10000;
	sg_dma_address(&t->map.src[1]) = 0x20000;
	sg_dma_len(&t->map.src[1]) = 3 * SZ_4K;
	sg_dma_address(&t->map.dst[0]) = 0x50000;
	sg_dma_len(&t->map.dst[0]) = 2 * SZ_4K;
	sg_dma_address(&t->map.dst[1]) = 0x60000;
	sg_dma_len(&t->map.dst[1]) = 2 * SZ_4K;

	KUNIT_ASSERT_EQ(test, map_test_copies(t, SZ_2M), 3);
	expect_copy(test, 0, 0x10000, 0x50000, SZ_4K, 0, 1);
	expect_copy(test, 1, 0x20000, 0x51000, SZ_4K, 1, 1);
	expect_copy(test, 2, 0x21000, 0x60000, 2 * SZ_4K, 2, 2);
}

static void map_joins_up_to_the_limit(struct kunit *test)
{
	struct map_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < MAP_TEST_EXTENTS; i++)
		map_test_extent(t, i * SZ_64K, SZ_1G + i * SZ_64K, SZ_64K, 0);
	map_test_direct(t);

	KUNIT_ASSERT_EQ(test, map_test_copies(t, 3 * SZ_64K), 3);
	expect_copy(test, 0, 0, SZ_1G, 3 * SZ_64K, 0, 3);
	expect_copy(test, 1, 3 * SZ_64K, SZ_1G + 3 * SZ_64K, 3 * SZ_64K, 3, 3);
	expect_copy(test, 2, 6 * SZ_64K, SZ_1G + 6 * SZ_64K, 2 * SZ_64K, 6, 2);
}

/* A folio that is spread over channels stays so. */
static void map_joins_within_a_channel(struct kunit *test)
{
	struct map_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < MAP_TEST_EXTENTS; i++)
		map_test_extent(t, i * SZ_64K, SZ_1G + i * SZ_64K, SZ_64K, i / 2);
	map_test_direct(t);

	KUNIT_ASSERT_EQ(test, map_test_copies(t, SZ_2M), 4);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, t->copies[i].channel, i);
		expect_copy(test, i, i * SZ_128K, SZ_1G + i * SZ_128K, SZ_128K,
			    2 * i, 2);
	}
}

static int map_test_init(struct kunit *test)
{
	struct map_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, migrate_map_create(&t->map, MAP_TEST_EXTENTS,
						 NUMA_NO_NODE), 0);
	test->priv = t;
	return 0;
}

static void map_test_exit(struct kunit *test)
{
	struct map_test *t = test->priv;

	t->map.nr = 0;
	migrate_map_destroy(&t->map);
}

static struct kunit_case map_test_cases[] = {
	KUNIT_CASE(map_joins_what_the_iommu_joins),
	KUNIT_CASE(map_joins_on_both_sides_only),
	KUNIT_CASE(map_segments_may_differ),
	KUNIT_CASE(map_joins_up_to_the_limit),
	KUNIT_CASE(map_joins_within_a_channel),
	{ }
};

static struct kunit_suite map_test_suite = {
	.name = "migrate_offload_dma_map",
	.init = map_test_init,
	.exit = map_test_exit,
	.test_cases = map_test_cases,
};

kunit_test_suite(map_test_suite);
