/*
 * line - see line.h. What is in a value was chosen by strangers; that it is escaped is checked,
 * not believed.
 */
#include "report/line.h"

#include <string.h>

#define DIGITS_MAX 9 /* of a number: no session has more, and no sum of such overflows */

static const char *const field_name[LINE_FIELDS] = {
    [LINE_RELAY] = "relay",
    [LINE_DESTINATION] = "destination",
    [LINE_PEER] = "peer",
    [LINE_SUITE] = "suite",
    [LINE_KEY] = "key",
    [LINE_TRUST] = "trust",
    [LINE_MESSAGES] = "messages",
    [LINE_REFUSED] = "refused",
    [LINE_FAULT] = "fault",
    [LINE_STAT] = "stat",
    [LINE_REASON] = "reason",
    [LINE_OWN_KEY] = "own-key",
    [LINE_MS] = "ms",
};

bool
span_is(struct span s, const char *word)
{
	return s.p != NULL && strlen(word) == s.n && memcmp(s.p, word, s.n) == 0;
}

bool
span_begins(struct span s, const char *prefix)
{
	const size_t n = strlen(prefix);

	return s.p != NULL && s.n >= n && memcmp(s.p, prefix, n) == 0;
}

static void
skip(struct span *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

/* The first `digits` octets as a number below limit; -1: they are none. */
static int
number(const char *p, int digits, int limit)
{
	int n = 0;

	for (int i = 0; i < digits; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		n = n * 10 + p[i] - '0';
	}
	return n < limit ? n : -1;
}

bool
line_date_is_valid(int year, int month, int day)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
	       (month != 2 || day < 29 || leap);
}

/* "Nov 21 23:00:01 " or "Nov  1 ..." (RFC 3164, section 4.1.2): no year, so 29 February may be.
 */
static bool
take_old_time(struct span *s, struct line_time *t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *p = s->p;
	size_t i;

	if (s->n < 16 || p[3] != ' ' || p[6] != ' ' || p[9] != ':' || p[12] != ':' ||
	    p[15] != ' ')
		return false;
	for (i = 0; i < 12; i++)
		if (memcmp(p, months + i * 3, 3) == 0)
			break;
	t->year = 0;
	t->month = (int)i + 1;
	t->day = p[4] == ' ' ? number(p + 5, 1, 10) : number(p + 4, 2, 32);
	t->hour = number(p + 7, 2, 24);
	t->minute = number(p + 10, 2, 60);
	if (!line_date_is_valid(2000, t->month, t->day) || t->hour < 0 || t->minute < 0 ||
	    number(p + 13, 2, 61) < 0)
		return false;
	skip(s, 16);
	return true;
}

/* "2026-11-21T23:00:01.123456+01:00 " (RFC 3339), and with +0100, as journalctl writes it. */
static bool
take_new_time(struct span *s, struct line_time *t)
{
	const char *p = s->p;
	size_t end = 19;

	if (s->n < 21 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' ||
	    p[16] != ':')
		return false;
	t->year = number(p, 4, 10000);
	t->month = number(p + 5, 2, 13);
	t->day = number(p + 8, 2, 32);
	t->hour = number(p + 11, 2, 24);
	t->minute = number(p + 14, 2, 60);
	if (t->year < 1970 || !line_date_is_valid(t->year, t->month, t->day) || t->hour < 0 ||
	    t->minute < 0 || number(p + 17, 2, 61) < 0)
		return false;
	while (end < s->n && end < 40 && p[end] != ' ' && strchr(".0123456789+-:Z", p[end]))
		end++;
	if (end == s->n || p[end] != ' ')
		return false;
	skip(s, end + 1);
	return true;
}

/* "blackpony-mailer[123]: ", the process id being optional. */
static bool
take_tag(struct span *s, bool *receiver)
{
	struct span rest = *s;
	size_t digits = 0;

	if (span_begins(rest, "blackpony-mailer"))
		skip(&rest, strlen("blackpony-mailer"));
	else if (span_begins(rest, "blackpony-receiver"))
		skip(&rest, strlen("blackpony-receiver"));
	else
		return false;
	if (rest.n > 0 && rest.p[0] == '[') {
		while (digits + 1 < rest.n && number(rest.p + 1 + digits, 1, 10) >= 0)
			digits++;
		if (digits == 0 || digits + 1 >= rest.n || rest.p[digits + 1] != ']')
			return false;
		skip(&rest, digits + 2);
	}
	if (!span_begins(rest, ": "))
		return false;
	skip(&rest, 2);
	*receiver = span_begins(*s, "blackpony-r");
	*s = rest;
	return true;
}

