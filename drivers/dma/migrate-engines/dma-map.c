// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines: DMA mappings of batches
 *
 * A batch is mapped with two calls, one for all sources, which the device may
 * only read, and one for all destinations. Behind an IOMMU each gets one
 * contiguous range, so that base pages from all over memory become one copy.
 * There are no standing mappings: what no batch is in flight for, the device
 * cannot reach.
 *
 * Nothing bounces. A bounce buffer has the CPU copy everything twice, and the
 * destination is wrong until it is unmapped. What would bounce is refused.
 *
 * A batch is unmapped when the engine has let go of it, or else to make it so:
 * migrate_map_revoke() returns when the IOMMU lets no access through any more,
 * which needs no help from the device.
 */
#include <linux/cc_platform.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/migrate_offload.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "dma-map.h"

/* No wait, no reserve, and no complaint: the CPU copies instead. */
#define MAP_ATTRS	DMA_ATTR_NO_WARN

/* What are mappings like, of memory that does not bounce? */
static int migrate_map_probe(struct migrate_map_device *md)
{
	struct page *page = alloc_page(GFP_KERNEL | GFP_DMA32);
	dma_addr_t addr;

	if (!page)
		return -ENOMEM;
	addr = dma_map_page(md->dev, page, 0, PAGE_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(md->dev, addr)) {
		__free_page(page);
		return -EIO;
	}
	md->coherent = !dma_need_sync(md->dev, addr);
	md->direct = !md->translated && addr == page_to_phys(page);
	dma_unmap_page(md->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	__free_page(page);
	return 0;
}

/**
 * migrate_map_device_init() - find out what mapping for a device is like
 * @md: what to fill in
 * @dev: the device that does the DMA, bound to its driver
 *
 * Context: Process context, may sleep and allocate.
 *
 * Return: 0, -EINVAL when the device cannot take a page in one piece, -EIO
 * when nothing can be mapped for it, -ENOMEM. A device for which everything
 * would bounce is no error: its batches are refused one by one, and counted.
 */
int migrate_map_device_init(struct migrate_map_device *md, struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	*md = (struct migrate_map_device) {
		.dev = dev,
		.max_segment = round_down((size_t)dma_get_max_seg_size(dev),
					  PAGE_SIZE),
		.translated = domain && iommu_is_dma_domain(domain),
		.bounces = cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT),
	};
	if (!md->max_segment)
		return -EINVAL;

	if (md->translated) {
		/* An untrusted device has swiotlb before its IOMMU. */
		md->bounces |= dma_max_mapping_size(dev) != SIZE_MAX;
	} else {
		md->bounces |= is_swiotlb_force_bounce(dev);
		/* Only memory out of reach bounces. */
		if (dma_addressing_limited(dev)) {
			md->max_addr = min_not_zero(dma_get_mask(dev),
						    dev->bus_dma_limit);
			md->bounces |= !!dev->dma_range_map;
		}
	}
	return md->bounces ? 0 : migrate_map_probe(md);
}
EXPORT_SYMBOL_NS_GPL(migrate_map_device_init, MIGRATE_ENGINES);

/**
 * migrate_map_create() - set aside memory for mapping a batch
 * @map: what to fill in
 * @max_extents: extents that a batch can have
 * @nid: node to take it from, or NUMA_NO_NODE
 *
 * Context: Process context, may sleep and allocate.
 *
 * Return: 0 or -ENOMEM.
 */
