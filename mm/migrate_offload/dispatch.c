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
	struct address_space *mapping;

	if (folio_test_anon(src) && !folio_test_swapcache(src))
		return true;
	mapping = folio_mapping(src);
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
 * Most folios are anonymous, of one page, and nothing goes on with them. One look
 * at the flags is quicker than one for each rule.
 */
static bool mo_is_plain(const struct folio *folio)
{
	const unsigned long odd = BIT(PG_head) | BIT(PG_writeback) |
				  BIT(PG_swapcache) | __PG_HWPOISON;

	/* Anonymous ones are not movable_ops pages, which have another bit. */
	return !(folio->flags & odd) && folio_test_anon(folio) &&
	       !folio_is_zone_device(folio);
}

/* By all rules, one after the other. */
static noinline enum mo_refusal mo_odd_refusal(struct folio *src,
					       struct folio *dst)
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

/*
 * Why this folio must not be copied before it is moved. Both are locked, @src
 * is unmapped and the TLB is flushed: a reference too many now is a writer
 * that may be gone, with its write lost, when the folio is moved.
 */
static __always_inline enum mo_refusal mo_refusal(struct folio *src,
						  struct folio *dst)
{
	if (!mo_is_plain(src) || folio_is_zone_device(dst))
		return mo_odd_refusal(src, dst);
	/* Expected is one for each mapping, of which the count begins at -1, and ours. */
	return folio_ref_count(src) == atomic_read(&src->_mapcount) + 2 ?
	       MO_ACCEPTED : MO_REFUSED_PINNED;
}

enum mo_refusal mo_folio_refusal(struct folio *src, struct folio *dst)
{
	return mo_refusal(src, dst);
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

static __always_inline bool mo_add(struct mo_batch *batch,
				   const struct mo_piece *piece)
{
	struct mo_pair *pair = NULL;

	if (mo_engine_reach(batch->engine, piece) == piece->bytes)
		pair = mo_batch_add(batch, piece);
	if (!pair)
		return false;
	mo_set_pair(piece->dst, pair);
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
 * Give @batch, on which work was @begun, to its engine, and set @begun for the
 * next. When it is refused it is still the caller's.
 */
enum mo_refusal mo_submit(struct mo_node *node, struct mo_batch *batch,
			  int reason, ktime_t *begun)
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
		ktime_t since = *begun;

		/* Of an engine that is the CPU, only the copy. */
		if (engine->by_cpu)
			since = batch->submitted;
		*begun = ktime_get();
		batch->task_ns = ktime_to_ns(ktime_sub(*begun, since));
		this_cpu_inc(engine->stats->batches);
		return MO_ACCEPTED;
	}
	why = mo_submit_refusal(err);
	this_cpu_add(engine->stats->refused[why], batch->nr_pairs);
	return why;
}

/* Folios for one node. */
struct mo_offer {
	struct mo_node *node;
	int reason;
	unsigned int nr_folios;		/* that may be copied */
	size_t bytes;
	struct migrate_offload_run *run;	/* that it is a part of, or NULL */
	int choice;			/* of "auto" */
	ktime_t begun;			/* work on the next batch */
	struct mo_batch *batch;		/* that is being filled, or NULL */

	/* What has been taken: */
	bool taken;			/* anything */
	bool by_cpu;			/* by what copies with the CPU */
	bool slow;			/* by an engine that does not outrun it */
	bool any_by_cpu;		/* for any node */
	enum migrate_offload outcome;	/* of all nodes */
};

static void mo_taken(struct mo_offer *offer, const struct mo_engine *engine)
{
	offer->taken = true;
	offer->by_cpu |= engine->by_cpu;
	offer->slow |= !mo_engine_outruns_cpu(engine);
}

/*
 * May others be unmapped while these are copied, or before they are moved, and no
 * folio is unmapped for longer than if the CPU copied?
 */
