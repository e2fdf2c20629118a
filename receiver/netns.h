/*
 * netns - the network namespaces that TCP pairs are made in: nothing but a loopback device, to
 * which every address is local. Called by receiver/pair.c.
 *
 * To make one costs the kernel more than all the rest of a session, in time and in memory, so
 * one is kept for all sessions, as a mount on a file of root's in /run. No process stays in it
 * and nothing is sent there but through the pairs; who makes one has it for himself meanwhile.
 * Where it cannot be had, or not at once, there is a fresh one as before. A service that has mounts
 * of its own, as with systemd's PrivateDevices, sees one that was made outside before it began,
 * and makes none, since it would be lost with the service.
 */
#ifndef RECEIVER_NETNS_H
#define RECEIVER_NETNS_H

#include <stdbool.h>
#include <stddef.h>

/* The namespace that the process is in; -1 with errno. netns_leave() goes back to it and closes
 * it; it aborts when there is no way back: lost in there we could log nothing and resolve
 * nothing, and no one would see why. */
int netns_home(void);
void netns_leave(int home);

/* Enters a fresh one. False, and why says what failed: the caller leaves all the same. */
bool netns_enter_fresh(char *why, size_t why_size);

/* Enters the one that is kept at `path` (made at the first call), alone: until the descriptor
 * that is returned is closed nobody else comes in this way. -1 when it is not to be had. Waits
 * some milliseconds at most. home: of netns_home(). */
int netns_enter_kept(const char *path, int home);

#endif
