/*
 * slots - see slots.h.
 */
#include "receiver/slots.h"
#include "lib/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TURN_MS = 2000, /* to wait for others who take a slot; each needs well below 1 ms */
	TURN_PAUSE_MS = 1,
	INTERVAL_MS = 60000, /* between two log lines of one kind */
	BATCH = 256,         /* records read at once */
	NETWORK = 8,
};

/* Record 0 is the head, slot n is record n + 1. All have one size. */
struct record {
	uint8_t family; /* AF_INET or AF_INET6; 0: never used, or of no address that counts */
	uint8_t network[NETWORK];
	uint8_t unused[23];
};

struct head {
	struct {
		int64_t logged; /* by clock_ms() */
		uint64_t since; /* refusals */
	} kind[SLOTS_KINDS];
};

_Static_assert(sizeof(struct record) == sizeof(struct head), "one size for all records");

bool
slots_is_local(const struct sockaddr_storage *client)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	memcpy(&six, client, sizeof(six));
	memcpy(&four, client, sizeof(four));
	if (client->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
	return ntohl(four.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static struct record
record_of(const struct sockaddr_storage *client)
{
	struct record r = {.family = 0};
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (slots_is_local(client))
		return r;
	r.family = (uint8_t)client->ss_family;
	memcpy(&six, client, sizeof(six));
	memcpy(&four, client, sizeof(four));
	if (client->ss_family == AF_INET6)
		memcpy(r.network, &six.sin6_addr, NETWORK);
	else
		memcpy(r.network, &four.sin_addr, sizeof(four.sin_addr));
	return r;
}

/* Says what failed, with errno; always false. */
static bool
failed(char *why, const char *path, const char *what)
{
	(void)snprintf(why, SLOTS_REASON_MAX, "%.255s: %s%s%s", path, what,
	    errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	return false;
}

/* Ours or root's, and nobody else's to write or, for a file that all may lock, to open. */
static bool
is_private(int fd, mode_t type, mode_t others)
{
	struct stat st;

	errno = 0;
	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) && (st.st_mode & others) == 0;
}

/* /run is empty after each start of the machine. */
static int
open_directory(const char *path, char *why)
{
	int fd;

	if (mkdir(path, 0755) != 0 && errno != EEXIST) {
		(void)failed(why, path, "cannot be made");
		return -1;
	}
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
		(void)failed(why, path, "cannot be opened");
	} else if (!is_private(fd, S_IFDIR, S_IWGRP | S_IWOTH)) {
		(void)failed(why, path, "must be root's, and nobody else's to write");
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

bool
slots_open(struct slots *s, const char *path, char why[SLOTS_REASON_MAX])
{
	const char *name = strrchr(path, '/') + 1;
	char directory[256];
	int fd;

	s->file = -1;
	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(name - path - 1), path);
	if ((fd = open_directory(directory, why)) < 0)
		return false;
	s->file =
	    openat(fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	(void)close(fd);
	if (s->file < 0)
		return failed(why, path, "cannot be opened");
	if (is_private(s->file, S_IFREG, S_IRWXG | S_IRWXO))
		return true;
	(void)failed(why, path, "must be a file of root's with mode 0600");
	slots_close(s);
	return false;
}

void
slots_close(struct slots *s)
{
	if (s->file >= 0)
		(void)close(s->file);
	s->file = -1;
}

static int
lock(const struct slots *s, int command, unsigned record, struct flock *l)
{
	*l = (struct flock){.l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = (off_t)(record * sizeof(struct record)),
	    .l_len = sizeof(struct record)};
	return fcntl(s->file, command, l);
}

static bool
is_taken(const struct slots *s, unsigned record)
{
	struct flock l;

	return lock(s, F_OFD_GETLK, record, &l) == 0 && l.l_type != F_UNLCK;
}

static bool
begin_turn(const struct slots *s)
{
	const struct timespec pause = {.tv_nsec = TURN_PAUSE_MS * 1000000L};
	const int64_t end = clock_ms() + TURN_MS;
	struct flock l;

	while (lock(s, F_OFD_SETLK, 0, &l) != 0) {
		if ((errno != EAGAIN && errno != EACCES) || clock_ms() >= end)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static void
end_turn(const struct slots *s)
{
	struct flock l = {
	    .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_len = sizeof(struct record)};

	(void)fcntl(s->file, F_OFD_SETLK, &l);
}

/* Taken slots with this record; of any when it is NULL. */
static unsigned
count(const struct slots *s, const struct record *wanted)
{
	struct record batch[BATCH];
	unsigned record = 1, found = 0;
	ssize_t n;
	size_t i;

	do {
		n = pread(s->file, batch, sizeof(batch), (off_t)(record * sizeof(*batch)));
		for (i = 0; n > 0 && i < (size_t)n / sizeof(*batch); i++)
			if ((wanted == NULL ||
				memcmp(&batch[i], wanted, sizeof(*wanted)) == 0) &&
			    is_taken(s, record + (unsigned)i))
				found++;
		record += BATCH;
	} while (n == sizeof(batch));
	return found;
}

unsigned
slots_count(const struct slots *s)
{
	return count(s, NULL);
}

/* Where everybody began at the same end, the last would try all that are taken. */
static enum slots_result
take_any(const struct slots *s, unsigned all, const struct record *r)
{
	unsigned first = (unsigned)getpid() % all, i, record;
	struct flock l;

	for (i = 0; i < all; i++) {
		record = 1 + (first + i) % all;
		if (lock(s, F_OFD_SETLK, record, &l) == 0)
			return pwrite(s->file, r, sizeof(*r), (off_t)(record * sizeof(*r))) ==
				       sizeof(*r)
				   ? SLOTS_TAKEN
				   : SLOTS_FAULT;
		if (errno != EAGAIN && errno != EACCES)
			return SLOTS_FAULT;
	}
	return SLOTS_ALL;
}

enum slots_result
slots_take(struct slots *s, unsigned all, unsigned each, const struct sockaddr_storage *client,
    char why[SLOTS_REASON_MAX])
{
	const struct record r = record_of(client);
	enum slots_result result;

	if (!begin_turn(s)) {
		const bool busy = errno == EAGAIN || errno == EACCES;

		(void)failed(why, "slots", "cannot be locked");
		return busy ? SLOTS_ALL : SLOTS_FAULT;
	}
	if (each > 0 && r.family != 0 && count(s, &r) >= each)
		result = SLOTS_ADDRESS;
	else
		result = take_any(s, all > 0 ? all : SLOTS_MAX, &r);
	if (result == SLOTS_FAULT)
		(void)failed(why, "slots", "cannot be written");
	end_turn(s);
	return result;
}

unsigned long
slots_refusals(const struct slots *s, unsigned kind, int64_t now_ms)
{
	struct head head = {{{0}}};
	unsigned long since;

	if (s->file < 0 || !begin_turn(s))
		return 1;
	/* A file that outlived its machine's start has times to come in it. */
	if (pread(s->file, &head, sizeof(head), 0) != sizeof(head) ||
	    head.kind[kind].logged > now_ms)
		memset(&head, 0, sizeof(head));
	since = (unsigned long)++head.kind[kind].since;
	if (head.kind[kind].logged != 0 && now_ms - head.kind[kind].logged < INTERVAL_MS) {
		since = 0;
	} else {
		head.kind[kind].since = 0;
		head.kind[kind].logged = now_ms;
	}
	if (pwrite(s->file, &head, sizeof(head), 0) != sizeof(head))
		since = 1; /* rather too many lines than none */
	end_turn(s);
	return since;
}
