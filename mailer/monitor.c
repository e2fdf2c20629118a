/*
 * monitor - see monitor.h. The engine is taken for an attacker's: each request is checked, and
 * comes once a connection where it is about a key. There are only so many connections: a route
 * has an end, and so has the patience with one host.
 */
#include "mailer/monitor.h"
#include "lib/clock.h"
#include "lib/launch.h"
#include "lib/log.h"
#include "lib/request.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define DNS_MS 20000 /* for the keys of one host */
#define CLEARS_MAX 16

static void
add_relay(struct log_line *l, const struct hop *hop)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;

	if (hop->host[0] == '\0')
		return;
	if (inet_pton(AF_INET, hop->address, &in->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, hop->address, &in6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	log_add_peer(l, "relay", hop->host, (const struct sockaddr *)&address);
}

/* Whose mail it is, as the policy file would have it. */
static void
add_destination(struct log_line *l, const struct hop *hop)
{
	if (hop->host[0] != '\0')
		log_add(l, "destination", hop->domain);
}

static void
add_hop(struct log_line *l, const struct hop *hop)
{
	add_relay(l, hop);
	add_destination(l, hop);
}

/* For -v: the steps of a delivery as they are taken. */
static void
log_step(const struct monitor *m, const char *what)
{
	struct log_line l;

	log_start(&l, m->queue_id);
	log_words(&l, what);
	add_hop(&l, &m->hop);
	log_add_number(&l, "ms", clock_ms() - m->started);
	log_send(&l, LOG_DEBUG);
}

static void
log_upgrade_failed(const struct monitor *m, const char *why, const char *next)
{
	struct log_line l;

	log_start(&l, m->queue_id);
	log_words(&l, "upgrade failed");
	add_hop(&l, &m->hop);
	log_add(&l, "reason", why);
	log_add(&l, "next", next);
	log_send(&l, LOG_WARNING);
}

/* A key that changed, a host that policy turns down: loudly, for a person should look at it. */
static void
log_distrust(const struct monitor *m, const char *what, const char *why)
{
	struct log_line l;

	log_start(&l, m->queue_id);
	log_words(&l, what);
	add_hop(&l, &m->hop);
	log_add(&l, "reason", why);
	log_send(&l, LOG_WARNING);
}

/* An honest engine never comes here. */
static bool
broke_bounds(const struct monitor *m, const char *how)
{
	struct log_line l;

	log_start(&l, m->queue_id);
	log_words(&l, "engine broke its bounds");
	add_hop(&l, &m->hop);
	log_add(&l, "reason", how);
	log_send(&l, LOG_ERR);
	return false;
}

static void
set_refusal(struct session_answer *a, const struct verdict *v)
{
	(void)snprintf(a->text, sizeof(a->text), "%d %s %.*s", v->code, v->enhanced,
	    (int)(sizeof(a->text) - 32), v->text);
}

/* What a reply begins with, "550 " or "550-"; 0: this is none. */
static int
reply_code(const char *said)
{
	if (strspn(said, "0123456789") != 3 || (said[3] != ' ' && said[3] != '-'))
		return 0;
	return (said[0] - '0') * 100 + (said[1] - '0') * 10 + (said[2] - '0');
}

/* The code, enhanced code and text of a reply that the engine heard from the host it is
 * leaving, or, without a code, what went wrong there. */
static void
note_refusal(struct monitor *m, const char *said)
{
	char enhanced[12] = "", text[SESSION_TEXT_MAX + ROUTE_TEXT], host[ROUTE_TEXT];
	const int code = reply_code(said);
	int used = code > 0 ? 4 : 0;

	if (sscanf(said + used, "%11[0-9.]", enhanced) == 1)
		used += (int)strlen(enhanced);
	while (said[used] == ' ')
		used++;
	(void)snprintf(text, sizeof(text), "%s%s %s", hop_text(&m->hop, host, sizeof(host)),
	    code > 0 ? " said:" : ":", said + used);
	route_note_failure(m->route, code, enhanced, text);
}

static bool
turn_down(struct monitor *m, const char *why)
{
	log_distrust(m, "host turned down", why);
	route_note_failure(m->route, 451, "4.7.5", why);
	m->turned_down = true;
	return false;
}

/* The next connection to the same host after a failed upgrade (PROTOCOL.md, "Falling back"):
 * one more try, then the classical suites when the line itself was the trouble, then none;
 * false when policy forbids to go on. */
static bool
descend(struct monitor *m, const struct session_request *q)
{
	const struct suite *failed = suite_find(q->suite, strlen(q->suite));
	struct trust_terms *terms = &m->terms;
	const char *next = "retry";
	char why[TRUST_TEXT];

	m->failed_upgrades++;
	if (m->failed_upgrades > 1 && terms->may_descend &&
	    terms->suites == SESSION_SUITES_ALL && q->fault == ERR_REFUSED && failed != NULL &&
	    failed->psk3) {
		terms->suites = SESSION_SUITES_CLASSICAL;
		next = "classical suite";
	} else if (m->failed_upgrades > 1 && !terms->must_upgrade) {
		terms->offer = false;
		next = "without XPONY";
	} else if (m->failed_upgrades > 1) {
		log_upgrade_failed(m, q->text, "none");
		(void)snprintf(why, sizeof(why),
		    "%.100s: upgrade failed, and policy or a commitment demands it: %.150s",
		    m->hop.host, q->text);
		return turn_down(m, why);
	}
	log_upgrade_failed(m, q->text, next);
	return true;
}

static int
find_kept(void *context, const struct hop *hop)
{
	struct monitor *m = context;

	return keep_find(m->keep, hop, &m->record);
}

/* Is the kept session what a new connection would come to, for this mail? Judged as if its
 * handshake were just done. Nothing is written down: that was done when it was. What would be
 * worth a line in the log, a new key or another one, is for a new connection. */
static bool
take_kept(struct monitor *m)
{
	const struct keep_record *r = &m->record;
	const struct suite *suite = suite_find(r->suite, strlen(r->suite));
	char why[TRUST_TEXT];
	bool trusted;

	if (suite == NULL || !m->terms.offer ||
	    (m->terms.suites != SESSION_SUITES_ALL &&
		suite->psk3 != (m->terms.suites == SESSION_SUITES_PQ)))
		return false;
	m->trust.look_only = true;
	trusted = trust_peer(&m->trust, &m->hop, r->key, suite->psk3, &r->commitment, why) &&
		  m->trust.note[0] == '\0' && strcmp(m->trust.verdict, "new") != 0;
	m->trust.look_only = false;
	if (trusted && keep_take(m->hop.fd))
		return true;
	m->trust.note[0] = '\0';
	m->trust.verdict = "";
	return false;
}

/* Connects to the next host that policy and pins do not turn down. */
static enum route_step
next_host(struct monitor *m, struct verdict *v)
{
	enum route_step step;
	char why[TRUST_TEXT];

	while ((step = route_next(m->route, m->engine, &m->hop, v)) == ROUTE_CONNECTED) {
		m->failed_upgrades = 0;
		if (!trust_host(&m->trust, &m->hop, &m->terms, why)) {
			(void)turn_down(m, why);
			(void)close(m->hop.fd);
			continue;
		}
		if (!m->hop.kept || take_kept(m))
			break;
		(void)close(m->hop.fd);
		if ((step = route_again(m->route, m->engine, &m->hop, v)) != ROUTE_EXHAUSTED)
			break;
	}
	m->turned_down = false;
	return step;
}

static enum route_step
next_step(struct monitor *m, const struct session_request *q, struct verdict *v)
{
	bool connected = m->hop.host[0] != '\0';

	if (connected && q->reason == SESSION_HOP_UPGRADE) {
		if (descend(m, q) &&
		    route_again(m->route, m->engine, &m->hop, v) == ROUTE_CONNECTED)
			return ROUTE_CONNECTED;
	} else if (connected && q->reason == SESSION_HOP_KEPT) {
		log_step(m, "kept session lost");
		route_keep(m->route, NULL, NULL); /* one disappointment is enough */
		if (route_again(m->route, m->engine, &m->hop, v) == ROUTE_CONNECTED)
			return ROUTE_CONNECTED;
	} else if (connected && !m->turned_down) {
		if (q->fault == ERR_TIMEOUT)
			route_note_dead(m->route);
		note_refusal(m, q->text);
	}
	return next_host(m, v);
}

/* No handshake is to come: all that it would show is known. */
static void
tell_kept(struct monitor *m, struct session_answer *a)
{
	a->kept = true;
	memcpy(a->key, m->record.key, sizeof(a->key));
	memcpy(a->suite, m->record.suite, sizeof(a->suite));
	memcpy(m->peer, m->record.key, sizeof(m->peer));
	m->has_peer = true;
}

/* False when the engine is gone. */
static bool
answer_hop(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_HOP};
	struct verdict v;
	bool sent;

	/* Where no offer was to be taken up, none can have failed. */
	if (m->exhausted || (q->reason == SESSION_HOP_UPGRADE && !m->terms.offer) ||
	    (q->reason == SESSION_HOP_KEPT && !m->hop.kept))
		return broke_bounds(m, "host");
	m->dh_granted = m->has_peer = m->trusted = false;
	m->clears = 0;
	if (m->route == NULL) {
		m->exhausted = true;
		(void)snprintf(
		    a.text, sizeof(a.text), "%.*s", (int)sizeof(a.text) - 1, m->verdict);
		return request_answer(m->engine, &a, -1);
	}
	switch (next_step(m, q, &v)) {
	case ROUTE_HANGUP:
		return true; /* its report may still wait to be read */
	case ROUTE_EXHAUSTED:
		m->exhausted = true;
		m->hop.host[0] = '\0';
		set_refusal(&a, &v);
		return request_answer(m->engine, &a, -1);
	case ROUTE_CONNECTED:
		break;
	}
	m->connected = clock_ms();
	log_step(m, m->hop.kept ? "kept session taken" : "connected");
	if (m->hop.kept)
		tell_kept(m, &a);
	a.granted = true;
	a.offer = m->terms.offer;
	a.suites = (uint8_t)m->terms.suites;
	a.strict = m->terms.strict;
	(void)snprintf(a.host, sizeof(a.host), "%s", m->hop.host);
	(void)snprintf(a.address, sizeof(a.address), "[%s%s]",
	    strchr(m->hop.address, ':') != NULL ? "IPv6:" : "", m->hop.address);
	sent = request_answer(m->engine, &a, m->hop.fd);
	(void)close(m->hop.fd);
	return sent;
}

