/*
 * engine - a client and a server session joined in memory, far side to far side, with a
 * scripted MTA, mail host and monitors around them. Included by the t/2x-*.c tests.
 *
 *   talker (SMTP client) - client session - wire - server session - answerer (SMTP server)
 *
 * Either session may be left out: then the talker or the answerer is on the wire itself. A turn
 * does what lib/relay.c does and, as poll() would, runs a session only when there is something
 * new for it: a session that waits although it could go on shows as a stall.
 *
 *   struct world w;  world_init(&w);  (set what is to be different)  world_run(&w);
 *   (look at w.mta_in, w.heard, w.bodies, w.told, the reports)       world_free(&w);
 */
#ifndef ENGINE_TEST_H
#define ENGINE_TEST_H

#include "engine-parts.h"

#define TURNS_MAX 60000000

static const char host_ehlo[] = "250-back.test Hello\r\n250-ENHANCEDSTATUSCODES\r\n"
				"250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n"
				"250-DSN\r\n250-AUTH PLAIN\r\n250-STARTTLS\r\n"
				"250-CHUNKING\r\n250 HELP\r\n";

static inline void
world_init(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->answerer.greeting = "220 back.test ESMTP\r\n";
	w->answerer.ehlo = host_ehlo;
	w->talker.wait = 1;
	w->monitor.hops = 1;
	w->monitor.offers = 2;
	w->window = SIZE_MAX / 2;
	w->secret[0][5] = 1;
	w->secret[1][5] = 2;
}

static inline void
wire_put(struct world *w, int dir, const uint8_t *p, size_t n)
{
	put(&w->wire[dir], p, n);
	put(&w->tape[dir], p, n);
	if (w->cut_both && w->wire[dir].ended)
		w->wire[!dir].ended = true;
}

static inline void
world_send(struct world *w, int dir, const uint8_t *p, size_t n)
{
	if (w->tap != NULL && (w->connections == 1 || w->tap_always))
		w->tap(w, dir, p, n);
	else
		wire_put(w, dir, p, n);
}

static inline void
new_session(struct world *w, struct end *e, enum session_role role)
{
	bool server = role == SESSION_SERVER;
	struct session_config *c = server ? &w->server_config : &w->client_config;

	*c = (struct session_config){.role = role, .random = not_random};
	c->name = server ? "mx.test" : "blackpony.test";
	c->rot = server ? w->rot_server : w->rot_client;
	c->offer = !w->no_offer;
	c->keep = !server && w->keep;
	c->redirected = !server && w->redirected;
	c->demand = server ? (uint8_t)w->demand : 0;
	c->backend = server ? (uint8_t)w->backend : 0;
	suite_list_default(&c->suites);
	crypto_scalarmult_base(c->s_public, w->secret[server]);
	memset(e, 0, sizeof *e);
	if ((e->s = session_new(c)) == NULL)
		bail("session_new");
	e->near_in = server ? &w->back_out : &w->mta_out;
	e->near_out = server ? &w->back_in : &w->mta_in;
	e->far_in = &w->wire[server ? C2S : S2C];
	e->far_out = &w->wire[server ? S2C : C2S];
}

static inline void
new_host(struct world *w)
{
	w->now = w->answerer;
	if (w->backends > 0 && w->later_ehlo != NULL)
		w->now.ehlo = w->later_ehlo;
	if (w->backends > 0 && w->rules_once)
		w->now.rules = NULL;
	w->body.n = 0;
	note(&w->heard, "[%u]", ++w->backends);
}

/* What the session has to say goes out as far as the window allows. */
static inline bool
flow_out(struct world *w, struct end *e, enum session_side side)
{
	struct octets *o = side == SESSION_FAR ? e->far_out : e->near_out;
	size_t n;
	const uint8_t *p = session_output(e->s, side, &n);

	if (n > 0 && !o->ended) {
		size_t room = in_flight(o) < w->window ? w->window - in_flight(o) : 0;
		n = portion(w, n < room ? n : room);
		if (side == SESSION_FAR && n > 0)
			world_send(w, e == &w->client ? C2S : S2C, p, n);
		else if (n > 0)
			put(o, p, n);
	}
	session_written(e->s, side, n); /* into a stream that has ended all of it goes */
	return n > 0;
}

static inline bool
flow_in(struct world *w, struct end *e, enum session_side side)
{
	struct octets *o = side == SESSION_FAR ? e->far_in : e->near_in;
	bool *eof = side == SESSION_FAR ? &e->far_eof : &e->near_eof;
	uint8_t *room;
	size_t n;

	if (*eof || (room = session_reserve(e->s, side, &n)) == NULL || n == 0)
		return false;
	if (n > in_flight(o))
		n = in_flight(o);
	if (n == 0 && !o->ended)
		return false;
	n = portion(w, n);
	if (n > 0)
		memcpy(room, o->p + o->at, n);
	o->at += n;
	if (n > 0)
		session_commit(e->s, side, n);
	else
		session_eof(e->s, side);
	*eof = n == 0;
	return true;
}

