// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: batches, extents and fences
 *
 * A batch is made by one task from folio pairs, submitted once, and reported
 * on by the engine from any context. Memory for all batches of an engine is
 * set aside when it registers; a batch in use holds a reference to the engine.
 *
 * Lifetime: a batch has two fences, and each has two owners to begin with: the
 * engine, which drops both when it reports the batch quiesced, and the task
 * that migrates, which drops both when it has moved the last folio. When both
 * fences are gone the batch is free again.
 */
#include <linux/dma-fence.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/migrate_offload.h>

static struct mo_batch *result_to_batch(struct dma_fence *fence)
{
	return container_of(fence, struct mo_batch, pub.result);
}

static struct mo_batch *quiesced_to_batch(struct dma_fence *fence)
{
	return container_of(fence, struct mo_batch, pub.quiesced);
}

static void mo_batch_fence_released(struct mo_batch *batch)
{
	struct mo_engine *engine = batch->engine;
	unsigned long flags;

	if (!refcount_dec_and_test(&batch->fences))
		return;

	spin_lock_irqsave(&engine->slots_lock, flags);
	list_add(&batch->node, &engine->slots);
	spin_unlock_irqrestore(&engine->slots_lock, flags);
	percpu_ref_put(&engine->users);
}

static const char *mo_result_driver_name(struct dma_fence *fence)
{
	return result_to_batch(fence)->engine->driver;
}

static const char *mo_result_timeline_name(struct dma_fence *fence)
{
	return result_to_batch(fence)->engine->name;
}

static void mo_result_release(struct dma_fence *fence)
{
	mo_batch_fence_released(result_to_batch(fence));
}

static const struct dma_fence_ops mo_result_ops = {
	.get_driver_name = mo_result_driver_name,
	.get_timeline_name = mo_result_timeline_name,
	.release = mo_result_release,
};

static const char *mo_quiesced_driver_name(struct dma_fence *fence)
{
	return quiesced_to_batch(fence)->engine->driver;
}

static const char *mo_quiesced_timeline_name(struct dma_fence *fence)
{
	return quiesced_to_batch(fence)->engine->name;
}

static void mo_quiesced_release(struct dma_fence *fence)
{
	mo_batch_fence_released(quiesced_to_batch(fence));
}

static const struct dma_fence_ops mo_quiesced_ops = {
	.get_driver_name = mo_quiesced_driver_name,
	.get_timeline_name = mo_quiesced_timeline_name,
	.release = mo_quiesced_release,
};

static void mo_batch_free(struct mo_batch *batch)
{
	if (!batch)
		return;
	kvfree(batch->pub.extents);
	kvfree(batch->pub.priv);
	kvfree(batch->shares);
	kvfree(batch);
}

static struct mo_batch *mo_batch_alloc(struct mo_engine *engine,
				       size_t priv_size)
{
	struct mo_batch *batch;

	batch = kvzalloc(struct_size(batch, pairs, MO_BATCH_FOLIOS),
			 GFP_KERNEL);
	if (!batch)
		return NULL;

	batch->engine = engine;
	batch->pub.engine = &engine->pub;
	spin_lock_init(&batch->pub.lock);
	batch->pub.extents = kvcalloc(engine->max_extents,
				      sizeof(*batch->pub.extents), GFP_KERNEL);
	if (!batch->pub.extents)
		goto err;
	if (engine->channels) {
		batch->shares = kvcalloc(engine->nr_channels,
					 sizeof(*batch->shares), GFP_KERNEL);
		if (!batch->shares)
			goto err;
	}
	if (priv_size) {
		batch->pub.priv = kvzalloc(priv_size, GFP_KERNEL);
		if (!batch->pub.priv)
			goto err;
	}
	return batch;
err:
	mo_batch_free(batch);
	return NULL;
}

/* Set aside the memory of all batches that @engine can have in flight. */
int mo_batches_create(struct mo_engine *engine, size_t priv_size)
{
	unsigned int i;

	spin_lock_init(&engine->slots_lock);
	INIT_LIST_HEAD(&engine->slots);
	engine->fence_context = dma_fence_context_alloc(2);

	if (mo_stripe_create(engine))
		return -ENOMEM;
	engine->batches = kvcalloc(engine->max_batches,
				   sizeof(*engine->batches), GFP_KERNEL);
	if (!engine->batches)
		return -ENOMEM;

	for (i = 0; i < engine->max_batches; i++) {
		engine->batches[i] = mo_batch_alloc(engine, priv_size);
		if (!engine->batches[i]) {
			mo_batches_destroy(engine);
			return -ENOMEM;
		}
		list_add_tail(&engine->batches[i]->node, &engine->slots);
	}
	return 0;
}

