/*
 * engine-attack: somebody on the wire who changes, adds, leaves out, repeats and reorders
 * octets. The rows of doc/DESIGN.md's table of attacks that need no more than two engines.
 */
#include "engine-scenario.h"

static const char good_body[] = "Subject: secret\r\n\r\nhello\r\n.\r\n";
static const char evil[] = "MAIL FROM:<evil@evil.test>\r\n250 evil\r\n";

static const struct say mail[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};

enum op { PASS, FLIP, INSERT, DROP, REPEAT, SWAP, REFLECT, TRUNCATE };

struct attack {
	int dir;
	enum op op;
	size_t at;    /* which octet, or which record */
	uint8_t mask; /* FLIP */
	size_t went[2];
	struct octets lines[2], records[2]; /* not yet passed on */
	bool upgraded[2];
	size_t line[2];
	size_t count[2];
	struct octets kept;
};

/* Octets of the handshake and before, one at a time: changed, or something put behind. */
static void
octet(struct world *w, int dir, uint8_t c)
{
	struct attack *a = w->hook;

	if (a->op == FLIP && dir == a->dir && a->went[dir] == a->at)
		c ^= a->mask;
	wire_put(w, dir, &c, 1);
	a->went[dir]++;
	if (a->op == INSERT && dir == a->dir && a->went[dir] == a->at)
		wire_put(w, dir, (const uint8_t *)evil, sizeof evil - 1);
}

static void
by_octets(struct world *w, int dir, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		octet(w, dir, p[i]);
}

/* One whole record on its way. */
static void
one_record(struct world *w, int dir, const uint8_t *p, size_t n)
{
	struct attack *a = w->hook;
	size_t i = a->count[dir]++;

	if (dir != a->dir || a->op == PASS || i < a->at || (i > a->at && a->op != SWAP)) {
		wire_put(w, dir, p, n);
		return;
	}
	switch (a->op) {
	case REPEAT:
		wire_put(w, dir, p, n);
		wire_put(w, dir, p, n);
		break;
	case REFLECT:
		wire_put(w, !dir, p, n);
		break;
	case TRUNCATE:
		wire_put(w, dir, p, n / 2);
		w->wire[C2S].ended = w->wire[S2C].ended = true;
		break;
	case SWAP:
		if (i == a->at)
			put(&a->kept, p, n);
		else
			wire_put(w, dir, p, n);
		if (i == a->at + 1)
			wire_put(w, dir, a->kept.p, a->kept.n);
		break;
	default:
		break;
	}
}

/* A reply may have lines before its last. */
static bool
is_last_line(const uint8_t *line)
{
	return line[3] != '-';
}

/* Records begin behind the XPONY line, and behind the reply to it: the second 220. */
static void
by_records(struct world *w, int dir, const uint8_t *p, size_t n)
{
	struct attack *a = w->hook;
	struct octets *o = &a->records[dir];
	size_t len;

	put(o, p, n);
	while (!a->upgraded[dir] && (len = line_at(o, o->at)) > 0) {
		wire_put(w, dir, o->p + o->at, len);
		if (dir == C2S || is_last_line(o->p + o->at))
			a->upgraded[dir] = dir == C2S || a->line[dir]++ == 1;
		o->at += len;
	}
	while (a->upgraded[dir] && in_flight(o) >= 2) {
		len = 2 + (size_t)(o->p[o->at] << 8 | o->p[o->at + 1]);
		if (in_flight(o) < len)
			break;
		one_record(w, dir, o->p + o->at, len);
		o->at += len;
	}
}

static void
attack_free(struct attack *a)
{
	renew(&a->records[0]);
	renew(&a->records[1]);
	renew(&a->kept);
}

static void
set(struct world *w, struct attack *a, const struct say *script, wire_tap *wire)
{
	world_init(w);
	w->talker.script = script;
	w->tap = wire;
	w->hook = a;
}

static bool
accepted(const struct world *w)
{
	return holds(&w->mta_in, ": accepted", 10);
}

/* What must hold whatever was done on the wire. */
static bool
is_sane(const struct world *w, const char *body, size_t n)
{
	return !holds(&w->heard, "evil", 4) && !holds(&w->mta_in, "evil", 4) &&
	       w->messages <= 1 && w->bodies.n == w->messages * n &&
	       (w->bodies.n == 0 || memcmp(w->bodies.p, body, n) == 0) &&
	       (!accepted(w) || w->messages == 1) && holds(&w->mta_in, BYE, sizeof BYE - 1);
}

struct lengths {
	size_t greeting, command, reply, all[2];
};

