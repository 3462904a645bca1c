// SPDX-License-Identifier: GPL-2.0
/*
 * The fault matrix's rows for Intel DSA: dsa0, a model. Behind an IOMMU it is cut
 * off from what it may still be at, and the IOMMU says when it was; without one
 * this is held back.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "mo_dsa.h"

#define ENGINE		"dsa0"
#define DRIVERS		MO_DSA_BUS "/drivers"

/* Each page is a copy, and the batch is a list of them. */
#define LISTS		"-x 4096"

enum how {
	NOTHING,
	INJECT,
	HALT,			/* it wants a reset of the function */
	FUNCTION_RESET,
	DISABLE_QUEUE,
	DISABLE_DEVICE,
};

struct dsa_fault {
	struct fault fault;
	enum how how;
	enum mo_dsa_fault inject;
	__u32 arg;		/* status of what fails */
	unsigned int times;
	const char *options;	/* of migrate-offload-dsa.sh */
	unsigned int late_ms;
	unsigned int latency_us;
};

static const struct dsa_fault rows[] = {
	{ { "hardware error", .errors = true }, INJECT, MO_DSA_ERROR, 0x20, 3 },
	{ { "error in a list", .errors = true }, INJECT, MO_DSA_ERROR, 0x20, 3,
	  LISTS },
	{ { "page fault", .errors = true }, INJECT, MO_DSA_PARTIAL, 0, 3 },
	{ { "fault in a list", .errors = true }, INJECT, MO_DSA_PARTIAL, 0, 3,
	  LISTS },
	{ { "list not read", .errors = true }, INJECT, MO_DSA_OUTER, 0x06, 3,
	  LISTS },
	{ { "bad handle", .errors = true }, INJECT, MO_DSA_ERROR, 0x19, 3 },
	{ { "bad opcode", .errors = true }, INJECT, MO_DSA_ERROR, 0x10, 3 },
	{ { "unknown status", .errors = true }, INJECT, MO_DSA_ERROR, 0x6e, 3 },
	{ { "lost interrupt", .dies = true }, INJECT, MO_DSA_SILENT, 0, 1 },
	{ { "lost descriptor", .dies = true }, INJECT, MO_DSA_LOSE, 0, 1 },
	{ { "late", .dies = true }, INJECT, MO_DSA_DELAY, 0, 1,
	  .late_ms = 1500 },
	{ { "late list", .dies = true }, INJECT, MO_DSA_DELAY, 0, 1, LISTS,
	  .late_ms = 1500 },
	{ { "hang", .dies = true }, INJECT, MO_DSA_HANG, 0, 1 },
	{ { "queue disabled", .dies = true, .removes = true }, DISABLE_QUEUE,
	  .latency_us = 20000 },
	{ { "device disabled", .dies = true, .removes = true }, DISABLE_DEVICE,
	  .latency_us = 20000 },
	{ { "halt", .dies = true, .removes = true }, HALT, .latency_us = 20000 },
	{ { "function reset", .dies = true, .removes = true }, FUNCTION_RESET,
	  .latency_us = 20000 },
	{ { "short queue", .none = true }, .options = "-s 2 -b 2" },
	{ { "no lists", .none = true }, .options = "-b 1" },
	{ { "eight queues", .none = true }, .options = "-q 8" },
	{ { "slow", .none = true }, .latency_us = 5000 },
};

static const struct fault *dsa_row(unsigned int nr)
{
	return nr < ARRAY_SIZE(rows) ? &rows[nr].fault : NULL;
}

static const struct dsa_fault *of(const struct fault *fault)
{
	return (const struct dsa_fault *)fault;
}

/* Gone, whatever has become of it, and with it the engine. */
static bool off(const struct fault *fault)
{
	enum how how = fault ? of(fault)->how : NOTHING;
	bool good = true;

	/* Or else, without an IOMMU, what it has is held, and its removal. */
	if (how == HALT)
		good &= !mo_write("1", "%s/reset", mo_dsa_pci(0));
	good &= !mo_dsa_stop(0) && !mo_exists(MO_SYSFS "/engines/" ENGINE);
	/* Its driver does not know what has happened, nor how to go on. */
	if (how == HALT || how == FUNCTION_RESET)
		good &= mo_dsa_rebind(0);
	return good;
}

