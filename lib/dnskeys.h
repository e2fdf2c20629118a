/*
 * dnskeys - the keys that DNS has for a mail host (PROTOCOL.md, "Keys in DNS"):
 *
 *   _xpony.mx.example.org. IN TXT "v=XPONY1; k=SHA256:...; k=SHA256:..."
 *
 * Used by the child of resolve.c: it works on hostile answers and knows no secret.
 */
#ifndef BLACKPONY_DNSKEYS_H
#define BLACKPONY_DNSKEYS_H

#include <stddef.h>
#include <stdint.h>
#include "dns.h"
#include "resolve.h"

/* Fills r, which need not be zero before. host is a valid name, taken as absolute. */
void dnskeys_find(struct dns *dns, const char *host, int64_t deadline, struct resolve_keys *r);

/* Adds to r what one TXT record says: n octets of strings, each behind its length. */
void dnskeys_read(struct resolve_keys *r, const uint8_t *text, size_t n);

#endif
