// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is found to be poisoned before, while and after it is copied: it
 * ends as when the CPU copies.
 *
 * A simulated engine is held at one point of the copy, and memory is poisoned
 * meanwhile, as HWPOISON_INJECT does it. What is observed then is compared with
 * what is observed when the same happens and the CPU copies: where the window is
 * open, because the engine reports an error afterwards and leaves the copy to
 * the ordinary path; else with migration offload disabled.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mo_util.h"

#define HWPOISON	"/sys/kernel/debug/hwpoison"
/* For emulated machines on busy hosts: far from "for ever", that is all. */
#define MARGIN_MS	60000

#define KPF_BUDDY	10
#define KPF_HWPOISON	19

static int from, to, pagemap, kpageflags, kpagecount;

/* Physical pages */

static __u64 entry_of(int fd, __u64 nr)
{
	__u64 entry;

	if (pread(fd, &entry, sizeof(entry), nr * sizeof(entry)) != sizeof(entry))
		ksft_exit_fail_msg("cannot read about page %llx\n",
				   (unsigned long long)nr);
	return entry;
}

/* 0 if there is none. */
static __u64 pfn_of(const char *addr)
{
	__u64 entry = entry_of(pagemap, (uintptr_t)addr / MO_BASE);

	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

static bool has_flag(__u64 pfn, int flag)
{
	return pfn && entry_of(kpageflags, pfn) >> flag & 1;
}

static long long nr_corrupted(void)
{
	char text[4096], *at;

	if (mo_read(text, sizeof(text), "/proc/meminfo") < 0)
		return -1;
	at = strstr(text, "HardwareCorrupted:");
	return at ? strtoll(at + strlen("HardwareCorrupted:"), NULL, 10) / 4 : -1;
}

static int write_number(const char *path, __u64 number)
{
	char text[32];

	sprintf(text, "0x%llx", (unsigned long long)number);
	return mo_write(text, "%s", path);
}

/* Until its last user has let go of it. */
static bool heal(__u64 pfn)
{
	__u64 start = mo_now_ms();

	while (has_flag(pfn, KPF_HWPOISON)) {
		if (!write_number(HWPOISON "/unpoison-pfn", pfn))
			continue;
		if (mo_now_ms() - start > MARGIN_MS)
			return false;
		mo_sleep_ms(10);
	}
	return true;
}

/* Everything of this machine that still says that it is poisoned. */
static bool heal_all(void)
{
	__u64 flags[512], pfn = 0;
	bool good = true;
	ssize_t i, len;

	while ((len = pread(kpageflags, flags, sizeof(flags),
			    pfn * sizeof(*flags))) > 0) {
		for (i = 0; i < len / (ssize_t)sizeof(*flags); i++)
			if (flags[i] >> KPF_HWPOISON & 1 && !heal(pfn + i)) {
				ksft_print_msg("%llx stays poisoned\n",
					       (unsigned long long)pfn + i);
				good = false;
			}
		pfn += len / sizeof(*flags);
	}
	return good;
}

/* Looking at memory that may be poisoned */

static sigjmp_buf jump;
static volatile sig_atomic_t looking;
static const char *volatile looked_at;
static atomic_int early, strange;
/* madvise() lets its caller know as if he had looked. */
static __thread volatile sig_atomic_t injecting;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	if (info->si_code == BUS_MCEERR_AO || injecting) {
		early++;
	} else if (info->si_code == BUS_MCEERR_AR && looking) {
		strange += (uintptr_t)info->si_addr / MO_BASE !=
			   (uintptr_t)looked_at / MO_BASE;
		siglongjmp(jump, 1);
	} else {
		dprintf(STDOUT_FILENO, "Bail out! SIGBUS %d at %p\n",
			info->si_code, info->si_addr);
		_exit(1);
	}
}

static int inject(char *addr)
{
	int ret;

	injecting = 1;
	ret = madvise(addr, MO_BASE, MADV_HWPOISON) ? -errno : 0;
	injecting = 0;
	return ret;
}

struct look {
	unsigned int late;	/* pages that are a SIGBUS to look at */
	unsigned int elsewhere;	/* those of them that should not be */
	size_t bad;		/* bytes, of the other pages */
};

