/*
 * clock - the clock of all deadlines: milliseconds that only go forward, whatever happens to
 * the time of day.
 */
#ifndef BLACKPONY_CLOCK_H
#define BLACKPONY_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
