// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of engines on the SDMA of AMD GPUs: what becomes of batches
 *
 * Included by amd-sdma.c. The provider of the device is here, and does what a
 * test tells it, the core is the real one, but does not get to know of the
 * batches: these are the tests' own.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>

#define FAKE_SLOTS	4
#define FAKE_ENGINES	2
#define FAKE_MAX_PAGES	8
#define FAKE_MAX_PAIRS	8

struct fake_job {
	struct dma_fence *fence;
	struct amd_sdma_copy_pair pairs[FAKE_MAX_PAIRS];
	u32 nr;
	bool busy;
	int polls;	/* until it says that it is quiesced, after an error */
};

struct fake {
	struct kunit *test;
	struct amd_sdma_copy_dev sdma;
	struct amd_sdma_copy_drv *drv;
	spinlock_t lock;	/* all below */
	struct fake_job jobs[FAKE_SLOTS];
	bool automatic;		/* jobs are done at once */
	bool lies;
	bool halted;
	int refuses;		/* with this */
	bool upset;		/* be reset amid the next job */
	unsigned int submitted;
	unsigned int closed;
	unsigned int closed_too_early;
};

struct fake_batch {
	struct migrate_offload_batch batch;
	struct migrate_offload_extent extents[FAKE_MAX_PAIRS * 4];
	unsigned int done;	/* extents reported */
	unsigned int bad;
	int error;
	unsigned int quiesced;
};

struct fake_fence {
	struct dma_fence base;
	spinlock_t lock;	/* of base */
};

static struct fake *to_fake(struct amd_sdma_copy_dev *sdma)
{
	return container_of(sdma, struct fake, sdma);
}

static struct asdma_engine *fake_engine(struct fake *fake)
{
	return auxiliary_get_drvdata(&fake->sdma.adev);
}

static const char *fake_name(struct dma_fence *fence)
{
	return "fake";
}

static const struct dma_fence_ops fake_fence_ops = {
	.get_driver_name = fake_name,
	.get_timeline_name = fake_name,
};

static void fake_copy(struct fake *fake, struct fake_job *job)
{
	struct device *dev = fake->sdma.dma_dev;
	u8 *first;
	u32 i;

	for (i = 0; i < job->nr; i++)
		memcpy(phys_to_virt(dma_to_phys(dev, job->pairs[i].dst)),
		       phys_to_virt(dma_to_phys(dev, job->pairs[i].src)),
		       (size_t)job->pairs[i].pages << PAGE_SHIFT);
	first = phys_to_virt(dma_to_phys(dev, job->pairs[0].dst));
	if (fake->lies)
		*first = ~*first;
}

static void fake_signal(struct dma_fence *fence, int error)
{
	if (error)
		dma_fence_set_error(fence, error);
	dma_fence_signal(fence);
}

/* End the job of @slot. With an error it takes @polls until it is quiesced. */
static void fake_finish(struct fake *fake, u32 slot, int error, int polls)
{
	struct fake_job *job = &fake->jobs[slot];
	struct dma_fence *fence;

	spin_lock(&fake->lock);
	fence = dma_fence_get(job->fence);
	if (!error) {
		fake_copy(fake, job);
		job->busy = false;
	}
	job->polls = polls;
	spin_unlock(&fake->lock);
	fake_signal(fence, error);
	dma_fence_put(fence);
}

static int fake_open(struct amd_sdma_copy_dev *sdma,
		     struct amd_sdma_copy_caps *caps)
{
	to_fake(sdma)->drv = to_amd_sdma_copy_drv(sdma->adev.dev.driver);
	*caps = (struct amd_sdma_copy_caps) {
		.nr_slots = FAKE_SLOTS,
		.nr_engines = FAKE_ENGINES,
		.max_pages = FAKE_MAX_PAGES,
		.numa_node = NUMA_NO_NODE,
		.sdma_version = 0x040402,
	};
	return 0;
}

