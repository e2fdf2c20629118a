/*
 * err - what each fault is called and how it is answered. Called by everything that reports:
 * the session engine answers the peer with err_reply(), the mains log err_text().
 */
#include <stdlib.h>
#include "err.h"

/* One text for every cryptographic failure: a peer that learns which check failed has an oracle
 * (PROTOCOL.md, "Faults"). */
static const struct {
	const char *text;
	const char *reply;
} faults[ERR_COUNT] = {
    [ERR_NONE] = {"no fault", NULL},
    [ERR_MORE] = {"more octets needed", NULL},
    [ERR_SYNTAX] = {"malformed line", "501 5.5.4 Malformed command or argument"},
    [ERR_SEQUENCE] = {"out of sequence", "503 5.5.1 Bad sequence of commands"},
    [ERR_SUITE] = {"suite not available", "504 5.5.4 Cipher suite not available"},
    [ERR_CRYPTO] = {"cryptographic failure", "454 4.7.0 Encryption failed"},
    [ERR_LIMIT] = {"limit exceeded", "500 5.5.2 Line too long"},
    [ERR_TRUNCATED] = {"connection ended without a close",
	"451 4.4.2 Connection ended without a close"},
    [ERR_TIMEOUT] = {"timeout", "421 4.4.2 Timeout, closing connection"},
    [ERR_RESOURCE] = {"out of resources", "421 4.3.0 Out of resources, try again later"},
    [ERR_REFUSED] = {"refused by policy", "451 4.7.5 Refused by local policy"},
};

static void
check(enum err e)
{
	if ((unsigned)e >= ERR_COUNT)
		abort();
}

bool
err_is_permanent(enum err e)
{
	check(e);
	return faults[e].reply != NULL && faults[e].reply[0] == '5';
}

const char *
err_text(enum err e)
{
	check(e);
	return faults[e].text;
}

const char *
err_reply(enum err e)
{
	check(e);
	return faults[e].reply;
}
