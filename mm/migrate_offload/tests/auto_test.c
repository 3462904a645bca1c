// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/auto.c
 *
 * Costs are made up: nothing here depends on how long anything takes.
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "fake_engine.h"
#include "fixture.h"

/* It knows nothing of anybody, and chooses among @engines only. */
static struct mo_node *auto_node(struct kunit *test, const char *engines)
{
	struct mo_node *node = fixture_node(test);

	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_engines(node, engines));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "auto"));
	KUNIT_ASSERT_EQ(test, 0, mo_auto_set_goal(node, "time"));
	WRITE_ONCE(node->automatic, true);
	memset(node->autos, 0, sizeof(node->autos));
	mo_costs_forget(mo_cpu_engine);
	return node;
}

static struct fake_engine *auto_engine(struct kunit *test, const char *name)
{
	struct migrate_offload_engine_info info = fake_info();

	info.name = name;
	info.min_bytes = 0;
	return fake_register(test, &info);
}

/* A folio of @bytes. */
static struct mo_amount auto_folio(size_t bytes)
{
	return (struct mo_amount){ .bytes = bytes, .last = bytes };
}

/* Many folios of one page. */
static struct mo_amount auto_pages(size_t bytes, bool run)
{
	return (struct mo_amount){
		.bytes = bytes,
		.last = PAGE_SIZE,
		.run = run,
	};
}

/* It costs @us, as far as is known. */
static void auto_costs(struct mo_engine *engine, struct mo_amount what, u64 us)
{
	int i;

	for (i = 0; i < 40; i++)
		mo_auto_note(engine, 0, 0, &what, us * NSEC_PER_USEC,
			     us * NSEC_PER_USEC);
}

static void auto_cost(struct mo_engine *engine, size_t bytes, u64 us)
{
	auto_costs(engine, auto_folio(bytes), us);
}

/* It has taken so much for 1 MiB, once. */
static void auto_note(struct mo_engine *engine, u64 ns, u64 cpu_ns)
{
	struct mo_amount what = auto_folio(SZ_1M);

	mo_auto_note(engine, 0, 0, &what, ns, cpu_ns);
}

static int auto_choose(struct mo_node *node, struct mo_amount what)
{
	return mo_policy_choose(node, 0, &what);
}

static int auto_choice(struct mo_node *node, size_t bytes)
{
	return auto_choose(node, auto_folio(bytes));
}

/* First the CPU, then each engine, is seen a few times; then it is decided. */
static void auto_learns(struct kunit *test)
{
	struct fake_engine *a = auto_engine(test, "fakeA");
	struct fake_engine *b = auto_engine(test, "fakeB");
	struct mo_node *node = auto_node(test, "fakeA,fakeB");
	const u64 us = NSEC_PER_USEC;
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, MO_CHOICE_CPU, auto_choice(node, SZ_1M));
		auto_note(mo_cpu_engine, 100 * us, 100 * us);
	}
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
		auto_note(a->mo, 60 * us, 10 * us);
	}
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 1, auto_choice(node, SZ_1M));
		auto_note(b->mo, 50 * us, 10 * us);
	}
	KUNIT_EXPECT_EQ(test, 1, auto_choice(node, SZ_1M));

	/* Of other sizes nothing is known. */
	KUNIT_EXPECT_EQ(test, MO_CHOICE_CPU, auto_choice(node, SZ_4K));
	/* No engine, no choice. */
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "2M"));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SMALL, auto_choice(node, SZ_1M));
}

/* An engine that is so slow that it must not be asked thrice in a row. */
static void auto_pays_for_lessons(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	int i, tries = 0;

	auto_cost(mo_cpu_engine, SZ_1M, 100);
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
	auto_note(fake->mo, NSEC_PER_MSEC, NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_1M));

	/* Each costs 900 us more, of which 1/256 may be lost. */
	for (i = 0; i < 10000; i++) {
		if (auto_choice(node, SZ_1M))
			continue;
		auto_note(fake->mo, NSEC_PER_MSEC, 0);
		tries++;
	}
	KUNIT_EXPECT_GE(test, tries, 4);
	KUNIT_EXPECT_LE(test, tries * 900, 10000 * 100 / 256);
}

