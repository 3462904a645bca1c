// SPDX-License-Identifier: GPL-2.0
/*
 * Simulated migration engines
 *
 * Each engine is a platform device whose channels are kernel threads: they
 * take extents off a queue, wait as long as hardware of the set latency and
 * bandwidth would need, copy, and report. Through debugfs they can be told to
 * do what hardware does when it breaks. Unbinding the device is hot-unplug.
 *
 * Documentation/driver-api/migrate-engines.rst explains how to write an engine
 * driver along this one.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/fault-inject.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/migrate_offload.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#define SIM_DRIVER	"migrate-offload-sim"
#define SIM_MAX_ENGINES	8
#define SIM_MAX_EXTENTS	256

static unsigned int nr_engines = 1;
module_param(nr_engines, uint, 0444);
MODULE_PARM_DESC(nr_engines, "number of engines, sim0 and so on (1 to 8)");

static unsigned int channels = 4;
module_param(channels, uint, 0444);
MODULE_PARM_DESC(channels, "channels of each engine (1 to 64)");

static int node[SIM_MAX_ENGINES] = { [0 ... SIM_MAX_ENGINES - 1] = NUMA_NO_NODE };
module_param_array(node, int, NULL, 0444);
MODULE_PARM_DESC(node, "NUMA node of each engine");

static unsigned int max_extents = 64;
module_param(max_extents, uint, 0444);
MODULE_PARM_DESC(max_extents, "extents in a batch (1 to 256)");

static unsigned int max_batches = 16;
module_param(max_batches, uint, 0644);
MODULE_PARM_DESC(max_batches, "batches in flight of each engine (1 to 1024)");

/* These, and the last one, may change: for engines that are bound afterwards. */
static unsigned long max_addr;
module_param(max_addr, ulong, 0644);
MODULE_PARM_DESC(max_addr, "highest physical address that engines reach (0: any)");

static unsigned long align;
module_param(align, ulong, 0644);
MODULE_PARM_DESC(align, "alignment that extents need, a power of two (0: a page)");

/* What an extent, or the channel that comes to it, is to do wrong. */
enum sim_fault {
	SIM_FAIL,	/* report an error, copy nothing */
	SIM_POISON,	/* report that the memory is poisoned, copy nothing */
	SIM_LIE,	/* report success, get a byte wrong */
	SIM_LOSE,	/* copy, report nothing */
	SIM_HANG,	/* the channel stops there */
	SIM_LATE,	/* copy and report much later */
	SIM_NR_EXTENT_FAULTS,
	SIM_GOOD = SIM_NR_EXTENT_FAULTS,

	/* Of a batch: it is not taken. */
	SIM_BOUNCE = SIM_NR_EXTENT_FAULTS, /* not without a copy */
	SIM_REFUSE,	/* for whatever reason */
	SIM_NR_FAULTS
};

static const char * const sim_fault_names[SIM_NR_FAULTS] = {
	[SIM_FAIL] = "fail",
	[SIM_POISON] = "poison",
	[SIM_LIE] = "lie",
	[SIM_LOSE] = "lose",
	[SIM_HANG] = "hang",
	[SIM_LATE] = "late",
	[SIM_BOUNCE] = "bounce",
	[SIM_REFUSE] = "refuse",
};

/* Where channels can be made to wait. */
enum sim_point { SIM_NOWHERE, SIM_BEFORE, SIM_HALFWAY, SIM_AFTER };

enum sim_order { SIM_FIFO, SIM_LIFO, SIM_RANDOM };

struct sim_extent {
	struct list_head node;
	struct migrate_offload_batch *batch;
	unsigned int nr;
	enum sim_fault fault;
};

/* What the core sets aside for each batch, so that submit need not allocate. */
struct sim_batch {
	atomic_t left;		/* extents that the engine has not let go of */
	struct sim_extent extents[];
};

struct sim_channel {
	struct sim *sim;
	struct task_struct *task;
	wait_queue_head_t wait;
	struct list_head queue;		/* of sim_extent, under sim->lock */
	struct sim_extent *now;		/* is being executed; as above */
	enum sim_point held;
	unsigned int queued;
	bool hung;
};

struct sim {
	struct migrate_offload_engine *engine;
	struct dentry *dir;
	spinlock_t lock;		/* queues; irq safe */
	struct list_head lost;		/* copied, but never reported */
	bool deaf;			/* was told to quiesce while stuck */
	bool halted;			/* was told to quiesce, until reset */
	bool removing;

