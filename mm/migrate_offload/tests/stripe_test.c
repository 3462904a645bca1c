// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/stripe.c
 *
 * Time is the tests' own: channels of a model take so many nanoseconds for a
 * MiB, one batch after the other.
 */
#include <kunit/static_stub.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "fake_engine.h"
#include "fixture.h"

#define RIG_MAX_CHANNELS	16
#define RIG_MAX_BATCHES		8

/* Of a channel that is well: 8 GiB/s, and a little later each time. */
#define RIG_COST		122070
#define RIG_LATENCY		2000

struct rig_batch {
	struct mo_batch *mo;
	ktime_t ends[RIG_MAX_CHANNELS];	/* when the model's channels do */
};

struct rig {
	struct kunit *test;
	struct fake_engine *fake;
	struct folio *src;
	struct folio *dst;
	ktime_t now;
	unsigned int nr_channels;
	u64 cost[RIG_MAX_CHANNELS];	/* ns for a MiB */
	ktime_t free[RIG_MAX_CHANNELS];
	bool at_once;			/* report when all have ended */
	bool contents;			/* copy them, too */
	u32 seed;
	struct rnd_state rnd;
	/* Of batches that have been sealed: */
	size_t bytes[RIG_MAX_CHANNELS];
};

static ktime_t rig_clock(void)
{
	struct rig *rig = kunit_get_current_test()->priv;

	return rig->now;
}

static struct rig *rig_create(struct kunit *test, unsigned int nr_channels)
{
	struct migrate_offload_engine_info info = fake_info();
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	info.nr_channels = nr_channels;
	info.max_batches = RIG_MAX_BATCHES;
	rig->test = test;
	rig->fake = fake_register(test, &info);
	rig->src = fixture_folio(test, 9);
	rig->dst = fixture_folio(test, 9);
	rig->now = NSEC_PER_SEC;
	rig->nr_channels = nr_channels;
	for (i = 0; i < nr_channels; i++)
		rig->cost[i] = RIG_COST;
	prandom_seed_state(&rig->rnd, 7);
	test->priv = rig;
	kunit_activate_static_stub(test, mo_stripe_clock, rig_clock);
	return rig;
}

/* Share out @bytes, and give the model's channels to do. */
static struct rig_batch rig_submit(struct rig *rig, size_t bytes)
{
	struct mo_piece piece = mo_whole(rig->src, rig->dst);
	struct rig_batch batch = {};
	unsigned int i, c;
	u64 ns;

	batch.mo = mo_batch_get(rig->fake->mo);
	KUNIT_ASSERT_NOT_NULL(rig->test, batch.mo);
	piece.bytes = bytes;
	KUNIT_ASSERT_NOT_NULL(rig->test, mo_batch_add(batch.mo, &piece));
	mo_batch_seal(batch.mo);
	batch.mo->submitted = rig->now;

	memset(rig->bytes, 0, sizeof(rig->bytes));
	for (i = 0; i < batch.mo->pub.nr_extents; i++) {
		c = batch.mo->pub.extents[i].channel;
		KUNIT_ASSERT_LT(rig->test, c, rig->nr_channels);
		rig->bytes[c] += batch.mo->pub.extents[i].len;
	}
	for (c = 0; c < rig->nr_channels; c++) {
		if (!rig->bytes[c])
			continue;
		ns = RIG_LATENCY + rig->bytes[c] * rig->cost[c] / SZ_1M;
		/* A tenth more or less, so that no two end together. */
		ns += ns * (prandom_u32_state(&rig->rnd) % 200) / 1000 - ns / 10;
		batch.ends[c] = max(rig->now, rig->free[c]) + ns;
		rig->free[c] = batch.ends[c];
	}
	return batch;
}

static void rig_report(struct rig *rig, struct rig_batch *batch,
		       unsigned int channel, int error)
{
	struct migrate_offload_batch *pub = &batch->mo->pub;
	unsigned int i;

	for (i = 0; i < pub->nr_extents; i++) {
		if (pub->extents[i].channel != channel)
			continue;
		if (rig->contents)
			fake_extent(pub, i, error);
		else
			migrate_offload_extent_done(pub, i, error);
	}
	batch->ends[channel] = 0;
}