/* The cheapest, by size; and of two that are about as good, the nearer. */
static void auto_takes_the_cheapest(struct kunit *test)
{
	struct fake_engine *a = auto_engine(test, "fakeA");
	struct fake_engine *b = auto_engine(test, "fakeB");
	struct mo_node *node = auto_node(test, "fakeA,fakeB");

	auto_cost(mo_cpu_engine, SZ_4K, 1);
	auto_cost(a->mo, SZ_4K, 8);
	auto_cost(b->mo, SZ_4K, 8);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_4K));

	auto_cost(mo_cpu_engine, SZ_256K, 64);
	auto_cost(a->mo, SZ_256K, 30);
	auto_cost(b->mo, SZ_256K, 20);
	KUNIT_EXPECT_EQ(test, 1, auto_choice(node, SZ_256K));

	auto_cost(mo_cpu_engine, SZ_1M, 2560);
	auto_cost(a->mo, SZ_1M, 1010);
	auto_cost(b->mo, SZ_1M, 1000);
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));

	/* One that is out of service does not count. */
	mo_engine_fail(a->mo, "test");
	KUNIT_EXPECT_EQ(test, 1, auto_choice(node, SZ_1M));
	mo_engine_fail(b->mo, "test");
	KUNIT_EXPECT_EQ(test, MO_CHOICE_NOBODY, auto_choice(node, SZ_1M));
}

/* One bad sample changes nothing; when all are bad, it is noticed. */
static void auto_forgives_once(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	int i;

	auto_cost(mo_cpu_engine, SZ_1M, 100);
	auto_cost(fake->mo, SZ_1M, 95);
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
	for (i = 0; i < 20; i++) {
		auto_note(fake->mo, NSEC_PER_SEC, 0);
		KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
		auto_note(fake->mo, 95 * NSEC_PER_USEC, 0);
		KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
		auto_note(fake->mo, 95 * NSEC_PER_USEC, 0);
	}
	auto_cost(fake->mo, SZ_1M, 200);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_1M));
	/* Nor does one good sample. */
	auto_note(fake->mo, 1, 1);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_1M));
}

/* Who is not chosen is tried now and then, and taken when it has got better. */
static void auto_looks_now_and_then(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	int i, tries = 0, cpu = 0;

	auto_cost(mo_cpu_engine, SZ_1M, 100);
	auto_cost(fake->mo, SZ_1M, 200);
	for (i = 0; i < 20000 && tries < 20; i++) {
		int choice = auto_choice(node, SZ_1M);

		cpu += choice == MO_CHOICE_CPU;
		if (choice)
			continue;
		tries++;
		auto_note(fake->mo, 10 * NSEC_PER_USEC, 0);
	}
	KUNIT_EXPECT_EQ(test, 20, tries);
	KUNIT_EXPECT_GT(test, cpu, 0);
	/* Not without looks at it before. */
	KUNIT_EXPECT_GT(test, i, 2 * 128);
	for (i = 0; i < 100; i++)
		tries += !auto_choice(node, SZ_1M);
	KUNIT_EXPECT_GT(test, tries, 20 + 90);
}

/* What is queued already takes its time. */
static void auto_sees_queues(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");

	auto_cost(mo_cpu_engine, SZ_1M, 100);
	auto_cost(fake->mo, SZ_1M, 50);
	WRITE_ONCE(fake->mo->mib_ns, 50 * NSEC_PER_USEC);
	/* As much as it gets now is its own. */
	atomic_long_set(&fake->mo->queued_bytes, SZ_1M);
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
	atomic_long_set(&fake->mo->queued_bytes, SZ_1M + SZ_2M);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_1M));
	atomic_long_set(&fake->mo->queued_bytes, 0);
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
}

/* But for the part before, which is a whole one. */
static void auto_knows_its_own(struct kunit *test)
{
	const size_t bytes = MO_PART_PAGES * PAGE_SIZE;
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	struct mo_amount last = auto_pages(bytes / 4, true);
	struct mo_amount alone = auto_pages(bytes / 4, false);

	auto_costs(mo_cpu_engine, last, 50);
	auto_costs(fake->mo, last, 20);
	auto_costs(mo_cpu_engine, alone, 50);
	auto_costs(fake->mo, alone, 20);
	fake->mo->mib_ns = NSEC_PER_MSEC;
	atomic_long_set(&fake->mo->queued_bytes, bytes);
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, last));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, alone));
	atomic_long_set(&fake->mo->queued_bytes, 2 * bytes);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, last));
	atomic_long_set(&fake->mo->queued_bytes, 0);
}

