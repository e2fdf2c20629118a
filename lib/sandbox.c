/*
 * sandbox - see sandbox.h; called by the engine of both programs and by blackpony-keygen.
 */
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/sandbox.h"

bool
sandbox_enter(void)
{
	const struct rlimit none = {0, 0};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}
