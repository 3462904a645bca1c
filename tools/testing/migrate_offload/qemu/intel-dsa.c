/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model of the Intel Data Streaming Accelerator: the PCI function
 *
 *	-device intel-dsa[,max-xfer-shift=21][,max-batch-shift=5][,evl=off]
 *		[,cache-control=off][,int-handles=on]
 *
 * Dedicated work queues without PASID, which is all that kernels need. What
 * the specification has beyond is not announced in the capabilities.
 *
 * The control port (BAR 4) sets speed and faults, and counts; see intel-dsa.h.
 * In a guest with Linux it is the file resource4 in sysfs.
 */
#include "intel-dsa.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"

enum {
    CMD_ENABLE_DEVICE = 1, CMD_DISABLE_DEVICE, CMD_DRAIN_ALL, CMD_ABORT_ALL,
    CMD_RESET_DEVICE, CMD_ENABLE_WQ, CMD_DISABLE_WQ, CMD_DRAIN_WQ,
    CMD_ABORT_WQ, CMD_RESET_WQ, CMD_DRAIN_PASID, CMD_ABORT_PASID,
    CMD_REQUEST_HANDLE, CMD_RELEASE_HANDLE,
};

enum {
    ERR_NONE            = 0x00,
    ERR_COMMAND         = 0x01,
    ERR_WQ_INDEX        = 0x02,
    ERR_DEV_ENABLED     = 0x10,
    ERR_CONFIG          = 0x11,
    ERR_BUS_MASTER      = 0x12,
    ERR_WQ_SIZES        = 0x14,
    ERR_GROUP           = 0x15,
    ERR_DEV_NOT_ENABLED = 0x20,
    ERR_WQ_ENABLED      = 0x21,
    ERR_WQ_SIZE         = 0x22,
    ERR_WQ_MODE         = 0x24,
    ERR_WQ_BOF          = 0x25,
    ERR_WQ_PASID        = 0x26,
    ERR_WQ_MAX_BATCH    = 0x27,
    ERR_WQ_MAX_XFER     = 0x28,
    ERR_DISABLE         = 0x31,
    ERR_NOT_ENABLED     = 0x32,
    ERR_HANDLE_INDEX    = 0x41,
};

#define CMD_INT_REQUEST (1u << 31)
#define CMDSTS_ACTIVE   (1u << 31)
#define ALL_WQS         MAKE_64BIT_MASK(0, DSA_WQS)

/*
 * Interrupts
 */

void dsa_interrupt(DSAState *s, uint32_t cause)
{
    dsa_set32(s, DSA_INTCAUSE, dsa_get32(s, DSA_INTCAUSE) | cause);
    msix_notify(&s->pci, 0);
}

bool dsa_handle_valid(DSAState *s, unsigned handle)
{
    return handle > s->handle_base && handle < s->handle_base + DSA_VECTORS;
}

void dsa_interrupt_wq(DSAState *s, unsigned handle)
{
    s->counters[DSA_N_INTERRUPTS]++;
    msix_notify(&s->pci, handle - s->handle_base);
}

void dsa_software_error(DSAState *s, int wq, const DSADesc *d, uint8_t error,
                        uint64_t addr)
{
    uint64_t value = dsa_get64(s, DSA_SWERR);

    s->counters[DSA_N_SWERRS]++;
    if (value & 1) {
        dsa_set64(s, DSA_SWERR, value | 2);
        return;
    }
    value = 1 | (uint64_t)error << 8;
    if (wq >= 0) {
        value |= 1 << 3 | (uint64_t)wq << 16;
    }
    if (d) {
        value |= 1 << 2 | (uint64_t)dsa_desc_op(d) << 32;
    }
    dsa_set64(s, DSA_SWERR, value);
    dsa_set64(s, DSA_SWERR + 8, 0);
    dsa_set64(s, DSA_SWERR + 16, addr);
    dsa_set64(s, DSA_SWERR + 24, 0);
    if (dsa_get32(s, DSA_GENCTRL) & 1) {
        dsa_interrupt(s, DSA_INT_SWERR);
    }
}

