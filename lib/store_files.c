/*
 * store_files - whose directory it is, room for the locks, and whether the data may be mapped;
 * and the putting aside of data that may not (store_files.h). Called by lib/store.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store.h"
#include "lib/store_files.h"

/* A reader's slot is 64 octets, and taken for the time of one transaction (MDB_NOTLS). */
#define LOCK_OCTETS 65536
/* Pages at the end of the file that LMDB may count and never have written: those that a
 * transaction both took and gave back. STORE_BATCH keeps it below this many. */
#define UNWRITTEN_MAX 256
#define HEADER_TRIES 5 /* a header read while another process writes it may look torn */

/* LMDB's meta page (data format 1), of which there are two at the start of the file. */
struct meta {
	size_t number;
	uint16_t unused, flags;
	uint16_t lower, upper;
	uint32_t magic, version;
	void *address;
	size_t map_size;
	struct {
		uint32_t pad; /* of the first one: the page size */
		uint16_t flags, depth;
		size_t branches, leaves, overflows, entries, root;
	} table[2]; /* free pages; named tables */
	size_t last_page;
	size_t transaction;
};

#define META_MAGIC 0xBEEFC0DE
#define META_VERSION 1
#define META_FLAG 0x08
#define META_NO_ROOT SIZE_MAX
#define META_DEPTH_MAX 32

__attribute__((format(printf, 2, 3))) static bool
refuse(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, STORE_REASON_MAX, format, ap);
	va_end(ap);
	return false;
}

static bool
open_directory(struct store_files *f, char *why)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	struct stat st;

	f->directory = open(f->path, flags);
	if (f->directory < 0 && errno == ENOENT) {
		if (mkdir(f->path, 0700) != 0 && errno != EEXIST)
			return refuse(why, "%s: cannot be made: %s", f->path, strerror(errno));
		f->directory = open(f->path, flags);
	}
	if (f->directory < 0 || fstat(f->directory, &st) != 0)
		return refuse(why, "%s: %s", f->path, strerror(errno));
	if (st.st_uid != geteuid())
		return refuse(why, "%s: belongs to uid %lu, and this is uid %lu (chown)",
		    f->path, (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & 022) != 0)
		return refuse(why, "%s: mode %04o lets others write (chmod 0700)", f->path,
		    (unsigned)(st.st_mode & 07777));
	return true;
}

/* LMDB makes its lock file sparse and writes to it through a map, where a full disk is a
 * SIGBUS: so its blocks are taken beforehand. One that has a length is in use with that length.
 */
