/*
 * html - the report as one page that needs nothing from elsewhere: no script, no font, no image
 * (its own Content-Security-Policy forbids them). Whatever a plot shows stands in a table too.
 * Called by main.c.
 */
#include "report/plot.h"
#include "report/report.h"

#include <stdlib.h>

#define DAYS_SHOWN 92
#define PEERS_SHOWN 50
#define REASONS_SHOWN 50

/* Encrypted is blue, the stronger the further from the background; clear is orange, which the
 * colour-blind too can tell from it. */
static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
    "<title>How much mail is encrypted?</title>\n"
    "<style>\n"
    ":root { --page: #fff; --text: #1c2430; --faint: #596372; --line: #dde2e8;\n"
    "  --way0: #174a8c; --way1: #4f8fd6; --way2: #a3c4e8; --way3: #d9652b; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --page: #14181d; --text: #e4e8ed; --faint: #98a3b0; --line: #303841;\n"
    "    --way0: #9cc8ff; --way1: #4b8ad0; --way2: #345f92; --way3: #ee8a50; } }\n"
    "body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--page);\n"
    "  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }\n"
    "h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 .5rem; } h3 { margin: 1.5rem 0 .5rem; }\n"
    "p { margin: .25rem 0; } .faint, caption { color: var(--faint); }\n"
    ".way0 { fill: var(--way0); background: var(--way0); }\n"
    ".way1 { fill: var(--way1); background: var(--way1); }\n"
    ".way2 { fill: var(--way2); background: var(--way2); }\n"
    ".way3 { fill: var(--way3); background: var(--way3); }\n"
    ".legend { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; padding: 0;\n"
    "  list-style: none; }\n"
    ".legend span { display: inline-block; width: .9em; height: .9em; margin-right: .5em;\n"
    "  border-radius: 2px; vertical-align: -.1em; }\n"
    ".beside { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start; }\n"
    ".beside > svg { flex: 1 1 24rem; max-width: 46rem; }\n"
    ".scroll { overflow-x: auto; } .beside .scroll { overflow: auto; max-height: 17rem; }\n"
    "svg.days text { fill: var(--faint); font-size: 14px; }\n"
    "svg.days rect { stroke: var(--page); stroke-width: 1; }\n"
    "svg .axis { stroke: var(--faint); } svg .grid { stroke: var(--line); }\n"
    "svg.bar { display: block; width: 12rem; height: .9rem; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
    "caption { text-align: left; padding-bottom: .25rem; }\n"
    "th, td { padding: .2rem .8rem .2rem 0; text-align: right; white-space: nowrap; }\n"
    "th { font-weight: 600; border-bottom: 1px solid var(--faint); }\n"
    "tbody th { font-weight: normal; }\n"
    "tbody th, td { border-bottom: 1px solid var(--line); }\n"
    "thead th { position: sticky; top: 0; background: var(--page); }\n"
    "th:first-child, .name { text-align: left; white-space: normal;\n"
    "  overflow-wrap: anywhere; min-width: 8rem; }\n"
    "code, pre { font: .9em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }\n"
    "</style>\n</head>\n<body>\n<main>\n";

static void
put_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static void
put_cell(FILE *out, const char *tag, const char *text)
{
	fprintf(out, "<%s class=\"name\">", tag);
	put_escaped(out, text);
	fprintf(out, "</%s>", tag[0] == 't' && tag[1] == 'h' ? "th" : "td");
}

static void
put_number(FILE *out, uint64_t n)
{
	fprintf(out, "<td>%llu</td>", (unsigned long long)n);
}

static void
put_percent(FILE *out, const struct counts *c)
{
	const int percent = counts_percent(c);

	if (percent < 0)
		fputs("<td>\342\200\223</td>", out);
	else
		fprintf(out, "<td>%d%%</td>", percent);
}

static void
put_legend(FILE *out, const struct counts *c)
{
	fputs("<ul class=\"legend\">", out);
	for (int i = 0; i < WAYS; i++)
		fprintf(out, "<li><span class=\"way%d\"></span>%s: %llu</li>", i, report_way[i],
		    (unsigned long long)c->messages[i]);
	fputs("</ul>\n", out);
}

