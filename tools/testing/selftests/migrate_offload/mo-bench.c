// SPDX-License-Identifier: GPL-2.0
/*
 * How long it takes to move memory from one node to another
 *
 * Moves folios of one size by one call of move_pages(2), again and again, each
 * time fresh memory, and checks every byte afterwards. Prints a line for each
 * time, of names and numbers: what comes of them is computed elsewhere.
 *
 *	ns		time that the call took
 *	cpu_ns		time that the task was on a CPU for
 *	insns		instructions that the machine executed, if the port of a
 *			device that counts them was given
 *	busy_ns		what a file has gone up by, if one was given
 *
 * With -t the kernel's tracepoints tell when which page was unmapped, and when
 * it was mapped again; their cost is part of all times, then:
 *
 *	first_ns, median_ns	from the call until so many are mapped again
 *	p50_ns, p99_ns, max_ns	a page was unmapped for so long
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif

#include "mo_util.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define SZ_1G		(1024UL * 1024 * 1024)
#define THP		"/sys/kernel/mm/transparent_hugepage"
#define TRACING		"/sys/kernel/tracing"

static struct {
	size_t folio;
	size_t bytes;
	unsigned int reps;
	unsigned int warmup;
	unsigned int port;
	const char *busy;
	bool traced;
	int from, to;
} opt = { .folio = MO_BASE, .bytes = MO_2M, .reps = 3, .warmup = 1 };

struct area {
	char *map, *addr;
	size_t map_bytes;
	void **pages;
	int *nodes;
	int *status;
	size_t nr;
};

static void fail(const char *what)
{
	fprintf(stderr, "mo-bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static __u64 clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static __u64 instructions(void)
{
#ifdef __x86_64__
	__u64 low;

	if (opt.port) {
		low = inl(opt.port + 8);
		return low | (__u64)inl(opt.port + 12) << 32;
	}
#endif
	return 0;
}

/* Only folios of the size asked for. */
static void thp_sizes(void)
{
	unsigned long kb;

	if (opt.folio == MO_BASE || opt.folio == SZ_1G)
		return;
	mo_write("madvise", THP "/enabled");
	for (kb = 8; kb <= 2048; kb *= 2)
		mo_write(kb << 10 == opt.folio ? "always" : "never",
			 THP "/hugepages-%lukB/enabled", kb);
}

static void area_map(struct area *area)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	size_t align = opt.folio > MO_2M ? opt.folio : MO_2M;

	if (opt.folio == SZ_1G) {
		flags |= MAP_HUGETLB | 30 << MAP_HUGE_SHIFT;
		flags &= ~MAP_NORESERVE;
		align = 0;
	}
	area->map_bytes = opt.bytes + align;
	area->map = mmap(NULL, area->map_bytes, PROT_READ | PROT_WRITE, flags,
			 -1, 0);
	if (area->map == MAP_FAILED)
		fail("mmap");
	area->addr = area->map;
	if (align)
		area->addr = (char *)(((uintptr_t)area->map + align - 1) &
				      ~(align - 1));
}

static void area_populate(struct area *area)
{
	unsigned long mask = 1UL << opt.from;
	size_t i;

	if (opt.folio != SZ_1G &&
	    madvise(area->addr, opt.bytes, opt.folio > MO_BASE ?
		    MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		fail("madvise");
	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, MO_MAX_NODES + 1) ||
	    madvise(area->addr, opt.bytes, MADV_POPULATE_WRITE))
		fail("no memory of that kind");
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);

	area->nr = opt.bytes / opt.folio;
	area->pages = calloc(area->nr, sizeof(*area->pages));
	area->nodes = calloc(area->nr, sizeof(*area->nodes));
	area->status = calloc(area->nr, sizeof(*area->status));
	if (!area->pages || !area->nodes || !area->status)
		fail("calloc");
	for (i = 0; i < area->nr; i++) {
		area->pages[i] = area->addr + i * opt.folio;
		area->nodes[i] = opt.to;
		area->status[i] = -1;
	}
}

