// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * KUnit tests of the slots: an auxiliary driver above, and below the DRM
 * scheduler with rings that are executed here, in memory that is an array
 *
 * Included by amdgpu_sdma_copy.c.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#define SLOTS_TEST_RINGS	2
#define SLOTS_TEST_PAGES	64
#define SLOTS_TEST_GART		0x7fff00000000ull
#define SLOTS_TEST_TABLE	0x8000000000ull
#define SLOTS_TEST_TABLE_SIZE \
	((AMDGPU_SDMA_COPY_GART_START + AMDGPU_SDMA_COPY_GART_PAGES) * \
	 AMD_SDMA_PTES_PER_PAGE * sizeof(u64))
#define SLOTS_TEST_IB		0x9000000000ull
#define SLOTS_TEST_RAM		0x123400000000ull
#define SLOTS_TEST_EVENTS	8
#define SLOTS_TEST_PTE_FLAGS	BIT_ULL(57)

/* A job on a ring */
struct slots_test_job {
	struct dma_fence fence;
	struct list_head node;
	u32 *ib;
	u32 dw;
	bool flush;
};

struct slots_test {
	struct kunit *test;
	struct amdgpu_device *adev;
	struct device *dev;
	struct pci_dev *pdev;
	struct drm_sched_backend_ops sched_ops;
	struct amdgpu_ring_funcs ring_funcs;
	struct drm_gpu_scheduler *scheds[SLOTS_TEST_RINGS];
	spinlock_t lock;	/* @rings */
	spinlock_t fence_lock;	/* of the jobs' fences */
	struct list_head rings[SLOTS_TEST_RINGS];
	u64 *table, *tlb;
	u8 *ram;
	u32 *ibs[AMDGPU_SDMA_COPY_SLOTS];
	unsigned int nr_ibs, nr_copies, nr_cut_off;
	bool ram_fault;

	struct amdgpu_sdma_copy *sc;
	struct amd_sdma_copy_dev *copy_dev;
	struct amd_sdma_copy_caps caps;
	int open_error;
	bool open_fails;
	bool reset_in_open;
	enum amd_sdma_copy_event events[SLOTS_TEST_EVENTS];
	unsigned int nr_events;
};

static struct slots_test *slots_test;	/* KUnit runs one test at a time */

/*
 * -- The GPU
 */

static const char *slots_test_name(struct dma_fence *fence)
{
	return "slots_test";
}

static void slots_test_job_release(struct dma_fence *fence)
{
	kfree_rcu(container_of(fence, struct slots_test_job, fence), fence.rcu);
}

static const struct dma_fence_ops slots_test_fence_ops = {
	.get_driver_name = slots_test_name,
	.get_timeline_name = slots_test_name,
	.release = slots_test_job_release,
};

/* amdgpu_job_run(), onto a list */
static struct dma_fence *slots_test_run_job(struct drm_sched_job *sched_job)
{
	struct slots_test *t = slots_test;
	struct amdgpu_ring *ring = to_amdgpu_ring(sched_job->sched);
	struct amdgpu_job *job = to_amdgpu_job(sched_job);
	struct dma_fence *finished = &sched_job->s_fence->finished;
	struct slots_test_job *hw;

	if (job->generation != amdgpu_vm_generation(ring->adev, job->vm))
		dma_fence_set_error(finished, -ECANCELED);
	if (finished->error < 0)
		return NULL;
	hw = kzalloc(sizeof(*hw), GFP_ATOMIC);
	if (!hw)
		return ERR_PTR(-ENOMEM);
	dma_fence_init(&hw->fence, &slots_test_fence_ops, &t->fence_lock,
		       dma_fence_context_alloc(1), 1);
	hw->ib = job->ibs[0].ptr;
	hw->dw = job->ibs[0].length_dw;
	hw->flush = job->vm_needs_flush;
	dma_fence_get(&hw->fence);
	spin_lock(&t->lock);
	list_add_tail(&hw->node, &t->rings[ring->me]);
	spin_unlock(&t->lock);
	return &hw->fence;
}

static enum drm_gpu_sched_stat
slots_test_timedout_job(struct drm_sched_job *sched_job)
{
	return DRM_GPU_SCHED_STAT_NOMINAL;
}

static void slots_test_pad_ib(struct amdgpu_ring *ring, struct amdgpu_ib *ib)
{
	while (ib->length_dw & 7)
		ib->ptr[ib->length_dw++] = AMD_SDMA_NOP;
}

/* Where the GPU finds @addr, or NULL for a fault */
static void *slots_test_find(struct slots_test *t, u64 addr, bool write)
{
	u64 pte, need = AMD_SDMA_PTE_SRC | SLOTS_TEST_PTE_FLAGS;
	unsigned int i;

	if (addr >= SLOTS_TEST_TABLE &&
	    addr < SLOTS_TEST_TABLE + SLOTS_TEST_TABLE_SIZE)
		return (u8 *)t->table + (addr - SLOTS_TEST_TABLE);
	i = (addr - SLOTS_TEST_IB) / SZ_1M;
	if (addr >= SLOTS_TEST_IB && i < t->nr_ibs && !write)
		return (u8 *)t->ibs[i] + (addr - SLOTS_TEST_IB) % SZ_1M;
	if (addr < SLOTS_TEST_GART ||
	    addr - SLOTS_TEST_GART >=
	    SLOTS_TEST_TABLE_SIZE / sizeof(u64) * SZ_4K)
		return NULL;
	pte = t->tlb[(addr - SLOTS_TEST_GART) / SZ_4K];
	if (write)
		need |= AMD_SDMA_PTE_WRITEABLE;
	if ((pte & need) != need)
		return NULL;
	pte &= AMD_SDMA_PTE_ADDR;
	if (pte < SLOTS_TEST_RAM ||
	    pte >= SLOTS_TEST_RAM + SLOTS_TEST_PAGES * PAGE_SIZE)
		return NULL;
	return t->ram + (pte - SLOTS_TEST_RAM) + addr % SZ_4K;
}

