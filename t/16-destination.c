/*
 * 16-destination - what sendmail may pass as $h, and what it may not.
 */
#include "mailer/destination.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include "t/tap.h"

static struct destination_list list;
static char fault[128];

static void
is_domain(const char *text, enum destination_kind kind, const char *name)
{
	bool good = destination_parse(&list, text, fault, sizeof fault);

	ok(good && list.count == 1 && list.item[0].kind == kind &&
		strcmp(list.item[0].name, name) == 0,
	    "%.70s", text);
}

static void
is_address(const char *text, int family, const char *address)
{
	char got[INET6_ADDRSTRLEN] = "";
	bool good = destination_parse(&list, text, fault, sizeof fault) && list.count == 1 &&
		    list.item[0].kind == DESTINATION_ADDRESS &&
		    list.item[0].address.ss_family == family;
	const void *in4 = &((struct sockaddr_in *)&list.item[0].address)->sin_addr;
	const void *in6 = &((struct sockaddr_in6 *)&list.item[0].address)->sin6_addr;

	if (good)
		inet_ntop(family, family == AF_INET ? in4 : in6, got, sizeof got);
	is_str(got, address, "%s", text);
}

static void
needs_look_up(const char *text, bool wanted)
{
	ok(destination_parse(&list, text, fault, sizeof fault) &&
		destination_has_name(&list) == wanted,
	    "%s: %s", text, wanted ? "a name to look up" : "nothing to look up");
}

static void
is_bad(const char *text, const char *why)
{
	bool good = destination_parse(&list, text, fault, sizeof fault);
	bool clean = true;

	for (const char *p = fault; *p != '\0'; p++)
		clean &= *p >= ' ' && *p <= '~';
	ok(!good && clean && strstr(fault, why) != NULL, "bad: %s", fault);
}

static void
test_one(void)
{
	needs_look_up("host.test", true);
	needs_look_up("[host.test]", true);
	needs_look_up("[192.0.2.1]", false);
	needs_look_up("[192.0.2.1]:[IPv6:2001:db8::1]", false);
	needs_look_up("[192.0.2.1]:[host.test]", true);
	needs_look_up("host.test:[192.0.2.1]", true);
	is_domain("host.test", DESTINATION_DOMAIN, "host.test");
	is_domain("host.test.", DESTINATION_DOMAIN, "host.test.");
	is_domain("host", DESTINATION_DOMAIN, "host");
	is_domain("under_score.test", DESTINATION_DOMAIN, "under_score.test");
	is_domain("[host.test]", DESTINATION_HOST, "host.test");
	is_domain("[host.test.]", DESTINATION_HOST, "host.test.");
	is_domain("[host.test].", DESTINATION_HOST, "host.test");
	is_domain("192.0.2.1.test", DESTINATION_DOMAIN, "192.0.2.1.test");
	is_address("[192.0.2.1]", AF_INET, "192.0.2.1");
	is_address("[192.0.2.1].", AF_INET, "192.0.2.1");
	is_str(list.item[0].name, "[192.0.2.1]", "an address has its brackets for a name");
	is_address("192.0.2.1", AF_INET, "192.0.2.1");
	is_str(list.item[0].name, "[192.0.2.1]", "also when it came without");
	is_address("[IPv6:2001:db8::1]", AF_INET6, "2001:db8::1");
	is_str(list.item[0].name, "[IPv6:2001:db8::1]", "and its tag");
	is_address("[ipv6:::1]", AF_INET6, "::1");
	is_address("[2001:db8::1]", AF_INET6, "2001:db8::1");
	is_address("[IPv6:::ffff:192.0.2.1]", AF_INET6, "::ffff:192.0.2.1");
}

static void
test_several(void)
{
	char many[17 * 2 + 1] = "";

	ok(destination_parse(&list, "a.test:[b.test]:[IPv6:2001:db8::1]:[192.0.2.1],c.test.",
	       fault, sizeof fault),
	    "five in one list");
	is_int(list.count, 5, "five");
	is_str(list.item[0].name, "a.test", "the first");
	is_int(list.item[1].kind, DESTINATION_HOST, "the second");
	is_str(list.item[2].name, "[IPv6:2001:db8::1]",
	    "the third, whose colons separate nothing");
	is_str(list.item[3].name, "[192.0.2.1]", "the fourth");
	is_str(list.item[4].name, "c.test.", "the fifth, after a comma");
	for (int i = 0; i < 16; i++)
		strlcat(many, i == 0 ? "a" : ":a", sizeof many);
	ok(destination_parse(&list, many, fault, sizeof fault) && list.count == 16,
	    "16 in one list");
	strlcat(many, ":a", sizeof many);
	is_bad(many, "more destinations than 16");
}

static void
test_bad(void)
{
	char text[300];

	is_bad("", "empty");
	is_bad(":", "empty");
	is_bad("a:", "empty");
	is_bad(":a", "empty");
	is_bad("a::b", "empty");
	is_bad(".", "no host name");
	is_bad("a..b", "no host name");
	is_bad("a b", "no host name");
	is_bad("a\r\nb", "a??b");
	is_bad("a\177b", "a?b");
	is_bad("%n%s", "%n%s");
	is_bad("caf\xc3\xa9.test", "caf??.test");
	is_bad("user@host", "no host name");
	is_bad("-4 host", "no host name");
	is_bad("[", "not closed");
	is_bad("[]", "neither");
	is_bad("[192.0.2.1", "not closed");
	is_bad("[192.0.2.1]x", "not closed");
	is_bad("[192.0.2.1]..", "not closed");
	is_bad("192.0.2.1]", "no host name");
	is_bad("[[192.0.2.1]]", "neither");
	is_bad("[IPv6:]", "neither");
	is_bad("[IPv6:192.0.2.1]", "neither");
	is_bad("[IPv6:fe80::1%eth0]", "neither");
	is_bad("[a b]", "neither");
	is_bad("2001:db8::1", "empty");
	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = i % 64 == 63 ? '.' : 'a';
	text[253] = '\0';
	is_domain(text, DESTINATION_DOMAIN, text);
	text[253] = 'a';
	text[254] = '\0';
	is_bad(text, "no host name");
	text[254] = 'a';
	text[299] = '\0';
	is_bad(text, "too long");
	text[252] = 'a';
	text[253] = '.';
	text[254] = '\0';
	is_domain(text, DESTINATION_DOMAIN, text);
	memset(text, 'a', 64);
	text[64] = '\0';
	is_bad(text, "no host name");
}

int
main(void)
{
	test_one();
	test_several();
	test_bad();
	return tap_done();
}
