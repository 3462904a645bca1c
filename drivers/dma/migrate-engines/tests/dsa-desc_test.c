// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of DSA's descriptors, limits and completion records
 *
 * Included by dsa-desc.c.
 */
#include <kunit/test.h>

#define TEST_COPIES	64

static void desc_limits_are_the_least(struct kunit *test)
{
	struct mdsa_limits a = { SZ_2M, 32, 16 };
	struct mdsa_limits b = { SZ_1M, 64, 8 };

	mdsa_limits_min(&a, &b);
	KUNIT_EXPECT_EQ(test, SZ_1M, a.max_copy);
	KUNIT_EXPECT_EQ(test, 32, a.max_list);
	KUNIT_EXPECT_EQ(test, 8, a.entries);
}

/* One entry is for draining, and a batch must fit into the rest of one queue. */
static void desc_limits_leave_room(struct kunit *test)
{
	static const struct {
		struct mdsa_limits limits;
		bool merged;
		unsigned int max_extents;
		unsigned int max_batches;
	} rows[] = {
		{ { SZ_2M, 32, 16 }, false, 256, 1 },
		{ { SZ_2M, 32, 16 }, true, 256, 15 },
		{ { SZ_2M, 32, 128 }, false, 256, 15 },
		{ { SZ_2M, 32, 128 }, true, 256, 16 },
		{ { SZ_2M, 256, 16 }, false, 256, 15 },
		{ { SZ_2M, 1, 16 }, false, 15, 1 },
		{ { SZ_2M, 1, 16 }, true, 15, 15 },
		{ { SZ_4K, 2, 2 }, false, 2, 1 },
		{ { SZ_4K, 1, 2 }, false, 1, 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migrate_offload_engine_info info = {};

		mdsa_limits_engine(&rows[i].limits, rows[i].merged, &info);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].limits.max_copy,
				    info.max_extent_bytes, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].max_extents,
				    info.max_extents, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].max_batches,
				    info.max_batches, "row %u", i);
	}
}

static void test_copies(struct migrate_copy *copies, unsigned int nr,
			unsigned int nr_queues)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		copies[i] = (struct migrate_copy) {
			.src = (dma_addr_t)i * SZ_64K,
			.dst = (dma_addr_t)i * SZ_64K + SZ_1G,
			.len = PAGE_SIZE,
			.first = i,
			.nr = 1,
			.channel = i % nr_queues,
		};
}

/* Each copy in one shot, of its own queue, which is no longer than allowed. */
static void desc_cuts(struct kunit *test)
{
	static const unsigned int lists[] = { 1, 2, 3, 8, 32, 64, 1024 };
	struct migrate_copy *copies;
	struct mdsa_cut *cuts;
	unsigned int nr, nr_queues, l, i, j, n;

	copies = kunit_kcalloc(test, TEST_COPIES, sizeof(*copies), GFP_KERNEL);
	cuts = kunit_kcalloc(test, TEST_COPIES, sizeof(*cuts), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, copies);
	KUNIT_ASSERT_NOT_NULL(test, cuts);
	for (nr = 1; nr <= TEST_COPIES; nr++)
		for (nr_queues = 1; nr_queues <= MDSA_MAX_QUEUES; nr_queues++)
			for (l = 0; l < ARRAY_SIZE(lists); l++) {
				unsigned long seen = 0, next = 0;

				test_copies(copies, nr, nr_queues);
				n = mdsa_cut_copies(copies, nr, nr_queues, lists[l],
						    cuts, TEST_COPIES);
				KUNIT_ASSERT_GT(test, n, 0);
				for (i = 0; i < n; i++) {
					KUNIT_ASSERT_EQ(test, next, cuts[i].first);
					KUNIT_ASSERT_LE(test, cuts[i].nr, lists[l]);
					next += cuts[i].nr;
					for (j = cuts[i].first; j < next; j++) {
						KUNIT_ASSERT_EQ(test, cuts[i].queue,
								copies[j].channel);
						seen ^= BIT(copies[j].first);
					}
				}
				KUNIT_ASSERT_EQ(test, nr, next);
				KUNIT_ASSERT_EQ(test, GENMASK(nr - 1, 0), seen);
			}
}

static void desc_cuts_need_room(struct kunit *test)
{
	struct migrate_copy copies[4];
	struct mdsa_cut cuts[2];

	test_copies(copies, 4, 1);
	KUNIT_EXPECT_EQ(test, 2, mdsa_cut_copies(copies, 4, 1, 2, cuts, 2));
	KUNIT_EXPECT_EQ(test, 0, mdsa_cut_copies(copies, 4, 1, 1, cuts, 2));
}

/* Word for word, as the specification has them. */
static void desc_copy_is_encoded(struct kunit *test)
{
	struct migrate_copy copy = {
		.src = 0x123456789000, .dst = 0xabcdef012000, .len = SZ_2M,
	};
	struct dsa_hw_desc hw = {};
	u64 *word = (u64 *)&hw;

	mdsa_fill_copy(&hw, &copy, 0x7654321020, IDXD_OP_FLAG_RCI | IDXD_OP_FLAG_CC);
	KUNIT_EXPECT_EQ(test, 0x0300011cull << 32, word[0]);
	KUNIT_EXPECT_EQ(test, 0x7654321020, word[1]);
	KUNIT_EXPECT_EQ(test, 0x123456789000, word[2]);
	KUNIT_EXPECT_EQ(test, 0xabcdef012000, word[3]);
	KUNIT_EXPECT_EQ(test, SZ_2M, word[4]);
	KUNIT_EXPECT_EQ(test, 0, word[5] | word[6] | word[7]);
}

