/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration offload, shared by the files of mm/migrate_offload/
 *
 *	batch.c		extents, fences, memory set aside for batches
 *	stripe.c	which channel, and which engine, gets which bytes
 *	join.c		one folio, by several engines
 *	engine.c	registry: engines come, fail, are reset and go
 *	cpu.c		the engine "cpu": the task that migrates copies
 *	cpu_mt.c	the engine "cpu-mt": other CPUs help it
 *	policy.c	who copies what arrives at a node
 *	auto.c		what copies cost, and who is cheapest
 *	sysfs.c		/sys/kernel/mm/migrate_offload
 *	dispatch.c	the hook: from folio pairs to batches
 *	wait.c		and back: deadlines, results, quarantine
 *	hugetlb.c	the hook of hugetlb: one folio, in pieces
 *
 * Locks, outermost first:
 *
 *	mo_enable_lock		enabling; cpu_hotplug_lock nests in it
 *	mo_lock			registry and policies; nests in mem_hotplug_lock
 *	mo_engine->op_lock	->quiesce() and ->reset(); not under mo_lock
 *	mo_engine->slots_lock	free batches; irq safe, a leaf
 *	batch->lock		results and fences; irq safe
 *
 * Submitting takes none but slots_lock; completing takes batch->lock.
 */
#ifndef _MM_MIGRATE_OFFLOAD_INTERNAL_H
#define _MM_MIGRATE_OFFLOAD_INTERNAL_H

#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/migrate_offload.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/percpu-refcount.h>
#include <linux/refcount.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

/*
 * Folios in a batch. With 4K pages, migrate_pages() brings at most so many
 * base pages at once, plus one folio; what is more makes another batch.
 */
#define MO_BATCH_FOLIOS		512

/* Engines that may be named in one node's list, and that "auto" looks at. */
#define MO_MAX_CHOICE		8

/* Below this a channel's share of a batch is not worth a descriptor. */
#define MO_MIN_SHARE		(64UL << 10)
/* The same, if extents are shorter than that: it is a descriptor for each. */
#define MO_MIN_SHARE_SMALL	(128UL << 10)

/*
 * Pages that are offered together while more are to be unmapped: an eighth of
 * what migration without offload unmaps at once, so that the first are mapped
 * again early, and no less, so that the TLB is not flushed all the time.
 */
#define MO_PART_PAGES		64
/* Of the first ones: nothing is copied, or moved, before these are offered. */
#define MO_FIRST_PAGES		(MO_PART_PAGES / 2)

/*
 * What may be copied while other folios are unmapped, so that none stays so
 * for longer than the 512 of migration without offload: so many folios, and so
 * many bytes, unless the engine copies twice as fast as the CPU.
 */
#define MO_OVERLAP_FOLIOS	128
#define MO_OVERLAP_BYTES	SZ_1M

/* Of one engine. */
#define MO_MAX_CHANNELS		256

/* After so many batches in a row with nothing copied an engine is failed. */
#define MO_MAX_BAD_BATCHES	16

/*
 * How long an engine that failed may take to quiesce before its folios go
 * into quarantine, and their migration fails.
 */
#define MO_QUIESCE_GRACE	msecs_to_jiffies(100)

/* How often unregistering asks an engine to let go of its batches. */
#define MO_UNREGISTER_WAIT	msecs_to_jiffies(5000)

#define MO_DEFAULT_TIMEOUT_MS	1000
#define MO_MAX_TIMEOUT_MS	600000

/* min_bytes of a node: ask the engine */
#define MO_MIN_BYTES_AUTO	(-1L)

/* Why a folio, or a batch of them, was not given to an engine. */
enum mo_refusal {
	MO_ACCEPTED = -1,
	MO_REFUSED_MOVABLE,	/* movable_ops page, not a folio */
	MO_REFUSED_ZONE_DEVICE,	/* device memory */
	MO_REFUSED_WRITEBACK,	/* under writeback */
	MO_REFUSED_POISON,	/* hardware poison */
	MO_REFUSED_MAPPING,	/* written under other locks than the folio's */
	MO_REFUSED_PINNED,	/* unexpected references */
	MO_REFUSED_TAGS,	/* carries what an engine cannot copy */
	MO_REFUSED_REASON,	/* not among the node's reasons */
	MO_REFUSED_CONTEXT,	/* direct reclaim */
	MO_REFUSED_TOO_SMALL,	/* fewer bytes than min_bytes */
	MO_REFUSED_SLOWER,	/* "auto" expects the CPU to be faster */
	MO_REFUSED_NO_ENGINE,	/* no chosen engine is online */
	MO_REFUSED_BUSY,	/* all batches in flight */
	MO_REFUSED_LIMITS,	/* outside of the engine's limits */
	MO_REFUSED_BOUNCE,	/* cannot be mapped without a copy */
	MO_REFUSED_SUBMIT,	/* the engine said no */
	MO_NR_REFUSALS
};

