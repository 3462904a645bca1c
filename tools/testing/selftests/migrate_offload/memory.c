// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is used while it migrates: swapped out and in, merged, forked and
 * written, written through the page cache or behind the back of the page
 * tables. It goes to and fro between two nodes all the time, and each byte is
 * the last one that was written there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mo_util.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define NR		128		/* pages, or folios of 2 MiB below */
#define TURN_MS		700
#define PATIENCE_MS	20000
#define WORDS		(MO_BASE / sizeof(__u64))

/* The mover */

static struct mo_mem range;
static atomic_bool stop;
static atomic_uint rounds;

static void *mover(void *unused)
{
	unsigned int i;

	for (i = 0; !atomic_load(&stop); i++) {
		mo_move(&range, mo_nodes[i & 1]);
		atomic_fetch_add(&rounds, 1);
	}
	return NULL;
}

/*
 * Move [addr, addr + bytes) while use() is called again and again, until some
 * time has passed and some moves have been made.
 */
static bool while_moving(void *addr, size_t bytes, size_t folio,
			 bool (*use)(unsigned int turn))
{
	__u64 start = mo_now_ms();
	bool good = true;
	pthread_t thread;
	unsigned int i;

	range = (struct mo_mem) {
		.addr = addr, .bytes = bytes, .folio = folio,
		.nr = bytes / folio,
	};
	atomic_store(&stop, false);
	atomic_store(&rounds, 0);
	if (pthread_create(&thread, NULL, mover, NULL))
		ksft_exit_fail_msg("no thread\n");
	for (i = 1; good && (mo_now_ms() - start < TURN_MS ||
			     atomic_load(&rounds) < 4); i++) {
		good &= use(i);
		if (mo_now_ms() - start > PATIENCE_MS)
			break;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	MO_EXPECT(atomic_load(&rounds) >= 4, "%u", atomic_load(&rounds));
	return good;
}

/* Contents: of each word, its place and in which turn it was written. */

static __u64 word(unsigned int turn, size_t nr)
{
	return ((__u64)turn << 40 ^ nr) * 0x9e3779b97f4a7c15ULL;
}

static void fill(__u64 *at, size_t bytes, unsigned int turn)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*at); i++)
		at[i] = word(turn, i);
}

static bool filled(const __u64 *at, size_t bytes, unsigned int turn)
{
	size_t i, bad = 0;
	bool good = true;

	for (i = 0; i < bytes / sizeof(*at); i++)
		bad += at[i] != word(turn, i);
	MO_EXPECT(!bad, "%zu words, turn %u", bad, turn);
	return good;
}

static __u64 *map(size_t bytes, int flags, int fd)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %m\n");
	if (!(flags & MAP_HUGETLB))
		madvise(at, bytes, MADV_NOHUGEPAGE);
	return at;
}

static __u64 *mem;
static size_t size;

static bool use_write(unsigned int turn)
{
	bool good = turn == 1 || filled(mem, size, turn - 1);

	fill(mem, size, turn);
	return good;
}

/* In and out of the swap cache, and clean or dirty there. */
static bool use_swap(unsigned int turn)
{
	bool good;

	if (turn & 1)
		fill(mem, size, turn);
	madvise(mem, size, MADV_PAGEOUT);
	good = filled(mem, size, turn & 1 ? turn : turn - 1);
	madvise(mem, size, MADV_PAGEOUT);
	return good && filled(mem, size, turn & 1 ? turn : turn - 1);
}

static bool swapping(int flags)
{
	bool good;

	if (swapon("/dev/ram0", 0) && system("mkswap /dev/ram0 > /dev/null") +
	    swapon("/dev/ram0", 0)) {
		ksft_print_msg("no swap: %m\n");
		return false;
	}
	size = NR * MO_BASE;
	mem = map(size, flags, -1);
	fill(mem, size, 0);
	good = while_moving(mem, size, MO_BASE, use_swap);
	munmap(mem, size);
	MO_EXPECT(!swapoff("/dev/ram0"), "%m");
	return good;
}

