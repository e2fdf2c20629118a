/*
 * poly - polynomials of ML-KEM (FIPS 203): 256 coefficients modulo q = 3329. Used by mlkem768.c
 * only; names in comments are the standard's algorithms.
 *
 * Constant time: no branch, index or division depends on a coefficient. The one exception is
 * poly_sample_uniform, whose input and result are public.
 */
#ifndef COMPAT_POLY_H
#define COMPAT_POLY_H

#include <stddef.h>
#include <stdint.h>

#define POLY_N 256
#define POLY_Q 3329
#define POLY_SEED 32 /* octets */
/* Of a polynomial with d bits a coefficient. */
#define POLY_OCTETS(d) ((size_t)POLY_N * (d) / 8)

struct poly {
	uint16_t c[POLY_N]; /* 0 to q - 1, but for what poly_decode and poly_compress leave */
};

/* Algorithms 9 and 10. */
void poly_ntt(struct poly *f);
void poly_ntt_inverse(struct poly *f);

/* h + f * g in the NTT domain (algorithms 11 and 12), h + f and h - f. */
void poly_multiply_add(struct poly *h, const struct poly *f, const struct poly *g);
void poly_add(struct poly *h, const struct poly *f);
void poly_subtract(struct poly *h, const struct poly *f);

/* Algorithms 5 and 6, for coefficients of d bits; decoding reduces nothing. */
void poly_encode(uint8_t *out, const struct poly *f, unsigned d);
void poly_decode(struct poly *f, const uint8_t *in, unsigned d);

/* Compress_d and Decompress_d of section 4.2.1, in place; d up to 10. */
void poly_compress(struct poly *f, unsigned d);
void poly_decompress(struct poly *f, unsigned d);

/* Algorithm 7, SampleNTT of seed || j || i. */
void poly_sample_uniform(struct poly *f, const uint8_t seed[POLY_SEED], uint8_t j, uint8_t i);
/* Algorithm 8, SamplePolyCBD with eta = 2, of PRF(seed, nonce). */
void poly_sample_small(struct poly *f, const uint8_t seed[POLY_SEED], uint8_t nonce);

#endif
