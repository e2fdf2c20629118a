/*
 * dns - one question to the name servers, one answer read with suspicion. See dns.h.
 */
#include "dns.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"

#define LABEL_MAX 63
#define NAME_MAX_TEXT 253
#define QUERY_MIN_MS 1000 /* libresolv counts in seconds */

#ifndef RES_TRUSTAD /* glibc before 2.31 hands AD on from anybody: dns->trusted decides */
#	define RES_TRUSTAD 0
#endif

bool
dns_name_is_valid(const char *name)
{
	size_t label = 0, i;

	for (i = 0; name[i] != '\0'; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!isascii(c) || !(isalnum(c) || c == '-' || c == '_') ||
			   ++label > LABEL_MAX) {
			return false;
		}
	}
	return i > 0 && i - (name[i - 1] == '.') <= NAME_MAX_TEXT;
}

/* IPv6 servers are in a list beside, which leaves holes in the first one. */
static bool
is_loopback(const struct __res_state *state, int i)
{
	const struct sockaddr_in *in4 = &state->nsaddr_list[i];
	const struct sockaddr_in6 *in6 = state->_u._ext.nsaddrs[i];

	if (in6 != NULL && in6->sin6_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return in4->sin_family == AF_INET &&
	       ntohl(in4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* One server elsewhere is enough to spoil it: any of them may be the one that answers. */
static bool
all_on_loopback(const struct __res_state *state)
{
	for (int i = 0; i < state->nscount; i++)
		if (!is_loopback(state, i))
			return false;
	return true;
}

bool
dns_open(struct dns *dns)
{
	memset(&dns->state, 0, sizeof dns->state);
	if (res_ninit(&dns->state) != 0)
		return false;
	dns->trusted = (dns->state.options & RES_TRUSTAD) != 0 || all_on_loopback(&dns->state);
	/* With RES_TRUSTAD libresolv asks for the AD bit; without, it clears it. */
	if (dns->trusted)
		dns->state.options |= RES_TRUSTAD;
	dns->state.options |= RES_USE_EDNS0;
	return true;
}

void
dns_close(struct dns *dns)
{
	res_nclose(&dns->state);
}

/* Makes libresolv's own patience fit: two rounds over all servers, the second with twice the
 * time divided among them, come to (servers + 2) * retrans seconds. */
static bool
limit_time(struct dns *dns, int64_t deadline, int retrans_most)
{
	int64_t left = deadline - clock_ms();
	int64_t retrans = left / 1000 / (dns->state.nscount + 2);

	if (left < QUERY_MIN_MS)
		return false;
	if (retrans > retrans_most)
		retrans = retrans_most;
	dns->state.retrans = retrans < 1 ? 1 : (int)retrans;
	if (dns->state.retry > 2)
		dns->state.retry = 2;
	return true;
}

/* Appends an A, AAAA, MX or TXT record to the answer; a malformed one is passed over. */
static void
take_record(struct dns_answer *answer, const ns_msg *message, const ns_rr *rr)
{
	struct dns_record *record = &answer->record[answer->count];
	struct sockaddr_in *in4 = (struct sockaddr_in *)&record->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&record->address;
	int n;

	if (answer->count == DNS_RECORDS)
		return;
	memset(record, 0, sizeof *record);
	if (ns_rr_type(*rr) == ns_t_a && ns_rr_rdlen(*rr) == sizeof in4->sin_addr) {
		in4->sin_family = AF_INET;
		memcpy(&in4->sin_addr, ns_rr_rdata(*rr), sizeof in4->sin_addr);
	} else if (ns_rr_type(*rr) == ns_t_aaaa && ns_rr_rdlen(*rr) == sizeof in6->sin6_addr) {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, ns_rr_rdata(*rr), sizeof in6->sin6_addr);
	} else if (ns_rr_type(*rr) == ns_t_mx && ns_rr_rdlen(*rr) > 2) {
		record->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
		n = ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message),
		    ns_rr_rdata(*rr) + 2, record->name, sizeof record->name);
		if (n < 0 || n + 2 != ns_rr_rdlen(*rr))
			return;
		if (strcmp(record->name, ".") == 0)
			record->name[0] = '\0';
	} else if (ns_rr_type(*rr) == ns_t_txt) {
		record->text = ns_rr_rdata(*rr);
		record->text_octets = ns_rr_rdlen(*rr);
	} else {
		return;
	}
	answer->count++;
}

