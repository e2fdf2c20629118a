/*
 * table - counts by name, in bounded memory whatever names there are: destinations, clients,
 * reasons of failures. Used by tally.c; read by the printers.
 *
 * When a table is full, the lighter half of its entries makes way, and is counted under
 * "others". So what is heavy is exact, unless it was once among the lightest of many; then the
 * rest of it is in others. Names come from the log: which bucket they fall into is keyed.
 */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NAME_MAX 256 /* octets of a name; the rest is cut off */

enum way {             /* how mail travelled */
	WAY_HYBRID,    /* XPONY with a suite that has ML-KEM */
	WAY_CLASSICAL, /* XPONY with another */
	WAY_STARTTLS,
	WAY_CLEAR, /* ROTn too */
	WAYS
};

enum ground { /* what spoke for a host's key, the words of trust= */
	GROUND_NEW,
	GROUND_KNOWN,
	GROUND_ANNOUNCED,
	GROUND_CHANGED,
	GROUND_LISTED,
	GROUND_DNS,
	GROUNDS
};

struct counts {
	uint64_t messages[WAYS];
	uint64_t sessions[WAYS]; /* that had a message, or were encrypted */
	uint64_t idle;           /* the other sessions: nothing sent, nothing encrypted */
	uint64_t refused;        /* recipients and messages */
	uint64_t failures;
	uint64_t
	    keys[GROUNDS]; /* sessions with a key on that ground; CHANGED: warnings of it */
};

struct entry {
	struct counts counts;
	char name[]; /* printable ASCII */
};

struct table {
	struct entry **slot; /* open addressing; slots is a power of two */
	size_t slots, used, most;
	struct counts others;
	uint64_t forgotten; /* entries that made way; one that came back counts again */
	uint8_t key[16];
};

/* most: how many names are kept, at least 2. False when out of memory. */
bool table_init(struct table *t, size_t most);
void table_free(struct table *t);

/* The counts under that name, made where there are none yet; NULL when out of memory. */
struct counts *table_at(struct table *t, const char *name, size_t n);

/* All entries, the heaviest first, then by name: the caller frees the array, not what it points
 * to. NULL when out of memory. */
struct entry **table_sorted(const struct table *t);

void counts_add(struct counts *sum, const struct counts *more);
uint64_t counts_messages(const struct counts *c);
uint64_t counts_sessions(const struct counts *c); /* idle ones too */
/* Of 100 messages, how many were encrypted: rounded down, so that 100 means all. -1: there are
 * none. */
int counts_percent(const struct counts *c);

#endif
