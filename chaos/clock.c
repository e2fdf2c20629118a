/*
 * clock.so NAME: a clock that can be stepped. saboteur.py builds it, and names it in
 * /etc/ld.so.preload of a test host.
 *
 * The kernel's own clock is the machine's, and time namespaces do not have CLOCK_REALTIME; so
 * every program of the host sees the time plus the seconds in /run/clock, at once, also with a
 * filter for system calls and no file system.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void
start(void)
{
	int fd = open("/run/clock", O_RDONLY | O_CLOEXEC);
	void *page;

	*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	page = fd == -1 ? MAP_FAILED : mmap(NULL, sizeof(*step), PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED)
		step = page;
	if (fd != -1)
		(void)close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int result;

	if (real == NULL)
		start();
	result = real(clock, now);
	if (result == 0 && step != NULL &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *step;
	return result;
}

int
gettimeofday(struct timeval *now, void *zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	*now = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return 0;
}

time_t
time(time_t *where)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (where != NULL)
		*where = ts.tv_sec;
	return ts.tv_sec;
}
