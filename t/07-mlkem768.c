/*
 * mlkem768: the public vectors in t/vectors/mlkem768.txt, whichever implementation configure
 * has chosen; keys that must be refused; and, of our own one, the arithmetic that only holds
 * because all of its few inputs were tried.
 */
#include <sodium.h>
#include "tap.h"
#include "compat/mlkem768.h"
#include "compat/poly.h"

#define EK crypto_kem_mlkem768_PUBLICKEYBYTES
#define DK crypto_kem_mlkem768_SECRETKEYBYTES
#define CT crypto_kem_mlkem768_CIPHERTEXTBYTES
#define SS crypto_kem_mlkem768_SHAREDSECRETBYTES
#define SEED crypto_kem_mlkem768_SEEDBYTES
#define LINE_OCTETS 8192

/* What counts for all lines: the key of the lines below it, and how many there were. */
static uint8_t dk[DK], modulus[EK];
static unsigned keygens, encapses, decapses, refused;

static void
hex(uint8_t *p, size_t n, const char *text)
{
	size_t got;

	if (text == NULL || sodium_hex2bin(p, n, text, strlen(text), NULL, &got, NULL) != 0 ||
	    got != n)
		bail("vectors: not %zu octets", n);
}

static bool
hash_is(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, const char *want)
{
	crypto_hash_sha256_state st;
	uint8_t got[crypto_hash_sha256_BYTES], wanted[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, a, a_len);
	crypto_hash_sha256_update(&st, b, b_len);
	crypto_hash_sha256_final(&st, got);
	hex(wanted, sizeof wanted, want);
	return memcmp(got, wanted, sizeof got) == 0;
}

static void
vector_keygen(const char *seed_text, const char *want)
{
	uint8_t seed[SEED], ek[EK], made[DK];

	hex(seed, sizeof seed, seed_text);
	keygens++;
	ok(crypto_kem_mlkem768_seed_keypair(ek, made, seed) == 0 &&
		hash_is(ek, sizeof ek, made, sizeof made, want),
	    "keygen %u", keygens);
}

static void
vector_encaps(const char *ek_text, const char *m_text, const char *want)
{
	uint8_t ek[EK], m[MLKEM768_MESSAGE], ct[CT], ss[SS];

	hex(ek, sizeof ek, ek_text);
	hex(m, sizeof m, m_text);
	encapses++;
	ok(crypto_kem_mlkem768_enc_deterministic(ct, ss, ek, m) == 0 &&
		hash_is(ct, sizeof ct, ss, sizeof ss, want),
	    "encaps %u", encapses);
}

static void
vector_decaps(const char *ct_text, const char *want_text)
{
	uint8_t ct[CT], ss[SS], want[SS];

	hex(ct, sizeof ct, ct_text);
	hex(want, sizeof want, want_text);
	decapses++;
	is_int(crypto_kem_mlkem768_dec(ss, ct, dk), 0, "decaps %u", decapses);
	is_mem(ss, sizeof ss, want, sizeof want, "its secret");
}

/* Coefficient n of a key, 12 bits each, little-endian. */
static void
set_coefficient(uint8_t *ek, size_t n, unsigned value)
{
	uint8_t *p = ek + n / 2 * 3;

	if (n % 2 == 0) {
		p[0] = (uint8_t)value;
		p[1] = (uint8_t)((p[1] & 0xf0) | value >> 8);
	} else {
		p[1] = (uint8_t)((p[1] & 0x0f) | (value & 0x0f) << 4);
		p[2] = (uint8_t)(value >> 4);
	}
}

/* 780 of them: told together. */
static void
vector_coefficient(const char *n_text, const char *value_text)
{
	uint8_t ek[EK], ct[CT], ss[SS];
	const uint8_t m[MLKEM768_MESSAGE] = {0};

	memcpy(ek, modulus, sizeof ek);
	set_coefficient(ek, strtoul(n_text, NULL, 10), (unsigned)strtoul(value_text, NULL, 10));
	refused += crypto_kem_mlkem768_enc_deterministic(ct, ss, ek, m) == -1;
}

static unsigned
read_vectors(void)
{
	const char *top = getenv("abs_top_srcdir");
	static char path[4096], line[LINE_OCTETS];
	unsigned coefficients = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/t/vectors/mlkem768.txt", top != NULL ? top : ".");
	if ((f = fopen(path, "r")) == NULL)
		bail("cannot read %s", path);
	while (fgets(line, sizeof line, f) != NULL) {
		const char *word = strtok(line, " \n"), *a = strtok(NULL, " \n");
		const char *b = strtok(NULL, " \n"), *c = strtok(NULL, " \n");

		if (word == NULL || word[0] == '#')
			continue;
		if (strcmp(word, "keygen") == 0)
			vector_keygen(a, b);
		else if (strcmp(word, "encaps") == 0)
			vector_encaps(a, b, c);
		else if (strcmp(word, "key") == 0)
			hex(dk, sizeof dk, a);
		else if (strcmp(word, "decaps") == 0)
			vector_decaps(a, b);
		else if (strcmp(word, "modulus") == 0)
			hex(modulus, sizeof modulus, a);
		else if (strcmp(word, "coefficient") == 0 && b != NULL && ++coefficients > 0)
			vector_coefficient(a, b);
		else
			bail("vectors: %s", word);
	}
	fclose(f);
	return coefficients;
}

