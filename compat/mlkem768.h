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

int crypto_kem_mlkem768_keypair(unsigned char *pk, unsigned char *sk);
/* seed: d and z of FIPS 203, 32 octets each. */
int crypto_kem_mlkem768_seed_keypair(
    unsigned char *pk, unsigned char *sk, const unsigned char *seed);
int crypto_kem_mlkem768_enc(unsigned char *ct, unsigned char *ss, const unsigned char *pk);
/* seed: m of FIPS 203. */
int crypto_kem_mlkem768_enc_deterministic(
    unsigned char *ct, unsigned char *ss, const unsigned char *pk, const unsigned char *seed);
/* A wrong ciphertext gives a secret that nobody else has, and no fault (implicit rejection). */
int crypto_kem_mlkem768_dec(
    unsigned char *ss, const unsigned char *ct, const unsigned char *sk);

#endif
#endif