/*
 * Commands
 */

static void dsa_reset_registers(DSAState *s)
{
    memset(s->regs, 0, sizeof(s->regs));
    memset(s->stage, 0, sizeof(s->stage));
    dsa_set32(s, DSA_VERSION, 0x100);
    dsa_set64(s, DSA_GENCAP,
              1ull << 1 |                           /* overlapping copies */
              (s->cache_control ? 1ull << 2 : 0) |
              (s->int_handles ? 1ull << 4 : 0) |
              1ull << 8 |                           /* destination readback */
              (s->evl ? 1ull << 13 : 0) |           /* entries of 64 bytes */
              (uint64_t)s->max_xfer_shift << 16 |
              (uint64_t)s->max_batch_shift << 21 |
              1ull << 31);                          /* can be configured */
    dsa_set64(s, DSA_WQCAP, DSA_WQ_ENTRIES | (uint64_t)DSA_WQS << 16 |
              1ull << 24 |                          /* 64 bytes each */
              1ull << 49 |                          /* dedicated */
              1ull << 51 | 1ull << 54);             /* priority, operations */
    dsa_set64(s, DSA_GRPCAP, DSA_GROUPS | 96ull << 8);
    dsa_set64(s, DSA_ENGCAP, DSA_ENGINES);
    dsa_set64(s, DSA_OPCAP, (1ull << DSA_OPS) - 1);
    dsa_set64(s, DSA_OFFSETS, DSA_GRPCFG >> 8 |
              (uint64_t)(DSA_WQCFG >> 8) << 16 |
              (uint64_t)(DSA_MSIXPERM >> 8) << 32);
    if (s->int_handles) {
        dsa_set32(s, DSA_CMDCAP, ((1u << (CMD_RELEASE_HANDLE + 1)) - 1) & ~1u);
    }
}

/* Everything stops; what was in flight is gone. */
static void dsa_reset_device(DSAState *s)
{
    unsigned i;

    dsa_abort(s, ALL_WQS);
    for (i = 0; i < DSA_WQS; i++) {
        s->wqs[i].enabled = s->wqs[i].accepts = false;
    }
    s->command = 0;
    dsa_reset_registers(s);
}

static void dsa_wq_state(DSAState *s, unsigned wq, bool enabled)
{
    unsigned reg = dsa_wqcfg(wq) + 24;

    s->wqs[wq].enabled = s->wqs[wq].accepts = enabled;
    dsa_set32(s, reg, (dsa_get32(s, reg) & 0x3fffffff) | enabled << 30);
}

static uint8_t dsa_enable_device(DSAState *s)
{
    unsigned i, entries = 0;

    if (dsa_state(s) != DSA_DISABLED) {
        return ERR_DEV_ENABLED;
    }
    if (!(pci_get_word(s->pci.config + PCI_COMMAND) & PCI_COMMAND_MASTER)) {
        return ERR_BUS_MASTER;
    }
    for (i = 0; i < DSA_WQS; i++) {
        entries += lduw_le_p(&s->regs[dsa_wqcfg(i)]);
    }
    if (entries > DSA_WQ_ENTRIES) {
        return ERR_WQ_SIZES;
    }
    for (i = 0; i < DSA_GROUPS; i++) {
        unsigned reg = DSA_GRPCFG + i * DSA_GRPCFG_SIZE;

        if (dsa_get64(s, reg) && !dsa_get64(s, reg + 32)) {
            return ERR_GROUP;
        }
    }
    dsa_set32(s, DSA_GENSTS, DSA_ENABLED);
    return ERR_NONE;
}

