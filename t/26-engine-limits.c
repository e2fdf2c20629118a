/*
 * engine-limits: lines and replies without an end, malformed and misplaced XPONY commands,
 * offers that differ, more commands and replies than any queue holds.
 */
#include "engine-scenario.h"

#define PLENTY 200000

static char *long_text;

/* One thing that a stranger says to the server, and what it gets behind the greeting. */
static void
server_gets(const char *what, const char *said, size_t n, const char *want, int rot)
{
	/* ROTn has no reply to wait for: what comes later is taken for turned letters. */
	for (int split = WHOLE; split < (rot > 0 ? BYTES : SPLITS); split++) {
		struct say script[] = {{.text = said, .len = n, .replies = 1}, END};
		struct world w;

		world_init(&w);
		w.no_client = true;
		w.rot_server = rot;
		w.talker.script = script;
		w.split = split;
		w.window = 100000;
		world_run(&w);
		size_t greeting = line_at(&w.wire[S2C], 0);
		is_str(text_of(&w.wire[S2C]) + greeting, want, "%s", what);
		ok(w.heard.n == 0 && w.stalls == 0, "and no back end hears of it");
		world_free(&w);
	}
}

static void
test_commands(void)
{
	static const char *const bad[] = {"XPONY\r\n", "XPONY 1\r\n",
	    "XPONY 2 x25519-chachapoly AAAA\r\n", "XPONY 1 x25519-chachapoly\r\n",
	    "XPONY 1 x25519-chachapoly !!!!\r\n", "XPONY 1 x25519-chachapoly AAA=\r\n",
	    "XPONY 1 x25519-chachapoly AAAA AAAA\r\n", "XPONY 1  x25519-chachapoly AAAA\r\n",
	    "XPONY 1 x25519-chachapoly AAAA\n", "XPONY 1 x25519-chachapoly AAAA \r\n",
	    "XPONY 1 X25519 AAAA\r\n"};
	static const char syntax[] = "501 5.5.4 Malformed command or argument\r\n";
	static const char crypto[] = "454 4.7.0 Encryption failed\r\n";
	static const char suite[] = "504 5.5.4 Cipher suite not available\r\n";

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		server_gets("malformed XPONY line", bad[i], 0, syntax, 0);
	server_gets(
	    "too short a message 2", "XPONY 1 x25519-chachapoly AAAA\r\n", 0, crypto, 0);
	server_gets("a suite of another's", "XPONY 1 rot26 AAAA\r\n", 0, suite, 0);
	server_gets("ROT13 where it is not offered", "XPONY 1 ROT13\r\n", 0, suite, 0);
	server_gets("NUL in the line", "XPONY 1 x25519-chachapoly A\0AA\r\n", 32, syntax, 0);

	server_gets("ROT14 where ROT13 is", "XPONY 1 ROT14\r\n", 0, suite, 13);
	server_gets("a command behind XPONY 1 ROT13 (injection)", "XPONY 1 ROT13\r\nRUYB k\r\n",
	    0, "503 5.5.1 Bad sequence of commands\r\n", 13);

	memset(long_text, 'A', PLENTY);
	memcpy(long_text, "XPONY 1 x25519-chachapoly ", 26);
	memcpy(long_text + 5000, "\r\n", 2);
	server_gets("5000 octets", long_text, 5002, syntax, 0);
	memset(long_text + 5000, 'A', 2);
	memcpy(long_text + 20000, "\r\n", 2);
	server_gets("20000 octets", long_text, 20002, "500 5.5.2 Line too long\r\n", 0);
	memset(long_text, 'A', PLENTY);
	server_gets(
	    "a line without an end", long_text, PLENTY, "500 5.5.2 Line too long\r\n", 0);
}

static const struct say inside[] = {EHLO, SAY("XPONY 1 x25519-chachapoly AAAA\r\n", 1),
    SAY("STARTTLS\r\n", 1), MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};
static const struct say mail[] = {EHLO, MAIL, RCPT, BODY, QUIT, END};
/* Letters turned by 13: QUIT is DHVG. */
static const struct say twice[] = {
    SAY("XPONY 1 ROT13\r\n", 1), SAY("KCBAL 1 EBG13\r\n", 1), SAY("DHVG\r\n", 1), END};
static const struct rule no_tls[] = {RULE("STARTTLS", "454 4.7.0 never"), NO_MORE};

#define E1 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
#define E2 "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"

