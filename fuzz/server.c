/*
 * server - a whole session of the receiver's engine: a client of any behaviour, who can do the
 * handshake, a back end of any behaviour, a monitor that grants or refuses, octets split
 * anywhere (libxpony/session.h).
 *
 * Input: how the session is set up; then steps, each one octet and what belongs to it.
 */
#include "fuzz/talk.h"

enum step {
	SAY,        /* the client: a line of the list, perhaps as a record */
	SAY_OCTETS, /* any octets, likewise */
	SAY_RAW,    /* any octets as they are */
	UPGRADE,
	CLOSE,
	END_FAR,
	REPLY, /* the back end: a reply of the list */
	REPLY_OCTETS,
	END_NEAR,
	GRANT,
	REFUSE,
	STALL,
	FAIL,
	STEPS
};

static const char *const says[] = {"EHLO client.test\r\n", "HELO client.test\r\n",
    "MAIL FROM:<a@client.test>\r\n", "RCPT TO:<b@mx.test>\r\n", "DATA\r\n",
    "Subject: x\r\n\r\nhello\r\n", "\r\n.\r\n", ".\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n",
    "AUTH PLAIN\r\n", "STARTTLS\r\n", "BDAT 5 LAST\r\nhello", "XPONY 1 ROT13\r\n",
    "XPONY 1 x25519-chachapoly AAAA\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
    "GET / HTTP/1.1\r\n", "NOOP\n", "\r\n"};
static const char *const replies[] = {"220 back.test ESMTP\r\n",
    ("250-back.test Hello\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-CHUNKING\r\n"
     "250-XPONY 1 ROT13\r\n250 HELP\r\n"),
    "250 2.0.0 ok\r\n", "354 go on\r\n", "334 \r\n", "235 2.7.0 yes\r\n", "550 5.1.1 no\r\n",
    "421 4.3.2 bye\r\n", "221 2.0.0 bye\r\n", "451 4.0.0 hash map\r\n", "250 HELP\n",
    "554 5.7.1 no service\r\n", "500 5.5.1 what\r\n", "220 2.0.0 ready\r\n", "250-half\r\n",
    "rubbish\r\n"};
static const char *const refusals[] = {"", "421 4.3.0 no", "451 4.7.5 not you", "550 5.7.1 no"};

/* The client's part of this session. */
static struct {
	bool offered, sent; /* the offer was heard; the line was said */
	bool granted;       /* the Diffie-Hellman */
	struct buf reply;   /* the lines of the reply to XPONY so far */
} client;

/* What reaches a back end are whole commands, none of them ours to answer; and only greetings
 * where encryption is demanded and is not there. */
static void
look_at_command(struct talk *t, const uint8_t *p, size_t n)
{
	const enum smtp_verb verb = smtp_verb(p, n);

	HOLDS(n <= SMTP_COMMAND_MAX && verb != SMTP_XPONY);
	HOLDS(!t->switched || verb != SMTP_STARTTLS);
	if (!t->switched && t->config.demand != SESSION_DEMAND_NOTHING && !client.sent)
		HOLDS(verb == SMTP_EHLO || verb == SMTP_HELO || verb == SMTP_NOOP ||
		      verb == SMTP_RSET || verb == SMTP_QUIT ||
		      (verb == SMTP_STARTTLS && t->config.demand == SESSION_DEMAND_ENCRYPTION));
	t->tls |= verb == SMTP_STARTTLS;
}

/* The one offer of this session, always in the same words, and never again inside. */
static void
look_for_offer(struct talk *t, const uint8_t *p, size_t n)
{
	struct advert a;

	if (advert_find_greeting(&a, p, n) != ERR_NONE &&
	    (n <= 4 || advert_find_keyword(&a, p + 4, n - 4) != ERR_NONE))
		return;
	if (a.rot > 0)
		return;
	HOLDS(!t->switched);
	HOLDS(!client.offered || strcmp(t->u.client.advert.text, a.text) == 0);
	client.offered = true;
	t->u.client.advert = a;
}

/* Is this the reply to our XPONY line? Replies to what was said before may come first. */
static void
look_for_switch(struct talk *t, const uint8_t *line, size_t n)
{
	struct handshake copy = t->u.client;
	struct record record;
	struct smtp_reply r;

	HOLDS(buf_put(&client.reply, line, n));
	if (n > 3 && line[3] == '-')
		return;
	if (smtp_reply_parse(&r, buf_head(&client.reply), buf_len(&client.reply)) == ERR_NONE &&
	    handshake_read_reply(&copy, &r, buf_head(&client.reply), &record) == ERR_NONE) {
		HOLDS(client.granted);
		HOLDS((t->record = sodium_malloc(sizeof record)) != NULL);
		*t->record = record;
		t->switched = true;
	}
	buf_clear(&client.reply);
}

static void
look_at_line(struct talk *t, enum session_side side, const uint8_t *p, size_t n)
{
	const size_t text = smtp_line_text(p, n);

	if (side == SESSION_NEAR) {
		look_at_command(t, p, text);
		return;
	}
	HOLDS(talk_is_reply(p, text));
	look_for_offer(t, p, text);
	if (client.sent && !t->switched)
		look_for_switch(t, p, n);
}

