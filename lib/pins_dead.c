/*
 * pins_dead - the addresses that did not answer, in a table of the pin store (pins.h is the
 * contract). Called by mailer/connect.c.
 *
 * An entry is found under its address. Its value: version(1) since(8) probed(8) hash(8).
 */
#include <errno.h>

#include "lib/pins.h"
#include "lib/pins_entry.h"

#define DEAD_SIZE (17 + ENTRY_HASH)
#define DEAD_MAX 10000 /* addresses remembered */

struct dead {
	int64_t since;  /* the last failure */
	int64_t probed; /* when it was last somebody's turn to try */
};

static int
dead_get(MDB_txn *txn, MDB_dbi table, MDB_val *name, struct dead *dead)
{
	struct wire_in in;
	MDB_val value;
	int error;

	error = mdb_get(txn, table, name, &value);
	if (error == 0)
		error = entry_unseal(&in, name, &value);
	if (error == 0 && value.mv_size != DEAD_SIZE)
		error = MDB_CORRUPTED;
	if (error != 0)
		return error;
	dead->since = entry_get_i64(&in);
	dead->probed = entry_get_i64(&in);
	return 0;
}

static int
dead_put(MDB_txn *txn, MDB_dbi table, MDB_val *name, const struct dead *dead)
{
	uint8_t octets[DEAD_SIZE];
	struct wire_out out = wire_out(octets, sizeof(octets));
	MDB_val value = {.mv_size = sizeof(octets), .mv_data = octets};

	wire_put_u8(&out, ENTRY_FORMAT);
	entry_put_i64(&out, dead->since);
	entry_put_i64(&out, dead->probed);
	entry_seal(&out, name);
	return mdb_put(txn, table, name, &value, 0);
}

/* A clock that was set back ends what it left in the future. */
static bool
lasts(int64_t since, int64_t now, int seconds)
{
	return since <= now && now - since < seconds;
}

struct dead_call {
	struct entry_name name;
	int64_t now;
	bool probe;
	enum pins_verdict verdict;
};

static int
dead_look(struct store *s, MDB_txn *txn, void *context)
{
	struct dead_call *call = context;
	MDB_dbi table = store_table(s, STORE_DEAD);
	MDB_val name = entry_val(&call->name);
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

	if (p == NULL || !entry_name_add(&call.name, address))
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
	MDB_val name = entry_val(&call->name);
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

	if (p != NULL && entry_name_add(&call.name, address))
		store_write(p->store, dead_mark, &call);
}

static int
dead_remove(struct store *s, MDB_txn *txn, void *context)
{
	struct dead_call *call = context;
	MDB_dbi table = store_table(s, STORE_DEAD);
	MDB_val name = entry_val(&call->name), value;
	int error;

	error = mdb_get(txn, table, &name, &value);
	return error == 0 ? mdb_del(txn, table, &name, NULL) : error;
}

void
pins_mark_alive(struct pins *p, const char *address)
{
	struct dead_call call = {.now = 0};

	if (p == NULL || !entry_name_add(&call.name, address))
		return;
	/* Nearly always there is nothing to remove. */
	if (store_read(p->store, dead_remove, &call) == EACCES)
		store_write(p->store, dead_remove, &call);
}
