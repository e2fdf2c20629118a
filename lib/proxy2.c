/*
 * proxy2 - the PROXY protocol's header, version 2 (proxy2.h has its shape and the source).
 * Called by the receiver, for its back ends and its load balancers.
 */
#include "proxy2.h"
#include "libxpony/wire.h"

#include <netinet/in.h>
#include <string.h>

#define SIGNATURE 12
#define FIXED 16       /* signature, version and command, family, length */
#define VERSION_2 0x20 /* in the high half of its octet */
#define ADDRESSES_4 12
#define ADDRESSES_6 36

enum command { COMMAND_LOCAL, COMMAND_PROXY };
enum family { FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21 };

static const uint8_t signature[SIGNATURE] = {
    '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* An address without its port, and its port; in network order both in memory and in the header.
 */
struct end {
	uint8_t address[16];
	uint8_t port[2];
};

static struct end
end_of(const struct sockaddr_storage *a)
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct end e = {{0}, {0}};

	if (a->ss_family == AF_INET) {
		memcpy(&four, a, sizeof(four));
		memcpy(e.address, &four.sin_addr, sizeof(four.sin_addr));
		memcpy(e.port, &four.sin_port, sizeof(e.port));
	} else {
		memcpy(&six, a, sizeof(six));
		memcpy(e.address, &six.sin6_addr, sizeof(six.sin6_addr));
		memcpy(e.port, &six.sin6_port, sizeof(e.port));
	}
	return e;
}

size_t
proxy2_build(uint8_t out[PROXY2_MAX], const struct sockaddr_storage *client,
    const struct sockaddr_storage *local)
{
	const bool four = client->ss_family == AF_INET;
	const size_t n = four ? 4 : 16;
	struct wire_out w = wire_out(out, PROXY2_MAX);
	struct end from, to;

	if (client->ss_family != local->ss_family || (!four && client->ss_family != AF_INET6))
		return 0;
	from = end_of(client);
	to = end_of(local);
	wire_put_bytes(&w, signature, sizeof(signature));
	wire_put_u8(&w, VERSION_2 | COMMAND_PROXY);
	wire_put_u8(&w, four ? FAMILY_TCP4 : FAMILY_TCP6);
	wire_put_u16(&w, four ? ADDRESSES_4 : ADDRESSES_6);
	wire_put_bytes(&w, from.address, n);
	wire_put_bytes(&w, to.address, n);
	wire_put_bytes(&w, from.port, sizeof(from.port));
	wire_put_bytes(&w, to.port, sizeof(to.port));
	return w.used;
}

static void
set_address(struct sockaddr_storage *a, enum family family, const uint8_t *address,
    const uint8_t port[2])
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	memset(a, 0, sizeof(*a));
	if (family == FAMILY_TCP4) {
		memcpy(&four.sin_addr, address, sizeof(four.sin_addr));
		memcpy(&four.sin_port, port, sizeof(four.sin_port));
		memcpy(a, &four, sizeof(four));
	} else {
		memcpy(&six.sin6_addr, address, sizeof(six.sin6_addr));
		memcpy(&six.sin6_port, port, sizeof(six.sin6_port));
		memcpy(a, &six, sizeof(six));
	}
}

/* What a header of this command and family has at least behind its fixed part. False: none that
 * we take. In a LOCAL one the family means nothing. */
static bool
least_length(uint8_t command, uint8_t family, size_t *least)
{
	*least = 0;
	if (command == COMMAND_LOCAL)
		return true;
	*least = family == FAMILY_TCP4 ? ADDRESSES_4 : ADDRESSES_6;
	return command == COMMAND_PROXY && (family == FAMILY_TCP4 || family == FAMILY_TCP6);
}

/* Is anything of the fixed part that has come wrong already? */
static bool
begins_well(const uint8_t *p, size_t n)
{
	size_t least;

	if (memcmp(p, signature, n < SIGNATURE ? n : SIGNATURE) != 0)
		return false;
	if (n > SIGNATURE &&
	    ((p[SIGNATURE] & 0xf0) != VERSION_2 || (p[SIGNATURE] & 0x0f) > COMMAND_PROXY))
		return false;
	if (n > SIGNATURE + 1 && !least_length(p[SIGNATURE] & 0x0f, p[SIGNATURE + 1], &least))
		return false;
	return true;
}

enum proxy2_result
proxy2_parse(const uint8_t *p, size_t n, struct proxy2 *header)
{
	struct wire_in in = wire_in(p, n);
	uint8_t command, family;
	size_t least, length, width;
	const uint8_t *addresses, *ports;

	memset(header, 0, sizeof(*header));
	if (n == 0)
		return PROXY2_MORE;
	if (!begins_well(p, n))
		return PROXY2_BAD;
	if (n < FIXED)
		return PROXY2_MORE;
	(void)wire_get_bytes(&in, SIGNATURE);
	command = wire_get_u8(&in) & 0x0f;
	family = wire_get_u8(&in);
	length = wire_get_u16(&in);
	if (!least_length(command, family, &least) || length < least ||
	    length > PROXY2_MOST - FIXED)
		return PROXY2_BAD;
	if (in.left < length)
		return PROXY2_MORE;
	header->octets = FIXED + length;
	if (command == COMMAND_LOCAL)
		return PROXY2_LOCAL;
	width = family == FAMILY_TCP4 ? 4 : 16;
	addresses = wire_get_bytes(&in, 2 * width);
	ports = wire_get_bytes(&in, 4);
	set_address(&header->client, family, addresses, ports);
	set_address(&header->local, family, addresses + width, ports + 2);
	return PROXY2_PROXIED;
}