static bool
prepare_lock(const struct store_files *f, char *why)
{
	struct stat st;
	int fd, error = 0;

	if (fstatat(f->directory, STORE_LOCK, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
		return true;
	fd = openat(f->directory, STORE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(why, "%s/" STORE_LOCK ": %s", f->path, strerror(errno));
	if (fstat(fd, &st) != 0)
		error = errno;
	else if (st.st_size == 0)
		error = posix_fallocate(fd, 0, LOCK_OCTETS);
	close(fd);
	return error == 0 || refuse(why, "%s/" STORE_LOCK ": %s", f->path, strerror(error));
}

/* What is wrong with that meta page; NULL if nothing is. */
static const char *
meta_fault(const struct meta *m, size_t number, size_t page)
{
	if (m->magic != META_MAGIC || (m->flags & META_FLAG) == 0 || m->number != number)
		return "not an LMDB file of this kind of machine";
	if (m->version != META_VERSION)
		return "an LMDB file of another version";
	if (m->table[0].pad != page || m->table[0].flags != MDB_INTEGERKEY ||
	    m->table[1].flags != 0)
		return "damaged: settings that are not ours";
	for (int i = 0; i < 2; i++) {
		if (m->table[i].depth > META_DEPTH_MAX ||
		    (m->table[i].root != META_NO_ROOT && m->table[i].root > m->last_page))
			return "damaged: a tree outside the file";
	}
	if (m->last_page < 1 || m->last_page >= STORE_MAP_MAX / page)
		return "damaged: an impossible length";
	if (m->transaction != 0 && (m->transaction & 1) != number)
		return "damaged: transactions out of order";
	return NULL;
}

/* The same of both, and how long the file must be. */
static const char *
header_fault(int fd, size_t *need, size_t *page)
{
	struct meta m[2];
	const char *wrong;

	if (pread(fd, &m[0], sizeof(m[0]), 0) != (ssize_t)sizeof(m[0]))
		return "truncated";
	*page = m[0].table[0].pad;
	if (m[0].magic == META_MAGIC &&
	    (*page < 512 || *page > 65536 || (*page & (*page - 1)) != 0))
		return "damaged: an impossible page size";
	if ((wrong = meta_fault(&m[0], 0, *page)) != NULL)
		return wrong;
	if (pread(fd, &m[1], sizeof(m[1]), (off_t)*page) != (ssize_t)sizeof(m[1]))
		return "truncated";
	if ((wrong = meta_fault(&m[1], 1, *page)) != NULL)
		return wrong;
	/* They are written in turn; a new file has 0 in both. */
	if ((m[0].transaction != 0 || m[1].transaction != 0) &&
	    m[0].transaction != m[1].transaction + 1 &&
	    m[1].transaction != m[0].transaction + 1)
		return "damaged: transactions out of order";
	*need = (m[m[1].transaction > m[0].transaction].last_page + 1) * *page;
	return NULL;
}

/* True when the open file may be mapped: no page that LMDB may look at lies behind its end,
 * where looking would be a SIGBUS. Sets the size of the map. */
static bool
may_be_mapped(struct store_files *f, int fd, char *why)
{
	const char *wrong = NULL;
	size_t need = 0, page = 0;
	struct stat st;
	int error;

	for (int i = 0; i < HEADER_TRIES; i++) {
		if (fstat(fd, &st) != 0)
			return refuse(why, "%s/" STORE_DATA ": %s", f->path, strerror(errno));
		if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
			return refuse(why, "%s/" STORE_DATA ": not a regular file of uid %lu",
			    f->path, (unsigned long)geteuid());
		if (st.st_size == 0)
			return true; /* LMDB begins it, under its lock */
		if ((wrong = header_fault(fd, &need, &page)) == NULL)
			break;
		usleep(1000);
	}
	if (wrong == NULL && (size_t)st.st_size < need) {
		if (need - (size_t)st.st_size > UNWRITTEN_MAX * page)
			wrong = "truncated";
		/* Never shorter, whatever others append meanwhile. */
		else if ((error = posix_fallocate(fd, (off_t)need - 1, 1)) != 0)
			return refuse(why, "%s/" STORE_DATA ": %s", f->path, strerror(error));
	}
	if (wrong != NULL)
		return refuse(why,
		    "%s/" STORE_DATA ": %s; put a copy back, or remove it to begin anew",
		    f->path, wrong);
	while (f->map_size < STORE_MAP_MAX && f->map_size < 2 * need)
		f->map_size *= 2;
	return true;
}

/* None yet, or one that may be mapped. */
static bool
prepare_data(struct store_files *f, char *why)
{
	bool fine;
	int fd;

	fd = openat(f->directory, STORE_DATA, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (faccessat(f->directory, STORE_DAMAGED, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
			return true;
		return refuse(why,
		    "%s/" STORE_DAMAGED
		    ": LMDB found it damaged; put a copy back as " STORE_DATA
		    ", or remove it to begin anew",
		    f->path);
	}
	if (fd < 0)
		return refuse(why, "%s/" STORE_DATA ": %s", f->path, strerror(errno));
	fine = may_be_mapped(f, fd, why);
	close(fd);
	return fine;
}

bool
store_files_prepare(struct store_files *f, const char *directory, char *why)
{
	f->directory = -1;
	f->map_size = STORE_MAP_MIN;
	if ((size_t)snprintf(f->path, sizeof(f->path), "%s", directory) >= sizeof(f->path))
		return refuse(why, "%.200s...: too long a name", directory);
	return open_directory(f, why) && prepare_lock(f, why) && prepare_data(f, why);
}

void
store_files_put_aside(int directory)
{
	renameat(directory, STORE_DATA, directory, STORE_DAMAGED);
}
