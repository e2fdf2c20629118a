/*
 * reply - the reply to the XPONY line, as any host may send it (advert_parse_reply).
 *
 * Input: the room for the message, then the reply.
 */
#include "fuzz/fuzz.h"

#include "libxpony/advert.h"

/* The octets make a reply that gives them again. */
static void
look_at_message(const uint8_t *message, size_t n)
{
	uint8_t again[SMTP_REPLY_MAX];
	struct smtp_reply r;
	struct buf out;
	size_t len;

	buf_init(&out, SMTP_REPLY_MAX);
	HOLDS(
	    advert_put_reply(&out, message, n) == ERR_NONE || n > SMTP_REPLY_MAX / 4 * 3 - 512);
	if (buf_len(&out) > 0) {
		HOLDS(smtp_reply_parse(&r, buf_head(&out), buf_len(&out)) == ERR_NONE);
		HOLDS(r.len == buf_len(&out));
		HOLDS(advert_parse_reply(again, sizeof again, &len, &r, buf_head(&out)) ==
		      ERR_NONE);
		HOLDS(len == n && memcmp(again, message, n) == 0);
	}
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const size_t cap = input_u8(&in) % 2 == 0 ? SMTP_REPLY_MAX : input_size(&in, 512);
	struct smtp_reply r;
	uint8_t *message;
	size_t len;
	enum err e;

	fuzz_start();
	if (smtp_reply_parse(&r, in.p, in.left) != ERR_NONE)
		return 0;
	message = malloc(cap + 1);
	HOLDS(message != NULL);
	message[cap] = 0xa5;
	e = advert_parse_reply(message, cap, &len, &r, in.p);
	HOLDS(message[cap] == 0xa5);
	HOLDS(e == ERR_NONE || e == ERR_SYNTAX || e == ERR_LIMIT);
	if (e == ERR_NONE) {
		HOLDS(r.code == 220 && len <= cap);
		look_at_message(message, len);
	}
	free(message);
	return 0;
}
