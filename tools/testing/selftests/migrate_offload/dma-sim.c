// SPDX-License-Identifier: GPL-2.0
/*
 * What engines on DMAengine channels make of what a controller says of itself,
 * and when they let go of memory. With simulated DMA controllers, dma0 and dma1;
 * their faults are for fault-matrix.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mo_util.h"

#define ENGINE		"dma0"
#define ENGINE_SYSFS	MO_SYSFS "/engines/" ENGINE
#define SIM_DMA		"/sys/kernel/debug/migrate_offload_sim_dma/0"
#define TRUST		"/sys/module/migrate_engine_dmaengine/parameters/trust"
#define PROVIDER	"migrate-offload-sim-dma"
#define PROVIDER_DRV	"/sys/bus/platform/drivers/" PROVIDER
#define CONSUMER_DRV	"/sys/bus/auxiliary/drivers/migrate_engine_dmaengine.engine"
#define TRACING		"/sys/kernel/tracing"
#define MARGIN_MS	20000

static int from, to;

static bool bind_anew(const char *setting, const char *value, const char *trust)
{
	static const char * const usual[][2] = {
		{ "copy_align", "0" }, { "mask_bits", "64" }, { "max_seg", "0" },
		{ "terminate", "0" }, { "depth", "64" }, { "coalesce", "N" },
	};
	bool good = true;
	unsigned int i;
	int err;

	err = mo_write(PROVIDER ".0", PROVIDER_DRV "/unbind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(!mo_exists(ENGINE_SYSFS), "it is still there");
	for (i = 0; i < ARRAY_SIZE(usual); i++)
		mo_write(usual[i][1], SIM_DMA "/%s", usual[i][0]);
	if (setting)
		mo_write(value, SIM_DMA "/%s", setting);
	err = mo_write(trust, TRUST);
	MO_EXPECT(!err, "%s", strerror(-err));
	err = mo_write(PROVIDER ".0", PROVIDER_DRV "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_comes(ENGINE, "online", MARGIN_MS), "it is not");
	return good;
}

/* Move new memory; all its bytes must be right, wherever it is. */
static bool move(enum mo_kind kind, unsigned int nr, struct mo_counts *n)
{
	struct mo_counts before = mo_counts();
	struct mo_mem mem;
	bool good = true;
	size_t bad;
	int err;

	err = mo_alloc(&mem, kind, nr, from);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));
	close(open(SIM_DMA "/log", O_WRONLY | O_TRUNC));
	mo_write("0", SIM_DMA "/log");
	err = mo_move(&mem, to);
	MO_EXPECT(err >= 0, "%s", strerror(-err));
	bad = mo_bad_bytes(&mem);
	MO_EXPECT(!bad, "%zu", bad);
	*n = mo_counts_since(&before);
	good &= mo_adds_up();
	mo_free(&mem);
	return good;
}

/* Of what the controller wrote: bytes by channel, the last late write. */
static void read_log(long long bytes[8], unsigned long long *late_ns)
{
	FILE *log = fopen(SIM_DMA "/log", "r");
	unsigned long long ns;
	unsigned int channel;
	char line[256];
	size_t len;

	memset(bytes, 0, 8 * sizeof(*bytes));
	*late_ns = 0;
	while (log && fgets(line, sizeof(line), log)) {
		if (sscanf(line, "%llu channel %u dma %*s phys %*s len %zu", &ns,
			   &channel, &len) != 3 || channel >= 8)
			continue;
		bytes[channel] += len;
		if (strstr(line, " late") && ns > *late_ns)
			*late_ns = ns;
	}
	if (log)
		fclose(log);
}

/* One folio of 2 MiB, a quarter for each channel. */
static bool test_spread(void)
{
	unsigned long long late;
	long long bytes[8];
	struct mo_counts n;
	bool good = true;
	int i;

	good &= move(MO_THP, 1, &n);
	MO_EXPECT(n.engine == 1, "%lld", n.engine);
	read_log(bytes, &late);
	for (i = 0; i < 4; i++)
		MO_EXPECT(bytes[i] == MO_2M / 4, "channel %d: %lld", i, bytes[i]);
	return good;
}