static bool fake_quiesced(struct amd_sdma_copy_dev *sdma, u32 slot)
{
	struct fake *fake = to_fake(sdma);
	struct fake_job *job = &fake->jobs[slot];
	bool quiesced;

	spin_lock(&fake->lock);
	if (job->busy && job->polls > 0 && !--job->polls)
		job->busy = false;
	quiesced = !job->busy || fake->halted;
	spin_unlock(&fake->lock);
	return quiesced;
}

static void fake_close(struct amd_sdma_copy_dev *sdma)
{
	struct fake *fake = to_fake(sdma);
	u32 i, tries;

	for (i = 0; i < FAKE_SLOTS; i++) {
		for (tries = 0; tries < 500 && !fake_quiesced(sdma, i); tries++)
			msleep(20);
		fake->closed_too_early += !fake_quiesced(sdma, i);
	}
	fake->closed++;
}

static int fake_submit(struct amd_sdma_copy_dev *sdma, u32 slot,
		       const struct amd_sdma_copy_pair *pairs, u32 nr,
		       struct dma_fence **fence)
{
	struct fake *fake = to_fake(sdma);
	struct fake_job *job = &fake->jobs[slot];
	struct fake_fence *new = kzalloc(sizeof(*new), GFP_ATOMIC);
	bool upset;
	int err = 0;

	if (!new || slot >= FAKE_SLOTS || !nr || nr > FAKE_MAX_PAIRS) {
		kfree(new);
		return -EINVAL;
	}
	spin_lock(&fake->lock);
	if (fake->refuses || job->busy) {
		err = fake->refuses ?: -EBUSY;
		kfree(new);
		goto out;
	}
	dma_fence_put(job->fence);
	spin_lock_init(&new->lock);
	dma_fence_init(&new->base, &fake_fence_ops, &new->lock, 1,
		       ++fake->submitted);
	job->fence = &new->base;
	memcpy(job->pairs, pairs, nr * sizeof(*pairs));
	job->nr = nr;
	job->busy = !fake->automatic;
	job->polls = 0;
	*fence = dma_fence_get(job->fence);
	if (fake->automatic) {
		fake_copy(fake, job);
		dma_fence_signal(job->fence);
	}
out:
	upset = fake->upset && !err;
	if (upset)
		fake->upset = false;
	spin_unlock(&fake->lock);
	if (upset) {
		fake->drv->event(sdma, AMD_SDMA_COPY_RESET_PRE);
		fake->drv->event(sdma, AMD_SDMA_COPY_RESET_DONE);
	}
	return err;
}

static const struct amd_sdma_copy_ops fake_ops = {
	.open = fake_open,
	.close = fake_close,
	.submit = fake_submit,
	.quiesced = fake_quiesced,
};

static void fake_extent_done(struct migrate_offload_batch *batch,
			     unsigned int nr, int error)
{
	struct fake_batch *fb = container_of(batch, struct fake_batch, batch);

	/* Twice is once too often. */
	if (batch->extents[nr].error != -EINPROGRESS)
		fb->bad++;
	batch->extents[nr].error = error;
	if (error)
		fb->error = error;
	WRITE_ONCE(fb->done, fb->done + 1);
}

static void fake_batch_quiesced(struct migrate_offload_batch *batch)
{
	struct fake_batch *fb = container_of(batch, struct fake_batch, batch);

	if (fb->done != batch->nr_extents)
		fb->bad++;
	WRITE_ONCE(fb->quiesced, fb->quiesced + 1);
}

/* All works run on other CPUs, or later. */
#define eventually(condition)						\
({									\
	unsigned int tries_;						\
	bool is_so_;							\
									\
	for (tries_ = 0; ; tries_++) {					\
		is_so_ = (condition);					\
		if (is_so_ || tries_ == 500)				\
			break;						\
		msleep(20);						\
	}								\
	is_so_;								\
})

/* For what is not to happen. */
#define ASDMA_TEST_NEVER_MS	100

static void fake_adev_release(struct device *dev)
{
}

