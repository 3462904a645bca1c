/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites share: folios, pairs of them, policy and counters
 *
 * All that is made here goes away, and all that is changed is changed back,
 * when the test ends, however it ends.
 */
#ifndef _MM_MIGRATE_OFFLOAD_TESTS_FIXTURE_H
#define _MM_MIGRATE_OFFLOAD_TESTS_FIXTURE_H

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/migrate.h>

#include "../internal.h"

/* For KUNIT_CASE_PARAM(): an input, and whether it is good. */
struct fixture_text {
	const char *text;
	int err;
};

void fixture_text_desc(const struct fixture_text *param, char *desc);

/* The policy of node 0, which may be changed. */
struct mo_node *fixture_node(struct kunit *test);
/* As above, and offload is enabled, with @engine as node 0's only choice. */
struct mo_node *fixture_enable(struct kunit *test, struct mo_engine *engine);

/* Counters, summed up over CPUs. */
void fixture_node_stats(struct mo_node_stats *stats);
void fixture_engine_stats(struct mo_engine *engine,
			  struct mo_engine_stats *stats);
/* What node 0 has counted since @before; asserts that it adds up. */
void fixture_node_stats_since(struct kunit *test,
			      const struct mo_node_stats *before,
			      struct mo_node_stats *stats);

/* Content that says which folio it is of, and which version. */
void fixture_fill(struct folio *folio, u32 seed);
bool fixture_filled(struct folio *folio, u32 seed);

struct folio *fixture_folio(struct kunit *test, unsigned int order);

/* Folios that lie next to each other, and fill one block of memory. */
#define FIXTURE_BLOCK_ORDER	10
#define FIXTURE_BLOCK_PAGES	BIT(FIXTURE_BLOCK_ORDER)

struct fixture_block {
	struct page *page;
	unsigned int nr;
	struct folio *folios[FIXTURE_BLOCK_PAGES];
};

/* @nr folios of @orders, each aligned where it comes. */
struct fixture_block *fixture_block(struct kunit *test,
				    const unsigned char *orders,
				    unsigned int nr);

/*
 * Locked pairs of folios that nobody maps, as migrate_pages_batch() has them
 * when it offers them.
 */
struct fixture_pairs {
	unsigned int nr;
	struct folio *src[MO_BATCH_FOLIOS + 1];
	struct folio *dst[MO_BATCH_FOLIOS + 1];
	bool owned[MO_BATCH_FOLIOS + 1];
	bool waited[MO_BATCH_FOLIOS + 1];
	enum migrate_offload begun;
	struct migrate_offload_run run;
	struct list_head srcs;
	struct list_head dsts;
};

/* To be called last: what it waits for when the test ends must be there. */
struct fixture_pairs *fixture_pairs(struct kunit *test);
/* Both folios are somebody else's, and will be longer than @pairs. */
void fixture_pairs_add(struct fixture_pairs *pairs, struct folio *src,
		       struct folio *dst);
/* @nr new pairs. */
void fixture_pairs_fill(struct kunit *test, struct fixture_pairs *pairs,
			unsigned int nr, unsigned int order);
enum migrate_offload fixture_pairs_begin(struct fixture_pairs *pairs,
					 int reason);
/* The batch that pair @i is in, while it is in flight. */
struct migrate_offload_batch *fixture_pairs_batch(struct fixture_pairs *pairs,
						  unsigned int i);
/* Returns what migrate_folio_move() would get. */
int fixture_pairs_wait(struct fixture_pairs *pairs, unsigned int i);
bool fixture_pairs_copied(struct fixture_pairs *pairs, unsigned int i);
/* Wait for those that have not been waited for. */
void fixture_pairs_end(struct fixture_pairs *pairs);

#endif /* _MM_MIGRATE_OFFLOAD_TESTS_FIXTURE_H */
