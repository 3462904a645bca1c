/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model of the Intel Data Streaming Accelerator: work
 *
 * Descriptors wait in their work queue until an engine of the queue's group
 * takes them, which then is busy for as long as latency and bandwidth say.
 * Memory is read and written at the end of that time, and the completion record
 * last. A batch is fetched when it begins, and is one engine's.
 *
 * Everything here runs in the main loop or in a vCPU's access to a register,
 * with the big lock: an access that the IOMMU refuses raises an interrupt.
 */
#include "intel-dsa.h"
#include "qemu/log.h"
#include "qapi/error.h"

#define DSA_CHUNK 4096

/*
 * Memory, as the device sees it
 */

static bool dsa_read(DSAState *s, uint64_t addr, void *buf, uint32_t size)
{
    if (pci_dma_read(&s->pci, addr, buf, size) == MEMTX_OK) {
        return true;
    }
    s->counters[DSA_N_REFUSED]++;
    return false;
}

static bool dsa_write(DSAState *s, uint64_t addr, const void *buf,
                      uint32_t size)
{
    if (pci_dma_write(&s->pci, addr, buf, size) == MEMTX_OK) {
        return true;
    }
    s->counters[DSA_N_REFUSED]++;
    return false;
}

/* How many bytes of @left are in the page of @addr. */
static uint32_t dsa_chunk(uint64_t addr, uint32_t left)
{
    return MIN(left, DSA_CHUNK - (addr & (DSA_CHUNK - 1)));
}

/* What is said of a descriptor: in its record, or in the log. */
struct dsa_outcome {
    uint8_t status;
    uint8_t result;
    uint32_t done;          /* bytes, or descriptors */
    uint64_t addr;          /* of a fault */
};

/*
 * An entry of the event log: errors that have no completion record to be in.
 * Returns false if there is no log, or no room in it.
 */
static bool dsa_log_event(DSAState *s, int wq, const DSADesc *d,
                          const struct dsa_outcome *o, uint8_t error)
{
    uint64_t base = dsa_get64(s, DSA_EVLCFG) & ~0xfffull;
    uint16_t size = dsa_get64(s, DSA_EVLCFG + 8);
    uint16_t head = lduw_le_p(&s->regs[DSA_EVLSTATUS]);
    uint16_t tail = lduw_le_p(&s->regs[DSA_EVLSTATUS + 4]);
    uint32_t flags = dsa_desc_flags(d);
    uint8_t entry[64] = { 0 };

    if (!s->evl || !(dsa_get32(s, DSA_GENCFG) & 1 << 13) || !size ||
        (tail + 1) % size == head) {
        return false;
    }
    stq_le_p(entry, 1 << 2 | 1 << 3 | 1 << 7 | (uint64_t)error << 8 |
             (uint64_t)wq << 16 | (uint64_t)dsa_desc_op(d) << 32);
    stw_le_p(entry + 12, le16_to_cpu(d->int_handle));
    stw_le_p(entry + 14, (flags & DSA_F_RCI ? 1 : 0) |
             (flags & DSA_F_RCR ? 4 : 0));
    stq_le_p(entry + 16, error == DSA_ST_RECORD_FAULT ? le64_to_cpu(d->record)
                                                      : o->addr);
    entry[32] = o->status;
    entry[33] = o->result;
    stl_le_p(entry + 36, o->done);
    stq_le_p(entry + 40, o->addr);
    if (!dsa_write(s, base + tail * 64ull, entry, sizeof(entry))) {
        return false;
    }
    s->counters[DSA_N_EVL]++;
    stw_le_p(&s->regs[DSA_EVLSTATUS + 4], (tail + 1) % size);
    dsa_set32(s, DSA_EVLSTATUS + 4,
              dsa_get32(s, DSA_EVLSTATUS + 4) | 1u << 30);
    if (dsa_get32(s, DSA_GENCTRL) & 4) {
        dsa_interrupt(s, DSA_INT_EVL);
    }
    return true;
}

