/*
 * child - what the child that parses DNS answers may hand its parent once it has been taken
 * over (lib/resolve.c): the result is looked at as octets until it has passed.
 *
 * Input: hosts or keys, family, then changes to a result that is good.
 */
#include "lib/resolve.c"

#include "fuzz/fuzz.h"

/* As a careful reader would use it. */
static void
use_result(const struct resolve_result *r, int family)
{
	HOLDS(r->outcome < RESOLVE_OUTCOMES && r->count <= RESOLVE_ADDRESSES);
	HOLDS((r->count > 0) == (r->outcome == RESOLVE_FOUND));
	HOLDS(strnlen(r->culprit, sizeof r->culprit) < sizeof r->culprit);
	HOLDS(is_printable(r->culprit));
	for (uint32_t i = 0; i < r->count; i++) {
		const struct resolve_address *a = &r->address[i];

		HOLDS(strnlen(a->host, sizeof a->host) < sizeof a->host);
		HOLDS(dns_name_is_valid(a->host));
		HOLDS(a->address.ss_family == AF_INET || a->address.ss_family == AF_INET6);
		HOLDS(family == AF_UNSPEC || a->address.ss_family == family);
		HOLDS(a->mx_authentic || !a->mx_authentic);
	}
}

/* The change's place is drawn from all of the struct, which is larger than input_edit()
 * reaches.
 */
static void
change(struct input *in, uint8_t *p, size_t n)
{
	while (in->left > 0) {
		size_t at = input_u16(in);

		at = at << 8 | input_u8(in);
		p[at % n] = input_u8(in);
	}
}

static void
hosts(struct input *in, int family)
{
	static struct resolve_result r;
	struct sockaddr_in in4 = {.sin_family = AF_INET};

	memset(&r, 0, sizeof r);
	r.outcome = RESOLVE_FOUND;
	r.count = RESOLVE_ADDRESSES;
	for (size_t i = 0; i < RESOLVE_ADDRESSES; i++) {
		strlcpy(r.address[i].host, "mx.test", sizeof r.address[i].host);
		memcpy(&r.address[i].address, &in4, sizeof in4);
	}
	change(in, (uint8_t *)&r, sizeof r);
	if (result_is_sane(&r, family))
		use_result(&r, family);
}

static void
keys(struct input *in)
{
	struct resolve_keys r;

	memset(&r, 0, sizeof r);
	r.outcome = RESOLVE_KEYS_AUTHENTIC;
	r.count = RESOLVE_KEYS;
	change(in, (uint8_t *)&r, sizeof r);
	if (keys_are_sane(&r)) {
		HOLDS(r.count <= RESOLVE_KEYS && r.outcome < RESOLVE_KEYS_OUTCOMES);
		HOLDS(r.count > 0 || (r.outcome != RESOLVE_KEYS_AUTHENTIC &&
					 r.outcome != RESOLVE_KEYS_UNAUTHENTIC));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
	struct input in = {p, n};
	const uint8_t what = input_u8(&in);

	fuzz_start();
	if (what & 1)
		keys(&in);
	else
		hosts(&in, families[(what >> 1) % 3]);
	return 0;
}
