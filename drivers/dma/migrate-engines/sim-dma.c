// SPDX-License-Identifier: GPL-2.0
/*
 * A simulated DMA controller
 *
 * A DMAengine provider whose channels are kernel threads: they take descriptors
 * off a ring, wait as long as hardware of the set latency and bandwidth would
 * need, copy by DMA address, and call back. Through debugfs it can be told to do
 * what controllers and their drivers have been seen to do wrong, and it keeps a
 * log of what it wrote, where and when. For tests of DMAengine clients.
 *
 * Settings are those of a slot, "migrate-offload-sim-dma.N", and outlive the
 * binding of its device. What clients ask for when they take a channel (depth,
 * copy_align, mask_bits, max_seg, no_order) counts from the next bind on.
 *
 * With the parameter "timed" channels are timers, not threads: they end
 * descriptors when the hardware would, and interrupt for those that are to. With
 * "copier" they also copy at no cost to the CPU. Then, in virtual time, clients
 * pay what hardware would have them pay, and no more. For benchmarks.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/fault-inject.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../dmaengine.h"
#include "copier.h"

#define SD_DRIVER	"migrate-offload-sim-dma"
#define SD_MAX_DEVICES	8
#define SD_MAX_DEPTH	4096

static unsigned int nr_devices = 2;
module_param(nr_devices, uint, 0444);
MODULE_PARM_DESC(nr_devices, "number of controllers (1 to 8)");

static unsigned int channels = 4;
module_param(channels, uint, 0444);
MODULE_PARM_DESC(channels, "channels of each controller (1 to 64)");

static int node[SD_MAX_DEVICES] = { [0 ... SD_MAX_DEVICES - 1] = NUMA_NO_NODE };
module_param_array(node, int, NULL, 0444);
MODULE_PARM_DESC(node, "NUMA node of each controller");

static unsigned int log_size = 16384;
module_param(log_size, uint, 0444);
MODULE_PARM_DESC(log_size, "entries of the log of each controller (0 to 1048576)");

static bool timed;
module_param(timed, bool, 0444);
MODULE_PARM_DESC(timed, "channels are timers, not threads");

static unsigned int copier;
module_param(copier, uint, 0444);
MODULE_PARM_DESC(copier, "port of a device that copies for them (0: none)");

enum sd_fault {
	SD_ERROR,	/* report an error, copy nothing */
	SD_LIE,		/* report success, get a byte wrong */
	SD_SILENT,	/* copy nothing, call back without a result */
	SD_RESIDUE,	/* copy half, report an error and the rest */
	SD_LOSE,	/* copy, never call back */
	SD_LATE,	/* copy and call back much later */
	SD_ABORT,	/* call back as if it were aborted, copy much later */
	SD_HANG,	/* the channel stops there */
	SD_PREP_NULL,	/* no descriptor */
	SD_SUBMIT,	/* an error for a cookie */
	SD_NR_FAULTS,
	SD_GOOD = SD_NR_FAULTS
};

static const char * const sd_fault_names[SD_NR_FAULTS] = {
	[SD_ERROR] = "error",
	[SD_LIE] = "lie",
	[SD_SILENT] = "silent",
	[SD_RESIDUE] = "residue",
	[SD_LOSE] = "lose",
	[SD_LATE] = "late",
	[SD_ABORT] = "abort",
	[SD_HANG] = "hang",
	[SD_PREP_NULL] = "prep_null",
	[SD_SUBMIT] = "submit_error",
};

enum sd_order { SD_FIFO, SD_LIFO, SD_RANDOM };

enum sd_terminate {
	SD_TERMINATE_STOPS,
	SD_TERMINATE_NOTHING,	/* returns 0, and the channel goes on */
	SD_TERMINATE_FAILS,
};

struct sd_request {
	struct dma_async_tx_descriptor tx;
	struct list_head node;
	dma_addr_t src;
	dma_addr_t dst;
	size_t len;
	enum sd_fault fault;
	bool terminated;	/* the client was told that it is over */
	ktime_t end;		/* when it is done, if channels are timers */
};

struct sd_channel {
	struct dma_chan chan;
	struct sd_device *device;
	struct task_struct *task;
	wait_queue_head_t wait;
	spinlock_t lock;		/* lists, cookies and flags */
	struct list_head free;
	struct list_head submitted;
	struct list_head issued;
	unsigned int nr_issued;
	struct list_head done;		/* to be told of with the next interrupt */
	struct sd_request *busy;		/* what the thread is at */
	bool abort;			/* and is to drop */
	bool hung;
	struct sd_request *ring;

	/* Instead of the thread: */
	struct hrtimer timer;
	ktime_t end;			/* when all that is issued is done */
	struct copier_list *list;	/* if there is a copier; then as many as */
	struct copier_copy *copies;	/* there are in the ring */
};

struct sd_device {
	struct dma_device dma;
	struct sd_slot *slot;
	u32 max_seg;
	u32 depth;
	unsigned int nr_channels;
	struct sd_channel channels[] __counted_by(nr_channels);
};