static int fake_add(struct fake *fake)
{
	struct auxiliary_device *adev = &fake->sdma.adev;
	int err;

	memset(adev, 0, sizeof(*adev));
	adev->name = "fake";
	adev->id = 0;
	adev->dev.parent = fake->sdma.dma_dev;
	adev->dev.release = fake_adev_release;
	err = auxiliary_device_init(adev);
	if (err)
		return err;
	err = auxiliary_device_add(adev);
	if (err)
		auxiliary_device_uninit(adev);
	return err;
}

static void fake_del(struct fake *fake)
{
	auxiliary_device_delete(&fake->sdma.adev);
	auxiliary_device_uninit(&fake->sdma.adev);
}

static void fake_event(struct fake *fake, enum amd_sdma_copy_event event)
{
	fake->drv->event(&fake->sdma, event);
}

static struct fake *fake_create(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "asdma-fake");
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(dev,
							      DMA_BIT_MASK(64)));
	spin_lock_init(&fake->lock);
	fake->test = test;
	fake->automatic = true;
	fake->sdma.dma_dev = dev;
	fake->sdma.ops = &fake_ops;
	return fake;
}

/* Bound and tested; from then on jobs end when the test says so. */
static struct fake *fake_bound(struct kunit *test)
{
	struct fake *fake = fake_create(test);
	struct asdma_engine *engine;

	KUNIT_ASSERT_EQ(test, 0, fake_add(fake));
	engine = fake_engine(fake);
	KUNIT_ASSERT_NOT_NULL(test, engine);
	KUNIT_ASSERT_EQ(test, 0, engine->flags);
	engine->extent_done = fake_extent_done;
	engine->batch_quiesced = fake_batch_quiesced;
	fake->automatic = false;
	fake->submitted = 0;
	return fake;
}

static void fake_gone(struct fake *fake)
{
	unsigned int i;

	fake_del(fake);
	KUNIT_EXPECT_EQ(fake->test, 1, fake->closed);
	KUNIT_EXPECT_EQ(fake->test, 0, fake->closed_too_early);
	for (i = 0; i < FAKE_SLOTS; i++)
		dma_fence_put(fake->jobs[i].fence);
}

static void fake_free_pages(void *pages)
{
	__free_pages(pages, 6);
}

/* Of @nr extents of a page each, from a block of memory to another. */
static struct fake_batch *fake_batch(struct fake *fake, unsigned int nr)
{
	struct kunit *test = fake->test;
	struct fake_batch *fb = kunit_kzalloc(test, sizeof(*fb), GFP_KERNEL);
	struct page *pages = alloc_pages(GFP_KERNEL | __GFP_COMP, 6);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, fb);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_LE(test, nr, ARRAY_SIZE(fb->extents));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, fake_free_pages,
							   pages));
	fb->batch.extents = fb->extents;
	fb->batch.nr_extents = nr;
	fb->batch.bytes = nr * PAGE_SIZE;
	for (i = 0; i < nr; i++) {
		fb->extents[i] = (struct migrate_offload_extent) {
			/* The other way round, so that none are joined. */
			.src = page_to_phys(pages + nr - 1 - i),
			.dst = page_to_phys(pages + 32 + i),
			.len = PAGE_SIZE,
			.error = -EINPROGRESS,
		};
		memset(page_address(pages + nr - 1 - i), i + 1, PAGE_SIZE);
		memset(page_address(pages + 32 + i), 0xff, PAGE_SIZE);
	}
	return fb;
}

static int fake_send(struct fake *fake, struct fake_batch *fb)
{
	return asdma_ops.submit(fake_engine(fake)->engine, &fb->batch);
}

static void expect_copied(struct fake *fake, struct fake_batch *fb)
{
	struct kunit *test = fake->test;
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fb->quiesced)));
	KUNIT_EXPECT_EQ(test, 1, fb->quiesced);
	KUNIT_EXPECT_EQ(test, fb->batch.nr_extents, fb->done);
	KUNIT_EXPECT_EQ(test, 0, fb->bad);
	KUNIT_EXPECT_EQ(test, 0, fb->error);
	for (i = 0; i < fb->batch.nr_extents; i++)
		KUNIT_EXPECT_MEMEQ(test, phys_to_virt(fb->extents[i].dst),
				   phys_to_virt(fb->extents[i].src), PAGE_SIZE);
}

