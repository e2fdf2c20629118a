/*
 * 19c-pins-damage: a store on a bad disk (lib/store.h). Whatever has become of its files, a
 * process gets what was once written, or nothing with a reason; and if LMDB itself falls over,
 * that happens to one process: the file is put aside, and the next is told so.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pins-parts.h"

#define HOSTS 400
#define TRIALS 300 /* ten times as many with BLACKPONY_ALL */
#define TRIAL_SECONDS 60

static uint8_t *image; /* of a sound data.mdb */
static size_t image_size;

static void
file_of(char path[128], const char *directory, const char *file)
{
	snprintf(path, 128, "%s/%s", directory, file);
}

static void
write_file(const char *directory, const char *file, const void *octets, size_t n)
{
	char path[128];
	FILE *f;

	file_of(path, directory, file);
	f = fopen(path, "w");
	if (f == NULL || fwrite(octets, 1, n, f) != n || fclose(f) != 0 ||
	    chmod(path, 0600) != 0)
		bail("%s: %s", path, strerror(errno));
}

static bool
there(const char *directory, const char *file)
{
	char path[128];

	file_of(path, directory, file);
	return access(path, F_OK) == 0;
}

static void
name_nth(char name[32], unsigned n)
{
	snprintf(name, 32, "host%u.example", n);
}

/* A store in which each host has two states behind it. */
static void
make_image(void)
{
	const char *directory = fresh();
	struct pins *p = open_or_bail(directory);
	char name[128];
	struct stat st;
	FILE *f;

	for (unsigned seed = 1; seed <= 2; seed++) {
		for (unsigned i = 0; i < HOSTS; i++) {
			name_nth(name, i);
			if (!put(p, name, "mx", sample(seed, 1 + i % PINS_KEYS)))
				bail("%s", why);
		}
	}
	for (unsigned i = 0; i < HOSTS; i += 3) { /* free pages */
		name_nth(name, i);
		pins_remove(p, name, "mx");
	}
	pins_mark_dead(p, "192.0.2.1", NOW);
	pins_close(p);
	file_of(name, directory, "data.mdb");
	f = fopen(name, "r");
	if (f == NULL || stat(name, &st) != 0)
		bail("%s: %s", name, strerror(errno));
	image_size = (size_t)st.st_size;
	image = malloc(image_size);
	if (image == NULL || fread(image, 1, image_size, f) != image_size)
		bail("%s", name);
	fclose(f);
}

static bool
is_known(const struct pins_host *host, unsigned n)
{
	struct pins_host want;

	for (unsigned seed = 1; seed <= 2; seed++) {
		want = sample(seed, 1 + n % PINS_KEYS);
		if (memcmp(host, &want, sizeof(want)) == 0)
			return true;
	}
	return false;
}

static bool
count_hosts(const char *domain, const char *mx, const struct pins_host *host, void *context)
{
	unsigned n;

	(void)mx;
	if (sscanf(domain, "host%u", &n) != 1 || !is_known(host, n))
		*(int *)context = -1;
	return *(int *)context >= 0 && ++*(int *)context < 10 * HOSTS;
}

enum outcome { FINE, REFUSED, WRONG };

/* All that a mailer does, in a process of its own. */
static enum outcome
use(const char *directory)
{
	struct pins_host host;
	struct pins *p;
	char name[32];
	int walked = 0;

	p = pins_open(directory, why);
	if (p == NULL)
		return *why != '\0' ? REFUSED : WRONG;
	for (unsigned i = 0; i < HOSTS; i++) {
		name_nth(name, i);
		if (pins_get(p, name, "mx", &host) && !is_known(&host, i))
			return WRONG;
	}
	pins_each(p, count_hosts, &walked);
	for (unsigned i = 0; i < HOSTS; i += 5) {
		name_nth(name, i);
		if (put(p, name, "mx", sample(2, 1 + i % PINS_KEYS)) &&
		    pins_get(p, name, "mx", &host) && !is_known(&host, i))
			return WRONG;
		pins_remove(p, name, "mx");
	}
	pins_dead(p, "192.0.2.1", NOW, true);
	pins_mark_dead(p, "192.0.2.2", NOW);
	pins_mark_alive(p, "192.0.2.1");
	pins_close(p);
	return walked < 0 ? WRONG : FINE;
}

