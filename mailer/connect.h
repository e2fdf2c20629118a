/*
 * connect - a connection to the first mail host that takes one, and then to the next. Used by
 * the mailer's main (the monitor), when the engine asks for a host.
 *
 * A route walks over all addresses of all destinations and remembers where it is. Each
 * destination is resolved when its turn comes. Every address gets its own time, and all
 * look-ups and connects together end before the route's deadline.
 */
#ifndef BLACKPONY_CONNECT_H
#define BLACKPONY_CONNECT_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "destination.h"
#include "../lib/pins.h"
#include "lib/resolve.h"

#define ROUTE_TEXT 512

struct route_options {
	int family; /* AF_UNSPEC, AF_INET or AF_INET6 */
	uint16_t port;
	struct sockaddr_storage source; /* address to connect from, for destinations of its
					   family only; ss_family AF_UNSPEC: none */
	int connect_seconds;            /* for one address, at most; 0: 30 */
	int total_seconds;              /* for all of it, from route_new() on; 0: 240 */
};

/* A connected host. The caller closes fd (non-blocking, close-on-exec, TCP_NODELAY,
 * SO_KEEPALIVE). */
struct hop {
	int fd;
	char host[RESOLVE_NAME]; /* MX host name; for an address "[192.0.2.1]" as given */
	char address[INET6_ADDRSTRLEN]; /* its address as text, without brackets */
	char domain[DESTINATION_NAME];  /* the destination that led here, without a last dot */
	uint16_t port;
	bool kept;         /* fd leads to a kept session there, which is still to be judged */
	bool mx_authentic; /* see resolve.h; true where no DNS answer chose the host */
};

/* What to say at RCPT when no host could be had. Printable ASCII. Permanent when code >= 500.
 */
struct verdict {
	int code;          /* 451, 550, ... */
	char enhanced[12]; /* "4.4.1" */
	char text[ROUTE_TEXT];
};

enum route_step {
	ROUTE_CONNECTED, /* hop is filled */
	ROUTE_EXHAUSTED, /* verdict is filled; so will it be at each later call */
	ROUTE_HANGUP,    /* watch_fd hung up: the engine is gone */
};

/* "mx.example [192.0.2.1]", "mx.example [IPv6:2001:db8::1]", and once only for an address. */
const char *hop_text(const struct hop *hop, char *text, size_t cap);

struct route;

/* Copies list and options; the resolver stays the caller's. NULL when memory is out. */
struct route *route_new(const struct destination_list *list,
    const struct route_options *options, struct resolver *resolver);

/* Connects to the next address that takes the connection. watch_fd: -1 for none. */
enum route_step route_next(
    struct route *route, int watch_fd, struct hop *hop, struct verdict *verdict);

/* From now on find() is asked for a kept session before route_next() connects: its descriptor,
 * or -1. NULL: no more. */
void route_keep(
    struct route *route, int (*find)(void *context, const struct hop *hop), void *context);

/* Connects once more to the hop that route_next() gave last. When that fails ROUTE_EXHAUSTED
 * with the temporary verdict of this one address; route_next() still goes on to the next. */
enum route_step route_again(
    struct route *route, int watch_fd, struct hop *hop, struct verdict *verdict);

/* The hop that route_next() gave last refused us for now (4xx greeting, or no greeting): should
 * no other host take us, this is the verdict. A code outside 400..499 becomes 451, and so does
 * 421, which at RCPT would be our own good-bye to the MTA; an enhanced code that is not "4.x.x"
 * becomes 4.4.2; unprintable octets of text become '?'. */
void route_note_failure(struct route *route, int code, const char *enhanced, const char *text);

/* From now on dead addresses are looked up and remembered there; NULL: nowhere. */
void route_remember(struct route *route, struct pins *pins);
/* What became of the hop that route_next() gave last: it did not greet (which is remembered,
 * and its address left alone for PINS_DEAD_SECONDS), or it did. */
void route_note_dead(struct route *route);
void route_note_alive(struct route *route);

/* NULL is fine. */
void route_free(struct route *route);

#endif