int migrate_map_create(struct migrate_map *map, unsigned int max_extents,
		       int nid)
{
	map->max = max_extents;
	map->nr = 0;
	map->src = kvmalloc_node(array_size(2 * max_extents, sizeof(*map->src)),
				 GFP_KERNEL, nid);
	if (!map->src)
		return -ENOMEM;
	map->dst = map->src + max_extents;
	sg_init_table(map->src, max_extents);
	sg_init_table(map->dst, max_extents);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(migrate_map_create, MIGRATE_ENGINES);

/**
 * migrate_map_destroy() - give back what migrate_map_create() set aside
 * @map: with nothing mapped; may be all zeroes
 *
 * Context: Process context.
 */
void migrate_map_destroy(struct migrate_map *map)
{
	WARN_ON_ONCE(map->nr);
	kvfree(map->src);
	map->src = NULL;
}
EXPORT_SYMBOL_NS_GPL(migrate_map_destroy, MIGRATE_ENGINES);

static void migrate_map_fill(struct scatterlist *sg, phys_addr_t addr,
			     size_t len)
{
	sg_set_page(sg, pfn_to_page(PHYS_PFN(addr)), len, 0);
}

/* The last entry in use is marked; the others must not be. */
static void migrate_map_end(struct migrate_map *map, bool mark)
{
	if (map->nr == map->max)
		return;
	if (mark) {
		sg_mark_end(&map->src[map->nr - 1]);
		sg_mark_end(&map->dst[map->nr - 1]);
	} else {
		sg_unmark_end(&map->src[map->nr - 1]);
		sg_unmark_end(&map->dst[map->nr - 1]);
	}
}

/* Coherent devices need none, until the first of their mappings bounces. */
static bool migrate_map_may_need_sync(struct migrate_map_device *md)
{
	return !md->coherent || dma_dev_need_sync(md->dev);
}

/* Coherent devices need no sync of anything, but for what has bounced. */
static bool migrate_map_bounced(struct migrate_map_device *md,
				struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!md->coherent || !migrate_map_may_need_sync(md))
		return false;
	for_each_sg(sgl, sg, nents, i)
		if (dma_need_sync(md->dev, sg_dma_address(sg)))
			return true;
	return false;
}

static bool migrate_map_crosses(u64 boundary, phys_addr_t addr, size_t len)
{
	return (addr ^ (addr + len - 1)) & ~boundary;
}

/**
 * migrate_map_batch() - map the extents of a batch
 * @md: the device
 * @map: a map with nothing mapped
 * @extents: what is to be copied, each at most &migrate_map_device.max_segment
 *	long
 * @nr: how many, 1 to &migrate_map.max
 *
 * Does not wait and does not enter reclaim; the IOMMU driver may allocate
 * tables with GFP_ATOMIC. Sources are mapped for reading only.
 *
 * Context: Process context. Folios of the extents are locked.
 *
 * Return: 0, -EOPNOTSUPP when a mapping would bounce, or another errno when
 * it failed. The CPU copies then; nothing is mapped.
 */
int migrate_map_batch(struct migrate_map_device *md, struct migrate_map *map,
		      const struct migrate_offload_extent *extents,
		      unsigned int nr)
{
	const struct migrate_offload_extent *end = extents + nr, *extent;
	struct scatterlist *src = map->src, *dst = map->dst;
	const u64 max_addr = md->max_addr ?: U64_MAX;
	unsigned long attrs = MAP_ATTRS;
	u64 boundary = U64_MAX;
	int err = -EIO;

	if (md->bounces)
		return -EOPNOTSUPP;
	/* With an IOMMU it is the range that must not cross it, and does not. */
	if (!md->translated)
		boundary = dma_get_seg_boundary(md->dev);
	for (extent = extents; extent < end; extent++) {
		if (max(extent->src, extent->dst) + extent->len - 1 > max_addr)
			return -EOPNOTSUPP;
		if (migrate_map_crosses(boundary, extent->src, extent->len) ||
		    migrate_map_crosses(boundary, extent->dst, extent->len))
			return -ERANGE;
		migrate_map_fill(src++, extent->src, extent->len);
		migrate_map_fill(dst++, extent->dst, extent->len);
	}
	map->nr = nr;
	migrate_map_end(map, true);

	map->src_nents = dma_map_sg_attrs(md->dev, map->src, nr, DMA_TO_DEVICE,
					  MAP_ATTRS);
	if (!map->src_nents)
		goto err_reset;
	map->dst_nents = dma_map_sg_attrs(md->dev, map->dst, nr,
					  DMA_FROM_DEVICE, MAP_ATTRS);
	if (!map->dst_nents)
		goto err_unmap_src;
	if (!migrate_map_bounced(md, map->src, map->src_nents) &&
	    !migrate_map_bounced(md, map->dst, map->dst_nents))
		return 0;

	/* Or the buffer would be copied over the destination. */
	err = -EOPNOTSUPP;
	attrs |= DMA_ATTR_SKIP_CPU_SYNC;
	dma_unmap_sg_attrs(md->dev, map->dst, nr, DMA_FROM_DEVICE, attrs);
err_unmap_src:
	dma_unmap_sg_attrs(md->dev, map->src, nr, DMA_TO_DEVICE, attrs);
err_reset:
	migrate_map_end(map, false);
	map->nr = 0;
	return err;
}
EXPORT_SYMBOL_NS_GPL(migrate_map_batch, MIGRATE_ENGINES);

