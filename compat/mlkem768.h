/*
 * mlkem768 - ML-KEM-768 (FIPS 203) with the names and shapes of libsodium 1.0.22's crypto_kem_mlkem768, for
 * systems whose libsodium has it not yet. configure chooses; include this header in both cases.
 *
 * Constant time in all that is secret: no branch, index or division depends on it. Every call returns 0, or -1
 * when an encapsulation key is not reduced (FIPS 203 section 7.2). Lengths are exact.
 */
#ifndef COMPAT_MLKEM768_H
#define COMPAT_MLKEM768_H

#ifdef HAVE_SODIUM_MLKEM768
#include <sodium.h>
#else

#define crypto_kem_mlkem768_PUBLICKEYBYTES 1184U
#define crypto_kem_mlkem768_SECRETKEYBYTES 2400U
#define crypto_kem_mlkem768_CIPHERTEXTBYTES 1088U
#define crypto_kem_mlkem768_SHAREDSECRETBYTES 32U
#define crypto_kem_mlkem768_SEEDBYTES 64U

int crypto_kem_mlkem768_keypair(unsigned char *pk, unsigned char *sk);
/* seed: d and z of FIPS 203, 32 octets each. */
int crypto_kem_mlkem768_seed_keypair(unsigned char *pk, unsigned char *sk, const unsigned char *seed);
int crypto_kem_mlkem768_enc(unsigned char *ct, unsigned char *ss, const unsigned char *pk);
/* seed: m of FIPS 203, 32 octets. For tests. */
int crypto_kem_mlkem768_enc_deterministic(unsigned char *ct, unsigned char *ss, const unsigned char *pk,
    const unsigned char *seed);
/* A wrong ciphertext gives a secret that nobody else has, and no fault (implicit rejection). */
int crypto_kem_mlkem768_dec(unsigned char *ss, const unsigned char *ct, const unsigned char *sk);

#endif
#endif
