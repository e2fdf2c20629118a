/*
 * advice - which lines of the policy file would do most (doc/blackpony-mailer.8, "Policy"): for
 * destinations whose mail is always encrypted but need not be, a line that holds them to it;
 * for those with mail in clear, the line for when they are ready. Called by main.c when all
 * logs are read.
 */
#ifndef REPORT_ADVICE_H
#define REPORT_ADVICE_H

#include "report/tally.h"

#define ADVICE_MAX 10
#define ADVICE_SESSIONS 3 /* with fewer a destination is not known well enough */

struct hint {
	const struct entry *destination;
	const char *words; /* of the policy line: "pinned pq" */
	const char *why;   /* one sentence */
	uint64_t messages; /* that the line would have been about */
	bool ready;        /* it would have stopped no mail */
};

struct advice {
	struct hint hint[ADVICE_MAX]; /* the ready ones first, each by messages */
	size_t count;
};

/* Destinations that the policy file holds to as much already get none. A file that cannot be
 * read is said on standard error, and not taken into account. False when out of memory. */
bool advice_give(struct advice *a, const struct tally *t, const char *policy_file);

#endif
