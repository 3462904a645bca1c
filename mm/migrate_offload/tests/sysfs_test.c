// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of mm/migrate_offload/sysfs.c, through the files themselves
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "fake_engine.h"
#include "fixture.h"

/* Nobody has mounted it yet when the tests run. */
static struct vfsmount *sysfs_mnt;

static int sysfs_test_init(struct kunit_suite *suite)
{
	struct file_system_type *type = get_fs_type("sysfs");
	struct vfsmount *mnt;

	if (!type)
		return -ENODEV;
	mnt = kern_mount(type);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	sysfs_mnt = mnt;
	return 0;
}

static void sysfs_test_exit(struct kunit_suite *suite)
{
	if (!sysfs_mnt)
		return;
	flush_delayed_fput();
	kern_unmount(sysfs_mnt);
}

static struct file *sysfs_open(const char *path, int flags)
{
	char full[128];

	snprintf(full, sizeof(full), "kernel/mm/migrate_offload/%s", path);
	return file_open_root_mnt(sysfs_mnt, full, flags, 0);
}

static ssize_t sysfs_read(const char *path, char *buf, size_t size)
{
	struct file *file = sysfs_open(path, O_RDONLY);
	loff_t pos = 0;
	ssize_t len;

	*buf = '\0';
	if (IS_ERR(file))
		return PTR_ERR(file);
	len = kernel_read(file, buf, size - 1, &pos);
	if (len >= 0)
		buf[len] = '\0';
	fput(file);
	return len;
}

static ssize_t sysfs_write(const char *path, const char *text, size_t len)
{
	struct file *file = sysfs_open(path, O_WRONLY);
	loff_t pos = 0;
	ssize_t err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	err = kernel_write(file, text, len, &pos);
	fput(file);
	return err == len ? 0 : err;
}

static void sysfs_expect(struct kunit *test, const char *path,
			 const char *text)
{
	char buf[512];

	KUNIT_EXPECT_GE_MSG(test, sysfs_read(path, buf, sizeof(buf)), 0, "%s",
			    path);
	KUNIT_EXPECT_STREQ_MSG(test, text, buf, "%s", path);
}

/* Files, what is good for them, and what is not. */
struct write_param {
	const char *path;
	const char *text;
	size_t len;		/* 0: of text */
	int err;
	const char *reads;	/* afterwards, if it is good */
};

static const struct write_param write_params[] = {
	{ "enabled", "1", 0, 0, "1\n" },
	{ "enabled", "1\n", 0, 0, "1\n" },
	{ "enabled", "0\n", 0, 0, "0\n" },
	{ "enabled", "2", 0, -EINVAL },
	{ "enabled", "-1", 0, -EINVAL },
	{ "enabled", "on", 0, -EINVAL },
	{ "enabled", "1 1", 0, -EINVAL },
	{ "enabled", "1\0", 2, -EINVAL },
	{ "enabled", "\n", 0, -EINVAL },

	{ "nodes/node0/engines", "cpu", 0, 0 },
	{ "nodes/node0/engines", "fake0,cpu\n", 0, 0 },
	{ "nodes/node0/engines", "auto\n", 0, 0 },
	{ "nodes/node0/engines", "cpu\n\n", 0, -EINVAL },
	{ "nodes/node0/engines", "cpu\0", 4, -EINVAL },
	{ "nodes/node0/engines", "cpu\0cpu", 7, -EINVAL },
	{ "nodes/node0/engines", "\n", 0, -EINVAL },
	{ "nodes/node0/engines", "cpu,", 0, -EINVAL },

	{ "nodes/node0/reasons", "none\n", 0, 0, "none\n" },
	{ "nodes/node0/reasons", "demotion,compaction", 0, 0,
	  "compaction demotion\n" },
	{ "nodes/node0/reasons", "all\n\n", 0, -EINVAL },
	{ "nodes/node0/reasons", "every", 0, -EINVAL },
	{ "nodes/node0/reasons", "\n", 0, -EINVAL },

	{ "nodes/node0/min_bytes", "64K\n", 0, 0, "65536\n" },
	{ "nodes/node0/min_bytes", "0", 0, 0, "0\n" },
	{ "nodes/node0/min_bytes", "auto\n", 0, 0, "auto\n" },
	{ "nodes/node0/min_bytes", "64K\n\n", 0, -EINVAL },
	{ "nodes/node0/min_bytes", "64\0K", 4, -EINVAL },
	{ "nodes/node0/min_bytes", "-1", 0, -EINVAL },
	{ "nodes/node0/min_bytes", "\n", 0, -EINVAL },

	{ "engines/fake0/timeout_ms", "1", 0, 0, "1\n" },
	{ "engines/fake0/timeout_ms", "600000\n", 0, 0, "600000\n" },
	{ "engines/fake0/timeout_ms", "0", 0, -EINVAL },
	{ "engines/fake0/timeout_ms", "600001", 0, -EINVAL },
	{ "engines/fake0/timeout_ms", "-1", 0, -EINVAL },
	{ "engines/fake0/timeout_ms", "1s", 0, -EINVAL },
	{ "engines/fake0/timeout_ms", "4294967297", 0, -EINVAL },
	{ "engines/fake0/timeout_ms", "18446744073709551617", 0, -EINVAL },
	{ "engines/fake0/timeout_ms", "\n", 0, -EINVAL },

	{ "engines/fake0/reset", "1", 0, -EINVAL },
	{ "engines/fake0/reset", "0", 0, -EINVAL },
};

