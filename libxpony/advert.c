/*
 * advert - the words that make and take the offer. Called by handshake and the session engine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "advert.h"
#include "rot.h"
#include "wire.h"

#define E_CHARS 43 /* base64_chars(NOISE_KEY) */
#define PROLOGUE_LABEL "XPONY/1"
/* Octets in one reply line's base64: a multiple of 3, so that the joined lines are the base64
 * of the joined octets, and "220-" + 504 characters + CRLF stay under 512 (RFC 5321
 * section 4.5.3.1.5). */
#define REPLY_CHUNK 378
#define REPLY_LINE_OVERHEAD 6 /* "220-" and CRLF */

_Static_assert(sizeof "XPONY 1 " + E_CHARS + 1 + ADVERT_SUITES_MAX <= ADVERT_MAX, "offer fits");
_Static_assert(SUITE_MAX *(SUITE_NAME_MAX + 1) <= ADVERT_SUITES_MAX, "our own list fits");

/* What is left of a line of words with exactly one space between them. */
struct words {
	const uint8_t *p;
	size_t left;
};

/* Takes the next word; *n is 0 where a second space or the end stands instead. A space after
 * the last word is not taken. */
static const uint8_t *
next_word(struct words *w, size_t *n, bool first)
{
	if (!first && w->left > 0) {
		w->p++;
		w->left--;
	}
	const uint8_t *word = w->p;
	const uint8_t *space = w->left > 0 ? memchr(word, ' ', w->left) : NULL;

	*n = space == NULL ? w->left : (size_t)(space - word);
	w->p += *n;
	w->left -= *n;
	return word;
}

static bool
word_is(const uint8_t *word, size_t n, const char *want)
{
	return n == strlen(want) && strncmp((const char *)word, want, n) == 0;
}

static bool
is_suite_name(const uint8_t *p, size_t n)
{
	if (n == 0 || n > SUITE_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(p[i] >= 'a' && p[i] <= 'z') && !(p[i] >= '0' && p[i] <= '9') &&
		    p[i] != '-')
			return false;
	return true;
}

/* Names that we do not know are kept: they are part of what the handshake protects. */
static bool
is_suite_list(const uint8_t *p, size_t n)
{
	for (;;) {
		const uint8_t *comma = n > 0 ? memchr(p, ',', n) : NULL;
		size_t name = comma == NULL ? n : (size_t)(comma - p);

		if (!is_suite_name(p, name))
			return false;
		if (comma == NULL)
			return true;
		p += name + 1;
		n -= name + 1;
	}
}

static void
make_text(struct advert *a, const char *third, const char *suites)
{
	int n = snprintf(a->text, sizeof a->text, "XPONY 1 %s%s%s", third,
	    *suites == '\0' ? "" : " ", suites);

	if (n < 0 || (size_t)n >= sizeof a->text)
		abort();
}

void
advert_make(struct advert *a, const uint8_t e[NOISE_KEY], const struct suite_list *suites)
{
	char text[E_CHARS + 1];

	memset(a, 0, sizeof *a);
	memcpy(a->e, e, NOISE_KEY);
	base64_encode(text, e, NOISE_KEY);
	suite_list_format(suites, a->suites, sizeof a->suites);
	make_text(a, text, a->suites);
}

void
advert_make_rot(struct advert *a, int rot)
{
	char name[16];

	if (rot < 1 || rot > 25)
		abort();
	memset(a, 0, sizeof *a);
	a->rot = rot;
	snprintf(name, sizeof name, "ROT%d", rot);
	make_text(a, name, "");
}

/* The offer at the front of p[0..n); *used is set to its octets. */
static enum err
parse_offer(struct advert *a, const uint8_t *p, size_t n, size_t *used)
{
	struct words w = {p, n};
	size_t len;
	const uint8_t *word = next_word(&w, &len, true);

	memset(a, 0, sizeof *a);
	if (!word_is(word, len, "XPONY"))
		return ERR_MORE;
	word = next_word(&w, &len, false);
	if (!word_is(word, len, "1"))
		return ERR_MORE;

	word = next_word(&w, &len, false);
	a->rot = rot_parse((const char *)word, len);
	if (a->rot == 0) {
		size_t octets;

		if (len != E_CHARS || base64_decode(a->e, NOISE_KEY, &octets,
					  (const char *)word, len) != ERR_NONE)
			return ERR_SYNTAX;
		word = next_word(&w, &len, false);
		if (len >= sizeof a->suites || !is_suite_list(word, len))
			return ERR_SYNTAX;
		memcpy(a->suites, word, len);
	}
	*used = (size_t)(w.p - p);
	memcpy(a->text, p, *used);
	return ERR_NONE;
}

/* A middlebox may have put words before and after ours, itself perhaps with an "ESMTP" in them:
 * the offer is looked for after each. */
