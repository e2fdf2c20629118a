/*
 * pins - the records of hosts and of dead addresses, in the two tables of a store (store.h).
 * Called by the mailer's monitor (mailer/trust.c) and by blackpony-keygen; pins.h is the
 * contract.
 *
 * A host is found under its domain, a NUL and its MX host, in lower case; a dead address under
 * its text. Values begin with their version and end with a hash over name and value: what a
 * disk has garbled is not taken for a key, and not for a commitment that would hold mail back.
 * Numbers are big-endian.
 *
 *   host: version(1) keys(1) clear_deferred(4) last_upgraded(8), then for each key
 * fingerprint(32) first_seen(8) last_seen(8) committed_until(8) max_age(4) count(4)
 * announced(1), then hash(16) dead: version(1) since(8) probed(8) hash(16)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/pins.h"
#include "lib/store.h"
#include "libxpony/wire.h"

#define FORMAT 1
#define HASH 16
#define KEY_SIZE 65
#define HOST_SIZE(keys) (14 + KEY_SIZE * (size_t)(keys) + HASH)
#define DEAD_SIZE (17 + HASH)
#define NAME_SIZE (2 * PINS_NAME_MAX - 1) /* as many as LMDB takes: 511 */
#define DEAD_MAX 10000                    /* addresses remembered */

_Static_assert(PINS_REASON_MAX >= STORE_REASON_MAX, "reasons");

struct pins {
	struct store *store;
};

/* What an entry is found under. */
struct name {
	size_t n;
	char octets[NAME_SIZE];
};

struct dead {
	int64_t since;  /* the last failure */
	int64_t probed; /* when it was last somebody's turn to try */
};

static MDB_val
name_val(struct name *name)
{
	return (MDB_val){.mv_size = name->n, .mv_data = name->octets};
}

static bool
name_add(struct name *name, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n >= PINS_NAME_MAX || name->n + n > NAME_SIZE)
		return false;
	for (size_t i = 0; i < n; i++) /* ASCII alone, whatever the locale */
		name->octets[name->n++] =
		    (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 'a' - 'A' : text[i]);
	return true;
}

/* mx NULL: what the names of all hosts of that domain begin with. */
static bool
name_of_host(struct name *name, const char *domain, const char *mx)
{
	name->n = 0;
	if (!name_add(name, domain) || name->n >= NAME_SIZE)
		return false;
	name->octets[name->n++] = '\0';
	return mx == NULL || name_add(name, mx);
}

static bool
name_of_address(struct name *name, const char *address)
{
	name->n = 0;
	return name_add(name, address);
}

static bool
name_split(const MDB_val *val, char domain[PINS_NAME_MAX], char mx[PINS_NAME_MAX])
{
	const char *text = val->mv_data, *nul = memchr(text, '\0', val->mv_size);
	size_t n = nul == NULL ? 0 : (size_t)(nul - text), rest;

	if (n == 0 || n >= PINS_NAME_MAX)
		return false;
	rest = val->mv_size - n - 1;
	if (rest == 0 || rest >= PINS_NAME_MAX || memchr(nul + 1, '\0', rest) != NULL)
		return false;
	memcpy(domain, text, n + 1);
	memcpy(mx, nul + 1, rest);
	mx[rest] = '\0';
	return true;
}

static void
put_u32(struct wire_out *out, uint32_t v)
{
	wire_put_u16(out, (uint16_t)(v >> 16));
	wire_put_u16(out, (uint16_t)v);
}

static void
put_i64(struct wire_out *out, int64_t v)
{
	put_u32(out, (uint32_t)((uint64_t)v >> 32));
	put_u32(out, (uint32_t)(uint64_t)v);
}

static uint32_t
get_u32(struct wire_in *in)
{
	uint32_t high = wire_get_u16(in);

	return high << 16 | wire_get_u16(in);
}

static int64_t
get_i64(struct wire_in *in)
{
	uint64_t high = get_u32(in);

	return (int64_t)(high << 32 | get_u32(in));
}

static void
hash(uint8_t out[HASH], const MDB_val *name, const void *value, size_t n)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, HASH);
	crypto_generichash_update(&state, name->mv_data, name->mv_size);
	crypto_generichash_update(&state, value, n);
	crypto_generichash_final(&state, out, HASH);
}

/* Ends the value with its hash. */
static void
seal(struct wire_out *out, const MDB_val *name)
{
	uint8_t sum[HASH];

	hash(sum, name, out->p, out->used);
	wire_put_bytes(out, sum, HASH);
	if (out->failed)
		abort();
}

/* 0 with what stands between version and hash; or the error of LMDB that tells what is wrong.
 */
