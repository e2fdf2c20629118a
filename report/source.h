/*
 * source - where log lines come from: files, gzipped or not, standard input, the journal. Feeds
 * tally.c; called by main.c. What goes wrong is said on standard error, and the rest is read.
 */
#ifndef REPORT_SOURCE_H
#define REPORT_SOURCE_H

#include "report/tally.h"

/* Today, and so many days before it, as 20261121. */
int source_date(long days_ago);

/* All of a file, "-" for standard input. EX_OK, or what to exit with in the end. */
int source_file(struct tally *t, const char *path);

/* What the journal has of blackpony. */
int source_journal(struct tally *t);

/* What syslog has written, or else the journal. */
int source_default(struct tally *t);

#endif
