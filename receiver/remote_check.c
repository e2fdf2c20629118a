/*
 * remote_check - see remote_check.h. Called by receiver/inspect.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "libxpony/dialogue.h"
#include "libxpony/smtp.h"
#include "remote_check.h"

#define PATIENCE_MS 25000 /* it may look for the client's name, which does not exist */
#define REPLY_MAX 2048
#define TEXT_MAX 160

/* What the server says, as far as it is not judged yet. */
struct heard {
	int fd;
	int64_t end; /* of our patience */
	uint8_t octets[REPLY_MAX];
	size_t n;
	char text[TEXT_MAX]; /* the last reply, or why there is none */
};

/* False at the end of it, with errno: 0 when the server has closed. */
static bool
hear_more(struct heard *h)
{
	const int64_t left = h->end - clock_ms();
	struct pollfd p = {.fd = h->fd, .events = POLLIN};
	ssize_t n;

	if (h->n == sizeof(h->octets)) {
		errno = EMSGSIZE;
		return false;
	}
	if (poll(&p, 1, left > 0 ? (int)left : 0) <= 0) {
		errno = ETIMEDOUT;
		return false;
	}
	errno = 0;
	n = read(h->fd, h->octets + h->n, sizeof(h->octets) - h->n);
	if (n > 0)
		h->n += (size_t)n;
	return n > 0;
}

/* The next reply's code; 0 when there is none. */
static int
hear(struct heard *h)
{
	struct smtp_reply r;
	enum err e;

	while ((e = smtp_reply_parse(&r, h->octets, h->n)) == ERR_MORE)
		if (!hear_more(h)) {
			(void)snprintf(h->text, sizeof(h->text), "%s",
			    errno != 0 ? strerror(errno) : "it has closed");
			return 0;
		}
	dialogue_text(h->text, sizeof(h->text), h->octets, e == ERR_NONE ? r.len : h->n);
	if (e != ERR_NONE)
		return 0;
	h->n -= r.len;
	memmove(h->octets, h->octets + r.len, h->n);
	return r.code;
}

static bool
say(int fd, const char *line)
{
	return send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

static bool
listen_to(const struct remote *r, int fd, char *why, size_t why_size)
{
	struct heard h = {.fd = fd, .end = clock_ms() + PATIENCE_MS};
	int code = hear(&h);

	if (code != 220) {
		(void)snprintf(why, why_size, "greets with: %s", h.text);
		return false;
	}
	if (!say(fd, "NOOP\r\n") || hear(&h) != 250 || h.n > 0) {
		(void)snprintf(why, why_size, "%s: %s",
		    r->kind == REMOTE_PROXY ? "does not take the PROXY header, and would take "
					      "every client for this "
					      "host"
					    : "answers NOOP with",
		    h.text);
		return false;
	}
	(void)say(fd, "QUIT\r\n");
	return true;
}

bool
remote_check(const struct remote *r, const struct sockaddr_storage *client,
    const struct sockaddr_storage *local, char *why, size_t why_size)
{
	struct remote_sockets sockets;
	bool well;
	int fd;

	if (!remote_prepare(&sockets, r, client, local, why, why_size))
		return false;
	well = remote_connect(&sockets, &fd, why, why_size) == REMOTE_CONNECTED;
	remote_close(&sockets);
	if (!well)
		return false;
	well = listen_to(r, fd, why, why_size);
	(void)close(fd);
	return well;
}
