/*
 * client - what the four files of the client share; see client.c, client_hop.c, client_mail.c,
 * client_kept.c.
 */
#ifndef XPONY_CLIENT_H
#define XPONY_CLIENT_H

#include "engine.h"

/* client.c */

/* No host will take this mail: from now on every RCPT is told `reply`. */
void client_verdict(struct session *s, const char *reply);
/* Leaves this host and asks for the next one; said: what it said, or what went wrong. */
void client_next_hop(struct session *s, enum session_hop_reason reason, const char *said);
/* The same after a failed upgrade: ERR_CRYPTO, or ERR_REFUSED for a refused or dropped line. */
void client_upgrade_failed(struct session *s, enum err fault, const char *said);
/* The host is gone or broken; why is for the MTA. */
void client_lost(struct session *s, const char *why);
/* The MTA is done. quit: in order, with QUIT. */
void client_leave(struct session *s, bool quit);
/* A reply of the host with its name put into the first line; as lines, or the first line as
 * text. */
void client_attribute(
    struct session *s, struct buf *out, const struct smtp_reply *r, const uint8_t *p);
void client_attribute_line(
    struct session *s, char *to, size_t cap, const struct smtp_reply *r, const uint8_t *p);

/* client_hop.c. The steps return true when something moved. */
bool client_hop_reply(struct session *s);
bool client_hop_hello(struct session *s);
void client_hop_upgrade(struct session *s, const uint8_t dh[NOISE_KEY]);
void client_hop_records(struct session *s, struct record *record);
/* The keywords that the MTA sees of a host's EHLO reply, put into `out`. */
void client_hop_put_keywords(
    const struct session *s, struct buf *out, const struct smtp_reply *r, const uint8_t *p);
/* Gives the MTA the host's EHLO reply, which waits in far.in and is dropped; a refusal too. */
void client_hop_keywords(struct session *s, const struct smtp_reply *r, const uint8_t *p);
/* The monitor granted that this host is spoken to in clear. */
void client_hop_clear(struct session *s);

/* client_mail.c */
bool client_mail_hello(struct session *s);
bool client_mail_verdict(struct session *s);
bool client_mail_command(struct session *s);
bool client_mail_reply(struct session *s);
bool client_mail_body(struct session *s, bool drain);
bool client_mail_interrupted(struct session *s);
bool client_mail_raw(struct session *s);

/* client_kept.c: an engine that keeps its session for the next mail. */

/* The MTA has said QUIT: may this session wait for another mail? */
bool client_kept_may(const struct session *s);
void client_kept_wait(struct session *s);
bool client_kept_step(struct session *s);
/* Another mail came: its engine is the near side now. */
void client_kept_mail(struct session *s);
/* The first command of that engine; true when something moved. */
bool client_kept_hello(struct session *s, const uint8_t *line, size_t n);

/* An engine whose host is one of these. */

/* A new host: is it one? */
void client_kept_begin(struct session *s, const struct session_answer *answer);
/* Commands on their way to it. */
void client_kept_note(struct session *s, const uint8_t *p, size_t n);
/* Its first reply. False: it is none that the MTA should see. */
bool client_kept_reply(struct session *s, const struct smtp_reply *r);
/* It is gone. True when this could not be noticed: another connection was asked for. */
bool client_kept_lost(struct session *s, const char *why);
/* The MTA waits while commands are said once more elsewhere. */
bool client_kept_replaying(const struct session *s);
void client_kept_replay(struct session *s, const struct smtp_reply *r, const uint8_t *p);
/* A reply of it is awaited that should come at once. */
bool client_kept_is_due(const struct session *s);

#endif
