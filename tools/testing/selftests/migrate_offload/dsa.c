// SPDX-License-Identifier: GPL-2.0
/*
 * Engines on Intel DSA, a model of it that counts what it does: what becomes of
 * folios as descriptors and lists of them, what is polled for, what goes to the
 * cache, which queues are used, and that a device that hangs is cut off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mo_dsa.h"

#define TRACING		"/sys/kernel/tracing"
#define PARAMETERS	"/sys/module/migrate_engine_dsa/parameters"
#define MARGIN_MS	20000

/* What the device did since. */
struct done {
	__u32 submitted, batches, copies, interrupts, cached, refused;
};

static struct done done_now(unsigned int dsa)
{
	return (struct done) {
		.submitted = mo_dsa_get(dsa, MO_DSA_SUBMITTED),
		.batches = mo_dsa_get(dsa, MO_DSA_BATCHES),
		.copies = mo_dsa_get(dsa, MO_DSA_COPIES),
		.interrupts = mo_dsa_get(dsa, MO_DSA_INTERRUPTS),
		.cached = mo_dsa_get(dsa, MO_DSA_CACHED),
		.refused = mo_dsa_get(dsa, MO_DSA_REFUSED),
	};
}

static struct done done_since(unsigned int dsa, const struct done *then)
{
	struct done now = done_now(dsa);

	now.submitted -= then->submitted;
	now.batches -= then->batches;
	now.copies -= then->copies;
	now.interrupts -= then->interrupts;
	now.cached -= then->cached;
	now.refused -= then->refused;
	return now;
}

static bool restart(const char *options)
{
	bool good = true;
	int err;

	mo_dsa_calm(0);
	err = mo_dsa_stop(0);
	MO_EXPECT(!err, "%d", err);
	err = mo_dsa_start(0, options);
	MO_EXPECT(!err, "%d", err);
	MO_EXPECT(mo_engine_comes("dsa0", "online", MARGIN_MS), "it is not");
	return good;
}

/* Move @nr folios by dsa0; returns what that took. */
static bool moves(enum mo_kind kind, unsigned int nr, int from, int to,
		  struct done *done)
{
	struct done then = done_now(0);
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	bool good = true;
	size_t bad;
	int ret;

	ret = mo_alloc(&mem, kind, nr, from);
	if (ret)
		ksft_exit_fail_msg("no %s memory: %s\n", mo_kind_names[kind],
				   strerror(-ret));
	ret = mo_move(&mem, to);
	MO_EXPECT(!ret, "%d", ret);
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine == nr, "%lld, %lld refused", n.engine, n.refused);
	good &= mo_adds_up();
	*done = done_since(0, &then);
	MO_EXPECT(!done->refused, "%u", done->refused);
	mo_free(&mem);
	return good;
}

/* All kinds, there and back, by both devices. */
static bool copies_all(void)
{
	static const struct {
		enum mo_kind kind;
		unsigned int nr;
	} rows[] = {
		{ MO_ANON, 8 }, { MO_ANON, 2048 }, { MO_COW, 64 },
		{ MO_SHMEM, 256 }, { MO_MTHP, 32 }, { MO_THP, 6 },
		{ MO_HUGETLB, 2 },
	};
	long long one, two;
	unsigned int i, j;
	struct done done;
	bool good = true;

	mo_policy("dsa0,dsa1");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (j = 0; j < 4; j++)
			good &= moves(rows[i].kind, rows[i].nr, mo_nodes[j & 1],
				      mo_nodes[!(j & 1)], &done);
	one = mo_engine_stat("dsa0", "folios");
	mo_policy("dsa1");
	good &= moves(MO_THP, 2, mo_nodes[0], mo_nodes[1], &done);
	two = mo_engine_stat("dsa1", "folios");
	MO_EXPECT(one > 0 && two > 0, "%lld, %lld", one, two);
	mo_policy("dsa0");
	return good;
}

#define EVENT	TRACING "/events/migrate_dsa/migrate_dsa_submit/enable"

static void trace_begin(void)
{
	FILE *file = fopen(TRACING "/trace", "w");	/* which empties it */

	if (file)
		fclose(file);
	mo_write("1", EVENT);
	mo_write("1", TRACING "/tracing_on");
}

/* How many lines have @text in them. */
static unsigned int trace_end(const char *text)
{
	unsigned int nr = 0;
	char line[512];
	FILE *file;

	mo_write("0", EVENT);
	file = fopen(TRACING "/trace", "r");
	while (file && fgets(line, sizeof(line), file))
		nr += !!strstr(line, text);
	if (file)
		fclose(file);
	return nr;
}

