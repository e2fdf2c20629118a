/*
 * pins_entry - what lib/pins.c (hosts) and lib/pins_dead.c (dead addresses) share: an entry of
 * a table of the store, its name in lower case, and its value, which begins with a version and
 * ends with a hash over name and value: what a disk has garbled is not taken for a key, and not
 * for a commitment that would hold mail back. Numbers are big-endian.
 */
#ifndef BLACKPONY_PINS_ENTRY_H
#define BLACKPONY_PINS_ENTRY_H

#include "lib/pins.h"
#include "lib/store.h"
#include "libxpony/wire.h"

#define ENTRY_FORMAT 1
#define ENTRY_HASH 8
#define ENTRY_NAME_SIZE (2 * PINS_NAME_MAX - 1) /* as many as LMDB takes: 511 */

struct pins {
	struct store *store;
	bool failed; /* the last look-up of a host */
};

/* What an entry is found under. Starts with n 0. */
struct entry_name {
	size_t n;
	char octets[ENTRY_NAME_SIZE];
};

/* Appends text, in lower case. False: it is empty or too long. */
bool entry_name_add(struct entry_name *name, const char *text);
MDB_val entry_val(struct entry_name *name); /* points into it */

void entry_put_u32(struct wire_out *out, uint32_t v);
void entry_put_i64(struct wire_out *out, int64_t v);
uint32_t entry_get_u32(struct wire_in *in);
int64_t entry_get_i64(struct wire_in *in);

/* Ends a value with its hash. */
void entry_seal(struct wire_out *out, const MDB_val *name);
/* 0 with what stands between version and hash, or MDB_CORRUPTED; MDB_VERSION_MISMATCH: of a
 * newer blackpony. */
int entry_unseal(struct wire_in *in, const MDB_val *name, const MDB_val *value);

#endif