static enum migrate_offload mo_outcome(const struct mo_offer *offer)
{
	if (!offer->taken)
		return MIGRATE_OFFLOAD_NONE;
	/* What copies with the CPU has copied already. */
	if (offer->by_cpu || offer->nr_folios > MO_OVERLAP_FOLIOS)
		return MIGRATE_OFFLOAD_ALONE;
	if (offer->bytes > MO_OVERLAP_BYTES && offer->slow)
		return MIGRATE_OFFLOAD_COPIED;
	return MIGRATE_OFFLOAD_OVERLAP;
}

/* Give the batch to its engine. It is gone when that does not take it. */
static void mo_submit_marked(struct mo_offer *offer)
{
	struct mo_batch *batch = offer->batch;
	enum mo_refusal why;
	unsigned int i;

	offer->batch = NULL;
	batch->run = offer->run;
	batch->more = offer->run && offer->run->more;
	why = mo_submit(offer->node, batch, offer->reason, &offer->begun);
	if (why == MO_ACCEPTED) {
		mo_taken(offer, batch->engine);
		return;
	}
	for (i = 0; i < batch->nr_pairs; i++) {
		struct mo_pair *pair = &batch->pairs[i];

		pair->dst->private = (void *)pair->private;
		mo_refuse(offer->node, pair->src, offer->reason, why);
	}
	mo_batch_cancel(batch);
}

/* Engines that are joined share a folio that is large enough. */
static bool mo_assign_joined(struct mo_offer *offer,
			     const struct mo_piece *piece)
{
	struct mo_pair *parts = mo_join(offer->node, piece, offer->bytes,
					offer->reason, offer->run);

	if (!parts)
		return false;
	mo_set_pair(piece->dst, parts);
	mo_taken(offer, parts->batch->engine);
	offer->begun = ktime_get();
	return true;
}

/*
 * When there is no batch yet, or it is full, start one with the first engine that
 * takes the pair; if it is not for several engines.
 */
static void mo_assign_anew(struct mo_offer *offer, struct mo_piece *piece)
{
	enum mo_refusal why = MO_ACCEPTED;

	if (mo_is_joined(offer->node) && mo_assign_joined(offer, piece))
		return;
	while (!offer->batch || !mo_add(offer->batch, piece)) {
		/* An empty one, of an engine that reaches the pair, has room. */
		if (WARN_ON_ONCE(why != MO_ACCEPTED)) {
			mo_batch_cancel(offer->batch);
			offer->batch = NULL;
			break;
		}
		if (offer->batch)
			mo_submit_marked(offer);
		offer->batch = mo_policy_pick(offer->node, piece, offer->bytes,
					      offer->choice, &why);
		if (!offer->batch)
			break;
		why = MO_REFUSED_LIMITS;
	}
	if (!offer->batch) {
		mo_unmark(piece->dst);
		mo_refuse(offer->node, piece->src, offer->reason, why);
	}
}

/* Add a pair to the batch. */
static __always_inline void mo_assign(struct mo_offer *offer,
				      struct mo_piece *piece)
{
	if (!offer->batch || mo_is_joined(offer->node) ||
	    !mo_add(offer->batch, piece))
		mo_assign_anew(offer, piece);
}

/* Assign the marked folios for one node. */
static void mo_assign_marked(struct mo_offer *offer, struct list_head *srcs,
			     struct list_head *dsts)
{
	struct folio *src, *dst;

	dst = list_first_entry(dsts, struct folio, lru);
	list_for_each_entry(src, srcs, lru) {
		if (folio_nid(dst) == offer->node->nid && mo_is_marked(dst)) {
			struct mo_piece piece = mo_whole(src, dst);

			mo_assign(offer, &piece);
		}
		dst = list_next_entry(dst, lru);
	}
}

/*
 * Look at a pair that is bound for the offer's node. If it may be copied by an
 * engine, as far as it goes, it is assigned at once or, as long as it is not
 * known whether there are enough, marked.
 */
