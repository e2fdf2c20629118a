/*
 * keep - see keep.h.
 *
 * The directory is the wall: it belongs to the user, and nobody else may enter. Behind it both
 * ends still ask the kernel who the other one is.
 *
 * A name is never taken away by its keeper, which can touch no file, but by whoever finds that
 * nobody listens there any more. So a keeper that was killed leaves no more than one that has
 * ended. Names are made and removed under a lock on the directory, and a keeper listens before
 * that lock is given back: what refuses a connection under the lock is dead.
 */
#include "mailer/keep.h"
#include "lib/clock.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIRECTORY "kept"
#define PLACE_OCTETS 16 /* of a name: the hash of both addresses, which begins it */
#define NAME_OCTETS 16  /* and that of the whole identity */
#define PLACE_CHARACTERS ((size_t)2 * PLACE_OCTETS)
#define NAME_CHARACTERS (PLACE_CHARACTERS + (size_t)2 * NAME_OCTETS)
#define BACKLOG 8
#define ANSWER_MS 500 /* for a keeper to say what it has; else it is stopped, or swamped */

_Static_assert(KEY_OCTETS == crypto_scalarmult_BYTES, "keys");

static void
address_text(const struct sockaddr_storage *a, char text[INET6_ADDRSTRLEN])
{
	const void *octets = a->ss_family == AF_INET
				 ? (const void *)&((const struct sockaddr_in *)a)->sin_addr
				 : (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr;

	text[0] = '\0';
	if (a->ss_family != AF_UNSPEC)
		(void)inet_ntop(a->ss_family, octets, text, INET6_ADDRSTRLEN);
}

void
keep_identify(const struct keep *k, const struct hop *hop, struct keep_identity *id)
{
	memset(id, 0, sizeof(*id));
	(void)strlcpy(id->version, PACKAGE_VERSION, sizeof(id->version));
	(void)strlcpy(id->domain, hop->domain, sizeof(id->domain));
	(void)strlcpy(id->host, hop->host, sizeof(id->host));
	(void)strlcpy(id->address, hop->address, sizeof(id->address));
	address_text(&k->source, id->source);
	suite_list_format(&k->suites, id->suites, sizeof(id->suites));
	memcpy(id->client, k->client, sizeof(id->client));
	id->user = getuid();
	id->port = hop->port;
}

/* The name is two hashes: short enough for a socket, and silent about where mail goes. The
 * first tells those that go from the same address of ours to the same one of theirs. */
static void
name_of(const struct keep_identity *id, char name[NAME_CHARACTERS + 1])
{
	struct {
		char address[sizeof(id->address)], source[sizeof(id->source)];
	} place;
	uint8_t hash[PLACE_OCTETS + NAME_OCTETS];

	_Static_assert(PLACE_OCTETS >= crypto_generichash_BYTES_MIN, "a hash");

	memcpy(place.address, id->address, sizeof(place.address));
	memcpy(place.source, id->source, sizeof(place.source));
	(void)crypto_generichash(
	    hash, PLACE_OCTETS, (const uint8_t *)&place, sizeof(place), NULL, 0);
	(void)crypto_generichash(
	    hash + PLACE_OCTETS, NAME_OCTETS, (const uint8_t *)id, sizeof(*id), NULL, 0);
	(void)sodium_bin2hex(name, NAME_CHARACTERS + 1, hash, sizeof(hash));
}

static bool
path_of(const struct keep *k, const char *name, struct sockaddr_un *un)
{
	int n;

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(
	    un->sun_path, sizeof(un->sun_path), "%s/" DIRECTORY "/%s", k->directory, name);
	return n > 0 && (size_t)n < sizeof(un->sun_path);
}

/* Ours, and nobody else's; -1, and why, else. */
static int
open_directory(const struct keep *k, bool make, char why[KEEP_REASON_MAX])
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st;
	int fd;

	why[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/" DIRECTORY, k->directory) >= (int)sizeof(path)) {
		(void)snprintf(why, KEEP_REASON_MAX,
		    "%.200s: too long a name for sockets in it", k->directory);
		return -1;
	}
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
		(void)snprintf(
		    why, KEEP_REASON_MAX, "%s: cannot be made: %s", path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		(void)snprintf(why, KEEP_REASON_MAX, "%s: %s", path, strerror(errno));
	else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		(void)snprintf(
		    why, KEEP_REASON_MAX, "%s: is not this user's alone (remove it)", path);
	else
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* A connection to who listens there; -1 with errno, ECONNREFUSED: nobody does. */
static int
call(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), fault;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
		return fd;
	fault = errno;
	(void)close(fd);
	errno = fault;
	return -1;
}

static bool
is_own(int fd)
{
	uid_t user;
	gid_t group;

	return getpeereid(fd, &user, &group) == 0 && user == geteuid();
}

static bool
read_record(int fd, struct keep_record *record)
{
	const int64_t end = clock_ms() + ANSWER_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t have = 0;
	int64_t left;
	ssize_t n;

	while (have < sizeof(*record)) {
		left = end - clock_ms();
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		n = read(fd, (uint8_t *)record + have, sizeof(*record) - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return record->suite[SUITE_NAME_MAX] == '\0' &&
	       record->commitment.keys <= COMMITMENT_KEYS;
}

int
keep_find(const struct keep *k, const struct hop *hop, struct keep_record *record)
{
	struct keep_identity id;
	struct sockaddr_un un;
	char why[KEEP_REASON_MAX], name[NAME_CHARACTERS + 1];
	int directory, fd;

	keep_identify(k, hop, &id);
	name_of(&id, name);
	if (!path_of(k, name, &un) || (directory = open_directory(k, false, why)) < 0)
		return -1;
	(void)close(directory);
	if ((fd = call(&un)) < 0)
		return -1;
	if (is_own(fd) && read_record(fd, record) &&
	    memcmp(&record->identity, &id, sizeof(id)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

bool
keep_take(int fd)
{
	return send(fd, "", 1, MSG_NOSIGNAL) == 1;
}

/* Under the lock. True when no keeper of ours listens there, and the name is free. What else
 * may be there, in a directory that is ours, was put there while it was not. */
static bool
is_free(const struct sockaddr_un *un)
{
	int fd = call(un);
	const int fault = fd < 0 ? errno : 0;
	const bool keeps = fd >= 0 && is_own(fd);

	if (fd >= 0)
		(void)close(fd);
	if (keeps || (fault != 0 && fault != ECONNREFUSED && fault != EACCES))
		return fault == ENOENT;
	return unlink(un->sun_path) == 0;
}

/* How many names there are that begin with `start`; with `sweep` those where nobody listens are
 * removed first. */
static unsigned
count_names(const struct keep *k, DIR *names, const char *start, bool sweep)
{
	struct sockaddr_un un;
	const struct dirent *entry;
	unsigned n = 0;

	rewinddir(names);
	while ((entry = readdir(names)) != NULL) {
		if (strlen(entry->d_name) != NAME_CHARACTERS ||
		    strncmp(entry->d_name, start, strlen(start)) != 0 ||
		    !path_of(k, entry->d_name, &un))
			continue;
		n += !sweep || !is_free(&un);
	}
	return n;
}

/* Keepers are not called for less than they must. */
static bool
are_fewer(const struct keep *k, DIR *names, const char *start, unsigned most)
{
	return count_names(k, names, start, false) < most ||
	       count_names(k, names, start, true) < most;
}

/* Under the lock. Is there room for one more of this name? */
static bool
has_room(const struct keep *k, int directory, const char *name)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
	char place[PLACE_CHARACTERS + 1];
	bool room;

	if (names == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	(void)strlcpy(place, name, sizeof(place));
	room = are_fewer(k, names, place, KEEP_EACH) && are_fewer(k, names, "", KEEP_NAMES);
	(void)closedir(names);
	return room;
}

static int
bind_to(const struct sockaddr_un *un, char why[KEEP_REASON_MAX])
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const mode_t before = umask(0177);
	const bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 &&
			   listen(fd, BACKLOG) == 0;

	if (!bound)
		(void)snprintf(why, KEEP_REASON_MAX, "%s: %s", un->sun_path, strerror(errno));
	(void)umask(before);
	if (bound)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

int
keep_listen(const struct keep *k, const struct keep_identity *id, char why[KEEP_REASON_MAX])
{
	struct sockaddr_un un;
	char name[NAME_CHARACTERS + 1];
	int directory, fd = -1;

	if ((directory = open_directory(k, true, why)) < 0)
		return -1;
	name_of(id, name);
	if (!path_of(k, name, &un))
		(void)snprintf(why, KEEP_REASON_MAX,
		    "%.200s: too long a name for sockets in it", k->directory);
	/* Who would have to wait has better things to do. */
	else if (flock(directory, LOCK_EX | LOCK_NB) == 0 && is_free(&un) &&
		 has_room(k, directory, name))
		fd = bind_to(&un, why);
	(void)close(directory);
	return fd;
}