static bool
answer_dh(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_DH};
	bool sent;

	/* One a connection (PROTOCOL.md, "Static keys"): an engine that was taken over is no
	 * oracle. */
	if (m->dh_granted || m->hop.host[0] == '\0' || m->hop.kept || !m->terms.offer)
		return broke_bounds(m, "Diffie-Hellman");
	m->dh_granted = true;
	a.granted = key_dh(m->key, q->key, a.dh);
	sent = request_answer(m->engine, &a, -1);
	sodium_memzero(&a, sizeof(a));
	return sent;
}

static bool
answer_peer(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_PEER};
	const struct suite *suite = suite_find(q->suite, strlen(q->suite));
	char why[TRUST_TEXT];

	if (!m->dh_granted || m->has_peer)
		return broke_bounds(m, "peer");
	memcpy(m->peer, q->key, sizeof(m->peer));
	m->has_peer = true;
	log_step(m, "host has proved its key");
	route_note_alive(m->route);
	a.granted = trust_peer(
	    &m->trust, &m->hop, q->key, suite != NULL && suite->psk3, &q->commitment, why);
	if (m->trust.note[0] != '\0')
		log_distrust(m, "host key", m->trust.note);
	m->trusted = a.granted;
	if (!a.granted)
		(void)turn_down(m, why);
	memcpy(m->record.key, q->key, sizeof(m->record.key));
	memcpy(m->record.suite, q->suite, sizeof(m->record.suite));
	m->record.commitment = q->commitment;
	return request_answer(m->engine, &a, -1);
}