struct sd_write {
	u64 ns;
	dma_addr_t dma;
	phys_addr_t phys;
	size_t len;
	unsigned int channel;
	bool late;
	bool terminated;
};

static struct sd_slot {
	struct platform_device *pdev;
	struct dentry *dir;
	struct work_struct remove;

	u32 latency_us;			/* of a timer: when it was idle */
	u32 latency_ns;			/* of a timer: of each descriptor */
	u32 bandwidth_mb;
	u32 order;
	u32 late_ms;
	u32 slow_channel;
	u32 slow_times;
	u32 terminate;
	u32 depth;
	u32 copy_align;
	u32 mask_bits;
	u32 max_seg;
	bool no_order;
	bool coalesce;
	struct fault_attr faults[SD_NR_FAULTS];

	atomic_t copied_descriptors;
	atomic_t interrupts;
	atomic64_t copied_bytes;
	atomic64_t busy_ns;
	atomic_t late_writes;
	atomic_t wild_writes;
	atomic_t after_terminate_writes;

	spinlock_t log_lock;	/* of the log */
	struct sd_write *log;
	unsigned long nr_log;
} sd_slots[SD_MAX_DEVICES];

static struct sd_channel *to_sd_channel(struct dma_chan *chan)
{
	return container_of(chan, struct sd_channel, chan);
}

static unsigned int sd_number(const struct sd_channel *channel)
{
	return channel - channel->device->channels;
}

static bool sd_draw(struct sd_slot *slot, enum sd_fault fault, size_t len)
{
	/* A task's fail-nth is meant for its allocations. */
	return READ_ONCE(slot->faults[fault].probability) &&
	       should_fail(&slot->faults[fault], len);
}

static bool sd_is_late(const struct sd_request *desc)
{
	return desc->fault == SD_LATE || desc->fault == SD_ABORT;
}

static void sd_log(struct sd_channel *channel, const struct sd_request *desc,
		   dma_addr_t dma, phys_addr_t phys, size_t len)
{
	struct sd_slot *slot = channel->device->slot;
	struct sd_write *entry;
	unsigned long flags;

	if (!log_size)
		return;
	spin_lock_irqsave(&slot->log_lock, flags);
	entry = &slot->log[slot->nr_log++ % log_size];
	*entry = (struct sd_write) {
		.ns = ktime_get_ns(),
		.dma = dma,
		.phys = phys,
		.len = len,
		.channel = sd_number(channel),
		.late = sd_is_late(desc),
		.terminated = READ_ONCE(desc->terminated),
	};
	spin_unlock_irqrestore(&slot->log_lock, flags);
}

static phys_addr_t sd_to_phys(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain ? iommu_iova_to_phys(domain, addr) : addr;
}

/* Copy what lies in one page on both sides. A page that nobody owns is kept. */
static void sd_copy_part(struct sd_channel *channel, struct sd_request *desc,
			 size_t offset, size_t len)
{
	struct device *dev = channel->device->dma.dev;
	struct sd_slot *slot = channel->device->slot;
	dma_addr_t addr = desc->dst + offset;
	phys_addr_t src = sd_to_phys(dev, desc->src + offset);
	phys_addr_t dst = sd_to_phys(dev, addr);

	sd_log(channel, desc, addr, dst, len);
	/* Count it, but leave the machine alive to tell. */
	if (!folio_ref_count(page_folio(pfn_to_page(PHYS_PFN(dst))))) {
		atomic_inc(&slot->wild_writes);
		return;
	}
	memcpy(phys_to_virt(dst), phys_to_virt(src), len);
}

static void sd_copy(struct sd_channel *channel, struct sd_request *desc, size_t len)
{
	struct sd_slot *slot = channel->device->slot;
	size_t part, done;

	if (sd_is_late(desc))
		atomic_inc(&slot->late_writes);
	if (READ_ONCE(desc->terminated))
		atomic_inc(&slot->after_terminate_writes);
	for (done = 0; done < len; done += part) {
		part = min3(len - done,
			    PAGE_SIZE - offset_in_page(desc->src + done),
			    PAGE_SIZE - offset_in_page(desc->dst + done));
		sd_copy_part(channel, desc, done, part);
	}
	atomic_inc(&slot->copied_descriptors);
	atomic64_add(len, &slot->copied_bytes);
}

static void sd_spoil(struct sd_channel *channel, const struct sd_request *desc)
{
	u8 *last = phys_to_virt(sd_to_phys(channel->device->dma.dev,
					   desc->dst + desc->len - 1));

	*last = ~*last;
}

/* The client hears of @desc, as from a tasklet, unless it is not meant to. */
static void sd_callback(struct sd_channel *channel, struct sd_request *desc,
			const struct dmaengine_result *result, bool call)
{
	struct dmaengine_desc_callback cb;

	spin_lock_bh(&channel->lock);
	dmaengine_desc_get_callback(&desc->tx, &cb);
	list_add_tail(&desc->node, &channel->free);
	spin_unlock_bh(&channel->lock);
	if (!call)
		return;
	local_bh_disable();
	dmaengine_desc_callback_invoke(&cb, result);
	local_bh_enable();
}

