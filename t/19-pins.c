/*
 * 19-pins: what is remembered of hosts and of dead addresses (lib/pins.h), and that a store
 * which cannot be had or read leaves us without pins, never with wrong ones. Many processes at
 * once are in 19b-pins-many.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pins-parts.h"

static bool
decline(struct pins_host *host, void *context)
{
	(void)context;
	host->keys = 3;
	return false;
}

static void
test_records(void)
{
	char name[PINS_NAME_MAX + 1];
	struct pins_host host;
	struct pins *p = open_or_bail(fresh());

	ok(!pins_get(p, "example.org", "mx.example.org", &host) && host.keys == 0,
	    "nothing is known of a host at first");
	for (uint32_t keys = 0; keys <= PINS_KEYS; keys++) {
		if (!put(p, "example.org", "mx.example.org", sample(keys, keys)) ||
		    !same(p, "example.org", "mx.example.org", sample(keys, keys)))
			break;
		if (keys == PINS_KEYS)
			ok(true, "a record of up to %d keys comes back as it was", PINS_KEYS);
	}
	ok(same(p, "EXAMPLE.org", "Mx.Example.ORG", sample(8, 8)), "names are of any case");
	ok(!pins_get(p, "example.org", "mx2.example.org", &host),
	    "another host is another record");
	ok(!pins_get(p, "xample.org", "mx.example.org", &host), "another domain too");
	ok(pins_update(p, "example.org", "mx.example.org", decline, NULL, why) &&
		same(p, "example.org", "mx.example.org", sample(8, 8)),
	    "a change that was declined is none");
	memset(name, 'a', PINS_NAME_MAX);
	name[PINS_NAME_MAX] = '\0';
	ok(!put(p, name, "mx", sample(1, 1)) && !put(p, "", "mx", sample(1, 1)) &&
		!put(p, "d", "", sample(1, 1)) && *why != '\0',
	    "a name too long or empty is refused");
	name[PINS_NAME_MAX - 1] = '\0';
	ok(put(p, name, name, sample(1, 8)) && same(p, name, name, sample(1, 8)),
	    "the longest names are taken");
	host = sample(1, PINS_KEYS);
	host.keys++;
	ok(!put(p, "d", "mx", host) && strstr(why, "keys") != NULL,
	    "more keys than there is room for are refused");
	pins_close(p);
	ok(!pins_get(NULL, "d", "mx", &host) && !put(NULL, "d", "mx", sample(1, 1)) &&
		!pins_remove(NULL, "d", "mx") && pins_dead(NULL, "a", NOW, true) == PINS_TRY,
	    "without a store nothing is known or kept");
	pins_each(NULL, NULL, NULL);
	pins_mark_dead(NULL, "a", NOW);
	pins_mark_alive(NULL, "a");
	pins_close(NULL);
}

struct walk {
	struct pins *p;
	int seen, stop_at, out_of_order;
	bool remove;
	char last[2 * PINS_NAME_MAX];
};

static bool
walk_one(const char *domain, const char *mx, const struct pins_host *host, void *context)
{
	struct walk *w = context;
	char name[2 * PINS_NAME_MAX];

	(void)host;
	snprintf(name, sizeof(name), "%s\001%s", domain, mx);
	w->out_of_order += strcmp(name, w->last) <= 0;
	strcpy(w->last, name);
	if (w->remove)
		pins_remove(w->p, domain, mx);
	return ++w->seen != w->stop_at;
}

static struct walk
walk(struct pins *p, int stop_at, bool remove)
{
	struct walk w = {.p = p, .stop_at = stop_at, .remove = remove};

	pins_each(p, walk_one, &w);
	return w;
}

/* Far more than the map holds at first. */
static void
test_many(void)
{
	const char *directory = fresh();
	char domain[128], mx[32];
	struct pins *p = open_or_bail(directory);
	struct stat st;
	struct walk w;
	int bad = 0;

	for (int i = 0; i < 3000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i % 10);
		snprintf(mx, sizeof(mx), "mx%d.example", i);
		bad += !put(p, domain, mx, sample((unsigned)i, PINS_KEYS));
	}
	snprintf(domain, sizeof(domain), "%s/data.mdb", directory);
	if (stat(domain, &st) != 0)
		bail("%s: %s", domain, strerror(errno));
	ok(bad == 0 && st.st_size > 1 << 20, "3000 hosts find room (%lld octets)",
	    (long long)st.st_size);
	pins_close(p);
	p = open_or_bail(directory);
	for (int i = 0; i < 3000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i % 10);
		snprintf(mx, sizeof(mx), "mx%d.example", i);
		bad += !same(p, domain, mx, sample((unsigned)i, PINS_KEYS));
	}
	is_int(bad, 0, "they are all there when it is opened again");
	w = walk(p, 0, false);
	ok(w.seen == 3000 && w.out_of_order == 0, "a walk meets each once, in order");
	is_int(walk(p, 7, false).seen, 7, "and stops when told");
	ok(pins_remove(p, "D3.example", "mx3.example") &&
		!pins_remove(p, "d3.example", "mx3.example"),
	    "one is removed, once");
	is_int(walk(p, 0, false).seen, 2999, "and no other");
	ok(pins_remove(p, "d3.example", NULL) && !pins_remove(p, "d3.example", NULL),
	    "those of a domain are removed, once");
	is_int(walk(p, 0, false).seen, 2700, "and no others");
	is_int(walk(p, 0, true).seen, 2700, "what is met on a walk may be removed there");
	is_int(walk(p, 0, false).seen, 0, "then nothing is left");
	pins_close(p);
}