static bool
answer_clear(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_CLEAR};
	char why[TRUST_TEXT];
	bool enforce_tls;

	if (m->hop.host[0] == '\0' || m->has_peer || ++m->clears > CLEARS_MAX)
		return broke_bounds(m, "clear");
	route_note_alive(m->route);
	a.granted = trust_clear(&m->trust, &m->hop, q->starttls, &enforce_tls, why);
	a.enforce_tls = enforce_tls;
	if (!a.granted)
		(void)turn_down(m, why);
	return request_answer(m->engine, &a, -1);
}

static void
log_report(const struct monitor *m, const struct session_report *r)
{
	char fingerprint[KEY_FINGERPRINT_MAX];
	struct log_line l;

	log_start(&l, m->queue_id);
	add_relay(&l, &m->hop);
	log_add(&l, "suite", r->suite[0] != '\0' ? r->suite : "none");
	if (m->has_peer) {
		key_fingerprint(m->peer, fingerprint);
		log_add(&l, "key", fingerprint);
		log_add(&l, "trust", m->trust.verdict);
	}
	if (m->hop.kept)
		log_add_number(&l, "kept", m->record.mails);
	log_add_number(&l, "messages", (long long)r->messages);
	log_add_number(&l, "octets", (long long)r->octets);
	if (r->refused > 0)
		log_add_number(&l, "refused", (long long)r->refused);
	add_destination(&l, &m->hop);
	if (r->fault != ERR_NONE)
		log_add(&l, "fault", err_text((enum err)r->fault));
	if (r->verdict[0] != '\0')
		log_add(&l, "stat", r->verdict);
	if (m->key_is_fresh && m->has_peer)
		log_add(&l, "own-key", "none, fresh one used");
	log_add_number(&l, "ms", clock_ms() - m->started);
	log_send(&l, LOG_INFO);
}

