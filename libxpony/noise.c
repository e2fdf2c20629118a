/*
 * noise - the Noise Protocol Framework, revision 34, for the XX and XXpsk3 patterns with
 * 25519, ChaChaPoly and BLAKE2b. Called by handshake (patterns) and record (cipher).
 *
 * Functions bear the specification's names and stand in its order: CipherState (section 5.1),
 * SymmetricState (5.2), HandshakeState (5.3) with the tokens of
 *
 *   -> e
 *   <- e, ee, s, es
 *   -> s, se [, psk]
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "noise.h"

#define BLOCK 128 /* BLOCKLEN of BLAKE2b, section 12.8 */
#define NONCE 12

_Static_assert(NOISE_HASH == crypto_generichash_blake2b_BYTES_MAX, "HASHLEN is 64");
_Static_assert(NOISE_KEY == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "ChaChaPoly key");
_Static_assert(NOISE_TAG == crypto_aead_chacha20poly1305_ietf_ABYTES, "ChaChaPoly tag");
_Static_assert(NONCE == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "ChaChaPoly nonce");
_Static_assert(NOISE_KEY == crypto_scalarmult_BYTES, "DHLEN is 32");

/* ---- Hash functions (section 4.3) ---- */

/* HASH(a || b). out may be a. */
static void
hash2(uint8_t out[NOISE_HASH], const void *a, size_t a_len, const void *b, size_t b_len)
{
	crypto_generichash_blake2b_state st;

	crypto_generichash_blake2b_init(&st, NULL, 0, NOISE_HASH);
	crypto_generichash_blake2b_update(&st, a, a_len);
	crypto_generichash_blake2b_update(&st, b, b_len);
	crypto_generichash_blake2b_final(&st, out, NOISE_HASH);
	sodium_memzero(&st, sizeof st);
}

/* HMAC-HASH(key, a || b), RFC 2104. Every key here is a hash, so none is longer than a block.
 */
static void
hmac2(uint8_t out[NOISE_HASH], const uint8_t key[NOISE_HASH], const void *a, size_t a_len,
    const void *b, size_t b_len)
{
	crypto_generichash_blake2b_state st;
	uint8_t pad[BLOCK];

	memset(pad, 0x36, sizeof pad);
	for (size_t i = 0; i < NOISE_HASH; i++)
		pad[i] ^= key[i];
	crypto_generichash_blake2b_init(&st, NULL, 0, NOISE_HASH);
	crypto_generichash_blake2b_update(&st, pad, sizeof pad);
	crypto_generichash_blake2b_update(&st, a, a_len);
	crypto_generichash_blake2b_update(&st, b, b_len);
	crypto_generichash_blake2b_final(&st, out, NOISE_HASH);

	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash2(out, pad, sizeof pad, out, NOISE_HASH);
	sodium_memzero(&st, sizeof st);
	sodium_memzero(pad, sizeof pad);
}

/* HKDF with two outputs, or three when out3 is not NULL. out1 may be ck. */
static void
hkdf(const uint8_t ck[NOISE_HASH], const void *ikm, size_t ikm_len, uint8_t out1[NOISE_HASH],
    uint8_t out2[NOISE_HASH], uint8_t *out3)
{
	uint8_t temp[NOISE_HASH];

	hmac2(temp, ck, ikm, ikm_len, NULL, 0);
	hmac2(out1, temp, "\1", 1, NULL, 0);
	hmac2(out2, temp, out1, NOISE_HASH, "\2", 1);
	if (out3 != NULL)
		hmac2(out3, temp, out2, NOISE_HASH, "\3", 1);
	sodium_memzero(temp, sizeof temp);
}

/* ---- CipherState (section 5.1) ---- */

/* InitializeKey, the key cut to 32 octets where HASHLEN is 64. */
static void
initialize_key(struct noise_cipher *c, const uint8_t key[NOISE_HASH])
{
	memcpy(c->key, key, NOISE_KEY);
	c->n = 0;
	c->keyed = true;
}

