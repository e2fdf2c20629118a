/*
 * pins-parts: what the tests of the pin store (t/19*-pins*.c) have in common: a place in memory
 * that is removed again, and records that can be told from one another.
 */
#ifndef PINS_PARTS_H
#define PINS_PARTS_H

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "lib/pins.h"
#include "tap.h"

#define NOW ((int64_t)1800000000)

static char why[PINS_REASON_MAX];
static char scratch[64];

/* In memory where there is such a place: ten thousand commits need not wait for a disk. */
static void
scratch_make(void)
{
	snprintf(scratch, sizeof(scratch), "%s/blackpony-pins.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(scratch) == NULL)
		bail("%s: %s", scratch, strerror(errno));
}

static void
scratch_remove(const char *directory)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(directory);

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    unlink(path) != 0)
			scratch_remove(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(directory);
}

/* A directory that does not exist yet. Each of these calls invalidates what the last but seven
 * gave. */
static const char *
fresh(void)
{
	static char path[8][96];
	static unsigned n;
	char *at = path[n % 8];

	snprintf(at, sizeof(path[0]), "%s/%u", scratch, n++);
	return at;
}

static struct pins *
open_or_bail(const char *directory)
{
	struct pins *p = pins_open(directory, why);

	if (p == NULL)
		bail("pins_open: %s", why);
	return p;
}

static bool
copy_host(struct pins_host *host, void *context)
{
	*host = *(struct pins_host *)context;
	return true;
}

static inline struct pins_host
sample(unsigned seed, uint32_t keys)
{
	struct pins_host host;

	memset(&host, 0, sizeof(host));
	host.keys = keys;
	host.clear_deferred = 1;
	host.last_upgraded = NOW + seed;
	for (uint32_t i = 0; i < keys; i++) {
		memset(
		    host.key[i].fingerprint, (int)(seed + i), sizeof(host.key[i].fingerprint));
		host.key[i].first_seen = NOW - seed;
		host.key[i].last_seen = INT64_MAX - i;
		host.key[i].committed_until = -1 - (int64_t)i;
		host.key[i].max_age = UINT32_MAX - i;
		host.key[i].count = seed + i;
		host.key[i].announced = i % 2;
	}
	return host;
}

static inline bool
put(struct pins *p, const char *domain, const char *mx, struct pins_host host)
{
	return pins_update(p, domain, mx, copy_host, &host, why);
}

static inline bool
same(struct pins *p, const char *domain, const char *mx, struct pins_host want)
{
	struct pins_host got;

	return pins_get(p, domain, mx, &got) && memcmp(&got, &want, sizeof(got)) == 0;
}

#endif
