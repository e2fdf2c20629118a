/*
 * client - the engine in blackpony-mailer: the far side is a mail host, the near side the MTA
 * that started us as its program mailer (doc/DESIGN.md, "States"). Called by session.c.
 *
 * Until the MTA has been told a host's keywords nothing is committed and another host or
 * connection may be tried. After that a lost host becomes a temporary verdict for what is still
 * open.
 */
#include "client.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
	SECONDS_CONNECT =
	    250, /* above the monitor's own budget of 240 for names and connects */
	SECONDS_GREETING =
	    120,             /* less than RFC 5321's 300: the next host has to fit into the */
	SECONDS_REPLY = 120, /* five minutes that sendmail waits for its EHLO reply */
	SECONDS_UPGRADE = 60,
	SECONDS_DIALOGUE = 3900, /* above sendmail's own hour */
	SECONDS_LEAVING = 5,
	SECONDS_KEPT = SESSION_KEEP_SECONDS + 10, /* the keeper's own clock comes first */
	SECONDS_KEPT_REPLY = 10, /* the first reply of a kept session, which may be dead */
};

static void
set_text(char *to, size_t cap, const char *text)
{
	dialogue_text(to, cap, (const uint8_t *)text, strlen(text));
}

/* Nothing that the host still says counts, and a fault in its records is nobody's any more. */
static void
drop_host(struct session *s)
{
	engine_handshake_drop(s);
	channel_abandon(&s->far);
	if (!s->upgraded)
		s->report.suite[0] = '\0';
}

/* No host will take this mail: from now on every RCPT is told so, which is where sendmail
 * believes an enhanced code recipient by recipient. */
void
client_verdict(struct session *s, const char *reply)
{
	set_text(s->client.verdict, sizeof(s->client.verdict), reply);
	set_text(s->report.verdict, sizeof(s->report.verdict), reply);
	drop_host(s);
	engine_state(s, CLIENT_VERDICT);
}

void
client_next_hop(struct session *s, enum session_hop_reason reason, const char *said)
{
	struct session_request *r;

	drop_host(s);
	s->upgraded = false;
	s->report.has_key = false;
	s->report.suite[0] = '\0';
	r = engine_ask(s, SESSION_ASK_HOP);
	r->reason = (uint8_t)reason;
	(void)snprintf(r->text, sizeof(r->text), "%s", said);
	engine_state(s, CLIENT_CONNECT);
}

void
client_upgrade_failed(struct session *s, enum err fault, const char *said)
{
	char suite[sizeof(s->report.suite)];

	memcpy(suite, s->report.suite, sizeof(suite));
	client_next_hop(s, SESSION_HOP_UPGRADE, said);
	memcpy(s->request.suite, suite, sizeof(suite));
	s->request.fault = (uint8_t)fault;
}

static void
tell_done(struct session *s)
{
	if (s->client.told)
		return;
	s->client.told = true;
	engine_ask(s, SESSION_TELL_DONE)->report = s->report;
}

/* "mx.example [192.0.2.1]", and once only where the destination was an address. */
static void
host_text(const struct session *s, char *text, size_t cap)
{
	if (s->client.host[0] == '[')
		(void)snprintf(text, cap, "%s", s->client.host);
	else
		(void)snprintf(text, cap, "%s %s", s->client.host, s->client.address);
}

/* "451 4.4.2 host [addr]: why" */
static void
lost_reply(const struct session *s, char *reply, size_t cap, const char *why)
{
	char host[SESSION_HOST_MAX + SESSION_ADDRESS_MAX + 2];

	host_text(s, host, sizeof(host));
	(void)snprintf(reply, cap, "451 4.4.2 %s: %s", host, why);
}

/* An MTA that goes without QUIT may not know what has become of its mail, and send it again:
 * the log says why it may then be there twice. */
static void
note_gone(struct session *s)
{
	char reply[SESSION_TEXT_MAX];

	if (s->dot) {
		lost_reply(s, s->report.verdict, sizeof(s->report.verdict),
		    "sendmail has gone after the final dot, perhaps delivered");
	} else if (s->report.messages > 0) {
		(void)memcpy(reply, s->report.verdict, sizeof(reply));
		(void)snprintf(s->report.verdict, sizeof(s->report.verdict),
		    "sendmail has gone, perhaps before it heard: %.*s", (int)sizeof(reply) - 50,
		    reply);
	}
}