static void expect_failed(struct fake *fake, struct fake_batch *fb, int error)
{
	struct kunit *test = fake->test;

	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fb->quiesced)));
	KUNIT_EXPECT_EQ(test, 1, fb->quiesced);
	KUNIT_EXPECT_EQ(test, fb->batch.nr_extents, fb->done);
	KUNIT_EXPECT_EQ(test, 0, fb->bad);
	KUNIT_EXPECT_EQ(test, error, fb->error);
}

static void expect_held(struct fake *fake, struct fake_batch *fb)
{
	msleep(ASDMA_TEST_NEVER_MS);
	KUNIT_EXPECT_EQ(fake->test, 0, READ_ONCE(fb->quiesced));
}

static void asdma_is_tested_when_bound(struct kunit *test)
{
	struct fake *fake = fake_create(test);

	KUNIT_ASSERT_EQ(test, 0, fake_add(fake));
	KUNIT_EXPECT_NOT_NULL(test, fake_engine(fake));
	KUNIT_EXPECT_EQ(test, FAKE_SLOTS, fake->submitted);
	fake_gone(fake);
}

static void asdma_is_no_engine_if_it_lies(struct kunit *test)
{
	struct fake *fake = fake_create(test);

	fake->lies = true;
	KUNIT_ASSERT_EQ(test, 0, fake_add(fake));
	KUNIT_EXPECT_NULL(test, fake_engine(fake));
	fake_gone(fake);
}

/*
 * Bound when it hangs: that must end, as amdgpu may be waiting, and the GPU may
 * not be reset. It gets nothing until it was, and has been tested.
 */
static void asdma_hangs_when_bound(struct kunit *test)
{
	struct fake *fake = fake_create(test);
	struct asdma_engine *engine;

	fake->automatic = false;
	KUNIT_ASSERT_EQ(test, 0, fake_add(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->closed);
	engine = fake_engine(fake);
	KUNIT_ASSERT_NOT_NULL(test, engine);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, fake_batch(fake, 1)));
	fake->automatic = true;
	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	fake_finish(fake, 0, -ECANCELED, 1);
	fake_event(fake, AMD_SDMA_COPY_RESET_DONE);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	KUNIT_EXPECT_EQ(test, 1 + FAKE_SLOTS, fake->submitted);
	fake_gone(fake);
}

/* Asleep when it is bound: it gets nothing until it is awake, and tested. */
static void asdma_is_tested_when_awake(struct kunit *test)
{
	struct fake *fake = fake_create(test);
	struct asdma_engine *engine;

	fake->refuses = -EAGAIN;
	KUNIT_ASSERT_EQ(test, 0, fake_add(fake));
	engine = fake_engine(fake);
	KUNIT_ASSERT_NOT_NULL(test, engine);
	KUNIT_EXPECT_EQ(test, ASDMA_UNTESTED, READ_ONCE(engine->flags));
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, fake_batch(fake, 1)));
	fake->refuses = 0;
	fake_event(fake, AMD_SDMA_COPY_RESUME);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	KUNIT_EXPECT_EQ(test, FAKE_SLOTS, fake->submitted);
	fake_gone(fake);
}

static void asdma_fence_is_good(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb = fake_batch(fake, 5);

	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	KUNIT_EXPECT_EQ(test, 1, fake->submitted);
	KUNIT_EXPECT_EQ(test, 5, fake->jobs[0].nr);
	expect_held(fake, fb);
	KUNIT_EXPECT_EQ(test, 0, fb->done);
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, fb);
	KUNIT_EXPECT_TRUE(test, asdma_idle(fake_engine(fake)));
	fake_gone(fake);
}