/* The channels end, in the model's order; @failing's extents are bad. */
static void rig_finish_but(struct rig *rig, struct rig_batch *batch,
			   int failing)
{
	unsigned int c, next;
	ktime_t last = 0;

	for (c = 0; c < rig->nr_channels; c++)
		last = max(last, batch->ends[c]);
	for (;;) {
		next = rig->nr_channels;
		for (c = 0; c < rig->nr_channels; c++)
			if (batch->ends[c] && (next == rig->nr_channels ||
					       batch->ends[c] < batch->ends[next]))
				next = c;
		if (next == rig->nr_channels)
			break;
		rig->now = rig->at_once ? last : max(rig->now, batch->ends[next]);
		rig_report(rig, batch, next, next == failing ? -EIO : 0);
	}
	migrate_offload_batch_quiesced(&batch->mo->pub);
	mo_batch_put(batch->mo);
}

static void rig_finish(struct rig *rig, struct rig_batch *batch)
{
	rig_finish_but(rig, batch, -1);
}

/*
 * Copy 2 MiB. Returns how long it took. Bytes are copied and compared now and then:
 * on an emulated CPU that takes much longer than all else.
 */
static u64 rig_copy(struct rig *rig)
{
	ktime_t start = rig->now;
	struct rig_batch batch;

	rig->contents = !(rig->seed++ % 16);
	if (rig->contents)
		fixture_fill(rig->src, rig->seed);
	batch = rig_submit(rig, SZ_2M);
	rig_finish(rig, &batch);
	if (rig->contents)
		KUNIT_EXPECT_TRUE(rig->test,
				  fixture_filled(rig->dst, rig->seed));
	rig->contents = false;
	return rig->now - start;
}

static void rig_expect_equal_shares(struct rig *rig)
{
	unsigned int c;

	for (c = 0; c < rig->nr_channels; c++)
		KUNIT_EXPECT_EQ(rig->test, rig->bytes[c],
				SZ_2M / rig->nr_channels);
}

static void rig_expect_nothing_queued(struct rig *rig)
{
	unsigned int c;
	long queued;

	for (c = 0; c < rig->nr_channels; c++) {
		queued = atomic_long_read(&rig->fake->mo->channels[c].queued);
		KUNIT_EXPECT_EQ(rig->test, 0, queued);
	}
}

/*
 * An eighth of the speed, so an eighth of the bytes; and the batch takes as
 * long as 3 1/8 channels would need, not as long as the slow one for a quarter.
 */
static void stripe_slow_channel_gets_less(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	u64 bytes[4] = {}, ns = 0, ideal;
	unsigned int i, c;

	rig_copy(rig);
	rig_expect_equal_shares(rig);
	rig->cost[2] *= 8;
	for (i = 0; i < 40; i++)
		rig_copy(rig);
	for (i = 0; i < 16; i++) {
		ns += rig_copy(rig);
		for (c = 0; c < 4; c++)
			bytes[c] += rig->bytes[c];
	}
	for (c = 0; c < 4; c++) {
		if (c == 2)
			continue;
		KUNIT_EXPECT_GT(test, bytes[c], bytes[2] * 6);
		KUNIT_EXPECT_LT(test, bytes[c], bytes[2] * 11);
	}
	ideal = 16 * 2 * RIG_COST / 25 * 8;
	KUNIT_EXPECT_LT(test, ns, ideal * 5 / 4);

	/* Fast again: it gets more with each batch, and at last its share. */
	rig->cost[2] = RIG_COST;
	for (i = 0; i < 40 && rig->bytes[2] < SZ_512K; i++)
		rig_copy(rig);
	rig_expect_equal_shares(rig);
	rig_expect_nothing_queued(rig);
}

/*
 * When there are many channels a slow one's part is below the least share. It
 * is left out, and asked now and then.
 */
static void stripe_left_out_is_asked_again(struct kunit *test)
{
	struct rig *rig = rig_create(test, 8);
	unsigned int i, asked = 0;
	u64 ns = 0, ideal;

	rig->cost[5] *= 20;
	for (i = 0; i < 64; i++)
		rig_copy(rig);
	for (i = 0; i < 600; i++) {
		ns += rig_copy(rig);
		asked += !!rig->bytes[5];
	}
	KUNIT_EXPECT_GE(test, asked, 2);
	KUNIT_EXPECT_LE(test, asked, 20);
	ideal = 600ULL * (2 * RIG_COST / 7 + RIG_LATENCY);
	KUNIT_EXPECT_LT(test, ns, ideal * 6 / 5);

	rig->cost[5] = RIG_COST;
	for (i = 0; i < 3000 && rig->bytes[5] < SZ_256K; i++)
		rig_copy(rig);
	rig_expect_equal_shares(rig);
}

