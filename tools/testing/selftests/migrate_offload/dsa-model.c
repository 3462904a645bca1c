// SPDX-License-Identifier: GPL-2.0
/*
 * Is the model of Intel DSA fit to test with? Descriptors, right ones and wrong
 * ones, are written to the portal of a work queue from here, past all drivers,
 * and have to end as the specification says.
 *
 * Addresses are physical ones, so this is for machines without an IOMMU. Nothing
 * else may use dsa0 meanwhile; its driver has enabled the queue.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/idxd.h>

#include "mo_dsa.h"

#define PORTAL		0x1000		/* of queue 0, the limited one */
#define OTHER		(3 << 14 | PORTAL)	/* of queue 3, which is disabled */
#define FLAGS		(IDXD_OP_FLAG_CRAV | IDXD_OP_FLAG_RCR)
#define MAX_XFER	SZ_64K
#define MAX_BATCH	8
#define SZ_64K		0x10000
#define SZ_4K		0x1000

/* Where things are in 2 MiB of contiguous memory. */
#define RECORD		0x0		/* of the descriptor, 32 bytes each */
#define LIST		0x4000
#define SRC		0x20000
#define DST		0x60000

static char *mem;
static __u64 phys;
static volatile char *portals;

static __u64 at(unsigned long offset)
{
	return phys + offset;
}

static volatile struct dsa_completion_record *record(unsigned int nr)
{
	return (void *)(mem + RECORD + nr * 32);
}

static void movdir64b(volatile char *to, const void *from)
{
	asm volatile(".byte 0x66, 0x0f, 0x38, 0xf8, 0x02"
		     : : "a" (to), "d" (from) : "memory");
}

static void submit_to(unsigned long portal, const struct dsa_hw_desc *desc)
{
	struct dsa_hw_desc aligned __attribute__((aligned(64))) = *desc;

	__sync_synchronize();
	movdir64b(portals + portal, &aligned);
}

/* The status, or 0 if it does not come. */
static unsigned int wait_for(unsigned int nr)
{
	int ms;

	for (ms = 0; ms < 2000 && !record(nr)->status; ms++)
		mo_sleep_ms(1);
	return record(nr)->status;
}

static struct dsa_hw_desc desc_of(unsigned int opcode, unsigned int size)
{
	return (struct dsa_hw_desc) {
		.opcode = opcode,
		.flags = FLAGS,
		.completion_addr = at(RECORD),
		.src_addr = at(SRC),
		.dst_addr = at(DST),
		.xfer_size = size,
	};
}

static unsigned int run(const struct dsa_hw_desc *desc)
{
	memset(mem + RECORD, 0, 0x1000);
	submit_to(PORTAL, desc);
	return wait_for(0);
}

/* @desc ends with @status. */
static bool ends(struct dsa_hw_desc desc, unsigned int status)
{
	unsigned int is = run(&desc);
	bool good = true;

	MO_EXPECT(is == status, "%#x, not %#x", is, status);
	return good;
}

static void fill(void)
{
	unsigned int i;

	for (i = 0; i < 0x40000; i++)
		mem[SRC + i] = i * 7 + (i >> 8);
	memset(mem + DST, 0, 0x40000);
}

static bool copies(void)
{
	static const unsigned int sizes[] = { 1, 63, SZ_4K, SZ_4K + 1, SZ_64K };
	bool good = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill();
		good &= ends(desc_of(DSA_OPCODE_MEMMOVE, sizes[i]), DSA_COMP_SUCCESS);
		MO_EXPECT(!memcmp(mem + SRC, mem + DST, sizes[i]), "%u bytes", sizes[i]);
		MO_EXPECT(!mem[DST + sizes[i]] && !mem[DST + sizes[i] + 1],
			  "more than %u bytes", sizes[i]);
		MO_EXPECT(record(0)->bytes_completed == sizes[i], "%u",
			  record(0)->bytes_completed);
	}
	return good;
}

static bool copies_what_overlaps(void)
{
	struct dsa_hw_desc desc = desc_of(DSA_OPCODE_MEMMOVE, SZ_64K - SZ_4K);
	static char want[SZ_64K];
	bool good = true;

	fill();
	memcpy(want, mem + SRC, SZ_64K);
	desc.dst_addr = desc.src_addr + 100;
	good &= ends(desc, DSA_COMP_SUCCESS);
	MO_EXPECT(!memcmp(mem + SRC + 100, want, SZ_64K - SZ_4K), "it differs");
	return good;
}

