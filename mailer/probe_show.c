/*
 * probe_show - what a probe found, for a person or (--json) for a program. See probe.h.
 *
 * Colour and progress are for terminals; NO_COLOR in the environment turns the first off.
 */
#include "mailer/probe.h"
#include "lib/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DATE_MAX 32
#define RTT_MIN_US 2000 /* below, round trips are not what takes the time */

static size_t shown; /* hosts and faults so far */

static const char *
date_text(int64_t when, char text[DATE_MAX])
{
	const time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(text, DATE_MAX, "%Y-%m-%d", &tm) == 0)
		(void)strlcpy(text, "?", DATE_MAX);
	return text;
}

static bool
is_hybrid(const struct probe_session *s)
{
	const struct suite *suite = suite_find(s->suite, strlen(s->suite));

	return suite != NULL && suite->psk3;
}

/* What becomes of mail at this host, in one word of the log's vocabulary. */
static const char *
end_word(const struct probe_host *h)
{
	switch (h->end) {
	case PROBE_ENCRYPTED:
		return "encrypted";
	case PROBE_OTHERWISE:
		return h->session.starttls ? "starttls" : "clear";
	case PROBE_NOT_NOW:
		break;
	}
	return "not now";
}

static const char *
colour(const struct probe_host *h, bool on)
{
	if (!isatty(STDOUT_FILENO) || getenv("NO_COLOR") != NULL)
		return "";
	if (!on)
		return "\033[0m";
	return h->end == PROBE_ENCRYPTED ? "\033[32m"
	       : h->end == PROBE_NOT_NOW ? "\033[31m"
					 : "\033[33m";
}

/* The words behind "encrypted": which suite, and what speaks for the key. */
static void
print_verdict(const struct probe_host *h)
{
	const struct probe_session *s = &h->session;

	(void)printf("%s%s%s", colour(h, true), end_word(h), colour(h, false));
	if (h->end == PROBE_ENCRYPTED)
		(void)printf(", %s, key %s", is_hybrid(s) ? "hybrid" : s->suite, h->trust);
	else if (h->end == PROBE_NOT_NOW)
		(void)printf(": %s", h->why);
	else if (s->has_peer)
		(void)printf(", though it has XPONY: policy none");
	else if (s->fault[0] != '\0')
		(void)printf(": %s", s->fault);
}

static void
print_pins(const struct probe_host *h)
{
	const struct pins_key *key = &h->known.key[0];
	char fingerprint[KEY_FINGERPRINT_MAX], date[DATE_MAX];

	if (h->known.keys == 0)
		return;
	key_fingerprint_write(key->fingerprint, fingerprint);
	(void)printf("    remembered  %s\n", fingerprint);
	(void)printf("                since %s, %" PRIu32 " sessions",
	    date_text(key->first_seen, date), key->count);
	if (key->committed_until > 0)
		(void)printf(", committed until %s", date_text(key->committed_until, date));
	(void)printf("\n");
}

static const char *
dns_word(const struct resolve_keys *dns)
{
	switch (dns->outcome) {
	case RESOLVE_KEYS_AUTHENTIC:
		return "authentic";
	case RESOLVE_KEYS_UNAUTHENTIC:
		return "not signed";
	case RESOLVE_KEYS_TEMPORARY:
		return "no answer";
	default:
		return "none";
	}
}

static void
print_dns(const struct probe_host *h)
{
	char fingerprint[KEY_FINGERPRINT_MAX];
	uint32_t i;

	if (h->dns.count == 0 && h->dns.outcome != RESOLVE_KEYS_TEMPORARY)
		return;
	(void)printf("    in DNS      keys: %s%s\n", dns_word(&h->dns),
	    h->at->mx_authentic ? "" : "; the MX record is not");
	for (i = 0; i < h->dns.count && i < RESOLVE_KEYS; i++) {
		key_fingerprint_write(h->dns.key[i], fingerprint);
		(void)printf("                %s\n", fingerprint);
	}
}

static void
print_session(const struct probe_session *s)
{
	char fingerprint[KEY_FINGERPRINT_MAX];

	if (s->has_peer) {
		key_fingerprint(s->key, fingerprint);
		(void)printf("    XPONY       %s, offered in its %s\n    key         %s\n",
		    s->suite, s->by_hint ? "greeting" : "EHLO reply", fingerprint);
	}
	if (s->commitment.present)
		(void)printf("    promise     to keep to its keys for %" PRIu32
			     " days; %" PRIu32 " more announced\n",
		    s->commitment.max_age / 86400, s->commitment.keys);
	if (s->keywords[0] != '\0')
		(void)printf("    EHLO        %s\n", s->keywords);
	if (!s->connected)
		return;
	(void)printf("    time        connected %d ms, ", s->connect_ms);
	if (s->has_peer)
		(void)printf("key proved %d ms, ", s->proved_ms);
	(void)printf("QUIT answered %d ms", s->total_ms);
	if (s->rtt_us >= RTT_MIN_US)
		(void)printf(": %.1f round trips of %.1f ms", s->total_ms * 1000.0 / s->rtt_us,
		    s->rtt_us / 1000.0);
	(void)printf("\n");
}

