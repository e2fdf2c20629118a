/*
 * blackpony-receiver - started by inetd, xinetd or a systemd socket for each connection to port
 * 25: offers XPONY, and gives the dialogue to `sendmail -bs` over a TCP pair that shows the
 * true client.
 */
#include "lib/clock.h"
#include "lib/duration.h"
#include "lib/launch.h"
#include "lib/log.h"
#include "libxpony/rot.h"
#include "receiver/backend.h"
#include "receiver/balancers.h"
#include "receiver/front.h"
#include "receiver/greeting.h"
#include "receiver/inspect.h"
#include "receiver/kept_name.h"
#include "receiver/limits.h"
#include "receiver/monitor.h"
#include "receiver/pair.h"
#include "receiver/promise.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define NAME "blackpony-receiver"
#define PATIENCE_MAX 3600 /* above, sendmail's own timeouts speak first */

static char *const default_backend[] = {
    (char[]){"/usr/sbin/sendmail"}, (char[]){"-bs"}, (char[]){"-Am"}, NULL};

struct settings {
	const char *key_file;
	const char *name;
	const char *own_names;
	const char *balancers; /* -F */
	char *const *backend;
	struct remote remote; /* -B: in the place of backend */
	struct suite_list suites;
	struct promise_about promise;
	struct limits limits;
	unsigned patience;
	bool commits; /* -c */
	int rot;
	bool check, prepare;
};

static void
usage(FILE *out)
{
	(void)fprintf(out,
	    "usage: " NAME " [-v] [-B server] [-c max-age] [-F balancers]\n"
	    "                          [-g milliseconds] [-k hostkey] [-L load]\n"
	    "                          [-M sessions] [-m sessions] [-n name] [-o names]\n"
	    "                          [-S siblings] [-s suites] [-t seconds]\n"
	    "                          [--check]\n"
	    "                          [-- backend [argument ...]]\n"
	    "       " NAME " --prepare\n");
}

/* Under inetd standard error is the client's connection, so a fault goes to the log; a person
 * at a terminal reads it too. */
static int
fault(const char *what, const char *which)
{
	struct log_line l;

	log_start(&l, NULL);
	log_words(&l, what);
	log_add(&l, "argument", which);
	log_send(&l, LOG_ERR);
	if (isatty(STDERR_FILENO)) {
		(void)fprintf(stderr, NAME ": %s%s%s\n", what, which != NULL ? ": " : "",
		    which != NULL ? which : "");
		usage(stderr);
	}
	return EX_USAGE;
}

/* Full names with commas between them? */
static bool
are_names(const char *names)
{
	char name[GREETING_NAME_MAX];
	size_t n;

	for (;; names += n + 1) {
		n = strcspn(names, ",");
		if (n >= sizeof(name))
			return false;
		memcpy(name, names, n);
		name[n] = '\0';
		if (!greeting_is_name(name) || strchr(name, '.') == NULL)
			return false;
		if (names[n] == '\0')
			return true;
	}
}

static int
parse_number(unsigned *number, int option, unsigned min, unsigned max)
{
	const char *why;
	char what[64];

	*number = (unsigned)strtonum(optarg, min, max, &why);
	if (why == NULL)
		return EX_OK;
	(void)snprintf(
	    what, sizeof(what), "-%c wants a number from %u to %u", option, min, max);
	return fault(what, optarg);
}

static int
parse_limit(struct limits *l, int option)
{
	switch (option) {
	case 'g':
		return parse_number(&l->pause, option, 0, LIMITS_PAUSE_MAX);
	case 'L':
		return parse_number(&l->load, option, 0, LIMITS_LOAD_MAX);
	case 'M':
		return parse_number(&l->each, option, 0, SLOTS_MAX);
	default:
		return parse_number(&l->sessions, option, 0, SLOTS_MAX);
	}
}

