/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration offload: engines that copy folios for page migration
 *
 * This header is all that an engine driver needs: describe the engine in a
 * struct migrate_offload_engine_info, implement struct migrate_offload_ops,
 * register, and report what happened to each batch with
 * migrate_offload_extent_done() and migrate_offload_batch_quiesced().
 * Documentation/driver-api/migrate-engines.rst walks through an example.
 *
 * The last section is what mm/migrate.c calls.
 */
#ifndef _LINUX_MIGRATE_OFFLOAD_H
#define _LINUX_MIGRATE_OFFLOAD_H

#include <linux/bits.h>
#include <linux/dma-fence.h>
#include <linux/jump_label.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/page-flags.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct device;
struct migrate_offload_batch;
struct migrate_offload_engine;

/* Longest name of an engine, with the terminating zero. */
#define MIGRATE_OFFLOAD_NAME_LEN	32

/**
 * struct migrate_offload_extent - one physically contiguous copy
 * @src: physical address of the first byte to read
 * @dst: physical address of the first byte to write
 * @len: number of bytes, a multiple of PAGE_SIZE
 * @channel: which of the engine's channels should copy it, less than
 *	&migrate_offload_engine_info.nr_channels. Extents of one batch are
 *	spread over the channels by bytes, and by how fast each of them was:
 *	that is, how soon its extents were reported. Advice: any channel may
 *	be used.
 *
 * @src, @dst and @len are at least PAGE_SIZE aligned and within the limits
 * that the engine was registered with.
 */
struct migrate_offload_extent {
	phys_addr_t src;
	phys_addr_t dst;
	size_t len;
	unsigned int channel;
	/* private: 0, a negative errno, or -EINPROGRESS; under batch->lock */
	int error;
};

/**
 * struct migrate_offload_batch - one submission to one engine
 * @engine: the engine it was submitted to
 * @extents: what to copy, in the order in which folios will be needed
 * @nr_extents: number of @extents
 * @bytes: sum of all extents' lengths
 * @priv: &migrate_offload_engine_info.priv_size bytes for the driver, zeroed
 *	when the engine is registered and left alone afterwards
 * @result: signalled when it is known of every extent whether it was copied;
 *	carries the first error, if there was one
 * @quiesced: signalled when the engine can no longer read or write any byte
 *	of @extents; never before @result
 *
 * A batch belongs to the driver from the call of &migrate_offload_ops.submit
 * until the driver calls migrate_offload_batch_quiesced(), and must not be
 * touched by it after that. Its memory was set aside at registration. Whoever
 * keeps a reference to one of the fences keeps the batch from being used
 * again and the engine from being unregistered.
 *
 * The two fences are apart because the two facts are: an error or a missed
 * deadline says that an extent was not copied, it does not say that the
 * hardware has stopped writing to it.
 */
struct migrate_offload_batch {
	struct migrate_offload_engine *engine;
	struct migrate_offload_extent *extents;
	unsigned int nr_extents;
	size_t bytes;
	void *priv;
	struct dma_fence result;
	struct dma_fence quiesced;
	/* private: */
	spinlock_t lock;	/* of both fences and of the extents' errors */
};

/**
 * struct migrate_offload_ops - what an engine driver implements
 */
struct migrate_offload_ops {
	/**
	 * @submit: start copying a batch.
	 *
	 * Called with folios locked and unmapped, possibly from reclaim: it
	 * must not allocate memory in a way that can enter reclaim (anything
	 * beyond GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC), must not take
	 * a lock under which others allocate, and must not wait for the
	 * hardware to finish work. It may be called from several tasks at
	 * once, with different batches.
	 *
	 * Return: 0 when the engine took the batch and will report on it; it
	 * may have done so already. A negative errno when it did not, and
	 * touches nothing: -EBUSY for want of a queue entry, -ENODEV when it
	 * is being quiesced, -EOPNOTSUPP when the memory cannot be mapped
	 * without a copy, or another. The CPU copies the folios then.
	 */
	int (*submit)(struct migrate_offload_engine *engine,
		      struct migrate_offload_batch *batch);

	/**
	 * @poll: look whether a batch is done, and wait for it a little.
	 *
	 * Optional, for engines that report small batches sooner without an
	 * interrupt. Called once for each batch, by the task that needs it,
	 * before that goes to sleep, unless it is done by then. Process
	 * context; must not sleep, nor take longer than an interrupt would,
	 * some ten microseconds. What is not done then must be reported
	 * without another call.
	 */
	void (*poll)(struct migrate_offload_engine *engine,
		     struct migrate_offload_batch *batch);

	/**
	 * @quiesce: make the engine let go of every batch it still has.
	 *
	 * Called when the engine missed a deadline or reported errors without
	 * being quiesced, and before it is unregistered. Process context, may
	 * sleep, must not enter reclaim (it is called from a WQ_MEM_RECLAIM
	 * workqueue while folios are locked). Calls of @quiesce and @reset do
	 * not overlap. No batch is submitted from now until @reset, but for
	 * what other tasks were about to submit: refuse those, or have @quiesce
	 * called once more when they miss their deadline.
	 *
	 * Abort, drain or reset as the hardware allows, then report each
	 * outstanding batch with migrate_offload_batch_quiesced(), from here
	 * or later. Do not report a batch that the hardware may still write:
	 * until it is reported, its folios stay in quarantine, which is safe.
	 * During migrate_offload_unregister() the core calls this again and
	 * again until all batches are quiesced.
	 */
	void (*quiesce)(struct migrate_offload_engine *engine);

