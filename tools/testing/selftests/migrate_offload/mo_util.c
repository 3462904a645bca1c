// SPDX-License-Identifier: GPL-2.0
/* What the tests of migration offload share. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mo_util.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define THP_DIR		"/sys/kernel/mm/transparent_hugepage"
#define NR_HUGEPAGES	"/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages"

/* Files */

static void path_of(char path[PATH_MAX], const char *fmt, va_list args)
{
	vsnprintf(path, PATH_MAX, fmt, args);
}

int mo_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	ssize_t len;
	va_list args;
	int fd;

	va_start(args, fmt);
	path_of(path, fmt, args);
	va_end(args);

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return len;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int mo_write_bytes(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, data, len);
	if (written < 0)
		written = -errno;
	else
		written = (size_t)written == len ? 0 : -EIO;
	close(fd);
	return written;
}

int mo_write(const char *value, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, fmt);
	path_of(path, fmt, args);
	va_end(args);
	return mo_write_bytes(path, value, strlen(value));
}

long long mo_number(const char *fmt, ...)
{
	char path[PATH_MAX], text[64], *end;
	long long value;
	va_list args;
	int err;

	va_start(args, fmt);
	path_of(path, fmt, args);
	va_end(args);

	err = mo_read(text, sizeof(text), "%s", path);
	if (err < 0)
		return err;
	errno = 0;
	value = strtoll(text, &end, 0);
	return end == text || *end || errno ? -EINVAL : value;
}

bool mo_exists(const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, fmt);
	path_of(path, fmt, args);
	va_end(args);
	return !access(path, F_OK);
}

