/*
 * sandbox - see sandbox.h. Here: who the process is, where it is, and how much it may have.
 */
#include "sandbox.h"
#include "sandbox_system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY                                                                                 \
	67108864 /* octets that a process may write to; a whole session needs 2 million */
#define NO_LIMIT (-1)

/* Descriptors. poll() takes no more of them than this, open or not; an engine has five at most:
 * 0 to 2, the monitor's, and the one that it is being handed. */
static const struct {
	int descriptors;
	bool writes_files;
} profile[SANDBOX_ROLES] = {
    [SANDBOX_KEYGEN] = {NO_LIMIT, true},
    [SANDBOX_RECEIVER] = {5, false},
    [SANDBOX_MAILER] = {5, true}, /* its standard output may be a file, started by hand */
    [SANDBOX_MONITOR] = {16, false},
    [SANDBOX_LOOKUP] = {16, false},
    [SANDBOX_RESOLVER] = {8, false},
    [SANDBOX_KEEPER] = {8, false},
};

static int
refuse(char *why, const char *path, const char *what)
{
	(void)snprintf(why, SANDBOX_REASON_MAX,
	    "%.255s: %s; make it with install -d -m 555 -o root -g root", path, what);
	return -1;
}

/* Counts no further than the first entry of its own. */
static bool
is_empty(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = again >= 0 ? fdopendir(again) : NULL;
	const struct dirent *entry;
	bool empty = directory != NULL;

	if (directory == NULL) {
		if (again >= 0)
			(void)close(again);
		return false;
	}
	while (empty && (entry = readdir(directory)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	(void)closedir(directory);
	return empty;
}

int
sandbox_root(const char *path, char *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char *fault = NULL;
	struct stat st;

	if (fd < 0)
		return refuse(why, path, strerror(errno));
	if (fstat(fd, &st) != 0)
		fault = strerror(errno);
	else if (st.st_uid != 0)
		fault = "does not belong to root";
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		fault = "others than root may write there";
	else if (!is_empty(fd))
		fault = "is not empty";
	if (fault == NULL)
		return fd;
	(void)close(fd);
	return refuse(why, path, fault);
}

static bool
lock_in(int root)
{
	return root < 0 || (fchdir(root) == 0 && chroot(".") == 0 && close(root) == 0);
}

/* Root becomes the user, and cannot come back. */
static bool
become(uid_t user, gid_t group)
{
	if (user == 0 || getuid() != 0)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 &&
	       setresuid(user, user, user) == 0 && setuid(0) != 0 && setgid(0) != 0;
}

static bool
limit(int resource, rlim_t most)
{
	const struct rlimit r = {most, most};

	return setrlimit(resource, &r) == 0;
}

/* After the change of user: root is not counted by RLIMIT_NPROC. A regular file cannot be
 * written with RLIMIT_FSIZE 0, but one that is open already would end the process. */
static bool
limit_all(enum sandbox_role role)
{
	if (!limit(RLIMIT_CORE, 0))
		return false;
	if (role == SANDBOX_KEYGEN)
		return true;
	if (!profile[role].writes_files && !limit(RLIMIT_FSIZE, 0))
		return false;
	return limit(RLIMIT_NPROC, 0) &&
	       limit(RLIMIT_NOFILE, (rlim_t)profile[role].descriptors) &&
	       limit(RLIMIT_DATA, MEMORY);
}

bool
sandbox_hide(void)
{
	return sandbox_system_hide();
}

bool
sandbox_filters(void)
{
#if defined HAVE_SECCOMP || defined HAVE_PLEDGE || defined HAVE_SYS_CAPSICUM_H
	return true;
#else
	return false;
#endif
}

#ifdef BLACKPONY_NO_SANDBOX

/* Valgrind and the sanitizers open files to report into, and map much memory. */
bool
sandbox_enter(const struct sandbox *s)
{
	(void)lock_in, (void)limit_all;
	if (s->root >= 0)
		(void)close(s->root);
	return become(s->user, s->group) && sandbox_hide() && limit(RLIMIT_CORE, 0) &&
	       sandbox_system_enter(SANDBOX_KEYGEN);
}

#else

bool
sandbox_enter(const struct sandbox *s)
{
	return lock_in(s->root) && become(s->user, s->group) && sandbox_hide() &&
	       limit_all(s->role) && sandbox_system_enter(s->role);
}

#endif