static void mo_accept(struct mo_offer *offer, struct folio *src,
		      struct folio *dst, enum mo_refusal why, bool at_once)
{
	struct mo_piece piece = mo_whole(src, dst);

	if (why == MO_ACCEPTED)
		why = mo_refusal(src, dst);
	if (why != MO_ACCEPTED) {
		mo_refuse(offer->node, src, offer->reason, why);
		return;
	}
	offer->nr_folios++;
	offer->bytes += piece.bytes;
	if (at_once)
		mo_assign(offer, &piece);
	else
		mo_mark(dst);
}

/* What is bound for node @nid. Returns whether there may be more than that. */
static bool mo_offer_to(struct mo_offer *offer, int nid, struct list_head *srcs,
			struct list_head *dsts)
{
	struct mo_node *node = mo_node(nid);
	bool at_once, others = false;
	unsigned int offered = 0;
	struct folio *src, *dst;
	enum mo_refusal why;

	/* There was no memory for a policy when the node came online. */
	if (!node)
		return true;
	offer->node = node;
	offer->nr_folios = 0;
	offer->bytes = 0;
	offer->taken = false;
	offer->by_cpu = false;
	offer->slow = false;
	why = mo_caller_refusal(node, offer->reason);
	at_once = READ_ONCE(node->least_bytes) <= PAGE_SIZE;

	dst = list_first_entry(dsts, struct folio, lru);
	list_for_each_entry(src, srcs, lru) {
		if (folio_nid(dst) != nid) {
			others = true;
		} else {
			offered++;
			mo_accept(offer, src, dst, why, at_once);
		}
		dst = list_next_entry(dst, lru);
	}
	this_cpu_add(node->stats->offered, offered);

	if (!at_once && offer->nr_folios)
		mo_assign_marked(offer, srcs, dsts);
	if (offer->batch)
		mo_submit_marked(offer);
	offer->any_by_cpu |= offer->by_cpu;
	/* Of several nodes, that counts which allows least. */
	offer->outcome = max(offer->outcome, mo_outcome(offer));
	return others;
}

/* All of the @nr folios, which are bound for @node. */
static void mo_refuse_all(struct mo_node *node, struct list_head *srcs,
			  unsigned int nr, int reason, enum mo_refusal why)
{
	struct mo_node_stats __percpu *stats = node->stats;
	struct folio *src;

	this_cpu_add(stats->offered, nr);
	this_cpu_add(stats->refused[why], nr);
	if (!trace_migrate_offload_refuse_enabled())
		return;
	list_for_each_entry(src, srcs, lru)
		trace_migrate_offload_refuse(node->nid,
					     migrate_reason_names[reason],
					     mo_refusal_names[why],
					     folio_nr_pages(src));
}

/*
 * Whom "auto" chooses. Of a run, for several parts: what it saves is that others
 * are unmapped while one is copied, and that does not show in a single part.
 */
static int mo_choose(struct mo_node *node, int src,
		     const struct mo_amount *what,
		     struct migrate_offload_run *run)
{
	unsigned int changes;
	int choice;

	if (!run)
		return mo_auto_choose(node, src, what);
	changes = atomic_read_acquire(&node->auto_changes);
	/* As long as it is about the same. */
	if (run->parts && run->nid == node->nid && run->src == src &&
	    run->last == what->last && run->changes == changes) {
		run->parts--;
		return run->choice;
	}
	choice = mo_auto_choose(node, src, what);
	run->nid = node->nid;
	run->src = src;
	run->last = what->last;
	run->changes = changes;
	run->choice = choice;
	run->parts = choice >= 0 ? MO_CHOICE_PARTS - 1 : 0;
	return choice;
}

/*
 * Is the caller refused, or does "auto" leave them all to the CPU? This comes
 * before anything is done for each of them: to be no slower than the CPU, it must
 * be next to nothing. If not, @choice is whom "auto" has chosen.
 */
