/*
 * talk - what the targets server and client share: a session that is driven as lib/relay.c does
 * it, and all that comes out of it held to what may come out.
 */
#ifndef FUZZ_TALK_H
#define FUZZ_TALK_H

#include "libxpony/channel.h"
#include "libxpony/session.h"

#include "fuzz/upgrade.h"

#define TALK_HELD 150000 /* octets of output that are kept until they are looked at */
#define TALK_TURNS 1000  /* session_run() until nothing goes out any more */
#define TALK_ASKED 8     /* questions that may wait for the monitor */
#define TALK_KINDS 16
#define TALK_TEXT 100000
#define TALK_FLOOD 14
#define TALK_FLOODS 4
#define TALK_COUNT(list) (sizeof(list) / sizeof(list)[0])

/* What the session said to one side. */
struct talk_side {
	struct buf held; /* of its last line, the part that is there */
	bool opaque;     /* no lines any more: a body, AUTH, TLS */
	bool full;       /* its peer does not read: nothing is taken */
	bool gone;       /* nobody is there: what is said goes nowhere */
	bool eof;
};

struct talk {
	struct session *s;
	struct session_config config;
	struct upgrade u;      /* the half of the handshake that is not the session's is used */
	struct record *record; /* that half's, once upgraded */
	bool switched;         /* what comes is records */
	struct buf sealed;     /* not opened yet */
	struct talk_side side[2];
	struct session_request asked[TALK_ASKED]; /* by the session, the oldest first */
	size_t asking;
	unsigned requests[TALK_KINDS]; /* so far, of each kind */
	uint8_t code[3]; /* the last octets that were said to the session in reply */
	bool tls;        /* STARTTLS went by */
	bool was_full;   /* ever, on any side */
	unsigned floods;

	/* Given by the target. A line comes without its end; a question is one that needs an
	 * answer. */
	void (*line)(struct talk *t, enum session_side side, const uint8_t *p, size_t n);
	void (*question)(struct talk *t, const struct session_request *q);
};

static inline bool
talk_is_server(const struct talk *t)
{
	return t->config.role == SESSION_SERVER;
}

static inline void
talk_init(struct talk *t, enum session_role role)
{
	memset(t, 0, sizeof *t);
	upgrade_offer(&t->u, upgrade_suite(0));
	t->config.role = role;
	t->config.name = role == SESSION_SERVER ? "mx.test" : "client.test";
	t->config.random = fuzz_random;
	suite_list_default(&t->config.suites);
	memcpy(t->config.s_public, t->u.public[role == SESSION_SERVER ? SERVER : CLIENT],
	    NOISE_KEY);
	buf_init(&t->sealed, TALK_HELD);
	for (int i = 0; i < 2; i++)
		buf_init(&t->side[i].held, TALK_HELD);
}

static inline void
talk_free(struct talk *t)
{
	session_free(t->s);
	sodium_free(t->record);
	buf_free(&t->sealed);
	for (int i = 0; i < 2; i++)
		buf_free(&t->side[i].held);
}

/* Another connection there. */
static inline void
talk_renew(struct talk *t, enum session_side side)
{
	struct talk_side *d = &t->side[side];

	buf_clear(&d->held);
	d->opaque = d->full = d->eof = d->gone = t->tls = false;
	memset(t->code, 0, sizeof t->code);
	if (side == SESSION_FAR) {
		sodium_free(t->record);
		t->record = NULL;
		t->switched = false;
		buf_clear(&t->sealed);
	}
}

/* A reply is under way to the session: some codes decide how the next octets are read. */
static inline void
talk_note_reply(struct talk *t, const uint8_t *p, size_t n)
{
	struct talk_side *commands = &t->side[talk_is_server(t) ? SESSION_NEAR : SESSION_FAR];

	for (size_t i = 0; i < n; i++) {
		t->code[0] = t->code[1];
		t->code[1] = t->code[2];
		t->code[2] = p[i];
		if (memcmp(t->code, "354", 3) == 0 || memcmp(t->code, "334", 3) == 0)
			commands->opaque = true;
		else if (t->tls && memcmp(t->code, "220", 3) == 0)
			t->side[0].opaque = t->side[1].opaque = true;
	}
}

static inline void talk_open(struct talk *t);