static bool fills_and_compares(void)
{
	struct dsa_hw_desc desc = desc_of(DSA_OPCODE_MEMFILL, 5000);
	bool good = true;
	unsigned int i;

	fill();
	desc.pattern = 0x1122334455667788;
	good &= ends(desc, DSA_COMP_SUCCESS);
	for (i = 0; i < 5000; i++)
		if (mem[DST + i] != (char)(0x1122334455667788 >> i % 8 * 8))
			break;
	MO_EXPECT(i == 5000 && !mem[DST + 5000], "%u", i);

	memcpy(mem + DST, mem + SRC, SZ_64K);
	good &= ends(desc_of(DSA_OPCODE_COMPARE, SZ_64K), DSA_COMP_SUCCESS);
	MO_EXPECT(record(0)->result == 0, "%u", record(0)->result);
	mem[DST + 10000]++;
	good &= ends(desc_of(DSA_OPCODE_COMPARE, SZ_64K), DSA_COMP_SUCCESS);
	MO_EXPECT(record(0)->result == 1, "%u", record(0)->result);
	MO_EXPECT(record(0)->bytes_completed == 10000, "%u",
		  record(0)->bytes_completed);
	return good;
}

/* Wrong in one respect: refused for that, and nothing is copied. */
static bool refuses(void)
{
	const struct dsa_hw_desc right = desc_of(DSA_OPCODE_MEMMOVE, SZ_4K);
	struct dsa_hw_desc desc;
	bool good = true;

	fill();
#define WRONG(status, ...)						\
do {									\
	desc = right;							\
	__VA_ARGS__;							\
	good &= ends(desc, status);					\
} while (0)
	WRONG(DSA_COMP_BAD_OPCODE, desc.opcode = 0x3f);
	WRONG(DSA_COMP_BAD_OPCODE, desc.opcode = DSA_OPCODE_DUALCAST);
	WRONG(DSA_COMP_INVALID_FLAGS, desc.flags |= 0x40);
	WRONG(DSA_COMP_INVALID_FLAGS, desc.flags |= IDXD_OP_FLAG_FENCE);
	WRONG(DSA_COMP_INVALID_FLAGS, desc.flags |= IDXD_OP_FLAG_BOF);
	WRONG(DSA_COMP_NOZERO_RESERVE, desc.rsvd = 1);
	WRONG(DSA_COMP_NOZERO_RESERVE, desc.rsvd1 = 1);
	WRONG(DSA_COMP_NOZERO_RESERVE, desc.op_specific[23] = 1);
	WRONG(DSA_COMP_NOZERO_RESERVE, desc.int_handle = 1);
	WRONG(DSA_COMP_PRIV_BAD, desc.priv = 1);
	WRONG(DSA_COMP_XFER_ERANGE, desc.xfer_size = 0);
	WRONG(DSA_COMP_XFER_ERANGE, desc.xfer_size = MAX_XFER + 1);
	WRONG(DSA_COMP_INT_HANDLE_INVAL,
	      desc.flags |= IDXD_OP_FLAG_RCI, desc.int_handle = 0);
	WRONG(DSA_COMP_INT_HANDLE_INVAL,
	      desc.flags |= IDXD_OP_FLAG_RCI, desc.int_handle = 9);
	WRONG(DSA_COMP_DESC_CNT_ERANGE, desc.opcode = DSA_OPCODE_BATCH,
	      desc.desc_count = 1);
	WRONG(DSA_COMP_DESC_CNT_ERANGE, desc.opcode = DSA_OPCODE_BATCH,
	      desc.desc_count = MAX_BATCH + 1);
	WRONG(DSA_COMP_DESCLIST_ALIGN, desc.opcode = DSA_OPCODE_BATCH,
	      desc.desc_count = 2, desc.desc_list_addr += 32);
	MO_EXPECT(!mem[DST + 1] && !mem[DST + SZ_4K - 1], "it has copied");
	return good;
}

/* A list of @nr copies of a page each, with records 1 to @nr. */
static struct dsa_hw_desc list_of(unsigned int nr, struct dsa_hw_desc *list)
{
	struct dsa_hw_desc desc = desc_of(DSA_OPCODE_BATCH, nr);
	unsigned int i;

