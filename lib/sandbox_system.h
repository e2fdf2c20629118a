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

#ifdef HAVE_SECCOMP
#	include <linux/filter.h>
#	include <stddef.h>

/* Linux: the system calls of a role, and no others from now on. */
bool sandbox_filter(enum sandbox_role role);

/* The filter itself. A jump reaches 255 instructions, and the first may be one to the end. */
#	define SANDBOX_PROGRAM_MAX 240
struct sandbox_program {
	size_t n;
	struct sock_filter code[SANDBOX_PROGRAM_MAX];
};

/* Makes it, for this process. For sandbox_filter() and the test of it. */
void sandbox_program(struct sandbox_program *p, enum sandbox_role role);
#endif

#endif
