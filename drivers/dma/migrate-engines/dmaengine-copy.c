// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on DMAengine channels: batches
 *
 * submit	maps a batch, makes copies of it, one descriptor each, and puts
 *		them, in a run, into the queues of the channels
 * feed		moves descriptors from a channel's queue to its provider, as
 *		long as that has room; completions call it again
 * callback	counts a descriptor, reports its extents
 * finish	when all descriptors of a batch have been counted: unmaps,
 *		compares if need be, and says that it is quiesced
 *
 * A descriptor belongs to the provider from submission until one of three
 * takes it back, whichever comes first (see mde_take()): its callback, a stop
 * of the channel that the provider is trusted with, or nobody: then the batch
 * stays as it is, and its folios in quarantine, unless an IOMMU cuts the
 * device off.
 *
 * Locks: channel->lock, the provider's own, job->lock, batch->lock, in this
 * order, and engine->lock, a leaf. Callbacks may come with locks of the provider
 * held, so they do without the first. Nothing here sleeps or allocates, but for
 * quiesce and reset.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compare.h"
#include "dmaengine.h"

/*
 * From a provider that completes in order: for the last descriptor of a run, and
 * every so many. Less than its ring, so that a full one has an interrupt to come,
 * and no smaller: nobody waits for a part of a run.
 */
#define MDE_INTERRUPT_EVERY	32

/* How often, a jiffy apart, to ask an idle provider that has no descriptor. */
#define MDE_TRIES	4

/* For one copy, through a channel that nobody else uses. */
#define MDE_TEST_MS	5000

struct workqueue_struct *mde_wq;

/* The batch is not ours any more; reports that still come go nowhere. */
static struct migrate_offload_batch *mde_job_detach(struct mde_job *job)
{
	struct migrate_offload_batch *batch;
	unsigned long flags;

	spin_lock_irqsave(&job->lock, flags);
	batch = job->batch;
	job->batch = NULL;
	spin_unlock_irqrestore(&job->lock, flags);
	return batch;
}

/* Has @desc ended, without that this was reported? */
static bool mde_is_news(const struct mde_desc *desc)
{
	lockdep_assert_held(&desc->run->job->lock);
	/* Pairs with mde_end(): whoever sees that it has ended sees how. */
	return smp_load_acquire(&desc->ended) && !desc->reported;
}

/* @desc has ended, and so may some after it. Returns the first that has not so. */
static struct mde_desc *mde_report_alike(struct mde_desc *desc,
					 const struct mde_desc *end)
{
	struct migrate_offload_batch *batch = desc->run->job->batch;
	unsigned int first = desc->copy->first, nr = 0;
	int error = desc->error;

	do {
		nr += desc->copy->nr;
		desc->reported = true;
		desc++;
	} while (desc < end && mde_is_news(desc) && desc->error == error);
	migrate_offload_extents_done(batch, first, nr, error);
	return desc;
}

/* Report those of @job's descriptors, from @desc on, that have ended. */
static void mde_report(struct mde_job *job, struct mde_desc *desc,
		       const struct mde_desc *end)
{
	unsigned long flags;

	spin_lock_irqsave(&job->lock, flags);
	while (job->batch && desc < end) {
		if (mde_is_news(desc))
			desc = mde_report_alike(desc, end);
		else
			desc++;
	}
	spin_unlock_irqrestore(&job->lock, flags);
}

static struct mde_job *mde_job_get(struct mde_engine *engine)
{
	struct mde_job *job;
	unsigned long flags;

	spin_lock_irqsave(&engine->lock, flags);
	job = list_first_entry_or_null(&engine->free, struct mde_job, node);
	if (job)
		list_del(&job->node);
	spin_unlock_irqrestore(&engine->lock, flags);
	return job;
}

static void mde_job_free(struct mde_job *job)
{
	unsigned long flags;

	spin_lock_irqsave(&job->engine->lock, flags);
	list_add(&job->node, &job->engine->free);
	spin_unlock_irqrestore(&job->engine->lock, flags);
}

/* For a provider that does not say what has failed. */
static void mde_compare(struct mde_job *job, struct mde_desc *desc)
{
	const struct migrate_offload_extent *extent;
	unsigned int i;

	for (i = 0; !desc->error && i < desc->copy->nr; i++) {
		extent = &job->batch->extents[desc->copy->first + i];
		if (!migrate_extent_same(extent))
			desc->error = -EIO;
	}
}

