/*
 * server - the engine in blackpony-receiver: the far side is an SMTP client, the near side a
 * back end MTA that is started late (doc/DESIGN.md, "States"). Called by session.c. Here: the
 * greeting, the upgrade, the end; what goes between client and back end is in
 * server_dialogue.c.
 */
#include "server.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
	SECONDS_MONITOR = 60,
	SECONDS_BANNER = 300, /* greet_pause, ident and DNS come before the back end's 220 */
	SECONDS_SERVER = 60,  /* the same for one that runs already: it may hang, or be full */
	SECONDS_DIALOGUE =
	    3900, /* above sendmail's own hour, so that its timeout speaks first */
	SECONDS_CLOSING = 30,
};

void
server_close(struct session *s)
{
	s->near_shut = true;
	buf_clear(&s->near_out);
	channel_deafen(&s->far);
	engine_handshake_drop(s);
	engine_state(s, SERVER_CLOSING);
}

/* One reply of our own, then the end. */
void
server_refuse(struct session *s, const char *reply)
{
	(void)dialogue_line(&s->far.out, "%s", reply);
	dialogue_text(s->report.verdict, sizeof(s->report.verdict), (const uint8_t *)reply,
	    strlen(reply));
	server_close(s);
}

void
server_fail(struct session *s, enum err fault)
{
	if (s->state == SERVER_CLOSING) {
		channel_abandon(&s->far);
		buf_clear(&s->far.wire_out);
		return;
	}
	/* On broken records nothing more is said: there is nobody who could read it. Neither is
	 * a line of ours put into the middle of somebody's TLS. */
	if (s->state == SERVER_RAW || fault == ERR_TRUNCATED ||
	    (s->upgraded && fault == ERR_CRYPTO)) {
		channel_abandon(&s->far);
		server_close(s);
		return;
	}
	server_refuse(s, err_reply(fault));
}

void
server_fault(struct session *s, enum err fault)
{
	s->report.fault = (uint8_t)fault;
	server_fail(s, fault);
}

/* A client that has gone like this hears of nothing, so what it has sent ahead is not worked
 * off: that could be megabytes of commands. A session at rest just ends. */
void
server_reset(struct session *s)
{
	if (s->state == SERVER_RAW)
		server_fail(s, ERR_TRUNCATED);
	else if (s->state == SERVER_BODY || s->pending > 0 || buf_len(&s->far.in) > 0)
		session_fail(s, ERR_TRUNCATED);
}

static bool
greet(struct session *s)
{
	struct advert rot;
	const char *offer = "blackpony";

	if (s->config->rot > 0) {
		advert_make_rot(&rot, s->config->rot);
		offer = rot.text;
	} else if (s->config->offer) {
		if (!engine_handshake_new(s)) {
			server_fault(s, ERR_RESOURCE);
			return true;
		}
		s->hs->commitment = s->config->commitment;
		handshake_offer(s->hs, &s->config->suites);
		offer = s->hs->advert.text;
	}
	(void)dialogue_line(&s->far.out, "220 %s ESMTP %s", s->config->name, offer);
	engine_state(s, SERVER_FIRST);
	return true;
}

static void
ask_backend(struct session *s)
{
	/* The reply-less QUIT is for a back end that the upgrade makes superfluous. */
	if (s->upgraded)
		(void)buf_puts(&s->near_out, "QUIT\r\n");
	(void)engine_ask(s, SESSION_ASK_BACKEND);
	engine_state(s, SERVER_BACKEND);
}

void
server_suite(struct session *s, const char *name)
{
	(void)snprintf(s->report.suite, sizeof(s->report.suite), "%s", name);
}

static void
upgrade_rot(struct session *s, const uint8_t *line, size_t n)
{
	struct advert_command command;
	uint8_t nothing[1];
	char name[8];

	if (advert_parse_command(&command, nothing, sizeof(nothing), line, n) != ERR_NONE) {
		server_fault(s, ERR_SYNTAX);
		return;
	}
	if (command.rot != s->config->rot) {
		server_fault(s, ERR_SUITE);
		return;
	}
	buf_drop(&s->far.in, n);
	(void)snprintf(name, sizeof(name), "ROT%d", command.rot);
	server_suite(s, name);
	(void)dialogue_line(&s->far.out, "220 2.0.0 %s", name);
	s->upgraded = true;
	if (channel_start_rot(&s->far, command.rot) != ERR_NONE) {
		server_fault(s, ERR_RESOURCE);
		return;
	}
	ask_backend(s);
}

