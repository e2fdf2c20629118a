/*
 * dnskeys - one TXT record of _xpony.host, as any name server may send it (lib/dnskeys.h).
 *
 * Input: the record's data: strings, each behind its length.
 */
#include "fuzz/fuzz.h"

#include "lib/dnskeys.h"
#include "lib/key.h"

/* The strings of the record, one behind the other. */
static size_t
join(char *to, const uint8_t *p, size_t n)
{
	size_t at = 0, len = 0;

	while (at < n && p[at] <= n - at - 1) {
		memcpy(to + len, p + at + 1, p[at]);
		len += p[at];
		at += 1u + p[at];
	}
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char fingerprint[KEY_FINGERPRINT_MAX], *joined = malloc(n + 1);
	struct resolve_keys r = {0}, again;
	size_t len;

	fuzz_start();
	HOLDS(joined != NULL);
	dnskeys_read(&r, p, n);
	HOLDS(r.count <= RESOLVE_KEYS && r.ignored <= n / 2 + 1);
	len = join(joined, p, n);
	for (uint32_t i = 0; i < r.count; i++) {
		key_fingerprint_write(r.key[i], fingerprint);
		HOLDS(memmem(joined, len, fingerprint, strlen(fingerprint)) != NULL);
		for (uint32_t k = 0; k < i; k++)
			HOLDS(memcmp(r.key[i], r.key[k], sizeof r.key[i]) != 0);
	}
	/* Read twice, it says no more. */
	again = r;
	dnskeys_read(&again, p, n);
	HOLDS(again.count == r.count && memcmp(again.key, r.key, sizeof r.key) == 0);
	free(joined);
	return 0;
}
