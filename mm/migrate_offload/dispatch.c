// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: the hook, from folio pairs to batches
 *
 * migrate_pages() has unmapped a list of folios and flushed the TLB. Until it
 * moves them nobody but those who already had a reference can write to them,
 * and the folio lock keeps new ones out: so the copy can be made now, by
 * somebody else, if the folio has no unexpected references and its filesystem
 * writes to it under no other lock. (memfd_pin_folios() pins without the lock.
 * A pin that is still there when the folio is moved makes migration copy
 * afresh; one that came and went unseen loses its writes, as it does, if less
 * likely, when the CPU copies.)
 *
 * What is known of a pair is kept in dst->private, next to what migration
 * itself keeps there (a pointer to the anon_vma, and two bits):
 *
 *	bit 2 clear	not offered, or refused: the CPU copies it
 *	bit 2 set	while it is being offered: eligible
 *	bit 2 set	in a batch: pointer to its struct mo_pair
 *	bit 2 set	after waiting, nothing else: copied
 *
 * The last is the marker that __migrate_folio() consumes.
 */
#include <linux/buffer_head.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "internal.h"

#include <trace/events/migrate_offload.h>

DEFINE_STATIC_KEY_FALSE(migrate_offload_key);
int __migrate_offload_part_pages __read_mostly = MO_PART_PAGES;

/* The bit is free in a pointer to an anon_vma, and in one to a mo_pair. */
static_assert(ARCH_SLAB_MINALIGN > MIGRATE_OFFLOAD_MARK);
static_assert(__alignof__(struct mo_pair) > MIGRATE_OFFLOAD_MARK);

static DEFINE_MUTEX(mo_enable_lock);
static bool mo_on;

/* Offers that are under way; dead while migration offload is disabled. */
static struct percpu_ref mo_offers;
static DECLARE_COMPLETION(mo_no_offers);

static void mo_offers_ended(struct percpu_ref *ref)
{
	complete(&mo_no_offers);
}

int __init mo_dispatch_init(void)
{
	return percpu_ref_init(&mo_offers, mo_offers_ended,
			       PERCPU_REF_INIT_DEAD | PERCPU_REF_ALLOW_REINIT,
			       GFP_KERNEL);
}

bool mo_enabled(void)
{
	return READ_ONCE(mo_on);
}

/* False while migration offload is disabled, which waits for all offers. */
bool mo_offer_begin(void)
{
	return percpu_ref_tryget_live(&mo_offers);
}

void mo_offer_end(void)
{
	percpu_ref_put(&mo_offers);
}

void mo_set_enabled(bool on)
{
	mutex_lock(&mo_enable_lock);
	if (on && !mo_on) {
		static_branch_enable(&migrate_offload_key);
		percpu_ref_reinit(&mo_offers);
	} else if (!on && mo_on) {
		/* Markers are read under the key: let the last ones be read. */
		reinit_completion(&mo_no_offers);
		percpu_ref_kill(&mo_offers);
		wait_for_completion(&mo_no_offers);
		static_branch_disable(&migrate_offload_key);
	}
	WRITE_ONCE(mo_on, on);
	mutex_unlock(&mo_enable_lock);
}

/*
 * Is what holds the folio lock all that may write to the folio? Buffer heads
 * are written under the buffer lock, aio rings and btrfs' trees under locks of
 * their own: an early copy of these would lose data. So this is a list of
 * what is known to be safe, not of what is known not to be.
 */
static bool mo_mapping_safe(struct folio *src)
{
	struct address_space *mapping = folio_mapping(src);

	/* hugetlbfs has no write(2), nor metadata in its folios. */
	if (!mapping || folio_test_hugetlb(src))
		return true;
	if (mapping_inaccessible(mapping))
		return false;
	if (mapping->a_ops->migrate_folio == migrate_folio ||
	    mapping->a_ops->migrate_folio == filemap_migrate_folio)
		return true;
#ifdef CONFIG_BUFFER_HEAD
	if (mapping->a_ops->migrate_folio == buffer_migrate_folio)
		return !folio_buffers(src);
#endif
	return false;
}

/*
 * Why this folio must not be copied before it is moved. Both are locked, @src
 * is unmapped and the TLB is flushed: a reference too many now is a writer
 * that may be gone, with its write lost, when the folio is moved.
 */
