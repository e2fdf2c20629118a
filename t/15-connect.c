/*
 * 15-connect - the walk from address to address: real listeners on loopback, one that takes no
 * more connections, and ports where nobody listens. Destinations that need a name server are in
 * t/14-resolve.sh.
 */
#include "mailer/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/clock.h"
#include "t/tap.h"

static struct hop hop;
static struct verdict verdict;
static uint16_t port;

/* A listener on address, on the one port of this test (0: picks it). */
static int
listen_on(const char *address, uint16_t at, int backlog)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(at)};
	socklen_t n = sizeof in4;
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &in4.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&in4, sizeof in4) != 0 || listen(fd, backlog) != 0 ||
	    getsockname(fd, (struct sockaddr *)&in4, &n) != 0)
		bail("listen on %s: %s", address, strerror(errno));
	port = ntohs(in4.sin_port);
	return fd;
}

static struct route *
route_to(const char *text, const struct route_options *options)
{
	struct destination_list list;
	struct route_options o = *options;
	struct route *route;
	char fault[128];

	o.port = port;
	if (!destination_parse(&list, text, fault, sizeof fault))
		bail("%s", fault);
	route = route_new(&list, &o, NULL);
	if (route == NULL)
		bail("no memory");
	return route;
}

static bool
is_peer(int fd, const char *address)
{
	struct sockaddr_in in4;
	socklen_t n = sizeof in4;
	char text[INET_ADDRSTRLEN];

	return getpeername(fd, (struct sockaddr *)&in4, &n) == 0 &&
	       strcmp(inet_ntop(AF_INET, &in4.sin_addr, text, sizeof text), address) == 0;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof value;

	return getsockopt(fd, level, name, &value, &n) == 0 ? value : -1;
}

static const struct route_options plain;

static void
test_total(void)
{
	const struct route_options one = {.total_seconds = 1};
	int a = listen_on("127.0.0.2", 0, 8);
	struct route *route = route_to("[127.0.0.2]:[127.0.0.2]", &one);

	is_int(route_next(route, -1, &hop, &verdict), ROUTE_CONNECTED, "in time");
	close(hop.fd);
	poll(NULL, 0, 1050);
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "too late, although it listens");
	is_int(verdict.code, 451, "451");
	route_free(route);
	close(a);
}

static void
test_walk(void)
{
	int a = listen_on("127.0.0.2", 0, 8), b = listen_on("127.0.0.4", port, 8);
	struct route *route = route_to("[127.0.0.1]:[127.0.0.2]:[127.0.0.3]:127.0.0.4", &plain);

	is_int(route_next(route, -1, &hop, &verdict), ROUTE_CONNECTED,
	    "the first address that listens");
	ok(is_peer(hop.fd, "127.0.0.2"), "is connected");
	is_str(hop.host, "[127.0.0.2]", "host");
	is_str(hop.address, "127.0.0.2", "address");
	is_str(hop.domain, "[127.0.0.2]", "destination");
	is_int(hop.port, port, "port");
	ok(hop.mx_authentic, "no name server chose it");
	ok(option(hop.fd, IPPROTO_TCP, TCP_NODELAY) == 1, "TCP_NODELAY");
	ok(option(hop.fd, IPPROTO_TCP, TCP_QUICKACK) == 0, "no TCP_QUICKACK");
	ok(option(hop.fd, SOL_SOCKET, SO_KEEPALIVE) == 1, "SO_KEEPALIVE");
	ok(fcntl(hop.fd, F_GETFL) & O_NONBLOCK, "non-blocking");
	ok(fcntl(hop.fd, F_GETFD) & FD_CLOEXEC, "close-on-exec");
	close(hop.fd);
	is_int(route_again(route, -1, &hop, &verdict), ROUTE_CONNECTED, "again");
	ok(is_peer(hop.fd, "127.0.0.2"), "the same");
	close(hop.fd);
	close(a);
	is_int(route_again(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "again, now that it is down");
	is_int(verdict.code, 451, "451");
	is_str(verdict.enhanced, "4.4.1", "4.4.1");
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_CONNECTED, "and on to the next");
	ok(is_peer(hop.fd, "127.0.0.4"), "that listens");
	close(hop.fd);
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED, "there is no more");
	is_int(verdict.code, 451, "a host that took a connection and no mail: 451");
	is_str(verdict.enhanced, "4.4.2", "4.4.2");
	is_int(
	    route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED, "and there stays no more");
	is_str(verdict.enhanced, "4.4.2", "with the same verdict");
	route_free(route);
	close(b);
}

