/*
 * noise: the public vectors for XX and XXpsk3 octet for octet in both roles, known answers of
 * the parts, and every way in which a handshake must fail.
 */
#include <sodium.h>
#include "tap.h"
#include "libxpony/noise.h"

#define HANDSHAKE 3 /* messages */
#define MESSAGES_MAX 8
#define OCTETS_MAX 256

struct octets {
	uint8_t p[OCTETS_MAX];
	size_t n;
};

struct message {
	struct octets payload, cipher;
};

struct vector {
	char name[600];
	bool psk3;
	struct octets prologue, psk, init_static, init_ephemeral, resp_static, resp_ephemeral,
	    hash;
	struct message message[MESSAGES_MAX];
	size_t messages;
};

/* One end of a handshake and the secret half of its static key. */
struct side {
	struct noise x;
	const uint8_t *s_secret;
	const uint8_t *psk;
	struct noise_cipher tx, rx;
};

static struct vector vectors[2];
static size_t vector_count;

static void
hex(struct octets *o, const char *text)
{
	const char *end;

	if (sodium_hex2bin(o->p, sizeof o->p, text, strlen(text), NULL, &o->n, &end) != 0 ||
	    *end != '\0')
		bail("bad hex in the vectors: %s", text);
}

static void
vector_line(const char *name, const char *value, const char *second)
{
	struct vector *v = &vectors[vector_count > 0 ? vector_count - 1 : 0];
	const struct {
		const char *name;
		struct octets *to;
	} fields[] = {{"prologue", &v->prologue}, {"psk", &v->psk},
	    {"init_static", &v->init_static}, {"init_ephemeral", &v->init_ephemeral},
	    {"resp_static", &v->resp_static}, {"resp_ephemeral", &v->resp_ephemeral},
	    {"handshake_hash", &v->hash}};

	if (strcmp(name, "protocol") == 0) {
		if (vector_count == 2)
			bail("more vectors than expected");
		v = &vectors[vector_count++];
		snprintf(v->name, sizeof v->name, "%s", value);
		v->psk3 = strstr(value, "psk3") != NULL;
		return;
	}
	if (strcmp(name, "message") == 0) {
		if (v->messages == MESSAGES_MAX)
			bail("too many messages");
		hex(&v->message[v->messages].payload, value);
		hex(&v->message[v->messages++].cipher, second);
		return;
	}
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strcmp(name, fields[i].name) == 0) {
			hex(fields[i].to, value);
			return;
		}
	bail("unknown name in the vectors: %s", name);
}

static void
load_vectors(void)
{
	const char *srcdir = getenv("srcdir");
	char path[4096], line[1024], name[32], value[600], second[600];

	snprintf(path, sizeof path, "%s/t/vectors/noise-xx.txt", srcdir == NULL ? "." : srcdir);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		bail("cannot open %s", path);
	while (fgets(line, sizeof line, f) != NULL) {
		second[0] = '\0';
		if (line[0] != '#' &&
		    sscanf(line, "%31s %599s %599s", name, value, second) >= 2)
			vector_line(name, value, second);
	}
	fclose(f);
	if (vector_count != 2 || vectors[0].psk3 || !vectors[1].psk3)
		bail("XX and XXpsk3 expected in %s", path);
	for (size_t i = 0; i < 2; i++)
		if (vectors[i].messages != 6 || vectors[i].hash.n != NOISE_HASH)
			bail("vector %zu is not whole", i);
}

static void
side_init(struct side *s, const struct vector *v, bool initiator)
{
	uint8_t s_public[NOISE_KEY];

	s->s_secret = initiator ? v->init_static.p : v->resp_static.p;
	s->psk = v->psk3 ? v->psk.p : NULL;
	crypto_scalarmult_base(s_public, s->s_secret);
	noise_init(&s->x, v->name, initiator, v->psk3, v->prologue.p, v->prologue.n);
	noise_set_static(&s->x, s_public);
	noise_set_ephemeral(&s->x, initiator ? v->init_ephemeral.p : v->resp_ephemeral.p);
}

