/*
 * greeting - the name under which this host greets (greeting.h has the contract). Called by
 * receiver/main.c and receiver/inspect.c.
 *
 * sendmail makes its $j from the name service (daemon.c, myhostname), unless a Dj line of its
 * configuration says otherwise. A client that saw another name in our greeting than in the back
 * end's replies would take us for two hosts, so this goes the same way: IPv6 before IPv4, the
 * canonical name, then a dotted alias, then the search list. Answers from the network are taken
 * apart by a child that has nothing to lose and hands back one name.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "greeting.h"
#include "lib/sandbox.h"

#define ANSWER_WAIT_MS 5000
#define LABEL_MAX 63
#define NOBODY 65534

bool
greeting_is_name(const char *name)
{
	size_t label = 0, n;

	for (n = 0; name[n] != '\0'; n++) {
		if (n == GREETING_NAME_MAX - 1)
			return false;
		if (name[n] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!isascii((unsigned char)name[n]) ||
			   (!isalnum((unsigned char)name[n]) && name[n] != '-') ||
			   ++label > LABEL_MAX) {
			return false;
		}
	}
	return label > 0;
}

static bool
is_qualified(const char *name)
{
	return strchr(name, '.') != NULL;
}

static struct hostent *
look_up(const char *name)
{
	struct hostent *h = gethostbyname2(name, AF_INET6);

	return h != NULL ? h : gethostbyname2(name, AF_INET);
}

/* The first domain of the resolver's search list in which the short name has an address. */
static void
qualify(char *name, size_t size)
{
	char try[GREETING_NAME_MAX];
	int i;

	if (res_init() == -1)
		return;
	for (i = 0; i < MAXDNSRCH && _res.dnsrch[i] != NULL; i++) {
		int n = snprintf(try, sizeof(try), "%s.%s", name, _res.dnsrch[i]);

		if (n > 0 && (size_t)n < sizeof(try) && look_up(try) != NULL) {
			strlcpy(name, try, size);
			return;
		}
	}
}

/* Child: the canonical form of the name, in place. */
static void
canonicalise(char *name, size_t size)
{
	struct hostent *h = look_up(name);
	char **alias;

	if (h == NULL)
		return;
	if (is_qualified(h->h_name) || !is_qualified(name))
		strlcpy(name, h->h_name, size);
	for (alias = h->h_aliases; !is_qualified(name) && *alias != NULL; alias++) {
		if (is_qualified(*alias))
			strlcpy(name, *alias, size);
	}
	if (!is_qualified(name))
		qualify(name, size);
}

/* Child: answers with exactly GREETING_NAME_MAX octets. */
static _Noreturn void
answer(int fd, const char *host)
{
	const struct sandbox walls = {
	    .role = SANDBOX_LOOKUP, .root = -1, .user = NOBODY, .group = NOBODY};
	char name[GREETING_NAME_MAX] = "";
	ssize_t n;

	/* Descriptor 0 is the client's connection, and another one the log's. */
	if (dup2(fd, STDIN_FILENO) == -1)
		_exit(1);
	closefrom(STDIN_FILENO + 1);
	if (!sandbox_enter(&walls))
		_exit(1);
	strlcpy(name, host, sizeof(name));
	canonicalise(name, sizeof(name));
	n = write(STDIN_FILENO, name, sizeof(name));
	_exit(n == (ssize_t)sizeof(name) ? 0 : 1);
}

/* Asks the name service about the host; a name that cannot be had leaves *name as it is. */
static void
ask(char name[GREETING_NAME_MAX])
{
	char found[GREETING_NAME_MAX];
	struct pollfd p = {.events = POLLIN};
	int ends[2], ready;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return;
	pid = fork();
	if (pid == 0)
		answer(ends[1], name);
	close(ends[1]);
	if (pid != -1) {
		p.fd = ends[0];
		do
			ready = poll(&p, 1, ANSWER_WAIT_MS);
		while (ready == -1 && errno == EINTR);
		if (ready == 1 &&
		    read(ends[0], found, sizeof(found)) == (ssize_t)sizeof(found) &&
		    memchr(found, '\0', sizeof(found)) != NULL && greeting_is_name(found))
			strlcpy(name, found, GREETING_NAME_MAX);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	close(ends[0]);
}

/* Copies the value of a Dj line, "$w" in it the host's short name and "$m" its domain. False
 * when it does not fit. */
static bool
expand(char made[GREETING_NAME_MAX], const char *value, const char *name)
{
	size_t label = strcspn(name, "."), n = 0, piece;
	const char *from;

	for (; *value != '\0'; n += piece) {
		from = value;
		piece = 1;
		if (strncmp(value, "$w", 2) == 0) {
			from = name;
			piece = label;
		} else if (strncmp(value, "$m", 2) == 0) {
			from = name[label] == '.' ? name + label + 1 : "";
			piece = strlen(from);
		}
		if (piece >= GREETING_NAME_MAX - n)
			return false;
		memcpy(made + n, from, piece);
		value += from == value ? 1 : 2;
	}
	made[n] = '\0';
	return true;
}

/* `define(`confDOMAIN_NAME', ...)' becomes a Dj line. */
static void
apply_configuration(char name[GREETING_NAME_MAX])
{
	FILE *cf = fopen(GREETING_CF, "re");
	char line[1024], made[GREETING_NAME_MAX], found[GREETING_NAME_MAX];

	if (cf == NULL)
		return;
	strlcpy(found, name, sizeof(found));
	while (fgets(line, sizeof(line), cf) != NULL) {
		if (strncmp(line, "Dj", 2) != 0)
			continue;
		line[strcspn(line, " \t\r\n")] = '\0';
		if (expand(made, line + 2, found) && greeting_is_name(made))
			strlcpy(name, made, GREETING_NAME_MAX);
	}
	(void)fclose(cf);
}

bool
greeting_name(char *out, size_t size)
{
	char name[GREETING_NAME_MAX];

	if (gethostname(name, sizeof(name)) == -1)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	if (!greeting_is_name(name))
		strlcpy(name, "localhost", sizeof(name));
	ask(name);
	apply_configuration(name);
	strlcpy(out, name, size);
	return is_qualified(name);
}
