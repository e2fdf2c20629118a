/*
 * inspect - `blackpony-receiver --check`: tells an administrator, without a connection, whether
 * this host is ready. Called by receiver/main.c.
 */
#ifndef RECEIVER_INSPECT_H
#define RECEIVER_INSPECT_H

#include <stdio.h>

#include "limits.h"
#include "promise.h"
#include "remote.h"

struct inspect_about {
	char *const *backend;        /* the back end's argv, as the receiver would start it */
	const struct remote *remote; /* a TCP back end in its place; or NULL, or of no kind */
	const char *sendmail_cf;     /* NULL for /etc/mail/sendmail.cf */
	const char *name;            /* -n, or NULL when sendmail's $j is to be used */
	const char *key_file;        /* -k */
	const char *balancers;       /* -F, or NULL */
	const char *peers;           /* NULL: not looked at */
	const char *relay_keys;      /* NULL: not looked at */
	const char *empty;           /* the engine's root directory; NULL: not looked at */
	const struct limits *limits; /* NULL: not looked at */
	const struct promise_about *promise; /* NULL without -c */
};

/* Writes one line an item to out, "ok: ..." or "fault: ... what to do". Returns EX_OK, or
 * EX_CONFIG when any item is a fault. */
int inspect_run(const struct inspect_about *about, FILE *out);

#endif
