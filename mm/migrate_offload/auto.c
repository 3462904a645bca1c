// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: what copies cost, and who is cheapest
 *
 * This is how "auto" chooses. What counts is the time of the task that
 * migrates, not of the engine: what it spends on submitting a batch, and what
 * it waits for it. So latency that other work hides costs nothing, and queues,
 * interrupts and wake-ups are counted as they are. The CPU's cost is that of
 * the engine "cpu", which now and then gets an offer that would not be given
 * to any engine.
 *
 * Costs are kept per page, by engine, direction and size: what is latency
 * shows in small sizes, what is bandwidth in large ones. Many small folios are
 * not what one large folio is, so they are kept apart. Each cost is the running
 * average of medians of the last three samples: a single bad one is not seen
 * at all.
 *
 * All of this is read and written without locks, by any number of tasks. A
 * sample may get lost that way, or be counted twice, and no harm is done.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/topology.h>

#include "internal.h"

/* Costs are in units of a sixteenth of a nanosecond. */
#define MO_COST_SHIFT		4

/* After so many samples a cost is known; the first ones warm up. */
#define MO_COST_SAMPLES		3

/* Who is not chosen is tried again once in so many offers, at the most, */
#define MO_TRY_EVERY		64
/* and only so much of all the time may be lost with that, */
#define MO_TRY_SHARE		128
/* of which this much can be saved up for when it is needed, in ns. */
#define MO_MAX_CREDIT		(50 * NSEC_PER_MSEC)

/* For the goal "cpu", it may take so much longer than with the CPU. */
#define MO_CPU_GOAL_SLOWER	2

/* A nearer engine is preferred to one that is faster by less than this part. */
#define MO_NEARER		64

/* All directions between so many nodes have costs of their own. */
#define MO_DIRECTION_NODES	8
#define MO_DIRECTION_PLACES	4

struct mo_cost {
	u32 ns;			/* of the task, per page */
	u32 cpu_ns;		/* the part of it in which it did not sleep */
	u32 last[2];		/* samples */
	u32 samples;
};

struct mo_costs {
	struct mo_cost sizes[MO_NR_FOLIO_CLASSES][MO_NR_COST_CLASSES];
};

static unsigned int mo_nr_directions(void)
{
	if (nr_node_ids <= MO_DIRECTION_NODES)
		return nr_node_ids * nr_node_ids;
	return MO_DIRECTION_PLACES;
}

/* On large machines all directions of about the same distance are one. */
static unsigned int mo_direction(int src, int dst)
{
	int distance;

	if (nr_node_ids <= MO_DIRECTION_NODES)
		return dst * nr_node_ids + src;
	if (src == dst)
		return 0;
	distance = node_distance(src, dst);
	return distance <= REMOTE_DISTANCE ? 1 :
	       distance <= 2 * REMOTE_DISTANCE ? 2 : 3;
}

int mo_costs_create(struct mo_engine *engine)
{
	engine->costs = kvcalloc(mo_nr_directions(), sizeof(*engine->costs),
				 GFP_KERNEL);
	return engine->costs ? 0 : -ENOMEM;
}

void mo_costs_destroy(struct mo_engine *engine)
{
	kvfree(engine->costs);
}

/* As if it were new. */
void mo_costs_forget(struct mo_engine *engine)
{
	memset(engine->costs, 0,
	       mo_nr_directions() * sizeof(*engine->costs));
}

/* Each class is four times the last, and named after the most it has. */
unsigned int mo_size_class(size_t bytes)
{
	size_t units = DIV_ROUND_UP(bytes, SZ_4K);

	return min_t(unsigned int, MO_NR_COST_CLASSES - 1,
		     (order_base_2(units) + 1) / 2);
}

/* The last folio's size, @last, stands for those of all. */
static unsigned int mo_folio_class(size_t last)
{
	if (last >= SZ_64K)
		return 2;
	return last >= SZ_16K;
}

static struct mo_cost *mo_cost(const struct mo_engine *engine, int src,
			       int dst, size_t bytes, size_t last)
{
	return &engine->costs[mo_direction(src, dst)]
			.sizes[mo_folio_class(last)][mo_size_class(bytes)];
}

static u32 mo_per_page(u64 ns, size_t bytes)
{
	return clamp_t(u64, div64_u64(ns << MO_COST_SHIFT,
				      DIV_ROUND_UP(bytes, PAGE_SIZE)),
		       1, U32_MAX / 8);
}

static u32 mo_median(u32 a, u32 b, u32 c)
{
	return max(min(a, b), min(max(a, b), c));
}