static const struct scenario scenarios[] = {
    {.name = "XPONY and STARTTLS inside",
	.script = inside,
	.rules = no_tls,
	.replies = R220 "503 5.5.1 mx.test [192.0.2.1] said: Bad sequence of commands\r\n"
			"503 5.5.1 mx.test [192.0.2.1] said: Bad sequence of commands\r\n" NOTED
			"250 2.1.5 recipient ok\r\n354 go on\r\n" SENT(PONY) BYE,
	.heard = "[1]EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n"
		 "QUIT\r\n",
	.told = UPGRADED,
	.messages = 1,
	.suite = "mlkem768x25519-chachapoly"},
    {.name = "XPONY twice",
	.how = NO_CLIENT | ROT,
	.script = twice,
	.replies = "220 2.0.0 ROT13\r\n503 5.5.1 Onq frdhrapr bs pbzznaqf\r\n221 2.0.0 olr\r\n",
	.heard = "[1]QUIT\r\n",
	.told = "BACKEND after upgrade ROT13\n",
	.suite = "ROT13"},
    {.name = "the EHLO reply offers another key than the greeting",
	.how = NO_SERVER,
	.script = mail,
	.greeting = "220 mx ESMTP XPONY 1 " E1 " new-suite\r\n",
	.ehlo = "250-mx\r\n250-SIZE\r\n250 XPONY 1 " E2 " x25519-chachapoly\r\n",
	.replies =
	    R220 "250 2.1.0 Sender noted\r\n451 4.4.1 all hosts down\r\n451 4.4.1 all hosts "
		 "down\r\n451 4.4.1 all hosts down\r\n" BYE,
	.heard = "[1]EHLO mta.test\r\n",
	.told = FIRST "HOP UPGRADE the greeting's offer differs from the EHLO reply's\n",
	.suite = ""},
    {.name = "the same on each connection: in clear once that was decided",
	.how = NO_SERVER,
	.script = mail,
	.greeting = "220 mx ESMTP XPONY 1 " E1 " new-suite\r\n",
	.ehlo = "250-mx\r\n250-SIZE\r\n250 XPONY 1 " E2 " x25519-chachapoly\r\n",
	.hops = 3,
	.replies = R220 "250 2.1.0 sender ok\r\n" TWO SENT("") BYE,
	.heard = "[1]EHLO mta.test\r\n[2]EHLO mta.test\r\n[3]" HEARD "QUIT\r\n",
	.told = FIRST "HOP UPGRADE the greeting's offer differs from the EHLO reply's\n"
		      "HOP UPGRADE the greeting's offer differs from the EHLO reply's\n",
	.messages = 1,
	.suite = ""},
};

/* Replies of a host that never end, or are too long: in the greeting, to EHLO, to MAIL, inside
 * a body. */
static void
test_endless(void)
{
	static const struct {
		const char *command, *told, *mta;
	} places[] = {{NULL, "HOP REFUSED no SMTP reply\n", "451 4.4.1"},
	    {"EHLO", "HOP REFUSED no SMTP reply\n", "451 4.4.1"},
	    {"MAIL", "", "451 4.4.2 mx.test [192.0.2.1]: no SMTP reply\r\n"},
	    {"RCPT", "", "451 4.4.2 mx.test [192.0.2.1]: no SMTP reply\r\n"},
	    {"DATA", "", "451 4.4.2 mx.test [192.0.2.1]: no SMTP reply\r\n"},
	    {".", "", "451 4.4.2 mx.test [192.0.2.1]: lost after the final dot, perhaps"}};

	for (size_t i = 0; i < 2 * sizeof places / sizeof places[0]; i++) {
		const bool many_lines = i % 2 == 1;
		const char *command = places[i / 2].command, *mta = places[i / 2].mta;
		struct rule rules[] = {{.command = command, .reply = long_text}, NO_MORE};
		struct world w;

		for (size_t at = 0; at < PLENTY; at += 10)
			memcpy(long_text + at, many_lines ? "250-more\r\n" : "250 xxxxxx", 10);
		for (size_t at = 1; command == NULL && at < PLENTY; at += 10)
			long_text[at] = '2', long_text[at + 1] = '0';
		world_init(&w);
		w.no_server = true;
		w.talker.script = mail;
		if (command == NULL)
			w.answerer.greeting = long_text;
		else
			w.answerer.rules = rules;
		w.window = 100000;
		world_run(&w);
		ok(w.stalls == 0 && holds(&w.mta_in, mta, strlen(mta)) &&
			holds(&w.told, places[i / 2].told, strlen(places[i / 2].told)) &&
			holds(&w.mta_in, BYE, sizeof BYE - 1) && !holds(&w.mta_in, "\n5", 2),
		    "endless %s to %s", many_lines ? "reply" : "line",
		    command == NULL ? "our connection" : command);
		world_free(&w);
	}
}

/* As many recipients in one write as r= could ever let sendmail send, to hosts that take them
 * all, that refuse them all at length, and that are lost. */
