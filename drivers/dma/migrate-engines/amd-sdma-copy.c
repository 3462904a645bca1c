// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on the SDMA of AMD GPUs: batches
 *
 * submit	maps a batch, makes copies of it and puts it into the queue
 * feed		makes jobs of the copies of the batches in the queue, as long
 *		as there are slots for them; each end of a job calls it again
 * slot work	ends a job: reports its extents when its fence is signalled,
 *		and lets go of it when the slot is quiesced, which can be later
 * end		with the last job of a batch, unmaps it, and says that it is
 *		quiesced
 *
 * A job is what a slot takes at once: copies for one channel, that is, SDMA
 * engine, up to the size of its windows. The GPU has a page table entry for
 * each page, so scattered pages are no more work for it than others.
 *
 * A fence with an error says nothing of whether the GPU still writes. Then, and
 * while the GPU is away, the slot is asked again and again whether it has
 * quiesced. It costs next to nothing, and nobody waits for it.
 *
 * Mappings are not revoked to make the GPU let go, as with other engines: it
 * has other users, who would be given the same IO addresses, for memory that a
 * late write would then reach.
 *
 * Locks: those under which the provider sends events, engine->lock, those of
 * the provider's submit and quiesced, fence->lock. Reports come without ours.
 */
#include <linux/bitmap.h>
#include <linux/dma-fence.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "amd-sdma.h"
#include "compare.h"

/* How often, a jiffy apart, to try slots that are free and take no job. */
#define ASDMA_TRIES	32

/* Between two looks at a slot that is to quiesce, in jiffies. */
#define ASDMA_MAX_POLL	(HZ / 10)

struct workqueue_struct *asdma_wq;

/*
 * A fence without an error may mean that the GPU could not read the source:
 * which of them say so, nobody has tried.
 */
static bool asdma_compare = true;
module_param_named(compare, asdma_compare, bool, 0644);
MODULE_PARM_DESC(compare, "the CPU compares what was copied");

static int asdma_check(struct asdma_batch *batch, unsigned int nr, int error)
{
	if (error || !READ_ONCE(asdma_compare))
		return error;
	return migrate_extent_same(&batch->batch->extents[nr]) ? 0 : -EIO;
}

static void asdma_report(struct asdma_engine *engine, struct asdma_batch *batch,
			 unsigned int first, unsigned int nr, int error)
{
	const struct migrate_copy *copy = &batch->copies[first];
	unsigned int i;

	for (; nr; nr--, copy++)
		for (i = 0; i < copy->nr; i++)
			engine->extent_done(batch->batch, copy->first + i,
					    asdma_check(batch, copy->first + i,
							error));
}

static struct asdma_batch *asdma_batch_get(struct asdma_engine *engine)
{
	struct asdma_batch *batch;

	spin_lock(&engine->lock);
	batch = list_first_entry_or_null(&engine->free, struct asdma_batch,
					 node);
	if (batch)
		list_del_init(&batch->node);
	spin_unlock(&engine->lock);
	return batch;
}

static void asdma_batch_free(struct asdma_engine *engine,
			     struct asdma_batch *batch)
{
	spin_lock(&engine->lock);
	list_add(&batch->node, &engine->free);
	spin_unlock(&engine->lock);
}

static void asdma_batch_put(struct asdma_engine *engine,
			    struct asdma_batch *batch)
{
	struct migrate_offload_batch *done = batch->batch;
	bool last;

	spin_lock(&engine->lock);
	last = !--batch->left;
	spin_unlock(&engine->lock);
	if (!last)
		return;
	migrate_unmap_batch(&engine->map, &batch->map);
	/* Before the core's can be submitted again, and need one. */
	asdma_batch_free(engine, batch);
	engine->batch_quiesced(done);
}