static uint8_t dsa_enable_wq(DSAState *s, unsigned wq)
{
    unsigned reg;
    uint32_t mode, limits;

    if (wq >= DSA_WQS) {
        return ERR_WQ_INDEX;
    }
    reg = dsa_wqcfg(wq);
    mode = dsa_get32(s, reg + 8);
    limits = dsa_get32(s, reg + 12);
    if (dsa_state(s) != DSA_ENABLED) {
        return ERR_DEV_NOT_ENABLED;
    }
    if (s->wqs[wq].enabled) {
        return ERR_WQ_ENABLED;
    }
    if (!lduw_le_p(&s->regs[reg])) {
        return ERR_WQ_SIZE;
    }
    if (!(mode & 1)) {
        return ERR_WQ_MODE;
    }
    if (mode & 2) {
        return ERR_WQ_BOF;
    }
    if (mode & 1u << 28) {
        return ERR_WQ_PASID;
    }
    if ((limits & 31) > s->max_xfer_shift) {
        return ERR_WQ_MAX_XFER;
    }
    if ((limits >> 5 & 15) > s->max_batch_shift) {
        return ERR_WQ_MAX_BATCH;
    }
    dsa_wq_state(s, wq, true);
    return ERR_NONE;
}

static void dsa_command_done(DSAState *s, uint32_t command, uint8_t error,
                             uint16_t result)
{
    dsa_set32(s, DSA_CMDSTS, error | result << 8);
    if (command & CMD_INT_REQUEST) {
        dsa_interrupt(s, DSA_INT_CMD);
    }
}

static uint32_t dsa_operand_wqs(uint32_t operand)
{
    return operand >> 16 ? 0 : operand & ALL_WQS;
}

/* The work that a command was waiting for has ended. */
static void dsa_command_finish(DSAState *s, uint32_t command, uint32_t wqs)
{
    unsigned code = command >> 20 & 0x1f, wq;

    switch (code) {
    case CMD_RESET_DEVICE:
        dsa_reset_device(s);
        break;
    case CMD_DISABLE_DEVICE:
        dsa_set32(s, DSA_GENSTS, DSA_DISABLED);
        /* fall through */
    case CMD_DISABLE_WQ:
    case CMD_RESET_WQ:
        for (wq = 0; wq < DSA_WQS; wq++) {
            if (!(wqs & 1u << wq)) {
                continue;
            }
            dsa_wq_state(s, wq, false);
            if (code == CMD_RESET_WQ) {
                memset(&s->regs[dsa_wqcfg(wq)], 0, DSA_WQCFG_SIZE);
            }
        }
        break;
    }
    dsa_command_done(s, command, ERR_NONE, 0);
}

void dsa_work_ended(DSAState *s)
{
    uint32_t command = s->command;

    if (command && !dsa_busy(s, s->command_wqs)) {
        s->command = 0;
        dsa_command_finish(s, command, s->command_wqs);
    }
}

static void dsa_command_wait(DSAState *s, uint32_t command, uint32_t wqs,
                             bool abort, bool refuse)
{
    unsigned wq;

    dsa_set32(s, DSA_CMDSTS, CMDSTS_ACTIVE);
    for (wq = 0; refuse && wq < DSA_WQS; wq++) {
        if (wqs & 1u << wq) {
            s->wqs[wq].accepts = false;
        }
    }
    if (abort) {
        dsa_abort(s, wqs);
    }
    s->command = command;
    s->command_wqs = wqs;
    dsa_work_ended(s);
}

