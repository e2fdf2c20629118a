/*
 * server_dialogue - what goes between the client and the back end, once there is one. Called by
 * server.c.
 *
 * A reply belongs to the oldest command without one, so a count of replies owed (s->pending) is
 * all that is kept; whatever must know "its" reply waits until the count is zero and is a
 * barrier.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>

#define NOISE_LINES 32 /* that a back end may say before its greeting */

/* A back end that is gone: after its own good-bye or the client's end that is its right; else
 * the client is told. */
static bool
backend_gone(struct session *s)
{
	if (s->state == SERVER_RAW || s->last_code == 221 || s->last_code == 421) {
		server_close(s);
	} else if (s->near_shut) {
		if (s->report.fault == ERR_NONE)
			s->report.fault = ERR_TRUNCATED;
		server_close(s);
	} else {
		server_fault(s, ERR_RESOURCE);
	}
	return true;
}

/* sendmail may talk before it greets: warnings without a code, "451 4.0.0 hash map ..." for a
 * missing map. What it refuses with is 421 or 5xx. True while there was such a line to drop. */
static bool
skip_noise(struct session *s)
{
	const uint8_t *p = buf_head(&s->near_in);
	size_t n = smtp_line(p, buf_len(&s->near_in));
	bool coded;

	if (n == 0 || s->noise >= NOISE_LINES)
		return false;
	coded = n >= 4 && p[0] >= '2' && p[0] <= '5' && p[1] >= '0' && p[1] <= '9';
	if (coded && (p[0] != '4' || memcmp(p, "421", 3) == 0))
		return false;
	buf_drop(&s->near_in, n);
	s->noise++;
	return true;
}

static void
note_hello(struct session *s, const uint8_t *line, size_t n)
{
	const uint8_t *name;
	size_t len = smtp_argument(line, n, &name);

	dialogue_text(s->report.hello, sizeof(s->report.hello), name, len);
}

static bool
is_proxied(const struct session *s)
{
	return s->config->backend == SESSION_BACKEND_PROXIED;
}

/* It has not shown that it took the header: it may take each client for this host itself, which
 * may relay. What it said is for the log. */
static void
unproven(struct session *s, const uint8_t *said, size_t n)
{
	char what[SESSION_TEXT_MAX];
	size_t line = smtp_line(said, n);

	dialogue_text(what, sizeof(what), said, line > 0 ? line : n);
	s->report.fault = ERR_REFUSED;
	server_refuse(s, "421 4.3.5 System incorrectly configured");
	(void)snprintf(s->report.verdict, sizeof(s->report.verdict),
	    "421 4.3.5 the back end does not take the PROXY header: %.300s", what);
}

/* The back end is there: to what the client says. */
static void
begin(struct session *s)
{
	engine_state(s, SERVER_COMMAND);
	if (s->hello.ehlo[0] == '\0')
		return;
	note_hello(s, (const uint8_t *)s->hello.ehlo, strlen(s->hello.ehlo));
	(void)dialogue_line(&s->near_out, "%s", s->hello.ehlo);
	s->barrier = BARRIER_EHLO;
	s->pending = 1;
}

bool
server_banner(struct session *s)
{
	struct smtp_reply r;
	enum err e;

	if (!is_proxied(s) && skip_noise(s))
		return true;
	e = smtp_reply_parse(&r, buf_head(&s->near_in), buf_len(&s->near_in));
	if (e == ERR_MORE)
		return s->near_eof ? backend_gone(s) : false;
	if (e != ERR_NONE) {
		server_fault(s, ERR_RESOURCE);
		return true;
	}
	/* An MTA that takes the header for a client's may say so at once, as Exim does, by 554:
	 * nothing that is wrong here makes mail come back to its sender. */
	if (is_proxied(s) && r.code >= 500) {
		unproven(s, buf_head(&s->near_in), r.len);
		return true;
	}
	if (r.code != 220) {
		s->last_code = r.code;
		engine_state(s, SERVER_REFUSED);
		return true;
	}
	buf_drop(&s->near_in, r.len);
	if (is_proxied(s)) {
		(void)buf_puts(&s->near_out, "NOOP\r\n");
		engine_state(s, SERVER_PROBE);
	} else {
		begin(s);
	}
	return true;
}