static void
look_at_question(struct talk *t, const struct session_request *q)
{
	const unsigned count = t->requests[q->kind];

	HOLDS(q->kind == SESSION_ASK_DH || q->kind == SESSION_ASK_PEER ||
	      q->kind == SESSION_ASK_BACKEND);
	t->side[SESSION_NEAR].gone |= q->kind == SESSION_ASK_BACKEND;
	HOLDS(t->asking == 0 && count <= (q->kind == SESSION_ASK_BACKEND ? 2 : 1));
	if (q->kind == SESSION_ASK_DH)
		HOLDS(t->requests[SESSION_ASK_PEER] == 1);
	if (q->kind != SESSION_ASK_BACKEND || !q->upgraded || t->config.rot > 0)
		return;
	HOLDS(client.granted);
	HOLDS(t->switched || t->side[SESSION_FAR].full || t->side[SESSION_FAR].opaque);
}

static void
grant(struct talk *t)
{
	struct session_request q = talk_question(t);
	struct session_answer a = {.kind = q.kind, .granted = 1};

	if (q.kind == 0)
		return;
	if (q.kind == SESSION_ASK_DH) {
		a.granted = upgrade_dh(&t->u, SERVER, q.key, a.dh);
		client.granted = a.granted;
	} else if (q.kind == SESSION_ASK_BACKEND) {
		talk_renew(t, SESSION_NEAR);
	}
	session_answer(t->s, &a);
	talk_run(t);
}

/* A good line for the offer that was heard. */
static void
upgrade(struct talk *t, uint8_t how)
{
	struct handshake_hello hello = {"mx.test", ""};
	uint8_t dh[NOISE_KEY];
	struct buf line;

	if (!client.offered || client.sent)
		return;
	if (how & 2)
		(void)snprintf(hello.ehlo, sizeof hello.ehlo, "EHLO client.test");
	client.sent = true;
	buf_init(&line, ADVERT_COMMAND_MAX);
	t->u.client.suite = upgrade_suite(how);
	HOLDS(upgrade_dh(&t->u, CLIENT, t->u.client.advert.e, dh));
	HOLDS(handshake_write_command(&t->u.client, t->u.public[CLIENT], dh, &hello, &line) ==
	      ERR_NONE);
	talk_give(t, SESSION_FAR, buf_head(&line), buf_len(&line), how & 4 ? 100 : 0);
	buf_free(&line);
}

static void
step(struct talk *t, struct input *in)
{
	const uint8_t what = input_u8(in), how = input_u8(in);
	const uint8_t *p;
	size_t n;

	switch ((enum step)(what % STEPS)) {
	case SAY:
		talk_say(t, SESSION_FAR, says[how % TALK_COUNT(says)], what / STEPS);
		break;
	case SAY_OCTETS:
		p = input_octets(in, &n);
		talk_give_far(t, p, n, how);
		break;
	case SAY_RAW:
		p = input_octets(in, &n);
		talk_give(t, SESSION_FAR, p, n, how);
		break;
	case UPGRADE:
		upgrade(t, how);
		break;
	case CLOSE:
		if (t->switched)
			talk_close(t, how % 2 == 0 ? "" : "QUIT\r\n", how);
		break;
	case END_FAR:
		talk_end(t, SESSION_FAR);
		break;
	case REPLY:
		talk_say(t, SESSION_NEAR, replies[how % TALK_COUNT(replies)], what / STEPS);
		break;
	case REPLY_OCTETS:
		p = input_octets(in, &n);
		talk_note_reply(t, p, n);
		talk_give(t, SESSION_NEAR, p, n, how);
		break;
	case END_NEAR:
		talk_end(t, SESSION_NEAR);
		break;
	case GRANT:
		grant(t);
		break;
	case REFUSE:
		talk_refuse(t, refusals[how % TALK_COUNT(refusals)]);
		break;
	case STALL:
		talk_stall(t, how % 2 == 0 ? SESSION_NEAR : SESSION_FAR);
		break;
	case FAIL:
		session_fail(t->s, how % 2 == 0 ? ERR_TIMEOUT : ERR_RESOURCE);
		talk_run(t);
		break;
	case STEPS:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const uint8_t how = input_u8(&in);
	static struct talk t;

	fuzz_start();
	talk_init(&t, SESSION_SERVER);
	memset(&client, 0, sizeof client);
	buf_init(&client.reply, TALK_HELD);
	t.line = look_at_line;
	t.question = look_at_question;
	t.side[SESSION_NEAR].gone = true;
	t.config.demand = how % 3;
	t.config.offer = (how & 0x80) == 0;
	t.config.rot = how & 0x40 ? 13 : 0;
	t.side[SESSION_FAR].opaque = t.config.rot > 0; /* rotated from some line on */
	t.config.commitment.present = (how & 0x20) != 0;
	HOLDS((t.s = session_new(&t.config)) != NULL);
	talk_run(&t);
	while (in.left > 0 && !session_is_over(t.s))
		step(&t, &in);
	talk_time_out(&t);
	buf_free(&client.reply);
	talk_free(&t);
	return 0;
}
