/*
 * source - see source.h; called by main.c. zlib reads what is not gzipped as it is, so there is
 * one way for all.
 */
#include "report/source.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#define SOURCE_BUFFER 262144
#define SECONDS_A_DAY 86400

extern char **environ;

/* What syslog writes on Debian. */
static const char *const syslog_files[] = {"/var/log/mail.log.1", "/var/log/mail.log"};

struct source {
	struct tally *tally;
	int limit;     /* for years: the day after the file was written last */
	bool skipping; /* in a line that is longer than the buffer */
	size_t held;   /* octets in the buffer */
	char buffer[SOURCE_BUFFER];
};

static int
date_at(time_t when)
{
	struct tm tm;

	if (localtime_r(&when, &tm) == NULL)
		return 19700101;
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

int
source_date(long days_ago)
{
	return date_at(time(NULL) - (time_t)days_ago * SECONDS_A_DAY);
}

/* Hands over all whole lines of the buffer, and at the end what is left. */
static void
take_lines(struct source *s, bool at_end)
{
	char *p = s->buffer, *end = s->buffer + s->held, *newline;

	while ((newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (!s->skipping && !tally_line(s->tally, p, (size_t)(newline - p), s->limit))
			err(EX_OSERR, "no memory");
		s->skipping = false;
		p = newline + 1;
	}
	s->held = (size_t)(end - p);
	if (at_end && s->held > 0 && !s->skipping &&
	    !tally_line(s->tally, p, s->held, s->limit))
		err(EX_OSERR, "no memory");
	if (s->held == sizeof(s->buffer)) {
		s->skipping = true;
		s->held = 0;
	}
	memmove(s->buffer, p, s->held);
}

/* Reads to the end and closes fd. */
static int
read_all(struct tally *t, int fd, const char *name)
{
	static struct source s;
	const char *fault;
	struct stat st;
	gzFile in;
	int n, code;

	s = (struct source){.tally = t, .limit = source_date(-1)};
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		s.limit = date_at(st.st_mtime + SECONDS_A_DAY);
	in = gzdopen(fd, "rb");
	if (in == NULL || gzbuffer(in, SOURCE_BUFFER) != 0)
		err(EX_OSERR, "%s", name);
	while ((n = gzread(in, s.buffer + s.held, (unsigned)(sizeof(s.buffer) - s.held))) > 0) {
		s.held += (size_t)n;
		take_lines(&s, false);
	}
	take_lines(&s, true);
	fault = gzerror(in, &code);
	if (code == Z_OK || code == Z_STREAM_END) {
		(void)gzclose(in);
		return EX_OK;
	}
	if (code == Z_ERRNO)
		warn("%s", name);
	else
		warnx(
		    "%s: damaged: %s", name, code == Z_BUF_ERROR ? "it ends too soon" : fault);
	(void)gzclose(in);
	return code == Z_ERRNO ? EX_IOERR : EX_DATAERR;
}

int
source_file(struct tally *t, const char *path)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return read_all(t, dup(STDIN_FILENO), "standard input");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		warn("%s", path);
		return EX_NOINPUT;
	}
	return read_all(t, fd, path);
}

/* Starts journalctl, without a shell; where its output can be read, or -1 with errno. */
static int
start_journalctl(int since, pid_t *pid)
{
	char day[sizeof("--since=2026-11-21") + 16];
	char *argv[] = {"journalctl", "-q", "--no-pager", "-o", "short-iso-precise", "-t",
	    "blackpony-mailer", "-t", "blackpony-receiver", day, NULL};
	posix_spawn_file_actions_t actions;
	int fds[2], error;

	if (since == 0)
		argv[9] = NULL;
	(void)snprintf(day, sizeof(day), "--since=%04d-%02d-%02d", since / 10000,
	    since / 100 % 100, since % 100);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	error = posix_spawn_file_actions_init(&actions);
	if (error == 0) {
		error = posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
		if (error == 0)
			error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(fds[1]);
	if (error == 0)
		return fds[0];
	(void)close(fds[0]);
	errno = error;
	return -1;
}

int
source_journal(struct tally *t)
{
	int fd, status, code;
	pid_t pid;

	fd = start_journalctl(t->since, &pid);
	if (fd < 0) {
		warn("journalctl");
		return EX_UNAVAILABLE;
	}
	code = read_all(t, fd, "journalctl");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(EX_OSERR, "journalctl");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return code;
	warnx("journalctl failed");
	return EX_UNAVAILABLE;
}

int
source_default(struct tally *t)
{
	const size_t files = sizeof(syslog_files) / sizeof(syslog_files[0]);
	bool found = false;
	int code = EX_OK, worst = EX_OK;

	for (size_t i = 0; i < files; i++) {
		if (access(syslog_files[i], F_OK) != 0)
			continue;
		found = true;
		if ((code = source_file(t, syslog_files[i])) != EX_OK)
			worst = code;
	}
	return found ? worst : source_journal(t);
}