static void
upgrade_noise(struct session *s, const uint8_t *line, size_t n)
{
	struct session_request *r;
	enum err e;

	e = handshake_read_command(
	    s->hs, &s->config->suites, s->config->s_public, line, n, &s->hello);
	if (e != ERR_NONE) {
		server_fault(s, e);
		return;
	}
	buf_drop(&s->far.in, n);
	server_suite(s, s->hs->suite->name);
	memcpy(s->report.key, s->hs->noise.rs, NOISE_KEY);
	s->report.has_key = true;
	s->report.by_hint = s->state == SERVER_FIRST;
	r = engine_ask(s, SESSION_ASK_PEER);
	(void)snprintf(r->name, sizeof(r->name), "%s", s->hello.server_name);
	engine_state(s, SERVER_JUDGE);
}

/* An XPONY line with no reply owed before it. */
void
server_upgrade(struct session *s, const uint8_t *line, size_t n)
{
	bool offered = s->config->rot > 0 || s->hs != NULL;

	if (!offered || s->stale || s->upgraded) {
		buf_drop(&s->far.in, n);
		(void)dialogue_line(&s->far.out, "%s", err_reply(ERR_SEQUENCE));
		return;
	}
	/* The command injection of CVE-2011-0411: what came with the line was never the
	 * client's. */
	if (buf_len(&s->far.in) > n) {
		server_fault(s, ERR_SEQUENCE);
		return;
	}
	if (s->config->rot > 0)
		upgrade_rot(s, line, n);
	else
		upgrade_noise(s, line, n);
}

static void
finish_upgrade(struct session *s, const uint8_t dh[NOISE_KEY])
{
	struct record *record;
	enum err e;

	if ((record = sodium_malloc(sizeof(*record))) == NULL) {
		server_fault(s, ERR_RESOURCE);
		return;
	}
	if ((e = handshake_write_reply(s->hs, dh, &s->far.out, record)) != ERR_NONE) {
		sodium_free(record);
		server_fault(s, e);
		return;
	}
	if ((e = engine_start_records(s, record)) != ERR_NONE) {
		server_fault(s, e);
		return;
	}
	ask_backend(s);
}

size_t
server_line(struct session *s, const uint8_t **line)
{
	size_t n = smtp_line(buf_head(&s->far.in), buf_len(&s->far.in));

	*line = buf_head(&s->far.in);
	if (buf_room(&s->far.out) < DIALOGUE_REPLY_ROOM)
		return 0;
	if (n > SMTP_COMMAND_MAX || (n == 0 && buf_len(&s->far.in) > SMTP_COMMAND_MAX)) {
		server_fault(s, ERR_LIMIT);
		return 0;
	}
	return n;
}

static bool
first_command(struct session *s)
{
	const uint8_t *line;
	size_t n = server_line(s, &line);

	/* A ClientHello has no line's end, and need not be waited for. */
	if (n == 0 && s->state == SERVER_FIRST && buf_len(&s->far.in) > 0 && line[0] != '\r' &&
	    smtp_verb(line, 1) == SMTP_GARBAGE)
		n = 1;
	if (n == 0) {
		if (s->state == SERVER_FIRST && channel_ended(&s->far))
			server_close(s);
		return s->state != SERVER_FIRST;
	}
	switch (smtp_verb(line, n)) {
	case SMTP_GARBAGE:
		server_refuse(s, "554 5.5.1 This is an SMTP server");
		break;
	case SMTP_QUIT:
		(void)dialogue_line(
		    &s->far.out, "221 2.0.0 %s closing connection", s->config->name);
		server_close(s);
		break;
	case SMTP_XPONY:
		server_upgrade(s, line, n);
		break;
	default:
		ask_backend(s);
		break;
	}
	return true;
}

/* Until the upgrade's reply is out the client may say nothing (PROTOCOL.md, "Upgrade command").
 */
static bool
upgrade_is_undisturbed(struct session *s)
{
	if (buf_len(&s->far.in) > 0)
		server_fault(s, ERR_SEQUENCE);
	else if (channel_ended(&s->far))
		server_fault(s, ERR_TRUNCATED);
	else
		return false;
	return true;
}

bool
server_step(struct session *s)
{
	switch ((enum server_state)s->state) {
	case SERVER_GREET:
		return greet(s);
	case SERVER_FIRST:
		return first_command(s);
	case SERVER_JUDGE:
	case SERVER_DH:
		return upgrade_is_undisturbed(s);
	case SERVER_BANNER:
		return server_banner(s);
	case SERVER_PROBE:
		return server_probe(s);
	case SERVER_REFUSED:
		return server_refused(s);
	case SERVER_COMMAND:
	case SERVER_BODY:
	case SERVER_RAW:
		return server_dialogue(s);
	case SERVER_BACKEND:
		return false;
	case SERVER_CLOSING:
		(void)channel_shut(&s->far);
		return false;
	}
	return false;
}

