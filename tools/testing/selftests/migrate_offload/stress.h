/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the stress test share. */
#ifndef STRESS_H
#define STRESS_H

#include "mo_util.h"

#define ST_MAX_OWNERS	32
#define ST_MAX_ENGINES	16
#define ST_LOG		512
#define ST_CGROUP	"/sys/fs/cgroup/stress"
#define ST_DIR		"/tmp/stress"

/* Memory that has an owner, for those who migrate it. */
struct st_slot {
	pid_t pid;
	const char *kind;
	char *addr;
	size_t bytes;
};

/* What engines did that are gone. */
struct st_engine {
	char name[32];
	long long folios;
};

struct st_action {
	__u64 ms;
	pid_t pid;
	char text[80];
};

/* Seen by all processes of a run. */
struct st_shared {
	__u64 seed;
	__u64 start;		/* ms */
	int stop;
	bool off;		/* no offload: is it the kernel's own bug? */
	long long wrong;	/* bytes */
	long long checked;	/* pages */
	long long written;
	long long migrations;	/* calls that migrate */
	long long admin;	/* changes of engines, policy, CPUs, memory */
	long long wild, late;	/* writes by engines that are gone */
	struct st_slot slots[ST_MAX_OWNERS];
	struct st_engine gone[ST_MAX_ENGINES];
	unsigned int logged;
	struct st_action log[ST_LOG];
};

extern struct st_shared *st;

#define st_add(counter, n)	__atomic_add_fetch(&st->counter, (n), __ATOMIC_RELAXED)
#define st_stop()		__atomic_load_n(&st->stop, __ATOMIC_RELAXED)

/* Each process draws from a sequence of its own, which the seed decides. */
void st_srand(__u64 stream);
__u64 st_rand(void);
unsigned int st_below(unsigned int n);
static inline bool st_one_in(unsigned int n) { return !st_below(n); }
void st_usleep(unsigned int us);

/* The last of these are printed if something goes wrong. */
__printf(1, 2)
void st_log(const char *fmt, ...);
void st_print_log(unsigned int nr);

/* Processes that own memory: stress_own.c */
extern const unsigned int st_nr_owners;
void st_own(unsigned int nr);

/* Pins for direct I/O, pipes and io_uring: stress_pin.c */
bool st_pin_pipe(char *addr, size_t bytes, const char *want);
bool st_pin_uring(char *addr, size_t bytes, const char *new);
bool st_pin_direct(int fd, off_t at, char *addr, size_t bytes);
bool st_pin_remote(char *addr, size_t bytes, const char *new);

/* Processes that migrate it: stress_move.c */
void st_move_pages(unsigned int nr);
void st_move_system(unsigned int nr);

/* Processes that change everything else: stress_admin.c */
void st_admin_engines(unsigned int nr);
void st_admin_policy(unsigned int nr);
void st_admin_hotplug(unsigned int nr);
void st_fault(const char *dir, const char *name, bool on);
bool st_engine_idle(const char *name);
void st_engines_load(void);
bool st_engines_calm(void);
void st_engines_add_writes(void);
void st_machine_calm(void);
void st_drain_movable(void);

/* One that changes DMA controllers, if there are any: stress_dma.c */
void st_admin_dma(unsigned int nr);
void st_dma_load(void);
bool st_dma_calm(void);
void st_dma_add_writes(void);
void st_load(const char *module, const char *parameters);

/* And one for Intel DSAs: stress_dsa.c */
void st_admin_dsa(unsigned int nr);
bool st_dsa_load(void);
bool st_dsa_calm(void);
void st_dsa_add_writes(void);

/* And one for GPUs: stress_sdma.c */
void st_admin_sdma(unsigned int nr);
void st_sdma_load(void);
bool st_sdma_calm(void);
void st_sdma_add_writes(void);

/* Pages that are left when all that used them is gone: stress_leak.c */
struct st_pages {
	long long orphans;	/* anonymous, mapped by nobody */
	long long charged;	/* to a memory cgroup that is gone */
	long long stranded;	/* where there can be only free and LRU pages */
	long long unowned;	/* in use, and neither LRU, slab nor page table */
	long long owner;	/* by page_owner: allocated to migrate into */
	long long isolated;
	long long quarantined;
	long long hugetlb;
	long long dying;	/* memory cgroups */
	unsigned int verbose;
};

void st_disks_up(void);
bool st_disks_down(void);
struct st_pages st_pages_now(void);
long long st_pages_leaked(const struct st_pages *then, const struct st_pages *now);

#endif /* STRESS_H */
