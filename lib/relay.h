/*
 * relay - the engine process's only loop: moves octets between the descriptors and the session,
 * keeps its deadlines, and takes its requests to the monitor. Called by the engine of both
 * programs.
 */
#ifndef BLACKPONY_RELAY_H
#define BLACKPONY_RELAY_H

#include "libxpony/session.h"

struct relay {
	int near_in, near_out; /* the MTA: pipes or one socket; -1 while there is none */
	int far;               /* the network; -1 while there is none */
	int monitor;           /* the engine's end of request_pair() */
};

/* Runs the session to its end, tells the monitor its report if the session has not, and closes
 * all descriptors. SIGPIPE must be ignored. */
void relay_run(struct relay *r, struct session *s);

#endif
