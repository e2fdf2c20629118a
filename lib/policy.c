/*
 * policy - the policy file, read line by line. See policy.h; called by the mailer's monitor.
 *
 * All of the file is checked, whatever the destination: a fault in a line for somebody else is
 * found on the day it is made, not on the day that mail goes there.
 */
#include "policy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "dns.h"
#include "key.h"
#include "keyline.h"
#include "once.h"
#include "textfile.h"
#include "words.h"

#define NAME_SIZE (DNS_NAME + sizeof("[IPv6:]")) /* a destination as text, NUL included */
#define PQ_WORD "pq"

_Static_assert(POLICY_REASON_MAX >= TEXTFILE_REASON_MAX, "reasons fit");
_Static_assert(POLICY_REASON_MAX >= WORDS_REASON_MAX, "reasons fit");
_Static_assert(sizeof(((struct policy *)0)->key[0]) == KEY_HASH, "keys fit");

static const char *const level_word[] = {
    [POLICY_NONE] = "none",
    [POLICY_MAY] = "may",
    [POLICY_ENCRYPT] = "encrypt",
    [POLICY_PINNED] = "pinned",
    [POLICY_VERIFY] = "verify",
};

#define LEVELS (sizeof(level_word) / sizeof(level_word[0]))

struct parser {
	struct words words;
	char destination[NAME_SIZE];
	int rank; /* of the best line so far; -1: none */
	struct policy *best;
	bool has_names;
	struct once destinations;
};

const char *
policy_word(enum policy_level level)
{
	return level_word[level];
}

/* Writes an address in the one form in which it is compared. False: text is none. */
static bool
normalise_address(char name[NAME_SIZE], const char *text)
{
	struct in6_addr in6;
	struct in_addr in4;
	char plain[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, text, &in6) == 1) {
		if (!IN6_IS_ADDR_V4MAPPED(&in6)) {
			inet_ntop(AF_INET6, &in6, plain, sizeof(plain));
			snprintf(name, NAME_SIZE, "[%s]", plain);
			return true;
		}
		memcpy(&in4, &in6.s6_addr[12], sizeof(in4));
	} else if (inet_pton(AF_INET, text, &in4) != 1) {
		return false;
	}
	inet_ntop(AF_INET, &in4, plain, sizeof(plain));
	snprintf(name, NAME_SIZE, "[%s]", plain);
	return true;
}

/* Writes a domain, "[host]" or "[address]" in the one form in which they are compared: lower
 * case, no dot at the end, brackets around addresses only. NULL, or what is wrong with it. */
static const char *
normalise(char name[NAME_SIZE], const char *p, size_t n)
{
	char text[NAME_SIZE];
	char *inner = text;
	bool tagged = false;

	if (n >= sizeof(text))
		return "is too long for a destination";
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] >= 0x80)
			return "is not ASCII; write the A-label of the name (xn--...)";
		text[i] = (char)tolower((unsigned char)p[i]);
	}
	text[n] = '\0';
	if (text[0] == '[') {
		if (n < 2 || text[n - 1] != ']')
			return "has no ] at its end";
		text[n - 1] = '\0';
		tagged = strncmp(++inner, "ipv6:", 5) == 0;
		inner += tagged ? 5 : 0;
	}
	if ((inner == text && strchr(inner, ':') != NULL) ||
	    (tagged && strchr(inner, ':') == NULL))
		return "is no destination; use a domain, [host], [192.0.2.1] or [2001:db8::1]";
	if (normalise_address(name, inner))
		return NULL;
	if (!dns_name_is_valid(inner))
		return "is no destination; use a domain, .domain, [host], [address] or *";
	strlcpy(name, inner, NAME_SIZE);
	if (name[strlen(name) - 1] == '.')
		name[strlen(name) - 1] = '\0';
	return NULL;
}

/* The first word of a line: all that normalise() takes, and ".domain" and "*". */
static bool
read_pattern(struct parser *s, const struct word *w, char name[NAME_SIZE])
{
	char below[NAME_SIZE];
	const char *wrong;

	if (w->n == 1 && w->p[0] == '*') {
		strlcpy(name, "*", NAME_SIZE);
		return true;
	}
	if (w->n > 1 && w->p[0] == '*')
		return words_fault(
		    &s->words, w, "is no destination; all names below a domain are .domain");
	if (w->p[0] != '.') {
		wrong = normalise(name, w->p, w->n);
		return wrong == NULL || words_fault(&s->words, w, "%s", wrong);
	}
	wrong = normalise(below, w->p + 1, w->n - 1);
	if (wrong != NULL)
		return words_fault(&s->words, w, "%s", wrong);
	if (below[0] == '[')
		return words_fault(
		    &s->words, w, "is no destination: nothing is below an address");
	strlcpy(name, ".", NAME_SIZE);
	strlcat(name, below, NAME_SIZE);
	return true;
}