	/**
	 * @reset: bring a failed engine back, on the administrator's request.
	 *
	 * Optional. Process context, may sleep; no batch is outstanding, and
	 * none is submitted. Must not unregister the engine.
	 *
	 * Return: 0 when the engine takes batches again, a negative errno
	 * when it stays failed.
	 */
	int (*reset)(struct migrate_offload_engine *engine);
};

/**
 * struct migrate_offload_engine_info - description of an engine
 * @name: unique name under which the administrator chooses it ("dsa0"):
 *	letters, digits, '_', '-' and '.', at most MIGRATE_OFFLOAD_NAME_LEN - 1
 *	of them, and not "auto"
 * @driver: name of the driver, shown in sysfs
 * @ops: the driver's functions
 * @numa_node: node that the engine is nearest to, or NUMA_NO_NODE; with
 *	@dma_dev, NUMA_NO_NODE means that device's node
 * @dma_dev: device that the driver maps extents against, or NULL when it
 *	uses physical addresses. A device whose mappings may bounce through
 *	swiotlb is refused: the CPU would copy twice.
 * @max_addr: highest physical address that the engine reaches, 0 for any
 * @max_extent_bytes: longest extent in bytes, 0 for no limit; rounded down to
 *	a multiple of PAGE_SIZE and @align
 * @align: alignment that @src, @dst and @len of extents need, in bytes, a
 *	power of two; 0 when PAGE_SIZE is enough. Folios that are not so
 *	aligned are refused.
 * @max_extents: extents in a batch, 1 to 1024
 * @max_batches: batches in flight, 1 to 1024; memory for all of them is set
 *	aside at registration
 * @nr_channels: channels that extents are spread over, at most 256; 0 means 1
 * @min_bytes: advice: fewer bytes than this in one go are not worth it. It is
 *	what ``auto`` in nodes/node<N>/min_bytes means for this engine.
 * @timeout_ms: deadline of a batch in milliseconds, counted from submission,
 *	0 for the default of one second; the administrator may change it. A
 *	healthy engine must make it with @max_batches in its queue.
 * @priv_size: bytes of &migrate_offload_batch.priv
 */
struct migrate_offload_engine_info {
	const char *name;
	const char *driver;
	const struct migrate_offload_ops *ops;
	int numa_node;
	struct device *dma_dev;
	phys_addr_t max_addr;
	size_t max_extent_bytes;
	size_t align;
	unsigned int max_extents;
	unsigned int max_batches;
	unsigned int nr_channels;
	size_t min_bytes;
	unsigned int timeout_ms;
	size_t priv_size;
};

/**
 * struct migrate_offload_engine - handle of a registered engine
 * @name: its name; stays valid until the engine is unregistered
 * @priv: what the driver passed to migrate_offload_register()
 */
struct migrate_offload_engine {
	const char *name;
	void *priv;
};

struct migrate_offload_engine *
migrate_offload_register(const struct migrate_offload_engine_info *info,
			 void *priv);
void migrate_offload_unregister(struct migrate_offload_engine *engine);
void migrate_offload_engine_failed(struct migrate_offload_engine *engine);
int migrate_offload_engine_recovered(struct migrate_offload_engine *engine);
void migrate_offload_extent_done(struct migrate_offload_batch *batch,
				 unsigned int nr, int error);
void migrate_offload_extents_done(struct migrate_offload_batch *batch,
				  unsigned int first, unsigned int nr,
				  int error);
void migrate_offload_batch_quiesced(struct migrate_offload_batch *batch);

/*
 * What comes of an offer of unmapped folios: nobody copies them; or somebody does,
 * and so that no folio is unmapped for much longer than if the CPU copied, others
 * may be unmapped at once, or when these are copied, or when these are moved.
 */
enum migrate_offload {
	MIGRATE_OFFLOAD_NONE,
	MIGRATE_OFFLOAD_OVERLAP,
	MIGRATE_OFFLOAD_COPIED,
	MIGRATE_OFFLOAD_ALONE,
};

/*
 * Folios that are offered one part after the other, each while the one before is
 * copied.
 */
struct migrate_offload_run {
	int pages;	/* that are worth the next offer */
	bool more;	/* set by the caller: this offer is not the last one */
	bool begun;	/* something was offered before */
	/* private: */
	int choice;	/* of "auto", */
	int parts;	/* for so many more, */
	int nid, src;	/* as long as they are like that */
	size_t last;
	unsigned int changes;
};

#ifdef CONFIG_MIGRATE_OFFLOAD

