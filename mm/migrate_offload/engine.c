// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: the registry of engines
 *
 * An engine is online, failed or removed. Failed engines get no batches until
 * the administrator resets them; their folios come back when the driver says
 * that the hardware has quiesced, and not before.
 */
#define pr_fmt(fmt) "migrate_offload: " fmt

#include <kunit/static_stub.h>
#include <linux/cc_platform.h>
#include <linux/ctype.h>
#include <linux/dma-mapping.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "internal.h"

/* Of mo_engines, and of the nodes' policies. */
DEFINE_MUTEX(mo_lock);
LIST_HEAD(mo_engines);

/* Failed engines are quiesced, and quarantined folios let go, from here. */
struct workqueue_struct *mo_wq;

/* It is the name of a directory, and a word in a list. */
bool mo_name_valid(const char *name)
{
	size_t len;

	for (len = 0; name[len]; len++)
		if (!isascii(name[len]) ||
		    (!isalnum(name[len]) && !strchr("_.-", name[len])))
			return false;
	return len && len < MIGRATE_OFFLOAD_NAME_LEN && name[0] != '.' &&
	       strcmp(name, "auto");
}

struct mo_engine *mo_engine_find(const char *name)
{
	struct mo_engine *engine;

	lockdep_assert_held(&mo_lock);

	list_for_each_entry(engine, &mo_engines, node)
		if (!strcmp(engine->name, name))
			return engine;
	return NULL;
}

/* As mo_engine_reach(). */
size_t mo_engine_reach_limited(const struct mo_engine *engine,
			       const struct mo_piece *piece)
{
	phys_addr_t from = PFN_PHYS(folio_pfn(piece->src)) + piece->offset;
	phys_addr_t to = PFN_PHYS(folio_pfn(piece->dst)) + piece->offset;
	size_t bytes = piece->bytes;

	if (!IS_ALIGNED(from | to | bytes, engine->align) ||
	    max(from, to) + (bytes - 1) > engine->max_addr)
		return 0;
	if (DIV_ROUND_UP(bytes, engine->max_extent_bytes) <=
	    engine->max_extents)
		return bytes;
	return engine->max_extents * engine->max_extent_bytes;
}

/*
 * @engine has copied @bytes. What is short tells of latency, not of speed. Not
 * exact when several tasks come here at once, nor need it be.
 */
void mo_engine_copied(struct mo_engine *engine, size_t bytes, ktime_t submitted,
		      ktime_t completed)
{
	ktime_t begun = max(submitted, READ_ONCE(engine->last_completed));
	u64 old = READ_ONCE(engine->mib_ns), new;

	if (completed > READ_ONCE(engine->last_completed))
		WRITE_ONCE(engine->last_completed, completed);
	if (bytes < SZ_1M || completed <= begun)
		return;
	new = div_u64(ktime_to_ns(ktime_sub(completed, begun)), bytes >> 20);
	/* One that was held up does not make it slow. */
	if (old)
		new = (7 * old + min(new, 4 * old)) / 8;
	WRITE_ONCE(engine->mib_ns, new ?: 1);
}

/* Does @engine copy something, and as much before it, in the CPU's time? */
bool mo_engine_outruns_cpu(const struct mo_engine *engine)
{
	u64 ns = READ_ONCE(engine->mib_ns);

	return ns && 2 * ns <= READ_ONCE(mo_cpu_mib_ns);
}

static void mo_engine_quiesce(struct mo_engine *engine)
{
	bool cookie;

	mutex_lock(&engine->op_lock);
	/* It may have been reset since. */
	if (!mo_engine_online(engine)) {
		/* Fences wait for this: lockdep proves that it does not wait. */
		cookie = dma_fence_begin_signalling();
		engine->ops->quiesce(&engine->pub);
		dma_fence_end_signalling(cookie);
	}
	mutex_unlock(&engine->op_lock);
}

