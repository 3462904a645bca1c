// SPDX-License-Identifier: GPL-2.0
/*
 * Engines that fail, lie, lose, hang, write late, do not let go, or are taken
 * away: no byte is lost, no migration waits for ever, nothing is written to
 * memory that has been given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "mo_util.h"

#define DRIVER		"/sys/bus/platform/drivers/migrate-offload-sim"
#define HUGEPAGES	"/sys/kernel/mm/hugepages/hugepages-2048kB"
/* For emulated machines on busy hosts: far from "for ever", that is all. */
#define MARGIN_MS	10000
/* Who is to miss a deadline has a short one; nobody else is to miss any. */
#define TIMEOUT_MS	500
#define PATIENT_MS	MARGIN_MS
#define NR		64

static int from, to;

static void set_deadline(const char *engine, int ms)
{
	char text[16];

	sprintf(text, "%d", ms);
	if (mo_write(text, MO_SYSFS "/engines/%s/timeout_ms", engine))
		ksft_exit_fail_msg("cannot set the deadline\n");
}

/* Counters of the simulated engines start anew when they are bound anew. */
static long long engine_stat(unsigned int sim, const char *name)
{
	char engine[16];

	sprintf(engine, "sim%u", sim);
	return mo_engine_stat(engine, name);
}

static void expect_alloc(struct mo_mem *mem, enum mo_kind kind,
			 unsigned int nr, int node)
{
	int err = mo_alloc(mem, kind, nr, node);

	if (err)
		ksft_exit_fail_msg("no %s memory on node %d: %s\n",
				   mo_kind_names[kind], node, strerror(-err));
}

/* Move, and return how many folios arrived; all bytes of all of them count. */
static bool move_safely(struct mo_mem *mem, int node, unsigned int *arrived)
{
	unsigned int on_from = mo_folios_on(mem, node == to ? from : to);
	unsigned int before = mo_folios_on(mem, node), left;
	__u64 start, ms;
	bool good = true;
	size_t bad;
	int ret;

	MO_EXPECT(before + on_from == mem->nr, "%u + %u", before, on_from);
	mo_fill(mem);
	start = mo_now_ms();
	ret = mo_move(mem, node);
	ms = mo_now_ms() - start;
	bad = mo_bad_bytes(mem);
	*arrived = mo_folios_on(mem, node);
	left = mo_folios_on(mem, node == to ? from : to);

	MO_EXPECT(ret >= 0, "%s", strerror(-ret));
	MO_EXPECT(!bad, "%zu", bad);
	MO_EXPECT(*arrived + left == mem->nr, "%u + %u", *arrived, left);
	MO_EXPECT(ms < PATIENT_MS + MARGIN_MS, "%llu", (unsigned long long)ms);
	return good;
}

static bool move_all(struct mo_mem *mem, int node)
{
	unsigned int arrived;
	bool good = move_safely(mem, node, &arrived);

	MO_EXPECT(arrived == mem->nr, "%u", arrived);
	return good;
}

/* A failed engine comes back and copies. */
static bool comes_back(const char *engine)
{
	struct mo_counts before, n;
	struct mo_mem mem;
	bool good = true;
	int err;

	MO_EXPECT(mo_engine_is(engine, "failed"), "%s is not", engine);
	MO_EXPECT(mo_stat_comes(engine, "quarantined_pages", 0, MARGIN_MS),
		  "%lld", mo_engine_stat(engine, "quarantined_pages"));
	MO_EXPECT(mo_stat_comes(engine, "inflight", 0, MARGIN_MS), "%lld",
		  mo_engine_stat(engine, "inflight"));
	mo_sim_calm();
	err = mo_write("1", MO_SYSFS "/engines/%s/reset", engine);
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_is(engine, "online"), "%s is not", engine);

	set_deadline(engine, PATIENT_MS);
	mo_policy(engine);
	expect_alloc(&mem, MO_ANON, NR, from);
	before = mo_counts();
	good &= move_all(&mem, to);
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine == NR, "%lld", n.engine);
	mo_free(&mem);
	return good;
}

