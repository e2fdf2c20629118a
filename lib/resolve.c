/*
 * resolve - the child that reads what name servers say, and the parent's distrust of it. See
 * resolve.h. What the child finds out is in mxlist.c, dnskeys.c and dns.c.
 */
#include "resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "dnskeys.h"
#include "mxlist.h"
#include "sandbox.h"

_Static_assert(RESOLVE_NAME == DNS_NAME, "names fit");

#define MARGIN_MS 1500 /* the child ends this long before the parent's patience does */

enum question {
	QUESTION_MX,        /* answer: struct resolve_result */
	QUESTION_ADDRESSES, /* the same */
	QUESTION_KEYS,      /* answer: struct resolve_keys */
};

struct resolve_request {
	enum question question;
	char name[RESOLVE_NAME];
	int64_t deadline;
};

struct resolver {
	pid_t pid;
	int fd; /* SOCK_SEQPACKET: one message a request, one a result; -1: the child is done
		   for */
	int family;
};

static bool
send_whole(int fd, const void *message, size_t n)
{
	return send(fd, message, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* The child. It trusts the requests, which its parent made. */
static void
serve(int fd, const struct resolve_options *options)
{
	static struct mxlist list;
	static struct resolve_result result;
	const struct sandbox walls = {.role = SANDBOX_RESOLVER, .root = -1};
	struct resolve_keys keys;
	struct resolve_request request;
	bool sent = true;

	/* No file is open for it any more, not even the host key, which its user may read. */
	if (!mxlist_open(&list, options) || !sandbox_enter(&walls))
		return;
	while (sent && recv(fd, &request, sizeof request, 0) == (ssize_t)sizeof request) {
		if (request.question == QUESTION_KEYS) {
			dnskeys_find(&list.dns, request.name, request.deadline, &keys);
			sent = send_whole(fd, &keys, sizeof keys);
		} else {
			mxlist_find(&list, request.name, request.question == QUESTION_MX,
			    request.deadline, &result);
			sent = send_whole(fd, &result, sizeof result);
		}
	}
}

_Noreturn static void
child_main(int fd, pid_t parent, const struct resolve_options *options)
{
	/* Above all it must not hold sendmail's pipe open, nor outlive the delivery. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	if (dup2(fd, STDIN_FILENO) < 0)
		_exit(1);
	closefrom(STDIN_FILENO + 1);
	serve(STDIN_FILENO, options);
	_exit(0);
}

struct resolver *
resolve_none(void)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	if (resolver != NULL)
		resolver->fd = -1;
	return resolver;
}

struct resolver *
resolve_start(const struct resolve_options *options)
{
	struct resolver *resolver = malloc(sizeof *resolver);
	const pid_t parent = getpid();
	int pair[2];

	if (resolver == NULL)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		free(resolver);
		return NULL;
	}
	resolver->fd = pair[0];
	resolver->family = options->family;
	resolver->pid = fork();
	if (resolver->pid == 0)
		child_main(pair[1], parent, options);
	close(pair[1]);
	if (resolver->pid < 0) {
		close(pair[0]);
		free(resolver);
		return NULL;
	}
	return resolver;
}

static void
end_child(struct resolver *resolver)
{
	if (resolver->fd < 0)
		return;
	close(resolver->fd);
	resolver->fd = -1;
	kill(resolver->pid, SIGKILL);
	while (waitpid(resolver->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void
resolve_stop(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	end_child(resolver);
	free(resolver);
}

/* A name that is terminated, valid and without a dot at the end. */
static bool
name_is_sane(const char name[RESOLVE_NAME])
{
	return memchr(name, '\0', RESOLVE_NAME) != NULL && dns_name_is_valid(name) &&
	       name[strlen(name) - 1] != '.';
}

/* Rebuilds the address from its family and octets alone. */
static bool
address_is_sane(struct sockaddr_storage *address, int family)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	const int found = address->ss_family;

	if (family != AF_UNSPEC && family != found)
		return false;
	if (found == AF_INET) {
		in4.sin_addr = ((struct sockaddr_in *)address)->sin_addr;
		memset(address, 0, sizeof *address);
		memcpy(address, &in4, sizeof in4);
	} else if (found == AF_INET6) {
		in6.sin6_addr = ((struct sockaddr_in6 *)address)->sin6_addr;
		memset(address, 0, sizeof *address);
		memcpy(address, &in6, sizeof in6);
	}
	return found == AF_INET || found == AF_INET6;
}

/* Could an honest child have sent this? It is looked at as octets until it has passed. */
static bool
result_is_sane(struct resolve_result *r, int family)
{
	unsigned char authentic;

	if ((unsigned)r->outcome >= RESOLVE_OUTCOMES || r->count > RESOLVE_ADDRESSES ||
	    (r->count > 0) != (r->outcome == RESOLVE_FOUND))
		return false;
	if (r->culprit[0] != '\0' && !name_is_sane(r->culprit))
		return false;
	for (uint32_t i = 0; i < r->count; i++) {
		struct resolve_address *a = &r->address[i];

		memcpy(&authentic, &a->mx_authentic, sizeof authentic);
		if (authentic > 1 || !name_is_sane(a->host) ||
		    !address_is_sane(&a->address, family))
			return false;
	}
	return true;
}

/* Waits for the child's message. 1: it is there. 0: too late, or the child ended. -1: watch_fd.
 */
static int
wait_child(const struct resolver *resolver, int64_t deadline, int watch_fd)
{
	struct pollfd p[2] = {{resolver->fd, POLLIN, 0}, {watch_fd, POLLRDHUP, 0}};
	int64_t left;

	do {
		left = deadline - clock_ms();
		if (left <= 0)
			return 0;
	} while (poll(p, 2, (int)left) < 0 && errno == EINTR);
	if (p[1].revents != 0)
		return -1;
	return (p[0].revents & POLLIN) != 0;
}

static bool
keys_are_sane(const struct resolve_keys *r)
{
	const bool found =
	    r->outcome == RESOLVE_KEYS_AUTHENTIC || r->outcome == RESOLVE_KEYS_UNAUTHENTIC;

	return (unsigned)r->outcome < RESOLVE_KEYS_OUTCOMES && r->count <= RESOLVE_KEYS &&
	       (r->count > 0) == found;
}

/* Asks the child for a message of n octets. 1: it is there. 0: not. -1: watch_fd hung up. */
static int
exchange(struct resolver *resolver, enum question question, const char *name, int64_t deadline,
    int watch_fd, void *message, size_t n)
{
	struct resolve_request request = {
	    .question = question, .deadline = deadline - MARGIN_MS};
	int ready = 0;

	strlcpy(request.name, name, sizeof request.name);
	if (resolver->fd >= 0 && send(resolver->fd, &request, sizeof request,
				     MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof request)
		ready = wait_child(resolver, deadline, watch_fd);
	if (ready != 1)
		return ready;
	return recv(resolver->fd, message, n, MSG_DONTWAIT | MSG_TRUNC) == (ssize_t)n;
}

bool
resolve_ask(struct resolver *resolver, const char *name, bool mx, int64_t deadline,
    int watch_fd, struct resolve_result *r)
{
	int ready;

	if (strlen(name) >= RESOLVE_NAME || !dns_name_is_valid(name)) {
		memset(r, 0, sizeof *r);
		r->outcome = RESOLVE_BAD_NAME;
		return true;
	}
	/* Nobody's word but the administrator's, and the child opens no file. */
	if (!mx && mxlist_find_in_hosts(name, resolver->family, r))
		return true;
	ready = exchange(resolver, mx ? QUESTION_MX : QUESTION_ADDRESSES, name, deadline,
	    watch_fd, r, sizeof *r);
	if (ready == 1 && result_is_sane(r, resolver->family))
		return true;
	/* Its next message might answer this question instead of the next: there is no next. */
	end_child(resolver);
	memset(r, 0, sizeof *r);
	r->outcome = RESOLVE_TEMPORARY;
	strlcpy(r->culprit, name, sizeof r->culprit);
	return ready >= 0;
}

bool
resolve_keys(struct resolver *resolver, const char *host, int64_t deadline, int watch_fd,
    struct resolve_keys *r)
{
	int ready;

	if (strlen(host) >= RESOLVE_NAME || !dns_name_is_valid(host)) {
		memset(r, 0, sizeof *r);
		r->outcome = RESOLVE_KEYS_NONE;
		return true;
	}
	ready = exchange(resolver, QUESTION_KEYS, host, deadline, watch_fd, r, sizeof *r);
	if (ready == 1 && keys_are_sane(r))
		return true;
	end_child(resolver); /* as above */
	memset(r, 0, sizeof *r);
	r->outcome = RESOLVE_KEYS_TEMPORARY;
	return ready >= 0;
}
