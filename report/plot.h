/*
 * plot - inline SVG for html.c: bars of the four ways, in the classes way0 to way3 of the
 * page's style sheet. No text of the log gets in here but dates and numbers.
 */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include <stdio.h>

#include "report/tally.h"

/* Bars by day, with axes. title is ours: it is not escaped. */
void plot_days(
    FILE *out, const struct day *day, size_t days, enum side side, const char *title);

/* One bar, for a row of a table, that is full at `most` messages. */
void plot_bar(FILE *out, const struct counts *c, uint64_t most);

#endif