/* Signals are reported as 100 and more. */
static int
use_apart(const char *directory)
{
	const struct rlimit no_core = {0, 0};
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		alarm(TRIAL_SECONDS);
		_exit(use(directory));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		bail("fork: %s", strerror(errno));
	return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t
below(size_t n)
{
	return (size_t)rand() % n;
}

/* Harms a copy of the image in one of some ways; returns its new size. */
static size_t
harm(uint8_t *copy, int way)
{
	const size_t pages = image_size / 4096;

	switch (way % 6) {
	case 0: /* a bit anywhere */
		copy[below(image_size)] ^= (uint8_t)(1 << below(8));
		return image_size;
	case 1: /* bits in the heads of pages, where they do most */
		for (int i = 0; i < 20; i++)
			copy[below(pages) * 4096 + below(64)] ^= (uint8_t)(1 << below(8));
		return image_size;
	case 2: /* the meta pages */
		copy[below(2) * 4096 + below(160)] ^= (uint8_t)(1 << below(8));
		return image_size;
	case 3: /* a page of zeros */
		memset(copy + (2 + below(pages - 2)) * 4096, 0, 4096);
		return image_size;
	case 4: /* a page in the place of another */
		memcpy(copy + (2 + below(pages - 2)) * 4096, copy + below(pages) * 4096, 4096);
		return image_size;
	default: /* cut off */
		return below(image_size);
	}
}

/* One harmed store, used twice. False: something that must not be. */
static bool
trial(int way, int seen[3])
{
	const char *directory = fresh();
	uint8_t *copy = malloc(image_size);
	size_t n;
	int first, second;

	if (copy == NULL || mkdir(directory, 0700) != 0)
		bail("%s: %s", directory, strerror(errno));
	memcpy(copy, image, image_size);
	n = harm(copy, way);
	write_file(directory, "data.mdb", copy, n);
	first = use_apart(directory);
	second = use_apart(directory);
	if (first < 100)
		seen[first]++;
	else
		seen[2]++;
	if (first == WRONG || second == WRONG || first == 100 + SIGALRM ||
	    second == 100 + SIGALRM ||
	    (first >= 100 && (second != REFUSED || !there(directory, "data.mdb.damaged")))) {
		diag("way %d: outcome %d, then %d", way % 6, first, second);
		free(copy);
		return false;
	}
	free(copy);
	scratch_remove(directory);
	return true;
}

static void
test_trials(void)
{
	const int trials = getenv("BLACKPONY_ALL") != NULL ? 10 * TRIALS : TRIALS;
	int seen[3] = {0}, bad = 0;

	for (int i = 0; i < trials; i++)
		bad += !trial(i, seen);
	is_int(bad, 0, "%d harmed stores: what was written or nothing, and no process twice",
	    trials);
	diag("used %d, refused or put aside %d, ended by a signal %d", seen[FINE],
	    seen[REFUSED], seen[2]);
}

static void
refused(const char *directory, const char *words, const char *name)
{
	struct pins *p;

	why[0] = '\0';
	p = pins_open(directory, why);
	if (!ok(p == NULL && strstr(why, words) != NULL, "%s", name))
		diag("why: %s", why);
	pins_close(p);
}

static const char *
store_of(const void *octets, size_t n)
{
	const char *directory = fresh();

	if (mkdir(directory, 0700) != 0)
		bail("%s: %s", directory, strerror(errno));
	write_file(directory, "data.mdb", octets, n);
	return directory;
}

static void
test_named(void)
{
	uint8_t *copy = malloc(image_size);
	char garbage[65536];
	const char *directory;

	if (copy == NULL)
		bail("out of memory");
	memset(garbage, 'x', sizeof(garbage));
	refused(store_of("hello\n", 6), "data.mdb: truncated", "a short file");
	refused(
	    store_of(garbage, sizeof(garbage)), "not an LMDB file", "a file of something else");
	refused(store_of(image, 4096), "truncated", "one meta page");
	memcpy(copy, image, image_size);
	copy[4096 + 16]++;
	refused(store_of(copy, image_size), "not an LMDB file",
	    "the second meta page without its magic");
	memcpy(copy, image, image_size);
	copy[20]++;
	refused(store_of(copy, image_size), "version", "another version of LMDB");
	memcpy(copy, image, image_size);
	copy[40] = copy[4096 + 40] = 0;
	copy[41] = copy[4096 + 41] = 0;
	refused(store_of(copy, image_size), "page size", "a page size of nothing");
	free(copy);
	directory = store_of("", 0);
	is_int(use_apart(directory), FINE, "an empty file is begun");
	directory = store_of(image, image_size);
	write_file(directory, "lock.mdb", garbage, sizeof(garbage));
	is_int(use_apart(directory), FINE, "a lock file of garbage is made anew");
	directory = store_of(image, image_size);
	write_file(directory, "data.mdb.damaged", "", 0);
	is_int(use_apart(directory), FINE, "a copy that was put back is used");
}

/* The fault itself, without the luck: the file is cut while it is open. */
static void
test_signal(void)
{
	const char *directory = store_of(image, image_size);
	struct pins_host host;
	struct pins *p;
	char path[128];
	int status;
	pid_t child;

	file_of(path, directory, "data.mdb");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		p = pins_open(directory, why);
		if (truncate(path, 8192) == 0)
			pins_get(p, "host1.example", "mx", &host);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		bail("fork: %s", strerror(errno));
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
	    "a file cut while it is open ends a process");
	ok(!there(directory, "data.mdb") && there(directory, "data.mdb.damaged"),
	    "and is put aside");
	refused(directory, "data.mdb.damaged", "so that the next one only goes without");
	file_of(path, directory, "data.mdb.damaged");
	unlink(path);
	p = pins_open(directory, why);
	ok(p != NULL && put(p, "d", "mx", sample(1, 1)), "until somebody has removed it");
	pins_close(p);
	/* A crash of the caller's own is none of the store. */
	fflush(stdout);
	child = fork();
	if (child == 0) {
		p = pins_open(directory, why);
		raise(SIGSEGV);
		_exit(0);
	}
	ok(waitpid(child, &status, 0) == child && status != 0 && there(directory, "data.mdb"),
	    "a fault outside of the store leaves it");
}

int
main(void)
{
	const char *preload = getenv("LD_PRELOAD");

#ifdef BLACKPONY_SANITIZERS
	tap_skip_all("built with sanitizers, whose faults these are");
#endif
	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		tap_skip_all("under valgrind, whose faults these are");
	srand(19);
	scratch_make();
	make_image();
	test_named();
	test_signal();
	test_trials();
	free(image);
	scratch_remove(scratch);
	return tap_done();
}