static u32 mo_average(u32 old, u32 new)
{
	return old + ((s32)(new - old)) / 4;
}

/*
 * Is it more than an engine is given at a time? Parts go on until they are large
 * enough, with a last folio of @last.
 */
static bool mo_is_large(size_t bytes, size_t last)
{
	return bytes - last >= READ_ONCE(mo_part_pages) * PAGE_SIZE;
}

/* What is too large counts by what a part of it would cost. */
static size_t mo_judged_bytes(size_t bytes, size_t last)
{
	if (mo_is_large(bytes, last))
		return READ_ONCE(mo_part_pages) * PAGE_SIZE;
	return bytes;
}

/* Something is not as it was when it was decided last. */
void mo_auto_changed(struct mo_node *node)
{
	WRITE_ONCE(node->auto_changes, READ_ONCE(node->auto_changes) + 1);
}

/*
 * A copy of @bytes, @last of which are the last folio's, from node @src to @dst
 * has cost the task @ns, of which it was on a CPU for @cpu_ns.
 */
void mo_auto_note(struct mo_engine *engine, int src, int dst, size_t bytes,
		  size_t last, u64 ns, u64 cpu_ns)
{
	struct mo_cost *cost = mo_cost(engine, src, dst,
				       mo_judged_bytes(bytes, last), last);
	u32 samples = READ_ONCE(cost->samples);
	u32 new = mo_per_page(ns, bytes), cpu = mo_per_page(cpu_ns, bytes);
	u32 previous = READ_ONCE(cost->last[0]), typical;

	typical = mo_median(new, previous, READ_ONCE(cost->last[1]));
	WRITE_ONCE(cost->last[1], previous);
	WRITE_ONCE(cost->last[0], new);
	mo_auto_changed(mo_node(dst));
	if (samples < MO_COST_SAMPLES) {
		/* Of the first two, the better one. */
		if (samples < MO_COST_SAMPLES - 1)
			typical = samples ? min(new, previous) : new;
		WRITE_ONCE(cost->ns, typical);
		WRITE_ONCE(cost->cpu_ns, min(cpu, typical));
		WRITE_ONCE(cost->samples, samples + 1);
		return;
	}
	WRITE_ONCE(cost->ns, mo_average(READ_ONCE(cost->ns), typical));
	WRITE_ONCE(cost->cpu_ns, mo_average(READ_ONCE(cost->cpu_ns),
					    min(cpu, typical)));
}

/* What somebody would cost; in ns. */
struct mo_estimate {
	u64 ns;
	u64 cpu_ns;
	u32 samples;
	bool queued;		/* for now, others are before it */
};

static u64 mo_for_bytes(u32 per_page, size_t bytes)
{
	return ((u64)per_page * DIV_ROUND_UP(bytes, PAGE_SIZE)) >>
	       MO_COST_SHIFT;
}

static struct mo_estimate mo_estimate(struct mo_engine *engine, int src,
				      int dst, size_t bytes, size_t last)
{
	struct mo_cost *cost = mo_cost(engine, src, dst, bytes, last);
	struct mo_estimate estimate = {
		.ns = mo_for_bytes(READ_ONCE(cost->ns), bytes),
		.cpu_ns = mo_for_bytes(READ_ONCE(cost->cpu_ns), bytes),
		.samples = READ_ONCE(cost->samples),
	};
	long queued = atomic_long_read(&engine->queued_bytes) - (long)bytes;

	/* That much before us is usual: our own last part. */
	if (queued > 0) {
		estimate.ns += mul_u64_u64_shr(READ_ONCE(engine->mib_ns),
					       queued, 20);
		estimate.queued = true;
	}
	return estimate;
}

/* Is it the CPU that there is not enough of? */
static bool mo_wants_cpu_freed(const struct mo_node *node)
{
	switch (READ_ONCE(node->goal)) {
	case MO_GOAL_TIME:
		return false;
	case MO_GOAL_CPU:
		return true;
	default:
		/* Somebody else waits for this one. */
		return !single_task_running();
	}
}

/* Is @a better than @b, and by more than being farther away costs? */
static bool mo_better(u64 a, u64 b)
{
	return a < b - b / MO_NEARER;
}

/* Would @engine be asked at all, for so much? */
static bool mo_auto_asks(const struct mo_node *node, struct mo_engine *engine,
			 size_t bytes)
{
	long min = READ_ONCE(node->min_bytes);

	return engine && mo_engine_online(engine) &&
	       bytes >= (min == MO_MIN_BYTES_AUTO ? engine->min_bytes : min);
}

/*
 * Should time be spent on finding out what costs @extra ns more than what is
 * known to be best? Then it is paid for, if that is to be @now.
 */
