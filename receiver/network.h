/*
 * network - an address, or a network of them, as the files in /etc/blackpony write it:
 *
 *   192.0.2.1   192.0.2.0/24   2001:db8::1   [2001:db8::]/32
 *
 * The number says how many bits count; the others must be zero. IPv6 may stand in brackets.
 * Used by receiver/peers.c and receiver/balancers.c.
 */
#ifndef RECEIVER_NETWORK_H
#define RECEIVER_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/words.h"

struct network {
	sa_family_t family;
	uint8_t address[16]; /* IPv4: the first four */
	unsigned bits;
};

/* The network that the word is. Equal ones are equal octets. False: words->why says what is
 * wrong with it. */
bool network_read(struct network *n, struct words *words, const struct word *w);

/* That of one address, which is normalised (pair_normalise()). False for any family but IPv4
 * and IPv6. */
bool network_of(struct network *n, const struct sockaddr_storage *address);

/* Is that address, from network_of(), in the network? */
bool network_has(const struct network *n, const struct network *address);

#endif
