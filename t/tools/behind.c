/*
 * behind - asks a back end as the receiver would: for t/18-backend.sh.
 *
 *	behind [-u SUITE BITS KEY] CLIENT PORT LOCAL PORT BACKEND ARGUMENT...
 *	behind -n
 *	behind -c KEY_FILE SENDMAIL_CF BACKEND
 *
 * The first form starts the back end on a TCP pair of these addresses, then reads commands from
 * standard input and sends one at a time, each when the reply to the one before is whole; what
 *the back end says goes to standard output. KEY may be "-" for none. -n prints the greeting
 *name, -c runs the checks of --check.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <err.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "receiver/backend.h"
#include "receiver/greeting.h"
#include "receiver/inspect.h"
#include "receiver/pair.h"

#define LIMIT_SECONDS 60

static struct sockaddr_storage
address(const char *text, const char *port)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 six = {
	    .sin6_family = AF_INET6, .sin6_port = htons(atoi(port) & 0xffff)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(&a, &six, sizeof(six));
	else if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		memcpy(&a, &four, sizeof(four));
	else
		errx(2, "%s: no address", text);
	pair_normalise(&a);
	return a;
}

/* Copies one whole reply, and what is no reply before it, and returns its code; 0 at the end.
 */
static int
reply(FILE *from)
{
	char line[2048];

	while (fgets(line, sizeof(line), from) != NULL) {
		fputs(line, stdout);
		if (isdigit((unsigned char)line[0]) && strlen(line) >= 4 && line[3] != '-')
			return atoi(line);
	}
	return 0;
}

static void
talk(int fd)
{
	FILE *back = fdopen(fd, "r+");
	char line[4096];
	int code;

	if (back == NULL)
		err(1, "fdopen");
	setvbuf(back, NULL, _IONBF, 0);
	code = reply(back);
	while (code != 0 && fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		fprintf(back, "%s\r\n", line);
		if (code != 354 || strcmp(line, ".") == 0)
			code = reply(back);
	}
	fclose(back);
}

static int
dialogue(char *argv[], const struct backend_about *about)
{
	struct sockaddr_storage client = address(argv[0], argv[1]);
	struct sockaddr_storage local = address(argv[2], argv[3]);
	char why[BACKEND_WHY_MAX];
	int fds[2], status = 0;
	pid_t pid;

	if (!pair_make(&client, &local, NULL, fds, why, sizeof(why)))
		errx(1, "%s", why);
	pid = backend_start(argv + 4, fds[PAIR_SERVER], about, why, sizeof(why));
	close(fds[PAIR_SERVER]);
	if (pid == -1)
		errx(1, "%s", why);
	talk(fds[PAIR_CLIENT]);
	waitpid(pid, &status, 0);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct backend_about about = {0};
	char name[GREETING_NAME_MAX];

	alarm(LIMIT_SECONDS);
	if (sodium_init() == -1)
		errx(1, "libsodium");
	if (argc == 2 && strcmp(argv[1], "-n") == 0) {
		greeting_name(name, sizeof(name));
		puts(name);
		return 0;
	}
	if (argc >= 5 && strcmp(argv[1], "-c") == 0) {
		struct inspect_about inspect = {
		    .key_file = argv[2], .sendmail_cf = argv[3], .backend = argv + 4};

		return inspect_run(&inspect, stdout);
	}
	if (argc >= 6 && strcmp(argv[1], "-u") == 0) {
		about.upgraded = true;
		about.suite = argv[2];
		about.bits = atoi(argv[3]);
		about.key = strcmp(argv[4], "-") == 0 ? NULL : argv[4];
		argv += 4;
		argc -= 4;
	}
	if (argc < 6)
		errx(2, "usage");
	return dialogue(argv + 1, &about);
}
