/*
 * textfile - reads a whole configuration file that an administrator wrote, when it is one that
 * nobody else can have written. Used by policy.c and by whatever else is a list of lines.
 */
#ifndef BLACKPONY_TEXTFILE_H
#define BLACKPONY_TEXTFILE_H

#include <stddef.h>
#include "reason.h"

#define TEXTFILE_REASON_MAX REASON_MAX

enum textfile_status {
	TEXTFILE_OK,
	TEXTFILE_MISSING, /* no file of that name */
	TEXTFILE_REFUSED, /* there and not to be used: too open, foreign, too large, unreadable
			   */
};

/* The file, or what a symbolic link leads to, must be a regular file of root or the effective
 * user, of at most max octets, that neither group nor others may write. A link that leads to
 * nothing is refused: somebody meant a file to be there.
 * TEXTFILE_OK: *text is the caller's to free, n octets and a NUL behind them. Otherwise *text
 * is NULL; when refused, why (TEXTFILE_REASON_MAX) is one line that names the file, the fault
 * and what to do. */
enum textfile_status textfile_read(
    const char *path, size_t max, char **text, size_t *n, char why[TEXTFILE_REASON_MAX]);

#endif