static void
log_engine_lost(const struct monitor *m)
{
	char how[LAUNCH_HOW_MAX];
	struct log_line l;

	launch_end(m->engine_pid, true, how);
	log_start(&l, m->queue_id);
	log_words(&l, "engine ended without a report");
	add_hop(&l, &m->hop);
	log_add(&l, "reason", how);
	log_send(&l, LOG_ERR);
}

/* For trust: what validated DNS says of a host's keys. */
static void
ask_dns(void *context, const char *host, struct trust_dns *dns)
{
	struct monitor *m = context;
	struct resolve_keys r;
	uint32_t i;

	if (!resolve_keys(m->resolver, host, clock_ms() + DNS_MS, m->engine, &r)) {
		dns->temporary = true;
		return;
	}
	dns->temporary = r.outcome == RESOLVE_KEYS_TEMPORARY;
	dns->known = r.outcome == RESOLVE_KEYS_AUTHENTIC;
	for (i = 0; dns->known && i < r.count && i < PINS_KEYS; i++)
		memcpy(dns->key[dns->keys++], r.key[i], RESOLVE_KEY_HASH);
}

/* The mail is done, and the session is ready for another. Only one that is as good as any new
 * one would be: no fresh key, which no other mailer has, and no upgrade that failed before. */
static bool
hear_ready(struct monitor *m, const struct session_request *q)
{
	const struct session_answer no = {.kind = SESSION_ASK_MAIL};

	if (m->keep == NULL || !m->trusted)
		return broke_bounds(m, "mail");
	log_report(m, &q->report);
	m->reported = true;
	m->keeps = !m->key_is_fresh && m->failed_upgrades == 0 && m->trust.pins != NULL;
	if (m->keeps) {
		keep_identify(m->keep, &m->hop, &m->record.identity);
		m->record.mails = 1;
	} else {
		(void)request_answer(m->engine, &no, -1);
	}
	return false;
}

/* False at the end: it has reported, broken its bounds, or cannot be answered. */
static bool
serve_request(struct monitor *m, const struct session_request *q)
{
	switch ((enum session_request_kind)q->kind) {
	case SESSION_ASK_HOP:
		return answer_hop(m, q);
	case SESSION_ASK_DH:
		return answer_dh(m, q);
	case SESSION_ASK_PEER:
		return answer_peer(m, q);
	case SESSION_ASK_CLEAR:
		return answer_clear(m, q);
	case SESSION_TELL_DONE:
		log_report(m, &q->report);
		m->reported = true;
		return false;
	case SESSION_ASK_MAIL:
		return hear_ready(m, q);
	case SESSION_ASK_BACKEND:
	case SESSION_TELL_SETTLED:
		break;
	}
	return broke_bounds(m, "request");
}

void
monitor_run(struct monitor *m)
{
	struct session_request q;
	enum request_result result;

	m->trust.dns = ask_dns;
	m->trust.context = m;
	if (m->keep != NULL && m->route != NULL && m->trust.pins != NULL)
		route_keep(m->route, find_kept, m);
	while ((result = request_receive(m->engine, &q)) == REQUEST_OK && serve_request(m, &q))
		;
	if (m->reported)
		return;
	if (result == REQUEST_BAD)
		(void)broke_bounds(m, "request");
	log_engine_lost(m);
}