/* While it has failed it is not waited for: the CPU copies, without timeouts. */
static bool is_left_alone(unsigned int sim)
{
	long long timeouts = engine_stat(sim, "timeouts");
	struct mo_counts before = mo_counts(), n;
	long long refused = mo_refused("no_engine");
	struct mo_mem mem;
	bool good = true;

	expect_alloc(&mem, MO_ANON, NR, from);
	good &= move_all(&mem, to);
	n = mo_counts_since(&before);
	refused = mo_refused("no_engine") - refused;
	MO_EXPECT(n.offered == NR, "%lld", n.offered);
	MO_EXPECT(refused == NR, "%lld", refused);
	MO_EXPECT(engine_stat(sim, "timeouts") == timeouts, "%lld", timeouts);
	mo_free(&mem);
	return good;
}

static bool test_fail(void)
{
	long long errors = engine_stat(0, "errors"), timeouts = engine_stat(0, "timeouts");
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	bool good = true;

	expect_alloc(&mem, MO_ANON, NR, from);
	mo_sim_fault(0, "fail", 100, -1);
	good &= move_all(&mem, to);
	n = mo_counts_since(&before);
	MO_EXPECT(n.offered == NR, "%lld", n.offered);
	MO_EXPECT(n.engine == 0, "%lld", n.engine);
	MO_EXPECT(n.cpu + n.failed == NR, "%lld + %lld", n.cpu, n.failed);
	MO_EXPECT(engine_stat(0, "errors") > errors, "%lld", errors);
	MO_EXPECT(engine_stat(0, "timeouts") == timeouts, "%lld", timeouts);
	MO_EXPECT(engine_stat(0, "quarantined_pages") == 0, "%lld",
		  engine_stat(0, "quarantined_pages"));
	MO_EXPECT(mo_engine_is("sim0", "online"), "it is not");
	mo_free(&mem);
	return good;
}

/* All errors, all the time: it is taken out of service. */
static bool test_fail_always(void)
{
	struct mo_mem mem;
	bool good = true;
	int i;

	expect_alloc(&mem, MO_ANON, 16, from);
	mo_sim_fault(0, "fail", 100, -1);
	for (i = 0; i < 100 && mo_engine_is("sim0", "online"); i++)
		good &= move_all(&mem, i & 1 ? from : to);
	mo_free(&mem);
	MO_EXPECT(i > 1 && i < 100, "%d", i);
	good &= is_left_alone(0);
	good &= comes_back("sim0");
	return good;
}

/*
 * Some extents of a batch fail: their folios only are copied by the CPU. A folio
 * of 2 MiB is a batch by itself, an extent for each channel: many in a row would
 * have nothing copied, and the engine failed, if each failed as often.
 */
static bool test_fail_some(void)
{
	static const struct {
		enum mo_kind kind;
		unsigned int nr, percent;
	} some[] = {
		{ MO_ANON, NR, 30 }, { MO_THP, 4, 5 },
	};
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	bool good = true;
	unsigned int i, j;

	for (j = 0; j < ARRAY_SIZE(some); j++) {
		mo_sim_fault(0, "fail", some[j].percent, -1);
		expect_alloc(&mem, some[j].kind, some[j].nr, from);
		for (i = 0; i < 10; i++)
			good &= move_all(&mem, i & 1 ? from : to);
		mo_free(&mem);
	}
	n = mo_counts_since(&before);
	MO_EXPECT(n.offered == 10 * (NR + 4), "%lld", n.offered);
	MO_EXPECT(n.engine > 0 && n.engine < n.offered, "%lld", n.engine);
	MO_EXPECT(mo_engine_is("sim0", "online"), "it is not");
	return good;
}

