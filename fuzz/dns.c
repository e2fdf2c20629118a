/*
 * dns - the answers of name servers (lib/dns.c), and what becomes of them: a list of mail hosts
 * with their addresses (lib/mxlist.c), or keys (lib/dnskeys.c). Whatever they say, the parent
 * of the look-ups (lib/resolve.c) must find the result sane: else it would take its honest
 * child for a liar.
 *
 * Input: what is asked for and how; then an answer for each question: a packet as it is, or an
 * answer section behind a header and a question that fit.
 */
#include <resolv.h>

#include "fuzz/fuzz.h"

static int answer_question(
    res_state state, const char *name, int class, int type, unsigned char *packet, int cap);
static uint32_t number(void);
static uint32_t number_below(uint32_t bound);

#undef res_nquery
#define res_nquery answer_question
#define hosts_find no_hosts
#define arc4random number
#define arc4random_uniform number_below

#include "lib/dns.c"
#include "lib/mxlist.c"
#include "lib/resolve.c"

#include "lib/dnskeys.h"

#define QUESTIONS_MAX 400

enum how { NOT_AT_ALL, PACKET, SECTION, HOWS };

static struct input answers;
static unsigned questions;

static uint32_t
number(void)
{
	uint32_t n;

	fuzz_random(&n, sizeof n);
	return n;
}

static uint32_t
number_below(uint32_t bound)
{
	return number() % bound;
}

size_t
no_hosts(const char *name, int family, struct sockaddr_storage *address, size_t cap)
{
	(void)name;
	(void)family;
	(void)address;
	(void)cap;
	return 0;
}

/* The answer section is the input's; 0xc00c in it is the name asked for. */
static int
put_section(const char *name, int type, unsigned char *packet, size_t cap)
{
	const uint8_t flags = input_u8(&answers), records = input_u8(&answers);
	HEADER header = {.qr = 1, .ra = 1, .qdcount = htons(1), .ancount = htons(records)};
	size_t at = sizeof header, n;
	const uint8_t *p = input_octets(&answers, &n);
	int len;

	header.ad = flags & 1;
	header.tc = (flags & 2) != 0;
	header.aa = (flags & 4) != 0;
	memcpy(packet, &header, sizeof header);
	len = ns_name_compress(name, packet + at, cap - at, NULL, NULL);
	HOLDS(len > 0); /* only valid names are asked for */
	at += (size_t)len;
	ns_put16((unsigned)type, packet + at);
	ns_put16(ns_c_in, packet + at + 2);
	at += 4;
	if (n > cap - at)
		n = cap - at;
	memcpy(packet + at, p, n);
	return (int)(at + n);
}

/* In the place of libresolv's, with its contract. */
static int
answer_question(
    res_state state, const char *name, int class, int type, unsigned char *packet, int cap)
{
	static const int errors[] = {HOST_NOT_FOUND, NO_DATA, TRY_AGAIN, NO_RECOVERY};
	const uint8_t how = input_u8(&answers);
	const uint8_t *p;
	size_t n;

	HOLDS(++questions < QUESTIONS_MAX && class == ns_c_in && dns_name_is_valid(name));
	if (how % HOWS == NOT_AT_ALL || answers.left == 0) {
		HEADER header = {
		    .ad = (how >> 4) & 1, .aa = (how >> 5) & 1, .ra = (how >> 6) & 1};

		memcpy(packet, &header, sizeof header);
		state->res_h_errno = errors[(how >> 2) % 4];
		return -1;
	}
	if (how % HOWS == SECTION)
		return put_section(name, type, packet, (size_t)cap);
	p = input_octets(&answers, &n);
	memcpy(packet, p, n);
	return (int)n;
}

static void
find_hosts_of(struct mxlist *list, bool mx, bool search, struct dns *dns)
{
	static struct resolve_result r;

	mxlist_find(list, search ? "label" : "domain.test", mx, INT64_MAX, &r);
	HOLDS(result_is_sane(&r, list->options->family));
	HOLDS(r.outcome != RESOLVE_BAD_NAME);
	for (uint32_t i = 0; i < r.count; i++)
		HOLDS(dns->trusted || !mx || !r.address[i].mx_authentic);
}

static void
find_keys(struct dns *dns)
{
	struct resolve_keys r;

	dnskeys_find(dns, "mx.test", INT64_MAX, &r);
	HOLDS(keys_are_sane(&r));
	HOLDS(dns->trusted ||
	      (r.outcome != RESOLVE_KEYS_AUTHENTIC && r.outcome != RESOLVE_KEYS_DENIED));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
	static char own_names[] = "own.test";
	static char domain[] = "search.test";
	static struct mxlist list;
	struct sockaddr_in own_address = {.sin_family = AF_INET};
	struct ownnames own = {.names = own_names, .octets = sizeof own_names, .addresses = 1};
	struct resolve_options options;
	uint8_t what, how;

	fuzz_start();
	answers = (struct input){p, n};
	questions = 0;
	what = input_u8(&answers);
	how = input_u8(&answers);
	own_address.sin_addr.s_addr = htonl(0xc0000207);
	own.address = (struct sockaddr_storage *)calloc(1, sizeof *own.address);
	HOLDS(own.address != NULL);
	memcpy(own.address, &own_address, sizeof own_address);
	options = (struct resolve_options){.family = families[how % 3],
	    .own = how & 0x80 ? &own : NULL,
	    .own_addresses = (how & 0x40) != 0};
	memset(&list, 0, sizeof list);
	list.options = &options;
	list.dns.trusted = (how & 0x20) != 0;
	list.dns.state.nscount = 1;
	list.dns.state.retrans = 5;
	list.dns.state.dnsrch[0] = domain;
	if (what % 4 == 3)
		find_keys(&list.dns);
	else
		find_hosts_of(&list, what % 4 != 1, what % 4 == 2, &list.dns);
	free(own.address);
	return 0;
}
