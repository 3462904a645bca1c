// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on DMAengine channels
 *
 * Each device of a trusted provider becomes an engine, with all channels of it
 * that can be had. DMAengine tells its clients neither that channels have come
 * nor that they are about to go. So we look for channels whenever a driver has
 * been bound to a device, and make the engine an auxiliary device that is
 * linked to the provider's: the driver core unbinds it first when the provider
 * is unbound, and binds it again when the provider comes back.
 *
 * A vendor with a plain DMAengine provider needs no more than a line in
 * dmaengine-provider.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/auxiliary_bus.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "dmaengine.h"

#define MDE_MAX_CHANNELS	64
#define MDE_MAX_FOUND		64

/* A provider's device, and ours that goes with it. */
struct mde_provider_device {
	struct auxiliary_device adev;
	struct list_head node;		/* of mde_devices */
};

static LIST_HEAD(mde_devices);
static DEFINE_MUTEX(mde_devices_lock);	/* never under a device's lock */
static DEFINE_IDA(mde_ids);

static bool mde_is_channel_of(struct dma_chan *chan, void *dev)
{
	return chan->device->dev == dev;
}

/* A channel of @dev that nobody has, or NULL. */
struct dma_chan *mde_request(struct device *dev)
{
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	return dma_request_channel(mask, mde_is_channel_of, dev);
}

static void mde_release_channels(struct mde_engine *engine)
{
	unsigned int i;

	for (i = 0; i < engine->nr_channels; i++) {
		struct mde_channel *channel = &engine->channels[i];

		/* A late callback may queue it again. */
		disable_delayed_work_sync(&channel->feed);
		if (channel->chan)
			dma_release_channel(channel->chan);
	}
}

static void mde_free(struct mde_engine *engine)
{
	mde_release_channels(engine);
	mde_jobs_destroy(engine);
	kfree(engine);
}

static struct mde_engine *mde_alloc(struct device *provider)
{
	struct dma_chan *chans[MDE_MAX_CHANNELS];
	struct mde_engine *engine;
	unsigned int i, nr = 0;

	while (nr < MDE_MAX_CHANNELS) {
		chans[nr] = mde_request(provider);
		if (!chans[nr])
			break;
		nr++;
	}
	if (!nr)
		return ERR_PTR(-ENODEV);
	engine = kzalloc_node(struct_size(engine, channels, nr), GFP_KERNEL,
			      dev_to_node(provider));
	if (!engine) {
		while (nr--)
			dma_release_channel(chans[nr]);
		return ERR_PTR(-ENOMEM);
	}
	engine->provider = provider;
	engine->nr_channels = nr;
	for (i = 0; i < nr; i++)
		mde_channel_init(engine, &engine->channels[i], chans[i]);
	return engine;
}

/*
 * A device that has said nothing about its segments has 64 KiB. Most can do
 * more with memcpy; the test tells.
 */
static int mde_find_max_copy(struct mde_engine *engine)
{
	size_t said = min(engine->map.max_segment, MDE_MAX_COPY);
	int err;

	engine->max_copy = said;
	if (said != SZ_64K || engine->map.bounces)
		return 0;
	err = mde_channel_test(&engine->channels[0], MDE_MAX_COPY);
	if (err == -EBUSY || err == -ETIMEDOUT)
		return err;
	if (!err)
		engine->max_copy = MDE_MAX_COPY;
	return 0;
}

/* Everything but the core's part. */
static int mde_prepare(struct mde_engine *engine, struct device *provider)
{
	struct dma_chan *chan = engine->channels[0].chan;
	struct device *dev = dmaengine_get_dma_device(chan);
	unsigned int i;
	int err;

	err = mde_trust(provider->driver->name);
	if (err < 0)
		return err;
	engine->trust = err;
	err = mde_jobs_create(engine, dev_to_node(provider));
	if (err)
		return err;
	err = migrate_map_device_init(&engine->map, dev);
	if (err)
		return err;
	engine->align = max_t(size_t, BIT(chan->device->copy_align), PAGE_SIZE);
	engine->early = engine->map.coherent && engine->trust & MDE_ERRORS;
	engine->at_once = engine->early && engine->map.direct;
	err = mde_find_max_copy(engine);
	if (err)
		return err;
	for (i = 0; i < engine->nr_channels && !engine->map.bounces; i++) {
		err = mde_channel_test(&engine->channels[i], engine->align);
		if (err)
			return err;
	}
	return 0;
}

