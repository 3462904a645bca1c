// SPDX-License-Identifier: GPL-2.0
/*
 * An engine that does what a test tells it to
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "fake_engine.h"

#define FAKE_MAX_EXTENTS	1024

struct fake_batch {
	struct list_head node;		/* in fake->held */
	struct migrate_offload_batch *batch;
	unsigned short order[FAKE_MAX_EXTENTS];
};

struct migrate_offload_batch *fake_held(struct fake_engine *fake)
{
	struct fake_batch *fb;
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	fb = list_first_entry_or_null(&fake->held, struct fake_batch, node);
	spin_unlock_irqrestore(&fake->lock, flags);
	return fb ? fb->batch : NULL;
}

void fake_extent(struct migrate_offload_batch *batch, unsigned int nr,
		 int error)
{
	struct migrate_offload_extent *extent = &batch->extents[nr];

	if (!error)
		memcpy(phys_to_virt(extent->dst), phys_to_virt(extent->src),
		       extent->len);
	migrate_offload_extent_done(batch, nr, error);
}

/*
 * Who takes a batch off the list is the one to let go of it. Take the first
 * one if @batch is NULL. Returns NULL if somebody else was faster.
 */
static struct migrate_offload_batch *
fake_take(struct fake_engine *fake, struct migrate_offload_batch *batch)
{
	struct fake_batch *fb, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	list_for_each_entry(fb, &fake->held, node)
		if (!batch || fb->batch == batch) {
			found = fb;
			list_del(&fb->node);
			fake->nr_held--;
			break;
		}
	spin_unlock_irqrestore(&fake->lock, flags);
	return found ? found->batch : NULL;
}

void fake_let_go(struct fake_engine *fake, struct migrate_offload_batch *batch)
{
	if (fake_take(fake, batch))
		migrate_offload_batch_quiesced(batch);
}

void fake_let_go_all(struct fake_engine *fake)
{
	struct migrate_offload_batch *batch;

	while ((batch = fake_take(fake, NULL)))
		migrate_offload_batch_quiesced(batch);
}

static void fake_shuffle(struct fake_engine *fake, struct fake_batch *fb,
			 unsigned int nr)
{
	unsigned long flags;
	unsigned int i, j;

	spin_lock_irqsave(&fake->lock, flags);
	for (i = 0; i < nr; i++) {
		j = prandom_u32_state(&fake->rnd) % (i + 1);
		fb->order[i] = fb->order[j];
		fb->order[j] = i;
	}
	spin_unlock_irqrestore(&fake->lock, flags);
}

static void fake_report(struct fake_engine *fake,
			struct migrate_offload_batch *batch)
{
	struct fake_batch *fb = batch->priv;
	unsigned int i, nr;

	fake_shuffle(fake, fb, batch->nr_extents);
	for (i = 0; i < batch->nr_extents; i++) {
		nr = fb->order[i];
		fake_extent(batch, nr, fake->fail || nr == fake->fail_extent ?
			    fake->fail_error : 0);
	}
}

void fake_finish(struct fake_engine *fake, struct migrate_offload_batch *batch)
{
	if (fake_take(fake, batch)) {
		fake_report(fake, batch);
		migrate_offload_batch_quiesced(batch);
	}
}

void fake_finish_all(struct fake_engine *fake)
{
	struct migrate_offload_batch *batch;

	while ((batch = fake_take(fake, NULL))) {
		fake_report(fake, batch);
		migrate_offload_batch_quiesced(batch);
	}
}

static void fake_finish_work(struct work_struct *work)
{
	fake_finish_all(container_of(work, struct fake_engine, finish_work));
}

static int fake_submit(struct migrate_offload_engine *engine,
		       struct migrate_offload_batch *batch)
{
	struct fake_engine *fake = engine->priv;
	struct fake_batch *fb = batch->priv;
	unsigned long flags;

