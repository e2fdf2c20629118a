/*
 * dialogue - see dialogue.h. Called by server.c and client.c.
 */
#include "dialogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_TEXT 510 /* RFC 5321 section 4.5.3.1.5: 512 with CRLF */

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
	static const char chunking[] = "CHUNKING";
	const size_t len = sizeof(chunking) - 1;
	enum smtp_verb verb = smtp_verb(text, n);

	if (verb == SMTP_XPONY || (verb == SMTP_STARTTLS && upgraded))
		return false;
	return n < len || !smtp_is(text, len, chunking);
}

size_t
body_scan(struct body *b, const uint8_t *p, size_t n, bool *ended)
{
	static const uint8_t end[] = {'\r', '\n', '.', '\r', '\n'};
	size_t i;

	if (!b->started) {
		b->started = true;
		b->matched = 2; /* the CRLF of the DATA line counts: an empty body is ".CRLF" */
	}
	*ended = false;
	for (i = 0; i < n; i++) {
		if (p[i] == end[b->matched])
			b->matched++;
		else
			b->matched = p[i] == '\r' ? 1 : 0;
		if (b->matched == sizeof(end)) {
			*ended = true;
			return i + 1;
		}
	}
	return n;
}

size_t
dialogue_move(struct buf *from, struct buf *to, size_t n)
{
	size_t have = buf_len(from), room = buf_room(to);

	if (n > have)
		n = have;
	if (n > room)
		n = room;
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
