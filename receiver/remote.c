/*
 * remote - back ends that are TCP servers (remote.h has the contract). Called by main.c, by the
 * monitor and by inspect.c of the receiver.
 *
 * To an MTA a connection from this host is one of its own, and may relay. So nothing of the
 * client's passes unless the MTA has been told otherwise: by the header, which is the first
 * thing it reads, and which the engine makes it show that it took (libxpony/server_dialogue.c);
 * or by the address that the connection comes from, compared with the true one once it is made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/proxy2.h"
#include "pair.h"
#include "remote.h"

#define ADDRESS_MAX INET6_ADDRSTRLEN

static socklen_t
length_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					: sizeof(struct sockaddr_in);
}

/* Cuts "192.0.2.1:25" or "[2001:db8::1]:25" in two. False: neither. */
static bool
cut(const char *text, char address[ADDRESS_MAX], const char **port, int *family)
{
	const bool six = text[0] == '[';
	const char *end;
	size_t n;

	text += six ? 1 : 0;
	end = strchr(text, six ? ']' : ':');
	if (end == NULL || (six && end[1] != ':'))
		return false;
	n = (size_t)(end - text);
	if (n >= ADDRESS_MAX)
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	*port = end + (six ? 2 : 1);
	*family = six ? AF_INET6 : AF_INET;
	return true;
}

static bool
parse_address(struct sockaddr_storage *a, const char *text)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	char address[ADDRESS_MAX];
	const char *port, *why;
	int family;

	memset(a, 0, sizeof(*a));
	if (!cut(text, address, &port, &family))
		return false;
	four.sin_port = six.sin6_port = htons((uint16_t)strtonum(port, 1, UINT16_MAX, &why));
	if (why != NULL)
		return false;
	if (family == AF_INET6) {
		memcpy(a, &six, sizeof(six));
		return inet_pton(family, address, &((struct sockaddr_in6 *)a)->sin6_addr) == 1;
	}
	memcpy(a, &four, sizeof(four));
	return inet_pton(family, address, &((struct sockaddr_in *)a)->sin_addr) == 1;
}

bool
remote_parse(struct remote *r, const char *text)
{
	static const char proxy[] = "proxy:", transparent[] = "transparent:";
	struct sockaddr_storage a, *place;
	enum remote_kind kind;

	if (strncmp(text, proxy, sizeof(proxy) - 1) == 0) {
		kind = REMOTE_PROXY;
		text += sizeof(proxy) - 1;
	} else if (strncmp(text, transparent, sizeof(transparent) - 1) == 0) {
		kind = REMOTE_TRANSPARENT;
		text += sizeof(transparent) - 1;
	} else {
		return false;
	}
	if (!parse_address(&a, text))
		return false;
	place = a.ss_family == AF_INET6 ? &r->six : &r->four;
	if (r->kind != REMOTE_NONE &&
	    (r->kind != kind || kind == REMOTE_PROXY || place->ss_family != 0))
		return false;
	r->kind = kind;
	*place = a;
	return true;
}

/* Where a client of that family is brought to; NULL: nowhere. */
static const struct sockaddr_storage *
server_for(const struct remote *r, int family)
{
	if (r->kind == REMOTE_PROXY)
		return r->four.ss_family != 0 ? &r->four : &r->six;
	if (family == AF_INET && r->four.ss_family != 0)
		return &r->four;
	return family == AF_INET6 && r->six.ss_family != 0 ? &r->six : NULL;
}

static bool
failed(char *why, size_t why_size, const char *what)
{
	snprintf(why, why_size, "%s: %s", what, strerror(errno));
	return false;
}

/* The client's address with its own port, which an earlier connection may still have, or with
 * any that is free. */
static bool
take_address(
    int fd, const struct sockaddr_storage *client, bool any_port, char *why, size_t why_size)
{
	const bool six = client->ss_family == AF_INET6;
	struct sockaddr_storage from = *client;
	const int on = 1;

	if (any_port && six)
		((struct sockaddr_in6 *)&from)->sin6_port = 0;
	else if (any_port)
		((struct sockaddr_in *)&from)->sin_port = 0;
	if (setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
		six ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof(on)) == -1)
		return failed(why, why_size, "IP_TRANSPARENT (needs CAP_NET_ADMIN)");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return failed(why, why_size, "SO_REUSEADDR");
	if (bind(fd, (const struct sockaddr *)&from, length_of(&from)) == -1)
		return failed(why, why_size, "the client's address");
	return true;
}

