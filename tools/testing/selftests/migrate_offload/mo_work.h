/* SPDX-License-Identifier: GPL-2.0 */
/* What makes the kernel migrate by itself. */
#ifndef MO_WORK_H
#define MO_WORK_H

#include "mo_util.h"

/* A line of /proc/vmstat, named with the newline before and the blank after. */
long long mo_vmstat(const char *name);

/*
 * Memory of a node of which every other piece is free, so that there is work to
 * do; of so many pages each, which are large folios if these are enabled.
 */
struct mo_holes {
	__u64 *at;
	size_t pages;
	size_t step;
};

bool mo_holes_make(struct mo_holes *holes, size_t pages, size_t step, int node);
/* The number of words that are not what they were. */
size_t mo_holes_free(struct mo_holes *holes);

/* Fills node @from until half of @mem is on node @to. False if it does not go. */
bool mo_demote(const struct mo_mem *mem, int from, int to);

#endif /* MO_WORK_H */