static void
begin_table(FILE *out, const char *caption, const char *first)
{
	static const char *const column[WAYS] = {"hybrid", "classical", "STARTTLS", "clear"};

	fprintf(out,
	    "<table>\n<caption>%s</caption>\n<thead><tr><th scope=\"col\">%s</th>"
	    "<th scope=\"col\">messages</th><th scope=\"col\">encrypted</th>",
	    caption, first);
	for (int i = 0; i < WAYS; i++)
		fprintf(out, "<th scope=\"col\">%s</th>", column[i]);
}

static void
put_counts(FILE *out, const struct counts *c)
{
	put_number(out, counts_messages(c));
	put_percent(out, c);
	for (int i = 0; i < WAYS; i++)
		put_number(out, c->messages[i]);
}

static void
put_days(FILE *out, const struct tally *t, enum side side)
{
	const size_t first = t->days > DAYS_SHOWN ? t->days - DAYS_SHOWN : 0;
	char text[64];

	fputs("<h3>By day</h3>\n<div class=\"beside\">\n", out);
	(void)snprintf(text, sizeof(text), "Messages %s, by day", report_side[side]);
	plot_days(out, t->day + first, t->days - first, side, text);
	fputs("<div class=\"scroll\" tabindex=\"0\">\n", out);
	begin_table(out, text, "day");
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t i = t->days; i > first; i--) {
		fprintf(out, "<tr><th scope=\"row\">%s</th>",
		    report_date(t->day[i - 1].date, text));
		put_counts(out, &t->day[i - 1].side[side]);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table>\n</div>\n</div>\n", out);
}

static void
put_peer(FILE *out, const char *name, const struct counts *c, uint64_t most)
{
	fputs("<tr>", out);
	put_cell(out, "th scope=\"row\"", name);
	put_counts(out, c);
	fputs("<td>", out);
	if (most > 0)
		plot_bar(out, c, most);
	fputs("</td></tr>\n", out);
}

static bool
put_peers(FILE *out, const struct tally *t, enum side side)
{
	const struct table *table = &t->peers[side];
	struct entry **list = table_sorted(table);
	struct counts rest = table->others;
	uint64_t names = table->forgotten;
	const uint64_t most =
	    list != NULL && table->used > 0 ? counts_messages(&list[0]->counts) : 0;
	char text[64];

	if (list == NULL)
		return false;
	for (size_t i = PEERS_SHOWN; i < table->used; i++, names++)
		counts_add(&rest, &list[i]->counts);
	fprintf(out, "<h3>By %s</h3>\n<div class=\"scroll\">\n",
	    side == SIDE_SENT ? "destination" : "client");
	(void)snprintf(text, sizeof(text), "Messages %s, by %s", report_side[side],
	    side == SIDE_SENT ? "destination" : "client");
	begin_table(out, text, side == SIDE_SENT ? "destination" : "client");
	fputs("<th><span hidden=\"hidden\">bar</span></th></tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < table->used && i < PEERS_SHOWN; i++)
		put_peer(out, list[i]->name, &list[i]->counts, most);
	(void)snprintf(text, sizeof(text), "%llu others", (unsigned long long)names);
	if (names > 0)
		put_peer(out, text, &rest, 0);
	fputs("</tbody></table>\n</div>\n", out);
	free(list);
	return true;
}

static bool
put_side(FILE *out, const struct tally *t, enum side side)
{
	char text[128];

	fprintf(out, "<section>\n<h2>Mail %s</h2>\n<p>%s</p>\n", report_side[side],
	    report_sentence(&t->total[side], side, text));
	if (counts_messages(&t->total[side]) > 0) {
		put_legend(out, &t->total[side]);
		put_days(out, t, side);
		if (!put_peers(out, t, side))
			return false;
	}
	fputs("</section>\n", out);
	return true;
}

static void
put_keys(FILE *out, const struct tally *t)
{
	const uint64_t *keys = t->total[SIDE_SENT].keys;
	char text[24];

	fprintf(out,
	    "<section>\n<h2>Keys of other hosts</h2>\n<p>%llu new, %llu announced before, "
	    "%llu changed.</p>\n",
	    (unsigned long long)keys[GROUND_NEW], (unsigned long long)keys[GROUND_ANNOUNCED],
	    (unsigned long long)keys[GROUND_CHANGED]);
	if (t->events > 0)
		fputs("<div class=\"scroll\"><table>\n<caption>The latest</caption>\n"
		      "<thead><tr><th scope=\"col\">when</th>"
		      "<th scope=\"col\" class=\"name\">what</th>"
		      "<th scope=\"col\" class=\"name\">destination and host</th>"
		      "<th scope=\"col\" class=\"name\">key</th></tr></thead>\n<tbody>\n",
		    out);
	for (size_t i = 0; i < t->events; i++) {
		const struct key_event *e = &t->event[i];

		fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"name\">%s</td>",
		    report_time(e->when, text), e->what);
		fputs("<td class=\"name\">", out);
		put_escaped(out, e->destination);
		fputs("<br/>", out);
		put_escaped(out, e->relay);
		fputs("</td><td class=\"name\"><code>", out);
		put_escaped(out, e->to);
		if (e->from[0] != '\0') {
			fputs("<br/>was ", out);
			put_escaped(out, e->from);
		}
		fputs("</code></td></tr>\n", out);
	}
	fputs(t->events > 0 ? "</tbody></table></div>\n</section>\n" : "</section>\n", out);
}

