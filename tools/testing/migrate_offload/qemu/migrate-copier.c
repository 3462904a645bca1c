/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device for benchmarks: copies memory in no time, and counts instructions
 *
 * Under -icount, one instruction of the guest takes a nanosecond of its time.
 * Hardware that copies takes none of the CPU's; a simulation in the guest would.
 * So it has this device copy, at the moment at which the hardware would be done.
 *
 * Ports, 32 bit wide, of an ISA device (iobase, 0x5c0 unless told):
 *
 *   0  read    "MOCP", as a number
 *      write   the low half of the physical address of a list
 *   4  write   the high half; does what the list says, before it returns
 *   8  read    instructions executed so far, the low half
 *  12  read    and the high half, of the same moment
 *
 * A list is a number of copies, the physical address of the first, and how many
 * bytes it is from one to the next. A copy is source, destination and length. All
 * of that has 64 bits, little endian. What is not memory is passed over.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/module.h"
#include "exec/address-spaces.h"
#include "hw/isa/isa.h"
#include "hw/qdev-properties.h"
#include "sysemu/cpu-timers.h"

#define TYPE_MIGRATE_COPIER "migrate-copier"
OBJECT_DECLARE_SIMPLE_TYPE(CopierState, MIGRATE_COPIER)

#define COPIER_MAGIC 0x4d4f4350

struct CopierState {
    ISADevice isa;
    MemoryRegion io;
    uint32_t iobase;
    uint32_t low;           /* of the list's address */
    uint32_t high;          /* of the instructions read last */
};

struct copier_list {
    uint64_t nr;
    uint64_t first;
    uint64_t stride;
};

struct copier_copy {
    uint64_t src;
    uint64_t dst;
    uint64_t len;
};

static void copier_copy(uint64_t src, uint64_t dst, uint64_t len)
{
    while (len) {
        hwaddr from_len = len, to_len = len;
        MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;
        void *from = address_space_map(&address_space_memory, src, &from_len,
                                       false, attrs);
        void *to = address_space_map(&address_space_memory, dst, &to_len,
                                     true, attrs);
        hwaddr part = MIN(from_len, to_len);

        if (from && to) {
            memmove(to, from, part);
        }
        if (to) {
            address_space_unmap(&address_space_memory, to, to_len, true, part);
        }
        if (from) {
            address_space_unmap(&address_space_memory, from, from_len, false,
                                part);
        }
        if (!from || !to || !part) {
            return;
        }
        src += part;
        dst += part;
        len -= part;
    }
}

static void copier_run(uint64_t addr)
{
    struct copier_list list = { 0 };
    struct copier_copy copy;
    uint64_t nr;

    cpu_physical_memory_read(addr, &list, sizeof(list));
    addr = le64_to_cpu(list.first);
    for (nr = le64_to_cpu(list.nr); nr; nr--) {
        cpu_physical_memory_read(addr, &copy, sizeof(copy));
        addr += le64_to_cpu(list.stride);
        copier_copy(le64_to_cpu(copy.src), le64_to_cpu(copy.dst),
                    le64_to_cpu(copy.len));
    }
}

static uint64_t copier_io_read(void *opaque, hwaddr addr, unsigned size)
{
    CopierState *s = opaque;
    uint64_t count;

    switch (addr) {
    case 0:
        return COPIER_MAGIC;
    case 8:
        count = icount_enabled() ? icount_get_raw() : 0;
        s->high = count >> 32;
        return (uint32_t)count;
    case 12:
        return s->high;
    default:
        return 0;
    }
}

static void copier_io_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
    CopierState *s = opaque;

    switch (addr) {
    case 0:
        s->low = value;
        break;
    case 4:
        copier_run(value << 32 | s->low);
        break;
    }
}

static const MemoryRegionOps copier_io_ops = {
    .read = copier_io_read,
    .write = copier_io_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

static void copier_realize(DeviceState *dev, Error **errp)
{
    CopierState *s = MIGRATE_COPIER(dev);

    memory_region_init_io(&s->io, OBJECT(dev), &copier_io_ops, s,
                          TYPE_MIGRATE_COPIER, 16);
    isa_register_ioport(&s->isa, &s->io, s->iobase);
}

static Property copier_properties[] = {
    DEFINE_PROP_UINT32("iobase", CopierState, iobase, 0x5c0),
    DEFINE_PROP_END_OF_LIST(),
};

static void copier_class_init(ObjectClass *class, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(class);

    dc->realize = copier_realize;
    dc->desc = "Copies memory in no time (for benchmarks)";
    device_class_set_props(dc, copier_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo copier_info = {
    .name = TYPE_MIGRATE_COPIER,
    .parent = TYPE_ISA_DEVICE,
    .instance_size = sizeof(CopierState),
    .class_init = copier_class_init,
};

static void copier_register(void)
{
    type_register_static(&copier_info);
}
type_init(copier_register)