/* @original is what it contained. Only [first, first + nr) may be poisoned. */
static struct look look_at(const struct mo_mem *mem, const char *original,
			   size_t first, size_t nr)
{
	static char page[MO_BASE];
	static struct look look;
	static volatile size_t i;
	size_t byte;

	look = (struct look){};
	for (i = 0; i < mem->bytes / MO_BASE; i++) {
		looked_at = mem->addr + i * MO_BASE;
		if (sigsetjmp(jump, 1)) {
			looking = 0;
			look.late++;
			look.elsewhere += i < first || i >= first + nr;
			continue;
		}
		looking = 1;
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(page, mem->addr + i * MO_BASE, MO_BASE);
		atomic_signal_fence(memory_order_seq_cst);
		looking = 0;
		for (byte = 0; byte < MO_BASE; byte++)
			look.bad += page[byte] != original[i * MO_BASE + byte];
	}
	return look;
}

static char *copy_of(const struct mo_mem *mem)
{
	char *copy = malloc(mem->bytes);

	if (!copy)
		ksft_exit_fail_msg("out of memory\n");
	return memcpy(copy, mem->addr, mem->bytes);
}

static void expect_alloc(struct mo_mem *mem, enum mo_kind kind,
			 unsigned int nr, int node)
{
	int err = mo_alloc(mem, kind, nr, node);

	if (err)
		ksft_exit_fail_msg("no %s memory on node %d: %s\n",
				   mo_kind_names[kind], node, strerror(-err));
}

/* The engine */

static bool comes_back(void)
{
	bool good = true;
	int err;

	mo_sim_calm();
	MO_EXPECT(mo_stat_comes("sim0", "quarantined_pages", 0, MARGIN_MS),
		  "%lld", mo_engine_stat("sim0", "quarantined_pages"));
	MO_EXPECT(mo_stat_comes("sim0", "inflight", 0, MARGIN_MS), "%lld",
		  mo_engine_stat("sim0", "inflight"));
	err = mo_write("1", MO_SYSFS "/engines/sim0/reset");
	MO_EXPECT(!err, "%s", strerror(-err));
	return good;
}

/* The window */

enum point { NOWHERE, BEFORE_COPY, HALFWAY, AFTER_COPY };

/* The destination of the page that is being copied, or 0. */
static __u64 find_extent(__u64 pfn, unsigned int held)
{
	static char text[65536];
	unsigned long long src, dst;
	unsigned int at;
	__u64 page = 0;
	size_t len;
	char *line, *save;

	if (mo_read(text, sizeof(text), MO_SIM "/sim0/extents") < 0)
		return 0;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%llx %llx %zu %u", &src, &dst, &len, &at) == 4 &&
		    at == held && pfn >= src / MO_BASE &&
		    pfn < (src + len) / MO_BASE)
			page = dst / MO_BASE + pfn - src / MO_BASE;
	}
	return page;
}

/* More than there are folios in any row. */
#define MAX_FOLIOS	8
#define NO_STATUS	(-1000)

struct mover {
	pthread_t thread;
	const struct mo_mem *mem;
	int ret;
	int status[MAX_FOLIOS];
	atomic_bool ended;
};

/* As mo_move(), and what is said of each folio. */
static void *move(void *arg)
{
	struct mover *mover = arg;
	const struct mo_mem *mem = mover->mem;
	void *pages[MAX_FOLIOS];
	int nodes[MAX_FOLIOS];
	unsigned int i;

	for (i = 0; i < mem->nr; i++) {
		pages[i] = mem->addr + i * mem->folio;
		nodes[i] = to;
		mover->status[i] = NO_STATUS;
	}
	mover->ret = syscall(SYS_move_pages, 0, mem->nr, pages, nodes,
			     mover->status, 1 << 2 /* MPOL_MF_MOVE_ALL */);
	if (mover->ret < 0)
		mover->ret = -errno;
	mover->ended = true;
	return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg))
		ksft_exit_fail_msg("no thread\n");
}

/* Who uses the memory, rather than who looks after it, comes upon the poison. */
struct user {
	pthread_t thread;
	char *addr;
	bool started;
	int ret;
};

static void *use(void *arg)
{
	struct user *user = arg;

	user->ret = inject(user->addr);
	return NULL;
}

/* What is done to the memory, and when */

enum when { BEFORE, DURING, AFTER };

enum how {
	SRC_POISON,	/* by its page frame */
	DST_POISON,
	USE_POISON,	/* by its address, wherever it is */
};

