/*
 * front - a connection that a load balancer brings begins with a PROXY header (lib/proxy2.h),
 * which says whose it is. Called by receiver/main.c where the one who connects is listed
 * (receiver/balancers.h), before anything else looks at the client.
 *
 * The header's octets come from the network, so a child reads them that has the connection and
 * a pipe, and the engine's sandbox; it is forked before the key is read. It reads octet by
 * octet, 28 or 52 of them as a rule, so that what follows stays in the kernel for whom it is
 * for.
 */
#ifndef RECEIVER_FRONT_H
#define RECEIVER_FRONT_H

#include <sys/socket.h>

#include "lib/sandbox.h"

#define FRONT_SECONDS 5 /* for the whole header: longer than a lost segment takes */
#define FRONT_REASON_MAX 128

enum front_outcome {
	FRONT_CLIENT,  /* *client and *local are those of the true connection */
	FRONT_CHECK,   /* the balancer speaks for itself (LOCAL): both are as they were */
	FRONT_GONE,    /* it has closed without an octet: a check that only connects */
	FRONT_REFUSED, /* no header, a bad one, half of one, too late; why says which */
};

/* Takes the header from descriptor 0. walls: the engine's. client: the balancer, normalised,
 * and local our own address; what replaces them is normalised and of one family. An address
 * that no host has (0.0.0.0, ::, multicast, broadcast) is refused. A loopback
 * address is somebody on this machine only when the balancer has one too, and may relay here:
 * from elsewhere it is refused. */
enum front_outcome front_read(const struct sandbox *walls, struct sockaddr_storage *client,
    struct sockaddr_storage *local, char why[FRONT_REASON_MAX]);

#endif
