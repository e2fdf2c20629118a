/*
 * monitor - see monitor.h. The engine is taken for an attacker's: each request is checked,
 * comes when it may (enum monitor_step), and once.
 */
#include "receiver/monitor.h"
#include "lib/clock.h"
#include "lib/launch.h"
#include "lib/log.h"
#include "lib/request.h"
#include "lib/sandbox.h"
#include "receiver/backend.h"
#include "receiver/pair.h"
#include "receiver/relaykeys.h"
#include "receiver/remote.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

static void
log_fault(const struct monitor *m, const char *what, const char *why)
{
	struct log_line l;

	log_start(&l, NULL);
	log_words(&l, what);
	log_add_peer(&l, "peer", NULL, (const struct sockaddr *)&m->client);
	log_add(&l, "reason", why);
	log_send(&l, LOG_ERR);
}

/* For -v: the steps of a session as they are taken. */
static void
log_step(const struct monitor *m, const char *what)
{
	struct log_line l;

	log_start(&l, NULL);
	log_words(&l, what);
	log_add_peer(&l, "peer", NULL, (const struct sockaddr *)&m->client);
	log_add_number(&l, "ms", clock_ms() - m->started);
	log_send(&l, LOG_DEBUG);
}

/* An honest engine never comes here. */
static bool
broke_bounds(const struct monitor *m, const char *how)
{
	log_fault(m, "engine broke its bounds", how);
	return false;
}

/* The name that the client meant is not held against it: vanity MX names are everywhere. */
static bool
answer_peer(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_PEER, .granted = true};

	if (m->step >= MONITOR_PEER || m->settled || m->key == NULL)
		return broke_bounds(m, "peer");
	m->step = MONITOR_PEER;
	memcpy(m->peer, q->key, sizeof(m->peer));
	m->has_peer = true;
	(void)snprintf(m->meant, sizeof(m->meant), "%s", q->name);
	log_step(m, "peer has proved its key");
	return request_answer(m->engine, &a, -1);
}

static bool
answer_dh(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_DH};
	bool sent;

	/* One a connection (PROTOCOL.md, "Static keys"), and for the peer that was named: an
	 * engine that was taken over is no oracle. Then the key has done its work. */
	if (m->step != MONITOR_PEER || m->settled)
		return broke_bounds(m, "Diffie-Hellman");
	m->step = MONITOR_DH;
	a.granted = key_dh(m->key, q->key, a.dh);
	key_free(m->key);
	m->key = NULL;
	if (!a.granted)
		(void)snprintf(a.text, sizeof(a.text), "%s", err_reply(ERR_CRYPTO));
	sent = request_answer(m->engine, &a, -1);
	sodium_memzero(&a, sizeof(a));
	return sent;
}

/* No privilege from now on, only the log and what is open. */
static bool
wall_in(struct monitor *m)
{
	const struct sandbox walls = {
	    .role = SANDBOX_MONITOR, .root = -1, .user = m->user, .group = m->group};

	if (m->walled)
		return true;
	if (!sandbox_enter(&walls)) {
		log_fault(m, "cannot give up root", strerror(errno));
		return false;
	}
	m->walled = true;
	return true;
}

/* Nothing is left to start: no key either. */
static bool
settle(struct monitor *m)
{
	if (m->settled)
		return true;
	key_free(m->key);
	m->key = NULL;
	if (m->remote != NULL)
		remote_close(m->remote);
	m->settled = wall_in(m);
	return m->settled;
}

/* Did the client mean this host, by any of its names? */
static bool
is_meant(const struct monitor *m)
{
	char name[sizeof(m->meant)];
	const char *next = m->own_names;
	size_t n;

	if (relaykeys_is_own_name(m->meant, m->name))
		return true;
	while (next != NULL) {
		n = strcspn(next, ",");
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, next);
		if (relaykeys_is_own_name(m->meant, name))
			return true;
		next = next[n] == ',' ? next + n + 1 : NULL;
	}
	return false;
}

/* May the peer relay? It has proved its key; but to whom it thought it did decides, or a man in
 * the middle could pass on to us a handshake that was for another (PROTOCOL.md, "Payloads"). */