	/* Set through debugfs: */
	u32 delay_us;
	u32 bandwidth_mb;
	u32 order;
	u32 late_ms;
	u32 hold_at;			/* enum sim_point */
	bool stuck;
	struct fault_attr faults[SIM_NR_FAULTS];

	/* Seen through debugfs: */
	atomic_t copied_extents;
	atomic_t late_writes;
	atomic_t wild_writes;

	unsigned int nr_channels;
	struct sim_channel channels[] __counted_by(nr_channels);
};

/* The engine lets go of an extent; with the last one, of the batch. */
static void sim_let_go(struct sim_extent *extent)
{
	struct migrate_offload_batch *batch = extent->batch;
	struct sim_batch *sb = batch->priv;

	if (atomic_dec_and_test(&sb->left))
		migrate_offload_batch_quiesced(batch);
}

/* Is there a page among those to be written that nobody owns? */
static bool sim_is_wild(const struct migrate_offload_extent *extent)
{
	unsigned long pfn = PHYS_PFN(extent->dst);
	unsigned long end = pfn + (extent->len >> PAGE_SHIFT);

	for (; pfn < end; pfn++)
		if (!folio_ref_count(page_folio(pfn_to_page(pfn))))
			return true;
	return false;
}

/* Until a test has done what it wanted to do while the copy is under way. */
static void sim_hold(struct sim_channel *channel, enum sim_point point)
{
	struct sim *sim = channel->sim;

	while (READ_ONCE(sim->hold_at) == point && !READ_ONCE(sim->halted) &&
	       !READ_ONCE(sim->removing)) {
		WRITE_ONCE(channel->held, point);
		fsleep(1000);
	}
	WRITE_ONCE(channel->held, SIM_NOWHERE);
}

static void sim_copy(struct sim_channel *channel,
		     const struct migrate_offload_extent *extent)
{
	struct sim *sim = channel->sim;
	size_t half = extent->len / 2;

	/* Count it, but leave the machine alive to tell. */
	if (sim_is_wild(extent)) {
		atomic_inc(&sim->wild_writes);
		return;
	}
	memcpy(phys_to_virt(extent->dst), phys_to_virt(extent->src), half);
	sim_hold(channel, SIM_HALFWAY);
	memcpy(phys_to_virt(extent->dst + half),
	       phys_to_virt(extent->src + half), extent->len - half);
	sim_hold(channel, SIM_AFTER);
	atomic_inc(&sim->copied_extents);
}

/* @channel has executed what it had; the batch may be gone after this. */
static void sim_executed(struct sim_channel *channel)
{
	struct sim *sim = channel->sim;
	struct sim_extent *extent = channel->now;

	spin_lock_irq(&sim->lock);
	channel->now = NULL;
	if (extent->fault == SIM_LOSE && !sim->halted) {
		list_add_tail(&extent->node, &sim->lost);
		extent = NULL;
	}
	spin_unlock_irq(&sim->lock);
	if (extent)
		sim_let_go(extent);
}

static void sim_execute(struct sim_channel *channel)
{
	struct sim *sim = channel->sim;
	struct sim_extent *extent = channel->now;
	struct migrate_offload_extent *what = &extent->batch->extents[extent->nr];
	u32 bandwidth = READ_ONCE(sim->bandwidth_mb);
	unsigned long us = READ_ONCE(sim->delay_us);
	u8 *last;

	if (bandwidth)
		us += what->len / bandwidth;
	if (extent->fault == SIM_LATE)
		us += READ_ONCE(sim->late_ms) * USEC_PER_MSEC;
	if (us)
		fsleep(us);
	sim_hold(channel, SIM_BEFORE);

	switch (extent->fault) {
	case SIM_FAIL:
		migrate_offload_extent_done(extent->batch, extent->nr, -EIO);
		break;
	case SIM_POISON:
		migrate_offload_extent_done(extent->batch, extent->nr,
					    -EHWPOISON);
		break;
	case SIM_LOSE:
		sim_copy(channel, what);
		break;
	case SIM_LIE:
		sim_copy(channel, what);
		last = phys_to_virt(what->dst + what->len - 1);
		*last = ~*last;
		migrate_offload_extent_done(extent->batch, extent->nr, 0);
		break;
	case SIM_LATE:
		atomic_inc(&sim->late_writes);
		fallthrough;
	default:
		sim_copy(channel, what);
		migrate_offload_extent_done(extent->batch, extent->nr, 0);
	}
}

