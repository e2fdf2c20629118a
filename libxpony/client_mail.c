/*
 * client_mail - the MTA's side of the client: its commands, the host's replies to them, the
 * body, and the verdict where there is no host. Called by client.c.
 */
#include "client.h"

#include <stdio.h>
#include <string.h>

#define TLS_HANDSHAKE 0x16 /* first octet of what TLS says first (RFC 8446 section 5.1) */

static const char verdict_keywords[][20] = {
    "ENHANCEDSTATUSCODES", "PIPELINING", "8BITMIME", "SIZE", "DSN"};

/* The whole line at the front of what the MTA sent, or 0: also while a reply to it would have
 * no room. */
static size_t
mta_line(struct session *s, const uint8_t **line)
{
	size_t n = smtp_line(buf_head(&s->near_in), buf_len(&s->near_in));

	*line = buf_head(&s->near_in);
	if (buf_room(&s->near_out) < DIALOGUE_REPLY_ROOM)
		return 0;
	if (n > SMTP_COMMAND_MAX || (n == 0 && buf_len(&s->near_in) > SMTP_COMMAND_MAX)) {
		(void)dialogue_line(&s->near_out, "%s", err_reply(ERR_LIMIT));
		client_leave(s, false);
		return 0;
	}
	return n;
}

/* The MTA has gone, and said all that it had to say. */
static bool
mta_ended(const struct session *s)
{
	return s->near_eof && smtp_line(buf_head(&s->near_in), buf_len(&s->near_in)) == 0;
}

static void
quit(struct session *s)
{
	(void)dialogue_line(&s->near_out, "221 2.0.0 %s closing", s->config->name);
	if (client_kept_may(s))
		client_kept_wait(s);
	else
		client_leave(s, true);
}

/* Keeps the argument of EHLO or HELO; the host will get EHLO in both cases. */
static void
keep_hello(struct session *s, const uint8_t *line, size_t n)
{
	const uint8_t *argument;
	size_t len = smtp_argument(line, n, &argument);

	s->client.helo = smtp_verb(line, n) == SMTP_HELO;
	if (len == 0 || len > HANDSHAKE_EHLO_MAX - 5) {
		(void)dialogue_line(&s->near_out, "%s", err_reply(ERR_SYNTAX));
		return;
	}
	dialogue_text(s->client.hello, sizeof(s->client.hello), argument, len);
	s->client.owed = 1;
	s->barrier = BARRIER_EHLO;
}

/* Before the host's keywords are there the MTA can only say who it is, or give up. */
bool
client_mail_hello(struct session *s)
{
	const uint8_t *line;
	size_t n;

	if (mta_ended(s)) {
		client_leave(s, false);
		return true;
	}
	if (s->client.owed > 0 || client_kept_replaying(s) || (n = mta_line(s, &line)) == 0)
		return s->state == CLIENT_LEAVING;
	switch (smtp_verb(line, n)) {
	case SMTP_EHLO:
	case SMTP_HELO:
		keep_hello(s, line, n);
		break;
	case SMTP_QUIT:
		quit(s);
		break;
	default:
		(void)dialogue_line(&s->near_out, "%s", err_reply(ERR_SEQUENCE));
		break;
	}
	buf_drop(&s->near_in, n);
	return true;
}

static void
verdict_ehlo(struct session *s)
{
	size_t i, last = sizeof(verdict_keywords) / sizeof(verdict_keywords[0]) - 1;

	(void)dialogue_line(&s->near_out, "250-%s", s->config->name);
	for (i = 0; i < last; i++)
		(void)dialogue_line(&s->near_out, "250-%.20s", verdict_keywords[i]);
	(void)dialogue_line(&s->near_out, "250 %.20s", verdict_keywords[last]);
}

/* A transaction whose MAIL the host refused before it was lost keeps that reply. */
static const char *
verdict_of(const struct session *s)
{
	return s->client.mail == MAIL_REFUSED ? s->client.refusal : s->client.verdict;
}

/* One of the replies owed since the host was still there. */
static void
pay(struct session *s)
{
	if (s->barrier == BARRIER_EHLO)
		verdict_ehlo(s);
	else
		(void)dialogue_line(&s->near_out, "%s", verdict_of(s));
	if (--s->client.owed == 0)
		s->barrier = BARRIER_NONE;
}

static void
verdict_command(struct session *s, enum smtp_verb verb)
{
	switch (verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
		s->client.mail = MAIL_NONE;
		verdict_ehlo(s);
		break;
	case SMTP_MAIL:
		s->client.mail = MAIL_NONE;
		(void)dialogue_line(&s->near_out, "250 2.1.0 Sender noted");
		break;
	case SMTP_RCPT:
		s->report.refused++;
		(void)dialogue_line(&s->near_out, "%s", verdict_of(s));
		break;
	case SMTP_DATA: /* after an RCPT that was accepted while there was a host */
		(void)dialogue_line(&s->near_out, "%s", verdict_of(s));
		break;
	case SMTP_RSET:
		s->client.mail = MAIL_NONE;
		(void)dialogue_line(&s->near_out, "250 2.0.0 Ok");
		break;
	case SMTP_NOOP:
		(void)dialogue_line(&s->near_out, "250 2.0.0 Ok");
		break;
	case SMTP_QUIT:
		quit(s);
		break;
	default:
		(void)dialogue_line(&s->near_out, "%s", err_reply(ERR_SEQUENCE));
		break;
	}
}

