/*
 * server - what the two files of the server share; see server.c, server_dialogue.c.
 */
#ifndef XPONY_SERVER_H
#define XPONY_SERVER_H

#include "engine.h"

/* server.c */
void server_close(struct session *s);
/* Notes the fault, says it to the client where that makes sense, and closes. */
void server_fault(struct session *s, enum err fault);
void server_refuse(struct session *s, const char *reply); /* one reply of our own, then the end */
/* The whole line at the front of what the client sent, or 0: also while a reply to it would
 * have no room. Over-long lines end the session. */
size_t server_line(struct session *s, const uint8_t **line);
/* An XPONY line with no reply owed before it. */
void server_upgrade(struct session *s, const uint8_t *line, size_t n);
void server_suite(struct session *s, const char *name);

/* server_dialogue.c. Each is a step: true when something moved. */
bool server_banner(struct session *s);
bool server_probe(struct session *s);
bool server_refused(struct session *s);
bool server_dialogue(struct session *s);

#endif
