/*
 * tlv - the type-length-value lists of handshake payloads 2 and 3 (PROTOCOL.md, "Payloads").
 * type u8 (TLV_CRITICAL bit: a reader that does not know it must abort), length u16, value.
 * A type may occur once. Unknown types without the bit are skipped by the caller.
 */
#ifndef XPONY_TLV_H
#define XPONY_TLV_H

#include "err.h"
#include "wire.h"

#define TLV_CRITICAL 0x80

enum tlv_type {
	TLV_SERVER_NAME = 0x01, /* payload 2: the host name that the client means to reach, ASCII */
	TLV_EHLO = 0x02,        /* payload 2: the client's EHLO line, without CRLF (early data) */
	TLV_KEM_KEY = 0x83,     /* payload 2: KEM encapsulation key; only in suites that have a KEM */
	TLV_COMMITMENT = 0x04,  /* payload 3: the server's commitment */
};

struct tlv {
	uint8_t type;
	uint16_t len;
	const uint8_t *value; /* inside the list that was read */
};

void tlv_put(struct wire_out *out, uint8_t type, const void *value, size_t len); /* len < 65536 */

/* The next item: ERR_NONE, ERR_MORE at the clean end of the list, ERR_SYNTAX when an item is cut
 * off. seen: 256 bits (zeroed by the caller before the first call); a second item of a type is
 * ERR_SYNTAX. */
enum err tlv_next(struct wire_in *in, struct tlv *item, uint8_t seen[32]);

#endif
