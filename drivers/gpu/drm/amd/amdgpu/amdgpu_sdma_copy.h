/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Copies of system memory for other drivers, see amdgpu_sdma_copy.c
 */
#ifndef __AMDGPU_SDMA_COPY_H__
#define __AMDGPU_SDMA_COPY_H__

#include <linux/sizes.h>
#include <linux/types.h>

#include "amdgpu_ttm.h"

struct amdgpu_device;

/* Jobs in flight, at most, and pages of each: GART has room for these. */
#define AMDGPU_SDMA_COPY_SLOTS	4
#define AMDGPU_SDMA_COPY_PAGES	(SZ_4M >> PAGE_SHIFT)

/* The pages of GART that are ours, of PAGE_SIZE. TTM's come first. */
#define AMDGPU_SDMA_COPY_GART_START \
	(AMDGPU_GTT_MAX_TRANSFER_SIZE * AMDGPU_GTT_NUM_TRANSFER_WINDOWS)
#define AMDGPU_SDMA_COPY_GART_PAGES \
	(AMDGPU_SDMA_COPY_SLOTS * 2 * AMDGPU_SDMA_COPY_PAGES)

/* What a GPU has got to: its hive is up; its probe cannot fail any more */
enum amdgpu_sdma_copy_ready {
	AMDGPU_SDMA_COPY_UP	= 1,
	AMDGPU_SDMA_COPY_PROBED	= 2,
};

#ifdef CONFIG_DRM_AMDGPU_SDMA_COPY
u64 amdgpu_sdma_copy_gart_pages(struct amdgpu_device *adev);
void amdgpu_sdma_copy_ready(struct amdgpu_device *adev,
			    enum amdgpu_sdma_copy_ready what);
void amdgpu_sdma_copy_stop(struct amdgpu_device *adev);
void amdgpu_sdma_copy_fini(struct amdgpu_device *adev);
void amdgpu_sdma_copy_free(struct amdgpu_device *adev);
void amdgpu_sdma_copy_suspend(struct amdgpu_device *adev);
void amdgpu_sdma_copy_resume(struct amdgpu_device *adev);
void amdgpu_sdma_copy_reset_pre(struct amdgpu_device *adev);
void amdgpu_sdma_copy_reset_done(struct amdgpu_device *adev, bool good);
#else
static inline u64 amdgpu_sdma_copy_gart_pages(struct amdgpu_device *adev)
{
	return 0;
}

static inline void amdgpu_sdma_copy_ready(struct amdgpu_device *adev,
					  enum amdgpu_sdma_copy_ready what) { }
static inline void amdgpu_sdma_copy_stop(struct amdgpu_device *adev) { }
static inline void amdgpu_sdma_copy_fini(struct amdgpu_device *adev) { }
static inline void amdgpu_sdma_copy_free(struct amdgpu_device *adev) { }
static inline void amdgpu_sdma_copy_suspend(struct amdgpu_device *adev) { }
static inline void amdgpu_sdma_copy_resume(struct amdgpu_device *adev) { }
static inline void amdgpu_sdma_copy_reset_pre(struct amdgpu_device *adev) { }
static inline void amdgpu_sdma_copy_reset_done(struct amdgpu_device *adev,
					       bool good) { }
#endif

/* The tests look at what amdgpu's own code emits. */
#ifdef CONFIG_DRM_AMDGPU_SDMA_COPY_KUNIT_TEST
#define AMDGPU_SDMA_COPY_TESTED
extern const struct amdgpu_buffer_funcs sdma_v4_0_buffer_funcs;
extern const struct amdgpu_buffer_funcs sdma_v4_4_2_buffer_funcs;
extern const struct amdgpu_buffer_funcs sdma_v5_0_buffer_funcs;
extern const struct amdgpu_buffer_funcs sdma_v5_2_buffer_funcs;
extern const struct amdgpu_buffer_funcs sdma_v6_0_buffer_funcs;
extern const struct amdgpu_buffer_funcs sdma_v7_0_buffer_funcs;
#else
#define AMDGPU_SDMA_COPY_TESTED	static
#endif

#endif
