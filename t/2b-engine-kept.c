/*
 * engine-kept - a session that is kept for the next mail: what makes one fit for it, what ends
 * it, and what the engine of the later mail makes of a kept session that is lost, at any octet:
 * never a message lost or doubled, never a word to the MTA while a new connection can still do.
 *
 * Here each of the two engines has a script for the other; t/522-kept.sh and t/5d-kept.sh have
 * both.
 */
#include "engine-scenario.h"

#define ENVELOPE SAY("MAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n", 3)
#define DOT                                                                                    \
	{                                                                                      \
		.text = "Subject: next\r\n\r\nhello again\r\n.\r\n", .replies = 1,             \
		.only_after = 354                                                              \
	}

static const struct say one[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};
static const struct say next[] = {EHLO, ENVELOPE, DOT, QUIT, END};

static void
set(struct world *w, const struct say *script, const struct say *const *mails)
{
	world_init(w);
	w->keep = true;
	w->talker.script = script;
	w->monitor.mails = mails;
}

static unsigned
count(const struct octets *o, const char *words)
{
	unsigned n = 0;
	const uint8_t *p = o->p;
	size_t left = o->n, len = strlen(words);

	while (left >= len && (p = memmem(p, left, words, len)) != NULL) {
		n++;
		p += len;
		left = o->n - (size_t)(p - o->p);
	}
	return n;
}

/* Keeping. */

static void
test_next(void)
{
	const struct say *const mails[] = {next, next, NULL};
	struct world w;

	for (enum split split = WHOLE; split < SPLITS; split++) {
		set(&w, one, mails);
		w.split = split;
		world_run(&w);
		is_int(w.messages, 3, "three mails");
		is_int(w.connections, 1, "one connection");
		is_int(count(&w.heard, "EHLO"), 1, "one EHLO for the host");
		is_int(count(&w.heard, "QUIT"), 1, "one QUIT, at the end");
		is_int(w.mails, 2, "two of them were let in");
		is_str(text_of(&w.told),
		    "HOP FIRST \nBACKEND after upgrade mlkem768x25519-chachapoly\n"
		    "MAIL\nMAIL\nMAIL\n",
		    "and asked for");
		is_int(w.done, 1, "and nothing else was said at the end");
		ok(holds(&w.mta_in, "\r\n250 2.0.0 accepted\r\n", 22),
		    "the last engine heard the host's own words");
		ok(holds(&w.mta_in, "250-PIPELINING\r\n", 16), "and its keywords");
		ok(!holds(&w.mta_in, "STARTTLS", 8), "less those that are not for the MTA");
		is_int(w.server_report.fault, ERR_NONE, "the host saw a proper end");
		is_int(w.stalls, 0, "nobody waited");
		world_free(&w);
	}
}

static void
test_flight(void)
{
	const struct say *const mails[] = {next, NULL};
	struct world w;

	set(&w, one, mails);
	world_run(&w);
	is_int(
	    count(&w.heard, "DATA\r\nMAIL FROM"), 1, "the envelopes came one behind the other");
	is_int(count(&w.heard, "RSET"), 0, "with nothing in between");
	world_free(&w);
}

struct unfit {
	const char *name;
	const struct say *script;
	const struct rule *rules;
	bool off, clear;
};

static void
test_unfit(void)
{
	static const struct say no_mail[] = {EHLO, QUIT, END};
	static const struct say helo[] = {SAY("HELO mta.test\r\n", 1), MAIL,
	    SAY("RCPT TO:<b@mx.test>\r\n", 1), SAY("DATA\r\n", 1), BODY, QUIT, END};
	static const struct say open[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2),
	    BODY, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), QUIT, END};
	static const struct say behind[] = {EHLO, MAIL,
	    SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, SAY("QUIT\r\nNOOP\r\n", 1), END};
	static const struct say gone[] = {
	    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, END};
	static const struct rule refuses[] = {RULE(".", "550 5.7.1 no"), NO_MORE};
	static const struct rule goes_on[] = {
	    RULE(".", "250 2.0.0 ok\r\n250 2.0.0 and one more"), NO_MORE};
	static const struct rule leaves[] = {LAST(".", "250 2.0.0 ok"), NO_MORE};
	static const struct unfit list[] = {
	    {"off", one, NULL, true, false},
	    {"in clear", one, NULL, false, true},
	    {"no mail at all", no_mail, NULL, false, false},
	    {"HELO", helo, NULL, false, false},
	    {"an open transaction", open, NULL, false, false},
	    {"words behind QUIT", behind, NULL, false, false},
	    {"no QUIT", gone, NULL, false, false},
	    {"a message that was refused", one, refuses, false, false},
	    {"a reply too many", one, goes_on, false, false},
	    {"a host that leaves", one, leaves, false, false},
	};
	const struct say *const mails[] = {next, NULL};
	struct world w;

	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
		set(&w, list[i].script, mails);
		w.keep = !list[i].off;
		w.no_offer = list[i].clear;
		w.answerer.rules = list[i].rules;
		world_run(&w);
		is_int(w.mails, 0, "not kept: %s", list[i].name);
		is_int(w.done, 1, "reported as ever: %s", list[i].name);
		world_free(&w);
	}
}

