/*
 * handshake - the upgrade from XPONY line to records, both sides (PROTOCOL.md, "Handshake").
 *
 * The SMTP server is Noise's initiator: its message 1 is the advertisement. It binds advert,
 * noise, kem, suite and tlv together; session's server.c and client.c call it. The static
 * private keys are elsewhere: each side brings the one Diffie-Hellman result that needs it.
 * Ephemeral secrets are drawn from `random`: an X25519 key, then what the KEM takes.
 */
#ifndef XPONY_HANDSHAKE_H
#define XPONY_HANDSHAKE_H

#include "advert.h"
#include "commitment.h"
#include "kem.h"
#include "noise.h"
#include "record.h"
#include "tlv.h"

#define HANDSHAKE_NAME_MAX 255 /* octets in the server name of payload 2 */
#define HANDSHAKE_EHLO_MAX 510 /* octets in the early EHLO line, without CRLF */

/* What payload 2 carries, NUL-terminated; an empty string stands for "not there". */
struct handshake_hello {
	char server_name[HANDSHAKE_NAME_MAX + 1];
	char ehlo[HANDSHAKE_EHLO_MAX + 1];
};

/* Holds ephemeral secrets: keep in sodium_malloc memory; handshake_wipe() when done. */
struct handshake {
	struct noise noise;
	struct advert advert;
	const struct suite *suite;
	void (*random)(void *p, size_t n); /* set by the caller before anything else */
	uint8_t e_secret[NOISE_KEY];
	struct kem kem;               /* unused in suites without */
	struct commitment commitment; /* server: what to promise; client: what was promised */
};

void handshake_wipe(struct handshake *hs);

/* Server. offer: makes the advertisement in hs->advert with a fresh key. read_command:
 * opens a whole XPONY line; then hs->noise.rs is the client's proven key and hs->noise.re the
 * point of our static Diffie-Hellman. write_reply: appends the 220 reply to out and gives both
 * halves of the records. */
void handshake_offer(struct handshake *hs, const struct suite_list *suites);
enum err handshake_read_command(struct handshake *hs, const struct suite_list *suites,
    const uint8_t s_public[NOISE_KEY], const uint8_t *line, size_t n,
    struct handshake_hello *hello);
enum err handshake_write_reply(struct handshake *hs, const uint8_t dh_s[NOISE_KEY],
    struct buf *out, struct record *record);

/* Client. hs->advert and hs->suite are set by the caller; the point of the static
 * Diffie-Hellman is hs->advert.e. write_command: appends the XPONY line. read_reply: opens a
 * whole 220 reply; then hs->noise.rs is the server's proven key. ERR_CRYPTO when that key is
 * our own. */
enum err handshake_write_command(struct handshake *hs, const uint8_t s_public[NOISE_KEY],
    const uint8_t dh_s[NOISE_KEY], const struct handshake_hello *hello, struct buf *out);
enum err handshake_read_reply(
    struct handshake *hs, const struct smtp_reply *r, const uint8_t *p, struct record *record);

#endif