/* In the host's place, and as if it were one that gives up: the MTA goes on to its next one.
 * What a host has greeted with stays what it is. */
static bool
end_redirected(struct session *s)
{
	const bool temporary = s->client.verdict[0] == '4';

	if (buf_room(&s->near_out) < DIALOGUE_REPLY_ROOM)
		return false;
	(void)dialogue_line(&s->near_out, "%.3s%s", temporary ? "421" : s->client.verdict,
	    s->client.verdict + 3);
	client_leave(s, false);
	return true;
}

bool
client_mail_verdict(struct session *s)
{
	const uint8_t *line;
	size_t n;

	if (s->config->redirected)
		return end_redirected(s);
	if (mta_ended(s)) {
		client_leave(s, false);
		return true;
	}
	if (s->client.owed > 0 && buf_room(&s->near_out) >= DIALOGUE_REPLY_ROOM) {
		pay(s);
		return true;
	}
	if ((n = mta_line(s, &line)) == 0)
		return s->state != CLIENT_VERDICT;
	verdict_command(s, smtp_verb(line, n));
	buf_drop(&s->near_in, n);
	s->progress++;
	return true;
}

static void
forward(struct session *s, struct buf *from, size_t n, bool owed)
{
	client_kept_note(s, buf_head(from), n);
	(void)dialogue_move(from, &s->far.out, n);
	s->pending++;
	if (owed)
		s->client.owed++;
	s->progress++;
}

/* sendmail never pipelines MAIL, so it is answered here and goes out with its first RCPT: one
 * round trip less. Whatever the host says to it is told to every RCPT (PROTOCOL.md,
 * "Pipelining"). */
static void
hold_mail(struct session *s, size_t n)
{
	buf_clear(&s->client.held);
	(void)dialogue_move(&s->near_in, &s->client.held, n);
	s->client.mail = MAIL_HELD;
	(void)dialogue_line(&s->near_out, "250 2.1.0 Sender noted for %s", s->client.host);
}

/* Commands that begin or end a transaction, or all, wait until no reply is owed: which MAIL a
 * reply belongs to is never a question. An MTA that waits itself does not notice. */
static bool
is_divide(enum smtp_verb verb)
{
	return verb == SMTP_MAIL || verb == SMTP_RSET || verb == SMTP_EHLO ||
	       verb == SMTP_HELO || verb == SMTP_QUIT;
}

static void
pass_command(struct session *s, enum smtp_verb verb, size_t n)
{
	if (is_divide(verb)) {
		buf_clear(&s->client.held);
		s->client.mail = MAIL_NONE;
	}
	if (s->client.mail == MAIL_HELD) {
		forward(s, &s->client.held, buf_len(&s->client.held), false);
		s->client.mail = MAIL_SENT;
	}
	s->client.open |= verb == SMTP_MAIL || s->client.mail == MAIL_SENT;
	if (dialogue_barrier(verb) == BARRIER_EHLO)
		s->client.helo = verb == SMTP_HELO;
	s->barrier = dialogue_barrier(verb);
	forward(s, &s->near_in, n, true);
}

bool
client_mail_command(struct session *s)
{
	const uint8_t *line;
	enum smtp_verb verb;
	size_t n;

	if (mta_ended(s)) {
		client_leave(s, false);
		return true;
	}
	if (s->barrier != BARRIER_NONE || (n = mta_line(s, &line)) == 0)
		return s->state != CLIENT_COMMAND;
	if (s->client.fresh)
		return client_kept_hello(s, line, n);
	verb = smtp_verb(line, n);
	if (verb == SMTP_MAIL && s->client.enforce_tls) {
		client_verdict(s, "451 4.7.5 Policy demands encryption, and no STARTTLS came");
		return true;
	}
	if (buf_room(&s->far.out) < n + buf_len(&s->client.held) ||
	    (s->pending > 0 && is_divide(verb)))
		return false;
	if (verb == SMTP_QUIT) {
		buf_drop(&s->near_in, n);
		quit(s);
	} else if (verb == SMTP_MAIL && s->client.pipelining && !s->client.behind) {
		hold_mail(s, n);
	} else {
		pass_command(s, verb, n);
	}
	return true;
}

static void
settle(struct session *s, int code)
{
	enum dialogue_barrier barrier = s->barrier;

	s->barrier = BARRIER_NONE;
	if (barrier == BARRIER_DATA && code == 354) {
		memset(&s->body, 0, sizeof(s->body));
		engine_state(s, CLIENT_BODY);
	} else if (barrier == BARRIER_STARTTLS && code == 220) {
		(void)snprintf(s->report.suite, sizeof(s->report.suite), "STARTTLS");
		engine_state(s, CLIENT_RAW);
	}
}