static int mde_register(struct mde_engine *engine, struct device *provider)
{
	struct dma_device *device = engine->channels[0].chan->device;
	char name[MIGRATE_OFFLOAD_NAME_LEN];
	struct migrate_offload_engine_info info = {
		.name = name,
		.driver = MDE_DRIVER,
		.ops = &mde_ops,
		.numa_node = dev_to_node(provider),
		.max_addr = engine->map.max_addr,
		.max_extent_bytes = min(engine->map.max_segment, engine->max_copy),
		.align = engine->align,
		.max_extents = MDE_MAX_EXTENTS,
		.max_batches = MDE_MAX_BATCHES,
		.nr_channels = engine->nr_channels,
	};

	snprintf(name, sizeof(name), "dma%d", device->dev_id);
	engine->engine = migrate_offload_register(&info, engine);
	return PTR_ERR_OR_ZERO(engine->engine);
}

static int mde_probe(struct auxiliary_device *adev,
		     const struct auxiliary_device_id *id)
{
	struct device *provider = adev->dev.parent;
	struct mde_engine *engine;
	int err;

	engine = mde_alloc(provider);
	if (IS_ERR(engine))
		return PTR_ERR(engine);
	err = mde_prepare(engine, provider);
	if (!err)
		err = mde_register(engine, provider);
	if (err) {
		mde_free(engine);
		return dev_err_probe(&adev->dev, err, "channels of %s\n",
				     dev_name(provider));
	}
	auxiliary_set_drvdata(adev, engine);
	dev_info(&adev->dev, "engine %s: %u channels of %s%s%s\n",
		 engine->engine->name, engine->nr_channels, dev_name(provider),
		 engine->trust & MDE_ERRORS ? "" : ", compared by the CPU",
		 engine->map.bounces ? ", but mappings would bounce" : "");
	return 0;
}

static void mde_remove(struct auxiliary_device *adev)
{
	struct mde_engine *engine = auxiliary_get_drvdata(adev);

	migrate_offload_unregister(engine->engine);
	flush_work(&engine->release);
	mde_free(engine);
}

static const struct auxiliary_device_id mde_ids_table[] = {
	{ .name = KBUILD_MODNAME ".engine" },
	{ }
};
MODULE_DEVICE_TABLE(auxiliary, mde_ids_table);

static struct auxiliary_driver mde_driver = {
	.name = "engine",
	.probe = mde_probe,
	.remove = mde_remove,
	.id_table = mde_ids_table,
};

static void mde_device_release(struct device *dev)
{
	struct auxiliary_device *adev = to_auxiliary_dev(dev);

	ida_free(&mde_ids, adev->id);
	kfree(container_of(adev, struct mde_provider_device, adev));
}

static bool mde_is_known(struct device *provider)
{
	struct mde_provider_device *known;

	list_for_each_entry(known, &mde_devices, node)
		if (known->adev.dev.parent == provider)
			return true;
	return false;
}

/* Our device below @provider; the engine comes with the driver's probe. */
static int mde_add(struct device *provider)
{
	struct mde_provider_device *pd;
	int err;

	lockdep_assert_held(&mde_devices_lock);
	if (mde_is_known(provider))
		return 0;
	pd = kzalloc(sizeof(*pd), GFP_KERNEL);
	if (!pd)
		return -ENOMEM;
	err = ida_alloc(&mde_ids, GFP_KERNEL);
	if (err < 0) {
		kfree(pd);
		return err;
	}
	pd->adev.id = err;
	pd->adev.name = "engine";
	pd->adev.dev.parent = provider;
	pd->adev.dev.release = mde_device_release;
	set_dev_node(&pd->adev.dev, dev_to_node(provider));
	err = auxiliary_device_init(&pd->adev);
	if (err) {
		ida_free(&mde_ids, pd->adev.id);
		kfree(pd);
		return err;
	}
	/* Before it is added: the provider may go at any time. */
	if (!device_link_add(&pd->adev.dev, provider, DL_FLAG_AUTOPROBE_CONSUMER)) {
		auxiliary_device_uninit(&pd->adev);
		return -ENODEV;
	}
	err = auxiliary_device_add(&pd->adev);
	if (err) {
		auxiliary_device_uninit(&pd->adev);
		return err;
	}
	list_add_tail(&pd->node, &mde_devices);
	return 0;
}

