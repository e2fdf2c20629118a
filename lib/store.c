/*
 * store - opens the LMDB environment of the pins, runs transactions in it, and keeps its faults
 * away from the mail (store.h). Called by lib/pins.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/store.h"
#include "lib/store_files.h"

#define STORE_TURN "turn" /* locked by whoever writes */
#define TURN_MS 10000     /* then the mail goes on and is not remembered */
#define TURN_PAUSE_MS 1
#define OPEN_TRIES 200 /* a pause each */

static const struct timespec turn_pause = {.tv_nsec = TURN_PAUSE_MS * 1000000L};

struct store {
	MDB_env *env;
	MDB_dbi table[STORE_TABLES];
	struct store_files files;
	bool lost; /* nothing may be asked of env any more */
};

static const int guarded[] = {SIGSEGV, SIGBUS, SIGABRT};
#define GUARDED (sizeof(guarded) / sizeof(guarded[0]))

static struct {
	volatile sig_atomic_t inside; /* we are in LMDB */
	int directory;
	struct sigaction former[GUARDED];
} guard;

/* Puts the file aside, then lets the signal do what it would have done. */
static void
fault(int signal_number)
{
	if (guard.inside)
		store_files_put_aside(guard.directory);
	guard.inside = 0;
	for (size_t i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &guard.former[i], NULL);
	(void)raise(signal_number);
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

/* Is that what LMDB says of pages that cannot be? */
static bool
tells_damage(int error)
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
		return true;
	default:
		return false;
	}
}

static bool
grow(struct store *s)
{
	if (s->files.map_size > STORE_MAP_MAX / 2)
		return false;
	s->files.map_size *= 2;
	if (mdb_env_set_mapsize(s->env, s->files.map_size) == 0)
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
	if (tells_damage(error)) {
		store_files_put_aside(s->files.directory);
		s->lost = true;
	}
	return error;
}

int
store_read(struct store *s, store_work *work, void *context)
{
	return run(s, MDB_RDONLY, work, context);
}

/* LMDB lets writers wait for one another without end, so that one stopped in its transaction
 * would stop all mail. Here they take turns first, with a deadline. The descriptor of the turn,
 * or a negative errno. */
static int
take_turn(const struct store *s)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const int64_t end = clock_ms() + TURN_MS;
	int fd, error;

	fd = openat(
	    s->files.directory, STORE_TURN, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
		error = errno;
		if ((error != EAGAIN && error != EACCES) || clock_ms() >= end) {
			(void)close(fd);
			return error == EAGAIN || error == EACCES ? -EBUSY : -error;
		}
		(void)nanosleep(&turn_pause, NULL);
	}
	return fd;
}

int
store_write(struct store *s, store_work *work, void *context)
{
	int error, turn = take_turn(s);

	if (turn < 0)
		return -turn;
	error = run(s, 0, work, context);
	(void)close(turn);
	return error;
}

void
store_explain(const struct store *s, int error, char why[STORE_REASON_MAX])
{
	const char *text = mdb_strerror(error);

	if (tells_damage(error))
		snprintf(why, STORE_REASON_MAX, "%s/" STORE_DAMAGED ": put aside: %s",
		    s->files.path, text);
	else if (error == EIO) /* LMDB's word for a page of which only a part was written */
		snprintf(why, STORE_REASON_MAX, "%s/" STORE_DATA ": %s, or no space left",
		    s->files.path, text);
	else
		snprintf(why, STORE_REASON_MAX, "%s/" STORE_DATA ": %s", s->files.path, text);
}

MDB_dbi
store_table(const struct store *s, enum store_table table)
{
	return s->table[table];
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
	int error, fd;

	store_enter();
	error = mdb_env_create(&s->env);
	if (error == 0)
		error = mdb_env_set_maxdbs(s->env, STORE_TABLES);
	if (error == 0)
		error = mdb_env_set_mapsize(s->env, s->files.map_size);
	if (error == 0)
		error = mdb_env_open(s->env, s->files.path, MDB_NOTLS | MDB_NOMETASYNC, 0600);
	if (error == 0)
		error = mdb_reader_check(s->env, NULL); /* slots of the killed */
	if (error == 0 && mdb_env_get_fd(s->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC); /* the one that LMDB leaves open in an exec */
	store_leave();
	if (error == 0)
		error = store_read(s, open_tables, &none);
	if (error == MDB_NOTFOUND)
		error = store_write(s, open_tables, &create);
	return error;
}

static void
close_environment(struct store *s)
{
	store_enter();
	mdb_env_close(s->env); /* NULL-safe */
	store_leave();
	s->env = NULL;
}

/* LMDB 0.9.31 destroys its locks when the last user closes (0.9.24 did not). Who opens in that
 * moment finds them destroyed, EINVAL, and must open again. t/19b-pins-many meets it on
 * Debian 13. */
static int
open_between_closes(struct store *s)
{
	int error = open_environment(s);

	for (int i = 0; error == EINVAL && i < OPEN_TRIES; i++) {
		close_environment(s);
		(void)nanosleep(&turn_pause, NULL);
		error = open_environment(s);
	}
	return error;
}

struct store *
store_open(const char *directory, char why[STORE_REASON_MAX])
{
	struct store *s;
	int error;

	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		snprintf(why, STORE_REASON_MAX, "out of memory");
		return NULL;
	}
	if (!store_files_prepare(&s->files, directory, why))
		goto refused;
	guard_set(s->files.directory);
	error = open_between_closes(s);
	if (error == 0)
		return s;
	store_explain(s, error, why);
	store_close(s);
	return NULL;
refused:
	if (s->files.directory >= 0)
		close(s->files.directory);
	free(s);
	return NULL;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	close_environment(s);
	guard_remove();
	close(s->files.directory);
	free(s);
}