/* Those that wanted no interrupt come with the one of another. */
static void sd_interrupt(struct sd_channel *channel)
{
	struct dmaengine_result good = { .result = DMA_TRANS_NOERROR };
	struct sd_request *desc, *next;
	LIST_HEAD(done);

	atomic_inc(&channel->device->slot->interrupts);
	spin_lock_bh(&channel->lock);
	list_splice_init(&channel->done, &done);
	spin_unlock_bh(&channel->lock);
	list_for_each_entry_safe(desc, next, &done, node)
		sd_callback(channel, desc, &good, true);
}

static void sd_complete(struct sd_channel *channel, struct sd_request *desc,
			const struct dmaengine_result *result, bool call)
{
	bool later = call && READ_ONCE(channel->device->slot->coalesce) &&
		     !(desc->tx.flags & DMA_PREP_INTERRUPT) && result &&
		     result->result == DMA_TRANS_NOERROR;

	spin_lock_bh(&channel->lock);
	dma_cookie_complete(&desc->tx);
	if (later)
		list_add_tail(&desc->node, &channel->done);
	spin_unlock_bh(&channel->lock);
	if (!later) {
		if (call)
			sd_interrupt(channel);
		sd_callback(channel, desc, result, call);
	}
	/* Not before: who synchronizes waits for callbacks, too. */
	spin_lock_bh(&channel->lock);
	channel->busy = NULL;
	channel->abort = false;
	spin_unlock_bh(&channel->lock);
	wake_up_all(&channel->wait);
}

/* How long @desc keeps its channel busy. */
static u64 sd_busy_ns(struct sd_channel *channel, const struct sd_request *desc)
{
	struct sd_slot *slot = channel->device->slot;
	u32 bandwidth = READ_ONCE(slot->bandwidth_mb);
	u64 ns = READ_ONCE(slot->latency_ns);

	if (!timed)
		ns = (u64)READ_ONCE(slot->latency_us) * NSEC_PER_USEC;
	if (bandwidth)
		ns += div_u64((u64)desc->len * NSEC_PER_USEC, bandwidth);
	if (sd_number(channel) == READ_ONCE(slot->slow_channel))
		ns *= max(READ_ONCE(slot->slow_times), 1);
	if (sd_is_late(desc))
		ns += (u64)READ_ONCE(slot->late_ms) * NSEC_PER_MSEC;
	return ns;
}

/* What the client hears of a descriptor. */
struct sd_answer {
	struct dmaengine_result result;
	bool call;			/* it hears something */
	bool silent;			/* but not what */
};

/* The time of @desc has come. */
static struct sd_answer sd_execute(struct sd_channel *channel,
				   struct sd_request *desc)
{
	struct sd_answer answer = {
		.result.result = DMA_TRANS_NOERROR,
		.call = true,
	};

	switch (desc->fault) {
	case SD_ERROR:
		answer.result.result = DMA_TRANS_WRITE_FAILED;
		break;
	case SD_SILENT:
		answer.silent = true;
		break;
	case SD_RESIDUE:
		sd_copy(channel, desc, desc->len / 2);
		answer.result.result = DMA_TRANS_WRITE_FAILED;
		answer.result.residue = desc->len - desc->len / 2;
		break;
	case SD_LIE:
		sd_copy(channel, desc, desc->len);
		sd_spoil(channel, desc);
		break;
	case SD_LOSE:
	case SD_ABORT:
		answer.call = false;
		fallthrough;
	default:
		sd_copy(channel, desc, desc->len);
	}
	return answer;
}

/* The next descriptor of @channel, in the order set, or NULL. */
static struct sd_request *sd_next(struct sd_channel *channel)
{
	struct sd_request *desc = NULL;
	unsigned int skip = 0;

	spin_lock_bh(&channel->lock);
	if (channel->hung || !channel->nr_issued)
		goto out;
	switch (READ_ONCE(channel->device->slot->order)) {
	case SD_LIFO:
		skip = channel->nr_issued - 1;
		break;
	case SD_RANDOM:
		skip = get_random_u32_below(channel->nr_issued);
		break;
	}
	list_for_each_entry(desc, &channel->issued, node)
		if (!skip--)
			break;
	if (desc->fault == SD_HANG) {
		channel->hung = true;
		desc = NULL;
		goto out;
	}
	list_del(&desc->node);
	channel->nr_issued--;
	channel->busy = desc;
out:
	spin_unlock_bh(&channel->lock);
	return desc;
}

static void sd_answer(struct sd_request *desc,
		      const struct dmaengine_result *result)
{
	struct dmaengine_desc_callback cb;

	dmaengine_desc_get_callback(&desc->tx, &cb);
	dmaengine_desc_callback_invoke(&cb, result);
}

