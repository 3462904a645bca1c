// SPDX-License-Identifier: GPL-2.0
/*
 * The SDMA of an AMD GPU, simulated
 *
 * Provides the auxiliary devices of include/linux/amd_sdma_copy_aux.h as amdgpu
 * does, without a GPU. SDMA engines are kernel threads that execute dwords: they
 * know packets, GPU addresses, page tables and a TLB, and nothing of what a
 * slot was asked to copy. A slot has two windows in GART; its first IB writes
 * page table entries for them, its second copies from one to the other.
 *
 * Through debugfs (migrate_offload_sim_sdma/N) it can be told to do what a GPU
 * and its driver can do wrong, and what happens to a GPU in its life:
 *
 *	latency_us, bandwidth_mb	how long a job takes, at least
 *	late_ms		what late jobs, and cancelled ones, take longer
 *	stuck_ms	after an error, until a slot is quiesced
 *	tdr_ms		patience with a job, then the GPU is reset; 0: for ever
 *	reset_ms	how long a reset takes, during which the SDMA goes on
 *	reset_fails	it is no good
 *	reset_writes	hung jobs write during a reset, after their fences
 *	asleep		runtime suspended, without a word
 *	version		of the SDMA, 4 to 7, from the next bind on
 *	reset, suspend, resume, remove	do that now; remove by a work
 *
 * Faults are drawn for each job: error (and nothing is copied), lie (a byte is
 * wrong), cancel (-ECANCELED at once, and the copy late_ms later), late, lose
 * (it is copied, and the fence not signalled), hang (and so do all after it),
 * busy and again (submit refuses).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/amd_sdma_copy_aux.h>
#include <linux/amd_sdma_packets.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/fault-inject.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define SS_DRIVER	"migrate-offload-sim-sdma"
#define SS_MAX_GPUS	4
#define SS_MAX_SLOTS	16

/* Of a window, as amdgpu has them: 2 MiB. */
#define SS_PAGES	(SZ_2M >> PAGE_SHIFT)
#define SS_PTES		(SZ_2M >> AMD_SDMA_GPU_PAGE_SHIFT)

/* GPU addresses: of the windows, of their page table, of IBs. */
#define SS_GART		0x7fff00000000ULL
#define SS_TABLE	0x008000100000ULL
#define SS_IB		0x00c000000000ULL
#define SS_IB_BYTES	SZ_64K
#define SS_IB_COPY	(SS_IB_BYTES - SZ_4K)	/* behind that which maps */

/* As amdgpu has, with jobs in flight before suspend and stop. */
#define SS_PATIENCE	(2 * HZ)

static unsigned int nr_gpus = 2;
module_param(nr_gpus, uint, 0444);
MODULE_PARM_DESC(nr_gpus, "number of GPUs (1 to 4)");

static unsigned int engines = 2;
module_param(engines, uint, 0444);
MODULE_PARM_DESC(engines, "SDMA engines of each GPU (1 to 16)");

static unsigned int slots = 4;
module_param(slots, uint, 0444);
MODULE_PARM_DESC(slots, "slots of each GPU (engines to 16)");

static int node[SS_MAX_GPUS] = { [0 ... SS_MAX_GPUS - 1] = NUMA_NO_NODE };
module_param_array(node, int, NULL, 0444);
MODULE_PARM_DESC(node, "NUMA node of each GPU");

enum ss_fault {
	SS_ERROR,
	SS_LIE,
	SS_CANCEL,
	SS_LATE,
	SS_LOSE,
	SS_HANG,
	SS_BUSY,
	SS_AGAIN,
	SS_NR_FAULTS,
	SS_GOOD = SS_NR_FAULTS
};

static const char * const ss_fault_names[SS_NR_FAULTS] = {
	[SS_ERROR] = "error",
	[SS_LIE] = "lie",
	[SS_CANCEL] = "cancel",
	[SS_LATE] = "late",
	[SS_LOSE] = "lose",
	[SS_HANG] = "hang",
	[SS_BUSY] = "busy",
	[SS_AGAIN] = "again",
};

enum ss_job_state {
	SS_OFF,
	SS_IDLE,	/* takes a job when it has a fence in stock */
	SS_RUNNING,	/* has a job, and the ring may be at it */
	SS_STUCK,	/* the ring is past it, but that is not known yet */
};

/* Why no job is taken; bits of ss_device.flags */
enum ss_flag {
	SS_STOPPED,
	SS_SUSPENDED,
	SS_RESETTING,
	SS_BROKEN,
	SS_CLOSED,
	SS_HALTED,	/* nothing runs any more */
};

struct ss_fence {
	struct dma_fence base;
	spinlock_t lock;		/* of base */
};

/* A slot, and the job in it. */
struct ss_job {
	struct ss_device *device;
	struct ss_ring *ring;
	unsigned int nr;
	spinlock_t lock;		/* all below */
	enum ss_job_state state;
	struct ss_fence *stock;
	struct ss_fence *fence;
	struct delayed_work work;	/* makes it ready for another job */
	struct amd_sdma_windows windows;
	u32 *ib;
	u32 map_dw;
	u32 copy_dw;
	size_t bytes;
	enum ss_fault fault;
	unsigned long start;
	struct list_head node;		/* of ring->jobs, under ring->lock */
};

