/*
 * 1m-request - what an engine says last is heard (lib/request.h), also when it has not waited
 * for an answer: a client that went away in the middle of the handshake is no engine that
 * crashed.
 */
#include "lib/request.h"
#include "tap.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MONITORS, ENGINES };

static const struct session_answer answer = {.kind = SESSION_ASK_DH};

/* The engine reports and leaves. */
static void
leave(int engine)
{
	struct session_request q;

	memset(&q, 0, sizeof(q));
	q.kind = SESSION_TELL_DONE;
	ok(request_send(engine, &q), "the engine reports");
	(void)close(engine);
}

static void
is_heard(int monitor)
{
	struct session_request q;

	ok(request_receive(monitor, &q) == REQUEST_OK && q.kind == SESSION_TELL_DONE,
	    "its report is heard");
	ok(request_receive(monitor, &q) == REQUEST_END, "and then its end");
	(void)close(monitor);
}

static void
left_behind_an_answer(void)
{
	int fds[2];

	diag("an answer that the engine does not read any more");
	if (!request_pair(fds))
		bail("no pair");
	ok(request_answer(fds[MONITORS], &answer, -1), "it is answered");
	leave(fds[ENGINES]);
	is_heard(fds[MONITORS]);
}

static void
left_before_an_answer(int passed)
{
	int fds[2];

	diag("an answer that comes when the engine is gone%s",
	    passed >= 0 ? ", with a descriptor" : "");
	if (!request_pair(fds))
		bail("no pair");
	leave(fds[ENGINES]);
	ok(request_answer(fds[MONITORS], &answer, passed), "no reason not to listen");
	is_heard(fds[MONITORS]);
}

/* Nobody reads the answers: the monitor neither waits nor takes that for an engine gone. */
static void
does_not_read(void)
{
	int fds[2], i;

	diag("an engine that reads no answers");
	if (!request_pair(fds))
		bail("no pair");
	for (i = 0; i < 10000 && request_answer(fds[MONITORS], &answer, -1); i++)
		;
	ok(i > 0 && i < 10000, "some fit, and no more");
	(void)close(fds[ENGINES]);
	(void)close(fds[MONITORS]);
}

int
main(void)
{
	int passed = open("/dev/null", O_RDONLY | O_CLOEXEC);

	left_behind_an_answer();
	left_before_an_answer(-1);
	left_before_an_answer(passed);
	does_not_read();
	return tap_done();
}