/* Neighbours are one pair; a job is no longer than the windows. */
static void asdma_fills_windows(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb = fake_batch(fake, 12);
	phys_addr_t src = fb->extents[11].src;
	unsigned int i;

	for (i = 0; i < 12; i++)
		fb->extents[i].src = src + i * PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	KUNIT_EXPECT_EQ(test, 2, fake->submitted);
	KUNIT_EXPECT_EQ(test, 1, fake->jobs[0].nr);
	KUNIT_EXPECT_EQ(test, FAKE_MAX_PAGES, fake->jobs[0].pairs[0].pages);
	KUNIT_EXPECT_EQ(test, src, dma_to_phys(fake->sdma.dma_dev,
					       fake->jobs[0].pairs[0].src));
	/* On the other engine. */
	KUNIT_EXPECT_EQ(test, 4, fake->jobs[1].pairs[0].pages);
	fake_finish(fake, 1, 0, 0);
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fb->done) == 4));
	expect_held(fake, fb);
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, fb);
	fake_gone(fake);
}

/* Channels are not mixed in a job. */
static void asdma_uses_all_engines(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb = fake_batch(fake, 6);
	unsigned int i;

	for (i = 3; i < 6; i++)
		fb->extents[i].channel = 1;
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	KUNIT_EXPECT_EQ(test, 2, fake->submitted);
	KUNIT_EXPECT_EQ(test, 3, fake->jobs[0].nr);
	KUNIT_EXPECT_EQ(test, 3, fake->jobs[1].nr);
	fake_finish(fake, 0, 0, 0);
	fake_finish(fake, 1, 0, 0);
	expect_copied(fake, fb);
	fake_gone(fake);
}

static void asdma_waits_for_slots(struct kunit *test)
{
	struct fake_batch *fb[2 * FAKE_SLOTS + 1];
	struct fake *fake = fake_bound(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fb); i++)
		fb[i] = fake_batch(fake, 3);
	for (i = 0; i < 2 * FAKE_SLOTS; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_send(fake, fb[i]));
	KUNIT_EXPECT_EQ(test, FAKE_SLOTS, fake->submitted);
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_send(fake, fb[i]));
	KUNIT_EXPECT_EQ(test, 0, fb[i]->done);
	/* Each that ends makes room for another. */
	for (i = 0; i < FAKE_SLOTS; i++)
		fake_finish(fake, i, 0, 0);
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fake->submitted) ==
					   2 * FAKE_SLOTS));
	for (i = 0; i < FAKE_SLOTS; i++)
		fake_finish(fake, i, 0, 0);
	for (i = 0; i < 2 * FAKE_SLOTS; i++)
		expect_copied(fake, fb[i]);
	fake_gone(fake);
}

static void asdma_refuses(struct kunit *test)
{
	static const struct { int says, returns; } cases[] = {
		{ -EAGAIN, -ENODEV }, { -ENODEV, -ENODEV }, { -EINVAL, -EINVAL },
	};
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb = fake_batch(fake, 3);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fake->refuses = cases[i].says;
		KUNIT_EXPECT_EQ(test, cases[i].returns, fake_send(fake, fb));
	}
	KUNIT_EXPECT_EQ(test, 0, fb->done);
	KUNIT_EXPECT_EQ(test, 0, fb->quiesced);
	KUNIT_EXPECT_TRUE(test, asdma_idle(fake_engine(fake)));
	/* It is none the worse for it. */
	fake->refuses = 0;
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, fb);
	fake_gone(fake);
}

/*
 * A free slot that takes nothing gets another moment, but not for ever; and none
 * if nothing is in flight, as nobody is to wait for what may never be.
 */
static void asdma_gives_slots_a_moment(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *a = fake_batch(fake, 3), *b = fake_batch(fake, 3);
	struct fake_batch *c = fake_batch(fake, 3);

	fake->refuses = -EBUSY;
	KUNIT_ASSERT_EQ(test, -EBUSY, fake_send(fake, a));
	KUNIT_EXPECT_TRUE(test, asdma_idle(fake_engine(fake)));
	KUNIT_EXPECT_EQ(test, 0, a->done);
	fake->refuses = 0;
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, a));
	fake->refuses = -EBUSY;
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, b));
	fake->refuses = 0;
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fake->submitted) == 2));
	fake_finish(fake, 1, 0, 0);
	expect_copied(fake, b);

	fake->refuses = -EBUSY;
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, c));
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, a);
	expect_failed(fake, c, -EBUSY);
	fake_gone(fake);
}

