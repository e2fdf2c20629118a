/*
 * engine-moments - what can go wrong at any moment does, at each in turn: a deadline passes on
 * either side, or an allocation fails. No message is then told of that was not delivered, none
 * is delivered in part, nothing bounces, and both sessions come to an end. A session has a
 * deadline in every state.
 *
 * Allocations are counted by wrappers (Makefile.am, -Wl,--wrap) that the sessions' objects call
 * in place of the C library and libsodium; this file's own go past them.
 */
#include <sodium.h>
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_sodium_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_sodium_malloc(size_t n);
struct session_config;
struct session *__real_session_new(const struct session_config *c);
struct session *__wrap_session_new(const struct session_config *c);

#define malloc __real_malloc
#define calloc __real_calloc
#include "engine-scenario.h"
#undef malloc
#undef calloc

static const char good_body[] = "Subject: secret\r\n\r\nhello\r\n.\r\n";

static const struct say mail[] = {
    EHLO, MAIL, SAY("RCPT TO:<b@mx.test>\r\nDATA\r\n", 2), BODY, QUIT, END};

/* Which allocation fails, counted from 1; 0: none. A session's first ones are not among them:
 * without a session there is nothing to look at. */
static unsigned fails_at, allocations;
static bool is_new;

static bool
fails(void)
{
	return !is_new && ++allocations == fails_at;
}

struct session *
__wrap_session_new(const struct session_config *c)
{
	struct session *s;

	is_new = true;
	s = __real_session_new(c);
	is_new = false;
	return s;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_sodium_malloc(size_t n)
{
	return fails() ? NULL : __real_sodium_malloc(n);
}

struct tally {
	unsigned runs, part, untrue, bounced, silent, endless;
};

static void
judge(struct world *w, struct tally *t)
{
	struct octets *got = w->no_client ? &w->wire[S2C] : &w->mta_in;
	const bool told = holds(got, "accepted", 8);
	bool answered = told;
	size_t n, at;

	for (at = 0; (n = line_at(got, at)) > 0; at += n) {
		answered |= got->p[at] == '4';
		t->bounced += got->p[at] == '5';
	}
	t->runs++;
	t->part += w->messages > 1 || w->bodies.n != w->messages * (sizeof good_body - 1) ||
		   (w->messages == 1 && memcmp(w->bodies.p, good_body, w->bodies.n) != 0);
	t->untrue += told && w->messages != 1;
	t->silent += !answered;
}

static void
report(const char *what, const struct tally *t, unsigned moments)
{
	ok(t->runs >= moments, "%s: %u moments", what, t->runs);
	is_int(t->part, 0, "%s: no part of a message is delivered", what);
	is_int(t->untrue, 0, "%s: no delivery is told that was not", what);
	is_int(t->bounced, 0, "%s: no permanent reply", what);
}

static void
begin(struct world *w, int how)
{
	struct scenario sc = {.how = how, .script = mail};
	static struct filter filter;

	scenario_set(w, &sc, &filter);
	w->split = BYTES; /* many moments */
}

/* As world_run(), but for the deadline at the n-th turn. False: it was over by then. */
static bool
run_until(struct world *w, struct end *e, unsigned n, struct tally *t)
{
	random_count = 0;
	if (w->no_client)
		new_session(w, &w->server, SESSION_SERVER);
	else
		new_session(w, &w->client, SESSION_CLIENT);
	w->connections = w->no_client;
	for (unsigned i = 0; i < n; i++) {
		if (!all_turns(w))
			return false;
		if (is_running(e))
			t->endless += session_timeout(e->s) == 0;
	}
	if (!is_running(e))
		return e->s == NULL;
	session_fail(e->s, ERR_TIMEOUT);
	run_end(w, e);
	for (int idle = 0; idle < 20; idle++) {
		while (all_turns(w))
			;
		if (!is_running(&w->client) && !is_running(&w->server))
			return true;
		time_out(w);
	}
	bail("a session outlives its deadlines");
}

static void
time_out_everywhere(const char *what, int how, bool server)
{
	struct tally t = {0};
	struct world w;
	bool more = true;

	for (unsigned n = 0; more; n += (unsigned)sweep_step(2000, 11)) {
		begin(&w, how);
		more = run_until(&w, server ? &w.server : &w.client, n, &t);
		if (more)
			judge(&w, &t);
		world_free(&w);
	}
	report(what, &t, 5);
	is_int(t.endless, 0, "%s: there is one in every state", what);
}

static void
fail_everywhere(const char *what, int how)
{
	struct tally t = {0};
	struct world w;
	unsigned all;

	begin(&w, how);
	w.split = WHOLE;
	allocations = 0;
	world_run(&w);
	all = allocations;
	world_free(&w);
	for (unsigned n = 1; n <= all; n++) {
		begin(&w, how);
		w.split = WHOLE;
		allocations = 0;
		fails_at = n;
		world_run(&w);
		fails_at = 0;
		judge(&w, &t);
		world_free(&w);
	}
	report(what, &t, 2);
	is_int(t.silent, 0, "%s: the MTA has its reply, 250 or temporary", what);
}

static void
test_new(void)
{
	struct session_config c = {.role = SESSION_SERVER, .name = "mx.test"};
	struct session *s = NULL;
	unsigned failed = 0;

	while (s == NULL && failed < 100) {
		allocations = 0;
		fails_at = ++failed;
		s = __real_session_new(&c);
	}
	fails_at = 0;
	ok(s != NULL && failed > 3, "no session without all of its memory: %u allocations",
	    failed - 1);
	session_free(s);
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium_init");
	time_out_everywhere("client's deadline", 0, false);
	time_out_everywhere("server's deadline", 0, true);
	time_out_everywhere("client's deadline, ROT13", ROT, false);
	time_out_everywhere("client's deadline, plain host", NO_SERVER, false);
	time_out_everywhere("server's deadline, plain client", NO_CLIENT, true);
	fail_everywhere("out of memory", 0);
	test_new();
	return tap_done();
}
