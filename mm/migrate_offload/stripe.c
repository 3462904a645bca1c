// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: which channel, and which engine, gets which bytes
 *
 * A batch is cut so that its channels end together, as far as can be told:
 * from how fast each was until now, and from the bytes that it still has of
 * other batches. So one that is slow, or busy, gets less, and does not hold
 * the rest. What each channel has lies together, and channels come in the
 * order of the folios.
 *
 * Speed is what batches have shown of it, decayed. It is for comparing an
 * engine's channels, and all of it is guesswork: nothing is locked, and an
 * update that gets lost does not matter.
 */
#include <kunit/static_stub.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "internal.h"

/* Speed is counted in parts of the fastest channel's. */
#define MO_FULL_WEIGHT		1024

/* Who is so much as fast counts as just as fast: less may be noise. */
#define MO_ALIKE_WEIGHT		(MO_FULL_WEIGHT * 3 / 4)

/* One sample in so many is not enough to tell a channel from the others. */
#define MO_FIRST_SAMPLES	4

/*
 * A channel too slow for a share of its own gets one, to see whether it still
 * is, after the others have worked so many times as long as it will need.
 */
#define MO_PROBE_PAUSE		32

/* Channels that end closer than that part of their time end together. */
#define MO_TOGETHER		64

/* What is shorter is not cut off an extent. Less than half of any share. */
#define MO_MIN_CUT		(MO_MIN_SHARE / 4)

/* Of a folio that is split between engines, the least part. */
#define MO_JOIN_LEAST		SZ_256K

/* An engine too slow even for that gets it once for so many folios. */
#define MO_JOIN_PROBE		64

ktime_t mo_stripe_clock(void)
{
	KUNIT_STATIC_STUB_REDIRECT(mo_stripe_clock);
	return ktime_get();
}

/* The memory of an engine's channels. The CPU is not measured. */
int mo_stripe_create(struct mo_engine *engine)
{
	if (engine->by_cpu)
		return 0;
	engine->channels = kvcalloc(engine->nr_channels,
				    sizeof(*engine->channels), GFP_KERNEL);
	return engine->channels ? 0 : -ENOMEM;
}

void mo_stripe_destroy(struct mo_engine *engine)
{
	kvfree(engine->channels);
	engine->channels = NULL;
}

/* In ns for a MiB; 0 while it is not known. */
static unsigned long mo_channel_cost(const struct mo_channel *channel)
{
	if (READ_ONCE(channel->samples) < MO_FIRST_SAMPLES)
		return 0;
	return READ_ONCE(channel->cost);
}

/* In MiB for a second; 0 while it is not known. */
unsigned long mo_channel_speed(const struct mo_channel *channel)
{
	unsigned long cost = mo_channel_cost(channel);

	return cost ? NSEC_PER_SEC / cost : 0;
}

/*
 * How fast channels are; of whom nothing is known counts as average. Returns
 * whether all are alike, as they mostly are.
 */
static bool mo_stripe_weigh(struct mo_batch *batch)
{
	struct mo_engine *engine = batch->engine;
	unsigned long fastest = ULONG_MAX, slowest = 0, weight, sum = 0;
	unsigned int i, nr = 0, average;

	for (i = 0; i < engine->nr_channels; i++) {
		struct mo_share *share = &batch->shares[i];

		share->cost = mo_channel_cost(&engine->channels[i]);
		share->queued = atomic_long_read(&engine->channels[i].queued);
		share->weight = MO_FULL_WEIGHT;
		share->bytes = 0;
		share->chosen = false;
		if (!share->cost)
			continue;
		fastest = min(fastest, share->cost);
		slowest = max(slowest, share->cost);
	}
	if (!slowest || fastest * MO_FULL_WEIGHT / slowest >= MO_ALIKE_WEIGHT)
		return true;
	for (i = 0; i < engine->nr_channels; i++) {
		struct mo_share *share = &batch->shares[i];

		if (!share->cost)
			continue;
		weight = max(fastest * MO_FULL_WEIGHT / share->cost, 1);
		if (weight >= MO_ALIKE_WEIGHT)
			weight = MO_FULL_WEIGHT;
		share->weight = weight;
		sum += weight;
		nr++;
	}
	average = sum / nr;
	for (i = 0; i < engine->nr_channels; i++)
		if (!batch->shares[i].cost)
			batch->shares[i].weight = average;
	return false;
}

