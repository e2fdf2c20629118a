/*
 * peers - the peers file (receiver/peers.h), and that of load balancers (receiver/balancers.h).
 *
 * Input: the client's family and 16 octets of its address; then the file.
 */
#include "fuzz/fuzz.h"

#include <netinet/in.h>

#include "receiver/balancers.h"
#include "receiver/peers.h"

static const char path[] = "/p";

static void
read_client(struct input *in, struct sockaddr_storage *client)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	const bool is_six = input_u8(in) % 2 == 1;
	uint8_t octets[16];

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = input_u8(in);
	memcpy(&four.sin_addr, octets, sizeof four.sin_addr);
	memcpy(&six.sin6_addr, octets, sizeof six.sin6_addr);
	memset(client, 0, sizeof *client);
	if (is_six)
		memcpy(client, &six, sizeof six);
	else
		memcpy(client, &four, sizeof four);
}

static void
look_at_peers(const struct peers *p)
{
	HOLDS(p->demand <= PEERS_KEY && p->keys <= PEERS_KEYS);
	HOLDS((p->demand == PEERS_KEY) == (p->keys > 0));
	HOLDS(p->line > 0 || p->demand == PEERS_MAY);
	HOLDS(p->line == 0 || p->networks > 0);
}

/* The order of the lines does not count. */
static void
ask_again(const struct peers *want, const uint8_t *text, size_t n,
    const struct sockaddr_storage *client)
{
	char why[PEERS_REASON_MAX], *reversed = fuzz_reverse_lines((const char *)text, n);
	struct peers p;

	HOLDS(peers_parse(&p, path, reversed, strlen(reversed), client, why));
	HOLDS(p.demand == want->demand && p.keys == want->keys);
	HOLDS(memcmp(p.key, want->key, sizeof p.key) == 0);
	free(reversed);
}

static void
read_balancers(const uint8_t *text, size_t n, const struct sockaddr_storage *client)
{
	char why[BALANCERS_REASON_MAX];
	struct balancers b, nobody;
	bool good = balancers_parse(&b, path, (const char *)text, n, client, why);

	HOLDS(good || (strlen(why) > 3 && strlen(why) < sizeof why && is_printable(why)));
	HOLDS(!b.listed || (good && b.count > 0));
	/* A fault is one for everybody, and is found by whoever looks. */
	HOLDS(good == balancers_parse(&nobody, path, (const char *)text, n, NULL, why));
	HOLDS(!nobody.listed && nobody.count == b.count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char why[PEERS_REASON_MAX];
	struct input in = {p, n};
	struct sockaddr_storage client;
	struct peers peers, nobody;
	uint8_t public[KEY_OCTETS] = {0};
	bool good;

	fuzz_start();
	read_client(&in, &client);
	good = peers_parse(&peers, path, (const char *)in.p, in.left, &client, why);
	HOLDS(good || (strlen(why) > 3 && strlen(why) < sizeof why && is_printable(why)));
	if (good) {
		look_at_peers(&peers);
		ask_again(&peers, in.p, in.left, &client);
		(void)peers_has_key(&peers, public);
	}
	read_balancers(in.p, in.left, &client);
	/* A fault is one for every client. */
	HOLDS(good == peers_parse(&nobody, path, (const char *)in.p, in.left, NULL, why));
	HOLDS(!good || (nobody.line == 0 && nobody.networks == peers.networks));
	return 0;
}
