/*
 * upgrade - a server and a client in the middle of their handshake, for the targets message1,
 * message2 and message3. The source is included: an attacker with a key of his own seals
 * payloads that handshake.c never would.
 */
#ifndef FUZZ_UPGRADE_H
#define FUZZ_UPGRADE_H

#include "libxpony/handshake.c"

#include "fuzz/fuzz.h"

enum { SERVER, CLIENT, SIDES };

struct upgrade {
	struct suite_list suites;
	uint8_t secret[SIDES][NOISE_KEY], public[SIDES][NOISE_KEY];
	struct handshake server, client;
};

/* The offer is made and read; the client is to take it up with this suite. */
static inline void
upgrade_offer(struct upgrade *u, const struct suite *suite)
{
	memset(u, 0, sizeof *u);
	suite_list_default(&u->suites);
	fuzz_pair(u->secret[SERVER], u->public[SERVER], 1);
	fuzz_pair(u->secret[CLIENT], u->public[CLIENT], 2);
	u->server.random = u->client.random = fuzz_random;
	handshake_offer(&u->server, &u->suites);
	u->client.advert = u->server.advert;
	u->client.suite = suite;
}

/* One of our suites, as the input chooses. */
static inline const struct suite *
upgrade_suite(uint8_t choice)
{
	struct suite_list all;

	suite_list_default(&all);
	return all.suite[choice % all.count];
}

/* What the monitor does. False: a point of low order. */
static inline bool
upgrade_dh(
    const struct upgrade *u, int side, const uint8_t point[NOISE_KEY], uint8_t dh[NOISE_KEY])
{
	return crypto_scalarmult(dh, u->secret[side], point) == 0;
}

/* Is there an item in this payload that a reader must know and does not? */
static inline bool
upgrade_has_unknown(const uint8_t *payload, size_t n)
{
	struct wire_in in = wire_in(payload, n);
	uint8_t seen[32] = {0};
	struct tlv item;

	while (tlv_next(&in, &item, seen) == ERR_NONE)
		if (item.type & TLV_CRITICAL && item.type != TLV_KEM_KEY)
			return true;
	return false;
}

/* Both have the same keys, each its own way round. */
static inline bool
upgrade_is_joined(const struct record *server, const struct record *client)
{
	return memcmp(server->tx.cipher.key, client->rx.cipher.key, NOISE_KEY) == 0 &&
	       memcmp(server->rx.cipher.key, client->tx.cipher.key, NOISE_KEY) == 0 &&
	       memcmp(server->tx.cipher.key, client->tx.cipher.key, NOISE_KEY) != 0;
}

#endif