/* What is in no job yet will be in none. */
static void asdma_give_up(struct asdma_engine *engine, struct list_head *over)
{
	struct asdma_batch *batch, *next;

	list_for_each_entry_safe(batch, next, over, node) {
		list_del_init(&batch->node);
		asdma_report(engine, batch, batch->next,
			     batch->nr_copies - batch->next, batch->error);
		asdma_batch_put(engine, batch);
	}
}

static void asdma_take_pending(struct asdma_engine *engine, int error,
			       struct list_head *over)
{
	struct asdma_batch *batch;

	lockdep_assert_held(&engine->lock);
	list_for_each_entry(batch, &engine->pending, node)
		batch->error = error;
	list_splice_tail_init(&engine->pending, over);
	engine->tries = 0;
}

static void asdma_signalled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct asdma_slot *slot = container_of(cb, struct asdma_slot, cb);

	/* Not here: there are many extents, and interrupts are off. */
	mod_delayed_work(asdma_wq, &slot->work, 0);
}

/* Pages in flight on the SDMA engine that @slot is on. */
static unsigned int asdma_load(struct asdma_slot *slot)
{
	struct asdma_engine *engine = slot->engine;
	unsigned int i, pages = 0;

	for (i = slot->nr % engine->caps.nr_engines; i < engine->nr_slots;
	     i += engine->caps.nr_engines)
		if (engine->slots[i].batch)
			pages += engine->slots[i].pages;
	return pages;
}

/*
 * The slot for the next job: on the engine that has the least to do; of these
 * the one that has rested for longest, as slots need a moment after a job.
 */
static struct asdma_slot *asdma_pick(struct asdma_engine *engine,
				     const unsigned long *tried)
{
	struct asdma_slot *best = NULL;
	unsigned int i, load, least = 0;

	for (i = 0; i < engine->nr_slots; i++) {
		struct asdma_slot *slot = &engine->slots[i];

		if (slot->batch || test_bit(i, tried))
			continue;
		load = asdma_load(slot);
		if (best && (load > least ||
			     (load == least && slot->used >= best->used)))
			continue;
		best = slot;
		least = load;
	}
	return best;
}

/* Start a job of the next copies of @batch, for one channel, as many as fit. */
static int asdma_launch(struct asdma_slot *slot, struct asdma_batch *batch)
{
	struct asdma_engine *engine = slot->engine;
	const struct migrate_copy *copies = batch->copies;
	unsigned int i, nr = 0, pages = 0;
	int err;

	lockdep_assert_held(&engine->lock);
	for (i = batch->next; i < batch->nr_copies; i++) {
		unsigned int more = copies[i].len >> PAGE_SHIFT;

		if (copies[i].channel != copies[batch->next].channel ||
		    pages + more > engine->caps.max_pages)
			break;
		engine->pairs[nr++] = (struct amd_sdma_copy_pair) {
			.src = copies[i].src,
			.dst = copies[i].dst,
			.pages = more,
		};
		pages += more;
	}
	err = engine->sdma->ops->submit(engine->sdma, slot->nr, engine->pairs,
					nr, &slot->fence);
	if (err)
		return err;
	slot->batch = batch;
	slot->first = batch->next;
	slot->nr_copies = nr;
	slot->pages = pages;
	slot->reported = false;
	slot->stuck = false;
	slot->polls = 0;
	slot->used = ++engine->used;
	engine->nr_flying++;
	batch->left++;
	batch->next = i;
	if (dma_fence_add_callback(slot->fence, &slot->cb, asdma_signalled))
		mod_delayed_work(asdma_wq, &slot->work, 0);
	return 0;
}