static void mo_engine_fail_work(struct work_struct *work)
{
	struct mo_engine *engine = container_of(work, struct mo_engine,
						fail_work);

	mo_engine_quiesce(engine);
	sysfs_notify(&engine->kobj, NULL, "state");
}

/*
 * Take @engine out of service, once, and have it quiesced. The caller holds a
 * batch of it or is its driver.
 */
void mo_engine_fail(struct mo_engine *engine, const char *why)
{
	cmpxchg(&engine->grace_end, 0, (jiffies + MO_QUIESCE_GRACE) | 1);
	if (cmpxchg(&engine->state, MO_ONLINE, MO_FAILED) == MO_ONLINE) {
		mo_policy_changed();
		pr_warn("engine %s failed (%s), out of service until reset\n",
			engine->name, why);
	}
	queue_work(mo_wq, &engine->fail_work);
}

/* Bring a failed engine back, by means of @reset if it is not NULL. */
int mo_engine_reset(struct mo_engine *engine,
		    int (*reset)(struct migrate_offload_engine *engine))
{
	int err = 0;

	mutex_lock(&engine->op_lock);
	if (READ_ONCE(engine->state) != MO_FAILED) {
		mutex_unlock(&engine->op_lock);
		return -EINVAL;
	}
	/* Who saw it online has its batch, and who comes now sees it failed. */
	synchronize_rcu();
	if (atomic_read(&engine->inflight)) {
		/* Ask once more: it may not have listened the first time. */
		queue_work(mo_wq, &engine->fail_work);
		err = -EBUSY;
	} else if (reset) {
		err = reset(&engine->pub);
	}
	if (!err) {
		atomic_set(&engine->bad_batches, 0);
		WRITE_ONCE(engine->grace_end, 0);
		/* What it was before says little of what it is now. */
		mo_costs_forget(engine);
		cmpxchg(&engine->state, MO_FAILED, MO_ONLINE);
		mo_policy_changed();
		sysfs_notify(&engine->kobj, NULL, "state");
	}
	mutex_unlock(&engine->op_lock);
	return err;
}

static void mo_engine_drained(struct percpu_ref *ref)
{
	complete(&container_of(ref, struct mo_engine, users)->drained);
}

/* Then swiotlb copies to where devices can read it. */
bool mo_memory_encrypted(void)
{
	KUNIT_STATIC_STUB_REDIRECT(mo_memory_encrypted);
	return cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT);
}

/*
 * Mappings that may bounce would make the CPU copy everything twice, and the
 * destination would be wrong until they are unmapped.
 */
static bool mo_dma_may_bounce(struct device *dev)
{
	return dma_addressing_limited(dev) ||
	       dma_max_mapping_size(dev) != SIZE_MAX ||
	       mo_memory_encrypted();
}

static int mo_info_check(const struct migrate_offload_engine_info *info)
{
	if (!info->name || !mo_name_valid(info->name) || !info->driver ||
	    !info->ops || !info->ops->submit || !info->ops->quiesce ||
	    !info->max_extents || info->max_extents > 1024 ||
	    !info->max_batches || info->max_batches > 1024 ||
	    info->nr_channels > MO_MAX_CHANNELS ||
	    info->timeout_ms > MO_MAX_TIMEOUT_MS ||
	    (info->align & (info->align - 1)) ||
	    (info->max_extent_bytes &&
	     info->max_extent_bytes < max(info->align, PAGE_SIZE)) ||
	    info->numa_node < NUMA_NO_NODE || info->numa_node >= MAX_NUMNODES)
		return -EINVAL;
	if (info->dma_dev && mo_dma_may_bounce(info->dma_dev))
		return -EOPNOTSUPP;
	return 0;
}