	fill();
	for (i = 0; i < nr; i++) {
		list[i] = desc_of(DSA_OPCODE_MEMMOVE, SZ_4K);
		list[i].src_addr += i * SZ_4K;
		list[i].dst_addr += (nr - 1 - i) * SZ_4K;
		list[i].completion_addr = at(RECORD + (i + 1) * 32);
	}
	desc.desc_list_addr = at(LIST);
	desc.dst_addr = 0;
	return desc;
}

static bool page_copied(unsigned int nr, unsigned int of)
{
	return !memcmp(mem + SRC + nr * SZ_4K, mem + DST + (of - 1 - nr) * SZ_4K,
		       SZ_4K);
}

static bool does_lists(void)
{
	struct dsa_hw_desc *list = (void *)(mem + LIST), desc;
	bool good = true;
	unsigned int i;

	desc = list_of(MAX_BATCH, list);
	good &= ends(desc, DSA_COMP_SUCCESS);
	MO_EXPECT(record(0)->bytes_completed == MAX_BATCH, "%u",
		  record(0)->bytes_completed);
	for (i = 0; i < MAX_BATCH; i++) {
		MO_EXPECT(record(i + 1)->status == DSA_COMP_SUCCESS, "%u: %#x", i,
			  record(i + 1)->status);
		MO_EXPECT(page_copied(i, MAX_BATCH), "%u", i);
	}

	/* One is wrong: the others are not. */
	desc = list_of(MAX_BATCH, list);
	list[3].opcode = 0x3f;
	good &= ends(desc, DSA_COMP_BATCH_FAIL);
	for (i = 0; i < MAX_BATCH; i++)
		MO_EXPECT(page_copied(i, MAX_BATCH) == (i != 3), "%u", i);
	MO_EXPECT(record(4)->status == DSA_COMP_BAD_OPCODE, "%#x",
		  record(4)->status);

	/* But for those behind a fence. */
	desc = list_of(MAX_BATCH, list);
	list[3].opcode = DSA_OPCODE_BATCH;
	list[5].flags |= IDXD_OP_FLAG_FENCE;
	good &= ends(desc, DSA_COMP_BATCH_FAIL);
	MO_EXPECT(record(0)->bytes_completed == 5, "%u", record(0)->bytes_completed);
	for (i = 0; i < MAX_BATCH; i++)
		MO_EXPECT(page_copied(i, MAX_BATCH) == (i != 3 && i < 5), "%u", i);
	MO_EXPECT(!record(6)->status && !record(8)->status, "%#x, %#x",
		  record(6)->status, record(8)->status);
	return good;
}

/* It comes back after all that was before it. */
static bool drains(void)
{
	struct dsa_hw_desc copy = desc_of(DSA_OPCODE_MEMMOVE, SZ_64K);
	struct dsa_hw_desc drain = desc_of(DSA_OPCODE_DRAIN, 0);
	bool good = true;
	unsigned int i;

	fill();
	memset(mem + RECORD, 0, 0x1000);
	mo_dsa_set(0, MO_DSA_LATENCY_US, 20000);
	for (i = 0; i < 6; i++) {
		copy.completion_addr = at(RECORD + (i + 1) * 32);
		submit_to(PORTAL, &copy);
	}
	drain.src_addr = 0;
	drain.dst_addr = 0;
	submit_to(PORTAL, &drain);
	MO_EXPECT(!record(6)->status, "no time went by");
	MO_EXPECT(wait_for(0) == DSA_COMP_SUCCESS, "%#x", record(0)->status);
	for (i = 1; i <= 6; i++)
		MO_EXPECT(record(i)->status == DSA_COMP_SUCCESS, "%u: %#x", i,
			  record(i)->status);
	mo_dsa_set(0, MO_DSA_LATENCY_US, 0);
	return good;
}

