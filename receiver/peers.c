/*
 * peers - the peers file, read line by line. See peers.h.
 *
 * All of the file is checked, whoever the client is: a fault in another client's line is found
 * on the day it is made.
 */
#include "receiver/peers.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/keyline.h"
#include "lib/once.h"
#include "lib/textfile.h"
#include "receiver/network.h"

_Static_assert(PEERS_REASON_MAX >= TEXTFILE_REASON_MAX, "reasons fit");

struct parser {
	struct words words;
	const struct network *client; /* all bits count; NULL: none */
	int bits;                     /* of the best network so far; -1: none */
	struct peers *best;
	struct once subjects;
};

/* The words behind a network; w is that. */
static bool
read_words(struct parser *s, const struct word *w, struct peers *p)
{
	bool demanded = false;

	for (struct word x = words_next(&s->words); x.n > 0; x = words_next(&s->words)) {
		const enum peers_demand before = p->demand;

		if (words_begins(&x, KEYLINE_WORD))
			p->demand = PEERS_KEY;
		else if (words_is(&x, "encrypt"))
			p->demand = PEERS_ENCRYPT;
		else if (words_is(&x, "may"))
			p->demand = PEERS_MAY;
		else
			return words_fault(&s->words, &x,
			    "is no demand; use one of may encrypt key=SHA256:...");
		if (demanded && (p->demand != PEERS_KEY || before != PEERS_KEY))
			return words_fault(&s->words, &x, "is a second demand; choose one");
		demanded = true;
		if (p->demand == PEERS_KEY &&
		    !keyline_word(&s->words, &x, p->key, &p->keys, PEERS_KEYS))
			return false;
	}
	return demanded || words_fault(&s->words, w,
			       "demands nothing; use one of may encrypt key=SHA256:...");
}

static bool
read_line(struct parser *s, const struct word *w)
{
	struct peers line = {.line = s->words.line};
	struct network network;

	if (!network_read(&network, &s->words, w) ||
	    !once_add(&s->subjects, &s->words, w, &network, sizeof(network)) ||
	    !read_words(s, w, &line))
		return false;
	if (s->client == NULL || !network_has(&network, s->client) ||
	    (int)network.bits <= s->bits)
		return true;
	s->bits = (int)network.bits;
	*s->best = line;
	return true;
}

bool
peers_parse(struct peers *p, const char *path, const char *text, size_t n,
    const struct sockaddr_storage *client, char *why)
{
	struct parser s = {.bits = -1, .best = p};
	enum words_result result;
	struct network network;
	struct word first;
	bool good;

	*p = (struct peers){.demand = PEERS_MAY};
	if (client != NULL && network_of(&network, client))
		s.client = &network;
	words_start(&s.words, path, text, n, why);
	do {
		result = words_line(&s.words, &first);
		good = result == WORDS_LINE ? read_line(&s, &first) : result == WORDS_END;
	} while (good && result == WORDS_LINE);
	good = good && once_check(&s.subjects, &s.words);
	p->networks = s.subjects.count;
	once_free(&s.subjects);
	return good;
}

bool
peers_find(struct peers *p, const char *path, const struct sockaddr_storage *client, char *why)
{
	char *text;
	size_t n;
	bool good = false;

	*p = (struct peers){.demand = PEERS_MAY};
	switch (textfile_read(path, PEERS_FILE_MAX, &text, &n, why)) {
	case TEXTFILE_MISSING:
		return true;
	case TEXTFILE_REFUSED:
		return false;
	case TEXTFILE_OK:
		good = peers_parse(p, path, text, n, client, why);
		free(text);
		break;
	}
	return good;
}

bool
peers_has_key(const struct peers *p, const uint8_t public[KEY_OCTETS])
{
	uint8_t hash[KEY_HASH];

	crypto_hash_sha256(hash, public, KEY_OCTETS);
	for (size_t i = 0; i < p->keys; i++)
		if (memcmp(p->key[i], hash, KEY_HASH) == 0)
			return true;
	return false;
}