/* Batches by size, for what they cost: each class is four times the last. */
#define MO_NR_COST_CLASSES	7	/* 4 KiB, 16 KiB, ... 4 MiB, and more */

/*
 * For "auto" each is twice the last, since twice as much can be enough for an
 * engine that half of it is not enough for.
 */
#define MO_NR_AUTO_SIZES	12	/* 4 KiB, 8 KiB, ... 4 MiB, and more */
/* And by the size of their folios: below 16 KiB, below 64 KiB, and others, */
#define MO_NR_FOLIO_CLASSES	3
/* either alone, or in a run of parts that are copied while others are unmapped. */
#define MO_NR_KINDS		(2 * MO_NR_FOLIO_CLASSES)
#define MO_NR_CLASSES		(MO_NR_KINDS * MO_NR_AUTO_SIZES)

/* What "auto" chooses for one part of a run goes for so many. */
#define MO_CHOICE_PARTS		8

/* Per CPU, so that counting shares nothing between nodes. */
struct mo_engine_stats {
	u64 batches;
	u64 folios;
	u64 bytes;
	u64 errors;
	u64 timeouts;
	u64 refused[MO_NR_REFUSALS];
	u64 cost_ns[MO_NR_COST_CLASSES];
	u64 cost_batches[MO_NR_COST_CLASSES];
};

/* In folios. Each one offered ends in exactly one of the others. */
struct mo_node_stats {
	u64 offered;
	u64 copied_engine;
	u64 copied_cpu;
	u64 failed;
	u64 refused[MO_NR_REFUSALS];
	/* a part of @failed */
	u64 quarantined;
};

enum mo_state {
	MO_ONLINE,
	MO_FAILED,
	MO_REMOVED,
};

/* What "auto" is to save; the time, if the CPU has nothing else to do. */
enum mo_goal {
	MO_GOAL_LOAD,
	MO_GOAL_TIME,
	MO_GOAL_CPU,
	MO_NR_GOALS
};

/* What "auto" says, if it does not name one of the node's engines. */
enum mo_choice {
	MO_CHOICE_ANY = -1,	/* the first that takes it, if any */
	MO_CHOICE_CPU = -2,	/* the CPU, as an engine: its cost is wanted */
	/* The CPU, because: */
	MO_CHOICE_SLOWER = -3,	/* others are slower */
	MO_CHOICE_SMALL = -4,	/* it is not enough for any of them */
	MO_CHOICE_NOBODY = -5,	/* there are no others */
	MO_CHOICE_LARGE = -6,	/* it is too much at once for any of them */
};

struct mo_batch;
struct mo_costs;

/* What is known of a channel. Written by whoever learns of it, unlocked. */
struct mo_channel {
	atomic_long_t queued;		/* bytes that it has not copied yet */
	unsigned long cost;		/* ns for a MiB, decayed */
	unsigned long samples;		/* of cost; does not count far */
	unsigned long passed;		/* since it had a share, see stripe.c */
	ktime_t done;			/* when it last was, with a batch */
};

struct mo_engine {
	struct migrate_offload_engine pub;
	char name[MIGRATE_OFFLOAD_NAME_LEN];
	char driver[MIGRATE_OFFLOAD_NAME_LEN];
	const struct migrate_offload_ops *ops;
	int numa_node;
	phys_addr_t max_addr;
	size_t max_extent_bytes;
	size_t align;
	unsigned int max_extents;
	unsigned int max_batches;
	unsigned int nr_channels;
	size_t min_bytes;
	unsigned int timeout_ms;

	struct list_head node;		/* in mo_engines */
	struct kobject kobj;
	bool by_cpu;			/* copies with the CPU */
	bool limited;			/* not any page anywhere will do */
	enum mo_state state;
	unsigned long grace_end;	/* in jiffies, 0 while it does not fail */
	atomic_t bad_batches;		/* nothing copied, in a row */
	atomic_t inflight;		/* batches not quiesced */
	atomic_long_t quarantined_pages;
	u64 mib_ns;			/* time for 1 MiB, averaged; 0: not known */
	ktime_t last_completed;
	atomic_long_t queued_bytes;	/* of batches not quiesced */
	struct mo_costs *costs;		/* of "auto", by direction */
	struct mo_engine_stats __percpu *stats;

