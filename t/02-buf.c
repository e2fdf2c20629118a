/* buf: a queue that keeps order and bound, and wipes what left it; err, since it has no more to
 * it. */
#include "tap.h"
#include "libxpony/buf.h"
#include "libxpony/err.h"

static bool
holds(const struct buf *b, const char *text)
{
	size_t n = strlen(text);

	return buf_len(b) == n && (n == 0 || memcmp(buf_head(b), text, n) == 0);
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void
test_queue(void)
{
	struct buf b;
	size_t n;

	buf_init(&b, 8);
	ok(buf_len(&b) == 0 && buf_room(&b) == 8, "empty at first");
	ok(b.data == NULL && buf_head(&b) == NULL, "no memory is taken yet");
	buf_drop(&b, 0);
	buf_clear(&b);
	ok(buf_put(&b, NULL, 0) && b.data == NULL, "nothing put takes no memory either");
	ok(buf_put(&b, "abc", 3) && holds(&b, "abc"), "put");
	ok(buf_puts(&b, "defgh") && holds(&b, "abcdefgh"), "filled to the limit");
	ok(buf_room(&b) == 0 && buf_reserve(&b, &n) == NULL && n == 0, "no room is left");
	ok(!buf_put(&b, "i", 1) && holds(&b, "abcdefgh"), "what does not fit is not put");
	buf_drop(&b, 5);
	ok(holds(&b, "fgh") && buf_room(&b) == 5, "drop from the front");
	ok(!buf_puts(&b, "123456") && holds(&b, "fgh"), "all or nothing");
	ok(buf_puts(&b, "12345") && holds(&b, "fgh12345"), "the room in front is used again");
	ok(!buf_put(&b, "x", SIZE_MAX), "a huge length does not wrap");
	buf_clear(&b);
	ok(buf_len(&b) == 0 && buf_room(&b) == 8, "clear");
	buf_free(&b);
	ok(b.data == NULL && buf_room(&b) == 8, "free keeps the limit");
	ok(buf_puts(&b, "again") && holds(&b, "again"), "and the queue can be used again");
	buf_free(&b);
	buf_free(&b);
	buf_free(NULL);
	ok(true, "free twice, free nothing");
}

static void
test_hand_over(void)
{
	struct buf from, to, other;
	const uint8_t *memory;

	buf_init(&from, 8);
	buf_init(&to, 8);
	ok(!buf_hand_over(&from, &to), "without memory nothing is handed over");
	ok(buf_take(&from, 8) && buf_take(&to, 8) && buf_take(&other, 9), "three queues");
	(void)buf_puts(&from, "xabc");
	buf_drop(&from, 1);
	memory = buf_head(&from);
	ok(!buf_hand_over(&from, &other) && holds(&from, "abc"), "not to one of another limit");
	ok(buf_hand_over(&from, &to) && holds(&to, "abc") && holds(&from, ""), "handed over");
	ok(buf_head(&to) == memory && from.data != to.data,
	    "by the memory, each still has its own");
	(void)buf_puts(&from, "def");
	ok(!buf_hand_over(&from, &to) && holds(&from, "def") && holds(&to, "abc"),
	    "not behind others");
	ok(buf_puts(&to, "12345") && holds(&to, "abc12345"), "the limit is what it was");
	buf_free(&from);
	buf_free(&to);
	buf_free(&other);
}

static void
test_lent(void)
{
	uint8_t memory[2][8];
	struct buf from, to, own;

	buf_lend(&from, memory[0], 8);
	buf_lend(&to, memory[1], 8);
	ok(buf_puts(&from, "12345678") && !buf_puts(&from, "9"), "lent memory is a queue's");
	ok(buf_hand_over(&from, &to) && holds(&to, "12345678") && holds(&from, ""),
	    "it is handed over to another such");
	ok(buf_take(&own, 8) && buf_puts(&own, "abc"), "one with memory of its own");
#ifndef BLACKPONY_SANITIZERS
	ok(to.data == memory[0], "it is that memory");
	ok(!buf_hand_over(&own, &from), "which is not handed over to one with lent memory");
	buf_free(&to);
	ok(memcmp(memory[0], "\0\0\0\0\0\0\0", 8) == 0, "freed is wiped");
#else
	buf_free(&to);
#endif
	buf_free(&from);
	buf_free(&own);
}

static void
test_reserve(void)
{
	struct buf b;
	size_t n;

	buf_init(&b, 10);
	buf_puts(&b, "abcdef");
	buf_drop(&b, 4);
	uint8_t *tail = buf_reserve(&b, &n);
	ok(tail != NULL && n == 8, "reserve gives all the room there is, in one piece");
	ok(holds(&b, "ef") && b.start == 0, "the waiting octets moved to the front");
	memcpy(tail, "ghijklmn", 8);
	ok(holds(&b, "ef"), "what was only reserved does not wait");
	buf_commit(&b, 3);
	ok(holds(&b, "efghi"), "what was committed does");
	buf_free(&b);
}

static void
test_wiping(void)
{
	struct buf b;
	size_t n;

	buf_init(&b, 16);
	buf_puts(&b, "secret mail");
	buf_drop(&b, 7);
	ok(all_zero(b.data, 7) && holds(&b, "mail"), "dropped octets are wiped");
	buf_reserve(&b, &n);
	ok(holds(&b, "mail") && all_zero(b.data + 4, 7), "moved octets leave no copy behind");
	buf_clear(&b);
	ok(all_zero(b.data, 4), "cleared octets are wiped");
	buf_free(&b);
}

static void
test_err(void)
{
	unsigned bad = 0;

	ok(err_reply(ERR_NONE) == NULL && err_reply(ERR_MORE) == NULL, "no fault, no reply");
	for (enum err e = ERR_NONE; e < ERR_COUNT; e++) {
		const char *r = err_reply(e);
		bad += err_text(e) == NULL || err_text(e)[0] == '\0';
		if (e <= ERR_MORE)
			continue;
		/* "ddd d.d.d text", the two classes alike, short enough for one line. */
		bad += r == NULL || strlen(r) < 11 || strlen(r) > 500 || r[0] != r[4] ||
		       r[3] != ' ';
		bad += err_is_permanent(e) != (r[0] == '5') || strpbrk(r, "\r\n%") != NULL;
	}
	is_int(bad, 0, "every fault has its text and a well-formed reply");
	ok(err_is_permanent(ERR_SYNTAX) && err_is_permanent(ERR_LIMIT),
	    "the peer's grammar: permanent");
	ok(!err_is_permanent(ERR_CRYPTO) && !err_is_permanent(ERR_TRUNCATED) &&
		!err_is_permanent(ERR_REFUSED) && !err_is_permanent(ERR_RESOURCE) &&
		!err_is_permanent(ERR_NONE),
	    "cryptography, line, policy, resources: temporary");
	ok(strncmp(err_reply(ERR_CRYPTO), "454 4.7.0 ", 10) == 0,
	    "454 4.7.0 for all cryptography");
}

int
main(void)
{
	test_queue();
	test_hand_over();
	test_lent();
	test_reserve();
	test_wiping();
	test_err();
	return tap_done();
}