/* What has no record to be written to goes to the log, or to a register. */
static bool logs(void)
{
	struct dsa_hw_desc desc = desc_of(DSA_OPCODE_MEMMOVE, SZ_4K);
	__u32 log = mo_dsa_get(0, MO_DSA_EVL), errors = mo_dsa_get(0, MO_DSA_SWERRS);
	bool good = true;
	int ms;

	desc.completion_addr += 8;
	submit_to(PORTAL, &desc);
	for (ms = 0; ms < 2000 && mo_dsa_get(0, MO_DSA_EVL) == log; ms++)
		mo_sleep_ms(1);
	MO_EXPECT(mo_dsa_get(0, MO_DSA_EVL) == log + 1, "%u more",
		  mo_dsa_get(0, MO_DSA_EVL) - log);
	MO_EXPECT(mo_dsa_get(0, MO_DSA_SWERRS) == errors, "%u",
		  mo_dsa_get(0, MO_DSA_SWERRS));

	desc = desc_of(DSA_OPCODE_MEMMOVE, SZ_4K);
	submit_to(OTHER, &desc);
	MO_EXPECT(mo_dsa_get(0, MO_DSA_SWERRS) == errors + 1, "%u",
		  mo_dsa_get(0, MO_DSA_SWERRS));
	return good;
}

/* More than the queue has room for. */
static bool overflows(void)
{
	__u32 errors = mo_dsa_get(0, MO_DSA_SWERRS);
	struct dsa_hw_desc desc = desc_of(DSA_OPCODE_NOOP, 0);
	bool good = true;
	unsigned int i;

	desc.src_addr = 0;
	desc.dst_addr = 0;
	memset(mem + RECORD, 0, 0x1000);
	mo_dsa_set(0, MO_DSA_LATENCY_US, 50000);
	for (i = 0; i < 17; i++) {
		desc.completion_addr = at(RECORD + i * 32);
		submit_to(PORTAL, &desc);
	}
	MO_EXPECT(mo_dsa_get(0, MO_DSA_SWERRS) == errors + 1, "%u more",
		  mo_dsa_get(0, MO_DSA_SWERRS) - errors);
	for (i = 0; i < 16; i++)
		MO_EXPECT(wait_for(i) == DSA_COMP_SUCCESS, "%u: %#x", i,
			  record(i)->status);
	MO_EXPECT(!record(16)->status, "%#x", record(16)->status);
	mo_dsa_set(0, MO_DSA_LATENCY_US, 0);
	return good;
}

/* Memory whose physical address is known, and the portals. */
static bool prepare(void)
{
	char path[PATH_MAX];
	__u64 entry = 0;
	int fd;

	mem = mmap(NULL, MO_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (mem == MAP_FAILED || fd < 0 ||
	    pread(fd, &entry, sizeof(entry), (unsigned long)mem / SZ_4K * 8) != 8)
		return false;
	close(fd);
	phys = (entry & ((1ULL << 55) - 1)) * SZ_4K;
	snprintf(path, sizeof(path), "%s/resource2", mo_dsa_pci(0));
	fd = open(path, O_RDWR | O_CLOEXEC);
	portals = mmap(NULL, 8 << 14, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return phys && fd >= 0 && portals != MAP_FAILED;
}

static const struct {
	const char *what;
	bool (*test)(void);
} tests[] = {
	{ "copies", copies },
	{ "copies what overlaps", copies_what_overlaps },
	{ "fills, and compares", fills_and_compares },
	{ "refuses what is wrong", refuses },
	{ "does lists, up to a fence", does_lists },
	{ "drains", drains },
	{ "logs what cannot be recorded", logs },
	{ "does not take more than there is room for", overflows },
};

int main(void)
{
	unsigned int i;

	ksft_print_header();
	if (!mo_dsa_there(0))
		ksft_exit_skip("needs a model of Intel DSA\n");
	if (mo_exists("%s/iommu_group", mo_dsa_pci(0)))
		ksft_exit_skip("needs physical addresses, so no IOMMU\n");
	mo_dsa_stop(0);
	if (mo_dsa_start(0, "-s 16 -x 65536 -b 8"))
		ksft_exit_fail_msg("dsa0 does not start\n");
	mo_write("1", "/proc/sys/vm/nr_hugepages");
	if (!prepare())
		ksft_exit_fail_msg("no contiguous memory, or no portals\n");

	ksft_set_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ksft_test_result(tests[i].test(), "%s\n", tests[i].what);
	munmap(mem, MO_2M);
	mo_write("0", "/proc/sys/vm/nr_hugepages");
	mo_dsa_stop(0);
	mo_dsa_start(0, NULL);
	ksft_finished();
}