static void
test_dead(void)
{
	const char *directory = fresh();
	struct pins *p = open_or_bail(directory);
	char address[32];
	int dead = 0;

	is_int(pins_dead(p, "192.0.2.1", NOW, true), PINS_TRY, "an unknown address is tried");
	pins_mark_dead(p, "192.0.2.1", NOW);
	is_int(pins_dead(p, "192.0.2.1", NOW, false), PINS_DEAD, "a dead one is not");
	is_int(pins_dead(p, "192.0.2.1", NOW + 1, true), PINS_DEAD, "nor probed right after");
	is_int(pins_dead(p, "192.0.2.2", NOW, false), PINS_TRY, "others are tried");
	is_int(pins_dead(p, "192.0.2.1", NOW + 300, false), PINS_DEAD,
	    "who would not probe, does not");
	is_int(pins_dead(p, "192.0.2.1", NOW + 300, true), PINS_PROBE,
	    "after 300 seconds one probes");
	is_int(pins_dead(p, "192.0.2.1", NOW + 300, true), PINS_DEAD, "and only one");
	is_int(pins_dead(p, "192.0.2.1", NOW + 599, true), PINS_DEAD, "for 300 seconds");
	is_int(
	    pins_dead(p, "192.0.2.1", NOW + 600, true), PINS_PROBE, "then another takes over");
	is_int(
	    pins_dead(p, "192.0.2.1", NOW + 1799, false), PINS_DEAD, "dead for half an hour");
	is_int(pins_dead(p, "192.0.2.1", NOW + 1800, false), PINS_TRY, "and no longer");
	is_int(pins_dead(p, "192.0.2.1", NOW, false), PINS_TRY, "a lapsed entry was removed");
	pins_mark_dead(p, "2001:DB8::1", NOW);
	pins_close(p);
	p = open_or_bail(directory);
	is_int(
	    pins_dead(p, "2001:db8::1", NOW + 9, false), PINS_DEAD, "another process knows it");
	pins_mark_alive(p, "2001:db8::1");
	pins_mark_alive(p, "2001:db8::1");
	is_int(pins_dead(p, "2001:db8::1", NOW + 9, false), PINS_TRY, "who answers is alive");
	pins_mark_dead(p, "192.0.2.1", NOW);
	is_int(pins_dead(p, "192.0.2.1", NOW - 1, false), PINS_TRY, "a clock set back ends it");
	/* The bound; then room is made of what has lapsed. */
	for (int i = 0; i < 10100; i++) {
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
		pins_mark_dead(p, address, NOW);
		dead += pins_dead(p, address, NOW, false) == PINS_DEAD;
	}
	is_int(dead, 10000, "so many are remembered, and no more");
	pins_mark_dead(p, "10.9.9.9", NOW + 1800);
	is_int(pins_dead(p, "10.9.9.9", NOW + 1800, false), PINS_DEAD,
	    "room is made of lapsed ones");
	pins_close(p);
}

/* No store: why says these words. */
static void
refused(const char *directory, const char *words, const char *name)
{
	struct pins *p;

	why[0] = '\0';
	p = pins_open(directory, why);
	if (!ok(p == NULL && strstr(why, words) != NULL && strstr(why, directory) != NULL, "%s",
		name))
		diag("why: %s", why);
	pins_close(p);
}

/* How many descriptors are open; of these, those that a program we start would have. */
static int
descriptors(int *for_exec)
{
	int flags, n = 0;

	*for_exec = 0;
	for (int fd = 3; fd < 64; fd++) {
		flags = fcntl(fd, F_GETFD);
		n += flags >= 0;
		*for_exec += flags >= 0 && (flags & FD_CLOEXEC) == 0;
	}
	return n;
}

