/*
 * rotate - see rotate.h.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "rotate.h"

#define DAY 86400

/* The names of a rotation. */
struct names {
	const char *now;
	char next[PATH_MAX], public[PATH_MAX], old[PATH_MAX];
};

static void
name(char *to, const char *file, const char *ending)
{
	int n = snprintf(to, PATH_MAX, "%s%s", file, ending);

	if (n < 0 || n >= PATH_MAX)
		errx(EX_CANTCREAT, "the file's name is too long");
}

static void
name_all(struct names *names, const char *file)
{
	names->now = file;
	name(names->next, file, ".next");
	name(names->public, file, ".next.pub");
	name(names->old, file, ".old");
}

/* What was done in the directory of path reaches the disk. */
static void
sync_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL)
		strlcpy(directory, ".", sizeof(directory));
	else
		strlcpy(directory, path, (size_t)(slash - path) + 1 + (slash == path));
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		err(EX_IOERR, "%s", directory);
	close(fd);
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
read_public(struct public *p, const char *path, const char *advice)
{
	char why[KEY_REASON_MAX];
	struct key *key;

	switch (key_read(&key, path, why)) {
	case KEY_MISSING:
		errx(EX_NOINPUT, "%s; %s", why, advice);
	case KEY_REFUSED:
		errx(EX_DATAERR, "%s", why);
	case KEY_OK:
		break;
	}
	public_of(p, key);
	key_free(key);
}

/* Whole or not at all, for receivers read it at any moment. */
static void
write_public(const char *path, const struct public *p)
{
	char fresh[PATH_MAX];
	FILE *out = NULL;
	int fd;

	name(fresh, path, ".new");
	(void)unlink(fresh); /* of a try that was interrupted */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || (out = fdopen(fd, "w")) == NULL)
		err(EX_CANTCREAT, "%s", fresh);
	public_write_line(p, out);
	if (fflush(out) != 0 || fchmod(fd, 0644) != 0 || fsync(fd) != 0 ||
	    rename(fresh, path) != 0) {
		int fault = errno;

		(void)unlink(fresh);
		errno = fault;
		err(EX_CANTCREAT, "%s", path);
	}
	(void)fclose(out);
	sync_directory(path);
}

void
rotate_next(const char *file, const struct key *fresh, struct public *next)
{
	struct names names;
	struct public now;
	struct stat st;
	char why[KEY_REASON_MAX];

	name_all(&names, file);
	read_public(&now, file, "make it first, with blackpony-keygen -f");
	if (stat(file, &st) != 0)
		err(EX_NOINPUT, "%s", file);
	if (!exists(names.next))
		(void)unlink(names.public); /* of another key */
	if (!exists(names.next) || exists(names.public)) {
		if (!key_write(fresh, names.next, (st.st_mode & S_IRGRP) != 0 ? 0640 : 0600,
			st.st_gid, why))
			errx(EX_CANTCREAT, "%s", why);
	}
	read_public(next, names.next, "make it again");
	write_public(names.public, next);
}

/* A host that saw a commitment before the next key was announced will not take that key until
 * the commitment has run out. */
static void
require_age(const char *path, uint32_t min_age)
{
	struct stat st;
	time_t age;

	if (stat(path, &st) != 0)
		err(EX_NOINPUT, "%s", path);
	age = time(NULL) - st.st_mtime;
	if (age >= 0 && (uint64_t)age >= min_age)
		return;
	errx(EX_TEMPFAIL,
	    "%s was made %ld days ago, and hosts that have not seen it announced may defer "
	    "mail; wait until it is %lu days old, or give the age that is enough: -a 0",
	    path, (long)(age / DAY), (unsigned long)((min_age + DAY - 1) / DAY));
}

static bool
same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return lstat(a, &sa) == 0 && lstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

void
rotate_switch(const char *file, uint32_t min_age, struct public *now)
{
	struct names names;
	struct public next, announced;

	name_all(&names, file);
	read_public(now, file, "there is nothing to switch from");
	read_public(&next, names.next, "make it with blackpony-keygen --rotate next");
	if (!public_read_line(&announced, names.public))
		errx(EX_NOINPUT,
		    "%s: no public key; make it with blackpony-keygen --rotate next",
		    names.public);
	if (memcmp(announced.octets, next.octets, sizeof(next.octets)) != 0)
		errx(EX_DATAERR,
		    "%s is not the public half of %s; remove it and run "
		    "blackpony-keygen --rotate next",
		    names.public, names.next);
	require_age(names.public, min_age);
	/* The same file under both names: we were interrupted just here. */
	if (link(file, names.old) != 0 && !(errno == EEXIST && same_file(file, names.old))) {
		if (errno == EEXIST)
			errx(EX_CANTCREAT,
			    "%s exists; retire it first, with blackpony-keygen --rotate retire",
			    names.old);
		err(EX_CANTCREAT, "%s", names.old);
	}
	sync_directory(file);
	if (rename(names.next, file) != 0)
		err(EX_CANTCREAT, "%s", file);
	sync_directory(file);
	(void)unlink(names.public);
	sync_directory(file);
	*now = next;
}

void
rotate_retire(const char *file)
{
	static const char zeros[4096];
	struct names names;
	struct public old;
	struct stat st;
	int fd;

	name_all(&names, file);
	read_public(&old, names.old, "there is nothing to retire");
	if (same_file(file, names.old))
		errx(EX_DATAERR,
		    "%s is still the host key: a switch was interrupted; do it "
		    "again, with blackpony-keygen --rotate switch",
		    names.old);
	fd = open(names.old, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		err(EX_CANTCREAT, "%s", names.old);
	if (st.st_nlink != 1)
		errx(EX_DATAERR, "%s has another name as well; remove it by hand", names.old);
	if (st.st_size > (off_t)sizeof(zeros) ||
	    pwrite(fd, zeros, (size_t)st.st_size, 0) != (ssize_t)st.st_size || fsync(fd) != 0 ||
	    unlink(names.old) != 0)
		err(EX_IOERR, "%s", names.old);
	close(fd);
	sync_directory(file);
}
