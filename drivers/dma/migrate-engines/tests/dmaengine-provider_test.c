// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of which DMAengine providers are trusted
 *
 * Included by dmaengine-provider.c.
 */
#include <kunit/test.h>

static int trust_find(const char *text, const char *name)
{
	char work[MDE_TRUST_LEN];

	strscpy(work, text);
	return mde_trust_find(work, name);
}

static void trust_is_parsed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, trust_find("a", "a"), 0);
	KUNIT_EXPECT_EQ(test, trust_find("a:errors", "a"), MDE_ERRORS);
	KUNIT_EXPECT_EQ(test, trust_find("a,b:ordered:terminate,c", "b"),
			MDE_ORDERED | MDE_TERMINATE);
	KUNIT_EXPECT_EQ(test, trust_find("a,b:release", "b"), MDE_RELEASE);
	KUNIT_EXPECT_EQ(test, trust_find("a,b", "c"), -ENOENT);
	KUNIT_EXPECT_EQ(test, trust_find("ab", "a"), -ENOENT);
	KUNIT_EXPECT_EQ(test, trust_find("a", "ab"), -ENOENT);
}

static void trust_is_checked(struct kunit *test)
{
	static const char * const bad[] = {
		"a:", "a:error", "a:errors:", ":errors", "a,", ",a", "a,,b",
		"a:errors,b:x", "idxd", "a,idxd:errors",
	};
	char was[MDE_TRUST_LEN];
	unsigned int i;

	mde_trust_read(was);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, mde_trust_set(bad[i], NULL), -EINVAL,
				    "%s", bad[i]);
		KUNIT_EXPECT_STREQ(test, mde_trust_text, was);
	}
	KUNIT_EXPECT_EQ(test, mde_trust_set(" a:errors,b\n", NULL), 0);
	KUNIT_EXPECT_STREQ(test, mde_trust_text, "a:errors,b");
	KUNIT_EXPECT_EQ(test, mde_trust_set("\n", NULL), 0);
	KUNIT_EXPECT_STREQ(test, mde_trust_text, "");
	KUNIT_EXPECT_EQ(test, mde_trust_set(was, NULL), 0);
}

static void trust_has_a_table(struct kunit *test)
{
	KUNIT_EXPECT_GE(test, mde_trust("ioatdma"), 0);
	KUNIT_EXPECT_EQ(test, mde_trust("idxd"), -ENOENT);
	KUNIT_EXPECT_EQ(test, mde_trust("ptdma"), -ENOENT);
	KUNIT_EXPECT_EQ(test, mde_trust(""), -ENOENT);
}

static struct kunit_case trust_test_cases[] = {
	KUNIT_CASE(trust_is_parsed),
	KUNIT_CASE(trust_is_checked),
	KUNIT_CASE(trust_has_a_table),
	{ }
};

static struct kunit_suite trust_test_suite = {
	.name = "migrate_offload_dma_trust",
	.test_cases = trust_test_cases,
};

kunit_test_suite(trust_test_suite);