static void
test_limit(void)
{
	static const struct say *mails[SESSION_KEEP_MAILS + 2];
	struct world w;

	for (size_t i = 0; i <= SESSION_KEEP_MAILS; i++)
		mails[i] = next;
	set(&w, one, mails);
	world_run(&w);
	is_int(w.messages, SESSION_KEEP_MAILS, "a hundred mails, and no more");
	is_int(count(&w.heard, "QUIT"), 1, "then QUIT");
	is_int(w.connections, 1, "on one connection");
	world_free(&w);
}

static void
test_idle(void)
{
	struct world w;

	set(&w, one, NULL);
	world_run(&w);
	is_int(count(&w.heard, "QUIT"), 1, "refused by the monitor: QUIT");
	is_int(w.server_report.fault, ERR_NONE, "refused: a proper end");
	world_free(&w);

	set(&w, one, NULL);
	w.monitor.never_mails = w.host_waits = true;
	world_run(&w);
	is_int(count(&w.heard, "QUIT"), 1, "no answer: QUIT, by its own deadline");
	is_int(w.stalls, 1, "no answer: that deadline");
	is_int(w.server_report.fault, ERR_NONE, "no answer: a proper end");
	world_free(&w);
}

/* While it waits the host says this, or leaves. */
static void
tap_kept(struct world *w, int dir, const uint8_t *p, size_t n)
{
	wire_put(w, dir, p, n);
}

static void
test_host_speaks(void)
{
	static const char *const said[] = {"421 4.3.2 shutting down\r\n", "x", ""};
	struct world w;

	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		set(&w, one, NULL);
		w.tap = tap_kept;
		w.monitor.never_mails = true;
		new_session(&w, &w.client, SESSION_CLIENT);
		w.dice = 1;
		do
			while (all_turns(&w))
				;
		while (strcmp(session_phase(w.client.s), "kept") != 0 && w.stalls++ < 3);
		is_str(session_phase(w.client.s), "kept", "it waits");
		puts_to(&w.back_out, said[i]);
		if (*said[i] == '\0')
			w.back_out.ended = true;
		while (all_turns(&w))
			;
		if (i == 1) /* a reply that never ends is the server's affair */
			ok(is_running(&w.client), "nothing came through yet");
		else
			is_int(w.done, 1, "the host speaks or leaves: no more use");
		while (is_running(&w.client) || is_running(&w.server)) {
			time_out(&w);
			while (all_turns(&w))
				;
		}
		world_free(&w);
	}
}

/* The engine in front dies, at any octet of what it has to say. */
static void
test_front_dies(void)
{
	static const char words[] =
	    "EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n";
	static const char body[] = "Subject: next\r\n\r\nhello again\r\n.\r\n";
	unsigned bad = 0;

	for (size_t cut = 1; cut < sizeof words + sizeof body - 2; cut++) {
		char part[2][sizeof words] = {"", ""};
		struct say script[] = {{.text = part[0], .replies = 0},
		    {.text = part[1], .replies = 1, .only_after = 354}, END};
		const struct say *const mails[] = {script, NULL};
		struct world w;

		snprintf(part[0], sizeof part[0], "%.*s", (int)cut, words);
		script[0].replies = cut == sizeof words - 1 ? 4 : 0;
		if (cut > sizeof words - 1) {
			script[0].replies = 4;
			snprintf(part[1], sizeof part[1], "%.*s",
			    (int)(cut - (sizeof words - 1)), body);
			script[1].replies = 0;
		} else {
			script[1].text = NULL;
		}
		set(&w, one, mails);
		world_run(&w);
		bad += w.messages != 1 || w.mails != 1 || w.done != 1;
		if (cut > sizeof words - 1) /* amid the body there is no honest end */
			bad += w.server_report.fault != ERR_TRUNCATED;
		world_free(&w);
	}
	is_int(bad, 0, "the engine in front dies at any octet: no second message");
}

static void
test_other_name(void)
{
	static const struct say other[] = {SAY("EHLO other.test\r\n", 1), END};
	const struct say *const mails[] = {other, next, NULL};
	struct world w;

	set(&w, one, mails);
	world_run(&w);
	is_int(w.mails, 1, "another EHLO name ends it");
	is_str(text_of(&w.mta_in), "220 mx.test ESMTP\r\n", "without a word to it");
	is_int(count(&w.heard, "QUIT"), 1, "with QUIT to the host");
	world_free(&w);
}

