/*
 * destination - reads sendmail's $h. See destination.h.
 */
#include "destination.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "lib/dns.h"

#define SHOWN_MAX 64 /* octets of a bad entry that are shown */

_Static_assert(DESTINATION_NAME == DNS_NAME, "names fit");

/* Tells what is wrong with the entry p[0..n), which may hold any octets. */
static bool
refuse(char *fault, size_t cap, const char *p, size_t n, const char *why)
{
	char shown[SHOWN_MAX + 1];
	size_t i;

	for (i = 0; i < n && i < SHOWN_MAX; i++)
		shown[i] = (char)(p[i] > ' ' && p[i] < 0x7f && p[i] != '"' ? p[i] : '?');
	shown[i] = '\0';
	snprintf(
	    fault, cap, "bad destination \"%s%s\": %s", shown, n > SHOWN_MAX ? "..." : "", why);
	return false;
}

static bool
read_ipv4(struct destination *d, const char *text)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&d->address;

	in4->sin_family = AF_INET;
	return inet_pton(AF_INET, text, &in4->sin_addr) == 1;
}

static bool
read_ipv6(struct destination *d, const char *text)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&d->address;

	in6->sin6_family = AF_INET6;
	return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1;
}

/* An entry without brackets. */
static bool
read_plain(struct destination *d, const char *entry)
{
	if (read_ipv4(d, entry)) {
		d->kind = DESTINATION_ADDRESS;
		snprintf(d->name, sizeof d->name, "[%s]", entry);
		return true;
	}
	memset(&d->address, 0, sizeof d->address);
	d->kind = DESTINATION_DOMAIN;
	return dns_name_is_valid(entry) &&
	       strlcpy(d->name, entry, sizeof d->name) < sizeof d->name;
}

/* What stood between brackets. */
static bool
read_bracketed(struct destination *d, const char *inner)
{
	static const char tag[] = "IPv6:";
	const bool tagged = strncasecmp(inner, tag, sizeof tag - 1) == 0;

	d->kind = DESTINATION_ADDRESS;
	if (strchr(inner, ':') != NULL) {
		snprintf(d->name, sizeof d->name, "[%.*s]", (int)sizeof d->name - 3, inner);
		return read_ipv6(d, tagged ? inner + sizeof tag - 1 : inner);
	}
	if (!read_plain(d, inner))
		return false;
	if (d->kind == DESTINATION_DOMAIN)
		d->kind = DESTINATION_HOST;
	return true;
}

/* One entry p[0..n). Brackets, when there are any, enclose it but for a dot at the end, which
 * sendmail's daemon may have put there. */
static bool
read_entry(struct destination *d, const char *p, size_t n, char *fault, size_t cap)
{
	char entry[DESTINATION_NAME + sizeof "[IPv6:]"];
	size_t m = n;

	memset(d, 0, sizeof *d);
	if (n == 0)
		return refuse(fault, cap, p, n, "it is empty");
	if (n >= sizeof entry)
		return refuse(fault, cap, p, n, "it is too long");
	memcpy(entry, p, n);
	entry[n] = '\0';
	if (entry[0] != '[')
		return read_plain(d, entry) ||
		       refuse(
			   fault, cap, p, n, "it is no host name (an address needs brackets)");
	if (entry[m - 1] == '.')
		m--;
	if (m < 2 || entry[m - 1] != ']')
		return refuse(fault, cap, p, n, "the bracket is not closed at its end");
	entry[m - 1] = '\0';
	return read_bracketed(d, entry + 1) ||
	       refuse(
		   fault, cap, p, n, "neither an address nor a host name is in the brackets");
}

/* Octets of the first entry: up to a ':' or ',' that is not in brackets. */
static size_t
entry_length(const char *text)
{
	size_t n = 0;

	if (text[0] == '[')
		n = strcspn(text, "]");
	return n + strcspn(text + n, ":,");
}

bool
destination_parse(struct destination_list *list, const char *text, char *fault, size_t cap)
{
	size_t n;

	memset(list, 0, sizeof *list);
	for (;; text += n + 1) {
		n = entry_length(text);
		if (list->count == DESTINATION_MAX)
			return refuse(
			    fault, cap, text, n, "more destinations than 16 in one list");
		if (!read_entry(&list->item[list->count], text, n, fault, cap))
			return false;
		list->count++;
		if (text[n] == '\0')
			return true;
	}
}

bool
destination_has_name(const struct destination_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (list->item[i].kind != DESTINATION_ADDRESS)
			return true;
	return false;
}
