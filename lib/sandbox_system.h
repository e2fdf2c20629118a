/*
 * sandbox_system - what each system has to offer, behind sandbox.c and called by nobody else:
 * sandbox_linux.c with sandbox_filter.c, or sandbox_other.c.
 */
#ifndef BLACKPONY_SANDBOX_SYSTEM_H
#define BLACKPONY_SANDBOX_SYSTEM_H

#include "sandbox.h"

/* Both false, with errno, when the system refuses. */
bool sandbox_system_hide(void);
bool sandbox_system_enter(enum sandbox_role role);

/* Linux: the system calls of a role, and no others from now on. */
bool sandbox_filter(enum sandbox_role role);

#endif
