// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: waiting for batches, and what becomes of their folios
 *
 * The task that migrates waits for a batch when it comes to move the first
 * folio of it. Then all folios of the batch are still locked and unmapped, and
 * it is decided for each of them, once, how it ends:
 *
 *	copied		every extent of it is good, whatever the others are
 *	by the CPU	not copied, and the engine has let go of it
 *	not at all	not copied, and the engine may still write to it
 *
 * The last are put in quarantine: source and destination get a reference that
 * is dropped when the engine says that it has quiesced, however late. Their
 * migration fails, and the source, which nobody wrote, is mapped again.
 */
#include <linux/mm.h>
#include <linux/sizes.h>

#include "internal.h"

#include <trace/events/migrate_offload.h>

/* True if @fence was signalled by @deadline, in jiffies. */
static bool mo_wait_until(struct dma_fence *fence, unsigned long deadline)
{
	long left = max_t(long, deadline - jiffies, 0);

	return dma_fence_wait_timeout(fence, false, left) > 0;
}

/*
 * Returns false if the engine may still touch what it has not copied. Sets how
 * long the task slept.
 */
static bool mo_batch_wait(struct mo_batch *batch, u64 *slept_ns)
{
	struct migrate_offload_batch *pub = &batch->pub;
	struct mo_engine *engine = batch->engine;
	unsigned long patience = jiffies;
	ktime_t start;
	bool done;

	*slept_ns = 0;
	if (engine->ops->poll && !dma_fence_is_signaled(&pub->result))
		engine->ops->poll(&engine->pub, pub);
	done = dma_fence_is_signaled(&pub->result);
	if (!done) {
		start = ktime_get();
		done = mo_wait_until(&pub->result, batch->deadline);
		*slept_ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	}
	if (done) {
		if (mo_engine_online(engine))
			patience += MO_QUIESCE_GRACE;
		if (!pub->result.error ||
		    mo_wait_until(&pub->quiesced, patience))
			return true;
		mo_engine_fail(engine, "errors, and not quiesced");
	} else {
		this_cpu_inc(engine->stats->timeouts);
		trace_migrate_offload_timeout(engine->name, pub->result.seqno,
					      batch->timeout_ms);
		mo_engine_fail(engine, "deadline missed");
	}
	/* One grace for all batches of a failed engine, not one for each. */
	return mo_wait_until(&pub->quiesced, READ_ONCE(engine->grace_end));
}

static void mo_count_cost(struct mo_batch *batch)
{
	unsigned int class = mo_size_class(batch->pub.bytes);
	struct mo_engine_stats __percpu *stats = batch->engine->stats;

	this_cpu_add(stats->cost_ns[class],
		     ktime_to_ns(ktime_sub(batch->completed,
					   batch->submitted)));
	this_cpu_inc(stats->cost_batches[class]);
	mo_engine_copied(batch->engine, batch->pub.bytes, batch->submitted,
			 batch->completed);
}

/* @bad of the batch's folios were not copied. */
static void mo_count_batch(struct mo_batch *batch, unsigned int bad)
{
	struct mo_engine *engine = batch->engine;

	if (bad)
		this_cpu_inc(engine->stats->errors);
	else
		mo_count_cost(batch);

	/*
	 * An engine that does nothing but fail is of no use, and costs time.
	 * The CPU's errors are the memory's.
	 */
	if (bad < batch->nr_pairs)
		atomic_set(&engine->bad_batches, 0);
	else if (!engine->by_cpu &&
		 atomic_inc_return(&engine->bad_batches) == MO_MAX_BAD_BATCHES)
		mo_engine_fail(engine, "too many errors");
}

/* What several engines copy is counted by join.c, but for what each has done. */
static void mo_count_copied(struct mo_batch *batch, size_t bytes,
			    unsigned int folios)
{
	struct mo_node_stats __percpu *stats = mo_node(batch->nid)->stats;
	struct mo_engine *engine = batch->engine;

	this_cpu_add(engine->stats->bytes, bytes);
	this_cpu_add(engine->stats->folios, folios);
	if (batch->joined)
		return;
	if (engine->by_cpu)
		this_cpu_add(stats->copied_cpu, folios);
	else
		this_cpu_add(stats->copied_engine, folios);
}

static void mo_count_pair(struct mo_batch *batch, const struct mo_pair *pair)
{
	if (!pair->result)
		mo_count_copied(batch, pair->bytes, pair->ends);
	else if (!batch->joined)
		this_cpu_inc(mo_node(batch->nid)->stats->failed);
}

/* The engine has quiesced: let go of what was held because of it. */
static void mo_release(struct mo_batch *batch)
{
	unsigned int i;

	trace_migrate_offload_release(batch->engine->name,
				      batch->pub.quiesced.seqno,
				      batch->quarantined_pages);
	atomic_long_sub(batch->quarantined_pages,
			&batch->engine->quarantined_pages);
	for (i = 0; i < batch->nr_pairs; i++) {
		struct mo_pair *pair = &batch->pairs[i];

		if (pair->held) {
			folio_put(pair->src);
			folio_put(pair->dst);
		}
	}
	mo_batch_put(batch);
}

static void mo_release_work(struct work_struct *work)
{
	mo_release(container_of(work, struct mo_batch, release_work));
}

static void mo_release_cb(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct mo_batch *batch = container_of(cb, struct mo_batch, release_cb);

	/* Signalled from any context, and folios are not freed in all. */
	queue_work(mo_wq, &batch->release_work);
}