/* Time, or the CPU's time; not at any price. */
static void auto_has_a_goal(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	int i;

	auto_cost(mo_cpu_engine, SZ_1M, 100);
	for (i = 0; i < 40; i++)
		auto_note(fake->mo, 180 * NSEC_PER_USEC,
			  10 * NSEC_PER_USEC);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_1M));
	KUNIT_ASSERT_EQ(test, 0, mo_auto_set_goal(node, "cpu"));
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
	for (i = 0; i < 40; i++)
		auto_note(fake->mo, 220 * NSEC_PER_USEC,
			  10 * NSEC_PER_USEC);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_1M));
}

static const struct fixture_text goal_params[] = {
	{ "load", 0 },
	{ "time", 0 },
	{ "cpu", 0 },
	{ "", -EINVAL },
	{ "CPU", -EINVAL },
	{ "cpu ", -EINVAL },
	{ "[cpu]", -EINVAL },
	{ "load time", -EINVAL },
	{ "cpus", -EINVAL },
};

KUNIT_ARRAY_PARAM(goal, goal_params, fixture_text_desc);

static void auto_parses_goals(struct kunit *test)
{
	const struct fixture_text *param = test->param_value;
	struct mo_node *node = fixture_node(test);
	struct folio *page = fixture_folio(test, 0);
	char expected[16];

	KUNIT_ASSERT_EQ(test, 0, mo_auto_set_goal(node, "time"));
	KUNIT_EXPECT_EQ(test, param->err, mo_auto_set_goal(node, param->text));
	mo_auto_show_goal(node, folio_address(page));
	snprintf(expected, sizeof(expected), "[%s]",
		 param->err ? "time" : param->text);
	KUNIT_EXPECT_NOT_NULL(test, strstr(folio_address(page), expected));
}

/* What was left to the CPU is, without another thought, until something changes. */
static void auto_remembers(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");

	auto_cost(mo_cpu_engine, SZ_4K, 1);
	auto_cost(fake->mo, SZ_4K, 2);
	auto_cost(mo_cpu_engine, SZ_1M, 100);
	auto_cost(fake->mo, SZ_1M, 50);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_4K));
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_4K));
	/* It costs less. */
	auto_cost(fake->mo, SZ_4K, 0);
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_4K));
	auto_cost(fake->mo, SZ_4K, 2);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_4K));

	/* Another goal, another size, out of service, and back: as if it were new. */
	KUNIT_ASSERT_EQ(test, 0, mo_auto_set_goal(node, "cpu"));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_4K));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "8K"));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SMALL, auto_choice(node, SZ_4K));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SMALL, auto_choice(node, SZ_4K));
	/* Of the same class, but enough. */
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "900K"));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SMALL,
			auto_choice(node, SZ_1M - SZ_256K));
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_1M));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SMALL,
			auto_choice(node, SZ_1M - SZ_256K));
	KUNIT_ASSERT_EQ(test, 0, mo_policy_set_min_bytes(node, "auto"));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_4K));
	mo_engine_fail(fake->mo, "test");
	KUNIT_EXPECT_EQ(test, MO_CHOICE_NOBODY, auto_choice(node, SZ_4K));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_NOBODY, auto_choice(node, SZ_4K));
	KUNIT_ASSERT_EQ(test, 0, fake_reset(fake));
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_4K));
}

/*
 * More than a part, of small folios: by what a part costs, and no engine has it
 * at once.
 */
