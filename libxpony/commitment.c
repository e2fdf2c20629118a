/*
 * commitment - see commitment.h.
 */
#include "commitment.h"

#include <string.h>

void
commitment_put(struct wire_out *out, const struct commitment *c)
{
	uint32_t i;

	wire_put_u16(out, (uint16_t)(c->max_age >> 16));
	wire_put_u16(out, (uint16_t)c->max_age);
	for (i = 0; i < c->keys && i < COMMITMENT_KEYS; i++)
		wire_put_bytes(out, c->key[i], COMMITMENT_FINGERPRINT);
}

enum err
commitment_read(struct commitment *c, const uint8_t *value, size_t n)
{
	struct wire_in in = wire_in(value, n);
	uint32_t high;

	memset(c, 0, sizeof(*c));
	if (n < 4 || (n - 4) % COMMITMENT_FINGERPRINT != 0)
		return ERR_SYNTAX;
	high = wire_get_u16(&in);
	c->max_age = high << 16 | wire_get_u16(&in);
	while (in.left > 0 && c->keys < COMMITMENT_KEYS)
		memcpy(c->key[c->keys++], wire_get_bytes(&in, COMMITMENT_FINGERPRINT),
		    COMMITMENT_FINGERPRINT);
	c->present = true;
	return ERR_NONE;
}
