// SPDX-License-Identifier: GPL-2.0
/*
 * Writers that need no folio lock, and write while a copy is under way: what
 * they wrote must be there afterwards. Each of these tests loses data as soon
 * as the eligibility rule that it is about is dropped; tools/testing/
 * migrate_offload/mutants shows that.
 *
 * A folio is moved together with anonymous pages, in one batch of a slow engine
 * that copies them one after the other. The folio is copied first, if the kernel
 * does what it must not, and is moved last. The writer waits until anything has
 * been copied, and has to be done before all is: all the while, the folio is
 * locked and unmapped.
 *
 * Who looks up a buffer takes the folio lock nowadays, but who has one already
 * does not. So ext4 is first made to wait for a folio that is being moved, too,
 * with a buffer of the other one in its hands.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "mo_util.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define DISK		"/dev/ram0"
#define DISK_BYTES	(16UL << 20)
#define MNT		"/tmp/mo-window"
#define NR_ANON		4
#define NR_FILES	32
#define NR_EVENTS	24
#define MAGIC_TIME	0x4d4f0000L

/* The window: a slow engine, and what is moved through it. */

struct mover {
	pthread_t thread;
	struct mo_mem anon;
	unsigned int sim;
	void *page;
	int to;
	long ret;
	long long copied;
	bool ended;
};

static void *move(void *arg)
{
	void *pages[NR_ANON + 1];
	int nodes[NR_ANON + 1], status[NR_ANON + 1], i;
	struct mover *mover = arg;

	/* Not side by side: an extent of its own for each. */
	for (i = 0; i < NR_ANON; i++)
		pages[i] = mover->anon.addr + 2 * i * MO_BASE;
	pages[NR_ANON] = mover->page;
	for (i = 0; i <= NR_ANON; i++)
		nodes[i] = mover->to;
	mover->ret = syscall(SYS_move_pages, 0, NR_ANON + 1, pages, nodes,
			     status, 1 << 2 /* MPOL_MF_MOVE_ALL */);
	if (mover->ret < 0)
		mover->ret = -errno;
	__atomic_store_n(&mover->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static void policy(int node, unsigned int sim)
{
	int err = mo_write(sim ? "sim1" : "sim0",
			   MO_SYSFS "/nodes/node%d/engines", node);

	if (err)
		ksft_exit_fail_msg("engines: %s\n", strerror(-err));
}

static int node_of(void *page)
{
	int node = -1;

	syscall(SYS_move_pages, 0, 1, &page, NULL, &node, 0);
	return node;
}

/* Returns when the first folio has been copied and more are to come. */
static bool window_open(struct mover *mover, void *page, unsigned int sim,
			unsigned int delay_ms)
{
	int from = node_of(page), err;

	/* Node 0 for sim0 and node 1 for sim1, or another if it is there. */
	*mover = (struct mover) {
		.page = page,
		.sim = sim,
		.to = mo_nodes[sim] != from ? mo_nodes[sim] : mo_nodes[2],
	};
	if (from < 0) {
		ksft_print_msg("the page is not there: %d\n", from);
		return false;
	}
	err = mo_alloc(&mover->anon, MO_ANON, 2 * NR_ANON, from);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));
	policy(mover->to, sim);
	mo_sim_set(sim, "order", 1 /* from the end */);
	mo_sim_set(sim, "delay_us", delay_ms * 1000);
	mover->copied = mo_sim_stat(sim, "copied_extents");
	if (pthread_create(&mover->thread, NULL, move, mover))
		ksft_exit_fail_msg("no thread\n");
	while (mo_sim_stat(sim, "copied_extents") == mover->copied &&
	       !__atomic_load_n(&mover->ended, __ATOMIC_ACQUIRE))
		mo_sleep_ms(1);
	return true;
}

/* Is the batch still with the engine? */
static bool window_is_open(const struct mover *mover)
{
	return mo_engine_stat(mover->sim ? "sim1" : "sim0", "inflight") > 0;
}