static const struct shape {
	const char *what;
	const char *options;
	enum mo_kind kind;
	unsigned int nr;
	unsigned int submitted, batches, copies;
	const char *trace;
} shapes[] = {
	{ "2 MiB is one descriptor", NULL, MO_THP, 1, 1, 0, 1,
	  "copies=1 bytes=2097152 interrupt" },
	{ "2 MiB is one batch, where copies are short", "-x 65536", MO_THP, 1,
	  1, 1, 32, "copies=32 bytes=2097152 interrupt" },
	{ "2 MiB is four batches, where these are short, too", "-x 65536 -b 8",
	  MO_THP, 1, 4, 4, 32, "copies=8 bytes=524288 interrupt" },
	{ "2 MiB is 32 descriptors, where there are no batches",
	  "-x 65536 -b 1", MO_THP, 1, 32, 0, 32, "copies=1 bytes=65536 interrupt" },
	/* They come in parts, and the first one has 32. */
	{ "64 base pages are two descriptors, behind an IOMMU", NULL, MO_ANON,
	  64, 2, 0, 2, "copies=1 bytes=131072 interrupt" },
	{ "four base pages are, too, and are polled for", NULL, MO_ANON, 4, 1,
	  0, 1, "copies=1 bytes=16384 polled" },
};

static bool has_shape(const struct shape *shape)
{
	bool good = restart(shape->options);
	unsigned int lines;
	struct done done;

	trace_begin();
	good &= moves(shape->kind, shape->nr, mo_nodes[0], mo_nodes[1], &done);
	lines = trace_end(shape->trace);
	MO_EXPECT(done.submitted == shape->submitted, "%u", done.submitted);
	MO_EXPECT(done.batches == shape->batches, "%u", done.batches);
	MO_EXPECT(done.copies == shape->copies, "%u", done.copies);
	MO_EXPECT(lines == shape->submitted, "%u lines with %s", lines,
		  shape->trace);
	return good;
}

static void parameter(const char *name, const char *value)
{
	int err = mo_write(value, PARAMETERS "/%s", name);

	if (err)
		ksft_exit_fail_msg("%s: %s\n", name, strerror(-err));
}

static bool polls_for_small(void)
{
	bool good = restart(NULL);
	struct done done;

	good &= moves(MO_ANON, 1, mo_nodes[0], mo_nodes[1], &done);
	MO_EXPECT(!done.interrupts, "%u", done.interrupts);
	good &= moves(MO_ANON, 17, mo_nodes[0], mo_nodes[1], &done);
	MO_EXPECT(done.interrupts == 1, "%u", done.interrupts);
	parameter("poll_bytes", "4194304");
	good &= moves(MO_THP, 1, mo_nodes[0], mo_nodes[1], &done);
	MO_EXPECT(!done.interrupts, "%u", done.interrupts);
	/* Whoever has had enough of it is served all the same. */
	mo_dsa_set(0, MO_DSA_LATENCY_US, 20000);
	good &= moves(MO_THP, 1, mo_nodes[0], mo_nodes[1], &done);
	MO_EXPECT(!done.interrupts, "%u", done.interrupts);
	mo_dsa_set(0, MO_DSA_LATENCY_US, 0);
	parameter("poll_bytes", "0");
	good &= moves(MO_ANON, 1, mo_nodes[0], mo_nodes[1], &done);
	MO_EXPECT(done.interrupts == 1, "%u", done.interrupts);
	parameter("poll_bytes", "65536");
	return good;
}

static bool uses_the_cache(void)
{
	static const struct {
		const char *setting;
		int from, to;
		bool cached;
	} rows[] = {
		{ "promotion", 2, 0, true },
		{ "promotion", 0, 2, false },
		{ "promotion", 0, 1, false },
		{ "never", 2, 0, false },
		{ "always", 0, 2, true },
	};
	bool good = restart(NULL);
	struct done done;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		parameter("cache_control", rows[i].setting);
		good &= moves(MO_ANON, 64, mo_nodes[rows[i].from],
			      mo_nodes[rows[i].to], &done);
		MO_EXPECT(!!done.cached == rows[i].cached, "%u, %s from %d to %d",
			  done.cached, rows[i].setting, rows[i].from, rows[i].to);
	}
	parameter("cache_control", "promotion");
	MO_EXPECT(mo_write("demotion", PARAMETERS "/cache_control") == -22,
		  "it was taken");
	return good;
}

