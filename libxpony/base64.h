/*
 * base64 - unpadded canonical base64 (RFC 4648 section 4 alphabet; PROTOCOL.md, "Base64").
 * Wraps libsodium's constant-time codec and refuses what is not canonical: padding, white space,
 * non-zero trailing bits, lengths of 1 mod 4.
 */
#ifndef XPONY_BASE64_H
#define XPONY_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"

/* Characters that n octets become, without the final NUL. */
size_t base64_chars(size_t n);
/* Octets that n characters become. */
size_t base64_octets(size_t n);

/* text must have room for base64_chars(n) + 1; NUL-terminated. */
void base64_encode(char *text, const uint8_t *octets, size_t n);
/* Decodes exactly n characters; *len is set to the octets written. ERR_SYNTAX when not canonical,
 * ERR_LIMIT when more than cap octets would come out. */
enum err base64_decode(uint8_t *octets, size_t cap, size_t *len, const char *text, size_t n);

#endif
