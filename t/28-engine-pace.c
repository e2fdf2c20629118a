/*
 * 28-engine-pace - sessions on a clock of their own: peers that are silent, that drip, that do
 * not read, in each phase; and slow but honest lines, which are served however long it takes.
 *
 * lib/pace.c is told the time, so that hours pass at once. What lib/relay.c does with it is in
 * t/516-endless.sh, in real time.
 */
#include "engine-scenario.h"
#include "lib/pace.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* A session on its clock, from `begin` to its end or until `limit`. */
struct clocked {
	struct world w;
	struct end *e;
	struct pace pace;
	int64_t now;
	size_t far_octets;
	bool timed_out;
};

/* All that can happen at one instant. */
static void
settle(struct clocked *c)
{
	struct world *w = &c->w;
	size_t octets;

	while (turn(w, c->e) || (c->e == &w->server && answer(w, &w->back_in, &w->back_out)) ||
	       (c->e == &w->client && talk(&w->talker, &w->mta_in, &w->mta_out)))
		;
	if (!is_running(c->e))
		return;
	octets = c->e->far_in->at + c->e->far_out->n;
	pace_octets(&c->pace, octets - c->far_octets);
	c->far_octets = octets;
	(void)pace_begin(&c->pace, c->e->s, c->now);
}

/* So much later; false when the session is over. */
static bool
later(struct clocked *c, int64_t ms)
{
	int64_t end = c->now + ms, left;

	while (is_running(c->e) && c->now < end) {
		left = pace_left(&c->pace, c->now);
		c->now = c->now + left < end ? c->now + left : end;
		if (!pace_end(&c->pace, c->now)) {
			c->timed_out = true;
			session_fail(c->e->s, ERR_TIMEOUT);
			run_end(&c->w, c->e);
		}
		settle(c);
	}
	return is_running(c->e);
}

/* The peer says `text` n octets at a time, one time each interval; the rest of 'limit' it is
 * silent. Returns the seconds until the session's end. */
static long
drip(struct clocked *c, const char *text, size_t n, int64_t interval, int64_t limit)
{
	const int64_t begin = c->now;
	size_t at = 0, all = strlen(text);

	while (is_running(c->e) && c->now - begin < limit) {
		if (at + n <= all) {
			put(c->e->far_in, text + at, n);
			at += n;
		}
		settle(c);
		(void)later(c, interval);
	}
	return (long)((c->now - begin) / SECOND);
}

static void
say(struct clocked *c, const char *text)
{
	puts_to(c->e->far_in, text);
	settle(c);
}

static void
server_start(struct clocked *c)
{
	memset(c, 0, sizeof *c);
	world_init(&c->w);
	c->w.no_client = true;
	c->w.connections = 1;
	new_session(&c->w, &c->w.server, SESSION_SERVER);
	c->e = &c->w.server;
	settle(c);
}

static void
server_in_body(struct clocked *c)
{
	server_start(c);
	say(c, "EHLO c.test\r\n");
	say(c, "MAIL FROM:<a@c.test>\r\n");
	say(c, "RCPT TO:<b@mx.test>\r\n");
	say(c, "DATA\r\n");
}

/* What the client heard last. */
static const char *
last_line(struct octets *o)
{
	const char *text = text_of(o), *line = text;

	for (; *text != '\0'; text++)
		if (*text == '\n' && text[1] != '\0')
			line = text + 1;
	return line;
}

#define TIMEOUT "421 4.4.2 Timeout, closing connection\r\n"

/* Ends with 421 between so many seconds, and nothing was delivered. */
static void
ends(struct clocked *c, long seconds, long from, long to, const char *what)
{
	ok(c->timed_out && seconds >= from && seconds <= to, "%s: ends after %ld s", what,
	    seconds);
	is_str(last_line(c->e->far_out), TIMEOUT, "%s: and is told why", what);
	is_int(c->w.messages, 0, "%s: nothing is delivered", what);
	world_free(&c->w);
}

static char *noise; /* no line end in it */

static void
test_server_drips(void)
{
	static const struct {
		const char *before, *what;
	} phases[] = {{NULL, "the first line"}, {"EHLO c.test\r\n", "a command line"},
	    {"EHLO c.test\r\nMAIL FROM:<a@c.test>\r\n", "a line in a transaction"}};
	struct clocked c;
	char what[80];

	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
		for (int way = 0; way < 2; way++) {
			server_start(&c);
			if (phases[i].before != NULL)
				say(&c, phases[i].before);
			snprintf(what, sizeof what, "%s, %s", phases[i].what,
			    way == 0 ? "one octet every 30 s" : "eight in a second");
			ends(&c,
			    drip(&c, noise, way == 0 ? 1 : 8, way == 0 ? 30000 : 1000, HOUR),
			    300, way == 0 ? 310 : 610, what);
		}
	}
	server_in_body(&c);
	ends(&c, drip(&c, noise, 1, 30000, HOUR), 300, 310, "a body, one octet every 30 s");
	server_in_body(&c);
	ends(&c, drip(&c, noise, 8, 1000, HOUR), 590, 610, "a body, eight in a second");
	server_in_body(&c);
	ends(&c, drip(&c, "x", 1, 30000, HOUR), 300, 310, "a body, then silence");
	server_start(&c);
	ends(&c, drip(&c, "", 1, 30000, HOUR), 300, 300, "silence after the greeting");
}