int mo_run(const char * const *args)
{
	int status, null;
	pid_t pid = fork();

	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(args[0], (char * const *)args);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void mo_drop_caches(void)
{
	sync();
	mo_write("3", "/proc/sys/vm/drop_caches");
}

/* Set-up */

static void must_write(const char *value, const char *path)
{
	int err = mo_write(value, "%s", path);

	if (err)
		ksft_exit_fail_msg("%s > %s: %s\n", value, path,
				   strerror(-err));
}

void mo_enable(bool on)
{
	must_write(on ? "1" : "0", MO_SYSFS "/enabled");
}

/* The same for all nodes: only what the tests call, and however little. */
void mo_policy(const char *engines)
{
	char path[PATH_MAX];
	unsigned int i;

	for (i = 0; i < mo_nr_nodes; i++) {
		sprintf(path, MO_SYSFS "/nodes/node%d/engines", mo_nodes[i]);
		must_write(engines, path);
		sprintf(path, MO_SYSFS "/nodes/node%d/reasons", mo_nodes[i]);
		must_write("syscall_or_cpuset,mempolicy_mbind", path);
		sprintf(path, MO_SYSFS "/nodes/node%d/min_bytes", mo_nodes[i]);
		must_write("0", path);
	}
}

unsigned int mo_nr_sims(void)
{
	unsigned int nr = 0;

	while (mo_exists(MO_SYSFS "/engines/sim%u", nr))
		nr++;
	return nr;
}

void mo_sim_set(unsigned int sim, const char *what, unsigned long value)
{
	char path[PATH_MAX], text[32];

	sprintf(path, MO_SIM "/sim%u/%s", sim, what);
	sprintf(text, "%lu", value);
	must_write(text, path);
}

/* @times: how often it may happen, -1 without end */
void mo_sim_fault(unsigned int sim, const char *fault, unsigned int percent,
		  int times)
{
	char path[PATH_MAX], text[32];

	sprintf(path, MO_SIM "/sim%u/%s/times", sim, fault);
	sprintf(text, "%d", times);
	must_write(text, path);
	sprintf(path, MO_SIM "/sim%u/%s/probability", sim, fault);
	sprintf(text, "%u", percent);
	must_write(text, path);
}

/* All simulated engines as fast and faultless as they can be. */
void mo_sim_calm(void)
{
	static const char * const faults[] = {
		"fail", "poison", "lose", "hang", "late", "lie", "bounce",
		"refuse"
	};
	char path[PATH_MAX];
	unsigned int sim, i;

	for (sim = 0; sim < mo_nr_sims(); sim++) {
		for (i = 0; i < ARRAY_SIZE(faults); i++) {
			mo_sim_fault(sim, faults[i], 0, -1);
			/* A stack trace for each fault would look like a bug. */
			sprintf(path, MO_SIM "/sim%u/%s/verbose", sim,
				faults[i]);
			must_write("0", path);
		}
		mo_sim_set(sim, "delay_us", 0);
		mo_sim_set(sim, "hold_at", 0);
		mo_sim_set(sim, "bandwidth_mb", 0);
		mo_sim_set(sim, "order", 0);
		sprintf(path, MO_SIM "/sim%u/stuck", sim);
		must_write("0", path);
	}
}

/* One or two engines of a kind, the simulated ones if there are no others. */
enum { SIM, DSA, SDMA, NR_ENGINE_KINDS };

static const struct {
	const char *names[2];
	const char *both;
} engines[NR_ENGINE_KINDS] = {
	[SIM] = { { "sim0", "sim1" }, "sim0,sim1" },
	[DSA] = { { "dsa0", "dsa1" }, "dsa0,dsa1" },
	[SDMA] = { { "sdma0", "sdma1" }, "sdma0,sdma1" },
};

static unsigned int engine_kind(void)
{
	unsigned int i;

	for (i = NR_ENGINE_KINDS - 1; i > SIM; i--)
		if (mo_exists(MO_SYSFS "/engines/%s", engines[i].names[0]))
			break;
	return i;
}

bool mo_have_hardware(void)
{
	return engine_kind() != SIM;
}

const char *mo_engine(unsigned int nr)
{
	return engines[engine_kind()].names[nr];
}

/* Who has one card has one engine. */
unsigned int mo_nr_engines(void)
{
	return mo_exists(MO_SYSFS "/engines/%s", mo_engine(1)) ? 2 : 1;
}

const char *mo_both_engines(void)
{
	return mo_nr_engines() > 1 ? engines[engine_kind()].both : mo_engine(0);
}

bool mo_engine_is(const char *engine, const char *state)
{
	char now[32];

	return mo_read(now, sizeof(now), MO_SYSFS "/engines/%s/state",
		       engine) > 0 && !strcmp(now, state);
}

bool mo_engine_comes(const char *engine, const char *state, int ms)
{
	for (; !mo_engine_is(engine, state); ms -= 10) {
		if (ms <= 0)
			return false;
		mo_sleep_ms(10);
	}
	return true;
}

/* Counters */

long long mo_engine_stat(const char *engine, const char *stat)
{
	return mo_number(MO_SYSFS "/engines/%s/stats/%s", engine, stat);
}

long long mo_sim_stat(unsigned int sim, const char *stat)
{
	return mo_number(MO_SIM "/sim%u/%s", sim, stat);
}

bool mo_stat_comes(const char *engine, const char *stat, long long value,
		   int ms)
{
	for (; mo_engine_stat(engine, stat) != value; ms -= 10) {
		if (ms <= 0)
			return false;
		mo_sleep_ms(10);
	}
	return true;
}

static long long node_stat(int node, const char *stat)
{
	long long value = mo_number(MO_SYSFS "/nodes/node%d/stats/%s", node,
				    stat);

	if (value < 0)
		ksft_exit_fail_msg("node%d/stats/%s: %s\n", node, stat,
				   strerror(-value));
	return value;
}

/* Whatever reasons this kernel knows. */
static long long node_refused(int node)
{
	char path[PATH_MAX];
	struct dirent *entry;
	long long sum = 0;
	DIR *dir;

	sprintf(path, MO_SYSFS "/nodes/node%d/stats", node);
	dir = opendir(path);
	if (!dir)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "refused_", strlen("refused_")))
			sum += node_stat(node, entry->d_name);
	closedir(dir);
	return sum;
}

struct mo_counts mo_counts(void)
{
	struct mo_counts sum = {};
	unsigned int i;

	for (i = 0; i < mo_nr_nodes; i++) {
		sum.offered += node_stat(mo_nodes[i], "offered");
		sum.engine += node_stat(mo_nodes[i], "copied_engine");
		sum.cpu += node_stat(mo_nodes[i], "copied_cpu");
		sum.failed += node_stat(mo_nodes[i], "failed");
		sum.quarantined += node_stat(mo_nodes[i], "quarantined");
		sum.refused += node_refused(mo_nodes[i]);
	}
	return sum;
}

struct mo_counts mo_counts_since(const struct mo_counts *then)
{
	struct mo_counts now = mo_counts();

	now.offered -= then->offered;
	now.engine -= then->engine;
	now.cpu -= then->cpu;
	now.failed -= then->failed;
	now.quarantined -= then->quarantined;
	now.refused -= then->refused;
	return now;
}