/* Move @mem to and fro, @rounds times; all its bytes must be right. */
static bool to_and_fro(struct mo_mem *mem, unsigned int rounds)
{
	bool good = true;
	size_t bad;
	int err;

	while (rounds--) {
		mo_fill(mem);
		err = mo_move(mem, mo_folios_on(mem, from) ? to : from);
		MO_EXPECT(err >= 0, "%s", strerror(-err));
		bad = mo_bad_bytes(mem);
		MO_EXPECT(!bad, "%zu", bad);
	}
	return good;
}

/* The channel's part of what the others had on average, in percent. */
static long long part_of(unsigned int channel, struct mo_mem *mem,
			 unsigned int rounds, bool *good)
{
	long long bytes[8], others = 0;
	unsigned long long late;
	unsigned int i;

	mo_write("0", SIM_DMA "/log");
	*good &= to_and_fro(mem, rounds);
	read_log(bytes, &late);
	for (i = 0; i < 4; i++)
		others += i == channel ? 0 : bytes[i];
	return others ? 300 * bytes[channel] / others : -1;
}

/*
 * A channel that takes eight times as long gets about an eighth, and its share
 * again when it is as fast as the others.
 */
static bool test_slow_channel(void)
{
	static const unsigned int slow = 2;
	struct mo_counts before = mo_counts(), n;
	bool good = bind_anew(NULL, NULL, PROVIDER ":errors:terminate");
	long long part, speed, others;
	unsigned int rounds = 8 + 40 + 6;
	struct mo_mem mem;
	int i;

	if (mo_alloc(&mem, MO_THP, 1, from))
		ksft_exit_fail_msg("no memory\n");
	/* 20 ms for a channel, so that it is not the CPU that counts. */
	mo_write("25", SIM_DMA "/bandwidth_mb");
	good &= to_and_fro(&mem, 8);
	mo_write("2", SIM_DMA "/slow_channel");
	mo_write("8", SIM_DMA "/slow_times");
	good &= to_and_fro(&mem, 40);
	part = part_of(slow, &mem, 6, &good);
	MO_EXPECT(part >= 0 && part <= 25, "%lld %%", part);
	speed = mo_number(ENGINE_SYSFS "/channels/speed%u", slow);
	others = mo_number(ENGINE_SYSFS "/channels/speed0");
	MO_EXPECT(speed > 0 && speed * 4 < others, "%lld, %lld", speed, others);

	mo_write("0", SIM_DMA "/slow_times");
	for (i = 0; i < 60 && part < 75; i++) {
		part = part_of(slow, &mem, 2, &good);
		rounds += 2;
	}
	MO_EXPECT(part >= 75, "%lld %% after %d rounds", part, 2 * i);
	mo_write("0", SIM_DMA "/bandwidth_mb");
	MO_EXPECT(!mo_number(ENGINE_SYSFS "/channels/queued%u", slow), "%lld",
		  mo_number(ENGINE_SYSFS "/channels/queued%u", slow));
	n = mo_counts_since(&before);
	MO_EXPECT(n.engine == rounds, "%lld of %u", n.engine, rounds);
	good &= mo_adds_up();
	mo_free(&mem);
	return good;
}

/* Pages that follow each other become long copies. */
static bool test_joined(void)
{
	long long copies = mo_number(SIM_DMA "/copied_descriptors");
	struct mo_counts n;
	bool good = true;

	good &= move(MO_THP, 4, &n);
	copies = mo_number(SIM_DMA "/copied_descriptors") - copies;
	MO_EXPECT(n.engine == 4, "%lld", n.engine);
	MO_EXPECT(copies <= 16, "%lld", copies);
	return good;
}

