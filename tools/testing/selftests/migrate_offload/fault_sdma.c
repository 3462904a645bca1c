// SPDX-License-Identifier: GPL-2.0
/* The fault matrix's rows for the simulated SDMA of a GPU: sdma0. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define ENGINE		"sdma0"
#define SIM_SDMA	"/sys/kernel/debug/migrate_offload_sim_sdma/0"
#define PROVIDER	"migrate-offload-sim-sdma"
#define PROVIDER_DRV	"/sys/bus/platform/drivers/" PROVIDER
#define DEVICE		"migrate_sim_sdma.sdma_copy.0"
#define ENGINE_DRV	"/sys/bus/auxiliary/drivers/migrate_engine_amd_sdma.engine"
#define COMPARE		"/sys/module/migrate_engine_amd_sdma/parameters/compare"

/* A setting of the GPU. */
struct setting {
	const char *name;
	unsigned long value;
};

struct sdma_fault {
	struct fault fault;
	const char *inject;		/* what of the SDMA's faults */
	unsigned int percent;
	struct setting set[4];
	struct setting now;		/* for as long as it copies */
	const char *during;		/* what happens to the GPU meanwhile */
	const char *after;		/* and what then */
	bool at_bind;			/* @inject: the test of it has that, too */
	bool believed;			/* and not compared */
	bool unbind;			/* the engine, meanwhile */
	bool holds;			/* until then, it keeps what it has */
	bool revives;			/* the engine comes back by itself */
};

/* There are few jobs, so it is nearly each of them. */
static const struct sdma_fault rows[] = {
	{ { "SDMA, error", .errors = true }, "error", 99 },
	{ { "SDMA, wrong bytes", .errors = true }, "lie", 99 },
	{ { "SDMA, is stuck", .dies = true }, "error", 100,
	  .set = { { "stuck_ms", 1500 } } },
	{ { "SDMA, slots busy", .errors = true }, "busy", 99 },
	{ { "SDMA, refuses", .errors = true }, "again", 99 },
	{ { "SDMA, asleep" }, .now = { "asleep", 1 } },
	{ { "SDMA, cancelled", .dies = true, .writes = true }, "cancel", 100,
	  .set = { { "late_ms", 1500 } } },
	{ { "SDMA, late", .dies = true }, "late", 100,
	  .set = { { "late_ms", 1500 } } },
	{ { "SDMA, lost fence", .dies = true }, "lose", 100,
	  .set = { { "tdr_ms", 1000 } }, .revives = true },
	{ { "SDMA, hang", .dies = true }, "hang", 100,
	  .set = { { "tdr_ms", 1000 } }, .revives = true },
	{ { "SDMA, hang, writes", .dies = true, .writes = true }, "hang", 100,
	  .set = { { "tdr_ms", 1000 }, { "reset_writes", 1 },
		   { "reset_ms", 300 } }, .revives = true },
	{ { "SDMA, no reset", .dies = true }, "hang", 100,
	  .set = { { "tdr_ms", 0 } }, .after = "reset", .holds = true,
	  .revives = true },
	{ { "SDMA, reset fails", .dies = true }, "hang", 100,
	  .set = { { "tdr_ms", 1000 } }, .now = { "reset_fails", 1 },
	  .after = "reset", .holds = true, .revives = true },
	{ { "SDMA, reset", .dies = true },
	  .set = { { "latency_us", 100000 }, { "reset_ms", 200 } },
	  .during = "reset", .revives = true },
	{ { "SDMA, suspend", .dies = true }, .set = { { "latency_us", 100000 } },
	  .during = "suspend", .after = "resume", .revives = true },
	{ { "SDMA, reset, stuck", .dies = true },
	  .set = { { "latency_us", 100000 }, { "reset_ms", 200 },
		   { "stuck_ms", 3000 } }, .during = "reset", .revives = true },
	{ { "SDMA, suspend, hang", .dies = true }, "hang", 100,
	  .set = { { "tdr_ms", 1000 } }, .during = "suspend",
	  .after = "resume", .revives = true },
	{ { "SDMA, all hang", .dies = true }, "hang", 99,
	  .set = { { "tdr_ms", 1000 } }, .revives = true },
	{ { "SDMA, hangs at bind", .dies = true }, "hang", 100,
	  .set = { { "tdr_ms", 0 } }, .at_bind = true, .after = "reset",
	  .revives = true },
	{ { "SDMA, removal", .dies = true, .removes = true },
	  .set = { { "latency_us", 100000 } }, .during = "remove" },
	{ { "SDMA, removal, hang", .dies = true, .removes = true }, "hang", 100,
	  .set = { { "tdr_ms", 0 } }, .during = "remove" },
	{ { "SDMA, unbound", .dies = true, .removes = true },
	  .set = { { "latency_us", 100000 } }, .unbind = true },
	{ { "SDMA, unbound, hang", .dies = true, .removes = true }, "hang", 100,
	  .set = { { "tdr_ms", 1000 } }, .unbind = true },
	{ { "SDMA, believed", .none = true }, .believed = true },
	{ { "SDMA 5", .none = true }, .set = { { "version", 5 } } },
	{ { "SDMA 6", .none = true }, .set = { { "version", 6 } } },
	{ { "SDMA 7", .none = true }, .set = { { "version", 7 } } },
};