static void dsa_report(DSAState *s, const DSAWork *work, const DSADesc *d,
                       const struct dsa_outcome *o)
{
    uint32_t flags = dsa_desc_flags(d);
    uint64_t addr = le64_to_cpu(d->record);
    uint8_t record[32] = { 0 }, error = 0;

    if (o->status != DSA_ST_SUCCESS) {
        s->counters[DSA_N_ERRORS]++;
    }
    if (!(flags & DSA_F_CRAV)) {
        error = o->status != DSA_ST_SUCCESS ? o->status : 0;
    } else if (addr & 31) {
        error = DSA_ST_RECORD_ALIGN;
    } else if (flags & DSA_F_RCR || o->status != DSA_ST_SUCCESS) {
        record[0] = o->status;
        record[1] = o->result;
        stl_le_p(record + 4, o->done);
        stq_le_p(record + 8, o->addr);
        /* Whoever sees the status sees the rest. */
        if (!dsa_write(s, addr + 1, record + 1, sizeof(record) - 1)) {
            error = DSA_ST_RECORD_FAULT;
        } else {
            smp_wmb();
            dsa_write(s, addr, record, 1);
        }
    }
    if (error && !dsa_log_event(s, work->wq, d, o, error)) {
        dsa_software_error(s, work->wq, d, error, addr);
    }
    if (flags & DSA_F_RCI && !work->silent &&
        dsa_handle_valid(s, le16_to_cpu(d->int_handle))) {
        dsa_interrupt_wq(s, le16_to_cpu(d->int_handle));
    }
}

/*
 * Operations
 */

/* As the specification has it: what is not used is zero. */
static uint8_t dsa_check(DSAState *s, const DSAWork *work, const DSADesc *d,
                         bool in_batch)
{
    unsigned reg = dsa_wqcfg(work->wq), op = dsa_desc_op(d), i;
    uint32_t flags = dsa_desc_flags(d), size = le32_to_cpu(d->size);
    uint32_t limits = dsa_get32(s, reg + 12), allowed;
    static const uint32_t flags_of[DSA_OPS] = {
        [DSA_OP_NOOP] = DSA_F_FENCE,
        [DSA_OP_DRAIN] = DSA_F_READBACK,
        [DSA_OP_MEMMOVE] = DSA_F_FENCE | DSA_F_CC | DSA_F_READBACK,
        [DSA_OP_FILL] = DSA_F_FENCE | DSA_F_CC | DSA_F_READBACK,
        [DSA_OP_COMPARE] = DSA_F_FENCE,
    };

    if (op >= DSA_OPS || (op == DSA_OP_BATCH && in_batch) ||
        !(dsa_get64(s, reg + 32) & 1ull << op)) {
        return DSA_ST_BAD_OPCODE;
    }
    allowed = DSA_F_CRAV | DSA_F_RCR | DSA_F_RCI | flags_of[op];
    if (!s->cache_control) {
        allowed &= ~DSA_F_CC;
    }
    if (!in_batch) {
        allowed &= ~DSA_F_FENCE;
    }
    if (flags & ~allowed || (flags & DSA_F_RCR && !(flags & DSA_F_CRAV))) {
        return DSA_ST_BAD_FLAGS;
    }
    if (le32_to_cpu(d->pasid) & 1u << 31) {
        return DSA_ST_PRIV;
    }
    for (i = 0; i < sizeof(d->reserved2); i++) {
        if (d->reserved2[i]) {
            return DSA_ST_RESERVED;
        }
    }
    if (d->reserved1 || le32_to_cpu(d->pasid) & 0x7ff00000 ||
        (!(flags & DSA_F_RCI) && d->int_handle)) {
        return DSA_ST_RESERVED;
    }
    if (flags & DSA_F_RCI && !dsa_handle_valid(s, le16_to_cpu(d->int_handle))) {
        return DSA_ST_INT_HANDLE;
    }
    switch (op) {
    case DSA_OP_BATCH:
        if (le64_to_cpu(d->src) & 63) {
            return DSA_ST_LIST_ALIGN;
        }
        if (size < 2 || size > 1u << (limits >> 5 & 15)) {
            return DSA_ST_DESC_COUNT;
        }
        break;
    case DSA_OP_MEMMOVE:
    case DSA_OP_FILL:
    case DSA_OP_COMPARE:
        if (!size || size > 1ull << (limits & 31)) {
            return DSA_ST_XFER_SIZE;
        }
        break;
    }
    return 0;
}

static void dsa_do_memmove(DSAState *s, const DSADesc *d, uint32_t size,
                           struct dsa_outcome *o)
{
    uint64_t src = le64_to_cpu(d->src), dst = le64_to_cpu(d->dst);
    g_autofree uint8_t *buf = g_malloc(size);
    uint32_t done, n, got;