/**
 * migrate_unmap_batch() - take the mapping of a batch away
 * @md: the device
 * @map: what migrate_map_batch() mapped; nothing happens if nothing is
 *
 * For a batch that the device has let go of. Afterwards the CPU sees what was
 * copied, on any machine. In an IOMMU that flushes lazily the device may still
 * reach the memory.
 *
 * Context: Any but hard interrupts, and these with &migrate_map_device.direct; does
 * not sleep.
 */
void migrate_unmap_batch(struct migrate_map_device *md, struct migrate_map *map)
{
	unsigned long attrs = MAP_ATTRS;

	if (!map->nr)
		return;
	/* It would look at each extent, and do nothing. */
	if (!migrate_map_may_need_sync(md))
		attrs |= DMA_ATTR_SKIP_CPU_SYNC;
	dma_unmap_sg_attrs(md->dev, map->dst, map->nr, DMA_FROM_DEVICE, attrs);
	dma_unmap_sg_attrs(md->dev, map->src, map->nr, DMA_TO_DEVICE, attrs);
	migrate_map_end(map, false);
	map->nr = 0;
}
EXPORT_SYMBOL_NS_GPL(migrate_unmap_batch, MIGRATE_ENGINES);

/**
 * migrate_map_revoke() - make a device let go of a batch
 * @md: a device with &migrate_map_device.translated
 * @map: what migrate_map_batch() mapped
 *
 * When it returns, the IOMMU refuses every access to the batch, whatever the
 * device does: it has quiesced. The range may be given to another mapping of
 * this device, so the device must not get any before it has been stopped or
 * reset.
 *
 * Context: Process context.
 */
void migrate_map_revoke(struct migrate_map_device *md, struct migrate_map *map)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(md->dev);

	WARN_ON_ONCE(!md->translated);
	migrate_unmap_batch(md, map);
	/* Entries are gone; what the IOMMU remembers of them may not be. */
	if (domain && domain->type != IOMMU_DOMAIN_DMA)
		iommu_flush_iotlb_all(domain);
}
EXPORT_SYMBOL_NS_GPL(migrate_map_revoke, MIGRATE_ENGINES);

/* Walks the segments that the DMA API made of a table, which is one array. */
struct migrate_map_cursor {
	struct scatterlist *sg;
	size_t offset;
};

/* The address of the next @len bytes, which one segment has in one piece. */
static dma_addr_t migrate_map_next(struct migrate_map_cursor *at, size_t len)
{
	dma_addr_t addr;

	if (at->offset == sg_dma_len(at->sg)) {
		at->sg++;
		at->offset = 0;
	}
	addr = sg_dma_address(at->sg) + at->offset;
	at->offset += len;
	return addr;
}

/**
 * migrate_map_copies() - what to tell the device
 * @map: what migrate_map_batch() mapped
 * @extents: what it was mapped from
 * @max_len: longest copy in bytes, at least as long as any extent
 * @copies: where to put them, room for as many as there are extents
 *
 * Extents that follow each other for the device, on both sides and on the same
 * channel, become one copy. A table's entries are not divided by mapping, only
 * joined, so each extent is in one piece.
 *
 * Context: Any.
 *
 * Return: the number of copies.
 */
unsigned int migrate_map_copies(const struct migrate_map *map,
				const struct migrate_offload_extent *extents,
				size_t max_len, struct migrate_copy *copies)
{
	struct migrate_map_cursor src = { map->src }, dst = { map->dst };
	const unsigned int nr = map->nr;
	struct migrate_copy *copy = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++, extents++) {
		size_t len = extents->len;
		dma_addr_t from = migrate_map_next(&src, len);
		dma_addr_t to = migrate_map_next(&dst, len);

		if (copy && copy->src + copy->len == from &&
		    copy->dst + copy->len == to &&
		    copy->channel == extents->channel &&
		    copy->len + len <= max_len) {
			copy->len += len;
			copy->nr++;
			continue;
		}
		copy = copy ? copy + 1 : copies;
		*copy = (struct migrate_copy) {
			.src = from,
			.dst = to,
			.len = len,
			.first = i,
			.nr = 1,
			.channel = extents->channel,
		};
	}
	return copy ? copy + 1 - copies : 0;
}
EXPORT_SYMBOL_NS_GPL(migrate_map_copies, MIGRATE_ENGINES);

#if IS_ENABLED(CONFIG_MIGRATE_ENGINES_KUNIT_TEST)
#include "tests/dma-map_test.c"
#endif

MODULE_DESCRIPTION("DMA mappings of migration engines");
MODULE_LICENSE("GPL");