static void area_unmap(struct area *area)
{
	munmap(area->map, area->map_bytes);
	free(area->pages);
	free(area->nodes);
	free(area->status);
}

/* Cheap enough for an emulated machine, and no two words are alike. */
static void fill(struct area *area, __u64 seed)
{
	__u64 *at = (__u64 *)area->addr, *end = at + opt.bytes / sizeof(*at);

	while (at < end)
		*at++ = seed += 0x9e3779b97f4a7c15ULL;
}

static size_t bad_words(struct area *area, __u64 seed)
{
	__u64 *at = (__u64 *)area->addr, *end = at + opt.bytes / sizeof(*at);
	size_t bad = 0;

	while (at < end)
		bad += *at++ != (seed += 0x9e3779b97f4a7c15ULL);
	return bad;
}

static size_t folios_on(struct area *area, int node)
{
	size_t i, on = 0;

	if (syscall(SYS_move_pages, 0, area->nr, area->pages, NULL,
		    area->status, 0))
		fail("move_pages");
	for (i = 0; i < area->nr; i++)
		on += area->status[i] == node;
	return on;
}

/* When was which page unmapped, and mapped again? */
struct event {
	__u64 addr;
	__u64 ns;
	bool unmap;
};

static const char * const events[] = {
	"migrate/set_migration_pte", "migrate/remove_migration_pte",
	"thp/set_migration_pmd", "thp/remove_migration_pmd",
};

static void trace_begin(void)
{
	size_t i;

	mo_write("mono", TRACING "/trace_clock");
	mo_write("262144", TRACING "/buffer_size_kb");
	mo_write("", TRACING "/trace");
	for (i = 0; i < ARRAY_SIZE(events); i++)
		mo_write("1", TRACING "/events/%s/enable", events[i]);
	mo_write("1", TRACING "/tracing_on");
}

/* Lines such as "name-12 [000] ..... 1.234567: set_migration_pte: addr=7f, ..." */
static bool parse(const char *line, struct event *event)
{
	const char *name = strstr(line, "_migration_p"), *addr, *at;
	unsigned long sec, usec;

	if (!name || *line == '#')
		return false;
	addr = strstr(name, "addr=");
	for (at = name; at > line && *at != ':'; at--)
		;
	while (at > line && at[-1] != ' ')
		at--;
	if (!addr || sscanf(at, "%lu.%lu", &sec, &usec) != 2)
		return false;
	event->ns = sec * 1000000000ULL + usec * 1000ULL;
	event->addr = strtoull(addr + strlen("addr="), NULL, 16);
	event->unmap = name[-1] == 't';		/* set_, not remove_ */
	return true;
}

