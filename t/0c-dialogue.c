/*
 * 0c-dialogue - what both sides' dialogues are made of (libxpony/dialogue.h): lines that are
 * one line whatever is in them, texts that fit, octets moved as far as there is room, and the
 * end of a body found wherever it is cut.
 */
#include "libxpony/dialogue.h"
#include "tap.h"

static void
test_lines(void)
{
	struct buf out;

	buf_init(&out, 40);
	ok(dialogue_line(&out, "250 %s", "a\r\nb\tc\x7f\xff"), "a line is put");
	is_mem(buf_head(&out), buf_len(&out), "250 a??b?c??\r\n", 14,
	    "without a second one in it");
	ok(!dialogue_line(&out, "250 %s", "abcdefghijklmnopqrstuvwxyz"), "one too many is not");
	is_int(buf_len(&out), 14, "and no part of it");
	buf_free(&out);
}

static void
test_texts(void)
{
	char to[6];

	dialogue_text(to, sizeof(to), (const uint8_t *)"ab\n", 3);
	is_str(to, "ab?", "a text without its line end");
	dialogue_text(to, sizeof(to), (const uint8_t *)"abcdefgh", 8);
	is_str(to, "abcde", "a text that is too long is cut");
}

static void
test_moves(void)
{
	struct buf from, to;

	buf_init(&from, 10);
	buf_init(&to, 4);
	(void)buf_puts(&from, "abcdefgh");
	is_int(dialogue_move(&from, &to, 2), 2, "as many as are wanted move");
	is_int(dialogue_move(&from, &to, 5), 2, "or as there is room for");
	is_int(dialogue_move(&from, &to, 5), 0, "or none");
	is_mem(buf_head(&to), buf_len(&to), "abcd", 4, "in their order");
	buf_drop(&to, 4);
	is_int(dialogue_move(&from, &to, 3), 3, "the next go on from there");
	buf_drop(&to, 3);
	is_int(dialogue_move(&from, &to, 3), 1, "and not beyond what there is");
	buf_free(&from);
	buf_free(&to);
}

#define BODY_TEXT 9 /* octets in a body of test_ends() */

/* Where a body ends, told in the plainest way: octets to the end's last one, or all. */
static size_t
plain_end(const uint8_t *p, size_t n, bool *ended)
{
	static const uint8_t end[] = {'\r', '\n', '.', '\r', '\n'};
	uint8_t text[BODY_TEXT + 2] = {'\r', '\n'};
	size_t i;

	memcpy(text + 2, p, n);
	for (i = 0; i + sizeof(end) <= n + 2; i++)
		if (memcmp(text + i, end, sizeof(end)) == 0)
			break;
	*ended = i + sizeof(end) <= n + 2;
	return *ended ? i + sizeof(end) - 2 : n;
}

/* The same body, cut at two places (which may be one, or its ends). */
static bool
ends_alike(const uint8_t *p, size_t n, size_t first, size_t second)
{
	const size_t part[] = {first, second - first, n - second};
	bool want, ended = false;
	const size_t end = plain_end(p, n, &want);
	struct body b = {0};
	size_t at = 0, i;

	for (i = 0; i < 3 && !ended; i++)
		at += body_scan(&b, p + at, part[i], &ended);
	return at == end && ended == want;
}

/* Every body of nine octets of the four kinds that count, cut at every two places. */
static void
test_ends(void)
{
	static const uint8_t kinds[] = {'\r', '\n', '.', 'x'};
	unsigned long which, wrong = 0, rest;
	uint8_t p[BODY_TEXT];
	size_t i, first, second;

	for (which = 0; which < 1UL << (2 * BODY_TEXT); which++) {
		for (i = 0, rest = which; i < BODY_TEXT; i++, rest /= 4)
			p[i] = kinds[rest % 4];
		for (first = 0; first <= BODY_TEXT; first++)
			for (second = first; second <= BODY_TEXT; second++)
				wrong += !ends_alike(p, BODY_TEXT, first, second);
	}
	is_int((long long)wrong, 0, "a body ends where it does, wherever it is cut");
}

int
main(void)
{
	test_lines();
	test_texts();
	test_moves();
	test_ends();
	return tap_done();
}
