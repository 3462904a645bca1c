// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Copies of system memory for other drivers
 *
 * An auxiliary device, with slots that other drivers can submit copies to, see
 * include/linux/amd_sdma_copy_aux.h. A slot has a scheduler entity, two windows
 * in GART and the memory of its IBs to itself; nothing is shared with TTM but
 * the rings. It takes one copy at a time, as two jobs: the first lets the SDMA
 * write page table entries, the second flushes the TLB and copies from window
 * to window. That is how TTM and KFD do it.
 *
 * Copies are submitted from memory reclaim, but making a job allocates. So jobs
 * are made in advance, by a work, and a slot without jobs is busy.
 *
 * A job that ended with an error may still be running: a GPU reset gives errors
 * to all jobs of a ring, even if the reset then turns out not to be needed, and
 * RAS gives them before it. But a ring executes in order, and a fence that is
 * signalled without an error was written by the SDMA. So after an error the
 * slot gets a new entity, as the error sticks to the old one, and a job that
 * does nothing. When that is through, so are all before it.
 */
#include <linux/auxiliary_bus.h>
#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <kunit/static_stub.h>

#include <drm/drm_drv.h>
#include <drm/gpu_scheduler.h>

#include "amdgpu.h"
#include "amdgpu_sdma_copy.h"
#include "amdgpu_sdma_copy_priv.h"

/* GART has 512 MiB or more, unless the administrator says otherwise. */
#define SDMA_COPY_MIN_GART	SZ_256M

/* Failed attempts in a row to see a ring make progress, before we give up */
#define SDMA_COPY_MAX_PROBES	3

/* Patience with copies in flight before the SDMA is stopped */
#define SDMA_COPY_PATIENCE	(2 * HZ)

static_assert(AMD_SDMA_PTE_VALID == AMDGPU_PTE_VALID);
static_assert(AMD_SDMA_PTE_SYSTEM == AMDGPU_PTE_SYSTEM);
static_assert(AMD_SDMA_PTE_SNOOPED == AMDGPU_PTE_SNOOPED);
static_assert(AMD_SDMA_PTE_READABLE == AMDGPU_PTE_READABLE);
static_assert(AMD_SDMA_PTE_WRITEABLE == AMDGPU_PTE_WRITEABLE);
static_assert(AMD_SDMA_GPU_PAGE_SHIFT == AMDGPU_GPU_PAGE_SHIFT);

/*
 * -- What can run now, and what cannot
 */

static int sdma_copy_may_run(struct amdgpu_sdma_copy *sc)
{
	if (test_bit(SDMA_COPY_STOPPED, &sc->flags) ||
	    drm_dev_is_unplugged(adev_to_drm(sc->adev)))
		return -ENODEV;
	return READ_ONCE(sc->flags) ? -EAGAIN : 0;
}

/* Keep the GPU awake, if it is. */
static int sdma_copy_pm_get(struct amdgpu_sdma_copy *sc)
{
	int r = pm_runtime_get_if_active(sc->adev->dev);

	return r > 0 || !IS_ENABLED(CONFIG_PM) ? 0 : -EAGAIN;
}

static void sdma_copy_pm_put(struct amdgpu_sdma_copy *sc)
{
	pm_runtime_mark_last_busy(sc->adev->dev);
	pm_runtime_put_autosuspend(sc->adev->dev);
}

/*
 * Whoever sees a slot idle, sees all that the callback of its fence did and may
 * use the slot; and whoever sees it busy sees its fence, not the one before.
 */
static enum sdma_copy_state sdma_copy_state(struct amdgpu_sdma_copy_slot *slot)
{
	/* Pairs with sdma_copy_set_state(). */
	return smp_load_acquire(&slot->state);
}

static void sdma_copy_set_state(struct amdgpu_sdma_copy_slot *slot,
				enum sdma_copy_state state)
{
	/* Pairs with sdma_copy_state(). */
	smp_store_release(&slot->state, state);
}

static bool sdma_copy_is_in_flight(struct amdgpu_sdma_copy_slot *slot)
{
	enum sdma_copy_state state = sdma_copy_state(slot);

	return state == SDMA_COPY_BUSY || state == SDMA_COPY_PROBING;
}

static bool sdma_copy_none_in_flight(struct amdgpu_sdma_copy *sc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sc->slots); i++)
		if (sdma_copy_is_in_flight(&sc->slots[i]))
			return false;
	return true;
}

