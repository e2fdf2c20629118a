/*
 * session - the engine that both programs share: one SMTP dialogue between a near side
 * (sendmail) and a far side (the network), in the role of the server (blackpony-receiver) or of
 * the client (blackpony-mailer).
 *
 * Bytes in, bytes out: it reads no descriptor, knows no clock and holds no long-term key.
 * lib/relay.c moves the octets, keeps the deadlines and carries the requests to the monitor.
 *
 * A turn: read into session_reserve()/session_commit(), tell session_eof() or session_reset(),
 * call session_run(), write session_output()/session_written(), send session_request() to the
 * monitor and bring its answer with session_answer(). Repeat until session_is_over().
 */
#ifndef XPONY_SESSION_H
#define XPONY_SESSION_H

#include "commitment.h"
#include "err.h"
#include "handshake.h"
#include "suite.h"

enum session_role { SESSION_SERVER, SESSION_CLIENT };
enum session_side { SESSION_NEAR, SESSION_FAR };

#define SESSION_HOST_MAX 256
#define SESSION_ADDRESS_MAX 64
#define SESSION_TEXT_MAX 400
#define SESSION_KEEP_MAILS 100  /* transactions in one kept session, at most */
#define SESSION_KEEP_SECONDS 60 /* that it waits for the next mail, at most */
#define SESSION_PATIENCE 300    /* RFC 5321 section 4.5.3.2 asks for 5 minutes at most places */

/* What the engine asks of the monitor. All fields are the engine's word: the monitor checks
 * them. */
enum session_request_kind {
	SESSION_ASK_DH =
	    1, /* the static Diffie-Hellman with `point`; granted once a connection */
	SESSION_ASK_PEER,    /* the peer proved key `key` and named us `name`: go on? */
	SESSION_ASK_BACKEND, /* server: a back end, told that `suite` and `key` protect the
				dialogue */
	SESSION_ASK_HOP,     /* client: the next host, or the same again; `reason` says why */
	SESSION_ASK_CLEAR,   /* client: no offer that we take; on without? `starttls`: it offers
				that */
	SESSION_TELL_DONE,   /* the mail's part is over: `report`; no answer */
	SESSION_TELL_SETTLED, /* server: the plain back end stays, an upgrade would come too
				 late; no answer */
	SESSION_ASK_MAIL,     /* client: the mail's part is over: `report`; another mail for the
				 same host would find the session ready: the answer brings its
				 near side, or is no */
};

enum session_hop_reason {
	SESSION_HOP_FIRST,
	SESSION_HOP_REFUSED, /* it greeted with 4xx, or left before its EHLO reply, or the
				monitor refused it */
	SESSION_HOP_UPGRADE, /* its offer failed: the same host, without or with another try */
	SESSION_HOP_KEPT,    /* a kept session was lost before it was of any use: the same host,
				on a connection of its own */
};

/* Which suites of ours may be used with a host. */
enum session_suites {
	SESSION_SUITES_ALL,
	SESSION_SUITES_CLASSICAL, /* those without a KEM: after the hybrid's long line was lost
				   */
	SESSION_SUITES_PQ,        /* those with a KEM */
};

/* What the server demands of a client before it may send mail. ROTn is no encryption. */
enum session_demand {
	SESSION_DEMAND_NOTHING,
	SESSION_DEMAND_ENCRYPTION, /* XPONY or STARTTLS */
	SESSION_DEMAND_XPONY,
};

/* What the server's back end is. */
enum session_backend {
	SESSION_BACKEND_STARTED, /* a program that is started for the session */
	SESSION_BACKEND_SERVER,  /* a TCP server: it greets soon or is no use */
	SESSION_BACKEND_PROXIED, /* one that was sent a PROXY header, and has to show that it
				    took it before anything of the client's passes */
};

struct session_report {
	uint64_t messages; /* accepted with 2xx after the final dot */
	uint64_t octets;   /* of message bodies that went through, dots included */
	uint64_t refused;  /* 4xx and 5xx replies to MAIL, RCPT, DATA and the final dot */
	uint8_t has_key;
	uint8_t by_hint; /* upgraded by the greeting's offer, not the EHLO keyword's */
	uint8_t key[NOISE_KEY];
	uint8_t fault; /* enum err that ended the session, ERR_NONE when it ended well */
	char suite[SUITE_NAME_MAX + 1]; /* "" in clear, "STARTTLS" when the MTAs took over */
	char verdict[SESSION_TEXT_MAX]; /* the last final reply: acceptance of a message,
					   refusal or fault; "" when none */
	char hello[SESSION_HOST_MAX];   /* server: the client's word of its own name */
};

