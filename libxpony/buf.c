/*
 * buf - a bounded queue of octets. Called by the session engine, record and advert, and by the
 * relay that fills and drains it.
 *
 * All the memory is taken at once, at the first use: after that no put can fail for lack of it.
 * Octets that left are wiped wherever they lay, by buf_drop() and by the move in buf_reserve().
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "buf.h"

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){.limit = limit};
}

bool
buf_take(struct buf *b, size_t limit)
{
	size_t room;

	buf_init(b, limit);
	return buf_reserve(b, &room) != NULL;
}

void
buf_lend(struct buf *b, uint8_t *memory, size_t limit)
{
#ifdef BLACKPONY_SANITIZERS
	/* Memory of its own, whose ends are watched. */
	(void)memory;
	if (!buf_take(b, limit))
		abort();
#else
	buf_init(b, limit);
	b->data = memory;
	b->lent = true;
#endif
}

/* Of the octets only those that wait are still there; who fails having written into what
 * buf_reserve() gave him wipes it. To wipe all of a queue would first have the kernel make it.
 */
void
buf_free(struct buf *b)
{
	if (b == NULL)
		return;
	buf_clear(b);
	if (!b->lent)
		free(b->data);
	buf_init(b, b->limit);
}

size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

size_t
buf_room(const struct buf *b)
{
	return b->limit - buf_len(b);
}

const uint8_t *
buf_head(const struct buf *b)
{
	return b->data == NULL ? NULL : b->data + b->start;
}

static void
move_to_front(struct buf *b)
{
	size_t len = buf_len(b);

	memmove(b->data, b->data + b->start, len);
	sodium_memzero(b->data + len, b->end - len);
	b->start = 0;
	b->end = len;
}

uint8_t *
buf_reserve(struct buf *b, size_t *n)
{
	*n = 0;
	if (buf_room(b) == 0)
		return NULL;
	if (b->data == NULL) {
		b->data = malloc(b->limit);
		if (b->data == NULL)
			return NULL;
	}
	if (b->start > 0)
		move_to_front(b);
	*n = buf_room(b);
	return b->data + b->end;
}

void
buf_commit(struct buf *b, size_t n)
{
	if (n > b->limit - b->end) /* the caller wrote beyond what it was given */
		abort();
	b->end += n;
}

bool
buf_put(struct buf *b, const void *p, size_t n)
{
	size_t room;

	if (n == 0)
		return true;
	if (n > buf_room(b))
		return false;
	uint8_t *tail = buf_reserve(b, &room);
	if (tail == NULL)
		return false;
	memcpy(tail, p, n);
	buf_commit(b, n);
	return true;
}

bool
buf_puts(struct buf *b, const char *text)
{
	return buf_put(b, text, strlen(text));
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n > buf_len(b))
		abort();
	if (n == 0)
		return;
	sodium_memzero(b->data + b->start, n);
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void
buf_clear(struct buf *b)
{
	buf_drop(b, buf_len(b));
}

bool
buf_hand_over(struct buf *from, struct buf *to)
{
	const struct buf held = *from;

	if (from->data == NULL || to->data == NULL || from->limit != to->limit ||
	    from->lent != to->lent || buf_len(to) > 0)
		return false;
	*from = *to;
	*to = held;
	return true;
}
