/*
 * policy - what a destination demands (blackpony policy file; doc/blackpony-mailer.8,
 * "POLICY"). Used by the mailer's monitor.
 *
 *   # destination     words
 *   example.org       encrypt
 *   .example.org      pinned pq          (all below example.org)
 *   [192.0.2.1]       verify key=SHA256:...
 *   *                 may
 *
 * Words. At most one level: none, may, encrypt, pinned or verify (below). pq stands alone, and
 * means "encrypt pq", or with encrypt, pinned or verify; it leaves STARTTLS no room. key=
 * stands alone, and means "verify", or with verify, up to POLICY_KEYS times: any of the keys is
 * good, and DNS is not asked. A word is lower case and stands once in a line. Whatever else is
 * put together is a fault.
 *
 * Destinations. In ASCII (A-labels), in any case, with or without a dot at the end. "[host]" is
 * the same as "host": the policy is about whom mail is for, not about whether MX records are
 * asked. Addresses compare as addresses, so [IPv6:2001:DB8::1] is [2001:db8:0::1]; an IPv4
 * address may do without brackets.
 *
 * The most specific line wins: the name itself, then the longest ".domain", then "*". A
 * destination may stand once. "#" starts a comment, anywhere; lines end in "\n", the last one
 * need not. A fault anywhere in the file names file, line and word; the caller then defers
 * rather than guesses.
 */
#ifndef BLACKPONY_POLICY_H
#define BLACKPONY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_KEYS 8 /* key= words in one line */
#define POLICY_REASON_MAX 512
#define POLICY_FILE_MAX 4194304

enum policy_level {     /* each demands what those before it demand */
	POLICY_NONE,    /* never XPONY: as if the host had not offered it */
	POLICY_MAY,     /* XPONY where offered; in clear where not (default) */
	POLICY_ENCRYPT, /* XPONY, or STARTTLS enforced by us; never MAIL in clear */
	POLICY_PINNED,  /* XPONY with a key that we know for this domain and MX host */
	POLICY_VERIFY,  /* XPONY with a key from validated DNS, or listed here */
};

struct policy {
	enum policy_level level;
	bool pq; /* the hybrid suite only */
	size_t keys;
	uint8_t key[POLICY_KEYS][32]; /* SHA-256 of listed keys (the fingerprints) */
	unsigned line;                /* of the file; 0 for the default */
	bool has_names; /* of the file: a line is about more than an address, and not * */
};

/* Reads path and finds the policy for a destination (domain, "[host]" or "[address]"). A
 * missing file is the default, POLICY_MAY; one that is not root's or ours, or that others may
 * write, is refused (textfile.h). False: *p is not to be used; why (POLICY_REASON_MAX) names
 * file, line, word and what to do, in printable ASCII but for the path. */
bool policy_find(struct policy *p, const char *path, const char *destination, char *why);

/* The same on a text in memory; for tests and fuzzing. path is for the messages. */
bool policy_parse(struct policy *p, const char *path, const char *text, size_t n,
    const char *destination, char *why);

const char *policy_word(enum policy_level level);

#endif
