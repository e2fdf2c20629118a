/*
 * inspect - `blackpony-receiver --check` (inspect.h has the contract). Called by
 * receiver/main.c.
 *
 * Each check is one function that says "ok: ..." or "fault: ...; what to do" and never stops
 * the others: an administrator wants the whole list at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/key.h"
#include "lib/sandbox.h"
#include "backend.h"
#include "balancers.h"
#include "greeting.h"
#include "inspect.h"
#include "limits.h"
#include "pair.h"
#include "peers.h"
#include "promise.h"
#include "relaykeys.h"
#include "remote_check.h"

#define SENDMAIL_CF "/etc/mail/sendmail.cf"
#define CF_LINE_MAX 2048

struct inspection {
	const struct inspect_about *about;
	FILE *out;
	bool faulty;
};

static void __attribute__((format(printf, 2, 3)))
ok(struct inspection *i, const char *format, ...)
{
	va_list args;

	fputs("ok: ", i->out);
	va_start(args, format);
	vfprintf(i->out, format, args);
	va_end(args);
	fputc('\n', i->out);
}

static void __attribute__((format(printf, 2, 3)))
fault(struct inspection *i, const char *format, ...)
{
	va_list args;

	i->faulty = true;
	fputs("fault: ", i->out);
	va_start(args, format);
	vfprintf(i->out, format, args);
	va_end(args);
	fputc('\n', i->out);
}

static struct sockaddr_storage
address(int family, const char *text, in_port_t port)
{
	struct sockaddr_storage a;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(&a, 0, sizeof(a));
	if (family == AF_INET6) {
		inet_pton(AF_INET6, text, &six.sin6_addr);
		memcpy(&a, &six, sizeof(six));
	} else {
		inet_pton(AF_INET, text, &four.sin_addr);
		memcpy(&a, &four, sizeof(four));
	}
	return a;
}

/* With addresses that no host has (RFC 5737, RFC 3849): only a true namespace can give them. */
static void
check_pair(struct inspection *i, const char *name, int family, const char *from, const char *to)
{
	struct sockaddr_storage client = address(family, from, 61000);
	struct sockaddr_storage local = address(family, to, 25);
	char why[BACKEND_WHY_MAX];
	int fds[2], s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s == -1 && errno == EAFNOSUPPORT) {
		ok(i, "no %s on this host", name);
		return;
	}
	if (s != -1)
		close(s);
	if (pair_make(&client, &local, NULL, fds, why, sizeof(why))) {
		close(fds[PAIR_CLIENT]);
		close(fds[PAIR_SERVER]);
		ok(i, "%s connections reach the back end with the client's address", name);
	} else if (geteuid() != 0) {
		fault(i, "%s: %s; run as root, from inetd as well", name, why);
	} else {
		fault(i,
		    "%s: %s; every such client gets 421. The service needs CAP_SYS_ADMIN and "
		    "network namespaces (in a container, allow both)",
		    name, why);
	}
}

static bool
is_remote(const struct inspection *i)
{
	return i->about->remote != NULL && i->about->remote->kind != REMOTE_NONE;
}

static bool
starts_sendmail(const struct inspection *i)
{
	return !is_remote(i) && backend_is_sendmail(i->about->backend);
}

/* The same for a TCP server. A family without one is an administrator's choice. */
static void
check_remote(
    struct inspection *i, const char *name, int family, const char *from, const char *to)
{
	const struct remote *r = i->about->remote;
	struct sockaddr_storage client = address(family, from, 61000);
	struct sockaddr_storage local = address(family, to, 25);
	const bool transparent = r->kind == REMOTE_TRANSPARENT;
	char why[REMOTE_CHECK_MAX];

	if (transparent && (family == AF_INET6 ? r->six : r->four).ss_family == 0)
		ok(i, "no -B for clients of %s: they get 421", name);
	else if (remote_check(r, &client, &local, why, sizeof(why)))
		ok(i, "%s connections reach the back end with the client's address", name);
	else if (transparent)
		fault(i,
		    "%s: back end: %s; every such client gets 421. See TCP BACK ENDS in "
		    "blackpony-receiver(8) for the routing rule",
		    name, why);
	else
		fault(i,
		    "%s: back end: %s; every such client gets 421. See TCP BACK ENDS in "
		    "blackpony-receiver(8) for its settings",
		    name, why);
}

