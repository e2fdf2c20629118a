/*
 * mxlist - mail hosts and their addresses in the order of RFC 5321 section 5. See mxlist.h.
 */
#include "mxlist.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "hosts.h"

#define UNCUT 0x10000 /* above every preference */
#define PER_FAMILY (RESOLVE_PER_HOST / 2)

/* What one host has of one family. */
struct family {
	struct sockaddr_storage address[PER_FAMILY];
	size_t n;
};

bool
mxlist_open(struct mxlist *list, const struct resolve_options *options)
{
	list->options = options;
	return dns_open(&list->dns);
}

static void
copy_lower(char to[RESOLVE_NAME], const char *from)
{
	size_t n = strlcpy(to, from, RESOLVE_NAME);

	if (n > 0 && n < RESOLVE_NAME && to[n - 1] == '.')
		to[n - 1] = '\0';
	for (; *to != '\0'; to++)
		*to = (char)tolower((unsigned char)*to);
}

static void
add_host(struct mxlist *list, const char *name, uint16_t preference)
{
	struct mxlist_host *host = &list->host[list->hosts++];

	copy_lower(host->name, name);
	host->preference = preference;
	host->random = arc4random();
	if (list->mx && preference < list->cut && list->options->own != NULL &&
	    ownnames_has_name(list->options->own, name))
		list->cut = preference;
}

static int
compare_hosts(const void *a, const void *b)
{
	const struct mxlist_host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return (x->random > y->random) - (x->random < y->random);
}

/* The MX hosts of name, or what stands for them. */
static enum resolve_outcome
find_hosts(struct mxlist *list, const char *name)
{
	const struct dns_answer *answer = &list->answer;

	dns_ask(&list->dns, name, ns_t_mx, list->deadline, &list->answer);
	list->authentic = list->authentic && answer->authentic;
	switch (answer->status) {
	case DNS_UNKNOWN:
		return RESOLVE_UNKNOWN;
	case DNS_LOOP:
		return RESOLVE_CNAME_LOOP;
	case DNS_TEMPORARY:
		return RESOLVE_TEMPORARY;
	case DNS_NONE:
		/* The domain is its own mail host, of preference 0 (RFC 5321 section 5.1). */
		add_host(list, name, 0);
		return RESOLVE_FOUND;
	case DNS_FOUND:
		break;
	}
	/* The root as the only MX (RFC 7505 section 3); among others it is but a fault. */
	if (answer->count == 1 && answer->record[0].name[0] == '\0')
		return RESOLVE_NULL_MX;
	for (size_t i = 0; i < answer->count; i++)
		if (dns_name_is_valid(answer->record[i].name))
			add_host(list, answer->record[i].name, answer->record[i].preference);
	qsort(list->host, list->hosts, sizeof list->host[0], compare_hosts);
	return list->hosts > 0 ? RESOLVE_FOUND : RESOLVE_UNROUTABLE;
}

/* In random order. */
static void
find_family(struct mxlist *list, const char *name, int family, struct family *to)
{
	struct dns_answer *answer = &list->answer;

	to->n = 0;
	if (list->options->family != AF_UNSPEC && list->options->family != family)
		return;
	dns_ask(
	    &list->dns, name, family == AF_INET ? ns_t_a : ns_t_aaaa, list->deadline, answer);
	if (answer->status > list->bad) {
		list->bad = answer->status;
		copy_lower(list->bad_name, name);
	}
	while (to->n < PER_FAMILY && answer->count > 0) {
		size_t pick = arc4random_uniform((uint32_t)answer->count);
		const struct sockaddr_storage *found = &answer->record[pick].address;
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)found;

		/* IPv4 in disguise has no place in an AAAA record. */
		if (family == AF_INET || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			to->address[to->n++] = *found;
		answer->record[pick] = answer->record[--answer->count];
	}
}

static bool
has_own(const struct mxlist *list, const struct family *family)
{
	if (!list->mx || list->options->own == NULL || !list->options->own_addresses)
		return false;
	for (size_t i = 0; i < family->n; i++)
		if (ownnames_has_address(list->options->own, &family->address[i]))
			return true;
	return false;
}

static void
append_address(const struct mxlist_host *host, bool authentic,
    const struct sockaddr_storage *address, struct resolve_result *r)
{
	struct resolve_address *to = &r->address[r->count];

	if (r->count == RESOLVE_ADDRESSES)
		return;
	strlcpy(to->host, host->name, sizeof to->host);
	to->preference = host->preference;
	to->mx_authentic = authentic;
	to->address = *address;
	r->count++;
}