static void write_desc(const struct write_param *param, char *desc)
{
	char quoted[32];

	fixture_text_desc(&(struct fixture_text){ .text = param->text }, quoted);
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %.31s %zu", param->path,
		 quoted, param->len);
}

KUNIT_ARRAY_PARAM(write, write_params, write_desc);

/* Bad input changes nothing. */
static void sysfs_checks_input(struct kunit *test)
{
	const struct write_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	char before[256], after[256];
	bool readable;

	fixture_node(test);
	fake_register(test, &info);
	readable = sysfs_read(param->path, before, sizeof(before)) >= 0;
	KUNIT_EXPECT_EQ(test, param->err,
			sysfs_write(param->path, param->text,
				    param->len ?: strlen(param->text)));
	if (!readable)
		return;
	sysfs_read(param->path, after, sizeof(after));
	if (param->err)
		KUNIT_EXPECT_STREQ(test, before, after);
	else if (param->reads)
		KUNIT_EXPECT_STREQ(test, param->reads, after);
}

static void sysfs_enables(struct kunit *test)
{
	fixture_node(test);
	KUNIT_ASSERT_EQ(test, 0, sysfs_write("enabled", "0\n", 2));
	KUNIT_EXPECT_FALSE(test, mo_enabled());
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&migrate_offload_key));
	KUNIT_ASSERT_EQ(test, 0, sysfs_write("enabled", "1\n", 2));
	KUNIT_EXPECT_TRUE(test, mo_enabled());
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&migrate_offload_key));
	/* Once more is not once too often. */
	KUNIT_ASSERT_EQ(test, 0, sysfs_write("enabled", "1\n", 2));
	KUNIT_ASSERT_EQ(test, 0, sysfs_write("enabled", "0\n", 2));
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&migrate_offload_key));
	KUNIT_ASSERT_EQ(test, 0, sysfs_write("enabled", "0\n", 2));
}