/* When a channel would be through with @bytes more; in no unit of time. */
static u64 mo_share_ends(const struct mo_share *share, size_t bytes)
{
	return (u64)(share->queued + bytes) * MO_FULL_WEIGHT / share->weight;
}

/*
 * Give a part of @bytes to a channel of which we have not heard for long.
 * Returns how much.
 */
static size_t mo_stripe_probe(struct mo_batch *batch, size_t bytes,
			      size_t least)
{
	struct mo_engine *engine = batch->engine;
	size_t part = bytes < 2 * least ? bytes : least;
	unsigned int i;

	for (i = 0; part >= least && i < engine->nr_channels; i++) {
		struct mo_share *share = &batch->shares[i];

		if (share->weight >= MO_ALIKE_WEIGHT || share->queued ||
		    READ_ONCE(engine->channels[i].passed) / MO_PROBE_PAUSE <
		    mo_share_ends(share, part))
			continue;
		share->bytes = part;
		return part;
	}
	return 0;
}

/* No channel can be better than one that is idle and as fast as any. */
static unsigned int mo_stripe_choose_idle(struct mo_batch *batch,
					  unsigned int first, unsigned int nr)
{
	unsigned int i, c = first;

	for (i = 0; nr && i < batch->engine->nr_channels; i++) {
		struct mo_share *share = &batch->shares[c];

		if (++c == batch->engine->nr_channels)
			c = 0;
		if (share->queued || share->weight < MO_FULL_WEIGHT ||
		    share->bytes)
			continue;
		share->chosen = true;
		nr--;
	}
	return nr;
}

/* Choose the @nr channels that are through first with a part of @bytes. */
static void mo_stripe_choose(struct mo_batch *batch, size_t bytes,
			     unsigned int nr)
{
	struct mo_engine *engine = batch->engine;
	unsigned int i, first, best = 0, left;
	u64 ends, best_ends;

	/* Of those that are alike it is the turn of another each time. */
	first = READ_ONCE(engine->next_channel);
	WRITE_ONCE(engine->next_channel, (first + nr) % engine->nr_channels);
	left = mo_stripe_choose_idle(batch, first, nr);
	for (; left; left--) {
		best_ends = U64_MAX;
		for (i = first; i < first + engine->nr_channels; i++) {
			unsigned int c = i % engine->nr_channels;
			struct mo_share *share = &batch->shares[c];

			if (share->chosen || share->bytes)
				continue;
			ends = mo_share_ends(share, bytes / nr);
			if (ends < best_ends) {
				best_ends = ends;
				best = c;
			}
		}
		if (best_ends == U64_MAX)
			return;
		batch->shares[best].chosen = true;
	}
}

/*
 * Let the chosen of @n be through with @bytes, and what they have, at the same
 * time. Who would get less than @least gets nothing. Returns how long it takes,
 * as mo_share_ends() does, but for what they have.
 */
static u64 mo_stripe_level(struct mo_share *shares, unsigned int n,
			   size_t bytes, size_t least, size_t unit)
{
	struct mo_share *share, *smallest;
	u64 weights, queued, level;
	unsigned int i, nr;
	size_t left, part;
	bool dropped;

	do {
		nr = 0;
		weights = 0;
		queued = 0;
		for (i = 0; i < n; i++) {
			if (!shares[i].chosen)
				continue;
			weights += shares[i].weight;
			queued += shares[i].queued;
			nr++;
		}
		dropped = false;
		smallest = NULL;
		left = bytes;
		for (i = 0; i < n; i++) {
			share = &shares[i];
			if (!share->chosen)
				continue;
			level = (bytes + queued) * share->weight / weights;
			if (level <= share->queued && nr > 1) {
				share->chosen = false;
				share->bytes = 0;
				dropped = true;
				nr--;
				continue;
			}
			part = rounddown(level - min(level, share->queued), unit);
			share->bytes = part;
			left -= part;
			if (!smallest || part < smallest->bytes)
				smallest = share;
		}
		/* Those that were busy first: without them others get less. */
		if (!dropped && nr > 1 && smallest->bytes < least) {
			smallest->chosen = false;
			smallest->bytes = 0;
			dropped = true;
		}
	} while (dropped);

	/* What rounding has left over: a unit at most for each. */
	for (i = 0; left && i < n; i++) {
		if (!shares[i].chosen)
			continue;
		part = min(left, unit);
		shares[i].bytes += part;
		left -= part;
	}
	return bytes * MO_FULL_WEIGHT / weights;
}

