// SPDX-License-Identifier: GPL-2.0
/*
 * Run a program while its memory is moved about: all processes of its session
 * go from node to node, and memory is compacted. It has a time limit, and none
 * of its processes outlive it.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mo_util.h"

#define TIMED_OUT	124

static void explain(const char *name)
{
	fprintf(stderr,
		"usage: %s [-c] [-m] [-i MS] [-t SECONDS] COMMAND...\n"
		"-c: compact all memory, -m: migrate COMMAND between the first two nodes,\n"
		"each every MS milliseconds. Exits as COMMAND does, or with %d.\n",
		name, TIMED_OUT);
	exit(2);
}

static bool is_in_session(pid_t pid, pid_t session)
{
	char stat[512], *at, state;
	int theirs;

	if (mo_read(stat, sizeof(stat), "/proc/%d/stat", pid) <= 0)
		return false;
	/* A name may contain anything, but it is in the last parentheses. */
	at = strrchr(stat, ')');
	return at && sscanf(at, ") %c %*d %*d %d", &state, &theirs) == 2 &&
	       theirs == session && state != 'Z';
}

/* How many there were. */
static unsigned int each_in_session(pid_t session,
				    void (*act)(pid_t pid, int arg), int arg)
{
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	pid_t pid;

	if (!proc)
		return 0;
	while ((entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid <= 0 || !is_in_session(pid, session))
			continue;
		act(pid, arg);
		nr++;
	}
	closedir(proc);
	return nr;
}

static void migrate_to(pid_t pid, int to)
{
	unsigned long from_mask = 1UL << mo_nodes[!to];
	unsigned long to_mask = 1UL << mo_nodes[to];

	/* It may have gone meanwhile, or have pages that stay. */
	syscall(SYS_migrate_pages, pid, MO_MAX_NODES + 1, &from_mask, &to_mask);
}

static void send(pid_t pid, int signal)
{
	kill(pid, signal);
}

int main(int argc, char **argv)
{
	bool compact = false, migrate = false;
	unsigned int ms = 200, seconds = 0;
	int opt, status, to = 0;
	bool late = false;
	__u64 start;
	pid_t pid;

	while ((opt = getopt(argc, argv, "+cmi:t:")) != -1) {
		if (opt == 'c')
			compact = true;
		else if (opt == 'm')
			migrate = true;
		else if (opt == 'i')
			ms = atoi(optarg);
		else if (opt == 't')
			seconds = atoi(optarg);
		else
			explain(argv[0]);
	}
	if (optind == argc || !ms)
		explain(argv[0]);
	mo_find_nodes();
	migrate &= mo_nr_nodes >= 2;

	pid = fork();
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	if (!pid) {
		setsid();
		execvp(argv[optind], argv + optind);
		perror(argv[optind]);
		_exit(127);
	}

	start = mo_now_ms();
	while (!waitpid(pid, &status, WNOHANG)) {
		if (seconds && mo_now_ms() - start > 1000ULL * seconds && !late) {
			late = true;
			each_in_session(pid, send, SIGKILL);
		}
		if (migrate)
			each_in_session(pid, migrate_to, to = !to);
		if (compact)
			mo_write("1", "/proc/sys/vm/compact_memory");
		mo_sleep_ms(migrate || compact ? ms : 10);
	}
	while (each_in_session(pid, send, SIGKILL))
		mo_sleep_ms(10);

	if (late)
		return TIMED_OUT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
