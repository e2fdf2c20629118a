/*
 * stub - the least that can stand at the end of an SMTP dialogue: greets, says yes to all,
 * throws bodies away, and ends at QUIT. Started for each connection by inetd, or as the
 * receiver's back end, so that what a row of the benchmark measures is not sendmail.
 *
 *	stub [file]
 *
 * The file gets the microseconds of processor time that this took, added as a line.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define ROOM 65536
#define IS(line, verb) (strncasecmp(line, verb, sizeof(verb) - 1) == 0)

static char room[ROOM + 1];
static char said[ROOM];
static size_t n_said;
static const char *bill;

static void
say(const char *line)
{
	const size_t n = strlen(line);

	if (n_said + n > sizeof(said))
		_exit(1);
	memcpy(said + n_said, line, n);
	n_said += n;
}

static void
flush(void)
{
	if (n_said > 0 && write(STDOUT_FILENO, said, n_said) != (ssize_t)n_said)
		_exit(1);
	n_said = 0;
}

_Noreturn static void
leave(void)
{
	char line[32];
	struct timespec t;
	int fd, n;

	if (bill == NULL)
		_exit(0);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	n = snprintf(line, sizeof(line), "%ld\n", t.tv_sec * 1000000 + t.tv_nsec / 1000);
	fd = open(bill, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	_exit(fd >= 0 && write(fd, line, (size_t)n) == n ? 0 : 1);
}

/* Replies to one command; true when a body follows. */
static int
obey(const char *line)
{
	if (IS(line, "EHLO")) {
		say("250-stub\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 "
		    "ENHANCEDSTATUSCODES\r\n");
	} else if (IS(line, "DATA")) {
		say("354 Go on\r\n");
		return 1;
	} else if (IS(line, "QUIT")) {
		say("221 2.0.0 Bye\r\n");
		flush();
		leave();
	} else {
		say("250 2.0.0 Yes\r\n");
	}
	return 0;
}

/* Takes what it can of n octets; returns how many are left, moved to the front. */
static size_t
take(size_t n, int *in_body)
{
	static const char dot[] = "\r\n.\r\n";
	char *at = room, *end = room + n, *stop;

	for (;;) {
		if (*in_body) {
			stop = memmem(at, (size_t)(end - at), dot, sizeof(dot) - 1);
			if (stop == NULL) { /* all but what may be the beginning of the dot */
				at = end - at > 4 ? end - 4 : at;
				break;
			}
			at = stop + sizeof(dot) - 1;
			say("250 2.0.0 Taken\r\n");
			*in_body = 0;
		}
		if ((stop = memchr(at, '\n', (size_t)(end - at))) == NULL)
			break;
		*in_body = obey(at);
		at = stop + 1;
	}
	memmove(room, at, (size_t)(end - at));
	return (size_t)(end - at);
}

int
main(int argc, char **argv)
{
	size_t have = 0;
	ssize_t got;
	int in_body = 0;

	bill = argc > 1 ? argv[1] : NULL;
	say("220 stub ESMTP\r\n");
	flush();
	while (have < ROOM && (got = read(STDIN_FILENO, room + have, ROOM - have)) > 0) {
		have += (size_t)got;
		room[have] = '\0';
		have = take(have, &in_body);
		flush();
	}
	return 1;
}