static int
parse_option(struct settings *set, int option)
{
	switch (option) {
	case 'v':
		log_verbose(true);
		return EX_OK;
	case 'B':
		return remote_parse(&set->remote, optarg)
			   ? EX_OK
			   : fault("-B wants proxy:ADDRESS:PORT or transparent:ADDRESS:PORT",
				 optarg);
	case 'k':
		set->key_file = optarg;
		return EX_OK;
	case 'n':
		set->name = optarg;
		return greeting_is_name(optarg) ? EX_OK : fault("-n wants a host name", optarg);
	case 'o':
		set->own_names = optarg;
		return are_names(optarg) ? EX_OK : fault("-o wants full host names", optarg);
	case 's':
		if ((set->rot = rot_parse(optarg, strlen(optarg))) > 0)
			return EX_OK;
		if (suite_list_parse(&set->suites, optarg))
			return EX_OK;
		return fault("-s wants a list of known suites", optarg);
	case 'c':
		set->commits = true;
		return duration_parse(&set->promise.max_age, optarg)
			   ? EX_OK
			   : fault("-c wants a time, such as 30d or 12h", optarg);
	case 'F':
		set->balancers = optarg;
		return EX_OK;
	case 'S':
		set->promise.siblings = optarg;
		return EX_OK;
	case 'C':
		set->check = true;
		return EX_OK;
	case 'p':
		set->prepare = true;
		return EX_OK;
	case 'g':
	case 'L':
	case 'M':
	case 'm':
		return parse_limit(&set->limits, option);
	case 't':
		return parse_number(&set->patience, option, 1, PATIENCE_MAX);
	default:
		return fault("an option is unknown or lacks its value", NULL);
	}
}

/* -1 to go on, else the exit status. */
static int
parse(struct settings *set, int argc, char **argv)
{
	static const struct option longs[] = {{"check", no_argument, NULL, 'C'},
	    {"help", no_argument, NULL, 'h'}, {"prepare", no_argument, NULL, 'p'},
	    {"version", no_argument, NULL, 'V'}, {0}};
	int option, status;

	*set = (struct settings){.key_file = BLACKPONY_HOSTKEY, .backend = default_backend};
	suite_list_default(&set->suites);
	limits_default(&set->limits);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+vB:c:F:g:k:L:M:m:n:o:S:s:t:", longs, NULL)) !=
	       -1) {
		if (option == 'h') {
			usage(stdout);
			return EX_OK;
		}
		if (option == 'V') {
			(void)printf(NAME " %s\n", PACKAGE_VERSION);
			return EX_OK;
		}
		if ((status = parse_option(set, option)) != EX_OK)
			return status;
	}
	if (optind < argc && set->remote.kind != REMOTE_NONE)
		return fault("-B is in the place of a back end that is started", argv[optind]);
	if (optind < argc)
		set->backend = argv + optind;
	set->promise.key_file = set->key_file;
	if (set->backend[0][0] != '/')
		return fault("the back end wants an absolute path", set->backend[0]);
	return -1;
}

/* A client that was gone before we began, such as a port scanner, is nobody's fault. */
static int
no_connection(void)
{
	const int why = errno;
	int listens = 0;
	socklen_t n = sizeof(listens);

	if (why == ENOTCONN &&
	    getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 &&
	    listens == 0)
		return EX_OK;
	return fault("standard input is no TCP connection: start me from inetd", NULL);
}

/* One flight is one write, and none waits for the acknowledgement of the one before, which
 * comes with the other side's next flight. */
