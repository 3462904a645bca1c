// SPDX-License-Identifier: GPL-2.0
/*
 * All that makes the kernel migrate, other than the system calls of migrate.c:
 * each is offloaded when the policy has its reason, and is not when it has not;
 * the bytes are right either way.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mo_util.h"
#include "mo_work.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define CGROUP	"/sys/fs/cgroup"
#define SCHED	"/sys/kernel/debug/sched/numa_balancing"
#define DEMOTION	"/sys/kernel/mm/numa/demotion_enabled"
#define TRACING	"/sys/kernel/tracing"

static void all_nodes(const char *file, const char *value)
{
	unsigned int i;
	int err;

	for (i = 0; i < mo_nr_nodes; i++) {
		err = mo_write(value, MO_SYSFS "/nodes/node%d/%s", mo_nodes[i],
			       file);
		if (err)
			ksft_exit_fail_msg("%s does not take %s: %s\n", file,
					   value, strerror(-err));
	}
}

static bool arrive(const struct mo_mem *mem, int node, bool there, int ms)
{
	unsigned int want = there ? mem->nr : 0;

	for (; mo_folios_on(mem, node) != want; ms -= 20) {
		if (ms <= 0)
			return false;
		mo_sleep_ms(20);
	}
	return true;
}

static long long kb_of(const char *file, const char *name)
{
	char text[4096], *at;

	if (mo_read(text, sizeof(text), "%s", file) < 0)
		return -1;
	at = strstr(text, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* A cpuset that loses one node and gets another takes its memory along. */
static bool by_cpuset(struct mo_mem *mem)
{
	char all[16];
	bool good;

	mo_write("+cpuset", CGROUP "/cgroup.subtree_control");
	mkdir(CGROUP "/mo", 0755);
	if (mo_read(all, sizeof(all), CGROUP "/cpuset.mems.effective") < 0 ||
	    mo_write(all, CGROUP "/mo/cpuset.mems") ||
	    mo_write("0", CGROUP "/mo/cgroup.procs"))
		return false;
	good = !mo_write("0", CGROUP "/mo/cpuset.mems") &&
	       !mo_write("1", CGROUP "/mo/cpuset.mems") &&
	       arrive(mem, 1, true, 20000);
	mo_write("0", CGROUP "/cgroup.procs");
	return good;
}

/* Of what was compacted, in all tests so far. */
static size_t wrong_words;

static bool holes_free(struct mo_holes *holes)
{
	size_t bad = mo_holes_free(holes);

	wrong_words += bad;
	return !bad;
}

#define MIGRATED	"\npgmigrate_success "

/* Pages that lie well already stay, so it may take more than one go. */
static bool by_compaction(struct mo_mem *mem)
{
	long long before = mo_vmstat(MIGRATED);
	bool right = true, moved = false;
	struct mo_holes holes;
	int i;

	for (i = 0; i < 8 && right && !moved; i++) {
		if (!mo_holes_make(&holes, 4096 << (i & 3), 1, 0))
			return false;
		mo_write("1", "/proc/sys/vm/compact_memory");
		moved = mo_vmstat(MIGRATED) > before;
		right = holes_free(&holes);
	}
	return moved && right;
}

/* Kernel threads do not say when they are done. */
static void settle(void)
{
	long long last = -1, now;
	int i, same = 0;

	for (i = 0; i < 150 && same < 3; i++) {
		now = mo_vmstat(MIGRATED) + mo_counts().offered;
		same = now == last ? same + 1 : 0;
		last = now;
		mo_sleep_ms(200);
	}
}

#define PROACTIVENESS	"/proc/sys/vm/compaction_proactiveness"

/* Most of what is free there, and enough left for everybody else. */
static size_t many_pages(void)
{
	return kb_of("/sys/devices/system/node/node0/meminfo",
		     "Node 0 MemFree:") / (MO_BASE >> 10) * 5 / 8;
}