/* All descriptors of @job have ended. */
static void mde_finish(struct mde_job *job)
{
	struct mde_engine *engine = job->engine;
	bool cookie = dma_fence_begin_signalling();
	struct migrate_offload_batch *batch;
	unsigned int i;

	/* Nothing is mapped, and no batch there, if it was revoked. */
	migrate_unmap_batch(&engine->map, &job->map);
	for (i = 0; job->batch && !(engine->trust & MDE_ERRORS) && i < job->nr;
	     i++)
		mde_compare(job, &job->descs[i]);
	if (!engine->early)
		mde_report(job, job->descs, job->descs + job->nr);
	batch = mde_job_detach(job);
	/* Before the batch can be submitted again, and need one. */
	mde_job_free(job);
	if (batch)
		migrate_offload_batch_quiesced(batch);
	dma_fence_end_signalling(cookie);
}

static void mde_finish_work(struct work_struct *work)
{
	mde_finish(container_of(work, struct mde_job, finish));
}

static void mde_job_put(struct mde_job *job)
{
	if (!atomic_dec_and_test(&job->left))
		return;
	/* We may be in a callback, and to unmap in an IOMMU takes its time. */
	if (job->engine->at_once)
		mde_finish(job);
	else
		queue_work(mde_wq, &job->finish);
}

/* What is to become of @desc is known. */
static void mde_end(struct mde_desc *desc, int error)
{
	struct mde_run *run = desc->run;
	struct mde_job *job = run->job;

	desc->error = error;
	/* Pairs with mde_is_news(). */
	smp_store_release(&desc->ended, true);
	if (atomic_dec_and_test(&run->left) && job->engine->early)
		mde_report(job, run->first, run->end);
	mde_job_put(job);
}

/*
 * A driver may forget what is issued while its channel is busy (sf-pdma does, in
 * Linux 6.12). Of one that nothing is known of, we expect the like.
 */
static bool mde_must_push(struct mde_channel *channel)
{
	return !(channel->engine->trust & MDE_ERRORS) &&
	       atomic_read(&channel->flying);
}

/* Of a descriptor that may just have been taken, and its job be filled anew. */
static struct mde_channel *mde_channel_of(const struct mde_desc *desc)
{
	return READ_ONCE(READ_ONCE(desc->run)->channel);
}

/* Take @desc back from the provider. True for one caller only. */
static bool mde_take(struct mde_desc *desc)
{
	struct mde_channel *channel = mde_channel_of(desc);

	if (!atomic_xchg(&desc->flying, 0))
		return false;
	atomic_dec(&channel->flying);
	/* Pairs with mde_feed(): either it sees this one gone, or we that it waits. */
	smp_mb__after_atomic();
	if (READ_ONCE(channel->nr_waiting) || mde_must_push(channel))
		mod_delayed_work(mde_wq, &channel->feed, 0);
	return true;
}

/*
 * The driver has given @desc up, which does not say that the hardware has: ioatdma
 * tells us first, and resets then. So it stays the provider's, until its channel
 * has been stopped, and the engine fails.
 */
static void mde_given_up(struct mde_desc *desc)
{
	struct mde_job *job = READ_ONCE(desc->run)->job;
	unsigned long flags;

	spin_lock_irqsave(&job->lock, flags);
	if (job->batch && atomic_read(&desc->flying))
		migrate_offload_engine_failed(job->batch->engine);
	spin_unlock_irqrestore(&job->lock, flags);
}

static void mde_callback(void *param, const struct dmaengine_result *result)
{
	struct mde_desc *desc = param;
	bool good = result && result->result == DMA_TRANS_NOERROR &&
		    !result->residue;

	if (result && result->result == DMA_TRANS_ABORTED)
		mde_given_up(desc);
	else if (mde_take(desc))
		mde_end(desc, good ? 0 : -EIO);
}

/* Each has a callback, but not each has an interrupt. */
static unsigned long mde_flags(const struct mde_channel *channel,
			       const struct mde_run *run)
{
	if (channel->engine->trust & MDE_ORDERED && run->next + 1 != run->end &&
	    channel->since_interrupt + 1 < MDE_INTERRUPT_EVERY)
		return DMA_CTRL_ACK;
	return DMA_CTRL_ACK | DMA_PREP_INTERRUPT;
}