/* An engine's directory is there as long as the engine is. */
static void sysfs_describes_an_engine(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;
	char buf[64];

	info.numa_node = 0;
	info.max_addr = SZ_1G - 1;
	info.max_extent_bytes = SZ_1M;
	info.align = SZ_8K;
	info.max_extents = 17;
	info.max_batches = 3;
	info.nr_channels = 5;
	info.min_bytes = SZ_64K;
	info.timeout_ms = 1234;

	KUNIT_EXPECT_EQ(test, -ENOENT, sysfs_read("engines/fake0/state", buf,
						  sizeof(buf)));
	fake = fake_register(test, &info);
	sysfs_expect(test, "engines/fake0/driver", "fake\n");
	sysfs_expect(test, "engines/fake0/state", "online\n");
	sysfs_expect(test, "engines/fake0/numa_node", "0\n");
	sysfs_expect(test, "engines/fake0/timeout_ms", "1234\n");
	sysfs_expect(test, "engines/fake0/limits/max_addr",
		     "0x000000003fffffff\n");
	sysfs_expect(test, "engines/fake0/limits/max_extent_bytes", "1048576\n");
	sysfs_expect(test, "engines/fake0/limits/align", "8192\n");
	sysfs_expect(test, "engines/fake0/limits/max_extents", "17\n");
	sysfs_expect(test, "engines/fake0/limits/max_batches", "3\n");
	sysfs_expect(test, "engines/fake0/limits/channels", "5\n");
	sysfs_expect(test, "engines/fake0/limits/min_bytes", "65536\n");
	sysfs_expect(test, "engines/fake0/stats/inflight", "0\n");
	sysfs_expect(test, "engines/fake0/channels/speed0", "0\n");
	sysfs_expect(test, "engines/fake0/channels/queued4", "0\n");
	KUNIT_EXPECT_EQ(test, -ENOENT, sysfs_read("engines/fake0/channels/speed5",
						  buf, sizeof(buf)));
	/* 100 us for a MiB; and after but a few samples nothing is said. */
	fake->mo->channels[3].cost = 100000;
	fake->mo->channels[3].samples = 3;
	sysfs_expect(test, "engines/fake0/channels/speed3", "0\n");
	fake->mo->channels[3].samples = 4;
	sysfs_expect(test, "engines/fake0/channels/speed3", "10000\n");
	atomic_long_set(&fake->mo->channels[1].queued, SZ_2M);
	sysfs_expect(test, "engines/fake0/channels/queued1", "2097152\n");
	atomic_long_set(&fake->mo->channels[1].queued, 0);

	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, -ENOENT, sysfs_read("engines/fake0/state", buf,
						  sizeof(buf)));
	/* The name, and so the directory, can be used again. */
	info.nr_channels = 1;
	fake_register(test, &info);
	sysfs_expect(test, "engines/fake0/state", "online\n");
	sysfs_expect(test, "engines/fake0/channels/speed0", "0\n");
	KUNIT_EXPECT_EQ(test, -ENOENT, sysfs_read("engines/cpu/channels/speed0",
						  buf, sizeof(buf)));
}

static void sysfs_shows_and_resets_failure(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;

	fake = fake_register(test, &info);
	migrate_offload_engine_failed(fake->engine);
	sysfs_expect(test, "engines/fake0/state", "failed\n");
	KUNIT_EXPECT_EQ(test, -EINVAL, sysfs_write("engines/fake0/reset", "2", 1));
	fake->reset_error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, sysfs_write("engines/fake0/reset", "1\n", 2));
	sysfs_expect(test, "engines/fake0/state", "failed\n");
	fake->reset_error = 0;
	KUNIT_EXPECT_EQ(test, 0, sysfs_write("engines/fake0/reset", "1\n", 2));
	sysfs_expect(test, "engines/fake0/state", "online\n");
}

static void sysfs_close(void *file)
{
	fput(file);
}

/* A file that is open does not keep the engine, and outlives it. */
static void sysfs_file_outlives_the_engine(struct kunit *test)
{
	struct migrate_offload_engine_info info = fake_info();
	struct fake_engine *fake;
	struct file *file;
	loff_t pos = 0;
	char buf[16];

	fake = fake_register(test, &info);
	file = sysfs_open("engines/fake0/state", O_RDONLY);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, sysfs_close,
							   file));
	KUNIT_EXPECT_GT(test, kernel_read(file, buf, sizeof(buf), &pos), 0);
	fake_unregister(test, fake);
	pos = 0;
	KUNIT_EXPECT_EQ(test, -ENODEV, kernel_read(file, buf, sizeof(buf), &pos));
}

