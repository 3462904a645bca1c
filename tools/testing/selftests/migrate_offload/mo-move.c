// SPDX-License-Identifier: GPL-2.0
/* Move memory with a pattern between two nodes, for scripts and by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mo_util.h"

static void explain(const char *name)
{
	int kind;

	fprintf(stderr,
		"usage: %s [-k KIND] [-n FOLIOS] [-r ROUNDS] FROM TO\n"
		"Moves between the nodes FROM and TO and back, ROUNDS times in all,\n"
		"and prints how many folios did not arrive and how many bytes differ.\n"
		"KIND:", name);
	for (kind = 0; kind < MO_NR_KINDS; kind++)
		fprintf(stderr, "%s %d %s", kind ? "," : "", kind,
			mo_kind_names[kind]);
	fprintf(stderr, "\n");
	exit(2);
}

int main(int argc, char **argv)
{
	unsigned int nr = 256, rounds = 1, round, left = 0;
	unsigned long long bad = 0;
	struct mo_mem mem;
	int kind = MO_ANON;
	int opt, err, node[2];

	while ((opt = getopt(argc, argv, "k:n:r:")) != -1) {
		if (opt == 'k')
			kind = atoi(optarg);
		else if (opt == 'n')
			nr = atoi(optarg);
		else if (opt == 'r')
			rounds = atoi(optarg);
		else
			explain(argv[0]);
	}
	if (argc - optind != 2 || kind < 0 || kind >= MO_NR_KINDS || !nr)
		explain(argv[0]);
	node[0] = atoi(argv[optind]);
	node[1] = atoi(argv[optind + 1]);

	mo_find_nodes();
	err = mo_alloc(&mem, kind, nr, node[0]);
	if (err) {
		fprintf(stderr, "no %s memory on node %d: %s\n",
			mo_kind_names[kind], node[0], strerror(-err));
		return 1;
	}
	for (round = 0; round < rounds; round++) {
		mo_fill(&mem);
		err = mo_move(&mem, node[~round & 1]);
		if (err < 0)
			fprintf(stderr, "move_pages: %s\n", strerror(-err));
		left += nr - mo_folios_on(&mem, node[~round & 1]);
		bad += mo_bad_bytes(&mem);
	}
	mo_free(&mem);
	printf("moved %u left %u bad %llu\n", rounds * nr - left, left, bad);
	return left || bad;
}