/* The next one of @run. Returns false if the provider has no room. */
static bool mde_launch(struct mde_channel *channel, struct mde_run *run)
{
	unsigned long flags = mde_flags(channel, run);
	struct dma_async_tx_descriptor *tx;
	struct mde_desc *desc = run->next;

	/* Providers may hold a lock from here to dmaengine_submit(). */
	tx = dmaengine_prep_dma_memcpy(channel->chan, desc->copy->dst,
				       desc->copy->src, desc->copy->len, flags);
	if (!tx)
		return false;
	if (flags & DMA_PREP_INTERRUPT)
		channel->since_interrupt = 0;
	else
		channel->since_interrupt++;
	tx->callback_result = mde_callback;
	tx->callback_param = desc;

	/* When it is submitted, the job may be over, and be used again. */
	if (++run->next == run->end)
		list_del(&run->node);
	WRITE_ONCE(channel->nr_waiting, channel->nr_waiting - 1);
	atomic_inc(&channel->flying);
	atomic_set_release(&desc->flying, 1);
	if (dma_submit_error(dmaengine_submit(tx)) && mde_take(desc))
		mde_end(desc, -EIO);
	return true;
}

/* What of @run has not been given to the provider. */
static void mde_run_end(struct mde_run *run, int error)
{
	struct mde_desc *desc = run->next, *end = run->end;

	/* With the last one the run may be another's. */
	while (desc < end)
		mde_end(desc++, error);
}

static void mde_end_all(struct list_head *runs, int error)
{
	struct mde_run *run, *next;

	list_for_each_entry_safe(run, next, runs, node)
		mde_run_end(run, error);
}

static void mde_take_waiting(struct mde_channel *channel,
			     struct list_head *runs)
{
	lockdep_assert_held(&channel->lock);
	list_splice_init(&channel->waiting, runs);
	WRITE_ONCE(channel->nr_waiting, 0);
	channel->tries = 0;
}

/*
 * Give the provider what waits. When it has no room, some completion calls
 * again. If there is none to come, the last may just not have given back its
 * descriptor, which some do after the callback only: we look a few times more,
 * and then the CPU is to have the rest.
 */
static void mde_feed(struct mde_channel *channel)
{
	bool launched = false;
	struct mde_run *run;
	LIST_HEAD(rest);

	spin_lock(&channel->lock);
	if (channel->stopped)
		goto out;
	while (channel->nr_waiting) {
		run = list_first_entry(&channel->waiting, struct mde_run, node);
		if (!mde_launch(channel, run))
			break;
		launched = true;
	}
	if (launched)
		channel->tries = 0;
	if (launched || mde_must_push(channel))
		dma_async_issue_pending(channel->chan);
	if (channel->nr_waiting) {
		/* Pairs with mde_take(). */
		smp_mb();
		if (atomic_read(&channel->flying))
			goto out;
		if (++channel->tries < MDE_TRIES)
			mod_delayed_work(mde_wq, &channel->feed, 1);
		else
			mde_take_waiting(channel, &rest);
	}
out:
	spin_unlock(&channel->lock);
	mde_end_all(&rest, -EBUSY);
}

static void mde_feed_work(struct work_struct *work)
{
	bool cookie = dma_fence_begin_signalling();

	mde_feed(container_of(to_delayed_work(work), struct mde_channel, feed));
	dma_fence_end_signalling(cookie);
}

/* A descriptor for each copy of @job, a run of those that are for one channel. */
static void mde_job_fill(struct mde_job *job)
{
	const struct migrate_copy *copy = job->copies;
	struct mde_desc *desc = job->descs;
	struct mde_channel *channel;
	struct mde_run *run = NULL;

	job->nr_runs = 0;
	for (; desc < job->descs + job->nr; desc++, copy++) {
		channel = &job->engine->channels[copy->channel];
		if (!run || run->channel != channel) {
			run = &job->runs[job->nr_runs++];
			WRITE_ONCE(run->channel, channel);
			run->first = desc;
			run->next = desc;
		}
		run->end = desc + 1;
		WRITE_ONCE(desc->run, run);
		desc->ended = false;
		desc->reported = false;
	}
}

