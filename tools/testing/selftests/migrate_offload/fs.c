// SPDX-License-Identifier: GPL-2.0
/*
 * Page cache of file systems that are being written to, by all ways that there
 * are, is migrated all the time: by move_pages() where it can be mapped, and with
 * all that cannot (metadata) by compaction and by memory going offline. Then all
 * is read again from the disk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "mo_util.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define MNT		"/tmp/mo-fs"
#define NODE_DIR	"/sys/devices/system/node/node%d"

#define PAGES		128		/* of each file */
#define SLOTS		48		/* names in a directory */
#define STEPS		40		/* of each writer, at least */
#define ROUNDS		4		/* of migrating, at least */
#define PATIENCE_MS	300000

enum file { BUFFERED, MAPPED, DIRECT, NR_WRITTEN, STILL = NR_WRITTEN, NR_FILES };
enum { METADATA = NR_WRITTEN, NR_WRITERS };

static const char * const file_names[NR_FILES] = {
	[BUFFERED]	= MNT "/buffered",
	[MAPPED]	= MNT "/mapped",
	[DIRECT]	= MNT "/direct",
	[STILL]		= MNT "/still",
};

static const struct fs {
	const char *name;
	const char *type;
	const char *disk;
	const char *options;
	const char *make[10];
	const char *check[6];
	/* May an engine copy folios that were read, or written? */
	bool read_safe, written_safe;
	bool variant;	/* of another one: the last engine only */
} systems[] = {
	{
		.name = "ext4", .type = "ext4", .disk = "/dev/ram0",
		.make = { "mkfs.ext4", "-F", "-q", "-t", "ext4", "-b", "4096",
			  "/dev/ram0", "48M" },
		.check = { "e2fsck", "-f", "-n", "/dev/ram0" },
		.read_safe = true,
	}, {
		.name = "ext4, blocks of 1 KiB", .type = "ext4", .disk = "/dev/ram0",
		.variant = true,
		.make = { "mkfs.ext4", "-F", "-q", "-t", "ext4", "-b", "1024",
			  "/dev/ram0", "48M" },
		.check = { "e2fsck", "-f", "-n", "/dev/ram0" },
		.read_safe = true,
	}, {
		.name = "ext4, data journalled", .type = "ext4", .disk = "/dev/ram0",
		.options = "data=journal", .variant = true,
		.make = { "mkfs.ext4", "-F", "-q", "-t", "ext4", "-b", "4096",
			  "/dev/ram0", "48M" },
		.check = { "e2fsck", "-f", "-n", "/dev/ram0" },
	}, {
		.name = "xfs", .type = "xfs", .disk = "/dev/ram1",
		.make = { "mkfs.xfs", "-f", "-q", "-K", "/dev/ram1" },
		.check = { "xfs_repair", "-n", "/dev/ram1" },
		.read_safe = true, .written_safe = true,
	}, {
		.name = "btrfs", .type = "btrfs", .disk = "/dev/ram2",
		.make = { "mkfs.btrfs", "-f", "-q", "-K", "-m", "single",
			  "/dev/ram2" },
		.check = { "btrfs", "check", "--readonly", "/dev/ram2" },
	},
};

/* NULL: migration offload is off. */
static const char * const engines[] = { NULL, "cpu", "sim0" };

/* What the writers have written, for them and for who reads it at last. */
static struct shared {
	bool stop;
	struct {
		unsigned int steps;
		unsigned int wrong;
	} writers[NR_WRITERS];
	/* Which pattern each page has; zero: none, it is all zeroes. */
	__u32 pages[NR_FILES][PAGES];
	/* The same for small files; zero: there is no such name. */
	__u32 slots[SLOTS];
	__u32 seed;
} *shared;

static __u64 word_of(__u32 pattern, unsigned int file, unsigned int page,
		     unsigned int word)
{
	__u64 x = (__u64)pattern << 32 | file << 28 | page << 12 | word;

	if (!pattern)
		return 0;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
	return x ^ x >> 29;
}

#define WORDS	(MO_BASE / sizeof(__u64))

static void fill(__u64 *at, __u32 pattern, unsigned int file, unsigned int page)
{
	unsigned int word;

	for (word = 0; word < WORDS; word++)
		at[word] = word_of(pattern, file, page, word);
}

