/* base64: RFC 4648's own examples without their padding, and every text that is not canonical.
 */
#include <sodium.h>
#include "tap.h"
#include "libxpony/base64.h"

static void
test_known(void)
{
	static const struct {
		const char *octets, *text;
	} known[] = {/* RFC 4648 section 10 */
	    {"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
	    {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		char text[16];
		uint8_t octets[16];
		size_t n = strlen(known[i].octets), len;

		base64_encode(text, (const uint8_t *)known[i].octets, n);
		is_str(text, known[i].text, "\"%s\" encodes", known[i].octets);
		is_int(base64_chars(n), strlen(known[i].text), "base64_chars(%zu)", n);
		is_int(base64_octets(strlen(known[i].text)), n, "base64_octets() of it");
		is_int(base64_decode(octets, n, &len, text, strlen(text)), ERR_NONE, "decodes");
		is_mem(octets, len, known[i].octets, n, "to the same octets");
	}
}

/* Each length, each value of an octet in each place. */
static void
test_round_trip(void)
{
	unsigned bad = 0;

	for (size_t n = 0; n <= 64; n++) {
		uint8_t in[64], out[64];
		char text[96];
		size_t len;

		for (unsigned v = 0; v < 256; v++) {
			for (size_t i = 0; i < n; i++)
				in[i] = (uint8_t)(v + i * 37);
			base64_encode(text, in, n);
			bad += strlen(text) != base64_chars(n);
			bad += base64_decode(out, n, &len, text, strlen(text)) != ERR_NONE;
			bad += len != n || memcmp(in, out, n) != 0;
		}
	}
	is_int(bad, 0, "0 to 64 octets come back as they were");
}

static void
test_refused(void)
{
	static const char *const bad[] = {"Zg==", "Zm8=", "Zg=", "Z", "Zm9vY", "Zm9v ", " Zm9v",
	    "Zm\n9v", "Zm9v\r\n", "Zm-v", "Zm_v", "Zm.v", "Zm9v=", "=", "Zh", "Zm9", "Zm9vYh",
	    "Z\xc3\xa9w"};
	uint8_t octets[16];
	size_t len;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		len = 99;
		is_int(base64_decode(octets, sizeof octets, &len, bad[i], strlen(bad[i])),
		    ERR_SYNTAX, "refused: case %zu", i);
		is_int(len, 0, "and no octets came out");
	}
	is_int(
	    base64_decode(octets, sizeof octets, &len, "Zm\0v", 4), ERR_SYNTAX, "refused: NUL");
	is_int(
	    base64_decode(octets, 2, &len, "Zm9v", 4), ERR_LIMIT, "three octets, room for two");
	is_int(base64_decode(octets, 3, &len, "Zm9v", 4), ERR_NONE, "room for three");
	is_int(base64_decode(octets, 16, &len, "Zm9vYg", 4), ERR_NONE,
	    "exactly n characters are read");
	is_int(len, 3, "of a longer text");
}

/* In each place of four characters exactly the 64 of the alphabet are taken, of all 256 octets.
 */
static void
test_alphabet(void)
{
	for (size_t at = 0; at < 4; at++) {
		unsigned taken = 0, round = 0;

		for (unsigned c = 0; c < 256; c++) {
			char text[5] = "AAAA", again[5];
			uint8_t octets[3];
			size_t len;

			text[at] = (char)c;
			if (base64_decode(octets, sizeof octets, &len, text, 4) != ERR_NONE)
				continue;
			taken++;
			base64_encode(again, octets, len);
			round += memcmp(again, text, 4) == 0;
		}
		is_int(taken, 64, "64 characters stand in place %zu", at);
		is_int(round, 64, "each for itself");
	}
}

/* A key has one text: of the 64 last characters of 43 only those with two zero bits stand. */
static void
test_one_text(void)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[44];
	uint8_t key[32];
	size_t len;
	unsigned taken = 0;

	memset(text, 'A', 43);
	for (size_t i = 0; i < 64; i++) {
		text[42] = alphabet[i];
		taken += base64_decode(key, sizeof key, &len, text, 43) == ERR_NONE;
	}
	is_int(taken, 16, "16 of 64 last characters of a key are canonical");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	test_known();
	test_round_trip();
	test_refused();
	test_alphabet();
	test_one_text();
	return tap_done();
}
