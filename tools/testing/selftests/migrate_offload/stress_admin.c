// SPDX-License-Identifier: GPL-2.0
/*
 * The stress test's administrators: engines come, go, fail and hang, policies
 * change, CPUs and memory go and come back. No engine lies: one that reports a
 * copy that it did not make corrupts memory by definition.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define MODULE	"/lib/modules/migrate_offload_sim.ko"
#define DRIVER	"/sys/bus/platform/drivers/migrate-offload-sim"
#define SIMS	3

/* Engines */

void st_engines_load(void)
{
	int fd;

	if (mo_exists(MO_SYSFS "/engines/sim%u", SIMS - 1))
		return;
	/* It may be there with fewer engines. */
	syscall(SYS_delete_module, "migrate_offload_sim", O_NONBLOCK);
	fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	syscall(SYS_finit_module, fd, "nr_engines=3 node=0,1,1", 0);
	close(fd);
}

static struct st_engine *gone(const char *name)
{
	struct st_engine *engine = st->gone;

	while (*engine->name && strcmp(engine->name, name))
		engine++;
	strcpy(engine->name, name);
	return engine;
}

/* Counters of an engine that is about to go, and its counters with it. */
static struct { long long folios, wild, late; } last[SIMS];

static void read_last(unsigned int sim)
{
	char name[16];

	sprintf(name, "sim%u", sim);
	last[sim].folios = mo_engine_stat(name, "folios");
	last[sim].wild = mo_sim_stat(sim, "wild_writes");
	last[sim].late = mo_sim_stat(sim, "late_writes");
}

static void has_gone(unsigned int sim)
{
	char name[16];

	sprintf(name, "sim%u", sim);
	if (last[sim].folios < 0 || mo_engine_stat(name, "folios") >= last[sim].folios)
		return;
	gone(name)->folios += last[sim].folios;
	st_add(wild, last[sim].wild);
	st_add(late, last[sim].late);
}

/* Of those that are there, at the end. */
void st_engines_add_writes(void)
{
	unsigned int sim;

	for (sim = 0; sim < SIMS; sim++) {
		st_add(wild, mo_sim_stat(sim, "wild_writes"));
		st_add(late, mo_sim_stat(sim, "late_writes"));
	}
}

static void reset(void)
{
	unsigned int sim;

	for (sim = 0; sim < SIMS; sim++)
		mo_write("1", MO_SYSFS "/engines/sim%u/reset", sim);
}

static void set(unsigned int sim, const char *what, unsigned long value)
{
	char text[32];

	sprintf(text, "%lu", value);
	mo_write(text, MO_SIM "/sim%u/%s", sim, what);
}

static void be_slow(unsigned int sim)
{
	unsigned int us = st_one_in(2) ? 0 : st_below(1 << (4 + st_below(11)));

	set(sim, "delay_us", us);
	set(sim, "bandwidth_mb", st_one_in(2) ? 0 : 50 + st_below(2000));
	set(sim, "order", st_below(3));
	st_log("sim%u: delay %u us", sim, us);
}

static const char * const faults[] = { "fail", "lose", "hang", "late" };

/* A fault of what has its settings in @dir, some twenty times, or no more. */
void st_fault(const char *dir, const char *name, bool on)
{
	char text[16];

	sprintf(text, "%u", 1 + st_below(200));
	mo_write(text, "%s/%s/interval", dir, name);
	sprintf(text, "%u", on ? 1 + st_below(20) : 0);
	mo_write(text, "%s/%s/times", dir, name);
	mo_write(on ? "100" : "0", "%s/%s/probability", dir, name);
}

static void fault(unsigned int sim, const char *name, bool on)
{
	char dir[64];

	sprintf(dir, MO_SIM "/sim%u", sim);
	st_fault(dir, name, on);
}

static void break_down(unsigned int sim)
{
	const char *name = faults[st_below(ARRAY_SIZE(faults))];
	bool stuck = st_one_in(4);

	st_log("sim%u: %s%s", sim, name, stuck ? ", stuck" : "");
	set(sim, "late_ms", 100 + st_below(2500));
	set(sim, "stuck", stuck);
	if (st_one_in(2))
		mo_write("100", MO_SYSFS "/engines/sim%u/timeout_ms", sim);
	fault(sim, name, true);
	/* Long enough to miss a deadline, and for folios to be quarantined. */
	st_usleep(st_below(1500000));
}

