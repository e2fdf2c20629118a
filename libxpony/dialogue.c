/*
 * dialogue - see dialogue.h. Called by server.c and client.c.
 */
#include "dialogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_TEXT 510 /* RFC 5321 section 4.5.3.1.5: 512 with CRLF */
#define BODY_END 5        /* CRLF . CRLF */

enum dialogue_barrier
dialogue_barrier(enum smtp_verb verb)
{
	switch (verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
		return BARRIER_EHLO;
	case SMTP_DATA:
		return BARRIER_DATA;
	case SMTP_AUTH:
		return BARRIER_AUTH;
	case SMTP_STARTTLS:
		return BARRIER_STARTTLS;
	default:
		return BARRIER_NONE;
	}
}

bool
dialogue_wants_keyword(const uint8_t *text, size_t n, bool upgraded)
{
	static const char *const unwanted[] = {"CHUNKING", "PIPECONNECT"};
	enum smtp_verb verb = smtp_verb(text, n);
	size_t i, len;

	if (verb == SMTP_XPONY || (verb == SMTP_STARTTLS && upgraded))
		return false;
	for (i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
		len = strlen(unwanted[i]);
		if (n >= len && smtp_is(text, len, unwanted[i]))
			return false;
	}
	return true;
}

/* One octet of the end, or not. */
static void
match(struct body *b, uint8_t c)
{
	static const uint8_t end[BODY_END] = {'\r', '\n', '.', '\r', '\n'};

	if (c == end[b->matched])
		b->matched++;
	else
		b->matched = c == '\r' ? 1 : 0;
}

/* No part of the end was seen before p: to the octet behind the first dot that stands at the
 * start of a line, or to where the end may begin. Only dots are looked at, since most bodies
 * have few; CR and LF have to come between one and the next that counts. */
static size_t
skip_lines(struct body *b, const uint8_t *p, size_t n)
{
	const uint8_t *dot;
	size_t i;

	for (i = 2; i < n && (dot = memchr(p + i, '.', n - i)) != NULL; i += 3) {
		i = (size_t)(dot - p);
		if (p[i - 1] == '\n' && p[i - 2] == '\r') {
			b->matched = 3;
			return i + 1;
		}
	}
	if (p[n - 1] == '\r')
		b->matched = 1;
	else if (n >= 2 && p[n - 1] == '\n' && p[n - 2] == '\r')
		b->matched = 2;
	return n;
}

size_t
body_scan(struct body *b, const uint8_t *p, size_t n, bool *ended)
{
	size_t i = 0;

	if (!b->started) {
		b->started = true;
		b->matched = 2; /* the CRLF of the DATA line counts: an empty body is ".CRLF" */
	}
	while (i < n && b->matched < BODY_END)
		if (b->matched > 0)
			match(b, p[i++]);
		else
			i += skip_lines(b, p + i, n - i);
	*ended = b->matched == BODY_END;
	return i;
}

size_t
dialogue_move(struct buf *from, struct buf *to, size_t n)
{
	size_t have = buf_len(from), room = buf_room(to);

	if (n > have)
		n = have;
	if (n > room)
		n = room;
	if (n > 0 && n == have && buf_hand_over(from, to))
		return n;
	if (n == 0 || !buf_put(to, buf_head(from), n))
		return 0;
	buf_drop(from, n);
	return n;
}

static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

bool
dialogue_line(struct buf *out, const char *format, ...)
{
	char line[LINE_MAX_TEXT + 1];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	clean(line);
	if (buf_room(out) < strlen(line) + 2)
		return false;
	return buf_puts(out, line) && buf_puts(out, "\r\n");
}

void
dialogue_text(char *to, size_t cap, const uint8_t *p, size_t n)
{
	size_t i;

	if (n >= cap)
		n = cap - 1;
	for (i = 0; i < n; i++)
		to[i] = (char)(p[i] < 0x20 || p[i] > 0x7e ? '?' : p[i]);
	to[n] = '\0';
}