/* Section 12.3: 32 zero bits, then n as 64 bits little-endian. */
static void
make_nonce(uint8_t nonce[NONCE], uint64_t n)
{
	memset(nonce, 0, NONCE);
	for (size_t i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(n >> 8 * i & 0xff);
}

static enum err
encrypt_with_ad(struct noise_cipher *c, const uint8_t *ad, size_t ad_len, uint8_t *out,
    const uint8_t *in, size_t len)
{
	uint8_t nonce[NONCE];

	if (c->n == UINT64_MAX) /* kept for REKEY */
		return ERR_CRYPTO;
	make_nonce(nonce, c->n++);
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    out, NULL, in, len, ad, ad_len, NULL, nonce, c->key);
	return ERR_NONE;
}

static enum err
decrypt_with_ad(struct noise_cipher *c, const uint8_t *ad, size_t ad_len, uint8_t *out,
    const uint8_t *in, size_t len)
{
	uint8_t nonce[NONCE];

	if (len < NOISE_TAG)
		return ERR_SYNTAX;
	if (c->n == UINT64_MAX)
		return ERR_CRYPTO;
	make_nonce(nonce, c->n);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		out, NULL, NULL, in, len, ad, ad_len, nonce, c->key) != 0)
		return ERR_CRYPTO;
	c->n++;
	return ERR_NONE;
}

enum err
noise_cipher_seal(struct noise_cipher *c, uint8_t *out, const uint8_t *in, size_t len)
{
	if (!c->keyed) /* plaintext must never pass for a sealed record */
		abort();
	if (len > NOISE_MESSAGE_MAX - NOISE_TAG)
		return ERR_LIMIT;
	return encrypt_with_ad(c, NULL, 0, out, in, len);
}

enum err
noise_cipher_open(struct noise_cipher *c, uint8_t *out, const uint8_t *in, size_t len)
{
	if (!c->keyed)
		abort();
	if (len > NOISE_MESSAGE_MAX)
		return ERR_LIMIT;
	return decrypt_with_ad(c, NULL, 0, out, in, len);
}

/* REKEY(k): the first 32 octets of ENCRYPT(k, 2^64 - 1, "", 32 zero octets). */
void
noise_cipher_rekey(struct noise_cipher *c)
{
	static const uint8_t zeros[NOISE_KEY];
	uint8_t nonce[NONCE];
	uint8_t out[NOISE_KEY + NOISE_TAG];

	make_nonce(nonce, UINT64_MAX);
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    out, NULL, zeros, sizeof zeros, NULL, 0, NULL, nonce, c->key);
	memcpy(c->key, out, NOISE_KEY);
	sodium_memzero(out, sizeof out);
}

/* ---- SymmetricState (section 5.2) ---- */

static void
mix_hash(struct noise *x, const void *data, size_t n)
{
	hash2(x->h, x->h, NOISE_HASH, data, n);
}

static void
mix_key(struct noise *x, const uint8_t ikm[NOISE_KEY])
{
	uint8_t key[NOISE_HASH];

	hkdf(x->ck, ikm, NOISE_KEY, x->ck, key, NULL);
	initialize_key(&x->cipher, key);
	sodium_memzero(key, sizeof key);
}

static void
mix_key_and_hash(struct noise *x, const uint8_t psk[NOISE_KEY])
{
	uint8_t hash[NOISE_HASH], key[NOISE_HASH];

	hkdf(x->ck, psk, NOISE_KEY, x->ck, hash, key);
	mix_hash(x, hash, sizeof hash);
	initialize_key(&x->cipher, key);
	sodium_memzero(hash, sizeof hash);
	sodium_memzero(key, sizeof key);
}

/* Octets that encrypt_and_hash() adds. */
static size_t
tag_len(const struct noise *x)
{
	return x->cipher.keyed ? NOISE_TAG : 0;
}