/* After this, whoever looks at the flags under a slot's lock sees @flag. */
static void sdma_copy_shut(struct amdgpu_sdma_copy *sc, unsigned int flag)
{
	unsigned int i;

	set_bit(flag, &sc->flags);
	for (i = 0; i < ARRAY_SIZE(sc->slots); i++) {
		spin_lock(&sc->slots[i].lock);
		spin_unlock(&sc->slots[i].lock);
	}
}

static void sdma_copy_event(struct amdgpu_sdma_copy *sc,
			    enum amd_sdma_copy_event event)
{
	mutex_lock(&sc->event_lock);
	if (sc->drv && sc->drv->event)
		sc->drv->event(&sc->dev, event);
	mutex_unlock(&sc->event_lock);
}

/*
 * -- Jobs
 */

/* Fences' callback, from hard interrupts, too: all jobs of a slot are done. */
static void sdma_copy_done(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct amdgpu_sdma_copy_slot *slot =
		container_of(cb, struct amdgpu_sdma_copy_slot, cb);
	struct amdgpu_sdma_copy *sc = slot->sc;
	enum sdma_copy_state state = SDMA_COPY_IDLE;
	unsigned long delay = 0;

	if (!fence->error) {
		slot->failed_probes = 0;
	} else {
		if (slot->state == SDMA_COPY_PROBING) {
			slot->failed_probes++;
			delay = HZ;
		}
		state = SDMA_COPY_FAILED;
	}
	sdma_copy_pm_put(sc);
	/* Another job can come from here on, with the same callback. */
	sdma_copy_set_state(slot, state);
	wake_up_all(&sc->wait);
	if (state == SDMA_COPY_FAILED)
		mod_delayed_work(sc->wq, &slot->work, delay);
	mod_delayed_work(system_unbound_wq, &slot->stock, 0);
}

static struct amdgpu_job *sdma_copy_alloc_job(struct amdgpu_sdma_copy_slot *slot)
{
	struct amdgpu_job *job = NULL;

	if (amdgpu_job_alloc(slot->sc->adev, NULL, &slot->entity,
			     AMDGPU_FENCE_OWNER_UNDEFINED, 1, &job,
			     AMDGPU_KERNEL_JOB_ID_SDMA_COPY)) {
		kfree(job);
		return NULL;
	}
	return job;
}

/* @offset: of the IB in the slot's memory; @dw: its length, so far */
static void sdma_copy_set_ib(struct amdgpu_sdma_copy_slot *slot,
			     struct amdgpu_job *job, u32 offset, u32 dw)
{
	struct amdgpu_ib *ib = &job->ibs[0];

	ib->ptr = slot->ib + offset / sizeof(u32);
	ib->gpu_addr = slot->ib_addr + offset;
	ib->length_dw = dw;
	/* As amdgpu_ib_get() has it. */
	ib->flags = AMDGPU_IB_FLAG_EMIT_MEM_SYNC;
	job->num_ibs = 1;
	/* VRAM can have been lost since the job was made. */
	job->generation = amdgpu_vm_generation(slot->sc->adev, NULL);
	amdgpu_ring_pad_ib(slot->ring, ib);
}

/*
 * Submit the last job of what makes up @state. Under the slot's lock, with a
 * reference on the GPU's runtime PM, which sdma_copy_done() puts.
 */
static struct dma_fence *sdma_copy_push(struct amdgpu_sdma_copy_slot *slot,
					enum sdma_copy_state state,
					struct amdgpu_job *job)
{
	struct dma_fence *fence, *old;

	lockdep_assert_held(&slot->lock);
	old = rcu_replace_pointer(slot->fence, NULL,
				  lockdep_is_held(&slot->lock));
	sdma_copy_set_state(slot, state);
	fence = amdgpu_job_submit(job);
	rcu_assign_pointer(slot->fence, fence);
	if (dma_fence_add_callback(fence, &slot->cb, sdma_copy_done))
		sdma_copy_done(fence, &slot->cb);
	dma_fence_put(old);
	return fence;
}

/* Only the slot's work for it does this, and open() before there is one. */
static int sdma_copy_stock(struct amdgpu_sdma_copy_slot *slot)
{
	while (READ_ONCE(slot->nr_jobs) < ARRAY_SIZE(slot->jobs)) {
		struct amdgpu_job *job = sdma_copy_alloc_job(slot);

		if (!job)
			return -ENOMEM;
		spin_lock(&slot->lock);
		slot->jobs[slot->nr_jobs++] = job;
		spin_unlock(&slot->lock);
	}
	return 0;
}

