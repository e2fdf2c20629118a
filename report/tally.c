/*
 * tally - see tally.h; called by source.c.
 */
#include "report/tally.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libxpony/suite.h"

#define REASON_MAX (TABLE_NAME_MAX - 64) /* octets of a reason: what stands before it */
#define CHANGED "key changed from "

static const char *const ground_word[GROUNDS] = {
    [GROUND_NEW] = "new",
    [GROUND_KNOWN] = "known",
    [GROUND_ANNOUNCED] = "announced",
    [GROUND_CHANGED] = "changed",
    [GROUND_LISTED] = "listed",
    [GROUND_DNS] = "dns",
};

bool
tally_init(struct tally *t, int since)
{
	bool ok;

	memset(t, 0, sizeof(*t));
	t->since = since;
	t->day = calloc(TALLY_DAYS, sizeof(*t->day));
	ok = t->day != NULL;
	for (int i = 0; i < SIDES; i++) {
		ok = table_init(&t->peers[i], TALLY_NAMES) && ok;
		ok = table_init(&t->reasons[i], TALLY_REASONS) && ok;
	}
	return ok;
}

void
tally_free(struct tally *t)
{
	for (int i = 0; i < SIDES; i++) {
		table_free(&t->peers[i]);
		table_free(&t->reasons[i]);
	}
	free(t->day);
}

/* The day of a line: the last one that is not after `limit`, where the line says no year. */
static int
date_of(const struct line_time *t, int limit)
{
	int year = t->year;

	if (year == 0) {
		year = limit / 10000;
		if (t->month * 100 + t->day > limit % 10000)
			year--;
		while (!line_date_is_valid(year, t->month, t->day))
			year--; /* 29 February */
	}
	return year * 10000 + t->month * 100 + t->day;
}

/* Lines come by the day, so the last one is it almost always. NULL: there are too many. */
static struct day *
find_day(struct tally *t, int date)
{
	size_t at = 0, end = t->days;

	if (t->last < t->days && t->day[t->last].date == date)
		return &t->day[t->last];
	while (at < end) {
		const size_t middle = (at + end) / 2;

		if (t->day[middle].date < date)
			at = middle + 1;
		else
			end = middle;
	}
	if (at == t->days || t->day[at].date != date) {
		if (t->days == TALLY_DAYS)
			return NULL;
		memmove(t->day + at + 1, t->day + at, (t->days - at) * sizeof(*t->day));
		memset(t->day + at, 0, sizeof(*t->day));
		t->day[at].date = date;
		t->days++;
	}
	t->last = at;
	return &t->day[at];
}

/* False: a suite that is none of ours. */
static bool
way_of(struct span suite, enum way *way)
{
	const struct suite *s = suite_find(suite.p, suite.n);

	if (s != NULL)
		*way = s->psk3 ? WAY_HYBRID : WAY_CLASSICAL;
	else if (span_is(suite, "STARTTLS"))
		*way = WAY_STARTTLS;
	else if (span_is(suite, "none") || span_begins(suite, "ROT"))
		*way = WAY_CLEAR;
	else
		return false;
	return true;
}

/* The name before " [address]", or all of it. */
static struct span
host_of(struct span relay)
{
	const char *space = relay.p != NULL ? memchr(relay.p, ' ', relay.n) : NULL;

	if (space != NULL)
		relay.n = (size_t)(space - relay.p);
	return relay;
}

/* Without the brackets and the "IPv6:" of sendmail's style. */
static struct span
address_of(struct span peer)
{
	if (peer.n >= 2 && peer.p[0] == '[' && peer.p[peer.n - 1] == ']') {
		peer.p++;
		peer.n -= 2;
	}
	if (span_begins(peer, "IPv6:")) {
		peer.p += 5;
		peer.n -= 5;
	}
	return peer;
}

