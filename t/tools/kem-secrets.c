/*
 * kem-secrets - one exchange of libxpony/kem.c and compat/ with everything secret marked
 * undefined, for valgrind: a branch or an index that depends on a secret is then reported.
 * Called by t/71-kem-constant-time.sh, which compiles it.
 *
 *   kem-secrets           exit status 1 when the marks got lost on the way or the secrets
 * differ kem-secrets branch    branches on a secret, to show that it would be seen kem-secrets
 * index     uses one as an index
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include "libxpony/kem.h"

static const char hexadecimal[] = "0123456789abcdef";

static void
secret(void *p, size_t n)
{
	randombytes_buf(p, n);
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

/* What was computed from secrets and is public all the same. */
static void
declassify(const void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

/* Not one bit of it is defined. */
static bool
is_secret(const uint8_t *p)
{
	uint8_t undefined;

	return VALGRIND_GET_VBITS(p, &undefined, 1) == 1 && undefined == 0xff;
}

/* The same again with a ciphertext that somebody changed: nor may that be seen from outside. */
static bool
exchange(struct kem *client, struct kem *server, uint8_t change)
{
	bool marked;

	kem_offer(client, secret);
	declassify(client->ek, KEM_EK);
	declassify(client->dk + sizeof(client->dk) - 64 - KEM_EK, KEM_EK + 32); /* ek, H(ek) */
	if (kem_answer(server, client->ek, KEM_EK, secret) != ERR_NONE)
		return false;
	declassify(server->ct, KEM_CT);
	server->ct[KEM_CT / 2] ^= change;
	kem_finish(client, server->ct);
	/* Before they become defined for the comparison. */
	marked = is_secret(client->dk) && is_secret(client->psk) && is_secret(server->psk) &&
		 is_secret(client->dk + sizeof(client->dk) - 1);
	declassify(client->psk, KEM_PSK);
	declassify(server->psk, KEM_PSK);
	return marked && (memcmp(client->psk, server->psk, KEM_PSK) == 0) == (change == 0);
}

int
main(int argc, char **argv)
{
	static struct kem client, server;
	uint8_t octet;

	if (sodium_init() < 0 || RUNNING_ON_VALGRIND == 0)
		return 2;
	secret(&octet, sizeof(octet));
	if (argc > 1 && strcmp(argv[1], "branch") == 0 && octet == 0)
		puts("zero");
	if (argc > 1 && strcmp(argv[1], "index") == 0)
		printf("%c\n", hexadecimal[octet & 15]);
	return !exchange(&client, &server, 0) || !exchange(&client, &server, 1);
}
