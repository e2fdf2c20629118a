/*
 * 14-resolver - the wall between the child that reads DNS answers and its parent: what the
 * child has, and what the parent does when it lies, dies or dawdles. The look-ups are
 * t/14-resolve.sh's.
 *
 * The source is included, so that the parent can be given a child of the test's own.
 */
#include "lib/resolve.c"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include "t/tap.h"

static const struct resolve_options any = {.family = AF_UNSPEC};

/* A good result with one address; each liar spoils it. */
static struct resolve_result
good_result(void)
{
	struct resolve_result r;
	struct sockaddr_in *in4 = (struct sockaddr_in *)&r.address[0].address;

	memset(&r, 0, sizeof r);
	r.outcome = RESOLVE_FOUND;
	r.count = 1;
	strlcpy(r.address[0].host, "mx.test", sizeof r.address[0].host);
	in4->sin_family = AF_INET;
	in4->sin_addr.s_addr = htonl(0xc0000201);
	return r;
}

static void
fill(struct resolve_result *r)
{
	for (size_t i = 1; i < RESOLVE_ADDRESSES; i++)
		r->address[i] = r->address[0];
}

/* A resolver whose child answers any request with n octets of r. */
static struct resolver *
start_liar(const void *r, size_t n)
{
	struct resolver *resolver = malloc(sizeof *resolver);
	struct resolve_request request;
	int pair[2];

	if (resolver == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		bail("no socket pair");
	resolver->fd = pair[0];
	resolver->family = AF_UNSPEC;
	resolver->pid = fork();
	if (resolver->pid == 0) {
		close(pair[0]);
		while (recv(pair[1], &request, sizeof request, 0) > 0)
			send(pair[1], r, n, MSG_NOSIGNAL);
		_exit(0);
	}
	close(pair[1]);
	return resolver;
}

static enum resolve_outcome
ask_liar(const void *lie, size_t n, struct resolve_result *r)
{
	struct resolver *resolver = start_liar(lie, n);

	if (!resolve_ask(resolver, "test", true, clock_ms() + 10000, -1, r))
		bail("hang-up of nothing");
	resolve_stop(resolver);
	return r->outcome;
}

#define LIES(what, spoil)                                                                      \
	do {                                                                                   \
		struct resolve_result lie = good_result();                                     \
		spoil;                                                                         \
		is_int(                                                                        \
		    ask_liar(&lie, sizeof lie, &got), RESOLVE_TEMPORARY, "a lie: %s", what);   \
		is_int(got.count, 0, "and nothing of it is kept");                             \
	} while (0)

static void
test_lies(void)
{
	static struct resolve_result got;
	struct resolve_result honest = good_result();

	is_int(ask_liar(&honest, sizeof honest, &got), RESOLVE_FOUND, "an honest result");
	is_str(got.address[0].host, "mx.test", "is handed on");
	is_int(ask_liar(&honest, sizeof honest - 1, &got), RESOLVE_TEMPORARY, "one octet less");
	is_int(ask_liar(&honest, 1, &got), RESOLVE_TEMPORARY, "one octet");
	LIES("an outcome that there is not", lie.outcome = RESOLVE_OUTCOMES);
	LIES("a negative outcome", lie.outcome = (enum resolve_outcome) - 1);
	LIES("more addresses than fit", (fill(&lie), lie.count = RESOLVE_ADDRESSES + 1));
	LIES("four billion addresses", lie.count = UINT32_MAX);
	LIES("found nothing", lie.count = 0);
	LIES("unknown, with an address", lie.outcome = RESOLVE_UNKNOWN);
	LIES("a second address that is none", lie.count = 2);
	LIES("a name without end", memset(lie.address[0].host, 'a', RESOLVE_NAME));
	LIES("a name with a line end", strlcpy(lie.address[0].host, "a\r\nb", RESOLVE_NAME));
	LIES("an empty name", lie.address[0].host[0] = '\0');
	LIES("a culprit without end", memset(lie.culprit, 'a', RESOLVE_NAME));
	LIES("a culprit with a space", strlcpy(lie.culprit, "a b", RESOLVE_NAME));
	LIES("a UNIX socket", lie.address[0].address.ss_family = AF_UNIX);
	LIES("a bool that is neither", memset(&lie.address[0].mx_authentic, 2, 1));
}

static enum resolve_keys_outcome
ask_liar_for_keys(const void *lie, size_t n, struct resolve_keys *r)
{
	struct resolver *resolver = start_liar(lie, n);

	if (!resolve_keys(resolver, "mx.test", clock_ms() + 10000, -1, r))
		bail("hang-up of nothing");
	resolve_stop(resolver);
	return r->outcome;
}

#define LIES_OF_KEYS(what, spoil)                                                              \
	do {                                                                                   \
		struct resolve_keys lie = honest;                                              \
		spoil;                                                                         \
		is_int(ask_liar_for_keys(&lie, sizeof lie, &got), RESOLVE_KEYS_TEMPORARY,      \
		    "a lie of keys: %s", what);                                                \
		is_int(got.count, 0, "and none is kept");                                      \
	} while (0)

static void
test_lies_of_keys(void)
{
	const struct resolve_keys honest = {RESOLVE_KEYS_AUTHENTIC, 1, 0, {{7}}};
	const struct resolve_result hosts = good_result();
	struct resolve_keys got;

	is_int(ask_liar_for_keys(&honest, sizeof honest, &got), RESOLVE_KEYS_AUTHENTIC,
	    "an honest key");
	ok(got.count == 1 && got.key[0][0] == 7, "is handed on");
	is_int(ask_liar_for_keys(&honest, sizeof honest - 1, &got), RESOLVE_KEYS_TEMPORARY,
	    "one octet less");
	is_int(ask_liar_for_keys(&hosts, sizeof hosts, &got), RESOLVE_KEYS_TEMPORARY,
	    "addresses, and no keys");
	LIES_OF_KEYS("an outcome that there is not", lie.outcome = RESOLVE_KEYS_OUTCOMES);
	LIES_OF_KEYS("a negative outcome", lie.outcome = (enum resolve_keys_outcome) - 1);
	LIES_OF_KEYS("more than fit", lie.count = RESOLVE_KEYS + 1);
	LIES_OF_KEYS("found none", lie.count = 0);
	LIES_OF_KEYS("denied, with a key", lie.outcome = RESOLVE_KEYS_DENIED);
	LIES_OF_KEYS("no answer, with a key", lie.outcome = RESOLVE_KEYS_TEMPORARY);
}

static void
test_address_is_rebuilt(void)
{
	static struct resolve_result got;
	struct resolve_result lie = good_result();
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&lie.address[0].address;

	memset(in6, 0xff, sizeof lie.address[0].address);
	in6->sin6_family = AF_INET6;
	is_int(ask_liar(&lie, sizeof lie, &got), RESOLVE_FOUND, "an address with more in it");
	in6 = (struct sockaddr_in6 *)&got.address[0].address;
	ok(in6->sin6_port == 0 && in6->sin6_scope_id == 0 && in6->sin6_flowinfo == 0,
	    "comes without port, scope and flow");
	is_int(in6->sin6_addr.s6_addr[15], 0xff, "and with its octets");
}

/* The number of descriptors that a process has open; -1: none of our business. What valgrind
 * has for itself is above the limit that it shows us. */
static int
count_descriptors(pid_t pid)
{
	char path[64];
	const struct dirent *entry;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.' && atoi(entry->d_name) < sysconf(_SC_OPEN_MAX);
	closedir(dir);
	return n;
}

static bool
status_has(pid_t pid, const char *line)
{
	char path[64], status[8192];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, status, sizeof status - 1);
	if (fd >= 0)
		close(fd);
	status[n < 0 ? 0 : n] = '\0';
	return strstr(status, line) != NULL;
}