/* The thread looks for work by itself when a fifth of what is free is holes. */
static bool by_kcompactd(struct mo_mem *mem)
{
	static const char scanned[] = "\ncompact_daemon_migrate_scanned ";
	long long before = mo_vmstat(MIGRATED);
	long long scans = mo_vmstat(scanned);
	bool moved = false;
	struct mo_holes holes;
	char usual[16];
	int i;

	if (mo_read(usual, sizeof(usual), PROACTIVENESS) < 0 ||
	    !mo_holes_make(&holes, many_pages(), 1, 0))
		return false;
	for (i = 0; i < 200 && !moved; i++) {
		if (i % 25 == 0)
			mo_write("100", PROACTIVENESS);
		mo_sleep_ms(200);
		moved = mo_vmstat(MIGRATED) > before &&
			mo_vmstat(scanned) > scans;
	}
	mo_write("0", PROACTIVENESS);
	settle();
	mo_write(usual, PROACTIVENESS);
	settle();
	return holes_free(&holes) && moved;
}

#define HUGEPAGES \
	"/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"

/* More huge pages than there are: the task that asks for them compacts. */
static bool by_direct_compaction(struct mo_mem *mem)
{
	static const char stalls[] = "\ncompact_stall ";
	long long before = mo_refused("context") + mo_refused("reason");
	long long stalled = mo_vmstat(stalls);
	bool right = true, moved = false;
	struct mo_holes holes;
	int i;

	for (i = 0; i < 8 && right && !moved; i++) {
		if (!mo_holes_make(&holes, 32768, 1, 1))
			return false;
		mo_write("1000", HUGEPAGES);
		/* Not what kcompactd moved, which the kernel wakes, too. */
		moved = mo_refused("context") + mo_refused("reason") > before &&
			mo_vmstat(stalls) > stalled;
		mo_write("0", HUGEPAGES);
		settle();
		right = holes_free(&holes);
	}
	return moved && right;
}

static __u64 pfn_of(const char *addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)addr /
			    MO_BASE * sizeof(entry)) != sizeof(entry))
		ksft_exit_fail_msg("pagemap: %m\n");
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

#define MEMORY	"/sys/devices/system/memory"

static __u64 block_pfns(void)
{
	char text[32];

	if (mo_read(text, sizeof(text), MEMORY "/block_size_bytes") < 0)
		ksft_exit_fail_msg("no memory blocks\n");
	return strtoull(text, NULL, 16) / MO_BASE;
}

/* Each block that holds any of it goes, and comes back. */
static bool by_memory_offline(struct mo_mem *mem)
{
	__u64 pfns = block_pfns(), block;
	bool good = true;
	int i, tries, err;

	for (i = 0; good && i < mem->nr; i++) {
		block = pfn_of(mem->addr + i * mem->folio) / pfns;
		if (mo_folios_on(mem, 2) == 0)
			break;
		if (!mo_exists("/sys/devices/system/node/node2/memory%llu",
			       block))
			continue;
		for (tries = 0; tries < 20; tries++) {
			err = mo_write("offline", MEMORY "/memory%llu/state",
				       block);
			if (err != -EBUSY)
				break;
			mo_sleep_ms(200);
		}
		if (err)
			ksft_print_msg("memory%llu does not go: %s\n", block,
				       strerror(-err));
		good = !err &&
		       pfn_of(mem->addr + i * mem->folio) / pfns != block &&
		       !mo_write("online_movable", MEMORY "/memory%llu/state",
				 block);
	}
	return good && !mo_folios_on(mem, 2);
}

#define CMA	"/sys/kernel/debug/cma/reserved"

static int node_of(__u64 pfn)
{
	__u64 block = pfn / block_pfns();
	unsigned int i;

	for (i = 0; i < mo_nr_nodes; i++)
		if (mo_exists("/sys/devices/system/node/node%d/memory%llu",
			      mo_nodes[i], block))
			return mo_nodes[i];
	return -1;
}

/* How many pages of @mem are in a range? */
static unsigned int pages_in(const struct mo_mem *mem, __u64 start, __u64 nr)
{
	unsigned int i, in = 0;

	for (i = 0; i < mem->nr; i++)
		in += pfn_of(mem->addr + i * mem->folio) - start < nr;
	return in;
}

