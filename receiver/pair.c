/*
 * pair - the TCP connection through which a back end sees its true client (pair.h has the
 * contract). Called by receiver/main.c for each back end and by receiver/inspect.c.
 *
 * In a network namespace with nothing but a loopback device, to which every address is local
 * (receiver/netns.h), a socket may bind the client's address and another one listen on ours,
 * and the kernel connects the two inside. Sockets stay in the namespace they were made in, so
 * we go back at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netns.h"
#include "pair.h"

#define PAIR_WAIT_MS 1000 /* for the connect, and once more for the accept */

/* One pair in the making. An fd is -1 while it is not open. */
struct making {
	const struct sockaddr_storage *client, *local;
	int listener;
	int *fds;
	char *why;
	size_t why_size;
};

/* Says what failed, with errno; always false. */
static bool
failed(struct making *m, const char *what)
{
	snprintf(m->why, m->why_size, "%s: %s", what, strerror(errno));
	return false;
}

/* The same for an address. */
static bool
failed_at(struct making *m, const char *what, const struct sockaddr_storage *address)
{
	char text[PAIR_ADDRESS_MAX];
	int e = errno;

	pair_format(address, text, sizeof(text));
	snprintf(m->why, m->why_size, "%s %s: %s", what, text, strerror(e));
	return false;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static socklen_t
length_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					: sizeof(struct sockaddr_in);
}

bool
pair_normalise(struct sockaddr_storage *address)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (address->ss_family == AF_INET6) {
		memcpy(&six, address, sizeof(six));
		memset(address, 0, sizeof(*address));
		if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
			six.sin6_flowinfo = 0;
			memcpy(address, &six, sizeof(six));
			return true;
		}
		memset(&four, 0, sizeof(four));
		four.sin_family = AF_INET;
		four.sin_port = six.sin6_port;
		memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], sizeof(four.sin_addr));
	} else if (address->ss_family == AF_INET) {
		memcpy(&four, address, sizeof(four));
		memset(four.sin_zero, 0, sizeof(four.sin_zero));
		memset(address, 0, sizeof(*address));
	} else {
		return false;
	}
	memcpy(address, &four, sizeof(four));
	return true;
}

void
pair_format(const struct sockaddr_storage *address, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (address->ss_family == AF_INET) {
		memcpy(&four, address, sizeof(four));
		inet_ntop(AF_INET, &four.sin_addr, text, sizeof(text));
		snprintf(out, size, "%s:%u", text, ntohs(four.sin_port));
	} else if (address->ss_family == AF_INET6) {
		memcpy(&six, address, sizeof(six));
		inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof(text));
		if (six.sin6_scope_id != 0)
			snprintf(out, size, "[%s%%%u]:%u", text, six.sin6_scope_id,
			    ntohs(six.sin6_port));
		else
			snprintf(out, size, "[%s]:%u", text, ntohs(six.sin6_port));
	} else {
		snprintf(out, size, "unknown");
	}
}

/* Both are normalised, so equal addresses are equal octets, scope and port included. */
static bool
same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A non-blocking TCP socket bound to the address, -1 on failure. */
static int
bound_socket(struct making *m, const struct sockaddr_storage *address)
{
	int on = 1;
	int s = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s == -1) {
		failed(m, "socket");
		return -1;
	}
	/* Pairs of other sessions may have an end with our own address, or have just ended. */
	if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		failed(m, "SO_REUSEADDR");
	/* An IPv6 bind looks at the addresses of devices, not at routes. */
	else if (address->ss_family == AF_INET6 &&
		 setsockopt(s, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) == -1)
		failed(m, "IPV6_FREEBIND");
	else if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		failed(m, "TCP_NODELAY");
	else if (bind(s, (const struct sockaddr *)address, length_of(address)) == -1)
		failed_at(m, "bind", address);
	else
		return s;
	close(s);
	return -1;
}

/* True once the fd is ready; else errno is set. */
static bool
wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&p, 1, PAIR_WAIT_MS);
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

/* A connection on the loopback device completes in the listener's queue, before it is accepted.
 */
