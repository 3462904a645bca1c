// SPDX-License-Identifier: GPL-2.0
/*
 * A look at migration offload on one screen: the same move under one policy
 * after the other, and an engine that dies in the middle of one. All numbers
 * are the kernel's counters, or counted here.
 */
#include <dirent.h>
#include <string.h>
#include <sys/utsname.h>

#include "mo_util.h"

#define MAX_ENGINES	16

static char engines[MAX_ENGINES][32];
static unsigned int nr_engines;
static unsigned long long total_moved, total_bad;
static unsigned int failed;

static void find_engines(void)
{
	struct dirent *entry;
	DIR *dir = opendir(MO_SYSFS "/engines");

	if (!dir)
		ksft_exit_fail_msg("no engines: %m\n");
	while ((entry = readdir(dir)) && nr_engines < MAX_ENGINES)
		if (entry->d_name[0] != '.')
			snprintf(engines[nr_engines++], sizeof(engines[0]),
				 "%.31s", entry->d_name);
	closedir(dir);
	qsort(engines, nr_engines, sizeof(engines[0]),
	      (int (*)(const void *, const void *))strcmp);
}

static void print_machine(void)
{
	char driver[64] = "?", state[32] = "?";
	struct utsname name;
	unsigned int i;

	uname(&name);
	printf("Linux %s, %u nodes with memory. Engines:\n", name.release,
	       mo_nr_nodes);
	for (i = 0; i < nr_engines; i++) {
		mo_read(driver, sizeof(driver), MO_SYSFS "/engines/%s/driver",
			engines[i]);
		mo_read(state, sizeof(state), MO_SYSFS "/engines/%s/state",
			engines[i]);
		printf("  %-6s %s, %s, node %lld, %lld channels\n", engines[i],
		       driver, state,
		       mo_number(MO_SYSFS "/engines/%s/numa_node", engines[i]),
		       mo_number(MO_SYSFS "/engines/%s/limits/channels",
				 engines[i]));
	}
}

static void print_policy(int node)
{
	char text[128] = "?";

	mo_read(text, sizeof(text), MO_SYSFS "/nodes/node%d/engines", node);
	printf("Policy of node %d: %s\n", node, text);
}

/* Is it one of those that a policy such as "sim0,sim1" names? */
static bool named(const char *policy, const char *engine)
{
	const char *at = strstr(policy, engine);
	char end;

	if (!at || (at != policy && at[-1] != ','))
		return false;
	end = at[strlen(engine)];
	return !end || end == ',';
}

/*
 * Move, as often as it takes for all to arrive, and tell who copied. Right if
 * nobody did but those whom the policy names; @rest: or the CPU in their place.
 * "auto" counts what it leaves to the CPU.
 */
static void row(enum mo_kind kind, unsigned int nr, const char *policy,
		bool rest)
{
	long long copied[MAX_ENGINES], others = 0, sum = 0, slower;
	int from = mo_nodes[0], to = mo_nodes[1], tries;
	bool automatic = !strcmp(policy, "auto");
	char by[128] = "", *at = by;
	unsigned int i, arrived = 0;
	struct mo_mem mem;
	__u64 us;
	size_t bad;
	bool good;

	mo_policy(policy);
	printf(" %5u x %-9s %-10s", nr, mo_kind_names[kind], policy);
	fflush(stdout);
	if (mo_alloc(&mem, kind, nr, from)) {
		printf(" no such memory  FAILED\n");
		failed++;
		return;
	}
	for (i = 0; i < nr_engines; i++)
		copied[i] = mo_engine_stat(engines[i], "folios");
	slower = mo_refused("slower");
	us = mo_now_us();
	for (tries = 0; tries < 10 && arrived < nr; tries++) {
		mo_move(&mem, to);
		arrived = mo_folios_on(&mem, to);
	}
	us = mo_now_us() - us;
	slower = mo_refused("slower") - slower;
	bad = mo_bad_bytes(&mem);
	mo_free(&mem);

	for (i = 0; i < nr_engines; i++) {
		copied[i] = mo_engine_stat(engines[i], "folios") - copied[i];
		sum += copied[i];
		if (!automatic && !named(policy, engines[i]))
			others += copied[i];
		if (copied[i])
			at += sprintf(at, "%s %lld ", engines[i], copied[i]);
	}
	if (sum < nr)
		sprintf(at, "(cpu) %lld", nr - sum);

	good = arrived == nr && !bad && !others &&
	       (rest ? sum > 0 && sum < nr :
		automatic ? sum + slower >= nr : sum == nr);
	total_moved += arrived;
	total_bad += bad;
	failed += !good;
	printf(" %5u %-22s %7zu %8.1f  %s\n", arrived, by, bad, us / 1000.0,
	       good ? "ok" : "FAILED");
}

static void expect_state(const char *engine, const char *state,
			 const char *what)
{
	bool good = mo_engine_comes(engine, state, 5000);

	failed += !good;
	printf("  %s: %s is %s%-*s%s\n", what, engine, good ? "" : "not ",
	       (int)(58 - strlen(what) - strlen(engine) -
		     (good ? 0 : strlen("not "))),
	       state, good ? "ok" : "FAILED");
}

int main(void)
{
	static const char * const policies[] = {
		"cpu", "cpu-mt", "sim0", "sim1", "sim0,sim1", "auto"
	};
	static const struct {
		enum mo_kind kind;
		unsigned int nr;
	} sizes[] = {
		{ MO_ANON, 512 }, { MO_MTHP, 32 }, { MO_THP, 4 },
	};
	unsigned int i, j;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mo_find_nodes();
	if (!mo_exists(MO_SYSFS) || mo_nr_nodes < 2 || mo_nr_sims() < 2)
		ksft_exit_fail_msg("needs migration offload, two nodes and sim0, sim1\n");
	mo_sim_calm();
	find_engines();
	print_machine();
	print_policy(mo_nodes[1]);
	mo_enable(true);

	printf("move_pages(2) from node %d to node %d; time in ms of the emulated machine:\n",
	       mo_nodes[0], mo_nodes[1]);
	printf("       memory          policy     moved copied by                 bad     time\n");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < ARRAY_SIZE(policies); j++)
			row(sizes[i].kind, sizes[i].nr, policies[j], false);

	printf("A channel of sim0 hangs in the middle of a move:\n");
	if (mo_write("300", MO_SYSFS "/engines/sim0/timeout_ms"))
		ksft_exit_fail_msg("cannot set the deadline\n");
	mo_sim_set(0, "hang/space", 512 * MO_BASE / 2);
	mo_sim_fault(0, "hang", 100, 1);
	row(MO_ANON, 512, "sim0", true);
	expect_state("sim0", "failed", "deadline of 300 ms missed");
	mo_sim_fault(0, "hang", 0, -1);
	if (mo_write("1", MO_SYSFS "/engines/sim0/reset"))
		printf("  reset: %m\n");
	expect_state("sim0", "online", "echo 1 > engines/sim0/reset");
	row(MO_ANON, 512, "sim0", false);

	mo_enable(false);
	print_policy(mo_nodes[1]);
	printf("demo: %llu folios moved, %u engines, %llu bytes differ\n",
	       total_moved, nr_engines, total_bad);
	return failed || total_bad;
}
