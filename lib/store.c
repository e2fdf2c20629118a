/*
 * store - opens the LMDB environment of the pins, runs transactions in it, and keeps its faults
 * away from the mail (store.h). Called by lib/pins.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store.h"

#define DATA "data.mdb" /* LMDB's names */
#define LOCK "lock.mdb"
#define DAMAGED "damaged"

/* The map starts small and is doubled when it is full, so that ordinary use keeps that path
 * tried. Address space only: the file is as long as what was written. */
#define MAP_MIN ((size_t)1 << 20)
#define MAP_MAX ((size_t)1 << (sizeof(size_t) > 4 ? 36 : 29))
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

struct store {
	MDB_env *env;
	MDB_dbi table[STORE_TABLES];
	size_t map_size;
	int directory;
	bool lost; /* nothing may be asked of env any more */
	char path[256];
};

static const int guarded[] = {SIGSEGV, SIGBUS, SIGABRT};
#define GUARDED (sizeof(guarded) / sizeof(guarded[0]))

static struct {
	volatile sig_atomic_t inside; /* we are in LMDB */
	int directory;
	struct sigaction former[GUARDED];
} guard;

__attribute__((format(printf, 2, 3))) static bool
refuse(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, STORE_REASON_MAX, format, ap);
	va_end(ap);
	return false;
}

/* Async-signal-safe. The first reason stays. */
static void
mark_damaged(int directory, const char *reason)
{
	int fd;

	fd = openat(directory, DAMAGED, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, reason, strlen(reason)) < 0) {
		/* That the file is there says enough. */
	}
	close(fd);
}

/* Leaves the mark, then lets the signal do what it would have done. */
static void
fault(int signal_number)
{
	if (guard.inside) {
		guard.inside = 0;
		mark_damaged(guard.directory, signal_number == SIGBUS ? "SIGBUS inside LMDB"
					      : signal_number == SIGSEGV
						  ? "SIGSEGV inside LMDB"
						  : "SIGABRT inside LMDB");
	}
	for (size_t i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &guard.former[i], NULL);
	raise(signal_number);
}

static void
guard_set(int directory)
{
	struct sigaction action;

	guard.inside = 0;
	guard.directory = directory;
	memset(&action, 0, sizeof(action));
	action.sa_handler = fault;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &action, &guard.former[i]);
}

static void
guard_remove(void)
{
	for (size_t i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &guard.former[i], NULL);
}

void
store_enter(void)
{
	guard.inside = 1;
}

void
store_leave(void)
{
	guard.inside = 0;
}

/* What LMDB itself says of pages that cannot be. */
static const char *
damage(int error)
{
	switch (error) {
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_INCOMPATIBLE:
#ifdef MDB_PROBLEM /* 0.9.25 */
	case MDB_PROBLEM:
#endif
		return mdb_strerror(error);
	default:
		return NULL;
	}
}

static bool
grow(struct store *s)
{
	if (s->map_size > MAP_MAX / 2)
		return false;
	s->map_size *= 2;
	if (mdb_env_set_mapsize(s->env, s->map_size) == 0)
		return true;
	s->lost = true; /* LMDB has given up the old map and has no new one */
	return false;
}