static bool window_close(struct mover *mover)
{
	bool good = true;
	size_t bad;

	pthread_join(mover->thread, NULL);
	mo_sim_set(mover->sim, "delay_us", 0);
	bad = mo_bad_bytes(&mover->anon);
	MO_EXPECT(mover->ret >= 0, "%s", strerror(-mover->ret));
	MO_EXPECT(!bad, "%zu", bad);
	mo_free(&mover->anon);
	return good;
}

/* File systems */

static bool do_mount(void)
{
	if (!mount(DISK, MNT, "ext4", 0, NULL))
		return true;
	ksft_print_msg("mount: %s\n", strerror(errno));
	return false;
}

static const char *file_name(unsigned int i)
{
	static char name[64];

	sprintf(name, MNT "/mo-window-file-%02u", i);
	return name;
}

static bool make_files(void)
{
	struct timespec times[2] = {};
	unsigned int i;
	int fd;

	for (i = 0; i < NR_FILES; i++) {
		times[0].tv_sec = MAGIC_TIME + i;
		times[1] = times[0];
		fd = open(file_name(i), O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || futimens(fd, times) || close(fd))
			return false;
	}
	return true;
}

/* The page of the disk that has @len bytes like @key. */
static void *find_page(char *disk, const void *key, size_t len)
{
	char *at = memmem(disk, DISK_BYTES, key, len);

	return at ? (void *)((uintptr_t)at & ~(MO_BASE - 1)) : NULL;
}

/*
 * A value that does not fit into the inode any more goes to a block of its own,
 * which is looked up with the inode's buffer in hand; then it is taken out of the
 * inode.
 */
#define VALUE	1000

static char value[VALUE];

static bool xattr_prepare(void)
{
	char big[VALUE];

	memset(big, 'b', sizeof(big));
	memcpy(big, "mo-window-big", 13);
	return !setxattr(file_name(0), "user.mo", "small", 5, 0) &&
	       !setxattr(file_name(0), "user.big", big, sizeof(big), 0);
}

static bool xattr_write(void)
{
	memset(value, 'v', sizeof(value));
	return !setxattr(file_name(0), "user.mo", value, sizeof(value), 0);
}

static bool xattr_check(void)
{
	char now[2 * VALUE];
	ssize_t len = getxattr(file_name(0), "user.mo", now, sizeof(now));
	bool good = true;

	MO_EXPECT(len == VALUE && !memcmp(now, value, VALUE), "%zd: %.5s", len,
		  now);
	return good;
}

/*
 * The entry of the file that is replaced is changed first, then inodes are
 * looked up with the directory's buffer in hand, then the old entry is taken out.
 */
static bool rename_write(void)
{
	return !rename(MNT "/mo-window-file-03", MNT "/mo-window-file-04");
}

static bool rename_check(void)
{
	struct stat stat;
	bool good = true;

	MO_EXPECT(lstat(file_name(3), &stat) && errno == ENOENT, "it is there");
	MO_EXPECT(!lstat(file_name(4), &stat) &&
		  stat.st_mtime == MAGIC_TIME + 3, "it is another");
	return good;
}

static const __u32 magic_time = MAGIC_TIME;

static const struct disk {
	const char *first;	/* what the block has that is waited for */
	size_t first_len;
	const char *then;	/* what the block has that is written */
	size_t then_len;
	bool (*prepare)(void);
	bool (*write)(void);
	bool (*check)(void);
} xattr = {
	"mo-window-big", 13, (char *)&magic_time, sizeof(magic_time),
	xattr_prepare, xattr_write, xattr_check
}, names = {
	(char *)&magic_time, sizeof(magic_time), "mo-window-file-03", 17,
	NULL, rename_write, rename_check
};

struct writer {
	pthread_t thread;
	bool (*write)(void);
	pid_t tid;
	bool good;
	bool ended;
};

