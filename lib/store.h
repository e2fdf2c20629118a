/*
 * store - one LMDB environment that many short-lived processes share, and the care that LMDB
 * leaves to its caller: whose directory it is, whether the files are sane before they are
 * mapped, room that grows, and a fault inside LMDB that must not meet the next delivery again.
 * Used by lib/pins.c alone.
 *
 * LMDB trusts its pages. What looks wrong before it is mapped (magic, version, meta pages, a
 * truncated file) is refused by store_open(). What only shows later, as an error or as a signal
 * inside LMDB (SIGSEGV, SIGBUS, SIGABRT), puts the file aside under the name data.mdb.damaged,
 * and no new store is begun while that is there. So the worst that a broken disk does is to end
 * one process by a signal, whose mail sendmail keeps and tries again, and then to leave us
 * without a store. Nothing is thrown away: a person decides.
 *
 * A process opens one store at a time (LMDB's rule: its locks are the process's), and after its
 * last fork. The directory must be on a local file system. Files are of this machine's word
 * size and byte order.
 */
#ifndef BLACKPONY_STORE_H
#define BLACKPONY_STORE_H

#include <stdbool.h>

#include <lmdb.h>

#define STORE_REASON_MAX 512
#define STORE_BATCH 256 /* entries that one transaction may delete (store.c, "unwritten") */
#define STORE_UNCHANGED (-1) /* from a store_work: all is well, there is nothing to write */

enum store_table { STORE_HOSTS, STORE_DEAD, STORE_TABLES };

struct store;

/* What is done in one transaction: 0 to commit, STORE_UNCHANGED or an error of LMDB to abort.
 * It is called again, in a new transaction, when the room had to grow. */
typedef int store_work(struct store *s, MDB_txn *txn, void *context);

/* Opens the store, and makes it where nothing is. NULL: why names the file and what to do. */
struct store *store_open(const char *directory, char why[STORE_REASON_MAX]);
void store_close(struct store *s);

/* 0, STORE_UNCHANGED, an error of LMDB's or an errno; from store_read EACCES where the work
 * would write. */
int store_read(struct store *s, store_work *work, void *context);
int store_write(struct store *s, store_work *work, void *context);
/* The error of one of them, for a person. */
void store_explain(const struct store *s, int error, char why[STORE_REASON_MAX]);

MDB_dbi store_table(const struct store *s, enum store_table table);
/* Around code of others that a store_work calls: a fault in there is not the store's. */
void store_leave(void);
void store_enter(void);

#endif
