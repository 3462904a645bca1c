// SPDX-License-Identifier: GPL-2.0
/*
 * Data read into a registered buffer of shared memory is lost on reclaim:
 * GUP-fast finds a page table entry that a read fault left writable and clean,
 * does not dirty the folio, and io_uring unpins without dirtying it either.
 * Reproducer of a bug of kernels with or without migration offload.
 * See patches/fixes/ of the project; not among the tests that have to pass.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mo_util.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGES 64

static struct io_uring_params p;
static int ring, pipes[2];
static char *sq, page[MO_BASE], zeroes[MO_BASE];
static struct io_uring_sqe *sqe;

static bool set_up(void)
{
	ring = syscall(SYS_io_uring_setup, 1, &p);
	if (ring < 0 || pipe(pipes))
		return false;
	sq = mmap(NULL, p.sq_off.array + 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		  IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	memset(page, 'x', sizeof(page));
	return sq != MAP_FAILED && sqe != MAP_FAILED;
}

/* Has the kernel write into @buffer, through a pin that is gone afterwards. */
static bool read_fixed(char *buffer)
{
	struct iovec iov = { buffer, MO_BASE };

	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1) ||
	    write(pipes[1], page, MO_BASE) != MO_BASE)
		return false;
	*sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = pipes[0],
		.addr = (uintptr_t)buffer,
		.len = MO_BASE,
		.off = -1ULL,
	};
	*(unsigned int *)(sq + p.sq_off.array) = 0;
	++*(unsigned int *)(sq + p.sq_off.tail);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return false;
	++*(unsigned int *)(sq + p.cq_off.head);
	return !memcmp(buffer, page, MO_BASE) &&
	       !syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

int main(void)
{
	unsigned int i, lost = 0, evicted = 0;
	unsigned char resident;
	char *buffer;

	ksft_print_header();
	if (system("mkswap /dev/ram0 > /dev/null") || swapon("/dev/ram0", 0))
		ksft_exit_skip("needs /dev/ram0 to swap to\n");
	ksft_set_plan(2);
	if (!set_up())
		ksft_exit_fail_msg("no io_uring: %s\n", strerror(errno));
	for (i = 0; i < PAGES; i++) {
		buffer = mmap(NULL, MO_BASE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		/* Maps it by a read fault. */
		if (buffer == MAP_FAILED || memcmp(buffer, zeroes, MO_BASE))
			ksft_exit_fail_msg("no memory: %s\n", strerror(errno));
		if (!read_fixed(buffer))
			ksft_exit_fail_msg("nothing was read: %s\n", strerror(errno));
		madvise(buffer, MO_BASE, MADV_PAGEOUT);
		resident = 1;
		mincore(buffer, MO_BASE, &resident);
		evicted += !(resident & 1);
		lost += !!memcmp(buffer, page, MO_BASE);
		munmap(buffer, MO_BASE);
	}
	ksft_test_result(!lost, "what was read survives reclaim\n");
	ksft_test_result(evicted > 0, "it was reclaimed\n");
	ksft_print_msg("%u pages: %u reclaimed, %u lost\n", PAGES, evicted, lost);
	swapoff("/dev/ram0");
	ksft_finished();
}