static const struct row {
	const char *name;
	enum when when;
	enum point point;
	enum how how;
	bool signals;		/* to who looks at it */
} rows[] = {
	{ "poisoned before", BEFORE, 0, USE_POISON, true },
	{ "source poisoned before its copy", DURING, BEFORE_COPY, SRC_POISON },
	{ "source poisoned while copied", DURING, HALFWAY, SRC_POISON },
	{ "source poisoned after its copy", DURING, AFTER_COPY, SRC_POISON },
	{ "destination poisoned before the copy", DURING, BEFORE_COPY, DST_POISON },
	{ "destination poisoned while written", DURING, HALFWAY, DST_POISON },
	{ "destination poisoned after the copy", DURING, AFTER_COPY, DST_POISON },
	{ "poisoned by its user while copied", DURING, HALFWAY, USE_POISON, true },
	{ "old page poisoned after the move", AFTER, 0, SRC_POISON },
	{ "new page poisoned after the move", AFTER, 0, DST_POISON, true },
	{ "poisoned by its user after the move", AFTER, 0, USE_POISON, true },
};

static const struct {
	enum mo_kind kind;
	unsigned int nr;
	unsigned int page;	/* this one is poisoned, of the first folio */
} kinds[] = {
	{ MO_ANON, 4, 0 },
	{ MO_THP, 2, 100 },
};

/* What can be observed. */
struct end {
	int done;		/* what poisoning returned */
	int moved;		/* what migrating returned */
	int status[MAX_FOLIOS];	/* and said of each folio */
	unsigned int arrived;
	unsigned int early;	/* signals without having looked */
	struct look look;
	bool src_poisoned, dst_poisoned;
	bool in_place;		/* in that destination, not in another one */
	bool given_back;	/* poisoned, and free for somebody to get */
	long long corrupted;
};

static int do_it(const struct row *row, __u64 src, __u64 dst, struct user *user)
{
	switch (row->how) {
	case SRC_POISON:
		return write_number(HWPOISON "/corrupt-pfn", src);
	case DST_POISON:
		return write_number(HWPOISON "/corrupt-pfn", dst);
	default:
		user->started = true;
		/* It waits until the folio has been moved. */
		start(&user->thread, use, user);
		if (row->when == DURING)
			return 0;
		pthread_join(user->thread, NULL);
		return user->ret;
	}
}

static void take_results(struct end *end, const struct mover *mover)
{
	end->moved = mover->ret;
	memcpy(end->status, mover->status,
	       mover->mem->nr * sizeof(end->status[0]));
}

/* Poison it while the engine is held; returns the destination. */
static __u64 during(const struct row *row, struct mo_mem *mem, __u64 src,
		    struct user *user, struct end *end)
{
	struct mover mover = { .mem = mem };
	__u64 dst;
	/* What fails is not copied before it has failed. */
	enum point point = mo_number(MO_SIM "/sim0/fail/probability") ?
			   BEFORE_COPY : row->point;

	mo_sim_set(0, "hold_at", point);
	start(&mover.thread, move, &mover);
	while (!(dst = find_extent(src, point)) && !mover.ended)
		mo_sleep_ms(1);
	if (!dst)
		ksft_print_msg("it is not being copied\n");
	end->done = do_it(row, src, dst, user);
	/* Be it that it gets to where it waits, or that it does not. */
	if (user->started)
		mo_sleep_ms(20);
	mo_sim_set(0, "hold_at", NOWHERE);
	pthread_join(mover.thread, NULL);
	take_results(end, &mover);
	if (user->started) {
		pthread_join(user->thread, NULL);
		end->done = user->ret;
	}
	return dst;
}

/* A page that is free, so that nobody else gets hurt. */
static bool is_free(__u64 pfn)
{
	return has_flag(pfn, KPF_BUDDY) ||
	       (!entry_of(kpageflags, pfn) && !entry_of(kpagecount, pfn));
}