/* An SDMA engine. */
struct ss_ring {
	struct ss_device *device;
	struct task_struct *task;
	wait_queue_head_t wait;
	spinlock_t lock;		/* all below */
	struct list_head jobs;
	struct ss_job *busy;
	bool abort;			/* drop that, and all others */
	bool go_on;			/* no matter that it hangs */
	u64 *tlb;
};

/* A GPU with its driver bound. */
struct ss_device {
	struct amd_sdma_copy_dev sdma;
	struct ss_gpu *gpu;
	unsigned long flags;
	/* As in amdgpu: reclaim may wait for who holds it. */
	struct mutex event_lock;	/* drv, and calls of its event */
	struct amd_sdma_copy_drv *drv;
	wait_queue_head_t wait;		/* for jobs that end */
	struct delayed_work tdr;
	struct amd_sdma_format format;
	u64 *table;			/* for all windows */
	u64 context;
	atomic64_t seqno;
	struct ss_job jobs[SS_MAX_SLOTS];
	struct ss_ring rings[SS_MAX_SLOTS];
};

/* What is there without a driver. */
static struct ss_gpu {
	struct platform_device *pdev;
	struct dentry *dir;
	struct work_struct remove;
	struct mutex lock;		/* device, and what happens to it */
	struct ss_device *device;

	u32 latency_us;
	u32 bandwidth_mb;
	u32 late_ms;
	u32 stuck_ms;
	u32 tdr_ms;
	u32 reset_ms;
	u32 version;
	bool reset_fails;
	bool reset_writes;
	bool asleep;
	struct fault_attr faults[SS_NR_FAULTS];

	atomic_t copied_jobs;
	atomic64_t copied_bytes;
	atomic_t written_ptes;
	atomic_t late_writes;		/* jobs that wrote after their fence */
	atomic_t wild_writes;		/* to memory that nobody owns */
	atomic_t vm_faults;		/* no translation, or no right */
	atomic_t bad_packets;
	atomic_t resets;
} ss_gpus[SS_MAX_GPUS];

static struct ss_device *to_ss_device(struct amd_sdma_copy_dev *sdma)
{
	return container_of(sdma, struct ss_device, sdma);
}

static bool ss_draw(struct ss_gpu *gpu, enum ss_fault fault, size_t len)
{
	/* A task's fail-nth is meant for its allocations. */
	return READ_ONCE(gpu->faults[fault].probability) &&
	       should_fail(&gpu->faults[fault], len);
}

/*
 * -- SDMA engines: what they see of the world, and execute
 */

static phys_addr_t ss_to_phys(struct ss_device *device, dma_addr_t addr)
{
	struct iommu_domain *domain =
		iommu_get_domain_for_dev(device->sdma.dma_dev);

	return domain ? iommu_iova_to_phys(domain, addr) : addr;
}

static void *ss_vm_fault(struct ss_device *device)
{
	atomic_inc(&device->gpu->vm_faults);
	return NULL;
}

/* System memory, through GART. */
static void *ss_translate(struct ss_ring *ring, u64 addr, bool write)
{
	u64 need = write ? AMD_SDMA_PTE_DST : AMD_SDMA_PTE_SRC;
	struct ss_device *device = ring->device;
	u64 at = (addr - SS_GART) >> AMD_SDMA_GPU_PAGE_SHIFT;
	phys_addr_t phys;
	u64 pte;

	if (!ring->tlb[at])
		ring->tlb[at] = READ_ONCE(device->table[at]);
	pte = ring->tlb[at];
	if ((pte & need) != need)
		return ss_vm_fault(device);
	phys = ss_to_phys(device, pte & AMD_SDMA_PTE_ADDR);
	if (!phys || !pfn_valid(PHYS_PFN(phys)))
		return ss_vm_fault(device);
	/* Count it, but leave the machine alive to tell. */
	if (write && !folio_ref_count(page_folio(pfn_to_page(PHYS_PFN(phys))))) {
		atomic_inc(&device->gpu->wild_writes);
		return NULL;
	}
	return phys_to_virt(phys) + (addr & (SZ_4K - 1));
}

/* What is at GPU address @addr, of which @len bytes are in one GPU page. */
static void *ss_at(struct ss_ring *ring, u64 addr, size_t len, bool write)
{
	struct ss_device *device = ring->device;

	if (addr >= SS_GART &&
	    addr + len <= SS_GART + (u64)slots * 2 * SZ_2M)
		return ss_translate(ring, addr, write);
	if (addr >= SS_TABLE &&
	    addr + len <= SS_TABLE + (u64)slots * 2 * SS_PTES * sizeof(u64)) {
		if (write)
			atomic_add(len / sizeof(u64), &device->gpu->written_ptes);
		return (void *)device->table + (addr - SS_TABLE);
	}
	if (!write && addr >= SS_IB &&
	    addr + len <= SS_IB + (u64)slots * SS_IB_BYTES)
		return (void *)device->jobs[(addr - SS_IB) / SS_IB_BYTES].ib +
		       (addr - SS_IB) % SS_IB_BYTES;
	return ss_vm_fault(device);
}

static bool ss_copy_linear(struct ss_ring *ring, u64 src, u64 dst, size_t len)
{
	while (len) {
		size_t part = min3(len, SZ_4K - (size_t)(src & (SZ_4K - 1)),
				   SZ_4K - (size_t)(dst & (SZ_4K - 1)));
		void *from = ss_at(ring, src, part, false);
		void *to = ss_at(ring, dst, part, true);

		if (!from || !to)
			return false;
		memcpy(to, from, part);
		src += part;
		dst += part;
		len -= part;
	}
	return true;
}

