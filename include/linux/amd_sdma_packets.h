/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the SDMA of AMD GPUs is told, to copy from system memory to system
 * memory
 *
 * The SDMA, as used by the kernel, sees system memory through GART only. A job
 * has two windows there, ranges of GPU addresses that nothing else uses, one to
 * read through and one to write through. A first IB copies page table entries,
 * which are in the IB itself behind the packets, into the page table of the
 * windows; a second one copies from window to window. Scattered pages are
 * contiguous in a window, so one packet copies all of them.
 *
 * Only computation is here, on plain memory, so that it can be tested and
 * simulated without a GPU.
 */
#ifndef _LINUX_AMD_SDMA_PACKETS_H
#define _LINUX_AMD_SDMA_PACKETS_H

#include <linux/align.h>
#include <linux/amd_sdma_copy_aux.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/wordpart.h>

/* Headers of packets */
#define AMD_SDMA_NOP			0
#define AMD_SDMA_COPY_LINEAR		1
#define AMD_SDMA_COPY_LINEAR_CPV	BIT(19)	/* has cache policy/metadata */

/* The dwords of the longest copy packet */
#define AMD_SDMA_COPY_MAX_DW		8

/* Page table entries: of 4 KiB each, whatever PAGE_SIZE is */
#define AMD_SDMA_GPU_PAGE_SHIFT		12
#define AMD_SDMA_PTES_PER_PAGE		(PAGE_SIZE >> AMD_SDMA_GPU_PAGE_SHIFT)
#define AMD_SDMA_PTE_ADDR		GENMASK_ULL(47, 12)
#define AMD_SDMA_PTE_VALID		BIT_ULL(0)
#define AMD_SDMA_PTE_SYSTEM		BIT_ULL(1)
#define AMD_SDMA_PTE_SNOOPED		BIT_ULL(2)
#define AMD_SDMA_PTE_READABLE		BIT_ULL(5)
#define AMD_SDMA_PTE_WRITEABLE		BIT_ULL(6)
#define AMD_SDMA_PTE_SRC \
	(AMD_SDMA_PTE_VALID | AMD_SDMA_PTE_SYSTEM | AMD_SDMA_PTE_SNOOPED | \
	 AMD_SDMA_PTE_READABLE)
#define AMD_SDMA_PTE_DST	(AMD_SDMA_PTE_SRC | AMD_SDMA_PTE_WRITEABLE)

/*
 * An IB that maps: packets, up to here, then the entries of the source window,
 * then, at once, those of the destination window.
 */
#define AMD_SDMA_MAP_PTES_DW		ALIGN(2 * AMD_SDMA_COPY_MAX_DW, 8)

/**
 * struct amd_sdma_format - what packets look like
 * @copy_header: first dword of a packet that copies
 * @copy_dw: length of it, in dwords
 * @max_bytes: most bytes that it can copy
 */
struct amd_sdma_format {
	u32 copy_header;
	u32 copy_dw;
	u32 max_bytes;
};

/**
 * struct amd_sdma_windows - two windows, and their page tables
 * @src: GPU address of the window to read through
 * @dst: GPU address of the window to write through
 * @src_table: GPU address of the page table entry of the first page of @src
 * @dst_table: likewise, of @dst
 * @pte_flags: flags that this GPU wants in every entry, besides
 *	AMD_SDMA_PTE_SRC and AMD_SDMA_PTE_DST
 */
struct amd_sdma_windows {
	u64 src;
	u64 dst;
	u64 src_table;
	u64 dst_table;
	u64 pte_flags;
};

/**
 * amd_sdma_format() - what the packets of a version of the SDMA look like
 * @major: major version
 * @format: filled in
 *
 * Return: whether we know.
 */
static inline bool amd_sdma_format(unsigned int major,
				   struct amd_sdma_format *format)
{
	switch (major) {
	case 4:	/* Vega, CDNA */
	case 5:	/* RDNA 1 and 2 */
	case 6:	/* RDNA 3 */
		*format = (struct amd_sdma_format) {
			.copy_header = AMD_SDMA_COPY_LINEAR,
			.copy_dw = 7,
			.max_bytes = SZ_4M,
		};
		return true;
	case 7:	/* RDNA 4: with a dword on compression, of which there is none */
		*format = (struct amd_sdma_format) {
			.copy_header = AMD_SDMA_COPY_LINEAR |
				       AMD_SDMA_COPY_LINEAR_CPV,
			.copy_dw = 8,
			.max_bytes = SZ_4M,
		};
		return true;
	default:
		return false;
	}
}

/**
 * amd_sdma_count_pages() - check a list of copies
 * @pairs: the list
 * @nr: number of them
 * @max_pages: most pages that it may have
 *
 * Return: the number of pages, of PAGE_SIZE; -EINVAL when there are none or too
 * many, or when a page cannot be put into a page table entry.
 */
static inline int amd_sdma_count_pages(const struct amd_sdma_copy_pair *pairs,
				       u32 nr, u32 max_pages)
{
	u32 i, pages = 0;

	for (i = 0; i < nr; i++) {
		const struct amd_sdma_copy_pair *pair = &pairs[i];
		u64 last;

		if (!pair->pages || pair->pages > max_pages - pages)
			return -EINVAL;
		pages += pair->pages;
		if (!IS_ALIGNED(pair->src | pair->dst, PAGE_SIZE))
			return -EINVAL;
		last = max_t(u64, pair->src, pair->dst);
		if (last & ~AMD_SDMA_PTE_ADDR)
			return -EINVAL;
		last += (u64)(pair->pages - 1) << PAGE_SHIFT;
		if (last & ~AMD_SDMA_PTE_ADDR)
			return -EINVAL;
	}
	return pages ?: -EINVAL;
}

