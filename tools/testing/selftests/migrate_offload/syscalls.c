// SPDX-License-Identifier: GPL-2.0
/*
 * What move_pages(2), migrate_pages(2) and mbind(2) promise, in the manner of
 * LTP's move_pages01-12, migrate_pages01-03 and mbind01-04: results, errors and
 * the status of each page. It goes for any kernel and any engine: this program
 * leaves migration offload as it finds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mo_util.h"

#define NR		64
#define NOBODY		65534
#define NO_NODE		(MO_MAX_NODES - 1)	/* possible, but has no memory */
#define BAD_ADDRESS	((void *)-4096L)

static int a, b;	/* two nodes */

static long move_pages(pid_t pid, unsigned long nr, void **pages,
		       const int *nodes, int *status, int flags)
{
	long ret = syscall(SYS_move_pages, pid, nr, pages, nodes, status, flags);

	return ret < 0 ? -errno : ret;
}

static long migrate_pages(pid_t pid, unsigned long from, unsigned long to)
{
	long ret = syscall(SYS_migrate_pages, pid, MO_MAX_NODES + 1, &from, &to);

	return ret < 0 ? -errno : ret;
}

static long mbind(void *addr, size_t len, int mode, unsigned long nodes,
		  unsigned int flags)
{
	long ret = syscall(SYS_mbind, addr, len, mode, nodes ? &nodes : NULL,
			   nodes ? MO_MAX_NODES + 1 : 0, flags);

	return ret < 0 ? -errno : ret;
}

static int node_of(void *page)
{
	int status = -EINVAL;
	long err = move_pages(0, 1, &page, NULL, &status, 0);

	return err ?: status;
}

