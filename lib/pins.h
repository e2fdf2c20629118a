/*
 * pins - what we remember of hosts, in one LMDB environment under localstatedir that many
 * mailers share: their keys, their commitments, and addresses that did not answer. Used by the
 * mailer's monitor (through mailer/trust.c) and by blackpony-keygen.
 *
 * It is a help, never a must: what cannot be opened, read or written is logged by the caller
 * (why) and the delivery goes on without. Every call is one short transaction. Times are
 * seconds since 1970, given by the caller.
 *
 * One store is open in a process at a time, and it is opened after the process's last fork: a
 * child would have the map of the locks. A store that turns out to be broken while it is read
 * may end the process by a signal, once: the store is marked then, and the next pins_open()
 * says so (store.h). So nothing is asked of it between the mail and the reply that it was
 * taken.
 */
#ifndef BLACKPONY_PINS_H
#define BLACKPONY_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PINS_KEYS                                                                              \
	8 /* keys remembered for one host: the pinned one first, then announced and former */
#define PINS_NAME_MAX 256
#define PINS_REASON_MAX 512

struct pins_key {
	uint8_t fingerprint[32]; /* SHA-256 of the public key */
	int64_t first_seen; /* of an announced key: when it was announced; it has age zero until
			       seen */
	int64_t last_seen;  /* 0: announced, never seen */
	int64_t committed_until; /* enforced until then; 0: no commitment runs */
	uint32_t max_age;        /* the last one that the host committed with this key */
	uint32_t count;          /* sessions */
	uint8_t announced;       /* by a host whose key we had already */
	uint8_t reserved[3];
};

struct pins_host { /* of one next-hop domain and one MX host */
	uint32_t keys;
	uint32_t clear_deferred; /* 1: the one deferral before clear (PROTOCOL.md, "Falling
				    back") was given */
	int64_t last_upgraded;   /* the last XPONY session; 0: none */
	struct pins_key key[PINS_KEYS];
};

struct pins;

/* Opens (and on first use makes) the store in that directory. NULL: why says what is wrong and
 * what to do. */
struct pins *pins_open(const char *directory, char why[PINS_REASON_MAX]);
void pins_close(struct pins
	*p); /* NULL-safe, as all calls here: without a store nothing is known or kept */

/* Could the last look-up not be made, so that nothing is known for that reason? True without a store. */
bool pins_failed(const struct pins *p);

/* False when nothing is known (*host is zeroed then). Names: any case, without a trailing dot.
 */
bool pins_get(struct pins *p, const char *domain, const char *mx, struct pins_host *host);

/* Reads, lets change() alter the record (zeroed when new), and writes it back, in one
 * transaction, so that two mailers cannot lose each other's sighting. change() returns false to
 * leave all as it was, which is no failure; it must not call pins_*, and may be called again on
 * a fresh copy. False: not written; why. */
bool pins_update(struct pins *p, const char *domain, const char *mx,
    bool (*change)(struct pins_host *host, void *context), void *context,
    char why[PINS_REASON_MAX]);
/* mx NULL: all of that domain. False: nothing was removed. */
bool pins_remove(struct pins *p, const char *domain, const char *mx);
/* Walks all records in the order of their names until each() returns false. each() may take its
 * time, and may change the store. */
void pins_each(struct pins *p,
    bool (*each)(
	const char *domain, const char *mx, const struct pins_host *host, void *context),
    void *context);

/* Addresses that failed to connect, or did not greet in time. address: "192.0.2.1" or "2001:db8::1". */
#define PINS_DEAD_SECONDS 1800
/* How long one mailer may be the prober before another takes over. A failure counts as a probe,
 * so that a long queue does not try them one after another. */
#define PINS_PROBE_SECONDS 300
enum pins_verdict { PINS_TRY, PINS_PROBE, PINS_DEAD };
/* PINS_TRY: nothing known. PINS_DEAD: failed within PINS_DEAD_SECONDS. PINS_PROBE: the same,
 * but the caller is the one that tries all the same (it has been marked as such). `probe`: the
 * caller would. */
enum pins_verdict pins_dead(struct pins *p, const char *address, int64_t now, bool probe);
void pins_mark_dead(struct pins *p, const char *address, int64_t now);
void pins_mark_alive(struct pins *p, const char *address);

#endif
