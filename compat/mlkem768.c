/*
 * mlkem768 - see mlkem768.h. Written from FIPS 203; names in comments are its algorithms.
 *
 * A coefficient is a number from 0 to q - 1. Products are reduced by Barrett's method and sums by one
 * masked subtraction, so that the code reads like the standard and never divides.
 */
#include "compat/mlkem768.h"
#include "compat/keccak.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define N 256
#define Q 3329
#define K 3
#define DU 10
#define DV 4
#define SYMBOL 32                 /* octets of every seed, hash and secret */
#define POLY_OCTETS 384           /* 256 coefficients of 12 bits */
#define VECTOR_OCTETS (K * POLY_OCTETS)
#define U_OCTETS (K * 32 * DU)

#define EK_OCTETS crypto_kem_mlkem768_PUBLICKEYBYTES
#define CT_OCTETS crypto_kem_mlkem768_CIPHERTEXTBYTES

struct poly {
	uint16_t c[N];
};

struct vector {
	struct poly p[K];
};

/* 17^BitRev7(i) mod q (FIPS 203 appendix A). */
static const uint16_t zeta[128] = {
	1, 1729, 2580, 3289, 2642, 630, 1897, 848, 1062, 1919, 193, 797, 2786, 3260,
	569, 1746, 296, 2447, 1339, 1476, 3046, 56, 2240, 1333, 1426, 2094, 535, 2882,
	2393, 2879, 1974, 821, 289, 331, 3253, 1756, 1197, 2304, 2277, 2055, 650, 1977,
	2513, 632, 2865, 33, 1320, 1915, 2319, 1435, 807, 452, 1438, 2868, 1534, 2402,
	2647, 2617, 1481, 648, 2474, 3110, 1227, 910, 17, 2761, 583, 2649, 1637, 723,
	2288, 1100, 1409, 2662, 3281, 233, 756, 2156, 3015, 3050, 1703, 1651, 2789, 1789,
	1847, 952, 1461, 2687, 939, 2308, 2437, 2388, 733, 2337, 268, 641, 1584, 2298,
	2037, 3220, 375, 2549, 2090, 1645, 1063, 319, 2773, 757, 2099, 561, 2466, 2594,
	2804, 1092, 403, 1026, 1143, 2150, 2775, 886, 1722, 1212, 1874, 1029, 2110, 2935,
	885, 2154,
};

/* x < 2q */
static inline uint16_t
reduce_once(uint32_t x)
{
	uint32_t r = x - Q;

	return (uint16_t)(r + (Q & -(r >> 31)));
}

static inline uint16_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = a * b;
	uint32_t quotient = (uint32_t)(((uint64_t)product * 1290167) >> 32); /* floor(2^32 / q) */

	return reduce_once(product - quotient * Q);
}

static inline uint16_t
add(uint32_t a, uint32_t b)
{
	return reduce_once(a + b);
}

static inline uint16_t
subtract(uint32_t a, uint32_t b)
{
	return reduce_once(a + Q - b);
}

/* Algorithm 9, NTT. */
static void
ntt(struct poly *f)
{
	size_t length, start, j, i = 1;
	uint16_t t;

	for (length = 128; length >= 2; length /= 2)
		for (start = 0; start < N; start += 2 * length, i++)
			for (j = start; j < start + length; j++) {
				t = multiply(zeta[i], f->c[j + length]);
				f->c[j + length] = subtract(f->c[j], t);
				f->c[j] = add(f->c[j], t);
			}
}

/* Algorithm 10, NTT^-1. */
static void
ntt_inverse(struct poly *f)
{
	size_t length, start, j, i = 127;
	uint16_t t;

	for (length = 2; length <= 128; length *= 2)
		for (start = 0; start < N; start += 2 * length, i--)
			for (j = start; j < start + length; j++) {
				t = f->c[j];
				f->c[j] = add(t, f->c[j + length]);
				f->c[j + length] = multiply(zeta[i], subtract(f->c[j + length], t));
			}
	for (j = 0; j < N; j++)
		f->c[j] = multiply(f->c[j], 3303); /* 1/128 */
}

/* Algorithms 11 and 12, MultiplyNTTs; the product is added to h. gamma is zeta of an odd power. */
static void
multiply_add(struct poly *h, const struct poly *f, const struct poly *g)
{
	size_t i;

	for (i = 0; i < N; i += 2) {
		uint16_t z = zeta[64 + i / 4];
		uint16_t gamma = i % 4 == 0 ? z : (uint16_t)(Q - z);
		uint16_t low = multiply(multiply(f->c[i + 1], g->c[i + 1]), gamma);
		uint16_t high = multiply(f->c[i], g->c[i + 1]);

		low = add(low, multiply(f->c[i], g->c[i]));
		high = add(high, multiply(f->c[i + 1], g->c[i]));
		h->c[i] = add(h->c[i], low);
		h->c[i + 1] = add(h->c[i + 1], high);
	}
}