static void calm(unsigned int sim)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		fault(sim, faults[i], false);
	set(sim, "delay_us", 0);
	set(sim, "bandwidth_mb", 0);
	set(sim, "stuck", 0);
}

static void unplug(unsigned int sim)
{
	char device[40];

	sprintf(device, "migrate-offload-sim.%u", sim);
	if (!mo_exists(DRIVER "/%s", device))
		return;
	read_last(sim);
	st_log("unbind %s", device);
	if (!mo_write(device, DRIVER "/unbind"))
		has_gone(sim);
	st_usleep(st_below(300000));
	st_log("bind %s", device);
	mo_write(device, DRIVER "/bind");
}

static void unload(void)
{
	unsigned int sim;

	for (sim = 0; sim < SIMS; sim++)
		read_last(sim);
	st_log("rmmod");
	if (!syscall(SYS_delete_module, "migrate_offload_sim", O_NONBLOCK))
		for (sim = 0; sim < SIMS; sim++)
			has_gone(sim);
	st_usleep(st_below(300000));
	st_log("insmod");
	st_engines_load();
}

void st_admin_engines(unsigned int nr)
{
	unsigned int sim, what;

	st_srand(0x400 + nr);
	while (!st_stop()) {
		sim = st_below(SIMS);
		what = st_below(32);
		if (what < 12)
			be_slow(sim);
		else if (what < 16)
			break_down(sim);
		else if (what < 29)
			calm(sim);
		else if (what < 31)
			unplug(sim);
		else
			unload();
		reset();
		st_add(admin, 1);
		st_usleep(st_below(200000));
	}
}

/* In service, after a reset if need be, and nothing is left of what it did. */
bool st_engine_idle(const char *name)
{
	if (!mo_engine_is(name, "online"))
		mo_write("1", MO_SYSFS "/engines/%s/reset", name);
	return mo_engine_is(name, "online") &&
	       !mo_engine_stat(name, "inflight") &&
	       !mo_engine_stat(name, "quarantined_pages");
}

/* All engines in service and idle. */
bool st_engines_calm(void)
{
	unsigned int sim, tries;
	char name[32];
	bool good;

	st_engines_load();
	for (tries = 0; tries < 600; tries++) {
		good = true;
		for (sim = 0; sim < SIMS; sim++) {
			sprintf(name, "sim%u", sim);
			calm(sim);
			good &= st_engine_idle(name);
		}
		if (good)
			return true;
		mo_sleep_ms(100);
	}
	return false;
}

/* Policy */

static const struct {
	const char *file;
	const char *values[21];
} knobs[] = {
	{ MO_SYSFS "/nodes/node%d/engines",
	  { "auto", "cpu", "cpu-mt", "sim0", "sim0,sim1", "sim1,sim0,cpu", "dsa9,sim2",
	    "sim2,sim0,sim1", "dma0,dma1", "dma1,dma0", "dma0,sim1", "dma1",
	    "dsa0,dsa1", "dsa1,dsa0", "dsa0", "dsa1,sim0",
	    "sdma0,sdma1", "sdma1,dma0", "sdma0" } },
	{ MO_SYSFS "/nodes/node%d/reasons",
	  { "all", "all", "all", "all", "all", "none", "compaction,memory_hotplug",
	    "syscall_or_cpuset" } },
	{ MO_SYSFS "/nodes/node%d/min_bytes", { "0", "0", "auto", "64K", "1M" } },
	{ MO_SYSFS "/engines/sim%d/timeout_ms", { "2000", "1000", "300", "100" } },
	{ MO_SYSFS "/engines/dma%d/timeout_ms", { "2000", "1000", "300" } },
	{ MO_SYSFS "/engines/dsa%d/timeout_ms", { "2000", "1000", "300" } },
	{ MO_SYSFS "/engines/sdma%d/timeout_ms", { "2000", "1000", "300" } },
	{ MO_SYSFS "/engines/cpu-mt/helpers", { "4", "1", "0" } },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", { "madvise", "always", "never" } },
	{ "/sys/kernel/mm/transparent_hugepage/shmem_enabled",
	  { "never", "always", "within_size" } },
	{ "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled",
	  { "madvise", "always", "never" } },
	{ "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/shmem_enabled",
	  { "never", "always" } },
	{ "/sys/kernel/mm/ksm/run", { "1", "0", "2" } },
};

