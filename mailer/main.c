/*
 * blackpony-mailer - program mailer of sendmail, in the place of its built-in [IPC] mailer:
 * SMTP on standard input and output, SMTP to the mail host, encrypted where the host offers it.
 *
 * Whatever goes wrong is said in SMTP to the MTA (standard error is the same pipe), so that the
 * mail stays queued or bounces with the right code; the exit status is always 0 then.
 */
#include "mailer/destination.h"
#include "lib/clock.h"
#include "lib/launch.h"
#include "lib/log.h"
#include "lib/request.h"
#include "libxpony/rot.h"
#include "lib/owner.h"
#include "mailer/keeper.h"
#include "mailer/monitor.h"
#include "mailer/probe.h"
#include "mailer/redirected.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <syslog.h>
#include <unistd.h>

#define OWN_NAMES_FILE "/etc/mail/local-host-names" /* sendmail's class w on Debian */
#define NAME "blackpony-mailer"

struct settings {
	const char *key_file;
	const char *queue_id;
	const char *own_names_file;
	const char *policy_file;
	const char *pins_directory;
	const char *host;
	struct route_options route;
	struct suite_list suites;
	int rot;
	int keep; /* seconds */
	bool probe, json;
	bool redirected; /* -r: host is this one */
	char redirected_host[REDIRECTED_HOST_MAX];
};

static void
usage(FILE *out)
{
	(void)fprintf(out,
	    "usage: " NAME " [-46v] [-b source-address] [-d pins] [-i queue-id] [-k hostkey]\n"
	    "                        [-K seconds] [-p port] [-P policy] [-s suites]\n"
	    "                        [-t seconds] [-w own-names-file] host\n"
	    "       " NAME " -r [-v] [-b source-address] [-d pins] [-k hostkey] [-K seconds]\n"
	    "                        [-P policy] [-s suites] [-t seconds]\n"
	    "       " NAME " --probe [--json] [-46] [-b source-address] [-d pins]\n"
	    "                        [-k hostkey] [-p port] [-P policy] [-s suites]\n"
	    "                        [-t seconds] [-w own-names-file] host\n");
}

/* A fault of the command line: to the person who typed it, or as the verdict on the mail. */
__attribute__((format(printf, 3, 4))) static bool
fault(char *verdict, size_t cap, const char *format, ...)
{
	char text[ROUTE_TEXT];
	struct log_line l;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)snprintf(verdict, cap, "451 4.3.5 " NAME ": %.*s", (int)cap - 40, text);
	log_start(&l, NULL);
	log_words(&l, text);
	log_send(&l, LOG_ERR);
	return false;
}

static bool
parse_source(struct sockaddr_storage *source, const char *text)
{
	struct sockaddr_in *in = (struct sockaddr_in *)source;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)source;

	memset(source, 0, sizeof(*source));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		source->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		source->ss_family = AF_INET6;
	return source->ss_family != AF_UNSPEC;
}

static bool
parse_number(const char *text, long long min, long long max, int *value)
{
	const char *error;

	*value = (int)strtonum(text, min, max, &error);
	return error == NULL;
}

static bool
parse_number_option(struct settings *set, int option, char *verdict, size_t cap)
{
	int number;

	if (option == 'K') {
		if (!parse_number(optarg, 0, SESSION_KEEP_SECONDS, &set->keep))
			return fault(verdict, cap,
			    "-K %s: not a number of seconds from 0 to 60", optarg);
	} else if (option == 'p') {
		if (!parse_number(optarg, 1, 65535, &number))
			return fault(verdict, cap, "-p %s: not a port from 1 to 65535", optarg);
		set->route.port = (uint16_t)number;
	} else if (!parse_number(optarg, 1, 240, &set->route.connect_seconds)) {
		return fault(
		    verdict, cap, "-t %s: not a number of seconds from 1 to 240", optarg);
	}
	return true;
}

