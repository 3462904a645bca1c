// SPDX-License-Identifier: GPL-2.0
/*
 * Do mTHPs outlive migration? Reproducer of a bug of kernels with or without
 * migration offload: those that were migrated once were split the next time.
 * See patches/fixes/ of the project; not among the tests that have to pass.
 */
#include <string.h>

#include "mo_util.h"

int main(void)
{
	struct mo_mem mem;
	unsigned int i;
	int err;

	ksft_print_header();
	mo_find_nodes();
	if (mo_nr_nodes < 2)
		ksft_exit_skip("needs two nodes with memory\n");
	ksft_set_plan(4);
	err = mo_alloc(&mem, MO_MTHP, 8, mo_nodes[0]);
	if (err)
		ksft_exit_fail_msg("no memory: %s\n", strerror(-err));
	for (i = 1; i <= 4; i++) {
		err = mo_move(&mem, mo_nodes[i % 2]);
		ksft_test_result(!err && !mo_bad_bytes(&mem) && mo_whole(&mem),
				 "64K folios are whole after migration %u\n", i);
	}
	mo_free(&mem);
	ksft_finished();
}
