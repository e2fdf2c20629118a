/*
 * wire - bounded big-endian fields. Called by tlv, record and advert.
 *
 * Nothing is read or written once a field did not fit, so that a caller may take a whole
 * structure and look at `failed` once.
 */
#include <string.h>
#include "wire.h"

struct wire_in
wire_in(const void *p, size_t n)
{
	return (struct wire_in){.p = p, .left = n};
}

const uint8_t *
wire_get_bytes(struct wire_in *in, size_t n)
{
	if (in->failed || n > in->left) {
		in->failed = true;
		return NULL;
	}
	const uint8_t *p = in->p;
	in->p += n;
	in->left -= n;
	return p;
}

uint8_t
wire_get_u8(struct wire_in *in)
{
	const uint8_t *p = wire_get_bytes(in, 1);
	return p == NULL ? 0 : p[0];
}

uint16_t
wire_get_u16(struct wire_in *in)
{
	const uint8_t *p = wire_get_bytes(in, 2);
	return p == NULL ? 0 : (uint16_t)(p[0] << 8 | p[1]);
}

struct wire_out
wire_out(void *p, size_t cap)
{
	return (struct wire_out){.p = p, .cap = cap};
}

void
wire_put_bytes(struct wire_out *out, const void *p, size_t n)
{
	if (out->failed || n > out->cap - out->used) {
		out->failed = true;
		return;
	}
	if (n > 0) /* p may be NULL then, which memcpy must not see */
		memcpy(out->p + out->used, p, n);
	out->used += n;
}

void
wire_put_u8(struct wire_out *out, uint8_t v)
{
	wire_put_bytes(out, &v, 1);
}

void
wire_put_u16(struct wire_out *out, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)(v & 0xff)};

	wire_put_bytes(out, b, sizeof b);
}
