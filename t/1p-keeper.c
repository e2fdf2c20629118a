/*
 * 1p-keeper - the limits of kept sessions (mailer/keep.h, mailer/keeper.h), with the true
 * keeper: a hundred mails, five minutes, the seconds of -K, sixty-four names. This test is its
 * engine and the mailers that call; it moves the keeper's clock.
 */
#include "mailer/keeper.h"
#include "lib/clock.h"
#include "lib/request.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/tap.h"

#define SECOND 1000

static _Atomic int64_t *ahead; /* ms, also in processes that were forked since */
static int (*real)(clockid_t, struct timespec *);
static char room[] = "/tmp/keeper.XXXXXX";
static struct keep keep = {.directory = room, .seconds = SESSION_KEEP_SECONDS};

/* In place of the C library's, for keeper.c too: it is linked into this program. */
int
clock_gettime(clockid_t clock, struct timespec *t)
{
	const int64_t ms = ahead == NULL ? 0 : atomic_load(ahead);
	int result;

	if (real == NULL) /* a sanitizer begins before main */
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, t);

	t->tv_sec += ms / 1000;
	t->tv_nsec += ms % 1000 * 1000000;
	return result;
}

static struct hop
host(unsigned n)
{
	struct hop hop;

	memset(&hop, 0, sizeof(hop));
	snprintf(hop.domain, sizeof(hop.domain), "mx.test");
	snprintf(hop.host, sizeof(hop.host), "mx.test");
	snprintf(hop.address, sizeof(hop.address), "192.0.2.%u", n);
	hop.port = 25;
	return hop;
}

/* A session that has just carried its first mail; the engine's end of its requests. */
static int
start(const struct hop *hop, int64_t expiry)
{
	struct keeper k = {.seconds = keep.seconds, .expiry = expiry, .record = {.mails = 1}};
	char why[KEEP_REASON_MAX];
	int pair[2];

	keep_identify(&keep, hop, &k.record.identity);
	k.listener = keep_listen(&keep, &k.record.identity, why);
	if (k.listener < 0 || !request_pair(pair))
		bail("no place: %s", why);
	k.engine = pair[0];
	if (!keeper_start(&k))
		bail("no keeper");
	close(k.listener);
	close(k.engine);
	return pair[1];
}

static bool
is_gone(void)
{
	siginfo_t child = {.si_pid = 0};

	return waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 || child.si_pid != 0;
}

/* One more mail goes through it, and it is given back `ms` later. False: there is no session.
 */
static bool
carries(int engine, const struct hop *hop, int64_t ms)
{
	const struct session_request again = {.kind = SESSION_ASK_MAIL};
	struct session_answer a;
	struct keep_record record;
	int near = -1, fd;
	bool carried;

	while ((fd = keep_find(&keep, hop, &record)) < 0)
		if (is_gone())
			return false;
	carried = keep_take(fd) && request_answered(engine, &a, &near) == REQUEST_OK &&
		  a.granted && near >= 0;
	close(fd);
	close(near);
	atomic_fetch_add(ahead, ms);
	return carried && request_send(engine, &again);
}

/* The keeper says no to the engine, and is gone. */
static bool
is_over(int engine)
{
	struct session_answer a = {.granted = true};
	int near, status = -1;
	const bool told =
	    request_answered(engine, &a, &near) == REQUEST_OK && !a.granted && near < 0;

	close(engine);
	return told && wait(&status) > 0 && status == 0;
}

static void
test_mails(void)
{
	const struct hop hop = host(1);
	const int engine = start(&hop, clock_ms() + KEEP_AGE_MS);
	unsigned mails = 1;

	while (mails < 200 && carries(engine, &hop, 0))
		mails++;
	is_int(mails, 100, "a hundred mails");
	ok(is_over(engine), "then the engine is told to leave");
}

static void
test_age(void)
{
	const struct hop hop = host(1);
	const int64_t begin = clock_ms();
	const int engine = start(&hop, begin + KEEP_AGE_MS);
	unsigned used = 0;

	while (used < 20 && carries(engine, &hop, 29 * SECOND))
		used++;
	is_int(used, 11, "a mail every 29 seconds: the eleventh is over after five minutes");
	ok(clock_ms() - begin >= 5 * 60 * SECOND, "which have passed");
	ok(is_over(engine), "the session is not kept after that");
}

static void
test_age_waiting(void)
{
	const struct hop hop = host(1);
	const int engine = start(&hop, clock_ms() + KEEP_AGE_MS);
	unsigned used = 0;

	while (used < 5 && carries(engine, &hop, 59 * SECOND))
		used++;
	is_int(used, 5, "nearly five minutes old: it waits");
	const int64_t before = clock_ms();
	ok(is_over(engine) && clock_ms() - before < 30 * SECOND,
	    "not for all the seconds of -K, but for the rest of the five minutes");
}

static void
test_seconds(void)
{
	const struct hop hop = host(1);
	const int64_t begin = clock_ms();
	int engine;

	keep.seconds = 1;
	engine = start(&hop, begin + KEEP_AGE_MS);
	ok(is_over(engine), "nobody calls: it ends");
	ok(clock_ms() - begin >= SECOND, "after the seconds of -K");
	keep.seconds = SESSION_KEEP_SECONDS;
}

static void
test_names(void)
{
	struct keep_identity id;
	struct hop hop;
	char why[KEEP_REASON_MAX];
	int listener[KEEP_NAMES];
	unsigned n;

	for (n = 0; n < KEEP_NAMES; n++) {
		hop = host(n + 1);
		keep_identify(&keep, &hop, &id);
		if ((listener[n] = keep_listen(&keep, &id, why)) < 0)
			break;
	}
	is_int(n, 64, "sixty-four sessions are kept");
	hop = host(n + 1);
	keep_identify(&keep, &hop, &id);
	is_int(keep_listen(&keep, &id, why), -1, "not one more");
	is_str(why, "", "and that is no fault");
	close(listener[0]);
	listener[0] = keep_listen(&keep, &id, why);
	ok(listener[0] >= 0, "but when one has ended");
	for (n = 0; n < KEEP_NAMES; n++)
		close(listener[n]);
}

static int delete (const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

int
main(int argc, char *argv[])
{
	void *page = mmap(
	    NULL, sizeof(*ahead), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	setproctitle_init(argc, argv, environ);
	if (page == MAP_FAILED || mkdtemp(room) == NULL || sodium_init() < 0)
		bail("cannot begin");
	ahead = page;
	test_mails();
	test_age();
	test_age_waiting();
	test_seconds();
	test_names();
	nftw(room, delete, 4, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
