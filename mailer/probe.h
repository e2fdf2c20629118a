/*
 * probe - looks at the mail hosts of a destination, one by one, without sending mail: what they
 * offer, what comes of it, what is known of their keys, and whether mail would go
 * (doc/blackpony-mailer.8, "Probe"). Called by mailer/main.c for a person or a script.
 *
 * Each host is spoken to in a child of its own by the same engine as mail is; nothing is
 * written to the pin store.
 */
#ifndef MAILER_PROBE_H
#define MAILER_PROBE_H

#include "lib/key.h"
#include "lib/resolve.h"
#include "mailer/connect.h"
#include "mailer/trust.h"

#define PROBE_KEYWORDS_MAX 1024

struct probe {
	const char *name; /* ours, for EHLO */
	struct destination_list list;
	struct route_options route;
	struct resolver *resolver;
	struct key *key;
	struct suite_list suites;
	int rot;
	const char *policy_file;
	const char *pins_directory; /* NULL: there is none */
	bool json;
};

/* One connection. What hosts said is made printable. */
struct probe_session {
	bool connected, greeted, has_peer, by_hint, starttls;
	uint8_t key[KEY_OCTETS];
	char suite[SUITE_NAME_MAX + 1]; /* "" for none */
	struct commitment commitment;
	int connect_ms, proved_ms, total_ms; /* from the start of the connect */
	unsigned rtt_us;
	char keywords[PROBE_KEYWORDS_MAX]; /* of the EHLO reply, blanks between them */
	char fault[SESSION_TEXT_MAX];      /* what went wrong, "" for nothing */
};

enum probe_end {         /* the exit status */
	PROBE_ENCRYPTED, /* mail would go by XPONY */
	PROBE_OTHERWISE, /* it would go, with STARTTLS or in clear */
	PROBE_NOT_NOW,   /* it would wait, or come back */
};

/* One address of a mail host, and what would become of mail there. */
struct probe_host {
	const char *domain;
	const struct resolve_address *at;
	char address[INET6_ADDRSTRLEN];
	struct probe_session session;
	struct policy policy;
	struct pins_host known;
	struct resolve_keys dns;
	enum probe_end end;
	const char *trust;    /* what speaks for the key, as in the log */
	char why[TRUST_TEXT]; /* not now: why */
};

/* All hosts, told on standard output. The exit status, one of enum probe_end. */
int probe_run(const struct probe *p);

/* probe_session.c. False when not even a child could be had. */
bool probe_session(const struct probe *p, const struct sockaddr_storage *address,
    const char *text, struct probe_session *s);

/* probe_show.c: in the order of these lines; a fault in place of hosts. */
void probe_show_start(const struct probe *p);
void probe_show_progress(const char *host, const char *address); /* NULL: no more of it */
void probe_show_host(const struct probe *p, const struct probe_host *h);
void probe_show_fault(const struct probe *p, const char *domain, const char *fault);
void probe_show_end(const struct probe *p, const struct probe_host *best);

#endif
