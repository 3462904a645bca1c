// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: one folio, by several engines
 *
 * Where the administrator has joined engines with "+", a large folio is split
 * between them. Each part is a pair in a batch of its own, and these batches are
 * chained. The folio is what its parts are, when all of them have ended:
 *
 *	copied		all parts are
 *	not at all	one of them is in quarantine
 *	by the CPU	else; all engines have let go of it then
 *
 * A part that its engine does not take stays in the chain, as one that was not
 * copied: the CPU must not write to the folio before the others have ended.
 */
#include <linux/mm.h>
#include <linux/sizes.h>

#include "internal.h"

/* For each of the engines that share a folio. */
#define MO_JOIN_BYTES	SZ_1M

/* Submit a part. If it is refused, its batch is kept until it is waited for. */
static void mo_join_submit(struct mo_node *node, struct mo_batch *batch,
			   int reason)
{
	ktime_t begun = ktime_get();

	batch->why = mo_submit(node, batch, reason, &begun);
	if (batch->why == MO_ACCEPTED)
		return;
	mo_batch_refused(batch);
	batch->pairs[0].result = -EAGAIN;
	batch->settled = true;
}

static void mo_join_cancel(struct mo_batch *batch)
{
	struct mo_batch *next;

	for (; batch; batch = next) {
		next = batch->next;
		mo_batch_cancel(batch);
	}
}

/*
 * Split @piece, a part of @bytes in all, between the node's engines that are
 * joined, if mo_is_joined(). Returns the first of the parts, the batch of which is
 * for mo_join_wait(), or NULL if it is not to be split.
 */
struct mo_pair *mo_join(struct mo_node *node, const struct mo_piece *piece,
			size_t bytes, int reason, bool run)
{
	struct mo_batch *batches[MO_MAX_CHOICE];
	struct mo_batch *first = NULL, **last = &first, *batch;
	struct mo_piece part = *piece;
	size_t parts[MO_MAX_CHOICE];
	unsigned int i, nr;
	bool good = true;

	nr = min_t(size_t, MO_MAX_CHOICE, piece->bytes / MO_JOIN_BYTES);
	if (nr < 2)
		return NULL;
	nr = mo_policy_pick_joined(node, piece, bytes, nr, batches);
	if (!nr)
		return NULL;

	mo_stripe_engines(batches, nr, piece->bytes, parts);
	for (i = 0; i < nr; i++) {
		batch = batches[i];
		if (!parts[i]) {
			mo_batch_cancel(batch);
			continue;
		}
		part.bytes = parts[i];
		part.ends = piece->ends && part.offset + part.bytes ==
			    piece->offset + piece->bytes;
		good &= !!mo_batch_add(batch, &part);
		part.offset += part.bytes;
		batch->joined = true;
		batch->run = run;
		batch->next = NULL;
		*last = batch;
		last = &batch->next;
	}
	/* Each has said that it takes all of it in one batch. */
	if (WARN_ON_ONCE(!good || part.offset != piece->offset + piece->bytes)) {
		mo_join_cancel(first);
		return NULL;
	}
	for (batch = first; batch; batch = batch->next)
		mo_join_submit(node, batch, reason);
	return &first->pairs[0];
}

static int mo_join_worse(int a, int b)
{
	if (!a || (a == -EAGAIN && b))
		return b;
	return a;
}

/* As mo_batch_settle(), for all parts of a folio. */
void mo_join_settle(struct mo_batch *batch)
{
	for (; batch; batch = batch->next)
		if (!batch->settled)
			mo_batch_settle(batch);
}

/*
 * As mo_pair_wait(), for all parts of a folio, of which @batch has the first. It
 * counts as one folio.
 */
int mo_join_wait(struct mo_batch *batch)
{
	struct mo_node *node = mo_node(batch->nid);
	struct folio *src = batch->pairs[0].src;
	enum mo_refusal refused = MO_ACCEPTED, why;
	int part, result = 0, reason = batch->reason;
	bool ends = false, failed = false;
	struct mo_batch *next;

	for (; batch; batch = next) {
		/* It may be another's after it was waited for. */
		next = batch->next;
		why = batch->why;
		ends |= batch->pairs[0].ends;
		part = mo_pair_wait(&batch->pairs[0]);
		if (why != MO_ACCEPTED)
			refused = why;
		else if (part)
			failed = true;
		result = mo_join_worse(result, part);
	}

	if (failed) {
		this_cpu_inc(node->stats->failed);
		if (result != -EAGAIN)
			this_cpu_inc(node->stats->quarantined);
	} else if (result) {
		mo_refuse(node, src, reason, refused);
	} else if (ends) {
		this_cpu_inc(node->stats->copied_engine);
	}
	return result;
}