/* Replies come in the order of what they answer. To an MTA that does not expect a PROXY header
 * this is a client on its own host, who has said an empty line, one with a NUL and QUIT, and
 * these are answered first. So 250, and nothing before or behind it, means that the header was
 * taken for what it is. */
bool
server_probe(struct session *s)
{
	struct smtp_reply r;
	enum err e = smtp_reply_parse(&r, buf_head(&s->near_in), buf_len(&s->near_in));

	if (e == ERR_MORE && !s->near_eof)
		return false;
	if (e != ERR_NONE || r.code != 250 || r.len != buf_len(&s->near_in)) {
		unproven(s, buf_head(&s->near_in), buf_len(&s->near_in));
		return true;
	}
	buf_drop(&s->near_in, r.len);
	begin(s);
	return true;
}

/* The refusing greeting stands as the reply to the client's first command. */
bool
server_refused(struct session *s)
{
	const uint8_t *line;
	struct smtp_reply r;

	if (s->hello.ehlo[0] == '\0' && server_line(s, &line) == 0) {
		if (s->state == SERVER_REFUSED && channel_ended(&s->far))
			server_close(s);
		return s->state != SERVER_REFUSED;
	}
	if (smtp_reply_parse(&r, buf_head(&s->near_in), buf_len(&s->near_in)) == ERR_NONE) {
		engine_note_reply(s, r.code, buf_head(&s->near_in), r.len);
		(void)dialogue_move(&s->near_in, &s->far.out, r.len);
	}
	server_close(s);
	return true;
}

/* Does what is demanded of this client keep the command from the back end? As long as it is in
 * clear it may only introduce itself, begin to encrypt, and go (RFC 3207 section 4). */
static bool
is_forbidden(const struct session *s, enum smtp_verb verb)
{
	if (s->config->demand == SESSION_DEMAND_NOTHING || (s->upgraded && s->config->rot == 0))
		return false;
	switch (verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_NOOP:
	case SMTP_RSET:
	case SMTP_QUIT:
	case SMTP_XPONY:
		return false;
	case SMTP_STARTTLS:
		return s->config->demand == SESSION_DEMAND_XPONY;
	default:
		return true;
	}
}

/* Where we have nothing to offer, the client is not to blame and shall try again. */
static void
forbid(struct session *s)
{
	const char *reply = "530 5.7.0 Must issue an XPONY command first\r\n";

	if (!s->config->offer || s->config->rot > 0)
		reply = "454 4.7.0 Encryption is demanded but not available at present\r\n";
	else if (s->config->demand == SESSION_DEMAND_ENCRYPTION)
		reply = "530 5.7.0 Must issue an XPONY or STARTTLS command first\r\n";
	engine_note_reply(
	    s, reply[0] == '5' ? 530 : 454, (const uint8_t *)reply, strlen(reply));
	(void)buf_puts(&s->far.out, reply);
}

/* The EHLO reply with the offer as its last keyword; inside, and where it would not do, without
 * STARTTLS. */