/* How much of the batch each channel is to get. */
static void mo_stripe_share(struct mo_batch *batch)
{
	struct mo_engine *engine = batch->engine;
	size_t unit = max(engine->align, PAGE_SIZE);
	size_t bytes = batch->pub.bytes;
	size_t least = MO_MIN_SHARE;
	unsigned int i, nr;
	u64 time = 0;
	bool alike;

	/* A channel costs the CPU the more, the more descriptors there are. */
	if (bytes / batch->pub.nr_extents < MO_MIN_SHARE)
		least = MO_MIN_SHARE_SMALL;
	least = roundup(least, unit);

	alike = mo_stripe_weigh(batch);
	if (!alike)
		bytes -= mo_stripe_probe(batch, bytes, least);
	if (bytes) {
		nr = clamp_t(size_t, bytes / least, 1, engine->nr_channels);
		mo_stripe_choose(batch, bytes, nr);
		time = mo_stripe_level(batch->shares, engine->nr_channels,
				       bytes, least, unit);
	}

	if (alike)
		return;
	for (i = 0; i < engine->nr_channels; i++) {
		struct mo_channel *channel = &engine->channels[i];

		if (!batch->shares[i].bytes &&
		    batch->shares[i].weight < MO_ALIKE_WEIGHT)
			WRITE_ONCE(channel->passed,
				   READ_ONCE(channel->passed) + time);
	}
}

/*
 * How often extents are to be cut, because one share ends there. Shares that
 * end near the end of an extent end with it.
 */
static unsigned int mo_stripe_count_cuts(struct mo_batch *batch)
{
	const struct migrate_offload_batch *pub = &batch->pub;
	size_t bound = 0, begin = 0, end = 0;
	unsigned int i, e = 0, cuts = 0;
	long moved = 0;

	for (i = 0; i < batch->engine->nr_channels; i++) {
		struct mo_share *share = &batch->shares[i];

		if (!share->bytes)
			continue;
		share->bytes -= moved;
		moved = 0;
		bound += share->bytes;
		while (end < bound) {
			begin = end;
			end += pub->extents[e++].len;
		}
		if (end == bound)
			continue;
		if (bound - begin < MO_MIN_CUT)
			moved = begin - bound;
		else if (end - bound < MO_MIN_CUT)
			moved = end - bound;
		else
			cuts++;
		share->bytes += moved;
		bound += moved;
	}
	return cuts;
}

/*
 * Cut extents where a share ends. In place, from the end: no extent becomes
 * none, so none is overwritten before it was read.
 */
static void mo_stripe_cut(struct mo_batch *batch, unsigned int cuts)
{
	struct migrate_offload_batch *pub = &batch->pub;
	unsigned int i = pub->nr_extents, piece = i + cuts;
	unsigned int c = batch->engine->nr_channels;
	size_t offset = pub->bytes, bound = offset;

	pub->nr_extents = piece;
	while (i--) {
		struct migrate_offload_extent whole = pub->extents[i];
		size_t start = offset - whole.len;

		/* @bound: where the share of channel @c begins */
		for (;;) {
			size_t from;

			while (bound >= offset)
				bound -= batch->shares[--c].bytes;
			from = max(bound, start);
			pub->extents[--piece] = (struct migrate_offload_extent) {
				.src = whole.src + (from - start),
				.dst = whole.dst + (from - start),
				.len = offset - from,
				.channel = c,
				.error = -EINPROGRESS,
			};
			offset = from;
			if (from == start)
				break;
		}
	}
}

/* Channel @c has @nr extents of @bytes in all. */
static void mo_stripe_begin(struct mo_batch *batch, unsigned int c,
			    size_t bytes, unsigned int nr)
{
	struct mo_channel *channel = &batch->engine->channels[c];
	struct mo_share *share = &batch->shares[c];

	share->bytes = bytes;
	share->left = nr;
	share->good = true;
	if (!nr)
		return;
	atomic_long_add(bytes, &channel->queued);
	if (READ_ONCE(channel->passed))
		WRITE_ONCE(channel->passed, 0);
}

