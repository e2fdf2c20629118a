/*
 * netns - see netns.h.
 */
#include "receiver/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LOOPBACK = 1,        /* index of lo in every namespace */
	TURNS = 8,           /* tries for the lock; who has it needs 0.1 ms */
	TURN_PAUSE = 500000, /* nanoseconds */
};

static const char own[] = "/proc/self/ns/net";

/* Says what failed, with errno; always false. */
static bool
failed(char *why, size_t why_size, const char *what)
{
	(void)snprintf(why, why_size, "%s: %s", what, strerror(errno));
	return false;
}

int
netns_home(void)
{
	return open(own, O_RDONLY | O_CLOEXEC);
}

/* Are both one namespace? */
static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static bool
is_at_home(int home)
{
	struct stat here, there;

	return stat(own, &here) == 0 && fstat(home, &there) == 0 && is_same(&here, &there);
}

/* Who has never left may lack the privilege to go anywhere. */
static void
go_home(int home)
{
	if (setns(home, CLONE_NEWNET) == -1 && !is_at_home(home))
		abort();
}

void
netns_leave(int home)
{
	go_home(home);
	(void)close(home);
}

static bool
loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	up = s >= 0 && ioctl(s, SIOCSIFFLAGS, &request) == 0;
	if (s >= 0)
		(void)close(s);
	return up;
}

/* Sends one routing request and reads the kernel's answer to it, which is there when send()
 * returns. */
static bool
ask_kernel(int s, const void *request, size_t n)
{
	union {
		struct nlmsghdr header;
		char room[512];
	} answer;
	struct nlmsgerr fault;
	ssize_t got;

	if (send(s, request, n, 0) != (ssize_t)n)
		return false;
	got = recv(s, &answer, sizeof(answer), MSG_DONTWAIT);
	if (got < (ssize_t)NLMSG_LENGTH(sizeof(fault)) ||
	    answer.header.nlmsg_type != NLMSG_ERROR) {
		errno = got < 0 ? errno : EPROTO;
		return false;
	}
	memcpy(&fault, NLMSG_DATA(&answer.header), sizeof(fault));
	errno = -fault.error;
	return fault.error == 0;
}

/* What `ip route add local 0.0.0.0/0 dev lo` does (or ::/0): every address becomes our own. */
static bool
route_everything(int s, int family)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
		struct rtattr attribute;
		uint32_t device;
	} request = {
	    .header = {.nlmsg_len = sizeof(request),
		.nlmsg_type = RTM_NEWROUTE,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
	    .route = {.rtm_family = (unsigned char)family,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_HOST,
		.rtm_type = RTN_LOCAL},
	    .attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = RTA_OIF},
	    .device = LOOPBACK,
	};

	return ask_kernel(s, &request, sizeof(request));
}

bool
netns_enter_fresh(char *why, size_t why_size)
{
	bool routed;
	int s;

	if (unshare(CLONE_NEWNET) == -1)
		return failed(why, why_size, "private network namespace");
	if (!loopback_up())
		return failed(why, why_size, "bring up the loopback device");
	if ((s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) == -1)
		return failed(why, why_size, "netlink socket");
	/* A kernel without IPv6 has no clients by it. */
	routed =
	    route_everything(s, AF_INET) &&
	    (route_everything(s, AF_INET6) || errno == EAFNOSUPPORT || errno == EOPNOTSUPP);
	if (!routed)
		(void)failed(why, why_size, "add the local route");
	(void)close(s);
	return routed;
}

/* A mount is seen where it was made: where each service has mounts of its own, as with
 * systemd's PrivateDevices, every session would make one, and lose it. */
static bool
has_common_mounts(void)
{
	struct stat ours, first;

	return stat("/proc/self/ns/mnt", &ours) == 0 && stat("/proc/1/ns/mnt", &first) == 0 &&
	       is_same(&ours, &first);
}

/* A network namespace, and not the one that we are at home in. */
static bool
is_kept(int fd, int home)
{
	struct stat kept, here;

	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET && fstat(fd, &kept) == 0 &&
	       fstat(home, &here) == 0 && !is_same(&kept, &here);
}

static int
open_kept(const char *path, int home)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || is_kept(fd, home))
		return fd;
	(void)close(fd);
	return -1;
}

/* Makes it and mounts it on the file `path`. */
static bool
make_kept(const char *path, int home)
{
	int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0400);
	char why[128];
	bool made;

	if (file < 0)
		return false;
	(void)close(file);
	made =
	    netns_enter_fresh(why, sizeof(why)) && mount(own, path, NULL, MS_BIND, NULL) == 0;
	go_home(home);
	return made;
}

/* Alone. The lock is a file that nobody else may open: the namespace's own is everybody's. */
static int
take_turn(const char *path)
{
	const struct timespec pause = {.tv_nsec = TURN_PAUSE};
	char lock[256];
	int fd, turn;

	(void)snprintf(lock, sizeof(lock), "%.240s.lock", path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	for (turn = 0; fd >= 0 && turn < TURNS; turn++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		(void)nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

int
netns_enter_kept(const char *path, int home)
{
	int turn = take_turn(path), fd;
	bool entered;

	if (turn < 0)
		return -1;
	fd = open_kept(path, home);
	if (fd < 0 && has_common_mounts() && make_kept(path, home))
		fd = open_kept(path, home);
	entered = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
	if (fd >= 0)
		(void)close(fd);
	if (entered)
		return turn;
	(void)close(turn);
	return -1;
}