/* Make the slot's jobs of tomorrow. */
static void sdma_copy_stock_work(struct work_struct *work)
{
	struct amdgpu_sdma_copy_slot *slot =
		container_of(to_delayed_work(work),
			     struct amdgpu_sdma_copy_slot, stock);

	if (sdma_copy_stock(slot))
		queue_delayed_work(system_unbound_wq, &slot->stock, HZ);
}

/* Memory is waiting for what this is for: so there is one in the stock. */
static struct amdgpu_job *sdma_copy_get_job(struct amdgpu_sdma_copy_slot *slot)
{
	struct amdgpu_job *job = NULL;

	spin_lock(&slot->lock);
	if (slot->nr_jobs)
		job = slot->jobs[--slot->nr_jobs];
	spin_unlock(&slot->lock);
	return job ?: sdma_copy_alloc_job(slot);
}

static int sdma_copy_init_entity(struct amdgpu_sdma_copy_slot *slot)
{
	struct drm_gpu_scheduler *sched = &slot->ring->sched;

	/*
	 * As TTM's moves: whoever waits for us has tasks waiting for it, and
	 * the jobs are short.
	 */
	return drm_sched_entity_init(&slot->entity, DRM_SCHED_PRIORITY_KERNEL,
				     &sched, 1, NULL);
}

/*
 * Has the ring got past the jobs that failed? The work is the only one to touch
 * the entity of a slot that failed.
 */
static int sdma_copy_probe(struct amdgpu_sdma_copy_slot *slot)
{
	struct amdgpu_sdma_copy *sc = slot->sc;
	struct amdgpu_job *job;
	int r;

	/* It may be about to be active. */
	r = sdma_copy_pm_get(sc);
	if (r)
		return r;
	drm_sched_entity_destroy(&slot->entity);
	r = sdma_copy_init_entity(slot);
	if (r)
		goto put;
	job = sdma_copy_get_job(slot);
	if (!job) {
		r = -ENOMEM;
		goto put;
	}
	spin_lock(&slot->lock);
	if (sdma_copy_may_run(sc)) {
		spin_unlock(&slot->lock);
		amdgpu_job_free(job);
		goto put;
	}
	/* The GPU may still be reading the other IBs. */
	sdma_copy_set_ib(slot, job, SDMA_COPY_IB_PROBE, SDMA_COPY_PROBE_DW);
	sdma_copy_push(slot, SDMA_COPY_PROBING, job);
	spin_unlock(&slot->lock);
	return 0;

put:
	sdma_copy_pm_put(sc);
	return r;
}

static void sdma_copy_work(struct work_struct *work)
{
	struct amdgpu_sdma_copy_slot *slot =
		container_of(to_delayed_work(work),
			     struct amdgpu_sdma_copy_slot, work);

	if (sdma_copy_state(slot) == SDMA_COPY_FAILED &&
	    slot->failed_probes < SDMA_COPY_MAX_PROBES &&
	    !sdma_copy_may_run(slot->sc) && sdma_copy_probe(slot))
		queue_delayed_work(slot->sc->wq, &slot->work, HZ);
}

/*
 * -- Operations
 */

static int sdma_copy_submit(struct amd_sdma_copy_dev *dev, u32 nr_slot,
			    const struct amd_sdma_copy_pair *pairs, u32 nr,
			    struct dma_fence **fence)
{
	struct amdgpu_sdma_copy *sc = to_sdma_copy(dev);
	struct amdgpu_sdma_copy_slot *slot;
	struct amdgpu_job *map, *copy;
	int r, pages;
	u32 dw;

	if (nr_slot >= ARRAY_SIZE(sc->slots))
		return -EINVAL;
	slot = &sc->slots[nr_slot];
	pages = amd_sdma_count_pages(pairs, nr, AMDGPU_SDMA_COPY_PAGES);
	if (pages < 0)
		return pages;
	r = sdma_copy_may_run(sc) ?: sdma_copy_pm_get(sc);
	if (r)
		return r;

	spin_lock(&slot->lock);
	r = sdma_copy_may_run(sc);
	/* One stays, for when this fails. */
	if (!r && (sdma_copy_state(slot) != SDMA_COPY_IDLE ||
		   slot->nr_jobs < 3))
		r = -EBUSY;
	if (r) {
		spin_unlock(&slot->lock);
		sdma_copy_pm_put(sc);
		return r;
	}
	map = slot->jobs[--slot->nr_jobs];
	copy = slot->jobs[--slot->nr_jobs];

