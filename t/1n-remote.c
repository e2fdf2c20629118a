/*
 * 1n-remote - receiver/remote with a server that is reached from the client's own address: the
 * server sees that address, or no connection is handed over. In a network namespace to which
 * every address is local, so that no routing rule is needed.
 */
#include "receiver/remote.h"
#include "receiver/netns.h"
#include "receiver/pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "t/tap.h"

#define OPTION_MAX 64

static int listener[2]; /* IPv4, IPv6 */
static struct remote remote;

static struct sockaddr_storage
address(const char *text, in_port_t port)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(&a, &six, sizeof(six));
	else if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		memcpy(&a, &four, sizeof(four));
	else
		bail("no address: %s", text);
	return a;
}

static const char *
as_text(const struct sockaddr_storage *a)
{
	static char text[PAIR_ADDRESS_MAX];

	pair_format(a, text, sizeof(text));
	return text;
}

/* A server on a port of the kernel's, for -B. */
static int
serve(const char *host)
{
	struct sockaddr_storage a = address(host, 0);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char option[OPTION_MAX];
	socklen_t n = sizeof(a);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 8) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		bail("no server at %s", host);
	if (a.ss_family == AF_INET6)
		(void)snprintf(option, sizeof(option), "transparent:[%s]:%u", host,
		    ntohs(((struct sockaddr_in6 *)&a)->sin6_port));
	else
		(void)snprintf(option, sizeof(option), "transparent:%s:%u", host,
		    ntohs(((struct sockaddr_in *)&a)->sin_port));
	if (!remote_parse(&remote, option))
		bail("not taken: %s", option);
	return fd;
}

/* What the server has accepted, or -1. */
static int
accepted(const struct sockaddr_storage *client, struct sockaddr_storage *seen)
{
	const int from = listener[client->ss_family == AF_INET6];
	struct pollfd p = {.fd = from, .events = POLLIN};
	socklen_t n = sizeof(*seen);

	memset(seen, 0, sizeof(*seen));
	return poll(&p, 1, 0) == 1 ? accept(from, (struct sockaddr *)seen, &n) : -1;
}

/* Both connections of a session: the second has another port. */
static void
comes_from(const char *text)
{
	const struct sockaddr_storage client = address(text, 40001), local = address(text, 25);
	struct sockaddr_storage seen, wanted = client;
	char why[256] = "";
	struct remote_sockets s;
	int fd = -1, end;

	ok(remote_prepare(&s, &remote, &client, &local, why, sizeof(why)), "%s: %s", text, why);
	is_int(
	    remote_connect(&s, &fd, why, sizeof(why)), REMOTE_CONNECTED, "%s: connected", text);
	end = accepted(&client, &seen);
	ok(memcmp(&seen, &wanted, sizeof(seen)) == 0, "the server sees %s", as_text(&seen));
	(void)close(fd);
	(void)close(end);
	is_int(remote_connect(&s, &fd, why, sizeof(why)), REMOTE_CONNECTED, "once more");
	end = accepted(&client, &seen);
	ok(strncmp(as_text(&seen) + (seen.ss_family == AF_INET6), text, strlen(text)) == 0,
	    "the server sees %s", as_text(&seen));
	(void)close(fd);
	(void)close(end);
	remote_close(&s);
}

/* At the latest when it is connected it is seen whom the kernel has put in the client's place;
 * nothing is said then. */
static void
refused(const char *text)
{
	const struct sockaddr_storage client = address(text, 40001), local = address(text, 25);
	struct sockaddr_storage seen;
	char why[256] = "", octet;
	struct remote_sockets s;
	int fd = -1, end;

	if (remote_prepare(&s, &remote, &client, &local, why, sizeof(why)))
		is_int(remote_connect(&s, &fd, why, sizeof(why)), REMOTE_WRONG,
		    "%s: wrong when connected", text);
	else
		ok(true, "%s: wrong from the first", text);
	is_int(fd, -1, "there is no connection");
	ok(why[0] != '\0', "because: %s", why);
	if (fd >= 0)
		(void)close(fd);
	end = accepted(&client, &seen);
	ok(end < 0 || read(end, &octet, 1) == 0, "and the server has heard nothing");
	(void)close(end);
	remote_close(&s);
}

int
main(void)
{
	char why[256];
	const int home = geteuid() == 0 ? netns_home() : -1;

	if (home < 0) {
		printf("1..0 # SKIP needs root, for network namespaces\n");
		return 0;
	}
	if (!netns_enter_fresh(why, sizeof(why)))
		bail("no namespace: %s", why);
	listener[0] = serve("127.0.0.1");
	listener[1] = serve("::1");
	comes_from("192.0.2.7");
	comes_from("2001:db8::7");
	comes_from("127.0.0.2");
	refused("0.0.0.0");
	refused("224.0.0.1");
	refused("255.255.255.255");
	refused("127.255.255.255");
	refused("::");
	refused("ff02::1");
	refused("fe80::1");
	netns_leave(home);
	return tap_done();
}
