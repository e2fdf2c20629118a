/*
 * client - a whole session of the mailer's engine: a mail host of any behaviour, which can do
 * the handshake, an MTA of any behaviour, a monitor that grants or refuses, octets split
 * anywhere (libxpony/session.h).
 *
 * Input: how the session is set up; then steps, each one octet and what belongs to it.
 */
#include "fuzz/talk.h"

enum step {
	SAY,        /* the MTA: a line of the list */
	SAY_OCTETS, /* any octets */
	END_NEAR,
	REPLY,        /* the host: a reply of the list, perhaps as a record */
	REPLY_OCTETS, /* any octets, likewise */
	REPLY_RAW,    /* any octets as they are */
	GREET,        /* with a good offer */
	KEYWORDS,     /* likewise */
	UPGRADE,      /* a good reply to XPONY */
	CLOSE,
	END_FAR,
	GRANT,
	REFUSE,
	STALL,
	FAIL,
	STEPS
};

static const char *const says[] = {"EHLO mta.test\r\n", "HELO mta.test\r\n",
    "MAIL FROM:<a@mta.test>\r\n", "RCPT TO:<b@mx.test>\r\n", "DATA\r\n",
    "Subject: x\r\n\r\nhello\r\n", "\r\n.\r\n", ".\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n",
    "AUTH PLAIN\r\n", "STARTTLS\r\n", "RCPT TO:<b@mx.test>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n",
    "VRFY x\r\n", "\x16\x03\x01 hello\r\n"};
static const char *const replies[] = {"220 mx.test ESMTP\r\n",
    "220 mx.test ESMTP XPONY 1 ROT13\r\n", "250 2.0.0 ok\r\n",
    ("250-mx.test Hello\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-CHUNKING\r\n"
     "250-AUTH PLAIN\r\n250 HELP\r\n"),
    "354 go on\r\n", "334 \r\n", "235 2.7.0 yes\r\n", "550 5.1.1 no\r\n", "421 4.3.2 bye\r\n",
    "221 2.0.0 bye\r\n", "454 4.7.0 no\r\n", "501 5.5.4 what\r\n", "554 5.7.1 no service\r\n",
    "220 2.0.0 ready\r\n", "250-half\r\n", "250-mx.test\r\n250 XPONY 1 ROT13\r\n",
    "rubbish\r\n"};
static const char *const refusals[] = {
    "", "421 4.3.0 no", "451 4.7.5 not there", "550 5.1.2 no"};

/* The host's part, on this connection. */
static struct {
	bool heard;         /* a good XPONY line */
	bool clear_granted; /* by the monitor */
	bool enforce_tls;
	bool kept; /* an engine that has kept its session */
} host;

/* Until the monitor lets the mail go in clear, none of it goes; and where it is to be behind
 * STARTTLS, not before that. */
static void
look_at_command(struct talk *t, const uint8_t *line, size_t n)
{
	const enum smtp_verb verb = smtp_verb(line, n);
	struct handshake_hello hello;

	HOLDS(n <= SMTP_COMMAND_MAX);
	if (t->switched) {
		HOLDS(verb != SMTP_XPONY);
		return;
	}
	HOLDS(!host.kept || verb != SMTP_XPONY);
	if (!host.clear_granted && !host.kept)
		HOLDS(verb == SMTP_EHLO || verb == SMTP_XPONY || verb == SMTP_QUIT);
	HOLDS(!host.enforce_tls || t->tls || verb != SMTP_MAIL);
	t->tls |= verb == SMTP_STARTTLS;
	if (verb == SMTP_XPONY && !host.heard)
		host.heard = handshake_read_command(&t->u.server, &t->u.suites,
				 t->u.public[SERVER], line, n, &hello) == ERR_NONE;
}

static void
look_at_line(struct talk *t, enum session_side side, const uint8_t *p, size_t n)
{
	if (side == SESSION_NEAR)
		HOLDS(talk_is_reply(p, smtp_line_text(p, n)));
	else
		look_at_command(t, p, n);
}

static void
look_at_question(struct talk *t, const struct session_request *q)
{
	HOLDS(q->kind != SESSION_ASK_BACKEND);
	HOLDS(q->kind != SESSION_ASK_CLEAR || !q->upgraded);
	if (q->kind == SESSION_ASK_HOP) {
		HOLDS(q->reason <= SESSION_HOP_UPGRADE ||
		      (q->reason == SESSION_HOP_KEPT && host.kept));
		t->side[SESSION_FAR].gone = true;
	} else {
		HOLDS(!t->side[SESSION_FAR].gone);
	}
	HOLDS(q->kind != SESSION_ASK_MAIL || (t->config.keep && t->switched && t->record != NULL));
	if (q->kind == SESSION_ASK_MAIL)
		t->side[SESSION_NEAR].gone = true;
	HOLDS(q->kind != SESSION_ASK_PEER || t->record != NULL);
	HOLDS(q->commitment.keys <= COMMITMENT_KEYS);
}

static void
connect_host(struct talk *t, struct session_answer *a, uint8_t how)
{
	talk_renew(t, SESSION_FAR);
	memset(&host, 0, sizeof host);
	handshake_offer(&t->u.server, &t->u.suites);
	a->offer = (how & 1) == 0;
	a->strict = (how >> 1) & 1;
	a->suites = (how >> 2) % 3;
	a->kept = host.kept = t->config.keep && (how & 0x40) != 0;
	(void)snprintf(a->suite, sizeof a->suite, "kept");
	(void)snprintf(a->host, sizeof a->host, how & 0x20 ? "[192.0.2.1]" : "mx.test");
	(void)snprintf(a->address, sizeof a->address, "[192.0.2.1]");
}

