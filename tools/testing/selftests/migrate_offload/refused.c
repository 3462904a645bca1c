// SPDX-License-Identifier: GPL-2.0
/*
 * Every reason to leave a copy to the CPU: it is made to happen, exactly its
 * counters rise, by as much as they should, all counters add up, and contents are
 * right.
 *
 * What this machine does not have (tags, memory of devices), or what page
 * migration keeps from us (writeback, movable_ops), is refused in KUnit tests
 * only: carry_test.c and dispatch_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mo_work.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define NR		8
#define DISK		"/dev/ram0"
#define HWPOISON	"/sys/kernel/debug/hwpoison"
#define DEMOTION	"/sys/kernel/mm/numa/demotion_enabled"
#define CGROUP		"/sys/fs/cgroup"
#define DRIVER		"/sys/bus/platform/drivers/migrate-offload-sim"
#define PARAMETERS	"/sys/module/migrate_offload_sim/parameters"
/* For emulated machines on busy hosts: far from "for ever", that is all. */
#define MARGIN_MS	60000

static int from, to;

/* Counters */

static const struct {
	const char *why;
	bool of_engine;		/* engines count it, too */
	bool here;		/* this program makes it happen */
} whys[] = {
	{ "movable" },
	{ "zone_device" },
	{ "writeback" },
	{ "poison", .here = true },
	{ "mapping", .here = true },
	{ "pinned", .here = true },
	{ "tags", .of_engine = true },
	{ "reason", .here = true },
	{ "context", .here = true },
	{ "too_small", .of_engine = true, .here = true },
	{ "no_engine", .of_engine = true, .here = true },
	{ "busy", .of_engine = true, .here = true },
	{ "limits", .of_engine = true, .here = true },
	{ "bounce", .of_engine = true, .here = true },
	{ "submit", .of_engine = true, .here = true },
};

#define NR_WHYS		ARRAY_SIZE(whys)

static const char * const engines[] = { "sim0", "sim1", "cpu", "cpu-mt" };

struct snap {
	struct mo_counts counts;
	long long node[NR_WHYS];
	long long engine[ARRAY_SIZE(engines)][NR_WHYS];
};

/* Which ones have risen at all. */
static bool seen[NR_WHYS];

static struct snap snap(void)
{
	struct snap now = { .counts = mo_counts() };
	unsigned int i, e;
	char stat[64];

	for (i = 0; i < NR_WHYS; i++) {
		now.node[i] = mo_refused(whys[i].why);
		sprintf(stat, "refused_%s", whys[i].why);
		for (e = 0; whys[i].of_engine && e < ARRAY_SIZE(engines); e++) {
			now.engine[e][i] = mo_engine_stat(engines[e], stat);
			if (now.engine[e][i] < 0)
				ksft_exit_fail_msg("%s has no %s\n", engines[e],
						   stat);
		}
	}
	return now;
}

/*
 * Since @then, @why has risen by @nr in nodes, by @by_engine in @engine, and no
 * other reason in any node or engine; engines have copied @copied.
 */
static bool risen_by(const struct snap *then, const char *why, long long nr,
		     const char *engine, long long by_engine, long long copied)
{
	struct mo_counts n = mo_counts_since(&then->counts);
	long long diff, want, sum = 0;
	struct snap now = snap();
	bool good = true, ours;
	unsigned int i, e;

	for (i = 0; i < NR_WHYS; i++) {
		ours = !strcmp(whys[i].why, why);
		diff = now.node[i] - then->node[i];
		seen[i] |= diff > 0;
		sum += diff;
		want = ours ? nr : 0;
		MO_EXPECT(diff == want, "refused_%s of nodes rose by %lld, not %lld",
			  whys[i].why, diff, want);
		for (e = 0; e < ARRAY_SIZE(engines); e++) {
			diff = now.engine[e][i] - then->engine[e][i];
			want = ours && engine && !strcmp(engines[e], engine) ?
			       by_engine : 0;
			MO_EXPECT(diff == want,
				  "refused_%s of %s rose by %lld, not %lld",
				  whys[i].why, engines[e], diff, want);
		}
	}
	/* By these counters of ours, not only by whatever there may be. */
	MO_EXPECT(n.refused == sum, "%lld, not %lld", n.refused, sum);
	MO_EXPECT(n.engine == copied, "%lld, not %lld", n.engine, copied);
	MO_EXPECT(n.offered == n.engine + n.cpu + n.failed + sum,
		  "%lld offered, %lld + %lld + %lld + %lld", n.offered,
		  n.engine, n.cpu, n.failed, sum);
	MO_EXPECT(n.cpu == 0 && n.failed == 0, "%lld, %lld", n.cpu, n.failed);
	return good & mo_adds_up();
}

