/*
 * once - see once.h.
 */
#include "lib/once.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

struct once_subject {
	uint8_t hash[crypto_generichash_BYTES_MIN];
	struct word word;
	unsigned line;
};

bool
once_add(struct once *o, struct words *words, const struct word *word, const void *id, size_t n)
{
	struct once_subject *grown, *at;

	if (o->count == o->cap) {
		o->cap = o->cap > 0 ? 2 * o->cap : FIRST_ROOM;
		grown = reallocarray(o->subject, o->cap, sizeof(*grown));
		if (grown == NULL)
			return words_fault(
			    words, word, "is one line more than memory has room for");
		o->subject = grown;
	}
	at = &o->subject[o->count++];
	crypto_generichash(at->hash, sizeof(at->hash), id, n, NULL, 0);
	at->word = *word;
	at->line = words->line;
	return true;
}

static int
compare(const void *a, const void *b)
{
	const struct once_subject *x = a, *y = b;
	const int hash = memcmp(x->hash, y->hash, sizeof(x->hash));

	return hash != 0 ? hash : (x->line > y->line) - (x->line < y->line);
}

bool
once_check(struct once *o, struct words *words)
{
	const struct once_subject *second = NULL, *first = NULL;
	size_t i;

	if (o->count == 0)
		return true;
	qsort(o->subject, o->count, sizeof(*o->subject), compare);
	for (i = 1; i < o->count; i++) {
		const struct once_subject *x = &o->subject[i - 1], *y = &o->subject[i];

		if (memcmp(x->hash, y->hash, sizeof(x->hash)) == 0 &&
		    (second == NULL || y->line < second->line)) {
			first = x;
			second = y;
		}
	}
	if (second == NULL)
		return true;
	words->line = second->line;
	return words_fault(words, &second->word,
	    "stands in line %u already; make one line of the two", first->line);
}

void
once_free(struct once *o)
{
	free(o->subject);
	o->subject = NULL;
	o->count = o->cap = 0;
}
