/*
 * kem - the ML-KEM-768 half of the hybrid suite: how a fresh encapsulation key and its
 * ciphertext become the psk of Noise (PROTOCOL.md, "The hybrid suite"). Called by handshake.c.
 *
 * The client: kem_offer, sends ek, kem_finish with the ciphertext that came back. The server:
 * kem_answer with the ek that came, sends ct. Both then have the same psk, or, when somebody
 * changed anything in between, psks that differ: nothing tells but message 3's tag.
 */
#ifndef XPONY_KEM_H
#define XPONY_KEM_H

#include "compat/mlkem768.h"
#include "err.h"

#include <stddef.h>
#include <stdint.h>

#define KEM_EK crypto_kem_mlkem768_PUBLICKEYBYTES
#define KEM_CT crypto_kem_mlkem768_CIPHERTEXTBYTES
#define KEM_PSK 32

/* Holds secrets: part of struct handshake. */
struct kem {
	uint8_t ek[KEM_EK];
	uint8_t dk[crypto_kem_mlkem768_SECRETKEYBYTES]; /* the client's only */
	uint8_t ct[KEM_CT];
	uint8_t psk[KEM_PSK];
};

/* random gives the seed of 64 octets. */
void kem_offer(struct kem *k, void (*random)(void *p, size_t n));
/* random gives the message of 32 octets. ERR_CRYPTO: a key of another length or not reduced. */
enum err kem_answer(
    struct kem *k, const uint8_t *ek, size_t n, void (*random)(void *p, size_t n));
/* ct: KEM_CT octets. */
void kem_finish(struct kem *k, const uint8_t *ct);

#endif
