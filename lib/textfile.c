/*
 * textfile - configuration files, read whole. See textfile.h.
 */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
may_be_trusted(int fd, const char *path, size_t max, char *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return reason_file(why, path, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return reason_file(why, path, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return reason_file(why, path,
		    "belongs to uid %lu; must belong to root or uid %lu (chown)",
		    (unsigned long)st.st_uid, (unsigned long)geteuid());
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return reason_file(why, path,
		    "mode %04o lets others than its owner write to it (chmod go-w)",
		    (unsigned)(st.st_mode & 07777));
	if ((unsigned long long)st.st_size > max)
		return reason_file(why, path, "longer than %zu octets", max);
	return true;
}

/* Up to cap octets; -1 with errno. */
static ssize_t
read_whole(int fd, char *text, size_t cap)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < cap && n != 0) {
		n = read(fd, text + len, cap - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			return -1;
	}
	return (ssize_t)len;
}

static bool
read_trusted(int fd, const char *path, size_t max, char **text, size_t *n, char *why)
{
	ssize_t got;

	if (!may_be_trusted(fd, path, max, why))
		return false;
	*text = malloc(max + 1);
	if (*text == NULL)
		return reason_file(why, path, "%s", strerror(ENOMEM));
	/* An octet more than may be there: the file may have grown since. */
	got = read_whole(fd, *text, max + 1);
	if (got >= 0 && (size_t)got <= max) {
		*n = (size_t)got;
		(*text)[*n] = '\0';
		return true;
	}
	reason_file(why, path, "%s", got < 0 ? strerror(errno) : "grows while it is read");
	free(*text);
	*text = NULL;
	return false;
}

enum textfile_status
textfile_read(
    const char *path, size_t max, char **text, size_t *n, char why[TEXTFILE_REASON_MAX])
{
	struct stat link;
	int fd;
	bool good;

	*text = NULL;
	*n = 0;
	why[0] = '\0';
	/* O_NONBLOCK: a FIFO in the file's place must not hold us up before fstat() tells it.
	 */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno != ENOENT)
			reason_file(why, path, "%s", strerror(errno));
		else if (lstat(path, &link) == 0)
			reason_file(why, path, "is a symbolic link to nothing");
		else
			return TEXTFILE_MISSING;
		return TEXTFILE_REFUSED;
	}
	good = read_trusted(fd, path, max, text, n, why);
	close(fd);
	return good ? TEXTFILE_OK : TEXTFILE_REFUSED;
}