static void *write_it(void *arg)
{
	struct writer *writer = arg;

	__atomic_store_n(&writer->tid, gettid(), __ATOMIC_RELEASE);
	writer->good = writer->write();
	if (!writer->good)
		ksft_print_msg("writing: %s\n", strerror(errno));
	__atomic_store_n(&writer->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool waits(pid_t tid)
{
	char text[256], *state;

	if (mo_read(text, sizeof(text), "/proc/self/task/%d/stat", tid) < 0)
		return false;
	state = strrchr(text, ')');
	return state && state[2] == 'D';
}

/* Returns when it waits for a lock, or is done. */
static void writer_goes_on(struct writer *writer)
{
	while (!__atomic_load_n(&writer->ended, __ATOMIC_ACQUIRE) &&
	       !waits(__atomic_load_n(&writer->tid, __ATOMIC_ACQUIRE)))
		mo_sleep_ms(1);
}

static void writer_start(struct writer *writer, bool (*write)(void))
{
	*writer = (struct writer) { .write = write };
	if (pthread_create(&writer->thread, NULL, write_it, writer))
		ksft_exit_fail_msg("no thread\n");
	writer_goes_on(writer);
}

static bool while_both_move(const struct disk *what, char *disk,
			    unsigned int delay_ms, bool *in_time)
{
	void *first = find_page(disk, what->first, what->first_len);
	void *then = find_page(disk, what->then, what->then_len);
	struct mover blocker, mover;
	struct writer writer;
	bool good = true;

	MO_EXPECT(first && then && first != then, "%p, %p", first, then);
	if (!good || !window_open(&blocker, first, 0, 3 * delay_ms))
		return false;
	writer_start(&writer, what->write);
	*in_time = !__atomic_load_n(&writer.ended, __ATOMIC_ACQUIRE);
	good = window_open(&mover, then, 1, 5 * delay_ms);
	*in_time &= window_is_open(&blocker);
	good &= window_close(&blocker);
	/* At the end it may look for the same buffer again, and wait. */
	writer_goes_on(&writer);
	*in_time &= window_is_open(&mover);
	good &= window_close(&mover);
	pthread_join(writer.thread, NULL);
	MO_EXPECT(writer.good, "it cannot write");
	return good;
}

static bool disk_once(const struct disk *what, unsigned int delay_ms,
		      bool *in_time)
{
	/* Without a journal, which would hold the buffers. */
	const char * const make[] = {
		"mkfs.ext4", "-F", "-q", "-t", "ext4", "-b", "4096", "-I", "256",
		"-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard",
		DISK, "4096", NULL
	};
	const char * const check[] = { "e2fsck", "-f", "-n", DISK, NULL };
	bool good = true;
	char *disk;
	int fd, ret;

	ret = mo_run(make);
	MO_EXPECT(!ret, "mkfs.ext4: %d", ret);
	if (ret || !do_mount())
		return false;
	MO_EXPECT(make_files(), "%s", strerror(errno));
	MO_EXPECT(!what->prepare || what->prepare(), "%s", strerror(errno));
	sync();
	fd = open(DISK, O_RDONLY);
	disk = mmap(NULL, DISK_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	MO_EXPECT(disk != MAP_FAILED, "%s", strerror(errno));
	good = good && while_both_move(what, disk, delay_ms, in_time);
	if (good)
		MO_EXPECT(what->check(), "while it is mounted");
	if (disk != MAP_FAILED)
		munmap(disk, DISK_BYTES);
	if (umount(MNT)) {
		ksft_print_msg("umount: %s\n", strerror(errno));
		return false;
	}
	mo_drop_caches();
	ret = mo_run(check);
	MO_EXPECT(!ret, "e2fsck: %d", ret);
	if (!do_mount())
		return false;
	MO_EXPECT(what->check(), "after it was mounted again");
	umount(MNT);
	return good;
}

static bool test_xattr(unsigned int delay_ms, bool *in_time)
{
	return disk_once(&xattr, delay_ms, in_time);
}

static bool test_names(unsigned int delay_ms, bool *in_time)
{
	return disk_once(&names, delay_ms, in_time);
}

/*
 * Events of aio go to a ring that the process maps. System calls of aio read it
 * there, and would wait for the move: so the first half is submitted before it,
 * and events come by other means.
 */
static bool test_aio(unsigned int delay_ms, bool *in_time)
{
	static const __u64 tag = 0x6d6f77696e646f77ULL;
	struct io_event events[2 * NR_EVENTS];
	struct iocb iocbs[2 * NR_EVENTS] = {};
	bool seen[2 * NR_EVENTS] = {}, good = true;
	struct timespec soon = { 10 };
	aio_context_t context = 0;
	int fds[2 * NR_EVENTS], nr, i;
	struct mover mover;

	if (syscall(SYS_io_setup, 2 * NR_EVENTS, &context))
		return false;
	for (i = 0; i < 2 * NR_EVENTS; i++) {
		fds[i] = eventfd(0, 0);
		iocbs[i] = (struct iocb) {
			.aio_data = tag + i,
			.aio_lio_opcode = IOCB_CMD_POLL,
			.aio_fildes = fds[i],
			.aio_buf = POLLIN,
		};
	}
	for (i = 0; i < 2 * NR_EVENTS; i++) {
		struct iocb *iocb = &iocbs[i];

		if (i == NR_EVENTS) {
			/* Mapped when touched. */
			*(volatile char *)context;
			good = good && window_open(&mover, (void *)context, 0,
						   delay_ms);
			if (!good)
				break;
			for (nr = 0; nr < NR_EVENTS; nr++)
				MO_EXPECT(!eventfd_write(fds[nr], 1), "%m");
			*in_time = window_is_open(&mover);
			good &= window_close(&mover);
		}
		nr = syscall(SYS_io_submit, context, 1, &iocb);
		MO_EXPECT(nr == 1, "%d: %m", nr);
		if (i >= NR_EVENTS)
			MO_EXPECT(!eventfd_write(fds[i], 1), "%m");
	}
	nr = syscall(SYS_io_getevents, context, 2 * NR_EVENTS, 2 * NR_EVENTS,
		     events, &soon);
	MO_EXPECT(nr == 2 * NR_EVENTS, "%d", nr);
	for (i = 0; i < nr; i++) {
		__u64 which = events[i].data - tag;

		MO_EXPECT(which < 2 * NR_EVENTS && !seen[which] &&
			  events[i].res == POLLIN, "event %d: %llx, %lld", i,
			  (unsigned long long)events[i].data,
			  (long long)events[i].res);
		if (which < 2 * NR_EVENTS)
			seen[which] = true;
	}
	syscall(SYS_io_destroy, context);
	for (i = 0; i < 2 * NR_EVENTS; i++)
		close(fds[i]);
	return good;
}

/*
 * A write through a pinned page. It stops half-way, with the pin held, since the
 * source is missing, and goes on as soon as that is provided.
 */
struct pinner {
	pthread_t thread;
	struct iovec from, to;
	long ret;
};

static void *write_pinned(void *arg)
{
	struct pinner *pinner = arg;

	pinner->ret = syscall(SYS_process_vm_writev, getpid(), &pinner->from, 1,
			      &pinner->to, 1, 0);
	return NULL;
}

static bool test_pinned(unsigned int delay_ms, bool *in_time)
{
	struct uffdio_register missing = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_copy copy = { .len = MO_BASE };
	struct pinner pinner = {};
	static char text[MO_BASE];
	struct uffd_msg msg;
	struct mo_mem mem;
	struct mover mover;
	bool good = true;
	char *source;
	int uffd;

	if (mo_alloc(&mem, MO_MEMFD, 1, 0))
		return false;
	source = mmap(NULL, MO_BASE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	missing.range.start = (uintptr_t)source;
	missing.range.len = MO_BASE;
	if (source == MAP_FAILED || uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &missing)) {
		ksft_print_msg("userfaultfd: %s\n", strerror(errno));
		return false;
	}
	memset(text, 'w', sizeof(text));
	pinner.from = (struct iovec) { source, MO_BASE };
	pinner.to = (struct iovec) { mem.addr, MO_BASE };
	/* Fails without CONFIG_CROSS_MEMORY_ATTACH, and nothing would stop. */
	MO_EXPECT(!syscall(SYS_process_vm_writev, getpid(), NULL, 0, NULL, 0, 0),
		  "%m");
	if (!good)
		return false;
	pthread_create(&pinner.thread, NULL, write_pinned, &pinner);
	MO_EXPECT(read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
		  msg.event == UFFD_EVENT_PAGEFAULT, "%m");

	good &= window_open(&mover, mem.addr, 0, delay_ms);
	copy.src = (uintptr_t)text;
	copy.dst = (uintptr_t)source;
	MO_EXPECT(!ioctl(uffd, UFFDIO_COPY, &copy), "%m");
	pthread_join(pinner.thread, NULL);
	*in_time = window_is_open(&mover);
	good &= window_close(&mover);
	MO_EXPECT(pinner.ret == MO_BASE, "%ld", pinner.ret);
	MO_EXPECT(!memcmp(mem.addr, text, MO_BASE), "what was written is lost");
	munmap(source, MO_BASE);
	close(uffd);
	mo_free(&mem);
	return good;
}

/* To and fro, with a ring of several pages in full use all the time. */

#define NR_RING		512
#define NR_MOVES	40

struct mill {
	pthread_t thread;
	aio_context_t context;
	bool stop;
	bool good;
	bool ended;
	__u64 events;
};

static void *grind(void *arg)
{
	static struct io_event events[NR_RING / 4];
	static struct iocb iocbs[NR_RING / 4];
	struct mill *mill = arg;
	int fd = memfd_create("aio", MFD_CLOEXEC), nr, i;
	struct timespec soon = { 10 };
	struct iocb *list[NR_RING / 4];
	char byte = 'a';
	bool good = true;

	while (good && !__atomic_load_n(&mill->stop, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < NR_RING / 4; i++) {
			iocbs[i] = (struct iocb) {
				.aio_data = mill->events + i,
				.aio_lio_opcode = IOCB_CMD_PWRITE,
				.aio_fildes = fd,
				.aio_buf = (uintptr_t)&byte,
				.aio_nbytes = 1,
			};
			list[i] = &iocbs[i];
		}
		nr = syscall(SYS_io_submit, mill->context, NR_RING / 4, list);
		MO_EXPECT(nr == NR_RING / 4, "%d: %m", nr);
		nr = syscall(SYS_io_getevents, mill->context, NR_RING / 4,
			     NR_RING / 4, events, &soon);
		MO_EXPECT(nr == NR_RING / 4, "%d: %m", nr);
		/* These end at once, and so in order. */
		for (i = 0; good && i < nr; i++)
			MO_EXPECT(events[i].data == mill->events + i &&
				  events[i].obj == (uintptr_t)list[i] &&
				  events[i].res == 1, "event %d of %llu", i,
				  (unsigned long long)mill->events);
		mill->events += NR_RING / 4;
	}
	close(fd);
	mill->good = good;
	__atomic_store_n(&mill->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static size_t bytes_mapped_at(void *at)
{
	unsigned long from, to;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t bytes = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    from == (uintptr_t)at)
			bytes = to - from;
	if (maps)
		fclose(maps);
	return bytes;
}

static void test_aio_mill(void)
{
	struct mill mill = {};
	struct mo_mem ring;
	bool good = true;
	unsigned int i, moved = 0;
	__u64 seen;

	mo_policy("sim0");
	mo_sim_set(0, "delay_us", 500);
	if (syscall(SYS_io_setup, NR_RING, &mill.context))
		ksft_exit_fail_msg("io_setup: %s\n", strerror(errno));
	ring = (struct mo_mem) {
		.addr = (char *)mill.context,
		.bytes = bytes_mapped_at((void *)mill.context),
		.folio = MO_BASE,
	};
	ring.nr = ring.bytes / MO_BASE;
	MO_EXPECT(ring.nr > 1, "%u", ring.nr);
	madvise(ring.addr, ring.bytes, MADV_POPULATE_READ);
	pthread_create(&mill.thread, NULL, grind, &mill);
	for (i = 0; i < NR_MOVES; i++) {
		int to = mo_nodes[i % 2];

		/* It goes on while nothing moves, too. */
		seen = __atomic_load_n(&mill.events, __ATOMIC_RELAXED);
		MO_EXPECT(mo_move(&ring, to) >= 0, "%m");
		moved += mo_folios_on(&ring, to);
		while (__atomic_load_n(&mill.events, __ATOMIC_RELAXED) == seen &&
		       !__atomic_load_n(&mill.ended, __ATOMIC_ACQUIRE))
			mo_sleep_ms(1);
	}
	__atomic_store_n(&mill.stop, true, __ATOMIC_RELEASE);
	pthread_join(mill.thread, NULL);
	good &= mill.good;
	syscall(SYS_io_destroy, mill.context);
	mo_sim_set(0, "delay_us", 0);
	MO_EXPECT(moved > 0, "%u", moved);
	good &= mo_adds_up();
	ksft_print_msg("%llu events, %u of %u pages moved\n",
		       (unsigned long long)mill.events, moved,
		       NR_MOVES * ring.nr);
	ksft_test_result(good, "aio ring: no event lost or twice, moved to and fro\n");
}

static const struct {
	const char *what;
	const char *refused;
	unsigned int anon;
	bool (*once)(unsigned int delay_ms, bool *in_time);
} tests[] = {
	{ "inode of ext4", "mapping", 2 * NR_ANON, test_xattr },
	{ "directory of ext4", "mapping", 2 * NR_ANON, test_names },
	{ "aio ring", "mapping", NR_ANON, test_aio },
	{ "page pinned by process_vm_writev", "pinned", NR_ANON, test_pinned },
};

/* Slow machines need a longer window: data may never be wrong, though. */
static void test(unsigned int i)
{
	unsigned int delay_ms = 50;
	bool good, in_time = false;
	struct mo_counts before, n;
	long long refused;

	do {
		before = mo_counts();
		refused = mo_refused(tests[i].refused);
		good = tests[i].once(delay_ms, &in_time);
		refused = mo_refused(tests[i].refused) - refused;
		n = mo_counts_since(&before);
		delay_ms *= 2;
	} while (good && !in_time && delay_ms < 3000);

	MO_EXPECT(in_time, "the writer is always late");
	ksft_test_result(good, "%s: written during the copy\n", tests[i].what);

	good = mo_adds_up();
	MO_EXPECT(refused > 0, "%lld", refused);
	MO_EXPECT(n.engine == tests[i].anon, "%lld", n.engine);
	MO_EXPECT(!n.failed, "%lld", n.failed);
	ksft_test_result(good, "%s: refused_%s, and its batch is not\n",
			 tests[i].what, tests[i].refused);
}

int main(void)
{
	unsigned int i;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 3 || mo_nr_sims() < 2)
		ksft_exit_skip("needs three nodes with memory and engines sim0, sim1\n");
	if (!mo_exists(DISK))
		ksft_exit_skip("needs " DISK "\n");
	/* What is mounted here stays here. */
	mkdir(MNT, 0700);
	mo_sim_calm();
	mo_policy("sim0");
	mo_write("60000", MO_SYSFS "/engines/sim0/timeout_ms");
	mo_write("60000", MO_SYSFS "/engines/sim1/timeout_ms");
	mo_enable(true);

	ksft_set_plan(2 * ARRAY_SIZE(tests) + 1);
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		test(i);
	test_aio_mill();
	mo_enable(false);
	ksft_finished();
}