/* The second job is refused: what the first has is still copied. */
static void asdma_is_refused_half(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb[FAKE_SLOTS];
	unsigned int i;

	for (i = 0; i < FAKE_SLOTS - 1; i++) {
		fb[i] = fake_batch(fake, 1);
		KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb[i]));
	}
	fb[i] = fake_batch(fake, 12);
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb[i]));
	KUNIT_EXPECT_EQ(test, FAKE_SLOTS, fake->submitted);
	fake->refuses = -EAGAIN;
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, fb[0]);
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fb[i]->done) == 4));
	KUNIT_EXPECT_EQ(test, -EAGAIN, fb[i]->error);
	expect_held(fake, fb[i]);
	fake_finish(fake, 3, 0, 0);
	expect_failed(fake, fb[i], -EAGAIN);
	KUNIT_EXPECT_EQ(test, 0, fb[i]->extents[0].error);
	KUNIT_EXPECT_EQ(test, -EAGAIN, fb[i]->extents[11].error);
	for (i = 1; i < FAKE_SLOTS - 1; i++) {
		fake_finish(fake, i, 0, 0);
		expect_copied(fake, fb[i]);
	}
	fake_gone(fake);
}

/* An error is known at once, and that it is over with it some time later. */
static void asdma_fence_is_cancelled(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb = fake_batch(fake, 3);

	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	fake_finish(fake, 0, -ECANCELED, 0);
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fb->done) == 3));
	expect_held(fake, fb);
	fake->jobs[0].polls = 4;
	expect_failed(fake, fb, -ECANCELED);
	KUNIT_EXPECT_EQ(test, 0, fake->jobs[0].polls);
	fake_gone(fake);
}

static void asdma_all_slots_are_stuck(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct fake_batch *fb[FAKE_SLOTS + 1];
	unsigned int i;

	for (i = 0; i < FAKE_SLOTS; i++) {
		fb[i] = fake_batch(fake, 3);
		KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb[i]));
		fake_finish(fake, i, -EIO, 0);
		KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(fb[i]->done) == 3));
	}
	fb[i] = fake_batch(fake, 3);
	KUNIT_EXPECT_TRUE(test, eventually(fake_send(fake, fb[i]) == -EBUSY));
	for (i = 0; i < FAKE_SLOTS; i++) {
		fake->jobs[i].polls = 2;
		expect_failed(fake, fb[i], -EIO);
	}
	fake_gone(fake);
}

/* Quiesce asks, and reports nothing that is not so. */
static void asdma_fence_never_comes(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);
	struct fake_batch *fb[FAKE_SLOTS + 1];
	unsigned int i;

	for (i = 0; i <= FAKE_SLOTS; i++) {
		fb[i] = fake_batch(fake, 3);
		KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb[i]));
	}
	asdma_ops.quiesce(engine->engine);
	/* That one had no slot. */
	expect_failed(fake, fb[FAKE_SLOTS], -ECANCELED);
	for (i = 0; i < FAKE_SLOTS; i++) {
		expect_held(fake, fb[i]);
		KUNIT_EXPECT_EQ(test, 0, fb[i]->done);
	}
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, fb[FAKE_SLOTS]));
	KUNIT_EXPECT_EQ(test, -EBUSY, asdma_ops.reset(engine->engine));
	/* Cut off the bus: no fence. */
	fake->halted = true;
	for (i = 0; i < FAKE_SLOTS; i++)
		expect_failed(fake, fb[i], -ECANCELED);
	/* A fence that comes now has nobody to tell. */
	fake->halted = false;
	for (i = 0; i < FAKE_SLOTS; i++)
		fake_finish(fake, i, 0, 0);
	fake->automatic = true;
	KUNIT_EXPECT_EQ(test, 0, asdma_ops.reset(engine->engine));
	KUNIT_EXPECT_EQ(test, 0, engine->flags);
	fake_gone(fake);
}

