/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of migration offload share. */
#ifndef MO_UTIL_H
#define MO_UTIL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../kselftest.h"

#define MO_MAX_NODES	8

#define MO_SYSFS	"/sys/kernel/mm/migrate_offload"
#define MO_SIM		"/sys/kernel/debug/migrate_offload_sim"

#define MO_BASE		4096UL
#define MO_64K		(64UL << 10)
#define MO_2M		(2UL << 20)

/*
 * Files, the name in printf() style. Zero, or for mo_read() the length of what
 * was read without its last newline, or a negative errno.
 */
__printf(3, 4)
int mo_read(char *buf, size_t size, const char *fmt, ...);
int mo_write_bytes(const char *path, const void *data, size_t len);
__printf(2, 3)
int mo_write(const char *value, const char *fmt, ...);
__printf(1, 2)
long long mo_number(const char *fmt, ...);
__printf(1, 2)
bool mo_exists(const char *fmt, ...);

/* Run a program, quietly: its exit status, or negative. Ends with NULL. */
int mo_run(const char * const *args);
/* Nothing that is on a disk is in memory, too. */
void mo_drop_caches(void);

/* Set-up. These stop the program when the kernel does not take a value. */
void mo_enable(bool on);
void mo_policy(const char *engines);
void mo_sim_set(unsigned int sim, const char *what, unsigned long value);
void mo_sim_fault(unsigned int sim, const char *fault, unsigned int percent,
		  int times);
void mo_sim_calm(void);
unsigned int mo_nr_sims(void);

/*
 * Engines that tests of all engines are to use: those of hardware, if the
 * machine has two of them, or else sim0 and sim1. One, or a list of both.
 */
const char *mo_engine(unsigned int nr);
unsigned int mo_nr_engines(void);
const char *mo_both_engines(void);
/* They are hardware's: what has nothing to do with these is tested elsewhere. */
bool mo_have_hardware(void);

bool mo_engine_is(const char *engine, const char *state);
bool mo_engine_comes(const char *engine, const char *state, int ms);

/* Counters. Negative: no such counter. */
long long mo_engine_stat(const char *engine, const char *stat);
long long mo_sim_stat(unsigned int sim, const char *stat);
bool mo_stat_comes(const char *engine, const char *stat, long long value,
		   int ms);

/* Sums over all nodes. */
struct mo_counts {
	long long offered;
	long long engine;
	long long cpu;
	long long failed;
	long long quarantined;
	long long refused;
};

struct mo_counts mo_counts(void);
struct mo_counts mo_counts_since(const struct mo_counts *then);
long long mo_refused(const char *why);
bool mo_adds_up(void);

/* Nodes with memory. */
extern int mo_nodes[MO_MAX_NODES];
extern unsigned int mo_nr_nodes;
void mo_find_nodes(void);

/* Memory that carries a pattern. */
enum mo_kind {
	MO_ANON,
	MO_COW,
	MO_THP,
	MO_MTHP,
	MO_SHMEM,
	MO_MEMFD,
	MO_SHMEM_HUGE,
	MO_HUGETLB,
	MO_NR_KINDS
};

extern const char * const mo_kind_names[MO_NR_KINDS];

struct mo_mem {
	enum mo_kind kind;
	char *addr;
	size_t bytes;
	size_t folio;		/* bytes of each folio */
	unsigned int nr;	/* folios */
	__u64 seed;
	char *map;
	size_t map_bytes;
	pid_t child;		/* maps the same pages, MO_COW only */
	int ask, answer;
};

/* On @node, of @nr folios, filled. A negative errno if it cannot be had. */
int mo_alloc(struct mo_mem *mem, enum mo_kind kind, unsigned int nr, int node);
void mo_free(struct mo_mem *mem);
/* Each time with a new pattern, so that no old copy passes for a new one. */
void mo_fill(struct mo_mem *mem);
/* In all processes that map it. */
size_t mo_bad_bytes(const struct mo_mem *mem);
bool mo_whole(const struct mo_mem *mem);
unsigned int mo_folios_on(const struct mo_mem *mem, int node);

/* System calls that migrate. */
enum mo_call { MO_MOVE_PAGES, MO_MIGRATE_PAGES, MO_MBIND, MO_NR_CALLS };

extern const char * const mo_call_names[MO_NR_CALLS];

/* The system call's own result, or a negative errno. */
int mo_migrate(const struct mo_mem *mem, enum mo_call call, int from, int to);
int mo_move(const struct mo_mem *mem, int to);

/* Clears "good" of the function it is in, and tells why. */
#define MO_EXPECT(condition, fmt, ...)					\
do {									\
	if (!(condition)) {						\
		ksft_print_msg("line %d, expected %s: " fmt "\n",	\
			       __LINE__, #condition, ##__VA_ARGS__);	\
		good = false;						\
	}								\
} while (0)

__u64 mo_now_us(void);
__u64 mo_now_ms(void);
void mo_sleep_ms(unsigned int ms);

#endif /* MO_UTIL_H */
