// SPDX-License-Identifier: GPL-2.0
/*
 * The stress test's administrator of GPUs: faults of their SDMA are switched on
 * and off, they are reset, suspended, put to sleep, pulled out and put back, and
 * engines are reset. None lies.
 */
#include <stdio.h>

#include "stress.h"

#define SIM_SDMA	"/sys/kernel/debug/migrate_offload_sim_sdma"
#define DEVICE		"migrate-offload-sim-sdma"
#define DRIVER		"/sys/bus/platform/drivers/" DEVICE
#define GPUS		2

/* After st_dma_load(), which loads what both need. */
void st_sdma_load(void)
{
	if (mo_exists(SIM_SDMA))
		return;
	st_load("migrate_sim_sdma", "nr_gpus=2 node=0,1");
	st_load("migrate_engine_amd_sdma", "");
}

static void set(unsigned int nr, const char *what, unsigned long value)
{
	char text[32];

	sprintf(text, "%lu", value);
	mo_write(text, SIM_SDMA "/%u/%s", nr, what);
}

static const char * const faults[] = {
	"error", "cancel", "late", "lose", "hang", "busy", "again",
};

static void fault(unsigned int nr, const char *name, bool on)
{
	char dir[64];

	sprintf(dir, SIM_SDMA "/%u", nr);
	st_fault(dir, name, on);
}

static void break_down(unsigned int nr)
{
	const char *name = faults[st_below(ARRAY_SIZE(faults))];

	st_log("sdma%u: %s", nr, name);
	set(nr, "late_ms", 100 + st_below(2500));
	set(nr, "stuck_ms", st_one_in(2) ? 0 : st_below(1000));
	fault(nr, name, true);
	st_usleep(st_below(1000000));
}

static void be_slow(unsigned int nr)
{
	set(nr, "latency_us", st_one_in(2) ? 0 : st_below(1 << (4 + st_below(8))));
	set(nr, "bandwidth_mb", st_one_in(2) ? 0 : 50 + st_below(2000));
	set(nr, "tdr_ms", 500 + st_below(2000));
	set(nr, "reset_ms", st_below(500));
	set(nr, "reset_writes", st_one_in(2));
	/* From the next bind on. */
	set(nr, "version", 4 + st_below(4));
}

static void calm(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		fault(nr, faults[i], false);
	set(nr, "latency_us", 0);
	set(nr, "bandwidth_mb", 0);
	set(nr, "asleep", 0);
	set(nr, "reset_fails", 0);
}

static void reset_gpu(unsigned int nr)
{
	bool fails = st_one_in(4);

	st_log("sdma%u: reset%s", nr, fails ? ", fails" : "");
	set(nr, "reset_fails", fails);
	set(nr, "reset", 1);
	if (!fails)
		return;
	st_usleep(st_below(500000));
	set(nr, "reset_fails", 0);
	set(nr, "reset", 1);
}

static void sleep_for_a_while(unsigned int nr)
{
	bool suspend = st_one_in(2);

	st_log("sdma%u: %s", nr, suspend ? "suspend" : "asleep");
	set(nr, suspend ? "suspend" : "asleep", 1);
	st_usleep(st_below(500000));
	set(nr, suspend ? "resume" : "asleep", suspend);
}

static void unplug(unsigned int nr)
{
	char device[40];

	sprintf(device, DEVICE ".%u", nr);
	st_log("unbind %s", device);
	mo_write(device, DRIVER "/unbind");
	st_usleep(st_below(300000));
	st_log("bind %s", device);
	/* Or else the engine finds an SDMA that does not work, and stays away. */
	calm(nr);
	mo_write(device, DRIVER "/bind");
}

void st_admin_sdma(unsigned int nr)
{
	unsigned int what, gpu;

	st_srand(0x800 + nr);
	while (!st_stop()) {
		gpu = st_below(GPUS);
		what = st_below(32);
		if (what < 8)
			be_slow(gpu);
		else if (what < 16)
			break_down(gpu);
		else if (what < 24)
			calm(gpu);
		else if (what < 28)
			reset_gpu(gpu);
		else if (what < 30)
			sleep_for_a_while(gpu);
		else
			unplug(gpu);
		for (gpu = 0; gpu < GPUS; gpu++)
			mo_write("1", MO_SYSFS "/engines/sdma%u/reset", gpu);
		st_add(admin, 1);
		st_usleep(st_below(200000));
	}
}

/* All of them in service and idle; or there are none. */
bool st_sdma_calm(void)
{
	unsigned int nr, tries;
	char name[16];
	bool good;

	if (!mo_exists(SIM_SDMA))
		return true;
	for (nr = 0; nr < GPUS; nr++) {
		calm(nr);
		set(nr, "resume", 1);
		/* What was lost, and what a bad reset has left. */
		set(nr, "reset", 1);
	}
	for (tries = 0; tries < 600; tries++) {
		good = true;
		for (nr = 0; nr < GPUS; nr++) {
			sprintf(name, "sdma%u", nr);
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

void st_sdma_add_writes(void)
{
	unsigned int nr;

	for (nr = 0; mo_exists(SIM_SDMA) && nr < GPUS; nr++) {
		st_add(wild, mo_number(SIM_SDMA "/%u/wild_writes", nr));
		st_add(wild, mo_number(SIM_SDMA "/%u/vm_faults", nr));
		st_add(wild, mo_number(SIM_SDMA "/%u/bad_packets", nr));
		st_add(late, mo_number(SIM_SDMA "/%u/late_writes", nr));
	}
}