static void
poly_add(struct poly *h, const struct poly *f)
{
	size_t i;

	for (i = 0; i < N; i++)
		h->c[i] = add(h->c[i], f->c[i]);
}

/* Algorithm 5, ByteEncode, of values that fit into d bits; 32 * d octets. */
static void
encode(uint8_t *out, const uint16_t *value, unsigned d)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t i;

	for (i = 0; i < N; i++) {
		bits |= (uint32_t)value[i] << held;
		for (held += d; held >= 8; held -= 8, bits >>= 8)
			*out++ = (uint8_t)bits;
	}
}

/* Algorithm 6, ByteDecode, without its reduction for d = 12. */
static void
decode(uint16_t *value, const uint8_t *in, unsigned d)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t i;

	for (i = 0; i < N; i++) {
		for (; held < d; held += 8)
			bits |= (uint32_t)*in++ << held;
		value[i] = (uint16_t)(bits & ((1U << d) - 1));
		bits >>= d;
		held -= d;
	}
}

/* Compress_d of section 4.2.1: round(2^d / q * x) mod 2^d. The multiplication by 2^36 / q, rounded up, is exact
 * for all x < q and d <= 10 (t/07-mlkem768 tries them all). */
static void
compress(uint16_t *value, const struct poly *f, unsigned d)
{
	size_t i;

	for (i = 0; i < N; i++) {
		uint64_t x = ((uint64_t)f->c[i] << d) + Q / 2;

		value[i] = (uint16_t)((x * 20642679) >> 36) & (uint16_t)((1U << d) - 1);
	}
}

/* Decompress_d: round(q / 2^d * y). */
static void
decompress(struct poly *f, const uint16_t *value, unsigned d)
{
	size_t i;

	for (i = 0; i < N; i++)
		f->c[i] = (uint16_t)(((uint32_t)value[i] * Q + (1U << (d - 1))) >> d);
}

static void
encode_compressed(uint8_t *out, const struct poly *f, unsigned d)
{
	uint16_t value[N];

	compress(value, f, d);
	encode(out, value, d);
	sodium_memzero(value, sizeof(value));
}

static void
decode_compressed(struct poly *f, const uint8_t *in, unsigned d)
{
	uint16_t value[N];

	decode(value, in, d);
	decompress(f, value, d);
	sodium_memzero(value, sizeof(value));
}

static void
encode_vector(uint8_t *out, const struct vector *v)
{
	size_t i;

	for (i = 0; i < K; i++)
		encode(out + i * POLY_OCTETS, v->p[i].c, 12);
}

static void
decode_vector(struct vector *v, const uint8_t *in)
{
	size_t i;

	for (i = 0; i < K; i++)
		decode(v->p[i].c, in + i * POLY_OCTETS, 12);
}

static void
hash(uint8_t *out, size_t out_len, size_t rate, uint8_t domain, const uint8_t *a, size_t a_len,
    const uint8_t *b, size_t b_len)
{
	struct keccak k;

	keccak_init(&k, rate);
	keccak_absorb(&k, a, a_len);
	keccak_absorb(&k, b, b_len);
	keccak_finish(&k, domain);
	keccak_squeeze(&k, out, out_len);
	sodium_memzero(&k, sizeof(k));
}

/* H and G of section 4.1. */
static void
hash_h(uint8_t out[SYMBOL], const uint8_t *p, size_t n)
{
	hash(out, SYMBOL, KECCAK_RATE_256, KECCAK_SHA3, p, n, NULL, 0);
}

static void
hash_g(uint8_t out[2 * SYMBOL], const uint8_t a[SYMBOL], const uint8_t *b, size_t b_len)
{
	hash(out, 2 * SYMBOL, KECCAK_RATE_SHA3_512, KECCAK_SHA3, a, SYMBOL, b, b_len);
}

/* Algorithm 7, SampleNTT: what it takes from the stream is public. */
static void
sample_ntt(struct poly *f, const uint8_t rho[SYMBOL], uint8_t j, uint8_t i)
{
	uint8_t index[2] = { j, i }, block[KECCAK_RATE_SHAKE128];
	struct keccak k;
	size_t filled = 0, at;

	keccak_init(&k, KECCAK_RATE_SHAKE128);
	keccak_absorb(&k, rho, SYMBOL);
	keccak_absorb(&k, index, sizeof(index));
	keccak_finish(&k, KECCAK_SHAKE);
	while (filled < N) {
		keccak_squeeze(&k, block, sizeof(block));
		for (at = 0; at < sizeof(block) && filled < N; at += 3) {
			uint16_t one = (uint16_t)(block[at] | (block[at + 1] & 15) << 8);
			uint16_t two = (uint16_t)(block[at + 1] >> 4 | block[at + 2] << 4);

			if (one < Q)
				f->c[filled++] = one;
			if (two < Q && filled < N)
				f->c[filled++] = two;
		}
	}
}

