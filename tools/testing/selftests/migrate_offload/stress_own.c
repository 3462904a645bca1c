// SPDX-License-Identifier: GPL-2.0
/*
 * The stress test's owners: processes that write and check their memory all the
 * time, whatever happens to it meanwhile. Each byte is a function of the seed,
 * its place, and how often its page was written: a byte that is stale, lost or
 * in a wrong place differs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_PAGEOUT
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

#define WORDS	(MO_BASE / sizeof(__u64))
#define CHUNK	64	/* pages under one lock */
#define PINNED	16	/* pages of one pin */

enum op {
	WRITE, CHECK, FORK, DROP, PAGEOUT, COLLAPSE, MREMAP, MBIND, REMAP,
	PIPE, URING, DIRECT, REMOTE, PROTECT, SYNC, FILE_IO, LOCK, NR_OPS
};

#define F	(1 << FORK)
#define D	(1 << DROP)
#define O	(1 << PAGEOUT)
#define L	(1 << COLLAPSE)
#define R	(1 << MREMAP)
#define B	(1 << MBIND)
#define N	(1 << REMAP)
#define WRITE_OPS	(1 << WRITE | 1 << CHECK | PINS | 1 << PROTECT)
#define PINS	(1 << PIPE | 1 << URING | 1 << DIRECT | 1 << REMOTE)
#define ANON_OPS	(WRITE_OPS | F | D | O | L | R | B | N)
#define SHARED_OPS	(WRITE_OPS | D | O | L | B)
#define FILE_OPS	(SHARED_OPS | 1 << SYNC | 1 << FILE_IO)
/*
 * What is written through a pin, while the folio is cleaned, dirties it behind
 * the file system's back. btrfs says so ("marked dirty without notifying the
 * fs") and throws the data away, with or without migration offload.
 */
#define BTRFS_OPS	(FILE_OPS & ~(1 << URING | 1 << DIRECT | 1 << REMOTE))

static const struct kind {
	const char *name;
	unsigned int pages;
	unsigned int ops;
	const char *dir;		/* a file there */
	int flags;			/* of mmap() */
	int advice;
	unsigned int partners;		/* other processes that share it */
	const char *max;		/* of the memory cgroup */
} kinds[] = {
	{ "anon", 2048, ANON_OPS, NULL, MAP_PRIVATE },
	{ "anon", 4096, ANON_OPS & ~PINS, NULL, MAP_PRIVATE },
	{ "fork", 1024, WRITE_OPS | F, NULL, MAP_PRIVATE },
	{ "pins", 512, PINS | 1 << CHECK, NULL, MAP_PRIVATE },
	{ "thp", 4096, ANON_OPS, NULL, MAP_PRIVATE, MADV_HUGEPAGE },
	{ "thp", 2048, WRITE_OPS | B, NULL, MAP_PRIVATE, MADV_HUGEPAGE },
	{ "mthp", 448, ANON_OPS & ~L, NULL, MAP_PRIVATE, MADV_HUGEPAGE },
	{ "shmem", 2048, SHARED_OPS, NULL, MAP_SHARED },
	{ "memfd", 2048, SHARED_OPS, "memfd", MAP_SHARED, 0, 2 },
	{ "tmpfs", 2048, FILE_OPS, ST_DIR "/tmpfs", MAP_SHARED },
	{ "ext4", 1024, FILE_OPS, ST_DIR "/ext4", MAP_SHARED, 0, 1 },
	{ "xfs", 1024, FILE_OPS, ST_DIR "/xfs", MAP_SHARED, 0, 1 },
	{ "btrfs", 1024, BTRFS_OPS, ST_DIR "/btrfs", MAP_SHARED, 0, 1 },
	{ "hugetlb", 2048, WRITE_OPS | B, NULL, MAP_PRIVATE | MAP_HUGETLB },
	{ "ksm", 1024, ANON_OPS & ~(L | R), NULL, MAP_PRIVATE, MADV_MERGEABLE },
	{ "mlock", 1024, WRITE_OPS | B | 1 << LOCK, NULL, MAP_PRIVATE },
	{ "swap", 4096, WRITE_OPS | O | D, NULL, MAP_PRIVATE, 0, 0, "8M" },
};

const unsigned int st_nr_owners = ARRAY_SIZE(kinds);

static struct {
	const struct kind *kind;
	struct st_slot *slot;
	unsigned int nr;
	char *addr;
	size_t bytes;
	int fd;
	int direct;		/* on a disk, PINNED pages for each partner */
	unsigned int partner;
	unsigned int *version;	/* of each page; shared between partners */
	unsigned int *then;	/* versions when the last child came */
	int *locks;		/* of each chunk */
	pid_t child;
	char *page;		/* PINNED pages to copy from */
} me;