static bool uses_all_queues(void)
{
	bool good = restart("-q 4");
	unsigned int queue, nr;
	struct done done;
	char text[32];

	trace_begin();
	good &= moves(MO_THP, 4, mo_nodes[0], mo_nodes[1], &done);
	for (queue = 0; queue < 4; queue++) {
		sprintf(text, "queue=%u ", queue);
		nr = trace_end(text);
		MO_EXPECT(nr > 0, "none with %s", text);
	}
	MO_EXPECT(mo_number(MO_SYSFS "/engines/dsa0/limits/channels") == 4, "%lld",
		  mo_number(MO_SYSFS "/engines/dsa0/limits/channels"));
	return good;
}

/* Queues come and go, one by one, and the engine is what they are. */
static bool queues_come_and_go(void)
{
	bool good = restart("-q 2");
	struct done done;
	int err;

	err = mo_write("wq0.0", MO_DSA_BUS "/drivers/migrate_offload/unbind");
	MO_EXPECT(!err, "%d", err);
	MO_EXPECT(mo_number(MO_SYSFS "/engines/dsa0/limits/channels") == 1, "%lld",
		  mo_number(MO_SYSFS "/engines/dsa0/limits/channels"));
	good &= moves(MO_THP, 1, mo_nodes[0], mo_nodes[1], &done);
	err = mo_write("wq0.1", MO_DSA_BUS "/drivers/migrate_offload/unbind");
	MO_EXPECT(!err, "%d", err);
	MO_EXPECT(!mo_exists(MO_SYSFS "/engines/dsa0"), "it is there still");
	good &= restart(NULL);
	good &= moves(MO_THP, 1, mo_nodes[0], mo_nodes[1], &done);
	return good;
}

/* Limits are the queue's, not the device's. */
static bool keeps_to_limits(void)
{
	static const char * const bad[] = {
		"-q 0", "-q 9", "-s 1", "-s 129", "-q 8 -s 17", "-b x", "-z",
	};
	bool good = restart("-x 131072");
	unsigned int i;

	MO_EXPECT(mo_number(MO_SYSFS "/engines/dsa0/limits/max_extent_bytes") ==
		  131072, "%lld",
		  mo_number(MO_SYSFS "/engines/dsa0/limits/max_extent_bytes"));
	MO_EXPECT(mo_dsa_start(0, NULL), "it was started twice");
	mo_dsa_stop(0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		MO_EXPECT(mo_dsa_start(0, bad[i]), "%s was taken", bad[i]);
		MO_EXPECT(!mo_exists(MO_SYSFS "/engines/dsa0"), "%s", bad[i]);
	}
	return restart(NULL) && good;
}

/* A shared queue, or one with a single entry, is no use: the driver says no. */
static bool refuses_queues(void)
{
	static const char wq[] = MO_DSA_BUS "/devices/wq0.0";
	static const struct {
		const char *file, *value;
	} config[] = {
		{ "group_id", "0" }, { "mode", "dedicated" }, { "size", "1" },
		{ "type", "kernel" }, { "name", "test" },
		{ "driver_name", "migrate_offload" },
	};
	bool good = true;
	unsigned int i;
	int err;

	mo_dsa_stop(0);
	for (i = 0; i < ARRAY_SIZE(config); i++) {
		err = mo_write(config[i].value, "%s/%s", wq, config[i].file);
		MO_EXPECT(!err, "%s: %d", config[i].file, err);
	}
	mo_write("0", MO_DSA_BUS "/devices/engine0.0/group_id");
	err = mo_write("dsa0", MO_DSA_BUS "/drivers/idxd/bind");
	MO_EXPECT(!err, "%d", err);
	err = mo_write("wq0.0", MO_DSA_BUS "/drivers/migrate_offload/bind");
	MO_EXPECT(err == -22, "%d", err);
	MO_EXPECT(!mo_exists(MO_SYSFS "/engines/dsa0"), "it has an engine");
	mo_write("dsa0", MO_DSA_BUS "/drivers/idxd/unbind");
	return restart(NULL) && good;
}

