// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/mm/migrate_offload: good values are taken and read back as
 * documented, bad ones get EINVAL and change nothing, and all of that while
 * pages migrate and nodes come and go.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "mo_util.h"

#define NODE0	MO_SYSFS "/nodes/node0"
#define SIM0	MO_SYSFS "/engines/sim0"

#define ALL_REASONS "compaction memory_failure memory_hotplug syscall_or_cpuset mempolicy_mbind numa_misplaced contig_range longterm_pin demotion damon"

struct good {
	const char *path;
	const char *value;
	const char *reads;	/* NULL: as written */
};

static const struct good goods[] = {
	{ MO_SYSFS "/enabled", "1", NULL },
	{ MO_SYSFS "/enabled", "0", NULL },
	{ MO_SYSFS "/enabled", "1\n", "1" },
	{ MO_SYSFS "/enabled", "0\n", "0" },

	{ NODE0 "/engines", "auto", "[auto] cpu cpu-mt sim0 sim1" },
	{ NODE0 "/engines", "cpu", "auto [cpu] cpu-mt sim0 sim1" },
	{ NODE0 "/engines", "sim0", "auto cpu cpu-mt [sim0] sim1" },
	{ NODE0 "/engines", "sim0,sim1", "auto cpu cpu-mt [sim0,sim1]" },
	{ NODE0 "/engines", "sim1,sim0\n", "auto cpu cpu-mt [sim1,sim0]" },
	{ NODE0 "/engines", "sim1,cpu", "auto [sim1,cpu] cpu-mt sim0" },
	/* Not there, or not yet. */
	{ NODE0 "/engines", "nowhere", "auto cpu cpu-mt sim0 sim1 [nowhere]" },
	{ NODE0 "/engines", "sim0,nowhere", "auto cpu cpu-mt [sim0,nowhere] sim1" },
	{ NODE0 "/engines", "a.b-c_D9", "auto cpu cpu-mt sim0 sim1 [a.b-c_D9]" },
	{ NODE0 "/engines", "a234567890123456789012345678901",
	  "auto cpu cpu-mt sim0 sim1 [a234567890123456789012345678901]" },
	{ NODE0 "/engines", "a,b,c,d,e,f,g,h",
	  "auto cpu cpu-mt sim0 sim1 [a,b,c,d,e,f,g,h]" },

	{ NODE0 "/reasons", "all", ALL_REASONS },
	{ NODE0 "/reasons", "none", NULL },
	{ NODE0 "/reasons", "demotion", NULL },
	{ NODE0 "/reasons", "damon,compaction", "compaction damon" },
	{ NODE0 "/reasons", "damon compaction\n", "compaction damon" },
	{ NODE0 "/reasons", ALL_REASONS, NULL },

	{ NODE0 "/min_bytes", "auto", NULL },
	{ NODE0 "/min_bytes", "0", NULL },
	{ NODE0 "/min_bytes", "65536", NULL },
	{ NODE0 "/min_bytes", "64K", "65536" },
	{ NODE0 "/min_bytes", "2m\n", "2097152" },
	{ NODE0 "/min_bytes", "1G", "1073741824" },
	{ NODE0 "/min_bytes", "8589934591G", "9223372035781033984" },
	{ NODE0 "/min_bytes", "9223372036854775807", NULL },

	{ SIM0 "/timeout_ms", "1", NULL },
	{ SIM0 "/timeout_ms", "600000", NULL },
	{ SIM0 "/timeout_ms", "1000\n", "1000" },
};

struct bad {
	const char *value;
	size_t len;
};

#define BAD(text)	{ text, sizeof(text) - 1 }

/* No file takes any of these. */
static const struct bad all_bad[] = {
	BAD("\n"),
	BAD(" "),
	BAD("\0"),
	BAD("\xff\xfe\x80"),
	BAD("+"),
	BAD("1 2"),
	BAD("1,,2"),
	BAD("%s%n"),
	BAD("../../enabled"),
	BAD("auto,cpu"),
	BAD("auto auto"),
	BAD("[auto]"),
};

/* An engine could have such a name. */
static const struct bad number_bad[] = {
	BAD("-1"),
	BAD("0x"),
	BAD("1.5"),
	BAD("1e3"),
	BAD("18446744073709551616"),
	BAD("99999999999999999999999999"),
	BAD("all,none"),
};

