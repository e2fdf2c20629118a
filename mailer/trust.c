/*
 * trust - see trust.h.
 */
#include "mailer/trust.h"
#include "lib/key.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool
refuse(char *why, const struct hop *hop, const char *reason)
{
	(void)snprintf(why, TRUST_TEXT, "%.120s: %s", hop->host, reason);
	return false;
}

/* A term that ends later than any can was written while the clock was wrong. */
static bool
term_runs(const struct pins_key *key, int64_t now)
{
	return key->committed_until > now && key->committed_until <= now + TRUST_COMMITMENT_MAX;
}

/* A running commitment is a promise that the host will show one of its keys. */
static bool
commitment_runs(const struct pins_host *host, int64_t now)
{
	uint32_t i;

	for (i = 0; i < host->keys; i++)
		if (term_runs(&host->key[i], now))
			return true;
	return false;
}

/* Whom his own administrator tells to do without XPONY, no promise binds. */
static bool
is_committed(const struct trust *t)
{
	return t->policy.level != POLICY_NONE && commitment_runs(&t->known, t->now);
}

static struct pins_key *
find_key(struct pins_host *host, const uint8_t fingerprint[32])
{
	uint32_t i;

	for (i = 0; i < host->keys; i++)
		if (memcmp(host->key[i].fingerprint, fingerprint, 32) == 0)
			return &host->key[i];
	return NULL;
}

bool
trust_host(struct trust *t, const struct hop *hop, struct trust_terms *terms, char *why)
{
	char reason[POLICY_REASON_MAX];
	bool committed;

	t->verdict = "";
	t->note[0] = '\0';
	memset(&t->known, 0, sizeof(t->known));
	if (!policy_find(&t->policy, t->policy_file, hop->domain, reason)) {
		(void)snprintf(why, TRUST_TEXT, "%.*s", TRUST_TEXT - 1, reason);
		return false;
	}
	(void)pins_get(t->pins, hop->domain, hop->host, &t->known);
	committed = is_committed(t);
	terms->must_upgrade = t->policy.level >= POLICY_PINNED || t->policy.pq || committed;
	terms->strict = terms->must_upgrade || t->policy.level == POLICY_ENCRYPT;
	terms->may_descend = !t->policy.pq && !committed;
	terms->offer = t->policy.level != POLICY_NONE;
	terms->suites = t->policy.pq ? SESSION_SUITES_PQ : SESSION_SUITES_ALL;
	if (t->rot && (t->policy.level > POLICY_MAY || terms->must_upgrade))
		return refuse(why, hop, "policy or a commitment forbids ROTn");
	if (t->policy.level == POLICY_PINNED && t->policy.keys == 0 && pins_failed(t->pins))
		return refuse(why, hop, "policy pinned, and the pins cannot be read");
	/* Whoever forges an MX answer brings a host of his own: pinned knows its hosts. */
	if (t->policy.level == POLICY_PINNED && t->known.keys == 0 && !hop->mx_authentic &&
	    t->policy.keys == 0)
		return refuse(
		    why, hop, "policy pinned, and this host is not known for the domain");
	return true;
}

static bool
is_listed(const uint8_t (*list)[32], size_t n, const uint8_t fingerprint[32])
{
	size_t i;

	for (i = 0; i < n; i++)
		if (memcmp(list[i], fingerprint, 32) == 0)
			return true;
	return false;
}

/* Validated DNS for the host counts only when the answer that named the host was validated too.
 */
static void
ask_dns(struct trust *t, const struct hop *hop, struct trust_dns *dns)
{
	memset(dns, 0, sizeof(*dns));
	if (hop->mx_authentic && t->dns != NULL)
		t->dns(t->context, hop->host, dns);
}

static void
note_change(struct trust *t, const uint8_t fingerprint[32])
{
	char before[KEY_FINGERPRINT_MAX], now[KEY_FINGERPRINT_MAX];

	key_fingerprint_write(t->known.key[0].fingerprint, before);
	key_fingerprint_write(fingerprint, now);
	(void)snprintf(t->note, sizeof(t->note), "key changed from %s to %s", before, now);
}

/* While a commitment runs, only the keys that it speaks for count: those whose own term runs,
 * and those that such a host has announced. Else all that were shown or announced. */
static bool
is_acceptable(const struct pins_host *host, const struct pins_key *key, int64_t now)
{
	return !commitment_runs(host, now) || term_runs(key, now) || key->announced;
}

