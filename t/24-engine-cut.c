/*
 * engine-cut: bodies of every kind come out as they went in; a dialogue that breaks off, at any
 * octet of any of its streams, never delivers part of a message, never tells the MTA of a
 * delivery that was not, never bounces, and leaves nobody waiting.
 */
#include "engine-scenario.h"

static const char good_body[] = "Subject: secret\r\n\r\nhello\r\n.\r\n";

static const struct say mail[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};
static const struct say by_steps[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\n", 1), SAY("DATA\r\n", 1), BODY, QUIT, END};

static struct filter filter;

static void
set(struct world *w, int how, const struct say *script)
{
	struct scenario sc = {.how = how, .script = script};

	renew(&filter.held);
	scenario_set(w, &sc, &filter);
}

/* Bodies. */

static unsigned
body_faults(int how, const void *body, size_t n, enum split split, uint32_t seed, size_t window)
{
	struct say script[] = {EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2),
	    {.text = body, .len = n, .replies = 1, .only_after = 354}, QUIT, END};
	struct world w;
	unsigned bad;

	set(&w, how, script);
	w.split = split;
	w.seed = seed;
	w.window = window;
	world_run(&w);
	bad = w.messages != 1 || w.stalls > 0 || w.bodies.n != n ||
	      memcmp(w.bodies.p, body, n) != 0;
	if (how == 0)
		bad += w.client_report.messages != 1 || w.server_report.messages != 1 ||
		       w.client_report.octets != n || w.server_report.octets != n;
	world_free(&w);
	return bad;
}

#define BODY_OF(name, octets)                                                                  \
	{                                                                                      \
		name, octets, sizeof octets - 1                                                \
	}

static void
test_bodies(void)
{
	static const struct {
		const char *what, *p;
		size_t n;
	} bodies[] = {BODY_OF("empty", ".\r\n"), BODY_OF("one empty line", "\r\n.\r\n"),
	    BODY_OF("leading dots", "..\r\n...\r\n..x\r\n.x\r\n.\r\n"),
	    BODY_OF("NUL and 8 bit", "a\0b\xff\x80\r\n\0\r\n.\r\n"),
	    BODY_OF("bare CR and LF", "a\rb\nc\r\r\nd\n\r.\r\n\r\n.\r\n"),
	    BODY_OF("almost the end", "\n.\n.\r.\n\r\n.\r\r\n.\n\r\n..\r\n\r\r\n.\r\n"),
	    BODY_OF("no line end before", "x\r.\r\n\n.\r\n\r\n.\r\n")};
	static const int hows[] = {0, NO_CLIENT, NO_SERVER, NO_OFFER, ROT};

	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		unsigned bad = 0;

		for (size_t how = 0; how < sizeof hows / sizeof hows[0]; how++)
			for (uint32_t seed = 0; seed < 30; seed++)
				bad += body_faults(hows[how], bodies[i].p, bodies[i].n,
				    seed == 0   ? WHOLE
				    : seed == 1 ? BYTES
						: RANDOM,
				    seed, seed % 3 == 2 ? 2 : SIZE_MAX / 2);
		is_int(bad, 0, "body: %s", bodies[i].what);
	}
}

static void
test_large(void)
{
	static const size_t windows[] = {SIZE_MAX / 2, 4096};
	const size_t n = 10 << 20;
	uint8_t *body = malloc(n + 5);

	if (body == NULL)
		bail("out of memory");
	for (size_t i = 0; i < n; i++)
		body[i] = i % 79 == 77   ? '\r'
			  : i % 79 == 78 ? '\n'
					 : (uint8_t)(i * 31 + i / 911);
	for (size_t i = 0; i + 2 < n; i++)
		if (body[i] == '\n' && body[i + 1] == '.')
			body[i + 1] = ',';
	memcpy(body + n, "\r\n.\r\n", 5);
	for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++)
		is_int(body_faults(0, body, n + 5, WHOLE, 1, windows[i]), 0,
		    "10 MB through pipes of %zu octets", windows[i]);
	is_int(body_faults(NO_CLIENT, body, n + 5, WHOLE, 1, 65536), 0, "10 MB, plain client");
	is_int(body_faults(NO_SERVER, body, n + 5, WHOLE, 1, 65536), 0, "10 MB, plain host");
	free(body);
}

/* Ends. */

struct tally {
	unsigned runs, unseen, part, untrue, bounced, silent, stalled, clear;
};

/* The lines of the MTA's script that were answered, and how. */
static void
judge(struct world *w, const struct octets *got, bool mta_lives, struct tally *t)
{
	bool told = holds(got, ": accepted", 10), temporary = false, permanent = false,
	     bye = false;
	size_t n, at;

	for (at = 0; (n = line_at(got, at)) > 0; at += n) {
		temporary |= got->p[at] == '4';
		permanent |= got->p[at] == '5';
		bye = strncmp((const char *)got->p + at, "221", 3) == 0;
	}
	t->runs++;
	t->part += w->messages > 1 || w->bodies.n % (sizeof good_body - 1) != 0 ||
		   (w->messages == 1 && memcmp(w->bodies.p, good_body, w->bodies.n) != 0);
	t->untrue += told && w->messages != 1;
	t->bounced += permanent;
	t->silent += mta_lives && (!bye || (!told && !temporary));
	t->stalled += w->stalls > 0;
	t->clear += !is_veiled(w);
}

