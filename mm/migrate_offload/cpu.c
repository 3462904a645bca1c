// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: the engine "cpu"
 *
 * Copies a batch at once, in the task that migrates, page by page as
 * folio_mc_copy() does. It is always there, and shows what an engine is:
 * nothing of it is quarantined, since it is done when submit returns.
 */
#include <kunit/static_stub.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "internal.h"

/*
 * Page frames. -EHWPOISON when the source is poisoned; copy_mc_highpage() has
 * queued its handling. Nobody need copy that folio again to find out.
 */
int mo_copy_page(unsigned long dst, unsigned long src)
{
	KUNIT_STATIC_STUB_REDIRECT(mo_copy_page, dst, src);
	return copy_mc_highpage(pfn_to_page(dst), pfn_to_page(src)) ?
	       -EHWPOISON : 0;
}

struct mo_engine *mo_cpu_engine __ro_after_init;

/* The time in which a CPU copies 1 MiB; 0: not measured. */
u64 mo_cpu_mib_ns __read_mostly;

/*
 * Once there is an engine to compare with. Of a huge page, since that is what
 * it is about, and the best of a few times: nothing makes a CPU faster than it
 * is.
 */
void mo_cpu_measure(void)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN;
	const unsigned int order = get_order(SZ_2M);
	struct page *src, *dst;
	u64 start, ns, best = 0;
	unsigned long i;
	int pass;

	if (READ_ONCE(mo_cpu_mib_ns))
		return;
	src = alloc_pages(gfp | __GFP_ZERO, order);
	dst = alloc_pages(gfp, order);
	for (pass = 0; src && dst && pass < 3; pass++) {
		start = ktime_get_ns();
		for (i = 0; i < 1UL << order; i++)
			mo_copy_page(page_to_pfn(dst + i), page_to_pfn(src + i));
		ns = ktime_get_ns() - start;
		best = min(best ?: ns, ns);
		cond_resched();
	}
	if (src)
		__free_pages(src, order);
	if (dst)
		__free_pages(dst, order);
	WRITE_ONCE(mo_cpu_mib_ns, best / (SZ_2M / SZ_1M));
}

static int mo_cpu_copy(const struct migrate_offload_extent *extent)
{
	unsigned long src = PHYS_PFN(extent->src), dst = PHYS_PFN(extent->dst);
	unsigned long i, nr = extent->len >> PAGE_SHIFT;
	int err = 0;

	for (i = 0; !err && i < nr; i++) {
		cond_resched();
		err = mo_copy_page(dst + i, src + i);
	}
	return err;
}

static int mo_cpu_submit(struct migrate_offload_engine *engine,
			 struct migrate_offload_batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->nr_extents; i++)
		migrate_offload_extent_done(batch, i,
					    mo_cpu_copy(&batch->extents[i]));
	migrate_offload_batch_quiesced(batch);
	return 0;
}

/* Never called: no batch outlives submit. */
static void mo_cpu_quiesce(struct migrate_offload_engine *engine)
{
}

const struct migrate_offload_ops mo_cpu_ops = {
	.submit = mo_cpu_submit,
	.quiesce = mo_cpu_quiesce,
};

int __init mo_cpu_init(void)
{
	static const struct migrate_offload_engine_info info = {
		.name = "cpu",
		.driver = "cpu",
		.ops = &mo_cpu_ops,
		.numa_node = NUMA_NO_NODE,
		.max_extents = MO_BATCH_FOLIOS,
		/* For tasks that migrate at once; more of them copy as ever. */
		.max_batches = 4,
	};

	struct migrate_offload_engine *engine;

	engine = migrate_offload_register(&info, NULL);
	if (IS_ERR(engine))
		return PTR_ERR(engine);
	mo_cpu_engine = to_mo_engine(engine);
	return 0;
}
