/*
 * inspect - `blackpony-receiver --check`: tells an administrator, without a connection, whether this host
 * is ready. Called by receiver/main.c.
 */
#ifndef RECEIVER_INSPECT_H
#define RECEIVER_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define INSPECT_TEXT_MAX 512

struct inspect_about {
	char *const *backend;    /* the back end's argv, as the receiver would start it */
	const char *sendmail_cf; /* NULL for /etc/mail/sendmail.cf */
	const char *name;        /* -n, or NULL when sendmail's $j is to be used */
	/* Looks at the host key: writes one line about it (INSPECT_TEXT_MAX octets at most: its fingerprint,
	 * or the file, the fault and what to do); false when it is a fault. May be NULL. */
	bool (*key)(void *arg, char *text, size_t size);
	void *key_arg;
};

/* Writes one line an item to out, "ok: ..." or "fault: ... what to do". Returns EX_OK, or EX_CONFIG
 * when any item is a fault. */
int inspect_run(const struct inspect_about *about, FILE *out);

#endif
