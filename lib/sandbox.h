/*
 * sandbox - what a process gives up before it reads the first hostile octet. Called by the
 * engine of both programs, in the child, right after the fork, and by blackpony-keygen.
 */
#ifndef BLACKPONY_SANDBOX_H
#define BLACKPONY_SANDBOX_H

#include <stdbool.h>

/* No new privileges by exec, no debugger and no reading of our memory by others of the same
 * uid, no core file. For good, and for all children: what will exec sendmail must not call it.
 * False, with errno, when one of them cannot be had: do not go on. */
bool sandbox_enter(void);

#endif
