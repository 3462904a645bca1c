// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload: who copies what arrives at a node
 *
 * A node's choice of engines is kept by name, so that an engine may be chosen
 * before it is there and is used again when it comes back. The names are
 * resolved whenever the choice or the registry changes; submitting reads only
 * the result, under RCU.
 */
#include <kunit/static_stub.h>
#include <linux/cpufeature.h>
#include <linux/ctype.h>
#include <linux/migrate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/topology.h>

#include "internal.h"

/*
 * Not by default: a page that is being taken out of use because its memory
 * fails, and callers who wait for a single folio.
 */
#define MO_ALL_REASONS		GENMASK(MR_TYPES - 1, 0)
#define MO_DEFAULT_REASONS						\
	(MO_ALL_REASONS & ~(BIT(MR_MEMORY_FAILURE) |			\
			    BIT(MR_NUMA_MISPLACED) | BIT(MR_LONGTERM_PIN)))

/* Pages that are offered together, at first and later. */
int __migrate_offload_first_pages __read_mostly = MO_FIRST_PAGES;
int mo_part_pages __read_mostly = MO_PART_PAGES;

/* Nodes that have had memory. Written under mo_lock, entries never go. */
struct mo_node *mo_nodes[MAX_NUMNODES];

/* Lower is better; engines without a node come last. */
static int mo_distance(const struct mo_engine *engine, int nid)
{
	if (engine->numa_node == NUMA_NO_NODE)
		return INT_MAX;
	return node_distance(nid, engine->numa_node);
}

static void mo_resolve(struct mo_node *node)
{
	struct mo_engine *choice[MO_MAX_CHOICE + 1] = {};
	struct mo_engine *engine;
	unsigned int i, nr = 0;

	lockdep_assert_held(&mo_lock);

	for (i = 0; i < node->nr_names; i++)
		choice[i] = mo_engine_find(node->names[i]);

	if (node->automatic) {
		/* The nearest ones, nearest first. */
		list_for_each_entry(engine, &mo_engines, node) {
			if (engine->by_cpu ||
			    READ_ONCE(engine->state) == MO_REMOVED)
				continue;
			for (i = nr; i && mo_distance(engine, node->nid) <
			     mo_distance(choice[i - 1], node->nid); i--)
				choice[i] = choice[i - 1];
			choice[i] = engine;
			nr = min(nr + 1, MO_MAX_CHOICE);
		}
	}

	for (i = 0; i < MO_MAX_CHOICE; i++) {
		if (choice[i] && READ_ONCE(choice[i]->state) == MO_REMOVED)
			choice[i] = NULL;
		rcu_assign_pointer(node->choice[i], choice[i]);
	}
	mo_auto_changed(node);
}

/* The smallest offer that all engines which @node chooses from would take. */
static size_t mo_least_bytes(const struct mo_node *node)
{
	struct mo_engine *engine;
	size_t bytes = 0;
	unsigned int i;

	if (node->min_bytes != MO_MIN_BYTES_AUTO)
		return node->min_bytes;
	for (i = 0; i < MO_MAX_CHOICE; i++) {
		engine = rcu_dereference_protected(node->choice[i],
						   lockdep_is_held(&mo_lock));
		if (engine)
			bytes = max(bytes, engine->min_bytes);
	}
	return bytes;
}

/* A choice has changed: parts must not be too small for those chosen. */
static void mo_resolve_parts(void)
{
	size_t bytes = 0;
	int nid, pages;

	lockdep_assert_held(&mo_lock);

	for (nid = 0; nid < MAX_NUMNODES; nid++) {
		struct mo_node *node = mo_nodes[nid];

		if (!node)
			continue;
		WRITE_ONCE(node->least_bytes, mo_least_bytes(node));
		bytes = max(bytes, node->least_bytes);
	}
	pages = min(DIV_ROUND_UP(bytes, PAGE_SIZE), MO_BATCH_FOLIOS);
	WRITE_ONCE(__migrate_offload_first_pages, max(pages, MO_FIRST_PAGES));
	WRITE_ONCE(mo_part_pages, max(pages, MO_PART_PAGES));
}

/* What is known of an engine has changed. */
void mo_policy_changed(void)
{
	struct mo_node *node;
	int nid;

	for (nid = 0; nid < MAX_NUMNODES; nid++) {
		node = mo_node(nid);
		if (node)
			mo_auto_changed(node);
	}
}

