/*
 * blackpony-keygen - makes the host key and shows its public half (doc/blackpony-keygen.1).
 * Started by an administrator; its options are ssh-keygen's where they fit.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/dns.h"
#include "lib/duration.h"
#include "lib/key.h"
#include "lib/sandbox.h"
#include "public.h"
#include "rotate.h"

enum action { MAKE, FINGERPRINT, PUBLIC, RECORD, NEXT, SWITCH, RETIRE };

/* How long hosts may hold on to what they know of our keys (PROTOCOL.md, "Commitments"). */
#define ANNOUNCED_SECONDS (30 * 86400)

struct options {
	enum action action;
	const char *file;
	const char *comment; /* NULL: the host's name */
	const char *group;   /* NULL: for the owner alone */
	const char *host;    /* RECORD: the name of the MX host */
	uint32_t min_age;    /* SWITCH: seconds since the next key was made */
	bool has_age;        /* -a */
	bool quiet;
};

static void
print_usage(FILE *out)
{
	fprintf(out,
	    "usage: blackpony-keygen [-q] [-C comment] [-g group] [-f file]\n"
	    "       blackpony-keygen -l [-f file]\n"
	    "       blackpony-keygen -y [-f file]\n"
	    "       blackpony-keygen -r host [-f file]\n"
	    "       blackpony-keygen -N [-q] [-C comment] [-f file]\n"
	    "       blackpony-keygen -W [-q] [-a age] [-f file]\n"
	    "       blackpony-keygen -R [-q] [-f file]\n"
	    "Makes a host key, or shows its fingerprint (-l), public key (-y), or DNS\n"
	    "record for the mail host of that name (-r); or makes the next key (-N),\n"
	    "switches to it (-W), and removes the old one (-R).\n"
	    "Without -f the file is " BLACKPONY_HOSTKEY ".\n");
}

static _Noreturn void
usage_error(void)
{
	print_usage(stderr);
	exit(EX_USAGE);
}

/* All that was printed has arrived, or we say so. */
static int
finish(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		err(EX_IOERR, "standard output");
	return EX_OK;
}

static gid_t
group_id(const char *name)
{
	struct group *group;
	const char *fault;
	long long id;

	group = getgrnam(name);
	if (group != NULL)
		return group->gr_gid;
	id = strtonum(name, 0, INT32_MAX, &fault);
	if (fault != NULL)
		errx(EX_NOUSER, "-g %s: no such group; make it first (groupadd)", name);
	return (gid_t)id;
}

static void
set_comment(struct key *key, const char *comment)
{
	char host[KEY_COMMENT_MAX] = "";

	if (comment != NULL) {
		if (!key_set_comment(key, comment))
			errx(EX_USAGE, "-C: at most %d printable ASCII characters",
			    KEY_COMMENT_MAX - 1);
	} else if (gethostname(host, sizeof(host) - 1) == 0) {
		key_set_comment(key, host); /* none, when it is an odd name */
	}
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
	snprintf(owner, sizeof(owner), "_xpony.%s", name);
	if (n >= DNS_NAME || !dns_name_is_valid(name) || !dns_name_is_valid(owner) ||
	    inet_pton(AF_INET, name, &in4) == 1)
		errx(EX_USAGE,
		    "-r: a host's full name in ASCII is wanted, as its MX record has it");
	return name;
}

static int
make(const struct options *o)
{
	char why[KEY_REASON_MAX];
	struct public public;
	struct key *key;
	gid_t group = (gid_t)-1;
	bool ok;

	if (o->group != NULL)
		group = group_id(o->group);
	key = key_fresh();
	if (key == NULL)
		err(EX_OSERR, "no memory for a key");
	set_comment(key, o->comment);
	ok = key_write(key, o->file, o->group != NULL ? 0640 : 0600, group, why);
	public_of(&public, key);
	key_free(key);
	if (!ok)
		errx(EX_CANTCREAT, "%s", why);
	if (!o->quiet) {
		printf("Host key saved in %s\nThe key fingerprint is:\n", o->file);
		public_print_fingerprint(&public);
	}
	return finish();
}