static bool right(const __u64 *at, unsigned int file, unsigned int page)
{
	__u32 pattern = shared->pages[file][page];
	unsigned int word;

	for (word = 0; word < WORDS; word++)
		if (at[word] != word_of(pattern, file, page, word))
			return false;
	return true;
}

static __u32 next_pattern(void)
{
	return __atomic_add_fetch(&shared->seed, 1, __ATOMIC_RELAXED);
}

static unsigned int any(unsigned int below)
{
	static __u32 x;

	if (!x)
		x = getpid() * 2654435761U | 1;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % below;
}

/* Writers of data: one page at a time, which is read first. */

struct open_file {
	unsigned int nr;
	int fd;
	char *map;
	char *buffer;
};

static bool page_right(struct open_file *file, unsigned int page)
{
	off_t at = page * MO_BASE;

	if (file->map)
		return right((__u64 *)(file->map + at), file->nr, page);
	return pread(file->fd, file->buffer, MO_BASE, at) == MO_BASE &&
	       right((__u64 *)file->buffer, file->nr, page);
}

static bool page_write(struct open_file *file, unsigned int page)
{
	__u32 pattern = next_pattern();
	off_t at = page * MO_BASE;
	size_t done, part = MO_BASE;

	if (file->map) {
		fill((__u64 *)(file->map + at), pattern, file->nr, page);
	} else {
		fill((__u64 *)file->buffer, pattern, file->nr, page);
		/* Not by whole blocks. */
		if (file->nr == BUFFERED)
			part = 1 + any(MO_BASE);
		for (done = 0; done < MO_BASE; done += part) {
			if (part > MO_BASE - done)
				part = MO_BASE - done;
			if (pwrite(file->fd, file->buffer + done, part,
				   at + done) != (ssize_t)part)
				return false;
		}
	}
	shared->pages[file->nr][page] = pattern;
	return true;
}

/* What is cut off reads as zeroes when the file has grown again. */
static bool cut(struct open_file *file)
{
	unsigned int page = any(PAGES);

	if (ftruncate(file->fd, page * MO_BASE) ||
	    ftruncate(file->fd, PAGES * MO_BASE))
		return false;
	memset(&shared->pages[file->nr][page], 0,
	       (PAGES - page) * sizeof(**shared->pages));
	return true;
}

static bool data_step(struct open_file *file, unsigned int step)
{
	unsigned int page = any(PAGES);

	if (!page_right(file, page) || !page_write(file, page) ||
	    !page_right(file, page))
		return false;
	if (step % 16 == 15 && (step & 16 ? fsync(file->fd) :
				fdatasync(file->fd)))
		return false;
	return step % 64 != 63 || cut(file);
}

static bool open_file(struct open_file *file, unsigned int nr)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC;

	file->nr = nr;
	file->map = NULL;
	file->fd = open(file_names[nr], flags | (nr == DIRECT ? O_DIRECT : 0),
			0600);
	if (file->fd < 0 ||
	    posix_memalign((void **)&file->buffer, MO_BASE, MO_BASE))
		return false;
	if (nr != MAPPED)
		return true;
	file->map = mmap(NULL, PAGES * MO_BASE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, file->fd, 0);
	return file->map != MAP_FAILED;
}

static void close_file(struct open_file *file)
{
	if (file->map)
		munmap(file->map, PAGES * MO_BASE);
	free(file->buffer);
	close(file->fd);
}

/* The writer of metadata: small files in a directory come, move and go. */

static void slot_path(char *path, unsigned int slot)
{
	sprintf(path, MNT "/names/a-name-that-takes-some-space-%02u", slot);
}

static bool slot_right(unsigned int slot)
{
	char path[96], text[32], want[32];
	int len;

	slot_path(path, slot);
	len = mo_read(text, sizeof(text), "%s", path);
	if (!shared->slots[slot])
		return len == -ENOENT;
	sprintf(want, "%u", shared->slots[slot]);
	return len > 0 && !strcmp(text, want);
}

static bool slot_create(unsigned int slot)
{
	__u32 pattern = next_pattern();
	char path[96], text[32];
	int fd, len;
	bool good;

	slot_path(path, slot);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	len = sprintf(text, "%u", pattern);
	good = fd >= 0 && write(fd, text, len) == len &&
	       (pattern % 8 || !fsync(fd));
	close(fd);
	shared->slots[slot] = pattern;
	return good;
}

