/*
 * relaykeys - the keys of those who may relay through this host (blackpony relay-keys file;
 * doc/blackpony-receiver.8, "RELAYING FOR KEYS"). Used by the receiver's monitor and by
 * receiver/inspect.c.
 *
 *   # key                                    comment
 *   SHA256:...                               mail.example.org
 *   xpony-x25519 <base64, of keygen -y>      mail.example.net
 *
 * Listing a key is half of a grant: the client must have meant this host, too (PROTOCOL.md,
 * "Payloads"), which relaykeys_is_own_name() decides.
 */
#ifndef RECEIVER_RELAYKEYS_H
#define RECEIVER_RELAYKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/key.h"
#include "lib/words.h"

#define RELAYKEYS_FILE_MAX 1048576
#define RELAYKEYS_REASON_MAX WORDS_REASON_MAX

struct relaykeys {
	size_t keys; /* in the file */
	bool listed; /* the one that was asked for is among them */
};

/* Reads path and looks for a public key; NULL only counts and looks for faults. A missing file
 * lists none; one that is not root's or ours, or that others may write, is refused
 * (lib/textfile.h). False: nothing is listed, and why (RELAYKEYS_REASON_MAX) says in one line
 * what is wrong. */
bool relaykeys_find(
    struct relaykeys *r, const char *path, const uint8_t public[KEY_OCTETS], char *why);

/* The same on a text in memory, for tests. path is for the messages. */
bool relaykeys_parse(struct relaykeys *r, const char *path, const char *text, size_t n,
    const uint8_t public[KEY_OCTETS], char *why);

/* Is the host that a client meant the one of this name? Neither case nor a dot at the end
 * counts. A name that is not full ("mail", "localhost", none at all) is nobody's: any host may
 * be called so. */
bool relaykeys_is_own_name(const char *meant, const char *name);

#endif