static size_t
overhead(const struct vector *v, size_t i)
{
	return i == 0 ? NOISE_MESSAGE_1(v->psk3) : i == 1 ? NOISE_MESSAGE_2 : NOISE_MESSAGE_3;
}

static enum err
write_message(struct side *s, size_t i, uint8_t *out, const uint8_t *payload, size_t n)
{
	uint8_t dh[NOISE_KEY];

	if (i == 0)
		return noise_write_1(&s->x, out, payload, n);
	if (crypto_scalarmult(dh, s->s_secret, s->x.re) != 0)
		bail("static DH");
	return i == 1 ? noise_write_2(&s->x, out, dh, payload, n)
		      : noise_write_3(&s->x, out, dh, s->psk, payload, n);
}

static enum err
read_message(struct side *s, size_t i, uint8_t *payload, const uint8_t *message, size_t n)
{
	return i == 0   ? noise_read_1(&s->x, payload, message, n)
	       : i == 1 ? noise_read_2(&s->x, payload, message, n)
			: noise_read_3(&s->x, s->psk, payload, message, n);
}

/* Both sides up to, not including, message `upto` of the vector. */
static void
run_to(struct side side[2], const struct vector *v, size_t upto)
{
	uint8_t scratch[OCTETS_MAX];

	side_init(&side[0], v, true);
	side_init(&side[1], v, false);
	for (size_t i = 0; i < upto; i++) {
		const struct message *m = &v->message[i];
		if (write_message(&side[i % 2], i, scratch, m->payload.p, m->payload.n) !=
			ERR_NONE ||
		    read_message(&side[(i + 1) % 2], i, scratch, m->cipher.p, m->cipher.n) !=
			ERR_NONE)
			bail("handshake does not reach message %zu", upto + 1);
	}
}

static void
test_vector(const struct vector *v)
{
	struct side side[2];
	uint8_t out[OCTETS_MAX];

	side_init(&side[0], v, true);
	side_init(&side[1], v, false);
	for (size_t i = 0; i < HANDSHAKE; i++) {
		const struct message *m = &v->message[i];
		struct side *from = &side[i % 2], *to = &side[(i + 1) % 2];

		is_int(write_message(from, i, out, m->payload.p, m->payload.n), ERR_NONE,
		    "%s: message %zu is written", v->name, i + 1);
		is_mem(out, overhead(v, i) + m->payload.n, m->cipher.p, m->cipher.n,
		    "as the vector has it");
		is_int(
		    read_message(to, i, out, m->cipher.p, m->cipher.n), ERR_NONE, "it is read");
		is_mem(out, m->cipher.n - overhead(v, i), m->payload.p, m->payload.n,
		    "as the vector's payload");
	}
	for (size_t i = 0; i < 2; i++) {
		is_mem(side[i].x.h, NOISE_HASH, v->hash.p, v->hash.n,
		    "handshake hash, side %zu", i);
		is_mem(side[i].x.rs, NOISE_KEY, side[1 - i].x.s_public, NOISE_KEY,
		    "the other's static key");
		noise_split(&side[i].x, &side[i].tx, &side[i].rx);
	}
	for (size_t i = HANDSHAKE; i < v->messages; i++) {
		const struct message *m = &v->message[i];
		struct side *from = &side[i % 2], *to = &side[(i + 1) % 2];

		is_int(noise_cipher_seal(&from->tx, out, m->payload.p, m->payload.n), ERR_NONE,
		    "transport message %zu is sealed", i + 1);
		is_mem(out, m->payload.n + NOISE_TAG, m->cipher.p, m->cipher.n,
		    "as the vector has it");
		is_int(noise_cipher_open(&to->rx, out, out, m->cipher.n), ERR_NONE,
		    "it is opened, in place");
		is_mem(
		    out, m->payload.n, m->payload.p, m->payload.n, "as the vector's payload");
	}
	noise_wipe(&side[0].x);
	ok(sodium_is_zero((const uint8_t *)&side[0].x, sizeof side[0].x), "wiped");
}

