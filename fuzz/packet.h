/*
 * packet - a socket pair as lib/request.h has it, and an engine or a monitor at its other end
 * that was taken over: for the targets request, monitor_receiver and monitor_mailer.
 */
#ifndef FUZZ_PACKET_H
#define FUZZ_PACKET_H

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "lib/request.h"

#define PACKET_MAX 8192
#define PACKET_FDS 3

/* The next descriptor that will be given out: the same again when none was left open. */
static inline int
packet_next_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	HOLDS(fd >= 0);
	close(fd);
	return fd;
}

/* One packet, with so many descriptors of /dev/null. */
static inline void
packet_send(int fd, const void *p, size_t n, size_t descriptors)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(PACKET_FDS * sizeof(int))];
	} control = {.header = {0}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	int fds[PACKET_FDS];

	HOLDS(descriptors <= PACKET_FDS);
	for (size_t i = 0; i < descriptors; i++)
		HOLDS((fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0);
	if (descriptors > 0) {
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
		memcpy(CMSG_DATA(c), fds, descriptors * sizeof(int));
	}
	(void)sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (size_t i = 0; i < descriptors; i++)
		close(fds[i]);
}

/* A request as the input has it, sent: a good one of any kind, in any order, or one with
 * changes anywhere. */
static inline void
packet_send_request(struct input *in, int fd)
{
	static const char *const suites[] = {
	    "mlkem768x25519-chachapoly", "x25519-chachapoly", "ROT13", "other", ""};
	static const char *const names[] = {"mx.test", "MX.test.", "other.test", "mx", ""};
	const uint8_t how = input_u8(in), words = input_u8(in), point = input_u8(in);
	uint8_t packet[PACKET_MAX] = {0}, secret[FUZZ_KEY];
	struct session_request q = {0};
	const uint8_t *changes;
	struct input edits;
	size_t n = 0;

	q.kind = 1 + how % SESSION_ASK_MAIL;
	q.upgraded = (how & 0x40) != 0;
	q.reason = (words >> 5) % (SESSION_HOP_KEPT + 1);
	q.fault = how & 0x20 ? (point & 1 ? ERR_REFUSED : ERR_TIMEOUT) : ERR_CRYPTO;
	(void)snprintf(q.suite, sizeof q.suite, "%s", suites[words % 5]);
	(void)snprintf(q.name, sizeof q.name, "%s", names[words / 5 % 5]);
	(void)snprintf(q.text, sizeof q.text, "%u%s4.7.0 no\n", point, how & 0x40 ? "-" : " ");
	q.report.refused = q.fault;
	q.report.fault = q.fault;
	(void)snprintf(q.report.hello, sizeof q.report.hello, "%.200s\n", q.name);
	(void)snprintf(q.report.verdict, sizeof q.report.verdict, "%s", q.text);
	if (point > 0) /* 0: a point of low order */
		fuzz_pair(secret, q.key, point);
	memcpy(packet, &q, sizeof q);
	if (how & 0x80) {
		changes = input_octets(in, &n);
		edits = (struct input){changes, n};
		n = input_u8(&edits) % (PACKET_FDS + 1);
		packet_send(fd, packet, input_edit(&edits, packet, sizeof q, sizeof packet), n);
	} else {
		packet_send(fd, packet, sizeof q, 0);
	}
}

#endif