/* Does what we remember of the host vouch for this key? */
static bool
judge_by_pins(struct trust *t, const uint8_t fingerprint[32])
{
	const struct pins_key *key = find_key(&t->known, fingerprint);

	if (t->known.keys == 0) {
		t->verdict = "new";
		return true;
	}
	if (key == NULL || !is_acceptable(&t->known, key, t->now)) {
		t->verdict = "changed";
		note_change(t, fingerprint);
		return false;
	}
	t->verdict = key->last_seen == 0 ? "announced" : "known";
	return true;
}

/* Verdicts from the strongest ground down: the administrator's list, validated DNS, commitments
 * and pins. */
static bool
judge(struct trust *t, const struct hop *hop, const uint8_t fingerprint[32], char *why)
{
	bool pinned = judge_by_pins(t, fingerprint);
	struct trust_dns dns;

	if (t->policy.keys > 0) {
		if (!is_listed(
			(const uint8_t(*)[32])t->policy.key, t->policy.keys, fingerprint))
			return refuse(why, hop, "its key is not one that the policy lists");
		t->verdict = "listed";
		return true;
	}
	if (t->policy.level < POLICY_PINNED && (pinned || !commitment_runs(&t->known, t->now)))
		return true;
	if (t->policy.level == POLICY_PINNED && pinned)
		return true;
	ask_dns(t, hop, &dns);
	if (dns.known && is_listed((const uint8_t(*)[32])dns.key, dns.keys, fingerprint)) {
		t->verdict = "dns";
		return true;
	}
	if (t->policy.level == POLICY_VERIFY)
		return refuse(why, hop,
		    dns.temporary ? "policy verify, and DNS gives no answer now"
				  : "policy verify, and neither validated DNS nor the policy "
				    "names its key");
	return refuse(why, hop,
	    t->policy.level == POLICY_PINNED ? "policy pinned, and its key has changed"
					     : "its key has changed against its commitment");
}

struct sighting {
	const struct trust *t;
	const uint8_t *fingerprint;
	const struct commitment *commitment;
};

static bool
is_announced(const struct commitment *c, const uint8_t fingerprint[32])
{
	uint32_t n = c->keys < COMMITMENT_KEYS ? c->keys : COMMITMENT_KEYS;

	return is_listed(c->key, n, fingerprint);
}

/* Keeps the keys whose term runs, and with a promise the one that made it and those that it
 * speaks for. All others are strangers: whoever stood between us once would stay welcome. */
static void
forget_strangers(struct pins_host *host, const struct commitment *promise, int64_t now)
{
	uint32_t i, kept = 0;

	for (i = 0; i < host->keys; i++) {
		struct pins_key key = host->key[i];

		if (promise != NULL && i > 0)
			key.announced = is_announced(promise, key.fingerprint);
		if (term_runs(&key, now) || (promise != NULL && (i == 0 || key.announced)))
			host->key[kept++] = key;
	}
	host->keys = kept;
}

/* NULL when there is no room: no key that somebody speaks for makes way for another. */
static struct pins_key *
add_key(struct pins_host *host, const uint8_t fingerprint[32])
{
	struct pins_key *key;

	if (host->keys >= PINS_KEYS)
		return NULL;
	key = &host->key[host->keys++];
	memset(key, 0, sizeof(*key));
	memcpy(key->fingerprint, fingerprint, sizeof(key->fingerprint));
	return key;
}

/* The key that was shown last stands first: it is the pinned one. */
static struct pins_key *
to_front(struct pins_host *host, struct pins_key *key)
{
	struct pins_key moved = *key;

	memmove(host->key + 1, host->key, (size_t)(key - host->key) * sizeof(*key));
	host->key[0] = moved;
	return &host->key[0];
}

/* A key's age counts from when it was first shown. Announced keys start at zero; so does one
 * that gave way to another and comes back, unless its term runs: two interceptions that lie a
 * month apart are not a month. */
static void
note_age(const struct pins_host *host, struct pins_key *key, int64_t now)
{
	bool came_back = key != host->key && !term_runs(key, now);

	if (key->last_seen == 0 || came_back || key->first_seen > now)
		key->first_seen = now;
	key->last_seen = now;
	key->count++;
}

/* A commitment counts per key, and only for as long as the key has been known: one sighting
 * enforces nothing (PROTOCOL.md, "Commitments"). */
static void
commit(struct pins_key *key, const struct commitment *c, int64_t now)
{
	int64_t term = now - key->first_seen;

	key->max_age = c->max_age;
	if (term > c->max_age)
		term = c->max_age;
	if (term > TRUST_COMMITMENT_MAX)
		term = TRUST_COMMITMENT_MAX;
	key->committed_until = term > 0 ? now + term : 0;
}

