/*
 * front - see front.h.
 */
#include "receiver/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proxy2.h"
#include "receiver/pair.h"
#include "receiver/slots.h"

/* The child's places. */
#define OUT STDOUT_FILENO
#define ROOT STDERR_FILENO

enum found {
	FOUND_CLIENT = 1,
	FOUND_CHECK,
	FOUND_NOTHING, /* the end came before the first octet */
	FOUND_HALF,
	FOUND_BAD,
};

struct answer {
	uint8_t found;
	struct sockaddr_storage client, local; /* FOUND_CLIENT */
};

/* One octet; false at the connection's end. Some super-servers leave it non-blocking. */
static bool
take_octet(uint8_t *octet)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;

	do
		n = poll(&p, 1, -1) < 0 ? -1 : read(STDIN_FILENO, octet, 1);
	while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n == 1;
}

static void
take_header(struct answer *a)
{
	uint8_t octets[PROXY2_MOST];
	enum proxy2_result result = PROXY2_MORE;
	struct proxy2 header;
	size_t n = 0;

	while (result == PROXY2_MORE) {
		if (n == sizeof(octets) || !take_octet(octets + n)) {
			a->found = n == 0 ? FOUND_NOTHING : FOUND_HALF;
			return;
		}
		result = proxy2_parse(octets, ++n, &header);
	}
	switch (result) {
	case PROXY2_PROXIED:
		a->found = FOUND_CLIENT;
		a->client = header.client;
		a->local = header.local;
		break;
	case PROXY2_LOCAL:
		a->found = FOUND_CHECK;
		break;
	case PROXY2_MORE:
	case PROXY2_BAD:
		a->found = FOUND_BAD;
		break;
	}
}

_Noreturn static void
reader(int pipe, const struct sandbox *walls)
{
	struct sandbox mine = *walls;
	struct answer a;
	int out, root;

	memset(&a, 0, sizeof(a));
	/* Above both places first, so that no dup2 closes what is still needed. */
	out = fcntl(pipe, F_DUPFD_CLOEXEC, ROOT + 1);
	root = fcntl(walls->root, F_DUPFD_CLOEXEC, ROOT + 1);
	if (out < 0 || root < 0 || dup2(out, OUT) < 0 || dup2(root, ROOT) < 0)
		_exit(EXIT_FAILURE);
	closefrom(ROOT + 1);
	mine.root = ROOT;
	(void)alarm(FRONT_SECONDS + 1); /* its parent may be gone */
	if (!sandbox_enter(&mine))
		_exit(EXIT_FAILURE);
	take_header(&a);
	_exit(write(OUT, &a, sizeof(a)) == (ssize_t)sizeof(a) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static enum front_outcome
refuse(char why[FRONT_REASON_MAX], const char *reason)
{
	(void)snprintf(why, FRONT_REASON_MAX, "%s", reason);
	return FRONT_REFUSED;
}

/* Has any host this address (RFC 6890)? The kernel puts one of this host's in the place of some
 * of the others, and who is this host may relay. */
static bool
is_of_a_host(const struct sockaddr_storage *client)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	in_addr_t address;

	if (client->ss_family == AF_INET6) {
		memcpy(&six, client, sizeof(six));
		return !IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr) &&
		       !IN6_IS_ADDR_MULTICAST(&six.sin6_addr);
	}
	memcpy(&four, client, sizeof(four));
	address = ntohl(four.sin_addr.s_addr);
	return address >> 24 != 0 && !IN_MULTICAST(address) && address != INADDR_BROADCAST;
}

static enum front_outcome
learn(struct answer *a, struct sockaddr_storage *client, struct sockaddr_storage *local,
    char why[FRONT_REASON_MAX])
{
	if (!pair_normalise(&a->client) || !pair_normalise(&a->local) ||
	    a->client.ss_family != a->local.ss_family)
		return refuse(why, "the header's addresses are no pair");
	if (!is_of_a_host(&a->client))
		return refuse(
		    why, "the header has an address for the client's that no host has");
	if (slots_is_local(&a->client) && !slots_is_local(client))
		return refuse(why, "the header has a loopback address for the client's");
	*client = a->client;
	*local = a->local;
	return FRONT_CLIENT;
}

/* The child may have been taken over; then it can lie of the client, as who speaks to it as a
 * balancer can anyhow, and of nothing else. */
static enum front_outcome
judge(struct answer *a, struct sockaddr_storage *client, struct sockaddr_storage *local,
    char why[FRONT_REASON_MAX])
{
	switch ((enum found)a->found) {
	case FOUND_CLIENT:
		return learn(a, client, local, why);
	case FOUND_CHECK:
		return FRONT_CHECK;
	case FOUND_NOTHING:
		return FRONT_GONE;
	case FOUND_HALF:
		return refuse(why, "the connection ended amid the header");
	case FOUND_BAD:
		return refuse(why, "no PROXY header of version 2 with TCP addresses");
	}
	return refuse(why, "what reads the header broke its bounds");
}

/* 1: *a is there. 0: nothing came in time. -1: the child ended without a word. */
static int
await(int pipe, struct answer *a)
{
	struct pollfd p = {.fd = pipe, .events = POLLIN};
	int ready;

	do
		ready = poll(&p, 1, FRONT_SECONDS * 1000);
	while (ready < 0 && errno == EINTR);
	if (ready == 1 && read(pipe, a, sizeof(*a)) != (ssize_t)sizeof(*a))
		return -1;
	return ready;
}

enum front_outcome
front_read(const struct sandbox *walls, struct sockaddr_storage *client,
    struct sockaddr_storage *local, char why[FRONT_REASON_MAX])
{
	struct answer a;
	int ends[2], ready;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return refuse(why, strerror(errno));
	if ((pid = fork()) == 0)
		reader(ends[1], walls);
	(void)close(ends[1]);
	ready = pid > 0 ? await(ends[0], &a) : -1;
	(void)close(ends[0]);
	if (pid < 0)
		return refuse(why, "what reads the header cannot be started");
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (ready == 1)
		return judge(&a, client, local, why);
	return refuse(
	    why, ready == 0 ? "no PROXY header in time" : "what reads the header died");
}