/* The MTA is done with us and shall not wait; the host gets its QUIT in its own time. */
void
client_leave(struct session *s, bool quit)
{
	bool idle = (s->state == CLIENT_COMMAND && s->pending == 0) || s->state == CLIENT_KEPT;

	s->near_shut = true;
	if (!quit && s->near_eof)
		note_gone(s);
	if (s->state == CLIENT_RAW) {
		(void)channel_shut(&s->far);
	} else if (!idle || !quit || !buf_puts(&s->far.out, "QUIT\r\n")) {
		/* In the middle of something the only honest end is an abrupt one: never a dot,
		 * never an authenticated close. */
		channel_abandon(&s->far);
	}
	/* A kept session is to be ready again before the MTA can send the next mail: there the
	 * report waits for the other engine's end (lib/relay.c sends it then). */
	if (!quit || (s->client.kept != KEPT_OPEN && s->client.kept != KEPT_USED))
		tell_done(s);
	engine_state(s, CLIENT_LEAVING);
}

/* Where the host says no, the MTA and its bounces learn which host: "550 5.1.1 host [addr]
 * said: text". After the final dot likewise, with the suite: it becomes sendmail's stat=Sent
 * (...). The host's 421 becomes 451: it is not we who close, and sendmail would take the reply
 * to its next command for the verdict. */
void
client_attribute(
    struct session *s, struct buf *out, const struct smtp_reply *r, const uint8_t *p)
{
	char host[SESSION_HOST_MAX + SESSION_ADDRESS_MAX + 2];
	const int code = r->code == 421 ? 451 : r->code;
	const uint8_t *text;
	size_t i, n, enhanced;

	/* Who believes to hear the host itself names it in his own words. */
	if (s->config->redirected && r->code >= 400) {
		(void)buf_put(out, p, r->len);
		return;
	}
	host_text(s, host, sizeof(host));
	for (i = 0; i < r->lines; i++) {
		char separator = i + 1 < r->lines ? '-' : ' ';

		n = smtp_reply_text(r, p, i, &text);
		enhanced = smtp_enhanced(r->code, text, n);
		if (i > 0) {
			(void)dialogue_line(
			    out, "%d%c%.*s", code, separator, (int)n, (const char *)text);
			continue;
		}
		while (enhanced < n && text[enhanced] == ' ')
			enhanced++;
		(void)dialogue_line(out, "%d%c%.*s%s%s%s%s %.*s", code, separator,
		    (int)enhanced, (const char *)text, host,
		    r->code < 400 && s->report.suite[0] != '\0' ? " " : "",
		    r->code < 400 ? s->report.suite : "",
		    r->code < 400 ? ":" : " said:", (int)(n - enhanced),
		    (const char *)text + enhanced);
	}
}

/* The same as one reply line without CRLF, to be given again and again. */
void
client_attribute_line(
    struct session *s, char *to, size_t cap, const struct smtp_reply *r, const uint8_t *p)
{
	struct buf lines;
	size_t n;

	buf_init(&lines, SMTP_REPLY_MAX);
	client_attribute(s, &lines, r, p);
	n = smtp_line(buf_head(&lines), buf_len(&lines));
	dialogue_text(to, cap, buf_head(&lines), smtp_line_text(buf_head(&lines), n));
	to[3] = ' ';
	buf_free(&lines);
}

/* The host is gone. Commands without their reply meet the verdict, and so does what comes next;
 * the rest of a body goes nowhere first. */
static void
lose(struct session *s, const char *why)
{
	bool in_body = s->state == CLIENT_BODY;
	char reply[SESSION_TEXT_MAX];

	lost_reply(s, reply, sizeof(reply),
	    s->dot ? "lost after the final dot, perhaps delivered" : why);
	if (s->report.fault == ERR_NONE)
		s->report.fault = ERR_TRUNCATED;
	s->dot = false;
	s->pending = 0;
	if (s->client.mail != MAIL_REFUSED)
		s->client.mail = MAIL_NONE;
	buf_clear(&s->client.held);
	client_verdict(s, reply);
	if (in_body)
		engine_state(s, CLIENT_DRAIN);
}

