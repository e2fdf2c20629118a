/*
 * owner - root makes itself the owner of a directory before it touches what is in there: files
 * that root made in it would shut the owner out. Used where a person may be root: keygen/pinctl.c
 * and mailer/probe.c.
 */
#ifndef BLACKPONY_OWNER_H
#define BLACKPONY_OWNER_H

#include <stdbool.h>

/* For good. True also where there is nothing to do: this is not root, or the directory is
 * root's. False with errno: ENOENT where there is no such directory. */
bool owner_become(const char *directory);

#endif
