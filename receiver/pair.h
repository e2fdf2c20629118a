/*
 * pair - the TCP connection through which a back end sees its true client (doc/DESIGN.md, "The
 * TCP pair").
 *
 * `sendmail -bs` on a pipe takes its client for local and relays for anyone. So the back end
 * gets one end of a real TCP connection, made inside a private network namespace in which every
 * address is local: its peer there is the client's own address and port, its own end the
 * address and port that the client connected to. Called by receiver/main.c for each back end
 * and by receiver/inspect.c.
 */
#ifndef RECEIVER_PAIR_H
#define RECEIVER_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* The end that has the client's address: ours, to speak to the back end. */
#define PAIR_CLIENT 0
/* The end that has our own address: the back end's. */
#define PAIR_SERVER 1
#define PAIR_ADDRESS_MAX 80 /* "[fe80::1%interface]:port", NUL included */

/* Turns a v4-mapped IPv6 address into the IPv4 address that it is and clears what is no part of
 * an address (flow label, padding, stray bytes behind it). False for any family but IPv4 and
 * IPv6. */
bool pair_normalise(struct sockaddr_storage *address);

/* Makes the pair. Both addresses must be normalised and of one family. True: both fds are
 * blocking, close-on-exec, TCP_NODELAY, and getpeername() and getsockname() on both have been
 * compared with the addresses asked for. False: nothing is open, and why[0..why_size) says what
 * failed, in printable ASCII; the caller must turn the client away (421) and must not try
 * anything less. Link-local IPv6 addresses are refused: their scope is a device that a private
 * namespace does not have. kept: the file of a namespace that is kept for all sessions
 * (netns.h); where that one does not do, for the tuple is still in use there or for any other
 * reason, or kept is NULL, a fresh one is made. Waits two seconds at most in each. Needs
 * CAP_SYS_ADMIN. The calling process must have one thread only; it is back in its own network
 * namespace on return, and a way back that fails aborts. */
bool pair_make(const struct sockaddr_storage *client, const struct sockaddr_storage *local,
    const char *kept, int fds[2], char *why, size_t why_size);

/* Makes the namespace that is kept, without a pair, so that sessions find it which cannot make
 * one that stays (netns.h). False: there is none. */
bool pair_keep(const char *kept);

/* Writes "192.0.2.1:25" or "[2001:db8::1]:25" (scope as %number). "unknown" for another family.
 */
void pair_format(const struct sockaddr_storage *address, char *out, size_t size);

#endif