static void mde_enqueue(struct mde_run *run)
{
	struct mde_channel *channel = run->channel;
	unsigned int nr = run->end - run->first;
	bool stopped;

	atomic_set(&run->left, nr);
	spin_lock(&channel->lock);
	stopped = channel->stopped;
	if (!stopped) {
		list_add_tail(&run->node, &channel->waiting);
		WRITE_ONCE(channel->nr_waiting, channel->nr_waiting + nr);
	}
	spin_unlock(&channel->lock);
	if (stopped)
		mde_run_end(run, -ECANCELED);
	else
		mde_feed(channel);
}

static int mde_submit(struct migrate_offload_engine *handle,
		      struct migrate_offload_batch *batch)
{
	struct mde_engine *engine = handle->priv;
	struct mde_job *job;
	unsigned int i;
	int err;

	if (READ_ONCE(engine->halted))
		return -ENODEV;
	job = mde_job_get(engine);
	if (!job)
		return -EBUSY;
	err = migrate_map_batch(&engine->map, &job->map, batch->extents,
				batch->nr_extents);
	if (err) {
		mde_job_free(job);
		return err;
	}
	job->batch = batch;
	job->nr = migrate_map_copies(&job->map, batch->extents,
				     engine->max_copy, job->copies);
	mde_job_fill(job);
	/*
	 * Ours, too: the job may be over before we have been through it. From
	 * here on others may look at it.
	 */
	atomic_set_release(&job->left, job->nr + 1);
	for (i = 0; i < job->nr_runs; i++)
		mde_enqueue(&job->runs[i]);
	mde_job_put(job);
	return 0;
}

/* Take back what @channel has of all jobs: it has stopped. */
static void mde_channel_take(struct mde_channel *channel)
{
	unsigned int i, j;

	for (i = 0; i < MDE_MAX_BATCHES; i++) {
		struct mde_job *job = channel->engine->jobs[i];

		for (j = 0; j < MDE_MAX_EXTENTS; j++) {
			struct mde_desc *desc = &job->descs[j];

			if (atomic_read_acquire(&desc->flying) &&
			    mde_channel_of(desc) == channel && mde_take(desc))
				mde_end(desc, -ECANCELED);
		}
	}
}

/* Queue nothing more; what has not been given to the provider is over. */
static void mde_channel_halt(struct mde_channel *channel)
{
	LIST_HEAD(waiting);

	spin_lock(&channel->lock);
	channel->stopped = true;
	mde_take_waiting(channel, &waiting);
	spin_unlock(&channel->lock);
	mde_end_all(&waiting, -ECANCELED);
}

static bool mde_channel_terminate(struct mde_channel *channel)
{
	return channel->engine->trust & MDE_TERMINATE &&
	       !dmaengine_terminate_sync(channel->chan);
}

static void mde_channel_release(struct mde_channel *channel)
{
	dma_release_channel(channel->chan);
	channel->chan = NULL;
}

/*
 * The other way to stop a channel. Not from quiesce: channels are released
 * under a mutex under which others allocate, and who waits for our fences may
 * be reclaim. That waits no longer than for the grace of a failed engine.
 */
static void mde_release_work(struct work_struct *work)
{
	struct mde_engine *engine = container_of(work, struct mde_engine,
						 release);
	unsigned int i;

	for (i = 0; i < engine->nr_channels; i++) {
		struct mde_channel *channel = &engine->channels[i];

		if (!channel->chan || !atomic_read(&channel->flying))
			continue;
		mde_channel_release(channel);
		mde_channel_take(channel);
	}
}

/* What has ended counts, even if not all of its run ever does. */
static void mde_report_all(struct mde_engine *engine)
{
	unsigned int i;

	for (i = 0; engine->early && i < MDE_MAX_BATCHES; i++) {
		struct mde_job *job = engine->jobs[i];

		if (!atomic_inc_not_zero(&job->left))
			continue;
		mde_report(job, job->descs, job->descs + job->nr);
		mde_job_put(job);
	}
}

/* The device is cut off from what it may still be at. */
static void mde_revoke(struct mde_engine *engine)
{
	struct migrate_offload_batch *batch;
	unsigned int i;

	for (i = 0; i < MDE_MAX_BATCHES; i++) {
		struct mde_job *job = engine->jobs[i];

		/*
		 * Keep it from finishing meanwhile; what is about to finish
		 * need not be revoked.
		 */
		if (!atomic_inc_not_zero(&job->left))
			continue;
		batch = mde_job_detach(job);
		if (batch) {
			migrate_map_revoke(&engine->map, &job->map);
			migrate_offload_batch_quiesced(batch);
		}
		mde_job_put(job);
	}
}

