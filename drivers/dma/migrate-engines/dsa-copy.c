// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on Intel DSA: batches
 *
 * submit	maps a batch, makes copies of it, and shots of these: a descriptor
 *		for one copy, or a list of descriptors for several
 * complete	a shot is over when its completion record has been written. Who
 *		sees that first reports its extents: idxd's interrupt, the task
 *		that waits for the batch (small ones, for which no interrupt is
 *		asked), or the watch, which looks after those whose task has had
 *		enough of it
 * finish	when all shots of a batch are over: unmaps, and says that it is
 *		quiesced
 *
 * The record is what counts. Once it is there, the device does not touch the
 * memory any more, whatever else has become of it; and as long as it is not, it
 * may, but for three proofs of the contrary: a later drain of the same queue has
 * come back, the device has been reset, or the IOMMU does not let it.
 *
 * idxd forgets descriptors, when a queue is disabled and when the device has
 * halted. So each queue has a table of what it has in flight, and nothing is
 * kept in idxd's own descriptors.
 *
 * Locks: job->lock, batch->lock, in this order; engine->lock alone. Submission
 * and idxd's interrupt are readers of mdsa_srcu: quiesce waits until none is
 * about to submit, and removal until none has a job in hand. Nothing here sleeps
 * or allocates, but for quiesce and reset.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "../idxd/idxd.h"
#include "dsa.h"

#define CREATE_TRACE_POINTS
#include <trace/events/migrate_dsa.h>

/* For a drain to come back from a queue that works. */
#define MDSA_DRAIN_MS	100

/* How often the watch looks. */
#define MDSA_WATCH_US	100

/* For one copy, through a queue that is not in use. */
#define MDSA_TEST_MS	5000

struct workqueue_struct *mdsa_wq;

DEFINE_STATIC_SRCU(mdsa_srcu);

static unsigned int poll_bytes = SZ_64K;
module_param(poll_bytes, uint, 0644);
MODULE_PARM_DESC(poll_bytes, "Batches of at most so many bytes are polled for, larger ones interrupt (65536)");

static unsigned int poll_us = 20;
module_param(poll_us, uint, 0644);
MODULE_PARM_DESC(poll_us, "For how long at most a task polls, in microseconds (20)");

enum mdsa_cache_control {
	MDSA_CACHE_NEVER,
	MDSA_CACHE_PROMOTION,
	MDSA_CACHE_ALWAYS,
};

static const char * const mdsa_cache_names[] = {
	[MDSA_CACHE_NEVER] = "never",
	[MDSA_CACHE_PROMOTION] = "promotion",
	[MDSA_CACHE_ALWAYS] = "always",
};

static int mdsa_cache = MDSA_CACHE_PROMOTION;

static int mdsa_cache_set(const char *val, const struct kernel_param *kp)
{
	int i = sysfs_match_string(mdsa_cache_names, val);

	if (i < 0)
		return i;
	WRITE_ONCE(mdsa_cache, i);
	return 0;
}

static int mdsa_cache_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", mdsa_cache_names[mdsa_cache]);
}

static const struct kernel_param_ops mdsa_cache_ops = {
	.set = mdsa_cache_set,
	.get = mdsa_cache_get,
};
module_param_cb(cache_control, &mdsa_cache_ops, NULL, 0644);
MODULE_PARM_DESC(cache_control, "Copies go to the cache: never, promotion (to a node with CPUs, from one without), always");

/*
 * Entries of queues. One is kept for draining, which is not counted.
 */

static struct idxd_desc *mdsa_desc_get(struct mdsa_queue *queue)
{
	struct idxd_desc *desc = ERR_PTR(-EBUSY);

	if (atomic_inc_return(&queue->in_use) < queue->entries)
		desc = idxd_alloc_desc(queue->wq, IDXD_OP_NONBLOCK);
	if (IS_ERR(desc))
		atomic_dec(&queue->in_use);
	return desc;
}

static void mdsa_desc_put(struct mdsa_queue *queue, struct idxd_desc *desc)
{
	idxd_free_desc(queue->wq, desc);
	atomic_dec(&queue->in_use);
}

/*
 * Jobs
 */

static struct mdsa_job *mdsa_job_get(struct mdsa_engine *engine)
{
	struct mdsa_job *job;

	spin_lock(&engine->lock);
	job = list_first_entry_or_null(&engine->free, struct mdsa_job, node);
	if (job)
		list_del(&job->node);
	spin_unlock(&engine->lock);
	return job;
}