static void
print_host(const struct probe_host *h)
{
	if (h->at->host[0] == '[')
		(void)printf("%s\n", h->at->host);
	else
		(void)printf(
		    "%s [%s], preference %u\n", h->at->host, h->address, h->at->preference);
	print_session(&h->session);
	print_pins(h);
	print_dns(h);
	(void)printf("    policy      %s%s%s\n", policy_word(h->policy.level),
	    h->policy.pq ? " pq" : "", h->policy.line == 0 ? " (no line)" : "");
	(void)printf("    mail        ");
	print_verdict(h);
	(void)printf("\n");
}

static void
put_text(const char *name, const char *text)
{
	(void)printf(", \"%s\": ", name);
	json_text(stdout, text);
}

static void
put_bool(const char *name, bool value)
{
	(void)printf(", \"%s\": %s", name, value ? "true" : "false");
}

static void
put_fingerprints(const char *name, const uint8_t (*list)[KEY_HASH], size_t n)
{
	char fingerprint[KEY_FINGERPRINT_MAX];
	size_t i;

	(void)printf(", \"%s\": [", name);
	for (i = 0; i < n; i++) {
		key_fingerprint_write(list[i], fingerprint);
		(void)printf("%s\"%s\"", i > 0 ? ", " : "", fingerprint);
	}
	(void)printf("]");
}

static void
put_session(const struct probe_session *s)
{
	char fingerprint[KEY_FINGERPRINT_MAX] = "";

	if (s->has_peer)
		key_fingerprint(s->key, fingerprint);
	put_bool("connected", s->connected);
	put_bool("xpony", s->has_peer);
	put_bool("starttls", s->starttls);
	put_text("suite", s->suite);
	put_text("key", fingerprint);
	put_text("ehlo", s->keywords);
	put_text("fault", s->fault);
	if (s->commitment.present)
		(void)printf(", \"max_age\": %" PRIu32, s->commitment.max_age);
	(void)printf(", \"connect_ms\": %d, \"proved_ms\": %d, \"total_ms\": %d, \"rtt_ms\": "
		     "%.3f",
	    s->connect_ms, s->proved_ms, s->total_ms, s->rtt_us / 1000.0);
}

static void
put_host(const struct probe_host *h)
{
	uint8_t known[PINS_KEYS][KEY_HASH];
	uint32_t i;

	(void)printf("%s\n  {\"domain\": ", shown > 0 ? "," : "");
	json_text(stdout, h->domain);
	put_text("host", h->at->host);
	put_text("address", h->address);
	(void)printf(", \"preference\": %u", h->at->preference);
	put_session(&h->session);
	for (i = 0; i < h->known.keys; i++)
		memcpy(known[i], h->known.key[i].fingerprint, KEY_HASH);
	put_fingerprints("remembered", (const uint8_t(*)[KEY_HASH])known, h->known.keys);
	put_fingerprints("dns_keys", (const uint8_t(*)[KEY_HASH])h->dns.key, h->dns.count);
	put_text("dns", dns_word(&h->dns));
	put_bool("mx_authentic", h->at->mx_authentic);
	put_text("policy", policy_word(h->policy.level));
	put_bool("pq", h->policy.pq);
	put_text("trust", h->trust);
	put_text("mail", end_word(h));
	put_text("reason", h->why);
	(void)printf("}");
}

void
probe_show_start(const struct probe *p)
{
	if (p->json)
		(void)printf("{\"hosts\": [");
}

void
probe_show_progress(const char *host, const char *address)
{
	if (!isatty(STDERR_FILENO))
		return;
	(void)fflush(stdout);
	if (host == NULL)
		(void)fprintf(stderr, "\r\033[K");
	else
		(void)fprintf(stderr, "\r\033[K%s [%s] ...", host, address);
}

void
probe_show_host(const struct probe *p, const struct probe_host *h)
{
	if (p->json)
		put_host(h);
	else
		print_host(h);
	shown++;
}

void
probe_show_fault(const struct probe *p, const char *domain, const char *fault)
{
	if (p->json) {
		(void)printf("%s\n  {\"domain\": ", shown > 0 ? "," : "");
		json_text(stdout, domain);
		put_text("fault", fault);
		(void)printf("}");
	} else {
		(void)printf("%s\n", fault);
	}
	shown++;
}

void
probe_show_end(const struct probe *p, const struct probe_host *best)
{
	const char *name = p->list.item[0].name;

	if (p->json) {
		(void)printf("\n], \"mail\": ");
		json_text(stdout, end_word(best));
		put_text("to", best->at != NULL ? best->at->host : "");
		(void)printf(", \"status\": %d}\n", (int)best->end);
		return;
	}
	(void)printf("%s: mail %s%s%s", name,
	    best->end == PROBE_NOT_NOW ? "would not go now" : "would go ",
	    best->end == PROBE_NOT_NOW ? "" : "to ",
	    best->end == PROBE_NOT_NOW ? "" : best->at->host);
	if (best->end != PROBE_NOT_NOW) {
		(void)printf(", ");
		print_verdict(best);
	}
	(void)printf("\n");
}