/* Execute an IB. Returns whether all went well. */
static bool ss_execute_ib(struct ss_ring *ring, const u32 *p, u32 dw)
{
	const struct amd_sdma_format *format = &ring->device->format;
	const u32 *end = p + dw;

	while (p < end) {
		if (*p == AMD_SDMA_NOP) {
			p++;
			continue;
		}
		if (*p != format->copy_header || end - p < format->copy_dw ||
		    p[1] >= format->max_bytes || p[2]) {
			atomic_inc(&ring->device->gpu->bad_packets);
			return false;
		}
		if (!ss_copy_linear(ring, (u64)p[4] << 32 | p[3],
				    (u64)p[6] << 32 | p[5], (size_t)p[1] + 1))
			return false;
		p += format->copy_dw;
	}
	return true;
}

static void ss_flush_tlb(struct ss_ring *ring)
{
	memset(ring->tlb, 0, slots * 2 * SS_PTES * sizeof(u64));
}

/* The last byte of the window, which is one of the copy. */
static void ss_spoil(struct ss_ring *ring, struct ss_job *job)
{
	u8 *last = ss_at(ring, job->windows.dst + job->bytes - 1, 1, true);

	if (last)
		*last = ~*last;
}

static bool ss_is_signalled(struct ss_job *job)
{
	return test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &job->fence->base.flags);
}

static bool ss_execute(struct ss_ring *ring, struct ss_job *job)
{
	struct ss_gpu *gpu = ring->device->gpu;

	if (ss_is_signalled(job))
		atomic_inc(&gpu->late_writes);
	if (!ss_execute_ib(ring, job->ib, job->map_dw))
		return false;
	ss_flush_tlb(ring);
	if (!ss_execute_ib(ring, job->ib + SS_IB_COPY / sizeof(u32),
			   job->copy_dw))
		return false;
	if (job->fault == SS_LIE)
		ss_spoil(ring, job);
	atomic_inc(&gpu->copied_jobs);
	atomic64_add(job->bytes, &gpu->copied_bytes);
	return true;
}

/*
 * -- Jobs
 */

/* Unless it has been: then with what it was signalled with. */
static void ss_signal(struct ss_job *job, int error)
{
	struct dma_fence *fence = &job->fence->base;
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags)) {
		if (error)
			dma_fence_set_error(fence, error);
		dma_fence_signal_locked(fence);
	}
	spin_unlock_irqrestore(fence->lock, flags);
}

/* The ring is past the job. */
static void ss_job_end(struct ss_job *job)
{
	struct ss_device *device = job->device;
	unsigned long delay = 0;

	spin_lock(&job->lock);
	job->state = SS_IDLE;
	if (job->fence->base.error) {
		delay = msecs_to_jiffies(READ_ONCE(device->gpu->stuck_ms));
		job->state = delay ? SS_STUCK : SS_IDLE;
	}
	mod_delayed_work(system_unbound_wq, &job->work, delay);
	spin_unlock(&job->lock);
	wake_up_all(&device->wait);
}

/* True if that was all; false if it was aborted, or is to go on. */
static bool ss_wait(struct ss_ring *ring, u64 us)
{
	return us && !wait_event_hrtimeout(ring->wait, READ_ONCE(ring->abort) ||
					   READ_ONCE(ring->go_on),
					   ns_to_ktime(us * NSEC_PER_USEC));
}

static void ss_run(struct ss_ring *ring, struct ss_job *job)
{
	struct ss_gpu *gpu = ring->device->gpu;
	u32 bandwidth = READ_ONCE(gpu->bandwidth_mb);
	u64 late = (u64)READ_ONCE(gpu->late_ms) * USEC_PER_MSEC;
	u64 us = READ_ONCE(gpu->latency_us);
	int error = 0;

	if (bandwidth)
		us += job->bytes / bandwidth;
	if (us)
		ss_wait(ring, us);
	switch (job->fault) {
	case SS_CANCEL:
		ss_signal(job, -ECANCELED);
		fallthrough;
	case SS_LATE:
		ss_wait(ring, late);
		break;
	case SS_HANG:
		wait_event(ring->wait, READ_ONCE(ring->abort) ||
			   READ_ONCE(ring->go_on));
		break;
	default:
		break;
	}
	if (READ_ONCE(ring->abort))
		error = -ECANCELED;
	else if (job->fault == SS_ERROR || !ss_execute(ring, job))
		error = -EIO;
	if (job->fault == SS_LOSE && !READ_ONCE(ring->abort)) {
		/* Its slot stays as it is, until there is a reset. */
		spin_lock(&ring->lock);
		ring->busy = NULL;
		spin_unlock(&ring->lock);
		return;
	}
	ss_signal(job, error);
	ss_job_end(job);
	/* A reset looks at what is in a ring: not at the slot's next job. */
	spin_lock(&ring->lock);
	ring->busy = NULL;
	spin_unlock(&ring->lock);
}

static struct ss_job *ss_next(struct ss_ring *ring)
{
	struct ss_job *job;

	spin_lock(&ring->lock);
	job = list_first_entry_or_null(&ring->jobs, struct ss_job, node);
	if (job) {
		list_del_init(&job->node);
		ring->busy = job;
	}
	spin_unlock(&ring->lock);
	return job;
}

