/*
 * keeper - the process that has a kept session after its mailer has ended: it holds the
 * engine's request socket and the socket where later mailers call, and nothing else. Called by
 * the mailer's main.
 */
#ifndef MAILER_KEEPER_H
#define MAILER_KEEPER_H

#include <stdint.h>
#include "mailer/keep.h"

struct keeper {
	int engine;     /* has asked for a mail (SESSION_ASK_MAIL), and waits */
	int listener;   /* of keep_listen() */
	int seconds;    /* how long it may wait for each */
	int64_t expiry; /* by clock_ms(): later it takes none */
	struct keep_record record;
};

/* Forks. The caller, which has wiped its key and has no child but the engine, may end at once.
 * False, with errno: nobody keeps it. */
bool keeper_start(const struct keeper *k);

#endif