/* A driver that resets its channel after it has told of that. */
static void sd_give_up(struct sd_request *desc)
{
	static const struct dmaengine_result result = { .result = DMA_TRANS_ABORTED };

	local_bh_disable();
	sd_answer(desc, &result);
	local_bh_enable();
}

static int sd_thread(void *data)
{
	struct sd_channel *channel = data;
	struct sd_request *desc;
	struct sd_answer answer;
	u64 ns;

	while (!kthread_should_stop()) {
		wait_event_interruptible(channel->wait, kthread_should_stop() ||
					 (READ_ONCE(channel->nr_issued) &&
					  !READ_ONCE(channel->hung)));
		desc = sd_next(channel);
		if (!desc)
			continue;
		if (desc->fault == SD_ABORT)
			sd_give_up(desc);
		ns = sd_busy_ns(channel, desc);
		if (ns)
			wait_event_hrtimeout(channel->wait,
					     READ_ONCE(channel->abort),
					     ns_to_ktime(ns));
		atomic64_add(ns, &channel->device->slot->busy_ns);
		if (READ_ONCE(channel->abort)) {
			sd_complete(channel, desc, NULL, false);
			continue;
		}
		answer = sd_execute(channel, desc);
		sd_complete(channel, desc,
			    answer.silent ? NULL : &answer.result, answer.call);
	}
	return 0;
}

/*
 * The moment of the next interrupt, or KTIME_MAX: of the first descriptor that
 * is to raise one, or of one after which nothing goes on.
 */
static ktime_t sd_next_interrupt(struct sd_channel *channel)
{
	bool coalesce = READ_ONCE(channel->device->slot->coalesce);
	const struct sd_request *desc;

	lockdep_assert_held(&channel->lock);
	list_for_each_entry(desc, &channel->issued, node)
		if (!coalesce || desc->tx.flags & DMA_PREP_INTERRUPT ||
		    desc->fault != SD_GOOD)
			return desc->end;
	return KTIME_MAX;
}

static void sd_arm(struct sd_channel *channel)
{
	ktime_t next = sd_next_interrupt(channel);

	lockdep_assert_held(&channel->lock);
	if (next != KTIME_MAX && !channel->hung)
		hrtimer_start(&channel->timer, next, HRTIMER_MODE_ABS_SOFT);
}

/* What is done by now becomes busy. */
static void sd_take_ended(struct sd_channel *channel, struct list_head *ended)
{
	ktime_t now = ktime_get();
	struct sd_request *desc, *next;

	lockdep_assert_held(&channel->lock);
	list_for_each_entry_safe(desc, next, &channel->issued, node) {
		if (desc->fault == SD_HANG)
			channel->hung = true;
		if (channel->hung || ktime_after(desc->end, now))
			break;
		list_move_tail(&desc->node, ended);
		channel->nr_issued--;
		channel->busy = desc;
	}
}

static void sd_execute_and_answer(struct sd_channel *channel,
				  struct list_head *ended)
{
	struct sd_answer answer;
	struct sd_request *desc;

	list_for_each_entry(desc, ended, node) {
		answer = sd_execute(channel, desc);
		if (answer.call)
			sd_answer(desc, answer.silent ? NULL : &answer.result);
	}
}

/* What hardware does costs the CPU nothing; nor does anything go wrong here. */
static void sd_copy_by_copier(struct sd_channel *channel,
			      struct list_head *ended)
{
	static const struct dmaengine_result good;
	struct sd_request *desc;
	unsigned int nr = 0;

	list_for_each_entry(desc, ended, node)
		channel->copies[nr++] = (struct copier_copy) {
			.src = cpu_to_le64(desc->src),
			.dst = cpu_to_le64(desc->dst),
			.len = cpu_to_le64(desc->len),
		};
	copier_run(copier, channel->list, channel->copies,
		   sizeof(*channel->copies), nr);
	list_for_each_entry(desc, ended, node)
		sd_answer(desc, &good);
}

/* All that is done by now ends together. */
static enum hrtimer_restart sd_timer(struct hrtimer *timer)
{
	struct sd_channel *channel = container_of(timer, struct sd_channel,
						  timer);
	struct sd_request *desc;
	LIST_HEAD(ended);

	atomic_inc(&channel->device->slot->interrupts);
	spin_lock(&channel->lock);
	sd_take_ended(channel, &ended);
	list_for_each_entry(desc, &ended, node)
		dma_cookie_complete(&desc->tx);
	spin_unlock(&channel->lock);

	if (copier)
		sd_copy_by_copier(channel, &ended);
	else
		sd_execute_and_answer(channel, &ended);

	spin_lock(&channel->lock);
	list_splice_tail(&ended, &channel->free);
	channel->busy = NULL;
	channel->abort = false;
	sd_arm(channel);
	spin_unlock(&channel->lock);
	wake_up_all(&channel->wait);
	return HRTIMER_NORESTART;
}

