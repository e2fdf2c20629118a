/*
 * proxy2 - the header that tells a TCP server whose connection it is that a proxy brings:
 * version 2 of the PROXY protocol (W. Tarreau, "The PROXY protocol, versions 1 & 2", section
 * 2.2; doc/proxy-protocol.txt of HAProxy). Bytes in, bytes out: no system call, no clock, no
 * log. Called by the receiver: it writes one to a back end, and takes one from a load balancer.
 *
 *   signature    12 octets, which are no command of any protocol
 *   version      4 bits: 2
 *   command      4 bits: 0 LOCAL (the proxy's own connection: a health check), 1 PROXY
 *   family       u8: 0x11 TCP over IPv4, 0x21 TCP over IPv6; no other is written or taken
 *   length       u16: of what follows
 *   addresses    the client's, ours, the client's port, ours: 12 or 36 octets
 *   TLVs         up to the length; skipped
 */
#ifndef BLACKPONY_PROXY2_H
#define BLACKPONY_PROXY2_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY2_MAX 52   /* octets that proxy2_build() writes at most */
#define PROXY2_MOST 536 /* octets that proxy2_parse() takes at most: what fits any segment */

enum proxy2_result {
	PROXY2_MORE,    /* so far it is the beginning of a header */
	PROXY2_PROXIED, /* client and local are those of the true connection */
	PROXY2_LOCAL,   /* the proxy speaks for itself: the connection's own addresses hold */
	PROXY2_BAD,     /* no header, or not one that we take */
};

struct proxy2 {
	size_t octets; /* of the header: what follows is the client's */
	/* PROXIED: nothing but family, address and port is set. Over IPv6 an address may be a
	 * v4-mapped one (pair_normalise()). */
	struct sockaddr_storage client, local;
};

/* Writes the header of a connection from client to local. Returns its length, or 0 when the two
 * are not both IPv4 or both IPv6. A scope has no place in it. */
size_t proxy2_build(uint8_t out[PROXY2_MAX], const struct sockaddr_storage *client,
    const struct sockaddr_storage *local);

/* Looks at the n octets that have come since the connection began. Call it again with more of
 * them while it says PROXY2_MORE, which it never does for PROXY2_MOST octets. What cannot
 * become a header is bad at its first wrong octet, so nobody waits for the rest. header is set
 * for PROXIED and LOCAL (there without addresses). */
enum proxy2_result proxy2_parse(const uint8_t *p, size_t n, struct proxy2 *header);

#endif