static struct lengths
measure(void)
{
	struct attack a = {.op = PASS};
	const uint8_t *line;
	struct lengths l;
	struct world w;

	set(&w, &a, mail, by_octets);
	world_run(&w);
	l.greeting = line_at(&w.tape[S2C], 0);
	l.command = line_at(&w.tape[C2S], 0);
	l.reply = l.greeting;
	do {
		line = w.tape[S2C].p + l.reply;
		l.reply += line_at(&w.tape[S2C], l.reply);
	} while (!is_last_line(line));
	l.all[C2S] = w.tape[C2S].n;
	l.all[S2C] = w.tape[S2C].n;
	if (!accepted(&w))
		bail("not even in peace");
	world_free(&w);
	return l;
}

/* The server's words about a bad XPONY line: no other, whatever was wrong with it. */
static bool
is_generic(const struct world *w, const struct lengths *l)
{
	static const char *const replies[] = {"454 4.7.0 Encryption failed\r\n",
	    "501 5.5.4 Malformed command or argument\r\n",
	    "504 5.5.4 Cipher suite not available\r\n",
	    "503 5.5.1 Bad sequence of commands\r\n"};
	size_t n = line_at(&w->tape[S2C], l->greeting);

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
		if (n == strlen(replies[i]) &&
		    memcmp(w->tape[S2C].p + l->greeting, replies[i], n) == 0)
			return true;
	return false;
}

static void
flip_part(const struct lengths *l, const char *what, int dir, size_t from, size_t to)
{
	static const uint8_t masks[] = {0x01, 0x20, 0x80};
	unsigned insane = 0, undelivered = 0, not_generic = 0, unnoticed = 0;

	for (size_t at = from; at < to; at += sweep_step(to - from, 1)) {
		struct attack a = {
		    .op = FLIP, .dir = dir, .at = at, .mask = masks[at % sizeof masks]};
		struct world w;

		set(&w, &a, mail, by_octets);
		w.monitor.hops = 3;
		world_run(&w);
		insane += !is_sane(&w, good_body, sizeof good_body - 1);
		undelivered += !accepted(&w);
		/* Behind "XPONY 1 " and before CRLF: nothing there but what the reply is about.
		 */
		if (dir == C2S && at >= 8 && at < to - 2)
			not_generic += !is_generic(&w, l);
		/* A verb's case is nobody's. */
		if (from > 0 || (dir == C2S && at >= 5))
			unnoticed += w.asked_hops < 2;
		world_free(&w);
	}
	is_int(insane, 0, "%s: each octet changed, nothing false comes of it", what);
	is_int(undelivered, 0, "%s: and the mail goes by another connection", what);
	is_int(unnoticed, 0, "%s: never by that one", what);
	is_int(not_generic, 0, "%s: the reply tells nothing", what);
}

static void
test_flips(const struct lengths *l)
{
	unsigned insane = 0, untold = 0, count = 0;

	flip_part(l, "greeting", S2C, 0, l->greeting);
	flip_part(l, "message 2", C2S, 0, l->command);
	flip_part(l, "message 3", S2C, l->greeting, l->reply);
	for (int dir = 0; dir < 2; dir++)
		for (size_t at = dir == C2S ? l->command : l->reply; at < l->all[dir];
		     at += sweep_step(l->all[dir], 5)) {
			struct attack a = {.op = FLIP, .dir = dir, .at = at, .mask = 0x10};
			struct world w;

			set(&w, &a, mail, by_octets);
			world_run(&w);
			insane += !is_sane(&w, good_body, sizeof good_body - 1);
			untold += !accepted(&w) && !holds(&w.mta_in, "\n451 4.", 7);
			count++;
			world_free(&w);
		}
	is_int(insane, 0, "records: %u octets changed, nothing false comes of it", count);
	is_int(untold, 0, "records: and what is not delivered is temporary");
}

