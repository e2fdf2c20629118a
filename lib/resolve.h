/*
 * resolve - from a mail domain to the addresses of its mail hosts, in the order in which they
 * are to be tried (RFC 5321 section 5, RFC 7505 for null MX), and to the keys that DNS has for
 * one of them (PROTOCOL.md, "Keys in DNS"). Used by mailer/connect.c and the mailer's monitor.
 *
 * The answers of a name server are foreign bytes, so they are parsed in a child that is forked
 * before any key is read. It has no descriptor but its socket, cannot be dumped or traced,
 * gains no privileges, and hands back one struct of fixed size for each question, which the
 * parent checks as if the child had turned against it.
 */
#ifndef BLACKPONY_RESOLVE_H
#define BLACKPONY_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "ownnames.h"

#define RESOLVE_NAME 256     /* a domain name as text: 253 octets at most, and NUL */
#define RESOLVE_HOSTS 16     /* MX hosts looked at, the most preferred ones */
#define RESOLVE_ADDRESSES 64 /* addresses in one result */
#define RESOLVE_PER_HOST 16  /* addresses of one host */

enum resolve_outcome {
	RESOLVE_FOUND,      /* count >= 1 */
	RESOLVE_BAD_NAME,   /* no domain name: permanent */
	RESOLVE_UNKNOWN,    /* the domain does not exist (NXDOMAIN): permanent */
	RESOLVE_NULL_MX,    /* it says that it takes no mail: permanent */
	RESOLVE_UNROUTABLE, /* it exists, no host of it has an address that we may use:
			       permanent */
	RESOLVE_OURSELVES,  /* its best mail host is this one: permanent */
	RESOLVE_CNAME_LOOP, /* aliases in a circle, or too many: permanent */
	RESOLVE_TEMPORARY,  /* no answer or no sane one, and nothing else that could be used */
	RESOLVE_OUTCOMES
};

struct resolve_address {
	char host[RESOLVE_NAME]; /* MX host name, lower case, without a trailing dot */
	uint16_t preference;
	bool mx_authentic; /* the answer that named this host had the AD bit, from a name
			      server that is trusted with it (dns.h) */
	struct sockaddr_storage address; /* AF_INET or AF_INET6; port 0 */
};

struct resolve_result {
	enum resolve_outcome outcome;
	char culprit[RESOLVE_NAME]; /* the name whose look-up decided a bad outcome */
	uint32_t count;
	struct resolve_address address[RESOLVE_ADDRESSES]; /* in the order to be tried */
};

struct resolve_options {
	int family;                 /* AF_UNSPEC, AF_INET or AF_INET6 */
	const struct ownnames *own; /* NULL: the MX list is never cut */
	bool own_addresses; /* cut at our addresses too, not only names: right on port 25 only,
			       for on another port it is another server that listens there */
};

#define RESOLVE_KEYS 8      /* keys taken from DNS for one host */
#define RESOLVE_KEY_HASH 32 /* SHA-256 of a public key: its fingerprint */

enum resolve_keys_outcome {
	RESOLVE_KEYS_AUTHENTIC,   /* count >= 1, and DNSSEC vouches for them: they count */
	RESOLVE_KEYS_UNAUTHENTIC, /* count >= 1, from anybody: good for a remark in the log */
	RESOLVE_KEYS_DENIED,      /* none, and DNSSEC vouches for that */
	RESOLVE_KEYS_NONE,        /* none, says somebody */
	RESOLVE_KEYS_TEMPORARY,   /* no answer or no sane one; a bad signature looks like that:
				     whoever demands keys defers */
	RESOLVE_KEYS_OUTCOMES
};

struct resolve_keys {
	enum resolve_keys_outcome outcome;
	uint32_t count;
	uint32_t ignored; /* XPONY1 records without a good key, and keys beyond the eighth */
	uint8_t key[RESOLVE_KEYS][RESOLVE_KEY_HASH]; /* each once, in no order */
};

struct resolver;

/* Forks the child. NULL with errno. Call it before any key is read. options->own is copied by
 * the fork and may be freed afterwards. */
struct resolver *resolve_start(const struct resolve_options *options);

/* One without a child, for whoever has addresses alone: what it is asked of a name, it does not
 * know (RESOLVE_TEMPORARY). NULL with errno. */
struct resolver *resolve_none(void);

/* Resolves name; mx: look for MX records (else its addresses only, as for "[host]", from
 * /etc/hosts first, which are never cut). A name with a dot in it is taken as absolute; a
 * single label is tried with resolv.conf's search list first, unless it ends in a dot.
 * deadline: milliseconds of CLOCK_MONOTONIC. watch_fd: a hang-up there ends the wait (-1:
 * none). False when watch_fd hung up. True otherwise, with r filled: when the child dies, lies
 * or is late that is RESOLVE_TEMPORARY, now and in all later calls. */
bool resolve_ask(struct resolver *resolver, const char *name, bool mx, int64_t deadline,
    int watch_fd, struct resolve_result *r);

/* The keys of an MX host: TXT records of _xpony.host, which is taken as absolute. The rest is
 * as for resolve_ask(). A host that is no domain name has none. Whether the name of the host
 * itself is authentic, only resolve_ask() told. */
bool resolve_keys(struct resolver *resolver, const char *host, int64_t deadline, int watch_fd,
    struct resolve_keys *r);

/* Kills the child and waits for its end. NULL is fine. */
void resolve_stop(struct resolver *resolver);

#endif
