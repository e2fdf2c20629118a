/*
 * options - see options.h.
 */
#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/dns.h"
#include "lib/duration.h"
#include "lib/key.h"
#include "options.h"

/* How long hosts may hold on to what they know of our keys (PROTOCOL.md, "Commitments"). */
#define ANNOUNCED_SECONDS (30 * 86400)

enum { LONG_IMPORT = 256, LONG_JSON, LONG_ROTATE };

/* The modifiers that each action takes, j for --json. */
static const char *const modifiers[ACTIONS] = {
    [ACTION_MAKE] = "Cfgq",
    [ACTION_FINGERPRINT] = "fj",
    [ACTION_PUBLIC] = "f",
    [ACTION_RECORD] = "f",
    [ACTION_NEXT] = "Cfq",
    [ACTION_SWITCH] = "afq",
    [ACTION_RETIRE] = "fq",
    [ACTION_FIND] = "dj",
    [ACTION_FORGET] = "dq",
    [ACTION_LIST] = "dj",
    [ACTION_IMPORT] = "dq",
};

static void
print_usage(FILE *out)
{
	(void)fprintf(out,
	    "usage: blackpony-keygen [-q] [-C comment] [-g group] [-f file]\n"
	    "       blackpony-keygen -l [--json] [-f file]\n"
	    "       blackpony-keygen -y [-f file]\n"
	    "       blackpony-keygen -r host [-f file]\n"
	    "       blackpony-keygen --rotate next [-q] [-C comment] [-f file]\n"
	    "       blackpony-keygen --rotate switch [-q] [-a age] [-f file]\n"
	    "       blackpony-keygen --rotate retire [-q] [-f file]\n"
	    "       blackpony-keygen -F host [--json] [-d pins]\n"
	    "       blackpony-keygen -R host [-q] [-d pins]\n"
	    "       blackpony-keygen -L [--json] [-d pins]\n"
	    "       blackpony-keygen --import file [-q] [-d pins]\n"
	    "Makes a host key, or shows its fingerprint (-l), public key (-y), or DNS\n"
	    "record for the mail host of that name (-r); replaces it in three steps\n"
	    "(--rotate). Finds (-F), forgets (-R) and lists (-L) what is remembered of\n"
	    "other hosts, and takes in (--import) what -L or -F printed.\n"
	    "Without -f the file is " BLACKPONY_HOSTKEY ".\n"
	    "Without -d the directory is " BLACKPONY_PINS ".\n");
}

static _Noreturn void
usage_error(void)
{
	print_usage(stderr);
	exit(EX_USAGE);
}

int
options_finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		err(EX_IOERR, "standard output");
	return status;
}

/* The name of an MX host, to stand behind "_xpony.", without the dot at its end. */
static char *
host_name(char *name)
{
	char owner[DNS_NAME + sizeof("_xpony.")];
	struct in_addr in4;
	const size_t n = strlen(name);

	if (n > 0 && name[n - 1] == '.')
		name[n - 1] = '\0';
	(void)snprintf(owner, sizeof(owner), "_xpony.%s", name);
	if (n >= DNS_NAME || !dns_name_is_valid(name) || !dns_name_is_valid(owner) ||
	    inet_pton(AF_INET, name, &in4) == 1)
		errx(EX_USAGE,
		    "-r: a host's full name in ASCII is wanted, as its MX record has it");
	return name;
}

static void
choose(struct options *o, enum action action)
{
	if (o->action != ACTION_MAKE && o->action != action)
		usage_error();
	o->action = action;
}

static void
choose_step(struct options *o, const char *step)
{
	if (strcmp(step, "next") == 0)
		choose(o, ACTION_NEXT);
	else if (strcmp(step, "switch") == 0)
		choose(o, ACTION_SWITCH);
	else if (strcmp(step, "retire") == 0)
		choose(o, ACTION_RETIRE);
	else
		errx(EX_USAGE, "--rotate: the step is next, switch or retire");
}

/* An option that says what is to be done. False: it is none. */
static bool
take_action(struct options *o, int c)
{
	switch (c) {
	case 'l':
		choose(o, ACTION_FINGERPRINT);
		return true;
	case 'y':
		choose(o, ACTION_PUBLIC);
		return true;
	case 'r':
		choose(o, ACTION_RECORD);
		o->host = host_name(optarg);
		return true;
	case 'F':
		choose(o, ACTION_FIND);
		o->host = optarg;
		return true;
	case 'R':
		choose(o, ACTION_FORGET);
		o->host = optarg;
		return true;
	case 'L':
		choose(o, ACTION_LIST);
		return true;
	case LONG_ROTATE:
		choose_step(o, optarg);
		return true;
	case LONG_IMPORT:
		choose(o, ACTION_IMPORT);
		o->from = optarg;
		return true;
	default:
		return false;
	}
}

/* One that says how; its letter. */
static char
take_modifier(struct options *o, int c)
{
	switch (c) {
	case 'a':
		if (!duration_parse(&o->min_age, optarg))
			errx(EX_USAGE, "-a: a time is wanted, such as 30d or 12h");
		return 'a';
	case 'C':
		o->comment = optarg;
		return 'C';
	case 'd':
		o->pins = optarg;
		return 'd';
	case 'f':
		o->file = optarg;
		return 'f';
	case 'g':
		o->group = optarg;
		return 'g';
	case 'q':
		o->quiet = true;
		return 'q';
	case LONG_JSON:
		o->json = true;
		return 'j';
	case 'h':
		print_usage(stdout);
		exit(options_finish(EX_OK));
	case 'V':
		(void)printf("blackpony-keygen %s\n", PACKAGE_VERSION);
		exit(options_finish(EX_OK));
	default:
		usage_error();
	}
}

void
options_parse(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"import", required_argument, NULL, LONG_IMPORT},
	    {"json", no_argument, NULL, LONG_JSON},
	    {"rotate", required_argument, NULL, LONG_ROTATE},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	char given[8] = ""; /* each modifier once */
	size_t n = 0;
	int c;

	*o = (struct options){.action = ACTION_MAKE,
	    .file = BLACKPONY_HOSTKEY,
	    .pins = BLACKPONY_PINS,
	    .min_age = ANNOUNCED_SECONDS};
	while ((c = getopt_long(argc, argv, "a:C:d:F:f:g:LlqR:r:y", words, NULL)) != -1) {
		char letter;

		if (take_action(o, c))
			continue;
		letter = take_modifier(o, c);
		if (strchr(given, letter) == NULL)
			given[n++] = letter;
	}
	if (optind < argc || o->file[0] == '\0' || o->pins[0] == '\0' ||
	    given[strspn(given, modifiers[o->action])] != '\0')
		usage_error();
}