static void auto_wants_parts(struct kunit *test)
{
	const size_t part = MO_PART_PAGES * PAGE_SIZE;
	struct mo_amount small = auto_pages(part, true);
	struct mo_amount large = auto_pages(8 * part, true);
	struct mo_amount longer = {
		.bytes = part + SZ_64K - PAGE_SIZE,
		.last = SZ_64K,
		.run = true,
	};
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	int i, tries = 0;

	/* What the CPU costs is asked for in parts, too, but told by any number. */
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, MO_CHOICE_LARGE, auto_choose(node, large));
		KUNIT_EXPECT_EQ(test, MO_CHOICE_CPU, auto_choose(node, small));
		mo_auto_note(mo_cpu_engine, 0, 0, &large, 800 * NSEC_PER_USEC,
			     0);
	}
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, small));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_LARGE, auto_choose(node, large));
	auto_costs(fake->mo, small, 90);
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, small));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_LARGE, auto_choose(node, large));
	/* A part goes on to the end of its last folio. */
	auto_costs(mo_cpu_engine, longer, 125);
	auto_costs(fake->mo, longer, 110);
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, longer));

	auto_costs(fake->mo, small, 110);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, small));
	/* When it is to be tried again, with a part. */
	for (i = 0; i < 1000 && !tries; i++) {
		int choice = auto_choose(node, large);

		if (choice == MO_CHOICE_LARGE)
			tries += !auto_choose(node, small);
		else
			KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, choice);
	}
	KUNIT_EXPECT_EQ(test, 1, tries);
	KUNIT_EXPECT_GT(test, i, 32);
}

/* Small folios are not a large one, and one of several parts not a single one. */
static void auto_keeps_apart(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	struct mo_amount folio = auto_folio(SZ_256K);
	struct mo_amount pages = auto_pages(SZ_256K, false);
	struct mo_amount part = auto_pages(SZ_256K, true);

	auto_costs(mo_cpu_engine, folio, 100);
	auto_costs(mo_cpu_engine, pages, 100);
	auto_costs(mo_cpu_engine, part, 100);
	auto_costs(fake->mo, folio, 50);
	auto_costs(fake->mo, pages, 150);
	auto_costs(fake->mo, part, 70);
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, folio));
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, pages));
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, part));
}

/* Twice as much may be enough for who half of it is not enough for. */
static void auto_keeps_sizes_apart(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	size_t bytes;

	for (bytes = SZ_4K; bytes <= SZ_4M; bytes *= 2) {
		auto_cost(mo_cpu_engine, bytes, bytes / SZ_4K);
		auto_cost(fake->mo, bytes, 48);
	}
	for (bytes = SZ_4K; bytes <= SZ_4M; bytes *= 2)
		KUNIT_EXPECT_EQ(test, bytes < SZ_256K ? MO_CHOICE_SLOWER : 0,
				auto_choice(node, bytes));
	/* And more is one class. */
	auto_cost(mo_cpu_engine, SZ_16M, 4096);
	auto_cost(fake->mo, SZ_16M, 8192);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choice(node, SZ_8M));
	KUNIT_EXPECT_EQ(test, 0, auto_choice(node, SZ_4M));
}

/* The first part of a run is smaller than those that will follow it. */
static void auto_looks_ahead(struct kunit *test)
{
	const size_t bytes = MO_PART_PAGES * PAGE_SIZE;
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	struct mo_amount part = auto_pages(bytes, true);
	struct mo_amount half = auto_pages(bytes / 2, true);
	struct mo_amount huge = {
		.bytes = SZ_2M,
		.last = SZ_2M,
		.run = true,
	};

	auto_costs(mo_cpu_engine, part, 100);
	auto_costs(fake->mo, part, 70);
	auto_costs(mo_cpu_engine, half, 50);
	auto_costs(fake->mo, half, 60);
	auto_costs(mo_cpu_engine, huge, 800);
	auto_costs(fake->mo, huge, 900);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, half));
	half.more = true;
	KUNIT_EXPECT_EQ(test, 0, auto_choose(node, half));
	/* Nor is a large one as small as that. */
	huge.more = true;
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, huge));

	/* What it cost is said of them, too. */
	auto_costs(fake->mo, half, 60);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_SLOWER, auto_choose(node, part));
}

/* How many offers it takes until what seems to be three times as slow is tried. */
static int auto_offers_until_tried(struct mo_engine *engine,
				   struct mo_node *node, struct mo_amount what)
{
	int i;

	auto_costs(mo_cpu_engine, what, 100);
	mo_auto_note(engine, 0, 0, &what, 300 * NSEC_PER_USEC, 0);
	for (i = 0; i < 10000; i++)
		if (!auto_choose(node, what))
			return i;
	return i;
}