static bool mo_auto_pays(struct mo_node *node, u64 extra, bool now)
{
	u64 credit = READ_ONCE(node->auto_credit);

	if (extra > credit)
		return false;
	if (now)
		WRITE_ONCE(node->auto_credit, credit - extra);
	return true;
}

/*
 * Another than @best, to see whether it still costs what it did. They take turns;
 * the last one is the CPU's.
 */
static int mo_auto_try(struct mo_node *node, int best, u64 best_ns, int src,
		       size_t bytes, size_t last)
{
	unsigned int i, turn = READ_ONCE(node->auto_turn);
	struct mo_estimate estimate;
	struct mo_engine *engine;
	int choice;

	WRITE_ONCE(node->auto_since, 0);
	for (i = 0; i <= MO_MAX_CHOICE; i++, turn++) {
		choice = turn % (MO_MAX_CHOICE + 1);
		if (choice == MO_MAX_CHOICE) {
			choice = MO_CHOICE_CPU;
			engine = mo_cpu_engine;
			break;
		}
		engine = rcu_dereference(node->choice[choice]);
		if (choice != best && mo_auto_asks(node, engine, bytes))
			break;
	}
	WRITE_ONCE(node->auto_turn, turn + 1);

	estimate = mo_estimate(engine, src, node->nid, bytes, last);
	if (!mo_auto_pays(node, estimate.ns - min(estimate.ns, best_ns), true))
		return best;
	return choice;
}

static void mo_auto_earn(struct mo_node *node, u64 ns)
{
	WRITE_ONCE(node->auto_credit,
		   min_t(u64, READ_ONCE(node->auto_credit) + ns,
			 MO_MAX_CREDIT));
}

/*
 * Most that is left to the CPU is so small that even thinking it over would cost
 * too much: is it as it was the last time?
 */
static bool mo_auto_declined(struct mo_node *node, int src, bool freed,
			     const struct mo_decline *old)
{
	unsigned int since;

	if (READ_ONCE(old->changes) != READ_ONCE(node->auto_changes) ||
	    READ_ONCE(old->src) != src || READ_ONCE(old->freed) != freed)
		return false;
	if (READ_ONCE(old->choice) != MO_CHOICE_SLOWER)
		return true;
	since = READ_ONCE(node->auto_since);
	if (since >= MO_TRY_EVERY ||
	    READ_ONCE(node->auto_credit) >= READ_ONCE(old->until))
		return false;
	WRITE_ONCE(node->auto_since, since + 1);
	mo_auto_earn(node, READ_ONCE(old->earned));
	return true;
}

static void mo_auto_note_decline(struct mo_node *node, struct mo_decline *old,
				 const struct mo_decline *new)
{
	WRITE_ONCE(old->src, new->src);
	WRITE_ONCE(old->freed, new->freed);
	WRITE_ONCE(old->choice, new->choice);
	WRITE_ONCE(old->earned, new->earned);
	WRITE_ONCE(old->until, new->until);
	WRITE_ONCE(old->changes, READ_ONCE(node->auto_changes));
}

/* Who is to copy @bytes from node @src to @node; a part, if they are @large. */
static int mo_auto_choose_part(struct mo_node *node, int src, size_t bytes,
			       size_t last, bool large)
{
	bool freed = mo_wants_cpu_freed(node), asked = false, lasting = true;
	struct mo_decline *old = &node->auto_declines[mo_folio_class(last)]
						     [mo_size_class(bytes)];
	struct mo_decline new = {
		.src = src,
		.freed = freed,
		.until = U64_MAX,
	};
	struct mo_estimate cpu = {}, best = {}, estimate;
	int i, choice = MO_CHOICE_NOBODY;
	struct mo_engine *engine;
	unsigned int since;

	if (mo_auto_declined(node, src, freed, old))
		return READ_ONCE(old->choice);

	for (i = 0; i < MO_MAX_CHOICE; i++) {
		engine = rcu_dereference(node->choice[i]);
		if (!engine || !mo_engine_online(engine))
			continue;
		if (!mo_auto_asks(node, engine, bytes)) {
			if (!asked)
				choice = MO_CHOICE_SMALL;
			continue;
		}
		if (!asked) {
			asked = true;
			choice = MO_CHOICE_SLOWER;
			cpu = mo_estimate(mo_cpu_engine, src, node->nid, bytes,
					  last);
			best = cpu;
			/* To begin with: is there anything to compare with? */
			if (cpu.samples < MO_COST_SAMPLES)
				return MO_CHOICE_CPU;
		}

		estimate = mo_estimate(engine, src, node->nid, bytes, last);
		lasting &= !estimate.queued;
		if (estimate.samples < MO_COST_SAMPLES) {
			/* The first one is not known to cost anything. */
			if (!estimate.samples || estimate.ns <= 2 * cpu.ns ||
			    mo_auto_pays(node, estimate.ns - cpu.ns, !large))
				return i;
			new.until = min(new.until, estimate.ns - cpu.ns);
			continue;
		}
		if (freed && estimate.ns <= MO_CPU_GOAL_SLOWER * cpu.ns ?
		    mo_better(estimate.cpu_ns, best.cpu_ns) :
		    mo_better(estimate.ns, best.ns)) {
			best = estimate;
			choice = i;
		}
	}
	if (choice < 0 && lasting) {
		new.choice = choice;
		new.earned = min_t(u64, best.ns / MO_TRY_SHARE, U32_MAX);
		mo_auto_note_decline(node, old, &new);
	}
	if (!asked)
		return choice;
	mo_auto_earn(node, best.ns / MO_TRY_SHARE);
	since = READ_ONCE(node->auto_since);
	if (since >= MO_TRY_EVERY)
		/* With the next one, which is not too large then. */
		return large ? MO_CHOICE_LARGE :
			       mo_auto_try(node, choice, best.ns, src, bytes,
					   last);
	WRITE_ONCE(node->auto_since, since + 1);
	return choice;
}