static const struct bad enabled_bad[] = {
	BAD("2"), BAD("-0"), BAD("maybe"), BAD("\0001"), BAD("01"),
};

static const struct bad engines_bad[] = {
	BAD("sim0,"), BAD(",sim0"), BAD("sim0,,sim1"), BAD("sim0,sim0"),
	BAD("sim0,auto"), BAD("sim0 sim1"), BAD("sim0, sim1"), BAD("sim0;"),
	BAD("sim0\nsim1"), BAD("sim/0"), BAD("sim\0000"), BAD("[sim0]"),
	BAD("s\xc3\xafm"),
	BAD("a2345678901234567890123456789012"),
	BAD("sim0,a2345678901234567890123456789012"),
	BAD("a,b,c,d,e,f,g,h,i"),
};

static const struct bad reasons_bad[] = {
	BAD("compactio"), BAD("compactionn"), BAD("Compaction"), BAD(","),
	BAD("compaction,none"), BAD("all compaction"), BAD("compaction;damon"),
	BAD("damon\000compaction"), BAD("0"), BAD("1"), BAD("unknown"),
	BAD("compaction,all"),
};

static const struct bad min_bytes_bad[] = {
	BAD("K"), BAD("4KK"), BAD("4KB"), BAD("4T"), BAD("4 K"), BAD("+4"),
	BAD("-4K"), BAD("0x1000"), BAD("4\nK"), BAD("4\0K"), BAD("1,000"),
	BAD("9223372036854775808"), BAD("8589934592G"), BAD("auto4K"),
	BAD("automatic"), BAD("K4"),
};

static const struct bad timeout_bad[] = {
	BAD("0"), BAD("600001"), BAD("4294967297"), BAD("1s"), BAD("1 "),
	BAD("0x10"), BAD("auto"), BAD("-1000"), BAD("10\0"),
};

static const struct bad reset_bad[] = {
	BAD("0"), BAD("2"), BAD("-1"), BAD("yes"), BAD("11"),
};

static const struct file {
	const char *path;
	const char *value;	/* before and after; NULL: cannot be read */
	const struct bad *bad;
	unsigned int nr_bad;
	bool names;
} files[] = {
	{ MO_SYSFS "/enabled", "0", enabled_bad, ARRAY_SIZE(enabled_bad) },
	{ MO_SYSFS "/enabled", "1", enabled_bad, ARRAY_SIZE(enabled_bad) },
	{ NODE0 "/engines", "sim1,sim0", engines_bad, ARRAY_SIZE(engines_bad),
	  true },
	{ NODE0 "/engines", "auto", engines_bad, ARRAY_SIZE(engines_bad),
	  true },
	{ NODE0 "/reasons", "compaction demotion", reasons_bad,
	  ARRAY_SIZE(reasons_bad) },
	{ NODE0 "/min_bytes", "12288", min_bytes_bad,
	  ARRAY_SIZE(min_bytes_bad) },
	{ SIM0 "/timeout_ms", "1234", timeout_bad, ARRAY_SIZE(timeout_bad) },
	{ SIM0 "/reset", NULL, reset_bad, ARRAY_SIZE(reset_bad) },
};

static void test_good(const struct good *good)
{
	const char *want = good->reads ?: good->value;
	char is[512];
	int err;

	err = mo_write(good->value, "%s", good->path);
	mo_read(is, sizeof(is), "%s", good->path);
	if (err || strcmp(is, want))
		ksft_print_msg("%s, reads \"%s\"\n", strerror(-err), is);
	ksft_test_result(!err && !strcmp(is, want), "%s takes \"%.*s\"\n",
			 good->path + strlen(MO_SYSFS "/"),
			 (int)strcspn(good->value, "\n"), good->value);
}

