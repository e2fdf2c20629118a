/*
 * tlv - the items of handshake payloads 2 and 3. Called by handshake.
 */
#include "tlv.h"

void
tlv_put(struct wire_out *out, uint8_t type, const void *value, size_t len)
{
	if (len > UINT16_MAX)
		out->failed = true;
	wire_put_u8(out, type);
	wire_put_u16(out, (uint16_t)len);
	wire_put_bytes(out, value, len);
}

enum err
tlv_next(struct wire_in *in, struct tlv *item, uint8_t seen[32])
{
	if (!in->failed && in->left == 0)
		return ERR_MORE;
	item->type = wire_get_u8(in);
	item->len = wire_get_u16(in);
	item->value = wire_get_bytes(in, item->len);

	uint8_t bit = (uint8_t)(1U << item->type % 8);
	if (seen[item->type / 8] & bit)
		in->failed = true; /* and stays so: a list with a fault has no further items */
	seen[item->type / 8] |= bit;
	return in->failed ? ERR_SYNTAX : ERR_NONE;
}
