/*
 * report - what main.c has put together, and the three ways to show it: text.c, json.c, html.c.
 * Here also what these have in common.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "report/advice.h"
#include "report/tally.h"

#define REPORT_TEXT_MAX (TABLE_NAME_MAX + 64)

struct report {
	struct tally tally;
	struct advice advice;
	const char *policy_file;
};

/* "sent", "received"; "XPONY, hybrid" and the like. */
extern const char *const report_side[SIDES];
extern const char *const report_way[WAYS];

/* 20261121 as "2026-11-21". */
const char *report_date(int date, char text[16]);
/* 202611212300 as "2026-11-21T23:00". */
const char *report_time(int64_t when, char text[24]);

/* "all 12 messages were encrypted" in one sentence, for a side. */
const char *report_sentence(const struct counts *c, enum side side, char text[128]);

/* Where the part of a bar ends that shows the first `ways` ways, if a bar of `most` messages is
 * width long. */
int report_bar(const struct counts *c, int ways, int width, uint64_t most);

/* The parts of a table's name "what\treason"; reason may be empty. */
struct report_reason {
	char what[TABLE_NAME_MAX + 1];
	const char *reason;
};
void report_reason(struct report_reason *r, const struct entry *e);

/* "example.org  pinned pq", for the policy file. */
const char *report_policy_line(const struct hint *h, char text[REPORT_TEXT_MAX]);

/* Each writes all of it; the caller looks at ferror(). False when out of memory. */
bool report_text(const struct report *r, FILE *out);
bool report_json(const struct report *r, FILE *out);
bool report_html(const struct report *r, FILE *out);

#endif