static bool slots_test_copy(struct slots_test *t, u64 src, u64 dst, u32 bytes)
{
	while (bytes) {
		u32 len = min3(bytes, (u32)(SZ_4K - src % SZ_4K),
			       (u32)(SZ_4K - dst % SZ_4K));
		void *from = slots_test_find(t, src, false);
		void *to = slots_test_find(t, dst, true);

		if (!from || !to)
			return false;
		memmove(to, from, len);
		src += len;
		dst += len;
		bytes -= len;
	}
	return true;
}

static bool slots_test_execute(struct slots_test *t, struct slots_test_job *hw)
{
	u32 *p = hw->ib;

	if (hw->dw & 7)
		return false;
	if (hw->flush) {
		memcpy(t->tlb, t->table, SLOTS_TEST_TABLE_SIZE);
		t->nr_copies++;
	}
	while (p < hw->ib + hw->dw) {
		if (*p == AMD_SDMA_NOP) {
			p++;
			continue;
		}
		if (*p != AMD_SDMA_COPY_LINEAR ||
		    !slots_test_copy(t, p[3] | (u64)p[4] << 32,
				     p[5] | (u64)p[6] << 32, p[1] + 1))
			return false;
		p += 7;
	}
	return true;
}

/* An interrupt says that a job is done. */
struct slots_test_irq {
	struct hrtimer timer;
	struct completion done;
	struct dma_fence *fence;
};

static enum hrtimer_restart slots_test_interrupt(struct hrtimer *timer)
{
	struct slots_test_irq *irq =
		container_of(timer, struct slots_test_irq, timer);

	dma_fence_signal(irq->fence);
	complete(&irq->done);
	return HRTIMER_NORESTART;
}

static void slots_test_end(struct slots_test_job *hw)
{
	struct slots_test_irq irq = { .fence = &hw->fence };

	init_completion(&irq.done);
	hrtimer_init_on_stack(&irq.timer, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_HARD);
	irq.timer.function = slots_test_interrupt;
	hrtimer_start(&irq.timer, 0, HRTIMER_MODE_REL_HARD);
	wait_for_completion(&irq.done);
	hrtimer_cancel(&irq.timer);
	destroy_hrtimer_on_stack(&irq.timer);
	dma_fence_put(&hw->fence);
}

/* The oldest job of a ring, within a few seconds */
static struct slots_test_job *slots_test_next(struct slots_test *t,
					      unsigned int ring)
{
	struct slots_test_job *hw = NULL;
	unsigned int i;

	for (i = 0; i < 5000 && !hw; i++) {
		spin_lock(&t->lock);
		hw = list_first_entry_or_null(&t->rings[ring],
					      struct slots_test_job, node);
		if (hw)
			list_del(&hw->node);
		spin_unlock(&t->lock);
		if (!hw)
			usleep_range(1000, 2000);
	}
	return hw;
}

/* Execute the oldest job of a ring, and say that this is done. */
static void slots_test_step(struct slots_test *t, unsigned int ring)
{
	struct slots_test_job *hw = slots_test_next(t, ring);

	KUNIT_ASSERT_NOT_NULL(t->test, hw);
	KUNIT_EXPECT_TRUE(t->test, slots_test_execute(t, hw));
	slots_test_end(hw);
}

/* Say that it failed, and do not execute it. */
static void slots_test_fail(struct slots_test *t, unsigned int ring, int error)
{
	struct slots_test_job *hw = slots_test_next(t, ring);

	KUNIT_ASSERT_NOT_NULL(t->test, hw);
	dma_fence_set_error(&hw->fence, error);
	slots_test_end(hw);
}

/* Forget what is on the rings, as a reset does. */
static void slots_test_lose(struct slots_test *t)
{
	struct slots_test_job *hw, *tmp;
	unsigned int i;

	for (i = 0; i < SLOTS_TEST_RINGS; i++)
		list_for_each_entry_safe(hw, tmp, &t->rings[i], node) {
			list_del(&hw->node);
			dma_fence_put(&hw->fence);
		}
}

static void slots_test_reset_begin(struct slots_test *t)
{
	unsigned int i;
	bool cookie;

	for (i = 0; i < SLOTS_TEST_RINGS; i++)
		if (t->scheds[i]->ready)
			drm_sched_stop(t->scheds[i], NULL);
	cookie = dma_fence_begin_signalling();
	amdgpu_sdma_copy_reset_pre(t->adev);
	dma_fence_end_signalling(cookie);
}

static void slots_test_reset_end(struct slots_test *t, bool good)
{
	unsigned int i;
	bool cookie;

	slots_test_lose(t);
	/* If it is not good, rings do not work, and are not started. */
	for (i = 0; i < SLOTS_TEST_RINGS; i++) {
		t->scheds[i]->ready = good;
		if (good)
			drm_sched_start(t->scheds[i]);
	}
	cookie = dma_fence_begin_signalling();
	amdgpu_sdma_copy_reset_done(t->adev, good);
	dma_fence_end_signalling(cookie);
}

/*
 * -- Instead of memory of the GPU
 */

