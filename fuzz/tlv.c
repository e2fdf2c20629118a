/*
 * tlv - the lists in payloads 2 and 3, which whoever has made a key may fill, and the
 * commitment in them (libxpony/tlv.h, libxpony/commitment.h).
 *
 * Input: the list.
 */
#include "fuzz/fuzz.h"

#include "libxpony/commitment.h"
#include "libxpony/tlv.h"

static void
look_at_commitment(const struct tlv *item)
{
	uint8_t octets[COMMITMENT_OCTETS];
	struct commitment c, again;
	struct wire_out out = wire_out(octets, sizeof octets);

	if (commitment_read(&c, item->value, item->len) != ERR_NONE) {
		HOLDS(item->len < 4 || (item->len - 4) % COMMITMENT_FINGERPRINT != 0);
		return;
	}
	HOLDS(c.present == 1 && c.keys <= COMMITMENT_KEYS);
	commitment_put(&out, &c);
	HOLDS(
	    !out.failed && out.used <= item->len && memcmp(octets, item->value, out.used) == 0);
	HOLDS(commitment_read(&again, octets, out.used) == ERR_NONE);
	HOLDS(memcmp(&again, &c, sizeof c) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct wire_in in = wire_in(p, n);
	uint8_t seen[32] = {0}, *copy = malloc(n + 1);
	struct wire_out out = wire_out(copy, n);
	bool had[256] = {false};
	struct tlv item;
	enum err e;

	fuzz_start();
	HOLDS(copy != NULL);
	while ((e = tlv_next(&in, &item, seen)) == ERR_NONE) {
		HOLDS(!had[item.type] &&
		      (item.len == 0 || (item.value >= p && item.value + item.len <= p + n)));
		had[item.type] = true;
		tlv_put(&out, item.type, item.value, item.len);
		look_at_commitment(&item);
	}
	HOLDS(e == ERR_MORE || e == ERR_SYNTAX);
	HOLDS(tlv_next(&in, &item, seen) == e);
	/* Written again it is the same, as far as it was good. */
	HOLDS(!out.failed && out.used <= n && memcmp(copy, p, out.used) == 0);
	HOLDS(e == ERR_SYNTAX || out.used == n);
	free(copy);
	return 0;
}