/* Whose line it is: names in one form. An empty name: nobody's. */
static size_t
name_of(const struct line *l, char name[TABLE_NAME_MAX])
{
	struct span s = l->field[LINE_DESTINATION];

	if (l->receiver)
		s = address_of(l->field[LINE_PEER]);
	else if (s.p == NULL)
		s = host_of(l->field[LINE_RELAY]);
	if (s.n > TABLE_NAME_MAX)
		s.n = TABLE_NAME_MAX;
	for (size_t i = 0; i < s.n; i++)
		name[i] = (char)tolower((unsigned char)s.p[i]);
	return s.n;
}

static void
copy(char *to, size_t size, struct span from)
{
	(void)snprintf(to, size, "%.*s", (int)from.n, from.p != NULL ? from.p : "");
}

/* The oldest makes way when there are too many. */
static struct key_event *
add_event(struct tally *t, const struct line *l, int date, const char *what)
{
	const int64_t when =
	    INT64_C(10000) * date + INT64_C(100) * l->time.hour + l->time.minute;
	struct key_event *e = &t->event[0];

	if (t->events < TALLY_EVENTS) {
		e = &t->event[t->events++];
	} else {
		for (size_t i = 1; i < t->events; i++)
			if (t->event[i].when < e->when)
				e = &t->event[i];
		if (e->when > when)
			return NULL;
	}
	memset(e, 0, sizeof(*e));
	e->when = when;
	e->what = what;
	copy(e->destination, sizeof(e->destination), l->field[LINE_DESTINATION]);
	copy(e->relay, sizeof(e->relay), host_of(l->field[LINE_RELAY]));
	return e;
}

/* Takes the first word off. */
static struct span
take_word(struct span *s)
{
	struct span word = *s;
	const char *space = memchr(s->p, ' ', s->n);

	if (space != NULL)
		word.n = (size_t)(space - s->p);
	s->p += word.n;
	s->n -= word.n;
	if (s->n > 0) {
		s->p++;
		s->n--;
	}
	if (word.n > 0 && word.p[word.n - 1] == ';')
		word.n--;
	return word;
}

/* "key changed from SHA256:... to SHA256:..." (mailer/trust.c). */
static void
add_change(struct tally *t, const struct line *l, int date)
{
	struct key_event *e = add_event(t, l, date, "changed");
	struct span rest = l->field[LINE_REASON];

	if (e == NULL)
		return;
	rest.p += strlen(CHANGED);
	rest.n -= strlen(CHANGED);
	copy(e->from, sizeof(e->from), take_word(&rest));
	if (span_is(take_word(&rest), "to"))
		copy(e->to, sizeof(e->to), take_word(&rest));
}

/* That a key has changed is counted by the line that says so: it is there as well when the mail
 * was not sent. */
static void
add_ground(struct tally *t, const struct line *l, int date, struct counts *c)
{
	struct key_event *e = NULL;

	for (int i = 0; i < GROUNDS; i++)
		if (i != GROUND_CHANGED && span_is(l->field[LINE_TRUST], ground_word[i]))
			c->keys[i]++;
	if (c->keys[GROUND_NEW] > 0)
		e = add_event(t, l, date, "new");
	else if (c->keys[GROUND_ANNOUNCED] > 0)
		e = add_event(t, l, date, "announced");
	if (e != NULL)
		copy(e->to, sizeof(e->to), l->field[LINE_KEY]);
}

static bool
add_reason(
    struct tally *t, const struct line *l, const char *what, struct span reason, uint64_t times)
{
	const struct span host = host_of(l->field[LINE_RELAY]);
	char name[TABLE_NAME_MAX + 1];
	struct counts *c;
	int n;

	/* The same reason of many hosts is one. */
	if (host.p != NULL && host.n > 0 && reason.p != NULL && reason.n > host.n + 2 &&
	    memcmp(reason.p, host.p, host.n) == 0 && memcmp(reason.p + host.n, ": ", 2) == 0) {
		reason.p += host.n + 2;
		reason.n -= host.n + 2;
	}
	if (reason.n > REASON_MAX)
		reason.n = REASON_MAX;
	n = snprintf(name, sizeof(name), "%.60s\t%.*s", what, (int)reason.n,
	    reason.p != NULL ? reason.p : "");
	c = table_at(&t->reasons[l->receiver], name, (size_t)n);
	if (c != NULL)
		c->failures += times;
	return c != NULL;
}