/*
 * Takes memory of @node until what may be lent comes next: the kernel lends as
 * much as keeps that at half of all that is free.
 */
static char *fill_until_lent(int node, size_t size)
{
	char meminfo[64], name[32], *fill, *at;
	unsigned long mask = 1UL << node;

	sprintf(meminfo, "/sys/devices/system/node/node%d/meminfo", node);
	sprintf(name, "Node %d MemFree:", node);
	fill = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fill == MAP_FAILED || madvise(fill, size, MADV_HUGEPAGE) ||
	    syscall(SYS_mbind, fill, size, MPOL_BIND, &mask,
		    MO_MAX_NODES + 1, 0))
		return NULL;
	for (at = fill; at < fill + size; at += MO_2M)
		if (kb_of(meminfo, name) < 4096 +
		    2 * kb_of("/proc/meminfo", "\nCmaFree:") ||
		    madvise(at, MO_2M, MADV_POPULATE_WRITE))
			break;
	return fill;
}

static int cma_take(const char *nr)
{
	int tries, err = -EBUSY;

	for (tries = 0; err && tries < 20; tries++) {
		err = mo_write(nr, CMA "/alloc");
		if (err)
			mo_sleep_ms(200);
	}
	return err;
}

/* Memory that a device lends out while it needs none, and wants back. */
static bool by_cma(struct mo_mem *mem)
{
	long long base = mo_number(CMA "/base_pfn");
	long long nr = mo_number(CMA "/count");
	int node = base < 0 ? -1 : node_of(base), err;
	unsigned int lent = 0, left = 1, tries = 4;
	size_t size = 1UL << 30;
	struct mo_mem mine;
	char text[32], *fill;
	bool good;

	if (node < 0) {
		ksft_print_msg("no CMA: boot with cma=64M\n");
		return false;
	}
	sprintf(text, "%lld", nr);
	for (; lent < 512 && tries; tries--) {
		/* The CPUs' lists of free pages would be used first: empty them. */
		if (cma_take(text) || mo_write(text, CMA "/free"))
			return false;
		fill = fill_until_lent(node, size);
		if (!fill || mo_alloc(&mine, MO_ANON, 4096, node))
			return false;
		munmap(fill, size);
		lent = pages_in(&mine, base, nr);
		/* What somebody else has freed meanwhile comes first, too. */
		if (lent < 512 && tries > 1)
			mo_free(&mine);
	}

	err = cma_take(text);
	if (!err) {
		left = pages_in(&mine, base, nr);
		mo_write(text, CMA "/free");
	}
	good = lent >= 512 && !err && !left && !mo_bad_bytes(&mine);
	if (!good)
		ksft_print_msg("%u pages of CMA lent, %u left there, %s\n",
			       lent, left, strerror(-err));
	mo_free(&mine);
	return good;
}

#define DAMON	"/sys/kernel/mm/damon/admin/kdamonds"

