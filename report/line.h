/*
 * line - one line of a log file: is it of blackpony, and what does it say? The form is that of
 * lib/log.h behind syslog's own words; doc/blackpony-report.1, "LOG LINES", has all of it.
 * Pure: no allocation, no clock, nothing outside the octets given. Called by source.c for each
 * line, and by tests and fuzzers.
 */
#ifndef REPORT_LINE_H
#define REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_LENGTH 4096 /* a longer line is none of ours: lib/log.h stays below 1024 */

enum line_kind {
	LINE_FOREIGN, /* of another program: nothing else is filled in */
	LINE_UNCLEAR, /* of ours by its tag, and not in the form */
	LINE_SESSION, /* one session: suite and messages are there */
	LINE_EVENT,   /* begins with words: "upgrade failed" */
	LINE_STEP,    /* of -v: it counts for nothing */
};

enum line_field {
	LINE_RELAY,
	LINE_DESTINATION,
	LINE_PEER,
	LINE_SUITE,
	LINE_KEY,
	LINE_TRUST,
	LINE_MESSAGES,
	LINE_REFUSED,
	LINE_FAULT,
	LINE_STAT,
	LINE_REASON,
	LINE_OWN_KEY,
	LINE_MS,
	LINE_FIELDS
};

/* Octets of the line itself, printable ASCII, still escaped; p is NULL where there is none. */
struct span {
	const char *p;
	size_t n;
};

/* As the line has it: of whoever wrote it, in his own zone. */
struct line_time {
	int year; /* 0: the line does not say */
	int month, day, hour, minute;
};

struct line {
	enum line_kind kind;
	bool receiver; /* else of the mailer */
	struct line_time time;
	struct span words; /* EVENT */
	struct span field[LINE_FIELDS];
	uint64_t messages, refused;
};

/* text is n octets without the line's end. */
enum line_kind line_parse(struct line *l, const char *text, size_t n);

bool span_is(struct span s, const char *word);
bool span_begins(struct span s, const char *prefix);
/* Is there such a day? */
bool line_date_is_valid(int year, int month, int day);

#endif