static void mde_quiesce(struct migrate_offload_engine *handle)
{
	struct mde_engine *engine = handle->priv;
	bool stopped = true;
	unsigned int i;

	WRITE_ONCE(engine->halted, true);
	for (i = 0; i < engine->nr_channels; i++)
		mde_channel_halt(&engine->channels[i]);
	/* It may be releasing channels still. */
	if (work_busy(&engine->release))
		return;
	for (i = 0; i < engine->nr_channels; i++) {
		struct mde_channel *channel = &engine->channels[i];

		if (!atomic_read(&channel->flying))
			continue;
		if (mde_channel_terminate(channel))
			mde_channel_take(channel);
		else
			stopped = false;
	}
	if (stopped)
		return;
	mde_report_all(engine);
	if (engine->map.translated)
		mde_revoke(engine);
	if (engine->trust & MDE_RELEASE)
		queue_work(system_unbound_wq, &engine->release);
}

/* A fresh start: stopped, or else had anew, and shown to copy. */
static int mde_channel_reset(struct mde_engine *engine,
			     struct mde_channel *channel)
{
	struct dma_chan *chan;

	if (atomic_read(&channel->flying))
		return -EBUSY;
	if (channel->chan && !mde_channel_terminate(channel) &&
	    engine->trust & MDE_RELEASE)
		mde_channel_release(channel);
	if (!channel->chan) {
		chan = mde_request(engine->provider);
		if (!chan)
			return -ENODEV;
		channel->chan = chan;
	}
	return mde_channel_test(channel, engine->align);
}

static int mde_reset(struct migrate_offload_engine *handle)
{
	struct mde_engine *engine = handle->priv;
	unsigned int i;
	int err;

	flush_work(&engine->release);
	for (i = 0; i < engine->nr_channels; i++) {
		err = mde_channel_reset(engine, &engine->channels[i]);
		if (err)
			return err;
	}
	for (i = 0; i < engine->nr_channels; i++) {
		struct mde_channel *channel = &engine->channels[i];

		spin_lock(&channel->lock);
		channel->stopped = false;
		spin_unlock(&channel->lock);
	}
	WRITE_ONCE(engine->halted, false);
	return 0;
}

const struct migrate_offload_ops mde_ops = {
	.submit = mde_submit,
	.quiesce = mde_quiesce,
	.reset = mde_reset,
};

void mde_channel_init(struct mde_engine *engine, struct mde_channel *channel,
		      struct dma_chan *chan)
{
	channel->engine = engine;
	channel->chan = chan;
	spin_lock_init(&channel->lock);
	INIT_LIST_HEAD(&channel->waiting);
	INIT_DELAYED_WORK(&channel->feed, mde_feed_work);
}

static struct mde_job *mde_job_create(struct mde_engine *engine, int nid)
{
	struct mde_job *job = kvzalloc_node(sizeof(*job), GFP_KERNEL, nid);
	unsigned int i;

	if (!job)
		return NULL;
	job->engine = engine;
	spin_lock_init(&job->lock);
	INIT_WORK(&job->finish, mde_finish_work);
	job->copies = kvcalloc_node(MDE_MAX_EXTENTS, sizeof(*job->copies),
				    GFP_KERNEL, nid);
	if (!job->copies || migrate_map_create(&job->map, MDE_MAX_EXTENTS, nid)) {
		kvfree(job->copies);
		kvfree(job);
		return NULL;
	}
	for (i = 0; i < MDE_MAX_EXTENTS; i++) {
		job->descs[i].copy = &job->copies[i];
		job->runs[i].job = job;
	}
	return job;
}

int mde_jobs_create(struct mde_engine *engine, int nid)
{
	unsigned int i;

	spin_lock_init(&engine->lock);
	INIT_LIST_HEAD(&engine->free);
	INIT_WORK(&engine->release, mde_release_work);
	for (i = 0; i < MDE_MAX_BATCHES; i++) {
		engine->jobs[i] = mde_job_create(engine, nid);
		if (!engine->jobs[i])
			return -ENOMEM;
		list_add_tail(&engine->jobs[i]->node, &engine->free);
	}
	return 0;
}