/* Set-up */

static void must_write(const char *value, const char *path)
{
	int err = mo_write(value, "%s", path);

	if (err)
		ksft_exit_fail_msg("%s > %s: %s\n", value, path, strerror(-err));
}

static void node_set(int node, const char *what, const char *value)
{
	char path[128];

	sprintf(path, MO_SYSFS "/nodes/node%d/%s", node, what);
	must_write(value, path);
}

static void expect_alloc(struct mo_mem *mem, enum mo_kind kind, unsigned int nr)
{
	int err = mo_alloc(mem, kind, nr, from);

	if (err)
		ksft_exit_fail_msg("no %s memory on node %d: %s\n",
				   mo_kind_names[kind], from, strerror(-err));
}

/* All of it goes to @to, whoever copies it. */
static bool moves(struct mo_mem *mem)
{
	bool good = true;
	int ret = mo_move(mem, to);

	MO_EXPECT(ret == 0, "%d", ret);
	MO_EXPECT(mo_folios_on(mem, to) == mem->nr, "%u", mo_folios_on(mem, to));
	MO_EXPECT(mo_bad_bytes(mem) == 0, "%zu", mo_bad_bytes(mem));
	return good;
}

/* NR pages are refused for @why, each once, by nodes and by @engine, if any. */
static bool all_refused(const char *why, const char *engine)
{
	struct mo_mem mem;
	struct snap before;
	bool good = true;

	expect_alloc(&mem, MO_ANON, NR);
	before = snap();
	good &= moves(&mem);
	good &= risen_by(&before, why, NR, engine, NR, 0);
	mo_free(&mem);
	return good;
}

/* And it was not for any other reason: without it, all is well. */
static bool none_refused(void)
{
	struct mo_mem mem;
	struct snap before;
	bool good = true;

	mo_sim_calm();
	expect_alloc(&mem, MO_ANON, NR);
	before = snap();
	good &= moves(&mem);
	good &= risen_by(&before, "", 0, NULL, 0, NR);
	mo_free(&mem);
	return good;
}

/* By what the administrator wants */

static bool test_reason(void)
{
	node_set(to, "reasons", "mempolicy_mbind,demotion");
	return all_refused("reason", NULL);
}

static bool test_too_small(void)
{
	char bytes[32];
	bool good;

	sprintf(bytes, "%lu", NR * MO_BASE + 1);
	node_set(to, "min_bytes", bytes);
	good = all_refused("too_small", "sim0");
	sprintf(bytes, "%lu", NR * MO_BASE);
	node_set(to, "min_bytes", bytes);
	return good & none_refused();
}

static bool test_nowhere(void)
{
	node_set(to, "engines", "nowhere");
	return all_refused("no_engine", NULL);
}

/* By what state the engine is in */

static bool test_failed(void)
{
	bool good = true;
	struct mo_mem mem;
	int err;

	must_write("200", MO_SYSFS "/engines/sim0/timeout_ms");
	mo_sim_fault(0, "hang", 100, 1);
	expect_alloc(&mem, MO_ANON, 1);
	mo_move(&mem, to);
	MO_EXPECT(mo_engine_comes("sim0", "failed", MARGIN_MS), "still online");
	MO_EXPECT(mo_bad_bytes(&mem) == 0, "%zu", mo_bad_bytes(&mem));
	mo_free(&mem);
	MO_EXPECT(mo_stat_comes("sim0", "inflight", 0, MARGIN_MS), "%lld",
		  mo_engine_stat("sim0", "inflight"));
	good &= all_refused("no_engine", "sim0");

	mo_sim_calm();
	err = mo_write("1", MO_SYSFS "/engines/sim0/reset");
	MO_EXPECT(!err, "%s", strerror(-err));
	must_write("600000", MO_SYSFS "/engines/sim0/timeout_ms");
	return good & none_refused();
}

