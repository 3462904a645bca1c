// SPDX-License-Identifier: GPL-2.0
/*
 * Migration offload under stress: stress [MINUTES [SEED|- [off]]]
 *
 * Owners write and check their memory all the time (stress_own.c) while others
 * migrate it (stress_move.c) and change engines, policies, CPUs and memory
 * (stress_admin.c). At the end no byte may be wrong and no page left over
 * (stress_leak.c). Two rounds: the first, short one lets the kernel grow what
 * it keeps for itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

#define WARM_UP_MS	20000	/* at least, */
#define WARM_UP_CALLS	200	/* and until so much has been migrated */
#define PROGRESS_MS	10000
#define END_MS		120000	/* for all to come to their end, however slow */
#define HUGEPAGES	"/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages"

struct st_shared *st;

/* Randomness and the log of actions */

static __u64 state;

void st_srand(__u64 stream)
{
	state = (st->seed ^ stream << 32) * 0x9e3779b97f4a7c15ULL | 1;
}

__u64 st_rand(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

unsigned int st_below(unsigned int n)
{
	return (st_rand() >> 16) % n;
}

void st_usleep(unsigned int us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000L };

	nanosleep(&time, NULL);
}

void st_log(const char *fmt, ...)
{
	struct st_action *action = &st->log[(st_add(logged, 1) - 1) % ST_LOG];
	va_list args;

	action->ms = mo_now_ms() - st->start;
	action->pid = getpid();
	va_start(args, fmt);
	vsnprintf(action->text, sizeof(action->text), fmt, args);
	va_end(args);
}

void st_print_log(unsigned int nr)
{
	unsigned int i = st->logged > nr ? st->logged - nr : 0;

	for (; i < st->logged; i++)
		printf("# %6llu ms, %d: %s\n", st->log[i % ST_LOG].ms, st->log[i % ST_LOG].pid,
		       st->log[i % ST_LOG].text);
}

/* Processes */

static const struct {
	const char *name;
	void (*work)(unsigned int nr);
	unsigned int nr;	/* 0: one for each kind of memory */
} roles[] = {
	{ "owner", st_own },
	{ "move_pages", st_move_pages, 3 },
	{ "system", st_move_system, 1 },
	{ "engines", st_admin_engines, 1 },
	{ "DMA controllers", st_admin_dma, 1 },
	{ "DSA", st_admin_dsa, 1 },
	{ "GPUs", st_admin_sdma, 1 },
	{ "policy", st_admin_policy, 1 },
	{ "hotplug", st_admin_hotplug, 1 },
};

static struct process {
	pid_t pid;
	const char *role;
	unsigned int nr;
} processes[64];
static unsigned int nr_processes;
static unsigned int died;

static void start(unsigned int role, unsigned int nr)
{
	struct process *process = &processes[nr_processes++];

	fflush(stdout);
	process->role = roles[role].name;
	process->nr = nr;
	process->pid = fork();
	if (process->pid < 0)
		ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	if (process->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	roles[role].work(nr);
	fflush(stdout);
	_exit(0);
}

/* Collect those that have ended: none may, before all are told to. */
static void reap(bool expected)
{
	struct process *process;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (process = processes; process->pid != pid; process++)
			if (process == &processes[ARRAY_SIZE(processes) - 1])
				break;
		if (process->pid != pid)
			continue;
		process->pid = 0;
		if (!status && (expected || !strcmp(process->role, "owner")))
			continue;
		died++;
		printf("# %s %u (%d) ended, status %x\n", process->role, process->nr, pid, status);
		st_log("%s %u died", process->role, process->nr);
	}
}

static bool any_left(void)
{
	unsigned int i;

	for (i = 0; i < nr_processes; i++)
		if (processes[i].pid)
			return true;
	return false;
}

