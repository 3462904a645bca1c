/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration engines: DMA mappings of batches
 *
 * For engine drivers that copy by DMA addresses. A device is looked at once, a
 * map is set aside for each batch that can be in flight, and after that nothing
 * is allocated but what the IOMMU driver needs for its tables.
 *
 * dma-map.c says what the promises are.
 */
#ifndef _MIGRATE_ENGINES_DMA_MAP_H
#define _MIGRATE_ENGINES_DMA_MAP_H

#include <linux/scatterlist.h>
#include <linux/types.h>

struct device;
struct migrate_offload_extent;

/**
 * struct migrate_map_device - what mapping for a device is like
 * @dev: the device, whose DMA mask and segment size are set
 * @max_addr: highest physical address that needs no bounce buffer, 0 for any
 * @max_segment: longest extent in bytes that can be mapped, a multiple of
 *	PAGE_SIZE
 * @translated: an IOMMU stands between device and memory: what is not mapped
 *	cannot be reached
 * @direct: the device uses physical addresses, and unmapping is next to nothing
 * @coherent: the CPU sees what the device has written before it is unmapped
 * @bounces: all mappings go through bounce buffers, so all are refused
 */
struct migrate_map_device {
	struct device *dev;
	phys_addr_t max_addr;
	size_t max_segment;
	bool translated;
	bool direct;
	bool coherent;
	bool bounces;
};

/**
 * struct migrate_map - mapping of one batch, used again and again
 * @src: entries for what is read
 * @dst: entries for what is written
 * @max: number of entries of each
 * @nr: how many of them are in use, 0 when nothing is mapped
 */
struct migrate_map {
	struct scatterlist *src;
	struct scatterlist *dst;
	unsigned int max;
	unsigned int nr;
	/* private: of @nr, what the DMA API made of them */
	unsigned int src_nents;
	unsigned int dst_nents;
};

/**
 * struct migrate_copy - one copy by DMA addresses, contiguous on both sides
 * @src: where to read
 * @dst: where to write
 * @len: bytes
 * @first: the first extent that it covers
 * @nr: how many extents it covers
 * @channel: &migrate_offload_extent.channel of all of them
 */
struct migrate_copy {
	dma_addr_t src;
	dma_addr_t dst;
	size_t len;
	unsigned int first;
	unsigned int nr;
	unsigned int channel;
};

int migrate_map_device_init(struct migrate_map_device *md, struct device *dev);
int migrate_map_create(struct migrate_map *map, unsigned int max_extents,
		       int nid);
void migrate_map_destroy(struct migrate_map *map);
int migrate_map_batch(struct migrate_map_device *md, struct migrate_map *map,
		      const struct migrate_offload_extent *extents,
		      unsigned int nr);
void migrate_unmap_batch(struct migrate_map_device *md, struct migrate_map *map);
void migrate_map_revoke(struct migrate_map_device *md, struct migrate_map *map);
unsigned int migrate_map_copies(const struct migrate_map *map,
				const struct migrate_offload_extent *extents,
				size_t max_len, struct migrate_copy *copies);

#endif /* _MIGRATE_ENGINES_DMA_MAP_H */