static int slots_test_alloc_ib(struct amdgpu_sdma_copy_slot *slot)
{
	struct slots_test *t = slots_test;
	unsigned int i = slot - slot->sc->slots;

	if (t->open_fails && i == 2)
		return -ENOMEM;
	if (t->reset_in_open && i == 1) {
		amdgpu_sdma_copy_reset_pre(t->adev);
		amdgpu_sdma_copy_reset_done(t->adev, true);
		/* For works that there must not be. */
		msleep(50);
	}
	t->ibs[i] = kvmalloc(SDMA_COPY_IB_SIZE, GFP_KERNEL);
	if (!t->ibs[i])
		return -ENOMEM;
	t->nr_ibs = max(t->nr_ibs, i + 1);
	slot->ib = t->ibs[i];
	slot->ib_addr = SLOTS_TEST_IB + i * SZ_1M;
	return 0;
}

static void slots_test_free_ib(struct amdgpu_sdma_copy_slot *slot)
{
	kvfree(slot->ib);
	slot->ib = NULL;
}

static void slots_test_find_table(struct amdgpu_sdma_copy *sc, u64 *table)
{
	*table = SLOTS_TEST_TABLE;
	sc->pd_addr = SLOTS_TEST_TABLE;
}

static void slots_test_cut_off(struct amdgpu_sdma_copy *sc)
{
	slots_test->nr_cut_off++;
}

/*
 * -- The auxiliary driver
 */

static int slots_test_probe(struct auxiliary_device *adev,
			    const struct auxiliary_device_id *id)
{
	struct slots_test *t = slots_test;

	t->copy_dev = to_amd_sdma_copy_dev(adev);
	t->open_error = t->copy_dev->ops->open(t->copy_dev, &t->caps);
	return t->open_error;
}

static void slots_test_remove(struct auxiliary_device *adev)
{
	to_amd_sdma_copy_dev(adev)->ops->close(to_amd_sdma_copy_dev(adev));
}

static void slots_test_event(struct amd_sdma_copy_dev *dev,
			     enum amd_sdma_copy_event event)
{
	struct slots_test *t = slots_test;
	struct dma_fence *fence;

	if (t->nr_events < SLOTS_TEST_EVENTS)
		t->events[t->nr_events++] = event;
	/* It may call these; there is nothing to copy. */
	dev->ops->quiesced(dev, 0);
	KUNIT_EXPECT_NE(t->test, 0, dev->ops->submit(dev, 0, NULL, 0, &fence));
}

static const struct auxiliary_device_id slots_test_ids[] = {
	{ .name = KBUILD_MODNAME ".sdma_copy_kunit" },
	{}
};

static struct amd_sdma_copy_drv slots_test_drv = {
	.drv = {
		.name = "kunit",
		.probe = slots_test_probe,
		.remove = slots_test_remove,
		.id_table = slots_test_ids,
	},
	.event = slots_test_event,
};

/*
 * -- Setting all this up
 */

static void slots_test_fini_rings(void *arg)
{
	struct slots_test *t = arg;
	unsigned int i;

	for (i = 0; i < SLOTS_TEST_RINGS; i++)
		if (t->scheds[i])
			drm_sched_fini(t->scheds[i]);
}

static void slots_test_unregister(void *arg)
{
	auxiliary_driver_unregister(&slots_test_drv.drv);
}

static void slots_test_fini_pm(void *dev)
{
	pm_runtime_disable(dev);
	pm_runtime_put_noidle(dev);
}

/* A reset may be going on all the time, and finds nothing. */
static void slots_test_take_away(struct slots_test *t)
{
	amdgpu_sdma_copy_fini(t->adev);
	amdgpu_sdma_copy_reset_pre(t->adev);
	amdgpu_sdma_copy_reset_done(t->adev, true);
	KUNIT_EXPECT_FALSE(t->test,
			   delayed_work_pending(&t->sc->slots[0].work));
	KUNIT_EXPECT_FALSE(t->test,
			   delayed_work_pending(&t->sc->slots[0].stock));
	amdgpu_sdma_copy_free(t->adev);
	KUNIT_EXPECT_NULL(t->test, t->adev->sdma_copy);
}

/* As amdgpu_device_fini_hw() does it; what hangs is given an error. */
static void slots_test_fini_copy(void *arg)
{
	struct slots_test *t = arg;
	unsigned int i;

	if (!t->adev->sdma_copy)
		return;
	amdgpu_sdma_copy_stop(t->adev);
	for (i = 0; i < SLOTS_TEST_RINGS; i++) {
		while (!list_empty(&t->rings[i]))
			slots_test_fail(t, i, -ECANCELED);
		flush_workqueue(t->scheds[i]->submit_wq);
		while (!list_empty(&t->rings[i]))
			slots_test_fail(t, i, -ECANCELED);
	}
	slots_test_take_away(t);
}

static void slots_test_init_gpu(struct kunit *test, struct slots_test *t)
{
	struct amdgpu_device *adev = t->adev;
	unsigned int i;

	adev->dev = t->dev;
	adev->pdev = t->pdev;
	adev->gmc.gart_start = SLOTS_TEST_GART;
	adev->gmc.gart_size = SZ_512M;
	adev->gart.gart_pte_flags = SLOTS_TEST_PTE_FLAGS;
	adev->mman.buffer_funcs = &sdma_v4_4_2_buffer_funcs;
	adev->ip_versions[SDMA0_HWIP][0] = IP_VERSION(4, 4, 2);
	adev->vm_manager.concurrent_flush = true;
	adev->sdma.num_instances = SLOTS_TEST_RINGS;

	t->ring_funcs.pad_ib = slots_test_pad_ib;
	t->sched_ops = amdgpu_sched_ops;
	t->sched_ops.run_job = slots_test_run_job;
	t->sched_ops.timedout_job = slots_test_timedout_job;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, slots_test_fini_rings,
						  t));
	for (i = 0; i < SLOTS_TEST_RINGS; i++) {
		struct amdgpu_ring *ring = &adev->sdma.instance[i].ring;
		const struct drm_sched_init_args args = {
			.ops = &t->sched_ops,
			.num_rqs = DRM_SCHED_PRIORITY_COUNT,
			/* So that a copy waits for its page table. */
			.credit_limit = 1,
			.timeout = MAX_SCHEDULE_TIMEOUT,
			.name = "slots_test",
			.dev = t->dev,
		};

		INIT_LIST_HEAD(&t->rings[i]);
		ring->adev = adev;
		ring->me = i;
		ring->funcs = &t->ring_funcs;
		KUNIT_ASSERT_EQ(test, 0, drm_sched_init(&ring->sched, &args));
		t->scheds[i] = &ring->sched;
		ring->sched.ready = true;
	}
	adev->rings[0] = &adev->sdma.instance[0].ring;
}

