// SPDX-License-Identifier: GPL-2.0
/*
 * Data read into a registered buffer of shared memory is lost on reclaim:
 * GUP-fast finds a page table entry that a read fault left writable and clean,
 * does not dirty the folio, and io_uring unpins without dirtying it either.
 */
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

int main(void)
{
	struct io_uring_params p = {};
	int ring = syscall(SYS_io_uring_setup, 1, &p), fds[2], lost = 0, i, n = 64;
	char *sq, *buffer, page[4096];
	struct io_uring_sqe *sqe;
	struct iovec iov;

	sq = mmap(NULL, p.sq_off.array + 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		  IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	memset(page, 'x', sizeof(page));
	pipe(fds);
	for (i = 0; i < n; i++) {
		buffer = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (*(volatile char *)buffer)
			return 2;
		iov = (struct iovec){ buffer, 4096 };
		if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1))
			return perror("register"), 2;
		write(fds[1], page, 4096);
		*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_READ_FIXED, .fd = fds[0],
			.addr = (unsigned long)buffer, .len = 4096, .off = -1ULL };
		*(unsigned int *)(sq + p.sq_off.array) = 0;
		++*(unsigned int *)(sq + p.sq_off.tail);
		syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		++*(unsigned int *)(sq + p.cq_off.head);
		if (memcmp(buffer, page, 4096))
			return 3;
		syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
		madvise(buffer, 4096, MADV_PAGEOUT);
		lost += !!memcmp(buffer, page, 4096);
	}
	printf("%d of %d pages lost\n", lost, n);
	return !!lost;
}