static bool
take_connection(struct monitor *m)
{
	const int on = 1;
	socklen_t client = sizeof(m->client), local = sizeof(m->local);

	(void)setsockopt(STDIN_FILENO, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
#ifdef TCP_QUICKACK
	const int off = 0;

	(void)setsockopt(STDIN_FILENO, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
#endif
	return getpeername(STDIN_FILENO, (struct sockaddr *)&m->client, &client) == 0 &&
	       getsockname(STDIN_FILENO, (struct sockaddr *)&m->local, &local) == 0 &&
	       pair_normalise(&m->client) && pair_normalise(&m->local);
}

/* No key file is no outage; one that may not be used means that no upgrade is offered. */
static void
take_key(const struct settings *set, struct monitor *m)
{
	char why[KEY_REASON_MAX];
	struct log_line l;

	if (set->rot > 0)
		return;
	switch (key_read(&m->key, set->key_file, why)) {
	case KEY_OK:
		break;
	case KEY_MISSING:
		m->key = key_fresh();
		m->key_is_fresh = true;
		break;
	case KEY_REFUSED:
		log_start(&l, NULL);
		log_words(&l, "no upgrade offered");
		log_add(&l, "reason", why);
		log_send(&l, LOG_ERR);
		break;
	}
}

/* What is demanded of this client. A file that says it unclearly is no reason to take mail that
 * might be forbidden: nobody's is taken until it is mended. */
static enum session_demand
take_peers(struct monitor *m)
{
	char why[PEERS_REASON_MAX];
	struct log_line l;

	if (!peers_find(&m->peers, BLACKPONY_PEERS, &m->client, why)) {
		m->peers_unknown = true;
		log_start(&l, NULL);
		log_words(&l, "no mail taken");
		log_add(&l, "reason", why);
		log_send(&l, LOG_ERR);
		return SESSION_DEMAND_XPONY;
	}
	switch (m->peers.demand) {
	case PEERS_MAY:
		return SESSION_DEMAND_NOTHING;
	case PEERS_ENCRYPT:
		return SESSION_DEMAND_ENCRYPTION;
	case PEERS_KEY:
		return SESSION_DEMAND_XPONY;
	}
	return SESSION_DEMAND_XPONY;
}

/* What cannot be kept is not promised; mail goes on. */
static void
take_promise(const struct settings *set, const struct monitor *m, struct commitment *c)
{
	char why[PROMISE_REASON_MAX];
	struct log_line l;

	if (!set->commits || m->key == NULL)
		return;
	if (m->key_is_fresh)
		(void)snprintf(why, sizeof(why), "there is no host key");
	else if (promise_make(c, &set->promise, key_public(m->key), why))
		return;
	log_start(&l, NULL);
	log_words(&l, "no commitment sent");
	log_add(&l, "reason", why);
	log_send(&l, LOG_ERR);
}

/* Who is nobody, where the system has no such user. */
#define NOBODY 65534

struct who {
	const char *name;
	uid_t user;
	gid_t group;
	bool found;
};

static void
take_user(struct who *w, const struct passwd *p)
{
	if (w->found || p == NULL || strcmp(p->pw_name, w->name) != 0)
		return;
	w->user = p->pw_uid;
	w->group = p->pw_gid;
	w->found = true;
}

/* The system's users are in its file, read once. Only who is not there is looked for by the
 * name service, whose libraries and daemons cost more. */
static void
look_up_users(struct who *a, struct who *b)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *p;

	while (f != NULL && !(a->found && b->found) && (p = fgetpwent(f)) != NULL) {
		take_user(a, p);
		take_user(b, p);
	}
	if (f != NULL)
		(void)fclose(f);
	if (!a->found)
		take_user(a, getpwnam(a->name));
	if (!b->found)
		take_user(b, getpwnam(b->name));
}

/* Engine and monitor become users that own nothing. Without blackpony-net they are the same
 * one, which --check warns of: what keeps them apart then is what keeps those of the mailer. */
static bool
find_users(struct monitor *m, struct launch *launch)
{
	struct who nobody = {.name = "nobody", .user = NOBODY, .group = NOBODY};
	struct who engine = {.name = "blackpony-net"};

	look_up_users(&nobody, &engine);
	m->user = nobody.user;
	m->group = nobody.group;
	launch->user = engine.found ? engine.user : nobody.user;
	launch->group = engine.found ? engine.group : nobody.group;
	return m->user != 0 && launch->user != 0;
}

/* One line to a client that is not served. */
static void
tell(const struct monitor *m, const char *code, const char *text)
{
	char reply[512];
	int n;

	n = snprintf(reply, sizeof(reply), "%s %.255s %s\r\n", code, m->name, text);
	(void)send(STDIN_FILENO, reply, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Nobody can be served: the log says what to mend, and the client hears it in a word. */
static void
turn_away(const struct monitor *m, const char *what, const char *why, const char *code,
    const char *text)
{
	struct log_line l;

	log_start(&l, NULL);
	log_words(&l, what);
	log_add(&l, "reason", why);
	log_send(&l, LOG_ERR);
	tell(m, code, text);
}

/* The engine's walls. Without them no client is served. Once is enough. */
static bool
find_walls(struct monitor *m, struct launch *launch)
{
	char why[SANDBOX_REASON_MAX] = "user nobody or blackpony-net is root";

	if (launch->root >= 0)
		return true;
	if (find_users(m, launch) && (launch->root = sandbox_root(BLACKPONY_EMPTY, why)) >= 0)
		return true;
	turn_away(m, "no sandbox", why, "421 4.3.5", "System incorrectly configured");
	return false;
}

/* A listed balancer says whose connection it brings. False: it did not, and nobody is served.
 */
static bool
hear_balancer(struct monitor *m, const struct launch *launch)
{
	const struct sandbox walls = {.role = SANDBOX_RECEIVER,
	    .root = launch->root,
	    .user = launch->user,
	    .group = launch->group};
	char why[FRONT_REASON_MAX] = "closed without a word";
	struct log_line l;
	enum front_outcome outcome;

	m->balancer = m->client;
	outcome = front_read(&walls, &m->client, &m->local, why);
	m->is_check = outcome == FRONT_CHECK;
	if (outcome == FRONT_CLIENT || outcome == FRONT_CHECK)
		return true;
	log_start(&l, NULL);
	log_words(&l, "no client from balancer");
	log_add_peer(&l, "peer", NULL, (const struct sockaddr *)&m->balancer);
	log_add(&l, "reason", why);
	log_send(&l, outcome == FRONT_GONE ? LOG_DEBUG : LOG_ERR);
	if (outcome == FRONT_GONE)
		return false;
	tell(m, "421 4.3.5", "System incorrectly configured");
	(void)shutdown(STDIN_FILENO, SHUT_WR);
	limits_let_hear(STDIN_FILENO);
	return false;
}

/* Who the client is, where another may have to say so. Whoever is not listed speaks for itself,
 * and a header of its would be a bad command. */
static bool
take_client(const struct settings *set, struct monitor *m, struct launch *launch)
{
	char why[BALANCERS_REASON_MAX];
	struct balancers b;

	if (set->balancers == NULL)
		return true;
	if (!balancers_find(&b, set->balancers, &m->client, why)) {
		turn_away(
		    m, "no mail taken", why, "421 4.3.5", "System incorrectly configured");
		return false;
	}
	return !b.listed || (find_walls(m, launch) && hear_balancer(m, launch));
}

/* Sockets that only root can make, for a monitor that is not root. */
static bool
find_remote(const struct settings *set, struct monitor *m, struct remote_sockets *sockets)
{
	char why[BACKEND_WHY_MAX];

	if (set->remote.kind == REMOTE_NONE)
		return true;
	m->remote = sockets;
	if (remote_prepare(sockets, &set->remote, &m->client, &m->local, why, sizeof(why)))
		return true;
	turn_away(m, "no back end", why, "421 4.3.5", "System incorrectly configured");
	return false;
}

/* The name of our greeting: the one of -n, or what sendmail would say. */
static void
find_name(const struct settings *set, char name[GREETING_NAME_MAX])
{
	static const char *const sources[] = {"/etc/hosts", "/etc/host.conf",
	    "/etc/nsswitch.conf", "/etc/resolv.conf", GREETING_CF, NULL};
	struct timespec asked;

	if (set->name != NULL) {
		(void)snprintf(name, GREETING_NAME_MAX, "%s", set->name);
		return;
	}
	if (kept_name_find(BLACKPONY_NAME, sources, name, GREETING_NAME_MAX))
		return;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &asked);
	/* One that is not full may be for want of an answer. */
	if (greeting_name(name, GREETING_NAME_MAX))
		kept_name_put(BLACKPONY_NAME, &asked, name);
}

/* What sessions keep for one another, made before the first, for those that cannot: a service
 * with mounts of its own. */
static int
prepare(const char *slots_file)
{
	char why[SLOTS_REASON_MAX];
	struct slots slots;

	if (slots_open(&slots, slots_file, why))
		slots_close(&slots);
	else
		(void)fprintf(stderr, NAME ": %s\n", why);
	if (pair_keep(BLACKPONY_NAMESPACE))
		return EX_OK;
	(void)fprintf(stderr, NAME ": %s: no network namespace can be kept: %s\n",
	    BLACKPONY_NAMESPACE, strerror(errno));
	return EX_OSERR;
}

/* What the engine has to expect of it. */
static enum session_backend
backend_of(const struct remote *r)
{
	switch (r->kind) {
	case REMOTE_NONE:
		break;
	case REMOTE_PROXY:
		return SESSION_BACKEND_PROXIED;
	case REMOTE_TRANSPARENT:
		return SESSION_BACKEND_SERVER;
	}
	return SESSION_BACKEND_STARTED;
}

static int
serve(const struct settings *set)
{
	struct monitor m = {.started = clock_ms(),
	    .backend = (char **)set->backend,
	    .suites = &set->suites,
	    .rot = set->rot,
	    .own_names = set->own_names,
	    .namespace = BLACKPONY_NAMESPACE,
	    .relay_keys = BLACKPONY_RELAY_KEYS};
	struct session_config config = {.role = SESSION_SERVER,
	    .suites = set->suites,
	    .rot = set->rot,
	    .patience = set->patience,
	    .random = randombytes_buf};
	struct launch launch = {.config = &config, .root = -1, .server = true};
	struct remote_sockets sockets;
	char name[GREETING_NAME_MAX];

	if (!take_connection(&m))
		return no_connection();
	find_name(set, name);
	m.name = config.name = name;
	if (!take_client(set, &m, &launch) ||
	    !limits_admit(&set->limits, STDIN_FILENO, &m.client, name) ||
	    !find_walls(&m, &launch) || !find_remote(set, &m, &sockets))
		return EX_OK;
	config.backend = (uint8_t)backend_of(&set->remote);
	take_key(set, &m);
	config.offer = m.key != NULL;
	config.demand = (uint8_t)take_peers(&m);
	if (m.key != NULL)
		memcpy(config.s_public, key_public(m.key), KEY_OCTETS);
	take_promise(set, &m, &config.commitment);
	launch.key = m.key;
	if ((m.engine_pid = launch_engine(&launch, &m.engine)) > 0) {
		(void)close(launch.root);
		monitor_run(&m);
		(void)close(m.engine);
	} else {
		turn_away(
		    &m, "no engine", strerror(errno), "421 4.3.2", "System out of resources");
	}
	key_free(m.key);
	/* The session's slot is taken until the last process of it is gone: a back end may need
	 * a while to see that its client is. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	launch_leave(EX_OK);
}

int
main(int argc, char **argv, char **envp)
{
	struct settings set;
	int status;

	setproctitle_init(argc, argv, envp);
	launch_signals();
	if (!sandbox_hide())
		return EX_OSERR;
	log_open(NAME);
	if ((status = parse(&set, argc, argv)) >= 0)
		return status;
	if (set.prepare)
		return prepare(set.limits.file);
	if (sodium_init() < 0)
		return EX_OSERR;
	if (set.check) {
		struct inspect_about about = {.backend = set.backend,
		    .remote = &set.remote,
		    .name = set.name,
		    .key_file = set.key_file,
		    .balancers = set.balancers,
		    .peers = BLACKPONY_PEERS,
		    .relay_keys = BLACKPONY_RELAY_KEYS,
		    .empty = BLACKPONY_EMPTY,
		    .limits = &set.limits,
		    .promise = set.commits ? &set.promise : NULL};

		return inspect_run(&about, stdout);
	}
	return serve(&set);
}
