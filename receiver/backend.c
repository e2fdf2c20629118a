/*
 * backend - starts the real SMTP server on its end of the TCP pair (backend.h has the
 * contract). Called by the receiver's monitor.
 *
 * The child inherits nothing that this program has open: under inetd descriptors 0, 1 and 2 are
 * all the client's socket, and a back end that kept one could write past the encryption. It
 * must not have no_new_privs either, since sendmail is setgid. posix_spawn() and not fork(): it
 * copies no memory, so neither is there a copy of the host key, and it tells whether the exec
 * succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"

#define MACROS_MAX 8
#define MACRO_MAX 128 /* octets in one -M option, NUL included */
#define TZ_MAX 64

/* The argument list of one back end: the template with the macros behind its first word. */
struct arguments {
	char macro[MACROS_MAX][MACRO_MAX];
	size_t macros;
	char **argv; /* NULL-terminated; points into macro and into the template */
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

/* The pair's end as 0 and 1, /dev/null as 2, and nothing else. */
static int
describe_descriptors(posix_spawn_file_actions_t *files, int fd)
{
	int fault;

	if ((fault = posix_spawn_file_actions_adddup2(files, fd, STDIN_FILENO)) == 0 &&
	    (fault = posix_spawn_file_actions_adddup2(files, fd, STDOUT_FILENO)) == 0 &&
	    (fault = posix_spawn_file_actions_addopen(
		 files, STDERR_FILENO, "/dev/null", O_RDWR, 0)) == 0)
		fault = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	return fault;
}

/* All signals as a program expects them, none blocked. */
static int
describe_signals(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int fault;

	sigfillset(&all);
	sigemptyset(&none);
	if ((fault = posix_spawnattr_setsigdefault(attributes, &all)) == 0 &&
	    (fault = posix_spawnattr_setsigmask(attributes, &none)) == 0)
		fault = posix_spawnattr_setflags(
		    attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	return fault;
}

/* 0, or what went wrong. */
static int
spawn(pid_t *pid, char *const argv[], int fd)
{
	char tz[TZ_MAX + 3] = "TZ=";
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL, NULL};
	const char *zone = getenv("TZ");
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int fault;

	if (zone != NULL && tz_is_clean(zone)) {
		memcpy(tz + 3, zone, strlen(zone) + 1);
		environment[1] = tz;
	}
	if ((fault = posix_spawn_file_actions_init(&files)) != 0)
		return fault;
	if ((fault = posix_spawnattr_init(&attributes)) == 0) {
		if ((fault = describe_descriptors(&files, fd)) == 0 &&
		    (fault = describe_signals(&attributes)) == 0)
			fault =
			    posix_spawn(pid, argv[0], &files, &attributes, argv, environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&files);
	return fault;
}

pid_t
backend_start(
    char *const argv[], int fd, const struct backend_about *about, char *why, size_t why_size)
{
	struct arguments a;
	pid_t pid;
	int fault;

	if (!arguments_make(&a, argv, about)) {
		snprintf(why, why_size, "%s: arguments: %s", argv[0], strerror(errno));
		return -1;
	}
	fault = spawn(&pid, a.argv, fd);
	free(a.argv);
	if (fault == 0)
		return pid;
	snprintf(why, why_size, "%s: exec: %s", argv[0], strerror(fault));
	return -1;
}