static void
test_directory(void)
{
	const char *directory = fresh();
	char path[128];
	struct stat st;
	int during, after, for_exec_during, for_exec;
	struct pins *p;

	umask(0);
	p = open_or_bail(directory);
	ok(stat(directory, &st) == 0 && (st.st_mode & 07777) == 0700,
	    "the directory is ours alone");
	snprintf(path, sizeof(path), "%s/data.mdb", directory);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "so is the data");
	snprintf(path, sizeof(path), "%s/lock.mdb", directory);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "so are the locks");
	during = descriptors(&for_exec_during);
	pins_close(p);
	after = descriptors(&for_exec);
	is_int(for_exec_during, for_exec, "no descriptor of it stays open in an exec");
	ok(after < during, "nor here when it is closed");
	chmod(directory, 0770);
	refused(directory, "0770", "a directory that a group may write is refused");
	chmod(directory, 0702);
	refused(directory, "0702", "one that others may write too");
	chmod(directory, 0755);
	p = pins_open(directory, why);
	ok(p != NULL, "one that others may read is not");
	pins_close(p);
	chmod(directory, 0700);
	snprintf(path, sizeof(path), "%s/no/such", directory);
	refused(path, "No such file", "a directory without a parent is not made");
	snprintf(path, sizeof(path), "%s/data.mdb", directory);
	refused(path, "Not a directory", "a file is no directory");
	snprintf(path, sizeof(path), "%s/link", scratch);
	if (symlink(directory, path) != 0)
		bail("symlink: %s", strerror(errno));
	p = pins_open(path, why);
	ok(p != NULL, "a symbolic link to one of ours may stand for it");
	pins_close(p);
	if (geteuid() == 0) {
		if (chown(directory, 12345, 0) != 0)
			bail("chown: %s", strerror(errno));
		refused(directory, "uid 12345", "a directory of another user is refused");
	}
}

/* In a child that has a small file system of its own at scratch. */
static int
with_full_disk(void)
{
	const char *directory = fresh();
	char name[32], path[96];
	struct pins_host host;
	struct pins *p;
	int kept = 0, fd;

	if (mount("tmpfs", scratch, "tmpfs", 0, "size=32k,nr_inodes=64,mode=700") != 0)
		return 1;
	refused(directory, "No space", "no room for the locks");
	if (mount("tmpfs", scratch, "tmpfs", MS_REMOUNT, "size=72k,nr_inodes=64") != 0)
		return 1;
	refused(directory, "No space", "no room for the data");
	if (mount("tmpfs", scratch, "tmpfs", MS_REMOUNT, "size=512k,nr_inodes=64") != 0)
		return 1;
	p = open_or_bail(directory);
	for (snprintf(name, sizeof(name), "0");
	     kept < 10000 && put(p, name, "mx", sample(1, 8));)
		snprintf(name, sizeof(name), "%d", ++kept);
	ok(kept > 100 && strcasestr(why, "no space") != NULL, "full after %d records: %s", kept,
	    why);
	ok(pins_get(p, "0", "mx", &host), "those kept are still read");
	pins_close(p);
	snprintf(path, sizeof(path), "%s/fill", scratch);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, path, 1) == 1)
		;
	close(fd);
	p = open_or_bail(directory);
	for (int i = 0; i < kept; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (!same(p, name, "mx", sample(1, 8)))
			return ok(false, "record %d is lost", i), 0;
	}
	ok(true, "all are there in a process that comes later");
	pins_close(p);
	if (mount("tmpfs", scratch, "tmpfs", MS_REMOUNT | MS_RDONLY, "") != 0)
		return 1;
	refused(directory, "Read-only", "a read-only file system");
	refused(fresh(), "Read-only", "and to begin on one");
	return 0;
}

#define NO_NAMESPACE 0 /* what the child ends with, when not with the number of its points */
#define CHILD_FAILED 200

static void
test_full_disk(void)
{
	const int before = tap.run;
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0)
			_exit(NO_NAMESPACE);
		status = with_full_disk();
		fflush(stdout);
		_exit(status != 0 || tap.failed > 0 ? CHILD_FAILED : tap.run - before);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    WEXITSTATUS(status) == CHILD_FAILED)
		bail("on a file system of its own");
	tap.run += WEXITSTATUS(status);
	if (WEXITSTATUS(status) == NO_NAMESPACE)
		printf("ok %d # SKIP no mount namespace of our own\n", ++tap.run);
}

int
main(void)
{
	scratch_make();
	test_records();
	test_many();
	test_dead();
	test_directory();
	test_full_disk();
	scratch_remove(scratch);
	return tap_done();
}
