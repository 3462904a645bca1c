/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model of the Intel Data Streaming Accelerator, version 1
 *
 *	intel-dsa.c		the PCI function: registers, commands, interrupts
 *	intel-dsa-work.c	work queues, engines, descriptors
 *
 * Written from the driver, drivers/dma/idxd, and what is public of Intel's
 * specification. All of it runs under QEMU's big lock.
 */
#ifndef HW_MISC_INTEL_DSA_H
#define HW_MISC_INTEL_DSA_H

#include "qemu/osdep.h"
#include "qemu/queue.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "hw/pci/pci.h"
#include "qom/object.h"

#define TYPE_INTEL_DSA "intel-dsa"
OBJECT_DECLARE_SIMPLE_TYPE(DSAState, INTEL_DSA)

#define DSA_WQS             8
#define DSA_GROUPS          4
#define DSA_ENGINES         4
#define DSA_VECTORS         (1 + DSA_WQS)
#define DSA_WQ_ENTRIES      128     /* of all queues together */
#define DSA_MAX_XFER_SHIFT  31
#define DSA_MAX_BATCH_SHIFT 10

/* Where things are in BAR 0. */
enum {
    DSA_VERSION     = 0x00,
    DSA_GENCAP      = 0x10,
    DSA_WQCAP       = 0x20,
    DSA_GRPCAP      = 0x30,
    DSA_ENGCAP      = 0x38,
    DSA_OPCAP       = 0x40,
    DSA_OFFSETS     = 0x60,
    DSA_GENCFG      = 0x80,
    DSA_GENCTRL     = 0x88,
    DSA_GENSTS      = 0x90,
    DSA_INTCAUSE    = 0x98,
    DSA_CMD         = 0xa0,
    DSA_CMDSTS      = 0xa8,
    DSA_CMDCAP      = 0xb0,
    DSA_SWERR       = 0xc0,
    DSA_EVLCFG      = 0xe0,
    DSA_EVLSTATUS   = 0xf0,
    DSA_GRPCFG      = 0x400,
    DSA_WQCFG       = 0x500,
    DSA_MSIXPERM    = 0x800,
    DSA_REGS_SIZE   = 0x1000,
    DSA_MSIX_TABLE  = 0x2000,
    DSA_MSIX_PBA    = 0x3000,
    DSA_BAR0_SIZE   = 0x10000,
};

#define DSA_GRPCFG_SIZE     64
#define DSA_WQCFG_SIZE      64
#define DSA_PORTALS_SHIFT   14      /* of one work queue, in BAR 2 */

enum { DSA_DISABLED, DSA_ENABLED, DSA_DRAINING, DSA_HALTED };

enum {
    DSA_INT_SWERR   = 1 << 0,
    DSA_INT_CMD     = 1 << 1,
    DSA_INT_HALT    = 1 << 4,
    DSA_INT_EVL     = 1 << 5,
    DSA_INT_REVOKED = 1u << 31,
};

enum {
    DSA_OP_NOOP, DSA_OP_BATCH, DSA_OP_DRAIN, DSA_OP_MEMMOVE, DSA_OP_FILL,
    DSA_OP_COMPARE, DSA_OPS
};

enum {
    DSA_F_FENCE     = 0x0001,
    DSA_F_BOF       = 0x0002,
    DSA_F_CRAV      = 0x0004,
    DSA_F_RCR       = 0x0008,
    DSA_F_RCI       = 0x0010,
    DSA_F_CC        = 0x0100,
    DSA_F_READBACK  = 0x4000,
};