static inline bool turn(struct world *w, struct end *e);

/* The client leaves its connection: the server side comes to its end on its own. */
static inline void
hang_up(struct world *w)
{
	w->wire[C2S].ended = w->wire[S2C].ended = true;
	if (w->server.s != NULL) {
		bool busy = true;

		while (busy) {
			busy = turn(w, &w->server);
			busy |= answer(w, &w->back_in, &w->back_out);
		}
		w->server_report = *session_report(w->server.s);
		session_free(w->server.s);
	}
	memset(&w->server, 0, sizeof w->server);
}

static inline void
connect_hop(struct world *w, struct session_answer *a)
{
	size_t limits[2] = {w->wire[0].limit, w->wire[1].limit};

	w->connections++;
	renew(&w->wire[C2S]);
	renew(&w->wire[S2C]);
	if (w->connections == 1 || w->tap_always)
		for (int i = 0; i < 2; i++)
			w->wire[i].limit = limits[i];
	a->granted = true;
	a->offer = w->upgrades_failed < w->monitor.offers;
	snprintf(a->host, sizeof a->host, "mx.test");
	snprintf(a->address, sizeof a->address, "[192.0.2.1]");
	w->client.far_eof = false;
	a->kept = w->kept && w->connections == 1;
	if (a->kept) {
		snprintf(a->suite, sizeof a->suite, "kept-suite");
		memset(a->key, 7, sizeof a->key);
	}
	w->host_on_wire = w->no_server || a->kept;
	if (w->host_on_wire)
		new_host(w);
	else
		new_session(w, &w->server, SESSION_SERVER);
}

static inline void
answer_hop(struct world *w, const struct session_request *q, struct session_answer *a)
{
	static const char *const reasons[] = {"FIRST", "REFUSED", "UPGRADE", "KEPT"};

	note(&w->told, "HOP %s %s\n", reasons[q->reason], q->text);
	if (q->reason != SESSION_HOP_FIRST)
		hang_up(w);
	if (q->reason == SESSION_HOP_UPGRADE)
		w->upgrades_failed++;
	if (w->asked_hops++ < w->monitor.hops)
		connect_hop(w, a);
	else
		snprintf(a->text, sizeof a->text, "451 4.4.1 all hosts down");
}

/* The old back end gets what is queued for it, however narrow the pipe. */
static inline void
put_rest(struct world *w)
{
	size_t n;
	const uint8_t *p = session_output(w->server.s, SESSION_NEAR, &n);

	put(&w->back_in, p, n);
	session_written(w->server.s, SESSION_NEAR, n);
}

static inline void
answer_backend(struct world *w, const struct session_request *q, struct session_answer *a)
{
	note(&w->told, "BACKEND %s%s\n", q->upgraded ? "after upgrade " : "", q->suite);
	put_rest(w);
	w->back_in.ended = true;
	answer(w, &w->back_in, &w->back_out);
	renew(&w->back_in);
	renew(&w->back_out);
	w->back_out.limit = w->back_limit;
	w->server.near_eof = false;
	new_host(w);
	a->granted = true;
}

/* The kept session's next mail: another talker on a near side of its own. */
static inline void
answer_mail(struct world *w, struct session_answer *a)
{
	const struct say *next = w->monitor.mails != NULL ? w->monitor.mails[w->mails] : NULL;

	note(&w->told, "MAIL\n");
	w->client.answered = next != NULL || !w->monitor.never_mails;
	if (next == NULL)
		return;
	w->mails++;
	w->talker = (struct talker){.script = next, .wait = 1};
	renew(&w->mta_in);
	renew(&w->mta_out);
	w->client.near_eof = false;
	a->granted = true;
}

static inline void
ask_monitor(struct world *w, struct end *e, const struct session_request *q)
{
	bool client = e == &w->client;
	unsigned refuse = client ? w->monitor.refuse_client : w->monitor.refuse_server;
	const uint8_t *secret = w->secret[!client];
	struct session_answer *a = &e->answer;

	if (q->kind == SESSION_TELL_DONE) {
		w->client_report = q->report;
		w->done++;
		return;
	}
	if (q->kind == SESSION_TELL_SETTLED) {
		w->settled++;
		return;
	}
	memset(a, 0, sizeof *a);
	a->kind = q->kind;
	e->answered = true;
	if (refuse & 1u << q->kind) {
		note(&w->told, "refused %d\n", q->kind);
		snprintf(a->text, sizeof a->text, "%s",
		    w->monitor.text != NULL ? w->monitor.text : "");
		return;
	}
	if (q->kind == SESSION_ASK_MAIL)
		answer_mail(w, a);
	else if (q->kind == SESSION_ASK_HOP)
		answer_hop(w, q, a);
	else if (q->kind == SESSION_ASK_BACKEND)
		answer_backend(w, q, a);
	else if (q->kind == SESSION_ASK_DH)
		a->granted = crypto_scalarmult(a->dh, secret, q->key) == 0;
	else
		a->granted = true;
}

