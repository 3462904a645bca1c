/* SPDX-License-Identifier: GPL-2.0 */
/* Migration engines: is what was copied the same? */
#ifndef _MIGRATE_ENGINES_COMPARE_H
#define _MIGRATE_ENGINES_COMPARE_H

#include <linux/types.h>

struct migrate_offload_extent;

bool migrate_extent_same(const struct migrate_offload_extent *extent);

#endif /* _MIGRATE_ENGINES_COMPARE_H */
