// SPDX-License-Identifier: GPL-2.0
/*
 * All that makes the kernel migrate, other than the system calls of migrate.c:
 * each is offloaded when the policy has its reason, and is not when it has not;
 * the bytes are right either way.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "mo_util.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define CGROUP	"/sys/fs/cgroup"
#define SCHED	"/sys/kernel/debug/sched/numa_balancing"

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

static long long kernel_counts(const char *name)
{
	char text[16384], *at;

	if (mo_read(text, sizeof(text), "/proc/vmstat") < 0)
		return -1;
	at = strstr(text, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/*
 * Free memory between pages that are not: these are moved together. But for
 * those that lie well already, so it may take more than one go.
 */
static bool by_compaction(struct mo_mem *mem)
{
	long long before = kernel_counts("\npgmigrate_success ");
	struct mo_mem holes;
	bool good = false;
	char *at;
	int i;

	for (i = 0; i < 8 && !good; i++) {
		if (mo_alloc(&holes, MO_ANON, 4096 << (i & 3), 0))
			return false;
		for (at = holes.addr; at < holes.addr + holes.bytes;
		     at += 2 * MO_BASE)
			madvise(at, MO_BASE, MADV_DONTNEED);
		mo_write("1", "/proc/sys/vm/compact_memory");
		mo_free(&holes);
		good = kernel_counts("\npgmigrate_success ") > before;
	}
	return good;
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

/* A task on one node that uses memory of another. */
static bool by_balancing(struct mo_mem *mem)
{
	cpu_set_t all, far;
	__u64 start = mo_now_ms();
	bool good;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&far);
	CPU_SET(1, &far);
	if (sched_setaffinity(0, sizeof(far), &far) ||
	    mo_write("100", SCHED "/scan_delay_ms") ||
	    mo_write("100", SCHED "/scan_period_min_ms") ||
	    mo_write("1", "/proc/sys/kernel/numa_balancing"))
		return false;
	do
		good = !mo_bad_bytes(mem) && mo_folios_on(mem, 1);
	while (!good && mo_now_ms() - start < 40000);
	mo_write("0", "/proc/sys/kernel/numa_balancing");
	sched_setaffinity(0, sizeof(all), &all);
	return good;
}

#define DEMOTION	"/sys/kernel/mm/numa/demotion_enabled"

/* Cold memory goes to a slower node: kswapd does it when the fast one is full. */
static bool by_kswapd(struct mo_mem *mem)
{
	int slow = mo_nodes[mo_nr_nodes - 1];
	size_t step = 256 * MO_BASE, size = 1UL << 30;
	unsigned long node0 = 1;
	bool good = false;
	char *fill, *at;

	fill = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fill == MAP_FAILED || madvise(fill, size, MADV_NOHUGEPAGE) ||
	    syscall(SYS_mbind, fill, size, MPOL_BIND, &node0,
		    MO_MAX_NODES + 1, 0) || mo_write("1", DEMOTION))
		return false;
	/* Not touched for long, as far as the kernel knows. */
	mo_write("1", "/proc/self/clear_refs");
	for (at = fill; !good && at < fill + size / 2; at += step) {
		memset(at, 1, step);
		good = mo_folios_on(mem, slow) > mem->nr / 2;
	}
	mo_write("0", DEMOTION);
	munmap(fill, size);
	return good;
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

static const struct {
	const char *reason;
	const char *what;
	bool (*migrate)(struct mo_mem *mem);
	enum mo_kind kind;
	unsigned int nr;
	unsigned int least;	/* folios that move */
	int at;			/* where they are first, of mo_nodes */
	bool context;		/* never by engines, for refused_context */
} tests[] = {
	{ "syscall_or_cpuset", "a cpuset moves", by_cpuset, MO_ANON, 128, 128 },
	{ "compaction", "compaction", by_compaction, MO_ANON, 128, 1 },
	{ "memory_failure", "soft offlining", by_soft_offline, MO_ANON, 16, 4 },
	{ "longterm_pin", "pinning for long", by_longterm_pin, MO_ANON, 64, 64,
	  2 },
	{ "numa_misplaced", "NUMA balancing", by_balancing, MO_THP, 2, 1 },
	{ "demotion", "demotion by kswapd", by_kswapd, MO_ANON, 2048, 1 },
	{ "demotion", "demotion by a task", by_direct_reclaim, MO_ANON, 1, 1,
	  0, true },
};

static bool test(unsigned int nr, bool offload)
{
	struct mo_counts before, n;
	const char *why = offload ? "context" : "reason";
	struct mo_mem mem;
	long long refused;
	bool good = true;
	size_t bad;
	int err;

	err = mo_alloc(&mem, tests[nr].kind, tests[nr].nr,
		       mo_nodes[tests[nr].at]);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));
	all_nodes("reasons", offload ? tests[nr].reason : "none");
	before = mo_counts();
	refused = mo_refused(why);
	good &= tests[nr].migrate(&mem);
	MO_EXPECT(good, "the kernel does not migrate");
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	mo_free(&mem);

	n = mo_counts_since(&before);
	refused = mo_refused(why) - refused;
	if (offload && !tests[nr].context) {
		MO_EXPECT(n.engine >= tests[nr].least, "%lld", n.engine);
	} else {
		MO_EXPECT(refused >= tests[nr].least, "%lld", refused);
		MO_EXPECT(!n.engine, "%lld", n.engine);
	}
	good &= mo_adds_up();
	ksft_print_msg("%s: %lld offered, %lld by engines, %lld refused_%s\n",
		       tests[nr].what, n.offered, n.engine, refused, why);
	return good;
}

int main(void)
{
	unsigned int i;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 3 || mo_nr_sims() < 2)
		ksft_exit_skip("needs nodes 0, 1 and 2 and engines sim0, sim1\n");
	mo_sim_calm();
	mo_policy("sim0,sim1");
	mo_enable(true);

	ksft_set_plan(2 * ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		ksft_test_result(test(i, true), "%s: %soffloaded\n",
				 tests[i].what, tests[i].context ? "not " : "");
		ksft_test_result(test(i, false), "%s: not offloaded without the reason %s\n",
				 tests[i].what, tests[i].reason);
	}
	mo_enable(false);
	ksft_finished();
}
