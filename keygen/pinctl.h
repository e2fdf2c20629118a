/*
 * pinctl - what the mailer remembers of other hosts, for a person to find, list, remove, and
 * carry to another host (doc/blackpony-keygen.1, "REMEMBERED HOSTS"). Called by keygen/main.c;
 * faults end the program, in one line. Returns are exit statuses.
 *
 * A record is a line for each key, the pinned one first:
 *   domain host SHA256:... pinned|announced|former [name=value ...]
 */
#ifndef KEYGEN_PINCTL_H
#define KEYGEN_PINCTL_H

#include <stdbool.h>

/* Those of whom host is the domain or the MX host; all when host is NULL. 1 when there are
 * none. */
int pinctl_show(const char *directory, const char *host, bool json);
/* Forgets the same. 1 when there were none. */
int pinctl_remove(const char *directory, const char *host, bool quiet);
/* Takes in what pinctl_show() printed, from a file or, "-", standard input. Hosts that are
 * known already stay as they are. */
int pinctl_import(const char *directory, const char *file, bool quiet);

#endif