static void dsa_command(DSAState *s, uint32_t command)
{
    unsigned code = command >> 20 & 0x1f, state = dsa_state(s);
    uint32_t operand = command & 0xfffff;
    uint32_t wqs = dsa_operand_wqs(operand);
    uint8_t error = ERR_NONE;
    uint16_t result = 0;

    if (dsa_get32(s, DSA_CMDSTS) & CMDSTS_ACTIVE) {
        qemu_log_mask(LOG_GUEST_ERROR, "dsa: command %u while busy\n", code);
        return;
    }
    switch (code) {
    case CMD_ENABLE_DEVICE:
        error = dsa_enable_device(s);
        break;
    case CMD_ENABLE_WQ:
        error = dsa_enable_wq(s, operand);
        break;
    case CMD_RESET_DEVICE:
        dsa_command_wait(s, command, ALL_WQS, true, true);
        return;
    case CMD_DISABLE_DEVICE:
        if (state == DSA_ENABLED) {
            dsa_command_wait(s, command, ALL_WQS, false, true);
            return;
        }
        error = ERR_DISABLE;
        break;
    case CMD_DRAIN_ALL:
    case CMD_DRAIN_PASID:
    case CMD_ABORT_ALL:
    case CMD_ABORT_PASID:
        wqs = ALL_WQS;
        /* fall through */
    case CMD_DRAIN_WQ:
    case CMD_ABORT_WQ:
    case CMD_DISABLE_WQ:
    case CMD_RESET_WQ:
        if (!wqs) {
            error = ERR_WQ_INDEX;
        } else if (state != DSA_ENABLED) {
            error = ERR_NOT_ENABLED;
        } else {
            dsa_command_wait(s, command, wqs,
                             code == CMD_ABORT_ALL || code == CMD_ABORT_PASID ||
                             code == CMD_ABORT_WQ || code == CMD_RESET_WQ,
                             code == CMD_DISABLE_WQ || code == CMD_RESET_WQ);
            return;
        }
        break;
    case CMD_REQUEST_HANDLE:
        if (!s->int_handles) {
            error = ERR_COMMAND;
        } else if ((operand & 0xffff) >= DSA_VECTORS) {
            error = ERR_HANDLE_INDEX;
        } else {
            result = s->handle_base + (operand & 0xffff);
        }
        break;
    case CMD_RELEASE_HANDLE:
        error = s->int_handles ? ERR_NONE : ERR_COMMAND;
        break;
    default:
        error = ERR_COMMAND;
    }
    dsa_command_done(s, command, error, result);
}

/* What the engines have will never end; nor do they touch it any more. */
static void dsa_halt(DSAState *s, unsigned reset_type)
{
    dsa_abort(s, ALL_WQS);
    dsa_set32(s, DSA_GENSTS, DSA_HALTED | reset_type << 2);
    if (dsa_get32(s, DSA_GENCTRL) & 2) {
        dsa_interrupt(s, DSA_INT_HALT);
    }
}

/*
 * BAR 0: registers
 */

static uint64_t dsa_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    DSAState *s = opaque;

    if (addr + size > DSA_REGS_SIZE) {
        return 0;
    }
    return size == 8 ? dsa_get64(s, addr) : dsa_get32(s, addr);
}

static bool dsa_is_in(hwaddr addr, unsigned start, unsigned size)
{
    return addr >= start && addr < start + size;
}

static void dsa_regs_write32(DSAState *s, hwaddr addr, uint32_t value)
{
    bool disabled = dsa_state(s) == DSA_DISABLED;

    switch (addr) {
    case DSA_CMD:
        dsa_command(s, value);
        return;
    case DSA_INTCAUSE:
        dsa_set32(s, addr, dsa_get32(s, addr) & ~value);
        return;
    case DSA_SWERR:
        dsa_set32(s, addr, dsa_get32(s, addr) & ~(value & 3));
        return;
    case DSA_SWERR + 4:         /* the rest of a write of 64 bits */
        return;
    case DSA_GENCTRL:
        dsa_set32(s, addr, value & 7);
        return;
    case DSA_EVLSTATUS:         /* the driver's side of it */
        stw_le_p(&s->regs[addr], value);
        return;
    case DSA_EVLSTATUS + 4:
        dsa_set32(s, addr, dsa_get32(s, addr) & ~(value & 1u << 30));
        return;
    case DSA_GENCFG:
    case DSA_EVLCFG ... DSA_EVLCFG + 12:
        if (disabled) {
            dsa_set32(s, addr, value);
            return;
        }
        break;
    default:
        if (dsa_is_in(addr, DSA_MSIXPERM, DSA_VECTORS * 8)) {
            dsa_set32(s, addr, value);
            return;
        }
        /* The state of a work queue is not the driver's to write. */
        if (dsa_is_in(addr, DSA_WQCFG, DSA_WQS * DSA_WQCFG_SIZE)) {
            unsigned wq = (addr - DSA_WQCFG) / DSA_WQCFG_SIZE;

            if (!s->wqs[wq].enabled && (addr & (DSA_WQCFG_SIZE - 1)) != 24) {
                dsa_set32(s, addr, value);
            }
            return;
        }
        /* Written again, as it is, whenever a work queue is enabled. */
        if (dsa_is_in(addr, DSA_GRPCFG, DSA_GROUPS * DSA_GRPCFG_SIZE)) {
            dsa_set32(s, addr, value);
            return;
        }
    }
    qemu_log_mask(LOG_GUEST_ERROR, "dsa: %x written to %" HWADDR_PRIx "\n",
                  value, addr);
}