static void
test_verdicts(void)
{
	char wanted[128];
	int a = listen_on("127.0.0.2", 0, 8);
	struct route *route = route_to("[127.0.0.1]:[IPv6:::1]", &plain);
	const struct route_options ipv4 = {.family = AF_INET};

	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED, "nobody listens");
	is_int(verdict.code, 451, "451");
	is_str(verdict.enhanced, "4.4.1", "4.4.1");
	ok(strncmp(verdict.text, "[IPv6:::1] port ", 16) == 0, "names the last host: %s",
	    verdict.text);
	route_free(route);

	route = route_to("[127.0.0.1]", &plain);
	route_next(route, -1, &hop, &verdict);
	snprintf(wanted, sizeof wanted, "[127.0.0.1] port %u: Connection refused", port);
	is_str(verdict.text, wanted, "and why");
	route_free(route);

	route = route_to("[IPv6:::1]", &ipv4);
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "IPv6 when only IPv4 is wanted");
	is_int(verdict.code, 550, "550");
	is_str(verdict.enhanced, "5.4.4", "5.4.4");
	route_free(route);

	route = route_to("[127.0.0.2]:[127.0.0.1]:[IPv6:::1]", &ipv4);
	route_next(route, -1, &hop, &verdict);
	close(hop.fd);
	route_note_failure(route, 421, "4.3.2", "mx.test [127.0.0.2]: 421 later\r\n\x80");
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "a host said 421, the others nothing");
	is_int(verdict.code, 451, "451, for it is not we who close");
	is_str(verdict.enhanced, "4.3.2", "4.3.2");
	is_str(verdict.text, "mx.test [127.0.0.2]: 421 later???", "its words, made printable");
	route_note_failure(route, 554, "5.7.1", "x");
	route_next(route, -1, &hop, &verdict);
	is_int(verdict.code, 451, "what is noted is temporary");
	is_str(verdict.enhanced, "4.4.2", "in the enhanced code too");
	route_note_failure(route, 450, NULL, "x");
	route_next(route, -1, &hop, &verdict);
	is_int(verdict.code, 450, "without an enhanced code");
	is_str(verdict.enhanced, "4.4.2", "it is 4.4.2");
	route_free(route);
	close(a);
}

static void
test_source(void)
{
	int a = listen_on("127.0.0.2", 0, 8), fd;
	struct route_options o = plain;
	struct sockaddr_in *in4 = (struct sockaddr_in *)&o.source, from;
	socklen_t n = sizeof from;
	struct route *route;

	in4->sin_family = AF_INET;
	inet_pton(AF_INET, "127.0.0.9", &in4->sin_addr);
	route = route_to("[127.0.0.2]", &o);
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_CONNECTED, "from a source address");
	fd = accept(a, (struct sockaddr *)&from, &n);
	ok(from.sin_addr.s_addr == in4->sin_addr.s_addr, "the other side sees it");
	close(fd);
	close(hop.fd);
	route_free(route);

	inet_pton(AF_INET, "192.0.2.1", &in4->sin_addr);
	route = route_to("[127.0.0.2]", &o);
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "from one that is not ours");
	ok(strstr(verdict.text, "source address: ") != NULL, "it is named: %s", verdict.text);
	is_int(verdict.code, 451, "and temporary: interfaces come and go");
	route_free(route);

	memset(&o.source, 0, sizeof o.source);
	o.source.ss_family = AF_INET6;
	route = route_to("[127.0.0.2]", &o);
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_CONNECTED,
	    "one of the other family is left alone");
	close(hop.fd);
	route_free(route);
	close(a);
}

/* A listener whose queue is full: it answers no SYN. Fills hold with what fills it. */
static int
listen_deaf(const char *address, int hold[8])
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	int fd = listen_on(address, 0, 0);

	in4.sin_port = htons(port);
	inet_pton(AF_INET, address, &in4.sin_addr);
	for (int i = 0; i < 8; i++) {
		hold[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(hold[i], (struct sockaddr *)&in4, sizeof in4);
	}
	return fd;
}

static void
test_time(void)
{
	const struct route_options one = {.connect_seconds = 1};
	const struct route_options two = {.total_seconds = 2};
	struct route *route;
	int hold[8], watch[2];
	int a = listen_deaf("127.0.0.2", hold);
	int64_t begin;

	poll(NULL, 0, 100);
	route = route_to("[127.0.0.2]", &one);
	begin = clock_ms();
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "a host that answers no SYN");
	ok(clock_ms() - begin >= 1000 && clock_ms() - begin < 1900, "costs its own timeout");
	ok(strstr(verdict.text, "timed out") != NULL, "%s", verdict.text);
	route_free(route);

	route = route_to(
	    "[127.0.0.2],[127.0.0.2],[127.0.0.2],[127.0.0.2],[127.0.0.2],[127.0.0.1]", &two);
	begin = clock_ms();
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED, "five of them");
	ok(clock_ms() - begin < 2300, "end within the total");
	ok(strncmp(verdict.text, "[127.0.0.1]", 11) == 0, "and the last one had its turn: %s",
	    verdict.text);
	poll(NULL, 0, 2100 - (int)(clock_ms() - begin));
	is_int(route_next(route, -1, &hop, &verdict), ROUTE_EXHAUSTED,
	    "after the total nothing is tried");
	is_int(route_again(route, -1, &hop, &verdict), ROUTE_EXHAUSTED, "not even again");
	is_int(verdict.code, 451, "451");
	route_free(route);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, watch) != 0)
		bail("no socket pair");
	(void)send(watch[1], "x", 1, 0);
	route = route_to("[127.0.0.2]", &one);
	is_int(route_next(route, watch[0], &hop, &verdict), ROUTE_EXHAUSTED,
	    "what the engine says ends no wait");
	route_free(route);
	close(watch[1]);
	route = route_to("[127.0.0.2]", &plain);
	begin = clock_ms();
	is_int(route_next(route, watch[0], &hop, &verdict), ROUTE_HANGUP, "its end does");
	ok(clock_ms() - begin < 1000, "at once");
	route_free(route);
	close(watch[0]);
	for (int i = 0; i < 8; i++)
		close(hold[i]);
	close(a);
}

int
main(void)
{
	test_walk();
	test_verdicts();
	test_source();
	test_total();
	test_time();
	route_free(NULL);
	return tap_done();
}