/* Late, after quiesce, but well. */
static void asdma_fence_comes_late(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);
	struct fake_batch *fb = fake_batch(fake, 3);

	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	asdma_ops.quiesce(engine->engine);
	expect_held(fake, fb);
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, fb);
	fake_gone(fake);
}

static void asdma_reset_in_flight(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);
	struct fake_batch *fb[FAKE_SLOTS + 1];
	unsigned int i;

	for (i = 0; i <= FAKE_SLOTS; i++) {
		fb[i] = fake_batch(fake, 3);
		KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb[i]));
	}
	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	/* Nobody is to wait for the reset. */
	expect_failed(fake, fb[FAKE_SLOTS], -ECANCELED);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, fb[FAKE_SLOTS]));
	KUNIT_EXPECT_EQ(test, -EAGAIN, asdma_ops.reset(engine->engine));
	for (i = 0; i < FAKE_SLOTS; i++)
		fake_finish(fake, i, -ECANCELED, 0);
	expect_held(fake, fb[0]);
	fake->automatic = true;
	fake->submitted = 0;
	fake_event(fake, AMD_SDMA_COPY_RESET_DONE);
	/* It is not tested while slots are not quiesced. */
	expect_held(fake, fb[0]);
	KUNIT_EXPECT_EQ(test, 0, fake->submitted);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, fb[FAKE_SLOTS]));
	for (i = 0; i < FAKE_SLOTS; i++)
		fake->jobs[i].polls = 1;
	for (i = 0; i < FAKE_SLOTS; i++)
		expect_failed(fake, fb[i], -ECANCELED);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	KUNIT_EXPECT_EQ(test, FAKE_SLOTS, fake->submitted);
	fake_gone(fake);
}

/* The reset was bad, and then the GPU copies wrong: it stays out of service. */
static void asdma_reset_is_bad(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);
	struct fake_batch *fb = fake_batch(fake, 3);

	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	fake_finish(fake, 0, -ETIME, 0);
	fake_event(fake, AMD_SDMA_COPY_RESET_FAILED);
	expect_held(fake, fb);
	KUNIT_EXPECT_TRUE(test, eventually(READ_ONCE(engine->flags) ==
					   (ASDMA_BROKEN | ASDMA_UNTESTED |
					    ASDMA_HALTED)));
	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	fake->automatic = true;
	fake->lies = true;
	fake->jobs[0].polls = 1;
	fake_event(fake, AMD_SDMA_COPY_RESET_DONE);
	expect_failed(fake, fb, -ETIME);
	KUNIT_EXPECT_TRUE(test, eventually(fake->submitted > 1));
	msleep(ASDMA_TEST_NEVER_MS);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(engine->flags) & ASDMA_UNTESTED);
	KUNIT_EXPECT_EQ(test, -EILSEQ, asdma_ops.reset(engine->engine));
	/* Another is good, and nobody need ask for it to come back. */
	fake->lies = false;
	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	fake_event(fake, AMD_SDMA_COPY_RESET_DONE);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	fake_gone(fake);
}

/* Amid a test: it was of the GPU before, so there is another. */
static void asdma_reset_in_test(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);

	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	fake->automatic = true;
	fake->upset = true;
	fake_event(fake, AMD_SDMA_COPY_RESET_DONE);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	KUNIT_EXPECT_FALSE(test, fake->upset);
	KUNIT_EXPECT_EQ(test, 2 * FAKE_SLOTS, fake->submitted);
	fake_gone(fake);
}

/* Slots that failed take longer than all tries to quiesce: that does not count. */
static void asdma_revives_late(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);
	struct fake_batch *fb = fake_batch(fake, 3);

	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb));
	fake_event(fake, AMD_SDMA_COPY_RESET_PRE);
	fake_finish(fake, 0, -ECANCELED, 0);
	fake_event(fake, AMD_SDMA_COPY_RESET_DONE);
	msleep(ASDMA_REVIVALS * jiffies_to_msecs(ASDMA_REVIVE_SOON) + 500);
	fake->automatic = true;
	fake->jobs[0].polls = 1;
	expect_failed(fake, fb, -ECANCELED);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	fake_gone(fake);
}