	dw = amd_sdma_build_map(slot->ib + SDMA_COPY_IB_MAP / sizeof(u32),
				slot->ib_addr + SDMA_COPY_IB_MAP, &sc->format,
				&slot->windows, pairs, nr, pages);
	sdma_copy_set_ib(slot, map, SDMA_COPY_IB_MAP, dw);
	dw = amd_sdma_build_copy(slot->ib + SDMA_COPY_IB_COPY / sizeof(u32),
				 &sc->format, &slot->windows, pages);
	sdma_copy_set_ib(slot, copy, SDMA_COPY_IB_COPY, dw);
	copy->vm_pd_addr = sc->pd_addr;
	copy->vm_needs_flush = true;

	/*
	 * Both under the lock, so that reset_pre() comes before both or after
	 * both, and no copy runs with what a reset made of the page table.
	 */
	dma_fence_put(amdgpu_job_submit(map));
	*fence = dma_fence_get(sdma_copy_push(slot, SDMA_COPY_BUSY, copy));
	spin_unlock(&slot->lock);
	return 0;
}

static bool sdma_copy_slot_quiesced(struct amdgpu_sdma_copy_slot *slot)
{
	struct dma_fence *fence;
	bool good = false;

	if (test_bit(SDMA_COPY_HALTED, &slot->sc->flags))
		return true;
	switch (sdma_copy_state(slot)) {
	case SDMA_COPY_OFF:
	case SDMA_COPY_IDLE:
		return true;
	case SDMA_COPY_BUSY:
		/* Others can know of the fence before our callback. */
		rcu_read_lock();
		fence = rcu_dereference(slot->fence);
		if (fence && test_bit_acquire(DMA_FENCE_FLAG_SIGNALED_BIT,
					      &fence->flags))
			good = !fence->error;
		rcu_read_unlock();
		return good;
	default:
		return false;
	}
}

static bool sdma_copy_quiesced(struct amd_sdma_copy_dev *dev, u32 slot)
{
	struct amdgpu_sdma_copy *sc = to_sdma_copy(dev);

	return slot < ARRAY_SIZE(sc->slots) &&
	       sdma_copy_slot_quiesced(&sc->slots[slot]);
}

static bool sdma_copy_all_quiesced(struct amdgpu_sdma_copy *sc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sc->slots); i++)
		if (!sdma_copy_slot_quiesced(&sc->slots[i]))
			return false;
	return true;
}

static int sdma_copy_alloc_ib(struct amdgpu_sdma_copy_slot *slot)
{
	KUNIT_STATIC_STUB_REDIRECT(sdma_copy_alloc_ib, slot);
	return amdgpu_bo_create_kernel(slot->sc->adev, SDMA_COPY_IB_SIZE,
				       PAGE_SIZE, AMDGPU_GEM_DOMAIN_GTT,
				       &slot->bo, &slot->ib_addr,
				       (void **)&slot->ib);
}

static void sdma_copy_free_ib(struct amdgpu_sdma_copy_slot *slot)
{
	KUNIT_STATIC_STUB_REDIRECT(sdma_copy_free_ib, slot);
	amdgpu_bo_free_kernel(&slot->bo, &slot->ib_addr, (void **)&slot->ib);
}

/* GPU address of the page table of GART, and what the TLB is flushed with. */
static void sdma_copy_find_table(struct amdgpu_sdma_copy *sc, u64 *table)
{
	struct amdgpu_device *adev = sc->adev;

	KUNIT_STATIC_STUB_REDIRECT(sdma_copy_find_table, sc, table);
	/* The buffers are pinned, so they stay where they are. */
	*table = amdgpu_bo_gpu_offset(adev->gart.bo);
	sc->pd_addr = amdgpu_gmc_pd_addr(adev->gmc.pdb0_bo ?: adev->gart.bo);
}

static void sdma_copy_fini_slot(struct amdgpu_sdma_copy_slot *slot)
{
	struct dma_fence *fence;

	cancel_delayed_work_sync(&slot->work);
	fence = rcu_dereference_protected(slot->fence, true);
	/* This waits for the callback, too, if it is about to return. */
	if (fence && dma_fence_remove_callback(fence, &slot->cb))
		sdma_copy_pm_put(slot->sc);
	cancel_delayed_work_sync(&slot->work);
	cancel_delayed_work_sync(&slot->stock);
	slot->state = SDMA_COPY_OFF;

	drm_sched_entity_fini(&slot->entity);
	while (slot->nr_jobs)
		amdgpu_job_free(slot->jobs[--slot->nr_jobs]);
	sdma_copy_free_ib(slot);
	RCU_INIT_POINTER(slot->fence, NULL);
	dma_fence_put(fence);
}

