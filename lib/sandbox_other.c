/*
 * sandbox_other - what other systems than Linux have: pledge(2) on OpenBSD, capability mode on
 * FreeBSD. Called by sandbox.c. Never run so far (doc/DESIGN.md, "The sandbox").
 */
#include "sandbox_system.h"

#include <stddef.h>
#include <unistd.h>

#ifdef HAVE_SYS_CAPSICUM_H
#	include <sys/capsicum.h>
#	include <sys/procctl.h>
#endif

#if defined HAVE_PLEDGE

bool
sandbox_system_hide(void)
{
	return true; /* nobody but root may trace another's process, or a set-id one */
}

bool
sandbox_system_enter(enum sandbox_role role)
{
	static const char *const promises[SANDBOX_ROLES] = {
	    [SANDBOX_KEYGEN] = "stdio rpath wpath cpath fattr chown getpw",
	    [SANDBOX_RECEIVER] = "stdio recvfd",
	    [SANDBOX_MAILER] = "stdio recvfd",
	    [SANDBOX_MONITOR] = "stdio sendfd",
	    [SANDBOX_LOOKUP] = "stdio rpath inet dns",
	    [SANDBOX_RESOLVER] = "stdio inet dns",
	    [SANDBOX_KEEPER] = "stdio unix sendfd",
	};

	return pledge(promises[role], NULL) == 0;
}

#elif defined HAVE_SYS_CAPSICUM_H

bool
sandbox_system_hide(void)
{
	int off = PROC_TRACE_CTL_DISABLE;

	return procctl(P_PID, getpid(), PROC_TRACE_CTL, &off) == 0;
}

/* Name servers and the log cannot be reached in capability mode. */
bool
sandbox_system_enter(enum sandbox_role role)
{
	return (role != SANDBOX_RECEIVER && role != SANDBOX_MAILER) || cap_enter() == 0;
}

#else

bool
sandbox_system_hide(void)
{
	return true;
}

bool
sandbox_system_enter(enum sandbox_role role)
{
	(void)role;
	return true;
}

#endif