static inline void
talk_lines(struct talk *t, enum session_side side)
{
	struct talk_side *d = &t->side[side];
	const bool sealed = t->switched;
	size_t n;

	while (!d->opaque && (n = smtp_line(buf_head(&d->held), buf_len(&d->held))) > 0) {
		t->line(t, side, buf_head(&d->held), n);
		buf_drop(&d->held, n);
		if (side != SESSION_FAR || t->switched == sealed)
			continue;
		/* That was the reply to XPONY: what follows it is sealed. */
		HOLDS(buf_put(&t->sealed, buf_head(&d->held), buf_len(&d->held)));
		buf_clear(&d->held);
		talk_open(t);
	}
	if (d->opaque)
		buf_clear(&d->held);
}

/* All that the session sends after the upgrade are records that its peer can open. */
static inline void
talk_open(struct talk *t)
{
	enum record_type type;
	enum err e = ERR_NONE;

	while (buf_len(&t->sealed) > 0 && e == ERR_NONE) {
		e = record_open(&t->record->rx, &t->sealed, &t->side[SESSION_FAR].held, &type);
		HOLDS(e == ERR_NONE || e == ERR_MORE);
		talk_lines(t, SESSION_FAR);
	}
}

/* Takes what the session says to that side. True when there was something. */
static inline bool
talk_take(struct talk *t, enum session_side side)
{
	struct talk_side *d = &t->side[side];
	size_t n;
	const uint8_t *p = session_output(t->s, side, &n);

	HOLDS(n <= CHANNEL_QUEUE + record_flight_max(CHANNEL_QUEUE));
	if ((d->full && !d->gone) || n == 0)
		return false;
	if (d->gone) {
		session_written(t->s, side, n);
		return true;
	}
	/* A host may answer a STARTTLS that it has not read yet. */
	if (strcmp(session_phase(t->s), "TLS dialogue") == 0)
		t->side[0].opaque = t->side[1].opaque = true;
	HOLDS(buf_put(side == SESSION_FAR && t->switched ? &t->sealed : &d->held, p, n));
	session_written(t->s, side, n);
	if (side == SESSION_FAR && t->switched)
		talk_open(t);
	else
		talk_lines(t, side);
	return true;
}

static inline void
talk_ask(struct talk *t)
{
	const struct session_request *q;

	while ((q = session_request(t->s)) != NULL) {
		HOLDS(q->kind > 0 && q->kind < TALK_KINDS && q->fault < ERR_COUNT);
		HOLDS(strnlen(q->text, sizeof q->text) < sizeof q->text);
		HOLDS(strnlen(q->name, sizeof q->name) < sizeof q->name);
		HOLDS(strnlen(q->suite, sizeof q->suite) < sizeof q->suite);
		t->requests[q->kind]++;
		if (q->kind == SESSION_TELL_DONE || q->kind == SESSION_TELL_SETTLED)
			continue;
		t->question(t, q);
		HOLDS(t->asking < TALK_ASKED);
		t->asked[t->asking++] = *q;
	}
}

static inline void
talk_look_at_report(const struct talk *t)
{
	const struct session_report *r = session_report(t->s);

	HOLDS(r->fault < ERR_COUNT);
	HOLDS(strnlen(r->suite, sizeof r->suite) < sizeof r->suite && is_printable(r->suite));
	HOLDS(strnlen(r->hello, sizeof r->hello) < sizeof r->hello && is_printable(r->hello));
	HOLDS(strnlen(r->verdict, sizeof r->verdict) < sizeof r->verdict);
	HOLDS(is_printable(r->verdict));
}

/* As lib/relay.c: on until nothing more goes out, then the requests. */
static inline void
talk_run(struct talk *t)
{
	unsigned turns = 0;
	bool moved;
	size_t n;

	do {
		HOLDS(++turns < TALK_TURNS);
		session_run(t->s);
		moved = talk_take(t, SESSION_FAR);
		moved |= talk_take(t, SESSION_NEAR);
	} while (moved);
	/* Clear text goes in whole lines, but for what a peer left lying. */
	for (int i = 0; i < 2; i++)
		HOLDS(buf_len(&t->side[i].held) == 0 || t->side[i].opaque || t->was_full ||
		      t->switched);
	talk_ask(t);
	talk_look_at_report(t);
	HOLDS(session_timeout(t->s) > 0 && session_phase(t->s) != NULL);
	(void)session_patience(t->s);
	(void)session_output(t->s, SESSION_FAR, &n);
	/* A client that is gone may leave words for a host that does not read them. */
	HOLDS(!session_is_over(t->s) || n == 0 || !talk_is_server(t));
}