static bool names_step(unsigned int step)
{
	unsigned int from = any(SLOTS), to = any(SLOTS);
	char path[96], other[96];

	slot_path(path, from);
	slot_path(other, to);
	if (!slot_right(from) || !slot_right(to))
		return false;
	if (!shared->slots[from])
		return slot_create(from);
	if (step & 1) {
		shared->slots[from] = 0;
		return !unlink(path);
	}
	if (from != to) {
		shared->slots[to] = shared->slots[from];
		shared->slots[from] = 0;
	}
	return !rename(path, other);
}

static unsigned int names_in_directory(void)
{
	DIR *dir = opendir(MNT "/names");
	struct dirent *entry;
	unsigned int nr = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		nr += *entry->d_name != '.';
	closedir(dir);
	return nr;
}

/* Processes that write */

static void write_on(unsigned int writer)
{
	struct open_file file;
	unsigned int step = 0;
	bool good = true;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (writer < NR_WRITTEN)
		good = open_file(&file, writer);
	while (good && !__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE)) {
		good = writer < NR_WRITTEN ? data_step(&file, step) :
					     names_step(step);
		__atomic_store_n(&shared->writers[writer].steps, ++step,
				 __ATOMIC_RELEASE);
	}
	if (!good)
		shared->writers[writer].wrong++;
	if (writer < NR_WRITTEN)
		close_file(&file);
	_exit(0);
}

static bool all_have_written(void)
{
	unsigned int i;

	for (i = 0; i < NR_WRITERS; i++)
		if (__atomic_load_n(&shared->writers[i].steps,
				    __ATOMIC_ACQUIRE) < STEPS &&
		    !shared->writers[i].wrong)
			return false;
	return true;
}

/* Migration */

struct map {
	char *addr;
	size_t pages;
};

static bool map_to_move(struct map *map, const char *path, size_t pages)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	map->pages = pages;
	map->addr = mmap(NULL, pages * MO_BASE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return map->addr != MAP_FAILED;
}

/* What is there; a file may be shorter at times. */
static void move(const struct map *map, int to)
{
	static struct mo_mem mem;

	mem = (struct mo_mem) {
		.addr = map->addr,
		.bytes = map->pages * MO_BASE,
		.folio = MO_BASE,
		.nr = map->pages,
	};
	madvise(mem.addr, mem.bytes, MADV_POPULATE_READ);
	mo_move(&mem, to);
}

/* One block of the last node's memory goes and comes back, if it can be had. */
static void offline_a_block(void)
{
	static unsigned int gone, tried;
	char path[256];
	struct dirent *entry;
	pid_t pid;
	DIR *dir;

	sprintf(path, NODE_DIR, mo_nodes[mo_nr_nodes - 1]);
	dir = opendir(path);
	if (!dir)
		return;
	*path = '\0';
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "memory", 6) &&
		    entry->d_name[6] >= '0' && entry->d_name[6] <= '9') {
			sprintf(path, NODE_DIR "/%.32s/state",
				mo_nodes[mo_nr_nodes - 1], entry->d_name);
			if (!any(3))
				break;
		}
	closedir(dir);
	if (!*path)
		return;
	/* It may try for ever, with a buffer in the journal: until a signal. */
	pid = fork();
	if (!pid) {
		alarm(2);
		_exit(mo_write("offline", "%s", path) ? 1 : 0);
	}
	if (pid > 0) {
		int status;

		waitpid(pid, &status, 0);
		tried++;
		gone += !status;
		ksft_print_msg("%u of %u blocks went offline\n", gone, tried);
	}
	mo_write("online_movable", "%s", path);
}

