/*
 * backend - starts the real SMTP server on its end of the TCP pair (backend.h has the
 * contract). Called by the receiver's monitor.
 *
 * The child inherits nothing that this program has open: under inetd descriptors 0, 1 and 2 are
 * all the client's socket, and a back end that kept one could write past the encryption. It
 * must not have no_new_privs either, since sendmail is setgid.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"

#define EXEC_WAIT_MS 10000
#define MACROS_MAX 8
#define MACRO_MAX 128 /* octets in one -M option, NUL included */
#define TZ_MAX 64
#define STATUS_FD 3 /* where the child keeps the pipe that the exec closes */

/* The argument list of one back end: the template with the macros behind its first word. */
struct arguments {
	char macro[MACROS_MAX][MACRO_MAX];
	size_t macros;
	char **argv; /* NULL-terminated; points into macro and into the template */
};

/* What the child says when it cannot become the back end. */
struct failure {
	char step[16];
	int error;
};

bool
backend_is_sendmail(char *const argv[])
{
	const char *slash = strrchr(argv[0], '/');

	return strncmp(slash != NULL ? slash + 1 : argv[0], "sendmail", 8) == 0;
}

/* sendmail takes a -M value as it is, whatever is in it (t/61-sendmail-bs-facts). Ours go into
 * a header and into rulesets: nothing but names and base64. */
static bool
add_macro(struct arguments *a, const char *name, const char *value)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789+-./_";
	int n;

	if (value == NULL || value[strspn(value, kept)] != '\0' || a->macros == MACROS_MAX)
		return false;
	n = snprintf(a->macro[a->macros], MACRO_MAX, "-M{%s}%s", name, value);
	if (n < 0 || n >= MACRO_MAX)
		return false;
	a->macros++;
	return true;
}

static bool
add_macros(struct arguments *a, const struct backend_about *about)
{
	static const char hash[] = "SHA256:";
	const char *key = about->key;
	char bits[16];

	if (!add_macro(a, "daemon_name", "blackpony"))
		return false;
	if (!about->upgraded)
		return true;
	if (key != NULL && strncmp(key, hash, sizeof(hash) - 1) == 0)
		key += sizeof(hash) - 1;
	snprintf(bits, sizeof(bits), "%d", about->bits);
	return add_macro(a, "tls_version", "XPONY1") && add_macro(a, "cipher", about->suite) &&
	       add_macro(a, "cipher_bits", bits) && add_macro(a, "verify", "NO") &&
	       add_macro(a, "pony_suite", about->suite) &&
	       (key == NULL || add_macro(a, "pony_key", key)) &&
	       (!about->relay || add_macro(a, "pony_relay", key));
}

/* False, with nothing held, for lack of memory or a value that is no macro's. */
static bool
arguments_make(struct arguments *a, char *const argv[], const struct backend_about *about)
{
	size_t n = 0, i;

	a->macros = 0;
	a->argv = NULL;
	errno = EINVAL;
	if (backend_is_sendmail(argv) && !add_macros(a, about))
		return false;
	while (argv[n] != NULL)
		n++;
	a->argv = calloc(n + a->macros + 1, sizeof(*a->argv));
	if (a->argv == NULL)
		return false;
	a->argv[0] = argv[0];
	for (i = 0; i < a->macros; i++)
		a->argv[1 + i] = a->macro[i];
	for (i = 1; i < n; i++)
		a->argv[a->macros + i] = argv[i];
	return true;
}

/* A time zone's name or rule, and no way to make the C library open another file. */
static bool
tz_is_clean(const char *tz)
{
	size_t n = strlen(tz);

	return n > 0 && n < TZ_MAX && tz[0] != '/' && tz[0] != ':' &&
	       strstr(tz, "..") == NULL &&
	       strspn(tz, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789+-_/,.:<>") == n;
}

static void
default_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL); /* fails for KILL and STOP, which need none */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Child: puts the descriptors where they belong. Returns the step that failed, or NULL. */
static const char *
place_descriptors(int fd, int *status)
{
	int null, end, pipe_end;

	/* Above all targets first, so that no dup2 closes a descriptor that is still needed. */
	pipe_end = fcntl(*status, F_DUPFD_CLOEXEC, STATUS_FD + 1);
	if (pipe_end == -1)
		return "status pipe";
	*status = pipe_end;
	end = fcntl(fd, F_DUPFD_CLOEXEC, STATUS_FD + 1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null == -1)
		return "/dev/null";
	if (end == -1 || dup2(null, STDERR_FILENO) == -1 || dup2(end, STDIN_FILENO) == -1 ||
	    dup2(end, STDOUT_FILENO) == -1)
		return "descriptors";
	if (dup3(pipe_end, STATUS_FD, O_CLOEXEC) == -1)
		return "status pipe";
	*status = STATUS_FD;
	closefrom(STATUS_FD + 1);
	return NULL;
}

/* Child: becomes the back end or says through the status pipe why not. */
static _Noreturn void
become(char *const argv[], int fd, int status)
{
	char tz[TZ_MAX + 3] = "TZ=";
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL, NULL};
	const char *zone = getenv("TZ"), *step;
	struct failure f;
	ssize_t n;

	if (zone != NULL && tz_is_clean(zone)) {
		memcpy(tz + 3, zone, strlen(zone) + 1);
		environment[1] = tz;
	}
	step = place_descriptors(fd, &status);
	if (step == NULL) {
		default_signals();
		execve(argv[0], argv, environment);
		step = "exec";
	}
	memset(&f, 0, sizeof(f));
	f.error = errno;
	memcpy(f.step, step, strlen(step) < sizeof(f.step) ? strlen(step) : sizeof(f.step) - 1);
	n = write(status, &f, sizeof(f));
	_exit(n == (ssize_t)sizeof(f) ? 126 : 127);
}

/* Parent: true once the exec has closed the pipe. */
static bool
exec_seen(int status, const char *file, char *why, size_t why_size)
{
	struct pollfd p = {.fd = status, .events = POLLIN};
	struct failure f;
	ssize_t n;
	int ready;

	do
		ready = poll(&p, 1, EXEC_WAIT_MS);
	while (ready == -1 && errno == EINTR);
	if (ready != 1) {
		snprintf(why, why_size, "%s: no exec in time", file);
		return false;
	}
	n = read(status, &f, sizeof(f));
	if (n == 0)
		return true;
	if (n == (ssize_t)sizeof(f))
		snprintf(why, why_size, "%s: %.15s: %s", file, f.step, strerror(f.error));
	else
		snprintf(why, why_size, "%s: status of the exec unknown", file);
	return false;
}

/* Forks with all signals blocked: no handler of ours may run in the child. */
static pid_t
spawn(char *const argv[], int fd, const int status[2])
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become(argv, fd, status[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

pid_t
backend_start(
    char *const argv[], int fd, const struct backend_about *about, char *why, size_t why_size)
{
	struct arguments a;
	int status[2];
	pid_t pid;

	if (!arguments_make(&a, argv, about)) {
		snprintf(why, why_size, "%s: arguments: %s", argv[0], strerror(errno));
		return -1;
	}
	if (pipe2(status, O_CLOEXEC) == -1) {
		snprintf(why, why_size, "pipe: %s", strerror(errno));
		free(a.argv);
		return -1;
	}
	pid = spawn(a.argv, fd, status);
	if (pid == -1)
		snprintf(why, why_size, "fork: %s", strerror(errno));
	close(status[1]);
	if (pid != -1 && !exec_seen(status[0], argv[0], why, why_size)) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		pid = -1;
	}
	close(status[0]);
	free(a.argv);
	return pid;
}