/**
 * amd_sdma_put_copy() - write one packet that copies
 * @p: where to
 * @format: what it looks like
 * @src: GPU address to read from
 * @dst: GPU address to write to
 * @bytes: length, at most &amd_sdma_format.max_bytes
 *
 * Return: where the packet ends.
 */
static inline u32 *amd_sdma_put_copy(u32 *p,
				     const struct amd_sdma_format *format,
				     u64 src, u64 dst, u32 bytes)
{
	p[0] = format->copy_header;
	p[1] = bytes - 1;
	p[2] = 0;	/* no swapping of bytes */
	p[3] = lower_32_bits(src);
	p[4] = upper_32_bits(src);
	p[5] = lower_32_bits(dst);
	p[6] = upper_32_bits(dst);
	if (format->copy_dw > 7)
		p[7] = 0;	/* nothing is compressed */
	return p + format->copy_dw;
}

/**
 * amd_sdma_put_ptes() - write the page table entries of contiguous memory
 * @p: where to
 * @addr: DMA address of the first page
 * @pages: number of pages, of PAGE_SIZE
 * @flags: flags of the entries
 *
 * Return: where the entries end.
 */
static inline u32 *amd_sdma_put_ptes(u32 *p, u64 addr, u32 pages, u64 flags)
{
	u32 i, nr = pages * AMD_SDMA_PTES_PER_PAGE;

	for (i = 0; i < nr; i++) {
		u64 pte = (addr & AMD_SDMA_PTE_ADDR) | flags;

		*p++ = lower_32_bits(pte);
		*p++ = upper_32_bits(pte);
		addr += BIT_ULL(AMD_SDMA_GPU_PAGE_SHIFT);
	}
	return p;
}

/**
 * amd_sdma_map_dw() - size of an IB that maps
 * @pages: number of pages
 *
 * Return: the dwords that amd_sdma_build_map() writes or jumps over.
 */
static inline u32 amd_sdma_map_dw(u32 pages)
{
	return AMD_SDMA_MAP_PTES_DW + 2 * 2 * pages * AMD_SDMA_PTES_PER_PAGE;
}

/**
 * amd_sdma_build_map() - build the IB that maps memory into the windows
 * @ib: memory of the IB, of amd_sdma_map_dw() dwords
 * @ib_addr: its GPU address
 * @format: what packets look like
 * @windows: the windows
 * @pairs: what to copy; passed amd_sdma_count_pages()
 * @nr: number of @pairs
 * @pages: number of pages in them
 *
 * The IB must have been executed before the TLB is flushed and the windows are
 * used. It is not padded.
 *
 * Return: length of the packets in dwords, which is the length of the IB.
 */
static inline u32 amd_sdma_build_map(u32 *ib, u64 ib_addr,
				     const struct amd_sdma_format *format,
				     const struct amd_sdma_windows *windows,
				     const struct amd_sdma_copy_pair *pairs,
				     u32 nr, u32 pages)
{
	u32 bytes = pages * AMD_SDMA_PTES_PER_PAGE * sizeof(u64);
	u64 ptes = ib_addr + AMD_SDMA_MAP_PTES_DW * sizeof(u32);
	u32 *p = ib;
	u32 i;

	p = amd_sdma_put_copy(p, format, ptes, windows->src_table, bytes);
	p = amd_sdma_put_copy(p, format, ptes + bytes, windows->dst_table,
			      bytes);

	ib += AMD_SDMA_MAP_PTES_DW;
	for (i = 0; i < nr; i++)
		ib = amd_sdma_put_ptes(ib, pairs[i].src, pairs[i].pages,
				       AMD_SDMA_PTE_SRC | windows->pte_flags);
	for (i = 0; i < nr; i++)
		ib = amd_sdma_put_ptes(ib, pairs[i].dst, pairs[i].pages,
				       AMD_SDMA_PTE_DST | windows->pte_flags);
	return 2 * format->copy_dw;
}

/**
 * amd_sdma_copy_dw() - size of an IB that copies
 * @format: what packets look like
 * @pages: number of pages
 *
 * Return: the dwords that amd_sdma_build_copy() writes.
 */
static inline u32 amd_sdma_copy_dw(const struct amd_sdma_format *format,
				   u32 pages)
{
	return DIV_ROUND_UP_ULL((u64)pages << PAGE_SHIFT, format->max_bytes) *
	       format->copy_dw;
}

/**
 * amd_sdma_build_copy() - build the IB that copies from window to window
 * @ib: memory of the IB, of amd_sdma_copy_dw() dwords
 * @format: what packets look like
 * @windows: the windows
 * @pages: number of pages that were mapped into them
 *
 * The IB is not padded.
 *
 * Return: length of the IB in dwords.
 */
static inline u32 amd_sdma_build_copy(u32 *ib,
				      const struct amd_sdma_format *format,
				      const struct amd_sdma_windows *windows,
				      u32 pages)
{
	u64 src = windows->src, dst = windows->dst;
	u64 left = (u64)pages << PAGE_SHIFT;
	u32 *p = ib;

	while (left) {
		u32 bytes = min_t(u64, left, format->max_bytes);

		p = amd_sdma_put_copy(p, format, src, dst, bytes);
		src += bytes;
		dst += bytes;
		left -= bytes;
	}
	return p - ib;
}

#endif /* _LINUX_AMD_SDMA_PACKETS_H */
