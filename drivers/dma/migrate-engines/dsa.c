// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on Intel DSA
 *
 * A driver of the dsa bus, as the compression driver of IAA is: it gets work
 * queues of type kernel whose driver_name is "migrate_offload". All such queues
 * of a device are one engine, with a channel each. An engine is what its queues
 * are; when one comes or goes, the engine is taken out of service for a moment
 * and registered anew, under the same name, so that those who have chosen it need
 * not know.
 *
 * The DMAengine channels that idxd has, too, are no substitute: these take one
 * descriptor a time, sleep for it, and cannot be stopped.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "../idxd/idxd.h"
#include "dsa.h"

/* A device of which we have queues. */
struct mdsa_device {
	struct list_head node;		/* of mdsa_devices */
	struct idxd_device *idxd;
	unsigned int users;		/* under mdsa_devices_lock */
	struct mutex lock;		/* of the rest; before wq->wq_lock */
	struct list_head queues;
	struct mdsa_engine *engine;
};

static LIST_HEAD(mdsa_devices);
static DEFINE_MUTEX(mdsa_devices_lock);

static struct mdsa_device *mdsa_device_get(struct idxd_device *idxd)
{
	struct mdsa_device *md;

	guard(mutex)(&mdsa_devices_lock);
	list_for_each_entry(md, &mdsa_devices, node) {
		if (md->idxd == idxd) {
			md->users++;
			return md;
		}
	}
	md = kzalloc(sizeof(*md), GFP_KERNEL);
	if (!md)
		return NULL;
	md->idxd = idxd;
	md->users = 1;
	mutex_init(&md->lock);
	INIT_LIST_HEAD(&md->queues);
	list_add_tail(&md->node, &mdsa_devices);
	return md;
}

static void mdsa_device_put(struct mdsa_device *md)
{
	guard(mutex)(&mdsa_devices_lock);
	if (--md->users)
		return;
	list_del(&md->node);
	mutex_destroy(&md->lock);
	kfree(md);
}

/* What the queue takes, which may be less than what the device does. */
static struct mdsa_limits mdsa_queue_limits(const struct idxd_wq *wq)
{
	u64 longest = min_t(u64, wq->max_xfer_bytes, SZ_1G);
	unsigned int list = 1;

	if (wq->idxd->hw.opcap.bits[0] & IDXD_OPCAP_BATCH &&
	    wq->max_batch_size > 1)
		list = wq->max_batch_size;
	return (struct mdsa_limits) {
		.max_copy = round_down(longest, PAGE_SIZE),
		.max_list = min(list, MDSA_MAX_EXTENTS),
		.entries = min(wq->num_descs, MDSA_MAX_ENTRIES),
	};
}

static void mdsa_engine_free(struct mdsa_engine *engine)
{
	mdsa_jobs_destroy(engine);
	kfree(engine);
}

static int mdsa_engine_register(struct mdsa_engine *engine)
{
	char name[MIGRATE_OFFLOAD_NAME_LEN];
	struct migrate_offload_engine_info info = {
		.name = name,
		.driver = "dsa",
		.ops = &mdsa_ops,
		.numa_node = dev_to_node(engine->map.dev),
		.max_addr = engine->map.max_addr,
		.nr_channels = engine->nr_queues,
		.priv_size = sizeof(struct mdsa_job *),
	};
	unsigned int i;
	int err;

	mdsa_limits_engine(&engine->limits, engine->map.translated, &info);
	err = mdsa_jobs_create(engine, info.max_batches);
	for (i = 0; !err && i < engine->nr_queues; i++)
		err = mdsa_queue_test(engine, engine->queues[i]);
	if (err)
		return err;
	snprintf(name, sizeof(name), "dsa%d", engine->idxd->id);
	engine->engine = migrate_offload_register(&info, engine);
	return PTR_ERR_OR_ZERO(engine->engine);
}

