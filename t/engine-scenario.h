/*
 * engine-scenario - a dialogue as one entry of a table: who is there, what is said, what must
 * come of it. scenario_run() runs it in one piece, octet by octet, in random pieces and through
 * narrow pipes: the outcome is the same each time.
 */
#ifndef ENGINE_SCENARIO_H
#define ENGINE_SCENARIO_H

#include "engine.h"

#define SEEDS 10 /* random splits of each scenario */

#define SAY(words, count)                                                                      \
	{                                                                                      \
		.text = words, .replies = count                                                \
	}
#define EHLO SAY("EHLO mta.test\r\n", 1)
#define MAIL SAY("MAIL FROM:<a@mta.test>\r\n", 1)
#define RCPT SAY("RCPT TO:<b@mx.test>\r\nRCPT TO:<bad@mx.test>\r\nDATA\r\n", 3)
#define BODY                                                                                   \
	{                                                                                      \
		.text = "Subject: secret\r\n\r\nhello\r\n.\r\n", .replies = 1,                 \
		.only_after = 354                                                              \
	}
#define QUIT SAY("QUIT\r\n", 1)
#define END                                                                                    \
	{                                                                                      \
		.text = NULL                                                                   \
	}
#define RULE(words, what)                                                                      \
	{                                                                                      \
		.command = words, .reply = what                                                \
	}
#define LAST(words, what)                                                                      \
	{                                                                                      \
		.command = words, .reply = what, .leaves = true                                \
	}
#define NO_MORE                                                                                \
	{                                                                                      \
		.command = NULL                                                                \
	}

#define NO_CLIENT 1 /* the talker is on the wire */
#define NO_SERVER 2 /* the answerer is */
#define NO_OFFER 4
#define ROT 8
#define NO_HINT 16     /* a filter takes the offer out of the greeting */
#define NO_KEYWORD 32  /* and one out of the EHLO reply */
#define MUTE 64        /* the answerer never greets */
#define REDIRECTED 128 /* the talker believes to hear the host itself */

struct scenario {
	const char *name;
	int how;
	const struct say *script;
	const struct rule *rules;
	const char *greeting, *ehlo;
	unsigned delay, refuse_client, refuse_server;
	const char *refusal;
	unsigned hops;
	/* What must come of it: the replies that the talker got, less those of several lines
	 * and, with NO_CLIENT, less the greeting; what the back ends heard; the requests. */
	const char *replies, *heard, *told;
	unsigned messages;
	const char *suite;
	enum session_demand demand;
	enum session_backend backend;
};

#define R220 "220 blackpony.test ESMTP\r\n"
#define NOTED "250 2.1.0 Sender noted for mx.test\r\n"
#define SENT(suite) "250 2.0.0 mx.test [192.0.2.1]" suite ": accepted\r\n"
#define BYE "221 2.0.0 blackpony.test closing\r\n"
#define PONY " mlkem768x25519-chachapoly"
#define TWO "250 2.1.5 recipient ok\r\n250 2.1.5 recipient ok\r\n354 go on\r\n"
#define HEARD_RCPT "RCPT TO:<b@mx.test>\r\nRCPT TO:<bad@mx.test>\r\nDATA\r\n"
#define HEARD "EHLO mta.test\r\nMAIL FROM:<a@mta.test>\r\n" HEARD_RCPT
#define FIRST "HOP FIRST \n"
#define UPGRADED FIRST "BACKEND after upgrade mlkem768x25519-chachapoly\n"
#define ALL_REFUSED(with) NOTED with with with

/* The replies without the continuation lines and their last one. */
static inline void
outcome_replies(struct octets *out, const struct octets *in, bool greeting_is_random)
{
	bool ehlo = false;
	size_t n, at;

	for (at = greeting_is_random ? line_at(in, 0) : 0; (n = line_at(in, at)) > 0; at += n) {
		bool more = n > 3 && in->p[at] == '2' && in->p[at + 3] == '-';

		if (!more && !ehlo)
			put(out, in->p + at, n);
		ehlo = more;
	}
	put(out, in->p + at, in->n - at);
}

struct filter {
	struct octets held;
	bool keyword; /* too, not only the greeting's */
};

/* As some firewalls hide an extension that they do not know. */
static inline void
x_out(struct world *w, int dir, const uint8_t *p, size_t n)
{
	struct filter *f = w->hook;
	struct octets *held = &f->held;
	size_t line;
	uint8_t *word;

	if (dir == C2S || (held->at > 0 && !f->keyword)) {
		wire_put(w, dir, p, n);
		return;
	}
	put(held, p, n);
	while ((line = line_at(held, held->at)) > 0) {
		word = memmem(held->p + held->at, line, "XPONY", 5);
		if (word != NULL)
			memcpy(word, "XXXXX", 5);
		wire_put(w, dir, held->p + held->at, line);
		held->at += line;
	}
}

