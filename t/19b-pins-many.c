/*
 * 19b-pins-many: many processes at the pin store at once: no sighting is lost, nobody who is
 * killed takes anything with him, and one who was killed holds nobody up. `make bench-pins`
 * runs it with -b: a million records, and what a cold process pays to look one up.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "pins-parts.h"

#define WRITERS 8
#define SIGHTINGS 200
#define ROUNDS 30 /* of killing */
#define MILLION 1000000
#define LOOKS 1001

static bool
count_up(struct pins_host *host, void *context)
{
	(void)context;
	host->keys = 1;
	host->key[0].count++;
	return true;
}

/* Says so down the pipe, and never comes back. */
static bool
hang(struct pins_host *host, void *context)
{
	host->keys = 1;
	host->key[0].count = 12345;
	if (write(*(int *)context, "", 1) == 1)
		for (;;)
			pause();
	return true;
}

static uint32_t
counted(struct pins *p, const char *mx)
{
	struct pins_host host;

	return pins_get(p, "example.org", mx, &host) ? host.key[0].count : 0;
}

static pid_t
start(void)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		bail("fork: %s", strerror(errno));
	return child;
}

/* Waits for n children; how many of them did not end with 0. */
static int
failures(int n)
{
	int status, failed = 0;

	while (n-- > 0) {
		if (wait(&status) < 0)
			bail("wait: %s", strerror(errno));
		failed += status != 0;
	}
	return failed;
}

/* Each sighting is a delivery: the store is opened and closed again. */
static void
test_sightings(void)
{
	const char *directory = fresh();
	char own[16];
	struct pins *p;
	int lost = 0;

	for (int i = 0; i < WRITERS; i++) {
		snprintf(own, sizeof(own), "mx%d", i);
		if (start() != 0)
			continue;
		for (int n = 0; n < SIGHTINGS; n++) {
			p = pins_open(directory, why);
			if (p == NULL ||
			    !pins_update(p, "example.org", "mx", count_up, NULL, why) ||
			    !pins_update(p, "example.org", own, count_up, NULL, why)) {
				diag("%s", why);
				_exit(1);
			}
			pins_close(p);
		}
		_exit(0);
	}
	is_int(failures(WRITERS), 0, "%d writers begin and use one store at once", WRITERS);
	p = open_or_bail(directory);
	is_int(counted(p, "mx"), WRITERS * SIGHTINGS, "no sighting of a shared host is lost");
	for (int i = 0; i < WRITERS; i++) {
		snprintf(own, sizeof(own), "mx%d", i);
		lost += counted(p, own) != SIGHTINGS;
	}
	is_int(lost, 0, "nor of their own hosts");
	pins_close(p);
}

static void
test_probers(void)
{
	const char *directory = fresh();
	struct pins *p = open_or_bail(directory);
	bool probes;

	pins_mark_dead(p, "192.0.2.1", NOW);
	pins_close(p);
	for (int i = 0; i < WRITERS; i++) {
		if (start() != 0)
			continue;
		p = open_or_bail(directory);
		probes = pins_dead(p, "192.0.2.1", NOW + 400, true) == PINS_PROBE;
		pins_close(p);
		_exit(probes);
	}
	is_int(failures(WRITERS), 1, "of %d that would probe, one does", WRITERS);
}

/* A writer: a sighting, then an octet down the pipe once it is committed, until he is killed.
 */
static _Noreturn void
write_for_ever(const char *directory, const char *mx, int pipe_fd)
{
	struct pins *p;

	for (;;) {
		p = pins_open(directory, why);
		if (p == NULL || !pins_update(p, "example.org", mx, count_up, NULL, why)) {
			diag("%s", why);
			_exit(1);
		}
		if (write(pipe_fd, "", 1) != 1)
			_exit(1);
		pins_close(p);
	}
}

static unsigned
drain(int fd)
{
	char octets[4096];
	unsigned all = 0;
	ssize_t n;

	while ((n = read(fd, octets, sizeof(octets))) > 0)
		all += (unsigned)n;
	return all;
}

/* Kills four writers at a random moment; then each has what he said, and at most one sighting
 * more. */
static int
kill_round(const char *directory, unsigned said[4])
{
	char mx[4][16];
	int ends[4][2], status, wrong = 0;
	pid_t child[4];
	struct pins *p;

	for (int i = 0; i < 4; i++) {
		snprintf(mx[i], sizeof(mx[i]), "mx%d", i);
		if (pipe(ends[i]) != 0)
			bail("pipe: %s", strerror(errno));
		child[i] = start();
		if (child[i] == 0)
			write_for_ever(directory, mx[i], ends[i][1]);
		close(ends[i][1]);
	}
	usleep((unsigned)(rand() % 40000));
	for (int i = 0; i < 4; i++)
		kill(child[i], SIGKILL);
	for (int i = 0; i < 4; i++) {
		if (waitpid(child[i], &status, 0) != child[i] || !WIFSIGNALED(status))
			wrong++;
		said[i] += drain(ends[i][0]);
		close(ends[i][0]);
	}
	p = open_or_bail(directory);
	for (int i = 0; i < 4; i++) {
		uint32_t count = counted(p, mx[i]);

		if (count != said[i] && count != said[i] + 1) {
			diag("%s: %u said, %u found", mx[i], said[i], count);
			wrong++;
		}
		said[i] = count;
	}
	pins_close(p);
	return wrong;
}

