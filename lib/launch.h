/*
 * launch - starts the engine: a child of the monitor that holds the connections, the socket to
 * its monitor, and nothing else. Called by the mains of both programs.
 */
#ifndef BLACKPONY_LAUNCH_H
#define BLACKPONY_LAUNCH_H

#include <sys/types.h>
#include "key.h"
#include "sandbox.h"
#include "libxpony/session.h"

#define LAUNCH_HOW_MAX 32

struct launch {
	const struct session_config *config;
	struct key *key; /* wiped in the child before it reads anything */
	uid_t user;      /* whom the engine becomes when root starts it; 0: stays who it is */
	gid_t group;
	int root;    /* of sandbox_root(): the engine's root directory; -1: the system's */
	bool server; /* descriptor 0 is the network (inetd); else 0 and 1 are the MTA's pipes */
};

/* Forks. Returns the engine's process id and sets *monitor to the monitor's end of the request
 * socket; the caller's descriptors 0, 1 and 2 are /dev/null then. -1 with errno when it cannot
 * be started: the descriptors are as they were. */
pid_t launch_engine(const struct launch *l, int *monitor);

/* An engine that left without its report, or broke its bounds: says how it ended, and ends it
 * if it has not. "signal 31" is SIGSYS, the sandbox. may_kill: not for a monitor that is in a
 * sandbox itself; the engine may then live on, with nothing but its connections. Waits 200 ms
 * at most. */
void launch_end(pid_t pid, bool may_kill, char how[LAUNCH_HOW_MAX]);

/* Signals as a program expects them: sendmail and inetd leave some ignored. SIGPIPE is ignored.
 */
void launch_signals(void);

/* The end of a session's process. The C library and the others have nothing to clear up then,
 * but would touch a dozen pages for it. What waits in a stream of stdio is lost. */
_Noreturn void launch_leave(int status);

#endif
