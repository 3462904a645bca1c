// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of comparing what was copied. Included by compare.c. */
#include <kunit/test.h>
#include <linux/io.h>

#define COMPARE_TEST_BYTES	(2 * PAGE_SIZE)

struct compare_test {
	u8 *src;
	u8 *dst;
	struct migrate_offload_extent extent;
};

/* What cannot be read. */
static const void *compare_test_poison;

static size_t compare_test_read(void *to, const void *from, size_t len)
{
	if (compare_test_poison >= from && compare_test_poison < from + len)
		return from + len - compare_test_poison;
	memcpy(to, from, len);
	return 0;
}

static void compare_same(struct kunit *test)
{
	struct compare_test *t = test->priv;

	KUNIT_EXPECT_TRUE(test, migrate_extent_same(&t->extent));
	/* Not what is beyond it. */
	t->extent.len = PAGE_SIZE;
	t->dst[PAGE_SIZE] ^= 1;
	KUNIT_EXPECT_TRUE(test, migrate_extent_same(&t->extent));
}

/* One bit, of any byte. */
static void compare_differ(struct kunit *test)
{
	struct compare_test *t = test->priv;
	size_t i;

	for (i = 0; i < COMPARE_TEST_BYTES; i += 41) {
		t->dst[i] ^= 0x10;
		KUNIT_EXPECT_FALSE_MSG(test, migrate_extent_same(&t->extent),
				       "byte %zu", i);
		t->dst[i] ^= 0x10;
	}
	t->dst[COMPARE_TEST_BYTES - 1] ^= 0x80;
	KUNIT_EXPECT_FALSE(test, migrate_extent_same(&t->extent));
}

/* Neither a crash nor a match, on either side. */
static void compare_poison(struct kunit *test)
{
	struct compare_test *t = test->priv;

	kunit_activate_static_stub(test, migrate_read, compare_test_read);
	KUNIT_EXPECT_TRUE(test, migrate_extent_same(&t->extent));
	compare_test_poison = t->src + PAGE_SIZE + 100;
	KUNIT_EXPECT_FALSE(test, migrate_extent_same(&t->extent));
	compare_test_poison = t->dst + 3;
	KUNIT_EXPECT_FALSE(test, migrate_extent_same(&t->extent));
}

static int compare_test_init(struct kunit *test)
{
	struct compare_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	compare_test_poison = NULL;
	t->src = (u8 *)__get_free_pages(GFP_KERNEL, 1);
	t->dst = (u8 *)__get_free_pages(GFP_KERNEL, 1);
	if (!t->src || !t->dst)
		return -ENOMEM;
	for (i = 0; i < COMPARE_TEST_BYTES; i++)
		t->src[i] = i * 7 + i / 251;
	memcpy(t->dst, t->src, COMPARE_TEST_BYTES);
	t->extent = (struct migrate_offload_extent) {
		.src = virt_to_phys(t->src),
		.dst = virt_to_phys(t->dst),
		.len = COMPARE_TEST_BYTES,
	};
	return 0;
}

static void compare_test_exit(struct kunit *test)
{
	struct compare_test *t = test->priv;

	free_pages((unsigned long)t->dst, 1);
	free_pages((unsigned long)t->src, 1);
}

static struct kunit_case compare_test_cases[] = {
	KUNIT_CASE(compare_same),
	KUNIT_CASE(compare_differ),
	KUNIT_CASE(compare_poison),
	{ }
};

static struct kunit_suite compare_test_suite = {
	.name = "migrate_offload_compare",
	.init = compare_test_init,
	.exit = compare_test_exit,
	.test_cases = compare_test_cases,
};

kunit_test_suite(compare_test_suite);
