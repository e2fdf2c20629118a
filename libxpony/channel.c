/*
 * channel - see channel.h. Called by session.c, server.c and client.c.
 */
#include "channel.h"
#include "rot.h"

#include <sodium.h>
#include <string.h>

#define FULL_FLIGHT                                                                            \
	31744 /* the largest flight in one record that Padme leaves as it is: 31 * 2^10 */

static size_t
wire_out_max(void)
{
	return CHANNEL_QUEUE + record_flight_max(CHANNEL_QUEUE);
}

size_t
channel_memory(void)
{
	return 2 * CHANNEL_QUEUE + CHANNEL_QUEUE + RECORD_WIRE_MAX + wire_out_max();
}

void
channel_init(struct channel *c, uint8_t *memory)
{
	memset(c, 0, sizeof(*c));
	buf_lend(&c->in, memory, CHANNEL_QUEUE);
	memory += CHANNEL_QUEUE;
	buf_lend(&c->out, memory, CHANNEL_QUEUE);
	memory += CHANNEL_QUEUE;
	buf_lend(&c->wire_in, memory, CHANNEL_QUEUE + RECORD_WIRE_MAX);
	memory += CHANNEL_QUEUE + RECORD_WIRE_MAX;
	buf_lend(&c->wire_out, memory, wire_out_max());
}

void
channel_free(struct channel *c)
{
	buf_free(&c->in);
	buf_free(&c->out);
	buf_free(&c->wire_in);
	buf_free(&c->wire_out);
	sodium_free(c->record);
	c->record = NULL;
}

void
channel_reset(struct channel *c)
{
	channel_abandon(c);
	buf_clear(&c->wire_out);
	sodium_free(c->record);
	c->record = NULL;
	c->mode = CHANNEL_CLEAR;
	c->eof = c->shut = c->deaf = false;
}

void
channel_deafen(struct channel *c)
{
	c->deaf = true;
	buf_clear(&c->in);
	buf_clear(&c->wire_in);
}

void
channel_abandon(struct channel *c)
{
	channel_deafen(c);
	buf_clear(&c->out);
	c->shut = true;
}

uint8_t *
channel_reserve(struct channel *c, size_t *n)
{
	*n = 0;
	if (c->deaf)
		return NULL;
	return buf_reserve(c->mode == CHANNEL_RECORDS ? &c->wire_in : &c->in, n);
}

void
channel_commit(struct channel *c, size_t n)
{
	if (c->mode == CHANNEL_RECORDS) {
		buf_commit(&c->wire_in, n);
		return;
	}
	buf_commit(&c->in, n);
	if (c->mode == CHANNEL_ROT)
		rot_letters(c->in.data + c->in.end - n, n, 26 - c->rot);
}

enum err
channel_decode(struct channel *c)
{
	enum record_type type;
	enum err e;

	if (c->mode != CHANNEL_RECORDS || c->deaf)
		return ERR_NONE;
	while (buf_len(&c->wire_in) > 0) {
		if (buf_room(&c->in) < RECORD_DATA_MAX)
			return ERR_NONE;
		e = record_open(&c->record->rx, &c->wire_in, &c->in, &type);
		if (e == ERR_MORE)
			break;
		if (e != ERR_NONE)
			return e;
	}
	return c->eof && !c->record->rx.closed ? ERR_TRUNCATED : ERR_NONE;
}

bool
channel_ended(const struct channel *c)
{
	return c->eof || c->deaf || (c->mode == CHANNEL_RECORDS && c->record->rx.closed);
}

bool
channel_is_empty(const struct channel *c)
{
	return buf_len(&c->in) + buf_len(&c->out) + buf_len(&c->wire_in) +
		   buf_len(&c->wire_out) ==
	       0;
}

bool
channel_is_quiet(const struct channel *c)
{
	return !channel_ended(c) && !c->shut && channel_is_empty(c);
}

/* A whole one that waits for room in `in` is nobody's debt. */
bool
channel_is_amid(const struct channel *c)
{
	return c->mode == CHANNEL_RECORDS && !c->deaf && buf_len(&c->wire_in) > 0 &&
	       buf_room(&c->in) >= RECORD_DATA_MAX;
}

/* In clear what is to be sent lies ready as it is. */
static const struct buf *
outgoing(const struct channel *c)
{
	if (c->mode == CHANNEL_CLEAR && buf_len(&c->wire_out) == 0)
		return &c->out;
	return &c->wire_out;
}

const uint8_t *
channel_output(const struct channel *c, size_t *n)
{
	const struct buf *b = outgoing(c);

	*n = buf_len(b);
	return buf_head(b);
}

void
channel_written(struct channel *c, size_t n)
{
	buf_drop(outgoing(c) == &c->out ? &c->out : &c->wire_out, n);
}

static enum err
flush_clear(struct channel *c)
{
	size_t n = buf_len(&c->out);

	if (n > buf_room(&c->wire_out))
		n = buf_room(&c->wire_out);
	if (n == 0)
		return ERR_NONE;
	if (!buf_put(&c->wire_out, buf_head(&c->out), n))
		return ERR_RESOURCE;
	if (c->mode == CHANNEL_ROT)
		rot_letters(c->wire_out.data + c->wire_out.end - n, n, c->rot);
	buf_drop(&c->out, n);
	return ERR_NONE;
}

enum err
channel_flush(struct channel *c, bool all)
{
	size_t n = buf_len(&c->out);
	enum err e;

	if (c->mode == CHANNEL_CLEAR)
		return ERR_NONE;
	if (c->mode == CHANNEL_ROT)
		return flush_clear(c);
	if (!all)
		n -= n % FULL_FLIGHT;
	/* Room comes back as the socket drains; until then the flight waits whole. */
	if (n == 0 || buf_room(&c->wire_out) < record_flight_max(n))
		return ERR_NONE;
	if ((e = record_seal(&c->record->tx, &c->wire_out, buf_head(&c->out), n)) != ERR_NONE)
		return e;
	buf_drop(&c->out, n);
	return ERR_NONE;
}

enum err
channel_shut(struct channel *c)
{
	const size_t n = buf_len(&c->out);
	enum err e;

	if (!c->shut && c->mode == CHANNEL_RECORDS) {
		e = record_seal_close(&c->record->tx, &c->wire_out, buf_head(&c->out), n);
		if (e != ERR_NONE)
			return e;
		buf_drop(&c->out, n);
	}
	c->shut = true;
	return ERR_NONE;
}

/* The last of the clear part. Had it no room now, it would go as the first of what follows. */
static enum err
end_clear(struct channel *c)
{
	enum err e = flush_clear(c);

	return e == ERR_NONE && buf_len(&c->out) > 0 ? ERR_LIMIT : e;
}

enum err
channel_start_records(struct channel *c, struct record *record)
{
	enum err e;

	c->record = record;
	if ((e = end_clear(c)) != ERR_NONE)
		return e;
	c->mode = CHANNEL_RECORDS;
	if (buf_len(&c->in) > 0 && !buf_put(&c->wire_in, buf_head(&c->in), buf_len(&c->in)))
		return ERR_RESOURCE;
	buf_clear(&c->in);
	return ERR_NONE;
}

enum err
channel_start_rot(struct channel *c, int rot)
{
	enum err e;

	if ((e = end_clear(c)) != ERR_NONE)
		return e;
	c->mode = CHANNEL_ROT;
	c->rot = rot;
	rot_letters(c->in.data + c->in.start, buf_len(&c->in), 26 - rot);
	return ERR_NONE;
}