static int slots_test_init(struct kunit *test)
{
	struct slots_test *t = packets_test_alloc(test, sizeof(*t));
	unsigned int i;

	test->priv = t;
	slots_test = t;
	t->test = test;
	spin_lock_init(&t->lock);
	spin_lock_init(&t->fence_lock);
	t->adev = packets_test_alloc(test, sizeof(*t->adev));
	t->pdev = packets_test_alloc(test, sizeof(*t->pdev));
	t->table = packets_test_alloc(test, SLOTS_TEST_TABLE_SIZE);
	t->tlb = packets_test_alloc(test, SLOTS_TEST_TABLE_SIZE);
	t->ram = packets_test_alloc(test, SLOTS_TEST_PAGES * PAGE_SIZE);
	for (i = 0; i < SLOTS_TEST_PAGES * PAGE_SIZE / sizeof(u32); i++)
		((u32 *)t->ram)[i] = i;

	t->dev = kunit_device_register(test, "sdma_copy");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dev);
	pm_runtime_set_active(t->dev);
	pm_runtime_get_noresume(t->dev);
	pm_runtime_enable(t->dev);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, slots_test_fini_pm,
						  t->dev));
	slots_test_init_gpu(test, t);

	kunit_activate_static_stub(test, sdma_copy_alloc_ib,
				   slots_test_alloc_ib);
	kunit_activate_static_stub(test, sdma_copy_free_ib,
				   slots_test_free_ib);
	kunit_activate_static_stub(test, sdma_copy_find_table,
				   slots_test_find_table);
	kunit_activate_static_stub(test, sdma_copy_cut_off,
				   slots_test_cut_off);

	KUNIT_ASSERT_EQ(test, 0,
			auxiliary_driver_register(&slots_test_drv.drv));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, slots_test_unregister,
						  NULL));

	t->sc = amdgpu_sdma_copy_create(t->adev);
	KUNIT_ASSERT_NOT_NULL(test, t->sc);
	/* Not what a driver that is not a test would bind to */
	t->sc->dev.adev.name = "sdma_copy_kunit";
	KUNIT_ASSERT_EQ(test, 0, auxiliary_device_init(&t->sc->dev.adev));
	t->adev->sdma_copy = t->sc;
	KUNIT_ASSERT_EQ(test, 0, auxiliary_device_add(&t->sc->dev.adev));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, slots_test_fini_copy,
						  t));
	KUNIT_ASSERT_PTR_EQ(test, t->copy_dev, &t->sc->dev);
	KUNIT_ASSERT_EQ(test, t->open_error, 0);
	return 0;
}

/* Nobody may be woken up for it, or be kept awake by it. */
static void expect_awake_by(struct kunit *test, int users)
{
	struct slots_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, atomic_read(&t->dev->power.usage_count),
			1 + users);
}

static dma_addr_t slots_test_page(unsigned int nr)
{
	return SLOTS_TEST_RAM + nr * PAGE_SIZE;
}

static int slots_test_submit(struct slots_test *t, u32 slot,
			     const struct amd_sdma_copy_pair *pairs, u32 nr,
			     struct dma_fence **fence)
{
	int r;

	/* It says that memory reclaim can call it, and that it does not sleep. */
	fs_reclaim_acquire(GFP_KERNEL);
	non_block_start();
	r = t->copy_dev->ops->submit(t->copy_dev, slot, pairs, nr, fence);
	non_block_end();
	fs_reclaim_release(GFP_KERNEL);
	return r;
}

/* Copy page @src to page @dst. */
static int slots_test_submit_one(struct slots_test *t, u32 slot,
				 unsigned int src, unsigned int dst,
				 struct dma_fence **fence)
{
	const struct amd_sdma_copy_pair pair = {
		.src = slots_test_page(src),
		.dst = slots_test_page(dst),
		.pages = 1,
	};

	return slots_test_submit(t, slot, &pair, 1, fence);
}

static struct dma_fence *slots_test_start(struct slots_test *t, u32 slot,
					  unsigned int src, unsigned int dst)
{
	struct dma_fence *fence = NULL;
	unsigned int i;
	int r = -EBUSY;

	/* It may still be making jobs. */
	for (i = 0; i < 5000 && r == -EBUSY; i++) {
		r = slots_test_submit_one(t, slot, src, dst, &fence);
		if (r)
			usleep_range(1000, 2000);
	}
	KUNIT_ASSERT_EQ(t->test, r, 0);
	return fence;
}

static void slots_test_wait(struct slots_test *t, struct dma_fence *fence,
			    int error)
{
	KUNIT_ASSERT_GT(t->test, dma_fence_wait_timeout(fence, false, 5 * HZ),
			0);
	KUNIT_EXPECT_EQ(t->test, fence->error, error);
}

static bool slots_test_quiesced(struct slots_test *t, u32 slot)
{
	return t->copy_dev->ops->quiesced(t->copy_dev, slot);
}