/*
 * Channels that are timers go through what is issued one after the other, and
 * take a while to begin if they had nothing to do.
 */
static void sd_schedule(struct sd_channel *channel)
{
	struct sd_slot *slot = channel->device->slot;
	ktime_t now = ktime_get();
	struct sd_request *desc;
	u64 ns = 0, busy = 0;
	size_t len = 0;

	if (ktime_before(channel->end, now))
		channel->end = ktime_add_us(now, READ_ONCE(slot->latency_us));
	list_for_each_entry(desc, &channel->submitted, node) {
		/* Hardware does not reckon, so we do it once for all that are alike. */
		if (desc->len != len || desc->fault != SD_GOOD)
			ns = sd_busy_ns(channel, desc);
		len = desc->fault == SD_GOOD ? desc->len : 0;
		channel->end = ktime_add_ns(channel->end, ns);
		desc->end = channel->end;
		busy += ns;
	}
	atomic64_add(busy, &slot->busy_ns);
}

static dma_cookie_t sd_tx_submit(struct dma_async_tx_descriptor *tx)
{
	struct sd_channel *channel = to_sd_channel(tx->chan);
	struct sd_request *desc = container_of(tx, struct sd_request, tx);
	dma_cookie_t cookie;

	spin_lock_bh(&channel->lock);
	if (!copier &&
	    sd_draw(channel->device->slot, SD_SUBMIT, desc->len)) {
		list_add_tail(&desc->node, &channel->free);
		cookie = -EIO;
	} else {
		cookie = dma_cookie_assign(tx);
		list_add_tail(&desc->node, &channel->submitted);
	}
	spin_unlock_bh(&channel->lock);
	return cookie;
}

static struct dma_async_tx_descriptor *
sd_prep_memcpy(struct dma_chan *chan, dma_addr_t dst, dma_addr_t src,
	       size_t len, unsigned long flags)
{
	struct sd_channel *channel = to_sd_channel(chan);
	struct sd_device *device = channel->device;
	struct sd_request *desc;
	enum sd_fault fault;

	if (len > device->max_seg ||
	    !is_dma_copy_aligned(&device->dma, src, dst, len) ||
	    (!copier && sd_draw(device->slot, SD_PREP_NULL, len)))
		return NULL;
	spin_lock_bh(&channel->lock);
	desc = list_first_entry_or_null(&channel->free, struct sd_request, node);
	if (desc)
		list_del(&desc->node);
	spin_unlock_bh(&channel->lock);
	if (!desc)
		return NULL;

	/* Nothing goes wrong in a benchmark. */
	for (fault = copier ? SD_PREP_NULL : 0; fault < SD_PREP_NULL; fault++)
		if (sd_draw(device->slot, fault, len))
			break;
	desc->fault = fault < SD_PREP_NULL ? fault : SD_GOOD;
	desc->src = src;
	desc->dst = dst;
	desc->len = len;
	desc->terminated = false;
	dma_async_tx_descriptor_init(&desc->tx, chan);
	desc->tx.tx_submit = sd_tx_submit;
	desc->tx.flags = flags;
	desc->tx.callback = NULL;
	desc->tx.callback_result = NULL;
	return &desc->tx;
}

static void sd_issue_pending(struct dma_chan *chan)
{
	struct sd_channel *channel = to_sd_channel(chan);
	struct sd_request *desc;

	spin_lock_bh(&channel->lock);
	list_for_each_entry(desc, &channel->submitted, node)
		WRITE_ONCE(channel->nr_issued, channel->nr_issued + 1);
	if (timed)
		sd_schedule(channel);
	list_splice_tail_init(&channel->submitted, &channel->issued);
	if (timed && !hrtimer_is_queued(&channel->timer))
		sd_arm(channel);
	spin_unlock_bh(&channel->lock);
	if (!timed)
		wake_up_all(&channel->wait);
}

static enum dma_status sd_tx_status(struct dma_chan *chan, dma_cookie_t cookie,
				    struct dma_tx_state *state)
{
	return dma_cookie_status(chan, cookie, state);
}

/* Drop all that was given to the channel, and what it is at. */
static void sd_drop(struct sd_channel *channel)
{
	spin_lock_bh(&channel->lock);
	list_splice_tail_init(&channel->submitted, &channel->free);
	list_splice_tail_init(&channel->issued, &channel->free);
	list_splice_tail_init(&channel->done, &channel->free);
	WRITE_ONCE(channel->nr_issued, 0);
	channel->hung = false;
	channel->end = 0;
	if (channel->busy)
		WRITE_ONCE(channel->abort, true);
	spin_unlock_bh(&channel->lock);
	wake_up_all(&channel->wait);
}

static void sd_mark_terminated(struct sd_channel *channel)
{
	struct sd_request *desc;

	spin_lock_bh(&channel->lock);
	list_for_each_entry(desc, &channel->issued, node)
		WRITE_ONCE(desc->terminated, true);
	if (channel->busy)
		WRITE_ONCE(channel->busy->terminated, true);
	spin_unlock_bh(&channel->lock);
}

