// SPDX-License-Identifier: GPL-2.0
/*
 * Engines on DMAengine channels, whatever the controller: they copy, all of what
 * they are given, byte by byte, and it was the hardware that did it.
 *
 *	dmaengine [IRQ] [engines=NR] [extents=BYTES] [bounces]
 *
 * IRQ is what /proc/interrupts calls the controller: it must have had an
 * interrupt for each migration then. NR engines must be there: one that is lost
 * would go unnoticed else.
 *
 * Where all mappings would bounce, nothing may be copied by the engines, and all
 * of it is refused, and right.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mo_util.h"

#define ENGINES	MO_SYSFS "/engines"
#define MAX	16
#define ROUNDS	4

static char names[MAX][32], list[MAX * 32];
static unsigned int nr_engines, nr_wanted;
static const char *irq;
static bool bounces;
static long extents;

static void find_engines(void)
{
	DIR *dir = opendir(ENGINES);
	struct dirent *entry;
	char driver[32];

	nr_engines = 0;
	list[0] = '\0';
	while (dir && nr_engines < MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    mo_read(driver, sizeof(driver), ENGINES "/%s/driver",
			    entry->d_name) < 0 || strcmp(driver, "dmaengine"))
			continue;
		snprintf(names[nr_engines], sizeof(names[0]), "%s", entry->d_name);
		sprintf(list + strlen(list), "%s%s", nr_engines ? "," : "",
			names[nr_engines]);
		nr_engines++;
	}
	if (dir)
		closedir(dir);
}

/* Soon after boot some may be on their way. */
static void find_all_engines(void)
{
	unsigned int last, same = 0;

	find_engines();
	/* For those that are wanted, half a minute. */
	for (last = 0; nr_engines < nr_wanted && last < 300; last++) {
		mo_sleep_ms(100);
		find_engines();
	}
	while (same < 10) {
		last = nr_engines;
		mo_sleep_ms(100);
		find_engines();
		same = nr_engines == last ? same + 1 : 0;
	}
}

/* All interrupts of the controller, on all CPUs. */
static long long interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	long long sum = 0, nr;
	char line[512], *at, *end;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, irq))
			continue;
		for (at = strchr(line, ':') + 1; ; at = end) {
			nr = strtoll(at, &end, 10);
			if (end == at || (*end != ' ' && *end != '\t'))
				break;
			sum += nr;
		}
	}
	if (file)
		fclose(file);
	return sum;
}

static long long engines_stat(const char *stat)
{
	long long sum = 0;
	unsigned int i;

	for (i = 0; i < nr_engines; i++)
		sum += mo_engine_stat(names[i], stat);
	return sum;
}

static bool counted(const struct mo_mem *mem, const struct mo_counts *before,
		    long long bytes_before)
{
	struct mo_counts n = mo_counts_since(before);
	long long bytes = engines_stat("bytes") - bytes_before;
	long long nr = ROUNDS * mem->nr;
	bool good = true;

	MO_EXPECT(n.offered == nr, "%lld", n.offered);
	if (bounces) {
		MO_EXPECT(n.engine == 0, "%lld", n.engine);
		MO_EXPECT(mo_refused("bounce") > 0, "%lld", mo_refused("bounce"));
	} else {
		MO_EXPECT(n.engine == nr, "%lld, %lld by the CPU, %lld failed, %lld refused",
			  n.engine, n.cpu, n.failed, n.refused);
		MO_EXPECT(bytes == (long long)mem->bytes * ROUNDS, "%lld", bytes);
	}
	good &= mo_adds_up();
	return good;
}

static void test(const char *engines, enum mo_kind kind, unsigned int nr)
{
	long long bytes = engines_stat("bytes"), irqs = irq ? interrupts() : 0;
	struct mo_counts before = mo_counts();
	int from = mo_nodes[0], to = mo_nodes[1], ret, i;
	struct mo_mem mem;
	bool good = true;
	size_t bad;

	mo_policy(engines);
	ret = mo_alloc(&mem, kind, nr, from);
	if (ret)
		ksft_exit_fail_msg("no %s memory: %s\n", mo_kind_names[kind],
				   strerror(-ret));
	for (i = 0; i < ROUNDS; i++) {
		mo_fill(&mem);
		ret = mo_move(&mem, i & 1 ? from : to);
		MO_EXPECT(ret == 0, "%d", ret);
		MO_EXPECT(mo_folios_on(&mem, i & 1 ? from : to) == mem.nr, "%u",
			  mo_folios_on(&mem, i & 1 ? from : to));
		bad = mo_bad_bytes(&mem);
		MO_EXPECT(bad == 0, "%zu", bad);
	}
	good &= counted(&mem, &before, bytes);
	if (irq) {
		irqs = interrupts() - irqs;
		MO_EXPECT(bounces ? !irqs : irqs >= ROUNDS, "%lld", irqs);
		ksft_print_msg("%lld interrupts of %s\n", irqs, irq);
	}
	mo_free(&mem);
	ksft_test_result(good, "%u of %s, %d times, by %s%s\n", nr,
			 mo_kind_names[kind], ROUNDS, engines,
			 bounces ? ": all would bounce" : "");
}

static const struct {
	enum mo_kind kind;
	unsigned int nr;
} kinds[] = {
	{ MO_ANON, 8 }, { MO_ANON, 1024 }, { MO_SHMEM, 256 }, { MO_THP, 1 },
	{ MO_THP, 6 },
};

int main(int argc, char **argv)
{
	unsigned int i;

	ksft_print_header();
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "bounces"))
			bounces = true;
		else if (!strncmp(argv[i], "engines=", 8))
			nr_wanted = atoi(argv[i] + 8);
		else if (!strncmp(argv[i], "extents=", 8))
			extents = atol(argv[i] + 8);
		else
			irq = argv[i];
	}
	mo_find_nodes();
	find_all_engines();
	if (nr_wanted && nr_engines != nr_wanted)
		ksft_exit_fail_msg("%u engines, not %u: %s\n", nr_engines,
				   nr_wanted, list);
	if (mo_nr_nodes < 2 || !nr_engines)
		ksft_exit_skip("needs two nodes, and engines on DMAengine channels\n");
	mo_enable(true);

	ksft_set_plan(ARRAY_SIZE(kinds) + nr_engines + 1 + !!extents);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		test(list, kinds[i].kind, kinds[i].nr);
	for (i = 0; i < nr_engines; i++)
		test(names[i], MO_ANON, 64);
	for (i = 0; i < nr_engines; i++)
		if (!mo_engine_is(names[i], "online") ||
		    mo_engine_stat(names[i], "timeouts") ||
		    mo_engine_stat(names[i], "errors") ||
		    (!bounces && !mo_engine_stat(names[i], "batches")))
			break;
	ksft_test_result(i == nr_engines, "all of %s are online and have done well\n",
			 list);
	for (i = 0; i < nr_engines; i++)
		if (mo_number(ENGINES "/%s/limits/max_extent_bytes", names[i]) < extents)
			break;
	if (extents)
		ksft_test_result(i == nr_engines, "extents of %ld bytes are possible\n",
				 extents);
	mo_enable(false);
	ksft_finished();
}
