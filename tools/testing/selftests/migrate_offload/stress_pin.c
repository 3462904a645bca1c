// SPDX-License-Identifier: GPL-2.0
/* The stress test's pins: references that forbid to migrate, held a while. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stress.h"

/* Short often, long sometimes: shorter and longer than a copy takes. */
static void linger(void)
{
	st_usleep(st_below(1 << (4 + st_below(10))));
}

static bool open_pipe(int fds[2], size_t bytes)
{
	if (pipe(fds))
		return false;
	fcntl(fds[1], F_SETPIPE_SZ, bytes);
	return true;
}

static void close_pipe(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static bool read_all(int fd, char *to, size_t bytes)
{
	ssize_t len;

	for (; bytes; bytes -= len, to += len) {
		len = read(fd, to, bytes);
		if (len <= 0)
			return false;
	}
	return true;
}

/* What comes out of a pipe must be what was in memory. */
bool st_pin_pipe(char *addr, size_t bytes, const char *want)
{
	struct iovec iov = { addr, bytes };
	bool good = true;
	char *got;
	int fds[2];

	if (!open_pipe(fds, bytes))
		return true;
	got = malloc(bytes);
	if (got && vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) == (ssize_t)bytes) {
		linger();
		good = read_all(fds[0], got, bytes) && !memcmp(got, want, bytes);
	}
	free(got);
	close_pipe(fds);
	return good;
}

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static struct ring *ring_open(void)
{
	static struct ring ring = { .fd = -1 };
	struct io_uring_params p = {};
	char *sq, *cq;

	if (ring.fd >= 0)
		return &ring;
	ring.fd = syscall(SYS_io_uring_setup, 2, &p);
	if (ring.fd < 0)
		return NULL;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(int), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
		  IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof(*ring.sqes), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		return NULL;
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (void *)(cq + p.cq_off.cqes);
	return &ring;
}

static void ring_submit(struct ring *ring, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *ring->sq_tail, at = tail & *ring->sq_mask;

	ring->sqes[at] = *sqe;
	ring->sq_array[at] = at;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	while (syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) < 0 && errno == EINTR)
		;
}

static int ring_wait(struct ring *ring)
{
	unsigned int head = *ring->cq_head;
	int res;

	while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == head)
		syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	res = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return res;
}

/*
 * io_uring does not dirty its buffers when it lets go of them. When a read
 * fault has mapped them, writable and clean, what was read into them is lost
 * on reclaim. That is a bug of its own, so be the one who dirties.
 */
static void dirty(volatile char *addr, size_t bytes)
{
	size_t at;

	for (at = 0; at < bytes; at += MO_BASE)
		addr[at] = addr[at];
}

/* Read @new into a registered buffer. False: it was not done at all. */
bool st_pin_uring(char *addr, size_t bytes, const char *new)
{
	struct iovec iov = { addr, bytes };
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.addr = (uintptr_t)addr,
		.len = bytes,
		.off = -1ULL,
	};
	struct ring *ring = ring_open();
	bool done = false;
	int fds[2], got;

	if (!ring || !open_pipe(fds, bytes))
		return false;
	if (!syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &iov, 1)) {
		sqe.fd = fds[0];
		ring_submit(ring, &sqe);
		linger();
		done = write(fds[1], new, bytes) == (ssize_t)bytes;
		got = ring_wait(ring);
		done &= got > 0 && read_all(fds[0], addr + got, bytes - got);
		dirty(addr, bytes);
		if (st_one_in(2))
			linger();
		syscall(SYS_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
	}
	close_pipe(fds);
	return done;
}

/* To the disk, and back into the same place, which was wiped between. */
bool st_pin_direct(int fd, off_t at, char *addr, size_t bytes)
{
	if (pwrite(fd, addr, bytes, at) != (ssize_t)bytes)
		return true;
	memset(addr, 0x5a, bytes);
	return pread(fd, addr, bytes, at) == (ssize_t)bytes;
}

bool st_pin_remote(char *addr, size_t bytes, const char *new)
{
	struct iovec local = { (void *)new, bytes }, remote = { addr, bytes };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}
