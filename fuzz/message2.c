/*
 * message2 - the server reads an XPONY line: the initiator reads Noise message 2
 * (handshake_read_command), and answers it.
 *
 * Input: suite, and one of: a line as it is; changes to a good line; a payload that a client
 * with a key of its own has sealed, with a good KEM key (changed in one octet, or not)
 * somewhere in it.
 */
#include "fuzz/upgrade.h"

#define LINE 0
#define CHANGES 1

/* The good end of it, made once for each suite. */
struct good {
	struct upgrade u;
	struct handshake begun; /* the client after message 1 */
	uint8_t dh[NOISE_KEY];  /* the client's, with the offer */
	uint8_t line[ADVERT_COMMAND_MAX];
	size_t n;
};

static struct good *
good_for(const struct suite *suite)
{
	static struct good goods[2];
	static const struct handshake_hello hello = {"mx.test", "EHLO client.test"};
	struct good *g = &goods[suite->psk3];
	struct buf line;

	if (g->n > 0)
		return g;
	upgrade_offer(&g->u, suite);
	buf_init(&line, ADVERT_COMMAND_MAX);
	HOLDS(upgrade_dh(&g->u, CLIENT, g->u.client.advert.e, g->dh));
	g->begun = g->u.client;
	fuzz_random(g->begun.e_secret, NOISE_KEY);
	HOLDS(begin(&g->begun, false, g->u.public[CLIENT]) == ERR_NONE);
	if (suite->psk3)
		kem_offer(&g->begun.kem, fuzz_random);
	HOLDS(handshake_write_command(
		  &g->u.client, g->u.public[CLIENT], g -> dh, &hello, &line) == ERR_NONE);
	memcpy(g->line, buf_head(&line), buf_len(&line));
	g->n = buf_len(&line);
	buf_free(&line);
	return g;
}

/* The KEM item goes in behind the first octets of what is left of the input. */
static size_t
make_payload(struct input *in, const struct handshake *client, uint8_t *payload, size_t cap)
{
	const uint8_t how = input_u8(in);
	const size_t before = input_size(in, in->left), at = input_size(in, KEM_EK - 1);
	uint8_t item[3 + KEM_EK], value = input_u8(in);
	struct wire_out all = wire_out(payload, cap), w = wire_out(item, sizeof item);
	const size_t front = before < in->left ? before : in->left;

	wire_put_bytes(&all, input_take(in, front), front);
	if (how & 1) {
		tlv_put(&w, TLV_KEM_KEY, client->kem.ek, KEM_EK);
		if (how & 2)
			item[3 + at] = value;
		wire_put_bytes(&all, item, w.used);
	}
	wire_put_bytes(&all, in->p, in->left);
	return all.failed ? 0 : all.used;
}

/* Is the KEM key in there, if any, the one whose secret the client has? */
static bool
is_honest(const uint8_t *payload, size_t n, const struct handshake *client)
{
	struct wire_in in = wire_in(payload, n);
	uint8_t seen[32] = {0};
	struct tlv item;

	while (tlv_next(&in, &item, seen) == ERR_NONE)
		if (item.type == TLV_KEM_KEY)
			return item.len == KEM_EK &&
			       memcmp(item.value, client->kem.ek, KEM_EK) == 0;
	return true;
}

static void
look_at_hello(const struct handshake_hello *hello)
{
	HOLDS(memchr(hello->server_name, '\0', sizeof hello->server_name) != NULL);
	HOLDS(memchr(hello->ehlo, '\0', sizeof hello->ehlo) != NULL);
	HOLDS(is_printable(hello->server_name) && is_printable(hello->ehlo));
	HOLDS(hello->ehlo[0] == '\0' ||
	      smtp_verb((const uint8_t *)hello->ehlo, strlen(hello->ehlo)) == SMTP_EHLO);
}

/* The server answers; an honest client then has the same keys, another none. */
static void
finish(const struct good *g, struct handshake *server, struct handshake *client, bool honest)
{
	struct record records[SIDES];
	struct smtp_reply r;
	uint8_t dh[NOISE_KEY];
	struct buf reply;
	enum err e;

	buf_init(&reply, SMTP_REPLY_MAX);
	HOLDS(upgrade_dh(&g->u, SERVER, server->noise.re, dh));
	server->commitment = (struct commitment){.present = 1, .max_age = 86400, .keys = 1};
	HOLDS(handshake_write_reply(server, dh, &reply, &records[SERVER]) == ERR_NONE);
	HOLDS(smtp_reply_parse(&r, buf_head(&reply), buf_len(&reply)) == ERR_NONE);
	e = handshake_read_reply(client, &r, buf_head(&reply), &records[CLIENT]);
	HOLDS(e == (honest ? ERR_NONE : ERR_CRYPTO));
	if (e == ERR_NONE) {
		HOLDS(upgrade_is_joined(&records[SERVER], &records[CLIENT]));
		HOLDS(memcmp(&client->commitment, &server->commitment,
			  sizeof client->commitment) == 0);
	}
	buf_free(&reply);
}

static void
sealed(struct input *in, const struct good *g)
{
	static struct handshake server, client;
	uint8_t payload[ADVERT_COMMAND_MAX], message[NOISE_MESSAGE_2 + ADVERT_COMMAND_MAX];
	struct handshake_hello hello;
	struct buf line;
	size_t n;

	server = g->u.server;
	client = g->begun;
	n = make_payload(in, &client, payload, sizeof payload);
	buf_init(&line, ADVERT_COMMAND_MAX);
	HOLDS(noise_write_2(&client.noise, message, g->dh, payload, n) == ERR_NONE);
	if (advert_put_command(&line, client.suite, message, NOISE_MESSAGE_2 + n) == ERR_NONE &&
	    handshake_read_command(&server, &g->u.suites, g->u.public[SERVER], buf_head(&line),
		buf_len(&line), &hello) == ERR_NONE) {
		look_at_hello(&hello);
		HOLDS(!upgrade_has_unknown(payload, n));
		HOLDS(memcmp(server.noise.rs, g->u.public[CLIENT], NOISE_KEY) == 0);
		finish(g, &server, &client, is_honest(payload, n, &client));
	}
	buf_free(&line);
}

/* Not an octet of a line may change but the case of its verb. */
static void
read_line(const struct good *g, const uint8_t *line, size_t n)
{
	static struct handshake server, client;
	struct handshake_hello hello;
	enum err e;

	server = g->u.server;
	client = g->u.client;
	e = handshake_read_command(&server, &g->u.suites, g->u.public[SERVER], line, n, &hello);
	HOLDS(e == ERR_NONE || e == ERR_SYNTAX || e == ERR_SUITE || e == ERR_CRYPTO);
	HOLDS((e == ERR_NONE) == (n == g->n && smtp_verb(line, n) == SMTP_XPONY &&
				     memcmp(line + 5, g->line + 5, n - 5) == 0));
	if (e == ERR_NONE)
		finish(g, &server, &client, true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	uint8_t line[ADVERT_COMMAND_MAX + 64];
	const struct good *g;

	fuzz_start();
	g = good_for(upgrade_suite(what >> 4));
	if (what % 4 == LINE) {
		read_line(g, in.p, in.left);
	} else if (what % 4 == CHANGES) {
		memcpy(line, g->line, g->n);
		n = input_edit(&in, line, g->n, sizeof line);
		read_line(g, line, n);
	} else {
		sealed(&in, g);
	}
	return 0;
}
