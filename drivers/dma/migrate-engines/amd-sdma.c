// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on the SDMA of AMD GPUs
 *
 * amdgpu makes an auxiliary device of each GPU whose SDMA can copy system
 * memory, see include/linux/amd_sdma_copy_aux.h. Each becomes an engine, with
 * the SDMA engines of the GPU as its channels. Nothing of amdgpu is needed to
 * build or load this.
 *
 * What happens to the GPU comes as events. None of them ends a job: jobs end by
 * their fences, and by their slots being quiesced, whatever the GPU goes
 * through. Events say when there is no use in submitting, and when there is
 * again. After a reset, and when it was suspended, the engine is tested as when
 * it was bound before it gets another batch.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/auxiliary_bus.h>
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "amd-sdma.h"

/*
 * After an event: how often to try to bring the engine back, and how long to
 * wait between two tries. The last is when all has been well for a while: who
 * waited for a batch may have given up just then.
 */
#define ASDMA_REVIVALS		30
#define ASDMA_REVIVE_SOON	(HZ / 20)
#define ASDMA_REVIVE_LATER	HZ

static DEFINE_IDA(asdma_ida);

/* Nothing happens if it is not away, nor out of service. */
static void asdma_revive_after(struct asdma_engine *engine,
			       unsigned int revivals)
{
	spin_lock(&engine->lock);
	engine->revivals = revivals;
	if (engine->ready)
		mod_delayed_work(system_unbound_wq, &engine->revive, 0);
	spin_unlock(&engine->lock);
}

/*
 * Returns 0, or after how many jiffies to try again. @left: how many tries there
 * are after this one, at most.
 */
static unsigned long asdma_revive(struct asdma_engine *engine,
				  unsigned int *left)
{
	unsigned int flags = READ_ONCE(engine->flags);
	int err;

	/* An event has us called again. */
	if (flags & ASDMA_AWAY)
		return 0;
	if (flags) {
		err = asdma_test(engine);
		if (err == -EAGAIN || err == -EBUSY)
			return ASDMA_REVIVE_LATER;
		if (err) {
			dev_err(&engine->sdma->adev.dev,
				"engine %s does not copy: %d\n",
				engine->engine->name, err);
			migrate_offload_engine_failed(engine->engine);
			return 0;
		}
		dev_dbg(&engine->sdma->adev.dev, "engine %s: tested\n",
			engine->engine->name);
	}
	err = migrate_offload_engine_recovered(engine->engine);
	if (err == -EBUSY)
		return ASDMA_REVIVE_SOON;
	asdma_release(engine, ASDMA_HALTED);
	if (!err)
		dev_info(&engine->sdma->adev.dev, "engine %s is back\n",
			 engine->engine->name);
	*left = min(*left, 1);
	return ASDMA_REVIVE_LATER;
}

static void asdma_revive_work(struct work_struct *work)
{
	struct asdma_engine *engine = container_of(to_delayed_work(work),
						   struct asdma_engine, revive);
	unsigned int upsets, before, left;
	unsigned long delay;

	spin_lock(&engine->lock);
	upsets = engine->upsets;
	before = engine->revivals;
	spin_unlock(&engine->lock);
	left = before - !!before;
	if (asdma_idle(engine) || READ_ONCE(engine->flags) & ASDMA_AWAY) {
		delay = asdma_revive(engine, &left);
	} else {
		/* Slots that failed quiesce some time after the reset. */
		delay = ASDMA_REVIVE_SOON;
		left = before;
	}

	spin_lock(&engine->lock);
	/* Not what an event has set meanwhile. */
	if (engine->upsets == upsets && engine->revivals == before)
		engine->revivals = left;
	if (engine->ready && delay && engine->revivals)
		queue_delayed_work(system_unbound_wq, &engine->revive, delay);
	spin_unlock(&engine->lock);
}

static void asdma_fail(struct asdma_engine *engine)
{
	spin_lock(&engine->lock);
	if (engine->ready)
		migrate_offload_engine_failed(engine->engine);
	spin_unlock(&engine->lock);
}

/* Locks are held, on which reclaim may wait: this neither sleeps nor allocates. */
static void asdma_event(struct amd_sdma_copy_dev *sdma,
			enum amd_sdma_copy_event event)
{
	struct asdma_engine *engine = auxiliary_get_drvdata(&sdma->adev);