/* The host is lost amid a later mail: the engine in front hears what the host said, and the
 * end, and no verdict that nobody asked for. */
static void
test_host_lost(void)
{
	static const struct say gone[] = {
	    EHLO, SAY("MAIL FROM:<a@mta.test>\r\nRCPT TO:<gone@mx.test>\r\nDATA\r\n", 3), END};
	static const struct rule rules[] = {RULE("RCPT TO:<gone", NULL), NO_MORE};
	const struct say *const mails[] = {gone, next, NULL};
	struct world w;

	set(&w, one, mails);
	w.answerer.rules = rules;
	world_run(&w);
	is_int(w.mails, 1, "a host is lost amid a later mail: there is no third");
	is_int(w.done, 1, "the keeper is told");
	is_int(count(&w.mta_in, "250 2.1.0 sender ok"), 1, "its words pass");
	is_int(count(&w.mta_in, "\r\n451 "), 0, "and none of our own");
	ok(w.mta_in.ended, "but the end");
	world_free(&w);
}

/* Using. */

/* A kept session breaks off after so many octets of what it says. */
static void
set_use(struct world *w, const struct say *script, size_t cut)
{
	set(w, script, NULL);
	w->kept = true;
	w->monitor.hops = 2;
	w->answerer.ehlo = host_ehlo;
	w->wire[S2C].limit = cut;
}

static void
test_use(void)
{
	struct world w;

	for (enum split split = WHOLE; split < SPLITS; split++) {
		set_use(&w, one, 0);
		w.split = split;
		world_run(&w);
		is_int(w.messages, 1, "a mail through a kept session");
		is_int(w.connections, 1, "nothing else was asked for");
		is_str(w.client_report.suite, "kept-suite", "the suite is told");
		ok(count(&w.mta_in, "250 2.0.0 mx.test [192.0.2.1] kept-suite: accepted\r\n") ==
			1,
		    "to the MTA too");
		ok(!holds(&w.mta_in, "STARTTLS", 8), "which sees no STARTTLS");
		is_int(w.client_report.fault, ERR_NONE, "no fault");
		is_int(count(&w.heard, "QUIT"), 1, "and the kept one is told its end");
		world_free(&w);
	}
}

/* The end comes after each octet in turn: all that the kept session says until its first reply
 * to this mail is worth nothing, and the MTA sees a mail like all others. */
static void
test_cut(void)
{
	static const char told[] = "220 back.test ESMTP\r\n";
	const size_t ehlo_end = sizeof told - 1 + sizeof host_ehlo - 1;
	const size_t first_end = ehlo_end + strlen("250 2.1.0 sender ok\r\n");
	const size_t all = first_end + strlen("250 2.1.5 recipient ok\r\n354 go on\r\n"
					      "250 2.0.0 accepted\r\n");
	unsigned lost = 0, doubled = 0, noticed = 0;

	for (size_t cut = 1; cut <= all; cut++) {
		struct world w;

		set_use(&w, one, cut);
		w.cut_both = true;
		world_run(&w);
		doubled += w.messages > 1;
		if (cut < first_end) {
			lost += w.messages != 1 || w.connections != 2;
			noticed += holds(&w.mta_in, "\r\n4", 3) || w.talker.last != 221 ||
				   w.client_report.messages != 1 ||
				   count(&w.mta_in, "354 ") != 1 ||
				   count(&w.mta_in, "250-PIPELINING") != 1;
		} else if (w.messages == 0) {
			lost += !holds(&w.mta_in, "\r\n451 4.4.2 ", 12);
		}
		world_free(&w);
	}
	is_int(lost, 0, "a kept session ends after any octet: no mail is lost");
	is_int(doubled, 0, "none is doubled");
	is_int(noticed, 0, "and before its first reply nobody notices");
}