static bool
put_failures(FILE *out, const struct tally *t)
{
	struct report_reason r;

	fputs("<section>\n<h2>Failures</h2>\n", out);
	if (t->reasons[SIDE_SENT].used + t->reasons[SIDE_RECEIVED].used == 0)
		fputs("<p>None.</p>\n", out);
	for (int side = 0; side < SIDES; side++) {
		struct entry **list = table_sorted(&t->reasons[side]);

		if (list == NULL)
			return false;
		if (t->reasons[side].used > 0)
			fprintf(out,
			    "<h3>Mail %s</h3>\n<div class=\"scroll\"><table>\n<thead><tr>"
			    "<th scope=\"col\">what</th><th scope=\"col\" "
			    "class=\"name\">reason</th>"
			    "<th scope=\"col\">lines</th></tr></thead>\n<tbody>\n",
			    report_side[side]);
		for (size_t i = 0; i < t->reasons[side].used && i < REASONS_SHOWN; i++) {
			report_reason(&r, list[i]);
			fputs("<tr>", out);
			put_cell(out, "th scope=\"row\"", r.what);
			put_cell(out, "td", r.reason);
			put_number(out, list[i]->counts.failures);
			fputs("</tr>\n", out);
		}
		if (t->reasons[side].used > 0)
			fputs("</tbody></table></div>\n", out);
		free(list);
	}
	fputs("</section>\n", out);
	return true;
}

static void
put_advice(FILE *out, const struct report *r)
{
	const struct advice *a = &r->advice;
	char text[REPORT_TEXT_MAX];

	fputs("<section>\n<h2>Lines for the policy file that would help most</h2>\n", out);
	if (a->count == 0)
		fputs("<p>None.</p>\n", out);
	else
		fputs("<div class=\"scroll\"><table>\n<thead><tr>"
		      "<th scope=\"col\">line</th><th scope=\"col\">messages</th>"
		      "<th scope=\"col\" class=\"name\">why</th></tr></thead>\n<tbody>\n",
		    out);
	for (size_t i = 0; i < a->count; i++) {
		fputs("<tr><th scope=\"row\"><code>", out);
		put_escaped(out, report_policy_line(&a->hint[i], text));
		fputs("</code></th>", out);
		put_number(out, a->hint[i].messages);
		fprintf(out, "<td class=\"name\">%s%s</td></tr>\n",
		    a->hint[i].ready ? "" : "not yet: ", a->hint[i].why);
	}
	fputs(a->count > 0 ? "</tbody></table></div>\n</section>\n" : "</section>\n", out);
}

bool
report_html(const struct report *r, FILE *out)
{
	const struct tally *t = &r->tally;
	char from[16], to[16];

	fputs(head, out);
	fputs("<h1>How much mail is encrypted?</h1>\n<p class=\"faint\">", out);
	if (t->days > 0)
		fprintf(out, "%s to %s, ", report_date(t->day[0].date, from),
		    report_date(t->day[t->days - 1].date, to));
	fprintf(out, "from %llu log lines of blackpony.</p>\n", (unsigned long long)t->counted);
	for (int side = 0; side < SIDES; side++)
		if (!put_side(out, t, (enum side)side))
			return false;
	put_keys(out, t);
	if (!put_failures(out, t))
		return false;
	put_advice(out, r);
	fputs("</main>\n</body>\n</html>\n", out);
	return true;
}
