/*
 * ownnames - the names and addresses under which this host receives mail. An MX list is cut
 * where it names one of them (RFC 5321 section 5.1), or mail would go round in circles.
 *
 * Names: gethostname(), and the words of a file such as Debian's /etc/mail/local-host-names.
 * Addresses: those of the interfaces, all of 127/8, ::1, and the unspecified addresses, which
 * connect to the same host.
 */
#ifndef BLACKPONY_OWNNAMES_H
#define BLACKPONY_OWNNAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct ownnames {
	char *names; /* without a trailing dot, each ended by a NUL */
	size_t octets;
	struct sockaddr_storage *address;
	size_t addresses;
};

/* Reads them all. path may be NULL. One word or more a line, '#' starts a comment, a trailing
 * dot is dropped. False when the file or the interfaces cannot be read: fault then says which
 * and why, and o is empty. */
bool ownnames_read(struct ownnames *o, const char *path, char *fault, size_t cap);
/* Neither case nor a trailing dot counts. */
bool ownnames_has_name(const struct ownnames *o, const char *name);
bool ownnames_has_address(const struct ownnames *o, const struct sockaddr_storage *address);
void ownnames_free(struct ownnames *o);

#endif