static void
test_child_has_nothing(void)
{
	const int pipe_of_sendmail = open("/dev/null", O_RDONLY);
	struct resolver *resolver = resolve_start(&any);
	const pid_t pid = resolver->pid;
	int n, tries;

	while (!status_has(resolver->pid, "NoNewPrivs:\t1") && kill(resolver->pid, 0) == 0)
		poll(NULL, 0, 10);
	ok(status_has(resolver->pid, "NoNewPrivs:\t1"), "the child gains no privileges");
	/* It opens /etc/resolv.conf for a moment; what it inherited would stay. */
	for (tries = 0; (n = count_descriptors(resolver->pid)) > 1 && tries < 500; tries++)
		poll(NULL, 0, 10);
	if (n >= 0)
		is_int(n, 1, "and has one descriptor");
	else
		ok(errno == EACCES, "and does not let its descriptors be counted");
	resolve_stop(resolver);
	ok(kill(pid, 0) != 0 && errno == ESRCH, "it is gone after resolve_stop");
	close(pipe_of_sendmail);
}

static void
test_child_dies(void)
{
	static struct resolve_result r;
	struct resolve_keys k;
	struct resolver *resolver = resolve_start(&any);

	kill(resolver->pid, SIGKILL);
	ok(resolve_ask(resolver, "mx.test", true, clock_ms() + 10000, -1, &r), "a dead child");
	is_int(r.outcome, RESOLVE_TEMPORARY, "is a temporary fault");
	is_str(r.culprit, "mx.test", "that names what was asked");
	ok(resolve_ask(resolver, "mx.test", true, clock_ms() + 10000, -1, &r), "and again");
	is_int(r.outcome, RESOLVE_TEMPORARY, "the same");
	ok(resolve_ask(resolver, "a..b", true, clock_ms() + 10000, -1, &r), "a bad name");
	is_int(r.outcome, RESOLVE_BAD_NAME, "needs no child");
	ok(resolve_keys(resolver, "mx.test", clock_ms() + 10000, -1, &k), "nor do keys");
	is_int(k.outcome, RESOLVE_KEYS_TEMPORARY, "without it");
	ok(resolve_keys(resolver, "[192.0.2.1]", clock_ms() + 10000, -1, &k), "an address");
	is_int(k.outcome, RESOLVE_KEYS_NONE, "has none");
	resolve_stop(resolver);
}

