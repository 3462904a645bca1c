/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Copies of system memory by the system DMA (SDMA) of AMD GPUs
 *
 * amdgpu creates an auxiliary device for each GPU whose SDMA can copy from
 * system memory to system memory. An auxiliary driver that binds to it gets
 * slots: each holds one job at a time, a list of copies between DMA addresses,
 * and its end is a fence. amdgpu never sees a struct page; the driver never
 * sees GART, IBs or rings. Neither needs a symbol of the other.
 *
 * The calls go both ways: operations on the device are in &amd_sdma_copy_ops
 * and amdgpu provides them; what happens to the device is told through
 * &amd_sdma_copy_drv.event, and the auxiliary driver provides that.
 *
 * Two facts about a job are apart. Its fence says what is known of the copy:
 * without an error, all bytes have arrived; with one, nothing is known.
 * &amd_sdma_copy_ops.quiesced says whether the GPU can still touch the memory.
 * A reset signals fences with errors while the GPU may still be writing.
 */
#ifndef _LINUX_AMD_SDMA_COPY_AUX_H
#define _LINUX_AMD_SDMA_COPY_AUX_H

#include <linux/auxiliary_bus.h>
#include <linux/container_of.h>
#include <linux/types.h>

struct amd_sdma_copy_dev;
struct device;
struct dma_fence;

/*
 * The name of the auxiliary device. What to match, in the id table of the
 * auxiliary driver, is KBUILD_MODNAME of the module that made it, a dot and
 * this.
 */
#define AMD_SDMA_COPY_DEV_NAME	"sdma_copy"
#define AMD_SDMA_COPY_AMDGPU_ID	"amdgpu." AMD_SDMA_COPY_DEV_NAME

/**
 * struct amd_sdma_copy_caps - what a device can do
 * @nr_slots: number of slots; jobs in different slots are independent of one
 *	another and may be in flight together. At least 1.
 * @nr_engines: number of SDMA engines that the slots are spread over. Slot s
 *	is on engine s % @nr_engines; the jobs of one engine run one after the
 *	other. At least 1, at most @nr_slots.
 * @max_pages: most pages, of PAGE_SIZE each, that one job can copy, over all
 *	of its pairs. There is no other limit on the number of pairs.
 * @numa_node: node that the GPU is nearest to, or NUMA_NO_NODE
 * @sdma_version: version of the SDMA, 0xMMmmrr (major, minor, revision), for
 *	messages only
 *
 * None of these changes until the device is closed.
 */
struct amd_sdma_copy_caps {
	u32 nr_slots;
	u32 nr_engines;
	u32 max_pages;
	int numa_node;
	u32 sdma_version;
};

/**
 * struct amd_sdma_copy_pair - one copy
 * @src: DMA address of the first byte to read, a multiple of PAGE_SIZE, mapped
 *	for &amd_sdma_copy_dev.dma_dev with DMA_TO_DEVICE (or _BIDIRECTIONAL)
 * @dst: DMA address of the first byte to write, a multiple of PAGE_SIZE,
 *	mapped likewise with DMA_FROM_DEVICE
 * @pages: length, in units of PAGE_SIZE bytes; at least 1
 *
 * The GPU snoops the CPU's caches: map without DMA_ATTR_SKIP_CPU_SYNC, and only
 * if the device is coherent (dma_need_sync() is false for both addresses).
 */
struct amd_sdma_copy_pair {
	dma_addr_t src;
	dma_addr_t dst;
	u32 pages;
};

/**
 * enum amd_sdma_copy_event - what happens to a device
 * @AMD_SDMA_COPY_STOP: the device is about to go, be it that amdgpu is unbound
 *	or that the GPU was pulled out. Nothing can be submitted any more. The
 *	auxiliary device is removed next, when the SDMA has been stopped;
 *	whatever is still in flight then is quiesced by that.
 * @AMD_SDMA_COPY_RESET_PRE: the GPU is about to be reset, possibly because
 *	another GPU of the same hive hangs. Jobs in flight are not run again.
 *	They will end with an error, which can be before the reset is over; if
 *	the reset fails, their fences may never be signalled.
 * @AMD_SDMA_COPY_RESET_DONE: the reset was good, jobs can be submitted again,
 *	once their slots are quiesced
 * @AMD_SDMA_COPY_RESET_FAILED: it was not. Nothing can be submitted until a
 *	later reset is good. Jobs that were in flight are not quiesced.
 * @AMD_SDMA_COPY_SUSPEND: the GPU is about to be powered down; jobs in flight
 *	are waited for, after this event
 * @AMD_SDMA_COPY_RESUME: the GPU is up again, jobs can be submitted soon: until
 *	its runtime PM has noticed, they get -EAGAIN
 *
 * An event is advice, apart from STOP: whoever ignores it gets an error from
 * &amd_sdma_copy_ops.submit instead. Events come one at a time. They tell of
 * changes; a driver that opened the device while it was being reset sees the
 * end of the reset only.
 */
enum amd_sdma_copy_event {
	AMD_SDMA_COPY_STOP,
	AMD_SDMA_COPY_RESET_PRE,
	AMD_SDMA_COPY_RESET_DONE,
	AMD_SDMA_COPY_RESET_FAILED,
	AMD_SDMA_COPY_SUSPEND,
	AMD_SDMA_COPY_RESUME,
};