enum {
    DSA_ST_SUCCESS          = 0x01,
    DSA_ST_PAGE_FAULT       = 0x03,
    DSA_ST_BATCH_FAIL       = 0x05,
    DSA_ST_BATCH_FAULT      = 0x06,
    DSA_ST_BAD_OPCODE       = 0x10,
    DSA_ST_BAD_FLAGS        = 0x11,
    DSA_ST_RESERVED         = 0x12,
    DSA_ST_XFER_SIZE        = 0x13,
    DSA_ST_DESC_COUNT       = 0x14,
    DSA_ST_LIST_ALIGN       = 0x18,
    DSA_ST_INT_HANDLE       = 0x19,
    DSA_ST_RECORD_FAULT     = 0x1a,
    DSA_ST_RECORD_ALIGN     = 0x1b,
    DSA_ST_PRIV             = 0x1d,
    DSA_ST_HW_ERROR         = 0x20,
    DSA_ST_WRITE            = 0x80, /* with a fault: it was a write */
    /* Only in the software error register. */
    DSA_SWERR_WQ_OFF        = 0x20,
    DSA_SWERR_WQ_FULL       = 0x21,
};

/* What is done wrong, as set through the control port. */
enum DSAFault {
    DSA_FAULT_NONE,
    DSA_FAULT_ERROR,        /* a copy ends with status ARG */
    DSA_FAULT_PARTIAL,      /* a copy stops at half, with a page fault */
    DSA_FAULT_SILENT,       /* done, but without the interrupt */
    DSA_FAULT_LOSE,         /* not done, and nothing said of it */
    DSA_FAULT_HANG,         /* the engine stands still until released */
    DSA_FAULT_LATE,         /* the same, for LATE milliseconds */
    DSA_FAULT_OUTER,        /* the whole of a batch ends with status ARG */
    DSA_FAULTS
};

/* The control port: BAR 4, I/O ports. Not a part of any DSA. */
enum {
    DSA_CTL_MAGIC           = 0x00, /* "DSAc" */
    DSA_CTL_LATENCY_US      = 0x04, /* of each descriptor */
    DSA_CTL_BANDWIDTH_MB    = 0x08, /* of each engine, 0 for no limit */
    DSA_CTL_FAULT           = 0x0c, /* enum DSAFault */
    DSA_CTL_COUNT           = 0x10, /* how many times */
    DSA_CTL_ARG             = 0x14,
    DSA_CTL_LATE_MS         = 0x18,
    DSA_CTL_ACTION          = 0x1c, /* enum DSAAction */
    /* Counters, which writing anything to ACTION_CLEAR sets to 0. */
    DSA_CTL_COUNTERS        = 0x20,
    DSA_CTL_STATE           = 0x70, /* of the device, as in GENSTS */
    DSA_CTL_SIZE            = 0x80,
};

enum DSAAction {
    DSA_ACT_CLEAR = 1,      /* counters */
    DSA_ACT_RELEASE,        /* what hangs goes on */
    DSA_ACT_HALT_RESET,     /* halt, to be cured by a reset command */
    DSA_ACT_HALT_FLR,       /* halt, to be cured by a function level reset */
    DSA_ACT_SWERR,          /* a software error of nobody's */
};

enum DSACounter {
    DSA_N_SUBMITTED,        /* descriptors written to portals */
    DSA_N_BATCHES,          /* of these, batches */
    DSA_N_COPIES,           /* memory moves begun, in batches or not */
    DSA_N_KBYTES,           /* copied */
    DSA_N_INTERRUPTS,       /* of work queues */
    DSA_N_REFUSED,          /* accesses to memory that were refused */
    DSA_N_SWERRS,
    DSA_N_CACHED,           /* copies with destinations in the cache */
    DSA_N_LATE,             /* copies ended after they had been late or hung */
    DSA_N_HELD,             /* not a counter: hanging or late now */
    DSA_N_ERRORS,           /* descriptors that did not end well */
    DSA_N_EVL,              /* entries of the event log */
    DSA_N_COUNTERS
};