/* One page that is in a hole, has not been touched, is the zero page. */
static char *hole(void)
{
	char *page = mmap(NULL, MO_BASE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	munmap(page, MO_BASE);
	return page;
}

static char *untouched(void)
{
	return mmap(NULL, MO_BASE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static char *zero_page(void)
{
	char *page = untouched();

	*(volatile char *)page;
	return page;
}

/* Memory on node a; the test fails if there is none. */
static bool have(struct mo_mem *mem, enum mo_kind kind, unsigned int nr)
{
	int err = mo_alloc(mem, kind, nr, a);

	if (err)
		ksft_print_msg("no %s: %s\n", mo_kind_names[kind],
			       strerror(-err));
	return !err;
}

static void pages_of(const struct mo_mem *mem, void **pages)
{
	unsigned int i;

	for (i = 0; i < mem->nr; i++)
		pages[i] = mem->addr + i * mem->folio;
}

/* Does the child that runs @ok succeed, as nobody if @nobody? */
static bool in_child(bool (*ok)(void *arg), void *arg, bool nobody)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (!pid) {
		if (nobody && setuid(NOBODY))
			_exit(2);
		_exit(!ok(arg));
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

/* move_pages() */

static bool move_spreads(void)
{
	int nodes[NR], status[NR];
	struct mo_mem mem;
	void *pages[NR];
	bool good = true;
	unsigned int i;
	long ret;

	if (!have(&mem, MO_ANON, NR))
		return false;
	pages_of(&mem, pages);
	for (i = 0; i < NR; i++) {
		nodes[i] = mo_nodes[i % mo_nr_nodes];
		status[i] = -EINVAL;
	}
	ret = move_pages(0, NR, pages, nodes, status, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	for (i = 0; i < NR; i++)
		MO_EXPECT(status[i] == nodes[i] && node_of(pages[i]) == nodes[i],
			  "page %u: %d", i, status[i]);
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

/* Each kind of page in one call, both when asking and when moving. */
static bool move_mixed(void)
{
	enum { MOVES, STAYS, HOLE, UNTOUCHED, ZERO, SHARED, MOVES_TOO, KINDS };
	const int nodes[KINDS] = { b, a, b, b, b, b, b };
	const int asked[KINDS] = { a, a, -EFAULT, -ENOENT, -EFAULT, a, a };
	const int moved[KINDS] = { b, a, -EFAULT, -ENOENT, -EFAULT, -EACCES, b };
	int status[KINDS];
	struct mo_mem mem, shared;
	bool good = true;
	void *pages[KINDS];
	unsigned int i;
	long ret;

	/* In this order, or else fork() would share mem, too. */
	if (!have(&shared, MO_COW, 1))
		return false;
	if (!have(&mem, MO_ANON, 3)) {
		mo_free(&shared);
		return false;
	}
	pages[MOVES] = mem.addr;
	pages[STAYS] = mem.addr + MO_BASE;
	pages[MOVES_TOO] = mem.addr + 2 * MO_BASE;
	pages[UNTOUCHED] = untouched();
	pages[ZERO] = zero_page();
	/* Last, or else another one would fill it. */
	pages[HOLE] = hole();
	pages[SHARED] = shared.addr;

	ret = move_pages(0, KINDS, pages, NULL, status, 0);
	MO_EXPECT(ret == 0, "%ld", ret);
	for (i = 0; i < KINDS; i++)
		MO_EXPECT(status[i] == asked[i], "page %u: %d", i, status[i]);
	ret = move_pages(0, KINDS, pages, nodes, status, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	for (i = 0; i < KINDS; i++)
		MO_EXPECT(status[i] == moved[i], "page %u: %d", i, status[i]);
	MO_EXPECT(node_of(shared.addr) == a, "%d", node_of(shared.addr));
	MO_EXPECT(!mo_bad_bytes(&mem) && !mo_bad_bytes(&shared), "not as it was");
	munmap(pages[UNTOUCHED], MO_BASE);
	munmap(pages[ZERO], MO_BASE);
	mo_free(&shared);
	mo_free(&mem);
	return good;
}

static bool move_all_moves_shared(void)
{
	struct mo_mem mem;
	bool good = true;
	int ret;

	if (!have(&mem, MO_COW, NR))
		return false;
	ret = mo_move(&mem, b);
	MO_EXPECT(ret == 0, "%d", ret);
	MO_EXPECT(mo_folios_on(&mem, b) == NR, "%u", mo_folios_on(&mem, b));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

/* Somebody holds a reference: it does not move, and the others do. */
static bool move_pinned(void)
{
	struct mo_mem mem;
	struct iovec pin;
	char copy[MO_BASE];
	bool good = true;
	int pipes[2];
	long ret;

	if (!have(&mem, MO_ANON, 8))
		return false;
	pin = (struct iovec) { mem.addr + 3 * MO_BASE, MO_BASE };
	if (pipe(pipes) || vmsplice(pipes[1], &pin, 1, 0) != MO_BASE) {
		ksft_print_msg("vmsplice: %s\n", strerror(errno));
		mo_free(&mem);
		return false;
	}
	ret = mo_move(&mem, b);
	MO_EXPECT(ret == 1, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, b) == 7, "%u", mo_folios_on(&mem, b));
	MO_EXPECT(node_of(pin.iov_base) == a, "%d", node_of(pin.iov_base));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");

	/* Both ways the same bytes, and then nothing is in its way. */
	ret = read(pipes[0], copy, sizeof(copy));
	MO_EXPECT(ret == MO_BASE && !memcmp(copy, pin.iov_base, MO_BASE),
		  "%ld", ret);
	ret = mo_move(&mem, b);
	MO_EXPECT(ret == 0 && mo_folios_on(&mem, b) == 8, "%ld", ret);
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	close(pipes[0]);
	close(pipes[1]);
	mo_free(&mem);
	return good;
}

/* What comes before an error is done and told; the rest stays. */
static bool move_bad_nodes(void)
{
	static const int bad[] = { -1, NO_NODE, 1 << 20 };
	int nodes[NR], status[NR];
	struct mo_mem mem;
	void *pages[NR];
	bool good = true;
	unsigned int i, j;
	long ret;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!have(&mem, MO_ANON, NR))
			return false;
		pages_of(&mem, pages);
		for (j = 0; j < NR; j++) {
			nodes[j] = j == NR / 2 ? bad[i] : b;
			status[j] = -EINVAL;
		}
		ret = move_pages(0, NR, pages, nodes, status, MPOL_MF_MOVE);
		MO_EXPECT(ret == -ENODEV, "node %d: %ld", bad[i], ret);
		for (j = 0; j < NR; j++)
			MO_EXPECT(node_of(pages[j]) == (j < NR / 2 ? b : a) &&
				  status[j] == (j < NR / 2 ? b : -EINVAL),
				  "page %u: %d", j, status[j]);
		MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
		mo_free(&mem);
	}
	return good;
}

static bool nobody_may_not(void *arg)
{
	struct mo_mem *mem = arg;
	void *page = mem->addr;
	int status;
	bool good = true;
	long ret;

	ret = move_pages(0, 1, &page, &b, &status, MPOL_MF_MOVE_ALL);
	MO_EXPECT(ret == -EPERM, "%ld", ret);
	ret = move_pages(getppid(), 1, &page, &b, &status, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EPERM, "%ld", ret);
	ret = migrate_pages(getppid(), 1UL << a, 1UL << b);
	MO_EXPECT(ret == -EPERM, "%ld", ret);
	ret = mbind(mem->addr, mem->bytes, MPOL_BIND, 1UL << b, MPOL_MF_MOVE_ALL);
	MO_EXPECT(ret == -EPERM, "%ld", ret);
	return good;
}

static bool move_errors(void)
{
	struct mo_mem mem;
	bool good = true;
	int status = 0;
	void *page;
	long ret;

	if (!have(&mem, MO_ANON, 4))
		return false;
	page = mem.addr;
	ret = move_pages(0, 1, &page, &b, &status, MPOL_MF_STRICT);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = move_pages(0, 1, BAD_ADDRESS, &b, &status, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EFAULT, "%ld", ret);
	ret = move_pages(0, 1, &page, BAD_ADDRESS, &status, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EFAULT, "%ld", ret);
	ret = move_pages(1 << 30, 1, &page, &b, &status, MPOL_MF_MOVE);
	MO_EXPECT(ret == -ESRCH, "%ld", ret);
	/* kthreadd has no memory of its own. */
	ret = move_pages(2, 1, &page, &b, &status, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = move_pages(0, 0, NULL, &b, NULL, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, a) == 4, "%u", mo_folios_on(&mem, a));
	MO_EXPECT(in_child(nobody_may_not, &mem, true), "nobody may");
	MO_EXPECT(mo_folios_on(&mem, a) == 4, "%u", mo_folios_on(&mem, a));

	/* The page moves, only nobody gets to know. */
	ret = move_pages(0, 1, &page, &b, BAD_ADDRESS, MPOL_MF_MOVE_ALL);
	MO_EXPECT(ret == -EFAULT, "%ld", ret);
	MO_EXPECT(node_of(page) == b, "%d", node_of(page));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

/* By any of its pages, and all of it. */
static bool move_by_tail(enum mo_kind kind)
{
	struct mo_mem mem;
	bool good = true;
	int status = -EINVAL;
	void *tail;
	long ret;

	if (!have(&mem, kind, 2))
		return false;
	tail = mem.addr + mem.folio + mem.folio / 2;
	ret = move_pages(0, 1, &tail, &b, &status, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(status == b, "%d", status);
	MO_EXPECT(mo_folios_on(&mem, b) == 1 && mo_folios_on(&mem, a) == 1,
		  "%u, %u", mo_folios_on(&mem, b), mo_folios_on(&mem, a));
	MO_EXPECT(node_of(mem.addr) == a, "%d", node_of(mem.addr));
	MO_EXPECT(mo_whole(&mem), "a large folio was split");
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

static bool move_thp(void) { return move_by_tail(MO_THP); }
static bool move_hugetlb(void) { return move_by_tail(MO_HUGETLB); }

/* Another process, which sees for itself. */
struct other {
	pid_t pid;
	int ask, answer;
	char *addr;
};

static void other_main(int ask, int answer)
{
	struct mo_mem mem;
	char what;
	long told;

	if (!have(&mem, MO_ANON, NR))
		_exit(1);
	while (read(ask, &what, 1) == 1) {
		told = what == 'a' ? (long)mem.addr :
		       mo_bad_bytes(&mem) ? -1 : mo_folios_on(&mem, b);
		if (write(answer, &told, sizeof(told)) != sizeof(told))
			break;
	}
	_exit(0);
}

static long other_says(const struct other *other, char what)
{
	long told;

	if (write(other->ask, &what, 1) != 1 ||
	    read(other->answer, &told, sizeof(told)) != sizeof(told))
		return -EPIPE;
	return told;
}

static bool other_start(struct other *other)
{
	int ask[2], answer[2];

	if (pipe(ask) || pipe(answer))
		return false;
	other->pid = fork();
	if (!other->pid) {
		close(ask[1]);
		other_main(ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	other->ask = ask[1];
	other->answer = answer[0];
	other->addr = (char *)other_says(other, 'a');
	return other->pid > 0 && (long)other->addr > 0;
}

static void other_stop(const struct other *other)
{
	close(other->ask);
	close(other->answer);
	waitpid(other->pid, NULL, 0);
}

static bool move_other(void)
{
	int nodes[NR], status[NR];
	struct other other;
	bool good = true;
	void *pages[NR];
	unsigned int i;
	long ret;

	if (!other_start(&other))
		return false;
	for (i = 0; i < NR; i++) {
		pages[i] = other.addr + i * MO_BASE;
		nodes[i] = b;
		status[i] = -EINVAL;
	}
	ret = move_pages(other.pid, NR, pages, nodes, status, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	for (i = 0; i < NR; i++)
		MO_EXPECT(status[i] == b, "page %u: %d", i, status[i]);
	ret = other_says(&other, 'n');
	MO_EXPECT(ret == NR, "%ld", ret);
	other_stop(&other);
	return good;
}

/* migrate_pages() */

static bool migrate_other(void)
{
	struct other other;
	bool good = true;
	long ret;

	if (!other_start(&other))
		return false;
	ret = migrate_pages(other.pid, 1UL << a, 1UL << b);
	MO_EXPECT(ret >= 0, "%ld", ret);
	ret = other_says(&other, 'n');
	MO_EXPECT(ret == NR, "%ld", ret);
	ret = migrate_pages(other.pid, 1UL << b, 1UL << a);
	MO_EXPECT(ret >= 0, "%ld", ret);
	ret = other_says(&other, 'n');
	MO_EXPECT(ret == 0, "%ld", ret);
	other_stop(&other);
	return good;
}

static bool migrate_errors(void)
{
	unsigned long from = 1UL << a, to = 1UL << b, far[2] = { 0, 1 };
	struct mo_mem mem;
	bool good = true;
	long ret;

	if (!have(&mem, MO_ANON, 4))
		return false;
	ret = migrate_pages(1 << 30, from, to);
	MO_EXPECT(ret == -ESRCH, "%ld", ret);
	ret = migrate_pages(2, from, to);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = migrate_pages(0, from, 1UL << NO_NODE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = syscall(SYS_migrate_pages, 0, MO_MAX_NODES + 1, BAD_ADDRESS, &to);
	MO_EXPECT(ret == -1 && errno == EFAULT, "%d", errno);
	ret = syscall(SYS_migrate_pages, 0, MO_MAX_NODES + 1, &from, BAD_ADDRESS);
	MO_EXPECT(ret == -1 && errno == EFAULT, "%d", errno);
	ret = syscall(SYS_migrate_pages, 0, 1UL << 30, &from, &to);
	MO_EXPECT(ret == -1 && errno == EINVAL, "%d", errno);
	ret = syscall(SYS_migrate_pages, 0, 129, &from, far);
	MO_EXPECT(ret == -1 && errno == EINVAL, "%d", errno);
	MO_EXPECT(mo_folios_on(&mem, a) == 4, "%u", mo_folios_on(&mem, a));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

#define KSM	"/sys/kernel/mm/ksm/"

/* Pages that KSM has merged are one page with many maps. */
static bool migrate_merged(void)
{
	struct mo_mem mem[2];
	bool good = true;
	int tries = 600;
	long ret;

	if (!have(&mem[0], MO_ANON, NR))
		return false;
	if (!have(&mem[1], MO_ANON, NR)) {
		mo_free(&mem[0]);
		return false;
	}
	mem[1].seed = mem[0].seed;
	memcpy(mem[1].addr, mem[0].addr, mem[0].bytes);
	madvise(mem[0].addr, mem[0].bytes, MADV_MERGEABLE);
	madvise(mem[1].addr, mem[1].bytes, MADV_MERGEABLE);
	mo_write("1", KSM "run");
	while (mo_number(KSM "pages_sharing") < NR && --tries)
		mo_sleep_ms(100);
	MO_EXPECT(tries, "%lld merged", mo_number(KSM "pages_sharing"));
	mo_write("0", KSM "run");

	ret = migrate_pages(0, 1UL << a, 1UL << b);
	MO_EXPECT(ret >= 0, "%ld", ret);
	MO_EXPECT(!mo_bad_bytes(&mem[0]) && !mo_bad_bytes(&mem[1]),
		  "not as it was");
	mo_fill(&mem[0]);
	MO_EXPECT(!mo_bad_bytes(&mem[0]) && !mo_bad_bytes(&mem[1]),
		  "not apart again");
	mo_write("2", KSM "run");
	mo_write("0", KSM "run");
	mo_free(&mem[0]);
	mo_free(&mem[1]);
	return good;
}

/* mbind() */

static bool mbind_strict_looks(void)
{
	struct mo_mem mem;
	bool good = true;
	long ret;

	if (!have(&mem, MO_ANON, NR))
		return false;
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 1UL << a, MPOL_MF_STRICT);
	MO_EXPECT(ret == 0, "%ld", ret);
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 1UL << b, MPOL_MF_STRICT);
	MO_EXPECT(ret == -EIO, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, a) == NR, "%u", mo_folios_on(&mem, a));
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 1UL << b,
		    MPOL_MF_STRICT | MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, b) == NR, "%u", mo_folios_on(&mem, b));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

/* They stay. From 6.7 on, even a strict mbind() does not say so. */
static bool mbind_shared(void)
{
	struct mo_mem mem;
	bool good = true;
	long ret;

	if (!have(&mem, MO_COW, NR))
		return false;
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 1UL << b,
		    MPOL_MF_STRICT | MPOL_MF_MOVE);
	MO_EXPECT(ret == 0 || ret == -EIO, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, a) == NR, "%u", mo_folios_on(&mem, a));
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 1UL << b,
		    MPOL_MF_STRICT | MPOL_MF_MOVE_ALL);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, b) == NR, "%u", mo_folios_on(&mem, b));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

/* Of preferred, or of no policy at all, nothing is moved off its node. */
static bool mbind_modes(void)
{
	unsigned long both = 1UL << a | 1UL << b;
	struct mo_mem mem;
	bool good = true;
	long ret;

	if (!have(&mem, MO_ANON, NR))
		return false;
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, both, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, a) == NR, "%u", mo_folios_on(&mem, a));
	ret = mbind(mem.addr, mem.bytes, MPOL_PREFERRED, 1UL << b, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, b) == NR, "%u", mo_folios_on(&mem, b));
	/* The first half only. */
	ret = mbind(mem.addr, mem.bytes / 2, MPOL_BIND, 1UL << a, MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	MO_EXPECT(mo_folios_on(&mem, a) == NR / 2 && node_of(mem.addr) == a,
		  "%u", mo_folios_on(&mem, a));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

static bool mbind_errors(void)
{
	unsigned long to = 1UL << b;
	struct mo_mem mem;
	bool good = true;
	long ret;

	if (!have(&mem, MO_ANON, NR))
		return false;
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, to, 1 << 10);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = mbind(mem.addr + 1, mem.bytes, MPOL_BIND, to, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = mbind(mem.addr, mem.bytes, 100, to, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 0, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, 1UL << NO_NODE, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = mbind(mem.addr, mem.bytes, MPOL_DEFAULT, to, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EINVAL, "%ld", ret);
	ret = syscall(SYS_mbind, mem.addr, mem.bytes, MPOL_BIND, BAD_ADDRESS,
		      MO_MAX_NODES + 1, MPOL_MF_MOVE);
	MO_EXPECT(ret == -1 && errno == EFAULT, "%d", errno);
	MO_EXPECT(mo_folios_on(&mem, a) == NR, "%u", mo_folios_on(&mem, a));

	munmap(mem.addr + MO_BASE, MO_BASE);
	ret = mbind(mem.addr, mem.bytes, MPOL_BIND, to, MPOL_MF_MOVE);
	MO_EXPECT(ret == -EFAULT, "%ld", ret);
	mo_free(&mem);
	return good;
}

static bool mbind_interleaves(void)
{
	struct mo_mem mem;
	bool good = true;
	long ret;

	if (!have(&mem, MO_ANON, NR))
		return false;
	ret = mbind(mem.addr, mem.bytes, MPOL_INTERLEAVE, 1UL << a | 1UL << b,
		    MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	/* All are on one of the nodes already, so mbind() leaves them there. */
	MO_EXPECT(mo_folios_on(&mem, a) == NR, "%u", mo_folios_on(&mem, a));
	mo_move(&mem, mo_nodes[2 % mo_nr_nodes]);
	ret = mbind(mem.addr, mem.bytes, MPOL_INTERLEAVE, 1UL << a | 1UL << b,
		    MPOL_MF_MOVE);
	MO_EXPECT(ret == 0, "%ld", ret);
	if (mo_nr_nodes > 2)
		MO_EXPECT(mo_folios_on(&mem, a) == NR / 2 &&
			  mo_folios_on(&mem, b) == NR / 2, "%u and %u",
			  mo_folios_on(&mem, a), mo_folios_on(&mem, b));
	MO_EXPECT(!mo_bad_bytes(&mem), "not as it was");
	mo_free(&mem);
	return good;
}

/* Around and around, several at a time. */

static bool go_around(void *arg)
{
	unsigned int i, rounds = 16;
	struct mo_mem mem;
	bool good = true;
	size_t bad;
	int to, ret;

	if (!have(&mem, (uintptr_t)arg % 2 ? MO_SHMEM : MO_ANON, NR))
		return false;
	for (i = 0; i < rounds; i++) {
		to = mo_nodes[(i + 1) % mo_nr_nodes];
		ret = mo_migrate(&mem, i % MO_NR_CALLS,
				 mo_nodes[i % mo_nr_nodes], to);
		MO_EXPECT(ret >= 0, "%d", ret);
		bad = mo_bad_bytes(&mem);
		MO_EXPECT(!bad, "%zu", bad);
		if (i % 4 == 3)
			mo_fill(&mem);
	}
	mo_free(&mem);
	return good;
}

static bool all_around(void *arg)
{
	pid_t pids[4];
	uintptr_t i;
	bool good = true;
	int status;

	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(!go_around((void *)i));
	}
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		MO_EXPECT(waitpid(pids[i], &status, 0) == pids[i] && !status,
			  "%x", status);
	return good;
}

static bool loops(void)
{
	return in_child(all_around, NULL, false);
}

static const struct {
	bool (*good)(void);
	const char *what;
} tests[] = {
	{ move_spreads,		"move_pages: pages go where each is sent" },
	{ move_mixed,		"move_pages: a status for each kind of page" },
	{ move_all_moves_shared, "move_pages: shared pages with MPOL_MF_MOVE_ALL" },
	{ move_pinned,		"move_pages: a page that is held" },
	{ move_bad_nodes,	"move_pages: nodes without memory" },
	{ move_errors,		"move_pages: what it refuses" },
	{ move_thp,		"move_pages: a THP by its tail" },
	{ move_hugetlb,		"move_pages: a hugetlb folio by its tail" },
	{ move_other,		"move_pages: another process" },
	{ migrate_other,	"migrate_pages: another process" },
	{ migrate_errors,	"migrate_pages: what it refuses" },
	{ migrate_merged,	"migrate_pages: pages merged by KSM" },
	{ mbind_strict_looks,	"mbind: strict" },
	{ mbind_shared,		"mbind: shared pages" },
	{ mbind_modes,		"mbind: bind, preferred, parts" },
	{ mbind_errors,		"mbind: what it refuses" },
	{ mbind_interleaves,	"mbind: interleave" },
	{ loops,		"all of them, around the nodes" },
};

int main(void)
{
	unsigned int i;

	ksft_print_header();
	mo_find_nodes();
	if (mo_nr_nodes < 2)
		ksft_exit_skip("needs two nodes with memory\n");
	a = mo_nodes[0];
	b = mo_nodes[1];
	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ksft_test_result(tests[i].good(), "%s\n", tests[i].what);
	ksft_finished();
}