void mo_batches_destroy(struct mo_engine *engine)
{
	unsigned int i;

	mo_stripe_destroy(engine);
	if (!engine->batches)
		return;
	for (i = 0; i < engine->max_batches; i++)
		mo_batch_free(engine->batches[i]);
	kvfree(engine->batches);
	engine->batches = NULL;
}

/*
 * An empty batch of @engine, or NULL when all are in flight or the engine is
 * going away.
 */
struct mo_batch *mo_batch_get(struct mo_engine *engine)
{
	struct mo_batch *batch;
	unsigned long flags;
	u64 seqno;

	if (!percpu_ref_tryget_live(&engine->users))
		return NULL;

	spin_lock_irqsave(&engine->slots_lock, flags);
	batch = list_first_entry_or_null(&engine->slots, struct mo_batch, node);
	if (batch)
		list_del(&batch->node);
	spin_unlock_irqrestore(&engine->slots_lock, flags);
	if (!batch) {
		percpu_ref_put(&engine->users);
		return NULL;
	}

	batch->pub.nr_extents = 0;
	batch->pub.bytes = 0;
	batch->pending = 0;
	batch->error = 0;
	batch->completed = 0;
	/* Where no folio begins. */
	batch->src_end = 1;
	batch->dst_end = 1;
	batch->nr_pairs = 0;
	batch->nr_ends = 0;
	batch->unsettled = 0;
	batch->settled = false;
	batch->joined = false;
	batch->run = false;
	batch->more = false;
	batch->quarantined_pages = 0;
	batch->queued_bytes = 0;
	refcount_set(&batch->fences, 2);

	seqno = atomic64_inc_return(&engine->fence_seqno);
	dma_fence_init(&batch->pub.result, &mo_result_ops, &batch->pub.lock,
		       engine->fence_context, seqno);
	dma_fence_init(&batch->pub.quiesced, &mo_quiesced_ops,
		       &batch->pub.lock, engine->fence_context + 1, seqno);
	/* One reference each for the engine, one each for the caller. */
	dma_fence_get(&batch->pub.result);
	dma_fence_get(&batch->pub.quiesced);
	atomic_inc(&engine->inflight);
	return batch;
}

/* The task that migrates is done with @batch. */
void mo_batch_put(struct mo_batch *batch)
{
	/* The second fence keeps the batch ours until the last line. */
	dma_fence_put(&batch->pub.result);
	dma_fence_put(&batch->pub.quiesced);
}

static void mo_batch_add_extent(struct mo_batch *batch, phys_addr_t from,
				phys_addr_t to, size_t bytes)
{
	struct migrate_offload_batch *pub = &batch->pub;
	struct migrate_offload_extent *extent;

	extent = &pub->extents[pub->nr_extents++];
	extent->src = from;
	extent->dst = to;
	extent->len = bytes;
	extent->channel = 0;
	extent->error = -EINPROGRESS;
}

/* What is cut to the engine's limit, or @goes_on from the last extent. */
static bool mo_batch_add_cut(struct mo_batch *batch, bool goes_on,
			     phys_addr_t from, phys_addr_t to, size_t left)
{
	size_t max = batch->engine->max_extent_bytes, part = 0;
	struct migrate_offload_extent *last = NULL;

	if (goes_on) {
		last = &batch->pub.extents[batch->pub.nr_extents - 1];
		part = min(left, max - last->len);
	}
	if (batch->pub.nr_extents + DIV_ROUND_UP(left - part, max) >
	    batch->engine->max_extents)
		return false;
	if (part)
		last->len += part;
	for (left -= part; left; left -= part) {
		from += part;
		to += part;
		part = min(left, max);
		mo_batch_add_extent(batch, from, to, part);
	}
	return true;
}

/* What @piece is of is covered by extent @first, and those that came after it. */
static __always_inline struct mo_pair *
mo_batch_add_pair(struct mo_batch *batch, const struct mo_piece *piece,
		  phys_addr_t from, phys_addr_t to, unsigned int first)
{
	struct mo_pair *pair = &batch->pairs[batch->nr_pairs++];
	size_t bytes = piece->bytes;

	batch->src_end = from + bytes;
	batch->dst_end = to + bytes;
	pair->src = piece->src;
	pair->dst = piece->dst;
	pair->bytes = bytes;
	pair->ends = piece->ends;
	pair->batch = batch;
	pair->first = first;
	pair->last = batch->pub.nr_extents - 1;
	pair->result = 0;
	batch->pub.bytes += bytes;
	batch->nr_ends += piece->ends;
	return pair;
}