static void
test_server_honest(void)
{
	struct clocked c;

	server_in_body(&c);
	is_int(drip(&c, noise, 17, 1000, 3 * HOUR), 3 * HOUR / SECOND,
	    "a body at 17 octets in a second goes on for hours");
	say(&c, "\r\n.\r\n");
	is_int(c.w.messages, 1, "and arrives");
	(void)later(&c, 4 * MINUTE);
	ok(is_running(c.e), "then four minutes without a command");
	say(&c, "NOOP\r\n");
	(void)later(&c, 4 * MINUTE);
	ok(is_running(c.e), "each command gives another five");
	ends(&c, (c.w.messages = 0, drip(&c, "", 1, 30000, HOUR)), 30, 60, "and no more");

	server_start(&c);
	say(&c, "EHLO c.test\r\n");
	c.w.window = 0;
	say(&c, "NOOP\r\n");
	(void)later(&c, HOUR);
	ok(is_running(c.e), "a back end that takes an hour for its reply");
	world_free(&c.w);

	server_in_body(&c);
	for (int i = 0; i < 10; i++) {
		(void)later(&c, 4 * MINUTE);
		(void)drip(&c, noise, 500, 1000, 10 * SECOND);
	}
	ok(is_running(c.e), "pauses of four minutes, bought back by 5,000 octets each");
	world_free(&c.w);

	server_in_body(&c);
	c.w.window = 0;
	say(&c, noise + 100000);
	say(&c, "\r\n.\r\n");
	is_str(session_phase(c.e->s), "body", "more than one queue holds");
	(void)later(&c, HOUR);
	ok(is_running(c.e),
	    "the client has said it all, and the back end does not read: no debt");
	c.w.window = SIZE_MAX / 2;
	say(&c, "");
	is_int(c.w.messages, 1, "the message arrives when it does");
	world_free(&c.w);
}

/* The client says plenty and reads nothing, or next to nothing. */
static void
test_server_unread(void)
{
	struct clocked c;
	long seconds;

	for (int drips = 0; drips < 2; drips++) {
		server_start(&c);
		say(&c, "EHLO c.test\r\n");
		c.w.window = in_flight(c.e->far_out);
		say(&c, "NOOP\r\n");
		for (seconds = 0; is_running(c.e) && seconds < 4000; seconds += 30) {
			if (drips)
				c.e->far_out->at++;
			(void)later(&c, 30 * SECOND);
		}
		ok(c.timed_out && seconds >= 300 && seconds <= 390,
		    "a client that reads %s: gone after %ld s",
		    drips ? "one octet in 30 s" : "nothing", seconds);
		world_free(&c.w);
	}
}

/* Inside an encrypted session: the client's records stop in the middle of one. */
static void
test_server_record(void)
{
	static const struct say script[] = {EHLO, MAIL, END};
	struct clocked c;
	long seconds;

	memset(&c, 0, sizeof c);
	world_init(&c.w);
	c.w.talker.script = script;
	c.w.talker.stays = true;
	new_session(&c.w, &c.w.client, SESSION_CLIENT);
	while (all_turns(&c.w))
		;
	c.e = &c.w.server;
	is_str(session_phase(c.e->s), "dialogue", "an encrypted dialogue");
	c.far_octets = c.e->far_in->at + c.e->far_out->n;
	settle(&c);
	(void)later(&c, 4 * MINUTE);
	ok(is_running(c.e), "between records the client owes no more than a command");
	seconds = drip(&c, "\x01\x02\x03\x04\x05", 1, 30000, HOUR);
	ok(c.timed_out && seconds >= 30 && seconds <= 90, "and amid one it must go on: %ld s",
	    seconds);
	world_free(&c.w);
}

/* STARTTLS between the two: octets that nobody here understands. */
static void
test_server_raw(void)
{
	struct clocked c;
	long seconds;

	server_start(&c);
	say(&c, "EHLO c.test\r\n");
	say(&c, "STARTTLS\r\n");
	is_str(session_phase(c.e->s), "TLS dialogue", "TLS");
	(void)drip(&c, noise, 17, 1000, 2 * HOUR);
	ok(is_running(c.e), "17 octets in a second go on");
	(void)later(&c, 50 * MINUTE);
	ok(is_running(c.e), "so does one that is silent for fifty minutes");
	seconds = drip(&c, noise, 1, 30000, 2 * HOUR);
	ok(!is_running(c.e) && seconds < 20 * 60, "and then drips: %ld s more", seconds);
	world_free(&c.w);
}