static void
check_key(struct inspection *i)
{
	const char *file = i->about->key_file;
	char why[KEY_REASON_MAX], print[KEY_FINGERPRINT_MAX];
	struct key *key = NULL;

	switch (key_read(&key, file, why)) {
	case KEY_OK:
		key_fingerprint(key_public(key), print);
		ok(i, "host key %s %s", file, print);
		break;
	case KEY_MISSING:
		fault(i,
		    "%s: no host key, so each session has a fresh one that nobody can "
		    "recognise; make one with blackpony-keygen -f %s",
		    file, file);
		break;
	case KEY_REFUSED:
		fault(i, "%s", why);
		break;
	}
	key_free(key);
}

/* The public half alone is what clients are told, so here, once, it is held against the secret.
 */
static bool
next_key_fits(const char *key_file, const uint8_t fingerprint[KEY_HASH], char *why)
{
	char file[4096], told[KEY_FINGERPRINT_MAX], is[KEY_FINGERPRINT_MAX];
	struct key *next;

	(void)snprintf(file, sizeof(file), "%s.next", key_file);
	if (key_read(&next, file, why) != KEY_OK)
		return false;
	key_fingerprint(key_public(next), is);
	key_fingerprint_write(fingerprint, told);
	key_free(next);
	if (strcmp(is, told) == 0)
		return true;
	(void)snprintf(why, KEY_REASON_MAX,
	    "%.255s.pub tells another key than %.51s; remove it and run blackpony-keygen "
	    "--rotate next",
	    file, is);
	return false;
}

static void
check_promise(struct inspection *i)
{
	const struct promise_about *promise = i->about->promise;
	char why[PROMISE_REASON_MAX], print[KEY_FINGERPRINT_MAX];
	struct commitment c;
	struct key *key;

	if (key_read(&key, i->about->key_file, why) != KEY_OK)
		return; /* check_key() has said so */
	if (!promise_make(&c, promise, key_public(key), why))
		fault(i, "no commitment is sent: %s", why);
	else if (c.max_age == 0)
		ok(i, "an earlier commitment is taken back");
	else if (!next_key_fits(i->about->key_file, c.key[0], why))
		fault(i, "the commitment cannot be kept: %s", why);
	else {
		key_fingerprint_write(c.key[0], print);
		ok(i,
		    "commits for %lu seconds to the host key, the next key %s and %lu siblings",
		    (unsigned long)c.max_age, print, (unsigned long)c.keys - 1);
	}
	key_free(key);
}

static void
check_backend(struct inspection *i)
{
	const char *file = i->about->backend[0];
	char why[BACKEND_WHY_MAX];
	struct stat st;

	if (file[0] != '/')
		fault(i, "back end %s: no absolute path; give one after --", file);
	else if (stat(file, &st) == -1)
		fault(i, "back end %s: %s; install it, or name another one after --", file,
		    strerror(errno));
	else if (!S_ISREG(st.st_mode) || access(file, X_OK) == -1)
		fault(i, "back end %s: cannot be executed; name another one after --", file);
	else if (!backend_may_start(i->about->backend, why, sizeof(why)))
		fault(i, "back end %s; every client gets 421", why);
	else
		ok(i, "back end %s", file);
}

/* What matters in a sendmail.cf. */
struct configuration {
	bool delay_checks;
	bool relay_rule; /* sendmail.relay.m4 is in it */
	char trusted_user[64];
};

