// SPDX-License-Identifier: GPL-2.0
/* The fault matrix's rows for simulated DMA controllers: dma0. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define ENGINE		"dma0"
#define SIM_DMA		"/sys/kernel/debug/migrate_offload_sim_dma/0"
#define TRUST		"/sys/module/migrate_engine_dmaengine/parameters/trust"
#define PROVIDER	"migrate-offload-sim-dma"
#define PROVIDER_DEV	"/sys/bus/platform/devices/" PROVIDER ".0"
#define PROVIDER_DRV	"/sys/bus/platform/drivers/" PROVIDER

/* A setting of the controller. */
struct setting {
	const char *name;
	unsigned long value;
};

struct dma_fault {
	struct fault fault;
	const char *inject;		/* what of the controller's faults */
	unsigned int percent;
	const char *trust;		/* in the provider, or the driver's own */
	struct setting set[4];
};

static const struct dma_fault rows[] = {
	{ { "error", .errors = true }, "error", 60 },
	{ { "silent error", .errors = true }, "silent", 60, PROVIDER ":terminate" },
	{ { "wrong bytes", .errors = true }, "lie", 60, PROVIDER ":terminate" },
	{ { "residue", .errors = true }, "residue", 60 },
	{ { "no descriptor", .errors = true }, "prep_null", 50 },
	{ { "submit error", .errors = true }, "submit_error", 60 },
	{ { "lost completion", .dies = true }, "lose", 100 },
	{ { "late, stopped", .dies = true }, "late", 100,
	  .set = { { "late_ms", 1500 } } },
	{ { "late, not stopped", .dies = true }, "late", 100, PROVIDER ":errors",
	  { { "late_ms", 1500 }, { "terminate", 1 } } },
	{ { "aborted, goes on", .dies = true }, "abort", 100,
	  PROVIDER ":errors:release", { { "late_ms", 1500 } } },
	{ { "hang", .dies = true }, "hang", 100 },
	{ { "hang, deaf", .dies = true }, "hang", 100,
	  PROVIDER ":errors:terminate:release", { { "terminate", 2 } } },
	{ { "removal", .dies = true, .removes = true },
	  .set = { { "latency_us", 20000 } } },
	{ { "random order", .none = true },
	  .set = { { "order", 2 }, { "latency_us", 100 }, { "no_order", 1 } } },
	{ { "reversed order", .none = true },
	  .set = { { "order", 1 }, { "latency_us", 100 }, { "no_order", 1 } } },
	{ { "short ring", .none = true }, .set = { { "depth", 2 } } },
};

static const struct setting calm[] = {
	{ "late_ms", 2000 }, { "terminate", 0 }, { "order", 0 },
	{ "latency_us", 0 }, { "no_order", 0 }, { "depth", 64 },
};

static const char * const inject_names[] = {
	"error", "lie", "silent", "residue", "lose", "late", "abort", "hang",
	"prep_null", "submit_error",
};

static void set(const struct setting *setting)
{
	char value[16];
	int err;

	sprintf(value, "%lu", setting->value);
	if (!strncmp(setting->name, "no_", 3))
		sprintf(value, "%c", setting->value ? 'Y' : 'N');
	err = mo_write(value, SIM_DMA "/%s", setting->name);
	if (err)
		ksft_exit_fail_msg("%s: %s\n", setting->name, strerror(-err));
}

static void draw(const char *name, unsigned int percent, int times)
{
	char value[16];

	sprintf(value, "%d", times);
	mo_write(value, SIM_DMA "/%s/times", name);
	sprintf(value, "%u", percent);
	if (mo_write(value, SIM_DMA "/%s/probability", name))
		ksft_exit_fail_msg("the controller has no fault %s\n", name);
}

static void dma_stop(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(inject_names); i++)
		draw(inject_names[i], 0, -1);
}

/* Unbind the controller, and with it the engine, and have both come back. */
static bool dma_bind(const struct fault *fault)
{
	const struct dma_fault *row = (const struct dma_fault *)fault;
	const struct setting *setting;
	unsigned int i;
	bool good = true;
	int err;

	err = mo_exists(PROVIDER_DEV "/driver") ?
	      mo_write(PROVIDER ".0", PROVIDER_DRV "/unbind") : 0;
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(!mo_exists(MO_SYSFS "/engines/" ENGINE), "it is still there");
	for (i = 0; i < ARRAY_SIZE(calm); i++)
		set(&calm[i]);
	for (setting = row ? row->set : NULL; setting && setting->name;
	     setting++)
		set(setting);
	err = mo_write(row && row->trust ? row->trust : "\n", TRUST);
	MO_EXPECT(!err, "%s", strerror(-err));
	err = mo_write(PROVIDER ".0", PROVIDER_DRV "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_comes(ENGINE, "online", MARGIN_MS), "it is not");
	return good;
}

static const struct fault *dma_row(unsigned int nr)
{
	return nr < ARRAY_SIZE(rows) ? &rows[nr].fault : NULL;
}

static int times(const struct dma_fault *row)
{
	return row->percent == 100 ? 1 : 1000;
}

/* While its channels are busy. */
static void remove_soon(void)
{
	pid_t child = fork();

	if (child)
		return;
	mo_sleep_ms(10);
	mo_write("1", SIM_DMA "/remove");
	_exit(0);
}

static void dma_inject(const struct fault *fault)
{
	const struct dma_fault *row = (const struct dma_fault *)fault;

	if (row->inject)
		draw(row->inject, row->percent, times(row));
	if (fault->removes)
		remove_soon();
}

static bool dma_happened(const struct fault *fault)
{
	const struct dma_fault *row = (const struct dma_fault *)fault;

	return !row->inject ||
	       mo_number(SIM_DMA "/%s/times", row->inject) < times(row);
}

/* The driver core does not expect a second one meanwhile. */
static bool dma_removed(const struct fault *fault)
{
	int ms;

	for (ms = 0; ms < MARGIN_MS && mo_exists(PROVIDER_DEV "/driver"); ms += 10)
		mo_sleep_ms(10);
	return ms < MARGIN_MS;
}

static bool needs_release(const struct fault *fault)
{
	const struct dma_fault *row = (const struct dma_fault *)fault;

	return row->trust && strstr(row->trust, "release");
}

static void dma_before_reset(const struct fault *fault)
{
	if (needs_release(fault))
		set(&calm[1]);
}

static void dma_after_reset(const struct fault *fault)
{
	if (needs_release(fault))
		set(&((const struct dma_fault *)fault)->set[0]);
}

static long long dma_copied(void)
{
	return mo_number(SIM_DMA "/copied_descriptors");
}

static bool dma_behaved(void)
{
	return !mo_number(SIM_DMA "/wild_writes");
}

bool fault_dma_there(void)
{
	return mo_exists(SIM_DMA) && mo_exists(MO_SYSFS "/engines/" ENGINE);
}

const struct controller fault_dma = {
	.engine = ENGINE,
	.row = dma_row,
	.bind = dma_bind,
	.inject = dma_inject,
	.happened = dma_happened,
	.stop = dma_stop,
	.removed = dma_removed,
	.before_reset = dma_before_reset,
	.after_reset = dma_after_reset,
	.copied = dma_copied,
	.behaved = dma_behaved,
};
