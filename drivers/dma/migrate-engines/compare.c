// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines: is what was copied the same?
 *
 * For engines of which it is not known that they say so when they could not
 * read. Memory may be why, so it is read as the kernel's own copy of folios
 * reads it, which survives an error that cannot be corrected.
 */
#include <kunit/static_stub.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/migrate_offload.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "compare.h"

/* Of the stack, twice; what was compared is still in a cache nearby. */
#define MIGRATE_CHUNK	256

/* How much could not be read. */
static size_t migrate_read(void *to, const void *from, size_t len)
{
	KUNIT_STATIC_STUB_REDIRECT(migrate_read, to, from, len);
	return copy_mc_to_kernel(to, from, len);
}

static bool migrate_same(const void *a, const void *b, size_t len)
{
	u8 from_a[MIGRATE_CHUNK], from_b[MIGRATE_CHUNK];
	size_t done;

	for (done = 0; done < len; done += MIGRATE_CHUNK)
		if (migrate_read(from_a, a + done, MIGRATE_CHUNK) ||
		    migrate_read(from_b, b + done, MIGRATE_CHUNK) ||
		    memcmp(from_a, from_b, MIGRATE_CHUNK))
			return false;
	return true;
}

/**
 * migrate_extent_same() - is the destination the same as the source?
 * @extent: one that the engine says it has copied, and can touch no more; if
 *	the device does not see the CPU's caches, it must have been unmapped
 *
 * Context: Process context, may sleep between pages, but does not allocate.
 *
 * Return: whether both could be read, and are the same.
 */
bool migrate_extent_same(const struct migrate_offload_extent *extent)
{
	bool same = true;
	size_t done;

	for (done = 0; same && done < extent->len; done += PAGE_SIZE) {
		void *src = kmap_local_pfn(PHYS_PFN(extent->src + done));
		void *dst = kmap_local_pfn(PHYS_PFN(extent->dst + done));

		same = migrate_same(src, dst, PAGE_SIZE);
		kunmap_local(dst);
		kunmap_local(src);
		cond_resched();
	}
	return same;
}
EXPORT_SYMBOL_NS_GPL(migrate_extent_same, MIGRATE_ENGINES);

#if IS_ENABLED(CONFIG_MIGRATE_ENGINES_KUNIT_TEST)
#include "tests/compare_test.c"
#endif
