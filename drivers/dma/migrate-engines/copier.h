/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies that take none of the CPU's time, for benchmarks in virtual time
 *
 * Of a device that a machine for benchmarks has, and no other: see
 * tools/testing/migrate_offload/qemu/migrate-copier.c. The machine has one CPU.
 */
#ifndef _MIGRATE_ENGINES_COPIER_H
#define _MIGRATE_ENGINES_COPIER_H

#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/types.h>

#define COPIER_MAGIC	0x4d4f4350

struct copier_copy {
	__le64 src;
	__le64 dst;
	__le64 len;
};

/*
 * How many there are, and where: at a physical address, and so many bytes from one
 * to the next.
 */
struct copier_list {
	__le64 nr;
	__le64 first;
	__le64 stride;
};

static inline bool copier_there(unsigned int port)
{
	return IS_ENABLED(CONFIG_HAS_IOPORT) && inl(port) == COPIER_MAGIC;
}

/*
 * When it returns, @nr copies have been made, as the structs say that begin as
 * @first does, @stride bytes apart. All of it, and @list, is in memory that is
 * mapped as it lies: not on a stack, nor in a module.
 */
static inline void copier_run(unsigned int port, struct copier_list *list,
			      const struct copier_copy *first, size_t stride,
			      unsigned int nr)
{
	phys_addr_t addr = virt_to_phys(list);
	unsigned long flags;

	list->nr = cpu_to_le64(nr);
	list->first = cpu_to_le64(virt_to_phys((void *)first));
	list->stride = cpu_to_le64(stride);
	/* The two writes are one: interrupts copy, too. */
	local_irq_save(flags);
	outl(lower_32_bits(addr), port);
	outl(upper_32_bits(addr), port + 4);
	local_irq_restore(flags);
}

#endif /* _MIGRATE_ENGINES_COPIER_H */