static int ss_thread(void *data)
{
	struct ss_ring *ring = data;

	while (!kthread_should_stop()) {
		struct ss_job *job;
		bool cookie;

		wait_event_interruptible(ring->wait, kthread_should_stop() ||
					 !list_empty_careful(&ring->jobs));
		cookie = dma_fence_begin_signalling();
		job = ss_next(ring);
		if (job)
			ss_run(ring, job);
		dma_fence_end_signalling(cookie);
		wake_up_all(&ring->device->wait);
	}
	return 0;
}

static const char *ss_fence_name(struct dma_fence *fence)
{
	return SS_DRIVER;
}

static const struct dma_fence_ops ss_fence_ops = {
	.get_driver_name = ss_fence_name,
	.get_timeline_name = ss_fence_name,
};

/* So that submit() need not allocate. */
static void ss_stock(struct ss_job *job)
{
	struct ss_fence *fence;

	if (job->stock)
		return;
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return;
	spin_lock_init(&fence->lock);
	spin_lock(&job->lock);
	job->stock = fence;
	spin_unlock(&job->lock);
}

static void ss_job_work(struct work_struct *work)
{
	struct ss_job *job = container_of(to_delayed_work(work), struct ss_job,
					  work);

	ss_stock(job);
	spin_lock(&job->lock);
	if (job->state == SS_STUCK)
		job->state = SS_IDLE;
	spin_unlock(&job->lock);
	wake_up_all(&job->device->wait);
}

static bool ss_in_flight(struct ss_job *job)
{
	return READ_ONCE(job->state) == SS_RUNNING;
}

static bool ss_none_in_flight(struct ss_device *device)
{
	unsigned int i;

	for (i = 0; i < slots; i++)
		if (ss_in_flight(&device->jobs[i]))
			return false;
	return true;
}

/*
 * -- Operations
 */

static int ss_may_run(struct ss_device *device)
{
	if (test_bit(SS_STOPPED, &device->flags))
		return -ENODEV;
	return READ_ONCE(device->flags) || READ_ONCE(device->gpu->asleep) ?
	       -EAGAIN : 0;
}

static void ss_build(struct ss_job *job, const struct amd_sdma_copy_pair *pairs,
		     u32 nr, u32 pages)
{
	struct ss_device *device = job->device;

	job->bytes = (size_t)pages << PAGE_SHIFT;
	job->map_dw = amd_sdma_build_map(job->ib,
					 SS_IB + (u64)job->nr * SS_IB_BYTES,
					 &device->format, &job->windows, pairs,
					 nr, pages);
	job->copy_dw = amd_sdma_build_copy(job->ib + SS_IB_COPY / sizeof(u32),
					   &device->format, &job->windows,
					   pages);
}

static enum ss_fault ss_draw_job(struct ss_gpu *gpu, size_t len)
{
	enum ss_fault fault;

	for (fault = 0; fault < SS_BUSY; fault++)
		if (ss_draw(gpu, fault, len))
			return fault;
	return SS_GOOD;
}

static void ss_push(struct ss_job *job)
{
	struct ss_ring *ring = job->ring;

	spin_lock(&ring->lock);
	list_add_tail(&job->node, &ring->jobs);
	spin_unlock(&ring->lock);
	wake_up_all(&ring->wait);
}

static int ss_start(struct ss_job *job, const struct amd_sdma_copy_pair *pairs,
		    u32 nr, u32 pages, struct dma_fence **fence)
{
	struct ss_device *device = job->device;
	struct ss_gpu *gpu = device->gpu;
	int err;

	lockdep_assert_held(&job->lock);
	err = ss_may_run(device);
	if (err)
		return err;
	if (job->state != SS_IDLE || !job->stock)
		return -EBUSY;
	if (job->fence)
		dma_fence_put(&job->fence->base);
	job->fence = job->stock;
	job->stock = NULL;
	dma_fence_init(&job->fence->base, &ss_fence_ops, &job->fence->lock,
		       device->context + job->nr,
		       atomic64_inc_return(&device->seqno));
	ss_build(job, pairs, nr, pages);
	job->fault = ss_draw_job(gpu, job->bytes);
	job->start = jiffies;
	WRITE_ONCE(job->state, SS_RUNNING);
	*fence = dma_fence_get(&job->fence->base);
	ss_push(job);
	if (gpu->tdr_ms)
		queue_delayed_work(system_unbound_wq, &device->tdr,
				   msecs_to_jiffies(gpu->tdr_ms));
	return 0;
}

static int ss_submit(struct amd_sdma_copy_dev *sdma, u32 slot,
		     const struct amd_sdma_copy_pair *pairs, u32 nr,
		     struct dma_fence **fence)
{
	struct ss_device *device = to_ss_device(sdma);
	struct ss_job *job;
	int pages, err;

	lockdep_assert_irqs_enabled();
	pages = amd_sdma_count_pages(pairs, nr, SS_PAGES);
	if (slot >= slots || pages < 0)
		return -EINVAL;
	if (ss_draw(device->gpu, SS_BUSY, pages))
		return -EBUSY;
	if (ss_draw(device->gpu, SS_AGAIN, pages))
		return -EAGAIN;
	job = &device->jobs[slot];
	spin_lock(&job->lock);
	err = ss_start(job, pairs, nr, pages, fence);
	spin_unlock(&job->lock);
	return err;
}