/* The registry has changed. */
void mo_policy_resolve_all(void)
{
	int nid;

	for (nid = 0; nid < MAX_NUMNODES; nid++)
		if (mo_nodes[nid])
			mo_resolve(mo_nodes[nid]);
	mo_resolve_parts();
}

/* The policy of @nid; made, with defaults, when it was not there yet. */
struct mo_node *mo_node_create(int nid)
{
	struct mo_node *node = mo_nodes[nid];

	lockdep_assert_held(&mo_lock);

	if (node)
		return node;
	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return NULL;
	node->stats = alloc_percpu(struct mo_node_stats);
	if (!node->stats) {
		kfree(node);
		return NULL;
	}
	node->nid = nid;
	node->automatic = true;
	node->reasons = MO_DEFAULT_REASONS;
	node->min_bytes = MO_MIN_BYTES_AUTO;
	mo_resolve(node);
	node->least_bytes = mo_least_bytes(node);
	/* Pairs with mo_node(). */
	smp_store_release(&mo_nodes[nid], node);
	return node;
}

/* "auto" looks first on the destination's node, then on the source's. */
enum { MO_AT_DST, MO_AT_SRC, MO_ELSEWHERE, MO_NR_PLACES };

static int mo_place(const struct mo_engine *engine, int dst, int src)
{
	if (engine->numa_node == dst)
		return MO_AT_DST;
	return engine->numa_node == src ? MO_AT_SRC : MO_ELSEWHERE;
}

/* Metadata of memory that only the CPU's copy carries over. */
bool mo_arch_needs_cpu(void)
{
	KUNIT_STATIC_STUB_REDIRECT(mo_arch_needs_cpu);
#ifdef CONFIG_ARM64_MTE
	if (system_supports_mte())
		return true;
#endif
	return IS_ENABLED(CONFIG_KMSAN);
}

/* All of a folio goes into one batch, but for hugetlb, which waits for each. */
static bool mo_may_cut(const struct mo_piece *piece)
{
	return folio_test_hugetlb(piece->src);
}

static struct mo_batch *mo_ask(const struct mo_node *node,
			       struct mo_engine *engine,
			       struct mo_piece *piece, size_t bytes,
			       enum mo_refusal *why)
{
	size_t reach = mo_engine_reach(engine, piece);
	long min = READ_ONCE(node->min_bytes);
	size_t min_bytes = min == MO_MIN_BYTES_AUTO ? engine->min_bytes : min;
	struct mo_batch *batch = NULL;

	if (!mo_engine_online(engine)) {
		*why = MO_REFUSED_NO_ENGINE;
	} else if (bytes < min_bytes) {
		*why = MO_REFUSED_TOO_SMALL;
	} else if (mo_arch_needs_cpu() && !engine->by_cpu) {
		*why = MO_REFUSED_TAGS;
	} else if (!reach || (reach < piece->bytes && !mo_may_cut(piece))) {
		*why = MO_REFUSED_LIMITS;
	} else {
		*why = MO_REFUSED_BUSY;
		batch = mo_batch_get(engine);
	}

	if (batch) {
		piece->ends &= reach == piece->bytes;
		piece->bytes = reach;
	} else {
		this_cpu_inc(engine->stats->refused[*why]);
	}
	return batch;
}

/* Who "auto" would have copy what comes from node @src; else MO_CHOICE_ANY. */
int mo_policy_choose(struct mo_node *node, int src,
		     const struct mo_amount *what)
{
	return READ_ONCE(node->automatic) ? mo_auto_choose(node, src, what) :
					    MO_CHOICE_ANY;
}

/*
 * A batch of the first engine that takes @piece, as part of @bytes in all, or
 * NULL and why the last one asked does not. The engine of @choice is asked
 * first. May shorten the piece, of hugetlb.
 */