static int sdma_copy_init_slot(struct amdgpu_sdma_copy_slot *slot, u64 table)
{
	struct amdgpu_sdma_copy *sc = slot->sc;
	int r;

	amdgpu_sdma_copy_windows(slot - sc->slots, sc->adev->gmc.gart_start,
				 table, sc->adev->gart.gart_pte_flags,
				 &slot->windows);
	r = sdma_copy_alloc_ib(slot);
	if (r)
		return r;
	memset(slot->ib, 0, SDMA_COPY_IB_SIZE);
	r = sdma_copy_init_entity(slot);
	if (r) {
		sdma_copy_free_ib(slot);
		return r;
	}
	slot->failed_probes = 0;
	r = sdma_copy_stock(slot);
	if (r)
		sdma_copy_fini_slot(slot);
	else
		sdma_copy_set_state(slot, SDMA_COPY_IDLE);
	return r;
}

static void sdma_copy_detach(struct amdgpu_sdma_copy *sc)
{
	mutex_lock(&sc->event_lock);
	sc->drv = NULL;
	mutex_unlock(&sc->event_lock);
}

static int sdma_copy_open(struct amd_sdma_copy_dev *dev,
			  struct amd_sdma_copy_caps *caps)
{
	struct amdgpu_sdma_copy *sc = to_sdma_copy(dev);
	struct amdgpu_device *adev = sc->adev;
	unsigned int i;
	u64 table;
	int r = 0;

	mutex_lock(&sc->event_lock);
	if (test_bit(SDMA_COPY_STOPPED, &sc->flags))
		r = -ENODEV;
	else if (sc->drv)
		r = -EBUSY;
	else
		sc->drv = to_amd_sdma_copy_drv(dev->adev.dev.driver);
	mutex_unlock(&sc->event_lock);
	if (r)
		return r;

	/* To make a buffer known in GART flushes its TLB. */
	r = pm_runtime_resume_and_get(adev->dev);
	if (r < 0)
		goto detach;
	sdma_copy_find_table(sc, &table);
	for (i = 0; i < ARRAY_SIZE(sc->slots); i++) {
		r = sdma_copy_init_slot(&sc->slots[i], table);
		if (r)
			goto fini;
	}
	/* From here on there are works, and must be slots for them. */
	smp_mb__before_atomic();
	clear_bit(SDMA_COPY_CLOSED, &sc->flags);
	sdma_copy_pm_put(sc);

	*caps = (struct amd_sdma_copy_caps) {
		.nr_slots = ARRAY_SIZE(sc->slots),
		.nr_engines = sc->nr_rings,
		.max_pages = AMDGPU_SDMA_COPY_PAGES,
		.numa_node = dev_to_node(adev->dev),
		.sdma_version = amdgpu_ip_version(adev, SDMA0_HWIP, 0) >> 8,
	};
	return 0;

fini:
	while (i--)
		sdma_copy_fini_slot(&sc->slots[i]);
	sdma_copy_pm_put(sc);
detach:
	sdma_copy_detach(sc);
	return r;
}

static void sdma_copy_close(struct amd_sdma_copy_dev *dev)
{
	struct amdgpu_sdma_copy *sc = to_sdma_copy(dev);
	unsigned int i;

	/* To wake it up gives slots that have failed another chance. */
	pm_runtime_get_sync(sc->adev->dev);
	wait_event(sc->wait, sdma_copy_all_quiesced(sc));
	sdma_copy_shut(sc, SDMA_COPY_CLOSED);
	sdma_copy_detach(sc);
	/* Callbacks of earlier jobs may not have returned, interrupts off. */
	synchronize_rcu();
	for (i = 0; i < ARRAY_SIZE(sc->slots); i++)
		sdma_copy_fini_slot(&sc->slots[i]);
	sdma_copy_pm_put(sc);
}

static const struct amd_sdma_copy_ops sdma_copy_ops = {
	.open = sdma_copy_open,
	.close = sdma_copy_close,
	.submit = sdma_copy_submit,
	.quiesced = sdma_copy_quiesced,
};

/*
 * -- What happens to the GPU
 */

static void sdma_copy_kick(struct amdgpu_sdma_copy *sc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sc->slots); i++) {
		struct amdgpu_sdma_copy_slot *slot = &sc->slots[i];

		/* Under the lock, as close() shuts the work out with it. */
		spin_lock(&slot->lock);
		/* A ring that was given up is another one after a reset. */
		slot->failed_probes = 0;
		if (!test_bit(SDMA_COPY_CLOSED, &sc->flags)) {
			mod_delayed_work(sc->wq, &slot->work, 0);
			mod_delayed_work(system_unbound_wq, &slot->stock, 0);
		}
		spin_unlock(&slot->lock);
	}
}

