// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * KUnit tests of what the SDMA is told: word for word what the rest of amdgpu
 * tells it for the same copy
 *
 * Included by amdgpu_sdma_copy.c.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>

#define PACKETS_TEST_MAX_PAIRS	7

struct packets_test_generation {
	const char *name;
	unsigned int major;
	const struct amdgpu_buffer_funcs *funcs;
};

static const struct packets_test_generation packets_test_generations[] = {
	{ "sdma_v4_0", 4, &sdma_v4_0_buffer_funcs },
	{ "sdma_v4_4_2", 4, &sdma_v4_4_2_buffer_funcs },
	{ "sdma_v5_0", 5, &sdma_v5_0_buffer_funcs },
	{ "sdma_v5_2", 5, &sdma_v5_2_buffer_funcs },
	{ "sdma_v6_0", 6, &sdma_v6_0_buffer_funcs },
	{ "sdma_v7_0", 7, &sdma_v7_0_buffer_funcs },
};

KUNIT_ARRAY_PARAM_DESC(packets_generation, packets_test_generations, name);

struct packets_test {
	const struct packets_test_generation *generation;
	struct amd_sdma_format format;
	struct amdgpu_device *adev;
	struct rnd_state rnd;
	u32 *ours;
	struct amdgpu_ib theirs;
};

KUNIT_DEFINE_ACTION_WRAPPER(packets_test_kvfree, kvfree, const void *);

static void *packets_test_alloc(struct kunit *test, size_t size)
{
	void *p = kvzalloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, packets_test_kvfree, p));
	return p;
}

static int packets_test_init(struct kunit *test)
{
	struct packets_test *t = packets_test_alloc(test, sizeof(*t));
	size_t size = 2 * SDMA_COPY_IB_SIZE;

	test->priv = t;
	prandom_seed_state(&t->rnd, 20261123);
	t->adev = packets_test_alloc(test, sizeof(*t->adev));
	t->ours = packets_test_alloc(test, size);
	t->theirs.ptr = packets_test_alloc(test, size);
	if (test->param_value) {
		t->generation = test->param_value;
		t->adev->mman.buffer_funcs = t->generation->funcs;
		KUNIT_ASSERT_TRUE(test, amd_sdma_format(t->generation->major,
							&t->format));
	}
	return 0;
}

static void expect_same_words(struct kunit *test, u32 dw)
{
	struct packets_test *t = test->priv;
	u32 i;

	for (i = 0; i < dw; i++)
		KUNIT_ASSERT_EQ_MSG(test, t->ours[i], t->theirs.ptr[i],
				    "dword %u", i);
}

static void expect_same(struct kunit *test, u32 dw)
{
	struct packets_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, dw, t->theirs.length_dw);
	expect_same_words(test, dw);
}

static u64 random_address(struct packets_test *t, u64 mask)
{
	u64 addr = (u64)prandom_u32_state(&t->rnd) << 32;

	return (addr | prandom_u32_state(&t->rnd)) & mask;
}

/* One packet, of all kinds of addresses and lengths */
static void packets_copy(struct kunit *test)
{
	struct packets_test *t = test->priv;
	static const u64 addrs[] = {
		0, 0x1000, 0xfffff000, 0x100000000ull, 0x7fffffffff000ull,
		0xffff800000000000ull, 0xfffffffffffff000ull,
	};
	const u32 sizes[] = {
		8, PAGE_SIZE, SZ_2M, t->format.max_bytes - PAGE_SIZE,
		t->format.max_bytes,
	};
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		for (j = 0; j < ARRAY_SIZE(addrs); j++)
			for (k = 0; k < ARRAY_SIZE(sizes); k++) {
				u32 *end = amd_sdma_put_copy(t->ours,
							     &t->format,
							     addrs[i], addrs[j],
							     sizes[k]);

				t->theirs.length_dw = 0;
				amdgpu_emit_copy_buffer(t->adev, &t->theirs,
							addrs[i], addrs[j],
							sizes[k], 0);
				expect_same(test, end - t->ours);
			}
}

