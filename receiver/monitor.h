/*
 * monitor - the receiver's half that holds the key, makes the TCP pair, starts back ends and
 * logs, and never sees an octet of the client: it serves the engine's requests. It is root
 * until the last back end has started; with one that is only connected to, never. Called by
 * receiver/main.c.
 */
#ifndef RECEIVER_MONITOR_H
#define RECEIVER_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "lib/key.h"
#include "libxpony/suite.h"
#include "receiver/peers.h"
#include "receiver/remote.h"

/* What has been granted, in this order; each step is taken once. */
enum monitor_step {
	MONITOR_FRESH,
	MONITOR_PLAIN,    /* a back end for the clear part */
	MONITOR_PEER,     /* the peer's key */
	MONITOR_DH,       /* the static Diffie-Hellman */
	MONITOR_UPGRADED, /* the back end behind the upgrade */
};

struct monitor {
	int engine; /* the request socket */
	pid_t engine_pid;
	enum monitor_step step;
	bool reported;
	bool walled;  /* no privilege any more: it can start nothing */
	bool settled; /* nothing is left to start: no key, no privilege any more */
	uid_t user;   /* who we are then */
	gid_t group;
	struct sockaddr_storage client; /* normalised */
	struct sockaddr_storage local;
	struct sockaddr_storage balancer; /* that brought the client; of no family: none did */
	bool is_check;  /* the balancer itself is the client, to see us well */
	char **backend; /* argv */
	struct remote_sockets *remote; /* a TCP back end in its place; or NULL */
	const struct suite_list *suites;
	int rot;
	const char *name;       /* in our greeting */
	const char *own_names;  /* more names of ours, with commas between them; or NULL */
	const char *namespace;  /* kept for TCP pairs (receiver/netns.h) */
	const char *relay_keys; /* the file with keys that may relay */
	struct peers peers;     /* what is demanded of this client */
	bool peers_unknown;     /* nobody knows: the file is faulty */
	struct key *key; /* NULL with ROTn, when no upgrade is offered, or not any more */
	bool key_is_fresh;
	uint8_t peer[KEY_OCTETS];
	bool has_peer;
	char meant[256]; /* the host name that the client meant to reach */
	int64_t started;
};

/* Serves until the engine has reported or is gone. */
void monitor_run(struct monitor *m);

#endif
