/*
 * nothing-mailer: a program mailer that takes every message from sendmail and delivers none, without a
 * network, a library or a second process: what the start of any program mailer costs. Put into sendmail.cf by
 * bench/row-queue.sh.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_OCTETS = 4096 };

static char line[LINE_MAX_OCTETS];

/* A longer line comes in parts, none of which is a command or the final dot: sendmail's own are shorter. */
static bool
read_line(void)
{
	return fgets(line, sizeof line, stdin) != NULL;
}

static bool
says(const char *command)
{
	return strncasecmp(line, command, strlen(command)) == 0;
}

static void
reply(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

static void
take_message(void)
{
	reply("354 Go on\r\n");
	while (read_line() && strcmp(line, ".\r\n") != 0)
		continue;
	reply("250 2.0.0 Taken\r\n");
}

int
main(void)
{
	reply("220 nothing ESMTP\r\n");
	while (read_line()) {
		if (says("EHLO"))
			reply("250-nothing\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
		else if (says("DATA"))
			take_message();
		else if (says("QUIT")) {
			reply("221 2.0.0 Closed\r\n");
			return 0;
		} else
			reply("250 2.0.0 Ok\r\n");
	}
	return 0;
}
