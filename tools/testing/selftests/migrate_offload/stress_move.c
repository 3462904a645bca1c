// SPDX-License-Identifier: GPL-2.0
/* The stress test's migrators: they move the memory of others about. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#define MOST	512	/* pages of one call */

static struct st_slot *draw_slot(void)
{
	struct st_slot *slot = &st->slots[st_below(st_nr_owners)];

	return __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE) ? slot : NULL;
}

static int draw_node(void)
{
	return mo_nodes[st_below(mo_nr_nodes)];
}

/* Pages of another process, which is using them, to one node or to several. */
static void by_move_pages(const struct st_slot *slot)
{
	size_t pages = slot->bytes / MO_BASE, page = st_below(pages), i;
	size_t nr = 1 + st_below(pages - page < MOST ? pages - page : MOST);
	bool spread = st_one_in(8);
	int nodes[MOST], status[MOST], node = draw_node();
	char *addr = slot->addr;
	void *at[MOST];

	for (i = 0; i < nr; i++) {
		at[i] = addr + (page + i) * MO_BASE;
		nodes[i] = spread ? draw_node() : node;
	}
	syscall(SYS_move_pages, slot->pid, nr, at, nodes, status, MPOL_MF_MOVE_ALL);
}

static void by_migrate_pages(const struct st_slot *slot)
{
	unsigned long from = 1UL << draw_node(), to = 1UL << draw_node();

	syscall(SYS_migrate_pages, slot->pid, MO_MAX_NODES + 1, &from, &to);
}

void st_move_pages(unsigned int nr)
{
	struct st_slot *slot;

	st_srand(0x200 + nr);
	while (!st_stop()) {
		slot = draw_slot();
		if (!slot) {
			st_usleep(1000);
			continue;
		}
		if (st_one_in(16))
			by_migrate_pages(slot);
		else
			by_move_pages(slot);
		st_add(migrations, 1);
	}
}

/* What the kernel does to all processes, told to do it now. */
static void by_cpuset(void)
{
	static const char * const mems[] = { "0", "1", "0-1", "0,2", "1-2", "0-2" };

	mo_write(mems[st_below(ARRAY_SIZE(mems))], ST_CGROUP "/own%u/cpuset.mems",
		 st_below(st_nr_owners));
}

static void by_compaction(void)
{
	if (st_one_in(2))
		mo_write("1", "/proc/sys/vm/compact_memory");
	else
		mo_write("1", "/sys/devices/system/node/node%d/compact", draw_node());
}

static void by_reclaim(void)
{
	char bytes[16];

	sprintf(bytes, "%uK", 64U << st_below(7));
	mo_write(bytes, ST_CGROUP "/own%u/memory.reclaim", st_below(st_nr_owners));
}

static void toggle(void)
{
	static const char * const files[] = {
		"/sys/kernel/mm/numa/demotion_enabled",
		"/proc/sys/kernel/numa_balancing",
	};

	mo_write(st_one_in(2) ? "1" : "0", "%s", files[st_below(ARRAY_SIZE(files))]);
}

void st_move_system(unsigned int nr)
{
	static void (* const ways[])(void) = { by_cpuset, by_compaction, by_reclaim, toggle };

	st_srand(0x300 + nr);
	while (!st_stop()) {
		ways[st_below(ARRAY_SIZE(ways))]();
		st_add(migrations, 1);
		st_usleep(st_below(50000));
	}
	/* With demotion a task may take for ever to get below its memory.max. */
	mo_write("0", "/sys/kernel/mm/numa/demotion_enabled");
	mo_write("0", "/proc/sys/kernel/numa_balancing");
}
