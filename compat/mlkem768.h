/*
 * mlkem768 - ML-KEM-768 (FIPS 203) by the names of libsodium 1.0.22, for systems whose
 * libsodium does not have it yet. configure chooses; include this header in both cases. Called
 * by handshake.c.
 *
 * Constant time in all that is secret: no branch, index or division depends on it. Every call
 * returns 0, but for an encapsulation key that is not reduced (FIPS 203 section 7.2): -1.
 * Lengths are exact.
 */
#ifndef COMPAT_MLKEM768_H
#define COMPAT_MLKEM768_H

#include <sodium.h>

#define MLKEM768_MESSAGE 32 /* octets in the seed of an encapsulation */

#ifndef crypto_kem_mlkem768_PUBLICKEYBYTES

#	define crypto_kem_mlkem768_PUBLICKEYBYTES 1184U
#	define crypto_kem_mlkem768_SECRETKEYBYTES 2400U
#	define crypto_kem_mlkem768_CIPHERTEXTBYTES 1088U
#	define crypto_kem_mlkem768_SHAREDSECRETBYTES 32U
#	define crypto_kem_mlkem768_SEEDBYTES 64U

int crypto_kem_mlkem768_keypair(unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
    unsigned char sk[crypto_kem_mlkem768_SECRETKEYBYTES]);
/* seed: d and z of FIPS 203, 32 octets each. */
int crypto_kem_mlkem768_seed_keypair(unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
    unsigned char sk[crypto_kem_mlkem768_SECRETKEYBYTES],
    const unsigned char seed[crypto_kem_mlkem768_SEEDBYTES]);
int crypto_kem_mlkem768_enc(unsigned char ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
    unsigned char ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
    const unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES]);
/* seed: m of FIPS 203. */
int crypto_kem_mlkem768_enc_deterministic(unsigned char ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
    unsigned char ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
    const unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
    const unsigned char seed[MLKEM768_MESSAGE]);
/* A wrong ciphertext gives a secret that nobody else has, and no fault (implicit rejection). */
int crypto_kem_mlkem768_dec(unsigned char ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
    const unsigned char ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
    const unsigned char sk[crypto_kem_mlkem768_SECRETKEYBYTES]);

#endif
#endif