/* Many batches: each is still one range, and one descriptor. */
static bool does_not_decay(void)
{
	struct done then, done;
	bool good = restart(NULL);
	struct mo_mem mem;
	unsigned int i;
	size_t bad;
	int ret;

	/* As many as come together. */
	ret = mo_alloc(&mem, MO_ANON, 32, mo_nodes[0]);
	if (ret)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-ret));
	then = done_now(0);
	for (i = 0; i < 500; i++)
		mo_move(&mem, mo_nodes[!(i & 1)]);
	done = done_since(0, &then);
	MO_EXPECT(done.submitted == 500, "%u", done.submitted);
	MO_EXPECT(done.copies == 500, "%u", done.copies);
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	mo_free(&mem);
	return good;
}

/*
 * It hangs, with a folio that it would write to: nobody waits for it, nothing is
 * held back, and when it writes at last the IOMMU keeps it from that.
 */
static bool is_cut_off(enum mo_kind kind, unsigned int nr)
{
	bool good = restart(NULL);
	struct done then;
	struct mo_mem mem;
	__u64 start;
	size_t bad;
	int ret;

	mo_write("500", MO_SYSFS "/engines/dsa0/timeout_ms");
	ret = mo_alloc(&mem, kind, nr, mo_nodes[0]);
	if (ret)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-ret));
	then = done_now(0);
	mo_dsa_inject(0, MO_DSA_HANG, 0, 1);
	start = mo_now_ms();
	ret = mo_move(&mem, mo_nodes[1]);
	MO_EXPECT(mo_now_ms() - start < MARGIN_MS, "%llu ms", mo_now_ms() - start);
	MO_EXPECT(mo_engine_is("dsa0", "failed"), "it is not");
	MO_EXPECT(mo_dsa_get(0, MO_DSA_HELD) == 1, "%u", mo_dsa_get(0, MO_DSA_HELD));
	MO_EXPECT(mo_stat_comes("dsa0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", mo_engine_stat("dsa0", "quarantined_pages"));
	/* By now it can have moved, and does, if it has not. */
	if (ret)
		ret = mo_move(&mem, mo_nodes[1]);
	MO_EXPECT(!ret, "%d", ret);
	mo_fill(&mem);
	MO_EXPECT(mo_write("1", MO_SYSFS "/engines/dsa0/reset") == -16,
		  "it was reset, and hangs");

	mo_dsa_set(0, MO_DSA_ACTION, MO_DSA_RELEASE);
	start = mo_now_ms();
	while (mo_now_ms() - start < MARGIN_MS && !done_since(0, &then).refused)
		mo_sleep_ms(10);
	MO_EXPECT(done_since(0, &then).refused > 0, "it was let write");
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	MO_EXPECT(!mo_write("1", MO_SYSFS "/engines/dsa0/reset"), "it was not reset");
	MO_EXPECT(mo_engine_is("dsa0", "online"), "it is not");
	mo_free(&mem);
	return good;
}

static bool is_cut_off_from_large(void)
{
	return is_cut_off(MO_THP, 1);
}

/* Small ones are polled for: also when nobody does any more. */
static bool is_cut_off_from_small(void)
{
	return is_cut_off(MO_ANON, 4);
}

static const struct {
	const char *what;
	bool (*test)(void);
} tests[] = {
	{ "copies all kinds of folios, by two devices", copies_all },
	{ "polls for small batches, interrupts for large ones", polls_for_small },
	{ "places in the cache what is promoted", uses_the_cache },
	{ "uses all queues", uses_all_queues },
	{ "is what its queues are", queues_come_and_go },
	{ "keeps to the queue's limits", keeps_to_limits },
	{ "refuses queues that are too short", refuses_queues },
	{ "does as well after 500 batches", does_not_decay },
	{ "is cut off from a large folio when it hangs", is_cut_off_from_large },
	{ "is cut off from base pages when it hangs", is_cut_off_from_small },
};

int main(void)
{
	unsigned int i;
	bool good;

	ksft_print_header();
	mo_find_nodes();
	if (mo_nr_nodes < 3 || !mo_dsa_there(0) || !mo_dsa_there(1) ||
	    !mo_exists(MO_SYSFS "/engines/dsa1"))
		ksft_exit_skip("needs three nodes, and engines on two models of Intel DSA\n");
	mo_enable(true);

	ksft_set_plan(ARRAY_SIZE(tests) + ARRAY_SIZE(shapes));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ksft_test_result(tests[i].test(), "%s\n", tests[i].what);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		good = has_shape(&shapes[i]);
		ksft_test_result(good, "%s\n", shapes[i].what);
	}
	restart(NULL);
	mo_enable(false);
	ksft_finished();
}