static bool run_row(const struct row *row, unsigned int k, struct end *end)
{
	unsigned int victim = kinds[k].page;
	long long corrupted = nr_corrupted();
	struct user user = {};
	struct mover mover;
	__u64 src, dst = 0;
	struct mo_mem mem;
	bool good = true;
	char *original;

	memset(end, 0, sizeof(*end));
	expect_alloc(&mem, kinds[k].kind, kinds[k].nr, from);
	original = copy_of(&mem);
	src = pfn_of(mem.addr + victim * MO_BASE);
	user.addr = mem.addr + victim * MO_BASE;
	early = 0;

	if (row->when == BEFORE)
		end->done = do_it(row, src, dst, &user);
	if (row->when == DURING) {
		dst = during(row, &mem, src, &user, end);
	} else {
		mover.mem = &mem;
		move(&mover);
		take_results(end, &mover);
	}
	end->src_poisoned = has_flag(src, KPF_HWPOISON);
	if (row->when == AFTER) {
		dst = pfn_of(user.addr);
		/* Or somebody has it already, and nothing is to be seen. */
		if (row->how != SRC_POISON || is_free(src))
			end->done = do_it(row, src, dst, &user);
		end->src_poisoned = has_flag(src, KPF_HWPOISON);
	}
	/* What is free within something large may not stay like that. */
	if (kinds[k].kind != MO_ANON && row->when != BEFORE)
		MO_EXPECT(heal(src), "the source stays poisoned");
	end->dst_poisoned = has_flag(dst, KPF_HWPOISON);
	end->given_back = (end->src_poisoned && has_flag(src, KPF_BUDDY) &&
			   mem.folio == MO_BASE) ||
			  (end->dst_poisoned && has_flag(dst, KPF_BUDDY));
	end->corrupted = nr_corrupted() - corrupted;

	end->in_place = dst && pfn_of(user.addr) == dst;
	end->look = look_at(&mem, original, victim, 1);
	end->arrived = mo_folios_on(&mem, to);
	end->early = early;
	mo_free(&mem);
	free(original);

	if (kinds[k].kind == MO_ANON) {
		end->given_back |= has_flag(src, KPF_HWPOISON) &&
				   has_flag(src, KPF_BUDDY);
		end->given_back |= has_flag(dst, KPF_HWPOISON) &&
				   has_flag(dst, KPF_BUDDY);
	}
	MO_EXPECT(heal(src) && heal(dst), "%llx, %llx",
		  (unsigned long long)src, (unsigned long long)dst);
	if (nr_corrupted() != corrupted)
		good &= heal_all();
	MO_EXPECT(nr_corrupted() == corrupted, "%lld, not %lld", nr_corrupted(),
		  corrupted);
	return good;
}

static void print_end(const char *name, const struct end *end)
{
	ksft_print_msg("%s: poisoning %d, moving %d (%d %d %d %d), %u arrived, corrupted: %lld\n",
		       name, end->done, end->moved, end->status[0],
		       end->status[1], end->status[2], end->status[3],
		       end->arrived, end->corrupted);
	ksft_print_msg("%s: signals: %u early, %u late, %u elsewhere, %zu bytes differ\n",
		       name, end->early, end->look.late, end->look.elsewhere,
		       end->look.bad);
	ksft_print_msg("%s: poisoned: %d %d, in place: %d, given back: %d\n",
		       name, end->src_poisoned, end->dst_poisoned,
		       end->in_place, end->given_back);
}

/* A way to copy; with the first one it is the CPU as ever. */
static const struct way {
	const char *engines;	/* NULL: migration offload is off */
	bool fails;
	bool during;
} ways[] = {
	{ NULL },
	{ "sim0", .fails = true, .during = true },
	{ "cpu" },
	{ "cpu-mt" },
	{ "sim0" },
	{ "sim0", .during = true },
};

static void set_way(const struct way *way)
{
	mo_policy(way->engines ?: "sim0");
	mo_sim_fault(0, "fail", way->fails ? 100 : 0, -1);
	mo_enable(way->engines);
}

static bool run_way(const struct row *row, unsigned int k, const struct way *way,
		    struct end *end)
{
	struct mo_counts before, n;
	bool good = true, online;
	int tries = 5;

	/*
	 * An engine that reports an error has 100 ms to let go of the batch.
	 * That is not always enough where all of it is emulated.
	 */
	do {
		set_way(way);
		before = mo_counts();
		good &= run_row(row, k, end);
		n = mo_counts_since(&before);
		online = mo_engine_is("sim0", "online");
		if (!online)
			good &= comes_back();
	} while (!online && --tries);
	MO_EXPECT(online, "sim0 always fails");
	if (way->fails)
		MO_EXPECT(n.failed, "the CPU was not to copy");
	else if (way->during)
		MO_EXPECT(n.engine, "the engine was to copy");
	else if (way->engines)
		MO_EXPECT(n.engine + n.cpu, "%s was to copy", way->engines);
	good &= mo_adds_up();
	return good;
}

