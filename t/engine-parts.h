/*
 * engine-parts - what stands around the sessions in engine.h: streams of octets, the scripted
 * SMTP client (talker) and SMTP server (answerer), and the struct that holds all of it.
 */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include <sodium.h>
#include <strings.h>
#include "tap.h"
#include "libxpony/session.h"

/* Octets that were put, and how far they were taken. */
struct octets {
	uint8_t *p;
	size_t n, cap, at;
	size_t limit; /* after so many the stream breaks off; 0: never */
	bool ended;
};

static inline void
grow(struct octets *o, size_t n)
{
	if (o->n + n <= o->cap)
		return;
	o->cap = (o->n + n) * 2 + 256;
	if ((o->p = realloc(o->p, o->cap)) == NULL)
		bail("out of memory");
}

static inline void
put(struct octets *o, const void *p, size_t n)
{
	if (o->ended)
		return;
	if (o->limit > 0 && o->n + n >= o->limit) {
		n = o->limit - o->n;
		o->ended = true;
	}
	grow(o, n);
	if (n > 0)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

static inline void
puts_to(struct octets *o, const char *text)
{
	put(o, text, strlen(text));
}

static inline void __attribute__((format(printf, 2, 3)))
note(struct octets *o, const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	puts_to(o, line);
}

static inline const char *
text_of(struct octets *o)
{
	grow(o, 1);
	o->p[o->n] = '\0';
	return (const char *)o->p;
}

static inline bool
holds(const struct octets *o, const void *p, size_t n)
{
	return o->n >= n && memmem(o->p, o->n, p, n) != NULL;
}

static inline void
renew(struct octets *o)
{
	free(o->p);
	*o = (struct octets){0};
}

/* One group of commands, sent at once, then so many replies awaited. */
struct say {
	const char *text;
	unsigned replies;
	int only_after; /* skipped unless the last reply had this code; 0: always */
	size_t len;     /* 0: strlen(text) */
	size_t raw;     /* octets awaited instead of replies */
};

struct talker {
	const struct say *script; /* ends with text NULL */
	size_t at, line, raw_at;
	unsigned wait;
	size_t raw;
	int last;
	bool eof, done;
	bool stays; /* does not close after its last word */
};

struct rule {
	const char *command; /* of which this is the beginning, case folded; "." is the dot */
	const char *reply;   /* NULL: none, the connection ends */
	bool leaves;         /* ends the connection after it */
};

/* As a rule's reply: none, nor anything later. */
static const char falls_silent[] = "";

struct answerer {
	const char *greeting, *ehlo;
	const struct rule *rules; /* ends with command NULL; before the defaults */
	unsigned delay;           /* turns before it greets */
	bool mute;                /* never greets */
	bool greeted, body, raw, gone, mail, rcpt;
	size_t body_at, at;
};

/* What the monitors refuse: bits 1 << enum session_request_kind. */
struct monitor_script {
	unsigned refuse_client, refuse_server;
	unsigned hops;    /* that are granted */
	unsigned offers;  /* connections on which an offer may be taken up */
	const char *text; /* of a refusal */
	const struct say *const *mails; /* for a session that is kept: the next ones, up to NULL */
	bool never_mails;               /* and then no answer at all */
};

struct end { /* what the relay knows of one session */
	struct session *s;
	struct octets *near_in, *near_out, *far_in, *far_out;
	bool started, over, near_eof, far_eof;
	struct session_answer answer;
	bool answered;
};

enum { C2S, S2C };
enum split { WHOLE, BYTES, RANDOM, SPLITS };

struct world;
typedef void wire_tap(struct world *w, int dir, const uint8_t *p, size_t n);

struct world {
	/* set up by the test */
	bool no_client, no_server;
	int rot_client, rot_server;
	enum session_demand demand;
	enum session_backend backend;
	bool no_offer;
	struct talker talker;
	struct answerer answerer; /* the template of each back end or host */
	struct monitor_script monitor;
	enum split split;
	uint32_t seed, randomness; /* of the splits; of the keys */
	size_t window;             /* octets in flight at most, in each pipe */
	size_t back_limit;
	wire_tap *tap; /* what goes onto the wire, on the first connection */
	bool tap_always;
	bool cut_both; /* an end in one direction ends the other too */
	void *hook;
	bool keep;              /* the client was started with -K */
	bool redirected;        /* the client was started with -r */
	bool kept;              /* the first hop is a kept session, and the answerer is on the wire */
	bool host_waits;        /* the server's deadlines are longer than all of the client's */
	bool rules_once;        /* the answerer's rules are the first host's */
	const char *later_ehlo; /* of all hosts but the first */

	/* what came of it */
	struct octets mta_out, mta_in;  /* talker to client, client to talker */
	struct octets wire[2], tape[2]; /* in flight; all that ever went */
	struct octets back_in, back_out;
	struct octets heard;  /* by all back ends: their lines, "[n]" before each */
	struct octets bodies; /* of whole messages, end included */
	struct octets body;
	struct octets told; /* the monitor: requests in order */
	struct session_report client_report, server_report;
	bool host_on_wire;
	unsigned done;  /* the client's last words to its monitor */
	unsigned mails; /* that a kept session was given */
	unsigned messages, connections, backends, stalls, asked_hops, upgrades_failed, settled;
	struct end client, server;
	struct answerer now;
	struct session_config client_config, server_config;
	uint8_t secret[2][NOISE_KEY];
	uint32_t dice;
};

static inline uint32_t
dice(struct world *w, uint32_t sides)
{
	w->dice = w->dice * 1664525u + 1013904223u;
	return (w->dice >> 8) % sides;
}

static inline size_t
portion(struct world *w, size_t n)
{
	if (n > 1 && w->split == BYTES)
		return 1;
	if (n > 1 && w->split == RANDOM)
		return 1 + dice(w, (uint32_t)(dice(w, 3) == 0 ? n : n < 24 ? n : 24));
	return n;
}

static uint32_t random_count;

static inline void
not_random(void *p, size_t n)
{
	uint8_t seed[randombytes_SEEDBYTES] = {1};

	random_count++;
	memcpy(seed + 1, &random_count, sizeof random_count);
	randombytes_buf_deterministic(p, n, seed);
}

static inline size_t
in_flight(const struct octets *o)
{
	return o->n - o->at;
}

/* Length of the first line from `at` on, LF included, or 0. */
static inline size_t
line_at(const struct octets *o, size_t at)
{
	const uint8_t *lf = o->n > at ? memchr(o->p + at, '\n', o->n - at) : NULL;

	return lf == NULL ? 0 : (size_t)(lf - (o->p + at)) + 1;
}

/* The talker: reads replies, sends the next group when none is owed. */
static inline bool
talk(struct talker *t, struct octets *in, struct octets *out)
{
	bool busy = false;
	size_t n;

	while (t->raw == 0 && (n = line_at(in, t->line)) > 0) {
		if (n > 3 && in->p[t->line + 3] != '-') {
			t->last = atoi((const char *)in->p + t->line);
			t->wait -= t->wait > 0;
		}
		t->line += n;
		busy = true;
	}
	if (t->raw > 0 && in->n - t->line >= t->raw) {
		t->line += t->raw;
		t->raw = 0;
		busy = true;
	}
	in->at = in->n;
	if (in->ended && !t->eof)
		t->eof = t->done = busy = out->ended = true;
	while (!t->done && t->wait == 0 && t->raw == 0) {
		const struct say *s = &t->script[t->at];

		busy = true;
		if (s->text == NULL) {
			t->done = true;
			if (!t->stays)
				out->ended = true;
			break;
		}
		t->at++;
		if (s->only_after != 0 && s->only_after != t->last)
			continue;
		put(out, s->text, s->len > 0 ? s->len : strlen(s->text));
		t->wait = s->replies;
		t->raw = s->raw;
	}
	return busy;
}

static const struct rule answers[] = {{"MAIL", "250 2.1.0 sender ok", false},
    {"RCPT", "250 2.1.5 recipient ok", false}, {"DATA", "354 go on", false},
    {".", "250 2.0.0 accepted", false}, {"RSET", "250 2.0.0 reset", false},
    {"NOOP", "250 2.0.0 ok", false}, {"QUIT", "221 2.0.0 bye", true},
    {"STARTTLS", "220 2.0.0 ready", false}, {"HELO", "250 back", false},
    {"XPONY", "500 5.5.1 unknown", false}, {"AUTH", "334 ", false},
    {"", "500 5.5.1 unknown", false}, {NULL, NULL, false}};

static inline const struct rule *
rule_for(const struct rule *r, const char *line, size_t n)
{
	for (; r != NULL && r->command != NULL; r++)
		if (n >= strlen(r->command) &&
		    strncasecmp(line, r->command, strlen(r->command)) == 0)
			return r;
	return NULL;
}

/* One command: the rules' reply, or that of a small MTA that knows its sequence. */
static inline void
answer_line(struct world *w, const char *line, size_t n, struct octets *out)
{
	struct answerer *a = &w->now;
	const struct rule *r = rule_for(a->rules, line, n);
	const bool strict = r == NULL; /* the rules may have it otherwise */
	const char *reply;

	if (strict && strncasecmp(line, "EHLO", 4) == 0) {
		puts_to(out, a->ehlo);
		a->mail = a->rcpt = false;
		return;
	}
	if (strict)
		r = rule_for(answers, line, n);
	reply = r->reply;
	if (strict && strncasecmp(line, "RCPT", 4) == 0 && !a->mail)
		reply = "503 5.0.0 need MAIL";
	else if (strict && strncasecmp(line, "DATA", 4) == 0 && !a->rcpt)
		reply = "503 5.0.0 need RCPT";
	a->mute = reply == falls_silent;
	if (a->mute)
		return;
	puts_to(out, reply != NULL ? reply : "");
	puts_to(out, reply != NULL ? "\r\n" : "");
	if (reply == NULL || r->leaves)
		a->gone = out->ended = true;
	if (reply == NULL)
		return;
	if (*reply == '2' && strncasecmp(line, "MAIL", 4) == 0)
		a->mail = true;
	else if (*reply == '2' && strncasecmp(line, "RCPT", 4) == 0)
		a->rcpt = true;
	else if (*line == '.' || strncasecmp(line, "RSET", 4) == 0)
		a->mail = a->rcpt = false;
	a->body = strncmp(reply, "354", 3) == 0;
	a->raw = *reply == '2' && strncasecmp(line, "STARTTLS", 8) == 0;
}

/* The body, octet by octet, until CRLF . CRLF: not the engine's way of finding it. */
static inline void
answer_body(struct world *w, struct octets *in, struct octets *out)
{
	struct octets *b = &w->body;

	while (w->now.body && w->now.at < in->n) {
		put(b, in->p + w->now.at++, 1);
		if (!(b->n == 3 && memcmp(b->p, ".\r\n", 3) == 0) &&
		    !(b->n >= 5 && memcmp(b->p + b->n - 5, "\r\n.\r\n", 5) == 0))
			continue;
		w->messages++;
		put(&w->bodies, b->p, b->n);
		b->n = 0;
		answer_line(w, ".", 1, out);
	}
}

static inline bool
answer(struct world *w, struct octets *in, struct octets *out)
{
	struct answerer *a = &w->now;
	size_t n, had = a->at;

	if (w->backends == 0)
		return false;
	if (a->gone || a->mute) {
		in->at = in->n;
		return false;
	}
	if (!a->greeted && a->delay > 0)
		return a->delay-- > 0;
	if (!a->greeted) {
		a->greeted = true;
		if (in->n > 0)
			note(&w->heard, "(early talker)");
		puts_to(out, a->greeting);
		return true;
	}
	while (!a->gone && !a->mute && a->at < in->n) {
		if (a->body) {
			answer_body(w, in, out);
		} else if (a->raw) {
			put(out, in->p + a->at, in->n - a->at);
			put(&w->heard, in->p + a->at, in->n - a->at);
			a->at = in->n;
		} else if ((n = line_at(in, a->at)) > 0) {
			put(&w->heard, in->p + a->at, n);
			a->at += n;
			answer_line(w, (const char *)in->p + a->at - n, n, out);
		} else {
			break;
		}
	}
	in->at = in->n;
	if (in->ended && a->at == in->n && !a->gone) {
		a->gone = out->ended = true;
		return true;
	}
	return a->at > had;
}

#endif