    s->counters[DSA_N_COPIES]++;
    if (dsa_desc_flags(d) & DSA_F_CC) {
        s->counters[DSA_N_CACHED]++;
    }
    /* All is read before any is written: that makes overlapping ones right. */
    for (got = 0; got < size; got += n) {
        n = dsa_chunk(src + got, size - got);
        if (!dsa_read(s, src + got, buf + got, n)) {
            o->status = DSA_ST_PAGE_FAULT;
            o->addr = src + got;
            break;
        }
    }
    for (done = 0; done < got; done += n) {
        n = dsa_chunk(dst + done, got - done);
        if (!dsa_write(s, dst + done, buf + done, n)) {
            o->status = DSA_ST_PAGE_FAULT | DSA_ST_WRITE;
            o->addr = dst + done;
            break;
        }
    }
    o->done = done;
    s->counters[DSA_N_KBYTES] += done / KiB;
}

static void dsa_do_fill(DSAState *s, const DSADesc *d, struct dsa_outcome *o)
{
    uint64_t dst = le64_to_cpu(d->dst);
    uint32_t size = le32_to_cpu(d->size), n, i;
    uint8_t buf[DSA_CHUNK], *pattern = (uint8_t *)&d->src;

    for (o->done = 0; o->done < size; o->done += n) {
        n = dsa_chunk(dst + o->done, size - o->done);
        for (i = 0; i < n; i++) {
            buf[i] = pattern[(o->done + i) & 7];
        }
        if (!dsa_write(s, dst + o->done, buf, n)) {
            o->status = DSA_ST_PAGE_FAULT | DSA_ST_WRITE;
            o->addr = dst + o->done;
            return;
        }
    }
}

static void dsa_do_compare(DSAState *s, const DSADesc *d,
                           struct dsa_outcome *o)
{
    uint64_t a = le64_to_cpu(d->src), b = le64_to_cpu(d->dst);
    uint32_t size = le32_to_cpu(d->size), n, i;
    uint8_t pa[DSA_CHUNK], pb[DSA_CHUNK];

    for (o->done = 0; o->done < size; o->done += n) {
        n = MIN(dsa_chunk(a + o->done, size - o->done),
                dsa_chunk(b + o->done, size - o->done));
        if (!dsa_read(s, a + o->done, pa, n) ||
            !dsa_read(s, b + o->done, pb, n)) {
            o->status = DSA_ST_PAGE_FAULT;
            o->addr = a + o->done;
            return;
        }
        for (i = 0; i < n; i++) {
            if (pa[i] != pb[i]) {
                o->done += i;
                o->result = 1;
                return;
            }
        }
    }
}

/* Anything but a batch. */
static void dsa_execute(DSAState *s, DSAWork *work, const DSADesc *d,
                        bool in_batch, struct dsa_outcome *o)
{
    unsigned op = dsa_desc_op(d);
    uint32_t size = le32_to_cpu(d->size);

    o->status = dsa_check(s, work, d, in_batch);
    if (o->status) {
        return;
    }
    o->status = DSA_ST_SUCCESS;
    switch (op) {
    case DSA_OP_MEMMOVE:
        if (work->status && work->status != DSA_ST_PAGE_FAULT) {
            o->status = work->status;
            work->status = 0;
            break;
        }
        if (work->status) {     /* partial: half of it, in whole pages */
            size = QEMU_ALIGN_DOWN(size / 2, DSA_CHUNK);
        }
        if (size) {
            dsa_do_memmove(s, d, size, o);
        }
        if (work->status) {
            o->status = work->status;
            o->addr = le64_to_cpu(d->src) + size;
            work->status = 0;
        }
        break;
    case DSA_OP_FILL:
        dsa_do_fill(s, d, o);
        break;
    case DSA_OP_COMPARE:
        dsa_do_compare(s, d, o);
        break;
    }
}

static void dsa_execute_batch(DSAState *s, DSAWork *work,
                              struct dsa_outcome *o)
{
    uint32_t count = le32_to_cpu(work->desc.size), i;
    uint8_t status = work->status;
    bool failed = false;

    o->status = dsa_check(s, work, &work->desc, false);
    if (o->status) {
        return;
    }
    s->counters[DSA_N_BATCHES]++;
    if (work->list_fault) {
        o->status = DSA_ST_BATCH_FAULT;
        o->addr = le64_to_cpu(work->desc.src);
        return;
    }
    /* In the middle of it: what is before and behind is good. */
    work->status = 0;
    for (i = 0; i < count; i++) {
        const DSADesc *d = &work->list[i];
        struct dsa_outcome inner = { 0 };

        if (failed && dsa_desc_flags(d) & DSA_F_FENCE) {
            break;
        }
        if (i == count / 2) {
            if (work->outer) {
                break;
            }
            work->status = status;
        }
        dsa_execute(s, work, d, true, &inner);
        dsa_report(s, work, d, &inner);
        failed |= inner.status != DSA_ST_SUCCESS;
    }
    o->done = i;
    o->status = work->outer ? status :
                failed ? DSA_ST_BATCH_FAIL : DSA_ST_SUCCESS;
}

