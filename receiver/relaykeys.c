/*
 * relaykeys - the relay-keys file, read line by line. See relaykeys.h.
 */
#include "receiver/relaykeys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "lib/keyline.h"
#include "lib/textfile.h"

_Static_assert(RELAYKEYS_REASON_MAX >= TEXTFILE_REASON_MAX, "reasons fit");

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
		if (!keyline_read(&words, &word, hash)) {
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
