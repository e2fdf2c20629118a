/*
 * 0b-handshake - the payloads of messages 2 and 3 (PROTOCOL.md, "Payloads"): what an honest
 * peer puts there arrives; what a peer with a valid handshake and a foul payload puts there is
 * refused, each way by itself. And the commitment in payload 3.
 */
#include <sodium.h>
#include "libxpony/handshake.h"
#include "libxpony/smtp.h"
#include "tap.h"

static const char classical[] = "x25519-chachapoly";
static const char hybrid[] = "mlkem768x25519-chachapoly";

static void
draw(void *p, size_t n)
{
	randombytes_buf(p, n);
}

/* One connection: both sides' states and static keys. */
struct meeting {
	struct handshake server, client;
	struct suite_list suites;
	struct handshake_hello hello; /* as the server read it */
	struct record records[2];
	struct buf command, reply;
	uint8_t secret[2][NOISE_KEY], public[2][NOISE_KEY]; /* server, client */
};

static void
meet(struct meeting *m, const char *suite)
{
	memset(m, 0, sizeof(*m));
	if (!suite_list_parse(&m->suites, suite))
		bail("no suite %s", suite);
	for (int i = 0; i < 2; i++) {
		draw(m->secret[i], NOISE_KEY);
		crypto_scalarmult_base(m->public[i], m -> secret[i]);
	}
	m->server.random = m->client.random = draw;
	handshake_offer(&m->server, &m->suites);
	m->client.advert = m->server.advert;
	m->client.suite = m->suites.suite[0];
	buf_init(&m->command, 65536);
	buf_init(&m->reply, 65536);
}

static void
part(struct meeting *m)
{
	buf_free(&m->command);
	buf_free(&m->reply);
	handshake_wipe(&m->server);
	handshake_wipe(&m->client);
}

static void
diffie_hellman(uint8_t dh[NOISE_KEY], const uint8_t *secret, const uint8_t *point)
{
	if (crypto_scalarmult(dh, secret, point) != 0)
		memset(dh, 0, NOISE_KEY);
}

static enum err
write_command(struct meeting *m, const struct handshake_hello *hello)
{
	uint8_t dh[NOISE_KEY];

	diffie_hellman(dh, m->secret[1], m->client.advert.e);
	return handshake_write_command(&m->client, m->public[1], dh, hello, &m -> command);
}

static enum err
read_command(struct meeting *m)
{
	return handshake_read_command(&m->server, &m->suites, m->public[0],
	    buf_head(&m->command), buf_len(&m->command), &m -> hello);
}

static enum err
write_reply(struct meeting *m)
{
	uint8_t dh[NOISE_KEY];

	diffie_hellman(dh, m->secret[0], m->server.noise.re);
	return handshake_write_reply(&m->server, dh, &m->reply, &m->records[0]);
}

static enum err
read_reply(struct meeting *m)
{
	struct smtp_reply r;

	if (smtp_reply_parse(&r, buf_head(&m->reply), buf_len(&m->reply)) != ERR_NONE)
		bail("no reply");
	return handshake_read_reply(&m->client, &r, buf_head(&m->reply), &m->records[1]);
}

/* ---- In peace ---- */