static void turn(unsigned int knob, bool first)
{
	unsigned int nr = 0;
	char path[128];

	while (knobs[knob].values[nr])
		nr++;
	nr = first ? 0 : st_below(nr);
	snprintf(path, sizeof(path), knobs[knob].file, st_below(3));
	st_log("%s > %s", knobs[knob].values[nr], path);
	mo_write(knobs[knob].values[nr], "%s", path);
}

void st_admin_policy(unsigned int nr)
{
	st_srand(0x500 + nr);
	while (!st_stop()) {
		/* The first of each list is what migrates most. */
		turn(st_below(ARRAY_SIZE(knobs)), st_one_in(3));
		if (!st->off && st_one_in(24)) {
			st_log("enabled: 0, then 1");
			mo_write("0", MO_SYSFS "/enabled");
			st_usleep(st_below(100000));
			mo_write("1", MO_SYSFS "/enabled");
		}
		st_add(admin, 1);
		st_usleep(st_below(200000));
	}
	mo_write(st->off ? "0" : "1", MO_SYSFS "/enabled");
}

/* CPUs and memory */

static void cpu(void)
{
	unsigned int cpu = 1 + st_below(sysconf(_SC_NPROCESSORS_CONF) - 1);

	st_log("CPU %u", cpu);
	mo_write("0", "/sys/devices/system/cpu/cpu%u/online", cpu);
	st_usleep(st_below(500000));
	mo_write("1", "/sys/devices/system/cpu/cpu%u/online", cpu);
}

#define NODE2	"/sys/devices/system/node/node2"

static unsigned int blocks(unsigned int *block, unsigned int most)
{
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *dir = opendir(NODE2);

	while (dir && nr < most && (entry = readdir(dir)))
		nr += sscanf(entry->d_name, "memory%u", &block[nr]) == 1;
	if (dir)
		closedir(dir);
	return nr;
}

static void wake(int sig)
{
}

static void online(unsigned int block)
{
	mo_write("online_movable", "/sys/devices/system/memory/memory%u/state", block);
}

/* It goes on until it has succeeded or a signal comes. */
static int offline(unsigned int block, unsigned int seconds)
{
	struct sigaction action = { .sa_handler = wake };
	int err;

	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
	err = mo_write("offline", "/sys/devices/system/memory/memory%u/state", block);
	alarm(0);
	return err;
}

static void memory(void)
{
	unsigned int block[16], nr = blocks(block, ARRAY_SIZE(block)), at;
	int err;

	if (!nr)
		return;
	at = block[st_below(nr)];
	err = offline(at, 5);
	st_log("memory%u offline: %s", at, strerror(-err));
	st_usleep(st_below(300000));
	online(at);
}

/* The way to have all CPUs give back the free pages that they keep of node 2. */
void st_drain_movable(void)
{
	unsigned int block[16];

	if (blocks(block, ARRAY_SIZE(block))) {
		offline(*block, 30);
		online(*block);
	}
}

void st_admin_hotplug(unsigned int nr)
{
	st_srand(0x600 + nr);
	while (!st_stop()) {
		if (st_one_in(2))
			cpu();
		else
			memory();
		st_add(admin, 1);
		st_usleep(st_below(1000000));
	}
}

/* As it was before all this. */
void st_machine_calm(void)
{
	unsigned int block[16], nr = blocks(block, ARRAY_SIZE(block)), i;

	for (i = 0; i < ARRAY_SIZE(knobs); i++)
		turn(i, true);
	for (i = 0; i < mo_nr_nodes; i++) {
		mo_write("auto", MO_SYSFS "/nodes/node%d/engines", mo_nodes[i]);
		mo_write("all", MO_SYSFS "/nodes/node%d/reasons", mo_nodes[i]);
		mo_write("0", MO_SYSFS "/nodes/node%d/min_bytes", mo_nodes[i]);
	}
	for (i = 0; i < nr; i++)
		online(block[i]);
	for (i = 1; i < sysconf(_SC_NPROCESSORS_CONF); i++)
		mo_write("1", "/sys/devices/system/cpu/cpu%u/online", i);
	mo_write("0", "/sys/kernel/mm/numa/demotion_enabled");
	mo_write("0", "/proc/sys/kernel/numa_balancing");
	mo_write(st->off ? "0" : "1", MO_SYSFS "/enabled");
}