/* Algorithm 8, SamplePolyCBD with eta = 2, on PRF(seed, nonce). */
static void
sample_cbd(struct poly *f, const uint8_t seed[SYMBOL], uint8_t nonce)
{
	uint8_t octets[N / 2];
	size_t i;

	hash(octets, sizeof(octets), KECCAK_RATE_256, KECCAK_SHAKE, seed, SYMBOL, &nonce, 1);
	for (i = 0; i < N; i++) {
		unsigned b = octets[i / 2] >> 4 * (i % 2);

		f->c[i] = subtract((b & 1) + (b >> 1 & 1), (b >> 2 & 1) + (b >> 3 & 1));
	}
	sodium_memzero(octets, sizeof(octets));
}

/* out = the i-th row of A, or of its transpose, times v; in the NTT domain. */
static void
matrix_row(struct poly *out, const uint8_t rho[SYMBOL], size_t i, bool transposed, const struct vector *v)
{
	struct poly a;
	size_t j;

	memset(out, 0, sizeof(*out));
	for (j = 0; j < K; j++) {
		if (transposed)
			sample_ntt(&a, rho, (uint8_t)i, (uint8_t)j);
		else
			sample_ntt(&a, rho, (uint8_t)j, (uint8_t)i);
		multiply_add(out, &a, &v->p[j]);
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
		sample_cbd(&s.p[i], sigma, (uint8_t)i);
		ntt(&s.p[i]);
	}
	for (i = 0; i < K; i++) {
		sample_cbd(&e, sigma, (uint8_t)(K + i));
		ntt(&e);
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
		sample_cbd(&y.p[i], r, (uint8_t)i);
		ntt(&y.p[i]);
		multiply_add(&v, &t.p[i], &y.p[i]);
	}
	for (i = 0; i < K; i++) {
		matrix_row(&u, rho, i, true, &y);
		ntt_inverse(&u);
		sample_cbd(&e, r, (uint8_t)(K + i));
		poly_add(&u, &e);
		encode_compressed(ct + i * 32 * DU, &u, DU);
	}
	ntt_inverse(&v);
	sample_cbd(&e, r, 2 * K);
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
		decode_compressed(&u, ct + i * 32 * DU, DU);
		ntt(&u);
		multiply_add(&w, &s.p[i], &u);
	}
	ntt_inverse(&w);
	decode_compressed(&v, ct + U_OCTETS, DV);
	for (i = 0; i < N; i++)
		w.c[i] = subtract(v.c[i], w.c[i]);
	encode_compressed(m, &w, 1);
	sodium_memzero(&s, sizeof(s));
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
		for (j = 0; j < N; j++)
			if (t.p[i].c[j] >= Q)
				return false;
	return true;
}

/* Algorithm 16. sk is dk || ek || H(ek) || z. */
int
crypto_kem_mlkem768_seed_keypair(unsigned char *pk, unsigned char *sk, const unsigned char *seed)
{
	pke_keygen(pk, sk, seed);
	memcpy(sk + VECTOR_OCTETS, pk, EK_OCTETS);
	hash_h(sk + VECTOR_OCTETS + EK_OCTETS, pk, EK_OCTETS);
	memcpy(sk + VECTOR_OCTETS + EK_OCTETS + SYMBOL, seed + SYMBOL, SYMBOL);
	return 0;
}

int
crypto_kem_mlkem768_keypair(unsigned char *pk, unsigned char *sk)
{
	uint8_t seed[crypto_kem_mlkem768_SEEDBYTES];

	randombytes_buf(seed, sizeof(seed));
	(void)crypto_kem_mlkem768_seed_keypair(pk, sk, seed);
	sodium_memzero(seed, sizeof(seed));
	return 0;
}

/* Algorithm 17. */
int
crypto_kem_mlkem768_enc_deterministic(
    unsigned char *ct, unsigned char *ss, const unsigned char *pk, const unsigned char *seed)
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
crypto_kem_mlkem768_enc(unsigned char *ct, unsigned char *ss, const unsigned char *pk)
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
crypto_kem_mlkem768_dec(unsigned char *ss, const unsigned char *ct, const unsigned char *sk)
{
	const uint8_t *ek = sk + VECTOR_OCTETS, *h = ek + EK_OCTETS, *z = h + SYMBOL;
	uint8_t m[SYMBOL], kr[2 * SYMBOL], rejected[SYMBOL], again[CT_OCTETS], mask;
	size_t i;

	pke_decrypt(m, sk, ct);
	hash_g(kr, m, h, SYMBOL);
	hash(rejected, sizeof(rejected), KECCAK_RATE_256, KECCAK_SHAKE, z, SYMBOL, ct, CT_OCTETS);
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
