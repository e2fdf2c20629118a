/*
 * relaykeys - the relay-keys file, read line by line. See relaykeys.h.
 */
#include "receiver/relaykeys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "lib/textfile.h"
#include "libxpony/base64.h"

#define PUBLIC_WORD "xpony-x25519"

_Static_assert(RELAYKEYS_REASON_MAX >= TEXTFILE_REASON_MAX, "reasons fit");

/* The fingerprint that a line says, in either form. What follows is a comment. */
static bool
read_key(struct words *words, struct word *w, uint8_t hash[KEY_HASH])
{
	uint8_t public[KEY_OCTETS];
	size_t n;

	if (!words_is(w, PUBLIC_WORD))
		return key_fingerprint_read(hash, w->p, w->n) ||
		       words_fault(words, w,
			   "is no key; use SHA256:..., or " PUBLIC_WORD
			   " and what follows it in blackpony-keygen -y");
	*w = words_next(words);
	if (base64_decode(public, sizeof(public), &n, w->p, w->n) != ERR_NONE ||
	    n != sizeof(public))
		return words_fault(words, w,
		    "is no key; blackpony-keygen -y shows it: " PUBLIC_WORD
		    " and 43 characters");
	crypto_hash_sha256(hash, public, sizeof(public));
	return true;
}

bool
relaykeys_parse(struct relaykeys *r, const char *path, const char *text, size_t n,
    const uint8_t public[KEY_OCTETS], char *why)
{
	uint8_t wanted[KEY_HASH], hash[KEY_HASH];
	enum words_result result;
	struct words words;
	struct word word;

	*r = (struct relaykeys){0};
	if (public != NULL)
		crypto_hash_sha256(wanted, public, KEY_OCTETS);
	words_start(&words, path, text, n, why);
	while ((result = words_line(&words, &word)) == WORDS_LINE) {
		if (!read_key(&words, &word, hash)) {
			result = WORDS_FAULT;
			break;
		}
		r->keys++;
		if (public != NULL && memcmp(hash, wanted, sizeof(hash)) == 0)
			r->listed = true;
	}
	if (result == WORDS_FAULT)
		*r = (struct relaykeys){0};
	return result == WORDS_END;
}

bool
relaykeys_find(
    struct relaykeys *r, const char *path, const uint8_t public[KEY_OCTETS], char *why)
{
	char *text;
	size_t n;
	bool good = false;

	*r = (struct relaykeys){0};
	switch (textfile_read(path, RELAYKEYS_FILE_MAX, &text, &n, why)) {
	case TEXTFILE_MISSING:
		return true;
	case TEXTFILE_REFUSED:
		return false;
	case TEXTFILE_OK:
		good = relaykeys_parse(r, path, text, n, public, why);
		free(text);
		break;
	}
	return good;
}

static size_t
without_dot(const char *name)
{
	const size_t n = strlen(name);

	return n > 0 && name[n - 1] == '.' ? n - 1 : n;
}

bool
relaykeys_is_own_name(const char *meant, const char *name)
{
	const size_t n = without_dot(name);

	return memchr(name, '.', n) != NULL && n == without_dot(meant) &&
	       strncasecmp(meant, name, n) == 0;
}
