/*
 * record - what travels after the upgrade (PROTOCOL.md, "Records").
 *
 *   u16 length of what follows | Noise transport message of
 *       type u8 | data length u16 | data | zero padding
 *
 * A flight (what is sent at one time) is padded to at least 256 octets, then by Padme, the padding
 * in its last records. A direction ends with a close, which may carry its last data. Each rekeys
 * before record k * 2^16 and ends before record 2^32.
 */
#ifndef XPONY_RECORD_H
#define XPONY_RECORD_H

#include "buf.h"
#include "noise.h"

#define RECORD_HEADER 3                 /* type and data length, inside */
#define RECORD_INNER_MAX 32768          /* header, data and padding */
#define RECORD_DATA_MAX (RECORD_INNER_MAX - RECORD_HEADER)
#define RECORD_WIRE_MAX (2 + RECORD_INNER_MAX + NOISE_TAG)
#define RECORD_FLIGHT_MIN 256
#define RECORD_CLOSE_MIN 6 /* of the last flight: QUIT and its CRLF, or nothing */

enum record_type {
	RECORD_DATA = 0,
	RECORD_CLOSE = 1, /* data, and the authenticated end of this direction */
};

struct record_half {
	struct noise_cipher cipher;
	uint64_t count; /* records sealed or opened so far */
	bool closed;    /* a close went by: nothing may follow */
};

/* Keep in sodium_malloc memory. */
struct record {
	struct record_half tx, rx;
};

/* Padme (Nikitin et al. 2019), with the floor: the length to which n octets are padded. */
size_t record_padded(size_t n);
/* Octets on the wire for a flight of n data octets (n may be 0); for the last one, at most. */
size_t record_flight_max(size_t n);

/* Seals n data octets as one flight onto the end of out. ERR_LIMIT when out has no room for
 * record_flight_max(n) (nothing sealed then) or the direction is used up. n == 0 seals nothing. */
enum err record_seal(struct record_half *tx, struct buf *out, const uint8_t *data, size_t n);
/* The same for the last octets of the direction, which may be none: the last record is the close.
 * After it nothing can be sealed (ERR_SEQUENCE). */
enum err record_seal_close(struct record_half *tx, struct buf *out, const uint8_t *data, size_t n);

/* Opens the first record that waits in `in`, appends its data to out, drops it from `in`.
 * ERR_MORE: not whole yet. ERR_NONE: one record done; *type says which; *type == RECORD_CLOSE sets
 * rx->closed. Faults (bad length, tag, unknown type, non-zero padding, anything after the close):
 * ERR_CRYPTO. ERR_LIMIT when out lacks RECORD_DATA_MAX room: drain it and call again. */
enum err record_open(struct record_half *rx, struct buf *in, struct buf *out, enum record_type *type);

#endif