/**
 * amdgpu_sdma_copy_suspend - the SDMA is about to be suspended
 *
 * @adev: amdgpu_device pointer
 *
 * Waits for what is in flight, for a while.
 */
void amdgpu_sdma_copy_suspend(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;

	if (!sc)
		return;
	sdma_copy_shut(sc, SDMA_COPY_SUSPENDED);
	sdma_copy_event(sc, AMD_SDMA_COPY_SUSPEND);
	wait_event_timeout(sc->wait, sdma_copy_none_in_flight(sc),
			   SDMA_COPY_PATIENCE);
}

/**
 * amdgpu_sdma_copy_resume - the SDMA works again
 *
 * @adev: amdgpu_device pointer
 */
void amdgpu_sdma_copy_resume(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;

	if (!sc)
		return;
	clear_bit(SDMA_COPY_SUSPENDED, &sc->flags);
	sdma_copy_event(sc, AMD_SDMA_COPY_RESUME);
	sdma_copy_kick(sc);
}

/**
 * amdgpu_sdma_copy_reset_pre - the GPU is about to be reset
 *
 * @adev: amdgpu_device pointer
 *
 * Called when the schedulers have been stopped. Copies that wait in a scheduler
 * are cancelled: their page table entries may have been written already, and
 * not survive.
 */
void amdgpu_sdma_copy_reset_pre(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;
	unsigned int i;

	if (!sc)
		return;
	sdma_copy_shut(sc, SDMA_COPY_RESETTING);
	for (i = 0; i < ARRAY_SIZE(sc->slots); i++) {
		struct amdgpu_sdma_copy_slot *slot = &sc->slots[i];
		struct dma_fence *fence;
		unsigned long flags;

		spin_lock(&slot->lock);
		fence = rcu_dereference_protected(slot->fence,
						  lockdep_is_held(&slot->lock));
		if (fence) {
			spin_lock_irqsave(fence->lock, flags);
			if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT,
				      &fence->flags) && !fence->error)
				dma_fence_set_error(fence, -ECANCELED);
			spin_unlock_irqrestore(fence->lock, flags);
		}
		spin_unlock(&slot->lock);
	}
	sdma_copy_event(sc, AMD_SDMA_COPY_RESET_PRE);
}

/**
 * amdgpu_sdma_copy_reset_done - the GPU was reset
 *
 * @adev: amdgpu_device pointer
 * @good: whether it works again
 *
 * Called when the schedulers have been started again, if they are to be.
 */
void amdgpu_sdma_copy_reset_done(struct amdgpu_device *adev, bool good)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;

	if (!sc)
		return;
	if (!good) {
		set_bit(SDMA_COPY_BROKEN, &sc->flags);
		clear_bit(SDMA_COPY_RESETTING, &sc->flags);
		sdma_copy_event(sc, AMD_SDMA_COPY_RESET_FAILED);
		return;
	}
	clear_bit(SDMA_COPY_BROKEN, &sc->flags);
	clear_bit(SDMA_COPY_RESETTING, &sc->flags);
	sdma_copy_event(sc, AMD_SDMA_COPY_RESET_DONE);
	sdma_copy_kick(sc);
}

/**
 * amdgpu_sdma_copy_stop - the SDMA is about to be stopped for good
 *
 * @adev: amdgpu_device pointer
 */
void amdgpu_sdma_copy_stop(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;

	if (!sc)
		return;
	sdma_copy_shut(sc, SDMA_COPY_STOPPED);
	sdma_copy_event(sc, AMD_SDMA_COPY_STOP);
	if (!pci_dev_is_disconnected(adev->pdev))
		wait_event_timeout(sc->wait, sdma_copy_none_in_flight(sc),
				   SDMA_COPY_PATIENCE);
}

/* Whatever the SDMA does, it does not reach memory after this. */
static void sdma_copy_cut_off(struct amdgpu_sdma_copy *sc)
{
	KUNIT_STATIC_STUB_REDIRECT(sdma_copy_cut_off, sc);
	dev_warn(sc->adev->dev, "copies in flight, bus mastering off\n");
	pci_clear_master(sc->adev->pdev);
	pci_wait_for_pending_transaction(sc->adev->pdev);
}

/**
 * amdgpu_sdma_copy_fini - take the auxiliary device away
 *
 * @adev: amdgpu_device pointer
 *
 * Called when the SDMA was stopped; and all fences are signalled, so what has
 * not ended without an error never will. That could have been a hang, which a
 * SDMA that was told to stop may not notice: the bus is certain.
 */
