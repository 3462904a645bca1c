/* SPDX-License-Identifier: GPL-2.0 */
/* The model of Intel DSA, through the control port that no real one has. */
#ifndef MO_DSA_H
#define MO_DSA_H

#include "mo_util.h"

#define MO_DSA_BUS	"/sys/bus/dsa"

/* As in tools/testing/migrate_offload/qemu/intel-dsa.h */
enum mo_dsa_reg {
	MO_DSA_MAGIC		= 0x00,
	MO_DSA_LATENCY_US	= 0x04,
	MO_DSA_BANDWIDTH_MB	= 0x08,
	MO_DSA_FAULT		= 0x0c,
	MO_DSA_COUNT		= 0x10,
	MO_DSA_ARG		= 0x14,
	MO_DSA_LATE_MS		= 0x18,
	MO_DSA_ACTION		= 0x1c,
	MO_DSA_SUBMITTED	= 0x20,
	MO_DSA_BATCHES		= 0x24,
	MO_DSA_COPIES		= 0x28,
	MO_DSA_KBYTES		= 0x2c,
	MO_DSA_INTERRUPTS	= 0x30,
	MO_DSA_REFUSED		= 0x34,
	MO_DSA_SWERRS		= 0x38,
	MO_DSA_CACHED		= 0x3c,
	MO_DSA_LATE		= 0x40,
	MO_DSA_HELD		= 0x44,
	MO_DSA_ERRORS		= 0x48,
	MO_DSA_EVL		= 0x4c,
	MO_DSA_STATE		= 0x70,
};

enum mo_dsa_state { MO_DSA_DISABLED, MO_DSA_ENABLED, MO_DSA_DRAINING, MO_DSA_HALTED };

enum mo_dsa_fault {
	MO_DSA_NO_FAULT,
	MO_DSA_ERROR,
	MO_DSA_PARTIAL,
	MO_DSA_SILENT,
	MO_DSA_LOSE,
	MO_DSA_HANG,
	MO_DSA_DELAY,
	MO_DSA_OUTER,
};

enum mo_dsa_action {
	MO_DSA_CLEAR = 1,
	MO_DSA_RELEASE,
	MO_DSA_HALT_RESET,
	MO_DSA_HALT_FLR,
	MO_DSA_SWERR,
};

/* Is there a model of the DSA with this number? */
bool mo_dsa_there(unsigned int dsa);
/* The directory of its PCI device, in sysfs. */
const char *mo_dsa_pci(unsigned int dsa);
__u32 mo_dsa_get(unsigned int dsa, enum mo_dsa_reg reg);
void mo_dsa_set(unsigned int dsa, enum mo_dsa_reg reg, __u32 value);
void mo_dsa_inject(unsigned int dsa, enum mo_dsa_fault fault, __u32 arg,
		   unsigned int times);
/* No faults, no latency, and what hangs goes on. */
void mo_dsa_calm(unsigned int dsa);

/* tools/mm/migrate-offload-dsa.sh, with "-q 2" and the like, or NULL. */
int mo_dsa_start(unsigned int dsa, const char *options);
int mo_dsa_stop(unsigned int dsa);
/* idxd itself is unbound from the PCI function, and bound again. */
bool mo_dsa_rebind(unsigned int dsa);

#endif /* MO_DSA_H */