void
client_lost(struct session *s, const char *why)
{
	if (client_kept_lost(s, why))
		return;
	switch ((enum client_state)s->state) {
	case CLIENT_UPGRADE:
	case CLIENT_DH:
	case CLIENT_JUDGE:
		client_upgrade_failed(s, ERR_REFUSED, why);
		break;
	case CLIENT_GREETING:
	case CLIENT_HELLO:
	case CLIENT_CLEAR:
	case CLIENT_CAPS:
		client_next_hop(s, SESSION_HOP_REFUSED, why);
		break;
	case CLIENT_COMMAND:
	case CLIENT_BODY:
		if (s->client.behind)
			client_leave(s, false); /* verdicts are the other engine's affair */
		else
			lose(s, why);
		break;
	case CLIENT_RAW:
	case CLIENT_KEPT:
		client_leave(s, false);
		break;
	case CLIENT_LEAVING:
		channel_abandon(&s->far);
		break;
	case CLIENT_CONNECT:
	case CLIENT_DRAIN:
	case CLIENT_VERDICT:
	case CLIENT_GONE:
		break;
	}
}

/* What the monitor is asked for in this state, 0 when nothing. */
static int
asked(const struct session *s)
{
	switch ((enum client_state)s->state) {
	case CLIENT_CONNECT:
		return SESSION_ASK_HOP;
	case CLIENT_DH:
		return SESSION_ASK_DH;
	case CLIENT_JUDGE:
		return SESSION_ASK_PEER;
	case CLIENT_CLEAR:
		return SESSION_ASK_CLEAR;
	case CLIENT_KEPT:
		return SESSION_ASK_MAIL;
	default:
		return 0;
	}
}

void
client_fail(struct session *s, enum err fault)
{
	if (s->state == CLIENT_VERDICT || s->state == CLIENT_DRAIN) {
		client_leave(s, false); /* the MTA itself is silent */
	} else if (s->state == CLIENT_KEPT) {
		/* Nobody came, or nobody keeps it any more. */
		client_leave(s, fault == ERR_TIMEOUT || fault == ERR_RESOURCE);
	} else if (s->state == CLIENT_LEAVING && fault == ERR_TIMEOUT) {
		engine_state(s, CLIENT_GONE);
	} else if (asked(s) != 0 && (fault == ERR_TIMEOUT || fault == ERR_RESOURCE)) {
		client_verdict(s, "451 4.3.0 No answer from our own monitor");
	} else {
		bool mute = s->state == CLIENT_GREETING && fault == ERR_TIMEOUT;

		client_lost(s, err_text(fault));
		/* As good as dead. Who closes at once has cost nobody time, and may be a load
		 * balancer, one of whose hosts is gone. */
		if (mute)
			s->request.fault = ERR_TIMEOUT;
	}
}

/* The QUIT goes out, and the close with it; then the host's end is waited for. */
static bool
leaving(struct session *s)
{
	buf_clear(&s->far.in);
	if (s->far.mode == CHANNEL_RECORDS)
		(void)channel_shut(&s->far);
	if (channel_ended(&s->far) && session_shut(s, SESSION_NEAR))
		engine_state(s, CLIENT_GONE);
	return false;
}

bool
client_step(struct session *s)
{
	switch ((enum client_state)s->state) {
	case CLIENT_CONNECT:
	case CLIENT_DH:
	case CLIENT_JUDGE:
	case CLIENT_CLEAR:
		return client_mail_hello(s);
	case CLIENT_HELLO:
		return client_mail_hello(s) ||
		       (s->state == CLIENT_HELLO && client_hop_hello(s));
	case CLIENT_GREETING:
	case CLIENT_UPGRADE:
	case CLIENT_CAPS:
		return client_mail_hello(s) || client_hop_reply(s);
	case CLIENT_COMMAND:
		return client_mail_command(s) ||
		       (s->state == CLIENT_COMMAND && client_mail_reply(s));
	case CLIENT_BODY:
		return client_mail_body(s, false) ||
		       (s->state == CLIENT_BODY && client_mail_interrupted(s));
	case CLIENT_DRAIN:
		return client_mail_body(s, true);
	case CLIENT_RAW:
		return client_mail_raw(s);
	case CLIENT_VERDICT:
		return client_mail_verdict(s);
	case CLIENT_KEPT:
		return client_kept_step(s);
	case CLIENT_LEAVING:
		return leaving(s);
	case CLIENT_GONE:
		return false;
	}
	return false;
}

