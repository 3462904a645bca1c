/* SPDX-License-Identifier: GPL-2.0 */
/* What fault-matrix asks of those who can break a controller. */
#ifndef FAULT_H
#define FAULT_H

#include "mo_util.h"

#define TIMEOUT_MS	500
/* For emulated machines on busy hosts: far from "for ever", that is all. */
#define MARGIN_MS	20000

/* A row of the table. The first member of what the controller knows of it. */
struct fault {
	const char *name;
	bool dies;			/* the engine may be taken out of service */
	bool none;			/* it is no fault: nothing goes to the CPU */
	bool errors;			/* one after the other is a reason, too */
	bool removes;			/* or the whole engine goes */
	bool writes;			/* after it was told of an error */
};

struct controller {
	const char *engine;
	/* The row of this number, or NULL after the last one. */
	const struct fault *(*row)(unsigned int nr);
	/* Off and on again, as the row wants it, or NULL: as it should be. */
	bool (*bind)(const struct fault *fault);
	/* From now on, or a little later. */
	void (*inject)(const struct fault *fault);
	/* It has, or that cannot be told. */
	bool (*happened)(const struct fault *fault);
	void (*stop)(void);
	/* After a row that removes: until it is off. */
	bool (*removed)(const struct fault *fault);
	/* What the reset of a failed engine wants first, and wants undone. */
	void (*before_reset)(const struct fault *fault);
	void (*after_reset)(const struct fault *fault);
	/* After a row that writes: until it has. */
	bool (*written)(const struct fault *fault);
	/* How many copies it has made. */
	long long (*copied)(void);
	/* It has not written where it must not. */
	bool (*behaved)(void);
};

extern const struct controller fault_dma, fault_dsa, fault_sdma;

bool fault_dma_there(void);
bool fault_dsa_there(void);
bool fault_sdma_there(void);

#endif /* FAULT_H */