static int
unseal(struct wire_in *in, const MDB_val *name, const MDB_val *value)
{
	uint8_t sum[HASH];
	size_t n;

	if (value->mv_size < 1 + HASH)
		return MDB_CORRUPTED;
	n = value->mv_size - HASH;
	hash(sum, name, value->mv_data, n);
	if (memcmp(sum, (const uint8_t *)value->mv_data + n, HASH) != 0)
		return MDB_CORRUPTED;
	*in = wire_in(value->mv_data, n);
	return wire_get_u8(in) == FORMAT ? 0 : MDB_VERSION_MISMATCH;
}

static int
host_decode(struct pins_host *host, const MDB_val *name, const MDB_val *value)
{
	const uint8_t *fingerprint;
	struct wire_in in;
	int error;

	memset(host, 0, sizeof(*host));
	error = unseal(&in, name, value);
	if (error != 0)
		return error;
	host->keys = wire_get_u8(&in);
	if (host->keys > PINS_KEYS || value->mv_size != HOST_SIZE(host->keys)) {
		host->keys = 0;
		return MDB_CORRUPTED;
	}
	host->clear_deferred = get_u32(&in);
	host->last_upgraded = get_i64(&in);
	for (struct pins_key *key = host->key; key < host->key + host->keys; key++) {
		fingerprint = wire_get_bytes(&in, sizeof(key->fingerprint));
		if (fingerprint == NULL)
			abort(); /* the size was looked at */
		memcpy(key->fingerprint, fingerprint, sizeof(key->fingerprint));
		key->first_seen = get_i64(&in);
		key->last_seen = get_i64(&in);
		key->committed_until = get_i64(&in);
		key->max_age = get_u32(&in);
		key->count = get_u32(&in);
		key->announced = wire_get_u8(&in);
	}
	return 0;
}

static size_t
host_encode(uint8_t *value, const MDB_val *name, const struct pins_host *host)
{
	struct wire_out out = wire_out(value, HOST_SIZE(PINS_KEYS));

	wire_put_u8(&out, FORMAT);
	wire_put_u8(&out, (uint8_t)host->keys);
	put_u32(&out, host->clear_deferred);
	put_i64(&out, host->last_upgraded);
	for (const struct pins_key *key = host->key; key < host->key + host->keys; key++) {
		wire_put_bytes(&out, key->fingerprint, sizeof(key->fingerprint));
		put_i64(&out, key->first_seen);
		put_i64(&out, key->last_seen);
		put_i64(&out, key->committed_until);
		put_u32(&out, key->max_age);
		put_u32(&out, key->count);
		wire_put_u8(&out, key->announced);
	}
	seal(&out, name);
	return out.used;
}

struct pins *
pins_open(const char *directory, char why[PINS_REASON_MAX])
{
	struct pins *p;

	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		snprintf(why, PINS_REASON_MAX, "out of memory");
		return NULL;
	}
	p->store = store_open(directory, why);
	if (p->store != NULL)
		return p;
	free(p);
	return NULL;
}

void
pins_close(struct pins *p)
{
	if (p == NULL)
		return;
	store_close(p->store);
	free(p);
}

struct host_call {
	struct name name;
	struct pins_host *host;
	bool (*change)(struct pins_host *host, void *context);
	void *context;
	bool absurd; /* change() left more keys than there is room for */
};

static int
host_read(struct store *s, MDB_txn *txn, void *context)
{
	struct host_call *call = context;
	MDB_val name = name_val(&call->name), value;
	int error;

	memset(call->host, 0, sizeof(*call->host));
	error = mdb_get(txn, store_table(s, STORE_HOSTS), &name, &value);
	return error != 0 ? error : host_decode(call->host, &name, &value);
}

bool
pins_get(struct pins *p, const char *domain, const char *mx, struct pins_host *host)
{
	struct host_call call = {.host = host};

	memset(host, 0, sizeof(*host));
	if (p == NULL || !name_of_host(&call.name, domain, mx))
		return false;
	return store_read(p->store, host_read, &call) == 0;
}

static int
host_update(struct store *s, MDB_txn *txn, void *context)
{
	struct host_call *call = context;
	MDB_val name = name_val(&call->name), value;
	uint8_t octets[HOST_SIZE(PINS_KEYS)];
	bool changed;
	int error;

	error = host_read(s, txn, call);
	if (error != 0 && error != MDB_NOTFOUND)
		return error;
	store_leave();
	changed = call->change(call->host, call->context);
	store_enter();
	call->absurd = changed && call->host->keys > PINS_KEYS;
	if (!changed || call->absurd)
		return STORE_UNCHANGED;
	value.mv_data = octets;
	value.mv_size = host_encode(octets, &name, call->host);
	return mdb_put(txn, store_table(s, STORE_HOSTS), &name, &value, 0);
}