/* sim1 anew, with this limit. */
static bool bind_anew(const char *limit, const char *value)
{
	bool good = true;
	char path[128];
	int err;

	sprintf(path, PARAMETERS "/%s", limit);
	must_write(value, path);
	err = mo_write("migrate-offload-sim.1", DRIVER "/unbind");
	MO_EXPECT(!err, "%s", strerror(-err));
	err = mo_write("migrate-offload-sim.1", DRIVER "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	must_write("600000", MO_SYSFS "/engines/sim1/timeout_ms");
	mo_policy("sim1");
	return good;
}

struct mover {
	pthread_t thread;
	struct mo_mem mem;
	int ret;
	atomic_bool ended;
};

static void *move(void *arg)
{
	struct mover *mover = arg;

	mover->ret = mo_move(&mover->mem, to);
	mover->ended = true;
	return NULL;
}

/* The only batch of the engine is held; what comes meanwhile is refused. */
static bool test_busy(void)
{
	struct mover mover = {};
	struct snap before;
	struct mo_mem mem;
	bool good = true;

	good &= bind_anew("max_batches", "1");
	expect_alloc(&mover.mem, MO_ANON, NR);
	expect_alloc(&mem, MO_ANON, NR);
	before = snap();
	mo_sim_set(1, "hold_at", 1 /* before it copies */);
	if (pthread_create(&mover.thread, NULL, move, &mover))
		ksft_exit_fail_msg("no thread\n");
	while (!mover.ended && mo_engine_stat("sim1", "inflight") != 1)
		mo_sleep_ms(1);
	MO_EXPECT(!mover.ended, "moved while the engine is held");
	good &= moves(&mem);
	MO_EXPECT(mo_engine_stat("sim1", "inflight") == 1, "%lld",
		  mo_engine_stat("sim1", "inflight"));
	mo_sim_set(1, "hold_at", 0);
	pthread_join(mover.thread, NULL);
	MO_EXPECT(mover.ret == 0, "%d", mover.ret);
	MO_EXPECT(mo_folios_on(&mover.mem, to) == NR, "%u",
		  mo_folios_on(&mover.mem, to));
	MO_EXPECT(mo_bad_bytes(&mover.mem) == 0, "%zu", mo_bad_bytes(&mover.mem));
	good &= risen_by(&before, "busy", NR, "sim1", NR, NR);
	mo_free(&mem);
	mo_free(&mover.mem);
	return good & bind_anew("max_batches", "16");
}

/* By what the engine can do */

static bool test_align(void)
{
	bool good = bind_anew("align", "8192");

	good &= all_refused("limits", "sim1");
	good &= bind_anew("align", "0");
	return good & none_refused();
}

/* All of node @to is above that. */
static bool test_max_addr(void)
{
	bool good = bind_anew("max_addr", "0xffffff");

	good &= all_refused("limits", "sim1");
	good &= bind_anew("max_addr", "0");
	return good & none_refused();
}

static bool test_bounce(void)
{
	mo_sim_fault(0, "bounce", 100, -1);
	return all_refused("bounce", "sim0") & none_refused();
}

static bool test_submit(void)
{
	mo_sim_fault(0, "refuse", 100, -1);
	return all_refused("submit", "sim0") & none_refused();
}

/* By what the folio is */

/* One of them, by a pipe: it stays where it is, and is tried again. */
static bool test_pinned(void)
{
	const unsigned int pinned = 3;
	struct mo_mem mem;
	struct iovec iov;
	struct snap before;
	bool good = true;
	int fds[2], ret;

	expect_alloc(&mem, MO_ANON, NR);
	iov.iov_base = mem.addr + pinned * MO_BASE;
	iov.iov_len = MO_BASE;
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != (ssize_t)MO_BASE)
		ksft_exit_fail_msg("vmsplice: %s\n", strerror(errno));

	before = snap();
	ret = mo_move(&mem, to);
	MO_EXPECT(ret == 1, "%d", ret);
	MO_EXPECT(mo_folios_on(&mem, to) == NR - 1, "%u", mo_folios_on(&mem, to));
	MO_EXPECT(mo_folios_on(&mem, from) == 1, "%u", mo_folios_on(&mem, from));
	MO_EXPECT(mo_bad_bytes(&mem) == 0, "%zu", mo_bad_bytes(&mem));
	/* Once with the others, and once more, alone, when these have moved. */
	good &= risen_by(&before, "pinned", 2, NULL, 0, NR - 1);

	/* Nobody has it any more: it goes like the others. */
	close(fds[0]);
	close(fds[1]);
	before = snap();
	good &= moves(&mem);
	good &= risen_by(&before, "", 0, NULL, 0, 1);
	mo_free(&mem);
	return good;
}