static void
test_child_dawdles(void)
{
	static struct resolve_result r;
	struct resolver *resolver = resolve_start(&any);
	int64_t begin = clock_ms();
	int watch[2];

	kill(resolver->pid, SIGSTOP);
	ok(resolve_ask(resolver, "mx.test", true, begin + 300, -1, &r),
	    "a child that stands still");
	is_int(r.outcome, RESOLVE_TEMPORARY, "is a temporary fault");
	ok(clock_ms() - begin >= 300 && clock_ms() - begin < 3000, "at the deadline");
	is_int(resolver->fd, -1, "and is not asked again: it would answer the question before");
	resolve_stop(resolver);

	/* The pair comes after the child, as the engine does, lest the child holds it open. */
	resolver = resolve_start(&any);
	kill(resolver->pid, SIGSTOP);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, watch) != 0)
		bail("no socket pair");
	send(watch[1], "x", 1, 0);
	begin = clock_ms();
	ok(resolve_ask(resolver, "mx.test", true, begin + 300, watch[0], &r),
	    "what the engine says does not end the wait");
	resolve_stop(resolver);
	close(watch[0]);
	close(watch[1]);

	resolver = resolve_start(&any);
	kill(resolver->pid, SIGSTOP);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, watch) != 0)
		bail("no socket pair");
	close(watch[1]);
	begin = clock_ms();
	ok(!resolve_ask(resolver, "mx.test", true, begin + 20000, watch[0], &r),
	    "its end does");
	ok(clock_ms() - begin < 3000, "at once");
	close(watch[0]);
	resolve_stop(resolver);
	resolve_stop(NULL);
}

int
main(void)
{
	test_lies();
	test_lies_of_keys();
	test_address_is_rebuilt();
	test_child_has_nothing();
	test_child_dies();
	test_child_dawdles();
	return tap_done();
}