/* Not a promise of the kernel's: it proves that these tests look at the bytes. */
static bool test_lie(void)
{
	enum mo_kind kinds[] = { MO_ANON, MO_THP, MO_SHMEM };
	struct mo_mem mem;
	bool good = true;
	size_t bad;
	int i;

	mo_sim_fault(0, "lie", 100, -1);
	for (i = 0; i < 3; i++) {
		expect_alloc(&mem, kinds[i], kinds[i] == MO_THP ? 1 : NR, from);
		mo_move(&mem, to);
		bad = mo_bad_bytes(&mem);
		MO_EXPECT(bad > 0, "%zu of %s", bad, mo_kind_names[kinds[i]]);
		MO_EXPECT(mo_folios_on(&mem, to) == mem.nr, "%u",
			  mo_folios_on(&mem, to));
		mo_free(&mem);
	}
	mo_sim_fault(0, "lie", 0, -1);
	return good;
}

/* A deadline is missed; what then was done can be moved by the CPU at last. */
static bool dies(const char *fault, unsigned int *left)
{
	long long timeouts = engine_stat(0, "timeouts");
	struct mo_mem mem;
	bool good = true;
	unsigned int arrived;

	expect_alloc(&mem, MO_ANON, NR, from);
	mo_sim_fault(0, fault, 100, 1);
	good &= move_safely(&mem, to, &arrived);
	*left = mem.nr - arrived;
	MO_EXPECT(engine_stat(0, "timeouts") > timeouts, "%lld", timeouts);
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");
	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", engine_stat(0, "quarantined_pages"));
	good &= move_all(&mem, to);
	mo_free(&mem);
	good &= is_left_alone(0);
	good &= comes_back("sim0");
	return good;
}

static bool test_lose(void)
{
	unsigned int left;

	return dies("lose", &left);
}

static bool test_hang(void)
{
	unsigned int left;

	return dies("hang", &left);
}

/*
 * Give back memory of which the engine holds pages, and have the kernel use
 * all it can for something else: whatever the engine writes now must not show.
 */
static void soak(struct mo_mem soak[2])
{
	expect_alloc(&soak[0], MO_ANON, 512, from);
	expect_alloc(&soak[1], MO_ANON, 512, to);
}

static bool soaked(struct mo_mem soak[2])
{
	bool good = true;
	size_t bad;
	int i;

	for (i = 0; i < 2; i++) {
		bad = mo_bad_bytes(&soak[i]);
		MO_EXPECT(!bad, "%zu", bad);
		mo_free(&soak[i]);
	}
	return good;
}

static bool test_stuck(void)
{
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem, other[2];
	unsigned int arrived;
	bool good = true;
	int err;

	expect_alloc(&mem, MO_ANON, NR, from);
	mo_sim_set(0, "stuck", 1);
	mo_sim_fault(0, "hang", 100, -1);
	good &= move_safely(&mem, to, &arrived);
	n = mo_counts_since(&before);
	/* All channels hang: nothing may arrive, for nothing was let go. */
	MO_EXPECT(arrived == 0, "%u", arrived);
	MO_EXPECT(n.quarantined == NR, "%lld", n.quarantined);
	MO_EXPECT(n.failed == NR, "%lld", n.failed);
	MO_EXPECT(engine_stat(0, "quarantined_pages") == 2 * NR, "%lld",
		  engine_stat(0, "quarantined_pages"));
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");
	good &= is_left_alone(0);

	err = mo_write("1", MO_SYSFS "/engines/sim0/reset");
	MO_EXPECT(err == -EBUSY, "%s", strerror(-err));
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");
	MO_EXPECT(engine_stat(0, "quarantined_pages") == 2 * NR, "%lld",
		  engine_stat(0, "quarantined_pages"));

	mo_free(&mem);
	soak(other);
	mo_sim_fault(0, "hang", 0, -1);
	mo_sim_set(0, "stuck", 0);
	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", engine_stat(0, "quarantined_pages"));
	good &= soaked(other);
	good &= comes_back("sim0");
	return good;
}