/**
 * struct amd_sdma_copy_ops - operations on a device
 */
struct amd_sdma_copy_ops {
	/**
	 * @open: set the device up and take it.
	 *
	 * Called by the auxiliary driver, in its probe, before anything else.
	 * Process context; allocates with GFP_KERNEL. Events can come from now
	 * on, also before this has returned.
	 *
	 * Return: 0, and @caps is filled in. -EBUSY when it is open already,
	 * -ENODEV when it is about to go, -ENOMEM, or what setting up the
	 * scheduler's entities returned.
	 */
	int (*open)(struct amd_sdma_copy_dev *dev,
		    struct amd_sdma_copy_caps *caps);

	/**
	 * @close: give the device back.
	 *
	 * Called by the auxiliary driver, in its remove, once no submit() is
	 * running. Process context; waits, without a limit, until every slot
	 * is quiesced. That ends at the latest when amdgpu takes the device
	 * away. No event comes after it has returned.
	 */
	void (*close)(struct amd_sdma_copy_dev *dev);

	/**
	 * @submit: copy @nr pairs, in slot @slot.
	 *
	 * The sum of all pages must not exceed &amd_sdma_copy_caps.max_pages.
	 * @pairs is not needed any more when this returns. The pairs are copied
	 * in any order, so no page may be written that is also read or written
	 * through another pair.
	 *
	 * Process context, where it may be atomic (but interrupts must be
	 * enabled). Does not sleep, does not allocate, takes no lock under
	 * which anybody allocates, and never wakes the GPU up. Calls for
	 * different slots can run in parallel; of several for the same slot all
	 * but one get -EBUSY.
	 *
	 * On success *@fence holds a reference that the caller must put, before
	 * it is unbound. Callbacks on it can run in hard interrupts. It is
	 * signalled when the result is known, without an error when every byte
	 * was written and can be read by the CPU. There is no promise when
	 * that is: a hung GPU takes seconds to be noticed, and one that is not
	 * to be reset never signals it. The memory must stay mapped, and
	 * belongs to the GPU, until quiesced() says so.
	 *
	 * It is not known that every GPU gives an error when it could not read
	 * the source, as it is poisoned or the IOMMU refused: fences get errors
	 * from resets, and from RAS where a GPU has it.
	 *
	 * Return: 0; or, with no memory touched, -EBUSY when the slot has a job
	 * already, or has not been made ready again, -EAGAIN while the GPU is
	 * runtime suspended, suspended or being reset, -ENODEV when it is gone
	 * or about to go, -EINVAL when the arguments are wrong.
	 */
	int (*submit)(struct amd_sdma_copy_dev *dev, u32 slot,
		      const struct amd_sdma_copy_pair *pairs, u32 nr,
		      struct dma_fence **fence);

	/**
	 * @quiesced: is it certain that no job of @slot can touch memory?
	 *
	 * Any context, does not sleep. True for a slot that was never used; and
	 * as soon as the fence of its last job was signalled without an error.
	 * After an error it becomes true by itself when the SDMA has been seen
	 * to have gone past the job, or was reset or stopped: milliseconds, if
	 * the GPU is well. There is no notification, poll for it. A slot that
	 * is quiesced may need another moment before submit() takes a job.
	 */
	bool (*quiesced)(struct amd_sdma_copy_dev *dev, u32 slot);
};

/**
 * struct amd_sdma_copy_dev - a GPU that can copy
 * @adev: the auxiliary device, a child of the GPU's
 * @dma_dev: the device for which memory has to be mapped
 * @ops: the operations
 *
 * Made and freed by the provider. Valid for the auxiliary driver from its probe
 * to its remove, as with every auxiliary device.
 */
struct amd_sdma_copy_dev {
	struct auxiliary_device adev;
	struct device *dma_dev;
	const struct amd_sdma_copy_ops *ops;
};

/**
 * struct amd_sdma_copy_drv - an auxiliary driver for such devices
 * @drv: the auxiliary driver. Every driver that matches a device of this kind
 *	must be embedded in a struct amd_sdma_copy_drv.
 */
struct amd_sdma_copy_drv {
	struct auxiliary_driver drv;

	/**
	 * @event: something happened, or is about to happen, to @dev.
	 *
	 * Optional. Called between the call of open() and the return of
	 * close(). Process context, but locks are held: RESET_* come amid the
	 * recovery of the GPU, on which fences wait that memory reclaim may
	 * wait for. So it must not allocate in a way that enters reclaim, wait
	 * for a fence, a page or a folio, take a lock under which others do,
	 * call open() or close(), or take a lock under which these are called.
	 * It may call submit() and quiesced(), and schedule work.
	 *
	 * The device is not locked: this can run at the same time as probe and
	 * remove.
	 */
	void (*event)(struct amd_sdma_copy_dev *dev,
		      enum amd_sdma_copy_event event);
};

static inline struct amd_sdma_copy_dev *
to_amd_sdma_copy_dev(struct auxiliary_device *adev)
{
	return container_of(adev, struct amd_sdma_copy_dev, adev);
}

static inline struct amd_sdma_copy_drv *
to_amd_sdma_copy_drv(struct device_driver *driver)
{
	return container_of(driver, struct amd_sdma_copy_drv, drv.driver);
}

#endif /* _LINUX_AMD_SDMA_COPY_AUX_H */
