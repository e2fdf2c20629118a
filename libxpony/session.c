/*
 * session - see session.h: the frame around server.c and client.c. Called by lib/relay.c.
 */
#include "engine.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* In one piece, so that an idle session's can be given back (session_unused()). */
static bool
take_queues(struct session *s)
{
	const size_t near = NEAR_QUEUE;

	s->queues_size = channel_memory() + 2 * near;
	if ((s->queues = malloc(s->queues_size)) == NULL)
		return false;
	buf_lend(&s->near_in, s->queues, near);
	buf_lend(&s->near_out, s->queues + near, near);
	channel_init(&s->far, s->queues + 2 * near);
	return true;
}

struct session *
session_new(const struct session_config *config)
{
	struct session *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->config = config;
	if (!take_queues(s) || !buf_take(&s->client.held, SMTP_COMMAND_MAX) ||
	    (config->keep && !client_kept_init(s))) {
		session_free(s);
		return NULL;
	}
	s->state = config->role == SESSION_SERVER ? (int)SERVER_GREET : (int)CLIENT_CONNECT;
	if (config->role == SESSION_CLIENT)
		client_answer(s, NULL);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	engine_handshake_drop(s);
	channel_free(&s->far);
	buf_free(&s->near_in);
	buf_free(&s->near_out);
	buf_free(&s->client.held);
	buf_free(&s->client.ehlo);
	buf_free(&s->client.replay);
	free(s->queues);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

void
engine_state(struct session *s, int state)
{
	s->state = state;
	s->progress++;
}

struct session_request *
engine_ask(struct session *s, enum session_request_kind kind)
{
	memset(&s->request, 0, sizeof(s->request));
	s->request.kind = (uint8_t)kind;
	s->request.upgraded = s->upgraded;
	memcpy(s->request.suite, s->report.suite, sizeof(s->request.suite));
	memcpy(s->request.key, s->report.key, sizeof(s->request.key));
	s->request_ready = true;
	return &s->request;
}

bool
engine_handshake_new(struct session *s)
{
	engine_handshake_drop(s);
	if ((s->hs = sodium_malloc(sizeof(*s->hs))) == NULL)
		return false;
	memset(s->hs, 0, sizeof(*s->hs));
	s->hs->random = s->config->random;
	return true;
}

void
engine_handshake_drop(struct session *s)
{
	handshake_wipe(s->hs);
	sodium_free(s->hs);
	s->hs = NULL;
}

enum err
engine_start_records(struct session *s, struct record *record)
{
	s->upgraded = true;
	engine_handshake_drop(s);
	return channel_start_records(&s->far, record);
}

/* Keeps the figures of the report: what was accepted, what was refused, and the last of these
 * in the replier's words. */
void
engine_note_reply(struct session *s, int code, const uint8_t *p, size_t n)
{
	bool accepted = s->dot && code / 100 == 2;

	s->last_code = code;
	s->progress++;
	s->dot = false;
	if (accepted)
		s->report.messages++;
	else if (code >= 400)
		s->report.refused++;
	else
		return;
	dialogue_text(s->report.verdict, sizeof(s->report.verdict), p,
	    smtp_line_text(p, smtp_line(p, n)));
}

/* Octets both ways, nothing looked at. */
bool
engine_raw(struct session *s)
{
	size_t n = dialogue_move(&s->far.in, &s->near_out, SIZE_MAX);

	n += dialogue_move(&s->near_in, &s->far.out, SIZE_MAX);
	if (n > 0)
		s->progress++;
	return n > 0;
}

static bool
is_server(const struct session *s)
{
	return s->config->role == SESSION_SERVER;
}

/* All that can be said before something new is heard. */
static void
step_all(struct session *s)
{
	enum err fault;
	bool moved;

	do {
		/* What was authentic before a fault is still acted upon; then the fault counts.
		 */
		fault = channel_decode(&s->far);
		moved = is_server(s) ? server_step(s) : client_step(s);
		if (moved || fault == ERR_NONE)
			continue;
		channel_deafen(&s->far); /* a fault counts once */
		session_fail(s, fault);
		moved = true;
	} while (moved);
}

/* Seals once for all of it: one flight is one record where it fits in one. Then again, since
 * what was sealed made room. */
void
session_run(struct session *s)
{
	size_t waiting;
	bool hold;

	do {
		step_all(s);
		waiting = buf_len(&s->far.out);
		hold = is_server(s) ? server_may_hold(s) : client_may_hold(s);
		if (channel_flush(&s->far, !hold) != ERR_NONE)
			session_fail(s, ERR_LIMIT);
	} while (buf_len(&s->far.out) < waiting);
}

void
session_fail(struct session *s, enum err fault)
{
	if (s->report.fault == ERR_NONE)
		s->report.fault = (uint8_t)fault;
	if (is_server(s))
		server_fail(s, fault);
	else
		client_fail(s, fault);
}

uint8_t *
session_reserve(struct session *s, enum session_side side, size_t *n)
{
	if (side == SESSION_FAR)
		return channel_reserve(&s->far, n);
	return buf_reserve(&s->near_in, n);
}

void
session_commit(struct session *s, enum session_side side, size_t n)
{
	if (side == SESSION_FAR)
		channel_commit(&s->far, n);
	else
		buf_commit(&s->near_in, n);
}

void
session_eof(struct session *s, enum session_side side)
{
	if (side == SESSION_FAR)
		s->far.eof = true;
	else
		s->near_eof = true;
}

void
session_reset(struct session *s)
{
	session_eof(s, SESSION_FAR);
	if (is_server(s))
		server_reset(s);
}

const uint8_t *
session_output(struct session *s, enum session_side side, size_t *n)
{
	if (side == SESSION_FAR)
		return channel_output(&s->far, n);
	*n = buf_len(&s->near_out);
	return buf_head(&s->near_out);
}

void
session_written(struct session *s, enum session_side side, size_t n)
{
	if (side == SESSION_FAR)
		channel_written(&s->far, n);
	else
		buf_drop(&s->near_out, n);
}

void *
session_unused(const struct session *s, size_t *n)
{
	*n = s->queues_size;
	if (buf_len(&s->near_in) + buf_len(&s->near_out) > 0 || !channel_is_empty(&s->far))
		*n = 0;
	return s->queues;
}

bool
session_goes_on(const struct session *s)
{
	return s->far.shut || (is_server(s) && server_goes_on(s));
}

bool
session_shut(const struct session *s, enum session_side side)
{
	if (side == SESSION_NEAR)
		return s->near_shut && buf_len(&s->near_out) == 0;
	return s->far.shut && buf_len(&s->far.out) == 0 && buf_len(&s->far.wire_out) == 0;
}

const struct session_request *
session_request(struct session *s)
{
	if (!s->request_ready)
		return NULL;
	s->request_ready = false;
	return &s->request;
}

void
session_answer(struct session *s, const struct session_answer *answer)
{
	if (is_server(s))
		server_answer(s, answer);
	else
		client_answer(s, answer);
}

unsigned
session_timeout(const struct session *s)
{
	return is_server(s) ? server_timeout(s) : client_timeout(s);
}

unsigned
engine_patience(const struct session *s)
{
	return s->config->patience > 0 ? s->config->patience : SESSION_PATIENCE;
}

unsigned
session_patience(const struct session *s)
{
	bool owes;
	size_t n;

	(void)channel_output(&s->far, &n);
	owes = n > 0 || channel_is_amid(&s->far);
	if (is_server(s))
		return server_patience(s, owes);
	return client_patience(s, owes);
}

uint64_t
session_progress(const struct session *s)
{
	return s->progress;
}

const char *
session_phase(const struct session *s)
{
	return is_server(s) ? server_phase(s) : client_phase(s);
}

bool
session_is_over(const struct session *s)
{
	if (!is_server(s))
		return s->state == CLIENT_GONE;
	return s->state == SERVER_CLOSING && session_shut(s, SESSION_FAR);
}

const struct session_report *
session_report(const struct session *s)
{
	return &s->report;
}