static struct mo_engine *
mo_engine_alloc(const struct migrate_offload_engine_info *info, void *priv)
{
	struct mo_engine *engine;
	int err = -ENOMEM;

	engine = kzalloc(sizeof(*engine), GFP_KERNEL);
	if (!engine)
		return ERR_PTR(-ENOMEM);

	strscpy(engine->name, info->name);
	strscpy(engine->driver, info->driver);
	engine->pub.name = engine->name;
	engine->pub.priv = priv;
	engine->ops = info->ops;
	engine->numa_node = info->numa_node;
	if (engine->numa_node == NUMA_NO_NODE && info->dma_dev)
		engine->numa_node = dev_to_node(info->dma_dev);
	engine->max_addr = info->max_addr ?: PHYS_ADDR_MAX;
	engine->align = max(info->align, PAGE_SIZE);
	engine->max_extent_bytes =
		rounddown(info->max_extent_bytes ?: SIZE_MAX / 2, engine->align);
	engine->max_extents = info->max_extents;
	engine->max_batches = info->max_batches;
	engine->nr_channels = info->nr_channels ?: 1;
	engine->min_bytes = info->min_bytes;
	engine->timeout_ms = info->timeout_ms ?: MO_DEFAULT_TIMEOUT_MS;
	engine->limited = engine->max_addr != PHYS_ADDR_MAX ||
			  engine->align > PAGE_SIZE;
	engine->by_cpu = info->ops == &mo_cpu_ops || info->ops == &mo_cpu_mt_ops;
	engine->state = MO_ONLINE;
	mutex_init(&engine->op_lock);
	INIT_WORK(&engine->fail_work, mo_engine_fail_work);
	init_completion(&engine->drained);

	engine->stats = alloc_percpu(struct mo_engine_stats);
	if (!engine->stats)
		goto err;
	err = mo_costs_create(engine);
	if (err)
		goto err;
	err = mo_batches_create(engine, info->priv_size);
	if (err)
		goto err;
	err = percpu_ref_init(&engine->users, mo_engine_drained, 0,
			      GFP_KERNEL);
	if (err)
		goto err;
	return engine;
err:
	mo_engine_free(engine);
	return ERR_PTR(err);
}

void mo_engine_free(struct mo_engine *engine)
{
	percpu_ref_exit(&engine->users);
	mo_sysfs_free_engine(engine);
	mo_batches_destroy(engine);
	mo_costs_destroy(engine);
	free_percpu(engine->stats);
	kfree(engine);
}

/**
 * migrate_offload_register() - add an engine
 * @info: what it is; need not outlive the call, but for its ops
 * @priv: for the driver, found in &migrate_offload_engine.priv
 *
 * From now on the engine is there for the administrator to choose and, where
 * a node's choice names it already or is ``auto``, batches may arrive before
 * this function returns. Engines may be registered at any time.
 *
 * Context: Process context, may sleep and allocate.
 *
 * Return: the engine's handle, for migrate_offload_unregister(), or an
 * ERR_PTR: -EINVAL for a description that makes no sense, -EEXIST for a name
 * that is taken, -EOPNOTSUPP when mappings for &migrate_offload_engine_info.dma_dev
 * may bounce, -ENOMEM.
 */
struct migrate_offload_engine *
migrate_offload_register(const struct migrate_offload_engine_info *info,
			 void *priv)
{
	struct mo_engine *engine;
	int err;

	if (!mo_wq)
		return ERR_PTR(-ENODEV);
	err = mo_info_check(info);
	if (err)
		return ERR_PTR(err);
	engine = mo_engine_alloc(info, priv);
	if (IS_ERR(engine))
		return ERR_CAST(engine);
	if (!engine->by_cpu)
		mo_cpu_measure();

	mutex_lock(&mo_lock);
	if (mo_engine_find(engine->name)) {
		mutex_unlock(&mo_lock);
		mo_engine_free(engine);
		return ERR_PTR(-EEXIST);
	}
	err = mo_sysfs_add_engine(engine);
	if (err) {
		mutex_unlock(&mo_lock);
		/* Frees the engine. */
		kobject_put(&engine->kobj);
		return ERR_PTR(err);
	}
	list_add_tail(&engine->node, &mo_engines);
	mo_policy_resolve_all();
	mutex_unlock(&mo_lock);
	return &engine->pub;
}
EXPORT_SYMBOL_GPL(migrate_offload_register);