static bool test_swap(void)
{
	return swapping(MAP_PRIVATE | MAP_ANONYMOUS);
}

static bool test_swap_shmem(void)
{
	return swapping(MAP_SHARED | MAP_ANONYMOUS);
}

#define KSM	"/sys/kernel/mm/ksm"

/* All pages are equal, so they are merged; some are written, and part again. */
static bool use_ksm(unsigned int turn)
{
	size_t page, i, bad = 0, odd = turn % NR;
	bool good = true;

	mem[odd * WORDS + 7] = turn;
	for (page = 0; page < NR; page++)
		for (i = 0; i < WORDS; i++)
			bad += mem[page * WORDS + i] !=
			       (page == odd && i == 7 ? turn : 42);
	mem[odd * WORDS + 7] = 42;
	MO_EXPECT(!bad, "%zu words", bad);
	return good;
}

static bool test_ksm(void)
{
	bool good;
	size_t i;
	int ms;

	size = NR * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (i = 0; i < size / sizeof(*mem); i++)
		mem[i] = 42;
	mo_write("1000", KSM "/pages_to_scan");
	mo_write("5", KSM "/sleep_millisecs");
	if (madvise(mem, size, MADV_MERGEABLE) || mo_write("1", KSM "/run"))
		return false;
	for (ms = PATIENCE_MS; ms > 0 && mo_number(KSM "/pages_sharing") < NR / 2;
	     ms -= 20)
		mo_sleep_ms(20);
	good = mo_number(KSM "/pages_sharing") >= NR / 2;
	MO_EXPECT(good, "nothing was merged");
	good = good && while_moving(mem, size, MO_BASE, use_ksm);
	mo_write("2", KSM "/run");
	munmap(mem, size);
	return good;
}

/* A child sees what was there when it came, whatever either of them writes. */
static bool use_fork(unsigned int turn)
{
	bool good = true;
	int status;
	pid_t pid;

	fill(mem, size, turn);
	pid = fork();
	if (!pid) {
		good = filled(mem, size, turn);
		fill(mem, size, turn + 1000);
		good &= filled(mem, size, turn + 1000);
		_exit(!good);
	}
	fill(mem, size / 2, turn + 2000);
	MO_EXPECT(waitpid(pid, &status, 0) == pid && !status, "%x", status);
	good &= filled(mem, size / 2, turn + 2000);
	return good;
}

static bool test_fork(void)
{
	bool good;

	size = NR * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(mem, size, 0);
	good = while_moving(mem, size, MO_BASE, use_fork);
	munmap(mem, size);
	return good;
}

static int file;

/* Through the page cache, without the page tables. */
static bool use_file(unsigned int turn)
{
	__u64 page[WORDS];
	bool good = true;
	size_t i;

	for (i = 0; i < NR; i++) {
		fill(page, sizeof(page), turn + i);
		MO_EXPECT(pwrite(file, page, sizeof(page), i * MO_BASE) ==
			  sizeof(page), "%m");
	}
	for (i = 0; i < NR; i++) {
		good &= filled(mem + i * WORDS, MO_BASE, turn + i);
		MO_EXPECT(pread(file, page, sizeof(page), i * MO_BASE) ==
			  sizeof(page), "%m");
		good &= filled(page, MO_BASE, turn + i);
	}
	return good;
}

static bool test_tmpfs(void)
{
	bool good;

	size = NR * MO_BASE;
	file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
	if (file < 0 || ftruncate(file, size))
		ksft_exit_fail_msg("no tmpfs: %m\n");
	mem = map(size, MAP_SHARED, file);
	good = while_moving(mem, size, MO_BASE, use_file);
	munmap(mem, size);
	close(file);
	return good;
}

static long long locked_pages(void)
{
	char text[16384], *at;

	mo_read(text, 1, "/proc/sys/vm/stat_refresh");
	if (mo_read(text, sizeof(text), "/proc/vmstat") < 0)
		return -1;
	at = strstr(text, "\nnr_mlock ");
	return at ? strtoll(at + strlen("\nnr_mlock "), NULL, 10) : -1;
}