static bool
read_configuration(struct configuration *c, const char *path)
{
	static const char trusted[] = "O TrustedUser=";
	FILE *cf = fopen(path, "re");
	char line[CF_LINE_MAX];

	memset(c, 0, sizeof(*c));
	if (cf == NULL)
		return false;
	while (fgets(line, sizeof(line), cf) != NULL) {
		/* Only FEATURE(delay_checks) makes check_rcpt call the client's check. */
		if (line[0] == 'R' && strstr(line, "$>checkrelay ") != NULL)
			c->delay_checks = true;
		if (line[0] == 'R' && strstr(line, "$&{pony_relay}") != NULL)
			c->relay_rule = true;
		if (strncmp(line, trusted, sizeof(trusted) - 1) == 0) {
			line[strcspn(line, "\r\n")] = '\0';
			strlcpy(c->trusted_user, line + sizeof(trusted) - 1,
			    sizeof(c->trusted_user));
		}
	}
	(void)fclose(cf);
	return true;
}

/* `sendmail -bs` never calls check_relay, on no kind of connection: without delay_checks
 * nothing looks at the client's address in the access map or a DNSBL. */
static void
check_configuration(struct inspection *i)
{
	const char *path = i->about->sendmail_cf != NULL ? i->about->sendmail_cf : SENDMAIL_CF;
	struct configuration c;

	if (!starts_sendmail(i))
		return;
	if (!read_configuration(&c, path)) {
		fault(i, "%s: %s; install sendmail-cf and run sendmailconfig", path,
		    strerror(errno));
		return;
	}
	if (c.delay_checks)
		ok(i, "%s has delay_checks", path);
	else
		fault(i,
		    "%s: no delay_checks, so the access map and DNSBLs do not see clients; put "
		    "FEATURE(`delay_checks') into sendmail.mc and make sendmail.cf anew",
		    path);
	if (c.trusted_user[0] != '\0' && getpwnam(c.trusted_user) == NULL)
		fault(i,
		    "%s: TrustedUser %s does not exist, and sendmail will not start; create "
		    "the user or change confTRUSTED_USER",
		    path, c.trusted_user);
	else
		ok(i, "TrustedUser %s",
		    c.trusted_user[0] != '\0' ? c.trusted_user : "not set: root");
}

static void
check_balancers(struct inspection *i)
{
	const char *file = i->about->balancers;
	char why[BALANCERS_REASON_MAX];
	struct balancers b;

	if (!balancers_find(&b, file, NULL, why))
		fault(i, "%s; until that is mended every client gets 421", why);
	else
		ok(i, "%s: load balancers, or networks of them: %zu", file, b.count);
}

static void
check_peers(struct inspection *i)
{
	const char *file = i->about->peers;
	char why[PEERS_REASON_MAX];
	struct peers peers;

	if (!peers_find(&peers, file, NULL, why))
		fault(i, "%s; until that is mended every client gets 421", why);
	else if (peers.networks > 0)
		ok(i, "%s: networks of clients: %zu", file, peers.networks);
	else
		ok(i, "%s: nothing is demanded of clients", file);
}

static void
check_relay_keys(struct inspection *i)
{
	const char *cf = i->about->sendmail_cf != NULL ? i->about->sendmail_cf : SENDMAIL_CF;
	const char *file = i->about->relay_keys;
	char why[RELAYKEYS_REASON_MAX];
	struct configuration c;
	struct relaykeys keys;

	if (!relaykeys_find(&keys, file, NULL, why))
		fault(i, "%s; until that is mended nobody may relay by key", why);
	else if (keys.keys == 0)
		ok(i, "%s: nobody may relay by key", file);
	else if (!starts_sendmail(i))
		ok(i,
		    "%s: keys that may relay: %zu, if the back end goes by $PONY_RELAY, which "
		    "is "
		    "not looked at",
		    file, keys.keys);
	else if (!read_configuration(&c, cf) || !c.relay_rule)
		fault(i,
		    "%s has keys, but %s no rule for them; include sendmail.relay.m4 in "
		    "sendmail.mc and make sendmail.cf anew",
		    file, cf);
	else
		ok(i, "%s: keys that may relay: %zu", file, keys.keys);
}