/**
 * migrate_offload_unregister() - remove an engine
 * @engine: handle from migrate_offload_register()
 *
 * No new batch is submitted. Those in flight get their deadline, five seconds
 * at most, to end by themselves, unless the engine has failed; then
 * &migrate_offload_ops.quiesce is called, every five seconds and with a
 * warning, until the driver has reported all of them quiesced.
 * When this function returns no batch of the engine can touch memory, no
 * callback into the driver is running, and none will come. A driver whose
 * hardware does not let go must make it (reset it, or cut it off the bus): to
 * return earlier would be to let it write into pages that have been given
 * back.
 *
 * Context: Process context, may sleep. The caller must not hold a lock that
 * the driver's own functions take, nor a reference to a batch's fence.
 */
void migrate_offload_unregister(struct migrate_offload_engine *engine)
{
	struct mo_engine *e = to_mo_engine(engine);
	unsigned long wait = msecs_to_jiffies(READ_ONCE(e->timeout_ms));

	/* Nothing comes of waiting for one that has failed. */
	if (!mo_engine_online(e))
		wait = 0;
	wait = min(wait, MO_UNREGISTER_WAIT);

	mutex_lock(&mo_lock);
	WRITE_ONCE(e->state, MO_REMOVED);
	mo_policy_resolve_all();
	mutex_unlock(&mo_lock);

	percpu_ref_kill(&e->users);
	while (!wait_for_completion_timeout(&e->drained, wait)) {
		if (atomic_read(&e->inflight))
			pr_warn("engine %s goes away with %d batches in flight\n",
				e->name, atomic_read(&e->inflight));
		mo_engine_quiesce(e);
		wait = MO_UNREGISTER_WAIT;
	}
	disable_work_sync(&e->fail_work);

	/* Not under mo_lock: waits for readers and writers of its files. */
	kobject_del(&e->kobj);
	mutex_lock(&mo_lock);
	list_del(&e->node);
	mutex_unlock(&mo_lock);

	/* Whoever still looks at a node's choice under RCU sees it dead. */
	synchronize_rcu();
	kobject_put(&e->kobj);
}
EXPORT_SYMBOL_GPL(migrate_offload_unregister);

/**
 * migrate_offload_engine_failed() - the driver has found its engine dead
 * @engine: handle from migrate_offload_register()
 *
 * Takes the engine out of service as a missed deadline does: it is shown as
 * failed, &migrate_offload_ops.quiesce is called from a workqueue, and no
 * batch arrives until the administrator resets it or its driver says that it
 * has recovered. For a driver that learns of a fatal error before a deadline
 * tells.
 *
 * Context: Any, including hard interrupts, until migrate_offload_unregister()
 * returns.
 */
void migrate_offload_engine_failed(struct migrate_offload_engine *engine)
{
	mo_engine_fail(to_mo_engine(engine), "reported by its driver");
}
EXPORT_SYMBOL_GPL(migrate_offload_engine_failed);

/**
 * migrate_offload_engine_recovered() - the driver has revived its engine
 * @engine: handle from migrate_offload_register()
 *
 * Puts a failed engine back into service without &migrate_offload_ops.reset
 * or the administrator: for a driver that has reset the device by itself.
 * All batches must have been reported quiesced.
 *
 * Context: Process context, may sleep. Not from &migrate_offload_ops.quiesce
 * nor &migrate_offload_ops.reset, which it excludes.
 *
 * Return: 0, -EBUSY while batches are outstanding, -EINVAL if the engine has
 * not failed or is being unregistered.
 */
int migrate_offload_engine_recovered(struct migrate_offload_engine *engine)
{
	return mo_engine_reset(to_mo_engine(engine), NULL);
}
EXPORT_SYMBOL_GPL(migrate_offload_engine_recovered);
