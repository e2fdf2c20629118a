/*
 * suite - the table of cipher suites (PROTOCOL.md, "Suites"). A new suite is one entry in this table.
 * ROTn is not here: it is no cipher (see rot.h).
 */
#ifndef XPONY_SUITE_H
#define XPONY_SUITE_H

#include <stdbool.h>
#include <stddef.h>

#define SUITE_MAX 8         /* suites in one list */
#define SUITE_NAME_MAX 40   /* octets in one name, without NUL */

struct suite {
	const char *name;  /* as on the wire, e.g. "x25519-chachapoly" */
	const char *noise; /* the Noise protocol name */
	bool psk3;         /* Noise psk3 modifier: a KEM secret (kem.h) is mixed in before payload 3 */
	int bits;          /* for sendmail's {cipher_bits} */
};

struct suite_list {
	const struct suite *suite[SUITE_MAX]; /* most preferred first */
	size_t count;
};

/* The suite of that name (n characters), or NULL: unknown names are no fault. */
const struct suite *suite_find(const char *name, size_t n);
/* All suites, most preferred first. */
void suite_list_default(struct suite_list *list);
/* Parses "a,b": false on an unknown or repeated name, an empty list or more than SUITE_MAX. */
bool suite_list_parse(struct suite_list *list, const char *text);
/* Writes "a,b" NUL-terminated; cap must be at least SUITE_MAX * (SUITE_NAME_MAX + 1). */
void suite_list_format(const struct suite_list *list, char *text, size_t cap);
/* The most preferred of ours that occurs in the peer's comma-separated text (n characters);
 * NULL when none does. */
const struct suite *suite_choose(const struct suite_list *ours, const char *theirs, size_t n);

#endif