static const struct setting calm[] = {
	{ "late_ms", 2000 }, { "stuck_ms", 20 }, { "latency_us", 0 },
	{ "tdr_ms", 2000 }, { "reset_ms", 100 }, { "reset_fails", 0 },
	{ "reset_writes", 0 }, { "asleep", 0 }, { "version", 4 },
};

static const char * const inject_names[] = {
	"error", "lie", "cancel", "late", "lose", "hang", "busy", "again",
};

/* What must not be, whatever the row. */
static const char * const never[] = {
	"wild_writes", "vm_faults", "bad_packets",
};

static const struct sdma_fault *current;	/* that has been injected */
static pid_t poking;
static bool held;
static long long late, resets;

static void set(const char *name, unsigned long value)
{
	char text[16];
	int err;

	sprintf(text, "%lu", value);
	err = mo_write(text, SIM_SDMA "/%s", name);
	if (err)
		ksft_exit_fail_msg("%s: %s\n", name, strerror(-err));
}

static void draw(const char *name, unsigned int percent, int times)
{
	char value[16];

	sprintf(value, "%d", times);
	mo_write(value, SIM_SDMA "/%s/times", name);
	sprintf(value, "%u", percent);
	if (mo_write(value, SIM_SDMA "/%s/probability", name))
		ksft_exit_fail_msg("the SDMA has no fault %s\n", name);
}

static bool has_driver(void)
{
	return mo_exists(PROVIDER_DRV "/" PROVIDER ".0");
}

/* Out of service, and nothing given back, for as long as nothing is done. */
static bool is_held(void)
{
	bool good = true;

	MO_EXPECT(mo_engine_is(ENGINE, "failed"), "it is not");
	mo_sleep_ms(1500);
	MO_EXPECT(mo_engine_is(ENGINE, "failed"), "it is not");
	MO_EXPECT(mo_engine_stat(ENGINE, "quarantined_pages") > 0, "%lld",
		  mo_engine_stat(ENGINE, "quarantined_pages"));
	return good;
}

static void sdma_stop(void)
{
	const struct sdma_fault *row = current;
	unsigned int i;
	int status;

	current = NULL;
	for (i = 0; i < ARRAY_SIZE(inject_names); i++)
		draw(inject_names[i], 0, -1);
	if (poking > 0)
		waitpid(poking, &status, 0);
	poking = 0;
	if (!row)
		return;
	if (row->holds)
		held &= is_held();
	if (row->now.name)
		set(row->now.name, 0);
	if (row->after)
		set(row->after, 1);
}

/* Unbind the GPU, and with it the engine, and have both come back. */
static bool sdma_bind(const struct fault *fault)
{
	const struct sdma_fault *row = (const struct sdma_fault *)fault;
	const struct setting *setting;
	unsigned int i;
	bool good = true;
	int err;

	held = true;
	err = has_driver() ? mo_write(PROVIDER ".0", PROVIDER_DRV "/unbind") : 0;
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(!mo_exists(MO_SYSFS "/engines/" ENGINE), "it is still there");
	for (i = 0; i < ARRAY_SIZE(calm); i++)
		set(calm[i].name, calm[i].value);
	for (setting = row ? row->set : NULL; setting && setting->name;
	     setting++)
		set(setting->name, setting->value);
	mo_write(row && row->believed ? "N" : "Y", COMPARE);
	if (row && row->at_bind)
		draw(row->inject, row->percent, 1);
	err = mo_write(PROVIDER ".0", PROVIDER_DRV "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_comes(ENGINE, row && row->at_bind ? "failed" :
				  "online", MARGIN_MS), "it is not");
	return good;
}

static const struct fault *sdma_row(unsigned int nr)
{
	return nr < ARRAY_SIZE(rows) ? &rows[nr].fault : NULL;
}

static int times(const struct sdma_fault *row)
{
	return row->percent == 100 ? 1 : 1000;
}

static bool is_drawn(const struct sdma_fault *row)
{
	return mo_number(SIM_SDMA "/%s/times", row->inject) < times(row);
}

