/*
 * keccak - SHA3-256, SHA3-512, SHAKE128 and SHAKE256 (FIPS 202), which libsodium 1.0.18 has
 * not. Used by mlkem768.c and poly.c only.
 */
#ifndef COMPAT_KECCAK_H
#define COMPAT_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define KECCAK_SHA3 0x06
#define KECCAK_SHAKE 0x1f
#define KECCAK_RATE_SHAKE128 168
#define KECCAK_RATE_256 136 /* SHA3-256 and SHAKE256 */
#define KECCAK_RATE_SHA3_512 72

struct keccak {
	uint64_t lane[25];
	size_t rate; /* octets */
	size_t at;   /* octets of the present block that were put in or taken out */
};

/* Absorb any number of times, then finish once, then squeeze any number of times, a multiple of
 * eight octets each time. Wipe what was secret. */
void keccak_init(struct keccak *k, size_t rate);
void keccak_absorb(struct keccak *k, const void *p, size_t n);
void keccak_finish(struct keccak *k, uint8_t domain);
void keccak_squeeze(struct keccak *k, uint8_t *out, size_t n);

/* All of that on a || b, wiped. out_len is a multiple of eight. */
void keccak_hash(uint8_t *out, size_t out_len, size_t rate, uint8_t domain, const void *a,
    size_t a_len, const void *b, size_t b_len);

#endif
