/*
 * kem-speed: what the hybrid suite costs a client (a key and its decapsulation, once each) and
 * a server (an encapsulation): medians of a thousand calls, in processor time. `make
 * bench-kem`.
 */
#include <sodium.h>
#include <time.h>
#include "tap.h"
#include "compat/mlkem768.h"

#define CALLS 1000
#define TRIES 20
#define CLIENT_MAX 150.0 /* microseconds */
#define SERVER_MAX 100.0

static uint8_t ek[crypto_kem_mlkem768_PUBLICKEYBYTES], dk[crypto_kem_mlkem768_SECRETKEYBYTES];
static uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES];
static uint8_t ss[crypto_kem_mlkem768_SHAREDSECRETBYTES];

static void
keygen(void)
{
	crypto_kem_mlkem768_keypair(ek, dk);
}

static void
encaps(void)
{
	if (crypto_kem_mlkem768_enc(ct, ss, ek) != 0)
		bail("encaps");
}

static void
decaps(void)
{
	if (crypto_kem_mlkem768_dec(ss, ct, dk) != 0)
		bail("decaps");
}

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median_us(void (*call)(void))
{
	static double took[CALLS];

	for (size_t i = 0; i < CALLS; i++) {
		double begin = now_us();

		call();
		took[i] = now_us() - begin;
	}
	qsort(took, CALLS, sizeof took[0], compare);
	return took[CALLS / 2];
}

int
main(void)
{
	double made = 0, sealed = 0, opened = 0;

	if (sodium_init() < 0)
		bail("no libsodium");
#ifdef BLACKPONY_SANITIZERS
	tap_skip_all("built with sanitizers");
#endif
	/* Again while others on the machine are in the way. */
	for (int try = 0; try < TRIES; try++) {
		made = median_us(keygen);
		sealed = median_us(encaps);
		opened = median_us(decaps);
		if (made + opened < CLIENT_MAX && sealed < SERVER_MAX)
			break;
	}
	diag("keygen %.1f, encaps %.1f, decaps %.1f us", made, sealed, opened);
	ok(made + opened < CLIENT_MAX, "keygen and decaps take less than %.0f us", CLIENT_MAX);
	ok(sealed < SERVER_MAX, "encaps takes less than %.0f us", SERVER_MAX);
	return tap_done();
}
