/* 80-report-line - what blackpony-report understands of a log line (report/line.h), with lines
 * that lib/log.c made; the year of a line that says none; counts in bounded memory
 * (report/table.h). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sodium.h>

#include "lib/log.h"
#include "report/line.h"
#include "report/table.h"
#include "report/tally.h"
#include "tap.h"

#define OLD "Nov 21 23:00:01 mail "
#define TAG "blackpony-mailer[123]: "
#define BODY "relay=mx.b.test [192.0.2.1], suite=none, messages=1, octets=5, ms=3"

static const char *
text_of(const struct line *l, enum line_field field)
{
	static char text[LINE_LENGTH + 1];

	snprintf(text, sizeof(text), "%.*s", (int)l->field[field].n,
	    l->field[field].p != NULL ? l->field[field].p : "");
	return text;
}

/* Parses a copy that ends where the memory ends, for valgrind and the sanitizers. */
static enum line_kind
parse(struct line *l, const char *text)
{
	static char *copy;
	const size_t n = strlen(text);

	free(copy);
	copy = malloc(n > 0 ? n : 1);
	if (copy == NULL)
		bail("no memory");
	memcpy(copy, text, n);
	return line_parse(l, copy, n);
}

static void
test_header(void)
{
	static const struct {
		const char *text;
		enum line_kind kind;
		int year, month, day, hour;
	} rows[] = {
	    {OLD TAG BODY, LINE_SESSION, 0, 11, 21, 23},
	    {"Nov  1 00:00:00 mail " TAG BODY, LINE_SESSION, 0, 11, 1, 0},
	    {"Nov 21 23:00:01 " TAG BODY, LINE_SESSION, 0, 11, 21, 23},
	    {OLD "blackpony-mailer: " BODY, LINE_SESSION, 0, 11, 21, 23},
	    {"2026-11-21T23:00:01.123456+01:00 mail " TAG BODY, LINE_SESSION, 2026, 11, 21, 23},
	    {"2026-11-21T23:00:01.123456+0100 mail " TAG BODY, LINE_SESSION, 2026, 11, 21, 23},
	    {"2028-02-29T23:00:01Z mail " TAG BODY, LINE_SESSION, 2028, 2, 29, 23},
	    {OLD "sm-mta[123]: " BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {OLD "blackpony-mailer[]: " BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {OLD "blackpony-mailer[12: " BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {OLD "blackpony-mailer[1", LINE_FOREIGN, 0, 0, 0, 0},
	    {OLD "blackpony-mailer-x: " BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {OLD "sm-mta[1]: " TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"Nov 31 23:00:01 mail " TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"Nov  0 23:00:01 mail " TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"Nox 21 23:00:01 mail " TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"Nov 21 24:00:01 mail " TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"2027-02-29T23:00:01Z mail " TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"2026-11-21T23:00:01", LINE_FOREIGN, 0, 0, 0, 0},
	    {TAG BODY, LINE_FOREIGN, 0, 0, 0, 0},
	    {"", LINE_FOREIGN, 0, 0, 0, 0},
	};
	struct line l;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(parse(&l, rows[i].text), rows[i].kind, "head: %s", rows[i].text);
		if (l.kind != LINE_SESSION)
			continue;
		ok(l.time.year == rows[i].year && l.time.month == rows[i].month &&
			l.time.day == rows[i].day && l.time.hour == rows[i].hour,
		    "and its time");
	}
}

static void
test_body(void)
{
	static const struct {
		const char *body;
		enum line_kind kind;
	} rows[] = {
	    {BODY, LINE_SESSION},
	    {"6ALN1: " BODY, LINE_SESSION},
	    {"suite=none, messages=0", LINE_SESSION},
	    {"suite=none, messages=0, later-key=what=ever", LINE_SESSION},
	    {"suite=none, messages=0, stat=\"250 ok, done\", ms=1", LINE_SESSION},
	    {"suite=none, messages=0, stat=\"250 it was too lo...", LINE_SESSION},
	    {"suite=none, messages=0, st...", LINE_SESSION},
	    {"upgrade failed, reason=x", LINE_EVENT},
	    {"6ALN1: upgrade failed", LINE_EVENT},
	    {"connected, relay=b [192.0.2.1], ms=5", LINE_STEP},
	    {"", LINE_UNCLEAR},
	    {"suite=none", LINE_UNCLEAR},
	    {"messages=1", LINE_UNCLEAR},
	    {"suite=none, messages=", LINE_UNCLEAR},
	    {"suite=none, messages=x", LINE_UNCLEAR},
	    {"suite=none, messages=-1", LINE_UNCLEAR},
	    {"suite=none, messages=1234567890", LINE_UNCLEAR},
	    {"suite=none, messages=1, suite=none", LINE_UNCLEAR},
	    {"suite=none, messages=1, stat=\"250 ok", LINE_UNCLEAR},
	    {"suite=none, messages=1, stat=\"250\"x, ms=1", LINE_UNCLEAR},
	    {"suite=none, messages=1, stat=2\"50", LINE_UNCLEAR},
	    {"suite=none, messages=1, no key", LINE_UNCLEAR},
	    {"suite=none, messages=1, helo=caf\303\251", LINE_UNCLEAR},
	    {"suite=none, messages=1, helo=\033[2J", LINE_UNCLEAR},
	    {"suite=none, messages=1\r", LINE_UNCLEAR},
	};
	char text[512];
	struct line l;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), OLD TAG "%s", rows[i].body);
		is_int(parse(&l, text), rows[i].kind, "body: %s", rows[i].body);
	}
}

