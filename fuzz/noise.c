/*
 * noise - the three messages below their SMTP clothes, of any length up to Noise's 65535
 * (libxpony/noise.h): a handshake of which one message is changed, or replaced.
 *
 * Input: which message, of which suite; the payloads' lengths; then the changes, or the
 * message.
 */
#include <sodium.h>

#include "fuzz/fuzz.h"

#include "libxpony/noise.h"
#include "libxpony/suite.h"

enum { INITIATOR, RESPONDER, SIDES };

struct run {
	bool psk3;
	uint8_t secret[SIDES][NOISE_KEY], public[SIDES][NOISE_KEY], psk[NOISE_KEY];
	struct noise end[SIDES];
	bool replaced, changed;
};

static uint8_t message[NOISE_MESSAGE_MAX], payload[NOISE_MESSAGE_MAX], sent[NOISE_MESSAGE_MAX];

static void
begin(struct run *r, const struct suite *suite)
{
	uint8_t e[NOISE_KEY];

	memset(r, 0, sizeof *r);
	r->psk3 = suite->psk3;
	for (int i = 0; i < SIDES; i++) {
		fuzz_pair(r->secret[i], r->public[i], (uint8_t)(i + 1));
		noise_init(&r->end[i], suite->noise, i == INITIATOR, suite->psk3, "fuzz", 4);
		noise_set_static(&r->end[i], r->public[i]);
		fuzz_random(e, sizeof e);
		noise_set_ephemeral(&r->end[i], e);
	}
}

/* DH(s, re) of the side that writes. */
static bool
dh(const struct run *r, int side, uint8_t out[NOISE_KEY])
{
	return crypto_scalarmult(out, r->secret[side], r->end[side].re) == 0;
}

static enum err
write_message(struct run *r, int k, size_t n)
{
	struct noise *x = &r->end[k == 1 ? RESPONDER : INITIATOR];
	uint8_t s[NOISE_KEY] = {0};

	if (k > 0 && !dh(r, k == 1 ? RESPONDER : INITIATOR, s))
		return ERR_CRYPTO;
	if (k == 0)
		return noise_write_1(x, message, sent, n);
	if (k == 1)
		return noise_write_2(x, message, s, sent, n);
	return noise_write_3(x, message, s, r->psk3 ? r->psk : NULL, sent, n);
}

static enum err
read_message(struct run *r, int k, size_t len)
{
	struct noise *x = &r->end[k == 1 ? INITIATOR : RESPONDER];

	if (k == 0)
		return noise_read_1(x, payload, message, len);
	if (k == 1)
		return noise_read_2(x, payload, message, len);
	return noise_read_3(x, r->psk3 ? r->psk : NULL, payload, message, len);
}

static size_t
overhead(const struct run *r, int k)
{
	const size_t octets[] = {NOISE_MESSAGE_1(r->psk3), NOISE_MESSAGE_2, NOISE_MESSAGE_3};

	return octets[k];
}

/* The message of n payload octets, or what the input makes of it. Its length. */
static size_t
disturb(struct run *r, struct input *in, size_t len)
{
	static uint8_t before[NOISE_MESSAGE_MAX];
	size_t n = len;

	if (r->replaced) {
		n = in->left < sizeof message ? in->left : sizeof message;
		memcpy(before, message, len);
		memcpy(message, input_take(in, n), n);
	} else {
		memcpy(before, message, len);
		n = input_edit(in, message, len, sizeof message);
	}
	r->changed = n != len || memcmp(before, message, n) != 0;
	return n;
}

static void
look_at_end(const struct run *r)
{
	struct noise_cipher tx[SIDES], rx[SIDES];

	HOLDS(memcmp(r->end[0].h, r->end[1].h, NOISE_HASH) == 0);
	for (int i = 0; i < SIDES; i++) {
		noise_split(&r->end[i], &tx[i], &rx[i]);
		HOLDS(memcmp(r->end[i].rs, r->public[!i], NOISE_KEY) == 0);
	}
	for (int i = 0; i < SIDES; i++)
		HOLDS(memcmp(tx[i].key, rx[!i].key, NOISE_KEY) == 0 && tx[i].n == 0 &&
		      rx[i].n == 0 && tx[i].keyed && rx[i].keyed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);
	const int which = what % 4;
	struct suite_list all;
	struct run r;
	enum err e;

	fuzz_start();
	suite_list_default(&all);
	begin(&r, all.suite[(what >> 4) % all.count]);
	r.replaced = (what & 8) != 0;
	for (int k = 0; k < 3; k++) {
		const size_t text = input_size(&in, NOISE_MESSAGE_MAX - overhead(&r, k));
		size_t len = text + overhead(&r, k);

		memset(sent, k + 1, text);
		e = write_message(&r, k, text);
		HOLDS(e == ERR_NONE || (r.changed && e == ERR_CRYPTO));
		if (e != ERR_NONE)
			return 0;
		if (k == which)
			len = disturb(&r, &in, len);
		e = read_message(&r, k, len);
		HOLDS(e == ERR_NONE || r.changed);
		if (e != ERR_NONE)
			return 0;
		HOLDS(r.changed || memcmp(payload, sent, text) == 0);
		/* Message 1 is in clear but for a psk's tag; no later one goes by unseen. */
		HOLDS(!r.changed || k == 0);
	}
	HOLDS(!r.changed);
	look_at_end(&r);
	return 0;
}