static bool ss_job_quiesced(struct ss_job *job)
{
	bool quiesced;

	if (test_bit(SS_HALTED, &job->device->flags))
		return true;
	spin_lock(&job->lock);
	quiesced = job->state == SS_OFF || job->state == SS_IDLE ||
		   (job->state == SS_RUNNING && ss_is_signalled(job) &&
		    !job->fence->base.error);
	spin_unlock(&job->lock);
	return quiesced;
}

static bool ss_quiesced(struct amd_sdma_copy_dev *sdma, u32 slot)
{
	return slot < slots &&
	       ss_job_quiesced(&to_ss_device(sdma)->jobs[slot]);
}

/* Nothing of any job is left, nor on its way. */
static bool ss_all_ended(struct ss_device *device)
{
	unsigned int i;

	if (test_bit(SS_HALTED, &device->flags))
		return true;
	for (i = 0; i < slots; i++)
		if (!ss_job_quiesced(&device->jobs[i]) ||
		    ss_in_flight(&device->jobs[i]))
			return false;
	return true;
}

static void ss_event(struct ss_device *device, enum amd_sdma_copy_event event)
{
	mutex_lock(&device->event_lock);
	if (device->drv && device->drv->event)
		device->drv->event(&device->sdma, event);
	mutex_unlock(&device->event_lock);
}

/* After this, whoever holds a slot's lock sees @flag. */
static void ss_shut(struct ss_device *device, enum ss_flag flag)
{
	unsigned int i;

	set_bit(flag, &device->flags);
	for (i = 0; i < slots; i++) {
		spin_lock(&device->jobs[i].lock);
		spin_unlock(&device->jobs[i].lock);
	}
}

static void ss_job_fini(struct ss_job *job)
{
	cancel_delayed_work_sync(&job->work);
	job->state = SS_OFF;
	if (job->fence)
		dma_fence_put(&job->fence->base);
	job->fence = NULL;
	kfree(job->stock);
	job->stock = NULL;
	kvfree(job->ib);
	job->ib = NULL;
}

static int ss_job_init(struct ss_job *job)
{
	job->ib = kvzalloc(SS_IB_BYTES, GFP_KERNEL);
	if (!job->ib)
		return -ENOMEM;
	ss_stock(job);
	job->state = SS_IDLE;
	return 0;
}

static int ss_open(struct amd_sdma_copy_dev *sdma,
		   struct amd_sdma_copy_caps *caps)
{
	struct ss_device *device = to_ss_device(sdma);
	unsigned int i;
	int err = 0;

	mutex_lock(&device->event_lock);
	if (test_bit(SS_STOPPED, &device->flags))
		err = -ENODEV;
	else if (device->drv)
		err = -EBUSY;
	else
		device->drv = to_amd_sdma_copy_drv(sdma->adev.dev.driver);
	mutex_unlock(&device->event_lock);
	if (err)
		return err;

	for (i = 0; i < slots && !err; i++)
		err = ss_job_init(&device->jobs[i]);
	if (err) {
		for (i = 0; i < slots; i++)
			ss_job_fini(&device->jobs[i]);
		mutex_lock(&device->event_lock);
		device->drv = NULL;
		mutex_unlock(&device->event_lock);
		return err;
	}
	clear_bit(SS_CLOSED, &device->flags);
	*caps = (struct amd_sdma_copy_caps) {
		.nr_slots = slots,
		.nr_engines = engines,
		.max_pages = SS_PAGES,
		.numa_node = dev_to_node(sdma->dma_dev),
		.sdma_version = device->gpu->version << 16,
	};
	return 0;
}

static void ss_close(struct amd_sdma_copy_dev *sdma)
{
	struct ss_device *device = to_ss_device(sdma);
	unsigned int i;

	wait_event(device->wait, ss_all_ended(device));
	ss_shut(device, SS_CLOSED);
	mutex_lock(&device->event_lock);
	device->drv = NULL;
	mutex_unlock(&device->event_lock);
	for (i = 0; i < slots; i++)
		ss_job_fini(&device->jobs[i]);
}

static const struct amd_sdma_copy_ops ss_ops = {
	.open = ss_open,
	.close = ss_close,
	.submit = ss_submit,
	.quiesced = ss_quiesced,
};

/*
 * -- What happens to a GPU
 */

static bool ss_ring_is_idle(struct ss_ring *ring)
{
	bool idle;

	spin_lock(&ring->lock);
	idle = !ring->busy && list_empty(&ring->jobs);
	spin_unlock(&ring->lock);
	return idle;
}

static void ss_set_all(struct ss_device *device, bool abort, bool go_on)
{
	unsigned int i;

	for (i = 0; i < engines; i++) {
		WRITE_ONCE(device->rings[i].abort, abort);
		WRITE_ONCE(device->rings[i].go_on, go_on);
		wake_up_all(&device->rings[i].wait);
	}
}

/* The engines stop where they are, and drop what they have. */
static void ss_stop_rings(struct ss_device *device)
{
	unsigned int i;

	ss_set_all(device, true, false);
	for (i = 0; i < engines; i++)
		wait_event(device->wait, ss_ring_is_idle(&device->rings[i]));
	ss_set_all(device, false, false);
}

static void ss_cancel_all(struct ss_device *device)
{
	unsigned int i;

	for (i = 0; i < slots; i++) {
		struct ss_job *job = &device->jobs[i];

		spin_lock(&job->lock);
		if (job->state == SS_RUNNING)
			ss_signal(job, -ECANCELED);
		spin_unlock(&job->lock);
	}
}