/* The next extent of @channel, in the order set, or NULL. */
static struct sim_extent *sim_next(struct sim_channel *channel)
{
	struct sim *sim = channel->sim;
	struct sim_extent *extent = NULL;
	unsigned int skip = 0;

	spin_lock_irq(&sim->lock);
	if (channel->hung || !channel->queued)
		goto out;
	switch (READ_ONCE(sim->order)) {
	case SIM_LIFO:
		skip = channel->queued - 1;
		break;
	case SIM_RANDOM:
		skip = get_random_u32_below(channel->queued);
		break;
	}
	list_for_each_entry(extent, &channel->queue, node)
		if (!skip--)
			break;
	if (extent->fault == SIM_HANG) {
		channel->hung = true;
		extent = NULL;
		goto out;
	}
	list_del(&extent->node);
	channel->queued--;
	channel->now = extent;
out:
	spin_unlock_irq(&sim->lock);
	return extent;
}

static int sim_thread(void *data)
{
	struct sim_channel *channel = data;
	struct sim_extent *extent;
	bool cookie;

	while (!kthread_should_stop()) {
		wait_event_interruptible(channel->wait, kthread_should_stop() ||
					 (READ_ONCE(channel->queued) &&
					  !READ_ONCE(channel->hung)));
		/* Lockdep: nothing on the way to the report enters reclaim. */
		cookie = dma_fence_begin_signalling();
		extent = sim_next(channel);
		if (extent) {
			sim_execute(channel);
			sim_executed(channel);
		}
		dma_fence_end_signalling(cookie);
	}
	return 0;
}

static bool sim_faulty(struct sim *sim, enum sim_fault fault, size_t len)
{
	struct fault_attr *attr = &sim->faults[fault];

	/* A task's fail-nth is meant for its allocations. */
	return READ_ONCE(attr->probability) && should_fail(attr, len);
}

static enum sim_fault sim_draw_fault(struct sim *sim, size_t len)
{
	enum sim_fault fault;

	for (fault = 0; fault < SIM_NR_EXTENT_FAULTS; fault++)
		if (sim_faulty(sim, fault, len))
			break;
	return fault;
}

static int sim_submit(struct migrate_offload_engine *engine,
		      struct migrate_offload_batch *batch)
{
	struct sim *sim = engine->priv;
	struct sim_batch *sb = batch->priv;
	unsigned int i, nr = batch->nr_extents;
	unsigned long flags;

	if (sim_faulty(sim, SIM_BOUNCE, batch->bytes))
		return -EOPNOTSUPP;
	if (sim_faulty(sim, SIM_REFUSE, batch->bytes))
		return -EIO;

	/* All of it before any of it: the batch may end while we queue. */
	atomic_set(&sb->left, nr);
	for (i = 0; i < nr; i++) {
		sb->extents[i].batch = batch;
		sb->extents[i].nr = i;
		sb->extents[i].fault = sim_draw_fault(sim, batch->extents[i].len);
	}

	spin_lock_irqsave(&sim->lock, flags);
	if (sim->halted) {
		spin_unlock_irqrestore(&sim->lock, flags);
		return -ENODEV;
	}
	for (i = 0; i < nr; i++) {
		struct sim_channel *channel =
			&sim->channels[batch->extents[i].channel];

		list_add_tail(&sb->extents[i].node, &channel->queue);
		channel->queued++;
	}
	spin_unlock_irqrestore(&sim->lock, flags);

	/* From here on the batch is not ours. */
	for (i = 0; i < sim->nr_channels; i++)
		wake_up(&sim->channels[i].wait);
	return 0;
}

/*
 * Drop what no channel has begun and what was never reported. What is being
 * executed ends by itself, and is reported then.
 */
static void sim_quiesce(struct migrate_offload_engine *engine)
{
	struct sim *sim = engine->priv;
	struct sim_extent *extent, *next;
	LIST_HEAD(dropped);
	unsigned int i;

	spin_lock_irq(&sim->lock);
	sim->deaf = sim->stuck && !sim->removing;
	if (!sim->deaf) {
		sim->halted = true;
		list_splice_init(&sim->lost, &dropped);
		for (i = 0; i < sim->nr_channels; i++) {
			list_splice_tail_init(&sim->channels[i].queue, &dropped);
			sim->channels[i].queued = 0;
			sim->channels[i].hung = false;
		}
	}
	spin_unlock_irq(&sim->lock);

	list_for_each_entry_safe(extent, next, &dropped, node)
		sim_let_go(extent);
}

