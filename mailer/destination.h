/*
 * destination - reads what sendmail passes as $h: where a message is to go. Used by the
 * mailer's main, which hands the list to connect.c.
 *
 *   host   host.            mail domain: MX records, else its addresses
 *   [host.name]             that host: addresses only, no MX
 *   [192.0.2.1] [IPv6:...]  an address (RFC 5321 section 4.1.3; "IPv6:" may be missing, and so
 * may the brackets of an IPv4 address, as with sendmail's own mailer) h1:h2   h1,h2 several of
 * these, each a destination of its own, tried in order
 */
#ifndef BLACKPONY_DESTINATION_H
#define BLACKPONY_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define DESTINATION_MAX 16 /* destinations in one $h */
#define DESTINATION_NAME                                                                       \
	256 /* a domain name as text: 253 octets at most, perhaps a dot, NUL                   \
	     */

enum destination_kind {
	DESTINATION_DOMAIN,  /* name, with MX */
	DESTINATION_HOST,    /* name, without MX */
	DESTINATION_ADDRESS, /* address; name is its text as given in brackets, "[192.0.2.1]" */
};

struct destination {
	enum destination_kind kind;
	char name[DESTINATION_NAME]; /* as given; a trailing dot is kept: it means "absolute" */
	struct sockaddr_storage address; /* port 0 */
};

struct destination_list {
	struct destination item[DESTINATION_MAX];
	size_t count; /* >= 1 after a good parse */
};

/* False when text is no such list: fault then says in plain printable ASCII what is wrong with
 * it, for a verdict of 501 5.1.2. */
bool destination_parse(
    struct destination_list *list, const char *text, char *fault, size_t cap);

/* Is there one to be looked up? */
bool destination_has_name(const struct destination_list *list);

#endif