static int
rotate(const struct options *o)
{
	struct public public;
	struct key *key;

	switch (o->action) {
	case NEXT:
		key = key_fresh();
		if (key == NULL)
			err(EX_OSERR, "no memory for a key");
		set_comment(key, o->comment);
		rotate_next(o->file, key, &public);
		key_free(key);
		break;
	case SWITCH:
		rotate_switch(o->file, o->has_age ? o->min_age : ANNOUNCED_SECONDS, &public);
		break;
	default:
		rotate_retire(o->file);
		return EX_OK;
	}
	if (!o->quiet) {
		printf("The %s key's fingerprint is:\n", o->action == NEXT ? "next" : "host");
		public_print_fingerprint(&public);
	}
	return finish();
}

static int
show(const struct options *o)
{
	char why[KEY_REASON_MAX];
	struct public public;
	struct key *key;

	if (!public_read_line(&public, o->file)) {
		switch (key_read(&key, o->file, why)) {
		case KEY_MISSING:
			errx(EX_NOINPUT, "%s; make it with blackpony-keygen -f", why);
		case KEY_REFUSED:
			errx(EX_DATAERR, "%s", why);
		case KEY_OK:
			break;
		}
		public_of(&public, key);
		key_free(key);
	}
	if (o->action == FINGERPRINT)
		public_print_fingerprint(&public);
	else if (o->action == PUBLIC)
		public_write_line(&public, stdout);
	else
		public_print_record(&public, o->host);
	return finish();
}

static void
choose(struct options *o, enum action action)
{
	if (o->action != MAKE && o->action != action)
		usage_error();
	o->action = action;
}

/* What goes with what. */
static void
check_options(const struct options *o)
{
	const bool shows =
	    o->action == FINGERPRINT || o->action == PUBLIC || o->action == RECORD;

	if ((o->quiet && shows) || (o->group != NULL && o->action != MAKE) ||
	    (o->has_age && o->action != SWITCH) ||
	    (o->comment != NULL && o->action != MAKE && o->action != NEXT))
		usage_error();
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	static const struct option words[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "a:C:f:g:lNqRr:Wy", words, NULL)) != -1) {
		switch (c) {
		case 'a':
			o->has_age = true;
			if (!duration_parse(&o->min_age, optarg))
				errx(EX_USAGE, "-a: a time is wanted, such as 30d or 12h");
			break;
		case 'C':
			o->comment = optarg;
			break;
		case 'f':
			o->file = optarg;
			break;
		case 'g':
			o->group = optarg;
			break;
		case 'l':
			choose(o, FINGERPRINT);
			break;
		case 'N':
			choose(o, NEXT);
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'R':
			choose(o, RETIRE);
			break;
		case 'r':
			choose(o, RECORD);
			o->host = host_name(optarg);
			break;
		case 'W':
			choose(o, SWITCH);
			break;
		case 'y':
			choose(o, PUBLIC);
			break;
		case 'h':
			print_usage(stdout);
			exit(finish());
		case 'V':
			printf("blackpony-keygen %s\n", PACKAGE_VERSION);
			exit(finish());
		default:
			usage_error();
		}
	}
	if (optind < argc || o->file[0] == '\0')
		usage_error();
	check_options(o);
}

int
main(int argc, char **argv)
{
	struct options o = {.action = MAKE, .file = BLACKPONY_HOSTKEY};
	const struct sandbox walls = {.role = SANDBOX_KEYGEN, .root = -1};

	parse_options(&o, argc, argv);
	if (!sandbox_enter(&walls))
		err(EX_OSERR, "cannot put the key out of others' reach");
	if (sodium_init() < 0)
		errx(EX_OSERR, "libsodium finds no source of randomness");
	switch (o.action) {
	case MAKE:
		return make(&o);
	case NEXT:
	case SWITCH:
	case RETIRE:
		return rotate(&o);
	default:
		return show(&o);
	}
}
