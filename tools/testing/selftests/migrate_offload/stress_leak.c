// SPDX-License-Identifier: GPL-2.0
/*
 * The stress test's accounting: pages that are still there when all processes,
 * file systems and disks that used them are gone. Page by page:
 *
 *	charged	kpagecgroup names the parent of the run's cgroups: those that
 *		were charged are gone, so nobody may have a page of them
 *	orphans	anonymous, but mapped by nobody, and there is no swap
 *	owner	page_owner (debug flavour) says: allocated to migrate into
 *	stranded	on node 2, all of it movable, where the kernel keeps nothing
 *		for itself: neither free nor LRU. The other nodes' leaks are no
 *		different, but cannot be told from what the kernel has there.
 *	unowned	on any node, in use without being LRU, slab or page table
 *
 * The last are also what the kernel allocates for itself, so it is but a coarse
 * net, compared with the state after a warm-up round.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "stress.h"

#define KPF_SLAB	(1ULL << 7)
#define KPF_LRU		(1ULL << 5)
#define KPF_BUDDY	(1ULL << 10)
#define KPF_MMAP	(1ULL << 11)
#define KPF_ANON	(1ULL << 12)
#define KPF_HUGE	(1ULL << 17)
#define KPF_NOPAGE	(1ULL << 20)
#define KPF_OFFLINE	(1ULL << 23)
#define KPF_ZERO_PAGE	(1ULL << 24)
#define KPF_PGTABLE	(1ULL << 26)
#define KPF_RESERVED	(1ULL << 32)

/*
 * What the kernel may have more of, for itself, after a run than before: stacks,
 * per-CPU memory, what vmalloc() gave to io_uring, modules and file systems.
 */
#define UNOWNED_SLACK	8192

static const struct {
	const char *device, *type, *mkfs;
} disks[] = {
	{ "/dev/ram1", "ext4", "mkfs.ext4 -q /dev/ram1 || mke2fs /dev/ram1 98304" },
	{ "/dev/ram2", "xfs", "mkfs.xfs -q -f /dev/ram2" },
	{ "/dev/ram3", "btrfs", "mkfs.btrfs -q -f /dev/ram3" },
};

void st_disks_up(void)
{
	char command[160], dir[64];
	unsigned int i;

	mkdir(ST_DIR, 0755);
	mkdir(ST_DIR "/tmpfs", 0755);
	mount("stress", ST_DIR "/tmpfs", "tmpfs", 0, "huge=within_size");
	if (system("mkswap /dev/ram0 > /dev/null 2>&1") || swapon("/dev/ram0", 0))
		printf("# no swap\n");
	for (i = 0; i < ARRAY_SIZE(disks); i++) {
		sprintf(dir, ST_DIR "/%s", disks[i].type);
		sprintf(command, "{ %s; } > /dev/null 2>&1", disks[i].mkfs);
		mkdir(dir, 0755);
		if (system(command) || mount(disks[i].device, dir, disks[i].type, 0, NULL)) {
			printf("# no %s\n", disks[i].type);
			rmdir(dir);
		}
	}
}

/* The memory of the disks goes with what is on them. */
bool st_disks_down(void)
{
	char command[64], dir[64];
	bool good = true;
	unsigned int i;

	if (swapoff("/dev/ram0") && errno != EINVAL)
		good = false;
	good &= !umount(ST_DIR "/tmpfs");
	for (i = 0; i < ARRAY_SIZE(disks); i++) {
		sprintf(dir, ST_DIR "/%s", disks[i].type);
		if (access(dir, F_OK))
			continue;
		good &= !umount(dir);
		rmdir(dir);
	}
	for (i = 0; i < 4; i++) {
		sprintf(command, "blkdiscard /dev/ram%u > /dev/null 2>&1", i);
		if (system(command))
			printf("# cannot discard ram%u\n", i);
	}
	return good;
}

static int open_proc(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("%s: %s\n", name, strerror(errno));
	return fd;
}

struct page {
	__u64 flags, count, cgroup;
};

/* Page frames of node 2. */
static size_t movable_from = SIZE_MAX, movable_to;

static void find_movable(void)
{
	DIR *dir = opendir("/sys/devices/system/node/node2");
	char size[32] = "0";
	struct dirent *entry;
	size_t pages, block;

	mo_read(size, sizeof(size), "/sys/devices/system/memory/block_size_bytes");
	pages = strtoul(size, NULL, 16) / MO_BASE;
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "memory%zu", &block) != 1)
			continue;
		if (block * pages < movable_from)
			movable_from = block * pages;
		if ((block + 1) * pages > movable_to)
			movable_to = (block + 1) * pages;
	}
	if (dir)
		closedir(dir);
}

static void look_at(struct st_pages *pages, size_t pfn, const struct page *page,
		    __u64 cgroup)
{
	static const __u64 known = KPF_SLAB | KPF_LRU | KPF_BUDDY | KPF_MMAP | KPF_ANON |
				   KPF_HUGE | KPF_NOPAGE | KPF_OFFLINE | KPF_ZERO_PAGE |
				   KPF_PGTABLE | KPF_RESERVED;
	/* The field of slab that overlays folio->mapping may look like anon. */
	bool orphan = page->flags & KPF_ANON && !(page->flags & KPF_SLAB) && !page->count;
	bool charged = page->cgroup == cgroup && page->flags & (KPF_LRU | KPF_ANON);

	bool unowned = !(page->flags & known);
	bool stranded = unowned && pfn >= movable_from && pfn < movable_to;

	pages->orphans += orphan;
	pages->charged += charged;
	pages->unowned += unowned;
	pages->stranded += stranded;
	if (pages->verbose && (orphan || charged || stranded)) {
		pages->verbose--;
		printf("# pfn %zx: flags %llx, mapped %llu times, cgroup %llu%s%s%s\n", pfn,
		       page->flags, page->count, page->cgroup, orphan ? ", orphan" : "",
		       charged ? ", charged" : "", stranded ? ", stranded" : "");
	}
}