static void
test_flood(void)
{
	static const char at_length[] =
	    "550 5.1.1 no such user, and here is a long text of the kind that some hosts add: "
	    "see "
	    "https://postmaster.mx.test/errors/"
	    "550-5.1.1-no-such-user?lang=en&more=1234567890123 or "
	    "write to postmaster@mx.test, telling the time, the address and this very text, of "
	    "which "
	    "there is a lot more than anybody ever wanted to read in a line of a reply";
	static const struct rule kinds[][2] = {{RULE("RCPT", "250 2.1.5 ok"), NO_MORE},
	    {RULE("RCPT", at_length), NO_MORE}, {LAST("RCPT", NULL), NO_MORE},
	    {LAST("MAIL", at_length), NO_MORE}};
	enum { COUNT = 3000 };
	char *text = long_text;

	for (int i = 0; i < COUNT; i++)
		text += snprintf(text, 40, "RCPT TO:<user%d@mx.test>\r\n", i);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (int plain = 0; plain < 2; plain++)
			for (size_t window = 500; window < 2000000; window *= 30) {
				struct say script[] = {
				    EHLO, MAIL, SAY(long_text, COUNT), QUIT, END};
				struct world w;
				unsigned lines = 0;
				size_t n;

				world_init(&w);
				w.no_server = plain;
				w.talker.script = script;
				w.answerer.rules = kinds[i];
				w.window = window;
				world_run(&w);
				for (size_t at = 0; (n = line_at(&w.mta_in, at)) > 0; at += n)
					lines += w.mta_in.p[at + 3] == ' ';
				ok(w.stalls == 0 && lines == COUNT + 4,
				    "%d recipients, kind %zu, pipes of %zu: each has its reply",
				    COUNT, i, window);
				world_free(&w);
			}
}

/* The same where there is no host from the start, and at the server: commands that it answers
 * itself. */
static void
test_own_replies(void)
{
	static char refusal[380];
	enum { COUNT = 4000 };
	char *text = long_text;

	memset(refusal, 'x', sizeof refusal - 1);
	memcpy(refusal, "550 5.1.2 ", 10);
	for (int i = 0; i < COUNT; i++)
		text += snprintf(text, 40, "RCPT TO:<user%d@mx.test>\r\n", i);
	for (int server = 0; server < 2; server++) {
		struct say rcpt[] = {EHLO, MAIL, SAY(long_text, COUNT), QUIT, END};
		struct world w;
		unsigned lines = 0;
		size_t n;

		for (int i = 0; server && i < COUNT; i++)
			memcpy(long_text + i * 9, "XPONY 1\r\n", 10);
		world_init(&w);
		w.no_client = server;
		w.monitor.refuse_client = 1 << SESSION_ASK_HOP;
		w.monitor.text = refusal;
		w.talker.script = rcpt;
		w.window = 500;
		world_run(&w);
		struct octets *got = server ? &w.wire[S2C] : &w.mta_in;
		for (size_t at = 0; (n = line_at(got, at)) > 0; at += n)
			lines += got->p[at + 3] == ' ';
		is_int(lines, COUNT + 4, "%s: no reply of our own gets lost for lack of room",
		    server ? "server" : "client");
		world_free(&w);
	}
}

/* An answer to what is no longer asked. */
static void
test_stale_answers(void)
{
	static const struct session_answer dh = {.kind = SESSION_ASK_DH},
					   peer = {.kind = SESSION_ASK_PEER, .granted = true};
	struct world w;

	world_init(&w);
	new_session(&w, &w.client, SESSION_CLIENT);
	session_run(w.client.s);
	is_int(
	    session_request(w.client.s)->kind, SESSION_ASK_HOP, "the client asks for a host");
	session_answer(w.client.s, &dh);
	is_str(
	    session_phase(w.client.s), "connecting", "a refusal of something else is not it");
	session_answer(w.client.s, &peer);
	session_run(w.client.s);
	is_str(session_phase(w.client.s), "connecting", "nor is a grant");
	new_session(&w, &w.server, SESSION_SERVER);
	session_run(w.server.s);
	session_answer(w.server.s, &dh);
	session_answer(w.server.s, &peer);
	session_run(w.server.s);
	is_str(session_phase(w.server.s), "first command", "nor at the server");
	world_free(&w);
}

/* Which keywords pass: to the MTA from inside an upgrade, and to a plain client. */
static void
test_keywords(void)
{
	static const struct {
		const char *word;
		bool to_mta, to_client;
	} words[] = {{"250-PIPELINING\r\n", true, true}, {"250-SIZE 1000000\r\n", true, true},
	    {"AUTH", false, true}, {"STARTTLS", false, true}, {"CHUNKING", false, false},
	    {"\r\n250 XPONY 1 ", false, true}};

	for (int plain = 0; plain < 2; plain++) {
		struct world w;

		world_init(&w);
		w.no_client = plain;
		w.talker.script = mail;
		world_run(&w);
		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			is_int(holds(plain ? &w.wire[S2C] : &w.mta_in, words[i].word,
				   strlen(words[i].word)),
			    plain ? words[i].to_client : words[i].to_mta, "keyword %zu to %s",
			    i, plain ? "a plain client" : "the MTA");
		world_free(&w);
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	if ((long_text = calloc(1, PLENTY + 1)) == NULL)
		bail("out of memory");
	test_commands();
	SCENARIOS_RUN(scenarios);
	test_endless();
	test_flood();
	test_own_replies();
	test_stale_answers();
	test_keywords();
	free(long_text);
	return tap_done();
}