static void
new_host(struct session *s, const struct session_answer *answer)
{
	channel_reset(&s->far);
	s->report.fault = ERR_NONE;
	s->report.verdict[0] = '\0';
	set_text(s->client.host, sizeof(s->client.host), answer->host);
	set_text(s->client.address, sizeof(s->client.address), answer->address);
	s->client.offer = answer->offer;
	s->client.strict = answer->strict;
	s->client.suites = answer->suites;
	s->client.enforce_tls = false;
	client_kept_begin(s, answer);
	engine_state(s, CLIENT_GREETING);
}

/* Called with NULL at the start: greets the MTA and asks for the first host. */
void
client_answer(struct session *s, const struct session_answer *answer)
{
	if (answer == NULL) {
		if (!s->config->redirected)
			(void)dialogue_line(&s->near_out, "220 %s ESMTP", s->config->name);
		client_next_hop(s, SESSION_HOP_FIRST, "");
		return;
	}
	/* The answer to what a lost host was asked about counts no more. */
	if (answer->kind != asked(s))
		return;
	if (s->state == CLIENT_KEPT) {
		if (answer->granted)
			client_kept_mail(s);
		else
			client_leave(s, true);
	} else if (!answer->granted && s->state == CLIENT_DH) {
		/* The host's key is a point of low order: a bad offer, as a broken message 3
		 * is. */
		client_upgrade_failed(s, ERR_CRYPTO, err_text(ERR_CRYPTO));
	} else if (!answer->granted && s->state != CLIENT_CONNECT) {
		/* Not trusted, or not in clear: perhaps the next host is better. */
		client_next_hop(s, SESSION_HOP_REFUSED, answer->text);
	} else if (!answer->granted) {
		client_verdict(
		    s, answer->text[0] != '\0' ? answer->text : err_reply(ERR_RESOURCE));
	} else if (s->state == CLIENT_CONNECT) {
		new_host(s, answer);
	} else if (s->state == CLIENT_DH) {
		client_hop_upgrade(s, answer->dh);
	} else if (s->state == CLIENT_CLEAR) {
		s->client.enforce_tls = answer->enforce_tls;
		client_hop_clear(s);
	} else {
		struct record *record = s->far.record;

		s->far.record = NULL;
		client_hop_records(s, record);
	}
}

/* The host can do nothing with part of a body: it waits until a record is full or the dot is
 * there. */
bool
client_may_hold(const struct session *s)
{
	return s->state == CLIENT_BODY;
}

unsigned
client_timeout(const struct session *s)
{
	switch ((enum client_state)s->state) {
	case CLIENT_CONNECT:
		return SECONDS_CONNECT;
	case CLIENT_GREETING:
	case CLIENT_HELLO:
		return client_kept_is_due(s) ? SECONDS_KEPT_REPLY : SECONDS_GREETING;
	case CLIENT_DH:
	case CLIENT_UPGRADE:
	case CLIENT_JUDGE:
	case CLIENT_CLEAR:
		return SECONDS_UPGRADE;
	case CLIENT_CAPS:
		return client_kept_is_due(s) ? SECONDS_KEPT_REPLY : SECONDS_REPLY;
	case CLIENT_COMMAND:
		return client_kept_is_due(s) ? SECONDS_KEPT_REPLY : SECONDS_DIALOGUE;
	case CLIENT_BODY:
	case CLIENT_DRAIN:
	case CLIENT_RAW:
	case CLIENT_VERDICT:
		return SECONDS_DIALOGUE;
	case CLIENT_KEPT:
		return SECONDS_KEPT;
	case CLIENT_LEAVING:
	case CLIENT_GONE:
		return SECONDS_LEAVING;
	}
	return SECONDS_REPLY;
}

/* A reply that waits is one that has begun. */
unsigned
client_patience(const struct session *s, bool owes)
{
	const size_t n = buf_len(&s->far.in);
	struct smtp_reply r;

	switch ((enum client_state)s->state) {
	case CLIENT_COMMAND:
	case CLIENT_BODY:
		owes |= n > 0 && smtp_reply_parse(&r, buf_head(&s->far.in), n) == ERR_MORE;
		break;
	case CLIENT_RAW:
		return owes || n == 0 ? ENGINE_PATIENCE_RAW : 0;
	default:
		break;
	}
	return owes ? engine_patience(s) : 0;
}

const char *
client_phase(const struct session *s)
{
	static const char *const phases[] = {"connecting", "greeting", "EHLO", "handshake",
	    "handshake", "handshake", "policy", "EHLO reply", "dialogue", "body", "body",
	    "TLS dialogue", "verdict", "kept", "leaving", "gone"};

	return phases[s->state];
}
