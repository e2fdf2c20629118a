/*
 * monitor - the mailer's half that holds the key, the resolver and the log, and never sees an
 * octet of a mail host: it serves the engine's requests. Called by mailer/main.c.
 */
#ifndef MAILER_MONITOR_H
#define MAILER_MONITOR_H

#include "mailer/connect.h"
#include "lib/key.h"
#include "mailer/keep.h"
#include "mailer/trust.h"

struct monitor {
	int engine; /* the request socket */
	pid_t engine_pid;
	const char *queue_id; /* NULL when not known */
	struct key *key;
	bool key_is_fresh;
	struct route *route;           /* NULL: there is a verdict instead */
	char verdict[ROUTE_TEXT + 32]; /* a reply line that every recipient gets */
	struct hop hop; /* where the engine is connected to; hop.host empty when nowhere */
	struct trust trust;
	struct trust_terms terms; /* how this host may be spoken to */
	int failed_upgrades;      /* with this host */
	bool turned_down;         /* by us: the engine leaves it for that */
	bool reported;
	bool exhausted;  /* there is no other host */
	int clears;      /* asked on this connection: one for each EHLO of the MTA */
	bool dh_granted; /* the static Diffie-Hellman of this connection is used up */
	uint8_t peer[KEY_OCTETS];
	bool has_peer;
	bool trusted; /* and mail may go to it */

	const struct keep *keep;   /* NULL: no session is kept, or looked for */
	struct keep_record record; /* of the kept session that is used, or of this one */
	int64_t connected;         /* when the connection began */
	bool keeps;                /* the engine waits for another mail, and may have it */

	struct resolver *resolver;
	int64_t started;
};

/* Serves until the engine has reported or is gone. */
void monitor_run(struct monitor *m);

#endif
