/*
 * remote - a back end that is a TCP server of its own, and how it learns who the true client is
 * (doc/DESIGN.md, "TCP back ends"). Called by receiver/main.c for -B, by the monitor, and by
 * receiver/inspect.c.
 *
 *   proxy        an MTA that wants a PROXY header (lib/proxy2.h): Postfix, Exim, OpenSMTPD
 *   transparent  a running sendmail: the connection comes from the client's own address
 *                (IP_TRANSPARENT); a routing rule of the host brings the answers back
 */
#ifndef RECEIVER_REMOTE_H
#define RECEIVER_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define REMOTE_WAIT_MS 3000 /* for the connection */
#define REMOTE_SOCKETS 2    /* back ends of a session: a plain one, one behind an upgrade */

enum remote_kind { REMOTE_NONE, REMOTE_PROXY, REMOTE_TRANSPARENT };

/* A kind, and its server's addresses. One is enough for a PROXY header, which speaks of either
 * family; a transparent connection needs an address of the client's family. */
struct remote {
	enum remote_kind kind;
	struct sockaddr_storage four, six; /* ss_family is 0 where there is none */
};

/* One session's connections to it, made ready by root for a process that is not. */
struct remote_sockets {
	const struct remote *remote;
	const struct sockaddr_storage *client, *local;
	struct sockaddr_storage server; /* where clients of this family are brought to */
	int fd[REMOTE_SOCKETS];         /* -1: used, or never had */
};

enum remote_result {
	REMOTE_CONNECTED,
	REMOTE_DOWN,  /* it does not answer, at present */
	REMOTE_WRONG, /* something must be mended on this host first */
};

/* Adds "proxy:ADDRESS:PORT" or "transparent:ADDRESS:PORT", IPv6 in brackets. False: it is no
 * such text, or of another kind than the one before, or a second one where one is all that can
 * be used. */
bool remote_parse(struct remote *r, const char *text);

/* Needs CAP_NET_ADMIN for a transparent one. client and local are normalised (pair.h), and
 * outlive it. False: why[0..why_size) says what failed, in printable ASCII, and nothing is
 * open: the client is to be turned away (421). */
bool remote_prepare(struct remote_sockets *s, const struct remote *r,
    const struct sockaddr_storage *client, const struct sockaddr_storage *local, char *why,
    size_t why_size);

/* The next of the connections: made, and told the client's address. What turns out to come from
 * another one is closed (REMOTE_WRONG). The descriptor does not block and is the caller's. Needs no
 * privilege and makes no socket. */
enum remote_result remote_connect(
    struct remote_sockets *s, int *fd, char *why, size_t why_size);

void remote_close(struct remote_sockets *s);

#endif