/* An engine of all queues that @md has. */
static int mdsa_engine_create(struct mdsa_device *md)
{
	struct device *dev = &md->idxd->pdev->dev;
	struct mdsa_engine *engine;
	struct mdsa_queue *queue;
	int err;

	lockdep_assert_held(&md->lock);
	if (list_empty(&md->queues))
		return 0;
	engine = kzalloc_node(sizeof(*engine), GFP_KERNEL, dev_to_node(dev));
	if (!engine)
		return -ENOMEM;
	engine->idxd = md->idxd;
	engine->cache_control = md->idxd->hw.gen_cap.cache_control_mem;
	list_for_each_entry(queue, &md->queues, node) {
		struct mdsa_limits limits = mdsa_queue_limits(queue->wq);

		queue->entries = limits.entries;
		if (engine->nr_queues)
			mdsa_limits_min(&engine->limits, &limits);
		else
			engine->limits = limits;
		engine->queues[engine->nr_queues++] = queue;
	}
	/* idxd does not say that its segments may be longer than 64 KiB. */
	if (dma_get_max_seg_size(dev) < engine->limits.max_copy)
		dma_set_max_seg_size(dev, engine->limits.max_copy);
	err = migrate_map_device_init(&engine->map, dev);
	if (err) {
		kfree(engine);
		return err;
	}
	engine->limits.max_copy = min(engine->limits.max_copy,
				      engine->map.max_segment);
	err = mdsa_engine_register(engine);
	if (err) {
		mdsa_engine_free(engine);
		return err;
	}
	md->engine = engine;
	dev_info(dev, "engine %s: %u queues, lists of %u, copies of %zu bytes%s\n",
		 engine->engine->name, engine->nr_queues,
		 engine->limits.max_list, engine->limits.max_copy,
		 engine->map.bounces ? ", but mappings would bounce" : "");
	return 0;
}

static void mdsa_engine_destroy(struct mdsa_device *md)
{
	lockdep_assert_held(&md->lock);
	if (!md->engine)
		return;
	migrate_offload_unregister(md->engine->engine);
	mdsa_engine_free(md->engine);
	md->engine = NULL;
}

/* Give back the queue; it has nothing of ours, or is cut off from it. */
static void mdsa_queue_disable(struct mdsa_queue *queue)
{
	struct idxd_wq *wq = queue->wq;

	mutex_lock(&wq->wq_lock);
	/* When the device has halted, idxd has done so. */
	if (!percpu_ref_is_dying(&wq->wq_active))
		__idxd_wq_quiesce(wq);
	idxd_drv_disable_wq(wq);
	wq->type = IDXD_WQT_NONE;
	mutex_unlock(&wq->wq_lock);
	idxd_wq_set_private(wq, NULL);
	kfree(queue);
}

static int mdsa_queue_enable(struct idxd_dev *idxd_dev, struct idxd_wq *wq)
{
	int err;

	guard(mutex)(&wq->wq_lock);
	if (!idxd_wq_driver_name_match(wq, &idxd_dev->conf_dev)) {
		wq->idxd->cmd_status = IDXD_SCMD_WQ_NO_DRV_NAME;
		return -ENODEV;
	}
	/* What does not fit into a shared queue fails, and how is unclear. */
	if (!wq_dedicated(wq)) {
		dev_err(&idxd_dev->conf_dev, "mode must be dedicated\n");
		return -EINVAL;
	}
	/* One is for draining. */
	if (wq->size < 2 || wq->max_xfer_bytes < PAGE_SIZE) {
		dev_err(&idxd_dev->conf_dev,
			"size must be 2 at least, max_transfer_size %lu\n",
			PAGE_SIZE);
		return -EINVAL;
	}
	wq->type = IDXD_WQT_KERNEL;
	err = idxd_drv_enable_wq(wq);
	if (err)
		wq->type = IDXD_WQT_NONE;
	return err;
}

