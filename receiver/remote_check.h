/*
 * remote_check - does the TCP server of -B see the true client? Told from a client that no host
 * is (RFC 5737, RFC 3849). Called by receiver/inspect.c.
 */
#ifndef RECEIVER_REMOTE_CHECK_H
#define RECEIVER_REMOTE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "remote.h"

#define REMOTE_CHECK_MAX 320

/* Connects as a session would, for a client of that family (client and local are normalised),
 * and goes as far as the engine does before anything of a client's may pass. False:
 * why[0..why_size) says what is wrong and what to do, in printable ASCII. Waits half a minute
 * at most. */
bool remote_check(const struct remote *r, const struct sockaddr_storage *client,
    const struct sockaddr_storage *local, char *why, size_t why_size);

#endif