/* Appends the addresses of one host, IPv6 and IPv4, the families by turns, IPv6 first (RFC 6724
 * section 2.1): a host that is unreachable in one of them costs one timeout and not all. */
static void
append_addresses(const struct mxlist_host *host, bool authentic,
    const struct family family[2], struct resolve_result *r)
{
	for (size_t i = 0; i < PER_FAMILY; i++)
		for (size_t f = 0; f < 2; f++)
			if (i < family[f].n)
				append_address(host, authentic, &family[f].address[i], r);
}

static void
add_addresses(struct mxlist *list, const struct mxlist_host *host, struct resolve_result *r)
{
	struct family family[2];

	find_family(list, host->name, AF_INET6, &family[0]);
	find_family(list, host->name, AF_INET, &family[1]);
	if (has_own(list, &family[0]) || has_own(list, &family[1]))
		list->cut = host->preference;
	else
		append_addresses(host, list->authentic, family, r);
}

/* "[host]" as /etc/hosts has it, whatever DNS says, as with "hosts: files dns". No name server
 * was asked, so the answer is authentic. */
bool
mxlist_find_in_hosts(const char *name, int family, struct resolve_result *r)
{
	static const int families[2] = {AF_INET6, AF_INET};
	struct family found[2] = {{.n = 0}, {.n = 0}};
	struct mxlist_host host = {.preference = 0};

	memset(r, 0, sizeof *r);
	copy_lower(host.name, name);
	for (size_t i = 0; i < 2; i++)
		if (family == AF_UNSPEC || family == families[i])
			found[i].n = hosts_find(
			    host.name, families[i], found[i].address, PER_FAMILY);
	append_addresses(&host, true, found, r);
	r->outcome = RESOLVE_FOUND;
	return r->count > 0;
}

/* What it means that no address was found. */
static enum resolve_outcome
explain_nothing(const struct mxlist *list)
{
	if (list->host[0].preference >= list->cut)
		return RESOLVE_OURSELVES;
	if (list->bad == DNS_TEMPORARY)
		return RESOLVE_TEMPORARY;
	if (list->hosts == 1 && list->bad == DNS_LOOP)
		return RESOLVE_CNAME_LOOP;
	return RESOLVE_UNROUTABLE;
}

/* One absolute name, r being empty. */
static void
find_name(struct mxlist *list, const char *name, struct resolve_result *r)
{
	copy_lower(r->culprit, name);
	list->hosts = 0;
	list->cut = UNCUT;
	list->bad = DNS_FOUND;
	r->outcome = RESOLVE_FOUND;
	if (list->mx)
		r->outcome = find_hosts(list, name);
	else
		add_host(list, name, 0);
	if (r->outcome != RESOLVE_FOUND)
		return;
	for (size_t i = 0; i < list->hosts && i < RESOLVE_HOSTS; i++)
		if (list->host[i].preference < list->cut)
			add_addresses(list, &list->host[i], r);
	/* The cut may have come after equals of the host that is ours. */
	while (r->count > 0 && r->address[r->count - 1].preference >= list->cut)
		memset(&r->address[--r->count], 0, sizeof r->address[0]);
	if (r->count > 0)
		return;
	r->outcome = explain_nothing(list);
	if (r->outcome == RESOLVE_TEMPORARY || r->outcome == RESOLVE_CNAME_LOOP)
		strlcpy(r->culprit, list->bad_name, sizeof r->culprit);
	/* Without MX records it is the domain's own name that does not exist. */
	if (r->outcome == RESOLVE_UNROUTABLE && !list->mx && list->bad == DNS_UNKNOWN)
		r->outcome = RESOLVE_UNKNOWN;
}

void
mxlist_find(
    struct mxlist *list, const char *name, bool mx, int64_t deadline, struct resolve_result *r)
{
	char **domain = list->dns.state.dnsrch;
	char full[2 * RESOLVE_NAME];
	const bool search = strchr(name, '.') == NULL;

	memset(r, 0, sizeof *r);
	list->deadline = deadline;
	list->mx = mx;
	if (!dns_name_is_valid(name)) {
		r->outcome = RESOLVE_BAD_NAME;
		return;
	}
	list->authentic = !search; /* a search believes what it is told does not exist */
	r->outcome = RESOLVE_UNKNOWN;
	for (int i = 0; search && i < MAXDNSRCH && domain[i] != NULL; i++) {
		strlcpy(full, name, sizeof full);
		strlcat(full, ".", sizeof full);
		strlcat(full, domain[i], sizeof full);
		if (dns_name_is_valid(full))
			find_name(list, full, r);
		if (r->outcome != RESOLVE_UNKNOWN)
			return;
	}
	find_name(list, name, r);
}
