/*
 * dns - one question to the name servers of resolv.conf, and what the answer really says. Used
 * by mxlist.c and dnskeys.c, in the child of resolve.c, and for the look of a name by
 * destination.c and policy.c.
 *
 * Nothing in an answer is believed that the question did not ask for: records count only when
 * they belong to the name asked, or to the end of the chain of CNAMEs that starts there.
 *
 * Who may say that an answer is authentic: the AD bit is a word of the name server, and of
 * whoever sits on the way to it. It is believed when all name servers of resolv.conf are on
 * loopback (127.0.0.0/8, ::1; also when it names none, which means 127.0.0.1), or when the
 * administrator has put "options trust-ad" there. PROTOCOL.md, "Keys in DNS".
 */
#ifndef BLACKPONY_DNS_H
#define BLACKPONY_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <sys/socket.h>

#define DNS_NAME 256    /* a domain name as text: 253 octets at most, and NUL */
#define DNS_RECORDS 256 /* records taken from one answer, the first ones */
#define DNS_CHAIN 10    /* CNAMEs followed from one name */

enum dns_status {
	DNS_FOUND,     /* count >= 1 */
	DNS_NONE,      /* the name exists, without records of this type */
	DNS_UNKNOWN,   /* the name does not exist */
	DNS_LOOP,      /* its CNAMEs go in a circle, or are more than DNS_CHAIN */
	DNS_TEMPORARY, /* no answer in time, a failure, an answer that makes no sense */
};

struct dns_record {
	uint16_t preference;             /* MX */
	char name[DNS_NAME];             /* MX: "" for the root; may be no valid host name */
	struct sockaddr_storage address; /* A, AAAA; port 0 */
	const uint8_t *text;             /* TXT: its strings, each behind an octet of length */
	size_t text_octets;              /* in struct dns: good until the next question */
};

struct dns_answer {
	enum dns_status status;
	bool authentic; /* the AD bit was set in all that led here, by servers that we trust */
	size_t count;
	struct dns_record record[DNS_RECORDS];
};

struct dns {
	struct __res_state state;
	bool trusted; /* the AD bit counts */
	uint8_t packet[65536];
};

/* Labels of 1 to 63 letters, digits, '-' and '_', 253 octets in all, perhaps a dot at the end.
 */
bool dns_name_is_valid(const char *name);

/* Reads resolv.conf. False, with errno, when memory is out. */
bool dns_open(struct dns *dns);
/* Asks for records of type (ns_t_mx, ns_t_a, ns_t_aaaa, ns_t_txt) of a valid, absolute name.
 * deadline: milliseconds of CLOCK_MONOTONIC, kept to about a second. */
void dns_ask(struct dns *dns, const char *name, ns_type type, int64_t deadline,
    struct dns_answer *answer);
void dns_close(struct dns *dns);

#endif