	struct mutex op_lock;		/* one ->quiesce() or ->reset() at a time */
	struct work_struct fail_work;

	/* One reference for each batch in use, and the registration's. */
	struct percpu_ref users;
	struct completion drained;

	spinlock_t slots_lock;		/* of slots; irq safe */
	struct list_head slots;		/* free batches */
	struct mo_batch **batches;	/* all batches */
	u64 fence_context;
	atomic64_t fence_seqno;

	struct mo_channel *channels;	/* NULL if the CPU copies */
	unsigned int next_channel;	/* whose turn it is */
	unsigned int left_out;		/* of so many folios, see stripe.c */
	struct attribute_group channels_group;
};

/* What is copied at a time: a folio, or a part of one of hugetlb. */
struct mo_piece {
	struct folio *src;
	struct folio *dst;
	size_t offset;			/* in both */
	size_t bytes;
	bool ends;			/* the folio, and does not just go on */
};

/* A folio's part in a batch. dst->private points here, but for hugetlb. */
struct mo_pair {
	struct folio *src;
	struct folio *dst;
	size_t bytes;
	struct mo_batch *batch;
	unsigned long private;		/* what dst->private was */
	unsigned short first, last;	/* extents that cover it */
	int result;	/* 0, -EAGAIN: the CPU copies it, else: do not move */
	bool ends;			/* as of the piece */
	bool held;			/* in quarantine */
};

/* A channel's part in a batch. */
struct mo_share {
	size_t bytes;
	size_t queued;			/* it has that before */
	unsigned long cost;
	unsigned int weight;		/* how fast it is */
	bool chosen;
	/* Under the batch's pub.lock: */
	bool good;			/* no errors */
	unsigned int left;		/* extents without a result */
	ktime_t done;
	s64 busy;			/* ns */
};

struct mo_batch {
	struct migrate_offload_batch pub;
	struct mo_engine *engine;
	struct list_head node;		/* in mo_engine->slots */
	refcount_t fences;		/* not yet released */
	int nid;			/* destination */
	int reason;
	bool run;			/* one part of several */
	bool more;			/* and not the last one */

	/* Of a part of a folio that several engines copy, see join.c: */
	bool joined;
	enum mo_refusal why;		/* the engine did not take it */
	struct mo_batch *next;		/* the next part */

	/* Under pub.lock: */
	unsigned int pending;		/* extents without a result */
	int error;			/* the first one */
	ktime_t completed;
	struct mo_share *shares;	/* of each channel, if there are any */

	/* Of the task that migrates: */
	phys_addr_t src_end, dst_end;	/* of the last extent */
	unsigned int nr_pairs;
	unsigned int nr_ends;		/* pairs with which a folio ends */
	unsigned int unsettled;		/* pairs not waited for yet */
	bool settled;
	ktime_t submitted;
	u64 task_ns;			/* what it has cost the task */
	size_t queued_bytes;		/* of the engine's */
	unsigned int timeout_ms;
	unsigned long deadline;		/* jiffies */

	/* In quarantine: */
	unsigned long quarantined_pages;
	struct dma_fence_cb release_cb;
	struct work_struct release_work;

	struct mo_pair pairs[];
};

/* What is copied, as "auto" looks at it. */
struct mo_amount {
	size_t bytes;
	size_t last;			/* of these, the last folio's */
	bool run;			/* one part of several */
	bool more;			/* and not the last one */
};

/* Where "auto" stands with copies of one class. Not locked. */
struct mo_auto {
	u64 credit;			/* ns that may be lost by trying */
	unsigned int since;		/* offers since the last try */
	unsigned int turn;		/* whose it is to be tried */

	/* It left such a copy to the CPU, and does as long as nothing changes: */
	unsigned int changes;		/* mo_node->auto_changes, then; or 0 */
	int src;
	size_t bytes;
	bool freed;
	enum mo_choice choice;
	u64 earned;			/* by each such offer, in ns */
	u64 until;			/* the credit is that: for a lesson */
};

/* A node's policy. Set up when its memory first comes online, then kept. */
struct mo_node {
	int nid;
	struct mo_node_stats __percpu *stats;

	/* Written under mo_lock, read without: */
	bool automatic;
	enum mo_goal goal;
	unsigned long reasons;
	long min_bytes;
	size_t least_bytes;		/* that all of the choice would take */
	struct mo_engine __rcu *choice[MO_MAX_CHOICE];