/* A promise is whole: it names all keys that the host will show, and takes the place of what
 * was announced before. */
static void
announce(struct pins_host *host, const struct commitment *c, int64_t now)
{
	struct pins_key *key;
	uint32_t i;

	forget_strangers(host, c, now);
	for (i = 0; i < c->keys && i < COMMITMENT_KEYS; i++) {
		if (find_key(host, c->key[i]) != NULL ||
		    (key = add_key(host, c->key[i])) == NULL)
			continue;
		key->first_seen = now;
		key->announced = 1;
	}
}

static bool
note_sighting(struct pins_host *host, void *context)
{
	const struct sighting *s = context;
	const int64_t now = s->t->now;
	struct pins_key *key = find_key(host, s->fingerprint);

	host->last_upgraded = now;
	host->clear_deferred = 0;
	if (key == NULL) {
		forget_strangers(host, NULL, now);
		if ((key = add_key(host, s->fingerprint)) == NULL)
			return true;
	}
	note_age(host, key, now);
	key = to_front(host, key);
	if (!s->commitment->present)
		return true;
	commit(key, s->commitment, now);
	if (s->commitment->max_age > 0)
		announce(host, s->commitment, now);
	return true;
}

/* Behind what is in the note already. */
static void
note_forgotten(struct trust *t, const char *reason)
{
	size_t n = strlen(t->note);

	(void)snprintf(t->note + n, sizeof(t->note) - n, "%snot remembered: %.160s",
	    n > 0 ? "; " : "", reason);
}

bool
trust_peer(struct trust *t, const struct hop *hop, const uint8_t key[32], bool pq,
    const struct commitment *commitment, char *why)
{
	uint8_t fingerprint[crypto_hash_sha256_BYTES];
	struct sighting sighting = {t, fingerprint, commitment};
	char reason[PINS_REASON_MAX];
	bool noted;

	(void)crypto_hash_sha256(fingerprint, key, 32);
	if (t->policy.pq && !pq)
		return refuse(why, hop, "policy pq, and this suite is classical");
	if (!judge(t, hop, fingerprint, why))
		return false;
	if (t->look_only)
		return true;
	noted = t->pins != NULL &&
		pins_update(t->pins, hop->domain, hop->host, note_sighting, &sighting, reason);
	if (t->pins != NULL && !noted)
		note_forgotten(t, reason);
	/* A first key that is not remembered would be a first key for ever. */
	if (t->policy.level == POLICY_PINNED && t->known.keys == 0 && t->policy.keys == 0 &&
	    !noted)
		return refuse(
		    why, hop, "policy pinned, and its first key cannot be remembered");
	return true;
}

static bool
note_deferral(struct pins_host *host, void *context)
{
	(void)context;
	host->clear_deferred = 1;
	return true;
}

/* A host that spoke XPONY lately and does not now: its mail waits once, in case somebody stands
 * between. */
static bool
is_missed(struct trust *t, const struct hop *hop)
{
	char reason[PINS_REASON_MAX];

	if (t->known.last_upgraded == 0 || t->known.last_upgraded + TRUST_MEMORY < t->now)
		return false;
	/* The one deferral is of the whole delivery, not of a host's first address. */
	if (t->known.clear_deferred)
		return t->deferred;
	/* What cannot be written down would be deferred for ever. */
	if (t->look_only ||
	    pins_update(t->pins, hop->domain, hop->host, note_deferral, NULL, reason))
		t->deferred = true;
	return t->deferred;
}

bool
trust_clear(struct trust *t, const struct hop *hop, bool starttls, bool *enforce_tls, char *why)
{
	*enforce_tls = t->policy.level == POLICY_ENCRYPT;
	if (t->policy.level >= POLICY_PINNED || t->policy.pq)
		return refuse(why, hop, "policy demands XPONY, and the host did not upgrade");
	if (is_committed(t))
		return refuse(why, hop, "its commitment runs, and the host did not upgrade");
	if (t->policy.level == POLICY_ENCRYPT) {
		if (!starttls)
			return refuse(why, hop,
			    "policy encrypt, and the host has neither XPONY nor STARTTLS");
		return true;
	}
	if (t->policy.level == POLICY_MAY && !t->rot && is_missed(t, hop))
		return refuse(
		    why, hop, "it spoke XPONY before and does not now; trying once more later");
	return true;
}