struct session_request {
	uint8_t kind;
	uint8_t reason; /* HOP */
	uint8_t fault;  /* HOP, reason UPGRADE: ERR_CRYPTO, or ERR_REFUSED when the host refused
			   or dropped the XPONY line; reason REFUSED: ERR_TIMEOUT when it let
			   the time for a greeting pass */
	uint8_t starttls; /* CLEAR */
	uint8_t upgraded;
	uint8_t key[NOISE_KEY];         /* DH: the point; PEER, BACKEND: the peer's key */
	char suite[SUITE_NAME_MAX + 1]; /* HOP, reason UPGRADE: the one that failed */
	char name[SESSION_HOST_MAX];    /* PEER on the server: the name that the client meant to
					   reach */
	char text[SESSION_TEXT_MAX];    /* HOP: what the host said */
	struct commitment commitment;   /* PEER on the client */
	struct session_report report;
};

struct session_answer {
	uint8_t kind; /* of the request that this answers */
	uint8_t granted;
	uint8_t offer;  /* HOP: an offer by this host may be taken up */
	uint8_t strict; /* HOP: a 5xx greeting is no verdict, somebody in between may have said
			   it */
	uint8_t suites; /* HOP: enum session_suites */
	uint8_t enforce_tls; /* CLEAR: no MAIL before STARTTLS */
	uint8_t kept;        /* HOP: it is the near side of an engine that has kept its session:
				greeting and EHLO reply come from there, and neither offer nor
				handshake */
	uint8_t dh[NOISE_KEY];
	uint8_t key[NOISE_KEY];            /* HOP, kept: the host's key */
	char suite[SUITE_NAME_MAX + 1];    /* HOP, kept: its suite */
	char host[SESSION_HOST_MAX];       /* HOP: host name; without one its address */
	char address[SESSION_ADDRESS_MAX]; /* HOP: "[192.0.2.1]" */
	char text[SESSION_TEXT_MAX]; /* not granted: an SMTP reply without CRLF, for the MTA or
					the peer */
};

struct session_config {
	enum session_role role;
	const char *name; /* server: our name in the greeting; client: in replies to the MTA */
	struct suite_list suites;
	int rot;        /* 1..25: ROTn and nothing else */
	bool offer;     /* server: offer XPONY at all */
	bool keep;      /* client: ask for another mail (ASK_MAIL), or be given a kept session */
	uint8_t demand; /* server: enum session_demand */
	uint8_t backend; /* server: enum session_backend */
	unsigned patience; /* seconds with a far side that goes on too slowly, and on the server
			      until its first command; 0: SESSION_PATIENCE */
	uint8_t s_public[NOISE_KEY];
	struct commitment commitment; /* server: what every client is promised */
	/* client: the MTA believes that it speaks to the host itself, and has others to turn to.
	 * So it is greeted only when the host has greeted, it hears refusals in the host's own
	 * words, and a verdict of ours is a 421 and the end. */
	bool redirected;
	void (*random)(
	    void *p, size_t n); /* ephemeral secrets: randombytes_buf outside tests */
};

struct session;

/* config must outlive the session. NULL when out of memory. */
struct session *session_new(const struct session_config *config);
void session_free(struct session *s); /* wipes; NULL-safe */

/* Room for octets from that side: *n is 0 when none is wanted now. */
uint8_t *session_reserve(struct session *s, enum session_side side, size_t *n);
void session_commit(struct session *s, enum session_side side, size_t n);
void session_eof(struct session *s, enum session_side side);
/* The network side was broken off, and not ended: nobody reads what we say there any more. */
void session_reset(struct session *s);

/* Goes as far as it can. */
void session_run(struct session *s);

const uint8_t *session_output(struct session *s, enum session_side side, size_t *n);
void session_written(struct session *s, enum session_side side, size_t n);
/* The output of the far side is not the whole flight: its rest, or the end, comes at once or
 * within moments. */
bool session_goes_on(const struct session *s);
/* The memory of all queues. While none has anything in it, *n octets of that are there, which
 * need not be kept; else 0. */
void *session_unused(const struct session *s, size_t *n);
/* All output of that side is written and no more will come: its sending half may be shut. */
bool session_shut(const struct session *s, enum session_side side);

/* The next request, once; NULL when there is none. */
const struct session_request *session_request(struct session *s);
/* The monitor's answer. For BACKEND, MAIL and HOP the caller has by then put the new descriptor
 * in the place of the old near or far one; buffers of that side are new. */
void session_answer(struct session *s, const struct session_answer *answer);

/* A deadline passed, or something of ours failed: ends the session as that fault says. */
void session_fail(struct session *s, enum err fault);

/* Seconds that the session may stay without session_progress() changing. */
unsigned session_timeout(const struct session *s);
/* Seconds of patience with the far side, which owes us something: the rest of a line, a reply,
 * a record or a body that it has begun, or the room for what we have for it. 0: it owes
 * nothing.
 */
unsigned session_patience(const struct session *s);
uint64_t session_progress(const struct session *s);
/* One word for ps and logs: "greeting", "handshake", "dialogue"... */
const char *session_phase(const struct session *s);
bool session_is_over(const struct session *s);
const struct session_report *session_report(const struct session *s);

#endif
