/*
 * keyline - see keyline.h.
 */
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
