/*
 * keyline - a key in a configuration file, in either of the forms that blackpony-keygen prints:
 *
 *   SHA256:...                               comment
 *   xpony-x25519 <base64, of keygen -y>      comment
 *
 * or as a word of a line, key=SHA256:... Used by policy.c, receiver/peers.c, receiver/promise.c
 * and receiver/relaykeys.c.
 */
#ifndef BLACKPONY_KEYLINE_H
#define BLACKPONY_KEYLINE_H

#include <stdint.h>

#include "key.h"
#include "words.h"

#define KEYLINE_TYPE "xpony-x25519"
#define KEYLINE_WORD "key="

/* The fingerprint of the key that begins with the word *w of this line; what follows it is a
 * comment. False: w is the word at fault, and words->why says what is wrong. */
bool keyline_read(struct words *words, struct word *w, uint8_t hash[KEY_HASH]);

/* Adds the fingerprint of the word "key=SHA256:..." to the *keys of a line, which has room for
 * max. False as above: no fingerprint, one that stands there already, or one too many. */
bool keyline_word(struct words *words, const struct word *w, uint8_t (*key)[KEY_HASH],
    size_t *keys, size_t max);

#endif