static inline __u64 word_of(size_t page, unsigned int version, size_t word)
{
	__u64 x;

	if (!version)
		return 0;
	x = st->seed + ((__u64)(me.nr + 1) << 56 ^ (__u64)version << 32 ^ page << 9 ^ word);
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
	return x ^ x >> 29;
}

/* Pages that KSM is to merge have to be equal. */
static size_t key_of(size_t page)
{
	return me.kind->advice == MADV_MERGEABLE ? page % 8 : page;
}

static unsigned int next_version(size_t page)
{
	if (me.kind->advice == MADV_MERGEABLE)
		return 1 + me.version[page] % 3;
	return me.version[page] + 1;
}

static void fill(char *at, size_t page, unsigned int version)
{
	volatile __u64 *to = (__u64 *)at;
	size_t word;

	page = key_of(page);
	for (word = 0; word < WORDS; word++)
		to[word] = word_of(page, version, word);
}

static void check(const char *at, size_t page, const char *after)
{
	unsigned int version = me.version[page], bad = 0;
	const volatile __u64 *from = (const __u64 *)at;
	size_t word, first = WORDS, key = key_of(page);
	__u64 diff, got = 0;

	for (word = 0; word < WORDS; word++) {
		__u64 is = from[word];

		diff = is ^ word_of(key, version, word);
		if (diff && first == WORDS) {
			first = word;
			got = is;
		}
		for (; diff; diff >>= 8)
			bad += !!(diff & 0xff);
	}
	st_add(checked, 1);
	if (!bad)
		return;
	if (st_add(wrong, bad) < 1 << 20)
		printf("# %s %d after %s: page %zu version %u: %u wrong, word %zu: %llx not %llx\n",
		       me.kind->name, getpid(), after, page, version, bad, first, got,
		       word_of(key, version, first));
	st_log("%u bytes wrong, owner %u %s, page %zu, after %s", bad, me.nr,
	       me.kind->name, page, after);
}

static void check_pages(size_t page, size_t nr, const char *after)
{
	for (; nr--; page++)
		check(me.addr + page * MO_BASE, page, after);
}

static void write_pages(size_t page, size_t nr)
{
	for (; nr--; page++) {
		me.version[page] = next_version(page);
		fill(me.addr + page * MO_BASE, page, me.version[page]);
		st_add(written, 1);
	}
}

static void zeroed(size_t page, size_t nr)
{
	memset(&me.version[page], 0, nr * sizeof(*me.version));
}

/* What is to be written, by somebody else than the CPU in a loop. */
static void prepare(size_t page, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		fill(me.page + i * MO_BASE, page + i, next_version(page + i));
}

static void prepared_done(size_t page, size_t nr)
{
	for (; nr--; page++)
		me.version[page] = next_version(page);
	st_add(written, nr);
}

static void child(size_t page, size_t nr)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	me.version = me.then;
	check_pages(page, nr, "fork, in the child");
	fflush(stdout);
	_exit(0);
}

/* The child has what was there when it came, whatever we do from now on. */
static void fork_once(size_t page)
{
	size_t nr = me.bytes / MO_BASE - page;

	if (me.child)
		waitpid(me.child, NULL, 0);
	fflush(stdout);
	memcpy(me.then, me.version, me.bytes / MO_BASE * sizeof(*me.then));
	me.child = fork();
	if (!me.child)
		child(page, nr < 512 ? nr : 512);
	if (me.child < 0)
		me.child = 0;
}

