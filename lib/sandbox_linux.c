/*
 * sandbox_linux - Linux' part of the sandbox but for the filter. Called by sandbox.c.
 */
#include "sandbox_system.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
sandbox_system_hide(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* A change of user has done it, unless the program was started as another user with some. */
static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	return syscall(SYS_capset, &header, none) == 0;
}

bool
sandbox_system_enter(enum sandbox_role role)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	if (role == SANDBOX_KEYGEN)
		return true; /* it gives the key to a group */
	if (!drop_capabilities())
		return false;
#ifdef HAVE_SECCOMP
	return sandbox_filter(role);
#else
	return true;
#endif
}
