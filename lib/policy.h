/*
 * policy - what a destination demands (blackpony policy file; doc/blackpony-mailer.8, "POLICY"). Used by the
 * mailer's monitor.
 *
 *   # destination     words
 *   example.org       encrypt
 *   .example.org      pinned pq          (all below example.org)
 *   [192.0.2.1]       verify key=SHA256:...
 *   *                 may
 *
 * The most specific line wins: the name itself, then the longest ".domain", then "*". A destination may stand
 * once. A fault names file, line and word; the caller then defers rather than guesses.
 */
#ifndef BLACKPONY_POLICY_H
#define BLACKPONY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_KEYS 8        /* key= words in one line */
#define POLICY_REASON_MAX 512
#define POLICY_FILE_MAX 4194304

enum policy_level { /* each demands what those before it demand */
	POLICY_NONE,    /* never XPONY: as if the host had not offered it */
	POLICY_MAY,     /* XPONY where offered; in clear where not (default) */
	POLICY_ENCRYPT, /* XPONY, or STARTTLS enforced by us; never MAIL in clear */
	POLICY_PINNED,  /* XPONY with a key that we know for this domain and MX host */
	POLICY_VERIFY,  /* XPONY with a key from validated DNS, or listed here */
};

struct policy {
	enum policy_level level;
	bool pq;                      /* the hybrid suite only */
	size_t keys;
	uint8_t key[POLICY_KEYS][32]; /* SHA-256 of listed keys (the fingerprints) */
	unsigned line;                /* of the file; 0 for the default */
};

/* Reads path and finds the policy for a destination (domain without trailing dot, or "[address]"). A missing
 * file is the default, POLICY_MAY. False: why (POLICY_REASON_MAX) names file, line, word and what to do. */
bool policy_find(struct policy *p, const char *path, const char *destination, char *why);

/* The same on a text in memory; for tests and fuzzing. path is for the messages. */
bool policy_parse(struct policy *p, const char *path, const char *text, size_t n, const char *destination,
    char *why);

const char *policy_word(enum policy_level level);

#endif