static void mdsa_job_free(struct mdsa_job *job)
{
	spin_lock(&job->engine->lock);
	list_add(&job->node, &job->engine->free);
	spin_unlock(&job->engine->lock);
}

/* The batch is not ours any more; what is still said of it goes nowhere. */
static struct migrate_offload_batch *mdsa_job_detach(struct mdsa_job *job)
{
	struct migrate_offload_batch *batch;

	spin_lock(&job->lock);
	batch = job->batch;
	job->batch = NULL;
	spin_unlock(&job->lock);
	return batch;
}

static void mdsa_job_put(struct mdsa_job *job)
{
	struct migrate_offload_batch *batch;

	if (!atomic_dec_and_test(&job->left))
		return;
	/* Nothing is mapped, and no batch there, if it was revoked. */
	migrate_unmap_batch(&job->engine->map, &job->map);
	batch = mdsa_job_detach(job);
	/* Before the batch can be submitted again, and need one. */
	mdsa_job_free(job);
	if (batch)
		migrate_offload_batch_quiesced(batch);
}

/*
 * Completion
 */

/* What has become of the copy: each of its extents, or those before a fault. */
static void mdsa_report_copy(struct mdsa_job *job, const struct migrate_copy *copy,
			     const struct dsa_completion_record *record)
{
	size_t copied = mdsa_copied(record, copy->len);
	int error = mdsa_status_error(record->status);
	size_t end = 0;
	unsigned int i;

	for (i = copy->first; i < copy->first + copy->nr; i++) {
		end += job->batch->extents[i].len;
		migrate_offload_extent_done(job->batch, i,
					    end <= copied ? 0 : error ?: -EIO);
	}
}

static void mdsa_report(struct mdsa_shot *shot,
			const struct dsa_completion_record *record)
{
	struct mdsa_job *job = shot->job;
	unsigned int i, first = shot->cut->first;

	lockdep_assert_held(&job->lock);
	if (!job->batch)
		return;
	if (shot->cut->nr == 1) {
		mdsa_report_copy(job, &job->copies[first], record);
		return;
	}
	/* Whatever is said of the list, each has a record that says more. */
	for (i = first; i < first + shot->cut->nr; i++)
		mdsa_report_copy(job, &job->copies[i], &job->records[i]);
}

/*
 * @shot is over: reported on, and taken from its queue's table. With interrupts
 * its descriptor is in a list of idxd, which gives it back through
 * mdsa_desc_complete(), and not before. The caller puts the job.
 */
static void mdsa_shot_end(struct mdsa_shot *shot,
			  const struct dsa_completion_record *record)
{
	struct idxd_desc *desc = shot->desc;

	lockdep_assert_held(&shot->job->lock);
	mdsa_report(shot, record);
	shot->desc = NULL;
	WRITE_ONCE(shot->queue->shots[desc->id], NULL);
	if (!shot->interrupts)
		mdsa_desc_put(shot->queue, desc);
}

static bool mdsa_record_written(const struct dsa_completion_record *record)
{
	if (!READ_ONCE(record->status))
		return false;
	/* Then the rest, and the records of a list, have been, too. */
	dma_rmb();
	return true;
}

/* Is @shot over? Returns whether it was we who found out. */
static bool mdsa_shot_look(struct mdsa_shot *shot)
{
	struct mdsa_job *job = shot->job;
	bool over;

	spin_lock(&job->lock);
	over = shot->desc && mdsa_record_written(shot->desc->completion);
	if (over)
		mdsa_shot_end(shot, shot->desc->completion);
	spin_unlock(&job->lock);
	if (over)
		mdsa_job_put(job);
	return over;
}

/*
 * It is known in another way that the device has done with @shot: what has no
 * record now will not get any.
 */
static void mdsa_shot_lost(struct mdsa_shot *shot)
{
	static const struct dsa_completion_record lost = {
		.status = IDXD_COMP_DESC_ABORT,
	};
	struct mdsa_job *job = shot->job;
	struct dsa_completion_record *record;
	struct idxd_desc *desc;

	spin_lock(&job->lock);
	desc = shot->desc;
	if (desc) {
		record = desc->completion;
		if (mdsa_record_written(record)) {
			mdsa_shot_end(shot, record);
		} else {
			/* With its next interrupt idxd takes it off its list. */
			if (shot->interrupts)
				record->status = IDXD_COMP_DESC_ABORT;
			mdsa_shot_end(shot, &lost);
		}
	}
	spin_unlock(&job->lock);
	if (desc)
		mdsa_job_put(job);
}

