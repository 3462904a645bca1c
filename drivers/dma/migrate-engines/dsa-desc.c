// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on Intel DSA: descriptors, limits, completion records
 *
 * Nothing here has a state or touches the device.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/sort.h>

#include "dsa.h"

/* Each copy has a record, written in any case: what it says is what we know. */
#define MDSA_FLAGS	(IDXD_OP_FLAG_CRAV | IDXD_OP_FLAG_RCR)

/* What both of two queues take. */
void mdsa_limits_min(struct mdsa_limits *limits, const struct mdsa_limits *more)
{
	limits->max_copy = min(limits->max_copy, more->max_copy);
	limits->max_list = min(limits->max_list, more->max_list);
	limits->entries = min(limits->entries, more->entries);
}

/*
 * All extents of a batch may be for one queue, and each a copy of its own: it
 * must have room for that. Then as many batches as there is room for; where an
 * IOMMU makes one range of a batch (@merged), that is one entry each.
 */
void mdsa_limits_engine(const struct mdsa_limits *limits, bool merged,
			struct migrate_offload_engine_info *info)
{
	unsigned int room = limits->entries - 1;
	unsigned int shots = 1;

	info->max_extent_bytes = limits->max_copy;
	info->max_extents = min(MDSA_MAX_EXTENTS, room * limits->max_list);
	if (!merged)
		shots = DIV_ROUND_UP(info->max_extents, limits->max_list);
	info->max_batches = clamp(room / shots, 1, MDSA_MAX_BATCHES);
}

static int mdsa_cmp_channel(const void *a, const void *b)
{
	const struct migrate_copy *x = a, *y = b;

	if (x->channel != y->channel)
		return x->channel < y->channel ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/**
 * mdsa_cut_copies() - divide the copies of a batch into shots
 * @copies: the copies; they are sorted by queue
 * @nr: how many
 * @nr_queues: number of queues
 * @max_list: descriptors that a list can have, or 1
 * @cuts: where to put the result
 * @max_cuts: room in @cuts
 *
 * Return: the number of shots, or 0 when there is no room for them.
 */
unsigned int mdsa_cut_copies(struct migrate_copy *copies, unsigned int nr,
			     unsigned int nr_queues, unsigned int max_list,
			     struct mdsa_cut *cuts, unsigned int max_cuts)
{
	struct mdsa_cut *cut = NULL;
	unsigned int i, nr_cuts = 0;

	if (nr_queues > 1)
		sort(copies, nr, sizeof(*copies), mdsa_cmp_channel, NULL);
	for (i = 0; i < nr; i++) {
		unsigned int queue = copies[i].channel % nr_queues;

		if (cut && cut->queue == queue && cut->nr < max_list) {
			cut->nr++;
			continue;
		}
		if (nr_cuts == max_cuts)
			return 0;
		cut = &cuts[nr_cuts++];
		*cut = (struct mdsa_cut) { .first = i, .nr = 1, .queue = queue };
	}
	return nr_cuts;
}

/* @hw is all zeroes, but for what idxd has put there. */
void mdsa_fill_copy(struct dsa_hw_desc *hw, const struct migrate_copy *copy,
		    dma_addr_t record, u32 flags)
{
	hw->opcode = DSA_OPCODE_MEMMOVE;
	hw->flags = MDSA_FLAGS | flags;
	hw->completion_addr = record;
	hw->src_addr = copy->src;
	hw->dst_addr = copy->dst;
	hw->xfer_size = copy->len;
}

/* @nr is two at least: a list of one is an error. */
void mdsa_fill_list(struct dsa_hw_desc *hw, dma_addr_t list, unsigned int nr,
		    dma_addr_t record, u32 flags)
{
	hw->opcode = DSA_OPCODE_BATCH;
	hw->flags = MDSA_FLAGS | flags;
	hw->completion_addr = record;
	hw->desc_list_addr = list;
	hw->desc_count = nr;
}

/**
 * mdsa_status_error() - what a completion status means
 * @status: of a record that has been written
 *
 * Return: 0, or the error to report: -EFAULT when the device could not get at
 * memory, -EINVAL when it did not like what it was given, which is our bug or
 * another's change of the queue, -EAGAIN for an interrupt handle that has been
 * revoked, -ECANCELED when it was never begun, and -EIO for everything else.
 */
int mdsa_status_error(u8 status)
{
	switch (DSA_COMP_STATUS(status)) {
	case DSA_COMP_SUCCESS:
		return 0;
	case DSA_COMP_NONE:
		return -ECANCELED;
	case DSA_COMP_PAGE_FAULT_NOBOF:
	case DSA_COMP_PAGE_FAULT_IR:
	case DSA_COMP_BATCH_PAGE_FAULT:
	case DSA_COMP_CRA_XLAT:
	case DSA_COMP_PFAULT_RDBA:
	case DSA_COMP_TRANSLATION_FAIL:
		return -EFAULT;
	case DSA_COMP_BAD_OPCODE:
	case DSA_COMP_INVALID_FLAGS:
	case DSA_COMP_NOZERO_RESERVE:
	case DSA_COMP_XFER_ERANGE:
	case DSA_COMP_DESC_CNT_ERANGE:
	case DSA_COMP_DR_ERANGE:
	case DSA_COMP_OVERLAP_BUFFERS:
	case DSA_COMP_DESCLIST_ALIGN:
	case DSA_COMP_CRA_ALIGN:
	case DSA_COMP_ADDR_ALIGN:
	case DSA_COMP_PRIV_BAD:
	case DSA_COMP_TRAFFIC_CLASS_CONF:
		return -EINVAL;
	case DSA_COMP_INT_HANDLE_INVAL:
		return -EAGAIN;
	default:
		/* Errors of the hardware, of other operations, and unknown. */
		return -EIO;
	}
}

/**
 * mdsa_copied() - how much of a copy has been done, from its beginning
 * @record: its completion record
 * @len: its length
 *
 * Return: @len if all of it, else how far it came before a page fault, or 0.
 */
size_t mdsa_copied(const struct dsa_completion_record *record, size_t len)
{
	switch (DSA_COMP_STATUS(record->status)) {
	case DSA_COMP_SUCCESS:
		return len;
	case DSA_COMP_PAGE_FAULT_NOBOF:
		/* Copies that overlap can go backwards, and then say so. */
		if (!record->result && record->bytes_completed < len)
			return record->bytes_completed;
		return 0;
	default:
		return 0;
	}
}

#if IS_ENABLED(CONFIG_MIGRATE_ENGINES_KUNIT_TEST)
#include "tests/dsa-desc_test.c"
#endif