/* What syslog put in front: the time, the host (some leave it out), the tag. */
static bool
take_header(struct line *l, struct span *s)
{
	const char *space;

	if (!take_old_time(s, &l->time) && !take_new_time(s, &l->time))
		return false;
	if (take_tag(s, &l->receiver))
		return true;
	space = memchr(s->p, ' ', s->n);
	if (space == NULL)
		return false;
	skip(s, (size_t)(space - s->p) + 1);
	return take_tag(s, &l->receiver);
}

static bool
is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* A line, or one that did not fit, ends here. */
static bool
is_cut(struct span s)
{
	return s.n >= 3 && memcmp(s.p + s.n - 3, "...", 3) == 0;
}

/* Sendmail's queue id, without a space, and ": ". */
static void
skip_queue_id(struct span *s)
{
	const char *space = memchr(s->p, ' ', s->n);
	const size_t n = space != NULL ? (size_t)(space - s->p) : 0;

	if (n > 1 && s->p[n - 1] == ':' && memchr(s->p, '=', n) == NULL)
		skip(s, n + 1);
}

/* How many octets of s come before the next ", ". */
static size_t
until_comma(struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	while ((p = memchr(p, ',', (size_t)(end - p))) != NULL) {
		if (p + 1 < end && p[1] == ' ')
			return (size_t)(p - s.p);
		p++;
	}
	return s.n;
}

/* Takes a value without its quotes, and the comma behind it. */
static bool
take_value(struct span *s, struct span *value)
{
	const char *quote;
	size_t end;

	if (s->n > 0 && s->p[0] == '"') {
		skip(s, 1);
		quote = memchr(s->p, '"', s->n);
		if (quote == NULL && !is_cut(*s))
			return false;
		value->p = s->p;
		value->n = quote != NULL ? (size_t)(quote - s->p) : s->n;
		end = quote != NULL ? value->n + 1 : value->n;
	} else {
		value->p = s->p;
		value->n = end = until_comma(*s);
		if (end == 0 || memchr(s->p, '"', end) != NULL)
			return false;
	}
	skip(s, end);
	if (s->n > 0 && !span_begins(*s, ", "))
		return false;
	skip(s, s->n > 0 ? 2 : 0);
	return true;
}

/* The length of "key" where s is key=..., else 0. */
static size_t
key_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && ((s.p[n] >= 'a' && s.p[n] <= 'z') || s.p[n] == '-'))
		n++;
	return n < s.n && s.p[n] == '=' ? n : 0;
}

/* Keys that we do not know are of a later version; one that stands twice is of nobody. */
static bool
take_field(struct line *l, struct span *s, size_t key)
{
	const struct span name = {s->p, key};
	struct span value;

	skip(s, key + 1);
	if (!take_value(s, &value))
		return false;
	for (size_t i = 0; i < LINE_FIELDS; i++) {
		if (!span_is(name, field_name[i]))
			continue;
		if (l->field[i].p != NULL)
			return false;
		l->field[i] = value;
	}
	return true;
}

/* False when there are octets and they are no number. */
static bool
take_number(struct span s, uint64_t *n)
{
	*n = 0;
	if (s.n > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*n = *n * 10 + (uint64_t)(s.p[i] - '0');
	}
	return true;
}

static enum line_kind
take_body(struct line *l, struct span s)
{
	size_t key;

	skip_queue_id(&s);
	if (key_length(s) == 0) {
		l->words = (struct span){s.p, until_comma(s)};
		skip(&s, l->words.n);
		skip(&s, s.n > 0 ? 2 : 0);
	}
	while (s.n > 0) {
		if ((key = key_length(s)) == 0) {
			if (!is_cut(s))
				return LINE_UNCLEAR;
			break;
		}
		if (!take_field(l, &s, key))
			return LINE_UNCLEAR;
	}
	if (!take_number(l->field[LINE_MESSAGES], &l->messages) ||
	    !take_number(l->field[LINE_REFUSED], &l->refused))
		return LINE_UNCLEAR;
	if (l->words.n > 0)
		return l->field[LINE_MS].p != NULL ? LINE_STEP : LINE_EVENT;
	return l->field[LINE_SUITE].n > 0 && l->field[LINE_MESSAGES].n > 0 ? LINE_SESSION
									   : LINE_UNCLEAR;
}

enum line_kind
line_parse(struct line *l, const char *text, size_t n)
{
	struct span s = {text, n};

	memset(l, 0, sizeof(*l));
	l->kind = LINE_FOREIGN;
	if (n <= LINE_LENGTH && take_header(l, &s))
		l->kind = is_printable(s) ? take_body(l, s) : LINE_UNCLEAR;
	return l->kind;
}
