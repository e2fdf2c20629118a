/*
 * rotate - replaces the host key in steps that other hosts can follow: make the next key (which
 * the receiver announces), switch to it, retire the old one (doc/blackpony-keygen.1,
 * "ROTATION"). Called by keygen/main.c; faults end the program, in one line.
 *
 *   hostkey            the key in use: there at every moment, one or the other, whole
 *   hostkey.next       the key to come, and hostkey.next.pub, which the receiver announces
 *   hostkey.old        the key that was, until it is retired
 *
 * Each step may be interrupted anywhere and be done again.
 */
#ifndef KEYGEN_ROTATE_H
#define KEYGEN_ROTATE_H

#include <stdint.h>

#include "public.h"

/* Writes next to file.next, readable for whom the host key is, and its public half to
 * file.next.pub. When file.next is there without its public half, that one is written and told.
 */
void rotate_next(const char *file, const struct key *fresh, struct public *next);
/* file becomes file.old, and file.next becomes file; not before file.next is min_age seconds
 * old. */
void rotate_switch(const char *file, uint32_t min_age, struct public *now);
/* Overwrites and removes file.old. */
void rotate_retire(const char *file);

#endif
