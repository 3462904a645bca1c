// SPDX-License-Identifier: GPL-2.0
/*
 * The stress test's administrator of DMA controllers: their faults are switched
 * on and off, they are unbound and bound again, and engines are reset. None lies.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#define SIM_DMA		"/sys/kernel/debug/migrate_offload_sim_dma"
#define DEVICE		"migrate-offload-sim-dma"
#define DRIVER		"/sys/bus/platform/drivers/" DEVICE
#define DEVICES		2

void st_load(const char *module, const char *parameters)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/lib/modules/%s.ko", module);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
}

void st_dma_load(void)
{
	if (mo_exists(SIM_DMA))
		return;
	st_load("migrate_offload_sim_dma", "nr_devices=2 node=0,1");
	st_load("migrate_engines_dma_map", "");
	st_load("migrate_engine_dmaengine", "");
}

static void set(unsigned int nr, const char *what, unsigned long value)
{
	char text[32];

	sprintf(text, "%lu", value);
	mo_write(text, SIM_DMA "/%u/%s", nr, what);
}

static const char * const faults[] = {
	"error", "residue", "prep_null", "submit_error", "lose", "late",
	"abort", "hang",
};

static void fault(unsigned int nr, const char *name, bool on)
{
	char dir[64];

	sprintf(dir, SIM_DMA "/%u", nr);
	st_fault(dir, name, on);
}

static void break_down(unsigned int nr)
{
	const char *name = faults[st_below(ARRAY_SIZE(faults))];

	st_log("dma%u: %s", nr, name);
	set(nr, "late_ms", 100 + st_below(2500));
	fault(nr, name, true);
	st_usleep(st_below(1000000));
}

static void be_slow(unsigned int nr)
{
	set(nr, "latency_us", st_one_in(2) ? 0 : st_below(1 << (4 + st_below(8))));
	set(nr, "bandwidth_mb", st_one_in(2) ? 0 : 50 + st_below(2000));
	set(nr, "order", st_below(3));
	/* These from the next bind on. */
	set(nr, "depth", 1 << st_below(8));
	set(nr, "max_seg", st_one_in(2) ? 0 : MO_BASE << st_below(10));
}

static void calm(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		fault(nr, faults[i], false);
	set(nr, "latency_us", 0);
	set(nr, "bandwidth_mb", 0);
}

static void unplug(unsigned int nr)
{
	char device[40];

	sprintf(device, DEVICE ".%u", nr);
	st_log("unbind %s", device);
	mo_write(device, DRIVER "/unbind");
	st_usleep(st_below(300000));
	st_log("bind %s", device);
	/* Or else the engine finds a controller that does not work, and stays away. */
	calm(nr);
	mo_write(device, DRIVER "/bind");
}

static void reset(void)
{
	unsigned int nr;

	for (nr = 0; nr < DEVICES; nr++)
		mo_write("1", MO_SYSFS "/engines/dma%u/reset", nr);
}

void st_admin_dma(unsigned int nr)
{
	unsigned int what, dma;

	st_srand(0x700 + nr);
	while (!st_stop()) {
		dma = st_below(DEVICES);
		what = st_below(32);
		if (what < 12)
			be_slow(dma);
		else if (what < 20)
			break_down(dma);
		else if (what < 30)
			calm(dma);
		else
			unplug(dma);
		reset();
		st_add(admin, 1);
		st_usleep(st_below(200000));
	}
}

/* All of them in service and idle; or there are none. */
bool st_dma_calm(void)
{
	unsigned int nr, tries;
	char name[16];
	bool good;

	if (!mo_exists(SIM_DMA))
		return true;
	for (tries = 0; tries < 600; tries++) {
		good = true;
		for (nr = 0; nr < DEVICES; nr++) {
			sprintf(name, "dma%u", nr);
			calm(nr);
			if (!mo_exists(MO_SYSFS "/engines/%s", name)) {
				unplug(nr);
				good = false;
				continue;
			}
			good &= st_engine_idle(name);
		}
		if (good)
			return true;
		mo_sleep_ms(100);
	}
	return false;
}

void st_dma_add_writes(void)
{
	unsigned int nr;

	for (nr = 0; mo_exists(SIM_DMA) && nr < DEVICES; nr++) {
		st_add(wild, mo_number(SIM_DMA "/%u/wild_writes", nr));
		st_add(late, mo_number(SIM_DMA "/%u/late_writes", nr));
	}
}