/* Adds to @over what cannot become a job. */
static void asdma_feed(struct asdma_engine *engine, struct list_head *over)
{
	DECLARE_BITMAP(tried, ASDMA_MAX_SLOTS) = {};
	struct asdma_batch *batch;
	struct asdma_slot *slot;

	lockdep_assert_held(&engine->lock);
	while (!list_empty(&engine->pending)) {
		int err;

		slot = asdma_pick(engine, tried);
		if (!slot)
			break;
		batch = list_first_entry(&engine->pending, struct asdma_batch,
					 node);
		err = asdma_launch(slot, batch);
		if (err == -EBUSY) {
			__set_bit(slot->nr, tried);
			continue;
		}
		if (err) {
			batch->error = err;
			list_move_tail(&batch->node, over);
			continue;
		}
		engine->tries = 0;
		if (batch->next == batch->nr_copies) {
			list_del_init(&batch->node);
			batch->left--;
		}
	}
	/* The end of a job calls again; a slot that has rested enough does not. */
	if (list_empty(&engine->pending) ||
	    bitmap_empty(tried, ASDMA_MAX_SLOTS))
		return;
	if (engine->nr_flying || ++engine->tries < ASDMA_TRIES)
		mod_delayed_work(asdma_wq, &engine->feed, 1);
	else
		asdma_take_pending(engine, -EBUSY, over);
}

static void asdma_feed_unlocked(struct asdma_engine *engine)
{
	LIST_HEAD(over);

	spin_lock(&engine->lock);
	asdma_feed(engine, &over);
	spin_unlock(&engine->lock);
	asdma_give_up(engine, &over);
}

static void asdma_feed_work(struct work_struct *work)
{
	bool cookie = dma_fence_begin_signalling();

	asdma_feed_unlocked(container_of(to_delayed_work(work),
					 struct asdma_engine, feed));
	dma_fence_end_signalling(cookie);
}

/* Its jobs have failed, and it is not known of any slot that it is well. */
static bool asdma_all_stuck(struct asdma_engine *engine)
{
	unsigned int i;

	for (i = 0; i < engine->nr_slots; i++)
		if (!engine->slots[i].batch || !engine->slots[i].stuck)
			return false;
	return true;
}

static int asdma_enqueue(struct asdma_engine *engine, struct asdma_batch *batch,
			 struct list_head *over)
{
	lockdep_assert_held(&engine->lock);
	if (engine->flags)
		return -ENODEV;
	/* There is no end to wait for. */
	if (asdma_all_stuck(engine))
		return -EBUSY;
	batch->next = 0;
	batch->left = 1;
	batch->error = 0;
	list_add_tail(&batch->node, &engine->pending);
	asdma_feed(engine, over);
	/* Nothing is in flight whose end would make room for it. */
	if (!batch->error && !batch->next && !engine->nr_flying)
		batch->error = -EBUSY;
	/* None of it: then it is refused, and not an error of the engine. */
	if (!batch->error || batch->next)
		return 0;
	list_del_init(&batch->node);
	return batch->error == -EAGAIN ? -ENODEV : batch->error;
}

static int asdma_submit(struct migrate_offload_engine *handle,
			struct migrate_offload_batch *core_batch)
{
	struct asdma_engine *engine = handle->priv;
	struct asdma_batch *batch;
	LIST_HEAD(over);
	int err;

	if (READ_ONCE(engine->flags))
		return -ENODEV;
	batch = asdma_batch_get(engine);
	if (!batch)
		return -EBUSY;
	err = migrate_map_batch(&engine->map, &batch->map, core_batch->extents,
				core_batch->nr_extents);
	if (err) {
		asdma_batch_free(engine, batch);
		return err;
	}
	batch->batch = core_batch;
	batch->nr_copies = migrate_map_copies(&batch->map, core_batch->extents,
					      (size_t)engine->caps.max_pages << PAGE_SHIFT,
					      batch->copies);
	spin_lock(&engine->lock);
	err = asdma_enqueue(engine, batch, &over);
	spin_unlock(&engine->lock);
	/* Others, and it is over with them at any time after this. */
	asdma_give_up(engine, &over);
	if (err) {
		migrate_unmap_batch(&engine->map, &batch->map);
		asdma_batch_free(engine, batch);
	}
	return err;
}

