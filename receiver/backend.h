/*
 * backend - starts the real SMTP server behind this program (by default `sendmail -bs -Am`) on
 * its end of the TCP pair. Called by the receiver's monitor, once for a plain session and
 * afresh after an upgrade.
 */
#ifndef RECEIVER_BACKEND_H
#define RECEIVER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define BACKEND_WHY_MAX 160

/* What a back end is told about the session beyond the two addresses. sendmail gets it as
 * macros (-M options, put in right after argv[0]):
 *
 *   {daemon_name}  blackpony                               always
 *   {tls_version}  XPONY1 \
 *   {cipher}       suite   | upgraded sessions: they stand in sendmail's Received header
 *   {cipher_bits}  bits    |
 *   {verify}       NO     /  never OK: stock rulesets grant relaying for that
 *   {pony_suite}   suite  \  upgraded sessions: for the administrator's own rulesets
 *   {pony_key}     key    /  without its "SHA256:"; left out when key is NULL
 *   {pony_relay}   key    the same, when that key may relay: what sendmail.relay.m4 tests
 *
 * Another back end, Exim for one, gets it as environment variables, and of a plain session
 * none: PONY_SUITE, PONY_BITS, PONY_KEY and PONY_RELAY.
 */
struct backend_about {
	bool upgraded;
	const char *suite; /* upgraded: the suite's name, or "ROT13" */
	int bits;          /* upgraded: the suite's strength; 0 for ROTn */
	const char *key;   /* upgraded: the peer key's fingerprint "SHA256:...", or NULL */
	bool relay;        /* upgraded, with a key: it may relay */
};

/* Starts argv[0] with argv (NULL-terminated, argv[0] an absolute path) on fd as its standard
 * input and output. It gets /dev/null as standard error, no other descriptor, default signals,
 * no environment but PATH, a clean TZ and what was said above. fd stays open here: close it at
 * once after the call, or the back end's end is never seen. Returns the process id, once the
 * exec has been seen to succeed; the caller reaps it. -1: nothing runs, and why[0..why_size)
 * says what failed. */
pid_t backend_start(
    char *const argv[], int fd, const struct backend_about *about, char *why, size_t why_size);

/* Is it sendmail that this argv starts (the file's name begins with "sendmail", and it is no
 * link to an Exim)? */
bool backend_is_sendmail(char *const argv[]);

/* False, with the reason, where no client may be given to it: an Exim (the file's name, or that
 * of the file that it is a link to, begins with "exim") with arguments that could have it take
 * its client for another one, or mail that it loses. backend_start() asks this itself. */
bool backend_may_start(char *const argv[], char *why, size_t why_size);

#endif