/* Does the handshake with this message i fail, if not at once then at the next one (message 1
 * of XX is in clear: what changed in it shows in message 2)? start: both sides before message i
 * is read. */
static bool
fails(const struct vector *v, const struct side start[2], size_t i, const uint8_t *message,
    size_t n)
{
	struct side from = start[i % 2], to = start[(i + 1) % 2];
	const struct octets *next = &v->message[1].payload;
	uint8_t out[OCTETS_MAX], payload[OCTETS_MAX];

	if (read_message(&to, i, payload, message, n) != ERR_NONE)
		return true;
	if (i > 0)
		return false;
	if (write_message(&to, 1, out, next->p, next->n) != ERR_NONE)
		return true;
	return read_message(&from, 1, payload, out, NOISE_MESSAGE_2 + next->n) != ERR_NONE;
}

/* X25519 ignores the top bit of a public key: that its flip is found shows the transcript at
 * work. */
static void
test_mutations(const struct vector *v)
{
	for (size_t i = 0; i < HANDSHAKE; i++) {
		struct octets m = v->message[i].cipher;
		struct side start[2];
		uint8_t out[OCTETS_MAX];
		unsigned passed = 0;

		run_to(start, v, i);
		write_message(
		    &start[i % 2], i, out, v->message[i].payload.p, v->message[i].payload.n);
		ok(!fails(v, start, i, m.p, m.n), "%s: message %zu passes", v->name, i + 1);
		for (size_t at = 0; at < m.n; at++) {
			uint8_t bit = (uint8_t)(1u << at % 8);
			m.p[at] ^= bit;
			passed += !fails(v, start, i, m.p, m.n);
			m.p[at] ^= bit;
		}
		is_int(passed, 0, "with a bit of any octet flipped it does not");
		for (size_t n = 0; n < m.n; n++)
			passed += !fails(v, start, i, m.p, n);
		is_int(passed, 0, "nor cut anywhere");
	}
}

static void
test_lengths(const struct vector *v)
{
	static uint8_t big[NOISE_MESSAGE_MAX + 1], out[NOISE_MESSAGE_MAX + 1];

	for (size_t i = 0; i < HANDSHAKE; i++) {
		struct side side[2];
		struct side *from = &side[i % 2], *to = &side[(i + 1) % 2];
		size_t most = NOISE_MESSAGE_MAX - overhead(v, i);

		run_to(side, v, i);
		is_int(read_message(to, i, out, v->message[i].cipher.p, overhead(v, i) - 1),
		    ERR_SYNTAX, "message %zu: too short", i + 1);
		is_int(
		    read_message(to, i, out, big, sizeof big), ERR_LIMIT, "too long to read");
		is_int(
		    write_message(from, i, out, big, most + 1), ERR_LIMIT, "too long to write");
		run_to(side, v, i);
		is_int(
		    write_message(from, i, out, big, most), ERR_NONE, "the longest is written");
		is_int(read_message(to, i, big, out, NOISE_MESSAGE_MAX), ERR_NONE, "and read");
		memset(big, 0, sizeof big);
		run_to(side, v, i);
		is_int(write_message(from, i, out, NULL, 0), ERR_NONE,
		    "an empty payload is written");
		is_int(read_message(to, i, big, out, overhead(v, i)), ERR_NONE, "and read");
	}
}

/* Public keys that make every DH result zero: the point 0 and 1 of order 4 and 1 (RFC 7748
 * section 6.1). */
