// SPDX-License-Identifier: GPL-2.0
/*
 * A migration engine that costs nothing
 *
 * A batch is copied by the time it has been submitted, and none of the CPU's
 * time is spent on that: a device does it that benchmarks in virtual time have.
 * What a move takes longer with it than without any copy is what migration
 * offload itself costs.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/migrate_offload.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/numa.h>
#include <linux/sizes.h>

#include "copier.h"

#define FREE_EXTENTS	512

static unsigned int copier = 0x5c0;
module_param(copier, uint, 0444);
MODULE_PARM_DESC(copier, "port of the device that copies");

static struct migrate_offload_engine *free_engine;

static int free_submit(struct migrate_offload_engine *engine,
		       struct migrate_offload_batch *batch)
{
	unsigned int nr = batch->nr_extents;

	/* An extent begins as what the device reads does. */
	BUILD_BUG_ON(offsetof(struct migrate_offload_extent, src) !=
		     offsetof(struct copier_copy, src));
	BUILD_BUG_ON(offsetof(struct migrate_offload_extent, dst) !=
		     offsetof(struct copier_copy, dst));
	BUILD_BUG_ON(offsetof(struct migrate_offload_extent, len) !=
		     offsetof(struct copier_copy, len));
	if (is_vmalloc_addr(batch->extents))
		return -ENOMEM;
	copier_run(copier, batch->priv, (void *)batch->extents,
		   sizeof(*batch->extents), nr);
	migrate_offload_extents_done(batch, 0, nr, 0);
	migrate_offload_batch_quiesced(batch);
	return 0;
}

/* Never has anything left to let go of. */
static void free_quiesce(struct migrate_offload_engine *engine)
{
}

static const struct migrate_offload_ops free_ops = {
	.submit = free_submit,
	.quiesce = free_quiesce,
};

static int __init free_init(void)
{
	static const struct migrate_offload_engine_info info = {
		.name = "free",
		.driver = KBUILD_MODNAME,
		.ops = &free_ops,
		.numa_node = NUMA_NO_NODE,
		.max_extents = FREE_EXTENTS,
		.max_batches = 8,
		.priv_size = sizeof(struct copier_list),
	};

	if (!copier_there(copier))
		return -ENODEV;
	free_engine = migrate_offload_register(&info, NULL);
	return PTR_ERR_OR_ZERO(free_engine);
}
module_init(free_init);

static void __exit free_exit(void)
{
	migrate_offload_unregister(free_engine);
}
module_exit(free_exit);

MODULE_DESCRIPTION("Migration engine that costs nothing, for benchmarks");
MODULE_LICENSE("GPL");