/*
 * Engines
 */

static void dsa_work_free(DSAWork *work)
{
    g_free(work->list);
    g_free(work);
}

static void dsa_engine_finish(DSAEngine *engine)
{
    DSAState *s = engine->dsa;
    DSAWork *work = engine->work;
    struct dsa_outcome outcome = { 0 };

    if (work->held) {
        s->counters[DSA_N_HELD]--;
        s->counters[DSA_N_LATE]++;
    }
    if (!work->lost) {
        if (dsa_desc_op(&work->desc) == DSA_OP_BATCH) {
            dsa_execute_batch(s, work, &outcome);
        } else {
            dsa_execute(s, work, &work->desc, false, &outcome);
        }
        dsa_report(s, work, &work->desc, &outcome);
    }
    s->wqs[work->wq].running--;
    engine->work = NULL;
    dsa_work_free(work);
    dsa_work_ended(s);
    dsa_schedule(s);
}

static void dsa_engine_timer(void *opaque)
{
    dsa_engine_finish(opaque);
}

/* Descriptors of a batch are read when it begins. */
static uint64_t dsa_fetch(DSAState *s, DSAWork *work)
{
    uint32_t count = le32_to_cpu(work->desc.size), i;
    uint64_t bytes = 0;

    if (dsa_desc_op(&work->desc) != DSA_OP_BATCH) {
        return dsa_desc_op(&work->desc) == DSA_OP_DRAIN ? 0 : count;
    }
    if (dsa_check(s, work, &work->desc, false)) {
        return 0;
    }
    work->list = g_new0(DSADesc, count);
    if (!dsa_read(s, le64_to_cpu(work->desc.src), work->list,
                  count * sizeof(DSADesc))) {
        work->list_fault = true;
        return 0;
    }
    for (i = 0; i < count; i++) {
        bytes += le32_to_cpu(work->list[i].size);
    }
    return bytes;
}

static bool dsa_has_copies(const DSAWork *work)
{
    unsigned op = dsa_desc_op(&work->desc);

    return op == DSA_OP_MEMMOVE || op == DSA_OP_BATCH;
}

/* Returns how many ms the engine is to stand still, -1 for until released. */
static int64_t dsa_set_fault(DSAState *s, DSAWork *work)
{
    if (!s->fault || !s->count || !dsa_has_copies(work)) {
        return 0;
    }
    if (s->fault == DSA_FAULT_OUTER &&
        dsa_desc_op(&work->desc) != DSA_OP_BATCH) {
        return 0;
    }
    s->count--;
    switch (s->fault) {
    case DSA_FAULT_ERROR:
        work->status = s->arg ?: DSA_ST_HW_ERROR;
        break;
    case DSA_FAULT_OUTER:
        work->outer = true;
        work->status = s->arg ?: DSA_ST_HW_ERROR;
        break;
    case DSA_FAULT_PARTIAL:
        work->status = DSA_ST_PAGE_FAULT;
        break;
    case DSA_FAULT_SILENT:
        work->silent = true;
        break;
    case DSA_FAULT_LOSE:
        work->lost = true;
        break;
    case DSA_FAULT_HANG:
    case DSA_FAULT_LATE:
        work->held = true;
        s->counters[DSA_N_HELD]++;
        return s->fault == DSA_FAULT_HANG ? -1 : s->late_ms;
    }
    return 0;
}

static void dsa_engine_begin(DSAEngine *engine, DSAWork *work)
{
    DSAState *s = engine->dsa;
    int64_t late = dsa_set_fault(s, work);
    uint64_t ns = s->latency_us * 1000ull;
    uint64_t bytes = dsa_fetch(s, work);

    engine->work = work;
    if (s->bandwidth_mb) {
        ns += bytes * 1000 / s->bandwidth_mb;
    }
    if (late >= 0) {
        timer_mod(&engine->timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns +
                  late * SCALE_MS);
    }
}

/* A drain waits until all before it have ended, and so do those behind it. */
static DSAWork *dsa_next(DSAQueue *q)
{
    DSAWork *work = QTAILQ_FIRST(&q->works);

    if (!work ||
        (dsa_desc_op(&work->desc) == DSA_OP_DRAIN && q->running)) {
        return NULL;
    }
    QTAILQ_REMOVE(&q->works, work, next);
    q->waiting--;
    q->running++;
    return work;
}

