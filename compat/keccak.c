/*
 * keccak - see keccak.h. Plain and portable; no branch or index depends on what is hashed.
 */
#include "compat/keccak.h"

#include <sodium.h>
#include <string.h>

#define ROUNDS 24
#define LANES 25
#define LANE_OCTETS 8

/* FIPS 202 section 3.2.5. */
static const uint64_t round_constant[ROUNDS] = {0x0000000000000001, 0x0000000000008082,
    0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b,
    0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080,
    0x0000000080000001, 0x8000000080008008};

static inline uint64_t
turn(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

/* Lane x of row y is a[x + 5y]. Written out, since compilers leave it a loop at -O2, which
 * takes three times as long. */
static inline void
do_round(uint64_t a[LANES], uint64_t constant)
{
	uint64_t b[LANES], c[5], d[5];

	/* theta; what it adds is added below */
#define COLUMN(x) c[x] = a[x] ^ a[(x) + 5] ^ a[(x) + 10] ^ a[(x) + 15] ^ a[(x) + 20]
#define SPREAD(x) d[x] = c[((x) + 4) % 5] ^ turn(c[((x) + 1) % 5], 1)
	COLUMN(0), COLUMN(1), COLUMN(2), COLUMN(3), COLUMN(4);
	SPREAD(0), SPREAD(1), SPREAD(2), SPREAD(3), SPREAD(4);

	/* rho and pi: where a lane goes, and how far it turns */
#define MOVE(to, from, by) b[to] = turn(a[from] ^ d[(from) % 5], by)
	b[0] = a[0] ^ d[0];
	MOVE(10, 1, 1), MOVE(20, 2, 62), MOVE(5, 3, 28), MOVE(15, 4, 27);
	MOVE(16, 5, 36), MOVE(1, 6, 44), MOVE(11, 7, 6), MOVE(21, 8, 55), MOVE(6, 9, 20);
	MOVE(7, 10, 3), MOVE(17, 11, 10), MOVE(2, 12, 43), MOVE(12, 13, 25), MOVE(22, 14, 39);
	MOVE(23, 15, 41), MOVE(8, 16, 45), MOVE(18, 17, 15), MOVE(3, 18, 21), MOVE(13, 19, 8);
	MOVE(14, 20, 18), MOVE(24, 21, 2), MOVE(9, 22, 61), MOVE(19, 23, 56), MOVE(4, 24, 14);

	/* chi and iota */
#define MIX(x, y)                                                                              \
	a[(x) + (y)] = b[(x) + (y)] ^ (~b[((x) + 1) % 5 + (y)] & b[((x) + 2) % 5 + (y)])
#define ROW(y) MIX(0, y), MIX(1, y), MIX(2, y), MIX(3, y), MIX(4, y)
	ROW(0), ROW(5), ROW(10), ROW(15), ROW(20);
	a[0] ^= constant;
}

static void
permute(uint64_t a[LANES])
{
	size_t i;

	for (i = 0; i < ROUNDS; i++)
		do_round(a, round_constant[i]);
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
	k->lane[at / LANE_OCTETS] ^= (uint64_t)octet << 8 * (at % LANE_OCTETS);
}

static inline uint64_t
load(const uint8_t p[LANE_OCTETS])
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
	       (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline void
store(uint8_t p[LANE_OCTETS], uint64_t lane)
{
	size_t i;

	for (i = 0; i < LANE_OCTETS; i++)
		p[i] = (uint8_t)(lane >> 8 * i);
}

/* By whole lanes where it can: a block is a whole number of them. */
void
keccak_absorb(struct keccak *k, const void *p, size_t n)
{
	const uint8_t *octet = p;
	size_t step;

	for (; n > 0; n -= step, octet += step) {
		step = k->at % LANE_OCTETS == 0 && n >= LANE_OCTETS ? LANE_OCTETS : 1;
		if (step == LANE_OCTETS)
			k->lane[k->at / LANE_OCTETS] ^= load(octet);
		else
			mix(k, k->at, *octet);
		k->at += step;
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
	size_t i;

	for (i = 0; i < n; i += LANE_OCTETS) {
		if (k->at == k->rate) {
			permute(k->lane);
			k->at = 0;
		}
		store(out + i, k->lane[k->at / LANE_OCTETS]);
		k->at += LANE_OCTETS;
	}
}

void
keccak_hash(uint8_t *out, size_t out_len, size_t rate, uint8_t domain, const void *a,
    size_t a_len, const void *b, size_t b_len)
{
	struct keccak k;

	keccak_init(&k, rate);
	keccak_absorb(&k, a, a_len);
	keccak_absorb(&k, b, b_len);
	keccak_finish(&k, domain);
	keccak_squeeze(&k, out, out_len);
	sodium_memzero(&k, sizeof(k));
}
