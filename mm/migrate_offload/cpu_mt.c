// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: the engine "cpu-mt"
 *
 * Copies a batch in the task that migrates, as the engine "cpu" does, with the
 * help of idle CPUs near the two nodes.
 *
 * The batch is cut into units of 64 KiB, and whoever has time claims the next
 * one: the task itself, and helpers on a workqueue. A unit is claimed, copied
 * and reported with preemption off. So a helper that does not run holds no
 * unit, and the task waits for helpers only as long as it takes to copy one:
 * on a busy machine it copies everything by itself. Helpers are asked for only
 * where CPUs are idle, are as nice as can be, and stop when their CPU is wanted.
 *
 * What helpers take of the CPU is charged to the cgroup of the task that
 * migrates: to usage and system time in its cpu.stat, but not to the task's
 * own times, and it is not held against cpu.max.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cgroup.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/numa.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "internal.h"

#define MO_UNIT_PAGES	(SZ_64K >> PAGE_SHIFT ?: 1)

#define MO_MAX_HELPERS	16

struct mo_mt;

struct mo_helper {
	struct work_struct work;
	struct mo_mt *mt;
};

/*
 * What is claimed of a batch. Helpers that come late find no unit left, or
 * those of the next batch in this place: a unit that was claimed is one of the
 * batch that is being copied.
 */
struct mo_mt {
	struct migrate_offload_batch *batch;
	unsigned long nr_pages;
	int nr_units;
	atomic_t unclaimed;		/* units */
	atomic_t unfinished;		/* units */
	atomic64_t helper_ns;
	DECLARE_BITMAP(poisoned, MO_BATCH_FOLIOS);
	/* Pages before the end of each extent. */
	unsigned long end[MO_BATCH_FOLIOS];
	struct mo_helper helpers[MO_MAX_HELPERS];
};

static struct workqueue_struct *mo_helper_wq;
static unsigned int mo_max_helpers = 4;
static atomic64_t mo_helper_ns;

/* The extent that has @page of the batch. */
static unsigned int mo_extent_of(const struct mo_mt *mt, unsigned long page)
{
	unsigned int low = 0, high = mt->batch->nr_extents - 1, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (page < mt->end[mid])
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void mo_copy_unit(struct mo_mt *mt, int unit)
{
	unsigned long page = (unsigned long)unit * MO_UNIT_PAGES;
	unsigned long last = min(page + MO_UNIT_PAGES, mt->nr_pages);
	unsigned int e = mo_extent_of(mt, page);
	const struct migrate_offload_extent *extent;
	unsigned long src, dst, left;

	for (; page < last; page++) {
		if (page == mt->end[e])
			e++;
		extent = &mt->batch->extents[e];
		left = mt->end[e] - page;
		src = PHYS_PFN(extent->src + extent->len) - left;
		dst = PHYS_PFN(extent->dst + extent->len) - left;
		if (!test_bit(e, mt->poisoned) && mo_copy_page(dst, src))
			set_bit(e, mt->poisoned);
	}
}

/* Claim, copy and report one unit, if there is one. */
static bool mo_do_unit(struct mo_mt *mt, bool helps)
{
	u64 start;
	int left;

	preempt_disable();
	start = local_clock();
	/* If it succeeds it pairs with the release in mo_cpu_mt_start(). */
	left = atomic_dec_if_positive(&mt->unclaimed);
	if (left >= 0) {
		mo_copy_unit(mt, mt->nr_units - 1 - left);
		if (helps)
			atomic64_add(local_clock() - start, &mt->helper_ns);
		/* Pairs with the acquire in mo_cpu_mt_submit(). */
		atomic_fetch_dec_release(&mt->unfinished);
	}
	preempt_enable();
	return left >= 0;
}

static void mo_help(struct work_struct *work)
{
	struct mo_mt *mt = container_of(work, struct mo_helper, work)->mt;

	while (!need_resched() && mo_do_unit(mt, true))
		;
}

/* Idle CPUs of @nid, but for ours, and no more than @max. */
static unsigned int mo_idle_cpus(int nid, unsigned int max)
{
	unsigned int nr = 0;
	int cpu;

	for_each_cpu_and(cpu, cpumask_of_node(nid), cpu_online_mask)
		if (nr < max && cpu != raw_smp_processor_id() &&
		    available_idle_cpu(cpu))
			nr++;
	return nr;
}

/* Ask for up to @nr more helpers near @nid; returns how many. */
static unsigned int mo_ask_helpers(struct mo_helper *helpers, int nid,
				   unsigned int nr)
{
	unsigned int i;

	nr = mo_idle_cpus(nid, nr);
	for (i = 0; i < nr; i++)
		queue_work_node(nid, mo_helper_wq, &helpers[i].work);
	return nr;
}

static int mo_cpus_near(phys_addr_t addr)
{
	return numa_nearest_node(pfn_to_nid(PHYS_PFN(addr)), N_CPU);
}

static void mo_ask_for_help(struct mo_mt *mt)
{
	const struct migrate_offload_extent *extent = mt->batch->extents;
	unsigned int max = READ_ONCE(mo_max_helpers), nr;
	int dst = mo_cpus_near(extent->dst);
	int src = mo_cpus_near(extent->src);

	max = min_t(unsigned int, max, mt->nr_units - 1);
	nr = mo_ask_helpers(mt->helpers, dst, max);
	if (src != dst)
		mo_ask_helpers(mt->helpers + nr, src, max - nr);
}

static void mo_cpu_mt_start(struct mo_mt *mt)
{
	struct migrate_offload_batch *batch = mt->batch;
	unsigned int i;

	mt->nr_pages = 0;
	for (i = 0; i < batch->nr_extents; i++) {
		mt->nr_pages += batch->extents[i].len >> PAGE_SHIFT;
		mt->end[i] = mt->nr_pages;
	}
	mt->nr_units = DIV_ROUND_UP(mt->nr_pages, MO_UNIT_PAGES);
	bitmap_zero(mt->poisoned, batch->nr_extents);
	atomic64_set(&mt->helper_ns, 0);
	atomic_set(&mt->unfinished, mt->nr_units);
	/* From here on units can be claimed. */
	atomic_set_release(&mt->unclaimed, mt->nr_units);
}

/* To the cgroup of the task that migrates, as far as it goes: see above. */
static void mo_charge_help(u64 ns)
{
	if (!ns)
		return;
	atomic64_add(ns, &mo_helper_ns);
#ifdef CONFIG_CGROUPS
	rcu_read_lock();
	if (cgroup_parent(task_dfl_cgroup(current))) {
		struct cgroup *cgroup = task_dfl_cgroup(current);

		__cgroup_account_cputime(cgroup, ns);
		__cgroup_account_cputime_field(cgroup, CPUTIME_SYSTEM, ns);
	}
	rcu_read_unlock();
#endif
}

static int mo_cpu_mt_submit(struct migrate_offload_engine *engine,
			    struct migrate_offload_batch *batch)
{
	struct mo_mt *mt = batch->priv;
	unsigned int i;

	mt->batch = batch;
	mo_cpu_mt_start(mt);
	if (mt->nr_units > 1)
		mo_ask_for_help(mt);
	while (mo_do_unit(mt, false))
		cond_resched();
	/* Each helper has at most one, and has its CPU for itself. */
	atomic_cond_read_acquire(&mt->unfinished, !VAL);

	mo_charge_help(atomic64_read(&mt->helper_ns));
	for (i = 0; i < batch->nr_extents; i++)
		migrate_offload_extent_done(batch, i, test_bit(i, mt->poisoned) ?
					    -EHWPOISON : 0);
	migrate_offload_batch_quiesced(batch);
	return 0;
}

/* Never called: no batch outlives submit. */
static void mo_cpu_mt_quiesce(struct migrate_offload_engine *engine)
{
}

const struct migrate_offload_ops mo_cpu_mt_ops = {
	.submit = mo_cpu_mt_submit,
	.quiesce = mo_cpu_mt_quiesce,
};

/* Files of engines/cpu-mt/ */

static ssize_t helpers_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(mo_max_helpers));
}