/*
 * Give each extent to the channel in whose share it begins. After cutting, and
 * if there was nothing to cut, that is where it ends, too; if there was no room
 * for it, shares change. From here on channels have what the extents say.
 */
static void mo_stripe_assign(struct mo_batch *batch)
{
	struct migrate_offload_extent *extent = batch->pub.extents, *first;
	const struct migrate_offload_extent *end;
	size_t bound = 0, offset = 0, begin;
	unsigned int c;

	end = extent + batch->pub.nr_extents;
	for (c = 0; c < batch->engine->nr_channels; c++) {
		bound += batch->shares[c].bytes;
		begin = offset;
		for (first = extent; offset < bound && extent < end; extent++) {
			extent->channel = c;
			offset += extent->len;
		}
		mo_stripe_begin(batch, c, offset - begin, extent - first);
	}
}

/*
 * Spread the extents of a full batch over its engine's channels. Returns whether
 * any of them has been cut.
 */
bool mo_stripe(struct mo_batch *batch)
{
	struct migrate_offload_batch *pub = &batch->pub;
	unsigned int cuts = 0;

	if (!batch->shares)
		return false;
	if (batch->engine->nr_channels == 1) {
		/* Where extents are to begin with. */
		mo_stripe_begin(batch, 0, pub->bytes, pub->nr_extents);
		return false;
	}
	if (pub->nr_extents) {
		mo_stripe_share(batch);
		cuts = mo_stripe_count_cuts(batch);
		if (pub->nr_extents + cuts > batch->engine->max_extents)
			cuts = 0;
	}
	if (cuts)
		mo_stripe_cut(batch, cuts);
	mo_stripe_assign(batch);
	return cuts;
}

/* Of all channels, in KiB for a second, and in bytes; 0 if not known. */
static u64 mo_engine_speed(const struct mo_engine *engine, size_t *queued)
{
	unsigned int i, nr = 0;
	unsigned long cost;
	u64 speed = 0;

	*queued = 0;
	for (i = 0; engine->channels && i < engine->nr_channels; i++) {
		*queued += atomic_long_read(&engine->channels[i].queued);
		cost = mo_channel_cost(&engine->channels[i]);
		if (!cost)
			continue;
		speed += NSEC_PER_SEC * SZ_1K / cost;
		nr++;
	}
	return nr ? speed * engine->nr_channels / nr : 0;
}

/* The least part for whom would get none now and then, at the cost of others. */
static void mo_stripe_probe_engines(struct mo_batch **batches,
				    struct mo_share *shares, unsigned int nr,
				    size_t least)
{
	struct mo_share *most = shares;
	unsigned int i, out;

	for (i = 1; i < nr; i++)
		if (shares[i].bytes > most->bytes)
			most = &shares[i];
	for (i = 0; i < nr; i++) {
		struct mo_engine *engine = batches[i]->engine;

		out = shares[i].bytes ? 0 : READ_ONCE(engine->left_out) + 1;
		if (out >= MO_JOIN_PROBE && most->bytes >= 2 * least) {
			shares[i].bytes = least;
			most->bytes -= least;
			out = 0;
		}
		WRITE_ONCE(engine->left_out, out);
	}
}

/*
 * Split @bytes of a folio between the engines of @batches, so that they end
 * together, as channels do. A part may be 0.
 */
void mo_stripe_engines(struct mo_batch **batches, unsigned int nr, size_t bytes,
		       size_t *parts)
{
	struct mo_share shares[MO_MAX_CHOICE] = {};
	u64 speed[MO_MAX_CHOICE], fastest = 0, sum = 0;
	unsigned int i, known = 0;
	size_t unit = PAGE_SIZE;
	size_t least;

	for (i = 0; i < nr; i++) {
		unit = max(unit, batches[i]->engine->align);
		speed[i] = mo_engine_speed(batches[i]->engine,
					   &shares[i].queued);
		fastest = max(fastest, speed[i]);
		sum += speed[i];
		known += !!speed[i];
	}
	for (i = 0; i < nr; i++) {
		/* Of whom nothing is known counts as average. */
		if (!known)
			shares[i].weight = MO_FULL_WEIGHT;
		else
			shares[i].weight = max((speed[i] ?: sum / known) *
					       MO_FULL_WEIGHT / fastest, 1);
		if (shares[i].weight >= MO_ALIKE_WEIGHT)
			shares[i].weight = MO_FULL_WEIGHT;
		shares[i].chosen = true;
	}
	least = roundup(MO_JOIN_LEAST, unit);
	mo_stripe_level(shares, nr, bytes, least, unit);
	mo_stripe_probe_engines(batches, shares, nr, least);
	for (i = 0; i < nr; i++)
		parts[i] = shares[i].bytes;
}

