/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration engines on Intel DSA: what its files share
 *
 *	dsa.c		work queues come and go, engines with them
 *	dsa-copy.c	batches: submission, completion, failure
 *	dsa-desc.c	descriptors, limits, completion records
 */
#ifndef _MIGRATE_ENGINES_DSA_H
#define _MIGRATE_ENGINES_DSA_H

#include <linux/list.h>
#include <linux/migrate_offload.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <uapi/linux/idxd.h>

#include "dma-map.h"

struct idxd_desc;
struct idxd_device;
struct idxd_wq;
struct mdsa_device;

#define MDSA_DRIVER	"migrate_offload"

/* Extents in a batch, and batches in flight, of one engine: at most. */
#define MDSA_MAX_EXTENTS	256
#define MDSA_MAX_BATCHES	16

/* Entries of a queue that are used, at most. */
#define MDSA_MAX_ENTRIES	128

/* Queues that an engine uses. */
#define MDSA_MAX_QUEUES		8

/* Entries of the queues that one of our batches can take. */
#define MDSA_MAX_SHOTS		(MDSA_MAX_ENTRIES + MDSA_MAX_QUEUES)

/*
 * DSA's "batch" is a list of descriptors that is submitted with one, and what
 * this driver is given to copy is a batch, too. Here a batch is only the latter;
 * what is submitted to a queue, be it one descriptor or a list, is a shot.
 */

/**
 * struct mdsa_limits - what a work queue takes
 * @max_copy: longest copy in bytes, a multiple of PAGE_SIZE
 * @max_list: descriptors in a list, 1 when it takes no lists
 * @entries: shots in flight, of which one is kept for draining
 */
struct mdsa_limits {
	size_t max_copy;
	unsigned int max_list;
	unsigned int entries;
};

/**
 * struct mdsa_cut - copies that go with one shot
 * @first: the first of them
 * @nr: how many
 * @queue: to which queue
 */
struct mdsa_cut {
	unsigned int first;
	unsigned int nr;
	unsigned int queue;
};

struct mdsa_job;

/* What a queue has, and has not yet reported on. */
struct mdsa_shot {
	struct mdsa_job *job;
	struct mdsa_queue *queue;
	/* Under job->lock: NULL before it is submitted, and when it is over. */
	struct idxd_desc *desc;
	const struct mdsa_cut *cut;		/* of job->cuts */
	bool interrupts;
};

/**
 * struct mdsa_queue - a work queue
 * @md: the device
 * @node: of the device's queues
 * @wq: what idxd has of it
 * @entries: &mdsa_limits.entries
 * @in_use: how many of these are, or idxd has not given them back
 * @drain: a drain that did not come back in time
 * @nr_shots: number of @shots
 * @shots: what is in flight, by the descriptor's number; read under SRCU
 */
struct mdsa_queue {
	struct mdsa_device *md;
	struct list_head node;
	struct idxd_wq *wq;
	unsigned int entries;
	atomic_t in_use;
	struct idxd_desc *drain;
	unsigned int nr_shots;
	struct mdsa_shot *shots[] __counted_by(nr_shots);
};

/*
 * A batch on its way. Not in the batch's own memory: when a mapping has been
 * revoked, the batch is over, and the device still has the descriptors.
 */
struct mdsa_job {
	struct list_head node;		/* of engine->free, under engine->lock */
	struct mdsa_engine *engine;
	spinlock_t lock;		/* of shots and batch */
	struct migrate_offload_batch *batch;
	struct migrate_map map;
	atomic_t left;			/* shots, and the submitter */
	bool polled;
	unsigned int nr_copies;
	unsigned int nr_shots;
	struct migrate_copy *copies;
	/* Lists that the device reads, and records that it writes. */
	struct dsa_hw_desc *list;
	struct dsa_completion_record *records;
	dma_addr_t list_dma;
	dma_addr_t records_dma;
	struct mdsa_cut cuts[MDSA_MAX_SHOTS];
	struct idxd_desc *descs[MDSA_MAX_SHOTS];	/* while it is submitted */
	struct mdsa_shot shots[MDSA_MAX_SHOTS];
};

/**
 * struct mdsa_engine - work queues of a device
 * @engine: handle of the core
 * @idxd: the device
 * @map: what mapping for it is like
 * @limits: the least that all its queues take
 * @halted: takes no batches
 * @cache_control: the device can place destinations in the cache
 * @watch: looks after what nobody polls any more, and no interrupt reports
 * @lock: of @free
 * @free: jobs that are not in use
 * @nr_jobs: number of @jobs
 * @jobs: all of them
 * @nr_queues: number of @queues
 * @queues: in the order of channels
 */
struct mdsa_engine {
	struct migrate_offload_engine *engine;
	struct idxd_device *idxd;
	struct migrate_map_device map;
	struct mdsa_limits limits;
	bool halted;
	bool cache_control;
	struct work_struct watch;
	spinlock_t lock;		/* of free */
	struct list_head free;
	unsigned int nr_jobs;
	struct mdsa_job *jobs[MDSA_MAX_BATCHES];
	unsigned int nr_queues;
	struct mdsa_queue *queues[MDSA_MAX_QUEUES];
};

/* dsa-copy.c */
extern struct workqueue_struct *mdsa_wq;
extern const struct migrate_offload_ops mdsa_ops;

int mdsa_jobs_create(struct mdsa_engine *engine, unsigned int nr);
void mdsa_jobs_destroy(struct mdsa_engine *engine);
int mdsa_queue_test(struct mdsa_engine *engine, struct mdsa_queue *queue);
void mdsa_desc_complete(struct idxd_desc *desc, struct mdsa_queue *queue);

/* dsa-desc.c */
void mdsa_limits_min(struct mdsa_limits *limits, const struct mdsa_limits *more);
void mdsa_limits_engine(const struct mdsa_limits *limits, bool merged,
			struct migrate_offload_engine_info *info);
unsigned int mdsa_cut_copies(struct migrate_copy *copies, unsigned int nr,
			     unsigned int nr_queues, unsigned int max_list,
			     struct mdsa_cut *cuts, unsigned int max_cuts);
void mdsa_fill_copy(struct dsa_hw_desc *hw, const struct migrate_copy *copy,
		    dma_addr_t record, u32 flags);
void mdsa_fill_list(struct dsa_hw_desc *hw, dma_addr_t list, unsigned int nr,
		    dma_addr_t record, u32 flags);
int mdsa_status_error(u8 status);
size_t mdsa_copied(const struct dsa_completion_record *record, size_t len);

#endif /* _MIGRATE_ENGINES_DSA_H */