static bool dsa_bind(const struct fault *fault)
{
	bool good = true;
	int err;

	mo_dsa_calm(0);
	MO_EXPECT(off(fault), "it is still there");
	mo_dsa_set(0, MO_DSA_LATE_MS, fault ? of(fault)->late_ms : 0);
	err = mo_dsa_start(0, fault ? of(fault)->options : NULL);
	MO_EXPECT(!err, "%d", err);
	MO_EXPECT(mo_engine_comes(ENGINE, "online", MARGIN_MS), "it is not");
	mo_dsa_set(0, MO_DSA_LATENCY_US, fault ? of(fault)->latency_us : 0);
	return good;
}

static pid_t child;

/* While it has something to do. */
static void soon(enum how how)
{
	child = fork();
	if (child)
		return;
	mo_sleep_ms(10);
	switch (how) {
	case DISABLE_QUEUE:
		mo_write("wq0.0", DRIVERS "/migrate_offload/unbind");
		break;
	case DISABLE_DEVICE:
		mo_write("dsa0", DRIVERS "/idxd/unbind");
		break;
	case HALT:
		mo_dsa_set(0, MO_DSA_ACTION, MO_DSA_HALT_FLR);
		break;
	case FUNCTION_RESET:
		mo_write("1", "%s/reset", mo_dsa_pci(0));
		break;
	default:
		break;
	}
	_exit(0);
}

static void dsa_inject(const struct fault *fault)
{
	const struct dsa_fault *row = of(fault);

	if (row->how == INJECT)
		mo_dsa_inject(0, row->inject, row->arg, row->times);
	else if (row->how != NOTHING)
		soon(row->how);
}

static bool dsa_removed(const struct fault *fault)
{
	int ms, status;

	for (ms = 0; ms < MARGIN_MS; ms += 10) {
		/* Once, or not any more. */
		if (waitpid(child, &status, WNOHANG))
			return true;
		mo_sleep_ms(10);
	}
	return false;
}

static bool dsa_happened(const struct fault *fault)
{
	const struct dsa_fault *row = of(fault);

	switch (row->how) {
	case INJECT:
		return mo_dsa_get(0, MO_DSA_COUNT) < row->times;
	case HALT:
		return dsa_removed(fault) &&
		       mo_dsa_get(0, MO_DSA_STATE) == MO_DSA_HALTED;
	case FUNCTION_RESET:
		return dsa_removed(fault) &&
		       mo_dsa_get(0, MO_DSA_STATE) == MO_DSA_DISABLED;
	case DISABLE_QUEUE:
	case DISABLE_DEVICE:
		return dsa_removed(fault) &&
		       !mo_exists(MO_SYSFS "/engines/" ENGINE);
	default:
		return true;
	}
}

static bool behind_iommu(void)
{
	return mo_exists("%s/iommu_group", mo_dsa_pci(0));
}

/* Without an IOMMU what it hangs on is held, until it does not any more. */
static void dsa_stop(void)
{
	mo_dsa_inject(0, MO_DSA_NO_FAULT, 0, 0);
	if (!behind_iommu() && mo_dsa_get(0, MO_DSA_HELD))
		mo_dsa_set(0, MO_DSA_ACTION, MO_DSA_RELEASE);
}

/* Whatever hangs is hanging no more, or the engine cannot be reset. */
static void dsa_before_reset(const struct fault *fault)
{
	unsigned int late = mo_dsa_get(0, MO_DSA_LATE);
	int ms;

	if (!mo_dsa_get(0, MO_DSA_HELD))
		return;
	mo_dsa_set(0, MO_DSA_ACTION, MO_DSA_RELEASE);
	for (ms = 0; ms < MARGIN_MS && mo_dsa_get(0, MO_DSA_LATE) == late; ms += 10)
		mo_sleep_ms(10);
}

static void dsa_after_reset(const struct fault *fault)
{
}

static long long dsa_copied(void)
{
	return mo_dsa_get(0, MO_DSA_COPIES);
}

/* The bytes tell; and what it did later was refused, where it can be. */
static bool dsa_behaved(void)
{
	return !behind_iommu() ||
	       mo_dsa_get(0, MO_DSA_REFUSED) >= mo_dsa_get(0, MO_DSA_LATE);
}

bool fault_dsa_there(void)
{
	return mo_dsa_there(0) && mo_exists(MO_SYSFS "/engines/" ENGINE);
}

const struct controller fault_dsa = {
	.engine = ENGINE,
	.row = dsa_row,
	.bind = dsa_bind,
	.inject = dsa_inject,
	.happened = dsa_happened,
	.stop = dsa_stop,
	.removed = dsa_removed,
	.before_reset = dsa_before_reset,
	.after_reset = dsa_after_reset,
	.copied = dsa_copied,
	.behaved = dsa_behaved,
};