static void
grant(struct talk *t, uint8_t how)
{
	struct session_request q = talk_question(t);
	struct session_answer a = {.kind = q.kind, .granted = 1};

	if (q.kind == SESSION_ASK_HOP) {
		connect_host(t, &a, how);
	} else if (q.kind == SESSION_ASK_DH) {
		a.granted = upgrade_dh(&t->u, CLIENT, q.key, a.dh);
	} else if (q.kind == SESSION_ASK_CLEAR && !t->side[SESSION_FAR].gone) {
		a.enforce_tls = how & 1;
		host.clear_granted = true;
		host.enforce_tls = a.enforce_tls;
	}
	if (q.kind == SESSION_ASK_MAIL)
		talk_renew(t, SESSION_NEAR);
	if (q.kind == 0)
		return;
	session_answer(t->s, &a);
	talk_run(t);
}

static void
say_far(struct talk *t, const uint8_t *p, size_t n, size_t piece)
{
	talk_note_reply(t, p, n);
	talk_give_far(t, p, n, piece);
}

static void
offer(struct talk *t, const char *before, uint8_t how)
{
	char text[ADVERT_MAX + 64];

	(void)snprintf(text, sizeof text, "%s%s\r\n", before, t->u.server.advert.text);
	say_far(t, (const uint8_t *)text, strlen(text), how);
}

static void
upgrade(struct talk *t, uint8_t how)
{
	struct record record;
	uint8_t dh[NOISE_KEY];
	struct buf out;

	if (t->side[SESSION_FAR].gone || !host.heard || t->record != NULL)
		return;
	buf_init(&out, SMTP_REPLY_MAX);
	t->u.server.commitment = (struct commitment){.present = how & 1, .max_age = 9};
	HOLDS(upgrade_dh(&t->u, SERVER, t->u.server.noise.re, dh));
	HOLDS(handshake_write_reply(&t->u.server, dh, &out, &record) == ERR_NONE);
	HOLDS((t->record = sodium_malloc(sizeof record)) != NULL);
	*t->record = record;
	/* From here on: the client says nothing before it has switched, too. */
	talk_give(t, SESSION_FAR, buf_head(&out), buf_len(&out), how & 2 ? 99 : 0);
	t->switched = t->record != NULL;
	buf_free(&out);
}

static void
host_step(struct talk *t, struct input *in, enum step what, uint8_t piece)
{
	const uint8_t how = input_u8(in);
	const uint8_t *p;
	size_t n;

	if (what == REPLY) {
		talk_say(t, SESSION_FAR, replies[how % TALK_COUNT(replies)], piece);
	} else if (what == REPLY_OCTETS || what == REPLY_RAW) {
		p = input_octets(in, &n);
		if (what == REPLY_OCTETS)
			say_far(t, p, n, how);
		else
			talk_give(t, SESSION_FAR, p, n, how);
	} else if (what == GREET) {
		offer(t, "220 mx.test ESMTP ", how);
	} else if (what == KEYWORDS) {
		offer(t, "250-mx.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 ", how);
	} else if (what == UPGRADE) {
		upgrade(t, how);
	} else if (what == CLOSE && t->switched) {
		const char *last = how % 2 == 0 ? "" : "221 2.0.0 Bye\r\n";

		talk_note_reply(t, (const uint8_t *)last, strlen(last));
		talk_close(t, last, how);
	} else if (what == END_FAR) {
		talk_end(t, SESSION_FAR);
	}
}

static void
step(struct talk *t, struct input *in)
{
	const uint8_t octet = input_u8(in);
	const enum step what = (enum step)(octet % STEPS);
	uint8_t how;
	const uint8_t *p;
	size_t n;

	if (what >= REPLY && what <= END_FAR) {
		host_step(t, in, what, octet / STEPS);
		return;
	}
	how = input_u8(in);
	if (what == SAY) {
		talk_say(t, SESSION_NEAR, says[how % TALK_COUNT(says)], octet / STEPS);
	} else if (what == SAY_OCTETS) {
		p = input_octets(in, &n);
		talk_give(t, SESSION_NEAR, p, n, how);
	} else if (what == END_NEAR) {
		talk_end(t, SESSION_NEAR);
	} else if (what == GRANT) {
		grant(t, how);
	} else if (what == REFUSE) {
		talk_refuse(t, refusals[how % TALK_COUNT(refusals)]);
	} else if (what == STALL) {
		talk_stall(t, how % 2 == 0 ? SESSION_NEAR : SESSION_FAR);
	} else {
		session_fail(t->s, how % 2 == 0 ? ERR_TIMEOUT : ERR_RESOURCE);
		talk_run(t);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t how = input_u8(&in);
	static struct talk t;

	fuzz_start();
	talk_init(&t, SESSION_CLIENT);
	memset(&host, 0, sizeof host);
	t.line = look_at_line;
	t.question = look_at_question;
	t.side[SESSION_FAR].gone = true;
	t.config.rot = how & 1 ? 13 : 0;
	t.config.keep = !(how & 1) && (how & 2);
	HOLDS((t.s = session_new(&t.config)) != NULL);
	talk_run(&t);
	while (in.left > 0 && !session_is_over(t.s)) {
		step(&t, &in);
		t.side[SESSION_FAR].opaque |= t.config.rot > 0; /* rotated from some line on */
	}
	talk_time_out(&t);
	talk_free(&t);
	return 0;
}
