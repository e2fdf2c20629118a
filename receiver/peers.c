/*
 * peers - the peers file, read line by line. See peers.h.
 *
 * All of the file is checked, whoever the client is: a fault in another client's line is found
 * on the day it is made.
 */
#include "receiver/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/keyline.h"
#include "lib/once.h"
#include "lib/textfile.h"

#define NETWORK_TEXT_MAX (INET6_ADDRSTRLEN + sizeof("[]/128"))

_Static_assert(PEERS_REASON_MAX >= TEXTFILE_REASON_MAX, "reasons fit");

struct network {
	sa_family_t family;
	uint8_t address[16]; /* IPv4: the first four */
	unsigned bits;
};

struct parser {
	struct words words;
	const struct network *client; /* all bits count; NULL: none */
	int bits;                     /* of the best network so far; -1: none */
	struct peers *best;
	struct once subjects;
};

static unsigned
width(const struct network *n)
{
	return n->family == AF_INET6 ? 128 : 32;
}

/* Are the first bits of both the same? */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool
contains(const struct network *n, const struct network *client)
{
	return n->family == client->family && same_bits(n->address, client->address, n->bits);
}

static bool
has_other_bits(const struct network *n)
{
	for (unsigned i = n->bits; i < width(n); i++)
		if ((n->address[i / 8] >> (7 - i % 8) & 1) != 0)
			return true;
	return false;
}

/* 0 to max, without a sign or a leading zero. */
static bool
read_bits(unsigned *bits, const char *text, unsigned max)
{
	const size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 3 || text[n] != '\0' || (text[0] == '0' && n > 1))
		return false;
	*bits = (unsigned)strtoul(text, NULL, 10);
	return *bits <= max;
}

/* What is in front of the slash. */
static bool
read_address(struct network *n, char *text)
{
	const size_t len = strlen(text);
	const bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text[len - 1] = '\0';
		text++;
	}
	n->family = AF_INET6;
	if (inet_pton(AF_INET6, text, n->address) == 1)
		return true;
	n->family = AF_INET;
	return !bracketed && inet_pton(AF_INET, text, n->address) == 1;
}

static bool
is_mapped(const struct network *n)
{
	struct in6_addr six;

	memcpy(&six, n->address, sizeof(six));
	return n->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six);
}

static bool
read_network(struct parser *s, const struct word *w, struct network *n)
{
	char text[NETWORK_TEXT_MAX], *slash;

	memset(n, 0, sizeof(*n));
	if (w->n >= sizeof(text))
		return words_fault(&s->words, w, "is too long for an address");
	memcpy(text, w->p, w->n);
	text[w->n] = '\0';
	if ((slash = strchr(text, '/')) != NULL)
		*slash = '\0';
	if (!read_address(n, text))
		return words_fault(&s->words, w,
		    "is no address; use 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or "
		    "[2001:db8::]/32");
	n->bits = width(n);
	if (slash != NULL && !read_bits(&n->bits, slash + 1, width(n)))
		return words_fault(
		    &s->words, w, "has no number from 0 to %u behind the /", width(n));
	if (has_other_bits(n))
		return words_fault(
		    &s->words, w, "has more than its first %u bits set; clear them", n->bits);
	if (n->bits >= 96 && is_mapped(n))
		return words_fault(&s->words, w, "is an IPv4 address; write it as one");
	return true;
}

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

	if (!read_network(s, w, &network) ||
	    !once_add(&s->subjects, &s->words, w, &network, sizeof(network)) ||
	    !read_words(s, w, &line))
		return false;
	if (s->client == NULL || !contains(&network, s->client) || (int)network.bits <= s->bits)
		return true;
	s->bits = (int)network.bits;
	*s->best = line;
	return true;
}

static bool
client_network(struct network *n, const struct sockaddr_storage *client)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	memset(n, 0, sizeof(*n));
	n->family = client->ss_family;
	n->bits = width(n);
	if (n->family == AF_INET6) {
		memcpy(&six, client, sizeof(six));
		memcpy(n->address, &six.sin6_addr, sizeof(six.sin6_addr));
		return true;
	}
	memcpy(&four, client, sizeof(four));
	memcpy(n->address, &four.sin_addr, sizeof(four.sin_addr));
	return n->family == AF_INET;
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
	if (client != NULL && client_network(&network, client))
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