/* What is not an extent of its own, or is more than one. */
static noinline struct mo_pair *
mo_batch_add_odd(struct mo_batch *batch, const struct mo_piece *piece,
		 phys_addr_t from, phys_addr_t to, bool goes_on)
{
	unsigned int first = batch->pub.nr_extents;

	/* It has a part of the last one, if that has room. */
	if (goes_on && batch->pub.extents[first - 1].len <
	    batch->engine->max_extent_bytes)
		first--;
	if (!mo_batch_add_cut(batch, goes_on, from, to, piece->bytes))
		return NULL;
	return mo_batch_add_pair(batch, piece, from, to, first);
}

/*
 * Add what of a folio pair is to be copied: extend the last extent where both
 * sides go on from it, cut to the engine's limit. Returns NULL, and changes
 * nothing, when it is full.
 */
struct mo_pair *mo_batch_add(struct mo_batch *batch,
			     const struct mo_piece *piece)
{
	phys_addr_t from = PFN_PHYS(folio_pfn(piece->src)) + piece->offset;
	phys_addr_t to = PFN_PHYS(folio_pfn(piece->dst)) + piece->offset;
	const struct mo_engine *engine = batch->engine;
	unsigned int first = batch->pub.nr_extents;
	bool goes_on;

	if (batch->nr_pairs == MO_BATCH_FOLIOS)
		return NULL;
	/* Poison fails an extent: when the CPU copies, only its own folio. */
	goes_on = from == batch->src_end && to == batch->dst_end &&
		  !engine->by_cpu;
	if (goes_on || piece->bytes > engine->max_extent_bytes)
		return mo_batch_add_odd(batch, piece, from, to, goes_on);
	if (first == engine->max_extents)
		return NULL;
	mo_batch_add_extent(batch, from, to, piece->bytes);
	return mo_batch_add_pair(batch, piece, from, to, first);
}

/* Extents have been cut: which of them cover which folio now? */
static void mo_batch_cover(struct mo_batch *batch)
{
	struct migrate_offload_batch *pub = &batch->pub;
	size_t offset = 0, end = 0;
	unsigned int i, e = 0;

	/* Pairs and extents cover the same bytes, in the same order. */
	for (i = 0; i < batch->nr_pairs; i++) {
		struct mo_pair *pair = &batch->pairs[i];

		/* @end: where extent @e ends, or where it begins if @e is new */
		if (!end)
			end = pub->extents[e].len;
		else if (end == offset)
			end += pub->extents[++e].len;
		pair->first = e;
		offset += pair->bytes;
		while (end < offset)
			end += pub->extents[++e].len;
		pair->last = e;
	}
}

/* No more folios: spread the extents over the channels. */
void mo_batch_seal(struct mo_batch *batch)
{
	if (mo_stripe(batch))
		mo_batch_cover(batch);
	batch->pending = batch->pub.nr_extents;
	batch->unsettled = batch->nr_pairs;
}

static void mo_batch_signal_result(struct mo_batch *batch)
{
	lockdep_assert_held(&batch->pub.lock);

	batch->completed = ktime_get();
	if (batch->error)
		dma_fence_set_error(&batch->pub.result, batch->error);
	trace_migrate_offload_complete(batch->engine->name,
				       batch->pub.result.seqno, batch->error,
				       ktime_sub(batch->completed,
						 batch->submitted));
	dma_fence_signal_timestamp_locked(&batch->pub.result, batch->completed);
}

static void mo_extents_done(struct mo_batch *batch, unsigned int first,
			    unsigned int nr, int error)
{
	struct migrate_offload_extent *extent = &batch->pub.extents[first];
	const struct migrate_offload_extent *end = extent + nr;
	unsigned int known = 0;

	/* As long as all goes well, nobody looks at them one by one. */
	if (nr > 1 && !error && !batch->error && nr == batch->pub.nr_extents &&
	    nr == batch->pending) {
		batch->pending = 0;
		mo_stripe_all_done(batch);
		mo_batch_signal_result(batch);
		return;
	}
	for (; extent < end; extent++) {
		if (WARN_ON_ONCE(extent->error != -EINPROGRESS ||
				 !batch->pending)) {
			known++;
			continue;
		}
		extent->error = error;
		mo_stripe_extent_done(batch, extent);
	}
	if (known == nr)
		return;
	if (error && !batch->error)
		batch->error = error;
	batch->pending -= nr - known;
	if (!batch->pending) {
		mo_stripe_batch_done(batch);
		mo_batch_signal_result(batch);
	}
}