static enum err
encrypt_and_hash(struct noise *x, uint8_t *out, const void *in, size_t n)
{
	enum err e = ERR_NONE;

	if (x->cipher.keyed)
		e = encrypt_with_ad(&x->cipher, x->h, NOISE_HASH, out, in, n);
	else if (n > 0)
		memcpy(out, in, n);
	if (e == ERR_NONE)
		mix_hash(x, out, n + tag_len(x));
	return e;
}

/* len counts the tag. */
static enum err
decrypt_and_hash(struct noise *x, uint8_t *out, const uint8_t *in, size_t len)
{
	enum err e = ERR_NONE;

	if (x->cipher.keyed)
		e = decrypt_with_ad(&x->cipher, x->h, NOISE_HASH, out, in, len);
	else if (len > 0)
		memcpy(out, in, len);
	if (e == ERR_NONE)
		mix_hash(x, in, len);
	return e;
}

/* ---- HandshakeState (section 5.3) ---- */

void
noise_init(struct noise *x, const char *name, bool initiator, bool psk3, const void *prologue,
    size_t prologue_len)
{
	size_t n = strlen(name);

	memset(x, 0, sizeof *x);
	x->initiator = initiator;
	x->psk3 = psk3;
	if (n <= NOISE_HASH)
		memcpy(x->h, name, n);
	else
		hash2(x->h, name, n, NULL, 0);
	memcpy(x->ck, x->h, NOISE_HASH);
	mix_hash(x, prologue, prologue_len);
}

void
noise_set_static(struct noise *x, const uint8_t s_public[NOISE_KEY])
{
	memcpy(x->s_public, s_public, NOISE_KEY);
}

void
noise_set_ephemeral(struct noise *x, const uint8_t e_secret[NOISE_KEY])
{
	memcpy(x->e_secret, e_secret, NOISE_KEY);
	crypto_scalarmult_base(x->e_public, x->e_secret);
}

/* The token "e". With a psk in the pattern e is mixed into the key as well (section 9.2). */
static void
token_e(struct noise *x, const uint8_t e[NOISE_KEY])
{
	mix_hash(x, e, NOISE_KEY);
	if (x->psk3)
		mix_key(x, e);
}

/* MixKey of a Diffie-Hellman result. All zero means a low-order point: the peer chose the
 * secret. */
static enum err
mix_dh(struct noise *x, const uint8_t dh[NOISE_KEY])
{
	if (sodium_is_zero(dh, NOISE_KEY))
		return ERR_CRYPTO;
	mix_key(x, dh);
	return ERR_NONE;
}

/* The tokens whose secret half is our ephemeral key: "ee" and, read from here, "es" and "se".
 */
static enum err
token_dh(struct noise *x, const uint8_t their_public[NOISE_KEY])
{
	uint8_t dh[NOISE_KEY];
	enum err e = ERR_CRYPTO;

	if (crypto_scalarmult(dh, x->e_secret, their_public) == 0)
		e = mix_dh(x, dh);
	sodium_memzero(dh, sizeof dh);
	return e;
}

static enum err
check_write(size_t overhead, size_t n)
{
	return n > NOISE_MESSAGE_MAX - overhead ? ERR_LIMIT : ERR_NONE;
}

static enum err
check_read(size_t overhead, size_t len)
{
	if (len > NOISE_MESSAGE_MAX)
		return ERR_LIMIT;
	return len < overhead ? ERR_SYNTAX : ERR_NONE;
}

enum err
noise_write_1(struct noise *x, uint8_t *message, const void *payload, size_t n)
{
	enum err e = check_write(NOISE_MESSAGE_1(x->psk3), n);

	if (e != ERR_NONE)
		return e;
	memcpy(message, x->e_public, NOISE_KEY);
	token_e(x, x->e_public);
	return encrypt_and_hash(x, message + NOISE_KEY, payload, n);
}

enum err
noise_read_1(struct noise *x, uint8_t *payload, const uint8_t *message, size_t len)
{
	enum err e = check_read(NOISE_MESSAGE_1(x->psk3), len);

	if (e != ERR_NONE)
		return e;
	memcpy(x->re, message, NOISE_KEY);
	token_e(x, x->re);
	return decrypt_and_hash(x, payload, message + NOISE_KEY, len - NOISE_KEY);
}

