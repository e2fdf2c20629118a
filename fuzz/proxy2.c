/*
 * proxy2 - the header of the PROXY protocol, which whoever is let through to us as a load
 * balancer may fill (lib/proxy2.h).
 *
 * Input: what came since the connection began.
 */
#include "fuzz/fuzz.h"

#include "lib/proxy2.h"

/* Written by us the same two addresses are found again. */
static void
write_again(const struct proxy2 *h)
{
	uint8_t octets[PROXY2_MAX];
	struct proxy2 again;
	size_t n = proxy2_build(octets, &h->client, &h->local);

	HOLDS(n > 0 && n <= h->octets);
	HOLDS(proxy2_parse(octets, n, &again) == PROXY2_PROXIED && again.octets == n);
	HOLDS(memcmp(&again.client, &h->client, sizeof h->client) == 0);
	HOLDS(memcmp(&again.local, &h->local, sizeof h->local) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct sockaddr_storage none = {0};
	enum proxy2_result whole, part;
	struct proxy2 h, early;
	size_t i = 0;

	fuzz_start();
	whole = proxy2_parse(p, n, &h);
	/* It is decided once, and as it would be for all of it. */
	do
		part = proxy2_parse(p, i, &early);
	while (part == PROXY2_MORE && ++i <= n);
	HOLDS(part == whole && i <= PROXY2_MOST);
	switch (whole) {
	case PROXY2_PROXIED:
		HOLDS(h.octets == i);
		write_again(&h);
		break;
	case PROXY2_LOCAL:
		HOLDS(h.octets == i && memcmp(&h.client, &none, sizeof none) == 0);
		break;
	case PROXY2_MORE:
		HOLDS(n < PROXY2_MOST && h.octets == 0);
		break;
	case PROXY2_BAD:
		HOLDS(h.octets == 0);
		break;
	}
	return 0;
}