/* Octets from that side, as far as the session takes them, in pieces of so many (0: whole). */
static inline void
talk_give(struct talk *t, enum session_side side, const uint8_t *p, size_t n, size_t piece)
{
	uint8_t *room;
	size_t have;

	while (n > 0 && !t->side[side].eof && !t->side[side].gone && !session_is_over(t->s)) {
		room = session_reserve(t->s, side, &have);
		if (room == NULL || have == 0)
			return;
		HOLDS(have <= CHANNEL_QUEUE + RECORD_WIRE_MAX);
		have = have < n ? have : n;
		if (piece > 0 && have > piece)
			have = piece;
		memcpy(room, p, have);
		session_commit(t->s, side, have);
		p += have;
		n -= have;
		talk_run(t);
	}
}

/* The last octets from the far side, with the authenticated close. */
static inline void
talk_close(struct talk *t, const char *last, size_t piece)
{
	struct buf out;

	buf_init(&out, record_flight_max(strlen(last)));
	if (record_seal_close(
		&t->record->tx, &out, (const uint8_t *)last, strlen(last)) == ERR_NONE)
		talk_give(t, SESSION_FAR, buf_head(&out), buf_len(&out), piece);
	buf_free(&out);
}

/* From the far side, in a record where these are spoken. */
static inline void
talk_give_far(struct talk *t, const uint8_t *p, size_t n, size_t piece)
{
	struct buf out;

	if (!t->switched) {
		talk_give(t, SESSION_FAR, p, n, piece);
		return;
	}
	buf_init(&out, record_flight_max(n));
	if (record_seal(&t->record->tx, &out, p, n) == ERR_NONE)
		talk_give(t, SESSION_FAR, buf_head(&out), buf_len(&out), piece);
	buf_free(&out);
}

static inline void
talk_end(struct talk *t, enum session_side side)
{
	if (t->side[side].eof || t->side[side].gone)
		return;
	t->side[side].eof = true;
	session_eof(t->s, side);
	talk_run(t);
}

/* A line of a list: in pieces of so many octets, or, from TALK_FLOOD on, so often that it fills
 * every queue. */
static inline void
talk_say(struct talk *t, enum session_side side, const char *line, uint8_t how)
{
	static uint8_t text[TALK_TEXT];
	const bool flood = how >= TALK_FLOOD && t->floods++ < TALK_FLOODS;
	const size_t n = strlen(line), times = flood ? (size_t)1024 << (how % 4) : 1;
	size_t used = 0;

	for (size_t i = 0; i < times && used + n <= sizeof text; i++, used += n)
		memcpy(text + used, line, n);
	if (side == (talk_is_server(t) ? SESSION_NEAR : SESSION_FAR))
		talk_note_reply(t, text, used);
	if (side == SESSION_FAR)
		talk_give_far(t, text, used, how < TALK_FLOOD ? how : 0);
	else
		talk_give(t, side, text, used, how < TALK_FLOOD ? how : 0);
}

/* That side stops reading, or reads on. */
static inline void
talk_stall(struct talk *t, enum session_side side)
{
	t->side[side].full = !t->side[side].full;
	t->was_full = true;
	talk_run(t);
}

/* The oldest question, taken off the queue; kind 0: there is none. */
static inline struct session_request
talk_question(struct talk *t)
{
	struct session_request q = t->asked[0];

	if (t->asking == 0)
		return (struct session_request){0};
	memmove(t->asked, t->asked + 1, --t->asking * sizeof *t->asked);
	return q;
}

static inline void
talk_refuse(struct talk *t, const char *text)
{
	struct session_request q = talk_question(t);
	struct session_answer a = {.kind = q.kind};

	if (q.kind == 0)
		return;
	(void)snprintf(a.text, sizeof a.text, "%s", text);
	session_answer(t->s, &a);
	talk_run(t);
}

/* Nobody says anything any more: the deadlines pass, and that is the end, soon. */
static inline void
talk_time_out(struct talk *t)
{
	for (int i = 0; i < 10 && !session_is_over(t->s); i++) {
		for (int side = 0; side < 2; side++)
			t->side[side].full = false;
		session_fail(t->s, ERR_TIMEOUT);
		talk_run(t);
		while (t->asking > 0)
			talk_refuse(t, "");
	}
	HOLDS(session_is_over(t->s));
}

static inline bool
talk_is_reply(const uint8_t *p, size_t n)
{
	return n >= 3 && p[0] >= '2' && p[0] <= '5' && p[1] >= '0' && p[1] <= '9' &&
	       p[2] >= '0' && p[2] <= '9';
}

#endif
