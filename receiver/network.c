/*
 * network - see network.h.
 */
#include "receiver/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK_TEXT_MAX (INET6_ADDRSTRLEN + sizeof("[]/128"))

static unsigned
width(const struct network *n)
{
	return n->family == AF_INET6 ? 128 : 32;
}

/* Are the first bits of both the same? */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool
network_has(const struct network *n, const struct network *address)
{
	return n->family == address->family && same_bits(n->address, address->address, n->bits);
}

static bool
has_other_bits(const struct network *n)
{
	for (unsigned i = n->bits; i < width(n); i++)
		if ((n->address[i / 8] >> (7 - i % 8) & 1) != 0)
			return true;
	return false;
}

/* 0 to max, without a sign or a leading zero. */
static bool
read_bits(unsigned *bits, const char *text, unsigned max)
{
	const size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 3 || text[n] != '\0' || (text[0] == '0' && n > 1))
		return false;
	*bits = (unsigned)strtoul(text, NULL, 10);
	return *bits <= max;
}

/* What is in front of the slash. */
static bool
read_address(struct network *n, char *text)
{
	const size_t len = strlen(text);
	const bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text[len - 1] = '\0';
		text++;
	}
	n->family = AF_INET6;
	if (inet_pton(AF_INET6, text, n->address) == 1)
		return true;
	n->family = AF_INET;
	return !bracketed && inet_pton(AF_INET, text, n->address) == 1;
}

static bool
is_mapped(const struct network *n)
{
	struct in6_addr six;

	memcpy(&six, n->address, sizeof(six));
	return n->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six);
}

bool
network_read(struct network *n, struct words *words, const struct word *w)
{
	char text[NETWORK_TEXT_MAX], *slash;

	memset(n, 0, sizeof(*n));
	if (w->n >= sizeof(text))
		return words_fault(words, w, "is too long for an address");
	memcpy(text, w->p, w->n);
	text[w->n] = '\0';
	if ((slash = strchr(text, '/')) != NULL)
		*slash = '\0';
	if (!read_address(n, text))
		return words_fault(words, w,
		    "is no address; use 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or "
		    "[2001:db8::]/32");
	n->bits = width(n);
	if (slash != NULL && !read_bits(&n->bits, slash + 1, width(n)))
		return words_fault(
		    words, w, "has no number from 0 to %u behind the /", width(n));
	if (has_other_bits(n))
		return words_fault(
		    words, w, "has more than its first %u bits set; clear them", n->bits);
	if (n->bits >= 96 && is_mapped(n))
		return words_fault(words, w, "is an IPv4 address; write it as one");
	return true;
}

bool
network_of(struct network *n, const struct sockaddr_storage *address)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	memset(n, 0, sizeof(*n));
	n->family = address->ss_family;
	n->bits = width(n);
	if (n->family == AF_INET6) {
		memcpy(&six, address, sizeof(six));
		memcpy(n->address, &six.sin6_addr, sizeof(six.sin6_addr));
		return true;
	}
	memcpy(&four, address, sizeof(four));
	memcpy(n->address, &four.sin_addr, sizeof(four.sin_addr));
	return n->family == AF_INET;
}