static bool
parse_option(struct settings *set, int option, char *verdict, size_t cap)
{
	switch (option) {
	case '4':
		set->route.family = AF_INET;
		break;
	case '6':
		set->route.family = AF_INET6;
		break;
	case 'v':
		log_verbose(true);
		break;
	case 'k':
		set->key_file = optarg;
		break;
	case 'i':
		set->queue_id = optarg;
		break;
	case 'P':
		set->policy_file = optarg;
		break;
	case 'd':
		set->pins_directory = optarg;
		break;
	case 'w':
		set->own_names_file = optarg;
		break;
	case 'b':
		if (!parse_source(&set->route.source, optarg))
			return fault(verdict, cap, "-b %s: not an IP address", optarg);
		break;
	case 'K':
	case 'p':
	case 't':
		return parse_number_option(set, option, verdict, cap);
	case 'r':
		set->redirected = true;
		break;
	case 'R':
		set->probe = true;
		break;
	case 'J':
		set->json = true;
		break;
	case 's':
		if ((set->rot = rot_parse(optarg, strlen(optarg))) == 0 &&
		    !suite_list_parse(&set->suites, optarg))
			return fault(verdict, cap, "-s %s: not a list of known suites", optarg);
		break;
	default:
		return fault(verdict, cap, "an option is unknown or lacks its value");
	}
	return true;
}

/* sendmail's own file where there is one. None is no fault; one that cannot be read is, or this
 * host's own names would be other ones today than yesterday. */
static const char *
default_own_names(void)
{
	return access(OWN_NAMES_FILE, F_OK) == 0 || errno != ENOENT ? OWN_NAMES_FILE : NULL;
}

/* The MTA's connection says where it was going. */
static bool
take_redirected(struct settings *set, char *verdict, size_t cap)
{
	const int on = 1;
	char why[ROUTE_TEXT];

	if (!redirected_from(
		STDIN_FILENO, set->redirected_host, &set->route.port, why, sizeof(why)))
		return fault(verdict, cap, "%s", why);
	set->host = set->redirected_host;
	(void)setsockopt(STDIN_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return true;
}

static bool
parse(struct settings *set, int argc, char **argv, char *verdict, size_t cap)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'J'},
	    {"probe", no_argument, NULL, 'R'}, {NULL, 0, NULL, 0}};
	int option;

	*set = (struct settings){.keep = KEEP_SECONDS,
	    .key_file = BLACKPONY_HOSTKEY,
	    .own_names_file = default_own_names(),
	    .policy_file = BLACKPONY_POLICY,
	    .pins_directory = BLACKPONY_PINS,
	    .route = {.family = AF_UNSPEC, .port = 25}};
	suite_list_default(&set->suites);
	opterr = 0;
	while (
	    (option = getopt_long(argc, argv, "46rvb:d:i:k:K:p:P:s:t:w:", longs, NULL)) != -1)
		if (!parse_option(set, option, verdict, cap))
			return false;
	if (set->json && !set->probe)
		return fault(verdict, cap, "--json goes with --probe");
	if (set->redirected && !set->probe && argc == optind)
		return take_redirected(set, verdict, cap);
	if (set->redirected)
		return fault(verdict, cap, "-r goes without a host, and not with --probe");
	if (argc - optind != 1)
		return fault(verdict, cap, "exactly one host is wanted");
	set->host = argv[optind];
	return true;
}

/* --help and --version, and faults when a person is there to read them. Returns -1 to go on. */
static int
talk_to_person(int argc, char **argv)
{
	struct settings set;
	char verdict[ROUTE_TEXT];

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EX_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf(NAME " %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	if (isatty(STDERR_FILENO) && !parse(&set, argc, argv, verdict, sizeof(verdict))) {
		(void)fprintf(stderr, "%s\n", strstr(verdict, NAME));
		usage(stderr);
		return EX_USAGE;
	}
	return -1;
}

/* sendmail starts a mailer as the local user who wrote the mail, who must not read the host
 * key. Flag S with U= gives us the user of U= in effect, and root as real user: root goes for
 * good, before anything else is done (doc/DESIGN.md, "Users"). */
static bool
drop_root(void)
{
	uid_t user = geteuid();
	gid_t group = getegid();

	if (getuid() != 0 || user == 0)
		return true;
	return seteuid(0) == 0 && setgroups(1, &group) == 0 &&
	       setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0 &&
	       setuid(0) != 0;
}