static void
put_ehlo_reply(struct session *s, const struct smtp_reply *r, const uint8_t *p)
{
	const char *offer = NULL;
	const bool no_tls = s->upgraded || s->config->demand == SESSION_DEMAND_XPONY;
	const uint8_t *text, *last;
	size_t i, n, last_n;
	struct advert rot;

	if (!s->stale && !s->upgraded && s->config->rot > 0) {
		advert_make_rot(&rot, s->config->rot);
		offer = rot.text;
	} else if (!s->stale && !s->upgraded && s->hs != NULL) {
		offer = s->hs->advert.text;
	}
	last_n = smtp_reply_text(r, p, 0, &last);
	for (i = 1; i < r->lines; i++) {
		n = smtp_reply_text(r, p, i, &text);
		if (!dialogue_wants_keyword(text, n, no_tls))
			continue;
		(void)dialogue_line(&s->far.out, "250-%.*s", (int)last_n, (const char *)last);
		last = text;
		last_n = n;
	}
	(void)dialogue_line(&s->far.out, "250%c%.*s", offer == NULL ? ' ' : '-', (int)last_n,
	    (const char *)last);
	if (offer != NULL)
		(void)dialogue_line(&s->far.out, "250 %s", offer);
}

/* The last reply owed is there: what it was for decides how to go on. */
static void
settle(struct session *s, int code)
{
	enum dialogue_barrier barrier = s->barrier;

	s->barrier = BARRIER_NONE;
	if (barrier == BARRIER_DATA && code == 354) {
		memset(&s->body, 0, sizeof(s->body));
		engine_state(s, SERVER_BODY);
	} else if (barrier == BARRIER_AUTH && code == 334) {
		s->barrier = BARRIER_AUTH;
	} else if (barrier == BARRIER_STARTTLS && code == 220) {
		server_suite(s, "STARTTLS");
		engine_state(s, SERVER_RAW);
	}
}

static bool
ehlo_reply(struct session *s)
{
	struct smtp_reply r;
	enum err e = smtp_reply_parse(&r, buf_head(&s->near_in), buf_len(&s->near_in));

	if (e == ERR_MORE)
		return s->near_eof ? backend_gone(s) : false;
	if (e != ERR_NONE) {
		server_fault(s, ERR_RESOURCE);
		return true;
	}
	/* Lines that end in LF grow by a CR. */
	if (buf_room(&s->far.out) < 2 * r.len + DIALOGUE_REPLY_ROOM)
		return false;
	engine_note_reply(s, r.code, buf_head(&s->near_in), r.len);
	if (r.code == 250) {
		put_ehlo_reply(s, &r, buf_head(&s->near_in));
		buf_drop(&s->near_in, r.len);
	} else {
		(void)dialogue_move(&s->near_in, &s->far.out, r.len);
	}
	s->pending = 0;
	settle(s, r.code);
	return true;
}

/* DATA ends a group (RFC 2920 section 3.1). Who sends a message before it is asked for it may
 * be a server that somebody made to say more than it meant to; sendmail refuses that too, but
 * cannot see it here, where what follows DATA is held back. */
static bool
spoke_early(const struct session *s, int code)
{
	return code == 354 && s->barrier == BARRIER_DATA && s->pending == 1 &&
	       buf_len(&s->far.in) > 0;
}

/* Passes reply lines on, verbatim, and counts the replies that they complete. */
static bool
replies(struct session *s)
{
	const uint8_t *p = buf_head(&s->near_in);
	size_t n = smtp_line(p, buf_len(&s->near_in));
	int code;

	if (s->barrier == BARRIER_EHLO && s->pending == 1)
		return ehlo_reply(s);
	if (n == 0) {
		if (s->near_eof || buf_room(&s->near_in) == 0)
			return backend_gone(s);
		return false;
	}
	if (n < 4 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' ||
	    p[2] > '9') {
		server_fault(s, ERR_RESOURCE);
		return true;
	}
	if (buf_room(&s->far.out) < n)
		return false;
	code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	if (spoke_early(s, code)) {
		s->report.fault = ERR_SEQUENCE;
		server_refuse(s, "554 5.5.0 SMTP protocol error");
		return true;
	}
	if (p[3] == '-') {
		(void)dialogue_move(&s->near_in, &s->far.out, n);
		return true;
	}
	engine_note_reply(s, code, p, n);
	(void)dialogue_move(&s->near_in, &s->far.out, n);
	if (s->pending > 0 && --s->pending == 0)
		settle(s, code);
	/* After 221 the back end closes (RFC 5321 section 4.2.2): our end leaves with it. */
	if (code == 221 && s->pending == 0)
		server_close(s);
	return true;
}

