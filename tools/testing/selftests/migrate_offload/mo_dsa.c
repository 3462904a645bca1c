// SPDX-License-Identifier: GPL-2.0
/* The model of Intel DSA, through the control port that no real one has. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mo_dsa.h"

#define MAX		2
#define MAGIC		0x63415344
#define PCI_DRIVER	"/sys/bus/pci/drivers/idxd"

static char pci[MAX][PATH_MAX];
static int port[MAX] = { -1, -1 };

const char *mo_dsa_pci(unsigned int dsa)
{
	char path[64], *end;

	if (!*pci[dsa]) {
		sprintf(path, MO_DSA_BUS "/devices/dsa%u", dsa);
		if (!realpath(path, pci[dsa]))
			return NULL;
		end = strrchr(pci[dsa], '/');
		*end = '\0';
	}
	return pci[dsa];
}

static int port_of(unsigned int dsa)
{
	char path[PATH_MAX + 16];

	if (port[dsa] < 0 && mo_dsa_pci(dsa)) {
		snprintf(path, sizeof(path), "%s/resource4", mo_dsa_pci(dsa));
		port[dsa] = open(path, O_RDWR | O_CLOEXEC);
	}
	return port[dsa];
}

__u32 mo_dsa_get(unsigned int dsa, enum mo_dsa_reg reg)
{
	__u32 value;

	if (pread(port_of(dsa), &value, sizeof(value), reg) != sizeof(value))
		ksft_exit_fail_msg("control port of dsa%u: %s\n", dsa,
				   strerror(errno));
	return value;
}

void mo_dsa_set(unsigned int dsa, enum mo_dsa_reg reg, __u32 value)
{
	if (pwrite(port_of(dsa), &value, sizeof(value), reg) != sizeof(value))
		ksft_exit_fail_msg("control port of dsa%u: %s\n", dsa,
				   strerror(errno));
}

bool mo_dsa_there(unsigned int dsa)
{
	return port_of(dsa) >= 0 && mo_dsa_get(dsa, MO_DSA_MAGIC) == MAGIC;
}

void mo_dsa_inject(unsigned int dsa, enum mo_dsa_fault fault, __u32 arg,
		   unsigned int times)
{
	mo_dsa_set(dsa, MO_DSA_COUNT, 0);
	mo_dsa_set(dsa, MO_DSA_ARG, arg);
	mo_dsa_set(dsa, MO_DSA_FAULT, fault);
	mo_dsa_set(dsa, MO_DSA_COUNT, times);
}

void mo_dsa_calm(unsigned int dsa)
{
	mo_dsa_inject(dsa, MO_DSA_NO_FAULT, 0, 0);
	mo_dsa_set(dsa, MO_DSA_LATENCY_US, 0);
	mo_dsa_set(dsa, MO_DSA_BANDWIDTH_MB, 0);
	mo_dsa_set(dsa, MO_DSA_ACTION, MO_DSA_RELEASE);
}

static int run(unsigned int dsa, const char *command, const char *options)
{
	char text[128];
	const char * const args[] = { "sh", "-c", text, NULL };

	snprintf(text, sizeof(text), "exec migrate-offload-dsa.sh %s %s dsa%u",
		 options ?: "", command, dsa);
	return mo_run(args);
}

/* With a deadline for emulated machines on busy hosts. */
int mo_dsa_start(unsigned int dsa, const char *options)
{
	int err = run(dsa, "start", options);

	mo_write("10000", MO_SYSFS "/engines/dsa%u/timeout_ms", dsa);
	return err;
}

int mo_dsa_stop(unsigned int dsa)
{
	return run(dsa, "stop", NULL);
}

bool mo_dsa_rebind(unsigned int dsa)
{
	const char *name = strrchr(mo_dsa_pci(dsa), '/') + 1;

	return !mo_write(name, PCI_DRIVER "/unbind") &&
	       !mo_write(name, PCI_DRIVER "/bind");
}
