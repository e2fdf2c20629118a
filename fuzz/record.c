/*
 * record - what travels after the upgrade (libxpony/record.h): flights that are sealed, changed
 * on the way, cut into pieces and opened; and what a peer that was taken over puts into its
 * records.
 *
 * Input: where the counts stand; then what is done, one step after the other.
 */
#include <sodium.h>

#include "fuzz/fuzz.h"

#include "libxpony/record.h"

#define ROOM 262144
#define DATA_MAX 70000
#define STEPS_MAX 32
#define LAST_STEP 1601 /* of the lengths of last flights */
#define INSIDE_MAX 512

enum step { SEAL, CLOSE, DELIVER, CHANGE, INSIDE, DRAIN, STEPS };

struct run {
	struct record_half tx, rx;
	struct buf wire, in, out; /* sealed; arrived; opened */
	size_t sealed, opened;    /* octets; they count up modulo 251 */
	size_t intact;            /* octets sealed before anything was changed */
	bool changed, said_close, failed;
};

static void
begin(struct run *r, uint8_t where)
{
	static const uint64_t counts[] = {
	    0, 65534, 65535, 131071, (UINT64_C(1) << 32) - 3, (UINT64_C(1) << 32) - 1};

	memset(r, 0, sizeof *r);
	fuzz_random(r->tx.cipher.key, sizeof r->tx.cipher.key);
	r->tx.cipher.keyed = true;
	r->tx.count = r->tx.cipher.n = counts[where % (sizeof counts / sizeof counts[0])];
	r->rx = r->tx;
	buf_init(&r->wire, ROOM);
	buf_init(&r->in, ROOM);
	buf_init(&r->out, RECORD_DATA_MAX + 1000);
}

/* The next n octets that are to be sealed. */
static const uint8_t *
count_up(const struct run *r, size_t n)
{
	static uint8_t data[DATA_MAX];

	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)((r->sealed + i) % 251);
	return data;
}

static void
seal(struct run *r, size_t n)
{
	const size_t before = buf_len(&r->wire), room = buf_room(&r->wire);
	enum err e;

	e = record_seal(&r->tx, &r->wire, count_up(r, n), n);
	HOLDS((e == ERR_SEQUENCE) == r->said_close);
	if (e != ERR_NONE) {
		HOLDS(buf_len(&r->wire) == before);
		HOLDS(e == ERR_SEQUENCE ||
		      (e == ERR_LIMIT && (record_flight_max(n) > room ||
					     r->tx.count + 4 >= UINT64_C(1) << 32)));
		return;
	}
	HOLDS(n == 0 || buf_len(&r->wire) - before == record_flight_max(n));
	r->sealed += n;
	if (!r->changed)
		r->intact = r->sealed;
}

static void
seal_close(struct run *r, size_t n)
{
	const size_t before = buf_len(&r->wire);
	enum err e = record_seal_close(&r->tx, &r->wire, count_up(r, n), n);

	HOLDS(e == ERR_NONE || e == ERR_LIMIT || (e == ERR_SEQUENCE && r->said_close));
	if (e != ERR_NONE)
		return;
	HOLDS(buf_len(&r->wire) - before == (n <= 6 ? 27 : record_flight_max(n)));
	r->said_close = true;
	r->sealed += n;
	if (!r->changed)
		r->intact = r->sealed;
}

/* PROTOCOL.md, "Records", once more. */
static bool
is_good(const uint8_t *p, size_t n)
{
	const size_t len = n < RECORD_HEADER ? 0 : (size_t)(p[1] << 8 | p[2]);

	if (n < RECORD_HEADER || len > n - RECORD_HEADER)
		return false;
	return sodium_is_zero(p + RECORD_HEADER + len, n - RECORD_HEADER - len) &&
	       (p[0] == RECORD_DATA || p[0] == RECORD_CLOSE);
}