static void mremap_once(void)
{
	char *to = mmap(NULL, me.bytes + MO_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = to + st_below(MO_2M / MO_BASE) * MO_BASE;
	char *new;

	if (to == MAP_FAILED)
		return;
	if (st_one_in(2))
		at = (char *)(((uintptr_t)to + MO_2M - 1) & ~(MO_2M - 1));
	new = mremap(me.addr, me.bytes, me.bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	/* The frame around it goes. */
	munmap(to, at - to);
	munmap(at + me.bytes, to + me.bytes + MO_2M - at - me.bytes);
	if (new == MAP_FAILED) {
		munmap(at, me.bytes);
		return;
	}
	me.addr = new;
	me.slot->addr = new;
}

static void mbind_once(size_t page)
{
	unsigned long node = 1UL << mo_nodes[st_below(mo_nr_nodes)];
	size_t bytes = me.bytes - page * MO_BASE;
	char *addr = me.addr + page * MO_BASE;

	syscall(SYS_mbind, addr, bytes, MPOL_PREFERRED, &node, MO_MAX_NODES + 1,
		MPOL_MF_MOVE | (st_one_in(2) ? MPOL_MF_MOVE_ALL : 0));
	syscall(SYS_mbind, addr, bytes, MPOL_DEFAULT, NULL, 0, 0);
	st_add(migrations, 1);
}

static void file_io(size_t page, size_t nr)
{
	size_t bytes = nr * MO_BASE, i;

	if (st_one_in(2)) {
		prepare(page, nr);
		if (pwrite(me.fd, me.page, bytes, page * MO_BASE) == (ssize_t)bytes)
			prepared_done(page, nr);
		else
			write_pages(page, nr);
		return;
	}
	if (pread(me.fd, me.page, bytes, page * MO_BASE) == (ssize_t)bytes)
		for (i = 0; i < nr; i++)
			check(me.page + i * MO_BASE, page + i, "read()");
}

static void do_pin(enum op op, size_t page, size_t nr)
{
	char *addr = me.addr + page * MO_BASE;
	size_t bytes = nr * MO_BASE, i;

	switch (op) {
	case PIPE:
		for (i = 0; i < nr; i++)
			fill(me.page + i * MO_BASE, page + i, me.version[page + i]);
		if (!st_pin_pipe(addr, bytes, me.page)) {
			st_add(wrong, 1);
			printf("# %s: a pipe had other bytes than memory\n", me.kind->name);
		}
		break;
	case DIRECT:
		if (me.direct < 0)
			break;
		if (!st_pin_direct(me.direct, me.partner * PINNED * MO_BASE, addr, bytes))
			write_pages(page, nr);
		break;
	default:
		prepare(page, nr);
		if ((op == URING ? st_pin_uring : st_pin_remote)(addr, bytes, me.page))
			prepared_done(page, nr);
		else
			write_pages(page, nr);
	}
	check_pages(page, nr, "a pin");
}

/* One operation on a few pages of one chunk, under its lock. */
static void do_chunk(enum op op, size_t page, size_t nr)
{
	size_t bytes = nr * MO_BASE;
	char *addr = me.addr + page * MO_BASE;

	switch (op) {
	case WRITE:
		if (st_one_in(4))
			check_pages(page, nr, "a write before");
		write_pages(page, nr);
		break;
	case CHECK:
		check_pages(page, nr, "nothing");
		break;
	case DROP:
		if (!madvise(addr, bytes, me.kind->flags & MAP_SHARED ?
					  MADV_REMOVE : MADV_DONTNEED))
			zeroed(page, nr);
		break;
	case PAGEOUT:
		madvise(addr, bytes, st_one_in(4) ? MADV_COLD : MADV_PAGEOUT);
		break;
	case REMAP:
		if (!munmap(addr, bytes) &&
		    mmap(addr, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == addr) {
			if (me.kind->advice)
				madvise(addr, bytes, me.kind->advice);
			zeroed(page, nr);
		}
		break;
	case PROTECT:
		mprotect(addr, bytes, PROT_READ);
		check_pages(page, nr, "mprotect");
		mprotect(addr, bytes, PROT_READ | PROT_WRITE);
		break;
	case SYNC:
		if (st_one_in(4))
			fsync(me.fd);
		else
			msync(addr, bytes, MS_SYNC);
		break;
	case FILE_IO:
		file_io(page, nr);
		break;
	case LOCK:
		munlock(addr, bytes);
		write_pages(page, nr);
		mlock(addr, bytes);
		break;
	default:
		do_pin(op, page, nr);
	}
}

static void lock(int *at)
{
	while (__atomic_exchange_n(at, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(int *at)
{
	__atomic_store_n(at, 0, __ATOMIC_RELEASE);
}

static bool is_pin(enum op op)
{
	return PINS & (1 << op);
}

static enum op draw_op(void)
{
	enum op op;

	/* What takes all of the memory is rarer. */
	do
		op = st_below(3) ? st_below(NR_OPS) : st_below(2);
	while (!(me.kind->ops & (1 << op)) ||
	       ((1 << op) & (F | R | B | L) && !st_one_in(8)));
	return op;
}

static void operate(void)
{
	size_t pages = me.bytes / MO_BASE, chunk = st_below(pages / CHUNK);
	size_t page = chunk * CHUNK, nr, skip;
	enum op op = draw_op();

	switch (op) {
	case FORK:
		fork_once(page);
		return;
	case MREMAP:
		mremap_once();
		return;
	case MBIND:
		mbind_once(page);
		return;
	case COLLAPSE:
		madvise((char *)((uintptr_t)(me.addr + page * MO_BASE) & ~(MO_2M - 1)),
			MO_2M, MADV_COLLAPSE);
		return;
	default:
		break;
	}
	skip = st_below(CHUNK);
	nr = 1 + st_below(CHUNK - skip);
	if (nr > PINNED && (is_pin(op) || op == FILE_IO))
		nr = PINNED;
	lock(&me.locks[chunk]);
	do_chunk(op, page + skip, nr);
	unlock(&me.locks[chunk]);
}

static void *shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	return at;
}

static void must(bool done, const char *what)
{
	if (done)
		return;
	printf("# %s: %s: %m\n", me.kind->name, what);
	fflush(stdout);
	_exit(1);
}

static void open_file(void)
{
	char path[64];

	me.fd = -1;
	if (!me.kind->dir)
		return;
	if (!strcmp(me.kind->dir, "memfd")) {
		me.fd = memfd_create("stress", 0);
	} else {
		sprintf(path, "%s/own%u", me.kind->dir, me.nr);
		me.fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	}
	must(me.fd >= 0 && !ftruncate(me.fd, me.bytes), "file");
}

static void get_memory(void)
{
	size_t size = me.bytes + MO_2M;
	char path[64];

	open_file();
	if (me.fd < 0 && !(me.kind->flags & (MAP_HUGETLB | MAP_SHARED))) {
		me.addr = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(me.addr != MAP_FAILED, "mmap");
		me.addr = (char *)(((uintptr_t)me.addr + MO_2M - 1) & ~(MO_2M - 1));
		me.addr = mmap(me.addr, me.bytes, PROT_READ | PROT_WRITE,
			       me.kind->flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	} else {
		me.addr = mmap(NULL, me.bytes, PROT_READ | PROT_WRITE,
			       me.kind->flags | (me.fd < 0 ? MAP_ANONYMOUS : 0), me.fd, 0);
	}
	must(me.addr != MAP_FAILED, "mmap");
	if (me.kind->advice)
		madvise(me.addr, me.bytes, me.kind->advice);
	if (me.kind->ops & (1 << LOCK))
		must(!mlock(me.addr, me.bytes), "mlock");
	sprintf(path, ST_DIR "/ext4/direct%u", me.nr);
	me.direct = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
}

/* Memory that does not come from the cgroup is not what we are here to test. */
static void join_cgroup(void)
{
	char path[64];
	int err;

	sprintf(path, ST_CGROUP "/own%u", me.nr);
	mkdir(path, 0755);
	/*
	 * Not memory.max: what an engine that hangs has of so little memory, and
	 * keeps, cannot be reclaimed, and the owner would be killed for it.
	 */
	if (me.kind->max)
		must(!mo_write(me.kind->max, "%s/memory.high", path), "memory.high");
	err = mo_write("0", "%s/cgroup.procs", path);
	errno = -err;
	must(!err, "cgroup.procs");
}

static void run(unsigned int partner)
{
	me.partner = partner;
	st_srand(0x100 + me.nr * 16 + partner);
	while (!st_stop())
		operate();
	if (me.child)
		waitpid(me.child, NULL, 0);
}

void st_own(unsigned int nr)
{
	pid_t partners[4];
	unsigned int i;
	int status;
	bool good = true;

	me.nr = nr;
	me.kind = &kinds[nr];
	me.slot = &st->slots[nr];
	me.bytes = me.kind->pages * MO_BASE;
	if (me.kind->dir && *me.kind->dir == '/' && access(me.kind->dir, F_OK))
		return;
	join_cgroup();
	/* Checking must not leave the migrators without a CPU. */
	nice(5);
	me.version = shared(me.kind->pages * sizeof(*me.version));
	me.then = calloc(me.kind->pages, sizeof(*me.then));
	me.locks = shared(me.kind->pages / CHUNK * sizeof(*me.locks));
	me.page = aligned_alloc(MO_BASE, PINNED * MO_BASE);
	get_memory();
	me.slot->kind = me.kind->name;
	me.slot->bytes = me.bytes;
	me.slot->addr = me.addr;
	me.slot->pid = getpid();

	fflush(stdout);
	for (i = 0; i < me.kind->partners; i++) {
		partners[i] = fork();
		must(partners[i] >= 0, "fork");
		if (!partners[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run(1 + i);
			fflush(stdout);
			_exit(0);
		}
	}
	run(0);
	for (i = 0; i < me.kind->partners; i++)
		good &= waitpid(partners[i], &status, 0) == partners[i] && !status;
	me.slot->pid = 0;
	check_pages(0, me.kind->pages, "all has ended");
	must(good, "a partner died");
}