/* All there is between the first and the last page, to node 1. */
static bool by_damon(struct mo_mem *mem, const char *action)
{
	static const char context[] = "0/contexts/0";
	static const char scheme[] = "0/contexts/0/schemes/0";
	static const char * const pattern[] = { "sz", "nr_accesses", "age" };
	__u64 pfn, first = -1, last = 0;
	char start[32], end[32];
	unsigned int i;
	bool good;
	int err;

	for (i = 0; i < mem->nr; i++) {
		pfn = pfn_of(mem->addr + i * mem->folio);
		first = pfn < first ? pfn : first;
		last = pfn > last ? pfn : last;
	}
	sprintf(start, "%llu", first * MO_BASE);
	sprintf(end, "%llu", (last + 1) * MO_BASE);

	err = mo_write("1", DAMON "/nr_kdamonds") ?:
	      mo_write("1", DAMON "/0/contexts/nr_contexts") ?:
	      mo_write("paddr", DAMON "/%s/operations", context) ?:
	      mo_write("5000", DAMON "/%s/monitoring_attrs/intervals/sample_us",
		       context) ?:
	      mo_write("50000", DAMON "/%s/monitoring_attrs/intervals/aggr_us",
		       context) ?:
	      mo_write("1", DAMON "/%s/targets/nr_targets", context) ?:
	      mo_write("1", DAMON "/%s/targets/0/regions/nr_regions",
		       context) ?:
	      mo_write(start, DAMON "/%s/targets/0/regions/0/start",
		       context) ?:
	      mo_write(end, DAMON "/%s/targets/0/regions/0/end", context) ?:
	      mo_write("1", DAMON "/%s/schemes/nr_schemes", context) ?:
	      mo_write(action, DAMON "/%s/action", scheme) ?:
	      mo_write("1", DAMON "/%s/target_nid", scheme);
	/* However large, however often used, however long. */
	for (i = 0; !err && i < ARRAY_SIZE(pattern); i++)
		err = mo_write("0", DAMON "/%s/access_pattern/%s/min", scheme,
			       pattern[i]) ?:
		      mo_write("4294967295", DAMON "/%s/access_pattern/%s/max",
			       scheme, pattern[i]);
	err = err ?: mo_write("on", DAMON "/0/state");
	if (err)
		ksft_print_msg("DAMON: %s\n", strerror(-err));
	good = !err && arrive(mem, 1, true, 60000);
	mo_write("off", DAMON "/0/state");
	mo_write("0", DAMON "/nr_kdamonds");
	return good;
}

static bool by_damon_hot(struct mo_mem *mem)
{
	return by_damon(mem, "migrate_hot");
}

static bool by_damon_cold(struct mo_mem *mem)
{
	return by_damon(mem, "migrate_cold");
}

/* Pages that are thought to go bad soon. */
static bool by_soft_offline(struct mo_mem *mem)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (madvise(mem->addr + 3 * i * MO_BASE, MO_BASE,
			    MADV_SOFT_OFFLINE)) {
			ksft_print_msg("soft offline: %m\n");
			return false;
		}
	return true;
}

/* Memory that can go must not be pinned for long: it is moved first. */
static bool by_longterm_pin(struct mo_mem *mem)
{
	struct io_uring_params params = {};
	struct iovec iov = { mem->addr, mem->bytes };
	int node = mo_nodes[mo_nr_nodes - 1], ring, err;

	ring = syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0)
		return false;
	err = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		      &iov, 1) ? errno : 0;
	if (err)
		ksft_print_msg("cannot pin: %s\n", strerror(err));
	err |= !arrive(mem, node, false, 0);
	close(ring);
	return !err;
}

static bool cpus_of(int node, cpu_set_t *cpus)
{
	char list[64], *at = list;
	int cpu, last;

	CPU_ZERO(cpus);
	if (mo_read(list, sizeof(list),
		    "/sys/devices/system/node/node%d/cpulist", node) <= 0)
		return false;
	do {
		cpu = strtol(at, &at, 10);
		last = *at == '-' ? strtol(at + 1, &at, 10) : cpu;
		while (cpu <= last)
			CPU_SET(cpu++, cpus);
	} while (*at++ == ',');
	return true;
}

/* A task on one node that uses memory of another. */
static bool by_numa_faults(struct mo_mem *mem, const char *mode, int node)
{
	cpu_set_t all, near;
	__u64 start = mo_now_ms();
	bool good;

	sched_getaffinity(0, sizeof(all), &all);
	if (!cpus_of(node, &near) ||
	    sched_setaffinity(0, sizeof(near), &near) ||
	    mo_write("100", SCHED "/scan_delay_ms") ||
	    mo_write("100", SCHED "/scan_period_min_ms") ||
	    mo_write(mode, "/proc/sys/kernel/numa_balancing"))
		return false;
	do
		good = !mo_bad_bytes(mem) && mo_folios_on(mem, node);
	while (!good && mo_now_ms() - start < 60000);
	mo_write("0", "/proc/sys/kernel/numa_balancing");
	sched_setaffinity(0, sizeof(all), &all);
	return good;
}

static bool by_balancing(struct mo_mem *mem)
{
	return by_numa_faults(mem, "1", 1);
}