static bool test_mlock(void)
{
	long long before = locked_pages();
	bool good = true;

	size = NR * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(mem, size, 0);
	MO_EXPECT(!mlock(mem, size), "%m");
	good &= while_moving(mem, size, MO_BASE, use_write);
	MO_EXPECT(locked_pages() == before + NR, "%lld", locked_pages() - before);
	munmap(mem, size);
	MO_EXPECT(locked_pages() == before, "%lld", locked_pages() - before);
	return good;
}

#define CGROUP	"/sys/fs/cgroup"

/* Bytes of anonymous memory of the group on one node. */
static long long charged(int node)
{
	char text[4096], *at, name[16];

	if (mo_read(text, sizeof(text), CGROUP "/mo-mem/memory.numa_stat") < 0)
		return -1;
	at = strstr(text, "anon ");
	sprintf(name, "N%d=", node);
	at = at ? strstr(at, name) : NULL;
	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* The charge goes along, and nothing is left of it when its owner is gone. */
static bool charged_child(void)
{
	int to = mo_nodes[1];
	bool good = true;
	long long on;
	int i;

	size = NR * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(mem, size, 0);
	good &= while_moving(mem, size, MO_BASE, use_write);
	MO_EXPECT(!mo_move(&range, to), "cannot move");
	/* Statistics are gathered every other second. */
	for (i = 0; i < 100 && charged(to) < (long long)size; i++)
		mo_sleep_ms(100);
	on = charged(to);
	MO_EXPECT(on >= (long long)size, "%lld", on);
	return good;
}

/* Bytes of user memory; slab objects may take their time to go. */
static long long charged_in_all(void)
{
	static const char * const names[] = { "anon ", "\nfile ", "\nshmem " };
	char text[4096], *at;
	long long sum = 0;
	unsigned int i;

	if (mo_read(text, sizeof(text), CGROUP "/mo-mem/memory.stat") < 0)
		return -1;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		at = strstr(text, names[i]);
		sum += at ? strtoll(at + strlen(names[i]), NULL, 10) : -1;
	}
	return sum;
}

static bool test_memcg(void)
{
	bool good = true;
	int status, i;
	pid_t pid;

	mo_write("+memory", CGROUP "/cgroup.subtree_control");
	mkdir(CGROUP "/mo-mem", 0755);
	pid = fork();
	if (!pid)
		_exit(mo_write("0", CGROUP "/mo-mem/cgroup.procs") ||
		      !charged_child());
	MO_EXPECT(waitpid(pid, &status, 0) == pid && !status, "%x", status);
	for (i = 0; i < 100 && charged_in_all(); i++)
		mo_sleep_ms(100);
	MO_EXPECT(!charged_in_all(), "%lld bytes left", charged_in_all());
	MO_EXPECT(!rmdir(CGROUP "/mo-mem"), "%m");
	return good;
}

#define UFFD_WP	(1ULL << 57)

/* Every other page is write-protected: it stays so, and stays what it was. */
static bool use_uffd(unsigned int turn)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	__u64 entries[NR];
	bool good = true;
	size_t i, wrong = 0;

	for (i = 1; i < NR; i += 2)
		fill(mem + i * WORDS, MO_BASE, turn);
	MO_EXPECT(pread(pagemap, entries, sizeof(entries), (uintptr_t)mem /
			MO_BASE * sizeof(*entries)) == sizeof(entries), "%m");
	for (i = 0; i < NR; i++) {
		wrong += !(entries[i] & UFFD_WP) != (i & 1);
		good &= filled(mem + i * WORDS, MO_BASE, i & 1 ? turn : 0);
	}
	MO_EXPECT(!wrong, "%zu", wrong);
	close(pagemap);
	return good;
}