/* The queues of the engine's group take turns. */
static DSAWork *dsa_engine_next(DSAEngine *engine)
{
    DSAState *s = engine->dsa;
    uint64_t wqs = 0;
    unsigned i;

    for (i = 0; i < DSA_GROUPS; i++) {
        unsigned reg = DSA_GRPCFG + i * DSA_GRPCFG_SIZE;

        if (dsa_get64(s, reg + 32) & 1ull << engine->id) {
            wqs |= dsa_get64(s, reg);
        }
    }
    for (i = 1; i <= DSA_WQS; i++) {
        unsigned wq = (engine->turn + i) % DSA_WQS;
        DSAWork *work = wqs & 1ull << wq ? dsa_next(&s->wqs[wq]) : NULL;

        if (work) {
            engine->turn = wq;
            return work;
        }
    }
    return NULL;
}

void dsa_schedule(DSAState *s)
{
    unsigned i;

    for (i = 0; i < DSA_ENGINES && dsa_state(s) == DSA_ENABLED; i++) {
        DSAWork *work;

        if (s->engines[i].work) {
            continue;
        }
        work = dsa_engine_next(&s->engines[i]);
        if (work) {
            dsa_engine_begin(&s->engines[i], work);
        }
    }
}

/*
 * Work queues
 */

void dsa_submit(DSAState *s, unsigned wq, const DSADesc *d)
{
    DSAQueue *q = &s->wqs[wq];
    DSAWork *work;

    if (dsa_state(s) == DSA_HALTED) {
        return;
    }
    if (dsa_state(s) != DSA_ENABLED || !q->accepts) {
        dsa_software_error(s, wq, d, DSA_SWERR_WQ_OFF, 0);
        return;
    }
    if (q->waiting + q->running >= lduw_le_p(&s->regs[dsa_wqcfg(wq)])) {
        dsa_software_error(s, wq, d, DSA_SWERR_WQ_FULL, 0);
        return;
    }
    s->counters[DSA_N_SUBMITTED]++;
    work = g_new0(DSAWork, 1);
    work->wq = wq;
    work->desc = *d;
    QTAILQ_INSERT_TAIL(&q->works, work, next);
    q->waiting++;
    dsa_schedule(s);
}

bool dsa_busy(DSAState *s, uint32_t wqs)
{
    unsigned wq;

    for (wq = 0; wq < DSA_WQS; wq++) {
        if (wqs & 1u << wq && (s->wqs[wq].waiting || s->wqs[wq].running)) {
            return true;
        }
    }
    return false;
}

/* What waits and what is in the engines ends here, and nobody is told. */
void dsa_abort(DSAState *s, uint32_t wqs)
{
    unsigned i;

    for (i = 0; i < DSA_WQS; i++) {
        DSAQueue *q = &s->wqs[i];
        DSAWork *work;

        while (wqs & 1u << i && (work = QTAILQ_FIRST(&q->works))) {
            QTAILQ_REMOVE(&q->works, work, next);
            q->waiting--;
            dsa_work_free(work);
        }
    }
    for (i = 0; i < DSA_ENGINES; i++) {
        DSAEngine *engine = &s->engines[i];
        DSAWork *work = engine->work;

        if (!work || !(wqs & 1u << work->wq)) {
            continue;
        }
        timer_del(&engine->timer);
        s->wqs[work->wq].running--;
        if (work->held) {
            s->counters[DSA_N_HELD]--;
        }
        engine->work = NULL;
        dsa_work_free(work);
    }
}

void dsa_release_held(DSAState *s)
{
    unsigned i;

    for (i = 0; i < DSA_ENGINES; i++) {
        if (s->engines[i].work && s->engines[i].work->held) {
            timer_mod(&s->engines[i].timer,
                      qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
        }
    }
}

void dsa_work_init(DSAState *s)
{
    unsigned i;

    for (i = 0; i < DSA_WQS; i++) {
        QTAILQ_INIT(&s->wqs[i].works);
    }
    for (i = 0; i < DSA_ENGINES; i++) {
        s->engines[i].dsa = s;
        s->engines[i].id = i;
        timer_init_ns(&s->engines[i].timer, QEMU_CLOCK_VIRTUAL,
                      dsa_engine_timer, &s->engines[i]);
    }
}

void dsa_work_exit(DSAState *s)
{
    dsa_abort(s, MAKE_64BIT_MASK(0, DSA_WQS));
}