static void expect_quiesced_soon(struct kunit *test, u32 slot)
{
	struct slots_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < 5000 && !slots_test_quiesced(t, slot); i++)
		usleep_range(1000, 2000);
	KUNIT_EXPECT_TRUE(test, slots_test_quiesced(t, slot));
}

static void expect_page(struct kunit *test, unsigned int nr, unsigned int from)
{
	struct slots_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, ((u32 *)t->ram)[nr * PAGE_SIZE / sizeof(u32)],
			(u32)(from * PAGE_SIZE / sizeof(u32)));
	KUNIT_EXPECT_EQ(test,
			((u32 *)t->ram)[(nr + 1) * PAGE_SIZE / sizeof(u32) - 1],
			(u32)((from + 1) * PAGE_SIZE / sizeof(u32) - 1));
}

static void expect_events(struct kunit *test, unsigned int nr, ...)
{
	struct slots_test *t = test->priv;
	unsigned int i;
	va_list args;

	KUNIT_ASSERT_EQ(test, t->nr_events, nr);
	va_start(args, nr);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, (int)t->events[i], va_arg(args, int));
	va_end(args);
}

/* A copy from end to end in @slot, to show that it works */
static void expect_works(struct kunit *test, u32 slot)
{
	struct slots_test *t = test->priv;
	u32 ring = slot % t->caps.nr_engines;
	struct dma_fence *fence;

	memset((u32 *)t->ram + 40 * PAGE_SIZE / sizeof(u32), 0, PAGE_SIZE);
	fence = slots_test_start(t, slot, 0, 40);
	slots_test_step(t, ring);
	slots_test_step(t, ring);
	slots_test_wait(t, fence, 0);
	KUNIT_EXPECT_TRUE(test, slots_test_quiesced(t, slot));
	expect_page(test, 40, 0);
	dma_fence_put(fence);
}

/*
 * -- The tests
 */

/* All slots at a time, from all over memory */
static void slots_copy(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fences[AMDGPU_SDMA_COPY_SLOTS];
	u32 i;

	KUNIT_EXPECT_EQ(test, t->caps.nr_slots, AMDGPU_SDMA_COPY_SLOTS);
	KUNIT_EXPECT_EQ(test, t->caps.nr_engines, SLOTS_TEST_RINGS);
	KUNIT_EXPECT_EQ(test, t->caps.max_pages, SZ_4M / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, t->caps.sdma_version, 0x040402);
	for (i = 0; i < AMDGPU_SDMA_COPY_SLOTS; i++) {
		const struct amd_sdma_copy_pair pairs[] = {
			{ slots_test_page(5 + i), slots_test_page(30 + i), 1 },
			{ slots_test_page(i), slots_test_page(60 - i), 1 },
			{ slots_test_page(20), slots_test_page(40 + 3 * i), 3 },
		};

		KUNIT_EXPECT_TRUE(test, slots_test_quiesced(t, i));
		KUNIT_ASSERT_EQ(test, 0, slots_test_submit(t, i, pairs, 3,
							   &fences[i]));
		KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, i));
	}
	expect_awake_by(test, AMDGPU_SDMA_COPY_SLOTS);
	for (i = 0; i < AMDGPU_SDMA_COPY_SLOTS; i++) {
		slots_test_step(t, i % SLOTS_TEST_RINGS);
		slots_test_step(t, i % SLOTS_TEST_RINGS);
	}
	for (i = 0; i < AMDGPU_SDMA_COPY_SLOTS; i++) {
		slots_test_wait(t, fences[i], 0);
		KUNIT_EXPECT_TRUE(test, slots_test_quiesced(t, i));
		dma_fence_put(fences[i]);
		expect_page(test, 30 + i, 5 + i);
		expect_page(test, 60 - i, i);
		expect_page(test, 40 + 3 * i, 20);
		expect_page(test, 41 + 3 * i, 21);
		expect_page(test, 42 + 3 * i, 22);
	}
	KUNIT_EXPECT_EQ(test, t->nr_copies, AMDGPU_SDMA_COPY_SLOTS);
	expect_awake_by(test, 0);
}

/* One job at a time, and not forever from the stock */
static void slots_busy(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence, *other = NULL;
	unsigned int i;

	fence = slots_test_start(t, 1, 0, 40);
	KUNIT_EXPECT_EQ(test, -EBUSY, slots_test_submit_one(t, 1, 2, 41,
							    &other));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			slots_test_submit_one(t, AMDGPU_SDMA_COPY_SLOTS, 2, 41,
					      &other));
	KUNIT_EXPECT_EQ(test, -EINVAL, slots_test_submit(t, 0, NULL, 0,
							 &other));
	KUNIT_EXPECT_NULL(test, other);
	KUNIT_EXPECT_FALSE(test,
			   slots_test_quiesced(t, AMDGPU_SDMA_COPY_SLOTS));
	slots_test_step(t, 1);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 1));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	slots_test_step(t, 1);
	slots_test_wait(t, fence, 0);
	dma_fence_put(fence);
	for (i = 0; i < 4 * SDMA_COPY_STOCK; i++)
		expect_works(test, 1);
	expect_awake_by(test, 0);
}

/* Only one can have it. */
static void slots_open_once(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct amd_sdma_copy_caps caps;

	KUNIT_EXPECT_EQ(test, -EBUSY, t->copy_dev->ops->open(t->copy_dev,
							     &caps));
	expect_works(test, 0);
	device_release_driver(&t->copy_dev->adev.dev);
	t->copy_dev = NULL;
	KUNIT_ASSERT_EQ(test, 1, device_attach(&t->sc->dev.adev.dev));
	KUNIT_ASSERT_PTR_EQ(test, t->copy_dev, &t->sc->dev);
	expect_works(test, 0);
}