/* Hot memory of the slower tier comes to the node of who uses it. */
static bool by_promotion(struct mo_mem *mem)
{
	long long before = mo_vmstat("\npgpromote_success ");
	bool good;

	if (mo_write("1", DEMOTION))
		return false;
	good = by_numa_faults(mem, "2", 0);
	/* It counts for each CPU, and adds up once in a while. */
	mo_write("1", "/proc/sys/vm/stat_refresh");
	good &= mo_vmstat("\npgpromote_success ") > before;
	mo_write("0", DEMOTION);
	return good;
}

/* Cold memory goes to a slower node: kswapd does it when the fast one is full. */
static bool by_kswapd(struct mo_mem *mem)
{
	return mo_demote(mem, 0, mo_nodes[mo_nr_nodes - 1]);
}

/* A task that reclaims holds who knows what, and must not wait for engines. */
static bool by_direct_reclaim(struct mo_mem *mem)
{
	int slow = mo_nodes[mo_nr_nodes - 1];
	struct mo_mem mine;
	bool good;

	mo_write("+memory", CGROUP "/cgroup.subtree_control");
	mkdir(CGROUP "/mo-reclaim", 0755);
	if (mo_write("0", CGROUP "/mo-reclaim/cgroup.procs") ||
	    mo_alloc(&mine, MO_ANON, 512, 0) || mo_write("1", DEMOTION))
		return false;
	mo_write("1", "/proc/self/clear_refs");
	mo_write("1M", CGROUP "/mo-reclaim/memory.reclaim");
	mo_write("0", DEMOTION);
	good = mo_folios_on(&mine, slow) > 0 && !mo_bad_bytes(&mine);
	mo_write("0", CGROUP "/cgroup.procs");
	mo_free(&mine);
	return good;
}

/* What this task gives to engines; kernel threads may do so meanwhile. */
static void watch_begin(void)
{
	char pid[16];

	sprintf(pid, "%d", getpid());
	if (mo_write(pid, TRACING "/set_event_pid") ||
	    mo_write("1", TRACING "/events/migrate_offload/enable"))
		ksft_exit_fail_msg("no tracepoints\n");
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC));
}

static void watch_end(unsigned int *submits, unsigned int *contexts)
{
	char line[512];
	FILE *trace;

	mo_write("0", TRACING "/events/migrate_offload/enable");
	close(open(TRACING "/set_event_pid", O_WRONLY | O_TRUNC));
	*submits = 0;
	*contexts = 0;
	trace = fopen(TRACING "/trace", "r");
	if (!trace)
		ksft_exit_fail_msg("no trace\n");
	while (fgets(line, sizeof(line), trace)) {
		*submits += !!strstr(line, "migrate_offload_submit:");
		*contexts += strstr(line, "migrate_offload_refuse:") &&
			     strstr(line, "context");
	}
	fclose(trace);
}

static const struct {
	const char *reason;
	const char *what;
	bool (*migrate)(struct mo_mem *mem);
	enum mo_kind kind;
	unsigned int nr;
	unsigned int least;	/* folios that move */
	int at;			/* where they are first, of mo_nodes */
	bool context;		/* never by engines, for refused_context */
	bool luck;		/* it may not happen: then it was not tested */
} tests[] = {
	{ "syscall_or_cpuset", "a cpuset moves", by_cpuset, MO_ANON, 128, 128 },
	{ "memory_hotplug", "memory goes offline", by_memory_offline, MO_ANON,
	  256, 256, 2 },
	{ "contig_range", "CMA", by_cma, MO_ANON, 1, 512 },
	{ "damon", "DAMON, migrate_hot", by_damon_hot, MO_ANON, 256, 256 },
	{ "damon", "DAMON, migrate_cold", by_damon_cold, MO_ANON, 256, 256 },
	{ "compaction", "compaction", by_compaction, MO_ANON, 128, 1 },
	{ "compaction", "compaction by kcompactd", by_kcompactd, MO_ANON, 1,
	  1 },
	{ "compaction", "compaction by a task", by_direct_compaction, MO_ANON,
	  1, 1, 0, true, true },
	{ "memory_failure", "soft offlining", by_soft_offline, MO_ANON, 16, 4 },
	{ "longterm_pin", "pinning for long", by_longterm_pin, MO_ANON, 64, 64,
	  2 },
	{ "numa_misplaced", "NUMA balancing", by_balancing, MO_THP, 2, 1 },
	{ "numa_misplaced", "promotion", by_promotion, MO_ANON, 64, 1, 2 },
	{ "demotion", "demotion by kswapd", by_kswapd, MO_ANON, 2048, 1 },
	{ "demotion", "demotion by a task", by_direct_reclaim, MO_ANON, 1, 1,
	  0, true },
};