static void dsa_regs_write(void *opaque, hwaddr addr, uint64_t value,
                           unsigned size)
{
    if (addr + size > DSA_REGS_SIZE) {
        return;
    }
    dsa_regs_write32(opaque, addr, value);
    if (size == 8) {
        dsa_regs_write32(opaque, addr + 4, value >> 32);
    }
}

static const MemoryRegionOps dsa_regs_ops = {
    .read = dsa_regs_read,
    .write = dsa_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

/*
 * BAR 2: portals. The eight parts of a MOVDIR64B come together.
 */

static uint64_t dsa_portal_read(void *opaque, hwaddr addr, unsigned size)
{
    return UINT64_MAX;
}

static void dsa_portal_write(void *opaque, hwaddr addr, uint64_t value,
                             unsigned size)
{
    DSAState *s = opaque;
    unsigned wq = addr >> DSA_PORTALS_SHIFT;

    stq_le_p(&s->stage[wq][addr & 56], value);
    if ((addr & 56) == 56) {
        dsa_submit(s, wq, (const DSADesc *)s->stage[wq]);
    }
}

static const MemoryRegionOps dsa_portal_ops = {
    .read = dsa_portal_read,
    .write = dsa_portal_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 8, .max_access_size = 8 },
    .impl = { .min_access_size = 8, .max_access_size = 8 },
};

/*
 * BAR 4: control port
 */

static uint64_t dsa_control_read(void *opaque, hwaddr addr, unsigned size)
{
    DSAState *s = opaque;
    unsigned counter = (addr - DSA_CTL_COUNTERS) / 4;

    switch (addr) {
    case DSA_CTL_MAGIC:
        return 0x63415344;
    case DSA_CTL_LATENCY_US:
        return s->latency_us;
    case DSA_CTL_BANDWIDTH_MB:
        return s->bandwidth_mb;
    case DSA_CTL_FAULT:
        return s->fault;
    case DSA_CTL_COUNT:
        return s->count;
    case DSA_CTL_ARG:
        return s->arg;
    case DSA_CTL_LATE_MS:
        return s->late_ms;
    case DSA_CTL_STATE:
        return dsa_state(s);
    default:
        return addr >= DSA_CTL_COUNTERS && counter < DSA_N_COUNTERS ?
               s->counters[counter] : 0;
    }
}

static void dsa_control_action(DSAState *s, uint32_t action)
{
    uint32_t held = s->counters[DSA_N_HELD];

    switch (action) {
    case DSA_ACT_CLEAR:
        memset(s->counters, 0, sizeof(s->counters));
        s->counters[DSA_N_HELD] = held;
        break;
    case DSA_ACT_RELEASE:
        dsa_release_held(s);
        break;
    case DSA_ACT_HALT_RESET:
        dsa_halt(s, 0);
        break;
    case DSA_ACT_HALT_FLR:
        dsa_halt(s, 1);
        break;
    case DSA_ACT_SWERR:
        dsa_software_error(s, -1, NULL, DSA_ST_HW_ERROR, 0);
        break;
    }
}

static void dsa_control_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    DSAState *s = opaque;

    switch (addr) {
    case DSA_CTL_LATENCY_US:
        s->latency_us = value;
        break;
    case DSA_CTL_BANDWIDTH_MB:
        s->bandwidth_mb = value;
        break;
    case DSA_CTL_FAULT:
        s->fault = value < DSA_FAULTS ? value : DSA_FAULT_NONE;
        break;
    case DSA_CTL_COUNT:
        s->count = value;
        break;
    case DSA_CTL_ARG:
        s->arg = value;
        break;
    case DSA_CTL_LATE_MS:
        s->late_ms = value;
        break;
    case DSA_CTL_ACTION:
        dsa_control_action(s, value);
        break;
    }
}