long long mo_refused(const char *why)
{
	char stat[64];
	long long sum = 0;
	unsigned int i;

	sprintf(stat, "refused_%s", why);
	for (i = 0; i < mo_nr_nodes; i++)
		sum += node_stat(mo_nodes[i], stat);
	return sum;
}

/* Each folio offered ended somewhere. Nothing may be migrating meanwhile. */
bool mo_adds_up(void)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < mo_nr_nodes; i++) {
		int node = mo_nodes[i];
		long long offered = node_stat(node, "offered");
		long long ended = node_stat(node, "copied_engine") +
				  node_stat(node, "copied_cpu") +
				  node_stat(node, "failed") +
				  node_refused(node);

		if (offered != ended) {
			ksft_print_msg("node%d: %lld offered, %lld accounted for\n",
				       node, offered, ended);
			good = false;
		}
	}
	return good;
}

/* Nodes */

int mo_nodes[MO_MAX_NODES];
unsigned int mo_nr_nodes;

void mo_find_nodes(void)
{
	char text[64], *at = text;
	int from, to;

	mo_nr_nodes = 0;
	if (mo_read(text, sizeof(text),
		    "/sys/devices/system/node/has_memory") <= 0)
		return;
	do {
		from = strtol(at, &at, 10);
		to = *at == '-' ? strtol(at + 1, &at, 10) : from;
		while (from <= to && mo_nr_nodes < MO_MAX_NODES)
			mo_nodes[mo_nr_nodes++] = from++;
	} while (*at++ == ',');
}

/* Memory */

const char * const mo_kind_names[MO_NR_KINDS] = {
	[MO_ANON]	= "anon 4K",
	[MO_COW]	= "anon 4K shared with a child",
	[MO_THP]	= "anon 2M",
	[MO_MTHP]	= "anon 64K",
	[MO_SHMEM]	= "shmem 4K",
	[MO_MEMFD]	= "memfd 4K",
	[MO_SHMEM_HUGE]	= "shmem 2M",
	[MO_HUGETLB]	= "hugetlb 2M",
};

static const size_t folio_bytes[MO_NR_KINDS] = {
	[MO_ANON]	= MO_BASE,
	[MO_COW]	= MO_BASE,
	[MO_THP]	= MO_2M,
	[MO_MTHP]	= MO_64K,
	[MO_SHMEM]	= MO_BASE,
	[MO_MEMFD]	= MO_BASE,
	[MO_SHMEM_HUGE]	= MO_2M,
	[MO_HUGETLB]	= MO_2M,
};

/* Every word differs from its neighbours and from itself under other seeds. */
static inline __u64 word_of(__u64 seed, size_t page, size_t word)
{
	__u64 x = seed + ((__u64)page << 9 | word);

	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
	return x ^ x >> 29;
}

#define WORDS_PER_PAGE	(MO_BASE / sizeof(__u64))

static size_t bad_bytes(const struct mo_mem *mem)
{
	const __u64 *at = (const __u64 *)mem->addr;
	size_t page, word, bad = 0;
	__u64 diff;

	for (page = 0; page < mem->bytes / MO_BASE; page++)
		for (word = 0; word < WORDS_PER_PAGE; word++)
			for (diff = *at++ ^ word_of(mem->seed, page, word);
			     diff; diff >>= 8)
				bad += !!(diff & 0xff);
	return bad;
}

static void child_stop(struct mo_mem *mem)
{
	if (!mem->child)
		return;
	close(mem->ask);
	close(mem->answer);
	waitpid(mem->child, NULL, 0);
	mem->child = 0;
}

/* A process that maps the same pages, and counts when asked. */
static int child_start(struct mo_mem *mem)
{
	int ask[2], answer[2];
	size_t bad;
	char any;

	if (pipe(ask) || pipe(answer))
		return -errno;
	mem->child = fork();
	if (mem->child < 0)
		return -errno;
	if (!mem->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ask[1]);
		while (read(ask[0], &any, 1) == 1) {
			bad = bad_bytes(mem);
			if (write(answer[1], &bad, sizeof(bad)) != sizeof(bad))
				break;
		}
		_exit(0);
	}
	close(ask[0]);
	close(answer[1]);
	mem->ask = ask[1];
	mem->answer = answer[0];
	return 0;
}

void mo_fill(struct mo_mem *mem)
{
	static __u64 seed;
	__u64 *at = (__u64 *)mem->addr;
	size_t page, word;

	child_stop(mem);
	mem->seed = ++seed << 40;
	for (page = 0; page < mem->bytes / MO_BASE; page++)
		for (word = 0; word < WORDS_PER_PAGE; word++)
			*at++ = word_of(mem->seed, page, word);
	if (mem->kind == MO_COW && child_start(mem))
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
}