static bool test_max_seg(void)
{
	struct mo_counts n;
	bool good = bind_anew("max_seg", "8192", "\n");
	long long copies = mo_number(SIM_DMA "/copied_descriptors");

	good &= move(MO_THP, 1, &n);
	copies = mo_number(SIM_DMA "/copied_descriptors") - copies;
	MO_EXPECT(n.engine == 1, "%lld", n.engine);
	MO_EXPECT(copies == MO_2M / 8192, "%lld", copies);
	return good;
}

static bool test_copy_align(void)
{
	long long refused = mo_refused("limits");
	struct mo_counts n;
	bool good = bind_anew("copy_align", "16384", "\n");

	good &= move(MO_ANON, 32, &n);
	MO_EXPECT(!n.engine, "%lld", n.engine);
	MO_EXPECT(mo_refused("limits") - refused == 32, "%lld",
		  mo_refused("limits") - refused);
	good &= move(MO_THP, 1, &n);
	MO_EXPECT(n.engine == 1, "%lld", n.engine);
	return good;
}

/* The last node is above 4 GiB. What cannot be reached is not bounced. */
static bool test_mask(void)
{
	long long refused = mo_refused("limits");
	int last = mo_nodes[mo_nr_nodes - 1];
	struct mo_counts n;
	bool good = bind_anew("mask_bits", "32", "\n");

	good &= move(MO_ANON, 64, &n);
	MO_EXPECT(n.engine == 64, "%lld", n.engine);
	from = last;
	good &= move(MO_ANON, 64, &n);
	from = mo_nodes[0];
	refused = mo_refused("limits") - refused;
	MO_EXPECT(refused == 64 && !n.engine, "%lld, %lld", refused, n.engine);
	return good;
}

/* More than the rings hold, and nobody to copy what does not fit. */
static bool test_ring(void)
{
	struct mo_counts n;
	bool good = bind_anew("depth", "1", "\n");

	good &= move(MO_ANON, 512, &n);
	MO_EXPECT(n.engine == 512, "%lld", n.engine);
	return good;
}

/* Where descriptors complete in order, not each has an interrupt. */
static bool test_coalesce(void)
{
	struct mo_counts n;
	bool good = bind_anew("coalesce", "Y",
			      PROVIDER ":errors:ordered:terminate");
	long long copies = mo_number(SIM_DMA "/copied_descriptors");
	long long interrupts = mo_number(SIM_DMA "/interrupts");
	int i;

	for (i = 0; i < 4; i++) {
		good &= move(MO_ANON, 512, &n);
		MO_EXPECT(n.engine == 512, "%lld", n.engine);
	}
	copies = mo_number(SIM_DMA "/copied_descriptors") - copies;
	interrupts = mo_number(SIM_DMA "/interrupts") - interrupts;
	MO_EXPECT(interrupts > 0 && interrupts * 2 < copies, "%lld for %lld",
		  interrupts, copies);
	return good;
}

static bool test_trust(void)
{
	static const char * const bad[] = {
		"idxd", "a:b", "a,,b", ":errors", "a:errors:",
	};
	char was[64], now[64];
	bool good = true;
	unsigned int i;
	int err;

	mo_write("x:errors", TRUST);
	mo_read(was, sizeof(was), TRUST);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		err = mo_write(bad[i], TRUST);
		MO_EXPECT(err == -EINVAL, "%s: %d", bad[i], err);
		mo_read(now, sizeof(now), TRUST);
		MO_EXPECT(!strcmp(was, now), "%s", now);
	}
	mo_write("\n", TRUST);
	return good;
}

