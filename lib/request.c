/*
 * request - see request.h.
 */
#include "request.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

bool
request_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0;
}

/* Neither end has more under way than fits: who waited here would wait for an attacker. */
static bool
put(int fd, const void *packet, size_t n, int passed)
{
	struct iovec iov = {.iov_base = (void *)packet, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	struct cmsghdr *c;
	ssize_t r;

	if (passed >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed, sizeof(int));
	}
	do
		r = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r == (ssize_t)n;
}

/* The one descriptor of a message. False when there are others: those are closed, or whoever
 * sends them would fill our table. */
static bool
one_descriptor(struct cmsghdr *c, int *passed)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;
	int fd;

	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (n == 1 && *passed < 0)
			*passed = fd;
		else
			(void)close(fd);
	}
	return n == 1;
}

/* Takes one packet of exactly n octets; room for one octet more shows a longer one. */
static enum request_result
take(int fd, void *packet, size_t n, int *passed)
{
	uint8_t more;
	struct iovec iov[2] = {{packet, n}, {&more, 1}};
	union control control;
	struct msghdr m = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space)};
	struct cmsghdr *c;
	bool good = true;
	ssize_t r;

	*passed = -1;
	/* ECONNRESET comes once, where the other end has left something unread: what it said
	 * itself is behind it. */
	do
		r = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && (errno == EINTR || errno == ECONNRESET));
	if (r <= 0)
		return REQUEST_END;
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			good &= one_descriptor(c, passed);
	if (good && r == (ssize_t)n && (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return REQUEST_OK;
	if (*passed >= 0)
		(void)close(*passed);
	*passed = -1;
	return REQUEST_BAD;
}

static bool
is_terminated(const char *text, size_t cap)
{
	return memchr(text, '\0', cap) != NULL;
}

bool
request_send(int fd, const struct session_request *r)
{
	return put(fd, r, sizeof(*r), -1);
}

bool
request_answer(int fd, const struct session_answer *a, int passed)
{
	return put(fd, a, sizeof(*a), passed) || errno == EPIPE || errno == ECONNRESET;
}

enum request_result
request_answered(int fd, struct session_answer *a, int *passed)
{
	enum request_result result = take(fd, a, sizeof(*a), passed);

	if (result != REQUEST_OK)
		return result;
	if (is_terminated(a->host, sizeof(a->host)) &&
	    is_terminated(a->address, sizeof(a->address)) &&
	    is_terminated(a->suite, sizeof(a->suite)) &&
	    is_terminated(a->text, sizeof(a->text)))
		return REQUEST_OK;
	if (*passed >= 0)
		(void)close(*passed);
	*passed = -1;
	return REQUEST_BAD;
}

enum request_result
request_receive(int fd, struct session_request *r)
{
	enum request_result result;
	int passed;

	result = take(fd, r, sizeof(*r), &passed);
	if (passed >= 0) {
		(void)close(passed); /* the engine has nothing to give us */
		return REQUEST_BAD;
	}
	if (result != REQUEST_OK)
		return result;
	if (r->kind < SESSION_ASK_DH || r->kind > SESSION_ASK_MAIL ||
	    r->reason > SESSION_HOP_KEPT || r->fault >= ERR_COUNT ||
	    r->report.fault >= ERR_COUNT || r->commitment.keys > COMMITMENT_KEYS)
		return REQUEST_BAD;
	if (!is_terminated(r->suite, sizeof(r->suite)) ||
	    !is_terminated(r->name, sizeof(r->name)) ||
	    !is_terminated(r->text, sizeof(r->text)) ||
	    !is_terminated(r->report.suite, sizeof(r->report.suite)) ||
	    !is_terminated(r->report.hello, sizeof(r->report.hello)) ||
	    !is_terminated(r->report.verdict, sizeof(r->report.verdict)))
		return REQUEST_BAD;
	return REQUEST_OK;
}