/**
 * mdsa_desc_complete() - idxd has taken a descriptor off its list
 * @desc: the descriptor, which is given back here
 * @queue: its queue
 *
 * Context: idxd's threaded interrupt, or a work of it.
 */
void mdsa_desc_complete(struct idxd_desc *desc, struct mdsa_queue *queue)
{
	bool cookie = dma_fence_begin_signalling();
	struct mdsa_shot *shot;
	struct mdsa_job *job;
	bool over = false;
	int idx;

	idx = srcu_read_lock(&mdsa_srcu);
	shot = READ_ONCE(queue->shots[desc->id]);
	if (shot) {
		job = shot->job;
		spin_lock(&job->lock);
		/* It cannot be another's: this one has not been given back. */
		over = shot->desc == desc;
		if (over)
			mdsa_shot_end(shot, desc->completion);
		spin_unlock(&job->lock);
		if (over)
			mdsa_job_put(job);
	}
	mdsa_desc_put(queue, desc);
	srcu_read_unlock(&mdsa_srcu, idx);
	dma_fence_end_signalling(cookie);
}

/* Returns true if something is in flight still. */
static bool mdsa_job_look(struct mdsa_job *job)
{
	unsigned int i;

	for (i = 0; i < READ_ONCE(job->nr_shots); i++)
		mdsa_shot_look(&job->shots[i]);
	return atomic_read(&job->left);
}

static bool mdsa_engine_look(struct mdsa_engine *engine)
{
	bool busy = false;
	unsigned int i;

	for (i = 0; i < engine->nr_jobs; i++)
		busy |= mdsa_job_look(engine->jobs[i]);
	return busy;
}

/* For those who have polled in vain, and sleep now. */
static void mdsa_watch_work(struct work_struct *work)
{
	struct mdsa_engine *engine = container_of(work, struct mdsa_engine,
						  watch);
	bool cookie = dma_fence_begin_signalling();
	bool polled;
	unsigned int i;

	do {
		usleep_range(MDSA_WATCH_US, 2 * MDSA_WATCH_US);
		polled = false;
		for (i = 0; i < engine->nr_jobs; i++) {
			struct mdsa_job *job = engine->jobs[i];

			if (READ_ONCE(job->polled))
				polled |= mdsa_job_look(job);
		}
		/* What does not come back is for its deadline to find out. */
	} while (polled && !READ_ONCE(engine->halted));
	dma_fence_end_signalling(cookie);
}

static void mdsa_poll(struct migrate_offload_engine *handle,
		      struct migrate_offload_batch *batch)
{
	/* Not of this batch any more, maybe, but always one of this engine. */
	struct mdsa_job *job = READ_ONCE(*(struct mdsa_job **)batch->priv);
	ktime_t end;

	if (!job || !READ_ONCE(job->polled))
		return;
	end = ktime_add_us(ktime_get(), READ_ONCE(poll_us));
	do {
		mdsa_job_look(job);
		if (dma_fence_is_signaled(&batch->result))
			return;
		cpu_relax();
	} while (!need_resched() && ktime_before(ktime_get(), end));
	queue_work(mdsa_wq, &job->engine->watch);
}

/*
 * Submission
 */

static bool mdsa_has_cpus(phys_addr_t addr)
{
	return node_state(page_to_nid(pfn_to_page(PHYS_PFN(addr))), N_CPU);
}

/* Promotion is to where CPUs are: what comes there will be used soon. */
static bool mdsa_wants_cache(const struct migrate_offload_extent *extent)
{
	switch (READ_ONCE(mdsa_cache)) {
	case MDSA_CACHE_ALWAYS:
		return true;
	case MDSA_CACHE_PROMOTION:
		return mdsa_has_cpus(extent->dst) && !mdsa_has_cpus(extent->src);
	default:
		return false;
	}
}

static u32 mdsa_copy_flags(struct mdsa_engine *engine, struct mdsa_job *job,
			   const struct migrate_copy *copy)
{
	if (engine->cache_control &&
	    mdsa_wants_cache(&job->batch->extents[copy->first]))
		return IDXD_OP_FLAG_CC;
	return 0;
}

