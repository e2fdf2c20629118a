/*
 * tally - what the lines of the logs add up to: by day, by destination and client, keys,
 * failures. Filled by source.c line by line, in bounded memory; read by the printers.
 */
#ifndef REPORT_TALLY_H
#define REPORT_TALLY_H

#include "report/line.h"
#include "report/table.h"

#define TALLY_NAMES 65536  /* destinations kept, and clients */
#define TALLY_REASONS 1024 /* of failures, on either side */
#define TALLY_DAYS 4096    /* different days; lines of more are left out */
#define TALLY_EVENTS 50    /* of keys, the latest */

enum side { SIDE_SENT, SIDE_RECEIVED, SIDES };

struct day {
	int date; /* 20261121 */
	struct counts side[SIDES];
};

/* A key that was seen for the first time, or in the place of another. */
struct key_event {
	int64_t when;     /* 202611212300, as the log has it */
	const char *what; /* "new", "announced", "changed" */
	char destination[TABLE_NAME_MAX + 1], relay[TABLE_NAME_MAX + 1];
	char from[64], to[64]; /* fingerprints; from only with "changed" */
};

struct tally {
	int since;        /* earlier days are left out; 0: none is */
	uint64_t lines;   /* read in all */
	uint64_t counted; /* of blackpony, and in here */
	/* Of blackpony, and left out: before `since`, not in the form, of one day too many. */
	uint64_t early, unclear, late;
	struct day *day;   /* ascending */
	size_t days, last; /* last: the one found last */
	struct counts total[SIDES];
	struct table peers[SIDES];
	/* "what\treason", counted as failures. */
	struct table reasons[SIDES];
	struct key_event event[TALLY_EVENTS]; /* in no order */
	size_t events;
};

/* False when out of memory. */
bool tally_init(struct tally *t, int since);
void tally_free(struct tally *t);

/* One line. Where it says no year it is of the last one in which it is not after the day limit
 * (20261122). False when out of memory. */
bool tally_line(struct tally *t, const char *text, size_t n, int limit);

/* Puts the events in the order of their time, the latest first. At the end. */
void tally_sort_events(struct tally *t);

#endif
