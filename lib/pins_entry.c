/*
 * pins_entry - names and values of what the pin store holds (pins_entry.h). Called by
 * lib/pins.c and lib/pins_dead.c.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/pins.h"
#include "lib/pins_entry.h"

MDB_val
entry_val(struct entry_name *name)
{
	return (MDB_val){.mv_size = name->n, .mv_data = name->octets};
}

bool
entry_name_add(struct entry_name *name, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n >= PINS_NAME_MAX || name->n + n > ENTRY_NAME_SIZE)
		return false;
	for (size_t i = 0; i < n; i++) /* ASCII alone, whatever the locale */
		name->octets[name->n++] =
		    (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 'a' - 'A' : text[i]);
	return true;
}

void
entry_put_u32(struct wire_out *out, uint32_t v)
{
	wire_put_u16(out, (uint16_t)(v >> 16));
	wire_put_u16(out, (uint16_t)v);
}

void
entry_put_i64(struct wire_out *out, int64_t v)
{
	entry_put_u32(out, (uint32_t)((uint64_t)v >> 32));
	entry_put_u32(out, (uint32_t)(uint64_t)v);
}

uint32_t
entry_get_u32(struct wire_in *in)
{
	uint32_t high = wire_get_u16(in);

	return high << 16 | wire_get_u16(in);
}

int64_t
entry_get_i64(struct wire_in *in)
{
	uint64_t high = entry_get_u32(in);

	return (int64_t)(high << 32 | entry_get_u32(in));
}

/* FNV-1a, which tells every change of one octet: it is against bad disks. Who could write there
 * on purpose is this user. */
static int64_t
hash(const MDB_val *name, const void *value, size_t n)
{
	const uint8_t *octets = name->mv_data;
	uint64_t sum = 14695981039346656037U;

	for (size_t i = 0; i < name->mv_size; i++)
		sum = (sum ^ octets[i]) * 1099511628211U;
	octets = value;
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ octets[i]) * 1099511628211U;
	return (int64_t)sum;
}

void
entry_seal(struct wire_out *out, const MDB_val *name)
{
	entry_put_i64(out, hash(name, out->p, out->used));
	if (out->failed)
		abort();
}

int
entry_unseal(struct wire_in *in, const MDB_val *name, const MDB_val *value)
{
	struct wire_in end;
	size_t n;

	if (value->mv_size < 1 + ENTRY_HASH)
		return MDB_CORRUPTED;
	n = value->mv_size - ENTRY_HASH;
	end = wire_in((const uint8_t *)value->mv_data + n, ENTRY_HASH);
	if (entry_get_i64(&end) != hash(name, value->mv_data, n))
		return MDB_CORRUPTED;
	*in = wire_in(value->mv_data, n);
	return wire_get_u8(in) == ENTRY_FORMAT ? 0 : MDB_VERSION_MISMATCH;
}
