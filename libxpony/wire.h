/*
 * wire - bounded reading and writing of big-endian fields. The only place where libxpony turns
 * octets into numbers. A reader or writer that ran out of room stays failed; look once, at the end.
 */
#ifndef XPONY_WIRE_H
#define XPONY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_in {
	const uint8_t *p;
	size_t left;
	bool failed;
};

struct wire_out {
	uint8_t *p;   /* start of the caller's room */
	size_t used;  /* octets written so far */
	size_t cap;
	bool failed;
};

struct wire_in wire_in(const void *p, size_t n);
uint8_t wire_get_u8(struct wire_in *in);   /* 0 once failed */
uint16_t wire_get_u16(struct wire_in *in);
/* A pointer to the next n octets, inside the caller's memory; NULL once failed. */
const uint8_t *wire_get_bytes(struct wire_in *in, size_t n);

struct wire_out wire_out(void *p, size_t cap);
void wire_put_u8(struct wire_out *out, uint8_t v);
void wire_put_u16(struct wire_out *out, uint16_t v);
void wire_put_bytes(struct wire_out *out, const void *p, size_t n);

#endif