/**
 * migrate_offload_extents_done() - report the same result of several extents
 * @batch: a batch that the engine was given and has not reported quiesced
 * @first: index of the first one
 * @nr: how many, from there on
 * @error: 0 when every byte was copied, a negative errno otherwise
 *
 * Success says three things: that every byte of the extents has been written,
 * that the CPU sees it (a driver that maps extents has unmapped or synced the
 * destination), and that the engine will not touch the extents again. The
 * folios that consist of such extents are moved at once, even if others of
 * the batch fail. An error says only that the extents were not copied.
 *
 * Each extent is reported once, in any order. After the last one
 * &migrate_offload_batch.result is signalled. The call is harmless, and has no
 * effect on the folios, after the batch has missed its deadline.
 *
 * Context: Any, including hard interrupts. Takes &migrate_offload_batch.lock.
 */
void migrate_offload_extents_done(struct migrate_offload_batch *batch,
				  unsigned int first, unsigned int nr,
				  int error)
{
	struct mo_batch *b = to_mo_batch(batch);
	unsigned long flags;

	if (WARN_ON_ONCE(first > batch->nr_extents ||
			 nr > batch->nr_extents - first))
		return;
	/* -EINPROGRESS is ours, and what is not an errno is an error, too. */
	if (WARN_ON_ONCE(error > 0 || error < -MAX_ERRNO ||
			 error == -EINPROGRESS))
		error = -EIO;

	spin_lock_irqsave(&batch->lock, flags);
	mo_extents_done(b, first, nr, error);
	spin_unlock_irqrestore(&batch->lock, flags);
}
EXPORT_SYMBOL_GPL(migrate_offload_extents_done);

/**
 * migrate_offload_extent_done() - report the result of one extent
 * @batch: a batch that the engine was given and has not reported quiesced
 * @nr: index of the extent, less than &migrate_offload_batch.nr_extents
 * @error: 0 when every byte was copied, a negative errno otherwise
 *
 * As migrate_offload_extents_done().
 *
 * Context: Any, including hard interrupts. Takes &migrate_offload_batch.lock.
 */
void migrate_offload_extent_done(struct migrate_offload_batch *batch,
				 unsigned int nr, int error)
{
	migrate_offload_extents_done(batch, nr, 1, error);
}
EXPORT_SYMBOL_GPL(migrate_offload_extent_done);

/**
 * migrate_offload_batch_quiesced() - the engine has let go of a batch
 * @batch: a batch that the engine was given
 *
 * Says that no byte of @batch can be read or written by the engine any more,
 * and that nothing of it is mapped for DMA. Extents without a result count as
 * not copied (-ECANCELED). Signals &migrate_offload_batch.result, if it was
 * not yet, and &migrate_offload_batch.quiesced. The driver must not touch
 * @batch any more: it may be submitted anew before this function returns.
 *
 * Context: Any, including hard interrupts. Takes &migrate_offload_batch.lock.
 */
void migrate_offload_batch_quiesced(struct migrate_offload_batch *batch)
{
	struct mo_batch *b = to_mo_batch(batch);
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&batch->lock, flags);
	if (WARN_ON_ONCE(dma_fence_is_signaled_locked(&batch->quiesced))) {
		spin_unlock_irqrestore(&batch->lock, flags);
		return;
	}
	for (i = 0; b->pending && i < batch->nr_extents; i++)
		if (batch->extents[i].error == -EINPROGRESS)
			mo_extents_done(b, i, 1, -ECANCELED);
	/* It was, but for a batch that was cancelled. */
	if (!dma_fence_is_signaled_locked(&batch->result))
		dma_fence_signal_locked(&batch->result);
	atomic_dec(&b->engine->inflight);
	atomic_long_sub(b->queued_bytes, &b->engine->queued_bytes);
	dma_fence_signal_locked(&batch->quiesced);
	spin_unlock_irqrestore(&batch->lock, flags);

	mo_batch_put(b);
}
EXPORT_SYMBOL_GPL(migrate_offload_batch_quiesced);

/* @batch, sealed or not, never reached the engine. It is still the task's. */
void mo_batch_refused(struct mo_batch *batch)
{
	/* So nothing of it is reported, or traced, as completed. */
	if (batch->pending)
		mo_stripe_cancel(batch);
	batch->pending = 0;
	migrate_offload_batch_quiesced(&batch->pub);
}

void mo_batch_cancel(struct mo_batch *batch)
{
	mo_batch_refused(batch);
	mo_batch_put(batch);
}

/* The first error of the extents that cover @pair, -EINPROGRESS included. */
int mo_batch_pair_error(struct mo_batch *batch, const struct mo_pair *pair)
{
	unsigned int i;

	lockdep_assert_held(&batch->pub.lock);

	for (i = pair->first; i <= pair->last; i++)
		if (batch->pub.extents[i].error)
			return batch->pub.extents[i].error;
	return 0;
}