/* The last part of a run is chosen for alone, and so is paid for. */
static void auto_pays_for_one_part(struct kunit *test)
{
	const size_t bytes = MO_PART_PAGES * PAGE_SIZE;
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node *node = auto_node(test, "fake");
	struct mo_amount last = auto_pages(bytes / 2, true);
	struct mo_amount part = auto_pages(bytes, true);
	int offers;

	part.more = true;
	offers = auto_offers_until_tried(fake->mo, node, last);
	KUNIT_EXPECT_GT(test, offers, 400);
	KUNIT_EXPECT_LT(test, offers, 600);
	offers = auto_offers_until_tried(fake->mo, node, part);
	KUNIT_EXPECT_GT(test, offers, 8 * 400);
	KUNIT_EXPECT_LT(test, offers, 8 * 600);
}

/* What is chosen for one part of a run goes for the next ones, whatever they cost. */
static void auto_chooses_for_several(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_amount part = auto_pages(MO_PART_PAGES * PAGE_SIZE, true);
	struct migrate_offload_run run = { .more = true };
	struct fixture_pairs *pairs;
	enum migrate_offload begun;
	unsigned int i;

	fixture_enable(test, fake->mo);
	auto_node(test, "fake");
	auto_costs(mo_cpu_engine, part, 100);
	auto_costs(fake->mo, part, 50);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 16, 0);

	for (i = 0; i < MO_CHOICE_PARTS + 2; i++) {
		pairs->run = run;
		begun = fixture_pairs_begin(pairs, MR_SYSCALL);
		run = pairs->run;
		fixture_pairs_end(pairs);
		KUNIT_EXPECT_EQ(test, i < MO_CHOICE_PARTS ?
				MIGRATE_OFFLOAD_OVERLAP : MIGRATE_OFFLOAD_NONE,
				begun);
		KUNIT_EXPECT_TRUE(test, run.begun);
		auto_costs(fake->mo, part, 200);
	}
	KUNIT_EXPECT_EQ(test, MO_CHOICE_PARTS, fake->submits);

	/* Unless they come from elsewhere, or the policy is another. */
	auto_costs(fake->mo, part, 50);
	pairs->run = run;
	fixture_pairs_begin(pairs, MR_SYSCALL);
	fixture_pairs_end(pairs);
	KUNIT_EXPECT_EQ(test, MO_CHOICE_PARTS - 1, pairs->run.parts);
	auto_costs(fake->mo, part, 200);
	mo_auto_changed(mo_node(0));
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_NONE,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_EXPECT_EQ(test, 0, pairs->run.parts);

	/* Or it does not take them. */
	auto_costs(fake->mo, part, 50);
	fake->submit_error = -EIO;
	pairs->run = run;
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_NONE,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_EXPECT_EQ(test, 0, pairs->run.parts);
	KUNIT_EXPECT_EQ(test, INT_MAX, pairs->run.pages);
}

/* How many pages come next: few for engines, all that there are for the CPU. */
static void auto_says_how_many(struct kunit *test)
{
	struct mo_amount part = auto_pages(MO_PART_PAGES * PAGE_SIZE, false);
	struct fake_engine *fake = auto_engine(test, "fake");
	struct fixture_pairs *pairs = fixture_pairs(test);

	fixture_enable(test, fake->mo);
	auto_node(test, "fake");
	fixture_pairs_fill(test, pairs, MO_PART_PAGES, 0);

	/* The CPU's cost is asked for, then the engine's. */
	fixture_pairs_begin(pairs, MR_SYSCALL);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_ALONE, pairs->begun);
	KUNIT_EXPECT_EQ(test, MO_PART_PAGES, pairs->run.pages);
	fixture_pairs_end(pairs);
	auto_costs(mo_cpu_engine, part, 100);
	fixture_pairs_begin(pairs, MR_SYSCALL);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_OVERLAP, pairs->begun);
	KUNIT_EXPECT_EQ(test, MO_PART_PAGES, pairs->run.pages);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
	fixture_pairs_end(pairs);

	/* Too many at a time. */
	fixture_pairs_fill(test, pairs, MO_PART_PAGES, 0);
	auto_costs(mo_cpu_engine, part, 100);
	auto_costs(fake->mo, part, 50);
	fixture_pairs_begin(pairs, MR_SYSCALL);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_NONE, pairs->begun);
	KUNIT_EXPECT_EQ(test, MO_PART_PAGES, pairs->run.pages);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);

	auto_costs(fake->mo, part, 200);
	fixture_pairs_begin(pairs, MR_SYSCALL);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_NONE, pairs->begun);
	KUNIT_EXPECT_EQ(test, INT_MAX, pairs->run.pages);
}