/* Late writes, into folios of which the process no longer has the source. */
static bool test_late(void)
{
	long long late = mo_sim_stat(0, "late_writes");
	struct mo_mem mem, other[2];
	unsigned int arrived;
	bool good = true;

	expect_alloc(&mem, MO_ANON, NR, from);
	mo_sim_set(0, "late_ms", TIMEOUT_MS + 3000);
	mo_sim_fault(0, "late", 100, -1);
	good &= move_safely(&mem, to, &arrived);
	MO_EXPECT(mo_sim_stat(0, "late_writes") == late, "%lld", late);
	MO_EXPECT(engine_stat(0, "quarantined_pages") > 0, "%lld",
		  engine_stat(0, "quarantined_pages"));
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");
	mo_free(&mem);
	soak(other);

	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", engine_stat(0, "quarantined_pages"));
	MO_EXPECT(mo_sim_stat(0, "late_writes") > late, "%lld", late);
	good &= soaked(other);
	good &= comes_back("sim0");
	return good;
}

/* Folios of hugetlb are waited for one by one, and fail one by one. */
static bool test_hugetlb_fail(void)
{
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	bool good = true;

	expect_alloc(&mem, MO_HUGETLB, 3, from);
	mo_sim_fault(0, "fail", 100, 1);
	good &= move_all(&mem, to);
	n = mo_counts_since(&before);
	MO_EXPECT(n.offered == 3, "%lld", n.offered);
	MO_EXPECT(n.engine == 2, "%lld", n.engine);
	MO_EXPECT(n.failed == 1, "%lld", n.failed);
	MO_EXPECT(n.quarantined == 0, "%lld", n.quarantined);
	mo_free(&mem);
	return good;
}

static bool test_hugetlb_stuck(void)
{
	struct mo_counts before = mo_counts(), n;
	unsigned int arrived, pages = MO_2M / MO_BASE;
	struct mo_mem mem, other[2];
	bool good = true;

	expect_alloc(&mem, MO_HUGETLB, 3, from);
	mo_sim_set(0, "stuck", 1);
	mo_sim_fault(0, "hang", 100, -1);
	good &= move_safely(&mem, to, &arrived);
	n = mo_counts_since(&before);
	/* The first waits for the engine, and the others do without. */
	MO_EXPECT(arrived == 2, "%u", arrived);
	MO_EXPECT(n.quarantined == 1, "%lld", n.quarantined);
	MO_EXPECT(n.failed == 1, "%lld", n.failed);
	MO_EXPECT(engine_stat(0, "quarantined_pages") == 2 * pages, "%lld",
		  engine_stat(0, "quarantined_pages"));
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");

	mo_free(&mem);
	soak(other);
	mo_sim_fault(0, "hang", 0, -1);
	mo_sim_set(0, "stuck", 0);
	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", engine_stat(0, "quarantined_pages"));
	good &= soaked(other);
	MO_EXPECT(!mo_number(HUGEPAGES "/nr_hugepages") &&
		  !mo_number(HUGEPAGES "/surplus_hugepages"), "%lld, %lld",
		  mo_number(HUGEPAGES "/nr_hugepages"),
		  mo_number(HUGEPAGES "/surplus_hugepages"));
	good &= comes_back("sim0");
	return good;
}

/* Late, but within the deadline, is no failure. */
static bool test_slow(void)
{
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	bool good = true;

	set_deadline("sim0", 3 * PATIENT_MS);
	mo_sim_set(0, "late_ms", 1000);
	mo_sim_fault(0, "late", 100, 1);
	mo_sim_set(0, "order", 2);
	mo_sim_set(0, "delay_us", 500);
	mo_sim_set(0, "bandwidth_mb", 1000);
	expect_alloc(&mem, MO_ANON, NR, from);
	good &= move_all(&mem, to);
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine == NR, "%lld", n.engine);
	MO_EXPECT(mo_engine_is("sim0", "online"), "it is not");
	mo_free(&mem);
	return good;
}