enum mo_refusal mo_folio_refusal(struct folio *src, struct folio *dst)
{
	if (__folio_test_movable(src))
		return MO_REFUSED_MOVABLE;
	if (folio_is_zone_device(src) || folio_is_zone_device(dst))
		return MO_REFUSED_ZONE_DEVICE;
	if (folio_test_writeback(src))
		return MO_REFUSED_WRITEBACK;
	if (folio_contain_hwpoisoned_page(src))
		return MO_REFUSED_POISON;
	if (!mo_mapping_safe(src))
		return MO_REFUSED_MAPPING;
	if (folio_ref_count(src) != folio_expected_ref_count(src) + 1)
		return MO_REFUSED_PINNED;
	return MO_ACCEPTED;
}

/* What the caller, not the folio, is refused for. */
static enum mo_refusal mo_caller_refusal(struct mo_node *node, int reason)
{
	if (!(READ_ONCE(node->reasons) & BIT(reason)))
		return MO_REFUSED_REASON;
	/*
	 * Direct reclaim holds unknown locks; it must not wait for a driver.
	 * DAMON's thread has the flag, too, but only while it migrates.
	 */
	if ((current->flags & PF_MEMALLOC) && !current_is_kswapd() &&
	    reason != MR_DAMON)
		return MO_REFUSED_CONTEXT;
	return MO_ACCEPTED;
}

/* Why this pair must not be copied before it is moved, as far as it goes. */
enum mo_refusal mo_pair_refusal(struct mo_node *node, struct folio *src,
				struct folio *dst, int reason)
{
	enum mo_refusal why = mo_caller_refusal(node, reason);

	return why == MO_ACCEPTED ? mo_folio_refusal(src, dst) : why;
}

void mo_refuse(struct mo_node *node, struct folio *src, int reason,
	       enum mo_refusal why)
{
	this_cpu_inc(node->stats->refused[why]);
	trace_migrate_offload_refuse(node->nid, migrate_reason_names[reason],
				     mo_refusal_names[why],
				     folio_nr_pages(src));
}

static bool mo_is_marked(struct folio *dst)
{
	return (unsigned long)dst->private & MIGRATE_OFFLOAD_MARK;
}

static void mo_mark(struct folio *dst)
{
	dst->private = (void *)((unsigned long)dst->private |
				MIGRATE_OFFLOAD_MARK);
}

static void mo_unmark(struct folio *dst)
{
	dst->private = (void *)((unsigned long)dst->private &
				~MIGRATE_OFFLOAD_MARK);
}

static void mo_set_pair(struct folio *dst, struct mo_pair *pair)
{
	mo_unmark(dst);
	pair->private = (unsigned long)dst->private;
	dst->private = pair;
	mo_mark(dst);
}

static bool mo_add(struct mo_batch *batch, struct folio *src,
		   struct folio *dst)
{
	struct mo_piece piece = mo_whole(src, dst);
	struct mo_pair *pair = NULL;

	if (mo_engine_reach(batch->engine, &piece) == piece.bytes)
		pair = mo_batch_add(batch, &piece);
	if (!pair)
		return false;
	mo_set_pair(dst, pair);
	return true;
}

static enum mo_refusal mo_submit_refusal(int err)
{
	switch (err) {
	case -EBUSY:
		return MO_REFUSED_BUSY;
	case -ENODEV:
		return MO_REFUSED_NO_ENGINE;
	case -EOPNOTSUPP:
		return MO_REFUSED_BOUNCE;
	default:
		return MO_REFUSED_SUBMIT;
	}
}

/*
 * Give @batch, on which work was @begun, to its engine. When it is refused it
 * is still the caller's.
 */
enum mo_refusal mo_submit(struct mo_node *node, struct mo_batch *batch,
			  int reason, ktime_t begun)
{
	struct mo_engine *engine = batch->engine;
	enum mo_refusal why;
	bool cookie;
	int err;

	mo_batch_seal(batch);
	batch->nid = node->nid;
	batch->reason = reason;
	batch->submitted = ktime_get();
	batch->timeout_ms = READ_ONCE(engine->timeout_ms);
	batch->deadline = jiffies + msecs_to_jiffies(batch->timeout_ms);
	trace_migrate_offload_submit(engine->name, batch->pub.result.seqno,
				     node->nid, migrate_reason_names[reason],
				     batch->nr_pairs, batch->pub.nr_extents,
				     batch->pub.bytes);
	batch->queued_bytes = batch->pub.bytes;
	atomic_long_add(batch->queued_bytes, &engine->queued_bytes);

	/* Lockdep proves that no driver enters reclaim from here. */
	cookie = dma_fence_begin_signalling();
	err = mo_engine_online(engine) ?
	      engine->ops->submit(&engine->pub, &batch->pub) : -ENODEV;
	dma_fence_end_signalling(cookie);
	if (!err) {
		/* Of an engine that is the CPU, only the copy. */
		if (engine->by_cpu)
			begun = batch->submitted;
		batch->task_ns = ktime_to_ns(ktime_sub(ktime_get(), begun));
		this_cpu_inc(engine->stats->batches);
		return MO_ACCEPTED;
	}
	why = mo_submit_refusal(err);
	this_cpu_add(engine->stats->refused[why], batch->nr_pairs);
	return why;
}