static void
test_peace(const char *suite)
{
	static const char text[] = "EHLO client.test";
	struct handshake_hello hello = {.server_name = "mx.test"};
	struct meeting m;
	uint8_t octets[32 + NOISE_TAG];

	meet(&m, suite);
	snprintf(hello.ehlo, sizeof(hello.ehlo), "%s", text);
	m.server.commitment = (struct commitment){
	    .present = 1, .max_age = 1234567, .keys = 2, .key = {{1, 2}, {3, 4}}};
	is_int(write_command(&m, &hello), ERR_NONE, "%s: message 2 is written", suite);
	is_int(read_command(&m), ERR_NONE, "and read");
	is_str(m.hello.server_name, "mx.test", "with the server's name");
	is_str(m.hello.ehlo, text, "and the EHLO");
	is_mem(m.server.noise.rs, NOISE_KEY, m.public[1], NOISE_KEY, "and the client's key");
	is_int(write_reply(&m), ERR_NONE, "message 3 is written");
	is_int(read_reply(&m), ERR_NONE, "and read");
	is_mem(m.client.noise.rs, NOISE_KEY, m.public[0], NOISE_KEY, "with the server's key");
	is_mem(&m.client.commitment, sizeof(m.client.commitment), &m.server.commitment,
	    sizeof(m.server.commitment), "and the commitment");
	memset(octets, 'x', sizeof(octets));
	is_int(noise_cipher_seal(&m.records[0].tx.cipher, octets, octets, 32), ERR_NONE,
	    "what the server seals");
	is_int(noise_cipher_open(&m.records[1].rx.cipher, octets, octets, sizeof(octets)),
	    ERR_NONE, "the client opens");
	part(&m);

	meet(&m, suite);
	is_int(write_command(&m, &(struct handshake_hello){.ehlo = ""}), ERR_NONE,
	    "without name and EHLO");
	is_int(read_command(&m), ERR_NONE, "it is read too");
	ok(m.hello.server_name[0] == '\0' && m.hello.ehlo[0] == '\0', "and both are empty");
	is_int(write_reply(&m), ERR_NONE, "without a commitment");
	is_int(read_reply(&m), ERR_NONE, "the reply is read");
	ok(!m.client.commitment.present, "and has none");
	part(&m);
}

/* ---- A valid handshake, and a payload that the test wrote ---- */

/* Noise's own part of handshake.c, for a client that puts what it likes into payload 2. */
static void
forge_command(struct meeting *m, const uint8_t *payload, size_t n)
{
	uint8_t prologue[ADVERT_PROLOGUE_MAX], first[NOISE_MESSAGE_1(true)], dh[NOISE_KEY],
	    message[4096];
	const struct suite *suite = m->suites.suite[0];
	struct noise theirs;
	size_t len =
	    advert_prologue(prologue, sizeof(prologue), &m->client.advert, suite->name);

	noise_init(&theirs, suite->noise, true, suite->psk3, prologue, len);
	memcpy(theirs.e_public, m->client.advert.e, NOISE_KEY);
	noise_init(&m->client.noise, suite->noise, false, suite->psk3, prologue, len);
	noise_set_static(&m->client.noise, m->public[1]);
	draw(m->client.e_secret, NOISE_KEY);
	noise_set_ephemeral(&m->client.noise, m->client.e_secret);
	diffie_hellman(dh, m->secret[1], m->client.advert.e);
	if (noise_write_1(&theirs, first, NULL, 0) != ERR_NONE ||
	    noise_read_1(&m->client.noise, NULL, first, NOISE_MESSAGE_1(suite->psk3)) !=
		ERR_NONE ||
	    noise_write_2(&m->client.noise, message, dh, payload, n) != ERR_NONE ||
	    advert_put_command(&m->command, suite, message, NOISE_MESSAGE_2 + n) != ERR_NONE)
		bail("cannot forge message 2");
}

/* One item of payload 2, and what becomes of it. */
static void
item_2(const char *what, uint8_t type, const char *value, size_t n, enum err want)
{
	uint8_t payload[2048];
	struct wire_out w = wire_out(payload, sizeof(payload));
	struct meeting m;

	meet(&m, classical);
	tlv_put(&w, type, value, n);
	forge_command(&m, payload, w.used);
	is_int(read_command(&m), want, "payload 2: %s", what);
	part(&m);
}

