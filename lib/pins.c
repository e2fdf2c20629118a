/*
 * pins - what is remembered of hosts, in a table of the pin store; and the store itself (pins.h
 * is the contract). Called by the mailer's monitor (mailer/trust.c) and by blackpony-keygen.
 *
 * A host is found under its domain, a NUL and its MX host. Its value:
 *   version(1) keys(1) clear_deferred(4) last_upgraded(8), then for each key fingerprint(32)
 * first_seen(8) last_seen(8) committed_until(8) max_age(4) count(4) announced(1), then hash(8)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pins.h"
#include "lib/pins_entry.h"

#define KEY_SIZE 65 /* octets */
#define HOST_SIZE(keys) (14 + KEY_SIZE * (size_t)(keys) + ENTRY_HASH)

_Static_assert(PINS_REASON_MAX >= STORE_REASON_MAX, "reasons");

/* mx NULL: what the names of all hosts of that domain begin with. */
static bool
name_of_host(struct entry_name *name, const char *domain, const char *mx)
{
	name->n = 0;
	if (!entry_name_add(name, domain) || name->n >= ENTRY_NAME_SIZE)
		return false;
	name->octets[name->n++] = '\0';
	return mx == NULL || entry_name_add(name, mx);
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

static int
host_decode(struct pins_host *host, const MDB_val *name, const MDB_val *value)
{
	const uint8_t *fingerprint;
	struct wire_in in;
	int error;

	memset(host, 0, sizeof(*host));
	error = entry_unseal(&in, name, value);
	if (error != 0)
		return error;
	host->keys = wire_get_u8(&in);
	if (host->keys > PINS_KEYS || value->mv_size != HOST_SIZE(host->keys)) {
		host->keys = 0;
		return MDB_CORRUPTED;
	}
	host->clear_deferred = entry_get_u32(&in);
	host->last_upgraded = entry_get_i64(&in);
	for (struct pins_key *key = host->key; key < host->key + host->keys; key++) {
		fingerprint = wire_get_bytes(&in, sizeof(key->fingerprint));
		if (fingerprint == NULL)
			abort(); /* the size was looked at */
		memcpy(key->fingerprint, fingerprint, sizeof(key->fingerprint));
		key->first_seen = entry_get_i64(&in);
		key->last_seen = entry_get_i64(&in);
		key->committed_until = entry_get_i64(&in);
		key->max_age = entry_get_u32(&in);
		key->count = entry_get_u32(&in);
		key->announced = wire_get_u8(&in);
	}
	return 0;
}

static size_t
host_encode(uint8_t *value, const MDB_val *name, const struct pins_host *host)
{
	struct wire_out out = wire_out(value, HOST_SIZE(PINS_KEYS));

	wire_put_u8(&out, ENTRY_FORMAT);
	wire_put_u8(&out, (uint8_t)host->keys);
	entry_put_u32(&out, host->clear_deferred);
	entry_put_i64(&out, host->last_upgraded);
	for (const struct pins_key *key = host->key; key < host->key + host->keys; key++) {
		wire_put_bytes(&out, key->fingerprint, sizeof(key->fingerprint));
		entry_put_i64(&out, key->first_seen);
		entry_put_i64(&out, key->last_seen);
		entry_put_i64(&out, key->committed_until);
		entry_put_u32(&out, key->max_age);
		entry_put_u32(&out, key->count);
		wire_put_u8(&out, key->announced);
	}
	entry_seal(&out, name);
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
	struct entry_name name;
	struct pins_host *host;
	bool (*change)(struct pins_host *host, void *context);
	void *context;
	bool absurd; /* change() left more keys than there is room for */
};

static int
host_read(struct store *s, MDB_txn *txn, void *context)
{
	struct host_call *call = context;
	MDB_val name = entry_val(&call->name), value;
	int error;

	memset(call->host, 0, sizeof(*call->host));
	error = mdb_get(txn, store_table(s, STORE_HOSTS), &name, &value);
	return error != 0 ? error : host_decode(call->host, &name, &value);
}

bool
pins_get(struct pins *p, const char *domain, const char *mx, struct pins_host *host)
{
	struct host_call call = {.host = host};
	int error;

	memset(host, 0, sizeof(*host));
	if (p == NULL || !name_of_host(&call.name, domain, mx))
		return false;
	error = store_read(p->store, host_read, &call);
	p->failed = error != 0 && error != MDB_NOTFOUND;
	return error == 0;
}

bool
pins_failed(const struct pins *p)
{
	return p == NULL || p->failed;
}

static int
host_update(struct store *s, MDB_txn *txn, void *context)
{
	struct host_call *call = context;
	MDB_val name = entry_val(&call->name), value;
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
	struct entry_name name;
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
		found = entry_val(&call->name);
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
	struct entry_name after; /* n 0: from the start */
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
	MDB_val name = entry_val(&step->after), value;
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
	    (name.mv_size > ENTRY_NAME_SIZE || !name_split(&name, step->domain, step->mx)))
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