bool
pins_update(struct pins *p, const char *domain, const char *mx,
    bool (*change)(struct pins_host *host, void *context), void *context,
    char why[PINS_REASON_MAX])
{
	struct pins_host host;
	struct host_call call = {.host = &host, .change = change, .context = context};
	int error;

	why[0] = '\0';
	if (p == NULL) {
		snprintf(why, PINS_REASON_MAX, "there is no store");
		return false;
	}
	if (!name_of_host(&call.name, domain, mx)) {
		snprintf(why, PINS_REASON_MAX, "a name is empty or too long");
		return false;
	}
	error = store_write(p->store, host_update, &call);
	if (call.absurd)
		snprintf(why, PINS_REASON_MAX, "more than %d keys", PINS_KEYS);
	else if (error == MDB_VERSION_MISMATCH)
		snprintf(why, PINS_REASON_MAX, "the record is of a newer blackpony");
	else if (error != 0 && error != STORE_UNCHANGED)
		store_explain(p->store, error, why);
	return why[0] == '\0';
}

struct remove_call {
	struct name name;
	bool domain; /* the name is what they begin with */
	int removed;
};

static int
host_remove(struct store *s, MDB_txn *txn, void *context)
{
	struct remove_call *call = context;
	MDB_val found, value;
	MDB_cursor *cursor;
	int error;

	call->removed = 0;
	error = mdb_cursor_open(txn, store_table(s, STORE_HOSTS), &cursor);
	if (error != 0)
		return error;
	while (call->removed < STORE_BATCH) {
		found = name_val(&call->name);
		error = mdb_cursor_get(cursor, &found, &value, MDB_SET_RANGE);
		if (error != 0 || found.mv_size < call->name.n ||
		    (!call->domain && found.mv_size != call->name.n) ||
		    memcmp(found.mv_data, call->name.octets, call->name.n) != 0)
			break;
		error = mdb_cursor_del(cursor, 0);
		if (error != 0)
			break;
		call->removed++;
	}
	mdb_cursor_close(cursor);
	if (error != 0 && error != MDB_NOTFOUND)
		return error;
	return call->removed > 0 ? 0 : STORE_UNCHANGED;
}

bool
pins_remove(struct pins *p, const char *domain, const char *mx)
{
	struct remove_call call = {.domain = mx == NULL};
	bool removed = false;

	if (p == NULL || !name_of_host(&call.name, domain, mx))
		return false;
	while (store_write(p->store, host_remove, &call) == 0)
		removed = true;
	return removed;
}

struct step {
	struct name after; /* n 0: from the start */
	char domain[PINS_NAME_MAX], mx[PINS_NAME_MAX];
	struct pins_host host;
	bool readable;
};

/* The record that comes next. A walk holds no transaction between two steps: a person may be
 * reading along, and old pages are not given free while a reader stands. */
static int
next_host(struct store *s, MDB_txn *txn, void *context)
{
	struct step *step = context;
	MDB_val name = name_val(&step->after), value;
	MDB_cursor *cursor;
	int error;

	error = mdb_cursor_open(txn, store_table(s, STORE_HOSTS), &cursor);
	if (error != 0)
		return error;
	error = mdb_cursor_get(
	    cursor, &name, &value, step->after.n == 0 ? MDB_FIRST : MDB_SET_RANGE);
	if (error == 0 && name.mv_size == step->after.n &&
	    memcmp(name.mv_data, step->after.octets, step->after.n) == 0)
		error = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
	if (error == 0 &&
	    (name.mv_size > NAME_SIZE || !name_split(&name, step->domain, step->mx)))
		error = MDB_CORRUPTED;
	if (error == 0) {
		error = host_decode(&step->host, &name, &value);
		step->readable = error == 0;
		if (error == MDB_VERSION_MISMATCH)
			error = 0;
		memcpy(step->after.octets, name.mv_data, name.mv_size);
		step->after.n = name.mv_size;
	}
	mdb_cursor_close(cursor);
	return error;
}

void
pins_each(struct pins *p,
    bool (*each)(
	const char *domain, const char *mx, const struct pins_host *host, void *context),
    void *context)
{
	struct step step = {.after.n = 0};

	if (p == NULL)
		return;
	while (store_read(p->store, next_host, &step) == 0) {
		if (step.readable && !each(step.domain, step.mx, &step.host, context))
			return;
	}
}

static int
dead_get(MDB_txn *txn, MDB_dbi table, MDB_val *name, struct dead *dead)
{
	struct wire_in in;
	MDB_val value;
	int error;

	error = mdb_get(txn, table, name, &value);
	if (error == 0)
		error = unseal(&in, name, &value);
	if (error == 0 && value.mv_size != DEAD_SIZE)
		error = MDB_CORRUPTED;
	if (error != 0)
		return error;
	dead->since = get_i64(&in);
	dead->probed = get_i64(&in);
	return 0;
}

