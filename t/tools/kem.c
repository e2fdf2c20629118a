/*
 * kem - our ML-KEM-768 by lines of hexadecimal, for t/70-kem-independent.py.
 *
 *   keygen D||Z     EK DK
 *   encaps EK M     CT SS, or "refused"
 *   decaps DK CT    SS
 */
#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "compat/mlkem768.h"

#define EK crypto_kem_mlkem768_PUBLICKEYBYTES
#define DK crypto_kem_mlkem768_SECRETKEYBYTES
#define CT crypto_kem_mlkem768_CIPHERTEXTBYTES
#define SS crypto_kem_mlkem768_SHAREDSECRETBYTES

static void
take(unsigned char *p, size_t n)
{
	const char *text = strtok(NULL, " \n");
	size_t got;

	if (text == NULL || sodium_hex2bin(p, n, text, strlen(text), NULL, &got, NULL) != 0 ||
	    got != n)
		errx(1, "not %zu octets", n);
}

static void
give(const unsigned char *p, size_t n, char end)
{
	while (n-- > 0)
		printf("%02x", *p++);
	putchar(end);
}

int
main(void)
{
	static unsigned char ek[EK], dk[DK], ct[CT], ss[SS],
	    seed[crypto_kem_mlkem768_SEEDBYTES];
	static char line[2 * (DK + CT) + 16];

	if (sodium_init() < 0)
		errx(1, "no libsodium");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		const char *word = strtok(line, " \n");

		if (word != NULL && strcmp(word, "keygen") == 0) {
			take(seed, sizeof(seed));
			crypto_kem_mlkem768_seed_keypair(ek, dk, seed);
			give(ek, EK, ' ');
			give(dk, DK, '\n');
		} else if (word != NULL && strcmp(word, "encaps") == 0) {
			take(ek, EK);
			take(seed, MLKEM768_MESSAGE);
			if (crypto_kem_mlkem768_enc_deterministic(ct, ss, ek, seed) != 0) {
				puts("refused");
			} else {
				give(ct, CT, ' ');
				give(ss, SS, '\n');
			}
		} else if (word != NULL && strcmp(word, "decaps") == 0) {
			take(dk, DK);
			take(ct, CT);
			if (crypto_kem_mlkem768_dec(ss, ct, dk) != 0)
				errx(1, "decaps");
			give(ss, SS, '\n');
		} else {
			errx(1, "what?");
		}
		fflush(stdout);
	}
	return 0;
}
