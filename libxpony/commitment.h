/*
 * commitment - a server's promise, in payload 3, to go on showing keys that the client will
 * know (PROTOCOL.md, "Commitments"). Read and written by handshake.c; what it means is the
 * monitor's affair (mailer/trust.h).
 */
#ifndef XPONY_COMMITMENT_H
#define XPONY_COMMITMENT_H

#include "err.h"
#include "wire.h"

#define COMMITMENT_KEYS 8
#define COMMITMENT_FINGERPRINT 32 /* SHA-256 of a static public key */
#define COMMITMENT_OCTETS (4 + COMMITMENT_KEYS * COMMITMENT_FINGERPRINT)

struct commitment {
	uint8_t present;  /* 0: the server made none, and takes none back */
	uint32_t max_age; /* seconds; 0 takes an earlier one back */
	uint32_t keys;
	uint8_t key[COMMITMENT_KEYS][COMMITMENT_FINGERPRINT]; /* next and sibling keys */
};

/* The value of TLV_COMMITMENT: u32 max-age, then fingerprints. c->present must be set. */
void commitment_put(struct wire_out *out, const struct commitment *c);
/* ERR_SYNTAX for a length that is none; keys beyond COMMITMENT_KEYS are skipped. */
enum err commitment_read(struct commitment *c, const uint8_t *value, size_t n);

#endif