/* Page cache of a block device: it has buffers, which others lock. */
static bool test_mapping(void)
{
	unsigned long mask = 1UL << from;
	int nodes[NR], status[NR], fd;
	struct snap before;
	bool good = true;
	char *data, *at;
	void *pages[NR];
	unsigned int i;
	long ret;

	data = malloc(NR * MO_BASE);
	fd = open(DISK, O_RDWR | O_CLOEXEC);
	if (!data || fd < 0)
		ksft_exit_fail_msg("%s: %s\n", DISK, strerror(errno));
	for (i = 0; i < NR * MO_BASE; i++)
		data[i] = i * 31 + i / MO_BASE;
	posix_fadvise(fd, 0, NR * MO_BASE, POSIX_FADV_DONTNEED);
	if (syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, &mask,
		    MO_MAX_NODES + 1))
		ksft_exit_fail_msg("set_mempolicy: %s\n", strerror(errno));
	MO_EXPECT(pwrite(fd, data, NR * MO_BASE, 0) == (ssize_t)(NR * MO_BASE),
		  "%s", strerror(errno));
	MO_EXPECT(!fsync(fd), "%s", strerror(errno));
	syscall(SYS_set_mempolicy, 0 /* MPOL_DEFAULT */, NULL, 0);
	at = mmap(NULL, NR * MO_BASE, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || madvise(at, NR * MO_BASE, MADV_POPULATE_READ))
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));

	for (i = 0; i < NR; i++) {
		pages[i] = at + i * MO_BASE;
		nodes[i] = to;
		status[i] = -1;
	}
	before = snap();
	ret = syscall(SYS_move_pages, 0, NR, pages, nodes, status,
		      1 << 2 /* MPOL_MF_MOVE_ALL */);
	MO_EXPECT(ret == 0, "%ld", ret);
	for (i = 0; i < NR; i++)
		MO_EXPECT(status[i] == to, "%d", status[i]);
	MO_EXPECT(!memcmp(at, data, NR * MO_BASE), "contents");
	good &= risen_by(&before, "mapping", NR, NULL, 0, 0);
	munmap(at, NR * MO_BASE);
	posix_fadvise(fd, 0, NR * MO_BASE, POSIX_FADV_DONTNEED);
	close(fd);
	free(data);
	return good;
}

static unsigned long long pfn_of(const char *addr)
{
	unsigned long long entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)addr / MO_BASE * sizeof(entry)) !=
	    sizeof(entry))
		ksft_exit_fail_msg("pagemap: %s\n", strerror(errno));
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

/* Ignored ones would kill. */
static void on_sigbus(int sig)
{
}

/*
 * A huge page that could not be split when a page of it was poisoned, because
 * it was pinned: it is still there, and can be moved, as far as that goes.
 */
static bool test_poison(void)
{
	const unsigned int bad = 100;
	struct sigaction action = { .sa_handler = on_sigbus }, old;
	bool good = true;
	struct mo_mem mem;
	struct iovec iov;
	struct snap before;
	char pfn[32];
	int fds[2];

	expect_alloc(&mem, MO_THP, 2);
	sprintf(pfn, "0x%llx", pfn_of(mem.addr + bad * MO_BASE));
	iov.iov_base = mem.addr;
	iov.iov_len = MO_BASE;
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != (ssize_t)MO_BASE)
		ksft_exit_fail_msg("vmsplice: %s\n", strerror(errno));
	/* madvise() lets its caller know as if he had looked. */
	sigaction(SIGBUS, &action, &old);
	madvise(mem.addr + bad * MO_BASE, MO_BASE, MADV_HWPOISON);
	sigaction(SIGBUS, &old, NULL);
	close(fds[0]);
	close(fds[1]);
	MO_EXPECT(mo_whole(&mem), "it was split");

	before = snap();
	good &= moves(&mem);
	/* At once: it is free now, and somebody could get it. */
	MO_EXPECT(!mo_write(pfn, HWPOISON "/unpoison-pfn"), "%s", pfn);
	good &= risen_by(&before, "poison", 1, NULL, 0, 1);
	mo_free(&mem);
	return good;
}