static bool refuses(const struct file *file, const void *value, size_t len)
{
	char before[512] = "", after[512] = "";
	int err;
	size_t i;

	if (file->value)
		mo_read(before, sizeof(before), "%s", file->path);
	err = mo_write_bytes(file->path, value, len);
	if (file->value)
		mo_read(after, sizeof(after), "%s", file->path);
	if (err == -EINVAL && !strcmp(before, after))
		return true;

	printf("# %s of ", err ? strerror(-err) : "no error");
	for (i = 0; i < len && i < 40; i++)
		printf(((const char *)value)[i] > ' ' &&
		       ((const char *)value)[i] < 127 ? "%c" : "\\x%02x",
		       ((const unsigned char *)value)[i]);
	printf(" (%zu bytes), read \"%s\" before and \"%s\" after\n", len,
	       before, after);
	return false;
}

static void test_bad(const struct file *file)
{
	unsigned int i, nr, right = 0;
	char junk[4096];

	nr = file->nr_bad + ARRAY_SIZE(all_bad) + 2;
	if (!file->names)
		nr += ARRAY_SIZE(number_bad);

	if (file->value && mo_write(file->value, "%s", file->path))
		ksft_exit_fail_msg("%s does not take %s\n", file->path,
				   file->value);

	for (i = 0; i < file->nr_bad; i++)
		right += refuses(file, file->bad[i].value, file->bad[i].len);
	for (i = 0; i < ARRAY_SIZE(all_bad); i++)
		right += refuses(file, all_bad[i].value, all_bad[i].len);
	for (i = 0; !file->names && i < ARRAY_SIZE(number_bad); i++)
		right += refuses(file, number_bad[i].value, number_bad[i].len);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = "sim0,"[i % 5];
	right += refuses(file, junk, sizeof(junk));
	memset(junk, '9', sizeof(junk));
	right += refuses(file, junk, sizeof(junk));

	ksft_test_result(right == nr,
			 "%s%s%s refuses %u bad values of %u and keeps its own\n",
			 file->path + strlen(MO_SYSFS "/"),
			 file->value ? " with " : "", file->value ?: "",
			 right, nr);
}

/* All files below @path that are not for writing. */
static void check_read_only(const char *path, unsigned int *nr,
			    unsigned int *writable)
{
	struct dirent *entry;
	char name[512];
	struct stat st;
	DIR *dir;
	int err;

	dir = opendir(path);
	if (!dir)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (lstat(name, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			check_read_only(name, nr, writable);
		if (!S_ISREG(st.st_mode) || st.st_mode & 0222)
			continue;
		++*nr;
		err = mo_write("1", "%s", name);
		if (!err || mo_read(name, sizeof(name), "%s", name) < 0) {
			ksft_print_msg("%s: %s\n", entry->d_name,
				       err ? "cannot be read" : "written");
			++*writable;
		}
	}
	closedir(dir);
}

static void test_read_only(void)
{
	unsigned int nr = 0, writable = 0;

	check_read_only(MO_SYSFS, &nr, &writable);
	ksft_test_result(nr > 50 && !writable,
			 "%u read-only files can be read, and not written\n",
			 nr - writable);
}

/* reset is for engines that have failed. */
static void test_reset_online(void)
{
	int err = mo_write("1", SIM0 "/reset");

	ksft_test_result(err == -EINVAL && mo_engine_is("sim0", "online"),
			 "an engine that is online cannot be reset (%s)\n",
			 strerror(-err));
}

/* Choose an engine that is not there, and see it used once it is. */
static void test_ahead_of_time(void)
{
	static const char driver[] =
		"/sys/bus/platform/drivers/migrate-offload-sim";
	long long before, without, with;
	bool gone, back, good;
	struct mo_mem mem;

	mo_policy("sim1");
	mo_enable(true);
	gone = !mo_write("migrate-offload-sim.1", "%s/unbind", driver) &&
	       !mo_exists(MO_SYSFS "/engines/sim1");
	if (mo_alloc(&mem, MO_ANON, 64, mo_nodes[0]))
		ksft_exit_fail_msg("no memory\n");

	before = mo_refused("no_engine");
	good = !mo_move(&mem, mo_nodes[1]) && !mo_bad_bytes(&mem);
	without = mo_refused("no_engine") - before;

	back = !mo_write("migrate-offload-sim.1", "%s/bind", driver) &&
	       mo_engine_is("sim1", "online");
	mo_fill(&mem);
	good &= !mo_move(&mem, mo_nodes[0]) && !mo_bad_bytes(&mem);
	with = mo_engine_stat("sim1", "folios");
	mo_free(&mem);

	ksft_test_result(gone && back, "sim1 goes and comes back\n");
	ksft_test_result(good && without == 64 && with == 64,
			 "chosen while it is not there, sim1 copies nothing (%lld refused), and once it is there it does (%lld)\n",
			 without, with);
	mo_enable(false);
}

/* What does not fit the policy stays with the CPU, and is counted. */
static void test_policy_counts(const char *file, const char *value,
			       const char *why)
{
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	long long refused;
	bool good;
	int ret;

	mo_policy("sim0");
	if (mo_alloc(&mem, MO_ANON, 64, mo_nodes[0]) ||
	    mo_write(value, MO_SYSFS "/nodes/node%d/%s", mo_nodes[1], file))
		ksft_exit_fail_msg("cannot set up %s\n", file);
	mo_enable(true);
	refused = mo_refused(why);
	ret = mo_move(&mem, mo_nodes[1]);
	good = !ret && !mo_bad_bytes(&mem) &&
	       mo_folios_on(&mem, mo_nodes[1]) == mem.nr;
	refused = mo_refused(why) - refused;
	n = mo_counts_since(&before);
	mo_enable(false);
	mo_free(&mem);
	ksft_test_result(good && refused == 64 && n.offered == 64 && !n.engine,
			 "%s %s: %lld of %lld refused_%s\n", file, value,
			 refused, n.offered, why);
}

/* All memory blocks of @node, movable as they are. Returns how many. */
static int node_memory(int node, const char *state)
{
	struct dirent *entry;
	char path[64];
	int nr = 0;
	DIR *dir;

	sprintf(path, "/sys/devices/system/node/node%d", node);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "memory", strlen("memory")) ||
		    entry->d_name[strlen("memory")] < '0' ||
		    entry->d_name[strlen("memory")] > '9')
			continue;
		if (mo_write(state, "/sys/devices/system/memory/%s/state",
			     entry->d_name)) {
			ksft_print_msg("%s cannot be %s\n", entry->d_name,
				       state);
			nr = -EBUSY;
			break;
		}
		nr++;
	}
	closedir(dir);
	return nr;
}