static void migrate_on(const struct fs *fs)
{
	unsigned int i, round, nr_maps = NR_FILES;
	struct map maps[NR_FILES + 1];
	__u64 start = mo_now_ms();

	for (i = 0; i < NR_FILES; i++)
		if (!map_to_move(&maps[i], file_names[i], PAGES))
			ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	/* Where bitmaps and inodes are, of ext4. */
	if (!strcmp(fs->type, "ext4") &&
	    !map_to_move(&maps[nr_maps++], fs->disk, 4 * PAGES))
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	for (round = 0; round < ROUNDS || !all_have_written(); round++) {
		if (mo_now_ms() - start > PATIENCE_MS)
			break;
		for (i = 0; i < nr_maps; i++)
			move(&maps[i], mo_nodes[(round + i) % mo_nr_nodes]);
		if (round % 4 == 3)
			mo_write("1", "/proc/sys/vm/compact_memory");
		if (round == 2)
			offline_a_block();
	}
	for (i = 0; i < nr_maps; i++)
		munmap(maps[i].addr, maps[i].pages * MO_BASE);
}

/* The whole, on one file system with one engine */

static bool prepare(const struct fs *fs)
{
	struct open_file file;
	unsigned int i, page;
	bool good = true;
	int ret;

	memset(shared, 0, sizeof(*shared));
	ret = mo_run(fs->make);
	MO_EXPECT(!ret, "%s: %d", fs->make[0], ret);
	ret = ret || mount(fs->disk, MNT, fs->type, 0, fs->options);
	MO_EXPECT(!ret, "mount: %s", strerror(errno));
	if (!good)
		return false;
	MO_EXPECT(!mkdir(MNT "/names", 0700), "%m");
	for (i = 0; good && i < NR_FILES; i++) {
		MO_EXPECT(open_file(&file, i), "%m");
		MO_EXPECT(!ftruncate(file.fd, PAGES * MO_BASE), "%m");
		for (page = 0; good && page < PAGES; page++)
			MO_EXPECT(page_write(&file, page), "%m");
		MO_EXPECT(!fsync(file.fd), "%m");
		close_file(&file);
	}
	return good;
}

/* All by engines or none, as the file system has it, when nobody writes. */
static bool refused_right(const struct fs *fs, const char *path, bool safe,
			  const char *what)
{
	long long refused = mo_refused("mapping"), copied;
	struct mo_counts before = mo_counts(), n;
	bool good = true;
	struct map map;
	unsigned int i;

	MO_EXPECT(map_to_move(&map, path, PAGES), "%m");
	if (!good)
		return false;
	for (i = 0; i < mo_nr_nodes; i++)
		move(&map, mo_nodes[i]);
	munmap(map.addr, PAGES * MO_BASE);
	n = mo_counts_since(&before);
	refused = mo_refused("mapping") - refused;
	copied = n.engine + n.cpu;
	MO_EXPECT(safe ? copied > 0 && !refused : refused > 0 && !copied,
		  "%s that were %s: %lld copied, %lld refused", fs->name, what,
		  copied, refused);
	return good;
}

static bool read_again(void)
{
	unsigned int i, page, slot, names = 0;
	struct open_file file;
	bool good = true;

	for (i = 0; i < NR_FILES; i++) {
		unsigned int wrong = 0;

		if (!open_file(&file, i)) {
			MO_EXPECT(false, "%s: %m", file_names[i]);
			continue;
		}
		for (page = 0; page < PAGES; page++)
			wrong += !page_right(&file, page);
		MO_EXPECT(!wrong, "%s: %u pages", file_names[i], wrong);
		close_file(&file);
	}
	for (slot = 0; slot < SLOTS; slot++) {
		MO_EXPECT(slot_right(slot), "name %u", slot);
		names += !!shared->slots[slot];
	}
	MO_EXPECT(names_in_directory() == names, "%u, not %u",
		  names_in_directory(), names);
	return good;
}

static bool mount_anew(const struct fs *fs, bool check)
{
	bool good = true;
	int ret;

	ret = umount(MNT);
	MO_EXPECT(!ret, "umount: %m");
	if (ret)
		return false;
	mo_drop_caches();
	if (check) {
		ret = mo_run(fs->check);
		MO_EXPECT(!ret, "%s: %d", fs->check[0], ret);
	}
	ret = mount(fs->disk, MNT, fs->type, 0, fs->options);
	MO_EXPECT(!ret, "mount: %m");
	return good;
}