/*
 * Who is to copy @bytes from node @src to @node, @last of them being the last
 * folio's: an index into node->choice, or an enum mo_choice. Under RCU.
 */
int mo_auto_choose(struct mo_node *node, int src, size_t bytes, size_t last)
{
	bool large = mo_is_large(bytes, last);
	int choice;

	choice = mo_auto_choose_part(node, src, mo_judged_bytes(bytes, last),
				     last, large);
	return large && (choice >= 0 || choice == MO_CHOICE_CPU) ?
	       MO_CHOICE_LARGE : choice;
}

static const char * const mo_goal_names[MO_NR_GOALS] = {
	[MO_GOAL_LOAD] = "load",
	[MO_GOAL_TIME] = "time",
	[MO_GOAL_CPU] = "cpu",
};

int mo_auto_set_goal(struct mo_node *node, const char *text)
{
	int goal = match_string(mo_goal_names, MO_NR_GOALS, text);

	if (goal < 0)
		return -EINVAL;
	WRITE_ONCE(node->goal, goal);
	mo_auto_changed(node);
	return 0;
}

/* All of them, with the choice in brackets. */
ssize_t mo_auto_show_goal(struct mo_node *node, char *buf)
{
	enum mo_goal goal = READ_ONCE(node->goal), i;
	int len = 0;

	for (i = 0; i < MO_NR_GOALS; i++)
		len += sysfs_emit_at(buf, len, i == goal ? "%s[%s]" : "%s%s",
				     i ? " " : "", mo_goal_names[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}

/* A line of one engine, source node and size of folios, if anything is known. */
static int mo_auto_show_line(char *buf, int len, const struct mo_engine *engine,
			     int src, int dst, unsigned int folios)
{
	static const char * const names[MO_NR_FOLIO_CLASSES] = {
		"4K", "16K", "64K",
	};
	const struct mo_cost *costs;
	bool any = false;
	unsigned int i;

	costs = engine->costs[mo_direction(src, dst)].sizes[folios];
	for (i = 0; i < MO_NR_COST_CLASSES; i++)
		any |= READ_ONCE(costs[i].samples);
	if (!any)
		return len;
	len += sysfs_emit_at(buf, len, "%s %d %s", engine->name, src,
			     names[folios]);
	for (i = 0; i < MO_NR_COST_CLASSES; i++)
		len += sysfs_emit_at(buf, len, " %u/%u",
				     READ_ONCE(costs[i].ns) >> MO_COST_SHIFT,
				     READ_ONCE(costs[i].cpu_ns) >> MO_COST_SHIFT);
	return len + sysfs_emit_at(buf, len, "\n");
}

ssize_t mo_auto_show_costs(struct mo_node *node, char *buf)
{
	struct mo_engine *engine;
	unsigned int folios;
	int src, len = 0;

	mutex_lock(&mo_lock);
	list_for_each_entry(engine, &mo_engines, node)
		for_each_node_state(src, N_MEMORY)
			for (folios = 0; folios < MO_NR_FOLIO_CLASSES; folios++)
				len = mo_auto_show_line(buf, len, engine, src,
							node->nid, folios);
	mutex_unlock(&mo_lock);
	return len;
}