/* A record of the peer's own making: any octets inside, but well sealed. */
static void
inside(struct run *r, struct input *in)
{
	uint8_t record[2 + INSIDE_MAX + NOISE_TAG];
	const bool next = buf_len(&r->wire) == 0 && buf_len(&r->in) == 0 && !r->changed &&
			  !r->rx.closed && r->rx.count < UINT64_C(1) << 32;
	enum record_type type;
	size_t n;
	const uint8_t *p = input_octets(in, &n);

	if (n > INSIDE_MAX)
		n = INSIDE_MAX;
	record[0] = (uint8_t)((n + NOISE_TAG) >> 8);
	record[1] = (uint8_t)(n + NOISE_TAG);
	if (r->tx.count > 0 && r->tx.count % 65536 == 0)
		noise_cipher_rekey(&r->tx.cipher);
	r->tx.count++;
	HOLDS(noise_cipher_seal(&r->tx.cipher, record + 2, p, n) == ERR_NONE);
	r->changed = true;
	if (!next) {
		(void)buf_put(&r->wire, record, 2 + n + NOISE_TAG);
		return;
	}
	buf_clear(&r->out);
	HOLDS(buf_put(&r->in, record, 2 + n + NOISE_TAG));
	r->failed = record_open(&r->rx, &r->in, &r->out, &type) != ERR_NONE;
	HOLDS(r->failed == !is_good(p, n));
}

static void
change(struct run *r, struct input *in)
{
	const size_t n = buf_len(&r->wire), at = n > 0 ? input_u16(in) % n : 0;
	const uint8_t with = input_u8(in);

	if (n == 0 || with == 0)
		return;
	r->wire.data[r->wire.start + at] ^= with;
	r->changed = true;
}

/* What comes out is what went in, up to a change; and then nothing any more. */
static void
open_all(struct run *r)
{
	enum record_type type = RECORD_DATA;
	size_t before;
	enum err e;

	do {
		before = buf_len(&r->out);
		e = record_open(&r->rx, &r->in, &r->out, &type);
		HOLDS(e == ERR_NONE || e == ERR_MORE || e == ERR_LIMIT || e == ERR_CRYPTO);
		HOLDS(e == ERR_NONE || buf_len(&r->out) == before);
		HOLDS(e != ERR_LIMIT || buf_room(&r->out) < RECORD_DATA_MAX);
		HOLDS(!r->failed || e != ERR_NONE);
		HOLDS(e != ERR_CRYPTO || r->changed);
		r->failed |= e == ERR_CRYPTO;
		for (size_t i = before; e == ERR_NONE && i < buf_len(&r->out); i++) {
			if (r->opened < r->intact)
				HOLDS(buf_head(&r->out)[i] == r->opened % 251);
			r->opened++;
		}
	} while (e == ERR_NONE);
	HOLDS(r->changed || r->opened <= r->sealed);
	HOLDS(r->changed || !r->rx.closed || (r->said_close && r->opened == r->sealed));
}

static void
deliver(struct run *r, size_t n)
{
	if (n > buf_len(&r->wire))
		n = buf_len(&r->wire);
	if (n > buf_room(&r->in))
		n = buf_room(&r->in);
	if (n == 0)
		return;
	HOLDS(buf_put(&r->in, buf_head(&r->wire), n));
	buf_drop(&r->wire, n);
	open_all(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	struct run r;

	fuzz_start();
	begin(&r, input_u8(&in));
	for (int i = 0; i < STEPS_MAX && in.left > 0; i++) {
		const uint8_t what = input_u8(&in);

		switch ((enum step)(what % STEPS)) {
		case SEAL:
			seal(&r, input_u16(&in));
			break;
		case CLOSE:
			seal_close(&r, (size_t)(what / STEPS) * LAST_STEP);
			break;
		case DELIVER:
			deliver(&r, input_u16(&in));
			break;
		case CHANGE:
			change(&r, &in);
			break;
		case INSIDE:
			inside(&r, &in);
			break;
		case DRAIN:
			buf_clear(&r.out);
			open_all(&r);
			break;
		case STEPS:
			break;
		}
	}
	while (!r.changed && (buf_len(&r.wire) > 0 || buf_len(&r.in) > 0)) {
		deliver(&r, SIZE_MAX);
		buf_clear(&r.out);
		open_all(&r);
	}
	HOLDS(r.changed || r.opened == r.sealed);
	buf_free(&r.wire);
	buf_free(&r.in);
	buf_free(&r.out);
	return 0;
}