/*
 * Hold the folios of all pairs that were not copied. Returns false if the
 * engine has quiesced meanwhile; nothing is held then.
 */
static bool mo_quarantine(struct mo_batch *batch)
{
	struct mo_node_stats __percpu *stats = mo_node(batch->nid)->stats;
	unsigned long pages = 0;
	unsigned int i, nr = 0;

	for (i = 0; i < batch->nr_pairs; i++) {
		struct mo_pair *pair = &batch->pairs[i];

		pair->held = pair->result;
		if (pair->held) {
			folio_get(pair->src);
			folio_get(pair->dst);
			pages += 2 * folio_nr_pages(pair->src);
			nr += !batch->joined;
		}
	}
	batch->quarantined_pages = pages;
	atomic_long_add(pages, &batch->engine->quarantined_pages);
	trace_migrate_offload_quarantine(batch->engine->name,
					 batch->pub.quiesced.seqno, pages);

	/* Until mo_release(). */
	dma_fence_get(&batch->pub.result);
	dma_fence_get(&batch->pub.quiesced);
	INIT_WORK(&batch->release_work, mo_release_work);
	if (dma_fence_add_callback(&batch->pub.quiesced, &batch->release_cb,
				   mo_release_cb)) {
		mo_release(batch);
		return false;
	}
	this_cpu_add(stats->quarantined, nr);
	return true;
}

/* Sets all pairs' results, and returns how many are not copied. */
static unsigned int mo_batch_results(struct mo_batch *batch)
{
	unsigned int i, bad = 0;

	spin_lock_irq(&batch->pub.lock);
	if (batch->error || batch->pending) {
		for (i = 0; i < batch->nr_pairs; i++) {
			struct mo_pair *pair = &batch->pairs[i];

			pair->result = mo_batch_pair_error(batch, pair);
			bad += !!pair->result;
		}
	}
	spin_unlock_irq(&batch->pub.lock);
	return bad;
}

/* Some folios of @batch are not copied: what becomes of these? */
static void mo_batch_settle_bad(struct mo_batch *batch, bool quiesced)
{
	unsigned int i;

	if (!quiesced)
		quiesced = !mo_quarantine(batch);
	for (i = 0; i < batch->nr_pairs; i++) {
		struct mo_pair *pair = &batch->pairs[i];

		mo_count_pair(batch, pair);
		if (!pair->result)
			continue;
		if (!quiesced)
			pair->result = -EBUSY;
		else if (!batch->engine->by_cpu)
			pair->result = -EAGAIN;
		/* Else it is poison, and the CPU need not try again. */
	}
}

/* Wait for @batch and decide what becomes of each of its folios. Once. */
void mo_batch_settle(struct mo_batch *batch)
{
	struct mo_engine *engine = batch->engine;
	struct mo_amount what = {
		.bytes = batch->pub.bytes,
		.last = batch->pairs[batch->nr_pairs - 1].bytes,
		.run = batch->run,
		.more = batch->more,
	};
	int src = folio_nid(batch->pairs[0].src);
	ktime_t start = ktime_get();
	unsigned int bad;
	bool quiesced;
	u64 slept_ns;

	quiesced = mo_batch_wait(batch, &slept_ns);
	bad = mo_batch_results(batch);
	mo_count_batch(batch, bad);
	if (bad)
		mo_batch_settle_bad(batch, quiesced);
	else
		mo_count_copied(batch, batch->pub.bytes, batch->nr_ends);
	batch->settled = true;

	/* What copies with the CPU has a cost that others are compared with. */
	if (!engine->by_cpu)
		batch->task_ns += ktime_to_ns(ktime_sub(ktime_get(), start));
	mo_auto_note(engine, src, batch->nid, &what, batch->task_ns,
		     batch->task_ns - min(slept_ns, batch->task_ns));
}

/*
 * How it ended, once for each pair, which is gone then: 0 when it is copied,
 * -EAGAIN when the CPU may copy it, another errno when it must not be moved.
 */
int mo_pair_wait(struct mo_pair *pair)
{
	struct mo_batch *batch = pair->batch;
	int result;

	if (!batch->settled)
		mo_batch_settle(batch);

	result = pair->result;
	if (!--batch->unsettled)
		mo_batch_put(batch);
	return result;
}

static struct mo_pair *mo_pair(const struct folio *dst)
{
	return (void *)((unsigned long)dst->private & ~MIGRATE_OFFLOAD_MARK);
}

void __migrate_offload_settle(struct list_head *dst_folios)
{
	struct mo_batch *batch;
	struct folio *dst;

	list_for_each_entry(dst, dst_folios, lru) {
		if (!((unsigned long)dst->private & MIGRATE_OFFLOAD_MARK))
			continue;
		batch = mo_pair(dst)->batch;
		if (batch->joined)
			mo_join_settle(batch);
		else if (!batch->settled)
			mo_batch_settle(batch);
	}
}

int __migrate_offload_wait(struct folio *dst)
{
	struct mo_pair *pair = mo_pair(dst);
	unsigned long private = pair->private;
	int result = pair->batch->joined ? mo_join_wait(pair->batch) :
					   mo_pair_wait(pair);

	if (!result)
		private |= MIGRATE_OFFLOAD_MARK;
	dst->private = (void *)private;
	return result == -EAGAIN ? 0 : result;
}