enum err
noise_write_2(struct noise *x, uint8_t *message, const uint8_t dh_s[NOISE_KEY],
    const void *payload, size_t n)
{
	enum err e = check_write(NOISE_MESSAGE_2, n);

	if (e != ERR_NONE)
		return e;
	memcpy(message, x->e_public, NOISE_KEY);
	message += NOISE_KEY;
	token_e(x, x->e_public);
	if ((e = token_dh(x, x->re)) != ERR_NONE)
		return e;
	if ((e = encrypt_and_hash(x, message, x->s_public, NOISE_KEY)) != ERR_NONE)
		return e;
	message += NOISE_KEY + NOISE_TAG;
	if ((e = mix_dh(x, dh_s)) != ERR_NONE)
		return e;
	return encrypt_and_hash(x, message, payload, n);
}

enum err
noise_read_2(struct noise *x, uint8_t *payload, const uint8_t *message, size_t len)
{
	enum err e = check_read(NOISE_MESSAGE_2, len);

	if (e != ERR_NONE)
		return e;
	memcpy(x->re, message, NOISE_KEY);
	message += NOISE_KEY;
	token_e(x, x->re);
	if ((e = token_dh(x, x->re)) != ERR_NONE)
		return e;
	if ((e = decrypt_and_hash(x, x->rs, message, NOISE_KEY + NOISE_TAG)) != ERR_NONE)
		return e;
	message += NOISE_KEY + NOISE_TAG;
	if ((e = token_dh(x, x->rs)) != ERR_NONE)
		return e;
	return decrypt_and_hash(x, payload, message, len - (NOISE_MESSAGE_2 - NOISE_TAG));
}

/* The token "psk" at the end of message 3. */
static void
token_psk(struct noise *x, const uint8_t *psk)
{
	if (x->psk3 != (psk != NULL)) /* going on without it would be a silent downgrade */
		abort();
	if (x->psk3)
		mix_key_and_hash(x, psk);
}

enum err
noise_write_3(struct noise *x, uint8_t *message, const uint8_t dh_s[NOISE_KEY],
    const uint8_t *psk, const void *payload, size_t n)
{
	enum err e = check_write(NOISE_MESSAGE_3, n);

	if (e != ERR_NONE)
		return e;
	if ((e = encrypt_and_hash(x, message, x->s_public, NOISE_KEY)) != ERR_NONE)
		return e;
	if ((e = mix_dh(x, dh_s)) != ERR_NONE)
		return e;
	token_psk(x, psk);
	return encrypt_and_hash(x, message + NOISE_KEY + NOISE_TAG, payload, n);
}

enum err
noise_read_3(
    struct noise *x, const uint8_t *psk, uint8_t *payload, const uint8_t *message, size_t len)
{
	enum err e = check_read(NOISE_MESSAGE_3, len);

	if (e != ERR_NONE)
		return e;
	if ((e = decrypt_and_hash(x, x->rs, message, NOISE_KEY + NOISE_TAG)) != ERR_NONE)
		return e;
	message += NOISE_KEY + NOISE_TAG;
	if ((e = token_dh(x, x->rs)) != ERR_NONE)
		return e;
	token_psk(x, psk);
	return decrypt_and_hash(x, payload, message, len - (NOISE_MESSAGE_3 - NOISE_TAG));
}

void
noise_split(const struct noise *x, struct noise_cipher *tx, struct noise_cipher *rx)
{
	uint8_t from_initiator[NOISE_HASH], from_responder[NOISE_HASH];

	hkdf(x->ck, NULL, 0, from_initiator, from_responder, NULL);
	initialize_key(tx, x->initiator ? from_initiator : from_responder);
	initialize_key(rx, x->initiator ? from_responder : from_initiator);
	sodium_memzero(from_initiator, sizeof from_initiator);
	sodium_memzero(from_responder, sizeof from_responder);
}

void
noise_wipe(struct noise *x)
{
	sodium_memzero(x, sizeof *x);
}