static bool test_other_goes_on(void)
{
	struct mo_counts before, n;
	long long folios, timeouts;
	unsigned int arrived;
	struct mo_mem mem;
	bool good = true;

	mo_policy("sim0,sim1");
	expect_alloc(&mem, MO_ANON, NR, from);
	mo_sim_fault(0, "hang", 100, -1);
	good &= move_safely(&mem, to, &arrived);
	MO_EXPECT(mo_engine_is("sim0", "failed"), "it is not");
	MO_EXPECT(mo_engine_is("sim1", "online"), "it is not");
	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", engine_stat(0, "quarantined_pages"));
	if (arrived < NR)
		good &= move_all(&mem, to);

	folios = engine_stat(1, "folios");
	timeouts = engine_stat(0, "timeouts") + engine_stat(1, "timeouts");
	before = mo_counts();
	good &= move_all(&mem, from);
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine == NR, "%lld", n.engine);
	MO_EXPECT(engine_stat(1, "folios") - folios == NR, "%lld", folios);
	MO_EXPECT(engine_stat(0, "timeouts") + engine_stat(1, "timeouts") == timeouts,
		  "%lld", timeouts);
	mo_free(&mem);
	good &= comes_back("sim0");
	return good;
}

/* Somebody else may write to the page while it is copied: it is not ours. */
static bool test_pinned(void)
{
	long long pinned = mo_refused("pinned");
	struct mo_counts before = mo_counts(), n;
	unsigned int arrived, i;
	struct iovec iov[4];
	struct mo_mem mem;
	bool good = true;
	int fds[2];

	expect_alloc(&mem, MO_ANON, NR, from);
	if (pipe(fds))
		return false;
	for (i = 0; i < 4; i++) {
		iov[i].iov_base = mem.addr + (10 + i) * MO_BASE;
		iov[i].iov_len = MO_BASE;
	}
	MO_EXPECT(vmsplice(fds[1], iov, 4, 0) == 4 * MO_BASE, "%m");
	good &= move_safely(&mem, to, &arrived);
	MO_EXPECT(arrived == NR - 4, "%u", arrived);
	pinned = mo_refused("pinned") - pinned;
	n = mo_counts_since(&before);
	MO_EXPECT(pinned >= 4, "%lld", pinned);
	MO_EXPECT(n.engine == NR - 4, "%lld", n.engine);
	close(fds[0]);
	close(fds[1]);
	good &= move_all(&mem, to);
	mo_free(&mem);
	return good;
}

/* Migrations that go on while engines are taken away. */
static atomic_bool stop;
static atomic_ullong moved, bad;

static void *mover(void *arg)
{
	enum mo_kind kind = *(enum mo_kind *)arg;
	struct mo_mem mem;
	int back = 0;

	expect_alloc(&mem, kind, kind == MO_THP ? 2 : NR, from);
	for (; !stop; back = !back) {
		mo_fill(&mem);
		mo_move(&mem, back ? from : to);
		bad += mo_bad_bytes(&mem);
		moved += mo_folios_on(&mem, back ? from : to);
	}
	mo_free(&mem);
	return NULL;
}

/* Until @sim has work to do. */
static void wait_busy(unsigned int sim)
{
	__u64 start = mo_now_ms();

	while (engine_stat(sim, "inflight") <= 0 && mo_now_ms() - start < MARGIN_MS)
		mo_sleep_ms(1);
}

static bool while_moving(enum mo_kind kind, bool (*pull)(void))
{
	unsigned long long was;
	pthread_t thread;
	__u64 start;
	bool good = true;

	stop = false;
	moved = 0;
	bad = 0;
	if (pthread_create(&thread, NULL, mover, &kind))
		return false;
	good &= pull();
	/* And it goes on. */
	was = moved;
	for (start = mo_now_ms(); moved == was;) {
		if (mo_now_ms() - start > 2 * MARGIN_MS)
			break;
		mo_sleep_ms(10);
	}
	MO_EXPECT(moved > was, "%llu", was);
	stop = true;
	pthread_join(thread, NULL);
	MO_EXPECT(!bad, "%llu", (unsigned long long)bad);
	return good;
}

