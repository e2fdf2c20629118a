/*
 * keeper - see keeper.h.
 *
 * It reads requests of the engine, which may be an attacker's, and one octet of each mailer
 * that calls, which is a process of this same user. To the engine it grants near sides, one
 * after the other; to the mailers it says what the session is, and they judge it. Whatever is
 * out of turn is its end, and with it the session's.
 */
#include "mailer/keeper.h"
#include "lib/clock.h"
#include "lib/request.h"
#include "lib/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENGINE = 3, LISTENER, FIRST_FREE };

struct keeping {
	const struct keeper *k;
	struct keep_record record;
	uid_t user;
	bool waiting;  /* no mail is on its way */
	int64_t until; /* while waiting */
	int taker;     /* a mailer that judges the session; -1: none */
};

static void
leave_taker(struct keeping *g)
{
	if (g->taker >= 0)
		(void)close(g->taker);
	g->taker = -1;
}

/* A time to wait for the next mail begins, if there may be one. */
static bool
begin_waiting(struct keeping *g)
{
	const int64_t now = clock_ms(), end = now + (int64_t)g->k->seconds * 1000;

	g->waiting = true;
	g->until = end < g->k->expiry ? end : g->k->expiry;
	return g->record.mails < SESSION_KEEP_MAILS && now < g->until;
}

/* Its only word is that it has done a mail and may have the next: the end of what it was
 * granted before. */
static bool
hear_engine(struct keeping *g)
{
	struct session_request q;

	if (request_receive(ENGINE, &q) != REQUEST_OK || q.kind != SESSION_ASK_MAIL ||
	    g->waiting)
		return false;
	g->record.mails++;
	return begin_waiting(g);
}

/* It says yes, or it is gone. Then its socket is the session's near side. */
static bool
hear_taker(struct keeping *g)
{
	const struct session_answer a = {.kind = SESSION_ASK_MAIL, .granted = true};
	uint8_t yes;
	bool sent = true;

	if (read(g->taker, &yes, 1) == 1) {
		g->waiting = false;
		sent = request_answer(ENGINE, &a, g->taker);
	}
	leave_taker(g);
	return sent;
}

static bool
is_welcome(const struct keeping *g, int fd)
{
	uid_t user;
	gid_t group;

	return g->waiting && g->taker < 0 && getpeereid(fd, &user, &group) == 0 &&
	       user == g->user;
}

/* Who comes while another one is here shall not wait. */
static void
hear_caller(struct keeping *g)
{
	const struct keep_record *r = &g->record;
	int fd = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (is_welcome(g, fd) && write(fd, r, sizeof(*r)) == (ssize_t)sizeof(*r))
		g->taker = fd;
	else
		(void)close(fd);
}

/* One turn; false at the end. The engine first: it may have ended. */
static bool
turn(struct keeping *g)
{
	struct pollfd p[] = {{.fd = ENGINE, .events = POLLIN},
	    {.fd = g->taker, .events = POLLIN}, {.fd = LISTENER, .events = POLLIN}};
	const int64_t left = g->until - clock_ms();

	if (g->waiting && left <= 0)
		return false;
	if (poll(p, sizeof(p) / sizeof(p[0]), g->waiting ? (int)left : -1) <= 0)
		return true;
	if (p[0].revents != 0)
		return hear_engine(g);
	if (p[1].revents != 0)
		return hear_taker(g);
	if (p[2].revents != 0)
		hear_caller(g);
	return true;
}

/* Not the engine, not the caller of keeper_start(): no terminal, no file, no privilege. */
static bool
withdraw(const struct keeper *k)
{
	const struct sandbox walls = {.role = SANDBOX_KEEPER, .root = -1};
	/* Above both targets first, so that no dup2 closes what is still needed. */
	const int engine = fcntl(k->engine, F_DUPFD_CLOEXEC, FIRST_FREE);
	const int listener = fcntl(k->listener, F_DUPFD_CLOEXEC, FIRST_FREE);

	if (engine < 0 || listener < 0 || dup2(engine, ENGINE) < 0 ||
	    dup2(listener, LISTENER) < 0)
		return false;
	closefrom(FIRST_FREE);
	setproctitle("keeping");
	return setsid() >= 0 && chdir("/") == 0 && sandbox_enter(&walls);
}

_Noreturn static void
keep(const struct keeper *k)
{
	const struct session_answer no = {.kind = SESSION_ASK_MAIL};
	struct keeping g = {.k = k, .record = k->record, .user = getuid(), .taker = -1};

	if (withdraw(k) && begin_waiting(&g))
		while (turn(&g))
			;
	/* An engine that waits says QUIT to its host; one amid a mail needs nobody. */
	_exit(g.waiting && request_answer(ENGINE, &no, -1) ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool
keeper_start(const struct keeper *k)
{
	const pid_t pid = fork();

	if (pid == 0)
		keep(k);
	return pid > 0;
}
