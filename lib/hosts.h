/*
 * hosts - the addresses that /etc/hosts has for a name. Called by mxlist.c, in the
 * process that asks and not in its child, for "[host]" only: sendmail's own client asks the system's resolver there, and
 * administrators name their gateways in that file.
 */
#ifndef BLACKPONY_HOSTS_H
#define BLACKPONY_HOSTS_H

#include <stddef.h>
#include <sys/socket.h>

/* Up to cap addresses of the family (AF_INET, AF_INET6), without a port. 0 where there is none,
 * no such file, or no C library that can be told to look there alone. */
size_t hosts_find(const char *name, int family, struct sockaddr_storage *address, size_t cap);

#endif