static bool pull_out(unsigned int sim)
{
	char device[32];
	bool good = true, gone;
	int err;

	sprintf(device, "migrate-offload-sim.%u", sim);
	MO_EXPECT(mo_sim_stat(sim, "wild_writes") == 0, "sim%u wrote wild", sim);
	err = mo_write(device, DRIVER "/unbind");
	MO_EXPECT(!err, "%s", strerror(-err));
	gone = !mo_exists(MO_SYSFS "/engines/sim%u", sim);
	MO_EXPECT(gone, "sim%u", sim);
	return good;
}

static bool put_in(unsigned int sim)
{
	char device[32], engine[16];
	bool good = true;
	int err;

	sprintf(device, "migrate-offload-sim.%u", sim);
	sprintf(engine, "sim%u", sim);
	err = mo_write(device, DRIVER "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_is(engine, "online"), "%s", engine);
	set_deadline(engine, PATIENT_MS);
	return good;
}

static bool unbind_busy(void)
{
	bool good = true;

	/* Well within the deadline: it may end what it has begun. */
	mo_sim_set(0, "delay_us", 100000);
	wait_busy(0);
	good &= pull_out(0);
	good &= put_in(0);
	return good;
}

static bool test_unbind_busy(void)
{
	return while_moving(MO_ANON, unbind_busy);
}

static bool unbind_often(void)
{
	bool good = true;
	int i;

	for (i = 0; i < 10 && good; i++) {
		mo_sim_set(0, "delay_us", 1000);
		wait_busy(0);
		good &= pull_out(0);
		mo_sleep_ms(5);
		good &= put_in(0);
	}
	return good;
}

static bool test_unbind_often(void)
{
	return while_moving(MO_ANON, unbind_often) &
	       while_moving(MO_THP, unbind_often);
}

static bool unbind_hung(void)
{
	bool good = true;

	mo_sim_set(0, "stuck", 1);
	mo_sim_fault(0, "hang", 100, -1);
	MO_EXPECT(mo_engine_comes("sim0", "failed", MARGIN_MS), "it is not");
	MO_EXPECT(engine_stat(0, "inflight") > 0, "%lld", engine_stat(0, "inflight"));
	good &= pull_out(0);
	good &= put_in(0);
	return good;
}

/* A dead device that is pulled out, and its successor. */
static bool test_unbind_hung(void)
{
	struct mo_counts before, n;
	struct mo_mem mem;
	bool good = while_moving(MO_ANON, unbind_hung);

	before = mo_counts();
	expect_alloc(&mem, MO_ANON, NR, from);
	good &= move_all(&mem, to);
	mo_free(&mem);
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine == NR, "%lld", n.engine);
	return good;
}

#define MODULE		"migrate_offload_sim"
#define PARAMETERS	"/sys/module/" MODULE "/parameters/"

static const char *module_file(void)
{
	return getenv("MO_SIM_MODULE") ?: "/lib/modules/" MODULE ".ko";
}

static bool reload(void)
{
	char node[64], engines[16], channels[16], args[256];
	bool good = true;
	int fd, err;

	if (mo_read(node, sizeof(node), PARAMETERS "node") < 0 ||
	    mo_read(engines, sizeof(engines), PARAMETERS "nr_engines") < 0 ||
	    mo_read(channels, sizeof(channels), PARAMETERS "channels") < 0)
		return false;
	sprintf(args, "nr_engines=%s channels=%s node=%s", engines, channels,
		node);

	mo_sim_set(0, "delay_us", 20000);
	wait_busy(0);
	err = syscall(SYS_delete_module, MODULE, O_NONBLOCK) ? errno : 0;
	MO_EXPECT(!err, "%s", strerror(err));
	MO_EXPECT(!mo_exists(MO_SYSFS "/engines/sim0"), "sim0");
	mo_sleep_ms(20);
	fd = open(module_file(), O_RDONLY | O_CLOEXEC);
	err = syscall(SYS_finit_module, fd, args, 0) ? errno : 0;
	MO_EXPECT(!err, "%s: %s", module_file(), strerror(err));
	close(fd);
	MO_EXPECT(mo_engine_is("sim0", "online"), "it is not");
	set_deadline("sim0", PATIENT_MS);
	return good;
}

