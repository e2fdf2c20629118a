/*
 * err - the faults of a session, each born temporary or permanent.
 *
 * A fault is named where it is seen, returned upwards as a value and reported once: err_reply()
 * is what the peer reads (RFC 5321 reply code, RFC 3463 enhanced code), err_text() what the log says.
 */
#ifndef XPONY_ERR_H
#define XPONY_ERR_H

#include <stdbool.h>

enum err {
	ERR_NONE = 0,
	ERR_MORE,      /* no fault: the bytes so far are good, more are needed */
	ERR_SYNTAX,    /* what the peer said does not parse: 501 5.5.4 */
	ERR_SEQUENCE,  /* a command where it may not stand, bytes that came too early: 503 5.5.1 */
	ERR_SUITE,     /* a suite that we do not have: 504 5.5.4 */
	ERR_CRYPTO,    /* every cryptographic failure, one text for all: 454 4.7.0 */
	ERR_LIMIT,     /* a line, reply or record beyond its bound: 500 5.5.2 */
	ERR_TRUNCATED, /* the connection ended without its authenticated close: 451 4.4.2 */
	ERR_TIMEOUT,   /* a deadline passed: 421 4.4.2 */
	ERR_RESOURCE,  /* our own lack of memory, processes, descriptors: 421 4.3.0 */
	ERR_REFUSED,   /* the monitor said no (policy, back end): 451 4.7.5 */
	ERR_COUNT
};

/* True for a fault that will be there again when the same thing is tried again. */
bool err_is_permanent(enum err e);

/* A constant text for the log. Never NULL, never a format. */
const char *err_text(enum err e);

/* "454 4.7.0 text" without CRLF: the reply that a peer gets. NULL for ERR_NONE and ERR_MORE. */
const char *err_reply(enum err e);

#endif