static void mde_del(struct mde_provider_device *pd)
{
	list_del(&pd->node);
	auxiliary_device_delete(&pd->adev);
	auxiliary_device_uninit(&pd->adev);
}

struct mde_found {
	struct device *dev[MDE_MAX_FOUND];
	unsigned int nr;
};

/* Takes no channel, but notes whose it is. Under DMAengine's mutex. */
static bool mde_note_provider(struct dma_chan *chan, void *param)
{
	struct device *dev = chan->device->dev;
	struct mde_found *found = param;
	unsigned int i;

	if (!dev->driver || mde_trust(dev->driver->name) < 0)
		return false;
	for (i = 0; i < found->nr; i++)
		if (found->dev[i] == dev)
			return false;
	if (found->nr < MDE_MAX_FOUND)
		found->dev[found->nr++] = get_device(dev);
	return false;
}

static void mde_scan(struct work_struct *work)
{
	struct mde_found *found = kzalloc(sizeof(*found), GFP_KERNEL);
	dma_cap_mask_t mask;
	unsigned int i;

	if (!found)
		return;
	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	WARN_ON_ONCE(dma_request_channel(mask, mde_note_provider, found));

	mutex_lock(&mde_devices_lock);
	for (i = 0; i < found->nr; i++) {
		int err = mde_add(found->dev[i]);

		if (err)
			dev_warn(found->dev[i], "no migration engine: %d\n", err);
		put_device(found->dev[i]);
	}
	mutex_unlock(&mde_devices_lock);
	kfree(found);
}

static DECLARE_WORK(mde_scan_work, mde_scan);

static void mde_device_gone(struct device *dev)
{
	struct mde_provider_device *pd, *next;

	mutex_lock(&mde_devices_lock);
	list_for_each_entry_safe(pd, next, &mde_devices, node)
		if (pd->adev.dev.parent == dev)
			mde_del(pd);
	mutex_unlock(&mde_devices_lock);
}

static int mde_notify(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	switch (action) {
	case BUS_NOTIFY_BOUND_DRIVER:
		/* The device's lock is held; and there may be more to come. */
		schedule_work(&mde_scan_work);
		break;
	case BUS_NOTIFY_DEL_DEVICE:
		mde_device_gone(data);
		break;
	}
	return NOTIFY_DONE;
}

/* Of other buses we know what is there when the module is loaded. */
static struct notifier_block mde_platform_nb = { .notifier_call = mde_notify };
#ifdef CONFIG_PCI
static struct notifier_block mde_pci_nb = { .notifier_call = mde_notify };
#endif

static void mde_unwatch(void)
{
	bus_unregister_notifier(&platform_bus_type, &mde_platform_nb);
#ifdef CONFIG_PCI
	bus_unregister_notifier(&pci_bus_type, &mde_pci_nb);
#endif
	cancel_work_sync(&mde_scan_work);
}

static int __init mde_init(void)
{
	int err;

	/* Folios are locked until its work is done. */
	mde_wq = alloc_workqueue("migrate_dmaengine",
				 WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_UNBOUND, 0);
	if (!mde_wq)
		return -ENOMEM;
	err = auxiliary_driver_register(&mde_driver);
	if (err) {
		destroy_workqueue(mde_wq);
		return err;
	}
	bus_register_notifier(&platform_bus_type, &mde_platform_nb);
#ifdef CONFIG_PCI
	bus_register_notifier(&pci_bus_type, &mde_pci_nb);
#endif
	schedule_work(&mde_scan_work);
	return 0;
}

/* After DMAengine and most of its providers, where all are built in. */
late_initcall(mde_init);

static void __exit mde_exit(void)
{
	struct mde_provider_device *pd, *next;

	mde_unwatch();
	mutex_lock(&mde_devices_lock);
	list_for_each_entry_safe(pd, next, &mde_devices, node)
		mde_del(pd);
	mutex_unlock(&mde_devices_lock);
	auxiliary_driver_unregister(&mde_driver);
	/* The links to the providers hold our devices, whose release is ours. */
	device_link_wait_removal();
	destroy_workqueue(mde_wq);
	ida_destroy(&mde_ids);
}
module_exit(mde_exit);

MODULE_DESCRIPTION("Migration engines on DMAengine channels");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(MIGRATE_ENGINES);