/* The route to the host; NULL with a verdict. The resolver is forked here, before any key is
 * read, where there is a name to be looked up. */
static struct route *
plan(const struct settings *set, struct resolver **resolver, char *verdict, size_t cap)
{
	struct resolve_options options = {
	    .family = set->route.family, .own_addresses = set->route.port == 25};
	struct destination_list list;
	struct ownnames own;
	struct route *route;
	char why[ROUTE_TEXT];

	if (!destination_parse(&list, set->host, why, sizeof(why))) {
		(void)snprintf(verdict, cap, "501 5.1.2 %.*s", (int)cap - 16, why);
		return NULL;
	}
	if (!ownnames_read(&own, set->own_names_file, why, sizeof(why))) {
		(void)fault(verdict, cap, "%s", why);
		return NULL;
	}
	options.own = &own;
	*resolver = destination_has_name(&list) ? resolve_start(&options) : resolve_none();
	ownnames_free(&own);
	if (*resolver == NULL || (route = route_new(&list, &set->route, *resolver)) == NULL) {
		(void)fault(verdict, cap, "cannot start the resolver: %s", strerror(errno));
		return NULL;
	}
	return route;
}

/* No key file is no outage; one that may not be used is, or nobody would mend it. */
static bool
take_key(const struct settings *set, struct monitor *m)
{
	char why[KEY_REASON_MAX];
	struct log_line l;

	if (set->rot > 0) {
		m->key = key_fresh(); /* ROTn touches no host key */
		return m->key != NULL;
	}
	switch (key_read(&m->key, set->key_file, why)) {
	case KEY_OK:
		return true;
	case KEY_MISSING:
		m->key = key_fresh();
		m->key_is_fresh = true;
		return m->key != NULL;
	case KEY_REFUSED:
		break;
	}
	(void)snprintf(m->verdict, sizeof(m->verdict), "451 4.3.5 " NAME ": %.400s", why);
	log_start(&l, set->queue_id);
	log_words(&l, why);
	log_send(&l, LOG_ERR);
	m->key = key_fresh();
	return false;
}

/* A policy file with a fault in it says nothing for sure, so all mail waits. */
static bool
check_policy(const struct settings *set, struct monitor *m)
{
	char why[POLICY_REASON_MAX];
	struct policy policy;

	if (policy_find(&policy, set->policy_file, "localhost", why)) {
		if (!set->redirected || !policy.has_names)
			return true;
		/* Whom the mail is for is not known here, and what is demanded for him is not
		 * to be passed over. */
		(void)snprintf(why, sizeof(why),
		    "%.200s: has lines for names, and -r knows addresses and * alone; give it "
		    "another file with -P",
		    set->policy_file);
	}
	(void)fault(m->verdict, sizeof(m->verdict), "%s", why);
	return false;
}

/* What is not remembered is no reason to keep mail. After the last fork: no other process of
 * ours shall see the store. Which hosts are dead an MTA with connections of its own remembers
 * by itself, and it takes an attempt for one. */
static void
open_pins(const struct settings *set, struct monitor *m)
{
	char why[PINS_REASON_MAX];
	struct log_line l;

	if (m->route == NULL)
		return;
	if ((m->trust.pins = pins_open(set->pins_directory, why)) != NULL) {
		if (set->rot == 0 && !set->redirected)
			route_remember(m->route, m->trust.pins);
		return;
	}
	log_start(&l, set->queue_id);
	log_words(&l, "no pins");
	log_add(&l, "reason", why);
	log_send(&l, LOG_ERR);
}

/* The session may serve another mail. All that this process had is closed and wiped by now. */
static void
keep(const struct settings *set, const struct monitor *m)
{
	const struct session_answer no = {.kind = SESSION_ASK_MAIL};
	struct keeper k = {.engine = m->engine,
	    .seconds = m->keep->seconds,
	    .expiry = m->connected + KEEP_AGE_MS,
	    .record = m->record};
	char why[KEEP_REASON_MAX];
	struct log_line l;

	k.listener = keep_listen(m->keep, &m->record.identity, why);
	if (k.listener >= 0 && keeper_start(&k))
		return;
	(void)request_answer(m->engine, &no, -1);
	if (why[0] == '\0')
		return;
	log_start(&l, set->queue_id);
	log_words(&l, "session not kept");
	log_add(&l, "reason", why);
	log_send(&l, LOG_ERR);
}