struct mo_batch *mo_policy_pick(struct mo_node *node, struct mo_piece *piece,
				size_t bytes, int choice, enum mo_refusal *why)
{
	int src = folio_nid(piece->src);
	bool automatic = READ_ONCE(node->automatic);
	struct mo_batch *batch = NULL;
	struct mo_engine *engine;
	int place, i;

	*why = mo_choice_refusal(choice);
	if (*why != MO_ACCEPTED)
		return NULL;
	*why = MO_REFUSED_NO_ENGINE;
	if (choice == MO_CHOICE_CPU)
		return mo_ask(node, mo_cpu_engine, piece, bytes, why);

	rcu_read_lock();
	if (choice != MO_CHOICE_ANY) {
		engine = rcu_dereference(node->choice[choice]);
		if (engine)
			batch = mo_ask(node, engine, piece, bytes, why);
	}
	for (place = 0; !batch && place < MO_NR_PLACES; place++) {
		for (i = 0; !batch && i < MO_MAX_CHOICE; i++) {
			engine = rcu_dereference(node->choice[i]);
			if (!engine || i == choice || (automatic && place !=
			    mo_place(engine, node->nid, src)))
				continue;
			batch = mo_ask(node, engine, piece, bytes, why);
		}
		if (!automatic)
			break;
	}
	rcu_read_unlock();
	return batch;
}

/*
 * Batches of joined engines that take all of @piece, @max at most. Returns how
 * many; 0 if fewer than two do, or if it is the turn of one that is not joined:
 * then mo_policy_pick() is to be asked.
 */
unsigned int mo_policy_pick_joined(struct mo_node *node,
				   const struct mo_piece *piece, size_t bytes,
				   unsigned int max, struct mo_batch **batches)
{
	unsigned long joined = READ_ONCE(node->joined);
	unsigned int i, first, nr = 0;
	struct mo_engine *engine;
	struct mo_piece whole;
	enum mo_refusal why;

	rcu_read_lock();
	for (first = 0, i = 0; i < MO_MAX_CHOICE && nr < max; i++) {
		bool last = !(joined & BIT(i));

		engine = rcu_dereference(node->choice[i]);
		if (engine && mo_engine_online(engine)) {
			if (last && first == i)
				break;
			whole = *piece;
			if (mo_engine_reach(engine, piece) == piece->bytes)
				batches[nr] = mo_ask(node, engine, &whole,
						     bytes, &why);
			else
				batches[nr] = NULL;
			nr += !!batches[nr];
		}
		if (last && nr)
			break;
		if (last)
			first = i + 1;
	}
	rcu_read_unlock();
	if (nr == 1) {
		mo_batch_cancel(batches[0]);
		nr = 0;
	}
	return nr;
}

/* Engines copy apart from each other only if none of them is this very CPU. */
static bool mo_may_join_names(char names[][MIGRATE_OFFLOAD_NAME_LEN],
			      unsigned int nr, unsigned long joined)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if ((joined & BIT(i) || (i && joined & BIT(i - 1))) &&
		    (!strcmp(names[i], "cpu") || !strcmp(names[i], "cpu-mt")))
			return false;
	return true;
}

/*
 * "auto", or engines' names in order of preference, separated by commas, or by
 * a plus sign where they are to share large folios.
 */
int mo_policy_set_engines(struct mo_node *node, const char *list)
{
	char names[MO_MAX_CHOICE][MIGRATE_OFFLOAD_NAME_LEN];
	bool automatic = !strcmp(list, "auto");
	unsigned long joined = 0;
	unsigned int i, nr = 0;
	const char *end;

	for (; !automatic; list = end + 1) {
		end = list + strcspn(list, ",+");
		if (nr == MO_MAX_CHOICE || end - list >= sizeof(names[nr]))
			return -EINVAL;
		memcpy(names[nr], list, end - list);
		names[nr][end - list] = '\0';
		if (!mo_name_valid(names[nr]))
			return -EINVAL;
		for (i = 0; i < nr; i++)
			if (!strcmp(names[i], names[nr]))
				return -EINVAL;
		if (*end == '+')
			joined |= BIT(nr);
		nr++;
		if (!*end)
			break;
	}
	if (!mo_may_join_names(names, nr, joined))
		return -EINVAL;

	mutex_lock(&mo_lock);
	WRITE_ONCE(node->automatic, automatic);
	node->nr_names = nr;
	WRITE_ONCE(node->joined, joined);
	memcpy(node->names, names, nr * sizeof(names[0]));
	mo_resolve(node);
	mo_resolve_parts();
	mutex_unlock(&mo_lock);
	return 0;
}

