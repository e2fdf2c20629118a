/*
 * mxlist - the mail hosts of a domain and their addresses, in the order of RFC 5321 section 5.
 * Used by the child of resolve.c: it works on hostile answers and knows no key. /etc/hosts is
 * read in the parent.
 */
#ifndef BLACKPONY_MXLIST_H
#define BLACKPONY_MXLIST_H

#include <stdbool.h>
#include <stdint.h>
#include "dns.h"
#include "resolve.h"

struct mxlist_host {
	char name[RESOLVE_NAME];
	uint16_t preference;
	uint32_t random; /* order among equals (RFC 5321 section 5.1) */
};

struct mxlist {
	struct dns dns;
	const struct resolve_options *options;
	int64_t deadline; /* of the present request */
	struct dns_answer answer;
	struct mxlist_host host[DNS_RECORDS];
	size_t hosts;
	bool mx;        /* the hosts are MX hosts, also an implied one: not "[host]" */
	bool authentic; /* the answer that named the hosts */
	uint32_t cut;   /* hosts of this preference or more are not used: we are among them */
	enum dns_status bad; /* worst fault at the addresses of a host, DNS_FOUND: none */
	char bad_name[RESOLVE_NAME];
};

/* False, with errno, when memory is out. */
bool mxlist_open(struct mxlist *list, const struct resolve_options *options);
/* Fills r, which need not be zero before. */
void mxlist_find(
    struct mxlist *list, const char *name, bool mx, int64_t deadline, struct resolve_result *r);
/* The addresses that /etc/hosts has for a valid name. False, and r is not to be used, when it
 * has none. */
bool mxlist_find_in_hosts(const char *name, int family, struct resolve_result *r);

#endif
