/*
 * 2c-relay - the engine's loop (lib/relay.h) with descriptors and a monitor of its own, where
 * the monitor is gone in the middle of it. The MTA shall not wait for what nobody will say: it
 * is answered at once, and each RCPT is deferred.
 */
#include "lib/relay.h"
#include "lib/request.h"
#include "tap.h"

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

enum { OURS, ENGINES };

struct mailer {
	int mta[2], monitor[2], host[2];
	pid_t pid;
};

_Noreturn static void
engine(struct mailer *m)
{
	struct relay r = {m->mta[ENGINES], m->mta[ENGINES], -1, m->monitor[ENGINES]};
	struct session_config config = {
	    .role = SESSION_CLIENT, .name = "relay.test", .random = randombytes_buf};
	struct session *s;

	(void)close(m->mta[OURS]);
	(void)close(m->monitor[OURS]);
	suite_list_default(&config.suites);
	if ((s = session_new(&config)) == NULL)
		_exit(1);
	relay_run(&r, s);
	session_free(s);
	_exit(0);
}

static void
start(struct mailer *m)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, m->mta) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, m->host) != 0 || !request_pair(m->monitor) ||
	    (m->pid = fork()) < 0)
		bail("cannot start an engine");
	if (m->pid == 0)
		engine(m);
	(void)close(m->mta[ENGINES]);
	(void)close(m->monitor[ENGINES]);
}

/* The engine's last line of a reply to what is said; "" when it says none. */
static const char *
talk(const struct mailer *m, const char *said)
{
	struct pollfd p = {.fd = m->mta[OURS], .events = POLLIN};
	static char line[1024];
	size_t n;

	if (write(m->mta[OURS], said, strlen(said)) != (ssize_t)strlen(said))
		return "";
	do {
		for (n = 0; n < sizeof(line) - 1 && (n == 0 || line[n - 1] != '\n'); n++)
			if (poll(&p, 1, PATIENCE_MS) <= 0 || read(p.fd, line + n, 1) != 1)
				return "";
		line[n] = '\0';
	} while (n > 3 && line[3] == '-');
	return line;
}

/* Until the engine has read what it was told. */
static void
wait_for_reader(const struct mailer *m)
{
	int left = 1, turns;

	for (turns = 0; left > 0 && turns < PATIENCE_MS; turns++) {
		if (ioctl(m->mta[OURS], SIOCOUTQ, &left) != 0)
			bail("SIOCOUTQ");
		(void)poll(NULL, 0, 1);
	}
}

/* The monitor grants a host, which says nothing, and is gone. */
static void
monitor_dies(const struct mailer *m)
{
	struct session_answer a = {.kind = SESSION_ASK_HOP, .granted = true};
	struct session_request q;

	is_int(request_receive(m->monitor[OURS], &q), REQUEST_OK, "the engine asks for a host");
	ok(request_answer(m->monitor[OURS], &a, m->host[ENGINES]), "and gets one");
	(void)close(m->host[ENGINES]);
	(void)close(m->monitor[OURS]);
}

static void
test_monitor_dies(void)
{
	struct mailer m;
	int status;

	start(&m);
	is_str(talk(&m, "EHLO mta.test\r\n"), "220 relay.test ESMTP\r\n", "it greets");
	wait_for_reader(&m);
	monitor_dies(&m);
	ok(strncmp(talk(&m, ""), "250 ", 4) == 0, "the EHLO is answered all the same");
	ok(strncmp(talk(&m, "MAIL FROM:<a@b.test>\r\n"), "250 ", 4) == 0, "MAIL too");
	ok(strncmp(talk(&m, "RCPT TO:<a@b.test>\r\n"), "451 4.3.0", 9) == 0,
	    "the recipient is deferred");
	ok(strncmp(talk(&m, "QUIT\r\n"), "221 ", 4) == 0, "QUIT");
	(void)close(m.mta[OURS]);
	(void)close(m.host[OURS]);
	ok(waitpid(m.pid, &status, 0) == m.pid && status == 0, "the engine ends");
}

int
main(void)
{
	if (sodium_init() < 0)
		bail("sodium");
	(void)signal(SIGPIPE, SIG_IGN);
	test_monitor_dies();
	return tap_done();
}