static void
pass_command(struct session *s, enum smtp_verb verb, size_t n)
{
	if (dialogue_barrier(verb) == BARRIER_EHLO)
		note_hello(s, buf_head(&s->far.in), n);
	/* The reply to HELO has no keywords: it passes as it is. */
	s->barrier = verb == SMTP_HELO ? BARRIER_NONE : dialogue_barrier(verb);
	if (!s->stale && (verb == SMTP_MAIL || verb == SMTP_AUTH || verb == SMTP_STARTTLS)) {
		s->stale = true;
		if (!s->upgraded)
			(void)engine_ask(s, SESSION_TELL_SETTLED);
	}
	s->pending++;
	s->progress++;
	(void)dialogue_move(&s->far.in, &s->near_out, n);
}

static bool
commands(struct session *s)
{
	const uint8_t *line;
	enum smtp_verb verb;
	size_t n;

	/* What waits for its reply before anything else may pass; an AUTH exchange's lines are
	 * no commands and pass when it is the client's turn. */
	if (s->barrier != BARRIER_NONE && !(s->barrier == BARRIER_AUTH && s->pending == 0))
		return false;
	if ((n = server_line(s, &line)) == 0)
		return s->state == SERVER_CLOSING;
	if (buf_room(&s->near_out) < n)
		return false;
	verb = s->barrier == BARRIER_AUTH ? SMTP_AUTH : smtp_verb(line, n);
	if (s->pending > 0 && (verb == SMTP_XPONY || dialogue_barrier(verb) == BARRIER_EHLO))
		return false;
	if (is_forbidden(s, verb) || (verb == SMTP_STARTTLS && s->upgraded)) {
		if (s->pending > 0)
			return false;
		buf_drop(&s->far.in, n);
		if (is_forbidden(s, verb))
			forbid(s);
		else
			(void)dialogue_line(&s->far.out, "%s", err_reply(ERR_SEQUENCE));
		return true;
	}
	if (verb == SMTP_XPONY)
		server_upgrade(s, line, n);
	else
		pass_command(s, verb, n);
	return true;
}

static bool
body(struct session *s)
{
	size_t n = buf_len(&s->far.in);
	bool ended;

	if (n > buf_room(&s->near_out))
		n = buf_room(&s->near_out);
	if (n == 0)
		return false;
	n = body_scan(&s->body, buf_head(&s->far.in), n, &ended);
	(void)dialogue_move(&s->far.in, &s->near_out, n);
	s->report.octets += n;
	s->progress++;
	if (ended) {
		s->pending = 1;
		s->dot = true;
		engine_state(s, SERVER_COMMAND);
	}
	return true;
}

/* The client said all that it had to say, and all of it went on: so may the back end know, once
 * it has read it. Where a reply is to decide how the rest is read, the rest waits for it. */
static void
client_ended(struct session *s)
{
	size_t rest = buf_len(&s->far.in);

	if (!channel_ended(&s->far) || (s->barrier != BARRIER_NONE && s->pending > 0))
		return;
	if (s->state == SERVER_COMMAND)
		rest = smtp_line(buf_head(&s->far.in), rest);
	if (rest == 0)
		s->near_shut = true;
}

bool
server_dialogue(struct session *s)
{
	bool moved = false;

	if (s->state == SERVER_RAW) {
		moved = engine_raw(s);
		if (!moved && s->near_eof && buf_len(&s->near_in) == 0)
			return backend_gone(s);
	} else {
		if (s->state == SERVER_BODY)
			moved = body(s);
		else if (s->state == SERVER_COMMAND)
			moved = commands(s);
		if (s->state == SERVER_BODY || s->state == SERVER_COMMAND)
			moved |= replies(s);
	}
	if (!moved)
		client_ended(s);
	return moved;
}
