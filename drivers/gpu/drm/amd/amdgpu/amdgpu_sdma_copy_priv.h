/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Inside of amdgpu_sdma_copy.c, for it and its tests
 */
#ifndef __AMDGPU_SDMA_COPY_PRIV_H__
#define __AMDGPU_SDMA_COPY_PRIV_H__

#include <linux/amd_sdma_copy_aux.h>
#include <linux/amd_sdma_packets.h>
#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

#include "amdgpu_sdma_copy.h"

struct amdgpu_bo;
struct amdgpu_buffer_funcs;
struct amdgpu_device;
struct amdgpu_job;
struct amdgpu_ring;

/* The IBs of a slot, at these offsets in bytes. The SDMA wants 32. */
#define SDMA_COPY_PROBE_DW	8
#define SDMA_COPY_IB_PROBE	0
#define SDMA_COPY_IB_COPY	SZ_256
#define SDMA_COPY_IB_MAP	SZ_512
#define SDMA_COPY_IB_SIZE \
	(SDMA_COPY_IB_MAP + \
	 sizeof(u32) * (AMD_SDMA_MAP_PTES_DW + \
			4 * AMDGPU_SDMA_COPY_PAGES * AMD_SDMA_PTES_PER_PAGE))

/* Jobs that are ready for a slot: for this copy, the next, and a failure */
#define SDMA_COPY_STOCK		5

/**
 * enum sdma_copy_state - state of a slot
 * @SDMA_COPY_OFF: not set up
 * @SDMA_COPY_IDLE: no job is in flight
 * @SDMA_COPY_BUSY: a copy is
 * @SDMA_COPY_FAILED: the last job failed, and may still be running
 * @SDMA_COPY_PROBING: a job that does nothing is in flight, to find that out
 */
enum sdma_copy_state {
	SDMA_COPY_OFF,
	SDMA_COPY_IDLE,
	SDMA_COPY_BUSY,
	SDMA_COPY_FAILED,
	SDMA_COPY_PROBING,
};

/**
 * enum sdma_copy_flags - why jobs cannot be submitted
 * @SDMA_COPY_CLOSED: nobody opened the device
 * @SDMA_COPY_SUSPENDED: the GPU is, or is about to be
 * @SDMA_COPY_RESETTING: it is being reset
 * @SDMA_COPY_BROKEN: the last reset failed
 * @SDMA_COPY_STOPPED: amdgpu is about to leave the GPU
 * @SDMA_COPY_HALTED: the SDMA was stopped, nothing runs any more
 */
enum sdma_copy_flags {
	SDMA_COPY_CLOSED,
	SDMA_COPY_SUSPENDED,
	SDMA_COPY_RESETTING,
	SDMA_COPY_BROKEN,
	SDMA_COPY_STOPPED,
	SDMA_COPY_HALTED,
};

/**
 * struct amdgpu_sdma_copy_slot - a slot
 * @sc: what it belongs to
 * @ring: the ring it uses
 * @entity: its own scheduler entity
 * @windows: its windows
 * @bo: memory of its IBs
 * @ib: where the CPU sees it
 * @ib_addr: where the GPU does
 * @lock: held when jobs are submitted, and to change @jobs. Not from
 *	interrupts, as the scheduler's locks nest in it.
 * @state: set under @lock, and, at the end of a job, by the fence's callback
 * @fence: of the last job; set under @lock, read under RCU
 * @cb: callback on @fence
 * @jobs: ready to be submitted
 * @nr_jobs: number of them
 * @failed_probes: in a row
 * @work: finds out whether jobs that failed have ended; does not allocate, as
 *	long as there is one in stock
 * @stock: makes jobs
 */
struct amdgpu_sdma_copy_slot {
	struct amdgpu_sdma_copy *sc;
	struct amdgpu_ring *ring;
	struct drm_sched_entity entity;
	struct amd_sdma_windows windows;
	struct amdgpu_bo *bo;
	u32 *ib;
	u64 ib_addr;
	spinlock_t lock;	/* submission; @jobs */
	enum sdma_copy_state state;
	struct dma_fence __rcu *fence;
	struct dma_fence_cb cb;
	struct amdgpu_job *jobs[SDMA_COPY_STOCK];
	unsigned int nr_jobs;
	unsigned int failed_probes;
	struct delayed_work work;
	struct delayed_work stock;
};

/**
 * struct amdgpu_sdma_copy - what is behind an auxiliary device
 * @dev: the auxiliary device
 * @adev: the GPU
 * @format: what packets look like
 * @pd_addr: what the TLB is flushed with
 * @rings: the rings to use
 * @nr_rings: number of them
 * @flags: bits of &enum sdma_copy_flags; no job is submitted while there is one
 * @event_lock: of @drv; one event at a time. Taken while the GPU is reset.
 * @drv: the auxiliary driver, from open() to close()
 * @wait: to wait for slots
 * @wq: for what memory reclaim can wait for
 * @slots: the slots
 */
struct amdgpu_sdma_copy {
	struct amd_sdma_copy_dev dev;
	struct amdgpu_device *adev;
	struct amd_sdma_format format;
	u64 pd_addr;
	struct amdgpu_ring *rings[AMDGPU_SDMA_COPY_SLOTS];
	unsigned int nr_rings;
	unsigned long flags;
	struct mutex event_lock;	/* @drv; one event at a time */
	struct amd_sdma_copy_drv *drv;
	wait_queue_head_t wait;
	struct workqueue_struct *wq;
	struct amdgpu_sdma_copy_slot slots[AMDGPU_SDMA_COPY_SLOTS];
};

static inline struct amdgpu_sdma_copy *
to_sdma_copy(struct amd_sdma_copy_dev *dev)
{
	return container_of(dev, struct amdgpu_sdma_copy, dev);
}

/* The windows of a slot. @table: GPU address of the page table of GART */
static inline void amdgpu_sdma_copy_windows(unsigned int slot, u64 gart_start,
					    u64 table, u64 pte_flags,
					    struct amd_sdma_windows *windows)
{
	u64 src = AMDGPU_SDMA_COPY_GART_START +
		  2 * slot * AMDGPU_SDMA_COPY_PAGES;
	u64 dst = src + AMDGPU_SDMA_COPY_PAGES;
	u64 ptes = AMD_SDMA_PTES_PER_PAGE * sizeof(u64);

	*windows = (struct amd_sdma_windows) {
		.src = gart_start + src * PAGE_SIZE,
		.dst = gart_start + dst * PAGE_SIZE,
		.src_table = table + src * ptes,
		.dst_table = table + dst * ptes,
		.pte_flags = pte_flags,
	};
}

bool amdgpu_sdma_copy_same_packets(const struct amdgpu_buffer_funcs *funcs,
				   const struct amd_sdma_format *format);
struct amdgpu_sdma_copy *amdgpu_sdma_copy_create(struct amdgpu_device *adev);

#endif
