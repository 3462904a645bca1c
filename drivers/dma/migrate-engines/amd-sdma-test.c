// SPDX-License-Identifier: GPL-2.0
/*
 * Migration engines on the SDMA of AMD GPUs: does it copy?
 *
 * Copies a few pages in each slot, and so with each SDMA engine of the GPU, in
 * another order than they lie in memory, into every other page of a larger
 * block, and compares all of that. Harmless: nobody else has these pages, and if
 * the GPU does not let go of them, they are kept.
 */
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include "amd-sdma.h"

#define ASDMA_TEST_ORDER	2
#define ASDMA_TEST_PAGES	BIT(ASDMA_TEST_ORDER)
#define ASDMA_TEST_SRC		(ASDMA_TEST_PAGES * PAGE_SIZE)
#define ASDMA_TEST_DST		(2 * ASDMA_TEST_SRC)

/* For one job, on an engine that nobody but the GPU's other users uses. */
#define ASDMA_TEST_MS		5000
#define ASDMA_TEST_TRIES	100

/* What is where, in words that differ from page to page, and run to run. */
static u64 asdma_test_word(unsigned int page, unsigned int word, u32 slot)
{
	return 0x5a5a000000000000ULL | (u64)slot << 32 | page << 16 | word;
}

static void asdma_test_fill(struct asdma_test *test, u32 slot)
{
	unsigned int words = PAGE_SIZE / sizeof(u64), page, word;
	u64 *src = page_address(test->src);

	for (page = 0; page < ASDMA_TEST_PAGES; page++)
		for (word = 0; word < words; word++)
			*src++ = asdma_test_word(page, word, slot);
	memset(page_address(test->dst), 0xa5, ASDMA_TEST_DST);
}

/* Page 2n of the destination is the source's last but n, page 2n + 1 is not. */
static bool asdma_test_is_good(struct asdma_test *test, u32 slot)
{
	unsigned int words = PAGE_SIZE / sizeof(u64), page, word;
	u64 *dst = page_address(test->dst);

	for (page = 0; page < 2 * ASDMA_TEST_PAGES; page++) {
		unsigned int from = ASDMA_TEST_PAGES - 1 - page / 2;

		for (word = 0; word < words; word++)
			if (*dst++ != (page & 1 ? 0xa5a5a5a5a5a5a5a5ULL :
				       asdma_test_word(from, word, slot)))
				return false;
	}
	return true;
}

static int asdma_test_map(struct asdma_engine *engine)
{
	struct asdma_test *test = &engine->test;
	struct device *dev = engine->map.dev;

	test->from = dma_map_page(dev, test->src, 0, ASDMA_TEST_SRC,
				  DMA_TO_DEVICE);
	if (dma_mapping_error(dev, test->from))
		return -EIO;
	test->to = dma_map_page(dev, test->dst, 0, ASDMA_TEST_DST,
				DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, test->to)) {
		dma_unmap_page(dev, test->from, ASDMA_TEST_SRC, DMA_TO_DEVICE);
		return -EIO;
	}
	test->mapped = true;
	return 0;
}

static void asdma_test_unmap(struct asdma_engine *engine)
{
	struct asdma_test *test = &engine->test;
	struct device *dev = engine->map.dev;

	if (!test->mapped)
		return;
	dma_unmap_page(dev, test->to, ASDMA_TEST_DST, DMA_FROM_DEVICE);
	dma_unmap_page(dev, test->from, ASDMA_TEST_SRC, DMA_TO_DEVICE);
	test->mapped = false;
}

static bool asdma_test_quiesces(struct asdma_engine *engine, u32 slot)
{
	struct amd_sdma_copy_dev *sdma = engine->sdma;
	unsigned int i;

	for (i = 0; i < ASDMA_TEST_TRIES; i++) {
		if (sdma->ops->quiesced(sdma, slot))
			return true;
		msleep(20);
	}
	return false;
}

static int asdma_test_submit(struct asdma_engine *engine, u32 slot,
			     struct dma_fence **fence)
{
	struct amd_sdma_copy_dev *sdma = engine->sdma;
	struct amd_sdma_copy_pair pairs[ASDMA_TEST_PAGES];
	unsigned int i;
	int err;