static bool asdma_quiesced(struct asdma_slot *slot)
{
	struct asdma_engine *engine = slot->engine;

	return READ_ONCE(engine->flags) & ASDMA_CLOSED ||
	       engine->sdma->ops->quiesced(engine->sdma, slot->nr);
}

/* The GPU is done with what is in @slot. */
static void asdma_slot_free(struct asdma_slot *slot)
{
	struct asdma_engine *engine = slot->engine;
	struct asdma_batch *batch = slot->batch;

	/* Afterwards it has been called, or will not be. */
	dma_fence_remove_callback(slot->fence, &slot->cb);
	dma_fence_put(slot->fence);
	slot->fence = NULL;
	spin_lock(&engine->lock);
	slot->batch = NULL;
	engine->nr_flying--;
	spin_unlock(&engine->lock);
	asdma_batch_put(engine, batch);
	asdma_feed_unlocked(engine);
}

static void asdma_slot_poll(struct asdma_slot *slot)
{
	unsigned long delay = min(1UL << min(slot->polls, 16U), ASDMA_MAX_POLL);

	slot->polls++;
	queue_delayed_work(asdma_wq, &slot->work, delay);
}

static void asdma_slot_end(struct asdma_slot *slot)
{
	struct asdma_engine *engine = slot->engine;
	bool quiesced;
	int status;

	/* In this order: a good fence quiesces, so we must not miss it. */
	quiesced = asdma_quiesced(slot);
	status = dma_fence_get_status(slot->fence);
	if (!slot->reported && (status || quiesced)) {
		asdma_report(engine, slot->batch, slot->first, slot->nr_copies,
			     status > 0 ? 0 : status ?: -ECANCELED);
		slot->reported = true;
	}
	if (quiesced) {
		asdma_slot_free(slot);
		return;
	}
	if (status) {
		spin_lock(&engine->lock);
		slot->stuck = true;
		spin_unlock(&engine->lock);
	}
	/* Or else its fence calls, or whoever sets a flag. */
	if (status || READ_ONCE(engine->flags))
		asdma_slot_poll(slot);
}

static void asdma_slot_work(struct work_struct *work)
{
	struct asdma_slot *slot = container_of(to_delayed_work(work),
					       struct asdma_slot, work);
	bool cookie = dma_fence_begin_signalling();
	bool busy;

	/* Against asdma_launch(), which may not be through with it. */
	spin_lock(&slot->engine->lock);
	busy = slot->batch;
	spin_unlock(&slot->engine->lock);
	if (busy)
		asdma_slot_end(slot);
	dma_fence_end_signalling(cookie);
}

/*
 * Submit nothing more, because of @flag, and look at what is in flight. Does
 * not wait, for neither memory nor hardware.
 */
void asdma_hold(struct asdma_engine *engine, unsigned int flag)
{
	LIST_HEAD(over);
	unsigned int i;

	spin_lock(&engine->lock);
	WRITE_ONCE(engine->flags, engine->flags | flag);
	if (flag & ASDMA_UNTESTED)
		WRITE_ONCE(engine->upsets, engine->upsets + 1);
	asdma_take_pending(engine, -ECANCELED, &over);
	for (i = 0; i < engine->nr_slots; i++) {
		engine->slots[i].polls = 0;
		if (engine->slots[i].batch)
			mod_delayed_work(asdma_wq, &engine->slots[i].work, 0);
	}
	spin_unlock(&engine->lock);
	asdma_give_up(engine, &over);
}

void asdma_release(struct asdma_engine *engine, unsigned int flags)
{
	spin_lock(&engine->lock);
	WRITE_ONCE(engine->flags, engine->flags & ~flags);
	spin_unlock(&engine->lock);
}