/* The core has no batch left, and the channels are released. */
void mde_jobs_destroy(struct mde_engine *engine)
{
	unsigned int i;

	for (i = 0; i < MDE_MAX_BATCHES; i++) {
		struct mde_job *job = engine->jobs[i];

		if (!job)
			continue;
		cancel_work_sync(&job->finish);
		migrate_map_destroy(&job->map);
		kvfree(job->copies);
		kvfree(job);
	}
}

struct mde_test {
	struct completion done;
	enum dmaengine_tx_result result;
};

static void mde_test_callback(void *param, const struct dmaengine_result *result)
{
	struct mde_test *test = param;

	test->result = result ? result->result : DMA_TRANS_NOERROR;
	complete(&test->done);
}

static int mde_test_run(struct mde_channel *channel, struct mde_test *test,
			dma_addr_t dst, dma_addr_t src, size_t len)
{
	struct dma_async_tx_descriptor *tx;
	int err = 0;

	spin_lock(&channel->lock);
	tx = dmaengine_prep_dma_memcpy(channel->chan, dst, src, len,
				       DMA_CTRL_ACK | DMA_PREP_INTERRUPT);
	if (tx) {
		tx->callback_result = mde_test_callback;
		tx->callback_param = test;
		if (dma_submit_error(dmaengine_submit(tx)))
			err = -EIO;
		else
			dma_async_issue_pending(channel->chan);
	}
	spin_unlock(&channel->lock);
	if (!tx || err)
		return -EIO;
	if (!wait_for_completion_timeout(&test->done,
					 msecs_to_jiffies(MDE_TEST_MS)))
		return -ETIMEDOUT;
	return test->result == DMA_TRANS_NOERROR ? 0 : -EIO;
}

static bool mde_test_stop(struct mde_channel *channel)
{
	if (mde_channel_terminate(channel))
		return true;
	if (!(channel->engine->trust & MDE_RELEASE))
		return false;
	mde_channel_release(channel);
	return true;
}

static int mde_test_mapped(struct mde_channel *channel, struct mde_test *test,
			   struct page *src, struct page *dst, size_t len)
{
	struct device *dev = channel->engine->map.dev;
	dma_addr_t from, to;
	int err;

	from = dma_map_page(dev, src, 0, len, DMA_TO_DEVICE);
	err = dma_mapping_error(dev, from);
	if (err)
		return err;
	to = dma_map_page(dev, dst, 0, len, DMA_FROM_DEVICE);
	err = dma_mapping_error(dev, to);
	if (!err) {
		err = mde_test_run(channel, test, to, from, len);
		if (err == -ETIMEDOUT && !mde_test_stop(channel))
			return -EBUSY;
		dma_unmap_page(dev, to, len, DMA_FROM_DEVICE);
	}
	dma_unmap_page(dev, from, len, DMA_TO_DEVICE);
	return err;
}

/**
 * mde_channel_test() - does a channel copy?
 * @channel: a channel with nothing in flight
 * @len: bytes, a power of two and at least PAGE_SIZE
 *
 * Return: 0, -EIO when it does not, -ENOMEM when that could not be tried,
 * -ETIMEDOUT when it did not answer and has been stopped, -EBUSY when it could
 * not be stopped. The hardware may still have the memory then, which is lost.
 */
int mde_channel_test(struct mde_channel *channel, size_t len)
{
	gfp_t gfp = GFP_KERNEL | GFP_DMA32 | __GFP_COMP | __GFP_ZERO |
		    __GFP_NOWARN;
	struct mde_test *test = kzalloc(sizeof(*test), GFP_KERNEL);
	struct page *src = alloc_pages(gfp, get_order(len));
	struct page *dst = alloc_pages(gfp, get_order(len));
	int err = -ENOMEM;

	if (!test || !src || !dst)
		goto out;
	init_completion(&test->done);
	memset(page_address(src), 0x5a, len);
	err = mde_test_mapped(channel, test, src, dst, len);
	if (err == -EBUSY)
		return err;
	if (!err && memcmp(page_address(src), page_address(dst), len))
		err = -EIO;
out:
	if (dst)
		__free_pages(dst, get_order(len));
	if (src)
		__free_pages(src, get_order(len));
	kfree(test);
	return err;
}