/* Clears *@happened if nothing came of it, and that is nobody's fault. */
static bool test(unsigned int nr, const char *engines, bool *happened)
{
	bool context = engines && tests[nr].context;
	const char *why = context ? "context" : "reason";
	unsigned int submits, contexts;
	struct mo_counts before, n;
	struct mo_mem mem;
	long long refused;
	bool good = true;
	size_t bad;
	int err;

	mo_policy(engines ?: mo_both_engines());
	err = mo_alloc(&mem, tests[nr].kind, tests[nr].nr,
		       mo_nodes[tests[nr].at]);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));
	all_nodes("reasons", engines ? tests[nr].reason : "none");
	before = mo_counts();
	refused = mo_refused(why);
	if (context)
		watch_begin();
	*happened = tests[nr].migrate(&mem);
	MO_EXPECT(*happened || tests[nr].luck, "the kernel does not migrate");
	MO_EXPECT(!wrong_words, "%zu", wrong_words);
	if (context) {
		watch_end(&submits, &contexts);
		MO_EXPECT(!submits, "%u", submits);
		MO_EXPECT(contexts || !*happened, "%u", contexts);
	}
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	mo_free(&mem);

	n = mo_counts_since(&before);
	refused = mo_refused(why) - refused;
	if ((!engines || context) && *happened)
		MO_EXPECT(refused >= tests[nr].least, "%lld", refused);
	if (!engines)
		MO_EXPECT(!n.engine && !n.cpu, "%lld, %lld", n.engine, n.cpu);
	else if (!context && !strcmp(engines, "cpu"))
		MO_EXPECT(n.cpu >= tests[nr].least && !n.engine, "%lld, %lld",
			  n.cpu, n.engine);
	else if (!context)
		MO_EXPECT(n.engine >= tests[nr].least, "%lld", n.engine);
	good &= mo_adds_up();
	ksft_print_msg("%s: %lld offered, %lld by engines, %lld by cpu, %lld refused_%s\n",
		       tests[nr].what, n.offered, n.engine, n.cpu, refused,
		       why);
	return good;
}

static void run(unsigned int nr, const char *engines)
{
	bool happened, good = test(nr, engines, &happened);
	char name[128];

	if (engines)
		sprintf(name, "%s, engines %s: %soffloaded", tests[nr].what,
			engines, tests[nr].context ? "not " : "");
	else
		sprintf(name, "%s: not offloaded without the reason %s",
			tests[nr].what, tests[nr].reason);
	if (good && !happened)
		ksft_test_result_skip("%s: it did not come to that\n", name);
	else
		ksft_test_result(good, "%s\n", name);
}

int main(int argc, char **argv)
{
	bool hardware = mo_have_hardware();
	unsigned int i, plan = 0;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 3 || mo_nr_sims() < 2)
		ksft_exit_skip("needs nodes 0, 1 and 2 and engines sim0, sim1\n");
	mo_sim_calm();
	mo_enable(true);

	/* Only those callers whose description has the argument in it. */
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		if (argc < 2 || strstr(tests[i].what, argv[1]))
			plan += hardware ? 1 : 3;
	ksft_set_plan(plan);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (argc > 1 && !strstr(tests[i].what, argv[1]))
			continue;
		run(i, mo_both_engines());
		/* The rest has nothing to do with hardware, and is tested elsewhere. */
		if (hardware)
			continue;
		run(i, "cpu");
		run(i, NULL);
	}
	mo_enable(false);
	ksft_finished();
}