struct policy {
	char engines[128], reasons[256], min_bytes[32];
};

static bool read_policy(int node, struct policy *p)
{
	const char *dir = MO_SYSFS "/nodes/node";

	return mo_read(p->engines, sizeof(p->engines), "%s%d/engines", dir,
		       node) > 0 &&
	       mo_read(p->reasons, sizeof(p->reasons), "%s%d/reasons", dir,
		       node) > 0 &&
	       mo_read(p->min_bytes, sizeof(p->min_bytes), "%s%d/min_bytes",
		       dir, node) > 0;
}

/* With pages of ours on it, which hotplug then migrates. */
static void test_node_goes(void)
{
	int node = mo_nodes[mo_nr_nodes - 1];
	struct policy before, after;
	bool gone, kept, good;
	struct mo_mem mem;
	long long copied;
	int nr, came;

	mo_policy("sim0");
	if (mo_write("sim1,nowhere", MO_SYSFS "/nodes/node%d/engines", node) ||
	    mo_write("damon", MO_SYSFS "/nodes/node%d/reasons", node) ||
	    mo_write("8K", MO_SYSFS "/nodes/node%d/min_bytes", node) ||
	    mo_write("memory_hotplug", MO_SYSFS "/nodes/node0/reasons") ||
	    mo_write("memory_hotplug", MO_SYSFS "/nodes/node1/reasons") ||
	    !read_policy(node, &before))
		ksft_exit_fail_msg("cannot set up node %d\n", node);
	if (mo_alloc(&mem, MO_ANON, 128, node))
		ksft_exit_fail_msg("no memory on node %d\n", node);
	mo_enable(true);

	copied = mo_engine_stat("sim0", "folios");
	nr = node_memory(node, "offline");
	copied = mo_engine_stat("sim0", "folios") - copied;
	gone = nr > 0 && !mo_exists(MO_SYSFS "/nodes/node%d", node);
	good = !mo_bad_bytes(&mem) && !mo_folios_on(&mem, node);
	ksft_test_result(nr > 0 && gone,
			 "node%d goes with the last of its %d memory blocks\n",
			 node, nr);
	ksft_test_result(good && copied >= mem.nr,
			 "%lld pages that were on it are copied by sim0, and whole\n",
			 copied);

	came = node_memory(node, "online_movable");
	kept = came == nr && read_policy(node, &after) &&
	       !strcmp(before.engines, after.engines) &&
	       !strcmp(before.reasons, after.reasons) &&
	       !strcmp(before.min_bytes, after.min_bytes);
	if (!kept)
		ksft_print_msg("was %s, %s, %s; is %s, %s, %s\n",
			       before.engines, before.reasons,
			       before.min_bytes, after.engines, after.reasons,
			       after.min_bytes);
	ksft_test_result(kept, "node%d comes back with the policy it had\n",
			 node);

	mo_policy("sim0");
	mo_fill(&mem);
	good = !mo_move(&mem, node) && !mo_bad_bytes(&mem) &&
	       mo_folios_on(&mem, node) == mem.nr;
	mo_enable(false);
	ksft_test_result(good && mo_adds_up(),
			 "pages move to node%d again\n", node);
	mo_free(&mem);
}

