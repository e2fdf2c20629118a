/*
 * dialogue - what server.c and client.c share of following an SMTP dialogue: which command the
 * coming reply belongs to, and where the body of a message ends.
 */
#ifndef XPONY_DIALOGUE_H
#define XPONY_DIALOGUE_H

#include "buf.h"
#include "smtp.h"

/* A command after which nothing is passed on until its reply is there, because the reply
 * decides how the next octets are to be read. */
enum dialogue_barrier {
	BARRIER_NONE,
	BARRIER_EHLO,
	BARRIER_DATA,
	BARRIER_AUTH,
	BARRIER_STARTTLS,
};

enum dialogue_barrier dialogue_barrier(enum smtp_verb verb);

/* May this EHLO keyword's line be passed on? Not an offer of ours, not STARTTLS inside an
 * upgrade, and not CHUNKING: the octets that BDAT counts would be read as commands here.
 * Nor Exim's PIPECONNECT: who knows it speaks before the greeting the next time. */
bool dialogue_wants_keyword(const uint8_t *text, size_t n, bool upgraded);

/* Finds the CRLF . CRLF that ends a body (RFC 5321 section 4.1.1.4), across any splits. Zeroed
 * is the start: the body begins at a line's start. */
struct body {
	uint8_t matched; /* octets of the end that were seen so far, see dialogue.c */
	bool started;
};

/* How many of the n octets belong to the body, its end included; *ended says whether it came.
 */
size_t body_scan(struct body *b, const uint8_t *p, size_t n, bool *ended);

/* Moves as much of `from` to `to` as there is room, n octets at most. Returns the octets moved.
 */
size_t dialogue_move(struct buf *from, struct buf *to, size_t n);

#define DIALOGUE_REPLY_ROOM 1024 /* in which any reply of our own fits */

/* Appends a formatted line and CRLF, cut to 510 octets; octets outside printable ASCII become
 * '?'. */
bool dialogue_line(struct buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copies n octets of reply text as one clean line of printable ASCII, cut to cap. */
void dialogue_text(char *to, size_t cap, const uint8_t *p, size_t n);

#endif
