/*
 * keccak - see keccak.h. Plain and portable; no branch or index depends on what is hashed.
 */
#include "compat/keccak.h"

#include <string.h>

#define ROUNDS 24
#define LANES 25

/* FIPS 202 section 3.2.5. */
static const uint64_t round_constant[ROUNDS] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* Steps rho and pi as one walk over the lanes from lane 1 on: where a lane goes, and how far it turns. */
static const uint8_t pi_lane[ROUNDS] = { 10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20,
	14, 22, 9, 6, 1 };
static const uint8_t rho_turn[ROUNDS] = { 1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43,
	62, 18, 39, 61, 20, 44 };

static inline uint64_t
turn(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static void
permute(uint64_t a[LANES])
{
	uint64_t c[5], d, moved, next;
	int round, x, y;

	for (round = 0; round < ROUNDS; round++) {
		for (x = 0; x < 5; x++)
			c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
		for (x = 0; x < 5; x++) {
			d = c[(x + 4) % 5] ^ turn(c[(x + 1) % 5], 1);
			for (y = 0; y < LANES; y += 5)
				a[x + y] ^= d;
		}
		moved = a[1];
		for (x = 0; x < ROUNDS; x++) {
			next = a[pi_lane[x]];
			a[pi_lane[x]] = turn(moved, rho_turn[x]);
			moved = next;
		}
		for (y = 0; y < LANES; y += 5) {
			for (x = 0; x < 5; x++)
				c[x] = a[y + x];
			for (x = 0; x < 5; x++)
				a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
		}
		a[0] ^= round_constant[round];
	}
}

void
keccak_init(struct keccak *k, size_t rate)
{
	memset(k, 0, sizeof(*k));
	k->rate = rate;
}

static void
mix(struct keccak *k, size_t at, uint8_t octet)
{
	k->lane[at / 8] ^= (uint64_t)octet << 8 * (at % 8);
}

void
keccak_absorb(struct keccak *k, const void *p, size_t n)
{
	const uint8_t *octet = p;

	while (n-- > 0) {
		mix(k, k->at++, *octet++);
		if (k->at == k->rate) {
			permute(k->lane);
			k->at = 0;
		}
	}
}

void
keccak_finish(struct keccak *k, uint8_t domain)
{
	mix(k, k->at, domain);
	mix(k, k->rate - 1, 0x80);
	k->at = k->rate; /* the first squeeze permutes */
}

void
keccak_squeeze(struct keccak *k, uint8_t *out, size_t n)
{
	while (n-- > 0) {
		if (k->at == k->rate) {
			permute(k->lane);
			k->at = 0;
		}
		*out++ = (uint8_t)(k->lane[k->at / 8] >> 8 * (k->at % 8));
		k->at++;
	}
}