/* Marked folios for one node. */
struct mo_offer {
	struct mo_node *node;
	int reason;
	unsigned int nr_folios;
	size_t bytes;
	int choice;			/* of "auto" */
	ktime_t begun;			/* work on the next batch */
	enum migrate_offload outcome;
};

/* Would no folio be unmapped for longer if others are while @engine copies? */
static bool mo_may_overlap(struct mo_engine *engine,
			   const struct mo_offer *offer)
{
	/* What copies with the CPU has copied already. */
	if (engine->by_cpu || offer->nr_folios > MO_OVERLAP_FOLIOS)
		return false;
	return offer->bytes <= MO_OVERLAP_BYTES ||
	       mo_engine_outruns_cpu(engine);
}

static void mo_taken(struct mo_offer *offer, bool overlap)
{
	if (!overlap)
		offer->outcome = MIGRATE_OFFLOAD_ALONE;
	else if (offer->outcome == MIGRATE_OFFLOAD_NONE)
		offer->outcome = MIGRATE_OFFLOAD_OVERLAP;
	offer->begun = ktime_get();
}

/* Give @batch to its engine. It is gone when that does not take it. */
static void mo_submit_marked(struct mo_offer *offer, struct mo_batch *batch)
{
	bool overlap = mo_may_overlap(batch->engine, offer);
	enum mo_refusal why = mo_submit(offer->node, batch, offer->reason,
					offer->begun);
	unsigned int i;

	if (why == MO_ACCEPTED) {
		mo_taken(offer, overlap);
		return;
	}
	for (i = 0; i < batch->nr_pairs; i++) {
		struct mo_pair *pair = &batch->pairs[i];

		pair->dst->private = (void *)pair->private;
		mo_refuse(offer->node, pair->src, offer->reason, why);
	}
	mo_batch_cancel(batch);
}

/*
 * Add a marked pair to @batch, if it is not for several engines. When there is
 * none yet, or it is full, start one with the first engine that takes the pair.
 * Returns the batch to go on with, or NULL.
 */
static struct mo_batch *mo_assign(struct mo_offer *offer,
				  struct mo_batch *batch, struct folio *src,
				  struct folio *dst)
{
	struct mo_piece piece = mo_whole(src, dst);
	struct mo_pair *parts = mo_join(offer->node, &piece, offer->bytes,
					offer->reason);
	enum mo_refusal why;

	if (parts) {
		mo_set_pair(dst, parts);
		mo_taken(offer, mo_may_overlap(parts->batch->engine, offer));
		return batch;
	}
	if (batch) {
		if (mo_add(batch, src, dst))
			return batch;
		mo_submit_marked(offer, batch);
	}

	batch = mo_policy_pick(offer->node, &piece, offer->bytes,
			       offer->choice, &why);
	if (batch && mo_add(batch, src, dst))
		return batch;
	/* An empty batch, of an engine that reaches the pair, has room for it. */
	if (WARN_ON_ONCE(batch)) {
		mo_batch_cancel(batch);
		why = MO_REFUSED_LIMITS;
	}
	mo_unmark(dst);
	mo_refuse(offer->node, src, offer->reason, why);
	return NULL;
}

/* Give the marked folios for one node to its engines. */
static void mo_dispatch(struct mo_offer *offer, struct list_head *srcs,
			struct list_head *dsts)
{
	struct mo_batch *batch = NULL;
	struct folio *src, *dst;

	dst = list_first_entry(dsts, struct folio, lru);
	list_for_each_entry(src, srcs, lru) {
		if (folio_nid(dst) == offer->node->nid && mo_is_marked(dst))
			batch = mo_assign(offer, batch, src, dst);
		dst = list_next_entry(dst, lru);
	}
	if (batch)
		mo_submit_marked(offer, batch);
}