/* Small batches find a slow channel, too, and go to the others. */
static void stripe_small_batches_avoid_a_slow_channel(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	unsigned int i, slow = 0;
	struct rig_batch batch;

	rig->cost[1] *= 8;
	for (i = 0; i < 400; i++) {
		batch = rig_submit(rig, MO_MIN_SHARE);
		if (i >= 200)
			slow += !!rig->bytes[1];
		rig_finish(rig, &batch);
	}
	KUNIT_EXPECT_LE(test, slow, 4);
	rig->cost[1] = RIG_COST;
	for (i = 0, slow = 0; i < 6000; i++) {
		batch = rig_submit(rig, MO_MIN_SHARE);
		if (i >= 5800)
			slow += !!rig->bytes[1];
		rig_finish(rig, &batch);
	}
	KUNIT_EXPECT_GE(test, slow, 40);
}

/* Something held a channel up, once: that is not its speed. */
static void stripe_one_bad_sample_decides_nothing(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	unsigned int i, late;

	for (late = 0; late < 24; late++) {
		i = late % 4;
		rig->cost[i] = late % 8 < 4 ? 1000 * RIG_COST : RIG_COST / 1000;
		rig_copy(rig);
		rig->cost[i] = RIG_COST;
		rig_copy(rig);
		rig_expect_equal_shares(rig);
		for (i = 0; i < 16; i++)
			rig_copy(rig);
		rig_expect_equal_shares(rig);
	}
	/* Of a channel that has failed nothing is learned, however often. */
	for (i = 0; i < 16; i++) {
		struct rig_batch batch;

		rig->cost[3] = 10 * RIG_COST;
		batch = rig_submit(rig, SZ_2M);
		rig_finish_but(rig, &batch, 3);
		rig_expect_equal_shares(rig);
	}
}

/* Channels that a driver reports all at once are alike, whatever they were. */
static void stripe_one_report_makes_channels_alike(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	struct rig_batch first, second;
	unsigned int i;

	rig->at_once = true;
	rig->cost[0] *= 8;
	for (i = 0; i < 64; i++) {
		/* The second one is not cut into equal shares. */
		first = rig_submit(rig, SZ_64K);
		second = rig_submit(rig, SZ_2M);
		rig_finish(rig, &first);
		rig_finish(rig, &second);
	}
	rig->cost[0] = RIG_COST;
	for (i = 0; i < 64; i++)
		rig_copy(rig);
	rig_expect_equal_shares(rig);
}

/* Small batches go to the channels in turn, but to none that has work. */
static void stripe_small_batches_take_turns(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	struct rig_batch batches[4], batch;
	unsigned int i, c, used = 0;

	for (i = 0; i < 4; i++) {
		batches[i] = rig_submit(rig, SZ_4K);
		for (c = 0; c < 4; c++)
			if (rig->bytes[c])
				used |= BIT(c);
	}
	KUNIT_EXPECT_EQ(test, 0xf, used);
	for (i = 0; i < 8; i++) {
		/* Only one channel has nothing to do. */
		c = batches[i % 4].mo->pub.extents[0].channel;
		rig_finish(rig, &batches[i % 4]);
		batches[i % 4] = rig_submit(rig, SZ_8K);
		KUNIT_EXPECT_EQ(test, SZ_8K, rig->bytes[c]);
	}
	for (i = 0; i < 4; i++)
		rig_finish(rig, &batches[i]);
	rig_expect_nothing_queued(rig);

	/* And when nobody has anything to do they still do. */
	for (i = 0, used = 0; i < 4; i++) {
		batch = rig_submit(rig, SZ_4K);
		for (c = 0; c < 4; c++)
			if (rig->bytes[c])
				used |= BIT(c);
		rig_finish(rig, &batch);
	}
	KUNIT_EXPECT_EQ(test, 0xf, used);
}

/* What a channel still has is counted: all end together. */
static void stripe_busy_channel_gets_less(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	struct rig_batch small, large, third;
	unsigned int busy, c;

	small = rig_submit(rig, SZ_64K);
	busy = small.mo->pub.extents[0].channel;
	large = rig_submit(rig, SZ_2M);
	for (c = 0; c < 4; c++)
		KUNIT_EXPECT_EQ(test, rig->bytes[c], c == busy ?
				(SZ_2M + SZ_64K) / 4 - SZ_64K :
				(SZ_2M + SZ_64K) / 4);
	/* Now all have as much. */
	third = rig_submit(rig, SZ_2M);
	rig_expect_equal_shares(rig);
	rig_finish(rig, &small);
	rig_finish(rig, &large);
	rig_finish(rig, &third);
	rig_expect_nothing_queued(rig);

	/* One has more than its part: the others get all of it. */
	atomic_long_set(&rig->fake->mo->channels[1].queued, SZ_1M);
	large = rig_submit(rig, SZ_2M / 2);
	KUNIT_EXPECT_EQ(test, 0, rig->bytes[1]);
	KUNIT_EXPECT_EQ(test, SZ_1M, rig->bytes[0] + rig->bytes[2] +
			rig->bytes[3]);
	rig_finish(rig, &large);
	atomic_long_set(&rig->fake->mo->channels[1].queued, 0);
}