/* What the monitor is asked for in this state, 0 when nothing. */
static int
asked(const struct session *s)
{
	switch ((enum server_state)s->state) {
	case SERVER_JUDGE:
		return SESSION_ASK_PEER;
	case SERVER_DH:
		return SESSION_ASK_DH;
	case SERVER_BACKEND:
		return SESSION_ASK_BACKEND;
	default:
		return 0;
	}
}

static void
monitor_refused(struct session *s, const char *text)
{
	enum err fault = ERR_REFUSED;

	if (s->state == SERVER_DH)
		fault = ERR_CRYPTO;
	else if (s->state == SERVER_BACKEND && (text[0] == '\0' || memcmp(text, "421", 3) == 0))
		fault = ERR_RESOURCE;
	s->report.fault = (uint8_t)fault;
	server_refuse(s, text[0] != '\0' ? text : err_reply(fault));
}

void
server_answer(struct session *s, const struct session_answer *answer)
{
	/* The session may have ended while the monitor was at it. */
	if (answer->kind != asked(s))
		return;
	if (!answer->granted) {
		monitor_refused(s, answer->text);
	} else if (s->state == SERVER_JUDGE) {
		struct session_request *r = engine_ask(s, SESSION_ASK_DH);

		memcpy(r->key, s->hs->noise.re, NOISE_KEY);
		engine_state(s, SERVER_DH);
	} else if (s->state == SERVER_DH) {
		finish_upgrade(s, answer->dh);
	} else if (s->state == SERVER_BACKEND) {
		buf_clear(&s->near_in);
		buf_clear(&s->near_out);
		s->near_eof = s->near_shut = false;
		s->pending = 0;
		s->barrier = BARRIER_NONE;
		s->noise = 0;
		engine_state(s, SERVER_BANNER);
	}
}

/* Replies to one pipelined group leave as one flight (PROTOCOL.md, "Flights"). */
bool
server_may_hold(const struct session *s)
{
	return s->state == SERVER_COMMAND && s->pending > 0;
}

/* The reply to the XPONY line and that to the EHLO which came with it (PROTOCOL.md, "After the
 * upgrade"). */
bool
server_goes_on(const struct session *s)
{
	if (!s->upgraded || s->hello.ehlo[0] == '\0')
		return false;
	return s->state == SERVER_BACKEND || s->state == SERVER_BANNER ||
	       s->state == SERVER_PROBE ||
	       (s->state == SERVER_COMMAND && s->barrier == BARRIER_EHLO);
}

unsigned
server_timeout(const struct session *s)
{
	switch ((enum server_state)s->state) {
	case SERVER_GREET:
	case SERVER_FIRST:
	case SERVER_REFUSED:
		return engine_patience(s); /* RFC 5321 section 4.5.3.2.7 */
	case SERVER_JUDGE:
	case SERVER_DH:
	case SERVER_BACKEND:
		return SECONDS_MONITOR;
	case SERVER_BANNER:
	case SERVER_PROBE:
		return s->config->backend == SESSION_BACKEND_STARTED ? SECONDS_BANNER
								     : SECONDS_SERVER;
	case SERVER_COMMAND:
		/* The client's turn: silent, it holds a slot and a back end for nothing (RFC
		 * 5321 section 4.5.3.2.7). */
		if (s->pending == 0 && buf_len(&s->far.in) == 0)
			return engine_patience(s);
		return SECONDS_DIALOGUE;
	case SERVER_BODY:
	case SERVER_RAW:
		return SECONDS_DIALOGUE;
	case SERVER_CLOSING:
		break;
	}
	return engine_patience(s) < SECONDS_CLOSING ? engine_patience(s) : SECONDS_CLOSING;
}

/* Whole lines that wait are those that we have not passed on yet. */
unsigned
server_patience(const struct session *s, bool owes)
{
	const size_t n = buf_len(&s->far.in);

	switch ((enum server_state)s->state) {
	case SERVER_COMMAND:
		owes |= n > 0 && smtp_line(buf_head(&s->far.in), n) == 0;
		break;
	case SERVER_BODY:
		owes |= n == 0;
		break;
	case SERVER_RAW:
		return owes || n == 0 ? ENGINE_PATIENCE_RAW : 0;
	default:
		break;
	}
	return owes ? engine_patience(s) : 0;
}

const char *
server_phase(const struct session *s)
{
	static const char *const phases[] = {"greeting", "first command", "handshake",
	    "handshake", "starting back end", "starting back end", "starting back end",
	    "refused", "dialogue", "body", "TLS dialogue", "closing"};

	return phases[s->state];
}
