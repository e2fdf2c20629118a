/*
 * mlkem768 - see mlkem768.h. Written from FIPS 203; names in comments are its algorithms. The
 * polynomials are in poly.c.
 */
#include "compat/mlkem768.h"
#include "compat/keccak.h"
#include "compat/poly.h"

#include <stdbool.h>
#include <string.h>

#define K 3
#define DU 10
#define DV 4
#define SYMBOL ((size_t)32) /* octets of every seed, hash and secret */
#define VECTOR_OCTETS (K * POLY_OCTETS(12))
#define U_OCTETS (K * POLY_OCTETS(DU))

#define EK_OCTETS crypto_kem_mlkem768_PUBLICKEYBYTES
#define CT_OCTETS crypto_kem_mlkem768_CIPHERTEXTBYTES

_Static_assert(EK_OCTETS == VECTOR_OCTETS + SYMBOL, "t and rho");
_Static_assert(CT_OCTETS == U_OCTETS + POLY_OCTETS(DV), "u and v");
_Static_assert(crypto_kem_mlkem768_SECRETKEYBYTES == VECTOR_OCTETS + EK_OCTETS + 2 * SYMBOL,
    "dk, ek, H(ek) and z");

struct vector {
	struct poly p[K];
};

static void
encode_vector(uint8_t *out, const struct vector *v)
{
	size_t i;

	for (i = 0; i < K; i++)
		poly_encode(out + i * POLY_OCTETS(12), &v->p[i], 12);
}

static void
decode_vector(struct vector *v, const uint8_t *in)
{
	size_t i;

	for (i = 0; i < K; i++)
		poly_decode(&v->p[i], in + i * POLY_OCTETS(12), 12);
}

static void
encode_compressed(uint8_t *out, struct poly *f, unsigned d)
{
	poly_compress(f, d);
	poly_encode(out, f, d);
}

static void
decode_compressed(struct poly *f, const uint8_t *in, unsigned d)
{
	poly_decode(f, in, d);
	poly_decompress(f, d);
}

/* H and G of section 4.1. */
static void
hash_h(uint8_t out[SYMBOL], const uint8_t *p, size_t n)
{
	keccak_hash(out, SYMBOL, KECCAK_RATE_256, KECCAK_SHA3, p, n, NULL, 0);
}

static void
hash_g(uint8_t out[2 * SYMBOL], const uint8_t a[SYMBOL], const uint8_t *b, size_t b_len)
{
	keccak_hash(out, 2 * SYMBOL, KECCAK_RATE_SHA3_512, KECCAK_SHA3, a, SYMBOL, b, b_len);
}

/* out = the i-th row of A, or of its transpose, times v; in the NTT domain. */
static void
matrix_row(struct poly *out, const uint8_t rho[SYMBOL], size_t i, bool transposed,
    const struct vector *v)
{
	struct poly a;
	size_t j;

	memset(out, 0, sizeof(*out));
	for (j = 0; j < K; j++) {
		if (transposed)
			poly_sample_uniform(&a, rho, (uint8_t)i, (uint8_t)j);
		else
			poly_sample_uniform(&a, rho, (uint8_t)j, (uint8_t)i);
		poly_multiply_add(out, &a, &v->p[j]);
	}
}

/* Algorithm 13, K-PKE.KeyGen. */
static void
pke_keygen(uint8_t *ek, uint8_t *dk, const uint8_t d[SYMBOL])
{
	uint8_t seeds[2 * SYMBOL], k = K;
	const uint8_t *rho = seeds, *sigma = seeds + SYMBOL;
	struct vector s, t;
	struct poly e;
	size_t i;

	hash_g(seeds, d, &k, 1);
	for (i = 0; i < K; i++) {
		poly_sample_small(&s.p[i], sigma, (uint8_t)i);
		poly_ntt(&s.p[i]);
	}
	for (i = 0; i < K; i++) {
		poly_sample_small(&e, sigma, (uint8_t)(K + i));
		poly_ntt(&e);
		matrix_row(&t.p[i], rho, i, false, &s);
		poly_add(&t.p[i], &e);
	}
	encode_vector(ek, &t);
	memcpy(ek + VECTOR_OCTETS, rho, SYMBOL);
	encode_vector(dk, &s);
	sodium_memzero(seeds, sizeof(seeds));
	sodium_memzero(&s, sizeof(s));
	sodium_memzero(&e, sizeof(e));
}

/* Algorithm 14, K-PKE.Encrypt. */
static void
pke_encrypt(uint8_t *ct, const uint8_t *ek, const uint8_t m[SYMBOL], const uint8_t r[SYMBOL])
{
	const uint8_t *rho = ek + VECTOR_OCTETS;
	struct vector t, y;
	struct poly u, v, e;
	size_t i;

	decode_vector(&t, ek);
	memset(&v, 0, sizeof(v));
	for (i = 0; i < K; i++) {
		poly_sample_small(&y.p[i], r, (uint8_t)i);
		poly_ntt(&y.p[i]);
		poly_multiply_add(&v, &t.p[i], &y.p[i]);
	}
	for (i = 0; i < K; i++) {
		matrix_row(&u, rho, i, true, &y);
		poly_ntt_inverse(&u);
		poly_sample_small(&e, r, (uint8_t)(K + i));
		poly_add(&u, &e);
		encode_compressed(ct + i * POLY_OCTETS(DU), &u, DU);
	}
	poly_ntt_inverse(&v);
	poly_sample_small(&e, r, 2 * K);
	poly_add(&v, &e);
	decode_compressed(&e, m, 1);
	poly_add(&v, &e);
	encode_compressed(ct + U_OCTETS, &v, DV);
	sodium_memzero(&y, sizeof(y));
	sodium_memzero(&u, sizeof(u));
	sodium_memzero(&v, sizeof(v));
	sodium_memzero(&e, sizeof(e));
}