static void
check_limits(struct inspection *i)
{
	const struct limits *l = i->about->limits;
	const unsigned max = limits_load_max(l);
	const double load = limits_load();
	char why[SLOTS_REASON_MAX];
	struct slots slots;

	if (!slots_open(&slots, l->file, why)) {
		fault(i, "%s; until that is mended sessions are not counted", why);
	} else {
		ok(i, "sessions: at most %u, of one client %u (0: no limit); now %u",
		    l->sessions, l->each, slots_count(&slots));
		slots_close(&slots);
	}
	if (max > 0 && load >= max)
		fault(
		    i, "the load is %.2f: from %u on every client gets 421; see -L", load, max);
	else
		ok(i, "the load is %.2f: clients are refused from %u on (0: never)", load, max);
}

static void
check_name(struct inspection *i)
{
	const char *wanted = i->about->name;
	char name[GREETING_NAME_MAX];
	bool qualified = greeting_name(name, sizeof(name));

	if (!qualified)
		fault(i,
		    "host name %s is not fully qualified, and sendmail may wait a minute for "
		    "a better one at each start; put the full name first into its line of "
		    "/etc/hosts",
		    name);
	else if (wanted != NULL && !greeting_is_name(wanted))
		fault(i, "-n %s: no host name", wanted);
	else if (wanted != NULL && strcasecmp(wanted, name) != 0 && starts_sendmail(i))
		fault(i,
		    "-n %s, but sendmail calls itself %s; leave -n out, or define "
		    "confDOMAIN_NAME in sendmail.mc",
		    wanted, name);
	else
		ok(i, "greets as %s", wanted != NULL ? wanted : name);
}

/* In a child: what is given up is given up for good. 0, or why not. */
static int
try_walls(const struct sandbox *walls)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_enter(walls) ? 0 : errno);
	if (pid == -1)
		return errno;
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINVAL;
}

static void
check_walls(struct inspection *i)
{
	struct sandbox walls = {.role = SANDBOX_RECEIVER};
	const struct passwd *user = getpwnam("blackpony-net");
	char why[SANDBOX_REASON_MAX];
	int error;

	if (user == NULL) {
		fault(i,
		    "no user blackpony-net, so what reads the network runs as nobody, as other "
		    "programs may; make it with useradd --system --user-group "
		    "blackpony-net");
		user = getpwnam("nobody");
	}
	walls.user = user != NULL ? user->pw_uid : 0;
	walls.group = user != NULL ? user->pw_gid : 0;
	if ((walls.root = sandbox_root(i->about->empty, why)) == -1) {
		fault(i, "%s; until then every client gets 421", why);
		return;
	}
	if (user == NULL || walls.user == 0)
		fault(i, "no user for what reads the network; every client gets 421");
	else if ((error = try_walls(&walls)) != 0)
		fault(i,
		    "the sandbox: %s; every client gets 421. It needs root, and a kernel "
		    "with seccomp",
		    strerror(error));
	else
		ok(i, "what reads the network is user %s, locked into %s%s", user->pw_name,
		    i->about->empty, sandbox_filters() ? "" : ", without a system call filter");
	close(walls.root);
}

int
inspect_run(const struct inspect_about *about, FILE *out)
{
	struct inspection i = {.about = about, .out = out};
	void (*reach)(struct inspection *, const char *, int, const char *, const char *);

	reach = is_remote(&i) ? check_remote : check_pair;
	reach(&i, "IPv4", AF_INET, "192.0.2.1", "198.51.100.1");
	reach(&i, "IPv6", AF_INET6, "2001:db8::1", "2001:db8::2");
	if (about->empty != NULL)
		check_walls(&i);
	check_key(&i);
	if (about->promise != NULL)
		check_promise(&i);
	if (!is_remote(&i))
		check_backend(&i);
	check_configuration(&i);
	check_name(&i);
	if (about->limits != NULL)
		check_limits(&i);
	if (about->balancers != NULL)
		check_balancers(&i);
	if (about->peers != NULL)
		check_peers(&i);
	if (about->relay_keys != NULL)
		check_relay_keys(&i);
	return i.faulty ? EX_CONFIG : EX_OK;
}