void amdgpu_sdma_copy_fini(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;

	if (!sc)
		return;
	if (!sdma_copy_all_quiesced(sc))
		sdma_copy_cut_off(sc);
	set_bit(SDMA_COPY_HALTED, &sc->flags);
	wake_up_all(&sc->wait);

	auxiliary_device_delete(&sc->dev.adev);
}

/**
 * amdgpu_sdma_copy_free - nobody resets the GPU any more
 *
 * @adev: amdgpu_device pointer
 *
 * Frees what amdgpu_sdma_copy_fini() has left for who does.
 */
void amdgpu_sdma_copy_free(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc = adev->sdma_copy;

	if (!sc)
		return;
	adev->sdma_copy = NULL;
	auxiliary_device_uninit(&sc->dev.adev);
}

/*
 * -- Making the device
 */

/**
 * amdgpu_sdma_copy_gart_pages - how much of GART is to be set aside
 *
 * @adev: amdgpu_device pointer
 *
 * Known as soon as the size of GART is.
 *
 * Return: number of pages, of PAGE_SIZE; 0 when this GPU cannot have the device
 */
u64 amdgpu_sdma_copy_gart_pages(struct amdgpu_device *adev)
{
	struct amd_sdma_format format;
	u32 version = amdgpu_ip_version(adev, SDMA0_HWIP, 0);

	if (amdgpu_sriov_vf(adev) || !adev->mman.buffer_funcs ||
	    adev->gmc.gart_size < SDMA_COPY_MIN_GART ||
	    !amd_sdma_format(IP_VERSION_MAJ(version), &format) ||
	    !amdgpu_sdma_copy_same_packets(adev->mman.buffer_funcs, &format))
		return 0;
	return AMDGPU_SDMA_COPY_GART_PAGES;
}

/**
 * amdgpu_sdma_copy_same_packets - do we emit what the rest of amdgpu does?
 *
 * @funcs: what emits packets for TTM
 * @format: what our packets look like
 *
 * Return: whether it is the same, and as much can be copied at once.
 */
bool amdgpu_sdma_copy_same_packets(const struct amdgpu_buffer_funcs *funcs,
				   const struct amd_sdma_format *format)
{
	const u64 src = 0x0000123456789000ull, dst = 0xffff876543210000ull;
	const u32 sizes[] = { PAGE_SIZE, format->max_bytes };
	unsigned int i;

	if (funcs->copy_num_dw != format->copy_dw ||
	    funcs->copy_max_bytes < format->max_bytes)
		return false;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 ours[AMD_SDMA_COPY_MAX_DW], theirs[AMD_SDMA_COPY_MAX_DW];
		struct amdgpu_ib ib = { .ptr = theirs };
		u32 *end;

		funcs->emit_copy_buffer(&ib, src, dst, sizes[i], 0);
		end = amd_sdma_put_copy(ours, format, src, dst, sizes[i]);
		if (ib.length_dw != end - ours ||
		    memcmp(ours, theirs, ib.length_dw * sizeof(u32)))
			return false;
	}
	return true;
}

/* The rings to use: of different engines, far from one another. */
static unsigned int sdma_copy_find_rings(struct amdgpu_device *adev,
					 struct amdgpu_ring **rings)
{
	struct amdgpu_ring *ready[AMDGPU_MAX_SDMA_INSTANCES];
	u32 version = amdgpu_ip_version(adev, SDMA0_HWIP, 0);
	unsigned int i, nr = 0, nr_rings;

	for (i = 0; i < adev->sdma.num_instances; i++) {
		struct amdgpu_sdma_instance *sdma = &adev->sdma.instance[i];
		struct amdgpu_ring *ring = adev->sdma.has_page_queue ?
					   &sdma->page : &sdma->ring;

		if (ring->sched.ready && !ring->no_scheduler)
			ready[nr++] = ring;
	}
	nr_rings = min(nr, AMDGPU_SDMA_COPY_SLOTS);
	/*
	 * Some GPUs cannot flush the TLB from several rings at a time; and SDMA
	 * 7.0 is known for corruption with several that move memory.
	 */
	if (nr && (!adev->vm_manager.concurrent_flush ||
		   IP_VERSION_MAJ(version) == 7))
		nr_rings = 1;
	for (i = 0; i < nr_rings; i++)
		rings[i] = ready[i * nr / nr_rings];
	return nr_rings;
}