static int sd_terminate_all(struct dma_chan *chan)
{
	struct sd_channel *channel = to_sd_channel(chan);

	switch (READ_ONCE(channel->device->slot->terminate)) {
	case SD_TERMINATE_STOPS:
		sd_drop(channel);
		return 0;
	case SD_TERMINATE_NOTHING:
		sd_mark_terminated(channel);
		return 0;
	default:
		return -EINVAL;
	}
}

static void sd_synchronize(struct dma_chan *chan)
{
	struct sd_channel *channel = to_sd_channel(chan);

	if (READ_ONCE(channel->device->slot->terminate) == SD_TERMINATE_STOPS)
		wait_event(channel->wait, !READ_ONCE(channel->busy));
}

static void sd_free_ring(struct sd_channel *channel)
{
	kvfree(channel->ring);
	channel->ring = NULL;
	kfree(channel->list);
	channel->list = NULL;
	kfree(channel->copies);
	channel->copies = NULL;
}

static int sd_alloc_chan_resources(struct dma_chan *chan)
{
	struct sd_channel *channel = to_sd_channel(chan);
	u32 i, depth = channel->device->depth;

	channel->ring = kvcalloc(depth, sizeof(*channel->ring), GFP_KERNEL);
	if (!channel->ring)
		return -ENOMEM;
	if (copier) {
		channel->list = kmalloc(sizeof(*channel->list), GFP_KERNEL);
		channel->copies = kmalloc_array(depth, sizeof(*channel->copies),
						GFP_KERNEL);
		if (!channel->list || !channel->copies) {
			sd_free_ring(channel);
			return -ENOMEM;
		}
	}
	for (i = 0; i < depth; i++)
		list_add_tail(&channel->ring[i].node, &channel->free);
	dma_cookie_init(chan);
	return depth;
}

/* Resets the channel, whatever terminate does. */
static void sd_free_chan_resources(struct dma_chan *chan)
{
	struct sd_channel *channel = to_sd_channel(chan);

	sd_drop(channel);
	wait_event(channel->wait, !READ_ONCE(channel->busy));
	spin_lock_bh(&channel->lock);
	INIT_LIST_HEAD(&channel->free);
	spin_unlock_bh(&channel->lock);
	sd_free_ring(channel);
}

static void sd_stop_channels(struct sd_device *device)
{
	unsigned int i;

	for (i = 0; i < device->nr_channels; i++) {
		if (device->channels[i].task)
			kthread_stop(device->channels[i].task);
		else if (timed)
			hrtimer_cancel(&device->channels[i].timer);
	}
}

static int sd_start_channels(struct sd_device *device, int id)
{
	unsigned int i;

	for (i = 0; i < device->nr_channels; i++) {
		struct sd_channel *channel = &device->channels[i];
		struct task_struct *task;

		channel->device = device;
		init_waitqueue_head(&channel->wait);
		spin_lock_init(&channel->lock);
		INIT_LIST_HEAD(&channel->free);
		INIT_LIST_HEAD(&channel->submitted);
		INIT_LIST_HEAD(&channel->issued);
		INIT_LIST_HEAD(&channel->done);
		channel->chan.device = &device->dma;
		list_add_tail(&channel->chan.device_node, &device->dma.channels);
		hrtimer_init(&channel->timer, CLOCK_MONOTONIC,
			     HRTIMER_MODE_ABS_SOFT);
		channel->timer.function = sd_timer;
		if (timed)
			continue;
		task = kthread_run(sd_thread, channel, "sim-dma%d-%u", id, i);
		if (IS_ERR(task)) {
			sd_stop_channels(device);
			return PTR_ERR(task);
		}
		channel->task = task;
	}
	return 0;
}

/* The last client has let go of its channel. */
static void sd_device_release(struct dma_device *dma)
{
	kfree(container_of(dma, struct sd_device, dma));
}

static void sd_describe(struct dma_device *dma, const struct sd_slot *slot)
{
	INIT_LIST_HEAD(&dma->channels);
	dma_cap_set(DMA_MEMCPY, dma->cap_mask);
	if (slot->no_order)
		dma_cap_set(DMA_COMPLETION_NO_ORDER, dma->cap_mask);
	dma->copy_align = ilog2(max(slot->copy_align, 1));
	dma->residue_granularity = DMA_RESIDUE_GRANULARITY_DESCRIPTOR;
	dma->device_alloc_chan_resources = sd_alloc_chan_resources;
	dma->device_free_chan_resources = sd_free_chan_resources;
	dma->device_prep_dma_memcpy = sd_prep_memcpy;
	dma->device_issue_pending = sd_issue_pending;
	dma->device_tx_status = sd_tx_status;
	dma->device_terminate_all = sd_terminate_all;
	dma->device_synchronize = sd_synchronize;
	dma->device_release = sd_device_release;
}