/*
 * What mm/migrate.c calls. An offered destination folio has this bit set in
 * its private field, above the bits that migration itself keeps there; see
 * mm/migrate_offload/dispatch.c. An anon_vma is 8-byte aligned on 64 bit.
 */
#define MIGRATE_OFFLOAD_MARK	BIT(2)

DECLARE_STATIC_KEY_FALSE(migrate_offload_key);

extern int __migrate_offload_first_pages;

enum migrate_offload
__migrate_offload_begin(struct list_head *src_folios,
			struct list_head *dst_folios, int reason,
			struct migrate_offload_run *run);
void __migrate_offload_settle(struct list_head *dst_folios);
void __migrate_offload_end(void);
int __migrate_offload_wait(struct folio *dst);
int __migrate_offload_hugetlb(struct folio *dst, struct folio *src, int reason);
bool __migrate_offload_test_clear_hugetlb(struct folio *dst);

/*
 * How many pages are worth the first offer, while others are still to be
 * unmapped. INT_MAX: all that there are.
 */
static inline int migrate_offload_first_pages(void)
{
	if (static_branch_unlikely(&migrate_offload_key))
		return READ_ONCE(__migrate_offload_first_pages);
	return INT_MAX;
}

/*
 * Offer folio pairs, locked and unmapped and in the same order on both lists,
 * for copying. Unless it returns MIGRATE_OFFLOAD_NONE, migrate_offload_end()
 * must follow, after migrate_offload_wait() for each folio. @run, if these are
 * not all, is told how many pages are worth the next offer.
 */
static inline enum migrate_offload
migrate_offload_begin(struct list_head *src_folios,
		      struct list_head *dst_folios, int reason,
		      struct migrate_offload_run *run)
{
	if (static_branch_unlikely(&migrate_offload_key))
		return __migrate_offload_begin(src_folios, dst_folios, reason,
					       run);
	if (run)
		run->pages = INT_MAX;
	return MIGRATE_OFFLOAD_NONE;
}

/* Wait until all copies have ended; migrate_offload_wait() tells how. */
static inline void migrate_offload_settle(struct list_head *dst_folios)
{
	if (static_branch_unlikely(&migrate_offload_key))
		__migrate_offload_settle(dst_folios);
}

/*
 * The same for one folio of hugetlb; returns when it is copied, in pieces. An
 * error as of migrate_offload_wait(), 1 if it is copied, and
 * migrate_offload_end() must follow, or 0.
 */
static inline int migrate_offload_hugetlb(struct folio *dst, struct folio *src,
					  int reason)
{
	if (static_branch_unlikely(&migrate_offload_key))
		return __migrate_offload_hugetlb(dst, src, reason);
	return 0;
}

/* All folios offered have been moved or given up. */
static inline void migrate_offload_end(enum migrate_offload begun)
{
	if (begun != MIGRATE_OFFLOAD_NONE)
		__migrate_offload_end();
}

/*
 * Wait until the copy into @dst has ended, well or not. Afterwards
 * dst->private is what it was before migrate_offload_begin(), plus
 * MIGRATE_OFFLOAD_MARK if the copy is good. An error means that the folio must
 * not be moved, nor its destination written.
 */
static inline int migrate_offload_wait(struct folio *dst)
{
	if (static_branch_unlikely(&migrate_offload_key) &&
	    (unsigned long)dst->private & MIGRATE_OFFLOAD_MARK)
		return __migrate_offload_wait(dst);
	return 0;
}

/*
 * Has @dst been copied already? True once: a retry copies afresh. Folios of
 * hugetlb keep flags of their own in the field, and have another marker.
 */
static inline bool migrate_offload_test_clear_copied(struct folio *dst)
{
	if (!static_branch_unlikely(&migrate_offload_key))
		return false;
	if (folio_test_hugetlb(dst))
		return __migrate_offload_test_clear_hugetlb(dst);
	if ((unsigned long)dst->private & MIGRATE_OFFLOAD_MARK) {
		dst->private = (void *)((unsigned long)dst->private &
					~MIGRATE_OFFLOAD_MARK);
		return true;
	}
	return false;
}

#else /* !CONFIG_MIGRATE_OFFLOAD */

#define MIGRATE_OFFLOAD_MARK	0UL

static inline int migrate_offload_first_pages(void)
{
	return INT_MAX;
}

static inline enum migrate_offload
migrate_offload_begin(struct list_head *src_folios,
		      struct list_head *dst_folios, int reason,
		      struct migrate_offload_run *run)
{
	return MIGRATE_OFFLOAD_NONE;
}

static inline void migrate_offload_settle(struct list_head *dst_folios)
{
}

static inline int migrate_offload_hugetlb(struct folio *dst, struct folio *src,
					  int reason)
{
	return 0;
}

static inline void migrate_offload_end(enum migrate_offload begun)
{
}

static inline int migrate_offload_wait(struct folio *dst)
{
	return 0;
}

static inline bool migrate_offload_test_clear_copied(struct folio *dst)
{
	return false;
}

#endif /* CONFIG_MIGRATE_OFFLOAD */

#endif /* _LINUX_MIGRATE_OFFLOAD_H */