static ssize_t helpers_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	unsigned long nr;
	int err;

	err = mo_sysfs_number(buf, count, 0, MO_MAX_HELPERS, &nr);
	if (err)
		return err;
	WRITE_ONCE(mo_max_helpers, nr);
	return count;
}

static struct kobj_attribute helpers_attr = __ATTR_RW(helpers);

static ssize_t helper_ns_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(&mo_helper_ns));
}

static struct kobj_attribute helper_ns_attr = __ATTR_RO(helper_ns);

static const struct attribute *mo_cpu_mt_files[] = {
	&helpers_attr.attr,
	&helper_ns_attr.attr,
	NULL
};

static int __init mo_helper_wq_init(void)
{
	struct workqueue_attrs *attrs;
	int err;

	/* No rescuer: without a helper the task copies by itself. */
	mo_helper_wq = alloc_workqueue("migrate_offload_cpu",
				       WQ_UNBOUND | WQ_SYSFS, 0);
	attrs = alloc_workqueue_attrs();
	if (!mo_helper_wq || !attrs)
		return -ENOMEM;
	attrs->nice = MAX_NICE;
	attrs->affn_scope = WQ_AFFN_NUMA;
	err = apply_workqueue_attrs(mo_helper_wq, attrs);
	free_workqueue_attrs(attrs);
	return err;
}

/* What is in the batches and outlives them; before any is submitted. */
static void mo_cpu_mt_prepare(struct mo_engine *engine)
{
	struct mo_mt *mt;
	unsigned int i, j;

	for (i = 0; i < engine->max_batches; i++) {
		mt = engine->batches[i]->pub.priv;
		for (j = 0; j < MO_MAX_HELPERS; j++) {
			mt->helpers[j].mt = mt;
			INIT_WORK(&mt->helpers[j].work, mo_help);
		}
	}
}

int __init mo_cpu_mt_init(void)
{
	static const struct migrate_offload_engine_info info = {
		.name = "cpu-mt",
		.driver = "cpu",
		.ops = &mo_cpu_mt_ops,
		.numa_node = NUMA_NO_NODE,
		.max_extents = MO_BATCH_FOLIOS,
		/* For tasks that migrate at once; more of them copy as ever. */
		.max_batches = 4,
		.priv_size = sizeof(struct mo_mt),
	};
	struct migrate_offload_engine *engine;
	int err;

	err = mo_helper_wq_init();
	if (err)
		return err;
	engine = migrate_offload_register(&info, NULL);
	if (IS_ERR(engine))
		return PTR_ERR(engine);
	mo_cpu_mt_prepare(to_mo_engine(engine));
	return sysfs_create_files(&to_mo_engine(engine)->kobj, mo_cpu_mt_files);
}