static int by_number(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static __u64 part(const __u64 *sorted, size_t nr, unsigned int percent)
{
	return sorted[(nr - 1) * percent / 100];
}

static void trace_end(struct area *area, __u64 begun)
{
	size_t nr = opt.bytes / MO_BASE, i, mapped = 0, pages;
	__u64 *since = calloc(nr, sizeof(*since));
	__u64 *gone = calloc(nr, sizeof(*gone));
	__u64 *back = calloc(nr, sizeof(*back));
	struct event event;
	char line[512];
	FILE *file;

	mo_write("0", TRACING "/tracing_on");
	for (i = 0; i < ARRAY_SIZE(events); i++)
		mo_write("0", TRACING "/events/%s/enable", events[i]);
	file = fopen(TRACING "/trace", "r");
	if (!file || !since || !gone || !back)
		fail("trace");
	while (fgets(line, sizeof(line), file)) {
		if (!parse(line, &event))
			continue;
		i = (event.addr - (uintptr_t)area->addr) / MO_BASE;
		if (i >= nr)
			continue;
		if (event.unmap) {
			since[i] = event.ns;
		} else if (since[i] && mapped < nr) {
			gone[mapped] = event.ns - since[i];
			back[mapped++] = event.ns - begun;
			since[i] = 0;
		}
	}
	fclose(file);
	mo_write("", TRACING "/trace");

	/* Of large folios that are not mapped by PTEs there is one event each. */
	pages = mapped;
	if (!pages)
		fail("no trace");
	qsort(gone, pages, sizeof(*gone), by_number);
	qsort(back, pages, sizeof(*back), by_number);
	printf(" traced=%zu first_ns=%llu median_ns=%llu p50_ns=%llu p99_ns=%llu max_ns=%llu",
	       pages, back[0], part(back, pages, 50), part(gone, pages, 50),
	       part(gone, pages, 99), gone[pages - 1]);
	free(since);
	free(gone);
	free(back);
}

static bool measure(unsigned int rep, bool print)
{
	__u64 seed = (__u64)(rep + 1) << 32, ns, cpu, insns, busy = 0;
	size_t arrived, bad;
	struct area area;
	long ret;

	area_map(&area);
	area_populate(&area);
	fill(&area, seed);
	if (folios_on(&area, opt.from) != area.nr)
		fail("not where it was to begin");

	if (opt.busy)
		busy = mo_number("%s", opt.busy);
	if (print && opt.traced)
		trace_begin();
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	insns = instructions();
	ns = clock_ns(CLOCK_MONOTONIC);
	ret = syscall(SYS_move_pages, 0, area.nr, area.pages, area.nodes,
		      area.status, MPOL_MF_MOVE);
	if (print) {
		__u64 begun = ns;

		ns = clock_ns(CLOCK_MONOTONIC) - ns;
		insns = instructions() - insns;
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
		printf("rep=%u folio=%zu bytes=%zu ns=%llu cpu_ns=%llu", rep,
		       opt.folio, opt.bytes, ns, cpu);
		if (opt.port)
			printf(" insns=%llu", insns);
		if (opt.busy)
			printf(" busy_ns=%llu", mo_number("%s", opt.busy) - busy);
		if (opt.traced)
			trace_end(&area, begun);
	}

	arrived = folios_on(&area, opt.to);
	bad = bad_words(&area, seed);
	area_unmap(&area);
	if (print)
		printf(" folios=%zu arrived=%zu bad=%zu\n", area.nr, arrived,
		       bad);
	fflush(stdout);
	return !ret && arrived == area.nr && !bad;
}

static size_t size_of(const char *text)
{
	char *end;
	size_t size = strtoul(text, &end, 10);

	switch (*end) {
	case 'G':
		return size << 30;
	case 'M':
		return size << 20;
	case 'K':
		return size << 10;
	default:
		return size;
	}
}

int main(int argc, char **argv)
{
	unsigned int rep;
	bool good = true;
	int c;

	while ((c = getopt(argc, argv, "f:a:n:w:p:b:t")) != -1) {
		switch (c) {
		case 'f':
			opt.folio = size_of(optarg);
			break;
		case 'a':
			opt.bytes = size_of(optarg);
			break;
		case 'n':
			opt.reps = atoi(optarg);
			break;
		case 'w':
			opt.warmup = atoi(optarg);
			break;
		case 'p':
			opt.port = strtoul(optarg, NULL, 0);
			break;
		case 'b':
			opt.busy = optarg;
			break;
		case 't':
			opt.traced = true;
			break;
		default:
			goto usage;
		}
	}
	if (argc - optind != 2 || opt.folio < MO_BASE ||
	    !opt.bytes || opt.bytes % opt.folio)
		goto usage;
	opt.from = atoi(argv[optind]);
	opt.to = atoi(argv[optind + 1]);

#ifdef __x86_64__
	if (opt.port && iopl(3))
		fail("no access to the port");
#endif
	thp_sizes();
	for (rep = 0; rep < opt.warmup + opt.reps; rep++)
		good &= measure(rep, rep >= opt.warmup);
	return !good;
usage:
	fprintf(stderr,
		"usage: %s [-f FOLIO] [-a BYTES] [-n TIMES] [-w WARMUP] [-p PORT] [-b FILE] [-t] FROM TO\n",
		argv[0]);
	return 2;
}