static void
report(const char *what, const struct tally *t, bool veiled, bool may_stall)
{
	ok(t->runs > 20, "%s: %u places", what, t->runs);
	is_int(t->unseen, 0, "%s: noticed as truncation", what);
	is_int(t->part, 0, "%s: no part of a message is delivered", what);
	is_int(t->untrue, 0, "%s: no delivery is told that was not", what);
	is_int(t->bounced, 0, "%s: no permanent reply", what);
	is_int(t->silent, 0, "%s: the MTA has its reply, 250 or temporary", what);
	if (!may_stall)
		is_int(t->stalled, 0, "%s: nobody waits for a deadline", what);
	if (veiled)
		is_int(t->clear, 0, "%s: nothing of the mail in clear", what);
}

enum stream { MTA_OUT, WIRE_C2S, WIRE_S2C, BACK_OUT };

static struct octets *
stream_of(struct world *w, enum stream stream)
{
	struct octets *const all[] = {&w->mta_out, &w->wire[C2S], &w->wire[S2C], &w->back_out};

	return all[stream];
}

static void
cut_everywhere(
    const char *what, int how, const struct say *script, enum stream stream, bool both)
{
	struct tally t = {0};
	struct world w;
	size_t total, command, step;

	set(&w, how, script);
	world_run(&w);
	total = stream_of(&w, stream)->n;
	command = line_at(&w.wire[C2S], 0);
	world_free(&w);
	step = sweep_step(total, getenv("BLACKPONY_ALL") != NULL ? 1 : 3);
	for (size_t at = 1; at <= total; at += step) {
		set(&w, how, script);
		if (stream == BACK_OUT)
			w.back_limit = at;
		else
			stream_of(&w, stream)->limit = at;
		w.cut_both = both;
		w.split = at % 16 == 0 ? BYTES : at % 2 == 0 ? RANDOM : WHOLE;
		w.seed = (uint32_t)at;
		world_run(&w);
		judge(&w, &w.mta_in, stream != MTA_OUT, &t);
		/* From the upgrade to the last octet of the last record, QUIT and the close. */
		if (stream == WIRE_C2S && how == 0 && both && at > command && at < total)
			t.unseen += w.server_report.fault != ERR_TRUNCATED;
		/* An MTA that is told of no delivery, and has left before QUIT. */
		if (stream == MTA_OUT && w.messages == 1 && at < total)
			t.unseen +=
			    strstr(w.client_report.verdict, "sendmail has gone") == NULL;
		world_free(&w);
	}
	report(what, &t, how == 0, !both);
}

/* The MTA dies: how much of a message went on is the far side's whole message or none. */
static void
test_ends(void)
{
	cut_everywhere("client's octets cut off", 0, mail, WIRE_C2S, true);
	cut_everywhere("server's octets cut off", 0, mail, WIRE_S2C, true);
	cut_everywhere("client's octets cut off, by steps", 0, by_steps, WIRE_C2S, true);
	cut_everywhere("server's octets cut off, by steps", 0, by_steps, WIRE_S2C, true);
	cut_everywhere("client's half cut off", 0, mail, WIRE_C2S, false);
	cut_everywhere("server's half cut off", 0, mail, WIRE_S2C, false);
	cut_everywhere("MTA cut off", 0, mail, MTA_OUT, true);
	cut_everywhere("back end cut off", 0, mail, BACK_OUT, true);
	cut_everywhere("back end cut off, by steps", 0, by_steps, BACK_OUT, true);
	cut_everywhere("plain host cut off", NO_SERVER, mail, WIRE_S2C, true);
	cut_everywhere("plain host cut off, by steps", NO_SERVER, by_steps, WIRE_S2C, true);
	cut_everywhere("in clear, client cut off", NO_OFFER, mail, WIRE_C2S, true);
	cut_everywhere("in clear, server cut off", NO_OFFER, mail, WIRE_S2C, true);
	cut_everywhere("keyword, client cut off", NO_HINT, mail, WIRE_C2S, true);
	cut_everywhere("keyword, server cut off", NO_HINT, mail, WIRE_S2C, true);
}

/* A plain client that sends its message, says good-bye and shuts its half, to a slow back end.
 */
static void
test_hasty(void)
{
	const size_t n = 300000;
	char *text = calloc(1, n + 200);
	unsigned bad = 0;

	if (text == NULL)
		bail("out of memory");
	memset(text, 'x', n);
	memcpy(text + n, "\r\n.\r\nQUIT\r\n", 11);
	for (uint32_t seed = 0; seed < 6; seed++) {
		struct say script[] = {
		    SAY("EHLO a\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@mx.test>\r\nDATA\r\n", 4),
		    {.text = text}, END};
		struct world w;

		set(&w, NO_CLIENT, script);
		w.split = seed % 2 == 0 ? WHOLE : RANDOM;
		w.seed = seed;
		w.window = 1000u << seed;
		world_run(&w);
		bad += w.messages != 1 || w.bodies.n != n + 5 || w.stalls > 0 ||
		       !holds(&w.wire[S2C], "221 ", 4);
		world_free(&w);
	}
	is_int(bad, 0,
	    "what a client said before it shut its half arrives, however slow the pipes");
	free(text);
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	test_bodies();
	test_large();
	test_ends();
	test_hasty();
	renew(&filter.held);
	return tap_done();
}