static void sdma_copy_release(struct device *dev)
{
	struct auxiliary_device *adev = to_auxiliary_dev(dev);
	struct amdgpu_sdma_copy *sc = to_sdma_copy(to_amd_sdma_copy_dev(adev));

	destroy_workqueue(sc->wq);
	kfree(sc);
}

/**
 * amdgpu_sdma_copy_create - make what is behind the auxiliary device
 *
 * @adev: amdgpu_device pointer
 *
 * Return: it, with the auxiliary device still to be added; NULL if this GPU
 * cannot have one, or there is no memory.
 */
struct amdgpu_sdma_copy *amdgpu_sdma_copy_create(struct amdgpu_device *adev)
{
	u32 version = amdgpu_ip_version(adev, SDMA0_HWIP, 0);
	struct amdgpu_sdma_copy *sc;
	unsigned int i;

	sc = kzalloc(sizeof(*sc), GFP_KERNEL);
	if (!sc)
		return NULL;
	sc->nr_rings = sdma_copy_find_rings(adev, sc->rings);
	if (!sc->nr_rings ||
	    !amd_sdma_format(IP_VERSION_MAJ(version), &sc->format)) {
		kfree(sc);
		return NULL;
	}
	/* Memory is waiting for what has failed. */
	sc->wq = alloc_workqueue("amdgpu_sdma_copy",
				 WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!sc->wq) {
		kfree(sc);
		return NULL;
	}
	sc->adev = adev;
	set_bit(SDMA_COPY_CLOSED, &sc->flags);
	mutex_init(&sc->event_lock);
	init_waitqueue_head(&sc->wait);
	for (i = 0; i < ARRAY_SIZE(sc->slots); i++) {
		struct amdgpu_sdma_copy_slot *slot = &sc->slots[i];

		slot->sc = sc;
		slot->ring = sc->rings[i % sc->nr_rings];
		spin_lock_init(&slot->lock);
		INIT_DELAYED_WORK(&slot->work, sdma_copy_work);
		INIT_DELAYED_WORK(&slot->stock, sdma_copy_stock_work);
	}
	sc->dev.dma_dev = adev->dev;
	sc->dev.ops = &sdma_copy_ops;
	sc->dev.adev.name = AMD_SDMA_COPY_DEV_NAME;
	sc->dev.adev.dev.parent = adev->dev;
	sc->dev.adev.dev.release = sdma_copy_release;
	/* There are events; and a GPU that sleeps is to sleep through. */
	device_set_pm_not_required(&sc->dev.adev.dev);
	return sc;
}

static void sdma_copy_offer(struct amdgpu_device *adev)
{
	struct amdgpu_sdma_copy *sc;
	int r;

	if (adev->sdma_copy || !amdgpu_sdma_copy_gart_pages(adev))
		return;
	sc = amdgpu_sdma_copy_create(adev);
	if (!sc)
		return;
	sc->dev.adev.id = (pci_domain_nr(adev->pdev->bus) << 16) |
			  pci_dev_id(adev->pdev);
	r = auxiliary_device_init(&sc->dev.adev);
	if (r) {
		sdma_copy_release(&sc->dev.adev.dev);
		goto err;
	}
	adev->sdma_copy = sc;
	r = auxiliary_device_add(&sc->dev.adev);
	if (r) {
		adev->sdma_copy = NULL;
		auxiliary_device_uninit(&sc->dev.adev);
		goto err;
	}
	return;

err:
	dev_warn(adev->dev, "cannot offer the SDMA to other drivers (%d)\n", r);
}

/* GPUs of a hive come up in a work, and are probed at any time. */
static DEFINE_MUTEX(sdma_copy_ready_lock);

/**
 * amdgpu_sdma_copy_ready - offer the SDMA to other drivers, if it can be
 *
 * @adev: amdgpu_device pointer
 * @what: what it has got to; it is offered when it has got to both
 *
 * The GPU works without it, so there is no error.
 */
void amdgpu_sdma_copy_ready(struct amdgpu_device *adev,
			    enum amdgpu_sdma_copy_ready what)
{
	mutex_lock(&sdma_copy_ready_lock);
	adev->sdma_copy_ready |= what;
	if (adev->sdma_copy_ready ==
	    (AMDGPU_SDMA_COPY_UP | AMDGPU_SDMA_COPY_PROBED))
		sdma_copy_offer(adev);
	mutex_unlock(&sdma_copy_ready_lock);
}

#if IS_ENABLED(CONFIG_DRM_AMDGPU_SDMA_COPY_KUNIT_TEST)
#include "tests/amdgpu_sdma_copy_packets_test.c"
#include "tests/amdgpu_sdma_copy_test.c"
#endif