/* By who migrates */

/* A task that reclaims memory of its group demotes it. */
static bool test_context(void)
{
	int slow = mo_nodes[mo_nr_nodes - 1];
	struct snap before;
	struct mo_mem mem;
	bool good = true;
	long long nr;

	node_set(slow, "reasons", "demotion");
	mo_write("+memory", CGROUP "/cgroup.subtree_control");
	mkdir(CGROUP "/mo-refused", 0755);
	must_write("0", CGROUP "/mo-refused/cgroup.procs");
	expect_alloc(&mem, MO_ANON, 512);
	must_write("1", DEMOTION);
	mo_write("1", "/proc/self/clear_refs");
	before = snap();
	nr = mo_vmstat("\npgdemote_direct ");
	mo_write("1M", CGROUP "/mo-refused/memory.reclaim");
	must_write("0", DEMOTION);
	nr = mo_vmstat("\npgdemote_direct ") - nr;
	ksft_print_msg("%lld pages were demoted\n", nr);
	MO_EXPECT(nr > 0, "%lld", nr);
	MO_EXPECT(mo_folios_on(&mem, slow) == nr, "%u", mo_folios_on(&mem, slow));
	MO_EXPECT(mo_bad_bytes(&mem) == 0, "%zu", mo_bad_bytes(&mem));
	good &= risen_by(&before, "context", nr, NULL, 0, 0);
	must_write("0", CGROUP "/cgroup.procs");
	mo_free(&mem);
	rmdir(CGROUP "/mo-refused");
	return good;
}

/* No counter is forgotten here. */
static bool test_all(void)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < NR_WHYS; i++)
		MO_EXPECT(seen[i] == whys[i].here, "refused_%s has%s risen",
			  whys[i].why, seen[i] ? "" : " not");
	return good;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "reason: not among the node's", test_reason },
	{ "too_small: a byte less than min_bytes", test_too_small },
	{ "no_engine: not there", test_nowhere },
	{ "no_engine: failed", test_failed },
	{ "busy: all batches in flight", test_busy },
	{ "limits: alignment", test_align },
	{ "limits: highest address", test_max_addr },
	{ "bounce: not without a copy", test_bounce },
	{ "submit: the engine says no", test_submit },
	{ "pinned: by a pipe", test_pinned },
	{ "mapping: page cache with buffers", test_mapping },
	{ "poison: known before", test_poison },
	{ "context: direct reclaim", test_context },
	{ "all counters", test_all },
};

/* Nobody else is to migrate. */
static const struct {
	const char *path, *value;
} quiets[] = {
	{ "/proc/sys/vm/compaction_proactiveness", "0" },
	{ "/proc/sys/kernel/numa_balancing", "0" },
};

int main(void)
{
	char old[ARRAY_SIZE(quiets)][32];
	unsigned int i;
	bool good;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 3 || mo_nr_sims() < 2 || !mo_exists(MO_SIM "/sim0"))
		ksft_exit_skip("needs three nodes, and sim0 and sim1 in debugfs\n");
	if (!mo_exists(HWPOISON "/unpoison-pfn") || !mo_exists(DISK) ||
	    !mo_exists(CGROUP "/cgroup.procs"))
		ksft_exit_skip("needs CONFIG_HWPOISON_INJECT, %s, and a cgroup2\n",
			       DISK);
	from = mo_nodes[0];
	to = mo_nodes[1];
	for (i = 0; i < ARRAY_SIZE(quiets); i++) {
		old[i][0] = '\0';
		mo_read(old[i], sizeof(old[i]), "%s", quiets[i].path);
		mo_write(quiets[i].value, "%s", quiets[i].path);
	}
	mo_sim_calm();
	mo_policy("sim0");
	must_write("600000", MO_SYSFS "/engines/sim0/timeout_ms");
	mo_enable(true);
	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		mo_policy("sim0");
		good = tests[i].run();
		mo_sim_calm();
		ksft_test_result(good, "%s\n", tests[i].name);
	}
	mo_enable(false);
	must_write("1000", MO_SYSFS "/engines/sim0/timeout_ms");
	must_write("1000", MO_SYSFS "/engines/sim1/timeout_ms");
	mo_policy("auto");
	for (i = 0; i < ARRAY_SIZE(quiets); i++)
		mo_write(old[i], "%s", quiets[i].path);
	ksft_finished();
}
