/*
 * keep - where kept sessions are found: a UNIX socket for each, in a directory of the user's
 * own (doc/DESIGN.md, "Kept sessions"). Used by the mailer's main and monitor, for the session
 * that was just used (keep_listen) and for the one that a mail could use (keep_find). What
 * answers at the socket is keeper.c.
 */
#ifndef MAILER_KEEP_H
#define MAILER_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "lib/key.h"
#include "lib/reason.h"
#include "libxpony/commitment.h"
#include "libxpony/suite.h"
#include "mailer/connect.h"

#define KEEP_REASON_MAX REASON_MAX
#define KEEP_NAMES 64      /* kept sessions of a user, at most */
#define KEEP_SECONDS 5     /* that a session waits for another mail, unless told otherwise */
#define KEEP_EACH 2        /* of those, to one address: it allows us only so many sessions */
#define KEEP_AGE_MS 300000 /* of a connection that takes another mail, at most */

/* What one mailer was started with. */
struct keep {
	const char *directory; /* the pin store's, in which ours is */
	int seconds; /* for which a session waits; 0: nothing is kept, or looked for */
	struct sockaddr_storage source;
	struct suite_list suites;
	uint8_t client[KEY_OCTETS]; /* our host key */
};

/* All that has to be the same for another mail's connection to be this one. Compared octet by
 * octet, so zeroed first. */
struct keep_identity {
	char version[32]; /* of the program: another one may have another record */
	char domain[DESTINATION_NAME], host[RESOLVE_NAME];
	char address[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN];
	char suites[SUITE_MAX * (SUITE_NAME_MAX + 1)];
	uint8_t client[KEY_OCTETS];
	uint32_t user, port;
};

/* What a keeper says of its session. */
struct keep_record {
	struct keep_identity identity;
	uint8_t key[KEY_OCTETS]; /* the host's; is to be judged again, with what follows */
	char suite[SUITE_NAME_MAX + 1];
	struct commitment commitment;
	uint32_t mails; /* that it has carried */
};

void keep_identify(const struct keep *k, const struct hop *hop, struct keep_identity *id);

/* A kept session for this host and address, with nothing but its identity compared. Its near
 * side once keep_take() has said yes; or -1. */
int keep_find(const struct keep *k, const struct hop *hop, struct keep_record *record);
/* False: it is gone meanwhile. */
bool keep_take(int fd);

/* A socket where others find this session. -1: there is one already, or too many, and why
 * (KEEP_REASON_MAX) is empty; or why says what is wrong, and what to do. */
int keep_listen(
    const struct keep *k, const struct keep_identity *id, char why[KEEP_REASON_MAX]);

#endif
