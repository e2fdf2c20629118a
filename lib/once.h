/*
 * once - finds the line of a configuration file whose subject has had a line before. Used by
 * policy.c and receiver/peers.c.
 */
#ifndef BLACKPONY_ONCE_H
#define BLACKPONY_ONCE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/words.h"

struct once { /* zeroed at first */
	struct once_subject *subject;
	size_t count, cap;
};

/* Notes that the present line is for the subject id, written as word. False: no memory, and
 * words->why says so. */
bool once_add(
    struct once *o, struct words *words, const struct word *word, const void *id, size_t n);
/* False with the first line that is for a subject of an earlier one in words->why. */
bool once_check(struct once *o, struct words *words);
void once_free(struct once *o);

#endif