static void
pass_reply(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	bool refused = s->client.mail == MAIL_REFUSED;

	s->client.owed--;
	if (refused)
		(void)dialogue_line(&s->near_out, "%s", s->client.refusal);
	else if ((r->code >= 400 || s->dot) && !s->client.behind)
		client_attribute(s, &s->near_out, r, p);
	else
		(void)buf_put(&s->near_out, p, r->len);
}

/* Go-ahead for what nobody asked for. A host that refused MAIL and takes DATA all the same
 * would get an empty message from whoever went on: cut it off instead. */
static bool
is_absurd(const struct session *s, int code)
{
	if (code / 100 != 3)
		return false;
	if (s->pending != 1 || s->client.mail == MAIL_REFUSED)
		return true;
	return !(code == 354 && s->barrier == BARRIER_DATA) &&
	       !(code == 334 && s->barrier == BARRIER_AUTH);
}

/* What the host said is the reason for its loss. The engine in front of us reads it itself. */
static void
lose_by_reply(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	char said[SESSION_TEXT_MAX];

	dialogue_text(said, sizeof(said), p, smtp_line_text(p, smtp_line(p, r->len)));
	if (s->client.behind)
		(void)buf_put(&s->near_out, p, r->len);
	buf_drop(&s->far.in, r->len);
	client_lost(s, said);
}

bool
client_mail_reply(struct session *s)
{
	struct smtp_reply r;
	const uint8_t *p = buf_head(&s->far.in);
	enum err e = smtp_reply_parse(&r, p, buf_len(&s->far.in));
	const bool dot = s->dot;

	if (e == ERR_MORE && !channel_ended(&s->far))
		return false;
	if (e != ERR_NONE || (s->pending > 0 && is_absurd(s, r.code))) {
		client_lost(s, e == ERR_MORE ? "connection closed" : "no SMTP reply");
		return true;
	}
	/* Lines that end in LF grow by a CR. */
	if (buf_room(&s->near_out) < 2 * r.len + DIALOGUE_REPLY_ROOM)
		return false;
	if (s->pending == 0) {
		/* Nobody asked: a host that shuts down (421). The MTA reads it at its next
		 * command. */
		lose_by_reply(s, &r, p);
		return true;
	}
	if (!client_kept_reply(s, &r)) {
		lose_by_reply(s, &r, p);
		return true;
	}
	if (s->barrier == BARRIER_EHLO) {
		client_hop_keywords(s, &r, p);
		return true;
	}
	if (s->client.mail == MAIL_SENT) {
		engine_note_reply(s, r.code, p, r.len);
		s->client.mail = MAIL_NONE;
		if (r.code / 100 != 2) {
			client_attribute_line(
			    s, s->client.refusal, sizeof(s->client.refusal), &r, p);
			s->client.mail = MAIL_REFUSED;
		}
	} else {
		pass_reply(s, &r, p);
		engine_note_reply(s, r.code, p, r.len);
	}
	if (dot) {
		s->client.open = false;
		s->client.transactions++;
	}
	buf_drop(&s->far.in, r.len);
	if (--s->pending == 0)
		settle(s, r.code);
	return true;
}

bool
client_mail_body(struct session *s, bool drain)
{
	size_t n = buf_len(&s->near_in);
	bool ended;

	if (!drain && n > buf_room(&s->far.out))
		n = buf_room(&s->far.out);
	if (n == 0) {
		if (s->near_eof && buf_len(&s->near_in) == 0)
			client_leave(s, false);
		return s->state == CLIENT_LEAVING;
	}
	n = body_scan(&s->body, buf_head(&s->near_in), n, &ended);
	if (drain)
		buf_drop(&s->near_in, n);
	else
		(void)dialogue_move(&s->near_in, &s->far.out, n);
	s->report.octets += n;
	s->progress++;
	if (ended && drain) {
		if (!s->config->redirected)
			(void)dialogue_line(&s->near_out, "%s", s->client.verdict);
		engine_state(s, CLIENT_VERDICT);
	} else if (ended) {
		s->client.owed = s->pending = 1;
		s->dot = true;
		engine_state(s, CLIENT_COMMAND);
	}
	return true;
}

/* A reply in the middle of the body is a host that gives up (421): no dot for it. */
bool
client_mail_interrupted(struct session *s)
{
	if (buf_len(&s->far.in) == 0 && !channel_ended(&s->far))
		return false;
	return client_mail_reply(s);
}

bool
client_mail_raw(struct session *s)
{
	if (s->client.enforce_tls && buf_len(&s->near_in) > 0) {
		if (*buf_head(&s->near_in) != TLS_HANDSHAKE) {
			client_leave(s, false);
			return true;
		}
		s->client.enforce_tls = false;
	}
	if (engine_raw(s))
		return true;
	if ((s->near_eof && buf_len(&s->near_in) == 0) ||
	    (channel_ended(&s->far) && buf_len(&s->far.in) == 0)) {
		client_leave(s, false);
		return true;
	}
	return false;
}