/* An IB that copies, as amdgpu_copy_buffer() makes it */
static void packets_build_copy(struct kunit *test)
{
	struct packets_test *t = test->priv;
	const u32 counts[] = {
		1, 2, 511, 512, AMDGPU_SDMA_COPY_PAGES - 1,
		AMDGPU_SDMA_COPY_PAGES, AMDGPU_SDMA_COPY_PAGES + 1,
		3 * AMDGPU_SDMA_COPY_PAGES,
	};
	struct amd_sdma_windows windows = {
		.src = 0x7fff00400000ull,
		.dst = 0x7ffffffff000ull,	/* crosses 32 bits */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		u64 from = windows.src, to = windows.dst;
		u32 max = t->adev->mman.buffer_funcs->copy_max_bytes;
		u64 left = (u64)counts[i] * PAGE_SIZE;
		u32 dw;

		dw = amd_sdma_build_copy(t->ours, &t->format, &windows,
					 counts[i]);
		KUNIT_EXPECT_EQ(test, dw,
				amd_sdma_copy_dw(&t->format, counts[i]));
		t->theirs.length_dw = 0;
		while (left) {
			u32 bytes = min_t(u64, left, max);

			amdgpu_emit_copy_buffer(t->adev, &t->theirs, from, to,
						bytes, 0);
			from += bytes;
			to += bytes;
			left -= bytes;
		}
		expect_same(test, dw);
	}
}

/* Page table entries, as amdgpu_gart_map() makes them */
static u32 *their_ptes(struct packets_test *t, u32 *p, dma_addr_t addr,
		       u32 pages, u64 flags)
{
	while (pages--) {
		amdgpu_gart_map(t->adev, 0, 1, &addr, flags, p);
		p += 2 * AMDGPU_GPU_PAGES_IN_CPU_PAGE;
		addr += PAGE_SIZE;
	}
	return p;
}

/*
 * An IB that maps, as amdgpu_ttm_map_buffer() and svm_migrate_gart_map() make
 * it, but for both windows at once
 */
static void packets_build_map(struct kunit *test)
{
	struct packets_test *t = test->priv;
	struct amd_sdma_windows windows;
	unsigned int round;

	amdgpu_sdma_copy_windows(3, 0x7fff00000000ull, 0x8000700000ull,
				 AMDGPU_PTE_EXECUTABLE | BIT_ULL(57), &windows);
	for (round = 0; round < 50; round++) {
		struct amd_sdma_copy_pair pairs[PACKETS_TEST_MAX_PAIRS];
		u64 ib_addr = random_address(t, GENMASK_ULL(46, 8));
		u32 nr = 1 + round % ARRAY_SIZE(pairs);
		u64 flags = AMDGPU_PTE_VALID | AMDGPU_PTE_READABLE |
			    AMDGPU_PTE_SYSTEM | AMDGPU_PTE_SNOOPED |
			    windows.pte_flags;
		u32 i, dw, bytes, *p;
		int pages;

		for (i = 0; i < nr; i++) {
			u64 mask = GENMASK_ULL(46, PAGE_SHIFT);

			pairs[i].src = random_address(t, mask);
			pairs[i].dst = random_address(t, mask);
			pairs[i].pages = 1 + prandom_u32_state(&t->rnd) %
					 (AMDGPU_SDMA_COPY_PAGES / nr);
		}
		pages = amd_sdma_count_pages(pairs, nr, AMDGPU_SDMA_COPY_PAGES);
		KUNIT_ASSERT_GT(test, pages, 0);
		memset(t->ours, 0x5a, SDMA_COPY_IB_SIZE);
		memset(t->theirs.ptr, 0x5a, SDMA_COPY_IB_SIZE);

		dw = amd_sdma_build_map(t->ours, ib_addr, &t->format, &windows,
					pairs, nr, pages);

		bytes = pages * AMDGPU_GPU_PAGES_IN_CPU_PAGE * 8;
		t->theirs.length_dw = 0;
		amdgpu_emit_copy_buffer(t->adev, &t->theirs, ib_addr + 64,
					windows.src_table, bytes, 0);
		amdgpu_emit_copy_buffer(t->adev, &t->theirs,
					ib_addr + 64 + bytes,
					windows.dst_table, bytes, 0);
		p = t->theirs.ptr + 16;
		for (i = 0; i < nr; i++)
			p = their_ptes(t, p, pairs[i].src, pairs[i].pages,
				       flags);
		flags |= AMDGPU_PTE_WRITEABLE;
		for (i = 0; i < nr; i++)
			p = their_ptes(t, p, pairs[i].dst, pairs[i].pages,
				       flags);

		expect_same(test, dw);
		KUNIT_EXPECT_EQ(test, p - t->theirs.ptr,
				amd_sdma_map_dw(pages));
		/* All of it, and nothing behind it. */
		expect_same_words(test, 2 * SDMA_COPY_IB_SIZE / sizeof(u32));
	}
}

