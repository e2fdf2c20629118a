/*
 * greeting - the name under which this host greets: what sendmail calls $j. Called by
 * receiver/main.c when there is no -n, and by receiver/inspect.c.
 */
#ifndef RECEIVER_GREETING_H
#define RECEIVER_GREETING_H

#include <stdbool.h>
#include <stddef.h>

#define GREETING_NAME_MAX 256               /* NUL included */
#define GREETING_CF "/etc/mail/sendmail.cf" /* its Dj line decides last */

/* Writes the host's name, made canonical as sendmail does it; size at least GREETING_NAME_MAX.
 * Always writes a name of letters, digits, hyphens and dots that can stand in a greeting. False
 * when it is not fully qualified (has no dot): what is written then is the short name, or
 * "localhost" when there is none. Asks the name service in a process of its own; waits five
 * seconds at most. */
bool greeting_name(char *out, size_t size);

/* Can this name stand in a greeting: letters, digits, hyphens and dots, 1 to 255 octets, no
 * empty label, none beyond 63 octets? For names that came from -n as well. */
bool greeting_is_name(const char *name);

#endif