static const MemoryRegionOps dsa_control_ops = {
    .read = dsa_control_read,
    .write = dsa_control_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/*
 * The PCI function
 */

/* Function level resets come here, too. */
static void dsa_reset(DeviceState *dev)
{
    dsa_reset_device(INTEL_DSA(dev));
}

static void dsa_config_write(PCIDevice *pci, uint32_t addr, uint32_t value,
                             int len)
{
    pci_default_write_config(pci, addr, value, len);
    pcie_cap_flr_write_config(pci, addr, value, len);
}

static void dsa_realize(PCIDevice *pci, Error **errp)
{
    DSAState *s = INTEL_DSA(pci);
    unsigned i;

    if (s->max_xfer_shift < 12 || s->max_xfer_shift > 31 ||
        s->max_batch_shift > 15) {
        error_setg(errp, "max-xfer-shift is 12 to 31, max-batch-shift at most 15");
        return;
    }
    if (pcie_endpoint_cap_init(pci, 0x80) < 0) {
        error_setg(errp, "intel-dsa is a PCI Express device");
        return;
    }
    pcie_cap_flr_init(pci);
    s->handle_base = s->int_handles ? 0x100 : 0;
    memory_region_init_io(&s->bar0, OBJECT(s), &dsa_regs_ops, s, "dsa-regs",
                          DSA_BAR0_SIZE);
    memory_region_init_io(&s->portals, OBJECT(s), &dsa_portal_ops, s,
                          "dsa-portals", DSA_WQS << DSA_PORTALS_SHIFT);
    memory_region_init_io(&s->control, OBJECT(s), &dsa_control_ops, s,
                          "dsa-control", DSA_CTL_SIZE);
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar0);
    pci_register_bar(pci, 2, PCI_BASE_ADDRESS_MEM_TYPE_64, &s->portals);
    pci_register_bar(pci, 4, PCI_BASE_ADDRESS_SPACE_IO, &s->control);
    if (msix_init(pci, DSA_VECTORS, &s->bar0, 0, DSA_MSIX_TABLE, &s->bar0, 0,
                  DSA_MSIX_PBA, 0x60, errp)) {
        return;
    }
    for (i = 0; i < DSA_VECTORS; i++) {
        msix_vector_use(pci, i);
    }
    dsa_work_init(s);
    dsa_reset_registers(s);
}

static void dsa_exit(PCIDevice *pci)
{
    DSAState *s = INTEL_DSA(pci);

    dsa_work_exit(s);
    msix_uninit(pci, &s->bar0, &s->bar0);
}

static Property dsa_properties[] = {
    DEFINE_PROP_UINT8("max-xfer-shift", DSAState, max_xfer_shift,
                      DSA_MAX_XFER_SHIFT),
    DEFINE_PROP_UINT8("max-batch-shift", DSAState, max_batch_shift,
                      DSA_MAX_BATCH_SHIFT),
    DEFINE_PROP_BOOL("evl", DSAState, evl, true),
    DEFINE_PROP_BOOL("cache-control", DSAState, cache_control, true),
    DEFINE_PROP_BOOL("int-handles", DSAState, int_handles, false),
    DEFINE_PROP_END_OF_LIST(),
};

static void dsa_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = dsa_realize;
    k->exit = dsa_exit;
    k->config_write = dsa_config_write;
    k->vendor_id = PCI_VENDOR_ID_INTEL;
    k->device_id = 0x0b25;
    k->class_id = PCI_CLASS_SYSTEM_OTHER;
    dc->desc = "Intel Data Streaming Accelerator";
    dc->reset = dsa_reset;
    device_class_set_props(dc, dsa_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo dsa_info = {
    .name = TYPE_INTEL_DSA,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(DSAState),
    .class_init = dsa_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_PCIE_DEVICE }, { }
    },
};

static void dsa_register_types(void)
{
    type_register_static(&dsa_info);
}

type_init(dsa_register_types)