static void slots_test_reopen(struct slots_test *t)
{
	device_release_driver(&t->copy_dev->adev.dev);
	t->copy_dev = NULL;
	KUNIT_EXPECT_GE(t->test, device_attach(&t->sc->dev.adev.dev), 0);
}

static unsigned int slots_test_works(struct slots_test *t)
{
	unsigned int i, nr = 0;

	for (i = 0; i < AMDGPU_SDMA_COPY_SLOTS; i++)
		nr += !!delayed_work_pending(&t->sc->slots[i].work) +
		      !!delayed_work_pending(&t->sc->slots[i].stock);
	return nr;
}

/* There are no works on slots that are not set up yet. */
static void slots_open_amid_reset(struct kunit *test)
{
	struct slots_test *t = test->priv;
	u32 i;

	t->reset_in_open = true;
	slots_test_reopen(t);
	KUNIT_ASSERT_PTR_EQ(test, t->copy_dev, &t->sc->dev);
	KUNIT_EXPECT_EQ(test, slots_test_works(t), 0);
	for (i = 0; i < AMDGPU_SDMA_COPY_SLOTS; i++) {
		KUNIT_EXPECT_EQ(test, t->sc->slots[i].nr_jobs, SDMA_COPY_STOCK);
		expect_works(test, i);
	}
	expect_awake_by(test, 0);
}

/* Half of it is taken back, and another time it works. */
static void slots_open_fails(struct kunit *test)
{
	struct slots_test *t = test->priv;

	t->open_fails = true;
	t->reset_in_open = true;
	slots_test_reopen(t);
	KUNIT_EXPECT_EQ(test, t->open_error, -ENOMEM);
	KUNIT_EXPECT_EQ(test, slots_test_works(t), 0);
	expect_awake_by(test, 0);

	t->open_fails = false;
	KUNIT_ASSERT_EQ(test, 1, device_attach(&t->sc->dev.adev.dev));
	expect_works(test, 3);
}

/*
 * A copy that failed may be running: its slot is not quiesced until a job after
 * it is through, and then works, error or not.
 */
static void slots_error(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence, *other;
	struct slots_test_job *hw;
	u32 i;

	fence = slots_test_start(t, 2, 0, 40);
	slots_test_step(t, 0);
	slots_test_fail(t, 0, -EIO);
	slots_test_wait(t, fence, -EIO);
	dma_fence_put(fence);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 2));
	KUNIT_EXPECT_EQ(test, -EBUSY, slots_test_submit_one(t, 2, 0, 40,
							    &other));
	/* The others are not concerned. */
	expect_works(test, 1);

	hw = slots_test_next(t, 0);
	KUNIT_ASSERT_NOT_NULL(test, hw);
	KUNIT_EXPECT_EQ(test, hw->dw, SDMA_COPY_PROBE_DW);
	KUNIT_EXPECT_FALSE(test, hw->flush);
	for (i = 0; i < hw->dw; i++)
		KUNIT_EXPECT_EQ(test, hw->ib[i], AMD_SDMA_NOP);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 2));
	slots_test_end(hw);
	expect_quiesced_soon(test, 2);
	expect_works(test, 2);
	expect_awake_by(test, 0);
}

/* If the page table was not written, nothing is copied. */
static void slots_error_in_map(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_fail(t, 0, -EIO);
	slots_test_wait(t, fence, -EIO);
	dma_fence_put(fence);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));
	slots_test_step(t, 0);
	expect_quiesced_soon(test, 0);
	KUNIT_EXPECT_EQ(test, t->nr_copies, 0);
	expect_page(test, 40, 40);
	expect_works(test, 0);
}

/* Three times nothing gets through slot 0: nobody asks any more. */
static void slots_test_give_up(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence;
	unsigned int i;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_fail(t, 0, -EIO);
	slots_test_wait(t, fence, -EIO);
	dma_fence_put(fence);
	for (i = 0; i < SDMA_COPY_MAX_PROBES; i++)
		slots_test_fail(t, 0, -EIO);
	msleep(1500);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->rings[0]));
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));
	expect_works(test, 1);
	expect_awake_by(test, 0);
}

/* Until the end. */
static void slots_dead_ring(struct kunit *test)
{
	struct slots_test *t = test->priv;

	slots_test_give_up(test);
	slots_test_fini_copy(t);
	KUNIT_EXPECT_EQ(test, t->nr_cut_off, 1);
}

/* Or until there was a reset. */
static void slots_dead_ring_is_reset(struct kunit *test)
{
	struct slots_test *t = test->priv;

	slots_test_give_up(test);
	slots_test_reset_begin(t);
	slots_test_reset_end(t, true);
	slots_test_step(t, 0);
	expect_quiesced_soon(test, 0);
	expect_works(test, 0);
	expect_awake_by(test, 0);
}

/* A reset: with a copy on the ring, and one that was submitted meanwhile */
static void slots_reset(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence, *other;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_step(t, 0);
	slots_test_reset_begin(t);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));
	KUNIT_EXPECT_EQ(test, -EAGAIN, slots_test_submit_one(t, 1, 0, 41,
							     &other));
	slots_test_reset_end(t, true);
	slots_test_wait(t, fence, -ECANCELED);
	dma_fence_put(fence);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));
	expect_events(test, 2, AMD_SDMA_COPY_RESET_PRE,
		      AMD_SDMA_COPY_RESET_DONE);
	slots_test_step(t, 0);
	expect_quiesced_soon(test, 0);
	KUNIT_EXPECT_EQ(test, t->nr_copies, 0);
	expect_works(test, 0);
	expect_works(test, 1);
	expect_awake_by(test, 0);
}

/*
 * A reset after the page table was written, and before the copy was on the
 * ring: it must not run with what the reset left.
 */
