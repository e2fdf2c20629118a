/*
 * message1 - the client takes up an advertisement: the responder reads Noise message 1
 * (handshake_write_command). What was changed on the way shows when the server reads the
 * answer.
 *
 * Input: suite; whether the text is an offer of somebody else's making, or changes to a true
 * one; then the text or the changes.
 */
#include "fuzz/upgrade.h"

static const struct handshake_hello hello = {"mx.test", "EHLO client.test"};

/* The command line for the advertisement in u->client, or nothing. */
static bool
answer(struct upgrade *u, struct buf *line)
{
	struct advert_command c;
	uint8_t dh[NOISE_KEY], message[ADVERT_COMMAND_MAX];
	enum err e;

	buf_init(line, ADVERT_COMMAND_MAX);
	if (!upgrade_dh(u, CLIENT, u->client.advert.e, dh))
		return false; /* the monitor refuses */
	e = handshake_write_command(&u->client, u->public[CLIENT], dh, &hello, line);
	HOLDS(e == ERR_NONE || e == ERR_CRYPTO);
	if (e != ERR_NONE)
		return false;
	HOLDS(advert_parse_command(
		  &c, message, sizeof message, buf_head(line), buf_len(line)) == ERR_NONE);
	HOLDS(strcmp(c.suite, u->client.suite->name) == 0);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct upgrade u;
	uint8_t text[ADVERT_MAX];
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	struct handshake_hello heard;
	struct advert offer;
	struct buf line;
	size_t len;
	enum err e;
	bool same;

	fuzz_start();
	upgrade_offer(&u, upgrade_suite(what));
	len = strlen(u.server.advert.text);
	memcpy(text, u.server.advert.text, len);
	if (what & 0x10) {
		e = advert_find_keyword(&offer, in.p, in.left);
	} else {
		len = input_edit(&in, text, len, sizeof text);
		e = advert_find_keyword(&offer, text, len);
	}
	if (e != ERR_NONE || offer.rot > 0)
		return 0;
	same = strcmp(offer.text, u.server.advert.text) == 0;
	u.client.advert = offer;
	if (answer(&u, &line)) {
		e = handshake_read_command(&u.server, &u.suites, u.public[SERVER],
		    buf_head(&line), buf_len(&line), &heard);
		HOLDS(e == (same ? ERR_NONE : ERR_CRYPTO));
		HOLDS(!same || memcmp(&heard, &hello, sizeof hello) == 0);
		HOLDS(!same || memcmp(u.server.noise.rs, u.public[CLIENT], NOISE_KEY) == 0);
	}
	buf_free(&line);
	return 0;
}