static bool test_reload(void)
{
	return while_moving(MO_ANON, reload);
}

static const struct {
	const char *name;
	bool (*run)(void);
	bool dies;	/* of a deadline that it misses */
} tests[] = {
	{ "all extents fail: the CPU copies", test_fail },
	{ "an engine that only fails is taken out of service", test_fail_always },
	{ "some extents fail", test_fail_some },
	{ "a lie: wrong bytes are seen by these tests", test_lie },
	{ "slow, out of order, but in time", test_slow },
	{ "a lost completion", test_lose, true },
	{ "a channel that hangs", test_hang, true },
	{ "late writes", test_late, true },
	{ "an engine that hangs and does not let go", test_stuck, true },
	{ "hugetlb: one folio fails, and the CPU copies it", test_hugetlb_fail },
	{ "hugetlb: an engine that hangs keeps one folio", test_hugetlb_stuck, true },
	{ "one engine hangs, the other goes on", test_other_goes_on, true },
	{ "pinned pages stay, and stay right", test_pinned },
	{ "unbound while busy", test_unbind_busy },
	{ "unbound and bound again and again", test_unbind_often },
	{ "unbound while hung", test_unbind_hung, true },
	{ "the module is removed while busy, and loaded again", test_reload },
};

/* After each test, however it ended: nothing leaked, all sums are right. */
static bool tidy(void)
{
	bool good = true;
	unsigned int sim;
	char engine[16];

	mo_sim_calm();
	for (sim = 0; sim < mo_nr_sims(); sim++) {
		sprintf(engine, "sim%u", sim);
		MO_EXPECT(mo_stat_comes(engine, "inflight", 0, MARGIN_MS),
			  "%s: %lld", engine, engine_stat(sim, "inflight"));
		MO_EXPECT(mo_stat_comes(engine, "quarantined_pages", 0,
					MARGIN_MS),
			  "%s: %lld", engine, engine_stat(sim, "quarantined_pages"));
		MO_EXPECT(mo_sim_stat(sim, "wild_writes") == 0, "%s: %lld",
			  engine, mo_sim_stat(sim, "wild_writes"));
		if (mo_engine_is(engine, "failed"))
			mo_write("1", MO_SYSFS "/engines/%s/reset", engine);
		MO_EXPECT(mo_engine_is(engine, "online"), "%s is not", engine);
	}
	good &= mo_adds_up();
	return good;
}

static void set_up(bool dies)
{
	set_deadline("sim0", dies ? TIMEOUT_MS : PATIENT_MS);
	set_deadline("sim1", PATIENT_MS);
	mo_policy("sim0");
	mo_enable(true);
}

int main(void)
{
	unsigned int i;
	bool good;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 2 || mo_nr_sims() < 2 || !mo_exists(MO_SIM "/sim0"))
		ksft_exit_skip("needs two nodes, and sim0 and sim1 in debugfs\n");
	from = mo_nodes[0];
	to = mo_nodes[1];

	mo_sim_calm();
	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		set_up(tests[i].dies);
		if (tests[i].run == test_reload &&
		    access(module_file(), R_OK)) {
			ksft_test_result_skip("%s: no %s\n", tests[i].name,
					      module_file());
			continue;
		}
		good = tests[i].run();
		good &= tidy();
		ksft_test_result(good, "%s\n", tests[i].name);
	}
	mo_enable(false);
	ksft_finished();
}