static void desc_list_is_encoded(struct kunit *test)
{
	struct dsa_hw_desc hw = {};
	u64 *word = (u64 *)&hw;

	mdsa_fill_list(&hw, 0x1000, 32, 0x2040, 0);
	KUNIT_EXPECT_EQ(test, 0x0100000cull << 32, word[0]);
	KUNIT_EXPECT_EQ(test, 0x2040, word[1]);
	KUNIT_EXPECT_EQ(test, 0x1000, word[2]);
	KUNIT_EXPECT_EQ(test, 0, word[3]);
	KUNIT_EXPECT_EQ(test, 32, word[4]);
	KUNIT_EXPECT_EQ(test, 0, word[5] | word[6] | word[7]);
}

/* Success is one of 256, with or without the bit that tells writes from reads. */
static void desc_status(struct kunit *test)
{
	static const struct {
		u8 status;
		int error;
	} rows[] = {
		{ DSA_COMP_NONE, -ECANCELED },
		{ DSA_COMP_SUCCESS, 0 },
		{ DSA_COMP_SUCCESS_PRED, -EIO },
		{ DSA_COMP_PAGE_FAULT_NOBOF, -EFAULT },
		{ DSA_COMP_PAGE_FAULT_IR, -EFAULT },
		{ DSA_COMP_BATCH_FAIL, -EIO },
		{ DSA_COMP_BATCH_PAGE_FAULT, -EFAULT },
		{ DSA_COMP_DR_OFFSET_NOINC, -EIO },
		{ DSA_COMP_DR_OFFSET_ERANGE, -EIO },
		{ DSA_COMP_DIF_ERR, -EIO },
		{ DSA_COMP_BAD_OPCODE, -EINVAL },
		{ DSA_COMP_INVALID_FLAGS, -EINVAL },
		{ DSA_COMP_NOZERO_RESERVE, -EINVAL },
		{ DSA_COMP_XFER_ERANGE, -EINVAL },
		{ DSA_COMP_DESC_CNT_ERANGE, -EINVAL },
		{ DSA_COMP_DR_ERANGE, -EINVAL },
		{ DSA_COMP_OVERLAP_BUFFERS, -EINVAL },
		{ DSA_COMP_DCAST_ERR, -EIO },
		{ DSA_COMP_DESCLIST_ALIGN, -EINVAL },
		{ DSA_COMP_INT_HANDLE_INVAL, -EAGAIN },
		{ DSA_COMP_CRA_XLAT, -EFAULT },
		{ DSA_COMP_CRA_ALIGN, -EINVAL },
		{ DSA_COMP_ADDR_ALIGN, -EINVAL },
		{ DSA_COMP_PRIV_BAD, -EINVAL },
		{ DSA_COMP_TRAFFIC_CLASS_CONF, -EINVAL },
		{ DSA_COMP_PFAULT_RDBA, -EFAULT },
		{ DSA_COMP_HW_ERR1, -EIO },
		{ DSA_COMP_HW_ERR_DRB, -EIO },
		{ DSA_COMP_TRANSLATION_FAIL, -EFAULT },
		{ DSA_COMP_DRAIN_EVL, -EIO },
		{ DSA_COMP_BATCH_EVL_ERR, -EIO },
	};
	unsigned int i, good = 0;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		KUNIT_EXPECT_EQ_MSG(test, rows[i].error,
				    mdsa_status_error(rows[i].status),
				    "status %#x", rows[i].status);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].error,
				    mdsa_status_error(rows[i].status |
						      DSA_COMP_STATUS_WRITE),
				    "status %#x, of a write", rows[i].status);
	}
	for (i = 0; i < 256; i++)
		good += !mdsa_status_error(i);
	KUNIT_EXPECT_EQ(test, 2, good);
}

static void desc_copied(struct kunit *test)
{
	static const struct {
		u8 status;
		u8 result;
		u32 bytes;
		size_t copied;
	} rows[] = {
		{ DSA_COMP_SUCCESS, 0, 0, SZ_64K },
		{ DSA_COMP_PAGE_FAULT_NOBOF, 0, SZ_32K, SZ_32K },
		{ DSA_COMP_PAGE_FAULT_NOBOF | DSA_COMP_STATUS_WRITE, 0, 4095, 4095 },
		/* Backwards. */
		{ DSA_COMP_PAGE_FAULT_NOBOF, 1, SZ_32K, 0 },
		/* Which cannot be. */
		{ DSA_COMP_PAGE_FAULT_NOBOF, 0, SZ_64K, 0 },
		{ DSA_COMP_PAGE_FAULT_NOBOF, 0, U32_MAX, 0 },
		{ DSA_COMP_HW_ERR1, 0, SZ_32K, 0 },
		{ DSA_COMP_NONE, 0, SZ_32K, 0 },
		{ 0xff, 0, SZ_64K, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dsa_completion_record record = {
			.status = rows[i].status,
			.result = rows[i].result,
			.bytes_completed = rows[i].bytes,
		};

		KUNIT_EXPECT_EQ_MSG(test, rows[i].copied,
				    mdsa_copied(&record, SZ_64K), "row %u", i);
	}
}

static struct kunit_case desc_test_cases[] = {
	KUNIT_CASE(desc_limits_are_the_least),
	KUNIT_CASE(desc_limits_leave_room),
	KUNIT_CASE(desc_cuts),
	KUNIT_CASE(desc_cuts_need_room),
	KUNIT_CASE(desc_copy_is_encoded),
	KUNIT_CASE(desc_list_is_encoded),
	KUNIT_CASE(desc_status),
	KUNIT_CASE(desc_copied),
	{}
};

static struct kunit_suite desc_test_suite = {
	.name = "migrate_engines_dsa",
	.test_cases = desc_test_cases,
};

kunit_test_suite(desc_test_suite);
