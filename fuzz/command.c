/*
 * command - the XPONY line, as any client may send it (advert_parse_command), and the base64 in
 * it.
 *
 * Input: the room for the message, then the line.
 */
#include "fuzz/fuzz.h"

#include "libxpony/advert.h"

/* The line that says the same is the same line, but for the case of its verb. */
static void
look_at_command(
    const struct advert_command *c, const uint8_t *message, const uint8_t *line, size_t n)
{
	struct suite suite = {.name = c->suite};
	struct buf again;

	buf_init(&again, ADVERT_COMMAND_MAX);
	if (c->rot > 0)
		HOLDS(advert_put_command_rot(&again, c->rot) == ERR_NONE);
	else
		HOLDS(advert_put_command(&again, &suite, message, c->message_len) == ERR_NONE);
	HOLDS(buf_len(&again) == n && smtp_verb(line, n) == SMTP_XPONY);
	HOLDS(memcmp(buf_head(&again) + 5, line + 5, n - 5) == 0);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const size_t cap = input_u8(&in) % 2 == 0 ? ADVERT_COMMAND_MAX : input_size(&in, 512);
	uint8_t *message = malloc(cap + 1); /* of its size: what is written beyond it is seen */
	struct advert_command c;
	enum err e;

	fuzz_start();
	HOLDS(message != NULL);
	message[cap] = 0xa5;
	e = advert_parse_command(&c, message, cap, in.p, in.left);
	HOLDS(e == ERR_NONE || e == ERR_SYNTAX);
	HOLDS(message[cap] == 0xa5);
	if (e == ERR_NONE) {
		HOLDS(in.left <= ADVERT_COMMAND_MAX && c.message_len <= cap && c.rot <= 25);
		look_at_command(&c, message, in.p, in.left);
	}
	free(message);
	return 0;
}