enum err
advert_find_greeting(struct advert *a, const uint8_t *text, size_t n)
{
	static const char mark[] = " ESMTP ";
	const size_t len = sizeof mark - 1;
	size_t used;

	memset(a, 0, sizeof *a);
	for (size_t i = 0; i + len <= n; i++) {
		if (!smtp_is(text + i, len, mark))
			continue;
		enum err e = parse_offer(a, text + i + len, n - i - len, &used);
		if (e != ERR_MORE)
			return e;
	}
	return ERR_MORE;
}

enum err
advert_find_keyword(struct advert *a, const uint8_t *text, size_t n)
{
	size_t used;
	enum err e = parse_offer(a, text, n, &used);

	return e == ERR_NONE && used != n ? ERR_SYNTAX : e;
}

enum err
advert_put_command(
    struct buf *out, const struct suite *suite, const uint8_t *message, size_t message_len)
{
	char line[ADVERT_COMMAND_MAX + 1];
	int head = snprintf(line, sizeof line, "XPONY 1 %s ", suite->name);
	size_t chars = base64_chars(message_len);

	if (head < 0 || (size_t)head + 2 > ADVERT_COMMAND_MAX ||
	    chars > ADVERT_COMMAND_MAX - (size_t)head - 2)
		return ERR_LIMIT;
	base64_encode(line + head, message, message_len);
	strlcpy(line + head + chars, "\r\n", sizeof line - (size_t)head - chars);
	return buf_put(out, line, (size_t)head + chars + 2) ? ERR_NONE : ERR_LIMIT;
}

enum err
advert_put_command_rot(struct buf *out, int rot)
{
	struct advert a;
	char line[sizeof a.text + 2];

	advert_make_rot(&a, rot);
	snprintf(line, sizeof line, "%s\r\n", a.text);
	return buf_puts(out, line) ? ERR_NONE : ERR_LIMIT;
}

enum err
advert_parse_command(
    struct advert_command *c, uint8_t *message, size_t cap, const uint8_t *line, size_t n)
{
	size_t len;

	memset(c, 0, sizeof *c);
	if (n > ADVERT_COMMAND_MAX || !smtp_line_is_clean(line, n))
		return ERR_SYNTAX;
	struct words w = {line, smtp_line_text(line, n)};
	const uint8_t *word = next_word(&w, &len, true);
	if (!smtp_is(word, len, "XPONY")) /* a verb: RFC 5321 section 2.4 folds its case */
		return ERR_SYNTAX;
	word = next_word(&w, &len, false);
	if (!word_is(word, len, "1"))
		return ERR_SYNTAX;

	word = next_word(&w, &len, false);
	c->rot = rot_parse((const char *)word, len);
	if (c->rot == 0) {
		if (!is_suite_name(word, len))
			return ERR_SYNTAX;
		memcpy(c->suite, word, len);
		word = next_word(&w, &len, false);
		if (len == 0 || base64_decode(message, cap, &c->message_len, (const char *)word,
				    len) != ERR_NONE)
			return ERR_SYNTAX;
	}
	return w.left == 0 ? ERR_NONE : ERR_SYNTAX;
}

enum err
advert_put_reply(struct buf *out, const uint8_t *message, size_t n)
{
	if (n > SMTP_REPLY_MAX) /* before the sum, which could wrap */
		return ERR_LIMIT;
	size_t lines = n > REPLY_CHUNK ? (n + REPLY_CHUNK - 1) / REPLY_CHUNK : 1;
	size_t total = base64_chars(n) + lines * REPLY_LINE_OVERHEAD;
	if (total > SMTP_REPLY_MAX || total > buf_room(out))
		return ERR_LIMIT;

	for (; lines > 0; lines--) {
		size_t take = n < REPLY_CHUNK ? n : REPLY_CHUNK;
		char text[REPLY_CHUNK / 3 * 4 + 1];

		base64_encode(text, message, take);
		if (!buf_puts(out, lines > 1 ? "220-" : "220 ") || !buf_puts(out, text) ||
		    !buf_puts(out, "\r\n"))
			return ERR_RESOURCE;
		message += take;
		n -= take;
	}
	return ERR_NONE;
}

enum err
advert_parse_reply(
    uint8_t *message, size_t cap, size_t *len, const struct smtp_reply *r, const uint8_t *p)
{
	char joined[SMTP_REPLY_MAX];
	size_t chars = 0;

	*len = 0;
	if (r->code != 220 || r->len > sizeof joined)
		return ERR_SYNTAX;
	for (size_t i = 0; i < r->lines; i++) {
		const uint8_t *text;
		size_t n = smtp_reply_text(r, p, i, &text);

		memcpy(joined + chars, text, n); /* the texts are parts of the r->len octets */
		chars += n;
	}
	return base64_decode(message, cap, len, joined, chars);
}

size_t
advert_prologue(uint8_t *out, size_t cap, const struct advert *a, const char *suite)
{
	const char *parts[] = {PROLOGUE_LABEL, a->text, suite};
	struct wire_out w = wire_out(out, cap);

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t n = strlen(parts[i]);

		wire_put_u16(&w, (uint16_t)n);
		wire_put_bytes(&w, parts[i], n);
	}
	if (w.failed)
		abort();
	return w.used;
}
