/*
 * buf - a bounded queue of octets. Memory is taken at the first use, never more than the limit,
 * and wiped when it is given back, since what passes here is people's mail.
 *
 * Octets wait between start and end; buf_reserve() moves them to the front when the tail is
 * short.
 */
#ifndef XPONY_BUF_H
#define XPONY_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t start; /* first waiting octet */
	size_t end;   /* one past the last waiting octet */
	size_t limit; /* octets that may wait at most */
	bool lent;    /* the memory is somebody else's */
};

/* limit > 0. No memory is taken yet. */
void buf_init(struct buf *b, size_t limit);
/* The same with the memory, so that no put fails but for room. False when there is none. */
bool buf_take(struct buf *b, size_t limit);
/* The same with memory of the caller's, limit octets, which stays his. */
void buf_lend(struct buf *b, uint8_t *memory, size_t limit);
/* Wipes and frees; the buf may be used again, with the same limit. NULL-safe. */
void buf_free(struct buf *b);

size_t buf_len(const struct buf *b);
size_t buf_room(const struct buf *b);
const uint8_t *buf_head(
    const struct buf *b); /* the waiting octets; valid until the next change */

/* Room for writing at the tail: returns the pointer and sets *n to all the room there is (0 and
 * NULL when full or out of memory). buf_commit(n) then makes n of these octets wait. */
uint8_t *buf_reserve(struct buf *b, size_t *n);
void buf_commit(struct buf *b, size_t n);

/* Appends all n octets or, when they do not fit, nothing: false. */
bool buf_put(struct buf *b, const void *p, size_t n);
bool buf_puts(struct buf *b, const char *text);
/* Drops the first n waiting octets (n <= buf_len), wiping them. */
void buf_drop(struct buf *b, size_t n);
void buf_clear(struct buf *b);
/* What waits in `from` goes to the empty `to`, without a copy, since their memory changes
 * hands. False, and nothing done, when `to` is not empty or of another limit, or one has no
 * memory yet. Lent memory stays in use as long as either is. */
bool buf_hand_over(struct buf *from, struct buf *to);

#endif