bool
remote_prepare(struct remote_sockets *s, const struct remote *r,
    const struct sockaddr_storage *client, const struct sockaddr_storage *local, char *why,
    size_t why_size)
{
	const struct sockaddr_storage *server = server_for(r, client->ss_family);
	const int on = 1;
	bool made = true;
	int i;

	*s = (struct remote_sockets){
	    .remote = r, .client = client, .local = local, .fd = {-1, -1}};
	if (server == NULL) {
		snprintf(why, why_size, "no back end for clients of %s: one more -B",
		    client->ss_family == AF_INET6 ? "IPv6" : "IPv4");
		return false;
	}
	s->server = *server;
	for (i = 0; made && i < REMOTE_SOCKETS; i++) {
		s->fd[i] =
		    socket(server->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (s->fd[i] == -1 ||
		    setsockopt(s->fd[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
			made = failed(why, why_size, "socket");
		else if (r->kind == REMOTE_TRANSPARENT)
			made = take_address(s->fd[i], client, i > 0, why, why_size);
	}
	if (!made)
		remote_close(s);
	return made;
}

void
remote_close(struct remote_sockets *s)
{
	int i;

	for (i = 0; i < REMOTE_SOCKETS; i++) {
		if (s->fd[i] != -1)
			(void)close(s->fd[i]);
		s->fd[i] = -1;
	}
}

/* True once connected; else errno. The second connect() tells what became of the first. */
static bool
connect_in_time(int fd, const struct sockaddr_storage *server)
{
	const struct sockaddr *to = (const struct sockaddr *)server;
	const int64_t end = clock_ms() + REMOTE_WAIT_MS;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int64_t left;
	int n;

	if (connect(fd, to, length_of(server)) == 0)
		return true;
	if (errno != EINPROGRESS)
		return false;
	do {
		left = end - clock_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0)
		return false;
	return connect(fd, to, length_of(server)) == 0 || errno == EISCONN;
}

/* It is so short that a new connection has room for all of it. */
static bool
send_header(const struct remote_sockets *s, int fd)
{
	uint8_t header[PROXY2_MAX];
	size_t n = proxy2_build(header, s->client, s->local);

	errno = EAFNOSUPPORT;
	return n > 0 && send(fd, header, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Without its port. */
static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct sockaddr_in four[2];
	struct sockaddr_in6 six[2];

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET) {
		memcpy(&four[0], a, sizeof(four[0]));
		memcpy(&four[1], b, sizeof(four[1]));
		return four[0].sin_addr.s_addr == four[1].sin_addr.s_addr;
	}
	memcpy(&six[0], a, sizeof(six[0]));
	memcpy(&six[1], b, sizeof(six[1]));
	return IN6_ARE_ADDR_EQUAL(&six[0].sin6_addr, &six[1].sin6_addr) &&
	       six[0].sin6_scope_id == six[1].sin6_scope_id;
}

/* In the place of some addresses (0.0.0.0, multicast, broadcast) the kernel puts one of this
 * host, which may relay. It does so when it connects: bind() leaves what it was given. */
static bool
comes_from(int fd, const struct sockaddr_storage *client, char *why, size_t why_size)
{
	char wanted[PAIR_ADDRESS_MAX], is[PAIR_ADDRESS_MAX];
	struct sockaddr_storage found;
	socklen_t n = sizeof(found);

	memset(&found, 0, sizeof(found));
	if (getsockname(fd, (struct sockaddr *)&found, &n) == -1)
		return failed(why, why_size, "address of the connection");
	if (same_address(&found, client))
		return true;
	pair_format(&found, is, sizeof(is));
	pair_format(client, wanted, sizeof(wanted));
	snprintf(why, why_size, "connection from %s for %s", is, wanted);
	return false;
}

/* Nobody answers a transparent connection whose answers are not routed back. */
static enum remote_result
blame(const struct remote *r, int error)
{
	return r->kind == REMOTE_TRANSPARENT && error != ECONNREFUSED ? REMOTE_WRONG
								      : REMOTE_DOWN;
}

enum remote_result
remote_connect(struct remote_sockets *s, int *fd, char *why, size_t why_size)
{
	char address[PAIR_ADDRESS_MAX];
	int error = EBADF, i;
	bool connected = false;

	for (i = 0; !connected && i < REMOTE_SOCKETS; i++) {
		if ((*fd = s->fd[i]) == -1)
			continue;
		s->fd[i] = -1;
		connected = connect_in_time(*fd, &s->server) &&
			    (s->remote->kind != REMOTE_PROXY || send_header(s, *fd));
		error = errno;
		if (!connected)
			(void)close(*fd);
		/* The client's port is that of its last connection still: any other, then. */
		if (error != EADDRNOTAVAIL && error != EADDRINUSE)
			break;
	}
	if (connected) {
		if (s->remote->kind != REMOTE_TRANSPARENT ||
		    comes_from(*fd, s->client, why, why_size))
			return REMOTE_CONNECTED;
		(void)close(*fd);
		*fd = -1;
		return REMOTE_WRONG;
	}
	*fd = -1;
	pair_format(&s->server, address, sizeof(address));
	snprintf(why, why_size, "%s: %s%s", address, strerror(error),
	    blame(s->remote, error) == REMOTE_WRONG && error == ETIMEDOUT
		? "; is the routing rule in place?"
		: "");
	return blame(s->remote, error);
}
