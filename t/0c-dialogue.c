/*
 * 0c-dialogue - what both sides' dialogues are made of (libxpony/dialogue.h): lines that are
 * one line whatever is in them, texts that fit, octets moved as far as there is room.
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

int
main(void)
{
	test_lines();
	test_texts();
	test_moves();
	return tap_done();
}
