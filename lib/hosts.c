/*
 * hosts - see hosts.h. The C library reads the file, with its other sources switched off: in
 * this process, which lives for one delivery, nobody else asks it for a host.
 */
#include "hosts.h"

#ifdef HAVE___NSS_CONFIGURE_LOOKUP

#	include <netdb.h>
#	include <nss.h>
#	include <string.h>

size_t
hosts_find(const char *name, int family, struct sockaddr_storage *address, size_t cap)
{
	const struct addrinfo hints = {
	    .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *all, *at;
	size_t n = 0;

	if (__nss_configure_lookup("hosts", "files") != 0 ||
	    getaddrinfo(name, NULL, &hints, &all) != 0)
		return 0;
	for (at = all; at != NULL && n < cap; at = at->ai_next) {
		memset(&address[n], 0, sizeof address[n]);
		memcpy(&address[n++], at->ai_addr, at->ai_addrlen);
	}
	freeaddrinfo(all);
	return n;
}

#else

size_t
hosts_find(const char *name, int family, struct sockaddr_storage *address, size_t cap)
{
	(void)name, (void)family, (void)address, (void)cap;
	return 0;
}

#endif