static void slots_reset_between(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence;

	fence = slots_test_start(t, 0, 0, 40);
	flush_workqueue(t->scheds[0]->submit_wq);
	KUNIT_ASSERT_FALSE(test, list_empty(&t->rings[0]));
	drm_sched_wqueue_stop(t->scheds[0]);
	slots_test_step(t, 0);
	slots_test_reset_begin(t);
	memset(t->table, 0, SLOTS_TEST_TABLE_SIZE);
	slots_test_reset_end(t, true);
	slots_test_wait(t, fence, -ECANCELED);
	dma_fence_put(fence);
	slots_test_step(t, 0);
	expect_quiesced_soon(test, 0);
	KUNIT_EXPECT_EQ(test, t->nr_copies, 0);
	expect_works(test, 0);
}

/* Nothing is quiesced by a reset that failed; a later one can be good. */
static void slots_reset_fails(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence, *other;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_step(t, 0);
	slots_test_reset_begin(t);
	slots_test_reset_end(t, false);
	KUNIT_EXPECT_EQ(test, -EAGAIN, slots_test_submit_one(t, 1, 0, 41,
							     &other));
	msleep(100);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->rings[0]));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));

	slots_test_reset_begin(t);
	slots_test_reset_end(t, true);
	slots_test_wait(t, fence, -ECANCELED);
	dma_fence_put(fence);
	slots_test_step(t, 0);
	expect_quiesced_soon(test, 0);
	expect_works(test, 0);
	expect_events(test, 4, AMD_SDMA_COPY_RESET_PRE,
		      AMD_SDMA_COPY_RESET_FAILED, AMD_SDMA_COPY_RESET_PRE,
		      AMD_SDMA_COPY_RESET_DONE);
}

/* VRAM was lost, and with it the page table. */
static void slots_vram_lost(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_step(t, 0);
	slots_test_reset_begin(t);
	atomic_inc(&t->adev->vram_lost_counter);
	slots_test_reset_end(t, true);
	slots_test_wait(t, fence, -ECANCELED);
	dma_fence_put(fence);
	slots_test_step(t, 0);
	expect_quiesced_soon(test, 0);
	/* Jobs that were made before that work. */
	expect_works(test, 0);
	expect_works(test, 1);
}

static void slots_suspend(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *other;

	amdgpu_sdma_copy_suspend(t->adev);
	KUNIT_EXPECT_EQ(test, -EAGAIN, slots_test_submit_one(t, 0, 0, 41,
							     &other));
	amdgpu_sdma_copy_resume(t->adev);
	expect_works(test, 0);
	expect_events(test, 2, AMD_SDMA_COPY_SUSPEND, AMD_SDMA_COPY_RESUME);
	expect_awake_by(test, 0);
}

struct slots_test_gpu {
	struct delayed_work work;
	struct slots_test *t;
};

static void slots_test_run_ring(struct work_struct *work)
{
	struct slots_test *t = container_of(to_delayed_work(work),
					    struct slots_test_gpu, work)->t;
	struct slots_test_job *hw;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		hw = slots_test_next(t, 0);
		if (!hw || !slots_test_execute(t, hw))
			return;
		slots_test_end(hw);
	}
}

/* What is in flight is waited for. */
static void slots_test_waits(struct kunit *test,
			     void (*wait)(struct amdgpu_device *adev))
{
	struct slots_test *t = test->priv;
	struct slots_test_gpu gpu = { .t = t };
	struct dma_fence *fence = slots_test_start(t, 0, 0, 40);

	INIT_DELAYED_WORK_ONSTACK(&gpu.work, slots_test_run_ring);
	schedule_delayed_work(&gpu.work, HZ / 5);
	wait(t->adev);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, slots_test_quiesced(t, 0));
	flush_delayed_work(&gpu.work);
	destroy_delayed_work_on_stack(&gpu.work);
	slots_test_wait(t, fence, 0);
	dma_fence_put(fence);
}

static void slots_suspend_in_flight(struct kunit *test)
{
	struct slots_test *t = test->priv;

	slots_test_waits(test, amdgpu_sdma_copy_suspend);
	amdgpu_sdma_copy_resume(t->adev);
	expect_works(test, 0);
	expect_awake_by(test, 0);
}

static void slots_stop_in_flight(struct kunit *test)
{
	struct slots_test *t = test->priv;

	slots_test_waits(test, amdgpu_sdma_copy_stop);
	slots_test_take_away(t);
	KUNIT_EXPECT_EQ(test, t->nr_cut_off, 0);
	expect_awake_by(test, 0);
}

/* A GPU that sleeps is not woken up, not even to find out what runs on it. */
static void slots_runtime_suspend(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence, *other;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_step(t, 0);
	/* With the copy in flight it does not sleep. */
	pm_runtime_put_sync_suspend(t->dev);
	KUNIT_EXPECT_TRUE(test, pm_runtime_active(t->dev));
	slots_test_step(t, 0);
	slots_test_wait(t, fence, 0);
	dma_fence_put(fence);

	KUNIT_ASSERT_GE(test, pm_runtime_suspend(t->dev), 0);
	KUNIT_EXPECT_EQ(test, -EAGAIN, slots_test_submit_one(t, 0, 0, 41,
							     &other));
	KUNIT_EXPECT_TRUE(test, pm_runtime_suspended(t->dev));
	KUNIT_ASSERT_GE(test, pm_runtime_get_sync(t->dev), 0);
	expect_works(test, 0);
	expect_awake_by(test, 0);
}

