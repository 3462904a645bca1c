// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: the hook of hugetlb
 *
 * Folios of hugetlb are unmapped and moved one by one, and are long: 1 GiB is
 * more than an engine should have a deadline for. So each is copied in pieces,
 * and each piece is waited for, before the folio is moved. When a piece is not
 * copied the CPU copies all of the folio, unless the engine may still write.
 *
 * dst->private has flags of hugetlb's own, of which one is the marker.
 */
#include <linux/hugetlb.h>
#include <linux/sizes.h>

#include "internal.h"

/* Takes any engine well less than its deadline, and hides what a wait costs. */
#define MO_PIECE_BYTES	SZ_32M

/* As mo_pair_wait(); @why is not MO_ACCEPTED if there was nothing to wait for. */
static int mo_copy_piece(struct mo_node *node, struct mo_piece *piece,
			 int reason, enum mo_refusal *why)
{
	size_t bytes = folio_size(piece->src);
	struct mo_amount what = { .bytes = bytes, .last = bytes };
	ktime_t begun = ktime_get();
	struct mo_batch *batch;
	struct mo_pair *pair;
	int choice;

	if (mo_is_joined(node)) {
		pair = mo_join(node, piece, bytes, reason, false);
		if (pair)
			return mo_join_wait(pair->batch);
	}
	choice = mo_policy_choose(node, folio_nid(piece->src), &what);
	batch = mo_policy_pick(node, piece, bytes, choice, why);
	if (!batch)
		return -EAGAIN;
	pair = mo_batch_add(batch, piece);
	/* The engine has just said that it takes so much in one batch. */
	*why = WARN_ON_ONCE(!pair) ? MO_REFUSED_LIMITS :
	       mo_submit(node, batch, reason, &begun);
	if (*why != MO_ACCEPTED) {
		mo_batch_cancel(batch);
		return -EAGAIN;
	}
	return mo_pair_wait(pair);
}

static int mo_copy_pieces(struct mo_node *node, struct folio *src,
			  struct folio *dst, int reason)
{
	enum mo_refusal why = mo_pair_refusal(node, src, dst, reason);
	struct mo_piece piece = mo_whole(src, dst);
	int err = why == MO_ACCEPTED ? 0 : -EAGAIN;

	this_cpu_inc(node->stats->offered);
	while (!err && piece.offset < folio_size(src)) {
		piece.bytes = min_t(size_t, folio_size(src) - piece.offset,
				    MO_PIECE_BYTES);
		piece.ends = piece.offset + piece.bytes == folio_size(src);
		err = mo_copy_piece(node, &piece, reason, &why);
		piece.offset += piece.bytes;
		cond_resched();
	}
	if (why != MO_ACCEPTED)
		mo_refuse(node, src, reason, why);
	return err;
}

int __migrate_offload_hugetlb(struct folio *dst, struct folio *src, int reason)
{
	struct mo_node *node = mo_node(folio_nid(dst));
	int err;

	if (!node || !mo_offer_begin())
		return 0;
	err = mo_copy_pieces(node, src, dst, reason);
	if (!err) {
		folio_set_hugetlb_copied(dst);
		return 1;
	}
	mo_offer_end();
	return err == -EAGAIN ? 0 : err;
}

bool __migrate_offload_test_clear_hugetlb(struct folio *dst)
{
	bool copied = folio_test_hugetlb_copied(dst);

	folio_clear_hugetlb_copied(dst);
	return copied;
}
