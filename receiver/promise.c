/*
 * promise - see promise.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/keyline.h"
#include "lib/textfile.h"
#include "promise.h"

#define FILE_MAX 65536
#define NAME_MAX_HERE 4096 /* PATH_MAX */

_Static_assert(PROMISE_KEYS <= COMMITMENT_KEYS, "fits");

/* A list being made. */
struct listing {
	struct commitment *c;
	uint8_t own[KEY_HASH];
	char *why;
};

/* The same file of siblings may lie on all of them: a host's own key, and one that is there
 * already, is left out. */
static bool
add(struct listing *l, const uint8_t hash[KEY_HASH], const char *path)
{
	uint32_t i;

	if (memcmp(hash, l->own, KEY_HASH) == 0)
		return true;
	for (i = 0; i < l->c->keys; i++)
		if (memcmp(hash, l->c->key[i], KEY_HASH) == 0)
			return true;
	if (l->c->keys == PROMISE_KEYS) {
		(void)snprintf(l->why, PROMISE_REASON_MAX,
		    "%.255s: too many keys; a commitment has room for %d, the next one "
		    "included",
		    path, PROMISE_KEYS);
		return false;
	}
	memcpy(l->c->key[l->c->keys++], hash, KEY_HASH);
	return true;
}

static bool
add_lines(struct listing *l, const char *path, const char *text, size_t n)
{
	enum words_result result;
	uint8_t hash[KEY_HASH];
	struct words words;
	struct word word;

	words_start(&words, path, text, n, l->why);
	while ((result = words_line(&words, &word)) == WORDS_LINE)
		if (!keyline_read(&words, &word, hash) || !add(l, hash, path))
			return false;
	return result == WORDS_END;
}

static enum textfile_status
add_file(struct listing *l, const char *path)
{
	enum textfile_status status;
	char *text;
	size_t n;

	status = textfile_read(path, FILE_MAX, &text, &n, l->why);
	if (status == TEXTFILE_OK && !add_lines(l, path, text, n))
		status = TEXTFILE_REFUSED;
	free(text);
	return status;
}

/* A promise of a next key that nobody has would lock the host out of its own name. */
static bool
add_next(struct listing *l, const char *key_file)
{
	char secret[NAME_MAX_HERE], public[NAME_MAX_HERE];
	const char *missing = NULL;
	int n;

	(void)snprintf(secret, sizeof(secret), "%s.next", key_file);
	n = snprintf(public, sizeof(public), "%s.next.pub", key_file);
	if (n < 0 || (size_t)n >= sizeof(public)) {
		(void)snprintf(l->why, PROMISE_REASON_MAX, "the key file's name is too long");
		return false;
	}
	if (access(secret, R_OK) != 0)
		missing = secret;
	else if (add_file(l, public) == TEXTFILE_MISSING)
		missing = public;
	if (missing != NULL)
		(void)snprintf(l->why, PROMISE_REASON_MAX,
		    "%.255s: %s; make the next key with blackpony-keygen --rotate next",
		    missing, strerror(errno));
	else if (l->why[0] == '\0' && l->c->keys != 1)
		(void)snprintf(l->why, PROMISE_REASON_MAX,
		    "%.255s: does not hold one key other than the host key; remove it and make "
		    "the next key with blackpony-keygen --rotate next",
		    public);
	return l->why[0] == '\0';
}

static bool
add_siblings(struct listing *l, const char *path)
{
	switch (add_file(l, path != NULL ? path : BLACKPONY_SIBLINGS)) {
	case TEXTFILE_OK:
		return true;
	case TEXTFILE_MISSING:
		if (path == NULL)
			return true;
		(void)snprintf(
		    l->why, PROMISE_REASON_MAX, "%.255s: %s", path, strerror(ENOENT));
		return false;
	case TEXTFILE_REFUSED:
		break;
	}
	return false;
}

bool
promise_make(struct commitment *c, const struct promise_about *about,
    const uint8_t public[KEY_OCTETS], char *why)
{
	struct listing l = {.c = c, .why = why};

	memset(c, 0, sizeof(*c));
	why[0] = '\0';
	crypto_hash_sha256(l.own, public, KEY_OCTETS);
	/* What is taken back needs no keys. */
	if (about->max_age > 0 &&
	    (!add_next(&l, about->key_file) || !add_siblings(&l, about->siblings))) {
		memset(c, 0, sizeof(*c));
		return false;
	}
	c->max_age = about->max_age;
	c->present = true;
	return true;
}
