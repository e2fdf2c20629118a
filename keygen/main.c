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
#include "lib/key.h"
#include "lib/sandbox.h"
#include "libxpony/base64.h"

#define PUBLIC_TYPE "xpony-x25519 "
#define PUBLIC_LINE_MAX (sizeof(PUBLIC_TYPE) + KEY_TEXT_MAX + KEY_COMMENT_MAX)

enum action { MAKE, FINGERPRINT, PUBLIC, RECORD };

struct options {
	enum action action;
	const char *file;
	const char *comment; /* NULL: the host's name */
	const char *group;   /* NULL: for the owner alone */
	const char *host;    /* RECORD: the name of the MX host */
	bool quiet;
};

/* What may be shown of a key. */
struct public
{
	uint8_t octets[KEY_OCTETS];
	char comment[KEY_COMMENT_MAX];
};

static void
print_usage(FILE *out)
{
	fprintf(out,
	    "usage: blackpony-keygen [-q] [-C comment] [-g group] [-f file]\n"
	    "       blackpony-keygen -l [-f file]\n"
	    "       blackpony-keygen -y [-f file]\n"
	    "       blackpony-keygen -r host [-f file]\n"
	    "Makes a host key, or shows its fingerprint (-l), public key (-y), or DNS\n"
	    "record for the mail host of that name (-r).\n"
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

/* As ssh-keygen -l writes it. */
static void
print_fingerprint(const struct public *p)
{
	char fingerprint[KEY_FINGERPRINT_MAX];

	key_fingerprint(p->octets, fingerprint);
	printf("256 %s %s (X25519)\n", fingerprint,
	    p->comment[0] != '\0' ? p->comment : "no comment");
}

static void
print_public(const struct public *p)
{
	char text[KEY_TEXT_MAX];

	base64_encode(text, p->octets, sizeof(p->octets));
	printf(PUBLIC_TYPE "%s%s%s\n", text, p->comment[0] != '\0' ? " " : "", p->comment);
}

/* For the zone file (PROTOCOL.md, "Keys in DNS"). */
static void
print_record(const struct public *p, const char *host)
{
	char fingerprint[KEY_FINGERPRINT_MAX];

	key_fingerprint(p->octets, fingerprint);
	printf("_xpony.%s. IN TXT \"v=XPONY1; k=%s\"\n", host, fingerprint);
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

static void
publish(struct public *p, const struct key *key)
{
	memcpy(p->octets, key_public(key), sizeof(p->octets));
	strlcpy(p->comment, key_comment(key), sizeof(p->comment));
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
	publish(&public, key);
	key_free(key);
	if (!ok)
		errx(EX_CANTCREAT, "%s", why);
	if (!o->quiet) {
		printf("Host key saved in %s\nThe key fingerprint is:\n", o->file);
		print_fingerprint(&public);
	}
	return finish();
}

static bool
is_printable(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

/* Reads what -y printed once. False when the file is no such thing, whatever else it may be; no
 * octet of a secret key is read. */
static bool
read_public_line(struct public *p, const char *path)
{
	char line[PUBLIC_LINE_MAX + 1] = "";
	const size_t type = strlen(PUBLIC_TYPE);
	size_t n, words;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	got = read(fd, line, type);
	if (got == (ssize_t)type && strcmp(line, PUBLIC_TYPE) == 0)
		got = read(fd, line, sizeof(line) - 1);
	else
		got = -1;
	close(fd);
	if (got < 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	words = strcspn(line, " ");
	if (base64_decode(p->octets, sizeof(p->octets), &n, line, words) != ERR_NONE ||
	    n != sizeof(p->octets) || !is_printable(line))
		errx(EX_DATAERR, "%s: damaged public key", path);
	strlcpy(p->comment, line + words + (line[words] == ' '), sizeof(p->comment));
	return true;
}

static int
show(const struct options *o)
{
	char why[KEY_REASON_MAX];
	struct public public;
	struct key *key;

	if (!read_public_line(&public, o->file)) {
		switch (key_read(&key, o->file, why)) {
		case KEY_MISSING:
			errx(EX_NOINPUT, "%s; make it with blackpony-keygen -f", why);
		case KEY_REFUSED:
			errx(EX_DATAERR, "%s", why);
		case KEY_OK:
			break;
		}
		publish(&public, key);
		key_free(key);
	}
	if (o->action == FINGERPRINT)
		print_fingerprint(&public);
	else if (o->action == PUBLIC)
		print_public(&public);
	else
		print_record(&public, o->host);
	return finish();
}

static void
choose(struct options *o, enum action action)
{
	if (o->action != MAKE && o->action != action)
		usage_error();
	o->action = action;
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

	while ((c = getopt_long(argc, argv, "C:f:g:lqr:y", words, NULL)) != -1) {
		switch (c) {
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
		case 'q':
			o->quiet = true;
			break;
		case 'r':
			choose(o, RECORD);
			o->host = host_name(optarg);
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
	if (o->action != MAKE && (o->comment != NULL || o->group != NULL || o->quiet))
		usage_error();
}

int
main(int argc, char **argv)
{
	struct options o = {.action = MAKE, .file = BLACKPONY_HOSTKEY};

	parse_options(&o, argc, argv);
	if (!sandbox_enter())
		err(EX_OSERR, "cannot put the key out of others' reach");
	if (sodium_init() < 0)
		errx(EX_OSERR, "libsodium finds no source of randomness");
	return o.action == MAKE ? make(&o) : show(&o);
}
