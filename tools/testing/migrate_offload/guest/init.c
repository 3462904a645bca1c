// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first and only process of a machine for which there is no busybox: mounts
 * what is needed, runs programs, and turns the machine off. As guest/init and
 * guest/tests do.
 *
 * Arguments, from the kernel's command line after "--": the terminal for their
 * output, then names of programs in /opt with what to give them after commas:
 * "ttyAMA1 dmaengine,zynqmp-dma".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS	16

static void mount_all(void)
{
	static const struct {
		const char *type;
		const char *where;
	} mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "debugfs", "/sys/kernel/debug" },
		{ "tmpfs", "/tmp" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL))
			perror(mounts[i].where);
}

static void use_terminal(const char *name)
{
	struct termios termios;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_NOCTTY);
	if (fd < 0) {
		perror(path);
		return;
	}
	if (!tcgetattr(fd, &termios)) {
		cfmakeraw(&termios);
		tcsetattr(fd, TCSANOW, &termios);
	}
	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
}

static int run(char *words)
{
	char path[128], *args[MAX_ARGS + 1] = {};
	time_t start = time(NULL);
	int status = -1, nr = 0;
	char *word;
	pid_t pid;

	for (word = strtok(words, ","); word && nr < MAX_ARGS;
	     word = strtok(NULL, ","))
		args[nr++] = word;
	printf("# begin %s\n", args[0]);
	fflush(stdout);
	snprintf(path, sizeof(path), "/opt/%s", args[0]);
	pid = fork();
	if (!pid) {
		execv(path, args);
		perror(path);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	printf("# end %s %d %ld\n", args[0], status, (long)(time(NULL) - start));
	return status;
}

int main(int argc, char **argv)
{
	int i, status = 0;

	mount_all();
	if (argc > 1)
		use_terminal(argv[1]);
	for (i = 2; i < argc; i++)
		status |= run(argv[i]);
	printf("vm: exit %d\n", status);
	fflush(stdout);
	tcdrain(1);
	sync();
	/* Some boards cannot turn themselves off; a reset ends them as well. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