	fb->batch = batch;
	spin_lock_irqsave(&fake->lock, flags);
	fake->submits++;
	if (!fake->submit_error) {
		list_add_tail(&fb->node, &fake->held);
		fake->nr_held++;
	}
	spin_unlock_irqrestore(&fake->lock, flags);
	wake_up_all(&fake->wait);

	if (fake->submit_error)
		return fake->submit_error;
	if (fake->on_submit)
		fake->on_submit(fake, batch);
	else if (fake->stubborn)
		fake_report(fake, batch);
	else if (fake->async)
		queue_work(system_unbound_wq, &fake->finish_work);
	else if (!fake->hold)
		fake_finish(fake, batch);
	return 0;
}

static void fake_poll(struct migrate_offload_engine *engine,
		      struct migrate_offload_batch *batch)
{
	struct fake_engine *fake = engine->priv;

	fake->polls++;
	if (fake->poll_ends)
		fake_finish(fake, batch);
	else if (fake->poll_async)
		queue_work(system_unbound_wq, &fake->finish_work);
}

static void fake_quiesce(struct migrate_offload_engine *engine)
{
	struct fake_engine *fake = engine->priv;

	if (!READ_ONCE(fake->deaf))
		fake_let_go_all(fake);
	spin_lock_irq(&fake->lock);
	fake->quiesces++;
	spin_unlock_irq(&fake->lock);
	wake_up_all(&fake->wait);
}

static int fake_reset_op(struct migrate_offload_engine *engine)
{
	struct fake_engine *fake = engine->priv;

	fake->resets++;
	return fake->reset_error;
}

static const struct migrate_offload_ops fake_ops = {
	.submit = fake_submit,
	.poll = fake_poll,
	.quiesce = fake_quiesce,
	.reset = fake_reset_op,
};

struct migrate_offload_engine_info fake_info(void)
{
	return (struct migrate_offload_engine_info) {
		.name = "fake0",
		.driver = "fake",
		.ops = &fake_ops,
		.numa_node = NUMA_NO_NODE,
		.max_extents = FAKE_MAX_EXTENTS,
		.max_batches = 8,
		/* Tests of deadlines set their own. */
		.timeout_ms = 20000,
		.priv_size = sizeof(struct fake_batch),
	};
}

int fake_reset(struct fake_engine *fake)
{
	return mo_engine_reset(fake->mo, fake->mo->ops->reset);
}

static void fake_unregister_work(struct work_struct *work)
{
	struct fake_engine *fake = container_of(work, struct fake_engine,
						unregister_work);

	migrate_offload_unregister(fake->engine);
	complete_all(&fake->unregistered);
	wake_up_all(&fake->wait);
}

void fake_unregister_async(struct fake_engine *fake)
{
	fake->unregistering = true;
	queue_work(system_unbound_wq, &fake->unregister_work);
}

/* Whatever state the test has left it in. */
static void fake_remove(void *data)
{
	struct fake_engine *fake = data;

	if (!fake->unregistering)
		fake_unregister_async(fake);
	WRITE_ONCE(fake->deaf, false);
	flush_work(&fake->finish_work);
	fake_let_go_all(fake);
	flush_work(&fake->unregister_work);
}

void fake_unregister(struct kunit *test, struct fake_engine *fake)
{
	kunit_release_action(test, fake_remove, fake);
}

struct fake_engine *fake_register(struct kunit *test,
				  const struct migrate_offload_engine_info *info)
{
	struct fake_engine *fake = kunit_kzalloc(test, sizeof(*fake),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->fail_extent = -1;
	fake->fail_error = -EIO;
	spin_lock_init(&fake->lock);
	INIT_LIST_HEAD(&fake->held);
	prandom_seed_state(&fake->rnd, 1);
	init_waitqueue_head(&fake->wait);
	INIT_WORK(&fake->finish_work, fake_finish_work);
	INIT_WORK(&fake->unregister_work, fake_unregister_work);
	init_completion(&fake->unregistered);

	fake->engine = migrate_offload_register(info, fake);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake->engine);
	fake->mo = to_mo_engine(fake->engine);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fake_remove, fake));
	return fake;
}