/* The engine alone is unbound: the controller is there for others. */
static bool test_unbind_engine(void)
{
	static const char device[] = "migrate_engine_dmaengine.engine.0";
	struct mo_counts n;
	bool good = true;
	int err;

	err = mo_write(device, CONSUMER_DRV "/unbind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(!mo_exists(ENGINE_SYSFS), "it is still there");
	MO_EXPECT(mo_number("/sys/class/dma/dma0chan0/in_use") == 0, "it is in use");
	err = mo_write(device, CONSUMER_DRV "/bind");
	MO_EXPECT(!err, "%s", strerror(-err));
	MO_EXPECT(mo_engine_comes(ENGINE, "online", MARGIN_MS), "it is not");
	good &= move(MO_ANON, 32, &n);
	MO_EXPECT(n.engine == 32, "%lld", n.engine);
	return good;
}

/* When were pages let go? In ns, of the last event of its kind; 0 for never. */
static unsigned long long released_ns(void)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	unsigned long long ns = 0;
	char line[512], *at;
	double seconds;

	while (trace && fgets(line, sizeof(line), trace)) {
		at = strstr(line, ": migrate_offload_release:");
		if (!at)
			continue;
		while (at > line && at[-1] != ' ')
			at--;
		if (sscanf(at, "%lf", &seconds) == 1)
			ns = seconds * 1e9;
	}
	if (trace)
		fclose(trace);
	return ns;
}

/*
 * A controller that cannot be stopped writes long after the deadline. Its log
 * and the trace have the same clock: no page is let go before it has written.
 */
static bool test_late(void)
{
	unsigned long long late = 0, released = 0;
	bool good = bind_anew("terminate", "1", PROVIDER ":errors");
	long long bytes[8];
	struct mo_counts n;
	int ms;

	mo_write("300", ENGINE_SYSFS "/timeout_ms");
	mo_write("1500", SIM_DMA "/late_ms");
	mo_write("mono", TRACING "/trace_clock");
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC));
	mo_write("1", TRACING "/events/migrate_offload/migrate_offload_release/enable");
	mo_write("1", SIM_DMA "/late/times");
	mo_write("100", SIM_DMA "/late/probability");
	good &= move(MO_ANON, 64, &n);
	mo_write("0", SIM_DMA "/late/probability");
	MO_EXPECT(n.quarantined > 0, "%lld", n.quarantined);
	MO_EXPECT(mo_engine_is(ENGINE, "failed"), "it is not");
	for (ms = 0; ms < MARGIN_MS && !released; ms += 50) {
		mo_sleep_ms(50);
		released = released_ns();
	}
	read_log(bytes, &late);
	mo_write("0", TRACING "/events/migrate_offload/migrate_offload_release/enable");
	mo_write("local", TRACING "/trace_clock");
	MO_EXPECT(late, "no late write in the log");
	/* The trace has microseconds. */
	MO_EXPECT(released + 1000 >= late, "let go at %llu, written at %llu",
		  released, late);
	MO_EXPECT(mo_number(SIM_DMA "/wild_writes") == 0, "%lld",
		  mo_number(SIM_DMA "/wild_writes"));
	MO_EXPECT(!mo_write("1", ENGINE_SYSFS "/reset"), "it cannot be reset");
	MO_EXPECT(mo_engine_is(ENGINE, "online"), "it is not");
	return good;
}

static const struct {
	const char *name;
	bool (*test)(void);
} tests[] = {
	{ "a folio is spread over all channels", test_spread },
	{ "a slow channel gets less", test_slow_channel },
	{ "what is contiguous is joined", test_joined },
	{ "max_segment_size", test_max_seg },
	{ "copy_align", test_copy_align },
	{ "DMA mask", test_mask },
	{ "a ring of one descriptor", test_ring },
	{ "interrupts for some descriptors", test_coalesce },
	{ "bad input to trust", test_trust },
	{ "the engine is unbound, its channels are free", test_unbind_engine },
	{ "no page is let go before the last write", test_late },
};

int main(void)
{
	unsigned int i;

	ksft_print_header();
	mo_find_nodes();
	if (mo_nr_nodes < 3 || !mo_exists(SIM_DMA) || !mo_exists(ENGINE_SYSFS))
		ksft_exit_skip("needs three nodes, and dma0 on simulated DMA controllers\n");
	from = mo_nodes[0];
	to = mo_nodes[1];
	mo_policy(ENGINE);
	mo_enable(true);
	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ksft_test_result(tests[i].test(), "%s\n", tests[i].name);
	bind_anew(NULL, NULL, "\n");
	mo_enable(false);
	ksft_finished();
}
