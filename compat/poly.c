/*
 * poly - see poly.h. A coefficient is reduced whenever a function returns; sums of products are
 * reduced by Barrett's method and sums by one masked subtraction, so that the code reads like
 * the standard.
 */
#include "compat/poly.h"
#include "compat/keccak.h"

#include <sodium.h>

#define N POLY_N
#define Q POLY_Q

/* 17^BitRev7(i) mod q (FIPS 203 appendix A). */
static const uint16_t zeta[128] = {1, 1729, 2580, 3289, 2642, 630, 1897, 848, 1062, 1919, 193,
    797, 2786, 3260, 569, 1746, 296, 2447, 1339, 1476, 3046, 56, 2240, 1333, 1426, 2094, 535,
    2882, 2393, 2879, 1974, 821, 289, 331, 3253, 1756, 1197, 2304, 2277, 2055, 650, 1977, 2513,
    632, 2865, 33, 1320, 1915, 2319, 1435, 807, 452, 1438, 2868, 1534, 2402, 2647, 2617, 1481,
    648, 2474, 3110, 1227, 910, 17, 2761, 583, 2649, 1637, 723, 2288, 1100, 1409, 2662, 3281,
    233, 756, 2156, 3015, 3050, 1703, 1651, 2789, 1789, 1847, 952, 1461, 2687, 939, 2308, 2437,
    2388, 733, 2337, 268, 641, 1584, 2298, 2037, 3220, 375, 2549, 2090, 1645, 1063, 319, 2773,
    757, 2099, 561, 2466, 2594, 2804, 1092, 403, 1026, 1143, 2150, 2775, 886, 1722, 1212, 1874,
    1029, 2110, 2935, 885, 2154};

/* x < 2q */
static inline uint16_t
reduce_once(uint32_t x)
{
	uint32_t r = x - Q;

	return (uint16_t)(r + (Q & -(r >> 31)));
}

/* Any x: the quotient may be one too small. */
static inline uint16_t
reduce(uint32_t x)
{
	uint32_t quotient = (uint32_t)(((uint64_t)x * 1290167) >> 32); /* floor(2^32 / q) */

	return reduce_once(x - quotient * Q);
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

/* Sums are left to grow by less than q in each of the seven layers: below 8 q they fit, and so
 * do their products. */
void
poly_ntt(struct poly *f)
{
	size_t length, start, j, i = 1;
	uint32_t t;

	for (length = 128; length >= 2; length /= 2)
		for (start = 0; start < N; start += 2 * length, i++)
			for (j = start; j < start + length; j++) {
				t = reduce((uint32_t)zeta[i] * f->c[j + length]);
				f->c[j + length] = (uint16_t)(f->c[j] + Q - t);
				f->c[j] = (uint16_t)(f->c[j] + t);
			}
	for (j = 0; j < N; j++)
		f->c[j] = reduce(f->c[j]);
}

void
poly_ntt_inverse(struct poly *f)
{
	size_t length, start, j, i = 127;
	uint32_t t;

	for (length = 2; length <= 128; length *= 2)
		for (start = 0; start < N; start += 2 * length, i--)
			for (j = start; j < start + length; j++) {
				t = f->c[j + length] + Q - f->c[j];
				f->c[j] = add(f->c[j], f->c[j + length]);
				f->c[j + length] = reduce(zeta[i] * t);
			}
	for (j = 0; j < N; j++)
		f->c[j] = reduce((uint32_t)f->c[j] * 3303); /* 1/128 */
}

/* gamma is an odd power of 17. */
static inline void
multiply_add_pair(uint16_t h[2], const uint16_t f[2], const uint16_t g[2], uint32_t gamma)
{
	uint32_t f0 = f[0], f1 = f[1], g0 = g[0], g1 = g[1];

	h[0] = reduce(h[0] + f0 * g0 + gamma * reduce(f1 * g1));
	h[1] = reduce(h[1] + f0 * g1 + f1 * g0);
}

void
poly_multiply_add(struct poly *h, const struct poly *f, const struct poly *g)
{
	size_t i;

	for (i = 0; i < N; i += 4) {
		uint32_t z = zeta[64 + i / 4];

		multiply_add_pair(h->c + i, f->c + i, g->c + i, z);
		multiply_add_pair(h->c + i + 2, f->c + i + 2, g->c + i + 2, Q - z);
	}
}

void
poly_add(struct poly *h, const struct poly *f)
{
	size_t i;

	for (i = 0; i < N; i++)
		h->c[i] = add(h->c[i], f->c[i]);
}

void
poly_subtract(struct poly *h, const struct poly *f)
{
	size_t i;

	for (i = 0; i < N; i++)
		h->c[i] = subtract(h->c[i], f->c[i]);
}

void
poly_encode(uint8_t *out, const struct poly *f, unsigned d)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t i;

	for (i = 0; i < N; i++) {
		bits |= (uint32_t)f->c[i] << held;
		for (held += d; held >= 8; held -= 8, bits >>= 8)
			*out++ = (uint8_t)bits;
	}
}

void
poly_decode(struct poly *f, const uint8_t *in, unsigned d)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t i;

	for (i = 0; i < N; i++) {
		for (; held < d; held += 8)
			bits |= (uint32_t)*in++ << held;
		f->c[i] = (uint16_t)(bits & ((1U << d) - 1));
		bits >>= d;
		held -= d;
	}
}

/* round(2^d / q * x) mod 2^d. Multiplying by 2^36 / q, rounded up, is exact for all x < q and
 * d <= 10 (t/07-mlkem768 tries them all). */
void
poly_compress(struct poly *f, unsigned d)
{
	size_t i;

	for (i = 0; i < N; i++) {
		uint64_t x = ((uint64_t)f->c[i] << d) + Q / 2;

		f->c[i] = (uint16_t)((x * 20642679) >> 36 & ((1U << d) - 1));
	}
}

/* round(q / 2^d * y) */
void
poly_decompress(struct poly *f, unsigned d)
{
	size_t i;

	for (i = 0; i < N; i++)
		f->c[i] = (uint16_t)(((uint32_t)f->c[i] * Q + (1U << (d - 1))) >> d);
}

void
poly_sample_uniform(struct poly *f, const uint8_t seed[POLY_SEED], uint8_t j, uint8_t i)
{
	uint8_t index[2] = {j, i}, block[KECCAK_RATE_SHAKE128];
	struct keccak k;
	size_t filled = 0, at;

	keccak_init(&k, KECCAK_RATE_SHAKE128);
	keccak_absorb(&k, seed, POLY_SEED);
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

void
poly_sample_small(struct poly *f, const uint8_t seed[POLY_SEED], uint8_t nonce)
{
	uint8_t octets[N / 2];
	size_t i;

	keccak_hash(octets, sizeof(octets), KECCAK_RATE_256, KECCAK_SHAKE, seed, POLY_SEED,
	    &nonce, sizeof(nonce));
	for (i = 0; i < N; i++) {
		unsigned b = octets[i / 2] >> 4 * (i % 2);

		f->c[i] = subtract((b & 1) + (b >> 1 & 1), (b >> 2 & 1) + (b >> 3 & 1));
	}
	sodium_memzero(octets, sizeof(octets));
}