size_t mo_bad_bytes(const struct mo_mem *mem)
{
	size_t bad = bad_bytes(mem), theirs = 0;

	if (mem->child &&
	    (write(mem->ask, "", 1) != 1 ||
	     read(mem->answer, &theirs, sizeof(theirs)) != sizeof(theirs)))
		ksft_exit_fail_msg("the child is gone\n");
	return bad + theirs;
}

static int open_proc(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	return fd;
}

/* One folio, no more and no less, of @nr pages? */
static bool is_folio(const __u64 *entries, int kpageflags, size_t nr)
{
	static const __u64 tail = 1ULL << 16;	/* KPF_COMPOUND_TAIL */
	__u64 pfn = entries[0] & ((1ULL << 55) - 1);
	__u64 flags[MO_2M / MO_BASE];
	size_t i;

	if (pread(kpageflags, flags, nr * sizeof(*flags),
		  pfn * sizeof(*flags)) != (ssize_t)(nr * sizeof(*flags)))
		return false;
	/* Present, and each page where the head leads to expect it. */
	for (i = 0; i < nr; i++)
		if (!(entries[i] >> 63) ||
		    (entries[i] & ((1ULL << 55) - 1)) != pfn + i ||
		    !(flags[i] & tail) != !i)
			return false;
	return true;
}

/* Is it made of folios of the size that it should be made of? */
bool mo_whole(const struct mo_mem *mem)
{
	size_t nr = mem->folio / MO_BASE, size = nr * sizeof(__u64);
	__u64 entries[MO_2M / MO_BASE];
	unsigned int i = 0;
	int pagemap, kpageflags;
	off_t at;

	pagemap = open_proc("/proc/self/pagemap");
	kpageflags = open_proc("/proc/kpageflags");
	for (; i < mem->nr; i++) {
		at = ((uintptr_t)mem->addr / MO_BASE + i * nr) * sizeof(__u64);
		if (pread(pagemap, entries, size, at) != (ssize_t)size ||
		    !is_folio(entries, kpageflags, nr))
			break;
	}
	close(pagemap);
	close(kpageflags);
	return i == mem->nr;
}

/* move_pages() of the first page of each folio, which moves the folio. */
static long move_pages(const struct mo_mem *mem, const int *nodes, int *status)
{
	void **pages = calloc(mem->nr, sizeof(*pages));
	unsigned int i;
	long ret;

	if (!pages)
		ksft_exit_fail_msg("out of memory\n");
	for (i = 0; i < mem->nr; i++)
		pages[i] = mem->addr + i * mem->folio;
	ret = syscall(SYS_move_pages, 0, mem->nr, pages, nodes, status,
		      nodes ? MPOL_MF_MOVE_ALL : 0);
	if (ret < 0)
		ret = -errno;
	free(pages);
	return ret;
}

unsigned int mo_folios_on(const struct mo_mem *mem, int node)
{
	int *status = calloc(mem->nr, sizeof(*status));
	unsigned int i, on = 0;

	if (!status || move_pages(mem, NULL, status))
		ksft_exit_fail_msg("cannot tell where folios are\n");
	for (i = 0; i < mem->nr; i++)
		on += status[i] == node;
	free(status);
	return on;
}

int mo_move(const struct mo_mem *mem, int to)
{
	int *nodes = calloc(2 * mem->nr, sizeof(*nodes));
	unsigned int i;
	long ret;

	if (!nodes)
		ksft_exit_fail_msg("out of memory\n");
	for (i = 0; i < mem->nr; i++)
		nodes[i] = to;
	ret = move_pages(mem, nodes, nodes + mem->nr);
	free(nodes);
	return ret;
}