static void
client_start(struct clocked *c, const struct say *script)
{
	memset(c, 0, sizeof *c);
	world_init(&c->w);
	c->w.no_server = true;
	c->w.talker.script = script;
	c->w.monitor.hops = 1;
	new_session(&c->w, &c->w.client, SESSION_CLIENT);
	c->e = &c->w.client;
	settle(c);
}

#define ONE SAY("RCPT TO:<b@mx.test>\r\n", 1)
#define DATA SAY("DATA\r\n", 1)

static const struct say mail[] = {EHLO, MAIL, ONE, DATA, END};

/* A host that drips each of its replies, as one line or as many. */
static void
test_client_drips(void)
{
	static const struct {
		const char *before, *what;
		long from, to;
	} phases[] = {{NULL, "the greeting", 120, 120},
	    {"220 mx.test ESMTP\r\n", "the EHLO reply", 120, 120},
	    {"220 mx.test ESMTP\r\n250 mx.test\r\n", "the reply to MAIL", 300, 310},
	    {"220 mx.test ESMTP\r\n250 mx.test\r\n250 ok\r\n", "the reply to RCPT", 300, 310},
	    {"220 mx.test ESMTP\r\n250 mx.test\r\n250 ok\r\n250 ok\r\n", "the reply to DATA",
		300, 310}};
	struct clocked c;
	long seconds;

	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
		for (int lines = 0; lines < 2; lines++) {
			client_start(&c, mail);
			for (const char *p = phases[i].before; p != NULL && *p != '\0';
			     p = strchr(p, '\n') + 1) {
				put(c.e->far_in, p, (size_t)(strchr(p, '\n') + 1 - p));
				settle(&c);
			}
			seconds = 0;
			while (is_running(c.e) && !c.timed_out && seconds < 4000) {
				puts_to(c.e->far_in,
				    lines ? "250-\r\n" : "250 x" + 4 * (seconds > 0));
				settle(&c);
				(void)later(&c, 10 * SECOND);
				seconds += 10;
			}
			ok(c.timed_out && seconds >= phases[i].from &&
				seconds <= phases[i].to + (lines ? 20 : 0),
			    "%s, %s: given up after %ld s", phases[i].what,
			    lines ? "a line every 10 s" : "an octet every 10 s", seconds);
			ok(i < 2 || holds(&c.w.mta_in, "451 4.4.2 mx.test [192.0.2.1]: timeout",
					38),
			    "the MTA is told, and will try again");
			world_free(&c.w);
		}
	}
}

/* A host that does not take the body. */
static void
test_client_unread(void)
{
	static const struct say body[] = {
	    EHLO, MAIL, ONE, DATA, {.text = "", .len = 40000, .replies = 1}, END};
	static const struct {
		size_t octets;
		const char *what;
		bool lives;
	} ways[] = {{0, "nothing", false}, {8, "8 octets in a second", false},
	    {17, "17 octets in a second", true}};
	static struct say script[sizeof body / sizeof body[0]];
	struct clocked c;
	long seconds;

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		memcpy(script, body, sizeof body);
		script[4].text = noise;
		client_start(&c, script);
		c.w.window = 200;
		for (const char *const *p = (const char *const[]){"220 mx.test ESMTP\r\n",
			 "250 mx.test\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n", NULL};
		     *p != NULL; p++) {
			c.e->far_out->at = c.e->far_out->n;
			say(&c, *p);
		}
		is_str(session_phase(c.e->s), "body", "a body");
		for (seconds = 0; is_running(c.e) && !c.timed_out && seconds < 2000;
		     seconds++) {
			size_t n = in_flight(c.e->far_out);

			c.e->far_out->at += n < ways[i].octets ? n : ways[i].octets;
			settle(&c);
			(void)later(&c, SECOND);
		}
		ok(c.timed_out == !ways[i].lives && (ways[i].lives || seconds < 650),
		    "a host that takes %s: %s (%ld s)", ways[i].what,
		    ways[i].lives ? "served" : "given up", seconds);
		world_free(&c.w);
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	if ((noise = malloc(200001)) == NULL)
		bail("out of memory");
	memset(noise, 'x', 200000);
	noise[200000] = '\0';
	test_server_drips();
	test_server_honest();
	test_server_unread();
	test_server_record();
	test_server_raw();
	test_client_drips();
	test_client_unread();
	free(noise);
	return tap_done();
}