	if (!engine)
		return;
	switch (event) {
	case AMD_SDMA_COPY_STOP:
		asdma_hold(engine, ASDMA_STOPPED);
		break;
	case AMD_SDMA_COPY_RESET_PRE:
		asdma_hold(engine, ASDMA_RESETTING | ASDMA_UNTESTED);
		break;
	case AMD_SDMA_COPY_RESET_DONE:
		asdma_release(engine, ASDMA_RESETTING | ASDMA_BROKEN);
		asdma_revive_after(engine, ASDMA_REVIVALS);
		break;
	case AMD_SDMA_COPY_RESET_FAILED:
		asdma_hold(engine, ASDMA_BROKEN | ASDMA_UNTESTED);
		asdma_release(engine, ASDMA_RESETTING);
		asdma_fail(engine);
		break;
	case AMD_SDMA_COPY_SUSPEND:
		asdma_hold(engine, ASDMA_SUSPENDED | ASDMA_UNTESTED);
		break;
	case AMD_SDMA_COPY_RESUME:
		asdma_release(engine, ASDMA_SUSPENDED);
		asdma_revive_after(engine, ASDMA_REVIVALS);
		break;
	}
}

static struct asdma_engine *asdma_alloc(struct amd_sdma_copy_dev *sdma)
{
	struct asdma_engine *engine;

	engine = kvzalloc_node(sizeof(*engine), GFP_KERNEL,
			       dev_to_node(sdma->dma_dev));
	if (!engine)
		return NULL;
	engine->sdma = sdma;
	engine->flags = ASDMA_UNTESTED;
	engine->extent_done = migrate_offload_extent_done;
	engine->batch_quiesced = migrate_offload_batch_quiesced;
	spin_lock_init(&engine->lock);
	INIT_LIST_HEAD(&engine->free);
	INIT_LIST_HEAD(&engine->pending);
	INIT_DELAYED_WORK(&engine->revive, asdma_revive_work);
	engine->id = ida_alloc(&asdma_ida, GFP_KERNEL);
	if (engine->id < 0) {
		kvfree(engine);
		return NULL;
	}
	return engine;
}

/* The device is closed, and the core has no engine of it. */
static void asdma_free(struct asdma_engine *engine)
{
	asdma_copy_destroy(engine);
	asdma_test_destroy(engine);
	ida_free(&asdma_ida, engine->id);
	kvfree(engine);
}

static int asdma_check_caps(const struct amd_sdma_copy_caps *caps)
{
	return caps->nr_slots && caps->nr_engines && caps->max_pages &&
	       caps->nr_engines <= min(caps->nr_slots, ASDMA_MAX_SLOTS) ?
	       0 : -EINVAL;
}

/* Everything but the core's part. */
static int asdma_prepare(struct asdma_engine *engine)
{
	struct amd_sdma_copy_caps *caps = &engine->caps;
	int err;

	err = asdma_check_caps(caps);
	if (err)
		return err;
	if (caps->numa_node == NUMA_NO_NODE)
		caps->numa_node = dev_to_node(engine->sdma->dma_dev);
	err = migrate_map_device_init(&engine->map, engine->sdma->dma_dev);
	if (err)
		return err;
	/* It writes through the CPU's caches, or we do not know how. */
	if (!engine->map.bounces && !engine->map.coherent)
		return -EOPNOTSUPP;
	err = asdma_copy_create(engine) ?: asdma_test_create(engine);
	if (err)
		return err;
	err = asdma_test(engine);
	/*
	 * Asleep, or being reset: then later, and there is an event. And if the
	 * GPU hangs, and does not let go: amdgpu's probe may be waiting for us,
	 * so we must not wait for the GPU.
	 */
	return err == -EAGAIN || engine->test.mapped ? 0 : err;
}

static int asdma_register(struct asdma_engine *engine)
{
	const struct amd_sdma_copy_caps *caps = &engine->caps;
	char name[MIGRATE_OFFLOAD_NAME_LEN];
	struct migrate_offload_engine_info info = {
		.name = name,
		.driver = ASDMA_DRIVER,
		.ops = &asdma_ops,
		.numa_node = caps->numa_node,
		.max_addr = engine->map.max_addr,
		.max_extent_bytes = min(engine->map.max_segment,
					(size_t)caps->max_pages << PAGE_SHIFT),
		.max_extents = ASDMA_MAX_EXTENTS,
		.max_batches = engine->nr_batches,
		.nr_channels = caps->nr_engines,
	};

	snprintf(name, sizeof(name), "sdma%d", engine->id);
	engine->engine = migrate_offload_register(&info, engine);
	return PTR_ERR_OR_ZERO(engine->engine);
}

static void asdma_set_ready(struct asdma_engine *engine, bool ready)
{
	spin_lock(&engine->lock);
	engine->ready = ready;
	spin_unlock(&engine->lock);
}