/* However a batch ends, its channels have nothing of it any more. */
static void stripe_queues_are_empty_in_the_end(struct kunit *test)
{
	struct rig *rig = rig_create(test, 4);
	struct rig_batch batch;

	/* Never submitted. */
	batch = rig_submit(rig, SZ_2M);
	mo_batch_cancel(batch.mo);
	rig_expect_nothing_queued(rig);

	/* Failed on a channel. */
	batch = rig_submit(rig, SZ_2M);
	rig_finish_but(rig, &batch, 2);
	rig_expect_nothing_queued(rig);

	/* Nothing reported, or but a part of it. */
	batch = rig_submit(rig, SZ_2M);
	migrate_offload_batch_quiesced(&batch.mo->pub);
	mo_batch_put(batch.mo);
	rig_expect_nothing_queued(rig);
	batch = rig_submit(rig, SZ_2M);
	rig_report(rig, &batch, 1, 0);
	migrate_offload_batch_quiesced(&batch.mo->pub);
	mo_batch_put(batch.mo);
	rig_expect_nothing_queued(rig);
}

/*
 * Whatever is known of channels: all bytes are copied once, by shares that are
 * not too small and are cut where the engine can have it.
 */
static void stripe_covers_every_byte(struct kunit *test)
{
	struct rig *rig = rig_create(test, 13);
	struct mo_engine *mo = rig->fake->mo;
	struct rig_batch batch;
	unsigned int round, i, c;
	size_t bytes, sum;

	for (round = 0; round < 3000; round++) {
		bytes = (1 + prandom_u32_state(&rig->rnd) % 512) * PAGE_SIZE;
		mo->align = PAGE_SIZE << prandom_u32_state(&rig->rnd) % 6;
		if (!IS_ALIGNED(bytes, mo->align))
			mo->align = PAGE_SIZE;
		for (c = 0; c < 13; c++) {
			i = prandom_u32_state(&rig->rnd);
			mo->channels[c].samples = i & 3 ? 4 : 3;
			mo->channels[c].cost = 1 + (i >> 2) %
				(i & 4 ? 1000 : 1000000000);
			atomic_long_set(&mo->channels[c].queued, i & 8 ?
					PAGE_SIZE * ((i >> 4) % 2048) : 0);
			mo->channels[c].passed = i & 16 ? i * 1000UL : 0;
		}
		batch = rig_submit(rig, bytes);
		sum = 0;
		for (i = 0; i < batch.mo->pub.nr_extents; i++) {
			struct migrate_offload_extent *extent =
				&batch.mo->pub.extents[i];

			KUNIT_ASSERT_EQ(test, extent->src, sum +
					PFN_PHYS(folio_pfn(rig->src)));
			KUNIT_ASSERT_EQ(test, extent->dst, sum +
					PFN_PHYS(folio_pfn(rig->dst)));
			KUNIT_ASSERT_TRUE(test, IS_ALIGNED(extent->len,
							   mo->align));
			KUNIT_ASSERT_GE(test, extent->len,
					min(bytes, MO_MIN_SHARE));
			sum += extent->len;
			/* One extent is one share, here. */
			KUNIT_ASSERT_EQ(test, extent->len,
					rig->bytes[extent->channel]);
		}
		KUNIT_ASSERT_EQ(test, bytes, sum);
		mo_batch_cancel(batch.mo);
	}
	for (c = 0; c < 13; c++)
		atomic_long_set(&mo->channels[c].queued, 0);
}

static struct kunit_case stripe_test_cases[] = {
	KUNIT_CASE(stripe_slow_channel_gets_less),
	KUNIT_CASE(stripe_left_out_is_asked_again),
	KUNIT_CASE(stripe_small_batches_avoid_a_slow_channel),
	KUNIT_CASE(stripe_one_bad_sample_decides_nothing),
	KUNIT_CASE(stripe_one_report_makes_channels_alike),
	KUNIT_CASE(stripe_small_batches_take_turns),
	KUNIT_CASE(stripe_busy_channel_gets_less),
	KUNIT_CASE(stripe_queues_are_empty_in_the_end),
	KUNIT_CASE(stripe_covers_every_byte),
	{}
};

static struct kunit_suite stripe_test_suite = {
	.name = "migrate_offload_stripe",
	.test_cases = stripe_test_cases,
};

kunit_test_suite(stripe_test_suite);
