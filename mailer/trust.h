/*
 * trust - may this mail go to this host, and how? Puts together the policy file, the pins and
 * commitments of hosts, and keys from DNS (PROTOCOL.md, "Trust"). Used by the mailer's monitor;
 * does no logging itself.
 *
 * Each question is answered for the host that the route is at. A refusal is the text of a
 * 451 4.7.5 reply: the mail stays queued, and nothing of it has been sent.
 */
#ifndef MAILER_TRUST_H
#define MAILER_TRUST_H

#include "lib/pins.h"
#include "lib/policy.h"
#include "libxpony/session.h"
#include "mailer/connect.h"

#define TRUST_TEXT 320
#define TRUST_DAY INT64_C(86400) /* seconds */
/* No commitment is enforced for longer unseen. */
#define TRUST_COMMITMENT_MAX (30 * TRUST_DAY)
/* A host that upgraded within these is missed. */
#define TRUST_MEMORY (30 * TRUST_DAY)

/* What validated DNS says of a host's keys. */
struct trust_dns {
	bool known;     /* an authentic answer with at least one key */
	bool temporary; /* no answer now: ask again later */
	size_t keys;
	uint8_t key[PINS_KEYS][32]; /* fingerprints */
};

struct trust {
	const char *policy_file;
	struct pins *pins; /* NULL: nothing is known or kept */
	bool rot;          /* ROTn: touches no pin */
	bool look_only;    /* nothing is to be written down: no mail is on its way */
	int64_t now;       /* seconds since 1970 */
	/* Looks the keys of a host up; called only where they decide. */
	void (*dns)(void *context, const char *host, struct trust_dns *answer);
	void *context;

	struct policy policy;   /* of the present host's domain */
	struct pins_host known; /* what was remembered of it before this session */
	bool deferred;          /* in this delivery: a host that was missed */
	const char *verdict;    /* one word for the log: "new", "known", "changed", "announced",
				   "listed", "dns" */
	char note[TRUST_TEXT];  /* for the log, loudly, when not empty */
};

/* How this host may be spoken to. */
struct trust_terms {
	bool offer;        /* its offer may be taken up */
	bool must_upgrade; /* no XPONY, no mail */
	bool strict;       /* it is not believed in clear: a 5xx greeting is no verdict */
	bool may_descend;  /* to a classical suite, where the hybrid's line is lost */
	enum session_suites suites;
};

/* Before the greeting is read. False: not this host; why (TRUST_TEXT) says why. */
bool trust_host(struct trust *t, const struct hop *hop, struct trust_terms *terms, char *why);
/* It proved this key and offered this commitment, in this suite. False: not this host. True
 * also where it could not be remembered. */
bool trust_peer(struct trust *t, const struct hop *hop, const uint8_t key[32], bool pq,
    const struct commitment *commitment, char *why);
/* It made no offer that we took. *enforce_tls: no MAIL before STARTTLS. False: not in clear. */
bool trust_clear(
    struct trust *t, const struct hop *hop, bool starttls, bool *enforce_tls, char *why);

#endif
