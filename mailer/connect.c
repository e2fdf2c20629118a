/*
 * connect - the walk over destinations, mail hosts and addresses until one takes a connection.
 * See connect.h.
 */
#include "connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/clock.h"

#define CONNECT_SECONDS 30
#define TOTAL_SECONDS 240
#define LOOKUP_MS_MAX 60000 /* for all look-ups of one destination */
#define DEAD_MS_MIN 5000    /* a shorter wait proves nothing */
#define HANGUP (-2)         /* instead of a descriptor: watch_fd hung up */

_Static_assert(DESTINATION_NAME == RESOLVE_NAME, "names fit");

struct route {
	struct destination_list list;
	struct route_options options;
	struct resolver *resolver;
	struct pins *pins; /* where dead addresses are remembered */
	int (*find)(void *context, const struct hop *hop); /* kept sessions; NULL: none */
	void *context;
	int64_t deadline;
	size_t destination;           /* the next one to be resolved */
	struct resolve_result result; /* of the present one */
	uint32_t address;             /* the next one of result to be tried */
	bool tried;                   /* an address of result */
	bool probing;              /* we are the one that tries dead addresses all the same */
	struct hop hop;            /* given last; fd is not kept */
	struct resolve_address at; /* its address */
	struct verdict refused;    /* the word of a host that did answer, code 0: none */
	struct verdict temporary;  /* the last fault that may pass */
	struct verdict permanent;  /* the first that will not */
};

struct route *
route_new(const struct destination_list *list, const struct route_options *options,
    struct resolver *resolver)
{
	struct route *route = calloc(1, sizeof *route);

	if (route == NULL)
		return NULL;
	route->list = *list;
	route->options = *options;
	route->resolver = resolver;
	if (route->options.connect_seconds <= 0)
		route->options.connect_seconds = CONNECT_SECONDS;
	if (route->options.total_seconds <= 0)
		route->options.total_seconds = TOTAL_SECONDS;
	route->deadline = clock_ms() + (int64_t)route->options.total_seconds * 1000;
	return route;
}

void
route_free(struct route *route)
{
	free(route);
}