static bool
may_relay(const struct monitor *m)
{
	char why[RELAYKEYS_REASON_MAX];
	struct relaykeys r;

	if (!relaykeys_find(&r, m->relay_keys, m->peer, why)) {
		log_fault(m, "nobody may relay by key", why);
		return false;
	}
	if (r.listed && !is_meant(m)) {
		(void)snprintf(why, sizeof(why), "its key is listed, but it meant %s",
		    m->meant[0] != '\0' ? m->meant : "no host in particular");
		log_fault(m, "no relaying", why);
		return false;
	}
	return r.listed;
}

/* What sendmail is to be told of the session. False when no such suite was on offer. */
static bool
describe(const struct monitor *m, const struct session_request *q, struct backend_about *about,
    char fingerprint[KEY_FINGERPRINT_MAX])
{
	static char rot[16];
	size_t i;

	memset(about, 0, sizeof(*about));
	about->upgraded = q->upgraded != 0;
	if (!about->upgraded)
		return true;
	if (m->rot > 0) {
		(void)snprintf(rot, sizeof(rot), "ROT%d", m->rot);
		about->suite = rot;
		return true;
	}
	for (i = 0; i < m->suites->count; i++)
		if (strcmp(m->suites->suite[i]->name, q->suite) == 0)
			break;
	if (i == m->suites->count)
		return false;
	about->suite = m->suites->suite[i]->name;
	about->bits = m->suites->suite[i]->bits;
	key_fingerprint(m->peer, fingerprint);
	about->key = fingerprint;
	about->relay = m->remote == NULL && may_relay(m); /* a TCP server is told nothing */
	return true;
}

/* A back end on its end of a fresh TCP pair; our end, or -1 with the reason. */
static int
start_backend(struct monitor *m, const struct backend_about *about, char *why, size_t cap)
{
	int fds[2];
	pid_t pid;

	if (!pair_make(&m->client, &m->local, m->namespace, fds, why, cap))
		return -1;
	pid = backend_start(m->backend, fds[PAIR_SERVER], about, why, cap);
	(void)close(fds[PAIR_SERVER]);
	if (pid > 0) {
		log_step(m, "back end started");
		return fds[PAIR_CLIENT];
	}
	(void)close(fds[PAIR_CLIENT]);
	return -1;
}

/* A connection to the TCP server, or -1 with the reason and the reply's code. */
static int
connect_backend(struct monitor *m, const char **code, char *why, size_t cap)
{
	int fd;

	switch (remote_connect(m->remote, &fd, why, cap)) {
	case REMOTE_CONNECTED:
		log_step(m, "back end connected");
		return fd;
	case REMOTE_WRONG:
		*code = "4.3.5";
		break;
	case REMOTE_DOWN:
		break;
	}
	return -1;
}

static int
find_backend(struct monitor *m, const struct backend_about *about, char reply[SESSION_TEXT_MAX])
{
	const char *code = "4.3.0";
	char why[BACKEND_WHY_MAX] = "";
	int fd = m->remote == NULL ? start_backend(m, about, why, sizeof(why))
				   : connect_backend(m, &code, why, sizeof(why));

	if (fd >= 0)
		return fd;
	log_fault(m, "no back end", why);
	(void)snprintf(reply, SESSION_TEXT_MAX,
	    "421 %s %.255s Service not available, closing connection", code, m->name);
	return -1;
}

/* Is this client kept from every back end? The reply then says why. That mail in clear is not
 * taken where none is wanted, is the engine's to see to (enum session_demand). */
static bool
is_shut_out(
    const struct monitor *m, const struct backend_about *about, char reply[SESSION_TEXT_MAX])
{
	if (m->peers_unknown) {
		(void)snprintf(reply, SESSION_TEXT_MAX,
		    "421 4.3.5 %.255s System incorrectly configured", m->name);
		return true;
	}
	if (m->peers.demand != PEERS_KEY || about->key == NULL ||
	    peers_has_key(&m->peers, m->peer))
		return false;
	log_fault(m, "not one of the keys for this address", about->key);
	(void)snprintf(reply, SESSION_TEXT_MAX,
	    "451 4.7.5 Not one of the keys for your address: %s", about->key);
	return true;
}

/* A plain one first, or none; one behind an upgrade, and then no other. */
static bool
may_start(const struct monitor *m, bool upgraded)
{
	if (m->settled)
		return false;
	if (!upgraded)
		return m->step == MONITOR_FRESH;
	return m->rot > 0 ? m->step < MONITOR_UPGRADED : m->step == MONITOR_DH;
}

