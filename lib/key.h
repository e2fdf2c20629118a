/*
 * key - the host key: an X25519 pair that names this host to others. Read and made here, by the
 * monitors and by blackpony-keygen; the engine never has one.
 *
 * A key file is text:
 *
 *   blackpony-host-key 1
 *   x25519 <32 secret octets in unpadded base64> [comment]
 *
 * The secret stays inside struct key, in sodium_malloc memory, and is wiped with it. No reason,
 * log line or comment that leaves this file holds an octet of it. Call sodium_init() first.
 */
#ifndef BLACKPONY_KEY_H
#define BLACKPONY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/reason.h"

#define KEY_OCTETS 32
#define KEY_HASH 32            /* SHA-256 of a public key */
#define KEY_TEXT_MAX 44        /* 32 octets in unpadded base64, NUL included */
#define KEY_FINGERPRINT_MAX 51 /* "SHA256:", 43 characters, NUL */
#define KEY_COMMENT_MAX 256    /* NUL included; printable ASCII and spaces */
#define KEY_REASON_MAX REASON_MAX

struct key;

enum key_status {
	KEY_OK,
	KEY_MISSING, /* no file of that name: go on with a fresh key */
	KEY_REFUSED, /* there and not to be used: too open, foreign, not whole, unreadable */
};

/* Reads a key file. It must be a regular file (no symbolic link) of root or the effective user,
 * with no permission for group and others but the group's to read (root:blackpony 0640).
 * KEY_OK: *out is the caller's to free. Otherwise *out is NULL and why (KEY_REASON_MAX) holds
 * one line that names the file, the fault and what to do. */
enum key_status key_read(struct key **out, const char *path, char why[KEY_REASON_MAX]);

/* A random pair. NULL only for lack of memory. */
struct key *key_fresh(void);
/* Wipes and frees; NULL-safe. */
void key_free(struct key *key);

const uint8_t *key_public(const struct key *key); /* KEY_OCTETS; lives as long as the key */
const char *key_comment(const struct key *key);   /* "" when there is none */
/* False, and no change, when the text is too long or not printable ASCII. */
bool key_set_comment(struct key *key, const char *comment);

/* X25519 of the secret and a point that somebody sent. False when the result is all zero (a
 * point of low order): out is then not to be used. The secret is clamped as RFC 7748 section 5
 * says. */
bool key_dh(const struct key *key, const uint8_t point[KEY_OCTETS], uint8_t out[KEY_OCTETS]);

/* "SHA256:" and the unpadded base64 of SHA-256 of the public key, as OpenSSH writes them. */
void key_fingerprint(const uint8_t public[KEY_OCTETS], char text[KEY_FINGERPRINT_MAX]);
/* The same from the hash alone, and back from text[0..n), which must be exactly that. */
void key_fingerprint_write(const uint8_t hash[KEY_HASH], char text[KEY_FINGERPRINT_MAX]);
bool key_fingerprint_read(uint8_t hash[KEY_HASH], const char *text, size_t n);

/* Writes a new key file and never over an old one: path must not exist, also not as a symbolic
 * link. mode is 0600 or 0640 whatever the umask; group is (gid_t)-1 to leave it. File and
 * directory reach the disk before this returns true. On failure no file stays, and why says
 * why. */
bool key_write(const struct key *key, const char *path, mode_t mode, gid_t group,
    char why[KEY_REASON_MAX]);

#endif
