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
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"

#define TOLD_MAX 8
#define TOLD_TEXT_MAX 128 /* octets of one thing told, NUL included */
#define TZ_MAX 64

enum kind { SENDMAIL, EXIM, OTHER };

/* What one back end is told: -M options, or lines of its environment. */
struct told {
	char text[TOLD_MAX][TOLD_TEXT_MAX];
	size_t count;
};

/* By the file's name, or the one that it is a link to: where Exim is installed,
 * /usr/sbin/sendmail is a link to exim4. */
static enum kind
kind_of(char *const argv[])
{
	char file[PATH_MAX];
	const char *slash;

	if (realpath(argv[0], file) != NULL && (slash = strrchr(file, '/')) != NULL &&
	    strncmp(slash + 1, "exim", 4) == 0)
		return EXIM;
	slash = strrchr(argv[0], '/');
	return strncmp(slash != NULL ? slash + 1 : argv[0], "sendmail", 8) == 0 ? SENDMAIL
										: OTHER;
}

bool
backend_is_sendmail(char *const argv[])
{
	return kind_of(argv) == SENDMAIL;
}

/* Exim asks its socket for the client, but an option may say that he has authenticated himself
 * (-oMaa); it has modes in which it takes mail and loses it (-bh, -N), and others in which its
 * caller is a local one. So what may stand there is listed, and not what may not. */
static const char *
exim_fault(char *const argv[])
{
	bool speaks_smtp = false;
	size_t i;

	for (i = 1; argv[i] != NULL; i++) {
		if (strcmp(argv[i], "-C") == 0 && argv[i + 1] != NULL)
			i++;
		else if (strcmp(argv[i], "-bs") == 0)
			speaks_smtp = true;
		else if (strcmp(argv[i], "-Am") != 0 && strncmp(argv[i], "-od", 3) != 0)
			return argv[i];
	}
	return speaks_smtp ? NULL : "without -bs";
}

bool
backend_may_start(char *const argv[], char *why, size_t why_size)
{
	const char *fault = kind_of(argv) == EXIM ? exim_fault(argv) : NULL;

	if (fault != NULL)
		snprintf(why, why_size,
		    "%.60s %.30s: behind us Exim takes -bs, and beside it -Am, -od... and "
		    "-C file",
		    argv[0], fault);
	return fault == NULL;
}

/* sendmail takes a -M value as it is, whatever is in it (t/61-sendmail-bs-facts). Ours go into
 * headers and rulesets: nothing but names and base64. */
static bool
tell(struct told *t, const char *before, const char *name, const char *after, const char *value)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789+-./_";
	int n;

	if (value == NULL || value[strspn(value, kept)] != '\0' || t->count == TOLD_MAX)
		return false;
	n = snprintf(t->text[t->count], TOLD_TEXT_MAX, "%s%s%s%s", before, name, after, value);
	if (n < 0 || n >= TOLD_TEXT_MAX)
		return false;
	t->count++;
	return true;
}

static bool
tell_macro(struct told *t, const char *name, const char *value)
{
	return tell(t, "-M{", name, "}", value);
}

static bool
tell_variable(struct told *t, const char *name, const char *value)
{
	return tell(t, "PONY_", name, "=", value);
}

/* The fingerprint without its "SHA256:"; NULL for none. */
static const char *
bare_key(const char *key)
{
	static const char hash[] = "SHA256:";

	if (key != NULL && strncmp(key, hash, sizeof(hash) - 1) == 0)
		key += sizeof(hash) - 1;
	return key;
}

static bool
tell_sendmail(struct told *t, const struct backend_about *about)
{
	const char *key = bare_key(about->key);
	char bits[16];

	if (!tell_macro(t, "daemon_name", "blackpony"))
		return false;
	if (!about->upgraded)
		return true;
	snprintf(bits, sizeof(bits), "%d", about->bits);
	return tell_macro(t, "tls_version", "XPONY1") &&
	       tell_macro(t, "cipher", about->suite) && tell_macro(t, "cipher_bits", bits) &&
	       tell_macro(t, "verify", "NO") && tell_macro(t, "pony_suite", about->suite) &&
	       (key == NULL || tell_macro(t, "pony_key", key)) &&
	       (!about->relay || tell_macro(t, "pony_relay", key));
}

static bool
tell_other(struct told *t, const struct backend_about *about)
{
	const char *key = bare_key(about->key);
	char bits[16];

	if (!about->upgraded)
		return true;
	snprintf(bits, sizeof(bits), "%d", about->bits);
	return tell_variable(t, "SUITE", about->suite) && tell_variable(t, "BITS", bits) &&
	       (key == NULL || tell_variable(t, "KEY", key)) &&
	       (!about->relay || tell_variable(t, "RELAY", key));
}

/* A list of first, more->text... and rest[0..], with NULL at its end; NULL for lack of memory.
 */
static char **
list_make(char *first, struct told *more, char *const rest[])
{
	size_t n = 0, i;
	char **list;

	while (rest[n] != NULL)
		n++;
	if ((list = calloc(1 + more->count + n + 1, sizeof(*list))) == NULL)
		return NULL;
	list[0] = first;
	for (i = 0; i < more->count; i++)
		list[1 + i] = more->text[i];
	for (i = 0; i < n; i++)
		list[1 + more->count + i] = rest[i];
	return list;
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
spawn(pid_t *pid, char *const argv[], char *const environment[], int fd)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int fault;

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

/* With what it is told, as macros or in its environment. */
static int
spawn_told(pid_t *pid, char *const argv[], int fd, struct told *macros, struct told *variables)
{
	char tz[TZ_MAX + 3] = "TZ=";
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *zone_line[] = {NULL, NULL};
	const char *zone = getenv("TZ");
	char **arguments, **environment;
	int fault = ENOMEM;

	if (zone != NULL && tz_is_clean(zone)) {
		memcpy(tz + 3, zone, strlen(zone) + 1);
		zone_line[0] = tz;
	}
	arguments = list_make(argv[0], macros, argv + 1);
	environment = list_make(path, variables, zone_line);
	if (arguments != NULL && environment != NULL)
		fault = spawn(pid, arguments, environment, fd);
	free(arguments);
	free(environment);
	return fault;
}

pid_t
backend_start(
    char *const argv[], int fd, const struct backend_about *about, char *why, size_t why_size)
{
	struct told macros = {.count = 0}, variables = {.count = 0};
	pid_t pid;
	int fault;

	if (!backend_may_start(argv, why, why_size))
		return -1;
	if (!(backend_is_sendmail(argv) ? tell_sendmail(&macros, about)
					: tell_other(&variables, about))) {
		snprintf(why, why_size, "%s: arguments: %s", argv[0], strerror(EINVAL));
		return -1;
	}
	fault = spawn_told(&pid, argv, fd, &macros, &variables);
	if (fault == 0)
		return pid;
	snprintf(why, why_size, "%s: exec: %s", argv[0], strerror(fault));
	return -1;
}