static bool write_and_migrate(const struct fs *fs)
{
	pid_t pids[NR_WRITERS];
	bool good = true;
	unsigned int i;
	int status;

	for (i = 0; i < NR_WRITERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			write_on(i);
		if (pids[i] < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	}
	migrate_on(fs);
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < NR_WRITERS; i++) {
		waitpid(pids[i], &status, 0);
		MO_EXPECT(!status, "writer %u: %x", i, status);
		MO_EXPECT(!shared->writers[i].wrong, "writer %u", i);
		MO_EXPECT(shared->writers[i].steps >= STEPS, "writer %u: %u", i,
			  shared->writers[i].steps);
	}
	return good;
}

/* Folios are refused that have to be, and no others. */
static bool rules(const struct fs *fs, const char *engine)
{
	bool good = true;

	if (!engine)
		return true;
	good &= refused_right(fs, file_names[STILL], fs->read_safe, "read");
	if (!strcmp(fs->type, "ext4"))
		good &= refused_right(fs, fs->disk, false, "metadata");
	return good;
}

static void test(const struct fs *fs, const char *engine)
{
	long long refused, copied;
	struct mo_counts before, n;
	const char *name = engine ?: "off";
	bool good, ready;
	unsigned int i;

	mo_enable(false);
	if (engine) {
		mo_policy(engine);
		for (i = 0; i < mo_nr_nodes; i++)
			mo_write("all", MO_SYSFS "/nodes/node%d/reasons",
				 mo_nodes[i]);
		mo_enable(true);
	}
	ready = prepare(fs);
	good = ready;
	if (ready && engine)
		good &= refused_right(fs, file_names[BUFFERED],
				      fs->written_safe, "written");
	ready = ready && mount_anew(fs, false);
	good &= ready && rules(fs, engine);
	ksft_test_result(good, "%s, %s: eligible is what may be\n", fs->name,
			 name);

	before = mo_counts();
	refused = mo_refused("mapping");
	if (engine && !strcmp(engine, "sim0"))
		mo_sim_set(0, "delay_us", 300);
	good = ready && write_and_migrate(fs);
	mo_sim_set(0, "delay_us", 0);
	n = mo_counts_since(&before);
	refused = mo_refused("mapping") - refused;
	copied = n.engine + n.cpu;
	if (!engine)
		MO_EXPECT(!n.offered, "%lld", n.offered);
	else
		MO_EXPECT(copied == (strcmp(engine, "cpu") ? n.engine : n.cpu),
			  "%lld, %lld", n.engine, n.cpu);
	if (engine && fs->read_safe)
		MO_EXPECT(copied > 0, "%lld", copied);
	if (engine && !fs->written_safe)
		MO_EXPECT(refused > 0, "%lld", refused);
	MO_EXPECT(!n.failed, "%lld", n.failed);
	ksft_print_msg("%lld offered, %lld by engines, %lld by cpu, %lld refused\n",
		       n.offered, n.engine, n.cpu, n.refused);
	ksft_test_result(good, "%s, %s: right while it is written\n", fs->name,
			 name);

	good = ready && mount_anew(fs, true) && read_again();
	if (ready)
		MO_EXPECT(!umount(MNT), "%m");
	mo_enable(false);
	good &= mo_adds_up();
	ksft_test_result(good, "%s, %s: right on the disk\n", fs->name, name);
}

int main(void)
{
	unsigned int i, j, nr = 0;

	ksft_print_header();
	if (!mo_exists(MO_SYSFS))
		ksft_exit_skip("no migration offload in this kernel\n");
	mo_find_nodes();
	if (mo_nr_nodes < 2 || !mo_nr_sims())
		ksft_exit_skip("needs two nodes with memory and engine sim0\n");
	for (i = 0; i < ARRAY_SIZE(systems); i++)
		if (!mo_exists("%s", systems[i].disk))
			ksft_exit_skip("needs %s\n", systems[i].disk);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	mkdir(MNT, 0700);
	mo_sim_calm();
	mo_write("60000", MO_SYSFS "/engines/sim0/timeout_ms");

	for (i = 0; i < ARRAY_SIZE(systems); i++)
		nr += systems[i].variant ? 1 : ARRAY_SIZE(engines);
	ksft_set_plan(3 * nr);
	for (i = 0; i < ARRAY_SIZE(systems); i++) {
		j = systems[i].variant ? ARRAY_SIZE(engines) - 1 : 0;
		for (; j < ARRAY_SIZE(engines); j++)
			test(&systems[i], engines[j]);
	}
	ksft_finished();
}