/* Whatever a stranger says, the fields are those that we put in. */
static void
test_of_log(void)
{
	static const char *const said[] = {"plain", "250 2.0.0 ok, done",
	    "\", suite=none, messages=9, stat=\"", "a, messages=9",
	    "x\nNov 21 23:00:01 mail " TAG, "", "...", "\\", "=", "reason=\"", "\303\251\377"};
	struct sockaddr_in in = {.sin_family = AF_INET};
	char text[LOG_LINE_MAX + 128];
	struct log_line log;
	struct line l;

	inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		log_start(&log, said[i]);
		log_add_peer(&log, "relay", said[i], (const struct sockaddr *)&in);
		log_add(&log, "suite", "x25519-chachapoly");
		log_add_number(&log, "messages", 7);
		log_add(&log, "destination", said[i]);
		log_add(&log, "stat", said[i]);
		log_add(&log, "trust", "known");
		snprintf(text, sizeof(text), OLD TAG "%s", log.text);
		ok(parse(&l, text) == LINE_SESSION && l.messages == 7 &&
			span_is(l.field[LINE_SUITE], "x25519-chachapoly") &&
			span_is(l.field[LINE_TRUST], "known"),
		    "as it was logged: %s", text);
	}
	log_start(&log, NULL);
	log_words(&log, "upgrade failed");
	log_add(&log, "reason", "454 no, not \"now\"");
	snprintf(text, sizeof(text), OLD TAG "%s", log.text);
	is_int(parse(&l, text), LINE_EVENT, "an event");
	ok(span_is(l.words, "upgrade failed"), "its words");
	is_str(text_of(&l, LINE_REASON), "454 no, not \\042now\\042", "its reason, escaped");
}

/* A line of every length that lib/log.c cuts. */
static void
test_cut(void)
{
	static char huge[LOG_LINE_MAX];
	char text[LOG_LINE_MAX + 128];
	unsigned sessions = 0, cut = 0;
	struct log_line log;
	struct line l;

	for (int n = 0; n < 256; n++) {
		memset(huge, 'x', sizeof(huge));
		huge[n] = '\0';
		log_start(&log, NULL);
		log_add(&log, "suite", "none");
		log_add_number(&log, "messages", 1);
		for (int i = 0; i < 4; i++) {
			char key[2] = {(char)('a' + i), '\0'};

			log_add(&log, key, huge);
		}
		log_add(&log, "stat", "250 2.0.0 ok");
		snprintf(text, sizeof(text), OLD TAG "%s", log.text);
		sessions += parse(&l, text) == LINE_SESSION && l.messages == 1;
		cut += log.full;
	}
	is_int(sessions, 256, "a line that did not fit is a session all the same");
	ok(cut > 20, "%u of them were cut", cut);
}

static int
day_of(struct tally *t, const char *date, int limit)
{
	char text[256];

	tally_free(t);
	if (!tally_init(t, 0))
		bail("no memory");
	snprintf(text, sizeof(text), "%s mail " TAG BODY, date);
	(void)tally_line(t, text, strlen(text), limit);
	return t->days == 1 ? t->day[0].date : 0;
}

static void
test_year(void)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t == NULL)
		bail("no memory");
	is_int(day_of(t, "Nov 21 23:00:01", 20261122), 20261121, "a day before");
	is_int(day_of(t, "Nov 22 23:00:01", 20261122), 20261122, "the last day that may be");
	is_int(day_of(t, "Nov 23 23:00:01", 20261122), 20251123,
	    "one later is of the year before");
	is_int(day_of(t, "Dec 31 23:00:01", 20270101), 20261231, "around new year");
	is_int(day_of(t, "Jan  1 23:00:01", 20270101), 20270101, "and on it");
	is_int(
	    day_of(t, "Feb 29 23:00:01", 20270301), 20240229, "29 February was in a leap year");
	is_int(day_of(t, "2020-02-29T23:00:01Z", 20270301), 20200229,
	    "a year that is said counts");
	tally_free(t);
	free(t);
}

static void
test_table(void)
{
	struct counts sum, *c;
	struct entry **list;
	struct table t;
	char name[32];

	if (!table_init(&t, 100))
		bail("no memory");
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 10; i++) {
			snprintf(name, sizeof(name), "heavy%d", i);
			table_at(&t, name, strlen(name))->messages[WAY_HYBRID] += 10;
		}
		for (int i = 0; i < 10000; i++) {
			snprintf(name, sizeof(name), "flood%d-%d", round, i);
			table_at(&t, name, strlen(name))->messages[WAY_CLEAR]++;
		}
	}
	ok(t.used <= 100, "bounded: %zu names", t.used);
	list = table_sorted(&t);
	sum = t.others;
	for (size_t i = 0; list != NULL && i < t.used; i++)
		counts_add(&sum, &list[i]->counts);
	is_int((long)sum.messages[WAY_CLEAR], 100000, "no message of a flood is lost");
	is_int((long)sum.messages[WAY_HYBRID], 1000, "nor any other");
	ok(list != NULL && strcmp(list[9]->name, "heavy9") == 0 &&
		list[9]->counts.messages[WAY_HYBRID] == 100,
	    "what is heavy stays, whole, in order");
	is_int((long)(t.used + t.forgotten), 100010, "the others are counted");
	free(list);
	memset(name, 'x', sizeof(name));
	c = table_at(&t, "", 0);
	ok(c != NULL && c == table_at(&t, "", 0) && c != table_at(&t, "x", 1),
	    "a name is all of a name");
	table_free(&t);
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("no randomness");
	test_header();
	test_body();
	test_of_log();
	test_cut();
	test_year();
	test_table();
	return tap_done();
}
