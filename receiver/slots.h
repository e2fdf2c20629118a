/*
 * slots - how many sessions there are, and from where: each holds a slot, a record of one file
 * that it has locked. The kernel gives the lock back when the session's monitor ends, however
 * that comes about: no count is ever wrong after a kill. Called by limits.c and inspect.c.
 *
 * The locks are those of the open file (F_OFD_SETLK): a fork shares them, an exec ends them. A
 * record says whose slot it is, and counts only while it is locked. Whoever takes a slot has
 * the first record locked meanwhile, so what is counted is exact.
 */
#ifndef RECEIVER_SLOTS_H
#define RECEIVER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SLOTS_MAX 10000
#define SLOTS_REASON_MAX 512

struct slots {
	int file; /* -1: there is none; as long as it is open, the slot is held */
};

enum slots_result {
	SLOTS_TAKEN,
	SLOTS_ALL,     /* all are taken */
	SLOTS_ADDRESS, /* one client has all that it may have */
	SLOTS_FAULT,   /* nobody knows: why says what is wrong with the file */
};

/* One client is an IPv4 address, or a /64 of IPv6. This machine itself, by a loopback address,
 * is not counted as one. */
bool slots_is_local(const struct sockaddr_storage *client);

/* Opens the file, and makes it and its directory if need be. Both must be root's, or whose
 * process this is, and closed to others. False with the reason: s->file is -1. */
bool slots_open(struct slots *s, const char *path, char why[SLOTS_REASON_MAX]);
void slots_close(struct slots *s);

/* A slot out of `all`, unless so many others of the client's are taken as `each`; 0: no limit.
 * all <= SLOTS_MAX. */
enum slots_result slots_take(struct slots *s, unsigned all, unsigned each,
    const struct sockaddr_storage *client, char why[SLOTS_REASON_MAX]);
/* How many are taken. */
unsigned slots_count(const struct slots *s);

/* Counts a refusal of that kind. Returns how many there were since it last returned any, once a
 * minute; 0 meanwhile: nothing is to be logged. kind < SLOTS_KINDS. */
#define SLOTS_KINDS 2
unsigned long slots_refusals(const struct slots *s, unsigned kind, int64_t now_ms);

#endif
