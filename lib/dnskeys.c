/*
 * dnskeys - TXT records of _xpony.<host>. See dnskeys.h.
 */
#include "dnskeys.h"

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "key.h"

#define OWNER_LABEL "_xpony."
#define VERSION_WORD "XPONY1"
#define RECORD_MAX 4096 /* octets of one record that are looked at; 8 keys take 450 */

_Static_assert(RESOLVE_KEY_HASH == KEY_HASH, "fingerprints fit");

/* A piece of a record, not terminated. */
struct span {
	const char *p;
	size_t n;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Takes what stands before the next separator, or all, off the front of rest. */
static struct span
cut(struct span *rest, char separator)
{
	struct span front = {rest->p, 0};
	size_t gone;

	while (front.n < rest->n && front.p[front.n] != separator)
		front.n++;
	gone = front.n + (front.n < rest->n ? 1 : 0);
	rest->p += gone;
	rest->n -= gone;
	return trim(front);
}

static bool
is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* The strings of a record, one behind the other, as RFC 7208 section 3.3 joins them. False:
 * their lengths do not fit, or they are more than anybody needs. */
static bool
join(char to[RECORD_MAX], size_t *len, const uint8_t *text, size_t n)
{
	size_t at = 0;

	*len = 0;
	while (at < n) {
		const size_t octets = text[at++];

		if (octets > n - at || octets > RECORD_MAX - *len)
			return false;
		memcpy(to + *len, text + at, octets);
		*len += octets;
		at += octets;
	}
	return true;
}

/* False: no room. */
static bool
add_key(struct resolve_keys *r, const uint8_t hash[RESOLVE_KEY_HASH])
{
	for (uint32_t i = 0; i < r->count; i++)
		if (memcmp(r->key[i], hash, RESOLVE_KEY_HASH) == 0)
			return true;
	if (r->count == RESOLVE_KEYS)
		return false;
	memcpy(r->key[r->count++], hash, RESOLVE_KEY_HASH);
	return true;
}

/* The tags behind the version. With r NULL only a look: false when a k= is no key, or when
 * there is none. */
static bool
read_tags(struct resolve_keys *r, struct span rest)
{
	uint8_t hash[RESOLVE_KEY_HASH];
	bool found = false;

	while (rest.n > 0) {
		struct span value = cut(&rest, ';');
		struct span name = cut(&value, '=');

		if (!is(name, "k"))
			continue;
		value = trim(value);
		if (!key_fingerprint_read(hash, value.p, value.n))
			return false;
		found = true;
		if (r != NULL && !add_key(r, hash))
			r->ignored++;
	}
	return found;
}

void
dnskeys_read(struct resolve_keys *r, const uint8_t *text, size_t n)
{
	char record[RECORD_MAX];
	struct span rest = {record, 0}, version;

	if (!join(record, &rest.n, text, n)) {
		r->ignored++;
		return;
	}
	version = cut(&rest, ';');
	/* Other records may be here too: a "*" of the zone answers for this name as well. */
	if (!is(cut(&version, '='), "v") || !is(trim(version), VERSION_WORD))
		return;
	if (read_tags(NULL, rest))
		(void)read_tags(r, rest);
	else
		r->ignored++;
}

static void
read_answer(struct resolve_keys *r, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++)
		dnskeys_read(r, answer->record[i].text, answer->record[i].text_octets);
}

void
dnskeys_find(struct dns *dns, const char *host, int64_t deadline, struct resolve_keys *r)
{
	static struct dns_answer answer;
	char name[sizeof(OWNER_LABEL) + DNS_NAME];

	memset(r, 0, sizeof *r);
	r->outcome = RESOLVE_KEYS_NONE;
	snprintf(name, sizeof name, OWNER_LABEL "%s", host);
	if (!dns_name_is_valid(name)) /* too long for anybody to have made it */
		return;
	dns_ask(dns, name, ns_t_txt, deadline, &answer);
	if (answer.status == DNS_TEMPORARY) {
		r->outcome = RESOLVE_KEYS_TEMPORARY;
		return;
	}
	read_answer(r, &answer); /* empty unless DNS_FOUND */
	if (r->count > 0)
		r->outcome =
		    answer.authentic ? RESOLVE_KEYS_AUTHENTIC : RESOLVE_KEYS_UNAUTHENTIC;
	else
		r->outcome = answer.authentic ? RESOLVE_KEYS_DENIED : RESOLVE_KEYS_NONE;
}