/* Replaces name by the target of its CNAME, when the message has one. */
static bool
follow_cname(ns_msg *message, char name[DNS_NAME])
{
	ns_rr rr;
	char target[DNS_NAME];

	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, i, &rr) != 0)
			return false;
		if (ns_rr_type(rr) != ns_t_cname || ns_rr_class(rr) != ns_c_in ||
		    strcasecmp(ns_rr_name(rr), name) != 0)
			continue;
		if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message),
			ns_rr_rdata(rr), target, sizeof target) != ns_rr_rdlen(rr))
			return false;
		strlcpy(name, target, DNS_NAME);
		return true;
	}
	return false;
}

/* Reads the answer section. name moves along the CNAMEs; *chain counts them. False when the
 * message cannot be read to its end. */
static bool
read_answer(struct dns_answer *answer, const uint8_t *packet, int n, ns_type type,
    char name[DNS_NAME], int *chain)
{
	ns_msg message;
	ns_rr rr;

	if (ns_initparse(packet, n, &message) != 0 || ns_msg_getflag(message, ns_f_tc))
		return false;
	if (!ns_msg_getflag(message, ns_f_ad))
		answer->authentic = false;
	while (*chain <= DNS_CHAIN && follow_cname(&message, name))
		++*chain;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) != 0)
			return false;
		if (ns_rr_type(rr) == type && ns_rr_class(rr) == ns_c_in &&
		    strcasecmp(ns_rr_name(rr), name) == 0)
			take_record(answer, &message, &rr);
	}
	return true;
}

/* What a "no" is worth. A server that neither owns the zone nor recurses only sent us on. */
static enum dns_status
read_refusal(struct dns_answer *answer, const uint8_t *packet, int h_error)
{
	HEADER header;

	memcpy(&header, packet, sizeof header);
	if (!header.ad)
		answer->authentic = false;
	if (h_error != HOST_NOT_FOUND && h_error != NO_DATA)
		return DNS_TEMPORARY;
	if (!header.aa && !header.ra)
		return DNS_TEMPORARY;
	return h_error == HOST_NOT_FOUND ? DNS_UNKNOWN : DNS_NONE;
}

/* One round: asks for name, which moves along its CNAMEs. DNS_NONE with a moved name: ask
 * again. */
static enum dns_status
ask_once(
    struct dns *dns, struct dns_answer *answer, ns_type type, char name[DNS_NAME], int *chain)
{
	char asked[DNS_NAME];
	int n;

	strlcpy(asked, name, sizeof asked);
	memset(dns->packet, 0, sizeof(HEADER));
	n = res_nquery(&dns->state, asked, ns_c_in, type, dns->packet, sizeof dns->packet);
	if (n < 0)
		return read_refusal(answer, dns->packet, dns->state.res_h_errno);
	if (n > (int)sizeof dns->packet ||
	    !read_answer(answer, dns->packet, n, type, name, chain))
		return DNS_TEMPORARY;
	if (*chain > DNS_CHAIN)
		return DNS_LOOP;
	if (answer->count > 0)
		return DNS_FOUND;
	/* Records, but none that belongs to the question: no answer at all. */
	return strcasecmp(asked, name) == 0 ? DNS_TEMPORARY : DNS_NONE;
}

void
dns_ask(struct dns *dns, const char *name, ns_type type, int64_t deadline,
    struct dns_answer *answer)
{
	const int retrans = dns->state.retrans;
	char asked[DNS_NAME], at[DNS_NAME];
	int chain = 0;

	answer->count = 0;
	answer->authentic = dns->trusted;
	strlcpy(at, name, sizeof at);
	if (at[0] != '\0' && at[strlen(at) - 1] == '.')
		at[strlen(at) - 1] = '\0';
	do {
		/* A CNAME may lead to any octets; what is no host name owns nothing of use. */
		answer->status = DNS_NONE;
		if (!dns_name_is_valid(at))
			break;
		answer->status = DNS_TEMPORARY;
		if (!limit_time(dns, deadline, retrans))
			break;
		strlcpy(asked, at, sizeof asked);
		answer->status = ask_once(dns, answer, type, at, &chain);
	} while (answer->status == DNS_NONE && strcasecmp(asked, at) != 0);
	dns->state.retrans = retrans;
	if (answer->status != DNS_FOUND)
		answer->count = 0;
}
