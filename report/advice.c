/*
 * advice - see advice.h; called by main.c.
 */
#include "report/advice.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy.h"

#define TRIES 1000 /* destinations looked at, the heaviest first */

/* What a destination is known to do. */
struct record {
	uint64_t hybrid, xpony, encrypted, all; /* messages */
	uint64_t sessions, known, dns;
	bool changed;
};

static void
look_at(struct record *r, const struct counts *c)
{
	r->hybrid = c->messages[WAY_HYBRID];
	r->xpony = r->hybrid + c->messages[WAY_CLASSICAL];
	r->encrypted = r->xpony + c->messages[WAY_STARTTLS];
	r->all = counts_messages(c);
	r->sessions = c->sessions[WAY_HYBRID] + c->sessions[WAY_CLASSICAL];
	r->known = c->keys[GROUND_KNOWN] + c->keys[GROUND_ANNOUNCED] + c->keys[GROUND_DNS];
	r->dns = c->keys[GROUND_DNS];
	r->changed = c->keys[GROUND_CHANGED] > 0;
}

/* The strongest words that would have let all of this mail through. */
static void
choose(struct hint *h, struct policy *p, const struct record *r)
{
	p->pq = r->hybrid == r->all;
	p->level = POLICY_ENCRYPT;
	h->ready = r->encrypted == r->all;
	h->messages = h->ready ? r->all : r->all - r->encrypted;
	if (!h->ready) {
		h->words = "encrypt";
		h->why = r->encrypted > 0 ? "some of it in clear, which the line would defer"
					  : "all in clear: the line would defer all of it";
	} else if (r->xpony < r->all) {
		h->words = "encrypt";
		h->why = "always XPONY or STARTTLS";
	} else if (r->dns == r->sessions) {
		p->level = POLICY_VERIFY;
		h->words = p->pq ? "verify pq" : "verify";
		h->why = "always XPONY, with a key that is in DNS";
	} else if (r->known > 0 && !r->changed) {
		p->level = POLICY_PINNED;
		h->words = p->pq ? "pinned pq" : "pinned";
		h->why = "always XPONY, with keys that did not change";
	} else {
		h->words = p->pq ? "encrypt pq" : "encrypt";
		h->why = r->changed ? "always XPONY, but a key has changed"
				    : "always XPONY, with keys that are all new";
	}
}

/* Does the line that is there demand as much, or something that our words would take away, or
 * has somebody said no? What is no destination cannot stand in a policy file. */
static bool
is_settled(const struct policy *wanted, const char *file, const char *destination, bool *faulty)
{
	char why[POLICY_REASON_MAX];
	struct policy p;

	if (!policy_parse(&p, "", "", 0, destination, why))
		return true;
	if (*faulty || file[0] == '\0')
		return false;
	if (!policy_find(&p, file, destination, why)) {
		warnx("%s", why);
		*faulty = true;
		return false;
	}
	return p.level == POLICY_NONE || p.keys > 0 || (p.pq && !wanted->pq) ||
	       p.level > wanted->level || (p.level == wanted->level && p.pq == wanted->pq);
}

static bool
has_place(const struct advice *a, const struct hint *h)
{
	return a->count < ADVICE_MAX || a->hint[a->count - 1].messages < h->messages;
}

/* At the place where it belongs; the last one makes way. */
static void
insert(struct advice *a, const struct hint *h)
{
	size_t at = a->count;

	if (a->count < ADVICE_MAX)
		a->count++;
	else
		at--;
	for (; at > 0 && a->hint[at - 1].messages < h->messages; at--)
		a->hint[at] = a->hint[at - 1];
	a->hint[at] = *h;
}

static int
ready_first(const void *x, const void *y)
{
	const struct hint *a = x, *b = y;

	if (a->ready != b->ready)
		return b->ready - a->ready;
	return (a->messages < b->messages) - (a->messages > b->messages);
}

bool
advice_give(struct advice *a, const struct tally *t, const char *policy_file)
{
	const struct table *table = &t->peers[SIDE_SENT];
	struct entry **list = table_sorted(table);
	bool faulty = false;

	memset(a, 0, sizeof(*a));
	for (size_t i = 0; list != NULL && i < table->used && i < TRIES; i++) {
		struct hint h = {.destination = list[i]};
		struct policy wanted = {.level = POLICY_MAY};
		struct record r;

		look_at(&r, &list[i]->counts);
		if (r.all == 0 || counts_sessions(&list[i]->counts) < ADVICE_SESSIONS)
			continue;
		choose(&h, &wanted, &r);
		if (has_place(a, &h) &&
		    !is_settled(&wanted, policy_file, list[i]->name, &faulty))
			insert(a, &h);
	}
	if (list != NULL)
		qsort(a->hint, a->count, sizeof(a->hint[0]), ready_first);
	free(list);
	return list != NULL;
}