/* What is left to the CPU is counted, and not looked at. */
static void auto_declines(struct kunit *test)
{
	struct mo_amount pages = auto_pages(16 * PAGE_SIZE, false);
	struct fake_engine *fake = auto_engine(test, "fake");
	struct mo_node_stats before, stats;
	struct fixture_pairs *pairs;

	fixture_enable(test, fake->mo);
	auto_node(test, "fake");
	auto_costs(mo_cpu_engine, pages, 1);
	auto_costs(fake->mo, pages, 10);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 16, 0);

	fixture_node_stats(&before);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_NONE,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	fixture_node_stats_since(test, &before, &stats);
	KUNIT_EXPECT_EQ(test, 16, stats.offered);
	KUNIT_EXPECT_EQ(test, 16, stats.refused[MO_REFUSED_SLOWER]);
	KUNIT_EXPECT_EQ(test, 0, fake->submits);

	auto_costs(mo_cpu_engine, pages, 100);
	KUNIT_EXPECT_NE(test, MIGRATE_OFFLOAD_NONE,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
	fixture_pairs_end(pairs);

	/* The CPU's cost is asked for: it copies, and what it takes is noted. */
	mo_costs_forget(mo_cpu_engine);
	fixture_node_stats(&before);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_ALONE,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	fixture_pairs_end(pairs);
	fixture_node_stats_since(test, &before, &stats);
	KUNIT_EXPECT_EQ(test, 16, stats.copied_cpu);
	KUNIT_EXPECT_EQ(test, 1, fake->submits);
}

/* What an engine costs is what its batches have cost. */
static void auto_measures(struct kunit *test)
{
	struct fake_engine *fake = auto_engine(test, "fake");
	struct folio *page = fixture_folio(test, 0);
	struct fixture_pairs *pairs;
	struct mo_node *node;
	unsigned int ns, cpu_ns;
	char *line;
	int nr;

	fixture_enable(test, fake->mo);
	node = auto_node(test, "fake");
	auto_cost(mo_cpu_engine, PAGE_SIZE, 1000000);
	mo_auto_show_costs(node, folio_address(page));
	KUNIT_EXPECT_NULL(test, strstr(folio_address(page), "fake 0 "));

	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 1, 0);
	KUNIT_EXPECT_EQ(test, MIGRATE_OFFLOAD_OVERLAP,
			fixture_pairs_begin(pairs, MR_SYSCALL));
	fixture_pairs_end(pairs);
	mo_auto_show_costs(node, folio_address(page));
	line = strstr(folio_address(page), "fake 0 ");
	KUNIT_ASSERT_NOT_NULL(test, line);
	nr = sscanf(line, "fake 0 4K %u/%u", &ns, &cpu_ns);
	KUNIT_ASSERT_EQ(test, 2, nr);
	KUNIT_EXPECT_GT(test, ns, 0);
	KUNIT_EXPECT_LE(test, cpu_ns, ns);
}

static struct kunit_case auto_test_cases[] = {
	KUNIT_CASE(auto_learns),
	KUNIT_CASE(auto_pays_for_lessons),
	KUNIT_CASE(auto_takes_the_cheapest),
	KUNIT_CASE(auto_forgives_once),
	KUNIT_CASE(auto_looks_now_and_then),
	KUNIT_CASE(auto_sees_queues),
	KUNIT_CASE(auto_knows_its_own),
	KUNIT_CASE(auto_has_a_goal),
	KUNIT_CASE_PARAM(auto_parses_goals, goal_gen_params),
	KUNIT_CASE(auto_remembers),
	KUNIT_CASE(auto_wants_parts),
	KUNIT_CASE(auto_keeps_apart),
	KUNIT_CASE(auto_keeps_sizes_apart),
	KUNIT_CASE(auto_looks_ahead),
	KUNIT_CASE(auto_pays_for_one_part),
	KUNIT_CASE(auto_chooses_for_several),
	KUNIT_CASE(auto_says_how_many),
	KUNIT_CASE(auto_declines),
	KUNIT_CASE(auto_measures),
	{}
};

static struct kunit_suite auto_test_suite = {
	.name = "migrate_offload_auto",
	.test_cases = auto_test_cases,
};

kunit_test_suite(auto_test_suite);
