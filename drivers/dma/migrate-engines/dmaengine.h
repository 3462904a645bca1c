/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration engines on DMAengine channels: what its files share
 *
 *	dmaengine.c		devices: providers come and go, engines with them
 *	dmaengine-copy.c	batches: submission, completion, failure
 *	dmaengine-provider.c	which providers may be trusted with what
 */
#ifndef _MIGRATE_ENGINES_DMAENGINE_H
#define _MIGRATE_ENGINES_DMAENGINE_H

#include <linux/dmaengine.h>
#include <linux/list.h>
#include <linux/migrate_offload.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "dma-map.h"

#define MDE_DRIVER	"dmaengine"

/* Extents in a batch, and batches in flight, of one engine. */
#define MDE_MAX_EXTENTS	256
#define MDE_MAX_BATCHES	8

/* Longest copy in one descriptor, where its provider can have it. */
#define MDE_MAX_COPY	SZ_2M

/**
 * enum mde_trust - what a provider can be trusted with
 * @MDE_ERRORS: says in callback_result when a transfer has failed; without it
 *	every copy is compared by the CPU
 * @MDE_ORDERED: completes a channel's descriptors in order, so that not each
 *	of them needs an interrupt
 * @MDE_TERMINATE: when dmaengine_terminate_sync() has returned 0, the hardware
 *	has stopped and no callback comes
 * @MDE_RELEASE: the same for dma_release_channel(): the hardware is reset
 */
enum mde_trust {
	MDE_ERRORS	= BIT(0),
	MDE_ORDERED	= BIT(1),
	MDE_TERMINATE	= BIT(2),
	MDE_RELEASE	= BIT(3),
};

struct mde_desc {
	struct mde_run *run;
	const struct migrate_copy *copy;
	atomic_t flying;		/* the provider's; whoever clears it has it */
	int error;
	bool ended;			/* @error is known */
	bool reported;			/* under job->lock */
};

/* Those of a job that are for one channel. They are reported together. */
struct mde_run {
	struct list_head node;		/* of channel->waiting */
	struct mde_job *job;
	struct mde_channel *channel;
	struct mde_desc *first, *end;
	struct mde_desc *next;		/* for the provider; under channel->lock */
	atomic_t left;			/* not ended */
};

/*
 * A batch on its way. Not in the batch's own memory: when a mapping has been
 * revoked, the batch is over, while the provider still holds descriptors.
 */
struct mde_job {
	struct list_head node;		/* of engine->free, under engine->lock */
	struct mde_engine *engine;
	spinlock_t lock;		/* of batch */
	struct migrate_offload_batch *batch;
	struct migrate_map map;
	struct work_struct finish;
	atomic_t left;			/* descriptors, and the submitter */
	unsigned int nr, nr_runs;
	struct migrate_copy *copies;
	struct mde_desc descs[MDE_MAX_EXTENTS];
	struct mde_run runs[MDE_MAX_EXTENTS];
};

struct mde_channel {
	struct mde_engine *engine;
	struct dma_chan *chan;		/* NULL while released */
	/*
	 * Held around the provider's prep, submit and issue functions, which
	 * take its own locks; callbacks come under these, and do without ours.
	 */
	spinlock_t lock;
	struct list_head waiting;	/* for room, of mde_run */
	unsigned int nr_waiting;	/* descriptors of these */
	unsigned int since_interrupt;
	unsigned int tries;		/* in vain, with nothing in flight */
	bool stopped;
	atomic_t flying;		/* descriptors that the provider has */
	struct delayed_work feed;
};

/**
 * struct mde_engine - the channels of a provider's device
 * @engine: handle of the core
 * @provider: the device; DMA may be another's
 * @map: what mapping for it is like
 * @trust: enum mde_trust of the provider
 * @max_copy: longest copy in one descriptor, in bytes
 * @align: of addresses and lengths, in bytes
 * @early: copies are reported from the callback, before they are unmapped
 * @at_once: there, all the rest is done, too: unmapping is next to nothing
 * @halted: takes no batches
 * @release: releases channels that cannot be stopped in another way
 * @lock: of @free
 * @free: jobs that are not in use
 * @jobs: all of them
 * @nr_channels: number of @channels
 * @channels: those that could be had
 */
struct mde_engine {
	struct migrate_offload_engine *engine;
	struct device *provider;
	struct migrate_map_device map;
	unsigned int trust;
	size_t max_copy;
	size_t align;
	bool early;
	bool at_once;
	bool halted;
	struct work_struct release;
	spinlock_t lock;		/* of free; irq safe, a leaf */
	struct list_head free;
	struct mde_job *jobs[MDE_MAX_BATCHES];
	unsigned int nr_channels;
	struct mde_channel channels[] __counted_by(nr_channels);
};

extern struct workqueue_struct *mde_wq;
extern const struct migrate_offload_ops mde_ops;

int mde_jobs_create(struct mde_engine *engine, int nid);
void mde_jobs_destroy(struct mde_engine *engine);
void mde_channel_init(struct mde_engine *engine, struct mde_channel *channel,
		      struct dma_chan *chan);
int mde_channel_test(struct mde_channel *channel, size_t len);
struct dma_chan *mde_request(struct device *dev);

int mde_trust(const char *name);

#endif /* _MIGRATE_ENGINES_DMAENGINE_H */
