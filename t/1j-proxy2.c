/* proxy2: the octets of HAProxy's specification, whole and in every piece; what is no header,
 * is too short or too long, or speaks of another family, is bad at once. */
#include "tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/proxy2.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES_4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\x9c\x41\x00\x19"
#define FOUR SIGNATURE "\x21\x11\x00\x0c" ADDRESSES_4
#define SIX                                                                                    \
	SIGNATURE "\x21\x21\x00\x24"                                                           \
		  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                 \
		  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"                                 \
		  "\x9c\x41\x00\x19"
#define LOCAL SIGNATURE "\x20\x00\x00\x00"

static struct sockaddr_storage
address(const char *text, in_port_t port)
{
	struct sockaddr_storage a = {0};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		memcpy(&a, &four, sizeof four);
	else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(&a, &six, sizeof six);
	else
		bail("no address: %s", text);
	return a;
}

static void
test_build(void)
{
	struct sockaddr_storage client = address("192.0.2.1", 40001);
	struct sockaddr_storage local = address("198.51.100.2", 25), none = {0};
	uint8_t out[PROXY2_MAX];

	is_mem(out, proxy2_build(out, &client, &local), FOUR, sizeof FOUR - 1, "IPv4");
	client = address("2001:db8::1", 40001);
	is_int(proxy2_build(out, &client, &local), 0, "no header for two families");
	is_int(proxy2_build(out, &local, &client), 0, "the other way round");
	local = address("2001:db8::2", 25);
	is_mem(out, proxy2_build(out, &client, &local), SIX, sizeof SIX - 1, "IPv6");
	is_int(sizeof SIX - 1, PROXY2_MAX, "which is the longest");
	is_int(proxy2_build(out, &none, &none), 0, "none for no family");
}

/* Of the header in its whole length, of every beginning, and with the client's octets behind.
 */
static void
takes(const char *octets, size_t n, enum proxy2_result want, const char *client,
    const char *local, const char *name)
{
	struct sockaddr_storage from = {0}, to = {0};
	struct proxy2 h;
	uint8_t more[PROXY2_MOST + 8];
	unsigned hasty = 0;

	if (client != NULL) {
		from = address(client, 40001);
		to = address(local, 25);
	}
	for (size_t i = 0; i < n; i++)
		hasty += proxy2_parse((const uint8_t *)octets, i, &h) != PROXY2_MORE;
	is_int(hasty, 0, "%s: waits for its last octet", name);
	is_int(proxy2_parse((const uint8_t *)octets, n, &h), want, "%s: taken", name);
	is_int(h.octets, n, "%s: and all of it", name);
	is_mem(&h.client, sizeof h.client, &from, sizeof from, "%s: the client", name);
	is_mem(&h.local, sizeof h.local, &to, sizeof to, "%s: our address", name);
	memcpy(more, octets, n);
	memcpy(more + n, "EHLO x\r\n", 8);
	is_int(proxy2_parse(more, n + 8, &h), want, "%s: with more behind", name);
	is_int(h.octets, n, "%s: which is not its", name);
}

#define TAKES(octets, ...) takes(octets, sizeof octets - 1, __VA_ARGS__)

static void
test_parse(void)
{
	static const char wide[] = SIGNATURE "\x20\xff\x00\x03"
					     "abc";
	char longest[PROXY2_MOST + 1] = SIGNATURE "\x21\x11\x02\x08" ADDRESSES_4;

	TAKES(FOUR, PROXY2_PROXIED, "192.0.2.1", "198.51.100.2", "IPv4");
	TAKES(SIX, PROXY2_PROXIED, "2001:db8::1", "2001:db8::2", "IPv6");
	TAKES(LOCAL, PROXY2_LOCAL, NULL, NULL, "a health check");
	TAKES(wide, PROXY2_LOCAL, NULL, NULL, "one with a family, which means nothing");
	TAKES(SIGNATURE "\x21\x11\x00\x10" ADDRESSES_4 "\x04\x00\x01z", PROXY2_PROXIED,
	    "192.0.2.1", "198.51.100.2", "with a TLV");
	TAKES(longest, PROXY2_PROXIED, "192.0.2.1", "198.51.100.2", "the longest");
}

/* Bad with its octet number `at`, and with all that may follow; not before. */
static void
refuses(const char *octets, size_t n, size_t at, const char *name)
{
	struct proxy2 h;
	unsigned late = 0;

	is_int(proxy2_parse((const uint8_t *)octets, at, &h), PROXY2_MORE, "%s: good so far",
	    name);
	for (size_t i = at + 1; i <= n; i++)
		late += proxy2_parse((const uint8_t *)octets, i, &h) != PROXY2_BAD;
	is_int(late, 0, "%s: bad at once, and stays so", name);
	is_int(h.octets, 0, "%s: no octets are its", name);
}

#define REFUSES(octets, at, name) refuses(octets, sizeof octets - 1, at, name)

static void
test_refused(void)
{
	struct proxy2 h;
	uint8_t octets[sizeof FOUR - 1];
	unsigned taken = 0;

	REFUSES("EHLO x\r\n", 0, "a command");
	REFUSES("PROXY TCP4 192.0.2.1 198.51.100.2 40001 25\r\n", 0, "version 1");
	REFUSES("\r\n\r\nEHLO", 4, "empty lines");
	REFUSES(SIGNATURE "\x11\x11\x00\x0c" ADDRESSES_4, 12, "version 1 in binary");
	REFUSES(SIGNATURE "\x22\x11\x00\x0c" ADDRESSES_4, 12, "an unknown command");
	REFUSES(SIGNATURE "\x21\x00\x00\x0c" ADDRESSES_4, 13, "no family");
	REFUSES(SIGNATURE "\x21\x12\x00\x0c" ADDRESSES_4, 13, "UDP");
	REFUSES(SIGNATURE "\x21\x31\x00\xd8", 13, "a UNIX socket");
	REFUSES(SIGNATURE "\x21\x11\x00\x0b" ADDRESSES_4, 15, "too short");
	REFUSES(SIGNATURE "\x21\x21\x00\x23", 15, "too short for IPv6");
	REFUSES(SIGNATURE "\x21\x11\x02\x09" ADDRESSES_4, 15, "too long");
	REFUSES(SIGNATURE "\x20\x00\xff\xff", 15, "a health check that is too long");
	for (size_t i = 0; i < 12; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(octets, FOUR, sizeof octets);
			octets[i] = (uint8_t)(octets[i] ^ 1U << bit);
			taken += proxy2_parse(octets, i + 1, &h) != PROXY2_BAD;
		}
	is_int(taken, 0, "any bit of the signature turned over is bad at its octet");
}

int
main(void)
{
	test_build();
	test_parse();
	test_refused();
	return tap_done();
}