/* Mark the pair if it may be copied by an engine, as far as it goes. */
static bool mo_accept(struct folio *src, struct folio *dst, int reason)
{
	struct mo_node *node = mo_node(folio_nid(dst));
	enum mo_refusal why;

	/* There was no memory for a policy when the node came online. */
	if (!node)
		return false;

	this_cpu_inc(node->stats->offered);
	why = mo_pair_refusal(node, src, dst, reason);
	if (why != MO_ACCEPTED) {
		mo_refuse(node, src, reason, why);
		return false;
	}
	mo_mark(dst);
	return true;
}

/* All of the folios are bound for the node. */
static void mo_refuse_all(struct mo_offer *offer, struct list_head *srcs,
			  enum mo_refusal why)
{
	struct folio *src;

	this_cpu_add(offer->node->stats->offered, offer->nr_folios);
	this_cpu_add(offer->node->stats->refused[why], offer->nr_folios);
	if (!trace_migrate_offload_refuse_enabled())
		return;
	list_for_each_entry(src, srcs, lru)
		trace_migrate_offload_refuse(offer->node->nid,
					     migrate_reason_names[offer->reason],
					     mo_refusal_names[why],
					     folio_nr_pages(src));
}

/*
 * Does "auto" leave them all to the CPU? This comes before anything is done for
 * each of them: to be no slower than the CPU, it must be next to nothing.
 */
static bool mo_auto_declines(struct mo_offer *offer, struct list_head *srcs,
			     struct list_head *dsts)
{
	struct folio *src, *dst = list_first_entry(dsts, struct folio, lru);

	offer->choice = MO_CHOICE_ANY;
	offer->node = mo_node(folio_nid(dst));
	if (!offer->node || !READ_ONCE(offer->node->automatic))
		return false;
	list_for_each_entry(src, srcs, lru) {
		if (folio_nid(dst) != offer->node->nid)
			return false;
		offer->nr_folios++;
		offer->bytes += folio_size(src);
		dst = list_next_entry(dst, lru);
	}
	src = list_first_entry(srcs, struct folio, lru);
	offer->choice = mo_policy_choose(offer->node, folio_nid(src),
					 offer->bytes);
	if (offer->choice != MO_CHOICE_DECLINE)
		return false;
	mo_refuse_all(offer, srcs, MO_REFUSED_SLOWER);
	return true;
}

static enum migrate_offload mo_offer(struct list_head *srcs,
				     struct list_head *dsts, int reason)
{
	struct mo_offer offer = { .reason = reason, .begun = ktime_get() };
	int nid, next = MAX_NUMNODES;
	struct folio *src, *dst;

	if (mo_auto_declines(&offer, srcs, dsts))
		return MIGRATE_OFFLOAD_NONE;

	dst = list_first_entry(dsts, struct folio, lru);
	list_for_each_entry(src, srcs, lru) {
		if (mo_accept(src, dst, reason))
			next = min(next, folio_nid(dst));
		dst = list_next_entry(dst, lru);
	}

	/* Mostly one node; interleaving policies have several. */
	while (next < MAX_NUMNODES) {
		nid = next;
		next = MAX_NUMNODES;
		offer.node = mo_node(nid);
		offer.nr_folios = 0;
		offer.bytes = 0;
		dst = list_first_entry(dsts, struct folio, lru);
		list_for_each_entry(src, srcs, lru) {
			if (mo_is_marked(dst) && folio_nid(dst) == nid) {
				offer.nr_folios++;
				offer.bytes += folio_size(src);
			} else if (mo_is_marked(dst) && folio_nid(dst) > nid) {
				next = min(next, folio_nid(dst));
			}
			dst = list_next_entry(dst, lru);
		}
		mo_dispatch(&offer, srcs, dsts);
	}
	return offer.outcome;
}

enum migrate_offload __migrate_offload_begin(struct list_head *src_folios,
					     struct list_head *dst_folios,
					     int reason)
{
	enum migrate_offload outcome;

	if (!mo_offer_begin())
		return MIGRATE_OFFLOAD_NONE;
	outcome = mo_offer(src_folios, dst_folios, reason);
	if (outcome == MIGRATE_OFFLOAD_NONE)
		mo_offer_end();
	return outcome;
}

void __migrate_offload_end(void)
{
	mo_offer_end();
}
