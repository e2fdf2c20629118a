/*
 * fuzz - randomness that is the same in each run, so that an input always does the same. Called
 * by the targets.
 */
#include "fuzz/fuzz.h"

#include <sodium.h>

static uint64_t drawn;

void
fuzz_random(void *p, size_t n)
{
	uint8_t seed[randombytes_SEEDBYTES] = {'f'};

	drawn++;
	memcpy(seed + 1, &drawn, sizeof drawn);
	randombytes_buf_deterministic(p, n, seed);
}

static const char *
name(void)
{
	return "fuzz";
}

static uint32_t
random_number(void)
{
	uint32_t n;

	fuzz_random(&n, sizeof n);
	return n;
}

static struct randombytes_implementation implementation = {
    .implementation_name = name, .random = random_number, .buf = fuzz_random};

void
fuzz_start(void)
{
	static bool started;

	if (!started &&
	    (randombytes_set_implementation(&implementation) != 0 || sodium_init() < 0))
		abort();
	started = true;
	drawn = 0;
}

void
fuzz_pair(uint8_t secret[FUZZ_KEY], uint8_t public[FUZZ_KEY], uint8_t seed)
{
	memset(secret, 0, FUZZ_KEY);
	secret[1] = seed; /* the lowest bits of the first octet do not count */
	if (crypto_scalarmult_base(public, secret) != 0)
		abort();
}
