/*
 * base64 - unpadded canonical base64. Called by advert, and by whoever prints a public key.
 */
#include <sodium.h>
#include <stdbool.h>
#include "base64.h"

#define VARIANT sodium_base64_VARIANT_ORIGINAL_NO_PADDING

size_t
base64_chars(size_t n)
{
	return n / 3 * 4 + (n % 3 > 0 ? n % 3 + 1 : 0);
}

size_t
base64_octets(size_t n)
{
	return n / 4 * 3 + n % 4 * 3 / 4;
}

void
base64_encode(char *text, const uint8_t *octets, size_t n)
{
	sodium_bin2base64(text, base64_chars(n) + 1, octets, n, VARIANT);
}

/* libsodium 1.0.18 takes every octet from 0x80 on for the alphabet's last character.
 * Constant-time, as the codec itself is. */
static bool
has_high_bit(const char *text, size_t n)
{
	unsigned all = 0;

	for (size_t i = 0; i < n; i++)
		all |= (uint8_t)text[i];
	return (all & 0x80) != 0;
}

/* libsodium itself refuses what else is foreign to the alphabet, trailing bits that are not
 * zero and a lone last character, so that every value has one text only. */
enum err
base64_decode(uint8_t *octets, size_t cap, size_t *len, const char *text, size_t n)
{
	*len = 0;
	if (base64_octets(n) > cap)
		return ERR_LIMIT;
	if (has_high_bit(text, n) ||
	    sodium_base642bin(octets, cap, text, n, NULL, len, NULL, VARIANT) != 0) {
		*len = 0;
		return ERR_SYNTAX;
	}
	return ERR_NONE;
}
