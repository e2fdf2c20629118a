/*
 * limits - which connections are served at all: what `sendmail -bs` does not look at, since
 * there the daemon has done it (doc/PARITY.md, "Inbound"). Called by receiver/main.c before the
 * engine is started.
 */
#ifndef RECEIVER_LIMITS_H
#define RECEIVER_LIMITS_H

#include <stdbool.h>
#include <sys/socket.h>
#include "receiver/slots.h"

#define LIMITS_PAUSE_MAX 60000
#define LIMITS_LOAD_MAX 100000
#define LIMITS_LOAD_BY_CPUS (LIMITS_LOAD_MAX + 1)

struct limits {
	const char *file; /* of the slots */
	/* 0: no limit */
	unsigned sessions; /* in all */
	unsigned each;     /* of one client's address, see slots.h */
	unsigned load;     /* average of the last minute at which nobody is served;
			      LIMITS_LOAD_BY_CPUS: by the number of processors */
	unsigned pause;    /* milliseconds for a client to speak before it is greeted */
};

/* What holds when nothing else is asked for. */
void limits_default(struct limits *l);

/* At which load nobody is served; 0: at none. */
unsigned limits_load_max(const struct limits *l);

/* The load now; negative when nobody knows. */
double limits_load(void);

/* Is this client served? Then its session holds a slot as long as this process lives. If not,
 * it has got one line of reply and the end of the connection `fd`, and the log has a line.
 * Nothing that it says is read. name: of this host. */
bool limits_admit(
    const struct limits *l, int fd, const struct sockaddr_storage *client, const char *name);

/* Lets the client hear our last line, for a second at most, once that half of the connection is
 * shut: closing with unread octets would reset it. The kernel drops them; not one comes into
 * this process (tcp(7), MSG_TRUNC). */
void limits_let_hear(int fd);

#endif