/* Unbound with a copy that hangs: quiesced when the SDMA was stopped. */
static void slots_stop(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence, *other;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_step(t, 0);
	amdgpu_sdma_copy_stop(t->adev);
	expect_events(test, 1, AMD_SDMA_COPY_STOP);
	KUNIT_EXPECT_EQ(test, -ENODEV, slots_test_submit_one(t, 1, 0, 41,
							     &other));
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));
	slots_test_fail(t, 0, -ECANCELED);
	slots_test_wait(t, fence, -ECANCELED);
	KUNIT_EXPECT_FALSE(test, slots_test_quiesced(t, 0));
	dma_fence_put(fence);

	slots_test_take_away(t);
	KUNIT_EXPECT_EQ(test, t->nr_cut_off, 1);
	expect_awake_by(test, 0);
}

/* The same with a fence that is never signalled. */
static void slots_stop_silent(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct dma_fence *fence;

	fence = slots_test_start(t, 0, 0, 40);
	slots_test_step(t, 0);
	amdgpu_sdma_copy_stop(t->adev);
	slots_test_take_away(t);
	KUNIT_EXPECT_EQ(test, t->nr_cut_off, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	expect_awake_by(test, 0);
	slots_test_fail(t, 0, -ECANCELED);
	slots_test_wait(t, fence, -ECANCELED);
	dma_fence_put(fence);
}

/* Unbound when all is well: nothing is cut off. */
static void slots_stop_idle(struct kunit *test)
{
	struct slots_test *t = test->priv;

	expect_works(test, 0);
	amdgpu_sdma_copy_stop(t->adev);
	slots_test_take_away(t);
	KUNIT_EXPECT_EQ(test, t->nr_cut_off, 0);
	expect_awake_by(test, 0);
}

/* Which GPUs give up some of GART for it */
static void slots_which_gpus(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct amdgpu_device *adev = t->adev;
	u32 *version = &adev->ip_versions[SDMA0_HWIP][0];

	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev),
			SZ_32M / PAGE_SIZE);
	*version = IP_VERSION(6, 0, 3);
	adev->mman.buffer_funcs = &sdma_v6_0_buffer_funcs;
	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev),
			SZ_32M / PAGE_SIZE);
	*version = IP_VERSION(7, 0, 0);
	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev), 0);
	adev->mman.buffer_funcs = &sdma_v7_0_buffer_funcs;
	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev),
			SZ_32M / PAGE_SIZE);
	adev->gmc.gart_size = SZ_128M;
	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev), 0);
	adev->gmc.gart_size = SZ_512M;
	adev->mman.buffer_funcs = NULL;
	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev), 0);
	adev->mman.buffer_funcs = &sdma_v7_0_buffer_funcs;
	*version = 0;
	KUNIT_EXPECT_EQ(test, amdgpu_sdma_copy_gart_pages(adev), 0);
}

static void slots_which_rings(struct kunit *test)
{
	struct slots_test *t = test->priv;
	struct amdgpu_ring *rings[AMDGPU_SDMA_COPY_SLOTS];
	struct amdgpu_device *adev = t->adev;
	struct amdgpu_sdma *sdma = &adev->sdma;
	unsigned int i;

	/* MI300X: 16, the page queues of them, far from one another */
	sdma->num_instances = 16;
	sdma->has_page_queue = true;
	for (i = 0; i < 16; i++)
		sdma->instance[i].page.sched.ready = true;
	KUNIT_ASSERT_EQ(test, sdma_copy_find_rings(adev, rings), 4);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_PTR_EQ(test, rings[i],
				    &sdma->instance[4 * i].page);
	sdma->instance[0].page.sched.ready = false;
	KUNIT_ASSERT_EQ(test, sdma_copy_find_rings(adev, rings), 4);
	KUNIT_EXPECT_PTR_EQ(test, rings[0], &sdma->instance[1].page);
	adev->vm_manager.concurrent_flush = false;
	KUNIT_EXPECT_EQ(test, sdma_copy_find_rings(adev, rings), 1);
	adev->vm_manager.concurrent_flush = true;
	adev->ip_versions[SDMA0_HWIP][0] = IP_VERSION(7, 0, 1);
	KUNIT_EXPECT_EQ(test, sdma_copy_find_rings(adev, rings), 1);
	for (i = 0; i < 16; i++)
		sdma->instance[i].page.sched.ready = false;
	KUNIT_EXPECT_EQ(test, sdma_copy_find_rings(adev, rings), 0);
}

static struct kunit_case slots_test_cases[] = {
	KUNIT_CASE(slots_copy),
	KUNIT_CASE(slots_busy),
	KUNIT_CASE(slots_open_once),
	KUNIT_CASE(slots_open_amid_reset),
	KUNIT_CASE(slots_open_fails),
	KUNIT_CASE(slots_error),
	KUNIT_CASE(slots_error_in_map),
	KUNIT_CASE_SLOW(slots_dead_ring),
	KUNIT_CASE_SLOW(slots_dead_ring_is_reset),
	KUNIT_CASE(slots_reset),
	KUNIT_CASE(slots_reset_between),
	KUNIT_CASE(slots_reset_fails),
	KUNIT_CASE(slots_vram_lost),
	KUNIT_CASE(slots_suspend),
	KUNIT_CASE(slots_suspend_in_flight),
	KUNIT_CASE(slots_stop_in_flight),
	KUNIT_CASE(slots_runtime_suspend),
	KUNIT_CASE_SLOW(slots_stop),
	KUNIT_CASE_SLOW(slots_stop_silent),
	KUNIT_CASE(slots_stop_idle),
	KUNIT_CASE(slots_which_gpus),
	KUNIT_CASE(slots_which_rings),
	{}
};

static struct kunit_suite slots_test_suite = {
	.name = "amdgpu_sdma_copy",
	.init = slots_test_init,
	.test_cases = slots_test_cases,
};

kunit_test_suites(&packets_test_suite, &slots_test_suite);