static bool test_row(const struct row *row, unsigned int k)
{
	struct end reference, end;
	bool good = true, first = true, held = row->when == DURING;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].during != held)
			continue;
		good &= run_way(row, k, &ways[i], &end);
		if (first)
			reference = end;
		first = false;
		MO_EXPECT(!memcmp(&end, &reference, sizeof(end)), "engines %s",
			  ways[i].engines);
		MO_EXPECT(end.look.bad == 0, "%zu", end.look.bad);
		MO_EXPECT(end.look.elsewhere == 0, "%u", end.look.elsewhere);
		MO_EXPECT(!end.look.late == !row->signals, "%u", end.look.late);
		MO_EXPECT(!end.given_back, "a poisoned page is free");
		if (!good) {
			print_end("by the CPU", &reference);
			print_end("now", &end);
		}
	}
	return good;
}

static void test_rows(void)
{
	unsigned int r, k;
	bool good;

	for (r = 0; r < ARRAY_SIZE(rows); r++)
		for (k = 0; k < ARRAY_SIZE(kinds); k++) {
			good = test_row(&rows[r], k);
			ksft_test_result(good, "%s: %s\n", rows[r].name,
					 mo_kind_names[kinds[k].kind]);
		}
	mo_sim_calm();
}

/* While the engine may still touch it */

/* Everything fails to move, and is held by the engine. */
static bool into_quarantine(struct mo_mem *mem, __u64 src, __u64 *dst)
{
	bool good = true;
	int ret;

	mo_policy("sim0");
	mo_enable(true);
	mo_sim_set(0, "stuck", 1);
	mo_sim_fault(0, "hang", 100, -1);
	mo_write("500", MO_SYSFS "/engines/sim0/timeout_ms");
	ret = mo_move(mem, to);
	MO_EXPECT(ret >= 0, "%d", ret);
	MO_EXPECT(mo_folios_on(mem, to) == 0, "%u", mo_folios_on(mem, to));
	MO_EXPECT(mo_engine_stat("sim0", "quarantined_pages") ==
		  (long long)(2 * mem->bytes / MO_BASE), "%lld",
		  mo_engine_stat("sim0", "quarantined_pages"));
	*dst = find_extent(src, NOWHERE);
	MO_EXPECT(*dst, "the engine does not have it");
	return good;
}

/* What a reference too many does when it is a pipe's, and nothing is offloaded. */
static void into_pipe(struct mo_mem *mem, int fds[2])
{
	struct iovec iov = { .iov_base = mem->addr, .iov_len = MO_BASE };

	mo_enable(false);
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != (ssize_t)MO_BASE)
		ksft_exit_fail_msg("vmsplice: %s\n", strerror(errno));
}

struct held {
	int done;
	unsigned int early;
	struct look look;
	bool poisoned;
	bool given_back;
};

/* The source is mapped again, and has a reference more than it should have. */
static bool run_held(bool quarantined, struct held *held)
{
	struct mo_mem mem;
	__u64 src, dst = 0;
	bool good = true;
	char *original;
	int fds[2];

	memset(held, 0, sizeof(*held));
	expect_alloc(&mem, MO_ANON, 8, from);
	original = copy_of(&mem);
	src = pfn_of(mem.addr);
	if (quarantined)
		good &= into_quarantine(&mem, src, &dst);
	else
		into_pipe(&mem, fds);
	early = 0;
	held->done = inject(mem.addr);
	held->early = early;
	held->look = look_at(&mem, original, 0, 1);
	held->poisoned = has_flag(src, KPF_HWPOISON);
	if (quarantined) {
		good &= comes_back();
	} else {
		close(fds[0]);
		close(fds[1]);
	}
	held->given_back = held->poisoned && has_flag(src, KPF_BUDDY);
	MO_EXPECT(has_flag(src, KPF_HWPOISON) == held->poisoned, "let go of");

	/* And those that are well can go where they were to go. */
	mo_move(&mem, to);
	MO_EXPECT(mo_folios_on(&mem, to) == mem.nr - held->poisoned, "%u",
		  mo_folios_on(&mem, to));
	MO_EXPECT(look_at(&mem, original, 0, 1).bad == 0, "after the move");
	mo_free(&mem);
	free(original);
	held->given_back |= has_flag(src, KPF_HWPOISON) && has_flag(src, KPF_BUDDY);
	MO_EXPECT(heal(src), "%llx", (unsigned long long)src);
	return good;
}

