/*
 * message3 - the client reads the reply to its XPONY line: the responder reads Noise message 3
 * (handshake_read_reply).
 *
 * Input: suite, and one of: a reply as it is; changes to a good reply; a payload that a server
 * with a key of its own has sealed.
 */
#include "fuzz/upgrade.h"

#define REPLY 0
#define CHANGES 1

/* The good end of it, made once for each suite: both have what they need for message 3. */
struct good {
	struct upgrade u;
	uint8_t dh[NOISE_KEY]; /* the server's */
	uint8_t reply[SMTP_REPLY_MAX], message[SMTP_REPLY_MAX];
	size_t n, message_len;
};

static void
make(struct good *g, const struct suite *suite)
{
	static const struct handshake_hello hello = {"mx.test", "EHLO client.test"};
	static struct handshake server;
	struct handshake_hello heard;
	struct smtp_reply r;
	struct record record;
	struct buf line;

	upgrade_offer(&g->u, suite);
	buf_init(&line, SMTP_REPLY_MAX);
	HOLDS(upgrade_dh(&g->u, CLIENT, g->u.client.advert.e, g->dh));
	HOLDS(handshake_write_command(
		  &g->u.client, g->u.public[CLIENT], g -> dh, &hello, &line) == ERR_NONE);
	HOLDS(handshake_read_command(&g->u.server, &g->u.suites, g->u.public[SERVER],
		  buf_head(&line), buf_len(&line), &heard) == ERR_NONE);
	buf_clear(&line);
	HOLDS(upgrade_dh(&g->u, SERVER, g->u.server.noise.re, g->dh));
	g->u.server.commitment = (struct commitment){.present = 1, .max_age = 9, .keys = 2};
	server = g->u.server;
	HOLDS(handshake_write_reply(&server, g->dh, &line, &record) == ERR_NONE);
	g->n = buf_len(&line);
	memcpy(g->reply, buf_head(&line), g->n);
	HOLDS(smtp_reply_parse(&r, g->reply, g->n) == ERR_NONE);
	HOLDS(advert_parse_reply(
		  g->message, sizeof g->message, &g->message_len, &r, g->reply) == ERR_NONE);
	buf_free(&line);
}

/* Does the reply say the same octets, however they are cut into lines? */
static bool
is_same(const struct good *g, const struct smtp_reply *r, const uint8_t *p)
{
	uint8_t message[SMTP_REPLY_MAX];
	size_t n;

	return advert_parse_reply(message, sizeof message, &n, r, p) == ERR_NONE &&
	       n == g->message_len && memcmp(message, g->message, n) == 0;
}

static void
look_at_commitment(const struct commitment *c)
{
	HOLDS(c->present <= 1 && c->keys <= COMMITMENT_KEYS);
	HOLDS(c->present || (c->max_age == 0 && c->keys == 0));
}

static void
read_reply(const struct good *g, const uint8_t *p, size_t n)
{
	static struct handshake client;
	struct smtp_reply r;
	struct record record;
	enum err e;

	if (smtp_reply_parse(&r, p, n) != ERR_NONE)
		return;
	client = g->u.client;
	e = handshake_read_reply(&client, &r, p, &record);
	HOLDS(e == (is_same(g, &r, p) ? ERR_NONE : ERR_CRYPTO));
	if (e == ERR_NONE)
		HOLDS(memcmp(client.noise.rs, g->u.public[SERVER], NOISE_KEY) == 0);
}

static void
sealed(struct input *in, const struct good *g)
{
	static struct handshake server, client;
	static uint8_t message[KEM_CT + NOISE_MESSAGE_3 + SMTP_REPLY_MAX];
	const size_t n = in->left < SMTP_REPLY_MAX ? in->left : SMTP_REPLY_MAX;
	struct record record;
	struct smtp_reply r;
	struct buf reply;
	size_t before;
	enum err e;

	server = g->u.server;
	client = g->u.client;
	before = ciphertext_len(&server);
	memcpy(message, server.kem.ct, before);
	buf_init(&reply, SMTP_REPLY_MAX);
	HOLDS(noise_write_3(&server.noise, message + before, g->dh, psk(&server), in->p, n) ==
	      ERR_NONE);
	if (advert_put_reply(&reply, message, before + NOISE_MESSAGE_3 + n) == ERR_NONE) {
		HOLDS(smtp_reply_parse(&r, buf_head(&reply), buf_len(&reply)) == ERR_NONE);
		e = handshake_read_reply(&client, &r, buf_head(&reply), &record);
		HOLDS(e == ERR_NONE || e == ERR_CRYPTO);
		if (e == ERR_NONE)
			look_at_commitment(&client.commitment);
		HOLDS(n > 0 || e == ERR_NONE);
		HOLDS(e != ERR_NONE || !upgrade_has_unknown(in->p, n));
	}
	buf_free(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct good goods[2];
	static uint8_t reply[SMTP_REPLY_MAX];
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	const struct suite *suite = upgrade_suite(what >> 4);
	struct good *g = &goods[suite->psk3];

	fuzz_start();
	if (g->n == 0)
		make(g, suite);
	if (what % 4 == REPLY) {
		read_reply(g, in.p, in.left);
	} else if (what % 4 == CHANGES) {
		memcpy(reply, g->reply, g->n);
		n = input_edit(&in, reply, g->n, sizeof reply);
		read_reply(g, reply, n);
	} else {
		sealed(&in, g);
	}
	return 0;
}