/* A test was good that began after @upsets: is it still worth anything? */
bool asdma_tested(struct asdma_engine *engine, unsigned int upsets)
{
	bool same;

	spin_lock(&engine->lock);
	same = engine->upsets == upsets;
	if (same)
		WRITE_ONCE(engine->flags, engine->flags & ~ASDMA_UNTESTED);
	spin_unlock(&engine->lock);
	return same;
}

/* No job is in flight, and none to come. */
bool asdma_idle(struct asdma_engine *engine)
{
	bool idle;

	spin_lock(&engine->lock);
	idle = !engine->nr_flying && list_empty(&engine->pending);
	spin_unlock(&engine->lock);
	return idle;
}

/*
 * A job cannot be taken back. If the GPU hangs, amdgpu will reset it, in
 * seconds, and slots quiesce.
 */
static void asdma_quiesce(struct migrate_offload_engine *handle)
{
	asdma_hold(handle->priv, ASDMA_HALTED);
}

static int asdma_reset(struct migrate_offload_engine *handle)
{
	struct asdma_engine *engine = handle->priv;
	int err;

	if (READ_ONCE(engine->flags) & ASDMA_AWAY)
		return -EAGAIN;
	/* The core may have let go of batches that we have not. */
	if (!asdma_idle(engine))
		return -EBUSY;
	err = asdma_test(engine);
	if (!err)
		asdma_release(engine, ASDMA_HALTED);
	return err;
}

const struct migrate_offload_ops asdma_ops = {
	.submit = asdma_submit,
	.quiesce = asdma_quiesce,
	.reset = asdma_reset,
};

static int asdma_batch_create(struct asdma_batch *batch, int nid)
{
	batch->copies = kvcalloc_node(ASDMA_MAX_EXTENTS, sizeof(*batch->copies),
				      GFP_KERNEL, nid);
	if (!batch->copies)
		return -ENOMEM;
	return migrate_map_create(&batch->map, ASDMA_MAX_EXTENTS, nid);
}

/* When the device's capabilities are known. */
int asdma_copy_create(struct asdma_engine *engine)
{
	int nid = engine->caps.numa_node;
	unsigned int i;

	INIT_DELAYED_WORK(&engine->feed, asdma_feed_work);
	engine->nr_slots = min(engine->caps.nr_slots, ASDMA_MAX_SLOTS);
	for (i = 0; i < engine->nr_slots; i++) {
		struct asdma_slot *slot = &engine->slots[i];

		slot->engine = engine;
		slot->nr = i;
		INIT_DELAYED_WORK(&slot->work, asdma_slot_work);
	}
	engine->pairs = kvcalloc_node(min(engine->caps.max_pages,
					  ASDMA_MAX_EXTENTS),
				      sizeof(*engine->pairs), GFP_KERNEL, nid);
	if (!engine->pairs)
		return -ENOMEM;
	/* As many again may wait. */
	engine->nr_batches = clamp(2 * engine->nr_slots, 4, ASDMA_MAX_BATCHES);
	for (i = 0; i < engine->nr_batches; i++) {
		int err = asdma_batch_create(&engine->batches[i], nid);

		if (err)
			return err;
		list_add_tail(&engine->batches[i].node, &engine->free);
	}
	return 0;
}

/* The core has no batch left, and the device is closed, or was not opened. */
void asdma_copy_destroy(struct asdma_engine *engine)
{
	unsigned int i;

	for (i = 0; i < engine->nr_slots; i++) {
		struct asdma_slot *slot = &engine->slots[i];

		/* It has quiesced, but we may not have seen it. */
		mod_delayed_work(asdma_wq, &slot->work, 0);
		flush_delayed_work(&slot->work);
		disable_delayed_work_sync(&slot->work);
		WARN_ON_ONCE(slot->batch);
	}
	if (engine->nr_slots)
		disable_delayed_work_sync(&engine->feed);
	for (i = 0; i < engine->nr_batches; i++) {
		migrate_map_destroy(&engine->batches[i].map);
		kvfree(engine->batches[i].copies);
	}
	kvfree(engine->pairs);
}
