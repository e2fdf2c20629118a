/*
 * table - see table.h; called by tally.c.
 */
#include "report/table.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

_Static_assert(sizeof(((struct table *)0)->key) == crypto_shorthash_KEYBYTES, "a SipHash key");

bool
table_init(struct table *t, size_t most)
{
	memset(t, 0, sizeof(*t));
	t->most = most;
	for (t->slots = 4; t->slots < 2 * most; t->slots *= 2)
		;
	t->slot = calloc(t->slots, sizeof(struct entry *));
	crypto_shorthash_keygen(t->key);
	return t->slot != NULL;
}

void
table_free(struct table *t)
{
	for (size_t i = 0; t->slot != NULL && i < t->slots; i++)
		free(t->slot[i]);
	free(t->slot);
	t->slot = NULL;
}

/* Where that name is, or would be put. */
static struct entry **
find(const struct table *t, const char *name, size_t n)
{
	uint8_t digest[crypto_shorthash_BYTES];
	uint64_t at;

	(void)crypto_shorthash(digest, (const uint8_t *)name, n, t->key);
	memcpy(&at, digest, sizeof(at));
	for (;; at++) {
		struct entry **e = &t->slot[at & (t->slots - 1)];

		if (*e == NULL || (strncmp((*e)->name, name, n) == 0 && (*e)->name[n] == '\0'))
			return e;
	}
}

static int
descending(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int
by_weight(const void *x, const void *y)
{
	const struct entry *a = *(struct entry *const *)x, *b = *(struct entry *const *)y;
	int order = descending(counts_messages(&a->counts), counts_messages(&b->counts));

	if (order == 0)
		order = descending(counts_sessions(&a->counts), counts_sessions(&b->counts));
	if (order == 0)
		order = descending(a->counts.failures, b->counts.failures);
	return order != 0 ? order : strcmp(a->name, b->name);
}

struct entry **
table_sorted(const struct table *t)
{
	struct entry **list = calloc(t->used + 1, sizeof(struct entry *));
	size_t n = 0;

	for (size_t i = 0; list != NULL && i < t->slots; i++)
		if (t->slot[i] != NULL)
			list[n++] = t->slot[i];
	if (list != NULL)
		qsort(list, n, sizeof(struct entry *), by_weight);
	return list;
}

static bool
make_room(struct table *t)
{
	struct entry **list = table_sorted(t);
	const size_t used = t->used;

	if (list == NULL)
		return false;
	memset(t->slot, 0, t->slots * sizeof(struct entry *));
	t->used = used / 2;
	for (size_t i = 0; i < used; i++) {
		if (i < t->used) {
			*find(t, list[i]->name, strlen(list[i]->name)) = list[i];
			continue;
		}
		counts_add(&t->others, &list[i]->counts);
		t->forgotten++;
		free(list[i]);
	}
	free(list);
	return true;
}

struct counts *
table_at(struct table *t, const char *name, size_t n)
{
	struct entry **e;

	if (n > TABLE_NAME_MAX)
		n = TABLE_NAME_MAX;
	e = find(t, name, n);
	if (*e == NULL && t->used == t->most) {
		if (!make_room(t))
			return NULL;
		e = find(t, name, n);
	}
	if (*e == NULL) {
		*e = calloc(1, sizeof(**e) + n + 1);
		if (*e == NULL)
			return NULL;
		memcpy((*e)->name, name, n);
		t->used++;
	}
	return &(*e)->counts;
}

void
counts_add(struct counts *sum, const struct counts *more)
{
	for (int i = 0; i < WAYS; i++) {
		sum->messages[i] += more->messages[i];
		sum->sessions[i] += more->sessions[i];
	}
	for (int i = 0; i < GROUNDS; i++)
		sum->keys[i] += more->keys[i];
	sum->idle += more->idle;
	sum->refused += more->refused;
	sum->failures += more->failures;
}

uint64_t
counts_messages(const struct counts *c)
{
	return c->messages[WAY_HYBRID] + c->messages[WAY_CLASSICAL] +
	       c->messages[WAY_STARTTLS] + c->messages[WAY_CLEAR];
}

uint64_t
counts_sessions(const struct counts *c)
{
	return c->sessions[WAY_HYBRID] + c->sessions[WAY_CLASSICAL] +
	       c->sessions[WAY_STARTTLS] + c->sessions[WAY_CLEAR] + c->idle;
}

int
counts_percent(const struct counts *c)
{
	const uint64_t all = counts_messages(c);

	if (all == 0)
		return -1;
	return (int)((double)(all - c->messages[WAY_CLEAR]) * 100 / (double)all);
}