static bool test_uffd(void)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	bool good = true;
	size_t i;

	size = NR * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (i = 0; i < NR; i++)
		fill(mem + i * WORDS, MO_BASE, 0);
	reg.range.start = (uintptr_t)mem;
	reg.range.len = size;
	MO_EXPECT(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
		  !ioctl(fd, UFFDIO_REGISTER, &reg), "%m");
	for (i = 0; good && i < NR; i += 2) {
		wp.range.start = (uintptr_t)(mem + i * WORDS);
		wp.range.len = MO_BASE;
		MO_EXPECT(!ioctl(fd, UFFDIO_WRITEPROTECT, &wp), "%m");
	}
	good = good && while_moving(mem, size, MO_BASE, use_uffd);
	close(fd);
	munmap(mem, size);
	return good;
}

static int disk;

/* The device writes to the pages without the page tables, and pins them. */
static bool use_direct(unsigned int turn)
{
	bool good = true;

	memset(mem, turn, size);
	MO_EXPECT(pread(disk, mem, size, 0) == (ssize_t)size, "%m");
	return good && filled(mem, size, 7);
}

static bool test_direct(void)
{
	bool good = true;

	size = NR * MO_BASE;
	disk = open("/dev/ram1", O_RDWR | O_DIRECT);
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(mem, size, 7);
	MO_EXPECT(disk >= 0 && pwrite(disk, mem, size, 0) == (ssize_t)size,
		  "%m");
	good = good && while_moving(mem, size, MO_BASE, use_direct);
	munmap(mem, size);
	close(disk);
	return good;
}

/* Another way to write behind the back of the page tables. */
static bool use_remote(unsigned int turn)
{
	static __u64 data[NR * WORDS];
	struct iovec from = { data, size }, to = { mem, size };
	bool good = true;

	fill(data, size, turn);
	MO_EXPECT(process_vm_writev(getpid(), &from, 1, &to, 1, 0) ==
		  (ssize_t)size, "%m");
	return good && filled(mem, size, turn);
}

static bool test_remote(void)
{
	bool good;

	size = NR * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(mem, size, 0);
	good = while_moving(mem, size, MO_BASE, use_remote);
	munmap(mem, size);
	return good;
}

/* What is in a pipe by reference, and must not change while it is there. */
static bool use_pipe(unsigned int turn)
{
	static __u64 data[8 * WORDS];
	struct iovec iov = { mem, sizeof(data) };
	bool good = true;
	int fds[2];

	fill(mem, sizeof(data), turn);
	MO_EXPECT(!pipe(fds), "%m");
	MO_EXPECT(vmsplice(fds[1], &iov, 1, 0) == sizeof(data), "%m");
	mo_sleep_ms(5);
	MO_EXPECT(read(fds[0], data, sizeof(data)) == sizeof(data), "%m");
	close(fds[0]);
	close(fds[1]);
	return good && filled(data, sizeof(data), turn) &&
	       filled(mem, sizeof(data), turn);
}

static bool test_pipe(void)
{
	bool good;

	size = 8 * MO_BASE;
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(mem, size, 0);
	good = while_moving(mem, size, MO_BASE, use_pipe);
	munmap(mem, size);
	return good;
}

#define HUGEPAGES	"/proc/sys/vm/nr_hugepages"

/* Of a file, and in two mappings. */
static bool test_hugetlb_shared(void)
{
	int fd = memfd_create("mo", MFD_HUGETLB);
	bool good = true;
	__u64 *other;

	size = 2 * MO_2M;
	MO_EXPECT(!mo_write("4", HUGEPAGES), "cannot have them");
	MO_EXPECT(fd >= 0 && !ftruncate(fd, size), "%m");
	if (!good)
		return false;
	mem = map(size, MAP_SHARED | MAP_HUGETLB, fd);
	other = map(size, MAP_SHARED | MAP_HUGETLB, fd);
	fill(mem, size, 0);
	good &= while_moving(mem, size, MO_2M, use_write);
	fill(mem, size, 12345);
	good &= filled(other, size, 12345);
	munmap(mem, size);
	munmap(other, size);
	close(fd);
	mo_write("0", HUGEPAGES);
	MO_EXPECT(!mo_number(HUGEPAGES), "%lld", mo_number(HUGEPAGES));
	return good;
}

