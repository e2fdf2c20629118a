/*
 * monitor - the receiver's half that holds the key, makes the TCP pair, starts back ends and
 * logs, and never sees an octet of the client: it serves the engine's requests. Called by
 * receiver/main.c.
 */
#ifndef RECEIVER_MONITOR_H
#define RECEIVER_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "lib/key.h"
#include "libxpony/suite.h"
#include "receiver/peers.h"

#define MONITOR_BACKENDS 2 /* one for the clear part, one after the upgrade */

struct monitor {
	int engine;                     /* the request socket */
	struct sockaddr_storage client; /* normalised */
	struct sockaddr_storage local;
	char **backend; /* argv */
	const struct suite_list *suites;
	int rot;
	const char *name;       /* in our greeting */
	const char *own_names;  /* more names of ours, with commas between them; or NULL */
	const char *relay_keys; /* the file with keys that may relay */
	struct peers peers;     /* what is demanded of this client */
	bool peers_unknown;     /* nobody knows: the file is faulty */
	struct key *key;        /* NULL with ROTn or when no upgrade is offered */
	bool key_is_fresh;
	bool dh_granted; /* the static Diffie-Hellman is used up */
	int backends;    /* started so far */
	uint8_t peer[KEY_OCTETS];
	bool has_peer;
	char meant[256]; /* the host name that the client meant to reach */
	int64_t started;
};

/* Serves until the engine has reported or is gone. */
void monitor_run(struct monitor *m);

#endif