/* Migrations in a thread while the files are written. */
static atomic_bool stop;
static atomic_ullong moved, bad;

static void *mover(void *unused)
{
	struct mo_mem mem;
	int to = 1;

	if (mo_alloc(&mem, MO_ANON, 128, mo_nodes[0]))
		return NULL;
	for (; !stop; to = !to) {
		mo_fill(&mem);
		mo_move(&mem, mo_nodes[to]);
		bad += mo_bad_bytes(&mem);
		moved += mo_folios_on(&mem, mo_nodes[to]);
	}
	mo_free(&mem);
	return NULL;
}

static void test_while_moving(const char *what, const char *file,
			      const char * const *values, unsigned int nr)
{
	unsigned int i, round, errors = 0;
	pthread_t thread;

	mo_policy("sim0");
	mo_enable(true);
	stop = false;
	moved = 0;
	bad = 0;
	if (pthread_create(&thread, NULL, mover, NULL))
		ksft_exit_fail_msg("no thread\n");
	/* Until each value has seen some migrations. */
	for (round = 0; round < 20 || (moved < 1280 && round < 1000); round++)
		for (i = 0; i < nr; i++) {
			errors += !!mo_write(values[i], "%s", file);
			mo_sleep_ms(2);
		}
	stop = true;
	pthread_join(thread, NULL);
	mo_enable(false);
	if (!moved || bad || errors)
		ksft_print_msg("%llu folios moved, %llu bytes bad, %u writes failed\n",
			       atomic_load(&moved), atomic_load(&bad), errors);
	ksft_test_result(moved && !bad && !errors && mo_adds_up(),
			 "%s while pages migrate\n", what);
}

int main(void)
{
	static const char * const on_off[] = { "0", "1" };
	static const char * const engines[] = {
		"cpu", "sim0", "sim1,sim0", "auto", "nowhere"
	};
	static const char * const limits[] = { "0", "1M", "auto", "4K" };
	unsigned int i;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 2 || mo_nr_sims() < 2)
		ksft_exit_skip("needs two nodes and engines sim0, sim1\n");
	mo_sim_calm();

	ksft_set_plan(ARRAY_SIZE(goods) + ARRAY_SIZE(files) + 14);
	for (i = 0; i < ARRAY_SIZE(goods); i++)
		test_good(&goods[i]);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		test_bad(&files[i]);
	mo_enable(false);
	mo_write("10000", SIM0 "/timeout_ms");
	test_read_only();
	test_reset_online();
	test_policy_counts("reasons", "damon", "reason");
	test_policy_counts("reasons", "none", "reason");
	test_policy_counts("min_bytes", "1M", "too_small");
	test_ahead_of_time();
	test_node_goes();
	test_while_moving("on and off", MO_SYSFS "/enabled", on_off,
			  ARRAY_SIZE(on_off));
	test_while_moving("the engines change", NODE0 "/engines", engines,
			  ARRAY_SIZE(engines));
	test_while_moving("min_bytes changes", NODE0 "/min_bytes", limits,
			  ARRAY_SIZE(limits));
	ksft_finished();
}
