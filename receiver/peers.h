/*
 * peers - what is demanded of a client (blackpony peers file; doc/blackpony-receiver.8,
 * "PEERS"). Used by receiver/main.c and receiver/inspect.c.
 *
 *   # network          words
 *   192.0.2.0/24       encrypt
 *   192.0.2.7          may
 *   [2001:db8::]/32    encrypt
 *   198.51.100.1       key=SHA256:...
 *
 * Networks. An address, or one with the number of bits that count; the others must be zero.
 * IPv6 may stand in brackets. The longest network that a client is in wins; a network may stand
 * once.
 *
 * Words. "may": anything goes, as without a line. "encrypt": no mail in clear. key=, up to
 * PEERS_KEYS times: only XPONY with one of these keys. One of the three kinds a line.
 *
 * A fault anywhere in the file names file, line and word; the caller then takes no mail rather
 * than guess from whom it may.
 */
#ifndef RECEIVER_PEERS_H
#define RECEIVER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/key.h"
#include "lib/words.h"

#define PEERS_KEYS 8 /* key= words in one line */
#define PEERS_FILE_MAX 1048576
#define PEERS_REASON_MAX WORDS_REASON_MAX

enum peers_demand { PEERS_MAY, PEERS_ENCRYPT, PEERS_KEY };

struct peers {
	enum peers_demand demand;
	size_t keys;
	uint8_t key[PEERS_KEYS][KEY_HASH]; /* of PEERS_KEY: the fingerprints */
	unsigned line;                     /* of the file; 0 when none is for this client */
	size_t networks;                   /* in the file */
};

/* Reads path and finds what is demanded of a client; its address is normalised, NULL only looks
 * for faults. A missing file demands nothing; one that is not root's or ours, or that others
 * may write, is refused (lib/textfile.h). False: *p is not to be used, and why
 * (PEERS_REASON_MAX) says in one line what is wrong. */
bool peers_find(
    struct peers *p, const char *path, const struct sockaddr_storage *client, char *why);

/* The same on a text in memory, for tests. path is for the messages. */
bool peers_parse(struct peers *p, const char *path, const char *text, size_t n,
    const struct sockaddr_storage *client, char *why);

/* Is this public key one of those listed? */
bool peers_has_key(const struct peers *p, const uint8_t public[KEY_OCTETS]);

#endif