static int sd_probe(struct platform_device *pdev)
{
	struct sd_slot *slot = &sd_slots[pdev->id];
	struct device *dev = &pdev->dev;
	struct sd_device *device;
	int err;

	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(clamp(slot->mask_bits, 1, 64)));
	if (err)
		return err;
	/* Without a word it is 64 KiB; and the device keeps what it was told. */
	dma_set_max_seg_size(dev, slot->max_seg ?: SZ_64K);

	device = kzalloc(struct_size(device, channels, channels), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	device->nr_channels = channels;
	device->slot = slot;
	device->max_seg = slot->max_seg ?: U32_MAX;
	device->depth = clamp(slot->depth, 1, SD_MAX_DEPTH);
	device->dma.dev = dev;
	sd_describe(&device->dma, slot);
	err = sd_start_channels(device, pdev->id);
	if (err)
		goto err_free;
	err = dma_async_device_register(&device->dma);
	if (err)
		goto err_stop;
	platform_set_drvdata(pdev, device);
	return 0;
err_stop:
	sd_stop_channels(device);
err_free:
	kfree(device);
	return err;
}

static void sd_remove(struct platform_device *pdev)
{
	struct sd_device *device = platform_get_drvdata(pdev);

	/* Frees the device, unless a client has a channel of it. */
	sd_stop_channels(device);
	dma_async_device_unregister(&device->dma);
}

static struct platform_driver sd_driver = {
	.probe = sd_probe,
	.remove = sd_remove,
	.driver.name = SD_DRIVER,
};

static void *sd_log_start(struct seq_file *seq, loff_t *pos)
	__acquires(log_lock)
{
	struct sd_slot *slot = seq->private;
	unsigned long nr;

	spin_lock_irq(&slot->log_lock);
	nr = min_t(unsigned long, slot->nr_log, log_size);
	return *pos < nr ? &slot->log[*pos] : NULL;
}

static void *sd_log_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct sd_slot *slot = seq->private;
	unsigned long nr = min_t(unsigned long, slot->nr_log, log_size);

	return ++*pos < nr ? &slot->log[*pos] : NULL;
}

static void sd_log_stop(struct seq_file *seq, void *v)
	__releases(log_lock)
{
	struct sd_slot *slot = seq->private;

	spin_unlock_irq(&slot->log_lock);
}

static int sd_log_show(struct seq_file *seq, void *v)
{
	const struct sd_write *entry = v;

	seq_printf(seq, "%llu channel %u dma %pad phys %pap len %zu%s%s\n",
		   entry->ns, entry->channel, &entry->dma, &entry->phys,
		   entry->len, entry->late ? " late" : "",
		   entry->terminated ? " terminated" : "");
	return 0;
}

static const struct seq_operations sd_log_ops = {
	.start = sd_log_start,
	.next = sd_log_next,
	.stop = sd_log_stop,
	.show = sd_log_show,
};

static int sd_log_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, &sd_log_ops);

	if (!err)
		((struct seq_file *)file->private_data)->private = inode->i_private;
	return err;
}

static ssize_t sd_log_clear(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	struct sd_slot *slot = ((struct seq_file *)file->private_data)->private;

	spin_lock_irq(&slot->log_lock);
	slot->nr_log = 0;
	spin_unlock_irq(&slot->log_lock);
	return count;
}

static const struct file_operations sd_log_fops = {
	.owner = THIS_MODULE,
	.open = sd_log_open,
	.read = seq_read,
	.write = sd_log_clear,
	.llseek = seq_lseek,
	.release = seq_release,
};

static void sd_remove_work(struct work_struct *work)
{
	struct sd_slot *slot = container_of(work, struct sd_slot, remove);

	device_release_driver(&slot->pdev->dev);
}

/* The card is pulled out. */
static int sd_remove_set(void *data, u64 value)
{
	struct sd_slot *slot = data;

	queue_work(system_unbound_wq, &slot->remove);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sd_remove_fops, NULL, sd_remove_set, "%llu\n");