typedef struct QEMU_PACKED DSADesc {
    uint32_t pasid;         /* 19:0, and privilege in 31 */
    uint32_t flags_op;      /* flags in 23:0 */
    uint64_t record;        /* address of the completion record */
    uint64_t src;           /* or list of a batch, or pattern */
    uint64_t dst;           /* or second source */
    uint32_t size;          /* or count of a batch */
    uint16_t int_handle;
    uint16_t reserved1;
    uint8_t reserved2[24];  /* for the operations that there are here */
} DSADesc;
QEMU_BUILD_BUG_ON(sizeof(DSADesc) != 64);

typedef struct DSAWork {
    QTAILQ_ENTRY(DSAWork) next;
    int wq;
    DSADesc desc;
    DSADesc *list;          /* of a batch, as fetched */
    bool list_fault;
    bool held;              /* late, or hung */
    bool silent;
    bool lost;
    bool outer;             /* the fault is the batch's, not a copy's */
    uint8_t status;         /* of a fault set from outside, or 0 */
} DSAWork;

typedef struct DSAQueue {
    bool enabled;
    bool accepts;           /* false while it is being drained for good */
    unsigned waiting;
    unsigned running;
    QTAILQ_HEAD(, DSAWork) works;
} DSAQueue;

typedef struct DSAEngine {
    DSAState *dsa;
    unsigned id;
    QEMUTimer timer;
    DSAWork *work;
    unsigned turn;          /* which queue was last */
} DSAEngine;

struct DSAState {
    PCIDevice pci;
    MemoryRegion bar0, portals, control;
    uint8_t regs[DSA_REGS_SIZE];
    uint8_t stage[DSA_WQS][64];
    DSAQueue wqs[DSA_WQS];
    DSAEngine engines[DSA_ENGINES];

    uint32_t command;       /* that waits for work to end */
    uint32_t command_wqs;   /* whose */

    /* Control port. */
    uint32_t latency_us, bandwidth_mb, fault, count, arg, late_ms;
    uint32_t counters[DSA_N_COUNTERS];

    /* Properties. */
    uint8_t max_xfer_shift, max_batch_shift;
    bool evl, cache_control, int_handles;
    uint16_t handle_base;   /* interrupt handles are vectors plus this */
};

static inline uint32_t dsa_get32(DSAState *s, unsigned reg)
{
    return ldl_le_p(&s->regs[reg]);
}

static inline uint64_t dsa_get64(DSAState *s, unsigned reg)
{
    return ldq_le_p(&s->regs[reg]);
}

static inline void dsa_set32(DSAState *s, unsigned reg, uint32_t value)
{
    stl_le_p(&s->regs[reg], value);
}

static inline void dsa_set64(DSAState *s, unsigned reg, uint64_t value)
{
    stq_le_p(&s->regs[reg], value);
}

static inline unsigned dsa_state(DSAState *s)
{
    return dsa_get32(s, DSA_GENSTS) & 3;
}

static inline unsigned dsa_wqcfg(unsigned wq)
{
    return DSA_WQCFG + wq * DSA_WQCFG_SIZE;
}

static inline unsigned dsa_desc_op(const DSADesc *d)
{
    return le32_to_cpu(d->flags_op) >> 24;
}

static inline uint32_t dsa_desc_flags(const DSADesc *d)
{
    return le32_to_cpu(d->flags_op) & 0xffffff;
}

/* intel-dsa.c */
void dsa_interrupt(DSAState *s, uint32_t cause);
void dsa_interrupt_wq(DSAState *s, unsigned handle);
bool dsa_handle_valid(DSAState *s, unsigned handle);
void dsa_software_error(DSAState *s, int wq, const DSADesc *d, uint8_t error,
                        uint64_t addr);
void dsa_work_ended(DSAState *s);

/* intel-dsa-work.c */
void dsa_work_init(DSAState *s);
void dsa_work_exit(DSAState *s);
void dsa_submit(DSAState *s, unsigned wq, const DSADesc *d);
void dsa_schedule(DSAState *s);
void dsa_abort(DSAState *s, uint32_t wqs);
bool dsa_busy(DSAState *s, uint32_t wqs);
void dsa_release_held(DSAState *s);

#endif
