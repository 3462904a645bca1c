/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration engines on the SDMA of AMD GPUs: what its files share
 *
 *	amd-sdma.c		devices: bind, events, revival, unbind
 *	amd-sdma-copy.c		batches: submission, completion, failure
 *	amd-sdma-test.c		does it copy?
 */
#ifndef _MIGRATE_ENGINES_AMD_SDMA_H
#define _MIGRATE_ENGINES_AMD_SDMA_H

#include <linux/amd_sdma_copy_aux.h>
#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/migrate_offload.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "dma-map.h"

#define ASDMA_DRIVER	"amd-sdma"

/* Extents in a batch, batches in flight, slots in use: of one engine. */
#define ASDMA_MAX_EXTENTS	512
#define ASDMA_MAX_BATCHES	32
#define ASDMA_MAX_SLOTS		64

/**
 * enum asdma_flag - why nothing can be submitted; none is set in a good engine
 * @ASDMA_UNTESTED: it has not been seen to copy since it was bound or reset
 * @ASDMA_RESETTING: between AMD_SDMA_COPY_RESET_PRE and the end of the reset
 * @ASDMA_BROKEN: the last reset failed
 * @ASDMA_SUSPENDED: between AMD_SDMA_COPY_SUSPEND and _RESUME
 * @ASDMA_HALTED: the core has taken the engine out of service
 * @ASDMA_STOPPED: the device is about to go, or to be unbound
 * @ASDMA_CLOSED: it is closed, so that nothing is in flight
 */
enum asdma_flag {
	ASDMA_UNTESTED	= BIT(0),
	ASDMA_RESETTING	= BIT(1),
	ASDMA_BROKEN	= BIT(2),
	ASDMA_SUSPENDED	= BIT(3),
	ASDMA_HALTED	= BIT(4),
	ASDMA_STOPPED	= BIT(5),
	ASDMA_CLOSED	= BIT(6),
};

/* What keeps it from being tested: an event is to come first. */
#define ASDMA_AWAY	(ASDMA_RESETTING | ASDMA_BROKEN | ASDMA_SUSPENDED | \
			 ASDMA_STOPPED | ASDMA_CLOSED)

/* A batch on its way; its copies become jobs in the order they are in. */
struct asdma_batch {
	struct list_head node;		/* of engine->free or ->pending */
	struct migrate_offload_batch *batch;
	struct migrate_map map;
	struct migrate_copy *copies;
	unsigned int nr_copies;
	unsigned int next;		/* first copy that is in no job yet */
	unsigned int left;		/* jobs in flight, and if not all are */
	int error;			/* of what became no job */
};

/* A slot of the device, and the job in it. */
struct asdma_slot {
	struct asdma_engine *engine;
	u32 nr;
	struct asdma_batch *batch;	/* NULL: no job */
	unsigned int first;		/* of batch->copies */
	unsigned int nr_copies;
	unsigned int pages;
	struct dma_fence *fence;
	struct dma_fence_cb cb;
	struct delayed_work work;	/* whoever it is that ends the job */
	bool reported;
	bool stuck;			/* has failed, and may be writing */
	unsigned int polls;
	u64 used;			/* when it got its last job */
};

/* Memory for a test, kept back until the device has let go of it. */
struct asdma_test {
	struct mutex lock;		/* all of a test */
	struct page *src;
	struct page *dst;
	dma_addr_t from;
	dma_addr_t to;
	u32 slot;
	bool mapped;
};

/**
 * struct asdma_engine - a GPU
 * @engine: handle of the core, NULL before registration
 * @sdma: the auxiliary device
 * @map: what mapping for the GPU is like
 * @caps: what it can do
 * @id: number in the name
 * @ready: registered, and not yet about to be unregistered
 * @flags: enum asdma_flag, changed under @lock
 * @upsets: how often ASDMA_UNTESTED was set
 * @lock: of this and all that has no other; taken by events, which come with
 *	locks of the provider held, and held around its submit and quiesced
 * @free: batches that are not in use
 * @pending: those with copies that are in no job yet, in the order they came
 * @feed: makes jobs of these
 * @tries: in vain, with no job in flight
 * @nr_flying: slots with a job
 * @used: counts jobs
 * @pairs: for submit
 * @revive: brings the engine back after a reset
 * @revivals: how often that is still to be tried
 * @test: for testing
 * @nr_batches: number of @batches
 * @batches: all of them
 * @nr_slots: number of @slots
 * @slots: all of them
 * @extent_done: migrate_offload_extent_done(); KUnit listens in
 * @batch_quiesced: migrate_offload_batch_quiesced(), likewise
 */
struct asdma_engine {
	struct migrate_offload_engine *engine;
	struct amd_sdma_copy_dev *sdma;
	struct migrate_map_device map;
	struct amd_sdma_copy_caps caps;
	int id;
	bool ready;
	unsigned int flags;
	unsigned int upsets;
	spinlock_t lock;		/* see above */
	struct list_head free;
	struct list_head pending;
	struct delayed_work feed;
	unsigned int tries;
	unsigned int nr_flying;
	u64 used;
	struct amd_sdma_copy_pair *pairs;
	struct delayed_work revive;
	unsigned int revivals;
	struct asdma_test test;
	unsigned int nr_batches;
	struct asdma_batch batches[ASDMA_MAX_BATCHES];
	unsigned int nr_slots;
	struct asdma_slot slots[ASDMA_MAX_SLOTS];
	void (*extent_done)(struct migrate_offload_batch *batch,
			    unsigned int nr, int error);
	void (*batch_quiesced)(struct migrate_offload_batch *batch);
};

extern struct workqueue_struct *asdma_wq;
extern const struct migrate_offload_ops asdma_ops;

int asdma_copy_create(struct asdma_engine *engine);
void asdma_copy_destroy(struct asdma_engine *engine);
void asdma_hold(struct asdma_engine *engine, unsigned int flag);
void asdma_release(struct asdma_engine *engine, unsigned int flags);
bool asdma_tested(struct asdma_engine *engine, unsigned int upsets);
bool asdma_idle(struct asdma_engine *engine);

int asdma_test_create(struct asdma_engine *engine);
void asdma_test_destroy(struct asdma_engine *engine);
int asdma_test(struct asdma_engine *engine);

#endif /* _MIGRATE_ENGINES_AMD_SDMA_H */
