/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An engine that does what a test tells it to
 *
 * Unless told otherwise it copies a batch and reports it while it is being
 * submitted, extents in random order.
 */
#ifndef _MM_MIGRATE_OFFLOAD_TESTS_FAKE_ENGINE_H
#define _MM_MIGRATE_OFFLOAD_TESTS_FAKE_ENGINE_H

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/wait.h>

#include "../internal.h"

struct fake_engine {
	struct mo_engine *mo;
	struct migrate_offload_engine *engine;	/* &mo->pub */

	/* The script. */
	int submit_error;	/* refuse batches */
	bool hold;		/* keep batches, until told what becomes of them */
	bool async;		/* report from a workqueue */
	bool poll_ends;		/* what is held, when it is polled for */
	bool poll_async;	/* the same, from a workqueue */
	bool deaf;		/* let go of nothing when told to quiesce */
	bool stubborn;		/* report, but never let go */
	bool fail;		/* no extent gets copied */
	int fail_extent;	/* only this one does not, or -1 */
	int fail_error;		/* what is reported then */
	int reset_error;
	/* At the end of submit, when the batch has not been reported yet. */
	void (*on_submit)(struct fake_engine *fake,
			  struct migrate_offload_batch *batch);
	void *data;		/* of on_submit */

	/* What has happened. */
	unsigned int submits;
	unsigned int polls;
	unsigned int quiesces;
	unsigned int resets;
	unsigned int nr_held;

	spinlock_t lock;	/* of all the below, and of the counters */
	struct list_head held;
	struct rnd_state rnd;
	wait_queue_head_t wait;	/* for the counters */
	struct work_struct finish_work;
	struct work_struct unregister_work;
	bool unregistering;
	struct completion unregistered;
};

/* What fake engines look like, for tests to change. */
struct migrate_offload_engine_info fake_info(void);

/* Goes away with the test. */
struct fake_engine *fake_register(struct kunit *test,
				  const struct migrate_offload_engine_info *info);
/* From a workqueue: see unregistered. */
void fake_unregister_async(struct fake_engine *fake);
void fake_unregister(struct kunit *test, struct fake_engine *fake);
/* As the administrator does it. */
int fake_reset(struct fake_engine *fake);

/* Until the test is cut off, what it waits for has happened. */
#define fake_wait(test, fake, condition)				\
	KUNIT_ASSERT_TRUE_MSG(test,					\
			      wait_event_timeout((fake)->wait, condition,	\
						 20 * HZ), #condition)

/* The batch that was submitted first of those held, or NULL. */
struct migrate_offload_batch *fake_held(struct fake_engine *fake);
/* Copy one extent of it, and report. */
void fake_extent(struct migrate_offload_batch *batch, unsigned int nr,
		 int error);
/* Report nothing, let go. */
void fake_let_go(struct fake_engine *fake, struct migrate_offload_batch *batch);
void fake_let_go_all(struct fake_engine *fake);
/* Copy it and report, as the script says, and let go. */
void fake_finish(struct fake_engine *fake, struct migrate_offload_batch *batch);
void fake_finish_all(struct fake_engine *fake);

#endif /* _MM_MIGRATE_OFFLOAD_TESTS_FAKE_ENGINE_H */
