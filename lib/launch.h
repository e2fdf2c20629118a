/*
 * launch - starts the engine: a child of the monitor that holds the connections, the socket to
 * its monitor, and nothing else. Called by the mains of both programs.
 */
#ifndef BLACKPONY_LAUNCH_H
#define BLACKPONY_LAUNCH_H

#include <sys/types.h>
#include "key.h"
#include "libxpony/session.h"

struct launch {
	const struct session_config *config;
	struct key *key; /* wiped in the child before it reads anything */
	uid_t user;      /* whom the engine becomes when root starts it; 0: stays who it is */
	gid_t group;
	bool server; /* descriptor 0 is the network (inetd); else 0 and 1 are the MTA's pipes */
};

/* Forks. Returns the engine's process id and sets *monitor to the monitor's end of the request
 * socket; the caller's descriptors 0, 1 and 2 are /dev/null then. -1 with errno when it cannot
 * be started: the descriptors are as they were. */
pid_t launch_engine(const struct launch *l, int *monitor);

/* Signals as a program expects them: sendmail and inetd leave some ignored. SIGPIPE is ignored.
 */
void launch_signals(void);

#endif