/* All files of statistics, with what they count where a test can know it. */
static void sysfs_counts(struct kunit *test)
{
	static const char * const engine_names[] = {
		"refused_no_engine", "refused_too_small", "refused_tags",
		"refused_limits", "refused_busy", "refused_bounce",
		"refused_submit", "errors", "timeouts",
		"quarantined_pages", "inflight",
	};
	struct migrate_offload_engine_info info = fake_info();
	struct mo_node_stats before, stats;
	struct fixture_pairs *pairs;
	char path[64], text[32];
	struct fake_engine *fake;
	unsigned int i;

	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 3, 1);
	fixture_node_stats(&before);
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	fixture_pairs_end(pairs);

	sysfs_expect(test, "engines/fake0/stats/batches", "1\n");
	sysfs_expect(test, "engines/fake0/stats/folios", "3\n");
	sysfs_expect(test, "engines/fake0/stats/bytes", "24576\n");
	/* 24 KiB are more than 16, and not more than 64. */
	sysfs_expect(test, "engines/fake0/cost/batches_16K", "0\n");
	sysfs_expect(test, "engines/fake0/cost/batches_64K", "1\n");
	sysfs_expect(test, "engines/fake0/cost/batches_256K", "0\n");
	for (i = 0; i < ARRAY_SIZE(engine_names); i++) {
		snprintf(path, sizeof(path), "engines/fake0/stats/%s",
			 engine_names[i]);
		sysfs_expect(test, path, "0\n");
	}

	fixture_node_stats_since(test, &before, &stats);
	KUNIT_EXPECT_EQ(test, 3, stats.offered);
	KUNIT_EXPECT_EQ(test, 3, stats.copied_engine);
	fixture_node_stats(&stats);
	snprintf(text, sizeof(text), "%llu\n", stats.copied_engine);
	sysfs_expect(test, "nodes/node0/stats/copied_engine", text);
	for (i = 0; i < MO_NR_REFUSALS; i++) {
		KUNIT_ASSERT_NOT_NULL(test, mo_refusal_names[i]);
		snprintf(path, sizeof(path), "nodes/node0/stats/refused_%s",
			 mo_refusal_names[i]);
		snprintf(text, sizeof(text), "%llu\n", stats.refused[i]);
		sysfs_expect(test, path, text);
	}
}

struct cost_param {
	unsigned int pages;
	unsigned int class;
};

static const struct cost_param cost_params[] = {
	{ 1, 0 }, { 2, 1 }, { 4, 1 }, { 8, 2 }, { 16, 2 }, { 32, 3 },
	{ 64, 3 }, { 128, 4 }, { 256, 4 }, { 512, 5 }, { 1024, 5 },
};

static void cost_desc(const struct cost_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages", param->pages);
}

KUNIT_ARRAY_PARAM(cost, cost_params, cost_desc);

/* Each batch is in the class whose name says how much is the most. */
static void sysfs_cost_is_by_size(struct kunit *test)
{
	static const char * const names[MO_NR_COST_CLASSES] = {
		"4K", "16K", "64K", "256K", "1M", "4M", "more",
	};
	const struct cost_param *param = test->param_value;
	struct migrate_offload_engine_info info = fake_info();
	struct fixture_pairs *pairs;
	struct fake_engine *fake;
	unsigned int i;
	char path[64];

	fake = fake_register(test, &info);
	fixture_enable(test, fake->mo);
	pairs = fixture_pairs(test);
	fixture_pairs_fill(test, pairs, 1, ilog2(param->pages));
	KUNIT_ASSERT_TRUE(test, fixture_pairs_begin(pairs, MR_SYSCALL));
	fixture_pairs_end(pairs);
	for (i = 0; i < MO_NR_COST_CLASSES; i++) {
		snprintf(path, sizeof(path), "engines/fake0/cost/batches_%s",
			 names[i]);
		sysfs_expect(test, path, i == param->class ? "1\n" : "0\n");
	}
}

static struct kunit_case sysfs_test_cases[] = {
	KUNIT_CASE_PARAM(sysfs_checks_input, write_gen_params),
	KUNIT_CASE(sysfs_enables),
	KUNIT_CASE(sysfs_describes_an_engine),
	KUNIT_CASE(sysfs_shows_and_resets_failure),
	KUNIT_CASE(sysfs_file_outlives_the_engine),
	KUNIT_CASE(sysfs_counts),
	KUNIT_CASE_PARAM(sysfs_cost_is_by_size, cost_gen_params),
	{}
};

static struct kunit_suite sysfs_test_suite = {
	.name = "migrate_offload_sysfs",
	.suite_init = sysfs_test_init,
	.suite_exit = sysfs_test_exit,
	.test_cases = sysfs_test_cases,
};

kunit_test_suite(sysfs_test_suite);