static void mdsa_shot_fill(struct mdsa_engine *engine, struct mdsa_shot *shot,
			   struct idxd_desc *desc)
{
	u32 flags = shot->interrupts ? IDXD_OP_FLAG_RCI : 0;
	struct mdsa_job *job = shot->job;
	unsigned int i, first = shot->cut->first;

	if (shot->cut->nr == 1) {
		flags |= mdsa_copy_flags(engine, job, &job->copies[first]);
		mdsa_fill_copy(desc->hw, &job->copies[first], desc->compl_dma,
			       flags);
		return;
	}
	for (i = first; i < first + shot->cut->nr; i++) {
		memset(&job->list[i], 0, sizeof(job->list[i]));
		job->records[i].status = DSA_COMP_NONE;
		mdsa_fill_copy(&job->list[i], &job->copies[i],
			       job->records_dma + i * sizeof(*job->records),
			       mdsa_copy_flags(engine, job, &job->copies[i]));
	}
	mdsa_fill_list(desc->hw, job->list_dma + first * sizeof(*job->list),
		       shot->cut->nr, desc->compl_dma, flags);
}

/*
 * To the device. From when the shot has its descriptor, it can be found to be
 * over; if it was never submitted, nobody but we will.
 */
static void mdsa_shot_launch(struct mdsa_shot *shot, struct idxd_desc *desc)
{
	static const struct dsa_completion_record refused = {
		.status = IDXD_COMP_DESC_ABORT,
	};
	struct mdsa_queue *queue = shot->queue;
	struct mdsa_job *job = shot->job;

	spin_lock(&job->lock);
	shot->desc = desc;
	WRITE_ONCE(queue->shots[desc->id], shot);
	spin_unlock(&job->lock);
	if (!idxd_submit_desc(queue->wq, desc))
		return;

	spin_lock(&job->lock);
	mdsa_shot_end(shot, &refused);
	spin_unlock(&job->lock);
	/* idxd has not put it on its list. */
	if (shot->interrupts)
		mdsa_desc_put(queue, desc);
	mdsa_job_put(job);
}

/* Do the queues accept work? Without that, idxd would wait, or refuse. */
static bool mdsa_queue_open(const struct mdsa_queue *queue)
{
	return queue->wq->idxd->state == IDXD_DEV_ENABLED &&
	       !percpu_ref_is_dying(&queue->wq->wq_active);
}

static void mdsa_put_descs(struct mdsa_job *job, unsigned int nr)
{
	while (nr--)
		mdsa_desc_put(job->shots[nr].queue, job->descs[nr]);
}

/* All that the batch needs or none: half a batch is of no use. */
static int mdsa_get_descs(struct mdsa_job *job)
{
	struct idxd_desc *desc;
	unsigned int i;

	for (i = 0; i < job->nr_shots; i++) {
		struct mdsa_queue *queue = job->shots[i].queue;

		desc = mdsa_queue_open(queue) ? mdsa_desc_get(queue) :
						ERR_PTR(-EBUSY);
		if (IS_ERR(desc)) {
			mdsa_put_descs(job, i);
			return -EBUSY;
		}
		job->descs[i] = desc;
	}
	return 0;
}

/* Divide @batch, which has been mapped. */
static int mdsa_job_divide(struct mdsa_engine *engine, struct mdsa_job *job,
			   struct migrate_offload_batch *batch)
{
	bool polled = batch->bytes <= READ_ONCE(poll_bytes);
	unsigned int i, nr;

	job->nr_copies = migrate_map_copies(&job->map, batch->extents,
					    engine->limits.max_copy, job->copies);
	nr = mdsa_cut_copies(job->copies, job->nr_copies, engine->nr_queues,
			     engine->limits.max_list, job->cuts,
			     ARRAY_SIZE(job->cuts));
	if (WARN_ON_ONCE(!nr))
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		job->shots[i].queue = engine->queues[job->cuts[i].queue];
		job->shots[i].interrupts = !polled;
	}
	WRITE_ONCE(job->polled, polled);
	WRITE_ONCE(job->nr_shots, nr);
	return 0;
}

static void mdsa_trace_submit(struct mdsa_engine *engine,
			      const struct mdsa_shot *shot)
{
	unsigned int i, first = shot->cut->first;
	size_t bytes = 0;

	for (i = first; i < first + shot->cut->nr; i++)
		bytes += shot->job->copies[i].len;
	trace_migrate_dsa_submit(engine->engine->name, shot->queue->wq->id,
				 shot->cut->nr, bytes, shot->interrupts);
}