/* Those that were lost. */
static void ss_end_all(struct ss_device *device)
{
	unsigned int i;

	for (i = 0; i < slots; i++)
		if (ss_in_flight(&device->jobs[i]))
			ss_job_end(&device->jobs[i]);
}

/*
 * As amdgpu from 7.3 on: fences are signalled first, and then the GPU is reset,
 * and what is in its memory is lost.
 */
static void ss_reset(struct ss_device *device, bool fails)
{
	struct ss_gpu *gpu = device->gpu;
	unsigned int i;

	lockdep_assert_held(&gpu->lock);
	ss_shut(device, SS_RESETTING);
	ss_event(device, AMD_SDMA_COPY_RESET_PRE);
	ss_cancel_all(device);
	if (gpu->reset_writes)
		ss_set_all(device, false, true);
	msleep(gpu->reset_ms);
	atomic_inc(&gpu->resets);
	if (fails) {
		ss_set_all(device, false, false);
		set_bit(SS_BROKEN, &device->flags);
		clear_bit(SS_RESETTING, &device->flags);
		ss_event(device, AMD_SDMA_COPY_RESET_FAILED);
		return;
	}
	ss_stop_rings(device);
	memset(device->table, 0, slots * 2 * SS_PTES * sizeof(u64));
	for (i = 0; i < engines; i++)
		ss_flush_tlb(&device->rings[i]);
	ss_end_all(device);
	clear_bit(SS_BROKEN, &device->flags);
	clear_bit(SS_RESETTING, &device->flags);
	ss_event(device, AMD_SDMA_COPY_RESET_DONE);
}

static bool ss_is_overdue(struct ss_device *device)
{
	unsigned long patience = msecs_to_jiffies(device->gpu->tdr_ms);
	bool overdue = false;
	unsigned int i;

	for (i = 0; i < slots && patience; i++) {
		struct ss_job *job = &device->jobs[i];

		spin_lock(&job->lock);
		if (job->state == SS_RUNNING && !ss_is_signalled(job) &&
		    time_after_eq(jiffies, job->start + patience))
			overdue = true;
		spin_unlock(&job->lock);
	}
	return overdue;
}

static void ss_tdr(struct work_struct *work)
{
	struct ss_device *device = container_of(to_delayed_work(work),
						struct ss_device, tdr);
	struct ss_gpu *gpu = device->gpu;

	mutex_lock(&gpu->lock);
	if (gpu->device == device && ss_is_overdue(device))
		ss_reset(device, gpu->reset_fails);
	if (gpu->device == device && gpu->tdr_ms && !ss_none_in_flight(device))
		queue_delayed_work(system_unbound_wq, &device->tdr,
				   msecs_to_jiffies(gpu->tdr_ms));
	mutex_unlock(&gpu->lock);
}

