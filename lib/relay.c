/*
 * relay - see relay.h.
 *
 * Four descriptors, a bounded queue each way: POLLIN is asked for only with room, POLLOUT only
 * with data, so a side that does not read stops the side that writes.
 */
#include "relay.h"
#include "clock.h"
#include "idle.h"
#include "pace.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_MORE
#	define MSG_MORE 0
#endif

enum { NEAR_IN, NEAR_OUT, FAR, MONITOR, FDS };

enum {
	ALARM_GRACE = 120, /* seconds after a deadline that only a stuck process misses */
	ALARM_SLACK = 60, /* seconds by which it may be set too early, for a call a turn less */
	LINGER_MS =
	    2000, /* for a peer to read our last reply before a reset could destroy it */
	LINGER_OCTETS = 262144,
};

struct turn {
	struct relay *r;
	struct session *s;
	struct pace pace;
	const char *title; /* the phase that ps shows */
	int64_t alarmed;   /* the deadline behind which the alarm stands, in milliseconds */
	bool near_eof, far_eof;
	bool near_shut;
	bool told; /* the monitor has the report */
	bool idle; /* nothing has come for a while */
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void
close_near(struct relay *r)
{
	if (r->near_out != r->near_in)
		close_fd(&r->near_out);
	r->near_out = -1;
	close_fd(&r->near_in);
}

static void
set_nonblocking(int fd)
{
	int flags;

	if (fd >= 0 && (flags = fcntl(fd, F_GETFL)) >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Neither read nor written any more. */
static void
broken(struct turn *t, enum session_side side)
{
	if (side == SESSION_FAR) {
		t->far_eof = true;
		session_reset(t->s);
	} else {
		t->near_eof = true;
		session_eof(t->s, side);
	}
}

static void
fill(struct turn *t, enum session_side side, int fd)
{
	bool *eof = side == SESSION_FAR ? &t->far_eof : &t->near_eof;
	uint8_t *room;
	ssize_t got;
	size_t n;

	if ((room = session_reserve(t->s, side, &n)) == NULL || n == 0)
		return;
	got = read(fd, room, n);
	if (got > 0) {
		session_commit(t->s, side, (size_t)got);
		if (side == SESSION_FAR)
			pace_octets(&t->pace, (size_t)got);
	} else if (got == 0) {
		*eof = true;
		session_eof(t->s, side);
	} else if (errno != EAGAIN && errno != EINTR) {
		broken(t, side);
	}
}

/* To the network. What belongs together leaves in one segment: MSG_MORE has the kernel keep an
 * incomplete one for what follows, 200 ms at most. */
static ssize_t
send_far(const struct turn *t, int fd, const uint8_t *p, size_t n)
{
	struct iovec part = {.iov_base = (void *)p, .iov_len = n};
	struct msghdr flight = {.msg_iov = &part, .msg_iovlen = 1};

	return sendmsg(fd, &flight, MSG_NOSIGNAL | (session_goes_on(t->s) ? MSG_MORE : 0));
}

/* What cannot be written any more is dropped. Of the near side's end the reading half tells the
 * session: it may have said why first. True when all went, so that there is room and nothing
 * left to poll for. */
static bool
drain(struct turn *t, enum session_side side, int fd)
{
	const uint8_t *p;
	bool gone = false;
	ssize_t put;
	size_t n;

	p = session_output(t->s, side, &n);
	if (n == 0)
		return false;
	if (fd < 0)
		put = (ssize_t)n;
	else
		put = side == SESSION_FAR ? send_far(t, fd, p, n) : write(fd, p, n);
	if (put > 0 && side == SESSION_FAR)
		pace_octets(&t->pace, (size_t)put);
	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		put = (ssize_t)n;
		gone = side == SESSION_FAR;
	}
	if (put > 0)
		session_written(t->s, side, (size_t)put);
	if (gone)
		broken(t, side);
	return put == (ssize_t)n;
}

/* Both, as far as the sockets take it: a session that waited for room would wait for ever if
 * the last of it went out now, with nothing left to poll for. */
static bool
drain_both(struct turn *t)
{
	bool far = drain(t, SESSION_FAR, t->r->far);

	return drain(t, SESSION_NEAR, t->r->near_out) || far;
}

/* The session wants another near or far side: the old one gets what is still queued, then the
 * end. */
static void
drop_side(struct turn *t, const struct session_request *q)
{
	if ((q->kind == SESSION_ASK_BACKEND || q->kind == SESSION_ASK_MAIL) &&
	    t->r->near_in >= 0) {
		(void)drain(t, SESSION_NEAR, t->r->near_out);
		close_near(t->r);
	} else if (q->kind == SESSION_ASK_HOP) {
		close_fd(&t->r->far);
	}
}

/* False when there is nobody to ask any more: the session then goes another way at once, since
 * nothing that poll() waits for would make it. */
static bool
ask(struct turn *t)
{
	const struct session_request *q;
	bool heard = true;

	while ((q = session_request(t->s)) != NULL) {
		drop_side(t, q);
		if (q->kind == SESSION_TELL_DONE)
			t->told = true;
		else if (q->kind == SESSION_ASK_MAIL)
			t->told = false; /* the monitor's end would be news */
		if ((t->r->monitor < 0 || !request_send(t->r->monitor, q)) &&
		    q->kind != SESSION_TELL_DONE) {
			session_fail(t->s, ERR_RESOURCE);
			heard = false;
		}
	}
	return heard;
}

static void
take_fd(struct turn *t, const struct session_answer *a, int fd)
{
	set_nonblocking(fd);
	t->told |= a->kind == SESSION_ASK_MAIL;
	if ((a->kind == SESSION_ASK_BACKEND || a->kind == SESSION_ASK_MAIL) && a->granted) {
		close_near(t->r);
		t->r->near_in = t->r->near_out = fd;
		t->near_eof = t->near_shut = false;
	} else if (a->kind == SESSION_ASK_HOP && a->granted) {
		close_fd(&t->r->far);
		t->r->far = fd;
		t->far_eof = false;
	} else if (fd >= 0) {
		(void)close(fd);
	}
}

static void
hear_monitor(struct turn *t)
{
	struct session_answer a;
	int fd;

	if (request_answered(t->r->monitor, &a, &fd) != REQUEST_OK) {
		/* After the report the monitor leaves first, so that the MTA need not wait. */
		close_fd(&t->r->monitor);
		if (!t->told)
			session_fail(t->s, ERR_RESOURCE);
		return;
	}
	take_fd(t, &a, fd);
	session_answer(t->s, &a);
	sodium_memzero(&a, sizeof(a)); /* the Diffie-Hellman was in it */
}

static void
shut_sides(struct turn *t)
{
	if (!t->near_shut && session_shut(t->s, SESSION_NEAR)) {
		t->near_shut = true;
		if (t->r->near_in == t->r->near_out && t->r->near_in >= 0)
			(void)shutdown(t->r->near_out, SHUT_WR);
		else
			close_near(t->r);
	}
	if (session_shut(t->s, SESSION_FAR) && t->r->far >= 0)
		(void)shutdown(t->r->far, SHUT_WR);
}

/* Behind the deadline, which a body renews at each turn. */
static void
set_alarm(struct turn *t)
{
	const int64_t deadline = t->pace.deadline;

	if (deadline >= t->alarmed && deadline < t->alarmed + INT64_C(1000) * ALARM_SLACK)
		return;
	t->alarmed = deadline;
	(void)alarm(session_timeout(t->s) + ALARM_GRACE);
}

static void
watch_clock(struct turn *t)
{
	if (pace_begin(&t->pace, t->s, clock_ms()))
		set_alarm(t);
	if (t->pace.phase != t->title) {
		t->title = t->pace.phase;
		setproctitle("%s", t->title);
	}
}

static void
poll_set(struct turn *t, struct pollfd p[FDS])
{
	const struct relay *r = t->r;
	size_t n;
	int i;

	memset(p, 0, FDS * sizeof(*p));
	p[NEAR_IN].fd = r->near_in;
	p[NEAR_OUT].fd = r->near_out;
	p[FAR].fd = r->far;
	p[MONITOR].fd = r->monitor;
	p[MONITOR].events = POLLIN;
	if (!t->near_eof && session_reserve(t->s, SESSION_NEAR, &n) != NULL && n > 0)
		p[NEAR_IN].events = POLLIN;
	if (!t->far_eof && session_reserve(t->s, SESSION_FAR, &n) != NULL && n > 0)
		p[FAR].events = POLLIN;
	(void)session_output(t->s, SESSION_NEAR, &n);
	if (n > 0)
		p[NEAR_OUT].events = POLLOUT;
	(void)session_output(t->s, SESSION_FAR, &n);
	if (n > 0)
		p[FAR].events |= POLLOUT;
	for (i = 0; i < FDS; i++)
		if (p[i].events == 0)
			p[i].fd = -1; /* else a hang-up nobody reads would spin the loop */
}

/* Not woken for as long as it was set: what is not needed meanwhile is given back. */
static void
become_idle(struct turn *t)
{
	size_t n;
	void *unused = session_unused(t->s, &n);

	idle_give_back(unused, n);
	t->idle = true;
}

static int
wait_for(struct turn *t, struct pollfd p[FDS])
{
	int left = (int)pace_left(&t->pace, clock_ms()), ready;

	if (!t->idle && left > IDLE_MS) {
		if ((ready = poll(p, FDS, IDLE_MS)) != 0)
			return ready;
		become_idle(t);
		left -= IDLE_MS;
	}
	ready = poll(p, FDS, left);
	t->idle = ready == 0;
	return ready;
}

static void
wait_and_move(struct turn *t)
{
	struct pollfd p[FDS];
	int ready;

	poll_set(t, p);
	ready = wait_for(t, p);
	/* Also with octets there: who always has some shall not outlast his deadline. */
	if (!pace_end(&t->pace, clock_ms())) {
		session_fail(t->s, ERR_TIMEOUT);
		return;
	}
	if (ready <= 0)
		return;
	if (p[MONITOR].fd >= 0 && p[MONITOR].revents != 0) {
		hear_monitor(t);
		return; /* a descriptor may be another one now */
	}
	if (p[FAR].fd >= 0 && (p[FAR].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		fill(t, SESSION_FAR, t->r->far);
	if (p[NEAR_IN].fd >= 0 && (p[NEAR_IN].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		fill(t, SESSION_NEAR, t->r->near_in);
}

/* Lets the peer read what we said last: closing with unread octets would reset the connection.
 */
static void
linger(int fd)
{
	int64_t end = clock_ms() + LINGER_MS, left;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t taken = 0;
	char waste[4096];
	ssize_t n;

	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_WR);
	while ((left = end - clock_ms()) > 0 && taken < LINGER_OCTETS &&
	       poll(&p, 1, (int)left) > 0) {
		if ((n = read(fd, waste, sizeof(waste))) <= 0)
			return;
		taken += (size_t)n;
	}
}

static void
tell_report(struct turn *t)
{
	struct session_request q;

	if (t->told || t->r->monitor < 0)
		return;
	memset(&q, 0, sizeof(q));
	q.kind = SESSION_TELL_DONE;
	q.report = *session_report(t->s);
	(void)request_send(t->r->monitor, &q);
}

void
relay_run(struct relay *r, struct session *s)
{
	struct turn t = {.r = r, .s = s};

	set_nonblocking(r->near_in);
	set_nonblocking(r->near_out);
	set_nonblocking(r->far);
	for (;;) {
		do
			session_run(s);
		while (drain_both(&t) || !ask(&t));
		shut_sides(&t);
		if (session_is_over(s))
			break;
		watch_clock(&t);
		wait_and_move(&t);
	}
	tell_report(&t);
	close_near(r);
	close_fd(&r->monitor);
	linger(r->far);
	close_fd(&r->far);
}