static void
test_vectors(void)
{
	uint8_t ct[CT], ss[SS];
	const uint8_t m[MLKEM768_MESSAGE] = {0};
	unsigned coefficients = read_vectors();

	is_int(keygens, 25, "all vectors of keygen");
	is_int(encapses, 26, "of encaps");
	is_int(decapses, 12, "of decaps");
	is_int(coefficients, 780, "of keys that are not reduced");
	is_int(refused, coefficients, "which are all refused");
	is_int(crypto_kem_mlkem768_enc_deterministic(ct, ss, modulus, m), 0,
	    "the reduced key that they were made from is not");
}

/* Any changed bit gives a secret of its own, and always the same. */
static void
test_rejection(void)
{
	uint8_t ek[EK], sk[DK], ct[CT], sent[SS], got[SS], again[SS], last[SS] = {0};
	unsigned bad = 0;

	crypto_kem_mlkem768_keypair(ek, sk);
	is_int(crypto_kem_mlkem768_enc(ct, sent, ek), 0, "a random exchange");
	is_int(crypto_kem_mlkem768_dec(got, ct, sk), 0, "opens");
	is_mem(got, SS, sent, SS, "to the same secret");
	for (size_t i = 0; i < CT; i += 7) {
		ct[i] ^= (uint8_t)(1U << i % 8);
		bad += crypto_kem_mlkem768_dec(got, ct, sk) != 0;
		bad += crypto_kem_mlkem768_dec(again, ct, sk) != 0;
		bad += memcmp(got, again, SS) != 0;
		bad += memcmp(got, sent, SS) == 0 || memcmp(got, last, SS) == 0;
		memcpy(last, got, SS);
		ct[i] ^= (uint8_t)(1U << i % 8);
	}
	is_int(bad, 0, "a changed ciphertext gives another secret, and no fault");
}

#ifdef BUILTIN_KEM
/* compress() multiplies where the standard divides, decompress() shifts. */
static void
test_compress(unsigned d)
{
	unsigned bad = 0, x;
	struct poly f;

	for (x = 0; x < POLY_Q; x++) {
		unsigned want = (2 * (x << d) + POLY_Q) / (2 * POLY_Q) % (1U << d);

		memset(&f, 0, sizeof f);
		f.c[x % POLY_N] = (uint16_t)x;
		poly_compress(&f, d);
		bad += f.c[x % POLY_N] != want;
	}
	is_int(bad, 0, "compress to %u bits is exact for all of q", d);
	for (x = bad = 0; x < 1U << d; x++) {
		memset(&f, 0, sizeof f);
		f.c[0] = (uint16_t)x;
		poly_decompress(&f, d);
		bad += f.c[0] != (2 * x * POLY_Q + (1U << d)) / (2U << d);
	}
	is_int(bad, 0, "decompress of %u bits too", d);
}

/* One coefficient times another, all of them, through the one product that has no mixture: X^0
 * in the NTT domain is 1, 0, 1, 0 ... */
static void
test_multiply(void)
{
	static struct poly f, g, h;
	unsigned bad = 0;

	for (unsigned a = 0; a < POLY_Q; a += 13)
		for (unsigned b = 0; b < POLY_Q; b += POLY_N / 2) {
			memset(&h, 0, sizeof h);
			for (unsigned i = 0; i < POLY_N / 2; i++) {
				f.c[2 * i] = (uint16_t)a;
				g.c[2 * i] = (uint16_t)((b + i) % POLY_Q);
			}
			poly_multiply_add(&h, &f, &g);
			for (unsigned i = 0; i < POLY_N / 2; i++)
				bad += h.c[2 * i] != a * ((b + i) % POLY_Q) % POLY_Q;
		}
	is_int(bad, 0, "products are reduced");
	for (size_t i = 0; i < POLY_N; i++)
		f.c[i] = g.c[i] = h.c[i] = POLY_Q - 1;
	poly_multiply_add(&h, &f, &g);
	for (size_t i = bad = 0; i < POLY_N; i++)
		bad += h.c[i] >= POLY_Q;
	is_int(bad, 0, "the largest sum too");
	poly_ntt(&f);
	poly_ntt_inverse(&f);
	is_mem(&f, sizeof f, &g, sizeof g, "there and back again");
}
#endif

int
main(void)
{
	if (sodium_init() < 0)
		bail("no libsodium");
	test_vectors();
	test_rejection();
#ifdef BUILTIN_KEM
	diag("the ML-KEM-768 of compat/");
	test_compress(1);
	test_compress(4);
	test_compress(10);
	test_multiply();
#else
	diag("libsodium's ML-KEM-768");
#endif
	return tap_done();
}
