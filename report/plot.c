/*
 * plot - see plot.h.
 */
#include "report/plot.h"
#include "report/report.h"

/* Of the plot by day, in its own units. */
#define WIDTH 560
#define HEIGHT 250
#define LEFT 60 /* for the numbers at the side */
#define TOP 12
#define BOTTOM 34 /* for the dates */
#define BAR_MAX 56
#define LABELS 6 /* dates below, at most */
#define GRID 4

#define ROW_WIDTH 200
#define ROW_HEIGHT 14

/* The next number of one digit and zeros that, times GRID, is n or more. */
static uint64_t
grid_step(uint64_t n)
{
	for (uint64_t power = 1; power < UINT64_MAX / 100; power *= 10)
		for (uint64_t digit = 1; digit <= 9; digit++)
			if (digit * power * GRID >= n)
				return digit * power;
	return n;
}

static void
put_axes(FILE *out, uint64_t step)
{
	const int plot = HEIGHT - TOP - BOTTOM;

	for (int i = 0; i <= GRID; i++) {
		const int y = HEIGHT - BOTTOM - plot * i / GRID;

		fprintf(out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>",
		    i == 0 ? "axis" : "grid", LEFT, WIDTH, y, y);
		fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%llu</text>\n",
		    LEFT - 8, y + 4, (unsigned long long)step * (unsigned)i);
	}
}

static void
put_day(FILE *out, const struct day *day, enum side side, double x, double width, uint64_t most)
{
	const struct counts *c = &day->side[side];
	const int plot = HEIGHT - TOP - BOTTOM;
	char date[16];

	for (int i = 0; i < WAYS; i++) {
		const int from = report_bar(c, i, plot, most),
			  to = report_bar(c, i + 1, plot, most);

		if (c->messages[i] == 0)
			continue;
		fprintf(out,
		    "<rect class=\"way%d\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
		    "height=\"%d\">",
		    i, x, HEIGHT - BOTTOM - to, width, to - from);
		fprintf(out, "<title>%s: %llu %s</title></rect>\n",
		    report_date(day->date, date), (unsigned long long)c->messages[i],
		    report_way[i]);
	}
}

void
plot_days(FILE *out, const struct day *day, size_t days, enum side side, const char *title)
{
	const double room = (double)(WIDTH - LEFT) / (double)(days > 0 ? days : 1);
	const double width = room * 0.8 < BAR_MAX ? room * 0.8 : BAR_MAX;
	const size_t every = (days + LABELS - 1) / LABELS;
	uint64_t most = 1, step;
	char date[16];

	for (size_t i = 0; i < days; i++)
		if (counts_messages(&day[i].side[side]) > most)
			most = counts_messages(&day[i].side[side]);
	step = grid_step(most);
	fprintf(
	    out, "<svg class=\"days\" role=\"img\" viewBox=\"0 0 %d %d\">\n", WIDTH, HEIGHT);
	fprintf(out, "<title>%s</title>\n", title);
	put_axes(out, step);
	for (size_t i = 0; i < days; i++) {
		const double middle = LEFT + room * ((double)i + 0.5);

		put_day(out, &day[i], side, middle - width / 2, width, step * GRID);
		if (i % every == 0)
			fprintf(out,
			    "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			    middle, HEIGHT - BOTTOM + 20,
			    report_date(day[i].date, date) + (i == 0 ? 0 : 5));
	}
	fputs("</svg>\n", out);
}

void
plot_bar(FILE *out, const struct counts *c, uint64_t most)
{
	fprintf(out,
	    "<svg class=\"bar\" aria-hidden=\"true\" viewBox=\"0 0 %d %d\" "
	    "preserveAspectRatio=\"none\">",
	    ROW_WIDTH, ROW_HEIGHT);
	for (int i = 0; i < WAYS; i++) {
		const int from = report_bar(c, i, ROW_WIDTH, most),
			  to = report_bar(c, i + 1, ROW_WIDTH, most);

		if (to > from)
			fprintf(out,
			    "<rect class=\"way%d\" x=\"%d\" y=\"0\" width=\"%d\" "
			    "height=\"%d\"/>",
			    i, from, to - from, ROW_HEIGHT);
	}
	fputs("</svg>", out);
}
