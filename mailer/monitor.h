/*
 * monitor - the mailer's half that holds the key, the resolver and the log, and never sees an
 * octet of a mail host: it serves the engine's requests. Called by mailer/main.c.
 */
#ifndef MAILER_MONITOR_H
#define MAILER_MONITOR_H

#include "mailer/connect.h"
#include "lib/key.h"

struct monitor {
	int engine;           /* the request socket */
	const char *queue_id; /* NULL when not known */
	struct key *key;
	bool key_is_fresh;
	struct route *route;           /* NULL: there is a verdict instead */
	char verdict[ROUTE_TEXT + 32]; /* a reply line that every recipient gets */
	struct hop hop;      /* where the engine is connected to; hop.host empty when nowhere */
	bool offer;          /* its offer may be taken up */
	int failed_upgrades; /* with this host */
	bool dh_granted;     /* the static Diffie-Hellman of this connection is used up */
	uint8_t peer[KEY_OCTETS];
	bool has_peer;
	int64_t started;
};

/* Serves until the engine has reported or is gone. */
void monitor_run(struct monitor *m);

#endif