#define THP	"/sys/kernel/mm/transparent_hugepage"

/* Large folios of all sizes, some of them with holes, which get split. */
static bool use_holes(unsigned int turn)
{
	size_t step = 37 * MO_BASE, at;
	bool good = true;

	for (at = turn * MO_BASE % step; at < size; at += step)
		madvise((char *)mem + at, MO_BASE, MADV_DONTNEED);
	fill(mem, size, turn);
	madvise(mem, size, MADV_DONTNEED);
	good &= mem[0] == 0 && mem[size / sizeof(*mem) - 1] == 0;
	fill(mem, size, turn + 1);
	return good && filled(mem, size, turn + 1);
}

static bool test_sizes(void)
{
	static const unsigned int kb[] = { 16, 32, 128, 256, 512, 1024 };
	bool good = true;
	unsigned int i;

	size = MO_2M;
	for (i = 0; i < ARRAY_SIZE(kb); i++)
		mo_write("madvise", THP "/hugepages-%ukB/enabled", kb[i]);
	mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(mem, size, MADV_HUGEPAGE);
	fill(mem, size, 0);
	good &= while_moving(mem, size, MO_BASE, use_holes);
	munmap(mem, size);
	for (i = 0; i < ARRAY_SIZE(kb); i++)
		mo_write("never", THP "/hugepages-%ukB/enabled", kb[i]);
	return good;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "anonymous, swapped out and in", test_swap },
	{ "shmem, swapped out and in", test_swap_shmem },
	{ "merged by KSM", test_ksm },
	{ "forked, written by both", test_fork },
	{ "tmpfs, written by write(2)", test_tmpfs },
	{ "mlocked", test_mlock },
	{ "charged to a cgroup", test_memcg },
	{ "write-protected by userfaultfd", test_uffd },
	{ "read into with O_DIRECT", test_direct },
	{ "written by process_vm_writev", test_remote },
	{ "in a pipe by vmsplice", test_pipe },
	{ "hugetlb, shared", test_hugetlb_shared },
	{ "mTHP of all sizes, with holes", test_sizes },
};

static void test(unsigned int nr, const char *engines)
{
	struct mo_counts before = {}, n = {};
	unsigned int tries = 0;
	bool good;

	if (engines)
		mo_policy(engines);
	mo_enable(engines);
	before = mo_counts();
	/* What is being used may be pinned just when it is to move. */
	do {
		good = tests[nr].run();
		n = mo_counts_since(&before);
	} while (engines && good && !n.engine && !n.cpu && ++tries < 4);
	if (engines)
		MO_EXPECT(n.engine + n.cpu > 0, "of %lld", n.offered);
	else
		MO_EXPECT(!n.offered, "%lld", n.offered);
	good &= mo_adds_up();
	ksft_print_msg("%lld offered, %lld by engines, %lld by cpu, %lld refused\n",
		       n.offered, n.engine, n.cpu, n.refused);
	ksft_test_result(good, "%s, engines %s\n", tests[nr].name,
			 engines ?: "off");
}

int main(void)
{
	static const char * const engines[] = {
		NULL, "cpu", "cpu-mt", "sim0,sim1"
	};
	unsigned int i, j;

	ksft_print_header();
	mo_find_nodes();
	if (!mo_exists(MO_SYSFS) || mo_nr_nodes < 2 || mo_nr_sims() < 2)
		ksft_exit_skip("needs two nodes, and engines sim0 and sim1\n");
	mo_sim_calm();
	/* Time for others to do something in between. */
	for (i = 0; i < 2; i++)
		mo_sim_set(i, "delay_us", 200);
	ksft_set_plan(ARRAY_SIZE(tests) * ARRAY_SIZE(engines));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		for (j = 0; j < ARRAY_SIZE(engines); j++)
			test(i, engines[j]);
	mo_sim_calm();
	mo_enable(false);
	ksft_finished();
}