/* As relay_run(): until nothing more goes out, then the requests, then the ends. */
static inline void
run_end(struct world *w, struct end *e)
{
	const struct session_request *q;
	bool wrote;

	e->started = true;
	do {
		session_run(e->s);
		wrote = flow_out(w, e, SESSION_FAR);
		wrote |= flow_out(w, e, SESSION_NEAR);
	} while (wrote);
	while ((q = session_request(e->s)) != NULL)
		ask_monitor(w, e, q);
	/* With an answer under way a side may be another one by now. */
	if (!e->answered && session_shut(e->s, SESSION_NEAR))
		e->near_out->ended = true;
	if (!e->answered && session_shut(e->s, SESSION_FAR))
		e->far_out->ended = true;
	if (session_is_over(e->s)) {
		e->over = true;
		e->near_out->ended = e->far_out->ended = true;
		if (e == &w->server)
			w->server_report = *session_report(e->s);
		else if (w->done == 0)
			w->client_report = *session_report(e->s);
	}
}

static inline bool
can_write(struct world *w, struct end *e)
{
	size_t far, near;

	(void)session_output(e->s, SESSION_FAR, &far);
	(void)session_output(e->s, SESSION_NEAR, &near);
	return (far > 0 && in_flight(e->far_out) < w->window) ||
	       (near > 0 && in_flight(e->near_out) < w->window);
}

/* What poll() would report, then the turn. False: nothing was to be done. */
static inline bool
turn(struct world *w, struct end *e)
{
	bool event;

	if (e->s == NULL || e->over)
		return false;
	event = !e->started || can_write(w, e);
	if (e->answered) {
		e->answered = false;
		session_answer(e->s, &e->answer);
		event = true;
	} else {
		event |= flow_in(w, e, SESSION_FAR);
		event |= flow_in(w, e, SESSION_NEAR);
	}
	if (event)
		run_end(w, e);
	return event;
}

static inline bool
all_turns(struct world *w)
{
	bool busy = turn(w, &w->client);

	busy |= turn(w, &w->server);
	if (w->no_client)
		busy |= talk(&w->talker, &w->wire[S2C], &w->wire[C2S]);
	else
		busy |= talk(&w->talker, &w->mta_in, &w->mta_out);
	if (w->host_on_wire)
		busy |= answer(w, &w->wire[C2S], &w->wire[S2C]);
	else
		busy |= answer(w, &w->back_in, &w->back_out);
	return busy;
}

static inline bool
is_running(const struct end *e)
{
	return e->s != NULL && !e->over;
}

/* Nothing moves any more: the deadlines pass. */
static inline void
time_out(struct world *w)
{
	struct end *ends[] = {&w->client, &w->server};

	for (int i = 0; i < 2; i++) {
		if (!is_running(ends[i]) || (i == 1 && w->host_waits && is_running(ends[0])))
			continue;
		if (strcmp(session_phase(ends[i]->s), "leaving") != 0 &&
		    strcmp(session_phase(ends[i]->s), "closing") != 0)
			w->stalls++;
		session_fail(ends[i]->s, ERR_TIMEOUT);
		run_end(w, ends[i]);
	}
}

static inline void
world_run(struct world *w)
{
	size_t turns = 0;

	random_count = w->randomness;
	w->dice = w->seed * 2654435761u + 1;
	if (!w->no_client)
		new_session(w, &w->client, SESSION_CLIENT);
	else
		new_session(w, &w->server, SESSION_SERVER);
	w->connections = w->no_client;
	w->host_on_wire = w->no_server;
	for (int idle = 0; idle < 20; idle++) {
		while (all_turns(w))
			if (++turns > TURNS_MAX)
				bail("the sessions never come to an end");
		if (!is_running(&w->client) && !is_running(&w->server))
			return;
		time_out(w);
	}
	bail("a session outlives its deadlines: client %s, server %s",
	    w->client.s == NULL ? "-" : session_phase(w->client.s),
	    w->server.s == NULL ? "-" : session_phase(w->server.s));
}

static inline void
world_free(struct world *w)
{
	struct octets *all[] = {&w->mta_out, &w->mta_in, &w->wire[0], &w->wire[1], &w->tape[0],
	    &w->tape[1], &w->back_in, &w->back_out, &w->heard, &w->bodies, &w->body, &w->told};

	session_free(w->client.s);
	session_free(w->server.s);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		renew(all[i]);
}

#endif
