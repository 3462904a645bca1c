// SPDX-License-Identifier: GPL-2.0
/*
 * The stress test's administrator of Intel DSAs, models of it behind an IOMMU:
 * they fail, are late and hang, their queues go and come back with other limits,
 * and engines are reset.
 */
#include <stdio.h>

#include "mo_dsa.h"
#include "stress.h"

#define DEVICES		2

static bool there(void)
{
	return mo_exists(MO_DSA_BUS "/devices/dsa1") && mo_dsa_there(0);
}

/* True if there are any. */
bool st_dsa_load(void)
{
	static const char * const modules[] = {
		"idxd_bus", "idxd", "migrate_engines_dma_map", "migrate_engine_dsa",
	};
	unsigned int i;

	for (i = 0; !mo_exists("/sys/module/migrate_engine_dsa") &&
	     i < ARRAY_SIZE(modules); i++)
		st_load(modules[i], "");
	return there();
}

static void break_down(unsigned int nr)
{
	static const struct {
		enum mo_dsa_fault fault;
		unsigned int arg;
		const char *name;
	} faults[] = {
		{ MO_DSA_ERROR, 0x20, "error" }, { MO_DSA_ERROR, 0x19, "bad handle" },
		{ MO_DSA_PARTIAL, 0, "page fault" }, { MO_DSA_OUTER, 6, "list fault" },
		{ MO_DSA_SILENT, 0, "silent" }, { MO_DSA_LOSE, 0, "lose" },
		{ MO_DSA_HANG, 0, "hang" }, { MO_DSA_DELAY, 0, "late" },
	};
	unsigned int what = st_below(ARRAY_SIZE(faults));

	st_log("dsa%u: %s", nr, faults[what].name);
	mo_dsa_set(nr, MO_DSA_LATE_MS, 100 + st_below(2500));
	mo_dsa_inject(nr, faults[what].fault, faults[what].arg,
		      1 + st_below(4));
	st_usleep(st_below(1000000));
}

static void be_slow(unsigned int nr)
{
	mo_dsa_set(nr, MO_DSA_LATENCY_US,
		   st_one_in(2) ? 0 : st_below(1 << (4 + st_below(8))));
	mo_dsa_set(nr, MO_DSA_BANDWIDTH_MB,
		   st_one_in(2) ? 0 : 50 + st_below(2000));
}

static void settings(void)
{
	static const char parameters[] = "/sys/module/migrate_engine_dsa/parameters";
	static const char * const cache[] = { "never", "promotion", "always" };
	static const char * const poll[] = { "0", "65536", "4194304" };

	mo_write(cache[st_below(ARRAY_SIZE(cache))], "%s/cache_control", parameters);
	mo_write(poll[st_below(ARRAY_SIZE(poll))], "%s/poll_bytes", parameters);
}

/* With other queues. It must not hang: idxd waits for it, however long. */
static void replug(unsigned int nr)
{
	char options[64];

	sprintf(options, "-q %u -x %lu -b %u", 1 + st_below(8),
		MO_BASE << st_below(10), 1 << st_below(9));
	st_log("dsa%u: %s", nr, options);
	mo_dsa_calm(nr);
	mo_dsa_stop(nr);
	st_usleep(st_below(300000));
	mo_dsa_start(nr, options);
}

void st_admin_dsa(unsigned int role)
{
	unsigned int what, nr;

	st_srand(0x800 + role);
	while (!st_stop()) {
		nr = st_below(DEVICES);
		what = there() ? st_below(32) : 32;
		if (what < 10)
			be_slow(nr);
		else if (what < 18)
			break_down(nr);
		else if (what < 20)
			settings();
		else if (what < 30)
			mo_dsa_calm(nr);
		else if (what < 32)
			replug(nr);
		if (what < 32) {
			mo_write("1", MO_SYSFS "/engines/dsa%u/reset", nr);
			st_add(admin, 1);
		}
		st_usleep(st_below(200000));
	}
}

/* All of them in service and idle; or there are none. */
bool st_dsa_calm(void)
{
	unsigned int nr, tries;
	char name[16];
	bool good;

	for (tries = 0; there() && tries < 600; tries++) {
		good = true;
		for (nr = 0; nr < DEVICES; nr++) {
			sprintf(name, "dsa%u", nr);
			mo_dsa_calm(nr);
			if (!mo_exists(MO_SYSFS "/engines/%s", name)) {
				mo_dsa_stop(nr);
				mo_dsa_start(nr, NULL);
			}
			good &= st_engine_idle(name);
		}
		if (good)
			return true;
		mo_sleep_ms(100);
	}
	return !there();
}

void st_dsa_add_writes(void)
{
	unsigned int nr;

	for (nr = 0; there() && nr < DEVICES; nr++) {
		st_add(late, mo_dsa_get(nr, MO_DSA_LATE));
		printf("# dsa%u: %u copies, %u accesses refused by the IOMMU\n",
		       nr, mo_dsa_get(nr, MO_DSA_COPIES),
		       mo_dsa_get(nr, MO_DSA_REFUSED));
	}
}
