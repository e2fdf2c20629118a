/*
 * engine - the inside of a session, shared by session.c, server.c and client.c only.
 */
#ifndef XPONY_ENGINE_H
#define XPONY_ENGINE_H

#include "channel.h"
#include "dialogue.h"
#include "handshake.h"
#include "session.h"

#define NEAR_QUEUE 65536

enum server_state {
	SERVER_GREET,   /* the greeting is still to be said */
	SERVER_FIRST,   /* no back end yet: waiting for the first command */
	SERVER_JUDGE,   /* asked the monitor about the peer's key */
	SERVER_DH,      /* asked the monitor for the static Diffie-Hellman */
	SERVER_BACKEND, /* asked the monitor for a back end */
	SERVER_BANNER,  /* waiting for the back end's greeting */
	SERVER_PROBE,   /* waiting for its reply to a command of ours */
	SERVER_REFUSED, /* the back end greeted with a refusal: it answers the next command */
	SERVER_COMMAND, /* commands one way, replies the other */
	SERVER_BODY,    /* after 354 */
	SERVER_RAW,     /* TLS between the MTAs: octets both ways */
	SERVER_CLOSING, /* what is queued goes out, then the end */
};

enum client_state {
	CLIENT_CONNECT, /* asked the monitor for a host */
	CLIENT_GREETING,
	CLIENT_HELLO,   /* the host greeted; the MTA's EHLO is still to come */
	CLIENT_DH,      /* asked the monitor for the static Diffie-Hellman */
	CLIENT_UPGRADE, /* XPONY sent: waiting for its reply */
	CLIENT_JUDGE,   /* asked the monitor about the peer's key */
	CLIENT_CLEAR,   /* asked the monitor whether to go on in clear */
	CLIENT_CAPS,    /* waiting for the EHLO reply that the MTA gets */
	CLIENT_COMMAND,
	CLIENT_BODY,
	CLIENT_DRAIN, /* the host was lost in the body: the rest goes nowhere */
	CLIENT_RAW,
	CLIENT_VERDICT, /* no host: every RCPT is told why */
	CLIENT_KEPT,    /* the MTA is done; asked the monitor for the next mail */
	CLIENT_LEAVING, /* the MTA is done; the host is told QUIT */
	CLIENT_GONE,
};

/* How far the MAIL is that the client answered in the host's place (PROTOCOL.md, "Pipelining").
 */
enum mail_state { MAIL_NONE, MAIL_HELD, MAIL_SENT, MAIL_REFUSED };

/* The far side is an engine that has kept its session (client_kept.c). */
enum kept_state {
	KEPT_NO,
	KEPT_OPEN, /* it is, and the MTA knows nothing that the host said to this mail */
	KEPT_USED, /* it is */
	KEPT_LOST, /* it was, and the MTA has its keywords: `replay` is to be said elsewhere */
};

struct client_part {
	char hello[HANDSHAKE_EHLO_MAX + 1]; /* the MTA's EHLO argument */
	bool helo;                          /* it said HELO */
	char host[SESSION_HOST_MAX];
	char name[SESSION_HOST_MAX]; /* the one in the host's greeting */
	char address[SESSION_ADDRESS_MAX];
	bool offer;         /* this host's offer may be taken up */
	bool strict;        /* its 5xx greeting is no verdict */
	uint8_t suites;     /* enum session_suites: which of ours */
	bool enforce_tls;   /* no MAIL before the MTA's STARTTLS */
	bool pipelining;    /* this host's keyword */
	struct advert hint; /* the greeting's offer; text empty when it made none */
	enum mail_state mail;
	struct buf held;                /* the MAIL line that waits for its first RCPT */
	char refusal[SESSION_TEXT_MAX]; /* the host's refusal of that MAIL, as a reply line */
	unsigned owed;                  /* replies that the MTA waits for */
	char verdict[SESSION_TEXT_MAX]; /* what every RCPT is told, as a reply line */
	bool told;                      /* TELL_DONE was sent */
	bool greeted;                   /* redirected: the MTA was, which happens once */

	/* With config->keep. */
	struct buf ehlo; /* the host's keywords as the MTA was told them; empty: not yet */
	bool open;       /* a transaction has begun and was not ended by its dot */
	unsigned transactions; /* with this host */
	bool asked;            /* KEPT: ASK_MAIL was sent */
	bool behind;           /* the near side is another engine, which speaks to the MTA */
	bool fresh;            /* and its EHLO is still to come */
	enum kept_state kept;
	struct buf replay; /* the commands that a kept host was sent, until its first reply */
};

struct session {
	const struct session_config *config;
	int state;
	uint64_t progress;
	struct channel far;
	struct buf near_in, near_out;
	uint8_t *queues; /* the memory of these and of `far` */
	size_t queues_size;
	bool near_eof, near_shut;

	struct session_request request;
	bool request_ready;
	struct session_report report;

	struct handshake *hs; /* sodium_malloc; until the upgrade is done */
	struct handshake_hello hello;
	bool upgraded;
	bool stale; /* server: MAIL, AUTH or STARTTLS went by: no XPONY any more */

	unsigned pending; /* replies that the side which answers still owes */
	enum dialogue_barrier barrier;
	bool dot; /* the next reply is the final dot's */
	int last_code;
	unsigned noise; /* server: lines before the back end's greeting */
	struct body body;
	struct client_part client;
};

/* session.c: for both roles. */
void engine_state(struct session *s, int state);
struct session_request *engine_ask(struct session *s, enum session_request_kind kind);
bool engine_handshake_new(struct session *s);
void engine_handshake_drop(struct session *s);
enum err engine_start_records(struct session *s, struct record *record);
void engine_note_reply(struct session *s, int code, const uint8_t *p, size_t n);
bool engine_raw(struct session *s);
unsigned engine_patience(const struct session *s);
/* In RAW nobody can tell who waits for whom. What sendmail allows itself, octets buying more.
 */
#define ENGINE_PATIENCE_RAW 3900

/* One step; true when something moved. */
bool server_step(struct session *s);
void server_answer(struct session *s, const struct session_answer *answer);
void server_fail(struct session *s, enum err fault);
void server_reset(struct session *s);
bool server_may_hold(const struct session *s);
bool server_goes_on(const struct session *s);
unsigned server_timeout(const struct session *s);
/* owes: by what the channel knows. */
unsigned server_patience(const struct session *s, bool owes);
const char *server_phase(const struct session *s);

bool client_kept_init(struct session *s);
bool client_step(struct session *s);
void client_answer(struct session *s, const struct session_answer *answer);
void client_fail(struct session *s, enum err fault);
bool client_may_hold(const struct session *s);
unsigned client_timeout(const struct session *s);
unsigned client_patience(const struct session *s, bool owes);
const char *client_phase(const struct session *s);

#endif
