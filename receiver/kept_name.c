/*
 * kept_name - see kept_name.h.
 */
#include "receiver/kept_name.h"
#include "lib/textfile.h"
#include "receiver/greeting.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_OCTETS 512 /* both lines */

_Static_assert(FILE_OCTETS == 2 * GREETING_NAME_MAX, "both fit");

static bool
own_name(char name[GREETING_NAME_MAX])
{
	const bool known = gethostname(name, GREETING_NAME_MAX) == 0;

	name[GREETING_NAME_MAX - 1] = '\0';
	return known && greeting_is_name(name);
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* By the time of a change to the file itself (or to a link to it), which nobody can set back.
 * That of the directory tells of one that is gone. */
static bool
is_unchanged(const char *source, const struct timespec *since)
{
	char directory[256];
	struct stat st;

	if (lstat(source, &st) == 0 && !is_before(&st.st_ctim, since))
		return false;
	if (stat(source, &st) == 0)
		return is_before(&st.st_ctim, since);
	(void)snprintf(
	    directory, sizeof(directory), "%.*s", (int)(strrchr(source, '/') - source), source);
	return stat(directory, &st) != 0 || is_before(&st.st_ctim, since);
}

static bool
is_fresh(const char *path, const char *const sources[])
{
	struct timespec now;
	struct stat st;

	if (stat(path, &st) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    is_before(&now, &st.st_mtim) || now.tv_sec - st.st_mtim.tv_sec >= KEPT_NAME_SECONDS)
		return false;
	for (; *sources != NULL; sources++)
		if (!is_unchanged(*sources, &st.st_mtim))
			return false;
	return true;
}

/* Both lines; whatever is not exactly that is no name. */
static bool
parse(char *text, size_t n, char *out, size_t size)
{
	char own[GREETING_NAME_MAX], *name, *end;

	if (strlen(text) != n || !own_name(own) || (name = strchr(text, '\n')) == NULL ||
	    (end = strchr(name + 1, '\n')) == NULL || end[1] != '\0')
		return false;
	*name++ = *end = '\0';
	if (strcmp(text, own) != 0 || !greeting_is_name(name))
		return false;
	strlcpy(out, name, size);
	return true;
}

bool
kept_name_find(const char *path, const char *const sources[], char *out, size_t size)
{
	char why[TEXTFILE_REASON_MAX], *text;
	size_t n;
	bool found;

	/* The time first: a file that takes its place meanwhile is a newer one. */
	if (!is_fresh(path, sources) ||
	    textfile_read(path, FILE_OCTETS, &text, &n, why) != TEXTFILE_OK)
		return false;
	found = parse(text, n, out, size);
	free(text);
	return found;
}

void
kept_name_put(const char *path, const struct timespec *asked, const char *name)
{
	const struct timespec times[2] = {*asked, *asked};
	char text[FILE_OCTETS + 1], own[GREETING_NAME_MAX], draft[256];
	int fd, n;

	if (!own_name(own))
		return;
	n = snprintf(text, sizeof(text), "%s\n%s\n", own, name);
	(void)snprintf(draft, sizeof(draft), "%.200s.%ld", path, (long)getpid());
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (write(fd, text, (size_t)n) != n || futimens(fd, times) != 0 ||
	    rename(draft, path) != 0)
		(void)unlink(draft);
	(void)close(fd);
}