static int map_anywhere(struct mo_mem *mem, int flags, int fd)
{
	/* Room for alignment, and a hole around so that nothing merges. */
	mem->map_bytes = mem->bytes + 2 * MO_2M;
	mem->map = mmap(NULL, mem->map_bytes, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->map == MAP_FAILED)
		return -errno;
	mem->addr = (char *)(((uintptr_t)mem->map + 2 * MO_2M - 1) &
			     ~(MO_2M - 1));
	/* No room for a 2 MiB folio where smaller ones are wanted. */
	if (mem->kind == MO_MTHP)
		mem->addr -= MO_64K;
	if (mmap(mem->addr, mem->bytes, PROT_READ | PROT_WRITE,
		 flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -errno;
	return 0;
}

static int map_kind(struct mo_mem *mem)
{
	int fd, err;

	switch (mem->kind) {
	case MO_SHMEM:
	case MO_SHMEM_HUGE:
		return map_anywhere(mem, MAP_SHARED | MAP_ANONYMOUS, -1);
	case MO_HUGETLB:
		return map_anywhere(mem, MAP_PRIVATE | MAP_ANONYMOUS |
				    MAP_HUGETLB, -1);
	case MO_MEMFD:
		fd = memfd_create("mo", MFD_CLOEXEC);
		if (fd < 0)
			return -errno;
		err = ftruncate(fd, mem->bytes) ? -errno :
		      map_anywhere(mem, MAP_SHARED, fd);
		close(fd);
		return err;
	default:
		return map_anywhere(mem, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	}
}

/* Folios of one size only, however the machine was set up. */
static void thp_sizes(const struct mo_mem *mem)
{
	mo_write(mem->kind == MO_MTHP ? "never" : "inherit",
		 THP_DIR "/hugepages-2048kB/enabled");
	mo_write(mem->kind == MO_MTHP ? "madvise" : "never",
		 THP_DIR "/hugepages-64kB/enabled");
	mo_write("madvise", THP_DIR "/enabled");
	mo_write("advise", THP_DIR "/shmem_enabled");
}

int mo_alloc(struct mo_mem *mem, enum mo_kind kind, unsigned int nr, int node)
{
	unsigned long mask = 1UL << node;
	int err;

	*mem = (struct mo_mem) {
		.kind = kind,
		.folio = folio_bytes[kind],
		.nr = nr,
		.bytes = nr * folio_bytes[kind],
		.map = MAP_FAILED,
	};
	thp_sizes(mem);
	if (kind == MO_HUGETLB) {
		char text[16];

		sprintf(text, "%u", nr);
		err = mo_write(text, NR_HUGEPAGES, node);
		if (err)
			return err;
	}
	err = map_kind(mem);
	if (err)
		goto err;
	if (kind != MO_HUGETLB && kind != MO_MEMFD &&
	    madvise(mem->addr, mem->bytes, mem->folio > MO_BASE ?
		    MADV_HUGEPAGE : MADV_NOHUGEPAGE)) {
		err = -errno;
		goto err;
	}

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, MO_MAX_NODES + 1)) {
		err = -errno;
		goto err;
	}
	err = madvise(mem->addr, mem->bytes, MADV_POPULATE_WRITE) ? -errno : 0;
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	if (!err && (!mo_whole(mem) || mo_folios_on(mem, node) != nr))
		err = -ENOMEM;
	if (err)
		goto err;
	mo_fill(mem);
	return 0;
err:
	mo_free(mem);
	return err;
}

void mo_free(struct mo_mem *mem)
{
	unsigned int i;

	child_stop(mem);
	if (mem->map != MAP_FAILED)
		munmap(mem->map, mem->map_bytes);
	mem->map = MAP_FAILED;
	if (mem->kind == MO_HUGETLB)
		for (i = 0; i < mo_nr_nodes; i++)
			mo_write("0", NR_HUGEPAGES, mo_nodes[i]);
}

/* System calls */

const char * const mo_call_names[MO_NR_CALLS] = {
	[MO_MOVE_PAGES]		= "move_pages",
	[MO_MIGRATE_PAGES]	= "migrate_pages",
	[MO_MBIND]		= "mbind",
};

int mo_migrate(const struct mo_mem *mem, enum mo_call call, int from, int to)
{
	unsigned long from_mask = 1UL << from, to_mask = 1UL << to;
	long ret;

	switch (call) {
	case MO_MIGRATE_PAGES:
		ret = syscall(SYS_migrate_pages, 0, MO_MAX_NODES + 1,
			      &from_mask, &to_mask);
		return ret < 0 ? -errno : ret;
	case MO_MBIND:
		ret = syscall(SYS_mbind, mem->addr, mem->bytes, MPOL_BIND,
			      &to_mask, MO_MAX_NODES + 1,
			      MPOL_MF_MOVE_ALL | MPOL_MF_STRICT);
		if (ret < 0)
			ret = -errno;
		/* Only the pages are to stay there. */
		syscall(SYS_mbind, mem->addr, mem->bytes, MPOL_DEFAULT, NULL,
			0, 0);
		return ret;
	default:
		return mo_move(mem, to);
	}
}

/* Time */

__u64 mo_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

__u64 mo_now_ms(void)
{
	return mo_now_us() / 1000;
}

void mo_sleep_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}