	/* Of auto.c, not locked: */
	atomic_t auto_changes;		/* of policy and engines */
	struct mo_auto autos[MO_NR_CLASSES];

	/* Under mo_lock: */
	unsigned int nr_names;
	unsigned long joined;		/* bit N: name N with name N + 1 */
	char names[MO_MAX_CHOICE][MIGRATE_OFFLOAD_NAME_LEN];
	struct kobject *kobj;		/* under mem_hotplug_lock */
};

static inline struct mo_piece mo_whole(struct folio *src, struct folio *dst)
{
	return (struct mo_piece) {
		.src = src,
		.dst = dst,
		.bytes = folio_size(src),
		.ends = true,
	};
}

static inline struct mo_engine *to_mo_engine(struct migrate_offload_engine *e)
{
	return container_of(e, struct mo_engine, pub);
}

static inline struct mo_batch *to_mo_batch(struct migrate_offload_batch *b)
{
	return container_of(b, struct mo_batch, pub);
}

/* batch.c */
int mo_batches_create(struct mo_engine *engine, size_t priv_size);
void mo_batches_destroy(struct mo_engine *engine);
struct mo_batch *mo_batch_get(struct mo_engine *engine);
void mo_batch_put(struct mo_batch *batch);
struct mo_pair *mo_batch_add(struct mo_batch *batch,
			     const struct mo_piece *piece);
void mo_batch_seal(struct mo_batch *batch);
void mo_batch_refused(struct mo_batch *batch);
void mo_batch_cancel(struct mo_batch *batch);
int mo_batch_pair_error(struct mo_batch *batch, const struct mo_pair *pair);

/* Each class is four times the last, and named after the most it has. */
static inline unsigned int mo_size_class(size_t bytes)
{
	size_t units = DIV_ROUND_UP(bytes, SZ_4K);

	return min_t(unsigned int, MO_NR_COST_CLASSES - 1,
		     (order_base_2(units) + 1) / 2);
}

/* Why "auto" leaves it to the CPU; MO_ACCEPTED if it does not. */
static inline enum mo_refusal mo_choice_refusal(int choice)
{
	switch (choice) {
	case MO_CHOICE_SLOWER:
	case MO_CHOICE_LARGE:
		return MO_REFUSED_SLOWER;
	case MO_CHOICE_SMALL:
		return MO_REFUSED_TOO_SMALL;
	case MO_CHOICE_NOBODY:
		return MO_REFUSED_NO_ENGINE;
	default:
		return MO_ACCEPTED;
	}
}

/* stripe.c */
int mo_stripe_create(struct mo_engine *engine);
void mo_stripe_destroy(struct mo_engine *engine);
ktime_t mo_stripe_clock(void);
unsigned long mo_channel_speed(const struct mo_channel *channel);
bool mo_stripe(struct mo_batch *batch);
void mo_stripe_engines(struct mo_batch **batches, unsigned int nr, size_t bytes,
		       size_t *parts);
void mo_stripe_cancel(struct mo_batch *batch);
void mo_stripe_share_done(struct mo_batch *batch, unsigned int c);
void mo_stripe_all_done(struct mo_batch *batch);
void mo_stripe_batch_done(struct mo_batch *batch);

/* An extent has its result: is it the last one of its channel? Under pub.lock. */
static inline void
mo_stripe_extent_done(struct mo_batch *batch,
		      const struct migrate_offload_extent *extent)
{
	struct mo_share *share;

	if (!batch->shares)
		return;
	share = &batch->shares[extent->channel];
	if (extent->error)
		share->good = false;
	if (!--share->left)
		mo_stripe_share_done(batch, extent->channel);
}

/* engine.c */
extern struct mutex mo_lock;
extern struct list_head mo_engines;
extern struct workqueue_struct *mo_wq;

bool mo_name_valid(const char *name);
struct mo_engine *mo_engine_find(const char *name);
bool mo_memory_encrypted(void);
size_t mo_engine_reach_limited(const struct mo_engine *engine,
			       const struct mo_piece *piece);
void mo_engine_copied(struct mo_engine *engine, size_t bytes, ktime_t submitted,
		      ktime_t completed);
bool mo_engine_outruns_cpu(const struct mo_engine *engine);
void mo_engine_fail(struct mo_engine *engine, const char *why);
int mo_engine_reset(struct mo_engine *engine,
		    int (*reset)(struct migrate_offload_engine *engine));
void mo_engine_free(struct mo_engine *engine);