static inline void
scenario_set(struct world *w, const struct scenario *sc, struct filter *f)
{
	world_init(w);
	w->no_client = sc->how & NO_CLIENT;
	w->no_server = sc->how & NO_SERVER;
	w->no_offer = sc->how & NO_OFFER;
	w->redirected = sc->how & REDIRECTED;
	w->rot_client = w->rot_server = sc->how & ROT ? 13 : 0;
	w->talker.script = sc->script;
	w->demand = sc->demand;
	w->backend = sc->backend;
	w->answerer.rules = sc->rules;
	w->answerer.delay = sc->delay;
	w->answerer.mute = sc->how & MUTE;
	if (sc->greeting != NULL)
		w->answerer.greeting = sc->greeting;
	if (sc->ehlo != NULL)
		w->answerer.ehlo = sc->ehlo;
	w->monitor.refuse_client = sc->refuse_client;
	w->monitor.refuse_server = sc->refuse_server;
	w->monitor.text = sc->refusal;
	w->monitor.hops = sc->hops > 0 ? sc->hops : 1;
	*f = (struct filter){.keyword = sc->how & NO_KEYWORD};
	w->hook = f;
	if (sc->how & (NO_HINT | NO_KEYWORD))
		w->tap = x_out;
}

/* What can be compared of a run. */
static inline char *
outcome(const struct scenario *sc, struct world *w)
{
	struct session_report *r = sc->how & NO_CLIENT ? &w->server_report : &w->client_report;
	struct octets o = {0}, *got = sc->how & NO_CLIENT ? &w->wire[S2C] : &w->mta_in;

	outcome_replies(&o, got, sc->how & NO_CLIENT);
	note(&o, "--\n%s--\n%s--\n", sc->heard != NULL ? text_of(&w->heard) : "",
	    text_of(&w->told));
	note(&o, "messages %u, suite %s", w->messages, r->suite);
	if (w->stalls > 0)
		note(&o, ", %u stalls", w->stalls);
	return (char *)(uintptr_t)text_of(&o);
}

/* Nothing of the mail in what went over the wire. */
static inline bool
is_veiled(const struct world *w)
{
	static const char *const words[] = {"Subject", "hello", "MAIL", "RCPT", "@mx", "2.1.5"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		for (int dir = 0; dir < 2; dir++)
			if (holds(&w->tape[dir], words[i], strlen(words[i])))
				return false;
	return true;
}

static inline char *
scenario_once(
    const struct scenario *sc, enum split split, uint32_t seed, size_t window, bool *veiled)
{
	struct filter f;
	struct world w;
	char *got;

	scenario_set(&w, sc, &f);
	w.split = split;
	w.seed = seed;
	w.window = window;
	world_run(&w);
	*veiled = is_veiled(&w);
	got = outcome(sc, &w);
	world_free(&w);
	free(f.held.p);
	return got;
}

/* How far apart the places of a sweep over `total` octets stand: as is usual, or further where
 * BLACKPONY_PLACES says how many are enough (make check-valgrind). Odd, to meet all splits. */
static inline size_t
sweep_step(size_t total, size_t usual)
{
	const char *places = getenv("BLACKPONY_PLACES");
	size_t step = places != NULL ? total / strtoul(places, NULL, 10) | 1 : 1;

	return step > usual ? step : usual;
}

static inline void
show(const char *got, const char *want)
{
	printf("# got:\n");
	for (const char *p = got; *p != '\0'; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL))
		printf("#   %.*s\n", (int)strcspn(p, "\r\n"), p);
	printf("# want:\n");
	for (const char *p = want; *p != '\0';
	     p += strcspn(p, "\n") + (strchr(p, '\n') != NULL))
		printf("#   %.*s\n", (int)strcspn(p, "\r\n"), p);
}

static inline void
scenario_run(const struct scenario *sc)
{
	static const size_t windows[] = {1, 3, 100, 700, 5000};
	struct octets want = {0};
	bool veiled, all_veiled = true;
	unsigned bad = 0, runs = 0;
	char *got;

	note(&want, "%s--\n%s--\n%s--\nmessages %u, suite %s", sc->replies,
	    sc->heard != NULL ? sc->heard : "", sc->told, sc->messages, sc->suite);
	for (uint32_t i = 0; i < 2 + SEEDS + 10; i++) {
		bool narrow = i >= 2 + SEEDS;
		enum split split = i == 0 ? WHOLE : i == 1 ? BYTES : RANDOM;

		if (narrow && i % 2 == 0)
			split = WHOLE;
		got = scenario_once(
		    sc, split, i, narrow ? windows[i % 5] : SIZE_MAX / 2, &veiled);
		all_veiled &= veiled;
		runs++;
		if (strcmp(got, text_of(&want)) != 0 && bad++ == 0) {
			diag("%s, run %u", sc->name, i);
			show(got, text_of(&want));
		}
		free(got);
	}
	ok(bad == 0, "%s (%u runs)", sc->name, runs);
	if (strchr(sc->suite, '-') != NULL)
		ok(all_veiled, "and nothing of it is to be seen on the wire");
	renew(&want);
}

/* The test of a table of them. */
static inline void
scenarios_run(const struct scenario *sc, size_t n)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	for (size_t i = 0; i < n; i++)
		scenario_run(&sc[i]);
}
#define SCENARIOS_RUN(table) scenarios_run(table, sizeof(table) / sizeof(table)[0])

#endif