static int
attempt(struct store *s, unsigned flags, store_work *work, void *context)
{
	MDB_txn *txn;
	int error;

	error = mdb_txn_begin(s->env, NULL, flags, &txn);
	if (error != 0)
		return error;
	error = work(s, txn, context);
	if (error == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

static int
run(struct store *s, unsigned flags, store_work *work, void *context)
{
	int error;

	if (s->lost)
		return MDB_PANIC;
	do {
		store_enter();
		error = attempt(s, flags, work, context);
		store_leave();
		/* Full; or another process has made its map larger than ours. */
	} while ((error == MDB_MAP_FULL || error == MDB_MAP_RESIZED) && grow(s));
	if (damage(error) != NULL) {
		mark_damaged(s->directory, damage(error));
		s->lost = true;
	}
	return error;
}

int
store_read(struct store *s, store_work *work, void *context)
{
	return run(s, MDB_RDONLY, work, context);
}

int
store_write(struct store *s, store_work *work, void *context)
{
	return run(s, 0, work, context);
}

void
store_explain(const struct store *s, int error, char why[STORE_REASON_MAX])
{
	const char *text = mdb_strerror(error);

	if (damage(error) != NULL)
		refuse(why, "%s/" DATA ": damaged: %s", s->path, text);
	else if (error == EIO) /* LMDB's word for a page of which only a part was written */
		refuse(why, "%s/" DATA ": %s, or no space left", s->path, text);
	else
		refuse(why, "%s/" DATA ": %s", s->path, text);
}

MDB_dbi
store_table(const struct store *s, enum store_table table)
{
	return s->table[table];
}

static bool
open_directory(struct store *s, char *why)
{
	struct stat st;

	if (mkdir(s->path, 0700) != 0 && errno != EEXIST)
		return refuse(why, "%s: cannot be made: %s", s->path, strerror(errno));
	s->directory = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->directory < 0 || fstat(s->directory, &st) != 0)
		return refuse(why, "%s: %s", s->path, strerror(errno));
	if (st.st_uid != geteuid())
		return refuse(why, "%s: belongs to uid %lu, and this is uid %lu (chown)",
		    s->path, (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & 022) != 0)
		return refuse(why, "%s: mode %04o lets others write (chmod 0700)", s->path,
		    (unsigned)(st.st_mode & 07777));
	return true;
}

static bool
not_marked(const struct store *s, char *why)
{
	char reason[64] = "";
	ssize_t n;
	int fd;

	fd = openat(s->directory, DAMAGED, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd >= 0) {
		n = read(fd, reason, sizeof(reason) - 1);
		reason[n > 0 ? n : 0] = '\0';
		close(fd);
	}
	return refuse(why,
	    "%s/" DATA ": damaged (%s); put a copy back and remove %s/" DAMAGED
	    ", or remove all files there to begin anew",
	    s->path, reason, s->path);
}

/* LMDB makes its lock file sparse and writes to it through a map, where a full disk is a
 * SIGBUS: so its blocks are taken beforehand. One that has a length is in use with that length.
 */
static bool
prepare_lock(const struct store *s, char *why)
{
	struct stat st;
	int fd, error = 0;

	fd = openat(s->directory, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(why, "%s/" LOCK ": %s", s->path, strerror(errno));
	if (fstat(fd, &st) != 0)
		error = errno;
	else if (st.st_size == 0)
		error = posix_fallocate(fd, 0, LOCK_OCTETS);
	close(fd);
	return error == 0 || refuse(why, "%s/" LOCK ": %s", s->path, strerror(error));
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
	if (m->last_page < 1 || m->last_page >= MAP_MAX / page)
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
may_be_mapped(struct store *s, int fd, char *why)
{
	const char *wrong = NULL;
	size_t need = 0, page = 0;
	struct stat st;
	int error;

	for (int i = 0; i < HEADER_TRIES; i++) {
		if (fstat(fd, &st) != 0)
			return refuse(why, "%s/" DATA ": %s", s->path, strerror(errno));
		if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
			return refuse(why, "%s/" DATA ": not a regular file of uid %lu",
			    s->path, (unsigned long)geteuid());
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
			return refuse(why, "%s/" DATA ": %s", s->path, strerror(error));
	}
	if (wrong != NULL)
		return refuse(why,
		    "%s/" DATA ": %s; put a copy back, or remove all files there to begin anew",
		    s->path, wrong);
	while (s->map_size < MAP_MAX && s->map_size < 2 * need)
		s->map_size *= 2;
	return true;
}

static bool
prepare_data(struct store *s, char *why)
{
	bool fine;
	int fd;

	fd = openat(s->directory, DATA, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		return refuse(why, "%s/" DATA ": %s", s->path, strerror(errno));
	fine = may_be_mapped(s, fd, why);
	close(fd);
	return fine;
}

static int
open_tables(struct store *s, MDB_txn *txn, void *context)
{
	static const char *const names[STORE_TABLES] = {"hosts", "dead"};
	const unsigned *flags = context;
	int error = 0;

	for (int i = 0; i < STORE_TABLES && error == 0; i++)
		error = mdb_dbi_open(txn, names[i], *flags, &s->table[i]);
	return error;
}

/* MDB_NOMETASYNC: one wait for the disk in a commit instead of two. A power cut may then undo
 * the last commit, never harm those before; a killed process loses nothing. */
static int
open_environment(struct store *s)
{
	unsigned none = 0, create = MDB_CREATE;
	int error;

	store_enter();
	error = mdb_env_create(&s->env);
	if (error == 0)
		error = mdb_env_set_maxdbs(s->env, STORE_TABLES);
	if (error == 0)
		error = mdb_env_set_mapsize(s->env, s->map_size);
	if (error == 0)
		error = mdb_env_open(
		    s->env, s->path, MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD, 0600);
	if (error == 0)
		error = mdb_reader_check(s->env, NULL); /* slots of the killed */
	store_leave();
	if (error == 0)
		error = store_read(s, open_tables, &none);
	if (error == MDB_NOTFOUND)
		error = store_write(s, open_tables, &create);
	return error;
}

struct store *
store_open(const char *directory, char why[STORE_REASON_MAX])
{
	struct store *s;
	int error;

	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		refuse(why, "out of memory");
		return NULL;
	}
	s->directory = -1;
	s->map_size = MAP_MIN;
	if ((size_t)snprintf(s->path, sizeof(s->path), "%s", directory) >= sizeof(s->path)) {
		refuse(why, "%.200s...: too long a name", directory);
		goto refused;
	}
	if (!open_directory(s, why) || !not_marked(s, why) || !prepare_lock(s, why) ||
	    !prepare_data(s, why))
		goto refused;
	guard_set(s->directory);
	error = open_environment(s);
	if (error == 0)
		return s;
	store_explain(s, error, why);
	store_close(s);
	return NULL;
refused:
	if (s->directory >= 0)
		close(s->directory);
	free(s);
	return NULL;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	store_enter();
	mdb_env_close(s->env); /* NULL-safe */
	store_leave();
	guard_remove();
	close(s->directory);
	free(s);
}
