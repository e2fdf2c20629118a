/*
 * client_kept - kept sessions, both ends (doc/DESIGN.md, "Kept sessions"). Called by client.c,
 * client_hop.c and client_mail.c.
 *
 * One engine has sent its mail and keeps the upgraded session. The engine of a later mail for
 * the same host gets the first one's near side for its far side. It alone speaks to the MTA:
 * the first passes replies as they are, and closes where it would have had to make one up.
 *
 * Until the first reply to this mail nothing that matters has happened: the host has no body,
 * and the MTA has heard nothing of it. A kept session that fails so far is replaced by a new
 * connection, where the same commands are said again.
 */
#include "client.h"

#include <string.h>

#define REPLAY_MAX                                                                             \
	32768 /* all that an MTA sends before it must have a reply, in any real mail */
#define EHLO_MAX ((size_t)2 * SMTP_REPLY_MAX) /* a reply whose lines ended in LF grows */

bool
client_kept_init(struct session *s)
{
	return buf_take(&s->client.ehlo, EHLO_MAX) && buf_take(&s->client.replay, REPLAY_MAX);
}

/* Between two mails, with nothing under way and nothing left over. A mail of which nothing was
 * accepted makes no claim on the host's patience. */
bool
client_kept_may(const struct session *s)
{
	return s->config->keep && s->state == CLIENT_COMMAND &&
	       s->far.mode == CHANNEL_RECORDS && !s->client.helo && s->pending == 0 &&
	       !s->client.open && s->report.messages > 0 &&
	       s->client.transactions < SESSION_KEEP_MAILS && buf_len(&s->near_in) == 0 &&
	       channel_is_quiet(&s->far);
}

void
client_kept_wait(struct session *s)
{
	s->near_shut = true;
	s->client.asked = false;
	engine_state(s, CLIENT_KEPT);
}

/* A host has nothing to say now: whatever it says, or its end, ends this. */
bool
client_kept_step(struct session *s)
{
	if (!channel_is_quiet(&s->far)) {
		client_leave(s, !channel_ended(&s->far));
		return true;
	}
	if (!s->client.asked && session_shut(s, SESSION_NEAR)) {
		s->client.asked = true;
		engine_ask(s, SESSION_ASK_MAIL)->report = s->report;
	}
	return false;
}

void
client_kept_mail(struct session *s)
{
	struct session_report *r = &s->report;

	buf_clear(&s->near_in);
	s->near_eof = s->near_shut = false;
	r->messages = r->octets = r->refused = 0;
	r->fault = ERR_NONE;
	r->verdict[0] = '\0';
	buf_clear(&s->client.held);
	s->client.mail = MAIL_NONE;
	s->client.owed = 0;
	s->client.told = false;
	s->client.behind = s->client.fresh = true;
	(void)dialogue_line(&s->near_out, "220 %s ESMTP", s->client.name);
	engine_state(s, CLIENT_COMMAND);
}

/* The host knows us by a name, and has answered to it: no need to ask it again. For another
 * name it would be another session. */
bool
client_kept_hello(struct session *s, const uint8_t *line, size_t n)
{
	const uint8_t *argument;
	const size_t len = smtp_argument(line, n, &argument);

	s->client.fresh = false;
	if (smtp_verb(line, n) == SMTP_EHLO && len == strlen(s->client.hello) &&
	    memcmp(argument, s->client.hello, len) == 0) {
		buf_drop(&s->near_in, n);
		(void)buf_put(
		    &s->near_out, buf_head(&s->client.ehlo), buf_len(&s->client.ehlo));
		s->progress++;
	} else {
		client_leave(s, true);
	}
	return true;
}

void
client_kept_begin(struct session *s, const struct session_answer *answer)
{
	struct session_report *r = &s->report;

	if (!answer->kept) {
		if (s->client.kept != KEPT_LOST)
			s->client.kept = KEPT_NO; /* what the last host was is of no account */
		return;
	}
	s->client.kept = KEPT_OPEN;
	s->upgraded = true;
	r->has_key = true;
	memcpy(r->key, answer->key, sizeof(r->key));
	memcpy(r->suite, answer->suite, sizeof(r->suite));
}

void
client_kept_note(struct session *s, const uint8_t *p, size_t n)
{
	if (s->client.kept == KEPT_OPEN && !buf_put(&s->client.replay, p, n))
		s->client.kept = KEPT_USED; /* too much: its loss will be noticed */
}

/* 421 is how a host says that it has waited too long, perhaps while we began to speak. */
bool
client_kept_reply(struct session *s, const struct smtp_reply *r)
{
	if (s->client.kept != KEPT_OPEN)
		return true;
	if (r->code == 421)
		return false;
	s->client.kept = KEPT_USED;
	buf_clear(&s->client.replay);
	return true;
}

bool
client_kept_lost(struct session *s, const char *why)
{
	if (s->client.kept != KEPT_OPEN ||
	    (s->state != CLIENT_GREETING && s->state != CLIENT_HELLO &&
		s->state != CLIENT_CAPS && s->state != CLIENT_COMMAND))
		return false;
	s->client.kept = buf_len(&s->client.ehlo) > 0 ? KEPT_LOST : KEPT_NO;
	client_next_hop(s, SESSION_HOP_KEPT, why);
	return true;
}

bool
client_kept_replaying(const struct session *s)
{
	return s->client.kept == KEPT_LOST;
}

/* What the MTA was told of the host has to be true of this connection: the keywords, which are
 * what follows the first line. */
static bool
is_as_told(const struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	const uint8_t *told = buf_head(&s->client.ehlo);
	const size_t told_n = buf_len(&s->client.ehlo), told_at = smtp_line(told, told_n);
	struct buf now;
	size_t at, n;
	bool same;

	if (r->code >= 400 || !buf_take(&now, EHLO_MAX))
		return false;
	client_hop_put_keywords(s, &now, r, p);
	n = buf_len(&now);
	at = smtp_line(buf_head(&now), n);
	same = n - at == told_n - told_at &&
	       (n == at || memcmp(buf_head(&now) + at, told + told_at, n - at) == 0);
	buf_free(&now);
	return same;
}

/* Which replies are owed, and to what, is as it was: so is the state of the dialogue. In clear
 * it may be that the MTA has to say STARTTLS first, for which it is too late. */
void
client_kept_replay(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	const bool same = !s->client.enforce_tls && is_as_told(s, r, p);

	s->client.kept = KEPT_NO;
	buf_drop(&s->far.in, r->len);
	engine_state(s, CLIENT_COMMAND);
	if (!same) {
		client_lost(s, "a kept session was lost, and a new one has other keywords");
		return;
	}
	(void)buf_put(&s->far.out, buf_head(&s->client.replay), buf_len(&s->client.replay));
	buf_clear(&s->client.replay);
}

bool
client_kept_is_due(const struct session *s)
{
	return s->client.kept == KEPT_OPEN && (s->state != CLIENT_COMMAND || s->pending > 0);
}