	for (i = 0; i < ASDMA_TEST_PAGES; i++)
		pairs[i] = (struct amd_sdma_copy_pair) {
			.src = engine->test.from +
			       (ASDMA_TEST_PAGES - 1 - i) * PAGE_SIZE,
			.dst = engine->test.to + 2 * i * PAGE_SIZE,
			.pages = 1,
		};
	/* One that has just been used may need a moment. */
	for (i = 0; i < ASDMA_TEST_TRIES; i++) {
		err = sdma->ops->submit(sdma, slot, pairs, ASDMA_TEST_PAGES,
					fence);
		if (err != -EBUSY)
			break;
		msleep(20);
	}
	return err;
}

static int asdma_test_slot(struct asdma_engine *engine, u32 slot)
{
	struct asdma_test *test = &engine->test;
	struct dma_fence *fence;
	long left;
	int err;

	/* An earlier test may not have ended. */
	if (test->mapped &&
	    !engine->sdma->ops->quiesced(engine->sdma, test->slot))
		return -EBUSY;
	asdma_test_unmap(engine);
	asdma_test_fill(test, slot);
	err = asdma_test_map(engine);
	if (err)
		return err;
	err = asdma_test_submit(engine, slot, &fence);
	if (err)
		goto unmap;
	test->slot = slot;
	left = dma_fence_wait_timeout(fence, false,
				      msecs_to_jiffies(ASDMA_TEST_MS));
	err = left > 0 ? min(dma_fence_get_status(fence), 0) : -ETIMEDOUT;
	dma_fence_put(fence);
	/* A good fence says that it has; the slot may have another job by now. */
	if (err && !asdma_test_quiesces(engine, slot))
		return err;
unmap:
	asdma_test_unmap(engine);
	if (!err && !asdma_test_is_good(test, slot))
		err = -EILSEQ;
	return err;
}

/**
 * asdma_test() - does each slot, and so each SDMA engine of the GPU, copy?
 * @engine: with nothing in flight; the device has been opened
 *
 * Context: Process context; sleeps for seconds at most.
 *
 * Return: 0, and ASDMA_UNTESTED is cleared; -EILSEQ when the bytes are wrong,
 * -ETIMEDOUT, -EAGAIN when the GPU is asleep or being reset, or was meanwhile,
 * -EBUSY when it has an earlier test still, or what the provider says.
 */
int asdma_test(struct asdma_engine *engine)
{
	unsigned int upsets = READ_ONCE(engine->upsets);
	int err = 0;
	u32 i;

	mutex_lock(&engine->test.lock);
	/* Somebody else may have had it tested meanwhile: it is in use. */
	for (i = 0; !err && READ_ONCE(engine->flags) && !engine->map.bounces &&
	     i < engine->nr_slots; i++)
		err = asdma_test_slot(engine, i);
	mutex_unlock(&engine->test.lock);
	/* Whatever it says is of the GPU before. */
	if (READ_ONCE(engine->upsets) != upsets ||
	    (!err && !asdma_tested(engine, upsets)))
		return -EAGAIN;
	return err;
}

int asdma_test_create(struct asdma_engine *engine)
{
	gfp_t gfp = GFP_KERNEL | GFP_DMA32 | __GFP_COMP;
	struct asdma_test *test = &engine->test;

	mutex_init(&test->lock);
	test->src = alloc_pages(gfp, ASDMA_TEST_ORDER);
	test->dst = alloc_pages(gfp, ASDMA_TEST_ORDER + 1);
	return test->src && test->dst ? 0 : -ENOMEM;
}

/* The device is closed, so has let go. */
void asdma_test_destroy(struct asdma_engine *engine)
{
	struct asdma_test *test = &engine->test;

	asdma_test_unmap(engine);
	if (test->dst)
		__free_pages(test->dst, ASDMA_TEST_ORDER + 1);
	if (test->src)
		__free_pages(test->src, ASDMA_TEST_ORDER);
}