static bool mo_all_declined(struct list_head *srcs, struct list_head *dsts,
			    int reason, struct migrate_offload_run *run,
			    int *choice)
{
	struct folio *src, *dst = list_first_entry(dsts, struct folio, lru);
	struct mo_node *node = mo_node(folio_nid(dst));
	struct mo_amount what = {
		.run = run,
		.more = run && run->more,
	};
	size_t bytes = 0, last = 0;
	unsigned int nr = 0;
	enum mo_refusal why;

	if (!node)
		return false;
	why = mo_caller_refusal(node, reason);
	if (why == MO_ACCEPTED && !READ_ONCE(node->automatic))
		return false;
	list_for_each_entry(src, srcs, lru) {
		if (folio_nid(dst) != node->nid)
			return false;
		last = folio_size(src);
		bytes += last;
		nr++;
		dst = list_next_entry(dst, lru);
	}
	if (why == MO_ACCEPTED) {
		what.bytes = bytes;
		what.last = last;
		src = list_first_entry(srcs, struct folio, lru);
		*choice = mo_choose(node, folio_nid(src), &what, run);
		why = mo_choice_refusal(*choice);
		if (why == MO_ACCEPTED)
			return false;
	}
	mo_refuse_all(node, srcs, nr, reason, why);
	return true;
}

/* Not inlined: what is declined is not to pay for its stack. */
static noinline enum migrate_offload
mo_offer(struct list_head *srcs, struct list_head *dsts, int reason,
	 struct migrate_offload_run *run, int choice, bool *by_cpu)
{
	int nid, first = folio_nid(list_first_entry(dsts, struct folio, lru));
	struct mo_offer offer = {
		.reason = reason,
		.run = run,
		.choice = choice,
	};

	/* What is declined leaves no marker that disabling waits for. */
	if (!mo_offer_begin())
		return MIGRATE_OFFLOAD_NONE;
	offer.begun = ktime_get();
	/* Mostly one node; interleaving policies have several. */
	if (mo_offer_to(&offer, first, srcs, dsts))
		for_each_node_state(nid, N_MEMORY)
			if (nid != first)
				mo_offer_to(&offer, nid, srcs, dsts);
	if (offer.outcome == MIGRATE_OFFLOAD_NONE)
		mo_offer_end();
	*by_cpu = offer.any_by_cpu;
	return offer.outcome;
}

/* How many pages are worth another offer, after what came of this one? */
static int mo_next_pages(enum migrate_offload outcome, int choice, bool by_cpu)
{
	bool small = true;

	/*
	 * If the CPU copies, nothing but more flushes comes of small parts, unless
	 * "auto" waits for less than that, or has just seen what the CPU costs.
	 */
	if (outcome == MIGRATE_OFFLOAD_NONE)
		small = choice == MO_CHOICE_LARGE;
	else if (by_cpu)
		small = choice == MO_CHOICE_CPU;
	return small ? READ_ONCE(mo_part_pages) : INT_MAX;
}

enum migrate_offload
__migrate_offload_begin(struct list_head *src_folios,
			struct list_head *dst_folios, int reason,
			struct migrate_offload_run *run)
{
	enum migrate_offload outcome = MIGRATE_OFFLOAD_NONE;
	struct migrate_offload_run *part = NULL;
	int choice = MO_CHOICE_ANY;
	bool by_cpu = false;

	/* The first part may be the only one. */
	if (run && (run->more || run->begun))
		part = run;
	if (!mo_all_declined(src_folios, dst_folios, reason, part, &choice))
		outcome = mo_offer(src_folios, dst_folios, reason, part,
				   choice, &by_cpu);
	if (run) {
		run->begun = true;
		run->pages = mo_next_pages(outcome, choice, by_cpu);
		/* Who did not take it will not take a larger one. */
		if (outcome == MIGRATE_OFFLOAD_NONE)
			run->parts = 0;
	}
	return outcome;
}

void __migrate_offload_end(void)
{
	mo_offer_end();
}