/* Algorithm 15, K-PKE.Decrypt. */
static void
pke_decrypt(uint8_t m[SYMBOL], const uint8_t *dk, const uint8_t *ct)
{
	struct vector s;
	struct poly u, v, w;
	size_t i;

	decode_vector(&s, dk);
	memset(&w, 0, sizeof(w));
	for (i = 0; i < K; i++) {
		decode_compressed(&u, ct + i * POLY_OCTETS(DU), DU);
		poly_ntt(&u);
		poly_multiply_add(&w, &s.p[i], &u);
	}
	poly_ntt_inverse(&w);
	decode_compressed(&v, ct + U_OCTETS, DV);
	poly_subtract(&v, &w);
	encode_compressed(m, &v, 1);
	sodium_memzero(&s, sizeof(s));
	sodium_memzero(&v, sizeof(v));
	sodium_memzero(&w, sizeof(w));
}

/* Section 7.2: every coefficient of the key is reduced. The key is public. */
static bool
is_reduced(const uint8_t *ek)
{
	struct vector t;
	size_t i, j;

	decode_vector(&t, ek);
	for (i = 0; i < K; i++)
		for (j = 0; j < POLY_N; j++)
			if (t.p[i].c[j] >= POLY_Q)
				return false;
	return true;
}

/* Algorithm 16. sk is dk || ek || H(ek) || z. */
int
crypto_kem_mlkem768_seed_keypair(unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
    unsigned char sk[crypto_kem_mlkem768_SECRETKEYBYTES],
    const unsigned char seed[crypto_kem_mlkem768_SEEDBYTES])
{
	pke_keygen(pk, sk, seed);
	memcpy(sk + VECTOR_OCTETS, pk, EK_OCTETS);
	hash_h(sk + VECTOR_OCTETS + EK_OCTETS, pk, EK_OCTETS);
	memcpy(sk + VECTOR_OCTETS + EK_OCTETS + SYMBOL, seed + SYMBOL, SYMBOL);
	return 0;
}

int
crypto_kem_mlkem768_keypair(unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
    unsigned char sk[crypto_kem_mlkem768_SECRETKEYBYTES])
{
	uint8_t seed[crypto_kem_mlkem768_SEEDBYTES];

	randombytes_buf(seed, sizeof(seed));
	(void)crypto_kem_mlkem768_seed_keypair(pk, sk, seed);
	sodium_memzero(seed, sizeof(seed));
	return 0;
}

/* Algorithm 17. */
int
crypto_kem_mlkem768_enc_deterministic(unsigned char ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
    unsigned char ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
    const unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
    const unsigned char seed[MLKEM768_MESSAGE])
{
	uint8_t h[SYMBOL], kr[2 * SYMBOL];

	if (!is_reduced(pk))
		return -1;
	hash_h(h, pk, EK_OCTETS);
	hash_g(kr, seed, h, sizeof(h));
	pke_encrypt(ct, pk, seed, kr + SYMBOL);
	memcpy(ss, kr, SYMBOL);
	sodium_memzero(kr, sizeof(kr));
	return 0;
}

int
crypto_kem_mlkem768_enc(unsigned char ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
    unsigned char ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
    const unsigned char pk[crypto_kem_mlkem768_PUBLICKEYBYTES])
{
	uint8_t m[SYMBOL];
	int result;

	randombytes_buf(m, sizeof(m));
	result = crypto_kem_mlkem768_enc_deterministic(ct, ss, pk, m);
	sodium_memzero(m, sizeof(m));
	return result;
}

/* Algorithm 18: which of the two secrets it is, is chosen by a mask. */
int
crypto_kem_mlkem768_dec(unsigned char ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
    const unsigned char ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
    const unsigned char sk[crypto_kem_mlkem768_SECRETKEYBYTES])
{
	const uint8_t *ek = sk + VECTOR_OCTETS, *h = ek + EK_OCTETS, *z = h + SYMBOL;
	uint8_t m[SYMBOL], kr[2 * SYMBOL], rejected[SYMBOL], again[CT_OCTETS], mask;
	size_t i;

	pke_decrypt(m, sk, ct);
	hash_g(kr, m, h, SYMBOL);
	keccak_hash(rejected, sizeof(rejected), KECCAK_RATE_256, KECCAK_SHAKE, z, SYMBOL, ct,
	    CT_OCTETS);
	pke_encrypt(again, ek, m, kr + SYMBOL);
	mask = (uint8_t)sodium_memcmp(ct, again, CT_OCTETS); /* 0, or 0xff from -1 */
	for (i = 0; i < SYMBOL; i++)
		ss[i] = (uint8_t)((kr[i] & ~mask) | (rejected[i] & mask));
	sodium_memzero(m, sizeof(m));
	sodium_memzero(kr, sizeof(kr));
	sodium_memzero(rejected, sizeof(rejected));
	sodium_memzero(again, sizeof(again));
	return 0;
}