static void asdma_suspend_in_flight(struct kunit *test)
{
	struct fake *fake = fake_bound(test);
	struct asdma_engine *engine = fake_engine(fake);
	struct fake_batch *a = fake_batch(fake, 3), *b = fake_batch(fake, 3);

	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, a));
	fake_event(fake, AMD_SDMA_COPY_SUSPEND);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, b));
	/* The GPU waits for it. */
	fake_finish(fake, 0, 0, 0);
	expect_copied(fake, a);
	fake->automatic = true;
	fake_event(fake, AMD_SDMA_COPY_RESUME);
	KUNIT_EXPECT_TRUE(test, eventually(!READ_ONCE(engine->flags)));
	KUNIT_ASSERT_EQ(test, 0, fake_send(fake, b));
	expect_copied(fake, b);
	fake_gone(fake);
}

struct fake_finisher {
	struct delayed_work work;
	struct fake *fake;
};

static void fake_finish_all(struct work_struct *work)
{
	struct fake *fake = container_of(to_delayed_work(work),
					 struct fake_finisher, work)->fake;

	fake_finish(fake, 0, 0, 0);
	fake_finish(fake, 1, -ECANCELED, 3);
	/* And that of the third slot never comes. */
	fake->jobs[2].polls = 2;
}

static void asdma_remove_in_flight(struct kunit *test)
{
	struct fake_finisher finisher = { .fake = fake_bound(test) };
	struct fake *fake = finisher.fake;
	struct fake_batch *fb[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fb); i++) {
		fb[i] = fake_batch(fake, 3);
		KUNIT_ASSERT_EQ(test, 0, fake_send(fake, fb[i]));
	}
	INIT_DELAYED_WORK_ONSTACK(&finisher.work, fake_finish_all);
	fake_event(fake, AMD_SDMA_COPY_STOP);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_send(fake, fb[0]));
	schedule_delayed_work(&finisher.work, HZ / 4);
	fake_gone(fake);
	/* All that is over when the device is gone. */
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&finisher.work));
	for (i = 0; i < ARRAY_SIZE(fb); i++)
		KUNIT_EXPECT_EQ(test, 1, fb[i]->quiesced);
	expect_copied(fake, fb[0]);
	expect_failed(fake, fb[1], -ECANCELED);
	expect_failed(fake, fb[2], -ECANCELED);
	cancel_delayed_work_sync(&finisher.work);
	destroy_delayed_work_on_stack(&finisher.work);
}

static struct kunit_case asdma_cases[] = {
	KUNIT_CASE(asdma_is_tested_when_bound),
	KUNIT_CASE(asdma_is_no_engine_if_it_lies),
	KUNIT_CASE_SLOW(asdma_hangs_when_bound),
	KUNIT_CASE(asdma_is_tested_when_awake),
	KUNIT_CASE(asdma_fence_is_good),
	KUNIT_CASE(asdma_fills_windows),
	KUNIT_CASE(asdma_uses_all_engines),
	KUNIT_CASE(asdma_waits_for_slots),
	KUNIT_CASE(asdma_refuses),
	KUNIT_CASE(asdma_gives_slots_a_moment),
	KUNIT_CASE(asdma_is_refused_half),
	KUNIT_CASE(asdma_fence_is_cancelled),
	KUNIT_CASE(asdma_all_slots_are_stuck),
	KUNIT_CASE(asdma_fence_never_comes),
	KUNIT_CASE(asdma_fence_comes_late),
	KUNIT_CASE(asdma_reset_in_flight),
	KUNIT_CASE(asdma_reset_is_bad),
	KUNIT_CASE(asdma_reset_in_test),
	KUNIT_CASE_SLOW(asdma_revives_late),
	KUNIT_CASE(asdma_suspend_in_flight),
	KUNIT_CASE(asdma_remove_in_flight),
	{}
};

static struct kunit_suite asdma_suite = {
	.name = "migrate_engines_amd_sdma",
	.test_cases = asdma_cases,
};

kunit_test_suite(asdma_suite);
