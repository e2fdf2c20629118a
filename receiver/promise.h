/*
 * promise - the commitment that the receiver sends to every client (PROTOCOL.md,
 * "Commitments"): how long, and the keys that will be shown beside and after the present one.
 * Called by receiver/main.c and receiver/inspect.c.
 *
 * The next key is read from its public half, <hostkey>.next.pub, which blackpony-keygen --rotate next made
 * together with <hostkey>.next: no session ever holds the next secret. Sibling keys are those
 * of the other machines that answer under the same host name, a line each (lib/keyline.h).
 */
#ifndef RECEIVER_PROMISE_H
#define RECEIVER_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/key.h"
#include "lib/pins.h"
#include "lib/words.h"
#include "libxpony/commitment.h"

/* Next and sibling keys. A client of ours remembers PINS_KEYS: these, the present key and the
 * one before it. */
#define PROMISE_KEYS (PINS_KEYS - 2)
#define PROMISE_REASON_MAX 640

struct promise_about {
	uint32_t max_age;     /* seconds; 0 takes an earlier commitment back */
	const char *key_file; /* the host key's */
	const char *siblings; /* NULL: the default, which may be missing */
};

/* What to commit to beside the present key. False: nothing may be promised, for c is then
 * absent and why (PROMISE_REASON_MAX) names the file and what to do. */
bool promise_make(struct commitment *c, const struct promise_about *about,
    const uint8_t public[KEY_OCTETS], char *why);

#endif