static bool test_held_source(void)
{
	struct held reference, held;
	bool good = true;

	good &= run_held(false, &reference);
	good &= run_held(true, &held);
	MO_EXPECT(!memcmp(&held, &reference, sizeof(held)),
		  "done %d %d, early %u %u, late %u %u, poisoned %d %d",
		  held.done, reference.done, held.early, reference.early,
		  held.look.late, reference.look.late, held.poisoned,
		  reference.poisoned);
	MO_EXPECT(held.look.bad == 0 && held.look.elsewhere == 0, "%zu, %u",
		  held.look.bad, held.look.elsewhere);
	MO_EXPECT(held.look.late == 1, "%u", held.look.late);
	MO_EXPECT(held.poisoned, "%d", held.poisoned);
	MO_EXPECT(!held.given_back, "a poisoned page is free");
	return good;
}

/* Nobody has it but the engine: who is to be told? It must never be used again. */
static bool test_held_destination(void)
{
	struct mo_mem mem;
	__u64 src, dst = 0;
	struct look look;
	bool good = true;
	char *original;

	expect_alloc(&mem, MO_ANON, 8, from);
	original = copy_of(&mem);
	src = pfn_of(mem.addr);
	good &= into_quarantine(&mem, src, &dst);
	early = 0;
	write_number(HWPOISON "/corrupt-pfn", dst);
	MO_EXPECT(has_flag(dst, KPF_HWPOISON), "%llx", (unsigned long long)dst);
	good &= comes_back();
	MO_EXPECT(has_flag(dst, KPF_HWPOISON), "%llx", (unsigned long long)dst);
	MO_EXPECT(!has_flag(dst, KPF_BUDDY), "a poisoned page is free");
	look = look_at(&mem, original, 0, 0);
	MO_EXPECT(!look.late && !look.bad && !early, "%u, %zu, %d", look.late,
		  look.bad, early);
	mo_move(&mem, to);
	MO_EXPECT(mo_folios_on(&mem, to) == mem.nr, "%u", mo_folios_on(&mem, to));
	look = look_at(&mem, original, 0, 0);
	MO_EXPECT(!look.late && !look.bad && !early, "%u, %zu, %d", look.late,
		  look.bad, early);
	mo_free(&mem);
	free(original);
	MO_EXPECT(!has_flag(dst, KPF_BUDDY), "a poisoned page is free");
	MO_EXPECT(heal(dst), "%llx", (unsigned long long)dst);
	return good;
}

/* The engine says so */

static bool says_poison(unsigned int k, unsigned int percent)
{
	long long corrupted = nr_corrupted();
	long long refused = mo_refused("no_engine");
	struct mo_counts before = mo_counts(), n;
	struct mo_mem mem;
	bool good = true;
	int ret;

	mo_policy("sim0");
	mo_enable(true);
	expect_alloc(&mem, kinds[k].kind, 16 * kinds[k].nr / 4, from);
	early = 0;
	mo_sim_fault(0, "poison", percent, -1);
	ret = mo_move(&mem, to);
	mo_sim_fault(0, "poison", 0, -1);
	n = mo_counts_since(&before);
	MO_EXPECT(ret == 0, "%d", ret);
	MO_EXPECT(mo_folios_on(&mem, to) == mem.nr, "%u", mo_folios_on(&mem, to));
	MO_EXPECT(mo_bad_bytes(&mem) == 0, "%zu", mo_bad_bytes(&mem));
	MO_EXPECT(n.offered == mem.nr, "%lld", n.offered);
	/* Not asked, once it has not let go in time: all is emulated here. */
	refused = mo_refused("no_engine") - refused;
	MO_EXPECT(!refused || !mo_engine_is("sim0", "online"), "%lld", refused);
	MO_EXPECT(percent < 100 || (n.failed && !n.engine), "%lld, %lld",
		  n.failed, n.engine);
	MO_EXPECT(n.failed + n.engine + refused == mem.nr, "%lld + %lld + %lld",
		  n.failed, n.engine, refused);
	MO_EXPECT(n.quarantined == 0, "%lld", n.quarantined);
	MO_EXPECT(early == 0, "%d", early);
	MO_EXPECT(nr_corrupted() == corrupted, "%lld", nr_corrupted());
	mo_free(&mem);
	good &= mo_adds_up();
	/* It may not have let go in time, where all is emulated. */
	if (!mo_engine_is("sim0", "online"))
		good &= comes_back();
	return good;
}

