/*
 * sandbox - what a process gives up, by what it is for: one door for all of them, and one way
 * through it. Called by launch.c (engines), resolve.c and receiver/greeting.c (what reads DNS
 * answers), the receiver's monitor once it has started its last back end, the keeper of a kept
 * session, and blackpony-keygen.
 *
 * What each role may still do is one table in sandbox_filter.c (Linux, seccomp) and a line in
 * sandbox_other.c; doc/DESIGN.md, "Who holds what", is the same in words.
 */
#ifndef BLACKPONY_SANDBOX_H
#define BLACKPONY_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#define SANDBOX_REASON_MAX 512

enum sandbox_role {
	SANDBOX_KEYGEN,   /* writes key files: not to be looked into, that is all */
	SANDBOX_RECEIVER, /* engines: the descriptors that they have and are handed */
	SANDBOX_MAILER,
	SANDBOX_MONITOR,  /* has nothing to start any more: answers its engine, logs */
	SANDBOX_LOOKUP,   /* reads files and asks name servers */
	SANDBOX_RESOLVER, /* asks name servers */
	SANDBOX_KEEPER,   /* lets mailers in to its engine, one after the other */
	SANDBOX_ROLES
};

struct sandbox {
	enum sandbox_role role;
	int root;   /* of sandbox_root(): becomes the root directory; -1: stays as it is */
	uid_t user; /* whom root becomes; 0: nobody else */
	gid_t group;
};

/* An empty directory to be locked into: root's, writable for nobody else, with nothing in it,
 * so that there is nothing to open and no place to leave anything. A descriptor, close-on-exec;
 * or -1, and why (SANDBOX_REASON_MAX) names the directory, the fault and what to do. */
int sandbox_root(const char *path, char *why);

/* No debugger, no reading of our memory through /proc, no core file, by anybody but root. For a
 * process that holds a key but must still be able to start others. */
bool sandbox_hide(void);

/* Is there a filter of system calls in this build? */
bool sandbox_filters(void);

/* All of it, for good, and for all children: what will exec sendmail must not call it. False,
 * with errno, when a part cannot be had: do not go on. Twice does no harm. */
bool sandbox_enter(const struct sandbox *s);

#endif
