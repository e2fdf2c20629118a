/*
 * kem - see kem.h. Called by handshake.c.
 */
#include "kem.h"

#include <sodium.h>
#include <string.h>

#define LABEL "XPONY/1 ML-KEM-768 psk"
#define SHARED crypto_kem_mlkem768_SHAREDSECRETBYTES

/* All that the secret came from goes in, so that it is this exchange's and no other's. Each
 * part has its one length. */
static void
make_psk(struct kem *k, const uint8_t shared[SHARED])
{
	crypto_generichash_blake2b_state st;

	crypto_generichash_blake2b_init(&st, NULL, 0, KEM_PSK);
	crypto_generichash_blake2b_update(&st, (const uint8_t *)LABEL, sizeof(LABEL) - 1);
	crypto_generichash_blake2b_update(&st, shared, SHARED);
	crypto_generichash_blake2b_update(&st, k->ek, KEM_EK);
	crypto_generichash_blake2b_update(&st, k->ct, KEM_CT);
	crypto_generichash_blake2b_final(&st, k->psk, KEM_PSK);
	sodium_memzero(&st, sizeof(st));
}

void
kem_offer(struct kem *k, void (*random)(void *p, size_t n))
{
	uint8_t seed[crypto_kem_mlkem768_SEEDBYTES];

	random(seed, sizeof(seed));
	(void)crypto_kem_mlkem768_seed_keypair(k->ek, k->dk, seed);
	sodium_memzero(seed, sizeof(seed));
}

enum err
kem_answer(struct kem *k, const uint8_t *ek, size_t n, void (*random)(void *p, size_t n))
{
	uint8_t message[MLKEM768_MESSAGE], shared[SHARED];
	enum err e = ERR_CRYPTO;

	if (n != KEM_EK)
		return ERR_CRYPTO;
	memcpy(k->ek, ek, KEM_EK);
	random(message, sizeof(message));
	if (crypto_kem_mlkem768_enc_deterministic(k->ct, shared, k->ek, message) == 0) {
		make_psk(k, shared);
		e = ERR_NONE;
	}
	sodium_memzero(message, sizeof(message));
	sodium_memzero(shared, sizeof(shared));
	return e;
}

void
kem_finish(struct kem *k, const uint8_t *ct)
{
	uint8_t shared[SHARED];

	memcpy(k->ct, ct, KEM_CT);
	(void)!crypto_kem_mlkem768_dec(shared, k->ct, k->dk);
	make_psk(k, shared);
	sodium_memzero(shared, sizeof(shared));
}