#define AT_ONCE	4096

static void look_at_all(struct st_pages *pages)
{
	static __u64 flags[AT_ONCE], counts[AT_ONCE], cgroups[AT_ONCE];
	int kflags = open_proc("/proc/kpageflags"), kcount = open_proc("/proc/kpagecount");
	int kcgroup = open_proc("/proc/kpagecgroup");
	struct stat dir = {};
	size_t pfn = 0, i;
	ssize_t len;

	stat(ST_CGROUP, &dir);
	while ((len = pread(kflags, flags, sizeof(flags), pfn * 8)) > 0) {
		if (pread(kcount, counts, len, pfn * 8) != len ||
		    pread(kcgroup, cgroups, len, pfn * 8) != len)
			ksft_exit_fail_msg("kpageflags and kpagecount differ in length\n");
		for (i = 0; i < len / 8; i++) {
			struct page page = { flags[i], counts[i], cgroups[i] };

			look_at(pages, pfn + i, &page, dir.st_ino);
		}
		pfn += len / 8;
	}
	close(kflags);
	close(kcount);
	close(kcgroup);
}

/*
 * Destinations of migrations that nobody has got, nor given back. Those of good
 * migrations look the same, so only what nobody can have counts: nobody's LRU.
 */
static long long look_at_owners(void)
{
	bool migration = false, lru = false;
	FILE *file = fopen("/sys/kernel/debug/page_owner", "r");
	long long pages = 0;
	unsigned int order = 0;
	char line[512];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Page allocated via order %u", &order) == 1) {
			migration = false;
			lru = false;
		} else if (strstr(line, "alloc_migration_target") ||
			   strstr(line, "alloc_misplaced_dst_folio") ||
			   strstr(line, "compaction_alloc") ||
			   strstr(line, "alloc_migrate_folio")) {
			migration = true;
		} else if (strstr(line, "lru|") || strstr(line, "(lru)") ||
			   strstr(line, "|lru")) {
			lru = true;
		} else if (*line == '\n' && migration && !lru) {
			pages += 1LL << order;
		}
	}
	fclose(file);
	return pages;
}

static long long vmstat(const char *name)
{
	char text[16384], *at;

	if (mo_read(text, sizeof(text), "/proc/vmstat") < 0)
		return 0;
	at = strstr(text, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static long long quarantined(void)
{
	struct dirent *entry;
	long long sum = 0, n;
	DIR *dir = opendir(MO_SYSFS "/engines");

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		n = mo_engine_stat(entry->d_name, "quarantined_pages");
		sum += n > 0 ? n : 0;
	}
	if (dir)
		closedir(dir);
	return sum;
}

static long long dying(void)
{
	char text[256], *at;

	if (mo_read(text, sizeof(text), ST_CGROUP "/cgroup.stat") < 0)
		return 0;
	at = strstr(text, "nr_dying_descendants ");
	return at ? strtoll(at + strlen("nr_dying_descendants "), NULL, 10) : 0;
}

/* What can still be given back is given back. */
static void settle(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		sync();
		mo_write("3", "/proc/sys/vm/drop_caches");
		st_drain_movable();
		mo_sleep_ms(300);
	}
}

static struct st_pages look(bool verbose)
{
	struct st_pages pages = {
		.verbose = verbose ? 16 : 0,
		.isolated = vmstat("\nnr_isolated_anon ") + vmstat("\nnr_isolated_file "),
		.quarantined = quarantined(),
		.hugetlb = mo_number("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"),
	};

	look_at_all(&pages);
	pages.owner = look_at_owners();
	pages.dying = dying();
	return pages;
}

static bool clean(const struct st_pages *pages)
{
	return !pages->orphans && !pages->stranded && !pages->charged &&
	       !pages->owner && !pages->isolated && !pages->quarantined &&
	       !pages->hugetlb;
}

/* RCU, per-CPU lists and dying cgroups let go in their own time. */
struct st_pages st_pages_now(void)
{
	struct st_pages pages;
	unsigned int tries = 10;

	find_movable();
	do {
		settle();
		pages = look(tries == 1);
	} while (!clean(&pages) && --tries);
	printf("# pages: %lld orphans, %lld charged, %lld stranded, %lld unowned, ",
	       pages.orphans, pages.charged, pages.stranded, pages.unowned);
	printf("%lld by page_owner, %lld isolated, %lld quarantined, ",
	       pages.owner, pages.isolated, pages.quarantined);
	printf("%lld hugetlb, %lld dying cgroups\n", pages.hugetlb, pages.dying);
	return pages;
}

static long long more(long long now, long long then)
{
	return now > then ? now - then : 0;
}

long long st_pages_leaked(const struct st_pages *then, const struct st_pages *now)
{
	long long unowned = more(now->unowned, then->unowned);
	long long exact = now->charged > now->orphans ? now->charged : now->orphans;

	if (now->stranded > exact)
		exact = now->stranded;
	if (now->owner > exact)
		exact = now->owner;
	return exact + now->isolated + now->quarantined + now->hugetlb * (MO_2M / MO_BASE) +
	       more(unowned, UNOWNED_SLACK);
}
