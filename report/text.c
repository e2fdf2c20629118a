/*
 * text - the report for a person at a terminal, or in a mail from cron: 80 columns of ASCII
 * unless the terminal can do more. Called by main.c.
 */
#include "report/report.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH 80
#define WIDTH_MIN 60
#define WIDTH_MAX 160
#define NAME_COLUMN 32 /* at most */
#define PEERS_SHOWN 20
#define DAYS_SHOWN 31
#define REASONS_SHOWN 15
#define KEYS_SHOWN 10

struct look {
	FILE *out;
	int width;
	bool colour, blocks;
};

/* The four ways are told apart by form as well as by colour: full to empty. */
static const struct {
	const char *ascii, *block, *colour;
} mark[WAYS] = {
    [WAY_HYBRID] = {"#", "\342\226\210", "\033[32m"},
    [WAY_CLASSICAL] = {"=", "\342\226\223", "\033[36m"},
    [WAY_STARTTLS] = {"+", "\342\226\222", "\033[33m"},
    [WAY_CLEAR] = {".", "\342\226\221", "\033[31m"},
};

/* no-color.org: set and not empty. */
static void
look_at(struct look *l, FILE *out)
{
	const char *plain = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	*l = (struct look){.out = out, .width = WIDTH};
	if (!isatty(fileno(out)))
		return;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		l->width = size.ws_col;
	if (l->width < WIDTH_MIN)
		l->width = WIDTH_MIN;
	if (l->width > WIDTH_MAX)
		l->width = WIDTH_MAX;
	l->colour =
	    (plain == NULL || plain[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
	l->blocks =
	    setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void
put_title(const struct look *l, const char *title)
{
	fprintf(l->out, "\n%s%s%s\n", l->colour ? "\033[1m" : "", title,
	    l->colour ? "\033[0m" : "");
}

static void
put_marks(const struct look *l, int way, int n)
{
	if (n <= 0)
		return;
	if (l->colour)
		fputs(mark[way].colour, l->out);
	for (; n > 0; n--)
		fputs(l->blocks ? mark[way].block : mark[way].ascii, l->out);
	if (l->colour)
		fputs("\033[0m", l->out);
}

static void
put_bar(const struct look *l, const struct counts *c, int width, uint64_t most)
{
	for (int i = 0; i < WAYS; i++)
		put_marks(
		    l, i, report_bar(c, i + 1, width, most) - report_bar(c, i, width, most));
	fputc('\n', l->out);
}

/* A name, how many messages, how much of them encrypted, and a bar, if `most` is not 0. */
static void
put_row(
    const struct look *l, const char *name, int column, const struct counts *c, uint64_t most)
{
	const int percent = counts_percent(c);
	const bool cut = (int)strlen(name) > column;

	fprintf(l->out, "  %-*.*s%s %9llu ", cut ? column - 3 : column,
	    cut ? column - 3 : column, name, cut ? "..." : "",
	    (unsigned long long)counts_messages(c));
	if (percent >= 0)
		fprintf(l->out, "%3d%%  ", percent);
	else
		fputs("   -  ", l->out);
	put_bar(l, c, l->width - column - 19, most);
}

static void
put_total(const struct look *l, const struct tally *t, enum side side)
{
	const struct counts *c = &t->total[side];
	const uint64_t all = counts_messages(c);
	char text[128];

	put_title(l, report_sentence(c, side, text));
	for (int i = 0; i < WAYS && all > 0; i++) {
		fprintf(l->out, "  %-18s %9llu ", report_way[i],
		    (unsigned long long)c->messages[i]);
		fprintf(l->out, "%3.0f%%  ", (double)c->messages[i] * 100 / (double)all);
		put_marks(
		    l, i, (int)((double)c->messages[i] * (l->width - 38) / (double)all + 0.5));
		fputc('\n', l->out);
	}
	fprintf(l->out, "  in %llu sessions", (unsigned long long)counts_sessions(c));
	if (c->idle > 0)
		fprintf(l->out, ", %llu of them without mail", (unsigned long long)c->idle);
	fputc('\n', l->out);
}

static void
put_days(const struct look *l, const struct tally *t, enum side side)
{
	const size_t first = t->days > DAYS_SHOWN ? t->days - DAYS_SHOWN : 0;
	uint64_t most = 1;
	char text[64];

	if (counts_messages(&t->total[side]) == 0)
		return;
	for (size_t i = first; i < t->days; i++)
		if (counts_messages(&t->day[i].side[side]) > most)
			most = counts_messages(&t->day[i].side[side]);
	(void)snprintf(text, sizeof(text), "Messages %s, by day%s", report_side[side],
	    first > 0 ? " (the last ones)" : "");
	put_title(l, text);
	for (size_t i = first; i < t->days; i++)
		put_row(l, report_date(t->day[i].date, text), 10, &t->day[i].side[side], most);
}

/* Those that did not make it into the list. */
static void
add_rest(struct counts *rest, uint64_t *names, struct entry **list, const struct table *table)
{
	*rest = table->others;
	*names = table->forgotten;
	for (size_t i = PEERS_SHOWN; i < table->used; i++) {
		counts_add(rest, &list[i]->counts);
		++*names;
	}
}

static bool
put_peers(const struct look *l, const struct tally *t, enum side side)
{
	const struct table *table = &t->peers[side];
	struct entry **list = table_sorted(table);
	int column = 10;
	struct counts rest;
	uint64_t names, most;
	char text[64];

	if (list == NULL || counts_messages(&t->total[side]) == 0) {
		free(list);
		return list != NULL;
	}
	put_title(l, side == SIDE_SENT ? "Messages sent, by destination"
				       : "Messages received, by client");
	add_rest(&rest, &names, list, table);
	(void)snprintf(text, sizeof(text), "%llu others", (unsigned long long)names);
	for (size_t i = 0; i < table->used && i < PEERS_SHOWN; i++)
		if ((int)strlen(list[i]->name) > column)
			column = (int)strlen(list[i]->name);
	column = column > NAME_COLUMN ? NAME_COLUMN : column;
	most = table->used > 0 ? counts_messages(&list[0]->counts) : 0;
	for (size_t i = 0; i < table->used && i < PEERS_SHOWN; i++)
		if (counts_messages(&list[i]->counts) > 0)
			put_row(l, list[i]->name, column, &list[i]->counts, most);
	if (counts_messages(&rest) > 0)
		put_row(l, text, column, &rest, 0);
	free(list);
	return true;
}

static void
put_keys(const struct look *l, const struct tally *t)
{
	const uint64_t *keys = t->total[SIDE_SENT].keys;
	char text[160];

	(void)snprintf(text, sizeof(text),
	    "Keys of other hosts: %llu new, %llu announced before, %llu changed",
	    (unsigned long long)keys[GROUND_NEW], (unsigned long long)keys[GROUND_ANNOUNCED],
	    (unsigned long long)keys[GROUND_CHANGED]);
	put_title(l, text);
	for (size_t i = 0; i < t->events && i < KEYS_SHOWN; i++) {
		const struct key_event *e = &t->event[i];

		fprintf(l->out, "  %s  %-9s  %s (%s)\n", report_time(e->when, text), e->what,
		    e->destination, e->relay);
		if (e->from[0] != '\0')
			fprintf(l->out, "%24s%s\n", "was ", e->from);
		fprintf(l->out, "%24s%s\n", "is ", e->to);
	}
}

static bool
put_reasons(const struct look *l, const struct tally *t, enum side side)
{
	const struct table *table = &t->reasons[side];
	struct entry **list = table_sorted(table);
	struct report_reason r;

	if (list == NULL)
		return false;
	if (table->used > 0)
		put_title(l, side == SIDE_SENT ? "Failures, sending" : "Failures, receiving");
	for (size_t i = 0; i < table->used && i < REASONS_SHOWN; i++) {
		report_reason(&r, list[i]);
		fprintf(l->out, "  %9llu  %s%s%s\n",
		    (unsigned long long)list[i]->counts.failures, r.what,
		    r.reason[0] != '\0' ? ": " : "", r.reason);
	}
	free(list);
	return true;
}

static void
put_advice(const struct look *l, const struct report *r)
{
	const struct advice *a = &r->advice;
	char text[REPORT_TEXT_MAX];

	if (a->count == 0)
		return;
	(void)snprintf(
	    text, sizeof(text), "Lines for %.200s that would help most", r->policy_file);
	put_title(l, text);
	for (size_t i = 0; i < a->count; i++) {
		const struct hint *h = &a->hint[i];

		if (!h->ready && (i == 0 || a->hint[i - 1].ready))
			fputs("  Not yet; talk to the other side first:\n", l->out);
		fprintf(l->out, "  %s%s\n", h->ready ? "" : "# ", report_policy_line(h, text));
		fprintf(l->out, "      # %llu messages, %s\n", (unsigned long long)h->messages,
		    h->why);
	}
}

static void
put_head(const struct look *l, const struct tally *t)
{
	char from[16], to[16];

	if (t->days == 0) {
		fputs("Nothing of blackpony", l->out);
	} else {
		fprintf(l->out, "blackpony, %s to %s", report_date(t->day[0].date, from),
		    report_date(t->day[t->days - 1].date, to));
	}
	fprintf(l->out, ": %llu lines of %llu", (unsigned long long)t->counted,
	    (unsigned long long)t->lines);
	if (t->early > 0)
		fprintf(l->out, ", %llu earlier ones", (unsigned long long)t->early);
	if (t->unclear + t->late > 0)
		fprintf(
		    l->out, ", %llu not understood", (unsigned long long)t->unclear + t->late);
	fputc('\n', l->out);
}

bool
report_text(const struct report *r, FILE *out)
{
	const struct tally *t = &r->tally;
	struct look l;

	look_at(&l, out);
	put_head(&l, t);
	if (t->days == 0)
		return true;
	for (int side = 0; side < SIDES; side++)
		put_total(&l, t, (enum side)side);
	for (int side = 0; side < SIDES; side++) {
		put_days(&l, t, (enum side)side);
		if (!put_peers(&l, t, (enum side)side))
			return false;
	}
	put_keys(&l, t);
	for (int side = 0; side < SIDES; side++)
		if (!put_reasons(&l, t, (enum side)side))
			return false;
	put_advice(&l, r);
	return true;
}
