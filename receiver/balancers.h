/*
 * balancers - the file of -F: the load balancers that say in a PROXY header whose connection
 * they pass on (doc/blackpony-receiver.8, "BALANCERS"). Used by receiver/main.c and
 * receiver/inspect.c.
 *
 *   # address or network, one a line
 *   192.0.2.10
 *   2001:db8::10
 *
 * Who is listed is believed whatever client it names, so a line for everybody (/0) is refused.
 * A fault anywhere in the file names file, line and word; nobody is served then, for nobody
 * knows whom to believe.
 */
#ifndef RECEIVER_BALANCERS_H
#define RECEIVER_BALANCERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/words.h"

#define BALANCERS_FILE_MAX 65536
#define BALANCERS_REASON_MAX WORDS_REASON_MAX

struct balancers {
	bool listed;  /* the one who connects is one */
	size_t count; /* addresses and networks in the file */
};

/* Reads path; peer: who connects, normalised, or NULL to look for faults only. The file must be
 * there, and root's or ours, and nobody else's to write (lib/textfile.h). False: why
 * (BALANCERS_REASON_MAX) says in one line what is wrong. */
bool balancers_find(
    struct balancers *b, const char *path, const struct sockaddr_storage *peer, char *why);

/* The same on a text in memory, for tests. path is for the messages. */
bool balancers_parse(struct balancers *b, const char *path, const char *text, size_t n,
    const struct sockaddr_storage *peer, char *why);

#endif
