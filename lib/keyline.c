/*
 * keyline - see keyline.h.
 */
#include <string.h>

#include <sodium.h>

#include "lib/keyline.h"
#include "libxpony/base64.h"

bool
keyline_read(struct words *words, struct word *w, uint8_t hash[KEY_HASH])
{
	uint8_t public[KEY_OCTETS];
	size_t n;

	if (!words_is(w, KEYLINE_TYPE))
		return key_fingerprint_read(hash, w->p, w->n) ||
		       words_fault(words, w,
			   "is no key; use SHA256:..., or " KEYLINE_TYPE
			   " and what follows it in blackpony-keygen -y");
	*w = words_next(words);
	if (base64_decode(public, sizeof(public), &n, w->p, w->n) != ERR_NONE ||
	    n != sizeof(public))
		return words_fault(words, w,
		    "is no key; blackpony-keygen -y shows it: " KEYLINE_TYPE
		    " and 43 characters");
	crypto_hash_sha256(hash, public, sizeof(public));
	return true;
}

bool
keyline_word(struct words *words, const struct word *w, uint8_t (*key)[KEY_HASH], size_t *keys,
    size_t max)
{
	const size_t skip = strlen(KEYLINE_WORD);

	if (*keys == max)
		return words_fault(
		    words, w, "is one key too many; a line has room for %zu", max);
	if (!key_fingerprint_read(key[*keys], w->p + skip, w->n - skip))
		return words_fault(words, w,
		    "is no key; blackpony-keygen -l shows it: key=SHA256: and 43 characters");
	for (size_t i = 0; i < *keys; i++)
		if (memcmp(key[i], key[*keys], KEY_HASH) == 0)
			return words_fault(words, w, "stands twice in this line");
	(*keys)++;
	return true;
}
