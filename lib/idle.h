/*
 * idle - what a process gives back that waits, with nothing to do but to wait on: a mail host
 * has many sessions whose clients take their time. Called by relay.c.
 */
#ifndef BLACKPONY_IDLE_H
#define BLACKPONY_IDLE_H

#include <stddef.h>

/* Who has waited so long may wait longer; before that it is not worth it. */
#define IDLE_MS 1000

/* Whole pages of these octets, of what malloc() has free, and of the stack that was used deeper
 * than here. What was in them, such as what is left of calculations with secrets, is gone with
 * them: they are zero when they are next used. */
void idle_give_back(void *unused, size_t n);

#endif