static void
test_zero_dh(const struct vector *v)
{
	static const uint8_t zero[NOISE_KEY];
	uint8_t out[OCTETS_MAX], evil[OCTETS_MAX];
	struct side side[2];

	for (uint8_t point = 0; point < 2; point++) {
		struct octets m1 = v->message[0].cipher;

		memset(m1.p, 0, NOISE_KEY);
		m1.p[0] = point;
		side_init(&side[1], v, false);
		if (!v->psk3) { /* psk3: the tag, which anybody can make, does not fit here */
			is_int(read_message(&side[1], 0, out, m1.p, m1.n), ERR_NONE,
			    "e = %d is read", point);
			is_int(noise_write_2(&side[1].x, out, v->psk.p, NULL, 0), ERR_CRYPTO,
			    "ee is refused");
		}
		run_to(side, v, 1);
		memcpy(evil, v->message[1].cipher.p, v->message[1].cipher.n);
		memset(evil, 0, NOISE_KEY);
		evil[0] = point;
		is_int(read_message(&side[0], 1, out, evil, v->message[1].cipher.n), ERR_CRYPTO,
		    "%s: e = %d in message 2 is refused", v->name, point);
	}
	run_to(side, v, 1);
	is_int(noise_write_2(&side[1].x, out, zero, NULL, 0), ERR_CRYPTO,
	    "a zero DH for es is refused");
	run_to(side, v, 2);
	is_int(noise_write_3(&side[0].x, out, zero, side[0].psk, NULL, 0), ERR_CRYPTO,
	    "and one for se");

	/* A peer whose own static public key is a low-order point: encrypted well, refused all
	 * the same. */
	run_to(side, v, 1);
	memset(side[1].x.s_public, 0, NOISE_KEY);
	write_message(&side[1], 1, out, NULL, 0);
	is_int(read_message(&side[0], 1, evil, out, NOISE_MESSAGE_2), ERR_CRYPTO,
	    "s = 0 in message 2");
	run_to(side, v, 2);
	memset(side[0].x.s_public, 0, NOISE_KEY);
	write_message(&side[0], 2, out, NULL, 0);
	is_int(read_message(&side[1], 2, evil, out, NOISE_MESSAGE_3), ERR_CRYPTO,
	    "s = 0 in message 3");
}

/* Sides that differ in one thing do not come together. */
static void
test_disagreement(void)
{
	struct side side[2];
	struct vector v = vectors[1], w;
	uint8_t out[OCTETS_MAX], got[OCTETS_MAX];

	run_to(side, &v, 2);
	write_message(&side[0], 2, out, NULL, 0);
	side[1].psk = v.init_static.p;
	is_int(read_message(&side[1], 2, got, out, NOISE_MESSAGE_3), ERR_CRYPTO, "another psk");

	for (size_t i = 0; i < 2; i++) {
		w = vectors[i];
		w.prologue.p[0] ^= 1;
		side_init(&side[0], &vectors[i], true);
		side_init(&side[1], &w, false);
		write_message(&side[0], 0, out, NULL, 0);
		enum err e = read_message(&side[1], 0, got, out, NOISE_MESSAGE_1(w.psk3));
		is_int(e, w.psk3 ? ERR_CRYPTO : ERR_NONE, "another prologue, message 1");
		if (e == ERR_NONE) {
			write_message(&side[1], 1, out, NULL, 0);
			is_int(read_message(&side[0], 1, got, out, NOISE_MESSAGE_2), ERR_CRYPTO,
			    "message 2");
		}
	}

	run_to(side, &vectors[0], 1);
	noise_write_2(&side[1].x, out, vectors[1].psk.p, NULL, 0);
	is_int(read_message(&side[0], 1, got, out, NOISE_MESSAGE_2), ERR_CRYPTO,
	    "who shows a static key whose secret he has not is found out");
}

static void
is_hex(const uint8_t *got, size_t n, const char *text, const char *name)
{
	struct octets want;

	hex(&want, text);
	is_mem(got, n, want.p, want.n, "%s", name);
}

/* Answers of other implementations (Python's hmac and hashlib, OpenSSL) where no source is
 * named. */