/* @batch was spread, but never submitted. */
void mo_stripe_cancel(struct mo_batch *batch)
{
	unsigned int i;

	for (i = 0; batch->shares && i < batch->engine->nr_channels; i++)
		if (batch->shares[i].left)
			atomic_long_sub(batch->shares[i].bytes,
					&batch->engine->channels[i].queued);
}

/* A channel has ended its share. */
void mo_stripe_share_done(struct mo_batch *batch, unsigned int c)
{
	struct mo_channel *channel = &batch->engine->channels[c];
	struct mo_share *share = &batch->shares[c];
	ktime_t since;

	share->done = mo_stripe_clock();
	/* It has begun when it was through with what it had before. */
	since = max(batch->submitted, READ_ONCE(channel->done));
	share->busy = ktime_to_ns(ktime_sub(share->done, since));
	WRITE_ONCE(channel->done, share->done);
	atomic_long_sub(share->bytes, &channel->queued);
}

/* As if each extent of the batch had been reported, and was good. */
void mo_stripe_all_done(struct mo_batch *batch)
{
	unsigned int i;

	lockdep_assert_held(&batch->pub.lock);
	for (i = 0; batch->shares && i < batch->engine->nr_channels; i++) {
		if (!batch->shares[i].left)
			continue;
		batch->shares[i].left = 0;
		mo_stripe_share_done(batch, i);
	}
	mo_stripe_batch_done(batch);
}

/*
 * It took @ns for @bytes. A sample counts for a quarter, and is taken for half
 * as much more than expected at most, or half as much, so one alone leaves
 * channels alike. The first ones are too long, if anything.
 */
static void mo_channel_sample(struct mo_channel *channel, u64 ns, size_t bytes)
{
	unsigned long cost = READ_ONCE(channel->cost), samples;
	unsigned long sample = max(ns * SZ_1M / bytes, 1);

	samples = READ_ONCE(channel->samples);
	if (samples < MO_FIRST_SAMPLES) {
		cost = samples ? min(cost, sample) : sample;
		WRITE_ONCE(channel->samples, samples + 1);
	} else {
		sample = clamp(sample, cost / 2, cost + cost / 2);
		cost = max(cost - cost / 4 + sample / 4, 1);
	}
	WRITE_ONCE(channel->cost, cost);
}

/* All extents of @batch have a result: what does it say of the channels? */
void mo_stripe_batch_done(struct mo_batch *batch)
{
	ktime_t first = KTIME_MAX, last = 0;
	struct mo_share *share;
	unsigned int i, nr = 0;
	s64 longest = 0;
	bool together;
	size_t bytes;

	lockdep_assert_held(&batch->pub.lock);
	if (!batch->shares)
		return;

	for (i = 0; i < batch->engine->nr_channels; i++) {
		share = &batch->shares[i];
		if (!share->bytes)
			continue;
		first = min(first, share->done);
		last = max(last, share->done);
		longest = max(longest, share->busy);
		nr++;
	}
	/*
	 * Most likely the driver has reported all of them at once: who had
	 * less would seem to be slower, for ever. They count as alike.
	 */
	together = ktime_to_ns(ktime_sub(last, first)) < longest / MO_TOGETHER;
	for (i = 0; i < batch->engine->nr_channels; i++) {
		share = &batch->shares[i];
		if (!share->good || share->bytes < MO_MIN_SHARE ||
		    share->busy <= 0)
			continue;
		bytes = together ? batch->pub.bytes / nr : share->bytes;
		mo_channel_sample(&batch->engine->channels[i],
				  together ? longest : share->busy, bytes);
	}
}