static int sd_bytes_get(void *data, u64 *value)
{
	*value = atomic64_read(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sd_bytes_fops, sd_bytes_get, NULL, "%llu\n");

static struct dentry *sd_root;

static void sd_debugfs(struct sd_slot *slot, unsigned int nr)
{
	enum sd_fault fault;
	char name[8];

	snprintf(name, sizeof(name), "%u", nr);
	slot->dir = debugfs_create_dir(name, sd_root);
	debugfs_create_u32("latency_us", 0644, slot->dir, &slot->latency_us);
	debugfs_create_u32("latency_ns", 0644, slot->dir, &slot->latency_ns);
	debugfs_create_u32("bandwidth_mb", 0644, slot->dir, &slot->bandwidth_mb);
	debugfs_create_u32("order", 0644, slot->dir, &slot->order);
	debugfs_create_u32("late_ms", 0644, slot->dir, &slot->late_ms);
	debugfs_create_u32("slow_channel", 0644, slot->dir,
			   &slot->slow_channel);
	debugfs_create_u32("slow_times", 0644, slot->dir, &slot->slow_times);
	debugfs_create_u32("terminate", 0644, slot->dir, &slot->terminate);
	debugfs_create_u32("depth", 0644, slot->dir, &slot->depth);
	debugfs_create_u32("copy_align", 0644, slot->dir, &slot->copy_align);
	debugfs_create_u32("mask_bits", 0644, slot->dir, &slot->mask_bits);
	debugfs_create_u32("max_seg", 0644, slot->dir, &slot->max_seg);
	debugfs_create_bool("coalesce", 0644, slot->dir, &slot->coalesce);
	debugfs_create_atomic_t("interrupts", 0444, slot->dir,
				&slot->interrupts);
	debugfs_create_bool("no_order", 0644, slot->dir, &slot->no_order);
	debugfs_create_atomic_t("copied_descriptors", 0444, slot->dir,
				&slot->copied_descriptors);
	debugfs_create_file_unsafe("copied_bytes", 0444, slot->dir,
				   &slot->copied_bytes, &sd_bytes_fops);
	debugfs_create_file_unsafe("busy_ns", 0444, slot->dir,
				   &slot->busy_ns, &sd_bytes_fops);
	debugfs_create_atomic_t("late_writes", 0444, slot->dir,
				&slot->late_writes);
	debugfs_create_atomic_t("wild_writes", 0444, slot->dir,
				&slot->wild_writes);
	debugfs_create_atomic_t("after_terminate_writes", 0444, slot->dir,
				&slot->after_terminate_writes);
	debugfs_create_file("log", 0644, slot->dir, slot, &sd_log_fops);
	debugfs_create_file_unsafe("remove", 0200, slot->dir, slot,
				   &sd_remove_fops);
	for (fault = 0; fault < SD_NR_FAULTS; fault++)
		fault_create_debugfs_attr(sd_fault_names[fault], slot->dir,
					  &slot->faults[fault]);
}

static void sd_slot_destroy(struct sd_slot *slot)
{
	/* No one can ask for removal any more. */
	debugfs_remove_recursive(slot->dir);
	if (slot->pdev) {
		cancel_work_sync(&slot->remove);
		platform_device_unregister(slot->pdev);
	}
	vfree(slot->log);
}

static int __init sd_slot_create(struct sd_slot *slot, unsigned int nr)
{
	struct platform_device *pdev;
	unsigned int i;
	int err;

	slot->late_ms = 2000;
	slot->depth = 64;
	slot->mask_bits = 64;
	spin_lock_init(&slot->log_lock);
	INIT_WORK(&slot->remove, sd_remove_work);
	for (i = 0; i < SD_NR_FAULTS; i++) {
		slot->faults[i] = (struct fault_attr)FAULT_ATTR_INITIALIZER;
		slot->faults[i].verbose = 0;
	}
	if (log_size)
		slot->log = vzalloc(array_size(log_size, sizeof(*slot->log)));
	if (log_size && !slot->log)
		return -ENOMEM;
	pdev = platform_device_alloc(SD_DRIVER, nr);
	if (!pdev)
		return -ENOMEM;
	set_dev_node(&pdev->dev, node[nr]);
	err = platform_device_add(pdev);
	if (err) {
		platform_device_put(pdev);
		return err;
	}
	slot->pdev = pdev;
	sd_debugfs(slot, nr);
	return 0;
}

static int __init sd_init(void)
{
	unsigned int i;
	int err;

	if (!nr_devices || nr_devices > SD_MAX_DEVICES || !channels ||
	    channels > 64 || log_size > 1 << 20)
		return -EINVAL;
	/* It is told physical addresses. */
	if (copier && (!copier_there(copier) || !timed))
		return -EINVAL;
	for (i = 0; i < nr_devices; i++)
		if (node[i] != NUMA_NO_NODE &&
		    (node[i] < 0 || node[i] >= MAX_NUMNODES ||
		     !node_possible(node[i])))
			return -EINVAL;

	sd_root = debugfs_create_dir(KBUILD_MODNAME, NULL);
	err = platform_driver_register(&sd_driver);
	if (err)
		goto err_debugfs;
	for (i = 0; !err && i < nr_devices; i++)
		err = sd_slot_create(&sd_slots[i], i);
	if (!err)
		return 0;

	while (i--)
		sd_slot_destroy(&sd_slots[i]);
	platform_driver_unregister(&sd_driver);
err_debugfs:
	debugfs_remove_recursive(sd_root);
	return err;
}
module_init(sd_init);

static void __exit sd_exit(void)
{
	unsigned int i;

	for (i = 0; i < nr_devices; i++)
		sd_slot_destroy(&sd_slots[i]);
	platform_driver_unregister(&sd_driver);
	debugfs_remove_recursive(sd_root);
}
module_exit(sd_exit);

MODULE_DESCRIPTION("Simulated DMA controller");
MODULE_LICENSE("GPL");
