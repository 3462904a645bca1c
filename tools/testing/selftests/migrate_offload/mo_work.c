// SPDX-License-Identifier: GPL-2.0
/* What makes the kernel migrate by itself. */
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mo_work.h"

#define DEMOTION	"/sys/kernel/mm/numa/demotion_enabled"
#define WORDS		(MO_BASE / sizeof(__u64))

long long mo_vmstat(const char *name)
{
	char text[16384], *at;

	if (mo_read(text, sizeof(text), "/proc/vmstat") < 0)
		return -1;
	at = strstr(text, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static __u64 hole_word(size_t nr)
{
	return (nr + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Memory on @node, in base pages or in what large folios there are, or MAP_FAILED. */
static void *pages_on(size_t bytes, int node, int advice)
{
	unsigned long mask = 1UL << node;
	void *addr;

	addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (addr == MAP_FAILED)
		return addr;
	if (!madvise(addr, bytes, advice) &&
	    !syscall(SYS_mbind, addr, bytes, MPOL_BIND, &mask,
		     MO_MAX_NODES + 1, 0))
		return addr;
	munmap(addr, bytes);
	return MAP_FAILED;
}

bool mo_holes_make(struct mo_holes *holes, size_t pages, size_t step, int node)
{
	size_t page, i;

	holes->pages = pages;
	holes->step = step;
	holes->at = pages_on(pages * MO_BASE, node,
			     step > 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (holes->at == MAP_FAILED)
		return false;
	for (i = 0; i < pages * WORDS; i++)
		holes->at[i] = hole_word(i);
	for (page = 0; page < pages; page += 2 * step)
		madvise(holes->at + page * WORDS, step * MO_BASE, MADV_DONTNEED);
	return true;
}

size_t mo_holes_free(struct mo_holes *holes)
{
	size_t page, i, bad = 0;

	for (page = holes->step; page < holes->pages; page += 2 * holes->step)
		for (i = page * WORDS; i < (page + holes->step) * WORDS; i++)
			bad += holes->at[i] != hole_word(i);
	munmap(holes->at, holes->pages * MO_BASE);
	return bad;
}

bool mo_demote(const struct mo_mem *mem, int from, int to)
{
	size_t step = 256 * MO_BASE, size = 1UL << 30;
	char *fill = pages_on(size, from, MADV_NOHUGEPAGE), *at;
	bool good = false;

	if (fill == MAP_FAILED || mo_write("1", DEMOTION))
		return false;
	/* Not touched for long, as far as the kernel knows. */
	mo_write("1", "/proc/self/clear_refs");
	for (at = fill; !good && at < fill + size / 2; at += step) {
		memset(at, 1, step);
		good = mo_folios_on(mem, to) > mem->nr / 2;
	}
	mo_write("0", DEMOTION);
	munmap(fill, size);
	return good;
}
