/*
 * launch - see launch.h.
 */
#include "launch.h"
#include "relay.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define ENGINE_MONITOR 3 /* where the engine keeps the request socket */
#define ENGINE_ROOT 4    /* and, until it is locked in, its root directory */
#define END_TURNS 40     /* of 5 ms: an engine that ends closes its socket first */

void
launch_signals(void)
{
	static const int defaults[] = {SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGCHLD};
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		(void)sigaction(defaults[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void
launch_leave(int status)
{
#ifdef BLACKPONY_SANITIZERS
	exit(status); /* leaks are looked for there */
#else
	_exit(status);
#endif
}

/* /dev/null on those of 0, 1 and 2 that `from` and above name. */
static void
void_descriptors(int from)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	for (fd = from; fd <= STDERR_FILENO; fd++)
		if (null < 0)
			(void)close(fd);
		else if (null != fd)
			(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		(void)close(null);
}

/* The engine's descriptors where they belong, and no others. */
static bool
place_descriptors(const struct launch *l, int socket, int *root)
{
	/* Above both targets first, so that no dup2 closes what is still needed. */
	int monitor = fcntl(socket, F_DUPFD_CLOEXEC, ENGINE_ROOT + 1);
	int held = l->root < 0 ? -1 : fcntl(l->root, F_DUPFD_CLOEXEC, ENGINE_ROOT + 1);

	*root = held < 0 ? -1 : ENGINE_ROOT;
	if (monitor < 0 || dup2(monitor, ENGINE_MONITOR) < 0 ||
	    (l->root >= 0 && (held < 0 || dup2(held, ENGINE_ROOT) < 0)))
		return false;
	closefrom(held < 0 ? ENGINE_ROOT : ENGINE_ROOT + 1);
	void_descriptors(l->server ? STDOUT_FILENO : STDERR_FILENO);
	return true;
}

/* Without all of its walls the engine does not read an octet: both sides hear of it. */
_Noreturn static void
give_up(const struct launch *l)
{
	static const char reply[] = "421 4.3.0 No sandbox for this session\r\n";
	struct session_request q = {.kind = SESSION_TELL_DONE};
	const int fault = errno;
	bool told;

	q.report.fault = ERR_RESOURCE;
	(void)snprintf(q.report.verdict, sizeof(q.report.verdict),
	    "cannot enter the sandbox: %s", strerror(fault));
	told = write(l->server ? STDIN_FILENO : STDOUT_FILENO, reply, strlen(reply)) > 0;
	told = request_send(ENGINE_MONITOR, &q) && told;
	_exit(told ? EXIT_FAILURE : 2);
}

_Noreturn static void
engine(const struct launch *l, int socket)
{
	struct relay r = {.near_in = -1, .near_out = -1, .far = -1, .monitor = ENGINE_MONITOR};
	struct sandbox walls = {.role = l->server ? SANDBOX_RECEIVER : SANDBOX_MAILER,
	    .user = l->user,
	    .group = l->group};
	struct session *s;

	key_free(l->key);
	closelog();
	if (l->server) {
		r.far = STDIN_FILENO;
	} else {
		r.near_in = STDIN_FILENO;
		r.near_out = STDOUT_FILENO;
	}
	if (!place_descriptors(l, socket, &walls.root) || !sandbox_enter(&walls))
		give_up(l);
	if ((s = session_new(l->config)) == NULL)
		_exit(EXIT_FAILURE);
	relay_run(&r, s);
	session_free(s);
	launch_leave(EXIT_SUCCESS);
}

pid_t
launch_engine(const struct launch *l, int *monitor)
{
	int fds[2];
	pid_t pid;

	if (!request_pair(fds))
		return -1;
	if ((pid = fork()) < 0) {
		int saved = errno;

		(void)close(fds[0]);
		(void)close(fds[1]);
		errno = saved;
		return -1;
	}
	if (pid == 0)
		engine(l, fds[1]);
	(void)close(fds[1]);
	void_descriptors(STDIN_FILENO);
	*monitor = fds[0];
	return pid;
}

void
launch_end(pid_t pid, bool may_kill, char how[LAUNCH_HOW_MAX])
{
	int status = 0, turn;
	pid_t ended;

	for (turn = 0; (ended = waitpid(pid, &status, WNOHANG)) == 0 && turn < END_TURNS;
	     turn++)
		if (turn == END_TURNS / 2 && may_kill)
			(void)kill(pid, SIGKILL);
		else
			(void)poll(NULL, 0, 5);
	if (ended == pid && WIFSIGNALED(status))
		(void)snprintf(how, LAUNCH_HOW_MAX, "signal %d", WTERMSIG(status));
	else if (ended == pid)
		(void)snprintf(how, LAUNCH_HOW_MAX, "exit %d", WEXITSTATUS(status));
	else
		(void)snprintf(how, LAUNCH_HOW_MAX, "not yet");
}
