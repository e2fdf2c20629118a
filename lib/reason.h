/*
 * reason - why a file is refused, in one line for a person: the file, then what is wrong with it.
 * Called by key.c and textfile.c.
 */
#ifndef BLACKPONY_REASON_H
#define BLACKPONY_REASON_H

#include <stdbool.h>

#define REASON_MAX 512 /* a path is cut to fit */

/* Returns false for its callers' sake. */
bool reason_file(char why[REASON_MAX], const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
