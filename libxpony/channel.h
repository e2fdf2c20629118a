/*
 * channel - the network side of a session: SMTP octets inside, wire octets outside, and between
 * them nothing, ROTn or records. Used by session.c; does no I/O.
 */
#ifndef XPONY_CHANNEL_H
#define XPONY_CHANNEL_H

#include "buf.h"
#include "record.h"

#define CHANNEL_QUEUE 65536 /* SMTP octets that wait in one direction at most */

enum channel_mode {
	CHANNEL_CLEAR,
	CHANNEL_ROT,
	CHANNEL_RECORDS,
};

struct channel {
	enum channel_mode mode;
	int rot;
	struct record *record; /* sodium_malloc; owned */
	struct buf in, out;    /* SMTP octets: received, to be sent */
	struct buf wire_in;    /* records not yet opened */
	struct buf wire_out;   /* octets for the socket, before those of a clear `out` */
	bool eof;              /* the socket has ended */
	bool shut;             /* nothing more will be put out: our end was said */
	bool deaf;             /* nothing more is read */
};

/* How much memory its queues want, and who lends it. */
size_t channel_memory(void);
void channel_init(struct channel *c, uint8_t *memory);
void channel_free(struct channel *c); /* wipes */
/* For another connection: wiped and empty, in clear. */
void channel_reset(struct channel *c);

/* What waits unread is dropped and nothing more is read: channel_ended() from now on. */
void channel_deafen(struct channel *c);
/* Nothing more is said either, not even the authenticated close. */
void channel_abandon(struct channel *c);

/* Room for octets read from the socket (NULL when full); then how many came. */
uint8_t *channel_reserve(struct channel *c, size_t *n);
void channel_commit(struct channel *c, size_t n);
/* Turns waiting records into SMTP octets as far as there is room. ERR_NONE, or the fault that
 * ends the session: ERR_CRYPTO, or ERR_TRUNCATED when the socket ended without the
 * authenticated close. */
enum err channel_decode(struct channel *c);
/* True when no octet will come any more: socket ended, or the peer's close was read. */
bool channel_ended(const struct channel *c);

/* Nothing waits in it, either way. */
bool channel_is_empty(const struct channel *c);
/* The same, and it goes on. */
bool channel_is_quiet(const struct channel *c);
/* True when the rest of a record is still to come. */
bool channel_is_amid(const struct channel *c);

/* What the socket is to take now; then how much of it it took. */
const uint8_t *channel_output(const struct channel *c, size_t *n);
void channel_written(struct channel *c, size_t n);

/* Seals what waits in out; what is in clear waits there until the socket takes it. all ==
 * false: only full records, so that the rest may still join them. */
enum err channel_flush(struct channel *c, bool all);
/* Says the end, behind what waits in out: with records that is the last flight, sealed with the
 * close. The socket may be shut once out and wire_out are empty. ERR_LIMIT while wire_out has
 * no room for it: then nothing is said yet. */
enum err channel_shut(struct channel *c);

/* From now on records (taking over `record`, also on a fault), or ROTn. What waits in `out`
 * still goes in clear: it is the reply that ends the clear part; ERR_LIMIT when it cannot go
 * now. Octets that wait in `in` came in after it and are given to the opener, never to anybody
 * else (PROTOCOL.md, "Switch"). */
enum err channel_start_records(struct channel *c, struct record *record);
enum err channel_start_rot(struct channel *c, int rot);

#endif