static void end(void)
{
	__u64 until = mo_now_ms() + END_MS;
	char stack[1024];
	unsigned int i;

	st->stop = 1;
	/* Its unplugged engines hold nobody up for longer than this. */
	while (any_left() && mo_now_ms() < until) {
		reap(true);
		mo_sleep_ms(50);
	}
	for (i = 0; i < nr_processes; i++) {
		if (!processes[i].pid)
			continue;
		died++;
		printf("# %s %u (%d) does not end:\n", processes[i].role, processes[i].nr,
		       processes[i].pid);
		if (mo_read(stack, sizeof(stack), "/proc/%d/stack", processes[i].pid) > 0 ||
		    mo_read(stack, sizeof(stack), "/proc/%d/wchan", processes[i].pid) > 0)
			printf("%s\n", stack);
		kill(processes[i].pid, SIGKILL);
	}
	nr_processes = 0;
}

/* Counts */

static struct mo_counts first;

static long long engine_folios(const char *name)
{
	long long folios = mo_engine_stat(name, "folios");
	struct st_engine *engine;

	folios = folios < 0 ? 0 : folios;
	for (engine = st->gone; *engine->name; engine++)
		if (!strcmp(engine->name, name))
			folios += engine->folios;
	return folios;
}

/* Of each kind there are two; their counters go when they are unbound. */
static const char * const kinds[][2] = {
	{ "sim0", "sim1" }, { "dma0", "dma1" }, { "dsa0", "dsa1" },
	{ "sdma0", "sdma1" },
};

static bool kind_used[ARRAY_SIZE(kinds)];

static void look_at_kinds(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		kind_used[i] |= engine_folios(kinds[i][0]) > 0 ||
				engine_folios(kinds[i][1]) > 0;
}

/* Each kind that is there has been seen to copy. */
static bool kinds_were_used(void)
{
	bool good = true;
	unsigned int i;

	look_at_kinds();
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		MO_EXPECT(kind_used[i] || !mo_exists(MO_SYSFS "/engines/%s",
						     kinds[i][0]),
			  "neither %s nor %s", kinds[i][0], kinds[i][1]);
	return good;
}

/* "sim0=10 cpu=2": what each has copied, and by those that went unread. */
static void print_engines(const struct mo_counts *counts)
{
	static const char * const names[] = {
		"cpu", "cpu-mt", "sim0", "sim1", "sim2", "dma0", "dma1",
		"dsa0", "dsa1", "sdma0", "sdma1",
	};
	long long rest = counts->engine + counts->cpu, folios;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		folios = engine_folios(names[i]);
		printf("%s%s=%lld", i ? " " : "", names[i], folios);
		rest -= folios;
	}
	if (rest)
		printf(" gone=%lld", rest);
}

static void progress(void)
{
	struct mo_counts n = mo_counts_since(&first);

	look_at_kinds();
	printf("stress: %llu s, %lld folios (", (mo_now_ms() - st->start) / 1000,
	       n.engine + n.cpu);
	print_engines(&n);
	printf("), %lld refused, %lld failed, ", n.refused, n.failed);
	printf("%lld pages checked, %lld written, %lld calls, ", st->checked,
	       st->written, st->migrations);
	printf("%lld changes, %lld bytes wrong\n", st->admin, st->wrong);
	fflush(stdout);
}

/* Set-up */

static void reserve_hugepages(void)
{
	unsigned int i;

	for (i = 0; i < mo_nr_nodes && i < 2; i++)
		mo_write("8", HUGEPAGES, mo_nodes[i]);
}

static void cgroup_up(void)
{
	mo_write("+memory +cpuset", "/sys/fs/cgroup/cgroup.subtree_control");
	mkdir(ST_CGROUP, 0755);
	mo_write("+memory +cpuset", ST_CGROUP "/cgroup.subtree_control");
}

/* The parent stays: it is what pages of its dead children are charged to. */
static bool cgroup_down(void)
{
	char path[64];
	unsigned int i, tries;
	bool good = true;

	for (i = 0; i < st_nr_owners; i++) {
		sprintf(path, ST_CGROUP "/own%u", i);
		for (tries = 0; rmdir(path) && errno == EBUSY && tries < 100; tries++)
			mo_sleep_ms(50);
		good &= access(path, F_OK) != 0;
	}
	return good;
}

