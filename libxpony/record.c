/*
 * record - seals and opens what travels after the upgrade. Called by the session engine.
 *
 * Records are built and opened where they lie in the queues, so that no second copy of the mail
 * is made. What a listener sees of a flight depends on its padded length alone.
 */
#include <sodium.h>
#include <string.h>
#include "record.h"
#include "wire.h"

#define LENGTH 2 /* the length field */
#define OVERHEAD                                                                               \
	(LENGTH + RECORD_HEADER + NOISE_TAG) /* octets of a record beyond data and padding */
#define REKEY_EVERY (UINT64_C(1) << 16)
#define RECORDS_MAX (UINT64_C(1) << 32)

_Static_assert(RECORD_DATA_MAX <= UINT16_MAX, "data length fits its field");
_Static_assert(RECORD_INNER_MAX + NOISE_TAG <= UINT16_MAX, "length fits its field");

static unsigned
floor_log2(size_t n)
{
	unsigned e = 0;

	for (; n > 1; n >>= 1)
		e++;
	return e;
}

/* Padme leaves as many significant bits as the exponent has bits: rounds up to 2^(E - S). */
size_t
record_padded(size_t n)
{
	if (n <= RECORD_FLIGHT_MIN)
		return RECORD_FLIGHT_MIN;
	unsigned e = floor_log2(n);
	unsigned s = floor_log2(e) + 1;
	size_t mask = ((size_t)1 << (e - s)) - 1;
	return (n + mask) & ~mask;
}

/* A bare close and one with QUIT are of one length, and short: what ends is told by the FIN. */
static size_t
closing_padded(size_t n)
{
	return n <= RECORD_CLOSE_MIN ? RECORD_CLOSE_MIN : record_padded(n);
}

static size_t
records_for(size_t padded)
{
	return (padded + RECORD_DATA_MAX - 1) / RECORD_DATA_MAX;
}

size_t
record_flight_max(size_t n)
{
	size_t padded = record_padded(n);

	return padded + records_for(padded) * OVERHEAD;
}

/* What comes before each record, sealed or opened. k * 2^16 is counted from k = 1. */
static void
rekey_when_due(struct record_half *half)
{
	if (half->count > 0 && half->count % REKEY_EVERY == 0)
		noise_cipher_rekey(&half->cipher);
}

/* One record at p, which has room for body + OVERHEAD: n data octets (n <= body), then padding.
 */
static enum err
seal_one(struct record_half *tx, uint8_t *p, enum record_type type, const uint8_t *data,
    size_t n, size_t body)
{
	struct wire_out w = wire_out(p, LENGTH + RECORD_HEADER + n);

	wire_put_u16(&w, (uint16_t)(RECORD_HEADER + body + NOISE_TAG));
	wire_put_u8(&w, (uint8_t)type);
	wire_put_u16(&w, (uint16_t)n);
	wire_put_bytes(&w, data, n);
	memset(p + w.used, 0, body - n);

	rekey_when_due(tx);
	tx->count++;
	return noise_cipher_seal(&tx->cipher, p + LENGTH, p + LENGTH, RECORD_HEADER + body);
}

/* Data goes first, so that padding stands in the last records of the flight. `last` is the type
 * of the very last. */
static enum err
seal_flight(struct record_half *tx, struct buf *out, enum record_type last, const uint8_t *data,
    size_t n, uint64_t records_max)
{
	if (tx->closed)
		return ERR_SEQUENCE;
	if (n > buf_room(out) || record_flight_max(n) > buf_room(out))
		return ERR_LIMIT;
	size_t padded = last == RECORD_CLOSE ? closing_padded(n) : record_padded(n);
	if (tx->count > records_max || records_for(padded) > records_max - tx->count)
		return ERR_LIMIT;

	while (padded > 0) {
		size_t body = padded < RECORD_DATA_MAX ? padded : RECORD_DATA_MAX;
		size_t take = n < body ? n : body;
		size_t room;
		uint8_t *p = buf_reserve(out, &room);
		if (p == NULL)
			return ERR_RESOURCE;
		enum err e =
		    seal_one(tx, p, body == padded ? last : RECORD_DATA, data, take, body);
		if (e != ERR_NONE) {
			sodium_memzero(p, body + OVERHEAD);
			return e;
		}
		buf_commit(out, body + OVERHEAD);
		data += take;
		n -= take;
		padded -= body;
	}
	return ERR_NONE;
}

/* Data leaves the last record of the direction to the close. */
enum err
record_seal(struct record_half *tx, struct buf *out, const uint8_t *data, size_t n)
{
	if (n == 0)
		return tx->closed ? ERR_SEQUENCE : ERR_NONE;
	return seal_flight(tx, out, RECORD_DATA, data, n, RECORDS_MAX - 1);
}

enum err
record_seal_close(struct record_half *tx, struct buf *out, const uint8_t *data, size_t n)
{
	enum err e = seal_flight(tx, out, RECORD_CLOSE, data, n, RECORDS_MAX);

	if (e == ERR_NONE)
		tx->closed = true;
	return e;
}

/* The opened inside of a record: appends its data. */
static enum err
take_inside(const uint8_t *p, size_t n, struct buf *out, enum record_type *type)
{
	struct wire_in w = wire_in(p, n);
	uint8_t kind = wire_get_u8(&w);
	uint16_t len = wire_get_u16(&w);
	const uint8_t *data = wire_get_bytes(&w, len);

	if (w.failed || !sodium_is_zero(w.p, w.left))
		return ERR_CRYPTO;
	if (kind != RECORD_DATA && kind != RECORD_CLOSE)
		return ERR_CRYPTO;
	if (!buf_put(out, data, len))
		return ERR_RESOURCE;
	*type = (enum record_type)kind;
	return ERR_NONE;
}

/* A record is dropped only when it was good: after a fault every further call fails as well. */
enum err
record_open(struct record_half *rx, struct buf *in, struct buf *out, enum record_type *type)
{
	struct wire_in w = wire_in(buf_head(in), buf_len(in));

	if (w.left > 0 && rx->closed)
		return ERR_CRYPTO;
	if (w.left < LENGTH)
		return ERR_MORE;
	size_t len = wire_get_u16(&w);
	if (len < RECORD_HEADER + NOISE_TAG || len > RECORD_INNER_MAX + NOISE_TAG)
		return ERR_CRYPTO;
	if (w.left < len)
		return ERR_MORE;
	if (buf_room(out) < RECORD_DATA_MAX)
		return ERR_LIMIT;
	if (rx->count >= RECORDS_MAX)
		return ERR_CRYPTO;

	uint8_t *p = in->data + in->start + LENGTH;
	rekey_when_due(rx);
	rx->count++;
	if (noise_cipher_open(&rx->cipher, p, p, len) != ERR_NONE)
		return ERR_CRYPTO;
	enum err e = take_inside(p, len - NOISE_TAG, out, type);
	if (e != ERR_NONE)
		return e;
	rx->closed = *type == RECORD_CLOSE;
	buf_drop(in, LENGTH + len);
	return ERR_NONE;
}
