/*
 * pace - the clock of a session: the deadline of its present phase, which progress renews, and
 * the patience with a peer that goes on too slowly to end. It is told the time. Called by
 * relay.c.
 *
 * Patience is spent by waiting for a peer while it owes us something (session_patience()), and
 * bought back by each octet that it says or takes, at PACE_RATE. So a slow line is served for
 * as long as it takes, one octet in a while is not, and a pause is forgiven; what the near side
 * takes its time for costs the peer nothing.
 */
#ifndef BLACKPONY_PACE_H
#define BLACKPONY_PACE_H

#include <stdint.h>
#include "libxpony/session.h"

#define PACE_RATE 16 /* octets in a second: the slowest line that is served without end */

struct pace {
	uint64_t progress;
	const char *phase;
	int64_t deadline; /* of the phase; 0: none yet */
	int64_t since;    /* when the wait began */
	int64_t patience; /* milliseconds; 0: the peer owes nothing */
	int64_t spent;    /* of it */
};

/* A wait begins at `now`, in milliseconds. True when the phase's deadline is a new one. */
bool pace_begin(struct pace *p, const struct session *s, int64_t now);
/* How long it may last, in milliseconds. */
int64_t pace_left(const struct pace *p, int64_t now);
/* It is over. False when it was too long: the session has timed out. */
bool pace_end(struct pace *p, int64_t now);
/* The peer has said or taken so many octets. */
void pace_octets(struct pace *p, size_t n);

#endif