static void
test_first_reply(void)
{
	static const struct rule says_421[] = {
	    RULE("MAIL", "421 4.4.2 timeout exceeded"), NO_MORE};
	static const struct rule says_450[] = {RULE("MAIL", "450 4.7.1 greylisted"), NO_MORE};
	static const struct rule silent[] = {RULE("MAIL", falls_silent), NO_MORE};
	static const struct rule silent_ehlo[] = {RULE("EHLO", falls_silent), NO_MORE};
	static const struct rule ehlo_421[] = {
	    LAST("EHLO", "421 4.3.2 shutting down"), NO_MORE};
	static const struct rule *const again[] = {says_421, ehlo_421, silent, silent_ehlo};
	struct world w;

	for (size_t i = 0; i < sizeof again / sizeof again[0]; i++) {
		set_use(&w, one, 0);
		w.answerer.rules = again[i];
		w.rules_once = w.host_waits = true;
		world_run(&w);
		is_int(w.messages, 1, "first reply %s: delivered", i < 2 ? "421" : "none");
		is_int(w.connections, 2, "on a new connection");
		is_int(count(&w.told, "HOP KEPT "), 1, "to the same host");
		is_int(w.stalls, i > 1, "%s", i > 1 ? "after a deadline" : "at once");
		is_str(w.client_report.suite, "mlkem768x25519-chachapoly",
		    "which is what the report says");
		is_int(w.client_report.fault, ERR_NONE, "no fault");
		world_free(&w);
	}
	set_use(&w, one, 0);
	w.answerer.greeting = "421 4.3.2 shutting down\r\n";
	world_run(&w);
	ok(holds(&w.told, "HOP KEPT ", 9),
	    "421 for a greeting: the same host is asked for again");
	world_free(&w);
	set_use(&w, one, 0);
	w.answerer.greeting = "250 what\r\n";
	world_run(&w);
	is_int(count(&w.told, "HOP KEPT "), 0,
	    "no greeting at all: the next host is not taken for a kept session");
	world_free(&w);
	set_use(&w, one, 0);
	w.answerer.rules = says_450;
	world_run(&w);
	is_int(w.connections, 1, "first reply 450: that is a verdict");
	ok(holds(&w.mta_in, "\r\n450 4.7.1 ", 12), "which the MTA is told");
	world_free(&w);
}

static void
test_new_host(void)
{
	static const char other[] = "250-back.test Hello\r\n250-PIPELINING\r\n250 SIZE 5\r\n";
	static const char greeted[] =
	    "250-back.test Good evening\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n"
	    "250-DSN\r\n250-AUTH LOGIN\r\n250 HELP\r\n";
	const size_t told = strlen("220 back.test ESMTP\r\n") + strlen(host_ehlo);
	struct world w;

	set_use(&w, one, told + 1);
	w.later_ehlo = other;
	world_run(&w);
	is_int(w.messages, 0, "other keywords on the new connection: nothing is sent");
	ok(holds(&w.mta_in, "\r\n451 4.4.2 ", 12), "and the mail waits");
	is_int(w.connections, 2, "one was made");
	world_free(&w);

	set_use(&w, one, told + 1);
	w.later_ehlo = greeted;
	world_run(&w);
	is_int(w.messages, 1, "other words than keywords do not count");
	world_free(&w);

	set_use(&w, one, told + 1);
	w.no_offer = true;
	world_run(&w);
	is_int(w.messages, 0, "a new connection in clear has STARTTLS: nothing is sent there");
	world_free(&w);

	set_use(&w, one, told + 1);
	w.monitor.hops = 1;
	world_run(&w);
	is_int(w.messages, 0, "no new connection: nothing is sent");
	is_int(count(&w.mta_in, "451 4.4.1 all hosts down"), 2, "RCPT and DATA are told why");
	is_int(w.talker.last, 221, "and the MTA leaves in order");
	world_free(&w);
}

static void
test_bounds(void)
{
	static char many[1500 * 32 + 1];
	const struct say script[] = {
	    EHLO, MAIL, {.text = many, .replies = 1500}, SAY("QUIT\r\n", 1), END};
	const size_t told = strlen("220 back.test ESMTP\r\n") + strlen(host_ehlo);
	struct world w;

	for (size_t i = 0; i < 1500; i++)
		snprintf(
		    many + i * 32, 33, "RCPT TO:<%012u@mx.test>\r\n", (unsigned)(i % 10000));
	set_use(&w, script, told + 1);
	w.cut_both = true;
	world_run(&w);
	is_int(w.connections, 1, "more than can be said again: the loss is told");
	ok(count(&w.mta_in, "\r\n451 4.4.2 ") > 1000, "to every recipient");
	is_int(w.stalls, 0, "at once");
	world_free(&w);
}

/* The MTA dies while the body is on its way. */
static void
test_mta_dies(void)
{
	static const struct say dies[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2),
	    {.text = "Subject: half\r\n\r\nof a", .replies = 0, .only_after = 354}, END};
	struct world w;

	set_use(&w, dies, 0);
	world_run(&w);
	is_int(w.messages, 0, "the MTA dies amid the body: no message");
	is_int(count(&w.heard, "QUIT"), 0, "and no QUIT");
	ok(w.wire[C2S].ended, "but the end");
	world_free(&w);
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	test_next();
	test_flight();
	test_unfit();
	test_limit();
	test_idle();
	test_host_speaks();
	test_front_dies();
	test_other_name();
	test_host_lost();
	test_use();
	test_cut();
	test_first_reply();
	test_new_host();
	test_bounds();
	test_mta_dies();
	return tap_done();
}