/* What amdgpu asks itself before it offers the SDMA */
static void packets_tell_generations(struct kunit *test)
{
	struct packets_test *t = test->priv;
	struct amd_sdma_format other;

	KUNIT_EXPECT_TRUE(test,
			  amdgpu_sdma_copy_same_packets(t->generation->funcs,
							&t->format));
	KUNIT_ASSERT_TRUE(test, amd_sdma_format(t->generation->major == 7 ?
						4 : 7, &other));
	KUNIT_EXPECT_FALSE(test,
			   amdgpu_sdma_copy_same_packets(t->generation->funcs,
							 &other));
	other = t->format;
	other.max_bytes *= 2;
	KUNIT_EXPECT_FALSE(test,
			   amdgpu_sdma_copy_same_packets(t->generation->funcs,
							 &other));
	other = t->format;
	other.copy_header |= BIT(18);
	KUNIT_EXPECT_FALSE(test,
			   amdgpu_sdma_copy_same_packets(t->generation->funcs,
							 &other));
	KUNIT_EXPECT_FALSE(test, amd_sdma_format(3, &other));
	KUNIT_EXPECT_FALSE(test, amd_sdma_format(8, &other));
}

/* Whatever could not be put into page table entries is refused. */
static void packets_count_pages(struct kunit *test)
{
	static const struct amd_sdma_copy_pair good = {
		.src = SZ_1M, .dst = SZ_2M, .pages = 3,
	};
	const u64 end = BIT_ULL(48);
	struct amd_sdma_copy_pair pairs[2] = { good, good };

	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), 6);
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 5), -EINVAL);
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 0, 6), -EINVAL);

	pairs[1].pages = 0;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), -EINVAL);
	pairs[1].pages = U32_MAX - 2;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), -EINVAL);
	pairs[1] = good;
	pairs[1].src += 8;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), -EINVAL);
	pairs[1] = good;
	pairs[1].dst += PAGE_SIZE / 2;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), -EINVAL);
	pairs[1] = good;
	pairs[1].dst = end - 3 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), 6);
	pairs[1].dst += PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), -EINVAL);
	pairs[1] = good;
	pairs[1].src = end;
	KUNIT_EXPECT_EQ(test, amd_sdma_count_pages(pairs, 2, 6), -EINVAL);
}

/* Nobody else's, no window in another, and all within what is set aside */
static void packets_windows(struct kunit *test)
{
	const u64 gart = 0x7fff00000000ull, table = 0x8000000000ull;
	u64 end = gart + AMDGPU_SDMA_COPY_GART_START * PAGE_SIZE;
	/* 8 bytes for 4 KiB */
	u64 end_ptes = table + AMDGPU_SDMA_COPY_GART_START * PAGE_SIZE / 512;
	unsigned int i;

	for (i = 0; i < AMDGPU_SDMA_COPY_SLOTS; i++) {
		struct amd_sdma_windows w;

		amdgpu_sdma_copy_windows(i, gart, table, 0, &w);
		KUNIT_EXPECT_EQ(test, w.src, end);
		KUNIT_EXPECT_EQ(test, w.dst, end + SZ_4M);
		KUNIT_EXPECT_EQ(test, w.src_table, end_ptes);
		KUNIT_EXPECT_EQ(test, w.dst_table, end_ptes + SZ_8K);
		end += 2 * SZ_4M;
		end_ptes += 2 * SZ_8K;
	}
	KUNIT_EXPECT_EQ(test, end, gart + (AMDGPU_SDMA_COPY_GART_START +
					   AMDGPU_SDMA_COPY_GART_PAGES) *
					  PAGE_SIZE);
}

static struct kunit_case packets_test_cases[] = {
	KUNIT_CASE_PARAM(packets_copy, packets_generation_gen_params),
	KUNIT_CASE_PARAM(packets_build_copy, packets_generation_gen_params),
	KUNIT_CASE_PARAM(packets_build_map, packets_generation_gen_params),
	KUNIT_CASE_PARAM(packets_tell_generations,
			 packets_generation_gen_params),
	KUNIT_CASE(packets_count_pages),
	KUNIT_CASE(packets_windows),
	{}
};

static struct kunit_suite packets_test_suite = {
	.name = "amdgpu_sdma_copy_packets",
	.init = packets_test_init,
	.test_cases = packets_test_cases,
};
