/*
 * 1i-kept-name - the name that the receiver keeps for the next sessions (receiver/kept_name.h):
 * what is found again, and everything after which it is not.
 */
#include "receiver/kept_name.h"
#include "receiver/greeting.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/tap.h"

static char room[] = "/tmp/kept-name.XXXXXX";
static char kept[64], hosts[64], link_to[64], absent[64];
static const char *const sources[] = {hosts, link_to, absent, NULL};
static char found[GREETING_NAME_MAX];

static void
write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(text, 1, n, f) != n || fclose(f) != 0)
		bail("cannot write %s", path);
}

/* A time after all that was changed before: the clock of the files takes steps. */
static struct timespec
now(void)
{
	struct timespec pause = {.tv_nsec = 20000000}, t;

	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return t;
}

static void
put(const char *name)
{
	const struct timespec t = now();

	kept_name_put(kept, &t, name);
}

static bool
is_found(const char *name)
{
	strlcpy(found, "untouched", sizeof(found));
	if (!kept_name_find(kept, sources, found, sizeof(found)))
		return name == NULL && strcmp(found, "untouched") == 0;
	return name != NULL && strcmp(found, name) == 0;
}

static void
put_text(const char *text, size_t n)
{
	const struct timespec t[2] = {now(), now()};

	write_file(kept, text, n);
	chmod(kept, 0644);
	utimensat(AT_FDCWD, kept, t, 0);
}

static void
test_found(void)
{
	struct stat st;
	char own[GREETING_NAME_MAX];

	ok(is_found(NULL), "nothing is kept yet");
	put("mail.example.org");
	ok(is_found("mail.example.org"), "what was kept is found");
	ok(stat(kept, &st) == 0 && (st.st_mode & 07777) == 0644,
	    "in a file that others may read");
	put("other.example.org");
	ok(is_found("other.example.org"), "the last one counts");
	gethostname(own, sizeof(own));
	ok(strcmp(own, "mail") != 0, "this test's host is not called mail");
	put_text("mail\nmail.example.org\n", 22);
	ok(is_found(NULL), "not when the host has another name now");
}

static void
test_sources(void)
{
	put("mail.example.org");
	write_file(hosts, "changed\n", 8);
	ok(is_found(NULL), "not once a file has changed");
	put("mail.example.org");
	ok(is_found("mail.example.org"), "found again when it was asked for after that");
	unlink(link_to);
	if (symlink(hosts, link_to) != 0)
		bail("cannot make a link");
	ok(is_found(NULL), "not once a link leads to an older file");
	put("mail.example.org");
	write_file(absent, "", 0);
	ok(is_found(NULL), "not once a missing file is there");
	put("mail.example.org");
	unlink(absent);
	ok(is_found(NULL), "nor when one has gone");
}

static void
set_age(time_t seconds)
{
	struct timespec t[2] = {now(), now()};

	t[1].tv_sec -= seconds;
	utimensat(AT_FDCWD, kept, t, 0);
}

static void
test_age(void)
{
	static const char *const none[] = {NULL};
	struct timespec t = now();

	kept_name_put(kept, &t, "mail.example.org");
	set_age(KEPT_NAME_SECONDS - 60);
	ok(kept_name_find(kept, none, found, sizeof(found)), "found while it is young");
	set_age(KEPT_NAME_SECONDS);
	ok(!kept_name_find(kept, none, found, sizeof(found)), "not when it is old");
	set_age(-60);
	ok(!kept_name_find(kept, none, found, sizeof(found)), "nor from a time to come");
	t.tv_sec -= KEPT_NAME_SECONDS;
	kept_name_put(kept, &t, "mail.example.org");
	ok(!kept_name_find(kept, none, found, sizeof(found)),
	    "its age is from when it was asked for");
}

static void
test_text(void)
{
	/* Behind the host's own name. */
	static const char *const wrong[] = {"", "\n", "\n\n", "\nmail.example.org",
	    "\nmail.example.org\n\n", "\nmail.example.org\nmore\n", "\nmail example\n",
	    "\nmail.example.org 250 \n", "\n.example.org\n", "\r\nmail.example.org\r\n"};
	char own[GREETING_NAME_MAX], text[4 * GREETING_NAME_MAX];
	unsigned taken = 0;

	gethostname(own, sizeof(own));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", own, wrong[i]);
		put_text(text, strlen(text));
		if (!is_found(NULL)) {
			diag("taken: text %zu", i);
			taken++;
		}
	}
	ok(taken == 0, "a text that is not two lines is no name");
	(void)snprintf(text, sizeof(text), "%s\nmail.example.org\n", own);
	put_text(text, strlen(text));
	ok(is_found("mail.example.org"), "the right one is");
	put_text(text, strlen(text) + 1);
	ok(is_found(NULL), "not with a NUL behind it");
	memset(text, 'a', sizeof(text));
	put_text(text, sizeof(text));
	ok(is_found(NULL), "nor one too long");
}

static void
test_trust(void)
{
	char other[80];

	put("mail.example.org");
	chmod(kept, 0666);
	ok(is_found(NULL), "not when others may write to it");
	put("mail.example.org");
	if (geteuid() == 0 && chown(kept, 65534, 65534) == 0)
		ok(is_found(NULL), "nor when it is another's");
	(void)snprintf(other, sizeof(other), "%s.%ld", kept, (long)getpid());
	if (symlink(hosts, other) != 0)
		bail("cannot make a link");
	put("mail.example.org");
	ok(access(other, F_OK) == 0 && is_found(NULL),
	    "what is in the way is not written through");
	unlink(other);
	unlink(kept);
	if (mkdir(kept, 0755) != 0)
		bail("cannot make a directory");
	put("mail.example.org");
	ok(is_found(NULL) && access(other, F_OK) != 0,
	    "what cannot be put in place does not stay");
	rmdir(kept);
}

int
main(void)
{
	if (mkdtemp(room) == NULL)
		bail("no room");
	(void)snprintf(kept, sizeof(kept), "%s/run-name", room);
	(void)snprintf(hosts, sizeof(hosts), "%s/etc", room);
	if (mkdir(hosts, 0755) != 0)
		bail("no room");
	(void)snprintf(absent, sizeof(absent), "%s/etc/absent", room);
	(void)snprintf(link_to, sizeof(link_to), "%s/etc/link", room);
	(void)snprintf(hosts, sizeof(hosts), "%s/etc/hosts", room);
	write_file(hosts, "", 0);
	write_file(link_to, "", 0);
	test_found();
	test_sources();
	test_age();
	test_text();
	test_trust();
	unlink(kept);
	unlink(link_to);
	unlink(hosts);
	*strrchr(hosts, '/') = '\0';
	rmdir(hosts);
	ok(rmdir(room) == 0, "nothing else is left");
	return tap_done();
}