static bool test_says(void)
{
	bool good = true;
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		good &= says_poison(k, 100);
		good &= says_poison(k, 40);
	}
	return good;
}

/* At any time */

#define NR_RACE		64
#define NR_HITS		12

static atomic_bool stop;

static void *bounce(void *arg)
{
	bool back = false;

	for (; !stop; back = !back)
		mo_move(arg, back ? from : to);
	return NULL;
}

/*
 * Poison by the user's address, at any instant of migrations. Who was told that
 * it worked gets a signal for that page; nobody gets one for another page.
 */
static bool race(const char *engines)
{
	bool good = true, hit[NR_RACE] = {}, done[NR_RACE] = {};
	char *page, *original;
	struct look look;
	struct mo_mem mem;
	pthread_t thread;
	unsigned int i, seen = 0;

	set_way(&(struct way){ engines });
	if (engines && !strcmp(engines, "sim0"))
		mo_sim_set(0, "delay_us", 2000);
	expect_alloc(&mem, MO_ANON, NR_RACE, from);
	original = copy_of(&mem);
	stop = false;
	start(&thread, bounce, &mem);
	for (i = 0; i < NR_HITS; i++) {
		unsigned int at = i * 37 % NR_RACE;

		mo_sleep_ms(i * 7 % 20);
		page = mem.addr + at * MO_BASE;
		hit[at] = true;
		done[at] = !inject(page);
		seen += done[at];
	}
	mo_sleep_ms(50);
	stop = true;
	pthread_join(thread, NULL);
	mo_sim_set(0, "delay_us", 0);

	for (i = 0; i < NR_RACE; i++) {
		struct mo_mem one = mem;

		one.addr += i * MO_BASE;
		one.bytes = MO_BASE;
		look = look_at(&one, original + i * MO_BASE, 0, hit[i]);
		MO_EXPECT(!look.bad, "%zu of page %u", look.bad, i);
		MO_EXPECT(!look.elsewhere, "page %u", i);
		MO_EXPECT(look.late || !done[i], "page %u", i);
	}
	MO_EXPECT(seen > 0, "poison has never hit");
	mo_free(&mem);
	free(original);
	return good;
}

static bool test_race(void)
{
	static const char * const engines[] = { NULL, "cpu", "cpu-mt", "sim0" };
	long long corrupted = nr_corrupted();
	bool good = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(engines); i++) {
		good &= race(engines[i]);
		good &= heal_all();
		MO_EXPECT(nr_corrupted() == corrupted, "%lld", nr_corrupted());
	}
	return good;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "source poisoned in quarantine", test_held_source },
	{ "destination poisoned in quarantine", test_held_destination },
	{ "the engine reports poison: the CPU finds that there is none", test_says },
	{ "poisoned at any time", test_race },
};

static int open_proc(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	return fd;
}

int main(void)
{
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	unsigned int i;
	bool good;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 2 || mo_nr_sims() < 2 || !mo_exists(MO_SIM "/sim0"))
		ksft_exit_skip("needs two nodes, and sim0 and sim1 in debugfs\n");
	if (!mo_exists(HWPOISON "/corrupt-pfn"))
		ksft_exit_skip("needs CONFIG_HWPOISON_INJECT\n");
	from = mo_nodes[0];
	to = mo_nodes[1];
	pagemap = open_proc("/proc/self/pagemap");
	kpageflags = open_proc("/proc/kpageflags");
	kpagecount = open_proc("/proc/kpagecount");
	sigaction(SIGBUS, &action, NULL);
	/* So that signals are seen that come without looking, too. */
	if (prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0))
		ksft_exit_fail_msg("PR_MCE_KILL: %s\n", strerror(errno));

	mo_sim_calm();
	mo_write("600000", MO_SYSFS "/engines/sim0/timeout_ms");
	ksft_set_plan(ARRAY_SIZE(rows) * ARRAY_SIZE(kinds) + ARRAY_SIZE(tests));
	test_rows();
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		good = tests[i].run();
		good &= mo_adds_up();
		MO_EXPECT(strange == 0, "%d signals for another address", strange);
		ksft_test_result(good, "%s\n", tests[i].name);
	}
	mo_sim_calm();
	mo_enable(false);
	ksft_finished();
}