static int sim_reset(struct migrate_offload_engine *engine)
{
	struct sim *sim = engine->priv;

	int err = 0;

	spin_lock_irq(&sim->lock);
	if (sim->stuck)
		err = -EIO;
	else
		sim->halted = false;
	spin_unlock_irq(&sim->lock);
	return err;
}

static const struct migrate_offload_ops sim_ops = {
	.submit = sim_submit,
	.quiesce = sim_quiesce,
	.reset = sim_reset,
};

static int stuck_get(void *data, u64 *value)
{
	struct sim *sim = data;

	*value = READ_ONCE(sim->stuck);
	return 0;
}

/* Hardware that comes back to its senses does what it was told before. */
static int stuck_set(void *data, u64 value)
{
	struct sim *sim = data;
	bool was_deaf;

	spin_lock_irq(&sim->lock);
	sim->stuck = value;
	was_deaf = !value && sim->deaf;
	spin_unlock_irq(&sim->lock);
	if (was_deaf)
		sim_quiesce(sim->engine);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(stuck_fops, stuck_get, stuck_set, "%llu\n");

static void sim_show_extent(struct seq_file *file,
			    const struct sim_extent *extent,
			    enum sim_point held)
{
	struct migrate_offload_extent *what = &extent->batch->extents[extent->nr];

	seq_printf(file, "%pa %pa %zu %d\n", &what->src, &what->dst, what->len,
		   held);
}

/* What channels have: source, destination, length, and where it is held. */
static int extents_show(struct seq_file *file, void *unused)
{
	struct sim *sim = file->private;
	struct sim_extent *extent;
	unsigned int i;

	spin_lock_irq(&sim->lock);
	for (i = 0; i < sim->nr_channels; i++) {
		struct sim_channel *channel = &sim->channels[i];

		if (channel->now)
			sim_show_extent(file, channel->now,
					READ_ONCE(channel->held));
		list_for_each_entry(extent, &channel->queue, node)
			sim_show_extent(file, extent, SIM_NOWHERE);
	}
	spin_unlock_irq(&sim->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(extents);

static struct dentry *sim_root;

static void sim_debugfs(struct sim *sim)
{
	enum sim_fault fault;

	sim->dir = debugfs_create_dir(sim->engine->name, sim_root);
	debugfs_create_u32("delay_us", 0644, sim->dir, &sim->delay_us);
	debugfs_create_u32("bandwidth_mb", 0644, sim->dir, &sim->bandwidth_mb);
	debugfs_create_u32("order", 0644, sim->dir, &sim->order);
	debugfs_create_u32("late_ms", 0644, sim->dir, &sim->late_ms);
	debugfs_create_u32("hold_at", 0644, sim->dir, &sim->hold_at);
	debugfs_create_file("extents", 0400, sim->dir, sim, &extents_fops);
	debugfs_create_file_unsafe("stuck", 0644, sim->dir, sim, &stuck_fops);
	debugfs_create_atomic_t("copied_extents", 0444, sim->dir,
				&sim->copied_extents);
	debugfs_create_atomic_t("late_writes", 0444, sim->dir,
				&sim->late_writes);
	debugfs_create_atomic_t("wild_writes", 0444, sim->dir,
				&sim->wild_writes);
	for (fault = 0; fault < SIM_NR_FAULTS; fault++)
		fault_create_debugfs_attr(sim_fault_names[fault], sim->dir,
					  &sim->faults[fault]);
}

static void sim_stop_channels(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < sim->nr_channels; i++)
		if (sim->channels[i].task)
			kthread_stop(sim->channels[i].task);
}

static int sim_start_channels(struct sim *sim, int id)
{
	unsigned int i;

	for (i = 0; i < sim->nr_channels; i++) {
		struct sim_channel *channel = &sim->channels[i];
		struct task_struct *task;

		channel->sim = sim;
		init_waitqueue_head(&channel->wait);
		INIT_LIST_HEAD(&channel->queue);
		task = kthread_run(sim_thread, channel, "sim%d-%u", id, i);
		if (IS_ERR(task)) {
			sim_stop_channels(sim);
			return PTR_ERR(task);
		}
		channel->task = task;
	}
	return 0;
}

static int sim_probe(struct platform_device *pdev)
{
	char name[MIGRATE_OFFLOAD_NAME_LEN];
	struct migrate_offload_engine_info info = {
		.name = name,
		.driver = SIM_DRIVER,
		.ops = &sim_ops,
		.numa_node = dev_to_node(&pdev->dev),
		.max_addr = max_addr,
		.max_extent_bytes = max_t(size_t, SZ_2M, align),
		.align = align,
		.max_extents = max_extents,
		.max_batches = max_batches,
		.nr_channels = channels,
		.priv_size = offsetof(struct sim_batch, extents[max_extents]),
	};
	struct sim *sim;
	int i, err;

	sim = devm_kzalloc(&pdev->dev, struct_size(sim, channels, channels),
			   GFP_KERNEL);
	if (!sim)
		return -ENOMEM;
	sim->nr_channels = channels;
	spin_lock_init(&sim->lock);
	INIT_LIST_HEAD(&sim->lost);
	sim->late_ms = 2000;
	for (i = 0; i < SIM_NR_FAULTS; i++) {
		sim->faults[i] = (struct fault_attr)FAULT_ATTR_INITIALIZER;
		sim->faults[i].verbose = 0;
	}

	err = sim_start_channels(sim, pdev->id);
	if (err)
		return err;
	snprintf(name, sizeof(name), "sim%d", pdev->id);
	sim->engine = migrate_offload_register(&info, sim);
	if (IS_ERR(sim->engine)) {
		sim_stop_channels(sim);
		return PTR_ERR(sim->engine);
	}
	platform_set_drvdata(pdev, sim);
	sim_debugfs(sim);
	return 0;
}

static void sim_remove(struct platform_device *pdev)
{
	struct sim *sim = platform_get_drvdata(pdev);

	debugfs_remove_recursive(sim->dir);
	/* A device that is pulled out lets go of everything. */
	WRITE_ONCE(sim->removing, true);
	migrate_offload_unregister(sim->engine);
	sim_stop_channels(sim);
}

static struct platform_driver sim_driver = {
	.probe = sim_probe,
	.remove = sim_remove,
	.driver.name = SIM_DRIVER,
};

static struct platform_device *sim_devices[SIM_MAX_ENGINES];

static void sim_remove_devices(void)
{
	unsigned int i;

	for (i = 0; i < nr_engines; i++)
		platform_device_unregister(sim_devices[i]);
}

static int __init sim_add_device(unsigned int i)
{
	struct platform_device *pdev = platform_device_alloc(SIM_DRIVER, i);
	int err;

	if (!pdev)
		return -ENOMEM;
	set_dev_node(&pdev->dev, node[i]);
	err = platform_device_add(pdev);
	if (err)
		platform_device_put(pdev);
	else
		sim_devices[i] = pdev;
	return err;
}

static int __init sim_init(void)
{
	unsigned int i;
	int err;

	if (!nr_engines || nr_engines > SIM_MAX_ENGINES || !channels ||
	    channels > 64 || !max_extents || max_extents > SIM_MAX_EXTENTS ||
	    !max_batches || max_batches > 1024)
		return -EINVAL;
	for (i = 0; i < nr_engines; i++)
		if (node[i] != NUMA_NO_NODE &&
		    (node[i] < 0 || node[i] >= MAX_NUMNODES ||
		     !node_possible(node[i])))
			return -EINVAL;

	sim_root = debugfs_create_dir(KBUILD_MODNAME, NULL);
	err = platform_driver_register(&sim_driver);
	if (err)
		goto err_debugfs;
	for (i = 0; !err && i < nr_engines; i++)
		err = sim_add_device(i);
	if (!err)
		return 0;

	sim_remove_devices();
	platform_driver_unregister(&sim_driver);
err_debugfs:
	debugfs_remove_recursive(sim_root);
	return err;
}
module_init(sim_init);

static void __exit sim_exit(void)
{
	sim_remove_devices();
	platform_driver_unregister(&sim_driver);
	debugfs_remove_recursive(sim_root);
}
module_exit(sim_exit);

MODULE_DESCRIPTION("Simulated migration engines");
MODULE_LICENSE("GPL");