__attribute__((format(printf, 4, 5))) static void
say(struct verdict *verdict, int code, const char *enhanced, const char *format, ...)
{
	va_list ap;

	verdict->code = code;
	strlcpy(verdict->enhanced, enhanced, sizeof verdict->enhanced);
	va_start(ap, format);
	vsnprintf(verdict->text, sizeof verdict->text, format, ap);
	va_end(ap);
	for (char *p = verdict->text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

const char *
hop_text(const struct hop *hop, char *text, size_t cap)
{
	if (hop->host[0] == '[')
		snprintf(text, cap, "%s", hop->host);
	else
		snprintf(text, cap, "%s [%s%s]", hop->host,
		    strchr(hop->address, ':') != NULL ? "IPv6:" : "", hop->address);
	return text;
}

/* The verdict on a destination that gave no address (RFC 3463, RFC 7504, RFC 7505). */
static void
explain(struct route *route, const char *domain, const struct resolve_result *r)
{
	struct verdict *permanent = &route->permanent, unused;

	if (permanent->code != 0)
		permanent = &unused;
	switch (r->outcome) {
	case RESOLVE_UNKNOWN:
		say(permanent, 550, "5.1.2", "%s: this domain does not exist", domain);
		break;
	case RESOLVE_NULL_MX:
		say(permanent, 556, "5.1.10", "%s: this domain takes no mail (null MX)",
		    domain);
		break;
	case RESOLVE_UNROUTABLE:
		say(permanent, 550, "5.4.4", "%s: no mail host of it has an%s address", domain,
		    route->options.family == AF_INET    ? " IPv4"
		    : route->options.family == AF_INET6 ? " IPv6"
							: "");
		break;
	case RESOLVE_OURSELVES:
		say(permanent, 553, "5.3.5", "%s: mail for it loops back to this host", domain);
		break;
	case RESOLVE_CNAME_LOOP:
		say(permanent, 554, "5.4.6", "%s: CNAME records in a loop at %s", domain,
		    r->culprit);
		break;
	case RESOLVE_TEMPORARY:
		say(&route->temporary, 451, "4.4.3",
		    "%s: no good answer from the name servers for %s", domain, r->culprit);
		break;
	default:
		say(permanent, 501, "5.1.2", "%s: bad destination", domain);
	}
}

/* An address needs no name server. */
static void
take_address(struct route *route, const struct destination *d)
{
	struct resolve_result *r = &route->result;
	const int family = route->options.family;

	memset(r, 0, sizeof *r);
	if (family != AF_UNSPEC && family != d->address.ss_family) {
		r->outcome = RESOLVE_UNROUTABLE;
		return;
	}
	r->count = 1;
	strlcpy(r->address[0].host, d->name, sizeof r->address[0].host);
	r->address[0].mx_authentic = true;
	r->address[0].address = d->address;
}

/* Takes up the next destination. False when watch_fd hung up. */
static bool
next_destination(struct route *route, int watch_fd)
{
	const struct destination *d = &route->list.item[route->destination];
	const int64_t now = clock_ms();
	const int64_t left = route->deadline - now;
	int64_t share = left / 2 / (int64_t)(route->list.count - route->destination);
	char *domain = route->hop.domain;
	size_t n;

	n = strlcpy(domain, d->name, sizeof route->hop.domain);
	if (n > 0 && domain[n - 1] == '.')
		domain[n - 1] = '\0';
	route->destination++;
	route->address = 0;
	route->tried = route->probing = false;
	if (share > LOOKUP_MS_MAX)
		share = LOOKUP_MS_MAX;
	if (d->kind == DESTINATION_ADDRESS)
		take_address(route, d);
	else if (!resolve_ask(route->resolver, d->name, d->kind == DESTINATION_DOMAIN,
		     now + share, watch_fd, &route->result))
		return false;
	if (route->result.outcome != RESOLVE_FOUND)
		explain(route, domain, &route->result);
	return true;
}

/* Time for the next connect: its share of what is left, so that the last address gets one too.
 * A destination not yet resolved counts as two addresses. */
static int64_t
connect_share(const struct route *route)
{
	const int64_t most = (int64_t)route->options.connect_seconds * 1000;
	const int64_t turns = (int64_t)(route->result.count - route->address) + 1 +
			      2 * (int64_t)(route->list.count - route->destination);
	const int64_t share = (route->deadline - clock_ms()) / turns;

	return share < most ? share : most;
}

/* Waits until the connect on fd is decided: errno, 0 when it stands; HANGUP. */
static int
await_connect(int fd, int64_t deadline, int watch_fd)
{
	struct pollfd p[2] = {{fd, POLLOUT, 0}, {watch_fd, POLLRDHUP, 0}};
	int64_t left;
	int error = 0, ready;
	socklen_t n = sizeof error;

	do {
		left = deadline - clock_ms();
		if (left <= 0)
			return ETIMEDOUT;
		ready = poll(p, 2, (int)left);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return errno;
	if (p[1].revents != 0)
		return HANGUP;
	if (p[0].revents == 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 ? error : errno;
}

static socklen_t
address_size(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}

/* Prepares fd and begins the connect. 0, EINPROGRESS, or the fault, with the step that failed.
 */
static int
begin_connect(
    const struct route *route, int fd, const struct sockaddr_storage *to, const char **step)
{
	const struct sockaddr_storage *from = &route->options.source;
	const int on = 1;

	*step = "";
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0)
		return errno;
	if (from->ss_family == to->ss_family &&
	    bind(fd, (const struct sockaddr *)from, address_size(from)) != 0) {
		*step = "source address: ";
		return errno;
	}
	return connect(fd, (const struct sockaddr *)to, address_size(to)) == 0 ? 0 : errno;
}

/* Faults of the host or the way to it. Those of our own (no route, no source address, no
 * memory) say nothing about it; nor does a connection that was taken and reset at once, as load
 * balancers do while none of their hosts is there. */
static bool
says_dead(int error)
{
	return error == ECONNREFUSED || error == ETIMEDOUT || error == EHOSTUNREACH;
}

/* Another port is another server, of which nothing is remembered. */
static struct pins *
memory(const struct route *route)
{
	return route->options.port == 25 ? route->pins : NULL;
}

void
route_remember(struct route *route, struct pins *pins)
{
	route->pins = pins;
}

void
route_note_dead(struct route *route)
{
	pins_mark_dead(memory(route), route->hop.address, time(NULL));
}

void
route_note_alive(struct route *route)
{
	pins_mark_alive(memory(route), route->hop.address);
}

/* What the host says is acknowledged by what we say next, which follows within milliseconds.
 * Once connected: the host's own accept() needs the ACK of the handshake. */
static void
ack_with_data(int fd)
{
#ifdef TCP_QUICKACK
	const int off = 0;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
#else
	(void)fd;
#endif
}

/* Connects to route->at within share milliseconds: a descriptor, -1 with a temporary verdict,
 * or HANGUP. */
static int
connect_hop(struct route *route, int64_t share, int watch_fd, struct verdict *verdict)
{
	const int64_t deadline = clock_ms() + share;
	const char *step = "";
	char where[ROUTE_TEXT];
	int fd, error;

	fd = socket(route->at.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	error = fd < 0 ? errno : begin_connect(route, fd, &route->at.address, &step);
	if (error == EINPROGRESS)
		error = await_connect(fd, deadline, watch_fd);
	if (error == 0) {
		ack_with_data(fd);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	if (error == HANGUP)
		return HANGUP;
	if (says_dead(error) && (error != ETIMEDOUT || share >= DEAD_MS_MIN))
		route_note_dead(route);
	say(verdict, 451, "4.4.1", "%s port %u: %s%s",
	    hop_text(&route->hop, where, sizeof where), route->hop.port, step, strerror(error));
	return -1;
}

/* Makes the next address of the result the present hop. */
static void
enter_hop(struct route *route)
{
	struct hop *hop = &route->hop;
	struct sockaddr_in *in4 = (struct sockaddr_in *)&route->at.address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&route->at.address;
	const bool ipv4 = route->result.address[route->address].address.ss_family == AF_INET;

	route->at = route->result.address[route->address++];
	strlcpy(hop->host, route->at.host, sizeof hop->host);
	hop->mx_authentic = route->at.mx_authentic;
	hop->port = route->options.port;
	if (ipv4)
		in4->sin_port = htons(hop->port);
	else
		in6->sin6_port = htons(hop->port);
	inet_ntop(route->at.address.ss_family,
	    ipv4 ? (void *)&in4->sin_addr : (void *)&in6->sin6_addr, hop->address,
	    sizeof hop->address);
}

/* Nothing is left. What a host said comes first, then what may pass, then what will not. */
static enum route_step
give_up(const struct route *route, struct verdict *verdict)
{
	if (route->refused.code != 0)
		*verdict = route->refused;
	else if (route->temporary.code != 0)
		*verdict = route->temporary;
	else
		*verdict = route->permanent;
	return ROUTE_EXHAUSTED;
}

/* Is the present hop to be left alone, because it was dead within the last half hour? */
static bool
is_dead(const struct route *route)
{
	return !route->probing &&
	       pins_dead(memory(route), route->hop.address, time(NULL), false) == PINS_DEAD;
}

/* All addresses of the destination were left alone. One mailer at a time goes over them all the
 * same. */
static bool
may_probe(struct route *route)
{
	if (route->tried || route->probing || route->result.count == 0)
		return false;
	route->address = 0;
	enter_hop(route);
	route->probing =
	    pins_dead(memory(route), route->hop.address, time(NULL), true) == PINS_PROBE;
	route->address = route->probing ? 0 : route->result.count;
	if (!route->probing)
		say(&route->temporary, 451, "4.4.1",
		    "%s: none of its hosts answered within the last half hour",
		    route->hop.domain);
	route->tried = true;
	return route->probing;
}

void
route_keep(
    struct route *route, int (*find)(void *context, const struct hop *hop), void *context)
{
	route->find = find;
	route->context = context;
}

static int
find_kept(struct route *route)
{
	const int fd =
	    route->find != NULL ? route->find(route->context, &route->hop) : -1;

	route->hop.kept = fd >= 0;
	return fd;
}

enum route_step
route_next(struct route *route, int watch_fd, struct hop *hop, struct verdict *verdict)
{
	char where[ROUTE_TEXT];
	int fd;

	for (;;) {
		if (clock_ms() >= route->deadline) {
			if (route->temporary.code == 0)
				say(&route->temporary, 451, "4.4.1",
				    "%s: no time is left to try it", route->hop.domain);
			return give_up(route, verdict);
		}
		if (route->address >= route->result.count) {
			if (may_probe(route))
				continue;
			if (route->destination >= route->list.count)
				return give_up(route, verdict);
			if (!next_destination(route, watch_fd))
				return ROUTE_HANGUP;
			continue;
		}
		enter_hop(route);
		if (is_dead(route))
			continue;
		route->tried = true;
		fd = find_kept(route);
		if (fd < 0)
			fd = connect_hop(
			    route, connect_share(route), watch_fd, &route->temporary);
		if (fd == HANGUP)
			return ROUTE_HANGUP;
		if (fd >= 0)
			break;
	}
	/* The caller comes back only when this host was of no use. */
	say(&route->temporary, 451, "4.4.2", "%s: it took a connection, and no mail",
	    hop_text(&route->hop, where, sizeof where));
	*hop = route->hop;
	hop->fd = fd;
	return ROUTE_CONNECTED;
}

enum route_step
route_again(struct route *route, int watch_fd, struct hop *hop, struct verdict *verdict)
{
	const int64_t most = (int64_t)route->options.connect_seconds * 1000;
	const int64_t left = route->deadline - clock_ms();
	int fd;

	route->hop.kept = false;
	fd = connect_hop(route, left < most ? left : most, watch_fd, verdict);
	if (fd == HANGUP)
		return ROUTE_HANGUP;
	if (fd < 0) {
		route->temporary = *verdict;
		return ROUTE_EXHAUSTED;
	}
	*hop = route->hop;
	hop->fd = fd;
	return ROUTE_CONNECTED;
}

void
route_note_failure(struct route *route, int code, const char *enhanced, const char *text)
{
	const bool exact = enhanced != NULL && enhanced[0] == '4' &&
			   strlen(enhanced) < sizeof route->refused.enhanced &&
			   enhanced[strspn(enhanced, "0123456789.")] == '\0';

	say(&route->refused, code >= 400 && code <= 499 && code != 421 ? code : 451,
	    exact ? enhanced : "4.4.2", "%s", text);
}
