/*
 * request - carries the engine's requests to the monitor and the answers back, over a
 * SOCK_SEQPACKET pair: one struct of fixed size a packet, descriptors by SCM_RIGHTS. Used by
 * relay.c (engine) and by the monitors of both programs.
 *
 * Each end takes the other for an attacker: sizes are exact, texts are terminated, an
 * unexpected descriptor is closed.
 */
#ifndef BLACKPONY_REQUEST_H
#define BLACKPONY_REQUEST_H

#include <stdbool.h>
#include "libxpony/session.h"

enum request_result {
	REQUEST_OK,
	REQUEST_END, /* the other process is gone */
	REQUEST_BAD, /* it sent something that is no request: treat it as hostile */
};

/* fds[0] is the monitor's end, fds[1] the engine's. Both close-on-exec. */
bool request_pair(int fds[2]);

/* Engine. */
bool request_send(int fd, const struct session_request *r);
/* *passed: a descriptor that came along, or -1. The caller closes it. */
enum request_result request_answered(int fd, struct session_answer *a, int *passed);

/* Monitor. passed: -1 for none; it stays the caller's. An engine that is gone is as good as
 * answered: what it said last is still to be received, and then its end. */
enum request_result request_receive(int fd, struct session_request *r);
bool request_answer(int fd, const struct session_answer *a, int passed);

#endif
