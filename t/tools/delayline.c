/*
 * delayline: a long cable between two hosts of the test world.  Called by wire_delay
 *(t/lib/world.sh).
 *
 *	delayline PID-A DEVICE-A PID-B DEVICE-B MILLISECONDS
 *
 * Makes a TUN device in the network namespace of each process and carries every packet, SYNs
 * too, to the other side MILLISECONDS later.  Exact to a fraction of a millisecond, loses
 * nothing, keeps the order; works where the kernel has no netem.  Ends with its parent.
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_MAX = 65536, QUEUE_MAX = 4096 };

struct packet {
	long long due; /* nanoseconds, CLOCK_MONOTONIC */
	size_t length;
	unsigned char *bytes;
};

/* A ring: packets enter at tail and leave at head, which is always the next one due. */
struct queue {
	struct packet ring[QUEUE_MAX];
	size_t head, tail;
};

static struct queue queues[2]; /* [0]: from A to B, [1]: from B to A */

static long long
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int
open_device(const char *pid, const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	char path[64];
	int ns, fd;

	snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
	if ((ns = open(path, O_RDONLY | O_CLOEXEC)) < 0 || setns(ns, CLONE_NEWNET) != 0)
		err(3, "%s", path);
	close(ns);
	if ((fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		err(3, "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		err(3, "%s", name);
	return fd;
}

static void
take(int from, struct queue *q, long long delay)
{
	static unsigned char bytes[PACKET_MAX];
	ssize_t n;

	while (q->tail - q->head < QUEUE_MAX && (n = read(from, bytes, sizeof bytes)) > 0) {
		struct packet *p = &q->ring[q->tail++ % QUEUE_MAX];

		*p = (struct packet){now() + delay, (size_t)n, malloc((size_t)n)};
		if (p->bytes == NULL)
			err(3, "malloc");
		memcpy(p->bytes, bytes, (size_t)n);
	}
}

static void
deliver(struct queue *q, int to)
{
	for (; q->head != q->tail && q->ring[q->head % QUEUE_MAX].due <= now(); q->head++) {
		struct packet *p = &q->ring[q->head % QUEUE_MAX];

		/* A refused packet is lost, as on any wire; a device that is not up, or no
		 * longer, refuses with EIO, which is nobody's fault. */
		if (write(to, p->bytes, p->length) < 0 && errno != EIO)
			warn("packet lost");
		free(p->bytes);
	}
}

/* Nanoseconds until the next packet is due, or -1 while there is none. */
static long long
until_next(void)
{
	long long next = -1;

	for (int i = 0; i < 2; i++) {
		const struct queue *q = &queues[i];
		long long due = q->ring[q->head % QUEUE_MAX].due;

		if (q->head != q->tail && (next < 0 || due < next))
			next = due;
	}
	if (next < 0)
		return -1;
	next -= now();
	return next > 0 ? next : 0;
}

int
main(int argc, char *argv[])
{
	struct pollfd fds[2];
	long long delay;

	if (argc != 6 || (delay = strtoll(argv[5], NULL, 10) * 1000000) < 0)
		errx(2, "usage: delayline PID-A DEVICE-A PID-B DEVICE-B MILLISECONDS");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1L);
	fds[0] = (struct pollfd){.fd = open_device(argv[1], argv[2]), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = open_device(argv[3], argv[4]), .events = POLLIN};
	for (;;) {
		long long wait = until_next();
		struct timespec ts = {wait / 1000000000, wait % 1000000000};

		ppoll(fds, 2, wait < 0 ? NULL : &ts, NULL);
		for (int i = 0; i < 2; i++) {
			take(fds[i].fd, &queues[i], delay);
			deliver(&queues[i], fds[1 - i].fd);
		}
	}
}