static void asdma_close(struct asdma_engine *engine)
{
	engine->sdma->ops->close(engine->sdma);
	auxiliary_set_drvdata(&engine->sdma->adev, NULL);
	asdma_hold(engine, ASDMA_CLOSED);
}

static const char *asdma_verdict(const struct asdma_engine *engine)
{
	if (engine->map.bounces)
		return "but mappings would bounce";
	if (engine->test.mapped)
		return "but it hangs";
	return READ_ONCE(engine->flags) & ASDMA_UNTESTED ? "to be tested" :
							   "tested";
}

static int asdma_probe(struct auxiliary_device *adev,
		       const struct auxiliary_device_id *id)
{
	struct amd_sdma_copy_dev *sdma = to_amd_sdma_copy_dev(adev);
	struct asdma_engine *engine = asdma_alloc(sdma);
	int err;

	if (!engine)
		return -ENOMEM;
	/* Events can come before it has returned. */
	auxiliary_set_drvdata(adev, engine);
	err = sdma->ops->open(sdma, &engine->caps);
	if (err) {
		auxiliary_set_drvdata(adev, NULL);
		goto err_free;
	}
	err = asdma_prepare(engine) ?: asdma_register(engine);
	if (err) {
		asdma_hold(engine, ASDMA_STOPPED);
		asdma_close(engine);
		goto err_free;
	}
	dev_info(&adev->dev,
		 "engine %s: SDMA %u.%u.%u of %s, %u engines, %u slots of %u pages, %s\n",
		 engine->engine->name, engine->caps.sdma_version >> 16,
		 engine->caps.sdma_version >> 8 & 0xff,
		 engine->caps.sdma_version & 0xff, dev_name(sdma->dma_dev),
		 engine->caps.nr_engines, engine->nr_slots,
		 engine->caps.max_pages,
		 asdma_verdict(engine));
	asdma_set_ready(engine, true);
	if (engine->test.mapped)
		asdma_fail(engine);
	/* An event can have come before. */
	if (READ_ONCE(engine->flags))
		asdma_revive_after(engine, ASDMA_REVIVALS);
	return 0;
err_free:
	asdma_free(engine);
	return dev_err_probe(&adev->dev, err, "no engine on the SDMA of %s\n",
			     dev_name(sdma->dma_dev));
}

static void asdma_remove(struct auxiliary_device *adev)
{
	struct asdma_engine *engine = auxiliary_get_drvdata(adev);

	asdma_set_ready(engine, false);
	disable_delayed_work_sync(&engine->revive);
	asdma_hold(engine, ASDMA_STOPPED);
	migrate_offload_unregister(engine->engine);
	asdma_close(engine);
	asdma_free(engine);
}

static const struct auxiliary_device_id asdma_ids[] = {
	{ .name = AMD_SDMA_COPY_AMDGPU_ID },
#if IS_ENABLED(CONFIG_MIGRATE_ENGINE_SIM_SDMA)
	{ .name = "migrate_sim_sdma." AMD_SDMA_COPY_DEV_NAME },
#endif
#if IS_ENABLED(CONFIG_MIGRATE_ENGINES_KUNIT_TEST)
	{ .name = KBUILD_MODNAME ".fake" },
#endif
	{ }
};
MODULE_DEVICE_TABLE(auxiliary, asdma_ids);

static struct amd_sdma_copy_drv asdma_driver = {
	.drv = {
		.name = "engine",
		.probe = asdma_probe,
		.remove = asdma_remove,
		.id_table = asdma_ids,
	},
	.event = asdma_event,
};

static int __init asdma_init(void)
{
	int err;

	/* Folios are locked until its work is done. */
	asdma_wq = alloc_workqueue("migrate_amd_sdma",
				   WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_UNBOUND, 0);
	if (!asdma_wq)
		return -ENOMEM;
	err = auxiliary_driver_register(&asdma_driver.drv);
	if (err)
		destroy_workqueue(asdma_wq);
	return err;
}
module_init(asdma_init);

static void __exit asdma_exit(void)
{
	auxiliary_driver_unregister(&asdma_driver.drv);
	destroy_workqueue(asdma_wq);
	ida_destroy(&asdma_ida);
}
module_exit(asdma_exit);

#if IS_ENABLED(CONFIG_MIGRATE_ENGINES_KUNIT_TEST)
#include "tests/amd-sdma_test.c"
#endif

MODULE_DESCRIPTION("Migration engines on the SDMA of AMD GPUs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(MIGRATE_ENGINES);