/* How well a line's destination fits the one sought; -1: not. */
static int
rank(const char *pattern, const char *destination)
{
	const size_t n = strlen(pattern), whole = strlen(destination);

	if (strcmp(pattern, "*") == 0)
		return 0;
	if (strcmp(pattern, destination) == 0)
		return NAME_SIZE;
	if (pattern[0] == '.' && n < whole && strcmp(destination + whole - n, pattern) == 0)
		return (int)n;
	return -1;
}

/* One word after the destination. *levels counts the words for a level. */
static bool
read_word(struct parser *s, const struct word *w, struct policy *p, unsigned *levels)
{
	if (words_begins(w, KEYLINE_WORD))
		return keyline_word(&s->words, w, p->key, &p->keys, POLICY_KEYS);
	if (words_is(w, PQ_WORD)) {
		if (p->pq)
			return words_fault(&s->words, w, "stands twice in this line");
		p->pq = true;
		return true;
	}
	for (size_t i = 0; i < LEVELS; i++) {
		if (!words_is(w, level_word[i]))
			continue;
		if ((*levels)++ > 0)
			return words_fault(&s->words, w,
			    "is a second level beside '%s'; choose one", policy_word(p->level));
		p->level = (enum policy_level)i;
		return true;
	}
	return words_fault(&s->words, w,
	    "is no policy word; use one of none may encrypt pinned verify pq key=SHA256:...");
}

/* What a line means as a whole (policy.h, "Words"). w is its destination. */
static bool
settle(struct parser *s, const struct word *w, struct policy *p, bool has_level)
{
	if (!has_level && p->keys == 0 && !p->pq)
		return words_fault(&s->words, w,
		    "has no policy; use one of none may encrypt pinned verify pq "
		    "key=SHA256:...");
	if (!has_level)
		p->level = p->keys > 0 ? POLICY_VERIFY : POLICY_ENCRYPT;
	if (p->keys > 0 && p->level != POLICY_VERIFY)
		return words_fault(&s->words, w,
		    "has '%s' and key=, which goes with 'verify' only", policy_word(p->level));
	if (p->pq && p->level < POLICY_ENCRYPT)
		return words_fault(&s->words, w,
		    "has '%s' and pq, which goes with encrypt, pinned or verify",
		    policy_word(p->level));
	return true;
}

static bool
read_line(struct parser *s, const struct word *destination)
{
	char name[NAME_SIZE] = "";
	struct policy line = {.line = s->words.line};
	struct word w;
	unsigned levels = 0;
	int fits;

	if (!read_pattern(s, destination, name) ||
	    !once_add(&s->destinations, &s->words, destination, name, strlen(name)))
		return false;
	for (w = words_next(&s->words); w.n > 0; w = words_next(&s->words))
		if (!read_word(s, &w, &line, &levels))
			return false;
	if (!settle(s, destination, &line, levels > 0))
		return false;
	s->has_names |= name[0] != '*' && name[0] != '[';
	fits = rank(name, s->destination);
	if (fits > s->rank) {
		s->rank = fits;
		*s->best = line;
	}
	return true;
}

static bool
read_lines(struct parser *s)
{
	enum words_result result;
	struct word first;

	while ((result = words_line(&s->words, &first)) == WORDS_LINE)
		if (!read_line(s, &first))
			return false;
	return result == WORDS_END && once_check(&s->destinations, &s->words);
}

bool
policy_parse(struct policy *p, const char *path, const char *text, size_t n,
    const char *destination, char *why)
{
	struct parser s = {.rank = -1, .best = p};
	const struct word sought = {destination, strlen(destination)};
	const char *wrong;
	bool good;

	*p = (struct policy){.level = POLICY_MAY};
	words_start(&s.words, "destination", "", 0, why);
	wrong = normalise(s.destination, destination, strlen(destination));
	if (wrong != NULL)
		return words_fault(&s.words, &sought, "%s", wrong);
	words_start(&s.words, path, text, n, why);
	good = read_lines(&s);
	p->has_names = s.has_names;
	once_free(&s.destinations);
	return good;
}

bool
policy_find(struct policy *p, const char *path, const char *destination, char *why)
{
	char *text;
	size_t n;
	bool good = false;

	*p = (struct policy){.level = POLICY_MAY};
	switch (textfile_read(path, POLICY_FILE_MAX, &text, &n, why)) {
	case TEXTFILE_MISSING:
		return true;
	case TEXTFILE_REFUSED:
		return false;
	case TEXTFILE_OK:
		good = policy_parse(p, path, text, n, destination, why);
		free(text);
		break;
	}
	return good;
}