/* "451 4.7.5" of a verdict: its text is different each time. */
static struct span
codes_of(struct span stat)
{
	const char *space = stat.n > 4 ? memchr(stat.p + 4, ' ', stat.n - 4) : NULL;

	if (space != NULL)
		stat.n = (size_t)(space - stat.p);
	if (stat.n > 3 && (stat.n < 5 || stat.p[4] < '0' || stat.p[4] > '9'))
		stat.n = 3;
	return stat;
}

/* What a session comes to, into c, which is empty. */
static bool
count_session(struct tally *t, const struct line *l, int date, enum way way, struct counts *c)
{
	const struct span stat = l->field[LINE_STAT];
	/* STARTTLS hides what is inside. Sendmail hands the mailer one message at a time. */
	const uint64_t messages = way == WAY_STARTTLS ? 1 : l->messages;

	c->messages[way] = messages;
	if (messages > 0 || way < WAY_STARTTLS)
		c->sessions[way] = 1;
	else
		c->idle = 1;
	c->refused = l->refused;
	add_ground(t, l, date, c);
	if (l->field[LINE_OWN_KEY].p != NULL &&
	    !add_reason(t, l, "no host key of our own", (struct span){NULL, 0}, 1))
		return false;
	if (l->field[LINE_FAULT].p != NULL) {
		c->failures = 1;
		return add_reason(t, l, "session ended", l->field[LINE_FAULT], 1);
	}
	if (messages == 0 && (span_begins(stat, "4") || span_begins(stat, "5"))) {
		c->failures = 1;
		return add_reason(t, l, "mail refused", codes_of(stat), 1);
	}
	return true;
}

static bool
count_event(struct tally *t, const struct line *l, int date, struct counts *c)
{
	char what[61];

	if (span_is(l->words, "host key") && span_begins(l->field[LINE_REASON], CHANGED)) {
		c->keys[GROUND_CHANGED] = 1;
		add_change(t, l, date);
		return true;
	}
	copy(what, sizeof(what), l->words);
	c->failures = 1;
	/* One line may tell of many (receiver/limits.c). */
	return add_reason(t, l, what, l->field[LINE_REASON], l->refused > 0 ? l->refused : 1);
}

static bool
count(struct tally *t, const struct line *l, int date, struct day *day)
{
	char name[TABLE_NAME_MAX];
	const size_t n = name_of(l, name);
	struct counts c = {0}, *peer;
	enum way way;
	bool ok;

	if (l->kind == LINE_EVENT) {
		ok = count_event(t, l, date, &c);
	} else if (way_of(l->field[LINE_SUITE], &way)) {
		ok = count_session(t, l, date, way, &c);
	} else {
		t->unclear++;
		return true;
	}
	t->counted++;
	counts_add(&day->side[l->receiver], &c);
	counts_add(&t->total[l->receiver], &c);
	if (!ok || n == 0)
		return ok;
	peer = table_at(&t->peers[l->receiver], name, n);
	if (peer != NULL)
		counts_add(peer, &c);
	return peer != NULL;
}

bool
tally_line(struct tally *t, const char *text, size_t n, int limit)
{
	struct line l;
	struct day *day;
	int date;

	t->lines++;
	switch (line_parse(&l, text, n)) {
	case LINE_FOREIGN:
	case LINE_STEP:
		return true;
	case LINE_UNCLEAR:
		t->unclear++;
		return true;
	case LINE_SESSION:
	case LINE_EVENT:
		break;
	}
	date = date_of(&l.time, limit);
	if (date < t->since) {
		t->early++;
		return true;
	}
	day = find_day(t, date);
	if (day == NULL) {
		t->late++;
		return true;
	}
	return count(t, &l, date, day);
}

static int
latest_first(const void *x, const void *y)
{
	const struct key_event *a = x, *b = y;

	return (a->when < b->when) - (a->when > b->when);
}

void
tally_sort_events(struct tally *t)
{
	qsort(t->event, t->events, sizeof(t->event[0]), latest_first);
}
