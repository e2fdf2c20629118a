/*
 * pin - an entry of the pin store, as a disk may have garbled it (lib/pins.c,
 * lib/pins_entry.h).
 *
 * Input: whether the hash is made to fit; the entry's name; then its value.
 */
#include "lib/pins.c"

#include "fuzz/fuzz.h"

/* Written again it is the same octets. */
static void
look_at_host(const struct pins_host *host, const MDB_val *name, const MDB_val *value)
{
	uint8_t again[HOST_SIZE(PINS_KEYS)];

	HOLDS(host->keys <= PINS_KEYS);
	HOLDS(host_encode(again, name, host) == value->mv_size);
	HOLDS(memcmp(again, value->mv_data, value->mv_size) == 0);
}

static void
look_at_name(const MDB_val *val)
{
	char domain[PINS_NAME_MAX], mx[PINS_NAME_MAX];
	struct entry_name name, all;

	if (!name_split(val, domain, mx))
		return;
	HOLDS(domain[0] != '\0' && mx[0] != '\0');
	HOLDS(strlen(domain) + 1 + strlen(mx) == val->mv_size);
	HOLDS(name_of_host(&name, domain, mx) && name.n == val->mv_size);
	HOLDS(name_of_host(&all, domain, NULL) && all.n == strlen(domain) + 1);
	HOLDS(memcmp(all.octets, name.octets, all.n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = {p, n};
	const bool fits = input_u8(&in) % 2 == 0;
	MDB_val name = {0}, value = {0};
	struct pins_host host;
	struct wire_out out;
	size_t name_size = input_u8(&in);
	uint8_t *room;
	int error;

	fuzz_start();
	if (name_size > in.left)
		name_size = in.left;
	name.mv_data = (void *)(uintptr_t)input_take(&in, name_size);
	name.mv_size = name_size;
	look_at_name(&name);
	n = in.left + (fits ? ENTRY_HASH : 0);
	if ((room = malloc(n > 0 ? n : 1)) == NULL)
		abort();
	if (in.left > 0)
		memcpy(room, in.p, in.left);
	if (fits) {
		out = wire_out(room, n);
		out.used = in.left;
		entry_seal(&out, &name);
	}
	value = (MDB_val){.mv_size = n, .mv_data = room};
	error = host_decode(&host, &name, &value);
	HOLDS(error == 0 || error == MDB_CORRUPTED || error == MDB_VERSION_MISMATCH);
	if (error == 0)
		look_at_host(&host, &name, &value);
	else
		HOLDS(host.keys == 0);
	free(room);
	return 0;
}