static bool
connect_client(struct making *m)
{
	int s, fault = 0;
	socklen_t n = sizeof(fault);

	m->fds[PAIR_CLIENT] = s = bound_socket(m, m->client);
	if (s == -1)
		return false;
	if (connect(s, (const struct sockaddr *)m->local, length_of(m->local)) == -1) {
		if (errno != EINPROGRESS || !wait_for(s, POLLOUT) ||
		    getsockopt(s, SOL_SOCKET, SO_ERROR, &fault, &n) == -1)
			return failed_at(m, "connect to", m->local);
	}
	errno = fault;
	if (fault != 0)
		return failed_at(m, "connect to", m->local);
	if (fcntl(s, F_SETFL, 0) == -1)
		return failed(m, "fcntl");
	return true;
}

static bool
accept_client(struct making *m)
{
	int on = 1;

	if (!wait_for(m->listener, POLLIN))
		return failed(m, "accept");
	m->fds[PAIR_SERVER] = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
	if (m->fds[PAIR_SERVER] == -1)
		return failed(m, "accept");
	if (setsockopt(m->fds[PAIR_SERVER], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		return failed(m, "TCP_NODELAY");
	return true;
}

/* Is this what the end says about itself (getsockname) or about its peer (getpeername)? */
static bool
says(struct making *m, int (*ask)(int, struct sockaddr *, socklen_t *), int fd,
    const struct sockaddr_storage *wanted)
{
	char found_text[PAIR_ADDRESS_MAX], wanted_text[PAIR_ADDRESS_MAX];
	struct sockaddr_storage found;
	socklen_t n = sizeof(found);

	memset(&found, 0, sizeof(found));
	if (ask(fd, (struct sockaddr *)&found, &n) == -1)
		return failed(m, "address of the pair");
	if (pair_normalise(&found) && same(&found, wanted))
		return true;
	pair_format(&found, found_text, sizeof(found_text));
	pair_format(wanted, wanted_text, sizeof(wanted_text));
	snprintf(m->why, m->why_size, "pair has %s for %s", found_text, wanted_text);
	return false;
}

/* The kernel replaces some addresses silently (multicast, 0.0.0.0, port 0), and a back end that
 * sees another client than the true one may relay for it: nothing but the exact pair will do.
 */
static bool
is_exact(struct making *m)
{
	return says(m, getsockname, m->fds[PAIR_CLIENT], m->client) &&
	       says(m, getpeername, m->fds[PAIR_CLIENT], m->local) &&
	       says(m, getsockname, m->fds[PAIR_SERVER], m->local) &&
	       says(m, getpeername, m->fds[PAIR_SERVER], m->client);
}

/* Runs in the private namespace. */
static bool
make_inside(struct making *m)
{
	bool made;

	m->listener = bound_socket(m, m->local);
	made = m->listener != -1 &&
	       (listen(m->listener, 1) == 0 || failed_at(m, "listen on", m->local)) &&
	       connect_client(m) && accept_client(m) && is_exact(m);
	close_fd(&m->listener);
	if (!made) {
		close_fd(&m->fds[PAIR_CLIENT]);
		close_fd(&m->fds[PAIR_SERVER]);
	}
	return made;
}

static bool
make_kept(struct making *m, const char *kept)
{
	int home = netns_home(), turn;
	bool made;

	if (home == -1)
		return failed(m, "network namespace");
	turn = netns_enter_kept(kept, home);
	made = turn != -1 && make_inside(m);
	netns_leave(home);
	close_fd(&turn);
	return made;
}

bool
pair_keep(const char *kept)
{
	int home = netns_home(), turn;

	if (home == -1)
		return false;
	turn = netns_enter_kept(kept, home);
	netns_leave(home);
	if (turn == -1)
		return false;
	close(turn);
	return true;
}

static bool
make_fresh(struct making *m)
{
	int home = netns_home();
	bool made;

	if (home == -1)
		return failed(m, "network namespace");
	made = netns_enter_fresh(m->why, m->why_size) && make_inside(m);
	netns_leave(home);
	return made;
}

bool
pair_make(const struct sockaddr_storage *client, const struct sockaddr_storage *local,
    const char *kept, int fds[2], char *why, size_t why_size)
{
	struct making m = {
	    .client = client,
	    .local = local,
	    .listener = -1,
	    .fds = fds,
	    .why = why,
	    .why_size = why_size,
	};

	fds[PAIR_CLIENT] = fds[PAIR_SERVER] = -1;
	if (client->ss_family != local->ss_family ||
	    (client->ss_family != AF_INET && client->ss_family != AF_INET6)) {
		snprintf(why, why_size, "no pair of TCP addresses");
		return false;
	}
	return (kept != NULL && make_kept(&m, kept)) || make_fresh(&m);
}
