/*
 * noise - Noise_XX_25519_ChaChaPoly_BLAKE2b and its psk3 form, by the book (noiseprotocol.org
 * revision 34), on libsodium. Used by handshake.c and record.c.
 *
 * What differs from a stock library is only where the secrets are: the static private key is not
 * here. Each side needs exactly one Diffie-Hellman with it, whose result (DH(s, re)) the caller
 * brings: the responder before message 2, the initiator before message 3. Randomness comes from the
 * caller too. Messages and payloads may not overlap. An all-zero DH result is ERR_CRYPTO.
 *
 * Wipe with noise_wipe(); keep the struct in sodium_malloc memory.
 */
#ifndef XPONY_NOISE_H
#define XPONY_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

#define NOISE_KEY 32
#define NOISE_HASH 64
#define NOISE_TAG 16
#define NOISE_MESSAGE_MAX 65535
/* Octets that a handshake message has beyond its payload: */
#define NOISE_MESSAGE_1(psk) (NOISE_KEY + ((psk) ? NOISE_TAG : 0))
#define NOISE_MESSAGE_2 (NOISE_KEY + NOISE_KEY + NOISE_TAG + NOISE_TAG)
#define NOISE_MESSAGE_3 (NOISE_KEY + NOISE_TAG + NOISE_TAG)

struct noise_cipher {
	uint8_t key[NOISE_KEY];
	uint64_t n;
	bool keyed;
};

struct noise {
	bool initiator;
	bool psk3;
	struct noise_cipher cipher;
	uint8_t ck[NOISE_HASH];
	uint8_t h[NOISE_HASH];
	uint8_t s_public[NOISE_KEY];  /* our static public key */
	uint8_t e_secret[NOISE_KEY];  /* our ephemeral pair */
	uint8_t e_public[NOISE_KEY];
	uint8_t rs[NOISE_KEY];        /* the peer's static public key, once read */
	uint8_t re[NOISE_KEY];        /* the peer's ephemeral public key, once read */
};

/* name: the full Noise protocol name (hashed or padded as section 5.2 says). */
void noise_init(struct noise *x, const char *name, bool initiator, bool psk3,
    const void *prologue, size_t prologue_len);
void noise_set_static(struct noise *x, const uint8_t s_public[NOISE_KEY]);
void noise_set_ephemeral(struct noise *x, const uint8_t e_secret[NOISE_KEY]); /* derives e_public */

/* The DH result the caller brings for the "es"/"se" token with its own static key: dh_s. psk is NULL
 * unless psk3. Each writes exactly NOISE_MESSAGE_x + n octets to message; each read takes a message of
 * len octets and gives len - NOISE_MESSAGE_x payload octets. Faults: ERR_CRYPTO (tag, zero DH),
 * ERR_SYNTAX (too short). After a fault the state must not be used again. */
enum err noise_write_1(struct noise *x, uint8_t *message, const void *payload, size_t n);
enum err noise_read_1(struct noise *x, uint8_t *payload, const uint8_t *message, size_t len);
enum err noise_write_2(struct noise *x, uint8_t *message, const uint8_t dh_s[NOISE_KEY],
    const void *payload, size_t n);
enum err noise_read_2(struct noise *x, uint8_t *payload, const uint8_t *message, size_t len);
enum err noise_write_3(struct noise *x, uint8_t *message, const uint8_t dh_s[NOISE_KEY],
    const uint8_t *psk, const void *payload, size_t n);
enum err noise_read_3(struct noise *x, const uint8_t *psk, uint8_t *payload,
    const uint8_t *message, size_t len);

/* After message 3. tx and rx are seen from this side. The handshake hash stays in x->h. */
void noise_split(const struct noise *x, struct noise_cipher *tx, struct noise_cipher *rx);
void noise_wipe(struct noise *x);

/* Transport messages: AEAD with empty associated data; n counts up by one each. Both may work in
 * place (out == in). More than NOISE_MESSAGE_MAX octets: ERR_LIMIT. seal writes len + 16. */
enum err noise_cipher_seal(struct noise_cipher *c, uint8_t *out, const uint8_t *in, size_t len);
/* open gives len - 16 octets. */
enum err noise_cipher_open(struct noise_cipher *c, uint8_t *out, const uint8_t *in, size_t len);
/* REKEY of section 4.2; n is not reset. */
void noise_cipher_rekey(struct noise_cipher *c);

#endif