static void
test_items_2(void)
{
	char name[600], key[KEM_EK];

	memset(name, 'n', sizeof(name));
	memset(key, 0, sizeof(key));
	item_2("a name", TLV_SERVER_NAME, name, HANDSHAKE_NAME_MAX, ERR_NONE);
	item_2("a name too long", TLV_SERVER_NAME, name, HANDSHAKE_NAME_MAX + 1, ERR_CRYPTO);
	item_2("an empty name", TLV_SERVER_NAME, name, 0, ERR_CRYPTO);
	item_2("a name with a line end", TLV_SERVER_NAME, "mx\r\nMAIL", 8, ERR_CRYPTO);
	item_2("a name of 8 bits", TLV_SERVER_NAME, "m\xffx", 3, ERR_CRYPTO);
	item_2("an EHLO", TLV_EHLO, "EHLO c", 6, ERR_NONE);
	item_2("another command", TLV_EHLO, "MAIL FROM:<>", 12, ERR_CRYPTO);
	item_2("an EHLO with a second line", TLV_EHLO, "EHLO c\nMAIL", 11, ERR_CRYPTO);
	memcpy(name, "EHLO ", 5);
	item_2("an EHLO too long", TLV_EHLO, name, HANDSHAKE_EHLO_MAX + 1, ERR_CRYPTO);
	item_2("an unknown item", 0x7f, "x", 1, ERR_NONE);
	item_2("an unknown critical item", TLV_CRITICAL | 0x7f, "x", 1, ERR_CRYPTO);
	item_2("a KEM key where the suite has no KEM", TLV_KEM_KEY, key, KEM_EK, ERR_CRYPTO);
	item_2("a KEM key too short", TLV_KEM_KEY, key, KEM_EK - 1, ERR_CRYPTO);
}

static void
test_lists_2(void)
{
	static const struct {
		const char *what, *payload;
		size_t n;
	} rows[] = {{"half an item", "\x01\x00\x05mx", 5}, {"half a header", "\x01\x00", 2},
	    {"two names", "\x01\x00\x01m\x01\x00\x01m", 8}};
	struct meeting m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		meet(&m, classical);
		forge_command(&m, (const uint8_t *)rows[i].payload, rows[i].n);
		ok(read_command(&m) != ERR_NONE, "payload 2: %s", rows[i].what);
		part(&m);
	}
	meet(&m, hybrid);
	forge_command(&m, NULL, 0);
	is_int(read_command(&m), ERR_CRYPTO, "payload 2: no KEM key where the suite has one");
	part(&m);
}

/* A server whose payload 3 is the test's. The suite has no KEM. */
static void
payload_3(const char *what, const uint8_t *payload, size_t n, enum err want)
{
	uint8_t message[4096], dh[NOISE_KEY];
	struct meeting m;

	meet(&m, classical);
	if (write_command(&m, &(struct handshake_hello){.ehlo = ""}) != ERR_NONE ||
	    read_command(&m) != ERR_NONE)
		bail("no message 2");
	diffie_hellman(dh, m.secret[0], m.server.noise.re);
	if (noise_write_3(&m.server.noise, message, dh, NULL, payload, n) != ERR_NONE ||
	    advert_put_reply(&m.reply, message, NOISE_MESSAGE_3 + n) != ERR_NONE)
		bail("cannot forge message 3");
	is_int(read_reply(&m), want, "payload 3: %s", what);
	part(&m);
}

static void
test_payload_3(void)
{
	uint8_t payload[1024];
	struct wire_out w;

	payload_3("empty", NULL, 0, ERR_NONE);
	w = wire_out(payload, sizeof(payload));
	tlv_put(&w, 0x7f, "x", 1);
	payload_3("an unknown item", payload, w.used, ERR_NONE);
	w = wire_out(payload, sizeof(payload));
	tlv_put(&w, TLV_CRITICAL | 0x7f, "x", 1);
	payload_3("an unknown critical item", payload, w.used, ERR_CRYPTO);
	w = wire_out(payload, sizeof(payload));
	tlv_put(&w, TLV_COMMITMENT, "abc", 3);
	payload_3("a commitment of three octets", payload, w.used, ERR_CRYPTO);
	payload_3("half an item", (const uint8_t *)"\x04\x00\x05x", 4, ERR_CRYPTO);
}

/* ---- What no handshake comes of ---- */