static int ss_reset_set(void *data, u64 value)
{
	struct ss_gpu *gpu = data;

	mutex_lock(&gpu->lock);
	if (gpu->device)
		ss_reset(gpu->device, gpu->reset_fails);
	mutex_unlock(&gpu->lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(ss_reset_fops, NULL, ss_reset_set, "%llu\n");

static int ss_suspend_set(void *data, u64 value)
{
	struct ss_gpu *gpu = data;
	struct ss_device *device;

	mutex_lock(&gpu->lock);
	device = gpu->device;
	if (device) {
		ss_shut(device, SS_SUSPENDED);
		ss_event(device, AMD_SDMA_COPY_SUSPEND);
		wait_event_timeout(device->wait, ss_none_in_flight(device),
				   SS_PATIENCE);
	}
	mutex_unlock(&gpu->lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(ss_suspend_fops, NULL, ss_suspend_set, "%llu\n");

static int ss_resume_set(void *data, u64 value)
{
	struct ss_gpu *gpu = data;
	struct ss_device *device;

	mutex_lock(&gpu->lock);
	device = gpu->device;
	if (device) {
		clear_bit(SS_SUSPENDED, &device->flags);
		ss_event(device, AMD_SDMA_COPY_RESUME);
	}
	mutex_unlock(&gpu->lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(ss_resume_fops, NULL, ss_resume_set, "%llu\n");

static void ss_remove_work(struct work_struct *work)
{
	struct ss_gpu *gpu = container_of(work, struct ss_gpu, remove);

	device_release_driver(&gpu->pdev->dev);
}

/* The card is pulled out. */
static int ss_remove_set(void *data, u64 value)
{
	struct ss_gpu *gpu = data;

	queue_work(system_unbound_wq, &gpu->remove);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(ss_remove_fops, NULL, ss_remove_set, "%llu\n");

/*
 * -- The driver
 */

static void ss_free(struct ss_device *device)
{
	unsigned int i;

	for (i = 0; i < engines; i++) {
		if (device->rings[i].task)
			kthread_stop(device->rings[i].task);
		vfree(device->rings[i].tlb);
	}
	vfree(device->table);
	kvfree(device);
}

static void ss_adev_release(struct device *dev)
{
	struct amd_sdma_copy_dev *sdma =
		to_amd_sdma_copy_dev(to_auxiliary_dev(dev));

	ss_free(to_ss_device(sdma));
}

static int ss_start_ring(struct ss_device *device, unsigned int nr)
{
	struct ss_ring *ring = &device->rings[nr];
	struct task_struct *task;

	ring->device = device;
	init_waitqueue_head(&ring->wait);
	spin_lock_init(&ring->lock);
	INIT_LIST_HEAD(&ring->jobs);
	ring->tlb = vzalloc(array3_size(slots, 2 * SS_PTES, sizeof(u64)));
	if (!ring->tlb)
		return -ENOMEM;
	task = kthread_run(ss_thread, ring, "sim-sdma%d-%u",
			   device->gpu->pdev->id, nr);
	if (IS_ERR(task))
		return PTR_ERR(task);
	ring->task = task;
	return 0;
}

static void ss_prepare_job(struct ss_device *device, unsigned int nr)
{
	struct ss_job *job = &device->jobs[nr];

	job->device = device;
	job->nr = nr;
	job->ring = &device->rings[nr % engines];
	spin_lock_init(&job->lock);
	INIT_LIST_HEAD(&job->node);
	INIT_DELAYED_WORK(&job->work, ss_job_work);
	job->windows = (struct amd_sdma_windows) {
		.src = SS_GART + (2 * nr) * (u64)SZ_2M,
		.dst = SS_GART + (2 * nr + 1) * (u64)SZ_2M,
		.src_table = SS_TABLE + (2 * nr) * SS_PTES * sizeof(u64),
		.dst_table = SS_TABLE + (2 * nr + 1) * SS_PTES * sizeof(u64),
	};
}

/* Lockdep is to know at once what it would learn when memory is short. */
static void ss_prime(struct ss_device *device)
{
	fs_reclaim_acquire(GFP_KERNEL);
	mutex_lock(&device->event_lock);
	mutex_unlock(&device->event_lock);
	spin_lock(&device->jobs[0].lock);
	spin_unlock(&device->jobs[0].lock);
	fs_reclaim_release(GFP_KERNEL);
}

static struct ss_device *ss_alloc(struct ss_gpu *gpu)
{
	struct ss_device *device = kvzalloc(sizeof(*device), GFP_KERNEL);
	unsigned int i;

	if (!device)
		return NULL;
	device->gpu = gpu;
	device->flags = BIT(SS_CLOSED);
	mutex_init(&device->event_lock);
	init_waitqueue_head(&device->wait);
	INIT_DELAYED_WORK(&device->tdr, ss_tdr);
	device->context = dma_fence_context_alloc(slots);
	device->table = vzalloc(array3_size(slots, 2 * SS_PTES, sizeof(u64)));
	if (!device->table || !amd_sdma_format(gpu->version, &device->format))
		goto err_free;
	for (i = 0; i < slots; i++)
		ss_prepare_job(device, i);
	for (i = 0; i < engines; i++)
		if (ss_start_ring(device, i))
			goto err_free;
	ss_prime(device);
	return device;
err_free:
	ss_free(device);
	return NULL;
}

static int ss_probe(struct platform_device *pdev)
{
	struct ss_gpu *gpu = &ss_gpus[pdev->id];
	struct device *dev = &pdev->dev;
	struct auxiliary_device *adev;
	struct ss_device *device;
	int err;

	/* As amdgpu does, on most GPUs. */
	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(48));
	if (err)
		return err;
	dma_set_max_seg_size(dev, UINT_MAX);
	device = ss_alloc(gpu);
	if (!device)
		return -ENOMEM;
	device->sdma.dma_dev = dev;
	device->sdma.ops = &ss_ops;
	adev = &device->sdma.adev;
	adev->name = AMD_SDMA_COPY_DEV_NAME;
	adev->id = pdev->id;
	adev->dev.parent = dev;
	adev->dev.release = ss_adev_release;
	err = auxiliary_device_init(adev);
	if (err) {
		ss_free(device);
		return err;
	}
	platform_set_drvdata(pdev, device);
	mutex_lock(&gpu->lock);
	gpu->device = device;
	mutex_unlock(&gpu->lock);
	err = auxiliary_device_add(adev);
	if (err) {
		mutex_lock(&gpu->lock);
		gpu->device = NULL;
		mutex_unlock(&gpu->lock);
		auxiliary_device_uninit(adev);
	}
	return err;
}

static void ss_remove(struct platform_device *pdev)
{
	struct ss_device *device = platform_get_drvdata(pdev);
	struct ss_gpu *gpu = device->gpu;

	mutex_lock(&gpu->lock);
	gpu->device = NULL;
	ss_shut(device, SS_STOPPED);
	ss_event(device, AMD_SDMA_COPY_STOP);
	mutex_unlock(&gpu->lock);
	cancel_delayed_work_sync(&device->tdr);
	wait_event_timeout(device->wait, ss_none_in_flight(device), SS_PATIENCE);
	/* Bus mastering is off. */
	ss_cancel_all(device);
	ss_stop_rings(device);
	set_bit(SS_HALTED, &device->flags);
	wake_up_all(&device->wait);
	auxiliary_device_delete(&device->sdma.adev);
	auxiliary_device_uninit(&device->sdma.adev);
}

static struct platform_driver ss_driver = {
	.probe = ss_probe,
	.remove = ss_remove,
	.driver.name = SS_DRIVER,
};

static int ss_bytes_get(void *data, u64 *value)
{
	*value = atomic64_read(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(ss_bytes_fops, ss_bytes_get, NULL, "%llu\n");

static struct dentry *ss_root;

static void ss_debugfs(struct ss_gpu *gpu, unsigned int nr)
{
	struct dentry *dir;
	unsigned int i;
	char name[8];

	snprintf(name, sizeof(name), "%u", nr);
	dir = debugfs_create_dir(name, ss_root);
	gpu->dir = dir;
	debugfs_create_u32("latency_us", 0644, dir, &gpu->latency_us);
	debugfs_create_u32("bandwidth_mb", 0644, dir, &gpu->bandwidth_mb);
	debugfs_create_u32("late_ms", 0644, dir, &gpu->late_ms);
	debugfs_create_u32("stuck_ms", 0644, dir, &gpu->stuck_ms);
	debugfs_create_u32("tdr_ms", 0644, dir, &gpu->tdr_ms);
	debugfs_create_u32("reset_ms", 0644, dir, &gpu->reset_ms);
	debugfs_create_u32("version", 0644, dir, &gpu->version);
	debugfs_create_bool("reset_fails", 0644, dir, &gpu->reset_fails);
	debugfs_create_bool("reset_writes", 0644, dir, &gpu->reset_writes);
	debugfs_create_bool("asleep", 0644, dir, &gpu->asleep);
	debugfs_create_atomic_t("copied_jobs", 0444, dir, &gpu->copied_jobs);
	debugfs_create_file_unsafe("copied_bytes", 0444, dir,
				   &gpu->copied_bytes, &ss_bytes_fops);
	debugfs_create_atomic_t("written_ptes", 0444, dir, &gpu->written_ptes);
	debugfs_create_atomic_t("late_writes", 0444, dir, &gpu->late_writes);
	debugfs_create_atomic_t("wild_writes", 0444, dir, &gpu->wild_writes);
	debugfs_create_atomic_t("vm_faults", 0444, dir, &gpu->vm_faults);
	debugfs_create_atomic_t("bad_packets", 0444, dir, &gpu->bad_packets);
	debugfs_create_atomic_t("resets", 0444, dir, &gpu->resets);
	debugfs_create_file_unsafe("reset", 0200, dir, gpu, &ss_reset_fops);
	debugfs_create_file_unsafe("suspend", 0200, dir, gpu, &ss_suspend_fops);
	debugfs_create_file_unsafe("resume", 0200, dir, gpu, &ss_resume_fops);
	debugfs_create_file_unsafe("remove", 0200, dir, gpu, &ss_remove_fops);
	for (i = 0; i < SS_NR_FAULTS; i++)
		fault_create_debugfs_attr(ss_fault_names[i], dir,
					  &gpu->faults[i]);
}

static void ss_gpu_destroy(struct ss_gpu *gpu)
{
	/* No one can ask for anything any more. */
	debugfs_remove_recursive(gpu->dir);
	if (gpu->pdev) {
		cancel_work_sync(&gpu->remove);
		platform_device_unregister(gpu->pdev);
	}
}

static int __init ss_gpu_create(struct ss_gpu *gpu, unsigned int nr)
{
	struct platform_device *pdev;
	unsigned int i;
	int err;

	mutex_init(&gpu->lock);
	INIT_WORK(&gpu->remove, ss_remove_work);
	gpu->late_ms = 2000;
	gpu->stuck_ms = 20;
	gpu->tdr_ms = 2000;
	gpu->reset_ms = 100;
	gpu->version = 4;
	for (i = 0; i < SS_NR_FAULTS; i++) {
		gpu->faults[i] = (struct fault_attr)FAULT_ATTR_INITIALIZER;
		gpu->faults[i].verbose = 0;
	}
	pdev = platform_device_alloc(SS_DRIVER, nr);
	if (!pdev)
		return -ENOMEM;
	set_dev_node(&pdev->dev, node[nr]);
	gpu->pdev = pdev;
	err = platform_device_add(pdev);
	if (err) {
		gpu->pdev = NULL;
		platform_device_put(pdev);
		return err;
	}
	ss_debugfs(gpu, nr);
	return 0;
}

static int __init ss_init(void)
{
	unsigned int i;
	int err;

	if (!nr_gpus || nr_gpus > SS_MAX_GPUS || !engines || slots < engines ||
	    slots > SS_MAX_SLOTS)
		return -EINVAL;
	for (i = 0; i < nr_gpus; i++)
		if (node[i] != NUMA_NO_NODE &&
		    (node[i] < 0 || node[i] >= MAX_NUMNODES ||
		     !node_possible(node[i])))
			return -EINVAL;

	ss_root = debugfs_create_dir("migrate_offload_sim_sdma", NULL);
	err = platform_driver_register(&ss_driver);
	if (err)
		goto err_debugfs;
	for (i = 0; !err && i < nr_gpus; i++)
		err = ss_gpu_create(&ss_gpus[i], i);
	if (!err)
		return 0;

	while (i--)
		ss_gpu_destroy(&ss_gpus[i]);
	platform_driver_unregister(&ss_driver);
err_debugfs:
	debugfs_remove_recursive(ss_root);
	return err;
}
module_init(ss_init);

static void __exit ss_exit(void)
{
	unsigned int i;

	for (i = 0; i < nr_gpus; i++)
		ss_gpu_destroy(&ss_gpus[i]);
	platform_driver_unregister(&ss_driver);
	debugfs_remove_recursive(ss_root);
}
module_exit(ss_exit);

MODULE_DESCRIPTION("Simulated SDMA of AMD GPUs");
MODULE_LICENSE("GPL");