static void mdsa_job_launch(struct mdsa_engine *engine, struct mdsa_job *job,
			    struct migrate_offload_batch *batch)
{
	unsigned int i, nr = job->nr_shots;

	job->batch = batch;
	WRITE_ONCE(*(struct mdsa_job **)batch->priv, job);
	/* Ours, too: all shots may be over before we have been through them. */
	atomic_set(&job->left, nr + 1);
	for (i = 0; i < nr; i++)
		mdsa_shot_fill(engine, &job->shots[i], job->descs[i]);
	for (i = 0; i < nr; i++) {
		struct mdsa_shot *shot = &job->shots[i];

		if (trace_migrate_dsa_submit_enabled())
			mdsa_trace_submit(engine, shot);
		mdsa_shot_launch(shot, job->descs[i]);
	}
	mdsa_job_put(job);
}

static int mdsa_submit_batch(struct mdsa_engine *engine,
			     struct migrate_offload_batch *batch)
{
	struct mdsa_job *job;
	int err;

	if (READ_ONCE(engine->halted))
		return -ENODEV;
	job = mdsa_job_get(engine);
	if (!job)
		return -EBUSY;
	err = migrate_map_batch(&engine->map, &job->map, batch->extents,
				batch->nr_extents);
	if (err)
		goto err_free;
	err = mdsa_job_divide(engine, job, batch);
	if (!err)
		err = mdsa_get_descs(job);
	if (err)
		goto err_unmap;
	mdsa_job_launch(engine, job, batch);
	return 0;

err_unmap:
	migrate_unmap_batch(&engine->map, &job->map);
err_free:
	mdsa_job_free(job);
	return err;
}

static int mdsa_submit(struct migrate_offload_engine *handle,
		       struct migrate_offload_batch *batch)
{
	struct mdsa_engine *engine = handle->priv;
	int idx, err;

	/* It takes nothing more, and idxd does not tell. */
	if (READ_ONCE(engine->idxd->state) != IDXD_DEV_ENABLED) {
		migrate_offload_engine_failed(handle);
		return -ENODEV;
	}
	/* See mdsa_quiesce(). */
	idx = srcu_read_lock(&mdsa_srcu);
	err = mdsa_submit_batch(engine, batch);
	srcu_read_unlock(&mdsa_srcu, idx);
	return err;
}

/*
 * Failure
 */

