/*
 * kept_name - the name under which this host greets, kept for the next sessions: to ask the
 * name service takes a process of its own, and a name server's time. Called by receiver/main.c.
 *
 * It is a file in /run with two lines, the host's own name and the one that was found:
 *
 *   mail
 *   mail.example.org
 */
#ifndef RECEIVER_KEPT_NAME_H
#define RECEIVER_KEPT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* What name servers say may have changed after this time. */
#define KEPT_NAME_SECONDS 300

/* A name that was found less than KEPT_NAME_SECONDS ago, when the host had the same name of its
 * own and none of the files that decide about it has changed since. size: at least
 * GREETING_NAME_MAX. sources: NULL-terminated paths; a missing one must have been missing. */
bool kept_name_find(const char *path, const char *const sources[], char *out, size_t size);

/* Keeps it, as of `asked`, the time before the name service was asked, by the clock that files
 * get theirs from (CLOCK_REALTIME_COARSE). What cannot be written is not kept. */
void kept_name_put(const char *path, const struct timespec *asked, const char *name);

#endif