static bool round_of(__u64 ms, long long calls)
{
	__u64 begin = mo_now_ms(), next = begin;
	unsigned int role, i;
	bool good = true;

	st->stop = 0;
	memset(st->slots, 0, sizeof(st->slots));
	st_disks_up();
	cgroup_up();
	reserve_hugepages();
	for (role = 0; role < ARRAY_SIZE(roles); role++)
		for (i = 0; i < (roles[role].nr ?: st_nr_owners); i++)
			start(role, i);
	while ((mo_now_ms() - begin < ms || st->migrations < calls) && !died && !st->wrong) {
		reap(false);
		if (mo_now_ms() >= next) {
			progress();
			next += PROGRESS_MS;
		}
		mo_sleep_ms(100);
	}
	end();

	MO_EXPECT(st_engines_calm() && st_dma_calm() && st_dsa_calm() &&
		  st_sdma_calm(),
		  "an engine is not in service, or holds pages");
	st_machine_calm();
	/* They may have been migrated to any node. */
	mo_write("0", "/proc/sys/vm/nr_hugepages");
	mo_write("2", "/sys/kernel/mm/ksm/run");
	mo_write("0", "/sys/kernel/mm/ksm/run");
	MO_EXPECT(cgroup_down(), "a memory cgroup stays");
	MO_EXPECT(st_disks_down(), "a disk is still in use: %m");
	progress();
	return good;
}

static bool prepare(void)
{
	mo_find_nodes();
	if (!mo_exists(MO_SYSFS) || mo_nr_nodes < 3)
		return false;
	mkdir(ST_DIR, 0755);
	st_engines_load();
	if (!st_dsa_load()) {
		st_dma_load();
		st_sdma_load();
	}
	st_machine_calm();
	first = mo_counts();
	return st_engines_calm() && st_dma_calm() && st_dsa_calm() &&
	       st_sdma_calm();
}

static const char * const refusals[] = {
	"reason", "context", "movable", "zone_device", "writeback", "poison", "mapping",
	"pinned", "no_engine", "too_small", "tags", "limits", "busy", "bounce", "submit",
};

int main(int argc, char **argv)
{
	__u64 ms = (argc > 1 ? strtod(argv[1], NULL) : 3) * 60000;
	struct st_pages then, now;
	struct mo_counts n;
	long long leaked;
	unsigned int i;
	bool good;

	/* All of it now, so that it is charged to us and not to an owner. */
	st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (st == MAP_FAILED)
		return 1;
	st->start = mo_now_ms();
	st->seed = time(NULL) ^ mo_now_us() << 20;
	if (argc > 2 && *argv[2] != '-')
		st->seed = strtoull(argv[2], NULL, 0);
	st->off = argc > 3 && !strcmp(argv[3], "off");
	printf("stress: seed %llu, %llu s\n", st->seed, ms / 1000);
	if (!prepare()) {
		printf("# needs migration offload, three nodes and migrate_offload_sim.ko\n");
		return 1;
	}

	good = round_of(WARM_UP_MS, WARM_UP_CALLS);
	then = st_pages_now();
	good &= round_of(ms, 0);
	now = st_pages_now();
	leaked = st_pages_leaked(&then, &now);

	st_engines_add_writes();
	st_dma_add_writes();
	st_dsa_add_writes();
	st_sdma_add_writes();
	n = mo_counts_since(&first);
	MO_EXPECT(!died, "%u processes died", died);
	MO_EXPECT(!st->wild, "%lld writes to memory that was given back", st->wild);
	MO_EXPECT(n.engine + n.cpu > 0 || st->off, "nothing was copied");
	good &= st->off || kinds_were_used();
	good &= mo_adds_up();
	good &= !st->wrong && !leaked;
	if (!good)
		st_print_log(64);
	printf("# refused:");
	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		printf(" %s %lld", refusals[i], mo_refused(refusals[i]));
	printf("\n# copied_engine %lld, copied_cpu %lld\n", n.engine, n.cpu);
	printf("# %lld late writes, %lld offered, %lld refused, %lld failed, %lld quarantined\n",
	       st->late, n.offered, n.refused, n.failed, n.quarantined);
	printf("stress: %lld folios migrated (", n.engine + n.cpu);
	print_engines(&n);
	printf("), %lld bytes wrong, %lld pages leaked\n", st->wrong, leaked);
	return !good;
}