static bool
answer_backend(struct monitor *m, const struct session_request *q)
{
	struct session_answer a = {.kind = SESSION_ASK_BACKEND};
	char fingerprint[KEY_FINGERPRINT_MAX];
	struct backend_about about;
	int fd = -1;
	bool sent;

	if (!may_start(m, q->upgraded != 0) || !describe(m, q, &about, fingerprint))
		return broke_bounds(m, "back end");
	m->step = about.upgraded ? MONITOR_UPGRADED : MONITOR_PLAIN;
	if (!is_shut_out(m, &about, a.text))
		fd = find_backend(m, &about, a.text);
	a.granted = fd >= 0;
	sent = request_answer(m->engine, &a, fd);
	if (fd >= 0)
		(void)close(fd);
	if (about.upgraded || (m->key == NULL && m->rot == 0))
		return settle(m) && sent;
	return sent;
}

/* The engine's word that it will ask for no other back end. */
static bool
hear_settled(struct monitor *m)
{
	if (m->step == MONITOR_FRESH)
		return broke_bounds(m, "settled");
	return settle(m);
}

/* A balancer looks every second or so whether we live: that it did is no news. */
static int
importance(const struct monitor *m, const struct session_report *r)
{
	return m->is_check && r->messages == 0 && r->refused == 0 ? LOG_DEBUG : LOG_INFO;
}

static void
log_report(const struct monitor *m, const struct session_report *r)
{
	char fingerprint[KEY_FINGERPRINT_MAX];
	struct log_line l;

	log_start(&l, NULL);
	log_add_peer(&l, "peer", NULL, (const struct sockaddr *)&m->client);
	if (m->balancer.ss_family != AF_UNSPEC && !m->is_check)
		log_add_peer(&l, "via", NULL, (const struct sockaddr *)&m->balancer);
	if (r->hello[0] != '\0')
		log_add(&l, "helo", r->hello);
	log_add(&l, "suite", r->suite[0] != '\0' ? r->suite : "none");
	if (m->has_peer) {
		key_fingerprint(m->peer, fingerprint);
		log_add(&l, "key", fingerprint);
	}
	if (m->meant[0] != '\0' && strcasecmp(m->meant, m->name) != 0)
		log_add(&l, "meant", m->meant);
	log_add_number(&l, "messages", (long long)r->messages);
	log_add_number(&l, "octets", (long long)r->octets);
	if (r->refused > 0)
		log_add_number(&l, "refused", (long long)r->refused);
	if (r->fault != ERR_NONE)
		log_add(&l, "fault", err_text((enum err)r->fault));
	if (r->verdict[0] != '\0')
		log_add(&l, "stat", r->verdict);
	if (m->key_is_fresh && m->has_peer)
		log_add(&l, "own-key", "none, fresh one used");
	log_add_number(&l, "ms", clock_ms() - m->started);
	log_send(&l, importance(m, r));
}

/* False at the end: it has reported, broken its bounds, or cannot be answered. */
static bool
serve_request(struct monitor *m, const struct session_request *q)
{
	switch ((enum session_request_kind)q->kind) {
	case SESSION_ASK_DH:
		return answer_dh(m, q);
	case SESSION_ASK_PEER:
		return answer_peer(m, q);
	case SESSION_ASK_BACKEND:
		return answer_backend(m, q);
	case SESSION_TELL_SETTLED:
		return hear_settled(m);
	case SESSION_TELL_DONE:
		log_report(m, &q->report);
		m->reported = true;
		return false;
	case SESSION_ASK_HOP:
	case SESSION_ASK_CLEAR:
	case SESSION_ASK_MAIL:
		break;
	}
	return broke_bounds(m, "request");
}

void
monitor_run(struct monitor *m)
{
	struct session_request q;
	enum request_result result = REQUEST_END;
	char how[LAUNCH_HOW_MAX];

	while ((m->remote == NULL || wall_in(m)) &&
	       (result = request_receive(m->engine, &q)) == REQUEST_OK && serve_request(m, &q))
		;
	if (m->reported)
		return;
	if (result == REQUEST_BAD)
		(void)broke_bounds(m, "request");
	launch_end(m->engine_pid, !m->walled, how);
	log_fault(m, "engine ended without a report", how);
}