static int
dead_put(MDB_txn *txn, MDB_dbi table, MDB_val *name, const struct dead *dead)
{
	uint8_t octets[DEAD_SIZE];
	struct wire_out out = wire_out(octets, sizeof(octets));
	MDB_val value = {.mv_size = sizeof(octets), .mv_data = octets};

	wire_put_u8(&out, FORMAT);
	put_i64(&out, dead->since);
	put_i64(&out, dead->probed);
	seal(&out, name);
	return mdb_put(txn, table, name, &value, 0);
}

/* A clock that was set back ends what it left in the future. */
static bool
lasts(int64_t since, int64_t now, int seconds)
{
	return since <= now && now - since < seconds;
}

struct dead_call {
	struct name name;
	int64_t now;
	bool probe;
	enum pins_verdict verdict;
};

static int
dead_look(struct store *s, MDB_txn *txn, void *context)
{
	struct dead_call *call = context;
	MDB_dbi table = store_table(s, STORE_DEAD);
	MDB_val name = name_val(&call->name);
	struct dead dead;
	int error;

	call->verdict = PINS_TRY;
	error = dead_get(txn, table, &name, &dead);
	if (error != 0)
		return error;
	if (!lasts(dead.since, call->now, PINS_DEAD_SECONDS))
		return mdb_del(txn, table, &name, NULL);
	call->verdict = PINS_DEAD;
	if (!call->probe || lasts(dead.probed, call->now, PINS_PROBE_SECONDS))
		return STORE_UNCHANGED;
	call->verdict = PINS_PROBE;
	dead.probed = call->now;
	return dead_put(txn, table, &name, &dead);
}

enum pins_verdict
pins_dead(struct pins *p, const char *address, int64_t now, bool probe)
{
	struct dead_call call = {.now = now, .probe = probe};

	if (p == NULL || !name_of_address(&call.name, address))
		return PINS_TRY;
	/* Most look and write nothing, and need not wait for those who write. */
	if (store_read(p->store, dead_look, &call) == EACCES)
		store_write(p->store, dead_look, &call);
	return call.verdict;
}

/* Removes entries that have lapsed, some of many. */
static int
dead_sweep(MDB_txn *txn, MDB_dbi table, int64_t now)
{
	MDB_val name, value;
	MDB_cursor *cursor;
	struct dead dead;
	int error, removed = 0;

	error = mdb_cursor_open(txn, table, &cursor);
	if (error != 0)
		return error;
	while (removed < STORE_BATCH && error == 0) {
		error = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
		if (error == 0)
			error = dead_get(txn, table, &name, &dead);
		if (error == 0 && !lasts(dead.since, now, PINS_DEAD_SECONDS)) {
			error = mdb_cursor_del(cursor, 0);
			removed++;
		}
	}
	mdb_cursor_close(cursor);
	return error == MDB_NOTFOUND ? 0 : error;
}

static int
dead_mark(struct store *s, MDB_txn *txn, void *context)
{
	struct dead_call *call = context;
	MDB_dbi table = store_table(s, STORE_DEAD);
	MDB_val name = name_val(&call->name);
	struct dead dead = {.since = call->now, .probed = call->now}, former;
	MDB_stat stat;
	int error;

	error = dead_get(txn, table, &name, &former);
	if (error == MDB_NOTFOUND) {
		error = mdb_stat(txn, table, &stat);
		if (error == 0 && stat.ms_entries >= DEAD_MAX)
			error = dead_sweep(txn, table, call->now);
		if (error == 0)
			error = mdb_stat(txn, table, &stat);
		if (error == 0 && stat.ms_entries >= DEAD_MAX)
			return STORE_UNCHANGED; /* so that one will be tried each time */
	}
	return error == 0 ? dead_put(txn, table, &name, &dead) : error;
}

void
pins_mark_dead(struct pins *p, const char *address, int64_t now)
{
	struct dead_call call = {.now = now};

	if (p != NULL && name_of_address(&call.name, address))
		store_write(p->store, dead_mark, &call);
}

static int
dead_remove(struct store *s, MDB_txn *txn, void *context)
{
	struct dead_call *call = context;
	MDB_dbi table = store_table(s, STORE_DEAD);
	MDB_val name = name_val(&call->name), value;
	int error;

	error = mdb_get(txn, table, &name, &value);
	return error == 0 ? mdb_del(txn, table, &name, NULL) : error;
}

void
pins_mark_alive(struct pins *p, const char *address)
{
	struct dead_call call = {.now = 0};

	if (p == NULL || !name_of_address(&call.name, address))
		return;
	/* Nearly always there is nothing to remove. */
	if (store_read(p->store, dead_remove, &call) == EACCES)
		store_write(p->store, dead_remove, &call);
}
