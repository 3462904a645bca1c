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
 * not what one large folio is, and what is copied while others are unmapped is
 * waited for less: so these are kept apart. Each cost is the running average of
 * medians of the last three samples: a single bad one is not seen at all.
 *
 * All of this is read and written without locks, by any number of tasks. A
 * sample may get lost that way, or be counted twice, and no harm is done. Only
 * changes of policies and engines must not get lost, and are counted.
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
#define MO_TRY_SHARE		256
/* of which this much can be saved up for when it is needed, in ns. */
#define MO_MAX_CREDIT		((u64)50 * NSEC_PER_MSEC)

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
	struct mo_cost of[MO_NR_CLASSES];
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

static size_t mo_part_bytes(void)
{
	return READ_ONCE(mo_part_pages) * PAGE_SIZE;
}

/*
 * Parts go on to the folio with which they are large enough. What is more than that
 * counts by what a part of it would cost; and so does what is less, since the first
 * part of a run is smaller than those to come.
 */
static size_t mo_judged_bytes(const struct mo_amount *what)
{
	size_t part = mo_part_bytes();

	if (what->bytes - what->last >= part)
		return part;
	return what->more ? max(what->bytes, part) : what->bytes;
}

/* Of @bytes, as of mo_judged_bytes(). The last folio stands for all. */
static unsigned int mo_class_of(const struct mo_amount *what, size_t bytes)
{
	unsigned int folios = what->last >= SZ_64K ? 2 : what->last >= SZ_16K;

	return (what->run * MO_NR_FOLIO_CLASSES + folios) * MO_NR_AUTO_SIZES +
	       min_t(unsigned int, MO_NR_AUTO_SIZES - 1,
		     order_base_2(DIV_ROUND_UP(bytes, SZ_4K)));
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

/* Policy or engines are not as they were when it was decided last. */
void mo_auto_changed(struct mo_node *node)
{
	/* Pairs with mo_auto_choose(): who sees this sees what has changed. */
	atomic_inc_return_release(&node->auto_changes);
}

/*
 * A copy from node @src to @dst has cost the task @ns, of which it was on a CPU for
 * @cpu_ns.
 */
void mo_auto_note(struct mo_engine *engine, int src, int dst,
		  const struct mo_amount *what, u64 ns, u64 cpu_ns)
{
	unsigned int class = mo_class_of(what, mo_judged_bytes(what));
	struct mo_cost *cost = &engine->costs[mo_direction(src, dst)].of[class];
	u32 new = mo_per_page(ns, what->bytes);
	u32 cpu = mo_per_page(cpu_ns, what->bytes);
	u32 samples = READ_ONCE(cost->samples);
	u32 previous = READ_ONCE(cost->last[0]), typical;

	typical = mo_median(new, previous, READ_ONCE(cost->last[1]));
	WRITE_ONCE(cost->last[1], previous);
	WRITE_ONCE(cost->last[0], new);
	/* Nothing is remembered. */
	WRITE_ONCE(mo_node(dst)->autos[class].changes, 0);
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
	bool queued;		/* at the moment others are before it */
};

static u64 mo_for_bytes(u32 per_page, size_t bytes)
{
	return ((u64)per_page * DIV_ROUND_UP(bytes, PAGE_SIZE)) >>
	       MO_COST_SHIFT;
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

/* What "auto" has to choose for, and where it stands with that. */
struct mo_question {
	struct mo_node *node;
	struct mo_auto *at;
	unsigned int changes;	/* of the node, before anything was looked at */
	int src;
	unsigned int class;
	size_t bytes;		/* no more than a part */
	size_t own;		/* may be queued before that, and is ours */
	unsigned int parts;	/* that the answer is for */
	bool large;		/* there are more bytes than that */
	bool freed;		/* it is the CPU's time that counts */
};

/* What it takes to pay for @parts that take @extra ns more than the best. */
static u64 mo_auto_price(u64 extra, unsigned int parts)
{
	return min(extra * parts, MO_MAX_CREDIT);
}

/*
 * Should time be spent on finding out what costs so much more than what is known
 * to be best? Then it is paid for, unless it will not be done now.
 */
static bool mo_auto_pays(const struct mo_question *ask, u64 extra)
{
	u64 credit = READ_ONCE(ask->at->credit);

	if (extra > credit)
		return false;
	if (!ask->large)
		WRITE_ONCE(ask->at->credit, credit - extra);
	return true;
}

static void mo_auto_earn(struct mo_auto *at, u64 ns)
{
	WRITE_ONCE(at->credit,
		   min_t(u64, READ_ONCE(at->credit) + ns, MO_MAX_CREDIT));
}

static struct mo_estimate mo_auto_ask(const struct mo_question *ask,
				      struct mo_engine *engine)
{
	int direction = mo_direction(ask->src, ask->node->nid);
	struct mo_cost *cost = &engine->costs[direction].of[ask->class];
	struct mo_estimate estimate = {
		.ns = mo_for_bytes(READ_ONCE(cost->ns), ask->bytes),
		.cpu_ns = mo_for_bytes(READ_ONCE(cost->cpu_ns), ask->bytes),
		.samples = READ_ONCE(cost->samples),
	};
	long queued = atomic_long_read(&engine->queued_bytes) -
		      (long)ask->own;

	if (queued > 0) {
		estimate.ns += mul_u64_u64_shr(READ_ONCE(engine->mib_ns),
					       queued, 20);
		estimate.queued = true;
	}
	return estimate;
}

/*
 * Another than @best, to see whether it still costs what it did. They take turns;
 * the last one is the CPU's.
 */
static int mo_auto_try(const struct mo_question *ask, int best, u64 best_ns)
{
	unsigned int i, parts = ask->parts, turn = READ_ONCE(ask->at->turn);
	struct mo_node *node = ask->node;
	struct mo_estimate estimate;
	struct mo_engine *engine;
	int choice;

	WRITE_ONCE(ask->at->since, 0);
	for (i = 0; i <= MO_MAX_CHOICE; i++, turn++) {
		choice = turn % (MO_MAX_CHOICE + 1);
		if (choice == MO_MAX_CHOICE) {
			choice = MO_CHOICE_CPU;
			engine = mo_cpu_engine;
			parts = 1;
			break;
		}
		engine = rcu_dereference(node->choice[choice]);
		if (choice != best && mo_auto_asks(node, engine, ask->bytes))
			break;
	}
	WRITE_ONCE(ask->at->turn, turn + 1);

	estimate = mo_auto_ask(ask, engine);
	if (!mo_auto_pays(ask, mo_auto_price(estimate.ns -
					     min(estimate.ns, best_ns), parts)))
		return best;
	return choice;
}

/*
 * Most that is left to the CPU is so small that even thinking it over would cost
 * too much: is it as it was the last time?
 */
static bool mo_auto_declined(struct mo_auto *at, unsigned int changes, int src,
			     size_t bytes, bool freed)
{
	unsigned int since;

	/* More than it was then may be enough for others. */
	if (READ_ONCE(at->changes) != changes || bytes > READ_ONCE(at->bytes) ||
	    READ_ONCE(at->src) != src || READ_ONCE(at->freed) != freed)
		return false;
	if (READ_ONCE(at->choice) != MO_CHOICE_SLOWER)
		return true;
	since = READ_ONCE(at->since);
	if (since >= MO_TRY_EVERY ||
	    READ_ONCE(at->credit) >= READ_ONCE(at->until))
		return false;
	WRITE_ONCE(at->since, since + 1);
	mo_auto_earn(at, READ_ONCE(at->earned));
	return true;
}

/* So that mo_auto_declined() knows. */
static void mo_auto_decline(const struct mo_question *ask, int choice,
			    u64 earned, u64 until)
{
	struct mo_auto *at = ask->at;

	WRITE_ONCE(at->src, ask->src);
	WRITE_ONCE(at->bytes, ask->bytes);
	WRITE_ONCE(at->freed, ask->freed);
	WRITE_ONCE(at->choice, choice);
	WRITE_ONCE(at->earned, earned);
	WRITE_ONCE(at->until, until);
	WRITE_ONCE(at->changes, ask->changes);
}

/* An index into node->choice, or an enum mo_choice. Under RCU. */
static int mo_auto_answer(const struct mo_question *ask)
{
	struct mo_estimate cpu = {}, best = {}, estimate;
	bool asked = false, lasting = true;
	struct mo_node *node = ask->node;
	int i, choice = MO_CHOICE_NOBODY;
	struct mo_engine *engine;
	u64 price, earned, until = U64_MAX;
	unsigned int since;

	for (i = 0; i < MO_MAX_CHOICE; i++) {
		engine = rcu_dereference(node->choice[i]);
		if (!engine || !mo_engine_online(engine))
			continue;
		if (!mo_auto_asks(node, engine, ask->bytes)) {
			if (!asked)
				choice = MO_CHOICE_SMALL;
			continue;
		}
		if (!asked) {
			asked = true;
			choice = MO_CHOICE_SLOWER;
			cpu = mo_auto_ask(ask, mo_cpu_engine);
			best = cpu;
			/* To begin with: is there anything to compare with? */
			if (cpu.samples < MO_COST_SAMPLES)
				return MO_CHOICE_CPU;
		}

		estimate = mo_auto_ask(ask, engine);
		lasting &= !estimate.queued;
		if (estimate.samples < MO_COST_SAMPLES) {
			/* The first one is not known to cost anything. */
			if (!estimate.samples || estimate.ns <= 2 * cpu.ns)
				return i;
			price = mo_auto_price(estimate.ns - cpu.ns, ask->parts);
			if (mo_auto_pays(ask, price))
				return i;
			until = min(until, price);
			continue;
		}
		if (ask->freed && estimate.ns <= MO_CPU_GOAL_SLOWER * cpu.ns ?
		    mo_better(estimate.cpu_ns, best.cpu_ns) :
		    mo_better(estimate.ns, best.ns)) {
			best = estimate;
			choice = i;
		}
	}
	/* The CPU is not chosen for more than this one. */
	earned = best.ns * (choice < 0 ? 1 : ask->parts) / MO_TRY_SHARE;
	if (choice < 0 && lasting)
		mo_auto_decline(ask, choice, earned, until);
	if (!asked)
		return choice;
	mo_auto_earn(ask->at, earned);
	since = READ_ONCE(ask->at->since);
	if (since >= MO_TRY_EVERY)
		/* With the next one, which is not too large then. */
		return ask->large ? MO_CHOICE_LARGE :
				    mo_auto_try(ask, choice, best.ns);
	WRITE_ONCE(ask->at->since, since + 1);
	return choice;
}

/* It is not as it was: think it over. Not inlined, so that most need no stack for it. */
static noinline int mo_auto_find(struct mo_node *node, int src,
				 const struct mo_amount *what,
				 unsigned int changes, bool freed)
{
	size_t part = mo_part_bytes();
	size_t bytes = mo_judged_bytes(what);
	unsigned int class = mo_class_of(what, bytes);
	struct mo_question ask = {
		.node = node,
		.at = &node->autos[class],
		.changes = changes,
		.src = src,
		.class = class,
		.bytes = bytes,
		/* The last part of a run may be smaller than the one before. */
		.own = what->run ? max(bytes, part) : bytes,
		.parts = what->more ? MO_CHOICE_PARTS : 1,
		.large = what->bytes > bytes,
		.freed = freed,
	};
	int choice;

	rcu_read_lock();
	choice = mo_auto_answer(&ask);
	rcu_read_unlock();
	if (ask.large && (choice >= 0 || choice == MO_CHOICE_CPU))
		return MO_CHOICE_LARGE;
	return choice;
}

/*
 * Who is to copy what comes from node @src to @node, and as many parts as
 * MO_CHOICE_PARTS if there are more to come: an index into node->choice, or an
 * enum mo_choice.
 */
int mo_auto_choose(struct mo_node *node, int src, const struct mo_amount *what)
{
	/* Pairs with mo_auto_changed(). */
	unsigned int changes = atomic_read_acquire(&node->auto_changes);
	bool freed = mo_wants_cpu_freed(node);
	size_t bytes = mo_judged_bytes(what);
	struct mo_auto *at = &node->autos[mo_class_of(what, bytes)];

	if (mo_auto_declined(at, changes, src, bytes, freed))
		return READ_ONCE(at->choice);
	return mo_auto_find(node, src, what, changes, freed);
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

/* A line of one engine, source node and kind of folios, if anything is known. */
static int mo_auto_show_line(char *buf, int len, const struct mo_engine *engine,
			     int src, int dst, unsigned int kind)
{
	static const char * const names[MO_NR_KINDS] = {
		"4K", "16K", "64K", "4K+", "16K+", "64K+",
	};
	const struct mo_cost *costs;
	bool any = false;
	unsigned int i;

	/* No half lines, of which some would look like other numbers. */
	if (len > PAGE_SIZE - 320)
		return len;
	costs = &engine->costs[mo_direction(src, dst)]
			.of[kind * MO_NR_AUTO_SIZES];
	for (i = 0; i < MO_NR_AUTO_SIZES; i++)
		any |= READ_ONCE(costs[i].samples);
	if (!any)
		return len;
	len += sysfs_emit_at(buf, len, "%s %d %s", engine->name, src,
			     names[kind]);
	for (i = 0; i < MO_NR_AUTO_SIZES; i++)
		len += sysfs_emit_at(buf, len, " %u/%u",
				     READ_ONCE(costs[i].ns) >> MO_COST_SHIFT,
				     READ_ONCE(costs[i].cpu_ns) >> MO_COST_SHIFT);
	return len + sysfs_emit_at(buf, len, "\n");
}

ssize_t mo_auto_show_costs(struct mo_node *node, char *buf)
{
	struct mo_engine *engine;
	int src, len = 0;
	unsigned int kind;

	mutex_lock(&mo_lock);
	list_for_each_entry(engine, &mo_engines, node)
		for_each_node_state(src, N_MEMORY)
			for (kind = 0; kind < MO_NR_KINDS; kind++)
				len = mo_auto_show_line(buf, len, engine, src,
							node->nid, kind);
	mutex_unlock(&mo_lock);
	return len;
}