static void
test_inserts(const struct lengths *l)
{
	const struct {
		const char *what, *hop;
		int dir;
		size_t at;
		enum err server;
	} places[] = {{"behind the XPONY line (command injection)",
			  "HOP UPGRADE 503 5.5.1 Bad sequence of commands\n", C2S, l->command,
			  ERR_SEQUENCE},
	    {"behind the greeting", "HOP UPGRADE no SMTP reply\n", S2C, l->greeting, ERR_NONE},
	    {"behind the XPONY reply (response injection)", "HOP REFUSED timeout\n", S2C,
		l->reply, ERR_TRUNCATED},
	    {"in the first record of the server", "HOP REFUSED cryptographic failure\n", S2C,
		l->reply + 12, ERR_TRUNCATED},
	    {"in the first record of the client", "", C2S, l->command + 12, ERR_CRYPTO}};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		unsigned bad = 0, other = 0;

		for (uint32_t seed = 0; seed < 20; seed++) {
			struct attack a = {
			    .op = INSERT, .dir = places[i].dir, .at = places[i].at};
			struct world w;

			set(&w, &a, mail, by_octets);
			w.split = seed == 0 ? WHOLE : seed == 1 ? BYTES : RANDOM;
			w.seed = seed;
			world_run(&w);
			bad += !is_sane(&w, good_body, sizeof good_body - 1) || accepted(&w) ||
			       !holds(&w.mta_in, "\n451 4.", 7);
			if (seed == 0)
				other +=
				    !holds(&w.told, places[i].hop, strlen(places[i].hop)) ||
				    w.server_report.fault != places[i].server;
			if (other && seed == 0)
				diag("told %s, fault %d", text_of(&w.told),
				    w.server_report.fault);
			world_free(&w);
		}
		is_int(bad, 0, "octets put in %s: nothing of them arrives", places[i].what);
		is_int(other, 0, "octets put in %s: known for what they are", places[i].what);
	}
}

/* A body of several records. */
static void
test_records(void)
{
	static const char *const names[] = {[DROP] = "left out",
	    [REPEAT] = "repeated",
	    [SWAP] = "swapped",
	    [REFLECT] = "sent back",
	    [TRUNCATE] = "cut off"};
	const size_t n = 150000;
	char *body = malloc(n + 6);

	if (body == NULL)
		bail("out of memory");
	memset(body, 'm', n);
	memcpy(body + n, "\r\n.\r\n", 6);
	struct say script[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2),
	    {.text = body, .replies = 1, .only_after = 354}, QUIT, END};
	for (enum op op = DROP; op <= TRUNCATE; op++) {
		unsigned bad = 0, delivered = 0;

		for (size_t i = 0; i < 14; i++) {
			struct attack a = {
			    .op = op, .dir = i % 2 == 0 ? C2S : S2C, .at = i / 2};
			struct world w;

			set(&w, &a, script, by_records);
			world_run(&w);
			bad += !is_sane(&w, body, n + 5);
			/* Of the client's records 0 is the envelope, 1 to 5 are the body. */
			delivered += i % 2 == 0 && i / 2 < 5 && w.messages > 0;
			world_free(&w);
			attack_free(&a);
		}
		is_int(bad, 0, "records %s: never part of a message, never a false word",
		    names[op]);
		is_int(delivered, 0, "records %s within a message: it is not delivered",
		    names[op]);
	}
	free(body);
}

static void
test_replay(void)
{
	char line[5000];
	struct attack a = {.op = PASS};
	struct world w;
	size_t n;

	set(&w, &a, mail, by_octets);
	world_run(&w);
	n = line_at(&w.tape[C2S], 0);
	snprintf(line, sizeof line, "%.*s", (int)n, (const char *)w.tape[C2S].p);
	world_free(&w);
	for (uint32_t other = 0; other < 2; other++) {
		struct say script[] = {SAY(line, 1), END};

		set(&w, NULL, script, NULL);
		w.no_client = true;
		w.randomness = other * 100;
		world_run(&w);
		n = line_at(&w.wire[S2C], 0);
		if (other)
			ok(strcmp(text_of(&w.wire[S2C]) + n,
			       "454 4.7.0 Encryption failed\r\n") == 0 &&
				w.backends == 0,
			    "message 2 of another connection: 454, no back end");
		else
			ok(strncmp(text_of(&w.wire[S2C]) + n, "220", 3) == 0,
			    "message 2 with the same ephemeral key would pass");
		world_free(&w);
	}

	set(&w, NULL, mail, NULL);
	memcpy(w.secret[0], w.secret[1], sizeof w.secret[0]);
	world_run(&w);
	is_str(text_of(&w.told),
	    "HOP FIRST \nBACKEND after upgrade mlkem768x25519-chachapoly\n"
	    "HOP UPGRADE cryptographic failure\n",
	    "a host that shows our own key is refused");
	ok(is_sane(&w, "", 0) && !accepted(&w), "and gets no mail");
	world_free(&w);
}

int
main(void)
{
	struct lengths l;

	if (sodium_init() < 0)
		bail("sodium_init");
	l = measure();
	test_flips(&l);
	test_inserts(&l);
	test_records();
	test_replay();
	return tap_done();
}
