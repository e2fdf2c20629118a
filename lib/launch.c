/*
 * launch - see launch.h.
 */
#include "launch.h"
#include "relay.h"
#include "request.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#define ENGINE_MONITOR 3 /* where the engine keeps the request socket */

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

static bool
become(uid_t user, gid_t group)
{
	if (user == 0 || getuid() != 0)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 &&
	    setresuid(user, user, user) == 0 && setuid(0) != 0;
}

_Noreturn static void
engine(const struct launch *l, int socket)
{
	struct relay r = {.near_in = -1, .near_out = -1, .far = -1, .monitor = ENGINE_MONITOR};
	struct session *s;

	key_free(l->key);
	closelog();
	if (socket != ENGINE_MONITOR && dup2(socket, ENGINE_MONITOR) < 0)
		_exit(EXIT_FAILURE);
	closefrom(ENGINE_MONITOR + 1);
	void_descriptors(l->server ? STDOUT_FILENO : STDERR_FILENO);
	if (l->server) {
		r.far = STDIN_FILENO;
	} else {
		r.near_in = STDIN_FILENO;
		r.near_out = STDOUT_FILENO;
	}
	if (!become(l->user, l->group) || !sandbox_enter() || (s = session_new(l->config)) == NULL)
		_exit(EXIT_FAILURE);
	relay_run(&r, s);
	session_free(s);
	exit(EXIT_SUCCESS);
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