/* Poll for @desc, which is ours alone. */
static int mdsa_wait_record(const struct idxd_desc *desc, unsigned int ms)
{
	ktime_t end = ktime_add_ms(ktime_get(), ms);

	while (!mdsa_record_written(desc->completion)) {
		if (ktime_after(ktime_get(), end))
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	return mdsa_status_error(desc->completion->status);
}

/*
 * All that was submitted to @queue before is over when a drain comes back. One
 * that did not in time is waited for the next time: nothing is submitted until
 * it has been collected, see mdsa_reset().
 */
static int mdsa_queue_drain(struct mdsa_queue *queue)
{
	struct idxd_desc *desc = queue->drain;
	int err;

	if (!desc) {
		if (!mdsa_queue_open(queue))
			return -ENODEV;
		desc = idxd_alloc_desc(queue->wq, IDXD_OP_NONBLOCK);
		if (IS_ERR(desc))
			return PTR_ERR(desc);
		desc->hw->opcode = DSA_OPCODE_DRAIN;
		desc->hw->flags = IDXD_OP_FLAG_CRAV | IDXD_OP_FLAG_RCR;
		desc->hw->completion_addr = desc->compl_dma;
		err = idxd_submit_desc(queue->wq, desc);
		if (err) {
			idxd_free_desc(queue->wq, desc);
			return err;
		}
		queue->drain = desc;
	}
	err = mdsa_wait_record(desc, MDSA_DRAIN_MS);
	if (err != -ETIMEDOUT) {
		queue->drain = NULL;
		idxd_free_desc(queue->wq, desc);
	}
	return err;
}

static void mdsa_engine_lost(struct mdsa_engine *engine,
			     const struct mdsa_queue *queue)
{
	unsigned int i, j;

	for (i = 0; i < engine->nr_jobs; i++) {
		struct mdsa_job *job = engine->jobs[i];

		for (j = 0; j < job->nr_shots; j++)
			if (job->shots[j].queue == queue)
				mdsa_shot_lost(&job->shots[j]);
	}
}

/*
 * After a reset it is disabled, and has no descriptors. idxd enables it before
 * it lets anybody have its queues, and does not say when it has been reset.
 */
static bool mdsa_was_reset(struct mdsa_engine *engine)
{
	union gensts_reg gensts;

	gensts.bits = ioread32(engine->idxd->reg_base + IDXD_GENSTATS_OFFSET);
	return gensts.state == IDXD_DEVICE_STATE_DISABLED;
}

/* Returns true if nothing is in flight any more. Nothing is being submitted. */
static bool mdsa_engine_settle(struct mdsa_engine *engine)
{
	bool reset;
	unsigned int i;

	if (!mdsa_engine_look(engine))
		return true;
	reset = mdsa_was_reset(engine);
	for (i = 0; i < engine->nr_queues; i++)
		if (reset || !mdsa_queue_drain(engine->queues[i]))
			mdsa_engine_lost(engine, engine->queues[i]);
	return !mdsa_engine_look(engine);
}

/* The device is cut off from what it may still be at. */
static void mdsa_revoke(struct mdsa_engine *engine)
{
	struct migrate_offload_batch *batch;
	unsigned int i;

	for (i = 0; i < engine->nr_jobs; i++) {
		struct mdsa_job *job = engine->jobs[i];

		/* Keep it from finishing meanwhile; what has finished need not be. */
		if (!atomic_inc_not_zero(&job->left))
			continue;
		batch = mdsa_job_detach(job);
		if (batch) {
			migrate_map_revoke(&engine->map, &job->map);
			migrate_offload_batch_quiesced(batch);
		}
		mdsa_job_put(job);
	}
}

static void mdsa_quiesce(struct migrate_offload_engine *handle)
{
	struct mdsa_engine *engine = handle->priv;

	WRITE_ONCE(engine->halted, true);
	/* Who has not seen that has submitted now: a drain is behind it. */
	synchronize_srcu(&mdsa_srcu);
	if (!mdsa_engine_settle(engine) && engine->map.translated)
		mdsa_revoke(engine);
}

static int mdsa_reset(struct migrate_offload_engine *handle)
{
	struct mdsa_engine *engine = handle->priv;
	unsigned int i;
	int err;

	if (!mdsa_engine_settle(engine))
		return -EBUSY;
	/* Then its queues are gone, and only idxd can have them come back. */
	if (mdsa_was_reset(engine))
		return -ENODEV;
	/* One that comes back later says nothing of what is submitted from here on. */
	for (i = 0; i < engine->nr_queues; i++)
		if (engine->queues[i]->drain &&
		    mdsa_queue_drain(engine->queues[i]) == -ETIMEDOUT)
			return -EBUSY;
	for (i = 0; i < engine->nr_queues; i++) {
		err = mdsa_queue_test(engine, engine->queues[i]);
		if (err)
			return err;
	}
	WRITE_ONCE(engine->halted, false);
	return 0;
}

const struct migrate_offload_ops mdsa_ops = {
	.submit = mdsa_submit,
	.poll = mdsa_poll,
	.quiesce = mdsa_quiesce,
	.reset = mdsa_reset,
};

/*
 * Coming and going
 */

static size_t mdsa_lists_size(void)
{
	return MDSA_MAX_EXTENTS * (sizeof(struct dsa_hw_desc) +
				   sizeof(struct dsa_completion_record));
}

static void mdsa_job_destroy(struct mdsa_job *job)
{
	if (job->list)
		dma_free_coherent(job->engine->map.dev, mdsa_lists_size(),
				  job->list, job->list_dma);
	migrate_map_destroy(&job->map);
	kvfree(job->copies);
	kvfree(job);
}

static struct mdsa_job *mdsa_job_create(struct mdsa_engine *engine)
{
	struct device *dev = engine->map.dev;
	struct mdsa_job *job;
	unsigned int i;

	job = kvzalloc_node(sizeof(*job), GFP_KERNEL, dev_to_node(dev));
	if (!job)
		return NULL;
	job->engine = engine;
	spin_lock_init(&job->lock);
	for (i = 0; i < MDSA_MAX_SHOTS; i++) {
		job->shots[i].job = job;
		job->shots[i].cut = &job->cuts[i];
	}
	job->copies = kvcalloc_node(MDSA_MAX_EXTENTS, sizeof(*job->copies),
				    GFP_KERNEL, dev_to_node(dev));
	job->list = dma_alloc_coherent(dev, mdsa_lists_size(), &job->list_dma,
				       GFP_KERNEL);
	if (!job->copies || !job->list ||
	    migrate_map_create(&job->map, MDSA_MAX_EXTENTS, dev_to_node(dev))) {
		mdsa_job_destroy(job);
		return NULL;
	}
	job->records = (void *)(job->list + MDSA_MAX_EXTENTS);
	job->records_dma = job->list_dma +
			   MDSA_MAX_EXTENTS * sizeof(*job->list);
	return job;
}

int mdsa_jobs_create(struct mdsa_engine *engine, unsigned int nr)
{
	spin_lock_init(&engine->lock);
	INIT_LIST_HEAD(&engine->free);
	INIT_WORK(&engine->watch, mdsa_watch_work);
	while (engine->nr_jobs < nr) {
		struct mdsa_job *job = mdsa_job_create(engine);

		if (!job)
			return -ENOMEM;
		engine->jobs[engine->nr_jobs++] = job;
		list_add_tail(&job->node, &engine->free);
	}
	return 0;
}

/*
 * The core has no batch left. What the device may still have, it was cut off
 * from; but it may have the lists and the records, too.
 */
void mdsa_jobs_destroy(struct mdsa_engine *engine)
{
	unsigned int i, j;

	cancel_work_sync(&engine->watch);
	mdsa_engine_look(engine);
	for (i = 0; i < engine->nr_queues; i++)
		for (j = 0; j < engine->queues[i]->nr_shots; j++)
			WRITE_ONCE(engine->queues[i]->shots[j], NULL);
	synchronize_srcu(&mdsa_srcu);
	for (i = 0; i < engine->nr_jobs; i++) {
		if (atomic_read(&engine->jobs[i]->left))
			dev_warn(engine->map.dev, "it hangs, and %zu bytes are lost\n",
				 mdsa_lists_size());
		else
			mdsa_job_destroy(engine->jobs[i]);
	}
}

static int mdsa_test_run(struct mdsa_queue *queue, dma_addr_t dst,
			 dma_addr_t src)
{
	struct migrate_copy copy = { .src = src, .dst = dst, .len = PAGE_SIZE };
	struct idxd_desc *desc;
	int err;

	if (!mdsa_queue_open(queue))
		return -ENODEV;
	desc = idxd_alloc_desc(queue->wq, IDXD_OP_NONBLOCK);
	if (IS_ERR(desc))
		return PTR_ERR(desc);
	mdsa_fill_copy(desc->hw, &copy, desc->compl_dma, 0);
	err = idxd_submit_desc(queue->wq, desc);
	if (!err)
		err = mdsa_wait_record(desc, MDSA_TEST_MS);
	/* Or else it is the device's until the queue is disabled. */
	if (err != -ETIMEDOUT)
		idxd_free_desc(queue->wq, desc);
	return err;
}

/**
 * mdsa_queue_test() - does a queue copy?
 * @engine: an engine with nothing in flight
 * @queue: one of its queues
 *
 * Return: 0, -EIO or another errno when it does not, -ENOMEM when that could
 * not be tried, -ETIMEDOUT when it does not answer. The device may still have
 * the memory then, which is lost.
 */
int mdsa_queue_test(struct mdsa_engine *engine, struct mdsa_queue *queue)
{
	struct device *dev = engine->map.dev;
	dma_addr_t src_dma, dst_dma;
	void *src, *dst;
	int err = -ENOMEM;

	src = dma_alloc_coherent(dev, PAGE_SIZE, &src_dma, GFP_KERNEL);
	dst = dma_alloc_coherent(dev, PAGE_SIZE, &dst_dma, GFP_KERNEL);
	if (!src || !dst)
		goto out;
	memset(src, 0x5a, PAGE_SIZE);
	err = mdsa_test_run(queue, dst_dma, src_dma);
	if (err == -ETIMEDOUT)
		return err;
	if (!err && memcmp(src, dst, PAGE_SIZE))
		err = -EIO;
out:
	if (dst)
		dma_free_coherent(dev, PAGE_SIZE, dst, dst_dma);
	if (src)
		dma_free_coherent(dev, PAGE_SIZE, src, src_dma);
	return err;
}