static void
test_killed(void)
{
	const char *directory = fresh();
	unsigned said[4] = {0};
	int ends[2], status, wrong = 0;
	struct pins *p;
	pid_t child;
	char octet;

	for (int i = 0; i < ROUNDS; i++)
		wrong += kill_round(directory, said);
	is_int(wrong, 0, "%d times four writers are killed, and nothing committed is lost",
	    ROUNDS);
	diag("%u sightings", said[0] + said[1] + said[2] + said[3]);

	if (pipe(ends) != 0)
		bail("pipe: %s", strerror(errno));
	child = start();
	if (child == 0)
		_exit(!pins_update(
		    open_or_bail(directory), "example.org", "mx0", hang, &ends[1], why));
	p = open_or_bail(directory);
	ok(read(ends[0], &octet, 1) == 1 && counted(p, "mx0") == said[0],
	    "who reads need not wait for one who writes");
	kill(child, SIGKILL);
	ok(waitpid(child, &status, 0) == child && WIFSIGNALED(status),
	    "he is killed in mid-change");
	is_int(counted(p, "mx0"), said[0], "what he did not commit is not there");
	alarm(60);
	ok(pins_update(p, "example.org", "mx0", count_up, NULL, why) &&
		counted(p, "mx0") == said[0] + 1,
	    "and he holds nobody up");
	alarm(0);
	pins_close(p);
}

static double
now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
name_nth(char name[32], int n)
{
	/* As they come: no order in them. */
	snprintf(name, 32, "%08x.example", (unsigned)n * 2654435761u);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct took {
	double look, all,
	    processor; /* the lookup; with open and close; the same in processor time */
};

/* What this program prints in a new process, started with -l. */
static struct took
look_cold(const char *self, const char *directory, int n)
{
	char command[256], line[128];
	struct took t;
	FILE *f;

	snprintf(command, sizeof(command), "exec '%s' -l '%s' %d", self, directory, n);
	f = popen(command, "r");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL ||
	    sscanf(line, "%lf %lf %lf", &t.look, &t.all, &t.processor) != 3)
		bail("%s failed", command);
	pclose(f);
	return t;
}

static int
look(const char *directory, int n)
{
	const double used = now_us(CLOCK_PROCESS_CPUTIME_ID), begin = now_us(CLOCK_MONOTONIC);
	struct pins_host host;
	struct pins *p;
	char name[32];
	double before, after, end;
	bool found;

	name_nth(name, n);
	p = pins_open(directory, why);
	before = now_us(CLOCK_MONOTONIC);
	found = pins_get(p, name, "mx.example", &host) && host.key[0].count == (uint32_t)n;
	after = now_us(CLOCK_MONOTONIC);
	pins_close(p);
	end = now_us(CLOCK_MONOTONIC);
	if (found)
		printf("%f %f %f\n", after - before, end - begin,
		    now_us(CLOCK_PROCESS_CPUTIME_ID) - used);
	return found ? 0 : 1;
}

static double
median(const char *what, double took[LOOKS])
{
	qsort(took, LOOKS, sizeof(took[0]), compare);
	diag("%s: median %.1f us, 95 of 100 below %.1f us", what, took[LOOKS / 2],
	    took[LOOKS * 95 / 100]);
	return took[LOOKS / 2];
}

/* Times are of this machine at this moment, so that only the lookup, which is far below, is
 * judged. */
static void
bench(const char *self)
{
	static double lookups[LOOKS], all[LOOKS], processor[LOOKS];
	const char *directory = fresh();
	const double begin = now_us(CLOCK_MONOTONIC);
	struct pins *p = open_or_bail(directory);
	struct pins_host host = sample(1, 1);
	char name[32];

	for (int i = 0; i < MILLION; i++) {
		name_nth(name, i);
		host.key[0].count = (uint32_t)i;
		if (!put(p, name, "mx.example", host))
			bail("%s", why);
	}
	pins_close(p);
	diag("a million records, each committed: %.0f s",
	    (now_us(CLOCK_MONOTONIC) - begin) / 1e6);
	for (int i = 0; i < LOOKS; i++) {
		struct took t = look_cold(self, directory, (i * 7919) % MILLION);

		lookups[i] = t.look;
		all[i] = t.all;
		processor[i] = t.processor;
	}
	median("open, look up, close", all);
	median("the same in processor time", processor);
	ok(median("the lookup alone", lookups) < 100,
	    "a cold process looks one of a million up in less than 100 us");
}

int
main(int argc, char *argv[])
{
	if (argc == 4 && strcmp(argv[1], "-l") == 0)
		return look(argv[2], atoi(argv[3]));
	scratch_make();
	if (argc < 2) {
		test_sightings();
		test_probers();
		test_killed();
	}
	if (argc > 1 || getenv("BLACKPONY_ALL") != NULL)
		bench(argv[0]);
	scratch_remove(scratch);
	return tap_done();
}