/* @queue is one of the device's from now on. */
static int mdsa_queue_add(struct mdsa_device *md, struct mdsa_queue *queue)
{
	int err;

	guard(mutex)(&md->lock);
	if (list_count_nodes(&md->queues) == MDSA_MAX_QUEUES)
		return -ENOSPC;
	mdsa_engine_destroy(md);
	list_add_tail(&queue->node, &md->queues);
	err = mdsa_engine_create(md);
	if (!err)
		return 0;
	/* The others shall not suffer from it. */
	list_del(&queue->node);
	mdsa_engine_create(md);
	return err;
}

static int mdsa_probe(struct idxd_dev *idxd_dev)
{
	struct idxd_wq *wq = idxd_dev_to_wq(idxd_dev);
	struct idxd_device *idxd = wq->idxd;
	struct mdsa_queue *queue;
	struct mdsa_device *md;
	int err;

	if (idxd->state != IDXD_DEV_ENABLED)
		return -ENXIO;
	if (idxd->data->type != IDXD_TYPE_DSA ||
	    !(idxd->hw.opcap.bits[0] & IDXD_OPCAP_MEMMOVE))
		return -ENODEV;
	queue = kzalloc_node(struct_size(queue, shots, idxd->max_wq_size), GFP_KERNEL,
			     dev_to_node(&idxd->pdev->dev));
	if (!queue)
		return -ENOMEM;
	queue->nr_shots = idxd->max_wq_size;
	queue->wq = wq;
	md = mdsa_device_get(idxd);
	if (!md) {
		kfree(queue);
		return -ENOMEM;
	}
	queue->md = md;
	idxd_wq_set_private(wq, queue);
	err = mdsa_queue_enable(idxd_dev, wq);
	if (err) {
		idxd_wq_set_private(wq, NULL);
		kfree(queue);
	} else {
		err = mdsa_queue_add(md, queue);
		if (err)
			mdsa_queue_disable(queue);
	}
	if (err)
		mdsa_device_put(md);
	return err;
}

static void mdsa_remove(struct idxd_dev *idxd_dev)
{
	struct idxd_wq *wq = idxd_dev_to_wq(idxd_dev);
	struct mdsa_queue *queue = idxd_wq_get_private(wq);
	struct mdsa_device *md = queue->md;
	int err;

	mutex_lock(&md->lock);
	mdsa_engine_destroy(md);
	list_del(&queue->node);
	mdsa_queue_disable(queue);
	err = mdsa_engine_create(md);
	if (err)
		dev_err(&wq->idxd->pdev->dev, "no engine of the queues left: %d\n",
			err);
	mutex_unlock(&md->lock);
	mdsa_device_put(md);
}

static void mdsa_complete(struct idxd_desc *desc, enum idxd_complete_type type,
			  bool free_desc, void *ctx, u32 *status)
{
	/* free_desc is true wherever a descriptor of ours can come from. */
	mdsa_desc_complete(desc, idxd_wq_get_private(desc->wq));
}

static enum idxd_dev_type mdsa_types[] = {
	IDXD_DEV_WQ,
	IDXD_DEV_NONE,
};

static struct idxd_device_driver mdsa_driver = {
	.name = MDSA_DRIVER,
	.type = mdsa_types,
	.probe = mdsa_probe,
	.remove = mdsa_remove,
	.desc_complete = mdsa_complete,
};

static int __init mdsa_init(void)
{
	int err;

	/* Folios are locked until its work is done. */
	mdsa_wq = alloc_workqueue("migrate_dsa",
				  WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_UNBOUND, 0);
	if (!mdsa_wq)
		return -ENOMEM;
	err = idxd_driver_register(&mdsa_driver);
	if (err)
		destroy_workqueue(mdsa_wq);
	return err;
}
module_init(mdsa_init);

static void __exit mdsa_exit(void)
{
	idxd_driver_unregister(&mdsa_driver);
	destroy_workqueue(mdsa_wq);
}
module_exit(mdsa_exit);

MODULE_DESCRIPTION("Migration engines on Intel DSA");
MODULE_LICENSE("GPL");
MODULE_ALIAS_IDXD_DEVICE(0);
MODULE_IMPORT_NS(IDXD);
MODULE_IMPORT_NS(MIGRATE_ENGINES);