static void
test_broken(void)
{
	struct meeting m;
	static const uint8_t zero[NOISE_KEY];
	struct handshake_hello none = {.ehlo = ""};

	meet(&m, classical);
	memcpy(m.client.advert.e, zero, NOISE_KEY);
	is_int(write_command(&m, &none), ERR_CRYPTO, "an offer of the point zero");
	part(&m);

	meet(&m, classical);
	if (write_command(&m, &none) != ERR_NONE)
		bail("no message 2");
	suite_list_parse(&m.suites, hybrid);
	is_int(read_command(&m), ERR_SUITE, "a suite that was not offered");
	part(&m);

	meet(&m, classical);
	if (write_command(&m, &none) != ERR_NONE || read_command(&m) != ERR_NONE)
		bail("no message 2");
	is_int(handshake_write_reply(&m.server, zero, &m.reply, &m.records[0]), ERR_CRYPTO,
	    "a monitor that gives zero for the Diffie-Hellman");
	part(&m);

	meet(&m, classical);
	is_int(handshake_write_command(&m.client, m.public[1], zero, &none, &m.command),
	    ERR_CRYPTO, "the same on the client");
	part(&m);

	meet(&m, classical);
	if (write_command(&m, &none) != ERR_NONE || read_command(&m) != ERR_NONE)
		bail("no message 2");
	buf_init(&m.reply, 10);
	is_int(write_reply(&m), ERR_LIMIT, "no room for the reply");
	part(&m);

	meet(&m, classical);
	if (write_command(&m, &none) != ERR_NONE || read_command(&m) != ERR_NONE)
		bail("no message 2");
	buf_puts(&m.reply, "220 AAAA\r\n");
	is_int(read_reply(&m), ERR_CRYPTO, "a reply that is too short");
	part(&m);

	meet(&m, classical);
	memcpy(m.secret[0], m.secret[1], sizeof(m.secret[0]));
	memcpy(m.public[0], m.public[1], sizeof(m.public[0]));
	if (write_command(&m, &none) != ERR_NONE || read_command(&m) != ERR_NONE ||
	    write_reply(&m) != ERR_NONE)
		bail("no message 3");
	is_int(read_reply(&m), ERR_CRYPTO, "a server that shows our own key");
	part(&m);
}

/* ---- The commitment by itself ---- */

static void
test_commitment(void)
{
	uint8_t octets[COMMITMENT_OCTETS + COMMITMENT_FINGERPRINT];
	struct wire_out w = wire_out(octets, sizeof(octets));
	struct commitment c = {.present = 1, .max_age = 0xfedcba98, .keys = COMMITMENT_KEYS},
			  got;
	unsigned bad = 0;

	for (unsigned i = 0; i < COMMITMENT_KEYS; i++)
		memset(c.key[i], (int)i + 1, COMMITMENT_FINGERPRINT);
	commitment_put(&w, &c);
	is_int(w.used, COMMITMENT_OCTETS, "a full commitment has its octets");
	is_mem(octets, 4, "\xfe\xdc\xba\x98", 4, "max-age first, highest octet first");
	is_int(commitment_read(&got, octets, w.used), ERR_NONE, "it is read");
	is_mem(&got, sizeof(got), &c, sizeof(c), "as it was");
	for (size_t n = 0; n < COMMITMENT_OCTETS; n++)
		if (n < 4 || (n - 4) % COMMITMENT_FINGERPRINT != 0)
			bad += commitment_read(&got, octets, n) != ERR_SYNTAX || got.present;
	is_int(bad, 0, "lengths that are none are refused");
	is_int(commitment_read(&got, octets, 4), ERR_NONE, "none but the max-age");
	ok(got.present && got.keys == 0, "is a commitment without keys");
	memset(octets + w.used, 0xee, COMMITMENT_FINGERPRINT);
	is_int(commitment_read(&got, octets, sizeof(octets)), ERR_NONE, "a ninth key");
	is_mem(&got, sizeof(got), &c, sizeof(c), "is skipped");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	test_peace(classical);
	test_peace(hybrid);
	test_items_2();
	test_lists_2();
	test_payload_3();
	test_broken();
	test_commitment();
	return tap_done();
}