/* While there are jobs; and when they have what they are to have. */
static pid_t poke_soon(const struct sdma_fault *row)
{
	pid_t child = fork();
	int ms;

	if (child)
		return child;
	for (ms = 0; ms < 2000; ms++) {
		if (row->inject ? is_drawn(row) :
				  mo_engine_stat(ENGINE, "inflight") > 0)
			break;
		mo_sleep_ms(1);
	}
	mo_sleep_ms(5);
	if (row->unbind)
		mo_write(DEVICE, ENGINE_DRV "/unbind");
	else
		mo_write("1", SIM_SDMA "/%s", row->during);
	_exit(0);
}

static void sdma_inject(const struct fault *fault)
{
	const struct sdma_fault *row = (const struct sdma_fault *)fault;

	current = row;
	late = mo_number(SIM_SDMA "/late_writes");
	resets = mo_number(SIM_SDMA "/resets");
	if (row->now.name)
		set(row->now.name, row->now.value);
	if (row->inject && !row->at_bind)
		draw(row->inject, row->percent, times(row));
	if (row->during || row->unbind)
		poking = poke_soon(row);
}

static bool has_happened(const struct sdma_fault *row)
{
	if (row->during && !strcmp(row->during, "reset"))
		return mo_number(SIM_SDMA "/resets") > resets;
	/* The engine was seen to fail by what it had at bind. */
	return !row->inject || row->at_bind || is_drawn(row);
}

/* Or does so soon: its threads may be late, and who pokes it. */
static bool sdma_happened(const struct fault *fault)
{
	const struct sdma_fault *row = (const struct sdma_fault *)fault;
	int ms;

	for (ms = 0; ms < MARGIN_MS && !has_happened(row); ms += 10)
		mo_sleep_ms(10);
	return ms < MARGIN_MS;
}

static bool sdma_removed(const struct fault *fault)
{
	const struct sdma_fault *row = (const struct sdma_fault *)fault;
	int ms;

	for (ms = 0; ms < MARGIN_MS; ms += 10) {
		/* Its link goes first. */
		if ((row->unbind || !has_driver()) &&
		    !mo_exists(MO_SYSFS "/engines/" ENGINE))
			return true;
		mo_sleep_ms(10);
	}
	return false;
}

/* A reset of the GPU is all that some need. */
static void sdma_before_reset(const struct fault *fault)
{
	if (((const struct sdma_fault *)fault)->revives)
		held &= mo_engine_comes(ENGINE, "online", MARGIN_MS);
}

static void sdma_after_reset(const struct fault *fault)
{
}

static long long sdma_copied(void)
{
	return mo_number(SIM_SDMA "/copied_jobs");
}

static bool sdma_written(const struct fault *fault)
{
	int ms;

	for (ms = 0; ms < MARGIN_MS; ms += 10) {
		if (mo_number(SIM_SDMA "/late_writes") > late)
			break;
		mo_sleep_ms(10);
	}
	/* It is counted before it writes. */
	mo_sleep_ms(100);
	return ms < MARGIN_MS;
}

/* It is not only said to be online: it copies. */
static bool is_used(void)
{
	long long folios = mo_engine_stat(ENGINE, "folios");
	struct mo_mem mem;
	bool good = true;
	int ms;

	for (ms = 0; ms < MARGIN_MS; ms += 100) {
		if (mo_alloc(&mem, MO_ANON, 16, mo_nodes[0]))
			return false;
		mo_move(&mem, mo_nodes[1]);
		good &= !mo_bad_bytes(&mem);
		mo_free(&mem);
		if (!good || mo_engine_stat(ENGINE, "folios") > folios)
			return good;
		mo_sleep_ms(100);
	}
	return false;
}

static bool sdma_behaved(void)
{
	bool good = held;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(never); i++)
		MO_EXPECT(!mo_number(SIM_SDMA "/%s", never[i]), "%s: %lld",
			  never[i], mo_number(SIM_SDMA "/%s", never[i]));
	MO_EXPECT(is_used(), "it copies nothing, or wrong");
	return good;
}

bool fault_sdma_there(void)
{
	return mo_exists(SIM_SDMA) && mo_exists(MO_SYSFS "/engines/" ENGINE);
}

const struct controller fault_sdma = {
	.engine = ENGINE,
	.row = sdma_row,
	.bind = sdma_bind,
	.inject = sdma_inject,
	.happened = sdma_happened,
	.stop = sdma_stop,
	.removed = sdma_removed,
	.before_reset = sdma_before_reset,
	.after_reset = sdma_after_reset,
	.written = sdma_written,
	.copied = sdma_copied,
	.behaved = sdma_behaved,
};
