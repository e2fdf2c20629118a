/*
 * json - the report for programs (RFC 8259). The keys are in doc/blackpony-report.1, "JSON",
 * and stay as they are. Called by main.c.
 */
#include "report/report.h"

#include <stdlib.h>

#include "lib/json.h"

#define PEERS_MAX 1000
#define JSON_VERSION 1

static void
put_key(FILE *out, const char *key)
{
	fprintf(out, "\"%s\": ", key);
}

static void
put_number(FILE *out, const char *key, uint64_t n)
{
	fprintf(out, "\"%s\": %llu", key, (unsigned long long)n);
}

static void
next_number(FILE *out, const char *key, uint64_t n)
{
	fputs(", ", out);
	put_number(out, key, n);
}

static void
put_date(FILE *out, const char *key, int date)
{
	char text[16];

	put_key(out, key);
	if (date == 0)
		fputs("null", out);
	else
		json_text(out, report_date(date, text));
}

static void
put_ways(FILE *out, const char *key, const uint64_t n[WAYS])
{
	static const char *const way[WAYS] = {
	    [WAY_HYBRID] = "hybrid",
	    [WAY_CLASSICAL] = "classical",
	    [WAY_STARTTLS] = "starttls",
	    [WAY_CLEAR] = "clear",
	};

	put_key(out, key);
	for (int i = 0; i < WAYS; i++) {
		fputs(i == 0 ? "{" : ", ", out);
		put_number(out, way[i], n[i]);
	}
	fputc('}', out);
}

/* The members that each object with counts has. */
static void
put_counts(FILE *out, const struct counts *c)
{
	put_ways(out, "messages", c->messages);
	fputs(", ", out);
	put_ways(out, "sessions", c->sessions);
	next_number(out, "idle", c->idle);
	next_number(out, "refused", c->refused);
	next_number(out, "failures", c->failures);
	fputs(", \"keys\": {", out);
	put_number(out, "new", c->keys[GROUND_NEW]);
	next_number(out, "announced", c->keys[GROUND_ANNOUNCED]);
	next_number(out, "changed", c->keys[GROUND_CHANGED]);
	fputc('}', out);
}

static void
put_days(FILE *out, const struct tally *t, enum side side)
{
	fputs("   \"days\": [", out);
	for (size_t i = 0; i < t->days; i++) {
		fputs(i == 0 ? "\n    {" : ",\n    {", out);
		put_date(out, "date", t->day[i].date);
		fputs(", ", out);
		put_counts(out, &t->day[i].side[side]);
		fputc('}', out);
	}
	fputs("],\n", out);
}

static bool
put_peers(FILE *out, const struct table *table)
{
	struct entry **list = table_sorted(table);
	struct counts rest = table->others;
	uint64_t names = table->forgotten;

	if (list == NULL)
		return false;
	fputs("   \"peers\": [", out);
	for (size_t i = 0; i < table->used; i++) {
		if (i >= PEERS_MAX) {
			counts_add(&rest, &list[i]->counts);
			names++;
			continue;
		}
		fputs(i == 0 ? "\n    {" : ",\n    {", out);
		put_key(out, "name");
		json_text(out, list[i]->name);
		fputs(", ", out);
		put_counts(out, &list[i]->counts);
		fputc('}', out);
	}
	fputs("],\n   \"others\": {", out);
	put_number(out, "names", names);
	fputs(", ", out);
	put_counts(out, &rest);
	fputs("}\n", out);
	free(list);
	return true;
}

static bool
put_side(FILE *out, const struct tally *t, enum side side)
{
	fprintf(out, "  \"%s\": {\n   \"total\": {", report_side[side]);
	put_counts(out, &t->total[side]);
	fputs("},\n", out);
	put_days(out, t, side);
	if (!put_peers(out, &t->peers[side]))
		return false;
	fputs("  },\n", out);
	return true;
}

static void
put_member(FILE *out, const char *key, const char *text)
{
	fputs(", ", out);
	put_key(out, key);
	json_text(out, text);
}

static void
put_keys(FILE *out, const struct tally *t)
{
	char text[24];

	fputs("  \"keys\": [", out);
	for (size_t i = 0; i < t->events; i++) {
		const struct key_event *e = &t->event[i];

		fputs(i == 0 ? "\n   {" : ",\n   {", out);
		put_key(out, "time");
		json_text(out, report_time(e->when, text));
		put_member(out, "what", e->what);
		put_member(out, "destination", e->destination);
		put_member(out, "relay", e->relay);
		if (e->from[0] != '\0')
			put_member(out, "from", e->from);
		put_member(out, "to", e->to);
		fputc('}', out);
	}
	fputs("],\n", out);
}

static bool
put_failures(FILE *out, const struct tally *t)
{
	const char *comma = "";
	struct report_reason r;

	fputs("  \"failures\": [", out);
	for (int side = 0; side < SIDES; side++) {
		struct entry **list = table_sorted(&t->reasons[side]);

		if (list == NULL)
			return false;
		for (size_t i = 0; i < t->reasons[side].used; i++, comma = ",") {
			report_reason(&r, list[i]);
			fprintf(out, "%s\n   {\"side\": \"%s\"", comma, report_side[side]);
			put_member(out, "what", r.what);
			put_member(out, "reason", r.reason);
			next_number(out, "count", list[i]->counts.failures);
			fputc('}', out);
		}
		free(list);
	}
	fputs("],\n", out);
	return true;
}

static void
put_advice(FILE *out, const struct advice *a)
{
	char text[REPORT_TEXT_MAX];

	fputs("  \"policy\": [", out);
	for (size_t i = 0; i < a->count; i++) {
		const struct hint *h = &a->hint[i];

		fputs(i == 0 ? "\n   {" : ",\n   {", out);
		put_key(out, "destination");
		json_text(out, h->destination->name);
		put_member(out, "line", report_policy_line(h, text));
		put_member(out, "why", h->why);
		next_number(out, "messages", h->messages);
		fprintf(out, ", \"ready\": %s}", h->ready ? "true" : "false");
	}
	fputs("]\n", out);
}

static void
put_lines(FILE *out, const struct tally *t)
{
	fputs("  \"lines\": {", out);
	put_number(out, "read", t->lines);
	next_number(out, "counted", t->counted);
	next_number(out, "early", t->early);
	next_number(out, "unclear", t->unclear);
	next_number(out, "late", t->late);
	fputs("},\n", out);
}

bool
report_json(const struct report *r, FILE *out)
{
	const struct tally *t = &r->tally;

	fputs("{\n  ", out);
	put_number(out, "version", JSON_VERSION);
	put_member(out, "program", PACKAGE_STRING);
	fputs(",\n  ", out);
	put_date(out, "since", t->since);
	fputs(", ", out);
	put_date(out, "first", t->days > 0 ? t->day[0].date : 0);
	fputs(", ", out);
	put_date(out, "last", t->days > 0 ? t->day[t->days - 1].date : 0);
	fputs(",\n", out);
	put_lines(out, t);
	for (int side = 0; side < SIDES; side++)
		if (!put_side(out, t, (enum side)side))
			return false;
	put_keys(out, t);
	if (!put_failures(out, t))
		return false;
	put_advice(out, &r->advice);
	fputs("}\n", out);
	return true;
}