static void
test_known_parts(void)
{
	struct noise x = {.initiator = true};
	struct noise_cipher tx, rx;
	static const uint8_t nine[NOISE_KEY] = {9};
	uint8_t out[OCTETS_MAX];

	noise_set_ephemeral(&x, nine); /* RFC 7748 section 5.2: one iteration from k = u = 9 */
	is_hex(x.e_public, NOISE_KEY,
	    "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
	    "X25519 of the base point");

	for (unsigned i = 0; i < NOISE_HASH; i++)
		x.ck[i] = (uint8_t)i;
	noise_split(&x, &tx, &rx);
	is_hex(tx.key, NOISE_KEY,
	    "03be0946afb62e33dcc2e8cb76dfad47663d284d81c0bde963f32a283dede221",
	    "HKDF with HMAC-BLAKE2b, first output");
	is_hex(rx.key, NOISE_KEY,
	    "8481b385940ea1ddc1e37243d34e6a00d9e35fe86844b75be2f9d084efcbf4a9",
	    "second output");
	ok(tx.n == 0 && rx.n == 0, "fresh keys start at nonce 0");

	for (unsigned i = 0; i < NOISE_KEY; i++)
		tx.key[i] = (uint8_t)i;
	tx.n = UINT64_C(0x0102030405060708);
	noise_cipher_seal(&tx, out, (const uint8_t *)"pony", 4);
	is_hex(out, 4 + NOISE_TAG, "8026c39dd1deb9dbe5bb8c49d0db2f847c05d887",
	    "the nonce is little-endian");
	noise_cipher_rekey(&tx);
	is_hex(tx.key, NOISE_KEY,
	    "50835543a205b22c9323f2022bc4f67d838f90e61d5ccf33c4513e01f85b5042", "REKEY");
	ok(tx.n == UINT64_C(0x0102030405060709), "REKEY leaves n alone");
}

static void
test_cipher(void)
{
	static uint8_t big[NOISE_MESSAGE_MAX + 1], out[NOISE_MESSAGE_MAX + 1];
	struct noise_cipher tx = {.keyed = true}, rx = tx;

	is_int(
	    noise_cipher_open(&rx, out, big, NOISE_TAG - 1), ERR_SYNTAX, "shorter than a tag");
	is_int(noise_cipher_open(&rx, out, big, NOISE_MESSAGE_MAX + 1), ERR_LIMIT,
	    "too long to open");
	is_int(noise_cipher_seal(&tx, out, big, NOISE_MESSAGE_MAX - NOISE_TAG + 1), ERR_LIMIT,
	    "too long to seal");
	is_int(noise_cipher_open(&rx, out, big, 64), ERR_CRYPTO, "zeros are no message");
	ok(tx.n == 0 && rx.n == 0, "n counts good messages only");
	is_int(noise_cipher_seal(&tx, out, big, NOISE_MESSAGE_MAX - NOISE_TAG), ERR_NONE,
	    "the longest");
	is_int(noise_cipher_open(&rx, out, out, NOISE_MESSAGE_MAX), ERR_NONE, "is opened");
	ok(tx.n == 1 && rx.n == 1, "n counts up");
	is_int(noise_cipher_seal(&tx, out, NULL, 0), ERR_NONE, "an empty one is sealed");
	is_int(noise_cipher_open(&rx, big, out, NOISE_TAG), ERR_NONE, "and opened");
	tx.n = rx.n = UINT64_MAX;
	is_int(noise_cipher_seal(&tx, out, big, 1), ERR_CRYPTO,
	    "nonce 2^64 - 1 is kept for REKEY");
	is_int(noise_cipher_open(&rx, out, out, 17), ERR_CRYPTO, "on both sides");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	load_vectors();
	test_known_parts();
	for (size_t i = 0; i < 2; i++) {
		test_vector(&vectors[i]);
		test_mutations(&vectors[i]);
		test_lengths(&vectors[i]);
		test_zero_dh(&vectors[i]);
	}
	test_disagreement();
	test_cipher();
	return tap_done();
}