static int
deliver(const struct settings *set, bool parsed, const char *verdict)
{
	struct monitor m = {.started = clock_ms(),
	    .queue_id = set->queue_id,
	    .trust = {.policy_file = set->policy_file, .rot = set->rot > 0, .now = time(NULL)}};
	struct session_config config = {.role = SESSION_CLIENT,
	    .name = NAME,
	    .suites = set->suites,
	    .rot = set->rot,
	    .offer = true,
	    .redirected = set->redirected,
	    .keep = set->keep > 0 && set->rot == 0,
	    .random = randombytes_buf};
	struct keep kept = {.directory = set->pins_directory,
	    .seconds = set->keep,
	    .source = set->route.source,
	    .suites = set->suites};
	struct launch launch = {.config = &config, .root = -1};
	struct resolver *resolver = NULL;

	(void)snprintf(m.verdict, sizeof(m.verdict), "%s", verdict);
	if (parsed && check_policy(set, &m)) {
		m.route = plan(set, &resolver, m.verdict, sizeof(m.verdict));
	}
	m.resolver = resolver;
	if (!take_key(set, &m)) {
		route_free(m.route);
		m.route = NULL;
	}
	if (m.key == NULL)
		return EX_OSERR;
	memcpy(config.s_public, key_public(m.key), KEY_OCTETS);
	memcpy(kept.client, config.s_public, KEY_OCTETS);
	m.keep = config.keep ? &kept : NULL;
	launch.key = m.key;
	if ((m.engine_pid = launch_engine(&launch, &m.engine)) > 0) {
		open_pins(set, &m);
		monitor_run(&m);
	}
	route_free(m.route);
	resolve_stop(resolver);
	pins_close(m.trust.pins);
	key_free(m.key);
	if (m.keeps)
		keep(set, &m);
	launch_leave(EX_OK);
}

/* What a person or a script wants to know of a destination; no mail. Faults go to standard
 * error. A host key that this user may not read is no reason to see nothing. */
static int
probe(const struct settings *set)
{
	struct probe p = {.route = set->route,
	    .suites = set->suites,
	    .rot = set->rot,
	    .policy_file = set->policy_file,
	    .json = set->json};
	char name[RESOLVE_NAME] = "", verdict[ROUTE_TEXT], why[KEY_REASON_MAX];
	struct route *route;
	int status;

	if (!destination_parse(&p.list, set->host, why, sizeof(why)))
		errx(EX_USAGE, "%s", why);
	if (owner_become(set->pins_directory))
		p.pins_directory = set->pins_directory;
	else if (errno != ENOENT)
		warn("%s", set->pins_directory);
	if ((route = plan(set, &p.resolver, verdict, sizeof(verdict))) == NULL)
		errx(EX_CONFIG, "%s", verdict);
	route_free(route);
	if (set->rot > 0 || key_read(&p.key, set->key_file, why) != KEY_OK) {
		if (set->rot == 0)
			warnx("%s; a fresh key is used", why);
		p.key = key_fresh();
	}
	if (p.key == NULL || gethostname(name, sizeof(name) - 1) != 0)
		err(EX_OSERR, "cannot begin");
	p.name = name;
	status = probe_run(&p);
	resolve_stop(p.resolver);
	key_free(p.key);
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

int
main(int argc, char **argv, char **envp)
{
	struct settings set;
	char verdict[ROUTE_TEXT] = "";
	int status;
	bool parsed;

	if (!drop_root() || !sandbox_hide())
		return EX_TEMPFAIL;
	setproctitle_init(argc, argv, envp);
	launch_signals();
	log_open(NAME);
	if ((status = talk_to_person(argc, argv)) >= 0)
		return status;
	if (sodium_init() < 0)
		return EX_OSERR;
	optind = 1;
	parsed = parse(&set, argc, argv, verdict, sizeof(verdict));
	if (set.probe && parsed)
		return probe(&set);
	if (set.probe)
		errx(EX_USAGE, "%s", verdict);
	return deliver(&set, parsed, verdict);
}