static bool mo_is_chosen(const struct mo_node *node, const char *name)
{
	unsigned int i;

	for (i = 0; i < node->nr_names; i++)
		if (!strcmp(node->names[i], name))
			return true;
	return false;
}

static int mo_show_choice(const struct mo_node *node, char *buf, int len)
{
	int start = len;
	unsigned int i;

	for (i = 0; i < node->nr_names; i++)
		len += sysfs_emit_at(buf, len, "%s%s",
				     !i ? " [" :
				     node->joined & BIT(i - 1) ? "+" : ",",
				     node->names[i]);
	return len + sysfs_emit_at(buf, len, "]") - start;
}

/* All engines, with the choice in brackets: "auto cpu [dsa0,dsa1] sim0". */
ssize_t mo_policy_show_engines(struct mo_node *node, char *buf)
{
	struct mo_engine *engine;
	bool shown;
	int len;

	mutex_lock(&mo_lock);
	shown = node->automatic;
	len = sysfs_emit(buf, shown ? "[auto]" : "auto");
	list_for_each_entry(engine, &mo_engines, node) {
		if (READ_ONCE(engine->state) == MO_REMOVED)
			continue;
		if (!mo_is_chosen(node, engine->name)) {
			len += sysfs_emit_at(buf, len, " %s", engine->name);
		} else if (!shown) {
			len += mo_show_choice(node, buf, len);
			shown = true;
		}
	}
	if (!shown)
		len += mo_show_choice(node, buf, len);
	mutex_unlock(&mo_lock);
	return len + sysfs_emit_at(buf, len, "\n");
}

/* "all", "none", or reasons' names, separated by commas or white space. */
int mo_policy_set_reasons(struct mo_node *node, const char *list)
{
	static const char separators[] = ", \t\n";
	unsigned long reasons = 0;
	size_t len;
	int reason;

	if (!strcmp(list, "all"))
		reasons = MO_ALL_REASONS;
	else if (!*list)
		return -EINVAL;
	else if (strcmp(list, "none"))
		while (*(list += strspn(list, separators))) {
			len = strcspn(list, separators);
			for (reason = 0; reason < MR_TYPES; reason++)
				if (strlen(migrate_reason_names[reason]) == len &&
				    !strncmp(migrate_reason_names[reason], list,
					     len))
					break;
			if (reason == MR_TYPES)
				return -EINVAL;
			reasons |= BIT(reason);
			list += len;
		}
	if (!reasons && strcmp(list, "none"))
		return -EINVAL;

	mutex_lock(&mo_lock);
	WRITE_ONCE(node->reasons, reasons);
	mutex_unlock(&mo_lock);
	return 0;
}

ssize_t mo_policy_show_reasons(struct mo_node *node, char *buf)
{
	unsigned long reasons = READ_ONCE(node->reasons);
	int reason, len = 0;

	if (!reasons)
		return sysfs_emit(buf, "none\n");
	for_each_set_bit(reason, &reasons, MR_TYPES)
		len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
				     migrate_reason_names[reason]);
	return len + sysfs_emit_at(buf, len, "\n");
}

/* Nothing but @len digits; kstrtoul() takes a sign and a newline, too. */
int mo_parse_number(const char *text, size_t len, unsigned long *number)
{
	char digits[24];

	if (!len || len >= sizeof(digits) || strspn(text, "0123456789") < len)
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return kstrtoul(digits, 10, number);
}

/* "auto", or a number of bytes with an optional K, M or G. */
int mo_policy_set_min_bytes(struct mo_node *node, const char *text)
{
	long min_bytes = MO_MIN_BYTES_AUTO;
	unsigned int shift = 0;
	unsigned long number;
	size_t len;

	if (strcmp(text, "auto")) {
		len = strlen(text);
		switch (len ? toupper(text[len - 1]) : 0) {
		case 'G':
			shift += 10;
			fallthrough;
		case 'M':
			shift += 10;
			fallthrough;
		case 'K':
			shift += 10;
			len--;
		}
		if (mo_parse_number(text, len, &number) ||
		    number > LONG_MAX >> shift)
			return -EINVAL;
		min_bytes = number << shift;
	}

	mutex_lock(&mo_lock);
	WRITE_ONCE(node->min_bytes, min_bytes);
	mo_auto_changed(node);
	mo_resolve_parts();
	mutex_unlock(&mo_lock);
	return 0;
}