static inline bool mo_engine_online(const struct mo_engine *engine)
{
	return READ_ONCE(engine->state) == MO_ONLINE;
}

/* How many bytes of @piece @engine can copy in one batch; 0: none of it. */
static inline size_t mo_engine_reach(const struct mo_engine *engine,
				     const struct mo_piece *piece)
{
	if (!engine->limited && piece->bytes <= engine->max_extent_bytes)
		return piece->bytes;
	return mo_engine_reach_limited(engine, piece);
}

/* cpu.c */
extern const struct migrate_offload_ops mo_cpu_ops;
extern u64 mo_cpu_mib_ns;
extern struct mo_engine *mo_cpu_engine;
int mo_copy_page(unsigned long dst, unsigned long src);
void mo_cpu_measure(void);
int mo_cpu_init(void);

/* cpu_mt.c */
extern const struct migrate_offload_ops mo_cpu_mt_ops;
int mo_cpu_mt_init(void);

/* policy.c */
extern int mo_part_pages;
extern struct mo_node *mo_nodes[MAX_NUMNODES];

static inline struct mo_node *mo_node(int nid)
{
	/* Pairs with mo_node_create(): whoever sees a node sees it set up. */
	return smp_load_acquire(&mo_nodes[nid]);
}

bool mo_arch_needs_cpu(void);
struct mo_node *mo_node_create(int nid);
void mo_policy_changed(void);
void mo_policy_resolve_all(void);
int mo_policy_choose(struct mo_node *node, int src,
		     const struct mo_amount *what);
struct mo_batch *mo_policy_pick(struct mo_node *node, struct mo_piece *piece,
				size_t bytes, int choice, enum mo_refusal *why);
unsigned int mo_policy_pick_joined(struct mo_node *node,
				   const struct mo_piece *piece, size_t bytes,
				   unsigned int max, struct mo_batch **batches);
int mo_parse_number(const char *text, size_t len, unsigned long *number);
int mo_policy_set_engines(struct mo_node *node, const char *list);
ssize_t mo_policy_show_engines(struct mo_node *node, char *buf);
int mo_policy_set_reasons(struct mo_node *node, const char *list);
ssize_t mo_policy_show_reasons(struct mo_node *node, char *buf);
int mo_policy_set_min_bytes(struct mo_node *node, const char *text);

/* auto.c */
int mo_costs_create(struct mo_engine *engine);
void mo_costs_destroy(struct mo_engine *engine);
void mo_costs_forget(struct mo_engine *engine);
void mo_auto_changed(struct mo_node *node);
void mo_auto_note(struct mo_engine *engine, int src, int dst,
		  const struct mo_amount *what, u64 ns, u64 cpu_ns);
int mo_auto_choose(struct mo_node *node, int src, const struct mo_amount *what);
int mo_auto_set_goal(struct mo_node *node, const char *text);
ssize_t mo_auto_show_goal(struct mo_node *node, char *buf);
ssize_t mo_auto_show_costs(struct mo_node *node, char *buf);

/* sysfs.c */
extern const char * const mo_refusal_names[MO_NR_REFUSALS];
int mo_sysfs_add_engine(struct mo_engine *engine);
void mo_sysfs_free_engine(struct mo_engine *engine);
int mo_sysfs_number(const char *buf, size_t count, unsigned long least,
		    unsigned long most, unsigned long *number);

/* dispatch.c */
int mo_dispatch_init(void);
bool mo_enabled(void);
void mo_set_enabled(bool on);
bool mo_offer_begin(void);
void mo_offer_end(void);
enum mo_refusal mo_folio_refusal(struct folio *src, struct folio *dst);
enum mo_refusal mo_pair_refusal(struct mo_node *node, struct folio *src,
				struct folio *dst, int reason);
void mo_refuse(struct mo_node *node, struct folio *src, int reason,
	       enum mo_refusal why);
enum mo_refusal mo_submit(struct mo_node *node, struct mo_batch *batch,
			  int reason, ktime_t *begun);

/* wait.c */
void mo_batch_settle(struct mo_batch *batch);
int mo_pair_wait(struct mo_pair *pair);

/* join.c */
struct mo_pair *mo_join(struct mo_node *node, const struct mo_piece *piece,
			size_t bytes, int reason, bool run);
void mo_join_settle(struct mo_batch *batch);
int mo_join_wait(struct mo_batch *batch);

static inline bool mo_is_joined(const struct mo_node *node)
{
	return READ_ONCE(node->joined);
}

#endif /* _MM_MIGRATE_OFFLOAD_INTERNAL_H */
