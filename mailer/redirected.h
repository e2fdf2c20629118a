/*
 * redirected - where a connection was going before the system's packet filter turned it to us:
 * blackpony-mailer -r, for MTAs that start no program but connect (doc/OTHER-MTAS.md). Called
 * by mailer/main.c.
 */
#ifndef BLACKPONY_REDIRECTED_H
#define BLACKPONY_REDIRECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDIRECTED_HOST_MAX 64 /* "[IPv6:...]" */

/* Sets host to "[192.0.2.1]" or "[IPv6:2001:db8::1]", which destination_parse() takes, and
 * port. False for what is no TCP connection, and for one that nobody has redirected: whoever
 * connects to us on his own is to have nothing of us. why: in printable ASCII. */
bool redirected_from(
    int fd, char host[REDIRECTED_HOST_MAX], uint16_t *port, char *why, size_t why_size);

#endif
